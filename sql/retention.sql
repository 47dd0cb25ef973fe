-- Retention and churn from one row a customer, against plain SQL.
SET search_path = kpi, public;
SET client_min_messages = warning;
\getenv source PG_ABS_SRCDIR
\set harness :source '/test/aggregates/harness.sql'
\set ECHO none
\i :harness
\set ECHO all

-- 100 customers at the start, 10 of them leave, 20 join, of whom 5 leave again:
-- retention 90, churn 10.
SELECT kpi_retention_rate(n <= 100, n > 10 AND n <= 115) AS retention, kpi_churn_rate(n <= 100, n > 10 AND n <= 115) AS churn,
	kpi_kept_state(n <= 100, n > 10 AND n <= 115) AS state
FROM generate_series(1, 120) n;

-- Treehouse: losing two customers of 3,000 of ten with 34,500 is 20 % of the
-- customers and 17.39 % of the revenue.
CREATE TABLE treehouse AS SELECT n, CASE WHEN n <= 8 THEN 3000 WHEN n = 9 THEN 10000 ELSE 500 END AS opening, CASE WHEN n <= 2 THEN NULL WHEN n <= 8 THEN 3000 WHEN n = 9 THEN 10000 ELSE 500 END AS closing
FROM generate_series(1, 10) n;
SELECT kpi_churn_rate(opening > 0, closing IS NOT NULL) AS customers, round(kpi_revenue_churn_rate(opening, closing), 2) AS revenue FROM treehouse;

-- ChartMogul: opening 100, churn 10, contraction 10, expansion 10: gross 20 %, net 10 %.
SELECT kpi_revenue_churn_rate(opening, closing) AS gross_churn, kpi_net_revenue_churn_rate(opening, closing) AS net_churn,
	kpi_gross_revenue_retention(opening, closing) AS gross_retention, kpi_net_revenue_retention(opening, closing) AS net_retention
FROM (VALUES (10, 0), (30, 20), (60, 70), (0, 1000), (NULL, 5)) v(opening, closing);

-- Without anybody at the start there is nothing to keep; unknown is left out,
-- no amount is none.
SELECT kpi_retention_rate(was, is_there) AS retention, kpi_churn_rate(was, is_there) AS churn FROM (VALUES (false, true), (NULL, true), (true, NULL)) v(was, is_there);
SELECT kpi_retention_rate(true, is_there) AS retention FROM (VALUES (true), (NULL), (false)) v(is_there);
SELECT kpi_net_revenue_retention(o, c) AS net, kpi_gross_revenue_retention(o, c) AS gross FROM (VALUES (0, 5), (NULL, 5)) v(o, c);
SELECT kpi_net_revenue_retention(o, c) AS net, kpi_revenue_churn_rate(o, c) AS churn FROM (VALUES (5::smallint, NULL::smallint)) v(o, c);
SELECT harness.outcome(format('SELECT kpi.%s(%s::%s, %s::%s)', name, o, type, c, type)) AS outcome, count(*)
FROM unnest('{kpi_net_revenue_retention,kpi_net_revenue_churn_rate,kpi_gross_revenue_retention,kpi_revenue_churn_rate}'::text[]) name,
	unnest('{numeric,bigint,integer,smallint}'::text[]) type, (VALUES (-1, 1), (1, -1), (0, -1)) v(o, c)
GROUP BY 1;
SELECT harness.outcome('SELECT kpi.kpi_net_revenue_retention(''NaN''::numeric, 1)') AS nan;

-- Stripe's glossary: 100 customers at 100 a month and 50 at 600 a year are 12,500.
SELECT kpi_mrr(amount, '2026-01-01', NULL, date '2026-02-01') AS stripe
FROM (SELECT 100::numeric FROM generate_series(1, 100) UNION ALL SELECT kpi_monthly(600, 'year', 1) FROM generate_series(1, 50)) v(amount);
-- Two customers of 100 from 1 January, one of them until 1 March 00:00.
SELECT to_char(month, 'YYYY-MM-DD') AS at, kpi_mrr(100, '2026-01-01', valid_to, month) AS mrr, kpi_numerator(kpi_mrr_state(100::smallint, '2026-01-01', valid_to, month)) AS of_state
FROM (VALUES (NULL::timestamp), ('2026-03-01')) v(valid_to), generate_series('2026-01-01'::timestamp, '2026-04-01', '1 month') month GROUP BY month ORDER BY month;
SELECT kpi_mrr(NULL::bigint, NULL, NULL, now()) AS unknown, kpi_mrr(5, NULL, NULL, now()) AS ever, kpi_mrr(0.0, NULL, NULL, now()) AS nothing, kpi_mrr(5, now(), 'infinity', now()) AS comes, kpi_mrr(5, '-infinity', now(), now()) AS goes;
SELECT harness.outcome('SELECT kpi.kpi_mrr(-1, NULL, NULL, now())') AS negative, harness.outcome('SELECT kpi.kpi_mrr(1, NULL, now(), NULL)') AS never;

