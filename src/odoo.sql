/*
 * The adapter for Odoo 14 to 19: each source as a query on Odoo's tables.
 *
 * What Odoo means, and what the views make of it:
 *
 * - Every timestamp is a "timestamp without time zone" in UTC.
 * - A lead that becomes an opportunity stays the same row of crm_lead:
 *   create_date is the lead's, date_conversion the opportunity's.
 * - A deal is won by its stage, and lost by active = false with probability 0;
 *   archived with a probability left it is neither, and is passed on as
 *   "archived" so that it surfaces as a problem instead of vanishing.
 * - A quotation and an order are one row of sale_order; date_order is the
 *   quotation's date until the order is confirmed, then the confirmation's.
 * - Amounts of an order are in its own currency; amount / currency_rate is in
 *   that of the company's books, in which everything here is given.
 * - mail_tracking_value keeps who changed what and when.
 *
 * Columns are looked up, not versions: lost_reason became lost_reason_id in 16,
 * mail_tracking_value.field became field_id in 17 when the monetary columns
 * went, translated names are JSON from 16 on, crm_team_member came with 15.
 *
 * In the queries %1$I is the CRM's schema; what differs follows as %2$s, %3$s...
 */
CREATE FUNCTION @extschema@.kpi_odoo_language(crm_schema text) RETURNS text
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	language text;
BEGIN
	EXECUTE format('SELECT p.lang FROM %1$I.res_company c JOIN %1$I.res_partner p ON p.id = c.partner_id ORDER BY c.id LIMIT 1', crm_schema)
	   INTO language;
	RETURN coalesce(language, 'en_US');
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_odoo_language(text) IS
'language of the first company of an Odoo database, en_US when it has none; for the adapter';

CREATE FUNCTION @extschema@.kpi_odoo_name(crm_schema text, alias text, relation text, column_name text DEFAULT 'name') RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN @extschema@.kpi_crm_column(crm_schema, relation, column_name) = 'jsonb'
		THEN pg_catalog.format(
			'coalesce(%1$I.%2$I ->> %3$L, %1$I.%2$I ->> ''en_US'', (SELECT min(value) FROM jsonb_each_text(%1$I.%2$I)))',
			alias, column_name, @extschema@.kpi_odoo_language(crm_schema))
		ELSE pg_catalog.format('%I.%I::text', alias, column_name) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_name(text, text, text, text) IS
'SQL for a name that Odoo may keep translated as JSON: in the company''s language, else in English, else in any; for the adapter';

CREATE FUNCTION @extschema@.kpi_odoo_currency(crm_schema text) RETURNS text
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	currency text;
BEGIN
	PERFORM @extschema@.kpi_odoo_require(crm_schema);
	EXECUTE format('SELECT m.name FROM %1$I.res_company c JOIN %1$I.res_currency m ON m.id = c.currency_id ORDER BY c.id LIMIT 1', crm_schema)
	   INTO currency;
	RETURN currency;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_odoo_currency(text) IS
'currency of the books of an Odoo database''s first company; for the adapter';

CREATE FUNCTION @extschema@.kpi_odoo_require(crm_schema text) RETURNS void
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	missing text[] := @extschema@.kpi_crm_missing(crm_schema, 'res_users', 'res_partner', 'res_company', 'res_currency', 'res_country', 'crm_team');
BEGIN
	IF missing IS NULL AND @extschema@.kpi_crm_missing(crm_schema, 'crm_lead', 'crm_stage') IS NOT NULL THEN
		missing := @extschema@.kpi_crm_missing(crm_schema, 'sale_order', 'sale_order_line');
	END IF;
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'schema "%" does not hold an Odoo database with sales or CRM', crm_schema
			USING ERRCODE = 'undefined_table',
				  DETAIL = format('Looked for the tables res_users, res_partner, res_company, res_currency, res_country and crm_team, and for crm_lead with crm_stage or sale_order with sale_order_line; missing: %s.',
								  array_to_string(missing, ', ')),
				  HINT = 'Name the schema of Odoo''s tables: kpi_bind_crm(''odoo'', crm_schema).';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_odoo_require(text) IS
'raises, naming what it looked for, unless the schema holds Odoo''s tables for CRM or sales; for the adapter';

/*
 * The account is the commercial partner: a company with three contacts who
 * order is one customer.  Only those that were ever offered something count;
 * suppliers and employees are partners too.
 */
CREATE FUNCTION @extschema@.kpi_odoo_account_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		SELECT p.id,
			   p.name::text AS name,
			   %2$s AS segment,
			   %3$s AS region,
			   p.create_date AT TIME ZONE 'UTC' AS created_at
		  FROM %1$I.res_partner p
		  LEFT JOIN %1$I.res_country country ON country.id = p.country_id
		  %4$s
		 WHERE p.id IN (
			SELECT coalesce(c.commercial_partner_id, c.id) FROM %1$I.res_partner c
			 WHERE c.id IN (%5$s))
		$query$,
		crm_schema,
		CASE WHEN i.exists THEN @extschema@.kpi_odoo_name(crm_schema, 'industry', 'res_partner_industry') ELSE 'NULL::text' END,
		@extschema@.kpi_odoo_name(crm_schema, 'country', 'res_country'),
		CASE WHEN i.exists THEN pg_catalog.format('LEFT JOIN %I.res_partner_industry industry ON industry.id = p.industry_id', crm_schema) END,
		pg_catalog.concat_ws(' UNION ALL ',
			CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'sale_order', 'partner_id') IS NOT NULL
				THEN pg_catalog.format('SELECT partner_id FROM %I.sale_order', crm_schema) END,
			CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'crm_lead', 'partner_id') IS NOT NULL
				THEN pg_catalog.format('SELECT partner_id FROM %I.crm_lead', crm_schema) END,
			CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'res_partner', 'customer_rank') IS NOT NULL
				THEN pg_catalog.format('SELECT id FROM %I.res_partner WHERE customer_rank > 0', crm_schema) END))
	  FROM (SELECT @extschema@.kpi_crm_column(crm_schema, 'res_partner', 'industry_id') IS NOT NULL
			   AND @extschema@.kpi_crm_column(crm_schema, 'res_partner_industry', 'name') IS NOT NULL) i(exists);
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_account_query(text) IS
'query for source account on Odoo''s tables; for the adapter';

