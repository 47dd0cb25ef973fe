-- kpi_stage_events: the way of an opportunity through the stages, on random
-- histories against plain SQL (window functions over all of them).
SET search_path = kpi, public;
SET timezone = 'Europe/Berlin';
SET datestyle = 'ISO';
SET client_min_messages = warning;

-- By hand: it skips Demo, goes back, comes again, and is won.
CREATE FUNCTION events(steps kpi_step[], closed_at timestamptz DEFAULT NULL, is_won boolean DEFAULT false)
RETURNS TABLE (what text, stage text, since timestamptz, at timestamptz, advanced boolean, by_closing boolean, keys text[]) LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN e.entered THEN 'entered' ELSE 'left' END, e.stage, e.since, e.at, e.advanced, e.by_closing, e.keys
	FROM unnest(kpi.kpi_stage_events(steps, '{New,Demo,Offer,Won,Lost,Talks}', '{1,2,3,9,10,NULL}', '{open,open,open,won,lost,open}', closed_at, is_won)) e
	ORDER BY e.entered DESC, e.at, e.stage COLLATE "C"
$$;
SELECT what, stage, since::date, at::date, advanced, by_closing, keys FROM events(ARRAY[
	('2025-01-21', '2025-02-01', 'New', NULL, '{b}'), ('2025-02-01', NULL, 'Talks', NULL, NULL), ('2025-01-01', '2025-01-11', 'New', NULL, '{a}'),
	('2025-01-11', '2025-01-21', 'Offer', 'open', '{NULL}')]::kpi_step[], '2025-03-01', true);
SELECT what, stage, since::date, at::date, advanced, by_closing, keys FROM events(ARRAY[('2025-01-01', NULL, 'Demo', NULL, '{a}')]::kpi_step[], '2025-03-01', true);
SELECT what, stage, at::date, advanced FROM events(ARRAY[('2025-01-01', NULL, 'Won', NULL, '{a}'), ('2024-12-01', NULL, 'Elsewhere', NULL, '{a}')]::kpi_step[], NULL, true);
SELECT what, stage, since::date, at::date, keys FROM events(ARRAY[('2025-01-01', '2025-01-05', 'New', NULL, '{a}'), ('2025-01-05', NULL, 'New', NULL, '{b}')]::kpi_step[], '2025-03-01');
SELECT count(*) AS nothing FROM events(ARRAY[NULL, (NULL, NULL, 'New', NULL, NULL), ('2025-01-01', NULL, 'Lost', NULL, NULL), ('2025-01-01', NULL, '', NULL, NULL), ('2025-01-02', NULL, NULL, NULL, NULL)]::kpi_step[], '2025-02-01');
SELECT kpi_stage_events('{}', '{}', '{}', '{}', NULL, NULL) AS no_rows, kpi_stage_events(NULL, '{}', '{}', '{}', NULL, NULL) IS NULL AS unknown, kpi_stage_events('{}', NULL, '{}', '{}', NULL, NULL) IS NULL AS no_stages;
SELECT kpi_stage_events('{}', '{New}', '{}', '{open}', NULL, NULL);

-- At random: few instants and few stages, so that rows begin and end together,
-- overlap, leave gaps, and say the same twice.
CREATE FUNCTION h(salt text, n integer, size integer) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN mod(('x' || substr(md5(salt || '/' || n), 1, 7))::bit(28)::integer, size);
CREATE TABLE stage AS SELECT * FROM (VALUES ('A', 1, 'open'), ('B', 2, 'open'), ('C', 2, 'open'), ('D', 3, 'open'), ('E', NULL, 'open'), ('W', 4, 'won'), ('F', 5, 'open'), ('L', 0, 'lost')) v(name, "position", outcome);
CREATE TABLE deal AS
SELECT id, CASE h('closed', id, 3) WHEN 0 THEN timestamptz '2025-01-01' + h('day', id, 30) * interval '1 day' END AS closed_at, CASE h('won', id, 4) WHEN 0 THEN NULL WHEN 1 THEN true ELSE false END AS is_won
FROM generate_series(1, 2000) id;
CREATE TABLE history AS
SELECT n, 1 + n % 2000 AS id, timestamptz '2025-01-01' + h('from', n, 20) * interval '1 day' AS valid_from,
	CASE WHEN h('open', n, 3) > 0 THEN timestamptz '2025-01-01' + (h('from', n, 20) + h('to', n, 8)) * interval '1 day' WHEN h('ever', n, 20) = 0 THEN 'infinity' END AS valid_to,
	(ARRAY['A', 'B', 'C', 'D', 'E', 'F', 'W', 'L', 'stranger', 'other', '', NULL, 'A', 'B', 'D'])[1 + h('stage', n, 15)] AS stage,
	(ARRAY['open', 'won', 'lost'])[1 + h('status', n, 20)] AS status,
	(ARRAY['r', 's', NULL])[1 + h('rep', n, 3)] AS rep, (ARRAY['x', 'y'])[1 + h('team', n, 3)] AS team
