--
-- What recurs and what it costs: subscriptions, customers and spending, from a
-- CRM's rows through kpi_bind and kpi_snapshot to the readers.  First figures
-- that others have published, then each rule on a few rows worked out by hand,
-- at last random histories against plain SQL that shares nothing with salkpi.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'Pacific/Auckland';	-- of the session: it must not matter
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.subscription (id integer GENERATED ALWAYS AS IDENTITY, account_id integer, amount numeric, valid_from timestamptz, valid_to timestamptz,
	plan text, billing_unit text, billing_count integer, currency text, status text, region text, channel text, rep_id integer);
CREATE TABLE crm.cost (id integer, period_from date, period_to date, amount numeric, currency text, function text, channel text, campaign text, region text);
CREATE TABLE crm.account (id integer, region text, segment text, valid_from timestamptz, valid_to timestamptz);
CREATE TABLE crm.rep (id integer, name text, team text, valid_from timestamptz, valid_to timestamptz);
CREATE TABLE crm.sale (sale_id integer, sold_at timestamptz, amount numeric, direct_cost numeric, currency text, account_id integer, region text, product text);
CREATE TABLE crm.lead (id integer, created_at timestamptz, first_response_at timestamptz, channel text, campaign text);
CREATE TABLE crm.opportunity (id integer, status text, created_at timestamptz, closed_at timestamptz, amount numeric, lost_reason text, stage text);
CREATE TABLE crm.exchange_rate (currency text, valid_on date, rate numeric);

CREATE FUNCTION crm.bind(VARIADIC sources text[]) RETURNS bigint LANGUAGE sql
RETURN (SELECT count(*) FROM unnest(sources) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.' || s)::regclass)));

-- Of a fact, as it now stands.
CREATE FUNCTION crm.fact(measure text, period date, dimension text DEFAULT 'total', member text DEFAULT '', grain text DEFAULT 'month') RETURNS text LANGUAGE sql
RETURN (SELECT to_jsonb(f) ->> measure FROM kpi_fact f WHERE f.period = fact.period AND f.dimension = fact.dimension AND f.member = fact.member
	AND f.grain = fact.grain AND f.superseded_at IS NULL);

-- The movements of a month as opening+new+reactivated+expansion-contraction-churned=closing.
CREATE FUNCTION crm.moved(period date, dimension text DEFAULT 'total', member text DEFAULT '', grain text DEFAULT 'month') RETURNS text LANGUAGE sql
RETURN (SELECT concat_ws(' ', trim_scale(opening), '+' || trim_scale(new), '+' || trim_scale(reactivation), '+' || trim_scale(expansion), '-' || trim_scale(contraction),
			'-' || trim_scale(churned), '=' || trim_scale(closing))
		FROM kpi_mrr_movements(moved.period, moved.period + 1, moved.grain, moved.dimension, ARRAY[moved.member]));

CREATE FUNCTION crm.berlin(at timestamp) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN at AT TIME ZONE 'Europe/Berlin';

SELECT kpi_set('time_zone', 'Europe/Berlin');

--
-- Published figures.
--

-- Stripe, glossary of MRR: 100 customers at 100 a month and 50 at 600 a year
-- are 12,500.
SAVEPOINT figure;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, valid_from, billing_unit)
SELECT n, CASE WHEN n <= 100 THEN 100 ELSE 600 END, '2025-01-10 10:00+01', CASE WHEN n <= 100 THEN 'month' ELSE 'year' END FROM generate_series(1, 150) n;
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-01-31', '2025-03-05 12:00+01');
SELECT 'Stripe' AS published, kpi_value('mrr', '2025-01-31') = 12500 AND kpi_value('arr', '2025-01-31') = 150000 AND kpi_value('customers', '2025-01-31') = 150
	AND round(kpi_value('revenue_per_account', '2025-01-31'), 2) = 83.33 AS holds;
ROLLBACK TO figure;

-- ChartMogul, help on MRR movements: four Gold at 500 a year are 166.67; two
-- Silver at 30 a month more are an expansion of 60; they end: a contraction of
-- 60, no churn; Gold ends: a churn of 166.67.
SAVEPOINT figure;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, plan, amount, billing_unit, valid_from, valid_to)
SELECT 1, 'Gold', 500, 'year', timestamptz '2025-01-10 10:00+01', timestamptz '2025-04-20 10:00+02' FROM generate_series(1, 4)
UNION ALL
SELECT 1, 'Silver', 30, 'month', '2025-02-05 10:00+01', '2025-03-20 10:00+01' FROM generate_series(1, 2);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-05-05 12:00+02');
SELECT 'ChartMogul, movements' AS published, array_agg(round(opening, 2) || '+' || round(new, 2) || '+' || round(expansion, 2) || '-' || round(contraction, 2) || '-' || round(churned, 2) || '=' || round(closing, 2) ORDER BY "time")
	= '{0.00+166.67+0.00-0.00-0.00=166.67,166.67+0.00+60.00-0.00-0.00=226.67,226.67+0.00+0.00-60.00-0.00=166.67,166.67+0.00+0.00-0.00-166.67=0.00}'
	AND sum(reactivation) = 0 AND array_agg(customers_churned ORDER BY "time") = '{0,0,0,1}' AND array_agg(customers_new ORDER BY "time") = '{1,0,0,0}' AS holds
FROM kpi_mrr_movements('2025-01-01', '2025-05-01');
SELECT 'nothing of a plan yet is 0' AS property, array_agg(concat_ws(' ', member, round(opening, 2), round(closing, 2), customers_closing) ORDER BY member)
	= '{Gold 0.00 166.67 1,Silver 0.00 0.00 0}' AS holds
FROM kpi_mrr_movements('2025-01-01', '2025-02-01', dimension => 'plan', members => '{Gold,Silver}');
ROLLBACK TO figure;

-- ChartMogul, help on churn rates: opening 100, churn 10, contraction 10,
-- expansion 10: gross churn is 20 %, net churn 10 %.
SAVEPOINT figure;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, valid_from, valid_to) VALUES
	(1, 10, '2025-01-10', '2025-02-10'), (2, 40, '2025-01-10', '2025-02-10'), (2, 30, '2025-02-10', NULL), (3, 50, '2025-01-10', '2025-02-10'), (3, 60, '2025-02-10', NULL);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-02-28', '2025-05-05 12:00+02');
SELECT 'ChartMogul, rates' AS published, crm.moved('2025-02-01') = '100 +0 +0 +10 -10 -10 =90'
	AND kpi_value('revenue_churn_rate', '2025-02-01') = 20 AND kpi_value('net_revenue_churn_rate', '2025-02-01') = 10
	AND kpi_value('gross_revenue_retention', '2025-02-01') = 80 AND kpi_value('net_revenue_retention', '2025-02-01') = 90
	AND kpi_value('quick_ratio', '2025-02-01') = 0.5 AS holds;
ROLLBACK TO figure;

-- Treehouse: of 10 customers with an MRR of 34,500 (eight of 3,000, one of
-- 10,000, one of 500) two of 3,000 leave: 20 % of customers, 17.39 % of revenue.
SAVEPOINT figure;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, valid_from, valid_to)
SELECT n, CASE n WHEN 9 THEN 10000 WHEN 10 THEN 500 ELSE 3000 END, '2025-01-10', CASE WHEN n <= 2 THEN timestamptz '2025-02-10' END FROM generate_series(1, 10) n;
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-02-28', '2025-05-05 12:00+02');
SELECT 'Treehouse' AS published, kpi_value('mrr', '2025-01-01') = 34500 AND kpi_value('customer_churn_rate', '2025-02-01') = 20
	AND round(kpi_value('revenue_churn_rate', '2025-02-01'), 2) = 17.39 AND kpi_value('customer_retention_rate', '2025-02-01') = 80 AS holds;
ROLLBACK TO figure;

-- aidxn, on CAC: (50,000 + 20,000 + 5,000) / 75 new customers = 1,000.
SAVEPOINT figure;
SELECT crm.bind('subscription', 'cost');
INSERT INTO crm.cost (id, period_from, period_to, amount, function) VALUES
	(1, '2025-02-01', '2025-03-01', 50000, 'sales'), (2, '2025-02-01', '2025-03-01', 20000, 'marketing'), (3, '2025-02-14', NULL, 5000, 'marketing'),
	(4, '2025-02-01', '2025-03-01', 99999, 'other'), (5, '2025-02-01', '2025-03-01', 99999, NULL), (6, '2025-03-01', '2025-04-01', 99999, 'sales');
INSERT INTO crm.subscription (account_id, amount, valid_from) SELECT n, 10, '2025-02-10' FROM generate_series(1, 75) n;
SELECT outcome FROM kpi_snapshot('2025-02-01', '2025-02-28', '2025-05-05 12:00+02');
SELECT 'aidxn' AS published, kpi_value('customer_acquisition_cost', '2025-02-01') = 1000 AND kpi_value('new_customers', '2025-02-01') = 75
	AND kpi_value('total_cost', '2025-02-01') = 274998 AS holds;
ROLLBACK TO figure;

