/*
 * A snapshot of the bound database: what kpi_fact and the readers say against
 * the files, or, where the definition is the project's own, against plain SQL
 * on Odoo's tables.  The time zone is UTC, as it is in the files.
 */
SELECT now() AT TIME ZONE 'UTC' > (SELECT max(date) FROM mail_message) AS has_passed \gset
\if :has_passed

CREATE TEMPORARY TABLE taken AS SELECT * FROM kpi_snapshot();
SELECT pg_temp.holds('a snapshot is taken', $$SELECT outcome = 'done' AND facts > 0 FROM taken$$);
SELECT pg_temp.holds('a second one finds nothing new', $$SELECT outcome = 'done' AND changed = 0 FROM kpi_snapshot()$$);
CREATE TEMPORARY VIEW month AS
	SELECT f.*, to_char(f.period, 'YYYY-MM') AS month FROM kpi_fact f WHERE f.grain = 'month' AND f.superseded_at IS NULL;
CREATE TEMPORARY VIEW total AS SELECT * FROM month WHERE dimension = 'total';
CREATE TEMPORARY VIEW today AS SELECT * FROM month WHERE NOT is_complete;

SELECT pg_temp.same('problems are the bad rows and no others',
	$$SELECT p.source, p.reason, p.bad_rows, p.keys::text[] FROM kpi_problem p$$,
	$$SELECT 'opportunity', 'closed before it was created', count(*), array_agg(id::text ORDER BY id)
	    FROM crm_lead WHERE type = 'opportunity' AND date_closed < coalesce(date_conversion, create_date) HAVING count(*) > 0
	  UNION ALL
	  SELECT 'opportunity', 'won or lost without closed_at', count(*), array_agg(l.id::text ORDER BY l.id)
	    FROM crm_lead l JOIN crm_stage s ON s.id = l.stage_id
	   WHERE l.type = 'opportunity' AND l.date_closed IS NULL AND (NOT l.active AND l.probability = 0 OR s.is_won)
		 AND NOT EXISTS (SELECT FROM mail_message m JOIN mail_message_subtype t ON t.id = m.subtype_id
						  WHERE m.model = 'crm.lead' AND m.res_id = l.id AND t.name::text LIKE '%Opportunity Lost%') HAVING count(*) > 0$$);

/* sales */
SELECT pg_temp.same('facts: revenue, cost, purchases and customers by month',
	$$SELECT month, round(revenue, 6), round(direct_cost, 6), purchases, buying_customers FROM total WHERE revenue <> 0$$,
	$$SELECT month, r.revenue_untaxed::numeric, m.cost::numeric, r.orders::bigint, c.active::bigint
	    FROM expected.monthly_revenue r JOIN expected.margin_by_month m USING (month) JOIN expected.customers_month c USING (month)$$);
