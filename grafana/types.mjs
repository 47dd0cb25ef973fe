/*
 * types.mjs - checks the dashboards against the types that Grafana publishes:
 *
 *	node types.mjs DASHBOARDS MODULES
 *
 * MODULES is a directory in which npm has installed @grafana/schema,
 * ts-json-schema-generator and ajv.  What Grafana fills in by default may be
 * missing, though its types say that it is there.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [dashboards, modules] = process.argv.slice(2);
const require = createRequire(join(modules, 'package.json'));
const { default: Ajv } = require('ajv');
const { createGenerator } = await import(require.resolve('ts-json-schema-generator'));

const raw = '@grafana/schema/dist/types/raw';
const published = {
	dashboard: `import type { Dashboard } from '${raw}/dashboard/x/types.gen'; export type Wanted = Dashboard;`,
	...Object.fromEntries(['stat', 'table', 'timeseries'].map((type) =>
		[type, `import type { Options } from '${raw}/composable/${type}/panelcfg/x/types.gen'; export type Wanted = Options;`])),
	custom: `import type { FieldConfig } from '${raw}/composable/timeseries/panelcfg/x/types.gen'; export type Wanted = FieldConfig;`,
};
const schemaOf = (name) => {
	const path = join(modules, `${name}.ts`);
	writeFileSync(path, published[name]);
	return createGenerator({ path, type: 'Wanted', skipTypeCheck: true, additionalProperties: false }).createSchema('Wanted');
};

const lenient = (node) => {
	if (Array.isArray(node)) return node.map(lenient);
	if (node === null || typeof node !== 'object') return node;
	return Object.fromEntries(Object.entries(node).filter(([key, value]) => !(key === 'required' && Array.isArray(value))).map(([key, value]) => [key, lenient(value)]));
};
const ajv = new Ajv({ allErrors: true, strict: false, allowUnionTypes: true, unicodeRegExp: false });
const checks = Object.fromEntries(Object.keys(published).map((name) => [name, ajv.compile(lenient(schemaOf(name)))]));

let n = 0, failed = 0;
const ok = (faults, what) => {
	n += 1;
	if (faults.length > 0) failed += 1;
	console.log(`${faults.length > 0 ? 'not ok' : 'ok'} ${n} - ${what}`);
	for (const fault of faults.slice(0, 10)) console.log(`# ${fault}`);
};
const faultsOf = (check, value) => (check(value) ? [] : check.errors.map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`));

for (const lang of ['en', 'de'])
	for (const file of readdirSync(join(dashboards, lang)).filter((f) => f.endsWith('.json')).sort()) {
		const dashboard = JSON.parse(readFileSync(join(dashboards, lang, file), 'utf8'));
		/* The type of an annotation's query is, by its own comment, still to be that of any query. */
		const annotations = { list: dashboard.annotations.list.map(({ target, ...rest }) => rest) };
		const faults = faultsOf(checks.dashboard, { ...dashboard, annotations });
		for (const panel of dashboard.panels.flatMap((p) => [p, ...(p.panels ?? [])]).filter((p) => p.type !== 'row')) {
			faults.push(...faultsOf(checks[panel.type], panel.options).map((f) => `"${panel.title}" options${f}`));
			if (panel.type === 'timeseries') faults.push(...faultsOf(checks.custom, panel.fieldConfig.defaults.custom).map((f) => `"${panel.title}" custom${f}`));
		}
		ok(faults, `${lang}/${file} is as Grafana's types say`);
	}
console.log(`1..${n}`);
process.exit(failed === 0 ? 0 : 1);