-- The worked example of retention (salkpi's own): 100 customers at the start,
-- 10 leave, 20 join, 5 of those leave again: 105 at the end, 90 % kept, 10 %
-- lost, 20 new.  Counting all 20 as gained would give 85 %.
SAVEPOINT figure;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, valid_from, valid_to)
SELECT n, 10, CASE WHEN n <= 100 THEN timestamptz '2025-01-10' ELSE '2025-02-05' END,
	CASE WHEN n <= 10 THEN timestamptz '2025-02-20' WHEN n > 115 THEN '2025-02-25' END FROM generate_series(1, 120) n;
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-02-28', '2025-05-05 12:00+02');
SELECT 'retention' AS worked_example, kpi_value('customers_opening', '2025-02-01') = 100 AND kpi_value('customers', '2025-02-01') = 105
	AND kpi_value('customer_retention_rate', '2025-02-01') = 90 AND kpi_value('customer_churn_rate', '2025-02-01') = 10
	AND kpi_value('new_customers', '2025-02-01') = 20 AND kpi_value('customers_won', '2025-02-01') = 15 AS holds;
ROLLBACK TO figure;

-- The worked example of boundaries: two customers of 100 from 1 January, one
-- paid until 1 March 00:00: MRR 200, 200, 100; churn 0 % in February, 50 % in March.
SAVEPOINT figure;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, valid_from, valid_to, status) VALUES
	(1, 100, '2025-01-01 00:00+01', NULL, 'active'), (2, 100, '2025-01-01 00:00+01', '2025-03-01 00:00+01', 'cancelled');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-03-31', '2025-05-05 12:00+02');
SELECT 'boundaries' AS worked_example, (SELECT array_agg(value ORDER BY "time") FROM kpi_series('mrr', '2025-01-01', '2025-04-01')) = '{200,200,100}'
	AND (SELECT array_agg(coalesce(trim_scale(value)::text, reason) ORDER BY "time") FROM kpi_series('customer_churn_rate', '2025-01-01', '2025-04-01')) = '{zero denominator,0,50}' AS holds;
ROLLBACK TO figure;

--
-- What counts, and how much of it a month.
--
SAVEPOINT rule;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, plan, billing_unit, billing_count, amount, valid_from) VALUES
	(1, 'month', 'month', 1, 99.99, '2025-01-10'), (1, 'nothing said', NULL, NULL, 12.34, '2025-01-10'), (1, 'count alone', NULL, 4, 100, '2025-01-10'),
	(1, '3 months', 'month', 3, 100, '2025-01-10'), (1, 'quarter', 'quarter', NULL, 100, '2025-01-10'), (1, '2 quarters', 'quarter', 2, 100, '2025-01-10'),
	(1, 'year', 'year', 1, 500, '2025-01-10'), (1, '2 years', 'year', 2, 500, '2025-01-10'), (1, 'week', 'week', 1, 10, '2025-01-10'), (1, '2 weeks', 'week', 2, 10, '2025-01-10'),
	(1, 'day', 'day', 1, 1, '2025-01-10'), (1, '7 days', 'day', 7, 1, '2025-01-10'),
	(1, 'half up', 'year', 1, 0.000000000006, '2025-01-10'), (1, 'one and a half up', 'year', 1, 0.000000000018, '2025-01-10'), (1, 'less than half', 'year', 1, 0.0000000000059, '2025-01-10'),
	(1, 'not divided', 'month', 1, 0.0000000000005, '2025-01-10'),
	(2, 'once per interval', 'year', 1, 100, '2025-01-10'), (2, 'once per interval', 'year', 1, 100, '2025-01-10'), (2, 'once per interval', 'year', 1, 100, '2025-01-10');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-01-31', '2025-05-05 12:00+02');
-- 365/84, 365/12, 520/12, 520/24, 500/12, 500/24, 100/3, 100/4, 100/6, to 12 decimals, half away from zero.
SELECT x.plan, trim_scale(crm.fact('mrr', '2025-01-01', 'plan', x.plan)::numeric) AS found, x.mrr AS expected
FROM (VALUES ('month', 99.99), ('nothing said', 12.34), ('count alone', 25), ('3 months', 33.333333333333), ('quarter', 33.333333333333), ('2 quarters', 16.666666666667),
	('year', 41.666666666667), ('2 years', 20.833333333333), ('week', 43.333333333333), ('2 weeks', 21.666666666667), ('day', 30.416666666667), ('7 days', 4.345238095238),
	('half up', 0.000000000001), ('one and a half up', 0.000000000002), ('less than half', 0), ('not divided', 0.0000000000005), ('once per interval', 24.999999999999)) x(plan, mrr)
WHERE crm.fact('mrr', '2025-01-01', 'plan', x.plan)::numeric IS DISTINCT FROM nullif(x.mrr, 0);
ROLLBACK TO rule;

SAVEPOINT rule;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, status, valid_from, valid_to) VALUES
	(1, 1, 'active', '2025-01-10', NULL), (2, 2, 'past_due', '2025-01-10', NULL), (3, 4, NULL, '2025-01-10', NULL), (4, 8, 'cancelled', '2025-01-10', '2025-02-20'),
	(5, 16, 'trial', '2025-01-10', NULL), (6, 32, 'paused', '2025-01-10', NULL), (7, 64, 'incomplete', '2025-01-10', NULL), (8, 0, 'active', '2025-01-10', NULL),
	(9, 128, 'cancelled', '2025-01-10', NULL), (10, 256, 'active', '2025-02-05', '2025-02-05'), (11, 512, 'trial', '2025-01-10', '2025-02-15'), (11, 1024, 'active', '2025-02-15', NULL);
SELECT outcome, problems FROM kpi_snapshot('2025-01-01', '2025-02-28', '2025-05-05 12:00+02');
-- Nine waits for its end, and is told of; eleven pays from February on, as a new customer.
SELECT 'status' AS rule, crm.moved('2025-01-01') = '0 +143 +0 +0 -0 -0 =143' AND crm.moved('2025-02-01') = '143 +1024 +0 +0 -0 -8 =1159'
	AND crm.fact('customers', '2025-01-01') = '5' AND crm.fact('new_customers', '2025-01-01') = '5' AND crm.fact('new_customers', '2025-02-01') = '1' AS holds;
ROLLBACK TO rule;

-- Intervals that overlap, touch, leave a gap, come back, switch the plan.
SAVEPOINT rule;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, plan, amount, valid_from, valid_to) VALUES
	(1, 'A', 1, '2025-01-10', '2025-03-10'), (1, 'A', 2, '2025-02-10', NULL),				-- a second one, then the first ends
	(2, 'A', 4, '2025-01-10', '2025-02-15'), (2, 'A', 4, '2025-02-15', NULL),				-- renewed
	(3, 'A', 8, '2025-01-10', '2025-02-15'), (3, 'A', 8, '2025-02-20', NULL),				-- a gap within the month is none at its boundaries
	(4, 'A', 16, '2025-01-10', '2025-02-15'), (4, 'A', 16, '2025-03-20', NULL),				-- lost and back
	(5, 'A', 32, '2025-01-10', '2025-02-15'), (5, 'B', 32, '2025-02-15', NULL),				-- another plan
	(6, 'A', 64, '2025-02-05', '2025-02-25'), (6, 'A', 64, '2025-03-05', NULL),				-- in February from nothing to nothing, then back
	(7, 'B', 128, crm.berlin('2025-02-01'), crm.berlin('2025-03-01')),						-- all of February
	(8, 'B', 256, '2025-01-10', '2025-03-15'), (8, 'A', 512, '2025-01-20', 'infinity');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-03-31', '2025-05-05 12:00+02');
SELECT 'in the total' AS rule, crm.moved('2025-01-01') = '0 +829 +0 +0 -0 -0 =829'		-- 1 4 8 16 32 256+512
	AND crm.moved('2025-02-01') = '829 +128 +0 +2 -0 -16 =943'
	AND crm.moved('2025-03-01') = '943 +0 +80 +0 -257 -128 =638' AS holds;
SELECT 'by plan' AS rule, crm.moved('2025-02-01', 'plan', 'A') = '573 +0 +0 +2 -0 -48 =527' AND crm.moved('2025-02-01', 'plan', 'B') = '256 +160 +0 +0 -0 -0 =416'
	AND crm.moved('2025-03-01', 'plan', 'A') = '527 +0 +80 +0 -1 -0 =606' AND crm.moved('2025-03-01', 'plan', 'B') = '416 +0 +0 +0 -0 -384 =32' AS holds;
SELECT 'a quarter has its own boundaries' AS rule, crm.moved('2025-01-01', grain => 'quarter') = '0 +638 +0 +0 -0 -0 =638' AND crm.moved('2025-01-01', 'plan', 'B', 'quarter') = '0 +32 +0 +0 -0 -0 =32' AS holds;
SELECT 'new ever' AS rule, array_agg(new_customers ORDER BY period) = '{6,2,0}' AND crm.fact('new_customers', '2025-01-01', grain => 'quarter') = '8' AS holds
FROM kpi_fact WHERE grain = 'month' AND dimension = 'total';
ROLLBACK TO rule;

-- As it was: where the account and the rep's team were at each boundary.  A
-- move of either is a loss to one member and a gain to the other, in the total
-- nothing; the row's own column goes before.
SAVEPOINT rule;
SELECT crm.bind('subscription', 'account', 'rep');
INSERT INTO crm.account VALUES (1, 'North', 'SMB', NULL, '2025-02-10'), (1, 'South', 'SMB', '2025-02-10', NULL), (2, NULL, 'Large', NULL, NULL),
	(3, 'North', 'SMB', NULL, crm.berlin('2025-03-01')), (3, 'South', 'Large', crm.berlin('2025-03-01'), NULL);
