/*
 * dashboards.mjs - what each dashboard shows, in English and German at once.
 */
import {
	bars, coloured, currency, dashed, dimensionName, filter, grain, lines, outcome, queried, ranked, row, severity, source, stat, table, targetStatus, text,
} from './panels.mjs';
import { clock, dayFormat, fromDay, lastDay, periodName, queriesOf, toDay, unitOf } from './sql.mjs';

const everywhere = ['team', 'rep', 'region', 'product', 'channel'];
const drilled = [...everywhere, 'segment', 'campaign', 'stage', 'lost_reason'];

const money = (en, de) => text(`${en}, $currency`, `${de}, $currency`);
const percent = (en, de) => text(`${en}, %`, `${de}, %`);

/* ---------- links: they keep the time range and the variables ---------- */

const dashboardLink = (lang, uid, filters, own) =>
	`/d/salkpi-${uid}-${lang}?${[...Object.entries(own).map(([name, value]) => `var-${name}=${value}`),
		...['grain', ...filters].filter((name) => !(name in own)).map((name) => `\${${name}:queryparam}`), '${__url_time_range}'].join('&')}`;
const field = (name) => `\${__data.fields.${name}:percentencode}`;
const drill = (lang, filters, own) => ({ title: text('The rows behind it', 'Die Zeilen dahinter'), url: dashboardLink(lang, 'drill', filters, own) });

/* ---------- what several dashboards have ---------- */

const columns = {
	target: ['target', money('Target', 'Ziel'), { decimals: 0, width: 115 }],
	attainment: ['attainment', text('Reached, %', 'Erreicht, %'), { decimals: 1, width: 115 }],
	status: ['status', text('Status', 'Status'), { status: targetStatus, width: 95 }],
	change: ['change', text('Change, %', 'Veränderung, %'), { decimals: 1, width: 140 }],
	share: ['share', text('Share, %', 'Anteil, %'), { decimals: 1, gauge: true, max: 100, width: 170 }],
	reason: ['reason', text('Why if none', 'Grund, wenn keiner'), { width: 190 }],
};

/* The first line of a dashboard; listed: the dimensions whose members it lists. */
const subjectTable = (q, listed = []) => table('', q.subject(listed), [
	['period', text('Period', 'Zeitraum'), { width: 215 }], ['known', text('Known at', 'Stand'), { width: 215 }], ['scope', text('Shown', 'Gezeigt')], ['note', text('To mind', 'Zu beachten'), { warning: true }]],
{ height: 2, header: false });

const reportTable = (q, lang, filters, title, selection, height) => table(title, q.report(selection), [
	['number', text('No.', 'Nr.'), { width: 55 }], ['label', text('KPI', 'Kennzahl'), { link: drill(lang, filters, { kpi: field('kpi') }), tooltip: 'description' }], ['value', text('Value', 'Wert'), { width: 125 }],
	['unit', text('Unit', 'Einheit'), { width: 75 }], ['target', text('Target', 'Ziel'), { width: 125 }], columns.attainment, columns.status,
	['change', text('Change', 'Veränderung'), { decimals: 1, width: 120 }], ['trend', text('Last 12', 'Letzte 12'), { width: 145 }], columns.reason,
], {
	height, hide: ['kpi', 'dimension', 'member', 'description'],
	description: text('Change is against the previous period: of percentages in points, of all else in percent. A KPI without a value says why; the name tells what it is, and leads to the rows behind it.',
		'Veränderung zum Vorzeitraum: bei Prozentwerten in Punkten, sonst in Prozent. Eine Kennzahl ohne Wert sagt, warum; ihr Name sagt, was sie ist, und führt zu den Zeilen dahinter.'),
});

/* A table of q.ranking: the name leads to the rows behind, or to the dashboard with this member alone. */
const rankingTable = (q, lang, filters, { title, by, kpi, heading, others, columns: more, condition, uid, ...options }) => table(title, q.ranking(by, kpi, others, condition), [
	['rank', text('Rank', 'Rang'), { width: 65 }],
	['label', dimensionName(by), {
		link: [...(uid === undefined ? [] : [{ title: text('Only this one', 'Nur dies'), url: dashboardLink(lang, uid, filters, { [by]: field(by) }) }]), drill(lang, filters, { kpi, [by]: field(by) })],
	}],
	[kpi, heading, { decimals: 0, width: 130 }], ...more,
], { hide: ['dimension', 'member', by, ...['share', 'target', 'attainment', 'status', 'change'].filter((name) => !more.some(([column]) => column === name))], kpi: [kpi, ...others], ...options });

/* ---------- the dashboards ---------- */

