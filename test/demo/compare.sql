/*
 * Facts, KPIs and readers against "want" and the CRM's tables.
 */

/* A measure that is 0 in the facts is not there in want. */
SELECT pg_temp.same(m.measure || ': every period and member', format($q$
	SELECT grain, period, dimension, member, trim_scale(%1$I::numeric) FROM kpi_fact
	WHERE superseded_at IS NULL AND grain IN ('month', 'quarter', 'year') AND dimension IN (SELECT dimension FROM want WHERE measure = %1$L)
		AND %1$I <> 0$q$, m.measure), format($q$
	SELECT grain, period, dimension, member, trim_scale(value) FROM want WHERE measure = %L$q$, m.measure))
FROM kpi_measure AS m
WHERE m.slot <> 'duration' AND NOT (m.source = 'opportunity_history' AND m.part = 'open' AND m.slot <> 'opening') AND NOT (m.source = 'sale' AND m.slot = 'ledger')
ORDER BY m."position";

SELECT pg_temp.same('sales_cycle: the durations themselves', $q$
	SELECT grain, period, dimension, member, sales_cycle::text FROM kpi_fact
	WHERE superseded_at IS NULL AND grain IN ('month', 'quarter', 'year') AND kpi_count(sales_cycle) > 0$q$, $q$
	SELECT grain, period, dimension, member, '1:{' || string_agg(took || CASE WHEN n > 1 THEN '*' || n ELSE '' END, ',' ORDER BY took) || '}'
	FROM (SELECT grain, period, dimension, member, took, count(*) AS n FROM cycle GROUP BY 1, 2, 3, 4, 5) AS d
	GROUP BY 1, 2, 3, 4$q$);

SELECT pg_temp.same('lead_responses: the durations themselves', $q$
	SELECT grain, period, dimension, member, lead_responses::text FROM kpi_fact
	WHERE superseded_at IS NULL AND grain IN ('month', 'quarter', 'year') AND kpi_count(lead_responses) > 0$q$, $q$
	SELECT grain, period, dimension, member, '1:{' || string_agg(took || CASE WHEN n > 1 THEN '*' || n ELSE '' END, ',' ORDER BY took) || '}'
	FROM (SELECT grain, period, dimension, member, took, count(*) AS n FROM response GROUP BY 1, 2, 3, 4, 5) AS d
	GROUP BY 1, 2, 3, 4$q$);
SELECT pg_temp.same('stage_stays: the durations themselves', $q$
	SELECT grain, period, dimension, member, stage_stays::text FROM kpi_fact
	WHERE superseded_at IS NULL AND grain IN ('month', 'quarter', 'year') AND kpi_count(stage_stays) > 0$q$, $q$
	SELECT grain, period, dimension, member, '1:{' || string_agg(took || CASE WHEN n > 1 THEN '*' || n ELSE '' END, ',' ORDER BY took) || '}'
	FROM (SELECT grain, period, dimension, member, took, count(*) AS n FROM way_member WHERE measure = 'stage_stays' GROUP BY 1, 2, 3, 4, 5) AS d
	GROUP BY 1, 2, 3, 4$q$);
SELECT pg_temp.same('kpi_stage_funnel: every month, of all and of each team', $q$
	SELECT p.period, w.dimension, w.member, f.stage, f.stage_position, f.entries, f.advances, f.conversion, f.stays, round(f.mean_days, 9), round(f.median_days, 9)
	FROM (SELECT DISTINCT dimension, member FROM way_member WHERE dimension IN ('total', 'team')) AS w,
		(SELECT period FROM period WHERE grain = 'month') AS p, LATERAL kpi_stage_funnel(p.period, 'month', w.dimension, w.member) AS f$q$, $q$
	SELECT period, CASE WHEN dimension = 'stage' THEN 'total' ELSE 'team' END, CASE WHEN dimension = 'stage' THEN '' ELSE split_part(member, '+', 1) END,
		s.stage, s.position::bigint, count(*) FILTER (WHERE measure = 'stage_entries'), count(*) FILTER (WHERE further),
		pg_temp.ratio(100 * count(*) FILTER (WHERE further), count(*) FILTER (WHERE measure = 'stage_entries')), count(took),
		round(avg(took) / 86400000000, 9), round((percentile_cont(0.5) WITHIN GROUP (ORDER BY took) / 86400000000)::numeric, 9)
	FROM way_member JOIN crm.deal_stage AS s ON s.stage = split_part('+' || member, '+', CASE WHEN dimension = 'stage' THEN 2 ELSE 3 END)
	WHERE grain = 'month' AND dimension IN ('stage', 'team+stage')
	GROUP BY period, dimension, member, s.stage, s.position$q$);
SELECT pg_temp.same('kpi_loss_reasons: every month', $q$
	SELECT p.period, l.reason, l.deals, l.share, l.value FROM (SELECT period FROM period WHERE grain = 'month') AS p, LATERAL kpi_loss_reasons(p.period) AS l$q$, $q$
	SELECT d.period, d.member, d.value::bigint, pg_temp.ratio(100 * d.value, sum(d.value) OVER (PARTITION BY d.period)), trim_scale(coalesce(v.value, 0))
	FROM (SELECT * FROM want WHERE measure = 'lost_deals' AND dimension = 'lost_reason' AND grain = 'month') AS d
		LEFT JOIN (SELECT * FROM want WHERE measure = 'lost_value' AND dimension = 'lost_reason' AND grain = 'month') AS v USING (period, member)$q$);

