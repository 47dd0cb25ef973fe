/*
 * The calendar: periods as days of the reporting time zone, turned into
 * instants once.  Everything that counts by period uses these boundaries.
 */
CREATE FUNCTION @extschema@.kpi_period_step(grain text) RETURNS interval
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE grain WHEN 'day' THEN interval '1 day' WHEN 'week' THEN interval '7 days'
					  WHEN 'month' THEN interval '1 month' WHEN 'quarter' THEN interval '3 months'
					  WHEN 'year' THEN interval '1 year' END;
END;
COMMENT ON FUNCTION @extschema@.kpi_period_step(text) IS
'length of a Gregorian period of the grain, to be added to its first day (a date, never an instant); NULL for an unknown grain';

/*
 * A calendar of one's own: the periods of some grains, one after the other.
 * Where the setting calendar says table, they are used instead.
 */
CREATE TABLE @extschema@.kpi_calendar (
	grain		text NOT NULL CHECK (grain IN ('week', 'month', 'quarter', 'year')),
	period		date NOT NULL CHECK (pg_catalog.isfinite(period)),
	period_end	date NOT NULL CHECK (pg_catalog.isfinite(period_end)),
	PRIMARY KEY (grain, period),
	CONSTRAINT kpi_calendar_range CHECK (period_end > period)
);
COMMENT ON TABLE @extschema@.kpi_calendar IS
'periods of a calendar of one''s own (setting calendar = table), each from period to before period_end, without gaps; to be written by users, or by kpi_make_calendar. Twelve months, four quarters and one year make up a year: that far back lies the year before';
COMMENT ON COLUMN @extschema@.kpi_calendar.period_end IS 'the first day that no longer belongs';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_calendar', '');

/* How far readers look back for the period that a day is in; a year may be a long one between two fiscal years. */
CREATE FUNCTION @extschema@.kpi_longest_period(grain text) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN CASE grain WHEN 'day' THEN 1 WHEN 'week' THEN 14 WHEN 'month' THEN 62 WHEN 'quarter' THEN 190 ELSE 740 END;
COMMENT ON FUNCTION @extschema@.kpi_longest_period(text) IS
'so many days a period of a grain has at most: twice its usual length and some';

/* Nothing is checked while a dump is restored: the facts may not be there yet. */
CREATE FUNCTION @extschema@.kpi_calendar_check() RETURNS trigger
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fault record;
BEGIN
	IF NOT current_setting('check_function_bodies')::boolean THEN
		RETURN NULL;
	END IF;
	SELECT c.grain, c.period_end, c.next INTO fault
	  FROM (SELECT k.*, lead(k.period) OVER (PARTITION BY k.grain ORDER BY k.period) AS next FROM @extschema@.kpi_calendar k) c
	 WHERE c.next <> c.period_end ORDER BY 1, 2 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'periods of grain "%" do not follow one another', fault.grain
			USING ERRCODE = 'exclusion_violation',
				  DETAIL = format('One ends before %s, the next begins on %s.', to_char(fault.period_end, 'YYYY-MM-DD'), to_char(fault.next, 'YYYY-MM-DD'));
	END IF;
	SELECT c.grain, c.period, @extschema@.kpi_longest_period(c.grain) AS most INTO fault
	  FROM @extschema@.kpi_calendar c WHERE c.period_end - c.period > @extschema@.kpi_longest_period(c.grain) ORDER BY 1, 2 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the % that begins on % is too long', fault.grain, to_char(fault.period, 'YYYY-MM-DD')
			USING ERRCODE = 'check_violation',
				  DETAIL = format('A %s can have %s days at most.', fault.grain, fault.most);
	END IF;
	IF @extschema@.kpi_setting('calendar') = 'table' THEN
		PERFORM @extschema@.kpi_lock();
		SELECT f.grain, f.period INTO fault FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND EXISTS (SELECT FROM @extschema@.kpi_calendar c WHERE c.grain = f.grain)
		   AND NOT EXISTS (SELECT FROM @extschema@.kpi_calendar c WHERE (c.grain, c.period, c.period_end) = (f.grain, f.period, f.period_end)) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'the calendar cannot change while there are facts made under it'
				USING ERRCODE = 'object_not_in_prerequisite_state',
					  DETAIL = format('There are facts of the %s that began on %s.', fault.grain, to_char(fault.period, 'YYYY-MM-DD')),
					  HINT = 'SELECT kpi_set(''calendar'', ''gregorian'', rebuild => true) closes them.';
		END IF;
	END IF;
	RETURN NULL;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_calendar_check() IS
