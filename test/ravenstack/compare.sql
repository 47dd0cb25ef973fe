/*
 * What the snapshot says, against plain SQL over the rows and against the file
 * with the results.
 *
 * The file counts a subscription at the end of a month if it started on or
 * before the last day and has no end or one after the last day; to salkpi it
 * counts at the midnight after the last day if it started before that and has
 * no end or one not before it.  In days that is the same rule as long as the
 * end is the first day that is no longer paid.
 */
CREATE FUNCTION pg_temp.six(value numeric) RETURNS numeric LANGUAGE sql AS
	$$SELECT trim_scale(round(value, 6))$$;

/* Who pays what at the end of each month, as which member: from the rows, by the project's rule. */
CREATE FUNCTION pg_temp.standing(extra integer) RETURNS TABLE (month date, dimension text, member text, account_id text, mrr numeric) LANGUAGE sql AS $$
	SELECT m.month::date, d.dimension, d.member, s.account_id, sum(mrr_amount)
	FROM generate_series(timestamp '2022-12-01', '2024-12-01', '1 month') AS m(month)
		JOIN subscription AS s ON start_date < m.month + interval '1 month' AND coalesce(end_date + extra >= m.month + interval '1 month', true)
		JOIN account AS a USING (account_id),
		LATERAL (VALUES ('total', ''), ('plan', plan_tier), ('segment', industry), ('region', country), ('channel', referral_source)) AS d(dimension, member)
	WHERE NOT is_trial AND mrr_amount > 0 AND (end_date + extra <= start_date) IS NOT TRUE
	GROUP BY 1, 2, 3, 4
$$;
CREATE TABLE standing AS SELECT 0 AS extra, s.* FROM pg_temp.standing(0) AS s UNION ALL SELECT 1, s.* FROM pg_temp.standing(1) AS s;
CREATE TABLE first_ever AS
SELECT extra, dimension, member, account_id, min(start_date) AS since
FROM unnest('{0,1}'::integer[]) AS extra, subscription AS s JOIN account AS a USING (account_id),
	LATERAL (VALUES ('total', ''), ('plan', plan_tier), ('segment', industry), ('region', country), ('channel', referral_source)) AS d(dimension, member)
WHERE NOT is_trial AND mrr_amount > 0 AND (end_date + extra <= start_date) IS NOT TRUE
GROUP BY 1, 2, 3, 4;
ANALYZE standing, first_ever;

CREATE TABLE movement AS
SELECT p.*, CASE WHEN opening = 0 AND f.since >= month THEN closing ELSE 0 END AS new, CASE WHEN opening = 0 AND f.since < month THEN closing ELSE 0 END AS back
FROM (SELECT extra, month, dimension, member, account_id, sum(o) AS opening, sum(c) AS closing
	  FROM (SELECT extra, (month + interval '1 month')::date AS month, dimension, member, account_id, mrr AS o, 0 AS c FROM standing
			UNION ALL SELECT extra, month, dimension, member, account_id, 0, mrr FROM standing) AS x
	  WHERE month BETWEEN '2023-01-01' AND '2024-12-01'
	  GROUP BY 1, 2, 3, 4, 5) AS p
	JOIN first_ever AS f USING (extra, dimension, member, account_id);

CREATE VIEW result AS
SELECT extra, month, dimension, member, sum(opening) AS opening, sum(new) AS new, sum(back) AS back, sum(greatest(closing - opening, 0)) FILTER (WHERE opening > 0) AS expansion,
	sum(greatest(opening - closing, 0)) FILTER (WHERE closing > 0) AS contraction, sum(opening) FILTER (WHERE closing = 0) AS churned, sum(closing) AS closing, sum(least(opening, closing)) AS retained,
	count(*) FILTER (WHERE opening > 0) AS had, count(*) FILTER (WHERE new > 0) AS won, count(*) FILTER (WHERE back > 0) AS came_back,
	count(*) FILTER (WHERE closing = 0) AS lost, count(*) FILTER (WHERE closing > 0) AS has
FROM movement GROUP BY 1, 2, 3, 4;

/* All that moved or stood, by month and member */
CREATE FUNCTION pg_temp.facts() RETURNS text LANGUAGE sql AS $$ SELECT $q$
	SELECT period, dimension, member, trim_scale(mrr_opening), trim_scale(mrr_new), trim_scale(mrr_reactivated), trim_scale(mrr_expansion), trim_scale(mrr_contraction), trim_scale(mrr_churned),
		trim_scale(mrr), trim_scale(mrr_retained), customers_opening, customers_won, customers_reactivated, customers_churned, customers
	FROM kpi_fact WHERE superseded_at IS NULL AND grain = 'month' AND dimension IN ('total', 'plan', 'segment', 'region', 'channel') AND customers_opening + customers > 0$q$ $$;