/*
 * On the roster are the employees who sell: in a sales team, or named on a
 * lead or an order.  Odoo does not say since when; a user who sold before he
 * was entered (data taken over from elsewhere) counts from his first deal.
 * When a user was archived is not kept either: the row's last change is the
 * closest that there is.  User 1 is the system itself.
 */
CREATE FUNCTION @extschema@.kpi_odoo_rep_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		WITH sold AS (
			SELECT user_id, min(at) AS since FROM (%4$s) s WHERE user_id IS NOT NULL GROUP BY user_id
		)
		SELECT u.id,
			   p.name::text AS name,
			   %2$s AS team,
			   least(u.create_date, sold.since) AT TIME ZONE 'UTC' AS active_from,
			   CASE WHEN NOT u.active THEN u.write_date END AT TIME ZONE 'UTC' AS active_to
		  FROM %1$I.res_users u
		  JOIN %1$I.res_partner p ON p.id = u.partner_id
		  LEFT JOIN %1$I.crm_team team ON team.id = %3$s
		  LEFT JOIN sold ON sold.user_id = u.id
		 WHERE u.share IS NOT TRUE AND u.id <> 1
		   AND (team.id IS NOT NULL OR sold.user_id IS NOT NULL)
		$query$,
		crm_schema,
		@extschema@.kpi_odoo_name(crm_schema, 'team', 'crm_team'),
		pg_catalog.format('coalesce(%s, %s)',
			@extschema@.kpi_crm_pick(crm_schema, 'u', 'res_users', '{sale_team_id}', 'integer'),
			CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'crm_team_member', 'crm_team_id') IS NOT NULL
				THEN pg_catalog.format('(SELECT m.crm_team_id FROM %I.crm_team_member m WHERE m.user_id = u.id AND m.active ORDER BY m.create_date, m.id LIMIT 1)', crm_schema)
				ELSE 'NULL::integer' END),
		pg_catalog.concat_ws(' UNION ALL ',
			CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'sale_order', 'user_id') IS NOT NULL
				THEN pg_catalog.format('SELECT user_id, least(create_date, date_order) AS at FROM %I.sale_order', crm_schema) END,
			CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'crm_lead', 'user_id') IS NOT NULL
				THEN pg_catalog.format('SELECT user_id, create_date AS at FROM %I.crm_lead', crm_schema) END));
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_rep_query(text) IS
'query for source rep on Odoo''s tables; for the adapter';

CREATE FUNCTION @extschema@.kpi_odoo_marketing(crm_schema text, alias text, relation text,
											   OUT channel text, OUT campaign text, OUT joins text)
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN s.exists THEN @extschema@.kpi_odoo_name(crm_schema, 'channel', 'utm_source') ELSE 'NULL::text' END,
		   CASE WHEN c.exists THEN @extschema@.kpi_odoo_name(crm_schema, 'campaign', 'utm_campaign',
				CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'utm_campaign', 'title') IS NULL THEN 'name' ELSE 'title' END)
			ELSE 'NULL::text' END,
		   pg_catalog.concat_ws(' ',
			CASE WHEN s.exists THEN pg_catalog.format('LEFT JOIN %I.utm_source channel ON channel.id = %I.source_id', crm_schema, alias) END,
			CASE WHEN c.exists THEN pg_catalog.format('LEFT JOIN %I.utm_campaign campaign ON campaign.id = %I.campaign_id', crm_schema, alias) END)
	  FROM (SELECT @extschema@.kpi_crm_column(crm_schema, relation, 'source_id') IS NOT NULL
			   AND @extschema@.kpi_crm_column(crm_schema, 'utm_source', 'name') IS NOT NULL) s(exists),
		   (SELECT @extschema@.kpi_crm_column(crm_schema, relation, 'campaign_id') IS NOT NULL
			   AND @extschema@.kpi_crm_column(crm_schema, 'utm_campaign', 'name') IS NOT NULL) c(exists);
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_marketing(text, text, text) IS
'SQL for the channel (Odoo''s source: Newsletter, Search engine ...), the campaign and the joins they need; for the adapter';

/*
 * Tracked changes of a model's records, in the order made.  A number is in the
 * integer, float or (to 16) monetary column by the field's type; 0 stands for
 * "none" in links and for false in flags.
 */
CREATE FUNCTION @extschema@.kpi_odoo_changes(crm_schema text, model text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		SELECT m.res_id AS record_id, m.date AS at, t.id, f.name::text AS field,
			   coalesce(t.old_value_integer, %4$s, t.old_value_float::text::numeric, 0) AS old,
			   coalesce(t.new_value_integer, %5$s, t.new_value_float::text::numeric, 0) AS new
		  FROM %1$I.mail_tracking_value t
		  JOIN %1$I.mail_message m ON m.id = t.mail_message_id AND m.model = %2$L
		  JOIN %1$I.ir_model_fields f ON f.id = t.%3$I AND f.model = %2$L
		$query$,
		crm_schema, model,
		CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'mail_tracking_value', 'field_id') IS NULL THEN 'field' ELSE 'field_id' END,
		@extschema@.kpi_crm_pick(crm_schema, 't', 'mail_tracking_value', '{old_value_monetary}', 'numeric') || '::text::numeric',
		@extschema@.kpi_crm_pick(crm_schema, 't', 'mail_tracking_value', '{new_value_monetary}', 'numeric') || '::text::numeric')
	 WHERE @extschema@.kpi_crm_missing(crm_schema, 'mail_tracking_value', 'mail_message', 'ir_model_fields') IS NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_changes(text, text) IS
'query for the tracked changes of a model''s records: record_id, at, id, field, old, new; NULL without the tables. For the adapter';

/*
 * A line's amount is a share of its order's: the difference of the converted
 * running total after and before it, so that whatever the rate the lines add
 * up to the converted total, to the last digit.  What the order's header says
 * beyond its lines (Odoo rounds either way, by setting) is a line of its own,
 * without product and without cost.  Odoo keeps a line's cost in the order's
 * currency; its own margin counts a cost of 0 as known, and so does this.
 */
