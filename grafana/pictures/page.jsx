/*
 * page.jsx - a dashboard drawn with Grafana's own components from the results
 * of its queries, which draw.mjs leaves in data.json.
 */
import { createRoot } from 'react-dom/client';
import { createTheme, dateTime, FieldType, getDisplayProcessor, systemDateFormats, ThemeContext, toDataFrame } from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, TimeSeries } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

systemDateFormats.useBrowserLocale(); // as a server does with [date_formats] use_browser_locale
const data = await (await fetch('data.json')).json();
const theme = createTheme({ colors: { mode: data.theme } });
const range = { from: dateTime(data.range.from), to: dateTime(data.range.to), raw: data.range };
const replaced = (s) => (s ?? '').replaceAll('$currency', data.currency);

/* A field's configuration: the defaults, and what overrides of its name or its query say. */
const configOf = ({ defaults, overrides }, name, refId) => {
	const config = structuredClone(defaults);
	for (const o of overrides.filter(({ matcher }) => matcher.options === (matcher.id === 'byFrameRefID' ? refId : name)))
		for (const { id, value } of o.properties) {
			const path = id.split('.');
			path.slice(0, -1).reduce((at, key) => (at[key] ??= {}), config)[path.at(-1)] = value;
		}
	if (config.displayName !== undefined) config.displayName = replaced(config.displayName);
	return config;
};

/* What Grafana works out before it draws: the range of the numbers, and how one is written. */
const ready = (field, i) => {
	const { min, max } = field.config;
	const numbers = field.type === FieldType.number ? field.values.filter((v) => v !== null) : [];
	const from = min ?? Math.min(...numbers, 0), to = max ?? Math.max(...numbers, 0);
	field.state = { ...field.state, displayName: field.config.displayName ?? field.name, seriesIndex: i - 1, range: { min: from, max: to, delta: to - from } };
	field.display = getDisplayProcessor({ field, theme, timeZone: data.zone });
	field.getLinks = () => (field.config.links ?? []).map(({ title, url }) => ({ title, href: url, target: '_self', origin: field }));
};

const typeOf = { 'timestamp with time zone': FieldType.time, text: FieldType.string };
const frameOf = (panel, { types, rows }) => {
	const frame = toDataFrame({
		fields: types.map(([name, type]) => ({
			name, type: typeOf[type] ?? FieldType.number, config: configOf(panel.fieldConfig, name),
			values: rows.map((r) => (type === 'timestamp with time zone' ? Date.parse(r[name]) : r[name])),
		})),
	});
	frame.fields.forEach(ready);
	return frame;
};

/* Long to wide: a series for each label, at the times of all. */
const seriesOf = (panel) => {
	const points = panel.results.flatMap(({ types, rows }, i) => rows.flatMap((r) => types.filter(([, type]) => typeOf[type] === undefined)
		.map(([name]) => [Date.parse(r.time), r.label ?? name, r[name], panel.targets[i].refId])));
	const times = [...new Set(points.map(([t]) => t))].sort((a, b) => a - b);
	const names = [...new Set(points.map(([, name]) => name))];
	const frame = toDataFrame({
		fields: [{ name: 'time', type: FieldType.time, config: {}, values: times }, ...names.map((name) => ({
			name, type: FieldType.number, config: { ...configOf(panel.fieldConfig, name, points.find(([, of]) => of === name)[3]), displayName: name },
			values: times.map((t) => points.find(([at, of]) => at === t && of === name)?.[2] ?? null),
		}))],
	});
	frame.fields.forEach(ready);
	return frame;
};

const Stat = ({ panel, width, height }) => {
	const frame = seriesOf(panel);
	const field = frame.fields[1];
	const last = field?.values.findLast((v) => v !== null);
	const value = field === undefined ? { text: '–', numeric: NaN } : { ...field.display(last ?? null), title: panel.fieldConfig.defaults.displayName };
	const { graphMode, textMode, justifyMode, text, wideLayout } = panel.options;
	return <BigValue theme={theme} width={width} height={height} value={value} colorMode="none" graphMode={graphMode} textMode={textMode} justifyMode={justifyMode} text={text} disableWideLayout={!wideLayout}
		sparkline={field === undefined || frame.length < 2 ? undefined : { y: field, x: frame.fields[0] }} />;
};

const Lines = ({ panel, width, height }) => {
	const frame = seriesOf(panel);
	return frame.length === 0 ? null : <TimeSeries frames={[frame]} width={width} height={height} timeRange={range} timeZone={data.zone} theme={theme} legend={panel.options.legend} options={{}} />;
};

const Rows = ({ panel, width, height }) => (panel.results[0].rows.length === 0 ?
	<div style={{ height, display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary }}>{panel.fieldConfig.defaults.noValue}</div> :
	<TableNG data={frameOf(panel, panel.results[0])} width={width} height={height} cellHeight={panel.options.cellHeight} noHeader={!panel.options.showHeader} timeRange={range} fieldConfig={panel.fieldConfig} enableVirtualization={false} />);

const drawn = { stat: Stat, timeseries: Lines, table: Rows };

const unit = 30, gap = 8, column = (data.width - 2 * gap) / 24;
const Panel = ({ panel }) => {
	const { x, y, w, h } = panel.gridPos;
	const place = { position: 'absolute', left: gap + x * column, top: 64 + y * (unit + gap), width: w * column - gap, height: h * (unit + gap) - gap };
	if (panel.type === 'row') return <h4 style={{ ...place, margin: 0, paddingTop: 8 }}>{replaced(panel.title)}</h4>;
	const Drawn = drawn[panel.type];
	return <div style={place}>
		<PanelChrome title={replaced(panel.title)} width={place.width} height={place.height}>{(width, height) => <Drawn panel={panel} width={width} height={height} />}</PanelChrome>
	</div>;
};

const bottom = Math.max(...data.panels.map(({ gridPos: { y, h } }) => y + h)) * (unit + gap) + 72;
for (const panel of data.panels)
	for (const { rows } of panel.results)
		if (rows === null) throw new Error(`a query of "${panel.title}" failed`);
createRoot(document.getElementById('page')).render(
	<ThemeContext.Provider value={theme}>
		<GlobalStyles />
		<div id="dashboard" style={{ position: 'relative', width: data.width, height: bottom, background: theme.colors.background.canvas, color: theme.colors.text.primary }}>
			<div style={{ padding: '16px 12px 0', display: 'flex', gap: 10, alignItems: 'baseline', whiteSpace: 'nowrap', fontSize: 13 }}>
				<h3 style={{ margin: 0 }}>{data.title}</h3>
				{data.variables.map(({ label, value }) => <span key={label} style={{ color: theme.colors.text.secondary }}>{label}: <b style={{ color: theme.colors.text.primary }}>{value}</b></span>)}
			</div>
			{data.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
		</div>
	</ThemeContext.Provider>,
);