INSERT INTO crm.rep VALUES (1, 'Ada', 'Red', NULL, '2025-03-10'), (1, 'Ada', 'Blue', '2025-03-10', NULL), (2, 'Bob', 'Blue', NULL, NULL);
INSERT INTO crm.subscription (account_id, amount, valid_from, region, rep_id) VALUES
	(1, 1, '2025-01-10', NULL, 1), (2, 2, '2025-01-10', NULL, 2), (3, 4, '2025-01-10', '', NULL), (1, 8, '2025-01-10', 'East', 1), (4, 16, '2025-01-10', NULL, 3);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-03-31', '2025-05-05 12:00+02');
SELECT 'region' AS rule, crm.moved('2025-02-01', 'region', 'North') = '5 +0 +0 +0 -0 -1 =4' AND crm.moved('2025-02-01', 'region', 'South') = '0 +1 +0 +0 -0 -0 =1'
	AND crm.moved('2025-03-01', 'region', 'North') = '4 +0 +0 +0 -0 -4 =0' AND crm.moved('2025-03-01', 'region', 'South') = '1 +4 +0 +0 -0 -0 =5'	-- what holds until March begins is February's
	AND crm.moved('2025-03-01', 'region', 'East') = '8 +0 +0 +0 -0 -0 =8' AND crm.moved('2025-03-01', 'region', '(none)') = '18 +0 +0 +0 -0 -0 =18' AS holds;
SELECT 'segment' AS rule, crm.moved('2025-02-01', 'segment', 'SMB') = '13 +0 +0 +0 -0 -0 =13' AND crm.moved('2025-03-01', 'segment', 'SMB') = '13 +0 +0 +0 -0 -4 =9'
	AND crm.moved('2025-03-01', 'segment', 'Large') = '2 +4 +0 +0 -0 -0 =6' AND crm.moved('2025-03-01', 'segment', '(none)') = '16 +0 +0 +0 -0 -0 =16' AS holds;
SELECT 'rep and team' AS rule, crm.moved('2025-03-01', 'rep', '1') = '9 +0 +0 +0 -0 -0 =9' AND crm.moved('2025-02-01', 'team', 'Red') = '9 +0 +0 +0 -0 -0 =9'
	AND crm.moved('2025-03-01', 'team', 'Red') = '9 +0 +0 +0 -0 -9 =0' AND crm.moved('2025-03-01', 'team', 'Blue') = '2 +9 +0 +0 -0 -0 =11' AS holds;
SELECT 'in the total nothing moved' AS rule, crm.moved('2025-02-01') = '31 +0 +0 +0 -0 -0 =31' AND crm.moved('2025-03-01') = '31 +0 +0 +0 -0 -0 =31' AS holds;
ROLLBACK TO rule;

-- Currencies: the rate of the first day of the customer's uninterrupted run.
SAVEPOINT rule;
SELECT crm.bind('exchange_rate', 'subscription');
INSERT INTO crm.exchange_rate VALUES ('USD', '2024-12-01', 0.5), ('USD', '2025-02-01', 0.25), ('USD', '2025-03-10', 2), ('CHF', '2025-02-15', 3);
INSERT INTO crm.subscription (account_id, amount, currency, valid_from, valid_to) VALUES
	(1, 100, 'USD', '2025-01-10', NULL),														-- 50, whatever the rate does
	(2, 100, 'USD', '2025-01-10', '2025-02-10'), (2, 300, 'USD', '2025-02-10', NULL),			-- renewed: 50, 150
	(3, 100, 'USD', '2025-01-10', '2025-02-10'), (3, 100, 'USD', '2025-03-20', NULL),			-- a gap: 50, nothing, 200
	(4, 1000, 'USD', '2025-01-10', '2025-03-05'), (4, 100, 'USD', '2025-03-10 08:00+01', NULL),			-- the same within a month: 500, 200
	(5, 10, 'CHF', '2025-01-10', '2025-03-05'), (5, 10, 'CHF', '2025-03-05', NULL),				-- no rate when the run began
	(6, 10, 'CHF', crm.berlin('2025-02-15'), NULL),												-- the day of the first rate: 30
	(7, 1, 'EUR', '2025-01-10', '2025-02-10'), (7, 4, 'USD', '2025-02-10', NULL),				-- another currency: a run of its own
	(8, 10, 'XXX', '2025-01-10', NULL),
	(9, 100, 'USD', '2025-01-10', '2025-02-20'), (9, 50, 'USD', '2025-02-05', NULL);			-- overlapping: 50, then 25
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-05-05 12:00+02');
-- January 50+50+50+500+1+50; February 50+150+0+500+30+1+25; March 50+150+200+200+30+1+25.
SELECT 'rates' AS rule, crm.moved('2025-01-01') = '0 +701 +0 +0 -0 -0 =701' AND crm.moved('2025-02-01') = '701 +30 +0 +100 -25 -50 =756'
	AND crm.moved('2025-03-01') = '756 +0 +200 +0 -300 -0 =656' AND crm.moved('2025-04-01') = '656 +0 +0 +0 -0 -0 =656' AS holds;
SELECT source, reason, bad_rows, keys = (SELECT array_agg(id::text ORDER BY id) FROM crm.subscription WHERE account_id IN (5, 8)) AS keys FROM kpi_problem;
ROLLBACK TO rule;

-- What does not count begins no run and lacks no rate.
SAVEPOINT rule;
SELECT crm.bind('exchange_rate', 'subscription');
INSERT INTO crm.exchange_rate VALUES ('USD', '2024-12-01', 0.5), ('USD', '2025-02-01', 0.25);
INSERT INTO crm.subscription (account_id, amount, currency, billing_unit, billing_count, status, valid_from, valid_to) VALUES
	(1, 100, 'USD', NULL, NULL, NULL, '2025-02-10', NULL), (1, 'NaN', 'USD', NULL, NULL, NULL, '2025-01-10', '2025-02-10'),
	(2, 100, 'USD', NULL, NULL, NULL, '2025-02-10', NULL), (2, 100, 'USD', 'eon', NULL, NULL, '2025-01-10', '2025-02-10'),
	(3, 100, 'USD', NULL, NULL, NULL, '2025-02-10', NULL), (3, 100, 'USD', NULL, 0, NULL, '2025-01-10', '2025-02-10'),
	(4, 100, 'USD', NULL, NULL, NULL, '2025-02-10', NULL), (4, 100, 'USD', NULL, NULL, 'trial', '2025-01-10', '2025-02-10'),
	(5, 0, 'USD', NULL, NULL, NULL, '2025-02-10', NULL), (6, 7, 'XXX', NULL, NULL, 'trial', '2025-02-10', NULL);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-02-28', '2025-05-05 12:00+02');
SELECT 'no run' AS rule, crm.moved('2025-02-01') = '0 +100 +0 +0 -0 -0 =100' AS holds;
SELECT source, reason, bad_rows FROM kpi_problem ORDER BY reason COLLATE "C";
ROLLBACK TO rule;

--
-- Cost, by hand.
--
SAVEPOINT rule;
SELECT crm.bind('exchange_rate', 'cost', 'lead', 'sale');
INSERT INTO crm.exchange_rate VALUES ('USD', '2024-12-01', 0.5), ('USD', '2025-02-01', 100);
INSERT INTO crm.cost (id, period_from, period_to, amount, currency, function, channel, campaign, region) VALUES
	(1, '2025-01-01', '2025-04-01', 90, NULL, 'sales', NULL, NULL, NULL),			-- 31, 28, 31 of 90 days
	(2, '2025-01-31', NULL, 1000, NULL, 'marketing', 'Web', NULL, 'North'),			-- one day
	(3, '2025-01-31', '2025-02-02', 20, 'USD', 'marketing', NULL, 'Spring', NULL),	-- two days, one in each month; 10 euros, as on the first
	(4, '2025-01-16', '2025-02-01', 0.32, NULL, 'other', 'Web', 'Spring', NULL),	-- ends with January
	(5, '2025-02-01', '2025-03-01', 7000, NULL, 'marketing', NULL, '', NULL),		-- names no campaign
	(6, '2025-02-01', '2025-03-01', 5, NULL, NULL, 'Web', NULL, NULL),
	(7, '2024-12-31', '2025-01-02', 0.02, NULL, 'sales', NULL, NULL, NULL),			-- half of it before the first period
	(8, '2025-03-31', '2025-04-03', 100, NULL, 'marketing', 'Fair', NULL, NULL),	-- 33.3..33, 66.6..67
	(9, '2025-02-01', '2025-02-11', -40, NULL, 'sales', NULL, NULL, NULL),			-- a refund
	(10, '2025-02-10', '2025-02-12', 3, 'XXX', 'sales', NULL, NULL, NULL);
INSERT INTO crm.lead (id, created_at, channel, campaign) VALUES (1, '2025-01-10', 'Web', NULL), (2, '2025-01-10', 'Web', NULL), (3, '2025-01-10', NULL, 'Spring'), (4, '2025-01-10', NULL, NULL);
INSERT INTO crm.sale (sale_id, sold_at, amount, direct_cost) VALUES (1, '2025-01-10', 4000, 900);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-05-05 12:00+02');
SELECT 'spread by days' AS rule, array_agg(trim_scale(total_cost) ORDER BY period) = '{1036.33,6998,64.333333333333,66.666666666667}'
	AND array_agg(trim_scale(sales_and_marketing_cost) ORDER BY period) = '{1036.01,6993,64.333333333333,66.666666666667}'
	AND array_agg(trim_scale(campaign_cost) ORDER BY period) = '{1005,5,33.333333333333,66.666666666667}' AS holds
