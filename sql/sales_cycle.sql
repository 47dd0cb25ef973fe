-- The length of sales cycles over plain columns, against plain SQL.
SET search_path = kpi, public;
SET client_min_messages = warning;

-- Daymark's example: 45, 54 and 39 days, mean 46.
SELECT kpi_sales_cycle(opened, won) AS mean, kpi_sales_cycle_median(opened, won) AS median, kpi_sales_cycle_p90(opened, won) AS p90
FROM (VALUES ('2026-01-01'::date, '2026-02-15'::date), ('2026-01-10', '2026-03-05'), ('2026-01-20', '2026-02-28')) deal(opened, won);

-- Days are those of the calendar, instants are as far apart as they are: the
-- clocks go forward on 29 March 2026 in Berlin.
SET timezone = 'Europe/Berlin';
SELECT kpi_sales_cycle(at::date, (at + '1 day')::date) AS day, kpi_sales_cycle(at, at + '1 day') AS clock, kpi_sales_cycle(at::timestamptz, (at + '1 day')::timestamptz) AS elapsed
FROM (VALUES ('2026-03-28 12:00'::timestamp)) v(at);
RESET timezone;

-- What has no end, or no beginning, is no cycle; without cycles there is no mean.
SELECT kpi_sales_cycle(opened, won) AS mean, kpi_sales_cycle_median(opened, won) AS median, kpi_durations(opened, won) AS durations
FROM (VALUES (NULL::date, '2026-01-05'::date), ('2026-01-01', NULL), ('2026-01-01', '2026-01-05')) v(opened, won);
SELECT kpi_sales_cycle(opened, won) AS mean, kpi_sales_cycle_median(opened, won) AS median, kpi_sales_cycle_p90(opened, won) AS p90, kpi_durations(opened, won) AS durations
FROM (VALUES (NULL::date, NULL::date)) v(opened, won);
SELECT kpi_sales_cycle(opened, won) AS no_rows, kpi_durations(opened, won) AS durations FROM (SELECT current_date AS opened, current_date AS won WHERE false) v;
SELECT kpi_sales_cycle('2026-01-01'::date, '2026-01-01'::date) AS zero;

-- No cycle is negative or infinite.
CREATE FUNCTION outcome(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(hint, ''));
END
$$;
SELECT a.name, v.type, v.opened, v.won, outcome(format('SELECT kpi.%I(%L::%s, %L::%s)', a.name, v.opened, v.type, v.won, v.type))
FROM unnest('{kpi_sales_cycle,kpi_sales_cycle_median,kpi_durations}'::text[]) WITH ORDINALITY a(name, n),
	(VALUES (1, 'date', '2026-01-02', '2026-01-01'), (2, 'date', '2026-01-02', 'infinity'), (3, 'date', '-infinity', '2026-01-01'),
		(4, 'date', '4713-01-01 BC', '5874897-01-01'),
		(5, 'timestamp', '2026-01-01 00:00:00.000001', '2026-01-01'), (6, 'timestamptz', '2026-01-01', 'infinity'),
		(7, 'timestamptz', '4713-01-01 BC', '294276-01-01')) v(n, type, opened, won)
ORDER BY a.n, v.n;

-- Random deals, NULL among them, in groups of very different size.
SELECT setseed(0.5);
CREATE TABLE deal (n integer, rep integer, split integer, opened timestamptz, won timestamptz, opened_on date, won_on date) PARTITION BY LIST (split);
CREATE TABLE deal_0 PARTITION OF deal FOR VALUES IN (0, 1);
CREATE TABLE deal_1 PARTITION OF deal FOR VALUES IN (2, 3, 4);
CREATE TABLE deal_2 PARTITION OF deal DEFAULT;
INSERT INTO deal (n, rep, split, opened, won)
SELECT n, floor(power(random(), 4) * 60), floor(random() * 7), opened, opened + make_interval(secs => round((power(random(), 3) * 1e7)::numeric, 6)::float8)
FROM (SELECT n, timestamptz '2026-01-01 UTC' + make_interval(secs => floor(random() * 3e7)) AS opened FROM generate_series(1, 6000) n) v;
UPDATE deal SET won = opened + interval '90000 years' WHERE n % 97 = 0;
UPDATE deal SET won = NULL WHERE n % 11 = 0;
UPDATE deal SET opened = NULL WHERE n % 13 = 0;
UPDATE deal SET won = NULL WHERE rep = 3;
UPDATE deal SET opened_on = (opened AT TIME ZONE 'UTC')::date, won_on = (won AT TIME ZONE 'UTC')::date;
ANALYZE deal;

