-- The readers, over facts written by hand.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;

-- ---------- the facts ----------
-- Months from 2025-01 (i = 0) to 2026-06 (i = 17), of which the last is
-- unfinished after 10 days.  r1 sells each month, r2 in even ones, in odd ones
-- it has no fact; what nobody owns is a credit note in 2025-04.  Some purchases
-- are of both reps, so that the total has one less than the sum.
INSERT INTO kpi_setting_value VALUES ('time_zone', 'Europe/Berlin');
CREATE TABLE given AS
SELECT i, (date '2025-01-01' + i * interval '1 month')::date AS period, member, m.*
  FROM generate_series(0, 17) i, unnest('{r1,r2,(none)}'::text[]) member,
	   LATERAL (SELECT CASE member WHEN 'r1' THEN 100 + 10.25 * i WHEN 'r2' THEN 50 ELSE CASE i WHEN 3 THEN -20 ELSE 0 END END AS revenue,
					   CASE member WHEN 'r1' THEN 60 + 5 * i WHEN 'r2' THEN 70 ELSE 0 END AS direct_cost,
					   CASE member WHEN 'r1' THEN 90 WHEN 'r2' THEN 50 ELSE 0 END AS revenue_with_cost,
					   CASE member WHEN 'r1' THEN 4 WHEN 'r2' THEN 2 ELSE CASE i WHEN 3 THEN 1 ELSE 0 END END AS sale_lines,
					   CASE member WHEN 'r1' THEN 3 WHEN 'r2' THEN 2 ELSE 0 END AS purchases,
					   CASE member WHEN 'r1' THEN i % 3 WHEN 'r2' THEN 1 ELSE 0 END AS won_deals,
					   CASE member WHEN 'r1' THEN 1 ELSE 0 END AS lost_deals,
					   CASE member WHEN 'r1' THEN ARRAY(SELECT d FROM generate_series(1, i % 3) d) WHEN 'r2' THEN '{10}' ELSE '{}' END AS cycle_days,
					   CASE member WHEN '(none)' THEN 0 ELSE 30 END AS rep_days) m
 WHERE member <> 'r2' OR i % 2 = 0;

CREATE FUNCTION pg_temp.cycles(days integer[]) RETURNS kpi_durations LANGUAGE sql AS $$
	SELECT ('1:{' || coalesce(string_agg(format('%s%s', d::bigint * 86400000000, CASE WHEN n > 1 THEN '*' || n END), ',' ORDER BY d), '') || '}')::kpi_durations
	  FROM (SELECT d, count(*) AS n FROM unnest(days) d GROUP BY d) x $$;

INSERT INTO kpi_fact (grain, period, period_end, dimension, member, recorded_at, run, is_complete, days,
					  revenue, direct_cost, revenue_with_cost, sale_lines, purchases, won_deals, lost_deals, sales_cycle, rep_days, open_opportunities)
SELECT 'month', period, (period + interval '1 month')::date, 'rep', member, timestamptz '2026-06-11 00:00Z', 1, i < 17,
	   CASE WHEN i < 17 THEN (period + interval '1 month')::date - period ELSE 10 END,
	   revenue, direct_cost, revenue_with_cost, sale_lines, purchases, won_deals, lost_deals, pg_temp.cycles(cycle_days), rep_days,
	   CASE WHEN i = 17 THEN 1 END
  FROM given
UNION ALL
SELECT 'month', period, (period + interval '1 month')::date, 'total', '', '2026-06-11 00:00Z', 1, i < 17,
	   CASE WHEN i < 17 THEN (period + interval '1 month')::date - period ELSE 10 END,
	   sum(revenue), sum(direct_cost), sum(revenue_with_cost), sum(sale_lines), sum(purchases) - (i + 1) % 2, sum(won_deals), sum(lost_deals),
	   pg_temp.cycles((SELECT array_agg(d) FROM given x, unnest(x.cycle_days) d WHERE x.i = g.i)), sum(rep_days),
	   CASE WHEN i = 17 THEN 3 END
  FROM given g GROUP BY i, period;
-- what the unfinished month is compared with; nobody sold in the cut May but r1
INSERT INTO kpi_fact (grain, period, period_end, dimension, member, recorded_at, run, is_complete, days,
					  revenue, direct_cost, revenue_with_cost, sale_lines, purchases, won_deals, lost_deals, sales_cycle, rep_days)
SELECT 'month_cut', period, period + 10, dimension, member, '2026-06-11 00:00Z', 1, true, 10, revenue, 5, revenue, 1, 1, 1, 1, '1:{86400000000}', 10
  FROM (VALUES ('2026-05-01'::date, 'total', '', 80), ('2025-06-01', 'total', '', 64),
			   ('2026-05-01', 'rep', '(none)', 0), ('2026-05-01', 'rep', 'r1', 80)) v(period, dimension, member, revenue);
-- what was believed of 2025-03 until 2026-06-10 noon
INSERT INTO kpi_fact (grain, period, period_end, dimension, member, recorded_at, superseded_at, run, is_complete, days, revenue)
VALUES ('month', '2025-03-01', '2025-04-01', 'total', '', '2025-04-01 00:00Z', '2026-06-10 12:00Z', 1, true, 31, 999),
	   ('month', '2025-02-01', '2025-03-01', 'total', '', '2025-03-01 00:00Z', '2026-06-10 12:00Z', 1, true, 28, 333);

