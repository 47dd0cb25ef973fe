--
-- Cohorts: by hand for a few customers, then at random against plain SQL that
-- looks at each customer's rows.  That the facts by cohort are right is tested
-- where those of all dimensions are.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'Pacific/Auckland';	-- of the session: it must not matter
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sale (sale_id integer, sold_at timestamptz, amount numeric, account_id integer, product text);
CREATE TABLE crm.subscription (id integer GENERATED ALWAYS AS IDENTITY, account_id integer, amount numeric, valid_from timestamptz, valid_to timestamptz, status text);
SELECT kpi_set('time_zone', 'Europe/Berlin') || ' ' || kpi_set('customer_active_days', '60') AS settings;

-- What went wrong.
CREATE FUNCTION crm.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END;
$$;

-- Without facts there are no cohorts, and none is asked for in vain.
SELECT count(*) AS no_facts FROM kpi_cohorts();
SELECT crm.refused('SELECT kpi_cohorts(grain => ''week'')') AS week, crm.refused('SELECT kpi_cohorts(grain => ''day'')') AS day,
	crm.refused('SELECT kpi_cohorts(grain => ''decade'')') AS decade, crm.refused('SELECT kpi_cohorts(grain => NULL)') AS nothing;

-- A sale that names no account is nobody's: there are no cohorts then.
SAVEPOINT empty;
CREATE VIEW crm.nobody AS SELECT sale_id, sold_at, amount FROM crm.sale;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.nobody');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-03-31', '2025-04-05 12:00+02');
SELECT count(*) AS without_accounts, (SELECT count(*) FROM kpi_fact WHERE dimension = 'cohort') AS facts FROM kpi_cohorts();
ROLLBACK TO empty;

-- Nor is there anybody without sales.
SAVEPOINT empty;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.sale');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-03-31', '2025-04-05 12:00+02');
SELECT count(*) AS without_sales, (SELECT count(*) FROM kpi_fact WHERE dimension = 'cohort' AND grain = 'month') AS blank_facts FROM kpi_cohorts();
ROLLBACK TO empty;

--
-- Purchases.  Who bought within 60 days is a customer: bought on 31 January,
-- until 1 April.
--
INSERT INTO crm.sale (sale_id, sold_at, amount, account_id) VALUES
	(1, '2025-01-10 10:00+01', 100, 1), (2, '2025-03-10 10:00+01', 40, 1),				-- January: 1, 2
	(3, '2025-01-31 23:59:59.999999+01', 60, 2), (4, '2025-02-10 10:00+01', -60, 2),	-- a credit note is no purchase
	(5, '2025-02-01 00:00+01', 7, 3), (6, '2025-01-20 10:00+01', -7, 3),				-- February, at its first moment; a credit note makes no customer
	(7, '2025-02-15 10:00+01', 30, NULL),												-- nobody
	(8, '2025-04-02 10:00+02', 5, 4), (9, '2025-04-30 10:00+02', 5, 5);					-- April, of whom one is still to come
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.sale');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-04-15 12:00+02');
SELECT cohort, age, period, is_complete, customers, retained, round(retention, 2) AS retention, buyers, round(buying, 2) AS buying, revenue, round(revenue_retention, 2) AS revenue_retention
FROM kpi_cohorts();

SELECT 'a range chooses cohorts, not ages' AS property, array_agg(DISTINCT cohort) = '{2025-02-01}' AND array_agg(age ORDER BY age) = '{0,1,2}' AS holds FROM kpi_cohorts('2025-02-28', '2025-03-02');
SELECT 'a quarter is its months, once' AS property, array_agg((cohort, age, is_complete, customers, retained, buyers, revenue)::text ORDER BY cohort, age)
	= '{"(2025-01-01,0,t,3,3,3,140)","(2025-01-01,1,f,3,1,0,0)","(2025-04-01,0,f,1,1,1,5)"}' AS holds FROM kpi_cohorts(grain => 'quarter');
