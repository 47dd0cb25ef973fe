-- Purchases and customers over plain columns, against plain SQL.
SET search_path = kpi, public;
SET client_min_messages = warning;
\getenv source PG_ABS_SRCDIR
\set harness :source '/test/aggregates/harness.sql'
\set ECHO none
\i :harness
\set ECHO all

-- SourceMedium: net 875 over 10 orders = 87.50.  A credit note is no purchase,
-- and an order all of which was given back was one.
SELECT kpi_average_purchase_value(sale_id, amount) AS source_medium
FROM (SELECT n, 100 FROM generate_series(1, 10) n UNION ALL VALUES (3, -100), (11, -25)) sale(sale_id, amount);
SELECT kpi_average_purchase_value(sale_id, amount) AS average, kpi_revenue_per_buying_customer(customer, amount) AS per_customer,
	kpi_count(kpi_amounts(sale_id, amount)) AS purchases, kpi_total(kpi_amounts(sale_id, amount)) AS total
FROM (VALUES ('S1', 'A', 10.50), ('S1', 'A', 2.5), ('S2', 'A', 7), ('C1', 'A', -3), ('S3', 'B', 0), ('S4', 'C', 5), ('S4', 'C', -5.000)) sale(sale_id, customer, amount);

-- The ten largest of twelve customers of 1 to 12 make 75 of 78.
SELECT kpi_revenue_concentration(n, n) AS largest_ten, kpi_concentration(kpi_amounts(n, n), 1) AS largest, kpi_concentration(kpi_amounts(n, n), 12) AS all, kpi_concentration(kpi_amounts(n, n), 2000000000) AS more
FROM generate_series(1, 12) n;

-- Nothing to divide by.
SELECT kpi_average_purchase_value(s, a) AS average, kpi_revenue_concentration(s, a) AS concentration, kpi_amounts(s, a) AS amounts
FROM (VALUES (NULL::integer, 5), (1, NULL)) v(s, a);
SELECT kpi_average_purchase_value(s, a) AS average, kpi_revenue_concentration(s, a) AS concentration, kpi_count(kpi_amounts(s, a)), kpi_total(kpi_amounts(s, a))
FROM (VALUES (1, -5.50), (2, 0)) v(s, a);
SELECT kpi_average_purchase_value(1, 1) AS no_rows, kpi_amounts('a', 1) AS amounts WHERE false;

-- Errors, with their reasons.
SELECT harness.outcome('SELECT kpi.kpi_average_purchase_value(1, ''NaN''::numeric)') AS nan,
	harness.outcome('SELECT kpi.kpi_amounts(''a'', ''-Infinity''::numeric)') AS infinity;
SELECT harness.outcome('SELECT kpi.kpi_amounts(repeat(''x'', 134217728), 1)') AS long;
SELECT harness.outcome('SELECT kpi.kpi_concentration(kpi.kpi_amounts(1, 1), 0)') AS none,
	harness.outcome('SELECT kpi.kpi_amounts_add(NULL, 1, 1)') AS "outside";
SELECT harness.outcome('SELECT kpi.kpi_rollup(a) FROM (SELECT kpi.kpi_amounts(1, 1) AS a UNION ALL SELECT kpi.kpi_amounts(''a'', 1)) v') AS mixed;

-- Random lines: few and many of a purchase, credit notes, NULL, amounts of any
-- size and scale; ids of each type.
SELECT setseed(0.1);
CREATE TABLE line AS
SELECT n, g, floor(random() * 4)::integer AS h, floor(random() * 6)::integer AS split,
	CASE WHEN random() > 0.04 THEN sale_id * (CASE WHEN g = 2 THEN 1000000000000000000 ELSE 1 END) END AS sale_id,
	CASE WHEN random() < 0.05 THEN NULL
		WHEN g = 4 THEN round((random() * 1e6)::numeric, 6) * (CASE n % 5 WHEN 0 THEN 1e40 WHEN 1 THEN -1e33 WHEN 2 THEN 1e-20 WHEN 3 THEN 1 ELSE -1e40 END)
		WHEN g = 5 THEN -round((random() * 100)::numeric, 2)
		ELSE round((random() * 1000 - 300)::numeric, (n % 4)::integer) END AS amount
