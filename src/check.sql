/*
 * The state of the whole: what is not as it should be, each with what to do
 * about it.  It reads what the caller may read and changes nothing.
 */
CREATE FUNCTION @extschema@.kpi_open_deals_check()
	RETURNS TABLE (what text, deals bigint, keys text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 3
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
				   coalesce(o.created_at, h.since) < now() - make_interval(days => $1) AND t.id IS NULL AS is_stale, $2 AND h.id IS NULL AS is_unheard
			  FROM opened o
			  LEFT JOIN touched t ON t.id = o.id
			  LEFT JOIN (SELECT x.opportunity_id AS id, min(x.at) AS since FROM (%2$s) x GROUP BY 1) h ON h.id = o.id
		)
		SELECT v.what, count(*), (array_agg(o.id ORDER BY o.id COLLATE "C"))[:5]
		  FROM open o, LATERAL (VALUES ('overdue', o.is_overdue), ('stale', o.is_stale), ('without history', o.is_unheard)) v(what, holds)
		 WHERE v.holds GROUP BY v.what$q$,
		@extschema@.kpi_source_select('opportunity'),
		CASE WHEN has_history THEN format('SELECT h.opportunity_id, h.valid_from AS at FROM (%s) h', @extschema@.kpi_source_select('opportunity_history')) ELSE none END,
		CASE WHEN @extschema@.kpi_may_read('activity') THEN format('SELECT a.opportunity_id, a.happened_at AS at FROM (%s) a', @extschema@.kpi_source_select('activity')) ELSE none END),
		ROW(@extschema@.kpi_setting('stale_deal_days')::integer, has_history, @extschema@.kpi_midnight(@extschema@.kpi_today())))
		AS x(what text, deals bigint, keys text[]);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_open_deals_check() IS
'of the opportunities open now: how many are overdue (the expected close has passed), stale (created, or first in the history, changed and dealt with longer ago than the setting stale_deal_days) or without a row in the bound history, and the smallest of their ids. No rows where opportunities are not bound or the caller may not read them';

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
						WHERE @extschema@.kpi_period_start(g, r.from_day) = r.from_day AND @extschema@.kpi_period_end(g, r.from_day) = r.to_day + 1)
	), faulty AS MATERIALIZED (
		SELECT f.kpi FROM @extschema@.kpi_faulty_definitions() f
	), unmeasured AS MATERIALIZED (
		SELECT d.kpi FROM @extschema@.kpi_definition d
		 WHERE d.kpi IN (SELECT t.kpi FROM target t) AND d.kpi NOT IN (SELECT f.kpi FROM faulty f)
		   AND (SELECT CASE WHEN (@extschema@.kpi_resolve(ARRAY[d.kpi], 12, 'en'))[1].formula LIKE '%coalesce(%' THEN NOT bool_or(m.is_there)
							ELSE NOT bool_and(m.is_there) END	-- where there are alternatives one may do
				  FROM (SELECT bool_or(n.status = 'ok') AS is_there FROM @extschema@.kpi_needs(d.kpi) n GROUP BY n.measure) m)
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
					WHEN CASE d.better WHEN 'up' THEN t.warn_at > t.value WHEN 'down' THEN t.warn_at < t.value END THEN 'never near' END AS what
		  FROM target t
		 CROSS JOIN computed c
		  LEFT JOIN @extschema@.kpi_definition d ON d.kpi = t.kpi
		  LEFT JOIN @extschema@.kpi_dimension x ON x.dimension = t.dimension
		 WHERE c.first_day IS NOT NULL
	)
	SELECT j.kpi, j.dimension, j.member, j.what, count(*)
	  FROM judged j
	 WHERE j.what IS NOT NULL
	 GROUP BY j.kpi, j.dimension, j.member, j.what;
