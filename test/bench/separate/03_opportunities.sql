SELECT m, rep_id, region_id, sum(n), sum(a)
FROM (SELECT width_bucket(o.created_at, :'instants'::timestamptz[]) AS m, o.rep_id, c.region_id, count(*) AS n, sum(amount) AS a
	FROM opportunity o JOIN customer c USING (customer_id) GROUP BY 1, 2, 3) f
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