CREATE FUNCTION @extschema@.kpi_odoo_sale_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		WITH line AS (
			SELECT l.order_id, l.id, l.product_id, l.price_subtotal, %2$s AS direct_cost,
				   sum(l.price_subtotal) OVER (PARTITION BY l.order_id ORDER BY l.id) AS running
			  FROM %1$I.sale_order_line l
			 WHERE l.display_type IS NULL AND l.price_subtotal IS NOT NULL
		), lines AS (
			SELECT l.order_id, sum(l.price_subtotal) AS amount
			  FROM %1$I.sale_order_line l
			 WHERE l.display_type IS NULL
			 GROUP BY l.order_id
		), part AS (
			SELECT line.order_id, line.id AS line_id, line.product_id,
				   line.running AS upto, line.running - line.price_subtotal AS beyond, line.direct_cost
			  FROM line
			UNION ALL
			SELECT o.id, NULL, NULL, o.amount_untaxed, coalesce(lines.amount, 0), 0
			  FROM %1$I.sale_order o
			  LEFT JOIN lines ON lines.order_id = o.id
			 WHERE o.amount_untaxed <> coalesce(lines.amount, 0)
		)
		SELECT o.id AS sale_id,
			   part.line_id,
			   o.date_order AT TIME ZONE 'UTC' AS sold_at,
			   round(part.upto / o.currency_rate, 12) - round(part.beyond / o.currency_rate, 12) AS amount,
			   round(part.direct_cost / o.currency_rate, 12) AS direct_cost,
			   books.name::text AS currency,
			   coalesce(p.commercial_partner_id, p.id) AS account_id,
			   %3$s AS opportunity_id,
			   o.user_id AS rep_id,
			   %4$s AS team,
			   %5$s AS region,
			   %6$s AS product,
			   %7$s AS channel,
			   %8$s AS campaign
		  FROM %1$I.sale_order o
		  JOIN part ON part.order_id = o.id
		  LEFT JOIN %1$I.res_company company ON company.id = o.company_id
		  LEFT JOIN %1$I.res_currency books ON books.id = company.currency_id
		  LEFT JOIN %1$I.res_partner p ON p.id = o.partner_id
		  LEFT JOIN %1$I.res_country country ON country.id = p.country_id
		  LEFT JOIN %1$I.crm_team team ON team.id = o.team_id
		  LEFT JOIN %1$I.product_product variant ON variant.id = part.product_id
		  LEFT JOIN %1$I.product_template product ON product.id = variant.product_tmpl_id
		  %9$s
		 WHERE o.state IN ('sale', 'done')
		$query$,
		crm_schema,
		CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'sale_order_line', 'purchase_price') IS NULL
			THEN 'NULL::numeric' ELSE 'l.purchase_price * l.product_uom_qty' END,
		@extschema@.kpi_crm_pick(crm_schema, 'o', 'sale_order', '{opportunity_id}', 'integer'),
		@extschema@.kpi_odoo_name(crm_schema, 'team', 'crm_team'),
		@extschema@.kpi_odoo_name(crm_schema, 'country', 'res_country'),
		@extschema@.kpi_odoo_name(crm_schema, 'product', 'product_template'),
		m.channel, m.campaign, m.joins)
	  FROM @extschema@.kpi_odoo_marketing(crm_schema, 'o', 'sale_order') m;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_sale_query(text) IS
'query for source sale on Odoo''s tables; for the adapter';

/*
 * A quotation counts as sent once it has left the draft: Odoo does not track
 * that step.  It was sent when it was made, or on its own date when that is
 * earlier (entered later than given).  Confirmation overwrites date_order and
 * so dates the decision; a cancellation is dated by its tracked change.  One
 * past its validity counts as decided on the day after.
 */
CREATE FUNCTION @extschema@.kpi_odoo_quote_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		SELECT o.id,
			   CASE WHEN o.state <> 'draft' THEN least(o.create_date, o.date_order) END AT TIME ZONE 'UTC' AS sent_at,
			   CASE WHEN o.state IN ('sale', 'done') THEN o.date_order
					WHEN o.state = 'cancel' THEN %2$s
					WHEN expired.day IS NOT NULL THEN expired.day::timestamp END AT TIME ZONE 'UTC' AS decided_at,
			   CASE WHEN o.state IN ('sale', 'done') THEN 'accepted'
					WHEN o.state = 'cancel' THEN 'rejected'
					WHEN expired.day IS NOT NULL THEN 'expired'
					ELSE o.state::text END AS status,
			   %3$s AS opportunity_id,
			   coalesce(p.commercial_partner_id, p.id) AS account_id,
			   round(o.amount_untaxed / o.currency_rate, 12) AS amount,
			   books.name::text AS currency,
			   o.user_id AS rep_id,
			   %4$s AS team,
			   %5$s AS region
		  FROM %1$I.sale_order o
		  LEFT JOIN LATERAL (
			SELECT o.validity_date + 1 AS day
			 WHERE o.state = 'sent' AND o.validity_date < (now() AT TIME ZONE 'UTC')::date) expired ON true
		  LEFT JOIN %1$I.res_company company ON company.id = o.company_id
		  LEFT JOIN %1$I.res_currency books ON books.id = company.currency_id
		  LEFT JOIN %1$I.res_partner p ON p.id = o.partner_id
		  LEFT JOIN %1$I.res_country country ON country.id = p.country_id
		  LEFT JOIN %1$I.crm_team team ON team.id = o.team_id
		  %6$s
		$query$,
		crm_schema,
		CASE WHEN t.changes IS NULL THEN 'NULL::timestamp' ELSE 'cancelled.at' END,
		@extschema@.kpi_crm_pick(crm_schema, 'o', 'sale_order', '{opportunity_id}', 'integer'),
		@extschema@.kpi_odoo_name(crm_schema, 'team', 'crm_team'),
		@extschema@.kpi_odoo_name(crm_schema, 'country', 'res_country'),
		'LEFT JOIN (SELECT c.record_id, max(c.at) AS at FROM (' || t.changes
			|| $$) c WHERE c.field = 'state' GROUP BY c.record_id) cancelled ON cancelled.record_id = o.id$$)
	  FROM (SELECT @extschema@.kpi_odoo_changes(crm_schema, 'sale.order') AS changes) t;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_quote_query(text) IS
