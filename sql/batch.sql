--
-- Aggregates worked out for a batch of rows at a time (kpi_execute) give what
-- the executor gives for the same statement.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA shop;

-- Of everything some values, some of them NULL; a column that was dropped.
SELECT setseed(0.5);
CREATE TABLE shop.data AS
SELECT k, 'gone' AS gone,
	   CASE WHEN random() < 0.9 THEN (random() * 6 - 3)::smallint END AS i2,
	   CASE WHEN random() < 0.9 THEN (random() * 10 - 5)::integer END AS i4,
	   CASE WHEN random() < 0.9 THEN (random() * 1e4)::bigint * 10000019 END AS i8,
	   CASE WHEN random() < 0.9 THEN (random() * 1e4)::numeric(8, 2) - 3000 END AS n,
	   CASE WHEN random() < 0.9 THEN (ARRAY['', 'call', 'email', 'Ärger', 'a much longer text than that', repeat('x', 3000)])[1 + floor(random() * 6)] END AS t,
	   CASE WHEN random() < 0.9 THEN date '2024-01-01' + (random() * 700)::integer END AS d,
	   CASE WHEN random() < 0.9 THEN timestamptz '2024-01-01' + random() * interval '700 days' WHEN random() < 0.3 THEN 'infinity' END AS ts,
	   CASE WHEN random() < 0.8 THEN random() < 0.5 END AS b,
	   md5(k::text)::uuid AS u
  FROM generate_series(1, 1500) k;
ALTER TABLE shop.data DROP COLUMN gone;
CREATE TYPE shop.pair AS (a integer, b text);
CREATE TABLE shop.whole AS SELECT * FROM shop.data;	-- nothing dropped here

CREATE FUNCTION shop.parameters() RETURNS kpi_parameters
LANGUAGE sql AS $$
	SELECT ROW(NULL, NULL, NULL, timestamptz '2024-12-01', NULL,
			   (SELECT kpi_dictionary(x, f, NULL, y, z) FROM (VALUES ('call', NULL, 'c', 'C'), ('email', NULL, 'e', NULL), ('email', timestamptz '2024-08-01', 'e2', 'E2')) v(x, f, y, z)),
			   NULL, (SELECT kpi_dictionary(i8::text, NULL, NULL, n, NULL::numeric, ts, t, NULL) FROM shop.data WHERE k <= 300),
			   (SELECT kpi_dictionary(NULL, NULL, NULL, NULL, NULL)), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::kpi_parameters
$$;

-- A query as kpi_execute works it out, and as the executor does.
CREATE FUNCTION shop.by_batches(query text) RETURNS text[]
LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT x.result FROM kpi_execute(query, shop.parameters(), generic => true) AS x(result text[]));
EXCEPTION WHEN OTHERS THEN
	RETURN ARRAY[SQLSTATE, SQLERRM];
