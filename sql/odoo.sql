-- The Odoo adapter on a made-up database in a schema of its own: one row for
-- each of Odoo's peculiarities.  test/odoo.sh compares with real ones.
SET search_path = kpi, public;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
SET client_min_messages = warning;
SET jit = off;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
BEGIN;

-- ---------- what is refused ----------
SELECT * FROM kpi_bind_crm('siebel');
SELECT * FROM kpi_bind_crm(NULL);
SELECT * FROM kpi_unbind_crm('siebel');
SELECT * FROM kpi_bind_crm('odoo', 'no such');
SELECT * FROM kpi_bind_crm('odoo', NULL);
CREATE SCHEMA "my Odoo";
SELECT * FROM kpi_bind_crm('odoo', 'my Odoo');

-- ---------- an Odoo without any app for sales is none ----------
SET search_path = "my Odoo", kpi, public;
CREATE TABLE res_currency (id integer, name varchar);
CREATE TABLE res_currency_rate (currency_id integer, company_id integer, name date, rate numeric);
CREATE TABLE res_country (id integer, name jsonb);
CREATE TABLE res_partner (id integer, name varchar, commercial_partner_id integer, country_id integer, lang varchar, create_date timestamp);
CREATE TABLE res_company (id integer, partner_id integer, currency_id integer);
CREATE TABLE res_users (id integer, partner_id integer, share boolean, active boolean, create_date timestamp, write_date timestamp);
CREATE TABLE crm_team (id integer, name jsonb);
CREATE TABLE crm_team_member (id integer, crm_team_id integer, user_id integer, active boolean, create_date timestamp);
SELECT * FROM kpi_bind_crm('odoo', 'my Odoo');

-- ---------- sales alone ----------
CREATE TABLE product_template (id integer, name jsonb);
CREATE TABLE product_product (id integer, product_tmpl_id integer);
CREATE TABLE sale_order (id integer, partner_id integer, user_id integer, team_id integer, company_id integer, state varchar, date_order timestamp,
	create_date timestamp, validity_date date, amount_untaxed numeric, currency_rate numeric);
CREATE TABLE sale_order_line (id integer, order_id integer, product_id integer, price_subtotal numeric, product_uom_qty numeric, display_type varchar);

INSERT INTO res_currency VALUES (1, 'CHF'), (2, 'EUR');
INSERT INTO res_country VALUES (1, '{"en_US": "Switzerland", "de_CH": "Schweiz"}'), (2, '{"fr_FR": "Autriche"}');
INSERT INTO res_partner VALUES (1, 'We', 1, 1, 'de_CH', '2015-01-01'), (2, 'Ann', 2, NULL, NULL, '2015-01-01'), (3, 'Ben', 3, NULL, NULL, '2015-01-01'),
	(10, 'Customer', 10, 1, NULL, '2015-01-01'), (11, 'Buyer at Customer', 10, 2, NULL, '2015-01-02'), (12, 'Supplier', 12, 1, NULL, '2015-01-03'),
	(13, 'System', 13, NULL, NULL, '2015-01-01');
INSERT INTO res_company VALUES (1, 1, 1);
INSERT INTO res_users VALUES (1, 13, false, false, '2015-01-01', '2015-01-01'), (2, 2, false, true, '2015-01-10', '2015-01-10'),
	(3, 3, false, false, '2015-01-10', '2015-06-30'), (4, 11, true, true, '2015-01-10', '2015-01-10');
INSERT INTO crm_team VALUES (1, '{"en_US": "North"}'), (2, '{"en_US": "South"}');
INSERT INTO crm_team_member VALUES (1, 1, 2, false, '2015-01-01'), (2, 2, 2, true, '2015-01-02');
INSERT INTO product_template VALUES (1, '{"en_US": "Chair", "de_CH": "Stuhl"}');
INSERT INTO product_product VALUES (1, 1), (2, 1);
INSERT INTO sale_order VALUES
	(1, 11, 2, 1, 1, 'sale', '2015-02-01 12:00', '2015-01-20', NULL, 100.01, 3),	-- a third each, and a cent that the lines lack
	(2, 11, 3, 1, 1, 'sent', '2015-01-05', '2015-01-20', '2015-02-28', 50, 1),		-- entered later than given, and expired
	(3, 10, 3, 1, 1, 'draft', '2015-02-01', '2015-02-01', '2015-02-28', 60, 1),
	(4, 10, 2, NULL, 1, 'cancel', '2015-02-01', '2015-02-01', NULL, 70, 1);