'query for source quote on Odoo''s tables; for the adapter';

/* Names of the same stage in several teams are one stage of the funnel. */
CREATE FUNCTION @extschema@.kpi_odoo_stage_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		SELECT %2$s AS name,
			   min(s.sequence) AS position,
			   bool_or(s.is_won IS TRUE) AS is_won,
			   false AS is_lost
		  FROM %1$I.crm_stage s
		 GROUP BY 1
		$query$,
		crm_schema, @extschema@.kpi_odoo_name(crm_schema, 's', 'crm_stage'));
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_stage_query(text) IS
'query for source stage on Odoo''s tables; for the adapter';

/* From 18 on Odoo stores this itself, as won_status; the same words, "pending" apart. */
CREATE FUNCTION @extschema@.kpi_odoo_status() RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT $fragment$
			   CASE WHEN l.active IS NOT TRUE AND coalesce(l.probability, 0) = 0 THEN 'lost'
					WHEN stage.is_won THEN 'won'
					WHEN l.active THEN 'open'
					ELSE 'archived' END$fragment$;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_status() IS
'SQL for the status of a lead l in its stage; for the adapter';

/*
 * date_closed is NULL for a lost deal of Odoo 14: the change of "active" tells.
 * It is passed on as it is found, also where it contradicts the status.
 */
CREATE FUNCTION @extschema@.kpi_odoo_opportunity_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		SELECT l.id,
			   l.name::text AS name,
			   coalesce(l.date_conversion, l.create_date) AT TIME ZONE 'UTC' AS created_at,
			   %2$s AS status,
			   coalesce(l.date_closed, %3$s) AT TIME ZONE 'UTC' AS closed_at,
			   l.expected_revenue::text::numeric AS amount,
			   books.name::text AS currency,
			   l.probability::text::numeric * 0.01 AS probability,
			   %4$s AS stage,
			   l.date_deadline AS expected_close,
			   %5$s AS lost_reason,
			   CASE WHEN l.date_conversion IS NOT NULL THEN l.id END AS lead_id,
			   coalesce(p.commercial_partner_id, p.id) AS account_id,
			   l.user_id AS rep_id,
			   %6$s AS team,
			   %7$s AS region,
			   %8$s AS channel,
			   %9$s AS campaign
		  FROM %1$I.crm_lead l
		  LEFT JOIN %1$I.crm_stage stage ON stage.id = l.stage_id
		  LEFT JOIN %1$I.crm_lost_reason reason ON reason.id = %10$s
		  LEFT JOIN %1$I.res_company company ON company.id = coalesce(l.company_id, (SELECT min(id) FROM %1$I.res_company))
		  LEFT JOIN %1$I.res_currency books ON books.id = company.currency_id
		  LEFT JOIN %1$I.res_partner p ON p.id = l.partner_id
		  LEFT JOIN %1$I.res_country country ON country.id = coalesce(l.country_id, p.country_id)
		  LEFT JOIN %1$I.crm_team team ON team.id = l.team_id
		  %11$s
		  %12$s
		 WHERE l.type = 'opportunity'
		$query$,
		crm_schema,
		@extschema@.kpi_odoo_status(),
		CASE WHEN t.changes IS NULL THEN 'NULL::timestamp'
			ELSE 'CASE WHEN l.active IS NOT TRUE AND coalesce(l.probability, 0) = 0 THEN lost.at END' END,
		@extschema@.kpi_odoo_name(crm_schema, 'stage', 'crm_stage'),
		@extschema@.kpi_odoo_name(crm_schema, 'reason', 'crm_lost_reason'),
		@extschema@.kpi_odoo_name(crm_schema, 'team', 'crm_team'),
		@extschema@.kpi_odoo_name(crm_schema, 'country', 'res_country'),
		m.channel, m.campaign,
		@extschema@.kpi_crm_pick(crm_schema, 'l', 'crm_lead', '{lost_reason_id,lost_reason}', 'integer'),
		'LEFT JOIN (SELECT c.record_id, max(c.at) AS at FROM (' || t.changes
			|| $$) c WHERE c.field = 'active' AND c.new = 0 GROUP BY c.record_id) lost ON lost.record_id = l.id$$,
		m.joins)
	  FROM (SELECT @extschema@.kpi_odoo_changes(crm_schema, 'crm.lead') AS changes) t,
		   @extschema@.kpi_odoo_marketing(crm_schema, 'l', 'crm_lead') m;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_opportunity_query(text) IS
'query for source opportunity on Odoo''s tables; for the adapter';

/*
 * What an opportunity was in each interval of its life: stage, owner, team,
 * amount and whether it was open, each replayed from its tracked changes.
 * Before the first change a value is that change's old one; untracked, it is
 * the present one.  A closing without a tracked change (imported deals) takes
 * place at date_closed; the stage before a win is then unknown.  The last interval
 * is the record as it is.  The life begins with the lead's conversion; what was
 * changed before is where it starts.
 */
