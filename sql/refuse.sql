--
-- What is refused: each with an error that names the source and the column, and
-- with the facts as they were before.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'Pacific/Auckland';
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sale (sale_id integer, sold_at timestamptz, amount numeric, region text);
INSERT INTO crm.sale VALUES (1, '2025-03-10', 1, 'North'), (2, '2025-04-10', 2, 'South');

-- Runs a statement that should fail, and says how: message, SQLSTATE, hint.
CREATE FUNCTION crm.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
	detail text;
BEGIN
	EXECUTE statement;
	RETURN 'not refused: ' || statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(E'\n', SQLSTATE || ' ' || message, 'DETAIL: ' || nullif(detail, ''), 'HINT: ' || nullif(hint, ''));
END;
$$;
\pset format unaligned
\pset tuples_only on

--
-- Binding
--
CREATE TABLE crm.no_amount (sale_id integer, sold_at date);
CREATE TABLE crm.text_amount (sale_id integer, sold_at date, amount text);
CREATE TABLE crm.naive (sale_id integer, sold_at timestamp, amount numeric);
CREATE TABLE crm.many (sale_id boolean, sold_at text, amount money, rep_id jsonb);
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.no_amount')$$);
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.text_amount')$$);
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.naive')$$);
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.many')$$);
SELECT crm.refused($$SELECT kpi_bind('sales', 'crm.sale')$$);
SELECT crm.refused($$SELECT kpi_bind(NULL, 'crm.sale')$$);
SELECT crm.refused($$SELECT kpi_bind('sale', NULL)$$);
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.nowhere')$$);
SELECT crm.refused($$SELECT kpi_unbind('sales')$$);
SELECT crm.refused($$SELECT kpi_skeleton('sales')$$);
SELECT crm.refused($$SELECT kpi_bind('target', 'kpi.kpi_target')$$);
CREATE SCHEMA "Sales ""KPI""";
CREATE TABLE "Sales ""KPI""".sale (id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY);
CREATE TYPE crm.row_type AS (sale_id integer, sold_at date, amount numeric);
SELECT crm.refused(format('SELECT kpi_bind(%L, %L)', 'sale', r)) FROM unnest(ARRAY['"Sales ""KPI""".sale_pkey', '"Sales ""KPI""".sale_id_seq', 'crm.row_type', '4294967295']) r;
-- A temporary table may be tried out, in one session.
SAVEPOINT tried;
CREATE TEMP TABLE passing OF crm.row_type;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'passing');
ROLLBACK TO tried;
SELECT crm.refused($$SELECT kpi_monthly(100, 'Monat', 1)$$);
SELECT crm.refused($$SELECT kpi_monthly(100, 'month', 0)$$);
SELECT crm.refused($$SELECT kpi_bad_rows('sale', 'no luck')$$);
SELECT crm.refused($$SELECT kpi_snapshot()$$);
SELECT 'nothing was bound: ' || count(*) FROM kpi_source;
CREATE VIEW crm.nobody AS SELECT 'Offer'::text AS name;
SELECT 'bound: ' || bool_or(true) FROM kpi_bind('stage', 'crm.nobody');
SELECT crm.refused($$SELECT kpi_snapshot()$$);
SELECT 'unbound: ' || kpi_unbind('stage');

-- What is not known is not in the way.
ALTER TABLE crm.sale ADD stranger jsonb, ADD industry text;
SELECT string_agg(column_name || ': ' || status, ', ' ORDER BY column_name) FROM kpi_bind('sale', 'crm.sale') WHERE column_name IN ('sale_id', 'stranger', 'industry', 'rep_id');
ALTER TABLE crm.sale DROP stranger, DROP industry;
-- What is text may be a code, or one of an enum; what it cannot be, a hint says how to cast.
CREATE TYPE crm.colour AS ENUM ('red', 'green');
ALTER TABLE crm.sale ADD product integer, ADD channel crm.colour, ADD shade crm.colour, ADD size integer;
SELECT string_agg(column_name || ': ' || status, ', ' ORDER BY column_name) FROM kpi_bind('sale', 'crm.sale') WHERE column_name IN ('product', 'channel', 'shade', 'size');
ALTER TABLE crm.sale DROP product, DROP channel, DROP shade, DROP size;
CREATE TABLE crm.typed (sale_id integer, sold_at text, amount text, product jsonb);
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.typed')$$);
ALTER TABLE crm.typed ALTER amount TYPE integer USING 1, ALTER sold_at TYPE date USING '2025-01-01';
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.typed')$$);
ALTER TABLE crm.typed ALTER product TYPE text[] USING '{A,B}';
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.typed')$$);
CREATE TABLE crm.sent (happened_at date, kind text, delivered smallint);
SELECT crm.refused($$SELECT kpi_bind('activity', 'crm.sent')$$);
ALTER TABLE crm.typed DROP product, ALTER sold_at TYPE bigint USING 1;
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.typed')$$);
ALTER TABLE crm.typed ALTER sold_at TYPE text;
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.typed')$$);

