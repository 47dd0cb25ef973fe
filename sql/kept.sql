--
-- Names and targets of bound sources are read through plans that the session
-- keeps: whatever they were made from may change, and the next reading knows.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'America/New_York';

BEGIN;
CREATE SCHEMA kept;
CREATE TABLE kept.sale (sale_id integer, sold_at timestamptz, amount numeric, rep_id text);
INSERT INTO kept.sale VALUES (1, '2025-01-10', 100, '1'), (2, '2025-02-10', 20, '2');
CREATE TABLE kept.rep (id integer, name text);
INSERT INTO kept.rep VALUES (1, 'Ada'), (2, 'Bob');
CREATE TABLE kept.person (id text, name text);
INSERT INTO kept.person VALUES ('1', 'Countess'), ('2', 'Robert');
CREATE TABLE kept.target (kpi text, from_day timestamptz, to_day timestamptz, value numeric, dimension text, member text);
INSERT INTO kept.target VALUES
	('revenue', '2025-01-01 00:00+01', '2025-02-01 00:00+01', 50, 'rep', '1'), ('revenue', '2025-02-01 00:00+01', '2025-03-01 00:00+01', 60, 'rep', '1'),
	('revenue', '2025-01-01 00:00+01', '2025-02-01 00:00+01', 500, NULL, NULL);
SELECT kpi_set('time_zone', 'Europe/Berlin') AS zone, kpi_set('grains', 'month') AS grains;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'kept.sale') s, kpi_bind('rep', 'kept.rep') r, kpi_bind('target', 'kept.target') t;
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-02-28', '2025-03-01 12:00+01');

