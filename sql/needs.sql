-- What a KPI needs, and what is there of it.
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
BEGIN;
SELECT * FROM kpi_needs('cost_per_lead');
CREATE TABLE deals (id integer, status text, closed_at date, amount numeric);
SELECT count(*) > 0 AS bound FROM kpi_bind('opportunity', 'deals');
SELECT * FROM kpi_needs('sales_cycle_length');
CREATE TABLE leads (id integer, created_at date);
SELECT count(*) > 0 AS bound FROM kpi_bind('lead', 'leads');
SELECT * FROM kpi_needs('cost_per_lead');
SELECT measure, source, status FROM kpi_needs('open_opportunities');
ALTER TABLE deals ADD created_at date;
SELECT * FROM kpi_needs('sales_cycle_length');
-- each measure of each KPI is of a source
SELECT count(DISTINCT d.kpi) = (SELECT count(*) FROM kpi_definition) AS all_there, count(*) FILTER (WHERE n.source IS NULL) AS without
FROM kpi_definition d LEFT JOIN LATERAL kpi_needs(d.kpi) n ON true;
SELECT kpi_needs('nonsense');
ROLLBACK;

-- What there never was, what is there since the last snapshot, and what no column tells.
BEGIN;
CREATE TABLE sales AS SELECT n AS sale_id, (date_trunc('month', kpi_today()) - n * interval '1 month')::date AS sold_at, 100 AS amount FROM generate_series(1, 3) n;
CREATE TABLE calls AS SELECT n AS id, (date_trunc('month', kpi_today()) - n * interval '1 month')::date AS happened_at, 'demo' AS kind, 'done' AS status FROM generate_series(1, 3) n;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'sales');
SELECT reason FROM kpi_report() WHERE kpi = 'revenue_growth';
SELECT outcome FROM kpi_snapshot();
SELECT array_agg(coalesce(trim_scale(value)::text, reason) ORDER BY "time") AS growth FROM kpi_series('revenue_growth', (kpi_today() - interval '1 year')::date, (date_trunc('month', kpi_today()))::date);
SELECT kpi, reason FROM kpi_report() WHERE kpi IN ('show_rate', 'profit_margin', 'revenue_growth_year', 'lifetime_spend_per_customer') ORDER BY kpi;
SELECT kpi, reason FROM kpi_live_values('{demos,profit_margin}', kpi_today() - 30, kpi_today()) ORDER BY kpi;
SELECT count(*) > 0 AS bound FROM kpi_bind('activity', 'calls');
SELECT kpi, value, reason FROM kpi_report() WHERE kpi IN ('demos_done', 'show_rate', 'onboardings', 'profit_margin') ORDER BY kpi;
SELECT outcome FROM kpi_snapshot();
SELECT kpi, value, reason FROM kpi_report() WHERE kpi IN ('show_rate', 'profit_margin') ORDER BY kpi;
-- Before there was anything sums are of nothing, as in the rows; means and comparisons have no history.
ALTER TABLE sales ADD direct_cost numeric DEFAULT 20;
SELECT kpi_set('margin_default', '30') AS margin, kpi_define('of_months', 'sum_months(revenue, 12)', 'money', 'up', 'Of twelve months'), kpi_define('of_periods', 'sum_last(revenue, 12)', 'money', 'up', 'Of twelve'),
	kpi_define('mean_of_periods', 'mean_last(revenue, 12)', 'money', 'up', 'Mean of twelve'), kpi_define('growth_of_periods', 'revenue - year_ago(revenue)', 'money', 'up', 'Growth');
SELECT outcome FROM kpi_snapshot();
SELECT k AS kpi, trim_scale(v.value) AS value, v.reason, k IN ('mean_of_periods', 'growth_of_periods') OR v.value = kpi_live(k, m.day, (m.day + interval '1 month')::date) AS as_live
FROM unnest('{of_months,of_periods,margin_of_year,mean_of_periods,growth_of_periods}'::text[]) WITH ORDINALITY u(k, n), (SELECT (date_trunc('month', kpi_today()) - interval '1 month')::date AS day) m,
	kpi_series(k, m.day, (m.day + interval '1 month')::date) v ORDER BY u.n;
-- Of what comes before the first period no snapshot will ever tell, of what is to come the next ones will.
SELECT n.what, r.value, r.reason FROM (VALUES (1, 'before', kpi_today() - 200, 'month', NULL::timestamptz), (2, 'to come', kpi_today() + 40, 'month', NULL), (3, 'before it was known', kpi_today() - 200, 'month', now() - interval '1 day')) n(i, what, day, grain, as_of),
	kpi_report(n.day, n.grain, selection => 'measures', as_of => n.as_of) r WHERE r.kpi = 'revenue' ORDER BY n.i;
ROLLBACK;

