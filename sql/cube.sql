-- The cube against plain SQL: whatever it says, GROUP BY and joins say too.
SET search_path = kpi, public;
SET timezone = 'Europe/Berlin';

-- Deals of three years: keys that are NULL, '' or '(none)', instants that are
-- NULL or outside of the bounds, negative amounts, repeated customers.
CREATE TABLE cube_deal AS
SELECT i AS id,
	CASE i % 11 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '(none)' ELSE 'rep ' || i * 7919 % 5 END AS rep,
	CASE WHEN i % 13 = 0 THEN NULL ELSE 'région ' || i * 104729 % 4 END AS region,
	'a product with a name that is longer than sixteen bytes ' || i * 31 % 17 AS product,
	CASE WHEN i % 97 = 0 THEN NULL
		ELSE timestamptz '2023-07-01 00:00' + i * 7919 % 9000 * interval '2 hours 17 minutes' END AS at,
	CASE WHEN i % 7 = 0 THEN NULL ELSE (i * 6007 % 99991 - 20000) / 100.0::numeric(10, 0) END AS amount,
	CASE WHEN i % 5 = 0 THEN NULL ELSE i * 17 % 1000 END::numeric AS cost,
	CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN false ELSE true END AS won,
	CASE WHEN i % 3 > 0 THEN 'customer ' || i * i % 211 END AS customer,
	(i / 3)::text AS purchase,
	CASE WHEN i % 2 = 0 THEN 'contact ' || i * 3 % 1201 END AS contact,
	i % 41 = 0 AS replied,
	CASE WHEN i % 19 = 0 THEN i * 7919 % 5000 * 60000000::bigint END AS took
FROM generate_series(1, 9000) i;

-- Atoms are the days of 2024 and 2025 in the session's zone.
CREATE TABLE cube_grid AS
SELECT array_agg(day::timestamptz ORDER BY day) AS bounds, array_agg(day ORDER BY day) AS days
FROM (SELECT date '2024-01-01' + n AS day FROM generate_series(0, 731) n) d;

-- Months, quarters and years, some cut after ten days, one that is empty.
CREATE TABLE cube_period AS
SELECT row_number() OVER (ORDER BY starts, ends)::integer AS period, starts, ends,
	starts - date '2024-01-01' + 1 AS first_atom, ends - date '2024-01-01' AS last_atom
FROM (
	SELECT s::date AS starts, (s + step)::date AS ends
	FROM unnest('{1 month,3 months,1 year}'::interval[]) step,
		generate_series(timestamp '2024-01-01', timestamp '2025-12-31', step) s
	UNION ALL
	SELECT s::date, s::date + 10 FROM generate_series(timestamp '2024-01-01', timestamp '2025-12-31', '1 month') s
	UNION ALL
	VALUES (date '2024-03-01', date '2024-03-01'), (date '2024-01-01', date '2026-01-01')) p;

\set shape '\'total;rep=1;region=2;rep+region+product=1,2,3 / c=2 m=2 e=2 f=1 d=1\''
\set deal_arguments 'rep, region, product, NULL, NULL, NULL, NULL, NULL, NULL, NULL, won, NOT won, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, amount, cost, NULL, NULL, NULL, NULL, customer, purchase, contact, replied, took'

CREATE TABLE cube_flow AS
SELECT kpi_cube((SELECT bounds FROM cube_grid), :shape, at, :deal_arguments) AS cube FROM cube_deal;

CREATE VIEW cube_member AS
SELECT d.*, v.*
FROM cube_deal d,
	LATERAL (SELECT coalesce(nullif(rep, ''), '(none)') AS r, coalesce(nullif(region, ''), '(none)') AS g) k,
	LATERAL (VALUES ('total', '{}'::text[]), ('rep', ARRAY[r]), ('region', ARRAY[g]),
		('rep+region+product', ARRAY[r, g, product])) v(dimension, members);

CREATE TABLE cube_expected AS
SELECT dimension, members, period, ARRAY[count(*) FILTER (WHERE won), count(*) FILTER (WHERE NOT won)] AS counts,
	ARRAY[coalesce(sum(amount), 0), coalesce(sum(cost), 0)] AS sums,
	ARRAY[count(DISTINCT customer), count(DISTINCT purchase)] AS distincts,
	ARRAY[coalesce(sum(f.firsts), 0)::bigint] AS firsts, ARRAY[coalesce(sum(f.flagged), 0)::bigint] AS firsts_flagged,
	coalesce(kpi_durations(took), '1:{}') AS durations
