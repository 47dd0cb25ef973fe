--
-- Only what changed: what is noted of writes to tracked tables, and which days
-- a default snapshot concludes from it.  The rows are few and all dates are
-- written out, so that each answer can be told by hand.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'Pacific/Auckland';	-- of the session: it must not matter
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.customer (customer_no text, region text, remark text);
CREATE TABLE crm.deal (deal_no integer, customer_no integer, state text, created_at timestamptz, closed_at timestamptz, due_on date, lead_no integer);
CREATE TABLE crm.orders (order_no integer, ordered_on date, customer_no integer, deal_no integer, remark text) PARTITION BY RANGE (ordered_on);
CREATE TABLE crm.orders_2024 PARTITION OF crm.orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE crm.orders_2025 (remark text, deal_no integer, order_no integer, ordered_on date, customer_no integer);	-- in another order
ALTER TABLE crm.orders ATTACH PARTITION crm.orders_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE crm.line (order_no integer, line_no integer, net numeric, sku text);
CREATE TABLE crm.product (sku text, name text);
CREATE TABLE crm.prospect (lead_no integer, came_on date, qualified_on date, customer_no integer);
CREATE TABLE crm.offer (offer_no integer, deal_no integer, sent_on date, decided_on date);
CREATE TABLE crm.contract (customer_no integer, net numeric, since date, until date, churn_reason text);
CREATE TABLE crm.exchange_rate (currency text, valid_on date, rate numeric);	-- bound as it is

CREATE VIEW crm.account AS SELECT customer_no AS id, region FROM crm.customer;
CREATE VIEW crm.opportunity AS SELECT deal_no AS id, state AS status, created_at, closed_at, due_on AS expected_close, lead_no AS lead_id,
	customer_no AS account_id FROM crm.deal;
CREATE VIEW crm.sale AS SELECT o.order_no AS sale_id, o.ordered_on AS sold_at, l.net AS amount, o.customer_no AS account_id, o.deal_no AS opportunity_id, p.name AS product
	FROM crm.line l JOIN crm.orders o USING (order_no) LEFT JOIN crm.product p USING (sku) WHERE l.net <> 0;
CREATE VIEW crm.lead AS SELECT lead_no AS id, came_on AS created_at, qualified_on AS qualified_at, customer_no AS account_id FROM crm.prospect;
CREATE VIEW crm.quote AS SELECT offer_no AS id, sent_on AS sent_at, decided_on AS decided_at, deal_no AS opportunity_id FROM crm.offer;
CREATE VIEW crm.subscription AS SELECT customer_no AS account_id, net AS amount, since AS valid_from, until AS valid_to, churn_reason FROM crm.contract;

INSERT INTO crm.customer VALUES ('1', 'North'), ('2', 'South'), ('3', NULL);
INSERT INTO crm.prospect VALUES (1, '2024-02-05', '2024-02-20', 1), (2, '2024-03-05', NULL, NULL);
INSERT INTO crm.deal VALUES (10, 1, 'won', '2024-02-20 12:00+00', '2024-04-10 12:00+00', '2024-04-30', 1),
	(11, 2, 'open', '2025-02-20 12:00+00', NULL, '2025-12-31', 2);
INSERT INTO crm.offer VALUES (20, 10, '2024-03-10', '2024-04-10'), (21, 11, '2025-03-10', NULL);
INSERT INTO crm.orders VALUES (30, '2024-04-10', 1, 10), (31, '2025-01-15', 2, NULL), (32, '2025-03-15', 3, 11);
INSERT INTO crm.line VALUES (30, 1, 100, 'a'), (30, 2, 50, 'b'), (31, 1, 200, 'a'), (32, 1, 300, 'b');
INSERT INTO crm.product VALUES ('a', 'Apple'), ('b', 'Pear');
INSERT INTO crm.contract VALUES (1, 10, '2024-05-01', NULL), (2, 20, '2025-02-01', '2025-08-01');
INSERT INTO crm.exchange_rate VALUES ('USD', '2024-01-01', 0.9);
SELECT kpi_set('time_zone', 'Europe/Berlin');
SELECT count(*) > 0 AS bound FROM unnest('{account,opportunity,sale,lead,quote,subscription,exchange_rate}'::text[]) s, kpi_bind(s, ('crm.' || s)::regclass);

-- What kpi_changes finds, and then a snapshot takes, so that the next step begins anew; a day passes each time.
CREATE TEMP SEQUENCE days;
CREATE FUNCTION pg_temp.take(OUT spans datemultirange, OUT noted bigint, OUT left_over bigint) LANGUAGE plpgsql AS $$
DECLARE
	as_of timestamptz := timestamptz '2025-06-10 12:00+00' + nextval('days') * interval '1 hour';
BEGIN
	SELECT range_agg(c.spans) INTO spans FROM kpi_changes(as_of) c;
	noted := (SELECT count(*) FROM kpi_track_log);
	PERFORM kpi_snapshot(as_of => as_of);
	left_over := (SELECT count(*) FROM kpi_track_log);
END;
$$;

-- Whether the facts and bad rows are those that a snapshot of the same moment makes from nothing (that begins with
-- the first data that is left; facts of periods before it remain).
CREATE FUNCTION pg_temp.as_from_nothing() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	were text;
	this_run bigint;
	same boolean;
BEGIN
	CREATE TEMP TABLE were ON COMMIT DROP AS SELECT to_jsonb(f) - '{recorded_at,run}'::text[] AS fact FROM kpi_fact f WHERE f.superseded_at IS NULL;
	CREATE TEMP TABLE problems ON COMMIT DROP AS SELECT k.source, k.reason, k.bad_rows, k.keys FROM kpi_problem k;
	BEGIN
		DELETE FROM kpi_fact;
		DELETE FROM kpi_problem;
		UPDATE kpi_run SET basis = NULL;
		INSERT INTO kpi_run (outcome) VALUES ('running') RETURNING run INTO this_run;
		PERFORM kpi_take_snapshot(this_run, NULL, NULL, (SELECT max(as_of) FROM kpi_run));
		same := (SELECT count(*) > 0 FROM were) AND NOT EXISTS (
			SELECT FROM were w FULL JOIN (SELECT to_jsonb(f) - '{recorded_at,run}'::text[] AS fact FROM kpi_fact f) i USING (fact)
			 WHERE w.fact IS NULL AND i.fact IS NOT NULL
				OR i.fact IS NULL AND (w.fact ->> 'period')::date >= (SELECT min(f.period) FROM kpi_fact f WHERE f.grain = w.fact ->> 'grain'))
			AND NOT EXISTS (SELECT FROM (SELECT k.source, k.reason, k.bad_rows, k.keys FROM kpi_problem k EXCEPT ALL TABLE problems) k)
			AND NOT EXISTS (SELECT FROM (TABLE problems EXCEPT ALL SELECT k.source, k.reason, k.bad_rows, k.keys FROM kpi_problem k) k);
		RAISE EXCEPTION USING ERRCODE = 'ZZ000';
	EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
		NULL;
	END;
	DROP TABLE were, problems;
	RETURN same;