SELECT 'so is a year' AS property, array_agg((cohort, age, is_complete, customers, retained, buyers, revenue)::text) = '{"(2025-01-01,0,f,4,2,4,145)"}' AS holds FROM kpi_cohorts(grain => 'year');
SELECT 'cohorts add up to the total' AS property, bool_and(v = t) AND count(*) = 4 AS holds
FROM (SELECT period, sum(customers) FILTER (WHERE age = 0) AS came, sum(retained) AS retained, sum(buyers) AS buyers FROM kpi_cohorts() GROUP BY period) c,
	LATERAL (SELECT ARRAY[coalesce(came, 0), retained, buyers] AS v, ARRAY[kpi_value('new_customers', period), kpi_value('customers', period), kpi_value('buying_customers', period)] AS t) x;
SELECT 'and so do their customers as one line' AS property, value, exact FROM kpi_merged_series('customers', '2025-03-01', '2025-04-01', 'month', 'cohort', '{2025-01-01,2025-02-01}');

-- What was known stays known: a purchase entered late moves its customer to another cohort.
INSERT INTO crm.sale (sale_id, sold_at, amount, account_id) VALUES (10, '2025-01-05 10:00+01', 1, 3);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-04-16 12:00+02');
SELECT 'now' AS known, array_agg(cohort || ': ' || customers) AS came FROM kpi_cohorts() WHERE age = 0
UNION ALL
SELECT 'before', array_agg(cohort || ': ' || customers) FROM kpi_cohorts(as_of => '2025-04-15 18:00+02') WHERE age = 0
UNION ALL
SELECT 'at first', array_agg(cohort || ': ' || customers) FROM kpi_cohorts(as_of => '2025-04-14 12:00+02') WHERE age = 0;

-- A cohort whose own month was not computed is not known.
SAVEPOINT later;
DELETE FROM kpi_fact;
SELECT outcome FROM kpi_snapshot('2025-02-01', '2025-04-30', '2025-04-17 12:00+02');
SELECT 'from February' AS computed, array_agg(DISTINCT cohort) AS cohorts, (SELECT count(*) > 0 FROM kpi_fact WHERE dimension = 'cohort' AND grain = 'month' AND member = '2025-01-01') AS facts_of_january
FROM kpi_cohorts();
ROLLBACK TO later;

--
-- Subscriptions say who is a customer where they are bound, and when it came.
--
INSERT INTO crm.subscription (account_id, amount, valid_from, valid_to, status) VALUES
	(1, 10, '2025-02-01 00:00+01', NULL, NULL), (1, 5, '2025-03-10', NULL, NULL),
	(2, 20, '2025-02-10', '2025-03-31', NULL), (3, 40, '2025-01-10', NULL, 'trial'), (3, 40, '2025-03-05', NULL, NULL),
	(6, 80, '2025-03-10', '2025-03-20', NULL), (7, 0, '2025-01-10', NULL, NULL), (7, 160, '2025-05-10', NULL, NULL);
SELECT count(*) > 0 AS bound FROM kpi_bind('subscription', 'crm.subscription');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-04-18 12:00+02');
SELECT cohort, age, customers, retained, buyers, revenue, round(revenue_retention, 2) AS revenue_retention FROM kpi_cohorts();
SELECT 'what they bought is known by cohort too, also before they came' AS property, member, value FROM kpi_series('revenue', '2025-01-01', '2025-02-01', dimension => 'cohort');
SELECT kpi_unbind('sale');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-04-19 12:00+02');
SELECT 'who bought is not known without sales' AS property, bool_and(buyers IS NULL AND buying IS NULL AND retained IS NOT NULL AND revenue IS NOT NULL) AS holds FROM kpi_cohorts();

--
-- Random purchases of 120 customers over two and a half years: each customer's
-- rows, looked at one by one.  The fiscal year begins in April.
--
TRUNCATE crm.sale, crm.subscription;
CREATE FUNCTION crm.h(salt text, n integer, size integer) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN mod(('x' || substr(md5(salt || '/' || n), 1, 7))::bit(28)::integer, size);
INSERT INTO crm.sale
SELECT n, (CASE crm.h('kind', n, 4) WHEN 0 THEN date_trunc('month', at) WHEN 1 THEN date_trunc('month', at) - interval '1 microsecond' ELSE at END) AT TIME ZONE 'Europe/Berlin',
	(crm.h('amount', n, 1000) - 150) * 0.37, nullif(crm.h('account', n, 121), 0), NULL
