/*
 * Drilling down: the rows of the sources behind a number.
 *
 * A formula reads measures in periods, and so a drill takes steps: a query for
 * each measure, its place in the formula, and the periods that follow each
 * other (see drill_query.sql).
 */

CREATE FUNCTION @extschema@.kpi_last_taken(period date, period_end date) RETURNS timestamptz
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(max(r.as_of), pg_catalog.now()) FROM @extschema@.kpi_run r
	 WHERE r.outcome = 'done' AND (r.from_day < kpi_last_taken.period_end) IS NOT FALSE AND (r.to_day >= kpi_last_taken.period) IS NOT FALSE;
END;
COMMENT ON FUNCTION @extschema@.kpi_last_taken(date, date) IS
'what the last snapshot that looked at the days from period to before period_end took as now; without one, now';

/* The periods that a formula reads, as the readers find them: an unfinished one is compared with cut ones, and added up with whole ones. */
CREATE FUNCTION @extschema@.kpi_formula_periods(formula text, grain text, newest date, as_of timestamptz)
	RETURNS TABLE (name text, used_as text, part text, from_day date, to_day date)
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 10
BEGIN ATOMIC
	WITH present AS MATERIALIZED (
		SELECT p.*, @extschema@.kpi_midnight(p.newest_end) > as_of AS is_running, @extschema@.kpi_day(as_of) - newest AS elapsed,
			   @extschema@.kpi_starts(grain, newest, @extschema@.kpi_formula_reach(formula, p.per_year)) AS starts
		  FROM (SELECT @extschema@.kpi_period_end(grain, newest) AS newest_end, @extschema@.kpi_periods_per_year(grain, newest) AS per_year) p
	), period AS (
		SELECT r.*, p.elapsed, p.is_running AND b IN (1, p.per_year) AND b > 0 AND b = r.nearest AS is_cut,
			   p.starts[b + 1] AS period, CASE b WHEN 0 THEN p.newest_end ELSE p.starts[b] END AS period_end
		  FROM present p, @extschema@.kpi_formula_reads(formula, p.per_year) r, generate_series(r.nearest, r.farthest) b
	), known AS (
		SELECT p.name, p.used_as, p.part, p.period, p.nearest_month, p.farthest_month,
			   CASE WHEN p.is_cut THEN least(p.period + p.elapsed, p.period_end) ELSE p.period_end END AS period_end
		  FROM period p
		 WHERE NOT (p.is_cut AND p.elapsed <= 0)
	), month AS (
		SELECT k.name, k.used_as, k.part, m.starts[b + 2] AS period, m.starts[b + 1] AS period_end
		  FROM known k
		 CROSS JOIN LATERAL (SELECT @extschema@.kpi_starts('month', @extschema@.kpi_period_start('month', least(k.period_end, @extschema@.kpi_day(as_of))),
														   k.farthest_month + 1) AS starts OFFSET 0) m,	-- once, not for each month
			   generate_series(k.nearest_month, k.farthest_month) b
	), every AS (
		SELECT k.name, k.used_as, k.part, k.period, k.period_end FROM known k WHERE k.nearest_month IS NULL
		UNION ALL
		SELECT m.name, m.used_as, m.part, m.period, m.period_end FROM month m
	)
	SELECT e.name, e.used_as, CASE WHEN min(e.part) = max(e.part) THEN min(e.part) ELSE 'both' END, e.period, e.period_end
	  FROM every e
	 WHERE @extschema@.kpi_midnight(e.period) < as_of
	 GROUP BY e.name, e.used_as, e.period, e.period_end;
END;
COMMENT ON FUNCTION @extschema@.kpi_formula_periods(text, text, date, timestamptz) IS
'what an expanded formula reads for the period of the grain that begins on newest, at an instant: each measure, distribution, target and setting (used_as: value, state, target, setting) with its place in the fraction, and the days of the periods, or months, that it is read in, cut where the readers compare with a cut one. Periods that have not begun are left out';

