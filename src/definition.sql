/*
 * KPI definitions: a formula over measures and other KPIs, a unit, a direction
 * and labels.  Every measure is a KPI too, under its own name.  Users' own
 * definitions override shipped ones of the same name.
 *
 * n is a formula for the number of rows behind a value.
 */
CREATE TABLE @extschema@.kpi_definition_shipped (
	kpi			text PRIMARY KEY,
	number		integer,
	formula		text NOT NULL,
	n			text,
	unit		text NOT NULL CHECK (unit IN ('money', 'percent', 'count', 'days', 'ratio')),
	better		text NOT NULL CHECK (better IN ('up', 'down')),
	label_en	text NOT NULL,
	label_de	text NOT NULL,
	description_en text NOT NULL,
	description_de text NOT NULL,
	"position"	integer GENERATED ALWAYS AS IDENTITY
);
COMMENT ON TABLE @extschema@.kpi_definition_shipped IS 'the KPIs that come with salkpi';

INSERT INTO @extschema@.kpi_definition_shipped (number, kpi, formula, n, unit, better, label_en, label_de, description_en, description_de) VALUES
	(1, 'revenue_growth', '100 * (revenue - prior(revenue)) / nullif(greatest(prior(revenue), 0), 0)', 'sale_lines', 'percent', 'up', 'Revenue growth', 'Umsatzwachstum',
	 'change of net revenue against the previous period; none when that had no positive revenue', 'Veränderung des Nettoumsatzes zum Vorzeitraum; leer, wenn dieser keinen positiven Umsatz hatte'),
	(1, 'revenue_growth_year', '100 * (revenue - year_ago(revenue)) / nullif(greatest(year_ago(revenue), 0), 0)', 'sale_lines', 'percent', 'up', 'Revenue growth on the year', 'Umsatzwachstum zum Vorjahr',
	 'change of net revenue against the same period of the year before', 'Veränderung des Nettoumsatzes zum selben Zeitraum des Vorjahres'),
	(2, 'profit_margin', '100 * (revenue_with_cost - direct_cost) / nullif(greatest(revenue_with_cost, 0), 0)', 'sale_lines', 'percent', 'up', 'Profit margin', 'Gewinnmarge',
	 'revenue less direct cost, divided by revenue, over the lines whose cost is known', 'Umsatz abzüglich direkter Kosten, geteilt durch den Umsatz, über die Positionen mit bekannten Kosten'),
	(2, 'cost_coverage', '100 * revenue_with_cost / revenue', 'sale_lines', 'percent', 'up', 'Cost coverage', 'Kostenabdeckung',
	 'share of revenue whose direct cost is known', 'Anteil des Umsatzes mit bekannten direkten Kosten'),
	(3, 'opportunities', 'opportunities', 'opportunities', 'count', 'up', 'New opportunities', 'Neue Verkaufschancen',
	 'opportunities created in the period', 'im Zeitraum angelegte Verkaufschancen'),
	(3, 'opportunities_value', 'opportunities_value', 'opportunities', 'money', 'up', 'Value of new opportunities', 'Wert neuer Chancen',
	 'amount of the opportunities created in the period', 'Betrag der im Zeitraum angelegten Verkaufschancen'),
	(3, 'open_opportunities', 'open_opportunities', 'open_opportunities', 'count', 'up', 'Open opportunities', 'Offene Chancen',
	 'opportunities open at the end of the period', 'am Ende des Zeitraums offene Verkaufschancen'),
	(4, 'pipeline_value', 'pipeline_value', 'open_opportunities', 'money', 'up', 'Pipeline value', 'Pipelinewert',
	 'amount of the opportunities open at the end of the period (best case)', 'Betrag der am Ende des Zeitraums offenen Chancen (bester Fall)'),
	(4, 'weighted_pipeline', 'weighted_pipeline', 'open_opportunities - unweighted_opportunities', 'money', 'up', 'Weighted pipeline', 'Gewichtete Pipeline',
	 'amount times probability of the opportunities open at the end of the period (expected)', 'Betrag mal Wahrscheinlichkeit der am Ende des Zeitraums offenen Chancen (erwartet)'),
	(4, 'pipeline_closing', 'pipeline_closing', 'closing_opportunities', 'money', 'up', 'Pipeline closing in the period', 'Pipeline mit Abschluss im Zeitraum',
	 'amount of the opportunities open at the snapshot and expected to close in the period', 'Betrag der beim Stichtag offenen Chancen mit erwartetem Abschluss im Zeitraum'),
	(4, 'weighted_closing', 'weighted_closing', 'closing_opportunities', 'money', 'up', 'Weighted pipeline closing in the period', 'Gewichtete Pipeline mit Abschluss im Zeitraum',
	 'the same, times the probability', 'dasselbe mal Wahrscheinlichkeit'),
	(4, 'pipeline_coverage', 'pipeline_closing / nullif(greatest(target(won_value) - won_value, 0), 0)', 'closing_opportunities', 'ratio', 'up', 'Pipeline coverage', 'Pipeline-Abdeckung',
	 'pipeline open at the snapshot and expected to close in the period, divided by what is missing to the target of won_value; none when nothing is missing', 'beim Stichtag offene Pipeline mit erwartetem Abschluss im Zeitraum, geteilt durch das, was zum Ziel von won_value fehlt; leer, wenn nichts fehlt'),
	(5, 'lead_conversion_rate', '100 * leads_converted / leads', 'leads', 'percent', 'up', 'Lead conversion rate', 'Lead-Konversionsrate',
	 'leads created in the period that became customers, divided by all leads created in it', 'im Zeitraum angelegte Leads, die Kunde wurden, geteilt durch alle im Zeitraum angelegten'),
	(5, 'lead_qualification_rate', '100 * leads_qualified / leads', 'leads', 'percent', 'up', 'Lead qualification rate', 'Lead-Qualifizierungsrate',
	 'leads created in the period that became opportunities, divided by all leads created in it', 'im Zeitraum angelegte Leads, die Verkaufschance wurden, geteilt durch alle im Zeitraum angelegten'),
	(5, 'lead_conversion_rate_in_period', '100 * conversions / leads', 'leads', 'percent', 'up', 'Conversions by new leads', 'Konversionen je neuen Lead',
	 'conversions dated in the period, divided by the leads created in it', 'Konversionen im Zeitraum, geteilt durch die darin angelegten Leads'),
	(6, 'customer_acquisition_cost', 'sales_and_marketing_cost / new_customers', 'new_customers', 'money', 'down', 'Customer acquisition cost', 'Kundengewinnungskosten',
	 'cost of sales and marketing, fully loaded, divided by the new customers', 'Vollkosten von Vertrieb und Marketing, geteilt durch die neuen Kunden'),
	(7, 'customer_lifetime_value', 'lifetime_value - acquisition_cost_of_year', 'customers', 'money', 'up', 'Customer lifetime value', 'Kundenlebenszeitwert',
	 'what a customer brings in over the whole relationship, margin of the yearly revenue times years, less what it costs to win one', 'was ein Kunde über die ganze Beziehung einbringt, Marge des Jahresumsatzes mal Jahre, abzüglich der Kosten, ihn zu gewinnen'),
	(7, 'lifetime_value', 'yearly_revenue_per_customer * margin_of_year / 100 * customer_lifetime', 'customers', 'money', 'up', 'Lifetime value', 'Lebenszeitwert',
	 'the same without the cost of winning a customer', 'dasselbe ohne die Kosten der Kundengewinnung'),
	(7, 'yearly_revenue_per_customer', 'coalesce(12 * revenue_per_account, sum_months(revenue, 12) / sum_months(customers_of_year, 1))', 'coalesce(customers, customers_of_year)', 'money', 'up', 'Yearly revenue per customer', 'Jahresumsatz je Kunde',
	 'twelve times the MRR per account; without subscriptions the revenue of the last twelve complete months, divided by the accounts that bought in them', 'zwölfmal das MRR je Kunde; ohne Abonnements der Umsatz der letzten zwölf vollen Monate, geteilt durch die Kunden, die in ihnen kauften'),
	(7, 'margin_of_year', 'coalesce(100 * sum_months(revenue_with_cost - direct_cost, 12) / nullif(greatest(sum_months(revenue_with_cost, 12), 0), 0), setting(margin_default))', NULL, 'percent', 'up', 'Profit margin of twelve months', 'Gewinnmarge von zwölf Monaten',
	 'profit margin over the last twelve complete months, a ratio of sums; where it is not known the setting margin_default', 'Gewinnmarge der letzten zwölf vollen Monate, ein Quotient von Summen; wo sie nicht bekannt ist, die Einstellung margin_default'),
	(7, 'customer_lifetime', 'sum_months(customers_opening, 6) / (12 * sum_months(customers_churned, 6))', NULL, 'ratio', 'up', 'Customer lifetime in years', 'Kundenbeziehung in Jahren',
	 'expected years a customer stays, from the churn of the last six complete months; none when nobody left', 'erwartete Jahre, die ein Kunde bleibt, aus der Abwanderung der letzten sechs vollen Monate; leer, wenn niemand ging'),
	(7, 'acquisition_cost_of_year', 'sum_months(sales_and_marketing_cost, 12) / sum_months(new_customers, 12)', NULL, 'money', 'down', 'Customer acquisition cost of twelve months', 'Kundengewinnungskosten von zwölf Monaten',
	 'cost of sales and marketing of the last twelve complete months, divided by the new customers of these', 'Kosten von Vertrieb und Marketing der letzten zwölf vollen Monate, geteilt durch deren neue Kunden'),
	(7, 'lifetime_spend', 'revenue_to_date', 'customers_to_date', 'money', 'up', 'Lifetime spend', 'Ausgaben aller Kunden bis heute',
	 'net revenue since ever, up to the end of the period', 'gesamter Nettoumsatz bis zum Ende des Zeitraums'),
	(7, 'lifetime_spend_per_customer', 'revenue_to_date / customers_to_date', 'customers_to_date', 'money', 'up', 'Lifetime spend per customer', 'Ausgaben je Kunde bis heute',
	 'the same, divided by the accounts that ever bought', 'dasselbe, geteilt durch die Kunden, die je gekauft haben'),
	(8, 'average_purchase_value', 'revenue / purchases', 'purchases', 'money', 'up', 'Average purchase value', 'Durchschnittlicher Kaufwert',
	 'net revenue divided by the purchases with a positive line; credit notes reduce revenue, not the count', 'Nettoumsatz geteilt durch die Käufe mit einer positiven Position; Gutschriften mindern den Umsatz, nicht die Anzahl'),
	(8, 'revenue_per_buying_customer', 'revenue / buying_customers', 'buying_customers', 'money', 'up', 'Revenue per buying customer', 'Umsatz je kaufenden Kunden',
	 'net revenue divided by the accounts that bought in the period', 'Nettoumsatz geteilt durch die Kunden, die im Zeitraum kauften'),
	(9, 'revenue_per_rep', 'revenue / reps', 'sale_lines', 'money', 'up', 'Revenue per rep', 'Umsatz je Vertriebler',
	 'net revenue divided by the reps on the roster, each counting by the share of days worked', 'Nettoumsatz geteilt durch die aktiven Vertriebler, jeder nach Anteil der Tage'),
	(9, 'reps', 'rep_days / days()', 'rep_days', 'ratio', 'up', 'Reps', 'Vertriebler',
	 'reps on the roster, each counting by the share of the period''s days', 'aktive Vertriebler, jeder nach Anteil der Tage des Zeitraums'),
	(10, 'sales_by_region', 'revenue', 'sale_lines', 'money', 'up', 'Sales by region', 'Umsatz nach Region',
	 'net revenue; by region in kpi_ranking(''sales_by_region'', period, ''region'')', 'Nettoumsatz; nach Region mit kpi_ranking(''sales_by_region'', zeitraum, ''region'')'),
	(11, 'mrr', 'mrr', 'customers', 'money', 'up', 'Monthly recurring revenue', 'Monatlich wiederkehrender Umsatz',
	 'recurring amounts, normalised to a month, of the subscriptions active at the end of the period', 'wiederkehrende Beträge je Monat der am Ende des Zeitraums aktiven Abonnements'),
	(11, 'arr', '12 * mrr', 'customers', 'money', 'up', 'Annual recurring revenue', 'Jährlich wiederkehrender Umsatz',
	 'twelve times the MRR', 'das Zwölffache des MRR'),
	(12, 'revenue_per_account', 'mrr / customers', 'customers', 'money', 'up', 'Revenue per account', 'Umsatz je Kunde',
	 'MRR divided by the accounts with MRR at the end of the period', 'MRR geteilt durch die Kunden mit MRR am Ende des Zeitraums'),
	(12, 'revenue_per_account_all', 'mrr / accounts', 'accounts', 'money', 'up', 'Revenue per account, all', 'Umsatz je Account, alle',
	 'MRR divided by all accounts known at the end of the period', 'MRR geteilt durch alle am Ende des Zeitraums bekannten Accounts'),
	(13, 'sales_cycle_length', 'mean(sales_cycle)', NULL, 'days', 'down', 'Sales cycle length', 'Länge des Verkaufszyklus',
	 'mean days from first contact to won, of the deals won in the period', 'mittlere Tage vom Erstkontakt bis zum Abschluss der im Zeitraum gewonnenen Chancen'),
	(13, 'sales_cycle_median', 'quantile(sales_cycle, 0.5)', NULL, 'days', 'down', 'Sales cycle, median', 'Verkaufszyklus, Median',
	 'half of the deals won took at most as many days', 'die Hälfte der gewonnenen Chancen dauerte höchstens so viele Tage'),
	(13, 'sales_cycle_p90', 'quantile(sales_cycle, 0.9)', NULL, 'days', 'down', 'Sales cycle, 90th percentile', 'Verkaufszyklus, 90. Perzentil',
	 'nine in ten deals won took at most as many days', 'neun von zehn gewonnenen Chancen dauerten höchstens so viele Tage'),
	(14, 'cost_per_lead', 'campaign_cost / leads', 'leads', 'money', 'down', 'Cost per lead', 'Kosten je Lead',
	 'marketing cost that names a campaign or channel, divided by the leads of the period', 'Marketingkosten mit Kampagne oder Kanal, geteilt durch die Leads des Zeitraums'),
	(14, 'average_opportunity_value', 'opportunities_value / opportunities', 'opportunities', 'money', 'up', 'Average new opportunity', 'Durchschnittliche neue Chance',
	 'amount of an opportunity created in the period, on average', 'durchschnittlicher Betrag der im Zeitraum angelegten Verkaufschancen'),
	(15, 'customer_retention_rate', '100 * customers_kept / customers_opening', 'customers_opening', 'percent', 'up', 'Customer retention rate', 'Kundenbindungsrate',
	 'customers at the start who still are at the end, divided by the customers at the start', 'Kunden zu Beginn, die es am Ende noch sind, geteilt durch die Kunden zu Beginn'),
	(15, 'net_revenue_retention', '100 * (mrr_opening + mrr_expansion - mrr_contraction - mrr_churned) / mrr_opening', 'customers_opening', 'percent', 'up', 'Net revenue retention', 'Nettoumsatzbindung',
	 'what the customers at the start pay at the end (MRR), divided by what they paid at the start', 'was die Kunden zu Beginn am Ende zahlen (MRR), geteilt durch das, was sie zu Beginn zahlten'),
	(15, 'gross_revenue_retention', '100 * mrr_retained / mrr_opening', 'customers_opening', 'percent', 'up', 'Gross revenue retention', 'Bruttoumsatzbindung',
	 'the same without growth', 'dasselbe ohne Zuwachs'),
	(16, 'customer_churn_rate', '100 * customers_churned / customers_opening', 'customers_opening', 'percent', 'down', 'Customer churn rate', 'Kundenabwanderungsrate',
	 'customers at the start who are gone at the end, divided by the customers at the start', 'Kunden zu Beginn, die am Ende weg sind, geteilt durch die Kunden zu Beginn'),
	(16, 'revenue_churn_rate', '100 * (mrr_churned + mrr_contraction) / mrr_opening', 'customers_opening', 'percent', 'down', 'Revenue churn rate', 'Umsatzabwanderungsrate',
	 'MRR lost and contracted, divided by the MRR at the start', 'durch Abwanderung und Verkleinerung verlorenes MRR, geteilt durch das MRR zu Beginn'),
	(16, 'net_revenue_churn_rate', '100 * (mrr_churned + mrr_contraction - mrr_expansion) / mrr_opening', 'customers_opening', 'percent', 'down', 'Net revenue churn rate', 'Nettoumsatzabwanderungsrate',
	 'the same less expansion', 'dasselbe abzüglich Erweiterung'),
	(16, 'quick_ratio', '(mrr_new + mrr_reactivated + mrr_expansion) / (mrr_contraction + mrr_churned)', 'customers_opening', 'ratio', 'up', 'Quick ratio', 'Quick Ratio',
	 'MRR gained, divided by MRR lost', 'gewonnenes MRR, geteilt durch verlorenes'),
	(17, 'target_attainment', '100 * revenue / target(revenue)', 'sale_lines', 'percent', 'up', 'Target attainment', 'Zielerreichung',
	 'net revenue divided by its target for the same scope', 'Nettoumsatz geteilt durch sein Ziel für denselben Bereich'),
	(18, 'quote_to_close_ratio', '100 * won_deals / quotes_sent', 'quotes_sent', 'percent', 'up', 'Quote-to-close ratio', 'Angebots-Abschluss-Quote',
	 'deals won in the period, divided by the quotes sent in it', 'im Zeitraum gewonnene Abschlüsse, geteilt durch die darin gesendeten Angebote'),
	(18, 'quote_to_close_ratio_cohort', '100 * deals_quoted_won / deals_quoted', 'deals_quoted', 'percent', 'up', 'Quote-to-close ratio of the cohort', 'Angebots-Abschluss-Quote der Kohorte',
	 'of the deals first quoted in the period, those won since', 'Anteil der im Zeitraum erstmals angebotenen Chancen, die seither gewonnen wurden'),
	(18, 'open_quotes', 'open_quotes', 'open_quotes', 'count', 'up', 'Open quotes', 'Offene Angebote',
	 'quotes sent and undecided at the end of the period', 'am Ende des Zeitraums nicht entschiedene Angebote'),
	(19, 'calls_and_emails_per_rep', '(calls + emails) / reps', 'calls + emails', 'ratio', 'up', 'Calls and e-mails per rep', 'Anrufe und E-Mails je Vertriebler',
	 'completed outbound calls and sent e-mails, divided by the reps on the roster', 'abgeschlossene ausgehende Anrufe und gesendete E-Mails, geteilt durch die aktiven Vertriebler'),
	(20, 'demo_and_onboarding_calls', 'demos + onboardings', 'demos + onboardings', 'count', 'up', 'Demo and onboarding calls', 'Demo- und Onboarding-Gespräche',
	 'demo and onboarding calls held in the period', 'im Zeitraum durchgeführte Demo- und Onboarding-Gespräche'),
	(20, 'show_rate', '100 * (demos + onboardings) / (demos + onboardings + no_shows)', 'demos + onboardings + no_shows', 'percent', 'up', 'Show rate', 'Teilnahmequote',
	 'demo and onboarding calls held, divided by those held or missed by the customer', 'durchgeführte Demos und Onboardings, geteilt durch die durchgeführten und versäumten'),
	(21, 'reply_rate', '100 * contacts_replied / contacts_messaged', 'contacts_messaged', 'percent', 'up', 'Reply rate', 'Antwortrate',
	 'contacts who replied since, divided by all contacts first reached in the period', 'Kontakte, die seither geantwortet haben, geteilt durch alle im Zeitraum erstmals angesprochenen'),
	(NULL, 'return_on_sales', '100 * (revenue - direct_cost - total_cost) / nullif(greatest(revenue, 0), 0)', 'sale_lines', 'percent', 'up', 'Return on sales', 'Umsatzrendite',
	 'revenue less direct cost and all other cost, divided by revenue', 'Umsatz abzüglich direkter und aller übrigen Kosten, geteilt durch den Umsatz'),
	(NULL, 'committed_mrr', 'mrr - mrr_cancelling', 'customers', 'money', 'up', 'Committed MRR', 'Zugesagtes MRR',
	 'MRR less what is cancelled, its end still to come', 'MRR abzüglich des gekündigten, das noch läuft'),
	(NULL, 'cac_payback_months', 'customer_acquisition_cost / (mrr_new / customers_won * margin_of_year / 100)', 'customers_won', 'ratio', 'down', 'CAC payback in months', 'CAC-Amortisation in Monaten',
	 'months in which the margin of a new customer''s MRR earns back what it cost to win one', 'Monate, in denen die Marge des MRR eines neuen Kunden die Kosten seiner Gewinnung einspielt'),
	(NULL, 'ltv_to_cac', 'lifetime_value / customer_acquisition_cost', 'new_customers', 'ratio', 'up', 'Lifetime value to acquisition cost', 'Lebenszeitwert zu Gewinnungskosten',
	 'lifetime value divided by the cost of winning a customer in the period', 'Lebenszeitwert geteilt durch die Kosten der Kundengewinnung im Zeitraum'),
	(NULL, 'repeat_purchase_rate', '100 * (buying_customers - first_buyers) / buying_customers', 'buying_customers', 'percent', 'up', 'Repeat purchase rate', 'Wiederkaufrate',
	 'of the accounts that bought in the period, those that had bought before it', 'Anteil der Kunden mit Kauf im Zeitraum, die schon vorher gekauft hatten'),
	(NULL, 'sales_velocity', 'open_at_start * average_won_value * win_rate / 100 / sales_cycle_length', 'won_deals', 'money', 'up', 'Sales velocity', 'Vertriebsgeschwindigkeit',
	 'revenue a day in sight: opportunities open at the start times average deal won times win rate, divided by the sales cycle in days', 'absehbarer Umsatz je Tag: zu Beginn offene Chancen mal durchschnittlicher Abschluss mal Gewinnquote, geteilt durch den Verkaufszyklus in Tagen'),
	(NULL, 'lead_response_time', 'quantile(lead_responses, 0.5)', NULL, 'days', 'down', 'Lead response time', 'Reaktionszeit auf Leads',
	 'half of the leads created in the period and answered since were answered within as many days', 'die Hälfte der im Zeitraum angelegten und seither beantworteten Leads wurde in höchstens so vielen Tagen beantwortet'),
	(NULL, 'lead_response_time_mean', 'mean(lead_responses)', NULL, 'days', 'down', 'Lead response time, mean', 'Reaktionszeit auf Leads, Mittel',
	 'mean days to the first answer, of the leads created in the period and answered since', 'mittlere Tage bis zur ersten Antwort auf die im Zeitraum angelegten und seither beantworteten Leads'),
	(NULL, 'lead_response_time_p90', 'quantile(lead_responses, 0.9)', NULL, 'days', 'down', 'Lead response time, 90th percentile', 'Reaktionszeit auf Leads, 90. Perzentil',
	 'nine in ten of these leads were answered within as many days', 'neun von zehn dieser Leads wurden in höchstens so vielen Tagen beantwortet'),
	(NULL, 'stage_conversion', '100 * stage_advances / stage_entries', 'stage_entries', 'percent', 'up', 'Stage conversion', 'Phasenkonversion',
	 'of the stages that opportunities entered in the period, those that led to a later one since, or to the deal; by stage in kpi_stage_funnel(period)', 'Anteil der im Zeitraum erreichten Phasen, auf die seither eine spätere oder der Abschluss folgte; nach Phase mit kpi_stage_funnel(zeitraum)'),
	(NULL, 'time_in_stage', 'mean(stage_stays)', NULL, 'days', 'down', 'Time in stage', 'Zeit in der Phase',
	 'mean days that an opportunity stayed in a stage, of the stays that ended in the period', 'mittlere Tage einer Chance in einer Phase, der im Zeitraum beendeten Aufenthalte'),
	(NULL, 'time_in_stage_median', 'quantile(stage_stays, 0.5)', NULL, 'days', 'down', 'Time in stage, median', 'Zeit in der Phase, Median',
	 'half of the stays in a stage that ended in the period took at most as many days', 'die Hälfte der im Zeitraum beendeten Aufenthalte dauerte höchstens so viele Tage'),
	(NULL, 'time_in_stage_p90', 'quantile(stage_stays, 0.9)', NULL, 'days', 'down', 'Time in stage, 90th percentile', 'Zeit in der Phase, 90. Perzentil',
	 'nine in ten stays in a stage that ended in the period took at most as many days', 'neun von zehn im Zeitraum beendeten Aufenthalten dauerten höchstens so viele Tage'),
	(NULL, 'win_rate', '100 * won_deals / (won_deals + lost_deals)', 'won_deals + lost_deals', 'percent', 'up', 'Win rate', 'Gewinnquote',
	 'deals won, divided by the deals won or lost in the period', 'gewonnene, geteilt durch alle gewonnenen und verlorenen Chancen des Zeitraums'),
	(NULL, 'win_rate_by_value', '100 * won_value / (won_value + lost_value)', 'won_deals + lost_deals', 'percent', 'up', 'Win rate by value', 'Gewinnquote nach Wert',
	 'the same by amount', 'dasselbe nach Betrag'),
	(NULL, 'average_won_value', 'won_value / won_deals', 'won_deals', 'money', 'up', 'Average deal won', 'Durchschnittlicher Abschluss',
	 'amount of a deal won in the period, on average', 'durchschnittlicher Betrag der im Zeitraum gewonnenen Chancen');