const overview = (lang) => {
	const de = lang === 'de', q = queriesOf(lang, everywhere);
	const tile = (title, kpi, decimals = 0) => stat(title, q.merged(kpi), { kpi, decimals, link: drill(lang, everywhere, { kpi }) });
	return {
		uid: 'overview', title: text('Sales · Overview', 'Vertrieb · Überblick'),
		description: text('The sales KPIs of a period, against their targets', 'Die Vertriebskennzahlen eines Zeitraums und ihre Ziele'),
		filters: everywhere,
		panels: [
			subjectTable(q),
			tile(money('Revenue', 'Umsatz'), 'revenue'), tile(percent('Revenue growth', 'Umsatzwachstum'), 'revenue_growth', 1), tile(percent('Profit margin', 'Gewinnmarge'), 'profit_margin', 1),
			tile(money('Weighted pipeline', 'Gewichtete Pipeline'), 'weighted_pipeline'), tile(money('MRR', 'MRR'), 'mrr'), tile(percent('Win rate', 'Gewinnquote'), 'win_rate', 1),
			bars(money('Revenue and its target', 'Umsatz und Ziel'), q.mergedWithTarget('revenue', de ? 'Umsatz' : 'Revenue', de ? 'Ziel' : 'Target'),
				{ kpi: 'revenue', overrides: [dashed(text('Target', 'Ziel'))], min: 0 }),
			(({ sql, overrides }) => lines(money('Pipeline', 'Pipeline'), sql, { kpi: ['pipeline_value', 'weighted_pipeline'], overrides, min: 0 }))(coloured([
				[q.merged('pipeline_value', de ? 'Bester Fall' : 'Best case'), text('Best case', 'Bester Fall'), 'light-blue'],
				[q.merged('weighted_pipeline', de ? 'Gewichtet' : 'Weighted'), text('Weighted', 'Gewichtet'), 'dark-blue']])),
			reportTable(q, lang, everywhere, text('The twenty KPIs', 'Die zwanzig Kennzahlen'), 'twenty', 22),
			row(text('All KPIs', 'Alle Kennzahlen'), [reportTable(q, lang, everywhere, text('All KPIs', 'Alle Kennzahlen'), 'all', 72)]),
		],
	};
};

const team = (lang) => {
	const de = lang === 'de', q = queriesOf(lang, everywhere);
	const activities = [['calls', 'Calls', 'Anrufe', 'dark-blue'], ['emails', 'E-mails', 'E-Mails', 'blue'], ['meetings', 'Meetings', 'Termine', 'light-blue'],
		['demos', 'Demos', 'Demos', 'super-light-blue'], ['onboardings', 'Onboardings', 'Onboardings', '#8e8e99']];
	const { sql, overrides } = coloured(activities.map(([kpi, english, german, color]) => [q.merged(kpi, de ? german : english), de ? german : english, color]));
	return {
		uid: 'team', title: text('Sales · Team', 'Vertrieb · Team'),
		description: text('Who sells what, reaches the target and does how much', 'Wer verkauft was, erreicht das Ziel und tut wie viel'),
		filters: everywhere,
		panels: [
			subjectTable(q, ['rep', 'team']),
			rankingTable(q, lang, everywhere, {
				title: text('Ranking by revenue, targets and activities', 'Rangliste nach Umsatz, Ziele und Aktivitäten'), uid: 'team', by: 'rep', kpi: 'revenue', heading: money('Revenue', 'Umsatz'),
				others: ['won_deals', 'win_rate', 'calls', 'emails', 'meetings', 'demos'], height: 16,
				columns: [columns.share, columns.target, columns.attainment, columns.status, columns.change, ['won_deals', text('Won', 'Gewonnen'), { decimals: 0, width: 100 }],
					['win_rate', text('Win rate, %', 'Gewinnquote, %'), { decimals: 1, width: 135 }], ['calls', text('Calls', 'Anrufe'), { decimals: 0, width: 80 }], ['emails', text('E-mails', 'E-Mails'), { decimals: 0, width: 80 }],
					['meetings', text('Meetings', 'Termine'), { decimals: 0, width: 95 }], ['demos', text('Demos', 'Demos'), { decimals: 0, width: 75 }]],
			}),
			ranked(bars, money('Revenue by team', 'Umsatz nach Team'), q.largest('revenue', 'team', 5), { kpi: 'revenue' }),
			bars(text('Activities', 'Aktivitäten'), sql, { kpi: activities.map(([kpi]) => kpi), overrides, stack: true, min: 0 }),
			reportTable(q, lang, everywhere, text('The KPIs of everything chosen', 'Die Kennzahlen der Auswahl'), 'sales', 15),
		],
	};
};

