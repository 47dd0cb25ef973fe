--
-- What a session sets for the reading and writing of SQL changes no number:
-- names in quotes, backslashes in plain literals, NULL in arrays.
--
SET search_path = kpi, public;
SET client_min_messages = warning;
\set SHOW_CONTEXT never

-- Even the extension can be made so: not a literal in its script has a backslash that such a session would warn of.
BEGIN;
DROP EXTENSION salkpi CASCADE;
SET LOCAL quote_all_identifiers = on;
SET LOCAL standard_conforming_strings = off;
SET LOCAL array_nulls = off;
CREATE EXTENSION salkpi SCHEMA kpi;
COMMIT;

-- Nor has one in a function's body, which is read when it is called: literals with backslashes are E''.
SELECT DISTINCT p.proname
  FROM pg_proc p
  JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e',
	   regexp_matches(p.prosrc, $re$--[^\n]*|/[*](?:[^*]|[*][^/])*[*]/|E'(?:[^'\\]|\\.|'')*'(?:\s*\n\s*'(?:[^'\\]|\\.|'')*')*|('(?:[^']|'')*')$re$, 'g') m(literal)
 WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi') AND literal[1] LIKE E'%\\\\%';

CREATE SCHEMA crm;
CREATE TABLE crm.account (id uuid, name text, region text, segment varchar(10));
CREATE TABLE crm.rep (id smallint, name text, team text, active_from date);
CREATE TABLE crm.stage (name text, position integer, probability numeric, is_won boolean);
CREATE TABLE crm.deal (id integer, status text, created_at date, closed_at date, amount numeric, stage text, expected_close date, account_id uuid, rep_id smallint);
CREATE TABLE crm.history (opportunity_id integer, valid_from date, stage text);
CREATE TABLE crm.sale (sale_id integer, sold_at date, amount double precision, direct_cost numeric(10, 2), currency text, account_id uuid, rep_id smallint, product text);
CREATE TABLE crm.contract (account_id uuid, amount numeric, valid_from date, valid_to date);
CREATE TABLE crm.quota (kpi text, from_day date, to_day date, value numeric, dimension text, member text);
CREATE TABLE crm.fx (currency text, valid_on date, rate numeric);
INSERT INTO crm.account SELECT md5(i::text)::uuid, 'Customer ' || i, (ARRAY['North', 'South', NULL])[1 + i % 3], 'S' || i % 2 FROM generate_series(1, 9) i;
INSERT INTO crm.rep VALUES (1, 'Ada', 'a+b', '2025-01-01'), (2, E'O''Brien \\ x', 'Red', '2025-01-15');
INSERT INTO crm.stage VALUES ('new', 1, 0.1, false), ('offer', 2, 0.5, false), ('won', 3, 1, true);
INSERT INTO crm.deal SELECT i, (ARRAY['open', 'won', 'lost'])[1 + i % 3], date '2025-01-01' + i, CASE WHEN i % 3 > 0 THEN date '2025-01-20' + i END, 10 * i,
	CASE i % 3 WHEN 1 THEN 'won' ELSE 'offer' END, date '2025-02-01' + i, md5((i % 9)::text)::uuid, 1 + i % 2 FROM generate_series(1, 60) i;
INSERT INTO crm.history SELECT d.id, d.created_at + s.n * 5, s.stage FROM crm.deal d, (VALUES (0, 'new'), (1, 'offer')) s(n, stage);
INSERT INTO crm.sale SELECT i, date '2025-01-01' + i, i + 0.5, i / 2.0, CASE i % 5 WHEN 0 THEN 'USD' END, md5((i % 9)::text)::uuid, 1 + i % 2,
	(ARRAY['A', 'C\D', 'it''s', 'x+y'])[1 + i % 4] FROM generate_series(0, 88) i;
