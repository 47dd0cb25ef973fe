-- Targets: what can be written, and what a period makes of them.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;

-- ---------- what cannot be written ----------
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenu', '2026-01-01', '2027-01-01', 1);
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value) VALUES ('revenue', 'regions', 'North', '2026-01-01', '2027-01-01', 1);
INSERT INTO kpi_target (kpi, member, from_day, to_day, value) VALUES ('revenue', 'North', '2026-01-01', '2027-01-01', 1);
INSERT INTO kpi_target (kpi, dimension, from_day, to_day, value) VALUES ('revenue', 'region', '2026-01-01', '2027-01-01', 1);
INSERT INTO kpi_target (kpi, from_day, to_day, value, currency) VALUES ('revenue', '2026-01-01', '2027-01-01', 1, 'USD');
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-01-01', '2026-01-01', 1);
\set VERBOSITY terse
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-01-01', 'infinity', 1);
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-01-01', '2027-01-01', 'NaN');
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-01-01', '2027-01-01', '-Infinity');
INSERT INTO kpi_target (kpi, from_day, to_day, value, warn_at) VALUES ('revenue', '2026-01-01', '2027-01-01', 1, 'Infinity');
\set VERBOSITY default

-- ---------- overlaps ----------
SAVEPOINT before;
INSERT INTO kpi_target (kpi, from_day, to_day, value, currency) VALUES
	('revenue', '2026-01-01', '2027-01-01', 1200, 'EUR'),
	('revenue', '2026-01-01', '2026-07-01', 500, NULL),
	('revenue', '2026-04-01', '2026-07-01', 300, NULL),
	('revenue', '2026-04-01', '2026-05-01', 90, NULL),
	('revenue', '2026-05-01', '2026-06-01', 90, NULL),
	('revenue', '2026-04-27', '2026-05-04', 20, NULL);
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-04-10', '2026-05-10', 90);
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-04-01', '2026-04-30', 90);
\set VERBOSITY terse
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2026-04-01', '2026-05-01', 91);
\set VERBOSITY default
-- two rows of one statement, and an update into another
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('leads', '2026-04-01', '2026-05-01', 9), ('leads', '2026-04-02', '2026-05-02', 9);
UPDATE kpi_target SET from_day = from_day + 1 WHERE from_day = '2026-05-01' AND to_day = '2026-06-01';
UPDATE kpi_target SET to_day = '2026-06-02' WHERE from_day = '2026-04-01' AND to_day = '2026-05-01';
-- all moved by a year at once, another member, another KPI: no overlap
UPDATE kpi_target SET from_day = (from_day + interval '1 year')::date, to_day = (to_day + interval '1 year')::date;
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value) VALUES
	('revenue', 'region', 'North', '2027-04-01', '2027-05-01', 1), ('revenue', 'region', 'South', '2027-04-01', '2027-05-01', 1);
SELECT count(*), count(currency) FROM kpi_target;
-- a dump being restored is taken as it is
SET LOCAL check_function_bodies = off;
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('not_there_yet', '2026-01-01', '2027-01-01', 1);
ROLLBACK TO before;

-- ---------- what KPIs do with targets of other periods ----------
SELECT kpi_define('revenue_k', 'revenue / 1000', 'money', 'up', 'Revenue in thousands') AS revenue_k, kpi_define('per_call', '(revenue - 2 * direct_cost / 4) / calls', 'money', 'up', 'Per call') AS per_call;
SELECT kpi, kpi_target_rule(kpi) FROM unnest('{revenue_k,per_call}'::text[]) kpi;
SELECT kpi, kpi_target_rule(kpi) FROM unnest('{revenue,won_deals,sales_by_region,demo_and_onboarding_calls,deals_quoted,pipeline_value,open_quotes,profit_margin,
	average_purchase_value,sales_cycle_median,reps,revenue_growth,purchases,buying_customers,rep_days}'::text[]) WITH ORDINALITY u(kpi, n) ORDER BY n;

-- ---------- exact, summed, spread ----------
INSERT INTO kpi_target (kpi, from_day, to_day, value, warn_at) VALUES
	('revenue', '2026-01-01', '2027-01-01', 1000, 800),
	('revenue', '2025-01-01', '2025-02-01', 100, 90),
	('revenue', '2025-02-01', '2025-03-01', 110.5, 99),
	('revenue', '2025-03-01', '2025-04-01', 120, 110),
	('revenue', '2025-04-01', '2025-05-01', 300, NULL),
	('revenue', '2025-05-01', '2025-06-01', 620, 500),
	('revenue', '2024-01-01', '2025-01-01', 3660, NULL),
	('revenue', '2024-02-01', '2024-03-01', 500, NULL);

-- a year of 365 days over its months: worked out with Python's decimal module
SELECT v.month, t.value = v.value AND t.warn_at = v.warn_at AS agrees, t.how
  FROM (VALUES ('2026-01-01'::date, 84.931506849315, 67.945205479452), ('2026-02-01', 76.712328767123, 61.369863013699),
			   ('2026-04-01', 82.191780821918, 65.753424657534), ('2026-09-01', 82.191780821918, 65.753424657535),
			   ('2026-12-01', 84.931506849315, 67.945205479452)) v(month, value, warn_at),
	   LATERAL kpi_target_value('revenue', v.month, (v.month + interval '1 month')::date) t;