FROM (
	SELECT dimension, members, period, won, amount, cost, customer, purchase, took, NULL::bigint AS firsts, NULL::bigint AS flagged
	FROM cube_member JOIN cube_period ON at >= starts::timestamptz AND at < ends::timestamptz
	UNION ALL
	SELECT dimension, members, period, NULL, NULL, NULL, NULL, NULL, NULL, count(*), count(*) FILTER (WHERE replied)
	FROM (SELECT dimension, members, contact, min(at) AS at, bool_or(replied) AS replied
		FROM cube_member WHERE contact IS NOT NULL AND at IS NOT NULL GROUP BY 1, 2, 3) c
	JOIN cube_period ON at >= starts::timestamptz AND at < ends::timestamptz
	GROUP BY 1, 2, 3
	UNION ALL
	SELECT dimension, members, period, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
	FROM (VALUES ('total', '{}'::text[]), ('rep', '{(none)}'), ('region', '{(none)}'),
		('rep+region+product', '{(none),(none),(none)}')) b(dimension, members), cube_period) f
GROUP BY dimension, members, period;

CREATE TABLE cube_got AS
SELECT c.*
FROM cube_flow, (SELECT array_agg(first_atom ORDER BY period) AS f, array_agg(last_atom ORDER BY period) AS l FROM cube_period) p,
	kpi_cells(cube, f, l) c;

-- Enough to compare, and no difference.
SELECT count(*) > 10000 AS enough, count(DISTINCT period) = (SELECT count(*) FROM cube_period) AS all_periods,
	bool_or(firsts[1] > 0) AS firsts, bool_or(firsts_flagged[1] > 0) AS flagged, bool_or(durations::text LIKE '1:{%,%') AS durations
FROM cube_got;
(TABLE cube_expected EXCEPT TABLE cube_got) ORDER BY 1, 2, 3 LIMIT 5;
(TABLE cube_got EXCEPT TABLE cube_expected) ORDER BY 1, 2, 3 LIMIT 5;
SELECT count(*) = (SELECT count(*) FROM cube_expected) AS as_many FROM cube_got;

-- Many members with little each; customers and contacts with several of them.
CREATE TABLE cube_many AS
SELECT c.members[1] AS member, c.period, c.distincts, c.firsts[1] AS first, c.firsts_flagged[1] AS flagged, kpi_count(c.durations) AS durations
FROM (SELECT kpi_cube((SELECT bounds FROM cube_grid), 'total; deal=2 / e=2 f=1 d=1', at, NULL, (id / 2)::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, customer, product, contact, replied, took) AS cube FROM cube_deal) q,
	(SELECT array_agg(first_atom ORDER BY period) AS f, array_agg(last_atom ORDER BY period) AS l FROM cube_period) p,
	kpi_cells(cube, f, l) c
WHERE c.dimension = 'deal' AND c.members <> '{(none)}';
CREATE TABLE cube_many_expected AS
SELECT (id / 2)::text AS member, period, ARRAY[count(DISTINCT customer), count(DISTINCT product)] AS distincts,
	count(DISTINCT contact) FILTER (WHERE is_first) AS first, count(DISTINCT contact) FILTER (WHERE is_first AND flagged) AS flagged, count(took) AS durations
FROM (SELECT *, at = min(at) OVER (PARTITION BY id / 2, contact) AS is_first, bool_or(replied) FILTER (WHERE at IS NOT NULL) OVER (PARTITION BY id / 2, contact) AS flagged
	FROM cube_deal) d
JOIN cube_period ON at >= starts::timestamptz AND at < ends::timestamptz
GROUP BY 1, 2;
SELECT count(*) > 10000 AS enough, count(DISTINCT member) * 60 > 200000 AS many, max(distincts[2]) AS several, sum(first) > 0 AS firsts, sum(flagged) > 0 AS flagged FROM cube_many_expected;
(TABLE cube_many EXCEPT TABLE cube_many_expected) ORDER BY 1, 2 LIMIT 5;
(TABLE cube_many_expected EXCEPT TABLE cube_many) ORDER BY 1, 2 LIMIT 5;

-- Periods that begin together, as those since ever, give what each of them gives alone: also from the middle on, several that end together, an empty one, and one that is not wanted.
CREATE TABLE cube_nested AS
SELECT f, CASE WHEN n % 7 <> 3 THEN f END AS first_atom, greatest(l, f - 1) AS last_atom, n::integer AS period
FROM unnest('{1,200}'::integer[]) f, unnest(ARRAY(SELECT last_atom FROM cube_period WHERE period % 4 = 1 OR last_atom = 731 ORDER BY period % 5, last_atom) || 200 || 199) WITH ORDINALITY p(l, n);
CREATE TABLE cube_since AS
SELECT kpi_cube((SELECT bounds FROM cube_grid), 'total;rep=1;region=2;deal=4;rep+region+product=1,2,3 / c=2 m=2 e=2 f=1 d=0', at, rep, region, product, (id / 2)::text, NULL, NULL, NULL, NULL, NULL, NULL,
	won, NOT won, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, CASE WHEN id % 100 = 0 THEN 1e38 + id ELSE amount END, cost, NULL, NULL, NULL, NULL, customer, purchase, contact, replied, NULL) AS cube FROM cube_deal;
