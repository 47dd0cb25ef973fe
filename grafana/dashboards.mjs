/*
 * dashboards.mjs - what each dashboard shows, in English and German at once.
 */
import {
	bars, chosen, currency, dashed, dimension, fromDay, gauges, grain, labelled, lastDay, lines, member, members, row, scope, scopeMembers,
	source, stat, table, text, toDay,
} from './panels.mjs';

const unitOf = (lang) => `CASE unit WHEN 'money' THEN kpi_setting('currency') WHEN 'percent' THEN '%' WHEN 'days' THEN '${lang === 'de' ? 'Tage' : 'days'}' ELSE '' END`;
const shown = (column) => `round(${column}, CASE WHEN abs(${column}) >= 1000 OR unit = 'count' THEN 0 WHEN unit IN ('percent', 'days') THEN 1 ELSE 2 END)`;

const money = (en, de) => text(`${en}, $currency`, `${de}, $currency`);
const percent = (en, de) => text(`${en}, %`, `${de}, %`);

/* A KPI over time, of everything chosen together. */
const merged = (kpi, name = 'value', by = "'$dimension'", of = 'member') =>
	`SELECT "time", value AS "${name}" FROM kpi_merged_series('${kpi}', ${fromDay}, ${toDay}, '$grain', ${by}, ${chosen(of)}) ORDER BY "time"`;

/* A KPI over time, one line for each member chosen. */
const each = (kpi, of, lang) =>
	`SELECT "time", label, value FROM kpi_series('${kpi}', ${fromDay}, ${toDay}, '$grain', '${of}', ${chosen(of)}, lang => '${lang}') ORDER BY "time", label`;

const valueColumns = [
	['number', text('No.', 'Nr.'), { width: 60 }], ['kpi', '', { hidden: true }], ['label', text('KPI', 'Kennzahl')], ['value', text('Value', 'Wert'), { width: 130 }],
	['unit', text('Unit', 'Einheit'), { width: 80 }], ['target', text('Target', 'Ziel'), { width: 130 }], ['attainment', text('Reached, %', 'Erreicht, %'), { decimals: 1, width: 110 }],
	['status', text('Status', 'Status'), { status: true, width: 100 }], ['change', text('Change', 'Veränderung'), { decimals: 1, width: 120 }],
	['trend', text('Last 12', 'Letzte 12'), { width: 150 }], ['reason', text('Why nothing', 'Warum nichts'), { width: 170 }],
];
const report = (lang, by, of, selection) =>
	`SELECT number::bigint AS number, kpi, label, ${shown('value')} AS value, ${unitOf(lang)} AS unit, ${shown('target')} AS target, attainment, status, change, trend, reason
	   FROM kpi_report(${lastDay}, '$grain', ${scope(by, of)}, selection => '${selection}', lang => '${lang}', members => ${scopeMembers(of)})`;

const rankingColumns = [
	['rank', text('Rank', 'Rang'), { width: 70 }], ['member', '', { hidden: true, plain: true }],
	['value', money('Revenue', 'Umsatz'), { decimals: 0, width: 140 }], ['share', text('Share, %', 'Anteil, %'), { decimals: 1, gauge: true, width: 180 }],
	['target', money('Target', 'Ziel'), { decimals: 0, width: 140 }], ['attainment', text('Reached, %', 'Erreicht, %'), { decimals: 1, width: 120 }],
	['status', text('Status', 'Status'), { status: true, width: 110 }], ['change', text('Change, %', 'Veränderung, %'), { decimals: 1, width: 130 }],
];

