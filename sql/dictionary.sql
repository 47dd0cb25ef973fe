-- kpi_dictionary: what is known of each key, at any instant.
SET search_path = kpi, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;

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
CREATE FUNCTION is_partial(query text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	plan text;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan LIKE '%"Partial Mode": "Partial"%';
END
$$;

-- One version per key.
CREATE TABLE account (id text, region text, segment text);
INSERT INTO account VALUES ('1', 'Nord', 'large'), ('2', 'Süd', NULL), ('3', NULL, ''), ('Ärzte', 'Nord', 'small'), ('', 'Ost', 'small'), (NULL, 'West', 'large');
SELECT key, kpi_lookup(d, key, 1, NULL) AS region, kpi_lookup(d, key, 2, '2024-01-01') AS segment, kpi_knows(d, key), kpi_lookup_first(d, key)
FROM (SELECT kpi_dictionary(id, NULL, NULL, region, segment) AS d FROM account) dictionary,
	unnest('{1,2,3,4,Ärzte,ärzte,"",NULL}'::text[]) WITH ORDINALITY k(key, n)
ORDER BY n;

-- Two, four and ten attributes.
SELECT a, kpi_lookup(four, 'k', least(a, 4), NULL) AS four, kpi_lookup(ten, 'k', a, NULL) AS ten
FROM (SELECT kpi_dictionary('k', NULL, NULL, 'a', 'b', 'c', 'd') AS four,
	kpi_dictionary('k', NULL, NULL, 'a', 'b', 'c', 'd', 'e', NULL, 'g', 'h', 'i', repeat('ü', 1000)) AS ten) d, generate_series(1, 9) a
ORDER BY a;
SELECT kpi_lookup(kpi_dictionary('k', NULL, NULL, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', repeat('ü', 1000)), 'k', 10, NULL) = repeat('ü', 1000) AS is_same;
SELECT attribute, outcome(format($$SELECT kpi.kpi_lookup(kpi.kpi_dictionary('k', NULL, NULL, 'a', 'b'), 'x', %s, NULL)$$, attribute))
FROM unnest('{0,1,2,3,-1,2147483647}'::integer[]) WITH ORDINALITY v(attribute, n) ORDER BY n;

-- NULLs, and no rows.
SELECT kpi_lookup(NULL, 'k', 1, NULL) AS no_dictionary, kpi_lookup(d, NULL, 1, NULL) AS no_key, kpi_lookup(d, 'k', NULL, NULL) AS no_attribute,
	kpi_lookup(d, 'k', 1, NULL) AS no_instant, kpi_knows(NULL, 'k') AS knows_nothing, kpi_knows(d, NULL) AS knows_null
FROM (SELECT kpi_dictionary('k', NULL, NULL, 'a', 'b') AS d) dictionary;
SELECT kpi_knows(d, 'k'), kpi_lookup(d, 'k', 1, NULL), kpi_lookup_first(d, 'k'), d AS printed
FROM (SELECT kpi_dictionary(id, NULL, NULL, region, segment) AS d FROM account WHERE id = 'none') dictionary;

-- History: a gap, a late beginning, an end, an overlap.  Expected by the rules:
-- valid then; else started last before; else the first.
CREATE TABLE history (id text, valid_from timestamptz, valid_to timestamptz, region text);
INSERT INTO history VALUES
	('gap', '2024-01-01', '2024-02-01', 'first'), ('gap', '2024-03-01', '2024-04-01', 'second'),
	('open', NULL, '2024-02-01', 'ever'), ('open', '2024-02-01', NULL, 'since'),
	('overlap', '2024-01-01', NULL, 'long'), ('overlap', '2024-02-01', '2024-03-01', 'short'),
	('nested', '2024-01-01', '2024-03-10', 'outer'), ('nested', '2024-01-15', '2024-02-15', 'middle'), ('nested', '2024-02-01', '2024-02-10', 'inner'),
	('reversed', '2024-02-01', '2024-01-01', 'never valid'),
	('empty', '2024-01-01', '2024-02-01', 'valid'), ('empty', '2024-02-01', '2024-02-01', 'no time at all');
SELECT id, at::date, kpi_lookup((SELECT kpi_dictionary(id, valid_from, valid_to, region, NULL) FROM history), id, 1, at) AS region
FROM unnest('{gap,open,overlap,nested,reversed,empty}'::text[]) WITH ORDINALITY k(id, n),
	unnest('{2023-12-31,2024-01-01,2024-01-20,2024-02-01,2024-02-12,2024-02-15,2024-03-01,2024-04-01,NULL}'::timestamptz[]) at
ORDER BY n, at;
SELECT at, kpi_lookup((SELECT kpi_dictionary(id, valid_from, valid_to, region, NULL) FROM history), 'gap', 1, at) AS region
FROM unnest('{-infinity,2024-01-31 23:59:59.999999,2024-02-01,2024-02-29 23:59:59.999999,2024-03-01,infinity}'::timestamptz[]) at ORDER BY at;
SELECT id, kpi_lookup_first((SELECT kpi_dictionary(id, valid_from, valid_to, region, NULL) FROM history), id)
FROM (SELECT DISTINCT id FROM history) ids ORDER BY id COLLATE "C";
SELECT kpi_lookup_first(kpi_dictionary('k', f, NULL, NULL, NULL), 'k') AS only_ever FROM unnest('{NULL,-infinity}'::timestamptz[]) f;

-- Same start: valid longer, then greater by bytes, NULL smallest; in any order.
CREATE TABLE tie (n integer, id text, valid_to timestamptz, a text, b text);
INSERT INTO tie VALUES (1, 'longer', '2024-02-01', 'z', 'z'), (2, 'longer', NULL, 'a', 'a'),
	(1, 'greater', NULL, 'a', 'z'), (2, 'greater', NULL, 'ä', 'a'), (3, 'greater', NULL, 'z', 'z'),
	(1, 'second', NULL, 'a', 'B'), (2, 'second', NULL, 'a', 'b'), (3, 'second', NULL, 'a', 'a'),
	(1, 'null', NULL, NULL, 'z'), (2, 'null', NULL, '', 'a'),
	(1, 'prefix', NULL, 'ab', 'a'), (2, 'prefix', NULL, 'a', 'b');
SELECT id, kpi_lookup(up, id, 1, at) AS a, kpi_lookup(up, id, 2, at) AS b,
	kpi_lookup(up, id, 1, at) IS NOT DISTINCT FROM kpi_lookup(down, id, 1, at) AND kpi_lookup(up, id, 2, at) IS NOT DISTINCT FROM kpi_lookup(down, id, 2, at) AS same_in_reverse
FROM (SELECT DISTINCT id FROM tie) ids,
	(SELECT kpi_dictionary(id, '2024-01-01', valid_to, a, b ORDER BY n) AS up, kpi_dictionary(id, '2024-01-01', valid_to, a, b ORDER BY n DESC) AS down FROM tie) d,
	(SELECT timestamptz '2024-01-15') t(at)
ORDER BY id COLLATE "C";

-- Numbers and instants, which are compared by their value.
SELECT kpi_lookup_number(d, 'k', 1, NULL) AS a1, kpi_lookup_number(d, 'k', 2, NULL) AS a2, kpi_lookup_instant(d, 'k', 3, NULL) AS a3, kpi_lookup(d, 'k', 4, NULL) AS a4, kpi_lookup(d, 'k', 5, NULL) AS a5,
	kpi_lookup_number(d, 'x', 1, NULL) AS unknown, kpi_lookup_instant(d, NULL, 3, NULL) AS no_key
FROM (SELECT kpi_dictionary('k', NULL, NULL, 1.50, NULL, 'infinity', 'a', 'b') AS d) dictionary;
SELECT kpi_lookup_number(kpi_dictionary('k', NULL, NULL, v::numeric, NULL, NULL, NULL, NULL), 'k', 1, NULL) AS greatest FROM unnest('{9,10,-11}'::text[]) v;
SELECT kpi_lookup_instant(kpi_dictionary('k', NULL, NULL, 1, NULL, v, NULL, NULL), 'k', 3, NULL) AS latest FROM unnest('{1999-12-31,2024-01-01,-infinity}'::timestamptz[]) v;
SELECT outcome($$SELECT kpi.kpi_lookup_number(kpi.kpi_dictionary('k', NULL, NULL, 'a', 'b'), 'k', 1, NULL)$$) AS text, outcome($$SELECT kpi.kpi_lookup(kpi.kpi_dictionary('k', NULL, NULL, 1, 2, now(), 'a', 'b'), 'k', 3, NULL)$$) AS instant,
	outcome($$SELECT kpi.kpi_lookup_instant(kpi.kpi_dictionary('k', NULL, NULL, 1, 2, now(), 'a', 'b'), 'k', 2, NULL)$$) AS number, outcome($$SELECT kpi.kpi_rate(kpi.kpi_dictionary('k', now(), NULL, 'a', 'b'), 'k', now())$$) AS rate;
SELECT kpi_lookup_instant(kpi_dictionary(id, NULL, NULL, 1, 2, now(), id, id), 'k', 3, NULL) AS no_rows FROM account WHERE id = 'none';
SELECT at, kpi_rate((SELECT kpi_dictionary('USD', f, NULL, rate, NULL, NULL, NULL, NULL) FROM (VALUES (timestamptz '2024-02-01', 0.9), ('2024-03-01', 0.95)) v(f, rate)), 'USD', at) AS rate
FROM unnest('{2024-01-31,2024-02-01,2024-02-29,2024-03-01,infinity,NULL}'::timestamptz[]) at ORDER BY at;

-- Random history against plain SQL: few instants, so that starts and ends meet.
SELECT setseed(0.75);
CREATE TABLE version AS
SELECT n, CASE WHEN n % 3 = 0 THEN md5((n % 97)::text)::uuid::text WHEN n % 3 = 1 THEN (n % 211)::text ELSE 'Größe ' || n % 31 END AS id,
	CASE WHEN random() < 0.9 THEN timestamptz '2024-01-01' + floor(random() * 20) * interval '1 day' END AS valid_from,
	CASE WHEN random() < 0.7 THEN timestamptz '2024-01-01' + floor(random() * 25) * interval '1 day' END AS valid_to,
	CASE WHEN random() < 0.8 THEN 'region ' || floor(random() * 4) END AS a,
	CASE WHEN random() < 0.8 THEN chr(65 + floor(random() * 50)::integer) END AS b,
	repeat('x', n % 5) AS c, CASE n % 2 WHEN 0 THEN 'd' END AS d
FROM (SELECT n FROM generate_series(1, 3000) n) rows;
CREATE INDEX ON version (id);
ANALYZE version;
CREATE TABLE question AS
SELECT id, at, greatest(coalesce(at, 'infinity'), (SELECT min(coalesce(valid_from, '-infinity')) FROM version v WHERE v.id = ids.id)) AS moment
FROM (SELECT id FROM version UNION SELECT 'unknown') ids,
	(SELECT timestamptz '2023-12-31' + n * interval '12 hours' AS at FROM generate_series(0, 60) n UNION ALL VALUES (NULL::timestamptz), ('-infinity'), ('infinity')) instants;
-- The best of the versions that have started: valid before ended, then started
-- last, longest, greatest.
CREATE TABLE best AS
SELECT DISTINCT ON (id, at) id, at, a, b, c, d
FROM (
	SELECT q.id, q.at, q.moment, v.a, v.b, v.c, v.d, coalesce(v.valid_from, '-infinity') AS f, coalesce(v.valid_to, 'infinity') AS t
	FROM question q
	LEFT JOIN version v ON v.id = q.id AND coalesce(v.valid_from, '-infinity') <= q.moment) started
ORDER BY id, at, f < t AND (moment < t OR t = 'infinity') DESC, f DESC, t DESC,
	a COLLATE "C" DESC NULLS LAST, b COLLATE "C" DESC NULLS LAST, c COLLATE "C" DESC NULLS LAST, d COLLATE "C" DESC NULLS LAST;
CREATE FUNCTION differences(dictionary kpi_dictionary) RETURNS TABLE (compared bigint, different bigint)
LANGUAGE sql STABLE AS $$
	SELECT count(*), count(*) FILTER (WHERE (a, b, c, d) IS DISTINCT FROM
		(kpi.kpi_lookup(dictionary, id, 1, at), kpi.kpi_lookup(dictionary, id, 2, at), kpi.kpi_lookup(dictionary, id, 3, at), kpi.kpi_lookup(dictionary, id, 4, at)))
	FROM kpi.best
$$;
SELECT 'up' AS rows, x.* FROM (SELECT kpi_dictionary(id, valid_from, valid_to, a, b, c, d ORDER BY n) AS d FROM version) y, differences(d) x
UNION ALL
SELECT 'down', x.* FROM (SELECT kpi_dictionary(id, valid_from, valid_to, a, b, c, d ORDER BY n DESC) AS d FROM version) y, differences(d) x
UNION ALL
SELECT 'shuffled', x.* FROM (SELECT kpi_dictionary(id, valid_from, valid_to, a, b, c, d ORDER BY md5(n::text)) AS d FROM version) y, differences(d) x
UNION ALL
SELECT 'twice', x.* FROM (SELECT kpi_dictionary(id, valid_from, valid_to, a, b, c, d) AS d FROM (SELECT * FROM version UNION ALL SELECT * FROM version) v) y, differences(d) x;
SELECT count(*) AS compared, count(*) FILTER (WHERE first IS DISTINCT FROM kpi_lookup_first(d, id) OR NOT kpi_knows(d, id)) AS different
FROM (SELECT kpi_dictionary(id, valid_from, valid_to, a, b) AS d FROM version) dictionary, (SELECT id, min(valid_from) AS first FROM version GROUP BY id) f;

-- Attributes that come late, or never, in one process or several; each row is a version of its key.
CREATE TABLE late AS
SELECT n, (n % 900)::text AS id, timestamptz '2024-01-01' + n * interval '1 hour' AS valid_from,
	ARRAY(SELECT CASE WHEN n >= a * a * 20 AND (n * a) % 7 > 0 AND a <> 6 THEN 'a' || a || '/' || n % (a + 3) END FROM generate_series(1, 10) a) AS texts,
	CASE WHEN n > 1500 AND n % 3 > 0 THEN n::numeric / 8 END AS number, CASE WHEN n > 2500 THEN timestamptz '2000-01-01' + n * interval '1 day' END AS instant, CASE n WHEN 2999 THEN 'last' END AS last
FROM generate_series(1, 3000) n;
CREATE FUNCTION late_differences(d kpi_dictionary) RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM kpi.late l
		WHERE ARRAY(SELECT kpi.kpi_lookup(d, id, a, valid_from) FROM generate_series(1, 10) a) IS DISTINCT FROM texts OR kpi.kpi_lookup_number(d, id, 11, valid_from) IS DISTINCT FROM number
			OR kpi.kpi_lookup_number(d, id, 12, valid_from) IS NOT NULL OR kpi.kpi_lookup_instant(d, id, 13, valid_from) IS DISTINCT FROM instant
			OR kpi.kpi_lookup(d, id, 14, valid_from) IS NOT NULL OR kpi.kpi_lookup(d, id, 15, valid_from) IS DISTINCT FROM last);
SELECT late_differences(d) AS different FROM (
	SELECT kpi_dictionary(id, valid_from, NULL, texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], texts[7], texts[8], texts[9], texts[10], number, NULL, instant, NULL, last) AS d FROM (SELECT * FROM late ORDER BY n) l) x;
SELECT late_differences(d) AS different FROM (
	SELECT kpi_dictionary(id, valid_from, NULL, texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], texts[7], texts[8], texts[9], texts[10], number, NULL, instant, NULL, last) AS d FROM (SELECT * FROM late ORDER BY -n) l) x;

