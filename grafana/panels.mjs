/*
 * panels.mjs - the building blocks of the dashboards: classic dashboard JSON
 * of Grafana 11 to 13, for its PostgreSQL data source.
 *
 * Texts are written text(english, german); make.mjs resolves them.  Numbers
 * stand in the reader's own format, their unit in the title; colours other than
 * shades of blue and grey mean a status.
 */
export const source = { type: 'grafana-postgresql-datasource', uid: 'salkpi' };

export const text = (en, de) => ({ en, de });

const query = (refId, format, sql) => ({
	refId, datasource: source, format, rawQuery: true, editorMode: 'code', rawSql: sql.replace(/\s*\n\s*/g, ' ').trim(),
});
const queries = (sql, format) => [sql].flat().map((s, i) => query(String.fromCharCode(65 + i), format, s));

/* What a status is called, and its colour. */
export const targetStatus = {
	met: { color: 'green', index: 0, text: text('met', 'erreicht') },
	near: { color: 'orange', index: 1, text: text('near', 'knapp') },
	missed: { color: 'red', index: 2, text: text('missed', 'verfehlt') },
	none: { color: 'text', index: 3, text: '' },
};
export const severity = {
	error: { color: 'red', index: 0, text: text('error', 'Fehler') },
	warning: { color: 'orange', index: 1, text: text('warning', 'Warnung') },
	note: { color: 'text', index: 2, text: text('note', 'Hinweis') },
	ok: { color: 'green', index: 3, text: text('fine', 'in Ordnung') },
};
export const outcome = {
	done: { color: 'green', index: 0, text: text('done', 'fertig') },
	running: { color: 'text', index: 1, text: text('running', 'läuft') },
	skipped: { color: 'orange', index: 2, text: text('skipped', 'übersprungen') },
	failed: { color: 'red', index: 3, text: text('failed', 'fehlgeschlagen') },
	crashed: { color: 'red', index: 4, text: text('crashed', 'abgebrochen') },
};

const fixed = (fixedColor) => ({ mode: 'fixed', fixedColor });
const plain = { mode: 'absolute', steps: [{ color: 'text', value: null }] };
const locale = { unit: 'locale', color: fixed('text'), noValue: '–', mappings: [], thresholds: plain };

export const row = (title, panels) => ({ type: 'row', title, height: 1, width: 24, collapsed: panels !== undefined, panels: panels ?? [] });

const linksOf = (link) => [link ?? []].flat().map(({ title, url }) => ({ title, url, targetBlank: false }));

/*
 * A number above its sparkline, or without one alone.  Grafana draws the number
 * over the sparkline unless it has a name, which here is blank: the title says
 * it.  The size of the name keeps the two apart.
 */
export const stat = (title, sql, { decimals = 0, kpi, width = 4, height = 5, sparkline = true, description, link } = {}) => ({
	type: 'stat', title, kpi, description, width, height,
	targets: queries(sql, 'time_series'),
	fieldConfig: { defaults: { ...locale, decimals, displayName: sparkline ? ' ' : undefined, color: fixed('super-light-blue'), links: linksOf(link) }, overrides: [] },
	options: {
		colorMode: 'none', graphMode: sparkline ? 'area' : 'none', textMode: sparkline ? 'value_and_name' : 'value', justifyMode: 'auto', orientation: 'auto', wideLayout: false,
		text: { titleSize: 10, valueSize: 32 }, showPercentChange: false, percentChangeColorMode: 'standard', reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
	},
});

const series = (title, sql, draw, { decimals = 0, kpi, width = 12, height = 8, description, stack = false, overrides = [], min } = {}) => ({
	type: 'timeseries', title, kpi, description, width, height,
	targets: queries(sql, 'time_series'),
	fieldConfig: {
		defaults: {
			unit: 'locale', decimals, min, noValue: '–', color: fixed('blue'), mappings: [], thresholds: plain,
			custom: {
				drawStyle: draw, lineWidth: draw === 'bars' ? 0 : 2, fillOpacity: draw === 'bars' ? 85 : stack ? 40 : 0, gradientMode: 'none', lineInterpolation: 'linear',
				axisWidth: decimals > 0 ? 44 : undefined, barAlignment: 1, barWidthFactor: 0.7, showPoints: 'auto', pointSize: 4, spanNulls: false, axisPlacement: 'auto', axisLabel: '', axisColorMode: 'text',
				axisBorderShow: false, axisCenteredZero: false, scaleDistribution: { type: 'linear' }, hideFrom: { tooltip: false, viz: false, legend: false },
				stacking: { mode: stack ? 'normal' : 'none', group: 'A' }, thresholdsStyle: { mode: 'off' }, insertNulls: false,
			},
		},
		overrides,
	},
	options: {
		legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
		tooltip: { mode: 'multi', sort: 'desc', hideZeros: true },
	},
});
export const lines = (title, sql, options) => series(title, sql, 'line', options);
export const bars = (title, sql, options) => series(title, sql, 'bars', options);

/* Several queries as series of a panel, each [SQL, name, colour]. */
export const coloured = (list) => ({ sql: list.map(([sql]) => sql), overrides: list.map(([, name, color]) => ({ matcher: { id: 'byName', options: name }, properties: [{ id: 'color', value: fixed(color) }] })) });

/* One series drawn otherwise than the rest: a target as a dashed line. */
export const dashed = (name) => ({
	matcher: { id: 'byName', options: name },
	properties: [
		{ id: 'custom.drawStyle', value: 'line' }, { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 6] } }, { id: 'custom.lineWidth', value: 2 },
		{ id: 'custom.fillOpacity', value: 0 }, { id: 'custom.stacking', value: { mode: 'none', group: 'B' } }, { id: 'color', value: fixed('text') },
	],
});