const overview = (lang) => ({
	uid: 'overview', title: text('Sales · Overview', 'Vertrieb · Überblick'),
	description: text('The sales KPIs of a period, against their targets', 'Die Vertriebskennzahlen eines Zeitraums und ihre Ziele'),
	variables: [grain, dimension, member, currency],
	panels: [
		stat(money('Revenue', 'Umsatz'), merged('revenue'), { kpi: 'revenue' }),
		stat(percent('Revenue growth', 'Umsatzwachstum'), merged('revenue_growth'), { kpi: 'revenue_growth', decimals: 1 }),
		stat(percent('Profit margin', 'Gewinnmarge'), merged('profit_margin'), { kpi: 'profit_margin', decimals: 1 }),
		stat(money('Weighted pipeline', 'Gewichtete Pipeline'), merged('weighted_pipeline'), { kpi: 'weighted_pipeline' }),
		stat(money('MRR', 'MRR'), merged('mrr'), { kpi: 'mrr' }),
		stat(percent('Win rate', 'Gewinnquote'), merged('win_rate'), { kpi: 'win_rate', decimals: 1 }),
		bars(money('Revenue and its target', 'Umsatz und Ziel'),
			`SELECT "time", value AS "${lang === 'de' ? 'Umsatz' : 'Revenue'}", target AS "${lang === 'de' ? 'Ziel' : 'Target'}"
			   FROM kpi_merged_series('revenue', ${fromDay}, ${toDay}, '$grain', '$dimension', ${chosen('member')}) ORDER BY "time"`,
			{ kpi: 'revenue', overrides: [dashed(text('Target', 'Ziel'))], min: 0 }),
		lines(money('Pipeline', 'Pipeline'), [merged('pipeline_value', lang === 'de' ? 'Bester Fall' : 'Best case'), merged('weighted_pipeline', lang === 'de' ? 'Gewichtet' : 'Weighted')],
			{ kpi: ['pipeline_value', 'weighted_pipeline'], min: 0 }),
		table(text('All KPIs of the last period of the time range', 'Alle Kennzahlen des letzten Zeitraums'), report(lang, "'$dimension'", 'member', 'all'), valueColumns, {
			height: 26, description: text('A KPI without value says why. Change is against the previous period: percentages in points, all else in percent.',
				'Eine Kennzahl ohne Wert sagt, warum. Veränderung zum Vorzeitraum: Prozentwerte in Punkten, alles übrige in Prozent.'),
		}),
	],
});

const team = (lang) => ({
	uid: 'team', title: text('Sales · Team', 'Vertrieb · Team'),
	description: text('Who sells what, reaches the target and does how much', 'Wer verkauft was, erreicht das Ziel und tut wie viel'),
	variables: [grain, members('team', text('Team', 'Team')), members('rep', text('Rep', 'Vertriebler')), currency],
	panels: [
		table(text('Ranking by revenue', 'Rangliste nach Umsatz'),
			`SELECT rank, member, label, value, share, target, attainment, status, change FROM kpi_ranking('revenue', ${lastDay}, 'rep', '$grain', lang => '${lang}')
			  WHERE (member = ANY (${chosen('rep')})) IS NOT FALSE ORDER BY rank, label`,
			[...rankingColumns.slice(0, 2), ['label', text('Rep', 'Vertriebler'), {
				link: { title: text('Only this rep', 'Nur dieser Vertriebler'), url: `/d/salkpi-team-${lang}?var-rep=\${__data.fields.member}&\${grain:queryparam}&\${__url_time_range}` },
			}], ...rankingColumns.slice(2)], { kpi: 'revenue', width: 16, height: 13 }),
		gauges(percent('Target reached', 'Ziel erreicht'),
			`SELECT label, attainment FROM kpi_ranking('revenue', ${lastDay}, 'rep', '$grain', lang => '${lang}')
			  WHERE attainment IS NOT NULL AND (member = ANY (${chosen('rep')})) IS NOT FALSE ORDER BY attainment DESC, label`,
			{ kpi: 'target_attainment', width: 8, height: 13 }),
		labelled(bars(money('Revenue by team', 'Umsatz nach Team'), each('revenue', 'team', lang), { kpi: 'revenue', stack: true, min: 0 })),
		bars(text('Activities of the reps chosen', 'Aktivitäten der gewählten Vertriebler'),
			['calls', 'emails', 'meetings', 'demos', 'onboardings'].map((kpi, i) => merged(kpi,
				(lang === 'de' ? ['Anrufe', 'E-Mails', 'Termine', 'Demos', 'Onboardings'] : ['Calls', 'E-mails', 'Meetings', 'Demos', 'Onboardings'])[i], "'rep'", 'rep')),
			{ kpi: ['calls', 'emails'], stack: true, min: 0 }),
		table(text('The KPIs of the reps chosen', 'Die Kennzahlen der gewählten Vertriebler'), report(lang, "'rep'", 'rep', 'sales'), valueColumns, { height: 13 }),
	],
});

