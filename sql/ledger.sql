-- The ledger against published figures, an independent program and plain SQL.
SET search_path = kpi, public;
SET timezone = 'Europe/Berlin';

\set no_keys 'NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL'
\set two_keys 'plan, region, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL'
\set five_months 'ARRAY[\'2025-01-01\', \'2025-02-01\', \'2025-03-01\', \'2025-04-01\', \'2025-05-01\']::date[]'

-- ChartMogul's help center, MRR movements: four Gold plans at 500 a year are
-- 166.67 of new business; two Silver at 30 a month added are an expansion of
-- 60, their cancellation is a contraction of 60, not churn; Gold ended: churn
-- of 166.67.
SELECT period, round(opening, 2) AS opening, round(new, 2) AS new, expansion, contraction, round(churn, 2) AS churn, round(closing, 2) AS closing, reactivation
FROM (SELECT kpi_ledger(:five_months, 'total', 'customer', valid_from, valid_to, amount, :no_keys) AS ledger
	FROM (SELECT date '2025-01-10', date '2025-04-20', round(500 / 12.0, 12) FROM generate_series(1, 4)
		UNION ALL SELECT '2025-02-05', '2025-03-15', 30 FROM generate_series(1, 2)) s(valid_from, valid_to, amount)) l,
	kpi_movements(ledger, '{1,2,3,4}', '{2,3,4,5}')
ORDER BY period;

-- The same page's rates: opening 100, churn 10, contraction 10, expansion 10
-- are a gross churn of 20 % and a net churn of 10 %.
SELECT opening, 100 * (churn + contraction) / opening = 20 AS gross, 100 * (churn + contraction - expansion) / opening = 10 AS net
FROM (SELECT kpi_ledger(:five_months, 'total', customer, valid_from, valid_to, amount, :no_keys) AS ledger
	FROM (VALUES ('leaves', date '2024-01-01', date '2025-01-20', 10), ('shrinks', '2024-01-01', '2025-01-20', 30), ('shrinks', '2025-01-20', NULL, 20),
		('grows', '2024-01-01', '2025-01-20', 20), ('grows', '2025-01-20', NULL, 30), ('stays', '2024-01-01', NULL, 40)) s(customer, valid_from, valid_to, amount)) l,
	kpi_movements(ledger, '{1}', '{2}');

-- Treehouse: 10 customers with 34,500 (8 x 3,000, 10,000, 500); losing two of
-- 3,000 is 20 % of the customers and 17.39 % of the revenue.
SELECT opening, customers_opening, 100.0 * customers_churned / customers_opening = 20 AS of_customers, round(100 * churn / opening, 2) AS of_revenue, retained
FROM (SELECT kpi_ledger(:five_months, 'total', i::text, '2024-06-01', CASE WHEN i <= 2 THEN date '2025-01-31' END,
		CASE i WHEN 9 THEN 10000 WHEN 10 THEN 500 ELSE 3000 END, :no_keys) AS ledger
	FROM generate_series(1, 10) i) l, kpi_movements(ledger, '{1}', '{2}');

-- Stripe's MRR glossary: 100 customers at 100 a month and 50 at 600 a year
-- (of 50 a month) are 12,500.
SELECT closing, customers_closing
FROM (SELECT kpi_ledger(:five_months, 'total', i::text, '2025-01-01', NULL, CASE WHEN i <= 100 THEN 100 ELSE round(600 / 12.0, 12) END, :no_keys) AS ledger
	FROM generate_series(1, 150) i) l, kpi_movements(ledger, '{1}', '{2}');

-- 100 customers at the start; 10 leave; 20 join, of whom 5 leave again before
-- the end: 105 at the end, retention 90 %, churn 10 %, 20 new customers.
SELECT customers_opening, customers_closing, customers_new AS gained_and_still_there, customers_first AS new_customers,
	100.0 * customers_kept / customers_opening = 90 AS retention, 100.0 * customers_churned / customers_opening = 10 AS churn,
	customers_closing - customers_new = customers_kept AS as_in_the_formula
FROM (SELECT kpi_ledger(:five_months, 'total', i::text, CASE WHEN i <= 100 THEN date '2024-11-01' ELSE '2025-01-05' END,
		CASE WHEN i <= 10 OR i > 115 THEN date '2025-01-25' END, 10, :no_keys) AS ledger
	FROM generate_series(1, 120) i) l, kpi_movements(ledger, '{1}', '{2}');

-- Two customers of 100 each from 1 January; one is cancelled on 15 February,
-- paid until 1 March 00:00: 200, 200, 100, churn 0 % in February, 50 % in March.
SELECT period, closing, customers_new, 100.0 * customers_churned / nullif(customers_opening, 0) AS churn_rate
FROM (SELECT kpi_ledger(:five_months, 'total', customer, '2025-01-01', valid_to, 100, :no_keys) AS ledger
	FROM (VALUES ('a', date '2025-03-01'), ('b', NULL)) s(customer, valid_to)) l, kpi_movements(ledger, '{1,2,3}', '{2,3,4}')
ORDER BY period;

-- A switch of plan is churn and new by plan, and in the total nothing; the
-- way back is a reactivation.  A plan that a customer had for some days
-- between two boundaries counts too.
SELECT dimension, members, period, opening, new, reactivation, expansion, churn, closing, customers_first
FROM (SELECT kpi_ledger(:five_months, 'total; plan=1', 'c', valid_from, valid_to, 50, :two_keys) AS ledger
	FROM (VALUES (date '2024-12-01', date '2025-01-15', 'gold', NULL), ('2025-01-15', '2025-02-20', 'silver', NULL), ('2025-02-20', NULL, 'gold', NULL),
		('2025-02-03', '2025-02-05', 'bronze', NULL), ('2025-04-03', NULL, 'bronze', NULL)) s(valid_from, valid_to, plan, region)) l,
	kpi_movements(ledger, '{1,2,4}', '{2,3,5}')
WHERE members <> '{(none)}'
ORDER BY dimension, members, period;

-- An independent program's numbers, cell by cell, for months, quarters, the
-- year, and periods that are empty or overlap others.
CREATE TABLE ledger_vector_interval (id integer, customer text, valid_from timestamptz, valid_to timestamptz, amount numeric, plan text, region text);
CREATE TABLE ledger_vector_period (period integer, opening integer, closing integer);
CREATE TABLE ledger_vector (dimension text, members text[], period integer,
	opening numeric, new numeric, reactivation numeric, expansion numeric, contraction numeric, churn numeric, closing numeric, retained numeric,
	customers_opening bigint, customers_new bigint, customers_reactivated bigint, customers_expanded bigint, customers_contracted bigint,
	customers_churned bigint, customers_closing bigint, customers_kept bigint, customers_first bigint);
