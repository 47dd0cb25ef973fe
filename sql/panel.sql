--
-- Panels hold what a state holds in some periods; facts are what panels make
-- together.  Expected values are computed from the rows, in plain SQL.
--
SET search_path = kpi, public;
CREATE TEMP TABLE deal AS
SELECT i, date '2026-01-01' + (i * 37 % 120) AS day, (ARRAY['a', 'b+c', 'd\e', NULL, ''])[1 + i * 7 % 5] AS rep, (ARRAY['north', 'south', NULL])[1 + i % 3] AS region,
	(i * 7919 % 10000 - 2000)::numeric / 100 AS amount, (i * 31 % 50)::text AS customer, (i * 13 % 90 * 86400000000)::bigint AS took, (ARRAY[NULL, 'USD', 'XXX'])[1 + i * 11 % 3] AS currency
FROM generate_series(1, 3000) i;
CREATE TEMP TABLE period AS
SELECT row_number() OVER (ORDER BY f, l)::integer AS n, f, l FROM (VALUES (1, 31), (32, 59), (60, 90), (91, 120), (1, 90), (NULL, NULL)) v(f, l);
CREATE TEMP TABLE cube AS
SELECT kpi_cube(ARRAY(SELECT date '2026-01-01' + d FROM generate_series(0, 120) d ORDER BY d), 'region=2;region+rep=2,1;rep=1;total / c=2 m=1 e=1 f=1 d=1', day,
	rep, region, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, amount > 0, region IS NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	amount, NULL, NULL, NULL, NULL, NULL, customer, NULL, customer, amount < 0, took) AS cube
FROM deal;
CREATE TEMP TABLE asked AS SELECT array_agg(f ORDER BY n) AS f, array_agg(l ORDER BY n) AS l FROM period;
-- The same as kpi_cells lists.
SELECT count(*) FROM (
	SELECT dimension, members, period, integers, numerics FROM cube, asked, kpi_panel_rows(kpi_panel(cube, f, l))
	EXCEPT
	SELECT dimension, members, period, counts || distincts || firsts || firsts_flagged, sums FROM cube, asked, kpi_cells(cube, f, l)) e;
SELECT (SELECT count(*) FROM cube, asked, kpi_panel_rows(kpi_panel(cube, f, l))) = count(*) AS as_many, count(*) >= 100 AS enough FROM cube, asked, kpi_cells(cube, f, l);
SELECT kpi_panel(NULL::kpi_cube, '{1}', '{1}') IS NULL AS nothing, (SELECT count(*) FROM cube, kpi_panel_rows(kpi_panel(cube, '{}', '{}'))) AS no_periods;
-- Facts of it, by name of the member, against the rows.
CREATE TEMP TABLE fact AS
SELECT f.* FROM kpi_facts((SELECT array_agg(ROW(kpi_panel(cube, f, l), '{2,NULL,3,NULL,NULL,1,4}')::kpi_measured) FROM cube, asked))
	f(n integer, dimension text, member text, amount numeric, positive bigint, customers bigint, took kpi_durations);
