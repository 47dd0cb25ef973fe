--
-- What a refresh must not miss: after it the facts are those of a snapshot that
-- takes everything.  Changes at random are in test/track.sh; these are single ones
-- that have been missed.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Takes what changed, then everything: how many periods the first took, and how many facts differ.
CREATE FUNCTION pg_temp.facts() RETURNS SETOF jsonb LANGUAGE sql AS
'SELECT to_jsonb(f) - ''run'' - ''recorded_at'' FROM kpi.kpi_fact f WHERE superseded_at IS NULL';
CREATE FUNCTION pg_temp.refresh(as_of timestamptz, OUT taken boolean, OUT missed bigint) LANGUAGE plpgsql AS $$
DECLARE
	found jsonb[];
BEGIN
	SELECT s.periods > 0 INTO taken FROM kpi.kpi_snapshot(as_of => as_of) s;
	found := ARRAY(SELECT pg_temp.facts());
	UPDATE kpi.kpi_run SET basis = NULL;
	PERFORM kpi.kpi_snapshot(as_of => as_of + interval '1 microsecond');
	SELECT count(*) INTO missed FROM ((SELECT pg_temp.facts() EXCEPT ALL SELECT unnest(found)) UNION ALL (SELECT unnest(found) EXCEPT ALL SELECT pg_temp.facts())) d;
END;
$$;

-- A purchase to come makes a customer of whom only a credit note was there.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sale (sale_id int, sold_at timestamptz, amount numeric, account_id text);
INSERT INTO crm.sale VALUES (1, '2024-04-10 12:00+00', -5, 'A'), (2, '2025-06-10 12:30+00', 50, 'A'), (3, '2024-02-10 12:30+00', 50, 'B');
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT relation::text FROM kpi_track('sale');
SELECT outcome FROM kpi_snapshot(as_of => '2025-06-10 12:00+00');
SELECT member, revenue FROM kpi_fact WHERE grain = 'month' AND period = '2024-04-01' AND dimension = 'cohort' AND revenue <> 0 AND superseded_at IS NULL;
SELECT * FROM pg_temp.refresh('2025-06-10 13:00+00');
SELECT member, revenue FROM kpi_fact WHERE grain = 'month' AND period = '2024-04-01' AND dimension = 'cohort' AND revenue <> 0 AND superseded_at IS NULL;
ROLLBACK;

-- A month of a year ago is cut where today is, also before all data but an account's; and periods asked for leave no gap behind them.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sale (sale_id int, sold_at date, amount numeric);
CREATE TABLE crm.account (id text, created_at date, valid_to date);
INSERT INTO crm.sale VALUES (1, '2025-01-29', 7), (2, '2025-02-03', 9);
INSERT INTO crm.account VALUES ('A', '2024-06-11', NULL);
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT count(*) FROM kpi_bind('account', 'crm.account') WHERE required;
SELECT count(*) FROM kpi_source s, kpi_track(s.source);
SELECT outcome FROM kpi_snapshot(as_of => '2025-06-10 12:00+00');
SELECT * FROM pg_temp.refresh('2025-06-12 13:00+00');
SELECT period_end, days, accounts FROM kpi_fact WHERE grain = 'month_cut' AND period = '2024-06-01' AND dimension = 'total' AND superseded_at IS NULL;
SELECT outcome FROM kpi_snapshot('2023-01-01', '2023-12-31', '2025-06-12 14:00+00');
SELECT * FROM pg_temp.refresh('2025-06-12 15:00+00');
SELECT * FROM pg_temp.refresh('2025-06-12 16:00+00');
-- An account's row without a start counts from when another one ends.
INSERT INTO crm.account VALUES ('B', NULL, '2025-02-01');
SELECT * FROM pg_temp.refresh('2025-06-12 17:00+00');
INSERT INTO crm.account VALUES ('B', NULL, NULL);
SELECT * FROM pg_temp.refresh('2025-06-12 18:00+00');
ROLLBACK;