-- the parts add up to the whole, by month and by day
SELECT count(*), sum(t.value) = 1000 AS values_add_up, sum(t.warn_at) = 800 AS warnings_add_up, min(t.how) AS how
  FROM generate_series('2026-01-01'::timestamp, '2026-12-01', '1 month') m, LATERAL kpi_target_value('revenue', m::date, (m + interval '1 month')::date) t
UNION ALL
SELECT count(*), sum(t.value) = 1000, sum(t.warn_at) = 800, min(t.how)
  FROM generate_series('2026-01-01'::timestamp, '2026-12-31', '1 day') d, LATERAL kpi_target_value('revenue', d::date, d::date + 1) t;

-- exact; a quarter summed from its months; a week across two months: 300 * 4/30 + 620 * 3/31 = 40 + 60
SELECT p.period, t.* FROM (VALUES ('2026-01-01'::date, '2027-01-01'::date), ('2025-02-01', '2025-03-01'), ('2025-01-01', '2025-04-01'),
	('2025-04-01', '2025-06-01'), ('2025-04-28', '2025-05-05'), ('2025-04-27', '2025-05-04'), ('2024-02-01', '2024-03-01'), ('2024-01-01', '2024-02-01'),
	('2024-01-01', '2024-04-01'), ('2025-03-01', '2025-07-01'), ('2023-01-01', '2023-02-01'), ('2025-12-15', '2026-01-15')) p(period, period_end)
	CROSS JOIN LATERAL kpi_target_value('revenue', p.period, p.period_end) t ORDER BY p.period, p.period_end;

-- months are added up, though a longer piece that leads nowhere begins where they do; what nothing tiles has its share of the one around it
SAVEPOINT before_odd;
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2025-01-01', '2025-02-20', 7);
SELECT p.period, p.period_end, t.* FROM (VALUES ('2025-01-01'::date, '2025-04-01'::date), ('2025-01-01', '2025-03-01'), ('2025-01-01', '2025-02-11')) p(period, period_end)
	CROSS JOIN LATERAL kpi_target_value('revenue', p.period, p.period_end) t ORDER BY p.period, p.period_end;
SELECT round(7 * 41 / 50.0, 2) AS forty_one_of_fifty_days;
ROLLBACK TO before_odd;

-- a negative target spreads symmetrically
SELECT kpi_day_share(-1000, '2026-01-01', '2027-01-01', '2026-02-01', '2026-03-01');
-- parts add up to the whole, also one of more than 12 decimals: 2/3 of it, rounded, and the rest, or all of it on one day
SELECT kpi_day_share(0.1234567890123456, '2026-01-01', '2026-01-04', '2026-01-01', '2026-01-03') AS two_days,
	kpi_day_share(0.1234567890123456, '2026-01-01', '2026-01-04', '2026-01-03', '2026-01-04') AS third_day, 0.1234567890123456 - 0.082304526008 AS rest,
	kpi_day_share(0.1234567890123456, '2026-01-01', '2026-01-02', '2026-01-01', '2026-01-02') AS one_day;

-- ratios and stocks hold; distinct counts neither
INSERT INTO kpi_target (kpi, from_day, to_day, value, warn_at)
SELECT kpi, '2026-01-01', '2027-01-01', 30, 25 FROM unnest('{profit_margin,pipeline_value,purchases}'::text[]) kpi;
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('profit_margin', '2026-04-01', '2026-07-01', 33);
SELECT kpi, p.period, t.value, t.warn_at, t.how
  FROM unnest('{profit_margin,pipeline_value,purchases}'::text[]) kpi,
	   (VALUES ('2026-01-01'::date, '2027-01-01'::date), ('2026-02-01', '2026-03-01'), ('2026-04-01', '2026-07-01'), ('2026-05-01', '2026-06-01'),
			   ('2026-01-01', '2026-07-01'), ('2027-01-01', '2027-02-01')) p(period, period_end)
 CROSS JOIN LATERAL kpi_target_value(kpi, p.period, p.period_end) t ORDER BY kpi, p.period, p.period_end;

-- ---------- a bound source ----------
CREATE TABLE quota (kpi text, from_day timestamptz, to_day timestamptz, value double precision, dimension text, member text, currency text, warn_at numeric);
SELECT count(*) FROM kpi_bind('target', 'quota');
INSERT INTO quota VALUES
	('revenue', '2026-02-01 00:00Z', '2026-03-01 00:00Z', 99, NULL, NULL, NULL, NULL),	-- beaten by kpi_target
	('revenue', '2023-01-01 00:00Z', '2024-01-01 00:00Z', 365, '', '', 'EUR', 292),		-- used: nothing there
	('revenue', '2023-01-01 00:00Z', '2024-01-01 00:00Z', 7, 'total', '', 'USD', NULL),	-- another currency
	('revenue', '2022-01-01 00:00Z', '2022-02-01 00:00Z', 'NaN', NULL, NULL, NULL, NULL),
	('leads', '2026-02-01 00:00Z', '2026-03-01 00:00Z', 0.1, NULL, NULL, NULL, NULL),
	('won_deals', '2026-02-01 00:00Z', '2026-03-01 00:00Z', 5, NULL, NULL, NULL, NULL),
	('won_deals', '2026-02-01 00:00Z', '2026-03-01 00:00Z', 6, NULL, NULL, NULL, NULL),	-- which one?
	('revenue', '2026-02-01 00:00Z', '2026-03-01 00:00Z', 12, 'rep', 'r1', NULL, NULL);