END;
$$;

-- Some time later: which sources are read then, and what for.
CREATE FUNCTION pg_temp.later(after interval, OUT is_read text, OUT periods integer, OUT problems bigint, OUT as_from_nothing boolean) LANGUAGE plpgsql AS $$
DECLARE
	as_of timestamptz := (SELECT max(r.as_of) FROM kpi_run r) + after;
BEGIN
	is_read := (SELECT string_agg(c.source, ', ' ORDER BY c.source) FROM kpi_changes(as_of) c WHERE NOT c.is_still);
	SELECT s.periods, s.problems INTO periods, problems FROM kpi_snapshot(as_of => as_of) s;
	as_from_nothing := pg_temp.as_from_nothing();
END;
$$;

--
-- How a change in a table leads to rows of a source.
--
SELECT s.source, t.relation, t.way, t.key, t.home, t.home_key, t.noted, t.read FROM kpi_source s, kpi_traces(s.source) t
 ORDER BY s.source, t.relation::text COLLATE "C";

-- What reading a source looks up is read with it.
SELECT s.source FROM (SELECT array_agg(u.source || '.' || u.column_name) AS columns FROM kpi_usable_columns() u) c, kpi_source s,
	   unnest(kpi_looked_up_sources(kpi_looked_up(kpi_source_query(s.source, c.columns), c.columns))) l
 WHERE l <> ALL (kpi_looks_up(s.source, c.columns));

-- Not tracked yet: a snapshot takes everything, each time.
SELECT source, relation, tracked, reason FROM kpi_tracking() WHERE source = 'sale' ORDER BY relation::text COLLATE "C";
SELECT * FROM pg_temp.take();
SELECT * FROM pg_temp.take();
SELECT kpi_track(source) FROM kpi_source ORDER BY source, 1;
SELECT count(*), bool_and(tracked), count(reason) FROM kpi_tracking();
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'kpi\_track\_%';	-- 4 each on 9 tables and 2 partitions

-- The triggers are a new basis; once more everything, then nothing.
SELECT * FROM pg_temp.take();
SELECT * FROM pg_temp.take();
SELECT periods < 15 FROM kpi_run ORDER BY run DESC LIMIT 1;	-- the running ones, and those they are compared with

-- Facts that were deleted are made again, all of them, though little has changed.
SAVEPOINT s;
DELETE FROM kpi_fact;
UPDATE crm.line SET net = net * 2 WHERE order_no = 30;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
ROLLBACK TO s;
DELETE FROM kpi_fact WHERE period < '2024-04-01';	-- the earliest ones alone, and nothing has changed
SELECT * FROM pg_temp.later('1 hour');
ROLLBACK TO s;

--
-- What did not change is not read, and remains as it is, bad rows too.
--
INSERT INTO crm.offer VALUES (23, 11, '2025-05-02', '2025-05-01');
SELECT * FROM pg_temp.later('1 hour');
SELECT * FROM pg_temp.later('1 hour');
SELECT k.source, k.reason, k.keys, k.run < (SELECT max(r.run) FROM kpi_run r) AS is_older FROM kpi_problem k;
-- No day tells of this one, but that it is bad.
INSERT INTO crm.contract VALUES (3, 7, NULL, NULL);
SELECT * FROM pg_temp.later('1 minute');
SELECT * FROM pg_temp.later('1 minute');
-- A deal is won in an hour, which concerns its lead and its quotes.
UPDATE crm.deal SET state = 'won', closed_at = (SELECT max(as_of) FROM kpi_run) + interval '62 minutes' WHERE deal_no = 11;
SELECT * FROM pg_temp.later('1 minute');
SELECT r.next_at ->> 'sale' AS sale, r.next_at ? 'opportunity' AS opportunity FROM kpi_run r ORDER BY r.run DESC LIMIT 1;
SELECT * FROM pg_temp.later('1 minute');
SELECT (r.next_at ->> 'opportunity')::timestamptz - r.as_of AS opportunity FROM (SELECT * FROM kpi_run ORDER BY run DESC LIMIT 1) r;	-- earlier ones may be infinite
SELECT * FROM pg_temp.later('59 minutes 59.999999 seconds');
SELECT * FROM pg_temp.later('1 microsecond');	-- this very instant
SELECT * FROM pg_temp.later('1 microsecond');	-- has passed: it is won
SELECT * FROM pg_temp.later('1 minute');
-- Given days forget nothing.
UPDATE crm.line SET net = net + 1 WHERE order_no = 32;
SELECT s.outcome FROM kpi_snapshot('2024-02-01', '2024-03-01', (SELECT max(as_of) FROM kpi_run) + interval '1 minute') s;
SELECT * FROM pg_temp.later('1 minute');
-- A day ends, and what was to last until then.
UPDATE crm.contract SET until = '2025-06-11' WHERE customer_no = 2;
SELECT * FROM pg_temp.later(kpi_midnight('2025-06-11') - (SELECT max(as_of) FROM kpi_run) - interval '1 second');
SELECT * FROM pg_temp.later('1 second');
SELECT * FROM pg_temp.later('1 second');
SELECT * FROM pg_temp.later('1 second');
-- A month ends: what it is compared with goes with it.
SELECT * FROM pg_temp.later(kpi_midnight('2025-07-01') - (SELECT max(as_of) FROM kpi_run) - interval '1 microsecond');
SELECT * FROM pg_temp.later('2 microseconds');
SELECT * FROM pg_temp.later('1 hour');
SELECT * FROM pg_temp.later('1 hour');
ROLLBACK TO s;

