--
-- The same numbers from the sources this second.  That they are those of a
-- snapshot, for every KPI, is tested where its data is: sql/snapshot.sql,
-- test/demo.sh.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'America/New_York';
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA shop;
SELECT kpi_set('time_zone', 'Europe/Berlin'), kpi_set('currency', 'EUR');

SAVEPOINT before;
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01');	-- nothing is bound
ROLLBACK TO before;

-- Order lines dated by days, calls by instants, a roster, a rate.
CREATE TABLE shop.line (sale_id integer, sold_at date, amount numeric, direct_cost numeric, currency text, account_id text, rep_id text, region text);
INSERT INTO shop.line VALUES
	(1, '2025-05-31', 100, 40, NULL, 'x', 'ada', 'North'),
	(2, '2025-06-01', 10.50, 4, 'EUR', 'x', 'ada', 'North'),
	(3, '2025-06-15', 5, NULL, 'USD', 'y', NULL, NULL),
	(4, '2025-06-30', -3, -1, NULL, 'y', 'bob', 'South'),
	(5, '2025-07-01', 1000, 600, NULL, 'z', 'bob', 'South'),
	(6, '2024-06-10', 50, 20, NULL, 'z', 'bob', 'South');
CREATE TABLE shop.rate (currency text, valid_on date, rate numeric);
INSERT INTO shop.rate VALUES ('USD', '2025-05-20', 0.9);
CREATE TABLE shop.rep (id text, team text, active_from date);
INSERT INTO shop.rep VALUES ('ada', 'Red', '2025-06-16'), ('bob', 'Blue', '2024-01-01');
CREATE TABLE shop.call (happened_at timestamptz, kind text, rep_id text);
INSERT INTO shop.call VALUES ('2025-05-31 23:59:59+02', 'call', 'ada'), ('2025-06-01 00:00+02', 'call', 'ada'), ('2025-06-30 23:59:59+02', 'email', 'bob'), ('2025-07-01 00:00+02', 'call', 'bob');
SELECT count(*) AS bound FROM (VALUES ('sale', 'shop.line'), ('exchange_rate', 'shop.rate'), ('rep', 'shop.rep'), ('activity', 'shop.call')) v(source, relation)
WHERE EXISTS (SELECT FROM kpi_bind(source, relation::regclass));

-- No snapshot has been taken: 10.50 + 5 * 0.9 - 3 in June, of which North 10.50.
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01') AS month, kpi_live('revenue', '2025-04-01', '2025-07-01') AS quarter, kpi_live('revenue', '2025-01-01', '2026-01-01') AS year,
	kpi_live('revenue', '2025-06-30', '2025-07-01') AS day, kpi_live('revenue', '2025-05-26', '2025-06-02') AS week, kpi_live('revenue', '2025-05-31', '2025-06-16') AS some_days;
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01', 'region', 'North') AS north, kpi_live('revenue', '2025-06-01', '2025-07-01', 'region', '(none)') AS unknown,
	kpi_live('revenue', '2025-06-01', '2025-07-01', 'region', 'East') AS nowhere, kpi_live('revenue', '2025-06-01', '2025-07-01', 'team', 'Red') AS team,
	kpi_live('revenue', '2025-06-01', '2025-07-01', 'plan', 'Gold') AS does_not_apply;
SELECT kpi_live('calls', '2025-06-01', '2025-07-01') AS calls, kpi_live('emails', '2025-06-01', '2025-07-01', 'rep', 'bob') AS emails,
	kpi_live('calls_and_emails_per_rep', '2025-06-01', '2025-07-01') AS per_rep;	-- 2 by (15 + 30 days) / 30
SELECT kpi_live('profit_margin', '2025-06-01', '2025-07-01') = 100 * (7.5 - 3) / 7.5 AS margin, kpi_live('rep_days', '2025-06-10', '2025-06-20') AS rep_days,
	kpi_live('win_rate', '2025-06-01', '2025-07-01') AS not_bound;
