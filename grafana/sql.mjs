/*
 * sql.mjs - the queries of the dashboards.
 *
 * They follow the data source's rules: the time column is "time", what is shown
 * is numeric, bigint or text, and a variable with several values stands as
 * ARRAY[$name]::text[] (All is NULL).
 *
 * A dashboard filters by several dimensions at once.  kpi_scope says which
 * dimension and members that means; where there is none it says why, and a
 * panel is empty: no filter is ever left out.
 */

/* Days of the time range; it ends with the period that its last second is in. */
export const fromDay = "kpi_day($__timeFrom()::timestamptz)";
export const toDay = "kpi_day($__timeTo()::timestamptz)";
export const lastDay = "kpi_day($__timeTo()::timestamptz - interval '1 second')";

export const dayFormat = (lang) => (lang === 'de' ? "'DD.MM.YYYY'" : "'YYYY-MM-DD'");
export const clock = (instant, lang) => `to_char((${instant}) AT TIME ZONE kpi_setting('time_zone'), ${lang === 'de' ? "'DD.MM.YYYY HH24:MI'" : "'YYYY-MM-DD HH24:MI'"})`;
/* A period by its first month: enough to tell periods of one grain apart. */
export const periodName = (day, lang) => `to_char(${day}, CASE '$grain' WHEN 'year' THEN 'YYYY' WHEN 'quarter' THEN ${lang === 'de' ? "'\"Q\"Q YYYY'" : "'YYYY \"Q\"Q'"} ELSE ${lang === 'de' ? "'MM/YYYY'" : "'YYYY-MM'"} END)`;

/* Display rounds half away from zero; how far depends on the KPI of the row. */
const shown = (column) => `round(${column}, CASE WHEN abs(${column}) >= 1000 OR unit = 'count' THEN 0 WHEN unit IN ('percent', 'days') THEN 1 ELSE 2 END)`;
export const unitOf = (lang) => `CASE unit WHEN 'money' THEN kpi_setting('currency') WHEN 'percent' THEN '%' WHEN 'days' THEN '${lang === 'de' ? 'Tage' : 'days'}' ELSE '' END`;

