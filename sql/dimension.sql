-- The setting "dimensions": which of the shipped dimensions a snapshot computes.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
SET client_min_messages = warning;
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TABLE sales AS
SELECT n AS sale_id, date '2026-01-01' + n * 7 % 80 AS sold_at, (20 + n * 13 % 50)::numeric AS amount,
	'R' || n % 3 AS region, 'P' || n % 4 AS product, 'S' || n % 5 AS size, n % 2 AS rep_id
FROM generate_series(1, 200) n;
SELECT count(*) FROM kpi_bind('sale', 'sales');
SELECT kpi_define_dimension('size'), kpi_define_dimension('region+product');
SELECT kpi_set('grains', 'month');

-- By default all are there; what a snapshot computes of them is what it computes of fewer.
SELECT outcome FROM kpi_snapshot('2026-01-01', '2026-03-31', '2026-05-01');
CREATE TABLE whole AS SELECT * FROM kpi_fact WHERE superseded_at IS NULL;
SELECT count(DISTINCT dimension) = (SELECT count(*) FROM kpi_dimension WHERE dimension IN ('total', 'rep', 'region', 'product', 'size', 'region+product')) FROM whole WHERE revenue IS NOT NULL;
SELECT kpi_set('dimensions', 'region,rep+kind');
SELECT dimension FROM kpi_dimension ORDER BY dimension COLLATE "C";

-- A row that comes late changes what is computed, and nothing else.
INSERT INTO sales VALUES (1000, '2026-02-10', 7, 'R1', 'P1', 'S1', 1);
SELECT outcome, changed FROM kpi_snapshot('2026-01-01', '2026-03-31', '2026-05-02');
SELECT f.dimension, count(*) AS facts, bool_and(f.revenue = (
		SELECT coalesce(sum(s.amount), 0) FROM sales s
		 WHERE s.sold_at >= f.period AND s.sold_at < f.period_end
		   AND CASE f.dimension WHEN 'total' THEN '' WHEN 'region' THEN s.region WHEN 'size' THEN s.size ELSE s.region || '+' || s.product END = f.member)) AS as_sold
FROM kpi_fact f WHERE f.superseded_at IS NULL AND f.dimension IN (SELECT dimension FROM kpi_dimension) AND f.dimension <> 'rep+kind'
GROUP BY f.dimension ORDER BY f.dimension COLLATE "C";
-- What is left out is closed, lest it be taken for current when it is no longer left out.
SELECT count(*) AS current, (SELECT count(*) > 0 FROM kpi_fact f JOIN whole w USING (dimension, member, grain, period, recorded_at) WHERE f.dimension = 'product' AND f.superseded_at = '2026-05-02') AS closed
FROM kpi_fact f WHERE f.superseded_at IS NULL AND f.dimension IN ('rep', 'product');
SELECT kpi_value('revenue', '2026-02-01', 'region', 'R1') - (SELECT revenue FROM whole WHERE dimension = 'region' AND member = 'R1' AND period = '2026-02-01') AS added;
SELECT kpi_value('revenue', '2026-02-01', 'product', 'P1');

-- With all again they are made up for.
SELECT kpi_set('dimensions', NULL);
SELECT outcome FROM kpi_snapshot('2026-01-01', '2026-03-31', '2026-05-03');
SELECT kpi_value('revenue', '2026-02-01', 'product', 'P1') - (SELECT sum(amount) FROM sales WHERE product = 'P1' AND sold_at BETWEEN '2026-02-01' AND '2026-02-28') AS differs;

-- Grains left out are closed in all dimensions, whatever is computed in between.
SELECT kpi_set('grains', 'month,year');
SELECT outcome FROM kpi_snapshot('2026-01-01', '2026-03-31', '2026-05-04');
SELECT kpi_set('grains', 'month'), kpi_set('dimensions', 'region');
SELECT outcome FROM kpi_snapshot('2026-01-01', '2026-03-31', '2026-05-05');
SELECT kpi_set('dimensions', NULL);
INSERT INTO sales VALUES (1001, '2026-02-11', 9, 'R1', 'P1', 'S1', 1);
SELECT kpi_value('revenue', '2026-02-01', 'product', 'P1') AS month;
SELECT outcome FROM kpi_snapshot('2026-01-01', '2026-03-31', '2026-05-06');
SELECT kpi_value('revenue', '2026-02-01', 'product', 'P1') - (SELECT sum(amount) FROM sales WHERE product = 'P1' AND sold_at BETWEEN '2026-02-01' AND '2026-02-28') AS differs;
SELECT DISTINCT grain FROM kpi_fact WHERE superseded_at IS NULL;
-- And so is a dimension of one's own that is gone.
SELECT kpi_undefine_dimension('size');
SELECT outcome, changed > 0 AS closed FROM kpi_snapshot('2026-01-01', '2026-03-31', '2026-05-07');
SELECT kpi_define_dimension('size');
SELECT kpi_value('revenue', '2026-02-01', 'size', 'S1');

