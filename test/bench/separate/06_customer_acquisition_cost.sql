WITH nc AS MATERIALIZED (
	SELECT m, c.region_id, count(*) AS customers
	FROM (SELECT customer_id, min(width_bucket(valid_from, :'days'::date[])) AS m FROM subscription GROUP BY 1) x JOIN customer c USING (customer_id) GROUP BY 1, 2
), n AS (
	SELECT m, region_id, sum(customers) AS customers FROM nc GROUP BY GROUPING SETS ((m), (m, region_id))
), k AS (
	SELECT m, region_id, sum(amount) AS amount
	FROM (SELECT width_bucket(cost_date, :'days'::date[]) AS m, region_id, amount FROM cost WHERE kind IN ('sales', 'marketing')) c
	GROUP BY GROUPING SETS ((m), (m, region_id))
)
SELECT k.m, k.region_id, amount / nullif(customers, 0) FROM k LEFT JOIN n ON k.m = n.m AND k.region_id IS NOT DISTINCT FROM n.region_id
