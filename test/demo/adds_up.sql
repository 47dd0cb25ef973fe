/*
 * What is behind a number adds up to it, for every KPI: its formula over the
 * sums of what kpi_drill gives, instead of over facts, has the same value.  (A
 * running period is compared with cut ones, and added up with whole ones.)  Of
 * the facts only that they are there is used, and which measures are known.
 */
CREATE FUNCTION pg_temp.added_up(kpi text, grain text, day date, dimension text, member text) RETURNS numeric
LANGUAGE sql AS $$
	WITH k AS MATERIALIZED (
		SELECT kpi_expanded(kpi) AS formula, kpi_periods_per_year(grain) AS year, kpi_blank_member(dimension) AS blank
	), drilled AS MATERIALIZED (
		SELECT o.measure, o.from_day, o.to_day, sum(o.total) AS total,
			'1:{' || string_agg((o.amount * 86400000000)::bigint || CASE WHEN o.n > 1 THEN '*' || o.n ELSE '' END, ',' ORDER BY o.amount) || '}' AS state
		FROM (
			SELECT d.measure, d.from_day, d.to_day, d.amount, count(*) AS n, sum(d.amount) AS total
			FROM kpi_drill(kpi, day, dimension, member, grain) AS d
			GROUP BY d.measure, d.from_day, d.to_day, d.amount) AS o
		GROUP BY o.measure, o.from_day, o.to_day
	), fact AS MATERIALIZED (
		SELECT f.grain AS of_grain, f.period, jsonb_populate_record(f, (
			SELECT jsonb_object_agg(m.measure, CASE m.slot WHEN 'duration' THEN to_jsonb(coalesce(d.state, '1:{}')) ELSE to_jsonb(coalesce(d.total, 0)) END)
			FROM jsonb_each_text(to_jsonb(f)) AS known
				JOIN (SELECT DISTINCT measure, slot FROM kpi_measure) AS m ON m.measure = known.key
				LEFT JOIN drilled AS d ON d.measure = m.measure AND d.from_day = f.period AND d.to_day = f.period_end
			WHERE known.value IS NOT NULL)) AS rebuilt
		FROM k, kpi_fact AS f
		WHERE f.superseded_at IS NULL AND f.dimension = added_up.dimension AND f.member = k.blank AND f.period <= day
	), slot AS (
		SELECT n, s.period FROM k, unnest(kpi_starts(grain, day, kpi_formula_reach(k.formula, k.year))) WITH ORDINALITY AS s(period, n)
	), history AS (
		SELECT array_agg(CASE WHEN s.n - 1 IN (1, k.year) AND NOT (now.rebuilt).is_complete AND k.formula !~ '_last\(' THEN c.rebuilt ELSE w.rebuilt END ORDER BY s.n) AS facts
		FROM k CROSS JOIN slot AS s
			LEFT JOIN fact AS now ON now.of_grain = grain AND now.period = day
			LEFT JOIN fact AS w ON w.of_grain = grain AND w.period = s.period
			LEFT JOIN fact AS c ON c.of_grain = grain || '_cut' AND c.period = s.period
	)
	SELECT v.value
	FROM k, history AS h, kpi_evaluate(k.formula, h.facts, k.year,
		ARRAY(SELECT substr(measure, 8, length(measure) - 8) FROM drilled WHERE measure LIKE 'target(%' ORDER BY measure),
		ARRAY(SELECT total FROM drilled WHERE measure LIKE 'target(%' ORDER BY measure),
		ARRAY(SELECT rebuilt FROM fact WHERE of_grain = 'month' ORDER BY period DESC),
		ARRAY(SELECT setting FROM kpi_setting_default WHERE is_number ORDER BY setting),
		ARRAY(SELECT kpi_setting(setting)::numeric FROM kpi_setting_default WHERE is_number ORDER BY setting)) AS v
$$;

CREATE TEMP TABLE adding AS
SELECT DISTINCT ON (s.is_complete, s.dimension) f.grain, f.period, f.dimension, f.member
FROM (VALUES (false, 'total'), (true, 'rep')) AS s(is_complete, dimension)
	JOIN kpi_fact AS f USING (is_complete, dimension)
WHERE f.superseded_at IS NULL AND f.grain = 'month' AND f.member <> '(none)'
ORDER BY s.is_complete, s.dimension, f.period DESC, coalesce(f.revenue, f.won_value) DESC NULLS LAST, f.member;

SELECT kpi_define('rolling', 'sum_last(leads, 2) + mean_last(won_deals, 3)', 'count', 'up', 'Sums over several periods') IS NOT NULL AS defined \gset
SELECT kpi_define('functions', 'leads - prior(leads) + year_ago(won_deals) + sum_months(won_deals, 2) + coalesce(customers_of_year, 7)'
	' + days() + least(won_deals, leads) - greatest(won_deals, 1) + target(won_value) + coalesce(mean(sales_cycle) * quantile(sales_cycle, 0.3), 0) / nullif(leads, -1)',
	'count', 'up', 'All functions of formulas') IS NOT NULL AS defined \gset
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value)
SELECT DISTINCT 'won_value', dimension, member, day, (day + interval '1 year')::date, 120000
FROM adding, (SELECT date_trunc('year', period)::date AS day FROM adding ORDER BY period LIMIT 1) AS y
WHERE NOT EXISTS (SELECT FROM kpi_target AS t WHERE (t.kpi, t.dimension, t.member) = ('won_value', adding.dimension, adding.member));

CREATE TEMP TABLE added AS
SELECT d.kpi, a.dimension, kpi_value(d.kpi, a.period, a.dimension, a.member, a.grain) AS value,
	pg_temp.added_up(d.kpi, a.grain, a.period, a.dimension, a.member) AS sum
FROM adding AS a, (SELECT *, row_number() OVER (ORDER BY kpi) % 2 = 0 AS is_even FROM kpi_definition WHERE layer <> 2) AS d
WHERE (a.dimension = 'total') = d.is_even OR d.kpi IN ('functions', 'rolling') OR d.formula LIKE '%target(%';

SELECT pg_temp.same('what is behind a number adds up to it, for every KPI', 'SELECT kpi, dimension, trim_scale(sum) FROM added', 'SELECT kpi, dimension, trim_scale(value) FROM added');
SELECT pg_temp.same('most of them have a value', 'SELECT count(value) > 30, count(*) FILTER (WHERE kpi IN (''functions'', ''rolling'') AND value IS NOT NULL) FROM added', 'SELECT true, 4');
