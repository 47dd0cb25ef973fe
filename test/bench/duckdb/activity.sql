WITH f AS MATERIALIZED (
	SELECT m(happened_at) AS m, rep_id, kind, count(*) AS n FROM activity GROUP BY 1, 2, 3
)
SELECT m, rep_id, sum(n) FILTER (kind = 1) AS calls, sum(n) FILTER (kind = 2) AS emails, sum(n) FILTER (kind = 3) AS demos,
	sum(n) FILTER (kind = 4) AS onboardings
FROM f GROUP BY GROUPING SETS ((m), (m, rep_id))
