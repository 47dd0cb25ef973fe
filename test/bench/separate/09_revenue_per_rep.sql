WITH r AS (
	SELECT m, sum(greatest(least(coalesce(left_on, 'infinity'), day_to) - greatest(hired, day_from), 0)) / min(day_to - day_from)::numeric AS reps
	FROM rep, (SELECT m, (:'days'::date[])[m] AS day_from, (:'days'::date[])[m + 1] AS day_to FROM generate_series(1, cardinality(:'days'::date[]) - 1) m) p
	GROUP BY 1
), s AS (
	SELECT m, rep_id, sum(amount) AS revenue
	FROM (SELECT width_bucket(sale_date, :'days'::date[]) AS m, rep_id, amount FROM sale) s GROUP BY GROUPING SETS ((m), (m, rep_id))
)
SELECT m, rep_id, CASE WHEN rep_id IS NULL THEN revenue / nullif(reps, 0) ELSE revenue END FROM s JOIN r USING (m)