--
-- Snapshots: the facts of the first one stay through all that follows.
--
SELECT outcome FROM kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-20 12:00+00');
CREATE TABLE crm.before AS SELECT to_jsonb(f) AS fact FROM kpi_fact f;
CREATE TABLE crm.problem_before AS SELECT * FROM kpi_problem;
CREATE FUNCTION crm.as_before() RETURNS text LANGUAGE sql
RETURN CASE WHEN (SELECT count(*) FROM crm.before) > 5
	AND NOT EXISTS ((SELECT to_jsonb(f) FROM kpi_fact f EXCEPT SELECT fact FROM crm.before) UNION ALL (SELECT fact FROM crm.before EXCEPT SELECT to_jsonb(f) FROM kpi_fact f))
	AND NOT EXISTS (SELECT FROM kpi_run WHERE outcome <> 'done') AND NOT EXISTS (SELECT * FROM kpi_problem EXCEPT SELECT * FROM crm.problem_before)
	THEN 'facts as before' ELSE 'facts have changed' END;
UPDATE crm.sale SET amount = 100;

SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-20 12:00+00')$$), crm.as_before();
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-20 11:59+00')$$), crm.as_before();
SELECT crm.refused($$SELECT kpi_snapshot('2025-04-01', '2025-03-31', '2025-05-21 12:00+00')$$), crm.as_before();
SELECT crm.refused($$SELECT kpi_snapshot('2025-05-23', NULL, '2025-05-21 12:00+00')$$), crm.as_before();
SELECT crm.refused($$SELECT kpi_snapshot('-infinity', '2025-04-30', '2025-05-21 12:00+00')$$), crm.as_before();
SELECT split_part(crm.refused(format('SELECT kpi_snapshot(NULL, NULL, %L)', clock_timestamp() + interval '1 hour')), '"', 1), crm.as_before();
SELECT split_part(crm.refused($$SELECT kpi_snapshot(NULL, NULL, 'infinity')$$), '"', 1), crm.as_before();

-- A view that raises while it is read, in one row of many.
CREATE VIEW crm.share AS SELECT sale_id, sold_at, amount / (sale_id - 2) AS amount, region FROM crm.sale;
SELECT count(*) > 0 FROM kpi_bind('sale', 'crm.share');
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00')$$), crm.as_before();