CREATE FUNCTION pg_temp.results(extra integer) RETURNS text LANGUAGE sql AS $$ SELECT format($q$
	SELECT month, dimension, member, trim_scale(opening), trim_scale(new), trim_scale(back), trim_scale(coalesce(expansion, 0)), trim_scale(coalesce(contraction, 0)), trim_scale(coalesce(churned, 0)),
		trim_scale(closing), trim_scale(retained), had, won, came_back, lost, has
	FROM result WHERE extra = %s$q$, extra) $$;

SELECT pg_temp.same('facts of the months, by plan, segment, region, channel: as plain SQL has them', pg_temp.facts(), pg_temp.results(0));

CREATE FUNCTION pg_temp.file(columns text) RETURNS text LANGUAGE sql AS $$SELECT 'SELECT month, ' || columns || ' FROM expected.mrr_by_month'$$;
CREATE FUNCTION pg_temp.kpi(kpi text) RETURNS text LANGUAGE sql AS $$ SELECT format(
	$q$SELECT to_char("time" AT TIME ZONE 'America/New_York', 'YYYY-MM'), pg_temp.six(value) FROM kpi_series(%L, '2023-01-01', '2025-01-01')$q$, kpi) $$;
/* The file's churn of revenue is that of the customers lost; salkpi's has what was contracted besides. */
\o /dev/null
SELECT kpi_define('churned_share', '100 * mrr_churned / mrr_opening', 'percent', 'down', 'Churned share');
\o
SELECT pg_temp.same('revenue_churn_rate: churned and contracted, of the month before', pg_temp.kpi('revenue_churn_rate'),
	'SELECT month, pg_temp.six(100 * (churned_mrr::numeric + contraction::numeric) / lag(mrr::numeric) OVER (ORDER BY month)) FROM expected.mrr_by_month');
SELECT pg_temp.same(kpi || ': as in the file', pg_temp.kpi(kpi), pg_temp.file(format('pg_temp.six(%I::numeric)', "column")))
FROM (VALUES ('mrr', 'mrr'), ('arr', 'arr'), ('customers', 'paying_accounts'), ('revenue_per_account', 'arpa'), ('customer_churn_rate', 'customer_churn_pct'),
	('churned_share', 'revenue_churn_pct'), ('gross_revenue_retention', 'gross_revenue_retention_pct'), ('net_revenue_retention', 'net_revenue_retention_pct')) AS k(kpi, "column");
SELECT pg_temp.same('kpi_mrr_movements: as in the file', $q$
	SELECT to_char("time" AT TIME ZONE 'America/New_York', 'YYYY-MM'), new + reactivation, expansion, contraction, churned, customers_churned
	FROM kpi_mrr_movements('2023-02-01', '2025-01-01')$q$,
	pg_temp.file('new_mrr::numeric, expansion::numeric, contraction::numeric, churned_mrr::numeric, churned_accounts::bigint') || $q$ WHERE month > '2023-01'$q$);
SELECT pg_temp.holds('no bad rows', 'SELECT count(*) = 0 FROM kpi_problem');

/* Years come to months. */
\o /dev/null
SELECT kpi_bind('subscription', 'kpi_billed');
SELECT kpi_snapshot('2023-01-01', '2024-12-31', '2025-01-01 00:00:01 America/New_York');
\o
SELECT pg_temp.same('billed by the year: the same', pg_temp.facts(), pg_temp.results(0));

/* Were the end the last day that is paid, months whose last day is such an end would differ, by those subscriptions, and no others. */
\o /dev/null
SELECT kpi_bind('subscription', 'kpi_inclusive');
SELECT kpi_snapshot('2023-01-01', '2024-12-31', '2025-01-01 00:00:02 America/New_York');
\o
SELECT pg_temp.same('paid to the end of the last day: as plain SQL has them', pg_temp.facts(), pg_temp.results(1));
CREATE VIEW at_the_boundary AS
SELECT to_char(end_date, 'YYYY-MM') AS month, subscription_id, mrr_amount
FROM subscription
WHERE NOT is_trial AND extract(day FROM end_date + 1) = 1;
SELECT '# ' || month || ': ' || string_agg(subscription_id || ' ' || mrr_amount, ', ' ORDER BY subscription_id) FROM at_the_boundary GROUP BY month ORDER BY month;
SELECT pg_temp.same('it differs from the file where a subscription ends on the last day, by its amount', $q$
	SELECT f.month, trim_scale(k.value - f.mrr::numeric)
	FROM expected.mrr_by_month AS f JOIN (SELECT to_char("time" AT TIME ZONE 'America/New_York', 'YYYY-MM') AS month, value FROM kpi_series('mrr', '2023-01-01', '2025-01-01')) AS k USING (month)
	WHERE k.value <> f.mrr::numeric$q$, 'SELECT month, sum(mrr_amount) FROM at_the_boundary GROUP BY month');
