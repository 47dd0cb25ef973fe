--
-- The state of the whole: each fault is found, named and gone when mended.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'America/New_York';

BEGIN;
CREATE SCHEMA shop;
SELECT kpi_set('time_zone', 'Europe/Berlin'), kpi_set('language', 'en');

-- Days, and numbers of runs, differ.
CREATE FUNCTION shop.state(lang text DEFAULT NULL) RETURNS TABLE (severity text, subject text, what text, detail text, hint text) LANGUAGE sql AS $$
	SELECT severity, regexp_replace(subject, '^run \d+', 'run N'), what, regexp_replace(detail, '\d{4}-\d\d-\d\d|\d\d\.\d\d\.\d{4}', 'DAY'), hint FROM kpi_check(lang)
$$;

SELECT * FROM shop.state();
SELECT * FROM shop.state('de');
SAVEPOINT before;
SELECT * FROM kpi_check('fr');
ROLLBACK TO before;

-- A shop in which all is well.
CREATE TABLE shop.line (sale_id integer, sold_at date, amount numeric, rep_id integer);
INSERT INTO shop.line SELECT n, kpi_today() - n, 100, 1 + n % 2 FROM generate_series(1, 40) n;
CREATE TABLE shop.rep (id integer, name text, team text);
INSERT INTO shop.rep VALUES (1, 'Ada', 'North'), (2, 'Bob', 'South');
CREATE TABLE shop.deal (id text, status text, created_at timestamptz, expected_close date, closed_at date);
INSERT INTO shop.deal VALUES ('A', 'open', now() - interval '10 days', kpi_today() + 5, NULL), ('B', 'open', now() - interval '100 days', kpi_today(), NULL),
	('C', 'won', now() - interval '900 days', kpi_today() - 800, kpi_today() - 790);
CREATE TABLE shop.deal_log (opportunity_id text, valid_from timestamptz, stage text);
INSERT INTO shop.deal_log VALUES ('A', now() - interval '10 days', 'New'), ('B', now() - interval '100 days', 'New');
CREATE TABLE shop.call (happened_at timestamptz, kind text, opportunity_id text);
INSERT INTO shop.call VALUES (now() - interval '2 days', 'call', 'B');
SELECT count(*) AS bound FROM (VALUES ('sale', 'shop.line'), ('rep', 'shop.rep'), ('opportunity', 'shop.deal'), ('opportunity_history', 'shop.deal_log'), ('activity', 'shop.call')) v(source, relation)
WHERE EXISTS (SELECT FROM kpi_bind(source, relation::regclass));
SELECT * FROM shop.state();
SELECT outcome FROM kpi_snapshot();
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value) VALUES
	('revenue', 'total', '', kpi_today() - 20, kpi_today(), 10), ('revenue', 'rep', '1', kpi_today() - 20, kpi_today(), 10);
SELECT * FROM shop.state();
SELECT * FROM shop.state('de');

-- The clock was set back after a snapshot: the next ones follow it all the same.
SAVEPOINT before;
UPDATE kpi_run SET as_of = as_of + interval '3 hours';
UPDATE shop.line SET amount = 130 WHERE sale_id = 1;
SELECT outcome FROM kpi_snapshot();
UPDATE shop.line SET amount = 150 WHERE sale_id = 1;
SELECT outcome FROM kpi_snapshot();
SELECT count(*) AS runs, array_agg(run ORDER BY as_of) = array_agg(run ORDER BY run) AS in_order, max(as_of) - min(as_of) AS since_the_first,
	(SELECT sum(revenue) FROM kpi_fact WHERE dimension = 'total' AND grain = 'month' AND superseded_at IS NULL) AS revenue FROM kpi_run;
SELECT severity, subject, what, regexp_replace(detail, '\d\d:\d\d:\d\d', 'TIME') AS detail, hint FROM unnest('{en,de}'::text[]) lang, shop.state(lang);
ROLLBACK TO before;

