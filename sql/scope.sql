--
-- Which dimension, and which of its members, filters by several dimensions mean.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'Europe/Berlin';

BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.sale (sale_id integer, sold_at timestamptz, amount numeric, rep_id text, region text, product text);
CREATE TABLE crm.rep (id text, name text, team text);
CREATE FUNCTION crm.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END;
$$;
INSERT INTO crm.rep VALUES ('1', 'Ada', 'Red'), ('2', 'Bob', 'Blue');
INSERT INTO crm.sale VALUES
	(1, '2025-01-10', 100, '1', 'North', 'A+B'), (1, '2025-01-10', 20, '1', 'North', 'C\D'), (2, '2025-01-11', 3, '2', 'North', 'C\D'),
	(3, '2025-01-12', 400, '2', 'South', 'A+B'), (4, '2025-01-13', 5000, NULL, NULL, 'O''Brien'), (5, '2025-02-01', 60000, '1', 'South', 'A+B');
SELECT kpi_set('time_zone', 'Europe/Berlin') AS zone, kpi_set('language', 'en') AS language;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.sale') s, kpi_bind('rep', 'crm.rep') r;
SELECT kpi_define_dimension('region+product');

SELECT 'before a snapshot' AS asked, dimension, members, label, reason FROM kpi_scope('{"team": ["Red"]}');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-02-28', '2025-03-01 12:00');

-- No filter is the total, however one says that.
SELECT filters, s.* FROM unnest('{"{}","{\"team\": null}","{\"team\": [], \"rep\": [null], \"region\": [\"\"]}"}'::jsonb[]) WITH ORDINALITY f(filters, n), kpi_scope(filters) s ORDER BY n;
-- One, several members, several dimensions; parts in the order of the dimension, escaped.
SELECT filters, s.dimension, s.members, s.label, s.reason
FROM unnest(ARRAY['{"rep": "2"}', '{"rep": ["2", "1", "2"]}', '{"product": ["A+B"], "region": ["North"]}', '{"region": ["North", "South"], "product": ["C\\D", "A+B"]}',
	'{"region": ["nowhere", "(none)"], "product": ["O''Brien"]}']::jsonb[]) WITH ORDINALITY f(filters, n), kpi_scope(filters) s ORDER BY n;
-- What nothing combines, and what is not computed yet, says so.
SELECT s.dimension, s.members, s.label, s.reason FROM kpi_scope('{"team": ["Red"], "region": ["North"]}') s;
SELECT s.dimension, s.members, s.label, s.reason FROM kpi_scope('{"team": ["Red"], "region": ["North"]}', 'product', 'de') s;
SELECT kpi_define_dimension('region+team');
SELECT s.dimension, s.members, s.reason FROM kpi_scope('{"team": ["Red"], "region": ["North"]}', lang => 'de') s;
-- The members of another dimension that the filters let through.
SELECT by, filters, s.dimension, s.members, s.by_members, s.label
FROM (VALUES (1, 'region', '{}'::jsonb), (2, 'region', '{"region": ["South"]}'), (3, 'product', '{"region": ["North"]}'), (4, 'region', '{"product": ["A+B"]}'), (5, 'region', '{"product": ["A"]}')) f(n, by, filters),
	kpi_scope(filters, by) s ORDER BY n;

-- The numbers of it are those of the rows.
SELECT filters, trim_scale(m.value) AS value, (SELECT sum(s.amount) FROM crm.sale s WHERE s.sold_at < '2025-02-01'
		AND (NOT filters ? 'region' OR (filters -> 'region') ? s.region) AND (NOT filters ? 'product' OR (filters -> 'product') ? s.product)) AS of_rows
FROM unnest(ARRAY['{}', '{"region": ["North"]}', '{"region": ["North", "South"]}', '{"region": ["North"], "product": ["C\\D"]}', '{"region": ["North", "South"], "product": ["C\\D", "A+B"]}']::jsonb[]) WITH ORDINALITY f(filters, n),
	kpi_scope(filters) s, kpi_merged_series('revenue', '2025-01-01', '2025-02-01', 'month', s.dimension, s.members) m ORDER BY f.n;
SELECT r.label, trim_scale(r.value) AS value, s.by_members[array_position(s.members, r.member)] AS product
FROM kpi_scope('{"region": ["North"]}', 'product') s, kpi_ranking('revenue', '2025-01-01', s.dimension) r WHERE r.member = ANY (s.members) ORDER BY r.rank;

-- A dashboard names all dimensions, also those that are left out.
SELECT kpi_set('dimensions', 'rep') AS dimensions;
SELECT filters, s.dimension, s.members, s.label, s.reason
FROM unnest(ARRAY['{"region": [], "rep": ["2"]}', '{"region": ["North"]}', '{"region": ["North"], "rep": ["2"]}']::jsonb[]) WITH ORDINALITY f(filters, n), kpi_scope(filters) s ORDER BY n;
SELECT s.dimension, s.reason FROM kpi_scope('{}', 'region', 'de') s;
SELECT count(*) AS members FROM kpi_members('region');
SELECT crm.refused($$SELECT kpi_value('revenue', NULL, 'region', 'North')$$) AS left_out, crm.refused($$SELECT * FROM kpi_pipeline(dimension => 'rep', member => '2')$$) AS by_stage;
SELECT kpi_set('dimensions', NULL) AS dimensions;

SELECT crm.refused($$SELECT * FROM kpi_scope('{"colour": ["red"]}')$$) AS unknown, crm.refused($$SELECT * FROM kpi_scope('{"region+product": ["a+b"]}')$$) AS combined,
	crm.refused($$SELECT * FROM kpi_scope('{}', 'total')$$) AS by_nothing, crm.refused($$SELECT * FROM kpi_scope('[1]')$$) AS no_object, crm.refused($$SELECT * FROM kpi_scope('{}', lang => 'fr')$$) AS lang;
SELECT count(*) AS nothing FROM kpi_scope(NULL) WHERE dimension = 'total';
ROLLBACK;