const pipeline = (lang) => ({
	uid: 'pipeline', title: text('Sales · Pipeline', 'Vertrieb · Pipeline'),
	description: text('What is open, in which stage, and what it is likely to bring', 'Was offen ist, in welcher Phase, und was es voraussichtlich bringt'),
	variables: [grain, members('team', text('Team', 'Team')), currency],
	time: { from: 'now-12M/M', to: 'now' },
	panels: [
		stat(text('Open opportunities', 'Offene Chancen'), merged('open_opportunities', 'value', "'team'", 'team'), { kpi: 'open_opportunities', width: 5 }),
		stat(money('Pipeline', 'Pipeline'), merged('pipeline_value', 'value', "'team'", 'team'), { kpi: 'pipeline_value', width: 5 }),
		stat(money('Weighted', 'Gewichtet'), merged('weighted_pipeline', 'value', "'team'", 'team'), { kpi: 'weighted_pipeline', width: 5 }),
		stat(percent('Win rate', 'Gewinnquote'), merged('win_rate', 'value', "'team'", 'team'), { kpi: 'win_rate', decimals: 1, width: 4 }),
		stat(text('Sales cycle, days', 'Verkaufszyklus, Tage'), merged('sales_cycle_median', 'value', "'team'", 'team'), { kpi: 'sales_cycle_median', width: 5 }),
		gauges(money('By stage', 'Nach Phase'),
			`SELECT p.stage, sum(p.value) AS "${lang === 'de' ? 'Wert' : 'Value'}" FROM unnest(${scopeMembers('team')}) m(member)
			  CROSS JOIN LATERAL kpi_pipeline(${lastDay}, ${scope("'team'", 'team')}, m.member) p GROUP BY p.stage, p.stage_position ORDER BY p.stage_position NULLS LAST, p.stage`,
			{ kpi: 'pipeline_value', width: 8 }),
		gauges(money('By stage, weighted', 'Nach Phase, gewichtet'),
			`SELECT p.stage, sum(p.weighted) AS "${lang === 'de' ? 'Gewichtet' : 'Weighted'}" FROM unnest(${scopeMembers('team')}) m(member)
			  CROSS JOIN LATERAL kpi_pipeline(${lastDay}, ${scope("'team'", 'team')}, m.member) p GROUP BY p.stage, p.stage_position ORDER BY p.stage_position NULLS LAST, p.stage`,
			{ kpi: 'weighted_pipeline', width: 8 }),
		gauges(money('As it was at the start of the time range', 'Wie sie zu Beginn des Zeitraums war'),
			`SELECT p.stage, sum(p.value) AS "${lang === 'de' ? 'Wert' : 'Value'}" FROM unnest(${scopeMembers('team')}) m(member)
			  CROSS JOIN LATERAL kpi_pipeline(${fromDay} - 1, ${scope("'team'", 'team')}, m.member) p GROUP BY p.stage, p.stage_position ORDER BY p.stage_position NULLS LAST, p.stage`,
			{ kpi: 'pipeline_value', width: 8 }),
		lines(money('Open at the end of each period', 'Offen am Ende jedes Zeitraums'),
			[merged('pipeline_value', lang === 'de' ? 'Bester Fall' : 'Best case', "'team'", 'team'), merged('weighted_pipeline', lang === 'de' ? 'Gewichtet' : 'Weighted', "'team'", 'team')],
			{ kpi: ['pipeline_value', 'weighted_pipeline'], min: 0 }),
		bars(text('Deals closed', 'Abgeschlossene Chancen'),
			[merged('won_deals', lang === 'de' ? 'Gewonnen' : 'Won', "'team'", 'team'), merged('lost_deals', lang === 'de' ? 'Verloren' : 'Lost', "'team'", 'team')],
			{ kpi: 'win_rate', stack: true, min: 0 }),
		table(text('Will we make it? Won and expected against the target, by team, in this quarter', 'Schaffen wir es? Gewonnen und erwartet gegen das Ziel, nach Team, in diesem Quartal'),
			`SELECT label, won, weighted, expected, target, gap, attainment, status FROM kpi_outlook(kpi_today(), 'quarter', 'team', ${chosen('team')}, lang => '${lang}')`,
			[['label', text('Team', 'Team')], ['won', money('Won', 'Gewonnen'), { decimals: 0 }], ['weighted', money('Expected to close', 'Erwarteter Abschluss'), { decimals: 0 }],
				['expected', money('Together', 'Zusammen'), { decimals: 0 }], ['target', money('Target', 'Ziel'), { decimals: 0 }], ['gap', money('Missing', 'Es fehlen'), { decimals: 0 }],
				['attainment', text('Reached, %', 'Erreicht, %'), { decimals: 1 }], ['status', text('Status', 'Status'), { status: true }]], { height: 7 }),
		table(text('The most valuable open opportunities', 'Die wertvollsten offenen Chancen'),
			`SELECT t.id, t.name, t.account, t.rep, t.stage, t.amount, 100 * t.probability AS probability, t.weighted, t.expected_close::text AS expected_close, t.age_days::bigint AS age_days,
			        CASE WHEN t.overdue THEN '${lang === 'de' ? 'überfällig' : 'overdue'}' ELSE '' END AS overdue
			   FROM unnest(${scopeMembers('team')}) m(member) CROSS JOIN LATERAL kpi_top_opportunities(15, ${scope("'team'", 'team')}, m.member) t
			  ORDER BY t.amount DESC NULLS LAST, t.id LIMIT 15`,
			[['id', text('No.', 'Nr.'), { width: 90, plain: true }], ['name', text('Opportunity', 'Chance')], ['account', text('Account', 'Kunde')], ['rep', text('Rep', 'Vertriebler'), { width: 160 }],
				['stage', text('Stage', 'Phase'), { width: 140 }], ['amount', money('Amount', 'Betrag'), { decimals: 0, width: 120 }], ['probability', '%', { decimals: 0, width: 60 }],
				['weighted', money('Weighted', 'Gewichtet'), { decimals: 0, width: 130 }], ['expected_close', text('Expected', 'Erwartet'), { width: 110 }],
				['age_days', text('Age, days', 'Alter, Tage'), { decimals: 0, width: 100 }], ['overdue', '', { width: 90 }]], { height: 13 }),
	],
});