-- Deals: overdue since yesterday, untouched, unknown to the history, or only from the first change on.
SAVEPOINT before;
INSERT INTO shop.deal VALUES ('D', 'open', now() - interval '1 day', kpi_today() - 1), ('E', 'open', now() - interval '61 days', NULL), ('F', 'open', NULL, NULL), ('G', 'open', now() - interval '30 hours', NULL), ('H', 'open', now() - interval '20 hours', NULL);
INSERT INTO shop.deal_log VALUES ('D', now() - interval '1 day', 'New'), ('E', now() - interval '61 days', 'New'), ('G', now(), 'New'), ('H', now(), 'New');
SELECT s.* FROM unnest('{en,de}'::text[]) lang, shop.state(lang) s;
SELECT kpi_set('stale_deal_days', '62');
INSERT INTO shop.deal_log VALUES ('F', now(), 'New');
INSERT INTO shop.deal_log VALUES ('G', now() - interval '30 hours', 'New');
UPDATE shop.deal SET expected_close = kpi_today() WHERE id = 'D';
SELECT * FROM shop.state();
ROLLBACK TO before;

-- Views that fail, each on a row of its own or for lack of rights, are named.
SAVEPOINT before;
CREATE VIEW shop.spoilt_line AS SELECT 1 / (sale_id - 1) AS sale_id, sold_at, amount FROM shop.line;
CREATE VIEW shop.spoilt_call AS SELECT happened_at, kind, ('#' || opportunity_id)::uuid AS id FROM shop.call;
SELECT bool_or(status = 'ok') FROM kpi_bind('sale', 'shop.spoilt_line');
SELECT bool_or(status = 'ok') FROM kpi_bind('activity', 'shop.spoilt_call');
CREATE ROLE regress_salkpi_check;
GRANT USAGE ON SCHEMA shop TO regress_salkpi_check;
CREATE VIEW shop.staff AS SELECT id, name, team FROM shop.rep;
ALTER VIEW shop.staff OWNER TO regress_salkpi_check;
SELECT bool_or(status = 'ok') FROM kpi_bind('rep', 'shop.staff');
SELECT s.* FROM unnest('{en,de}'::text[]) lang, shop.state(lang) s WHERE severity = 'error';
ROLLBACK TO before;

-- A word that is none of those a column takes; the skeleton says which these are.
SAVEPOINT before;
UPDATE shop.deal SET status = 'Won' WHERE id = 'C';
UPDATE shop.call SET kind = 'Anruf';
SELECT outcome, problems FROM kpi_snapshot();
SELECT hint FROM unnest('{en,de}'::text[]) lang, shop.state(lang) WHERE severity = 'warning';
SELECT line FROM unnest('{opportunity,quote,subscription,cost,activity}'::text[]) source, string_to_table(kpi_skeleton(source), E'\n') line WHERE line ~ '--.*,|-- in';
ROLLBACK TO before;

-- Stages in an order, of which nobody says where the won and the lost ones end.
SAVEPOINT before;
CREATE TABLE shop.stage (name text, position integer);
INSERT INTO shop.stage VALUES ('New', 1), ('Won', 2), ('Lost', 3);
SELECT count(*) > 0 AS bound FROM kpi_bind('stage', 'shop.stage');
SELECT severity, subject, what, hint FROM unnest('{en,de}'::text[]) lang, shop.state(lang);
-- But not where a status says so, and no stage is theirs alone.
SAVEPOINT told;
ALTER TABLE shop.deal_log ADD status text;
UPDATE shop.deal_log SET status = 'open';
INSERT INTO shop.deal VALUES ('K', 'lost', now() - interval '100 days', NULL, kpi_today() - 20);
INSERT INTO shop.deal_log VALUES ('C', now() - interval '850 days', 'New', 'won'), ('K', now() - interval '100 days', 'New', 'lost');
SELECT count(*) FROM kpi_bind('opportunity_history', 'shop.deal_log') WHERE status = 'ok';
SELECT subject, what FROM shop.state();
INSERT INTO shop.deal_log VALUES ('K', now() - interval '20 days', 'Lost', 'lost');
SELECT subject, what FROM shop.state();
UPDATE shop.deal_log SET status = NULL WHERE stage = 'Lost';
SELECT subject, what FROM shop.state();
ROLLBACK TO told;
ALTER TABLE shop.stage ADD is_won boolean DEFAULT false;
SELECT subject, what FROM shop.state();
ALTER TABLE shop.stage ADD is_lost boolean DEFAULT false;
SELECT * FROM shop.state();
DROP TABLE shop.stage;
CREATE TABLE shop.stage (name text);
SELECT * FROM shop.state();
ROLLBACK TO before;

