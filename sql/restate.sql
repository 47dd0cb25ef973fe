-- What was reported when: 18 snapshots of sales that come late, are corrected
-- and deleted, against copies kept by plain SQL; then the history is thinned.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
SET client_min_messages = warning;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;
SELECT setseed(0.4);
-- what is known of a sale from when to when
CREATE TABLE known AS
SELECT n AS sale_id, n % 2 AS version, s.sold_at, (50 + n * 13 % 100 + v.plus)::numeric AS amount, CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END AS rep_id,
	   s.sold_at + s.lag * v.from_days * interval '1 day' AS known_from, s.sold_at + s.lag * v.to_days * interval '1 day' AS known_to
  FROM generate_series(1, 240) n,
	   LATERAL (SELECT timestamptz '2026-01-01 09:00Z' + n % 140 * interval '1 day' AS sold_at, (random() * 20)::integer AS lag WHERE n > 0) s,
	   LATERAL (VALUES (1, CASE WHEN n % 6 = 0 THEN 3 ELSE 1000 END, 0), (3, CASE WHEN n % 12 = 0 THEN 5 ELSE 1000 END, 7)) v(from_days, to_days, plus)
 WHERE v.from_days = 1 OR n % 6 = 0;
CREATE TABLE known_deal AS
SELECT n AS id, 10.0 * (n % 7) AS amount, CASE n % 2 WHEN 0 THEN 'a' END AS rep_id, timestamptz '2026-01-01 00:00Z' + n % 100 * interval '1 day' AS created_at,
	   timestamptz '2026-01-01 00:00Z' + (n % 100 + n % 60) * interval '1 day' AS closed_at FROM generate_series(1, 90) n;
SELECT set_config('test.now', '2026-01-01 00:00Z', true);
CREATE FUNCTION known_at() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT current_setting('test.now')::timestamptz $$;
CREATE VIEW sales AS SELECT sale_id, sold_at, amount, rep_id FROM known WHERE known_from <= known_at() AND known_to > known_at();
CREATE VIEW deals AS SELECT id, amount, rep_id, created_at, CASE WHEN closed_at <= known_at() THEN 'won' ELSE 'open' END AS status, CASE WHEN closed_at <= known_at() THEN closed_at END AS closed_at
  FROM known_deal WHERE created_at <= known_at();
CREATE TABLE people AS SELECT id, upper(id) AS name FROM unnest('{a,b}'::text[]) id;
SELECT count(*) FROM kpi_bind('sale', 'sales');
SELECT count(*) FROM kpi_bind('opportunity', 'deals');
SELECT count(*) FROM kpi_bind('rep', 'people');
SELECT kpi_set('grains', 'month'), kpi_set('time_zone', 'Europe/Berlin');

-- ---------- the snapshots, and a copy of what each reported ----------
-- one at every month's last midnight (in Berlin), one early and others within the month; three on 12 May
CREATE TABLE moment AS
SELECT at FROM (SELECT m + interval '1 month' AS at FROM generate_series(timestamp '2026-01-01', '2026-04-01', '1 month') m
				UNION SELECT m + d * interval '1 day 3 hours' FROM generate_series(timestamp '2026-01-01', '2026-05-01', '1 month') m, unnest('{0,9,20}'::integer[]) d) x(local),
	   LATERAL (SELECT local AT TIME ZONE 'Europe/Berlin' AS at) y WHERE local > '2026-01-01'