SELECT pg_temp.same('recurring revenue and costs: known in these dimensions and no other', $q$
	SELECT DISTINCT f.dimension, k.key FROM kpi_fact AS f, jsonb_each(to_jsonb(f)) AS k
	WHERE f.superseded_at IS NULL AND k.value <> 'null'
		AND k.key IN (SELECT measure FROM kpi_measure WHERE source IN ('subscription', 'cost'))$q$, $q$
	SELECT d, measure FROM kpi_measure, unnest(CASE source WHEN 'cost' THEN '{total,channel,campaign}'::text[]
		ELSE '{total,rep,team,region,channel,campaign,segment,plan,cohort}' END) AS d
	WHERE source IN ('subscription', 'cost')$q$);

SELECT pg_temp.same('where a measure is known it is 0 for the blank member, at least', $q$
	SELECT DISTINCT k.key FROM kpi_fact AS f, jsonb_each(to_jsonb(f)) AS k
	WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND f.grain = 'month' AND k.key IN (SELECT measure FROM kpi_measure)
		AND k.value = 'null'$q$, $q$SELECT 'customers_of_year'	/* with subscriptions these say who is a customer */$q$);

/* ratio KPI NUMERATORS DENOMINATORS: a ratio of sums of measures, of every grain and dimension */
CREATE FUNCTION pg_temp.ratio_of(kpi text, percent boolean, numerators text[], denominators text[],
	dimensions text[] DEFAULT '{total,rep,team,region,product,channel,campaign,segment}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT pg_temp.same(kpi || ': every period and member', format($q$
		SELECT g AS grain, d AS dimension, kpi_day(s."time"), s.member, s.value
		FROM unnest('{month,quarter,year}'::text[]) AS g, unnest(%L::text[]) AS d,
			LATERAL kpi_series(%L, NULL, NULL, g, d) AS s
		WHERE s.value IS NOT NULL$q$, dimensions, kpi), format($q$
		SELECT grain, dimension, period, member,
			pg_temp.ratio(%s * coalesce(sum(value) FILTER (WHERE measure = ANY (%L)), 0), sum(value) FILTER (WHERE measure = ANY (%3$L)))
		FROM want
		WHERE (measure = ANY (%2$L) OR measure = ANY (%3$L)) AND dimension = ANY (%4$L)
		GROUP BY 1, 2, 3, 4
		HAVING sum(value) FILTER (WHERE measure = ANY (%3$L)) <> 0$q$,
		CASE WHEN percent THEN 100 ELSE 1 END, numerators, denominators, dimensions))
$$;
SELECT pg_temp.ratio_of('average_purchase_value', false, '{revenue}', '{purchases}');
SELECT pg_temp.ratio_of('revenue_per_buying_customer', false, '{revenue}', '{buying_customers}');
SELECT pg_temp.ratio_of('cost_coverage', true, '{revenue_with_cost}', '{revenue}');
SELECT pg_temp.ratio_of('win_rate', true, '{won_deals}', '{won_deals,lost_deals}');
SELECT pg_temp.ratio_of('win_rate_by_value', true, '{won_value}', '{won_value,lost_value}');
SELECT pg_temp.ratio_of('average_won_value', false, '{won_value}', '{won_deals}');
SELECT pg_temp.ratio_of('lead_conversion_rate', true, '{leads_converted}', '{leads}');
SELECT pg_temp.ratio_of('lead_qualification_rate', true, '{leads_qualified}', '{leads}');
SELECT pg_temp.ratio_of('lead_conversion_rate_in_period', true, '{conversions}', '{leads}');
SELECT pg_temp.ratio_of('quote_to_close_ratio', true, '{won_deals}', '{quotes_sent}');
SELECT pg_temp.ratio_of('quote_to_close_ratio_cohort', true, '{deals_quoted_won}', '{deals_quoted}');
SELECT pg_temp.ratio_of('show_rate', true, '{demos,onboardings}', '{demos,onboardings,no_shows}');
SELECT pg_temp.ratio_of('average_opportunity_value', false, '{opportunities_value}', '{opportunities}');
SELECT pg_temp.ratio_of('lifetime_spend_per_customer', false, '{revenue_to_date}', '{customers_to_date}');
SELECT pg_temp.ratio_of('revenue_per_account_all', false, '{mrr}', '{accounts}', '{total,region,channel,campaign,segment}');
SELECT pg_temp.ratio_of('reply_rate', true, '{contacts_replied}', '{contacts_messaged}');
SELECT pg_temp.ratio_of('customer_acquisition_cost', false, '{sales_and_marketing_cost}', '{new_customers}', '{total,channel,campaign}');
SELECT pg_temp.ratio_of('cost_per_lead', false, '{campaign_cost}', '{leads}', '{total,channel,campaign}');
SELECT pg_temp.ratio_of(k, percent, numerators, denominators, '{total,rep,team,region,channel,campaign,segment,plan,cohort}')
FROM (VALUES
	('revenue_per_account', false, '{mrr}'::text[], '{customers}'::text[]),
	('customer_retention_rate', true, '{customers_kept}', '{customers_opening}'),
	('customer_churn_rate', true, '{customers_churned}', '{customers_opening}'),
	('net_revenue_retention', true, '{* kept of the opening}', '{mrr_opening}'),
	('gross_revenue_retention', true, '{mrr_retained}', '{mrr_opening}'),
	('revenue_churn_rate', true, '{* lost}', '{mrr_opening}'),
	('net_revenue_churn_rate', true, '{* lost in all}', '{mrr_opening}'),
	('quick_ratio', false, '{* gained}', '{* lost}')) AS v(k, percent, numerators, denominators);