CREATE TABLE sales (sale_id integer, sold_at date, amount numeric, rep_id text);
CREATE TABLE reps (id text, name text, valid_from timestamptz, valid_to timestamptz, active_from date);
CREATE TABLE deals (id integer, status text);
INSERT INTO reps VALUES ('r1', 'Ada Old', '2020-01-01Z', '2025-01-01Z'), ('r1', 'Ada New', '2025-01-01Z', NULL), ('r2', 'Bob', NULL, NULL);
SELECT count(*) FROM kpi_bind('sale', 'sales');
SELECT count(*) FROM kpi_bind('rep', 'reps');
SELECT count(*) FROM kpi_bind('opportunity', 'deals');

-- ---------- one value ----------
SELECT kpi_value('revenue', '2025-02-14') AS by_any_day, kpi_value('revenue', NULL) AS last_complete,
	   kpi_value('revenue', '2025-03-31', as_of => '2026-06-10 11:59Z') AS before, kpi_value('revenue', '2025-03-31', as_of => '2026-06-10 12:00Z') AS between,
	   kpi_value('revenue_growth', '2025-03-01', as_of => '2026-06-01 00:00Z') AS growth_then,
	   kpi_value('revenue', '2025-02-28', 'rep', 'r2') AS nothing_sold, kpi_value('revenue', '2024-02-28') AS not_computed;
SELECT (SELECT sum(revenue) FROM given WHERE i = 1) AS by_any_day, (SELECT sum(revenue) FROM given WHERE i = 16) AS last_complete,
	   round(100 * (999 - 333) / 333.0, 16) AS growth_then;

-- every KPI over these measures, in every month and for each member, against plain SQL
CREATE TABLE expected AS
WITH line AS (
	SELECT i, period, member, revenue, direct_cost, revenue_with_cost, won_deals, lost_deals, cycle_days, purchases, rep_days FROM given
	UNION ALL
	SELECT i, period, 'r2', 0, 0, 0, 0, 0, '{}', 0, 0 FROM given WHERE member = 'r1' AND i % 2 = 1
	UNION ALL
	SELECT i, period, '', sum(revenue), sum(direct_cost), sum(revenue_with_cost), sum(won_deals), sum(lost_deals),
		   (SELECT array_agg(d) FROM given x, unnest(x.cycle_days) d WHERE x.i = g.i), sum(purchases) - (i + 1) % 2, sum(rep_days)
	  FROM given g GROUP BY i, period
), whole AS (
	SELECT *, lag(revenue) OVER w AS r1, lag(revenue, 12) OVER w AS r12, (period + interval '1 month')::date - period AS days
	  FROM line WINDOW w AS (PARTITION BY member ORDER BY i)
)
SELECT i, period, member, v.kpi, v.value
  FROM whole w, LATERAL (VALUES
	('revenue', revenue), ('won_deals', won_deals),
	('revenue_growth', CASE WHEN r1 > 0 THEN round(100 * (revenue - r1)::numeric(60,30) / r1, 16) END),
	('revenue_growth_year', CASE WHEN r12 > 0 THEN round(100 * (revenue - r12)::numeric(60,30) / r12, 16) END),
	('profit_margin', CASE WHEN revenue_with_cost > 0 THEN round(100 * (revenue_with_cost - direct_cost)::numeric(60,30) / revenue_with_cost, 16) END),
	('average_purchase_value', CASE WHEN purchases > 0 THEN round(revenue::numeric(60,30) / purchases, 16) END),
	('win_rate', CASE WHEN won_deals + lost_deals > 0 THEN round(100 * won_deals::numeric(60,30) / (won_deals + lost_deals), 16) END),
	('reps', round(rep_days::numeric(60,30) / days, 16)),
	('revenue_per_rep', CASE WHEN rep_days > 0 THEN round(revenue::numeric(60,30) * days / rep_days, 16) END),
	('sales_cycle_length', (SELECT round(avg(d::numeric(60,30)), 16) FROM unnest(cycle_days) d)),
	('sales_cycle_median', (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d)::numeric FROM unnest(cycle_days) d))
	) v(kpi, value)
 WHERE i < 17;

SELECT e.kpi, count(*), count(e.value) AS known, count(*) FILTER (WHERE s.value IS DISTINCT FROM e.value) AS wrong
  FROM (SELECT DISTINCT kpi FROM expected) k
  CROSS JOIN LATERAL (SELECT * FROM kpi_series(k.kpi, '2025-01-01', '2026-06-01', 'month', 'rep')
					  UNION ALL SELECT * FROM kpi_series(k.kpi, '2025-01-01', '2026-06-01')) s
  RIGHT JOIN expected e ON e.kpi = k.kpi AND e.member = s.member AND e.period::timestamp AT TIME ZONE 'Europe/Berlin' = s."time"
 GROUP BY e.kpi ORDER BY e.kpi COLLATE "C";
-- kpi_value and the report say the same as the series
SELECT count(*), count(*) FILTER (WHERE kpi_value(kpi, period + 3, CASE member WHEN '' THEN 'total' ELSE 'rep' END, member) IS DISTINCT FROM value) AS wrong
  FROM expected WHERE i > 9;