const pipeline = (lang) => {
	const de = lang === 'de', q = queriesOf(lang, everywhere);
	const tile = (title, kpi, decimals = 0) => stat(title, q.merged(kpi), { kpi, decimals, link: drill(lang, everywhere, { kpi }) });
	const stageColumn = (kpi) => ['stage', text('Stage', 'Phase'), { link: drill(lang, everywhere, { kpi, stage: field('stage') }) }];
	const atDay = (day) => `SELECT p.stage, min(p.stage_position) AS at, sum(p.opportunities) AS open_opportunities, sum(p.value) AS pipeline_value, sum(p.weighted) AS weighted_pipeline
		FROM s CROSS JOIN LATERAL unnest(s.members) m(member) CROSS JOIN LATERAL kpi_pipeline(${day}, s.dimension, m.member) p GROUP BY p.stage`;
	const byStage = `${q.withinBy('stage')}
		SELECT coalesce(n.stage, b.stage) AS stage, coalesce(n.open_opportunities, 0) AS open_opportunities, coalesce(n.pipeline_value, 0) AS pipeline_value, coalesce(n.weighted_pipeline, 0) AS weighted_pipeline,
		       coalesce(b.pipeline_value, 0) AS before, s.by_dimension AS dimension, ${q.memberOf('coalesce(n.stage, b.stage)')} AS member
		  FROM (${atDay(lastDay)}) n FULL JOIN (${atDay(`${fromDay} - 1`)}) b USING (stage) CROSS JOIN s ORDER BY coalesce(n.at, b.at) NULLS LAST, 1`;
	/* Days of several members together would be neither mean nor median: only of one. */
	const funnel = `${q.withinBy('stage')}
		SELECT f.stage, sum(f.entries) AS stage_entries, sum(f.advances) AS stage_advances, 100 * sum(f.advances) / nullif(sum(f.entries), 0) AS stage_conversion,
		       CASE count(*) WHEN 1 THEN min(f.mean_days) END AS time_in_stage, CASE count(*) WHEN 1 THEN min(f.median_days) END AS time_in_stage_median, CASE count(*) WHEN 1 THEN min(f.p90_days) END AS time_in_stage_p90,
		       min(s.by_dimension) AS dimension, min(${q.memberOf('f.stage')}) AS member
		  FROM s CROSS JOIN LATERAL unnest(s.members) m(member) CROSS JOIN LATERAL kpi_stage_funnel(${lastDay}, '$grain', s.dimension, m.member) f
		 GROUP BY f.stage ORDER BY min(f.stage_position) NULLS LAST, f.stage`;
	/* A sum of which a part is missing is not known. */
	const known = (column) => `CASE WHEN count(f.${column}) = count(*) THEN sum(f.${column}) END`;
	const forecast = `${q.within()}
		SELECT ${periodName(`g.period`, lang)} AS period, g.forecast, g.actual AS won_value, 100 - 100 * abs(g.forecast - g.actual) / nullif(greatest(g.actual, 0), 0) AS accuracy,
		       g.expected, g.slipped, 100 * g.slipped / nullif(g.expected, 0) AS slippage, g.reason
		  FROM (SELECT kpi_day(f."time") AS period, ${['forecast', 'actual', 'expected', 'slipped'].map((c) => `${known(c)} AS ${c}`).join(', ')}, min(f.reason) AS reason
		          FROM s CROSS JOIN LATERAL kpi_forecast(${fromDay}, ${toDay}, '$grain', s.dimension, s.members, lang => '${lang}') f GROUP BY 1) g
		 ORDER BY g.period DESC`;
	const losses = `${q.withinBy('lost_reason')}
		SELECT label, sum(deals) AS lost_deals, 100 * sum(deals) / sum(sum(deals)) OVER () AS share, sum(value) AS lost_value, min(l.reason) AS reason, min(s.by_dimension) AS dimension, min(${q.memberOf('l.reason')}) AS member
		  FROM s CROSS JOIN LATERAL unnest(s.members) m(member) CROSS JOIN LATERAL kpi_loss_reasons(${lastDay}, '$grain', s.dimension, m.member, lang => '${lang}') l
		 GROUP BY label ORDER BY 2 DESC, label`;
	return {
		uid: 'pipeline', title: text('Sales · Pipeline', 'Vertrieb · Pipeline'),
		description: text('What is open, in which stage, how fast it moves and what it is likely to bring', 'Was offen ist, in welcher Phase, wie schnell es vorankommt und was es voraussichtlich bringt'),
		filters: everywhere,
		panels: [
			subjectTable(q, ['stage', 'lost_reason', 'team']),
			tile(money('Pipeline', 'Pipeline'), 'pipeline_value'), tile(money('Weighted', 'Gewichtet'), 'weighted_pipeline'), tile(text('Open opportunities', 'Offene Chancen'), 'open_opportunities'),
			tile(percent('Win rate', 'Gewinnquote'), 'win_rate', 1), tile(text('Sales cycle, days', 'Verkaufszyklus, Tage'), 'sales_cycle_median'), tile(money('Velocity a day', 'Vertriebstempo je Tag'), 'sales_velocity'),
			table(money('By stage, and as it was before the time range', 'Nach Phase, und wie es vor dem Zeitbereich war'), byStage, [stageColumn('pipeline_value'),
				['open_opportunities', text('Open', 'Offen'), { decimals: 0, width: 70 }], ['pipeline_value', text('Value', 'Wert'), { decimals: 0, gauge: true, width: 220 }],
				['weighted_pipeline', text('Weighted', 'Gewichtet'), { decimals: 0, width: 110 }], ['before', text('Value before', 'Wert zuvor'), { decimals: 0, width: 120 }]],
			{ kpi: ['pipeline_value', 'weighted_pipeline'], hide: ['dimension', 'member'], width: 12, height: 7 }),
			table(text('The way through the stages', 'Der Weg durch die Phasen'), funnel, [stageColumn('stage_conversion'),
				['stage_entries', text('Entered', 'Erreicht'), { decimals: 0, width: 95 }], ['stage_advances', text('Went on', 'Weiter'), { decimals: 0, width: 90 }],
				['stage_conversion', percent('Conversion', 'Konversion'), { decimals: 1, gauge: true, max: 100, width: 190 }], ['time_in_stage_median', text('Days, median', 'Tage, Median'), { decimals: 1, width: 120 }],
				['time_in_stage_p90', text('Nine in ten', 'Neun von zehn'), { decimals: 1, width: 125 }]],
			{ kpi: ['stage_conversion', 'time_in_stage_median'], hide: ['dimension', 'member', 'time_in_stage'], width: 12, height: 7 }),
			(({ sql, overrides }) => lines(money('Open at the end of each period', 'Offen am Ende jedes Zeitraums'), sql, { kpi: ['pipeline_value', 'weighted_pipeline'], overrides, min: 0 }))(coloured([
				[q.merged('pipeline_value', de ? 'Bester Fall' : 'Best case'), text('Best case', 'Bester Fall'), 'light-blue'],
				[q.merged('weighted_pipeline', de ? 'Gewichtet' : 'Weighted'), text('Weighted', 'Gewichtet'), 'dark-blue']])),
			(({ sql, overrides }) => bars(text('Deals closed', 'Abgeschlossene Chancen'), sql, { kpi: 'win_rate', overrides, stack: true, min: 0 }))(coloured([
				[q.merged('won_deals', de ? 'Gewonnen' : 'Won'), text('Won', 'Gewonnen'), 'blue'], [q.merged('lost_deals', de ? 'Verloren' : 'Lost'), text('Lost', 'Verloren'), '#b8b8c0']])),
			table(text('Will we make it? This quarter by team: won and expected against the target', 'Schaffen wir es? Dieses Quartal nach Team: gewonnen und erwartet gegen das Ziel'),
				`WITH s AS MATERIALIZED (SELECT * FROM ${q.scope('team')} WHERE reason IS NULL)
				 SELECT o.label, o.won, o.weighted, o.expected, o.target, o.gap, o.attainment, o.status FROM s CROSS JOIN LATERAL kpi_outlook(kpi_today(), 'quarter', s.dimension, s.members, lang => '${lang}') o
				  WHERE o.target IS NOT NULL OR o.won <> 0 OR o.weighted <> 0`,
				[['label', text('Team', 'Team')], ['won', money('Won', 'Gewonnen'), { decimals: 0, width: 150 }], ['weighted', money('Expected to close', 'Erwarteter Abschluss'), { decimals: 0, width: 220 }],
					['expected', money('Together', 'Zusammen'), { decimals: 0, width: 160 }], ['target', money('Target', 'Ziel'), { decimals: 0, width: 150 }], ['gap', money('Missing', 'Es fehlen'), { decimals: 0, width: 160 }],
					['attainment', text('Expected, %', 'Erwartet, %'), { decimals: 1, gauge: true, max: 150, width: 220 }], columns.status], { kpi: 'won_value', height: 7 }),
			table(money('Forecast and slippage', 'Prognose und Verschiebung'), forecast,
				[['period', text('Period', 'Zeitraum'), { width: 85, plain: true }], ['forecast', text('Forecast', 'Prognose'), { decimals: 0, width: 105 }], ['won_value', text('Won', 'Gewonnen'), { decimals: 0, width: 105 }],
					['accuracy', text('Accuracy, %', 'Treffer, %'), { decimals: 1, width: 110 }], ['expected', text('Expected', 'Erwartet'), { decimals: 0, width: 110 }], ['slipped', text('Slipped', 'Verschoben'), { decimals: 0, width: 110 }],
					['slippage', text('Slipped, %', 'Versch., %'), { decimals: 1, width: 105 }], ['reason', text('Why if none', 'Grund, wenn keine')]],
				{
					width: 15, height: 10, description: text('Forecast: won plus weighted pipeline closing in the period. Slipped: of the opportunities expected to close in it, those still open or closed later. Both take a snapshot in the first tenth of the period.',
						'Prognose: gewonnen plus gewichtete Pipeline mit Abschluss im Zeitraum. Verschoben: von den Chancen, die in ihm schließen sollten, die noch offenen oder später geschlossenen. Beides braucht eine Momentaufnahme im ersten Zehntel des Zeitraums.'),
				}),
			table(text('Why opportunities were lost', 'Warum Chancen verloren gingen'), losses, [['label', text('Reason', 'Grund'), { link: drill(lang, everywhere, { kpi: 'lost_deals', lost_reason: field('reason') }) }], ['lost_deals', text('Lost', 'Verloren'), { decimals: 0, width: 90 }],
				['share', text('Share, %', 'Anteil, %'), { decimals: 1, gauge: true, max: 100, width: 160 }], ['lost_value', money('Value', 'Wert'), { decimals: 0, width: 120 }]],
			{ kpi: 'lost_deals', hide: ['reason', 'dimension', 'member'], width: 9, height: 10 }),
			table(text('The most valuable open opportunities', 'Die wertvollsten offenen Chancen'),
				`${q.within()} SELECT t.id, t.name, t.account, t.rep, t.stage, t.amount, 100 * t.probability AS probability, to_char(t.expected_close, ${dayFormat(lang)}) AS expected_close, t.age_days::bigint AS age_days,
				        CASE WHEN t.overdue THEN '${de ? 'überfällig' : 'overdue'}' END AS overdue
				   FROM s CROSS JOIN LATERAL unnest(s.members) m(member) CROSS JOIN LATERAL kpi_top_opportunities(10, s.dimension, m.member) t
				  ORDER BY t.amount DESC NULLS LAST, t.id LIMIT 10`,
				[['id', text('No.', 'Nr.'), { width: 65, plain: true }], ['name', text('Opportunity', 'Chance')], ['account', text('Account', 'Kunde')], ['rep', text('Rep', 'Vertriebler'), { width: 140 }],
					['stage', text('Stage', 'Phase'), { width: 125 }], ['amount', money('Amount', 'Betrag'), { decimals: 0, width: 110 }], ['probability', '%', { decimals: 0, width: 50 }],
					['expected_close', text('Expected', 'Erwartet'), { width: 105 }], ['age_days', text('Days', 'Tage'), { decimals: 0, width: 60 }], ['overdue', ' ', { warning: true, width: 95 }]], { height: 12 }),
		],
	};
};