'trigger: raises for periods with gaps or overlaps, those that are too long, and for changes of periods that have facts';
CREATE TRIGGER kpi_calendar_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON @extschema@.kpi_calendar
	FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.kpi_calendar_check();

/*
 * A year begins with the week that begins nearest to the anniversary of its
 * first day, so it has 52 weeks or 53; the last month has the one more.
 */
CREATE FUNCTION @extschema@.kpi_make_calendar(pattern text, first_day date, years integer DEFAULT 20) RETURNS bigint
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	made bigint;
BEGIN
	IF pattern NOT IN ('4-4-5', '4-5-4', '5-4-4') OR pattern IS NULL THEN
		PERFORM @extschema@.kpi_raise_unknown('calendar', pattern, 'Patterns are 4-4-5, 4-5-4 and 5-4-4 (weeks of the months of a quarter); others can be written into kpi_calendar.');
	END IF;
	IF NOT isfinite(first_day) OR first_day IS NULL OR years IS NULL OR years NOT BETWEEN 1 AND 200 THEN
		RAISE EXCEPTION 'cannot make a calendar of % years from %', years, first_day
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Give the first day, and 1 to 200 years.';
	END IF;
	WITH year AS (
		SELECT y.n, a.day - w.past + CASE WHEN w.past > 3 THEN 7 ELSE 0 END AS starts
		  FROM generate_series(0, years) y(n)
		  CROSS JOIN LATERAL (SELECT (first_day + y.n * interval '1 year')::date AS day) a
		  CROSS JOIN LATERAL (SELECT CASE @extschema@.kpi_setting('week_start') WHEN 'sunday' THEN extract(dow FROM a.day)
									 ELSE extract(isodow FROM a.day) - 1 END::integer AS past) w
	), month AS (
		SELECT y.n, m.m, y.starts + 7 * m.weeks AS period
		  FROM year y
		  CROSS JOIN LATERAL (SELECT m, (13 * (m / 3) + CASE m % 3 WHEN 0 THEN 0 WHEN 1 THEN split_part(pattern, '-', 1)::integer
																	ELSE split_part(pattern, '-', 1)::integer + split_part(pattern, '-', 2)::integer END) AS weeks
								FROM generate_series(0, 11) m) m
	), made AS (
		SELECT g.grain, m.period, lead(m.period) OVER (PARTITION BY g.grain ORDER BY m.period) AS period_end, m.n
		  FROM month m JOIN (VALUES ('month', 1), ('quarter', 3), ('year', 12)) g(grain, months) ON m.m % g.months = 0
	), gone AS (	-- in one statement, so that only the outcome is checked
		DELETE FROM @extschema@.kpi_calendar c WHERE c.grain IN ('month', 'quarter', 'year')
		   AND NOT EXISTS (SELECT FROM made m WHERE (m.grain, m.period) = (c.grain, c.period) AND m.n < years)
	)
	INSERT INTO @extschema@.kpi_calendar AS c (grain, period, period_end)
	SELECT m.grain, m.period, m.period_end FROM made m WHERE m.n < years
	ON CONFLICT ON CONSTRAINT kpi_calendar_pkey DO UPDATE SET period_end = excluded.period_end;
	GET DIAGNOSTICS made = ROW_COUNT;
	RETURN made;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_make_calendar(text, date, integer) IS
'fills kpi_calendar with months, quarters and years of whole weeks (4-4-5, 4-5-4 or 5-4-4 weeks to the months of a quarter) for so many years, replacing those there, and returns how many periods. Each year begins with the week (setting week_start) that begins nearest to the anniversary of first_day; a 53rd week falls to its last month. kpi_set(''calendar'', ''table'') puts it to use';

