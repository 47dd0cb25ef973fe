/*
 * demo/bind.sql
 *	  Tells salkpi where the CRM of demo/crm.sql keeps what, and takes snapshots:
 *	  of the last year's forecasts, and of everything.
 *
 * This is all the work a CRM of one's own takes: a view for each source, with
 * the contract's column names, and one kpi_bind for each view.  The CRM's
 * tables stay as they are.  What the views translate:
 *
 *	  - names, and German words to the contract's ("gewonnen" to won);
 *	  - percentages to probabilities from 0 to 1;
 *	  - which team a rep was in when: one row for each membership, with its days;
 *	  - nothing else.  Words that the contract does not know are passed on as
 *		they are, so that the snapshot can count and report them.
 *
 *	  psql -c 'CREATE SCHEMA kpi; CREATE EXTENSION salkpi SCHEMA kpi' -f demo/bind.sql
 */
\set ON_ERROR_STOP on
\set QUIET on
\encoding UTF8
SET client_min_messages = warning;

BEGIN;

CREATE SCHEMA crm_kpi;
COMMENT ON SCHEMA crm_kpi IS 'the CRM as salkpi reads it: one view for each source';

CREATE VIEW crm_kpi.account AS
SELECT c.customer_no AS id, c.company AS name, c.segment, s.sales_region AS region, c.channel, c.campaign, c.created_at
FROM crm.customer AS c
	LEFT JOIN crm.federal_state AS s USING (state);

CREATE VIEW crm_kpi.rep AS
SELECT r.rep_no AS id, r.full_name AS name, t.team, r.job AS role, r.hired_on AS active_from, r.left_on AS active_to,
	t.since AS valid_from, t.until AS valid_to
FROM crm.sales_rep AS r
	JOIN crm.team_member AS t USING (rep_no);

CREATE VIEW crm_kpi.lead AS
SELECT l.lead_no AS id, l.created_at, l.became_deal_at AS qualified_at, l.first_answer_at AS first_response_at,
	l.rep_no AS rep_id, s.sales_region AS region, l.channel, l.campaign, l.customer_no AS account_id
FROM crm.lead AS l
	LEFT JOIN crm.federal_state AS s USING (state);

CREATE VIEW crm_kpi.stage AS
SELECT stage AS name, position, percent / 100 AS probability,
	coalesce(outcome = 'gewonnen', false) AS is_won, coalesce(outcome = 'verloren', false) AS is_lost
FROM crm.deal_stage;

CREATE VIEW crm_kpi.opportunity AS
SELECT d.deal_no AS id, d.title AS name,
	CASE d.state WHEN 'offen' THEN 'open' WHEN 'gewonnen' THEN 'won' WHEN 'verloren' THEN 'lost' ELSE d.state END AS status,
	d.created_at, d.closed_at, d.amount, d.currency, d.percent / 100 AS probability, d.stage, d.due_on AS expected_close,
	d.first_contact_at, d.lost_because AS lost_reason, d.lead_no AS lead_id, d.customer_no AS account_id, d.rep_no AS rep_id,
	p.name AS product, d.channel, d.campaign
FROM crm.deal AS d
	LEFT JOIN crm.product AS p USING (sku);

CREATE VIEW crm_kpi.opportunity_history AS
SELECT l.deal_no AS opportunity_id, l.since AS valid_from, l.until AS valid_to, l.stage,
	CASE s.outcome WHEN 'gewonnen' THEN 'won' WHEN 'verloren' THEN 'lost' ELSE 'open' END AS status,
	l.amount, l.percent / 100 AS probability, l.due_on AS expected_close, l.rep_no AS rep_id
FROM crm.deal_stage_log AS l
	JOIN crm.deal_stage AS s USING (stage);

CREATE VIEW crm_kpi.quote AS
SELECT o.offer_no AS id, o.sent_at, o.decided_at,
	CASE o.state WHEN 'Entwurf' THEN 'draft' WHEN 'versendet' THEN 'sent' WHEN 'angenommen' THEN 'accepted'
		WHEN 'abgelehnt' THEN 'rejected' WHEN 'abgelaufen' THEN 'expired' ELSE o.state END AS status,
	o.deal_no AS opportunity_id, o.customer_no AS account_id, o.amount, o.currency, o.rep_no AS rep_id, p.name AS product