--
-- What is noted.
--
CREATE VIEW noted AS SELECT l.relation::regclass, r.* FROM kpi_track_log l LEFT JOIN LATERAL kpi_track_rows(l.payload) r ON true;
SAVEPOINT s;
INSERT INTO crm.orders VALUES (40, '2024-12-31', 1, NULL, 'x'), (41, '2025-01-01', 2, 10, 'y');
UPDATE crm.orders SET remark = 'no source reads it';
UPDATE crm.orders SET customer_no = 3 WHERE order_no = 40;
UPDATE crm.orders SET ordered_on = '2025-01-02' WHERE order_no = 40;	-- to the other partition
UPDATE crm.orders SET order_no = order_no WHERE order_no = 40;
DELETE FROM crm.orders WHERE order_no = 41;
UPDATE crm.orders SET order_no = 0 WHERE false;
SELECT * FROM noted ORDER BY before NULLS FIRST, after;
ROLLBACK TO s;
SELECT count(*) FROM kpi_track_log;

-- Straight into a partition; by COPY; in replica mode; lines of one order once; by a name of another type of column
INSERT INTO crm.orders_2025 VALUES ('z', NULL, 42, '2025-02-02', 2);
COPY crm.prospect FROM STDIN;
9	2024-06-07	\N	1
\.
SET session_replication_role = replica;
DELETE FROM crm.line WHERE order_no = 30;
RESET session_replication_role;
UPDATE crm.deal SET closed_at = closed_at + interval '1 day', state = 'lost' WHERE deal_no = 10;
TRUNCATE crm.product;
SELECT * FROM noted ORDER BY relation::text COLLATE "C";
ROLLBACK TO s;

-- Many rows take several tuples, of which each fits into a page.
INSERT INTO crm.orders SELECT i, date '2024-01-01' + i % 366, i FROM generate_series(1000, 4999) i;
SELECT count(DISTINCT after), count(*), count(DISTINCT l.ctid) BETWEEN 3 AND 5, max(length(payload)) < 8192 FROM kpi_track_log l, kpi_track_rows(payload);
ROLLBACK TO s;
-- A key too long to be noted: everything.
INSERT INTO crm.customer VALUES (repeat('x', 256), 'long'), ('4', 'short');
SELECT relation::regclass, payload IS NULL AS everything FROM kpi_track_log;
ROLLBACK TO s;

--
-- Which days: a sale that of its order; all sales of an account that changed; whatever names a deal that changed; ...
--
INSERT INTO crm.line VALUES (30, 3, 7, 'a');
SELECT * FROM pg_temp.take();
DELETE FROM crm.line WHERE order_no = 31;	-- the order's only one
SELECT * FROM pg_temp.take();
UPDATE crm.orders SET ordered_on = '2024-07-07' WHERE order_no = 31;	-- without a line: it might have been one of each day
INSERT INTO crm.line VALUES (31, 1, 200, 'a');
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.product SET name = 'Banana' WHERE sku = 'a';	-- lines are joined with it, orders not: all
SELECT * FROM pg_temp.take();
UPDATE crm.customer SET remark = 'no source reads it';
SELECT * FROM pg_temp.take();
-- Account 2: order 31, the contract from its start on; through deal 11 its lead, order and quote.
UPDATE crm.customer SET region = 'West' WHERE customer_no = '2';
SELECT * FROM pg_temp.take();
-- Lead 1: its days; through deal 10 that one's.
UPDATE crm.prospect SET came_on = '2024-02-01' WHERE lead_no = 1;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
-- Who the lead belongs to matters when it is converted, too; so does where that one belongs.
SAVEPOINT of_lead;
UPDATE crm.prospect SET customer_no = 3 WHERE lead_no = 1;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.customer SET region = 'East' WHERE customer_no = '3';
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
ROLLBACK TO of_lead;
SELECT setval('days', currval('days') - 2);
-- A deal that leaves its lead: that one's day too.
UPDATE crm.deal SET lead_no = NULL WHERE deal_no = 10;
SELECT * FROM pg_temp.take();
-- A contract from its start on; a purchase of its customer, who is of another cohort now.
INSERT INTO crm.contract VALUES (3, 5, '2025-05-05', NULL);
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
-- A rate from its day on, and for what is there at the end of the day before.
INSERT INTO crm.exchange_rate VALUES ('USD', '2025-06-01', 1);
SELECT * FROM pg_temp.take();
SAVEPOINT of_rate;
CREATE OR REPLACE VIEW crm.quote AS SELECT offer_no AS id, sent_on AS sent_at, decided_on AS decided_at, deal_no AS opportunity_id, 100 AS amount, 'USD' AS currency FROM crm.offer;
SELECT * FROM pg_temp.take();
SELECT * FROM pg_temp.take();
UPDATE crm.exchange_rate SET rate = 2 WHERE valid_on = '2025-06-01';
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
SELECT kpi_value('open_quotes_value', '2025-05-01') AS value, kpi_live('open_quotes_value', '2025-05-01', '2025-06-01') AS live;
ROLLBACK TO of_rate;
-- Overdue: deal 11 was to close in March. Without currencies and histories its value does not depend on when it is asked.
UPDATE crm.deal SET due_on = '2025-03-31' WHERE deal_no = 11;
SELECT * FROM pg_temp.take();
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.deal SET due_on = '2026-03-31' WHERE deal_no = 11;
SELECT * FROM pg_temp.take();
-- A lead is qualified on 12 June, as was known before: on that day its own changes.
UPDATE crm.prospect SET qualified_on = '2025-06-12' WHERE lead_no = 2;
SELECT * FROM pg_temp.take();
SELECT * FROM pg_temp.take();
SELECT setval('days', 48);
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
TRUNCATE crm.offer;
SELECT * FROM pg_temp.take();

-- Given days are taken whatever changed, and nothing is forgotten by that.
DELETE FROM crm.line WHERE line_no = 3;
SELECT outcome FROM kpi_snapshot('2024-02-01', '2024-03-01', '2025-06-12 20:00+00');
SELECT setval('days', 100);
SELECT * FROM pg_temp.take();

-- A snapshot that looks further back than facts reach takes what was never computed.
INSERT INTO crm.orders VALUES (50, '2024-01-10', 1, NULL);
INSERT INTO crm.line VALUES (50, 1, 1, 'a');
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();

