WITH n AS (
	SELECT customer_id, m, sum(a) AS a
	FROM (SELECT customer_id, greatest(m(valid_from), 0) AS m, monthly_amount AS a FROM subscription
		UNION ALL
		SELECT customer_id, greatest(m(valid_to), 0), -monthly_amount FROM subscription WHERE valid_to IS NOT NULL) v
	WHERE m < after_last() GROUP BY 1, 2
), r AS (
	SELECT customer_id, m, a, sum(a) OVER w AS cur, m = min(m) OVER w AS is_first FROM n WINDOW w AS (PARTITION BY customer_id ORDER BY m)
), f AS MATERIALIZED (
	SELECT m, c.rep_id, c.region_id, sum(a) AS d, count(*) FILTER (a > 0 AND cur = a) - count(*) FILTER (a < 0 AND cur = 0) AS dn,
		sum(a) FILTER (is_first) AS na, count(*) FILTER (is_first AND a > 0) AS nn, count(*) FILTER (is_first) AS nf,
		sum(a) FILTER (NOT is_first AND a > 0 AND cur = a) AS ra, count(*) FILTER (NOT is_first AND a > 0 AND cur = a) AS rn,
		sum(a) FILTER (a > 0 AND cur <> a) AS ea, sum(-a) FILTER (a < 0 AND cur <> 0) AS ca,
		sum(-a) FILTER (a < 0 AND cur = 0) AS xa, count(*) FILTER (a < 0 AND cur = 0) AS xn
	FROM r JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
), g AS (
	SELECT m, rep_id, region_id, sum(d) AS d, sum(dn) AS dn, sum(na) AS na, sum(nn) AS nn, sum(nf) AS nf, sum(ra) AS ra, sum(rn) AS rn, sum(ea) AS ea,
		sum(ca) AS ca, sum(xa) AS xa, sum(xn) AS xn
	FROM f GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
)
SELECT m, rep_id, region_id, sum(d) OVER w AS mrr, sum(dn) OVER w AS customers, na AS mrr_new, nn AS customers_won, nf AS new_customers, ra AS mrr_reactivated,
	rn AS customers_reactivated, ea AS mrr_expansion, ca AS mrr_contraction, xa AS mrr_churned, xn AS customers_churned
FROM g WINDOW w AS (PARTITION BY rep_id, region_id ORDER BY m)
