WITH e AS MATERIALIZED (
	SELECT s.customer_id, m, sum(monthly_amount) AS mrr
	FROM subscription s,
		generate_series(greatest(width_bucket(valid_from, :'days'::date[]), 1), coalesce(width_bucket(valid_to, :'days'::date[]), cardinality(:'days'::date[])) - 1) m
	GROUP BY 1, 2
)
SELECT m, rep_id, region_id, sum(mrr) / count(*) FROM e JOIN customer USING (customer_id) GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
