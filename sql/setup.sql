-- The extension as the other tests find it, and what holds for all its objects.
CREATE SCHEMA kpi;
CREATE EXTENSION salkpi SCHEMA kpi;

-- Every object is in that schema and has a comment.  Types that come with
-- another object, which 18 lists and 15 doesn't, need none: arrays and rows.
SELECT o.type, o.identity
FROM pg_depend d,
	pg_identify_object(d.classid, d.objid, d.objsubid) o
WHERE d.deptype = 'e'
	AND d.refclassid = 'pg_extension'::regclass
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi')
	AND (obj_description(d.objid, d.classid::regclass::name) IS NULL
		OR obj_description(d.objid, d.classid::regclass::name) = ''
		OR (o.schema IS DISTINCT FROM 'kpi' AND d.classid <> 'pg_cast'::regclass))
	AND NOT (d.classid = 'pg_type'::regclass
		AND EXISTS (
			SELECT FROM pg_type t
			LEFT JOIN pg_class c ON c.oid = t.typrelid
			LEFT JOIN pg_type element ON element.typarray = t.oid
			WHERE t.oid = d.objid AND (c.relkind <> 'c' OR element.oid IS NOT NULL)))
	AND NOT (d.classid = 'pg_class'::regclass	-- an identity column's sequence
		AND EXISTS (SELECT FROM pg_depend i WHERE i.objid = d.objid AND i.classid = d.classid AND i.deptype = 'i'))
ORDER BY o.type COLLATE "C", o.identity COLLATE "C";

-- Each table can be published, as all tables are by some, and be written to all the same.
SELECT c.relname
FROM pg_depend d
JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
WHERE d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi')
	AND c.relkind IN ('r', 'p')
	AND c.relreplident <> 'f'
	AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
ORDER BY 1;

-- A function that cannot run in parallel has a reason to: it writes, or reads
-- the sources, each in a subtransaction.
SELECT p.oid::regprocedure
FROM pg_depend d
JOIN pg_proc p ON p.oid = d.objid
WHERE d.deptype = 'e'
	AND d.classid = 'pg_proc'::regclass
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi')
	AND p.proparallel = 'u'
	AND p.provolatile <> 'v'
	AND p.proname NOT IN ('kpi_read_sources', 'kpi_make_dictionaries', 'kpi_drill', 'kpi_drill_names', 'kpi_drill_named', 'kpi_open_now', 'kpi_pipeline', 'kpi_revenue_by', 'kpi_top_customers', 'kpi_revenue_by_activity',
		'kpi_facts_now', 'kpi_report', 'kpi_live_values', 'kpi_live', 'kpi_bad_rows', 'kpi_untracked', 'kpi_faulty_definitions', 'kpi_target_faults', 'kpi_emptied_sources', 'kpi_tracking_findings', 'kpi_problem_findings', 'kpi_target_findings', 'kpi_row_findings', 'kpi_findings', 'kpi_check', 'kpi_noted_changes', 'kpi_search_noted', 'kpi_changes', 'kpi_search_early_sales')
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- No function is said to be safer in parallel than one that it calls.
WITH function AS MATERIALIZED (
	SELECT p.proname, l.lanname, position(p.proparallel::text IN 'sru') AS danger,
		CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN regexp_replace(regexp_replace(pg_get_functiondef(p.oid), '/[*].*?[*]/|--[^\n]*', '', 'g'), '''[^'']*''', '', 'g') END AS body
	FROM pg_depend d
	JOIN pg_proc p ON p.oid = d.objid
	JOIN pg_language l ON l.oid = p.prolang
	WHERE d.deptype = 'e'
		AND d.classid = 'pg_proc'::regclass
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi')
		AND p.prokind = 'f'
), called AS (SELECT proname, min(danger) AS danger FROM function GROUP BY proname HAVING min(danger) > 1)
SELECT f.proname, c.proname AS calls
FROM function f
JOIN called c ON f.danger < c.danger AND f.body ~ ('\m' || c.proname || '[(]')
ORDER BY f.proname COLLATE "C", c.proname COLLATE "C";

-- Nothing runs with the rights of whoever installed it.
SELECT p.oid::regprocedure
FROM pg_depend d
JOIN pg_proc p ON p.oid = d.objid
WHERE d.deptype = 'e'
	AND d.classid = 'pg_proc'::regclass
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi')
	AND p.prosecdef
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- Each aggregate does what parallel plans and Citus ask of it: a typed state that
-- travels as text and as bytes, a combine function, one or more arguments, all of
-- concrete types, and a final function that leaves the state as it is.  Those
-- that don't live within a snapshot or a report, on one server.
SELECT a.aggfnoid::regprocedure AS aggregate, lacking
FROM pg_aggregate a
JOIN pg_proc p ON p.oid = a.aggfnoid
JOIN pg_proc s ON s.oid = a.aggtransfn
JOIN pg_type t ON t.oid = a.aggtranstype
JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e',
	concat_ws(', ',
		CASE WHEN t.typtype = 'p' OR a.aggserialfn <> 0 THEN 'a typed state' END,
		CASE WHEN 0 = ANY (ARRAY[t.typinput, t.typoutput, t.typreceive, t.typsend]::oid[]) THEN 'a state that travels' END,
		CASE WHEN a.aggcombinefn = 0 THEN 'a combine function' END,
		CASE WHEN p.proparallel <> 's' OR s.proparallel <> 's' THEN 'parallel safety' END,
		CASE WHEN p.pronargs = 0 OR a.aggkind <> 'n' THEN 'a plain argument' END,
		CASE WHEN p.provariadic <> 0 OR EXISTS (SELECT FROM unnest(p.proargtypes) arg JOIN pg_type argtype ON argtype.oid = arg WHERE argtype.typtype = 'p') THEN 'concrete types' END,
		CASE WHEN a.aggfinalmodify <> 'r' OR a.aggmfinalmodify <> 'r' THEN 'an untouched state' END) lacking
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi') AND lacking <> ''
ORDER BY a.aggfnoid::regprocedure::text COLLATE "C";

-- These queries do look at something.
SELECT count(*) > 0 AS has_functions, count(*) FILTER (WHERE p.prokind = 'a') > 400 AS has_aggregates
FROM pg_depend d
LEFT JOIN pg_proc p ON p.oid = d.objid
WHERE d.deptype = 'e'
	AND d.classid = 'pg_proc'::regclass
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi');
-- Tests change the facts' rights and then the table within a transaction: a vacuum that has begun would wait for them, and they for it.
ALTER TABLE kpi.kpi_fact SET (autovacuum_enabled = off);
