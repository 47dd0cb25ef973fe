/*
 * check.mjs - runs every query of every dashboard and alert rule, in both
 * languages, with the values that variables can have, and says in TAP whether
 * Grafana could show what comes back: node check.mjs DIRECTORY.
 *
 * It needs no Grafana: macros and variables are expanded as its PostgreSQL data
 * source does, and the queries are run by psql, as the environment says (which
 * should be the role that Grafana will use).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { ask, expand, literal, rangeOf, run } from './query.mjs';

const directory = process.argv[2];
let n = 0, failed = 0;
const ok = (good, what, why = '') => {
	n += 1;
	if (!good) failed += 1;
	console.log(`${good ? 'ok' : 'not ok'} ${n} - ${what}`);
	if (!good) console.log(String(why).split('\n').slice(0, 12).map((l) => `# ${l}`).join('\n'));
};

const errorOf = (sql) => {
	try {
		execFileSync('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
		return 'no rows';
	} catch (e) {
		return `${e.stderr}${sql}`;
	}
};

/* ---------- what a frame must be ---------- */

const shows = new Set(['numeric', 'double precision', 'bigint', 'text']);
const frameFault = ({ types, rows }, format) => {
	const wrong = types.filter(([name, type]) => !(shows.has(type) || (name === 'time' && type === 'timestamp with time zone')));
	if (wrong.length > 0) return `columns of other types: ${wrong.map((w) => w.join(' ')).join(', ')}`;
	if (format !== 'time_series') return null;
	if (types[0]?.[0] !== 'time') return 'the first column is not "time"';
	if (!types.slice(1).some(([, type]) => type !== 'text')) return 'no number beside the time';
	const times = rows.map((r) => r.time);
	if (times.some((t) => t === null)) return 'time is null';
	if (times.some((t, i) => i > 0 && Date.parse(t) < Date.parse(times[i - 1]))) return 'time does not ascend';
	return null;
};
const isEmpty = ({ types, rows }) => rows.length === 0 ||
	!types.some(([name, type]) => name !== 'time' && type !== 'text' && rows.some((r) => r[name] !== null)) && types.some(([, type]) => type !== 'text');

/* ---------- scenarios ---------- */

const hostile = ["O'Brien", '"quoted"', 'back\\slash', '$1; DROP TABLE kpi_fact; --'];
const valuesOf = (variable, pick, others) => {
	if (variable.type === 'custom') return variable.current.value;
	if (variable.type === 'textbox') return pick === 'hostile' ? hostile[0] : variable.current.value;
	if (!variable.multi) return variable.name === 'currency' ? 'EUR' : others[variable.name] ?? variable.current.value;
	if (pick === 'All') return null;
	if (pick === 'hostile') return hostile;
	const found = ask(expand(variable.query, others, {})).map((r) => Object.values(r)[1]).filter((v) => v !== '(none)');
	return found.slice(0, pick === 'single' ? 1 : 3);
};