-- The total is always there; a name that none has is refused.
SELECT kpi_set('dimensions', 'total');
SELECT dimension FROM kpi_dimension ORDER BY dimension COLLATE "C";
SELECT kpi_set('dimensions', 'region,regions');
SELECT kpi_set('dimensions', 'size');
SELECT kpi_set('dimensions', '');
SELECT kpi_set('dimensions', 'region, rep');
SELECT kpi_setting('dimensions');
ROLLBACK;

-- What a snapshot with bounds closed is made up for, though nothing else changed.
BEGIN;
CREATE TABLE sale (sale_id integer PRIMARY KEY, sold_at date, amount numeric, rep_id text, region text);
INSERT INTO sale SELECT n, '2025-01-15'::date + 30 * n, 100 + n, 'r' || n % 2, 'R' || n % 3 FROM generate_series(0, 15) n;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'sale');
SELECT count(*) > 0 AS tracked FROM kpi_track('sale');
SELECT kpi_set('dimensions', 'all') AS dimensions, kpi_define_dimension('region+rep') AS own;
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-01');
CREATE FUNCTION made_up_for() RETURNS TABLE (of_region boolean, of_both boolean) LANGUAGE sql AS $$
	SELECT kpi_value('revenue', '2025-05-01', 'region', 'R1') = (SELECT sum(amount) FROM sale WHERE region = 'R1' AND to_char(sold_at, 'YYYY-MM') = '2025-05'),
		   kpi_value('revenue', '2025-05-01', 'region+rep', 'R1+r0') = (SELECT sum(amount) FROM sale WHERE region = 'R1' AND rep_id = 'r0' AND to_char(sold_at, 'YYYY-MM') = '2025-05') $$;
SELECT * FROM made_up_for();
SELECT kpi_set('dimensions', 'rep') AS dimensions;
SELECT changed > 0 AS closed FROM kpi_snapshot('2026-04-01', '2026-04-30', '2026-05-02');
SELECT s.dimension, s.members, s.reason FROM kpi_scope('{"region": ["R1"], "rep": ["r0"]}') s;
SELECT kpi_set('dimensions', 'all') AS dimensions;
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-03 06:00');
SELECT * FROM made_up_for();
SELECT changed FROM kpi_snapshot(as_of => '2026-05-03 07:00');
SELECT kpi_undefine_dimension('region+rep') AS own;
SELECT changed > 0 AS closed FROM kpi_snapshot('2026-04-01', '2026-04-30', '2026-05-04');
SELECT kpi_define_dimension('region+rep') AS own;
SELECT outcome FROM kpi_snapshot('2025-07-01', '2025-07-31', '2026-05-05');
SELECT kpi, value, reason FROM kpi_report('2025-07-01', dimension => 'region+rep', member => 'R0+r0') WHERE kpi IN ('revenue', 'revenue_growth') ORDER BY kpi;
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-06');
SELECT kpi, value IS NOT NULL AS known, reason FROM kpi_report('2025-07-01', dimension => 'region+rep', member => 'R0+r0') WHERE kpi IN ('revenue', 'revenue_growth') ORDER BY kpi;
SELECT * FROM made_up_for();
ROLLBACK;

