WITH l AS (
	SELECT m, channel, count(*) AS n FROM (SELECT width_bucket(created_at, :'instants'::timestamptz[]) AS m, channel FROM lead) l GROUP BY GROUPING SETS ((m), (m, channel))
), k AS (
	SELECT m, channel, sum(amount) AS a
	FROM (SELECT width_bucket(cost_date, :'days'::date[]) AS m, channel, amount FROM cost WHERE kind = 'marketing') c GROUP BY GROUPING SETS ((m), (m, channel))
)
SELECT l.m, l.channel, k.a / l.n FROM l LEFT JOIN k ON k.m = l.m AND k.channel IS NOT DISTINCT FROM l.channel