INSERT INTO crm.contract SELECT md5((i % 9)::text)::uuid, i, date '2025-01-01' + i * 4, CASE WHEN i % 2 = 0 THEN date '2025-02-01' + i * 4 END FROM generate_series(1, 12) i;
INSERT INTO crm.quota VALUES ('revenue', '2025-01-01', '2025-02-01', 500, NULL, NULL), ('revenue', '2025-01-01', '2025-04-01', 900, 'rep', '1');
INSERT INTO crm.fx VALUES ('USD', '2024-12-31', 0.5);
SELECT kpi_set('time_zone', 'Europe/Berlin'), kpi_set('currency', 'EUR');
SELECT count(*) > 0 AS bound FROM (VALUES ('account', 'account'), ('rep', 'rep'), ('stage', 'stage'), ('opportunity', 'deal'), ('opportunity_history', 'history'), ('sale', 'sale'),
	('subscription', 'contract'), ('target', 'quota'), ('exchange_rate', 'fx')) v(source, name), kpi_bind(v.source, ('crm.' || v.name)::regclass);
SELECT kpi_define_dimension('rep+product');
SELECT kpi_define('margin_left', 'revenue - direct_cost', 'money', 'up', E'Off \\ list');
SELECT count(*) AS tracked FROM kpi_source s, kpi_track(s.source) WHERE s.source <> 'target';

CREATE FUNCTION crm.readings() RETURNS TABLE (what text, row_number bigint, content text) LANGUAGE sql AS $$
	SELECT 'report', row_number() OVER (), to_jsonb(r)::text FROM kpi_report('2025-02-01') r
	UNION ALL SELECT 'report of a member', row_number() OVER (), to_jsonb(r)::text FROM kpi_report('2025-02-01', dimension => 'rep', member => '2') r
	UNION ALL SELECT 'series', row_number() OVER (), to_jsonb(r)::text FROM kpi_series('revenue', '2025-01-01', '2025-04-01', 'month', 'rep') r
	UNION ALL SELECT 'ranking', row_number() OVER (), to_jsonb(r)::text FROM kpi_ranking('revenue', '2025-02-01', 'rep+product') r
	UNION ALL SELECT 'drill', row_number() OVER (ORDER BY r.part, r.key), to_jsonb(r)::text FROM kpi_drill('profit_margin', '2025-02-01', 'rep', '1') r
	UNION ALL SELECT 'drill of stages', row_number() OVER (ORDER BY r.part, r.key), to_jsonb(r)::text FROM kpi_drill('win_rate', '2025-02-01', 'region', 'North') r
	UNION ALL SELECT 'live', row_number() OVER (ORDER BY kpi), concat_ws(' ', kpi, kpi_live(kpi, '2025-02-01', '2025-03-01')) FROM unnest('{revenue,win_rate,mrr,sales_cycle,new_customers,margin_left}'::text[]) kpi
	UNION ALL SELECT 'pipeline', row_number() OVER (), to_jsonb(r)::text FROM kpi_pipeline('2025-02-10') r
	UNION ALL SELECT 'movements', row_number() OVER (), to_jsonb(r)::text FROM kpi_mrr_movements('2025-01-01', '2025-04-01') r
	UNION ALL SELECT 'cohorts', row_number() OVER (), to_jsonb(r)::text FROM kpi_cohorts('2025-01-01', '2025-04-01') r
	UNION ALL SELECT 'funnel', row_number() OVER (), to_jsonb(r)::text FROM kpi_stage_funnel('2025-02-01') r
	UNION ALL SELECT 'scope', row_number() OVER (), to_jsonb(r)::text FROM kpi_scope(jsonb_build_object('rep', '{2}'::text[], 'product', ARRAY[E'C\\D'])) r
	UNION ALL SELECT 'targets', row_number() OVER (), to_jsonb(r)::text FROM kpi_source_target_rows() r
	UNION ALL SELECT 'tracking', row_number() OVER (), to_jsonb(r)::text FROM (SELECT source, tracked, way, reason FROM kpi_tracking()) r
$$;
SELECT outcome, changed > 0 AS changed FROM kpi_snapshot(as_of => '2025-04-02 12:00+02');
CREATE TABLE crm.usual AS SELECT * FROM crm.readings();
SELECT what, count(*) > 0 AS some FROM crm.usual GROUP BY 1 ORDER BY 1;