CREATE FUNCTION @extschema@.kpi_odoo_opportunity_history_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		WITH change AS (
			SELECT c.record_id AS id, c.at,
				   (array_agg(c.new ORDER BY c.id DESC) FILTER (WHERE c.field = 'stage_id'))[1] AS stage,
				   (array_agg(c.new ORDER BY c.id DESC) FILTER (WHERE c.field = 'active'))[1] AS active,
				   (array_agg(c.new ORDER BY c.id DESC) FILTER (WHERE c.field = 'user_id'))[1] AS rep,
				   (array_agg(c.new ORDER BY c.id DESC) FILTER (WHERE c.field = 'team_id'))[1] AS team,
				   (array_agg(c.new ORDER BY c.id DESC) FILTER (WHERE c.field = 'expected_revenue'))[1] AS amount
			  FROM (%2$s) c
			 WHERE c.field IN ('stage_id', 'active', 'user_id', 'team_id', 'expected_revenue')
			 GROUP BY c.record_id, c.at
		), initial AS (
			SELECT c.record_id AS id,
				   (array_agg(c.old ORDER BY c.at, c.id) FILTER (WHERE c.field = 'stage_id'))[1] AS stage,
				   (array_agg(c.old ORDER BY c.at, c.id) FILTER (WHERE c.field = 'active'))[1] AS active,
				   (array_agg(c.old ORDER BY c.at, c.id) FILTER (WHERE c.field = 'user_id'))[1] AS rep,
				   (array_agg(c.old ORDER BY c.at, c.id) FILTER (WHERE c.field = 'team_id'))[1] AS team,
				   (array_agg(c.old ORDER BY c.at, c.id) FILTER (WHERE c.field = 'expected_revenue'))[1] AS amount
			  FROM (%2$s) c
			 GROUP BY c.record_id
		), deal AS (
			SELECT l.id, coalesce(l.date_conversion, l.create_date) AS since, least(l.create_date, l.date_conversion) AS born,
				   l.stage_id, l.user_id, l.team_id, l.expected_revenue::text::numeric AS amount, l.active IS TRUE AS active,
				   %3$s AS status, l.date_closed AS closed,
				   i.stage AS stage_then, i.active AS active_then, i.rep AS rep_then, i.team AS team_then, i.amount AS amount_then
			  FROM %1$I.crm_lead l
			  LEFT JOIN %1$I.crm_stage stage ON stage.id = l.stage_id
			  LEFT JOIN initial i ON i.id = l.id
			 WHERE l.type = 'opportunity'
		), untracked AS (
			SELECT d.*, d.closed > d.born AND d.status = 'won' AND d.stage_then IS NULL AS won,
				   d.closed > d.born AND d.status = 'lost' AND d.active_then IS NULL AS lost
			  FROM deal d
		), step AS (
			SELECT d.id, d.born AS at, NULL::timestamp AS made,
				   coalesce(d.stage_then, CASE WHEN d.won THEN 0 ELSE d.stage_id END, 0) AS stage,
				   coalesce(d.active_then, CASE WHEN d.lost OR d.active THEN 1 ELSE 0 END) AS active,
				   coalesce(d.rep_then, d.user_id, 0) AS rep,
				   coalesce(d.team_then, d.team_id, 0) AS team,
				   coalesce(d.amount_then, d.amount, 0) AS amount
			  FROM untracked d
			UNION ALL
			SELECT c.id, greatest(c.at, d.born), c.at, c.stage, c.active, c.rep, c.team, c.amount
			  FROM change c JOIN deal d ON d.id = c.id
			UNION ALL
			SELECT d.id, d.closed, d.closed,
				   CASE WHEN d.won THEN d.stage_id END, CASE WHEN d.lost THEN 0 END, NULL, NULL, NULL
			  FROM untracked d WHERE d.won OR d.lost
		), numbered AS (
			SELECT s.*, row_number() OVER life AS n, lead(s.at) OVER life AS until
			  FROM step s
			WINDOW life AS (PARTITION BY s.id ORDER BY s.at, s.made NULLS FIRST)
		), state AS (
			/* the newest of (n, value) so far is the last value that was set */
			SELECT s.id, s.at, s.until,
				   (max(ARRAY[s.n, s.stage]) FILTER (WHERE s.stage IS NOT NULL) OVER life)[2] AS stage,
				   (max(ARRAY[s.n, s.active]) FILTER (WHERE s.active IS NOT NULL) OVER life)[2] AS active,
				   (max(ARRAY[s.n, s.rep]) FILTER (WHERE s.rep IS NOT NULL) OVER life)[2] AS rep,
				   (max(ARRAY[s.n, s.team]) FILTER (WHERE s.team IS NOT NULL) OVER life)[2] AS team,
				   (max(ARRAY[s.n, s.amount]) FILTER (WHERE s.amount IS NOT NULL) OVER life)[2] AS amount
			  FROM numbered s
			WINDOW life AS (PARTITION BY s.id ORDER BY s.n)
		)
		SELECT d.id AS opportunity_id,
			   greatest(s.at, d.since) AT TIME ZONE 'UTC' AS valid_from,
			   s.until AT TIME ZONE 'UTC' AS valid_to,
			   %4$s AS stage,
			   CASE WHEN s.until IS NULL THEN d.status
					WHEN s.active = 0 THEN 'lost'
					WHEN stage.is_won THEN 'won'
					ELSE 'open' END AS status,
			   CASE WHEN s.until IS NULL THEN d.amount ELSE s.amount END AS amount,
			   CASE WHEN s.until IS NULL THEN d.user_id ELSE nullif(s.rep, 0)::integer END AS rep_id,
			   %5$s AS team
		  FROM state s
		  JOIN deal d ON d.id = s.id
		  LEFT JOIN %1$I.crm_stage stage ON stage.id = CASE WHEN s.until IS NULL THEN d.stage_id ELSE s.stage END
		  LEFT JOIN %1$I.crm_team team ON team.id = CASE WHEN s.until IS NULL THEN d.team_id ELSE s.team END
		 WHERE s.until IS NULL OR s.until > greatest(s.at, d.since)
		$query$,
		crm_schema,
		t.changes,
		@extschema@.kpi_odoo_status(),
		@extschema@.kpi_odoo_name(crm_schema, 'stage', 'crm_stage'),
		@extschema@.kpi_odoo_name(crm_schema, 'team', 'crm_team'))
	  FROM (SELECT @extschema@.kpi_odoo_changes(crm_schema, 'crm.lead') AS changes) t;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_opportunity_history_query(text) IS
'query for source opportunity_history on Odoo''s tables; for the adapter';

/*
 * A lead is what is or was one (type, or a date of conversion).  Converting
 * makes it an opportunity, winning that makes it a customer.
 */
