/*
 * What kpi_check looks at: whether the sources fit together (keys that a join in
 * a view may have repeated, names that another source does not know, dimensions
 * that no source has, dates that no snapshot looks at), deals that nobody minds,
 * bad rows, targets of nothing, changes that go unseen.  A snapshot does not ask
 * for most of that: each row counts where it says, and what is not known is (none).
 */
CREATE FUNCTION @extschema@.kpi_unreadable_sources()
	RETURNS TABLE (source text, message text, is_refused boolean)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	FOR source IN SELECT s.source FROM @extschema@.kpi_source s WHERE @extschema@.kpi_may_read(s.source) ORDER BY s.source LOOP
		BEGIN	-- whole rows, or columns that are not looked at would not be worked out
			PERFORM x.rows FROM @extschema@.kpi_execute(format('SELECT count(r) FROM (%s) r', @extschema@.kpi_source_select(source)), ROW()) AS x(rows bigint);
		EXCEPTION WHEN OTHERS THEN
			message := SQLERRM;
			is_refused := SQLSTATE = '42501';
			RETURN NEXT;
		END;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unreadable_sources() IS
'the bound sources that the caller may read, but which fail when they are: with what message, and whether for lack of rights to what is under a view. It reads all of them';

CREATE FUNCTION @extschema@.kpi_repeated_keys()
	RETURNS TABLE (source text, keys bigint, examples text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 3
	SET search_path = pg_catalog, pg_temp
	SET enable_hashagg = off	-- of millions of groups a row each: sorted, which spills, they take a third of the time
AS $$
DECLARE
	key text;
BEGIN
	FOR source, key IN	-- of accounts and reps, intervals that overlap are bad rows
		SELECT k.source, k.key FROM (VALUES ('activity', 'r.id'), ('exchange_rate', 'r.currency || '' '' || r.valid_on'), ('lead', 'r.id'), ('opportunity', 'r.id'),
											('quote', 'r.id'), ('sale', 'r.sale_id || '' '' || r.line_id'), ('stage', 'r.name'), ('subscription', 'r.id || '' '' || r.valid_from')) k(source, key)
		 WHERE @extschema@.kpi_may_read(k.source)
	LOOP
		SELECT x.* INTO keys, examples	-- keys are texts, few of which repeat: those whose hashes do are looked at
		  FROM @extschema@.kpi_execute(format('WITH keyed AS NOT MATERIALIZED (SELECT k.key, hashtextextended(k.key, 0) AS hash FROM (SELECT %s AS key FROM (%s) r) k WHERE k.key IS NOT NULL),'
					' again AS MATERIALIZED (SELECT r.hash FROM keyed r GROUP BY 1 HAVING count(*) > 1)'
					' SELECT count(*), (array_agg(k.key ORDER BY k.key COLLATE "C"))[:5]'
					'   FROM (SELECT r.key FROM keyed r WHERE r.hash IN (SELECT a.hash FROM again a) GROUP BY 1 HAVING count(*) > 1) k',
					key, @extschema@.kpi_source_select(source)), ROW()) AS x(keys bigint, examples text[]);
		IF keys > 0 THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_repeated_keys() IS
'the bound sources in which rows that should be one of a kind are there more than once: how many keys that concerns, and the smallest. What the caller may not read is left out';

CREATE FUNCTION @extschema@.kpi_unknown_names()
	RETURNS TABLE (source text, kind text, names bigint, examples text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c record;
BEGIN
	FOR c IN
		SELECT u.source, k.* FROM @extschema@.kpi_usable_columns() u
		  JOIN (VALUES ('account_id', 'account', 'id'), ('stage', 'stage', 'name')) k(column_name, kind, key) USING (column_name)
		 WHERE @extschema@.kpi_may_read(u.source) AND @extschema@.kpi_may_read(k.kind)
		 ORDER BY u.source, k.kind
	LOOP
		source := c.source;
		kind := c.kind;
		SELECT x.* INTO names, examples
		  FROM @extschema@.kpi_execute(format('SELECT count(*), (array_agg(n.name ORDER BY n.name COLLATE "C"))[:5] FROM (SELECT DISTINCT r.%1$I AS name FROM (%2$s) r'
					' WHERE r.%1$I IS NOT NULL AND NOT EXISTS (SELECT FROM (%3$s) k WHERE k.%4$I = r.%1$I)) n',
					c.column_name, @extschema@.kpi_source_select(c.source), @extschema@.kpi_source_select(c.kind), c.key), ROW()) AS x(names bigint, examples text[]);
		IF names > 0 THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unknown_names() IS
'the accounts and stages that rows of a source name, but the source account or stage (kind) does not know: how many, and the smallest. What is not bound, or the caller may not read, is left out';

CREATE FUNCTION @extschema@.kpi_far_dates()
	RETURNS TABLE (source text, column_name text, is_future boolean, bad_rows bigint, example date)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	oldest timestamptz := @extschema@.kpi_midnight((SELECT d.first_day FROM @extschema@.kpi_snapshot_days(NULL, NULL, now()) d));
	c record;
BEGIN
	FOR c IN	-- what has happened; what is planned may lie far ahead
		SELECT k.* FROM (VALUES ('activity', 'happened_at', 'status IS NULL OR status = ''done'''), ('lead', 'created_at', 'true'), ('opportunity', 'closed_at', 'status IN (''won'', ''lost'')'),
								('opportunity', 'created_at', 'true'), ('quote', 'sent_at', 'true'), ('sale', 'sold_at', 'true')) k(source, column_name, condition)
		 WHERE @extschema@.kpi_may_read(k.source) ORDER BY k.source, k.column_name
	LOOP
		source := c.source;
		column_name := c.column_name;
		FOR is_future, bad_rows, example IN
			SELECT x.*
			  FROM @extschema@.kpi_execute(format('SELECT r.at > $2, count(*), @extschema@.kpi_day(CASE WHEN bool_or(r.at > $2) THEN max(r.at) ELSE min(r.at) END) FROM (SELECT %I AS at FROM (%s) s WHERE %s) r'
						' WHERE isfinite(r.at) AND (r.at < $1 OR r.at > $2) GROUP BY 1 ORDER BY 1', c.column_name, @extschema@.kpi_source_select(c.source), c.condition),
						ROW(oldest, now() + interval '1 day')) AS x(is_future boolean, bad_rows bigint, example date)
		LOOP
			RETURN NEXT;
		END LOOP;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_far_dates() IS
'the dates of what has happened that lie more than a day ahead (is_future), or further back than a snapshot looks by itself (setting history_years): how many rows have such a one in which column, and the farthest. What the caller may not read is left out';

/* A load that failed, or a view whose condition nothing meets any more, makes zeros that say nothing of it. */
CREATE FUNCTION @extschema@.kpi_emptied_sources() RETURNS TABLE (source text, until timestamptz)
	LANGUAGE plpgsql STABLE
	ROWS 1
	SET search_path = pg_catalog, pg_temp
	SET row_security = off	-- rows that are hidden are there
AS $$
DECLARE
	any_of_it text;
	is_empty boolean;
BEGIN
	FOR source, any_of_it IN
		SELECT m.sources[1], string_agg(format('f.%I <> 0', f.measure), ' OR ' ORDER BY f.n)
		  FROM @extschema@.kpi_measure_sources() m JOIN @extschema@.kpi_fact_measures() f USING (n)
		 WHERE cardinality(m.sources) = 1 AND f.type IN ('bigint', 'numeric') AND @extschema@.kpi_may_read(m.sources[1])
		 GROUP BY 1 ORDER BY 1
	LOOP
		SELECT x.* INTO is_empty FROM @extschema@.kpi_execute(format('SELECT NOT EXISTS (%s)', @extschema@.kpi_source_select(source)), ROW()) AS x(is_empty boolean);
		IF is_empty THEN
			EXECUTE format('SELECT max(coalesce(f.superseded_at, now())) FROM @extschema@.kpi_fact f WHERE f.dimension = ''total'' AND f.member = '''' AND (%s)', any_of_it) INTO until;
			IF until IS NOT NULL THEN
				RETURN NEXT;
			END IF;
		END IF;
	END LOOP;
EXCEPTION WHEN insufficient_privilege THEN	-- some may be hidden from the caller
	RETURN;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_emptied_sources() IS
'the bound sources without a row, and until when facts told that they had some. No rows when row-level security hides rows from the caller';

CREATE FUNCTION @extschema@.kpi_missing_parts() RETURNS TABLE (dimension text, part text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT d.dimension, p.part
	  FROM @extschema@.kpi_dimension_own d
	 CROSS JOIN LATERAL unnest(d.parts) p(part)
	 WHERE p.part NOT IN ('cohort', 'preceding_activity')
	   AND NOT EXISTS (SELECT FROM @extschema@.kpi_usable_columns() u WHERE u.column_name = CASE p.part WHEN 'rep' THEN 'rep_id' ELSE p.part END);
END;
COMMENT ON FUNCTION @extschema@.kpi_missing_parts() IS
'the dimensions of kpi_define_dimension with a part that no bound source has as a column of type text, and that part';

/* Where each row of the history has a status, a stage in which no opportunity is open is one of the won or the lost. */
CREATE FUNCTION @extschema@.kpi_lacking_flags() RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns text[] := ARRAY(SELECT u.source || '.' || u.column_name FROM @extschema@.kpi_usable_columns() u);
	flags text[] := ARRAY(SELECT f FROM unnest('{is_lost,is_won}'::text[]) f WHERE 'stage.' || f <> ALL (columns));
BEGIN
	IF flags = '{}' OR NOT columns @> '{stage.position,opportunity_history.stage}' THEN
		RETURN '{}';
	END IF;
	IF 'opportunity_history.status' = ANY (columns) AND @extschema@.kpi_may_read('opportunity_history') AND @extschema@.kpi_may_read('stage') THEN
		flags := (SELECT ARRAY(SELECT f FROM unnest(flags) f WHERE CASE f WHEN 'is_won' THEN x.has_won ELSE x.has_lost END)
					FROM @extschema@.kpi_execute(format('SELECT bool_or(e.won), bool_or(e.lost) FROM ('
							'SELECT bool_or(coalesce(h.status = ''won'', true)) AS won, bool_or(coalesce(h.status = ''lost'', true)) AS lost FROM (%s) h'
							' WHERE h.stage IN (SELECT s.name FROM (%s) s WHERE s."position" IS NOT NULL) GROUP BY h.stage HAVING bool_or(h.status = ''open'') IS NOT TRUE) e',
							@extschema@.kpi_source_select('opportunity_history'), @extschema@.kpi_source_select('stage')), ROW()) AS x(has_won boolean, has_lost boolean));
	END IF;
	RETURN flags;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_lacking_flags() IS
'which of is_lost and is_won the bound source stage lacks, though it has positions, and a history, as far as its status tells, stages of such opportunities';

CREATE FUNCTION @extschema@.kpi_open_deals_check()
	RETURNS TABLE (what text, deals bigint, keys text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 4
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	none text := 'SELECT NULL::text AS opportunity_id, NULL::timestamptz AS at WHERE false';
	has_history boolean := @extschema@.kpi_may_read('opportunity_history');
BEGIN
	IF NOT @extschema@.kpi_may_read('opportunity') THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT x.* FROM @extschema@.kpi_execute(format($q$
		WITH opened AS MATERIALIZED (
			SELECT o.id, o.created_at, o.expected_close FROM (%1$s) o WHERE o.status = 'open' AND o.id IS NOT NULL
		), touched AS (	-- of late
			SELECT DISTINCT t.opportunity_id AS id FROM (%2$s UNION ALL %3$s) t
			 WHERE t.at >= now() - make_interval(days => $1) AND t.at <= now() AND t.opportunity_id IN (SELECT o.id FROM opened o)
		), open AS (
			SELECT o.id, o.expected_close < $3 AS is_overdue,
				   coalesce(o.created_at, h.since) < now() - make_interval(days => $1) AND t.id IS NULL AS is_stale, $2 AND h.id IS NULL AS is_unheard,
				   h.since >= o.created_at + interval '1 day' AS is_late
			  FROM opened o
			  LEFT JOIN touched t ON t.id = o.id
			  LEFT JOIN (SELECT x.opportunity_id AS id, min(x.at) AS since FROM (%2$s) x GROUP BY 1) h ON h.id = o.id
		)
		SELECT v.what, count(*), (array_agg(o.id ORDER BY o.id COLLATE "C"))[:5]
		  FROM open o, LATERAL (VALUES ('overdue', o.is_overdue), ('stale', o.is_stale), ('without history', o.is_unheard), ('late history', o.is_late)) v(what, holds)
		 WHERE v.holds GROUP BY v.what$q$,
		@extschema@.kpi_source_select('opportunity'),
		CASE WHEN has_history THEN format('SELECT h.opportunity_id, h.valid_from AS at FROM (%s) h', @extschema@.kpi_source_select('opportunity_history')) ELSE none END,
		CASE WHEN @extschema@.kpi_may_read('activity') THEN format('SELECT a.opportunity_id, a.happened_at AS at FROM (%s) a', @extschema@.kpi_source_select('activity')) ELSE none END),
		ROW(@extschema@.kpi_setting('stale_deal_days')::integer, has_history, @extschema@.kpi_midnight(@extschema@.kpi_today())))
		AS x(what text, deals bigint, keys text[]);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_open_deals_check() IS
'of the opportunities open now: how many are overdue (the expected close has passed), stale (created, or first in the history, changed and dealt with longer ago than the setting stale_deal_days) or without a row in the bound history, or have the first one a day or more after their creation, and the smallest of their ids. No rows where opportunities are not bound or the caller may not read them';

/* Reps without a row in the roster make revenue per rep too high, and have no name, team or end. */
CREATE FUNCTION @extschema@.kpi_unknown_reps() RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT @extschema@.kpi_may_read('rep') THEN
		RETURN NULL;
	END IF;
	RETURN (
		SELECT x.unknown
		  FROM @extschema@.kpi_execute(format('SELECT array_agg(DISTINCT f.member ORDER BY f.member) FROM @extschema@.kpi_fact f'
					' WHERE f.superseded_at IS NULL AND f.dimension = ''rep'' AND f.member <> ''(none)'''
					' AND NOT EXISTS (SELECT FROM (%s) r WHERE r.id = f.member)', @extschema@.kpi_source_select('rep')), ROW()) AS x(unknown text[]));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unknown_reps() IS