FROM (SELECT n, CASE WHEN n < 4 THEN n WHEN n % 3 = 0 THEN 4 + n % 12 ELSE 7 END::integer AS g, floor(power(random(), 2) * 9)::bigint - 4 + n / 60 AS sale_id
	FROM generate_series(1::bigint, 1500) n) v;
ALTER TABLE line ADD sale_text text, ADD sale_uuid uuid;
UPDATE line SET sale_text = repeat('ä', (abs(sale_id) % 40)::integer) || sale_id, sale_uuid = md5(sale_id::text)::uuid;
SELECT harness.prepare('line');
SELECT count(*), count(DISTINCT sale_id) > 30 AS many, max(amount) > 1e40 AS huge, min(scale(amount)) AS least_scale, max(scale(amount)) > 20 AS small_parts FROM line;

-- 16 decimals, half away from zero.
CREATE FUNCTION quotient(a numeric, b numeric) RETURNS numeric IMMUTABLE LANGUAGE sql
AS $$ SELECT CASE WHEN b > 0 THEN sign(a) * div(abs(a) * 2e16 + b, b * 2) * 1e-16 END $$;
SELECT * FROM harness.compare('line', 'kpi_average_purchase_value(sale_id, amount)',
	'quotient(sum(amount) FILTER (WHERE sale_id IS NOT NULL), count(DISTINCT sale_id) FILTER (WHERE amount > 0))',
	'kpi_amounts(sale_id, amount)', 'kpi_average(%s)');
SELECT * FROM harness.compare('line', 'kpi_average_purchase_value(sale_text, amount)',
	'quotient(sum(amount) FILTER (WHERE sale_text IS NOT NULL), count(DISTINCT sale_text) FILTER (WHERE amount > 0))',
	'kpi_amounts(sale_text, amount)', 'kpi_average(%s)');
SELECT * FROM harness.compare('line', 'kpi_revenue_per_buying_customer(sale_uuid, amount)',
	'quotient(sum(amount) FILTER (WHERE sale_uuid IS NOT NULL), count(DISTINCT sale_uuid) FILTER (WHERE amount > 0))',
	'kpi_amounts(sale_uuid, amount)', 'kpi_average(%s)');

-- Amounts of each integer type, whose own limits are no limit of the sums; and
-- ids of the smaller types.
CREATE TABLE whole AS
SELECT n, n % 7 AS g, (n * 31 % 40) AS id_bigint, (n * 31 % 40)::text AS id_text, md5((n * 31 % 40)::text)::uuid AS id_uuid,
	integers[i]::smallint AS amount_smallint, integers[i + 6]::integer AS amount_integer, integers[i + 12] AS amount_bigint
FROM (SELECT n, 1 + floor(random() * 6)::integer AS i FROM generate_series(1::bigint, 600) n) rows,
	(VALUES (ARRAY[NULL, -32768, 32767, 0, 1, 7, NULL, -2147483648, 2147483647, 0, 1, 7, NULL, -9223372036854775808, 9223372036854775807, 0, 1, 7])) v(integers);
