-- What the tests of the KPI aggregates share: is an aggregate's result that of
-- the plain formula, whichever way the rows get there?  It makes a schema
-- "harness", which the test drops at its end.  A test in sql/ includes it with
--	\getenv source PG_ABS_SRCDIR
--	\set harness :source '/test/aggregates/harness.sql'
--	\set ECHO none
--	\i :harness
--	\set ECHO all
--
-- The rows to test with are a table with these columns beside one's own:
--	n		bigint, 1, 2, 3 … without gaps
--	g, h	integers to group by; of g groups of one, few and many rows
--	split	integer, at random: which of several parts a row is in
-- harness.prepare('rows') makes "rows_partitioned" of it, partitioned by g.
--
-- harness.compare(rows, aggregate, formula, state, finish) compares
--	aggregate	a call of an aggregate on columns, 'kpi_x(revenue, cost)'
--	formula		the same in plain SQL over rows, 'round(sum(…) / …, 16)'
--	state		the call that gives the state instead, or NULL
--	finish		from the state to the result, 'kpi_y(%s)'
-- and returns, for each way, how many results were compared and how many
-- differed.  It fails if a plan is not the one that is to be tested.
CREATE SCHEMA harness;

CREATE FUNCTION harness.prepare(rows regclass) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	copy text := (SELECT format('%I.%I', n.nspname, c.relname || '_partitioned')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = rows);
	part text;
BEGIN
	EXECUTE format('ALTER TABLE %s SET (parallel_workers = 2)', rows);
	EXECUTE format('CREATE INDEX ON %s (n)', rows);
	EXECUTE format('CREATE TABLE %s (LIKE %s) PARTITION BY HASH (g)', copy, rows);
	FOR i IN 0..2 LOOP
		part := regexp_replace(copy, '("?)$', '_' || i || '\1');
		EXECUTE format('CREATE TABLE %s PARTITION OF %s FOR VALUES WITH (MODULUS 3, REMAINDER %s)', part, copy, i);
	END LOOP;
	EXECUTE format('INSERT INTO %s SELECT * FROM %s', copy, rows);
	EXECUTE format('ANALYZE %s', rows);
	EXECUTE format('ANALYZE %s', copy);
END
$$;

-- Is the statement planned like this?  'parallel': workers aggregate in part,
-- the leader combines; 'partition-wise': each partition is aggregated alone.
CREATE FUNCTION harness.is_planned(statement text, way text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	found boolean;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json, COSTS off) ' || statement INTO plan;
	WITH RECURSIVE node AS (
		SELECT plan -> 0 -> 'Plan' AS node, NULL::text AS above, false AS in_gather
		UNION ALL
		SELECT child, node ->> 'Node Type', in_gather OR node ->> 'Node Type' LIKE 'Gather%'
		FROM node, json_array_elements(node -> 'Plans') child)
	SELECT CASE way
		WHEN 'parallel' THEN bool_or(in_gather AND node ->> 'Partial Mode' = 'Partial')
		WHEN 'partition-wise' THEN count(*) FILTER (WHERE node ->> 'Node Type' = 'Aggregate' AND node ->> 'Partial Mode' = 'Simple'
			AND above LIKE '%Append') = 3
		END
	INTO found FROM node;
	RETURN coalesce(found, false);
END
$$;

-- Plan parallel, partition-wise or as usual, until the end of the transaction.
CREATE FUNCTION harness.plan_for(way text) RETURNS void
LANGUAGE sql AS $$
SELECT set_config(name, CASE way WHEN wanted THEN setting ELSE usual END, true)
FROM (VALUES
	('parallel', 'max_parallel_workers_per_gather', '2', '0'),
	('parallel', 'parallel_setup_cost', '0', '1000'),
	('parallel', 'parallel_tuple_cost', '0', '0.1'),
	('parallel', 'min_parallel_table_scan_size', '0', '8MB'),
	('parallel', 'parallel_leader_participation', 'off', 'on'),
	('parallel', 'cpu_operator_cost', '1', '0.0025'),
	('partition-wise', 'enable_partitionwise_aggregate', 'on', 'off'),
	('partition-wise', 'enable_sort', 'off', 'on')) v(wanted, name, setting, usual)
$$;