INSERT INTO sale_order_line VALUES (1, 1, 1, 50, 1, NULL), (2, 1, 2, 50, 1, NULL), (3, 1, NULL, NULL, 0, 'line_note'), (4, 2, 1, 50, 1, NULL);

SELECT source, relation, report FROM kpi_bind_crm('odoo', 'my Odoo');
SELECT kpi_setting('currency') AS adopted;
SELECT sale_id, line_id, sold_at, amount, direct_cost, currency, account_id, rep_id, team, region, product FROM kpi_odoo_sale ORDER BY sale_id, line_id;
SELECT sum(amount) = round(100.01 / 3, 12) AS adds_up FROM kpi_odoo_sale WHERE sale_id = 1;
SELECT * FROM kpi_odoo_quote ORDER BY id;
SELECT * FROM kpi_odoo_account ORDER BY id;
SELECT * FROM kpi_odoo_rep ORDER BY id;

-- ---------- CRM and tracking, added after: the CRM may now change, the binding is made again ----------
SELECT s FROM kpi_unbind_crm('odoo') s ORDER BY s COLLATE "C";
ALTER TABLE sale_order ADD COLUMN opportunity_id integer;
CREATE TABLE crm_stage (id integer, name jsonb, sequence integer, is_won boolean);
CREATE TABLE crm_lost_reason (id integer, name jsonb);
CREATE TABLE utm_source (id integer, name varchar);
CREATE TABLE utm_campaign (id integer, name varchar, title jsonb);
CREATE TABLE crm_lead (id integer, type varchar, name varchar, active boolean, probability double precision, stage_id integer, user_id integer, team_id integer,
	partner_id integer, country_id integer, company_id integer, source_id integer, campaign_id integer, lost_reason_id integer, expected_revenue numeric,
	create_date timestamp, date_conversion timestamp, date_closed timestamp, date_deadline date);
CREATE TABLE ir_model_fields (id integer, model varchar, name varchar);
CREATE TABLE mail_message_subtype (id integer, name jsonb, internal boolean);
CREATE TABLE mail_message (id integer, model varchar, res_id integer, date timestamp, author_id integer, message_type varchar, subtype_id integer,
	is_internal boolean, mail_activity_type_id integer);
CREATE TABLE mail_tracking_value (id integer, mail_message_id integer, field_id integer, old_value_integer integer, new_value_integer integer,
	old_value_float double precision, new_value_float double precision);
CREATE TABLE mail_activity_type (id integer, name jsonb, category varchar);
CREATE TABLE ir_model_data (module varchar, model varchar, name varchar, res_id integer);
CREATE TABLE mail_activity (id integer, res_model varchar, res_id integer, activity_type_id integer, user_id integer, calendar_event_id integer,
	date_deadline date, create_date timestamp, active boolean);
CREATE TABLE calendar_event (id integer, name varchar, start timestamp, create_date timestamp, active boolean, user_id integer, res_model varchar,
	res_id integer, opportunity_id integer);