CREATE FUNCTION @extschema@.kpi_odoo_lead_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		SELECT l.id,
			   l.create_date AT TIME ZONE 'UTC' AS created_at,
			   l.date_conversion AT TIME ZONE 'UTC' AS qualified_at,
			   CASE WHEN %2$s = 'won' THEN l.date_closed END AT TIME ZONE 'UTC' AS converted_at,
			   l.user_id AS rep_id,
			   %3$s AS team,
			   %4$s AS region,
			   %5$s AS channel,
			   %6$s AS campaign,
			   coalesce(p.commercial_partner_id, p.id) AS account_id
		  FROM %1$I.crm_lead l
		  LEFT JOIN %1$I.crm_stage stage ON stage.id = l.stage_id
		  LEFT JOIN %1$I.res_partner p ON p.id = l.partner_id
		  LEFT JOIN %1$I.res_country country ON country.id = coalesce(l.country_id, p.country_id)
		  LEFT JOIN %1$I.crm_team team ON team.id = l.team_id
		  %7$s
		 WHERE l.type = 'lead' OR l.date_conversion IS NOT NULL
		$query$,
		crm_schema,
		@extschema@.kpi_odoo_status(),
		@extschema@.kpi_odoo_name(crm_schema, 'team', 'crm_team'),
		@extschema@.kpi_odoo_name(crm_schema, 'country', 'res_country'),
		m.channel, m.campaign, m.joins)
	  FROM @extschema@.kpi_odoo_marketing(crm_schema, 'l', 'crm_lead') m;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_lead_query(text) IS
'query for source lead on Odoo''s tables; for the adapter';

/*
 * What kind of activity a name means, in English and German; "Email: Welcome
 * Demo" is an e-mail, "Call for Demo" a demo.  Odoo's own types are told by
 * their identifiers, whatever they are called.
 */
CREATE FUNCTION @extschema@.kpi_odoo_kind(name text, fallback text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($fragment$
			   CASE WHEN %1$s ~* E'^\\s*e-?mail' THEN 'email'
					WHEN %1$s ~* E'\\mdemos?\\M|vorf.{1,2}hrung' THEN 'demo'
					WHEN %1$s ~* E'\\monboarding' THEN 'onboarding'
					WHEN %1$s ~* E'\\mlinkedin\\M' THEN 'linkedin'
					WHEN %1$s ~* E'\\mtrial\\M|\\mtest(phase|zugang)' THEN 'trial'
					ELSE %2$s END$fragment$, name, fallback);
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_kind(text, text) IS
'SQL for the kind of activity that a name means, else the fallback; for the adapter';

CREATE FUNCTION @extschema@.kpi_odoo_activity_types(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		SELECT t.id, t.category, %2$s AS kind
		  FROM %1$I.mail_activity_type t
		  %3$s
		$query$,
		crm_schema,
		@extschema@.kpi_odoo_kind(n.name, pg_catalog.format($fragment$
			CASE WHEN t.category = 'phonecall' OR %2$s = 'mail_activity_data_call' OR %1$s ~* E'\\m(phone )?calls?\\M|\\manruf|telef' THEN 'call'
				 WHEN %2$s = 'mail_activity_data_email' OR %1$s ~* E'\\me-?mails?\\M' THEN 'email'
				 WHEN t.category = 'meeting' OR %2$s = 'mail_activity_data_meeting' OR %1$s ~* E'\\m(meeting|termin|besprechung)' THEN 'meeting'
				 ELSE 'other' END$fragment$,
			n.name, CASE WHEN x.exists THEN 'x.name' ELSE 'NULL::text' END)),
		CASE WHEN x.exists THEN pg_catalog.format(
			$$LEFT JOIN %I.ir_model_data x ON x.model = 'mail.activity.type' AND x.module = 'mail' AND x.res_id = t.id$$, crm_schema) END)
	  FROM (SELECT @extschema@.kpi_odoo_name(crm_schema, 't', 'mail_activity_type')) n(name),
		   (SELECT @extschema@.kpi_crm_column(crm_schema, 'ir_model_data', 'res_id') IS NOT NULL) x(exists);
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_activity_types(text) IS
'query for Odoo''s activity types: id, category, kind; for the adapter';

/*
 * A calendar entry is planned until it begins.  Its kind is that of the
 * activity it was made from (kept as long as that is), else its title's.
 */
CREATE FUNCTION @extschema@.kpi_odoo_meetings(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
			UNION ALL
			SELECT 'calendar.event,' || e.id,
				   %2$s, %3$s, e.start, e.create_date,
				   coalesce(nullif(made.kind, 'other'), %4$s),
				   CASE WHEN e.active IS NOT TRUE THEN 'cancelled' WHEN e.start > now() AT TIME ZONE 'UTC' THEN 'planned' ELSE 'done' END,
				   'out', NULL, e.user_id
			  FROM %1$I.calendar_event e
			  LEFT JOIN (SELECT DISTINCT ON (a.calendar_event_id) a.calendar_event_id, type.kind
						   FROM %1$I.mail_activity a JOIN type ON type.id = a.activity_type_id
						  WHERE a.calendar_event_id IS NOT NULL
						  ORDER BY a.calendar_event_id, a.id) made ON made.calendar_event_id = e.id
			 WHERE %2$s IN ('crm.lead', 'sale.order', 'res.partner')
				OR coalesce(%3$s, 0) = 0 AND e.user_id IN (SELECT r.id FROM @extschema@.kpi_odoo_rep r)
		$query$,
		crm_schema,
		CASE WHEN has_deal THEN $$CASE WHEN e.opportunity_id IS NOT NULL THEN 'crm.lead' ELSE e.res_model::text END$$ ELSE 'e.res_model::text' END,
		CASE WHEN has_deal THEN 'coalesce(e.opportunity_id, e.res_id)' ELSE 'e.res_id' END,
		@extschema@.kpi_odoo_kind('e.name', $$'meeting'$$))
	  FROM (SELECT @extschema@.kpi_crm_column(crm_schema, 'calendar_event', 'opportunity_id') IS NOT NULL) h(has_deal)
	 WHERE @extschema@.kpi_crm_missing(crm_schema, 'calendar_event', 'mail_activity') IS NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_meetings(text) IS
'SQL for the calendar''s part of the activities, NULL without a calendar; for the adapter';

CREATE FUNCTION @extschema@.kpi_odoo_planned(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
			UNION ALL
			SELECT 'mail.activity,' || a.id, a.res_model::text, a.res_id, a.date_deadline + time '12:00', a.create_date,
				   coalesce(type.kind, 'other'), 'planned', 'out', NULL, a.user_id
			  FROM %1$I.mail_activity a
			  LEFT JOIN type ON type.id = a.activity_type_id
			 WHERE a.res_model IN ('crm.lead', 'sale.order', 'res.partner')
			   %2$s
			   %3$s
		$query$,
		crm_schema,
		CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'mail_activity', 'calendar_event_id') IS NOT NULL THEN 'AND a.calendar_event_id IS NULL' END,
		CASE WHEN @extschema@.kpi_crm_column(crm_schema, 'mail_activity', 'active') IS NOT NULL THEN 'AND a.active' END)
	 WHERE @extschema@.kpi_crm_missing(crm_schema, 'mail_activity') IS NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_planned(text) IS