CREATE TABLE cube_together AS
SELECT p.f, c.* FROM cube_since, (SELECT f, array_agg(first_atom ORDER BY period) AS firsts, array_agg(last_atom ORDER BY period) AS lasts FROM cube_nested GROUP BY f) p, kpi_cells(cube, p.firsts, p.lasts) c;
CREATE TABLE cube_alone AS
SELECT p.f, c.dimension, c.members, p.period, c.counts, c.sums, c.distincts, c.firsts, c.firsts_flagged, c.durations FROM cube_since, cube_nested p, kpi_cells(cube, ARRAY[first_atom], ARRAY[last_atom]) c;
SELECT f, count(DISTINCT period) AS periods, count(*) > 20000 AS enough, max(sums[1]) > 1e39 AS big, max(distincts[1]) AS customers, sum(firsts[1]) > sum(firsts_flagged[1]) AS firsts FROM cube_alone GROUP BY f ORDER BY f;
(TABLE cube_together EXCEPT TABLE cube_alone) ORDER BY 1, 2, 3, 4 LIMIT 5;
(TABLE cube_alone EXCEPT TABLE cube_together) ORDER BY 1, 2, 3, 4 LIMIT 5;

-- More keys with more values than fit into a word.
CREATE TABLE cube_wide_deal AS
SELECT *, ARRAY(SELECT (id * 7919 % (2000 - 7 * k))::text FROM generate_series(1, 8) k) || ARRAY[(id * 31 % 7)::text, (id * 17 % 11)::text] AS k FROM cube_deal;
CREATE TABLE cube_wide AS
SELECT c.dimension, c.members, c.distincts[1] AS customers, c.firsts[1] AS first, kpi_count(c.durations) AS durations
FROM (SELECT kpi_cube((SELECT bounds FROM cube_grid), 'total; all=1,2,3,4,5,6,7,8,9,10; few=9,10; one=9 / e=1 f=1 d=1', at, k[1], k[2], k[3], k[4], k[5], k[6], k[7], k[8], k[9], k[10],
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, customer, NULL, contact, replied, took) AS cube FROM cube_wide_deal) q,
	kpi_cells(cube, '{1}', '{731}') c
WHERE NOT '(none)' = ANY (c.members);
CREATE TABLE cube_wide_expected AS
SELECT dimension, members, count(DISTINCT customer) AS customers, count(DISTINCT contact) FILTER (WHERE is_first) AS first, count(took) AS durations
FROM (SELECT v.*, d.*, at = min(at) OVER (PARTITION BY v.dimension, v.members, contact) AS is_first
	FROM cube_wide_deal d, LATERAL (VALUES ('total', '{}'::text[]), ('all', k), ('few', k[9:]), ('one', k[9:9])) v(dimension, members)) d
WHERE at >= '2024-01-01' AND at < '2026-01-01'
GROUP BY 1, 2 HAVING count(customer) + count(contact) FILTER (WHERE is_first) + count(took) > 0;
SELECT dimension, count(*) AS members, max(customers) > 1 AS several FROM cube_wide_expected GROUP BY 1 ORDER BY 1;
(TABLE cube_wide EXCEPT TABLE cube_wide_expected) ORDER BY 1, 2 LIMIT 5;
(TABLE cube_wide_expected EXCEPT TABLE cube_wide) ORDER BY 1, 2 LIMIT 5;

-- Members add up to the total, in everything that adds up.
SELECT g.dimension, bool_and(g.count = t.counts[1] AND g.sum = t.sums[1]) AS adds_up
FROM (SELECT dimension, period, sum(counts[1]) AS count, sum(sums[1]) AS sum FROM cube_got GROUP BY 1, 2) g
JOIN cube_got t ON t.dimension = 'total' AND t.period = g.period
GROUP BY 1 ORDER BY 1;

-- All sums of a measure are shown with the scale of its most precise value.
SELECT array_agg(DISTINCT scale(sums[1])) = (SELECT ARRAY[max(scale(amount))] FROM cube_deal WHERE at >= '2024-01-01' AND at < '2026-01-01') AS amount,
	array_agg(DISTINCT scale(sums[2])) AS cost
FROM cube_got;

SELECT kpi_first_atom(cube) = (SELECT min(at)::date - date '2024-01-01' + 1 FROM cube_deal WHERE at >= '2024-01-01') AS first_atom FROM cube_flow;

-- A period without first atom has no rows; no periods, no rows; NULL, no rows.
SELECT c.period, c.counts[1] = (SELECT count(*) FILTER (WHERE won) FROM cube_deal WHERE at::date = '2024-01-05') AS counts
FROM cube_flow, kpi_cells(cube, '{NULL,5}', '{NULL,5}') c WHERE dimension = 'total';
SELECT count(*) FROM cube_flow, kpi_cells(cube, '{}', '{}');
SELECT count(*) FROM kpi_cells(NULL, '{1}', '{1}');