INSERT INTO crm_stage VALUES (1, '{"en_US": "New"}', 1, NULL), (2, '{"en_US": "Offer"}', 2, false), (3, '{"en_US": "Won"}', 9, true), (4, '{"en_US": "New"}', 5, NULL);
INSERT INTO crm_lost_reason VALUES (1, '{"en_US": "Too late"}');
INSERT INTO utm_source VALUES (1, 'Newsletter');
INSERT INTO utm_campaign VALUES (1, 'technical', '{"en_US": "Spring"}');
INSERT INTO crm_lead VALUES
	(1, 'lead', 'only a lead', true, 10, 1, 2, 1, NULL, 1, 1, 1, 1, NULL, 0, '2015-01-01', NULL, NULL, NULL),
	(2, 'opportunity', 'won', true, 100, 3, 2, 1, 11, NULL, 1, NULL, NULL, NULL, 300, '2015-01-01', '2015-01-03', '2015-02-01 10:00', NULL),
	(3, 'opportunity', 'lost, no closing date', false, 0, 2, 2, 2, 10, NULL, NULL, NULL, NULL, 1, 200, '2015-01-02', NULL, NULL, '2015-03-31'),
	(4, 'opportunity', 'open, 45.5 %', true, 45.5, 2, 3, NULL, NULL, NULL, 1, NULL, NULL, NULL, 100.5, '2015-01-02', NULL, NULL, '2015-03-31'),
	(5, 'opportunity', 'archived', false, 20, 1, NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, 0, '2015-01-02', NULL, NULL, NULL),
	(6, 'opportunity', 'won, untracked', true, 100, 3, NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, 10, '2015-01-02', NULL, '2015-01-09', NULL);
INSERT INTO ir_model_fields VALUES (1, 'crm.lead', 'stage_id'), (2, 'crm.lead', 'expected_revenue'), (3, 'crm.lead', 'active'), (4, 'sale.order', 'state'), (5, 'crm.lead', 'user_id');
INSERT INTO mail_message_subtype VALUES (1, '{"en_US": "Discussions"}', false), (2, '{"en_US": "Note"}', true);
INSERT INTO mail_activity_type VALUES (1, '{"en_US": "Email"}', 'default'), (2, '{"en_US": "Ruf an"}', 'default'), (3, '{"en_US": "Meeting"}', 'meeting'),
	(4, '{"en_US": "Call for Demo"}', 'phonecall'), (5, '{"en_US": "To-Do"}', 'default'), (6, '{"en_US": "Email: Welcome Demo"}', 'default');
INSERT INTO ir_model_data VALUES ('mail', 'mail.activity.type', 'mail_activity_data_call', 2), ('other', 'mail.activity.type', 'mail_activity_data_call', 5);
INSERT INTO mail_message VALUES
	(1, 'crm.lead', 2, '2015-01-02', 2, 'notification', 2, false, NULL),	-- stage New to Offer, still a lead
	(2, 'crm.lead', 2, '2015-01-20', 2, 'notification', 2, false, NULL),	-- 250 to 300, Ben to Ann
	(3, 'crm.lead', 2, '2015-02-01 10:00', 2, 'notification', 2, false, NULL),	-- Offer to Won
	(4, 'crm.lead', 3, '2015-01-10', 2, 'notification', 2, false, NULL),	-- lost
	(5, 'crm.lead', 3, '2015-01-12', 2, 'notification', 2, false, NULL),	-- taken up again
	(6, 'crm.lead', 3, '2015-01-15', 2, 'notification', 2, false, NULL),	-- lost for good
	(7, 'sale.order', 4, '2015-02-11', 2, 'notification', 2, false, NULL),	-- cancelled
	(10, 'crm.lead', 2, '2015-01-04 09:00', 2, 'comment', 1, false, NULL),	-- Ann writes
	(11, 'crm.lead', 2, '2015-01-04 09:01', 2, 'notification', 2, false, 1),	-- and ticks off her e-mail: the same
	(12, 'crm.lead', 2, '2015-01-05 09:00', 2, 'notification', 2, false, 1),	-- an e-mail sent elsewhere
	(13, 'crm.lead', 2, '2015-01-05 10:00', 11, 'email', 1, false, NULL),	-- the customer answers
	(14, 'crm.lead', 2, '2015-01-05 11:00', 2, 'comment', 2, true, NULL),	-- a note
	(15, 'crm.lead', 2, '2015-01-05 12:00', 13, 'comment', 1, false, NULL),	-- the system
	(16, 'crm.lead', 2, '2015-01-06', 2, 'notification', 2, false, 2),		-- called
	(17, 'crm.lead', 2, '2015-01-07', 2, 'notification', 2, false, 3),		-- met: in the calendar
	(18, 'crm.lead', 1, '2015-01-08', 3, 'notification', 2, false, 4),		-- a demo
	(19, 'sale.order', 1, '2015-01-21', 2, 'email_outgoing', 1, false, NULL),
	(20, 'project.task', 1, '2015-01-21', 2, 'comment', 1, false, NULL),	-- not sales
	(21, 'res.partner', 10, '2015-01-22', 3, 'notification', 2, false, 6);
