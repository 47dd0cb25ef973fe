-- Alerts: who crossed a target or a warning level, against plain SQL.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
SET client_min_messages = warning;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;
CREATE TABLE sales AS
SELECT n AS sale_id, date '2026-04-01' + n * 7 % 80 AS sold_at, (20 + n * 13 % 50)::numeric AS amount, CASE n % 4 WHEN 0 THEN 'a' WHEN 1 THEN 'b' WHEN 2 THEN 'c' END AS rep_id FROM generate_series(1, 200) n;
CREATE TABLE deals AS
SELECT n AS id, 'lost' AS status, date '2026-04-01' + n * 3 % 80 AS closed_at, CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END AS rep_id FROM generate_series(1, 90) n;
-- a sale is known five days later, in April nine
CREATE FUNCTION today() RETURNS date LANGUAGE sql STABLE AS $$ SELECT current_setting('test.today')::date $$;
SELECT set_config('test.today', '2026-04-01', true);
CREATE VIEW known_sales AS SELECT * FROM sales WHERE sold_at + CASE WHEN sold_at < '2026-05-01' THEN 9 ELSE 5 END <= today();
CREATE VIEW known_deals AS SELECT * FROM deals WHERE closed_at <= today();
SELECT count(*) FROM kpi_bind('sale', 'known_sales');
SELECT count(*) FROM kpi_bind('opportunity', 'known_deals');
SELECT kpi_set('grains', 'month,quarter');
-- lost deals are better when they are few; the target of c comes from a bound source
CREATE TABLE wanted AS
SELECT v.kpi, v.dimension, v.member, p.period, p.period_end, p.grain, v.value * p.factor AS value, v.warn_at * p.factor AS warn_at
  FROM (VALUES ('revenue', 'total', '', 2900, 2300), ('revenue', 'rep', 'a', 700, 500), ('revenue', 'rep', 'b', 760, NULL), ('revenue', 'rep', 'c', 900, 400),
			   ('lost_deals', 'total', '', 20, 32), ('lost_deals', 'rep', 'b', 6, 10)) v(kpi, dimension, member, value, warn_at),
	   (VALUES ('month', date '2026-04-01', date '2026-05-01', 1.0), ('month', '2026-05-01', '2026-06-01', 1), ('month', '2026-06-01', '2026-07-01', 0.5), ('quarter', '2026-04-01', '2026-07-01', 2.4)) p(grain, period, period_end, factor);
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value, warn_at) SELECT kpi, dimension, member, period, period_end, value, warn_at FROM wanted WHERE member <> 'c';
CREATE TABLE quota AS SELECT kpi, dimension, member, period AS from_day, period_end AS to_day, value, warn_at FROM wanted WHERE member = 'c';
SELECT count(*) FROM kpi_bind('target', 'quota');

