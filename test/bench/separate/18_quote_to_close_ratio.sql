SELECT m, rep_id, region_id, 100.0 * sum(won) / nullif(sum(sent), 0), sum(a)
FROM (
	SELECT width_bucket(q.sent_at, :'instants'::timestamptz[]) AS m, q.rep_id, c.region_id, count(*) AS sent, 0 AS won, sum(amount) AS a
	FROM quote q JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
	UNION ALL
	SELECT width_bucket(o.closed_at, :'instants'::timestamptz[]), o.rep_id, c.region_id, 0, count(*), 0
	FROM opportunity o JOIN customer c USING (customer_id) WHERE o.won GROUP BY 1, 2, 3) f
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
