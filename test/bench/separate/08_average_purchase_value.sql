WITH cu AS (
	SELECT m, customer_id, rep_id, count(*) AS purchases
	FROM (SELECT DISTINCT width_bucket(sale_date, :'days'::date[]) AS m, customer_id, rep_id, order_id FROM sale) o
	GROUP BY 1, 2, 3
), fc AS MATERIALIZED (
	SELECT cu.m, cu.rep_id, c.region_id, sum(purchases) AS purchases, count(*) AS customers, count(*) FILTER (WHERE rn = 1) AS distinct_customers
	FROM (SELECT *, row_number() OVER (PARTITION BY customer_id, m) AS rn FROM cu) cu JOIN customer c USING (customer_id)
	GROUP BY 1, 2, 3
), f AS MATERIALIZED (
	SELECT width_bucket(s.sale_date, :'days'::date[]) AS m, s.rep_id, c.region_id, sum(amount) AS revenue, 0 AS purchases, 0 AS customers, 0 AS distinct_customers
	FROM sale s JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
	UNION ALL
	SELECT m, rep_id, region_id, 0, purchases, customers, distinct_customers FROM fc
)
SELECT m, rep_id, region_id, sum(revenue) / sum(purchases), sum(revenue) / nullif(CASE WHEN rep_id IS NULL THEN sum(distinct_customers) ELSE sum(customers) END, 0)
FROM f GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
