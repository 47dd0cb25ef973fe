-- A calendar of one's own: 4-4-5 and the like, and what readers make of its
-- unequal periods, against plain SQL over the days.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
SET client_min_messages = warning;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;

-- A day has begun right after its midnight.
SELECT (SELECT p.days FROM kpi_periods('2026-03-01', '2026-03-01', kpi_midnight('2026-03-15') + past) p WHERE p.grain = 'month') AS days FROM unnest('{0,1 microsecond}'::interval[]) past ORDER BY past;

-- ---------- the 4-5-4 calendar of the National Retail Federation ----------
-- Its years begin on the Sunday nearest to 1 February; 2023 has 53 weeks, the
-- one more in January 2024 (https://nrf.com/resources/4-5-4-calendar).
SELECT kpi_set('week_start', 'sunday');
SELECT kpi_make_calendar('4-5-4', '2017-02-01', 12);
SELECT c.period, (c.period_end - c.period) / 7 AS weeks FROM kpi_calendar c WHERE c.grain = 'year' ORDER BY 1;
SELECT c.period, (c.period_end - c.period) / 7 AS weeks FROM kpi_calendar c WHERE c.grain = 'month' AND c.period BETWEEN '2023-01-29' AND '2024-04-07' ORDER BY 1;
SELECT c.period, (c.period_end - c.period) / 7 AS weeks FROM kpi_calendar c WHERE c.grain = 'quarter' AND c.period BETWEEN '2023-01-29' AND '2024-02-04' ORDER BY 1;
SELECT count(*) FILTER (WHERE grain = 'month') AS months, count(*) FILTER (WHERE grain = 'quarter') AS quarters, bool_and(extract(dow FROM period) = 0) AS sundays FROM kpi_calendar;

-- ---------- what cannot be ----------
SELECT kpi_make_calendar('4-4-4', '2017-02-01');
SELECT kpi_make_calendar('4-4-5', 'infinity');
SELECT kpi_make_calendar('4-4-5', '2017-02-01', 0);
INSERT INTO kpi_calendar VALUES ('year', '2040-01-01', '2041-01-01');
DELETE FROM kpi_calendar WHERE grain = 'month' AND period = '2023-02-26';
UPDATE kpi_calendar SET period_end = period_end - 7 WHERE grain = 'quarter' AND period = '2023-01-29';
INSERT INTO kpi_calendar VALUES ('day', '2040-01-01', '2040-01-02');
SELECT kpi_set('calendar', '4-4-5');

-- ---------- 4-4-5 from the Monday nearest to 1 October ----------
SELECT kpi_set('week_start', NULL), kpi_set('grains', 'month,quarter,year,week');
SELECT kpi_make_calendar('4-4-5', '2023-10-01', 3);
SELECT kpi_set('calendar', 'table');
SELECT grain, kpi_period_start(grain, '2026-05-13') AS period, kpi_period_end(grain, kpi_period_start(grain, '2026-05-13')) AS period_end FROM unnest('{day,week,month,quarter,year}'::text[]) grain;
SELECT kpi_period_start('month', '2020-01-01') AS before, kpi_period_start('month', '2040-01-01') AS after;

CREATE TABLE sales AS
SELECT d - date '2023-10-01' AS sale_id, d AS sold_at, (10 + (d - date '2023-10-01') * 7 % 23)::numeric AS amount, CASE (d - date '2023-10-01') % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END AS rep_id
  FROM (SELECT g::date AS d FROM generate_series(timestamp '2023-10-02', '2026-05-13', '1 day') g) x;
CREATE TABLE paid AS SELECT n AS account_id, 100 AS amount, date '2023-10-10' + n * 11 AS valid_from, CASE n % 3 WHEN 0 THEN date '2023-10-10' + n * 16 END AS valid_to FROM generate_series(1, 60) n;
SELECT count(*) FROM kpi_bind('sale', 'sales');
SELECT count(*) FROM kpi_bind('subscription', 'paid');
SELECT outcome, periods FROM kpi_snapshot(NULL, NULL, '2026-05-13 12:00Z');
-- each period of the table that has begun has its facts, and no other; weeks are as ever
SELECT f.grain, count(*), count(*) FILTER (WHERE c.period IS NULL) AS not_in_table, bool_and(f.revenue = (SELECT coalesce(sum(amount), 0) FROM sales s WHERE s.sold_at >= f.period AND s.sold_at < f.period_end)) AS agrees,
	   count(*) FILTER (WHERE NOT f.is_complete) AS running
  FROM kpi_fact f LEFT JOIN kpi_calendar c USING (grain, period, period_end) WHERE f.dimension = 'total' AND f.grain NOT LIKE '%cut' AND f.period >= '2023-10-02' GROUP BY f.grain ORDER BY 1;

-- growth on the previous period and on the year before, mean and sum of the last three, in every period
CREATE TABLE expected AS
SELECT c.grain, c.period, c.period_end, s.revenue, lag(s.revenue) OVER w AS previous, lag(s.revenue, CASE c.grain WHEN 'month' THEN 12 WHEN 'quarter' THEN 4 ELSE 1 END) OVER w AS year_ago,
	   s.revenue + lag(s.revenue) OVER w + lag(s.revenue, 2) OVER w AS last_three
  FROM kpi_calendar c, LATERAL (SELECT sum(amount) AS revenue FROM sales WHERE sold_at >= c.period AND sold_at < c.period_end) s
 WHERE c.period_end <= '2026-05-13' WINDOW w AS (PARTITION BY c.grain ORDER BY c.period);
SELECT kpi_define('last_three', 'sum_last(revenue, 3)', 'money', 'up', 'Last three');
SELECT e.grain, count(*), count(*) FILTER (WHERE v.value IS DISTINCT FROM e.revenue) AS wrong, count(g.value) AS growths,
	   count(*) FILTER (WHERE g.value IS DISTINCT FROM round(100 * (e.revenue - e.previous)::numeric(60,30) / e.previous, 16)) AS wrong_growth, count(y.value) AS years,
	   count(*) FILTER (WHERE y.value IS DISTINCT FROM round(100 * (e.revenue - e.year_ago)::numeric(60,30) / e.year_ago, 16)) AS wrong_year,
	   count(t.value) AS threes, count(*) FILTER (WHERE t.value IS DISTINCT FROM e.last_three) AS wrong_three
  FROM expected e
  CROSS JOIN LATERAL (SELECT e.period::timestamp AT TIME ZONE 'UTC' AS at) a
  LEFT JOIN LATERAL kpi_series('revenue', e.period, e.period + 1, e.grain) v ON true
  LEFT JOIN LATERAL kpi_series('revenue_growth', e.period, e.period + 1, e.grain) g ON true
  LEFT JOIN LATERAL kpi_series('revenue_growth_year', e.period, e.period + 1, e.grain) y ON true
  LEFT JOIN LATERAL kpi_series('last_three', e.period, e.period + 1, e.grain) t ON true
 GROUP BY e.grain ORDER BY 1;

-- the last three months that had ended with a week, of facts and live
SELECT kpi_define('months', 'sum_months(revenue, 3)', 'money', 'up', 'Months');
SELECT count(*), count(*) FILTER (WHERE kpi_value('months', w.period, grain => 'week') IS DISTINCT FROM m.revenue) AS wrong, count(*) FILTER (WHERE kpi_live('months', w.period, w.period_end) IS DISTINCT FROM m.revenue) AS wrong_live
  FROM kpi_fact w, LATERAL (SELECT min(c.period) AS first, max(c.period_end) AS after FROM (SELECT * FROM kpi_calendar c WHERE c.grain = 'month' AND c.period_end <= w.period_end ORDER BY c.period DESC LIMIT 3) c) c,
	   LATERAL (SELECT sum(amount) AS revenue FROM sales WHERE sold_at >= c.first AND sold_at < c.after) m
 WHERE w.grain = 'week' AND w.dimension = 'total' AND w.superseded_at IS NULL AND w.period BETWEEN '2025-01-01' AND '2025-05-01';
-- one series over all of them has the same periods
SELECT g.grain, (SELECT count(*) FROM kpi_series('revenue', '2023-10-02', '2026-05-13', g.grain)) = count(*) + 1 AS all_there,
	   (SELECT bool_and(s.value = e.revenue) FROM kpi_series('revenue', '2023-10-02', '2026-05-01', g.grain) s JOIN expected e ON e.grain = g.grain AND e.period::timestamp AT TIME ZONE 'UTC' = s."time") AS agrees
  FROM expected g GROUP BY g.grain ORDER BY 1;
-- the running month began on 27 April: against the same 16 days of the one before and of the year before
SELECT value = (SELECT sum(amount) FROM sales WHERE sold_at >= '2026-04-27') AS value, previous = (SELECT sum(amount) FROM sales WHERE sold_at >= '2026-03-30' AND sold_at < date '2026-03-30' + 16) AS previous,
	   year_ago = (SELECT sum(amount) FROM sales WHERE sold_at >= p.period AND sold_at < p.period + 16) AS year_ago, p.period, is_complete
  FROM kpi_report('2026-05-13', selection => 'measures') r, (SELECT period FROM kpi_calendar WHERE grain = 'month' AND period < '2026-04-27' ORDER BY period DESC OFFSET 11 LIMIT 1) p WHERE kpi = 'revenue';
-- what is added up is whole but for the running month, what that is compared with is cut alike
SELECT kpi_define('growth_of_three', 'last_three - prior(last_three)', 'money', 'up', 'Growth of the last three'), kpi_define('mean_of_thirteen', 'mean_last(revenue, 13)', 'money', 'up', 'Mean of thirteen');
SELECT kpi_value('last_three', '2026-05-13') = (SELECT sum(amount) FROM sales WHERE sold_at >= m.starts[3]) AS last_three,
	   kpi_value('growth_of_three', '2026-05-13') = (SELECT sum(amount) FROM sales WHERE sold_at >= m.starts[3])
			- (SELECT sum(amount) FROM sales WHERE sold_at >= m.starts[4] AND sold_at < m.starts[2] OR sold_at >= m.starts[2] AND sold_at < m.starts[2] + 16) AS growth,
	   kpi_value('mean_of_thirteen', '2026-05-13') = round((SELECT sum(amount) FROM sales WHERE sold_at >= m.starts[13]) / 13.0, 16) AS mean,
	   (SELECT sum(amount) FROM kpi_made_of('last_three', '2026-05-13')) = kpi_value('last_three', '2026-05-13') AS made_of
  FROM (SELECT array_agg(period ORDER BY period DESC) AS starts FROM kpi_calendar WHERE grain = 'month' AND period <= '2026-04-27') m;
-- stocks, their movements, and a restatement
SELECT count(*), bool_and(opening + new + reactivation + expansion - contraction - churned = closing) AS adds_up,
	   bool_and(closing = (SELECT coalesce(sum(amount), 0) FROM paid p, kpi_calendar c WHERE c.grain = 'month' AND c.period::timestamp AT TIME ZONE 'UTC' = m."time" AND p.valid_from < c.period_end AND (p.valid_to IS NULL OR p.valid_to >= c.period_end))) AS closing
  FROM kpi_mrr_movements('2023-10-02', '2026-04-27') m;
UPDATE sales SET amount = amount + 1 WHERE sold_at = '2026-03-31';
SELECT outcome FROM kpi_snapshot(NULL, NULL, '2026-05-13 13:00Z');
SELECT kpi, grain, "time", round(change, 4) AS change FROM (VALUES ('revenue', 'month'), ('revenue_growth', 'month'), ('revenue', 'quarter')) v(kpi, grain), kpi_restatements(v.kpi, '2026-01-01', NULL, v.grain) ORDER BY 1, 2, 3;

-- targets: a quarter's by days over its months of 4, 4 and 5 weeks; the running month's pace
INSERT INTO kpi_target (kpi, from_day, to_day, value) SELECT 'revenue', period, period_end, 910 FROM kpi_calendar WHERE grain = 'quarter' AND period = kpi_period_start('quarter', '2026-05-13');
SELECT "time", target, round(pace, 4) AS pace, round(100 * value / (280 * 17 / 28.0), 4) AS expected FROM kpi_series('revenue', kpi_period_start('quarter', '2026-05-13'), '2026-05-14') ORDER BY 1;
SELECT target FROM kpi_outlook('2026-05-13', kpi => 'revenue');

-- ---------- a calendar with facts ----------
-- the future can be added, the past not changed
INSERT INTO kpi_calendar SELECT 'week', '2026-01-05'::date + 7 * n, '2026-01-12'::date + 7 * n FROM generate_series(0, 50) n;
DELETE FROM kpi_calendar WHERE grain = 'month' AND period = '2023-10-02';
SELECT kpi_make_calendar('5-4-4', '2023-10-01', 3);
SELECT kpi_make_calendar('4-4-5', '2023-10-01', 5);
SELECT kpi_set('calendar', 'gregorian');
SELECT kpi_set('calendar', 'gregorian', rebuild => true);
SELECT outcome FROM kpi_snapshot('2026-01-01', NULL, '2026-05-13 14:00Z');
SELECT count(*) FILTER (WHERE extract(day FROM period) = 1) = count(*) AS first_of_month FROM kpi_fact WHERE superseded_at IS NULL AND grain IN ('month', 'quarter') AND dimension = 'total';
-- what was reported under the table stays
SELECT kpi_value('revenue', '2026-04-26', as_of => '2026-05-13 13:00Z') = (SELECT sum(amount) FROM sales WHERE sold_at >= '2026-03-30' AND sold_at < '2026-04-27') AS then_reported;
-- a calendar that has run out
DELETE FROM kpi_calendar WHERE grain = 'year' AND period > '2025-01-01';
SELECT kpi_set('calendar', 'table', rebuild => true);
SELECT outcome FROM kpi_snapshot('2026-01-01', NULL, '2026-05-13 15:00Z');
SELECT * FROM kpi_cohorts();
ROLLBACK;

-- ---------- the same day of the year before ----------
BEGIN;
CREATE TABLE sales AS SELECT n AS sale_id, date '2023-11-01' + n AS sold_at, (n * 7919 % 1000)::numeric + 1 AS amount FROM generate_series(1, 520) n;
SELECT count(*) FROM kpi_bind('sale', 'sales');
SELECT kpi_set('grains', 'day');
SELECT outcome FROM kpi_snapshot('2023-11-01', NULL, '2025-04-05 12:00Z');
SELECT count(*), count(*) FILTER (WHERE g.value IS DISTINCT FROM round(100 * (s.amount - y.amount)::numeric(60,30) / y.amount, 16)) AS wrong
  FROM kpi_series('revenue_growth_year', '2024-11-02', '2025-04-05', 'day') g
  JOIN sales s ON s.sold_at::timestamp AT TIME ZONE 'UTC' = g."time" JOIN sales y ON y.sold_at = (s.sold_at - interval '1 year')::date;
SELECT r.year_ago = s.amount AS year_ago, (SELECT array_agg(m.from_day ORDER BY m.from_day) FROM kpi_made_of('revenue_growth_year', '2024-12-31', grain => 'day') m) AS made_of,
	   kpi_value('revenue_growth_year', '2024-12-31', grain => 'day') = kpi_live('revenue_growth_year', '2024-12-31', '2025-01-01') AS as_live
  FROM kpi_report('2024-12-31', 'day', selection => 'measures') r, sales s WHERE r.kpi = 'revenue' AND s.sold_at = '2023-12-31';
ROLLBACK;

-- ---------- a day with two midnights ----------
-- In Havana the clocks go back from 01:00 to 00:00 on 1 November 2020: the day, and the month, begin at 04:00 UTC.
BEGIN;
SELECT kpi_set('time_zone', 'America/Havana') AS zone, kpi_set('grains', 'day,month') AS grains;
SELECT kpi_midnight('2020-11-01') AS begins, kpi_midnight('2020-11-02') AS ends;
DO $$ DECLARE z text; BEGIN FOREACH z IN ARRAY '{UTC,Europe/Berlin,America/Havana}'::text[] LOOP RAISE WARNING '% %', z, kpi_midnight('2020-11-01', z); END LOOP; END $$;	-- of each zone anew
SELECT count(*) FILTER (WHERE kpi_midnight(d::date, 'Pacific/Apia') <> timestamptz '2011-12-30 10:00Z') AS wrong FROM unnest('{2011-12-30,2011-12-31}'::date[]) d;	-- which lost a whole day
CREATE TABLE sales (sale_id integer, sold_at timestamptz, amount numeric);
INSERT INTO sales VALUES (1, '2020-11-01 03:59:59Z', 4), (2, '2020-11-01 04:30Z', 1), (3, '2020-11-01 05:30Z', 2);
CREATE TABLE spent AS SELECT date '2020-10-31' AS period_from, date '2020-11-01' AS period_to, 10 AS amount;
SELECT count(*) FROM kpi_bind('sale', 'sales');
SELECT count(*) FROM kpi_bind('cost', 'spent');
SELECT count(*) FROM kpi_track('sale') s, kpi_track('cost') c;
SELECT outcome FROM kpi_snapshot(as_of => '2020-11-15 12:00Z');
SELECT grain, period, revenue, total_cost FROM kpi_fact WHERE superseded_at IS NULL AND dimension = 'total' AND grain IN ('day', 'month') AND period IN ('2020-10-01', '2020-10-31', '2020-11-01') ORDER BY 1, 2;
INSERT INTO sales VALUES (4, '2020-11-01 04:10Z', 8);
SELECT outcome FROM kpi_snapshot(as_of => '2020-11-15 12:01Z');
SELECT grain, period, revenue FROM kpi_fact WHERE superseded_at IS NULL AND dimension = 'total' AND grain IN ('day', 'month') AND period IN ('2020-10-01', '2020-10-31', '2020-11-01') ORDER BY 1, 2;
SELECT "time", value FROM kpi_series('revenue', '2020-11-01', '2020-11-02', 'day');
ROLLBACK;

-- ---------- a long year ----------
-- Between two fiscal years: eighteen months, also found by their last day; longer than two years is none.
BEGIN;
SELECT kpi_set('grains', 'year') AS grains;
INSERT INTO kpi_calendar VALUES ('year', '2023-01-01', '2024-01-01'), ('year', '2024-01-01', '2025-07-01'), ('year', '2025-07-01', '2026-07-01');
SELECT kpi_set('calendar', 'table') AS calendar;
CREATE TABLE sales AS SELECT n AS sale_id, d::date AS sold_at, n AS amount FROM unnest('{2023-12-31,2024-01-01,2025-06-30,2025-07-01}'::date[]) WITH ORDINALITY u(d, n);
SELECT count(*) FROM kpi_bind('sale', 'sales');
SELECT outcome FROM kpi_snapshot(as_of => '2025-12-01 12:00Z');
SELECT kpi_value('revenue', '2024-01-01', grain => 'year') AS first_day, kpi_value('revenue', '2025-06-30', grain => 'year') AS last_day,
	kpi_value('revenue', '2025-07-01', grain => 'year') AS day_after, (SELECT sum(value) FROM kpi_series('revenue', '2025-06-30', '2025-07-01', 'year')) AS series;
INSERT INTO kpi_calendar VALUES ('year', '2026-07-01', '2028-08-01');
INSERT INTO kpi_calendar VALUES ('month', '2026-07-01', '2026-09-05');
ROLLBACK;