/* A target with a number is a row of kpi_target, one without is of the bound source. */
CREATE FUNCTION @extschema@.kpi_drill_targets(kpi text, dimension text, member text, period date, period_end date)
	RETURNS TABLE (source text, key text, at timestamptz, amount numeric, source_row jsonb)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	piece record;
BEGIN
	FOR piece IN SELECT p.target, p.value FROM @extschema@.kpi_target_values(ARRAY[kpi], dimension, ARRAY[member], ARRAY[period], ARRAY[period_end]) v, unnest(v.pieces) p
				  ORDER BY (p.target).from_day, (p.target).to_day LOOP
		at := @extschema@.kpi_midnight((piece.target).from_day);
		amount := piece.value;
		IF (piece.target).target IS NOT NULL THEN
			source := 'kpi_target';
			key := (piece.target).target;
			source_row := (SELECT to_jsonb(t) FROM @extschema@.kpi_target t WHERE t.target = (piece.target).target);
		ELSE
			source := 'target';
			key := concat_ws(' ', kpi, nullif(dimension, 'total'), nullif(member, ''), to_char((piece.target).from_day, 'YYYY-MM-DD'));
			source_row := (
				SELECT x.source_row
				  FROM @extschema@.kpi_execute(format('SELECT to_jsonb(s.source_row) FROM (%s) s WHERE s.kpi = $1 AND coalesce(nullif(s.dimension, ''''), ''total'') = $2 AND coalesce(s.member, '''') = $3'
							' AND @extschema@.kpi_day(s.from_day) = $4 AND @extschema@.kpi_day(s.to_day) = $5 LIMIT 1', @extschema@.kpi_source_select('target', true)),
							ROW(kpi, dimension, member, (piece.target).from_day, (piece.target).to_day)) AS x(source_row jsonb));
		END IF;
		RETURN NEXT;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_targets(text, text, text, date, date) IS
'the rows that a target of the days from period to before period_end is made of, of kpi_target or of the bound source "target"; amount: what each adds to it';

CREATE TYPE @extschema@.kpi_drill_step AS (part text, measure text, source text, source_part text, members jsonb, from_days date[], to_days date[], query text, named text);
COMMENT ON TYPE @extschema@.kpi_drill_step IS
'what a drill reads at once: for a measure at its place in a formula (part) the periods that follow each other, ascending, and the query, once it is written (as of kpi_drill_query; members: its argument)';

CREATE FUNCTION @extschema@.kpi_drill_steps(formula text, grain text, newest date, dimension text, columns text[], as_of timestamptz) RETURNS SETOF @extschema@.kpi_drill_step
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 10
BEGIN ATOMIC
	WITH used AS MATERIALIZED (
		SELECT m.measure, m.source, m.part, k.kind <> 'stock' AND m.slot <> 'to_date' AS can_join
		  FROM @extschema@.kpi_formula_names(formula) n
		  JOIN @extschema@.kpi_measure m ON m.measure = n.name
		  JOIN @extschema@.kpi_part k USING (source, part)
		 WHERE n.used_as IN ('value', 'state') AND m.part = ANY (@extschema@.kpi_parts_to_read(m.source, NULL)) AND @extschema@.kpi_has_columns(m.source, m.needs, columns)
	), of_source AS MATERIALIZED (
		SELECT s.source, @extschema@.kpi_member_expressions(s.source, columns, d.parts) AS members
		  FROM @extschema@.kpi_source s, @extschema@.kpi_dimension d
		 WHERE s.source IN (SELECT u.source FROM used u) AND d.dimension = kpi_drill_steps.dimension
	), period AS (
		SELECT f.part, f.name, f.used_as, f.from_day, f.to_day, u.source, u.part AS source_part, s.members, NOT u.can_join OR (lag(f.to_day) OVER w = f.from_day) IS NOT TRUE AS is_apart
		  FROM @extschema@.kpi_formula_periods(formula, grain, newest, as_of) f
		  JOIN used u ON u.measure = f.name
		  JOIN of_source s USING (source)
		 CROSS JOIN LATERAL @extschema@.kpi_part_dimensions(u.part, s.members, ARRAY[kpi_drill_steps.dimension]) d
		 WHERE f.used_as IN ('value', 'state')
		WINDOW w AS (PARTITION BY f.part, f.name, f.used_as, u.source ORDER BY f.from_day, f.to_day)
	), run AS (
		SELECT p.*, count(*) FILTER (WHERE p.is_apart) OVER (PARTITION BY p.part, p.name, p.used_as, p.source ORDER BY p.from_day, p.to_day) AS n FROM period p
	)
	SELECT r.part, r.name, r.source, r.source_part, r.members, array_agg(r.from_day ORDER BY r.from_day), array_agg(r.to_day ORDER BY r.from_day), NULL::text, NULL::text
	  FROM run r
	 GROUP BY r.part, r.name, r.used_as, r.source, r.source_part, r.members, r.n
	 ORDER BY array_position('{numerator,both,denominator}', r.part), r.name, max(r.from_day) DESC, max(r.to_day) DESC;
