/*
 * The months that a company lived through, replayed: a snapshot at each
 * month's end and some within, each of what existed then.  Copies are kept of
 * what the readers said right after each, and of what plain SQL makes of the
 * same rows; afterwards as_of must give the copies, and the restatements be
 * their differences.
 */
SELECT now() > '2026-11-23 07:30Z' AS has_passed \gset
\if :has_passed
CREATE FUNCTION then_is() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT current_setting('lived.then')::timestamptz $$;
SELECT set_config('lived.then', 'infinity', false) \g /dev/null
CREATE VIEW then_sale AS SELECT s.* FROM kpi_odoo_sale s
 WHERE s.line_id IN (SELECT l.id FROM sale_order_line l WHERE l.create_date AT TIME ZONE 'UTC' <= then_is());
CREATE VIEW then_lead AS SELECT l.id, l.created_at, CASE WHEN l.qualified_at <= then_is() THEN l.qualified_at END AS qualified_at,
	   CASE WHEN l.converted_at <= then_is() THEN l.converted_at END AS converted_at, l.rep_id, l.team, l.region, l.channel, l.campaign, l.account_id
  FROM kpi_odoo_lead l WHERE l.created_at <= then_is();
CREATE VIEW then_opportunity AS SELECT o.id, o.name, o.created_at, CASE WHEN o.closed_at > then_is() THEN 'open' ELSE o.status END AS status,
	   CASE WHEN o.closed_at <= then_is() THEN o.closed_at END AS closed_at, o.amount, o.currency, o.probability, o.stage, o.expected_close, o.lead_id, o.account_id, o.rep_id, o.team, o.region, o.channel, o.campaign
  FROM kpi_odoo_opportunity o WHERE o.created_at <= then_is();
CREATE VIEW then_history AS SELECT h.opportunity_id, h.valid_from, CASE WHEN h.valid_to <= then_is() THEN h.valid_to END AS valid_to, h.stage, h.status, h.amount, h.rep_id, h.team
  FROM kpi_odoo_opportunity_history h WHERE h.valid_from <= then_is() AND h.opportunity_id IN (SELECT id FROM then_opportunity);
CREATE VIEW then_quote AS SELECT q.* FROM kpi_odoo_quote q WHERE q.id IN (SELECT o.id FROM sale_order o WHERE o.create_date AT TIME ZONE 'UTC' <= then_is());
CREATE VIEW then_activity AS SELECT a.* FROM kpi_odoo_activity a WHERE a.happened_at <= then_is();
SELECT kpi_bind('sale', 'then_sale'), kpi_bind('lead', 'then_lead'), kpi_bind('opportunity', 'then_opportunity'),
	   kpi_bind('opportunity_history', 'then_history'), kpi_bind('quote', 'then_quote'), kpi_bind('activity', 'then_activity') \g /dev/null
SELECT kpi_set('time_zone', 'Europe/Brussels'), kpi_set('grains', 'month,quarter'), kpi_set('history_keep', 'all') \g /dev/null

CREATE TABLE moment AS
SELECT m AT TIME ZONE 'Europe/Brussels' AS at FROM generate_series(timestamp '2026-03-01', '2026-11-01', '1 month') m
UNION SELECT m AT TIME ZONE 'Europe/Brussels' FROM unnest('{2026-05-10 14:00,2026-05-20 14:00,2026-11-10 14:00,2026-11-23 08:30}'::timestamp[]) m;

CREATE TABLE watched AS SELECT kpi, c.grain, c.dimension
  FROM unnest('{revenue,leads,won_deals,revenue_growth,profit_margin,average_purchase_value,lead_conversion_rate,lead_qualification_rate,win_rate,sales_cycle_median,
				quote_to_close_ratio_cohort,pipeline_value,weighted_pipeline,open_opportunities,calls_and_emails_per_rep}'::text[]) kpi,
	   (VALUES ('month', 'total'), ('quarter', 'total'), ('month', 'team')) c(grain, dimension);
CREATE TABLE copy (at timestamptz, kpi text, grain text, dimension text, "time" timestamptz, member text, value numeric, is_complete boolean, numerator numeric, denominator numeric);
CREATE TABLE plain (at timestamptz, "time" timestamptz, member text, revenue numeric, leads numeric, won numeric);
CREATE PROCEDURE live() LANGUAGE plpgsql AS $$
DECLARE
	taken timestamptz;
BEGIN
	FOR taken IN SELECT at FROM moment ORDER BY at LOOP
		PERFORM set_config('lived.then', taken::text, false);
		PERFORM * FROM kpi_snapshot(NULL, NULL, taken);
		INSERT INTO copy
		SELECT taken, w.kpi, w.grain, w.dimension, s."time", s.member, s.value, s.is_complete, s.numerator, s.denominator
		  FROM watched w, LATERAL kpi_series(w.kpi, NULL, NULL, w.grain, w.dimension) s;
		INSERT INTO plain
		SELECT taken, m.starts, t.member,
			   (SELECT coalesce(sum(amount), 0) FROM then_sale s WHERE s.sold_at >= m.starts AND s.sold_at < least(m.ends, taken) AND (t.member = '' OR coalesce(s.team, '(none)') = t.member)),
			   (SELECT count(*) FROM then_lead l WHERE l.created_at >= m.starts AND l.created_at < least(m.ends, taken) AND (t.member = '' OR coalesce(l.team, '(none)') = t.member)),
			   (SELECT count(*) FROM then_opportunity o WHERE o.status = 'won' AND o.closed_at >= m.starts AND o.closed_at < least(m.ends, taken) AND (t.member = '' OR coalesce(o.team, '(none)') = t.member))
		  FROM (SELECT DISTINCT c.member FROM copy c WHERE c.at = taken) t,
			   (SELECT DISTINCT c."time" AS starts, c."time" AT TIME ZONE 'Europe/Brussels' AS month FROM copy c WHERE c.at = taken AND c.grain = 'month') s,
			   LATERAL (SELECT s.starts, (s.month + interval '1 month') AT TIME ZONE 'Europe/Brussels' AS ends) m;
	END LOOP;