SELECT count(*), count(*) FILTER (WHERE r.value IS DISTINCT FROM e.value) AS wrong,
	   count(*) FILTER (WHERE r.previous IS DISTINCT FROM p.value) AS wrong_previous, count(y.value) AS years, count(*) FILTER (WHERE r.year_ago IS DISTINCT FROM y.value) AS wrong_year,
	   count(r.change) AS changes,
	   count(*) FILTER (WHERE r.change IS DISTINCT FROM CASE WHEN r.unit = 'percent' THEN e.value - p.value
						ELSE round(100 * (e.value - p.value)::numeric(80,40) / nullif(abs(p.value), 0), 16) END) AS wrong_change
  FROM (SELECT DISTINCT i, period, member FROM expected WHERE i >= 11) at
  CROSS JOIN LATERAL kpi_report(at.period, 'month', CASE at.member WHEN '' THEN 'total' ELSE 'rep' END, at.member) r
  JOIN expected e ON e.i = at.i AND e.member = at.member AND e.kpi = r.kpi
  LEFT JOIN expected p ON p.i = at.i - 1 AND p.member = at.member AND p.kpi = r.kpi
  LEFT JOIN expected y ON y.i = at.i - 12 AND y.member = at.member AND y.kpi = r.kpi;

-- ---------- the report ----------
INSERT INTO kpi_target (kpi, from_day, to_day, value, warn_at) VALUES
	('revenue', '2026-05-01', '2026-06-01', 320, 314), ('profit_margin', '2026-01-01', '2027-01-01', -60, NULL), ('sales_cycle_length', '2026-05-01', '2026-06-01', 4, 5.5),
	('won_deals', '2026-05-01', '2026-06-01', 3, NULL), ('revenue', '2026-06-01', '2026-07-01', 274.25, NULL), ('revenue', '2026-04-01', '2026-05-01', 507.5, NULL);
SELECT kpi_select('test', 'revenue', 'revenue_growth', 'profit_margin', 'target_attainment', 'sales_cycle_length', 'win_rate', 'won_deals', 'open_opportunities', 'buying_customers', 'leads', 'lead_conversion_rate', 'purchases');
SELECT number, kpi, label, value, unit, target, attainment, status FROM kpi_report('2026-05-17', selection => 'test');
SELECT kpi, previous, change, year_ago, trend, is_complete, numerator, denominator, n, reason FROM kpi_report('2026-05-17', selection => 'test');
-- the same period by default: the last complete one
SELECT count(*) FROM (SELECT * FROM kpi_report(selection => 'test') EXCEPT SELECT * FROM kpi_report('2026-05-17', selection => 'test')) x;
-- in German
SELECT kpi, label, reason FROM kpi_report('2026-05-17', selection => 'test', lang => 'de') WHERE reason IS NOT NULL;
-- unfinished: against the first ten days of May and of June 2025; the target is that of the whole month
SELECT kpi, value, previous, change, year_ago, trend, is_complete, target, attainment, reason FROM kpi_report('2026-06-30', selection => 'test');
SELECT kpi, value, previous, change, year_ago, reason FROM kpi_report('2026-06-30', dimension => 'rep', member => 'r2', selection => 'test');
-- before anything was computed
SELECT kpi, value, reason, is_complete, trend FROM kpi_report('2024-01-01', selection => 'test') WHERE kpi IN ('revenue', 'leads');
SELECT kpi, value, reason FROM kpi_report('2026-05-17', grain => 'quarter', selection => 'test') WHERE kpi = 'revenue';
-- the shipped selections all work
SELECT s.selection, count(*) = (SELECT count(*) FROM kpi_selection x WHERE x.selection = s.selection) AS complete
  FROM (SELECT DISTINCT selection FROM kpi_selection) s CROSS JOIN LATERAL kpi_report('2026-05-17', selection => s.selection)
 GROUP BY s.selection ORDER BY s.selection COLLATE "C";

-- ---------- status in both directions ----------
-- revenue is 314 and better up, the cycle 5.5 days and better down: met at the target, near at warn_at
CREATE TABLE trial (n integer, kpi text, value numeric, warn_at numeric, expected text);
INSERT INTO trial VALUES (1, 'revenue', 313.99, NULL, 'met'), (2, 'revenue', 314, NULL, 'met'), (3, 'revenue', 314.01, NULL, 'missed'), (4, 'revenue', 400, 314, 'near'),
	(5, 'revenue', 400, 314.01, 'missed'), (6, 'sales_cycle_length', 5.5, NULL, 'met'), (7, 'sales_cycle_length', 5.49, 5.5, 'near'),
	(8, 'sales_cycle_length', 5, 5.49, 'missed'), (9, 'sales_cycle_length', 6, 7, 'met'), (10, 'profit_margin', -50, NULL, 'met'), (11, 'leads', 1, NULL, 'none');
DO $$
DECLARE
	t trial;
	got text;
BEGIN
	FOR t IN SELECT * FROM trial ORDER BY n LOOP
		DELETE FROM kpi_target WHERE kpi_target.kpi = t.kpi AND from_day = '2026-05-01' AND dimension = 'total';
		INSERT INTO kpi_target (kpi, from_day, to_day, value, warn_at) VALUES (t.kpi, '2026-05-01', '2026-06-01', t.value, t.warn_at);
		SELECT status INTO got FROM kpi_report('2026-05-17', selection => 'test') r WHERE r.kpi = t.kpi;
		RAISE NOTICE '% % %: %', t.kpi, t.value, t.warn_at, CASE WHEN got = t.expected THEN got ELSE format('%s, expected %s', got, t.expected) END;
	END LOOP;
END $$;