'SQL for the activities still to do, NULL without them; for the adapter';

/*
 * What was done, each thing once, on leads, orders and partners:
 *
 * - An activity marked done leaves a message with its type, written by who did
 *   it, in every version (14 to 16 delete the activity, later ones archive it).
 * - An e-mail is a message: out when an employee wrote it and it is no internal
 *   note, else in.  An e-mail activity marked done counts only when the same
 *   person sent no message there that day, for the message is that e-mail.
 * - A meeting is its calendar entry; activities of the category "meeting" are
 *   left out, for Odoo makes a calendar entry for each.  One without a record is
 *   counted for people who sell.
 * - Activities still to do are planned; on noon UTC of their day, which is that
 *   day in every time zone of the Americas, Europe, Africa and most of Asia.
 *
 * What the system (user 1) wrote is nobody's work.  A reply is the next
 * incoming message on the same record.
 */
CREATE FUNCTION @extschema@.kpi_odoo_activity_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		WITH type AS (%2$s
		), employee AS (
			SELECT DISTINCT ON (u.partner_id) u.partner_id, u.id
			  FROM %1$I.res_users u WHERE u.share IS NOT TRUE
			 ORDER BY u.partner_id, u.active DESC, u.id
		), message AS (
			SELECT m.id, m.model::text AS model, m.res_id, m.date AS at, employee.id AS rep_id, m.author_id,
				   m.mail_activity_type_id AS type_id,
				   m.mail_activity_type_id IS NULL AND employee.id IS NOT NULL AS sent,
				   m.mail_activity_type_id IS NULL AND employee.id IS NULL AS received
			  FROM %1$I.mail_message m
			  LEFT JOIN %1$I.mail_message_subtype subtype ON subtype.id = m.subtype_id
			  LEFT JOIN employee ON employee.partner_id = m.author_id
			 WHERE m.model IN ('crm.lead', 'sale.order', 'res.partner') AND m.res_id <> 0
			   AND employee.id IS DISTINCT FROM 1
			   AND (m.mail_activity_type_id IS NOT NULL
					OR m.message_type IN ('comment', 'email', 'email_outgoing')
				   AND m.is_internal IS NOT TRUE AND subtype.internal IS NOT TRUE)
		), thread AS (
			SELECT m.*,
				   min(m.at) FILTER (WHERE m.received) OVER (PARTITION BY m.model, m.res_id ORDER BY m.at, m.id
					ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS reply,
				   bool_or(m.sent) OVER (PARTITION BY m.model, m.res_id, m.author_id, m.at::date) AS sent_that_day
			  FROM message m
		), done AS (
			SELECT 'mail.message,' || t.id AS id, t.model, t.res_id, t.at, NULL::timestamp AS booked,
				   coalesce(type.kind, 'email') AS kind, 'done' AS status,
				   CASE WHEN t.received THEN 'in' ELSE 'out' END AS direction,
				   CASE WHEN t.sent THEN t.reply END AS reply, t.rep_id
			  FROM thread t
			  LEFT JOIN type ON type.id = t.type_id
			 WHERE t.type_id IS NULL
				OR type.category IS DISTINCT FROM 'meeting' AND NOT (type.kind = 'email' AND t.sent_that_day)
			%3$s
			%4$s
		)
		SELECT done.id,
			   done.at AT TIME ZONE 'UTC' AS happened_at,
			   done.booked AT TIME ZONE 'UTC' AS booked_at,
			   done.kind,
			   done.status,
			   done.direction,
			   done.reply AT TIME ZONE 'UTC' AS replied_at,
			   coalesce(done.rep_id, %8$s) AS rep_id,
			   coalesce('res.partner,' || p.id, done.model || ',' || done.res_id) AS contact_id,
			   coalesce(p.commercial_partner_id, p.id) AS account_id,
			   %5$s
		  FROM done
		  %6$s
		  LEFT JOIN %1$I.res_partner p ON p.id = %7$s
		  LEFT JOIN %1$I.res_country country ON country.id = %9$s
		$query$,
		crm_schema,
		@extschema@.kpi_odoo_activity_types(crm_schema),
		@extschema@.kpi_odoo_meetings(crm_schema),
		@extschema@.kpi_odoo_planned(crm_schema),
		CASE WHEN has_lead THEN pg_catalog.format($fragment$
			   CASE WHEN l.type = 'lead' OR l.date_conversion IS NOT NULL THEN l.id END AS lead_id,
			   CASE WHEN l.type = 'opportunity' THEN l.id ELSE %s END AS opportunity_id,
			   %s AS region,
			   %s AS channel,
			   %s AS campaign$fragment$,
				CASE WHEN has_order THEN @extschema@.kpi_crm_pick(crm_schema, 'o', 'sale_order', '{opportunity_id}', 'integer') ELSE 'NULL' END,
				country, m.channel, m.campaign)
			ELSE pg_catalog.format('%s AS region', country) END,
		pg_catalog.concat_ws(' ',
			CASE WHEN has_lead THEN pg_catalog.format($$LEFT JOIN %I.crm_lead l ON done.model = 'crm.lead' AND l.id = done.res_id $$, crm_schema) || m.joins END,
			CASE WHEN has_order THEN pg_catalog.format($$LEFT JOIN %I.sale_order o ON done.model = 'sale.order' AND o.id = done.res_id$$, crm_schema) END),
		pg_catalog.concat('coalesce(', CASE WHEN has_lead THEN 'l.partner_id, ' END, CASE WHEN has_order THEN 'o.partner_id, ' END,
			$$CASE WHEN done.model = 'res.partner' THEN done.res_id END)$$),
		pg_catalog.concat('coalesce(', CASE WHEN has_lead THEN 'l.user_id, ' END, CASE WHEN has_order THEN 'o.user_id, ' END, 'NULL)'),
		pg_catalog.concat('coalesce(', CASE WHEN has_lead THEN 'l.country_id, ' END, 'p.country_id)'))
	  FROM (SELECT @extschema@.kpi_crm_missing(crm_schema, 'crm_lead') IS NULL AS has_lead,
				   @extschema@.kpi_crm_missing(crm_schema, 'sale_order') IS NULL AS has_order,
				   @extschema@.kpi_odoo_name(crm_schema, 'country', 'res_country') AS country) h,
		   @extschema@.kpi_odoo_marketing(crm_schema, 'l', 'crm_lead') m;
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_activity_query(text) IS
'query for source activity on Odoo''s tables; for the adapter';