CREATE TABLE @extschema@.kpi_definition_own (
	kpi			text PRIMARY KEY,
	formula		text NOT NULL,
	n			text,
	unit		text NOT NULL CHECK (unit IN ('money', 'percent', 'count', 'days', 'ratio')),
	better		text NOT NULL CHECK (better IN ('up', 'down')),
	label_en	text NOT NULL,
	label_de	text NOT NULL,
	description_en text NOT NULL,
	description_de text NOT NULL,
	"position"	integer GENERATED ALWAYS AS IDENTITY
);
COMMENT ON TABLE @extschema@.kpi_definition_own IS 'KPIs defined by kpi_define; they override shipped ones of the same name';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_definition_own', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_definition_own_position_seq', '');

/* Without a sort, so that whoever looks for one KPI finds it through the indexes. */
CREATE VIEW @extschema@.kpi_definition AS
	SELECT o.kpi, NULL::integer AS number, o.formula, o.n, o.unit, o.better, o.label_en, o.label_de, o.description_en, o.description_de,
		   3 AS layer, o."position"
	  FROM @extschema@.kpi_definition_own o
	UNION ALL
	SELECT s.kpi, s.number, s.formula, s.n, s.unit, s.better, s.label_en, s.label_de, s.description_en, s.description_de, 1, s."position"
	  FROM @extschema@.kpi_definition_shipped s
	 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_definition_own o WHERE o.kpi = s.kpi)
	UNION ALL
	SELECT m.measure, NULL, CASE m.slot WHEN 'duration' THEN format('mean(%s)', m.measure) ELSE m.measure END,
		   CASE WHEN m.unit = 'count' AND m.slot <> 'sum' THEN m.measure END,
		   m.unit, CASE WHEN m.measure IN ('direct_cost', 'lost_deals', 'lost_value', 'no_shows', 'unweighted_opportunities', 'sales_cycle', 'lead_responses', 'stage_stays',
										   'mrr_contraction', 'mrr_churned', 'mrr_cancelling', 'customers_churned',
										   'sales_and_marketing_cost', 'campaign_cost', 'total_cost')
						THEN 'down' ELSE 'up' END,
		   m.label_en, m.label_de, m.description_en, m.description_de, 2, m."position"
	  FROM @extschema@.kpi_measure m
	 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_definition_own o WHERE o.kpi = m.measure)
	   AND NOT EXISTS (SELECT FROM @extschema@.kpi_definition_shipped s WHERE s.kpi = m.measure)
	   AND NOT EXISTS (SELECT FROM @extschema@.kpi_measure e WHERE e.measure = m.measure AND e."position" < m."position");