const recurring = (lang) => {
	const de = lang === 'de', filters = ['segment', ...everywhere], q = queriesOf(lang, filters);
	const tile = (title, kpi, decimals = 0) => stat(title, q.merged(kpi), { kpi, decimals, link: drill(lang, filters, { kpi }) });
	const movement = (kpi, sign, english, german, color) => [q.merged(kpi, de ? german : english, sign), de ? german : english, color];
	const moved = coloured([movement('mrr_new', '', 'New', 'Neu', 'dark-blue'), movement('mrr_reactivated', '', 'Reactivated', 'Reaktiviert', 'super-light-blue'), movement('mrr_expansion', '', 'Expansion', 'Erweitert', 'light-blue'),
		movement('mrr_contraction', '-', 'Contraction', 'Verkleinert', '#c8c8d0'), movement('mrr_churned', '-', 'Churned', 'Verloren', '#8e8e99')]);
	const kept = coloured([[q.merged('customer_retention_rate', de ? 'Kunden' : 'Customers'), text('Customers', 'Kunden'), 'dark-blue'],
		[q.merged('gross_revenue_retention', de ? 'Umsatz, brutto' : 'Revenue, gross'), text('Revenue, gross', 'Umsatz, brutto'), '#8e8e99'],
		[q.merged('net_revenue_retention', de ? 'Umsatz, netto' : 'Revenue, net'), text('Revenue, net', 'Umsatz, netto'), 'light-blue']]);
	const lost = coloured([[q.merged('customer_churn_rate', de ? 'Kunden' : 'Customers'), text('Customers', 'Kunden'), 'dark-blue'], [q.merged('revenue_churn_rate', de ? 'Umsatz' : 'Revenue'), text('Revenue', 'Umsatz'), 'light-blue']]);
	return {
		uid: 'recurring', title: text('Sales · Recurring revenue', 'Vertrieb · Wiederkehrender Umsatz'),
		description: text('MRR, how it moves, and who stays', 'MRR, wie es sich bewegt, und wer bleibt'),
		filters,
		panels: [
			subjectTable(q, ['segment']),
			tile(money('MRR', 'MRR'), 'mrr'), tile(text('Customers', 'Kunden'), 'customers'), tile(money('MRR per customer', 'MRR je Kunde'), 'revenue_per_account'),
			tile(percent('Customers kept', 'Gehaltene Kunden'), 'customer_retention_rate', 1), tile(percent('Revenue kept, net', 'Umsatz gehalten, netto'), 'net_revenue_retention', 1), tile(text('Quick ratio', 'Quick Ratio'), 'quick_ratio', 2),
			bars(money('How the MRR moved', 'Wie sich das MRR bewegte'), moved.sql, { kpi: ['mrr_new', 'mrr_expansion', 'mrr_churned'], overrides: moved.overrides, stack: true, width: 14, height: 9 }),
			ranked(lines, money('MRR by segment', 'MRR nach Segment'), q.largest('mrr', 'segment', 4), { kpi: 'mrr', width: 10, height: 9 }),
			lines(percent('Kept', 'Gehalten'), kept.sql, { kpi: ['customer_retention_rate', 'gross_revenue_retention', 'net_revenue_retention'], overrides: kept.overrides, decimals: 1 }),
			lines(percent('Lost', 'Verloren'), lost.sql, { kpi: ['customer_churn_rate', 'revenue_churn_rate'], overrides: lost.overrides, decimals: 1, min: 0 }),
			table(percent('Customers kept, by the month of their first payment and the months since', 'Gehaltene Kunden nach Monat der ersten Zahlung und Monaten seither'),
				`${q.within()} SELECT ${periodName('c.cohort', lang)} AS cohort, max(c.customers) AS customers, ${[...Array(13).keys()].map((age) => `max(c.retention) FILTER (WHERE c.age = ${age}) AS m${age}`).join(', ')}
				   FROM s CROSS JOIN LATERAL kpi_cohorts(${fromDay}, ${toDay}, '$grain') c WHERE s.dimension = 'total' GROUP BY c.cohort ORDER BY c.cohort`,
				[['cohort', text('First payment', 'Erste Zahlung'), { width: 125, plain: true }], ['customers', text('Customers', 'Kunden'), { decimals: 0, width: 95 }],
					...[...Array(13).keys()].map((age) => [`m${age}`, `${age}`, { decimals: 0, heat: true, width: 102 }])],
				{ height: 15, description: text('Of the customers who came in a period, the share left after so many periods. Of all customers: with a filter it is empty.', 'Von den Kunden, die in einem Zeitraum kamen, der Anteil nach so vielen Zeiträumen. Nur für alle Kunden: mit einem Filter ist sie leer.') }),
			reportTable(q, lang, filters, text('The KPIs of customers and what they pay', 'Die Kennzahlen der Kunden und ihrer Zahlungen'), 'customers', 17),
		],
	};
};