END;
COMMENT ON FUNCTION @extschema@.kpi_drill_steps(text, text, date, text, text[], timestamptz) IS
'what is to be read for the rows behind an expanded formula, in order, without the queries';

CREATE FUNCTION @extschema@.kpi_drill_written(steps @extschema@.kpi_drill_step[], dimension text, columns text[]) RETURNS @extschema@.kpi_drill_step[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		WITH asked AS MATERIALIZED (
			SELECT m.measure, m.source, q.query, q.named
			  FROM (SELECT DISTINCT s.measure, s.source, s.source_part, s.members FROM unnest(steps) s) m
			 CROSS JOIN LATERAL @extschema@.kpi_drill_query(m.measure, m.source, m.source_part, dimension, columns, m.members) q
		)
		SELECT array_agg(ROW(s.part, s.measure, s.source, s.source_part, s.members, s.from_days, s.to_days, a.query, a.named)::@extschema@.kpi_drill_step ORDER BY s.n)
		  FROM unnest(steps) WITH ORDINALITY s(part, measure, source, source_part, members, from_days, to_days, query, named, n)
		  JOIN asked a USING (measure, source));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_written(@extschema@.kpi_drill_step[], text, text[]) IS 'steps of a drill with their queries';

CREATE FUNCTION @extschema@.kpi_drill_grid(from_days date[], to_days date[], as_of timestamptz) RETURNS @extschema@.kpi_grid
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	g @extschema@.kpi_grid;
	starts timestamptz[] := ARRAY(SELECT @extschema@.kpi_midnight(d.day) FROM unnest(from_days) WITH ORDINALITY d(day, n) ORDER BY d.n);
	end_day date := to_days[cardinality(to_days)];
	ends_at timestamptz := @extschema@.kpi_midnight(end_day);
	today date := @extschema@.kpi_day(as_of);
BEGIN
	g.as_of := as_of;
	g.bounds := starts || least(ends_at, as_of);
	g.days := from_days || least(end_day, today + CASE WHEN @extschema@.kpi_midnight(today) < as_of THEN 1 ELSE 0 END);
	g.instants := g.bounds;
	g.plan_bounds := starts || ends_at;
	g.plan_days := from_days || end_day;
	g.opening := ARRAY(SELECT n FROM generate_series(1, cardinality(from_days)) n ORDER BY n);
	g.closing := ARRAY(SELECT n + 1 FROM unnest(g.opening) n ORDER BY n);
	RETURN g;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_grid(date[], date[], timestamptz) IS
'the boundaries of periods that follow each other, the last of which may still be running at the instant taken as now';

