/*
 * Reading: one value, reports, series, rankings, comparisons.
 *
 * The readers find the period, ask kpi_computed once, and arrange what it gives.
 * They write nothing, so that they work on a standby, and run as their caller, so
 * that row-level security of kpi_fact holds.  They are PL/pgSQL for the plans that
 * it keeps: SQL functions that are not inlined are planned in every transaction.
 */
CREATE FUNCTION @extschema@.kpi_value(kpi text, period date, dimension text DEFAULT 'total', member text DEFAULT '',
									  grain text DEFAULT 'month', as_of timestamptz DEFAULT NULL) RETURNS numeric
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	newest date;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, ARRAY[member]);
	newest := @extschema@.kpi_find_period(grain, dimension, period, as_of);
	IF newest IS NOT NULL THEN
		RETURN (SELECT c.value FROM @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, ARRAY[member], newest, '{0}', '{}', '{}', false, as_of, 'en') c);
	END IF;
	RETURN NULL;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_value(text, date, text, text, text, timestamptz) IS
'the value of a KPI in the period of a grain (day, week, month, quarter, year) that contains the day (NULL: the last complete one), for a member of a dimension, as it is or as it was known at as_of. NULL when it was not computed, is not available, has a zero denominator or nobody knows the member; kpi_report says which';

CREATE FUNCTION @extschema@.kpi_sparkline(amounts numeric[]) RETURNS text
AS 'MODULE_PATHNAME', 'salkpi_kpi_sparkline'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_sparkline(numeric[]) IS
'a line of one character per value: eight block heights from the least to the greatest, a dot for NULL, NaN and infinity; digits 1 to 8 where the encoding has no blocks';

CREATE FUNCTION @extschema@.kpi_change(unit text, value numeric, previous numeric) RETURNS numeric
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE unit WHEN 'percent' THEN value - previous ELSE @extschema@.kpi_quotient(100 * (value - previous), abs(previous)) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_change(text, numeric, numeric) IS
'the change against a previous value: of a percentage in percentage points, otherwise in percent of the previous value''s size; NULL when a value is, or the previous one 0';

CREATE FUNCTION @extschema@.kpi_report(period date DEFAULT NULL, grain text DEFAULT 'month', dimension text DEFAULT 'total', member text DEFAULT '',
									   selection text DEFAULT 'all', as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL, members text[] DEFAULT NULL)
	RETURNS TABLE (number integer, kpi text, label text, value numeric, unit text, target numeric, attainment numeric, status text,
				   previous numeric, change numeric, year_ago numeric, trend text, is_complete boolean,
				   numerator numeric, denominator numeric, n numeric, reason text, pace numeric)
	LANGUAGE plpgsql STABLE	-- what catches errors may not run beside parallel workers
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	kpis text[];
	faulty text[] := '{}';
	year integer;
	newest date;
	is_running boolean;
	bases integer[] := '{0,1,2,3,4,5,6,7,8,9,10,11}';
	cut_bases integer[] := '{}';