-- A calendar of one's own grows at its beginning.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sale (sale_id int, sold_at date, amount numeric);
INSERT INTO crm.sale VALUES (1, '2023-10-10', 5), (2, '2024-04-10', 7);
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT relation::text FROM kpi_track('sale');
INSERT INTO kpi_calendar SELECT 'month', m, m + interval '1 month' FROM generate_series(timestamp '2024-01-01', '2025-12-01', '1 month') m;
SELECT kpi_set('grains', 'month'), kpi_set('calendar', 'table');
SELECT outcome FROM kpi_snapshot(as_of => '2025-06-10 12:00+00');
INSERT INTO kpi_calendar SELECT 'month', m, m + interval '1 month' FROM generate_series(timestamp '2023-01-01', '2023-12-01', '1 month') m;
SELECT * FROM pg_temp.refresh('2025-06-10 13:00+00');
SELECT sum(revenue) FROM kpi_fact WHERE dimension = 'total' AND grain = 'month' AND superseded_at IS NULL;
ROLLBACK;

-- What a view cannot make of a row that it leaves out, or of what was mended, fails no refresh.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.o (order_no int, net numeric);
CREATE TABLE crm.field (order_no int, name text, val text);
CREATE VIEW crm.sale AS SELECT o.order_no AS sale_id, f.val::date AS sold_at, o.net AS amount FROM crm.o JOIN crm.field f ON f.order_no = o.order_no AND f.name = 'order date';
INSERT INTO crm.o VALUES (1, 7);
INSERT INTO crm.field VALUES (1, 'order date', '2024-05-05'), (1, 'colour', 'green');
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT count(*) FROM kpi_track('sale');
SELECT outcome FROM kpi_snapshot(as_of => '2025-06-10 12:00+00');
UPDATE crm.o SET net = 8;
SELECT * FROM pg_temp.refresh('2025-06-10 13:00+00');
INSERT INTO crm.field VALUES (1, 'order date', '31.02.2024');
UPDATE crm.field SET val = '2024-02-29' WHERE val LIKE '31%';
SELECT * FROM pg_temp.refresh('2025-06-10 14:00+00');
ROLLBACK;

-- A part of a table, or a child, is written through the whole one too: its own triggers do not see that.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sales (sale_id int, sold_at date, amount numeric) PARTITION BY RANGE (sold_at);
CREATE TABLE crm.sale PARTITION OF crm.sales FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE crm.leads (id int, created_at date);
CREATE TABLE crm.lead () INHERITS (crm.leads);
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT count(*) FROM kpi_bind('lead', 'crm.lead') WHERE required;
\set VERBOSITY default
\set SHOW_CONTEXT never
SAVEPOINT s;
SELECT * FROM kpi_track('sale');
ROLLBACK TO s;
SELECT * FROM kpi_track('lead');
ROLLBACK TO s;
SELECT source, tracked, reason FROM kpi_tracking();
SELECT count(*) FROM kpi_bind('sale', 'crm.sales') WHERE required;
SELECT count(*) FROM kpi_bind('lead', 'crm.leads') WHERE required;
SELECT count(*) FROM kpi_track('sale');
SELECT count(*) FROM kpi_track('lead');
SELECT source, tracked, reason FROM kpi_tracking();
ROLLBACK;

-- Quotes without any date are of no day, whatever becomes of their opportunities; these have theirs.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.opportunity (id int, status text, closed_at date);
CREATE TABLE crm.quote (id int, opportunity_id int, amount numeric);
INSERT INTO crm.opportunity VALUES (1, 'won', '2024-03-05'), (2, 'lost', '2024-09-05');
INSERT INTO crm.quote VALUES (10, 1, 100);
SELECT count(*) FROM kpi_bind('opportunity', 'crm.opportunity') WHERE required;
SELECT count(*) FROM kpi_bind('quote', 'crm.quote') WHERE required;
SELECT count(*) FROM kpi_source s, kpi_track(s.source);
SELECT outcome FROM kpi_snapshot(as_of => '2025-06-10 12:00+00');
UPDATE crm.opportunity SET status = 'lost' WHERE id = 1;
SELECT * FROM pg_temp.refresh('2025-06-10 13:00+00');
SELECT won_deals, lost_deals FROM kpi_fact WHERE grain = 'year' AND period = '2024-01-01' AND dimension = 'total' AND superseded_at IS NULL;
ROLLBACK;