/* One query for each member, the largest first, each called after its label and in a shade of its own. */
const shades = ['dark-blue', 'blue', 'light-blue', 'super-light-blue', '#8e8e99', '#c8c8d0'];
export const ranked = (draw, title, sql, options) => {
	const panel = draw(title, sql, { ...options, stack: true, min: 0, overrides: sql.map((_, i) => ({
		matcher: { id: 'byFrameRefID', options: String.fromCharCode(65 + i) }, properties: [{ id: 'color', value: fixed(shades[i]) }],
	})) });
	panel.fieldConfig.defaults.displayName = '${__field.labels.label}';
	return panel;
};

const override = (name, heading, o) => ({
	matcher: { id: 'byName', options: name },
	properties: [
		{ id: 'displayName', value: heading },
		...(o.decimals === undefined ? [] : [{ id: 'decimals', value: o.decimals }]),
		...(o.plain ? [{ id: 'unit', value: 'string' }] : []),
		...(o.width === undefined ? [] : [{ id: 'custom.width', value: o.width }]),
		...(o.status ? [{ id: 'mappings', value: [{ type: 'value', options: o.status }] }, { id: 'custom.cellOptions', value: { type: 'color-text' } }] : []),
		...(o.warning ? [{ id: 'color', value: fixed('orange') }, { id: 'custom.cellOptions', value: { type: 'color-text' } }] : []),
		...(o.gauge ? [{ id: 'custom.cellOptions', value: { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' } }, { id: 'min', value: 0 },
			...(o.max === undefined ? [] : [{ id: 'max', value: o.max }]), { id: 'color', value: fixed('blue') }] : []),
		...(o.heat ? [{ id: 'custom.cellOptions', value: { type: 'color-background', mode: 'basic' } }, { id: 'color', value: { mode: 'continuous-blues' } },
			{ id: 'min', value: 0 }, { id: 'max', value: 100 }] : []),
		...(o.inspect ? [{ id: 'custom.inspect', value: true }] : []),
		...(o.blank ? [{ id: 'noValue', value: '' }] : []),
		...(o.tooltip ? [{ id: 'custom.tooltip', value: { field: o.tooltip, placement: 'auto' } }] : []),
		...(o.wrap ? [{ id: 'custom.wrapText', value: true }] : []),
		...(o.link ? [{ id: 'links', value: linksOf(o.link) }] : []),
	],
});
const hidden = (name) => ({
	matcher: { id: 'byName', options: name },
	properties: [{ id: 'custom.hidden', value: true }, { id: 'custom.hideFrom', value: { viz: true, legend: false, tooltip: false } }],
});

/*
 * columns: [name, title, { decimals, width, status, warning, link, gauge, heat, plain, inspect, wrap, tooltip }]:
 * plain is text that may look like a number.  hide: columns that only links and
 * the check read.  nothing: what a table without rows says, if having none is
 * not a fault.
 */
export const table = (title, sql, columns, { kpi, width = 24, height = 10, description, hide = [], header = true, nothing = '' } = {}) => ({
	type: 'table', title, kpi, description, width, height,
	targets: queries(sql, 'table'),
	fieldConfig: {
		defaults: { ...locale, noValue: nothing, custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: false, inspect: false } },
		overrides: [...columns.map(([name, heading, o = {}]) => override(name, heading, { ...o, blank: nothing !== '' })), ...hide.map(hidden)],
	},
	options: { showHeader: header, cellHeight: 'sm' },
});

/* ---------- variables ---------- */

export const grain = {
	type: 'custom', name: 'grain', label: text('Period', 'Zeitraum'), multi: false, includeAll: false,
	query: text('Month : month, Quarter : quarter, Year : year', 'Monat : month, Quartal : quarter, Jahr : year'),
	current: { selected: true, text: text('Month', 'Monat'), value: 'month' },
	options: ['month', 'quarter', 'year'].map((value, i) => ({
		selected: i === 0, value, text: [text('Month', 'Monat'), text('Quarter', 'Quartal'), text('Year', 'Jahr')][i],
	})),
};

export const queried = (name, label, sql, more) => ({
	type: 'query', name, label, datasource: source, query: sql, refresh: 1, regex: '', sort: 0, hide: 0, multi: false, includeAll: false, ...more,
});

const dimensions = {
	team: text('Team', 'Team'), rep: text('Rep', 'Vertriebler'), region: text('Region', 'Region'), product: text('Product', 'Produkt'), channel: text('Channel', 'Kanal'),
	segment: text('Segment', 'Segment'), campaign: text('Campaign', 'Kampagne'), stage: text('Stage', 'Phase'), lost_reason: text('Lost because', 'Verlustgrund'),
};
export const dimensionName = (name) => dimensions[name];

/* Members of a dimension, several of them or All, which is NULL. */
export const filter = (name) => queried(name, dimensions[name],
	text(`SELECT label AS __text, member AS __value FROM kpi_members('${name}', 'en')`, `SELECT label AS __text, member AS __value FROM kpi_members('${name}', 'de')`),
	{ multi: true, includeAll: true, allValue: 'NULL', current: { selected: true, text: ['All'], value: ['$__all'] } });

/* What money is in; read by the titles. */
export const currency = queried('currency', '', "SELECT kpi_setting('currency')", { hide: 2, current: { selected: true, text: 'EUR', value: 'EUR' } });