END
$$;
CREATE FUNCTION shop.by_executor(query text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	result text[];
	p kpi_parameters := shop.parameters();
BEGIN
	EXECUTE query INTO result USING NULL::timestamptz[], NULL::date[], NULL::timestamptz[], p.as_of, NULL::kpi_dictionary, p.accounts, NULL::kpi_dictionary, p.stages, p.leads;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN ARRAY[SQLSTATE, SQLERRM];
END
$$;

-- The parameters are those of kpi_parameters; their names follow.
SELECT attnum, attname FROM pg_attribute WHERE attrelid = 'kpi_parameters'::regclass AND attnum IN (4, 6, 8, 9) ORDER BY attnum;

CREATE FUNCTION shop.pieces(n integer) RETURNS integer[] LANGUAGE plpgsql STABLE AS $$ DECLARE x integer[] := ARRAY[n]; BEGIN x := x || 2; RETURN x; END $$;

CREATE FUNCTION shop.more(x anyelement) RETURNS anyelement LANGUAGE plpgsql STABLE AS $$ DECLARE y x%TYPE := x; BEGIN y := y || 3; RETURN y; END $$;
CREATE DOMAIN shop.few AS integer[] CHECK (array_length(VALUE, 1) < 9);

CREATE TABLE shop.expression (n integer GENERATED ALWAYS AS IDENTITY, value text);
INSERT INTO shop.expression (value) VALUES
	-- comparisons
	('i2 = 1'), ('i2 = i4'), ('i4 < 2'), ('i4 <= i2'), ('i4 > -1'), ('i4 >= 0'), ('i4 = -5'), ('i4 <> 3'), ('i8 < 50000000000'), ('i8 <= 0'), ('i8 > i4'), ('i8 >= 10000019'), ('i8 = 10000019'),
	('d < ''2025-01-01'''), ('d <= ''2025-01-01'''), ('d > ''2025-01-01'''), ('d >= ts::date'), ('d = ''2025-01-01'''), ('ts < $4'), ('ts <= $4'), ('ts > $4'), ('ts >= $4'), ('ts = ''infinity'''), ('isfinite(ts)'),
	('n > 0'), ('n < i4'), ('u < md5(''500'')::uuid'), ('kpi_is_infinite(n)'),
	-- texts
	('t = ANY (''{}''::text[])'), ('t <> ALL (''{}''::text[])'), ('t = ''call'''), ('t <> ''call'''), ('''call'' = t'), ('t = t'), ('t = NULL'), ('t COLLATE "C" = ''Ärger'''), ('t IN (''call'', ''email'')'), ('t NOT IN (''call'', repeat(''x'', 3000))'), ('t IN (''call'', NULL)'), ('t = ANY (ARRAY[''call'', t])'),
	('t LIKE ''a%'''), ('t < ''call'''), ('CASE i4 WHEN 1 THEN ''call'' WHEN 2 THEN ''email'' ELSE ''other'' END = ''call'''), ('CASE i4 WHEN 1 THEN ''call'' WHEN 2 THEN ''email'' WHEN 3 THEN ''demo'' END IN (''call'', ''demo'')'),
	-- conditions
	('b AND i4 > 0'), ('b OR i4 > 0'), ('NOT b'), ('b AND NULL'), ('b OR NULL'), ('b AND i4 > 0 AND (t = ''call'' OR n > 0)'), ('NOT (b AND i2 > 0) OR NOT (i4 > 0 AND b)'),
	('b IS NULL'), ('b IS NOT NULL'), ('b IS TRUE'), ('b IS NOT TRUE'), ('b IS FALSE'), ('b IS NOT FALSE'), ('b IS UNKNOWN'), ('b IS NOT UNKNOWN'), ('(i4 > 0) IS NOT TRUE'), ('ROW(i2, i4) IS NULL'), ('i2 IS DISTINCT FROM i4'),
	-- what must not be worked out for all rows
	('CASE WHEN i4 <> 0 THEN 10 / i4 END'), ('i4 <> 0 AND 10 / i4 > 2'), ('i4 = 0 OR 10 / i4 > 2'), ('coalesce(CASE WHEN i4 > 0 THEN 10 / i4 END, CASE WHEN i4 < 0 THEN 10 / i4 END)'), ('CASE WHEN i4 > 0 THEN 10 / i4 WHEN i2 > 0 THEN 10 / i2 ELSE -1 END'),
	('10 / i4'), ('coalesce(i2, 10 / i4)'),
	-- the other kinds
	('CASE i4 WHEN 1 THEN ''one'' WHEN i2 THEN ''as i2'' ELSE t END'), ('CASE i4 WHEN CASE i2 WHEN 1 THEN 1 END THEN ''one'' END'), ('CASE WHEN b THEN i4 END'), ('coalesce(i2, i4, 7)'), ('coalesce(t, ''none'')'), ('nullif(t, '''')'), ('nullif(i4, i2)'), ('nullif(n, NULL)'),
	('greatest(i2, i4)'), ('least(i8, i4, 0)'), ('greatest(n, NULL, i4)'), ('least(t COLLATE "C", ''b'')'), ('greatest(ts, $4)'), ('nullif(greatest(i4, -1), -1)'),
	('kpi_id_text(i8)'), ('kpi_id_text(i4)'), ('kpi_id_text(i2)'), ('kpi_id_text(k)'), ('i2::text'), ('i4::text'), ('i8::text'), ('u::text'), ('n::text'), ('i8::integer'), ('i4::bigint * i8'), ('-n * 2 + i4'),
	('d::timestamp AT TIME ZONE ''Europe/Berlin'''), ('(ts AT TIME ZONE ''Europe/Berlin'')::date'), ('d::timestamptz'), ('kpi_microseconds(ts, $4)'), ('ts::date - d'),
	('(v).i2'), ('(v).t = ''call'''), ('(CASE WHEN b THEN v END).i8'), ('(ROW(i4, t)::shop.pair).b'),
	('ARRAY[i2, i4]'), ('(SELECT max(x) FROM unnest(ARRAY[i4, 3]) x)'), ('(SELECT sum(v.i2) FROM shop.whole v WHERE v.k <= 20 AND v.i2 < data.i4)'), ('array_length(ARRAY[1, 2], 1) + i4'), ('(ARRAY[''a'', ''b''])[i4]'), ('t || coalesce(t, ''!'')'),
	-- what a subquery gives, which is freed for the next row
	('(SELECT v.t FROM shop.whole v WHERE v.k = data.k % 40 + 1)'), ('(SELECT v.n FROM shop.whole v WHERE v.k = data.k)'), ('coalesce((SELECT v.t FROM shop.whole v WHERE v.k = data.k % 40), t)'),
	('CASE WHEN b THEN (SELECT v.t FROM shop.whole v WHERE v.k = data.k % 40) ELSE t END'), ('greatest((SELECT v.t FROM shop.whole v WHERE v.k = data.k % 40), t)'),
	('(SELECT array_agg(v.i4 ORDER BY v.k) FROM shop.whole v WHERE v.k <= 30 AND v.i2 = data.i2)'), ('(SELECT v FROM shop.whole v WHERE v.k = data.k % 7)'),
	('nullif((SELECT v.t FROM shop.whole v WHERE v.k = data.k % 40), (SELECT v.t FROM shop.whole v WHERE v.k = data.i4))'),
	-- look-ups
	('kpi_lookup($6, t, 1, ts)'), ('kpi_lookup($6, t, 2, NULL)'), ('kpi_lookup($6, nullif(t, ''''), i4, ts)'), ('kpi_knows($6, t)'), ('kpi_lookup_first($6, t)'), ('kpi_lookup($6, t, 3, ts)'), ('kpi_lookup_number($6, t, 1, ts)'), ('kpi_lookup(NULL, t, 1, ts)'), ('kpi_knows(NULL, t)'),
	('kpi_lookup_number($8, kpi_id_text(i8), 1, ts)'), ('kpi_lookup_instant($8, kpi_id_text(i8), 3, NULL)'), ('kpi_lookup($8, i8::text, 4, $4)'), ('kpi_lookup($8, i4::text, 4, $4)'), ('kpi_knows($8, kpi_id_text(i8)) AND kpi_lookup_number($8, kpi_id_text(i8), 1, NULL) > 0'),
	('kpi_lookup($9, t, 1, ts)'), ('kpi_knows($9, t)'), ('kpi_lookup(CASE WHEN b THEN $6 ELSE $9 END, t, 1, ts)');

-- None differs, whatever the number of rows.
CREATE FUNCTION shop.query(value text, rows integer, relation text) RETURNS text
LANGUAGE sql AS $$
	SELECT format('SELECT ARRAY[a.list, a.some, a.number::text] FROM (SELECT string_agg(coalesce(v::text, ''NULL''), '','') AS list, string_agg(w::text, '','') FILTER (WHERE b IS NOT FALSE AND k > 1) AS some, count(w) AS number'
				  ' FROM (SELECT s.*, v AS w FROM (SELECT k, b, %s AS v FROM (SELECT data.*, data AS v FROM shop.%I AS data WHERE k <= %s OFFSET 0) data OFFSET 0) s OFFSET 0) s OFFSET 0) a', value, relation, rows)
$$;
CREATE TABLE shop.outcome AS
SELECT n, value, rows, shop.by_batches(query) AS batches, shop.by_executor(query) AS executor
  FROM shop.expression, unnest('{0,1,255,256,257,512,1500}'::integer[]) rows, LATERAL shop.query(value, rows, CASE WHEN rows % 2 = 0 THEN 'whole' ELSE 'data' END) query;
SELECT n, value, rows, left(batches::text, 100) AS batches, left(executor::text, 100) AS executor
  FROM shop.outcome WHERE batches IS DISTINCT FROM executor ORDER BY n, rows;
-- Some do say something, and errors are errors.
SELECT count(*) AS expressions, count(DISTINCT batches) > 100 AS vary FROM shop.outcome WHERE rows = 1500;
SELECT value, batches[1] AS error FROM shop.outcome WHERE rows = 1500 AND batches[1] ~ '^\d{5}$' ORDER BY n;

-- Aggregates of all kinds: strict, with a state by value or by reference, with an initial one, with a final function.
CREATE TABLE shop.aggregate (n integer GENERATED ALWAYS AS IDENTITY, value text);
INSERT INTO shop.aggregate (value) VALUES
	('count(*)'), ('count(t)'), ('count(*) FILTER (WHERE b)'), ('sum(i4)'), ('sum(n)'), ('avg(n)::numeric(20, 8)'), ('avg(i8)::numeric(20, 4)'), ('min(ts)'), ('max(ts) FILTER (WHERE i4 > 2)'), ('min(t COLLATE "C")'), ('max(n)'), ('min(i2) FILTER (WHERE false)'),
	('bool_and(b)'), ('array_agg(i4)'), ('string_agg(t, i4::text)'), ('kpi_smallest(u::text)'), ('kpi_smallest(t) FILTER (WHERE n > 0)'), ('count(DISTINCT t)'), ('string_agg(t, '','' ORDER BY t COLLATE "C", k)'), ('percentile_disc(0.5) WITHIN GROUP (ORDER BY n)'),
	('kpi_lookup(kpi_dictionary(t, ts, NULL, i4::text, u::text), ''call'', 1, $4)'),
	('kpi_cube(ARRAY[timestamptz ''2024-03-01'', ''2024-06-01'', $4, ''2025-09-01''], ''a=1;b=2;ab=1,2;total / c=2 m=2 e=1 f=1 d=1'', ts, t, i4::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, b, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, n, i4 * n / 3, NULL, NULL, NULL, NULL, i8::text, NULL, i2::text, b, i8)'),
	('kpi_cube(ARRAY[date ''2024-03-01'', ''2024-06-01'', ''2025-09-01''], ''a=1;total / c=1 m=1 e=2 f=0 d=0'', d, CASE WHEN i4 > 0 THEN t END, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, i4 > 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, n, NULL, NULL, NULL, NULL, NULL, t, i8::text, NULL, NULL, NULL) FILTER (WHERE b IS NOT FALSE)'),
	('kpi_stock(ARRAY[timestamptz ''2024-03-01'', ''2024-06-01'', $4, ''2025-09-01''], ''a=1;total / c=1 m=2'', ts, d::timestamptz, t, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, NULL, NULL, NULL, n, CASE WHEN i2 > 0 THEN 1e40 * i4 END, NULL, NULL)'),
	('kpi_cube(ARRAY[date ''2024-03-01'', ''2024-06-01''] || d, ''total / c=1 m=0 e=0 f=0 d=0'', d, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) FILTER (WHERE k = 1)');
TRUNCATE shop.outcome;
INSERT INTO shop.outcome
SELECT n, left(value, 60), rows, shop.by_batches(query), shop.by_executor(query)
  FROM shop.aggregate, unnest('{0,1,300,1500}'::integer[]) rows,
	   LATERAL format('SELECT ARRAY[a.x::text] FROM (SELECT %s AS x FROM (SELECT * FROM shop.data WHERE k <= %s OFFSET 0) s OFFSET 0) a', value, rows) query;
SELECT n, value, rows, left(batches::text, 100) AS batches, left(executor::text, 100) AS executor
  FROM shop.outcome WHERE batches IS DISTINCT FROM executor ORDER BY n, rows;
SELECT n, value, batches FROM shop.outcome WHERE rows = 1500 AND batches[1] ~ '^[0-9A-Z]{5}$' ORDER BY n;

-- A column of few values, of which expressions are worked out once for each, that turn out to be many.
CREATE TABLE shop.many AS
SELECT k, nullif(least(k % 3000, k / 3), 7) AS x, nullif(concat(repeat('x', k % 4 * 50), least(k % 1000, k / 9)), '') AS t, nullif(left(concat(k / 50, 'y', repeat('x', k / 50)), 300), '5y') AS y, concat(k / 3, repeat('z', 200)) AS z
  FROM generate_series(0, 20000) k;
SELECT value, bool_and(batches = executor) AS same, max(batches[1]) FILTER (WHERE rows = 20000) ~ '^[0-9a-f]{32}$' AS is_there, count(DISTINCT batches) AS vary
  FROM unnest(ARRAY['x + 1', 'x::text', 'CASE WHEN x % 7 = 0 THEN x::text WHEN x < 5000 THEN ''o'' || x END', 'coalesce(x, -1) IN (-1, 3, 4999)', 'repeat(x::text, 100)', 'upper(t)', 't = ''30''', 't IS NULL OR t LIKE ''%7''', 'repeat(t, 3)',
					'length(y)', 'y > ''4''', 'k % 5', 'repeat(k::text, k % 10)', 'left(z, -198)', 'coalesce(x::text, t)']) value, unnest('{100,1000,9000,20000}'::integer[]) rows,
	   LATERAL format('SELECT ARRAY[md5(string_agg(concat(s.v), '','')), count(s.v)::text] FROM (SELECT %s AS v FROM shop.many WHERE k <= %s OFFSET 0) s', value, rows) query,
	   LATERAL (SELECT shop.by_batches(query) AS batches, shop.by_executor(query) AS executor) o
 GROUP BY value ORDER BY value COLLATE "C";