END;
COMMENT ON FUNCTION @extschema@.kpi_target_faults() IS
'targets, of kpi_target and the bound source, that no fact can be measured against: of a KPI or dimension that is not defined, a KPI whose sources or columns are missing, a member without current facts, or days before all facts; those that end a day before a month, quarter or year, overlap another of the source of about the same length or warn beyond the target; and rows of the source that are no target (see kpi_source_target_rows); how many for each KPI and member. No rows before the first snapshot';

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

/* Made of names and set phrases, which kpi_bound_columns and kpi_tracking say in English. */
CREATE FUNCTION @extschema@.kpi_detail_text(detail text, lang text) RETURNS text
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	phrases text[] := ARRAY[
		'wrong type: expected ', 'falscher Typ, erwartet wird ',
		'; use AT TIME ZONE in a view', '; eine Sicht mit AT TIME ZONE liefert es',
		'missing: required', 'fehlt, ist aber nötig',
		' or ', ' oder ',
		' is a foreign table', ' ist eine Fremdtabelle',
		' is a materialized view', ' ist eine materialisierte Sicht',
		' is no table', ' ist keine Tabelle',
		' is unlogged: a crash empties it', ' ist nicht protokolliert: ein Absturz leert sie',
		' is temporary', ' ist temporär',
		' is a system catalog', ' ist ein Systemkatalog',
		' is written by a subscription', ' wird von einer Replikation beschrieben',
		' is a part of another table, through which it can be written', ' ist Teil einer anderen Tabelle, über die sie beschrieben werden kann',
		' has virtual columns', ' hat virtuelle Spalten',
		', a part of it, has no triggers', ', ein Teil davon, hat keine Trigger',
		' has no triggers', ' hat keine Trigger',
		' lacks a trigger, or one is switched off', ' fehlt ein Trigger, oder einer ist abgeschaltet',
		' has triggers for other columns', ' hat Trigger für andere Spalten',
		' is bound to a relation that does not exist', ' ist an eine Relation gebunden, die es nicht gibt',
		' depends on the time or the user', ' hängt von Zeit oder Benutzer ab',
		' depends on a sample', ' hängt von einer Stichprobe ab',
		' depends on function ', ' hängt ab von der Funktion '];
BEGIN
	IF lang = 'de' THEN
		FOR i IN 1 .. cardinality(phrases) BY 2 LOOP
			detail := replace(detail, phrases[i], phrases[i + 1]);
		END LOOP;
	END IF;
	RETURN detail;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_detail_text(text, text) IS
'why columns do not fit or changes are not tracked, in a language (en, de)';

CREATE FUNCTION @extschema@.kpi_findings(lang text)
	RETURNS TABLE (severity text, subject text, what text, detail text, hint text)
	LANGUAGE plpgsql STABLE
	ROWS 20
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	is_german boolean;
	is_any_bound boolean := false;
	age interval;
	newest timestamptz := (SELECT max(r.as_of) FROM @extschema@.kpi_run r WHERE r.outcome = 'done');
	message text;
	reader text;
	x record;
