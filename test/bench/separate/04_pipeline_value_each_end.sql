SELECT m, rep_id, region_id, sum(amount), count(*)
FROM (SELECT x.m, o.rep_id, c.region_id, x.amount
	FROM generate_series(1, cardinality(:'instants'::timestamptz[]) - 1) p(m),
		LATERAL (SELECT DISTINCT ON (opp_id) p.m, opp_id, stage, amount FROM stage_history
			WHERE changed_at < (:'instants'::timestamptz[])[p.m + 1] ORDER BY opp_id, changed_at DESC) x
		JOIN opportunity o USING (opp_id) JOIN customer c USING (customer_id)
	WHERE x.stage < 4) f
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