CREATE FUNCTION kept.series(member text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', s.label, s.value, s.target), ', ' ORDER BY s."time") FROM kpi_series('revenue', NULL, NULL, 'month', 'rep', ARRAY[member]) s;
$$;
SELECT kept.series('1'), kept.series('2');
SELECT kept.series('1') AS again, (SELECT string_agg(concat_ws(' ', s.value, s.target), ', ' ORDER BY s."time") FROM kpi_series('revenue', NULL, NULL) s) AS total;

-- The rows change.
UPDATE kept.rep SET name = 'Ada L.' WHERE id = 1;
UPDATE kept.target SET value = 51 WHERE value = 50;
SELECT kept.series('1') AS updated;
-- So do the columns: an id that is a text, a name that is gone and comes back.
ALTER TABLE kept.rep ALTER id TYPE text;
SELECT kept.series('1') AS id_is_text;
SAVEPOINT name;
ALTER TABLE kept.rep RENAME name TO title;
SELECT kept.series('1') AS without_name;
ROLLBACK TO name;
SELECT kept.series('1') AS undone;
ALTER TABLE kept.rep RENAME name TO title;
ALTER TABLE kept.rep DROP title;
SELECT kept.series('1') AS dropped;
ALTER TABLE kept.rep ADD name varchar(20);
UPDATE kept.rep SET name = 'Ada ' || id;
SELECT kept.series('1') AS back;
-- Another relation, under the same name or bound instead.
ALTER TABLE kept.rep RENAME TO former;
SELECT kept.series('1') AS renamed_away;
ALTER TABLE kept.person RENAME TO rep;
SELECT kept.series('1') AS takes_its_place;
ALTER TABLE kept.rep RENAME TO person;
ALTER TABLE kept.former RENAME TO rep;
SELECT count(*) > 0 AS bound FROM kpi_bind('rep', 'kept.person');
SELECT kept.series('1') AS bound_instead;
SELECT kpi_unbind('rep');
SELECT kept.series('1') AS unbound;
SELECT count(*) > 0 AS bound FROM kpi_bind('rep', 'kept.rep');
-- A view is another query behind the same name.
CREATE VIEW kept.goals AS SELECT * FROM kept.target;
SELECT count(*) > 0 AS bound FROM kpi_bind('target', 'kept.goals');
SELECT kept.series('1') AS of_a_view;
CREATE OR REPLACE VIEW kept.goals AS SELECT kpi, from_day, to_day, 2 * value AS value, dimension, member FROM kept.target;
SELECT kept.series('1') AS replaced;
-- A view may read KPIs itself, and have the plan made anew while it is run.
CREATE FUNCTION kept.planned() RETURNS SETOF kept.target LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('kept.depth', true) = '1' THEN
		RETURN;
	END IF;
	PERFORM set_config('kept.depth', '1', true);
	UPDATE kpi.kpi_setting_value SET value = CASE value WHEN 'Europe/Berlin' THEN 'Europe/Paris' ELSE 'Europe/Berlin' END WHERE setting = 'time_zone';
	RETURN QUERY SELECT 'revenue', timestamptz '2025-01-01 00:00+01', timestamptz '2025-02-01 00:00+01', 3 * max(s.value), 'rep', '1'
				   FROM kpi.kpi_series('revenue', NULL, NULL, 'month', 'rep', '{1}') s;
	PERFORM set_config('kept.depth', '0', true);
END;
$$;
CREATE VIEW kept.planned AS SELECT * FROM kept.planned();
SELECT count(*) > 0 AS bound FROM kpi_bind('target', 'kept.planned');
SELECT kept.series('1') AS of_itself;
SELECT kept.series('1') AS of_itself;
SELECT count(*) > 0 AS bound FROM kpi_bind('target', 'kept.goals');

-- Days are those of the time zone.
UPDATE kept.target SET from_day = from_day + interval '6 hours', to_day = to_day + interval '6 hours';
SELECT count(*) AS in_berlin FROM kpi_source_targets('{revenue}', 'rep', '{1}', '2025-01-01', '2025-03-01') t WHERE extract(day FROM t.from_day) = 1;
SAVEPOINT zone;
UPDATE kpi_setting_value SET value = 'America/New_York' WHERE setting = 'time_zone';
SELECT count(*) AS in_new_york FROM kpi_source_targets('{revenue}', 'rep', '{1}', '2025-01-01', '2025-03-01') t WHERE extract(day FROM t.from_day) = 1;
UPDATE kpi_setting_value SET value = 'Pacific/Honolulu' WHERE setting = 'time_zone';
SELECT count(*) AS in_honolulu FROM kpi_source_targets('{revenue}', 'rep', '{1}', '2025-01-01', '2025-03-01') t WHERE extract(day FROM t.from_day) = 1;
ROLLBACK TO zone;
SELECT count(*) AS in_berlin FROM kpi_source_targets('{revenue}', 'rep', '{1}', '2025-01-01', '2025-03-01') t WHERE extract(day FROM t.from_day) = 1;

-- Each role sees what it may, in one session.
CREATE ROLE regress_salkpi_kept;
SELECT count(*) > 0 AS granted FROM kpi_grant('regress_salkpi_kept', 'reader');
GRANT USAGE ON SCHEMA kept TO regress_salkpi_kept;
SET ROLE regress_salkpi_kept;
SELECT kept.series('1') AS without_rights;
RESET ROLE;
GRANT SELECT ON kept.rep TO regress_salkpi_kept;
SET ROLE regress_salkpi_kept;
SELECT kept.series('1') AS names_alone;
RESET ROLE;
ALTER TABLE kept.rep ENABLE ROW LEVEL SECURITY;
CREATE POLICY those ON kept.rep FOR SELECT TO regress_salkpi_kept USING (id = '2');
SELECT kept.series('1') AS by_owner, kept.series('2');
SET ROLE regress_salkpi_kept;
SELECT kept.series('1') AS by_reader, kept.series('2');
RESET ROLE;
SELECT kept.series('1') AS by_owner, kept.series('2');
REVOKE USAGE ON SCHEMA kept FROM regress_salkpi_kept;
SET ROLE regress_salkpi_kept;
SELECT s.label FROM kpi_series('revenue', NULL, NULL, 'month', 'rep', '{2}') s;
-- Nobody gets a function called that is not for that, or for others.
SAVEPOINT refused;
SELECT * FROM kpi_source_rows('rep', 'pg_class', 'UTC', 'pg_read_file(text)'::regprocedure::oid::regproc, ROW(1)) AS s(n integer);
ROLLBACK TO refused;
SELECT * FROM kpi_source_rows('rep', 'pg_class', 'UTC', 'pg_catalog.abs(numeric)'::regprocedure::oid::regproc, ROW(1)) AS s(n integer);
ROLLBACK TO refused;
SELECT * FROM kpi_source_rows('rep', 'pg_class', 'UTC', 'pg_catalog.max(text)'::regprocedure::oid::regproc, ROW(1)) AS s(n integer);
ROLLBACK TO refused;
CREATE FUNCTION pg_temp.none(text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
SELECT * FROM kpi_source_rows('rep', 'pg_class', 'UTC', 'pg_temp.none(text)'::regprocedure::oid::regproc, ROW(1)) AS s(n integer);
ROLLBACK TO refused;
SELECT n FROM kpi_source_rows('SELECT $1 + 1', 'pg_class', 'UTC', 'pg_catalog.btrim(text)'::regprocedure::oid::regproc, ROW(1)) AS s(n integer);
SELECT n FROM kpi_source_rows('SELECT $1 + 1', 'pg_class', 'UTC', 'pg_catalog.btrim(text)'::regprocedure::oid::regproc, ROW(2)) AS s(n integer);
SELECT n FROM kpi_source_rows('SELECT $1 AS n; SELECT $1 AS n', 'pg_class', 'UTC', 'pg_catalog.btrim(text)'::regprocedure::oid::regproc, ROW(1)) AS s(n integer);
ROLLBACK TO refused;
SELECT n FROM kpi_source_rows('', 'pg_class', 'UTC', 'pg_catalog.btrim(text)'::regprocedure::oid::regproc, ROW(1)) AS s(n integer);
ROLLBACK TO refused;
-- Parameters of other types are another query.
SELECT n FROM kpi_source_rows('SELECT $1 + 1', 'pg_class', 'UTC', 'pg_catalog.btrim(text)'::regprocedure::oid::regproc, ROW(2.5)) AS s(n numeric);
SELECT n FROM kpi_source_rows('DELETE FROM kpi.kpi_fact WHERE run = $1', 'pg_class', 'UTC', 'pg_catalog.btrim(text)'::regprocedure::oid::regproc, ROW(1::bigint)) AS s(n numeric);
ROLLBACK TO refused;

-- What makes a query may be replaced, or anything that it calls.
RESET ROLE;
CREATE FUNCTION kept.word() RETURNS text LANGUAGE sql AS $$ SELECT 'one' $$;
CREATE FUNCTION kept.maker(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN format('SELECT %L::text', kept.word()); END $$;
CREATE FUNCTION kept.made(source text) RETURNS text LANGUAGE sql AS $$
	SELECT s.w FROM kpi_source_rows(source, 'pg_class', 'UTC', 'kept.maker(text)'::regprocedure::oid::regproc, ROW(1)) AS s(w text) $$;
SELECT kept.made('x') AS first, kept.made('x') AS again;
CREATE OR REPLACE FUNCTION kept.word() RETURNS text LANGUAGE sql AS $$ SELECT 'two' $$;
SELECT kept.made('x') AS replaced;
-- Many of them do not stay.
SELECT count(DISTINCT kept.made('source ' || n)) AS words FROM generate_series(1, 300) n;
SELECT count(*) BETWEEN 1 AND 150 AS few FROM pg_backend_memory_contexts WHERE ident = 'SELECT ''two''::text';
SELECT kept.made('x') AS again;

-- Settings need rights on both their tables.
REVOKE SELECT ON kpi_setting_value FROM regress_salkpi_kept;
SET ROLE regress_salkpi_kept;
SAVEPOINT refused;
SELECT kpi_setting('time_zone');
ROLLBACK TO refused;
RESET ROLE;
SELECT kpi_setting('time_zone') AS set, kpi_setting('language') AS shipped, kpi_setting('margin_default') IS NULL AS not_set, kpi_setting('no such') IS NULL AS unknown, kpi_setting(NULL) IS NULL AS null_is_null;
ROLLBACK;
