SELECT m, rep_id, region_id, channel, sum(n), sum(c), 100.0 * sum(c) / sum(n)
FROM (SELECT width_bucket(l.created_at, :'instants'::timestamptz[]) AS m, l.rep_id, l.region_id, l.channel, count(*) AS n, count(coalesce(l.converted_at, o.won_at)) AS c
	FROM lead l LEFT JOIN (SELECT lead_id, min(closed_at) AS won_at FROM opportunity WHERE won GROUP BY 1) o USING (lead_id)
	GROUP BY 1, 2, 3, 4) f
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id), (m, channel))