FROM kpi_fact WHERE grain = 'month' AND dimension = 'total';
SELECT 'by channel, campaign, region' AS rule, crm.fact('campaign_cost', '2025-01-01', 'channel', 'Web')::numeric = 1000 AND crm.fact('total_cost', '2025-01-01', 'channel', 'Web')::numeric = 1000.32
	AND crm.fact('campaign_cost', '2025-01-01', 'channel', '(none)')::numeric = 5 AND crm.fact('campaign_cost', '2025-01-01', 'campaign', 'Spring')::numeric = 5
	AND crm.fact('total_cost', '2025-02-01', 'campaign', '(none)')::numeric = 6993 AND crm.fact('sales_and_marketing_cost', '2025-01-01', 'region', 'North')::numeric = 1000
	AND crm.fact('total_cost', '2025-01-01', 'rep', '(none)') IS NULL AS holds;
SELECT 'cost per lead' AS rule, kpi_value('cost_per_lead', '2025-01-01') = 251.25 AND kpi_value('cost_per_lead', '2025-01-01', 'channel', 'Web') = 500
	AND kpi_value('cost_per_lead', '2025-01-01', 'campaign', 'Spring') = 5 AND kpi_value('cost_per_lead', '2025-02-01') IS NULL AS holds;
SELECT 'return on sales' AS rule, kpi_value('return_on_sales', '2025-01-01') = 100 * (4000 - 900 - 1036.33) / 4000 AS holds;
SELECT source, reason, bad_rows, keys FROM kpi_problem;
ROLLBACK TO rule;

-- A running month has what its days so far cost, today included.
SAVEPOINT rule;
SELECT crm.bind('cost');
INSERT INTO crm.cost (id, period_from, period_to, amount, function) VALUES (1, '2025-05-01', '2025-06-01', 31, 'sales'), (2, '2025-05-05', NULL, 100, 'sales'), (3, '2025-05-06', NULL, 1000, 'sales');
SELECT outcome FROM kpi_snapshot('2025-05-01', NULL, '2025-05-05 12:00+02');
SELECT 'up to today' AS rule, crm.fact('total_cost', '2025-05-01')::numeric = 105 AS holds;
SELECT outcome FROM kpi_snapshot('2025-05-01', NULL, '2025-06-01 00:00+02');
SELECT 'and then all' AS rule, crm.fact('total_cost', '2025-05-01')::numeric = 1131 AS holds;
ROLLBACK TO rule;

-- Instants name the days they touch, also when they begin and end on one.
SAVEPOINT rule;
ALTER TABLE crm.cost ALTER period_from TYPE timestamptz USING NULL, ALTER period_to TYPE timestamptz USING NULL;
SELECT crm.bind('cost');
INSERT INTO crm.cost (id, period_from, period_to, amount) VALUES (1, '2025-01-31 08:00+01', '2025-01-31 18:00+01', 1), (2, '2025-01-30 22:00+01', '2025-02-02 00:00+01', 30),
	(3, '2025-02-28 23:30+01', NULL, 100);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-03-31', '2025-05-05 12:00+02');
SELECT 'instants' AS rule, array_agg(trim_scale(total_cost) ORDER BY period) = '{21,110,0}' AS holds FROM kpi_fact WHERE grain = 'month' AND dimension = 'total';
ROLLBACK TO rule;

-- Without a first day the facts begin with the first cost or subscription, and
-- one to come is no reason to compute nothing.
SAVEPOINT rule;
SELECT crm.bind('cost');
INSERT INTO crm.cost (id, period_from, period_to, amount) VALUES (1, '2025-02-01', '2025-03-01', 1);
SELECT outcome FROM kpi_snapshot(as_of => '2025-05-05 12:00+02');
SELECT 'first cost' AS rule, min(period) = '2025-02-01' AND count(*) = 4 AS holds FROM kpi_fact WHERE grain = 'month' AND dimension = 'total';
ROLLBACK TO rule;
SAVEPOINT rule;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, valid_from) VALUES (1, 1, '2025-02-10');
SELECT outcome FROM kpi_snapshot(as_of => '2025-05-05 12:00+02');
SELECT 'first subscription' AS rule, min(period) = '2025-02-01' AND count(*) = 4 AS holds FROM kpi_fact WHERE grain = 'month' AND dimension = 'total';
ROLLBACK TO rule;
SAVEPOINT rule;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, valid_from) VALUES (1, 1, '2025-09-10');
SELECT outcome, periods > 0 AS some FROM kpi_snapshot(as_of => '2025-05-05 12:00+02');
SELECT 'one to come' AS rule, array_agg(mrr ORDER BY period) = '{0}' AS holds FROM kpi_fact WHERE grain = 'month' AND dimension = 'total';
ROLLBACK TO rule;

--
-- Bad rows are counted, named and left out.
--
SAVEPOINT rule;
SELECT crm.bind('subscription', 'cost');
ALTER TABLE crm.subscription ALTER id DROP IDENTITY;
INSERT INTO crm.subscription (id, account_id, amount, valid_from, valid_to, status, billing_unit, billing_count) VALUES
	(1, NULL, 2, '2025-01-10', NULL, NULL, NULL, NULL), (2, 1, 4, NULL, NULL, NULL, NULL, NULL), (3, 1, 8, '2025-01-10', '2025-01-09', NULL, NULL, NULL),
	(4, 1, 'NaN', '2025-01-10', NULL, NULL, NULL, NULL), (5, 1, 'Infinity', '2025-01-10', NULL, NULL, NULL, NULL), (6, 1, -16, '2025-01-10', NULL, NULL, NULL, NULL),
	(7, 1, NULL, '2025-01-10', NULL, NULL, NULL, NULL), (8, 1, 32, '2025-01-10', NULL, 'gone', NULL, NULL), (9, 1, 64, '2025-01-10', NULL, NULL, 'decade', NULL),
	(10, 1, 128, '2025-01-10', NULL, NULL, NULL, 0), (11, 1, 256, '2025-01-10', NULL, NULL, NULL, -1), (12, 2, 1, '2025-01-10', NULL, NULL, NULL, NULL);
INSERT INTO crm.cost (id, period_from, period_to, amount, function) VALUES
	(1, NULL, NULL, 2, 'sales'), (2, '2025-01-10', NULL, NULL, 'sales'), (3, '2025-01-10', NULL, 'NaN', 'sales'), (4, '2025-01-10', '2025-01-10', 4, 'sales'),
	(5, '2025-01-10', '2025-01-01', 8, 'sales'), (6, '2025-01-10', NULL, 16, 'fun'), (7, '2025-01-10', NULL, 1, 'sales');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-01-31', '2025-05-05 12:00+02');
SELECT source, reason, bad_rows, keys FROM kpi_problem ORDER BY source COLLATE "C" DESC, reason COLLATE "C";
SELECT 'the good ones count' AS rule, crm.moved('2025-01-01') = '0 +1 +0 +0 -0 -0 =1' AND crm.fact('total_cost', '2025-01-01')::numeric = 1 AND crm.fact('new_customers', '2025-01-01') = '1' AS holds;
ROLLBACK TO rule;

--
-- Random histories.  The randomness is that of md5, so that it is the same
-- everywhere; of five instants, one is the midnight of a month's first and one
-- is the microsecond before it.
--
CREATE FUNCTION crm.h(salt text, n integer, size integer) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN mod(('x' || substr(md5(salt || '/' || n), 1, 7))::bit(28)::integer, size);

CREATE FUNCTION crm.pick(salt text, n integer, VARIADIC choice text[]) RETURNS text LANGUAGE sql IMMUTABLE
RETURN choice[1 + crm.h(salt, n, cardinality(choice))];