CREATE FUNCTION @extschema@.kpi_is_tabled(grain text) RETURNS boolean
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF @extschema@.kpi_setting('calendar') = 'table' THEN
		RETURN EXISTS (SELECT FROM @extschema@.kpi_calendar c WHERE c.grain = kpi_is_tabled.grain);
	END IF;
	RETURN false;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_is_tabled(text) IS
'whether the periods of a grain come from kpi_calendar';

CREATE FUNCTION @extschema@.kpi_period_start(grain text, day date) RETURNS date
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF grain = 'day' THEN
		RETURN day;
	ELSIF @extschema@.kpi_is_tabled(grain) THEN
		RETURN (SELECT max(c.period) FROM @extschema@.kpi_calendar c WHERE c.grain = kpi_period_start.grain AND c.period <= day AND c.period_end > day);
	ELSIF grain = 'week' THEN
		RETURN day - CASE @extschema@.kpi_setting('week_start') WHEN 'sunday' THEN extract(dow FROM day) ELSE extract(isodow FROM day) - 1 END::integer;
	END IF;
	RETURN date_trunc('month', day::timestamp)
		   - make_interval(months => CASE grain WHEN 'month' THEN 0
								ELSE mod(extract(month FROM day)::integer - @extschema@.kpi_setting('fiscal_year_month')::integer + 12,
										 CASE grain WHEN 'quarter' THEN 3 WHEN 'year' THEN 12 END) END);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_period_start(text, date) IS
'first day of the period of this grain that contains the day, by the settings calendar, fiscal_year_month and week_start; NULL for an unknown grain and a day outside kpi_calendar';

CREATE FUNCTION @extschema@.kpi_require_calendar(day date) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	missing text;
BEGIN
	SELECT g INTO missing FROM unnest(string_to_array(@extschema@.kpi_setting('grains'), ',')) g WHERE @extschema@.kpi_period_start(g, day) IS NULL LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'kpi_calendar has no % that contains %', missing, to_char(day, 'YYYY-MM-DD')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Add the periods to come, or SELECT kpi_set(''calendar'', ''gregorian'', rebuild => true).';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_calendar(date) IS
'raises when a grain that snapshots compute has no period that contains the day';

CREATE FUNCTION @extschema@.kpi_period_end(grain text, period date) RETURNS date
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF @extschema@.kpi_is_tabled(grain) THEN
		RETURN (SELECT c.period_end FROM @extschema@.kpi_calendar c WHERE c.grain = kpi_period_end.grain AND c.period = kpi_period_end.period);
	END IF;
	RETURN period + @extschema@.kpi_period_step(grain);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_period_end(text, date) IS
'the first day after the period of a grain that begins on a day';

CREATE FUNCTION @extschema@.kpi_starts(grain text, newest date, n integer) RETURNS date[]
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	step interval := @extschema@.kpi_period_step(grain);
BEGIN
	IF @extschema@.kpi_is_tabled(grain) THEN
		RETURN ARRAY(SELECT c.period FROM @extschema@.kpi_calendar c WHERE c.grain = kpi_starts.grain AND c.period <= newest ORDER BY c.period DESC LIMIT n + 1);
	END IF;
	RETURN ARRAY(SELECT (newest - i * step)::date FROM generate_series(0, n) i ORDER BY i);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_starts(text, date, integer) IS
'the first days of the period that begins on a day and of the n before it, the newest first; fewer where kpi_calendar begins later';

