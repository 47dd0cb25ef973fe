-- kpi_smallest: the five smallest distinct texts by bytes.
SET search_path = kpi, public;

SELECT kpi_smallest(t) FROM unnest('{b,a,NULL,c,a,e,d,f,b,NULL}'::text[]) t;
SELECT kpi_smallest(t) AS fewer FROM unnest('{b,a,b}'::text[]) t;
SELECT kpi_smallest(t) AS no_rows FROM unnest('{}'::text[]) t;
SELECT kpi_smallest(t) AS only_nulls FROM unnest('{NULL,NULL}'::text[]) t;
SELECT kpi_smallest(t) AS empty_text FROM unnest('{a,"",NULL,"",ab,a}'::text[]) t;

-- By bytes: 10 before 9, upper before lower case, umlauts after both.
SELECT kpi_smallest(n::text) AS numbers FROM generate_series(1, 1000) n;
SELECT kpi_smallest(t) AS letters FROM unnest('{ä,z,a,Z,Ä,aa,B}'::text[]) t;
SELECT kpi_smallest(t) FILTER (WHERE t > 'a') AS filtered FROM unnest('{a,b,c}'::text[]) t;
SELECT n, kpi_smallest(n::text) OVER (ORDER BY n DESC) FROM generate_series(1, 7) n ORDER BY n DESC;

-- Random keys of all lengths against plain SQL, however they are ordered.
SELECT setseed(0.5);
CREATE TABLE bad_row AS
SELECT n, n % 101 AS g, CASE WHEN random() < 0.1 THEN NULL
	WHEN random() < 0.3 THEN repeat(md5(n::text), 1 + n % 200)
	WHEN random() < 0.5 THEN left(md5((n % 500)::text), n % 4)
	ELSE floor(random() * 1000)::text END AS key
FROM generate_series(1, 20000) n;
CREATE VIEW by_sql AS
SELECT g, array_agg(key ORDER BY key COLLATE "C") FILTER (WHERE rank <= 5) AS keys
FROM (
	SELECT g, key, row_number() OVER (PARTITION BY g ORDER BY key COLLATE "C") AS rank
	FROM (SELECT DISTINCT g, key FROM bad_row WHERE key IS NOT NULL) keys) ranked
GROUP BY g;
SELECT count(*) AS compared,
	count(*) FILTER (WHERE up IS DISTINCT FROM keys OR down IS DISTINCT FROM keys) AS different
FROM (SELECT g, kpi_smallest(key ORDER BY n) AS up, kpi_smallest(key ORDER BY key COLLATE "C" DESC) AS down FROM bad_row GROUP BY g) a
FULL JOIN by_sql USING (g);

-- In parallel the states are combined.
CREATE FUNCTION is_partial(query text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	plan text;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan LIKE '%"Partial Mode": "Partial"%';
END
$$;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT is_partial('SELECT kpi.kpi_smallest(key) FROM kpi.bad_row') AS is_partial;
SELECT kpi_smallest(key) = (SELECT array_agg(key ORDER BY key COLLATE "C") FROM (SELECT DISTINCT key COLLATE "C" AS key FROM bad_row ORDER BY 1 LIMIT 5) k) AS is_same FROM bad_row;
SELECT count(*) AS compared, count(*) FILTER (WHERE p.keys IS DISTINCT FROM by_sql.keys) AS different
FROM (SELECT g, kpi_smallest(key) AS keys FROM bad_row GROUP BY g) p FULL JOIN by_sql USING (g);
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- Combining takes from both sides, also behind a text that both have.
SELECT kpi_smallest_combine('{a,c,d,e,f}', '{a,b}') AS behind_same, kpi_smallest_combine('{c}', '{a,b}') AS all_before,
	kpi_smallest_combine('{a,b,c,d,e}', '{f,g}') AS none, kpi_smallest_combine('{d,e,f}', '{a,b,c}') AS some;
SELECT kpi_smallest_add(NULL, 'a') AS first, kpi_smallest_add('{a,b,c,d,e}', 'aa') AS within, kpi_smallest_add('{a,b,c,d,e}', 'e') AS same,
	kpi_smallest_add('{a}', NULL) AS null_kept;

-- An array that is not a state is refused.
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
SELECT state, outcome(format('SELECT kpi.kpi_smallest_add(%L, ''x'')', state)) AS add,
	outcome(format('SELECT kpi.kpi_smallest_combine(%L, ''{x}'')', state)) = outcome(format('SELECT kpi.kpi_smallest_combine(''{x}'', %L)', state)) AS combine_agrees
FROM unnest(ARRAY['{}', '{NULL}', '{a,NULL}', '{{a},{b}}', '{b,a}', '{a,a}', '{a,b,c,d,e,f}', '{a,B}', '{9,10}', '[2:3]={a,b}']) WITH ORDINALITY v(state, n)
ORDER BY n;

DROP VIEW by_sql;
DROP TABLE bad_row;
DROP FUNCTION is_partial(text), outcome(text);