const marketing = (lang) => {
	const q = queriesOf(lang, everywhere);
	const tile = (title, kpi, decimals, width) => stat(title, q.merged(kpi), { kpi, decimals, width, link: drill(lang, everywhere, { kpi }) });
	const of = (by, title, height) => rankingTable(q, lang, everywhere, {
		title, by, kpi: 'leads', heading: 'Leads', height, others: ['lead_qualification_rate', 'lead_conversion_rate', 'campaign_cost', 'cost_per_lead', 'average_opportunity_value'],
		condition: '(r.value > 0 OR a.campaign_cost > 0)',
		columns: [columns.share, ['lead_qualification_rate', percent('Qualified', 'Qualifiziert'), { decimals: 1, width: 130 }], ['lead_conversion_rate', percent('Converted', 'Gewonnen'), { decimals: 1, width: 125 }],
			['campaign_cost', money('Cost', 'Kosten'), { decimals: 0, width: 130 }], ['cost_per_lead', money('Cost per lead', 'Kosten je Lead'), { decimals: 2, width: 165 }],
			['average_opportunity_value', money('New deal, mean', 'Neue Chance, Mittel'), { decimals: 0, width: 200 }]],
	});
	const de = lang === 'de';
	const converted = coloured([[q.merged('lead_qualification_rate', de ? 'Qualifiziert' : 'Qualified'), text('Qualified', 'Qualifiziert'), 'light-blue'], [q.merged('lead_conversion_rate', de ? 'Gewonnen' : 'Converted'), text('Converted', 'Gewonnen'), 'dark-blue']]);
	return {
		uid: 'marketing', title: text('Sales · Marketing', 'Vertrieb · Marketing'),
		description: text('Leads, what becomes of them, and what they cost', 'Leads, was aus ihnen wird, und was sie kosten'),
		filters: everywhere,
		panels: [
			subjectTable(q, ['channel', 'campaign']),
			tile(text('Leads', 'Leads'), 'leads', 0, 5), tile(percent('Qualified', 'Qualifiziert'), 'lead_qualification_rate', 1, 5), tile(percent('Converted', 'Gewonnen'), 'lead_conversion_rate', 1, 5),
			tile(money('Cost per lead', 'Kosten je Lead'), 'cost_per_lead', 2, 4), tile(money('Cost per new customer', 'Kosten je Neukunde'), 'customer_acquisition_cost', 0, 5),
			ranked(bars, text('Leads of the six largest channels', 'Leads der sechs größten Kanäle'), q.largest('leads', 'channel', 6), { kpi: 'leads' }),
			lines(percent('From lead to customer', 'Vom Lead zum Kunden'), converted.sql, { kpi: ['lead_qualification_rate', 'lead_conversion_rate'], overrides: converted.overrides, decimals: 1, min: 0 }),
			of('channel', text('By channel', 'Nach Kanal'), 9), of('campaign', text('By campaign', 'Nach Kampagne'), 9),
			reportTable(q, lang, everywhere, text('The KPIs of marketing', 'Die Kennzahlen des Marketings'), 'marketing', 13),
		],
	};
};