/* One measure of want, as a table. */
CREATE FUNCTION pg_temp.wanted(measure text) RETURNS TABLE (grain text, period date, dimension text, member text, value numeric) LANGUAGE sql AS
	$$SELECT w.grain, w.period, w.dimension, w.member, w.value FROM want AS w WHERE w.measure = wanted.measure$$;
CREATE FUNCTION pg_temp.series(kpi text, dimensions text[]) RETURNS TABLE (grain text, period date, dimension text, member text, value numeric, target numeric) LANGUAGE sql AS $$
	SELECT g, kpi_day(s."time"), d, s.member, s.value, s.target
	FROM unnest('{month,quarter,year}'::text[]) AS g, unnest(dimensions) AS d, LATERAL kpi_series(kpi, NULL, NULL, g, d) AS s
$$;

SELECT pg_temp.same('profit_margin: revenue and cost of the lines whose cost is known', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('profit_margin', '{total,rep,team,region,product,channel,segment,cohort}') WHERE value IS NOT NULL$q$, $q$
	SELECT r.grain, r.period, r.dimension, r.member, pg_temp.ratio(100 * (r.value - coalesce(c.value, 0)), r.value)
	FROM pg_temp.wanted('revenue_with_cost') AS r LEFT JOIN pg_temp.wanted('direct_cost') AS c USING (grain, period, dimension, member)
	WHERE r.value > 0 AND r.dimension <> 'campaign'$q$);

/*
 * Lifetime values: sums over the last six and twelve complete months, where
 * there are as many; none where nobody left.
 */
CREATE TEMP TABLE monthly AS
SELECT t.grain, t.period, w.dimension, w.member, w.measure,
	CASE WHEN l.last_month - interval '5 months' >= f.first_month THEN coalesce(sum(w.value) FILTER (WHERE w.period > l.last_month - interval '6 months'), 0) END AS six,
	CASE WHEN l.last_month - interval '11 months' >= f.first_month THEN sum(w.value) END AS twelve
FROM (SELECT min(period) AS first_month FROM period WHERE grain = 'month') AS f, period AS t
	CROSS JOIN LATERAL (SELECT (date_trunc('month', least(t.period_end, pg_temp.day(:'as_of'))::timestamp) - interval '1 month')::date AS last_month) AS l
	JOIN want AS w ON w.grain = 'month' AND w.period <= l.last_month AND w.period > l.last_month - interval '12 months'
WHERE w.measure IN ('customers_opening', 'customers_churned', 'revenue_with_cost', 'direct_cost', 'sales_and_marketing_cost', 'new_customers')
	AND w.dimension IN ('total', 'rep', 'team', 'region', 'channel', 'campaign', 'segment')
GROUP BY t.grain, t.period, w.dimension, w.member, w.measure, l.last_month, f.first_month;
CREATE FUNCTION pg_temp.sums(measure text) RETURNS TABLE (grain text, period date, dimension text, member text, six numeric, twelve numeric) LANGUAGE sql AS
	$$SELECT m.grain, m.period, m.dimension, m.member, m.six, m.twelve FROM monthly AS m WHERE m.measure = sums.measure$$;
CREATE TEMP TABLE lifetime AS
SELECT grain, period, dimension, member, 12 * m.value AS mrr_of_year, c.value AS customers, r.twelve AS revenue, coalesce(d.twelve, 0) AS cost, o.six AS opening, l.six AS lost,
	s.twelve AS spent, n.twelve AS won
FROM pg_temp.wanted('mrr') AS m JOIN pg_temp.wanted('customers') AS c USING (grain, period, dimension, member)
	LEFT JOIN pg_temp.sums('revenue_with_cost') AS r USING (grain, period, dimension, member)
	LEFT JOIN pg_temp.sums('direct_cost') AS d USING (grain, period, dimension, member)
	LEFT JOIN pg_temp.sums('customers_opening') AS o USING (grain, period, dimension, member)
	LEFT JOIN pg_temp.sums('customers_churned') AS l USING (grain, period, dimension, member)
	LEFT JOIN pg_temp.sums('sales_and_marketing_cost') AS s USING (grain, period, dimension, member)
	LEFT JOIN pg_temp.sums('new_customers') AS n USING (grain, period, dimension, member);
SELECT pg_temp.same('lifetime_value: yearly revenue, margin and years', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('lifetime_value', '{total,rep,team,region,channel,campaign,segment}') WHERE value IS NOT NULL$q$, $q$
	SELECT grain, period, dimension, member, pg_temp.ratio(mrr_of_year * (revenue - cost) * opening, customers * revenue * 12 * lost)
	FROM lifetime WHERE revenue > 0 AND lost > 0$q$);
SELECT pg_temp.same('customer_lifetime_value: less the cost of winning one', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('customer_lifetime_value', '{total,channel,campaign}') WHERE value IS NOT NULL$q$, $q$
	SELECT grain, period, dimension, member,
		pg_temp.ratio(mrr_of_year * (revenue - cost) * opening * won - coalesce(spent, 0) * customers * revenue * 12 * lost, customers * revenue * 12 * lost * won)
	FROM lifetime WHERE revenue > 0 AND lost > 0 AND won > 0 AND dimension IN ('total', 'channel', 'campaign')$q$);