const movement = (column, sign, name) =>
	`SELECT "time", ${sign}sum(${column}) AS "${name}" FROM kpi_mrr_movements(${fromDay}, ${toDay}, '$grain', ${scope("'segment'", 'segment')}, ${scopeMembers('segment')}) GROUP BY "time" ORDER BY "time"`;

const recurring = (lang) => {
	const de = lang === 'de';
	return {
		uid: 'recurring', title: text('Sales · Recurring revenue', 'Vertrieb · Wiederkehrender Umsatz'),
		description: text('MRR, how it moves, and who stays', 'MRR, wie es sich bewegt, und wer bleibt'),
		variables: [grain, members('segment', text('Segment', 'Segment')), currency],
		panels: [
			stat(money('MRR', 'MRR'), merged('mrr', 'value', "'segment'", 'segment'), { kpi: 'mrr' }),
			stat(text('Customers', 'Kunden'), merged('customers', 'value', "'segment'", 'segment'), { kpi: 'customers' }),
			stat(money('Per account', 'Je Kunde'), merged('revenue_per_account', 'value', "'segment'", 'segment'), { kpi: 'revenue_per_account' }),
			stat(percent('Customers kept', 'Gehaltene Kunden'), merged('customer_retention_rate', 'value', "'segment'", 'segment'), { kpi: 'customer_retention_rate', decimals: 1 }),
			stat(percent('Net revenue kept', 'Umsatz gehalten, netto'), merged('net_revenue_retention', 'value', "'segment'", 'segment'), { kpi: 'net_revenue_retention', decimals: 1 }),
			stat(text('Quick ratio', 'Quick Ratio'), merged('quick_ratio', 'value', "'segment'", 'segment'), { kpi: 'quick_ratio', decimals: 2 }),
			bars(money('How the MRR moved', 'Wie sich das MRR bewegte'), [
				movement('new', '', de ? 'Neu' : 'New'), movement('reactivation', '', de ? 'Reaktiviert' : 'Reactivated'), movement('expansion', '', de ? 'Erweitert' : 'Expansion'),
				movement('contraction', '-', de ? 'Verkleinert' : 'Contraction'), movement('churned', '-', de ? 'Verloren' : 'Churned')], { stack: true, width: 14, height: 10 }),
			labelled(lines(money('MRR by segment', 'MRR nach Segment'), each('mrr', 'segment', lang), { kpi: 'mrr', width: 10, height: 10, stack: true, min: 0 })),
			lines(percent('Kept', 'Gehalten'), [
				merged('customer_retention_rate', de ? 'Kunden' : 'Customers', "'segment'", 'segment'),
				merged('gross_revenue_retention', de ? 'Umsatz, brutto' : 'Revenue, gross', "'segment'", 'segment'),
				merged('net_revenue_retention', de ? 'Umsatz, netto' : 'Revenue, net', "'segment'", 'segment')],
			{ kpi: ['customer_retention_rate', 'gross_revenue_retention', 'net_revenue_retention'], decimals: 1 }),
			lines(percent('Lost', 'Verloren'), [
				merged('customer_churn_rate', de ? 'Kunden' : 'Customers', "'segment'", 'segment'), merged('revenue_churn_rate', de ? 'Umsatz' : 'Revenue', "'segment'", 'segment')],
			{ kpi: ['customer_churn_rate', 'revenue_churn_rate'], decimals: 1, min: 0 }),
			table(percent('Customers kept, by the month of their first payment and the months since', 'Gehaltene Kunden nach Monat der ersten Zahlung und Monaten seither'),
				`SELECT to_char(cohort, 'YYYY-MM') AS cohort, max(customers) AS customers,
				        ${[...Array(13).keys()].map((age) => `max(retention) FILTER (WHERE age = ${age}) AS m${age}`).join(', ')}
				   FROM kpi_cohorts(${fromDay}, ${toDay}, '$grain') GROUP BY cohort ORDER BY cohort`,
				[['cohort', text('First payment', 'Erste Zahlung'), { width: 130, plain: true }], ['customers', text('Customers', 'Kunden'), { decimals: 0, width: 100 }],
					...[...Array(13).keys()].map((age) => [`m${age}`, `${age}`, { decimals: 0, heat: true, width: 88 }])], { height: 12 }),
		],
	};
};

