/*
 * make.mjs - writes the dashboards and alert rules of dashboards.mjs in both
 * languages: node make.mjs DIRECTORY.  It asks the catalogue (psql, as the
 * environment says) what each KPI means, for the descriptions of the panels.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dashboards, alerts } from './dashboards.mjs';

const directory = process.argv[2];
const languages = ['en', 'de'];

const definitions = Object.fromEntries(JSON.parse(execFileSync('psql', ['-XAtq', '-c',
	`SELECT json_agg(json_build_array(kpi, json_build_object('en', description_en, 'de', description_de, 'formula', formula)))
	   FROM kpi_definition`], { encoding: 'utf8', maxBuffer: 1 << 24 })));

/* Every text in one language. */
const resolve = (value, lang) => {
	if (Array.isArray(value)) return value.map((v) => resolve(v, lang));
	if (value === null || typeof value !== 'object') return value;
	if ('en' in value && 'de' in value) return value[lang];
	return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => [k, resolve(v, lang)]));
};

/* A panel says what its KPIs mean as the catalogue does. */
const describe = ({ kpi, description, panels, ...rest }, lang) => {
	const panel = resolve(rest, lang);
	if (panels !== undefined) panel.panels = panels.map((p) => describe(p, lang));
	const said = [description === undefined ? undefined : resolve(description, lang), ...[kpi ?? []].flat().map((name) => {
		const d = definitions[name];
		if (d === undefined) throw new Error(`panel names the unknown KPI ${name}`);
		return `**${name}**: ${d[lang]}. \`${d.formula}\``;
	})].filter((s) => s !== undefined);
	return said.length === 0 ? panel : { ...panel, description: said.join('\n\n') };
};

/* Panels flow from left to right, as wide as they say; those of a collapsed row are in it. */
const place = (panels) => {
	let x = 0, y = 0, height = 0, id = 0;
	const put = ({ width: w, height: h, panels: inner, ...panel }) => {
		if (x + w > 24) {
			x = 0;
			y += height;
			height = 0;
		}
		const gridPos = { h, w, x, y };
		x += w;
		height = Math.max(height, h);
		id += 1;
		return { id, gridPos, ...panel, ...(inner === undefined ? {} : { panels: inner.map(put) }) };
	};
	return panels.map(put);
};

const link = (lang) => [{
	type: 'dashboards', tags: [`salkpi-${lang}`], title: { en: 'Dashboards', de: 'Dashboards' }[lang], asDropdown: true, icon: 'external link',
	includeVars: true, keepTime: true, targetBlank: false, tooltip: '', url: '',
}];

const dashboard = ({ uid, title, description, variables, panels, annotations = [], time, refresh = '' }, lang) => ({
	uid: `salkpi-${uid}-${lang}`, title: resolve(title, lang), description: resolve(description, lang), tags: ['salkpi', `salkpi-${lang}`],
	schemaVersion: 41, version: 1, editable: true, graphTooltip: 1, timezone: 'browser', weekStart: '', refresh, fiscalYearStartMonth: 0, liveNow: false,
	time: time ?? { from: 'now-13M/M', to: 'now-1M/M' }, timepicker: {}, links: link(lang),
	annotations: { list: resolve(annotations, lang) },
	templating: { list: resolve(variables, lang) },
	panels: place(panels.map((p) => describe(p, lang))),
});

for (const lang of languages) {
	mkdirSync(`${directory}/${lang}`, { recursive: true });
	for (const d of dashboards(lang))
		writeFileSync(`${directory}/${lang}/${d.uid}.json`, JSON.stringify(dashboard(d, lang), null, '\t') + '\n');
	/* YAML is a superset of JSON. */
	writeFileSync(`${directory}/${lang}/alerts.yaml`, JSON.stringify(resolve(alerts(lang), lang), null, '  ') + '\n');
}