BEGIN
	members := ARRAY(SELECT DISTINCT unnest(coalesce(members, ARRAY[member])));
	PERFORM @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	kpis := ARRAY(SELECT s.kpi FROM @extschema@.kpi_selection s WHERE s.selection = kpi_report.selection ORDER BY s."position", s.kpi);
	IF kpis = '{}' THEN
		PERFORM @extschema@.kpi_raise_unknown('selection', selection, 'Selections are ' || (SELECT string_agg(DISTINCT s.selection, ', ' ORDER BY s.selection)
																							  FROM @extschema@.kpi_selection s) || '; kpi_select() makes others.');
	END IF;
	newest := coalesce(@extschema@.kpi_find_period(grain, dimension, period, as_of),
					   @extschema@.kpi_period_start(grain, coalesce(period, @extschema@.kpi_today())));
	year := @extschema@.kpi_periods_per_year(grain, newest);
	is_running := @extschema@.kpi_is_running(grain, dimension, newest, as_of);
	IF year > 11 THEN
		bases := bases || year;
	END IF;
	IF is_running THEN
		cut_bases := ARRAY(SELECT DISTINCT unnest(ARRAY[1, year]));
	END IF;

	/* The formula of one that kpi_define has not seen is nothing that the others are to suffer from. */
	LOOP
		BEGIN
			RETURN QUERY
			WITH c AS MATERIALIZED (
				SELECT * FROM @extschema@.kpi_computed(ARRAY(SELECT k.kpi FROM unnest(kpis) WITH ORDINALITY k(kpi, n) WHERE k.kpi <> ALL (faulty) ORDER BY k.n), grain, dimension, members, newest,
													   bases, cut_bases, '{0}', cardinality(members) <> 1, as_of, lang)
			), arranged AS (
				SELECT c.kpi, max(c.value) FILTER (WHERE c.base = 1 AND c.is_cut = is_running) AS previous,
					   max(c.value) FILTER (WHERE c.base = year AND c.is_cut = is_running) AS year_ago,
					   @extschema@.kpi_sparkline(array_agg(c.value ORDER BY c.base DESC) FILTER (WHERE c.base <= 11 AND NOT c.is_cut)) AS trend
				  FROM c GROUP BY c.kpi
			)
			SELECT r.* FROM (
				SELECT c.number, c.kpi, c.label, c.value, c.unit, c.target, c.attainment, c.status,
					   a.previous, @extschema@.kpi_change(c.unit, c.value, a.previous), a.year_ago, a.trend, c.is_complete,
					   c.numerator, c.denominator, c.n,
					   CASE WHEN c.reason IS NOT NULL
							THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, newest, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(cardinality(members) <> 1)) END, as_of, lang) END,
					   c.pace
				  FROM c JOIN arranged a ON a.kpi = c.kpi
				 WHERE c.base = 0
				UNION ALL
				SELECT d.number, d.kpi, CASE lang WHEN 'de' THEN d.label_de ELSE d.label_en END, NULL, d.unit, NULL, NULL, 'none',
					   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, @extschema@.kpi_reason_text('faulty formula', lang), NULL
				  FROM @extschema@.kpi_definition d WHERE d.kpi = ANY (faulty)) r
			 ORDER BY array_position(kpis, r.kpi);
			EXIT;
		EXCEPTION WHEN OTHERS THEN
			IF faulty = '{}' THEN
				faulty := ARRAY(SELECT d.kpi FROM @extschema@.kpi_faulty_definitions() d WHERE d.kpi = ANY (kpis));
				CONTINUE WHEN faulty <> '{}';
			END IF;
			RAISE;
		END;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_report(date, text, text, text, text, timestamptz, text, text[]) IS
'the KPIs of a selection at a glance, for the period of a grain that contains the day (NULL: the last complete one) and a member of a dimension: value, unit, target, attainment (percent), status (met at or beyond the target in the direction of the KPI, near at or beyond warn_at, else missed; none without target or value), previous period and change (percent, of percentages in points), year_ago, trend (the last twelve periods), numerator and denominator of a ratio, n rows behind it, the reason when the value is NULL, and pace (percent of what the target asks for by now: of its share of the days begun, all or the working ones; in a complete period, and of ratios and stocks, the attainment). An unfinished period is compared with earlier ones cut after as many days. as_of: as it was known then; lang: en, de, NULL: the setting; members: several members together in place of the one, exactly, NULL with the reason "not additive" where a measure does not add up over them, and with "unknown member" where one of them is. A KPI whose formula kpi_check finds faulty is NULL with the reason "faulty formula"';

