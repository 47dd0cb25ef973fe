WITH cu AS (
	SELECT m, customer_id, rep_id, count(*) AS purchases
	FROM (SELECT DISTINCT m(sale_date) AS m, customer_id, rep_id, order_id FROM sale)
	GROUP BY 1, 2, 3
), fc AS MATERIALIZED (
	SELECT cu.m, cu.rep_id, c.region_id, sum(purchases) AS purchases, count(*) AS customers, count(*) FILTER (rn = 1) AS distinct_customers,
		count(*) FILTER (rn = 1 AND is_first) AS new_customers
	FROM (SELECT *, row_number() OVER (PARTITION BY customer_id, m) AS rn, m = min(m) OVER (PARTITION BY customer_id) AS is_first FROM cu) cu
		JOIN customer c USING (customer_id)
	GROUP BY 1, 2, 3
), f AS MATERIALIZED (
	SELECT m(s.sale_date) AS m, s.rep_id, c.region_id, sum(amount) AS revenue, sum(direct_cost) AS direct_cost, count(*) AS sale_lines,
		0 AS purchases, 0 AS customers, 0 AS distinct_customers, 0 AS new_customers
	FROM sale s JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
	UNION ALL
	SELECT m, rep_id, region_id, 0, 0, 0, purchases, customers, distinct_customers, new_customers FROM fc
)
SELECT m, rep_id, region_id, NULL AS product_id, NULL AS channel, sum(revenue) AS revenue, sum(direct_cost) AS direct_cost, sum(sale_lines) AS sale_lines,
	sum(purchases) AS purchases, CASE WHEN rep_id IS NULL THEN sum(distinct_customers) ELSE sum(customers) END AS buying_customers,
	CASE WHEN rep_id IS NULL THEN sum(new_customers) END AS first_buyers
FROM f GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
UNION ALL
SELECT m(sale_date) AS m, NULL, NULL, product_id, NULL, sum(amount), sum(direct_cost), NULL, NULL, NULL, NULL FROM sale GROUP BY m, product_id
UNION ALL
SELECT m(sale_date) AS m, NULL, NULL, NULL, channel, sum(amount), sum(direct_cost), NULL, NULL, NULL, NULL FROM sale GROUP BY m, channel