-- Run a query with the columns "got" and "wanted"; count rows and differences.
CREATE FUNCTION harness.differences(what text, query text, plan text DEFAULT NULL)
RETURNS TABLE (way text, compared bigint, different bigint)
LANGUAGE plpgsql AS $$
DECLARE
	statement text := 'SELECT count(*), count(*) FILTER (WHERE got IS DISTINCT FROM wanted) FROM (' || query || ') results';
BEGIN
	PERFORM harness.plan_for(plan);
	IF plan IS NOT NULL AND NOT harness.is_planned(statement, plan) THEN
		RAISE EXCEPTION 'plan is not %: %', plan, statement;
	END IF;
	RETURN QUERY EXECUTE 'SELECT $1, * FROM (' || statement || ') counts' USING what;
	PERFORM harness.plan_for(NULL);
END
$$;

CREATE FUNCTION harness.frame_bound(rows_on integer) RETURNS text
LANGUAGE sql RETURN abs(rows_on) || CASE WHEN rows_on > 0 THEN ' FOLLOWING' ELSE ' PRECEDING' END;

CREATE FUNCTION harness.compare(rows regclass, aggregate text, formula text, state text DEFAULT NULL, finish text DEFAULT '%s')
RETURNS TABLE (way text, compared bigint, different bigint)
LANGUAGE plpgsql AS $$
DECLARE
	partitioned text := regexp_replace(rows::text, '("?)$', '_partitioned\1');
	args text := substring(aggregate FROM '\((.*)\)$');
	distinct_aggregate text := regexp_replace(aggregate, '\(', '(DISTINCT ');
	first integer;
	last integer;
	frame text;
