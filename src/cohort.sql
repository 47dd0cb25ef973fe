/*
 * Cohorts: what became of the customers who came in the same period.
 *
 * The facts have them by the month in which each first bought, or first paid
 * where subscriptions are bound.  A customer is of one cohort for good, so the
 * months of a quarter or a year are added, and nothing is counted twice.
 */
CREATE FUNCTION @extschema@.kpi_dimension_facts(dimension text, grain text, oldest date, newest date, as_of timestamptz)
	RETURNS SETOF @extschema@.kpi_fact
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT f.* FROM @extschema@.kpi_fact f
	 WHERE kpi_dimension_facts.as_of IS NULL AND f.superseded_at IS NULL
	   AND f.dimension = kpi_dimension_facts.dimension AND f.grain = kpi_dimension_facts.grain
	   AND f.period BETWEEN oldest AND newest
	UNION ALL
	SELECT f.* FROM @extschema@.kpi_fact f
	 WHERE f.recorded_at <= kpi_dimension_facts.as_of AND (f.superseded_at IS NULL OR f.superseded_at > kpi_dimension_facts.as_of)
	   AND f.dimension = kpi_dimension_facts.dimension AND f.grain = kpi_dimension_facts.grain
	   AND f.period BETWEEN oldest AND newest;
END;
COMMENT ON FUNCTION @extschema@.kpi_dimension_facts(text, text, date, date, timestamptz) IS
'the facts of all members of a dimension, of the periods that begin on a day from oldest to newest, as they are (as_of NULL) or were known at an instant';

CREATE FUNCTION @extschema@.kpi_cohorts(from_day date DEFAULT NULL, to_day date DEFAULT NULL, grain text DEFAULT 'month', as_of timestamptz DEFAULT NULL)
	RETURNS TABLE (cohort date, age integer, period date, is_complete boolean, customers bigint,
				   retained bigint, retention numeric, buyers bigint, buying numeric, revenue numeric, revenue_retention numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	months integer := CASE WHEN @extschema@.kpi_periods_per_year(grain) <= 12 THEN 12 / @extschema@.kpi_periods_per_year(grain) END;
	oldest date;
	newest date;
	last date;
BEGIN
	IF months IS NULL THEN
		RAISE EXCEPTION 'there are no cohorts by %', grain
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'A cohort is the customers of a month.',
				  HINT = 'Grains of cohorts are month, quarter, year.';
	END IF;
	IF @extschema@.kpi_is_tabled(grain) THEN
		RAISE EXCEPTION 'there are no cohorts by % of the table kpi_calendar', grain
			USING ERRCODE = 'feature_not_supported', DETAIL = 'A cohort is the customers of a Gregorian month.';
	END IF;
	SELECT r.oldest, r.newest INTO oldest, newest FROM @extschema@.kpi_find_range(grain, 'cohort', from_day, to_day, as_of) r;
	last := (SELECT r.newest FROM @extschema@.kpi_find_range(grain, 'cohort', from_day, NULL, as_of) r);

	RETURN QUERY
	WITH fact AS MATERIALIZED (
		SELECT f.period, f.is_complete, f.member, f.new_customers, f.customers, f.buying_customers, coalesce(f.mrr, f.revenue) AS revenue
		  FROM @extschema@.kpi_dimension_facts('cohort', grain, oldest, last, as_of) f
	), month AS MATERIALIZED (
		SELECT m.member, @extschema@.kpi_period_start(grain, m.member::date) AS cohort
		  FROM (SELECT DISTINCT f.member FROM fact f WHERE f.member <> '(none)') m
	), every AS (	-- a cohort of which nothing is left has no fact, but zeros
		SELECT m.cohort, f.period, f.is_complete, f.new_customers, f.customers, f.buying_customers, f.revenue
		  FROM fact f JOIN month m ON m.member = f.member
		 WHERE f.period >= m.cohort
		UNION ALL
		SELECT m.cohort, f.period, f.is_complete, 0, 0 * f.customers, 0 * f.buying_customers, 0 * f.revenue
		  FROM fact f JOIN month m ON m.cohort <= f.period
		 WHERE f.member = '(none)'
	), aged AS (
		SELECT e.cohort, e.period, bool_and(e.is_complete) AS is_complete, sum(e.customers)::bigint AS retained,
			   sum(e.buying_customers)::bigint AS buyers, sum(e.revenue) AS revenue,
			   first_value(e.period) OVER own AS first_period, first_value(sum(e.new_customers)::bigint) OVER own AS customers,
			   first_value(sum(e.revenue)) OVER own AS first_revenue
		  FROM every e
		 GROUP BY e.cohort, e.period
		WINDOW own AS (PARTITION BY e.cohort ORDER BY e.period)
	)
	SELECT a.cohort, n.age, a.period, a.is_complete, a.customers, a.retained, @extschema@.kpi_quotient(100.0 * a.retained, a.customers),
		   a.buyers, @extschema@.kpi_quotient(100.0 * a.buyers, a.customers),
		   trim_scale(a.revenue), @extschema@.kpi_quotient(100 * a.revenue, nullif(greatest(a.first_revenue, 0), 0))
	  FROM aged a
	 CROSS JOIN LATERAL (SELECT (12 * (extract(year FROM a.period) - extract(year FROM a.cohort))
								 + extract(month FROM a.period) - extract(month FROM a.cohort))::integer / months AS age) n
	 WHERE a.cohort <= newest AND a.first_period = a.cohort AND a.customers > 0
	 ORDER BY a.cohort, a.period;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_cohorts(date, date, text, timestamptz) IS
'what became of the customers who came in each month, quarter or year that overlaps the days from from_day to before to_day (NULL: no limit), one row for each period since: cohort and period by their first days, age (periods since; 0 is its own), customers (how many came: first purchase, or first payment where subscriptions are bound), retained (how many of them are customers at the end of the period; in an unfinished one, at the snapshot), buyers (how many bought in it; NULL without the source sale), revenue (their MRR at that end where subscriptions are bound, else their revenue of the period), each also in percent: retention and buying of the customers who came, revenue_retention of the revenue at age 0 (NULL when that was not positive). A period in which nobody came has no row, nor has one whose own period was not computed. as_of: as it was known then. An error for a grain shorter than a month, and for a from_day after to_day';