FROM generate_series(1, 900) n, LATERAL (SELECT timestamp '2023-01-01' + sqrt(crm.h('day', n, 900) * 900) * interval '1 day' + crm.h('second', n, 86400) * interval '1 second' AS at) a;
CREATE VIEW crm.member AS
SELECT account_id, g AS grain, (date_trunc(g, c.day - shift) + shift)::date AS cohort, (date_trunc(g, p.day - shift) + shift)::date AS period,
	least((date_trunc(g, p.day - shift) + shift + CASE g WHEN 'month' THEN interval '1 month' WHEN 'quarter' THEN '3 months' ELSE '1 year' END) AT TIME ZONE 'Europe/Berlin', timestamptz '2025-06-20 12:00+02') AS until
FROM (SELECT account_id, min(sold_at) AT TIME ZONE 'Europe/Berlin' AS day FROM crm.sale WHERE amount > 0 AND account_id IS NOT NULL AND sold_at < '2025-06-20 12:00+02' GROUP BY 1) c,
	(VALUES ('month', interval '0'), ('quarter', '0'), ('year', '3 months')) v(g, shift),
	generate_series(timestamp '2023-01-01', '2025-06-01', '1 month') p(day)
WHERE p.day >= date_trunc('month', c.day) GROUP BY 1, 2, 3, 4, 5;
CREATE VIEW crm.expected AS
SELECT grain, cohort, rank() OVER own - 1 AS age, period, n AS customers, retained, round(100.0 * retained / first_value(n) OVER own, 16) AS retention,
	buyers, round(100.0 * buyers / first_value(n) OVER own, 16) AS buying, revenue, round(100 * revenue / nullif(first_value(revenue) OVER own, 0), 16) AS revenue_retention
FROM (SELECT grain, cohort, period, count(*) AS n,
		count(*) FILTER (WHERE EXISTS (SELECT FROM crm.sale s WHERE s.account_id = m.account_id AND amount > 0 AND sold_at < until
			AND (sold_at AT TIME ZONE 'Europe/Berlin' + interval '60 days') AT TIME ZONE 'Europe/Berlin' >= until)) AS retained,
		count(*) FILTER (WHERE EXISTS (SELECT FROM crm.sale s WHERE s.account_id = m.account_id AND amount > 0 AND sold_at < until
			AND sold_at AT TIME ZONE 'Europe/Berlin' >= period)) AS buyers,
		sum((SELECT coalesce(sum(amount), 0) FROM crm.sale s WHERE s.account_id = m.account_id AND sold_at < until AND sold_at AT TIME ZONE 'Europe/Berlin' >= period)) AS revenue
	  FROM crm.member m GROUP BY 1, 2, 3) x
WINDOW own AS (PARTITION BY grain, cohort ORDER BY period);

SELECT kpi_set('fiscal_year_month', '4', rebuild => true), kpi_unbind('subscription');
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.sale');
SELECT outcome FROM kpi_snapshot('2023-01-01', '2025-06-30', '2025-06-20 12:00+02');
CREATE TABLE crm.found AS
SELECT g AS grain, c.* FROM unnest('{month,quarter,year}'::text[]) g, LATERAL kpi_cohorts(grain => g) c;
SELECT grain, count(*) > 0 AS some, count(DISTINCT cohort) > 2 AS cohorts, count(*) FILTER (WHERE retained < customers AND retained > 0) > 1 AS some_left,
	count(*) FILTER (WHERE NOT is_complete) = count(DISTINCT cohort) AS one_running_each
FROM crm.found GROUP BY grain ORDER BY grain;
SELECT 'as the rows say' AS property, count(*) AS differences
FROM crm.found f FULL JOIN crm.expected x USING (grain, cohort, period)
WHERE (f.age, f.retained, f.retention, f.buyers, f.buying, trim_scale(f.revenue), f.revenue_retention)
	IS DISTINCT FROM (x.age::integer, x.retained, x.retention, x.buyers, x.buying, trim_scale(x.revenue), x.revenue_retention)
	OR f.customers IS DISTINCT FROM (SELECT n.customers FROM crm.expected n WHERE n.grain = f.grain AND n.cohort = f.cohort AND n.age = 0);
ROLLBACK;