-- A function that wrongly says it is stable: NULL is not taken for a text.
CREATE FUNCTION shop.shaky(x integer) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN CASE WHEN random() < 0.5 THEN x::text END; END';
SELECT (shop.by_batches('SELECT ARRAY[string_agg(shop.shaky(s.x), '''')] FROM (SELECT x FROM shop.many WHERE k <= 250 OFFSET 0) s'))[1] ~ '^\d+$' AS is_text;

-- Rows from a join, from a window, from a union, and for each of others; whole rows of a subquery; all rows in two groups.
SELECT n, shop.by_batches(query) = shop.by_executor(query) AS same, (shop.by_batches(query))[1] <> '' AS is_there
  FROM unnest(ARRAY[
	'SELECT ARRAY[string_agg(array_to_string(array_append(shop.pieces(1), s.k), '',''), '' '')] FROM (SELECT k FROM shop.whole WHERE k < 5 OFFSET 0) s',
	'SELECT ARRAY[string_agg(array_to_string(array_append(shop.pieces(s.k), 9), '',''), '' '') || string_agg(array_to_string(shop.pieces(s.k), '',''), '' '')] FROM (SELECT k FROM shop.whole WHERE k < 5 OFFSET 0) s',
	'SELECT ARRAY[string_agg(array_to_string(array_append(s.x, 9), '',''), '' '') || string_agg(array_to_string(s.x, '',''), '' '')] FROM (SELECT shop.more(ARRAY[k]) AS x FROM shop.whole WHERE k < 5 OFFSET 0) s',
	'SELECT ARRAY[string_agg(array_to_string(array_append(s.x, 9), '',''), '' '') || string_agg(array_to_string(s.x, '',''), '' '')] FROM (SELECT shop.pieces(k)::shop.few AS x FROM shop.whole WHERE k < 5 OFFSET 0) s',
	'SELECT ARRAY[string_agg(q.x, '','')] FROM (VALUES (''UTC''), (''Asia/Tokyo''), (''America/New_York'')) z(name), LATERAL (SELECT max(s.y)::text AS x FROM (SELECT timezone(z.name, d::timestamp) AS y FROM shop.data OFFSET 0) s) q',
	'SELECT ARRAY[string_agg(s.x || s.y, '','')] FROM (SELECT a.t AS x, kpi_id_text(b.i8) AS y FROM shop.data a JOIN shop.data b ON a.k = b.k + 1 OFFSET 0) s',
	'SELECT ARRAY[string_agg(s.x::text, '',''), count(s.y)::text] FROM (SELECT lead(d) OVER (PARTITION BY i4 ORDER BY k) AS x, nullif(t, '''') AS y FROM shop.data OFFSET 0) s',
	'SELECT ARRAY[string_agg(concat_ws(''/'', s.k, s.x, s.y, ARRAY[s.y], s.z), '','')] FROM (SELECT k, lead(ts) OVER w AS x, lead(t) OVER w AS y, lead(t) OVER w || lead(k) OVER w AS z FROM shop.data WINDOW w AS (PARTITION BY i2, b ORDER BY ts, k) OFFSET 0) s',
	'SELECT ARRAY[string_agg(concat_ws(''/'', s.k, s.x), '','')] FROM (SELECT k, lead(n) OVER (ORDER BY k DESC) AS x FROM shop.data OFFSET 0) s',
	'SELECT ARRAY[string_agg(concat_ws(''/'', s.k, s.x), '','')] FROM (SELECT k, lead(n) OVER (PARTITION BY k % 250 ORDER BY k) AS x FROM shop.data WHERE k <= 512 OFFSET 0) s',
	'SELECT ARRAY[string_agg(concat_ws(''/'', s.k, s.x), '','')] FROM (SELECT k, lead(n, 2) OVER (PARTITION BY i4 ORDER BY k) AS x FROM shop.data OFFSET 0) s',
	'SELECT ARRAY[count(s.x)::text, count(*)::text] FROM (SELECT lead(n) OVER (ORDER BY k) AS x FROM shop.data WHERE k < 0 OFFSET 0) s',
	'SELECT ARRAY[count(s.k)::text] FROM (SELECT k, lead(n) OVER (ORDER BY k) AS x FROM shop.data OFFSET 0) s',
	'SELECT ARRAY[sum(s.x)::text] FROM (SELECT i4 AS x FROM shop.data UNION ALL SELECT i2 FROM shop.whole) s',
	'SELECT array_agg(s.x::text ORDER BY g) FROM generate_series(-3, 3) g, LATERAL (SELECT count(*) FILTER (WHERE i4 < g) AS x, max(CASE WHEN i2 = g THEN t END) AS y FROM shop.data OFFSET 0) s',
	'SELECT array_agg(s.x ORDER BY g) FROM generate_series(-3, 3) g, LATERAL (SELECT string_agg(w.x::text, '','') AS x FROM (SELECT lead(k) OVER (ORDER BY i4 < g, k) AS x FROM shop.data WHERE k <= 300 + g OFFSET 0) w OFFSET 0) s',
	'SELECT array_agg((SELECT sum(d.i4)::text FROM shop.data d WHERE d.i2 = g) ORDER BY g) FROM generate_series(-3, 3) g',
	'WITH c AS MATERIALIZED (SELECT * FROM shop.data WHERE b) SELECT ARRAY[count(*)::text, (SELECT count(*) FROM c WHERE i4 > 0)::text] FROM c',
	'SELECT ARRAY[count(s)::text, string_agg(s::text, ''''), max(s.t)] FROM (SELECT k, i4, t FROM shop.data OFFSET 0) s',
	'SELECT ARRAY[string_agg(concat_ws(''/'', s.x, to_json(s.r)), '','')] FROM (SELECT lead(r.k) OVER (ORDER BY r.i4, r.k) AS x, r FROM (SELECT k, i4, t FROM shop.data OFFSET 0) r OFFSET 0) s',
	'SELECT ARRAY[string_agg(s.x, '','')] FROM (SELECT count(*)::text AS x FROM shop.data GROUP BY GROUPING SETS ((), ())) s'
  ]) WITH ORDINALITY q(query, n) ORDER BY n;

-- Rows are sorted by keys of all types, in memory and when there is little of it; also in an order of one's own.
CREATE FUNCTION shop.smaller(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT (abs($1), $1) < (abs($2), $2)';
CREATE FUNCTION shop.by_size(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN shop.smaller($1, $2) THEN -1 WHEN $1 = $2 THEN 0 ELSE 1 END';
CREATE OPERATOR shop.<<< (FUNCTION = shop.smaller, LEFTARG = integer, RIGHTARG = integer);
CREATE FUNCTION shop.larger(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT shop.smaller($2, $1)';
CREATE OPERATOR shop.>>> (FUNCTION = shop.larger, LEFTARG = integer, RIGHTARG = integer);
CREATE OPERATOR CLASS shop.by_size FOR TYPE integer USING btree AS OPERATOR 1 shop.<<<, OPERATOR 3 =, OPERATOR 5 shop.>>>, FUNCTION 1 shop.by_size(integer, integer);
CREATE TABLE shop.sort_key (n integer GENERATED ALWAYS AS IDENTITY, value text);
INSERT INTO shop.sort_key (value) VALUES
	('i2'), ('i2 DESC'), ('i4 NULLS FIRST'), ('i4 DESC NULLS LAST'), ('i8'), ('i8 DESC'), ('n'), ('n DESC NULLS LAST'), ('t COLLATE "C"'), ('t COLLATE "C" DESC'), ('t'), ('left(t, 2) COLLATE "C", i4'), ('d'), ('d DESC'), ('ts'), ('ts NULLS FIRST'), ('b'), ('b DESC, i2 DESC'),
	('u'), ('u DESC'), ('md5((k % 30)::text)::uuid NULLS FIRST'), ('t::varchar'), ('CASE k % 5 WHEN 0 THEN -9223372036854775808 WHEN 1 THEN 9223372036854775807 WHEN 2 THEN NULL ELSE i8 END'),
	('CASE k % 5 WHEN 0 THEN -9223372036854775808 WHEN 1 THEN 9223372036854775807 WHEN 2 THEN NULL ELSE i8 END DESC'), ('CASE k % 3 WHEN 0 THEN timestamp ''-infinity'' WHEN 1 THEN ''infinity'' END'), ('kpi_id_text(i8), i4'), ('k * 7 % 1499'),
	('(''0065g00000QX'' || abs(i4)) COLLATE "C"'), ('left(''0065g00000QXYZ'', 10 + abs(i4)) COLLATE "C" DESC NULLS LAST'), ('repeat(''Z'', 12 + i4 * 0) COLLATE "C"'), ('i4 USING OPERATOR(shop.<<<)'), ('i4 USING OPERATOR(shop.>>>) NULLS LAST');
CREATE FUNCTION shop.sorted(value text, rows integer) RETURNS text
LANGUAGE sql AS $$
	SELECT format('SELECT ARRAY[string_agg(concat_ws(''/'', s.k, s.x, s.y, left(s.t, 5), s.b), '',''), count(s.z)::text] FROM (SELECT k, t, b, lead(k) OVER w AS x, lead(n) OVER w AS y, lead(u) OVER w AS z'
				  ' FROM shop.data WHERE k <= %s WINDOW w AS (%s ORDER BY %s, k) OFFSET 0) s', rows, CASE WHEN rows % 2 = 0 THEN 'PARTITION BY i2 % 2, b' ELSE '' END, value)
$$;
TRUNCATE shop.outcome;
INSERT INTO shop.outcome SELECT n, value, rows, shop.by_batches(query), shop.by_executor(query) FROM shop.sort_key, unnest('{0,1,256,257,1500,1499}'::integer[]) rows, LATERAL shop.sorted(value, rows) query;
SET LOCAL work_mem = '64kB';
INSERT INTO shop.outcome SELECT n, value, rows, shop.by_batches(query), shop.by_executor(query) FROM shop.sort_key, unnest('{300,1500,1499}'::integer[]) rows, LATERAL shop.sorted(value, rows) query;
RESET work_mem;
SELECT n, value, rows, left(batches::text, 100) AS batches, left(executor::text, 100) AS executor
  FROM shop.outcome WHERE batches IS DISTINCT FROM executor ORDER BY n, rows;
SELECT count(*) AS sorts, count(*) FILTER (WHERE length(batches[1]) > 1000) > 100 AS say_something FROM shop.outcome;

-- The ways of opportunities through stages: some have more rows than a batch, or are not known, or never were in a stage.
CREATE TABLE shop.history AS
SELECT n, CASE WHEN n <= 700 THEN 1 WHEN n % 50 = 0 THEN NULL ELSE 2 + (n * 7919) % 400 END AS deal,
	   CASE WHEN random() < 0.95 THEN timestamptz '2024-01-01' + floor(random() * 300) * interval '1 day' END AS valid_from,
	   CASE WHEN random() < 0.3 THEN timestamptz '2024-01-01' + floor(random() * 400) * interval '1 day' END AS valid_to,
	   (ARRAY['new', 'talks', 'offer', 'won', 'lost', 'strange', '', NULL])[1 + floor(random() * 8)] AS stage,
	   (ARRAY['open', 'won', 'lost'])[1 + floor(random() * 9)] AS status, (ARRAY['a', 'b'])[1 + floor(random() * 3)] AS rep
  FROM generate_series(1, 4000) n;
CREATE FUNCTION shop.ways(key text, names text, closed_at text, rest text, rows integer) RETURNS text
LANGUAGE sql AS $$
	SELECT format($q$
SELECT ARRAY[sum(hashtextextended(concat_ws('/', s.deal, s.stage, s.rep, s.entered, s.advanced, s.since, s.at, s.by_closing), 0)::numeric)::text, count(*)::text, count(*) FILTER (WHERE entered)::text, count(*) FILTER (WHERE by_closing)::text, max(s.at)::text]
  FROM (SELECT deal, (e).stage, (e).keys[1] AS rep, (e).entered, (e).advanced, (e).since, (e).at, (e).by_closing
		  FROM (SELECT deal, unnest(kpi.kpi_stage_events(steps, %2$s, '{1,2,3,NULL}', '{open,open,open,won}', %3$s, deal ~ '3')) AS e
				  FROM (SELECT %1$s AS deal, array_agg(ROW(valid_from, valid_to, stage, status, ARRAY[rep])::kpi.kpi_step) AS steps FROM shop.history WHERE n <= %5$s GROUP BY 1 OFFSET 0) h %4$s) w OFFSET 0) s$q$,
		key, names, closed_at, rest, rows)
$$;
TRUNCATE shop.outcome;
INSERT INTO shop.outcome
SELECT row_number() OVER (), concat_ws(' ', key, names, closed_at, rest, memory, hashed), rows, shop.by_batches(query), shop.by_executor(query)
  FROM unnest(ARRAY['deal::text', '(deal % 60)::text COLLATE "C"', '''all''::text']) key, unnest(ARRAY['''{new,talks,offer,won}''', 'NULL::text[]']) names,
	   unnest(ARRAY['NULL', 'CASE WHEN deal ~ ''[1-4]$'' THEN timestamptz ''2024-09-01'' END', '$4']) closed_at, unnest(ARRAY['', 'WHERE deal !~ ''7''', 'WHERE length(deal) = 2 AND deal <> ''16''']) rest,
	   unnest('{0,1,256,1200,4000}'::integer[]) rows, unnest('{4MB,64kB,64kB}'::text[], '{on,on,off}'::text[]) setting(memory, hashed),
	   LATERAL (SELECT set_config('work_mem', memory, true), set_config('enable_hashagg', hashed, true)) c, LATERAL shop.ways(key, names, closed_at, rest, rows) query;
