-- The pipeline by stage, from facts and live, and the most valuable opportunities.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;

-- ---------- the CRM ----------
CREATE TABLE stages (name text, "position" integer, probability numeric);
INSERT INTO stages VALUES ('Offer', 3, 0.5), ('Contact', 1, 0.1), ('Demo', 2, 0.25);
CREATE TABLE reps (id text, name text, team text, region text);
INSERT INTO reps VALUES ('r1', 'Ada', 'A', 'East'), ('r+2', 'Bob', 'B', 'East');
CREATE TABLE accounts (id integer, name text, region text);
INSERT INTO accounts VALUES (1, 'Acme', 'North'), (2, 'Beta', NULL);
CREATE TABLE deals (id integer, name text, status text, stage text, amount numeric, probability numeric, rep_id text, account_id integer, region text,
					currency text, created_at timestamptz, expected_close date);
INSERT INTO deals
SELECT v.id, 'Deal ' || v.id, v.status, v.stage, v.amount, v.probability, v.rep_id, v.account_id, v.region, v.currency,
	   now() - v.age * interval '1 day' - interval '1 microsecond', kpi_today() + v.closes_in
  FROM (VALUES
	(1, 'open', 'Offer', 1000, 0.6, 'r1', 1, NULL, NULL, 10, 5),
	(2, 'open', 'Offer', 500, NULL, 'r+2', 2, 'South', 'EUR', 20, -1),
	(3, 'open', 'Contact', 1000, 0, 'r1', NULL, 'South', NULL, 0, 0),
	(4, 'open', 'Contact', NULL, NULL, NULL, 1, NULL, NULL, 3, NULL),
	(5, 'open', 'Somewhere', 40, NULL, 'r1', 2, NULL, NULL, 400, 30),
	(6, 'open', 'Demo', 300, 7, 'r+2', 1, '', 'USD', 5, 5),
	(7, 'won', 'Offer', 9999, 1, 'r1', 1, NULL, NULL, 10, 5),
	(8, 'lost', 'Offer', 9999, 0, 'r1', 1, NULL, NULL, 10, 5),
	(9, 'open', NULL, 70, 0.5, 'r1', 1, NULL, NULL, 10, 5),
	(10, 'open', 'Demo', 'NaN'::numeric, 0.5, 'r1', 1, NULL, NULL, 10, 5),
	(NULL, 'open', 'Demo', 8000, 0.5, 'r1', 1, NULL, NULL, 10, 5)	-- as the one before it a bad row
	) v(id, status, stage, amount, probability, rep_id, account_id, region, currency, age, closes_in);
CREATE TABLE rates (currency text, valid_on date, rate numeric);
INSERT INTO rates VALUES ('USD', '2020-01-01', 0.5), ('USD', '2021-01-01', 0.9), ('USD', '2999-01-01', 5);
SELECT source, count(*) FROM (VALUES ('stage', 'stages'::regclass), ('rep', 'reps'), ('account', 'accounts'), ('opportunity', 'deals'), ('exchange_rate', 'rates')) v(source, relation),
	LATERAL kpi_bind(source, relation) GROUP BY source ORDER BY source COLLATE "C";

-- ---------- live ----------
SELECT * FROM kpi_pipeline();
-- the same in plain SQL: an opportunity without probability has its stage's, one outside 0..1 has no weight
CREATE VIEW open_deals AS
SELECT d.id, coalesce(d.stage, '(none)') AS stage, s."position", coalesce(d.amount, 0) * CASE d.currency WHEN 'USD' THEN 0.9 ELSE 1 END AS amount,
	   CASE WHEN d.probability IS NULL THEN s.probability WHEN d.probability BETWEEN 0 AND 1 THEN d.probability END AS probability,
	   coalesce(d.rep_id, '(none)') AS rep, coalesce(nullif(d.region, ''), a.region, '(none)') AS region, coalesce(r.team, '(none)') AS team
  FROM deals d LEFT JOIN stages s ON s.name = d.stage LEFT JOIN accounts a ON a.id = d.account_id LEFT JOIN reps r ON r.id = d.rep_id
 WHERE d.status = 'open' AND d.id <> 10;
CREATE VIEW wanted AS
SELECT dimension, member, stage, "position"::bigint AS stage_position, count(*) AS opportunities, sum(amount) AS value, coalesce(sum(amount * probability), 0) AS weighted
  FROM open_deals, LATERAL (VALUES ('total', ''), ('rep', rep), ('region', region), ('team', team)) v(dimension, member)
 GROUP BY dimension, member, stage, "position";
