/*
 * The snapshot: each source is read once, by one query that fills the cubes and
 * ledgers of all its parts and reads them for all periods; the panels become
 * facts, and only what changed is written.
 */
/* The days that a snapshot looks at. */
CREATE FUNCTION @extschema@.kpi_snapshot_days(from_day date, to_day date, as_of timestamptz, OUT first_day date, OUT last_day date)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(kpi_snapshot_days.from_day, @extschema@.kpi_period_start('year', d.look_back), d.look_back), least(coalesce(kpi_snapshot_days.to_day, d.today), d.today)
	  FROM (SELECT t.today, (t.today - make_interval(years => @extschema@.kpi_setting('history_years')::integer))::date AS look_back
			  FROM (SELECT @extschema@.kpi_day(as_of) AS today) t) d;
END;
COMMENT ON FUNCTION @extschema@.kpi_snapshot_days(date, date, timestamptz) IS
'the first and last day that a snapshot with these arguments looks at: at most as far back as the setting history_years, and not beyond today''s';

/*
 * A table that was emptied or written anew looks empty to who began to look before
 * that was committed, and has waited for it since.  So the waiting comes first.
 */
CREATE FUNCTION @extschema@.kpi_lock_sources() RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation text;
BEGIN
	FOR relation IN SELECT @extschema@.kpi_source_name(s.source) FROM @extschema@.kpi_source s ORDER BY s.source LOOP
		BEGIN
			EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', relation);
		EXCEPTION
			WHEN insufficient_privilege THEN	-- that of columns alone, as the owner of a view may have, is enough to read
				NULL;
			WHEN wrong_object_type OR undefined_table OR invalid_schema_name THEN	-- only tables and views can be locked; what is missing is told by who reads it
				NULL;
		END;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_lock_sources() IS
'waits for all who change the tables and views that are bound, and the tables under these, as a whole, and keeps others from it until the end of the transaction; they can be read and written';

/*
 * Elsewhere a transaction sees for good what was committed before its first
 * statement: tables that were emptied since look empty, and of the last snapshot,
 * though it was waited for, neither the run nor the facts are there.
 */
CREATE FUNCTION @extschema@.kpi_require_read_committed() RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
		RAISE EXCEPTION 'facts cannot be made or closed at isolation level "%"', current_setting('transaction_isolation')
			USING ERRCODE = 'feature_not_supported',
				  DETAIL = 'The transaction might not see what others have committed since it began.',
				  HINT = 'Begin it with SET TRANSACTION ISOLATION LEVEL READ COMMITTED, or change default_transaction_isolation.';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_read_committed() IS
'raises in a transaction whose isolation level has it not see what others commit meanwhile';

CREATE FUNCTION @extschema@.kpi_take_snapshot(run bigint, from_day date, to_day date, as_of timestamptz,
											  OUT periods integer, OUT facts bigint, OUT changed bigint, OUT problems bigint)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
	SET row_security = off
	SET application_name = 'kpi_snapshot'
	SET salkpi.takes_snapshot = on	-- as long as it does
	SET jit = off
	SET enable_nestloop = on	-- so that what is set below ends with the function
AS $$
DECLARE
	today date := @extschema@.kpi_day(as_of);
	sources text[];
	looked_from date;
	looked_to date;
	taken @extschema@.kpi_period[];
	columns text[];
	made_from text;
	begun_on date;
	next_instants jsonb;
	altered_grains text[];	-- the facts with new versions, where there may be alerts
	altered_dimensions text[];
	altered_periods date[];
	altered_members jsonb;
	closed bigint;