-- ---------- series ----------
SELECT * FROM kpi_series('profit_margin', '2026-03-31', '2026-06-02', dimension => 'rep');
SELECT * FROM kpi_series('sales_cycle_length', '2026-04-15', NULL, members => '{""}');
SELECT * FROM kpi_series('revenue', '2025-02-01', '2025-04-01', as_of => '2026-01-01 00:00Z');
SELECT * FROM kpi_series('leads', '2026-05-01', '2026-06-01', dimension => 'rep', members => '{r2,r1,r2}');
SELECT count(*) FROM kpi_series('revenue', '2020-01-01', '2021-01-01');
SELECT min("time"), max("time"), count(*) FROM kpi_series('revenue', NULL, NULL);
-- a grain that snapshots leave out is no empty series
SELECT * FROM kpi_series('revenue', '2025-01-01', '2025-03-01', 'week');
SELECT kpi_value('revenue', '2025-01-01', grain => 'day');
SELECT kpi FROM kpi_report('2025-01-01', 'week');
SELECT change FROM kpi_restatements('revenue', '2025-01-01', '2025-03-01', 'week');
SELECT value FROM kpi_reported_series('revenue', '2025-01-01', '2025-03-01', 'week');
-- days the wrong way round are refused, also within one period; the same day twice is the period that holds it
SELECT count(*) FROM kpi_series('revenue', '2026-04-20', '2026-04-10');
SELECT count(*) FROM kpi_series('revenue', '2026-05-20', '2026-04-10', as_of => '2026-06-12');
SELECT count(*) FROM kpi_merged_series('revenue', '2026-04-20', '2026-04-10', dimension => 'rep', members => '{r1,r2}');
SELECT count(*) FROM kpi_mrr_movements('2026-04-20', '2026-04-10');
SELECT count(*) FROM kpi_forecast('2026-04-20', '2026-04-10');
SELECT count(*) FROM kpi_cohorts('2026-04-20', '2026-04-10');
SELECT count(*) FROM kpi_restatements('revenue', '2025-03-20', '2025-03-10');
SELECT count(*) FROM kpi_reported_series('revenue', '2025-03-20', '2025-03-10');
SELECT "time" FROM kpi_series('revenue', '2026-04-20', '2026-04-20');

-- ---------- merged: the reps together, against plain SQL ----------
SELECT m."time", m.label, m.value, m.n, m.exact,
	   m.value = e.value AS agrees
  FROM kpi_merged_series('profit_margin', '2025-11-01', '2026-02-01', dimension => 'rep', members => '{r2,r1}') m
  JOIN (SELECT period, round(100 * sum(revenue_with_cost - direct_cost)::numeric(60,30) / sum(revenue_with_cost), 16) AS value
		  FROM given WHERE member <> '(none)' GROUP BY period) e ON e.period::timestamp AT TIME ZONE 'Europe/Berlin' = m."time"
 ORDER BY 1;
SELECT count(*), count(m.value) AS known, count(*) FILTER (WHERE m.value IS DISTINCT FROM e.value) AS wrong
  FROM kpi_merged_series('sales_cycle_median', '2025-01-01', '2026-06-01', dimension => 'rep', members => '{r1,r2}') m
  JOIN (SELECT period, percentile_cont(0.5) WITHIN GROUP (ORDER BY d)::numeric AS value FROM given g LEFT JOIN LATERAL unnest(cycle_days) d ON true
		 WHERE member <> '(none)' GROUP BY period) e ON e.period::timestamp AT TIME ZONE 'Europe/Berlin' = m."time";
-- purchases of both reps would count twice
SELECT "time", value, exact, reason FROM kpi_merged_series('average_purchase_value', '2026-04-01', '2026-06-01', dimension => 'rep', members => '{r1,r2}');
SELECT "time", value, exact, reason FROM kpi_merged_series('average_purchase_value', '2026-04-01', '2026-06-01', dimension => 'rep', members => '{r1,r1}');
SELECT count(*) > 40 AS all, count(r.value) AS known, count(*) FILTER (WHERE r.reason = 'not additive') AS not_additive,
	   string_agg(r.kpi, ' ' ORDER BY r.kpi) FILTER (WHERE (r.value, r.numerator, r.denominator, r.n, r.target, r.is_complete, r.reason) IS DISTINCT FROM (m.value, m.numerator, m.denominator, m.n, m.target, m.is_complete, m.reason)) AS other_than_in_series
  FROM kpi_report('2026-04-15', dimension => 'rep', members => '{r2,r1,r2}') r
 CROSS JOIN LATERAL kpi_merged_series(r.kpi, '2026-04-01', '2026-05-01', dimension => 'rep', members => '{r1,r2}') m;
SELECT count(*) FROM kpi_report('2026-04-15', members => '{r1}');
-- all members are the total
SELECT count(*), count(*) FILTER (WHERE m.value IS DISTINCT FROM t.value) AS wrong
  FROM kpi_merged_series('average_purchase_value', NULL, NULL, dimension => 'rep') m JOIN kpi_series('average_purchase_value', NULL, NULL) t USING ("time");
-- targets add up when each member has one
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value, warn_at) VALUES
	('revenue', 'rep', 'r1', '2026-04-01', '2026-05-01', 200, 100), ('revenue', 'rep', 'r2', '2026-04-01', '2026-05-01', 103, NULL),
	('revenue', 'rep', 'r1', '2026-05-01', '2026-06-01', 211, 100), ('win_rate', 'rep', 'r1', '2026-04-01', '2026-05-01', 50, 40), ('win_rate', 'rep', 'r2', '2026-04-01', '2026-05-01', 50, 40);
