/*
 * Settings: what the whole database of KPIs has in common.  The shipped
 * defaults are not dumped; what a user has set is.
 */
CREATE TABLE @extschema@.kpi_setting_default (
	setting		text PRIMARY KEY,
	value		text,
	pattern		text NOT NULL,
	is_number	boolean NOT NULL,
	shapes_facts boolean NOT NULL,
	description	text NOT NULL
);
COMMENT ON TABLE @extschema@.kpi_setting_default IS
'settings with their shipped values (NULL: not set); pattern: what a value must match; is_number: formulas can use it; shapes_facts: facts made under another value cannot be compared';

INSERT INTO @extschema@.kpi_setting_default VALUES
	('time_zone', 'UTC', E'UTC|[A-Z][A-Za-z_]+(/[A-Za-z_-]+)+|Etc/GMT(0|\\+([1-9]|1[0-2])|-([1-9]|1[0-4]))', false, true, 'IANA name of the reporting time zone: days, months and years begin at its midnights'),
	('currency', 'EUR', '[A-Z]{3}', false, true, 'reporting currency (ISO 4217)'),
	('fiscal_year_month', '1', '[1-9]|1[0-2]', true, true, 'first month of the fiscal year: years and quarters begin there'),
	('week_start', 'monday', 'monday|sunday', false, true, 'first day of a week'),
	('grains', 'month,quarter,year', '(day|week|month|quarter|year)(,(day|week|month|quarter|year))*', false, false, 'grains that a snapshot computes, separated by commas; the facts of any other are closed by the next one'),
	('dimensions', 'all', E'all|[a-z_]+(\\+[a-z_]+)*(,[a-z_]+(\\+[a-z_]+)*)*', false, false, 'which of the dimensions that come with salkpi a snapshot computes besides the total, separated by commas; own ones (kpi_define_dimension) it always computes, the facts of any other are closed by the next one'),
	('language', 'en', 'en|de', false, false, 'language of labels and descriptions'),
	('customer_active_days', '365', '[1-9][0-9]{0,3}', true, true, 'without subscriptions, how many days after a purchase an account still is a customer'),
	('ledger_memory_mb', '256', '[1-9][0-9]{0,3}', false, false, 'megabytes that the ledger of all customers may need, in each process of a parallel plan; beyond it a snapshot reads them in groups, which spills to disk'),
	('history_years', '10', '[1-9][0-9]?', true, false, 'how many years back a snapshot looks when no from_day is given; facts of earlier periods stay as they were last taken'),
	('calendar', 'gregorian', 'gregorian|table', false, true, 'table: the periods of the grains in kpi_calendar are those of that table, such as 4-4-5 months; the rest follow the Gregorian calendar'),
	('lookback_days', 'all', 'all|[1-9][0-9]{0,4}', false, false, 'in the periods of how many last days a default snapshot looks for changes in sources that are not tracked (kpi_track); all: in all periods'),
	('working_days', '1,2,3,4,5', '[1-7](,[1-7])*', false, false, 'days of the week that are worked, separated by commas: 1 is Monday; holidays are in kpi_holiday'),
	('target_days', 'calendar', 'calendar|working', false, false, 'days over which targets are spread and running periods paced'),
	('history_keep', '2,92', '[1-9][0-9]{0,3},[0-9]{1,5}|all', false, false, 'how many days all snapshots are kept, and how many the last of each day, before the history is thinned to the last of each month; or all'),
	('stale_snapshot_hours', '26', '[1-9][0-9]{0,3}', false, false, 'how many hours after the newest snapshot kpi_check calls the numbers old'),
	('stale_deal_days', '60', '[1-9][0-9]{0,3}', false, false, 'after how many days without a change or an activity kpi_check calls an open opportunity stale'),
	('margin_default', NULL, E'100(\\.0+)?|[0-9]{1,2}(\\.[0-9]+)?', true, false, 'profit margin in percent (0 to 100) where no direct cost tells it: for lifetime values');

CREATE TABLE @extschema@.kpi_setting_value (
	setting		text PRIMARY KEY,
	value		text NOT NULL
);
COMMENT ON TABLE @extschema@.kpi_setting_value IS
'settings changed by kpi_set; the rest have the value of kpi_setting_default';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_setting_value', '');