-- A rep whom no one knows, a row that cannot be right, targets that lead nowhere.
INSERT INTO shop.line VALUES (50, kpi_today() - 1, 70, 9), (51, NULL, 80, 1);
SELECT kpi_define('odd', 'revenue', 'money', 'up', 'Odd'), kpi_define_dimension('planet');
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value) VALUES
	('revenue', 'rep', '77', kpi_today() - 30, kpi_today(), 10), ('revenue', 'rep', '77', kpi_today(), kpi_today() + 30, 10),
	('odd', 'total', '', kpi_today() - 30, kpi_today(), 10), ('revenue', 'planet', 'Mars', kpi_today() - 30, kpi_today(), 10),
	('revenue', 'total', '', '1999-01-01', '2000-01-01', 10),
	('purchases', 'total', '', date_trunc('year', kpi_today()), (date_trunc('year', kpi_today()) + interval '1 year')::date - 1, 10),
	('purchases', 'total', '', date_trunc('month', kpi_today()), (date_trunc('month', kpi_today()) + interval '2 months')::date - 1, 10), ('leads', 'total', '', kpi_today() - 30, kpi_today(), 10);
INSERT INTO kpi_target (kpi, from_day, to_day, value, warn_at) VALUES ('sale_lines', kpi_today() - 30, kpi_today(), 10, 9), ('sale_lines', kpi_today() - 10, kpi_today(), 10, 11);
SELECT kpi_undefine('odd'), kpi_undefine_dimension('planet');
SELECT outcome, problems FROM kpi_snapshot();
SELECT * FROM shop.state();
SELECT * FROM shop.state('de');
DELETE FROM shop.line WHERE sale_id > 49;
DELETE FROM kpi_target;
SELECT outcome, problems FROM kpi_snapshot();
SELECT * FROM shop.state();
ROLLBACK TO before;

-- What does not fit together: a join that repeats deals, customers and stages that no one knows, a stage of two pipelines,
-- a misspelt dimension, and rows of a bound source that are no targets.
CREATE TABLE shop.customer (id text, region text);
INSERT INTO shop.customer VALUES ('1', 'North'), ('2', 'South');
CREATE VIEW shop.order AS SELECT l.*, 'K' || rep_id AS account_id, sale_id + 7 AS line_id FROM shop.line l;
CREATE TABLE shop.phase (name text, "position" integer, probability numeric);
INSERT INTO shop.phase VALUES ('Old', 1, 0.1), ('Old', 2, 0.2);
CREATE VIEW shop.deals AS SELECT d.*, c.region FROM shop.deal d LEFT JOIN shop.customer c ON d.id = 'A';
CREATE TABLE shop.quota (kpi text, dimension text, member text, from_day date, to_day date, value numeric, currency text);
INSERT INTO shop.quota VALUES ('revenue', 'rep', '1', kpi_today() - 7, kpi_today(), 10, NULL), ('turnover', NULL, NULL, kpi_today() - 7, kpi_today(), 10, NULL), ('calls', NULL, NULL, kpi_today(), kpi_today(), 10, NULL),
	('revenue', NULL, NULL, kpi_today() - 7, kpi_today(), 'NaN', NULL), ('revenue', '', '', kpi_today() - 7, kpi_today(), 10, 'GBP'), ('revenue', 'rep', '77', kpi_today() - 7, kpi_today(), 10, NULL),
	('calls', NULL, NULL, kpi_today(), 'infinity', 10, NULL), ('calls', NULL, NULL, kpi_today() - 7, kpi_today(), 10, 'GBP'),
	('emails', NULL, NULL, kpi_today() - 31, kpi_today() + 1, 10, NULL), ('emails', NULL, NULL, kpi_today() - 27, kpi_today() + 1, 11, NULL), ('emails', NULL, NULL, kpi_today() - 7, kpi_today() + 1, 3, NULL);
SELECT count(*) AS bound FROM (VALUES ('sale', 'shop.order'), ('account', 'shop.customer'), ('stage', 'shop.phase'), ('opportunity', 'shop.deals'), ('target', 'shop.quota')) v(source, relation)
WHERE EXISTS (SELECT FROM kpi_bind(source, relation::regclass));
SELECT kpi_define_dimension('artikl'), kpi_define_dimension('region+product'), kpi_define_dimension('rep+team');
SELECT outcome, problems FROM kpi_snapshot();
SELECT * FROM shop.state();
SELECT * FROM shop.state('de');
SELECT * FROM kpi_bad_rows('target');
SELECT count(*) > 0 AS readable FROM kpi_series('calls', kpi_today() - 40, kpi_today() + 1);
ROLLBACK TO before;

