WITH f AS MATERIALIZED (
	SELECT width_bucket(s.sale_date, :'days'::date[]) AS m, s.rep_id, c.region_id, sum(amount) - sum(direct_cost) AS margin
	FROM sale s JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
), nc AS MATERIALIZED (
	SELECT m, c.rep_id, c.region_id, count(*) AS customers
	FROM (SELECT customer_id, min(width_bucket(sale_date, :'days'::date[])) AS m FROM sale GROUP BY 1) x JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
), g AS (
	SELECT m, rep_id, region_id, sum(margin) AS margin FROM f GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
), n AS (
	SELECT m, rep_id, region_id, sum(customers) AS customers FROM nc GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
)
SELECT m, rep_id, region_id, sum(margin) OVER w / nullif(sum(coalesce(customers, 0)) OVER w, 0)
FROM (SELECT g.*, n.customers FROM g LEFT JOIN n ON g.m = n.m AND (g.rep_id, g.region_id) IS NOT DISTINCT FROM (n.rep_id, n.region_id)) x
WINDOW w AS (PARTITION BY rep_id, region_id ORDER BY m)
