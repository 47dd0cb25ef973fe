WITH f AS MATERIALIZED (
	SELECT width_bucket(s.sale_date, :'days'::date[]) AS m, s.rep_id, c.region_id, sum(amount) AS revenue, sum(direct_cost) AS direct_cost
	FROM sale s JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
), p AS (
	SELECT m, product_id, channel, sum(amount) AS revenue, sum(direct_cost) AS direct_cost
	FROM (SELECT width_bucket(sale_date, :'days'::date[]) AS m, product_id, channel, amount, direct_cost FROM sale) s
	GROUP BY GROUPING SETS ((m, product_id), (m, channel))
)
SELECT m, rep_id, region_id, NULL AS product_id, NULL AS channel, 100 * (sum(revenue) - sum(direct_cost)) / nullif(greatest(sum(revenue), 0), 0)
FROM f GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
UNION ALL
SELECT m, NULL, NULL, product_id::text, channel::text, 100 * (revenue - direct_cost) / nullif(greatest(revenue, 0), 0) FROM p