FROM crm.offer AS o
	LEFT JOIN crm.product AS p USING (sku);

/* Where an order comes from is known for those of a deal; else the account says it. */
CREATE VIEW crm_kpi.sale AS
SELECT o.order_no AS sale_id, l.order_no || '-' || l.line_no AS line_id, o.ordered_at AS sold_at, l.net_amount AS amount,
	l.cost AS direct_cost, o.currency, o.customer_no AS account_id, o.deal_no AS opportunity_id, o.rep_no AS rep_id,
	p.name AS product, p.product_line, d.channel, d.campaign
FROM crm.order_line AS l
	JOIN crm.sales_order AS o USING (order_no)
	LEFT JOIN crm.product AS p USING (sku)
	LEFT JOIN crm.deal AS d USING (deal_no);

CREATE VIEW crm_kpi.activity AS
SELECT t.touch_no AS id, t.happened_at,
	CASE t.kind WHEN 'Anruf' THEN 'call' WHEN 'E-Mail' THEN 'email' WHEN 'Termin' THEN 'meeting' WHEN 'LinkedIn' THEN 'linkedin'
		WHEN 'Demo' THEN 'demo' WHEN 'Onboarding' THEN 'onboarding' WHEN 'Testphase' THEN 'trial'
		WHEN 'Sonstiges' THEN 'other' ELSE t.kind END AS kind,
	t.booked_at,
	CASE t.state WHEN 'erledigt' THEN 'done' WHEN 'geplant' THEN 'planned' WHEN 'nicht erschienen' THEN 'no_show'
		WHEN 'abgesagt' THEN 'cancelled' ELSE t.state END AS status,
	CASE WHEN t.incoming THEN 'in' ELSE 'out' END AS direction,
	t.delivered, t.answered_at AS replied_at, t.rep_no AS rep_id, t.contact_no AS contact_id,
	t.customer_no AS account_id, t.lead_no AS lead_id, t.deal_no AS opportunity_id
FROM crm.touchpoint AS t;

CREATE VIEW crm_kpi.subscription AS
SELECT p.contract_no AS id, p.customer_no AS account_id, p.amount, p.since AS valid_from, p.until AS valid_to,
	CASE p.billed WHEN 'monatlich' THEN 'month' WHEN 'jährlich' THEN 'year' ELSE p.billed END AS billing_unit,
	p.currency, p.plan,
	CASE p.state WHEN 'aktiv' THEN 'active' WHEN 'Test' THEN 'trial' WHEN 'pausiert' THEN 'paused' ELSE p.state END AS status,
	p.rep_no AS rep_id, p.cancelled_at, p.cancelled_because AS churn_reason
FROM crm.contract_price AS p;

/* Bookkeepers name the last day, the contract the first one after it. */
CREATE VIEW crm_kpi.cost AS
SELECT s.spending_no AS id, s.first_day AS period_from, s.last_day + 1 AS period_to, s.amount, s.currency,
	CASE s.department WHEN 'Vertrieb' THEN 'sales' WHEN 'Marketing' THEN 'marketing' WHEN 'Verwaltung' THEN 'other'
		ELSE s.department END AS function,
	s.category, s.channel, s.campaign
FROM crm.spending AS s;

CREATE VIEW crm_kpi.exchange_rate AS
SELECT currency, day AS valid_on, euro AS rate
FROM crm.fx_rate;

/* kpi_bind answers with each column's fate; demo/show.sql sums it up. */
\o /dev/null
SELECT kpi.kpi_set('time_zone', 'Europe/Berlin');
SELECT kpi.kpi_set('currency', 'EUR');
SELECT kpi.kpi_set('language', 'de');

SELECT kpi.kpi_bind('account', 'crm_kpi.account');
SELECT kpi.kpi_bind('rep', 'crm_kpi.rep');
SELECT kpi.kpi_bind('stage', 'crm_kpi.stage');
SELECT kpi.kpi_bind('exchange_rate', 'crm_kpi.exchange_rate');

/*
 * How good a forecast was can only be told where a snapshot was taken when its
 * period began.  So that the demo has some, it takes those of the last twelve
 * months now, of the deals as the CRM's log says that they were.
 */
CREATE VIEW crm_kpi.opportunity_then AS
SELECT o.id, o.name, h.status, o.created_at, CASE WHEN h.status <> 'open' THEN h.valid_from END AS closed_at, h.amount, o.currency,
	h.probability, h.stage, h.expected_close, o.first_contact_at, o.account_id, h.rep_id, o.product, o.channel, o.campaign