-- A source that has lost all its rows, before a snapshot has noticed and after; one that never had any is not told of.
TRUNCATE shop.line;
CREATE TABLE shop.offer (id integer, sent_at date, status text);
SELECT count(*) AS bound FROM kpi_bind('quote', 'shop.offer') WHERE status = 'ok';
SELECT * FROM shop.state();
SELECT outcome FROM kpi_snapshot();
SELECT subject, what, detail, hint FROM shop.state('de');
CREATE ROLE regress_salkpi_blind;
SELECT count(*) > 0 AS granted FROM kpi_grant('regress_salkpi_blind', 'reader');
GRANT USAGE ON SCHEMA shop TO regress_salkpi_blind;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO regress_salkpi_blind;
ALTER TABLE shop.line ENABLE ROW LEVEL SECURITY;	-- rows that are hidden may be there
SET LOCAL ROLE regress_salkpi_blind;
SELECT subject, what FROM kpi_check() WHERE subject = 'sale';
RESET ROLE;
ROLLBACK TO before;

-- A look-back without anything tracked: what is older goes unnoticed.
SELECT kpi_set('lookback_days', '30');
SELECT severity, subject, what, hint FROM shop.state();
ROLLBACK TO before;

-- Where changes are tracked, what goes unseen is told; a foreign table, and a
-- view of what is no table, cannot be tracked.
SELECT relation::text, way FROM kpi_track('sale');
SELECT * FROM shop.state();
SELECT * FROM shop.state('de') WHERE subject = 'rep';
SELECT count(*) AS tables FROM unnest('{rep,opportunity,opportunity_history,activity}'::text[]) s, kpi_track(s);
SELECT * FROM shop.state();
CREATE TABLE shop.quota (kpi text, from_day date, to_day date, value numeric);
SELECT count(*) AS bound FROM kpi_bind('target', 'shop.quota') WHERE status = 'ok';
SELECT * FROM shop.state();	-- targets are read, not taken
CREATE FOREIGN DATA WRAPPER shop_nowhere;
CREATE SERVER shop_elsewhere FOREIGN DATA WRAPPER shop_nowhere;
CREATE FOREIGN TABLE shop.far_rep (id integer, name text, team text) SERVER shop_elsewhere;
SELECT count(*) AS bound FROM kpi_bind('rep', 'shop.far_rep') WHERE status = 'ok';
CREATE VIEW shop.calls AS SELECT c.happened_at, c.kind, c.opportunity_id FROM shop.call c, pg_settings s WHERE s.name = 'max_connections';
SELECT count(*) AS bound FROM kpi_bind('activity', 'shop.calls') WHERE status = 'ok';
SELECT severity, subject, what, regexp_replace(detail, '(shop.calls depends on).*', '\1 ...') AS detail, hint FROM shop.state() WHERE what LIKE 'not tracked%';
-- Another table in the place of the tracked one; with a look-back what is older goes unnoticed.
CREATE TABLE shop.newer (LIKE shop.line);
ALTER TABLE shop.line RENAME TO older;
ALTER TABLE shop.newer RENAME TO line;
SELECT kpi_set('lookback_days', '30');
SELECT severity, subject, what, regexp_replace(detail, '(shop.calls depends on).*', '\1 ...') AS detail, hint FROM shop.state() WHERE what LIKE 'not tracked%';
SELECT severity, subject, what, regexp_replace(detail, '(shop.calls hängt ab von).*', '\1 ...') AS detail, hint FROM shop.state('de') WHERE what LIKE 'nicht verfolgt%';
ROLLBACK TO before;

-- Numbers of yesterday are new enough, those of the day before are not.
UPDATE kpi_run SET as_of = as_of - interval '25 hours';
SELECT * FROM shop.state();
UPDATE kpi_run SET as_of = as_of - interval '2 hours';
SELECT * FROM shop.state();
INSERT INTO kpi_run (outcome, error) VALUES ('failed', 'cannot read source "sale"');
INSERT INTO kpi_run (outcome, pid) VALUES ('running', 0);
SELECT * FROM shop.state();
DELETE FROM kpi_run WHERE outcome = 'running';
SELECT * FROM shop.state();
ROLLBACK TO before;