RESET work_mem;
RESET enable_hashagg;
SELECT value, rows, batches, executor FROM shop.outcome WHERE batches IS DISTINCT FROM executor ORDER BY n;
SELECT count(*) AS queries, count(*) FILTER (WHERE batches[3]::integer > 100) > 50 AS enter, count(*) FILTER (WHERE batches[4]::integer > 10) > 20 AS close, count(DISTINCT batches) > 30 AS vary FROM shop.outcome;
SELECT shop.by_batches(query) = shop.by_executor(query) AS same, (shop.by_batches(query))[3]::integer > 100 AS enter FROM shop.ways('deal::text', '''{new,talks,offer,won}''', 'NULL', 'WHERE h IS NOT NULL', 1200) query;

-- The same for each of some rows: three events for each opportunity that it names.
CREATE TABLE shop.short AS SELECT deal, timestamptz '2024-01-01' + s * interval '1 day' AS valid_from, (ARRAY['new', 'talks'])[s] AS stage FROM generate_series(1, 20) deal, generate_series(1, 2) s;
CREATE TABLE shop.named AS SELECT k, deal FROM generate_series(1, 3) k, generate_series(1, k) deal;
SET LOCAL enable_nestloop = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_sort = off;
SELECT shop.by_batches(query) AS batches
  FROM (VALUES ($q$SELECT ARRAY(SELECT (
	SELECT count(*)::text
	  FROM (SELECT (e).stage
			  FROM (SELECT unnest(kpi.kpi_stage_events(steps, '{new,talks}', '{1,2}', '{open,open}', NULL, false)) AS e
					  FROM (SELECT deal, array_agg(ROW(valid_from, NULL, stage, NULL, NULL)::kpi.kpi_step) AS steps
							  FROM (SELECT s.* FROM shop.short s JOIN shop.named n ON n.deal = s.deal AND n.k = o.k UNION ALL SELECT * FROM shop.short WHERE deal > 100) u
							 GROUP BY deal OFFSET 0) h) w OFFSET 0) s) FROM generate_series(1, 3) o(k))$q$)) v(query);