CREATE FUNCTION @extschema@.kpi_raise_unknown(what text, name text, hint text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF name IS NULL THEN
		RAISE EXCEPTION '% must not be null', what USING ERRCODE = 'null_value_not_allowed', HINT = hint;
	END IF;
	RAISE EXCEPTION 'unknown % "%"', what, name USING ERRCODE = 'invalid_parameter_value', HINT = hint;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_raise_unknown(text, text, text) IS
'raises: there is no such setting, source, KPI ... (what) of that name, or none was named; hint: which there are';

CREATE FUNCTION @extschema@.kpi_setting(name text) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_kpi_setting';
COMMENT ON FUNCTION @extschema@.kpi_setting(text) IS
'value of a setting; NULL for an unknown one and for one that is not set';

CREATE FUNCTION @extschema@.kpi_day(at timestamptz) RETURNS date
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT (at AT TIME ZONE @extschema@.kpi_setting('time_zone'))::date;
END;
COMMENT ON FUNCTION @extschema@.kpi_day(timestamptz) IS
'the calendar day of an instant in the reporting time zone';

CREATE FUNCTION @extschema@.kpi_today() RETURNS date
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_day(pg_catalog.now());
END;
COMMENT ON FUNCTION @extschema@.kpi_today() IS
'the current calendar day of the reporting time zone';

CREATE FUNCTION @extschema@.kpi_midnight(day date, zone text) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'salkpi_kpi_midnight'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_midnight(date, text) IS
'the instant at which a calendar day of a time zone begins, the first one where there are two midnights. NULL for NULL; an error for an unknown zone, and for a day that no instant has';

CREATE FUNCTION @extschema@.kpi_midnight(day date) RETURNS timestamptz
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_midnight(day, @extschema@.kpi_setting('time_zone'));
END;
COMMENT ON FUNCTION @extschema@.kpi_midnight(date) IS
'the instant at which a calendar day of the reporting time zone begins';

CREATE FUNCTION @extschema@.kpi_set(name text, value text, rebuild boolean DEFAULT false) RETURNS text
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	d @extschema@.kpi_setting_default;
	is_possible boolean;
BEGIN
	SELECT * INTO d FROM @extschema@.kpi_setting_default s WHERE s.setting = name;
	IF NOT FOUND THEN
		PERFORM @extschema@.kpi_raise_unknown('setting', name, 'Settings are ' || (SELECT string_agg(setting, ', ' ORDER BY setting)
																					 FROM @extschema@.kpi_setting_default) || '.');
	END IF;
	value := coalesce(value, d.value);
	IF value IS NULL THEN
		DELETE FROM @extschema@.kpi_setting_value v WHERE v.setting = name;
		RETURN NULL;
	END IF;
	is_possible := value ~ ('^(' || d.pattern || ')$');
	IF name = 'time_zone' AND is_possible THEN
		BEGIN
			PERFORM now() AT TIME ZONE value;
		EXCEPTION WHEN invalid_parameter_value THEN
			is_possible := false;
		END;
	END IF;
	IF name = 'dimensions' AND value <> 'all' THEN
		is_possible := is_possible AND string_to_array(value, ',') <@ ARRAY(SELECT s.dimension FROM @extschema@.kpi_dimension_shipped s);
	END IF;
	IF NOT is_possible THEN
		RAISE EXCEPTION 'value "%" is not possible for setting "%"', value, name
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = upper(left(d.description, 1)) || substr(d.description, 2) || '.',
				  HINT = CASE name WHEN 'time_zone'
						 THEN 'Give it like Europe/Berlin; an abbreviation like CET would have no daylight saving. The view pg_timezone_names lists the names.'
						 WHEN 'dimensions' THEN 'Dimensions are ' || (SELECT string_agg(s.dimension, ', ' ORDER BY s.dimension)
																		FROM @extschema@.kpi_dimension_shipped s) || '; or all.'
						 ELSE format('It must match %s.', d.pattern) END;
	END IF;

	IF d.shapes_facts THEN
		PERFORM @extschema@.kpi_lock();
	END IF;
	IF name = 'currency' AND value <> @extschema@.kpi_setting(name) AND @extschema@.kpi_has_other_rates(value) THEN
		RAISE EXCEPTION 'exchange rates are not in currency "%"', value
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('The source "exchange_rate" has rates of %s itself that are not 1.', value),
				  HINT = format('Bind rates that say what one unit of each currency is worth in %s first.', value);
	END IF;
	IF d.shapes_facts AND value <> @extschema@.kpi_setting(name)
		AND EXISTS (SELECT FROM @extschema@.kpi_fact WHERE superseded_at IS NULL) THEN
		IF NOT rebuild THEN
			RAISE EXCEPTION 'setting "%" cannot change while there are facts made under "%"', name, @extschema@.kpi_setting(name)
				USING ERRCODE = 'object_not_in_prerequisite_state',
					  HINT = format('SELECT kpi_set(%L, %L, rebuild => true) closes them; the next kpi_snapshot() makes all periods anew.', name, value);
		END IF;
		/* Right after the last snapshot, so that no later one overlaps them whatever its as_of. */
		UPDATE @extschema@.kpi_fact
		   SET superseded_at = (SELECT max(r.as_of) FROM @extschema@.kpi_run r WHERE r.outcome = 'done') + interval '1 microsecond'
		 WHERE superseded_at IS NULL;
	END IF;

	INSERT INTO @extschema@.kpi_setting_value AS v VALUES (name, value)
	ON CONFLICT ON CONSTRAINT kpi_setting_value_pkey DO UPDATE SET value = excluded.value;
	IF name = 'currency' THEN	-- rates are for one unit of the reporting currency
		UPDATE @extschema@.kpi_target t SET rate = NULL WHERE t.currency IS NOT NULL;
	END IF;
	RETURN value;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_set(text, text, boolean) IS
'changes a setting (NULL: back to the shipped value, which may be none) and returns it. Settings that shape facts are refused once there are some, unless rebuild: then those are closed and the next snapshot makes all periods anew. Another currency is refused while the rates of the source "exchange_rate" are not in it. To change one waits for a snapshot that is being taken, and keeps others from it until the end of the transaction';