CREATE TEMP TABLE member AS
SELECT d.*, coalesce(nullif(rep, ''), '(none)') AS r, coalesce(region, '(none)') AS g FROM deal d;
WITH expected AS (
	SELECT n, v.dimension, v.member, sum(amount) AS amount, count(*) FILTER (WHERE amount > 0) AS positive, count(DISTINCT customer) AS customers,
		round(avg(took) / 86400000000, 6) AS mean
	FROM member, period, LATERAL (VALUES ('total', ''), ('rep', r), ('region', g),
		('region+rep', replace(replace(g, '\', '\\'), '+', '\+') || '+' || replace(replace(r, '\', '\\'), '+', '\+'))) v(dimension, member)
	WHERE day >= date '2026-01-01' + f - 1 AND day < date '2026-01-01' + l
	GROUP BY 1, 2, 3
), got AS (
	SELECT n, dimension, member, amount, positive, customers, round(kpi_mean(took), 6) AS mean FROM fact
)
SELECT (SELECT count(*) FROM (SELECT * FROM expected EXCEPT SELECT * FROM got) e) AS missing,
	(SELECT count(*) FROM (SELECT * FROM got EXCEPT SELECT * FROM expected) e WHERE (positive, customers) <> (0, 0)) AS too_many,
	(SELECT count(*) FROM expected) > 40 AS enough;
-- Money in currencies: at the rate of each period's instant, and left out before the first.
CREATE TEMP TABLE stock AS
SELECT kpi_stock(ARRAY[timestamptz '2026-02-01', '2026-03-01', '2026-04-01'], 'rep=1,10;total=10 / c=1 m=1', day::timestamptz, NULL,
	rep, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, currency, true, NULL, NULL, NULL, amount, NULL, NULL, NULL) AS cube
FROM deal;
CREATE TEMP TABLE rate AS SELECT * FROM (VALUES ('USD', timestamptz '2026-02-15', '0.9'), ('USD', '2026-03-20', '0.8'), ('XXX', '2026-03-01', '2')) v(currency, since, rate);
WITH got AS (
	SELECT f.* FROM kpi_facts((SELECT array_agg(ROW(kpi_panel(cube, '{1,2,3}', '{1,2,3}', (SELECT kpi_dictionary(currency, since, NULL, rate::numeric, NULL, NULL, NULL, NULL) FROM rate),
			ARRAY[timestamptz '2026-02-01', '2026-03-01', '2026-04-01']), '{2,1}')::kpi_measured) FROM stock)) f(n integer, dimension text, member text, amount numeric, deals bigint)
), expected AS (
	SELECT n, dimension, member, sum(amount * coalesce(rate::numeric, 1)) AS amount, count(*) AS deals
	FROM (VALUES (1, timestamptz '2026-02-01'), (2, '2026-03-01'), (3, '2026-04-01')) p(n, at)
	JOIN member ON day < at
	LEFT JOIN LATERAL (SELECT r.rate FROM rate r WHERE r.currency = member.currency AND since <= at ORDER BY since DESC LIMIT 1) r ON true,
		LATERAL (VALUES ('total', ''), ('rep', r)) v(dimension, member)
	WHERE member.currency IS NULL OR rate IS NOT NULL
	GROUP BY 1, 2, 3
)
SELECT (SELECT count(*) FROM (SELECT * FROM expected EXCEPT SELECT * FROM got) e) AS missing, (SELECT count(*) FROM (SELECT * FROM got EXCEPT SELECT * FROM expected) e) AS too_many,
	(SELECT count(*) FROM expected) AS facts;
-- Panels of rows; what several say adds up; who has nothing has 0 where the blank member is known, else NULL.
WITH row_panel AS (
	SELECT kpi_panel(dimension, members, period, integers, numerics ORDER BY dimension COLLATE "C", members) AS panel
	FROM (VALUES ('rep', '{(none)}'::text[], 1, '{0}'::bigint[], '{0.00}'::numeric[]), ('rep', '{x}', 1, '{3}', '{1.5}'), ('total', '{}', 1, '{3}', '{1.5}'),
		('rep', '{x}', 2, '{4}', '{7}')) v(dimension, members, period, integers, numerics)
), other AS (
	SELECT kpi_panel(dimension, members, period, integers, numerics ORDER BY dimension COLLATE "C", members) AS panel
	FROM (VALUES ('rep', '{(none)}'::text[], 1, '{1}'::bigint[], '{}'::numeric[]), ('rep', '{y}', 1, '{5}', '{}'), ('team', '{(none)}', 1, '{0}', '{}')) v(dimension, members, period, integers, numerics)
)
SELECT f.* FROM row_panel r, other o, kpi_facts(ARRAY[ROW(r.panel, '{1,2}'), ROW(r.panel, '{1,NULL}'), ROW(o.panel, '{3}'), NULL]::kpi_measured[])
	f(n integer, dimension text, member text, deals bigint, value numeric, calls bigint)
ORDER BY dimension COLLATE "C", n, member COLLATE "C";
-- What is refused.
SELECT '(1 bytes)'::kpi_panel;
SELECT kpi_panel('rep', '{a}', 1, '{1}', NULL);
SELECT kpi_panel('rep', '{a}', 1, '{NULL}', '{}');
SELECT kpi_panel('rep', '{a}', 0, '{1}', '{}');
SELECT kpi_panel('rep', '{a}', i, array_fill(1::bigint, ARRAY[i]), '{}') FROM generate_series(1, 2) i;
CREATE TEMP TABLE small AS SELECT kpi_panel('rep', '{(none)}', 1, '{1}', '{2}') AS panel;
SELECT f.* FROM small, kpi_facts(ARRAY[ROW(panel, '{1}')]::kpi_measured[]) f(n integer, dimension text, member text, a bigint);
SELECT f.* FROM small, kpi_facts(ARRAY[ROW(panel, '{2,1}')]::kpi_measured[]) f(n integer, dimension text, member text, a bigint, b numeric);
SELECT f.* FROM small, kpi_facts(ARRAY[ROW(panel, '{1,3}')]::kpi_measured[]) f(n integer, dimension text, member text, a bigint, b numeric);
SELECT f.* FROM small, kpi_facts(ARRAY[ROW(panel, '{1,2}')]::kpi_measured[]) f(n integer, dimension text, member text, a bigint, b text);
SELECT f.* FROM small, kpi_facts(ARRAY[ROW(panel, '{1,2}')]::kpi_measured[]) f(n integer, dimension text);
SELECT kpi_panel(cube, '{1}', '{1}', NULL, '{}') FROM stock;
SELECT * FROM kpi_new_facts(0);	-- there are some for the statement that has compared facts only
SELECT count(*) FROM kpi_new_facts(NULL);
SELECT * FROM kpi_changed_facts('{}', NULL, '{}', '{}', '{}', NULL, '{member_count}', now(), 1);
SELECT * FROM kpi_changed_facts('{}', NULL, '{}', '{}', '{}', NULL, NULL, now(), 1);
SELECT * FROM kpi_changed_facts('{}', NULL, '{}', '{}', '{}', NULL, '{run}', now(), 1);
-- Facts that nobody asks for are gone with the statement, also where they do not fit in memory.
SET work_mem = '64kB';
WITH period AS (
	SELECT array_agg(ROW('month', date '2030-01-01', date '2030-02-01', true, 31, NULL, NULL)::kpi_period) AS periods
), panel AS (
	SELECT kpi_panel('total', ARRAY[repeat('x', 100) || i], 1, ARRAY[i::bigint], '{}' ORDER BY repeat('x', 100) || i) AS panel FROM generate_series(1, 5000) i
)
SELECT sum(c.added) AS added, count(c.new_facts) AS numbers, count(c.replaces[1]) AS replaced
FROM period, panel, kpi_changed_facts('{}', ARRAY[ROW(panel, '{1}')]::kpi_measured[], '{total}', '{(none)}', periods, NULL, '{purchases}', now(), 1) c;
RESET work_mem;
SELECT * FROM kpi_new_facts(1);
