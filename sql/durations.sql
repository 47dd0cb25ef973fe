-- kpi_durations: an exact, mergeable distribution of durations.
SET search_path = kpi, public;
SET client_min_messages = warning;

-- The error a statement ends with, or 'ok'.
CREATE FUNCTION outcome(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''));
END
$$;

-- Whether a query is planned with a partial aggregate.
CREATE FUNCTION is_partial(query text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	plan text;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan LIKE '%"Partial Mode": "Partial"%';
END
$$;

-- Text: the same multiset, the same text, whatever the order; NULL left out.
SELECT kpi_durations(d) AS one, kpi_durations(-d) AS negative
FROM unnest('{90000000,60000000,NULL,90000000,90000000}'::bigint[]) d;
SELECT kpi_durations(d) AS no_rows FROM unnest('{}'::bigint[]) d;
SELECT kpi_durations(d) AS only_nulls FROM unnest('{NULL,NULL}'::bigint[]) d;
SELECT kpi_durations(d) FILTER (WHERE d > 2) AS filtered FROM generate_series(1::bigint, 4) d;

SELECT literal, literal::kpi_durations::text = literal AS is_same, kpi_count(literal::kpi_durations)
FROM (VALUES (1, '1:{}'), (2, '1:{0}'), (3, '1:{-1,0,1}'), (4, '1:{60000000,90000000*3}'),
	(5, '1:{-9223372036854775808,9223372036854775807}'), (6, '1:{7*9223372036854775807}')) v(n, literal)
ORDER BY n;

-- Anything else is refused.
SELECT left(literal, 24) AS literal, outcome(format('SELECT %L::kpi.kpi_durations', literal))
FROM unnest(ARRAY['', '1', '1:', '1:{', '1:{1', '1:{1,', '1:{1,}', '1:{,1}', '1:{1,2', '1:{1}x', ' 1:{1}', '1:{ 1}', '1:{1} ',
	'2:{1}', '0:{}', '-1:{1}', '01:{1}', '99999999999999999999:{}', '{1}', 'x',
	'1:{2,1}', '1:{1,1}', '1:{1,1*2}', '1:{1*0}', '1:{1*-1}', '1:{1*1}', '1:{1*}', '1:{*2}', '1:{1*2*3}', '1:{1*+2}',
	'1:{+1}', '1:{01}', '1:{-0}', '1:{-}', '1:{--1}', '1:{1.0}', '1:{1e3}', '1:{0x1}', '1:{NULL}',
	'1:{9223372036854775808}', '1:{-9223372036854775809}', '1:{1*9223372036854775808}',
	'1:{1*9223372036854775807,2}', '1:{1*4611686018427387904,2*4611686018427387904}',
	'1:{äöü}', repeat('ä', 100), '1:{' || repeat('1,', 100)]) WITH ORDINALITY v(literal, n)
ORDER BY n;

-- Binary: a message is received as COPY receives it.
CREATE TABLE durations_received (d kpi_durations);
CREATE FUNCTION received(message bytea) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	file bytea := '\x5047434f50590aff0d0a00' || '\x00000000'::bytea || '\x00000000'::bytea ||
		'\x0001'::bytea || int4send(length(message)) || message || '\xffff'::bytea;
	octal text;
	error text;
BEGIN
	SELECT string_agg(format('\%s%s%s', b >> 6, b >> 3 & 7, b & 7), '' ORDER BY i) INTO octal
	FROM (SELECT i, get_byte(file, i) AS b FROM generate_series(0, length(file) - 1) i) bytes;
	TRUNCATE kpi.durations_received;
	error := kpi.outcome(format('COPY kpi.durations_received FROM PROGRAM %L (FORMAT binary)',
		format('printf ''%s''', octal)));
	RETURN CASE error WHEN 'ok' THEN (SELECT d::text FROM kpi.durations_received) ELSE error END;
END
$$;

-- Version, number of durations, then each with its count.
SELECT kpi_durations_send('1:{60000000,90000000*3}');
SELECT literal, received(kpi_durations_send(literal::kpi_durations)) = literal AS is_same
FROM unnest(ARRAY['1:{}', '1:{0}', '1:{-1,0,1}', '1:{60000000,90000000*3}',
	'1:{-9223372036854775808,9223372036854775807*2}']) WITH ORDINALITY v(literal, n)
ORDER BY n;
SELECT why, received(message)
FROM (VALUES
	(1, 'empty', ''::bytea),
	(2, 'no number', '\x0001'),
	(3, 'half a number', '\x00010000'),
	(4, 'version 0', '\x000000000000'),
	(5, 'version 2', '\x000200000000'),
	(6, 'truncated', '\x0001' || int4send(2) || int8send(1) || int8send(1)),
	(7, 'truncated within', '\x0001' || int4send(1) || int8send(1) || int4send(1)),
	(8, 'over-long', '\x0001' || int4send(1) || int8send(1) || int8send(1) || '\x00'),
	(9, 'huge number', '\x0001ffffffff'),
	(10, 'number that wraps', '\x000110000000'),
	(11, 'unsorted', '\x0001' || int4send(2) || int8send(2) || int8send(1) || int8send(1) || int8send(1)),
	(12, 'twice', '\x0001' || int4send(2) || int8send(1) || int8send(1) || int8send(1) || int8send(1)),
	(13, 'zero count', '\x0001' || int4send(1) || int8send(1) || int8send(0)),
	(14, 'negative count', '\x0001' || int4send(1) || int8send(1) || int8send(-1)),
	(15, 'overflow', '\x0001' || int4send(2) || int8send(1) || int8send(9223372036854775807) || int8send(2) || int8send(1))
) v(n, why, message)
ORDER BY n;

-- Days.  Daymark's example of sales cycles: 45, 54 and 39 days, mean 46.
WITH daymark AS (
	SELECT kpi_durations(days * 86400000000) AS d FROM unnest('{45,54,39}'::bigint[]) days)
SELECT kpi_count(d), kpi_mean(d), kpi_quantile(d, 0.5) AS median, kpi_quantile(d, 0) AS least, kpi_quantile(d, 1) AS greatest
FROM daymark;
SELECT kpi_count('1:{}'::kpi_durations), kpi_mean('1:{}'), kpi_quantile('1:{}', 0.5);
SELECT kpi_count(NULL::kpi_durations), kpi_mean(NULL), kpi_quantile(NULL, 0.5), kpi_quantile('1:{1}', NULL);

-- Half of the last decimal goes away from zero: 27 / 6,250,000 microseconds are
-- 0.5e-16 days, and one count more makes it less than half.
SELECT kpi_mean('1:{0*6249999,27}') AS up, kpi_mean('1:{-27,0*6249999}') AS down, kpi_mean('1:{0*6250000,27}') AS less,
	kpi_quantile('1:{0,27}', 0.00000016) AS q_up, kpi_quantile('1:{-27,0}', 0.99999984) AS q_down,
	kpi_quantile('1:{0,27}', 0.00000015999999999999999999999999999999) AS q_less;

-- No intermediate result overflows.
SELECT kpi_mean('1:{-9223372036854775808,9223372036854775807}') AS mean,
	kpi_quantile('1:{-9223372036854775808,9223372036854775807}', 0.75) AS quantile,
	kpi_mean('1:{-9223372036854775808*9223372036854775807}') AS least,
	kpi_mean('1:{9223372036854775807*9223372036854775807}') AS greatest,
	kpi_quantile('1:{1*4611686018427387903,86400000001*4611686018427387903}', 0.5) AS between;
SELECT p, outcome(format('SELECT kpi.kpi_quantile(''1:{1,2}'', %L)', p))
FROM unnest('{-0.1,1.1,NaN,Infinity,-Infinity,-0.00000000000000000000000001}'::numeric[]) WITH ORDINALITY v(p, n)
ORDER BY n;

-- Random durations, of many values and of few, against plain SQL.
SELECT setseed(0.25);
CREATE TABLE cycle AS
SELECT n, g,
	CASE WHEN g % 3 = 0 THEN (random() * 60)::bigint * 86400000000
		WHEN g % 3 = 1 THEN ((random() - 0.1) * 1e13)::bigint
		ELSE (random() * 9e18)::bigint - 4500000000000000000 END AS duration,
	floor(random() * 7)::integer AS split
FROM (SELECT n, floor(power(random(), 3) * 40)::integer AS g FROM generate_series(1, 20000) n) rows;
UPDATE cycle SET duration = NULL WHERE n % 50 = 0;

WITH state AS (
	SELECT g, kpi_durations(duration) AS d, count(duration) AS n, sum(duration::numeric(100, 40)) AS sum,
		array_agg(duration::numeric ORDER BY duration) FILTER (WHERE duration IS NOT NULL) AS sorted
	FROM cycle GROUP BY g),
quantile AS (
	SELECT g, d, p, n, sorted[floor(p * (n - 1))::integer + 1] AS lower, sorted[ceil(p * (n - 1))::integer + 1] AS upper
	FROM state, unnest('{0,0.1,0.25,0.3333,0.5,0.9,0.999,1}'::numeric[]) p)
SELECT 'count and mean' AS what, count(*) AS compared,
	count(*) FILTER (WHERE kpi_count(d) IS DISTINCT FROM n
		OR kpi_mean(d) IS DISTINCT FROM round(sum / (n * 86400000000), 16)) AS different
FROM state
UNION ALL
SELECT 'quantile', count(*),
	count(*) FILTER (WHERE kpi_quantile(d, p) IS DISTINCT FROM
		round((lower + (p * (n - 1) - floor(p * (n - 1))) * (upper - lower))::numeric(100, 40) / 86400000000, 16))
FROM quantile;

-- percentile_cont itself computes in double precision.
SELECT count(*) AS compared,
	count(*) FILTER (WHERE abs(kpi_quantile(d, p::numeric) - expected::numeric / 86400000000) > 1e-9) AS different
FROM (
	SELECT g, p, kpi_durations(duration) AS d, percentile_cont(p) WITHIN GROUP (ORDER BY duration::double precision) AS expected
	FROM cycle, unnest('{0,0.1,0.5,0.75,0.9,1}'::double precision[]) p
	WHERE g % 3 < 2
	GROUP BY g, p) q;

-- Merged in any split and order it is the same value.
WITH whole AS (SELECT g, kpi_durations(duration) AS d FROM cycle GROUP BY g),
part AS (SELECT g, split, kpi_durations(duration) AS d FROM cycle GROUP BY g, split),
single AS (SELECT g, kpi_durations(duration) AS d FROM cycle GROUP BY g, n)
SELECT count(*) AS compared,
	count(*) FILTER (WHERE w.d <> p.up OR w.d <> p.down OR w.d <> s.d OR w.d::text <> p.up::text) AS different
FROM whole w
JOIN (SELECT g, kpi_rollup(d ORDER BY split) AS up, kpi_rollup(d ORDER BY split DESC) AS down FROM part GROUP BY g) p USING (g)
JOIN (SELECT g, kpi_rollup(d) AS d FROM single GROUP BY g) s USING (g);
SELECT kpi_rollup(d) AS rolled_up FROM unnest('{"1:{1,2*2}",NULL,"1:{}","1:{2,3}"}'::kpi_durations[]) d;
SELECT kpi_rollup(d) AS no_rows FROM unnest('{}'::kpi_durations[]) d;
SELECT outcome($$SELECT kpi.kpi_rollup(d) FROM unnest('{"1:{1*9223372036854775807}","1:{2}"}'::kpi.kpi_durations[]) d$$);
SELECT outcome($$SELECT kpi.kpi_rollup(d) FROM unnest('{"1:{1*9223372036854775807}","1:{1,2,3}"}'::kpi.kpi_durations[]) d$$);

-- So it is in parallel.
CREATE TABLE serial AS
SELECT g, kpi_durations(duration) AS d FROM cycle GROUP BY GROUPING SETS ((), (g));
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT is_partial('SELECT kpi.kpi_durations(duration) FROM kpi.cycle') AS is_partial;
SELECT (SELECT kpi_durations(duration) FROM cycle) = d AS is_same FROM serial WHERE g IS NULL;
SELECT count(*) AS compared, count(*) FILTER (WHERE p.d <> s.d) AS different
FROM (SELECT g, kpi_durations(duration) AS d FROM cycle GROUP BY g) p JOIN serial s USING (g);
SELECT (SELECT kpi_rollup(d) FROM serial WHERE g IS NOT NULL) = d AS is_same FROM serial WHERE g IS NULL;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- As a window aggregate it is asked again and again and changes nothing by it.
SELECT n, kpi_durations(n % 3) OVER (ORDER BY n) AS running, kpi_rollup(kpi_durations(n % 2)) OVER (ORDER BY n) AS rolled_up
FROM generate_series(1::bigint, 7) n GROUP BY n ORDER BY n;

-- Stored states in frames that move: what leaves a frame is taken out again.
SELECT frame.first, frame.last, c.*
FROM (VALUES (-1, 0), (-2, 1), (1, 2), (-3, -2)) frame (first, last), LATERAL (
	SELECT count(*) AS compared, count(*) FILTER (WHERE got IS DISTINCT FROM wanted) AS different, count(*) FILTER (WHERE got IS NULL) AS empty
	FROM (
		SELECT CASE frame.first
				WHEN -1 THEN kpi_rollup(d) OVER (PARTITION BY g ORDER BY split RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)
				WHEN -2 THEN kpi_rollup(d) OVER (PARTITION BY g ORDER BY split RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING)
				WHEN 1 THEN kpi_rollup(d) OVER (PARTITION BY g ORDER BY split RANGE BETWEEN 1 FOLLOWING AND 2 FOLLOWING)
				ELSE kpi_rollup(d) OVER (PARTITION BY g ORDER BY split RANGE BETWEEN 3 PRECEDING AND 2 PRECEDING) END AS got,
			(SELECT kpi_durations(duration) FROM cycle c WHERE c.g = p.g AND c.split BETWEEN p.split + frame.first AND p.split + frame.last) AS wanted
		FROM (SELECT g, split, kpi_durations(duration) AS d FROM cycle GROUP BY g, split) p) v) c
ORDER BY frame.first DESC;

-- Large: one group of many values, and many groups; both kinds of storage.
CREATE TABLE large AS
SELECT kpi_durations(n * 7919 % 200003 * 1048576) AS one, count(*) AS n, sum(n * 7919 % 200003 * 1048576) AS sum
FROM generate_series(1::bigint, 200000) n;
SELECT pg_column_compression(one) IS NOT NULL AS is_compressed, kpi_count(one) = n AS same_count,
	kpi_mean(one) = round(sum::numeric(100, 40) / (n * 86400000000), 16) AS same_mean,
	one = (SELECT kpi_durations(n * 7919 % 200003 * 1048576) FROM generate_series(200000::bigint, 1, -1) n) AS same_in_reverse,
	one::text::kpi_durations = one AS same_as_text
FROM large;
CREATE TABLE plain (d kpi_durations);
ALTER TABLE plain ALTER d SET STORAGE external;
INSERT INTO plain SELECT one FROM large;
INSERT INTO plain VALUES ('1:{}'), ('1:{5}');
SELECT kpi_count(d), d = l.one AS is_large FROM plain, large l ORDER BY 1;
SELECT kpi_rollup(d) = (SELECT kpi_rollup(d) FROM (SELECT one AS d FROM large UNION ALL VALUES ('1:{5}'::kpi_durations)) v) AS is_same FROM plain;

CREATE TABLE many AS
SELECT n % 50000 AS g, kpi_durations(n * n) AS d, count(*) AS n, min(n * n) AS min FROM generate_series(1::bigint, 250000) n GROUP BY n % 50000;
SELECT count(*) AS groups, sum(kpi_count(d)) AS durations,
	count(*) FILTER (WHERE kpi_count(d) <> n OR kpi_quantile(d, 0) <> round(min::numeric(60, 40) / 86400000000, 16)) AS different
FROM many;
SELECT kpi_rollup(d) = (SELECT kpi_durations(n * n) FROM generate_series(1::bigint, 250000) n) AS is_same FROM many;

-- Numbers take as few bytes as all of them allow: seconds or microseconds, in four or eight; counts only where there are any.
CREATE TABLE kept (n integer GENERATED ALWAYS AS IDENTITY, d kpi_durations);
INSERT INTO kept (d) VALUES ('1:{}'), ('1:{1,2}'), ('1:{1000000,9000000}'), ('1:{4294967295}'), ('1:{4294967296}'), ('1:{4294967295000000}'), ('1:{4294967296000000}'),
	('1:{0,1*2,3}'), ('1:{1000000*2,3000000}'), ('1:{4294967296*2,4294967297}'), ('1:{1*4294967295}'), ('1:{1*4294967296}'), ('1:{-1,2}'), ('1:{-1000000,0*3}'), ('1:{-9223372036854775808,9223372036854775807}');
SELECT d, pg_column_size(d::text::kpi_durations) AS bytes, kpi_count(d), kpi_durations_send(d) = kpi_durations_send(d::text::kpi_durations) AS same_message FROM kept ORDER BY n;
-- Any two of them merge into what their numbers say.
CREATE FUNCTION tallies(d kpi_durations) RETURNS TABLE (value numeric, count numeric) LANGUAGE sql AS $$
	SELECT split_part(t, '*', 1)::numeric, coalesce(nullif(split_part(t, '*', 2), ''), '1')::numeric FROM regexp_split_to_table(trim(both '{}' FROM substr(d::text, 3)), ',') t WHERE t <> ''
$$;
SELECT count(*) AS pairs, count(*) FILTER (WHERE rolled_up::text IS DISTINCT FROM wanted OR rolled_up <> wanted::kpi_durations) AS different,
	count(*) FILTER (WHERE kpi_mean(rolled_up) IS DISTINCT FROM mean) AS different_means
FROM kept a, kept b, LATERAL (SELECT kpi_rollup(d) AS rolled_up FROM (VALUES (a.d), (b.d)) v(d)) r,
	LATERAL (SELECT '1:{' || coalesce(string_agg(value || CASE WHEN count > 1 THEN '*' || count ELSE '' END, ',' ORDER BY value), '') || '}' AS wanted,
				round(sum(value * count)::numeric(100, 40) / nullif(sum(count), 0) / 86400000000, 16) AS mean
			 FROM (SELECT value, sum(count) AS count FROM (SELECT * FROM tallies(a.d) UNION ALL SELECT * FROM tallies(b.d)) t GROUP BY value) t) w;

-- Equality: by hash, in rows, in either storage.
SELECT count(*) AS n, count(DISTINCT d::text) AS distinct_texts FROM (SELECT d FROM many UNION SELECT d FROM many) u;
SELECT (1, '1:{1}'::kpi_durations) IS DISTINCT FROM (1, '1:{1}'::kpi_durations) AS same_row,
	(1, '1:{1}'::kpi_durations) IS DISTINCT FROM (1, '1:{1*2}'::kpi_durations) AS other_row,
	'1:{1}'::kpi_durations = '1:{1}' AS eq, '1:{1}'::kpi_durations <> '1:{1}' AS ne,
	'1:{1}'::kpi_durations = '1:{1*2}' AS other_count, '1:{1}'::kpi_durations = '1:{2}' AS other_value;

-- An aggregate of one's own without final function hands out open states:
-- everything reads them all the same.
CREATE AGGREGATE open_durations(bigint) (SFUNC = kpi_durations_add, STYPE = kpi_durations);
CREATE TABLE open_state AS SELECT open_durations(4 - n % 3) AS d FROM generate_series(1::bigint, 10) n;
SELECT d, kpi_count(d), kpi_mean(d), kpi_quantile(d, 0.5), d = '1:{2*3,3*4,4*3}' AS eq, kpi_durations_send(d) = kpi_durations_send('1:{2*3,3*4,4*3}') AS same_message,
	kpi_durations_hash(d) = kpi_durations_hash('1:{2*3,3*4,4*3}') AS same_hash
FROM open_state;
SELECT kpi_rollup(d) AS rolled_up FROM (SELECT d FROM open_state UNION ALL SELECT d FROM open_state UNION ALL VALUES ('1:{1}'::kpi_durations)) u;
CREATE AGGREGATE from_five(bigint) (SFUNC = kpi_durations_add, STYPE = kpi_durations, INITCOND = '1:{5}', FINALFUNC = kpi_durations_final);
SELECT from_five(n) FROM generate_series(1::bigint, 3) n;

-- The transition functions change their state in place: they need an aggregate.
SELECT outcome('SELECT kpi.kpi_durations_add(''1:{1}'', 1)'), outcome('SELECT kpi.kpi_durations_combine(''1:{1}'', ''1:{1}'')');

DROP AGGREGATE open_durations(bigint), from_five(bigint);
DROP TABLE durations_received, kept, cycle, serial, large, plain, many, open_state;
DROP FUNCTION tallies(kpi_durations), outcome(text), is_partial(text), received(bytea);