BEGIN
	PERFORM @extschema@.kpi_require_all_facts('Have the owner of kpi_fact, or a role with BYPASSRLS, take snapshots.');
	SELECT d.first_day, d.last_day INTO looked_from, looked_to FROM @extschema@.kpi_snapshot_days(from_day, to_day, as_of) d;
	IF looked_from > looked_to THEN
		RAISE EXCEPTION 'from_day % must not be after to_day %', looked_from, looked_to
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = format('Today is %s in the reporting time zone.', today);
	END IF;
	IF looked_from = '-infinity' THEN	-- from where no step leads on
		RAISE EXCEPTION 'a snapshot cannot begin at -infinity'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Give the first day that it should look at; NULL looks as far back as the setting history_years says.';
	END IF;
	PERFORM @extschema@.kpi_require_calendar(today);
	PERFORM @extschema@.kpi_lock_sources();
	sources := @extschema@.kpi_bound_sources();
	taken := ARRAY(SELECT p FROM @extschema@.kpi_periods(looked_from, looked_to, as_of) p);
	SELECT array_agg(u.source || '.' || u.column_name) INTO columns FROM @extschema@.kpi_usable_columns() u;
	IF NOT EXISTS (SELECT FROM unnest(sources) s(source) WHERE @extschema@.kpi_parts_to_read(s.source, NULL) <> '{}') THEN
		RAISE EXCEPTION 'there is nothing to compute from the sources bound, %', array_to_string(sources, ', ')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Bind one that says what happened: kpi_bind(''sale'', ''my_table'').';
	END IF;
	PERFORM set_config('application_name', 'kpi_snapshot: writing facts', true);	-- once it has read
	closed := @extschema@.kpi_close_left_out(as_of);
	/* The planner may take kpi_fact for empty, and would look for each of its rows in all that changed. */
	PERFORM set_config('enable_nestloop', 'off', true);
	EXECUTE @extschema@.kpi_write_query(@extschema@.kpi_kept_panels(columns)) INTO periods, facts, changed, changed, problems, made_from, begun_on, next_instants, altered_grains, altered_dimensions, altered_periods, altered_members
	  USING sources, taken, @extschema@.kpi_grid(taken, as_of), run, looked_from, from_day IS NULL, from_day IS NULL AND to_day IS NULL, NULL::text[], NULL::text[],
			EXISTS (SELECT FROM @extschema@.kpi_run r WHERE r.outcome = 'done');
	PERFORM set_config('enable_nestloop', 'on', true);
	changed := changed + closed;
	UPDATE @extschema@.kpi_run r SET basis = made_from, first_day = looked_from, beginning = begun_on, next_at = next_instants WHERE r.run = kpi_take_snapshot.run;
	IF from_day IS NULL AND to_day IS NULL THEN
		INSERT INTO @extschema@.kpi_track_mark AS m (as_of) VALUES (kpi_take_snapshot.as_of)
		ON CONFLICT ON CONSTRAINT kpi_track_mark_pkey DO UPDATE SET as_of = excluded.as_of;
	END IF;
	PERFORM @extschema@.kpi_keep_expected(run, as_of);
	PERFORM @extschema@.kpi_keep_rep_roles(as_of);
	/* Without it readers would go through all facts of a dimension until autovacuum has come round. */
	IF EXISTS (SELECT FROM pg_class c WHERE c.oid = '@extschema@.kpi_fact'::regclass AND changed > c.reltuples AND pg_has_role(c.relowner, 'USAGE')) THEN
		BEGIN
			LOCK TABLE @extschema@.kpi_fact IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;
			ANALYZE @extschema@.kpi_fact (dimension, member, grain, period, superseded_at);
		EXCEPTION WHEN lock_not_available THEN	-- it is there
			NULL;
		END;
	END IF;
	PERFORM @extschema@.kpi_announce(run, 'done', json_build_object('periods', periods, 'facts', facts, 'changed', changed, 'problems', problems,
																	'alerts', @extschema@.kpi_raise_alerts(run, as_of, altered_grains, altered_dimensions, altered_periods, altered_members)));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_take_snapshot(bigint, date, date, timestamptz) IS
'reads all sources and writes what changed, as the given run; kpi_snapshot and kpi_refresh call it under their lock';