SELECT pg_temp.same('ltv_to_cac: by the cost of winning one in the period', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('ltv_to_cac', '{total,channel,campaign}') WHERE value IS NOT NULL$q$, $q$
	SELECT grain, period, dimension, member, pg_temp.ratio(mrr_of_year * (revenue - cost) * opening * n.value, customers * revenue * 12 * lost * s.value)
	FROM lifetime JOIN pg_temp.wanted('new_customers') AS n USING (grain, period, dimension, member)
		JOIN pg_temp.wanted('sales_and_marketing_cost') AS s USING (grain, period, dimension, member)
	WHERE revenue > 0 AND lost > 0 AND s.value > 0$q$);
SELECT pg_temp.same('cac_payback_months: the cost of winning one by the margin of what a new one pays a month', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('cac_payback_months', '{total,channel,campaign}') WHERE value IS NOT NULL$q$, $q$
	SELECT grain, period, dimension, member, pg_temp.ratio(coalesce(s.value, 0) * w.value * revenue, n.value * m.value * (revenue - cost))
	FROM lifetime JOIN pg_temp.wanted('new_customers') AS n USING (grain, period, dimension, member)
		LEFT JOIN pg_temp.wanted('sales_and_marketing_cost') AS s USING (grain, period, dimension, member)
		JOIN pg_temp.wanted('mrr_new') AS m USING (grain, period, dimension, member) JOIN pg_temp.wanted('customers_won') AS w USING (grain, period, dimension, member)
	WHERE revenue > 0 AND revenue <> cost AND dimension IN ('total', 'channel', 'campaign')$q$);
SELECT pg_temp.same('committed_mrr: less what is cancelled', $q$
	SELECT grain, period, dimension, member, trim_scale(value) FROM pg_temp.series('committed_mrr', '{total,team,plan}') WHERE value <> 0$q$, $q$
	SELECT grain, period, dimension, member, trim_scale(m.value - coalesce(c.value, 0))
	FROM pg_temp.wanted('mrr') AS m LEFT JOIN pg_temp.wanted('mrr_cancelling') AS c USING (grain, period, dimension, member)
	WHERE dimension IN ('total', 'team', 'plan') AND m.value <> coalesce(c.value, 0)$q$);
SELECT pg_temp.same('repeat_purchase_rate: buyers who had bought before', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('repeat_purchase_rate', '{total,rep,segment,product}') WHERE value IS NOT NULL$q$, $q$
	SELECT grain, period, dimension, member, pg_temp.ratio(100 * (b.value - coalesce(f.value, 0)), b.value)
	FROM pg_temp.wanted('buying_customers') AS b LEFT JOIN pg_temp.wanted('first_buyers') AS f USING (grain, period, dimension, member)
	WHERE dimension IN ('total', 'rep', 'segment', 'product')$q$);
SELECT pg_temp.same('sales_velocity: what is open, what a deal brings, how many are won, how long it takes', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('sales_velocity', '{total,rep,region,product}') WHERE value IS NOT NULL$q$, $q$
	SELECT grain, period, dimension, member, pg_temp.ratio(coalesce(o.value, 0) * v.value * c.n * 86400000000, (w.value + coalesce(l.value, 0)) * c.took)
	FROM pg_temp.wanted('won_deals') AS w JOIN pg_temp.wanted('won_value') AS v USING (grain, period, dimension, member)
		LEFT JOIN pg_temp.wanted('lost_deals') AS l USING (grain, period, dimension, member)
		LEFT JOIN pg_temp.wanted('open_at_start') AS o USING (grain, period, dimension, member)
		JOIN (SELECT grain, period, dimension, member, count(*) AS n, sum(took) AS took FROM cycle GROUP BY 1, 2, 3, 4) AS c USING (grain, period, dimension, member)
	WHERE dimension IN ('total', 'rep', 'region', 'product') AND c.took > 0$q$);

SELECT pg_temp.same('return_on_sales: after all costs', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('return_on_sales', '{total,channel}') WHERE value IS NOT NULL$q$, $q$
	SELECT r.grain, r.period, r.dimension, r.member, pg_temp.ratio(100 * (r.value - coalesce(c.value, 0) - coalesce(t.value, 0)), r.value)
	FROM pg_temp.wanted('revenue') AS r LEFT JOIN pg_temp.wanted('direct_cost') AS c USING (grain, period, dimension, member)
		LEFT JOIN pg_temp.wanted('total_cost') AS t USING (grain, period, dimension, member)
	WHERE r.value > 0 AND r.dimension IN ('total', 'channel')$q$);
SELECT pg_temp.same(k || ': every period and member', format($q$
	SELECT grain, period, dimension, member, trim_scale(value) FROM pg_temp.series(%L, '{total,rep,team,region,channel,campaign,segment,plan,cohort}') WHERE value > 0$q$, k), format($q$
	SELECT grain, period, dimension, member, trim_scale(%s * value) FROM pg_temp.wanted('mrr')$q$, times))
