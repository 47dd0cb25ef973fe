WITH s AS (
	SELECT width_bucket(sale_date, :'days'::date[]) AS m, rep_id, sum(amount) AS revenue FROM sale GROUP BY 1, 2
), t AS (
	SELECT width_bucket(month, :'days'::date[]) AS m, rep_id, target FROM target
)
SELECT m, rep_id, 100 * sum(revenue) / nullif(sum(target), 0) FROM t LEFT JOIN s USING (m, rep_id) GROUP BY GROUPING SETS ((m), (m, rep_id))