COMMENT ON VIEW @extschema@.kpi_definition IS
'the KPIs: number in the list of twenty, formula, unit, direction, labels; layer and position give the order in reports (1 shipped, 2 plain measures, 3 own)';

CREATE FUNCTION @extschema@.kpi_expanded(kpi text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_formula_expand(
				(SELECT d.formula FROM @extschema@.kpi_definition d WHERE d.kpi = kpi_expanded.kpi),
				a.kpis, a.formulas)
	  FROM (SELECT array_agg(d.kpi) AS kpis, array_agg(d.formula) AS formulas
			  FROM @extschema@.kpi_definition d WHERE d.layer <> 2) a;
END;
COMMENT ON FUNCTION @extschema@.kpi_expanded(text) IS
'the formula of a KPI over measures alone: KPIs in it replaced by their formulas. NULL for an unknown KPI';

/*
 * Whoever may write to kpi_definition_own may write anything into a formula,
 * and a new version may lack what one uses; so this is asked of a KPI that
 * kpi_define is about to make, and by kpi_check of all.
 */
CREATE FUNCTION @extschema@.kpi_require_computable(kpis text[]) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET jit = off	-- as of all KPIs one by one
AS $$
DECLARE
	unknown record;
BEGIN
	SELECT r.kpi, f.name, f.used_as, m.is_distribution INTO unknown
	  FROM unnest(@extschema@.kpi_resolve(kpis, 12, 'en')) r
	 CROSS JOIN LATERAL unnest(ARRAY[r.formula, r.n_formula]) e(formula)
	 CROSS JOIN LATERAL @extschema@.kpi_formula_names(e.formula) f
	 CROSS JOIN LATERAL (SELECT bool_or(m.slot = 'duration') AS is_distribution FROM @extschema@.kpi_measure m WHERE m.measure = f.name) m
	 WHERE CASE f.used_as WHEN 'value' THEN m.is_distribution IS NOT FALSE WHEN 'state' THEN m.is_distribution IS NOT TRUE
						  WHEN 'setting' THEN NOT EXISTS (SELECT FROM @extschema@.kpi_setting_default s WHERE s.setting = f.name AND s.is_number)
						  ELSE NOT EXISTS (SELECT FROM @extschema@.kpi_definition d WHERE d.kpi = f.name) END
	 ORDER BY r.ordinal, f.name LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'formula of KPI "%" uses "%", which is not %', unknown.kpi, unknown.name,
				CASE unknown.used_as WHEN 'state' THEN 'a distribution' WHEN 'setting' THEN 'a setting that is a number'
									 ELSE CASE WHEN unknown.is_distribution THEN 'a number but a distribution' ELSE 'a measure or a KPI' END END
			USING ERRCODE = 'undefined_column',
				  HINT = CASE unknown.used_as WHEN 'setting'
						 THEN 'Settings that are numbers are ' || (SELECT string_agg(s.setting, ', ' ORDER BY s.setting)
																	FROM @extschema@.kpi_setting_default s WHERE s.is_number) || '.'
						 ELSE 'SELECT kpi, label_en FROM kpi_definition lists what a formula can use; distributions go into mean() and quantile().' END;
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_computable(text[]) IS
'raises, naming the KPI, unless the formulas of all these can be expanded and use nothing but what there is';

CREATE FUNCTION @extschema@.kpi_faulty_definitions() RETURNS TABLE (kpi text, fault text)
	LANGUAGE plpgsql STABLE
	ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM @extschema@.kpi_definition_own) THEN
		RETURN;
	END IF;
	BEGIN
		PERFORM @extschema@.kpi_require_computable(array_agg(d.kpi)) FROM @extschema@.kpi_definition d;
		RETURN;
	EXCEPTION WHEN OTHERS THEN	-- which are it?
	END;
	FOR kpi IN SELECT d.kpi FROM @extschema@.kpi_definition d WHERE d.layer <> 2 ORDER BY d.kpi COLLATE "C" LOOP
		BEGIN
			PERFORM @extschema@.kpi_require_computable(ARRAY[kpi]);
		EXCEPTION WHEN OTHERS THEN
			fault := SQLERRM;
			RETURN NEXT;
		END;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_faulty_definitions() IS
