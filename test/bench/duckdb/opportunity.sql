SELECT m, rep_id, region_id, sum(opportunities) AS opportunities, sum(opportunities_value) AS opportunities_value, sum(won_deals) AS won_deals,
	sum(won_value) AS won_value, sum(sales_cycle_seconds) AS sales_cycle_seconds
FROM (
	SELECT m(o.created_at) AS m, o.rep_id, c.region_id, count(*) AS opportunities, sum(amount) AS opportunities_value,
		0 AS won_deals, 0 AS won_value, 0 AS sales_cycle_seconds
	FROM opportunity o JOIN customer c USING (customer_id) GROUP BY 1, 2, 3
	UNION ALL
	SELECT m(o.closed_at) AS m, o.rep_id, c.region_id, 0, 0, count(*), sum(o.amount), sum(epoch(o.closed_at - coalesce(l.created_at, o.created_at)))
	FROM opportunity o JOIN customer c USING (customer_id) LEFT JOIN lead l ON l.lead_id = o.lead_id WHERE o.won GROUP BY 1, 2, 3) f
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
