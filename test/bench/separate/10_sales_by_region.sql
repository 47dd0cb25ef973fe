WITH g AS (
	SELECT width_bucket(s.sale_date, :'days'::date[]) AS m, c.region_id, sum(amount) AS revenue FROM sale s JOIN customer c USING (customer_id) GROUP BY 1, 2
)
SELECT *, 100 * revenue / sum(revenue) OVER (PARTITION BY m) FROM g