-- Another contract of a customer who pays already: from its day on, the cohort stays. Before the first one, and without that: purchases too.
INSERT INTO crm.contract VALUES (3, 2, '2025-05-20', NULL);
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.contract SET since = '2025-04-20' WHERE customer_no = 3 AND net = 2;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
DELETE FROM crm.contract WHERE customer_no = 3 AND net = 2;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
-- What it costs and when it ends is the contract's own affair, as long as it counts: else the purchase of its customer is of no cohort.
UPDATE crm.contract SET net = 6, churn_reason = 'price', until = '2025-06-30' WHERE customer_no = 3;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.contract SET net = 0 WHERE customer_no = 3;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.contract SET net = 6 WHERE customer_no = 3;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.contract SET net = NULL WHERE customer_no = 3;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.contract SET net = 6, until = '2025-05-05' WHERE customer_no = 3;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.contract SET until = NULL WHERE customer_no = 3;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.contract SET until = '2025-07-31' WHERE customer_no = 3;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();

-- What a deal is worth is seen in its history alone, from its first stage on; not by its quote, lead and order.
SAVEPOINT with_history;
ALTER TABLE crm.deal ADD worth numeric DEFAULT 10;
CREATE TABLE crm.stage_log (deal_no integer, at timestamptz, stage text);
INSERT INTO crm.stage_log VALUES (11, '2025-02-25 12:00+00', 'new'), (11, '2025-04-05 12:00+00', 'offered');
CREATE VIEW crm.valued AS SELECT deal_no AS id, state AS status, created_at, closed_at, customer_no AS account_id, lead_no AS lead_id, worth AS amount FROM crm.deal;
CREATE VIEW crm.stages AS SELECT deal_no AS opportunity_id, at AS valid_from, stage FROM crm.stage_log;
SELECT count(*) > 0 AS bound FROM kpi_bind('opportunity', 'crm.valued') o, kpi_bind('opportunity_history', 'crm.stages') h;
SELECT kpi_track(s) FROM unnest('{opportunity,opportunity_history}'::text[]) s;
SELECT noted > 0 AS noted FROM pg_temp.take();
UPDATE crm.deal SET worth = 50 WHERE deal_no = 11;
SELECT c.source, c.spans FROM kpi_changes((SELECT max(as_of) FROM kpi_run) + interval '1 minute') c WHERE c.spans <> '{}' ORDER BY c.source;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
ROLLBACK TO with_history;
SELECT setval('days', currval('days') - 2);

-- The same of contracts without an end; where what they cost comes from elsewhere too, any price may be none.
SAVEPOINT with_ends;
CREATE VIEW crm.endless AS SELECT customer_no AS account_id, net AS amount, since AS valid_from FROM crm.contract;
SELECT count(*) > 0 AS bound FROM kpi_bind('subscription', 'crm.endless');
SELECT count(*) FROM kpi_track('subscription');
SELECT noted > 0 AS noted FROM pg_temp.take();
UPDATE crm.contract SET net = 8 WHERE customer_no = 3;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
CREATE VIEW crm.priced AS SELECT c.customer_no AS account_id, c.net * r.rate AS amount, c.since AS valid_from
  FROM crm.contract c LEFT JOIN crm.exchange_rate r ON r.currency = 'USD' AND r.valid_on = '2024-01-01';
SELECT count(*) > 0 AS bound FROM kpi_bind('subscription', 'crm.priced');
SELECT count(*) FROM kpi_track('subscription');
SELECT noted > 0 AS noted FROM pg_temp.take();
UPDATE crm.contract SET net = 9 WHERE customer_no = 3;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
-- A price that must not be NULL is noted of rows that come and go, too; one that is computed only of rows that the view has.
CREATE DOMAIN crm.price AS numeric NOT NULL;
CREATE TABLE crm.plan (customer_no integer, price crm.price, months integer, since date);
CREATE VIEW crm.monthly AS SELECT customer_no AS account_id, price AS amount, since AS valid_from FROM crm.plan;
CREATE VIEW crm.by_month AS SELECT customer_no AS account_id, price / months AS amount, since AS valid_from FROM crm.plan WHERE months > 0;
SELECT count(*) > 0 AS bound FROM kpi_bind('subscription', 'crm.monthly');
SELECT kpi_track('subscription');
SELECT noted > 0 AS noted FROM pg_temp.take();
INSERT INTO crm.plan VALUES (2, 12, 12, '2025-01-10');
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
SELECT count(*) > 0 AS bound FROM kpi_bind('subscription', 'crm.by_month');
SELECT kpi_track('subscription');
SELECT noted > 0 AS noted FROM pg_temp.take();
INSERT INTO crm.plan VALUES (3, 10, 0, '2025-02-10');
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
ROLLBACK TO with_ends;
SELECT setval('days', currval('days') - 8);

-- Where purchases make a customer: a credit note before the first one, which comes, and goes again.
SAVEPOINT with_contracts;
SELECT kpi_unbind('subscription');
INSERT INTO crm.orders VALUES (60, '2024-06-05', 9, NULL);
INSERT INTO crm.line VALUES (60, 1, -5, 'a');
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
INSERT INTO crm.orders VALUES (61, '2024-11-10', 9, NULL);
INSERT INTO crm.line VALUES (61, 1, 70, 'a');
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
UPDATE crm.line SET net = 80 WHERE order_no = 61;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
INSERT INTO crm.line VALUES (32, 2, 7, 'a');	-- in March, when that customer had bought
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
DELETE FROM crm.line WHERE order_no = 61;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
ROLLBACK TO with_contracts;

-- A collation that takes ANNA for anna: by it a changed row is joined here too; its ids are two, for others name it bytewise.
SAVEPOINT with_collation;
CREATE COLLATION crm.caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE crm.person (code varchar(20) COLLATE crm.caseless, region text);
CREATE TABLE crm.shop (code text COLLATE crm.caseless, channel text);
CREATE TABLE crm.deed (deed_no integer, day date, person text, shop text);
INSERT INTO crm.person VALUES ('ANNA', 'North');
INSERT INTO crm.shop VALUES ('web', 'online');
INSERT INTO crm.deed VALUES (1, '2024-05-05', 'anna', 'WEB'), (2, '2024-08-08', 'Bob', 'Fair'), (3, '2024-11-11', 'bob', NULL);
CREATE VIEW crm.deeds AS SELECT d.deed_no AS sale_id, d.day AS sold_at, 100 AS amount, p.region, s.channel
  FROM crm.deed d LEFT JOIN crm.person p ON p.code = d.person LEFT JOIN crm.shop s ON s.code || '-x' = d.shop || '-X';
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.deeds');
SELECT * FROM kpi_track('sale');
SELECT noted > 0 AS noted FROM pg_temp.take();
UPDATE crm.person SET region = 'East' WHERE code = 'anna';
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
DELETE FROM crm.person;
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
INSERT INTO crm.shop VALUES ('fair', 'field');
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
CREATE VIEW crm.people AS SELECT code AS id, region FROM crm.person;
CREATE VIEW crm.named AS SELECT deed_no AS sale_id, day AS sold_at, 100 AS amount, person AS account_id FROM crm.deed;
INSERT INTO crm.person VALUES ('bob', 'South');
SELECT count(*) > 0 AS bound FROM kpi_bind('account', 'crm.people') a, kpi_bind('sale', 'crm.named') s;
SELECT * FROM kpi_track('account');
SELECT noted > 0 AS noted FROM pg_temp.take();
UPDATE crm.person SET code = 'Bob';
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
ROLLBACK TO with_collation;
SELECT setval('days', currval('days') - 6);