CREATE FUNCTION @extschema@.kpi_try_lock() RETURNS boolean
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT pg_catalog.pg_try_advisory_xact_lock('@extschema@.kpi_fact'::regclass::oid::integer, 7365);
END;
COMMENT ON FUNCTION @extschema@.kpi_try_lock() IS
'takes the lock that lets one snapshot run at a time, until the end of the transaction; false when another holds it';

CREATE FUNCTION @extschema@.kpi_lock() RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM @extschema@.kpi_require_read_committed();
	PERFORM pg_advisory_xact_lock('@extschema@.kpi_fact'::regclass::oid::integer, 7365);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_lock() IS
'the same, but waits for the one that holds it; the next statement sees its facts. To be taken before it is looked which facts there are';

/* Runs follow each other also when the clock does not, because it was set back or another host took over. */
CREATE FUNCTION @extschema@.kpi_check_as_of(as_of timestamptz) RETURNS timestamptz
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	newest timestamptz := (SELECT max(r.as_of) FROM @extschema@.kpi_run r WHERE r.outcome = 'done');
BEGIN
	PERFORM @extschema@.kpi_require_read_committed();
	IF as_of > clock_timestamp() THEN
		RAISE EXCEPTION 'as_of "%" lies in the future', as_of
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF as_of <= newest THEN
		RAISE EXCEPTION 'as_of "%" must be after the last snapshot, which was taken as of "%"', as_of, newest
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'What was reported at a time is never changed afterwards.';
	END IF;
	RETURN coalesce(as_of, greatest(clock_timestamp(), newest + interval '1 microsecond'));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_check_as_of(timestamptz) IS
'the instant that a snapshot takes as now: the one given, or NULL for the clock, but not before the last snapshot; raises when one given it lies in the future or not after the last snapshot, which may be told only at isolation level READ COMMITTED';

CREATE FUNCTION @extschema@.kpi_snapshot(from_day date DEFAULT NULL, to_day date DEFAULT NULL, as_of timestamptz DEFAULT NULL)
	RETURNS TABLE (run bigint, outcome text, periods integer, facts bigint, changed bigint, problems bigint, duration interval)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	began timestamptz := clock_timestamp();
	now_taken timestamptz;
BEGIN
	IF current_setting('salkpi.takes_snapshot', true) = 'on' THEN	-- whose lock is no obstacle to its own session
		RAISE EXCEPTION 'a snapshot cannot be taken within another one'
			USING ERRCODE = 'object_in_use',
				  DETAIL = 'This session is taking one, and something that it reads or writes calls kpi_snapshot().',
				  HINT = 'Let a bound view read what snapshots have recorded.';
	END IF;
	IF NOT @extschema@.kpi_try_lock() THEN
		RAISE NOTICE 'another snapshot is running; this one steps aside';
		outcome := 'skipped';
		RETURN NEXT;
		RETURN;
	END IF;
	now_taken := @extschema@.kpi_check_as_of(as_of);
	INSERT INTO @extschema@.kpi_run (started_at, as_of, from_day, to_day, outcome)
	VALUES (began, now_taken, kpi_snapshot.from_day, kpi_snapshot.to_day, 'running')
	RETURNING kpi_run.run INTO run;

	SELECT s.periods, s.facts, s.changed, s.problems INTO periods, facts, changed, problems
	  FROM @extschema@.kpi_take_snapshot(run, from_day, to_day, now_taken) s;
	outcome := 'done';
	duration := clock_timestamp() - began;
	UPDATE @extschema@.kpi_run r
	   SET outcome = 'done', periods = kpi_snapshot.periods, facts = kpi_snapshot.facts, changed = kpi_snapshot.changed,
		   problems = kpi_snapshot.problems, duration = kpi_snapshot.duration
	 WHERE r.run = kpi_snapshot.run;
	RETURN NEXT;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_snapshot(date, date, timestamptz) IS