-- In parallel: made by several processes, and looked up in by several.
CREATE TABLE sale AS
SELECT n, (n % 40000)::text AS account_id FROM generate_series(1, 60000) n;
CREATE TABLE large_account AS
SELECT n::text AS id, 'region ' || n % 7 AS region, md5(n::text) AS name FROM generate_series(0, 29999) n;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT is_partial('SELECT kpi.kpi_dictionary(id, valid_from, valid_to, a, b, c, d) FROM kpi.version') AS version_is_partial,
	is_partial('SELECT count(kpi.kpi_lookup((SELECT kpi.kpi_dictionary(id, NULL, NULL, region, name) FROM kpi.large_account), account_id, 1, NULL)) FROM kpi.sale') AS lookup_is_partial;
SELECT x.* FROM (SELECT kpi_dictionary(id, valid_from, valid_to, a, b, c, d) AS d FROM version) y, differences(d) x;
CREATE TABLE by_lookup AS
SELECT kpi_lookup((SELECT kpi_dictionary(id, NULL, NULL, region, name) FROM large_account), account_id, 1, NULL) AS region,
	count(*) AS n, min(kpi_lookup((SELECT kpi_dictionary(id, NULL, NULL, region, name) FROM large_account), account_id, 2, NULL) COLLATE "C") AS name