/* the file's growth is over the last month with orders, the project's over the month before; here they are the same months */
SELECT pg_temp.same('readers: growth, purchase value and margin by month',
	$$SELECT month, round(kpi_value('revenue_growth', period), 6), round(kpi_value('average_purchase_value', period), 6), round(kpi_value('profit_margin', period), 6)
	    FROM total WHERE revenue <> 0 AND is_complete$$,
	$$SELECT month, r.growth_pct::numeric, r.avg_purchase_value::numeric, m.margin_pct::numeric
	    FROM expected.monthly_revenue r JOIN expected.margin_by_month m USING (month) WHERE month < to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')$$);
SELECT pg_temp.same('readers: revenue as a series',
	$$SELECT to_char("time" AT TIME ZONE 'UTC', 'YYYY-MM'), round(value, 6) FROM kpi_series('revenue', '2026-01-01', kpi_today()) WHERE value <> 0$$,
	$$SELECT month, revenue_untaxed::numeric FROM expected.monthly_revenue$$);
SELECT pg_temp.same('facts: revenue, margin and purchases by rep',
	$$SELECT member, round(sum(revenue), 6), round(sum(revenue - direct_cost), 6), sum(purchases)::bigint FROM month WHERE dimension = 'rep' AND revenue <> 0 GROUP BY 1$$,
	$$SELECT user_id, revenue::numeric, margin::numeric, orders::bigint FROM expected.revenue_by_salesperson$$);
SELECT pg_temp.same('facts: revenue by team, the order''s own',
	$$SELECT member, round(sum(revenue), 6), sum(purchases)::bigint FROM month WHERE dimension = 'team' AND revenue <> 0 GROUP BY 1$$,
	$$SELECT team, revenue::numeric, orders::bigint FROM expected.revenue_by_team$$);
SELECT pg_temp.same('facts: revenue by region',
	$$SELECT member, round(sum(revenue), 6), sum(purchases)::bigint FROM month WHERE dimension = 'region' AND revenue <> 0 GROUP BY 1$$,
	$$SELECT country, revenue::numeric, orders::bigint FROM expected.revenue_by_country$$);
SELECT pg_temp.same('facts: revenue and margin by product',
	$$SELECT member, round(sum(revenue), 4), round(sum(revenue - direct_cost), 4) FROM month WHERE dimension = 'product' AND revenue IS NOT NULL GROUP BY 1 HAVING sum(sale_lines) > 0$$,
	$$SELECT product, round(sum(revenue::numeric), 4), round(sum(margin::numeric), 4) FROM expected.margin_by_product GROUP BY 1$$);
SELECT pg_temp.same('readers: the ranking of reps in the best month',
	$$SELECT member, label, round(value, 6) FROM kpi_ranking('revenue', (SELECT period FROM total ORDER BY revenue DESC LIMIT 1)) WHERE value <> 0$$,
	$$SELECT u.id::text, p.name::text, round(sum(o.amount_untaxed / o.currency_rate), 6)
	    FROM sale_order o JOIN res_users u ON u.id = o.user_id JOIN res_partner p ON p.id = u.partner_id
	   WHERE o.state IN ('sale', 'done') AND to_char(o.date_order, 'YYYY-MM') = (SELECT month FROM expected.monthly_revenue ORDER BY revenue_untaxed::numeric DESC LIMIT 1) GROUP BY 1, 2$$);
SELECT pg_temp.holds('facts: members add up to the total',
	$$SELECT bool_and(t.revenue = d.revenue AND t.won_deals = d.won AND t.leads = d.leads OR d.revenue IS NULL)
	    FROM total t JOIN (SELECT period, dimension, sum(revenue) AS revenue, sum(won_deals) AS won, sum(leads) AS leads FROM month
						    WHERE dimension IN ('rep', 'team', 'region', 'channel') GROUP BY 1, 2) d USING (period)$$);

/* deals */
SELECT pg_temp.same('facts: the pipeline by stage now',
	$$SELECT member, open_opportunities, round(pipeline_value, 6), round(weighted_pipeline, 6), unweighted_opportunities FROM today WHERE dimension = 'stage' AND open_opportunities > 0$$,
	$$SELECT stage, n::bigint, expected_revenue::numeric, weighted_revenue::numeric, null_probability::bigint FROM expected.open_by_stage$$);
SELECT pg_temp.same('readers: the pipeline by stage now',
	$$SELECT stage, stage_position::integer, opportunities, round(value, 6), round(weighted, 6) FROM kpi_pipeline() WHERE opportunities > 0$$,
	$$SELECT stage, sequence::integer, n::bigint, expected_revenue::numeric, weighted_revenue::numeric FROM expected.open_by_stage$$);
/*
 * The pipeline as it was at the end of each month.  The views replay it with
 * windows; here, for each month and deal, the value of each tracked field is
 * looked up, and lost and restored are told by the messages.
 */
CREATE TEMPORARY TABLE tracked AS
	SELECT m.res_id AS id, f.name, m.date AS at, (t.j ->> 'id')::integer AS n,
		   coalesce(t.j ->> 'old_value_monetary', t.j ->> 'old_value_float', t.j ->> 'old_value_integer')::numeric AS old,
		   coalesce(t.j ->> 'new_value_monetary', t.j ->> 'new_value_float', t.j ->> 'new_value_integer')::numeric AS new
	  FROM (SELECT to_jsonb(t) AS j FROM mail_tracking_value t) t
	  JOIN mail_message m ON m.id = (t.j ->> 'mail_message_id')::integer AND m.model = 'crm.lead'
	  JOIN ir_model_fields f ON f.id = coalesce(t.j ->> 'field_id', t.j ->> 'field')::integer AND f.name IN ('expected_revenue', 'stage_id', 'active');
CREATE INDEX ON tracked (id, name, at);
CREATE FUNCTION pg_temp.was(deal integer, field text, at timestamp, now numeric) RETURNS numeric LANGUAGE sql AS $$
	SELECT coalesce((SELECT c.new FROM tracked c WHERE c.id = deal AND c.name = field AND c.at < was.at ORDER BY c.at DESC, c.n DESC LIMIT 1),
					(SELECT c.old FROM tracked c WHERE c.id = deal AND c.name = field AND c.at >= was.at ORDER BY c.at, c.n LIMIT 1), now)
$$;
CREATE TEMPORARY TABLE replayed AS
	SELECT t.month, l.id, pg_temp.was(l.id, 'expected_revenue', t.period_end, l.expected_revenue) AS amount,
		   pg_temp.was(l.id, 'stage_id', t.period_end, l.stage_id) AS stage_id
	  FROM total t JOIN crm_lead l ON l.type = 'opportunity' AND coalesce(l.date_conversion, l.create_date) < t.period_end
	  LEFT JOIN crm_stage s ON s.id = l.stage_id
	 WHERE t.is_complete
	   AND pg_temp.was(l.id, 'active', t.period_end, CASE WHEN l.active OR l.date_closed >= t.period_end THEN 1 ELSE 0 END) = 1
	   AND NOT (s.is_won IS TRUE AND l.date_closed < t.period_end);
SELECT pg_temp.same('facts: the pipeline at the end of each month',
	$$SELECT month, open_opportunities, trim_scale(pipeline_value) FROM total WHERE is_complete AND open_opportunities > 0$$,
	$$SELECT month, count(*), trim_scale(sum(amount)) FROM replayed GROUP BY 1$$);
SELECT pg_temp.same('facts: the pipeline by stage at the end of each month',
	$$SELECT month, member, open_opportunities, trim_scale(pipeline_value) FROM month WHERE is_complete AND dimension = 'stage' AND open_opportunities > 0$$,
	$$SELECT r.month, coalesce(to_jsonb(s.name) ->> 'en_US', s.name::text, '(none)'), count(*), trim_scale(sum(r.amount))
	    FROM replayed r LEFT JOIN crm_stage s ON s.id = r.stage_id GROUP BY 1, 2$$);
SELECT pg_temp.same('facts: won deals by month',
	$$SELECT month, won_deals FROM total WHERE won_deals > 0$$,
	$$SELECT key, won::bigint FROM expected.win_rate WHERE scope = 'close_month' AND won::integer > 0$$);
/* a lost deal without any date of closing is in no month: it is a problem, above */
SELECT pg_temp.same('facts: won and lost deals by rep, team and channel',
	$$SELECT dimension, member, sum(won_deals)::bigint, sum(lost_deals)::bigint FROM month
	   WHERE dimension IN ('rep', 'team', 'channel', 'total') AND (won_deals > 0 OR lost_deals > 0) GROUP BY 1, 2$$,
	$$WITH undated AS (
		SELECT l.user_id::text AS rep, l.team_id::text AS team, l.source_id::text AS channel FROM kpi_problem p JOIN crm_lead l ON l.id::text = ANY (p.keys::text[])
		 WHERE p.reason = 'won or lost without closed_at')
	  SELECT CASE w.scope WHEN 'user_id' THEN 'rep' WHEN 'team_id' THEN 'team' WHEN 'source_id' THEN 'channel' ELSE 'total' END,
			 CASE w.scope WHEN 'type' THEN '' WHEN 'user_id' THEN w.key
				WHEN 'team_id' THEN (SELECT t.team FROM expected.revenue_by_team t WHERE t.team_id = w.key)
				ELSE (SELECT s.name FROM utm_source s WHERE s.id = w.key::integer) END,
			 w.won::bigint,
			 w.lost::bigint - (SELECT count(*) FROM undated u
				WHERE w.scope = 'type' OR w.key = CASE w.scope WHEN 'user_id' THEN u.rep WHEN 'team_id' THEN u.team WHEN 'source_id' THEN u.channel END)
	    FROM expected.win_rate w
	   WHERE w.won::integer + w.lost::integer > 0 AND w.key IS NOT NULL AND (w.scope IN ('user_id', 'team_id', 'source_id') OR (w.scope, w.key) = ('type', 'opportunity'))
		 AND (w.won::integer > 0 OR w.lost::bigint > (SELECT count(*) FROM undated u
				WHERE w.key = CASE w.scope WHEN 'user_id' THEN u.rep WHEN 'team_id' THEN u.team WHEN 'source_id' THEN u.channel END))
	  UNION ALL
	  SELECT 'channel', '(none)', won::bigint, lost::bigint - (SELECT count(*) FROM undated WHERE channel IS NULL) FROM expected.win_rate w
	   WHERE scope = 'source_id' AND key IS NULL AND lost::bigint > (SELECT count(*) FROM undated WHERE channel IS NULL)$$);
SELECT pg_temp.same('readers: win rate over all deals with a closing, month by month',
	$$SELECT month, round(kpi_value('win_rate', period), 6) FROM total WHERE won_deals + lost_deals > 0 AND is_complete$$,
	$$SELECT to_char(at, 'YYYY-MM'), round(100.0 * count(*) FILTER (WHERE won) / count(*), 6)
	    FROM (SELECT s.is_won IS TRUE AS won, coalesce(l.date_closed, (SELECT max(m.date) FROM mail_message m JOIN mail_message_subtype t ON t.id = m.subtype_id
						WHERE m.model = 'crm.lead' AND m.res_id = l.id AND t.name::text LIKE '%Opportunity Lost%')) AS at
				FROM crm_lead l LEFT JOIN crm_stage s ON s.id = l.stage_id
			   WHERE l.type = 'opportunity' AND (s.is_won AND l.active OR NOT l.active AND l.probability = 0)) x
	   WHERE date_trunc('month', at) < date_trunc('month', now() AT TIME ZONE 'UTC') GROUP BY 1$$);
SELECT pg_temp.same('facts: the sales cycle over all won deals',
	$$SELECT sum(kpi_count(sales_cycle))::bigint, round(sum(kpi_mean(sales_cycle) * kpi_count(sales_cycle)) / sum(kpi_count(sales_cycle)), 6)
	    FROM total WHERE kpi_count(sales_cycle) > 0$$,
	$$SELECT n::bigint, avg_days::numeric FROM expected.cycle_days WHERE outcome = 'won'$$);
SELECT pg_temp.same('readers: the sales cycle by month, mean and median',
	$$SELECT month, round(kpi_value('sales_cycle_length', period), 9), round(kpi_value('sales_cycle_median', period), 6) FROM total WHERE won_deals > 0 AND is_complete$$,
	$$SELECT to_char(l.date_closed, 'YYYY-MM'), round(avg(extract(epoch FROM l.date_closed - l.create_date) / 86400), 9),
			 round(percentile_cont(0.5) WITHIN GROUP (ORDER BY (extract(epoch FROM l.date_closed - l.create_date) / 86400)::double precision)::numeric, 6)
	    FROM crm_lead l JOIN crm_stage s ON s.id = l.stage_id AND s.is_won
	   WHERE l.type = 'opportunity' AND l.active AND date_trunc('month', l.date_closed) < date_trunc('month', now() AT TIME ZONE 'UTC') GROUP BY 1$$);

/* leads: converted in the file is qualified here; customers are the won */
SELECT pg_temp.same('facts: leads, qualified and converted by month of creation',
	$$SELECT month, leads, leads_qualified, leads_converted FROM total WHERE leads > 0$$,
	$$SELECT e.month_created, e.leads::bigint, e.converted::bigint,
			 (SELECT count(*) FROM crm_lead l JOIN crm_stage s ON s.id = l.stage_id AND s.is_won
			   WHERE l.date_conversion IS NOT NULL AND l.active AND to_char(l.create_date, 'YYYY-MM') = e.month_created)
	    FROM expected.lead_conversion e WHERE e.month_created IS NOT NULL$$);
SELECT pg_temp.same('facts: conversions by month',
	$$SELECT month, conversions FROM total WHERE conversions > 0$$,
	$$SELECT to_char(l.date_closed, 'YYYY-MM'), count(*) FROM crm_lead l JOIN crm_stage s ON s.id = l.stage_id AND s.is_won
	   WHERE l.date_conversion IS NOT NULL AND l.active GROUP BY 1$$);
SELECT pg_temp.same('facts: new opportunities by month of conversion or creation',
	$$SELECT month, opportunities, trim_scale(opportunities_value) FROM total WHERE opportunities > 0$$,
	$$SELECT to_char(coalesce(date_conversion, create_date), 'YYYY-MM'), count(*), trim_scale(sum(expected_revenue))
	    FROM crm_lead WHERE type = 'opportunity' GROUP BY 1$$);

/* quotations: by the day they were made out, not by the record's creation as in the file */
SELECT pg_temp.same('facts: quotations sent by month',
	$$SELECT month, quotes_sent, round(quoted_value, 6) FROM total WHERE quotes_sent > 0$$,
	$$SELECT to_char(least(create_date, date_order), 'YYYY-MM'), count(*), round(sum(amount_untaxed / currency_rate), 6) FROM sale_order WHERE state <> 'draft' GROUP BY 1$$);
SELECT pg_temp.same('facts: quotations sent in all are those that are no draft',
	$$SELECT sum(quotes_sent)::bigint FROM total$$,
	$$SELECT quotes::bigint - still_draft::bigint FROM expected.quotes_vs_orders WHERE month_created = 'TOTAL'$$);
SELECT pg_temp.same('facts: open quotations now are sent and within their validity',
	$$SELECT open_quotes FROM today WHERE dimension = 'total'$$,
	$$SELECT still_sent::bigint - (SELECT count(*) FROM sale_order WHERE state = 'sent' AND validity_date < (now() AT TIME ZONE 'UTC')::date)
	    FROM expected.quotes_vs_orders WHERE month_created = 'TOTAL'$$);

/* activities */
SELECT pg_temp.same('facts: calls by rep and month',
	$$SELECT member, month, calls FROM month WHERE dimension = 'rep' AND calls > 0$$,
	$$SELECT user_id, month, n::bigint FROM expected.activities_done WHERE activity_type = 'Call'$$);
SELECT pg_temp.same('facts: meetings by rep and month',
	$$SELECT member, month, meetings FROM month WHERE dimension = 'rep' AND meetings > 0$$,
	$$SELECT user_id, month, meetings::bigint FROM expected.meetings$$);
/* messages of the file, those on partners, and e-mail activities that no message of the day stands for */
SELECT pg_temp.same('facts: e-mails sent by rep and month',
	$$SELECT member, month, emails FROM month WHERE dimension = 'rep' AND emails > 0$$,
	$$SELECT user_id, month, sum(n)::bigint FROM (
		SELECT user_id, month, n::bigint FROM expected.messages WHERE user_id <> '1'
		UNION ALL
		SELECT u.id::text, to_char(m.date, 'YYYY-MM'), 1 FROM mail_message m JOIN res_users u ON u.partner_id = m.author_id AND NOT u.share AND u.id <> 1
		 WHERE m.model = 'res.partner' AND m.message_type IN ('comment', 'email')
		UNION ALL
		SELECT u.id::text, to_char(m.date, 'YYYY-MM'), 1 FROM mail_message m JOIN res_users u ON u.partner_id = m.author_id
		 WHERE m.mail_activity_type_id = 1 AND NOT EXISTS (
			SELECT FROM mail_message s WHERE s.model = m.model AND s.res_id = m.res_id AND s.author_id = m.author_id AND s.message_type IN ('comment', 'email')
			   AND s.date::date = m.date::date)) x GROUP BY 1, 2$$);
SELECT pg_temp.same('facts: rep-days on the roster',
	$$SELECT member, month, rep_days FROM month WHERE dimension = 'rep' AND rep_days > 0 AND is_complete$$,
	$$SELECT r.id::text, t.month, (t.period_end - greatest(t.period, (r.active_from AT TIME ZONE 'UTC')::date))::bigint
	    FROM kpi_odoo_rep r JOIN total t ON t.is_complete AND (r.active_from AT TIME ZONE 'UTC')::date < t.period_end$$);

\else
SELECT 'ok - facts # SKIP the clock is behind the data';
\endif