RESET enable_nestloop;
RESET enable_mergejoin;
RESET enable_sort;

-- Batches are what it is: but not where a function is volatile.  (Once before, or newer servers tell here how their caches grow.)
SELECT count(*) FROM kpi_execute(shop.sorted('i4, random()', 4000), shop.parameters(), generic => true) AS x(n text[]);
SET LOCAL client_min_messages = debug1;
SELECT x.n IS NOT NULL AS is_there FROM kpi_execute(shop.ways('deal::text', 'ARRAY[''new'', ''talks'', ''offer'', ''won'']', 'NULL', '', 4000), shop.parameters(), generic => true) AS x(n text[]);
SET LOCAL enable_hashagg = off;
SELECT x.n IS NOT NULL AS is_there FROM kpi_execute(shop.ways('deal::text', 'ARRAY[''new'', ''talks'', ''offer'', ''won'']', 'NULL', '', 4000), shop.parameters(), generic => true) AS x(n text[]);
SELECT x.n IS NOT NULL AS is_there FROM kpi_execute(shop.sorted('i4', 4000), shop.parameters(), generic => true) AS x(n text[]);
SELECT x.n IS NOT NULL AS is_there FROM kpi_execute(shop.sorted('i4, random()', 4000), shop.parameters(), generic => true) AS x(n text[]);
SELECT x.n > 0 AS is_there FROM kpi_execute('SELECT count(*) FILTER (WHERE i4 > 0) FROM shop.data', shop.parameters(), generic => true) AS x(n bigint);
SELECT x.n > 0 AS is_there FROM kpi_execute('SELECT count(*) FILTER (WHERE i4 > 0 AND random() < 2) FROM shop.data', shop.parameters(), generic => true) AS x(n bigint);
SET LOCAL client_min_messages = warning;