const marketing = (lang) => {
	const de = lang === 'de';
	const effect = (by) =>
		`SELECT label, leads, 100 * leads / nullif(all_leads, 0) AS share, conversion, cost_per_lead, cost, size
		   FROM (SELECT member, label, max(value) FILTER (WHERE kpi = 'leads') AS leads, sum(max(value) FILTER (WHERE kpi = 'leads')) OVER () AS all_leads, max(value) FILTER (WHERE kpi = 'lead_conversion_rate') AS conversion,
		                max(value) FILTER (WHERE kpi = 'cost_per_lead') AS cost_per_lead, max(value) FILTER (WHERE kpi = 'campaign_cost') AS cost,
		                max(value) FILTER (WHERE kpi = 'opportunities_value') / nullif(max(value) FILTER (WHERE kpi = 'opportunities'), 0) AS size
		           FROM kpi_compare('{leads,lead_conversion_rate,cost_per_lead,campaign_cost,opportunities_value,opportunities}', ${lastDay}, '${by}', '$grain', lang => '${lang}')
		          GROUP BY member, label) m
		  WHERE (leads > 0 OR cost > 0)${by === 'channel' ? ` AND (member = ANY (${chosen('channel')})) IS NOT FALSE` : ''} ORDER BY leads DESC, label`;
	const columns = (heading) => [['label', heading], ['leads', 'Leads', { decimals: 0, width: 90 }], ['share', text('Share, %', 'Anteil, %'), { decimals: 1, gauge: true, width: 140 }],
		['conversion', percent('Converted', 'Gewonnen'), { decimals: 1, width: 110 }], ['cost_per_lead', money('Cost per lead', 'Kosten je Lead'), { decimals: 2, width: 150 }],
		['cost', money('Cost', 'Kosten'), { decimals: 0, width: 120 }], ['size', money('New deal, mean', 'Neue Chance, Mittel'), { decimals: 0, width: 180 }]];
	return {
		uid: 'marketing', title: text('Sales · Marketing', 'Vertrieb · Marketing'),
		description: text('Leads, what becomes of them, and what they cost', 'Leads, was aus ihnen wird, und was sie kosten'),
		variables: [grain, members('channel', text('Channel', 'Kanal')), currency],
		panels: [
			stat(text('Leads', 'Leads'), merged('leads', 'value', "'channel'", 'channel'), { kpi: 'leads', width: 5 }),
			stat(percent('Converted', 'Gewonnen'), merged('lead_conversion_rate', 'value', "'channel'", 'channel'), { kpi: 'lead_conversion_rate', decimals: 1, width: 5 }),
			stat(percent('Qualified', 'Qualifiziert'), merged('lead_qualification_rate', 'value', "'channel'", 'channel'), { kpi: 'lead_qualification_rate', decimals: 1, width: 5 }),
			stat(money('Cost per lead', 'Kosten je Lead'), merged('cost_per_lead', 'value', "'channel'", 'channel'), { kpi: 'cost_per_lead', decimals: 2, width: 4 }),
			stat(money('Per new customer', 'Je neuem Kunden'), merged('customer_acquisition_cost', 'value', "'total'", 'channel').replace(chosen('channel'), 'NULL'), { kpi: 'customer_acquisition_cost', width: 5 }),
			labelled(bars(text('Leads by channel', 'Leads nach Kanal'), each('leads', 'channel', lang), { kpi: 'leads', stack: true, min: 0 })),
			lines(percent('From lead to customer', 'Vom Lead zum Kunden'), [
				merged('lead_qualification_rate', de ? 'Qualifiziert' : 'Qualified', "'channel'", 'channel'), merged('lead_conversion_rate', de ? 'Gewonnen' : 'Converted', "'channel'", 'channel')],
			{ kpi: ['lead_qualification_rate', 'lead_conversion_rate'], decimals: 1, min: 0 }),
			table(text('By channel', 'Nach Kanal'), effect('channel'), columns(text('Channel', 'Kanal')), { kpi: ['cost_per_lead', 'lead_conversion_rate'], height: 9 }),
			table(text('By campaign', 'Nach Kampagne'), effect('campaign'), columns(text('Campaign', 'Kampagne')), { height: 10 }),
		],
	};
};