SELECT kpi, "time", value, target FROM unnest('{revenue,win_rate,target_attainment}'::text[]) kpi,
	LATERAL kpi_merged_series(kpi, '2026-04-01', '2026-06-01', dimension => 'rep', members => '{r1,r2}') ORDER BY 1, 2;
SELECT round(100 * (253.75 + 0) / (200 + 103), 12) AS attainment_wanted;
SELECT kpi_additive_measures('segment') && '{purchases,buying_customers}' AS by_segment, kpi_additive_measures('region') @> '{buying_customers}' AS by_region,
	   kpi_additive_measures('rep') && '{purchases,buying_customers,deals_quoted,deals_quoted_won,contacts_messaged,contacts_replied}' AS by_rep;

-- ---------- several KPIs side by side: each as it is alone ----------
SELECT count(*) = 3 * (SELECT count(DISTINCT kpi) FROM kpi_selection WHERE selection = 'all') AS all, count(value) > 10 AS some_known, count(*) FILTER (WHERE reason IS NULL) = count(value) AS reasons,
	   bool_and(value IS NOT DISTINCT FROM kpi_value(kpi, '2026-04-01', 'rep', member)) AS as_alone, array_agg(DISTINCT label ORDER BY label) AS labels
  FROM kpi_compare(ARRAY(SELECT kpi FROM kpi_selection WHERE selection = 'all'), '2026-04-15', 'rep', members => '{r2,r1,r2,(none)}');
SELECT member, label, kpi, kpi_label, value, target, status FROM kpi_compare('{revenue,win_rate}', '2026-04-15', 'rep', lang => 'de');
SELECT count(*) FROM kpi_compare('{revenue}', '1999-01-01');
-- r2 had nothing in April; whom no fact ever was of had not nothing, unless a target says so
INSERT INTO kpi_target (kpi, dimension, member, from_day, to_day, value) VALUES ('revenue', 'rep', 'r7', '2026-04-01', '2026-05-01', 10);
SELECT member, kpi, value, status, reason FROM kpi_compare('{revenue}', '2026-04-15', 'rep', members => '{r2,r7,r8,Ada}');
SELECT kpi, value, n, reason FROM kpi_report('2026-04-15', dimension => 'rep', member => 'Ada', lang => 'de') WHERE value IS NOT NULL OR reason <> 'unbekanntes Mitglied';
SELECT member, value, reason FROM kpi_series('revenue', '2026-04-01', '2026-05-01', dimension => 'rep', members => '{r8}');
SELECT members, m.value, m.reason FROM (VALUES (1, '{r1,r8}'::text[]), (2, '{r8,r9}')) v(n, members), kpi_merged_series('revenue', '2026-04-01', '2026-05-01', dimension => 'rep', members => v.members) m ORDER BY v.n;
SELECT kpi_value('revenue', '2026-04-15', 'rep', 'r8') AS unknown, kpi_value('revenue', '2026-04-15', 'rep', 'r2') AS known;
-- where there is no place for the reason it is an error; who has nothing in the period is no mistake
SELECT count(*) FROM kpi_drill('revenue', '2026-04-15', 'rep', 'r8');
SELECT count(*) FROM kpi_made_of('revenue', '2026-04-15', 'rep', 'r8');
SELECT count(*) FROM kpi_restatements('revenue', NULL, NULL, dimension => 'rep', members => '{r1,r8}');
SELECT count(*) FROM kpi_mrr_movements(NULL, NULL, dimension => 'rep', members => '{r1,r8}');
SELECT count(*) FROM kpi_pipeline('2026-06-05', 'rep', 'r8');
SELECT count(*) FROM kpi_stage_funnel('2026-04-15', dimension => 'rep', member => 'r8');
SELECT count(*) FROM kpi_top_customers(3, '2026-04-15', dimension => 'rep', member => 'r8');
SELECT (SELECT count(*) FROM kpi_drill('revenue', '2026-04-15', 'rep', 'r2')) AS drill, (SELECT count(*) FROM kpi_made_of('revenue', '2026-04-15', 'rep', 'r2')) AS made_of,
	(SELECT count(*) FROM kpi_restatements('revenue', NULL, NULL, dimension => 'rep', members => '{r2,r7}')) AS restated, (SELECT count(*) FROM kpi_pipeline('2026-06-05', 'rep', 'r2')) AS pipeline,
	(SELECT count(*) FROM kpi_stage_funnel('2026-04-15', dimension => 'rep', member => 'r2')) AS funnel, (SELECT count(*) FROM kpi_top_customers(3, '2026-04-15', dimension => 'rep', member => 'r2')) AS customers;
DELETE FROM kpi_target WHERE member = 'r7';
SELECT * FROM kpi_compare('{revenue,nonsense}', '2026-04-15');
SELECT * FROM kpi_compare(NULL, '2026-04-15');

-- ---------- ranking ----------
SELECT * FROM kpi_ranking('revenue', '2026-05-31');
SELECT * FROM kpi_ranking('revenue', '2025-03-01');
-- what nobody owns shows when there is something, here a credit note; lower is better for direct cost
SELECT rank, member, label, value, share FROM kpi_ranking('revenue', '2025-04-30', lang => 'de');
SELECT rank, member, value, share, change FROM kpi_ranking('direct_cost', '2025-05-30');
SELECT rank, member, value, share, reason FROM kpi_ranking('purchases', '2025-05-30');
SELECT rank, member, value, share, reason FROM kpi_ranking('sales_cycle_length', '2025-05-30');
SELECT rank, member, value, change FROM kpi_ranking('revenue', '2026-06-30');
SELECT count(*) FROM kpi_ranking('revenue', '2020-01-01');