FROM (VALUES ('mrr', 1), ('arr', 12)) AS v(k, times);
SELECT pg_temp.same('kpi_mrr_movements: every month, of all and by plan', $q$
	SELECT d, kpi_day("time"), member, trim_scale(opening), trim_scale(new), trim_scale(reactivation), trim_scale(expansion), trim_scale(contraction), trim_scale(churned),
		trim_scale(closing), customers_opening, customers_new, customers_reactivated, customers_churned, customers_closing
	FROM unnest('{total,plan}'::text[]) AS d, LATERAL kpi_mrr_movements(NULL, NULL, 'month', d)
	WHERE opening <> 0 OR closing <> 0$q$, $q$
	SELECT dimension, period, member, trim_scale(sum(opening)), trim_scale(sum(CASE WHEN NOT was_one THEN closing ELSE 0 END)),
		trim_scale(sum(CASE WHEN was_one AND opening = 0 THEN closing ELSE 0 END)),
		trim_scale(sum(CASE WHEN opening > 0 THEN greatest(closing - opening, 0) ELSE 0 END)),
		trim_scale(sum(CASE WHEN closing > 0 THEN greatest(opening - closing, 0) ELSE 0 END)), trim_scale(sum(CASE WHEN closing = 0 THEN opening ELSE 0 END)),
		trim_scale(sum(closing)), count(*) FILTER (WHERE opening > 0), count(*) FILTER (WHERE closing > 0 AND NOT was_one),
		count(*) FILTER (WHERE closing > 0 AND was_one AND opening = 0), count(*) FILTER (WHERE opening > 0 AND closing = 0), count(*) FILTER (WHERE closing > 0)
	FROM account
	WHERE grain = 'month' AND dimension IN ('total', 'plan')
	GROUP BY 1, 2, 3
	HAVING sum(opening) <> 0 OR sum(closing) <> 0$q$);

/* What became of the customers who came in each period. */
SELECT pg_temp.same('kpi_cohorts: every period, by ' || g, format($q$
	SELECT cohort, age, period, customers, retained, buyers, trim_scale(revenue), retention, buying, revenue_retention FROM kpi_cohorts(grain => %L)$q$, g), format($q$
	SELECT cohort, (row_number() OVER own)::integer - 1, period, first_value(n) OVER own, retained, buyers, trim_scale(mrr),
		pg_temp.ratio(100 * retained, first_value(n) OVER own), pg_temp.ratio(100 * buyers, first_value(n) OVER own), pg_temp.ratio(100 * mrr, first_value(mrr) OVER own)
	FROM (SELECT date_trunc(%1$L, c.month::timestamp)::date AS cohort, a.period, count(*) AS n, count(*) FILTER (WHERE a.closing > 0) AS retained, sum(a.closing) AS mrr,
			count(*) FILTER (WHERE EXISTS (SELECT FROM event AS e WHERE e.measure = 'buying_customers' AND e.key = a.customer_no::text
				AND date_trunc(%1$L, e.day::timestamp)::date = a.period)) AS buyers
		FROM account AS a JOIN came AS c USING (customer_no)
		WHERE a.grain = %1$L AND a.dimension = 'total'
		GROUP BY 1, 2) AS x
	WINDOW own AS (PARTITION BY cohort ORDER BY period)$q$, g))
FROM unnest('{month,quarter,year}'::text[]) AS g;

/* Who bought in the last complete quarter, and after what. */
SELECT max(period) AS quarter, (max(period) + interval '3 months')::date AS quarter_end FROM period WHERE grain = 'quarter' AND pg_temp.midnight(period_end) <= :'as_of' \gset
CREATE TEMP TABLE bought AS
SELECT o.customer_no, o.ordered_at, pg_temp.euro(l.net_amount, o.currency, pg_temp.day(o.ordered_at)) AS revenue
FROM crm.order_line AS l JOIN crm.sales_order AS o USING (order_no)
WHERE l.net_amount <> 'NaN' AND pg_temp.day(o.ordered_at) >= :'quarter' AND pg_temp.day(o.ordered_at) < :'quarter_end' AND o.currency <> 'SEK';
SELECT pg_temp.same('kpi_top_customers: all of a quarter', format($q$
	SELECT rank, account, label, trim_scale(revenue), share FROM kpi_top_customers(NULL, %L, 'quarter')$q$, :'quarter'), $q$
	SELECT rank() OVER (ORDER BY sum(b.revenue) DESC), b.customer_no::text, c.company, trim_scale(sum(b.revenue)), pg_temp.ratio(100 * sum(b.revenue), sum(sum(b.revenue)) OVER ())
	FROM bought AS b JOIN crm.customer AS c USING (customer_no)
	GROUP BY b.customer_no, c.company
	HAVING sum(b.revenue) <> 0$q$);
CREATE TEMP TABLE done AS
SELECT coalesce(t.customer_no, d.customer_no) AS customer_no, t.happened_at,
	CASE t.kind WHEN 'Anruf' THEN 'call' WHEN 'E-Mail' THEN 'email' WHEN 'Termin' THEN 'meeting' WHEN 'LinkedIn' THEN 'linkedin' WHEN 'Demo' THEN 'demo'
		WHEN 'Onboarding' THEN 'onboarding' WHEN 'Testphase' THEN 'trial' WHEN 'Sonstiges' THEN 'other' END AS kind
FROM crm.touchpoint AS t LEFT JOIN crm.deal AS d USING (deal_no)
WHERE (t.state IS NULL OR t.state = 'erledigt') AND t.kind NOT IN ('Fax', 'tel.');
CREATE INDEX ON done (customer_no, happened_at);
ANALYZE done;
SELECT pg_temp.same('kpi_revenue_by_activity: of a quarter', format($q$
	SELECT kind, revenue, share FROM kpi_revenue_by_activity(%L, %L)$q$, :'quarter', :'quarter_end'), $q$
	SELECT k.kind, trim_scale(sum(k.revenue)), pg_temp.ratio(100 * sum(k.revenue), sum(sum(k.revenue)) OVER ())
	FROM (SELECT b.revenue, coalesce((SELECT d.kind FROM done AS d WHERE d.customer_no = b.customer_no AND d.happened_at < b.ordered_at
			ORDER BY d.happened_at DESC, d.kind COLLATE "C" DESC LIMIT 1), '(none)') AS kind
		FROM bought AS b) AS k
	GROUP BY k.kind$q$);

