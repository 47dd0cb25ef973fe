-- Working days: counted, spread over, and paced by; targets in other currencies.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
\set VERBOSITY terse
BEGIN;

-- ---------- counting ----------
INSERT INTO kpi_holiday VALUES ('2026-01-01', 'New Year'), ('2026-05-01', 'Labour Day'), ('2026-05-03', 'a Sunday'), ('2026-12-25', NULL);
INSERT INTO kpi_holiday VALUES ('infinity');
INSERT INTO kpi_holiday VALUES ('2026-05-01', 'twice');
SELECT kpi_working_days('2026-05-01', '2026-06-01') AS may, kpi_working_days('2026-01-01', '2027-01-01') AS year,
	   kpi_working_days('2026-05-02', '2026-05-04') AS weekend, kpi_working_days('2026-05-04', '2026-05-04') AS none, kpi_working_days('2026-05-09', '2026-05-04') AS backwards;
-- against a count of days, for other weeks too
CREATE FUNCTION pg_temp.wrong(days text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kpi_set('working_days', days);
	RETURN (SELECT count(*) FROM (SELECT date '2025-11-20' + i AS a, date '2025-11-20' + i + i * 37 % 430 AS b FROM generate_series(0, 400, 7) i) r
			 WHERE kpi_working_days(r.a, r.b) <> (
				SELECT count(*) FROM generate_series(r.a::timestamp, r.b - 1, '1 day') d
				 WHERE extract(isodow FROM d)::text = ANY (string_to_array(days, ',')) AND d::date NOT IN (SELECT day FROM kpi_holiday)));
END $$;
SELECT days, pg_temp.wrong(days) FROM unnest('{"1,2,3,4,5","7,1,2,3,4","6","1,2,3,4,5,6,7","5,5,5"}'::text[]) WITH ORDINALITY u(days, n) ORDER BY n;
SELECT kpi_set('working_days', '0');
SELECT kpi_set('working_days', NULL);
SELECT kpi_set('target_days', 'some');

-- ---------- spreading ----------
-- three of five working days, rounded, and the rest of the whole, whatever its decimals
SELECT kpi_spread_share(true, 0.1234567890123456, '2026-06-01', '2026-06-06', '2026-06-01', '2026-06-04') AS three_days,
	kpi_spread_share(true, 0.1234567890123456, '2026-06-01', '2026-06-06', '2026-06-04', '2026-06-06') AS two_days;
INSERT INTO kpi_target (kpi, from_day, to_day, value, warn_at) VALUES ('revenue', '2026-01-01', '2027-01-01', 1000, 800);
-- by all days, as before
SELECT value, warn_at, how FROM kpi_target_value('revenue', '2026-05-01', '2026-06-01');
SELECT kpi_set('target_days', 'working');
-- by working days: the difference of cumulative shares rounded to 12 decimals
WITH month AS (
	SELECT m::date AS period, (m + interval '1 month')::date AS period_end FROM generate_series('2026-01-01'::timestamp, '2026-12-01', '1 month') m
), day AS (
	SELECT d::date AS day FROM generate_series('2026-01-01'::timestamp, '2026-12-31', '1 day') d
	 WHERE extract(isodow FROM d) < 6 AND d::date NOT IN (SELECT day FROM kpi_holiday)
), expected AS (
	SELECT m.*, round(1000 * (SELECT count(*) FROM day WHERE day < period_end) / (SELECT count(*)::numeric(60,30) FROM day), 12)
			  - round(1000 * (SELECT count(*) FROM day WHERE day < period) / (SELECT count(*)::numeric(60,30) FROM day), 12) AS value FROM month m
)
SELECT count(*), count(*) FILTER (WHERE t.value <> e.value) AS wrong, count(DISTINCT e.value) > 1 AS differ, sum(t.value), sum(t.warn_at), min(t.how)
  FROM expected e, kpi_target_value('revenue', e.period, e.period_end) t;
-- a weekend has none of it, unless the target is for a weekend
SELECT value FROM kpi_target_value('revenue', '2026-05-02', '2026-05-04');
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('leads', '2026-05-02', '2026-05-04', 10);
SELECT value FROM kpi_target_value('leads', '2026-05-02', '2026-05-03');
-- what is no sum holds
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('win_rate', '2026-01-01', '2027-01-01', 30), ('mrr', '2026-01-01', '2027-01-01', 500), ('arr', '2026-01-01', '2027-01-01', 6000);
SELECT kpi, value, how FROM kpi_target_values('{win_rate,mrr,arr}', 'total', '{""}', '{2026-05-01}', '{2026-06-01}') ORDER BY kpi;

-- ---------- pacing ----------
-- May 2026 after its 13th: 8 of 20 working days (the 1st is a holiday), 13 of 31 days
INSERT INTO kpi_fact (grain, period, period_end, dimension, member, recorded_at, run, is_complete, days, revenue, won_deals, lost_deals, purchases, leads)
VALUES ('month', '2026-05-01', '2026-06-01', 'total', '', '2026-05-13 12:00Z', 1, false, 13, 60, 3, 9, 7, 5),
	   ('month', '2026-04-01', '2026-05-01', 'total', '', '2026-05-01 12:00Z', 1, true, 30, 90, 1, 1, 7, 5),
	   ('month', '2026-05-01', '2026-06-01', 'rep', '(none)', '2026-05-13 12:00Z', 1, false, 13, 0, 0, 0, 0, 0),
	   ('month', '2026-05-01', '2026-06-01', 'rep', 'r1', '2026-05-13 12:00Z', 1, false, 13, 20, 1, 2, 2, 2),
	   ('month', '2026-05-01', '2026-06-01', 'rep', 'r2', '2026-05-13 12:00Z', 1, false, 13, 40, 2, 7, 5, 3);
DELETE FROM kpi_target;
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value, warn_at) VALUES
	('revenue', 'total', '', '2026-05-01', '2026-06-01', 100, 80), ('revenue', 'total', '', '2026-04-01', '2026-05-01', 100, 80),
	('win_rate', 'total', '', '2026-01-01', '2027-01-01', 30, 20), ('purchases', 'total', '', '2026-05-01', '2026-06-01', 10, NULL),
	('revenue', 'rep', 'r1', '2026-05-01', '2026-06-01', 60, NULL), ('revenue', 'rep', 'r2', '2026-05-01', '2026-06-01', 40, NULL);
