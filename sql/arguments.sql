-- Whoever may use the schema may call what readers are made of: no argument is
-- taken for granted, and none takes the server down.
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
BEGIN;
CREATE FUNCTION pg_temp.outcome(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- The values of KPIs, from a cursor on facts.
CREATE FUNCTION pg_temp.evaluated(facts text, definition text, bases text DEFAULT '{0}', starts text DEFAULT '{2024-01-01}', members text DEFAULT '{x}',
								  targets text DEFAULT $$'{}', '{}', '{}', '{}', '{}'$$) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	outcome text;
BEGIN
	EXECUTE 'DECLARE facts CURSOR FOR ' || facts;
	outcome := pg_temp.outcome(format($q$SELECT * FROM kpi.kpi_evaluate_all(ARRAY[ROW(%s)::kpi.kpi_resolved], 'facts', %L, '', 'month', %L, '{}', 12, %L, '{}', %4$L, NULL, %s, '{}', '{}')$q$,
								  definition, members, starts, bases, targets));
	EXECUTE 'CLOSE facts';
	RETURN outcome;
END $$;
CREATE TABLE trial (n integer GENERATED ALWAYS AS IDENTITY, what text, facts text, definition text, bases text, starts text, members text, targets text);
INSERT INTO trial (what, facts, definition, bases, starts, members, targets)
SELECT v.what, coalesce(v.facts, 'SELECT * FROM kpi.kpi_fact WHERE false'), coalesce(v.definition, $$1, 'k', 1, 'revenue', NULL, false, 0, 0, 'count', 'up', 'l', NULL, false, NULL$$),
	   coalesce(v.bases, '{0}'), coalesce(v.starts, '{2024-01-01}'), coalesce(v.members, '{x}'), coalesce(v.targets, $$'{}', '{}', '{}', '{}', '{}'$$)
FROM (VALUES
	(1, 'as it should be', NULL, NULL, NULL, NULL, NULL, NULL),
	(2, 'a negative base', NULL, NULL, '{-100000000}', NULL, NULL, NULL), (3, 'a large base', NULL, NULL, '{2147483647}', NULL, NULL, NULL), (4, 'no base', NULL, NULL, '{NULL}', NULL, NULL, NULL),
	(5, 'no formula', NULL, $$1, 'k', 1, NULL, NULL, false, 0, 0, 'count', 'up', 'l', NULL, false, NULL$$, NULL, NULL, NULL, NULL),
	(6, 'no unit', NULL, $$1, 'k', 1, 'revenue', NULL, false, 0, 0, NULL, 'up', 'l', NULL, false, NULL$$, NULL, NULL, NULL, NULL),
	(7, 'a negative reach', NULL, $$1, 'k', 1, 'revenue', NULL, false, -5, 0, 'count', 'up', 'l', NULL, false, NULL$$, NULL, NULL, NULL, NULL),
	(8, 'too little reach', NULL, $$1, 'k', 1, 'prior(revenue)', NULL, false, 0, 0, 'count', 'up', 'l', NULL, false, NULL$$, NULL, NULL, NULL, NULL),
	(9, 'a member that is none', NULL, NULL, NULL, NULL, '{NULL,x}', NULL), (10, 'no members', NULL, NULL, NULL, NULL, '{}', NULL),
	(11, 'targets of different length', NULL, NULL, NULL, NULL, NULL, $$'{k,k,k}', '{x}', '{2024-01-01}', '{1}', '{1}'$$),
	(12, 'a target of nothing', NULL, NULL, NULL, NULL, NULL, $$'{NULL}', '{x}', '{2024-01-01}', '{1}', '{1}'$$),
	(13, 'facts of other types', $$SELECT 1234567::bigint AS grain, date '2024-01-01' AS period, date '2024-02-01' AS period_end, 1 AS dimension, 77777::bigint AS member, true AS is_complete, 31 AS days, 1::numeric AS revenue$$,
		NULL, NULL, NULL, NULL, NULL),
	(14, 'facts of nothing', 'SELECT f.* FROM (SELECT 1) x LEFT JOIN kpi.kpi_fact f ON false', NULL, NULL, NULL, NULL, NULL),
	(15, 'measures of no type of theirs', $$SELECT m.*, 1 AS a, 2 AS b, 3 AS c, 4 AS d, 7::integer AS revenue FROM (VALUES ('month'::text, 'x'::text, date '2024-01-01', date '2024-02-01', 31, true), ('month', 'y', '2024-01-01', '2024-02-01', 31, true))
		m(grain, member, period, period_end, days, is_complete)$$, NULL, NULL, NULL, NULL, NULL)) v(n, what, facts, definition, bases, starts, members, targets)
ORDER BY v.n;
SELECT what, pg_temp.evaluated(facts, definition, bases, starts, members, targets) FROM trial ORDER BY n;
SELECT pg_temp.outcome($$SELECT kpi.kpi_evaluate_all('{}', NULL, '{}', '', 'month', '{}', '{}', 12, '{}', '{}', '{}', NULL, '{}', '{}', '{}', '{}', '{}', '{}', '{}')$$);

-- Targets, and facts compared.
SELECT pg_temp.outcome(format($$SELECT kpi.kpi_matched_targets(ARRAY[ROW(1, %s)::kpi.kpi_target, ROW(2, 'x', 'total', '', '2024-01-01', '2024-02-01', 1, NULL, NULL, NULL)::kpi.kpi_target], NULL, '{2024-01-01}', '{2024-02-01}')$$, t))
FROM unnest(ARRAY[$$'x', 'total', '', '2024-02-01', '2024-03-01', 1, NULL, NULL, NULL$$, $$NULL, 'total', '', '2024-01-01', '2024-02-01', 1, NULL, NULL, NULL$$, $$'x', 'total', '', '2024-01-01', '2024-02-01', NULL, NULL, NULL, NULL$$]) t;
SELECT pg_temp.outcome(format($$SELECT kpi.kpi_changed_facts('{}', NULL, %s, ARRAY[ROW(%s)::kpi.kpi_period], NULL, '{}', now(), 1)$$, dimensions, period))
FROM (VALUES (1, $$'{x}', '{x}'$$, $$'month', '2024-01-01', '2024-02-01', true, 31, NULL, NULL$$), (2, $$'{NULL}', '{x}'$$, $$'month', '2024-01-01', '2024-02-01', true, 31, NULL, NULL$$),
	(3, $$'{}', '{x,y}'$$, $$'month', '2024-01-01', '2024-02-01', true, 31, NULL, NULL$$), (4, $$'{x}', '{x}'$$, $$NULL, '2024-01-01', '2024-02-01', true, 31, NULL, NULL$$)) v(n, dimensions, period) ORDER BY n;

SELECT pg_temp.outcome($$SELECT kpi.kpi_changed_facts(ARRAY[NULL]::kpi.kpi_reading[], NULL, '{total}', '{all}', ARRAY[NULL]::kpi.kpi_period[], NULL, '{revenue}', now(), 1)$$);

-- A target has as many columns as the table, of which there may be more some day.
SAVEPOINT columns;
ALTER TABLE kpi_target ADD x1 text, ADD x2 text;
SELECT how, value FROM kpi_matched_targets(ARRAY[ROW(1, 'k', 'total', 'm', '2024-01-01', '2024-02-01', 5, NULL, NULL, NULL, 'a', 'b')::kpi_target], NULL, '{2024-01-01}', '{2024-02-01}');
ROLLBACK TO columns;

-- A panel of no currency, or of periods beyond reason; notes of changes in no encoding, or of no kind.
SELECT pg_temp.outcome($q$SELECT kpi.kpi_panel(kpi.kpi_cube('{2024-01-01,2024-02-01}'::date[], 'total; k=1,2 / c=1 m=1', '2024-01-05', 'a', 'EUR', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 5,
	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), '{1}', '{1}', kpi.kpi_dictionary(x, '2000-01-01'::timestamptz, NULL::timestamptz, 1.1, NULL, NULL, NULL, NULL), ARRAY['2024-02-01'::timestamptz]) FROM (VALUES ('EUR')) v(x)$q$);
SELECT pg_temp.outcome($$SELECT * FROM kpi.kpi_panel_rows((SELECT kpi.kpi_panel('total', '{}'::text[], 2147483647, '{1}'::bigint[], '{}'::numeric[])))$$);
SELECT pg_temp.outcome(format('SELECT after FROM kpi.kpi_track_rows(%L)', payload)) FROM unnest(ARRAY['\x0100497403614263', '\x0100497402c328', '\x0100497403610062', '\x01005a7403614263']) payload;

-- What shares so much that to walk it would not end is refused.
SET LOCAL statement_timeout = '30s';
SELECT pg_temp.outcome($$SELECT kpi.kpi_formula_resolve('{k1}', ARRAY[NULL::text], 12, x.n, x.f, '{k1}') FROM (
	SELECT array_agg('k' || i) AS n, array_agg(CASE i WHEN 60 THEN 'revenue' ELSE format('k%s + k%1$s', i + 1) END) AS f FROM generate_series(1, 60) i) x$$);
RESET statement_timeout;

-- No type, or none any more.
SELECT kpi_base_type(0), kpi_base_type(4294967295);

-- New facts are those of the statement that left them.
DECLARE compared CURSOR FOR SELECT d.new_facts IS NOT NULL AS some FROM kpi_changed_facts('{}', '{}', '{}', '{}', '{}', NULL, '{}', now(), 1) d;
FETCH compared;
SELECT DISTINCT regexp_replace(pg_temp.outcome(format('SELECT * FROM kpi.kpi_new_facts(%s)', n)), '\d+$', 'N') FROM generate_series(1, 50) n;
CLOSE compared;
ROLLBACK;