UNION SELECT timestamptz '2026-05-12 06:00Z' + h * interval '2 hours' FROM generate_series(0, 2) h;
CREATE TABLE reported (at timestamptz, period date, is_complete boolean, member text, revenue numeric, pipeline numeric, growth numeric);
CREATE FUNCTION take(at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	told text;
BEGIN
	PERFORM set_config('test.now', at::text, true);
	SELECT outcome INTO told FROM kpi_snapshot('2026-01-01', NULL, at);
	RETURN told;
END $$;
CREATE FUNCTION keep_copy(now timestamptz) RETURNS void LANGUAGE sql AS $$
	WITH s AS MATERIALIZED (SELECT * FROM sales), d AS MATERIALIZED (SELECT * FROM deals), month AS (
		SELECT m AT TIME ZONE 'Europe/Berlin' AS starts_at, (m + interval '1 month') AT TIME ZONE 'Europe/Berlin' AS ends_at, m::date AS period
		  FROM generate_series(timestamp '2026-01-01', '2026-05-01', '1 month') m WHERE m AT TIME ZONE 'Europe/Berlin' < now
	), told AS (
		SELECT month.*, member, (SELECT coalesce(sum(amount), 0) FROM s WHERE s.sold_at >= starts_at AND s.sold_at < least(ends_at, now) AND (member = '' OR coalesce(s.rep_id, '(none)') = member)) AS revenue,
			   CASE WHEN ends_at >= now THEN (SELECT coalesce(sum(amount), 0) FROM d WHERE d.status = 'open' AND (member = '' OR coalesce(d.rep_id, '(none)') = member))
					ELSE (SELECT r.pipeline FROM reported r WHERE r.at = month.ends_at AND r.period = month.period AND r.member = u.member) END AS pipeline	-- what was open at its very end stays
		  FROM month, unnest('{"",a,b,(none)}'::text[]) u(member)
	)
	INSERT INTO reported SELECT now, period, ends_at <= now, member, revenue, pipeline,
		CASE WHEN lag(revenue) OVER w > 0 THEN round(100 * (revenue - lag(revenue) OVER w)::numeric(60,30) / lag(revenue) OVER w, 16) END
	  FROM told WINDOW w AS (PARTITION BY member ORDER BY period) $$;
CREATE FUNCTION state(at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT md5(string_agg(fact::text, E'\n' ORDER BY fact::text COLLATE "C"))
	  FROM (SELECT to_jsonb(f) - 'run' - 'recorded_at' - 'superseded_at' AS fact FROM kpi_fact f WHERE f.grain = 'month' AND f.recorded_at <= state.at AND (f.superseded_at IS NULL OR f.superseded_at > state.at)) f $$;	-- cut ones linger unread
SAVEPOINT empty;
SELECT count(*), min(take(at)) FROM (SELECT at FROM moment ORDER BY at OFFSET 0) m;
DO $$ DECLARE now timestamptz; BEGIN FOR now IN SELECT at FROM moment ORDER BY at LOOP PERFORM set_config('test.now', now::text, true), keep_copy(now); END LOOP; END $$;
SELECT count(*) FROM reported;

-- as_of gives each month and member as reported then: right at the snapshot, and right before the next one
CREATE FUNCTION disagree(OUT looked_at bigint, OUT revenue bigint, OUT pipeline bigint, OUT growth bigint) LANGUAGE sql STABLE AS $$
	SELECT count(*), count(*) FILTER (WHERE kpi = 'revenue' AND s.value IS DISTINCT FROM r.revenue),
		   count(*) FILTER (WHERE kpi = 'pipeline_value' AND s.value IS DISTINCT FROM r.pipeline),
		   count(*) FILTER (WHERE kpi = 'revenue_growth' AND r.is_complete IS NOT FALSE AND s.value IS DISTINCT FROM r.growth)
	  FROM (SELECT at, lead(at) OVER (ORDER BY at) AS next FROM (SELECT DISTINCT at FROM reported) x) m
	  CROSS JOIN LATERAL (VALUES (m.at), (m.next - interval '1 microsecond')) a(at)
	  CROSS JOIN unnest('{revenue,pipeline_value,revenue_growth}'::text[]) kpi
	  CROSS JOIN LATERAL (SELECT * FROM kpi_series(kpi, NULL, NULL, as_of => a.at) UNION ALL SELECT * FROM kpi_series(kpi, NULL, NULL, dimension => 'rep', as_of => a.at)) s
	  LEFT JOIN reported r ON r.at = m.at AND r.period = (s."time" AT TIME ZONE 'Europe/Berlin')::date AND r.member = s.member
	 WHERE a.at IS NOT NULL $$;
SELECT * FROM disagree();

-- the restatements are the differences between the copies, no more and no less
CREATE TABLE changed AS
SELECT * FROM (SELECT period, member, at, is_complete, kpi, first_value(value) OVER w AS first_reported, lag(value) OVER w AS before, value AS after, row_number() OVER w > 1 AS is_later
				 FROM reported, LATERAL (VALUES ('revenue', revenue), ('revenue_growth', growth)) v(kpi, value) WHERE is_complete WINDOW w AS (PARTITION BY period, member, kpi ORDER BY at)) x
 WHERE is_later AND before IS DISTINCT FROM after;
CREATE TABLE restated AS
SELECT d.kpi, (r."time" AT TIME ZONE 'Europe/Berlin')::date AS period, r.*
  FROM (VALUES ('revenue', 'total'), ('revenue', 'rep'), ('revenue_growth', 'total'), ('revenue_growth', 'rep')) d(kpi, dimension)
 CROSS JOIN LATERAL kpi_restatements(d.kpi, '2026-01-01', NULL, dimension => d.dimension) r;
SELECT count(*) > 40 AS many, count(*) FILTER (WHERE r.member IS NULL) AS missing,
	   count(*) FILTER (WHERE (r.first_reported, r.before, r.after, r.change) IS DISTINCT FROM (c.first_reported, c.before, c.after, c.after - c.before)) AS wrong,
	   count(*) FILTER (WHERE (SELECT k.as_of FROM kpi_run k WHERE k.run = r.run) IS DISTINCT FROM c.at) AS wrong_run
  FROM changed c LEFT JOIN restated r ON (r.kpi, r.period, r.member, r.recorded_at) = (c.kpi, c.period, c.member, c.at);
SELECT (SELECT count(*) FROM restated) = (SELECT count(*) FROM changed) AS no_more;
-- a part of them
SELECT count(*) = (SELECT count(*) FROM changed WHERE kpi = 'revenue' AND member = 'a' AND period IN ('2026-02-01', '2026-03-01')) AS agrees
  FROM kpi_restatements('revenue', '2026-02-28', '2026-03-02', dimension => 'rep', members => '{a,a}');
SELECT count(*) FROM kpi_restatements('revenue', '2026-05-01', NULL);
SELECT * FROM kpi_restatements('none', NULL, NULL);
SELECT * FROM kpi_restatements('revenue', NULL, NULL, 'decade');

-- as reported when each month ended: a pipeline without history has one after all
SELECT "time", r.member, value = p.pipeline AS pipeline, taken_at = p.at AS taken_at, r.is_complete = p.is_complete AS is_complete
  FROM kpi_reported_series('pipeline_value', NULL, NULL) r
  LEFT JOIN LATERAL (SELECT x.* FROM reported x WHERE x.period = (r."time" AT TIME ZONE 'Europe/Berlin')::date AND x.member = r.member AND x.at <= (x.period + interval '1 month') AT TIME ZONE 'Europe/Berlin'
					  ORDER BY x.at DESC LIMIT 1) p ON true ORDER BY 1;
SELECT count(*), count(*) FILTER (WHERE value IS DISTINCT FROM (SELECT x.revenue FROM reported x WHERE x.period = (r."time" AT TIME ZONE 'Europe/Berlin')::date AND x.member = r.member AND x.at = r.taken_at)) AS wrong
  FROM kpi_reported_series('revenue', '2026-01-01', '2026-05-01', dimension => 'rep') r;

-- ---------- thinning ----------
SELECT * FROM kpi_prune('0,5');
SELECT * FROM kpi_prune('some');
SELECT kpi_set('history_keep', '5');
SELECT * FROM kpi_prune('all');
SELECT * FROM kpi_prune('4000,4000');
-- by hand: all of the last two days, the last of each of 12 days, the first and the last of each month
SAVEPOINT whole;
CREATE TABLE meant AS
SELECT at, (age < 2 OR age < 12 AND at = max(at) OVER (PARTITION BY day) OR at = max(at) OVER (PARTITION BY month) OR at = min(at) OVER (PARTITION BY month)) AS is_kept
  FROM (SELECT at, day, date_trunc('month', day) AS month, date '2026-05-23' - day AS age
		  FROM moment, LATERAL (SELECT ((at - interval '1 second') AT TIME ZONE 'Europe/Berlin')::date AS day) d) x;
SELECT count(*), count(*) FILTER (WHERE is_kept) AS kept, max(at) FROM meant;
-- in batches it comes to the same as at once
-- where there are weeks, a forecast rests on the first snapshot of each
SAVEPOINT weeks;
SELECT kpi_set('grains', 'month,week');
WITH first AS (
	SELECT DISTINCT ON (w.week) w.run FROM (SELECT r.run, r.as_of, kpi_period_start('week', kpi_day(r.as_of - interval '1 microsecond')) AS week FROM kpi_run r WHERE r.outcome = 'done' AND NOT r.is_pruned) w
	ORDER BY w.week, w.as_of
)
SELECT count(*) > 0 AS some, count(*) FILTER (WHERE p.run IN (SELECT f.run FROM first f)) AS first_of_week FROM kpi_prunable_runs('1,1') p;
ROLLBACK TO weeks;
SELECT pruned_runs, gone_facts > 0 AS some_gone FROM kpi_prune('2,12', 3);
SELECT pruned_runs, gone_facts > 0 AS some_gone FROM kpi_prune('2,12', 2);
SELECT pruned_runs FROM kpi_prune('2,12');
SELECT pruned_runs FROM kpi_prune('2,12');
SELECT count(*) AS wrong FROM meant JOIN kpi_run r ON r.as_of = meant.at WHERE is_kept = is_pruned;
-- what was reported at those kept is answered as before, and until the next one kept
DELETE FROM reported WHERE at NOT IN (SELECT at FROM meant WHERE is_kept);
SELECT * FROM disagree();
-- nothing else is left, and no two versions lie over each other
SELECT count(*) FILTER (WHERE recorded_at NOT IN (SELECT at FROM meant WHERE is_kept)) AS recorded_else, count(*) FILTER (WHERE superseded_at NOT IN (SELECT at FROM meant WHERE is_kept)) AS closed_else,
	   count(*) FILTER (WHERE superseded_at <= recorded_at) AS empty, count(*) FILTER (WHERE run <> (SELECT k.run FROM kpi_run k WHERE k.as_of = recorded_at)) AS wrong_run,
	   count(*) FILTER (WHERE recorded_at < before) AS overlap FROM (SELECT *, lag(superseded_at) OVER (PARTITION BY dimension, member, grain, period ORDER BY recorded_at) AS before FROM kpi_fact) f;
-- as if only those kept had been taken
SELECT array_agg(at ORDER BY at) AS kept, array_agg(state(at) ORDER BY at) AS thinned, count(DISTINCT state(at)) AS states FROM meant WHERE is_kept \gset
ROLLBACK TO empty;
SELECT count(*), min(take(at)) FROM unnest(:'kept'::timestamptz[]) at;
SELECT :states AS states, array_agg(state(at) ORDER BY at)::text = :'thinned' AS same FROM unnest(:'kept'::timestamptz[]) at;
ROLLBACK;

-- Between two snapshots that are kept all is as the earlier one had it, also since when there is anything.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TABLE late (sale_id integer, sold_at date, amount numeric);
INSERT INTO late SELECT n, ('2025-07-05'::date + n * interval '1 month')::date, 100 FROM generate_series(0, 7) n;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'late');
SELECT kpi_define('of_year', 'sum_months(revenue, 12)', 'money', 'up', 'Of a year') AS defined;
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-10 08:00');
INSERT INTO late VALUES (99, '2025-01-10', 1000);
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-10 09:00');
INSERT INTO late VALUES (100, '2026-02-11', 1);
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-10 10:00');
INSERT INTO late VALUES (101, '2026-03-11', 1);
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-25 10:00');
SELECT kpi_define('of_two', 'sum_last(revenue, 2)', 'money', 'up', 'Of two') AS defined;
SELECT kpi_value('of_two', '2025-07-10', as_of => '2026-03-10 08:30') AS july;	-- of 2025, when it began
SELECT kpi_value('of_year', '2025-11-10', grain => 'quarter', as_of => '2026-03-10 08:30') AS of_2025;	-- six months of 100
SELECT kpi_value('of_year', '2026-03-10', as_of => '2026-03-10 08:30') AS first, kpi_value('of_year', '2026-03-10', as_of => '2026-03-10 09:30') AS second;
SELECT pruned_runs FROM kpi_prune('1,92');
SELECT kpi_value('of_year', '2026-03-10', as_of => '2026-03-10 08:30') AS first, kpi_value('of_year', '2026-03-10', as_of => '2026-03-10 09:30') AS second;
ROLLBACK;

-- What kpi_set closed after a snapshot that is pruned stays until the next one kept, all of it: what that snapshot had changed and what not.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TABLE sold (sale_id integer, sold_at date, amount numeric, region text);
INSERT INTO sold VALUES (1, '2026-02-10', 10, 'A'), (2, '2026-02-11', 20, 'B');
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'sold');
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-10 08:00');
INSERT INTO sold VALUES (3, '2026-02-12', 5, 'B');
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-11 08:00');
SELECT kpi_set('customer_active_days', '300', rebuild => true);
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-11 12:00');
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-20 12:00');
SELECT pruned_runs FROM kpi_prune('10,92');	-- the ones of 11 March are nine days old
SELECT pruned_runs FROM kpi_prune('9,92');
SELECT at, kpi_value('revenue', '2026-02-01', as_of => at) AS total, kpi_value('revenue', '2026-02-01', 'region', 'A', as_of => at) AS a, kpi_value('revenue', '2026-02-01', 'region', 'B', as_of => at) AS b
  FROM unnest('{2026-03-10 08:00,2026-03-11 08:00,2026-03-11 09:00,2026-03-11 12:00}'::timestamptz[]) at;
ROLLBACK;

-- A member that came only later has changes where it has something, not zeros in all the periods in which others changed.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TABLE sold (sale_id integer, sold_at date, amount numeric, region text);
INSERT INTO sold VALUES (1, '2026-01-10', 10, 'A'), (2, '2026-02-10', 20, 'A');
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'sold');
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-10 08:00');
UPDATE sold SET amount = 11 WHERE sale_id = 1;
INSERT INTO sold VALUES (3, '2026-02-11', 5, 'B');
SELECT outcome FROM kpi_snapshot(as_of => '2026-03-11 08:00');
SELECT to_char("time" AT TIME ZONE kpi_setting('time_zone'), 'YYYY-MM') AS month, member, before, after FROM kpi_restatements('revenue', NULL, NULL, dimension => 'region');
ROLLBACK;
