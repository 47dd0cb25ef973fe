SELECT m, region_id, channel, sum(amount) FILTER (kind IN ('sales', 'marketing')) AS sales_and_marketing_cost,
	sum(amount) FILTER (kind = 'marketing') AS campaign_cost, sum(amount) AS total_cost
FROM (SELECT m(cost_date) AS m, region_id, channel, kind, amount FROM cost) c
GROUP BY GROUPING SETS ((m), (m, region_id), (m, channel))
