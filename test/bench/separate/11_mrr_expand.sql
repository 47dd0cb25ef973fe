SELECT m, rep_id, region_id, sum(mrr), 12 * sum(mrr)
FROM (SELECT m, c.rep_id, c.region_id, sum(monthly_amount) AS mrr
	FROM subscription s JOIN customer c USING (customer_id),
		generate_series(greatest(width_bucket(valid_from, :'days'::date[]), 1), coalesce(width_bucket(valid_to, :'days'::date[]), cardinality(:'days'::date[])) - 1) m
	GROUP BY 1, 2, 3) f
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