FROM sale GROUP BY 1;
SELECT is_partial('SELECT kpi.kpi_dictionary(id, NULL, NULL, id::numeric / 7, NULL, ''epoch'', name, NULL) FROM kpi.large_account') AS numbers_are_partial;
SELECT count(*) AS compared, count(*) FILTER (WHERE (id::numeric / 7, timestamptz 'epoch' + id::integer * interval '1 second', name) IS DISTINCT FROM
	(kpi_lookup_number(d, id, 1, NULL), kpi_lookup_instant(d, id, 3, NULL), kpi_lookup(d, id, 4, NULL))) AS different
FROM large_account, (SELECT kpi_dictionary(id, NULL, NULL, id::numeric / 7, NULL, timestamptz 'epoch' + id::integer * interval '1 second', name, NULL) AS d FROM large_account) dictionary;
ANALYZE late;
SELECT is_partial('SELECT kpi.kpi_dictionary(id, valid_from, NULL, texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], texts[7], texts[8], texts[9], texts[10], number, NULL, instant, NULL, last) FROM kpi.late') AS late_is_partial;
CREATE TABLE late_differs AS
SELECT late_differences((SELECT kpi_dictionary(id, valid_from, NULL, texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], texts[7], texts[8], texts[9], texts[10], number, NULL, instant, NULL, last) FROM late)) AS n;
TABLE late_differs;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
CREATE TABLE by_join AS
SELECT region, count(*) AS n, min(name COLLATE "C") AS name FROM sale LEFT JOIN large_account ON id = account_id GROUP BY region;
SELECT (SELECT count(*) FROM by_join) AS compared, (SELECT count(*) FROM (TABLE by_lookup EXCEPT ALL TABLE by_join) d) AS only_lookup,
	(SELECT count(*) FROM (TABLE by_join EXCEPT ALL TABLE by_lookup) d) AS only_join;