-- What it is can be explained, which an administrator may have done with every statement.
LOAD 'auto_explain';
SET LOCAL auto_explain.log_min_duration = 0;
SET LOCAL auto_explain.log_nested_statements = on;
SET LOCAL auto_explain.log_verbose = on;
SET LOCAL auto_explain.log_level = debug5;
SELECT (shop.by_batches(query))[1] ~ '^[0-9A-Z]{5}$' AS is_error
  FROM unnest(ARRAY[
	'SELECT ARRAY[string_agg(concat_ws(''/'', s.k, s.x, s.y, ARRAY[s.y]), '','')] FROM (SELECT k, lead(ts) OVER w AS x, lead(t) OVER w AS y FROM shop.data WINDOW w AS (PARTITION BY i2, b ORDER BY ts, k) OFFSET 0) s',
	'SELECT ARRAY[string_agg(s.x || s.y, '','') FILTER (WHERE kpi_knows($6, s.x)), count(*)::text] FROM (SELECT a.t AS x, kpi_id_text(b.i8) AS y FROM shop.data a JOIN shop.data b ON a.k = b.k + 1 OFFSET 0) s',
	'SELECT ARRAY[string_agg(kpi_id_text(s.i8), '','')] FROM (SELECT * FROM shop.whole OFFSET 0) s']) query;