FROM generate_series(1, 12000) n;
CREATE TABLE expected AS
WITH row_of AS (
	SELECT w.*, CASE outcome WHEN 'open' THEN nullif(stage, '') END AS place, CASE outcome WHEN 'won' THEN 'Infinity' ELSE "position"::numeric END AS level
	FROM (SELECT y.*, s."position", coalesce(y.status, s.outcome, 'open') AS outcome FROM history y LEFT JOIN stage s ON s.name = y.stage) w
), ended AS (
	SELECT *, least(valid_to, lead(valid_from) OVER own) AS until, row_number() OVER own AS n_own
	FROM row_of
	WINDOW own AS (PARTITION BY id ORDER BY valid_from, valid_to, outcome = 'won', level, place COLLATE "C", rep COLLATE "C", team COLLATE "C", array_position('{open,won,lost}', outcome))
), reached AS (
	SELECT *, max(level) OVER (PARTITION BY id) AS highest,
		max(level) OVER (PARTITION BY id ORDER BY at, (level = 'Infinity') IS TRUE, level, place COLLATE "C", rep COLLATE "C", team COLLATE "C" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
	FROM (SELECT id, valid_from AS at, place, level, rep, team, false AS by_closing FROM ended WHERE outcome <> 'lost'
		UNION ALL
		SELECT id, closed_at, NULL, 'Infinity', NULL, NULL, true FROM deal WHERE is_won AND closed_at IS NOT NULL AND id IN (SELECT id FROM history)) x
), entry AS (
	SELECT DISTINCT ON (id, s.name COLLATE "C") r.*, s.name, (r.highest > s.level) IS TRUE OR (r.highest = 'Infinity') IS TRUE OR d.is_won IS TRUE AS advanced
	FROM reached r
	JOIN deal d USING (id),
		LATERAL (SELECT r.place, r.level WHERE r.place IS NOT NULL
			UNION ALL
			SELECT x.name, x."position" FROM stage x WHERE x.outcome = 'open' AND x."position" < r.level AND (x."position" < r.before) IS NOT TRUE) s(name, level)
	WHERE (r.level < r.before) IS NOT TRUE
	ORDER BY id, s.name COLLATE "C", at, (r.level = 'Infinity') IS TRUE, r.level, place COLLATE "C", rep COLLATE "C", team COLLATE "C", by_closing
), begun AS (
	SELECT *, (place IS NOT NULL AND lag(place) OVER own = place AND valid_from <= lag(until) OVER own) IS NOT TRUE AS starts
	FROM ended
	WINDOW own AS (PARTITION BY id ORDER BY n_own)
), stay AS (
	SELECT *, max(valid_from) FILTER (WHERE starts) OVER (own ROWS UNBOUNDED PRECEDING) AS since, coalesce(lead(starts) OVER own, true) AS ends
	FROM begun
	WINDOW own AS (PARTITION BY id ORDER BY n_own)
)
SELECT id, true AS entered, name AS stage, at AS since, at, advanced, by_closing, rep, team FROM entry
UNION ALL
SELECT s.id, false, s.place, s.since, least(s.until, d.closed_at), false, (d.closed_at < s.until) IS TRUE OR s.until IS NULL, s.rep, s.team
FROM stay s JOIN deal d USING (id)
WHERE s.ends AND s.place IS NOT NULL AND least(s.until, d.closed_at) IS NOT NULL;
CREATE FUNCTION found(direction integer) RETURNS TABLE (id integer, entered boolean, stage text, since timestamptz, at timestamptz, advanced boolean, by_closing boolean, rep text, team text)
LANGUAGE sql STABLE AS $$
	SELECT w.id, e.entered, e.stage, e.since, e.at, e.advanced, e.by_closing, e.keys[1], e.keys[2]
	FROM (SELECT y.id, array_agg(ROW(y.valid_from, y.valid_to, y.stage, y.status, ARRAY[y.rep, y.team])::kpi.kpi_step ORDER BY y.n * direction) AS steps FROM kpi.history y GROUP BY y.id) w
	JOIN kpi.deal d USING (id),
		unnest(kpi.kpi_stage_events(w.steps, (SELECT array_agg(s.name ORDER BY s.name) FROM kpi.stage s), (SELECT array_agg(s."position"::bigint ORDER BY s.name) FROM kpi.stage s),
			(SELECT array_agg(s.outcome ORDER BY s.name) FROM kpi.stage s), d.closed_at, d.is_won)) e
$$;
SELECT count(*) > 10000 AS many, count(*) FILTER (WHERE entered AND by_closing) > 100 AS passed_by_closing, count(*) FILTER (WHERE NOT entered AND by_closing) > 100 AS ended_by_closing,
	count(*) FILTER (WHERE NOT entered AND at > since + interval '8 days') > 100 AS long_stays, count(*) FILTER (WHERE stage = 'stranger') > 100 AS strangers FROM expected;
SELECT direction, (SELECT count(*) FROM (SELECT * FROM found(direction) EXCEPT ALL TABLE expected) d) AS only_found,
	(SELECT count(*) FROM (TABLE expected EXCEPT ALL SELECT * FROM found(direction)) d) AS only_expected
FROM unnest('{1,-1}'::integer[]) direction ORDER BY direction;

-- What is given for the stages may change from call to call.
SELECT o.outcome, e.stage FROM unnest('{open,won}'::text[]) WITH ORDINALITY o(outcome, n),
	unnest(kpi_stage_events(ARRAY[('2025-01-01', NULL, 'B', NULL, NULL)]::kpi_step[], '{A,B}', '{1,2}', ARRAY['open', o.outcome], NULL, NULL)) e
ORDER BY o.n, e.stage;

SELECT kpi_microseconds('2025-01-01 00:00+00', '2025-01-02 00:00:00.000001+00') AS later, kpi_microseconds('2025-01-01 00:00:01+00', '2025-01-01 00:00+00') AS earlier,
	kpi_microseconds('-infinity', now()) AS ever, kpi_microseconds(now(), 'infinity') AS until_ever;
SELECT kpi_microseconds('4713-01-01 00:00+00 BC', '294276-12-31 00:00+00');

DROP FUNCTION found(integer), events(kpi_step[], timestamptz, boolean), h(text, integer, integer);
DROP TABLE stage, deal, history, expected;
