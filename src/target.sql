/*
 * Targets: a value that a KPI should reach in a range of days, for the total
 * or any member.  Ranges of different levels may lie over each other (a month
 * within a year, a week across two months); two of about the same length may
 * not, since nobody could say which one counts.
 *
 * A period without a target of exactly its days takes what follows from the
 * others: only where the KPI adds up over time can they be summed or spread.
 */
CREATE TABLE @extschema@.kpi_target (
	target		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kpi			text NOT NULL,
	dimension	text NOT NULL DEFAULT 'total',
	member		text NOT NULL DEFAULT '',
	from_day	date NOT NULL CHECK (pg_catalog.isfinite(@extschema@.kpi_known_day(from_day))),
	to_day		date NOT NULL CHECK (pg_catalog.isfinite(@extschema@.kpi_known_day(to_day))),
	value		numeric NOT NULL CHECK (value > '-Infinity' AND value < 'Infinity'),
	currency	text,
	warn_at		numeric CHECK (warn_at > '-Infinity' AND warn_at < 'Infinity'),
	rate		numeric CHECK (rate > 0 AND rate < 'Infinity'),
	CONSTRAINT kpi_target_range CHECK (to_day > from_day),
	CONSTRAINT kpi_target_once UNIQUE (kpi, dimension, member, from_day, to_day)
);
COMMENT ON TABLE @extschema@.kpi_target IS
'targets: value that kpi should reach in the days from from_day to before to_day, for a member of a dimension (by default the total); warn_at: from which value on the status is "near"; to be written by users';
COMMENT ON SEQUENCE @extschema@.kpi_target_target_seq IS 'numbers of targets';
COMMENT ON COLUMN @extschema@.kpi_target.to_day IS 'the first day that no longer belongs';
COMMENT ON COLUMN @extschema@.kpi_target.value IS 'in the unit of the KPI: money in the reporting currency unless another is given, percent as 12.5';
COMMENT ON COLUMN @extschema@.kpi_target.currency IS 'that of value and warn_at; NULL: the reporting currency';
COMMENT ON COLUMN @extschema@.kpi_target.rate IS 'reporting currency for one unit of another currency, kept from when the target was written; NULL: that of from_day in the source exchange_rate';
COMMENT ON COLUMN @extschema@.kpi_target.warn_at IS 'a value of the KPI, not a percentage of the target; NULL: never "near"';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_target', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_target_target_seq', '');

/*
 * What a CHECK cannot say.  Runs once per statement, over the rows written, so
 * that targets can be moved about in one UPDATE.  The lock makes writers wait
 * for each other, else two could each write half of an overlap.
 *
 * While a dump is restored (pg_dump turns check_function_bodies off) nothing
 * is checked: the settings and definitions may not be there yet.
 */
