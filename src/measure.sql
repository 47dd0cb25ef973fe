/*
 * Measures: the columns of kpi_fact and how each comes from its source.
 *
 * A part is one way in which rows of a source become numbers: a flow counts a
 * row in the period of its instant, if that has passed; a plan does so for an
 * instant to come; a stock counts it at each boundary between two instants; the
 * roster counts days.  Expressions are SQL over the columns of the source's contract;
 * {amount} stands for the amount in the reporting currency, {won}, {lead} ...
 * for a look-up in a dictionary (kpi_source_query fills them in).
 */
CREATE TABLE @extschema@.kpi_part (
	source		text NOT NULL,
	part		text NOT NULL,
	kind		text NOT NULL CHECK (kind IN ('flow', 'plan', 'stock', 'roster')),
	starts		text NOT NULL,
	ends		text,
	condition	text NOT NULL DEFAULT 'true',
	PRIMARY KEY (source, part)
);
COMMENT ON TABLE @extschema@.kpi_part IS
'how rows of a source become numbers: starts is the instant of a flow or the start of a stock''s interval, ends the first instant that no longer belongs to it';

INSERT INTO @extschema@.kpi_part VALUES
	('rep', 'roster', 'roster', 'active_from', 'active_to', DEFAULT),
	('sale', 'sold', 'flow', 'sold_at', NULL, DEFAULT),
	('opportunity', 'created', 'flow', 'created_at', NULL, DEFAULT),
	('opportunity', 'closed', 'flow', 'closed_at', NULL, $$status IN ('won', 'lost')$$),
	('opportunity', 'closing', 'plan', 'expected_close', NULL, $$status = 'open'$$),
	('opportunity', 'open', 'stock', 'NULL', 'NULL', $$status = 'open'$$),
	('opportunity_history', 'open', 'stock', 'valid_from', $$least(valid_to, {closed_at})$$,
		$$CASE WHEN status IS NULL THEN {is_open_stage} ELSE status = 'open' END AND (valid_to IS NOT NULL OR {closed_unknown_when} IS NOT TRUE)$$),
	('lead', 'created', 'flow', 'created_at', NULL, DEFAULT),
	('lead', 'converted', 'flow', '{converted_at}', NULL, '{converted_too_early} IS NOT TRUE'),
	('quote', 'sent', 'flow', 'sent_at', NULL, $$status IS DISTINCT FROM 'draft'$$),
	('quote', 'open', 'stock', 'sent_at', 'decided_at', $$sent_at IS NOT NULL AND status IS DISTINCT FROM 'draft'$$),
	('activity', 'held', 'flow', 'happened_at', NULL, DEFAULT),
	('activity', 'booked', 'flow', 'booked_at', NULL, DEFAULT);

CREATE TABLE @extschema@.kpi_measure (
	measure		text NOT NULL,
	source		text NOT NULL,
	part		text NOT NULL,
	slot		text NOT NULL CHECK (slot IN ('count', 'sum', 'distinct', 'first', 'first_flagged', 'duration')),
	expression	text NOT NULL,
	needs		text[] NOT NULL DEFAULT '{}',
	unit		text NOT NULL CHECK (unit IN ('count', 'money', 'days')),
	label_en	text NOT NULL,
	label_de	text NOT NULL,
	description_en text NOT NULL,
	description_de text NOT NULL,
	"position"	integer GENERATED ALWAYS AS IDENTITY,
	PRIMARY KEY (measure, source),
	FOREIGN KEY (source, part) REFERENCES @extschema@.kpi_part
);
COMMENT ON TABLE @extschema@.kpi_measure IS
'the measures: where each comes from, what it counts or adds up, its unit and labels; needs: optional columns without which it is not available (alternatives separated by |, of another source as source.column)';

