/*
 * query.mjs - runs the queries of panels as Grafana's PostgreSQL data source
 * would, through psql, which connects as the environment says.
 */
import { execFileSync } from 'node:child_process';

const psql = (script) => execFileSync('psql', ['-XAtq', '-v', 'VERBOSITY=terse'], { input: script, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'pipe'] });
export const ask = (sql) => JSON.parse(psql(`SELECT coalesce(json_agg(q), '[]') FROM (${sql}) q;`));

/* ---------- as the data source expands ---------- */

export const literal = (value) => `'${String(value).replaceAll("'", "''")}'`;
export const expand = (sql, values, range) => sql
	.replace(/\$__timeFilter\(([^)]*)\)/g, (_, column) => `${column} BETWEEN ${literal(range.from)} AND ${literal(range.to)}`)
	.replace(/\$__timeFrom\(\)/g, literal(range.from)).replace(/\$__timeTo\(\)/g, literal(range.to))
	.replace(/\$(\w+)/g, (whole, name) => {
		if (!(name in values)) return whole;
		const value = values[name];
		if (value === null) return 'NULL'; /* All */
		return Array.isArray(value) ? value.map(literal).join(',') : value.replaceAll("'", "''");
	});

/* A dashboard's time range, as a browser in the reporting time zone sends it. */
export const rangeOf = ({ from, to }) => ask(`SELECT ${[from, to].map((t, i) => {
	const [, back, whole] = /^now(?:-(\d+[dM]))?(\/M)?$/.exec(t);
	const at = back === undefined ? 'clock' : `clock - interval '${back.replace('M', ' months').replace('d', ' days')}'`;
	const start = whole === undefined ? at : `date_trunc('month', ${at})`;
	const end = whole === undefined || i === 0 ? start : `${start} + interval '1 month' - interval '1 millisecond'`;
	return `to_char((${end}) AT TIME ZONE zone AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ${i === 0 ? '"from"' : '"to"'}`;
}).join(', ')} FROM kpi_setting('time_zone') zone, LATERAL (SELECT now() AT TIME ZONE zone AS clock) c`)[0];

/* ---------- running ---------- */

/* Several queries in one session: what each returns, its types, its error, how long it took. */
export const run = (queries) => {
	const script = queries.map((sql, i) => `\\echo @@${i} types\n${sql} \\gdesc\n\\echo @@${i} rows\n\\timing on\n` +
		`SELECT coalesce(json_agg(q), '[]') FROM (${sql}) q;\n\\timing off\n`).join('');
	const out = psql(script);
	const results = queries.map(() => ({ types: [], rows: null, ms: 0 }));
	for (const part of out.split('@@').slice(1)) {
		const [head, ...lines] = part.split('\n');
		const [i, what] = head.split(' ');
		if (what === 'types')
			results[i].types = lines.filter((l) => l !== '').map((l) => l.split('|'));
		else {
			const text = lines.filter((l) => !l.startsWith('Time: ')).join('\n').trim();
			if (text !== '') results[i].rows = JSON.parse(text);
			results[i].ms = Number(/^Time: ([\d.]+) ms/.exec(lines.find((l) => l.startsWith('Time: ')) ?? '')?.[1] ?? 0);
		}
	}
	return results;
};
