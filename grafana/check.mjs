/*
 * check.mjs - runs every query of every dashboard and alert rule, in both
 * languages, with the values that variables can have, and says in TAP whether
 * Grafana could show what comes back: node check.mjs DIRECTORY.
 *
 * It needs no Grafana: macros and variables are expanded as its PostgreSQL data
 * source does, and the queries are run by psql, as the environment says (which
 * should be the role that Grafana will use).  dimensions.sql must have been run.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { ask, expand, literal, rangeOf, run } from './query.mjs';

const directory = process.argv[2];
let n = 0, failed = 0;
const ok = (faults, what) => {
	const lines = [faults].flat().filter((fault) => fault);
	n += 1;
	if (lines.length > 0) failed += 1;
	console.log(`${lines.length === 0 ? 'ok' : 'not ok'} ${n} - ${what}`);
	if (lines.length > 0) console.log(lines.join('\n').split('\n').slice(0, 24).map((l) => `# ${l}`).join('\n'));
};
const note = (what) => console.log(`# ${what}`);

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

/* ---------- what there is to choose ---------- */

const known = Object.fromEntries(ask('SELECT kpi, unit, formula FROM kpi_definition').map((d) => [d.kpi, d]));
const dimensions = ask('SELECT dimension, parts FROM kpi_dimension');
const hostile = ["O'Brien", '"quoted"', 'back\\slash', '$1; DROP TABLE kpi_fact; --', 'a+b'];
const membersOf = Object.fromEntries(['team', 'rep', 'region', 'product', 'channel', 'segment', 'campaign', 'stage', 'lost_reason', 'team+rep', 'region+product'].map((d) =>
	[d, ask(`SELECT member FROM kpi_members(${literal(d)}) WHERE member !~ '\\(none\\)'`).map((r) => r.member)]));

/* Of a filter one value, several; of two that are computed together, and of two that are not; and what nobody ever called anything. */
const scenariosOf = (filters, lang) => { // [what, what is chosen of which filter]
	const all = [['all', {}]];
	if (filters.length === 0) return all;
	const [team, rep] = membersOf['team+rep'][0].split('+');
	const [region, product] = membersOf['region+product'][0].split('+');
	const together = ['a team and a rep', { team: [team], rep: [rep] }];
	const several = (f) => [`several of ${f}`, { [f]: membersOf[f].slice(0, 3) }];
	const allHostile = ['everything hostile', Object.fromEntries(filters.map((f) => [f, hostile]))];
	if (lang === 'de') return [...all, together, several('rep'), allHostile];	/* the same queries, with other labels */
	return [...all, ...filters.map((f) => [`one ${f}`, { [f]: membersOf[f].slice(0, 1) }]), several('rep'), several('product'),
		together, ['several regions and products', { region: [region, membersOf.region.at(-1)], product: [product, membersOf.product.at(-1)] }],
		['a team and channels', { team: [team], channel: membersOf.channel.slice(0, 2) }],
		['a hostile rep', { rep: hostile }], allHostile];
};

/* Worked out here, not by kpi_scope: the dimension of these filters, and of one that is listed besides, and the members. */
const scopeOf = (chosen, by) => {
	const wanted = [...new Set([...Object.keys(chosen), ...(by === undefined ? [] : [by])])];
	const found = dimensions.find(({ parts }) => parts.length === wanted.length && parts.every((p) => wanted.includes(p)));
	if (found === undefined) return undefined;
	const escaped = (m) => (found.parts.length > 1 ? m.replaceAll('\\', '\\\\').replaceAll('+', '\\+') : m);
	const members = by !== undefined ? undefined :
		found.parts.reduce((sofar, part) => sofar.flatMap((m) => chosen[part].map((c) => (m === null ? escaped(c) : `${m}+${escaped(c)}`))), [null]).map((m) => m ?? '');
	return { dimension: found.dimension, members };
};

/* ---------- are the numbers those of kpi_value? ---------- */