\set ECHO none
-- vectors: made by test/ledger.py
INSERT INTO ledger_vector_interval VALUES
	(1, 'c4', '2025-08-01 15:00:00+00', '2025-08-01 15:00:00+00', 307, 'bronze', 'süd'),
	(2, 'c4', '2025-08-01 15:00:00+00', '2025-05-01 00:00:01+00', NULL, 'gold', 'süd'),
	(3, 'c6', '2025-05-01 00:00:00+00', NULL, 0, 'bronze', NULL),
	(4, 'c1', '2025-04-05 04:00:00+00', '2025-04-05 04:00:00+00', 86.47, '', 'nord'),
	(5, 'c0', '2025-06-01 00:00:00+00', '2025-08-30 00:00:00+00', 71.16, 'bronze', 'süd'),
	(6, 'c1', '2025-06-01 00:00:00+00', '2025-06-01 00:00:00+00', 0, 'gold', 'süd'),
	(7, 'c1', '2024-09-01 00:00:00+00', NULL, 100, 'silver', NULL),
	(8, 'c0', '2024-11-08 14:00:01+00', '2024-11-08 14:00:02+00', 0, 'gold', 'süd'),
	(9, 'c0', '2024-11-02 13:00:00+00', '2024-11-02 13:00:01+00', 100, 'gold', 'nord'),
	(10, 'c5', '2025-07-01 00:00:00+00', '2025-07-01 00:00:00+00', NULL, NULL, 'nord'),
	(11, 'c5', '2025-07-01 00:00:00+00', NULL, 63.75, 'gold', NULL),
	(12, 'c5', '2025-03-10 06:00:01+00', '2025-03-10 06:00:02+00', 259, '', 'süd'),
	(13, 'c5', '2025-03-10 06:00:02+00', '2025-08-01 15:00:01+00', 0, '', 'nord'),
	(14, 'c5', '2025-08-01 15:00:01+00', 'infinity', 45.25, 'silver', NULL),
	(15, 'c1', '2025-07-01 00:00:00+00', NULL, 98.76, 'silver', 'süd'),
	(16, 'c1', '2026-01-03 10:00:00+00', '2026-01-01 00:00:00+00', 100, 'silver', NULL),
	(17, 'c3', '2025-06-01 00:00:00+00', 'infinity', 0, 'bronze', NULL),
	(18, 'c4', '2025-04-01 00:00:00+00', '2025-06-15 00:00:00+00', 12.833333333333, NULL, NULL),
	(19, 'c3', '2025-11-09 14:59:59+00', '2025-11-09 15:00:00+00', 62.833333333333, '', 'süd'),
	(20, 'c3', '2025-01-01 00:00:00+00', NULL, 0, 'bronze', 'süd'),
	(21, 'c6', '2024-09-01 00:00:00+00', '2024-09-01 00:00:00+00', 0, 'gold', 'nord'),
	(22, 'c5', '2024-11-07 18:59:59+00', '2024-11-07 19:00:00+00', 100, 'silver', 'nord'),
	(23, 'c3', '2025-01-01 00:00:00+00', '2025-01-01 00:00:01+00', 34.65, 'gold', NULL),
	(24, 'c3', '2025-04-01 00:00:00+00', '2025-04-01 00:00:01+00', 41.98, 'silver', 'süd'),
	(25, 'c3', '2025-04-01 00:00:01+00', '2025-03-01 00:00:00+00', NULL, 'gold', 'nord'),
	(26, 'c4', '2025-02-01 00:00:00+00', '2025-04-12 00:00:00+00', 45.333333333333, 'bronze', 'nord'),
	(27, 'c1', '2026-01-01 00:00:00+00', '2025-12-30 00:00:00+00', NULL, NULL, 'nord'),
	(28, NULL, '2025-08-23 19:59:59+00', '2025-08-23 20:00:00+00', 93, '', 'nord'),
	(29, 'c4', '2026-01-01 00:00:00+00', NULL, 81.06, NULL, 'süd'),
	(30, 'c3', '2025-06-01 00:00:00+00', '2025-06-01 00:00:01+00', NULL, 'gold', 'süd'),
	(31, 'c4', '2024-11-06 06:59:59+00', '2024-11-01 00:00:00+00', NULL, 'bronze', NULL),
	(32, 'c3', '2025-08-11 08:00:00+00', '2025-08-11 08:00:01+00', 24.833333333333, 'bronze', 'süd'),
	(33, 'c3', '2026-01-03 10:00:00+00', '2025-04-01 00:00:00+00', 100, 'silver', 'süd'),
	(34, 'c4', '2025-12-25 09:00:01+00', '2025-12-01 00:00:00+00', 0, 'bronze', NULL),
	(35, 'c4', '2025-12-01 00:00:00+00', '2024-09-01 00:00:01+00', 201, '', 'nord'),
	(36, 'c4', '2024-09-01 00:00:01+00', '2025-05-01 00:00:00+00', 100, 'silver', 'nord'),
	(37, 'c3', '2024-11-02 13:00:00+00', '2025-06-01 00:00:00+00', 35.166666666667, 'bronze', 'nord'),
	(38, 'c3', '2025-06-01 00:00:00+00', '2024-09-01 00:00:00+00', 0, 'bronze', 'nord'),
	(39, 'c4', '2025-08-01 00:00:00+00', 'infinity', 86.91, 'bronze', NULL),
	(40, 'c4', '2024-11-01 00:00:00+00', '2025-03-24 00:00:00+00', 100, 'bronze', NULL),
	(41, 'c2', NULL, '2025-11-10 22:59:59+00', 28.333333333333, 'gold', 'nord'),
	(42, 'c2', NULL, '2025-09-28 01:00:00+00', NULL, 'silver', 'süd'),
	(43, 'c0', '2026-01-01 00:00:00+00', NULL, 76, 'silver', 'nord'),
	(44, 'c3', '2024-12-01 00:00:00+00', NULL, 0, 'silver', 'nord'),
	(45, 'c4', '2025-06-01 00:00:00+00', '2025-06-01 00:00:00+00', 100, 'bronze', NULL);
INSERT INTO ledger_vector_period VALUES
	(1, 1, 2),
	(2, 2, 3),
	(3, 3, 4),
	(4, 4, 5),
	(5, 5, 6),
	(6, 6, 7),
	(7, 7, 8),
	(8, 8, 9),
	(9, 9, 10),
	(10, 10, 11),
	(11, 11, 12),
	(12, 12, 13),
	(13, 1, 4),
	(14, 4, 7),
	(15, 7, 10),
	(16, 10, 13),
	(17, 1, 13),
	(18, 1, 1),
	(19, 3, 8),
	(20, 1, 13),
	(21, 13, 13);