-- Random customers.
SELECT setseed(0.3);
CREATE TABLE customer AS
SELECT n, CASE WHEN n < 4 THEN n WHEN n % 3 = 0 THEN 4 + n % 12 ELSE 7 END::integer AS g, floor(random() * 4)::integer AS h, floor(random() * 6)::integer AS split,
	CASE WHEN random() > 0.1 THEN random() < 0.6 END AS was, CASE WHEN random() > 0.1 THEN random() < 0.6 END AS still,
	CASE WHEN random() > 0.1 THEN greatest(0, round((random() * 100 - 30)::numeric * (CASE WHEN n % 7 = 0 THEN 1e36 ELSE 1 END), (n % 4)::integer)) END AS opening,
	CASE WHEN random() > 0.1 THEN greatest(0, round((random() * 100 - 30)::numeric * (CASE WHEN n % 7 = 0 THEN 1e36 ELSE 1 END), (n % 4)::integer)) END AS closing,
	CASE WHEN random() > 0.1 THEN greatest(0, random() * 9e18 - 2e18)::bigint END AS opening_8, CASE WHEN random() > 0.1 THEN greatest(0, random() * 9e18 - 2e18)::bigint END AS closing_8,
	CASE WHEN random() > 0.1 THEN greatest(0, random() * 12 - 2)::integer END AS opening_4, CASE WHEN random() > 0.1 THEN greatest(0, random() * 12 - 2)::integer END AS closing_4
FROM generate_series(1::bigint, 700) n;
SELECT harness.prepare('customer');
CREATE FUNCTION percent(a numeric, b numeric) RETURNS numeric IMMUTABLE LANGUAGE sql
AS $$ SELECT CASE WHEN b > 0 THEN sign(a) * div(200 * abs(a) * 1e16 + b, b * 2) * 1e-16 END $$;
SELECT max(different) AS different, sum(compared) AS compared, count(*) AS ways
FROM harness.compare('customer', 'kpi_retention_rate(was, still)',
	'percent(count(*) FILTER (WHERE was AND still), count(*) FILTER (WHERE was AND still IS NOT NULL))', 'kpi_kept_state(was, still)', 'kpi_percent(%s)');
SELECT max(different) AS different, sum(compared) AS compared, count(*) AS ways
FROM harness.compare('customer', 'kpi_churn_rate(was, still)',
	'percent(count(*) FILTER (WHERE was AND NOT still), count(*) FILTER (WHERE was AND still IS NOT NULL))', 'kpi_kept_state(was, still)', 'kpi_margin(%s)');
SELECT max(different) AS different, sum(compared) AS compared, count(*) AS ways
FROM harness.compare('customer', 'kpi_net_revenue_retention(opening, closing)',
	'percent(coalesce(sum(closing) FILTER (WHERE opening > 0), 0), sum(opening))', 'kpi_net_kept_state(opening, closing)', 'kpi_percent(%s)');
SELECT max(different) AS different, sum(compared) AS compared, count(*) AS ways
FROM harness.compare('customer', 'kpi_net_revenue_churn_rate(opening_8, closing_8)',
	'percent(sum(opening_8) - coalesce(sum(closing_8) FILTER (WHERE opening_8 > 0), 0), sum(opening_8))', 'kpi_net_kept_state(opening_8, closing_8)', 'kpi_margin(%s)');
SELECT max(different) AS different, sum(compared) AS compared, count(*) AS ways
FROM harness.compare('customer', 'kpi_gross_revenue_retention(opening_4, closing_4)',
	'percent(sum(least(opening_4, coalesce(closing_4, 0))) FILTER (WHERE opening_4 > 0), sum(opening_4))', 'kpi_gross_kept_state(opening_4, closing_4)', 'kpi_percent(%s)');
SELECT max(different) AS different, sum(compared) AS compared, count(*) AS ways
FROM harness.compare('customer', 'kpi_revenue_churn_rate(opening, closing)',
	'percent(sum(greatest(opening - coalesce(closing, 0), 0)), sum(opening))', 'kpi_gross_kept_state(opening, closing)', 'kpi_margin(%s)');

ALTER TABLE customer ADD f date, ADD t date;
ALTER TABLE customer_partitioned ADD f date, ADD t date;
UPDATE customer SET f = CASE WHEN random() > 0.1 THEN '2026-01-01'::date + floor(random() * 9)::integer END, t = CASE WHEN random() > 0.3 THEN '2026-01-01'::date + floor(random() * 9)::integer END;
UPDATE customer_partitioned p SET f = c.f, t = c.t FROM customer c WHERE c.n = p.n;
ANALYZE customer;
ANALYZE customer_partitioned;
SELECT max(different) AS different, sum(compared) AS compared, count(*) AS ways
FROM harness.compare('customer', 'kpi_mrr(opening, f, t, date ''2026-01-05'')',
	'CASE WHEN count(opening) > 0 THEN coalesce(sum(opening) FILTER (WHERE (f < ''2026-01-05'' OR f IS NULL) AND (t >= ''2026-01-05'' OR t IS NULL)), 0) END',
	'kpi_mrr_state(opening, f, t, date ''2026-01-05'')', 'kpi_numerator(%s)');

DROP TABLE treehouse, customer;
DROP FUNCTION percent(numeric, numeric);
DROP SCHEMA harness CASCADE;