SELECT kpi, period, t.* FROM (VALUES ('revenue', '2026-02-01'::date), ('revenue', '2023-03-01'), ('revenue', '2022-01-01'), ('leads', '2026-02-01'), ('won_deals', '2026-02-01')) v(kpi, period),
	LATERAL kpi_target_value(kpi, period, (period + interval '1 month')::date) t;
SELECT member, t.* FROM unnest('{r1,r2}'::text[]) member, LATERAL kpi_target_value('revenue', '2026-02-01', '2026-03-01', 'rep', member) t;
-- what is there twice counts for no other period either, whatever the order of the rows
INSERT INTO quota VALUES
	('revenue', '2021-01-01 00:00Z', '2021-02-01 00:00Z', 31, NULL, NULL, NULL, NULL), ('revenue', '2021-02-01 00:00Z', '2021-03-01 00:00Z', 28, NULL, NULL, NULL, NULL),
	('revenue', '2021-03-01 00:00Z', '2021-04-01 00:00Z', 1, NULL, NULL, NULL, NULL), ('revenue', '2021-03-01 00:00Z', '2021-04-01 00:00Z', 900, NULL, NULL, NULL, NULL),
	('win_rate', '2021-01-01 00:00Z', '2022-01-01 00:00Z', 20, NULL, NULL, NULL, NULL), ('win_rate', '2021-01-01 00:00Z', '2022-01-01 00:00Z', 30, NULL, NULL, NULL, NULL);
SELECT v.what, t.* FROM (VALUES ('its own', 'revenue', date '2021-03-01', date '2021-04-01'), ('around it', 'revenue', '2021-01-01', '2021-04-01'), ('beside it', 'revenue', '2021-01-01', '2021-03-01'),
								('within it', 'revenue', '2021-03-01', '2021-03-11'), ('held', 'win_rate', '2021-05-01', '2021-06-01')) v(what, kpi, from_day, to_day),
	LATERAL kpi_target_value(kpi, from_day, to_day) t;
INSERT INTO quota VALUES ('revenue', '2021-01-01 00:00Z', '2021-04-01 00:00Z', 90, NULL, NULL, NULL, NULL);
SELECT t.* FROM kpi_target_value('revenue', '2021-03-01', '2021-03-11') t;	-- a share of the quarter
-- many at once: only those that have one
SELECT kpi, member, period, value, warn_at, how FROM kpi_target_values('{revenue,leads,profit_margin,emails}', 'total', '{""}', '{2026-02-01,2023-03-01}', '{2026-03-01,2023-04-01}')
 ORDER BY kpi COLLATE "C", period;

-- one who may not read the source sees those of kpi_target
CREATE ROLE regress_salkpi_reader;
GRANT USAGE ON SCHEMA kpi TO regress_salkpi_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA kpi TO regress_salkpi_reader;
REVOKE ALL ON quota FROM regress_salkpi_reader;
SET LOCAL ROLE regress_salkpi_reader;
SELECT kpi, period, t.value FROM (VALUES ('revenue', '2026-02-01'::date), ('leads', '2026-02-01')) v(kpi, period),
	LATERAL kpi_target_value(kpi, period, (period + interval '1 month')::date) t;
RESET ROLE;

-- ---------- rounding ----------
SELECT kpi_quotient(2, 3), kpi_quotient(-2, 3), kpi_quotient(1, -8, 2), kpi_quotient(5, 1000, 2), kpi_quotient(-5, 1000, 2), kpi_quotient(1, 0), kpi_quotient(NULL, 1);
SELECT kpi_quotient(1, 'Infinity') AS none, kpi_quotient(-1, '-Infinity', 2) AS either, kpi_quotient('Infinity', -2) AS infinite, kpi_quotient('Infinity', 'Infinity') AS undefined;
ROLLBACK;

-- A target of its own is the one piece of a month, whatever else lies around it.
BEGIN;
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('calls', '2031-01-01', '2032-01-01', 365), ('calls', '2031-02-01', '2031-03-01', 30);
SELECT period, value, how, cardinality(pieces) AS pieces, (pieces[1].target).from_day, (pieces[1].target).to_day, pieces[1].value AS of_it
FROM kpi_target_values('{calls}', 'total', '{""}', '{2031-02-01,2031-03-01}', '{2031-03-01,2031-04-01}');
ROLLBACK;