CREATE FUNCTION @extschema@.kpi_drill_names(source text, named text, g @extschema@.kpi_grid, parameters integer[], most integer) RETURNS @extschema@.kpi_named
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	names text := (SELECT string_agg(format('array_agg(DISTINCT %s)', coalesce(c.column_name, 'NULL::text')), ', ' ORDER BY k.n)
					 FROM (VALUES (1, 'account', '{6,15,16,19}'::integer[]), (2, 'rep', '{7}'), (3, 'lead', '{9,12}'), (4, 'opportunity', '{10,11,12,19}')) k(n, called, looked_up)
					 LEFT JOIN @extschema@.kpi_source_column c ON k.looked_up && kpi_drill_names.parameters AND c.source = kpi_drill_names.source
															   AND c.column_name = CASE c.source WHEN k.called THEN 'id' ELSE k.called || '_id' END);
	ids record;
BEGIN
	SELECT * INTO ids
	  FROM @extschema@.kpi_execute(@extschema@.kpi_generic(format('SELECT %s, count(*) FROM (SELECT * FROM %s LIMIT %s) i', names, named, most + 1)),
				ROW(g.bounds, g.days, g.instants, g.as_of, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, g.plan_bounds, g.plan_days,
					NULL, NULL, g.opening, g.closing, NULL, NULL, NULL)::@extschema@.kpi_parameters, generic => true)
			AS x(accounts text[], reps text[], leads text[], opportunities text[], n bigint);
	RETURN CASE WHEN ids.n <= most THEN ROW(coalesce(ids.accounts, '{}'), ids.reps, ids.leads, ids.opportunities)::@extschema@.kpi_named END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_names(text, text, @extschema@.kpi_grid, integer[], integer) IS
'of rows of a source (named: as of kpi_drill_query) the ids by which something is looked up in these parameters; NULL where there are more rows than the most';

/* Very many are better read with the rest than looked up one by one. */
CREATE FUNCTION @extschema@.kpi_drill_named(steps @extschema@.kpi_drill_step[], columns text[], as_of timestamptz) RETURNS @extschema@.kpi_named
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	most constant integer := 100000;
	all_named @extschema@.kpi_named := ROW('{}', '{}', '{}', '{}');
	ids @extschema@.kpi_named;
	step record;
BEGIN
	FOR step IN SELECT s.source, s.named, s.from_days, s.to_days, @extschema@.kpi_looked_up(string_agg(s.query, E'\n'), columns) AS parameters
				  FROM unnest(steps) s GROUP BY s.source, s.named, s.from_days, s.to_days LOOP
		CONTINUE WHEN NOT step.parameters && '{6,7,9,10,11,12,15,16,19}';
		IF step.named IS NULL THEN
			RETURN NULL;
		END IF;
		ids := @extschema@.kpi_drill_names(step.source, step.named, @extschema@.kpi_drill_grid(step.from_days, step.to_days, as_of), step.parameters, most);
		IF ids.accounts IS NULL THEN
			RETURN NULL;
		END IF;
		all_named := ROW(all_named.accounts || ids.accounts, all_named.reps || ids.reps, all_named.leads || ids.leads, all_named.opportunities || ids.opportunities);
	END LOOP;
	RETURN all_named;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_named(@extschema@.kpi_drill_step[], text[], timestamptz) IS
'what the rows of the periods name of the accounts, reps, leads and opportunities that are looked up; NULL where these rows cannot be told from others, or are very many';

/* As dear as it is, the planner leaves it until it is known which rows are wanted. */
CREATE FUNCTION @extschema@.kpi_row_json(source_row anyelement) RETURNS jsonb
	LANGUAGE internal STABLE STRICT PARALLEL SAFE
	COST 100
	AS 'to_jsonb';
COMMENT ON FUNCTION @extschema@.kpi_row_json(anyelement) IS 'to_jsonb, which the planner takes for cheap, at its cost for a whole row';