-- Formulas that kpi_define has not seen: errors name the KPI, and snapshots go on; they can be mended one by one.
CREATE FUNCTION shop.failure(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	context text;
BEGIN
	EXECUTE query;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(' | ', message, substring(context, 'formula of KPI.*?(?=\n)'));
END;
$$;
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue_growth', kpi_today() - 30, kpi_today(), 10);
INSERT INTO kpi_definition_own (kpi, formula, n, unit, better, label_en, label_de, description_en, description_de)
SELECT v.kpi, v.formula, v.n, 'money', 'up', v.kpi, v.kpi, v.kpi, v.kpi
  FROM (VALUES ('cut_off', 'revenue /', NULL), ('circular', '2 * circular', NULL), ('uses_gone', 'revenue - gone', NULL), ('uses_that', 'uses_gone + 1', NULL),
			   ('counts_wrong', 'revenue', 'leads + sales_cycle'), ('too_exact', 'sum_months(revenue * ' || repeat('0.' || repeat('0', 900) || '1 * ', 20) || '1, 1)', 'purchases'), ('revenue_growth', 'nothing', NULL)) v(kpi, formula, n);
SELECT * FROM shop.state();
SELECT subject, what, hint FROM shop.state('de') LIMIT 2;
UPDATE shop.line SET amount = amount / 1000;
SELECT outcome FROM kpi_snapshot();
SELECT v.kpi, shop.failure(format('SELECT kpi_value(%L, kpi_day(now() - interval ''10 days''))', v.kpi)) FROM unnest('{cut_off,circular,uses_gone,uses_that,counts_wrong}'::text[]) v(kpi);
-- A report has the others all the same.
SELECT kpi_select('mine', 'revenue', 'uses_that', 'too_exact', 'cut_off', 'average_purchase_value', 'circular', 'revenue_growth', 'counts_wrong', 'purchases');
SELECT r.kpi, r.value IS NOT DISTINCT FROM CASE WHEN r.reason IS NULL THEN kpi_value(r.kpi, kpi_day(now() - interval '10 days')) END AS as_by_itself, r.unit, r.status, r.reason
  FROM kpi_report(kpi_day(now() - interval '10 days'), selection => 'mine') r;
SELECT r.kpi, r.reason, r.n = kpi_value('purchases', kpi_today() - 10, grain => 'year') AS is_of_year
  FROM kpi_report(kpi_today() - 10, 'year', selection => 'mine') r WHERE r.kpi IN ('too_exact', 'purchases');
SELECT kpi, reason FROM kpi_report(selection => 'mine', lang => 'de') WHERE kpi = 'circular';
SELECT shop.failure('SELECT * FROM kpi_report()') AS report, shop.failure('SELECT kpi_live(''uses_gone'', ''2025-01-01'', ''2025-02-01'')') AS live, shop.failure('SELECT * FROM kpi_needs(''cut_off'')') AS needs;
SELECT shop.failure($$SELECT kpi_define('fine', 'revenue', 'money', 'up', 'Fine')$$) AS another;
SELECT kpi_undefine(kpi) FROM unnest('{uses_that,cut_off,circular,counts_wrong,too_exact,revenue_growth}'::text[]) kpi;
SELECT kpi_define('uses_gone', 'revenue - direct_cost', 'money', 'up', 'Mended');
SELECT * FROM shop.state();
ROLLBACK TO before;

-- What was bound and is no longer as it was.
ALTER TABLE shop.line DROP COLUMN amount;
ALTER TABLE shop.rep ALTER name TYPE boolean USING true, ALTER team TYPE boolean USING true;
DROP TABLE shop.call;
SELECT * FROM shop.state();
SELECT * FROM shop.state('de');
ROLLBACK TO before;
ALTER TABLE shop.deal DROP COLUMN status;
SELECT severity, subject, what FROM shop.state();
ROLLBACK;

-- All that it says has a German text: reasons of bad rows, and why something is not tracked.
WITH named AS (SELECT array_agg(source || '.' || column_name) AS columns FROM kpi_source_column)
SELECT DISTINCT f.reason FROM named n, (SELECT DISTINCT source FROM kpi_source_column) s, kpi_faults(s.source, n.columns) f
WHERE kpi_reason_text(f.reason, 'de') = f.reason;
WITH named AS (SELECT array_agg(source || '.' || column_name) AS columns FROM kpi_source_column)
SELECT count(DISTINCT f.reason) > 30 AS reasons, bool_or(f.reason = 'no exchange rate') AS rates
FROM named n, (SELECT DISTINCT source FROM kpi_source_column) s, kpi_faults(s.source, n.columns) f;
SELECT count(*) > 10 AS phrases, array_agg(p.phrase) FILTER (WHERE kpi_detail_text('x ' || p.phrase, 'de') = 'x ' || p.phrase) AS without
FROM (SELECT btrim(m[1]) AS phrase FROM unnest('{kpi_track_obstacle,kpi_tracking}'::text[]) f,
		regexp_matches(pg_get_functiondef(f::regproc), '''((?:, a part of it,)? ?(?:is|has|lacks) [a-z][^'']+)''', 'g') m) p;

-- One of several ways to measure is enough; days before the year that a snapshot goes back to count in no period.
BEGIN;
CREATE TABLE bought AS SELECT n AS sale_id, (date_trunc('year', kpi_today()) - (30 - n) * interval '1 month')::date AS sold_at, 100 AS amount, 'a' || n % 3 AS account_id FROM generate_series(0, 29) n;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'bought');
SELECT kpi_set('history_years', '2') AS years;
SELECT outcome FROM kpi_snapshot();
SELECT kpi_value('yearly_revenue_per_customer', (date_trunc('year', kpi_today()) - interval '1 month')::date) IS NOT NULL AS measured, count(*) FILTER (WHERE status <> 'ok') > 0 AS in_another_way FROM kpi_needs('yearly_revenue_per_customer');
INSERT INTO kpi_target (kpi, from_day, to_day, value)
SELECT kpi, (date_trunc('year', kpi_today()) - interval '1 month')::date, date_trunc('year', kpi_today())::date, 1 FROM unnest('{yearly_revenue_per_customer,revenue,mrr}'::text[]) kpi;
SELECT * FROM kpi_target_faults();
SELECT f.source, f.column_name, f.is_future, f.bad_rows = (SELECT count(*) FROM bought WHERE sold_at < date_trunc('year', kpi_today() - interval '2 years')) AS those_before, f.bad_rows > 0 AS some FROM kpi_far_dates() f;
ROLLBACK;