BEGIN
	lang := @extschema@.kpi_require_language(lang);
	is_german := lang = 'de';

	/* What is bound, and can it be read? */
	FOR x IN
		SELECT s.source, format('%I.%I', s.relation_schema, s.relation_name) AS relation, r.relation IS NULL AS is_gone,
			   r.relation IS NOT NULL AND NOT @extschema@.kpi_may_read(s.source) AS is_forbidden,
			   (SELECT string_agg(format('%s: %s', b.column_name, b.status), '; ' ORDER BY b.column_name) FROM @extschema@.kpi_bound_columns(s.source, r.relation) b
				 WHERE r.relation IS NOT NULL AND (b.status LIKE 'wrong type%' OR b.status = 'missing: required')) AS faults
		  FROM @extschema@.kpi_source s, LATERAL (SELECT @extschema@.kpi_source_relation(s.source) AS relation) r
		 ORDER BY s.source
	LOOP
		is_any_bound := true;
		subject := x.source;
		severity := 'error';
		detail := x.relation;
		IF x.is_gone THEN
			what := CASE WHEN is_german THEN 'Tabelle oder Sicht fehlt' ELSE 'its table or view is gone' END;
			hint := format(CASE WHEN is_german THEN 'kpi_bind(%L, ...) bindet eine andere an.' ELSE 'kpi_bind(%L, ...) binds another.' END, x.source);
			RETURN NEXT;
		ELSIF x.faults IS NOT NULL THEN
			what := CASE WHEN is_german THEN 'Spalten passen nicht mehr' ELSE 'columns no longer fit' END;
			detail := x.relation || ': ' || @extschema@.kpi_detail_text(x.faults, lang);
			hint := format(CASE WHEN is_german THEN 'Sicht anpassen; kpi_skeleton(%L) schreibt eine zum Ausfüllen.' ELSE 'Change the view; kpi_skeleton(%L) writes one to fill in.' END, x.source);
			RETURN NEXT;
		ELSIF x.is_forbidden THEN
			severity := 'note';
			what := format(CASE WHEN is_german THEN '%I darf sie nicht lesen' ELSE '%I may not read it' END, current_user);
			hint := format('GRANT SELECT ON %s TO %I;', x.relation, current_user);
			RETURN NEXT;
		END IF;
	END LOOP;
	IF NOT is_any_bound THEN
		RETURN QUERY SELECT 'error', NULL::text, CASE WHEN is_german THEN 'keine Quelle ist angebunden' ELSE 'no source is bound' END, NULL::text,
							CASE WHEN is_german THEN 'kpi_bind(''sale'', ''meine_tabelle'') bindet eine an.' ELSE 'kpi_bind(''sale'', ''my_table'') binds one.' END;
	END IF;

	/* How old are the numbers? */
	SELECT r.run, r.outcome, r.started_at, r.error INTO x FROM @extschema@.kpi_runs r WHERE r.outcome <> 'running' ORDER BY r.run DESC LIMIT 1;
	IF x.outcome IN ('failed', 'crashed') THEN
		RETURN QUERY SELECT 'error', format(CASE WHEN is_german THEN 'Lauf %s' ELSE 'run %s' END, x.run),
			CASE WHEN is_german THEN CASE x.outcome WHEN 'failed' THEN 'die letzte Momentaufnahme schlug fehl' ELSE 'die letzte Momentaufnahme brach ab' END
				 ELSE CASE x.outcome WHEN 'failed' THEN 'the last snapshot failed' ELSE 'the last snapshot crashed' END END,
			coalesce(x.error, ''), CASE WHEN is_german THEN 'CALL kpi_refresh() versucht es erneut.' ELSE 'CALL kpi_refresh() tries again.' END;
	END IF;
	age := @extschema@.kpi_age();
	IF age IS NULL THEN
		RETURN QUERY SELECT 'warning', NULL::text, CASE WHEN is_german THEN 'noch keine Momentaufnahme' ELSE 'no snapshot yet' END, NULL::text,
			CASE WHEN is_german THEN 'SELECT * FROM kpi_snapshot(); nimmt eine auf.' ELSE 'SELECT * FROM kpi_snapshot(); takes one.' END;
	ELSIF age > make_interval(hours => @extschema@.kpi_setting('stale_snapshot_hours')::integer) THEN
		RETURN QUERY SELECT 'warning', NULL::text, CASE WHEN is_german THEN 'die Zahlen sind alt' ELSE 'the numbers are old' END,
			format(CASE WHEN is_german THEN 'Stand vor %s Stunden' ELSE 'taken %s hours ago' END, floor(extract(epoch FROM age) / 3600)),
			CASE WHEN is_german THEN 'kpi_schedule() nimmt regelmäßig auf; die Grenze ist die Einstellung stale_snapshot_hours.'
				 ELSE 'kpi_schedule() takes snapshots regularly; the limit is the setting stale_snapshot_hours.' END;
	END IF;

	IF newest > clock_timestamp() THEN
		RETURN QUERY SELECT 'warning', NULL::text, CASE WHEN is_german THEN 'die Uhr des Servers geht nach, oder ging vor' ELSE 'the clock of the server is slow, or was fast' END,
			to_char(newest AT TIME ZONE @extschema@.kpi_setting('time_zone'),
					CASE WHEN is_german THEN '"die letzte Momentaufnahme ist von "DD.MM.YYYY HH24:MI:SS' ELSE '"the last snapshot is of "YYYY-MM-DD HH24:MI:SS' END),
			CASE WHEN is_german THEN 'Die Uhr stellen; bis sie so weit ist, gilt Momentaufnahmen dieser Augenblick als jetzt.' ELSE 'Set the clock; until it has come that far, snapshots take that moment as now.' END;
	END IF;

	/* What changes unseen? */
	RETURN QUERY
		SELECT CASE b.days WHEN 'all' THEN 'note' ELSE 'warning' END, u.source,
			   CASE WHEN b.days = 'all' THEN CASE WHEN is_german THEN 'nicht verfolgt: jede Momentaufnahme nimmt alle Zeiträume auf' ELSE 'not tracked: each snapshot takes all periods' END
					ELSE format(CASE WHEN is_german THEN 'nicht verfolgt: Änderungen, die über %s Tage zurückreichen, bleiben unbemerkt'
									 ELSE 'not tracked: what changes more than %s days back goes unnoticed' END, b.days) END,
			   @extschema@.kpi_detail_text(u.reason, lang),
			   CASE WHEN u.can_be THEN format(CASE WHEN is_german THEN 'SELECT * FROM kpi_track(%L); verfolgt sie.' ELSE 'SELECT * FROM kpi_track(%L); tracks it.' END, u.source)
					WHEN b.days = 'all' THEN CASE WHEN is_german THEN 'Mit der Einstellung lookback_days sieht eine Momentaufnahme nur in den letzten Tagen nach.'
												  ELSE 'With the setting lookback_days a snapshot looks at the last days only.' END
					ELSE CASE WHEN is_german THEN 'kpi_snapshot(from_day => ...) nimmt frühere auf; die Grenze ist die Einstellung lookback_days.'
							  ELSE 'kpi_snapshot(from_day => ...) takes earlier periods; the limit is the setting lookback_days.' END END
		  FROM @extschema@.kpi_untracked() u, (SELECT @extschema@.kpi_setting('lookback_days') AS days) b
		 ORDER BY u.source;

	/* What was left out? */
	RETURN QUERY
		SELECT 'warning', p.source, @extschema@.kpi_reason_text(p.reason, lang),
			   format(CASE WHEN is_german THEN 'Zeilen: %s, seit %s: %s' ELSE 'rows: %s, since %s: %s' END, p.bad_rows,
					  to_char(@extschema@.kpi_day(p.first_seen), CASE WHEN is_german THEN 'DD.MM.YYYY' ELSE 'YYYY-MM-DD' END), array_to_string(p.keys, ', ')),
			   format(CASE WHEN is_german THEN 'Sie fehlen, oder zählen ohne das Falsche, bis sie berichtigt sind; kpi_bad_rows(%L, %L) zählt sie auf.'
						   ELSE 'They are left out, or count without what is wrong, until they are mended; kpi_bad_rows(%L, %L) lists them.' END, p.source, p.reason)
		  FROM @extschema@.kpi_problem p ORDER BY p.source, p.reason;

	/* What cannot be computed? */
	RETURN QUERY
		SELECT 'error', f.kpi, CASE WHEN is_german THEN 'Kennzahl, die sich nicht berechnen lässt' ELSE 'KPI that cannot be computed' END, f.fault,
			   format(CASE WHEN is_german THEN 'kpi_define(%L, ...) ersetzt ihre Formel, kpi_undefine(%1$L) entfernt sie.' ELSE 'kpi_define(%L, ...) replaces its formula, kpi_undefine(%1$L) removes it.' END, f.kpi)
		  FROM @extschema@.kpi_faulty_definitions() f
		 WHERE f.kpi IN (SELECT o.kpi FROM @extschema@.kpi_definition_own o);

	/* What can targets not be measured against? */
	RETURN QUERY
		SELECT 'warning', concat_ws(' ', t.kpi, nullif(t.dimension, 'total'), nullif(t.member, '')),
			   CASE t.what WHEN 'unknown kpi' THEN CASE WHEN is_german THEN 'Ziel einer unbekannten Kennzahl' ELSE 'target of an unknown KPI' END
						   WHEN 'unknown dimension' THEN CASE WHEN is_german THEN 'Ziel einer unbekannten Dimension' ELSE 'target in an unknown dimension' END
						   WHEN 'unknown member' THEN CASE WHEN is_german THEN 'Ziel ohne Zahlen: unbekanntes Mitglied' ELSE 'target without facts: unknown member' END
						   WHEN 'not measured' THEN CASE WHEN is_german THEN 'Ziel einer Kennzahl, deren Quellen oder Spalten fehlen' ELSE 'target of a KPI whose sources or columns are missing' END
						   WHEN 'a day short' THEN CASE WHEN is_german THEN 'Ziel endet einen Tag vor Monat, Quartal oder Jahr' ELSE 'target ends a day before its month, quarter or year' END
						   WHEN 'never near' THEN CASE WHEN is_german THEN 'warn_at liegt jenseits des Ziels' ELSE 'warn_at lies beyond the target' END
						   WHEN 'no days' THEN CASE WHEN is_german THEN 'Ziel ohne Tage' ELSE 'target without days' END
						   WHEN 'no value' THEN CASE WHEN is_german THEN 'Ziel ohne endlichen Wert' ELSE 'target without a finite value' END
						   WHEN 'no money' THEN CASE WHEN is_german THEN 'Ziel in einer Währung, die Kennzahl ist kein Betrag' ELSE 'target in a currency, of a KPI that is no money' END
						   WHEN 'overlapping' THEN CASE WHEN is_german THEN 'Ziele etwa gleicher Länge überschneiden sich' ELSE 'targets of about the same length overlap' END
						   WHEN 'no exchange rate' THEN CASE WHEN is_german THEN 'Ziel in einer Währung ohne Kurs' ELSE 'target in a currency without a rate' END
						   ELSE CASE WHEN is_german THEN 'Ziel vor den ersten Zahlen' ELSE 'target before the first facts' END END,
			   format(CASE WHEN is_german THEN 'Ziele: %s' ELSE 'targets: %s' END, t.targets),
			   CASE t.what WHEN 'unknown member' THEN format(CASE WHEN is_german THEN 'kpi_members(%L) zählt sie auf.' ELSE 'kpi_members(%L) lists them.' END, t.dimension)
						   WHEN 'not measured' THEN format(CASE WHEN is_german THEN 'SELECT * FROM kpi_needs(%L) sagt, was fehlt.' ELSE 'SELECT * FROM kpi_needs(%L) says what is missing.' END, t.kpi)
						   WHEN 'no money' THEN CASE WHEN is_german THEN 'Die Spalte currency dort leer lassen.' ELSE 'Leave its currency NULL.' END
						   WHEN 'overlapping' THEN CASE WHEN is_german THEN 'Welches gilt, ist offen; mehrere für dieselben Tage gelten nicht.' ELSE 'Nobody could say which one counts; several for the same days do not.' END
						   WHEN 'a day short' THEN CASE WHEN is_german THEN 'to_day ist der erste Tag, der nicht mehr dazugehört.' ELSE 'to_day is the first day that no longer belongs.' END
						   WHEN 'never near' THEN CASE WHEN is_german THEN 'So ist der Status nie "near".' ELSE 'So the status is never "near".' END
						   WHEN 'unknown dimension' THEN CASE WHEN is_german THEN 'SELECT dimension FROM kpi_dimension zählt sie auf; die Einstellung dimensions kann welche auslassen.'
																				 ELSE 'SELECT dimension FROM kpi_dimension lists them; the setting dimensions may leave some out.' END END
		  FROM @extschema@.kpi_target_faults() t ORDER BY 2, 3;

	/* What is a dimension of nothing? */
	RETURN QUERY
		SELECT 'warning', m.dimension, CASE WHEN is_german THEN 'Dimension, die keine Quelle hat' ELSE 'dimension that no source has' END, m.part,
			   format(CASE WHEN is_german THEN 'Eine Sicht braucht %I als Spalte vom Typ text; kpi_undefine_dimension(%L) entfernt die Dimension.'
						   ELSE 'A view needs %I as a column of type text; kpi_undefine_dimension(%L) removes the dimension.' END, m.part, m.dimension)
		  FROM @extschema@.kpi_missing_parts() m ORDER BY 2, 4;

	/* What is there more than once, who, and which deals, does the CRM say too little of? */
	BEGIN
		reader := 'key';
		RETURN QUERY
			SELECT 'warning', k.source, CASE WHEN is_german THEN 'Schlüssel, die mehrmals vorkommen' ELSE 'keys that are there more than once' END,
				   format('%s: %s', k.keys, array_to_string(k.examples, ', ')),
				   CASE WHEN is_german THEN 'Jede Zeile zählt; vielleicht vervielfacht sie ein Join in der Sicht.' ELSE 'Each row counts; a join in the view may repeat them.' END
			  FROM @extschema@.kpi_repeated_keys() k;
		reader := 'account';
		RETURN QUERY
			SELECT 'warning', u.source,
				   CASE u.kind WHEN 'account' THEN CASE WHEN is_german THEN 'Kunden, die die Quelle account nicht kennt' ELSE 'accounts that the source account does not know' END
							   ELSE CASE WHEN is_german THEN 'Phasen, die die Quelle stage nicht kennt' ELSE 'stages that the source stage does not know' END END,
				   format('%s: %s', u.names, array_to_string(u.examples, ', ')),
				   CASE u.kind WHEN 'account' THEN CASE WHEN is_german THEN 'Ihre Region, ihr Segment und alles, was ein Kunde weiß, ist (none).' ELSE 'Their region, segment and all that an account knows is (none).' END
							   ELSE CASE WHEN is_german THEN 'Sie haben weder Reihenfolge noch Wahrscheinlichkeit.' ELSE 'They have neither a position nor a probability.' END END
			  FROM @extschema@.kpi_unknown_names() u;
		reader := 'rep';
		RETURN QUERY
			SELECT 'warning', f.source, CASE WHEN f.is_future THEN CASE WHEN is_german THEN 'Datum in der Zukunft: ' ELSE 'dated in the future: ' END
											 ELSE CASE WHEN is_german THEN 'Datum vor aller Historie: ' ELSE 'dated before all history: ' END END || f.column_name,
				   format(CASE WHEN is_german THEN 'Zeilen: %s, bis %s' ELSE 'rows: %s, as far as %s' END, f.bad_rows, to_char(f.example, CASE WHEN is_german THEN 'DD.MM.YYYY' ELSE 'YYYY-MM-DD' END)),
				   CASE WHEN f.is_future THEN CASE WHEN is_german THEN 'Sie zählen erst dann.' ELSE 'They count only then.' END
						ELSE CASE WHEN is_german THEN 'Sie zählen in keinem Zeitraum; wie weit eine Momentaufnahme zurückblickt, sagt die Einstellung history_years.'
										 ELSE 'They count in no period; how far a snapshot looks back is the setting history_years.' END END
			  FROM @extschema@.kpi_far_dates() f ORDER BY f.source, f.column_name, f.is_future;
		FOR x IN SELECT u.unknown FROM (SELECT @extschema@.kpi_unknown_reps() AS unknown) u WHERE u.unknown IS NOT NULL LOOP
			RETURN QUERY SELECT 'warning', 'rep', CASE WHEN is_german THEN 'Vertriebler, die die Quelle nicht kennt' ELSE 'reps that the source does not know' END,
				format('%s: %s', cardinality(x.unknown), array_to_string(x.unknown[:5], ', ')),
				CASE WHEN is_german THEN 'Sie haben weder Team noch Vertrieblertage.' ELSE 'They have neither a team nor rep-days.' END;
		END LOOP;
		reader := 'opportunity';
		RETURN QUERY
			SELECT 'note', 'opportunity',
				   CASE d.what WHEN 'overdue' THEN CASE WHEN is_german THEN 'offen, erwarteter Abschluss verstrichen' ELSE 'open, and the expected close has passed' END
							   WHEN 'stale' THEN format(CASE WHEN is_german THEN 'offen, seit über %s Tagen nichts geschehen' ELSE 'open, and nothing happened for more than %s days' END,
														@extschema@.kpi_setting('stale_deal_days'))
							   ELSE CASE WHEN is_german THEN 'offen, aber ohne Historie' ELSE 'open, but without a history' END END,
				   format('%s: %s', d.deals, array_to_string(d.keys, ', ')),
				   CASE d.what WHEN 'overdue' THEN CASE WHEN is_german THEN 'Im CRM neu terminieren oder schließen.' ELSE 'Give them another date in the CRM, or close them.' END
							   WHEN 'stale' THEN CASE WHEN is_german THEN 'Die Grenze ist die Einstellung stale_deal_days.' ELSE 'The limit is the setting stale_deal_days.' END
							   ELSE CASE WHEN is_german THEN 'Sie fehlen in der Pipeline, die aus der Historie kommt.' ELSE 'The pipeline, which comes from the history, lacks them.' END END
			  FROM @extschema@.kpi_open_deals_check() d ORDER BY d.what;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
		RETURN QUERY SELECT 'error', reader, CASE WHEN is_german THEN 'kann nicht gelesen werden' ELSE 'cannot be read' END, message, NULL::text;
	END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_findings(text) IS