CREATE FUNCTION crm.instant(salt text, n integer, days integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN crm.berlin(CASE crm.h(salt || 'kind', n, 5)
	WHEN 0 THEN date_trunc('month', timestamp '2023-12-01' + crm.h(salt || 'day', n, days) * interval '1 day')
	WHEN 1 THEN date_trunc('month', timestamp '2023-12-01' + crm.h(salt || 'day', n, days) * interval '1 day') - interval '1 microsecond'
	ELSE timestamp '2023-12-01' + crm.h(salt || 'day', n, days) * interval '1 day' + crm.h(salt || 'second', n, 86400) * interval '1 second' END);

-- It is 20 August 2025: 19 whole days of August lie behind, 50 of the quarter,
-- 231 of the year.
CREATE TABLE crm.clock AS SELECT timestamptz '2025-08-20 14:37:12+02' AS as_of;
CREATE TABLE crm.period (grain text, period date, period_end date);
INSERT INTO crm.period SELECT 'month', d, d + interval '1 month' FROM generate_series(timestamp '2024-04-01', '2025-08-01', '1 month') d;
INSERT INTO crm.period SELECT 'quarter', d, d + interval '3 months' FROM generate_series(timestamp '2024-04-01', '2025-07-01', '3 months') d;
INSERT INTO crm.period VALUES ('year', '2024-01-01', '2025-01-01'), ('year', '2025-01-01', '2026-01-01'),
	('month_cut', '2025-07-01', '2025-07-20'), ('month_cut', '2024-08-01', '2024-08-20'), ('quarter_cut', '2025-04-01', '2025-05-21'), ('quarter_cut', '2024-07-01', '2024-08-20'),
	('year_cut', '2024-01-01', '2024-08-19');
CREATE VIEW crm.span AS
SELECT grain, period, period_end, crm.berlin(period) AS opens_at, least(crm.berlin(period_end), as_of) AS closes_at FROM crm.period, crm.clock;

-- Whatever makes a customer: who paid how much as which member, from when to
-- when.  All that follows from it is in the views below.
CREATE TABLE crm.stretch (customer text, dimension text, member text, since timestamptz, until timestamptz, amount numeric);

-- Customers at each boundary: since before it, and until it or after it.
CREATE TABLE crm.standing (at timestamptz, dimension text, member text, customer text, amount numeric);
CREATE FUNCTION crm.stand() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO crm.standing
	SELECT b.at, dimension, member, customer, sum(amount)
	FROM (SELECT opens_at AS at FROM crm.span UNION SELECT closes_at FROM crm.span) b
	JOIN crm.stretch ON since < b.at AND coalesce(until, 'infinity') >= b.at
	GROUP BY b.at, dimension, member, customer;
	INSERT INTO crm.first SELECT dimension, member, customer, min(since) FROM crm.stretch GROUP BY 1, 2, 3;
	ANALYZE crm.standing, crm.first, crm.period;
END;
$$;

-- And since when ever.
CREATE TABLE crm.first (dimension text, member text, customer text, since timestamptz);

CREATE VIEW crm.expected AS
WITH pair AS MATERIALIZED (
	SELECT grain, period, opens_at, dimension, member, customer, sum(opening) AS opening, sum(closing) AS closing
	FROM (SELECT s.*, dimension, member, customer, amount AS opening, 0 AS closing FROM crm.span s JOIN crm.standing ON at = opens_at
		  UNION ALL SELECT s.*, dimension, member, customer, 0, amount FROM crm.span s JOIN crm.standing ON at = closes_at) x
	GROUP BY 1, 2, 3, 4, 5, 6
), measured AS (
	SELECT grain, period, dimension, member, m.measure, m.value
	FROM pair JOIN crm.first f USING (dimension, member, customer),
		LATERAL (SELECT opening = 0 AND f.since >= opens_at AS is_new, opening = 0 AND f.since < opens_at AS is_back) k,
		LATERAL (VALUES ('mrr_opening', opening), ('mrr', closing), ('mrr_new', CASE WHEN is_new THEN closing END), ('mrr_reactivated', CASE WHEN is_back THEN closing END),
			('mrr_expansion', CASE WHEN opening > 0 THEN greatest(closing - opening, 0) END), ('mrr_contraction', CASE WHEN closing > 0 THEN greatest(opening - closing, 0) END),
			('mrr_churned', CASE WHEN closing = 0 THEN opening END), ('mrr_retained', least(opening, closing)),
			('customers_opening', sign(opening)), ('customers', sign(closing)), ('customers_won', CASE WHEN is_new THEN 1 END), ('customers_reactivated', CASE WHEN is_back THEN 1 END),
			('customers_churned', CASE WHEN closing = 0 THEN 1 END), ('customers_kept', sign(least(opening, closing)))) m(measure, value)
	UNION ALL
	SELECT grain, period, dimension, member, 'new_customers', 1 FROM crm.span JOIN crm.first ON since >= opens_at AND since < closes_at
)
SELECT grain, period, dimension, member, measure, sum(value) AS value FROM measured GROUP BY 1, 2, 3, 4, 5 HAVING sum(value) <> 0;

-- What the snapshot found.  A measure of 0 and a member without a row are the same.
CREATE VIEW crm.found AS
SELECT f.grain, f.period, f.dimension, f.member, m.key AS measure, m.value::numeric AS value
FROM kpi_fact f, jsonb_each_text(to_jsonb(f)) m
WHERE f.superseded_at IS NULL AND m.key IN ('mrr_opening', 'mrr_new', 'mrr_reactivated', 'mrr_expansion', 'mrr_contraction', 'mrr_churned', 'mrr', 'mrr_retained', 'customers_opening', 'customers_won',
		'customers_reactivated', 'customers_churned', 'customers', 'customers_kept', 'new_customers')
	AND m.value::numeric <> 0;

-- Subscriptions of 300 customers, five each, at most one in ten of them bad,
-- and from there the periods, dimensions and members.
CREATE TABLE crm.h_account (id integer, region text, segment text, channel text, valid_from timestamptz, valid_to timestamptz);
INSERT INTO crm.h_account
SELECT n, crm.pick('areg' || v, n, 'North', 'South', 'West+', '', NULL), crm.pick('seg' || v, n, 'SMB', 'Enterprise', '', NULL), crm.pick('acha' || v, n, 'Web', 'Fair', NULL),
	CASE v WHEN 2 THEN since END, CASE v WHEN 1 THEN since END
FROM generate_series(1, 290) n, generate_series(1, 2) v, LATERAL (SELECT crm.instant('move', n, 600) AS since) s
WHERE v = 1 OR n % 3 = 0;
UPDATE crm.h_account SET valid_to = NULL WHERE id % 3 > 0;
CREATE TABLE crm.h_rep (id integer, name text, team text, valid_from timestamptz, valid_to timestamptz);
INSERT INTO crm.h_rep VALUES (1, 'Ada', 'Red', NULL, crm.berlin('2025-02-01')), (1, 'Ada', 'Blue', crm.berlin('2025-02-01'), NULL), (2, 'Bob', 'Red', NULL, crm.berlin('2024-11-10 12:00')),
	(2, 'Bob', '', crm.berlin('2024-11-10 12:00'), NULL), (3, 'Cem', 'Blue', NULL, NULL), (4, 'Dee', NULL, NULL, NULL);
CREATE TABLE crm.h_rate (currency text, valid_on date, rate numeric);
INSERT INTO crm.h_rate VALUES ('USD', '2023-11-10', 0.91), ('USD', '2024-05-17', 0.925), ('USD', '2024-12-12', 0.9517), ('USD', '2025-04-09', 0.88), ('CHF', '2024-06-15', 1.0631), ('CHF', '2025-06-11', 1.07);

CREATE TABLE crm.h_subscription (id integer, account_id integer, amount numeric, valid_from timestamptz, valid_to timestamptz, plan text, billing_unit text, billing_count integer,
	currency text, status text, region text, channel text, rep_id integer);
INSERT INTO crm.h_subscription
SELECT n, nullif(customer, 77), CASE crm.h('bad', n, 90) WHEN 0 THEN 'NaN' WHEN 1 THEN -5 WHEN 2 THEN NULL WHEN 3 THEN 'Infinity' WHEN 4 THEN 0 ELSE crm.h('amount', n / 2, 500) * 1.37 END,
	CASE WHEN n % 97 > 0 THEN since END,
	CASE crm.h('to', n, 6) WHEN 0 THEN NULL WHEN 1 THEN date_trunc('month', since, 'Europe/Berlin') + interval '62 days'
		WHEN 2 THEN crm.instant('from' || customer, k + 1, 620) ELSE since + crm.h('lasts', n, 300) * interval '1 day' + crm.h('seconds', n, 2) * interval '3 hours' END,
	crm.pick('plan', n, 'Basic', 'Basic', 'Pro', 'Team+', '', NULL), CASE crm.h('bad', n, 90) WHEN 5 THEN 'eon' ELSE crm.pick('unit', n / 2, NULL, 'month', 'month', 'year', 'quarter', 'week', 'day') END,
	CASE crm.h('bad', n, 90) WHEN 6 THEN 0 ELSE crm.pick('count', n / 2, NULL, NULL, '1', '2', '7')::integer END,
	crm.pick('currency', customer + crm.h('cur', n, 4) / 3, NULL, NULL, 'EUR', 'USD', 'CHF'), CASE crm.h('bad', n, 90) WHEN 7 THEN 'gone' ELSE crm.pick('status', n, NULL, 'active', 'active', 'active', 'past_due', 'cancelled', 'trial', 'paused', 'incomplete') END,
	crm.pick('reg', n, 'North', 'East', '', NULL, NULL), crm.pick('cha', n, 'Web', 'Phone', NULL, NULL), nullif(crm.h('rep', customer, 6), 0)
FROM generate_series(1, 300) customer, generate_series(1, 5) k, LATERAL (SELECT 5 * customer + k AS n, crm.instant('from' || customer, k, 620) AS since) s;

-- A month's amount, exact to 12 decimals.
CREATE FUNCTION crm.monthly(amount numeric, unit text, n integer) RETURNS numeric LANGUAGE sql IMMUTABLE
RETURN CASE WHEN coalesce(unit, 'month') = 'month' AND coalesce(n, 1) = 1 THEN amount ELSE
	div(2 * amount * 1000000000000 * CASE unit WHEN 'week' THEN 52 WHEN 'day' THEN 365 ELSE 1 END + CASE unit WHEN 'quarter' THEN 3 WHEN 'year' THEN 12 WHEN 'week' THEN 12 WHEN 'day' THEN 12 ELSE 1 END * coalesce(n, 1),
		2 * CASE unit WHEN 'quarter' THEN 3 WHEN 'year' THEN 12 WHEN 'week' THEN 12 WHEN 'day' THEN 12 ELSE 1 END * coalesce(n, 1)) / 1000000000000 END;

CREATE VIEW crm.paying AS
SELECT *, crm.monthly(amount, billing_unit, billing_count) AS monthly FROM crm.h_subscription
WHERE account_id IS NOT NULL AND amount > 0 AND amount NOT IN ('NaN', 'Infinity') AND (valid_from < valid_to OR valid_from IS NOT NULL AND valid_to IS NULL)
	AND coalesce(status, 'active') IN ('active', 'past_due', 'cancelled') AND coalesce(billing_unit, 'month') <> 'eon' AND coalesce(billing_count, 1) > 0;

-- Runs in a currency are what the intervals cover together.
CREATE VIEW crm.run AS
SELECT account_id, currency, run, CASE WHEN coalesce(currency, 'EUR') = 'EUR' THEN 1 ELSE (
	SELECT rate FROM crm.h_rate r WHERE r.currency = c.currency AND crm.berlin(valid_on) <= lower(run) ORDER BY valid_on DESC LIMIT 1) END AS rate
FROM (SELECT account_id, currency, unnest(range_agg(tstzrange(valid_from, valid_to))) AS run FROM crm.paying GROUP BY account_id, currency) c;

-- Each interval, cut to the time that its account's and its rep's versions
-- held, and each of these for each dimension.
CREATE VIEW crm.subscribed AS
SELECT account_id::text AS customer, d.dimension, coalesce(nullif(d.member, ''), CASE d.dimension WHEN 'total' THEN '' ELSE '(none)' END) AS member,
	lower(piece) AS since, upper(piece) AS until, monthly * rate AS amount
FROM (SELECT *, to_char(min(CASE WHEN counts THEN valid_from END) OVER (PARTITION BY account_id) AT TIME ZONE 'Europe/Berlin', 'YYYY-MM') || '-01' AS cohort
	  FROM (SELECT *, EXISTS (SELECT FROM crm.run r WHERE r.account_id = y.account_id AND r.currency IS NOT DISTINCT FROM y.currency AND r.run @> y.valid_from AND r.rate > 0) AS counts
			FROM crm.paying y) y) p
JOIN crm.run r USING (account_id)
LEFT JOIN crm.h_account a ON a.id = account_id
LEFT JOIN crm.h_rep e ON e.id = rep_id,
	LATERAL (SELECT tstzrange(p.valid_from, p.valid_to) * tstzrange(a.valid_from, a.valid_to) * tstzrange(e.valid_from, e.valid_to) AS piece) c,
	LATERAL (VALUES ('total', ''), ('plan', plan), ('region', coalesce(nullif(p.region, ''), a.region)), ('channel', coalesce(p.channel, a.channel)), ('segment', a.segment),
		('rep', rep_id::text), ('team', e.team), ('cohort', cohort)) d(dimension, member)
WHERE r.currency IS NOT DISTINCT FROM p.currency AND r.run @> p.valid_from AND r.rate IS NOT NULL AND NOT isempty(piece);

SAVEPOINT histories;
SELECT count(*) AS bound FROM unnest('{subscription,account,rep}'::text[]) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.h_' || s)::regclass));
SELECT count(*) > 0 AS bound FROM kpi_bind('exchange_rate', 'crm.h_rate');
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of);
INSERT INTO crm.stretch SELECT * FROM crm.subscribed;
SELECT crm.stand();
CREATE TABLE crm.answer AS SELECT * FROM crm.expected;
ANALYZE crm.answer;

