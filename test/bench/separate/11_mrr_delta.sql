WITH d AS MATERIALIZED (
	SELECT m, c.rep_id, c.region_id, sum(a) AS a
	FROM (SELECT customer_id, greatest(width_bucket(valid_from, :'days'::date[]), 0) AS m, monthly_amount AS a FROM subscription
		UNION ALL
		SELECT customer_id, width_bucket(valid_to, :'days'::date[]), -monthly_amount FROM subscription WHERE valid_to IS NOT NULL) s JOIN customer c USING (customer_id)
	GROUP BY 1, 2, 3
), g AS (
	SELECT m, rep_id, region_id, sum(a) AS a FROM d GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
)
SELECT m, rep_id, region_id, sum(a) OVER (PARTITION BY rep_id, region_id ORDER BY m) FROM g