FROM crm_kpi.opportunity AS o
	JOIN crm_kpi.opportunity_history AS h ON h.opportunity_id = o.id
	CROSS JOIN current_setting('crm_kpi.then') AS t
WHERE h.valid_from <= t::timestamptz AND (h.valid_to > t::timestamptz) IS NOT FALSE;
SELECT kpi.kpi_bind('opportunity', 'crm_kpi.opportunity_then');

DO $$
DECLARE
	newest timestamp := (SELECT date_trunc('month', max(closed_at) AT TIME ZONE 'Europe/Berlin') FROM crm.deal);
	month timestamp;
	morning timestamptz;
BEGIN
	FOR month IN SELECT generate_series(newest - interval '12 months', newest, '1 month') LOOP
		morning := (month + interval '6 hours') AT TIME ZONE 'Europe/Berlin';
		PERFORM set_config('crm_kpi.then', morning::text, true);
		PERFORM kpi.kpi_snapshot(month::date, month::date, morning);
	END LOOP;
END;
$$;
SELECT kpi.kpi_bind('opportunity', 'crm_kpi.opportunity');
DROP VIEW crm_kpi.opportunity_then;

SELECT kpi.kpi_bind('lead', 'crm_kpi.lead');
SELECT kpi.kpi_bind('opportunity_history', 'crm_kpi.opportunity_history');
SELECT kpi.kpi_bind('quote', 'crm_kpi.quote');
SELECT kpi.kpi_bind('sale', 'crm_kpi.sale');
SELECT kpi.kpi_bind('activity', 'crm_kpi.activity');
SELECT kpi.kpi_bind('subscription', 'crm_kpi.subscription');
SELECT kpi.kpi_bind('cost', 'crm_kpi.cost');
\o

/*
 * Targets: revenue month by month, for the company, its teams and its reps, as
 * planned in the CRM; a tenth below is still near.
 */
INSERT INTO kpi.kpi_target (kpi, dimension, member, from_day, to_day, value, currency, warn_at)
SELECT 'revenue', CASE level WHEN 'Person' THEN 'rep' WHEN 'Team' THEN 'team' ELSE 'total' END, member,
	month, (month + interval '1 month')::date, amount, 'EUR', round(0.9 * amount, 2)
FROM crm.sales_plan;

/* Four fifths of it are to come from deals; the rest orders itself. */
INSERT INTO kpi.kpi_target (kpi, dimension, member, from_day, to_day, value, warn_at)
SELECT 'won_value', t.dimension, t.member, t.from_day, t.to_day, 0.8 * t.value, 0.8 * t.warn_at
FROM kpi.kpi_target AS t
WHERE t.kpi = 'revenue';

/* And what the company wants to hold in every month, whatever the season. */
INSERT INTO kpi.kpi_target (kpi, dimension, member, from_day, to_day, value, currency, warn_at)
SELECT t.kpi, 'total', '', p.from_day, p.to_day, t.value, t.currency, t.warn_at
FROM (SELECT min(month) AS from_day, (max(month) + interval '1 month')::date AS to_day FROM crm.sales_plan) AS p
	CROSS JOIN (VALUES
		('profit_margin', 40, 38, NULL), ('win_rate', 25, 22, NULL), ('lead_qualification_rate', 22, 20, NULL),
		('lead_conversion_rate', 5, 4, NULL), ('sales_cycle_length', 55, 65, NULL), ('quote_to_close_ratio', 14, 12, NULL),
		('average_purchase_value', 6500, 5800, 'EUR'), ('calls_and_emails_per_rep', 120, 105, NULL),
		('reply_rate', 40, 35, NULL), ('pipeline_value', 6000000, 5000000, 'EUR'))
		AS t(kpi, value, warn_at, currency);

/* A number of calls would be spread over a longer target's months: it has one for each. */
INSERT INTO kpi.kpi_target (kpi, from_day, to_day, value, warn_at)
SELECT DISTINCT 'demo_and_onboarding_calls', month, (month + interval '1 month')::date, 50, 44
FROM crm.sales_plan;

COMMIT;

/* From here on every KPI of the three years is one SELECT away. */
SELECT * FROM kpi.kpi_snapshot();
