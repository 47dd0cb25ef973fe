-- The length of sales cycles: mean, median and 90th percentile in one line.

CREATE FUNCTION @extschema@.kpi_sales_cycle_combine(bigint[], bigint[]) RETURNS bigint[]
AS 'MODULE_PATHNAME', 'salkpi_cycle_combine'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_sales_cycle_final(bigint[]) RETURNS numeric
AS 'MODULE_PATHNAME', 'salkpi_cycle_mean'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_combine(bigint[], bigint[]) IS 'combine function of kpi_sales_cycle; an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_sales_cycle_final(bigint[]) IS 'final function of kpi_sales_cycle: the mean in days';

-- Transitions, their inverses and the aggregates, of each type of time.
DO $do$
DECLARE
	schema constant text := $name$@extschema@$name$;
	rule constant text := ' One of both NULL (not won yet): the row is left out; no cycle: NULL. A negative cycle is an error (22023), an infinite one too (22008): leave such rows out with FILTER. ';
	cycle record;
	aggregate record;
	args text;
BEGIN
	FOR cycle IN
		SELECT *
		FROM (VALUES
			('date', 'days', 'A cycle is whole days.'),
			('timestamp', 'instants', 'A cycle is the time elapsed, in days of 24 hours.'),
			('timestamptz', 'instants', 'A cycle is the time elapsed, in days of 24 hours.')
		) cycles (type, symbol, meaning)
	LOOP
		args := cycle.type || ', ' || cycle.type;
		EXECUTE format('CREATE FUNCTION %s.kpi_sales_cycle_add(bigint[], %s) RETURNS bigint[]
			AS ''MODULE_PATHNAME'', %L LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE', schema, args, 'salkpi_cycle_add_' || cycle.symbol);
		EXECUTE format('CREATE FUNCTION %s.kpi_sales_cycle_remove(bigint[], %s) RETURNS bigint[]
			AS ''MODULE_PATHNAME'', %L LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE', schema, args, 'salkpi_cycle_remove_' || cycle.symbol);
		EXECUTE format('COMMENT ON FUNCTION %s.kpi_sales_cycle_add(bigint[], %s) IS %L', schema, args,
			'transition function of kpi_sales_cycle(' || args || '); an error outside of an aggregate');
		EXECUTE format('COMMENT ON FUNCTION %s.kpi_sales_cycle_remove(bigint[], %s) IS %L', schema, args,
			'inverse transition function of kpi_sales_cycle(' || args || '); an error outside of an aggregate');

		FOR aggregate IN
			SELECT *
			FROM (VALUES
				('kpi_sales_cycle', 'sales_cycle', 'bigint[]', 64, 'sales_cycle_final', ', INITCOND = ''{0,0,0}'', MINITCOND = ''{0,0,0}''',
					'mean length of sales cycles in days, from first contact to won; rounded once to 16 decimals, half away from zero. ' || cycle.meaning || rule
					|| 'To store and roll up: kpi_mean(kpi_durations(opened, won))'),
				('kpi_sales_cycle_median', 'durations', schema || '.kpi_durations', 1024, 'median', '',
					'median length of sales cycles in days, as percentile_cont(0.5) defines it, exactly. ' || cycle.meaning || rule
					|| 'Other percentiles: kpi_quantile(kpi_durations(opened, won), p)'),
				('kpi_sales_cycle_p90', 'durations', schema || '.kpi_durations', 1024, 'p90', '',
					'90th percentile of the length of sales cycles in days, as percentile_cont(0.9) defines it, exactly. ' || cycle.meaning || rule
					|| 'Other percentiles: kpi_quantile(kpi_durations(opened, won), p)')
			) aggregates (name, state, type, space, finish, initial, meaning)
		LOOP
			EXECUTE format('CREATE AGGREGATE %1$s.%2$I(opened %3$s, won %3$s) (
					SFUNC = %1$s.kpi_%4$s_add, STYPE = %5$s, SSPACE = %6$s, FINALFUNC = %1$s.kpi_%7$s,
					COMBINEFUNC = %1$s.kpi_%4$s_combine,
					MSFUNC = %1$s.kpi_%4$s_add, MINVFUNC = %1$s.kpi_%4$s_remove, MSTYPE = %5$s, MSSPACE = %6$s,
					MFINALFUNC = %1$s.kpi_%7$s, PARALLEL = SAFE%8$s)',
				schema, aggregate.name, cycle.type, aggregate.state, aggregate.type, aggregate.space, aggregate.finish, aggregate.initial);
			EXECUTE format('COMMENT ON AGGREGATE %s.%I(%s) IS %L', schema, aggregate.name, args, aggregate.meaning);
		END LOOP;
	END LOOP;
END
$do$;