-- The same by plain SQL.
CREATE FUNCTION microseconds(opened timestamptz, won timestamptz) RETURNS numeric IMMUTABLE LANGUAGE sql
AS $$ SELECT (extract(epoch FROM won) - extract(epoch FROM opened)) * 1000000 $$;
CREATE VIEW expected AS
WITH cycle AS (
	SELECT rep, microseconds(opened, won) AS elapsed, (won_on - opened_on)::numeric AS days FROM deal),
grouped AS (
	SELECT rep, count(elapsed) AS n, sum(elapsed) AS sum, avg(days::numeric(60, 30)) AS mean_days,
		array_agg(elapsed ORDER BY elapsed) FILTER (WHERE elapsed IS NOT NULL) AS sorted
	FROM cycle GROUP BY GROUPING SETS ((), (rep)))
SELECT rep, n, CASE WHEN n > 0 THEN round(sum::numeric(100, 40) / (n * 86400000000), 16) END AS mean,
	round(((sorted[(n + 1) / 2] + sorted[n / 2 + 1])::numeric(100, 40)) / 2 / 86400000000, 16) AS median,
	round((sorted[floor(0.9 * (n - 1))::integer + 1]
		+ (0.9 * (n - 1) - floor(0.9 * (n - 1))) * (sorted[ceil(0.9 * (n - 1))::integer + 1] - sorted[floor(0.9 * (n - 1))::integer + 1]))::numeric(100, 40) / 86400000000, 16) AS p90,
	round(mean_days, 16) AS mean_days
FROM grouped;
SELECT count(*) AS groups, min(n) AS least, max(n) > 1000 AS some_large, count(*) FILTER (WHERE mean IS NULL) AS without FROM expected;

-- Each way to compute it gives the same: where and how it is computed is said
-- by the settings around.
CREATE VIEW computed AS
SELECT rep, kpi_sales_cycle(opened, won) AS mean, kpi_sales_cycle_median(opened, won) AS median, kpi_sales_cycle_p90(opened, won) AS p90,
	kpi_sales_cycle(opened_on, won_on) AS mean_days, kpi_durations(opened, won) AS d, kpi_durations(opened_on, won_on) AS days
FROM deal GROUP BY GROUPING SETS ((), (rep));
CREATE VIEW different AS
SELECT count(*) AS compared,
	count(*) FILTER (WHERE (c.mean, c.median, c.p90, c.mean_days) IS DISTINCT FROM (e.mean, e.median, e.p90, e.mean_days)) AS aggregates,
	count(*) FILTER (WHERE (kpi_mean(d), kpi_median(d), kpi_p90(d), kpi_mean(days), kpi_count(d)) IS DISTINCT FROM (e.mean, e.median, e.p90, e.mean_days, nullif(e.n, 0))) AS accessors
