/*
 * The same numbers from the sources this second: for the days of one range the
 * sources that a formula needs are read, and its facts made, by the very
 * queries of the snapshot; nothing is stored.
 *
 * Where the range is a period of the calendar, formulas look back at the
 * periods before it as the readers do, at cut ones while it is running.  Other
 * ranges have no period before them.
 */
CREATE FUNCTION @extschema@.kpi_range_grain(from_day date, to_day date) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT g.grain FROM unnest('{month,quarter,year,week,day}'::text[]) WITH ORDINALITY g(grain, n)
	 WHERE @extschema@.kpi_period_start(g.grain, from_day) = from_day AND @extschema@.kpi_period_end(g.grain, from_day) = to_day
	 ORDER BY g.n LIMIT 1;
END;
COMMENT ON FUNCTION @extschema@.kpi_range_grain(date, date) IS
'the grain of which the days from from_day to before to_day are one period; NULL when they are none';

CREATE FUNCTION @extschema@.kpi_days_as_period(grain text, period date, period_end date, as_of timestamptz) RETURNS @extschema@.kpi_period
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(grain, period, period_end, i.ends_at <= as_of,
			   least(period_end, i.today + CASE WHEN @extschema@.kpi_midnight(i.today) < as_of THEN 1 ELSE 0 END) - period, i.starts_at, i.ends_at)::@extschema@.kpi_period
	  FROM (SELECT @extschema@.kpi_midnight(period) AS starts_at, @extschema@.kpi_midnight(period_end) AS ends_at, @extschema@.kpi_day(as_of) AS today) i;
END;
COMMENT ON FUNCTION @extschema@.kpi_days_as_period(text, date, date, timestamptz) IS
'the days from period to before period_end as a period, seen at an instant';

/* Facts that no part says anything of are there too: a formula may ask for no more than a target. */
CREATE FUNCTION @extschema@.kpi_facts_now(measures text[], periods @extschema@.kpi_period[], dimension text, members text[], as_of timestamptz)
	RETURNS SETOF @extschema@.kpi_fact
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
	SET row_security = off	-- an error, not a part of the number
	SET jit = off
AS $$
DECLARE
	columns text[] := ARRAY(SELECT u.source || '.' || u.column_name || e.suffix
							  FROM @extschema@.kpi_usable_columns() u, LATERAL unnest(CASE u.type WHEN 'date' THEN '{"",:date}'::text[] ELSE '{""}' END) e(suffix));
	names text[] := ARRAY(SELECT m.measure FROM @extschema@.kpi_fact_measures() m);
	wanted_parts text[] := ARRAY(
		SELECT DISTINCT m.source || '.' || m.part
		  FROM @extschema@.kpi_measure m
		  JOIN @extschema@.kpi_source s USING (source)
		 CROSS JOIN LATERAL @extschema@.kpi_part_dimensions(m.part, @extschema@.kpi_member_expressions(m.source, columns), ARRAY[kpi_facts_now.dimension]) d
		 WHERE m.measure = ANY (measures) AND m.part = ANY (@extschema@.kpi_parts_to_read(m.source, NULL)) AND @extschema@.kpi_has_columns(m.source, m.needs, columns));
	sources text[] := ARRAY(SELECT DISTINCT split_part(w, '.', 1) FROM unnest(wanted_parts) w);
	queries text;
BEGIN
	SELECT string_agg(q, E'\n') INTO queries
	  FROM @extschema@.kpi_readings(sources, wanted_parts) r
	 CROSS JOIN LATERAL @extschema@.kpi_source_query(r.source, columns, r.parts, ARRAY[kpi_facts_now.dimension], reads => r.reads, with_faults => false) q
	 WHERE r.parts <> '{}';
	sources := @extschema@.kpi_bound_sources(sources || @extschema@.kpi_looked_up_sources(@extschema@.kpi_looked_up(queries, columns)));

	RETURN QUERY EXECUTE @extschema@.kpi_facts_query(CASE WHEN 'opportunity.open' = ANY (wanted_parts) THEN @extschema@.kpi_kept_panels(columns) END)
		|| format(E'\nSELECT p.grain, p.period, p.period_end, $9[1], m.member, ($3).as_of, NULL::timestamptz, $4, p.is_complete, p.days, n.%s\n'
				  '  FROM period p CROSS JOIN (SELECT DISTINCT unnest($10::text[])) m(member)\n'
				  '  LEFT JOIN new n ON n.grain = p.grain AND n.period = p.period AND n.period_end = p.period_end AND n.dimension = $9[1] AND n.member = m.member\n'
				  ' WHERE n.member IS NOT NULL OR m.member = %L', array_to_string(names, ', n.'), @extschema@.kpi_blank_member(dimension))
	USING sources, periods, @extschema@.kpi_grid(periods, as_of), NULL::bigint, date '-infinity', false, false, wanted_parts, ARRAY[dimension], members;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_facts_now(text[], @extschema@.kpi_period[], text, text[], timestamptz) IS
