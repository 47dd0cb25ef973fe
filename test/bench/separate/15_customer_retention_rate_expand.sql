WITH e AS MATERIALIZED (
	SELECT s.customer_id, m, sum(monthly_amount) AS mrr
	FROM subscription s,
		generate_series(greatest(width_bucket(valid_from, :'days'::date[]), 0), coalesce(width_bucket(valid_to, :'days'::date[]), cardinality(:'days'::date[])) - 1) m
	GROUP BY 1, 2
), x AS (
	SELECT customer_id, m, mrr, lag(m) OVER w AS pm, lag(mrr) OVER w AS pv, lead(m) OVER w AS nm FROM e WINDOW w AS (PARTITION BY customer_id ORDER BY m)
), y AS (
	SELECT customer_id, m, mrr, 1 AS active, CASE WHEN pm IS NULL THEN mrr END AS na, CASE WHEN pm < m - 1 THEN mrr END AS ra,
		CASE WHEN pm = m - 1 AND mrr > pv THEN mrr - pv END AS ea, CASE WHEN pm = m - 1 AND mrr < pv THEN pv - mrr END AS ca, NULL::numeric AS xa FROM x
	UNION ALL
	SELECT customer_id, m + 1, NULL, NULL, NULL, NULL, NULL, NULL, mrr FROM x WHERE nm IS DISTINCT FROM m + 1 AND m < cardinality(:'days'::date[]) - 1
)
SELECT m, rep_id, region_id, sum(mrr), sum(active), sum(na), count(na), sum(ra), count(ra), sum(ea), count(ea), sum(ca), count(ca), sum(xa), count(xa)
FROM y JOIN customer USING (customer_id) GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