-- What called the snapshot says nothing of it, what the view calls does.
CREATE FUNCTION crm.share_of(sale_id bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'no share of %', sale_id; END $$;
CREATE OR REPLACE VIEW crm.share AS SELECT sale_id, sold_at, amount / crm.share_of(sale_id) AS amount, region FROM crm.sale;
SAVEPOINT before_share;
\set VERBOSITY default
\set SHOW_CONTEXT always
SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00');
\set SHOW_CONTEXT errors
\set VERBOSITY terse
ROLLBACK TO before_share;
-- A view that takes a snapshot, which reads the view; others follow each other in a transaction.
CREATE OR REPLACE VIEW crm.share AS SELECT sale_id, sold_at, amount, (SELECT outcome FROM kpi_snapshot()) AS region FROM crm.sale;
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00')$$), crm.as_before();
CREATE OR REPLACE VIEW crm.share AS SELECT sale_id, sold_at, amount, region FROM crm.sale;
SELECT string_agg(outcome, ' ') FROM unnest('{2025-05-21 12:00+00,2025-05-21 13:00+00}'::timestamptz[]) at, kpi_snapshot('2025-03-01', '2025-04-30', at);
ROLLBACK TO before_share;
-- A view that has lost a column, or got another type, since it was bound.
CREATE VIEW crm.lost AS SELECT sale_id, sold_at, amount, region FROM crm.sale;
SELECT count(*) > 0 FROM kpi_bind('sale', 'crm.lost');
DROP VIEW crm.lost;
CREATE VIEW crm.lost AS SELECT sale_id, sold_at, region FROM crm.sale;
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00')$$), crm.as_before();
DROP VIEW crm.lost;
CREATE VIEW crm.lost AS SELECT sale_id, sold_at AT TIME ZONE 'UTC' AS sold_at, amount, region FROM crm.sale;
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00')$$), crm.as_before();
DROP VIEW crm.lost;
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00')$$), crm.as_before();
-- An optional column may go.
CREATE VIEW crm.lost AS SELECT sale_id, sold_at, amount FROM crm.sale;
SAVEPOINT optional;
SELECT outcome FROM kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00');
SELECT 'no region any more: ' || count(*) FILTER (WHERE revenue IS NOT NULL) FROM kpi_fact WHERE dimension = 'region' AND superseded_at IS NULL AND grain = 'month';
ROLLBACK TO optional;

-- A role that may not read the source; then one that may read it, but not all of its rows.
SELECT count(*) > 0 FROM kpi_bind('sale', 'crm.sale');
CREATE ROLE regress_salkpi_runner;
GRANT USAGE ON SCHEMA kpi, crm TO regress_salkpi_runner;
GRANT SELECT ON ALL TABLES IN SCHEMA kpi TO regress_salkpi_runner;
GRANT INSERT, UPDATE, DELETE ON kpi_fact, kpi_run, kpi_problem, kpi_expected, kpi_alert, kpi_rep_role, kpi_track_log, kpi_track_mark, kpi_source TO regress_salkpi_runner;
GRANT SELECT ON crm.before, crm.problem_before TO regress_salkpi_runner;
SET ROLE regress_salkpi_runner;
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00')$$), crm.as_before();
SELECT crm.refused($$SELECT kpi_bind('sale', 'crm.sale')$$), crm.as_before();
RESET ROLE;
GRANT SELECT (sale_id, sold_at, amount) ON crm.sale TO regress_salkpi_runner;
SET ROLE regress_salkpi_runner;
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00')$$), crm.as_before();
RESET ROLE;
GRANT SELECT ON crm.sale TO regress_salkpi_runner;
ALTER TABLE crm.sale ENABLE ROW LEVEL SECURITY;
CREATE POLICY first_only ON crm.sale USING (sale_id = 1);
SET ROLE regress_salkpi_runner;
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00')$$), crm.as_before();
RESET ROLE;
ALTER TABLE crm.sale DISABLE ROW LEVEL SECURITY;
SET ROLE regress_salkpi_runner;
SAVEPOINT allowed;
SELECT outcome FROM kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00');
SELECT 'with these rights it may: ' || kpi_value('revenue', '2025-03-01');
ROLLBACK TO allowed;
RESET ROLE;

--
-- Settings
--
SELECT crm.refused($$SELECT kpi_set('timezone', 'UTC')$$);
SELECT crm.refused($$SELECT kpi_set('time_zone', 'Mars/Olympus')$$);
SELECT crm.refused($$SELECT kpi_set('time_zone', '')$$);
-- What PostgreSQL takes for an abbreviation with an offset is no name of a zone; those that have one are.
SELECT crm.refused($$SELECT kpi_set('time_zone', 'Europe/Berlin1')$$);
SELECT crm.refused($$SELECT kpi_set('time_zone', 'Etc/GMT+13')$$);
SAVEPOINT zones;
SELECT 'names: ' || count(*) FROM unnest('{UTC,Etc/GMT+12,Etc/GMT-14,Etc/GMT0,America/Port-au-Prince,America/Argentina/Buenos_Aires,Pacific/Apia}'::text[]) z WHERE kpi_set('time_zone', z, rebuild => true) = z;
ROLLBACK TO zones;
SELECT crm.refused($$SELECT kpi_set('currency', 'Euro')$$);
SELECT crm.refused($$SELECT kpi_set('fiscal_year_month', '13')$$);
SELECT crm.refused($$SELECT kpi_set('grains', 'month,decade')$$);
SELECT crm.refused($$SELECT kpi_set('week_start', 'friday')$$);
SELECT 'unknown: ' || (kpi_setting('timezone') IS NULL);
-- A grain named twice counts once.
SAVEPOINT twice;
SELECT 'twice: ' || kpi_set('grains', 'quarter,month,month,quarter');
SELECT outcome || ', ' || periods || ' periods' FROM kpi_snapshot('2025-01-01', '2025-03-31', '2025-05-21 12:00+00');
ROLLBACK TO twice;
-- Amounts that no number can add up.
SAVEPOINT amounts;
INSERT INTO crm.sale (sale_id, sold_at, amount) SELECT 100 + n, '2025-03-11', ('9e131071')::numeric FROM generate_series(1, 2) n;
SELECT crm.refused($$SELECT kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00')$$);
ROLLBACK TO amounts;
-- Rates of a currency in itself are 1, or they are in another one.
SAVEPOINT rates;
CREATE TABLE crm.rate (currency text, valid_on date, rate numeric);
INSERT INTO crm.rate VALUES ('USD', '2024-01-01', 0.8), ('GBP', '2024-01-01', 1.2);
SELECT count(*) AS bound FROM kpi_bind('exchange_rate', 'crm.rate') WHERE status = 'ok';
SELECT crm.refused($$SELECT kpi_set('currency', 'USD', rebuild => true)$$), crm.as_before();
UPDATE crm.rate SET currency = kpi_setting('currency') WHERE currency = 'USD';
SELECT outcome, problems FROM kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 13:00+00');
SELECT subject, what FROM kpi_check() WHERE subject = 'exchange_rate';
SELECT b.* FROM kpi_bad_rows('exchange_rate') b;
SELECT 'the same is no change: ' || kpi_set('currency', kpi_setting('currency'));
ROLLBACK TO rates;
-- Facts made under other settings could not be compared.
SELECT crm.refused($$SELECT kpi_set('time_zone', 'Europe/Berlin')$$), crm.as_before();
SELECT crm.refused($$SELECT kpi_set('currency', 'USD')$$), crm.as_before();
SELECT crm.refused($$SELECT kpi_set('fiscal_year_month', '4')$$), crm.as_before();
SELECT crm.refused($$SELECT kpi_set('week_start', 'sunday')$$), crm.as_before();
SELECT 'the same is no change: ' || kpi_set('time_zone', kpi_setting('time_zone')), crm.as_before();
SELECT 'the language may change: ' || kpi_set('language', 'de'), crm.as_before();
-- With rebuild the facts are closed, not lost, and the next snapshot makes them anew.
SELECT 'rebuild: ' || kpi_set('time_zone', 'Europe/Berlin', rebuild => true);
SELECT 'kept: ' || (count(*) = (SELECT count(*) FROM crm.before)) || ', closed: ' || (count(superseded_at) = count(*)) FROM kpi_fact;
SELECT outcome || ', ' || (changed = facts AND facts > 0) FROM kpi_snapshot('2025-03-01', '2025-04-30', '2025-05-21 12:00+00');
SELECT 'anew: ' || kpi_value('revenue', '2025-03-01');

--
-- Dimensions, KPIs, periods that do not exist
--
SELECT crm.refused($$SELECT kpi_define_dimension('Region')$$);
SELECT crm.refused($$SELECT kpi_define_dimension('region+product', '{product,region}')$$);
SELECT crm.refused($$SELECT kpi_define_dimension('total')$$);
SELECT split_part(crm.refused($$SELECT kpi_value(NULL, NULL)$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_value('turnover', '2025-03-01')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_value('revenue', '2025-03-01', 'planet')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_value('revenue', '2025-03-01', grain => 'decade')$$), E'\n', 1);

--
-- Definitions
--
SELECT split_part(crm.refused($$SELECT kpi_define('revenue', 'calls', 'count', 'up', 'R')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_define('Rate', 'calls', 'count', 'up', 'R')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_define('rate', 'calls / nothing', 'count', 'up', 'R')$$), E'\n', 1);
SELECT crm.refused($$SELECT kpi_define('rate', 'calls', 'number', 'up', 'R')$$);
SELECT crm.refused($$SELECT kpi_define('rate', 'calls', 'count', 'higher', 'R')$$);
SELECT split_part(crm.refused($$SELECT kpi_define('rate', 'calls', 'count', 'up', 'R', n => 'nothing')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_define('rate', '2 * sales_cycle', 'days', 'up', 'R')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_define('rate', 'mean(calls)', 'days', 'up', 'R')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_define('rate', 'rate + calls', 'count', 'up', 'R')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_define('reps', 'revenue_per_rep', 'count', 'up', 'R')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_select('all', 'revenue')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_select('mine', 'turnover')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_select('', 'revenue')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_select(NULL, 'revenue')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_define('rate', NULL, 'count', 'up', 'R')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_define('rate', 'calls', 'count', 'up', ' ')$$), E'\n', 1);
-- Without KPIs a selection is gone, or as it comes.
SELECT kpi_select('mine', 'revenue', 'calls') AS mine, kpi_select('top5', 'revenue') AS top5;
SELECT kpi_select('mine') AS mine, kpi_select('top5') AS top5;
SELECT selection, count(*) FROM kpi_selection WHERE selection IN ('mine', 'top5') GROUP BY selection;
-- What another KPI is made of, or counts its rows with, cannot go.
SELECT 'expanded: ' || kpi_define('net', 'revenue - direct_cost', 'money', 'up', 'Net'), 'expanded: ' || kpi_define('twice', '2 * net', 'money', 'up', 'Twice'),
	'expanded: ' || kpi_define('counted', 'revenue', 'money', 'up', 'Counted', n => 'twice');
SELECT split_part(crm.refused($$SELECT kpi_undefine('net')$$), E'\n', 1);
SELECT split_part(crm.refused($$SELECT kpi_undefine('twice')$$), E'\n', 1);
SELECT kpi_undefine('counted') AS counted, kpi_undefine('twice') AS twice, kpi_undefine('net') AS net, kpi_undefine('net') AS again;

ROLLBACK;

--
-- In a transaction that would not see what others have committed since it began.
--
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kpi_snapshot();
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT kpi_snapshot('2025-03-01', '2025-04-30');
ROLLBACK;