/* The queries of a dashboard in a language that has variables of the names given as filters. */
export const queriesOf = (lang, filters) => {
	const filterArgument = `jsonb_build_object(${filters.map((f) => `'${f}', ARRAY[$${f}]::text[]`).join(', ')})`;
	const scope = (by) => `kpi_scope(${filterArgument}${by === undefined ? '' : `, '${by}'`}, lang => '${lang}')`;
	/* One row with dimension and members, or none. */
	const within = (by) => `WITH s AS MATERIALIZED (SELECT * FROM ${scope(by)} WHERE reason IS NULL)`;
	/* The same, if there also is a dimension that combines it with the one by which a function lists. */
	const withinBy = (by) => `WITH s AS MATERIALIZED (SELECT a.dimension, a.members, b.dimension AS by_dimension, CASE WHEN cardinality(a.members) = 1 THEN b.members END AS all_members, b.by_members
		FROM ${scope()} a, ${scope(by)} b WHERE a.reason IS NULL AND b.reason IS NULL)`;
	const memberOf = (name) => `s.all_members[array_position(s.by_members, ${name})]`;

	/* A KPI over time, of everything chosen together. */
	const merged = (kpi, name = 'value', sign = '') =>
		`${within()} SELECT m."time", ${sign}m.value AS "${name}"
		   FROM s CROSS JOIN LATERAL kpi_merged_series('${kpi}', ${fromDay}, ${toDay}, '$grain', s.dimension, s.members) m ORDER BY m."time"`;

	/* The same with its target. */
	const mergedWithTarget = (kpi, name, target) =>
		`${within()} SELECT m."time", m.value AS "${name}", m.target AS "${target}"
		   FROM s CROSS JOIN LATERAL kpi_merged_series('${kpi}', ${fromDay}, ${toDay}, '$grain', s.dimension, s.members) m ORDER BY m."time"`;

	/* A KPI over time, a query for each of the members of a dimension that are the largest at the end. */
	const largest = (kpi, by, most) => [...Array(most).keys()].map((i) =>
		`${within(by)} SELECT m."time", m.label, m.value
		   FROM s CROSS JOIN LATERAL (SELECT r.member FROM kpi_ranking('${kpi}', ${lastDay}, s.dimension, '$grain') r
			WHERE r.member = ANY (s.members) AND r.value <> 0 ORDER BY r.rank, r.label LIMIT 1 OFFSET ${i}) c
		  CROSS JOIN LATERAL kpi_series('${kpi}', ${fromDay}, ${toDay}, '$grain', s.dimension, ARRAY[c.member], lang => '${lang}') m ORDER BY m."time"`);

	/* The KPIs of a selection, of everything chosen together. */
	const report = (selection) =>
		`${within()} SELECT number::bigint AS number, r.label, ${shown('r.value')} AS value, ${unitOf(lang)} AS unit, ${shown('target')} AS target, attainment, status, change, trend, r.reason,
		        r.kpi, s.dimension, CASE WHEN cardinality(s.members) = 1 THEN s.members[1] END AS member, d.description_${lang} AS description
		   FROM s CROSS JOIN LATERAL kpi_report(${lastDay}, '$grain', s.dimension, selection => '${selection}', lang => '${lang}', members => s.members) WITH ORDINALITY r
		   LEFT JOIN (SELECT kpi, description_${lang} FROM kpi_definition) d ON d.kpi = r.kpi
		  ORDER BY r.ordinality`;

	/* The members of a dimension ranked by a KPI, with others beside it: a column for each, called as it is. */
	const ranking = (by, kpi, others, condition = 'true') =>
		`${within(by)} SELECT r.rank, r.label, r.value AS ${kpi}, r.share, r.target, r.attainment, r.status, r.change, ${others.map((k) => `a.${k}`).join(', ')}, s.dimension, r.member, m.part AS "${by}"
		   FROM s CROSS JOIN LATERAL kpi_ranking('${kpi}', ${lastDay}, s.dimension, '$grain', lang => '${lang}') r
		   JOIN LATERAL unnest(s.members, s.by_members) m(member, part) ON m.member = r.member
		   LEFT JOIN (SELECT c.member, ${others.map((k) => `max(c.value) FILTER (WHERE c.kpi = '${k}') AS ${k}`).join(', ')}
		                FROM s CROSS JOIN LATERAL kpi_compare('{${others.join(',')}}', ${lastDay}, s.dimension, '$grain', lang => '${lang}') c GROUP BY c.member) a ON a.member = r.member
		  WHERE ${condition} ORDER BY r.rank, r.label`;

	/* What is shown: period, filters, age of the numbers; and why something is not: the filters, or they and what is listed, have no dimension. */
	const subject = (listed) =>
		`SELECT concat_ws(' – ', to_char(p.first_day, ${dayFormat(lang)}), to_char(p.end_day - 1, ${dayFormat(lang)})) AS period, s.label AS scope, concat('${lang === 'de' ? 'Stand' : 'known at'} ', ${clock('now() - kpi_age()', lang)}) AS known,
		        coalesce(s.reason, nullif(concat_ws(' · ', CASE WHEN kpi_midnight(p.end_day) > now() - kpi_age() THEN '${lang === 'de' ? 'Zeitraum läuft noch' : 'period is running'}' END${listed.map((by) => `, (SELECT b.reason FROM ${scope(by)} b)`).join('')}), '')) AS note
		   FROM ${scope()} s
		  CROSS JOIN LATERAL (SELECT kpi_period_start('$grain', ${lastDay}) AS first_day, kpi_period_end('$grain', kpi_period_start('$grain', ${lastDay})) AS end_day) p`;

	return { scope, within, withinBy, memberOf, merged, mergedWithTarget, largest, report, ranking, subject };
};