CREATE FUNCTION @extschema@.kpi_drill_sorted(query text, most bigint) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('SELECT r.period, r.key, r.at, r.amount, @extschema@.kpi_row_json(r.source_row) AS source_row FROM (%s) r ORDER BY r.period DESC, r.at%s, r.key COLLATE "C"%s',
				  query, CASE WHEN most IS NOT NULL THEN ' DESC NULLS LAST' ELSE '' END, ' LIMIT ' || most);
END;
COMMENT ON FUNCTION @extschema@.kpi_drill_sorted(text, bigint) IS
'a query as of kpi_drill_query whose rows are sorted, of each period the oldest first; most: the newest first, and no more rows than that (NULL: all)';

CREATE FUNCTION @extschema@.kpi_drill_task(kpi text, period date, dimension text, grain text, OUT formula text, OUT newest date, OUT as_of timestamptz,
										   OUT columns text[], OUT steps @extschema@.kpi_drill_step[])
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	formula := @extschema@.kpi_expanded(kpi);
	IF grain = ANY (string_to_array(@extschema@.kpi_setting('grains'), ',')) THEN	-- of others there are rows all the same
		newest := @extschema@.kpi_find_period(grain, dimension, period, NULL);
	END IF;
	newest := coalesce(newest, @extschema@.kpi_period_start(grain, coalesce(period, @extschema@.kpi_today())));
	as_of := @extschema@.kpi_last_taken(newest, @extschema@.kpi_period_end(grain, newest));
	columns := ARRAY(SELECT u.source || '.' || u.column_name || e.suffix
					   FROM @extschema@.kpi_usable_columns() u, LATERAL unnest(CASE u.type WHEN 'date' THEN '{"",:date}'::text[] ELSE '{""}' END) e(suffix));
	steps := ARRAY(SELECT s FROM @extschema@.kpi_drill_steps(formula, grain, newest, dimension, columns, as_of) s);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_task(text, date, text, text) IS
'what a drill into a KPI has to do: its expanded formula, the period it is of, the instant taken as now, the usable columns (as source.column), and the steps';

/*
 * With a limit the rows of the first measure are often enough: the others are
 * only turned to, and then together, when they are not.
 */
CREATE FUNCTION @extschema@.kpi_drill(kpi text, period date DEFAULT NULL, dimension text DEFAULT 'total', member text DEFAULT '', grain text DEFAULT 'month',
									  most integer DEFAULT NULL)
	RETURNS TABLE (part text, measure text, from_day date, to_day date, source text, key text, at timestamptz, amount numeric, source_row jsonb)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD'
	SET jit = off
	SET plan_cache_mode = force_generic_plan	-- as in kpi_execute: dictionaries are large
	SET timezone = 'UTC'	-- so that what is set below ends with the function
