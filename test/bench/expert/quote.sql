-- dimensions: total rep region
SELECT m, rep_id, region_id, sum(quotes_sent) AS quotes_sent, sum(quoted_value) AS quoted_value
FROM (SELECT width_bucket(q.sent_at, :'instants'::timestamptz[]) AS m, q.rep_id, c.region_id, count(*) AS quotes_sent, sum(amount) AS quoted_value
	FROM quote q JOIN customer c USING (customer_id) GROUP BY 1, 2, 3) f
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