INSERT INTO ledger_vector VALUES
	('plan', '{(none)}', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{(none)}', 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{(none)}', 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan', '{(none)}', 4, 0, 12.833333333333, 0, 0, 0, 0, 12.833333333333, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan', '{(none)}', 5, 12.833333333333, 0, 0, 0, 0, 0, 12.833333333333, 12.833333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{(none)}', 6, 12.833333333333, 0, 0, 0, 0, 12.833333333333, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan', '{(none)}', 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{(none)}', 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{(none)}', 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{(none)}', 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{(none)}', 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan', '{(none)}', 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{(none)}', 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan', '{(none)}', 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan', '{(none)}', 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{(none)}', 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan', '{(none)}', 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3),
	('plan', '{(none)}', 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{(none)}', 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
	('plan', '{(none)}', 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3),
	('plan', '{(none)}', 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan', '{bronze}', 1, 135.166666666667, 0, 0, 0, 0, 0, 135.166666666667, 135.166666666667, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{bronze}', 2, 135.166666666667, 0, 0, 45.333333333333, 0, 0, 180.5, 135.166666666667, 2, 0, 0, 1, 0, 0, 2, 2, 0),
	('plan', '{bronze}', 3, 180.5, 0, 0, 0, 100, 0, 80.5, 80.5, 2, 0, 0, 0, 1, 0, 2, 2, 0),
	('plan', '{bronze}', 4, 80.5, 0, 0, 0, 0, 45.333333333333, 35.166666666667, 35.166666666667, 2, 0, 0, 0, 0, 1, 1, 1, 0),
	('plan', '{bronze}', 5, 35.166666666667, 0, 0, 0, 0, 0, 35.166666666667, 35.166666666667, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{bronze}', 6, 35.166666666667, 71.16, 0, 0, 0, 35.166666666667, 71.16, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1),
	('plan', '{bronze}', 7, 71.16, 0, 0, 0, 0, 0, 71.16, 71.16, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{bronze}', 8, 71.16, 0, 86.91, 0, 0, 71.16, 86.91, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0),
	('plan', '{bronze}', 9, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{bronze}', 10, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{bronze}', 11, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{bronze}', 12, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{bronze}', 13, 135.166666666667, 0, 0, 0, 54.666666666667, 0, 80.5, 80.5, 2, 0, 0, 0, 1, 0, 2, 2, 0),
	('plan', '{bronze}', 14, 80.5, 71.16, 0, 0, 0, 80.5, 71.16, 0, 2, 1, 0, 0, 0, 2, 1, 0, 1),
	('plan', '{bronze}', 15, 71.16, 0, 86.91, 0, 0, 71.16, 86.91, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0),
	('plan', '{bronze}', 16, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{bronze}', 17, 135.166666666667, 0, 0, 0, 13.09, 35.166666666667, 86.91, 86.91, 2, 0, 0, 0, 1, 1, 1, 1, 1),
	('plan', '{bronze}', 18, 135.166666666667, 0, 0, 0, 0, 0, 135.166666666667, 135.166666666667, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{bronze}', 19, 180.5, 71.16, 0, 0, 0, 180.5, 71.16, 0, 2, 1, 0, 0, 0, 2, 1, 0, 1),
	('plan', '{bronze}', 20, 135.166666666667, 0, 0, 0, 13.09, 35.166666666667, 86.91, 86.91, 2, 0, 0, 0, 1, 1, 1, 1, 1),
	('plan', '{bronze}', 21, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{gold}', 1, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 1),
	('plan', '{gold}', 2, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{gold}', 3, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{gold}', 4, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{gold}', 5, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{gold}', 6, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{gold}', 7, 28.333333333333, 63.75, 0, 0, 0, 0, 92.083333333333, 28.333333333333, 1, 1, 0, 0, 0, 0, 2, 1, 1),
	('plan', '{gold}', 8, 92.083333333333, 0, 0, 0, 0, 0, 92.083333333333, 92.083333333333, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{gold}', 9, 92.083333333333, 0, 0, 0, 0, 0, 92.083333333333, 92.083333333333, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{gold}', 10, 92.083333333333, 0, 0, 0, 0, 0, 92.083333333333, 92.083333333333, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{gold}', 11, 92.083333333333, 0, 0, 0, 0, 28.333333333333, 63.75, 63.75, 2, 0, 0, 0, 0, 1, 1, 1, 0),
	('plan', '{gold}', 12, 63.75, 0, 0, 0, 0, 0, 63.75, 63.75, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{gold}', 13, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 1),
	('plan', '{gold}', 14, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{gold}', 15, 28.333333333333, 63.75, 0, 0, 0, 0, 92.083333333333, 28.333333333333, 1, 1, 0, 0, 0, 0, 2, 1, 1),
	('plan', '{gold}', 16, 92.083333333333, 0, 0, 0, 0, 28.333333333333, 63.75, 63.75, 2, 0, 0, 0, 0, 1, 1, 1, 0),
	('plan', '{gold}', 17, 28.333333333333, 63.75, 0, 0, 0, 28.333333333333, 63.75, 0, 1, 1, 0, 0, 0, 1, 1, 0, 2),
	('plan', '{gold}', 18, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{gold}', 19, 28.333333333333, 63.75, 0, 0, 0, 0, 92.083333333333, 28.333333333333, 1, 1, 0, 0, 0, 0, 2, 1, 1),
	('plan', '{gold}', 20, 28.333333333333, 63.75, 0, 0, 0, 28.333333333333, 63.75, 0, 1, 1, 0, 0, 0, 1, 1, 0, 2),
	('plan', '{gold}', 21, 63.75, 0, 0, 0, 0, 0, 63.75, 63.75, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{silver}', 1, 200, 0, 0, 0, 0, 0, 200, 200, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 2, 200, 0, 0, 0, 0, 0, 200, 200, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 3, 200, 0, 0, 0, 0, 0, 200, 200, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 4, 200, 0, 0, 0, 0, 0, 200, 200, 2, 0, 0, 0, 0, 0, 2, 2, 1),
	('plan', '{silver}', 5, 200, 0, 0, 0, 0, 100, 100, 100, 2, 0, 0, 0, 0, 1, 1, 1, 0),
	('plan', '{silver}', 6, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan', '{silver}', 7, 100, 0, 0, 98.76, 0, 0, 198.76, 100, 1, 0, 0, 1, 0, 0, 1, 1, 0),
	('plan', '{silver}', 8, 198.76, 0, 45.25, 0, 0, 0, 244.01, 198.76, 1, 0, 1, 0, 0, 0, 2, 1, 0),
	('plan', '{silver}', 9, 244.01, 0, 0, 0, 0, 0, 244.01, 244.01, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 10, 244.01, 0, 0, 0, 0, 0, 244.01, 244.01, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 11, 244.01, 0, 0, 0, 0, 0, 244.01, 244.01, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 12, 244.01, 0, 0, 0, 0, 0, 244.01, 244.01, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 13, 200, 0, 0, 0, 0, 0, 200, 200, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 14, 200, 0, 0, 0, 0, 100, 100, 100, 2, 0, 0, 0, 0, 1, 1, 1, 1),
	('plan', '{silver}', 15, 100, 0, 45.25, 98.76, 0, 0, 244.01, 100, 1, 0, 1, 1, 0, 0, 2, 1, 0),
	('plan', '{silver}', 16, 244.01, 0, 0, 0, 0, 0, 244.01, 244.01, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 17, 200, 0, 45.25, 98.76, 0, 100, 244.01, 100, 2, 0, 1, 1, 0, 1, 2, 1, 1),
	('plan', '{silver}', 18, 200, 0, 0, 0, 0, 0, 200, 200, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan', '{silver}', 19, 200, 0, 0, 98.76, 0, 100, 198.76, 100, 2, 0, 0, 1, 0, 1, 1, 1, 1),
	('plan', '{silver}', 20, 200, 0, 45.25, 98.76, 0, 100, 244.01, 100, 2, 0, 1, 1, 0, 1, 2, 1, 1),
	('plan', '{silver}', 21, 244.01, 0, 0, 0, 0, 0, 244.01, 244.01, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan+region', '{(none),(none)}', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 4, 0, 12.833333333333, 0, 0, 0, 0, 12.833333333333, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan+region', '{(none),(none)}', 5, 12.833333333333, 0, 0, 0, 0, 0, 12.833333333333, 12.833333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{(none),(none)}', 6, 12.833333333333, 0, 0, 0, 0, 12.833333333333, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{(none),(none)}', 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{(none),(none)}', 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{(none),(none)}', 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),(none)}', 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{(none),(none)}', 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{(none),(none)}', 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	('plan+region', '{(none),süd}', 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{(none),süd}', 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{(none),süd}', 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{(none),süd}', 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{(none),süd}', 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
	('plan+region', '{(none),süd}', 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{(none),süd}', 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
	('plan+region', '{bronze,(none)}', 1, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 2, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 3, 100, 0, 0, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{bronze,(none)}', 8, 0, 0, 86.91, 0, 0, 0, 86.91, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0),
	('plan+region', '{bronze,(none)}', 9, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 10, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 11, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 12, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 13, 100, 0, 0, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{bronze,(none)}', 15, 0, 0, 86.91, 0, 0, 0, 86.91, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0),
	('plan+region', '{bronze,(none)}', 16, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 17, 100, 0, 0, 0, 13.09, 0, 86.91, 86.91, 1, 0, 0, 0, 1, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 18, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 19, 100, 0, 0, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{bronze,(none)}', 20, 100, 0, 0, 0, 13.09, 0, 86.91, 86.91, 1, 0, 0, 0, 1, 0, 1, 1, 0),
	('plan+region', '{bronze,(none)}', 21, 86.91, 0, 0, 0, 0, 0, 86.91, 86.91, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,nord}', 1, 35.166666666667, 0, 0, 0, 0, 0, 35.166666666667, 35.166666666667, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,nord}', 2, 35.166666666667, 45.333333333333, 0, 0, 0, 0, 80.5, 35.166666666667, 1, 1, 0, 0, 0, 0, 2, 1, 1),
	('plan+region', '{bronze,nord}', 3, 80.5, 0, 0, 0, 0, 0, 80.5, 80.5, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan+region', '{bronze,nord}', 4, 80.5, 0, 0, 0, 0, 45.333333333333, 35.166666666667, 35.166666666667, 2, 0, 0, 0, 0, 1, 1, 1, 0),
	('plan+region', '{bronze,nord}', 5, 35.166666666667, 0, 0, 0, 0, 0, 35.166666666667, 35.166666666667, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,nord}', 6, 35.166666666667, 0, 0, 0, 0, 35.166666666667, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{bronze,nord}', 13, 35.166666666667, 45.333333333333, 0, 0, 0, 0, 80.5, 35.166666666667, 1, 1, 0, 0, 0, 0, 2, 1, 1),
	('plan+region', '{bronze,nord}', 14, 80.5, 0, 0, 0, 0, 80.5, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0),
	('plan+region', '{bronze,nord}', 17, 35.166666666667, 0, 0, 0, 0, 35.166666666667, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1),
	('plan+region', '{bronze,nord}', 18, 35.166666666667, 0, 0, 0, 0, 0, 35.166666666667, 35.166666666667, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,nord}', 19, 80.5, 0, 0, 0, 0, 80.5, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0),
	('plan+region', '{bronze,nord}', 20, 35.166666666667, 0, 0, 0, 0, 35.166666666667, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1),
	('plan+region', '{bronze,süd}', 6, 0, 71.16, 0, 0, 0, 0, 71.16, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan+region', '{bronze,süd}', 7, 71.16, 0, 0, 0, 0, 0, 71.16, 71.16, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{bronze,süd}', 8, 71.16, 0, 0, 0, 0, 71.16, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1),
	('plan+region', '{bronze,süd}', 14, 0, 71.16, 0, 0, 0, 0, 71.16, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan+region', '{bronze,süd}', 15, 71.16, 0, 0, 0, 0, 71.16, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1),
	('plan+region', '{bronze,süd}', 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
	('plan+region', '{bronze,süd}', 19, 0, 71.16, 0, 0, 0, 0, 71.16, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan+region', '{bronze,süd}', 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
	('plan+region', '{gold,(none)}', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{gold,(none)}', 7, 0, 63.75, 0, 0, 0, 0, 63.75, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan+region', '{gold,(none)}', 8, 63.75, 0, 0, 0, 0, 0, 63.75, 63.75, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,(none)}', 9, 63.75, 0, 0, 0, 0, 0, 63.75, 63.75, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,(none)}', 10, 63.75, 0, 0, 0, 0, 0, 63.75, 63.75, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,(none)}', 11, 63.75, 0, 0, 0, 0, 0, 63.75, 63.75, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,(none)}', 12, 63.75, 0, 0, 0, 0, 0, 63.75, 63.75, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,(none)}', 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{gold,(none)}', 15, 0, 63.75, 0, 0, 0, 0, 63.75, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan+region', '{gold,(none)}', 16, 63.75, 0, 0, 0, 0, 0, 63.75, 63.75, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,(none)}', 17, 0, 63.75, 0, 0, 0, 0, 63.75, 0, 0, 1, 0, 0, 0, 0, 1, 0, 2),
	('plan+region', '{gold,(none)}', 19, 0, 63.75, 0, 0, 0, 0, 63.75, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan+region', '{gold,(none)}', 20, 0, 63.75, 0, 0, 0, 0, 63.75, 0, 0, 1, 0, 0, 0, 0, 1, 0, 2),
	('plan+region', '{gold,(none)}', 21, 63.75, 0, 0, 0, 0, 0, 63.75, 63.75, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 1, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 2, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 3, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 4, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 5, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 6, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 7, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 8, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 9, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 10, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 11, 28.333333333333, 0, 0, 0, 0, 28.333333333333, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{gold,nord}', 13, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 14, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 15, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 16, 28.333333333333, 0, 0, 0, 0, 28.333333333333, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{gold,nord}', 17, 28.333333333333, 0, 0, 0, 0, 28.333333333333, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{gold,nord}', 18, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 19, 28.333333333333, 0, 0, 0, 0, 0, 28.333333333333, 28.333333333333, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{gold,nord}', 20, 28.333333333333, 0, 0, 0, 0, 28.333333333333, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{silver,(none)}', 1, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 2, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 3, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 4, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 5, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 6, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 7, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 8, 100, 45.25, 0, 0, 0, 0, 145.25, 100, 1, 1, 0, 0, 0, 0, 2, 1, 1),
	('plan+region', '{silver,(none)}', 9, 145.25, 0, 0, 0, 0, 0, 145.25, 145.25, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan+region', '{silver,(none)}', 10, 145.25, 0, 0, 0, 0, 0, 145.25, 145.25, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan+region', '{silver,(none)}', 11, 145.25, 0, 0, 0, 0, 0, 145.25, 145.25, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan+region', '{silver,(none)}', 12, 145.25, 0, 0, 0, 0, 0, 145.25, 145.25, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan+region', '{silver,(none)}', 13, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 14, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 15, 100, 45.25, 0, 0, 0, 0, 145.25, 100, 1, 1, 0, 0, 0, 0, 2, 1, 1),
	('plan+region', '{silver,(none)}', 16, 145.25, 0, 0, 0, 0, 0, 145.25, 145.25, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan+region', '{silver,(none)}', 17, 100, 45.25, 0, 0, 0, 0, 145.25, 100, 1, 1, 0, 0, 0, 0, 2, 1, 1),
	('plan+region', '{silver,(none)}', 18, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 19, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,(none)}', 20, 100, 45.25, 0, 0, 0, 0, 145.25, 100, 1, 1, 0, 0, 0, 0, 2, 1, 1),
	('plan+region', '{silver,(none)}', 21, 145.25, 0, 0, 0, 0, 0, 145.25, 145.25, 2, 0, 0, 0, 0, 0, 2, 2, 0),
	('plan+region', '{silver,nord}', 1, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,nord}', 2, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,nord}', 3, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,nord}', 4, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,nord}', 5, 100, 0, 0, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{silver,nord}', 13, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,nord}', 14, 100, 0, 0, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{silver,nord}', 17, 100, 0, 0, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{silver,nord}', 18, 100, 0, 0, 0, 0, 0, 100, 100, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,nord}', 19, 100, 0, 0, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{silver,nord}', 20, 100, 0, 0, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
	('plan+region', '{silver,süd}', 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{silver,süd}', 7, 0, 98.76, 0, 0, 0, 0, 98.76, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan+region', '{silver,süd}', 8, 98.76, 0, 0, 0, 0, 0, 98.76, 98.76, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,süd}', 9, 98.76, 0, 0, 0, 0, 0, 98.76, 98.76, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,süd}', 10, 98.76, 0, 0, 0, 0, 0, 98.76, 98.76, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,süd}', 11, 98.76, 0, 0, 0, 0, 0, 98.76, 98.76, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,süd}', 12, 98.76, 0, 0, 0, 0, 0, 98.76, 98.76, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,süd}', 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	('plan+region', '{silver,süd}', 15, 0, 98.76, 0, 0, 0, 0, 98.76, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1),
	('plan+region', '{silver,süd}', 16, 98.76, 0, 0, 0, 0, 0, 98.76, 98.76, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('plan+region', '{silver,süd}', 17, 0, 98.76, 0, 0, 0, 0, 98.76, 0, 0, 1, 0, 0, 0, 0, 1, 0, 2),
	('plan+region', '{silver,süd}', 19, 0, 98.76, 0, 0, 0, 0, 98.76, 0, 0, 1, 0, 0, 0, 0, 1, 0, 2),
	('plan+region', '{silver,süd}', 20, 0, 98.76, 0, 0, 0, 0, 98.76, 0, 0, 1, 0, 0, 0, 0, 1, 0, 2),
	('plan+region', '{silver,süd}', 21, 98.76, 0, 0, 0, 0, 0, 98.76, 98.76, 1, 0, 0, 0, 0, 0, 1, 1, 0),
	('total', '{}', 1, 363.5, 0, 0, 0, 0, 0, 363.5, 363.5, 4, 0, 0, 0, 0, 0, 4, 4, 0),
	('total', '{}', 2, 363.5, 0, 0, 45.333333333333, 0, 0, 408.833333333333, 363.5, 4, 0, 0, 1, 0, 0, 4, 4, 0),
	('total', '{}', 3, 408.833333333333, 0, 0, 0, 100, 0, 308.833333333333, 308.833333333333, 4, 0, 0, 0, 1, 0, 4, 4, 0),
	('total', '{}', 4, 308.833333333333, 0, 0, 0, 32.5, 0, 276.333333333333, 276.333333333333, 4, 0, 0, 0, 1, 0, 4, 4, 0),
	('total', '{}', 5, 276.333333333333, 0, 0, 0, 100, 0, 176.333333333333, 176.333333333333, 4, 0, 0, 0, 1, 0, 4, 4, 0),
	('total', '{}', 6, 176.333333333333, 0, 71.16, 0, 0, 48, 199.493333333333, 128.333333333333, 4, 0, 1, 0, 0, 2, 3, 2, 0),
	('total', '{}', 7, 199.493333333333, 0, 63.75, 98.76, 0, 0, 362.003333333333, 199.493333333333, 3, 0, 1, 1, 0, 0, 4, 3, 0),
	('total', '{}', 8, 362.003333333333, 0, 86.91, 45.25, 0, 71.16, 423.003333333333, 290.843333333333, 4, 0, 1, 1, 0, 1, 4, 3, 0),
	('total', '{}', 9, 423.003333333333, 0, 0, 0, 0, 0, 423.003333333333, 423.003333333333, 4, 0, 0, 0, 0, 0, 4, 4, 0),
	('total', '{}', 10, 423.003333333333, 0, 0, 0, 0, 0, 423.003333333333, 423.003333333333, 4, 0, 0, 0, 0, 0, 4, 4, 0),
	('total', '{}', 11, 423.003333333333, 0, 0, 0, 0, 28.333333333333, 394.67, 394.67, 4, 0, 0, 0, 0, 1, 3, 3, 0),
	('total', '{}', 12, 394.67, 0, 0, 0, 0, 0, 394.67, 394.67, 3, 0, 0, 0, 0, 0, 3, 3, 0),
	('total', '{}', 13, 363.5, 0, 0, 0, 54.666666666667, 0, 308.833333333333, 308.833333333333, 4, 0, 0, 0, 1, 0, 4, 4, 0),
	('total', '{}', 14, 308.833333333333, 0, 71.16, 0, 0, 180.5, 199.493333333333, 128.333333333333, 4, 0, 1, 0, 0, 2, 3, 2, 0),
	('total', '{}', 15, 199.493333333333, 0, 195.91, 98.76, 0, 71.16, 423.003333333333, 128.333333333333, 3, 0, 2, 1, 0, 1, 4, 2, 0),
	('total', '{}', 16, 423.003333333333, 0, 0, 0, 0, 28.333333333333, 394.67, 394.67, 4, 0, 0, 0, 0, 1, 3, 3, 0),
	('total', '{}', 17, 363.5, 0, 109, 98.76, 113.09, 63.5, 394.67, 186.91, 4, 0, 1, 1, 1, 2, 3, 2, 0),
	('total', '{}', 18, 363.5, 0, 0, 0, 0, 0, 363.5, 363.5, 4, 0, 0, 0, 0, 0, 4, 4, 0),
	('total', '{}', 19, 408.833333333333, 0, 134.91, 98.76, 0, 280.5, 362.003333333333, 128.333333333333, 4, 0, 2, 1, 0, 2, 4, 2, 0),
	('total', '{}', 20, 363.5, 0, 109, 98.76, 113.09, 63.5, 394.67, 186.91, 4, 0, 1, 1, 1, 2, 3, 2, 0),
	('total', '{}', 21, 394.67, 0, 0, 0, 0, 0, 394.67, 394.67, 3, 0, 0, 0, 0, 0, 3, 3, 0);
-- end of vectors
\set ECHO all
CREATE TABLE ledger_vector_got AS
SELECT m.*
FROM (SELECT kpi_ledger((SELECT array_agg(t ORDER BY t) FROM generate_series(timestamptz '2025-01-01 00:00+00', '2026-01-01 00:00+00', '1 month') t),
		'total; plan=1; plan+region=1,2', customer, valid_from, valid_to, amount, :two_keys) AS ledger FROM ledger_vector_interval) l,
	(SELECT array_agg(opening ORDER BY period) AS o, array_agg(closing ORDER BY period) AS c FROM ledger_vector_period) p,
	kpi_movements(ledger, o, c) m;
SELECT count(*) > 200 AS enough, count(DISTINCT members) AS members, count(*) = (SELECT count(*) FROM ledger_vector_got) AS as_many,
	bool_or(new > 0) AND bool_or(reactivation > 0) AND bool_or(expansion > 0) AND bool_or(contraction > 0) AND bool_or(churn > 0) AS all_kinds
FROM ledger_vector;
(TABLE ledger_vector EXCEPT TABLE ledger_vector_got) ORDER BY 1, 2, 3 LIMIT 5;

-- Longer random histories against plain SQL: customers x boundaries, with
-- gaps, overlaps, switches of plan, several subscriptions at a time, ends
-- exactly at midnight of the reporting zone, and rows that do not count.
CREATE TABLE ledger_interval AS
SELECT i AS id, CASE WHEN i % 101 > 0 THEN 'customer ' || i * 7919 % 157 END AS customer,
	CASE WHEN i % 61 = 0 THEN NULL WHEN i % 83 = 0 THEN '-infinity'
		WHEN i % 3 = 0 THEN timestamptz '2023-10-01' + i * 104729 % 27 * interval '1 month'
		ELSE timestamptz '2023-09-01' + i * 6007 % 8000 * interval '2 hours 17 minutes' END AS valid_from,
	NULL::timestamptz AS valid_to,
	CASE i % 53 WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN round(i % 97 / 12.0, 12) ELSE (i * 31 % 40 + 1) * 12.5 END AS amount,
	CASE i * 17 % 7 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'plan ' || i * 17 % 7 END AS plan,
	CASE WHEN i % 13 > 0 THEN 'région ' || i * 7919 % 157 % 5 END AS region
FROM generate_series(1, 1500) i;
UPDATE ledger_interval
SET valid_to = CASE WHEN id % 7 = 0 THEN NULL WHEN id % 29 = 0 THEN 'infinity'
		WHEN id % 5 = 0 THEN date_trunc('month', coalesce(valid_from, '2024-01-01')) + id % 5 * interval '1 month'
		WHEN id % 11 = 0 THEN valid_from + interval '3 days'
		ELSE coalesce(valid_from, '2023-01-01') + (id * 7907 % 300 - 5) * interval '1 day 1 hour' END
WHERE isfinite(valid_from) IS NOT FALSE;
-- What follows without a gap, at another price.
INSERT INTO ledger_interval
SELECT id + 10000, customer, valid_to, valid_to + id % 90 * interval '1 day', coalesce(amount, 1) + id % 3 * 10 - 10, CASE WHEN id % 2 = 0 THEN plan ELSE 'plan 5' END, region
FROM ledger_interval WHERE id % 4 = 0 AND isfinite(valid_to) AND coalesce(amount, 1) + id % 3 * 10 - 10 >= 0;
SELECT count(*) > 1700 AS enough, count(*) FILTER (WHERE valid_to <= valid_from) > 20 AS turned, count(*) FILTER (WHERE valid_to = date_trunc('month', valid_to)) > 200 AS at_midnight
FROM ledger_interval;

-- Boundaries: months of two years, and the tenth day of some.
CREATE TABLE ledger_bound AS
SELECT row_number() OVER (ORDER BY t)::integer AS n, t
FROM (SELECT generate_series(timestamptz '2024-01-01', '2026-01-01', '1 month') UNION SELECT generate_series(timestamptz '2024-01-11', '2024-12-11', '1 month')) b(t);
CREATE TABLE ledger_period AS
SELECT row_number() OVER (ORDER BY grain, starts)::integer AS period, grain, o.n AS opening, c.n AS closing, o.t AS starts
FROM (SELECT 'month' AS grain, t AS starts, t + interval '1 month' AS ends FROM generate_series(timestamptz '2024-01-01', '2025-12-01', '1 month') t
	UNION ALL SELECT 'quarter', t, t + interval '3 months' FROM generate_series(timestamptz '2024-01-01', '2025-12-01', '3 months') t
	UNION ALL SELECT 'year', t, t + interval '1 year' FROM generate_series(timestamptz '2024-01-01', '2025-12-01', '1 year') t
	UNION ALL SELECT 'cut', t, t + interval '10 days' FROM generate_series(timestamptz '2024-01-01', '2024-12-01', '1 month') t) g
JOIN ledger_bound o ON o.t = starts JOIN ledger_bound c ON c.t = ends;
SELECT grain, count(*) FROM ledger_period GROUP BY 1 ORDER BY 1;

\set shape '\'total; plan=1; region=2; plan+region=1,2\''
\set arguments 'customer, valid_from, valid_to, amount, plan, region, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL'
CREATE TABLE ledger_one AS
SELECT kpi_ledger((SELECT array_agg(t ORDER BY n) FROM ledger_bound), :shape, :arguments) AS ledger FROM ledger_interval;
CREATE VIEW ledger_periods AS
SELECT array_agg(opening ORDER BY period) AS o, array_agg(closing ORDER BY period) AS c FROM ledger_period;
CREATE TABLE ledger_got AS
SELECT m.* FROM ledger_one, ledger_periods, kpi_movements(ledger, o, c) m;

CREATE TABLE ledger_member AS
SELECT v.dimension, v.members, customer, valid_from, valid_to, amount
FROM ledger_interval,
	LATERAL (SELECT coalesce(nullif(plan, ''), '(none)') AS p, coalesce(nullif(region, ''), '(none)') AS r) k,
	LATERAL (VALUES ('total', '{}'::text[]), ('plan', ARRAY[p]), ('region', ARRAY[r]), ('plan+region', ARRAY[p, r])) v(dimension, members)
WHERE customer IS NOT NULL AND amount > 0 AND coalesce(valid_from, '-infinity') < coalesce(valid_to, 'infinity');
CREATE TABLE ledger_state AS
SELECT dimension, members, customer, n, coalesce(sum(amount) FILTER (WHERE (valid_from IS NULL OR valid_from < t) AND (valid_to IS NULL OR valid_to >= t)), 0) AS amount
FROM ledger_member, ledger_bound GROUP BY 1, 2, 3, 4;
ANALYZE ledger_state;
CREATE TABLE ledger_first AS
SELECT dimension, members, customer, min(coalesce(valid_from, '-infinity')) AS first FROM ledger_member GROUP BY 1, 2, 3;
CREATE TABLE ledger_expected AS
WITH customer_movement AS (
	SELECT dimension, members, p.period, o.amount AS o, c.amount AS c, first < ob.t AS was_here, first, ob.t AS starts, cb.t AS ends
	FROM ledger_period p
	JOIN ledger_state o ON o.n = p.opening
	JOIN ledger_state c USING (dimension, members, customer)
	JOIN ledger_first USING (dimension, members, customer)
	JOIN ledger_bound ob ON ob.n = p.opening
	JOIN ledger_bound cb ON cb.n = p.closing
	WHERE c.n = p.closing),
found AS (
	SELECT dimension, members, period, sum(o) AS opening,
		coalesce(sum(c) FILTER (WHERE o = 0 AND NOT was_here), 0) AS new, coalesce(sum(c) FILTER (WHERE o = 0 AND was_here), 0) AS reactivation,
		coalesce(sum(c - o) FILTER (WHERE o > 0 AND c > o), 0) AS expansion, coalesce(sum(o - c) FILTER (WHERE c > 0 AND c < o), 0) AS contraction,
		coalesce(sum(o) FILTER (WHERE c = 0), 0) AS churn, sum(c) AS closing, sum(least(o, c)) AS retained,
		count(*) FILTER (WHERE o > 0) AS customers_opening, count(*) FILTER (WHERE o = 0 AND c > 0 AND NOT was_here) AS customers_new,
		count(*) FILTER (WHERE o = 0 AND c > 0 AND was_here) AS customers_reactivated, count(*) FILTER (WHERE o > 0 AND c > o) AS customers_expanded,
		count(*) FILTER (WHERE c > 0 AND c < o) AS customers_contracted, count(*) FILTER (WHERE o > 0 AND c = 0) AS customers_churned,
		count(*) FILTER (WHERE c > 0) AS customers_closing, count(*) FILTER (WHERE o > 0 AND c > 0) AS customers_kept,
		count(*) FILTER (WHERE first >= starts AND first < ends) AS customers_first
	FROM customer_movement GROUP BY 1, 2, 3)
SELECT * FROM found
WHERE opening > 0 OR closing > 0 OR customers_first > 0
UNION ALL
SELECT b.dimension, b.members, p.period, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
FROM (VALUES ('total', '{}'::text[]), ('plan', '{(none)}'), ('region', '{(none)}'), ('plan+region', '{(none),(none)}')) b(dimension, members), ledger_period p
WHERE NOT EXISTS (SELECT FROM found f WHERE f.dimension = b.dimension AND f.members = b.members AND f.period = p.period);
SELECT count(*) > 1000 AS enough, count(*) = (SELECT count(*) FROM ledger_expected) AS as_many,
	bool_or(customers_first > customers_new) AS gone_again, bool_or(reactivation > 0 AND new > 0 AND expansion > 0 AND contraction > 0 AND churn > 0) AS all_kinds
FROM ledger_got;
(TABLE ledger_expected EXCEPT TABLE ledger_got) ORDER BY 1, 2, 3 LIMIT 5;
(TABLE ledger_got EXCEPT TABLE ledger_expected) ORDER BY 1, 2, 3 LIMIT 5;

-- What holds on any data.
SELECT bool_and(opening + new + reactivation + expansion - contraction - churn = closing) AS identity,
	bool_and(customers_kept + customers_churned = customers_opening) AS kept,
	bool_and(customers_kept + customers_new + customers_reactivated = customers_closing) AS closing,
	bool_and(retained <= least(opening, closing)) AS retained, bool_and(retained = opening - contraction - churn) AS lost,
	bool_and(customers_first >= customers_new) AS first, array_agg(DISTINCT scale(opening)) || array_agg(DISTINCT scale(churn)) AS scales
FROM ledger_got;
-- Closing is the next opening; what is there adds up over members, movements
-- do not, as customers here switch plans and regions.
SELECT bool_and(a.closing = b.opening AND a.customers_closing = b.customers_opening) AS continuous
FROM ledger_got a JOIN ledger_period p USING (period) JOIN ledger_period n ON n.opening = p.closing AND n.grain = p.grain
JOIN ledger_got b ON b.period = n.period AND b.dimension = a.dimension AND b.members = a.members;
SELECT g.dimension, bool_and(g.opening = t.opening AND g.closing = t.closing) AS stocks_add_up, bool_or(g.churn > t.churn) AS movements_do_not
FROM (SELECT dimension, period, sum(opening) AS opening, sum(closing) AS closing, sum(churn) AS churn FROM ledger_got GROUP BY 1, 2) g
JOIN ledger_got t ON t.dimension = 'total' AND t.period = g.period
WHERE g.dimension <> 'total' GROUP BY 1 ORDER BY 1;
-- A quarter is not the sum of its months.
SELECT sum(m.churn) FILTER (WHERE grain = 'month') > sum(m.churn) FILTER (WHERE grain = 'quarter') AS months_churn_more
FROM ledger_got m JOIN ledger_period USING (period) WHERE dimension = 'total';
-- A shift of every instant and the grid together changes nothing.
SELECT count(*) AS different FROM (
	SELECT m.* FROM (SELECT kpi_ledger((SELECT array_agg(t + interval '1000 hours' ORDER BY n) FROM ledger_bound), :shape, customer,
			valid_from + interval '1000 hours', valid_to + interval '1000 hours', amount, :two_keys) AS ledger FROM ledger_interval) l, ledger_periods, kpi_movements(ledger, o, c) m
	EXCEPT TABLE ledger_got) e;
-- Rows outside of the instants, and such as do not count, leave no trace.
SELECT kpi_ledger((SELECT array_agg(t ORDER BY n) FROM ledger_bound), :shape, :arguments) = (SELECT ledger FROM ledger_one) AS no_trace
FROM (TABLE ledger_interval
	UNION ALL VALUES (-1, 'after', timestamptz '2026-01-01', NULL::timestamptz, 5.123456789012345, 'x', 'y'), (-2, 'after', 'infinity', NULL, 1, 'x', 'y'),
		(-3, 'turned', '2025-03-01', '2025-02-01', 1, 'x', 'y'), (-4, 'empty', '2025-03-01', '2025-03-01', 1, 'x', 'y'), (-5, 'zero', '2025-03-01', NULL, 0.000, 'x', 'y'),
		(-6, NULL, '2025-03-01', NULL, 1, 'x', 'y'), (-7, 'nothing', '2025-03-01', NULL, NULL, 'x', 'y'), (-8, 'never', NULL, '-infinity', 1, 'x', 'y')) i;

-- The order of the rows, splits and merges leave no trace.
SELECT kpi_ledger((SELECT array_agg(t ORDER BY n) FROM ledger_bound), :shape, :arguments ORDER BY id * 7907 % 9001, id) = (SELECT ledger FROM ledger_one) AS shuffled
FROM ledger_interval;
CREATE TABLE ledger_part AS
SELECT parts, id * 7919 % 9001 % parts AS part, kpi_ledger((SELECT array_agg(t ORDER BY n) FROM ledger_bound), :shape, :arguments) AS ledger
FROM ledger_interval, (VALUES (1), (2), (3), (40)) s(parts) GROUP BY 1, 2;
SELECT parts, count(*), kpi_rollup(ledger ORDER BY part) = (SELECT ledger FROM ledger_one) AS one_way,
	kpi_rollup(ledger ORDER BY part DESC) = (SELECT ledger FROM ledger_one) AS other_way
FROM ledger_part GROUP BY parts ORDER BY parts;
SELECT kpi_rollup(half ORDER BY part) = (SELECT ledger FROM ledger_one) AS of_rollups
FROM (SELECT part % 2 AS part, kpi_rollup(ledger) AS half FROM ledger_part WHERE parts = 40 GROUP BY 1) h;
SELECT kpi_rollup(ledger) = (SELECT ledger FROM ledger_one) AS with_null, kpi_rollup(NULL::kpi_ledger) IS NULL AS nothing
FROM (SELECT ledger FROM ledger_one UNION ALL SELECT NULL) n;
-- A window of one row at a time: the state is read while it grows.
SELECT bool_and(rolled = (SELECT kpi_rollup(p.ledger) FROM ledger_part p WHERE parts = 3 AND p.part <= w.part)) AS running
FROM (SELECT part, kpi_rollup(ledger) OVER (ORDER BY part) AS rolled FROM ledger_part WHERE parts = 3) w;
-- The pieces of an interval are the interval; equal pieces in time or amount.
SELECT kpi_ledger(:five_months, 'total', customer, '2024-12-05', '2025-04-10', 30, :no_keys) =
	(SELECT kpi_ledger(:five_months, 'total', 'c', f, t, a, :no_keys)
		FROM (VALUES (date '2024-12-05', date '2025-02-01', 30), ('2025-02-01', '2025-02-07', 10), ('2025-02-01', '2025-02-07', 20), ('2025-02-07', '2025-04-10', 30)) p(f, t, a)) AS same
FROM (VALUES ('c')) v(customer);

-- A parallel plan gives the same bytes.
CREATE FUNCTION ledger_is_parallel(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
		IF line LIKE '%Partial Aggregate%' THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END;
$$;
ANALYZE ledger_interval;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 3;
SELECT format('SELECT kpi_ledger(%L::timestamptz[], %L, %s) FROM ledger_interval', array_agg(t ORDER BY n), :shape, :'arguments') AS parallel_query FROM ledger_bound \gset
SELECT ledger_is_parallel(:'parallel_query');
SELECT (:parallel_query) = (SELECT ledger FROM ledger_one) AS parallel;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- Customers never affect each other: ledgers of some of them add up.
CREATE VIEW ledger_grouped AS
SELECT kind, dimension, members, period, sum(opening) AS opening, sum(new) AS new, sum(reactivation) AS reactivation, sum(expansion) AS expansion,
	sum(contraction) AS contraction, sum(churn) AS churn, sum(closing) AS closing, sum(retained) AS retained, sum(customers_opening)::bigint AS customers_opening,
	sum(customers_new)::bigint AS customers_new, sum(customers_reactivated)::bigint AS customers_reactivated, sum(customers_expanded)::bigint AS customers_expanded,
	sum(customers_contracted)::bigint AS customers_contracted, sum(customers_churned)::bigint AS customers_churned, sum(customers_closing)::bigint AS customers_closing,
	sum(customers_kept)::bigint AS customers_kept, sum(customers_first)::bigint AS customers_first
FROM (SELECT kind, kpi_ledger((SELECT array_agg(t ORDER BY n) FROM ledger_bound), 'total; plan=1; region=2; plan+region=1,2', customer, valid_from, valid_to, amount,
		plan, region, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS ledger
	FROM ledger_interval, LATERAL (VALUES ('customer', customer), ('bucket', abs(hashtext(customer) % 4)::text)) g(kind, part) GROUP BY kind, part) l,
	ledger_periods, kpi_movements(ledger, o, c)
GROUP BY 1, 2, 3, 4;
SET enable_hashagg = off;
CREATE TABLE ledger_by_customer AS TABLE ledger_grouped;
RESET enable_hashagg;
SELECT kind, count(*) = (SELECT count(*) FROM ledger_got) AS as_many FROM ledger_by_customer GROUP BY 1 ORDER BY 1;
SELECT count(*) AS different FROM (
	SELECT dimension, members, period, opening, new, reactivation, expansion, contraction, churn, closing, retained, customers_opening, customers_new, customers_reactivated,
		customers_expanded, customers_contracted, customers_churned, customers_closing, customers_kept, customers_first FROM ledger_by_customer EXCEPT TABLE ledger_got) e;

-- Days: the same numbers for rows and bounds that have days.
SELECT count(*) AS different FROM (
	SELECT m.* FROM (SELECT kpi_ledger((SELECT array_agg(t::date ORDER BY n) FROM ledger_bound), :shape, customer, valid_from::date, valid_to::date, amount, :two_keys) AS ledger
		FROM ledger_interval) l, ledger_periods, kpi_movements(ledger, o, c) m
	EXCEPT
	SELECT m.* FROM (SELECT kpi_ledger((SELECT array_agg(t ORDER BY n) FROM ledger_bound), :shape, customer, valid_from::date::timestamptz, valid_to::date::timestamptz, amount, :two_keys) AS ledger
		FROM ledger_interval) l, ledger_periods, kpi_movements(ledger, o, c) m) e;

-- Text and binary forms are lossless.
SELECT ledger::text::kpi_ledger = ledger AS text, kpi_ledger_send(ledger::text::kpi_ledger) = kpi_ledger_send(ledger) AS bytes,
	NOT ledger <> ledger AS not_different, left(ledger::text, 11) AS prefix, kpi_ledger_size(ledger) = length(kpi_ledger_send(ledger)) + 4 AS size FROM ledger_one;
\copy ledger_one TO 'results/ledger.binary' WITH (FORMAT binary)
CREATE TABLE ledger_copy (ledger kpi_ledger);
\copy ledger_copy FROM 'results/ledger.binary' WITH (FORMAT binary)
SELECT c.ledger = o.ledger AS binary FROM ledger_copy c, ledger_one o;

-- No rows, no ledger; rows without effect, an empty one, which has the blank
-- members; no periods, NULL in a period, NULL: no rows.
SELECT kpi_ledger(:five_months, 'total', 'c', NULL, NULL, 1, :no_keys) IS NULL AS nothing FROM ledger_interval WHERE false;
SELECT kpi_ledger(:five_months, 'total; plan=1; plan+region=1,2', 'c', NULL, NULL, NULL, :no_keys) AS ledger \gset empty_
SELECT dimension, members, period, opening, customers_first FROM kpi_movements(:'empty_ledger', '{NULL,1,1}', '{1,2,NULL}') ORDER BY 1;
SELECT count(*) FROM ledger_one, kpi_movements(ledger, '{}', '{}');
SELECT count(*) FROM kpi_movements(NULL, '{1}', '{1}');

-- Infinite bounds: since ever is before them all, an open end behind.
SELECT period, opening, new, churn, closing, customers_first
FROM (SELECT kpi_ledger(ARRAY['-infinity', '2025-01-01', 'infinity']::timestamptz[], 'total', customer, valid_from, valid_to, 1, :no_keys) AS ledger
	FROM (VALUES ('a', NULL, NULL), ('b', timestamptz '-infinity', timestamptz 'infinity'), ('c', '2024-01-01', '2025-01-01'), ('d', '2025-01-01', NULL)) v(customer, valid_from, valid_to)) l,
	kpi_movements(ledger, '{1,2,1}', '{2,3,3}') ORDER BY 1;

-- Memory is bounded by the steps, not the rows: half a million of them, of ten
-- customers, are the ledger of their sums.
SELECT kpi_ledger(:five_months, 'total; plan=1', (i % 10)::text, '2025-01-01'::date + i % 30, '2025-03-01'::date + i % 40, i % 7, (i % 3)::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
	= (SELECT kpi_ledger(:five_months, 'total; plan=1', customer::text, '2025-01-01'::date + f, '2025-03-01'::date + t, amount, plan::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
		FROM (SELECT i % 10 AS customer, i % 30 AS f, i % 40 AS t, i % 3 AS plan, sum(i % 7) AS amount FROM generate_series(1, 500000) i GROUP BY 1, 2, 3, 4) s) AS same,
	kpi_ledger_size(kpi_ledger(:five_months, 'total; plan=1', (i % 10)::text, '2025-01-01'::date + i % 30, '2025-03-01'::date + i % 40, i % 7, (i % 3)::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) < 30000000 AS bounded
FROM generate_series(1, 500000) i;
-- Many steps of one customer, in any order.
SELECT count(*) = 1000 AS rows, bool_and(new = 1 OR period > 1) AS new, bool_and(period = 1 OR expansion = 1) AS expansion, max(closing) AS closing
FROM (SELECT kpi_ledger((SELECT array_agg('2020-01-01'::date + i ORDER BY i) FROM generate_series(0, 1000) i), 'total', 'c', '2020-01-01'::date + i * 7 % 1000, NULL, 1, :no_keys) AS ledger
	FROM generate_series(0, 999) i) l,
	kpi_movements(ledger, (SELECT array_agg(i ORDER BY i) FROM generate_series(1, 1000) i), (SELECT array_agg(i ORDER BY i) FROM generate_series(2, 1001) i));

-- Exact amounts: twelve decimals, more than integers hold, huge and tiny;
-- whatever they are, sums are core's, with the largest scale, in any order.
CREATE TABLE ledger_number (n serial, amounts numeric[]);
INSERT INTO ledger_number (amounts) VALUES
	('{1,2,3}'), ('{0.1,0.02,0.003}'), ('{41.666666666667,41.666666666667,0.000000000001}'), ('{1.10,1.1}'), ('{10000,100000000,1e20,1e30}'), ('{0.0001,0.00000001,0.00010001}'),
	('{999999999999999999999999999999999999,1}'), ('{1,999999999999999999999999999999999999}'), ('{170141183460469231731687303715884105727,1}'),
	('{900000000000000000000000000000000000,900000000000000000000000000000000000,1}'), ('{0.1234567890123456,1}'), ('{0.12345678901234567,1}'),
	('{12345678901234567890.1234567890123456,0.00000000000000001}'), ('{1.00000000000000000000000000,2.5}'), ('{123456789012345678901234567890,0.0000000001}'),
	('{1,0.1,0.01,0.001,0.0001,0.00001,0.000001,0.0000001}'), ('{99999999999999999999,0.0000000000000001}'), ('{1e500,1}'), ('{1e-300,1}'), ('{1e1000,1e-1000,7}'), ('{1e-2500,1}');
INSERT INTO ledger_number (amounts)
SELECT array_agg(amount)
FROM (SELECT i % 40 AS sample, (left(translate(md5(i::text), 'abcdef', '012345'), 1 + i * 7 % (5 + i % 40 / 3))
		|| '.' || left(translate(md5('x' || i), 'abcdef', '678901'), i * 11 % (1 + i % 40 / 3)))::numeric AS amount
	FROM generate_series(1, 1200) i) r
WHERE amount > 0 GROUP BY sample ORDER BY sample;
INSERT INTO ledger_number (amounts) SELECT array_agg(90000000000000000000000000000000000::numeric) FROM generate_series(1, 3000);
-- The i-th amount comes in month i % 3 and goes in month i % 3 + 1 or 4: each
-- customer, of two, has new, expansion, contraction or churn of such numbers.
CREATE FUNCTION ledger_of(amounts numeric[], step integer, first integer DEFAULT 1) RETURNS kpi_ledger LANGUAGE sql AS $$
	SELECT kpi_ledger('{2025-01-01,2025-02-01,2025-03-01,2025-04-01,2025-05-01}'::date[], 'total; plan=1', (i % 2)::text, ('2025-01-05'::date + i % 3 * interval '1 month')::date,
		('2025-02-05'::date + (i % 3 + i % 4) * interval '1 month')::date, amount, 'plan', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL ORDER BY i * step)
	FROM unnest(amounts) WITH ORDINALITY u(amount, j), LATERAL (SELECT (j + first - 1)::integer) n(i);
$$;
CREATE TABLE ledger_number_result AS
SELECT n, amounts, scale, ledger_of(amounts, 1) AS ledger, ledger_of(amounts, -1) AS reversed,
	(SELECT kpi_rollup(ledger_of(ARRAY[a], 1, i::integer) ORDER BY i DESC) FROM unnest(amounts) WITH ORDINALITY u(a, i)) AS merged
FROM ledger_number, LATERAL (SELECT max(scale(a)) AS scale FROM unnest(amounts) a) s;
SELECT count(*) > 60 AS enough, bool_and(ledger = reversed) AS reversed, bool_and(ledger = merged) AS merged, bool_and(ledger::text::kpi_ledger = ledger) AS text FROM ledger_number_result;
WITH expected AS (
	SELECT n, p, sum(o) AS opening, sum(c) AS closing, sum(least(o, c)) AS retained, coalesce(sum(c - o) FILTER (WHERE o > 0 AND c > o), 0) AS expansion,
		coalesce(sum(o - c) FILTER (WHERE c > 0 AND c < o), 0) AS contraction, coalesce(sum(o) FILTER (WHERE c = 0), 0) AS churn,
		coalesce(sum(c) FILTER (WHERE o = 0), 0) AS gained
	FROM (SELECT n, p, i % 2 AS customer, coalesce(sum(a) FILTER (WHERE i % 3 < p - 1 AND i % 3 + i % 4 + 1 >= p - 1), 0) AS o,
			coalesce(sum(a) FILTER (WHERE i % 3 < p AND i % 3 + i % 4 + 1 >= p), 0) AS c
		FROM ledger_number, generate_series(1, 4) p, unnest(amounts) WITH ORDINALITY u(a, i) GROUP BY 1, 2, 3) s
	GROUP BY 1, 2)
SELECT r.n, m.dimension, m.period, m.opening, e.opening AS expected FROM ledger_number_result r, kpi_movements(ledger, '{1,2,3,4}', '{2,3,4,5}') m, expected e
WHERE e.n = r.n AND e.p = m.period AND m.members <> '{(none)}'
	AND ((m.opening, m.closing, m.retained, m.expansion, m.contraction, m.churn, m.new + m.reactivation)
		IS DISTINCT FROM (e.opening, e.closing, e.retained, e.expansion, e.contraction, e.churn, e.gained) OR scale(m.opening) <> r.scale OR scale(m.churn) <> r.scale)
ORDER BY 1, 2, 3 LIMIT 5;

-- What is refused, and how.
CREATE FUNCTION ledger_error(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(': ', SQLSTATE, message, nullif(detail, ''));
END;
$$;
SELECT left(amount::text, 20) AS amount, left(ledger_error(format('SELECT kpi_ledger(''{2025-01-01,2025-02-01}''::date[], ''total'', ''c'', ''2025-01-05'', NULL, %L, %s)', amount, :'no_keys')), 60) AS error
FROM unnest('{-0.01,-1e400,NaN,Infinity,-Infinity}'::numeric[]) amount;
SELECT bounds, ledger_error(format('SELECT kpi_ledger(%L::date[], ''total'', ''c'', ''2025-01-05'', NULL, 1, %s)', bounds, :'no_keys'))
FROM unnest(ARRAY[NULL, '{}', '{2025-01-01}', '{2025-01-01,NULL}', '{2025-01-01,2025-01-01}', '{2025-01-02,2025-01-01}', '{{2025-01-01,2025-01-02}}']) bounds;
SELECT shape, ledger_error(format('SELECT kpi_ledger(''{2025-01-01}''::date[], %L, ''c'', ''2025-01-05'', NULL, 1, %s)', shape, :'no_keys'))
FROM unnest(ARRAY[NULL, '', 'total / c=1', 'total;', 'a=0', 'a=11', 'a=1,1', 'a b', 'a;a', ' a ; b = 1 , 10 ', ' a / mb = 64 ', 'a / mb=0', 'a / mb=10000', 'a / mb=', 'a / mb=1 mb=1', 'a / kb=1']) shape;
SELECT ledger_error('SELECT kpi_ledger_combine(ledger, ledger) FROM ledger_one');
SELECT ledger_error(format('SELECT kpi_rollup(ledger) FROM (SELECT ledger FROM ledger_one UNION ALL SELECT %L) l', other))
FROM (SELECT kpi_ledger((SELECT array_agg(t ORDER BY n) FROM ledger_bound), 'total', 'c', '2025-01-01'::timestamptz, NULL, 1, :no_keys)
	UNION ALL SELECT kpi_ledger(:five_months, :shape, 'c', '2025-01-01', NULL, 1, :no_keys)) o(other);
SELECT o, c, ledger_error(format('SELECT kpi_movements(ledger, %L, %L) FROM ledger_one', o, c))
FROM (VALUES (1, '{0}', '{1}'), (2, '{2}', '{1}'), (3, '{1}', '{37}'), (4, '{1}', '{38}'), (5, '{1,2}', '{2}'), (6, '{{1}}', '{{1}}'), (7, '{-2147483648}', '{2147483647}')) v(i, o, c) ORDER BY i;

-- A limit of the memory: what fits is what it is without, what does not is an
-- error, wherever it shows: in rows, in merging, in reading.
CREATE FUNCTION ledger_limited(customers integer, shape text) RETURNS kpi_ledger LANGUAGE sql AS $$
	SELECT kpi_ledger('{2025-01-01,2025-02-01,2025-03-01}'::date[], shape, i::text, '2025-01-05', '2025-02-05', i, 'p' || i % 7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
	FROM generate_series(1, customers) i;
$$;
SELECT count(*) AS different FROM (SELECT * FROM kpi_movements(ledger_limited(2000, 'total; plan=1 / mb=1'), '{1,1,2}', '{2,3,3}') EXCEPT SELECT * FROM kpi_movements(ledger_limited(2000, 'total; plan=1'), '{1,1,2}', '{2,3,3}')) d;
SELECT n, mb, split_part(ledger_error(format('SELECT kpi_ledger_size(ledger_limited(%s, ''total; plan=1 / mb=%s''))', n, mb)), ': It', 1) AS error FROM (VALUES (2000, 1), (20000, 1), (20000, 9)) v(n, mb);
SELECT split_part(ledger_error('SELECT kpi_rollup(l) FROM (SELECT kpi_ledger(''{2025-01-01,2025-02-01}''::date[], ''total / mb=1'', i::text, ''2025-01-05'', NULL, i, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS l
	FROM generate_series(1, 40000) i GROUP BY i % 32 OFFSET 0) s'), ': It', 1) AS merged;
SELECT replace(ledger_limited(20000, 'total; plan=1 / mb=9')::text, encode('total;plan=1 / mb=9', 'hex'), encode('total;plan=1 / mb=1', 'hex')) AS too_large \gset
SELECT split_part(ledger_error(format('SELECT %L::kpi_ledger', :'too_large')), ': It', 1) AS read;

-- Hostile input: a ledger with everything in it, cut off anywhere and with any
-- bit turned, is refused or is a valid ledger; nothing else happens.
SELECT kpi_ledger('{2025-01-01,2025-01-02,2025-01-04}'::date[], 'total;plan=1;plan+region=1,2', 'c' || i % 3, '2025-01-01'::date + i % 4 - 1, '2025-01-01'::date + i % 5,
	CASE WHEN i = 4 THEN 1e60 WHEN i = 5 THEN 1e-20 ELSE i * 1.5 END, 'plan ' || i % 2, 'r' || i % 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS small FROM generate_series(0, 9) i \gset
CREATE FUNCTION ledger_try(value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	ledger kpi_ledger;
BEGIN
	ledger := value;
	PERFORM count(*) FROM kpi_movements(ledger, '{1}', '{1}');
	RETURN CASE WHEN ledger::text::kpi_ledger = ledger THEN 'valid' ELSE 'not canonical' END;
EXCEPTION WHEN invalid_text_representation OR invalid_binary_representation OR character_not_in_repertoire
		OR invalid_parameter_value OR numeric_value_out_of_range THEN
	RETURN 'refused';
END;
$$;
SELECT ledger_try(:'small') AS itself, length(:'small') > 500 AS enough;
SELECT ledger_try(left(:'small', n)) AS cut_off, count(*) > 500 AS often FROM generate_series(0, length(:'small') - 1) n GROUP BY 1;
SELECT ledger_try(:'small' || tail) AS longer FROM unnest('{00,ff,0,x}'::text[]) tail;
SELECT DISTINCT ledger_try('kpi_ledger:' || encode(set_bit(flat, bit, 1 - get_bit(flat, bit)), 'hex')) AS turned
FROM kpi_ledger_send(:'small') flat, generate_series(0, length(flat) * 8 - 1) bit ORDER BY 1;
SELECT DISTINCT ledger_try('kpi_ledger:' || encode(set_byte(set_byte(flat, n, value), (n + 1) % length(flat), 255), 'hex')) AS overwritten
FROM kpi_ledger_send(:'small') flat, generate_series(0, length(flat) - 1) n, unnest('{0,127,128,255}'::integer[]) value ORDER BY 1;
SELECT v, ledger_try(v) FROM unnest(ARRAY['', 'kpi_ledger', 'kpi_ledger:', 'kpi_ledger:0', 'kpi_ledger:zz', 'kpi_ledger:0 0 ', 'kpi_ledger:01', 'kpi_ledger:02', 'kpi_cube:01']) v;
SELECT ledger_error('SELECT ''kpi_ledger:02''::kpi_ledger');
SELECT ledger_error('SELECT ''ledger''::kpi_ledger');
-- A state below zero, which rows cannot make: version, days, "a", one bound,
-- scale 0, customer "c", one step of -1 for member 0 at bound 0; +1 is one.
SELECT change, ledger_try('kpi_ledger:01640161' || '0100' || '00' || '010163' || '010000' || change) FROM unnest('{01,02}'::text[]) change;