-- Looking back: 12 after 100, and after 50 a year before; June and May; in months for a quarter too.
SELECT kpi_live('revenue_growth', '2025-06-01', '2025-07-01') AS growth, kpi_live('revenue_growth_year', '2025-06-01', '2025-07-01') AS of_year;
SELECT kpi_set('margin_default', '60');
SELECT kpi_define('all_functions', 'sum_last(revenue, 2) + mean_last(revenue, 2) - prior(revenue) + year_ago(revenue) + sum_months(revenue, 2) + coalesce(won_deals, 7) + days() + least(revenue, 5) + target(revenue) / setting(margin_default)', 'count', 'up', 'All');
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2025-06-01', '2025-07-01', 120);
SELECT kpi_live('all_functions', '2025-06-01', '2025-07-01') = 112 + 56 - 100 + 50 + 112 + 7 + 30 + 5 + 120.0 / 60 AS holds;
SELECT kpi_live('target_attainment', '2025-06-01', '2025-07-01') AS attainment, kpi_live('target_attainment', '2025-07-01', '2025-08-01') AS no_target;
SELECT kpi_define('goal', 'target(revenue)', 'money', 'up', 'Goal');
SELECT kpi_live('goal', '2025-06-01', '2025-07-01');	-- no source at all

SELECT * FROM kpi_live_values('{revenue,revenue_growth,won_deals}', '2025-06-01', '2025-07-01', 'region', '{South,North}');
SELECT * FROM kpi_live_values('{revenue,revenue}', '2025-06-01', '2025-07-01', members => '{"",""}');

-- What is asked before the days begin has no answer; what cannot be asked.
SELECT kpi_live('revenue', kpi_today() + 1, kpi_today() + 2) AS tomorrow, kpi_live('revenue', kpi_today(), kpi_today() + 2) AS from_today;
SAVEPOINT before;
SELECT kpi_live('profit', '2025-06-01', '2025-07-01');
ROLLBACK TO before;
SELECT * FROM kpi_live_values(NULL, '2025-06-01', '2025-07-01');
ROLLBACK TO before;
SELECT * FROM kpi_live_values('{revenue}', '2025-06-01', '2025-07-01', members => NULL);
ROLLBACK TO before;
SELECT kpi_live('revenue', '2025-07-01', '2025-07-01');
ROLLBACK TO before;
SELECT kpi_live('revenue', NULL, '2025-07-01');
ROLLBACK TO before;
SELECT kpi_live('revenue', '2025-07-01', 'infinity');
ROLLBACK TO before;
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01', 'planet', 'Mars');
ROLLBACK TO before;
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01', 'region');
ROLLBACK TO before;
SELECT kpi_live('revenue_growth', '2025-06-01', '2025-06-16');	-- after which days?
ROLLBACK TO before;

-- A change that is not committed shows at once, where the facts stay as they are.
SELECT outcome FROM kpi_snapshot();
UPDATE shop.line SET amount = amount + 1 WHERE sale_id = 4;
DELETE FROM shop.call WHERE kind = 'email';
INSERT INTO shop.line VALUES (7, '2025-05-02', 25, NULL, NULL, 'z', 'bob', 'South');
SELECT kpi, kpi_live(kpi, '2025-06-01', '2025-07-01') AS live, kpi_value(kpi, '2025-06-01') AS of_facts
FROM unnest('{revenue,emails,revenue_growth}'::text[]) kpi;
SELECT outcome FROM kpi_snapshot();
SELECT bool_and(kpi_live(kpi, '2025-06-01', '2025-07-01') = kpi_value(kpi, '2025-06-01')) AS same FROM unnest('{revenue,emails,revenue_growth}'::text[]) kpi;
UPDATE shop.line SET amount = amount - 1 WHERE sale_id = 4;