CREATE TEMP VIEW paced AS
SELECT kpi, value, target, attainment, status, pace FROM kpi_report('2026-05-01', selection => 'measures') WHERE target IS NOT NULL
UNION ALL SELECT kpi, value, target, attainment, status, pace FROM kpi_report('2026-05-01') WHERE target IS NOT NULL;
SELECT *, pace = round(CASE kpi WHEN 'revenue' THEN 100 * 60 / (100 * 8 / 20.0) WHEN 'win_rate' THEN 100 * 25 / 30.0::numeric(60,30) END, 16) AS agrees FROM paced ORDER BY kpi;
SELECT kpi_set('target_days', 'calendar');
SELECT *, pace = round(CASE kpi WHEN 'revenue' THEN 100 * 60 / round(100 * 13 / 31::numeric(60,30), 12) WHEN 'win_rate' THEN 100 * 25 / 30.0::numeric(60,30) END, 16) AS agrees FROM paced ORDER BY kpi;
-- a complete month's pace is its attainment; series, ranking and merged line say the same
SELECT "time", value, target, attainment, status, pace = attainment AS is_attainment FROM kpi_series('revenue', '2026-04-01', '2026-06-01') ORDER BY 1;
SELECT rank, member, value, target, attainment, status, round(pace, 4) AS pace FROM kpi_ranking('revenue', '2026-05-01');
SELECT member, value, target, attainment, status, round(pace, 4) AS pace FROM kpi_merged_series('revenue', '2026-05-01', '2026-06-01', 'month', 'rep', '{r1,r2}');
-- nothing is asked for yet on the first day, a holiday
SELECT kpi_set('target_days', 'working');
UPDATE kpi_fact SET days = 1 WHERE NOT is_complete;
SELECT kpi, value, target, pace FROM paced WHERE kpi = 'revenue';

