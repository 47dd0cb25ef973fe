/*
 * Binding and unbinding: what is refused, left out and cleaned up.  Each case
 * changes the database in a transaction that is rolled back.
 */
SELECT pg_temp.fails('an unknown CRM is refused', $$SELECT kpi_bind_crm('siebel')$$, '22023', 'unknown CRM "siebel"');
SELECT pg_temp.fails('a null CRM is refused', $$SELECT kpi_unbind_crm(NULL)$$, '22004', 'CRM must not be null');
SELECT pg_temp.fails('an unknown schema is refused', $$SELECT kpi_bind_crm('odoo', 'nowhere')$$, '3F000', 'schema "nowhere" does not exist');
SELECT pg_temp.fails('a schema without Odoo is refused', $$SELECT kpi_bind_crm('odoo', 'expected')$$, '42P01', 'schema "expected" does not hold an Odoo database%');
SELECT pg_temp.same('a refused binding leaves the former one',
	$$SELECT source, relation_name::text FROM kpi_source$$,
	$$SELECT s, 'kpi_odoo_' || s FROM unnest('{account,rep,stage,lead,opportunity,opportunity_history,sale,quote,activity}'::text[]) s$$);
SELECT pg_temp.same('the books'' currency became the reporting currency',
	$$SELECT kpi_setting('currency')$$,
	$$SELECT m.name::text FROM res_company c JOIN res_currency m ON m.id = c.currency_id ORDER BY c.id LIMIT 1$$);
SELECT pg_temp.same('views belong to the caller and not to the extension',
	$$SELECT c.relname::text, c.relowner::regrole::text, EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
	    FROM pg_class c JOIN kpi_source s ON s.relation_name = c.relname$$,
	$$SELECT relation_name::text, current_user::text, false FROM kpi_source$$);
SELECT pg_temp.same('every view says what it is',
	$$SELECT source FROM kpi_source WHERE obj_description(kpi_source_relation(source)) <> ''$$, $$SELECT source FROM kpi_source$$);
SELECT pg_temp.same('every column of a view is one of the contract',
	$$SELECT c.source, c.column_name FROM kpi_source s, LATERAL (SELECT s.source, b.* FROM kpi_bound_columns(s.source, kpi_source_relation(s.source)) b) c
	   WHERE c.status NOT IN ('ok', 'missing')$$, $$SELECT 'x'::text, 'y'::text WHERE false$$);

CREATE FUNCTION pg_temp.bind() RETURNS SETOF record LANGUAGE sql AS $$SELECT source, relation::text, report FROM kpi.kpi_bind_crm('odoo')$$;

/* again, also over another binding */
BEGIN;
CREATE VIEW kpi.mine AS SELECT id FROM res_partner;
SELECT FROM kpi_bind('account', 'kpi.mine');
SELECT pg_temp.same('binding again takes over and says from what',
	$$SELECT source, relation, report LIKE '%was bound to kpi.mine' OR report LIKE '%was bound to mine' FROM pg_temp.bind() AS (source text, relation text, report text) WHERE relation IS NOT NULL$$,
	$$SELECT s, (CASE WHEN true THEN 'kpi.' END || 'kpi_odoo_' || s)::regclass::text, s = 'account' FROM unnest('{account,rep,stage,lead,opportunity,opportunity_history,sale,quote,activity}'::text[]) s$$);
ROLLBACK;

/* a source bound to something else survives unbinding */
BEGIN;
CREATE VIEW kpi.mine AS SELECT id FROM res_partner;
SELECT FROM kpi_bind('account', 'kpi.mine');
SELECT pg_temp.same('unbinding names what it unbound',
	$$SELECT * FROM kpi_unbind_crm('odoo')$$,
	$$SELECT unnest('{rep,stage,lead,opportunity,opportunity_history,sale,quote,activity}'::text[])$$);
SELECT pg_temp.same('unbinding leaves no view and no other binding',
	$$SELECT relname::text FROM pg_class WHERE relname LIKE 'kpi\_odoo\_%' AND relkind = 'v' UNION ALL SELECT source FROM kpi_source$$, $$SELECT 'account'::text$$);
ALTER TABLE sale_order ALTER COLUMN amount_untaxed TYPE numeric(20, 4);
ALTER TABLE crm_lead DROP COLUMN date_closed CASCADE;
SELECT pg_temp.same('unbinding twice is harmless', $$SELECT * FROM kpi_unbind_crm('odoo')$$, $$SELECT ''::text WHERE false$$);
ROLLBACK;

/* a cent between header and lines */
BEGIN;
UPDATE sale_order SET amount_untaxed = amount_untaxed + 0.01, currency_rate = 1.2834 WHERE id = (SELECT min(o.id) FROM sale_order o WHERE o.state = 'sale');
DELETE FROM sale_order_line WHERE order_id = (SELECT max(o.id) FROM sale_order o WHERE o.state = 'sale');
INSERT INTO sale_order_line (order_id, name, display_type, price_subtotal, price_unit, product_uom_qty, customer_lead)
	SELECT min(o.id), 'a remark', 'line_note', 99, 0, 0, 0 FROM sale_order o WHERE o.state = 'sale';
SELECT pg_temp.same('an order is worth what its header says, whatever its lines',
	$$SELECT sale_id, sum(amount) FROM kpi_odoo_sale GROUP BY 1$$,
	$$SELECT id, round(amount_untaxed / currency_rate, 12) FROM sale_order WHERE state IN ('sale', 'done')$$);
SELECT pg_temp.same('what the lines lack is a line without product and cost',
	$$SELECT count(*), count(product), sum(direct_cost) = 0 FROM kpi_odoo_sale WHERE line_id IS NULL$$, $$SELECT 2::bigint, 0::bigint, true$$);