-- Where it is not known that there was nothing, sums are not taken for known: before the days looked at, and of stocks and rosters, which may be older.
BEGIN;
CREATE TABLE sales AS SELECT n AS sale_id, ('2023-01-15'::date + n * interval '1 month')::date AS sold_at, 100 AS amount FROM generate_series(0, 39) n;
CREATE TABLE reps AS SELECT 'r1' AS id, '2024-01-01'::date AS active_from;
CREATE TABLE contracts AS SELECT 'a' || n AS account_id, '2025-03-01'::date AS valid_from, NULL::date AS valid_to, 10 AS amount FROM generate_series(1, 2) n;
SELECT kpi_define('three', 'sum_last(revenue, 3)', 'money', 'up', 'Three'), kpi_define('three_months', 'sum_months(revenue, 3)', 'money', 'up', 'Three months'),
	kpi_define('mean_of_three', 'mean_last(revenue, 3)', 'money', 'up', 'Mean of three'), kpi_define('twice', 'sum_last(sum_months(revenue, 2), 2)', 'money', 'up', 'Twice'),
	kpi_define('days_of_three', 'sum_last(days(), 3)', 'count', 'up', 'Days'), kpi_define('rep_days_of_three', 'sum_last(rep_days, 3)', 'count', 'up', 'Days of three'),
	kpi_define('mrr_of_three', 'sum_last(mrr, 3)', 'money', 'up', 'MRR of three');
CREATE FUNCTION told(first_day date) RETURNS TABLE (kpi text, at_first text, second text, third text) LANGUAGE sql AS $$
	SELECT u.k, v.told[1], v.told[2], v.told[3]
	FROM unnest('{three,three_months,mean_of_three,twice,days_of_three,rep_days_of_three,mrr_of_three}'::text[]) WITH ORDINALITY u(k, n),
		LATERAL (SELECT array_agg(coalesce(trim_scale(round(s.value, 2))::text, s.reason) ORDER BY s."time") AS told
				 FROM kpi_series(u.k, first_day, (first_day + interval '3 months')::date) s) v ORDER BY u.n $$;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'sales');
SAVEPOINT before;
-- sales since 2023, but the year before is all that is looked at
SELECT kpi_set('history_years', '1') AS years;
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-10');
SELECT * FROM told('2025-01-01');
-- and facts of the years before stay as they were last taken
CREATE TEMP VIEW taken AS SELECT extract(year FROM period) AS of_year, max(revenue) AS a_month FROM kpi_fact WHERE superseded_at IS NULL AND grain = 'month' AND dimension = 'total' AND period < '2026-01-01' GROUP BY 1;
SELECT outcome FROM kpi_snapshot('2023-01-01', NULL, '2026-05-11');
UPDATE sales SET amount = 101;
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-12');
SELECT * FROM taken ORDER BY of_year;
ROLLBACK TO before;
-- nothing in January, of before it is not known
SELECT kpi_set('history_years', '1') AS years;
DELETE FROM sales WHERE sold_at < '2025-02-01';
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-10');
SELECT * FROM told('2025-02-01');
ROLLBACK TO before;
-- nothing before March but a rep, and contracts since then
DELETE FROM sales WHERE sold_at < '2025-03-01';
SELECT count(*) > 0 AS bound FROM kpi_bind('rep', 'reps');
SELECT count(*) > 0 AS bound FROM kpi_bind('subscription', 'contracts');
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-10');
SELECT * FROM told('2025-03-01');
SELECT v.kpi, v.day, trim_scale(kpi_live(v.kpi, v.day, (v.day + interval '1 month')::date)) AS live
FROM (VALUES (1, 'three', '2025-03-01'::date), (2, 'rep_days_of_three', '2025-05-01'), (3, 'mrr_of_three', '2025-04-01')) v(n, kpi, day) ORDER BY v.n;
-- the last month that was over when the first one ran had nothing: of the week of its beginning, of days, and of it while it runs
SELECT kpi_set('grains', 'day,week,month,year') AS grains;
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-11');
SELECT v.grain, v.day, trim_scale(kpi_value('three_months', v.day, grain => v.grain)) AS value, trim_scale(kpi_live('three_months', v.day, v.day_end)) AS live
FROM (VALUES (1, 'week', '2025-03-03'::date, '2025-03-10'::date), (2, 'week', '2025-03-31', '2025-04-07'), (3, 'week', '2025-04-28', '2025-05-05'), (4, 'day', '2025-03-05', '2025-03-06'), (5, 'day', '2025-04-05', '2025-04-06'), (6, 'month', '2025-03-01', '2025-04-01')) v(n, grain, day, day_end) ORDER BY v.n;
ROLLBACK TO before;
DELETE FROM sales WHERE sold_at < '2025-03-01';
SELECT outcome FROM kpi_snapshot(as_of => '2025-03-20');
SELECT trim_scale(kpi_value('three_months', '2025-03-20')) AS running, trim_scale(kpi_value('three', '2025-03-20')) AS with_it;
ROLLBACK TO before;
-- contracts alone
SELECT count(*) AS unbound FROM kpi_unbind('sale');
SELECT count(*) > 0 AS bound FROM kpi_bind('subscription', 'contracts');
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-10');
SELECT * FROM told('2025-03-01');
ROLLBACK;