SELECT i AS id, a AS amount, c.compared, c.different, d.different AS average_different
FROM unnest('{bigint,text,uuid}'::text[]) WITH ORDINALITY ids(i, n), unnest('{smallint,integer,bigint}'::text[]) WITH ORDINALITY amounts(a, m),
	harness.differences('', format('SELECT kpi_amounts(id_%1$s, amount_%2$s) AS got, kpi_amounts(id_%1$s, amount_%2$s::numeric) AS wanted FROM whole GROUP BY GROUPING SETS ((), (g))', i, a)) c,
	harness.differences('', format('SELECT kpi_average_purchase_value(id_%1$s, amount_%2$s) OVER (ORDER BY n ROWS 70 PRECEDING) AS got,
		(SELECT quotient(sum(amount_%2$s), count(DISTINCT id_%1$s) FILTER (WHERE amount_%2$s > 0)) FROM whole f WHERE f.n BETWEEN r.n - 70 AND r.n) AS wanted FROM whole r', i, a)) d
ORDER BY n, m;
SELECT count(*) AS mixes, count(*) FILTER (WHERE outcome = 'ok') AS understood
FROM (SELECT harness.outcome(format('SELECT kpi.kpi_amounts(1::%s, 1::%s), kpi.kpi_average_purchase_value(1::%1$s, 1::%2$s), kpi.kpi_revenue_per_buying_customer(''a'', 1::%2$s), kpi.kpi_revenue_concentration(1::%1$s, 1.5)', i, a)) AS outcome
	FROM unnest('{smallint,integer,bigint}'::text[]) i, unnest('{smallint,integer,bigint,numeric}'::text[]) a) o;
SELECT harness.outcome('SELECT kpi.kpi_amounts(1, 1::double precision)') LIKE '42883 | %' AS refused;

-- Many rows of fewer ids, in no order, whose amounts and decimals grow: what is
-- kept of them is what is kept of their sums, whatever integers these need; and so
-- where ids are so many that it is remembered where each is.
CREATE TABLE long AS
SELECT n, CASE WHEN n > 30000 AND n % 11 = 0 THEN n + 1e-18 WHEN n > 20000 AND n % 37 = 0 THEN n * 1e31 WHEN n > 8000 AND n % 41 = 0 THEN n * 1e14
	WHEN n > 3000 THEN n + 0.25 ELSE n END AS amount
FROM generate_series(1::bigint, 80000) n;
SELECT ids, rows, kpi_amounts(id, amount) = kpi_amounts(id, total) FILTER (WHERE is_last) AS integers, kpi_amounts(id::text, amount) = kpi_amounts(id::text, total) FILTER (WHERE is_last) AS texts,
	kpi_amounts(md5(id::text)::uuid, amount) = kpi_amounts(md5(id::text)::uuid, total) FILTER (WHERE is_last) AS uuids, kpi_total(kpi_amounts(id, amount)) = sum(amount) AS total
FROM (SELECT ids, rows, n * 7919 % ids AS id, amount, sum(amount) OVER of_one AS total, row_number() OVER (of_one ORDER BY n) = 1 AS is_last
	FROM long, (VALUES (307, '{1,300,2000,5000,10000,25000,40000}'::integer[]), (20011, '{20000,40000,80000}')) v(ids, steps), unnest(steps) rows
	WHERE n <= rows WINDOW of_one AS (PARTITION BY ids, rows, n * 7919 % ids)) v
GROUP BY ids, rows ORDER BY ids, rows;

-- Many ids that are read while rows still come.  Amounts are small first: records keep their places.
SELECT count(*) AS compared, count(*) FILTER (WHERE (is_right) IS NOT TRUE) AS different
FROM (SELECT kpi_count(i) = ids AND kpi_count(t) = ids AND kpi_count(u) = ids AND kpi_total(i) = total AND kpi_total(t) = total AND kpi_total(u) = total AS is_right
	FROM (SELECT n, kpi_amounts(id, amount) OVER so_far AS i, kpi_amounts(id::text, amount) OVER so_far AS t, kpi_amounts(md5(id::text)::uuid, amount) OVER so_far AS u,
			sum(amount) OVER so_far AS total, sum(is_first::integer) OVER so_far AS ids
		FROM (SELECT n, n * 7919 % 20011 AS id, 1 + n % 100 + CASE WHEN n < 60000 THEN 0 ELSE 0.5 END AS amount, row_number() OVER (PARTITION BY n * 7919 % 20011 ORDER BY n) = 1 AS is_first FROM long) r
		WINDOW so_far AS (ORDER BY n / 10000)) w
	WHERE n % 10000 = 0) v;

-- What the rows of a group take while they come, even if ids come again only after all others: six times the ids, or 100 kB.
CREATE FUNCTION memory(ids bigint) RETURNS bigint LANGUAGE sql VOLATILE AS
	$$ SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name = 'salkpi tables' $$;
SELECT count(*) AS groups, bool_and(memory(kpi_count) BETWEEN 1 AND greatest(6 * 8 * ids, 102400)) AS as_said
FROM unnest('{20,200,1000,9000,40000}'::bigint[]) ids, LATERAL (SELECT kpi_count(kpi_amounts(n * 7919 % ids, 1)) FROM long) v;

-- Ids and amounts on both sides of what four and eight bytes hold, and sums that get there.
SELECT count(*) AS compared, count(*) FILTER (WHERE of_rows <> of_sums OR total <> expected) AS different
FROM (SELECT base, amount, kpi_amounts(base + id, taken) AS of_rows, kpi_amounts(base + id, of_id) FILTER (WHERE is_last) AS of_sums, kpi_total(kpi_amounts(base + id, taken)) AS total, sum(taken) AS expected
	FROM (SELECT base, amount, n % 7 AS id, taken, sum(taken) OVER of_one AS of_id, n > 593 AS is_last
		FROM generate_series(1::bigint, 600) n, unnest('{0,2147483640,-2147483652,9223372036854775800}'::bigint[]) base,
			unnest('{1,1000000,268435456,536870911,536870912,-536870912,-536870913,2305843009213693951,2305843009213693952}'::numeric[]) amount,
			LATERAL (SELECT CASE WHEN n % 100 > 2 THEN amount ELSE -0.25 END AS taken) t
		WINDOW of_one AS (PARTITION BY base, amount, n % 7)) v
	GROUP BY base, amount) w;

-- A concentration takes two steps in plain SQL.
SELECT count(*) AS compared, count(b.g) AS with_some, count(*) FILTER (WHERE (a.*) IS DISTINCT FROM (b.*)) AS different
FROM (SELECT g, kpi_revenue_concentration(sale_id, amount) AS ten, kpi_concentration(kpi_amounts(sale_text, amount), 3) AS three FROM line GROUP BY g) a
LEFT JOIN (
	SELECT g, quotient(100 * sum(revenue) FILTER (WHERE rank <= 10), CASE WHEN sum(revenue) > 0 THEN sum(revenue) END) AS ten,
		quotient(100 * sum(revenue) FILTER (WHERE rank <= 3), CASE WHEN sum(revenue) > 0 THEN sum(revenue) END) AS three
	FROM (SELECT g, sale_id, sum(amount) AS revenue, row_number() OVER (PARTITION BY g ORDER BY sum(amount) DESC) AS rank
		FROM line WHERE sale_id IS NOT NULL AND amount IS NOT NULL GROUP BY g, sale_id) v
	GROUP BY g) b USING (g);

-- Many of both: integers and, with twenty decimals, what is none.
SELECT kpi_revenue_concentration(n, amount) AS ten, kpi_concentration(kpi_amounts(n, amount), 3) AS three
FROM (SELECT n, n + n % 2 * 1e-20 AS amount FROM generate_series(1, 20000) n) v;

-- One group of many ids, of each type, in either order; stored and read again.
CREATE TABLE many AS
SELECT kpi_amounts(n * 7919 % 20011, n) AS i, kpi_amounts((n * 7919 % 20011)::text, n) AS t, kpi_amounts(md5((n * 7919 % 20011)::text)::uuid, n) AS u
FROM generate_series(1::bigint, 40000) n;
SELECT kpi_count(i), kpi_count(t), kpi_count(u), kpi_total(i), kpi_total(t), kpi_total(u),
	i::text::kpi_amounts = i AND t::text::kpi_amounts = t AND u::text::kpi_amounts = u AS read_back,
	i = (SELECT kpi_amounts(n * 7919 % 20011, n) FROM generate_series(40000::bigint, 1, -1) n) AS reverse,
	t <> (SELECT kpi_amounts((n * 7919 % 20011)::text, n + n / 40000) FROM generate_series(1::bigint, 40000) n) AS other
FROM many;

-- Ids of no bytes to more than rows are collected in, in one group and in parts.
SELECT kpi_count(whole) AS ids, kpi_total(whole) AS total, whole = parts AS merged
FROM (SELECT kpi_amounts(repeat('x', (n * 7919 % 613 * 7)::integer), n) AS whole FROM generate_series(1::bigint, 5000) n) a,
	(SELECT kpi_rollup(part) AS parts FROM (SELECT kpi_amounts(repeat('x', (n * 7919 % 613 * 7)::integer), n) AS part FROM generate_series(1::bigint, 5000) n GROUP BY n % 3) p) b;

-- Two ids in turn, whose sums outgrow records of 30 and of 62 bits when these are made one.
SELECT amount, kpi_count(a) AS ids, kpi_total(a) = total AS is_right
FROM (SELECT amount, kpi_amounts(n % 2, amount) AS a, sum(amount) AS total FROM generate_series(1, 1000) n, unnest('{5000000,500000000000000000}'::bigint[]) amount GROUP BY amount) s
ORDER BY amount;

-- Groups in a hash table, whose rows wait for each other, are those of sorted rows, whatever
-- ids and amounts are: too long to wait, of more kinds than are told apart, of several sets.
CREATE TABLE wide AS
SELECT n, n % 70 AS g, n % 900 AS id, md5((n % 900)::text)::uuid AS code, repeat('x', (n * 7919 % 613)::integer) || CASE WHEN n % 90 = 0 THEN repeat('y', 5000) ELSE '' END AS name,
	CASE WHEN n % 11 = 0 THEN NULL WHEN n % 13 = 0 THEN n * -1e40 - 1e-12 ELSE n + 0.25 END AS amount, (n % 30 - 9)::smallint AS visits, n * 1000003 AS pieces
FROM generate_series(1::bigint, 9000) n;
CREATE FUNCTION of_groups(is_hashed boolean) RETURNS TABLE (g bigint, days bigint, states text[])
	LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	PERFORM set_config(CASE WHEN is_hashed THEN 'enable_sort' ELSE 'enable_hashagg' END, 'off', true);
	RETURN QUERY
	SELECT w.g, n % 3, ARRAY[kpi_amounts(id, amount)::text, kpi_amounts(code, amount)::text, kpi_amounts(name, amount)::text, kpi_amounts(id, visits)::text, kpi_amounts(name, pieces) FILTER (WHERE id < 500)::text,
		kpi_accounts(name, pieces, '2026-01-01'::date + w.g::integer, NULL, '2026-02-01', '2026-03-01')::text]
	FROM wide w GROUP BY GROUPING SETS ((w.g, n % 3), (w.g), ());
	PERFORM set_config(CASE WHEN is_hashed THEN 'enable_sort' ELSE 'enable_hashagg' END, 'on', true);
END $$;
SELECT count(*) AS groups, count(*) FILTER (WHERE h.states IS DISTINCT FROM s.states) AS different, count(DISTINCT h.states) AS states
FROM of_groups(true) h FULL JOIN of_groups(false) s ON coalesce(h.g, -1) = coalesce(s.g, -1) AND coalesce(h.days, -1) = coalesce(s.days, -1);
SELECT count(*) AS groups, count(*) FILTER (WHERE got IS DISTINCT FROM (ids, total)) AS different
FROM (SELECT ROW(kpi_count(kpi_amounts(name, amount)), kpi_total(kpi_amounts(name, amount))) AS got,
		count(DISTINCT name) FILTER (WHERE amount > 0) AS ids, sum(amount) AS total FROM wide GROUP BY g) v;
-- Groups within groups, in which errors are caught: these take their own rows with them, and no others.
CREATE FUNCTION customers_of(g bigint, sign integer) RETURNS bigint
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT sum((kpi_movements(a)).customers_closing)
			  FROM (SELECT kpi_accounts(id, sign * pieces, '2026-01-01'::date, NULL, '2026-02-01', '2026-03-01') AS a FROM wide w WHERE w.g = customers_of.g GROUP BY n % 5) v);
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN NULL;
END $$;
SET enable_sort = off;
SELECT count(*) AS groups, count(*) FILTER (WHERE (kpi_count(a), kpi_total(a)) <> (ids, total)) AS different, count(total) AS with_some
FROM (SELECT kpi_amounts(id, customers) AS a, count(DISTINCT id) FILTER (WHERE customers > 0) AS ids, sum(customers) AS total
	FROM (SELECT g, id, customers_of(g, CASE WHEN n % 7 = 0 THEN -1 ELSE 1 END) AS customers FROM wide WHERE n <= 700 OFFSET 0) w GROUP BY g) v;
SELECT count(*) FILTER (WHERE customers_of(g, 1) <> expected) AS different, count(customers_of(g, -1)) AS of_errors
FROM (SELECT g, count(DISTINCT (n % 5, id)) AS expected FROM wide GROUP BY g) v;
RESET enable_sort;
CREATE AGGREGATE from_none(bigint, bigint) (SFUNC = kpi_amounts_add, STYPE = kpi_amounts, INITCOND = 'kpi_amounts:01690000');
SELECT count(*) AS groups, count(*) FILTER (WHERE from_none <> kpi_amounts) AS different FROM (SELECT from_none(id, pieces), kpi_amounts(id, pieces) FROM wide GROUP BY g) v;

-- A final function that catches errors gets no number from what is left of the rows; one that is called before any row.
CREATE FUNCTION caught(a kpi_amounts) RETURNS text LANGUAGE plpgsql AS
	$$ BEGIN RETURN kpi_count(a) || ' / ' || kpi_total(a); EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END $$;
CREATE AGGREGATE caught_amounts(bigint, numeric) (SFUNC = kpi_amounts_add, STYPE = kpi_amounts, FINALFUNC = caught);
SELECT count(DISTINCT said) AS said, count(*) FILTER (WHERE said ~ '^[0-9]') AS numbers
FROM (SELECT n % 5, caught_amounts(id, CASE WHEN n = 20 THEN 'NaN' ELSE 1.5 END) AS said FROM wide WHERE n <= 40 GROUP BY n % 5) v;
SELECT count(DISTINCT said) AS said, min(said) FROM (SELECT g, caught_amounts(id, 1.5) AS said FROM wide WHERE n <= 140 GROUP BY g) v;
CREATE AGGREGATE from_some(text, numeric, date, date, date, date) (SFUNC = kpi_accounts_add, STYPE = kpi_accounts, FINALFUNC = kpi_accounts_add, FINALFUNC_EXTRA,
	INITCOND = 'kpi_accounts:017464ba8901f4890100010161010a0a');
SELECT g, h, from_some('a', 1, NULL::date, NULL::date, '2024-02-01', '2024-03-01') AS same FROM (SELECT 1 AS g, 2 AS h WHERE false) v GROUP BY GROUPING SETS ((g), (h), ());

-- An aggregate of one's own without final function hands out states as they are:
-- everything reads them all the same; but keys do not change their type.
CREATE AGGREGATE open_amounts(bigint, numeric) (SFUNC = kpi_amounts_add, STYPE = kpi_amounts);
CREATE TABLE open_state AS SELECT open_amounts(n % 20, n) AS o, kpi_amounts(n % 20, n) AS f FROM generate_series(1::bigint, 100) n;
SELECT o = f AS equal, o::text = f::text AS same_text, kpi_amounts_send(o) = kpi_amounts_send(f) AS same_message, kpi_average(o) = kpi_average(f) AS same_average,
	(SELECT kpi_rollup(s) FROM unnest(ARRAY[o, f, o]) s) = (SELECT kpi_rollup(s) FROM unnest(ARRAY[f, f, f]) s) AS same_rollup,
	kpi_amounts_hash(o) = kpi_amounts_hash(f) AS same_hash, kpi_amounts_hash(o, 5) = kpi_amounts_hash(f, 5) AS same_seeded
FROM open_state;
SELECT count(*) AS one FROM (SELECT o FROM open_state UNION SELECT f FROM open_state) u;
CREATE AGGREGATE from_texts(bigint, numeric) (SFUNC = kpi_amounts_add, STYPE = kpi_amounts, INITCOND = 'kpi_amounts:0174000101610114');
SELECT harness.outcome('SELECT kpi.from_texts(1::bigint, 1)');

-- Input: what no rows make is refused, each byte of it.
SELECT kpi_amounts(s, a) AS integers FROM (VALUES (-2, 1.5), (3, -4)) v(s, a);
SELECT kpi_amounts(s, a) AS texts FROM (VALUES ('a', 1.5), ('ab', -4)) v(s, a);
SELECT why, harness.outcome(format('SELECT %L::kpi.kpi_amounts', 'kpi_amounts:' || literal))
FROM (VALUES (1, 'empty', ''), (2, 'odd', '016'), (3, 'no digit', '01zz'), (4, 'other version', '0269010203'), (5, 'open form', '0069010203'), (6, 'version alone', '01'),
	(7, 'other kind', '0170000000'), (8, 'scale too large', '0169808001'), (9, 'no keys', '01690000'), (10, 'too many keys', '0169007f0301'),
	(11, 'one key', '01690001030114'), (12, 'flag 2', '01690001030214'), (13, 'positive without flag', '01690001030014'), (14, 'trailing byte', '0169000103011400'),
	(15, 'the same key twice', '0169000203011400011400'), (16, 'keys that wrap', '0169000203011' || '4' || 'ffffffffffffffffff01' || '0114'),
	(17, 'zero as a number', '016900010301000130'), (18, 'a numeric that fits', '0169000103010002' || '3132'), (19, 'no number', '0169000103010001' || '7a'),
	(20, 'NaN', '0169000103010003' || '4e614e'), (21, 'a numeric that does not', '016900010301002a31' || repeat('30', 41)), (22, 'texts in disorder', '017400020162011401610114'),
	(23, 'an empty text', '01740001000114'), (24, 'half a character', '0174000101c30114'), (25, 'a NUL', '01740001010001' || '14'), (26, 'half a uuid', '017500010011223344556677'),
	(27, 'not small', '016900010301ffffffffffffffffffffffffffffffffffff03')) v(n, why, literal)
ORDER BY n;

-- Truncated, prolonged and flipped.
SELECT kind, refused > 0 AS some_refused, read > 0 AS some_read, unstable, refused + read AS tried
FROM (
	SELECT 'integer' AS kind, kpi_amounts(sale_id, amount)::text AS seed FROM line WHERE g = 4 AND n < 200
	UNION ALL SELECT 'text', kpi_amounts(sale_text, amount)::text FROM line WHERE g = 4 AND n < 100
	UNION ALL SELECT 'uuid', kpi_amounts(sale_uuid, amount)::text FROM line WHERE g = 7 AND n < 30) v, harness.fuzz(seed);

-- Keys that begin alike: the same state as of rows that come in the order of their keys, which needs no sort.
SELECT count(*) AS orders, count(DISTINCT a::text) AS states
  FROM (SELECT kpi_amounts(id, n ORDER BY id COLLATE "C") AS a FROM (SELECT '0065g00000QX' || CASE WHEN n > 0 THEN n::text ELSE '' END AS id, n FROM generate_series(0, 2000) n) k
		UNION ALL
		SELECT kpi_amounts(id, n ORDER BY md5(id)) FROM (SELECT '0065g00000QX' || CASE WHEN n > 0 THEN n::text ELSE '' END AS id, n FROM generate_series(0, 2000) n) k) v;

-- Binary messages.
SELECT harness.received('kpi_amounts', kpi_amounts_send(a)) = a::text AS same FROM (SELECT kpi_amounts(sale_text, amount) AS a FROM line WHERE g = 4) v;
SELECT harness.received('kpi_amounts', '') AS empty, harness.received('kpi_amounts', '\x0169000103011400') AS prolonged, harness.received('kpi_amounts', '\x00') AS open;

DROP AGGREGATE open_amounts(bigint, numeric), from_texts(bigint, numeric);
DROP TABLE line, line_partitioned, whole, long, many, open_state;
DROP FUNCTION quotient(numeric, numeric);
DROP SCHEMA harness CASCADE;
