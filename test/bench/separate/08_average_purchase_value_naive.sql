SELECT m, rep_id, region_id, sum(amount) / count(DISTINCT order_id), sum(amount) / count(DISTINCT customer_id)
FROM (SELECT width_bucket(s.sale_date, :'days'::date[]) AS m, s.rep_id, c.region_id, amount, order_id, customer_id FROM sale s JOIN customer c USING (customer_id)) s
GROUP BY GROUPING SETS ((m), (m, rep_id), (m, region_id))
