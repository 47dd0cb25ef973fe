WITH f AS MATERIALIZED (
	SELECT width_bucket(happened_at, :'instants'::timestamptz[]) AS m, rep_id, kind, count(*) AS n FROM activity WHERE kind IN (1, 2) GROUP BY 1, 2, 3
)
SELECT m, rep_id, kind, sum(n) FROM f GROUP BY GROUPING SETS ((m, kind), (m, rep_id, kind))