'the members of the dimension rep with current facts that the source rep does not know, in order; NULL when there are none, or reps are not bound or the caller may not read them';

/*
 * The rows behind kpi_problem, by the conditions of the snapshot.  Whether a
 * stock lacks a rate depends on the instants at which it is taken: those of
 * the last snapshot.
 */
CREATE FUNCTION @extschema@.kpi_bad_rows(source text, INOUT reason text DEFAULT NULL, OUT key text, OUT source_row jsonb) RETURNS SETOF record
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD'
	SET jit = off
	SET timezone = 'UTC'	-- so that what is set below ends with the function
AS $$
#variable_conflict use_column
DECLARE
	columns text[];
	pieces text;
	query text;
	d @extschema@.kpi_dictionaries;
	g @extschema@.kpi_grid;
	taken record;	-- the last snapshot
BEGIN
	PERFORM @extschema@.kpi_require_source(source);
	PERFORM @extschema@.kpi_source_select(source);	-- raises when it is not bound
	PERFORM @extschema@.kpi_bound_sources(ARRAY[source]);
	PERFORM set_config('TimeZone', @extschema@.kpi_setting('time_zone'), true);
	columns := ARRAY(SELECT u.source || '.' || u.column_name || e.suffix
					   FROM @extschema@.kpi_usable_columns() u, LATERAL unnest(CASE u.type WHEN 'date' THEN '{"",:date}'::text[] ELSE '{""}' END) e(suffix));
	IF kpi_bad_rows.reason IS NOT NULL AND NOT EXISTS (SELECT FROM @extschema@.kpi_faults(source, columns) f WHERE f.reason = kpi_bad_rows.reason) THEN
		RAISE EXCEPTION 'unknown reason "%" for bad rows of source "%"', kpi_bad_rows.reason, source
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = coalesce('Reasons are ' || (SELECT string_agg(format('"%s"', f.reason), ', ' ORDER BY f.reason COLLATE "C") FROM @extschema@.kpi_faults(source, columns) f) || '.',
								  'No row of it is bad for any reason.');
	END IF;
	pieces := @extschema@.kpi_pieces_expression(source, columns, NULL);
	SELECT CASE WHEN count(*) > 0 THEN format('SELECT f.reason, k.key, to_jsonb(source_row) FROM (%2$s) s%3$s CROSS JOIN LATERAL (VALUES %4$s) f(reason, is_bad) CROSS JOIN LATERAL (SELECT %1$s) k(key)'
				  ' WHERE f.is_bad%5$s ORDER BY f.reason COLLATE "C", k.key COLLATE "C"',
				  @extschema@.kpi_source_key(source, columns), @extschema@.kpi_rows_select(source, 'source', columns, true), ' CROSS JOIN ' || pieces || ' p',
				  string_agg(format('(%L, %s)', f.reason, f.condition), ', '), CASE WHEN pieces IS NOT NULL THEN ' AND is_first' ELSE '' END) END INTO query
	  FROM @extschema@.kpi_faults(source, columns) f
	 WHERE f.reason = kpi_bad_rows.reason OR kpi_bad_rows.reason IS NULL;
	IF query IS NULL THEN
		RETURN;
	END IF;

	SELECT k.from_day, k.to_day, k.as_of INTO taken
	  FROM (SELECT r.run, r.from_day, r.to_day, r.as_of FROM @extschema@.kpi_run r WHERE r.outcome = 'done'
			UNION ALL SELECT 0, NULL, NULL, now()) k ORDER BY k.run DESC LIMIT 1;
	g := @extschema@.kpi_grid(ARRAY(SELECT p FROM @extschema@.kpi_snapshot_days(taken.from_day, taken.to_day, taken.as_of) x,
												 @extschema@.kpi_periods(x.first_day, x.last_day, taken.as_of) p), taken.as_of);
	d := @extschema@.kpi_make_dictionaries(@extschema@.kpi_looked_up(query, columns), columns, taken.as_of);
	RETURN QUERY
		SELECT x.*
		  FROM @extschema@.kpi_execute(@extschema@.kpi_generic(query),
					ROW(g.bounds, g.days, g.instants, taken.as_of, d.rates, d.accounts, d.reps, d.stages, d.leads, d.deals, NULL, d.won_leads,
						g.plan_bounds, g.plan_days, d.run_rates, d.cohorts, g.opening, g.closing, d.activities, g.only_within, g)::@extschema@.kpi_parameters, generic => true)
				AS x(reason text, key text, source_row jsonb);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_bad_rows(text, text) IS
