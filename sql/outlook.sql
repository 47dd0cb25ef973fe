-- Will we make it?  Against plain SQL over the same deals.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
SET client_min_messages = warning;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;
CREATE TABLE people (id text, name text, team text, active_from date);
INSERT INTO people VALUES ('a', 'Ada', 'North', '2025-01-01'), ('b', 'Bob', 'North', '2025-01-01'), ('c', 'Cy', 'South', '2025-01-01'), ('d', 'Dee', 'South', '2026-05-01');
-- Seen at noon of 13 May 2026.  Some deals have no amount, no probability, no expected close or no owner.
CREATE TABLE deals AS
SELECT n AS id, CASE n % 5 WHEN 0 THEN 'won' WHEN 1 THEN 'lost' ELSE 'open' END AS status, date '2025-12-01' + n % 140 AS created_at,
	   CASE WHEN n % 5 < 2 THEN date '2026-01-01' + n * 7 % 132 END AS closed_at,
	   CASE WHEN n % 17 > 0 THEN 100 + n * 31 % 900 END::numeric AS amount, CASE WHEN n % 13 > 0 THEN (n * 3 % 10) / 10.0 END AS probability,
	   CASE WHEN n % 5 >= 2 AND n % 11 > 0 THEN date '2026-03-20' + n * 11 % 140 END AS expected_close,
	   CASE n % 4 WHEN 0 THEN 'a' WHEN 1 THEN 'b' WHEN 2 THEN 'c' END AS rep_id
  FROM generate_series(1, 600) n;
CREATE TABLE orders AS
SELECT n AS sale_id, date '2026-01-01' + n * 5 % 132 AS sold_at, 50 + n % 70 AS amount, CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'c' END AS rep_id FROM generate_series(1, 300) n;
SELECT count(*) FROM kpi_bind('rep', 'people');
SELECT count(*) FROM kpi_bind('opportunity', 'deals');
SELECT count(*) FROM kpi_bind('sale', 'orders');
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value, warn_at) VALUES
	('won_value', 'total', '', '2026-04-01', '2026-07-01', 75000, 70000), ('won_value', 'total', '', '2026-01-01', '2026-04-01', 10000, NULL),
	('won_value', 'rep', 'a', '2026-04-01', '2026-07-01', 12000, 11000), ('won_value', 'rep', 'b', '2026-04-01', '2026-07-01', 25000, NULL),
	('won_value', 'rep', 'c', '2026-04-01', '2026-07-01', 500, NULL), ('won_value', 'rep', 'z', '2026-04-01', '2026-07-01', 5000, NULL),
	('won_value', 'team', 'North', '2026-04-01', '2026-07-01', 35541.8, 20000),
	('revenue', 'rep', 'a', '2026-04-01', '2026-05-01', 500, NULL), ('revenue', 'rep', 'b', '2026-04-01', '2026-05-01', 5000, 1), ('revenue', 'rep', 'd', '2026-04-01', '2026-05-01', 5, NULL),
	('revenue', 'rep', 'z', '2026-04-01', '2026-05-01', 5, NULL), ('revenue', 'rep', 'a', '2026-05-01', '2026-06-01', 50, NULL);
SELECT outcome FROM kpi_snapshot('2026-01-01', NULL, '2026-05-13 12:00Z');

CREATE TABLE expected AS
WITH period AS (
	SELECT * FROM (VALUES ('month', '2026-05-01'::date, '2026-06-01'::date, false), ('quarter', '2026-04-01', '2026-07-01', false), ('quarter', '2026-01-01', '2026-04-01', true)) p(grain, period, period_end, is_complete)
), deal AS (
	SELECT d.*, m.dimension, m.member FROM deals d LEFT JOIN people r ON r.id = d.rep_id,
		   LATERAL (VALUES ('total', ''), ('rep', coalesce(d.rep_id, '(none)')), ('team', coalesce(r.team, '(none)'))) m(dimension, member)
), made AS (
	SELECT p.*, d.dimension, d.member, coalesce(sum(d.amount) FILTER (WHERE d.status = 'won' AND d.closed_at >= period AND d.closed_at < period_end AND d.closed_at <= '2026-05-13'), 0) AS won,
		   CASE WHEN is_complete THEN 0 ELSE coalesce(sum(d.amount) FILTER (WHERE d.status = 'open' AND d.expected_close >= period AND d.expected_close < period_end), 0) END AS closing,
		   CASE WHEN is_complete THEN 0 ELSE coalesce(sum(d.amount * d.probability) FILTER (WHERE d.status = 'open' AND d.expected_close >= period AND d.expected_close < period_end), 0) END AS weighted
	  FROM period p, deal d GROUP BY p.grain, p.period, p.period_end, p.is_complete, d.dimension, d.member
)
SELECT m.*, t.value AS target, CASE WHEN t.value IS NULL THEN 'none' WHEN won + weighted >= t.value THEN 'met' WHEN won + weighted >= t.warn_at THEN 'near' ELSE 'missed' END AS status
  FROM made m LEFT JOIN kpi_target t ON t.kpi = 'won_value' AND t.dimension = m.dimension AND t.member = m.member AND t.from_day = m.period AND t.to_day = m.period_end;