-- What cannot be a dimension is said at once, not by the snapshots to come.
BEGIN;
CREATE FUNCTION refused(dimension text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text;
BEGIN
	PERFORM kpi_define_dimension(dimension);
	RETURN 'is one';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
	RETURN state || ': ' || SQLERRM;
END;
$$;
SELECT d AS dimension, refused(d) FROM unnest('{region+region,region+product+region,amount,sold_at,sold_at_day,status,rep+status,starts,stayed,piece_from,piece_to,whole_from,whole_to,is_first,is_of_part,position,currency,direction,branch,branch+rep}'::text[]) WITH ORDINALITY u(d, n) ORDER BY n;
SELECT kpi_define_dimension('branch', '{branch,NULL}');
ROLLBACK;
BEGIN;
SELECT kpi_define_dimension('branch', '{branch,branch}');
ROLLBACK;
-- Nor by plain SQL, as an editor may write the table: what no snapshot can take would stop them all.
CREATE FUNCTION unwritten(dimension text, parts text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO kpi_dimension_own VALUES (dimension, parts::text[], '', '');
	RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END;
$$;
SELECT d.dimension, d.parts, unwritten(d.dimension, d.parts) FROM (VALUES ('total', '{region}'), ('area', '{region}'), ('region+region', '{region,region}'), ('amount', '{amount}'), ('branch', '{}'),
	('branch', NULL), (NULL, '{branch}'), ('region+branch', '{{region},{branch}}'), ('it''s', '{it''s}')) d(dimension, parts);
INSERT INTO kpi_dimension_own VALUES ('branch', '{branch}', 'Branch', 'Filiale');
UPDATE kpi_dimension_own SET parts = '{region}' WHERE dimension = 'branch';
DELETE FROM kpi_dimension_own;
DROP FUNCTION unwritten;
BEGIN;
SELECT kpi_define_dimension(d) FROM unnest('{currency,direction,branch,branch+rep}'::text[]) d;
-- Whatever else is one, a snapshot can take, though a source has all its columns.
CREATE TABLE account (id text, region text, branch text);
CREATE TABLE opportunity (id integer, status text, created_at date, closed_at date, account_id text, branch text);
CREATE TABLE stage (name text, "position" integer);
CREATE TABLE opportunity_history (opportunity_id integer, valid_from date, stage text, branch text);
CREATE TABLE subscription (account_id text, amount numeric, valid_from date, currency text, branch text);
SELECT count(*) > 0 AS bound FROM unnest('{account,opportunity,stage,opportunity_history,subscription}'::text[]) s, kpi_bind(s, s::regclass);
INSERT INTO opportunity VALUES (1, 'open', '2025-01-02', NULL, 'a', 'B');
INSERT INTO opportunity_history VALUES (1, '2025-01-02', 'new', 'B');
SELECT outcome FROM kpi_snapshot(as_of => '2025-03-01');
SELECT kpi_value('open_opportunities', '2025-01-01', 'branch', 'B');
ROLLBACK;

-- A member may be a letter: its name is the beginning, and what tells it from others.
BEGIN;
CREATE TABLE sale (sale_id integer, sold_at date, amount numeric, region text, product text, account_id text);
CREATE FUNCTION letter(n integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT string_agg(md5(g::text), ' + ') || n FROM generate_series(1, 200) g $$;
INSERT INTO sale VALUES (1, '2025-01-10', 100, letter(1), letter(2), 'a'), (2, '2025-01-11', 20, letter(1), 'short', 'b'), (3, '2025-01-12', 3, letter(3), NULL, letter(4)),
	(4, '2025-01-13', 0.5, repeat('x', 240), repeat('ä', 121), 'c');
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'sale');
SELECT kpi_set('dimensions', 'region,product') AS dimensions, kpi_define_dimension('region+product') AS own;
SELECT outcome, problems FROM kpi_snapshot(as_of => '2025-02-10 05:00');
SELECT left(member, 3) AS begins, length(member) AS length, octet_length(member) AS bytes, revenue FROM kpi_fact WHERE dimension = 'region' AND grain = 'month' AND period = '2025-01-01' ORDER BY revenue, member COLLATE "C";
SELECT left(member, 3) AS begins, octet_length(member) AS bytes, revenue FROM kpi_fact WHERE dimension = 'product' AND grain = 'month' AND period = '2025-01-01' ORDER BY revenue, member COLLATE "C";
SELECT f.dimension, f.revenue, (SELECT sum(d.amount) FROM kpi_drill('revenue', '2025-01-01', f.dimension, f.member) d) = f.revenue AS drilled,
	kpi_live('revenue', '2025-01-01', '2025-02-01', f.dimension, f.member) = f.revenue AS live
FROM kpi_fact f WHERE f.dimension <> 'total' AND f.grain = 'month' AND f.period = '2025-01-01' AND f.revenue <> 0 ORDER BY f.dimension COLLATE "C", f.revenue;
SELECT kpi_value('revenue', '2025-01-01', 'region', kpi_member_part(letter(1))) AS named, kpi_value('revenue', '2025-01-01', 'region+product', kpi_member(ARRAY[kpi_member_part(letter(1)), kpi_member_part(letter(2))])) AS both;
SELECT changed FROM kpi_snapshot(as_of => '2025-02-10 06:00');
ROLLBACK;

-- Who reads the rows themselves finds them by that name, too.
BEGIN;
CREATE TABLE sale (sale_id integer, sold_at date, amount numeric, account_id text, product text);
CREATE TABLE opportunity (id integer, status text, created_at date, closed_at date, amount numeric, expected_close date, account_id text, product text, stage text);
CREATE TABLE activity (happened_at date, kind text, account_id text);
CREATE FUNCTION letter(n integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT string_agg(md5(g::text), ' + ') || n FROM generate_series(1, 200) g $$;
INSERT INTO sale VALUES (1, '2025-01-10', 100, 'a', letter(1)), (2, '2025-01-11', 20, 'b', letter(1)), (3, '2025-01-12', 3, 'a', letter(2));
INSERT INTO opportunity VALUES (1, 'open', '2024-12-20', NULL, 700, '2025-01-20', 'a', letter(1), 'offer'), (2, 'open', '2024-12-20', NULL, 50, '2025-01-20', 'b', letter(1), 'offer'),
	(3, 'open', '2024-12-20', NULL, 8, '2025-01-20', 'a', letter(2), 'offer');
INSERT INTO activity VALUES ('2025-01-02', 'call', 'a');
SELECT count(*) AS bound FROM unnest('{sale,opportunity,activity}'::text[]) s, kpi_bind(s, s::regclass) b WHERE b.status = 'ok';
SELECT kpi_set('dimensions', 'product,stage') AS dimensions, kpi_define_dimension('product+stage') AS own;
SELECT outcome FROM kpi_snapshot(as_of => '2025-01-02 05:00');
UPDATE opportunity SET status = 'won', closed_at = '2025-01-15' WHERE id = 2;
SELECT outcome FROM kpi_snapshot(as_of => '2025-02-02 05:00');
SELECT n, (SELECT sum(t.revenue) FROM kpi_top_customers(9, '2025-01-01', 'month', 'product', m) t) AS customers,
	(SELECT string_agg(a.kind || ' ' || a.revenue, ', ' ORDER BY a.kind) FROM kpi_revenue_by_activity('2025-01-01', '2025-02-01', 'product', m) a) AS activities,
	(SELECT sum(o.amount) FROM kpi_top_opportunities(9, 'product', m) o) AS top, (SELECT sum(p.value) FROM kpi_pipeline(NULL, 'product', m) p) AS pipeline,
	f.expected, f.slipped
FROM generate_series(1, 2) n, kpi_member_part(letter(n)) m, kpi_forecast('2025-01-01', '2025-02-01', 'month', 'product', ARRAY[m]) f ORDER BY n;
ROLLBACK;

-- By that name a policy knows whose it is.
BEGIN;
CREATE TABLE sale (sale_id integer, sold_at date, amount numeric, rep_id text);
CREATE TABLE rep (id text, team text, db_role text);
CREATE FUNCTION letter(n integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT string_agg(md5(g::text), ' + ') || n FROM generate_series(1, 200) g $$;
INSERT INTO rep VALUES (letter(1), letter(2), current_user), ('b', 'short', letter(3));
INSERT INTO sale VALUES (1, '2025-01-10', 100, letter(1)), (2, '2025-01-11', 20, 'b');
SELECT count(*) AS bound FROM unnest('{sale,rep}'::text[]) s, kpi_bind(s, s::regclass) b WHERE b.status = 'ok';
SELECT outcome FROM kpi_snapshot(as_of => '2025-02-10 05:00');
SELECT dimension, revenue, kpi_is_own(dimension, member) AS own FROM kpi_fact WHERE dimension IN ('rep', 'team') AND grain = 'month' AND period = '2025-01-01' AND revenue > 0 ORDER BY dimension, revenue;
ROLLBACK;

-- A dimension that the bound columns tell no longer has no current facts either.
BEGIN;
CREATE TABLE sale (sale_id integer, sold_at date, amount numeric, region text);
INSERT INTO sale VALUES (1, '2025-01-10', 100, 'A');
CREATE VIEW unplaced AS SELECT sale_id, sold_at, amount FROM sale;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'sale');
SELECT outcome FROM kpi_snapshot(as_of => '2025-02-10 05:00');
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'unplaced');
SELECT outcome FROM kpi_snapshot(as_of => '2025-02-10 06:00');
SELECT dimension, count(*) FILTER (WHERE superseded_at IS NULL) > 0 AS current, count(*) FILTER (WHERE superseded_at = '2025-02-10 06:00') > 0 AS closed
FROM kpi_fact WHERE dimension IN ('region', 'total') GROUP BY dimension ORDER BY dimension;
ROLLBACK;
