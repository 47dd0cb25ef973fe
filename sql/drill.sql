--
-- The rows behind a number.  That they add up to it, for every measure, is
-- tested where its data is: sql/snapshot.sql, test/demo.sh, test/odoo.sh.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'America/New_York';
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA shop;

SELECT kpi_set('time_zone', 'Europe/Berlin'), kpi_set('currency', 'EUR');

-- What a formula reads, where it stands in the fraction and how far back.
SELECT * FROM kpi_formula_reads('100 * (revenue - prior(revenue)) / nullif(greatest(prior(revenue), 0), 0)', 12);
SELECT * FROM kpi_formula_reads('a / (b / c) - mean(d) / quantile(e, 0.5)', 12);
SELECT * FROM kpi_formula_reads('year_ago(sum_last(prior(a), 3)) / days() + target(revenue)', 4);
SELECT * FROM kpi_formula_reads('prior(sum_months(a + year_ago(b), 3)) * setting(margin_default)', 4);
SELECT kpi_formula_reads(NULL, 12);

SAVEPOINT before;
SELECT * FROM kpi_drill('revenue', '2025-06-01');
ROLLBACK TO before;

--
-- A shop whose order lines are dated by days and in two currencies.
--
CREATE TABLE shop.line (order_no integer, line_no integer, day date, net numeric, paid_in text, customer integer, seller integer, note text);
INSERT INTO shop.line VALUES
	(1, 1, '2025-05-31', 100, NULL, 7, 1, 'the day before'),
	(2, 1, '2025-06-01', 10.50, 'EUR', 7, 1, 'the first day'),
	(2, 2, '2025-06-01', 5, 'USD', 7, NULL, NULL),
	(3, 1, '2025-06-30', -3, NULL, 8, 2, 'a credit note on the last day'),
	(4, 1, '2025-06-15', 1, 'GBP', 8, 2, 'a currency without rate'),
	(4, 2, '2025-06-15', 'NaN', NULL, 8, 2, 'no number'),
	(5, 1, '2025-07-01', 1000, NULL, 9, 2, 'the day after');
CREATE VIEW shop.sale AS
SELECT order_no AS sale_id, order_no || '/' || line_no AS line_id, day AS sold_at, net AS amount, paid_in AS currency, customer AS account_id, seller AS rep_id, note FROM shop.line;
CREATE TABLE shop.rate (currency text, valid_on date, rate numeric);
INSERT INTO shop.rate VALUES ('USD', '2025-05-20', 0.9);
SELECT count(*) AS bound FROM kpi_bind('sale', 'shop.sale') WHERE status = 'ok';
SELECT count(*) AS bound FROM kpi_bind('exchange_rate', 'shop.rate') WHERE status = 'ok';

-- The row is the bound relation's own, with columns that no KPI uses.
SELECT * FROM kpi_drill('revenue', '2025-06-10');
SELECT key, amount FROM kpi_drill('revenue', '2025-06-10', 'rep', '2');
SELECT key, amount FROM kpi_drill('revenue', '2025-06-10', 'rep', '(none)');
SELECT key, amount FROM kpi_drill('revenue', '2025-06-10', 'rep', 'nobody');
SELECT key, amount FROM kpi_drill('revenue', '2025-06-10', 'plan', '(none)');	-- a sale has no plan
SELECT from_day, to_day, count(*), sum(amount) FROM kpi_drill('revenue', '2025-06-10', grain => 'quarter') GROUP BY 1, 2;

-- Each measure and period of a formula by itself, and where it stands.
SELECT part, measure, from_day, to_day, key, amount FROM kpi_drill('revenue_growth', '2025-06-10');
SELECT part, measure, key, at, amount FROM kpi_drill('average_purchase_value', '2025-06-10');
SELECT part, measure, key, amount FROM kpi_drill('customers', '2025-06-10');
SELECT key, amount, source_row FROM kpi_drill('customers_won', '2025-05-10');
SELECT kpi_define('twofold', '(revenue - 2 * sum_last(revenue, 2)) / revenue', 'ratio', 'up', 'Twofold');
SELECT part, measure, from_day, sum(amount) FROM kpi_drill('twofold', '2025-07-10') GROUP BY 1, 2, 3 ORDER BY from_day;

-- The targets behind an attainment: one of the very month, months of the
-- quarter, a share of the year where there is nothing shorter; a bound source's
-- where kpi_target has none.
INSERT INTO kpi_target (kpi, from_day, to_day, value, currency, rate) VALUES
	('revenue', '2025-04-01', '2025-05-01', 50, NULL, NULL), ('revenue', '2025-05-01', '2025-06-01', 60, NULL, NULL), ('revenue', '2025-06-01', '2025-07-01', 100, 'USD', 0.8),
	('revenue', '2025-01-01', '2026-01-01', 730, NULL, NULL);