const check = (lang, file) => {
	const dashboard = JSON.parse(readFileSync(`${directory}/${lang}/${file}`, 'utf8'));
	const name = `${lang}/${dashboard.uid}`;
	const range = rangeOf(dashboard.time);
	const variables = dashboard.templating.list;
	const panels = dashboard.panels.flatMap((p) => [p, ...(p.panels ?? [])]).filter((p) => p.targets);
	const targets = panels.flatMap((p) => p.targets.map((t) => ({ what: `${name} "${p.title}" ${t.refId}`, panel: p, ...t })));

	const options = variables.filter((v) => v.type === 'query').map((v) => ({ what: `${name} variable ${v.name}`, sql: v.query }));
	for (const [i, r] of run(options.map((o) => expand(o.sql, { dimension: 'rep' }, range))).entries())
		ok(r.rows?.length > 0 && r.types.every(([, type]) => type === 'text'), `${options[i].what} has values`, r.rows === null ? errorOf(expand(options[i].sql, { dimension: 'rep' }, range)) : r.types);

	const scenarios = variables.length === 0 ? [['as it is', {}]] : (lang === 'en' ? ['All', 'single', 'several', 'hostile'] : ['All']).flatMap((pick) =>
		(variables.some((v) => v.name === 'dimension') ? pick === 'All' ? ['total'] : pick === 'single' ? ['region'] : ['rep'] : [undefined]).map((dimension) =>
			[`${pick}${dimension === undefined ? '' : ` by ${dimension}`}`, dimension === undefined ? {} : { dimension }, pick]));
	for (const [scenario, others, pick] of scenarios) {
		const values = { ...others, ...Object.fromEntries(variables.map((v) => [v.name, others[v.name] ?? valuesOf(v, pick, others)])) };
		const sqls = targets.map((t) => expand(t.rawSql, values, range));
		const results = run(sqls);
		const faults = [], empty = [], slow = [];
		results.forEach((r, i) => {
			if (r.rows === null) return faults.push(`${targets[i].what}: ${errorOf(sqls[i])}`);
			const fault = frameFault(r, targets[i].format);
			if (fault) faults.push(`${targets[i].what}: ${fault}`);
			if (isEmpty(r) && !targets[i].panel.fieldConfig.defaults.noValue?.includes(' ')) empty.push(targets[i].what);
			if (r.ms > 50) r.ms = Math.min(...run([sqls[i], sqls[i]]).map((again) => again.ms)); /* warm */
			if (r.ms > 50) slow.push(`${targets[i].what}: ${r.ms} ms`);
		});
		ok(faults.length === 0, `${name}, ${scenario}: ${targets.length} queries give frames`, faults.join('\n'));
		if (pick === 'All' || pick === undefined) ok(empty.length === 0, `${name}, ${scenario}: no panel is empty`, empty.join('\n'));
		for (const s of slow) console.log(`# more than 50 ms: ${s}`);

		/* The numbers are those that kpi_value gives. */
		const compared = targets.map((t, i) => ({ t, sql: sqls[i], kpi: /kpi_merged_series\('(\w+)'/.exec(t.rawSql)?.[1], by: /kpi_merged_series\([^']*'\w+'.*?'\$?(\w+)', nullif\(array_remove\(array_remove\(ARRAY\[\$(\w+)\]/.exec(t.rawSql) }))
			.filter((c) => c.kpi && c.by && (pick === 'All' || pick === 'single'));
		const differences = compared.map(({ sql, kpi, by }) => {
			const of = by[1] === 'dimension' ? values.dimension : by[1];
			const member = values[by[2]];
			const [d, m] = member === null ? ['total', ''] : [of, member[0]];
			return `SELECT ${literal(kpi)} AS kpi, count(*) FILTER (WHERE (array_agg) IS DISTINCT FROM wanted) AS differences, count(*) AS n
				  FROM (SELECT to_jsonb(q) AS row, (SELECT v.value::numeric FROM jsonb_each_text(to_jsonb(q) - 'time') WITH ORDINALITY v(key, value, i) WHERE v.key NOT IN ('Target', 'Ziel') LIMIT 1) AS array_agg,
						kpi_value(${literal(kpi)}, kpi_day(q."time"), ${literal(d)}, ${literal(m)}, ${literal(values.grain)}) AS wanted FROM (${sql}) q) x`;
		});
		if (differences.length > 0) {
			const rows = run(differences).map((r, i) => r.rows?.[0] ?? { kpi: errorOf(differences[i]), differences: 1 });
			ok(rows.every((r) => Number(r.differences) === 0 && Number(r.n) > 0), `${name}, ${scenario}: ${rows.length} panels show what kpi_value says`,
				rows.filter((r) => Number(r.differences) !== 0 || !Number(r.n)).map((r) => JSON.stringify(r)).join('\n'));
		}
	}
};

for (const lang of ['en', 'de']) {
	for (const file of readdirSync(`${directory}/${lang}`).filter((f) => f.endsWith('.json')).sort())
		check(lang, file);
	const rules = JSON.parse(readFileSync(`${directory}/${lang}/alerts.yaml`, 'utf8')).groups.flatMap((g) => g.rules);
	for (const [i, r] of run(rules.map((rule) => rule.data[0].model.rawSql)).entries())
		ok(r.rows?.length === 1 && frameFault(r, 'time_series') === null, `${lang} alert ${rules[i].uid} is a time series`, r.rows === null ? errorOf(rules[i].data[0].model.rawSql) : frameFault(r, 'time_series'));
}
console.log(`1..${n}`);
process.exit(failed === 0 ? 0 : 1);