/* The running period counts the days that have begun. */
SELECT pg_temp.same(k || ': reps by the days they were there', format($q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series(%L, '{total,rep,team}') WHERE value IS NOT NULL$q$, k), format($q$
	SELECT r.grain, r.period, r.dimension, r.member, pg_temp.ratio(coalesce(n.value, 0) * (least(p.period_end, pg_temp.day(%2$L) + 1) - p.period), r.value)
	FROM pg_temp.wanted('rep_days') AS r
		JOIN period AS p USING (grain, period)
		LEFT JOIN (SELECT grain, period, dimension, member, sum(value) AS value FROM want WHERE measure = ANY (%1$L) GROUP BY 1, 2, 3, 4) AS n
			USING (grain, period, dimension, member)$q$, measures, :'as_of'))
FROM (VALUES ('revenue_per_rep', '{revenue}'::text[]), ('calls_and_emails_per_rep', '{calls,emails}')) AS v(k, measures);
SELECT pg_temp.same('calls and e-mails are listed for a rep who made none', $q$
	SELECT s.member FROM kpi_ranking('calls_and_emails_per_rep', pg_temp.day(date_trunc('month', (SELECT max(as_of) FROM kpi_run)) - interval '10 days'), 'rep') AS s
	WHERE s.value IS NOT NULL$q$, $q$
	SELECT member FROM pg_temp.wanted('rep_days')
	WHERE grain = 'month' AND dimension = 'rep'
		AND period = date_trunc('month', pg_temp.day(date_trunc('month', (SELECT max(as_of) FROM kpi_run)) - interval '10 days')::timestamp)::date$q$);

SELECT pg_temp.same('demo_and_onboarding_calls: every period and member', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('demo_and_onboarding_calls', '{total,rep,team,region,product,channel,campaign,segment}') WHERE value > 0$q$, $q$
	SELECT grain, period, dimension, member, sum(value) FROM want WHERE measure IN ('demos', 'onboardings') GROUP BY 1, 2, 3, 4$q$);

SELECT pg_temp.same('sales_cycle_length: every period and member', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('sales_cycle_length', '{total,rep,team,region,product,channel,campaign,segment,lost_reason}') WHERE value IS NOT NULL$q$,
	$q$SELECT grain, period, dimension, member, pg_temp.ratio(sum(took), count(*) * 86400000000) FROM cycle GROUP BY 1, 2, 3, 4$q$);
/* percentile_cont without floating point: a straight line between the two durations around the place */
SELECT pg_temp.same(k || ': every period and member', format($q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series(%L, '{total,rep,team,region,product,channel,campaign,segment,lost_reason}') WHERE value IS NOT NULL$q$, k), format($q$
	SELECT grain, period, dimension, member,
		pg_temp.ratio(took[1 + floor(place)::integer] + (place - floor(place)) * (took[1 + ceil(place)::integer] - took[1 + floor(place)::integer]), 86400000000)
	FROM (SELECT grain, period, dimension, member, array_agg(took ORDER BY took) AS took, %s * (count(*) - 1) AS place FROM cycle GROUP BY 1, 2, 3, 4) AS c$q$, p))
FROM (VALUES ('sales_cycle_median', 0.5), ('sales_cycle_p90', 0.9)) AS v(k, p);

SELECT pg_temp.same('lead_response_time: every period and member', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('lead_response_time', '{total,rep,team,region,channel,campaign,segment}') WHERE value IS NOT NULL$q$, $q$
	SELECT grain, period, dimension, member, pg_temp.ratio((took[(n + 1) / 2] + took[n / 2 + 1]) / 2.0, 86400000000)
	FROM (SELECT grain, period, dimension, member, array_agg(took ORDER BY took) AS took, count(*)::integer AS n FROM response GROUP BY 1, 2, 3, 4) AS r$q$);

/* Growth: a month that nobody sold in counts as 0; the running period is compared with as many whole days of the one before. */
CREATE TEMP TABLE step AS
SELECT * FROM (VALUES ('month', interval '1 month'), ('quarter', '3 months'), ('year', '1 year')) AS v(grain, step);
SELECT pg_temp.same(k || ': complete periods', format($q$
	SELECT grain, period, dimension, member, s.value
	FROM pg_temp.series(%L, '{total,rep,team,region,product,channel,segment,cohort}') AS s JOIN period AS p USING (grain, period)
	WHERE s.value IS NOT NULL AND pg_temp.midnight(p.period_end) <= %L$q$, k, :'as_of'), format($q$
	SELECT b.grain, p.period, b.dimension, b.member, pg_temp.ratio(100 * (coalesce(r.value, 0) - b.value), b.value)
	FROM pg_temp.wanted('revenue') AS b
		JOIN step AS s ON s.grain = b.grain
		JOIN period AS p ON p.grain = b.grain AND p.period = (b.period + %s)::date
		LEFT JOIN pg_temp.wanted('revenue') AS r ON r.grain = b.grain AND r.dimension = b.dimension AND r.member = b.member AND r.period = p.period
	WHERE b.value > 0 AND b.dimension <> 'campaign' AND pg_temp.midnight(p.period_end) <= %L$q$, back, :'as_of'))
