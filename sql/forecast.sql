-- Forecast and outcome, for a CRM that keeps no history, against plain SQL
-- over what its deals were at each moment.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
SET client_min_messages = warning;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;
-- Each deal is planned for plan_1 and, from the day moved_on, for plan_2; it
-- closes on closed_on or never.  The CRM shows what it is now alone.
CREATE TABLE truth AS
SELECT n AS id, date '2025-12-20' + n % 50 AS created_on, date '2026-01-05' + n * 7 % 90 AS plan_1, date '2026-01-05' + n * 7 % 90 + n % 4 * 15 AS plan_2,
	   date '2026-01-02' + n * 5 % 70 AS moved_on, CASE WHEN n % 5 > 0 THEN date '2026-01-03' + n * 11 % 100 END AS closed_on, n % 3 > 0 AS is_won,
	   CASE WHEN n % 19 > 0 THEN 100.0 + n * 37 % 500 END AS amount, (n * 3 % 10) / 10.0 AS probability, CASE n % 4 WHEN 0 THEN 'a' WHEN 1 THEN 'b' WHEN 2 THEN 'c' END AS rep_id,
	   CASE WHEN n % 6 = 0 THEN 'USD' END AS currency
  FROM generate_series(1, 400) n;
CREATE FUNCTION today() RETURNS date LANGUAGE sql STABLE AS $$ SELECT current_setting('test.today')::date $$;
SELECT set_config('test.today', '2026-01-01', true);
CREATE VIEW deals AS
SELECT id, created_on AS created_at, CASE WHEN closed_on < today() THEN CASE WHEN is_won THEN 'won' ELSE 'lost' END ELSE 'open' END AS status,
	   CASE WHEN closed_on < today() THEN closed_on END AS closed_at, CASE WHEN moved_on < today() THEN plan_2 ELSE plan_1 END AS expected_close, amount, probability, rep_id, currency
  FROM truth WHERE created_on < today();
CREATE TABLE fx (currency text, valid_on date, rate numeric);
INSERT INTO fx VALUES ('USD', '2025-01-01', 0.5), ('USD', '2026-02-10', 0.25);
-- b changes teams in February
CREATE TABLE people (id text, name text, team text, valid_from date, valid_to date);
INSERT INTO people VALUES ('a', 'Ada', 'North', NULL, NULL), ('b', 'Bob', 'North', NULL, '2026-02-15'), ('b', 'Bob', 'South', '2026-02-15', NULL), ('c', 'Cy', 'South', NULL, NULL);
SELECT count(*) FROM kpi_bind('opportunity', 'deals');
SELECT count(*) FROM kpi_bind('exchange_rate', 'fx');
SELECT count(*) FROM kpi_bind('rep', 'people');
SELECT kpi_set('grains', 'month,quarter');

