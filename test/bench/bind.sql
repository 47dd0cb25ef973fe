/*
 * bind.sql
 *	  Tells salkpi where data.sql keeps what, as a user would.
 */
SET client_min_messages = warning;
CREATE SCHEMA kpi;
CREATE EXTENSION salkpi SCHEMA kpi;
SET search_path = kpi, crm;

CREATE VIEW my_account AS
SELECT customer_id AS id, name, segment, region_id::text AS region, created_at FROM customer;

CREATE VIEW my_rep AS
SELECT rep_id AS id, name, 'Team ' || team_id AS team, hired AS active_from, left_on AS active_to FROM rep;

CREATE VIEW my_stage AS
SELECT name, stage AS "position", probability, is_won, is_lost FROM stage;

CREATE VIEW my_sale AS
SELECT order_id AS sale_id, sale_id AS line_id, sale_date AS sold_at, amount, direct_cost, customer_id AS account_id, rep_id,
	product_id::text AS product, channel::text AS channel
FROM sale;

CREATE VIEW my_opportunity AS
SELECT opp_id AS id, CASE WHEN won THEN 'won' WHEN NOT won THEN 'lost' ELSE 'open' END AS status, created_at, closed_at, amount, expected_close,
	lead_id, customer_id AS account_id, rep_id
FROM opportunity;

CREATE VIEW my_opportunity_history AS
SELECT opp_id AS opportunity_id, changed_at AS valid_from, amount,
	CASE stage WHEN 0 THEN 'new' WHEN 1 THEN 'contacted' WHEN 2 THEN 'offer' WHEN 3 THEN 'negotiation' WHEN 4 THEN 'won' ELSE 'lost' END AS stage,
	CASE stage WHEN 4 THEN 'won' WHEN 5 THEN 'lost' ELSE 'open' END AS status
FROM stage_history;

CREATE VIEW my_lead AS
SELECT lead_id AS id, created_at, converted_at, rep_id, region_id::text AS region, channel::text AS channel, campaign_id::text AS campaign, customer_id AS account_id
FROM lead;

CREATE VIEW my_quote AS
SELECT quote_id AS id, sent_at, accepted_at AS decided_at, CASE WHEN accepted_at IS NULL THEN 'sent' ELSE 'accepted' END AS status,
	opp_id AS opportunity_id, customer_id AS account_id, amount, rep_id
FROM quote;

/* What customers pay is their rep's. */
CREATE VIEW my_subscription AS
SELECT s.subscription_id AS id, s.customer_id AS account_id, s.monthly_amount AS amount, s.valid_from, s.valid_to, c.rep_id
FROM subscription s JOIN customer c USING (customer_id);

CREATE VIEW my_activity AS
SELECT activity_id AS id, happened_at, CASE kind WHEN 1 THEN 'call' WHEN 2 THEN 'email' WHEN 3 THEN 'demo' ELSE 'onboarding' END AS kind, rep_id, lead_id
FROM activity;

CREATE VIEW my_cost AS
SELECT cost_id AS id, cost_date AS period_from, amount, CASE kind WHEN 'overhead' THEN 'other' ELSE kind END AS function,
	channel::text AS channel, region_id::text AS region
FROM cost;

CREATE VIEW my_target AS
SELECT 'revenue' AS kpi, 'rep' AS dimension, rep_id::text AS member, month AS from_day, (month + interval '1 month')::date AS to_day, target AS value
FROM target
UNION ALL
SELECT 'revenue', 'total', '', month, (month + interval '1 month')::date, sum(target) FROM target GROUP BY month;

SELECT kpi_set('time_zone', 'Europe/Berlin') \g /dev/null
SELECT count(*) FROM unnest('{account,rep,stage,sale,opportunity,opportunity_history,lead,quote,subscription,activity,cost,target}'::text[]) s,
	kpi_bind(s, ('kpi.my_' || s)::regclass) \g /dev/null