SELECT count(*), count(*) FILTER (WHERE (p.stage_position, p.opportunities, p.value, p.weighted) IS DISTINCT FROM (w.stage_position, w.opportunities, w.value, w.weighted)) AS wrong
  FROM wanted w LEFT JOIN LATERAL kpi_pipeline(NULL, w.dimension, w.member) p ON p.stage = w.stage;
SELECT dimension, member, sum(p.opportunities) AS opportunities, (SELECT sum(w.opportunities) FROM wanted w WHERE w.dimension = m.dimension AND w.member = m.member) AS wanted
  FROM (SELECT DISTINCT dimension, member FROM wanted) m, LATERAL kpi_pipeline(NULL, m.dimension, m.member) p
 GROUP BY dimension, member ORDER BY dimension COLLATE "C", member COLLATE "C";
SELECT stage, value FROM kpi_pipeline(NULL, 'stage', 'Offer');
SELECT count(*) FROM kpi_pipeline(NULL, 'rep', 'r9');

SELECT * FROM (SELECT rank, id, name, account, rep, stage, amount, probability, weighted, expected_close - kpi_today() AS closes_in, age_days, overdue FROM kpi_top_opportunities()) t;
SELECT rank, id FROM kpi_top_opportunities(1);
SELECT dimension, member, array_agg(t.id ORDER BY t.id) AS ids, (SELECT array_agg(d.id::text ORDER BY d.id) FROM open_deals d
		WHERE m.member = CASE m.dimension WHEN 'rep' THEN d.rep WHEN 'region' THEN d.region WHEN 'team' THEN d.team ELSE '' END) = array_agg(t.id ORDER BY t.id) AS agrees
  FROM (SELECT DISTINCT dimension, member FROM wanted) m, LATERAL kpi_top_opportunities(100, m.dimension, m.member) t
 GROUP BY dimension, member ORDER BY dimension COLLATE "C", member COLLATE "C";
SELECT id FROM kpi_top_opportunities(5, 'rep+stage', 'r\+2+Offer');
-- Of what opportunities do not have none is a member, not even the unknown one.
SELECT d.dimension, count(t.id) AS top FROM unnest('{cohort,kind,product,rep+kind}'::text[]) d(dimension) LEFT JOIN LATERAL kpi_top_opportunities(9, d.dimension, kpi_blank_member(d.dimension)) t ON true GROUP BY 1 ORDER BY 1;
-- Created at no finite time: no age.
SAVEPOINT ageless;
UPDATE deals SET created_at = '-infinity' WHERE id = 1;
SELECT id, age_days FROM kpi_top_opportunities(1);
ROLLBACK TO ageless;
SELECT count(*) FROM kpi_top_opportunities(0);

-- ---------- from facts ----------
INSERT INTO kpi_fact (grain, period, period_end, dimension, member, recorded_at, superseded_at, run, is_complete, days, open_opportunities, pipeline_value, weighted_pipeline)
SELECT 'month', period, (period + interval '1 month')::date, dimension, member, recorded_at, superseded_at, 1, true, 30, n, value, value / 10
  FROM (VALUES
	('2026-03-01'::date, 'stage', '(none)', timestamptz '2026-04-01 00:00Z', NULL::timestamptz, 0, 0),
	('2026-03-01', 'stage', 'Offer', '2026-04-01 00:00Z', '2026-05-01 00:00Z', 3, 300),
	('2026-03-01', 'stage', 'Offer', '2026-05-01 00:00Z', NULL, 4, 400),
	('2026-03-01', 'stage', 'Contact', '2026-04-01 00:00Z', NULL, 1, 50),
	('2026-03-01', 'stage', 'Old', '2026-04-01 00:00Z', NULL, 1, 60),
	('2026-03-01', 'rep+stage', 'r\+2+Offer', '2026-04-01 00:00Z', NULL, 2, 150),
	('2026-03-01', 'rep+stage', 'r\+2+a\\b\+c', '2026-04-01 00:00Z', NULL, 1, 20),
	('2026-03-01', 'rep+stage', 'r1+Offer', '2026-04-01 00:00Z', NULL, 2, 250)) v(period, dimension, member, recorded_at, superseded_at, n, value)
UNION ALL
SELECT 'quarter', '2026-01-01', '2026-04-01', 'stage', 'Offer', '2026-04-01 00:00Z', NULL, 1, true, 90, 77, 7777, 777.7
UNION ALL
SELECT 'month_cut', '2026-03-01', '2026-03-11', 'stage', 'Offer', '2026-04-01 00:00Z', NULL, 1, true, 10, 88, 8888, 888.8;
SELECT * FROM kpi_pipeline('2026-03-31');
SELECT * FROM kpi_pipeline('2026-03-31', as_of => '2026-04-30 23:59Z');
SELECT * FROM kpi_pipeline('2026-03-02', 'rep', 'r+2');
SELECT stage, value FROM kpi_pipeline('2026-03-02', 'rep+stage', 'r1+Offer');
SELECT stage, value FROM kpi_pipeline('2026-02-02');
SELECT count(*) FROM kpi_pipeline('2025-12-31');