-- Targets in another unit: a fraction in place of a percentage, a share of the target as warn_at. Of growth, and of what
-- is small anyway, small percentages are ordinary.
BEGIN;
CREATE TABLE sold AS SELECT n AS sale_id, (date_trunc('month', kpi_today()) - n * interval '1 month')::date AS sold_at, 100 * n AS amount, 60 * n AS direct_cost FROM generate_series(1, 3) n;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'sold');
SELECT kpi_define('tenth', '10 * revenue / revenue', 'percent', 'up', 'A tenth') AS tenth, kpi_define('fall', '100 * (prior(revenue) - revenue) / revenue', 'percent', 'up', 'Fall') AS fall;
SELECT outcome FROM kpi_snapshot();
INSERT INTO kpi_target (kpi, from_day, to_day, value, warn_at)
SELECT v.kpi, kpi_today() - v.days, kpi_today(), v.value, v.warn_at
  FROM (VALUES ('profit_margin', 40, 0.3, NULL), ('profit_margin', 80, 1, 0.9), ('profit_margin', 20, 1.1, NULL), ('profit_margin', 10, 0, NULL), ('tenth', 40, 0.3, NULL), ('fall', 40, 1, 0.01),
			   ('revenue', 40, 1000, 80), ('revenue', 80, 1000, 100), ('revenue', 20, 1000, NULL), ('revenue', 10, 1000, 0), ('direct_cost', 40, 50, 501), ('direct_cost', 80, 50, 500)) v(kpi, days, value, warn_at);
SELECT kpi_value('profit_margin', NULL) > 10 AS large, trim_scale(kpi_value('tenth', NULL)) AS tenth, trim_scale(kpi_value('fall', NULL)) AS fall;
SELECT kpi, what, targets FROM kpi_target_faults() ORDER BY kpi COLLATE "C";
SELECT c.* FROM unnest('{en,de}'::text[]) lang, kpi_check(lang) c WHERE c.subject IN ('profit_margin', 'revenue');
ROLLBACK;