INSERT INTO @extschema@.kpi_measure (source, part, measure, slot, expression, needs, unit, label_en, label_de, description_en, description_de) VALUES
	('sale', 'sold', 'revenue', 'sum', '{amount}', '{}', 'money', 'Revenue', 'Umsatz',
	 'net revenue of the period; credit notes reduce it', 'Nettoumsatz des Zeitraums; Gutschriften mindern ihn'),
	('sale', 'sold', 'direct_cost', 'sum', 'CASE WHEN NOT ({infinite direct_cost}) THEN {direct_cost} END', '{direct_cost}', 'money', 'Direct cost', 'Direkte Kosten',
	 'direct cost of the lines sold, where known', 'direkte Kosten der verkauften Positionen, soweit bekannt'),
	('sale', 'sold', 'revenue_with_cost', 'sum', 'CASE WHEN direct_cost IS NOT NULL AND NOT ({infinite direct_cost}) THEN {amount} END', '{direct_cost}', 'money', 'Revenue with known cost', 'Umsatz mit bekannten Kosten',
	 'revenue of the lines whose direct cost is known', 'Umsatz der Positionen, deren direkte Kosten bekannt sind'),
	('sale', 'sold', 'sale_lines', 'count', 'true', '{}', 'count', 'Sale lines', 'Verkaufspositionen',
	 'lines sold or credited', 'verkaufte oder gutgeschriebene Positionen'),
	('sale', 'sold', 'purchases', 'distinct', 'CASE WHEN amount > 0 THEN sale_id END', '{}', 'count', 'Purchases', 'Käufe',
	 'sales with at least one positive line in the period', 'Verkäufe mit mindestens einer positiven Position im Zeitraum'),
	('sale', 'sold', 'buying_customers', 'distinct', 'CASE WHEN amount > 0 THEN {account} END', '{account_id|opportunity.account_id}', 'count', 'Buying customers', 'Kaufende Kunden',
	 'accounts with at least one positive line in the period', 'Kunden mit mindestens einer positiven Position im Zeitraum'),

	('opportunity', 'created', 'opportunities', 'count', 'true', '{created_at}', 'count', 'New opportunities', 'Neue Chancen',
	 'opportunities created in the period', 'im Zeitraum angelegte Verkaufschancen'),
	('opportunity', 'created', 'opportunities_value', 'sum', 'coalesce({amount}, 0)', '{created_at,amount}', 'money', 'Value of new opportunities', 'Wert neuer Chancen',
	 'amount of the opportunities created in the period', 'Betrag der im Zeitraum angelegten Verkaufschancen'),
	('opportunity', 'closed', 'won_deals', 'count', $$status = 'won'$$, '{closed_at}', 'count', 'Deals won', 'Gewonnene Abschlüsse',
	 'opportunities won in the period', 'im Zeitraum gewonnene Verkaufschancen'),
	('opportunity', 'closed', 'won_value', 'sum', $$CASE WHEN status = 'won' THEN coalesce({amount}, 0) END$$, '{closed_at,amount}', 'money', 'Value won', 'Gewonnener Wert',
	 'amount of the opportunities won in the period', 'Betrag der im Zeitraum gewonnenen Verkaufschancen'),
	('opportunity', 'closed', 'lost_deals', 'count', $$status = 'lost'$$, '{closed_at}', 'count', 'Deals lost', 'Verlorene Chancen',
	 'opportunities lost in the period', 'im Zeitraum verlorene Verkaufschancen'),
	('opportunity', 'closed', 'lost_value', 'sum', $$CASE WHEN status = 'lost' THEN coalesce({amount}, 0) END$$, '{closed_at,amount}', 'money', 'Value lost', 'Verlorener Wert',
	 'amount of the opportunities lost in the period', 'Betrag der im Zeitraum verlorenen Verkaufschancen'),
	('opportunity', 'closed', 'sales_cycle', 'duration', $$CASE WHEN status = 'won' THEN {cycle} END$$, '{closed_at,created_at|first_contact_at|lead.created_at}', 'days', 'Sales cycles', 'Verkaufszyklen',
	 'first contact to won, of the deals won in the period: a distribution', 'Erstkontakt bis Abschluss der im Zeitraum gewonnenen Chancen: eine Verteilung'),

	('opportunity', 'open', 'open_opportunities', 'count', 'true', '{}', 'count', 'Open opportunities', 'Offene Chancen',
	 'opportunities open at the end of the period', 'am Ende des Zeitraums offene Verkaufschancen'),
	('opportunity', 'open', 'pipeline_value', 'sum', 'coalesce(amount, 0)', '{amount}', 'money', 'Pipeline', 'Pipeline',
	 'amount of the opportunities open at the end of the period', 'Betrag der am Ende des Zeitraums offenen Verkaufschancen'),
	('opportunity', 'open', 'weighted_pipeline', 'sum', 'coalesce(amount, 0) * {probability}', '{amount,probability|stage.probability}', 'money', 'Weighted pipeline', 'Gewichtete Pipeline',
	 'amount times probability of the opportunities open at the end of the period', 'Betrag mal Wahrscheinlichkeit der am Ende des Zeitraums offenen Verkaufschancen'),
	('opportunity', 'open', 'unweighted_opportunities', 'count', '{probability} IS NULL', '{}', 'count', 'Without probability', 'Ohne Wahrscheinlichkeit',
	 'open opportunities that the weighted pipeline leaves out, since neither they nor their stage have a usable probability', 'offene Chancen ohne brauchbare Wahrscheinlichkeit; sie fehlen in der gewichteten Pipeline'),
	('opportunity_history', 'open', 'open_opportunities', 'count', 'true', '{}', 'count', 'Open opportunities', 'Offene Chancen',
	 'opportunities open at the end of the period', 'am Ende des Zeitraums offene Verkaufschancen'),
	('opportunity_history', 'open', 'pipeline_value', 'sum', 'coalesce(amount, {deal_amount}, 0)', '{amount|opportunity.amount}', 'money', 'Pipeline', 'Pipeline',
	 'amount of the opportunities open at the end of the period', 'Betrag der am Ende des Zeitraums offenen Verkaufschancen'),
	('opportunity_history', 'open', 'weighted_pipeline', 'sum', 'coalesce(amount, {deal_amount}, 0) * {probability}', '{amount|opportunity.amount,probability|opportunity.probability|stage.probability}', 'money', 'Weighted pipeline', 'Gewichtete Pipeline',
	 'amount times probability of the opportunities open at the end of the period', 'Betrag mal Wahrscheinlichkeit der am Ende des Zeitraums offenen Verkaufschancen'),
	('opportunity_history', 'open', 'unweighted_opportunities', 'count', '{probability} IS NULL', '{}', 'count', 'Without probability', 'Ohne Wahrscheinlichkeit',
	 'open opportunities that the weighted pipeline leaves out, since neither they nor their stage have a usable probability', 'offene Chancen ohne brauchbare Wahrscheinlichkeit; sie fehlen in der gewichteten Pipeline'),

	('opportunity', 'closing', 'closing_opportunities', 'count', 'true', '{expected_close}', 'count', 'Opportunities expected to close', 'Erwartete Abschlüsse',
	 'opportunities open at the snapshot and expected to close in the period', 'beim Stichtag offene Chancen mit erwartetem Abschluss im Zeitraum'),
	('opportunity', 'closing', 'pipeline_closing', 'sum', 'coalesce({amount}, 0)', '{expected_close,amount}', 'money', 'Pipeline expected to close', 'Erwarteter Abschlusswert',
	 'amount of the opportunities open at the snapshot and expected to close in the period', 'Betrag der beim Stichtag offenen Chancen mit erwartetem Abschluss im Zeitraum'),
	('opportunity', 'closing', 'weighted_closing', 'sum', 'coalesce({amount}, 0) * {probability}', '{expected_close,amount,probability|stage.probability}', 'money', 'Weighted pipeline expected to close', 'Gewichteter erwarteter Abschlusswert',
	 'the same, times the probability', 'dasselbe mal Wahrscheinlichkeit'),

	('lead', 'created', 'leads', 'count', 'true', '{}', 'count', 'Leads', 'Leads',
	 'leads created in the period', 'im Zeitraum angelegte Leads'),
	('lead', 'created', 'leads_qualified', 'count', 'qualified_at < {now}', '{qualified_at}', 'count', 'Leads qualified', 'Qualifizierte Leads',
	 'of the leads created in the period, those that became an opportunity since', 'im Zeitraum angelegte Leads, die seither zur Verkaufschance wurden'),
	('lead', 'created', 'leads_converted', 'count', '{converted_at} < {now}', '{converted_at|opportunity.lead_id}', 'count', 'Leads converted', 'Gewonnene Leads',
	 'of the leads created in the period, those that became a customer since', 'im Zeitraum angelegte Leads, die seither Kunde wurden'),
	('lead', 'converted', 'conversions', 'count', 'true', '{converted_at|opportunity.lead_id}', 'count', 'Conversions', 'Konversionen',
	 'leads that became a customer in the period', 'Leads, die im Zeitraum Kunde wurden'),

	('quote', 'sent', 'quotes_sent', 'count', 'true', '{sent_at}', 'count', 'Quotes sent', 'Gesendete Angebote',
	 'quotes sent in the period', 'im Zeitraum gesendete Angebote'),
	('quote', 'sent', 'quoted_value', 'sum', 'coalesce({amount}, 0)', '{sent_at,amount}', 'money', 'Value quoted', 'Angebotswert',
	 'amount of the quotes sent in the period', 'Betrag der im Zeitraum gesendeten Angebote'),
	('quote', 'sent', 'deals_quoted', 'first', 'opportunity_id', '{sent_at,opportunity_id}', 'count', 'Deals first quoted', 'Erstmals angebotene Chancen',
	 'opportunities whose first quote was sent in the period', 'Verkaufschancen, deren erstes Angebot im Zeitraum gesendet wurde'),
	('quote', 'sent', 'deals_quoted_won', 'first_flagged', '{deal_won}', '{sent_at,opportunity_id,opportunity.status}', 'count', 'Deals first quoted and won', 'Erstmals angebotene und gewonnene Chancen',
	 'of these, the opportunities won since', 'davon die seither gewonnenen'),
	('quote', 'open', 'open_quotes', 'count', 'true', '{sent_at,decided_at}', 'count', 'Open quotes', 'Offene Angebote',
	 'quotes sent and undecided at the end of the period', 'am Ende des Zeitraums gesendete und nicht entschiedene Angebote'),
	('quote', 'open', 'open_quotes_value', 'sum', 'coalesce(amount, 0)', '{sent_at,decided_at,amount}', 'money', 'Value of open quotes', 'Wert offener Angebote',
	 'amount of the quotes sent and undecided at the end of the period', 'Betrag der am Ende des Zeitraums nicht entschiedenen Angebote'),

	('activity', 'held', 'calls', 'count', $$kind = 'call' AND {done} AND {outbound}$$, '{}', 'count', 'Calls', 'Anrufe',
	 'outbound calls completed', 'abgeschlossene ausgehende Anrufe'),
	('activity', 'held', 'emails', 'count', $$kind = 'email' AND {done} AND {outbound}$$, '{}', 'count', 'E-mails', 'E-Mails',
	 'outbound e-mails sent', 'gesendete E-Mails'),
	('activity', 'held', 'meetings', 'count', $$kind = 'meeting' AND {done}$$, '{}', 'count', 'Meetings', 'Termine',
	 'meetings held', 'durchgeführte Termine'),
	('activity', 'held', 'linkedin_messages', 'count', $$kind = 'linkedin' AND {done} AND {outbound}$$, '{}', 'count', 'LinkedIn messages', 'LinkedIn-Nachrichten',
	 'outbound LinkedIn messages sent', 'gesendete LinkedIn-Nachrichten'),
	('activity', 'held', 'demos', 'count', $$kind = 'demo' AND {done}$$, '{}', 'count', 'Demos', 'Demos',
	 'demo calls held', 'durchgeführte Demos'),
	('activity', 'held', 'onboardings', 'count', $$kind = 'onboarding' AND {done}$$, '{}', 'count', 'Onboardings', 'Onboardings',
	 'onboarding calls held', 'durchgeführte Onboardings'),
	('activity', 'held', 'no_shows', 'count', $$kind IN ('demo', 'onboarding') AND status = 'no_show'$$, '{status}', 'count', 'No-shows', 'Nicht erschienen',
	 'demo and onboarding calls to which the customer did not come', 'Demos und Onboardings, zu denen der Kunde nicht erschien'),
	('activity', 'held', 'trials_started', 'count', $$kind = 'trial' AND {done}$$, '{}', 'count', 'Trials started', 'Gestartete Tests',
	 'trials started', 'gestartete Testphasen'),
	('activity', 'booked', 'calls_booked', 'count', $$kind IN ('demo', 'onboarding')$$, '{booked_at}', 'count', 'Demos and onboardings booked', 'Gebuchte Demos und Onboardings',
	 'demo and onboarding calls by their booking date', 'Demos und Onboardings nach Buchungsdatum'),
	('activity', 'held', 'contacts_messaged', 'first', $$CASE WHEN kind IN ('email', 'linkedin', 'call') AND {done} AND {outbound} AND delivered IS NOT FALSE THEN contact_id END$$, '{contact_id}', 'count', 'Contacts first reached', 'Erstmals angesprochene Kontakte',
	 'contacts whose first delivered outbound message falls in the period', 'Kontakte, deren erste zugestellte Nachricht in den Zeitraum fällt'),
	('activity', 'held', 'contacts_replied', 'first_flagged', 'replied_at < {now}', '{contact_id,replied_at}', 'count', 'Contacts who replied', 'Kontakte mit Antwort',
	 'of these, the contacts who replied since', 'davon die Kontakte, die seither geantwortet haben'),

	('rep', 'roster', 'rep_days', 'sum', '{rep_days}', '{}', 'count', 'Rep-days', 'Vertrieblertage',
	 'days of the period on which reps were on the roster, added up over the reps', 'Tage des Zeitraums, an denen Vertriebler aktiv waren, über alle summiert');

