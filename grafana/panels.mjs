/*
 * panels.mjs - the building blocks of the dashboards: classic dashboard JSON
 * of Grafana 11 to 13, for its PostgreSQL data source.
 *
 * Texts are written text(english, german); make.mjs resolves them.  Queries
 * follow the data source's rules: the time column is "time", what is shown is
 * numeric, bigint or text, a variable with several values stands as
 * ARRAY[$name]::text[] and one with a single value as '$name'.
 */

export const source = { type: 'grafana-postgresql-datasource', uid: 'salkpi' };

export const text = (en, de) => ({ en, de });

/* Days of the time range; it ends with the period that its last second is in. */
export const fromDay = "kpi_day($__timeFrom()::timestamptz)";
export const toDay = "kpi_day($__timeTo()::timestamptz)";
export const lastDay = "kpi_day($__timeTo()::timestamptz - interval '1 second')";

/* The members chosen in a variable: NULL for All, whose value is NULL, and for the one member of the total, ''. */
export const chosen = (name) => `nullif(array_remove(array_remove(ARRAY[$${name}]::text[], NULL), ''), '{}')`;

/* As a dimension and its members for functions that want both: All is the total. */
export const scope = (dimension, name) =>
	`CASE WHEN ${chosen(name)} IS NULL THEN 'total' ELSE ${dimension} END`;
export const scopeMembers = (name) => `coalesce(${chosen(name)}, '{""}')`;

const query = (refId, format, sql) => ({
	refId, datasource: source, format, rawQuery: true, editorMode: 'code', rawSql: sql.replace(/\s*\n\s*/g, ' ').trim(),
});

const status = {
	met: { color: 'green', index: 0, text: text('met', 'erreicht') },
	near: { color: 'orange', index: 1, text: text('near', 'knapp') },
	missed: { color: 'red', index: 2, text: text('missed', 'verfehlt') },
	none: { color: 'text', index: 3, text: '' },
};

/* Numbers as the reader's language writes them; the unit stands in the title. */
const locale = { unit: 'locale', color: { mode: 'fixed', fixedColor: 'text' }, noValue: '–', mappings: [], thresholds: { mode: 'absolute', steps: [{ color: 'text', value: null }] } };

const palette = { mode: 'palette-classic' };

export const row = (title) => ({ type: 'row', title, height: 1, width: 24, collapsed: false, panels: [] });

export const stat = (title, sql, { decimals = 0, kpi, width = 4, height = 5, description, links } = {}) => ({
	type: 'stat', title, kpi, description, width, height, links,
	targets: [query('A', 'time_series', sql)],
	fieldConfig: { defaults: { ...locale, decimals, color: { mode: 'fixed', fixedColor: 'blue' } }, overrides: [] },
	options: {
		colorMode: 'none', graphMode: 'area', textMode: 'value', justifyMode: 'auto', orientation: 'auto', wideLayout: true,
		text: { titleSize: 14, valueSize: 30 }, showPercentChange: false, percentChangeColorMode: 'standard', reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
	},
});