CREATE FUNCTION @extschema@.kpi_range_members(grain text, dimension text, oldest date, newest date, as_of timestamptz) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	IF as_of IS NULL THEN
		RETURN ARRAY(SELECT DISTINCT f.member FROM @extschema@.kpi_fact f
					  WHERE f.superseded_at IS NULL AND f.dimension = kpi_range_members.dimension
						AND f.grain = kpi_range_members.grain AND f.period BETWEEN oldest AND newest);
	END IF;
	RETURN ARRAY(SELECT DISTINCT f.member FROM @extschema@.kpi_fact f
				  WHERE f.recorded_at <= as_of AND (f.superseded_at IS NULL OR f.superseded_at > as_of)
					AND f.dimension = kpi_range_members.dimension
					AND f.grain = kpi_range_members.grain AND f.period BETWEEN oldest AND newest);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_range_members(text, text, date, date, timestamptz) IS
'the members of a dimension that have a fact in the periods that begin on a day from oldest to newest';

CREATE FUNCTION @extschema@.kpi_series(kpi text, from_day date, to_day date, grain text DEFAULT 'month', dimension text DEFAULT 'total',
									   members text[] DEFAULT NULL, as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, member text, label text, value numeric, target numeric, is_complete boolean,
				   numerator numeric, denominator numeric, n numeric, reason text, attainment numeric, status text, pace numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	zone text := @extschema@.kpi_setting('time_zone');
	oldest date;
	newest date;
	bases integer[];
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	SELECT r.oldest, r.newest INTO oldest, newest FROM @extschema@.kpi_find_range(grain, dimension, from_day, to_day, as_of) r;
	bases := @extschema@.kpi_bases(grain, oldest, newest);
	IF bases = '{}' THEN
		RETURN;
	END IF;
	members := CASE WHEN members IS NULL THEN @extschema@.kpi_range_members(grain, dimension, oldest, newest, as_of)
					ELSE ARRAY(SELECT DISTINCT unnest(members)) END;

	RETURN QUERY
	SELECT @extschema@.kpi_midnight(c.period, zone), c.member, l.label, c.value, c.target, c.is_complete, c.numerator, c.denominator, c.n,
		   CASE WHEN c.reason IS NOT NULL
				THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, c.period, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(false)) END, as_of, lang) END,
		   c.attainment, c.status, c.pace
	  FROM @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, members, newest, bases, '{}', bases, false, as_of, lang) c
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = c.member
	 WHERE c.is_complete IS NOT NULL
	 ORDER BY 1, c.member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_series(text, date, date, text, text, text[], timestamptz, text) IS
'a KPI over time: one row for each computed period that overlaps the days from from_day to before to_day (NULL: no limit) and each member (NULL: every member with a fact in them); "time" is the midnight with which the period begins; target that of the whole period; reason says why a value is NULL; attainment, status and pace as in kpi_report. as_of: as it was known then. Raises for an unknown KPI, dimension or grain, and for a from_day after to_day';

CREATE FUNCTION @extschema@.kpi_merged_series(kpi text, from_day date, to_day date, grain text DEFAULT 'month', dimension text DEFAULT 'total',
											  members text[] DEFAULT NULL, as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, member text, label text, value numeric, target numeric, is_complete boolean,
				   numerator numeric, denominator numeric, n numeric, exact boolean, reason text, attainment numeric, status text, pace numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	zone text := @extschema@.kpi_setting('time_zone');
	not_additive text;
	oldest date;
	newest date;
	bases integer[];
	is_merged boolean;
	all_members text;
	all_labels text;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	not_additive := @extschema@.kpi_reason_text('not additive', lang);
	IF members IS NULL THEN
		dimension := 'total';
		members := '{""}';
	END IF;
	members := ARRAY(SELECT DISTINCT u.m COLLATE "C" FROM unnest(members) u(m) ORDER BY 1);
	is_merged := cardinality(members) > 1;
	SELECT r.oldest, r.newest INTO oldest, newest FROM @extschema@.kpi_find_range(grain, dimension, from_day, to_day, as_of) r;
	bases := @extschema@.kpi_bases(grain, oldest, newest);
	IF bases = '{}' OR members = '{}' THEN
		RETURN;
	END IF;
	all_members := array_to_string(members, ', ');
	all_labels := (SELECT string_agg(l.label, ', ' ORDER BY l.member COLLATE "C") FROM @extschema@.kpi_labels(dimension, members, lang) l);

	RETURN QUERY
	SELECT s."time", all_members, all_labels, s.value, s.target, s.is_complete, s.numerator, s.denominator, s.n,
		   s.reason IS DISTINCT FROM not_additive, s.reason, s.attainment, s.status, s.pace
	  FROM (SELECT @extschema@.kpi_midnight(c.period, zone) AS "time", c.value, c.target, c.is_complete, c.numerator, c.denominator, c.n,
				   c.attainment, c.status, c.pace, CASE WHEN c.reason IS NOT NULL
						THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, c.period, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(is_merged)) END, as_of, lang) END AS reason
			  FROM @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, members, newest, bases, '{}', bases, is_merged, as_of, lang) c
			 WHERE c.is_complete IS NOT NULL) s
	 ORDER BY s."time";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_merged_series(text, date, date, text, text, text[], timestamptz, text) IS