'the KPIs that cannot be computed, and why: own ones that did not come through kpi_define, or whose formula uses what there is no more, and those that depend on them';

CREATE FUNCTION @extschema@.kpi_define(kpi text, formula text, unit text, better text,
									   label_en text, label_de text DEFAULT NULL,
									   description_en text DEFAULT NULL, description_de text DEFAULT NULL,
									   n text DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF kpi IS NULL OR kpi !~ '^[a-z_][a-z0-9_]{0,62}$' THEN
		RAISE EXCEPTION 'a KPI cannot be called "%"', kpi
			USING ERRCODE = 'invalid_name', HINT = 'Use lower-case letters, digits and underscores.';
	END IF;
	IF (unit IN ('money', 'percent', 'count', 'days', 'ratio')) IS NOT TRUE THEN
		RAISE EXCEPTION 'unknown unit "%" of KPI "%"', unit, kpi
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Units are money, percent, count, days and ratio.';
	ELSIF (better IN ('up', 'down')) IS NOT TRUE THEN
		RAISE EXCEPTION 'unknown direction "%" of KPI "%"', better, kpi
			USING ERRCODE = 'invalid_parameter_value', HINT = 'What is better goes up or down.';
	END IF;
	IF formula IS NULL OR coalesce(btrim(label_en), '') = '' THEN
		RAISE EXCEPTION 'KPI "%" has no %', kpi, CASE WHEN formula IS NULL THEN 'formula' ELSE 'label' END
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF EXISTS (SELECT FROM @extschema@.kpi_measure m WHERE m.measure = kpi) THEN
		RAISE EXCEPTION '"%" is a measure', kpi
			USING ERRCODE = 'duplicate_object', HINT = 'Give the KPI another name; measures cannot be redefined.';
	END IF;
	INSERT INTO @extschema@.kpi_definition_own AS o
		   (kpi, formula, n, unit, better, label_en, label_de, description_en, description_de)
	VALUES (kpi, formula, n, unit, better, label_en, coalesce(label_de, label_en),
			coalesce(description_en, label_en), coalesce(description_de, description_en, label_de, label_en))
	ON CONFLICT ON CONSTRAINT kpi_definition_own_pkey DO UPDATE
	   SET formula = excluded.formula, n = excluded.n, unit = excluded.unit, better = excluded.better,
		   label_en = excluded.label_en, label_de = excluded.label_de,
		   description_en = excluded.description_en, description_de = excluded.description_de;

	PERFORM @extschema@.kpi_require_computable(ARRAY[kpi_define.kpi]);
	PERFORM @extschema@.kpi_require_computable(array_agg(d.kpi)) FROM @extschema@.kpi_definition d;	-- those that use it too
	RETURN @extschema@.kpi_expanded(kpi_define.kpi);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_define(text, text, text, text, text, text, text, text, text) IS
'defines a KPI or redefines a shipped one, and returns its formula over measures: formula in the grammar of kpi_formula_names; unit money, percent, count, days or ratio; better up or down; n: a formula for the number of rows behind it. It has values for all periods already computed';

CREATE FUNCTION @extschema@.kpi_undefine(kpi text) RETURNS boolean
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	used_by text;
	gone boolean;
BEGIN
	DELETE FROM @extschema@.kpi_definition_own o WHERE o.kpi = kpi_undefine.kpi;
	gone := FOUND;
	SELECT d.kpi INTO used_by
	  FROM @extschema@.kpi_definition d, LATERAL (SELECT * FROM @extschema@.kpi_formula_names(d.formula)
												  UNION SELECT * FROM @extschema@.kpi_formula_names(d.n)) f
	 WHERE position(kpi_undefine.kpi IN concat_ws(' ', d.formula, d.n)) > 0	-- a faulty formula that has nothing to do with it is not read
	   AND f.name = kpi_undefine.kpi AND f.used_as <> 'setting' AND d.kpi <> kpi_undefine.kpi
	   AND NOT EXISTS (SELECT FROM @extschema@.kpi_definition x WHERE x.kpi = kpi_undefine.kpi)
	 ORDER BY 1 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'KPI "%" cannot be undefined: "%" uses it', kpi, used_by
			USING ERRCODE = 'dependent_objects_still_exist';
	END IF;
	RETURN gone;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_undefine(text) IS
'removes a definition that kpi_define made; a shipped KPI of that name is as shipped again. False when there was none';

/* Selections: which KPIs a report shows. */
CREATE TABLE @extschema@.kpi_selection_shipped (
	selection	text NOT NULL,
	kpi			text NOT NULL,
	"position"	integer NOT NULL,
	PRIMARY KEY (selection, kpi)
);
COMMENT ON TABLE @extschema@.kpi_selection_shipped IS 'the selections that come with salkpi';

INSERT INTO @extschema@.kpi_selection_shipped
SELECT selection, kpi, n
  FROM (VALUES
	('top5', '{profit_margin,customer_lifetime_value,revenue,revenue_growth,revenue_per_rep}'::text[]),
	('twenty', '{revenue_growth,profit_margin,opportunities,pipeline_value,lead_conversion_rate,customer_acquisition_cost,customer_lifetime_value,average_purchase_value,revenue_per_rep,sales_by_region,mrr,revenue_per_account,sales_cycle_length,cost_per_lead,customer_retention_rate,customer_churn_rate,target_attainment,quote_to_close_ratio,calls_and_emails_per_rep,demo_and_onboarding_calls}'),
	('management', '{revenue,revenue_growth,revenue_growth_year,profit_margin,target_attainment,pipeline_value,weighted_pipeline,win_rate,average_purchase_value,sales_cycle_length,mrr,net_revenue_retention,customer_churn_rate,customer_acquisition_cost,customer_lifetime_value}'),
	('sales', '{revenue,target_attainment,won_deals,won_value,win_rate,pipeline_value,weighted_pipeline,pipeline_closing,sales_cycle_median,sales_velocity,quote_to_close_ratio,calls_and_emails_per_rep,demo_and_onboarding_calls}'),
	('marketing', '{leads,lead_conversion_rate,lead_qualification_rate,conversions,opportunities,average_opportunity_value,cost_per_lead,customer_acquisition_cost,lead_response_time,reply_rate,trials_started}'),
	('customers', '{customers,new_customers,customer_retention_rate,customer_churn_rate,mrr,committed_mrr,net_revenue_retention,gross_revenue_retention,quick_ratio,revenue_per_account,customer_lifetime_value,ltv_to_cac,cac_payback_months,repeat_purchase_rate,lifetime_spend_per_customer}'),
	('rep', '{revenue,target_attainment,won_deals,win_rate,pipeline_value,calls,emails,demos,onboardings,reply_rate}')
	) s(selection, kpis), unnest(kpis) WITH ORDINALITY u(kpi, n);

CREATE TABLE @extschema@.kpi_selection_own (
	selection	text NOT NULL,
	kpi			text NOT NULL,
	"position"	integer NOT NULL,
	PRIMARY KEY (selection, kpi)
);
COMMENT ON TABLE @extschema@.kpi_selection_own IS 'selections made by kpi_select';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_selection_own', '');

CREATE VIEW @extschema@.kpi_selection AS
	SELECT selection, kpi, "position" FROM @extschema@.kpi_selection_own
	UNION ALL
	SELECT selection, kpi, "position" FROM @extschema@.kpi_selection_shipped s
	 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_selection_own o WHERE o.selection = s.selection)
	UNION ALL
	SELECT 'all', kpi, (row_number() OVER (ORDER BY layer, number, "position"))::integer
	  FROM @extschema@.kpi_definition WHERE layer <> 2
	UNION ALL
	SELECT 'measures', kpi, (row_number() OVER (ORDER BY "position"))::integer
	  FROM @extschema@.kpi_definition WHERE layer = 2;
