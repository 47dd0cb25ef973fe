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
SELECT kpi, reason FROM kpi_report() WHERE kpi IN ('show_rate', 'profit_margin', 'revenue_growth_year') ORDER BY kpi;
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
ROLLBACK;