'several members of a dimension as one line (NULL: all of them, which is the total), exactly: measures that add up are added, distributions merged, the formula evaluated over the result. Where a measure does not add up over the members value is NULL, exact false and the reason "not additive"; where a member is unknown it is NULL, too. The target is the sum of the members'' where each has one and the KPI adds up';

CREATE FUNCTION @extschema@.kpi_ranking(kpi text, period date DEFAULT NULL, dimension text DEFAULT 'rep', grain text DEFAULT 'month',
										as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE (rank bigint, member text, label text, value numeric, share numeric, target numeric, attainment numeric, status text,
				   change numeric, reason text, pace numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	blank text;
	newest date;
	members text[];
	is_running boolean;
	total numeric;
	d @extschema@.kpi_resolved;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain);
	blank := @extschema@.kpi_require_dimension(dimension);
	lang := @extschema@.kpi_require_language(lang);
	newest := @extschema@.kpi_find_period(grain, dimension, period, as_of);
	IF newest IS NULL THEN
		RETURN;
	END IF;
	is_running := @extschema@.kpi_is_running(grain, dimension, newest, as_of);
	members := @extschema@.kpi_range_members(grain, dimension, newest, newest, as_of);

	/* A share makes sense where the members add up to the total. */
	d := (@extschema@.kpi_resolve(ARRAY[kpi], @extschema@.kpi_periods_per_year(grain), lang))[1];
	IF d.unit IN ('money', 'count') AND @extschema@.kpi_sum_of(d.formula) <@ @extschema@.kpi_additive_measures(dimension, d.measures) THEN
		total := (SELECT c.value FROM @extschema@.kpi_computed(ARRAY[kpi], grain, 'total', '{""}', newest, '{0}', '{}', '{}', false, as_of, lang) c);
	END IF;
	IF NOT EXISTS (SELECT FROM @extschema@.kpi_fact_version(dimension, blank, grain, newest, as_of) f
							   CROSS JOIN LATERAL jsonb_each_text(to_jsonb(f)) v
					WHERE v.key = ANY (d.measures) AND v.value NOT IN ('0', '1:{}') AND v.value !~ E'^0\\.0*$') THEN
		members := array_remove(members, blank);
	END IF;

	RETURN QUERY
	SELECT rank() OVER (ORDER BY CASE c.better WHEN 'down' THEN -c.value ELSE c.value END DESC NULLS LAST),
		   c.member, l.label, c.value, @extschema@.kpi_quotient(100 * c.value, total), c.target, c.attainment, c.status,
		   @extschema@.kpi_change(c.unit, c.value, c.previous),
		   CASE WHEN c.reason IS NOT NULL
				THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, newest, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(false)) END, as_of, lang) END,
		   c.pace
	  FROM (SELECT c.*, max(c.value) FILTER (WHERE c.base = 1) OVER (PARTITION BY c.member) AS previous
			  FROM @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, members, newest,
											CASE WHEN is_running THEN '{0}' ELSE '{0,1}'::integer[] END,
											CASE WHEN is_running THEN '{1}' ELSE '{}'::integer[] END, '{0}', false, as_of, lang) c) c
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = c.member
	 WHERE c.base = 0
	 ORDER BY 1, l.label COLLATE "C", c.member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_ranking(text, date, text, text, timestamptz, text) IS