-- It lives within a query: no input, and none out of a table that would have to
-- be read again for each row.  What was looked up outlives it.
SELECT outcome($$SELECT '(1 keys)'::kpi.kpi_dictionary$$);
CREATE TABLE stored AS SELECT kpi_dictionary(id, NULL, NULL, region, name) AS d FROM large_account;
SELECT outcome('SELECT kpi.kpi_lookup(d, ''1'', 1, NULL) FROM kpi.stored'), outcome('SELECT kpi.kpi_knows(d, ''1'') FROM kpi.stored') = outcome('SELECT kpi.kpi_lookup_first(d, ''1'') FROM kpi.stored') AS others_agree;
SELECT d FROM stored;
TRUNCATE stored;
INSERT INTO stored SELECT kpi_dictionary(id, NULL, NULL, repeat('x', 5000), NULL) FROM large_account WHERE id = '1';
SELECT outcome('SELECT kpi.kpi_lookup(d, ''1'', 1, NULL) FROM kpi.stored') AS compressed;
CREATE TABLE copied AS
SELECT id, kpi_lookup((SELECT kpi_dictionary(id, NULL, NULL, region, name) FROM large_account), id, 2, NULL) AS name FROM large_account;
SELECT count(*) AS compared, count(*) FILTER (WHERE c.name IS DISTINCT FROM a.name) AS different FROM large_account a LEFT JOIN copied c USING (id);

DROP FUNCTION differences(kpi_dictionary), late_differences(kpi_dictionary);
DROP TABLE late, late_differs, account, history, tie, version, question, best, sale, large_account, by_lookup, by_join, stored, copied;
DROP FUNCTION outcome(text), is_partial(text);

-- Which of two rows of one id is found does not depend on numbers as long as anything else differs.
SELECT count(DISTINCT kpi_lookup(d, 'o', 15, NULL::timestamptz)) AS found
FROM (SELECT kpi_dictionary('o', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, n, -n, NULL::timestamptz, NULL, status) AS d
	FROM (VALUES (1, 1::numeric, 'won'), (1, 2, 'open'), (2, 2, 'won'), (2, 1, 'open')) v(turn, n, status) GROUP BY turn) x;