-- ---------- what cannot be asked ----------
SELECT * FROM kpi_pipeline(NULL, 'product', 'p');
SELECT * FROM kpi_pipeline(NULL, 'rep');
SELECT * FROM kpi_top_opportunities(-1);
SELECT kpi_unbind('opportunity');
SELECT * FROM kpi_top_opportunities();
SELECT * FROM kpi_pipeline();

-- ---------- without stages ----------
CREATE VIEW stageless AS SELECT id, status, amount, rep_id, created_at FROM deals WHERE id <= 4;
SELECT count(*) > 0 AS bound FROM kpi_bind('opportunity', 'stageless');
SELECT p.*, p.value = (SELECT sum(amount) FROM stageless WHERE status = 'open') AS is_right FROM kpi_pipeline() p;
SELECT * FROM kpi_pipeline(dimension => 'rep', member => 'r1');
SELECT count(*) FROM kpi_pipeline(dimension => 'stage', member => 'Offer');

-- ---------- who was the last to have a rep, and who will be the first ----------
CREATE TABLE reps_of_time AS
SELECT id, name, team, now() + valid_from * interval '1 day' AS valid_from, now() + valid_to * interval '1 day' AS valid_to
  FROM (VALUES ('r1', 'Ada', 'A', -90, -30), ('r1', 'Ada', 'Old', -200, -90), ('r+2', 'Bob', 'B', 30, NULL), ('r+2', 'Bob', 'C', 60, NULL)) v(id, name, team, valid_from, valid_to);
SELECT count(*) > 0 AS bound FROM kpi_bind('rep', 'reps_of_time');
SELECT team, array_agg(t.id ORDER BY t.id) AS top,
	   kpi_live('open_opportunities', kpi_today() - 1, kpi_today() + 1, 'team', team) AS open
  FROM unnest('{A,B,C,Old,(none)}'::text[]) WITH ORDINALITY v(team, n), kpi_top_opportunities(10, 'team', team) t GROUP BY team, n ORDER BY n;
-- of versions that start together the one that lasts longer, then the greater one
DELETE FROM reps_of_time;
INSERT INTO reps_of_time SELECT id, 'x', team, now() - interval '90 days', now() + valid_to * interval '1 day'
  FROM (VALUES ('r1', 'A', 30), ('r1', 'Old', NULL), ('r1', 'C', 20), ('r+2', 'B', NULL), ('r+2', 'C', NULL), ('r+2', 'A', NULL)) v(id, team, valid_to);
SELECT team, array_agg(t.id ORDER BY t.id) AS top,
	   kpi_live('open_opportunities', kpi_today() - 1, kpi_today() + 1, 'team', team) AS open
  FROM unnest('{A,B,C,Old,(none)}'::text[]) WITH ORDINALITY v(team, n), kpi_top_opportunities(10, 'team', team) t GROUP BY team, n ORDER BY n;

-- ---------- what is created later is not open yet; of what has no date of creation it is not known ----------
CREATE TABLE later (id integer, status text, amount numeric, created_at timestamptz, expected_close date, rep_id text DEFAULT 'r1');
INSERT INTO later VALUES (1, 'open', 10, now() - interval '1 hour', kpi_today()), (2, 'open', 200, now() + interval '1 hour', kpi_today()), (3, 'open', 3000, NULL, kpi_today());
SELECT count(*) > 0 AS bound FROM kpi_bind('opportunity', 'later');
SELECT opportunities, value FROM kpi_pipeline();
SELECT id FROM kpi_top_opportunities();
SELECT kpi_live('open_opportunities', kpi_today(), kpi_today() + 1) AS open, kpi_live('pipeline_closing', kpi_today(), kpi_today() + 1) AS closing;
SET client_min_messages = warning;
SELECT outcome FROM kpi_snapshot();
SELECT kpi_value('open_opportunities', kpi_today()) AS open, kpi_value('pipeline_value', kpi_today()) AS value, kpi_value('pipeline_closing', kpi_today()) AS closing;
-- whom nobody knows
SELECT * FROM kpi_top_opportunities(10, 'rep', 'nobody');
SELECT count(*) FROM kpi_top_opportunities(0, 'rep', 'nobody');
ROLLBACK;