AS $$
#variable_conflict use_column
DECLARE
	task record;
	parts text[];
	steps @extschema@.kpi_drill_step[];
	taken @extschema@.kpi_drill_step[];
	step @extschema@.kpi_drill_step;
	parameters integer[];
	looked_up @extschema@.kpi_dictionaries;
	g @extschema@.kpi_grid;
	left_over bigint := most;
	n bigint;
	is_any boolean := false;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi);
	PERFORM @extschema@.kpi_periods_per_year(grain);
	PERFORM @extschema@.kpi_require_dimension(dimension);
	PERFORM @extschema@.kpi_require_member(dimension, ARRAY[member]);
	IF most < 0 THEN
		RAISE EXCEPTION 'number of rows must be 0 or more, not %', most
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT isfinite(period) THEN
		RETURN;
	END IF;
	PERFORM set_config('TimeZone', @extschema@.kpi_setting('time_zone'), true);
	parts := @extschema@.kpi_member_parts(member, (SELECT cardinality(d.parts) FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_drill.dimension));
	task := @extschema@.kpi_drill_task(kpi, period, dimension, grain);
	steps := task.steps;
	PERFORM @extschema@.kpi_bound_sources(ARRAY(SELECT s.source FROM unnest(steps) s));
	WHILE steps <> '{}' AND (left_over > 0) IS NOT FALSE LOOP
		taken := @extschema@.kpi_drill_written(steps[:CASE WHEN most IS NOT NULL AND taken IS NULL THEN 1 ELSE cardinality(steps) END], dimension, task.columns);
		steps := steps[cardinality(taken) + 1:];
		parameters := @extschema@.kpi_looked_up((SELECT string_agg(s.query, E'\n') FROM unnest(taken) s), task.columns);
		PERFORM @extschema@.kpi_bound_sources(@extschema@.kpi_looked_up_sources(parameters));
		looked_up := @extschema@.kpi_make_dictionaries(parameters, task.columns, task.as_of, @extschema@.kpi_drill_named(taken, task.columns, task.as_of));
		FOREACH step IN ARRAY taken LOOP
			g := @extschema@.kpi_drill_grid(step.from_days, step.to_days, task.as_of);
			RETURN QUERY
				SELECT step.part, step.measure, step.from_days[x.n], step.to_days[x.n], step.source, x.key, x.at, trim_scale(x.amount), x.source_row
				  FROM @extschema@.kpi_execute(@extschema@.kpi_generic(@extschema@.kpi_drill_sorted(step.query, left_over)),
							ROW(g.bounds, g.days, g.instants, g.as_of,
							looked_up.rates, looked_up.accounts, looked_up.reps, looked_up.stages, looked_up.leads, looked_up.deals, parts,
							looked_up.won_leads, g.plan_bounds, g.plan_days, looked_up.run_rates, looked_up.cohorts, g.opening, g.closing,
							looked_up.activities, NULL, NULL)::@extschema@.kpi_parameters, generic => true)
						AS x(n integer, key text, at timestamptz, amount numeric, source_row jsonb);
			GET DIAGNOSTICS n = ROW_COUNT;
			left_over := left_over - n;
			is_any := is_any OR n > 0;
			EXIT WHEN left_over = 0;
		END LOOP;
	END LOOP;

	RETURN QUERY	-- a formula knows the targets of its own period
		SELECT f.part, format('target(%s)', f.name), f.from_day, f.to_day, t.source, t.key, t.at, trim_scale(t.amount), t.source_row
		  FROM @extschema@.kpi_formula_periods(task.formula, grain, task.newest, task.as_of) f
		 CROSS JOIN LATERAL @extschema@.kpi_drill_targets(f.name, dimension, member, f.from_day, f.to_day) t
		 WHERE f.used_as = 'target' AND f.from_day = task.newest
		 ORDER BY array_position('{numerator,both,denominator}', f.part), f.name, t.at, t.key COLLATE "C" LIMIT left_over;
	IF NOT (is_any OR FOUND) AND most IS DISTINCT FROM 0 THEN
		PERFORM @extschema@.kpi_require_known(dimension, ARRAY[member]);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill(text, date, text, text, text, integer) IS
'the rows of the sources behind a number, as they are now (what was reported before is in the facts, see kpi_made_of): those of each measure in the formula of a KPI, for the period of a grain that contains the day (NULL: the last complete one) and a member of a dimension, with what the last snapshot took as now. For each measure and period (from_day to before to_day; more than one where a formula looks back) the amounts add up to the measure: 1 for what is counted, money in the reporting currency, days of a duration, the share of a cost or the days on the roster within the period. What is counted once (purchases, customers, contacts) has one row, the first; what customers pay has a row for each customer, with its movement, and its rows that reach into the period as an array. A target(...) in the formula has the targets that its value is made of, each with what it adds (measure: target(kpi), source: kpi_target, or target for the bound one). part: numerator, denominator or both, where the measure stands in the formula; key as in kpi_problem; at: what the row is dated by; source_row: the row of the bound relation. most: no more rows than that (NULL: all), those of the first measures, the newest. No rows where a measure is 0 or not available, and for a pipeline in the past without opportunity_history. Raises for a member that nobody knows, and when a source cannot be read';

