/*
 * Turns a database of Odoo 14 into what 15 to 17 made of the same rows: the
 * columns that the adapter has to tell apart, by their changes in between.
 */
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT kpi.kpi_unbind_crm('odoo');

/* 15: teams have members; 16: names are translated in place, lost_reason is a link by name */
CREATE TABLE crm_team_member (id serial, crm_team_id integer, user_id integer, active boolean, create_date timestamp);
INSERT INTO crm_team_member (crm_team_id, user_id, active, create_date)
	SELECT sale_team_id, id, true, create_date FROM res_users WHERE sale_team_id IS NOT NULL;
INSERT INTO crm_team_member (crm_team_id, user_id, active, create_date)
	SELECT 5, id, false, create_date - interval '1 year' FROM res_users;
ALTER TABLE res_users DROP COLUMN sale_team_id;
ALTER TABLE crm_lead RENAME COLUMN lost_reason TO lost_reason_id;
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY '{crm_stage,crm_team,crm_lost_reason,mail_activity_type,mail_message_subtype,product_template,res_country,res_partner_industry}'::text[] LOOP
		EXECUTE format('ALTER TABLE %I ALTER COLUMN name TYPE jsonb USING jsonb_build_object(''en_US'', name)', t);
	END LOOP;
END;
$$;
ALTER TABLE utm_campaign ADD COLUMN title jsonb;
UPDATE utm_campaign SET title = jsonb_build_object('en_US', name);

/* 17: tracked values */
ALTER TABLE mail_tracking_value RENAME COLUMN field TO field_id;
UPDATE mail_tracking_value SET old_value_float = coalesce(old_value_float, old_value_monetary), new_value_float = coalesce(new_value_float, new_value_monetary);
ALTER TABLE mail_tracking_value DROP COLUMN field_type, DROP COLUMN field_desc, DROP COLUMN tracking_sequence,
	DROP COLUMN old_value_monetary, DROP COLUMN new_value_monetary;

/* 17: activities are archived when done, with the day; the message is written as before */
ALTER TABLE mail_activity ADD COLUMN active boolean DEFAULT true, ADD COLUMN date_done date;
INSERT INTO mail_activity (res_model, res_model_id, res_id, activity_type_id, user_id, date_deadline, active, date_done)
	SELECT m.model, 1, m.res_id, m.mail_activity_type_id, 8, m.date::date, false, m.date::date
	  FROM mail_message m WHERE m.mail_activity_type_id IS NOT NULL;

/* 17: locking replaces the state "done" */
ALTER TABLE sale_order ADD COLUMN locked boolean;

SELECT kpi.kpi_bind_crm('odoo');