SELECT 'each measure occurs, for each dimension' AS property, count(DISTINCT measure) = 15 AND count(DISTINCT (measure, dimension)) = 15 * 8 AND count(*) > 5000 AS holds FROM crm.answer;
SELECT 'the same periods' AS property, NOT EXISTS ((SELECT grain, period, period_end FROM kpi_fact EXCEPT SELECT * FROM crm.period) UNION ALL (SELECT * FROM crm.period EXCEPT SELECT grain, period, period_end FROM kpi_fact)) AS holds;

-- No cell too many, none missing, none different.
SELECT measure, dimension, count(*) AS differences, min(grain || ' ' || period || ' ' || member) AS for_example
FROM crm.found f FULL JOIN crm.answer a USING (grain, period, dimension, member, measure)
WHERE f.value IS DISTINCT FROM a.value
GROUP BY 1, 2 ORDER BY measure COLLATE "C", dimension COLLATE "C";

SELECT 'bad rows' AS property, source, reason, bad_rows - x.n AS too_many
FROM kpi_problem FULL JOIN (
	SELECT reason, count(*) AS n
	FROM crm.h_subscription, LATERAL (VALUES ('no account_id', account_id IS NULL), ('no valid_from', valid_from IS NULL), ('ends before it starts', valid_to < valid_from),
		('amount is not a finite number', amount IN ('NaN', 'Infinity')), ('negative amount', amount < 0), ('no amount', amount IS NULL), ('unknown status', status = 'gone'),
		('unknown billing_unit', billing_unit = 'eon'), ('billing_count is not positive', billing_count = 0), ('cancelled without valid_to', status = 'cancelled' AND valid_to IS NULL)) v(reason, is_so)
	WHERE is_so GROUP BY reason
	UNION ALL
	SELECT 'no exchange rate', count(*) FROM crm.paying p WHERE EXISTS (SELECT FROM crm.run r WHERE r.account_id = p.account_id AND r.currency = p.currency AND r.run @> p.valid_from AND r.rate IS NULL)) x USING (reason)
WHERE bad_rows IS DISTINCT FROM x.n;
SELECT count(*) AS kinds_of_bad_rows FROM kpi_problem WHERE source = 'subscription';

-- What must hold on any data.
CREATE VIEW crm.fact_now AS SELECT * FROM kpi_fact WHERE superseded_at IS NULL AND mrr IS NOT NULL;
SELECT 'the movements make the difference' AS property, bool_and(mrr_opening + mrr_new + mrr_reactivated + mrr_expansion - mrr_contraction - mrr_churned = mrr
	AND customers_opening + customers_won + customers_reactivated - customers_churned = customers AND customers_opening = customers_kept + customers_churned) AS holds FROM crm.fact_now;
SELECT 'what is retained' AS property, bool_and(mrr_retained = mrr_opening - mrr_contraction - mrr_churned AND mrr_retained BETWEEN 0 AND mrr_opening) AS holds FROM crm.fact_now;
SELECT 'churn and retention make 100, gross is not more than net or 100' AS property, bool_and(abs(churn + retention - 100) < 1e-12 AND gross <= least(100, net) AND net - gross >= 0) AND count(retention) = 100 AS holds
FROM (SELECT DISTINCT grain, period FROM crm.fact_now WHERE grain NOT LIKE '%cut') p, unnest('{North,South}'::text[]) m,
	LATERAL (SELECT kpi_value('customer_churn_rate', period, 'region', m, grain) AS churn, kpi_value('customer_retention_rate', period, 'region', m, grain) AS retention,
		kpi_value('gross_revenue_retention', period, 'region', m, grain) AS gross, kpi_value('net_revenue_retention', period, 'region', m, grain) AS net
		UNION ALL
		SELECT kpi_value('customer_churn_rate', period, grain => grain), kpi_value('customer_retention_rate', period, grain => grain),
			kpi_value('gross_revenue_retention', period, grain => grain), kpi_value('net_revenue_retention', period, grain => grain)) v;
SELECT 'a period opens as the one before closes' AS property, bool_and(coalesce(n.mrr_opening, 0) = coalesce(f.mrr, 0) AND coalesce(n.customers_opening, 0) = coalesce(f.customers, 0)) AND count(*) > 200 AS holds
FROM (SELECT * FROM crm.fact_now WHERE grain NOT LIKE '%cut' AND is_complete) f
FULL JOIN (SELECT * FROM crm.fact_now n WHERE grain NOT LIKE '%cut' AND EXISTS (SELECT FROM crm.fact_now b WHERE b.grain = n.grain AND b.period_end = n.period)) n
	ON n.grain = f.grain AND n.period = f.period_end AND n.dimension = f.dimension AND n.member = f.member;
SELECT 'a quarter closes as its last month, but its movements are not their sum' AS property, bool_and(q.mrr = m.closing AND q.mrr_opening = m.opening AND q.new_customers = m.firsts)
	AND bool_or(q.mrr_churned <> m.churned) AND bool_or(q.mrr_new <> m.new) AS holds
FROM (SELECT * FROM crm.fact_now WHERE grain = 'quarter' AND dimension = 'total') q
JOIN (SELECT date_trunc('quarter', period)::date AS period, (array_agg(mrr ORDER BY period DESC))[1] AS closing, (array_agg(mrr_opening ORDER BY period))[1] AS opening, sum(new_customers) AS firsts,
		sum(mrr_churned) AS churned, sum(mrr_new) AS new FROM crm.fact_now WHERE grain = 'month' AND dimension = 'total' GROUP BY 1) m USING (period);