-- The order of the rows, splits and merges leave no trace.
SELECT kpi_cube((SELECT bounds FROM cube_grid), :shape, at, :deal_arguments ORDER BY id * 7907 % 9001) = (SELECT cube FROM cube_flow) AS shuffled
FROM cube_deal;
CREATE TABLE cube_part AS
SELECT parts, id * 7919 % 9001 % parts AS part, kpi_cube((SELECT bounds FROM cube_grid), :shape, at, :deal_arguments) AS cube
FROM cube_deal, (VALUES (1), (2), (3), (40)) s(parts)
GROUP BY 1, 2;
SELECT parts, count(*), kpi_rollup(cube ORDER BY part) = (SELECT cube FROM cube_flow) AS one_way,
	kpi_rollup(cube ORDER BY part DESC) = (SELECT cube FROM cube_flow) AS other_way
FROM cube_part GROUP BY parts ORDER BY parts;
SELECT kpi_rollup(half ORDER BY part) = (SELECT cube FROM cube_flow) AS of_rollups
FROM (SELECT part % 2 AS part, kpi_rollup(cube) AS half FROM cube_part WHERE parts = 40 GROUP BY 1) h;
SELECT kpi_rollup(cube) = (SELECT cube FROM cube_flow) AS with_null
FROM (SELECT cube FROM cube_flow UNION ALL SELECT NULL) n;
-- A window of one row at a time: the state is read while it grows.
SELECT bool_and(rolled = (SELECT kpi_rollup(p.cube) FROM cube_part p WHERE parts = 3 AND p.part <= w.part)) AS running
FROM (SELECT part, kpi_rollup(cube) OVER (ORDER BY part) AS rolled FROM cube_part WHERE parts = 3) w;

-- An aggregate of one's own may begin with any cube, but takes none of other rows.
DO $$
BEGIN
	EXECUTE format('CREATE AGGREGATE pg_temp.of_states(timestamptz[], text, timestamptz, timestamptz, text, text, text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, numeric, numeric, numeric, numeric)'
				   ' (SFUNC = kpi_stock_add, STYPE = kpi_cube, INITCOND = %L)', (SELECT cube FROM cube_flow));
END;
$$;
SELECT pg_temp.of_states(NULL, NULL, at, NULL, rep, region, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, true, true, true, 1, 1, 1, 1) FROM cube_deal;

-- A parallel plan gives the same bytes.
CREATE FUNCTION cube_is_parallel(query text) RETURNS boolean LANGUAGE plpgsql AS $$
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
ANALYZE cube_deal;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 3;
SELECT format('SELECT kpi_cube(%L::timestamptz[], %L, at, %s) FROM cube_deal', bounds, :shape, :'deal_arguments') AS parallel_query FROM cube_grid \gset
SELECT cube_is_parallel(:'parallel_query');
SELECT (:parallel_query) = (SELECT cube FROM cube_flow) AS parallel;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- Text and binary forms are lossless.
SELECT cube::text::kpi_cube = cube AS text, kpi_cube_send(cube::text::kpi_cube) = kpi_cube_send(cube) AS bytes,
	NOT cube <> cube AS not_different, left(cube::text, 9) AS prefix FROM cube_flow;
\copy cube_flow TO 'results/cube.binary' WITH (FORMAT binary)
CREATE TABLE cube_copy (cube kpi_cube);
\copy cube_copy FROM 'results/cube.binary' WITH (FORMAT binary)
SELECT c.cube = f.cube AS binary FROM cube_copy c, cube_flow f;

-- Bounds in days: the same numbers for rows that have days.
WITH by_day AS (
	SELECT kpi_cube(days, :shape, at::date, :deal_arguments) AS cube FROM cube_deal, cube_grid),
p AS (SELECT array_agg(first_atom ORDER BY period) AS f, array_agg(last_atom ORDER BY period) AS l FROM cube_period)
SELECT count(*) AS different FROM (
	SELECT c.* FROM by_day, p, kpi_cells(cube, f, l) c EXCEPT TABLE cube_got) e;
SELECT kpi_cube(days, 'total / c=1', day, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) IS NOT NULL AS infinite_days
FROM cube_grid, (VALUES (date 'infinity'), ('-infinity')) d(day);