-- ---------- members and labels ----------
SELECT * FROM kpi_members('rep');
SELECT * FROM kpi_members('total', 'de');
SELECT kpi_member_parts(kpi_member(p), cardinality(p)) = p AS same, kpi_member(p)
  FROM (VALUES (ARRAY['a']), (ARRAY['a+b', 'c\d']), (ARRAY['\+', '+\']), (ARRAY['', 'x']), (ARRAY['a+b']), ('{}'), (ARRAY[E'a\nb', '(none)', 'ü'])) v(p);
SELECT * FROM kpi_labels('rep+kind', '{r1+call,r9+(none),(none)+a\+b}', 'de') ORDER BY member COLLATE "C";
SELECT amounts, kpi_sparkline(amounts) FROM (VALUES ('{1,2,3,4,5,6,7,8}'::numeric[]), ('{0,NULL,7,8}'), ('{5,5}'), ('{NULL}'), ('{-1,0,1}'), ('{1,NaN,Infinity}')) v(amounts);

-- ---------- other calendars ----------
-- fiscal years from April and weeks from Sunday need no more than the facts
INSERT INTO kpi_fact (grain, period, period_end, dimension, member, recorded_at, run, is_complete, days, revenue, sale_lines)
VALUES ('year', '2024-04-01', '2025-04-01', 'total', '', '2026-06-11 00:00Z', 1, true, 365, 1000, 1), ('year', '2025-04-01', '2026-04-01', 'total', '', '2026-06-11 00:00Z', 1, true, 365, 1100, 1),
	   ('year', '2026-04-01', '2027-04-01', 'total', '', '2026-06-11 00:00Z', 1, false, 71, 300, 1), ('year_cut', '2025-04-01', '2025-06-11', 'total', '', '2026-06-11 00:00Z', 1, true, 71, 200, 1),
	   ('week', '2026-05-24', '2026-05-31', 'total', '', '2026-06-11 00:00Z', 1, true, 7, 10, 1), ('week', '2026-05-31', '2026-06-07', 'total', '', '2026-06-11 00:00Z', 1, true, 7, 15, 1);
SELECT kpi_value('revenue', '2026-03-31', grain => 'year'), kpi_value('revenue_growth', '2026-03-31', grain => 'year'),
	   kpi_value('revenue', '2026-05-30', grain => 'week'), kpi_value('revenue_growth', '2026-05-31', grain => 'week');
SELECT value, previous, year_ago, trend FROM kpi_report('2026-12-31', 'year', selection => 'test') WHERE kpi IN ('revenue', 'revenue_growth');
SELECT "time", value FROM kpi_series('revenue', '2026-05-30', '2026-05-31', 'week');
SELECT "time", value FROM kpi_series('revenue', '2025-03-31', '2026-04-02', 'year');

-- ---------- what cannot be asked ----------
SELECT kpi_value('revenu', '2026-05-01');
SELECT kpi_value('revenue', '2026-05-01', 'regions');
SELECT kpi_value('revenue', '2026-05-01', grain => 'decade');
SELECT kpi_value('revenue', '2026-05-01', member => 'r1');
SELECT kpi_value('revenue', '2026-05-01', 'rep');
SELECT kpi_value('revenue', '2026-05-01', 'rep+kind', 'r1');
SELECT * FROM kpi_report('2026-05-01', selection => 'none');
SELECT * FROM kpi_report('2026-05-01', lang => 'fr');
SELECT * FROM kpi_series('revenue', NULL, NULL, dimension => 'rep', members => '{r1,NULL}');

-- ---------- reading only ----------
CREATE ROLE regress_salkpi_reader;
GRANT USAGE ON SCHEMA kpi TO regress_salkpi_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA kpi TO regress_salkpi_reader;
REVOKE ALL ON reps, sales, deals FROM regress_salkpi_reader;
ALTER TABLE kpi_fact ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON kpi_fact FOR SELECT TO regress_salkpi_reader USING (dimension = 'rep' AND member IN ('r1', '(none)'));
SAVEPOINT before;
SET TRANSACTION READ ONLY;
SET LOCAL ROLE regress_salkpi_reader;
-- names cannot be read, other reps' facts are not there
SELECT member, label, value, share FROM kpi_ranking('revenue', '2026-05-31');
SELECT kpi, value, reason FROM kpi_report('2026-05-17', selection => 'test') WHERE kpi = 'revenue';
SELECT "time", label, value FROM kpi_series('revenue', '2026-05-01', '2026-06-01', dimension => 'rep');
SELECT count(*) FROM kpi_report('2026-05-17', dimension => 'rep', member => 'r1');
ROLLBACK TO before;
ROLLBACK;

-- ---------- who is no one: without facts, targets and name, or a combination with such a part ----------
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TABLE purchases (sale_id integer, sold_at date, amount numeric, region text, product text, account_id text);
INSERT INTO purchases VALUES (1, '2026-03-05', 10, 'R1', 'A', 'a1'), (2, '2026-03-06', 20, 'R2', 'B', 'a2'), (3, '2026-01-07', 40, 'R1', 'B', 'a2');
CREATE TABLE customers (id text, name text);
INSERT INTO customers VALUES ('a1', 'One'), ('a2', 'Two'), ('a3', 'Three');
CREATE TABLE plan (kpi text, dimension text, member text, from_day date, to_day date, value numeric);
INSERT INTO plan VALUES ('revenue', 'region', 'R5', '2026-04-01', '2026-05-01', 100);
SELECT count(*) AS bound FROM (VALUES ('sale', 'purchases'), ('account', 'customers'), ('target', 'plan')) v(source, relation), kpi_bind(v.source, v.relation::regclass) b WHERE b.required;
SELECT kpi_define_dimension('region+product'), kpi_define_dimension('region+account'), kpi_define_dimension('account'), kpi_set('dimensions', 'region');
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-02');
SELECT dimension, v.member, trim_scale(s.value) AS value, s.reason, trim_scale(kpi_value('revenue', '2026-03-01', dimension, v.member)) AS alone
FROM (VALUES (1, 'region', 'R2'), (2, 'region', 'R3'), (3, 'region', 'R5'), (4, 'account', 'a1'), (5, 'account', 'a3'), (6, 'account', 'a9'),
			 (7, 'region+product', 'R1+A'), (8, 'region+product', 'R2+A'), (9, 'region+product', 'R3+A'), (10, 'region+product', 'R5+A'), (11, 'region+product', 'R1+(none)'),
			 (12, 'region+account', 'R1+a3'), (13, 'region+account', 'R1+a9'), (14, 'region+account', 'R1+(none)')) v(n, dimension, member),
	 kpi_series('revenue', '2026-03-01', '2026-04-01', 'month', dimension, ARRAY[v.member]) s ORDER BY v.n;
SELECT members, trim_scale(value) AS value, target, status, reason
FROM unnest(ARRAY['{R1,R2}', '{R1,R5}', '{R1,R3}', '{R3,R5}', '{R3,R4}']) WITH ORDINALITY v(members, n), kpi_merged_series('revenue', '2026-03-01', '2026-04-01', dimension => 'region', members => members::text[]) ORDER BY v.n;
SELECT members, trim_scale(value) AS value, reason FROM unnest(ARRAY['{a1,a3}', '{a1,a9}']) WITH ORDINALITY v(members, i), kpi_report('2026-03-01', dimension => 'account', members => members::text[], selection => 'measures') r WHERE kpi = 'revenue' ORDER BY v.i;
INSERT INTO purchases VALUES (4, '2026-05-02', 5, 'R3', 'A', 'a1');
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-03');
SELECT kpi_value('revenue', '2026-03-01', 'region', 'R3') AS known_since, kpi_value('revenue', '2026-03-01', 'region', 'R3', as_of => '2026-05-02 12:00') AS unknown_then,
	(SELECT trim_scale(value) FROM kpi_merged_series('revenue', '2026-03-01', '2026-04-01', dimension => 'region', members => '{R1,R3}', as_of => '2026-05-02 12:00')) AS with_one_that_came_later;
SELECT s.members, trim_scale(m.value) AS value, m.reason FROM kpi_scope('{"region": ["R2"], "product": ["A"]}') s, kpi_merged_series('revenue', '2026-03-01', '2026-04-01', 'month', s.dimension, s.members) m;
ROLLBACK;

-- ---------- what may not be read is not taken for what is not there ----------
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = kpi, public;
CREATE SCHEMA shut;
CREATE TABLE shut.lines (sale_id integer, sold_at date, amount numeric, rep_id text, account_id text);
INSERT INTO shut.lines VALUES (1, '2026-03-05', 100, 'a', 'x'), (2, '2026-03-06', 10, 'b', 'y');
CREATE TABLE shut.plan (kpi text, dimension text, member text, from_day date, to_day date, value numeric, currency text);
INSERT INTO shut.plan VALUES ('revenue', 'rep', 'a', '2026-01-01', '2027-01-01', 365, NULL), ('revenue', 'rep', 'a', '2026-03-01', '2026-04-01', 50, 'USD'), ('revenue', 'rep', 'b', '2026-03-01', '2026-04-01', 40, NULL);
CREATE TABLE shut.rates (currency text, valid_on date, rate numeric);
INSERT INTO shut.rates VALUES ('USD', '2025-01-01', 0.5);
CREATE TABLE shut.deals (id integer, status text, amount numeric, currency text, rep_id text);
INSERT INTO shut.deals VALUES (1, 'open', 100, NULL, 'a'), (2, 'open', 300, 'USD', 'b');
CREATE TABLE shut.staff (id text, name text, team text);
INSERT INTO shut.staff VALUES ('a', 'Ann', 'A'), ('b', 'Ben', 'B');
SELECT count(*) AS bound FROM (VALUES ('sale', 'shut.lines'), ('target', 'shut.plan'), ('exchange_rate', 'shut.rates'), ('opportunity', 'shut.deals'), ('rep', 'shut.staff')) v(source, relation),
	kpi_bind(v.source, v.relation::regclass) b WHERE b.required;
SELECT kpi_define('gap', 'coalesce(target(revenue), 0) - revenue', 'money', 'down', 'Gap') AS defined;
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-02');
CREATE ROLE regress_salkpi_reader;
SELECT count(*) > 10 AS granted, bool_or(g LIKE '%kpi_track_log%') AS the_log FROM kpi_grant('regress_salkpi_reader', 'reader') g;
CREATE VIEW seen AS
SELECT v.member, s.kpi, trim_scale(round(s.value, 2)) AS value, trim_scale(round(s.target, 2)) AS target, s.status, s.reason
  FROM unnest('{a,b}'::text[]) v(member), LATERAL (SELECT k.kpi, r.* FROM unnest('{revenue,gap,target_attainment}'::text[]) k(kpi), kpi_series(k.kpi, '2026-03-01', '2026-04-01', 'month', 'rep', ARRAY[v.member]) r) s;
GRANT SELECT ON seen TO regress_salkpi_reader;
CREATE FUNCTION refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || message || ' ' || hint;
END $$;
SET LOCAL ROLE regress_salkpi_reader;
SELECT * FROM seen ORDER BY member, kpi;
SELECT member, trim_scale(won) AS won, target, reason FROM kpi_outlook('2026-03-01', 'month', 'rep', kpi => 'revenue');
SELECT * FROM kpi_reps_at_target('2026-03-01');
SELECT refused('SELECT * FROM kpi_top_opportunities()') ~ '^42501 permission denied for shut.(rates, which is source "exchange_rate"|deals, which is source "opportunity") GRANT SELECT ON shut.(rates|deals) TO regress_salkpi_reader.$' AS refused;	-- which of the two is asked first depends on PostgreSQL
RESET ROLE;
SELECT * FROM seen ORDER BY member, kpi;
SELECT * FROM kpi_reps_at_target('2026-03-01');
-- nor without the rates
GRANT USAGE ON SCHEMA shut TO regress_salkpi_reader;
GRANT SELECT ON shut.plan, shut.lines, shut.deals TO regress_salkpi_reader;
SET LOCAL ROLE regress_salkpi_reader;
SELECT kpi_targets_hidden() AS hidden, (SELECT count(*) FROM kpi_source_target_rows()) AS faults, kpi_value('gap', '2026-03-01', 'rep', 'a') AS gap;
SELECT refused($$SELECT kpi_live('gap', '2026-03-01', '2026-04-01', 'rep', 'a')$$) AS live, refused('SELECT * FROM kpi_top_opportunities()') AS top;
RESET ROLE;
GRANT SELECT ON shut.rates TO regress_salkpi_reader;
SET LOCAL ROLE regress_salkpi_reader;
SELECT kpi_targets_hidden() AS hidden, trim_scale(kpi_value('gap', '2026-03-01', 'rep', 'a')) AS gap;
SELECT array_agg(id) AS top FROM kpi_top_opportunities();
SELECT refused($$SELECT * FROM kpi_top_opportunities(2, 'team', 'A')$$) AS by_team;
RESET ROLE;
-- a table that is gone is no matter of rights
SAVEPOINT gone;
DROP TABLE shut.rates;
SELECT array_agg(id) AS top, array_agg(amount) AS amounts FROM kpi_top_opportunities();
ROLLBACK TO gone;
-- shares are of all rows or none
ALTER TABLE shut.lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE shut.deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shut.lines USING (rep_id = 'a');
CREATE POLICY own ON shut.deals USING (rep_id = 'a');
GRANT SELECT ON shut.staff TO regress_salkpi_reader;
SET LOCAL ROLE regress_salkpi_reader;
SELECT refused($$SELECT * FROM kpi_top_customers(2, '2026-03-01')$$) AS customers, (SELECT array_agg(value) FROM kpi_pipeline()) AS own_pipeline;
RESET ROLE;
ALTER TABLE kpi_fact ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON kpi_fact USING (member = 'a');
SET LOCAL ROLE regress_salkpi_reader;
SELECT refused($$SELECT kpi_live('revenue', '2026-03-01', '2026-04-01', 'rep', 'a')$$) AS live;
ROLLBACK;

-- ---------- the planner knows of the facts at once, not only when autovacuum has come round ----------
BEGIN;
SET LOCAL client_min_messages = warning;
TRUNCATE kpi_fact;
CREATE TABLE purchases (sale_id integer, sold_at date, amount numeric, region text);
INSERT INTO purchases VALUES (1, '2026-03-05', 10, 'R1'), (2, '2026-03-06', 20, 'R2');
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'purchases');
SELECT outcome FROM kpi_snapshot(as_of => '2026-05-02');
-- months go back to the first sale, though the year begins before
SELECT reason FROM kpi_report('2026-02-10', lang => 'en') WHERE kpi = 'average_purchase_value';
SELECT reltuples = (SELECT count(*) FROM kpi_fact) AS counted FROM pg_class WHERE oid = 'kpi_fact'::regclass;
ROLLBACK;

-- ---------- a range that begins with a period not computed begins with the next one that was ----------
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TABLE purchases (sale_id integer, sold_at date, amount numeric);
INSERT INTO purchases VALUES (1, '2026-01-10', 1), (2, '2026-02-10', 2), (3, '2026-03-10', 3);
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'purchases');
SELECT outcome FROM kpi_snapshot('2026-01-01', '2026-01-31', '2026-05-01');
SELECT outcome FROM kpi_snapshot('2026-03-01', '2026-03-31', '2026-05-02');
SELECT array_agg(value) AS whole FROM kpi_series('revenue', '2026-01-01', '2026-04-01');
SELECT array_agg(value) AS behind, (SELECT array_agg(value) FROM kpi_series('revenue', '2026-02-10', '2026-04-01', as_of => '2026-05-02')) AS as_of,
	   (SELECT count(*) FROM kpi_series('revenue', '2026-02-10', '2026-03-01')) AS within FROM kpi_series('revenue', '2026-02-10', '2026-04-01');
ROLLBACK;