/* The same from the facts, whatever the number of rows. */
CREATE FUNCTION @extschema@.kpi_made_of(kpi text, period date DEFAULT NULL, dimension text DEFAULT 'total', member text DEFAULT '', grain text DEFAULT 'month')
	RETURNS TABLE (part text, measure text, from_day date, to_day date, source text, amount numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	formula text;
	newest date;
	amounts text;	-- SQL text of when clauses
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi);
	PERFORM @extschema@.kpi_periods_per_year(grain);
	PERFORM @extschema@.kpi_require_dimension(dimension);
	PERFORM @extschema@.kpi_require_member(dimension, ARRAY[member]);
	PERFORM @extschema@.kpi_require_known(dimension, ARRAY[member]);
	formula := @extschema@.kpi_expanded(kpi);
	newest := @extschema@.kpi_find_period(grain, dimension, period, NULL);
	IF newest IS NULL THEN	-- nothing was computed
		RETURN;
	END IF;
	SELECT string_agg(DISTINCT format(CASE n.used_as WHEN 'state' THEN ' WHEN %1$L THEN @extschema@.kpi_mean(k.%1$I) * @extschema@.kpi_count(k.%1$I)' ELSE ' WHEN %1$L THEN k.%1$I' END, n.name), '')
	  INTO amounts
	  FROM @extschema@.kpi_formula_names(formula) n
	 WHERE n.used_as IN ('value', 'state');
	RETURN QUERY EXECUTE format($q$
		WITH reads AS MATERIALIZED (
			SELECT f.* FROM @extschema@.kpi_formula_periods($1, $2, $3, @extschema@.kpi_last_taken($3, @extschema@.kpi_period_end($2, $3))) f
		), made AS (
			SELECT f.part, f.name, f.from_day, f.to_day, m.source, CASE f.name%s END AS amount
			  FROM reads f
			  JOIN (SELECT DISTINCT b.source, m.measure
					  FROM @extschema@.kpi_source b JOIN @extschema@.kpi_measure m USING (source)
					 WHERE m.part = ANY (@extschema@.kpi_parts_to_read(b.source, NULL))) m ON m.measure = f.name
			  JOIN LATERAL (SELECT * FROM @extschema@.kpi_fact k
							 WHERE k.superseded_at IS NULL AND k.dimension = $4 AND k.member = $5 AND k.grain IN ($2, $2 || '_cut', 'month')
							   AND k.period = f.from_day AND k.period_end = f.to_day LIMIT 1) k ON true
			 WHERE f.used_as IN ('value', 'state')
			UNION ALL
			SELECT f.part, format('target(%%s)', f.name), f.from_day, f.to_day, 'target', t.value
			  FROM reads f
			 CROSS JOIN LATERAL @extschema@.kpi_target_values(ARRAY[f.name], $4, ARRAY[$5], ARRAY[f.from_day], ARRAY[f.to_day]) t
			 WHERE f.used_as = 'target' AND f.from_day = $3
		)
		SELECT m.part, m.name, m.from_day, m.to_day, m.source, trim_scale(m.amount)
		  FROM made m
		 WHERE m.amount <> 0
		 ORDER BY array_position('{numerator,both,denominator}', m.part), m.name, m.from_day DESC, m.to_day DESC$q$, coalesce(amounts, ' WHEN NULL THEN NULL::numeric'))
	USING formula, grain, newest, dimension, member;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_made_of(text, date, text, text, text) IS
'what a number is made of, from the facts: each measure in the formula of a KPI, at its place (part: numerator, denominator or both), in each period that the formula reads (from_day to before to_day; more than one where it looks back), for the computed period of a grain that contains the day (NULL: the last complete one) and a member of a dimension: what the amounts of the rows that kpi_drill gives add up to (of a distribution, as nearly as its mean is rounded), and which source they are of. A target(...) in the formula is of the source target. No rows where a measure is 0 or not available; an error for a member that nobody knows';
