WITH h AS MATERIALIZED (
	SELECT * FROM (SELECT opp_id, m(changed_at) AS m, stage, amount, lead(m(changed_at)) OVER (PARTITION BY opp_id ORDER BY changed_at) AS next FROM stage_history) z
	WHERE stage < 4 AND m IS DISTINCT FROM next
), d AS MATERIALIZED (
	SELECT v.m, o.rep_id, c.region_id, sum(v.amount) AS amount, sum(v.n) AS n
	FROM (SELECT opp_id, m, amount, 1 AS n FROM h UNION ALL SELECT opp_id, next, -amount, -1 FROM h WHERE next IS NOT NULL) v
		JOIN opportunity o USING (opp_id) JOIN customer c USING (customer_id)
	GROUP BY 1, 2, 3
), g AS (
	SELECT m, rep_id, region_id, sum(amount) AS amount, sum(n) AS n FROM d GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
)
SELECT m, rep_id, region_id, sum(amount) OVER w AS pipeline_value, sum(n) OVER w AS open_opportunities
FROM g WINDOW w AS (PARTITION BY rep_id, region_id ORDER BY m)