'every row of a source that is bad for a reason (NULL: for any), as it is now: reason and key as in kpi_problem, source_row: the row of the bound relation. What has changed since the last snapshot aside, kpi_problem has their number. Raises for an unknown source or reason, and for one that is not bound or cannot be read';

CREATE FUNCTION @extschema@.kpi_target_faults()
	RETURNS TABLE (kpi text, dimension text, member text, what text, targets bigint)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH computed AS (
		SELECT min(f.period) AS first_day FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND f.grain NOT LIKE E'%\\_cut'
	), bound AS MATERIALIZED (
		SELECT row_number() OVER () AS n, t.* FROM @extschema@.kpi_source_target_rows() t
	), target AS (
		SELECT t.kpi, t.dimension, t.member, t.from_day, t.to_day, t.value, t.warn_at, NULL AS fault FROM @extschema@.kpi_target t
		UNION ALL
		SELECT b.kpi, b.dimension, b.member, b.from_day, b.to_day, b.value, b.warn_at, b.fault FROM bound b
	), overlapping AS MATERIALIZED (	-- which kpi_target refuses
		SELECT DISTINCT a.kpi, a.dimension, a.member, a.from_day, a.to_day
		  FROM bound a JOIN bound b ON b.kpi = a.kpi AND b.dimension = a.dimension AND b.member = a.member AND b.n <> a.n AND b.from_day < a.to_day AND b.to_day > a.from_day
		 WHERE a.fault IS NULL AND b.fault IS NULL
		   AND 2 * greatest(a.to_day - a.from_day, b.to_day - b.from_day) < 3 * least(a.to_day - a.from_day, b.to_day - b.from_day)
	), short AS MATERIALIZED (	-- whose last day was taken for the first that no longer belongs
		SELECT r.from_day, r.to_day FROM (SELECT DISTINCT t.from_day, t.to_day FROM target t) r
		 WHERE EXISTS (SELECT FROM unnest('{month,quarter,year}'::text[]) g
						WHERE @extschema@.kpi_period_start(g, r.from_day) = r.from_day AND @extschema@.kpi_period_end(g, @extschema@.kpi_period_start(g, r.to_day)) = r.to_day + 1)
	), faulty AS MATERIALIZED (
		SELECT f.kpi FROM @extschema@.kpi_faulty_definitions() f
	), planned AS MATERIALIZED (
		SELECT d.kpi, d.unit, d.better, (@extschema@.kpi_resolve(ARRAY[d.kpi], 12, 'en'))[1].formula
		  FROM @extschema@.kpi_definition d
		 WHERE d.kpi IN (SELECT t.kpi FROM target t) AND d.kpi NOT IN (SELECT f.kpi FROM faulty f)
	), unmeasured AS MATERIALIZED (
		SELECT p.kpi FROM planned p
		 WHERE (SELECT CASE WHEN p.formula LIKE '%coalesce(%' THEN NOT bool_or(m.is_there)
							ELSE NOT bool_and(m.is_there) END	-- where there are alternatives one may do
				  FROM (SELECT bool_or(n.status = 'ok') AS is_there FROM @extschema@.kpi_needs(p.kpi) n GROUP BY n.measure) m)
	), large AS MATERIALIZED (	-- percentages to which 1 % would be next to nothing; of a growth it is ordinary
		SELECT p.kpi FROM planned p
		 WHERE p.unit = 'percent' AND p.better = 'up' AND p.formula !~ '(prior|year_ago)[(]'
		   AND EXISTS (SELECT FROM target t WHERE t.kpi = p.kpi AND t.value > 0 AND t.value <= 1)
		   AND @extschema@.kpi_value(p.kpi, NULL) > 10
	), judged AS (
		SELECT t.kpi, t.dimension, t.member,
			   CASE WHEN t.fault IS NOT NULL THEN t.fault
					WHEN d.kpi IS NULL THEN 'unknown kpi'
					WHEN x.dimension IS NULL THEN 'unknown dimension'
					WHEN d.kpi IN (SELECT u.kpi FROM unmeasured u) THEN 'not measured'
					WHEN t.to_day <= c.first_day THEN 'before all facts'
					WHEN NOT EXISTS (SELECT FROM @extschema@.kpi_fact f
									  WHERE f.superseded_at IS NULL AND f.dimension = t.dimension AND f.member = t.member) THEN 'unknown member'
					WHEN (t.from_day, t.to_day) IN (SELECT s.from_day, s.to_day FROM short s) THEN 'a day short'
					WHEN (t.kpi, t.dimension, t.member, t.from_day, t.to_day) IN (SELECT o.kpi, o.dimension, o.member, o.from_day, o.to_day FROM overlapping o) THEN 'overlapping'
					WHEN CASE d.better WHEN 'up' THEN t.warn_at > t.value WHEN 'down' THEN t.warn_at < t.value END THEN 'never near'
					WHEN t.value > 0 AND t.value <= 1 AND d.kpi IN (SELECT l.kpi FROM large l) THEN 'a fraction'
					WHEN p.formula !~ '(prior|year_ago)[(]' AND CASE d.better WHEN 'up' THEN t.warn_at > 0 AND t.warn_at * 10 < t.value
																			 WHEN 'down' THEN t.value >= 1 AND t.warn_at > t.value * 10 END THEN 'always near' END AS what
		  FROM target t
		 CROSS JOIN computed c
		  LEFT JOIN @extschema@.kpi_definition d ON d.kpi = t.kpi
		  LEFT JOIN planned p ON p.kpi = t.kpi
		  LEFT JOIN @extschema@.kpi_dimension x ON x.dimension = t.dimension
		 WHERE c.first_day IS NOT NULL
	)
	SELECT j.kpi, j.dimension, j.member, j.what, count(*)
	  FROM judged j
	 WHERE j.what IS NOT NULL
	 GROUP BY j.kpi, j.dimension, j.member, j.what;