BEGIN
	RETURN QUERY SELECT * FROM harness.differences('no rows', format(
		'SELECT %s AS got, %s AS wanted FROM %s WHERE false', aggregate, formula, rows));
	RETURN QUERY SELECT * FROM harness.differences('grouping sets', format(
		'SELECT %s AS got, %s AS wanted FROM %s GROUP BY GROUPING SETS ((), (g), (h), (g, h))', aggregate, formula, rows));
	RETURN QUERY SELECT * FROM harness.differences('filter', format(
		'SELECT (SELECT %1$s FILTER (WHERE split > 2) FROM %3$s r WHERE r.g = k.g) AS got,
			(SELECT %2$s FROM %3$s r WHERE r.g = k.g AND split > 2) AS wanted
		 FROM (SELECT DISTINCT g FROM %3$s) k', aggregate, formula, rows));
	RETURN QUERY SELECT * FROM harness.differences('distinct', format(
		'SELECT got, wanted FROM (SELECT g, %1$s AS got FROM %3$s GROUP BY g) a
		 FULL JOIN (SELECT g, %2$s AS wanted FROM (SELECT DISTINCT g, %4$s FROM %3$s) d GROUP BY g) b USING (g)',
		distinct_aggregate, formula, rows, args));

	-- What was serial is, beside the formula, the measure of the rest.
	EXECUTE format('CREATE TABLE harness.serial AS SELECT g, %s AS result FROM %s GROUP BY g', formula, rows);
	EXECUTE format('CREATE TABLE harness.total AS SELECT %s AS result FROM %s', formula, rows);
	ANALYZE harness.serial;
	RETURN QUERY SELECT * FROM harness.differences('parallel, grouped', format(
		'SELECT got, s.result AS wanted FROM (SELECT g, %s AS got FROM %s GROUP BY g) p FULL JOIN harness.serial s USING (g)',
		aggregate, rows), 'parallel');
	RETURN QUERY SELECT * FROM harness.differences('parallel, total', format(
		'SELECT got, t.result AS wanted FROM (SELECT %s AS got FROM %s) p, harness.total t', aggregate, rows), 'parallel');
	RETURN QUERY SELECT * FROM harness.differences('partition-wise', format(
		'SELECT got, s.result AS wanted FROM (SELECT g, %s AS got FROM %s GROUP BY g) p FULL JOIN harness.serial s USING (g)',
		aggregate, partitioned), 'partition-wise');

	FOR first, last IN VALUES (0, 0), (-2, 3), (-40, -1), (1, 9) LOOP
		RETURN QUERY SELECT * FROM harness.differences(format('window %s to %s', first, last), format(
			'SELECT %1$s OVER (ORDER BY n ROWS BETWEEN %2$s AND %3$s) AS got,
				(SELECT %4$s FROM %5$s f WHERE f.n BETWEEN r.n + %6$s AND r.n + %7$s) AS wanted
			 FROM %5$s r',
			aggregate, harness.frame_bound(first), harness.frame_bound(last), formula, rows, first, last));
	END LOOP;
	RETURN QUERY SELECT * FROM harness.differences('window, running', format(
		'SELECT %1$s OVER (PARTITION BY g ORDER BY n) AS got, (SELECT %2$s FROM %3$s f WHERE f.g = r.g AND f.n <= r.n) AS wanted FROM %3$s r WHERE n <= 400',
		aggregate, formula, rows));

	-- Frames of peers, with rows left out of them, or with none: which rows they are says array_agg.
	FOREACH frame IN ARRAY ARRAY['ORDER BY n ROWS BETWEEN 3 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW', 'PARTITION BY g ORDER BY h RANGE BETWEEN 2 FOLLOWING AND 3 FOLLOWING',
		'PARTITION BY g ORDER BY h GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES', 'PARTITION BY g, h ORDER BY n ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING EXCLUDE GROUP'] LOOP
		RETURN QUERY SELECT * FROM harness.differences('window ' || substring(frame FROM '(?:RANGE|GROUPS|ROWS).*'), format(
			'SELECT got, (SELECT %2$s FROM %3$s f WHERE f.n = ANY (s.frame)) AS wanted
			 FROM (SELECT %1$s OVER w AS got, array_agg(n) OVER w AS frame FROM %3$s WHERE n <= 400 WINDOW w AS (%4$s)) s',
			aggregate, formula, rows, frame));
	END LOOP;

	IF state IS NOT NULL THEN
		RETURN QUERY SELECT * FROM harness.compare_states(rows, state, finish);
	END IF;
	DROP TABLE harness.serial, harness.total;
END
$$;

-- States of random parts, stored, and merged in random order and by steps.
CREATE FUNCTION harness.compare_states(rows regclass, state text, finish text)
RETURNS TABLE (way text, compared bigint, different bigint)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE harness.part AS SELECT g, split, h, %s AS state FROM %s GROUP BY g, split, h', state, rows);
	EXECUTE format('CREATE TABLE harness.single AS SELECT g, %s AS state FROM %s GROUP BY g, n', state, rows);
	EXECUTE format('CREATE TABLE harness.whole AS SELECT g, %s AS state FROM %s GROUP BY g', state, rows);
	ALTER TABLE harness.single SET (parallel_workers = 2);
	ANALYZE harness.single;
	RETURN QUERY SELECT * FROM harness.differences('state, finished', format(
		'SELECT %s AS got, result AS wanted FROM harness.whole FULL JOIN harness.serial USING (g)', format(finish, 'state')));
	RETURN QUERY SELECT * FROM harness.differences('states, merged', format(
		'SELECT %s AS got, result AS wanted FROM (SELECT g, kpi_rollup(state ORDER BY random()) AS state FROM harness.part GROUP BY g) p
		 FULL JOIN harness.serial USING (g)', format(finish, 'state')));
	RETURN QUERY SELECT * FROM harness.differences('states, the same',
		'SELECT ROW(p.state, s.state, t.state)::text AS got, ROW(w.state, w.state, w.state)::text AS wanted
		 FROM harness.whole w
		 JOIN (SELECT g, kpi_rollup(state ORDER BY split DESC, h) AS state FROM harness.part GROUP BY g) p USING (g)
		 JOIN (SELECT g, kpi_rollup(state) AS state FROM harness.single GROUP BY g) s USING (g)
		 JOIN (SELECT g, kpi_rollup(state) AS state FROM (SELECT g, kpi_rollup(state) AS state FROM harness.part GROUP BY g, split) steps GROUP BY g) t USING (g)');
	RETURN QUERY SELECT * FROM harness.differences('states, equal',
		'SELECT p.state = w.state AS got, CASE WHEN w.state IS NOT NULL THEN true END AS wanted
		 FROM harness.whole w JOIN (SELECT g, kpi_rollup(state) AS state FROM harness.part GROUP BY g) p USING (g)');
	RETURN QUERY SELECT * FROM harness.differences('states, read back', format(
		'SELECT state::text::%s = state AS got, CASE WHEN state IS NOT NULL THEN true END AS wanted FROM harness.part',
		(SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'harness.part'::regclass AND attname = 'state')));
	RETURN QUERY SELECT * FROM harness.differences('states, parallel',
		'SELECT p.state::text AS got, w.state::text AS wanted
		 FROM harness.whole w FULL JOIN (SELECT g, kpi_rollup(state) AS state FROM harness.single GROUP BY g) p USING (g)', 'parallel');
	RETURN QUERY SELECT * FROM harness.differences('states, window', 
		'SELECT (kpi_rollup(state) OVER (PARTITION BY g ORDER BY split, h ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING))::text AS got,
			(SELECT kpi_rollup(f.state) FROM (SELECT state FROM unnest(ARRAY[before, p.state, after]) state) f)::text AS wanted
		 FROM (SELECT g, split, h, state, lag(state) OVER w AS before, lead(state) OVER w AS after FROM harness.part WINDOW w AS (PARTITION BY g ORDER BY split, h)) p');
	DROP TABLE harness.part, harness.single, harness.whole;
END
$$;

-- The error that a statement ends with, or 'ok'.
CREATE FUNCTION harness.outcome(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;

-- A state whose text form is its type's name, a colon and hexadecimal digits,
-- truncated, prolonged and with flipped bits: how many are refused with a fitting
-- error, are read, and of these are not written and read again as themselves.
CREATE FUNCTION harness.fuzz(seed_text text) RETURNS TABLE (refused bigint, read bigint, unstable bigint)
LANGUAGE plpgsql AS $$
DECLARE
	prefix text := substring(seed_text FROM '^[a-z_]*:');
	good bytea := decode(substr(seed_text, length(prefix) + 1), 'hex');
	type regtype := rtrim(prefix, ':')::regtype;
	bad bytea;
	again text;
	result text;
BEGIN
	refused := 0; read := 0; unstable := 0;
	FOR i IN 0 .. 12 * length(good) - 1 LOOP
		bad := CASE WHEN i < 8 * length(good) THEN set_bit(good, i, 1 - get_bit(good, i))
			WHEN i < 9 * length(good) THEN substr(good, 1, i - 8 * length(good))
			WHEN i < 10 * length(good) THEN substr(good, 1, i - 9 * length(good)) || '\x00' || substr(good, i - 9 * length(good) + 1)
			WHEN i < 11 * length(good) THEN set_byte(good, i - 10 * length(good), floor(random() * 256)::integer)
			ELSE substr(good, 1, i - 11 * length(good)) || substr(good, i - 11 * length(good) + 2) END;
		BEGIN
			EXECUTE format('SELECT v::text FROM (SELECT %L::%s AS v) v', prefix || encode(bad, 'hex'), type) INTO result;
			EXECUTE format('SELECT v::text FROM (SELECT %L::%s AS v) v', result, type) INTO again;
			read := read + 1;
			unstable := unstable + (result IS DISTINCT FROM again)::integer;
		EXCEPTION
			WHEN invalid_binary_representation OR invalid_text_representation OR character_not_in_repertoire
				OR numeric_value_out_of_range OR program_limit_exceeded THEN
			refused := refused + 1;
		END;
	END LOOP;
	RETURN NEXT;
END
$$;

-- A binary message for a state type as COPY receives it: the value's text, or
-- the error.
CREATE FUNCTION harness.received(type regtype, message bytea) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	file bytea := '\x5047434f50590aff0d0a00' || '\x00000000'::bytea || '\x00000000'::bytea ||
		'\x0001'::bytea || int4send(length(message)) || message || '\xffff'::bytea;
	octal text;
	result text;
	received text := format('pg_temp.%I', 'received_' || type);
BEGIN
	EXECUTE format('CREATE TEMP TABLE IF NOT EXISTS %s (state %s)', received, type);
	EXECUTE format('TRUNCATE %s', received);
	SELECT string_agg(format('\%s%s%s', b >> 6, b >> 3 & 7, b & 7), '' ORDER BY i) INTO octal
	FROM (SELECT i, get_byte(file, i) AS b FROM generate_series(0, length(file) - 1) i) bytes;
	result := harness.outcome(format('COPY %s FROM PROGRAM %L (FORMAT binary)', received, format('printf ''%s''', octal)));
	IF result = 'ok' THEN
		EXECUTE format('SELECT state::text FROM %s', received) INTO result;
	END IF;
	RETURN result;
END
$$;