FROM expected e LEFT JOIN computed c ON c.rep IS NOT DISTINCT FROM e.rep;
CREATE FUNCTION is_partial(query text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	plan text;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan LIKE '%"Partial Mode": "Partial"%';
END
$$;
SELECT * FROM different;
SET enable_hashagg = off;
SELECT * FROM different;
RESET enable_hashagg;

-- Partitions by themselves, and workers.  (Grouping sets are not done in part.)
CREATE OR REPLACE VIEW computed AS
SELECT rep, kpi_sales_cycle(opened, won) AS mean, kpi_sales_cycle_median(opened, won) AS median, kpi_sales_cycle_p90(opened, won) AS p90,
	kpi_sales_cycle(opened_on, won_on) AS mean_days, kpi_durations(opened, won) AS d, kpi_durations(opened_on, won_on) AS days
FROM deal GROUP BY rep
UNION ALL
SELECT NULL, kpi_sales_cycle(opened, won), kpi_sales_cycle_median(opened, won), kpi_sales_cycle_p90(opened, won),
	kpi_sales_cycle(opened_on, won_on), kpi_durations(opened, won), kpi_durations(opened_on, won_on)
FROM deal;
SET enable_partitionwise_aggregate = on;
SELECT is_partial('SELECT * FROM kpi.computed') AS is_partial;
SELECT * FROM different;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT is_partial('SELECT * FROM kpi.computed') AS is_partial;
SELECT * FROM different;
RESET enable_partitionwise_aggregate;
SELECT is_partial('SELECT kpi.kpi_sales_cycle(opened, won) FROM kpi.deal_1') AS is_partial;
SELECT * FROM different;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- States in a table, rolled up.
CREATE TABLE cycle_state AS
SELECT rep, split, kpi_durations(opened, won) AS d, kpi_durations(opened_on, won_on) AS days FROM deal GROUP BY rep, split;
CREATE OR REPLACE VIEW computed AS
SELECT rep, kpi_mean(d) AS mean, kpi_median(d) AS median, kpi_p90(d) AS p90, kpi_mean(days) AS mean_days, d, days
FROM (SELECT rep, kpi_rollup(d ORDER BY split DESC) AS d, kpi_rollup(days) AS days FROM cycle_state GROUP BY GROUPING SETS ((), (rep))) v;
SELECT * FROM different;

-- A window's frame: what leaves it is taken out again, and the result is that
-- of the frame's rows alone.
SELECT count(*) AS compared, count(r.mean) AS cycles,
	count(*) FILTER (WHERE (w.mean, w.median, w.mean_days) IS DISTINCT FROM (r.mean, r.median, r.mean_days)) AS different,
	count(*) FILTER (WHERE w.d IS DISTINCT FROM r.d OR (w.d IS NULL) <> (r.d IS NULL)) AS different_states
FROM (
	SELECT n, kpi_sales_cycle(opened, won) OVER frame AS mean, kpi_sales_cycle_median(opened, won) OVER frame AS median,
		kpi_sales_cycle(opened_on, won_on) OVER frame AS mean_days, kpi_durations(opened, won) OVER frame AS d
	FROM deal WHERE n <= 300 WINDOW frame AS (ORDER BY n ROWS BETWEEN 5 PRECEDING AND 2 PRECEDING)) w
JOIN (
	SELECT n, v.* FROM (SELECT n FROM deal WHERE n <= 300) a,
		LATERAL (SELECT kpi_sales_cycle(opened, won) AS mean, kpi_sales_cycle_median(opened, won) AS median,
			kpi_sales_cycle(opened_on, won_on) AS mean_days, kpi_durations(opened, won) AS d
			FROM deal b WHERE b.n BETWEEN a.n - 5 AND a.n - 2) v) r USING (n);
SELECT n, kpi_durations(d) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS durations
FROM unnest('{NULL,5,5,NULL,NULL,7,5,5}'::bigint[]) WITH ORDINALITY v(d, n) ORDER BY n;

SELECT n, kpi_sales_cycle(opened, won) OVER frame AS mean, kpi_sales_cycle_median(opened, won) OVER frame AS median
FROM (VALUES (1, NULL::date, NULL::date), (2, '2026-01-01', NULL), (3, '2026-01-01', '2026-01-03'), (4, NULL, NULL), (5, '2026-01-01', '2026-01-02')) v(n, opened, won)
WINDOW frame AS (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW);

-- FILTER and DISTINCT.
SELECT kpi_sales_cycle(opened, won) FILTER (WHERE won <= '2026-02-01') AS filtered, kpi_sales_cycle(DISTINCT opened, won) AS "distinct", kpi_sales_cycle(opened, won) AS "all"
FROM (VALUES ('2026-01-01'::date, '2026-01-03'::date), ('2026-01-01', '2026-01-03'), ('2026-01-01', '2026-02-10')) v(opened, won);

-- Other types of columns.
SELECT kpi_sales_cycle(opened, won) AS mean, kpi_sales_cycle_median(opened, won) AS median, kpi_sales_cycle_p90(opened, won) AS p90, kpi_durations(opened, won) AS d
FROM (VALUES ('2026-01-01 06:00'::timestamp, '2026-01-02 18:00'::timestamp), ('2026-01-01', '2026-01-01')) v(opened, won);

-- The sum of microseconds has 128 bits.
SELECT kpi_sales_cycle('4713-01-01 BC'::date, '200000-01-01'::date) = '200000-01-01'::date - '4713-01-01 BC'::date AS is_exact FROM generate_series(1, 1000);

-- A state is three numbers; the transition functions need an aggregate.
SELECT outcome('SELECT kpi.kpi_sales_cycle_add(''{0,0,0}'', ''2026-01-01''::date, ''2026-01-02''::date)') AS add,
	outcome('SELECT kpi.kpi_sales_cycle_combine(''{0,0,0}'', ''{1,0,5}'')') AS combine;
SELECT state, outcome(format('SELECT kpi.kpi_sales_cycle_final(%L)', state)) AS final
FROM unnest(ARRAY['{}', '{1,2}', '{1,NULL,2}', '{{1,2,3}}', '{1,2,3,4}', '{0,0,0}', '{-1,-1,-1}', '{9223372036854775807,9223372036854775807,-1}', '{1,-9223372036854775808,0}']) WITH ORDINALITY v(state, n)
ORDER BY n;

DROP VIEW different, computed, expected;
DROP TABLE deal, cycle_state;
DROP FUNCTION outcome(text), is_partial(text), microseconds(timestamptz, timestamptz);