END $$;
CALL live();

SELECT pg_temp.holds('as many snapshots as moments, each with something new',
	$$SELECT (SELECT count(*) FROM moment) = 13 AND (SELECT array_agg(as_of ORDER BY as_of) FROM kpi_run WHERE changed > 0) = (SELECT array_agg(at ORDER BY at) FROM moment)$$);
SELECT pg_temp.same('each reported what plain SQL says',
	$$SELECT at, "time", member, trim_scale(sum(value) FILTER (WHERE kpi = 'revenue')), sum(value) FILTER (WHERE kpi = 'leads'), sum(value) FILTER (WHERE kpi = 'won_deals')
		FROM copy WHERE grain = 'month' GROUP BY at, "time", member$$,
	$$SELECT at, "time", member, trim_scale(revenue), leads, won FROM plain p WHERE EXISTS (SELECT FROM copy c WHERE (c.at, c."time", c.member) = (p.at, p."time", p.member) AND c.grain = 'month')$$);
SELECT pg_temp.same('as_of gives exactly what was reported then',
	$$SELECT m.at, w.kpi, w.grain, w.dimension, s."time", s.member, s.value, s.is_complete, s.numerator, s.denominator
		FROM moment m, watched w, LATERAL kpi_series(w.kpi, NULL, NULL, w.grain, w.dimension, as_of => m.at) s$$,
	'SELECT * FROM copy');
CREATE TEMPORARY TABLE changed AS
SELECT * FROM (SELECT at, kpi, grain, dimension, "time", member, first_value(value) OVER w AS first, lag(value) OVER w AS before, value AS after, row_number() OVER w AS n
				 FROM copy WHERE is_complete WINDOW w AS (PARTITION BY kpi, grain, dimension, "time", member ORDER BY at)) c
 WHERE n > 1 AND before IS DISTINCT FROM after;
SELECT pg_temp.holds('late orders and leads that convert later restate months', $$SELECT count(*) > 50 AND count(DISTINCT kpi) > 5 AND bool_or(kpi = 'revenue') FROM changed$$);
SELECT pg_temp.same('the restatements are the differences between what was reported',
	$$SELECT r.recorded_at, w.kpi, w.grain, w.dimension, r."time", r.member, r.first_reported, r.before, r.after, r.after - r.before, r.run
		FROM watched w, LATERAL kpi_restatements(w.kpi, NULL, NULL, w.grain, w.dimension) r$$,
	$$SELECT c.at, c.kpi, c.grain, c.dimension, c."time", c.member, c.first, c.before, c.after, c.after - c.before, (SELECT run FROM kpi_run WHERE as_of = c.at) FROM changed c$$);
SELECT pg_temp.same('each month as reported when it ended',
	$$SELECT w.kpi, w.dimension, r."time", r.member, r.value, r.taken_at FROM watched w, LATERAL kpi_reported_series(w.kpi, '2026-03-01', '2026-11-01', dimension => w.dimension) r WHERE w.grain = 'month'$$,
	$$SELECT kpi, dimension, "time", member, value, at FROM copy c
	   WHERE grain = 'month' AND at = (("time" AT TIME ZONE 'Europe/Brussels') + interval '1 month') AT TIME ZONE 'Europe/Brussels' AND "time" > '2026-02-15'$$);

/* A scheduled snapshot, of today, thins the history: what is neither of its day nor the first or the last of a month goes, so 20 May. */
SELECT set_config('lived.then', 'infinity', false), kpi_set('history_keep', '1,1') \g /dev/null
CALL kpi_refresh();
CREATE TABLE kept AS
SELECT as_of AS at FROM (
	SELECT as_of, day, max(day) OVER () AS newest, min(as_of) OVER of_month AS first, max(as_of) OVER of_month AS last
	  FROM kpi_run, LATERAL (SELECT ((as_of - interval '1 microsecond') AT TIME ZONE 'Europe/Brussels')::date AS day) d
	WINDOW of_month AS (PARTITION BY date_trunc('month', day))) r
 WHERE day = newest OR as_of IN (first, last);
SELECT pg_temp.same('kpi_refresh thins the history', 'SELECT as_of FROM kpi_run WHERE NOT is_pruned', 'SELECT at FROM kept');
SELECT pg_temp.holds('20 May is gone', $$SELECT is_pruned FROM kpi_run WHERE as_of = '2026-05-20 12:00Z'$$);
SELECT pg_temp.same('as_of gives what was reported last of what is kept',
	$$SELECT m.at, w.kpi, w.grain, w.dimension, s."time", s.member, s.value, s.is_complete, s.numerator, s.denominator
		FROM moment m, watched w, LATERAL kpi_series(w.kpi, NULL, NULL, w.grain, w.dimension, as_of => m.at) s$$,
	$$SELECT m.at, c.kpi, c.grain, c.dimension, c."time", c.member, c.value, c.is_complete, c.numerator, c.denominator
		FROM moment m, copy c WHERE c.at = (SELECT max(k.at) FROM kept k WHERE k.at <= m.at)$$);
\else
\echo ok - replayed # SKIP the clock is before the data
\endif
