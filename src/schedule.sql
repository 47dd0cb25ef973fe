/*
 * Scheduling: kpi_refresh() at regular times, through pg_cron where that is.
 * pg_cron is not required, since it can live in one database of a server only
 * and needs a restart; where it is missing the error says what to do.
 */
CREATE FUNCTION @extschema@.kpi_job_name() RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('@extschema@.kpi_refresh in %s', pg_catalog.current_database());
END;
COMMENT ON FUNCTION @extschema@.kpi_job_name() IS
'what pg_cron''s job for this database is called';

CREATE FUNCTION @extschema@.kpi_require_cron(statement text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	home text := current_setting('cron.database_name', true);
BEGIN
	IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		RETURN;
	END IF;
	IF home IS NULL THEN
		RAISE EXCEPTION 'pg_cron is not loaded in this server'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'Snapshots are scheduled through the extension pg_cron.',
				  HINT = format(E'Install it, put these lines into postgresql.conf, restart, and say CREATE EXTENSION pg_cron:\nshared_preload_libraries = ''%spg_cron''\ncron.database_name = %L\ncron.use_background_workers = on\nOr have any other scheduler say CALL %I.kpi_refresh().',
								coalesce(nullif(current_setting('shared_preload_libraries', true), '') || ',', ''), current_database(), '@extschema@');
	ELSIF home = current_database() THEN
		RAISE EXCEPTION 'extension pg_cron is not created in database "%"', current_database()
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Say CREATE EXTENSION pg_cron; as a superuser.';
	ELSE
		RAISE EXCEPTION 'pg_cron lives in database "%", not in "%"', home, current_database()
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'Its functions can be called in that one database only.',
				  HINT = format('Say there, as a superuser: %s', statement);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_cron(text) IS
'raises unless pg_cron can be called here, saying what to do: statement is what to say in the database in which it lives';

CREATE FUNCTION @extschema@.kpi_schedule(schedule text DEFAULT '*/15 * * * *') RETURNS bigint
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job bigint;
	command text := format('CALL %I.kpi_refresh()', '@extschema@');
BEGIN
	IF schedule IS NULL THEN
		RAISE EXCEPTION 'schedule must not be null'
			USING ERRCODE = 'null_value_not_allowed', HINT = 'Use kpi_unschedule() to end it.';
	END IF;
	PERFORM @extschema@.kpi_require_cron(format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
			@extschema@.kpi_job_name(), schedule, command, current_database(), current_user));
	EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job USING @extschema@.kpi_job_name(), schedule, command;
	RETURN job;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_schedule(text) IS
'has pg_cron call kpi_refresh() in this database, as the caller, and returns the number of the job; a schedule given before is replaced. schedule: as of cron, minute, hour, day, month, weekday, in GMT (or cron.timezone). Raises, saying what to do, where pg_cron is not to be had here, and pg_cron''s own error for a schedule that is none';

CREATE FUNCTION @extschema@.kpi_unschedule() RETURNS boolean
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_there boolean;
BEGIN
	PERFORM @extschema@.kpi_require_cron(format('SELECT cron.unschedule(%L);', @extschema@.kpi_job_name()));
	EXECUTE 'SELECT count(cron.unschedule(j.jobid)) > 0 FROM cron.job j WHERE j.jobname = $1 AND j.username = current_user'
	   INTO is_there USING @extschema@.kpi_job_name();
	RETURN is_there;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unschedule() IS
'ends what kpi_schedule began for this database and the caller; false when there was nothing. Raises as kpi_schedule does';

CREATE FUNCTION @extschema@.kpi_age() RETURNS interval
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.now() - max(r.as_of) FROM @extschema@.kpi_run r WHERE r.outcome = 'done';
END;
COMMENT ON FUNCTION @extschema@.kpi_age() IS
'how long ago the numbers were taken: the age of the newest snapshot that succeeded. NULL when there is none';