const regions = (lang) => ({
	uid: 'regions', title: text('Sales · Regions and products', 'Vertrieb · Regionen und Produkte'),
	description: text('Revenue, growth and margin by region and by product', 'Umsatz, Wachstum und Marge nach Region und Produkt'),
	variables: [grain, members('region', text('Region', 'Region')), members('product', text('Product', 'Produkt')), currency],
	panels: ['region', 'product'].flatMap((by) => {
		const largest = `ARRAY(SELECT member FROM kpi_ranking('revenue', ${lastDay}, '${by}', '$grain') WHERE (member = ANY (${chosen(by)})) IS NOT FALSE ORDER BY rank LIMIT 8)`;
		return [
			row(by === 'region' ? text('Regions', 'Regionen') : text('Products', 'Produkte')),
			table(by === 'region' ? text('By region', 'Nach Region') : text('By product', 'Nach Produkt'),
				`SELECT rank, label, revenue, share, growth, margin, target, status FROM kpi_sales_by_region(${lastDay}, '$grain', '${by}', lang => '${lang}')
				  WHERE (member = ANY (${chosen(by)})) IS NOT FALSE ORDER BY rank, label`,
				[['rank', text('Rank', 'Rang'), { width: 60 }], ['label', by === 'region' ? text('Region', 'Region') : text('Product', 'Produkt'), { width: 220 }],
					['revenue', money('Revenue', 'Umsatz'), { decimals: 0, width: 130 }], ['share', text('Share, %', 'Anteil, %'), { decimals: 1, gauge: true, width: 140 }],
					['growth', text('Growth, %', 'Wachstum, %'), { decimals: 1, width: 115 }], ['margin', text('Margin, %', 'Marge, %'), { decimals: 1, width: 95 }],
					['target', money('Target', 'Ziel'), { decimals: 0, width: 105 }], ['status', text('Status', 'Status'), { status: true }]],
				{ kpi: ['sales_by_region', 'profit_margin'], width: 15, height: 11 }),
			labelled(bars(by === 'region' ? money('Revenue by region', 'Umsatz nach Region') : money('Revenue of the eight largest', 'Umsatz der acht größten'),
				`SELECT "time", label, value FROM kpi_series('revenue', ${fromDay}, ${toDay}, '$grain', '${by}', ${largest}, lang => '${lang}') ORDER BY "time", label`,
				{ kpi: 'revenue', stack: true, width: 9, height: 11 })),
		];
	}),
});

