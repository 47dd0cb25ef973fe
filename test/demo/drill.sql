/*
 * The rows behind a number add up to it: every measure, of the total, of the
 * member that sold most in each of some dimensions, and of the unknown one, in
 * months, quarters and years, running ones among them.
 */
CREATE TEMP TABLE defined AS
SELECT kpi_define('everything', (SELECT string_agg(DISTINCT CASE slot WHEN 'duration' THEN format('mean(%s)', measure) ELSE measure END, ' + ') FROM kpi_measure),
	'count', 'up', 'Everything');

CREATE TEMP TABLE scope AS
SELECT DISTINCT ON (s.grain, s.is_complete, s.dimension, s.is_unknown) f.grain, f.period, f.dimension, f.member
FROM (VALUES ('month', true, 'total', true), ('month', false, 'total', true), ('quarter', true, 'rep', false), ('year', false, 'team', false),
		('month', true, 'team', true), ('month', false, 'segment', true), ('quarter', true, 'rep+stage', false),
		('month', true, 'plan', false)) AS s(grain, is_complete, dimension, is_unknown)
	JOIN kpi_fact AS f USING (grain, is_complete, dimension)
WHERE f.superseded_at IS NULL AND (f.member = kpi_blank_member(f.dimension)) = s.is_unknown
ORDER BY s.grain, s.is_complete, s.dimension, s.is_unknown, coalesce(f.revenue, f.mrr, f.pipeline_value) DESC NULLS LAST, f.period DESC, f.member;

/* Of a distribution, which is no number, the durations in microseconds. */
CREATE TEMP TABLE drilled AS
SELECT s.grain, s.period, s.dimension, s.member, d.measure, CASE WHEN m.slot <> 'duration' THEN trim_scale(sum(d.amount))::text
	ELSE array_agg(round(d.amount * 86400000000) ORDER BY d.amount)::text END AS value
FROM scope AS s
	CROSS JOIN LATERAL kpi_drill('everything', s.period, s.dimension, s.member, s.grain) AS d
	JOIN (SELECT DISTINCT measure, slot FROM kpi_measure) AS m ON m.measure = d.measure
GROUP BY s.grain, s.period, s.dimension, s.member, d.measure, m.slot;

SELECT pg_temp.same('the rows behind a number add up to it', $q$
	SELECT * FROM drilled WHERE value <> '0'$q$, $q$
	SELECT grain, period, dimension, member, v.key, CASE WHEN m.slot <> 'duration' THEN trim_scale(v.value::numeric)::text ELSE (
		SELECT array_agg(split_part(one, '*', 1)::numeric ORDER BY split_part(one, '*', 1)::numeric)::text
		FROM unnest(string_to_array(trim('{}' FROM substr(v.value, 3)), ',')) AS one,
			generate_series(1, coalesce(nullif(split_part(one, '*', 2), ''), '1')::integer)) END
	FROM scope
		JOIN kpi_fact AS f USING (grain, period, dimension, member)
		CROSS JOIN LATERAL jsonb_each_text(to_jsonb(f)) AS v
		JOIN (SELECT DISTINCT measure, slot FROM kpi_measure) AS m ON m.measure = v.key
	WHERE f.superseded_at IS NULL AND v.value <> '1:{}' AND (m.slot = 'duration' OR v.value::numeric <> 0)$q$);

SELECT pg_temp.same('each measure was drilled into', 'SELECT DISTINCT measure FROM drilled', $q$
	SELECT DISTINCT v.key FROM scope
		JOIN kpi_fact AS f USING (grain, period, dimension, member)
		CROSS JOIN LATERAL jsonb_each_text(to_jsonb(f)) AS v
	WHERE f.superseded_at IS NULL AND v.key IN (SELECT measure FROM kpi_measure) AND v.value !~ '^(0(\.0*)?|1:{})$'$q$);

/* Of a distribution the sum is as near as its rounded mean. */
SELECT pg_temp.same('what the facts say a number is made of is what its rows add up to', $q$
	SELECT s.grain, s.period, s.dimension, s.member, m.measure, m.from_day, m.to_day, trim_scale(round(m.amount, 6))
	FROM scope AS s CROSS JOIN LATERAL kpi_made_of('everything', s.period, s.dimension, s.member, s.grain) AS m$q$, $q$
	SELECT s.grain, s.period, s.dimension, s.member, d.measure, d.from_day, d.to_day, trim_scale(round(sum(d.amount), 6))
	FROM scope AS s CROSS JOIN LATERAL kpi_drill('everything', s.period, s.dimension, s.member, s.grain) AS d
	GROUP BY s.grain, s.period, s.dimension, s.member, d.measure, d.from_day, d.to_day HAVING round(sum(d.amount), 6) <> 0$q$);

DELETE FROM kpi_definition_own WHERE kpi = 'everything';