'reads the bound sources, all as they are at one moment, and records the facts that changed, for the periods that overlap from_day to to_day (both NULL: those never computed, and of each source those in which something changed, which may be all that are running, see kpi_changes; one NULL: from the first data or the first facts, to the running period). as_of: the instant taken as now. Returns one row; outcome "skipped" when another snapshot is running. Raises, leaving all as it was, for a from_day after to_day, when a source cannot be read, and in a transaction that is not READ COMMITTED';

/*
 * What a scheduler calls.  The run is visible as "running" while it works, and
 * its outcome stays when it fails.  A procedure that commits can have no SET
 * clause, so every name is qualified, those of types too, and its transactions
 * are set to what they have to be.
 */
CREATE PROCEDURE @extschema@.kpi_refresh()
	LANGUAGE plpgsql
AS $$
DECLARE
	this_run bigint;
	taken pg_catalog.timestamptz;
	what pg_catalog.record;
	message pg_catalog.text;
	state pg_catalog.text;
	detail pg_catalog.text;
	hint pg_catalog.text;
BEGIN
	IF NOT @extschema@.kpi_try_lock() THEN
		RAISE NOTICE 'another snapshot is running; this one steps aside';
		RETURN;
	END IF;
	INSERT INTO @extschema@.kpi_run (outcome) VALUES ('running') RETURNING run INTO this_run;
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;

	IF NOT @extschema@.kpi_try_lock() THEN
		RAISE NOTICE 'another snapshot is running; this one steps aside';
		DELETE FROM @extschema@.kpi_run WHERE run OPERATOR(pg_catalog.=) this_run;
		RETURN;
	END IF;
	BEGIN
		taken := @extschema@.kpi_check_as_of(NULL);
		SELECT s.periods, s.facts, s.changed, s.problems INTO what FROM @extschema@.kpi_take_snapshot(this_run, NULL, NULL, taken) s;
		UPDATE @extschema@.kpi_run r
		   SET outcome = 'done', as_of = taken, periods = what.periods, facts = what.facts, changed = what.changed, problems = what.problems,
			   duration = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.started_at
		 WHERE r.run OPERATOR(pg_catalog.=) this_run;
	EXCEPTION WHEN OTHERS OR query_canceled THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		UPDATE @extschema@.kpi_run r
		   SET outcome = 'failed', as_of = taken, error = message,
			   duration = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.started_at
		 WHERE r.run OPERATOR(pg_catalog.=) this_run;
		PERFORM @extschema@.kpi_announce(this_run, 'failed', pg_catalog.json_build_object('error', pg_catalog.left(message, 1000)));
	END;
	COMMIT;
	SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
	IF message IS NULL THEN
		PERFORM @extschema@.kpi_prune();
	ELSE
		RAISE EXCEPTION '%', message
			USING ERRCODE = state,
				  DETAIL = CASE WHEN detail OPERATOR(pg_catalog.<>) '' THEN detail ELSE 'The facts are as they were.' END,
				  HINT = CASE WHEN hint OPERATOR(pg_catalog.<>) '' THEN hint ELSE 'The view kpi_runs lists the runs and their errors.' END;
	END IF;
END;
$$;
COMMENT ON PROCEDURE @extschema@.kpi_refresh() IS
'takes the default snapshot and records the outcome, also of a failure, in kpi_run, then raises the error again; after a success it thins the history (kpi_prune). For schedulers';

/*
 * Who began to look while a run was at work sees the row of that time, but the
 * locks of now.  What has changed the row since is the row's xmax.
 */
CREATE FUNCTION @extschema@.kpi_is_committed(transaction xid) RETURNS boolean
	LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(CASE WHEN transaction <> '0' THEN	-- there is none, which may look like one to come
				pg_catalog.pg_xact_status((n.next + ((transaction::text::bigint - n.next + 2147483648) & 4294967295) - 2147483648)::text::xid8) = 'committed' END, false)
	  FROM (SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next) n;	-- of the two billion on either side