SELECT 'members add up to the total' AS property, bool_and(m.mrr = t.mrr AND m.mrr_opening = t.mrr_opening AND m.net = t.mrr - t.mrr_opening) AND count(*) > 100 AS holds
FROM (SELECT grain, period, dimension, sum(mrr) AS mrr, sum(mrr_opening) AS mrr_opening, sum(mrr_new + mrr_reactivated + mrr_expansion - mrr_contraction - mrr_churned) AS net FROM crm.fact_now GROUP BY 1, 2, 3) m
JOIN (SELECT * FROM crm.fact_now WHERE dimension = 'total') t USING (grain, period);
SELECT 'kpi_mrr_movements says the same' AS property, NOT EXISTS (
	SELECT f.period, f.member, mrr_opening, mrr_new, mrr_reactivated, mrr_expansion, mrr_contraction, mrr_churned, mrr, f.customers_opening, customers_won, f.customers_reactivated, f.customers_churned, customers
	FROM crm.fact_now f WHERE grain = 'month' AND dimension = 'plan'
	EXCEPT SELECT ("time" AT TIME ZONE 'Europe/Berlin')::date, member, opening, new, reactivation, expansion, contraction, churned, closing, customers_opening, customers_new, customers_reactivated, customers_churned, customers_closing
	FROM kpi_mrr_movements('2024-04-01', '2025-09-01', dimension => 'plan')) AS holds;
SELECT 'the customers drilled into add up' AS property, bool_and(drilled = value) AND count(DISTINCT measure) = 15 AND count(DISTINCT dimension) > 5 AND max(customers) > 10 AS holds
FROM (SELECT *, row_number() OVER (PARTITION BY measure ORDER BY md5(grain || period || dimension || member || measure)) AS n FROM crm.answer WHERE grain IN ('month', 'quarter')) a,
	LATERAL (SELECT sum(amount) AS drilled, count(*) AS customers FROM kpi_drill(measure, period, dimension, member, grain)) d WHERE n <= 3;
CREATE FUNCTION crm.drill_plan(kpi text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE (SELECT format('PREPARE drill(%s) AS %s', (SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'kpi_parameters'::regclass), s.query)
			 FROM kpi_drill_task(kpi, '2025-01-10', 'total', 'month') t, unnest(kpi_drill_written(t.steps, 'total', t.columns)) s);
	RETURN QUERY EXECUTE (SELECT format('EXPLAIN (COSTS OFF) EXECUTE drill(%s)', string_agg('NULL', ', ')) FROM pg_attribute WHERE attrelid = 'kpi_parameters'::regclass);
	DEALLOCATE drill;
END $$;
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_sort = off;	-- and yet
SELECT 'and their ledgers are in memory one at a time' AS property, count(*) FILTER (WHERE line LIKE '%GroupAggregate%') = 1 AND count(*) FILTER (WHERE line LIKE '%HashAggregate%') = 0 AS holds FROM crm.drill_plan('mrr') line;
RESET enable_sort;
RESET plan_cache_mode;
SELECT 'dimensions that subscriptions do not tell' AS property, NOT EXISTS (SELECT FROM crm.fact_now WHERE dimension NOT IN ('total', 'plan', 'region', 'channel', 'segment', 'rep', 'team', 'cohort')) AS holds;
SELECT 'a snapshot of nothing new writes nothing' AS property, changed = 0 AS holds FROM crm.clock, kpi_snapshot('2024-04-10', '2025-07-31', as_of + interval '1 second');
ROLLBACK TO histories;

-- The same with ids as text and days instead of instants.
SAVEPOINT histories;
UPDATE crm.h_subscription SET valid_from = crm.berlin((valid_from AT TIME ZONE 'Europe/Berlin')::date), valid_to = crm.berlin((valid_to AT TIME ZONE 'Europe/Berlin')::date);
UPDATE crm.h_account SET valid_from = crm.berlin((valid_from AT TIME ZONE 'Europe/Berlin')::date), valid_to = crm.berlin((valid_to AT TIME ZONE 'Europe/Berlin')::date);
CREATE VIEW crm.d_subscription AS
SELECT 'S' || id AS id, 'A ' || account_id AS account_id, amount::double precision, (valid_from AT TIME ZONE 'Europe/Berlin')::date AS valid_from, (valid_to AT TIME ZONE 'Europe/Berlin')::date AS valid_to,
	plan::varchar(10), billing_unit, billing_count::bigint, currency::char(3), status, region, channel, 'R ' || rep_id AS rep_id FROM crm.h_subscription;
CREATE VIEW crm.d_account AS
SELECT 'A ' || id AS id, region, segment, channel, (valid_from AT TIME ZONE 'Europe/Berlin')::date AS valid_from, (valid_to AT TIME ZONE 'Europe/Berlin')::date AS valid_to FROM crm.h_account;
CREATE VIEW crm.d_rep AS SELECT 'R ' || id AS id, name, team, valid_from, valid_to FROM crm.h_rep;
SELECT count(*) AS bound FROM unnest('{subscription,account,rep}'::text[]) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.d_' || s)::regclass));
SELECT count(*) > 0 AS bound FROM kpi_bind('exchange_rate', 'crm.h_rate');
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of);
INSERT INTO crm.stretch SELECT customer, dimension, CASE WHEN dimension = 'rep' AND member <> '(none)' THEN 'R ' || member ELSE member END, since, until, amount FROM crm.subscribed;
SELECT crm.stand();
CREATE TABLE crm.answer AS SELECT * FROM crm.expected;
ANALYZE crm.answer;
SELECT 'each measure occurs, for each dimension' AS property, count(DISTINCT (measure, dimension)) = 15 * 8 AND count(*) > 5000 AS holds FROM crm.answer;
SELECT measure, dimension, count(*) AS differences, min(grain || ' ' || period || ' ' || member) AS for_example
FROM crm.found f FULL JOIN crm.answer a USING (grain, period, dimension, member, measure)
WHERE f.value IS DISTINCT FROM a.value
GROUP BY 1, 2 ORDER BY measure COLLATE "C", dimension COLLATE "C";
ROLLBACK TO histories;

-- Without subscriptions a customer is who bought within the last days; a credit
-- note makes none.  Purchases from before the first period count as such.
CREATE TABLE crm.h_sale AS
SELECT n AS sale_id, crm.instant('sold', n, 620) AS sold_at, (crm.h('price', n, 1000) - 300) * 3.7 AS amount, nullif(crm.h('buyer', n, 61), 0) AS account_id,
	crm.pick('sreg', n, 'North', 'East', '', NULL) AS region, crm.pick('product', n, 'Alpha', 'Beta', NULL) AS product
FROM generate_series(1, 400) n;
CREATE FUNCTION crm.bought(days integer) RETURNS SETOF crm.stretch LANGUAGE sql
BEGIN ATOMIC
	SELECT account_id::text, d.dimension, coalesce(nullif(d.member, ''), CASE d.dimension WHEN 'total' THEN '' ELSE '(none)' END), sold_at,
		crm.berlin((sold_at AT TIME ZONE 'Europe/Berlin') + days * interval '1 day'), 1
	FROM crm.h_sale s, LATERAL (VALUES ('total', ''), ('region', region), ('product', product),
		('cohort', (SELECT to_char(min(sold_at) AT TIME ZONE 'Europe/Berlin', 'YYYY-MM') || '-01' FROM crm.h_sale f WHERE f.account_id = s.account_id AND f.amount > 0))) d(dimension, member)
	WHERE amount > 0 AND account_id IS NOT NULL;
END;
CREATE VIEW crm.customer_difference AS
SELECT measure, dimension, count(*) AS differences, min(grain || ' ' || period || ' ' || member) AS for_example
FROM crm.found f FULL JOIN (SELECT * FROM crm.expected WHERE measure NOT LIKE 'mrr%') a USING (grain, period, dimension, member, measure)
WHERE f.value IS DISTINCT FROM a.value
GROUP BY 1, 2 ORDER BY measure COLLATE "C", dimension COLLATE "C";

SAVEPOINT histories;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.h_sale');
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of);
INSERT INTO crm.stretch SELECT * FROM crm.bought(365);
SELECT crm.stand();
SELECT 'each measure occurs' AS property, count(DISTINCT (measure, dimension)) = 7 * 4 AND bool_and(measure NOT LIKE 'mrr%') AS holds FROM crm.found;
SELECT 'new customers before the first period are not new in it' AS property, (SELECT sum(value) FROM crm.found WHERE measure = 'new_customers' AND grain = 'month' AND dimension = 'total')
	< (SELECT count(DISTINCT account_id) FROM crm.clock, crm.h_sale WHERE amount > 0 AND sold_at < as_of) AS holds;
SELECT * FROM crm.customer_difference;
SELECT 'no recurring revenue' AS property, bool_and(mrr IS NULL AND mrr_opening IS NULL) AS holds FROM kpi_fact;
ROLLBACK TO histories;

SAVEPOINT histories;
SELECT kpi_set('customer_active_days', '30');
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.h_sale');
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of);
INSERT INTO crm.stretch SELECT * FROM crm.bought(30);
SELECT crm.stand();
SELECT 'each measure occurs' AS property, count(DISTINCT (measure, dimension)) = 7 * 4 AS holds FROM crm.found;
SELECT * FROM crm.customer_difference;
ROLLBACK TO histories;

