WITH f AS MATERIALIZED (
	SELECT width_bucket(s.sale_date, :'days'::date[]) AS m, s.rep_id, c.region_id, sum(amount) AS revenue FROM sale s JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
), g AS (
	SELECT m, rep_id, region_id, sum(revenue) AS revenue FROM f GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
)
SELECT *, 100 * (revenue - lag(revenue) OVER w) / nullif(greatest(lag(revenue) OVER w, 0), 0)
FROM g WINDOW w AS (PARTITION BY rep_id, region_id ORDER BY m)