'facts of periods that have begun, for members of a dimension, computed from the sources with an instant taken as now: the measures asked for, and perhaps others of the same rows. No row where nothing is of a member but the blank one';

CREATE FUNCTION @extschema@.kpi_live_values(kpis text[], from_day date, to_day date, dimension text DEFAULT 'total', members text[] DEFAULT '{""}')
	RETURNS TABLE (kpi text, member text, value numeric, numerator numeric, denominator numeric, reason text)
	LANGUAGE plpgsql STABLE
	ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	as_of timestamptz := statement_timestamp();
	today date := @extschema@.kpi_day(as_of);
	range_grain text := @extschema@.kpi_range_grain(from_day, to_day);
	periods_per_year integer := @extschema@.kpi_periods_per_year(coalesce(range_grain, 'month'), from_day);
	blank_member text := @extschema@.kpi_require_dimension(dimension);
	definitions @extschema@.kpi_resolved[];
	d @extschema@.kpi_resolved;
	depth integer;
	months integer;
	starts date[];
	month_starts date[] := '{}';
	newest_month date;
	elapsed integer := CASE WHEN to_day > today THEN today - from_day END;	-- of a running period
	periods @extschema@.kpi_period[];
	target_names text[];
	targets record;
	settings record;
	facts refcursor;
	lang text := @extschema@.kpi_setting('language');
