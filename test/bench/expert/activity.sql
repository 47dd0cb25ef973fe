-- dimensions: total rep
WITH f AS MATERIALIZED (
	SELECT width_bucket(happened_at, :'instants'::timestamptz[]) AS m, rep_id, kind, count(*) AS n FROM activity GROUP BY 1, 2, 3
)
SELECT m, rep_id, sum(n) FILTER (WHERE kind = 1) AS calls, sum(n) FILTER (WHERE kind = 2) AS emails, sum(n) FILTER (WHERE kind = 3) AS demos,
	sum(n) FILTER (WHERE kind = 4) AS onboardings
FROM f GROUP BY GROUPING SETS ((m), (m, rep_id))