--
-- What goes round the triggers leads to everything once.
--
ALTER TABLE crm.exchange_rate ALTER rate TYPE numeric(20, 4) USING rate * 2;
SELECT * FROM pg_temp.take();
SELECT * FROM pg_temp.take();
CREATE OR REPLACE VIEW crm.lead AS SELECT lead_no AS id, came_on + 31 AS created_at, qualified_on AS qualified_at, customer_no AS account_id FROM crm.prospect;
SELECT * FROM pg_temp.take();
CREATE FUNCTION crm.days() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 31; END';
CREATE FUNCTION crm.later(day date) RETURNS date LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN day + crm.days(); END';
CREATE TYPE crm.way AS ENUM ('web', 'fair');
ALTER TABLE crm.prospect ADD way crm.way;
CREATE OR REPLACE VIEW crm.lead AS SELECT lead_no AS id, crm.later(came_on) AS created_at, qualified_on AS qualified_at, customer_no AS account_id FROM crm.prospect;
SELECT * FROM pg_temp.take();
SELECT * FROM pg_temp.take();
CREATE OR REPLACE FUNCTION crm.days() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 62; END';
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();
ALTER TYPE crm.way RENAME VALUE 'fair' TO 'show';
SELECT * FROM pg_temp.take();
CREATE TYPE crm.other AS ENUM ('none of them');	-- nor a function of a session
CREATE FUNCTION pg_temp.other() RETURNS integer LANGUAGE sql AS 'SELECT 1';
SELECT * FROM pg_temp.take();
CREATE OR REPLACE VIEW crm.lead AS SELECT lead_no AS id, came_on + 31 AS created_at, qualified_on AS qualified_at, customer_no AS account_id FROM crm.prospect;
SELECT * FROM pg_temp.take();
ALTER TABLE crm.offer DISABLE TRIGGER kpi_track_insert;
INSERT INTO crm.offer VALUES (22, 10, '2024-03-10', NULL);
SELECT relation, tracked, reason FROM kpi_tracking() WHERE NOT tracked;
ALTER TABLE crm.offer ENABLE ALWAYS TRIGGER kpi_track_insert;
SELECT * FROM pg_temp.take();
ALTER TABLE crm.offer DISABLE TRIGGER ALL;
ALTER TABLE crm.offer ENABLE TRIGGER ALL;	-- as pg_restore leaves it
SELECT relation, tracked, reason FROM kpi_tracking() WHERE NOT tracked;
SELECT * FROM kpi_track('quote');
SELECT count(*) FROM kpi_tracking() WHERE NOT tracked;
SELECT kpi_define_dimension('region+product');
SELECT * FROM pg_temp.take();

-- A renamed column, a new partition: not tracked before kpi_track is called again.
ALTER TABLE crm.line RENAME order_no TO order_id;
INSERT INTO crm.line VALUES (50, 2, 3, 'b');
SELECT relation::regclass, payload IS NULL AS everything FROM kpi_track_log;
CREATE TABLE crm.orders_2026 PARTITION OF crm.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT relation, tracked, reason FROM kpi_tracking() WHERE NOT tracked ORDER BY relation::text COLLATE "C";
SELECT * FROM pg_temp.take();
SELECT * FROM kpi_track('sale');
SELECT count(*) FROM kpi_tracking() WHERE NOT tracked;
SELECT * FROM pg_temp.take();
DROP TABLE crm.orders_2024;
SELECT * FROM pg_temp.take();
SELECT * FROM pg_temp.take();

-- A table swapped for another of its name is not the one under the source any more.
ALTER TABLE crm.exchange_rate RENAME TO old_rate;
CREATE TABLE crm.exchange_rate (currency text, valid_on date, rate numeric);
SELECT source, relation, tracked, reason FROM kpi_tracking() WHERE NOT tracked;

--
-- A source that is not tracked: the periods of the last days, if so set.
--
SELECT kpi_set('lookback_days', '45');
SELECT * FROM pg_temp.take();
SELECT *, pg_temp.as_from_nothing() FROM pg_temp.take();	-- from 45 days before
SELECT kpi_set('lookback_days', NULL);
SELECT * FROM pg_temp.take();
SELECT kpi_unbind('exchange_rate');

-- Triggers go when no tracked source needs them; deals are under opportunities, orders under sales alone.
SELECT kpi_untrack('sale');
SELECT kpi_untrack('sale');
SELECT source, relation FROM kpi_tracking() WHERE tracked ORDER BY source, relation::text COLLATE "C";

--
-- What cannot be tracked.
--
SAVEPOINT s;
SELECT kpi_track('nonsense');
ROLLBACK TO s;
SELECT kpi_track('cost');
ROLLBACK TO s;
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE FUNCTION crm.fee() RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 1::numeric';
CREATE VIEW crm.cost AS SELECT sent_on AS period_from, crm.fee() AS amount FROM crm.offer WHERE decided_on < CURRENT_DATE;
SELECT count(*) FROM kpi_bind('cost', 'crm.cost') WHERE required;
SELECT kpi_track('cost');
ROLLBACK TO s;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE crm.far (period_from date, amount numeric) SERVER nowhere;
CREATE MATERIALIZED VIEW crm.stored AS SELECT sent_on AS period_from, 1 AS amount FROM crm.offer;
CREATE UNLOGGED TABLE crm.fast (period_from date, amount numeric);
CREATE VIEW crm.cost AS SELECT * FROM crm.far UNION ALL TABLE crm.stored UNION ALL TABLE crm.fast;
SELECT count(*) FROM kpi_bind('cost', 'crm.cost') WHERE required;
SELECT kpi_track('cost');
ROLLBACK TO s;
CREATE VIEW crm.cost AS SELECT ordered_on AS period_from, 1 AS amount, tableoid::regclass::text AS category FROM crm.orders;
SELECT count(*) FROM kpi_bind('cost', 'crm.cost') WHERE required;
SELECT kpi_track('cost');
ROLLBACK TO s;
\set VERBOSITY terse
CREATE FUNCTION crm.foot() RETURNS trigger LANGUAGE c AS '$libdir/salkpi', 'salkpi_track_change';
CREATE TRIGGER t AFTER INSERT ON crm.line EXECUTE FUNCTION crm.foot();
INSERT INTO crm.line VALUES (1, 1, 1, 'a');
ROLLBACK TO s;
SELECT * FROM kpi_track_rows('\x0200490a');
ROLLBACK TO s;
SELECT * FROM kpi_track_rows('\x010049ff');
ROLLBACK TO s;
SELECT * FROM kpi_track_rows('\x010255ff');
ROLLBACK TO s;