CREATE FUNCTION @extschema@.kpi_bases(grain text, oldest date, newest date) RETURNS integer[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	last integer;
BEGIN
	IF @extschema@.kpi_is_tabled(grain) THEN
		last := (SELECT count(*) - 1 FROM @extschema@.kpi_calendar c WHERE c.grain = kpi_bases.grain AND c.period_end > oldest AND c.period <= newest);
	ELSE
		last := CASE grain WHEN 'day' THEN newest - oldest WHEN 'week' THEN (newest - oldest) / 7
			ELSE (12 * (extract(year FROM newest) - extract(year FROM oldest)) + extract(month FROM newest) - extract(month FROM oldest))::integer
				 / CASE grain WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END END;
	END IF;
	RETURN ARRAY(SELECT n FROM generate_series(0, last) n ORDER BY n);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_bases(text, date, date) IS
'0 and on: how many periods of the grain each first day from newest down to that of the period with oldest lies back; empty when NULL';

CREATE TYPE @extschema@.kpi_period AS (
	grain		text,
	period		date,
	period_end	date,
	is_complete boolean,
	days		integer,
	starts_at	timestamptz,
	ends_at		timestamptz
);
COMMENT ON TYPE @extschema@.kpi_period IS
'a period: its first day, the day after its last, both as instants too, whether it is over, and how many of its days have begun';

/*
 * is_cut marks what a running period is compared with: the previous one, and
 * the one a year before, cut after as many whole days as the running one has
 * behind it (a shorter one: whole).
 */
CREATE FUNCTION @extschema@.kpi_periods(from_day date, to_day date, as_of timestamptz)
	RETURNS SETOF @extschema@.kpi_period
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 200
BEGIN ATOMIC
	WITH clock AS (
		SELECT zone, today, today + CASE WHEN @extschema@.kpi_midnight(today, zone) < as_of THEN 1 ELSE 0 END AS begun
		  FROM (SELECT z AS zone, (as_of AT TIME ZONE z)::date AS today
				  FROM (SELECT @extschema@.kpi_setting('time_zone') AS z OFFSET 0) s) t
	), grain AS MATERIALIZED (
		SELECT g, @extschema@.kpi_is_tabled(g) AS is_tabled
		  FROM (SELECT DISTINCT unnest(string_to_array(@extschema@.kpi_setting('grains'), ','))) k(g)
	), whole AS (
		SELECT g AS grain, s::date AS period, (s + @extschema@.kpi_period_step(g))::date AS period_end, false AS is_tabled
		  FROM clock, grain k,
			   LATERAL generate_series(@extschema@.kpi_period_start(g, from_day)::timestamp,
									   least(to_day, today)::timestamp, @extschema@.kpi_period_step(g)) s
		 WHERE NOT k.is_tabled
		UNION ALL
		SELECT c.grain, c.period, c.period_end, true
		  FROM clock, grain k JOIN @extschema@.kpi_calendar c ON c.grain = k.g
		 WHERE k.is_tabled AND c.period_end > from_day AND c.period <= least(to_day, today)
	), running AS (
		SELECT w.grain, w.period, today - w.period AS elapsed, w.is_tabled
		  FROM whole w, clock
		 WHERE w.period <= today AND w.period_end > today
	), cut AS (
		SELECT r.grain || '_cut' AS grain, b.period,
			   least(b.period + r.elapsed, @extschema@.kpi_period_end(r.grain, b.period)) AS period_end
		  FROM running r, LATERAL (
				SELECT unnest(ARRAY[s.starts[2], s.starts[1 + CASE r.grain WHEN 'week' THEN 52 WHEN 'month' THEN 12 WHEN 'quarter' THEN 4 ELSE 1 END]])
				  FROM (SELECT @extschema@.kpi_starts(r.grain, r.period, 52) AS starts) s
				 WHERE r.is_tabled
				UNION
				SELECT (r.period - @extschema@.kpi_period_step(r.grain))::date WHERE NOT r.is_tabled
				UNION
				SELECT (r.period - CASE r.grain WHEN 'week' THEN interval '364 days' WHEN 'day' THEN interval '365 days'
								   ELSE interval '1 year' END)::date WHERE NOT r.is_tabled) b(period)
		 WHERE r.elapsed > 0 AND b.period IS NOT NULL
	), every AS (
		SELECT grain, period, period_end FROM whole UNION ALL SELECT * FROM cut
	), dated AS (
		SELECT e.*, @extschema@.kpi_midnight(e.period, zone) AS starts_at, @extschema@.kpi_midnight(e.period_end, zone) AS ends_at, begun
		  FROM every e, clock
	)
	SELECT grain, period, period_end, ends_at <= as_of, least(period_end, begun) - period, starts_at, ends_at
	  FROM dated
	 WHERE starts_at < as_of;
END;
COMMENT ON FUNCTION @extschema@.kpi_periods(date, date, timestamptz) IS
'the periods of all grains (setting grains) that overlap the days from_day to to_day, both included, and have begun at as_of; besides, under the grain "month_cut" and the like, the periods that the running ones are compared with, cut to the same number of whole days. days: calendar days begun so far';