SET LOCAL auto_explain.log_min_duration = -1;

-- Who may not call a function may not do so in batches.
CREATE FUNCTION shop.secret(x integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x; END';
REVOKE EXECUTE ON FUNCTION shop.secret(integer) FROM PUBLIC;
CREATE ROLE salkpi_batch_reader;
GRANT USAGE ON SCHEMA kpi, shop TO salkpi_batch_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO salkpi_batch_reader;
SET LOCAL ROLE salkpi_batch_reader;
SELECT x.n IS NOT NULL AS is_there FROM kpi_execute('SELECT sum(i4) FROM shop.data', ROW(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::kpi_parameters, generic => true) AS x(n bigint);
SAVEPOINT before;
SELECT * FROM kpi_execute('SELECT sum(shop.secret(i4)) FROM shop.data', ROW(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::kpi_parameters, generic => true) AS x(n bigint);
ROLLBACK TO before;
RESET ROLE;

-- The functions of an aggregate are executed for its owner.
CREATE FUNCTION shop.added(state integer, x integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT state + x';
REVOKE EXECUTE ON FUNCTION shop.added(integer, integer) FROM PUBLIC;
CREATE AGGREGATE shop.total(integer) (SFUNC = shop.added, STYPE = integer, INITCOND = '0', FINALFUNC = shop.secret);
SET LOCAL ROLE salkpi_batch_reader;
SELECT x.n FROM kpi_execute('SELECT shop.total(k) FROM shop.data WHERE k <= 10', ROW(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::kpi_parameters, generic => true) AS x(n integer);
RESET ROLE;

-- Expressions that become large when they are put together are left where they are.
SELECT shop.by_batches(format('SELECT ARRAY[sum(s.x)::text] FROM (%s) s', string_agg(format('SELECT x%s AS x FROM (', repeat(' + 1', 2500)), '') || 'SELECT k AS x FROM shop.whole WHERE k <= 3' || string_agg(' OFFSET 0) s', '') || ' OFFSET 0'))
  FROM generate_series(1, 4);

-- A volatile function in a subquery is called for each row, in order.
CREATE SEQUENCE shop.number;
SELECT shop.by_batches('SELECT ARRAY[string_agg(s.x || ''/'' || s.y, '','')] FROM (SELECT (SELECT nextval(''shop.number'') + 0 * k) AS x, (SELECT nextval(''shop.number'') + 0 * k) AS y FROM shop.whole WHERE k <= 3 OFFSET 0) s');

-- What is read, and what subqueries are given, is freed with its batch.
CREATE TABLE shop.long AS SELECT k, repeat(k::text, 5000) AS t FROM generate_series(1, 4000) k;
CREATE FUNCTION shop.memory(k integer) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(total_bytes) FROM pg_backend_memory_contexts); END';
SELECT shop.by_batches(format('SELECT ARRAY[(max(s.used) - min(s.used) < 30000000)::text, count(*) FILTER (WHERE s.b)::text] FROM (SELECT CASE WHEN k %% 1000 < 2 THEN shop.memory(k) END AS used, %s AS b FROM shop.long OFFSET 0) s', value))
  FROM unnest(ARRAY['t LIKE ''40%''', 'lower(repeat(k::text, 5000)) IN (SELECT lower(t) FROM shop.data)']) value;

-- Nor does what expressions are for each value of a column pile up: not where they are worked out anew, and not of many values, or expressions.
SELECT shop.by_batches('SELECT ARRAY[(max(s.used) - min(s.used) < 30000000)::text, sum(length(s.x))::text] FROM (SELECT CASE WHEN g IN (1, 1000) THEN shop.memory(g) END AS used, l.x FROM generate_series(1, 1000) g, LATERAL (SELECT max(concat(k, repeat(''a'', 196), 1000 + g)) AS x FROM generate_series(100, 399) k) l OFFSET 0) s');
SELECT shop.by_batches(format('SELECT ARRAY[(max(s.used) - min(s.used) < 30000000)::text, (%s)::text] FROM (SELECT k, x, CASE WHEN k IN (1, 10000) THEN shop.memory(k) END AS used FROM shop.many WHERE k <= 10000 OFFSET 0) s', string_agg(format('max(length(concat(%s, repeat(''a'', 200), %s)))', value, 1000 + n), '+')))
  FROM unnest(ARRAY['k', 'x']) value, generate_series(1, 100) n GROUP BY value ORDER BY value;

-- A column of which there are few rows takes little memory.
SELECT shop.by_batches(format('SELECT ARRAY[(max(shop.memory(c1)) - %s < 40000000)::text, (%s)::text] FROM (VALUES (%s), (%s)) v(%s)', shop.memory(0), string_agg(format('max(c%s + 1)', n), ' + '), string_agg(n::text, ', '), string_agg((400 + n)::text, ', '), string_agg('c' || n, ', ')))
  FROM generate_series(1, 400) n;

-- What is no SELECT.
SELECT shop.by_batches('DELETE FROM shop.data RETURNING ARRAY[t]');
SELECT shop.by_batches('WITH gone AS (DELETE FROM shop.data RETURNING t) SELECT ARRAY[t] FROM gone');
SELECT shop.by_batches('SELECT ARRAY[1]; SELECT 1');
SELECT shop.by_batches('');
ROLLBACK;