CREATE TABLE shop.quota (kpi text, from_day date, to_day date, value numeric, dimension text, member text, wish text);
INSERT INTO shop.quota VALUES ('revenue', '2025-04-01', '2025-07-01', 91, 'rep', '1', 'of the boss'), ('revenue', '2025-06-01', '2025-07-01', 999, NULL, NULL, 'kpi_target has one');
SELECT count(*) AS bound FROM kpi_bind('target', 'shop.quota') WHERE status = 'ok';
CREATE FUNCTION shop.behind(day date, grain text, dimension text DEFAULT 'total', member text DEFAULT '')
RETURNS TABLE (part text, measure text, source text, n bigint, amount numeric) LANGUAGE sql AS $$
	SELECT part, measure, source, count(*), sum(amount) FROM kpi_drill('target_attainment', day, dimension, member, grain) GROUP BY 1, 2, 3 ORDER BY 2 $$;
SELECT * FROM shop.behind('2025-06-10', 'month');
SELECT * FROM shop.behind('2025-06-10', 'quarter');	-- 50 + 60 + 80
SELECT * FROM shop.behind('2025-07-10', 'month');	-- 730 * 31 / 365
SELECT * FROM shop.behind('2025-06-10', 'month', 'rep', '1');	-- 91 * 30 / 91
SELECT * FROM shop.behind('2025-06-10', 'month', 'rep', '2');
SELECT source, at, amount, source_row - 'target' AS source_row FROM kpi_drill('target_attainment', '2025-06-10', grain => 'quarter') WHERE measure = 'target(revenue)';
SELECT source, key, at, amount, source_row FROM kpi_drill('target_attainment', '2025-06-10', 'rep', '1') WHERE measure = 'target(revenue)';
SELECT kpi_define('ahead', 'revenue - prior(revenue) - target(revenue)', 'money', 'up', 'Ahead');
SELECT part, measure, from_day, sum(amount) FROM kpi_drill('ahead', '2025-06-10') GROUP BY 1, 2, 3 ORDER BY 2, 3;

-- Of a running period what was there at the last snapshot, and its cut one to compare with.
SELECT outcome FROM kpi_snapshot(as_of => '2025-07-02 12:00+02');
INSERT INTO shop.line VALUES (6, 1, '2025-07-03', 50, NULL, 9, 2, 'after the snapshot');
SELECT part, from_day, to_day, key, amount FROM kpi_drill('revenue_growth', '2025-07-10');
SELECT value, numerator, denominator FROM kpi_report('2025-07-10') WHERE kpi = 'revenue_growth';
-- What the rows add up to is the number.
SELECT d.grain, d.dimension, d.member, kpi_value('target_attainment', '2025-06-10', d.dimension, d.member, d.grain) = trim_scale(round(100 * max(b.amount) FILTER (WHERE b.measure = 'revenue') / max(b.amount) FILTER (WHERE b.measure <> 'revenue'), 16)) AS adds_up
FROM (VALUES ('month', 'total', ''), ('quarter', 'total', ''), ('year', 'total', ''), ('month', 'rep', '1')) d(grain, dimension, member), LATERAL shop.behind('2025-06-10', d.grain, d.dimension, d.member) b GROUP BY 1, 2, 3 ORDER BY 1, 2;
SELECT count(*) FROM kpi_drill('revenue', '2025-08-10');
SELECT count(*) FROM unnest('{-infinity,infinity}'::date[]) day, kpi_drill('revenue_growth', day);

-- What it is made of, from the facts: what the rows add up to, up to the last snapshot.
SELECT * FROM kpi_made_of('revenue_growth', '2025-07-10');
SELECT * FROM kpi_made_of('target_attainment', '2025-06-10', grain => 'quarter');
SELECT part, measure, from_day, amount FROM kpi_made_of('twofold', '2025-07-10', 'rep', '2');
SELECT kpi_define('goal', 'target(revenue)', 'money', 'up', 'Goal');	-- of nothing but a target: 100 at 0.8
SELECT measure, from_day, source, amount FROM kpi_made_of('goal', '2025-06-10');
SELECT * FROM kpi_made_of('revenue', '2020-01-01');

-- No more rows than asked for: of the first measures the newest.
SELECT measure, from_day, key, at FROM kpi_drill('twofold', '2025-07-10', most => 3);
SELECT measure, key FROM kpi_drill('average_purchase_value', '2025-06-10', most => 4);
SELECT count(*) FROM kpi_drill('target_attainment', '2025-06-10', 'rep', 'nobody', most => 0);	-- not even an error
SELECT count(*) FROM kpi_drill('target_attainment', '2025-06-10', most => 0);
SELECT count(*) FROM kpi_drill('target_attainment', '2025-06-10', most => 100);

-- No day: the last complete period.
SELECT key FROM kpi_drill('sale_lines') ORDER BY key;

