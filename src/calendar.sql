/*
 * The calendar: periods as days of the reporting time zone, turned into
 * instants once.  Everything that counts by period uses these boundaries.
 */
CREATE FUNCTION @extschema@.kpi_period_step(grain text) RETURNS interval
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE grain WHEN 'day' THEN interval '1 day' WHEN 'week' THEN interval '7 days'
					  WHEN 'month' THEN interval '1 month' WHEN 'quarter' THEN interval '3 months'
					  WHEN 'year' THEN interval '1 year' END;
END;
COMMENT ON FUNCTION @extschema@.kpi_period_step(text) IS
'length of a period of the grain, to be added to its first day (a date, never an instant); NULL for an unknown grain';

CREATE FUNCTION @extschema@.kpi_period_start(grain text, day date) RETURNS date
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE grain
		WHEN 'day' THEN day
		WHEN 'week' THEN CASE @extschema@.kpi_setting('week_start')
			WHEN 'sunday' THEN day - extract(dow FROM day)::integer
			ELSE day - (extract(isodow FROM day)::integer - 1) END
		ELSE (date_trunc('month', day::timestamp)
			  - make_interval(months => CASE grain WHEN 'month' THEN 0
				ELSE mod(extract(month FROM day)::integer - @extschema@.kpi_setting('fiscal_year_month')::integer + 12,
						 CASE grain WHEN 'quarter' THEN 3 WHEN 'year' THEN 12 END) END))::date END;
END;
COMMENT ON FUNCTION @extschema@.kpi_period_start(text, date) IS
'first day of the period of this grain that contains the day, by the settings fiscal_year_month and week_start; NULL for an unknown grain';

/*
 * is_cut marks what a running period is compared with: the previous one, and
 * the one a year before, cut after as many whole days as the running one has
 * behind it (a shorter one: whole).
 */
CREATE FUNCTION @extschema@.kpi_periods(from_day date, to_day date, as_of timestamptz)
	RETURNS TABLE (grain text, period date, period_end date, is_complete boolean, days integer,
				   starts_at timestamptz, ends_at timestamptz)
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 200
BEGIN ATOMIC
	WITH clock AS (
		SELECT zone, today, today + CASE WHEN today::timestamp AT TIME ZONE zone < as_of THEN 1 ELSE 0 END AS begun
		  FROM (SELECT z AS zone, (as_of AT TIME ZONE z)::date AS today
				  FROM (SELECT @extschema@.kpi_setting('time_zone') AS z OFFSET 0) s) t
	), whole AS (
		SELECT g AS grain, s::date AS period, (s + @extschema@.kpi_period_step(g))::date AS period_end
		  FROM clock, (SELECT DISTINCT unnest(string_to_array(@extschema@.kpi_setting('grains'), ','))) k(g),
			   LATERAL generate_series(@extschema@.kpi_period_start(g, from_day)::timestamp,
									   least(to_day, today)::timestamp, @extschema@.kpi_period_step(g)) s
	), running AS (
		SELECT w.grain, w.period, today - w.period AS elapsed
		  FROM whole w, clock
		 WHERE w.period <= today AND w.period_end > today
	), cut AS (
		SELECT r.grain || '_cut' AS grain, b.period,
			   least(b.period + r.elapsed, (b.period + @extschema@.kpi_period_step(r.grain))::date) AS period_end
		  FROM running r, LATERAL (
				SELECT (r.period - @extschema@.kpi_period_step(r.grain))::date
				UNION
				SELECT (r.period - CASE r.grain WHEN 'week' THEN interval '364 days' WHEN 'day' THEN interval '365 days'
								   ELSE interval '1 year' END)::date) b(period)
		 WHERE r.elapsed > 0
	), every AS (
		SELECT * FROM whole UNION ALL SELECT * FROM cut
	), dated AS (
		SELECT e.*, e.period::timestamp AT TIME ZONE zone AS starts_at, e.period_end::timestamp AT TIME ZONE zone AS ends_at, begun
		  FROM every e, clock
	)
	SELECT grain, period, period_end, ends_at <= as_of, least(period_end, begun) - period, starts_at, ends_at
	  FROM dated
	 WHERE starts_at < as_of;
END;
COMMENT ON FUNCTION @extschema@.kpi_periods(date, date, timestamptz) IS
'the periods of all grains (setting grains) that overlap the days from_day to to_day, both included, and have begun at as_of; besides, under the grain "month_cut" and the like, the periods that the running ones are compared with, cut to the same number of whole days. days: calendar days begun so far';
