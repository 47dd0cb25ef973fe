/*
 * Scheduling: kpi_refresh() at regular times, through pg_cron where that is.
 * pg_cron is not required, since it can live in one database of a server only
 * and needs a restart; where it is missing the error says what to do.
 */
CREATE FUNCTION @extschema@.kpi_job_name() RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '@extschema@.kpi_refresh in ' || pg_catalog.current_database();
END;
COMMENT ON FUNCTION @extschema@.kpi_job_name() IS
'what pg_cron''s job for this database is called';

/* pg_cron's settings are hidden from ordinary roles, which may use it all the same. */
CREATE FUNCTION @extschema@.kpi_require_cron(statement text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_created boolean := EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron');
	sees_settings boolean := pg_has_role('pg_read_all_settings', 'USAGE');
	home text;
BEGIN
	IF sees_settings THEN
		home := current_setting('cron.database_name', true);
	ELSIF NOT is_created THEN
		RAISE EXCEPTION 'pg_cron is not created in database "%"', current_database()
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'Whether the server has it, and in which database, is hidden from this role.',
				  HINT = 'A superuser who calls kpi_schedule() here is told what to do.';
	END IF;
	IF NOT sees_settings OR is_created AND home IS NOT NULL THEN
		RETURN;
	END IF;
	IF home IS NULL THEN
		RAISE EXCEPTION 'pg_cron is not loaded in this server'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'Snapshots are scheduled through the extension pg_cron.',
				  HINT = format(E'%sPut these lines into postgresql.conf, restart, and say CREATE EXTENSION pg_cron here:\nshared_preload_libraries = ''%spg_cron''\ncron.database_name = %L\ncron.use_background_workers = on\nOr have any other scheduler say CALL %s.kpi_refresh().',
								CASE WHEN EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_cron') THEN ''
									 ELSE format('Install it (Debian and Ubuntu: postgresql-%s-cron). ', current_setting('server_version_num')::integer / 10000) END,
								nullif(current_setting('shared_preload_libraries'), '') || ',', current_database(), '@extschema@');
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
	command text := 'CALL @extschema@.kpi_refresh()';
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
	PERFORM @extschema@.kpi_require_cron(format('SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = %L AND username = %L;',
			@extschema@.kpi_job_name(), current_user));
	EXECUTE 'SELECT count(cron.unschedule(j.jobid)) > 0 FROM cron.job j WHERE j.jobname = $1 AND j.username = current_user'
	   INTO is_there USING @extschema@.kpi_job_name();
	RETURN is_there;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unschedule() IS
'ends what kpi_schedule began for this database and the caller; false when there was nothing. Raises as kpi_schedule does';

/* To take a past period once more, by its days, does not make the numbers younger. */
CREATE FUNCTION @extschema@.kpi_age() RETURNS interval
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.now() - max(r.as_of)
	  FROM @extschema@.kpi_run r
	 WHERE r.outcome = 'done' AND (r.to_day IS NULL OR r.to_day >= @extschema@.kpi_day(r.as_of));
END;
COMMENT ON FUNCTION @extschema@.kpi_age() IS
'how long ago the numbers were taken: the age of the newest snapshot that succeeded and took the running periods. NULL when there is none';
