-- dimensions: total rep region channel
SELECT m, rep_id, region_id, channel, sum(leads) AS leads, sum(leads_converted) AS leads_converted, sum(conversions) AS conversions
FROM (
	SELECT width_bucket(l.created_at, :'instants'::timestamptz[]) AS m, l.rep_id, l.region_id, l.channel, count(*) AS leads,
		count(coalesce(l.converted_at, o.won_at)) AS leads_converted, 0 AS conversions
	FROM lead l LEFT JOIN (SELECT lead_id, min(closed_at) AS won_at FROM opportunity WHERE won GROUP BY 1) o USING (lead_id) GROUP BY 1, 2, 3, 4
	UNION ALL
	SELECT width_bucket(coalesce(l.converted_at, o.won_at), :'instants'::timestamptz[]), l.rep_id, l.region_id, l.channel, 0, 0, count(*)
	FROM lead l LEFT JOIN (SELECT lead_id, min(closed_at) AS won_at FROM opportunity WHERE won GROUP BY 1) o USING (lead_id)
	WHERE coalesce(l.converted_at, o.won_at) IS NOT NULL GROUP BY 1, 2, 3, 4) f
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id), (m, channel))
