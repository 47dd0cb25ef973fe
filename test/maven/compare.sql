/*
 * The files under expected/ and the published figures, against the snapshot.
 *
 * Nothing was closed before 2017, so that a member's whole history is its year
 * 2017: once as a reader has it, once from the facts of the months.  Decimals
 * of the files are six, and have to be the same to the last.
 */
SET jit = off;	/* the joins of functions look dearer than they are */

/* A CSV's number, and a KPI's, in the same writing. */
CREATE FUNCTION pg_temp.six(value numeric) RETURNS numeric LANGUAGE sql AS
	$$SELECT trim_scale(round(value, 6))$$;

/* One KPI of the year 2017, by member. */
CREATE FUNCTION pg_temp.year_of(kpi text, dimension text) RETURNS TABLE (member text, value numeric) LANGUAGE sql AS
	$$SELECT s.member, s.value FROM kpi_series(kpi, '2017-01-01', '2018-01-01', 'year', dimension) s$$;

/* An own KPI that looks back over all the fifteen months is a ratio of sums too. */
\o /dev/null
SELECT kpi_define('win_rate_so_far', '100 * sum_last(won_deals, 15) / (sum_last(won_deals, 15) + sum_last(lost_deals, 15))', 'percent', 'up', 'Win rate so far');
SELECT kpi_define('average_won_so_far', 'sum_last(won_value, 15) / sum_last(won_deals, 15)', 'money', 'up', 'Average deal so far');
SELECT kpi_define('velocity', 'open_opportunities * average_won_value * win_rate / 100 / sales_cycle_length', 'money', 'up', 'Sales velocity');
SELECT kpi_define('won_of_all', '100 * won_deals / (won_deals + lost_deals + open_opportunities)', 'percent', 'up', 'Won of all');
\o