-- What cannot be asked.
SAVEPOINT before;
SELECT * FROM kpi_drill('profit', '2025-06-01');
ROLLBACK TO before;
SELECT * FROM kpi_drill('revenue', '2025-06-01', grain => 'fortnight');
ROLLBACK TO before;
SELECT * FROM kpi_drill('revenue', '2025-06-01', 'planet');
ROLLBACK TO before;
SELECT * FROM kpi_drill('revenue', '2025-06-01', 'rep');
ROLLBACK TO before;
SELECT * FROM kpi_drill('revenue', '2025-06-01', most => -1);
ROLLBACK TO before;
SELECT * FROM kpi_made_of('profit', '2025-06-01');
ROLLBACK TO before;

--
-- Only the rows of the period are read, with an index on what they are dated
-- by: days in one table, instants in the other.
--
CREATE TABLE shop.many_lines AS
SELECT n AS sale_id, date '2023-01-01' + n % 1000 AS sold_at, 1 AS amount FROM generate_series(1, 30000) n;
CREATE INDEX ON shop.many_lines (sold_at);
CREATE TABLE shop.many_calls AS
SELECT timestamptz '2023-01-01 00:00+01' + n % 1000 * interval '1 day' AS happened_at, 'call' AS kind, n % 5 AS rep_id FROM generate_series(1, 30000) n;
CREATE INDEX ON shop.many_calls (happened_at);
ANALYZE shop.many_lines, shop.many_calls;
SELECT count(*) AS bound FROM kpi_bind('sale', 'shop.many_lines') WHERE status = 'ok';
SELECT count(*) AS bound FROM kpi_bind('activity', 'shop.many_calls') WHERE status = 'ok';
CREATE VIEW shop.rows_read AS
SELECT relname, coalesce(seq_tup_read, 0) AS by_scan, coalesce(idx_tup_fetch, 0) AS by_index FROM pg_stat_xact_user_tables WHERE relname LIKE 'many%';
CREATE TABLE shop.before AS SELECT * FROM shop.rows_read;
SELECT sum(amount) FROM kpi_drill('revenue', '2024-02-10');
SELECT sum(amount) FROM kpi_drill('calls', '2024-02-10', 'rep', '3');
SELECT relname, r.by_scan - b.by_scan AS by_scan, r.by_index - b.by_index AS by_index FROM shop.rows_read r JOIN shop.before b USING (relname) ORDER BY relname;

--
-- And of what they name no more than that, by ids of whatever types: from sales
-- to opportunities, from there to accounts and reps.  Of a history only the
-- opportunities not closed before.
--
CREATE TABLE shop.many_accounts AS SELECT n AS id, (ARRAY['North', 'South'])[1 + n / 7 % 2] AS region, repeat('x', 300) AS filler FROM generate_series(1, 20000) n;
CREATE UNIQUE INDEX ON shop.many_accounts (id);
CREATE TABLE shop.many_people AS SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid AS id, 'T' || n % 3 AS team, repeat('x', 300) AS filler FROM generate_series(1, 20000) n;
CREATE UNIQUE INDEX ON shop.many_people (id);
CREATE TABLE shop.many_leads AS SELECT n AS id, timestamptz '2022-12-01 00:00+01' + n % 700 * interval '1 day' AS created_at, repeat('x', 300) AS filler FROM generate_series(1, 20000) n;
CREATE UNIQUE INDEX ON shop.many_leads (id);
CREATE INDEX ON shop.many_leads (created_at);
CREATE TABLE shop.many_deals AS
SELECT 'D' || n AS id, n AS lead_id, CASE WHEN n % 1000 = 0 THEN 'open' ELSE 'won' END AS status, n AS account_id, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0')) AS rep_id,
	timestamptz '2022-12-15 00:00+01' + n % 700 * interval '1 day' AS created_at, CASE WHEN n % 1000 > 0 THEN timestamptz '2023-01-01 00:00+01' + n % 700 * interval '1 day' END AS closed_at,
	repeat('x', 300) AS filler
FROM generate_series(1, 20000) n;
CREATE UNIQUE INDEX ON shop.many_deals (id);
CREATE INDEX ON shop.many_deals (lead_id);
CREATE INDEX ON shop.many_deals (account_id);
CREATE INDEX ON shop.many_deals (closed_at);
CREATE TABLE shop.many_steps AS
SELECT id::varchar AS opportunity_id, created_at + s * interval '1 day' AS valid_from, (ARRAY['early', 'late'])[s] AS stage, 'open' AS status, filler
FROM shop.many_deals, generate_series(1, 2) s;
CREATE INDEX ON shop.many_steps (opportunity_id);
CREATE TABLE shop.many_sales AS
SELECT n AS sale_id, timestamptz '2023-01-01 00:00+01' + n % 1000 * interval '1 day' AS sold_at, 1 AS amount,
	CASE WHEN n % 97 = 0 THEN '' ELSE (n % 20000 + 1)::text END AS account_id, 'D' || n % 20000 + 1 AS opportunity_id, repeat('x', 300) AS filler