-- The day on which clocks change has 23 hours, or 25.
SELECT c.period, c.counts
FROM (SELECT kpi_cube(ARRAY['2025-03-30', '2025-03-31', '2025-10-26', '2025-10-27']::timestamptz[], 'total / c=1', at,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS cube
	FROM (SELECT generate_series(timestamptz '2025-03-29 00:00', '2025-04-01 00:00', '1 hour')
		UNION ALL SELECT generate_series(timestamptz '2025-10-25 00:00', '2025-10-28 00:00', '1 hour')) s(at)) q,
	kpi_cells(cube, '{1,3}', '{1,3}') c ORDER BY 1;

-- Stocks: an interval counts at t if it starts before t and does not end before.
CREATE TABLE cube_interval AS
SELECT i AS id, 'stage ' || i % 5 AS stage, CASE WHEN i % 9 > 0 THEN 'rep ' || i % 3 END AS rep,
	CASE WHEN i % 17 = 0 THEN NULL WHEN i % 29 = 0 THEN '-infinity' WHEN i % 8 = 0 THEN timestamptz '2024-03-01' + i % 4 * interval '1 month'
		ELSE timestamptz '2023-06-01' + i * 7919 % 900 * interval '1 day 5 hours' END AS valid_from,
	CASE WHEN i % 11 = 0 THEN NULL WHEN i % 31 = 0 THEN 'infinity' WHEN i % 8 < 2 THEN timestamptz '2024-03-01' + i % 9 * interval '1 month'
		ELSE timestamptz '2023-06-01' + i * 104729 % 1100 * interval '1 day 3 hours' END AS valid_to,
	(i * 6007 % 99991)::numeric / 8 AS amount, CASE WHEN i % 6 > 0 THEN i % 100 / 100.0 END AS probability
FROM generate_series(1, 3000) i;
CREATE TABLE cube_instant AS
SELECT row_number() OVER (ORDER BY t)::integer AS n, t
FROM (SELECT generate_series(timestamptz '2023-05-01', '2026-12-01', '1 month') UNION ALL VALUES (timestamptz 'infinity'), ('-infinity')) s(t);
\set interval_arguments 'valid_from, valid_to, stage, rep, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, amount > 5000, NULL, NULL, amount, amount * probability, NULL, NULL'
CREATE TABLE cube_stock AS
SELECT kpi_stock((SELECT array_agg(t ORDER BY t) FROM cube_instant), 'total;stage=1;stage+rep=1,2 / c=2 m=2', :interval_arguments) AS cube
FROM cube_interval;
CREATE TABLE cube_stock_expected AS
SELECT v.dimension, v.members, n AS period, ARRAY[count(amount), count(amount) FILTER (WHERE amount > 5000)] AS counts,
	ARRAY[coalesce(sum(amount), 0), coalesce(sum(amount * probability), 0)] AS sums
FROM (SELECT n, stage, coalesce(rep, '(none)') AS rep, amount, probability
		FROM cube_instant JOIN cube_interval ON (valid_from IS NULL OR valid_from < t) AND (valid_to IS NULL OR valid_to >= t)) a,
	LATERAL (VALUES ('total', '{}'::text[]), ('stage', ARRAY[stage]), ('stage+rep', ARRAY[stage, rep])) v(dimension, members)
GROUP BY 1, 2, 3;
INSERT INTO cube_stock_expected
SELECT dimension, members, n, '{0,0}', '{0,0}'
FROM (VALUES ('total', '{}'::text[]), ('stage', '{(none)}'), ('stage+rep', '{(none),(none)}')) b(dimension, members), cube_instant
WHERE NOT EXISTS (SELECT FROM cube_stock_expected e WHERE e.dimension = b.dimension AND e.members = b.members AND e.period = n);
CREATE TABLE cube_stock_got AS
SELECT c.dimension, c.members, c.period, c.counts, c.sums
FROM cube_stock, (SELECT array_agg(n ORDER BY n) AS n FROM cube_instant) i, kpi_cells(cube, n, n) c;
SELECT count(*) > 500 AS enough, bool_or(counts[1] = 0) AS some_zero FROM cube_stock_got;
(TABLE cube_stock_expected EXCEPT TABLE cube_stock_got) ORDER BY 1, 2, 3 LIMIT 5;
(TABLE cube_stock_got EXCEPT TABLE cube_stock_expected) ORDER BY 1, 2, 3 LIMIT 5;
SELECT count(*) = (SELECT count(*) FROM cube_stock_expected) AS as_many FROM cube_stock_got;
-- Instants in any order, repeated, without last; NULL has no rows.
SELECT count(*) AS different FROM (
	SELECT c.dimension, c.members, CASE c.period WHEN 1 THEN 30 WHEN 3 THEN 7 WHEN 4 THEN 30 END, c.counts, c.sums
	FROM cube_stock, kpi_cells(cube, '{30,NULL,7,30}', '{NULL,NULL,NULL,30}') c
	EXCEPT TABLE cube_stock_got) e;
SELECT kpi_first_atom(cube) = (SELECT min(period) FROM cube_stock_expected WHERE counts[1] > 0) AS first_atom FROM cube_stock;
SELECT kpi_rollup(cube ORDER BY half) = (SELECT cube FROM cube_stock) AS merged
FROM (SELECT id % 2 AS half, kpi_stock((SELECT array_agg(t ORDER BY t) FROM cube_instant), 'total; stage = 1; stage+rep = 1, 2 /m=2 c=2', :interval_arguments) AS cube
	FROM cube_interval GROUP BY 1) h;
SELECT cube::text::kpi_cube = cube AS text FROM cube_stock;

-- Intervals that are empty or turned around do nothing, not even a trace.
SELECT kpi_stock(ARRAY['2025-01-01', '2025-02-01', '2025-03-01']::timestamptz[], 'rep=1 / c=1', valid_from, valid_to, 'rep',
	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
	= kpi_stock(ARRAY['2025-01-01', '2025-02-01', '2025-03-01']::timestamptz[], 'rep=1 / c=1', NULL, NULL, 'rep',
	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS no_trace
FROM (VALUES (timestamptz '2025-02-10', timestamptz '2025-01-10'), ('2025-02-01', '2025-02-01'), ('2025-02-01', '2025-01-01'),
	('2025-03-01', NULL), (NULL, '2024-12-31'), ('infinity', NULL), (NULL, '-infinity')) v(valid_from, valid_to);

-- No rows, no cube; rows without effect, an empty one.
SELECT kpi_cube((SELECT bounds FROM cube_grid), :shape, at, :deal_arguments) IS NULL AS flow,
	kpi_rollup(NULL::kpi_cube) IS NULL AS rollup FROM cube_deal WHERE false;
SELECT kpi_cube((SELECT bounds FROM cube_grid), 'total;rep=1 / c=1 m=1', at, :deal_arguments) AS cube FROM cube_deal
WHERE at IS NULL OR at < '2024-01-01' \gset empty_
SELECT kpi_first_atom(:'empty_cube') IS NULL AS nothing;
SELECT * FROM kpi_cells(:'empty_cube', '{1}', '{731}') ORDER BY 1;

-- Exact sums: whatever a numeric is, the sum is core's, with the largest scale.
CREATE FUNCTION cube_of(amounts numeric[]) RETURNS kpi_cube LANGUAGE sql AS $$
	SELECT kpi_cube('{2025-01-01,2025-01-02}'::date[], 'total / m=1', '2025-01-01'::date, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, amount, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
	FROM unnest(amounts) amount;
$$;
CREATE FUNCTION cube_sum(cube kpi_cube) RETURNS numeric LANGUAGE sql AS $$
	SELECT sums[1] FROM kpi_cells(cube, '{1}', '{1}');
$$;
CREATE TABLE cube_number (n serial, amounts numeric[]);
INSERT INTO cube_number (amounts) VALUES
	('{1,2,3}'), ('{0.1,0.02,0.003}'), ('{-5.5,5.50}'), ('{1.10,1.1}'), ('{0}'), ('{0.000,0}'), ('{-0.0001}'),
	('{10000,100000000,1e20,1e30}'), ('{0.0001,0.00000001,0.00010001}'),
	('{9999.9999,-9999.9999,0.00009}'), ('{12345678.9,0.000001,-99999999.99}'),
	-- 10^36 is where a sum stops being an integer
	('{999999999999999999999999999999999999,1}'), ('{999999999999999999999999999999999999,1,-1}'), ('{1e36,-1}'), ('{-1e36,1}'), ('{1e35,9e35,0.1}'),
	-- the limits of int128, and of its sum
	('{170141183460469231731687303715884105727,-170141183460469231731687303715884105728}'),
	('{900000000000000000000000000000000000,900000000000000000000000000000000000,1}'),
	-- more decimals than an integer keeps
	('{0.1234567890123456,1}'), ('{0.12345678901234567,1}'), ('{1,0.12345678901234567,-0.12345678901234567}'),
	('{12345678901234567890.1234567890123456,0.00000000000000001}'), ('{0.00000000000000000000000000}'), ('{1.00000000000000000000000000,2.5}'),
	-- the scale grows, and the sum no longer fits
	('{123456789012345678901234567890,0.0000000001}'), ('{123456789012345678901234567890,0.0000000001,-123456789012345678901234567890}'),
	('{1,0.1,0.01,0.001,0.0001,0.00001,0.000001,0.0000001}'), ('{99999999999999999999,0.0000000000000001}'),
	-- huge and tiny
	('{1e500,1}'), ('{1e500,-1e500}'), ('{1e500,-1e500,0.5}'), ('{1e-300,1}'), ('{1e-300,-1e-300}'), ('{1e1000,1e-1000,-7}'), ('{1e-2500,1}');
INSERT INTO cube_number (amounts)
SELECT array_agg(amount)
FROM (SELECT i % 60 AS sample, (CASE WHEN i % 3 = 0 THEN '-' ELSE '' END
		|| left(translate(md5(i::text), 'abcdef', '012345'), 1 + i * 7 % (5 + i % 60 / 3))
		|| '.' || left(translate(md5('x' || i), 'abcdef', '678901'), i * 11 % (1 + i % 60 / 3)))::numeric AS amount
	FROM generate_series(1, 3000) i) r
GROUP BY sample ORDER BY sample;
INSERT INTO cube_number (amounts) SELECT array_agg(90000000000000000000000000000000000::numeric) FROM generate_series(1, 3000);
SELECT count(*) > 90 AS enough FROM cube_number;
CREATE TABLE cube_number_result AS
SELECT n.*, t.*, cube_of(amounts) AS cube, (SELECT cube_of(array_agg(a ORDER BY i DESC)) FROM unnest(amounts) WITH ORDINALITY u(a, i)) AS reversed,
	(SELECT kpi_rollup(cube_of(ARRAY[a]) ORDER BY i DESC) FROM unnest(amounts) WITH ORDINALITY u(a, i)) AS merged
FROM cube_number n, LATERAL (SELECT sum(a) AS sum, max(scale(a)) AS scale FROM unnest(amounts) a) t;
SELECT n, cube_sum(cube), sum, scale FROM cube_number_result
WHERE cube_sum(cube) IS DISTINCT FROM sum OR scale(cube_sum(cube)) <> scale OR cube <> reversed OR cube <> merged
	OR cube_sum(cube::text::kpi_cube) <> sum OR cube::text::kpi_cube <> cube ORDER BY n;
-- A large sum beside one that is NULL.
SELECT c.sums = ARRAY[1e400, 3] AS sums FROM (
	SELECT kpi_cube('{2025-01-01,2025-01-02}'::date[], 'total / m=2', '2025-01-01'::date, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, a, b, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS cube
	FROM (VALUES (NULL, 3), (1e400, NULL)) v(a, b)) q, kpi_cells(cube, '{1}', '{1}') c;
-- Stocks subtract what they added, however large.
SELECT c.period, c.sums[1] = CASE WHEN period < 3 THEN 1e400 + 1e-40 ELSE 0 END AS sum, scale(c.sums[1])
FROM (SELECT kpi_stock('{2025-01-01,2025-01-02,2025-01-03,2025-01-04}', 'total / m=1', valid_from, '2025-01-02 12:00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, amount, NULL, NULL, NULL) AS cube
	FROM (VALUES (1e400, NULL::timestamptz), (1e-40, NULL), (7, '2025-01-05')) v(amount, valid_from)) s, kpi_cells(cube, '{1,2,3,4}', '{1,2,3,4}') c ORDER BY 1;

-- What is refused, and how.
CREATE FUNCTION cube_error(command text) RETURNS text LANGUAGE plpgsql AS $$
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
SELECT amount, cube_error(format('SELECT cube_of(%L)', ARRAY[amount])) FROM unnest('{NaN,Infinity,-Infinity}'::numeric[]) amount;
-- ... but not in rows that are outside, or not in use
SELECT kpi_cube('{2025-01-01,2025-01-02}'::date[], 'total / c=1', '2025-01-01'::date, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) IS NOT NULL AS not_in_use,
	kpi_cube('{2025-01-01,2025-01-02}'::date[], 'total / m=1', '2025-01-02'::date, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) IS NOT NULL AS outside;
SELECT bounds, cube_error(format('SELECT kpi_cube(%L::date[], ''total / c=1'', ''2025-01-01''::date, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)', bounds))
FROM unnest(ARRAY[NULL, '{}', '{2025-01-01}', '{2025-01-01,NULL}', '{2025-01-01,2025-01-01}', '{2025-01-02,2025-01-01}', '{{2025-01-01,2025-01-02}}',
	'{-infinity,2025-01-01,infinity}']) bounds;
SELECT left(shape, 24) AS shape, regexp_replace(cube_error(format('SELECT kpi_cube(''{2025-01-01,2025-01-02}''::date[], %L, ''2025-01-01''::date, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)', shape)), 'cube shape .* is not', 'is not', 'n') AS error
FROM unnest(ARRAY[NULL, '', 'total', 'total /', 'total / c=0', '/ c=1', ';total / c=1', 'total; / c=1', 'total;total / c=1', 'a=0 / c=1', 'a=11 / c=1', 'a=1, / c=1',
	'a=1,1 / c=1', 'a= / c=1', 'a b / c=1', 'a / c', 'a / c=', 'a / c=1 c=1', 'a / x=1', 'a / c=11', 'a / m=7', 'a / e=3', 'a / f=2', 'a / d=2', 'a / c=-1', 'a / c=999',
	repeat('a', 64) || ' / c=1', (SELECT string_agg('d' || i, ';') FROM generate_series(1, 65) i) || ' / c=1',
	'a=1,2,3,4,5,6,7,8,9,10/c=10m=6e=2f=1d=1', ' a ;  b = 1 ,2 / m = 1 ']) WITH ORDINALITY s(shape, i) ORDER BY i;
SELECT cube_error('SELECT kpi_stock(''{2025-01-01}'', ''total / e=1'', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)');
SELECT cube_error('SELECT kpi_stock(''{2025-01-01}'', ''total / c=5'', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)');
SELECT cube_error('SELECT kpi_cube_combine(cube, cube) FROM cube_flow');
SELECT cube_error(format('SELECT kpi_rollup(cube) FROM (SELECT cube FROM cube_flow UNION ALL SELECT %L) c', c))
FROM (SELECT cube FROM cube_stock UNION ALL SELECT cube_of('{1}')
	UNION ALL SELECT kpi_cube((SELECT bounds FROM cube_grid), 'total / c=1', '2025-01-01'::timestamptz, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) c(c) ORDER BY 1;
SELECT f, l, cube_error(format('SELECT kpi_cells(cube, %L, %L) FROM cube_flow', f, l)) AS flow, cube_error(format('SELECT kpi_cells(cube, %L, %L) FROM cube_stock', f, l)) AS stock
FROM (VALUES (1, '{1}', '{2}'), (2, '{1}', '{NULL}'), (3, '{0}', '{0}'), (4, '{731}', '{732}'), (5, '{46}', '{46}'), (6, '{5}', '{3}'), (7, '{5}', '{4}'), (8, '{1,2}', '{1}'),
	(9, '{-2147483648}', '{2147483647}'), (10, '{{1}}', '{{1}}'), (11, '{NULL}', '{5}')) v(i, f, l) ORDER BY i;

-- Hostile input: a cube with everything in it, cut off anywhere and with any
-- bit turned, is refused or is a valid cube; nothing else happens.
SELECT kpi_cube('{2025-01-01,2025-01-02,2025-01-04}'::date[], 'total;rep=1;rep+region=1,2 / c=1 m=2 e=1 f=1 d=1', '2025-01-01'::date + i % 4, 'rep ' || i % 2, 'r' || i % 3,
	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, i * 1.5, CASE WHEN i = 4 THEN 1e60 ELSE 1e-20 END, NULL, NULL, NULL, NULL,
	'c' || i % 3, NULL, 'f' || i % 2, i = 5, i * 1000 % 7) AS small FROM generate_series(0, 8) i \gset
CREATE FUNCTION cube_try(value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	cube kpi_cube;
BEGIN
	cube := value;
	PERFORM kpi_first_atom(cube), (SELECT count(*) FROM kpi_cells(cube, '{1}', '{1}'));
	RETURN CASE WHEN cube::text::kpi_cube = cube THEN 'valid' ELSE 'not canonical' END;
EXCEPTION WHEN invalid_text_representation OR invalid_binary_representation OR character_not_in_repertoire
		OR invalid_parameter_value OR numeric_value_out_of_range THEN
	RETURN 'refused';
END;
$$;
SELECT cube_try(:'small') AS itself, length(:'small') > 500 AS enough;
SELECT cube_try(left(:'small', n)) AS cut_off, count(*) > 500 AS often FROM generate_series(0, length(:'small') - 1) n GROUP BY 1;
SELECT cube_try(:'small' || tail) AS longer FROM unnest('{00,ff,0,x}'::text[]) tail;
SELECT DISTINCT cube_try('kpi_cube:' || encode(set_bit(flat, bit, 1 - get_bit(flat, bit)), 'hex')) AS turned
FROM kpi_cube_send(:'small') flat, generate_series(0, length(flat) * 8 - 1) bit ORDER BY 1;
SELECT DISTINCT cube_try('kpi_cube:' || encode(set_byte(set_byte(flat, n, value), (n + 1) % length(flat), 255), 'hex')) AS overwritten
FROM kpi_cube_send(:'small') flat, generate_series(0, length(flat) - 1) n, unnest('{0,127,128,255}'::integer[]) value ORDER BY 1;
-- The same of a cube that has neither counts nor sums, and no keys.
SELECT kpi_cube('{2025-01-01,2025-01-02,2025-01-04}'::date[], 'total / e=2 f=1 d=1', '2025-01-01'::date + i % 4, NULL, NULL,
	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	'c' || i % 3, 'x', 'f' || i % 2, i = 5, i * 1000 % 7) AS bare FROM generate_series(0, 8) i \gset
SELECT cube_try(:'bare') AS itself;
SELECT DISTINCT cube_try('kpi_cube:' || encode(set_byte(set_byte(flat, n, value), (n + 1) % length(flat), other), 'hex')) AS overwritten
FROM kpi_cube_send(:'bare') flat, generate_series(0, length(flat) - 1) n, unnest('{0,1,127,255}'::integer[]) value, unnest('{0,1,255}'::integer[]) other ORDER BY 1;
SELECT v, cube_try(v) FROM unnest(ARRAY['', 'kpi_cube', 'kpi_cube:', 'kpi_cube:0', 'kpi_cube:zz', 'kpi_cube:01', 'kpi_cube:02',
	'kpi_cube:01667401ffffffffffffffffff01', 'kpi_cube:0166640961202f20633d3103ffffffff0f']) v;
SELECT cube_error('SELECT ''kpi_cube:02''::kpi_cube');
SELECT cube_error('SELECT ''cube''::kpi_cube');
