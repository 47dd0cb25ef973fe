--
-- The two forms of the ledger: one state for all customers within
-- ledger_memory_mb, beyond it a state for each of some groups of customers.
-- Both give the same facts, for subscriptions whose reps and accounts moved and
-- whose currencies had other rates, and for customers by purchases.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'Pacific/Auckland';	-- of the session: it must not matter

BEGIN;
SELECT kpi_set('time_zone', 'Europe/Berlin');
CREATE SCHEMA crm;
CREATE FUNCTION crm.h(n bigint, salt integer, below integer) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN (hashint8extended(n, salt) & 1073741823) % below;
CREATE TABLE crm.subscription AS
SELECT n AS id, CASE WHEN n % 2 = 0 THEN crowd[1 + crm.h(n, 1, cardinality(crowd))] ELSE crm.h(n, 1, 6000) END AS account_id, (10 + crm.h(n, 2, 500)) * 1.05 AS amount, valid_from,
	CASE WHEN crm.h(n, 3, 4) > 0 THEN valid_from + (1 + crm.h(n, 4, 400)) * interval '1 day' END AS valid_to,
	CASE crm.h(n, 5, 3) WHEN 0 THEN 'year' WHEN 1 THEN 'month' END AS billing_unit, CASE crm.h(n, 6, 3) WHEN 0 THEN 'USD' END AS currency,
	CASE crm.h(n, 7, 9) WHEN 0 THEN 'trial' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'paused' END AS status,
	'plan ' || crm.h(n, 8, 5) AS plan, (ARRAY['North', 'East', '', NULL])[1 + crm.h(n, 9, 4)] AS region, 'channel ' || crm.h(n, 10, 4) AS channel, crm.h(n, 11, 9) AS rep_id
FROM generate_series(1, 12000) n, (SELECT array_agg(a) AS crowd FROM generate_series(0, 5999) a WHERE hashtext(a::text) & 15 = 0) c, LATERAL (SELECT timestamptz '2023-01-01 00:00+01' + crm.h(n, 12, 1000) * interval '1 day' + (crm.h(n, 13, 2) * 7) * interval '1 hour') v(valid_from);
CREATE TABLE crm.account AS
SELECT n AS id, CASE v WHEN 1 THEN 'North' ELSE 'South' END AS region, 'segment ' || (n + v) % 3 AS segment,
	CASE WHEN v = 2 THEN moved END AS valid_from, CASE WHEN v = 1 AND n % 10 = 0 THEN moved END AS valid_to
FROM generate_series(0, 5999) n, LATERAL (SELECT timestamptz '2024-02-01 00:00+01' + crm.h(n, 14, 400) * interval '1 day') m(moved), generate_series(1, CASE n % 10 WHEN 0 THEN 2 ELSE 1 END) v;
CREATE TABLE crm.rep AS SELECT n AS id, 'Rep ' || n AS name, 'Team ' || n % 3 AS team FROM generate_series(0, 8) n;
CREATE TABLE crm.exchange_rate AS SELECT 'USD' AS currency, d::date AS valid_on, 0.8 + 0.01 * extract(month FROM d) AS rate FROM generate_series(timestamp '2023-01-01', '2025-12-01', '1 month') d;
CREATE TABLE crm.sale AS
SELECT n AS sale_id, timestamptz '2023-01-01 00:00+01' + crm.h(n, 15, 1000) * interval '1 day' AS sold_at, (crm.h(n, 16, 900) - 50) * 1.19 AS amount, nullif(crm.h(n, 17, 3000), 0) AS account_id,
	'product ' || crm.h(n, 18, 6) AS product, crm.h(n, 19, 9) AS rep_id
FROM generate_series(1, 10000) n;
ANALYZE crm.subscription, crm.account, crm.rep, crm.exchange_rate, crm.sale;
SELECT count(*) AS bound FROM unnest('{subscription,account,rep,exchange_rate}'::text[]) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.' || s)::regclass));

-- More than a megabyte: all customers, and the crowd that makes up a sixteenth
-- of them; not the 256th part of them.
CREATE FUNCTION crm.fits(groups integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	type text;
BEGIN
	PERFORM kpi_ledger((SELECT array_agg(b) FROM generate_series(timestamptz '2023-01-01 00:00+01', '2025-10-01', '1 month') b), 'total; plan=1; region=2; channel=3; rep=4 / mb=1',
			account_id::text, valid_from, valid_to, amount, plan, region, channel, rep_id::text, NULL, NULL, NULL, NULL, NULL, NULL)
		FROM crm.subscription WHERE hashtext(account_id::text) & (groups - 1) = 0;
	RETURN true;
EXCEPTION WHEN configuration_limit_exceeded THEN
	GET STACKED DIAGNOSTICS type = PG_DATATYPE_NAME;
	RETURN CASE type WHEN 'kpi_ledger' THEN false END;
END;
$$;
SELECT crm.fits(1) AS all_of_them, crm.fits(16) AS the_crowd, crm.fits(256) AS few;

CREATE VIEW crm.fact AS SELECT to_jsonb(f) - '{run,recorded_at,superseded_at}'::text[] AS fact, f.dimension, f.member FROM kpi_fact f;

-- One state.
SELECT outcome FROM kpi_snapshot('2023-02-10', '2025-09-30', '2025-09-20 12:00+02');
CREATE TABLE crm.one AS TABLE crm.fact;
SELECT count(*) > 1000 AS enough, count(DISTINCT dimension) AS dimensions, max((fact ->> 'mrr_churned')::numeric) > 0 AND max((fact ->> 'mrr_reactivated')::numeric) > 0 AS moved FROM crm.one;

-- Groups, as fine as it takes.
SELECT kpi_set('ledger_memory_mb', '1');
DELETE FROM kpi_fact;
SELECT outcome, changed = facts AS all_new FROM kpi_snapshot('2023-02-10', '2025-09-30', '2025-09-20 12:00:02+02');
SELECT count(*) AS different FROM (TABLE crm.one EXCEPT ALL TABLE crm.fact) d;
SELECT count(*) AS different FROM (TABLE crm.fact EXCEPT ALL TABLE crm.one) d;
SHOW enable_hashagg;	-- as it was

-- Customers by purchases.
SELECT kpi_unbind('subscription');
SELECT count(*) AS bound FROM unnest('{sale}'::text[]) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.' || s)::regclass));
DELETE FROM kpi_fact;
SELECT outcome FROM kpi_snapshot('2023-02-10', '2025-09-30', '2025-09-20 12:00:03+02');
CREATE TABLE crm.groups AS TABLE crm.fact;
SELECT count(*) > 1000 AS enough, max((fact ->> 'customers_reactivated')::numeric) > 0 AS moved FROM crm.groups;
SELECT kpi_set('ledger_memory_mb', NULL);
DELETE FROM kpi_fact;
SELECT outcome, changed = facts AS all_new FROM kpi_snapshot('2023-02-10', '2025-09-30', '2025-09-20 12:00:05+02');
SELECT count(*) AS different FROM (TABLE crm.groups EXCEPT ALL TABLE crm.fact) d;
SELECT count(*) AS different FROM (TABLE crm.fact EXCEPT ALL TABLE crm.groups) d;
ROLLBACK;