const regions = (lang) => {
	const q = queriesOf(lang, everywhere);
	const of = (by, title, drawn, height) => [
		rankingTable(q, lang, everywhere, {
			title, by, kpi: 'revenue', heading: money('Revenue', 'Umsatz'), uid: 'regions', height, width: 15, others: ['revenue_growth', 'profit_margin', 'win_rate'],
			columns: [['share', text('Share, %', 'Anteil, %'), { decimals: 1, gauge: true, max: 100, width: 150 }], ['revenue_growth', text('Growth, %', 'Wachstum, %'), { decimals: 1, width: 115 }], ['profit_margin', text('Margin, %', 'Marge, %'), { decimals: 1, width: 95 }],
				['win_rate', text('Win rate, %', 'Gewinnquote, %'), { decimals: 1, width: 130 }]],
		}),
		ranked(bars, drawn, q.largest('revenue', by, 6), { kpi: 'revenue', width: 9, height }),
	];
	return {
		uid: 'regions', title: text('Sales · Regions and products', 'Vertrieb · Regionen und Produkte'),
		description: text('Revenue, growth and margin by region and by product', 'Umsatz, Wachstum und Marge nach Region und Produkt'),
		filters: everywhere,
		panels: [
			subjectTable(q, ['region', 'product']),
			...of('region', text('By region', 'Nach Region'), money('Revenue of the six largest regions', 'Umsatz der sechs größten Regionen'), 9),
			...of('product', text('By product', 'Nach Produkt'), money('Revenue of the six largest products', 'Umsatz der sechs größten Produkte'), 12),
		],
	};
};