/* by_member DIMENSION FILE COLUMN: as won, lost, open, revenue, rate, average, cycle; members that nothing happened to aside */
CREATE FUNCTION pg_temp.by_member(dimension text, file text, member_column text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	want text := format($q$SELECT coalesce(%2$I, '(none)'), won::bigint, lost::bigint, open::bigint, revenue::numeric,
		pg_temp.six(win_rate_pct::numeric), pg_temp.six(avg_purchase_value::numeric), pg_temp.six(avg_cycle_days_won::numeric)
		FROM expected.%1$I$q$, file, member_column);
BEGIN
	RETURN QUERY SELECT pg_temp.same(file || ': kpi_series of the year', format($q$
		SELECT member, w.value::bigint, l.value::bigint, o.value::bigint, r.value, pg_temp.six(rate.value), pg_temp.six(average.value), pg_temp.six(cycle.value)
		FROM pg_temp.year_of('won_deals', %1$L) AS w
			JOIN pg_temp.year_of('lost_deals', %1$L) AS l USING (member)
			JOIN pg_temp.year_of('open_opportunities', %1$L) AS o USING (member)
			JOIN pg_temp.year_of('revenue', %1$L) AS r USING (member)
			JOIN pg_temp.year_of('win_rate', %1$L) AS rate USING (member)
			JOIN pg_temp.year_of('average_purchase_value', %1$L) AS average USING (member)
			JOIN pg_temp.year_of('sales_cycle_length', %1$L) AS cycle USING (member)
		WHERE w.value + l.value + o.value > 0$q$, dimension), want);
	RETURN QUERY SELECT pg_temp.same(file || ': facts of the months', format($q$
		SELECT member, sum(won_deals)::bigint, sum(lost_deals)::bigint, coalesce(sum(open_opportunities), 0)::bigint, sum(revenue),
			pg_temp.six(100.0 * sum(won_deals) / nullif(sum(won_deals) + sum(lost_deals), 0)),
			pg_temp.six(sum(revenue) / nullif(sum(purchases), 0)), pg_temp.six(kpi_mean(kpi_rollup(sales_cycle)))
		FROM kpi_fact
		WHERE grain = 'month' AND dimension = %L AND superseded_at IS NULL
		GROUP BY member
		HAVING sum(won_deals) + sum(lost_deals) + coalesce(sum(open_opportunities), 0) > 0$q$, dimension), want);
	RETURN QUERY SELECT pg_temp.same(file || ': own KPIs over fifteen months', format($q$
		SELECT member, pg_temp.six(kpi_value('win_rate_so_far', '2017-12-31', %1$L, member)),
			pg_temp.six(kpi_value('average_won_so_far', '2017-12-31', %1$L, member))
		FROM (SELECT coalesce(%3$I, '(none)') AS member FROM expected.%2$I) AS m$q$, dimension, file, member_column), format($q$
		SELECT coalesce(%2$I, '(none)'), pg_temp.six(win_rate_pct::numeric), pg_temp.six(avg_purchase_value::numeric)
		FROM expected.%1$I$q$, file, member_column));
END;
$$;

SELECT pg_temp.by_member('product', 'by_product', 'product');
SELECT pg_temp.by_member('segment', 'by_sector', 'sector');
SELECT pg_temp.by_member('region', 'by_account_country', 'office_location');
SELECT pg_temp.by_member('account', 'by_account', 'account');
SELECT pg_temp.by_member('rep', 'by_agent', 'sales_agent');
SELECT pg_temp.by_member('team', 'by_manager', 'manager');
SELECT pg_temp.by_member('regional_office', 'by_region', 'regional_office');

SELECT pg_temp.same('by_close_month: facts', $q$
	SELECT to_char(period, 'YYYY-MM'), won_deals, lost_deals, revenue, pg_temp.six(100.0 * won_deals / (won_deals + lost_deals)),
		pg_temp.six(revenue / purchases), pg_temp.six(kpi_mean(sales_cycle))
	FROM kpi_fact WHERE grain = 'month' AND dimension = 'total' AND won_deals + lost_deals > 0 AND superseded_at IS NULL$q$, $q$
	SELECT close_month, won::bigint, lost::bigint, revenue::numeric, pg_temp.six(win_rate_pct::numeric),
		pg_temp.six(avg_purchase_value::numeric), pg_temp.six(avg_cycle_days_won::numeric)
	FROM expected.by_close_month WHERE close_month IS NOT NULL$q$);
SELECT pg_temp.same('by_close_month: what is open has no month of its own but the last one''s end', $q$
	SELECT period, value FROM (SELECT kpi_day("time") AS period, value FROM kpi_series('open_opportunities', '2016-10-01', '2018-01-01')) AS s
	WHERE value IS NOT NULL$q$, $q$
	SELECT date '2017-12-01', open::numeric FROM expected.by_close_month WHERE close_month IS NULL$q$);
SELECT pg_temp.same('monthly_revenue: kpi_series', $q$
	SELECT to_char(kpi_day(r."time"), 'YYYY-MM'), r.value, w.value, pg_temp.six(a.value), pg_temp.six(g.value)
	FROM kpi_series('revenue', '2017-03-01', '2018-01-01') AS r
		JOIN kpi_series('won_deals', NULL, NULL) AS w USING ("time")
		JOIN kpi_series('average_purchase_value', NULL, NULL) AS a USING ("time")
		JOIN kpi_series('revenue_growth', NULL, NULL) AS g USING ("time")$q$, $q$
	SELECT month, revenue::numeric, deals_won::numeric, pg_temp.six(avg_purchase_value::numeric), pg_temp.six(growth_pct::numeric)
	FROM expected.monthly_revenue$q$);
SELECT pg_temp.same('by_stage: open ones by stage, the others by outcome', $q$
	SELECT stage, opportunities::text, value FROM kpi_pipeline('2017-12-31')
	UNION ALL
	SELECT 'Won', won_deals::text, won_value FROM kpi_fact WHERE grain = 'year' AND dimension = 'total' AND period = '2017-01-01'
	UNION ALL
	SELECT 'Lost', lost_deals::text, lost_value FROM kpi_fact WHERE grain = 'year' AND dimension = 'total' AND period = '2017-01-01'$q$, $q$
	SELECT deal_stage, n, sum_close_value::numeric FROM expected.by_stage$q$);
SELECT pg_temp.same('by_stage: kpi_pipeline() reads the sources', $q$SELECT stage, opportunities::text FROM kpi_pipeline()$q$,
	$q$SELECT deal_stage, n FROM expected.by_stage WHERE deal_stage IN ('Engaging', 'Prospecting')$q$);

/* What of the summary is no KPI (prices, smallest and greatest value, columns) is left out. */
SELECT pg_temp.same('summary', $q$
	SELECT f.metric, pg_temp.six(f.value) FROM kpi_fact AS y, LATERAL (VALUES
		('won', y.won_deals::numeric), ('lost', y.lost_deals), ('open', y.open_opportunities),
		('opportunities', y.won_deals + y.lost_deals + y.open_opportunities),
		('accounts', (SELECT count(*) FROM kpi_members('account') WHERE member <> '(none)')),
		('products', (SELECT count(*) FROM kpi_members('product') WHERE member <> '(none)')),
		('agents_in_team_file', y.rep_days::numeric / y.days),
		('agents_with_deals', (SELECT count(*) FROM kpi_fact WHERE grain = 'year' AND period = '2017-01-01' AND dimension = 'rep'
			AND won_deals + lost_deals + open_opportunities > 0)),
		('engaging', (SELECT opportunities FROM kpi_pipeline('2017-12-31') WHERE stage = 'Engaging')),
		('prospecting', (SELECT opportunities FROM kpi_pipeline('2017-12-31') WHERE stage = 'Prospecting')),
		('win_rate_pct', kpi_value('win_rate', '2017-07-01', grain => 'year')),
		('won_over_all_pct', kpi_value('won_of_all', '2017-07-01', grain => 'year')),
		('revenue', y.revenue),
		('avg_purchase_value', kpi_value('average_purchase_value', '2017-07-01', grain => 'year')),
		('avg_cycle_days_won', kpi_value('sales_cycle_length', '2017-07-01', grain => 'year')),
		('median_cycle_days_won', kpi_value('sales_cycle_median', '2017-07-01', grain => 'year')),
		('sales_velocity_per_day', kpi_value('velocity', '2017-07-01', grain => 'year')),
		('null_account', (SELECT open_opportunities FROM kpi_fact WHERE grain = 'year' AND period = '2017-01-01' AND dimension = 'account' AND member = '(none)')),
		('null_account_won_or_lost', (SELECT won_deals + lost_deals FROM kpi_fact WHERE grain = 'year' AND period = '2017-01-01' AND dimension = 'account' AND member = '(none)')),
		('null_engage_date', (SELECT bad_rows FROM kpi_problem WHERE source = 'opportunity' AND reason = 'open without created_at')),
		('distinct_won_accounts', y.buying_customers)) AS f(metric, value)
	WHERE y.grain = 'year' AND y.period = '2017-01-01' AND y.dimension = 'total'$q$, $q$
	SELECT metric, pg_temp.six(value::numeric) FROM expected.summary
	WHERE metric IN ('won', 'lost', 'open', 'opportunities', 'accounts', 'products', 'agents_in_team_file', 'agents_with_deals', 'engaging',
		'prospecting', 'win_rate_pct', 'won_over_all_pct', 'revenue', 'avg_purchase_value', 'avg_cycle_days_won', 'median_cycle_days_won',
		'null_account', 'null_account_won_or_lost', 'null_engage_date', 'distinct_won_accounts')
	UNION ALL
	SELECT 'sales_velocity_per_day', pg_temp.six(value::numeric) FROM expected.summary WHERE metric LIKE 'sales\_velocity\_per\_day (%'$q$);
SELECT pg_temp.same('summary: cycles of all closed, through the aggregate on the CRM''s own table', $q$
	SELECT pg_temp.six(kpi_mean(kpi_rollup(d))), pg_temp.six(kpi_mean(kpi_rollup(d) FILTER (WHERE deal_stage = 'Lost'))),
		pg_temp.six(kpi_quantile(kpi_rollup(d), 0)), pg_temp.six(kpi_quantile(kpi_rollup(d), 1))
	FROM (SELECT deal_stage, kpi_durations((close_date - engage_date) * 86400000000) AS d FROM sales_pipeline GROUP BY deal_stage) AS s$q$, $q$
	SELECT max(value::numeric) FILTER (WHERE metric = 'avg_cycle_days_closed'), max(value::numeric) FILTER (WHERE metric = 'avg_cycle_days_lost'),
		max(value::numeric) FILTER (WHERE metric = 'min_cycle_days'), max(value::numeric) FILTER (WHERE metric = 'max_cycle_days')
	FROM expected.summary$q$);

/* customer_retention.csv waits for customer_retention_rate. */

/* Published: Maven Analytics, "CRM Sales Opportunities" (mavenanalytics.io/data-playground), as analysed there. */
SELECT pg_temp.same('published figures', $q$
	SELECT y.won_deals + y.lost_deals + y.open_opportunities, y.won_deals, y.lost_deals,
		(SELECT array_agg(opportunities ORDER BY stage) FROM kpi_pipeline('2017-12-31')), y.won_value,
		round(kpi_value('average_won_value', '2017-01-01', grain => 'year'), 2), round(kpi_value('win_rate', '2017-01-01', grain => 'year'), 2),
		round(kpi_value('sales_cycle_length', '2017-01-01', grain => 'year'), 4), kpi_value('sales_cycle_median', '2017-01-01', grain => 'year'),
		kpi_mean(y.sales_cycle) = round(219452::numeric(30, 20) / 4238, 16), kpi_count(y.sales_cycle)
	FROM kpi_fact AS y WHERE y.grain = 'year' AND y.period = '2017-01-01' AND y.dimension = 'total'$q$, $q$
	SELECT 8800, 4238, 2473, '{1589,500}'::bigint[], 10005534, 2360.91, 63.15, 51.7820, 57.0000000000000000, true, 4238$q$);

/* Flows by engage date, counted from the table. */
SELECT pg_temp.same('opportunities by the month they were engaged in', $q$
	SELECT kpi_day("time"), value::bigint FROM kpi_series('opportunities', NULL, NULL) WHERE value > 0$q$, $q$
	SELECT date_trunc('month', engage_date::timestamp)::date, count(*) FROM sales_pipeline WHERE engage_date IS NOT NULL GROUP BY 1$q$);

/* Rule 7 and rule 5: nothing is lost between members and total, or months and years. */
CREATE FUNCTION pg_temp.sums(by text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT %s, sum(revenue), sum(sale_lines), sum(opportunities), sum(won_deals), sum(won_value), sum(lost_deals), sum(lost_value), '
		'kpi_rollup(sales_cycle)::text FROM kpi_fact WHERE superseded_at IS NULL', by)
$$;
SELECT pg_temp.same('members of ' || d || ' add up to the total in every period',
	pg_temp.sums('grain, period') || format(' AND dimension = %L GROUP BY 1, 2', d),
	pg_temp.sums('grain, period') || $q$ AND dimension = 'total' GROUP BY 1, 2$q$)
FROM unnest('{product,segment,region,account,rep,team,regional_office}'::text[]) AS d;
SELECT pg_temp.same('months add up to their ' || g,
	pg_temp.sums(format('date_trunc(%L, period::timestamp)::date, dimension, member', g)) || $q$ AND grain = 'month' GROUP BY 1, 2, 3$q$,
	pg_temp.sums('period, dimension, member') || format(' AND grain = %L GROUP BY 1, 2, 3', g))
FROM unnest('{quarter,year}'::text[]) AS g;

/*
 * Stocks without a history are known for the present only; what was recorded at
 * the very end of a period stays, as everything else does, and a snapshot of
 * nothing new writes nothing.
 */
CREATE FUNCTION pg_temp.flows(part text) RETURNS text LANGUAGE sql AS $$
	SELECT 'SELECT grain, period, dimension, member, is_complete, days, revenue, sale_lines, purchases, buying_customers, opportunities, '
		'opportunities_value, won_deals, won_value, lost_deals, lost_value, sales_cycle::text, rep_days FROM ' || part
$$;
CREATE TEMP TABLE reported AS SELECT * FROM kpi_fact;	/* all of them current */

CREATE TEMP TABLE later AS
SELECT * FROM kpi_snapshot('2016-10-01', '2017-12-31', '2018-01-01 00:00:01 America/New_York');
SELECT pg_temp.same('a second later the year is over: what was open at its end stays known', $q$
	SELECT kpi_value('open_opportunities', '2017-12-01'), kpi_value('open_opportunities', '2017-12-01', as_of => '2018-01-01 00:00 America/New_York'),
		(SELECT changed FROM later)$q$, 'SELECT 2089::numeric, 2089::numeric, 0::bigint');
SELECT pg_temp.same('and all else is as it was', pg_temp.flows($q$kpi_fact WHERE superseded_at IS NULL AND dimension NOT LIKE '%stage'$q$),
	pg_temp.flows($q$reported WHERE dimension NOT LIKE '%stage'$q$));
SELECT pg_temp.same('a snapshot of nothing new writes nothing',
	$q$SELECT changed FROM kpi_snapshot('2016-10-01', '2017-12-31', '2018-01-01 00:00:02 America/New_York')$q$, 'SELECT 0::bigint');

CREATE TEMP TABLE present AS
SELECT * FROM kpi_snapshot();
SELECT pg_temp.same('a snapshot by default ends with the running month',
	$q$SELECT outcome, (SELECT max(period) FROM kpi_fact WHERE grain = 'month') FROM present$q$,
	$q$SELECT 'done', kpi_period_start('month', kpi_today())$q$);
SELECT pg_temp.same('and leaves the past as it was',
	pg_temp.flows($q$kpi_fact WHERE superseded_at IS NULL AND dimension NOT LIKE '%stage' AND period < '2018-01-01'$q$),
	pg_temp.flows($q$reported WHERE dimension NOT LIKE '%stage'$q$));
SELECT pg_temp.same('what is open now is the stock of the running month, by stage too', $q$
	SELECT member, open_opportunities FROM kpi_fact
	WHERE superseded_at IS NULL AND grain = 'month' AND dimension = 'stage' AND NOT is_complete AND open_opportunities > 0$q$, $q$
	SELECT deal_stage, n::bigint FROM expected.by_stage WHERE deal_stage IN ('Engaging', 'Prospecting')$q$);

/* The aggregates over the file itself, without any binding: the published figures. */
SELECT pg_temp.same('the aggregates over plain columns give the published figures', $q$
	SELECT round(kpi_sales_cycle(engage_date::date, close_date::date) FILTER (WHERE deal_stage = 'Won'), 4),
		trim_scale(kpi_sales_cycle_median(engage_date::date, close_date::date) FILTER (WHERE deal_stage = 'Won')),
		round(kpi_sales_cycle(engage_date::date, close_date::date), 4),
		round(kpi_average_purchase_value(opportunity_id, close_value::numeric), 2), kpi_total(kpi_amounts(opportunity_id, close_value::numeric)),
		round(kpi_win_rate(CASE deal_stage WHEN 'Won' THEN true WHEN 'Lost' THEN false END), 2)
	FROM raw.sales_pipeline$q$, $q$
	SELECT 51.7820, 57, 47.9854, 2360.91, 10005534, 63.15$q$);