INSERT INTO mail_tracking_value VALUES
	(1, 1, 1, 1, 2, NULL, NULL), (2, 2, 2, NULL, NULL, 250, 300), (3, 2, 5, 3, 2, NULL, NULL), (4, 3, 1, 2, 3, NULL, NULL),
	(5, 4, 3, 1, 0, NULL, NULL), (6, 5, 3, 0, 1, NULL, NULL), (7, 6, 3, 1, 0, NULL, NULL), (8, 7, 4, NULL, NULL, NULL, NULL);
INSERT INTO calendar_event VALUES
	(1, 'Meeting: won', '2015-01-07', '2015-01-05', true, 2, 'crm.lead', 2, 2),
	(2, 'Product demo', '2015-01-08', '2015-01-05', true, 2, NULL, NULL, NULL),
	(3, 'Called off', '2015-01-09', '2015-01-05', false, 2, 'crm.lead', 4, 4),
	(4, 'In a far future', '3026-01-09', '2015-01-05', true, 2, 'crm.lead', 4, 4),
	(5, 'Interview', '2015-01-09', '2015-01-05', true, 2, 'hr.applicant', 7, NULL);
INSERT INTO mail_activity VALUES
	(1, 'crm.lead', 4, 2, 3, NULL, '2015-02-01', '2015-01-05', true),
	(2, 'crm.lead', 2, 2, 2, NULL, '2015-01-06', '2015-01-05', false),		-- done: the message above
	(3, 'crm.lead', 4, 4, 2, 4, '3026-01-09', '2015-01-05', true);			-- the calendar's

SELECT source FROM kpi_bind_crm('odoo', 'my Odoo') WHERE relation IS NULL;
SELECT * FROM kpi_odoo_stage ORDER BY position;
SELECT * FROM kpi_odoo_lead ORDER BY id;
SELECT id, created_at, status, closed_at, amount, probability, stage, expected_close, lost_reason, lead_id FROM kpi_odoo_opportunity ORDER BY id;
SELECT id, currency, account_id, rep_id, team, region, channel, campaign FROM kpi_odoo_opportunity ORDER BY id;
SELECT * FROM kpi_odoo_opportunity_history ORDER BY opportunity_id, valid_from;
SELECT id, status, decided_at FROM kpi_odoo_quote WHERE id = 4;
SELECT id, happened_at, kind, status, direction, replied_at, rep_id FROM kpi_odoo_activity ORDER BY happened_at, id COLLATE "C";
SELECT id, contact_id, account_id, lead_id, opportunity_id, region FROM kpi_odoo_activity WHERE status = 'done' ORDER BY id COLLATE "C";

-- ---------- another reporting currency: CHF at 1.25 USD, then 1.5; the books' own rate drifts too ----------
SELECT kpi_set('currency', 'USD') IS NOT NULL AS set;
INSERT INTO res_currency VALUES (3, 'USD');
INSERT INTO res_currency_rate VALUES (3, NULL, '2015-01-01', 1.25), (3, 1, '2015-02-01', 1.5), (1, 1, '2015-03-01', 2), (2, 1, '2015-04-01', 1);
SELECT relation FROM kpi_bind_crm('odoo', 'my Odoo') WHERE source = 'exchange_rate';
SELECT * FROM kpi_odoo_exchange_rate ORDER BY valid_on;
ROLLBACK;