const state = (lang) => {
	const tile = (title, sql) => stat(title, sql, { width: 6, height: 4, sparkline: false });
	return {
		uid: 'state', title: text('Sales · State of the data', 'Vertrieb · Zustand der Daten'),
		description: text('How old the numbers are, and what is wrong with the rows behind them', 'Wie alt die Zahlen sind, und was an den Zeilen dahinter falsch ist'),
		time: { from: 'now-7d', to: 'now' }, refresh: '1m',
		panels: [
			tile(text('Age of the numbers, minutes', 'Alter der Zahlen, Minuten'), 'SELECT now() AS "time", extract(epoch FROM kpi_age()) / 60 AS value'),
			tile(text('Rows left out', 'Ausgelassene Zeilen'), 'SELECT now() AS "time", coalesce(sum(bad_rows), 0) AS value FROM kpi_problem'),
			tile(text('Failed runs in the time range', 'Fehlgeschlagene Läufe im Zeitbereich'), `SELECT now() AS "time", count(*) AS value FROM kpi_runs WHERE outcome IN ('failed', 'crashed') AND $__timeFilter(started_at)`),
			tile(text('Facts', 'Fakten'), 'SELECT now() AS "time", count(*) AS value FROM kpi_fact WHERE superseded_at IS NULL'),
			table(text('What is not as it should be, and what to do', 'Was nicht ist, wie es sein soll, und was zu tun ist'), `SELECT severity, coalesce(subject, '') AS subject, what, detail, hint FROM kpi_check('${lang}')`,
				[['severity', text('How bad', 'Wie schlimm'), { status: severity, width: 110 }], ['subject', text('Where', 'Wo'), { width: 160 }], ['what', text('What', 'Was'), { width: 310, wrap: true }],
					['detail', text('Which', 'Welche'), { width: 420, wrap: true }], ['hint', text('What to do', 'Was zu tun ist'), { wrap: true }]], { height: 20 }),
			table(text('Revenue that was reported otherwise before', 'Umsatz, der zuvor anders berichtet wurde'),
				`SELECT to_char("time" AT TIME ZONE kpi_setting('time_zone'), '${lang === 'de' ? 'MM/YYYY' : 'YYYY-MM'}') AS month, first_reported, before, after, change, run
				   FROM kpi_restatements('revenue', NULL, ${toDay}, 'month', 'total', NULL, '${lang}') WHERE recorded_at >= $__timeFrom()::timestamptz ORDER BY recorded_at DESC, "time" DESC LIMIT 50`,
				[['month', text('Month', 'Monat'), { width: 120, plain: true }], ['first_reported', text('First', 'Zuerst'), { decimals: 0 }], ['before', text('Before', 'Zuvor'), { decimals: 0 }],
					['after', text('Now', 'Jetzt'), { decimals: 0 }], ['change', text('Change', 'Veränderung'), { decimals: 0 }], ['run', text('Run', 'Lauf'), { decimals: 0, width: 90 }]],
				{ height: 5, nothing: text('nothing was restated', 'nichts wurde nachträglich geändert') }),
			table(text('Snapshots', 'Momentaufnahmen'),
				`SELECT run, ${clock('started_at', lang)} AS started, ${clock('as_of', lang)} AS as_of, outcome, facts, changed, problems, extract(epoch FROM duration) AS seconds, error FROM kpi_runs ORDER BY run DESC LIMIT 50`,
				[['run', text('Run', 'Lauf'), { width: 80 }], ['started', text('Started', 'Begonnen'), { width: 180 }], ['as_of', text('As of', 'Stand'), { width: 180 }], ['outcome', text('Outcome', 'Ergebnis'), { status: outcome, width: 130 }],
					['facts', text('Facts', 'Fakten'), { decimals: 0, width: 110 }], ['changed', text('Changed', 'Geändert'), { decimals: 0, width: 120 }], ['problems', text('Problems', 'Probleme'), { decimals: 0, width: 120 }],
					['seconds', text('Seconds', 'Sekunden'), { decimals: 1, width: 120 }], ['error', text('Error', 'Fehler')]], { height: 8 }),
		],
	};
};