/* A line of what is chosen together: each of its points beside what kpi_value or, of several members, a sum over them says. */
const mergedComparison = (target, sql, scope, grain, points) => {
	const kpi = /kpi_merged_series\('(\w+)', /.exec(target.rawSql)?.[1];
	if (kpi === undefined || target.format !== 'time_series' || scope === undefined) return undefined;
	const value = `SELECT q."time", (SELECT v.value::numeric FROM jsonb_each_text(to_jsonb(q) - 'time') v WHERE v.key NOT IN ('Target', 'Ziel')) AS shown FROM (${sql}) q ORDER BY 1 DESC LIMIT ${points}`;
	const of = `${literal(scope.dimension)}, m.member, ${literal(grain)}`;
	const members = `unnest(ARRAY[${scope.members.map(literal).join(', ')}]::text[]) m(member)`;
	const isSum = /^\w+$/.test(known[kpi].formula), isRatio = known[kpi].unit === 'percent' && /^100 \* [()\w +]+ \/ [()\w +]+$/.test(known[kpi].formula);
	if (scope.members.length === 1)
		return `SELECT ${literal(kpi)} AS what, abs(s.shown) AS shown, abs(kpi_value(${literal(kpi)}, kpi_day(s."time"), ${of})) AS wanted FROM (${value}) s, ${members}`;
	const parts = (part) => `sum(kpi_value(${literal(part)}, kpi_day(s."time"), ${of}))`;
	const summed = (text) => text.replace(/[a-z_]+/g, parts);
	const wanted = isSum ? parts(kpi) : isRatio ? (([top, bottom]) => `(100 * (${summed(top)}))::numeric / nullif(${summed(bottom)}, 0)`)(known[kpi].formula.replace('100 * ', '').split(' / ')) : undefined;
	return wanted === undefined ? undefined :
		`SELECT ${literal(kpi)} AS what, abs(s.shown) AS shown, abs((SELECT ${wanted} FROM ${members})) AS wanted FROM (${value}) s WHERE s.shown IS NOT NULL`;
};

/* Lines of members: found by what they are called. */
const labelledComparison = (target, sql, chosen, grain, lang, points) => {
	const by = listedBy(target);
	const [, kpi] = /kpi_series\('(\w+)', /.exec(target.rawSql) ?? [];
	if (by === undefined || kpi === undefined || target.format !== 'time_series') return undefined;
	const scope = scopeOf(chosen, by);
	return scope && `SELECT ${literal(`${kpi} of `)} || q.label AS what, q.value AS shown, kpi_value(${literal(kpi)}, kpi_day(q."time"), ${literal(scope.dimension)}, m.member, ${literal(grain)}) AS wanted
		FROM (SELECT * FROM (${sql}) x ORDER BY "time" DESC LIMIT ${points}) q LEFT JOIN kpi_members(${literal(scope.dimension)}, ${literal(lang)}) m ON m.label = q.label`;
};

/* A table whose rows name dimension and member: columns called as a KPI are its values, and "value" (in a row of measures "amount") is that of the row's KPI. */
const tableComparison = (target, sql, result, grain, day) => {
	const names = result.types.map(([name]) => name);
	if (target.format !== 'table' || !names.includes('dimension') || !names.includes('member')) return undefined;
	const own = names.includes('kpi') && (names.includes('value') ? 'value' : names.includes('amount') ? 'amount' : undefined);
	const shown = own ? `SELECT q.kpi, q.${own} AS shown, q.dimension, q.member FROM (${sql}) q WHERE q.kpi IN (SELECT kpi FROM kpi_definition WHERE unit <> 'days' OR ${own === 'value'})` :
		`SELECT j.key AS kpi, j.value::numeric AS shown, q.dimension, q.member FROM (${sql}) q, jsonb_each_text(to_jsonb(q)) j WHERE j.key IN (SELECT kpi FROM kpi_definition)`;
	return `SELECT concat_ws(' ', s.kpi, s.dimension, s.member) AS what, s.shown, kpi_value(s.kpi, ${day}, s.dimension, s.member, ${literal(grain)}) AS wanted FROM (${shown}) s WHERE s.member IS NOT NULL`;
};

/* As far as it is written out: tables round, and what is divided in SQL has other decimals. */
const differing = (comparison) => `SELECT count(shown) AS numbers, array_to_json((array_agg(concat(what, ': ', shown, ', not ', wanted)) FILTER (WHERE round(shown, least(scale(shown), 9)) IS DISTINCT FROM round(wanted, least(scale(shown), 9))))[:5]) AS faults
	FROM (${comparison}) c`;

/* ---------- links ---------- */

const directoryOf = Object.fromEntries(['en', 'de'].flatMap((lang) => readdirSync(`${directory}/${lang}`).filter((f) => f.endsWith('.json')).map((file) => {
	const d = JSON.parse(readFileSync(`${directory}/${lang}/${file}`, 'utf8'));
	return [d.uid, d];
})));
const linkFaults = (dashboard, panel, results) => {
	const columns = results.flatMap((r) => r.types.map(([name]) => name));
	const names = (d) => d.templating.list.map((v) => v.name);
	return [...panel.fieldConfig.defaults.links ?? [], ...panel.fieldConfig.overrides.flatMap((o) => o.properties.filter((p) => p.id === 'links').flatMap((p) => p.value))].flatMap(({ url }) => {
		const [, uid, query] = /^\/d\/([\w-]+)\?(.*)$/.exec(url);
		if (directoryOf[uid] === undefined) return [`"${panel.title}" leads to ${uid}, which there is not`];
		return [...query.split('&').filter((part) => !/^var-\w+=[\w${}.:]+$|^\$\{(\w+:queryparam|__url_time_range)\}$/.test(part)).map((part) => `"${panel.title}": ${part}`),
			...[...query.matchAll(/var-(\w+)=/g)].filter(([, name]) => !names(directoryOf[uid]).includes(name)).map(([, name]) => `"${panel.title}": ${uid} has no variable ${name}`),
			...[...query.matchAll(/\$\{(\w+):queryparam\}/g)].filter(([, name]) => !names(dashboard).includes(name) || !names(directoryOf[uid]).includes(name)).map(([, name]) => `"${panel.title}": no variable ${name} to hand on`),
			...[...query.matchAll(/__data\.fields\.(\w+)/g)].filter(([, name]) => !columns.includes(name)).map(([, name]) => `"${panel.title}": its rows have no ${name}`),
			...(query.includes('__url_time_range') ? [] : [`"${panel.title}": the time range is lost`])];
	});
};

/* ---------- a dashboard with something chosen ---------- */

const isSubject = (result) => result.types.some(([column]) => column === 'note');
const listedBy = (target) => /kpi_scope\(jsonb_build_object\([^)]*\), '(\w+)'/.exec(target.rawSql)?.[1];

/* Members that nobody knows are refused where there is no place for a reason: by name, so that nothing was lost on the way. */
const refusalOf = (sql) => {
	const error = errorOf(sql);
	return hostile.some((member) => error.includes(`unknown member "${member}" of dimension`)) ? null : error;
};

const frameFaults = ({ targets, sqls, results }) => results.map((r, i) => {
	const fault = r.rows === null ? refusalOf(sqls[i]) : !targets[i].isAnnotation ? frameFault(r, targets[i].format) : r.types.map(([column]) => column).join() === 'time,text' ? null : 'not time and text';
	return fault && `${targets[i].what}: ${fault}`;
});

/* How long each query took that is run with nothing chosen; of a drill, into every KPI. */
const timed = new Map();
const noteTimes = ({ targets, sqls, results }) => results.forEach((r, i) => timed.has(sqls[i]) || timed.set(sqls[i], { what: targets[i].what, sql: sqls[i], ms: r.ms }));

/* What takes long is run again, twice, for a new session is slow at first: on a busy machine it may still be.  No test, but a note, which ./dev test shows. */
const reportTimes = (most) => {
	const slow = [...timed.values()].filter(({ ms }) => ms > most);
	run([...slow, ...slow].map(({ sql }) => sql)).forEach((again, i) => { slow[i % slow.length].ms = Math.min(slow[i % slow.length].ms, again.ms); });
	const still = slow.filter(({ ms }) => ms > most).sort((a, b) => b.ms - a.ms);
	note(`measured: ${still.length} of ${timed.size} queries take more than ${most} ms${still.length === 0 ? '' : ', the slowest: '}${still.slice(0, 6).map(({ what, ms }) => `${what} ${Math.round(ms)} ms`).join(', ')}`);
};

const emptyPanels = ({ panels, targets, results }) => panels.filter((panel) =>
	!panel.fieldConfig.defaults.noValue.includes(' ') && results.every((r, i) => targets[i].panel !== panel || isEmpty(r))).map((panel) => panel.title);

/* Without a dimension of what is chosen, and of what a query lists besides, it gives nothing, and the first line says why. */
const checkImpossible = ({ what, targets, results, scope, chosen }) => {
	const impossible = targets.map((t, i) => t.rawSql.includes('kpi_scope') && !isSubject(results[i]) &&
		(scope === undefined || listedBy(t) !== undefined && scopeOf(chosen, listedBy(t)) === undefined));
	if (impossible.some((is) => is))
		ok(results.flatMap((r, i) => (impossible[i] && r.rows.length > 0 ? `${targets[i].what} shows something` :
			isSubject(r) && !r.rows[0]?.note?.includes('kpi_define_dimension') ? `${targets[i].what} does not say why` : [])),
		`${what}: ${impossible.filter((is) => is).length} queries for which nothing is computed show nothing, and why`);
};

/* Of lines as many of the newest points as asked for. */
const comparisonsOf = ({ lang, targets, sqls, results, scope, chosen, grain, range, points }) => {
	const day = `kpi_day(${literal(range.to)}::timestamptz - interval '1 second')`;
	return targets.flatMap((t, i) => {
		const comparison = t.isAnnotation ? undefined : mergedComparison(t, sqls[i], scope, grain, points) ?? labelledComparison(t, sqls[i], chosen, grain, lang, points) ?? tableComparison(t, sqls[i], results[i], grain, day);
		return comparison === undefined ? [] : [{ what: t.what, sql: differing(comparison) }];
	});
};

/* Returns how many numbers were compared. */
const checkNumbers = ({ what, points }, comparisons, found) => {
	if (comparisons.length === 0) return 0;
	const said = found.map((r, i) => ({ what: comparisons[i].what, ...(r.rows?.[0] ?? { numbers: 0, faults: [errorOf(comparisons[i].sql)] }) }));
	const compared = said.reduce((sum, r) => sum + Number(r.numbers), 0);
	ok([...said.flatMap((r) => (r.faults ?? []).map((fault) => `${r.what}: ${fault}`)), ...(points > 3 && compared === 0 ? ['nothing to compare'] : [])], `${what}: ${compared} numbers are those of kpi_value`);
	return compared;
};

/* The results of each list of queries, all run in one session: what a new one first has to find out takes longer than most queries. */
const runEach = (lists) => {
	const results = run(lists.flat());
	return lists.map((list) => results.splice(0, list.length));
};

/* A dashboard of one KPI, with each that there is. */
const checkEveryKpi = (name, targets, valuesOf, range) => {
	const drills = Object.keys(known).map((kpi) => ({ targets: targets.map((t) => ({ ...t, what: `${t.what} ${kpi}` })), sqls: targets.map((t) => expand(t.rawSql, valuesOf({}, kpi), range)) }));
	runEach(drills.map(({ sqls }) => sqls)).forEach((results, i) => { drills[i].results = results; });
	ok(drills.flatMap(frameFaults), `${name}: each of ${drills.length} KPIs gives frames`);
	drills.forEach(noteTimes);
};

const check = (lang, dashboard) => {
	const name = `${lang}/${dashboard.uid}`;
	const range = rangeOf(dashboard.time);
	const variables = dashboard.templating.list;
	const filters = variables.filter((v) => v.multi).map((v) => v.name);
	const panels = dashboard.panels.flatMap((p) => [p, ...(p.panels ?? [])]).filter((p) => p.targets);
	const targets = [...panels.flatMap((p) => p.targets.map((t) => ({ ...t, what: `${name} "${p.title}" ${t.refId}`, panel: p }))),
		...dashboard.annotations.list.map((a) => ({ ...a.target, what: `${name} annotation "${a.name}"`, isAnnotation: true }))];
	let compared = 0;

	const options = variables.filter((v) => v.type === 'query');
	ok(run(options.map((v) => v.query)).flatMap((r, i) => (r.rows === null ? errorOf(options[i].query) : r.rows.length === 0 || r.types.some(([, type]) => type !== 'text') ? `${options[i].name}: ${r.types}` : [])),
		`${name}: ${options.length} variables have values`);

	const valuesOf = (chosen, kpi) => ({ grain: 'month', currency: 'EUR', kpi, ...Object.fromEntries(filters.map((f) => [f, chosen[f] ?? null])) });
	const isOfKpi = variables.some((v) => v.name === 'kpi');
	if (isOfKpi) checkEveryKpi(name, targets.filter((t) => t.rawSql.includes('$kpi')), valuesOf, range);
	const kpis = isOfKpi ? ['revenue', 'win_rate'] : [undefined];
	const scenarios = scenariosOf(filters, lang).flatMap(([scenario, chosen]) => (scenario === 'all' ? kpis : kpis.slice(0, 1)).map((kpi) => {
		const values = valuesOf(chosen, kpi);
		return {
			what: [`${name}, ${scenario}`, kpi].filter((part) => part !== undefined).join(', '), scenario, lang, panels, targets, sqls: targets.map((t) => expand(t.rawSql, values, range)),
			scope: scopeOf(chosen), chosen, grain: values.grain, range, points: scenario === 'all' ? 24 : 3,
		};
	}));
	runEach(scenarios.map(({ sqls }) => sqls)).forEach((results, i) => { scenarios[i].results = results; });
	const comparisons = scenarios.map((shown) => (lang === 'en' || shown.scenario !== 'all' ? comparisonsOf(shown) : []));
	const found = runEach(comparisons.map((list) => list.map(({ sql }) => sql)));
	scenarios.forEach((shown, i) => {
		ok(frameFaults(shown), `${shown.what}: ${targets.length} queries give frames`);
		if (shown.results.some((r) => r.rows === null)) return;
		if (shown.scenario === 'all') {
			noteTimes(shown);
			ok(emptyPanels(shown), `${shown.what}: no panel is empty`);
			ok([...dashboard.links.filter((l) => !l.includeVars || !l.keepTime).map((l) => `"${l.title}" loses variables or the time range`),
				...panels.flatMap((panel) => linkFaults(dashboard, panel, shown.results.filter((_, j) => targets[j].panel === panel)))], `${shown.what}: links lead to dashboards and variables that there are`);
		}
		checkImpossible(shown);
		compared += checkNumbers(shown, comparisons[i], found[i]);
	});
	note(`${name}: ${compared} numbers compared`);
};

for (const lang of ['en', 'de']) {
	for (const dashboard of Object.values(directoryOf).filter((d) => d.tags.includes(`salkpi-${lang}`)))
		check(lang, dashboard);
	const rules = JSON.parse(readFileSync(`${directory}/${lang}/alerts.yaml`, 'utf8')).groups.flatMap((g) => g.rules);
	ok(run(rules.map((rule) => rule.data[0].model.rawSql)).flatMap((r, i) => (r.rows === null ? errorOf(rules[i].data[0].model.rawSql) : r.rows.length === 1 ? frameFault(r, 'time_series') ?? [] : `${rules[i].uid}: ${r.rows.length} rows`)),
		`${lang}: ${rules.length} alerts are time series`);
}
reportTimes(50);
console.log(`1..${n}`);
process.exit(failed === 0 ? 0 : 1);