--
-- In a running month, and quarter and year, it is compared with as many days
-- of the earlier ones, as by the readers; what is to come is left out.
--
INSERT INTO shop.line
SELECT 100 + n, kpi_today() - n, 1 + n % 13, n % 7, CASE n % 11 WHEN 0 THEN 'USD' END, 'c' || n % 17, CASE n % 3 WHEN 0 THEN 'ada' WHEN 1 THEN 'bob' END, CASE n % 4 WHEN 0 THEN 'North' WHEN 1 THEN 'South' END
FROM generate_series(-40, 800) n;
INSERT INTO shop.call SELECT now() - n * interval '7 hours', CASE n % 2 WHEN 0 THEN 'call' ELSE 'email' END, CASE n % 3 WHEN 0 THEN 'ada' ELSE 'bob' END FROM generate_series(-30, 3000) n;
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value) VALUES
	('revenue', 'total', '', kpi_period_start('year', kpi_today()), kpi_period_end('year', kpi_period_start('year', kpi_today())), 3650),
	('revenue', 'rep', 'ada', kpi_period_start('month', kpi_today()), kpi_period_end('month', kpi_period_start('month', kpi_today())), 99);
SELECT kpi_set('grains', 'day,week,month,quarter,year');
SELECT outcome FROM kpi_snapshot();
CREATE TABLE shop.compared AS
SELECT g.grain, m.dimension, l.member, l.kpi, l.value AS live, c.value
FROM (SELECT array_agg(kpi) AS kpis FROM unnest('{revenue,revenue_growth,revenue_growth_year,profit_margin,target_attainment,revenue_per_rep,customers,customer_churn_rate,customer_lifetime_value,calls_and_emails_per_rep,average_purchase_value,new_customers,revenue_to_date,repeat_purchase_rate,all_functions}'::text[]) kpi) k,
	unnest('{day,week,month,quarter,year}'::text[]) g(grain),
	LATERAL (SELECT kpi_period_start(g.grain, kpi_today()) AS period) p,
	(VALUES ('total', '{""}'::text[]), ('rep', '{(none),ada}')) m(dimension, members),
	LATERAL kpi_live_values(k.kpis, p.period, kpi_period_end(g.grain, p.period), m.dimension, m.members) l
	JOIN LATERAL kpi_compare(k.kpis, p.period, m.dimension, g.grain, m.members) c ON c.kpi = l.kpi AND c.member = l.member;
SELECT count(*) AS compared, count(live) > 120 AS most_have_a_value, count(*) FILTER (WHERE live IS DISTINCT FROM value) AS different FROM shop.compared;
SELECT DISTINCT kpi FROM shop.compared WHERE live IS DISTINCT FROM value ORDER BY kpi;

-- Periods are those of the calendar: of a fiscal year from May, of months of whole weeks.
SAVEPOINT before;
SELECT kpi_set('fiscal_year_month', '5', rebuild => true);
SELECT outcome FROM kpi_snapshot('2023-01-01');
SELECT kpi_live('revenue_growth', '2025-05-01', '2025-08-01') = kpi_value('revenue_growth', '2025-06-01', grain => 'quarter') AS quarter, kpi_live('revenue', '2024-05-01', '2025-05-01') = kpi_value('revenue', '2025-04-30', grain => 'year') AS year;
SELECT kpi_live('revenue_growth', '2025-04-01', '2025-07-01');
ROLLBACK TO before;
SELECT kpi_make_calendar('4-4-5', '2022-01-01', 60) > 0 AS made, kpi_set('calendar', 'table', rebuild => true);
SELECT outcome FROM kpi_snapshot('2023-01-01');
SELECT grain, period, period_end, kpi_live('revenue_growth_year', period, period_end) = kpi_value('revenue_growth_year', period, grain => grain) AS same,
	kpi_live('revenue', period, period_end) = (SELECT sum(amount * CASE WHEN currency IS DISTINCT FROM 'USD' THEN 1 WHEN sold_at >= '2025-05-20' THEN 0.9 ELSE 0 END) FROM shop.line WHERE sold_at >= period AND sold_at < period_end) AS right
FROM kpi_calendar WHERE period <= '2025-06-10' AND period_end > '2025-06-10' ORDER BY grain;
ROLLBACK TO before;