SELECT grain, period, dimension, count(*), count(*) FILTER (WHERE o.member IS NULL OR (o.won, o.closing, o.weighted, o.expected, o.is_complete) IS DISTINCT FROM (e.won, e.closing, e.weighted, e.won + e.weighted, e.is_complete)) AS wrong,
	   bool_or(e.won > 0) AS some_won, bool_or(e.weighted > 0) AS some_expected, bool_and(o.reason IS NOT DISTINCT FROM CASE WHEN o.target IS NULL THEN 'no target' END) AS reasons
  FROM expected e LEFT JOIN LATERAL (SELECT * FROM kpi_outlook(e.period, e.grain, e.dimension, as_of => '2026-05-13 12:00Z')) o ON o.member = e.member
 GROUP BY grain, period, dimension ORDER BY grain, period, dimension;
-- against the targets; the one who is not even on the roster has one too
SELECT dimension, o.member, o.label, o.target, o.status, o.gap = e.target - e.won - e.weighted AS gap, o.coverage IS NOT DISTINCT FROM CASE WHEN e.target > e.won THEN round(e.closing::numeric(60,30) / (e.target - e.won), 16) END AS coverage,
	   o.coverage IS NULL AS is_won, o.attainment = round(100 * (e.won + e.weighted)::numeric(60,30) / e.target, 16) AS attainment, (o.target, o.status) = (e.target, e.status) AS agrees
  FROM (VALUES ('total'), ('rep'), ('team')) d(dimension) CROSS JOIN LATERAL kpi_outlook('2026-05-13', dimension => d.dimension) o
  LEFT JOIN expected e USING (dimension, member) WHERE o.target IS NOT NULL AND coalesce(e.period, '2026-04-01') = '2026-04-01' ORDER BY dimension, o.gap DESC;
-- the widest gap first; as listed; the KPI pipeline_coverage is the same
SELECT member, gap IS NULL AS no_target, reason FROM kpi_outlook('2026-05-13', dimension => 'rep', lang => 'de');
SELECT member, won, target, status FROM kpi_outlook('2026-05-13', dimension => 'rep', members => '{z,z,nobody,(none)}');
SELECT kpi_value('pipeline_coverage', '2026-05-13', grain => 'quarter') = coverage AS total,
	   (SELECT count(*) FILTER (WHERE kpi_value('pipeline_coverage', '2026-05-13', 'rep', r.member, 'quarter') IS DISTINCT FROM r.coverage) FROM kpi_outlook('2026-05-13', dimension => 'rep') r WHERE r.target IS NOT NULL) AS reps_wrong
  FROM kpi_outlook('2026-05-13');
-- no day: the quarter that was running then
SELECT o.won = t.won AS agrees FROM kpi_outlook(as_of => '2026-05-13 12:00Z') o, kpi_outlook('2026-05-13') t;
SELECT reason FROM kpi_report('2026-05-13', 'quarter', 'rep', 'c') WHERE kpi = 'pipeline_coverage';
-- revenue instead of won deals
SELECT member, won = (SELECT sum(amount) FROM orders WHERE rep_id = o.member AND sold_at >= '2026-05-01' AND sold_at <= '2026-05-13') AS won, expected = won + weighted AS expected, target, status
  FROM kpi_outlook('2026-05-13', 'month', 'rep', kpi => 'revenue') o WHERE target IS NOT NULL;

-- ---------- reps at target ----------
-- April: a beyond, b near, d and z without a sale
SELECT rep_id, sum(amount) FROM orders WHERE sold_at >= '2026-04-01' AND sold_at < '2026-05-01' GROUP BY rep_id ORDER BY 1;
SELECT * FROM kpi_reps_at_target('2026-04-01');
SELECT * FROM kpi_reps_at_target(kpi => 'won_value', period => '2026-05-13', grain => 'quarter');
SELECT * FROM kpi_reps_at_target('2026-03-01');
SELECT * FROM kpi_reps_at_target('2020-03-01');
-- a target in a bound source counts
CREATE TABLE quota (kpi text, from_day date, to_day date, value numeric, dimension text, member text);
INSERT INTO quota VALUES ('revenue', '2026-04-01', '2026-05-01', 1, 'rep', 'c'), ('revenue', '2026-04-01', '2026-05-01', 1, 'rep', 'b');
SELECT count(*) FROM kpi_bind('target', 'quota');
SELECT * FROM kpi_reps_at_target('2026-04-01');

-- ---------- what cannot be asked, and what is not known ----------
SELECT * FROM kpi_outlook(kpi => 'win_rate');
SELECT * FROM kpi_outlook(kpi => 'won_deals');
SELECT * FROM kpi_outlook(kpi => 'none');
SELECT * FROM kpi_outlook(grain => 'decade');
SELECT * FROM kpi_outlook(dimension => 'rep', members => '{""}');
SELECT * FROM kpi_reps_at_target(kpi => 'none');
SELECT count(*) FROM kpi_outlook('2020-01-01');
SELECT kpi_unbind('opportunity');
SELECT outcome FROM kpi_snapshot('2026-01-01', NULL, '2026-05-13 13:00Z');
SELECT member, won, closing, expected, target, gap, status, reason FROM kpi_outlook('2026-05-13');
SELECT won > 0 AS won, closing, expected, target, gap, status, reason FROM kpi_outlook('2026-05-13', kpi => 'revenue');
ROLLBACK;