'the members of a dimension by their value of a KPI, best first in its direction, NULL last, equal ones with the same rank: value, share (percent of the total, only of sums that add up over the members), target, attainment, status, change and pace as in kpi_report. Listed are the members with a fact in the period, so reps on the roster too, and the unknown one only if the KPI''s measures have something in it';

CREATE FUNCTION @extschema@.kpi_compare(kpis text[], period date DEFAULT NULL, dimension text DEFAULT 'rep', grain text DEFAULT 'month',
										members text[] DEFAULT NULL, as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE (member text, label text, kpi text, kpi_label text, value numeric, unit text, target numeric, attainment numeric, status text,
				   is_complete boolean, reason text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 100
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	newest date;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(k) FROM unnest(coalesce(kpis, '{NULL}')) k;
	PERFORM @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	newest := @extschema@.kpi_find_period(grain, dimension, period, as_of);
	IF newest IS NULL THEN
		RETURN;
	END IF;
	members := CASE WHEN members IS NULL THEN @extschema@.kpi_range_members(grain, dimension, newest, newest, as_of)
					ELSE ARRAY(SELECT DISTINCT unnest(members)) END;

	RETURN QUERY
	SELECT c.member, l.label, c.kpi, c.label, c.value, c.unit, c.target, c.attainment, c.status, c.is_complete,
		   CASE WHEN c.reason IS NOT NULL
				THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, newest, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(false)) END, as_of, lang) END
	  FROM @extschema@.kpi_computed(kpis, grain, dimension, members, newest, '{0}', '{}', '{0}', false, as_of, lang) c
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = c.member
	 ORDER BY l.label COLLATE "C", c.member COLLATE "C", c.ordinal;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_compare(text[], date, text, text, text[], timestamptz, text) IS
'several KPIs side by side for members of a dimension (NULL: each with a fact in the period), one row for each member and KPI, in the period of the grain that contains the day (NULL: the last complete one): value, target, attainment and status as in kpi_report, and why a value is NULL. as_of: as it was known then. Raises for an unknown KPI, dimension, member or grain; no rows where nothing was computed';

CREATE FUNCTION @extschema@.kpi_sales_by_region(period date DEFAULT NULL, grain text DEFAULT 'month', dimension text DEFAULT 'region',
												 as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE (rank bigint, member text, label text, revenue numeric, share numeric, growth numeric, margin numeric, target numeric, status text)
	LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT r.rank, r.member, r.label, r.value, r.share, c.growth, c.margin, r.target, r.status
	  FROM @extschema@.kpi_ranking('sales_by_region', period, dimension, grain, as_of, lang) r
	  LEFT JOIN (SELECT k.member, max(k.value) FILTER (WHERE k.kpi = 'revenue_growth') AS growth, max(k.value) FILTER (WHERE k.kpi = 'profit_margin') AS margin
				   FROM @extschema@.kpi_compare('{revenue_growth,profit_margin}', period, dimension, grain, NULL, as_of, lang) k
				  GROUP BY k.member) c USING (member)
	 ORDER BY r.rank, r.label COLLATE "C", r.member COLLATE "C";
END;
COMMENT ON FUNCTION @extschema@.kpi_sales_by_region(date, text, text, timestamptz, text) IS
'revenue by region (or another dimension) with share of the total, growth on the previous period and margin side by side, all in percent; period any day in it, NULL: the last complete one. NULL as in kpi_value';