-- What others see of a row: not what stands in other columns alone, unless WHERE or a join looks at it.
CREATE VIEW crm.some_deals AS SELECT d.deal_no AS id, d.state AS status, d.created_at, d.due_on AS expected_close, d.deal_no * 100 AS amount, c.region, d.closed_at
  FROM crm.deal d LEFT JOIN crm.customer c ON c.customer_no = d.customer_no::text WHERE d.due_on > '2020-01-01' OR d.lead_no IS NULL;
SELECT item, relation, columns FROM kpi_lineage('crm.some_deals') WHERE item IN ('table', 'condition') ORDER BY item, place;
SELECT count(*) > 0 AS bound FROM kpi_bind('opportunity', 'crm.some_deals');
SELECT s, kpi_unseen_columns(s, array_agg(u.source || '.' || u.column_name)) FROM kpi_usable_columns() u, unnest('{opportunity,lead,sale}'::text[]) s GROUP BY s ORDER BY s;
ROLLBACK TO s;

-- A look at views that name each other twice doubles with each, and can be cancelled.
DO $$
BEGIN
	CREATE VIEW crm.twice_0 AS SELECT deal_no FROM crm.deal;
	FOR i IN 1 .. 20 LOOP
		EXECUTE format('CREATE VIEW crm.twice_%s AS SELECT a.deal_no FROM crm.twice_%s a, crm.twice_%2$s b', i, i - 1);
	END LOOP;
	SET LOCAL statement_timeout = '500ms';
END
$$;
CREATE FUNCTION pg_temp.is_cancelled() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM kpi_lineage('crm.twice_20');
	RETURN false;
EXCEPTION WHEN query_canceled THEN
	RETURN clock_timestamp() < statement_timestamp() + interval '5 seconds';
END
$$;
SELECT pg_temp.is_cancelled();
ROLLBACK TO s;

