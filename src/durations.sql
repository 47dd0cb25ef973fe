-- Durations: an exact, mergeable distribution.

-- Aggregates.  The state of both is a kpi_durations with room to spare.

CREATE FUNCTION @extschema@.kpi_durations_combine(@extschema@.kpi_durations, @extschema@.kpi_durations) RETURNS @extschema@.kpi_durations
AS 'MODULE_PATHNAME', 'salkpi_durations_combine'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_durations_uncombine(@extschema@.kpi_durations, @extschema@.kpi_durations) RETURNS @extschema@.kpi_durations
AS 'MODULE_PATHNAME', 'salkpi_durations_uncombine'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_durations_final(@extschema@.kpi_durations) RETURNS @extschema@.kpi_durations
AS 'MODULE_PATHNAME', 'salkpi_durations_final'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_durations_final_of_rows(@extschema@.kpi_durations) RETURNS @extschema@.kpi_durations
AS 'MODULE_PATHNAME', 'salkpi_durations_final_of_rows'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE AGGREGATE @extschema@.kpi_rollup(durations @extschema@.kpi_durations) (
	SFUNC = @extschema@.kpi_durations_combine,
	STYPE = @extschema@.kpi_durations,
	SSPACE = 8192,
	FINALFUNC = @extschema@.kpi_durations_final,
	COMBINEFUNC = @extschema@.kpi_durations_combine,
	MSFUNC = @extschema@.kpi_durations_combine,
	MINVFUNC = @extschema@.kpi_durations_uncombine,
	MSTYPE = @extschema@.kpi_durations,
	MSSPACE = 8192,
	MFINALFUNC = @extschema@.kpi_durations_final,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION @extschema@.kpi_durations_combine(@extschema@.kpi_durations, @extschema@.kpi_durations) IS 'combine function of kpi_durations(bigint) and kpi_rollup(kpi_durations); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_durations_uncombine(@extschema@.kpi_durations, @extschema@.kpi_durations) IS 'inverse transition function of kpi_rollup(kpi_durations); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_durations_final(@extschema@.kpi_durations) IS 'final function of kpi_rollup(kpi_durations): the canonical form of a state';
COMMENT ON FUNCTION @extschema@.kpi_durations_final_of_rows(@extschema@.kpi_durations) IS 'final function of kpi_durations: as kpi_durations_final, NULL without a duration';
COMMENT ON AGGREGATE @extschema@.kpi_rollup(@extschema@.kpi_durations) IS
'the durations of all the given multisets together: what kpi_durations over the rows behind them gives. NULL is left out; without a multiset the result is NULL';

-- Transitions, their inverses and the aggregates, of each type of duration.
DO $do$
DECLARE
	schema constant text := $name$@extschema@$name$;
	ends_rule constant text := '. One of them NULL: the row is left out; without a duration the result is NULL. A negative duration is an error (22023), an infinite one too (22008)';
	duration record;
BEGIN
	FOR duration IN
		SELECT *
		FROM (VALUES
			('bigint', 'duration bigint', '', 'the multiset of the given durations in microseconds. NULL is left out; without a duration the result is NULL'),
			('date, date', 'opened date, closed date', '_days', 'the multiset of the durations from opened to closed: whole days' || ends_rule),
			('timestamp, timestamp', 'opened timestamp, closed timestamp', '_instants', 'the multiset of the durations from opened to closed: the time elapsed' || ends_rule),
			('timestamptz, timestamptz', 'opened timestamptz, closed timestamptz', '_instants', 'the multiset of the durations from opened to closed: the time elapsed' || ends_rule)
		) durations (types, args, suffix, meaning)
	LOOP
		EXECUTE format('CREATE FUNCTION %1$s.kpi_durations_add(%1$s.kpi_durations, %2$s) RETURNS %1$s.kpi_durations
			AS ''MODULE_PATHNAME'', %3$L LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE', schema, duration.types, 'salkpi_durations_add' || duration.suffix);
		EXECUTE format('CREATE FUNCTION %1$s.kpi_durations_remove(%1$s.kpi_durations, %2$s) RETURNS %1$s.kpi_durations
			AS ''MODULE_PATHNAME'', %3$L LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE', schema, duration.types, 'salkpi_durations_remove' || duration.suffix);
		EXECUTE format('CREATE AGGREGATE %1$s.kpi_durations(%2$s) (
				SFUNC = %1$s.kpi_durations_add, STYPE = %1$s.kpi_durations, SSPACE = 1024, FINALFUNC = %1$s.kpi_durations_final_of_rows,
				COMBINEFUNC = %1$s.kpi_durations_combine,
				MSFUNC = %1$s.kpi_durations_add, MINVFUNC = %1$s.kpi_durations_remove, MSTYPE = %1$s.kpi_durations, MSSPACE = 1024,
				MFINALFUNC = %1$s.kpi_durations_final_of_rows, PARALLEL = SAFE)', schema, duration.args);
		EXECUTE format('COMMENT ON FUNCTION %1$s.kpi_durations_add(%1$s.kpi_durations, %2$s) IS %3$L', schema, duration.types,
			'transition function of kpi_durations(' || duration.types || '); an error outside of an aggregate');
		EXECUTE format('COMMENT ON FUNCTION %1$s.kpi_durations_remove(%1$s.kpi_durations, %2$s) IS %3$L', schema, duration.types,
			'inverse transition function of kpi_durations(' || duration.types || '); an error outside of an aggregate');
		EXECUTE format('COMMENT ON AGGREGATE %s.kpi_durations(%s) IS %L', schema, duration.types, duration.meaning);
	END LOOP;
END
$do$;

-- Accessors.

CREATE FUNCTION @extschema@.kpi_count(durations @extschema@.kpi_durations) RETURNS bigint
AS 'MODULE_PATHNAME', 'salkpi_kpi_count'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_mean(durations @extschema@.kpi_durations) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_kpi_mean'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_quantile(durations @extschema@.kpi_durations, p numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_kpi_quantile'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_median(durations @extschema@.kpi_durations) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_kpi_median'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_p90(durations @extschema@.kpi_durations) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_kpi_p90'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION @extschema@.kpi_count(@extschema@.kpi_durations) IS
'how many durations the multiset holds. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_mean(@extschema@.kpi_durations) IS
'mean duration in days, rounded once to 16 decimals, half away from zero. NULL for NULL and for the empty multiset';
COMMENT ON FUNCTION @extschema@.kpi_quantile(@extschema@.kpi_durations, numeric) IS
'duration in days below which the share p (0 to 1, else an error) of the durations lies, as percentile_cont defines it, rounded once to 16 decimals, half away from zero. NULL for NULL and for the empty multiset';
COMMENT ON FUNCTION @extschema@.kpi_median(@extschema@.kpi_durations) IS
'median duration in days: kpi_quantile with p = 0.5. NULL for NULL and for the empty multiset';
COMMENT ON FUNCTION @extschema@.kpi_p90(@extschema@.kpi_durations) IS
'90th percentile of the durations in days: kpi_quantile with p = 0.9. NULL for NULL and for the empty multiset';

CREATE FUNCTION @extschema@.kpi_microseconds(earlier timestamptz, later timestamptz) RETURNS bigint
AS 'MODULE_PATHNAME', 'salkpi_kpi_microseconds'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION @extschema@.kpi_microseconds(timestamptz, timestamptz) IS
'the microseconds from one instant to another, negative when that lies before it. NULL for NULL and when either is infinite';