FROM (VALUES ('revenue_growth', 's.step'), ('revenue_growth_year', $i$interval '1 year'$i$)) AS v(k, back);
SELECT pg_temp.same('revenue_growth: the running periods', format($q$
	SELECT grain, s.period, dimension, member, s.value
	FROM pg_temp.series('revenue_growth', '{total,rep,team,region,product,channel,segment,cohort}') AS s JOIN period AS p USING (grain, period)
	WHERE s.value IS NOT NULL AND pg_temp.midnight(p.period_end) > %L$q$, :'as_of'), format($q$
	SELECT p.grain, p.period, b.dimension, b.member, pg_temp.ratio(100 * (coalesce(r.value, 0) - b.value), b.value)
	FROM period AS p
		JOIN step AS s ON s.grain = p.grain
		CROSS JOIN LATERAL (
			SELECT e.dimension, e.member, sum(e.value) AS value FROM event_member AS e
			WHERE e.measure = 'revenue' AND e.dimension <> 'campaign' AND e.day >= (p.period - s.step)::date
				AND e.day < least((p.period - s.step)::date + (pg_temp.day(%1$L) - p.period), p.period)
			GROUP BY 1, 2) AS b
		LEFT JOIN pg_temp.wanted('revenue') AS r ON r.grain = p.grain AND r.dimension = b.dimension AND r.member = b.member AND r.period = p.period
	WHERE pg_temp.midnight(p.period_end) > %1$L AND b.value > 0$q$, :'as_of'));

/* Targets as planned; those of a quarter and a year are the sums of their months, when all have one. */
CREATE TEMP TABLE plan AS
SELECT g AS grain, date_trunc(g, month::timestamp)::date AS period,
	CASE level WHEN 'Person' THEN 'rep' WHEN 'Team' THEN 'team' ELSE 'total' END AS dimension, member,
	sum(amount) AS target, sum(round(0.9 * amount, 2)) AS near
FROM crm.sales_plan, (VALUES ('month', 1), ('quarter', 3), ('year', 12)) AS v(g, months)
GROUP BY 1, 2, 3, 4, months
HAVING count(*) = months;
SELECT pg_temp.same('target_attainment: company, teams and reps', $q$
	SELECT grain, period, dimension, member, value FROM pg_temp.series('target_attainment', '{total,team,rep}') WHERE value IS NOT NULL$q$, $q$
	SELECT grain, period, dimension, member, pg_temp.ratio(100 * coalesce(r.value, 0), t.target)
	FROM plan AS t JOIN period AS p USING (grain, period) LEFT JOIN pg_temp.wanted('revenue') AS r USING (grain, period, dimension, member)
	WHERE EXISTS (SELECT FROM kpi_fact AS f WHERE f.grain = t.grain AND f.dimension = t.dimension AND f.member = t.member)$q$);
SELECT pg_temp.same('targets of revenue: company, teams and reps', $q$
	SELECT grain, period, dimension, member, trim_scale(target) FROM pg_temp.series('revenue', '{total,team,rep}') WHERE target IS NOT NULL$q$, $q$
	SELECT grain, period, dimension, member, trim_scale(target)
	FROM plan AS t JOIN period AS p USING (grain, period)
	WHERE EXISTS (SELECT FROM kpi_fact AS f WHERE f.grain = t.grain AND f.dimension = t.dimension AND f.member = t.member)$q$);

/* Rankings of two months, a quarter and a year. */
SELECT pg_temp.same(format('kpi_ranking of revenue by %s, %s of %s', d, g, period), format($q$
	SELECT rank, member, label, trim_scale(value), share, trim_scale(target), attainment, status, change FROM kpi_ranking('revenue', %L, %L, %L)$q$, period, d, g), format($q$
	WITH r AS
	(
		SELECT m.member, coalesce(n.value, 0) AS value, b.value AS prior, t.target, t.near
		FROM (SELECT DISTINCT member FROM want WHERE grain = %1$L AND period = %2$L AND dimension = %3$L) AS m
			LEFT JOIN pg_temp.wanted('revenue') AS n ON n.grain = %1$L AND n.period = %2$L AND n.dimension = %3$L AND n.member = m.member
			LEFT JOIN pg_temp.wanted('revenue') AS b ON b.grain = %1$L AND b.period = %4$L AND b.dimension = %3$L AND b.member = m.member
			LEFT JOIN plan AS t ON t.grain = %1$L AND t.period = %2$L AND t.dimension = %3$L AND t.member = m.member
	)
	SELECT rank() OVER (ORDER BY r.value DESC), r.member, coalesce(s.full_name, CASE r.member WHEN '(none)' THEN '(ohne)' ELSE r.member END),
		trim_scale(r.value), pg_temp.ratio(100 * r.value, sum(r.value) OVER ()),
		trim_scale(r.target), pg_temp.ratio(100 * r.value, r.target),
		CASE WHEN r.target IS NULL THEN 'none' WHEN r.value >= r.target THEN 'met' WHEN r.value >= r.near THEN 'near' ELSE 'missed' END,
		pg_temp.ratio(100 * (r.value - r.prior), abs(r.prior))
	FROM r LEFT JOIN crm.sales_rep AS s ON s.rep_no::text = r.member AND %3$L = 'rep'
	WHERE r.member <> '(none)' OR r.value <> 0$q$, g, period, d, (period - step)::date))
FROM (SELECT grain AS g, period, step, row_number() OVER (PARTITION BY grain ORDER BY period DESC) AS n
	FROM period JOIN step USING (grain) WHERE pg_temp.midnight(period_end) <= :'as_of') AS t,
	unnest('{rep,team,region,segment}'::text[]) AS d
WHERE n = 1 OR g = 'month' AND n = 6
ORDER BY g, period, d;