-- Views of other shapes: a union has no home; a join on a text form, one on both sides of an outer join, a view over a view.
CREATE FUNCTION pg_temp.ways(query text) RETURNS TABLE (relation regclass, way text, key text, home_key text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'CREATE VIEW crm.cost AS ' || query;
	PERFORM kpi_bind('cost', 'crm.cost');
	RETURN QUERY SELECT t.relation, t.way, t.key, t.home_key FROM kpi_traces('cost') t ORDER BY t.relation::text COLLATE "C", t.way, t.key;
	DROP VIEW crm.cost;
END;
$$;
SELECT * FROM pg_temp.ways('SELECT sent_on AS period_from, 1 AS amount FROM crm.offer UNION ALL SELECT due_on, 2 FROM crm.deal');
SELECT * FROM pg_temp.ways('SELECT o.sent_on + 1 AS period_from, NULL::date AS period_to, 1 AS amount FROM crm.offer o, crm.deal d WHERE o.deal_no::text = d.deal_no::text');
SELECT * FROM pg_temp.ways('SELECT o.sent_on AS period_from, d.due_on AS period_to, 1 AS amount FROM crm.offer o JOIN crm.deal d USING (deal_no)');
SELECT * FROM pg_temp.ways('SELECT o.sent_on AS period_from, 1 AS amount FROM crm.offer o CROSS JOIN crm.deal d LEFT JOIN crm.customer c ON d.deal_no = o.deal_no AND c.customer_no = o.offer_no::text');
SELECT * FROM pg_temp.ways('SELECT max(o.sent_on) AS period_from, 1 AS amount FROM crm.offer o JOIN crm.deal d USING (deal_no)');
SELECT * FROM pg_temp.ways('SELECT q.sent_at AS period_from, 1 AS amount FROM crm.quote q');
SELECT * FROM pg_temp.ways('SELECT a.sent_on AS period_from, 1 AS amount FROM crm.offer a JOIN crm.offer b ON a.offer_no = b.deal_no');
SELECT * FROM pg_temp.ways('SELECT sent_on AS period_from, (SELECT count(*) FROM crm.deal) AS amount FROM crm.offer');
-- Where an outer join finds no row a column may have a value all the same; where it always finds one it does not matter.
SELECT * FROM pg_temp.ways('SELECT o.sent_on AS period_from, NULL::date AS period_to, 1 AS amount FROM crm.deal d LEFT JOIN crm.offer o USING (deal_no)');
SELECT * FROM pg_temp.ways('SELECT coalesce(o.sent_on, ''2024-01-01'') AS period_from, 1 AS amount FROM crm.deal d LEFT JOIN crm.offer o USING (deal_no)');
SELECT * FROM pg_temp.ways('SELECT coalesce(o.sent_on, ''2024-01-01'') AS period_from, 1 AS amount FROM crm.deal d RIGHT JOIN crm.offer o USING (deal_no)');
SELECT * FROM pg_temp.ways('SELECT date ''2024-01-01'' AS period_from, o.sent_on AS period_to, 1 AS amount FROM crm.deal d LEFT JOIN crm.offer o USING (deal_no)');
SELECT * FROM pg_temp.ways('SELECT o.sent_on AS period_from, 1 AS amount FROM crm.offer o LEFT JOIN crm.deal d ON d.customer_no = o.offer_no WHERE coalesce(d.deal_no, 1) = o.deal_no');

--
-- A writer needs no right on the log, and gets none.
--
CREATE ROLE regress_salkpi_writer;
GRANT USAGE ON SCHEMA crm TO regress_salkpi_writer;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON crm.offer TO regress_salkpi_writer;
SET ROLE regress_salkpi_writer;
INSERT INTO crm.offer VALUES (60, 10, '2024-08-08', NULL);
UPDATE crm.offer SET decided_on = '2024-08-09' WHERE offer_no = 60;
RESET ROLE;
GRANT USAGE ON SCHEMA kpi TO regress_salkpi_writer;
SET ROLE regress_salkpi_writer;
SAVEPOINT s;
SELECT * FROM kpi.kpi_track_log;
ROLLBACK TO s;
INSERT INTO kpi.kpi_track_log VALUES (0, NULL);
ROLLBACK TO s;
RESET ROLE;
SELECT * FROM noted ORDER BY before NULLS FIRST, after;
ROLLBACK;

-- The checks of a domain do not run with the rights of who takes a snapshot; plain reading does not run them at all.
BEGIN;
CREATE SCHEMA crm;
CREATE DOMAIN crm.day AS date;
CREATE TABLE crm.sale (sale_id integer, sold_at crm.day, amount numeric);
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT * FROM kpi_track('sale');
INSERT INTO crm.sale VALUES (1, '2025-01-01', 1);
SELECT outcome FROM kpi_snapshot();
INSERT INTO crm.sale VALUES (2, '2025-01-15', 2);
CREATE TABLE crm.checked (by_whom name);
CREATE FUNCTION crm.checks(day date) RETURNS boolean LANGUAGE sql AS 'INSERT INTO crm.checked VALUES (current_user) RETURNING true';
ALTER DOMAIN crm.day ADD CHECK (crm.checks(VALUE)) NOT VALID;
SELECT outcome FROM kpi_snapshot();
SELECT (SELECT count(*) FROM crm.checked) AS checked, kpi_value('revenue', '2025-01-01') AS revenue;
ROLLBACK;

-- Once a user's table has triggers, the extension goes with CASCADE alone, and takes but the triggers along.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sale (sale_id integer, sold_at date, amount numeric);
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT * FROM kpi_track('sale');
SAVEPOINT s;
DROP EXTENSION salkpi;
ROLLBACK TO s;
DROP EXTENSION salkpi CASCADE;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'crm.sale'::regclass;
INSERT INTO crm.sale VALUES (1, '2025-01-01', 1);
ROLLBACK;

-- All tables are published, the log too: a snapshot goes on deleting from it.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sale (sale_id integer PRIMARY KEY, sold_at date, amount numeric);
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT * FROM kpi_track('sale');
INSERT INTO crm.sale VALUES (1, '2025-01-01', 1);
SET client_min_messages = error;	-- it may be that nothing can be replicated
CREATE PUBLICATION regress_salkpi_all FOR ALL TABLES;
SET client_min_messages = warning;
SELECT outcome FROM kpi_snapshot(as_of => '2025-02-01 12:00+00');
UPDATE crm.sale SET amount = 2;
SELECT outcome FROM kpi_snapshot(as_of => '2025-02-01 13:00+00');
SELECT count(*) AS left_over FROM kpi_track_log;
ROLLBACK;

-- What was written where nobody could see it, and runs that are not those since which the log is kept: all periods are taken.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sale (sale_id integer, sold_at date, amount numeric);
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT * FROM kpi_track('sale');
INSERT INTO crm.sale SELECT n, '2024-01-15'::date + n, 1 FROM generate_series(0, 300) n;
CREATE TEMP SEQUENCE hours;
CREATE FUNCTION pg_temp.taken() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	taken record;
BEGIN
	SELECT * INTO taken FROM kpi_snapshot(as_of => timestamptz '2025-02-01 12:00+00' + nextval('hours') * interval '1 minute');
	RETURN format('%s periods, changed: %s, March: %s', taken.periods, taken.changed > 0, kpi_value('revenue', '2024-03-01'));
END;
$$;
SELECT pg_temp.taken() AS first, pg_temp.taken() AS again;
ALTER TABLE crm.sale SET UNLOGGED;
SELECT pg_temp.taken() AS unlogged;
UPDATE crm.sale SET amount = 2;
DELETE FROM kpi_track_log;	-- as if nobody had seen that
ALTER TABLE crm.sale SET LOGGED;
SELECT pg_temp.taken() AS logged_again, pg_temp.taken() AS again;
ALTER TABLE crm.sale SET UNLOGGED;	-- and back before the next snapshot
UPDATE crm.sale SET amount = 1;
DELETE FROM kpi_track_log;
ALTER TABLE crm.sale SET LOGGED;
SELECT pg_temp.taken() AS meanwhile, pg_temp.taken() AS again;
UPDATE crm.sale SET amount = 2;
SELECT pg_temp.taken() AS noted;
UPDATE crm.sale SET amount = 3 WHERE sold_at = '2024-03-03';
SELECT pg_temp.taken() AS noted;
SAVEPOINT restored;
CREATE TEMP TABLE newest AS SELECT run, as_of FROM kpi_run ORDER BY run DESC LIMIT 1;	-- facts and runs are those of an older dump
DELETE FROM kpi_fact f USING newest n WHERE f.run = n.run;
UPDATE kpi_fact f SET superseded_at = NULL FROM newest n WHERE f.superseded_at = n.as_of;
DELETE FROM kpi_run r USING newest n WHERE r.run = n.run;
SELECT pg_temp.taken() AS older_runs;
ROLLBACK TO restored;
TRUNCATE kpi_track_mark;	-- as in a new database, where the log was not dumped
SELECT pg_temp.taken() AS no_mark, pg_temp.taken() AS again;
-- A snapshot with day bounds leaves to the next default one what it did not look at.
UPDATE crm.sale SET amount = 4 WHERE sold_at = '2024-03-03';
SELECT outcome, changed FROM kpi_snapshot('2025-01-01', '2025-01-31', '2025-02-02 12:00+00');
SELECT setval('hours', 2000) IS NOT NULL AS later, pg_temp.taken() AS noted;
-- Written by a subscription, which no trigger sees, and is gone before the next snapshot.
SET LOCAL allow_system_table_mods = on;
INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) VALUES (1, 'crm.sale'::regclass, 'r');
SELECT pg_temp.taken() AS subscribed;
UPDATE crm.sale SET amount = 5;
DELETE FROM kpi_track_log;
DELETE FROM pg_subscription_rel WHERE srrelid = 'crm.sale'::regclass;
SELECT pg_temp.taken() AS no_longer, pg_temp.taken() AS again;
ROLLBACK;