-- What is read otherwise, and which facts are written anew: of all days, and after a change to and fro.
CREATE FUNCTION crm.differences(as_of timestamptz, OUT readings bigint, OUT facts bigint, OUT after_change bigint, OUT after_return bigint) LANGUAGE plpgsql AS $$
BEGIN
	SELECT count(*) INTO readings FROM crm.usual u FULL JOIN crm.readings() r USING (what, row_number) WHERE u.content IS DISTINCT FROM r.content;
	SELECT s.changed INTO facts FROM kpi_snapshot('2025-01-01', '2025-03-31', as_of) s;
	UPDATE crm.sale SET amount = -amount WHERE sale_id = 7;
	SELECT s.changed INTO after_change FROM kpi_snapshot(as_of => as_of + interval '1 minute') s;
	UPDATE crm.sale SET amount = -amount WHERE sale_id = 7;
	SELECT s.changed INTO after_return FROM kpi_snapshot(as_of => as_of + interval '2 minutes') s;
END;
$$;
SELECT * FROM crm.differences('2025-04-02 12:10+02');
\c -
SET search_path = kpi, public;
SET client_min_messages = warning;
SET quote_all_identifiers = on;
SELECT * FROM crm.differences('2025-04-02 12:20+02');
SELECT kpi_crm_column('crm', 'sale', 'sold_at'), kpi_crm_column('crm', 'sale', 'product');
CREATE TABLE crm.json (sale_id integer, sold_at date, amount jsonb);
SELECT kpi_bind('sale', 'crm.json');
\c -
SET search_path = kpi, public;
SET client_min_messages = warning;
SET array_nulls = off;
SELECT * FROM crm.differences('2025-04-02 12:30+02');
\c -
SET search_path = kpi, public;
SET client_min_messages = warning;
SET standard_conforming_strings = off;
SELECT * FROM crm.differences('2025-04-02 12:40+02');

-- Nor does how a session writes what a view makes a text of: facts and the rows behind them are the same.
\c -
SET search_path = kpi, public;
SET client_min_messages = warning;
SELECT kpi_untrack('sale');
CREATE VIEW crm.written AS
	SELECT sale_id, sold_at, amount, (sold_at + time '10:00')::text AS product, (amount / 3)::text AS region, (sold_at + interval '1 hour' - date '2024-01-01')::text AS channel,
		   convert_to(product, 'UTF8')::text AS campaign FROM crm.sale;
ALTER TABLE crm.deal ALTER amount TYPE double precision USING amount / 7;
ALTER TABLE crm.quota ALTER value TYPE double precision USING value / 3;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.written');
CREATE FUNCTION crm.behind(OUT changed bigint, OUT target numeric, OUT top numeric, OUT drilled numeric) LANGUAGE sql AS $$
	SELECT (SELECT s.changed FROM kpi_snapshot() s),
		   (SELECT s.target FROM kpi_series('revenue', '2025-01-01', '2025-02-01') s),
		   (SELECT sum(o.amount) FROM kpi_top_opportunities(99) o),
		   (SELECT sum(d.amount) FROM unnest('{product,region,channel,campaign}'::text[]) dimension,
				LATERAL (SELECT member FROM kpi_members(dimension) m WHERE member <> '(none)' ORDER BY member COLLATE "C" LIMIT 4) m,
				kpi_drill('revenue', '2025-01-01', dimension, m.member, 'year') d)
$$;
SELECT changed > 0 AS changed FROM kpi_snapshot();
SELECT * FROM crm.behind();
SET datestyle = 'German';
SET intervalstyle = 'iso_8601';
SET extra_float_digits = 0;
SET bytea_output = 'escape';
SET timezone = 'Asia/Tokyo';
SELECT * FROM crm.behind();

DROP EXTENSION salkpi CASCADE;
DROP SCHEMA crm CASCADE;

-- A schema may have any name that can stand in a format.
CREATE SCHEMA "10 %s";
CREATE EXTENSION salkpi SCHEMA "10 %s";
DROP SCHEMA "10 %s";
CREATE EXTENSION salkpi SCHEMA kpi;