/* The pipeline of now is in the deals themselves, which the snapshot's log knows nothing of. */
SELECT pg_temp.same('kpi_pipeline(): what is open now, from the deals', $q$
	SELECT stage, stage_position, opportunities, trim_scale(value), trim_scale(weighted) FROM kpi_pipeline()$q$, $q$
	SELECT s.stage, s.position::bigint, count(*), trim_scale(sum(e.amount)),
		trim_scale(sum(CASE WHEN coalesce(d.percent, s.percent) BETWEEN 0 AND 100 THEN e.amount * coalesce(d.percent, s.percent) / 100 END))
	FROM crm.deal AS d JOIN crm.deal_stage AS s USING (stage)
		CROSS JOIN LATERAL (SELECT pg_temp.euro(coalesce(d.amount, 0), d.currency, pg_temp.day(now()))) AS e(amount)
	WHERE d.state = 'offen'
	GROUP BY 1, 2$q$);
SELECT pg_temp.same('kpi_pipeline() of a team', $q$
	SELECT stage, opportunities, trim_scale(value), trim_scale(weighted) FROM kpi_pipeline(NULL, 'team', 'Key Account')$q$, $q$
	SELECT s.stage, count(*), trim_scale(sum(e.amount)),
		trim_scale(sum(CASE WHEN coalesce(d.percent, s.percent) BETWEEN 0 AND 100 THEN e.amount * coalesce(d.percent, s.percent) / 100 END))
	FROM crm.deal AS d JOIN crm.deal_stage AS s USING (stage)
		CROSS JOIN LATERAL (SELECT pg_temp.euro(coalesce(d.amount, 0), d.currency, pg_temp.day(now()))) AS e(amount)
	WHERE d.state = 'offen' AND pg_temp.team(d.rep_no, pg_temp.day(now())) = 'Key Account'
	GROUP BY 1$q$);
SELECT pg_temp.same('kpi_top_opportunities(20)', $q$
	SELECT rank, id, name, account, rep, stage, trim_scale(amount), trim_scale(probability), expected_close FROM kpi_top_opportunities(20)$q$, $q$
	SELECT rank() OVER (ORDER BY e.amount DESC NULLS LAST), d.deal_no::text, d.title, c.company, r.full_name, d.stage, trim_scale(e.amount),
		trim_scale(CASE WHEN coalesce(d.percent, s.percent) BETWEEN 0 AND 100 THEN coalesce(d.percent, s.percent) / 100 END), d.due_on
	FROM crm.deal AS d JOIN crm.customer AS c USING (customer_no) JOIN crm.sales_rep AS r USING (rep_no) JOIN crm.deal_stage AS s USING (stage)
		CROSS JOIN LATERAL (SELECT pg_temp.euro(d.amount, d.currency, pg_temp.day(now()))) AS e(amount)
	WHERE d.state = 'offen'
	ORDER BY e.amount DESC NULLS LAST, d.deal_no::text COLLATE "C"
	LIMIT 20$q$);

/* Bad rows, each found anew. */
SELECT pg_temp.same('kpi_problem: what is wrong in the CRM', $q$
	SELECT source, reason, bad_rows FROM kpi_problem$q$, format($q$
	SELECT * FROM (
		SELECT 'sale', 'no exchange rate', count(*) FROM crm.order_line JOIN crm.sales_order USING (order_no) WHERE currency = 'SEK'
		UNION ALL SELECT 'sale', 'amount is not a finite number', count(*) FROM crm.order_line WHERE net_amount = 'NaN'
		UNION ALL SELECT 'opportunity', 'unknown status', count(*) FROM crm.deal WHERE state = 'ruht'
		UNION ALL SELECT 'opportunity', 'closed before it was created', count(*) FROM crm.deal WHERE closed_at < created_at
		UNION ALL SELECT 'opportunity', 'open without created_at', count(*) FROM crm.deal WHERE state = 'offen' AND created_at IS NULL
		UNION ALL SELECT 'opportunity', 'probability outside 0..1', count(*) FROM crm.deal WHERE percent NOT BETWEEN 0 AND 100
		UNION ALL SELECT 'opportunity_history', 'ends before it starts', count(*) FROM crm.deal_stage_log WHERE until < since
		UNION ALL SELECT 'opportunity_history', 'probability outside 0..1', count(*) FROM crm.deal_stage_log WHERE percent NOT BETWEEN 0 AND 100
		UNION ALL SELECT 'lead', 'qualified before it was created', count(*) FROM crm.lead WHERE became_deal_at < created_at
		UNION ALL SELECT 'quote', 'decided before it was sent', count(*) FROM crm.offer WHERE decided_at < sent_at
		UNION ALL SELECT 'activity', 'unknown kind', count(*) FROM crm.touchpoint WHERE kind IN ('Fax', 'tel.')) AS p(source, reason, n)
	WHERE n > 0$q$));

/* A second look finds nothing new, even as the clock moves on. */
CREATE TEMP TABLE before AS
SELECT count(*) AS facts, min(recorded_at) AS first, max(recorded_at) AS last FROM kpi_fact;
CREATE TEMP TABLE again AS
SELECT * FROM kpi_snapshot(as_of => :'as_of'::timestamptz + interval '1 microsecond');
SELECT pg_temp.same('the snapshot again changes nothing', 'SELECT outcome, changed FROM again', $q$SELECT 'done', 0::bigint$q$);
SELECT pg_temp.same('and writes nothing', 'SELECT count(*), min(recorded_at), max(recorded_at) FROM kpi_fact', 'SELECT * FROM before');