-- What is known at the start of 2 January, 3, 10 and 20 February, 12 March (too late for March) and 1 April.
CREATE TABLE kept AS SELECT NULL::date AS taken, d.*, NULL::text AS team FROM deals d WHERE false;
CREATE FUNCTION take(day date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	PERFORM set_config('test.today', day::text, true);
	SELECT outcome INTO told FROM kpi_snapshot('2026-01-01', NULL, day::timestamp AT TIME ZONE 'UTC' + interval '1 hour');
	INSERT INTO kept SELECT day, d.*, p.team FROM deals d LEFT JOIN people p ON p.id = d.rep_id AND (p.valid_from <= day) IS NOT FALSE AND (p.valid_to > day) IS NOT FALSE;
	RETURN told;
END $$;
SELECT day, take(day) FROM unnest('{2026-01-02,2026-02-03,2026-02-10,2026-02-20,2026-03-12,2026-04-01}'::date[]) day;
-- kept are the deals of the first snapshot of each period, alike in number and amount with its facts
SELECT e.grain, e.period, r.as_of, count(*), sum(e.amount) = f.pipeline_closing AND count(*) = f.closing_opportunities AS agrees
  FROM kpi_expected e JOIN kpi_run r USING (run) JOIN kpi_fact f ON (f.grain, f.period, f.dimension, f.recorded_at) = (e.grain, e.period, 'total', r.as_of)
 GROUP BY e.grain, e.period, r.as_of, f.pipeline_closing, f.closing_opportunities ORDER BY 1, 2;
SELECT count(*) AS teams, count(*) FILTER (WHERE e.amount IS DISTINCT FROM f.pipeline_closing) AS wrong
  FROM (SELECT grain, period, run, members ->> 'team' AS member, sum(amount) AS amount FROM kpi_expected GROUP BY 1, 2, 3, 4) e
  JOIN kpi_run r USING (run) JOIN kpi_fact f ON (f.grain, f.period, f.dimension, f.member, f.recorded_at) = (e.grain, e.period, 'team', e.member, r.as_of);

CREATE TABLE expected AS
WITH period AS (
	SELECT * FROM (VALUES ('month', date '2026-01-01', date '2026-02-01', date '2026-01-02'), ('month', '2026-02-01', '2026-03-01', '2026-02-03'), ('quarter', '2026-01-01', '2026-04-01', '2026-01-02')) p(grain, period, period_end, taken)
), deal AS (
	SELECT k.*, m.dimension, m.member, coalesce(k.amount, 0) * CASE k.currency WHEN 'USD' THEN 0.5 ELSE 1 END AS money FROM kept k,
		   LATERAL (VALUES ('total', ''), ('rep', coalesce(k.rep_id, '(none)')), ('team', coalesce(k.team, '(none)'))) m(dimension, member)
), made AS (
	SELECT p.*, d.dimension, d.member, coalesce(sum(money) FILTER (WHERE d.status = 'won' AND d.closed_at >= period), 0) AS won,
		   coalesce(sum(money * d.probability) FILTER (WHERE d.status = 'open' AND d.expected_close >= period AND d.expected_close < period_end), 0) AS weighted,
		   sum(money) FILTER (WHERE d.status = 'open' AND d.expected_close >= period AND d.expected_close < period_end) AS expected,
		   coalesce(sum(money) FILTER (WHERE d.status = 'open' AND d.expected_close >= period AND d.expected_close < period_end AND coalesce(t.closed_on >= period_end, true)), 0) AS slipped
	  FROM period p JOIN deal d ON d.taken = p.taken JOIN truth t USING (id) GROUP BY p.grain, p.period, p.period_end, p.taken, d.dimension, d.member
), actual AS (	-- at the rates of the day each was won
	SELECT p.grain, p.period, m.dimension, m.member, sum(coalesce(t.amount, 0) * CASE WHEN t.currency = 'USD' THEN CASE WHEN closed_on < '2026-02-10' THEN 0.5 ELSE 0.25 END ELSE 1 END) AS actual
	  FROM period p JOIN truth t ON t.is_won AND t.closed_on >= p.period AND t.closed_on < p.period_end LEFT JOIN people r ON r.id = t.rep_id AND (r.valid_from <= t.closed_on) IS NOT FALSE AND (r.valid_to > t.closed_on) IS NOT FALSE,
		   LATERAL (VALUES ('total', ''), ('rep', coalesce(t.rep_id, '(none)')), ('team', coalesce(r.team, '(none)'))) m(dimension, member)
	 GROUP BY p.grain, p.period, m.dimension, m.member
)
SELECT m.*, coalesce(a.actual, 0) AS actual FROM made m LEFT JOIN actual a USING (grain, period, dimension, member);
CREATE TEMP VIEW told AS
SELECT g.grain, d.dimension, (f."time" AT TIME ZONE 'UTC')::date AS period, f.* FROM unnest('{month,quarter}'::text[]) g(grain), unnest('{total,rep,team}'::text[]) d(dimension), kpi_forecast('2026-01-01', NULL, g.grain, d.dimension) f;
SELECT e.grain, e.dimension, count(*), count(*) FILTER (WHERE (t.won, t.weighted, t.forecast, t.actual) IS DISTINCT FROM (e.won, e.weighted, e.won + e.weighted, e.actual)) AS wrong,
	   count(*) FILTER (WHERE t.accuracy IS DISTINCT FROM 100 - round(100 * abs(e.won + e.weighted - e.actual)::numeric(60,30) / e.actual, 16)) AS wrong_accuracy,
	   count(*) FILTER (WHERE (t.expected, t.slipped) IS DISTINCT FROM (e.expected, e.slipped) OR t.slippage IS DISTINCT FROM round(100 * e.slipped::numeric(60,30) / e.expected, 16)) AS wrong_slippage,
	   bool_and(t.slipped > 0 AND t.slipped < t.expected) AS some_slipped
  FROM expected e LEFT JOIN told t USING (grain, dimension, period, member) GROUP BY 1, 2 ORDER BY 1, 2;
-- no forecast of March, first seen on the 12th, nor yet an outcome of April
SELECT grain, period, taken_at, forecast IS NULL AS no_forecast, actual IS NULL AS no_actual, accuracy IS NULL AS no_accuracy, slippage IS NULL AS no_slippage, is_complete, reason
  FROM told WHERE dimension = 'total' AND (grain, period) NOT IN (SELECT grain, period FROM expected) ORDER BY 1, 2;
SELECT "time", member, actual > 0 AS has_won, reason FROM kpi_forecast('2026-03-15', '2026-03-16', 'month', 'rep', '{a,nobody}', 'de');
SELECT count(won) + count(weighted) + count(forecast) + count(actual) + count(expected) AS known, count(taken_at) > 0 AS taken FROM kpi_forecast(NULL, NULL, 'month', 'rep', '{nobody}') WHERE reason = 'unknown member';
-- thinning the history leaves it as it is
CREATE TEMP TABLE before AS SELECT * FROM told;
SELECT pruned_runs FROM kpi_prune('1,1');
SELECT count(*) AS changed FROM (SELECT * FROM before EXCEPT SELECT * FROM told) x;
-- one who may not read the deals sees no slippage; without a plan there is nothing to keep
CREATE ROLE regress_salkpi_reader;
GRANT USAGE ON SCHEMA kpi TO regress_salkpi_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA kpi TO regress_salkpi_reader;
REVOKE ALL ON deals FROM regress_salkpi_reader;
SET LOCAL ROLE regress_salkpi_reader;
SELECT "time", accuracy IS NULL AS no_accuracy, expected, slippage FROM kpi_forecast('2026-01-01', '2026-03-01');
RESET ROLE;
-- nor one of whom the own rep is all that is to be seen any number of another
SAVEPOINT policies;
ALTER TABLE kpi_fact ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON kpi_fact FOR SELECT USING (dimension = 'rep' AND member IN ('a', '(none)'));
SET LOCAL ROLE regress_salkpi_reader;
SELECT member, count(actual) > 0 AS actual FROM kpi_forecast('2026-01-01', '2026-04-01', 'month', 'rep', '{a,b}') GROUP BY 1;
RESET ROLE;
ROLLBACK TO policies;
CREATE VIEW planless AS SELECT id, status, closed_at, amount FROM deals;
SELECT count(*) FROM kpi_bind('opportunity', 'planless');
SELECT day, take(day) FROM unnest('{2026-05-02}'::date[]) day;
SELECT count(*) FROM kpi_expected WHERE period = '2026-05-01';
SELECT "time", forecast, reason FROM kpi_forecast('2026-05-01', NULL);
-- Of days the first snapshot goes when the history is thinned: what the last one of a day says is no forecast of it.
CREATE TABLE open_deals (id integer, status text, closed_at timestamptz, amount numeric, probability numeric, expected_close date);
INSERT INTO open_deals VALUES (1, 'open', NULL, 100.00, 0.5, '2026-06-10'), (2, 'open', NULL, 100, 0.1, '2026-07-10');
SELECT count(*) FROM kpi_bind('opportunity', 'open_deals');
SELECT kpi_set('grains', 'day,month', rebuild => true);
SELECT outcome FROM unnest('{2026-06-09 00:10Z,2026-06-10 00:15Z}'::timestamptz[]) at, kpi_snapshot('2026-06-01', NULL, at);
UPDATE open_deals SET status = 'won', closed_at = '2026-06-10 15:00Z';
SELECT outcome FROM unnest('{2026-06-10 23:45Z,2026-06-20 12:00Z}'::timestamptz[]) at, kpi_snapshot('2026-06-01', NULL, at);
SELECT "time", taken_at, won, weighted, forecast, actual, accuracy, slippage FROM kpi_forecast('2026-06-10', '2026-06-11', 'day');
SELECT pruned_runs FROM kpi_prune('2,92');
SELECT "time", taken_at, forecast, actual, accuracy, slippage, reason FROM kpi_forecast('2026-06-10', '2026-06-11', 'day');
\set VERBOSITY terse
SELECT * FROM kpi_forecast('2026-01-01', NULL, 'decade');
SELECT * FROM kpi_forecast('2026-01-01', NULL, 'month', 'none');
ROLLBACK;