COMMENT ON VIEW @extschema@.kpi_selection IS
'which KPIs a report shows, in which order; "all" are the defined ones, "measures" the plain measures';

CREATE FUNCTION @extschema@.kpi_select(selection text, VARIADIC kpis text[] DEFAULT '{}') RETURNS integer
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	kept integer;
	unknown text;
BEGIN
	IF selection IS NULL THEN
		PERFORM @extschema@.kpi_raise_unknown('selection', selection, 'Give it a name.');
	ELSIF selection IN ('all', 'measures', '') THEN
		RAISE EXCEPTION 'selection "%" cannot be changed', selection
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT u.kpi INTO unknown FROM unnest(kpis) u(kpi)
	 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_definition d WHERE d.kpi = u.kpi) LIMIT 1;
	IF FOUND THEN
		PERFORM @extschema@.kpi_raise_unknown('KPI', unknown, 'SELECT kpi, label_en FROM kpi_definition lists them.');
	END IF;
	DELETE FROM @extschema@.kpi_selection_own o WHERE o.selection = kpi_select.selection;
	INSERT INTO @extschema@.kpi_selection_own
	SELECT kpi_select.selection, u.kpi, min(u.n) FROM unnest(kpis) WITH ORDINALITY u(kpi, n) GROUP BY u.kpi;
	GET DIAGNOSTICS kept = ROW_COUNT;
	RETURN kept;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_select(text, text[]) IS
'makes a named selection of KPIs for reports, in the order given, and returns how many; without KPIs the selection is removed (or is as shipped again)';