--
-- Only the sources that are needed are read: another may be broken, or out of
-- the caller's reach.
--
DELETE FROM shop.line WHERE sale_id >= 60;
CREATE VIEW shop.broken AS SELECT now() AS happened_at, 'call' AS kind, (random() / 0)::text AS rep_id FROM generate_series(1, 2);
SELECT count(*) AS bound FROM kpi_bind('activity', 'shop.broken') WHERE status = 'ok';
SAVEPOINT before;
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01') AS revenue, kpi_live('revenue', '2025-06-01', '2025-07-01', 'region', 'North') AS north, kpi_live('rep_days', '2025-06-01', '2025-07-01') AS rep_days;
SELECT kpi_live('calls', '2025-06-01', '2025-07-01');
ROLLBACK TO before;

-- One that is no longer there might have told to which member a row belongs.
CREATE TABLE shop.short_lived (id text, region text);
SELECT count(*) AS bound FROM kpi_bind('account', 'shop.short_lived') WHERE status = 'ok';
DROP TABLE shop.short_lived;
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01', 'region', 'North');
ROLLBACK TO before;

-- A formula may ask for no more than days, targets and settings.
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2024-04-01', '2024-07-01', 9100);
SELECT kpi_define('a_day', 'target(revenue) / days()', 'money', 'up', 'A day'), kpi_define('of_two', 'sum_last(days(), 2)', 'count', 'up', 'Days'), kpi_set('margin_default', '30') AS margin, kpi_define('margins', 'sum_months(setting(margin_default), 2)', 'percent', 'up', 'Margins');
SELECT trim_scale(kpi_live('a_day', '2024-04-01', '2024-07-01')) AS a_day, kpi_live('of_two', '2024-04-01', '2024-07-01') AS of_two, kpi_live('margins', '2024-04-01', '2024-07-01') AS margins,
	(SELECT array_agg(trim_scale(v.value)) FROM kpi_live_values('{a_day,revenue}', '2024-04-01', '2024-07-01') v WHERE v.kpi = 'a_day') AS in_company;
ROLLBACK TO before;

-- With the rights of the caller, and never a part of a number.
CREATE ROLE regress_salkpi_live;
SELECT count(*) > 0 AS granted FROM kpi_grant('regress_salkpi_live', 'reader');
GRANT USAGE ON SCHEMA shop TO regress_salkpi_live;
GRANT SELECT ON shop.line, shop.rate TO regress_salkpi_live;
SET LOCAL ROLE regress_salkpi_live;
SAVEPOINT before;
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01') AS revenue, kpi_live('revenue', '2025-06-01', '2025-07-01', 'region', 'North') AS north;
SELECT kpi_live('rep_days', '2025-06-01', '2025-07-01');
ROLLBACK TO before;
RESET ROLE;
ALTER TABLE shop.line ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.line USING (region = 'North');
SET LOCAL ROLE regress_salkpi_live;
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01');
ROLLBACK TO before;
RESET ROLE;
SELECT current_setting('row_security') AS as_before;
ROLLBACK;

--
-- What the same transaction has loaded anew counts, and in the same statement
-- too; that of others is in test/isolation/reload.spec.
--
BEGIN ISOLATION LEVEL REPEATABLE READ;
CREATE SCHEMA shop;
CREATE TABLE shop.line (sale_id integer, sold_at date, amount numeric);
INSERT INTO shop.line VALUES (1, '2025-06-01', 1);
SELECT count(*) AS bound FROM kpi_bind('sale', 'shop.line') WHERE required;
CREATE FUNCTION shop.load(amount numeric) RETURNS numeric LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE shop.line;
	INSERT INTO shop.line VALUES (1, '2025-06-01', amount);
	RETURN amount;
END $$;
SAVEPOINT before;	-- what was made after it is emptied as it is
SELECT shop.load(2);
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01'), (SELECT sum(amount) FROM kpi_drill('revenue', '2025-06-10')) AS drilled;
SAVEPOINT loaded;
SELECT shop.load(3), kpi_live('revenue', '2025-06-01', '2025-07-01'), (SELECT sum(amount) FROM kpi_drill('revenue', '2025-06-10')) AS drilled;
ROLLBACK TO loaded;
SELECT kpi_live('revenue', '2025-06-01', '2025-07-01'), (SELECT sum(amount) FROM kpi_drill('revenue', '2025-06-10')) AS drilled;
ROLLBACK;