const series = (title, sql, draw, { decimals = 0, kpi, width = 12, height = 8, description, stack = false, overrides = [], min } = {}) => ({
	type: 'timeseries', title, kpi, description, width, height,
	targets: (Array.isArray(sql) ? sql : [sql]).map((s, i) => query(String.fromCharCode(65 + i), 'time_series', s)),
	fieldConfig: {
		defaults: {
			unit: 'locale', decimals, min, noValue: '–', color: palette, mappings: [], thresholds: { mode: 'absolute', steps: [{ color: 'text', value: null }] },
			custom: {
				drawStyle: draw, lineWidth: draw === 'bars' ? 0 : 2, fillOpacity: draw === 'bars' ? 80 : 8, gradientMode: 'none', lineInterpolation: 'linear',
				barAlignment: 1, barWidthFactor: 0.7, showPoints: 'auto', pointSize: 4, spanNulls: false, axisPlacement: 'auto', axisLabel: '', axisColorMode: 'text',
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

/* One series drawn otherwise than the rest: a target as a dashed line. */
export const dashed = (name) => ({
	matcher: { id: 'byName', options: name },
	properties: [
		{ id: 'custom.drawStyle', value: 'line' }, { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 6] } }, { id: 'custom.lineWidth', value: 2 },
		{ id: 'custom.fillOpacity', value: 0 }, { id: 'custom.stacking', value: { mode: 'none', group: 'B' } }, { id: 'color', value: { mode: 'fixed', fixedColor: 'text' } },
	],
});

/* What each series of several is called: the text column's value, not "value region". */
export const named = '${__field.labels.label}';
export const labelled = (panel) => {
	panel.fieldConfig.defaults.displayName = named;
	return panel;
};

/*
 * columns: [name, title, { decimals, width, status, link, hidden, gauge, heat, plain }]:
 * plain is text that may look like a number.  nothing: what a table without rows
 * says, if having none is not a fault.
 */
export const table = (title, sql, columns, { kpi, width = 24, height = 10, description, nothing = '' } = {}) => ({
	type: 'table', title, kpi, description, width, height,
	targets: [query('A', 'table', sql)],
	fieldConfig: {
		defaults: { ...locale, noValue: nothing, custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: false, inspect: false, hideFrom: { viz: false } } },
		overrides: columns.map(([name, heading, o = {}]) => ({
			matcher: { id: 'byName', options: name },
			properties: [
				...(heading === undefined ? [] : [{ id: 'displayName', value: heading }]),
				...(o.decimals === undefined ? [] : [{ id: 'decimals', value: o.decimals }]),
				...(o.plain ? [{ id: 'unit', value: 'string' }] : []),
				...(o.width === undefined ? [] : [{ id: 'custom.width', value: o.width }]),
				...(o.hidden ? [{ id: 'custom.hideFrom', value: { viz: true, legend: false, tooltip: false } }] : []),
				...(o.status ? [{ id: 'mappings', value: [{ type: 'value', options: status }] }, { id: 'custom.cellOptions', value: { type: 'color-text' } }] : []),
				...(o.gauge ? [{ id: 'custom.cellOptions', value: { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' } }, { id: 'min', value: 0 },
					...(o.max === undefined ? [] : [{ id: 'max', value: o.max }]), { id: 'color', value: { mode: 'fixed', fixedColor: 'blue' } }] : []),
				...(o.heat ? [{ id: 'custom.cellOptions', value: { type: 'color-background', mode: 'basic' } }, { id: 'color', value: { mode: 'continuous-blues' } },
					{ id: 'min', value: 0 }, { id: 'max', value: 100 }] : []),
				...(o.link ? [{ id: 'links', value: [{ title: o.link.title, url: o.link.url, targetBlank: false }] }] : []),
			],
		})),
	},
	options: { showHeader: true, cellHeight: 'sm' },
});

export const gauges = (title, sql, { decimals = 0, kpi, width = 12, height = 8, description } = {}) => ({
	type: 'bargauge', title, kpi, description, width, height,
	targets: [query('A', 'table', sql)],
	fieldConfig: { defaults: { ...locale, decimals, min: 0, color: { mode: 'fixed', fixedColor: 'blue' } }, overrides: [] },
	options: {
		text: { titleSize: 13, valueSize: 15 }, displayMode: 'basic', orientation: 'horizontal', valueMode: 'text', namePlacement: 'auto', showUnfilled: true, sizing: 'auto', minVizWidth: 8, minVizHeight: 16, maxVizHeight: 40,
		legend: { showLegend: false, displayMode: 'list', placement: 'bottom', calcs: [] }, reduceOptions: { values: true, calcs: [], fields: '' },
	},
});

/* ---------- variables ---------- */

const all = { includeAll: true, multi: true, allValue: 'NULL', current: { selected: true, text: ['All'], value: ['$__all'] } };

export const grain = {
	type: 'custom', name: 'grain', label: text('Period', 'Zeitraum'), multi: false, includeAll: false,
	query: text('Month : month, Quarter : quarter, Year : year', 'Monat : month, Quartal : quarter, Jahr : year'),
	current: { selected: true, text: text('Month', 'Monat'), value: 'month' },
	options: ['month', 'quarter', 'year'].map((value, i) => ({
		selected: i === 0, value, text: [text('Month', 'Monat'), text('Quarter', 'Quartal'), text('Year', 'Jahr')][i],
	})),
};

const queried = (name, label, sql, more) => ({
	type: 'query', name, label, datasource: source, query: sql, refresh: 1, regex: '', sort: 0, hide: 0, ...more,
});

export const members = (name, label, dimension = name) =>
	queried(name, label, text(`SELECT label AS __text, member AS __value FROM kpi_members('${dimension}', 'en')`,
		`SELECT label AS __text, member AS __value FROM kpi_members('${dimension}', 'de')`), all);

/* What to look at: a dimension, and then members of it. */
export const dimension = queried('dimension', text('By', 'Nach'),
	text('SELECT label_en AS __text, dimension AS __value FROM kpi_dimension WHERE cardinality(parts) <= 1 ORDER BY cardinality(parts), label_en',
		'SELECT label_de AS __text, dimension AS __value FROM kpi_dimension WHERE cardinality(parts) <= 1 ORDER BY cardinality(parts), label_de'),
	{ multi: false, includeAll: false, current: { selected: true, text: text('Total', 'Gesamt'), value: 'total' } });

export const member = { ...members('member', text('Of it', 'Davon'), '$dimension'), name: 'member' };

export const currency = queried('currency', '', "SELECT kpi_setting('currency')", { hide: 2, multi: false, includeAll: false, current: { selected: true, text: 'EUR', value: 'EUR' } });

export const textbox = (name, label, value) => ({
	type: 'textbox', name, label, query: value, current: { selected: true, text: value, value }, options: [{ selected: true, text: value, value }],
});
