--
-- The way through the stages, by hand; that it is right on random histories is
-- tested where all measures are.  And why opportunities were lost.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'Europe/Berlin';
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.stage (name text, "position" integer, is_won boolean, is_lost boolean);
CREATE TABLE crm.rep (id integer, name text, team text);
CREATE TABLE crm.opportunity (id integer, status text, closed_at timestamptz, amount numeric, currency text, lost_reason text, rep_id integer);
CREATE TABLE crm.opportunity_history (opportunity_id integer, valid_from timestamptz, valid_to timestamptz, stage text, status text, rep_id integer, amount numeric);
SELECT kpi_set('time_zone', 'Europe/Berlin') AS zone;
CREATE FUNCTION crm.bind(VARIADIC sources text[]) RETURNS bigint LANGUAGE sql
RETURN (SELECT count(*) FROM unnest(sources) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.' || s)::regclass)));
CREATE FUNCTION crm.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END;
$$;

SELECT count(*) AS without_facts, (SELECT count(*) FROM kpi_loss_reasons()) AS reasons FROM kpi_stage_funnel();
SELECT crm.bind('stage', 'rep', 'opportunity', 'opportunity_history');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-05-01 12:00');
SELECT count(*) AS without_rows, (SELECT count(*) FROM kpi_loss_reasons('2025-02-01')) AS reasons, kpi_value('stage_entries', '2025-02-01') AS entries,
	kpi_value('stage_conversion', '2025-02-01') AS conversion, kpi_value('time_in_stage', '2025-02-01') AS days FROM kpi_stage_funnel('2025-02-01');

INSERT INTO crm.stage VALUES ('New', 1, NULL, NULL), ('Demo', 2, false, false), ('Trial', 2, false, false), ('Offer', 3, false, false), ('Talks', NULL, NULL, NULL),
	('Won', 9, true, false), ('Lost', 10, false, true);
INSERT INTO crm.rep VALUES (1, 'Ada', 'Red'), (2, 'Bob', 'Blue'), (3, 'Cem', 'Blue');
INSERT INTO crm.opportunity (id, status, closed_at, rep_id) VALUES
	(1, 'lost', '2025-03-10', 1), (2, 'won', '2025-02-21', 2), (3, 'open', NULL, 1), (4, 'open', NULL, 1), (5, 'won', '2025-02-20', 3), (6, 'won', '2025-02-10', 1),
	(7, 'won', NULL, 1), (8, 'open', NULL, 1), (9, 'open', NULL, 1), (10, 'lost', '2025-03-25', 1), (11, 'lost', NULL, 1);
INSERT INTO crm.opportunity_history (opportunity_id, valid_from, valid_to, stage, status, rep_id) VALUES
	(1, '2025-01-10', '2025-02-10', 'New', NULL, NULL), (1, '2025-02-10', NULL, 'Offer', NULL, NULL),			-- skips Demo and Trial, ends when lost
	(2, '2025-01-20', '2025-02-01', 'Offer', NULL, 3), (2, '2025-02-01', '2025-02-11', 'New', NULL, 1),			-- begins late, goes back,
	(2, '2025-02-11', NULL, 'Offer', NULL, NULL),																-- comes again, is won
	(3, '2025-01-15', '2025-01-25', 'New', NULL, 1), (3, '2025-01-25', NULL, 'New', 'open', 2),					-- passed on, not further
	(4, '2025-02-05', '2025-02-15', 'Demo', NULL, NULL), (4, '2025-02-15', NULL, 'Trial', NULL, NULL),			-- beside, not further
	(5, '2025-02-05', '2025-02-10', 'Talks', NULL, NULL), (5, '2025-02-10', '2025-02-20', 'Unheard of', NULL, NULL),
	(5, '2025-02-20', NULL, 'Won', NULL, NULL),																	-- then has passed all of them
	(7, '2025-03-01', NULL, 'New', NULL, NULL),																	-- won, but when?
	(8, '2025-03-05', '2025-05-20', 'New', NULL, NULL), (8, '2025-05-20', NULL, 'Demo', NULL, NULL),			-- yet to come
	(9, '2025-03-05', '2025-03-10', '', NULL, NULL), (9, '2025-03-10', NULL, NULL, NULL, NULL),					-- nowhere
	(10, '2025-03-10', NULL, 'New', NULL, NULL), (11, '2025-03-10', NULL, 'New', NULL, NULL),					-- lost, one of them who knows when
	(NULL, '2025-03-10', '2025-03-12', 'New', NULL, NULL), (4, NULL, '2025-03-12', 'New', NULL, NULL), (4, '2025-03-10', '2025-03-09', 'Offer', NULL, NULL),
	(4, '2025-03-10', '2025-03-12', 'Offer', 'gone', NULL), (99, '2025-03-10', '2025-03-12', 'New', NULL, NULL);	-- no good
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-05-05 12:00');
SELECT month, stage, stage_position, entries, advances, round(conversion, 2) AS conversion, stays, trim_scale(mean_days) AS mean, trim_scale(median_days) AS median, trim_scale(p90_days) AS p90
FROM generate_series(date '2025-01-01', '2025-04-01', interval '1 month') m, LATERAL (SELECT m::date AS month) d, kpi_stage_funnel(month);
SELECT 'in the quarter' AS period, stage, entries, advances, stays, trim_scale(mean_days) AS mean FROM kpi_stage_funnel('2025-02-14', 'quarter');

SELECT 'the total is of all stages' AS property, kpi_value('stage_entries', '2025-02-01') = 12 AND kpi_value('stage_advances', '2025-02-01') = 9 AND kpi_value('stage_conversion', '2025-02-01') = 75
	AND round(kpi_value('time_in_stage', '2025-02-01'), 4) = round((31 + 10 + 12 + 10 + 10 + 5 + 10) / 7.0, 4) AND kpi_value('time_in_stage_median', '2025-02-01') = 10
	AND round(kpi_value('time_in_stage_p90', '2025-02-01'), 4) = round(12 + 0.4 * (31 - 12), 4) AS holds;
SELECT 'as it was' AS rule, m AS member, stage, entries, advances, stays FROM (VALUES ('rep', '1'), ('rep', '3'), ('team', 'Blue')) v(d, m), kpi_stage_funnel('2025-01-31', 'month', d, m);
SELECT 'leaving is whose it was then' AS rule, m AS member, stage, stays, trim_scale(mean_days) AS mean FROM unnest('{1,2,3}'::text[]) m, kpi_stage_funnel('2025-02-01', 'month', 'rep', m) WHERE stays > 0;
SELECT 'one stage alone' AS rule, stage, entries FROM kpi_stage_funnel('2025-02-01', 'month', 'stage', 'Offer');

-- What follows later is known later, and what was known then stays known.
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 12:00');
SELECT known, entries, advances FROM (VALUES ('now', NULL), ('before', timestamptz '2025-05-10')) v(known, at), kpi_stage_funnel('2025-03-01', as_of => at) WHERE stage = 'New';
SELECT 'it left then' AS rule, stage, entries, stays, trim_scale(mean_days) AS mean FROM kpi_stage_funnel('2025-05-01');	-- the clock went forward an hour

-- Days are whole ones.
SAVEPOINT rule;
ALTER TABLE crm.opportunity_history ALTER valid_from TYPE date, ALTER valid_to TYPE date;
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 13:00');
SELECT 'days' AS rule, stage, entries, stays, trim_scale(mean_days) AS mean FROM kpi_stage_funnel('2025-05-01');
ROLLBACK TO rule;

-- Of rows that begin on one day the one that ends last stands, then that of the further stage (one without
-- position is the last, as in the funnel), then the name decides; in the pipeline and where one looks into it.
-- Who was lost or won on the day of entering the stage is not open in it (25, 26), won in whatever stage (27, 28).
SAVEPOINT rule;
DELETE FROM crm.opportunity;
DELETE FROM crm.opportunity_history;
INSERT INTO crm.opportunity (id, status) SELECT n, 'open' FROM generate_series(21, 28) n;
INSERT INTO crm.opportunity_history (opportunity_id, valid_from, valid_to, stage) VALUES (21, '2025-02-03', NULL, 'Demo'), (21, '2025-02-03', NULL, 'New'),
	(22, '2025-02-03', '2025-02-03', 'Offer'), (22, '2025-02-03', NULL, 'New'), (23, '2025-02-03', NULL, 'Offer'), (23, '2025-02-03', NULL, 'Talks'), (24, '2025-02-03', NULL, 'Demo'), (24, '2025-02-03', NULL, 'Trial');
INSERT INTO crm.opportunity_history (opportunity_id, valid_from, stage, status) VALUES (25, '2025-02-03', 'Offer', 'open'), (25, '2025-02-03', 'Offer', 'lost'),
	(26, '2025-02-03', 'New', 'open'), (26, '2025-02-03', 'New', 'won'), (27, '2025-02-03', 'Offer', 'open'), (27, '2025-02-03', 'New', 'won'),
	(28, '2025-02-03', 'Talks', 'open'), (28, '2025-02-03', 'Talks', 'won');
ALTER TABLE crm.opportunity_history ALTER valid_from TYPE date, ALTER valid_to TYPE date;
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 13:00');
SELECT stage, opportunities, (SELECT string_agg(key, ',' ORDER BY key) FROM kpi_drill('open_opportunities', '2025-02-01', 'stage', stage)) AS keys FROM kpi_pipeline('2025-02-01');
SELECT 'the funnel too' AS rule, stage, sum(stays) AS stays FROM kpi_stage_funnel('2025-02-01') GROUP BY stage HAVING sum(stays) > 0 ORDER BY stage;
ROLLBACK TO rule;

-- A history that does not say when a stage ended: with the next.
SAVEPOINT rule;
CREATE VIEW crm.steps AS SELECT opportunity_id, valid_from, stage FROM crm.opportunity_history WHERE valid_to > valid_from OR valid_to IS NULL;
SELECT count(*) > 0 AS bound FROM kpi_bind('opportunity_history', 'crm.steps');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 13:00');
SELECT 'no ends' AS rule, stage, entries, stays, trim_scale(mean_days) AS mean FROM kpi_stage_funnel('2025-02-01');
-- 1, 2 and 3 are open at the end of January, 1, 3 and 4 at that of February, each once.
SELECT 'no ends' AS rule, kpi_value('open_opportunities', '2025-01-01') AS january, kpi_value('open_opportunities', '2025-02-01') AS february, count(*) AS rows_of_february
FROM kpi_drill('open_opportunities', '2025-02-01');
ROLLBACK TO rule;
SAVEPOINT rule;
-- Whatever ends they say: a row ends with the next, bad ones end none; what overlaps is reported.
UPDATE crm.opportunity_history SET valid_to = CASE opportunity_id WHEN 3 THEN '2025-03-25'::timestamptz END WHERE valid_to > valid_from AND opportunity_id IN (1, 3, 4);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 14:00');
SELECT 'other ends' AS rule, kpi_value('open_opportunities', '2025-01-01') AS january, kpi_value('open_opportunities', '2025-02-01') AS february, count(*) AS rows_of_february
FROM kpi_drill('open_opportunities', '2025-02-01');
SELECT bad_rows, keys FROM kpi_problem WHERE reason LIKE 'overlaps the next%';
ROLLBACK TO rule;

-- Without positions nothing is known of later stages, but of the time in each;
-- without a history nothing at all.
SAVEPOINT rule;
SELECT kpi_unbind('stage');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 13:00');
SELECT 'no stages' AS rule, stage, stage_position, entries, conversion, stays, trim_scale(mean_days) AS mean FROM kpi_stage_funnel('2025-02-01');
SELECT kpi_unbind('opportunity_history');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 14:00');
SELECT count(*) AS no_history FROM kpi_stage_funnel('2025-02-01');
SELECT kpi, value, reason FROM kpi_report('2025-02-01') WHERE kpi IN ('stage_conversion', 'time_in_stage');
ROLLBACK TO rule;

-- A deal that was won, who knows when, was open until a later row of its history; to who looks into it as well.
SAVEPOINT rule;
INSERT INTO crm.opportunity_history (opportunity_id, valid_from, stage) VALUES (7, '2025-01-05', 'New');
ALTER TABLE crm.opportunity_history ALTER opportunity_id TYPE text;	-- ids of another type
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 13:00');
SELECT kpi_value('open_opportunities', '2025-02-01') AS february, string_agg(source_row ->> 'opportunity_id', ',' ORDER BY source_row ->> 'opportunity_id') AS which FROM kpi_drill('open_opportunities', '2025-02-01');
ROLLBACK TO rule;

-- The history alone tells it as well.
SAVEPOINT rule;
DELETE FROM crm.opportunity_history;
INSERT INTO crm.opportunity_history (opportunity_id, valid_from, valid_to, stage) VALUES
	(1, '2025-01-10', '2025-02-01', 'New'), (1, '2025-02-01', NULL, 'Demo'), (2, '2025-02-05', NULL, 'New');
SELECT kpi_unbind('opportunity');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 13:00');
SELECT 'no opportunities' AS rule, stage, entries, advances, stays, trim_scale(mean_days) AS mean FROM kpi_stage_funnel('2025-02-01');
SELECT reason, keys FROM kpi_problem WHERE source = 'opportunity_history';
ROLLBACK TO rule;

-- A rate is of no concern to the way, and a column of one's own tells it too.
SAVEPOINT rule;
UPDATE crm.opportunity SET currency = 'XXX', amount = 1;
ALTER TABLE crm.opportunity_history ADD kpi_at text, ADD outcome text;
UPDATE crm.opportunity_history SET outcome = CASE WHEN opportunity_id < 3 THEN 'A' ELSE 'B' END;
SELECT kpi_define_dimension('outcome'), kpi_define_dimension('outcome+stage');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 13:00');
SELECT 'own' AS dimension, m AS member, stage, entries, advances FROM unnest('{A,B,(none)}'::text[]) m, kpi_stage_funnel('2025-02-01', 'month', 'outcome', m);
ROLLBACK TO rule;

SELECT crm.refused('SELECT kpi_stage_funnel(grain => ''decade'')') AS grain, crm.refused('SELECT kpi_stage_funnel(dimension => ''product'', member => ''A'')') AS not_combined,
	crm.refused('SELECT kpi_stage_funnel(dimension => ''planet'')') AS unknown, crm.refused('SELECT kpi_stage_funnel(dimension => ''rep'')') AS no_member;

--
-- Reasons of losing.
--
INSERT INTO crm.opportunity (id, status, closed_at, amount, lost_reason, rep_id)
SELECT 100 + n, 'lost', '2025-04-10', v.amount, v.reason, v.rep
FROM (VALUES (1, 10, 'Price', 1), (2, 20, 'Price', 1), (3, 400, 'Rival', 1), (4, 5, 'Rival', 2), (5, 40, NULL, 2), (6, 25, '', 1), (7, NULL, 'Rival', 3)) v(n, amount, reason, rep);
INSERT INTO crm.opportunity (id, status, closed_at, amount, lost_reason, rep_id) VALUES (200, 'won', '2025-04-10', 1000, 'Price', 1), (201, 'open', NULL, 1000, 'Price', 1), (202, 'lost', '2025-05-10', 0, 'Price', 1);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 15:00');
SELECT reason, label, deals, round(share, 2) AS share, value, round(value_share, 2) AS value_share FROM kpi_loss_reasons('2025-04-30', lang => 'de');
SELECT 'nothing of value' AS rule, reason, deals, share, value, value_share FROM kpi_loss_reasons('2025-05-01');
SELECT 'as known' AS rule, count(*) AS then FROM kpi_loss_reasons('2025-04-30', as_of => '2025-05-31 13:00');
SELECT crm.refused('SELECT kpi_loss_reasons(dimension => ''rep'', member => ''1'')') AS not_combined, crm.refused('SELECT kpi_loss_reasons(lang => ''fr'')') AS language,
	crm.refused('SELECT kpi_loss_reasons(grain => NULL)') AS grain;
SELECT kpi_define_dimension('lost_reason+team');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-05-31 16:00');
SELECT 'by team' AS rule, m AS team, reason, deals, value FROM unnest('{Red,Blue,(none)}'::text[]) m, kpi_loss_reasons('2025-04-30', 'month', 'team', m);
SELECT 'by reason itself' AS rule, reason, deals, share FROM kpi_loss_reasons('2025-04-30', 'month', 'lost_reason', 'Rival');
ROLLBACK;
