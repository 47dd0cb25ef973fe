SELECT m, rep_id, region_id, sum(d) / sum(n) / 86400
FROM (SELECT width_bucket(o.closed_at, :'instants'::timestamptz[]) AS m, o.rep_id, c.region_id, count(*) AS n,
		sum(extract(epoch FROM o.closed_at - coalesce(l.created_at, o.created_at))::float8) AS d
	FROM opportunity o JOIN customer c USING (customer_id) LEFT JOIN lead l ON l.lead_id = o.lead_id WHERE o.won GROUP BY 1, 2, 3) f
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