END;
COMMENT ON FUNCTION @extschema@.kpi_is_committed(xid) IS
'whether a transaction has committed, also since the caller began to look';

CREATE VIEW @extschema@.kpi_runs AS
	SELECT r.run, r.started_at, r.as_of, r.from_day, r.to_day,
		   CASE WHEN r.outcome = 'running' AND NOT pg_catalog.pg_is_in_recovery() AND NOT EXISTS (
					SELECT FROM pg_catalog.pg_locks l
					 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
					   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
					   AND l.classid = '@extschema@.kpi_fact'::regclass AND l.objid = 7365 AND l.pid = r.pid)
					  AND NOT @extschema@.kpi_is_committed(r.xmax)
				THEN 'crashed' ELSE r.outcome END AS outcome,
		   r.periods, r.facts, r.changed, r.problems, r.duration, r.error
	  FROM @extschema@.kpi_run r;
COMMENT ON VIEW @extschema@.kpi_runs IS
'the runs of kpi_run; one that says "running" but no longer holds the lock has crashed (a standby, which cannot see the lock, says running)';

CREATE FUNCTION @extschema@.kpi_has_dimension(source text, part text, dimension text) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM @extschema@.kpi_part_dimensions(part, @extschema@.kpi_member_expressions(source,
						(SELECT array_agg(u.source || '.' || u.column_name) FROM @extschema@.kpi_usable_columns() u)), ARRAY[dimension]));
END;
COMMENT ON FUNCTION @extschema@.kpi_has_dimension(text, text, text) IS
'whether the bound columns tell to which members of a dimension the rows of a part belong';

/* The open opportunities of this moment, from the sources. */
CREATE FUNCTION @extschema@.kpi_open_now(dimension text)
	RETURNS TABLE (parts text[], opportunities bigint, value numeric, weighted numeric)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
BEGIN ATOMIC
	SELECT m.parts, sum(c.integers[1])::bigint, sum(c.numerics[1]), sum(c.numerics[2])
	  FROM unnest(@extschema@.kpi_read_sources(
			ARRAY(SELECT s.source FROM unnest(@extschema@.kpi_bound_sources()) WITH ORDINALITY s(source, n)
				   WHERE s.source IN ('exchange_rate', 'stage', 'account', 'rep', 'opportunity', 'opportunity_history')
					 AND ('open' <> ALL (@extschema@.kpi_parts_to_read(s.source, NULL)) OR @extschema@.kpi_has_dimension(s.source, 'open', dimension))
				   ORDER BY s.n),
			'{opportunity.open,opportunity_history.open}', ARRAY[dimension],
			ARRAY[ROW(now(), ARRAY[now() - interval '1 day', now()], ARRAY[@extschema@.kpi_today(), @extschema@.kpi_today() + 1], ARRAY[now()], NULL, NULL,
				'{1}', '{1}', NULL, NULL, '{1}', '{1}', '{1}', ARRAY[now()], ARRAY[now()], NULL, NULL)::@extschema@.kpi_grid])) r
	 CROSS JOIN LATERAL @extschema@.kpi_panel_rows(r.panel) c
	 CROSS JOIN LATERAL (SELECT ARRAY(SELECT @extschema@.kpi_member_part(p.name) FROM pg_catalog.unnest(c.members) WITH ORDINALITY p(name, i) ORDER BY p.i) AS parts) m
	 WHERE r.part = 'open' AND @extschema@.kpi_measure_number('open_opportunities') = ANY (r.measures)
	 GROUP BY m.parts
	HAVING sum(c.integers[1]) > 0;
END;
COMMENT ON FUNCTION @extschema@.kpi_open_now(text) IS
'the opportunities open at this moment, read from the sources, by member of a dimension (its parts): how many, their amount, their weighted amount; no rows where the bound columns do not tell the members';