/*
 * What makes a row bad.  A bad row is counted in kpi_problem and left out of
 * the parts named in spoils; where spoils is empty the expressions of the
 * measures leave out what cannot be trusted themselves.
 */
CREATE TABLE @extschema@.kpi_fault (
	source		text NOT NULL,
	reason		text NOT NULL,
	condition	text NOT NULL,
	spoils		text[] NOT NULL,
	PRIMARY KEY (source, reason)
);
COMMENT ON TABLE @extschema@.kpi_fault IS
'what makes a row of a source bad, and the parts from which such a row is left out';

INSERT INTO @extschema@.kpi_fault VALUES
	('exchange_rate', 'rate is not a positive number', $$(rate > 0 AND rate < 'Infinity') IS NOT TRUE$$, '{rate}'),
	('exchange_rate', 'no day', 'valid_on IS NULL', '{rate}'),
	('account', 'no id', 'id IS NULL', '{}'),
	('account', 'ends before it starts', 'valid_to < valid_from', '{}'),
	('rep', 'no id', 'id IS NULL', '{roster}'),
	('rep', 'ends before it starts', 'active_to < active_from OR valid_to < valid_from', '{roster}'),
	('stage', 'probability outside 0..1', 'probability NOT BETWEEN 0 AND 1', '{}'),
	('stage', 'both won and lost', 'is_won AND is_lost', '{}'),
	('sale', 'no sale_id', 'sale_id IS NULL', '{sold}'),
	('sale', 'no date', 'sold_at IS NULL', '{sold}'),
	('sale', 'no amount', 'amount IS NULL', '{sold}'),
	('sale', 'amount is not a finite number', '{infinite amount}', '{sold}'),
	('sale', 'direct_cost is not a finite number', '{infinite direct_cost}', '{}'),
	('opportunity', 'no id', 'id IS NULL', '{created,closed,closing,open}'),
	('opportunity', 'unknown status', $$status IN ('open', 'won', 'lost') IS NOT TRUE$$, '{created,closed,closing,open}'),
	('opportunity', 'amount is not a finite number', '{infinite amount}', '{created,closed,closing,open}'),
	('opportunity', 'probability outside 0..1', 'probability NOT BETWEEN 0 AND 1', '{}'),
	('opportunity', 'won or lost without closed_at', $$status IN ('won', 'lost') AND isfinite(closed_at) IS NOT TRUE$$, '{}'),
	('opportunity', 'open without created_at', $$status = 'open' AND created_at IS NULL$$, '{}'),
	('opportunity', 'closed before it was created', '{before closed_at created_at}', '{}'),
	('opportunity', 'won before first contact', $$status = 'won' AND {cycle_raw} < 0$$, '{}'),
	('opportunity_history', 'no opportunity_id', 'opportunity_id IS NULL', '{open}'),
	('opportunity_history', 'no valid_from', 'valid_from IS NULL', '{open}'),
	('opportunity_history', 'ends before it starts', 'valid_to < valid_from', '{open}'),
	('opportunity_history', 'unknown opportunity', 'NOT {known_deal}', '{open}'),
	('opportunity_history', 'unknown status', $$status NOT IN ('open', 'won', 'lost')$$, '{open}'),
	('opportunity_history', 'amount is not a finite number', '{infinite amount}', '{open}'),
	('opportunity_history', 'probability outside 0..1', 'probability NOT BETWEEN 0 AND 1', '{}'),
	('lead', 'no id', 'id IS NULL', '{created,converted}'),
	('lead', 'no creation date', 'created_at IS NULL', '{created,converted}'),
	('lead', 'converted before it was created', '{converted_too_early}', '{}'),
	('lead', 'qualified before it was created', '{before qualified_at created_at}', '{}'),
	('quote', 'no id', 'id IS NULL', '{sent,open}'),
	('quote', 'unknown status', $$status NOT IN ('draft', 'sent', 'accepted', 'rejected', 'expired')$$, '{sent,open}'),
	('quote', 'sent without sent_at', $$status IN ('sent', 'accepted', 'rejected') AND sent_at IS NULL$$, '{}'),
	('quote', 'amount is not a finite number', '{infinite amount}', '{sent,open}'),
	('quote', 'decided before it was sent', '{before decided_at sent_at}', '{open}'),
	('quote', 'decided without decided_at', $$status IN ('accepted', 'rejected', 'expired') AND decided_at IS NULL$$, '{open}'),
	('activity', 'no date', 'happened_at IS NULL', '{held}'),
	('activity', 'unknown kind', $$kind IN ('call', 'email', 'demo', 'onboarding', 'meeting', 'linkedin', 'trial', 'other') IS NOT TRUE$$, '{held,booked}'),
	('activity', 'unknown status', $$status NOT IN ('planned', 'done', 'no_show', 'cancelled')$$, '{held,booked}'),
	('activity', 'unknown direction', $$direction NOT IN ('in', 'out')$$, '{held,booked}');