const state = (lang) => {
	const de = lang === 'de';
	return {
		uid: 'state', title: text('Sales · State of the data', 'Vertrieb · Stand der Daten'),
		description: text('How old the numbers are, and what is wrong with the rows behind them', 'Wie alt die Zahlen sind, und was an den Zeilen dahinter falsch ist'),
		variables: [], time: { from: 'now-7d', to: 'now' }, refresh: '1m',
		panels: [
			stat(text('Age of the numbers, minutes', 'Alter der Zahlen, Minuten'), `SELECT now() AS "time", extract(epoch FROM kpi_age()) / 60 AS value`, { width: 6, decimals: 0 }),
			stat(text('Bad rows', 'Fehlerhafte Zeilen'), `SELECT now() AS "time", coalesce(sum(bad_rows), 0) AS value FROM kpi_problem`, { width: 6 }),
			stat(text('Failed runs in the time range', 'Fehlgeschlagene Läufe'),
				`SELECT now() AS "time", count(*) AS value FROM kpi_runs WHERE outcome IN ('failed', 'crashed') AND $__timeFilter(started_at)`, { width: 6 }),
			stat(text('Facts', 'Fakten'), `SELECT now() AS "time", count(*) AS value FROM kpi_fact WHERE superseded_at IS NULL`, { width: 6 }),
			table(text('Rows left out, and why', 'Ausgelassene Zeilen und der Grund'),
				`SELECT source, reason, bad_rows, array_to_string(keys, ', ') AS keys, to_char(first_seen AT TIME ZONE kpi_setting('time_zone'), 'YYYY-MM-DD HH24:MI') AS first_seen
				   FROM kpi_problem ORDER BY bad_rows DESC, source, reason`,
				[['source', text('Source', 'Quelle'), { width: 170 }], ['reason', text('Reason', 'Grund')], ['bad_rows', text('Rows', 'Zeilen'), { decimals: 0, width: 90 }],
					['keys', text('For example', 'Zum Beispiel'), { plain: true }], ['first_seen', text('Since', 'Seit'), { width: 160 }]], { height: 10 }),
			table(text('Revenue that was reported otherwise before', 'Umsatz, der zuvor anders berichtet wurde'),
				`SELECT to_char("time" AT TIME ZONE kpi_setting('time_zone'), 'YYYY-MM') AS month, first_reported, before, after, change, run
				   FROM kpi_restatements('revenue', NULL, ${toDay}, 'month', 'total', NULL, '${lang}') WHERE recorded_at >= $__timeFrom()::timestamptz ORDER BY recorded_at DESC, "time" DESC LIMIT 50`,
				[['month', text('Month', 'Monat'), { width: 120, plain: true }], ['first_reported', text('First', 'Zuerst'), { decimals: 0 }], ['before', text('Before', 'Zuvor'), { decimals: 0 }],
					['after', text('Now', 'Jetzt'), { decimals: 0 }], ['change', text('Change', 'Veränderung'), { decimals: 0 }], ['run', text('Run', 'Lauf'), { decimals: 0, width: 90 }]],
				{ height: 7, nothing: text('nothing was restated', 'nichts wurde geändert') }),
			table(text('Snapshots', 'Läufe'),
				`SELECT run, to_char(started_at AT TIME ZONE kpi_setting('time_zone'), 'YYYY-MM-DD HH24:MI:SS') AS started, outcome, facts, changed, problems, extract(epoch FROM duration) AS seconds, error
				   FROM kpi_runs ORDER BY run DESC LIMIT 50`,
				[['run', text('Run', 'Lauf'), { width: 80 }], ['started', text('Started', 'Begonnen'), { width: 180 }], ['outcome', text('Outcome', 'Ergebnis'), { width: 110 }],
					['facts', text('Facts', 'Fakten'), { decimals: 0, width: 100 }], ['changed', text('Changed', 'Geändert'), { decimals: 0, width: 110 }], ['problems', text('Problems', 'Probleme'), { decimals: 0, width: 110 }],
					['seconds', text('Seconds', 'Sekunden'), { decimals: 1, width: 110 }], ['error', text('Error', 'Fehler')]], { height: 10 }),
		],
	};
};