'the rows of kpi_check when something is not as it should be';

CREATE FUNCTION @extschema@.kpi_check(lang text DEFAULT NULL)
	RETURNS TABLE (severity text, subject text, what text, detail text, hint text)
	LANGUAGE sql STABLE
	ROWS 20
BEGIN ATOMIC
	WITH finding AS MATERIALIZED (
		SELECT row_number() OVER () AS n, f.* FROM @extschema@.kpi_findings(lang) f
	), every AS (
		SELECT f.n, f.severity, f.subject, f.what, f.detail, f.hint FROM finding f
		UNION ALL
		SELECT 0, 'ok', NULL, CASE @extschema@.kpi_require_language(lang) WHEN 'de' THEN 'alles in Ordnung' ELSE 'all is well' END, NULL, NULL
		 WHERE NOT EXISTS (SELECT FROM finding)
	)
	SELECT e.severity, e.subject, e.what, e.detail, e.hint
	  FROM every e
	 ORDER BY array_position('{error,warning,note}'::text[], e.severity), e.n;
END;
COMMENT ON FUNCTION @extschema@.kpi_check(text) IS
'the state of the whole, a row for each thing that is not as it should be, or a single one that says ok: relations and columns that are gone or no longer fit, the last snapshot failed, numbers older than the setting stale_snapshot_hours, a snapshot ahead of the clock, where kpi_track or a look-back is in use the sources that are not tracked, bad rows that were left out, own KPIs that cannot be computed, targets that no fact can be measured against, dimensions that no source has, keys that are there more than once, reps, accounts and stages that the source does not know, and open opportunities that are overdue, stale (setting stale_deal_days) or without a history. severity: error (numbers cannot be taken), warning (some are not what they seem), note. subject: the source, target or run; detail: how many and which; hint: what to do. lang: en, de, NULL: the setting. What the caller may not read is left out';