-- Which deals lack a rate is told at the boundaries that a snapshot looks at: the first has none at the end of February, and days after that do not see it.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.opportunity (id integer, status text, created_at date, amount numeric, currency text);
CREATE TABLE crm.opportunity_history (opportunity_id integer, valid_from date, valid_to date, stage text);
CREATE TABLE crm.exchange_rate (currency text, valid_on date, rate numeric);
SELECT count(*) > 0 AS bound FROM unnest('{opportunity,opportunity_history,exchange_rate}'::text[]) s, kpi_bind(s, ('crm.' || s)::regclass);
SELECT count(*) > 0 AS tracked FROM (SELECT kpi_track(source) FROM kpi_source) t;
INSERT INTO crm.exchange_rate VALUES ('USD', '2025-03-10', 0.9);
INSERT INTO crm.opportunity VALUES (1, 'open', '2025-03-12', 100, 'USD'), (2, 'open', '2025-03-12', 100, 'USD');
INSERT INTO crm.opportunity_history VALUES (1, '2025-02-10', NULL, 'New'), (2, '2025-03-12', NULL, 'New');
SELECT problems FROM kpi_snapshot(as_of => '2025-06-15 12:00+00');
SELECT problems FROM kpi_snapshot('2025-04-01', '2025-04-30', '2025-06-15 13:00+00');
SELECT problems FROM kpi_snapshot(as_of => '2025-06-15 14:00+00');
SELECT source, reason, bad_rows, keys FROM kpi_problem;
SELECT count(*) FROM kpi_changes('2025-06-15 15:00+00') WHERE NOT is_still;	-- and then nothing is read
ROLLBACK;

-- Of sales since the beginning, which a snapshot takes for the last periods, of leads for all: purchases with lines in several months, credit notes, new customers and old ones, against plain SQL.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TABLE bought (sale_id integer, line_id integer, sold_at date, amount numeric, account_id text);
INSERT INTO bought SELECT n, 1, date '2024-01-10' + n * interval '1 month', 10 + n, 'c' || n % 7 FROM generate_series(0, 29) n;
INSERT INTO bought SELECT n, 2, date '2024-01-10' + (n + 1) * interval '1 month', 100, 'c' || n % 7 FROM generate_series(0, 28, 3) n;
INSERT INTO bought SELECT 1000 + n, 1, date '2024-01-20' + n * interval '1 month', -5, 'c' || n % 7 FROM generate_series(0, 29, 5) n;
CREATE TABLE came (id integer, created_at date);
INSERT INTO came SELECT n, date '2024-01-10' + n * interval '1 month' FROM generate_series(0, 29) n;
SELECT count(*) AS bound FROM (VALUES ('sale', 'bought'), ('lead', 'came')) v(source, relation), kpi_bind(v.source, v.relation::regclass) b WHERE b.required;
SELECT count(*) AS tables FROM unnest('{sale,lead}'::text[]) s, kpi_track(s);
CREATE FUNCTION pg_temp.wrong(today date) RETURNS TABLE (facts bigint, wrong bigint) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE (f.purchases, f.buying_customers, f.first_buyers, f.customers_to_date, f.revenue_to_date) IS DISTINCT FROM (w.purchases, w.customers, w.first, w.known, w.revenue))
	  FROM kpi_fact f, LATERAL (
			SELECT count(DISTINCT b.sale_id) FILTER (WHERE b.amount > 0 AND b.sold_at >= f.period) AS purchases, count(DISTINCT b.account_id) FILTER (WHERE b.amount > 0 AND b.sold_at >= f.period) AS customers,
				   count(DISTINCT b.account_id) FILTER (WHERE b.amount > 0 AND b.sold_at >= f.period AND NOT EXISTS (SELECT FROM bought e WHERE e.account_id = b.account_id AND e.amount > 0 AND e.sold_at < f.period)) AS first,
				   count(DISTINCT b.account_id) FILTER (WHERE b.amount > 0) AS known, sum(b.amount) AS revenue
			  FROM bought b WHERE b.sold_at < f.period_end AND b.sold_at <= today) w
	 WHERE f.dimension = 'total' AND f.superseded_at IS NULL
$$;
SELECT periods FROM kpi_snapshot(as_of => '2026-06-20 12:00+00');
SELECT * FROM pg_temp.wrong('2026-06-20');
UPDATE came SET created_at = created_at + 1;	-- so the snapshot takes all periods, of sales three
INSERT INTO bought VALUES (3, 3, '2026-06-01', 7, 'c3'), (28, 3, '2026-06-02', 7, 'c0'), (2000, 1, '2026-06-19', 1, 'new'), (2001, 1, '2026-06-19', 1, NULL), (2002, 1, '2026-06-19', -20, 'c1'), (2003, 1, '2026-06-19', -20, 'r9');
SELECT periods FROM kpi_snapshot(as_of => '2026-06-20 13:00+00');
SELECT * FROM pg_temp.wrong('2026-06-20');
ROLLBACK;

-- A line without an order is of a day nevertheless, which no order tells; one that comes and then gets its order, against plain SQL.
BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.orders (order_no integer, ordered_on date);
CREATE TABLE crm.line (order_no integer, net numeric);
CREATE VIEW crm.sale AS SELECT l.order_no AS sale_id, coalesce(o.ordered_on, '2025-01-15') AS sold_at, l.net AS amount FROM crm.line l LEFT JOIN crm.orders o USING (order_no);
SELECT count(*) FROM kpi_bind('sale', 'crm.sale') WHERE required;
SELECT * FROM kpi_track('sale');
INSERT INTO crm.orders VALUES (1, '2025-02-02');
INSERT INTO crm.line VALUES (1, 5), (2, 7);
CREATE FUNCTION pg_temp.revenue(as_of timestamptz, OUT months numeric[], OUT plain numeric[]) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kpi_snapshot(as_of => as_of);
	SELECT array_agg(kpi_value('revenue', m) ORDER BY m), array_agg((SELECT coalesce(sum(s.amount), 0) FROM crm.sale s WHERE date_trunc('month', s.sold_at) = m) ORDER BY m)
	  INTO months, plain FROM unnest('{2025-01-01,2025-02-01,2025-03-01}'::date[]) m;
END;
$$;
SELECT * FROM pg_temp.revenue('2025-06-01 12:00+00');
INSERT INTO crm.line VALUES (3, 11);
SELECT * FROM pg_temp.revenue('2025-06-01 13:00+00');
INSERT INTO crm.orders VALUES (3, '2025-03-03');
SELECT * FROM pg_temp.revenue('2025-06-01 14:00+00');
ROLLBACK;