/*
 * Rates are needed only where a company keeps its books in another currency
 * than the reporting one.  Odoo's rate is units of a currency for one of the
 * company's; reporting units for one of the books is the quotient of the two
 * rates of a day, each the newest until then, and 1 where there is none.
 */
CREATE FUNCTION @extschema@.kpi_odoo_exchange_rate_query(crm_schema text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format($query$
		SELECT DISTINCT ON (books.id, day.name)
			   books.name::text AS currency,
			   day.name AS valid_on,
			   round(reporting_rate.rate / coalesce(books_rate.rate, 1), 12) AS rate
		  FROM %1$I.res_company company
		  JOIN %1$I.res_currency books ON books.id = company.currency_id
		  JOIN %1$I.res_currency reporting ON reporting.name = @extschema@.kpi_setting('currency') AND reporting.id <> books.id
		  JOIN %1$I.res_currency_rate day ON day.currency_id IN (books.id, reporting.id)
		   AND (day.company_id = company.id OR day.company_id IS NULL)
		  CROSS JOIN LATERAL (
			SELECT r.rate FROM %1$I.res_currency_rate r
			 WHERE r.currency_id = reporting.id AND (r.company_id = company.id OR r.company_id IS NULL) AND r.name <= day.name
			 ORDER BY r.name DESC, r.company_id LIMIT 1) reporting_rate
		  LEFT JOIN LATERAL (
			SELECT r.rate FROM %1$I.res_currency_rate r
			 WHERE r.currency_id = books.id AND (r.company_id = company.id OR r.company_id IS NULL) AND r.name <= day.name
			 ORDER BY r.name DESC, r.company_id LIMIT 1) books_rate ON true
		 ORDER BY books.id, day.name, company.id
		$query$, crm_schema);
END;
COMMENT ON FUNCTION @extschema@.kpi_odoo_exchange_rate_query(text) IS
'query for source exchange_rate on Odoo''s tables; for the adapter';

CREATE FUNCTION @extschema@.kpi_odoo_foreign_books(crm_schema text) RETURNS boolean
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	foreign_books boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM %1$I.res_company c JOIN %1$I.res_currency m ON m.id = c.currency_id WHERE m.name <> $1)', crm_schema)
	   INTO foreign_books USING @extschema@.kpi_setting('currency');
	RETURN foreign_books;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_odoo_foreign_books(text) IS
'whether a company of an Odoo database keeps its books in another currency than the reporting one; for the adapter';

CREATE FUNCTION @extschema@.kpi_odoo_queries(crm_schema text)
	RETURNS TABLE (source text, query text, note text)
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	adapted record;
	missing text[];
	needs_rates boolean;
BEGIN
	PERFORM @extschema@.kpi_odoo_require(crm_schema);
	needs_rates := @extschema@.kpi_odoo_foreign_books(crm_schema);

	FOR adapted IN
		SELECT * FROM (VALUES
			('exchange_rate', ARRAY['res_currency_rate'], needs_rates, 'from res_currency_rate, of the currencies of the companies'' books'),
			('account', '{}', true, 'commercial partners with an order, a lead or a customer rank; segment is the industry, region the country'),
			('rep', '{}', true, 'employees in a sales team or named on a lead or order; active since their entry or first deal'),
			('stage', '{crm_stage,crm_lead}', true, 'stages of all teams, by name'),
			('lead', '{crm_stage,crm_lead}', true, 'what is or was a lead, with the lost ones; channel is Odoo''s source'),
			('opportunity', '{crm_stage,crm_lead,crm_lost_reason}', true, 'created when its lead was converted; won by stage, lost when archived with probability 0'),
			('opportunity_history', '{crm_stage,crm_lead,mail_tracking_value,mail_message,ir_model_fields}', true, 'replayed from tracked changes of stage, owner, team, amount and activity'),
			('sale', '{sale_order,sale_order_line,product_product,product_template}', true, 'lines of confirmed orders on the day of confirmation, in the currency of the books; region is the customer''s country'),
			('quote', '{sale_order}', true, 'every quotation and order; sent once it has left the draft'),
			('activity', '{mail_message,mail_message_subtype,mail_activity_type}', true, 'activities done, messages, meetings and what is planned, on leads, orders and partners')
			) a(source, tables, wanted, note)
	LOOP
		source := adapted.source;
		missing := @extschema@.kpi_crm_missing(crm_schema, VARIADIC adapted.tables);
		IF missing IS NOT NULL THEN
			query := NULL;
			note := format('left out: there is no table %s', array_to_string(missing, ', '));
		ELSIF NOT adapted.wanted THEN
			query := NULL;
			note := 'left out: the books are kept in the reporting currency';
		ELSE
			EXECUTE format('SELECT @extschema@.%I($1)', format('kpi_odoo_%s_query', source)) INTO query USING crm_schema;
			note := adapted.note;
		END IF;
		RETURN NEXT;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_odoo_queries(text) IS
'the adapter for Odoo: for each source the query that makes it from the tables of this schema, NULL where a table is missing, and what to know of it';