-- Where both are bound, subscriptions say who is a customer.
SAVEPOINT histories;
SELECT crm.bind('sale', 'subscription');
INSERT INTO crm.sale (sale_id, sold_at, amount, account_id) VALUES (1, '2025-01-10', 1, 1), (2, '2025-01-10', 1, 2);
INSERT INTO crm.subscription (account_id, amount, valid_from) VALUES (3, 1, '2025-01-10');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-01-31', '2025-05-05 12:00+02');
SELECT 'subscriptions go before purchases' AS rule, crm.fact('customers', '2025-01-01') = '1' AND crm.fact('new_customers', '2025-01-01') = '1' AND crm.fact('buying_customers', '2025-01-01') = '2' AS holds;
ROLLBACK TO histories;

--
-- Random costs: each period has the difference of the rounded shares up to its
-- last and its first day.
--
CREATE TABLE crm.h_cost AS
SELECT n AS id, since AS period_from, CASE WHEN crm.h('clast', n, 4) > 0 THEN since + 1 + crm.h('cdays', n, 200) END AS period_to,
	(crm.h('camount', n, 100000) - 5000) * 0.0137 AS amount, crm.pick('ccur', n, NULL, 'EUR', 'USD', 'CHF') AS currency, crm.pick('cfun', n, 'sales', 'marketing', 'marketing', 'other', NULL) AS function,
	crm.pick('ccha', n, 'Web', 'Fair', '', NULL) AS channel, crm.pick('ccam', n, 'Spring', NULL, '') AS campaign, crm.pick('creg', n, 'North', 'South', NULL) AS region
FROM generate_series(1, 300) n, LATERAL (SELECT date '2023-12-01' + crm.h('cfrom', n, 640) AS since) s;

CREATE FUNCTION crm.up_to(amount numeric, n integer, days integer) RETURNS numeric LANGUAGE sql IMMUTABLE
RETURN sign(amount) * div(2 * abs(amount) * 1000000000000 * greatest(0, least(n, days)) + days, 2 * days) / 1000000000000;

CREATE VIEW crm.spent AS
SELECT grain, period, d.dimension, coalesce(nullif(d.member, ''), CASE d.dimension WHEN 'total' THEN '' ELSE '(none)' END) AS member, m.measure, sum(value) AS value
FROM (SELECT *, least(period_end, (as_of AT TIME ZONE 'Europe/Berlin')::date + 1) AS last FROM crm.period, crm.clock) p, crm.h_cost c,
	LATERAL (SELECT coalesce(period_to, period_from + 1) - period_from AS days,
		CASE WHEN coalesce(currency, 'EUR') = 'EUR' THEN 1 ELSE (SELECT rate FROM crm.h_rate r WHERE r.currency = c.currency AND valid_on <= period_from ORDER BY valid_on DESC LIMIT 1) END AS rate) x,
	LATERAL (SELECT crm.up_to(amount * rate, last - period_from, days) - crm.up_to(amount * rate, period - period_from, days) AS share) s,
	LATERAL (VALUES ('total_cost', share), ('sales_and_marketing_cost', CASE WHEN function IN ('sales', 'marketing') THEN share END),
		('campaign_cost', CASE WHEN function = 'marketing' AND concat(channel, campaign) <> '' THEN share END)) m(measure, value),
	LATERAL (VALUES ('total', ''), ('channel', channel), ('campaign', campaign), ('region', region)) d(dimension, member)
GROUP BY 1, 2, 3, 4, 5 HAVING sum(value) <> 0;

SAVEPOINT histories;
SELECT count(*) > 0 AS bound FROM kpi_bind('cost', 'crm.h_cost');
SELECT count(*) > 0 AS bound FROM kpi_bind('exchange_rate', 'crm.h_rate');
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of);
CREATE TABLE crm.cost_found AS
SELECT f.grain, f.period, f.dimension, f.member, m.measure, m.value
FROM kpi_fact f, LATERAL (VALUES ('total_cost', total_cost), ('sales_and_marketing_cost', sales_and_marketing_cost), ('campaign_cost', campaign_cost)) m(measure, value)
WHERE value <> 0;
SELECT 'cells were compared' AS property, count(*) > 800 AND count(DISTINCT (measure, dimension)) = 12 AS holds FROM crm.spent;
SELECT measure, dimension, count(*) AS differences, min(grain || ' ' || period || ' ' || member) AS for_example
FROM crm.cost_found f FULL JOIN crm.spent s USING (grain, period, dimension, member, measure)
WHERE f.value IS DISTINCT FROM s.value
GROUP BY 1, 2 ORDER BY measure COLLATE "C", dimension COLLATE "C";
SELECT 'parts add up to the whole' AS property, bool_and(m.value = q.value) AND count(*) > 10 AS holds
FROM (SELECT date_trunc('quarter', period)::date AS period, dimension, member, measure, sum(value) AS value FROM crm.cost_found WHERE grain = 'month' GROUP BY 1, 2, 3, 4) m
JOIN (SELECT * FROM crm.cost_found WHERE grain = 'quarter') q USING (period, dimension, member, measure);
SELECT source, reason, bad_rows - (SELECT count(*) FROM crm.h_cost WHERE currency = 'CHF' AND period_from < '2024-06-15') AS too_many FROM kpi_problem;
ROLLBACK TO histories;

--
-- Answers to leads, and why deals were lost.
--
CREATE TABLE crm.h_lead AS
SELECT n AS id, crm.instant('lead', n, 620) AS created_at, crm.instant('lead', n, 620) + crm.h('answer', n, 900) * interval '1 hour 7 seconds' - interval '20 hours' AS first_response_at, crm.pick('lcha', n, 'Web', 'Fair', NULL) AS channel
FROM generate_series(1, 300) n;
UPDATE crm.h_lead SET first_response_at = NULL WHERE id % 5 = 0;
CREATE TABLE crm.h_opportunity AS
SELECT n AS id, crm.pick('ostatus', n, 'open', 'won', 'lost', 'lost') AS status, crm.instant('opp', n, 300) AS created_at, crm.instant('opp', n, 300) + crm.h('odays', n, 300) * interval '1 day' AS closed_at,
	crm.h('oamount', n, 500) AS amount, crm.pick('oreason', n, 'price', 'competitor', 'timing', '', NULL) AS lost_reason
FROM generate_series(1, 300) n;
SAVEPOINT histories;
SELECT count(*) AS bound FROM unnest('{lead,opportunity}'::text[]) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.h_' || s)::regclass));
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of);
CREATE VIEW crm.answered AS
SELECT grain, period, d.dimension, d.member, extract(epoch FROM first_response_at - created_at) AS seconds
FROM crm.clock, crm.span JOIN crm.h_lead ON created_at >= opens_at AND created_at < closes_at, LATERAL (VALUES ('total', ''), ('channel', coalesce(channel, '(none)'))) d(dimension, member)
WHERE first_response_at >= created_at AND first_response_at < as_of;
SELECT 'answers to leads' AS property, NOT EXISTS (
	SELECT FROM (SELECT * FROM kpi_fact WHERE lead_responses::text <> '1:{}') f
	FULL JOIN (SELECT grain, period, dimension, member, '1:{' || string_agg(us || CASE WHEN n > 1 THEN '*' || n ELSE '' END, ',' ORDER BY us) || '}' AS expected
			   FROM (SELECT grain, period, dimension, member, (seconds * 1000000)::bigint AS us, count(*) AS n FROM crm.answered GROUP BY 1, 2, 3, 4, 5) u GROUP BY 1, 2, 3, 4) a USING (grain, period, dimension, member)
	WHERE lead_responses::text IS DISTINCT FROM expected) AS holds;
SELECT 'their median' AS property, bool_and(abs(kpi_value('lead_response_time', period, dimension, member, grain) - days) < 1e-9) AND count(*) > 30 AS holds
FROM (SELECT grain, period, dimension, member, (percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds::float8) / 86400)::numeric AS days FROM crm.answered WHERE grain NOT LIKE '%cut' GROUP BY 1, 2, 3, 4) a;
SELECT 'answered before it was created' AS property, bad_rows = (SELECT count(*) FROM crm.h_lead WHERE first_response_at < created_at) AND bad_rows > 0 AS holds FROM kpi_problem WHERE source = 'lead';
SELECT 'reasons of losing' AS property, count(*) > 100 AND bool_and(coalesce(f.lost_deals, 0) = coalesce(x.lost, 0) AND coalesce(f.lost_value, 0) = coalesce(x.value, 0)) AS holds
FROM (SELECT * FROM kpi_fact WHERE dimension = 'lost_reason') f
FULL JOIN (SELECT grain, period, coalesce(nullif(lost_reason, ''), '(none)') AS member, count(*) FILTER (WHERE status = 'lost') AS lost, sum(amount) FILTER (WHERE status = 'lost') AS value
		   FROM crm.span JOIN crm.h_opportunity ON closed_at >= opens_at AND closed_at < closes_at WHERE status <> 'open' GROUP BY 1, 2, 3) x USING (grain, period, member);
SELECT 'the reasons add up' AS property, bool_and(f.lost = t.lost_deals) AS holds
FROM (SELECT grain, period, sum(lost_deals) AS lost FROM kpi_fact WHERE dimension = 'lost_reason' GROUP BY 1, 2) f JOIN (SELECT * FROM kpi_fact WHERE dimension = 'total') t USING (grain, period);
SELECT 'what is not closed has none' AS property, bool_and(opportunities IS NULL AND open_opportunities IS NULL AND leads IS NULL AND mrr IS NULL) AS holds FROM kpi_fact WHERE dimension = 'lost_reason';
ROLLBACK TO histories;
ROLLBACK;