export const dashboards = (lang) => [overview, team, pipeline, recurring, marketing, regions, state].map((d) => d(lang));

/* ---------- alert rules: a query of a time series, reduced to its last value, against a limit ---------- */

const rule = (uid, title, sql, limit, summary) => ({
	uid: `salkpi-${uid}`, title, condition: 'C', for: '5m', noDataState: 'NoData', execErrState: 'Error', annotations: { summary }, labels: { extension: 'salkpi' },
	data: [
		{ refId: 'A', datasourceUid: source.uid, relativeTimeRange: { from: 86400, to: 0 }, model: { refId: 'A', datasource: source, format: 'time_series', rawQuery: true, editorMode: 'code', rawSql: sql } },
		{ refId: 'B', datasourceUid: '__expr__', relativeTimeRange: { from: 0, to: 0 }, model: { refId: 'B', type: 'reduce', expression: 'A', reducer: 'last' } },
		{ refId: 'C', datasourceUid: '__expr__', relativeTimeRange: { from: 0, to: 0 }, model: { refId: 'C', type: 'threshold', expression: 'B', conditions: [{ evaluator: { type: 'gt', params: [limit] } }] } },
	],
});

export const alerts = () => ({
	apiVersion: 1,
	groups: [{
		orgId: 1, name: 'salkpi', folder: 'salkpi', interval: '1m',
		rules: [
			rule('age', text('Sales numbers are old', 'Vertriebszahlen sind veraltet'), 'SELECT now() AS "time", extract(epoch FROM kpi_age()) / 60 AS minutes', 60,
				text('The newest snapshot is more than an hour old.', 'Der letzte Lauf liegt mehr als eine Stunde zurück.')),
			rule('bad-rows', text('More bad rows in the CRM', 'Mehr fehlerhafte Zeilen im CRM'),
				`SELECT now() AS "time", coalesce(sum(bad_rows) FILTER (WHERE first_seen > now() - interval '1 day'), 0) AS bad_rows FROM kpi_problem`, 0,
				text('Rows were left out for a reason that was not there the day before; kpi_problem lists them.', 'Zeilen wurden aus einem neuen Grund ausgelassen; kpi_problem nennt sie.')),
		],
	}],
});