CREATE FUNCTION @extschema@.kpi_target_check() RETURNS trigger
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fault record;
BEGIN
	IF NOT current_setting('check_function_bodies')::boolean THEN
		RETURN NULL;
	END IF;
	PERFORM pg_advisory_xact_lock(hashtextextended(TG_TABLE_SCHEMA || '.kpi_target', 0));

	SELECT w.kpi INTO fault FROM written w
	 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_definition d WHERE d.kpi = w.kpi) ORDER BY w.target LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'target for unknown KPI "%"', fault.kpi
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'SELECT kpi, label_en FROM kpi_definition lists them.';
	END IF;

	SELECT w.dimension INTO fault FROM written w
	 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_dimension d WHERE d.dimension = w.dimension) ORDER BY w.target LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'target for unknown dimension "%"', fault.dimension
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Dimensions are ' || (SELECT string_agg(dimension, ', ' ORDER BY dimension COLLATE "C")
												 FROM @extschema@.kpi_dimension) || '.';
	END IF;

	SELECT w.dimension, w.member INTO fault FROM written w
	 WHERE (w.dimension = 'total') <> (w.member = '') ORDER BY w.target LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'target for member "%", which dimension "%" cannot have', fault.member, fault.dimension
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'The dimension "total" has the one member '''', every other dimension only members with a name; the unknown one is called ''(none)''.';
	END IF;

	SELECT w.kpi, w.currency, d.unit INTO fault
	  FROM written w JOIN @extschema@.kpi_definition d USING (kpi)
	 WHERE w.currency <> @extschema@.kpi_setting('currency') AND d.unit <> 'money' ORDER BY w.target LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'target of KPI "%" cannot be in currency "%"', fault.kpi, fault.currency
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = format('Its unit is %s.', fault.unit),
				  HINT = 'Leave currency NULL.';
	END IF;

	/* Of two that overlap, the longer must be one and a half times as long. */
	SELECT w.kpi, w.dimension, w.member, w.from_day, w.to_day, t.from_day AS other_from, t.to_day AS other_to INTO fault
	  FROM written w
	  JOIN @extschema@.kpi_target t
		ON t.kpi = w.kpi AND t.dimension = w.dimension AND t.member = w.member AND t.target <> w.target
	   AND t.from_day < w.to_day AND t.to_day > w.from_day
	   AND 2 * greatest(t.to_day - t.from_day, w.to_day - w.from_day) < 3 * least(t.to_day - t.from_day, w.to_day - w.from_day)
	 ORDER BY w.target, t.target LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'targets of KPI "%" overlap', fault.kpi
			USING ERRCODE = 'exclusion_violation',
				  DETAIL = format('Member "%s" of dimension "%s" would have one from %s to %s and one from %s to %s.', fault.member, fault.dimension,
								  to_char(fault.from_day, 'YYYY-MM-DD'), to_char(fault.to_day, 'YYYY-MM-DD'),
								  to_char(fault.other_from, 'YYYY-MM-DD'), to_char(fault.other_to, 'YYYY-MM-DD')),
				  HINT = 'Targets may overlap where one is at least one and a half times as long as the other, such as a month within a quarter; to_day is the first day that no longer belongs.';
	END IF;
	RETURN NULL;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_target_check() IS
'trigger: raises for targets of unknown KPIs or dimensions, with a currency where there is no money, or overlapping another of about the same length';

CREATE TRIGGER kpi_target_inserted AFTER INSERT ON @extschema@.kpi_target
	REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.kpi_target_check();
CREATE TRIGGER kpi_target_updated AFTER UPDATE ON @extschema@.kpi_target
	REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.kpi_target_check();

CREATE FUNCTION @extschema@.kpi_may_read(source text) RETURNS boolean
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN @extschema@.kpi_readable_relation(source) IS NOT NULL;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_may_read(text) IS
'whether a source is bound to a relation that the caller may read; NULL: NULL';

CREATE FUNCTION @extschema@.kpi_target_rates_hidden() RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN @extschema@.kpi_source_relation('exchange_rate') IS NOT NULL AND NOT @extschema@.kpi_may_read('exchange_rate')
		AND EXISTS (SELECT FROM @extschema@.kpi_usable_columns() u WHERE u.source = 'target' AND u.column_name = 'currency');
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_target_rates_hidden() IS
'whether targets of the bound source "target" may be in a currency whose rates the caller has no right to read';

CREATE FUNCTION @extschema@.kpi_targets_hidden() RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN @extschema@.kpi_source_relation('target') IS NOT NULL
		AND (NOT @extschema@.kpi_may_read('target') OR @extschema@.kpi_target_rates_hidden());
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_targets_hidden() IS
'whether there may be targets in the bound source "target" that the caller has no right to read, or in a currency whose rates he may not read';

CREATE FUNCTION @extschema@.kpi_rate_at(currency text, at timestamptz) RETURNS numeric
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT @extschema@.kpi_may_read('exchange_rate') THEN
		RETURN NULL;
	END IF;
	RETURN (
		SELECT x.rate
		  FROM @extschema@.kpi_execute(format('SELECT s.rate FROM (%s) s WHERE s.currency = $1 AND s.valid_on <= $2 AND s.rate > 0 AND s.rate < ''Infinity'' ORDER BY s.valid_on DESC LIMIT 1',
					@extschema@.kpi_source_select('exchange_rate')), ROW(currency, at)) AS x(rate numeric));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_rate_at(text, timestamptz) IS
'reporting currency for one unit of a currency at an instant, from the bound source "exchange_rate"; NULL before the first known rate, and where the source is not bound or the caller may not read it';

/* plpgsql: kpi_set comes before what it calls. */
CREATE FUNCTION @extschema@.kpi_has_other_rates(currency text) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN @extschema@.kpi_may_read('exchange_rate')
		AND (SELECT x.found FROM @extschema@.kpi_execute(format('SELECT EXISTS (SELECT FROM (%s) s WHERE s.currency = $1 AND s.rate <> 1)',
					@extschema@.kpi_source_select('exchange_rate')), ROW(currency)) AS x(found boolean));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_has_other_rates(text) IS
'whether the source "exchange_rate" rates a currency at something else than 1, and so is not in it; false where the caller may not read it';

/*
 * A target in another currency is planned at one rate: the one given, else
 * that of its first day, which is kept so that later rates do not move it.
 */
CREATE FUNCTION @extschema@.kpi_target_rate() RETURNS trigger
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT current_setting('check_function_bodies')::boolean THEN
		RETURN NEW;
	END IF;
	IF NEW.to_day <= NEW.from_day THEN	-- before the constraint, which says no more than its name
		RAISE EXCEPTION 'target of KPI "%" has no day from % to before %', NEW.kpi, to_char(NEW.from_day, 'YYYY-MM-DD'), to_char(NEW.to_day, 'YYYY-MM-DD')
			USING ERRCODE = 'check_violation', HINT = 'to_day is the first day that no longer belongs.';
	END IF;
	NEW.currency := nullif(NEW.currency, '');
	IF coalesce(NEW.currency = @extschema@.kpi_setting('currency'), true) THEN
		NEW.rate := NULL;
	ELSIF NEW.rate IS NULL OR TG_OP = 'UPDATE' AND NEW.rate = OLD.rate AND (NEW.currency, NEW.from_day) IS DISTINCT FROM (OLD.currency, OLD.from_day) THEN
		NEW.rate := @extschema@.kpi_rate_at(NEW.currency, @extschema@.kpi_midnight(NEW.from_day));
		IF NEW.rate IS NULL THEN
			RAISE EXCEPTION 'no exchange rate for target in currency "%" from %', NEW.currency, to_char(NEW.from_day, 'YYYY-MM-DD')
				USING ERRCODE = 'invalid_parameter_value',
					  HINT = format('Give the rate (%s for one %s), or bind a source "exchange_rate" that has one for that day or before and that you may read.',
									@extschema@.kpi_setting('currency'), NEW.currency);
		END IF;
	END IF;
	RETURN NEW;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_target_rate() IS
'trigger: fills in the rate of a target in another currency than the reporting one; raises when none is known, and for a target without days';

CREATE TRIGGER kpi_target_rated BEFORE INSERT OR UPDATE ON @extschema@.kpi_target
	FOR EACH ROW EXECUTE FUNCTION @extschema@.kpi_target_rate();

CREATE FUNCTION @extschema@.kpi_sum_of(formula text) RETURNS text[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN formula ~ E'^([0-9.]+ \\* )?[a-z_][a-z0-9_]*( / [0-9.]+)?( [+-] ([0-9.]+ \\* )?[a-z_][a-z0-9_]*( / [0-9.]+)?)*$'
		   THEN pg_catalog.regexp_split_to_array(regexp_replace(formula, E'[0-9.]+ \\* | / [0-9.]+', '', 'g'), ' [+-] ') END;
END;
COMMENT ON FUNCTION @extschema@.kpi_sum_of(text) IS
'the names that an expanded formula adds up or subtracts, also a number of times or a fraction of it, when it does nothing else; NULL for any other formula';

/*
 * "add": sums of flows, whose months add up to the quarter.  "hold": stocks and
 * whatever divides by another measure, which have the same target in each period.  "exact": the
 * rest, such as the distinct customers of a month, of which those of a quarter
 * are neither the sum nor the same, or the movements of MRR.
 */
CREATE FUNCTION @extschema@.kpi_target_rule(kpi text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	unit text;
	formula text;
	measures text[];
BEGIN
	SELECT d.unit, d.formula INTO unit, formula FROM @extschema@.kpi_definition d WHERE d.kpi = kpi_target_rule.kpi;
	measures := @extschema@.kpi_sum_of(formula);
	IF unit IN ('money', 'count') AND NOT formula ~ '/ ?[^0-9 ]'
		AND NOT coalesce((SELECT bool_and(u.name IN (SELECT m.measure FROM @extschema@.kpi_measure m)) FROM unnest(measures) u(name)), false) THEN
		formula := @extschema@.kpi_expanded(kpi);
		measures := @extschema@.kpi_sum_of(formula);
	END IF;
	IF unit NOT IN ('money', 'count') OR formula ~ E'/ ?[^0-9 ]|\\m(mean|mean_last|quantile)\\(' THEN
		RETURN 'hold';
	END IF;
	RETURN (SELECT CASE WHEN bool_and(m.is_additive_flow) THEN 'add' WHEN bool_and(m.is_stock) THEN 'hold' ELSE 'exact' END
			  FROM unnest(measures) u(measure)
			  LEFT JOIN LATERAL (
					SELECT bool_and(CASE p.kind WHEN 'ledger' THEN m.expression = 'customers_first'
											ELSE p.kind <> 'stock' AND m.slot IN ('count', 'sum', 'first', 'first_flagged') END) AS is_additive_flow,
						   bool_and(CASE p.kind WHEN 'ledger' THEN m.expression ~ '(opening|closing)$' ELSE p.kind = 'stock' OR m.slot = 'to_date' END) AS is_stock
					  FROM @extschema@.kpi_measure m JOIN @extschema@.kpi_part p USING (source, part)
					 WHERE m.measure = u.measure) m ON true);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_target_rule(text) IS
'what targets of a KPI mean for shorter and longer periods: add (flows of money and counts: they can be summed and spread), hold (ratios, stocks: unchanged in each period) or exact (distinct counts and movements of MRR: only in their own period)';

CREATE FUNCTION @extschema@.kpi_target_days(source text) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	zone text := @extschema@.kpi_setting('time_zone');
BEGIN
	RETURN ARRAY(SELECT format(CASE c.names WHEN quote_ident(c.column_name) THEN '(s.%I AT TIME ZONE %3$L)::date' ELSE '@extschema@.kpi_known_day(s.%2$I)' END, c.column_name, c.column_name || '_day', zone)
				   FROM @extschema@.kpi_source_columns(source) c WHERE c.column_name IN ('from_day', 'to_day') ORDER BY c.column_name);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_target_days(text) IS
'SQL texts of from_day and to_day of a row s of the bound source "target": instants are days of the reporting zone';

/*
 * Whose targets they are comes first, since days may have to be converted, for
 * each row: OFFSET 0 keeps that order.  Members may be many: IN hashes them.
 */
CREATE FUNCTION @extschema@.kpi_source_targets_query(source text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	days text[] := @extschema@.kpi_target_days(source);
BEGIN
	RETURN format($query$
		SELECT NULL::bigint, s.kpi, $2, coalesce(s.member, ''), %2$s, %3$s, s.value, s.currency,
			   CASE WHEN NOT @extschema@.kpi_is_infinite(s.warn_at) THEN s.warn_at END, NULL::numeric
		  FROM (SELECT * FROM (%1$s) s
				 WHERE s.kpi = ANY ($1) AND coalesce(nullif(s.dimension, ''), 'total') = $2 AND ($3 IS NULL OR coalesce(s.member, '') = $6 OR $6 IS NULL AND coalesce(s.member, '') IN (SELECT unnest($3)))
				OFFSET 0) s
		 WHERE %2$s < $5 AND %3$s > $4 AND %3$s > %2$s AND isfinite(%2$s) AND isfinite(%3$s) AND NOT @extschema@.kpi_is_infinite(s.value)
		$query$, @extschema@.kpi_source_select(source), days[1], days[2]);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_source_targets_query(text) IS
'the text of the query that reads the bound source "target", for kpi_source_rows; parameters as the arguments of kpi_source_targets, and the only member, where there is one';

/* The targets of a bound source, as rows of kpi_target.  One that cannot be used is left out. */
CREATE FUNCTION @extschema@.kpi_source_targets(kpis text[], dimension text, members text[], from_day date, to_day date)
	RETURNS SETOF @extschema@.kpi_target
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	relation regclass := @extschema@.kpi_readable_relation('target');
	currency text := @extschema@.kpi_setting('currency');
	t @extschema@.kpi_target;
BEGIN
	IF relation IS NULL OR @extschema@.kpi_target_rates_hidden() THEN
		RETURN;
	END IF;
	FOR t IN
		SELECT s.*
		  FROM @extschema@.kpi_source_rows('target', relation, @extschema@.kpi_setting('time_zone'),
										   '@extschema@.kpi_source_targets_query'::regproc, ROW(kpis, dimension, members, from_day, to_day, CASE cardinality(members) WHEN 1 THEN members[1] END))
			AS s(target bigint, kpi text, dimension text, member text, from_day date, to_day date, value numeric, currency text, warn_at numeric, rate numeric)
	LOOP
		IF t.currency <> currency THEN
			t.rate := @extschema@.kpi_rate_at(t.currency, @extschema@.kpi_midnight(t.from_day));
			CONTINUE WHEN t.rate IS NULL OR (SELECT d.unit FROM @extschema@.kpi_definition d WHERE d.kpi = t.kpi) IS DISTINCT FROM 'money';
		END IF;
		RETURN NEXT t;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_source_targets(text[], text, text[], date, date) IS
'the targets of the bound source "target" that overlap the days (members NULL: of any); none where nothing is bound or the caller may not read it (kpi_targets_hidden), nor those in another currency without a rate or of a KPI that is no money, or that are no finite number or range';

CREATE FUNCTION @extschema@.kpi_source_target_rows() RETURNS TABLE (kpi text, dimension text, member text, from_day date, to_day date, value numeric, warn_at numeric, fault text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	days text[];
BEGIN
	IF NOT @extschema@.kpi_may_read('target') OR @extschema@.kpi_target_rates_hidden() THEN
		RETURN;
	END IF;
	days := @extschema@.kpi_target_days('target');
	RETURN QUERY SELECT x.* FROM @extschema@.kpi_execute(format($query$
		SELECT t.kpi, t.dimension, t.member, t.from_day, t.to_day, t.value, t.warn_at,
			   CASE WHEN (t.to_day > t.from_day AND isfinite(t.from_day) AND isfinite(t.to_day)) IS NOT TRUE THEN 'no days'
					WHEN t.value IS NULL OR @extschema@.kpi_is_infinite(t.value) THEN 'no value'
					WHEN t.currency <> $1 AND (SELECT d.unit FROM @extschema@.kpi_definition d WHERE d.kpi = t.kpi) <> 'money' THEN 'no money'
					WHEN t.currency <> $1 AND @extschema@.kpi_rate_at(t.currency, @extschema@.kpi_midnight(t.from_day)) IS NULL THEN 'no exchange rate' END
		  FROM (SELECT s.kpi, coalesce(nullif(s.dimension, ''), 'total') AS dimension, coalesce(s.member, '') AS member, %2$s AS from_day, %3$s AS to_day, s.value, s.currency, s.warn_at
				  FROM (%1$s) s) t$query$, @extschema@.kpi_source_select('target'), days[1], days[2]), ROW(@extschema@.kpi_setting('currency')))
		AS x(kpi text, dimension text, member text, from_day date, to_day date, value numeric, warn_at numeric, fault text);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_source_target_rows() IS
'the rows of the bound source "target", and why one is no target: no days (NULL, infinite, or none between them), no value (NULL, infinite or no number), no money though in another currency than the reporting one, or no exchange rate; no rows where nothing is bound or the caller may not read it';

CREATE FUNCTION @extschema@.kpi_target_members() RETURNS TABLE (dimension text, member text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY SELECT DISTINCT t.dimension, t.member FROM @extschema@.kpi_target t;
	IF @extschema@.kpi_may_read('target') THEN
		RETURN QUERY SELECT x.* FROM @extschema@.kpi_execute(format(
				'SELECT DISTINCT coalesce(nullif(s.dimension, %1$L), %2$L), coalesce(s.member, %1$L) FROM (%3$s) s', '', 'total', @extschema@.kpi_source_select('target')), ROW())
			AS x(dimension text, member text);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_target_members() IS
'the members that have targets, in kpi_target or, as far as the caller may read it, in the bound source "target"; twice where they have them in both';

CREATE TYPE @extschema@.kpi_target_piece AS (
	target		@extschema@.kpi_target,
	value		numeric
);
COMMENT ON TYPE @extschema@.kpi_target_piece IS
'a target, its amounts in the reporting currency, and how much of it belongs to a period';

/*
 * What the targets of one KPI and member say about a period that none of them
 * has as its own.  Where they add up: the sum of shorter ones that tile the
 * period, the longest first; else the share of days of the shortest one around
 * it; else, for a period across the border of two, both shares.
 */
CREATE FUNCTION @extschema@.kpi_derived_target(targets @extschema@.kpi_target[], period date, period_end date, rule text,
											   by_working_days boolean, OUT value numeric, OUT warn_at numeric, OUT how text,
											   OUT pieces @extschema@.kpi_target_piece[])
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	around @extschema@.kpi_target;
	piece record;
	share numeric;
	warn_share numeric;
	at date;
	begins_whole boolean;	-- the first piece
	leads date[];	-- days from which whole pieces reach the end; NULL: not asked for
BEGIN
	IF rule = 'exact' THEN
		RETURN;
	END IF;
	SELECT t.* INTO around FROM unnest(targets) t
	 WHERE t.from_day <= period AND t.to_day >= period_end
	 ORDER BY t.to_day - t.from_day, t.from_day LIMIT 1;
	IF rule = 'hold' THEN
		value := around.value;
		warn_at := around.warn_at;
		IF around.value IS NOT NULL THEN
			how := 'held';
			pieces := ARRAY[ROW(around, value)::@extschema@.kpi_target_piece];
		END IF;
		RETURN;
	END IF;

	LOOP
		at := period;
		value := 0;
		warn_at := 0;
		how := 'summed';
		pieces := NULL;
		WHILE at < period_end LOOP
			SELECT t.value, t.warn_at, t.from_day, t.to_day, t.from_day = at AND t.to_day <= period_end AS is_whole, t AS target INTO piece
			  FROM unnest(targets) t
			 WHERE t.from_day <= at AND t.to_day > at AND (leads IS NULL OR t.from_day = at AND t.to_day = ANY (leads))
			 ORDER BY 5 DESC, (t.to_day - t.from_day) * CASE WHEN t.from_day = at AND t.to_day <= period_end THEN -1 ELSE 1 END, t.from_day
			 LIMIT 1;
			IF at = period THEN
				begins_whole := coalesce(piece.is_whole, false);
			END IF;
			IF piece.from_day IS NULL OR NOT piece.is_whole AND around.value IS NOT NULL THEN
				at := NULL;
				EXIT;
			END IF;
			share := piece.value;
			warn_share := piece.warn_at;
			IF NOT piece.is_whole THEN
				how := 'spread';
				share := @extschema@.kpi_spread_share(by_working_days, share, piece.from_day, piece.to_day, at, least(piece.to_day, period_end));
				warn_share := @extschema@.kpi_spread_share(by_working_days, warn_share, piece.from_day, piece.to_day, at, least(piece.to_day, period_end));
			END IF;
			value := value + share;
			pieces := pieces || ROW(piece.target, share)::@extschema@.kpi_target_piece;
			warn_at := warn_at + warn_share;
			at := least(piece.to_day, period_end);
		END LOOP;
		/* The longest one may lead nowhere, though others tile the period. */
		EXIT WHEN at IS NOT NULL AND how = 'summed' OR leads IS NOT NULL OR NOT begins_whole;
		leads := ARRAY(
			WITH RECURSIVE lead(day) AS (
				SELECT period_end
				UNION
				SELECT t.from_day FROM lead l JOIN unnest(targets) t ON t.to_day = l.day AND t.from_day >= period
			)
			SELECT l.day FROM lead l);
		EXIT WHEN period <> ALL (leads);
	END LOOP;

	IF at IS NULL THEN
		value := @extschema@.kpi_spread_share(by_working_days, around.value, around.from_day, around.to_day, period, period_end);
		warn_at := @extschema@.kpi_spread_share(by_working_days, around.warn_at, around.from_day, around.to_day, period, period_end);
		how := CASE WHEN around.value IS NOT NULL THEN 'spread' END;
		pieces := CASE WHEN around.value IS NOT NULL THEN ARRAY[ROW(around, value)::@extschema@.kpi_target_piece] END;
	END IF;
	value := trim_scale(value);
	warn_at := trim_scale(warn_at);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_derived_target(@extschema@.kpi_target[], date, date, text, boolean) IS
'the target of a period that follows from targets of other ranges of days: summed or spread over days, all or the working ones (rule add), held (rule hold), and the pieces of which it is made; NULL when none does';

CREATE FUNCTION @extschema@.kpi_matched_targets(targets @extschema@.kpi_target[], source_targets @extschema@.kpi_target[], periods date[], period_ends date[])
	RETURNS TABLE (kpi text, member text, period date, period_end date, layer integer, is_final boolean,
				   value numeric, warn_at numeric, how text, targets_of_line @extschema@.kpi_target[])
AS 'MODULE_PATHNAME', 'salkpi_kpi_matched_targets'
LANGUAGE C STABLE PARALLEL SAFE
ROWS 50;
COMMENT ON FUNCTION @extschema@.kpi_matched_targets(@extschema@.kpi_target[], @extschema@.kpi_target[], date[], date[]) IS
'for each period, KPI and member with targets, of kpi_target (layer 1) or the bound source (2), the one that has exactly its days (how: exact, with that target; or ambiguous where there are several), which is final where no other layer comes before it; else, how NULL, all those from which one may follow, without those of which there are several for the same days';

/*
 * The targets of many KPIs, members and periods at once.  A row of kpi_target
 * beats the bound source, an exact one any other.
 */
CREATE FUNCTION @extschema@.kpi_target_values(kpis text[], dimension text, members text[], periods date[], period_ends date[])
	RETURNS TABLE (kpi text, member text, period date, value numeric, warn_at numeric, how text, pieces @extschema@.kpi_target_piece[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	first_day date;
	end_day date;
	targets @extschema@.kpi_target[];
	source_targets @extschema@.kpi_target[];
	found bigint;
	by_working_days boolean;
BEGIN
	IF (kpis <> '{}' AND members <> '{}' AND periods <> '{}') IS NOT TRUE THEN
		RETURN;
	END IF;
	SELECT min(p.first_day), max(p.end_day) INTO first_day, end_day FROM unnest(periods, period_ends) p(first_day, end_day);
	targets := ARRAY(SELECT ROW(t.target, t.kpi, t.dimension, t.member, t.from_day, t.to_day, t.value * coalesce(t.rate, 1), t.currency,
								t.warn_at * coalesce(t.rate, 1), t.rate)::@extschema@.kpi_target
					   FROM @extschema@.kpi_target t
					  WHERE t.kpi = ANY (kpis) AND t.dimension = kpi_target_values.dimension AND t.member = ANY (members)
						AND t.from_day < end_day AND t.to_day > first_day);
	source_targets := ARRAY(SELECT ROW(t.target, t.kpi, t.dimension, t.member, t.from_day, t.to_day, t.value * coalesce(t.rate, 1), t.currency,
									   t.warn_at * coalesce(t.rate, 1), t.rate)::@extschema@.kpi_target
							  FROM @extschema@.kpi_source_targets(kpis, dimension, members, first_day, end_day) t);
	IF targets = '{}' AND source_targets = '{}' THEN
		RETURN;
	END IF;

	RETURN QUERY
	SELECT m.kpi, m.member, m.period, m.value, m.warn_at, m.how,
		   CASE WHEN m.value IS NOT NULL THEN ARRAY[ROW(m.targets_of_line[1], m.value)::@extschema@.kpi_target_piece] END
	  FROM @extschema@.kpi_matched_targets(targets, source_targets, periods, period_ends) m WHERE m.is_final;
	GET DIAGNOSTICS found = ROW_COUNT;
	IF found = cardinality(kpis) * cardinality(members) * cardinality(periods) THEN
		RETURN;	-- there can be no others
	END IF;
	by_working_days := @extschema@.kpi_setting('target_days') = 'working';
	RETURN QUERY
	WITH open AS MATERIALIZED (
		SELECT m.* FROM @extschema@.kpi_matched_targets(targets, source_targets, periods, period_ends) m WHERE NOT m.is_final
	), rule AS MATERIALIZED (
		SELECT k.kpi, @extschema@.kpi_target_rule(k.kpi) AS rule FROM (SELECT DISTINCT o.kpi FROM open o WHERE o.how IS NULL) k
	)
	SELECT DISTINCT ON (o.kpi, o.member, o.period, o.period_end) o.kpi, o.member, o.period,
		   coalesce(o.value, d.value), coalesce(o.warn_at, d.warn_at), coalesce(o.how, d.how),
		   CASE WHEN o.value IS NOT NULL THEN ARRAY[ROW(o.targets_of_line[1], o.value)::@extschema@.kpi_target_piece] ELSE d.pieces END
	  FROM open o
	  LEFT JOIN rule r ON o.how IS NULL AND r.kpi = o.kpi
	  LEFT JOIN LATERAL @extschema@.kpi_derived_target(o.targets_of_line, o.period, o.period_end, r.rule, by_working_days) d ON o.how IS NULL
	 WHERE coalesce(o.how, d.how) IS NOT NULL
	 ORDER BY o.kpi, o.member, o.period, o.period_end, o.layer;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_target_values(text[], text, text[], date[], date[]) IS
'the targets of KPIs and members of a dimension in periods (first days, and the days after the last); no row where there is none. how: exact; summed from shorter ones; spread by days from a longer one; held: that of a longer range, unchanged (ratios and stocks); ambiguous (value NULL): the bound source has several. pieces: of which targets it is made, their values adding up to it';

CREATE FUNCTION @extschema@.kpi_target_value(kpi text, period date, period_end date, dimension text DEFAULT 'total', member text DEFAULT '',
											 OUT value numeric, OUT warn_at numeric, OUT how text)
	LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT t.value, t.warn_at, t.how
	  FROM @extschema@.kpi_target_values(ARRAY[kpi], dimension, ARRAY[member], ARRAY[period], ARRAY[period_end]) t;
END;
COMMENT ON FUNCTION @extschema@.kpi_target_value(text, date, date, text, text) IS
'the target of a KPI in the days from period to before period_end, with the value from which on it is nearly met, and how it came about (see kpi_target_values); NULL without target';

CREATE FUNCTION @extschema@.kpi_target_to_date(value numeric, rule text, period date, period_end date, day date, by_working_days boolean) RETURNS numeric
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE rule WHEN 'hold' THEN value
					 WHEN 'add' THEN @extschema@.kpi_spread_share(by_working_days, value, period, period_end, period, least(day, period_end)) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_target_to_date(numeric, text, date, date, date, boolean) IS
'what a target of a whole period asks for by a day (the first that no longer counts): its share of the days, all or the working ones, where the KPI adds up over time; unchanged for ratios and stocks; NULL for distinct counts';