CREATE TABLE told (run bigint, day date, kpi text, dimension text, member text, grain text, period date, value numeric, target numeric, status text);
CREATE FUNCTION take(day date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	taken record;
BEGIN
	PERFORM set_config('test.today', day::text, true);
	SELECT * INTO taken FROM kpi_snapshot('2026-04-01', NULL, day::timestamp AT TIME ZONE 'UTC' + interval '12 hours');
	INSERT INTO told
	SELECT taken.run, day, w.kpi, w.dimension, w.member, w.grain, w.period, x.value, w.value,
		   CASE WHEN CASE w.kpi WHEN 'revenue' THEN x.value >= w.value ELSE x.value <= w.value END THEN 'met' WHEN CASE w.kpi WHEN 'revenue' THEN x.value >= w.warn_at ELSE x.value <= w.warn_at END THEN 'near' ELSE 'missed' END
	  FROM wanted w,
		   LATERAL (SELECT CASE w.kpi WHEN 'revenue' THEN (SELECT coalesce(sum(amount), 0) FROM known_sales s WHERE s.sold_at >= w.period AND s.sold_at < w.period_end AND s.sold_at <= day AND w.member IN ('', s.rep_id))
									  ELSE (SELECT count(*) FROM known_deals d WHERE d.closed_at >= w.period AND d.closed_at < w.period_end AND w.member IN ('', d.rep_id)) END AS value) x
	 WHERE w.period <= day;
	RETURN taken.outcome;
END $$;
SELECT day, take(day) FROM unnest('{2026-04-20,2026-05-03,2026-05-25,2026-05-26,2026-06-04,2026-06-20}'::date[]) day;
CREATE TABLE expected AS
SELECT t.run, t.kpi, t.dimension, t.member, t.grain, t.period, b.status AS from_status, t.status AS to_status, t.value, t.target
  FROM told t JOIN LATERAL (SELECT b.* FROM told b WHERE (b.kpi, b.dimension, b.member, b.grain, b.period) = (t.kpi, t.dimension, t.member, t.grain, t.period) AND b.day < t.day ORDER BY b.day DESC LIMIT 1) b ON b.status <> t.status;
SELECT kpi, from_status, to_status, count(*) FROM expected GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT count(*) FILTER (WHERE a.run IS NULL) AS missing, count(*) FILTER (WHERE e.run IS NULL) AS invented, count(*) AS matched
  FROM (SELECT * FROM expected) e FULL JOIN kpi_alert a ON (a.run, a.kpi, a.dimension, a.member, a.grain, a.period, a.from_status, a.to_status, a.value, a.target) = (e.run, e.kpi, e.dimension, e.member, e.grain, e.period, e.from_status, e.to_status, e.value, e.target);
-- a closed month, the rep with the bound target, and the total are among them; the first snapshot has none, nor one that found nothing new
SELECT bool_or(a.period = '2026-04-01' AND a.grain = 'month' AND r.as_of > '2026-05-01Z') AS closed_month, bool_or(member = 'c') AS bound_target, bool_or(dimension = 'total') AS total, bool_or(a.run = (SELECT min(run) FROM kpi_run)) AS first
  FROM kpi_alert a JOIN kpi_run r USING (run);
SELECT outcome, changed FROM kpi_snapshot('2026-04-01', NULL, '2026-06-20 13:00Z');
SELECT count(*) FROM kpi_alert WHERE run = (SELECT max(run) FROM kpi_run);

-- who has nothing at all any more, so no facts, has missed it
INSERT INTO sales VALUES (201, '2026-06-02', 150, 'd');
INSERT INTO quota VALUES ('revenue', 'rep', 'd', '2026-06-01', '2026-07-01', 100);
SELECT outcome FROM kpi_snapshot('2026-04-01', NULL, '2026-06-20 13:20Z');
UPDATE sales SET rep_id = 'c' WHERE sale_id = 201;
SELECT outcome FROM kpi_snapshot('2026-04-01', NULL, '2026-06-20 13:30Z');
SELECT grain, period, from_status, to_status, value, target FROM kpi_alert WHERE member = 'd' ORDER BY run;
DELETE FROM sales WHERE sale_id = 201;
SELECT outcome FROM kpi_snapshot('2026-04-01', NULL, '2026-06-20 13:40Z');

-- a formula that looks back: April's facts make May's growth
SELECT kpi_define('grown', 'revenue - prior(revenue)', 'money', 'up', 'Grown');
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('grown', '2026-05-01', '2026-06-01', 500);
SELECT value, status FROM kpi_report('2026-05-01') WHERE kpi = 'grown';
UPDATE sales SET amount = amount - 20 WHERE sold_at < '2026-05-01';
SELECT outcome FROM kpi_snapshot('2026-04-01', NULL, '2026-06-20 14:00Z');
SELECT grain, period, from_status, to_status FROM kpi_alert WHERE kpi = 'grown';
-- a target of a KPI that is no more is passed over
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('grown', '2026-06-01', '2026-07-01', 1);
SELECT kpi_undefine('grown');
UPDATE sales SET amount = amount + 20 WHERE sold_at < '2026-05-01';
SELECT outcome FROM kpi_snapshot('2026-04-01', NULL, '2026-06-20 15:00Z');
SELECT count(*) FROM kpi_alert WHERE run = (SELECT max(run) FROM kpi_run) AND kpi = 'grown';
ROLLBACK;