BEGIN
	PERFORM @extschema@.kpi_require_kpi(k) FROM unnest(coalesce(kpis, '{NULL}')) k;
	PERFORM @extschema@.kpi_require_member(dimension, coalesce(members, '{NULL}'));
	PERFORM @extschema@.kpi_require_all_facts('kpi_value and kpi_report tell what is recorded, of what you may see.');
	IF (from_day < to_day) IS NOT TRUE OR NOT isfinite(from_day) OR NOT isfinite(to_day) THEN
		RAISE EXCEPTION 'to_day % must be after from_day %', to_day, from_day
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	definitions := @extschema@.kpi_resolve(kpis, periods_per_year, 'en');
	SELECT max(r.reach), max(r.months) INTO depth, months FROM unnest(definitions) r;
	IF range_grain IS NULL AND depth > 0 THEN
		SELECT r.* INTO d FROM unnest(definitions) r WHERE r.reach > 0 LIMIT 1;
		RAISE EXCEPTION 'KPI "%" looks back at earlier periods, and % to % is not one period', d.kpi, to_char(from_day, 'YYYY-MM-DD'), to_char(to_day, 'YYYY-MM-DD')
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Give a day, week, month, quarter or year: its first day and the first day after it.';
	END IF;

	starts := CASE WHEN range_grain IS NULL THEN ARRAY[from_day] ELSE @extschema@.kpi_starts(range_grain, from_day, depth) END;
	IF months > 0 THEN
		newest_month := @extschema@.kpi_period_start('month', least(to_day - 1, today));
		months := months + cardinality(@extschema@.kpi_bases('month', starts[cardinality(starts)], newest_month));
		month_starts := @extschema@.kpi_starts('month', newest_month, months - 1);
		IF range_grain = 'month' THEN
			starts := @extschema@.kpi_starts('month', from_day, greatest(depth, months - 1));
		END IF;
	END IF;
	periods := ARRAY(
		SELECT DISTINCT ON ((p.period).period, (p.period).grain) p.period
		  FROM (
			SELECT @extschema@.kpi_days_as_period(coalesce(range_grain, 'range'), starts[b + 1], CASE b WHEN 0 THEN to_day ELSE starts[b] END, as_of) AS period
			  FROM (SELECT 0 AS b UNION
					SELECT generate_series(r.nearest, r.farthest) FROM unnest(definitions) k, @extschema@.kpi_formula_reads(k.formula, periods_per_year) r UNION
					SELECT generate_series(0, k.reach) FROM unnest(definitions) k WHERE k.formula ~ E'(days|setting|target)\\('	-- of which that does not tell
				   ) w
			UNION ALL
			SELECT @extschema@.kpi_days_as_period(range_grain || '_cut', starts[b + 1], least(starts[b + 1] + elapsed, starts[b]), as_of)
			  FROM unnest(ARRAY[1, periods_per_year]) b WHERE elapsed > 0 AND b <= depth
			UNION ALL
			SELECT @extschema@.kpi_days_as_period('month', m, @extschema@.kpi_period_end('month', m), as_of) FROM unnest(month_starts) m) p
		 WHERE (p.period).starts_at < as_of
		 ORDER BY (p.period).period, (p.period).grain);
	IF NOT (from_day, to_day) IN (SELECT p.period, p.period_end FROM unnest(periods) p) THEN	-- it has not begun
		RETURN;
	END IF;
	target_names := ARRAY(SELECT DISTINCT t FROM unnest(definitions) k, unnest(k.targets) t);
	IF target_names <> '{}' AND @extschema@.kpi_targets_hidden() THEN	-- says what may not be read
		PERFORM @extschema@.kpi_require_columns(s.source, @extschema@.kpi_source_relation(s.source)) FROM @extschema@.kpi_source s
		  WHERE s.source IN ('target', 'exchange_rate') AND @extschema@.kpi_source_relation(s.source) IS NOT NULL;
	END IF;
	SELECT array_agg(s.setting) AS names, array_agg(@extschema@.kpi_setting(s.setting)::numeric) AS amounts INTO settings
	  FROM @extschema@.kpi_setting_default s WHERE s.is_number;
	SELECT array_agg(t.kpi) AS kpis, array_agg(t.member) AS members, array_agg(t.period) AS periods, array_agg(t.value) AS amounts, array_agg(t.warn_at) AS warn_at
	  INTO targets
	  FROM @extschema@.kpi_target_values(target_names, dimension, members, ARRAY[from_day], ARRAY[to_day]) t;

	OPEN facts FOR
	SELECT f.* FROM @extschema@.kpi_facts_now(ARRAY(SELECT DISTINCT m FROM unnest(definitions) k, unnest(k.measures) m), periods, dimension, members || blank_member, as_of) f;
	RETURN QUERY
	SELECT v.kpi, v.member, v.value, v.numerator, v.denominator,
		   CASE WHEN v.reason IN ('not available', 'not computed') THEN	-- no facts are made where none of the measures is there
					@extschema@.kpi_reason('not available', v.measures, coalesce(v.missing, v.measures), range_grain, dimension, v.period, v.is_complete,
										   (SELECT @extschema@.kpi_states_of_measures(false)), NULL, lang)
				ELSE @extschema@.kpi_reason_text(v.reason, lang) END
	  FROM @extschema@.kpi_evaluate_all(definitions, facts, ARRAY(SELECT DISTINCT u.member FROM unnest(members) u(member)), blank_member, coalesce(range_grain, 'range'),
				starts, CASE range_grain WHEN 'month' THEN '{}' ELSE month_starts END, periods_per_year, '{0}', '{}', '{}', NULL,
				targets.kpis, targets.members, targets.periods, targets.amounts, targets.warn_at, settings.names, settings.amounts) v
	 ORDER BY v.ordinal, v.member COLLATE "C";
	CLOSE facts;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_live_values(text[], date, date, text, text[]) IS
'several KPIs for several members of a dimension as kpi_live computes them, the sources being read once for all of them: value, numerator and denominator as of kpi_series, and why a value is NULL. No rows for days to come';

CREATE FUNCTION @extschema@.kpi_live(kpi text, from_day date, to_day date, dimension text DEFAULT 'total', member text DEFAULT '') RETURNS numeric
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT v.value FROM @extschema@.kpi_live_values(ARRAY[kpi], from_day, to_day, dimension, ARRAY[member]) v;
END;
COMMENT ON FUNCTION @extschema@.kpi_live(text, date, date, text, text) IS
'a KPI of the days from from_day to before to_day, for a member of a dimension, from the sources this second: what kpi_value would say of these days after a snapshot taken now, a transaction''s own changes included (so there is no as_of: kpi_value has one). Only the sources that its formula needs are read, with the rights of the caller; an error where row-level security would hide rows of them, or of kpi_fact. NULL when it is not available, has a zero denominator, or the days are to come; a pipeline in the past without opportunity_history only where a snapshot recorded it. A member without rows is 0, one that nobody knows too. A KPI that looks back at earlier periods needs days that are a period of the calendar, others any range. Raises for an unknown KPI or dimension, for what cannot be its member, for a to_day that is not after from_day, and when a source cannot be read or one is no longer as it was bound';