END;
COMMENT ON FUNCTION @extschema@.kpi_target_faults() IS
'targets, of kpi_target and the bound source, that no fact can be measured against: of a KPI or dimension that is not defined, a KPI whose sources or columns are missing, a member without current facts, or days before all facts; those that end a day before a month, quarter or year, overlap another of the source of about the same length, warn beyond the target or (but for growth) at less than a tenth of it, or ask for at most 1 % of a KPI that has more than 10 %, as a fraction would; and rows of the source that are no target (see kpi_source_target_rows); how many for each KPI and member. No rows before the first snapshot';

/* One source whose changes go unseen, and the others' triggers spare little or, with a look-back, miss what is older. */
CREATE FUNCTION @extschema@.kpi_untracked()
	RETURNS TABLE (source text, reason text, can_be boolean)
	LANGUAGE plpgsql STABLE
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	is_limited boolean := @extschema@.kpi_setting('lookback_days') <> 'all';
BEGIN
	IF NOT is_limited AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = '@extschema@.kpi_track_change()'::regprocedure) THEN
		RETURN;		-- without looking at every table
	END IF;
	FOR source, reason IN
		SELECT k.source, string_agg(DISTINCT k.what, '; ' ORDER BY k.what) FILTER (WHERE NOT k.tracked)
		  FROM (SELECT t.*, CASE WHEN starts_with(t.reason, t.relation::text) THEN t.reason ELSE concat_ws(' ', t.relation, t.reason) END AS what
				  FROM @extschema@.kpi_tracking() t) k
		 WHERE k.source <> 'target' AND @extschema@.kpi_source_relation(k.source) IS NOT NULL
		 GROUP BY k.source HAVING NOT bool_and(k.tracked) ORDER BY k.source
	LOOP
		BEGIN
			PERFORM @extschema@.kpi_require_trackable(source);
			can_be := true;
		EXCEPTION WHEN feature_not_supported THEN
			can_be := false;
		END;
		RETURN NEXT;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_untracked() IS
'where kpi_track is in use at all, or not all periods are looked at (setting lookback_days): the sources whose changes are not all noted, why not, and whether kpi_track could mend that';