ROLLBACK;

/* archived, neither won nor lost: reported, not lost */
BEGIN;
UPDATE crm_lead SET active = false WHERE id = (SELECT min(id) FROM crm_lead WHERE type = 'opportunity' AND active AND probability BETWEEN 1 AND 99);
SELECT pg_temp.same('an archived deal that was not lost has a status of its own',
	$$SELECT o.id, o.status, h.status FROM kpi_odoo_opportunity o JOIN kpi_odoo_opportunity_history h ON h.opportunity_id = o.id AND h.valid_to IS NULL WHERE o.status = 'archived'$$,
	$$SELECT id, 'archived'::text, 'archived'::text FROM crm_lead WHERE type = 'opportunity' AND NOT active AND probability > 0$$);
ROLLBACK;

/* modules that are not installed */
BEGIN;
SELECT FROM kpi_unbind_crm('odoo');
ALTER TABLE sale_order RENAME TO other_order;
ALTER TABLE mail_tracking_value RENAME TO other_tracking_value;
SELECT pg_temp.same('without sales and tracking their sources are left out, with the reason',
	$$SELECT source, report FROM pg_temp.bind() AS (source text, relation text, report text) WHERE relation IS NULL AND source <> 'exchange_rate'$$,
	$$VALUES ('opportunity_history', 'left out: there is no table mail_tracking_value'), ('quote', 'left out: there is no table sale_order'),
		('sale', 'left out: there is no table sale_order')$$);
SELECT pg_temp.holds('what is left can be read',
	$$SELECT (SELECT count(*) FROM kpi_odoo_account) > 0 AND (SELECT count(*) FROM kpi_odoo_rep) > 0
		 AND (SELECT count(*) FROM kpi_odoo_opportunity) > 0 AND (SELECT count(*) FROM kpi_odoo_activity) > 0$$);
ROLLBACK;

BEGIN;
SELECT FROM kpi_unbind_crm('odoo');
ALTER TABLE crm_lead RENAME TO other_lead;
ALTER TABLE sale_order DROP COLUMN opportunity_id CASCADE;
ALTER TABLE calendar_event DROP COLUMN opportunity_id CASCADE;
ALTER TABLE sale_order_line DROP COLUMN purchase_price CASCADE;
SELECT pg_temp.same('without CRM and margins sales are read, their cost unknown',
	$$SELECT string_agg(source, ',' ORDER BY source) FROM pg_temp.bind() AS (source text, relation text, report text) WHERE relation IS NOT NULL$$,
	$$VALUES ('account,activity,quote,rep,sale')$$);
SELECT pg_temp.same('revenue of sales alone',
	$$SELECT round(sum(amount), 6), count(direct_cost), count(opportunity_id) FROM kpi_odoo_sale$$,
	$$SELECT revenue::numeric, 0::bigint, 0::bigint FROM expected.avg_purchase_value$$);
SELECT pg_temp.holds('what is left can be read',
	$$SELECT (SELECT count(*) FROM kpi_odoo_account) > 0 AND (SELECT count(*) FROM kpi_odoo_rep) > 0
		 AND (SELECT count(*) FROM kpi_odoo_quote) > 0 AND (SELECT count(*) FROM kpi_odoo_activity) > 0$$);
ROLLBACK;

/* books in another currency than the reporting one: so many EUR for one USD */
BEGIN;
SELECT FROM kpi_set('currency', 'EUR');
DELETE FROM res_currency_rate;
INSERT INTO res_currency_rate (name, currency_id, company_id, rate)
	SELECT v.day::date, c.id, k.id, v.rate FROM (VALUES ('2026-01-01', 'EUR', 0.9), ('2026-03-01', 'EUR', 0.8), ('2026-02-01', 'USD', 1.25)) v(day, name, rate)
	  JOIN res_currency c ON c.name = v.name CROSS JOIN (SELECT min(id) AS id FROM res_company) k;
SELECT pg_temp.same('rates are bound where the books are in another currency',
	$$SELECT relation FROM pg_temp.bind() AS (source text, relation text, report text) WHERE source = 'exchange_rate'$$,
	$$SELECT 'kpi_odoo_exchange_rate'::text$$);
SELECT pg_temp.same('rates turn the books'' currency into the reporting one',
	$$SELECT * FROM kpi_odoo_exchange_rate$$,
	$$VALUES ('USD', '2026-01-01'::date, 0.900000000000), ('USD', '2026-02-01', 0.720000000000), ('USD', '2026-03-01', 0.640000000000)$$);
ROLLBACK;

/* names in the company's language, where the database keeps translations */
BEGIN;
UPDATE res_partner SET lang = 'de_DE' WHERE id = (SELECT partner_id FROM res_company ORDER BY id LIMIT 1);
DO $$
BEGIN
	IF (SELECT data_type FROM information_schema.columns WHERE table_name = 'crm_stage' AND column_name = 'name' AND table_schema = 'public') = 'jsonb' THEN
		UPDATE crm_stage SET name = '{"en_US": "New", "de_DE": "Neu"}' WHERE name ->> 'en_US' = 'New';
		UPDATE crm_stage SET name = '{"fr_FR": "Gagné"}' WHERE is_won;
	ELSE
		UPDATE crm_stage SET name = 'Neu' WHERE name = 'New';
		UPDATE crm_stage SET name = 'Gagné' WHERE is_won;
	END IF;
END;
$$;
SELECT FROM kpi_bind_crm('odoo');
SELECT pg_temp.same('names come in the company''s language, else English, else any',
	$$SELECT name, is_won FROM kpi_odoo_stage$$, $$VALUES ('Neu', false), ('Qualified', false), ('Proposition', false), ('Gagné', true)$$);
ROLLBACK;