/* The rows behind a number: reached by links, with the filters of where they stand. */
const drillDown = (lang) => {
	const de = lang === 'de', q = queriesOf(lang, drilled);
	const behind = (read, what, rest) => `${q.within()} SELECT ${what}
		FROM s CROSS JOIN LATERAL unnest(s.members) m(member) CROSS JOIN LATERAL ${read} d
		LEFT JOIN kpi_definition k ON k.kpi = d.measure ${rest}`;
	const part = `CASE WHEN d.measure <> '$kpi' THEN CASE d.part ${Object.entries(de ? { numerator: 'Zähler', denominator: 'Nenner', both: 'beides' } : { numerator: 'numerator', denominator: 'denominator', both: 'both' }).map(([en, name]) => `WHEN '${en}' THEN '${name}'`).join(' ')} END END`;
	const label = `coalesce(k.label_${lang}, d.measure)`;
	const days = `concat(to_char(d.from_day, ${dayFormat(lang)}), ' – ', to_char(d.to_day - 1, ${dayFormat(lang)}))`;
	const described = `(SELECT string_agg(j.key || ' ' || j.value, ' · ') FROM jsonb_array_elements(CASE jsonb_typeof(d.source_row) WHEN 'array' THEN d.source_row ELSE jsonb_build_array(d.source_row) END) e CROSS JOIN jsonb_each_text(e) j WHERE j.value <> '')`;
	const partColumn = ['part', text('Part of the ratio', 'Teil des Bruchs'), { width: 130 }], measure = text('Measure', 'Messgröße');
	return {
		uid: 'drill', title: text('Sales · The rows behind a number', 'Vertrieb · Die Zeilen hinter einer Zahl'),
		description: text('What a KPI of a period is made of, down to the rows of the CRM', 'Woraus eine Kennzahl eines Zeitraums besteht, bis zu den Zeilen des CRM'),
		variables: [queried('kpi', text('KPI', 'Kennzahl'), text('SELECT label_en AS __text, kpi AS __value FROM kpi_definition ORDER BY label_en, kpi', 'SELECT label_de AS __text, kpi AS __value FROM kpi_definition ORDER BY label_de, kpi'),
			{ current: { selected: true, text: text('Revenue', 'Umsatz'), value: 'revenue' } })],
		filters: drilled,
		panels: [
			subjectTable(q),
			table(text('The number', 'Die Zahl'), `${q.within()} SELECT d.label_${lang} AS label, v.value, ${unitOf(lang)} AS unit,
				        v.numerator, v.denominator, d.formula, d.description_${lang} AS description, v.reason, d.kpi, s.dimension, CASE WHEN cardinality(s.members) = 1 THEN s.members[1] END AS member
				   FROM s CROSS JOIN LATERAL kpi_merged_series('$kpi', ${lastDay}, ${lastDay} + 1, '$grain', s.dimension, s.members, lang => '${lang}') v JOIN kpi_definition d ON d.kpi = '$kpi'`,
			[['label', text('KPI', 'Kennzahl'), { width: 230 }], ['value', text('Value', 'Wert'), { decimals: 2, width: 140 }], ['unit', text('Unit', 'Einheit'), { width: 80 }], ['numerator', text('Numerator', 'Zähler'), { decimals: 2, width: 140 }],
				['denominator', text('Denominator', 'Nenner'), { decimals: 2, width: 140 }], ['formula', text('Formula', 'Formel'), { width: 260, wrap: true }], ['description', text('What it is', 'Was es ist'), { wrap: true }], columns.reason],
			{ hide: ['kpi', 'dimension', 'member'], height: 5 }),
			table(text('What it is made of', 'Woraus sie besteht'), behind(`kpi_made_of('$kpi', ${lastDay}, s.dimension, m.member, '$grain')`, `${part} AS part, ${label} AS measure, ${days} AS days, d.source, sum(d.amount) AS amount, d.measure AS kpi, min(s.dimension) AS dimension, CASE WHEN min(cardinality(s.members)) = 1 THEN min(m.member) END AS member`,
				'GROUP BY d.part, d.measure, k.label_' + lang + ', d.from_day, d.to_day, d.source ORDER BY 1, 2, d.from_day DESC'),
			[partColumn, ['measure', measure], ['days', text('Days', 'Tage'), { width: 220 }], ['source', text('Source', 'Quelle'), { width: 180 }], ['amount', text('Together', 'Zusammen'), { decimals: 2, width: 170 }]],
			{ hide: ['kpi', 'dimension', 'member'], height: 5, nothing: text('made of nothing', 'besteht aus nichts') }),
			table(text('The rows, up to 500', 'Die Zeilen, bis zu 500'), behind(`kpi_drill('$kpi', ${lastDay}, s.dimension, m.member, '$grain', 500)`, `${part} AS part, ${label} AS measure, d.source, d.key, ${clock('d.at', lang)} AS at, d.amount, ${described} AS source_row`, 'ORDER BY d.at DESC NULLS LAST, d.source, d.key LIMIT 500'),
				[partColumn, ['measure', measure, { width: 200 }], ['source', text('Source', 'Quelle'), { width: 130 }], ['key', text('Key', 'Schlüssel'), { width: 110, plain: true }], ['at', text('When', 'Wann'), { width: 145 }],
					['amount', text('Amount', 'Betrag'), { decimals: 2, width: 130 }], ['source_row', text('The row', 'Die Zeile'), { inspect: true, wrap: true }]],
				{ height: 19, nothing: text('no rows', 'keine Zeilen') }),
		],
	};
};

/* A failed snapshot marks the day from which on the numbers were old. */
const failures = (lang) => ({
	name: text('Failed snapshots', 'Fehlgeschlagene Momentaufnahmen'), datasource: source, enable: true, hide: false, iconColor: 'red',
	target: {
		refId: 'Anno', format: 'table', rawQuery: true, editorMode: 'code',
		rawSql: `SELECT started_at AS "time", '${lang === 'de' ? 'Lauf' : 'run'} ' || run || ': ' || coalesce(error, outcome) AS text FROM kpi_runs WHERE outcome IN ('failed', 'crashed') AND $__timeFilter(started_at) ORDER BY started_at`,
	},
});

export const dashboards = (lang) => [overview, team, pipeline, recurring, marketing, regions, state, drillDown].map((d) => d(lang)).map(({ filters, variables = [], ...d }) => ({
	...d, annotations: [failures(lang)],
	variables: filters === undefined ? [] : [...variables, grain, ...filters.map(filter), currency],
}));

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
				text('The newest snapshot is more than an hour old.', 'Die letzte Momentaufnahme liegt mehr als eine Stunde zurück.')),
			rule('failed', text('The last snapshot failed', 'Die letzte Momentaufnahme schlug fehl'),
				`SELECT now() AS "time", count(*) AS failed FROM (SELECT outcome FROM kpi_runs WHERE outcome <> 'running' ORDER BY run DESC LIMIT 1) r WHERE outcome IN ('failed', 'crashed')`, 0,
				text('The numbers stay as they were before; kpi_runs has the error.', 'Die Zahlen bleiben, wie sie zuvor waren; kpi_runs nennt den Fehler.')),
			rule('bad-rows', text('More bad rows in the CRM', 'Mehr fehlerhafte Zeilen im CRM'),
				`SELECT now() AS "time", coalesce(sum(bad_rows) FILTER (WHERE first_seen > now() - interval '1 day'), 0) AS bad_rows FROM kpi_problem`, 0,
				text('Rows were left out for a reason that was not there the day before; kpi_problem lists them.', 'Zeilen wurden aus einem neuen Grund ausgelassen; kpi_problem nennt sie.')),
		],
	}],
});
