-- dimensions: total rep region
-- carried: mrr customers
WITH n AS (
	SELECT customer_id, m, sum(a) AS a
	FROM (SELECT customer_id, width_bucket(valid_from, :'days'::date[]) AS m, monthly_amount AS a FROM subscription
		UNION ALL
		SELECT customer_id, width_bucket(valid_to, :'days'::date[]), -monthly_amount FROM subscription WHERE valid_to IS NOT NULL) v
	WHERE m < cardinality(:'days'::date[]) GROUP BY 1, 2
), r AS (
	SELECT customer_id, m, a, sum(a) OVER w AS cur, m = min(m) OVER w AS first FROM n WINDOW w AS (PARTITION BY customer_id ORDER BY m)
), f AS MATERIALIZED (
	SELECT m, c.rep_id, c.region_id, sum(a) AS d, count(*) FILTER (WHERE a > 0 AND cur = a) - count(*) FILTER (WHERE a < 0 AND cur = 0) AS dn,
		sum(a) FILTER (WHERE first) AS na, count(*) FILTER (WHERE first AND a > 0) AS nn, count(*) FILTER (WHERE first) AS nf,
		sum(a) FILTER (WHERE NOT first AND a > 0 AND cur = a) AS ra, count(*) FILTER (WHERE NOT first AND a > 0 AND cur = a) AS rn,
		sum(a) FILTER (WHERE a > 0 AND cur <> a) AS ea, sum(-a) FILTER (WHERE a < 0 AND cur <> 0) AS ca,
		sum(-a) FILTER (WHERE a < 0 AND cur = 0) AS xa, count(*) FILTER (WHERE a < 0 AND cur = 0) AS xn
	FROM r JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
), g AS (
	SELECT m, rep_id, region_id, sum(d) AS d, sum(dn) AS dn, sum(na) AS na, sum(nn) AS nn, sum(nf) AS nf, sum(ra) AS ra, sum(rn) AS rn, sum(ea) AS ea,
		sum(ca) AS ca, sum(xa) AS xa, sum(xn) AS xn
	FROM f GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
)
SELECT m, rep_id, region_id, sum(d) OVER w AS mrr, sum(dn) OVER w AS customers, na AS mrr_new, nn AS customers_won, nf AS new_customers, ra AS mrr_reactivated,
	rn AS customers_reactivated, ea AS mrr_expansion, ca AS mrr_contraction, xa AS mrr_churned, xn AS customers_churned
FROM g WINDOW w AS (PARTITION BY rep_id, region_id ORDER BY m)