FROM generate_series(1, 30000) n;
CREATE INDEX ON shop.many_sales (sold_at);
CREATE INDEX ON shop.many_sales (account_id);
ANALYZE shop.many_accounts, shop.many_people, shop.many_leads, shop.many_deals, shop.many_steps, shop.many_sales;
SELECT source, count(*) AS bound FROM unnest('{account,lead,opportunity,opportunity_history,rep,sale}'::text[], '{accounts,leads,deals,steps,people,sales}'::text[]) s(source, name),
	kpi_bind(source, ('shop.many_' || name)::regclass) WHERE status = 'ok' GROUP BY source ORDER BY source;
-- What was read as a whole, and whether there was little else.
CREATE FUNCTION shop.drilled(kpi text, day date, dimension text, member text, OUT amount numeric, OUT scanned text, OUT few boolean) LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := (SELECT jsonb_object_agg(relname, to_jsonb(r)) FROM shop.rows_read r);
BEGIN
	amount := (SELECT sum(d.amount) FROM kpi_drill(kpi, day, dimension, member, 'day') d);
	SELECT string_agg(r.relname, ', ' ORDER BY r.relname) FILTER (WHERE r.by_scan > b.by_scan), sum(r.by_index - b.by_index) < 2000 INTO scanned, few
	FROM shop.rows_read r JOIN jsonb_to_recordset((SELECT jsonb_agg(value) FROM jsonb_each(before))) b(relname name, by_scan bigint, by_index bigint) USING (relname);
END $$;
CREATE VIEW shop.sold AS
SELECT s.sold_at, s.amount, a.region, p.team, min(s.sold_at) OVER (PARTITION BY a.id) AS first_at
FROM shop.many_sales s LEFT JOIN shop.many_deals d ON d.id = s.opportunity_id LEFT JOIN shop.many_accounts a ON a.id = coalesce(nullif(s.account_id, '')::integer, d.account_id)
	LEFT JOIN shop.many_people p ON p.id = d.rep_id::uuid;
SELECT sum(amount) FILTER (WHERE region = 'North') AS north, sum(amount) FILTER (WHERE team = 'T1') AS t1, sum(amount) FILTER (WHERE first_at >= '2024-02-01 00:00+01' AND first_at < '2024-03-01 00:00+01') AS cohort
FROM shop.sold WHERE sold_at = '2024-02-10 00:00+01';
SELECT * FROM shop.drilled('revenue', '2024-02-10', 'region', 'North');
SELECT * FROM shop.drilled('revenue', '2024-02-10', 'team', 'T1');
SELECT * FROM shop.drilled('revenue', '2024-02-10', 'cohort', '2024-02-01');
SELECT count(*) FILTER (WHERE p.team = 'T1') AS t1, sum(round(extract(epoch FROM d.closed_at - l.created_at) / 86400)) AS days
FROM shop.many_deals d JOIN shop.many_people p ON p.id = d.rep_id::uuid JOIN shop.many_leads l ON l.id = d.lead_id WHERE d.closed_at = '2024-02-10 00:00+01';
SELECT * FROM shop.drilled('won_deals', '2024-02-10', 'team', 'T1');
SELECT * FROM shop.drilled('sales_cycle', '2024-02-10', 'total', '');
SELECT count(*) FROM shop.many_leads l JOIN shop.many_deals d ON d.lead_id = l.id AND d.status = 'won' WHERE l.created_at = '2024-02-10 00:00+01';
SELECT * FROM shop.drilled('leads_converted', '2024-02-10', 'total', '');
SELECT count(*) FROM shop.many_deals d JOIN shop.many_accounts a ON a.id = d.account_id WHERE (d.closed_at >= '2024-11-30 00:00+01' OR d.status = 'open') AND a.region = 'North';
SELECT * FROM shop.drilled('open_opportunities', '2024-11-29', 'region', 'North');

-- What a view cannot make is told by the query that reads it.
CREATE VIEW shop.spoilt AS SELECT i AS sale_id, date '2024-02-10' AS sold_at, 1 / (i - 2) AS amount FROM generate_series(1, 3) i;
SELECT count(*) AS bound FROM kpi_bind('sale', 'shop.spoilt') WHERE status = 'ok';
DO $$
DECLARE
	context text;
BEGIN
	PERFORM kpi_drill('revenue', '2024-02-10');
EXCEPTION WHEN division_by_zero THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RAISE WARNING '%, in shop.spoilt: %', SQLERRM, context LIKE '%FROM shop.spoilt%';
END $$;
ROLLBACK;