-- ---------- other currencies ----------
SELECT kpi_set('target_days', NULL);
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value, currency) VALUES ('revenue', 'region', 'US', '2026-05-01', '2026-06-01', 100, 'USD');
CREATE TABLE fx (currency text, valid_on date, rate numeric);
INSERT INTO fx VALUES ('USD', '2026-04-20', 0.9), ('USD', '2026-05-01', 0.8), ('USD', '2026-05-10', 0.7), ('USD', '2026-05-12', 'NaN'), ('CHF', '2026-05-02', 1.1);
SELECT count(*) FROM kpi_bind('exchange_rate', 'fx');
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value, currency) VALUES ('revenue', 'region', 'CH', '2026-05-01', '2026-06-01', 100, 'CHF');
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value, currency) VALUES ('win_rate', 'region', 'US', '2026-05-01', '2026-06-01', 100, 'USD');
-- imported as a file is: with a header, by COPY
COPY kpi_target (kpi, dimension, member, from_day, to_day, value, currency, warn_at, rate) FROM stdin WITH (FORMAT csv, HEADER);
kpi,dimension,member,from_day,to_day,value,currency,warn_at,rate
revenue,region,US,2026-05-01,2026-06-01,100,USD,50,
revenue,region,US,2026-07-01,2026-08-01,100,USD,,
revenue,region,CH,2026-05-01,2026-06-01,100,CHF,,1.2
revenue,region,DE,2026-05-01,2026-06-01,100,EUR,,
\.
COPY kpi_target (kpi, from_day, to_day, value) FROM stdin WITH (FORMAT csv);
revenue,2026-05-02,2026-06-01,100
\.
SELECT member, from_day, value, currency, rate FROM kpi_target WHERE dimension = 'region' ORDER BY member, from_day;
SELECT member, value, warn_at, how FROM kpi_target_values('{revenue}', 'region', '{US,CH,DE}', '{2026-05-01}', '{2026-06-01}') ORDER BY member;
-- a rate is kept when rates change, and looked up anew for another day or currency
UPDATE fx SET rate = 5;
UPDATE kpi_target SET value = 200 WHERE member = 'US' AND from_day = '2026-05-01';
UPDATE kpi_target SET from_day = '2026-07-02' WHERE member = 'US' AND from_day = '2026-07-01';
UPDATE kpi_target SET currency = NULL WHERE member = 'CH';
SELECT member, from_day, value, currency, rate FROM kpi_target WHERE dimension = 'region' ORDER BY member, from_day;
-- a bound source: at the rate of its first day, where one is known
CREATE TABLE quota (kpi text, from_day date, to_day date, value numeric, dimension text, member text, currency text, warn_at numeric);
INSERT INTO quota VALUES ('revenue', '2026-05-01', '2026-06-01', 10, 'team', 'A', 'USD', 8), ('revenue', '2026-05-01', '2026-06-01', 10, 'team', 'B', 'CHF', 8),
	('win_rate', '2026-05-01', '2026-06-01', 10, 'team', 'A', 'USD', 8);
SELECT count(*) FROM kpi_bind('target', 'quota');
SELECT kpi, member, value, warn_at, how FROM kpi_target_values('{revenue,win_rate}', 'team', '{A,B}', '{2026-05-01}', '{2026-06-01}') ORDER BY kpi, member;
-- another reporting currency: rates are for it
SELECT kpi_set('currency', 'CHF', rebuild => true);
DELETE FROM fx WHERE currency = 'CHF';
SELECT kpi_set('currency', 'CHF', rebuild => true);
SELECT kpi_set('currency', 'USD');
SELECT member, currency, rate FROM kpi_target WHERE dimension = 'region' ORDER BY member, from_day;
ROLLBACK;
