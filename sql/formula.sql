-- Formulas: grammar, expansion, reach, exact evaluation.
SET search_path = kpi, public;

-- Rows for the tests below: the current period first.
CREATE TEMP TABLE given AS
SELECT ARRAY[
	jsonb_populate_record(NULL::kpi_fact, '{"days": 31, "revenue": 1200, "direct_cost": 700.50, "won_deals": 4, "lost_deals": 0, "leads": 7}'),
	jsonb_populate_record(NULL::kpi_fact, '{"days": 30, "revenue": 900, "direct_cost": 500.25, "won_deals": 3, "lost_deals": 2, "leads": 0}'),
	jsonb_populate_record(NULL::kpi_fact, '{"days": 28, "revenue": 600, "won_deals": 6, "lost_deals": 1, "leads": 5}'),
	NULL,
	jsonb_populate_record(NULL::kpi_fact, '{"days": 31, "revenue": 300, "won_deals": 1, "lost_deals": 1, "leads": 1}')
] AS facts;

-- ---------- names ----------
SELECT * FROM kpi_formula_names('100 * (revenue - prior(revenue)) / target(revenue) + mean(sales_cycle) - quantile(sales_cycle, .5) + b2 * _x * days() + mean_last(a, 3)');
SELECT * FROM kpi_formula_names('1 + 2');
SELECT count(*) FROM kpi_formula_names(NULL);

-- ---------- grammar errors ----------
SELECT kpi_formula_reach('', 12);
SELECT kpi_formula_reach(' 	', 12);
SELECT kpi_formula_reach('a +', 12);
SELECT kpi_formula_reach('a + * b', 12);
SELECT kpi_formula_reach('+a', 12);
SELECT kpi_formula_reach('(a + b', 12);
SELECT kpi_formula_reach('a + b)', 12);
SELECT kpi_formula_reach('()', 12);
SELECT kpi_formula_reach('a b', 12);
SELECT kpi_formula_reach('a, b', 12);
SELECT kpi_formula_reach('a ^ 2', 12);
SELECT kpi_formula_reach('a; DROP TABLE kpi_fact', 12);
SELECT kpi_formula_reach('ä€ + €', 12);
SELECT kpi_formula_reach('1 + $', 12);
SELECT kpi_formula_reach('"a"', 12);
SELECT kpi_formula_reach('1e3', 12);
SELECT kpi_formula_reach('1.2.3', 12);
SELECT kpi_formula_reach('.', 12);
SELECT kpi_formula_reach('2a', 12);
SELECT kpi_formula_reach('1 + Revenue', 12);
SELECT kpi_formula_reach('PRIOR(revenue)', 12);
SELECT kpi_formula_reach(repeat('n', 64), 12);
SELECT kpi_formula_reach(repeat('1', 1001), 12);

-- functions: unknown, as a name, number and kind of arguments
SELECT kpi_formula_reach('1 + coalesce(a, 0)', 12);
SELECT kpi_formula_reach('pg_sleep(1000)', 12);
SELECT kpi_formula_reach('a / days', 12);
SELECT kpi_formula_reach('target(prior)', 12);
SELECT kpi_formula_reach('prior', 12);
SELECT kpi_formula_reach('prior()', 12);
SELECT kpi_formula_reach('prior(a, b)', 12);
SELECT kpi_formula_reach('prior(a b)', 12);
SELECT kpi_formula_reach('prior(a,', 12);
SELECT kpi_formula_reach('days(1)', 12);
SELECT kpi_formula_reach('least(a)', 12);
SELECT kpi_formula_reach('least(a, b, )', 12);
SELECT kpi_formula_reach('nullif(a, b, c)', 12);
SELECT kpi_formula_reach('sum_last(a)', 12);
SELECT kpi_formula_reach('sum_last(a, b)', 12);
SELECT kpi_formula_reach('sum_last(a, -1)', 12);
SELECT kpi_formula_reach('sum_last(a, 0)', 12);
SELECT kpi_formula_reach('sum_last(a, 1.5)', 12);
SELECT kpi_formula_reach('mean_last(a, 1001)', 12);
SELECT kpi_formula_reach('mean_last(a, 99999999999999999999)', 12);
SELECT kpi_formula_reach('target(a + b)', 12);
SELECT kpi_formula_reach('target(3)', 12);
SELECT kpi_formula_reach('mean(prior(a))', 12);
SELECT kpi_formula_reach('quantile(a)', 12);
SELECT kpi_formula_reach('quantile(a, b)', 12);
SELECT kpi_formula_reach('quantile(a, 1.01)', 12);

-- limits
SELECT kpi_formula_reach(repeat('(', 501) || 'a' || repeat(')', 501), 12);
SELECT kpi_formula_reach(repeat('-', 501) || 'a', 12);
SELECT kpi_formula_reach(repeat('prior(', 501) || 'a' || repeat(')', 501), 12);
SELECT kpi_formula_reach('a' || repeat('+a', 500), 12);
SELECT kpi_formula_reach(repeat(' ', 32768) || 'a', 12);
SELECT kpi_formula_reach(repeat('(', 500) || 'a' || repeat(')', 500), 12) AS parentheses,
	   kpi_formula_reach(repeat('prior(', 499) || 'a' || repeat(')', 499), 12) AS prior,
	   kpi_formula_reach('a' || repeat('+a', 499), 12) AS sum;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT kpi_formula_reach('a +', 12);
SELECT kpi_formula_reach('prior()', 12);
SELECT kpi_formula_reach('A', 12);
SELECT kpi_formula_reach('1x', 12);
SELECT kpi_formula_reach('f(x)', 12);
SELECT kpi_formula_reach('sum_last(a, 0)', 12);
SELECT kpi_formula_reach('quantile(a, 2)', 12);
SELECT kpi_formula_reach(repeat('n', 64), 12);
SELECT kpi_formula_reach(repeat('1', 1001), 12);
SELECT kpi_formula_reach(repeat('-', 501) || 'a', 12);
SELECT kpi_formula_reach(repeat(' ', 32768) || 'a', 12);
\set VERBOSITY default

-- ---------- canonical form ----------
-- Each of these is canonical: expansion without KPIs gives it back.
SELECT f AS changed, kpi_formula_expand(f, '{}', '{}')
FROM unnest(ARRAY[
	'a', '12.50', '0.5', 'a + b', 'a - b - c', 'a - (b - c)', 'a - (b + c)', 'a + (b + c)',
	'a * b / c', 'a / (b * c)', 'a / (b / c)', '(a + b) * c', 'a + b * c', '-a', '- -a', '-(a + b)', '-(a * b)',
	'-a * -b', 'a - -b', 'a / -(b - c)', 'days()', 'prior(a + b)', 'prior(prior(a))', 'year_ago(-a)',
	'sum_last(a - b, 12)', 'mean_last(a, 3)', 'target(a)', 'mean(s)', 'quantile(s, 0.90)',
	'least(a, b, c + d)', 'greatest(a, -b)', 'nullif(a, 0)'
]) f
WHERE kpi_formula_expand(f, '{}', '{}') IS DISTINCT FROM f;

SELECT kpi_formula_expand(f, '{}', '{}')
FROM unnest(ARRAY['((a))+(b*c)', ' ( a-b )-c', '(a*b)/c', '--a', 'a--b', '-(-a)', '(-a)*b', '-(a)', 'a*(-b)', '007 + .5+1.',
	E'least(a,\n\tb)', 'sum_last((a),03)', 'prior((a+b))', 'days( )', 'quantile(s,.5)']) WITH ORDINALITY AS u(f, i)
ORDER BY i;

-- ---------- expansion ----------
CREATE TEMP TABLE kpi (kpi text, formula text);
INSERT INTO kpi VALUES
	('revenue', 'revenue'),
	('sales', 'revenue'),
	('margin', '100 * (revenue - direct_cost) / revenue'),
	('profit', 'revenue - direct_cost'),
	('profit_per_deal', 'profit / won_deals'),
	('growth', '(sales - prior(sales)) / prior(sales)'),
	('smooth', 'mean_last(growth, 3)'),
	('attainment', '100 * sales / target(sales)'),
	('cycle', 'mean(cycle)');

SELECT f, kpi_formula_expand(f, (SELECT array_agg(kpi) FROM kpi), (SELECT array_agg(formula) FROM kpi)) AS expanded
FROM unnest(ARRAY['revenue', 'sales', 'leads', 'profit', 'profit * 2', '2 - profit', 'profit - 2', '1 / profit_per_deal', 'growth', '-growth',
	'smooth', 'prior(prior(profit))', 'attainment', 'target(profit)', 'mean(profit)', 'cycle', 'quantile(profit, 0.5)', 'least(profit, margin)'])
	WITH ORDINALITY AS u(f, i)
ORDER BY i;

SELECT kpi_formula_expand('a + b', '{a,b}', '{c,"c * 2"}') AS shared,
	   kpi_formula_expand('a', '{a,b}', '{b,b}') AS own_name,
	   kpi_formula_expand('x', '{bad}', '{"+"}') AS unused_is_not_parsed,
	   kpi_formula_expand(NULL, '{}', '{}') IS NULL AND kpi_formula_expand('a', NULL, '{}') IS NULL AS strict;

-- cycles
SELECT kpi_formula_expand('a', '{a}', '{a + 1}');
SELECT kpi_formula_expand('1 + x', '{a,b,c,x}', '{b + 1,prior(c),2 * a,a}');
SELECT kpi_formula_expand('a', '{a,b}', '{b,a}');
SELECT kpi_formula_expand('a', '{a}', '{prior(a)}');
SELECT kpi_formula_expand('a + b', '{a,b}', '{a / target(a),b}');
-- neither a target nor a distribution is one
SELECT kpi_formula_expand('a + b', '{a,b}', '{x / target(a),mean(b)}');

-- other errors
SELECT kpi_formula_expand('1 + a', '{a}', '{1 + + 2}');
SELECT kpi_formula_expand('a', '{a,b}', '{1}');
SELECT kpi_formula_expand('a', '{a,a}', '{1,2}');
SELECT kpi_formula_expand('a', '{a,NULL}', '{1,2}');
SELECT kpi_formula_expand('a', '{a,b}', '{1,NULL}');
SELECT kpi_formula_expand('a', '{{a,b}}', '{{1,2}}');
-- forty doublings: a trillion names
SELECT kpi_formula_expand('k40', array_agg('k' || i), array_agg(format('k%s + k%s', i - 1, i - 1))) FROM generate_series(1, 40) i;
-- a chain of 600
SELECT kpi_formula_expand('k600', array_agg('k' || i), array_agg(format('1 + k%s', i - 1))) FROM generate_series(1, 600) i;
\set VERBOSITY sqlstate
SELECT kpi_formula_expand('a', '{a,b}', '{b,a}');
SELECT kpi_formula_expand('a', '{a,a}', '{1,2}');
SELECT kpi_formula_expand('a', '{a,NULL}', '{1,2}');
SELECT kpi_formula_expand('k40', array_agg('k' || i), array_agg(format('k%s + k%s', i - 1, i - 1))) FROM generate_series(1, 40) i;
SELECT kpi_formula_expand('k600', array_agg('k' || i), array_agg(format('1 + k%s', i - 1))) FROM generate_series(1, 600) i;
\set VERBOSITY default

-- ---------- reach ----------
SELECT f, kpi_formula_reach(f, 12) AS reach, expected, kpi_formula_reach(f, 12) = expected AS ok
FROM (VALUES ('a', 0), ('1', 0), ('days()', 0), ('prior(a)', 1), ('prior(prior(a))', 2), ('year_ago(a)', 12), ('year_ago(prior(a))', 13),
	('a - prior(a) + year_ago(b)', 12), ('sum_last(a, 1)', 0), ('sum_last(a, 12)', 11), ('mean_last(a, 3)', 2),
	('sum_last(prior(a), 12)', 12), ('prior(sum_last(a, 12))', 12), ('sum_last(mean_last(a, 3), 12)', 13), ('year_ago(sum_last(a, 1000))', 1011),
	('prior(mean(s))', 1), ('prior(quantile(s, 0.5))', 1), ('prior(days())', 1), ('prior(1)', 0), ('prior(target(a))', 0), ('sum_last(1, 5)', 4),
	('least(a, prior(b), c)', 1), ('-prior(a) / prior(prior(b))', 2)) v(f, expected);
SELECT kpi_formula_reach('year_ago(a)', 4) AS quarters, kpi_formula_reach('year_ago(a)', 1) AS years, kpi_formula_reach('year_ago(a)', NULL) AS unknown;
SELECT kpi_formula_reach('a', 0);
SELECT kpi_formula_reach('a', 1001);

-- ---------- evaluation: precedence and values against plain SQL ----------
CREATE TEMP TABLE arithmetic (i integer GENERATED ALWAYS AS IDENTITY, f text);
INSERT INTO arithmetic (f) VALUES
	('2 + 3 * 4'), ('(2 + 3) * 4'), ('10 - 4 - 3'), ('10 - (4 - 3)'), ('2 - 3 + 4'), ('64.0 / 4 / 2'), ('64.0 / (4 / 2.0)'), ('64.0 / 4 * 2'),
	('3 * 64.0 / 4'), ('-2 * 3'), ('-2 - -3'), ('- -2'), ('-(2 + 3)'), ('2 * -3'), ('1.50 + 2'), ('0.1 + 0.2'), ('1.10 * 1.10'), ('-0.5 * -0.5'),
	('least(3, 1.5, 2)'), ('greatest(3, 1.5, 2)'), ('least(-1, 1)'), ('nullif(3, 4)'), ('least(1.0 / 4, 1.0 / 2)'),
	('1 - 2 * 3 - 4 * (5 - 6) / 8.0'), ('12345678901234567890 * 98765432109876543210 + 0.00000000000000000001');
SELECT format('SELECT %L AS formula, e.value, e.value = (%s)::numeric AS as_in_sql FROM kpi_evaluate(%L, NULL, 12, NULL, NULL) e', f, f, f)
FROM arithmetic ORDER BY i \gexec

-- ---------- exactness ----------
-- Values worked out by hand or with long division.
SELECT f, e.*, e.value::text = expected AS ok
FROM (VALUES
	(1, '1 / 3 * 3', '1.0000000000000000'),
	(2, '1 / 3 + 1 / 3 + 1 / 3', '1.0000000000000000'),
	(3, '1 / 3 - 1 / 3', '0.0000000000000000'),
	(4, '2 / 3', '0.6666666666666667'),
	(5, '-2 / 3', '-0.6666666666666667'),
	(6, '2 / -3', '-0.6666666666666667'),
	(7, '-2 / -3', '0.6666666666666667'),
	-- numeric's own division stops at 12 decimals here
	(8, '2000000 / 3', '666666.6666666666666667'),
	-- rounded to 20 decimals first, this would be 0.00000000000000005 and then round up
	(9, '4999999999999999999999999 / 100000000000000000000000000000000000000000', '0.0000000000000000'),
	(10, '1 + 4999999999999999999999999 / 100000000000000000000000000000000000000000', '1.0000000000000000'),
	-- half goes away from zero
	(11, '5 / 100000000000000000', '0.0000000000000001'),
	(12, '-5 / 100000000000000000', '-0.0000000000000001'),
	(13, '15 / 100000000000000000', '0.0000000000000002'),
	(14, '25 / 100000000000000000', '0.0000000000000003'),
	(15, '4.9999999 / 100000000000000000', '0.0000000000000000'),
	(16, '5.0000001 / 100000000000000000', '0.0000000000000001'),
	(17, '0 / 7', '0.0000000000000000'),
	-- plain values are not rounded
	(18, '0.12345678901234567890 * 2', '0.24691357802469135780'),
	(19, '0.00000000000000000001', '0.00000000000000000001'),
	-- a ratio stays one although its denominator is 1
	(20, '7 / 1', '7.0000000000000000'),
	(21, 'least(7, 8 / 1)', '7.0000000000000000')
) v(i, f, expected), kpi_evaluate(f, NULL, 12, NULL, NULL) e
ORDER BY i;

-- ---------- measures, shifts, targets, reasons ----------
SELECT f, e.*
FROM given, (VALUES
	-- what numerator and denominator look like
	(1, 'revenue'), (2, '100 * (revenue - prior(revenue)) / prior(revenue)'), (3, 'revenue / won_deals'), (4, '(revenue - direct_cost) / revenue'),
	(5, 'revenue / won_deals + direct_cost / won_deals'), (6, 'revenue / won_deals + prior(revenue / won_deals)'),
	-- shifts: the facts are 1200, 900, 600, not computed, 300
	(10, 'prior(revenue)'), (11, 'prior(prior(revenue))'), (12, 'prior(prior(prior(revenue)))'), (13, 'year_ago(revenue)'), (14, 'prior(year_ago(revenue))'),
	(15, 'sum_last(revenue, 3)'), (16, 'sum_last(revenue, 4)'), (17, 'sum_last(revenue, 1)'), (18, 'mean_last(revenue, 3)'), (19, 'mean_last(revenue / won_deals, 2)'),
	(20, 'prior(sum_last(revenue, 2))'), (21, 'sum_last(prior(revenue), 2)'), (22, 'sum_last(prior(revenue), 3)'), (23, 'sum_last(sum_last(revenue, 2), 2)'),
	(24, 'days()'), (25, 'prior(days())'), (26, 'revenue / days() - prior(revenue / days())'), (27, 'sum_last(1, 3)'), (28, 'sum_last(1, 4)'), (29, 'prior(prior(prior(1)))'),
	(30, 'prior(prior(prior(days())))'), (31, 'sum_last(direct_cost, 2)'), (32, 'sum_last(direct_cost, 3)'), (33, 'sum_last(direct_cost, 4)'),
	-- why NULL: the first operand counts
	(40, 'calls'), (41, 'prior(prior(direct_cost))'), (42, 'revenue / lost_deals'), (43, 'revenue / (won_deals - won_deals)'), (44, 'revenue / prior(leads / 3)'),
	(45, 'nullif(revenue, 1200)'), (46, 'nullif(revenue, 1200.00)'), (47, 'nullif(revenue, 1201)'), (48, 'nullif(revenue / won_deals, 600 / 2)'), (49, 'nullif(revenue, calls)'),
	(50, 'calls / lost_deals'), (51, 'revenue / lost_deals + calls'), (52, 'target(revenue) + prior(prior(prior(revenue)))'), (53, 'prior(prior(prior(revenue))) + target(leads)'),
	(54, '-calls'), (55, 'least(1, calls)'), (56, 'greatest(calls, 1)'), (57, '0 * calls'), (58, 'year_ago(year_ago(calls))'),
	-- least and greatest compare exactly
	(60, 'least(revenue / 3, prior(revenue) / 2, 450)'), (61, 'greatest(1 / 3, 0.3333333333333333333333)'), (62, 'least(1 / 3, 0.3333333333333333333333)'),
	(63, 'greatest(0 - revenue, -5)'),
	-- targets
	(70, 'target(revenue)'), (71, '100 * revenue / target(revenue)'), (72, 'target(won_deals)'), (73, 'target(unheard_of)'), (74, 'prior(target(revenue))'),
	(75, 'sum_last(target(revenue), 2)'), (76, 'sum_last(target(revenue), 1)')
) v(i, f), kpi_evaluate(f, facts, 4, '{leads,revenue,won_deals}', '{10,1500,NULL}') e
ORDER BY i;

-- no facts, no targets
SELECT f, e.* FROM (VALUES (1, 'revenue'), (2, 'target(revenue)'), (3, 'sum_last(1, 1)'), (4, 'mean(sales_cycle)')) v(i, f), kpi_evaluate(f, NULL, 12, NULL, NULL) e ORDER BY i;
SELECT f, e.* FROM (VALUES (1, 'revenue'), (2, 'target(revenue)')) v(i, f), kpi_evaluate(f, '{}', 12, '{}', '{}') e ORDER BY i;

-- every number type, and a row whose measures are all NULL
SELECT f, e.* FROM (VALUES (1, 'days()'), (2, 'won_deals'), (3, 'revenue'), (4, 'leads')) v(i, f),
	kpi_evaluate(f, ARRAY[jsonb_populate_record(NULL::kpi_fact, '{"days": -2147483648, "won_deals": 9223372036854775807, "revenue": 1e40}')], 12, NULL, NULL) e ORDER BY i;

-- one call site, another formula and other facts for each row
SELECT n, f, (kpi_evaluate(f, ARRAY[jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('revenue', n, 'won_deals', n + 1))], 12, NULL, NULL)).*
FROM generate_series(1, 2) n, unnest(ARRAY['revenue', 'won_deals', 'revenue', 'revenue / won_deals']) WITH ORDINALITY AS u(f, i)
ORDER BY n, i;

-- ---------- distributions ----------
-- 1, 2, 4 and 10 days and a second; an empty one; none
CREATE TEMP TABLE cycle AS SELECT unnest(ARRAY[86400000000, 2 * 86400000000, 4 * 86400000000, 10 * 86400000000 + 1000000]) AS us;
CREATE TEMP TABLE with_cycle AS
SELECT ARRAY[
	jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('days', 31, 'sales_cycle', (SELECT kpi_durations(us)::text FROM cycle))),
	jsonb_populate_record(NULL::kpi_fact, '{"days": 30, "sales_cycle": "1:{}"}'),
	jsonb_populate_record(NULL::kpi_fact, '{"days": 28}'),
	jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('days', 31, 'sales_cycle', (SELECT kpi_durations(5)::text)))
] AS facts;

SELECT f, e.* FROM with_cycle, (VALUES (1, 'mean(sales_cycle)'), (2, 'prior(mean(sales_cycle))'), (3, 'prior(prior(mean(sales_cycle)))'), (4, 'year_ago(mean(sales_cycle))'),
	(5, 'prior(quantile(sales_cycle, 0.5))'), (6, 'prior(prior(quantile(sales_cycle, 0.5)))'), (7, 'year_ago(quantile(sales_cycle, 0.9))'),
	(8, 'prior(year_ago(mean(sales_cycle)))'), (9, 'mean(sales_cycle) / days()')) v(i, f),
	kpi_evaluate(f, facts, 3, NULL, NULL) e ORDER BY i;

SELECT p, e.*, round(e.value, 6) = round(sql.days::numeric, 6) AS as_percentile_cont
FROM with_cycle, unnest(ARRAY[0, 0.1, 0.25, 0.333333333333333333, 0.5, 0.75, 0.9, 0.999, 1]) p,
	kpi_evaluate(format('quantile(sales_cycle, %s)', p), facts, 12, NULL, NULL) e,
	LATERAL (SELECT percentile_cont(p::float8) WITHIN GROUP (ORDER BY us / 86400000000.0::float8) AS days FROM cycle) sql
ORDER BY p;

-- sums beyond 64 bits
SELECT e.*, e.numerator = 3 * 9223372036854775807.0 AS ok
FROM kpi_evaluate('mean(sales_cycle)', ARRAY[jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('sales_cycle',
	(SELECT kpi_durations(9223372036854775807)::text FROM generate_series(1, 3))))], 12, NULL, NULL) e;

-- ---------- evaluation errors ----------
SELECT kpi_evaluate('revenue + nonsense', facts, 12, NULL, NULL) FROM given;
-- found also where evaluation does not get, and without facts
SELECT kpi_evaluate('calls + prior(nonsense)', facts, 12, NULL, NULL) FROM given;
SELECT kpi_evaluate('nonsense', NULL, 12, NULL, NULL);
-- columns that are no measures
SELECT kpi_evaluate('grain', facts, 12, NULL, NULL) FROM given;
SELECT kpi_evaluate('is_complete', facts, 12, NULL, NULL) FROM given;
SELECT kpi_evaluate('run', facts, 12, NULL, NULL) FROM given;
SELECT kpi_evaluate('sales_cycle', facts, 12, NULL, NULL) FROM given;
SELECT kpi_evaluate('mean(revenue)', facts, 12, NULL, NULL) FROM given;
SELECT kpi_evaluate('quantile(member, 0.5)', facts, 12, NULL, NULL) FROM given;
SELECT kpi_evaluate('1 +', NULL, 12, NULL, NULL);
SELECT kpi_evaluate(NULL, NULL, 12, NULL, NULL);
SELECT kpi_evaluate('1', NULL, NULL, NULL, NULL);
SELECT kpi_evaluate('1', NULL, 0, NULL, NULL);
SELECT kpi_evaluate('1', NULL, 12, '{a}', NULL);
SELECT kpi_evaluate('1', NULL, 12, '{a}', '{1,2}');
SELECT kpi_evaluate('1', ARRAY[facts, facts], 12, NULL, NULL) FROM given;
SELECT kpi_evaluate('revenue', ARRAY[jsonb_populate_record(NULL::kpi_fact, '{"revenue": "NaN"}')], 12, NULL, NULL);
SELECT kpi_evaluate('1 - revenue', ARRAY[jsonb_populate_record(NULL::kpi_fact, '{"revenue": "-Infinity"}')], 12, NULL, NULL);
SELECT kpi_evaluate('target(a)', NULL, 12, '{a}', '{Infinity}');
-- the limit of exact products
SELECT scale(value) FROM kpi_evaluate('revenue * direct_cost', ARRAY[jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('revenue', 1e-8191, 'direct_cost', 1e-8192))], 12, NULL, NULL);
SELECT scale(value) FROM kpi_evaluate('revenue * direct_cost', ARRAY[jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('revenue', 1e-8192, 'direct_cost', 1e-8192))], 12, NULL, NULL);
\set VERBOSITY sqlstate
SELECT kpi_evaluate('nonsense', NULL, 12, NULL, NULL);
SELECT kpi_evaluate('sales_cycle', NULL, 12, NULL, NULL);
SELECT kpi_evaluate('mean(revenue)', NULL, 12, NULL, NULL);
SELECT kpi_evaluate(NULL, NULL, 12, NULL, NULL);
SELECT kpi_evaluate('1', NULL, 0, NULL, NULL);
SELECT kpi_evaluate('1', NULL, 12, '{a}', NULL);
SELECT kpi_evaluate('target(a)', NULL, 12, '{a}', '{NaN}');
SELECT kpi_evaluate('revenue * revenue', ARRAY[jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('revenue', 1e-8192))], 12, NULL, NULL);
\set VERBOSITY default

-- ---------- random formulas against exact fractions ----------
-- 400 formulas made at random (seed 20240229) and worked out by Python's
-- fractions.Fraction, independently of this parser: the formula, its reach,
-- the value (16 decimals, half away from zero, if there is a division), the
-- reduced fraction, whether it is a ratio, and the reason for NULL.
CREATE TEMP TABLE vector (formula text, reach integer, value numeric, n numeric, d numeric, is_ratio boolean, reason text);
COPY vector FROM stdin;
- -mean_last(won_deals, 3)	2	3.3333333333333333	10	3	t	\N
(direct_cost + leads - target(leads))*((revenue - revenue) * ((revenue) + won_deals)) / (sum_last(revenue, 2)+prior(direct_cost / (quotes_sent)))	1	\N	\N	\N	\N	no target
- (revenue + leads)	0	-1237.56	-30939	25	f	\N
greatest(least(revenue,direct_cost) / year_ago(won_deals), year_ago(won_deals / leads), target(revenue) + leads + (won_deals - 3))	2	1507.0000000000000000	1507	1	t	\N
- (leads/revenue) / (direct_cost * 12345678901234567890/(7 - revenue))	0	-0.0000000000000000	-30689	5731432047182543204660940	t	\N
(won_deals)/0.3333333333333333333 * (leads - revenue)/(sum_last(direct_cost, 2) / (won_deals/7))	1	792.7282758620689656	76630400000000000000000	96666666666666666657	t	\N
nullif(year_ago(0.3333333333333333333),(direct_cost - revenue) * (leads * leads) * ((leads * won_deals)-nullif(quotes_sent, won_deals)))	0	\N	\N	\N	\N	not available
greatest(year_ago(direct_cost-won_deals),days()-(won_deals + (revenue)),((revenue)/(target(purchases)) / (target(revenue) / direct_cost)))	2	\N	\N	\N	\N	no target
2+(mean_last(leads, 1)+revenue / revenue)	0	6.0000000000000000	6	1	t	\N
(target(leads) + (won_deals)) / (days() - direct_cost) + leads * days()*(leads - direct_cost)	0	\N	\N	\N	\N	no target
won_deals	0	7	7	1	f	\N
quotes_sent	0	\N	\N	\N	\N	not available
least(target(revenue) / days() / leads, leads, 0.5) + (- won_deals / mean_last(direct_cost, 2) - - year_ago(1))	1	1.9291187739463602	1007	522	t	\N
prior(sum_last(((0.001) - greatest(direct_cost, target(purchases))) * (direct_cost / leads - days()*direct_cost), 1))	1	\N	\N	\N	\N	no target
prior(prior(revenue) + 3/won_deals)	2	\N	\N	\N	\N	zero denominator
year_ago(direct_cost+quotes_sent) + (revenue/1.25-(leads - leads))	2	1989.6490000000000000	1989649	1000	t	\N
prior(least(2,direct_cost))	1	2	2	1	f	\N
0.3333333333333333333 - year_ago(1) * ((revenue) / (quotes_sent))	0	\N	\N	\N	\N	not available
(won_deals) + (leads) + (target(purchases) - won_deals)	0	\N	\N	\N	\N	no target
0.3333333333333333333	0	0.3333333333333333333	3333333333333333333	10000000000000000000	f	\N
revenue	0	1234.56	30864	25	f	\N
sum_last(prior(direct_cost) + least(leads, (100), target(leads)), 1)	1	\N	\N	\N	\N	no target
greatest((revenue), won_deals) + (revenue + revenue) + nullif((leads) - won_deals, revenue * target(revenue))	0	3699.68	92492	25	f	\N
least((quotes_sent) / 0.3333333333333333333,won_deals + target(revenue),target(revenue))	0	\N	\N	\N	\N	not available
won_deals*revenue/(days() - 1.25)	0	290.4847058823529412	123456	425	t	\N
2/days()*(won_deals)+least(direct_cost-0.5, least(7, 3))	0	-45.1733870967741935	-11203	248	t	\N
leads / 0.5 + won_deals*revenue+leads	0	8650.9200000000000000	216273	25	t	\N
(won_deals / leads) * ((leads)*direct_cost)	0	-315.8750000000000000	-2527	8	t	\N
leads*7*least(days(), (quotes_sent)) / mean_last(revenue * revenue,3)	2	\N	\N	\N	\N	not available
greatest(((12345678901234567890 + 1.25)*(7-2)),sum_last(revenue/target(revenue),2),(2 - leads) * won_deals) + won_deals	1	\N	\N	\N	\N	no target
(revenue + direct_cost) / (won_deals + won_deals)	0	84.9596428571428571	237887	2800	t	\N
- ((2)/target(revenue))	0	-0.0013333333333333	-1	750	t	\N
0	0	0	0	1	f	\N
0.001 / 0.3333333333333333333 / (12345678901234567890/leads) * (direct_cost / days() / ((0.5) - direct_cost))	0	-0.0000000000000000	-72200000000000000	3104252372610425236919574762738957476277	t	\N
least(direct_cost - leads, won_deals + 1, revenue)	0	-48.125	-385	8	f	\N
nullif((revenue-1.25) / year_ago(days())/sum_last(prior(revenue), 2),(revenue*revenue * prior(leads)) - (revenue - (2)) * (12345678901234567890 + leads))	2	0.0440467857142857	123331	2800000	t	\N
prior(revenue)*(2 + direct_cost)	1	-43125	-43125	1	f	\N
((least(leads + (quotes_sent),0.5-revenue)) * (1.25 / direct_cost * ((revenue) / days())) - 2)*0.5	0	\N	\N	\N	\N	not available
((7-leads)*7) - (year_ago(100 + days()))	2	-100	-100	1	f	\N
year_ago(revenue)+mean_last(leads * won_deals/(7 / leads) / (- revenue - leads/0.001), 3)	2	-0.0018513132752534	-57163	30877000	t	\N
- (target(purchases) / days())-year_ago(12345678901234567890)	0	\N	\N	\N	\N	no target
7 - (2 + direct_cost)/sum_last((revenue), 1)+days()	0	38.0349314735614308	3130427	82304	t	\N
((direct_cost - 7) + (leads - 12345678901234567890)) * (nullif(won_deals, target(leads)) * (0.5 - direct_cost))	0	\N	\N	\N	\N	no target
target(revenue)	0	1500	1500	1	f	\N
greatest(revenue, direct_cost, 7) + 0.001/leads+(-2 + (revenue) / 0.5)	0	3701.6803333333333333	11105041	3000	t	\N
sum_last(leads, 1) / (target(purchases) - won_deals) + ((won_deals + target(leads))-mean_last(direct_cost, 3))	2	\N	\N	\N	\N	no target
direct_cost + won_deals / leads	0	-42.7916666666666667	-1027	24	t	\N
least(sum_last(prior(leads), 3), (1/quotes_sent*(revenue - 12345678901234567890)))	3	\N	\N	\N	\N	not computed
prior(won_deals) / (least((2), leads)) + (revenue + leads) * (direct_cost - leads)	1	-59557.5750000000000000	-2382303	40	t	\N
(days() - leads)/(leads / leads)	0	28.0000000000000000	28	1	t	\N
(days() + target(revenue)) * (0 - revenue)	0	-1890111.36	-47252784	25	f	\N
sum_last(leads-leads, 3) * ((revenue + 0)*(revenue - revenue))	2	0	0	1	f	\N
direct_cost/1.25-((100)/(revenue))-((target(revenue)) - days()) / (days() + days())	0	-59.8745489055000920	-71608763	1195980	t	\N
- prior(won_deals+(12345678901234567890))	1	-12345678901234567890	-12345678901234567890	1	f	\N
(leads / (direct_cost)) * (((direct_cost+leads) * year_ago(direct_cost) + revenue) * ((quotes_sent - 12345678901234567890 - 1) / mean_last(leads / leads, 1)))	2	\N	\N	\N	\N	not available
(sum_last(target(purchases), 3)) / (won_deals * 3) - prior(-(won_deals))	2	\N	\N	\N	\N	no target
prior(direct_cost - leads)	1	7.5	15	2	f	\N
- (prior((1))/((won_deals) + revenue))	0	-0.0008054383195335	-25	31039	t	\N
- (least((leads/won_deals),revenue * won_deals,(days()*revenue)) / ((revenue - days()) / (target(purchases) * 7)))	0	\N	\N	\N	\N	no target
year_ago((3)) / - direct_cost * ((12345678901234567890) / days()+(leads + leads))	0	26476301816605275.1160754177464034	296296293629629633824	11191	t	\N
sum_last(0.5,2) + (days()-revenue) - ((direct_cost)-1.25+((target(leads)) - 0.3333333333333333333))	1	\N	\N	\N	\N	no target
leads	0	3	3	1	f	\N
(direct_cost-direct_cost) / (direct_cost + 0)-prior(quotes_sent-0.5)	1	-3.5000000000000000	-7	2	t	\N
((year_ago(revenue)) + (direct_cost+(won_deals))) / least(mean_last(direct_cost,1), target(leads) * (revenue))	2	\N	\N	\N	\N	no target
mean_last(days(), 1)*(1.25 * target(leads)) + (won_deals + days())*(leads / direct_cost)	0	\N	\N	\N	\N	no target
(direct_cost + 12345678901234567890 + won_deals * direct_cost) / prior(2 + 2)	0	3086419725308641882.2500000000000000	12345678901234567529	4	t	\N
won_deals/(greatest(won_deals, direct_cost) / (won_deals + 1.25))	0	8.2500000000000000	33	4	t	\N
direct_cost / leads+year_ago(won_deals) / - leads * sum_last(days()/1, 1)	2	-46.0416666666666667	-1105	24	t	\N
(direct_cost) / 7	0	-6.4464285714285714	-361	56	t	\N
(- prior((revenue + (won_deals)))-(100 + revenue/leads * (7 - (1)))) / 2	1	-1784.5600000000000000	-44614	25	t	\N
nullif(won_deals / revenue + (direct_cost - (leads)), (direct_cost-direct_cost) * won_deals) * (revenue)	0	-59406.2000000000000000	-297031	5	t	\N
prior(target(revenue)-(quotes_sent + 1+revenue))	1	\N	\N	\N	\N	no target
greatest(nullif(revenue,days()) * (direct_cost * days()),3,nullif(direct_cost, leads) - (100) / target(revenue))	0	3.0000000000000000	3	1	t	\N
target(revenue)-leads-- leads	0	1500	1500	1	f	\N
leads-prior(leads / 0/direct_cost)	1	\N	\N	\N	\N	zero denominator
- ((prior(0.001)/(won_deals / won_deals))/(1 * revenue * (0 * 12345678901234567890)))	0	\N	\N	\N	\N	zero denominator
(-((direct_cost) / direct_cost) - (target(purchases)/days()+0 / revenue)) / (greatest(revenue, revenue)+- 0 + prior(revenue / won_deals))	1	\N	\N	\N	\N	no target
- ((won_deals - 7) / ((won_deals) * 0.5) / (won_deals * 0.5 * greatest(direct_cost,quotes_sent,days())))	0	\N	\N	\N	\N	not available
year_ago(nullif(leads, leads)*(won_deals/100)+direct_cost / direct_cost / (1 + 12345678901234567890)) - -prior((won_deals/direct_cost)+2)	2	\N	\N	\N	\N	zero denominator
(1) * (won_deals / 12345678901234567890 / won_deals)	0	0.0000000000000000	1	12345678901234567890	t	\N
(nullif(1, 1.25) + won_deals * revenue) / (target(revenue) / (direct_cost / 0.3333333333333333333))+(mean_last(revenue, 3))	2	-35.1701966666666667	-8792549166666666685288	249999999999999999975	t	\N
- won_deals	0	-7	-7	1	f	\N
(0.5 + direct_cost) * (revenue * leads)	0	-165276.72	-4131918	25	f	\N
(greatest(leads / leads, won_deals / won_deals) + revenue) * (prior(0) / (1.25/won_deals) / (mean_last(7,3)+(direct_cost / revenue)))	2	0.0000000000000000	0	1	t	\N
prior(((0.3333333333333333333)+leads) * nullif(revenue,direct_cost)) / (- 1.25 + (won_deals) - (0.3333333333333333333 - won_deals + leads))	1	566.3716814159292035	53333333333333333333000	94166666666666666667	t	\N
mean_last(100, 3) / (-(1))	2	-100.0000000000000000	-100	1	t	\N
nullif((3*days()), (0))	0	93	93	1	f	\N
prior((0.5 / target(revenue)) + nullif(leads, (won_deals)))	1	\N	\N	\N	\N	no target
(3 + 1) * (12345678901234567890/revenue)-sum_last((7) / direct_cost, 1) + greatest(leads, 1.25, 0.5)/(1 - 0.3333333333333333333) / (1 + revenue)	0	40000255641636106.5934479089291291	3824049691235129984454674311228423165862431033	95600631293333333338113364898	t	\N
prior(((target(leads)) / direct_cost / revenue) / ((revenue + 3) / (direct_cost/1)))	1	\N	\N	\N	\N	no target
nullif((won_deals * leads/won_deals), 0.001 * direct_cost / (direct_cost / direct_cost))	0	3.0000000000000000	3	1	t	\N
- 0 + (target(purchases) / won_deals)	0	\N	\N	\N	\N	no target
(leads + days()) * (won_deals-(100)) + least(leads / direct_cost,direct_cost + leads)	0	-3204.1250000000000000	-25633	8	t	\N
prior(((2 + days()) - (leads - target(revenue))))	1	\N	\N	\N	\N	no target
year_ago(- least((2 + revenue), leads+100))	2	-2	-2	1	f	\N
(-won_deals + (quotes_sent / won_deals)) / (nullif(revenue, leads)/(12345678901234567890 - revenue))	0	\N	\N	\N	\N	not available
nullif(revenue - won_deals,revenue / direct_cost) + (days()+(direct_cost + (won_deals)))	0	1220.435	244087	200	f	\N
sum_last(leads, 2)/(won_deals * 0.5) * revenue	1	2821.8514285714285714	493824	175	t	\N
sum_last(revenue + days() + won_deals, 1) / (won_deals * (direct_cost)+days() / direct_cost + (0.5 - 7) / (leads - revenue))	0	-4.0200064915485996	-2828857358448	703694723975	t	\N
nullif(((12345678901234567890 - won_deals) + prior(2)) / 100, leads)	0	123456789012345678.8500000000000000	2469135780246913577	20	t	\N
greatest(revenue,(direct_cost + quotes_sent) - - days())	0	\N	\N	\N	\N	not available
sum_last(revenue, 1)/((sum_last(leads, 1) - (direct_cost-won_deals)-leads / 1/(target(revenue) + 3))/prior(won_deals))	1	\N	\N	\N	\N	zero denominator
sum_last(1.25 * days()+- revenue + direct_cost, 3) / - (((revenue) - (0.001-100)) * prior(won_deals + 12345678901234567890))	2	0.0000000000000000	577967	8238018444376351844355255	t	\N
quotes_sent * (mean_last((100), 1)) - year_ago(leads / 0.3333333333333333333)	2	\N	\N	\N	\N	not available
(((revenue)+1.25) / (0 + 0) - (direct_cost + 12345678901234567890) * prior((direct_cost))) * mean_last(100/leads/(revenue/target(revenue)), 3)	2	\N	\N	\N	\N	zero denominator
prior((2 * won_deals-direct_cost/direct_cost) * (1 + 1.25+won_deals))	1	-2.2500000000000000	-9	4	t	\N
100 / revenue / direct_cost * (least(12345678901234567890,(mean_last(direct_cost,3))))	2	-0.5788214773106404	-1209220	2089107	t	\N
nullif((prior(prior(0.5)) + -won_deals / (0-0)),direct_cost/(direct_cost / revenue * ((revenue)*days())))	0	\N	\N	\N	\N	zero denominator
(7 + won_deals) * (100/leads) * ((7)/leads-(leads+leads)) - direct_cost*prior(1) * greatest(2, quotes_sent / days())	0	\N	\N	\N	\N	not available
least((quotes_sent + 2) / revenue-quotes_sent, won_deals * won_deals/prior(leads) * (0.3333333333333333333 * won_deals - (0.3333333333333333333+1)))	1	\N	\N	\N	\N	not available
prior(leads) * greatest(leads, 12345678901234567890, leads) - mean_last(nullif(revenue, revenue), 1)	1	\N	\N	\N	\N	zero denominator
0.5	0	0.5	1	2	f	\N
sum_last(prior(0 - 3), 1) - revenue	0	-1237.56	-30939	25	f	\N
days()	0	31	31	1	f	\N
- (won_deals*revenue/(leads/direct_cost))-1	0	129987.8800000000000000	3249697	25	t	\N
((0.001) + 0.5) * -won_deals	0	-3.507	-3507	1000	f	\N
-mean_last((quotes_sent), 3) / (((leads)+revenue) / 7)	2	\N	\N	\N	\N	not available
year_ago(year_ago((direct_cost + (quotes_sent)) / (12345678901234567890 / leads)))	4	0.0000000000000000	2	6172839450617283945	t	\N
7 * direct_cost / (target(leads) - revenue) / (sum_last(won_deals,1)+-revenue)	0	\N	\N	\N	\N	no target
(least((greatest(3, (direct_cost))), leads/won_deals))-greatest(revenue / won_deals,revenue / (won_deals),leads*target(revenue))	0	-4499.5714285714285714	-31497	7	t	\N
(days())+(mean_last(-mean_last(won_deals,3), 3) - (((days()) / mean_last((revenue),2)) + - leads / (direct_cost / 2)))	4	\N	\N	\N	\N	not computed
- (revenue)	0	-1234.56	-30864	25	f	\N
(- (days() + leads))*(won_deals*revenue) - (3-least(quotes_sent-direct_cost, prior(12345678901234567890)))	0	\N	\N	\N	\N	not available
(target(revenue) - year_ago((0.5 / mean_last(direct_cost,3))))/(- (100 * (7+0.3333333333333333333 - prior(won_deals))))	4	\N	\N	\N	\N	not computed
leads/12345678901234567890-0.5*direct_cost--(direct_cost*(leads))	0	-112.8125000000000000	-3713991736121399173567	32921810403292181040	t	\N
mean_last((leads-leads)/(won_deals + won_deals),3)	2	\N	\N	\N	\N	zero denominator
100	0	100	100	1	f	\N
least(target(purchases)+0, won_deals*revenue)	0	\N	\N	\N	\N	no target
least(least(0.001,mean_last(revenue, 2) - mean_last(days(), 1)),leads) * ((prior((quotes_sent / target(revenue)+nullif((2),revenue)))) + leads)	1	\N	\N	\N	\N	no target
year_ago(sum_last((direct_cost), 2))	3	\N	\N	\N	\N	not computed
-(target(revenue) * prior(12345678901234567890)) - 12345678901234567890	0	-18530864030753086402890	-18530864030753086402890	1	f	\N
(mean_last((days()), 3) + nullif(direct_cost, revenue))*- (won_deals/(0.001)) / (100 + won_deals*(leads / days()))	2	1074.8024137562746983	10063375	9363	t	\N
least(won_deals / direct_cost, (revenue) + 100, days() / quotes_sent)	0	\N	\N	\N	\N	not available
(nullif(leads,revenue) + ((won_deals)-won_deals)) / leads / (- - won_deals * (quotes_sent / won_deals))	0	\N	\N	\N	\N	not available
-(3 + revenue) - ((won_deals/revenue)-1.25)	0	-1236.3156700362882322	-953941171	771600	t	\N
prior(direct_cost / direct_cost)	1	1.0000000000000000	1	1	t	\N
sum_last((revenue) * leads * (days()), 2)	1	264814.08	6620352	25	f	\N
((leads) - revenue) * (quotes_sent - won_deals)	0	\N	\N	\N	\N	not available
-((prior(direct_cost)) / (won_deals / won_deals))	1	-12.5000000000000000	-25	2	t	\N
- (revenue * 7) - (- leads + (days() - 100))+((direct_cost+target(revenue))*(0.5 - 1.25) - ((revenue * 100) * (target(leads)/revenue)))	0	\N	\N	\N	\N	no target
1.25	0	1.25	5	4	f	\N
won_deals/target(leads)+year_ago(12345678901234567890)+- (target(leads) * 0.001)	0	\N	\N	\N	\N	no target
(direct_cost) / ((nullif(2,won_deals)) - direct_cost / 0.3333333333333333333)	0	-0.3284804367606915	-1203333333333333333213	3663333333333333333328	t	\N
(leads+direct_cost) * year_ago(days())+(sum_last(won_deals,3) + - target(revenue))	2	-2669.5	-5339	2	f	\N
prior(leads/revenue)+((0 - won_deals) * (leads - direct_cost))	1	-336.8700000000000000	-33687	100	t	\N
- ((direct_cost/days()) * (revenue-leads))	0	1792.7143548387096774	11114829	6200	t	\N
year_ago(won_deals) * (direct_cost-days())	2	-228.375	-1827	8	f	\N
(- leads / (leads - (leads))) / (leads * prior(revenue))	1	\N	\N	\N	\N	zero denominator
greatest(year_ago(direct_cost)-nullif(3,0), year_ago(3))*((1.25*revenue*(2 + direct_cost)) / direct_cost)	2	1470380.3889307479224377	132701830101	90250	t	\N
7/((nullif((direct_cost), revenue)) / (days() + 0.5))	0	-4.8864265927977839	-1764	361	t	\N
prior((leads)) / sum_last(won_deals, 3)	2	0.5000000000000000	1	2	t	\N
(direct_cost + won_deals)/- 7 + leads	0	8.4464285714285714	473	56	t	\N
(direct_cost+(won_deals)+(0 + days())) * greatest((target(leads) - (quotes_sent)), prior(leads))	1	\N	\N	\N	\N	no target
- (7 + (won_deals)) - (- (7) + (0.5 - won_deals))	0	-0.5	-1	2	f	\N
sum_last(leads, 3)/(prior(won_deals)) + year_ago((quotes_sent)+revenue)	2	\N	\N	\N	\N	zero denominator
(direct_cost-days()+-0.3333333333333333333)-(- revenue-prior(revenue))	1	2158.1016666666666666667	21581016666666666666667	10000000000000000000	f	\N
direct_cost + (leads) + - leads - nullif(target(revenue) - won_deals, 3+1.25)	0	-1538.125	-12305	8	f	\N
mean_last(0, 2) * -leads / nullif(leads/leads,(won_deals - 7))	1	0.0000000000000000	0	1	t	\N
year_ago(0.5*(prior((won_deals) + won_deals)))	3	\N	\N	\N	\N	not computed
(mean_last(revenue, 3))-(7 - won_deals)+(0.001 - days()+(revenue - won_deals))	2	1941.4143333333333333	5824243	3000	t	\N
target(purchases) / 7-least(direct_cost, quotes_sent, 1.25)	0	\N	\N	\N	\N	no target
year_ago(prior((won_deals) * (revenue))+(days() + (direct_cost)) / ((100) / 7)) / (- sum_last(7+won_deals,1) * (0.5))	3	\N	\N	\N	\N	not computed
sum_last(prior((leads - leads) / (0.5*leads)), 1)	1	0.0000000000000000	0	1	t	\N
target(purchases) / ((1.25 / (target(revenue)) * (0.5 - quotes_sent)) / (direct_cost - won_deals + greatest(revenue, 100, quotes_sent)))	0	\N	\N	\N	\N	no target
direct_cost	0	-45.125	-361	8	f	\N
(0 - 1 + target(leads))/((revenue - (leads)) / mean_last(revenue, 3))	2	\N	\N	\N	\N	no target
least((leads + 0.5), 2 * direct_cost)	0	-90.25	-361	4	f	\N
-((nullif(direct_cost - direct_cost,days()*(won_deals))) / ((target(revenue) - revenue) - (quotes_sent)/leads))	0	\N	\N	\N	\N	not available
year_ago(prior(100)) / - (0.5/quotes_sent)	0	\N	\N	\N	\N	not available
least(direct_cost*leads/-days()-(leads / revenue - (revenue + revenue)), 0.3333333333333333333 + (0.5) - 0.001/0.5 - -days()/(days() * target(revenue)))	0	0.8320000000000000	24959999999999999999	30000000000000000000	t	\N
(won_deals+(days()-revenue))*(- direct_cost / prior(2))	0	-26997.3850000000000000	-5399477	200	t	\N
- 0.3333333333333333333	0	-0.3333333333333333333	-3333333333333333333	10000000000000000000	f	\N
prior((least(- (2 - 1),days() / days() * (7 / 100),year_ago(won_deals) + 100 / target(purchases))))	3	\N	\N	\N	\N	not computed
(direct_cost - won_deals) * least(2,0.001,2) * least(quotes_sent/direct_cost,(3)+3)	0	\N	\N	\N	\N	not available
prior(won_deals - (100)-(0.001 - direct_cost))	1	-87.501	-87501	1000	f	\N
nullif(won_deals * quotes_sent*(7/2), (-direct_cost-leads/leads))	0	\N	\N	\N	\N	not available
(mean_last((7/won_deals),2))+((won_deals)*direct_cost+leads/revenue)	1	\N	\N	\N	\N	zero denominator
prior(direct_cost)	1	12.5	25	2	f	\N
mean_last(((direct_cost-7)/(quotes_sent + won_deals)), 3)	2	\N	\N	\N	\N	not available
(sum_last(mean_last(least(direct_cost, 0.3333333333333333333, direct_cost),2), 1)) - (-(0 * 7/(days()*target(revenue))))	1	-22.3958333333333333	-447916666666666666667	20000000000000000000	t	\N
days() + prior(leads) - -(direct_cost*direct_cost)	1	2072.265625	132625	64	f	\N
(direct_cost-leads + (1 - days())) * (1.25*leads / (- direct_cost))	0	-6.4923822714681440	-9375	1444	t	\N
greatest(direct_cost/target(revenue), won_deals * revenue, ((leads) * won_deals)) + 0*won_deals*(days()*(1))	0	8641.9200000000000000	216048	25	t	\N
least(- year_ago(0.5), greatest(100 + won_deals, 3, won_deals+direct_cost))	0	-0.5	-1	2	f	\N
mean_last(direct_cost*leads + -direct_cost, 1)	0	-90.2500000000000000	-361	4	t	\N
year_ago(direct_cost / 0.001)+(quotes_sent - direct_cost + revenue/quotes_sent)	2	\N	\N	\N	\N	not available
(won_deals / revenue/(100 + direct_cost) + 1.25) / (- (- (quotes_sent/direct_cost)))	0	\N	\N	\N	\N	not available
- (1 / 1)	0	-1.0000000000000000	-1	1	t	\N
(least(days(),leads,(direct_cost))) / direct_cost/(direct_cost+(- days()))	0	-0.0131362889983580	-8	609	t	\N
greatest((revenue/direct_cost + greatest(100,revenue,won_deals))/prior(leads / won_deals), (nullif(revenue,leads) - - won_deals) * sum_last(- revenue, 2))	1	\N	\N	\N	\N	zero denominator
(revenue)-(revenue)-(0-1.25)	0	1.25	5	4	f	\N
revenue/((year_ago(direct_cost)-won_deals) * prior(1*12345678901234567890))	2	0.0000000000000000	41152	408642383153494238311263	t	\N
0.5 / (won_deals)/mean_last(leads, 3)	2	0.0133928571428571	3	224	t	\N
(0.3333333333333333333 + won_deals)*prior(0)	0	0	0	1	f	\N
prior(greatest(0.5,leads,12345678901234567890))/((leads/direct_cost) / (days()*(days())))	1	-178457302920633230290278.7500000000000000	-713829211682532921161115	4	t	\N
least((won_deals)-days()*quotes_sent, - won_deals * (prior(leads)), greatest(direct_cost / leads, direct_cost / 1))	1	\N	\N	\N	\N	not available
least((2/direct_cost+revenue*days())/((days()) * 0.001/nullif(leads, 12345678901234567890)), (0 / (quotes_sent / (direct_cost) + (revenue + leads))))	0	\N	\N	\N	\N	not available
nullif(target(revenue)*7, won_deals+0.3333333333333333333) - direct_cost/days() / (revenue/direct_cost)	0	10499.9467940092800465	642955589975	61234176	t	\N
least(prior(1 + year_ago(won_deals)), revenue - -mean_last(revenue, 1), least(leads, leads, days()/leads) - (leads * days() - won_deals))	3	\N	\N	\N	\N	not computed
- 100	0	-100	-100	1	f	\N
leads*revenue*won_deals	0	25925.76	648144	25	f	\N
- (greatest(direct_cost, 0, 12345678901234567890) - 100)	0	-12345678901234567790	-12345678901234567790	1	f	\N
leads + direct_cost + 7 * revenue	0	8599.795	1719959	200	f	\N
leads / nullif(revenue-prior(0.001), least((direct_cost * days()), leads, -won_deals))	0	0.0024300175204263	3000	1234559	t	\N
mean_last(year_ago(0.5/direct_cost-(direct_cost - won_deals)), 2)	3	\N	\N	\N	\N	not computed
nullif(prior((revenue / (100 * (0)))), nullif((revenue)/leads, 3 - direct_cost) + (leads - (1) + revenue))	1	\N	\N	\N	\N	zero denominator
nullif(mean_last(won_deals, 3) / - days(), (won_deals+leads) / -leads)	2	-0.1075268817204301	-10	93	t	\N
-((100) / revenue)/mean_last((leads/1.25),2)*0	1	0.0000000000000000	0	1	t	\N
greatest(won_deals * leads-leads * direct_cost, leads)	0	156.375	1251	8	f	\N
0.5 / 2 - - won_deals	0	7.2500000000000000	29	4	t	\N
target(revenue) * (won_deals)-0.001 / revenue - greatest(year_ago(0.3333333333333333333), days() / 0.3333333333333333333)	0	10406.9999991899948160	14275628798888888887448568889	1371733333333333333196160	t	\N
- (sum_last(quotes_sent,1) / (leads-leads)) * (sum_last(100 * 1.25, 1) - 12345678901234567890)	0	\N	\N	\N	\N	not available
1.25/100 / greatest(revenue, (2), won_deals)	0	0.0000101250648004	5	493824	t	\N
nullif(quotes_sent, -(revenue - (revenue - 2)))	0	\N	\N	\N	\N	not available
(days()+direct_cost) / (revenue * revenue)	0	-0.0000092675311240	-70625	7620691968	t	\N
prior(prior(leads + revenue))	2	8	8	1	f	\N
((leads + won_deals) + greatest(days(),target(revenue),leads)) * (prior(1.25)-won_deals * revenue)	0	-13047411.7	-130474117	10	f	\N
prior((7)) + -direct_cost	0	52.125	417	8	f	\N
-revenue * (won_deals * 7) - greatest(- quotes_sent,revenue+days(),-3)	0	\N	\N	\N	\N	not available
(1-direct_cost+((revenue) - revenue)) - won_deals	0	39.125	313	8	f	\N
(0.5 - 0.5) * (7 * leads)	0	0	0	1	f	\N
prior((prior(direct_cost - won_deals)))	2	997.001	997001	1000	f	\N
-won_deals / (100+leads)	0	-0.0679611650485437	-7	103	t	\N
((leads) - days() - direct_cost / direct_cost + (1.25 + (direct_cost)) * (0.001)) / (nullif(won_deals + leads, direct_cost - won_deals) - revenue)	0	0.0237178047625269	232351	9796480	t	\N
0.5+mean_last(0, 2)	1	0.5000000000000000	1	2	t	\N
nullif(days(),- prior(quotes_sent * won_deals))	1	31	31	1	f	\N
sum_last(((sum_last(1.25, 2) - mean_last(7, 3)) * ((leads-target(revenue)) * (days()*(leads)))), 3)	4	\N	\N	\N	\N	not computed
-(3 + 0.3333333333333333333 + - direct_cost)	0	-48.4583333333333333333	-484583333333333333333	10000000000000000000	f	\N
(((days()+direct_cost) * (won_deals + 12345678901234567890))+(leads)) / (revenue - ((nullif(direct_cost, won_deals)) - won_deals))	0	-135528676000682584.7368431278828929	-34876542895987654308425	257337	t	\N
direct_cost + 7+3 / won_deals	0	-37.6964285714285714	-2111	56	t	\N
mean_last(direct_cost, 2) * 0.5 - prior(days() * won_deals)	1	-8.1562500000000000	-261	32	t	\N
mean_last(revenue/revenue,1)	0	1.0000000000000000	1	1	t	\N
(revenue + direct_cost) * (revenue - 1)	0	1467239.4386	7336197193	5000	f	\N
(mean_last(direct_cost, 3)) / (revenue * 1)	2	0.2611931916364265	60461	231480	t	\N
year_ago(revenue + leads)	2	8	8	1	f	\N
(7 + won_deals) * least(direct_cost,direct_cost,(won_deals))	0	-631.75	-2527	4	f	\N
least(nullif(leads-leads,mean_last(won_deals, 1)), sum_last(won_deals, 3)*prior((won_deals)), (7) * direct_cost / revenue)	2	-0.2558603875064800	-63175	246912	t	\N
(least(1.25,won_deals,(100))+mean_last(revenue, 2)) * (prior(days())/((0.5)/revenue))	1	82853543.8080000000000000	10356692976	125	t	\N
nullif(prior(0)-(leads - leads), leads) - prior((0.001-quotes_sent)/mean_last(0,3))	3	\N	\N	\N	\N	not computed
won_deals * leads+- (((2-revenue) - (0.001)*direct_cost) / (won_deals * leads / (1.25 / target(revenue))))	0	21.0489093204365079	4243460119	201600000	t	\N
prior(least(1.25 / won_deals, leads/days()))	1	\N	\N	\N	\N	zero denominator
prior(greatest(- leads, direct_cost * direct_cost)-(leads))	1	151.25	605	4	f	\N
greatest(prior(greatest(leads, won_deals)),- 7 + prior((2)))	1	5	5	1	f	\N
sum_last(leads / leads,1)	0	1.0000000000000000	1	1	t	\N
days()/revenue*(direct_cost / leads)/- (leads * 100)	0	0.0012589955575716	11191	8888832	t	\N
leads - (target(revenue)-(2)) + won_deals/leads/(revenue * leads)	0	-1494.9993699959679742	-415274945	277776	t	\N
prior(prior(won_deals - quotes_sent + won_deals * (won_deals)))	2	10	10	1	f	\N
year_ago(prior(year_ago(revenue*won_deals)/(mean_last(days(), 1) / year_ago(0.5))))	5	\N	\N	\N	\N	not computed
(won_deals*leads * (revenue-100)/(((direct_cost) - direct_cost) / (leads + 3))) * (- (won_deals+leads)+revenue)	0	\N	\N	\N	\N	zero denominator
greatest(won_deals, 100) / (days()-1)	0	3.3333333333333333	10	3	t	\N
0.001 + (direct_cost / direct_cost-nullif(direct_cost, (won_deals)))	0	46.1260000000000000	23063	500	t	\N
(won_deals - prior(12345678901234567890)) - (leads+100)*target(revenue)	0	-12345678901234722383	-12345678901234722383	1	f	\N
prior(nullif((direct_cost/leads + (revenue * 2)), least((revenue+direct_cost), (revenue)-direct_cost, (direct_cost * 7)))-(sum_last((leads), 1) - - - days()))	1	2027.5000000000000000	4055	2	t	\N
days() * (won_deals+revenue+(revenue + 2))	0	76821.72	1920543	25	f	\N
(won_deals-direct_cost) / (revenue/leads) + 7	0	7.1266645606531882	586553	82304	t	\N
nullif(sum_last((won_deals)/1, 2), won_deals/revenue - 1.25 / leads)	1	7.0000000000000000	7	1	t	\N
- 3	0	-3	-3	1	f	\N
mean_last(0.001+direct_cost,2)	1	-16.3115000000000000	-32623	2000	t	\N
- (1.25 + - nullif(revenue, revenue))	0	\N	\N	\N	\N	zero denominator
leads + (won_deals)	0	10	10	1	f	\N
mean_last(- least(direct_cost, won_deals/direct_cost, (least(leads,won_deals))), 2)	1	22.5625000000000000	361	16	t	\N
year_ago(least(0.5,revenue,won_deals)/prior(days())+(2 - leads)/year_ago(quotes_sent)) / leads	4	\N	\N	\N	\N	not computed
1.25-days() + leads * 7	0	-8.75	-35	4	f	\N
sum_last(-direct_cost, 2)*mean_last(won_deals,3)	2	108.7500000000000000	435	4	t	\N
-least(won_deals - 0.3333333333333333333 - ((won_deals) + target(revenue)), (target(revenue)) / 7+revenue * 1, revenue/direct_cost + nullif((100), won_deals))	0	1500.3333333333333333	15003333333333333333333	10000000000000000000	t	\N
(won_deals) / leads/(revenue/won_deals) + 0.001	0	0.0142300846725419	164699	11574000	t	\N
leads * 3 / - direct_cost	0	0.1994459833795014	72	361	t	\N
sum_last(1*(won_deals), 3)/(leads * (leads)*((direct_cost) * leads))	2	-0.0082076536370165	-80	9747	t	\N
revenue/days()/((direct_cost)*100) / leads / leads	0	-0.0009805975039466	-20576	20983125	t	\N
leads * revenue - won_deals * (100) - prior((leads))*((direct_cost) - direct_cost)	1	3003.68	75092	25	f	\N
sum_last(greatest(won_deals,won_deals,0), 3) * (((target(revenue)) + revenue)/- won_deals) / (revenue / (3 - leads+leads))	2	-9.4928904687847145	-85455	9002	t	\N
- prior(direct_cost)	1	-12.5	-25	2	f	\N
-- 1.25 / (direct_cost + (leads) + (leads-7))	0	-0.0271002710027100	-10	369	t	\N
mean_last((2) / sum_last(0, 1), 1) + (sum_last(revenue + quotes_sent, 2) + (prior(revenue)))	1	\N	\N	\N	\N	zero denominator
(direct_cost)-(revenue)	0	-1279.685	-255937	200	f	\N
won_deals * revenue + (direct_cost+leads)+100	0	8699.795	1739959	200	f	\N
1	0	1	1	1	f	\N
(nullif(0/leads,revenue * direct_cost)) - (- 3+(0 - revenue))	0	1237.5600000000000000	30939	25	t	\N
leads / (sum_last(won_deals, 1) + 100 * won_deals)	0	0.0042432814710042	3	707	t	\N
mean_last(revenue,2)	1	1117.2800000000000000	27932	25	t	\N
- (won_deals+direct_cost) - least(leads * target(revenue), 2*direct_cost, nullif(direct_cost,target(revenue)))	0	128.375	1027	8	f	\N
0 * ((greatest(direct_cost,2)) / (direct_cost*direct_cost))	0	0.0000000000000000	0	1	t	\N
- sum_last(0.001, 2)	1	-0.002	-1	500	f	\N
7/3 / (2 + 0.5)	0	0.9333333333333333	14	15	t	\N
mean_last(direct_cost,3) / revenue * (days() * won_deals + target(revenue)*(leads))	2	1232.0482849490236738	285194537	231480	t	\N
- greatest((leads), won_deals, 7) / (days() * direct_cost + prior(leads))/(days() - 7 - prior(1)-0.001*days()*greatest(100, leads, revenue))	1	-0.0003288489776723	-25000	76022739	t	\N
sum_last(least(7, (revenue), revenue), 2) / 0.5	1	28.0000000000000000	28	1	t	\N
leads - 3 + greatest((revenue), direct_cost)	0	1234.56	30864	25	f	\N
nullif(prior(leads) / (won_deals/direct_cost) * ((leads - leads)*(direct_cost*direct_cost)),target(revenue)*(days()*nullif(7,won_deals)))	1	\N	\N	\N	\N	zero denominator
(revenue/100 * (days() / 0.001) - (nullif(0 + revenue, won_deals + won_deals))) / - (won_deals * (leads / 12345678901234567890))	0	-224267511209105608261525.0285714285714286	-7849362892318696289153376	35	t	\N
days() / year_ago(mean_last(leads, 2))	3	\N	\N	\N	\N	not computed
12345678901234567890 + 0	0	12345678901234567890	12345678901234567890	1	f	\N
(greatest(revenue + leads, target(revenue) / leads, 100)-- (won_deals * direct_cost)) / - year_ago(0.3333333333333333333 - 1.25)	0	1005.4745454545454545	9216850000000000000000	9166666666666666667	t	\N
sum_last(prior(nullif(prior(days()),(won_deals)*(won_deals))),2)	3	\N	\N	\N	\N	not computed
(1.25 / 2 / (leads * direct_cost) + year_ago(revenue) / sum_last(leads,2)) * (- prior(0.3333333333333333333) - ((days())-revenue+leads / 0.3333333333333333333))	2	-5.5135118497999384	-13269185185185185183848637037037037037037	2406666666666666666426000000000000000000	t	\N
(prior(year_ago(leads))) - sum_last(sum_last(target(revenue), 3),3)	4	\N	\N	\N	\N	not computed
greatest(leads, (won_deals + 12345678901234567890) - least(direct_cost, 100), leads + direct_cost - 0.001 / 100)	0	12345678901234567942.1250000000000000	98765431209876543537	8	t	\N
year_ago(nullif(0.5 + revenue, (won_deals)+(0.5)))	2	0.5	1	2	f	\N
2	0	2	2	1	f	\N
days() / prior(prior(won_deals / leads) / ((- direct_cost) + 1.25))	2	-930.0000000000000000	-930	1	t	\N
sum_last(12345678901234567890, 3)/(leads / revenue)	2	15241481344308148134278.4000000000000000	76207406721540740671392	5	t	\N
revenue-(direct_cost-target(revenue)) + (-revenue / (leads * won_deals))	0	2720.8964285714285714	761851	280	t	\N
revenue/revenue*(revenue - days()) / (0 / 0.3333333333333333333 + won_deals)	0	171.9371428571428571	30089	175	t	\N
leads-revenue - won_deals	0	-1238.56	-30964	25	f	\N
prior(1+won_deals - (won_deals-leads)) - prior(leads - won_deals) / prior(direct_cost)	1	5.6000000000000000	28	5	t	\N
year_ago(direct_cost)	2	1000.001	1000001	1000	f	\N
revenue / (leads * revenue) / (leads / prior(leads))	1	0.5555555555555556	5	9	t	\N
greatest(1 - 7 - leads / leads, direct_cost + (3 + (direct_cost)), (won_deals+2) / (days() * leads)) * (won_deals-(0.5/(won_deals-100)))	0	0.6779396462018730	1303	1922	t	\N
(direct_cost+revenue) * ((leads)+direct_cost)/target(revenue)	0	-33.4032995833333333	-80167919	2400000	t	\N
(won_deals*revenue)-(leads - direct_cost)+(direct_cost / 100-days()/direct_cost)	0	8594.0307306094182825	99278243	11552	t	\N
3 - revenue - leads	0	-1234.56	-30864	25	f	\N
prior(direct_cost / (direct_cost)) / ((leads - leads) / ((won_deals) / won_deals))	1	\N	\N	\N	\N	zero denominator
12345678901234567890-won_deals+leads-(revenue / year_ago(2))+(revenue-days())	0	12345678901234568472.2800000000000000	308641972530864211807	25	t	\N
year_ago(year_ago(revenue) + (revenue+leads))	4	25	25	1	f	\N
- (sum_last(direct_cost, 2) / (direct_cost+0.001))	1	-0.7230077120822622	-1125	1556	t	\N
mean_last((direct_cost+2) * ((revenue) / (won_deals)), 1) / ((0.001 + revenue-direct_cost) / (least(revenue, leads) / revenue))	0	-0.0144427170861781	-43125	2985934	t	\N
prior(nullif(revenue,revenue))	1	\N	\N	\N	\N	zero denominator
- greatest(revenue - year_ago(year_ago(revenue)),(prior(days() / quotes_sent)/(direct_cost + direct_cost * won_deals)))	4	-1217.5600000000000000	-30439	25	t	\N
sum_last(direct_cost, 2)	1	-32.625	-261	8	f	\N
((direct_cost + direct_cost)/(days() + won_deals)/(nullif(leads, leads) + prior((0))))-(- (((leads) - 0.5)*(- 2)))	0	\N	\N	\N	\N	zero denominator
(prior(1)/prior(1) - (direct_cost - won_deals - (revenue + won_deals)))/((greatest(0, days()) - (revenue - leads))/(((0.5) + won_deals)/(won_deals / days())))	0	-35.8183160358499367	-17200815	480224	t	\N
mean_last(days() + won_deals + direct_cost * revenue,2)	1	-21570.7600000000000000	-539269	25	t	\N
- (direct_cost) + mean_last(revenue,3)	2	789.9783333333333333	473987	600	t	\N
- leads + revenue * revenue	0	1524135.3936	952584621	625	f	\N
mean_last((mean_last(revenue, 3)) + (greatest(7,0.5,days())), 3) / ((0.5 - 1)/prior(won_deals)/- (direct_cost / (revenue)))	4	\N	\N	\N	\N	not computed
12345678901234567890/leads*(leads / 0.001) * ((12345678901234567890) * days()/leads) + - ((7-direct_cost)/(target(revenue)+won_deals))	0	1574963137834679797519687065375196871699999.9654114134041141	18987755589734899638897347260163373485215199583	12056	t	\N
-1	0	-1	-1	1	f	\N
sum_last(leads * 0,3)	2	0	0	1	f	\N
year_ago(year_ago((0.3333333333333333333/revenue)+prior(days())))	5	\N	\N	\N	\N	not computed
direct_cost * 0.5/(days() + 1.25)-(0.3333333333333333333 + won_deals - (0.001 - leads))	0	-11.0319457364341085	-14231209999999999999957	1290000000000000000000	t	\N
0 * mean_last(days(), 2)+year_ago(won_deals - won_deals)	2	0.0000000000000000	0	1	t	\N
(2 - days()) / prior(days())	1	-0.9666666666666667	-29	30	t	\N
prior(days()+leads-won_deals / won_deals) - ((mean_last(leads - (1), 2)) + (direct_cost+target(revenue) + days()/target(leads)))	1	\N	\N	\N	\N	zero denominator
least(100,mean_last(- 0.001*(won_deals / direct_cost),3))	2	0.0000507082189132	6864632	135375135375	t	\N
nullif(((leads * direct_cost - days() + - (100 * won_deals)) / won_deals), direct_cost*year_ago((sum_last(direct_cost - (days()), 3))))	4	\N	\N	\N	\N	not computed
least(year_ago(won_deals / 1.25),prior(days()) * leads)	2	2.4000000000000000	12	5	t	\N
((year_ago(12345678901234567890)) / -revenue + won_deals/(leads)/(greatest(direct_cost, 2, days()))) * (prior(3/revenue)+prior(revenue/2))	1	-5000061955396244493.7803393472298868	-2391989638965920195868564101	478392000	t	\N
((1)+revenue) + days() / 12345678901234567890 - (100 + revenue + (revenue - revenue))	0	-99.0000000000000000	-1222222211222222221079	12345678901234567890	t	\N
least(prior(1)/greatest(direct_cost - (won_deals), 2*100),7 / mean_last(0, 1),(won_deals-direct_cost) * (1*revenue) * (won_deals))	0	\N	\N	\N	\N	zero denominator
direct_cost/days() * leads/won_deals	0	-0.6238479262672811	-1083	1736	t	\N
((revenue) - direct_cost - (direct_cost - revenue))*(won_deals / 12345678901234567890 - (12345678901234567890+leads))	0	-31597160209452716028307.4099999999999985	-39008839413676881622814259203248565941714931	1234567890123456789000	t	\N
year_ago(revenue)	2	0	0	1	f	\N
((2-won_deals) * (won_deals / 7))*(0) / (direct_cost + days() * 0 - (direct_cost-2)/((won_deals)/1))	0	0.0000000000000000	0	1	t	\N
- 0-(0.5-3)	0	2.5	5	2	f	\N
mean_last(12345678901234567890, 2) * ((won_deals) / won_deals)/((leads + leads) / (0/1.25))	1	\N	\N	\N	\N	zero denominator
(revenue - 3) / -days()	0	-39.7277419354838710	-30789	775	t	\N
(direct_cost-direct_cost - (revenue - 100)) / prior(7*leads)	1	-32.4160000000000000	-4052	125	t	\N
mean_last(direct_cost - won_deals + 0.5-(target(revenue) / revenue-year_ago(7))-greatest(year_ago(direct_cost) / (won_deals - won_deals), 1.25),1)	2	\N	\N	\N	\N	zero denominator
leads * direct_cost + sum_last((revenue), 3)	2	2099.185	419837	200	f	\N
mean_last(prior(prior((won_deals - direct_cost))), 3)	4	\N	\N	\N	\N	not computed
sum_last((revenue) + 2,1) / (100 / 1-7 * 7)/((days() - 1.25)/sum_last(days(),3) / 0.5)	2	36.2675366617235129	5502692	151725	t	\N
0.5 * won_deals/(0 * (leads))	0	\N	\N	\N	\N	zero denominator
(100 + prior(direct_cost)) * direct_cost	1	-5076.5625	-81225	16	f	\N
least(least(direct_cost,won_deals,0.5)*(3), (revenue * nullif(12345678901234567890, direct_cost)))	0	-135.375	-1083	8	f	\N
(leads) / won_deals / least(won_deals,leads,revenue)/- (direct_cost / days())	0	0.0981400870597546	248	2527	t	\N
3 / revenue / (revenue / 2) / (revenue+won_deals + least(100,revenue,won_deals))	0	0.0000000031529525	15625	4955672481024	t	\N
0.3333333333333333333 / target(revenue)/(days() / 0) / (revenue / target(revenue)-(0 - 12345678901234567890))	0	\N	\N	\N	\N	zero denominator
least(- ((won_deals) / revenue),mean_last((revenue / leads), 3)) + sum_last(direct_cost / won_deals*sum_last(revenue, 2),1)	2	-14404.9370986077168037	-77803946257	5401200	t	\N
greatest(prior(100) / ((0.001) * (100)),prior(0.3333333333333333333*direct_cost))	1	1000.0000000000000000	1000	1	t	\N
leads / won_deals * prior((leads))/direct_cost / - won_deals	1	0.0067838769856973	120	17689	t	\N
sum_last((((won_deals)-direct_cost)/(1 * won_deals)), 2)+days()	1	\N	\N	\N	\N	zero denominator
revenue / 0.3333333333333333333 * mean_last(leads, 2) - 0.5	1	14814.2200000000000015	32920488888888888888889	2222222222222222222	t	\N
(revenue / won_deals/(leads + direct_cost)) - nullif(least(won_deals, direct_cost), (prior(leads)))	1	40.9382768122085630	19314679	471800	t	\N
12345678901234567890	0	12345678901234567890	12345678901234567890	1	f	\N
(leads + revenue) / - revenue-revenue / (revenue) / (target(revenue)/(won_deals))	0	-1.0070966822187662	-3885379	3858000	t	\N
-(least(100, 0.5, leads) - 2*7 + (2))	0	11.5	23	2	f	\N
((leads-leads)-(3 - 0.001)) / ((target(revenue) - days())-12345678901234567890)	0	0.0000000000000000	2999	12345678901234566421000	t	\N
mean_last(12345678901234567890, 3) * (days()*days())/least(0.001 + 100,leads / 100)	2	395473247469547324743000.0000000000000000	395473247469547324743000	1	t	\N
least(target(revenue) / revenue,(3)*won_deals)-(- leads + 0 / 3)-year_ago(won_deals/(leads * direct_cost))	2	4.2146327764247663	10840046341	2572002572	t	\N
0.5 / sum_last(direct_cost-0.3333333333333333333, 3)*(prior(days()*100)+- (won_deals+revenue))	2	0.9098115019412734	8792200000000000000000	9663760000000000000001	t	\N
- prior(direct_cost / quotes_sent)	1	-3.1250000000000000	-25	8	t	\N
least(7*(days()) / least(0.5, direct_cost, days()), 1.25 / (won_deals*direct_cost), prior(quotes_sent * direct_cost))	1	-4.8088642659279778	-1736	361	t	\N
(prior(won_deals/won_deals) + mean_last(revenue + 0,3)) / leads	2	\N	\N	\N	\N	zero denominator
(won_deals + direct_cost)/((direct_cost)*won_deals) - (leads / target(revenue)) / (leads*12345678901234567890)	0	0.1206964780371983	5648148097314814809672473	46796295875129629587045000	t	\N
prior(year_ago(3 / (direct_cost+(direct_cost)) / revenue))	3	\N	\N	\N	\N	not computed
(revenue / days() + -days())/year_ago(prior(leads))	3	\N	\N	\N	\N	not computed
- (revenue*(0.3333333333333333333))+(won_deals-direct_cost+(won_deals - won_deals))	0	-359.394999999999999958848	-5615546874999999999357	15625000000000000000	f	\N
mean_last(revenue,3)/(1 / direct_cost) - (- 1 / (revenue+(2)))+won_deals	2	-33604.5058579715770633	-77913727057	2318550	t	\N
(won_deals) + won_deals+days()-(prior(3))	0	42	42	1	f	\N
(1 - leads)/won_deals - days()	0	-31.2857142857142857	-219	7	t	\N
(revenue-won_deals) / (revenue / 0.5)	0	0.4971649818558839	30689	61728	t	\N
prior(leads * revenue)	1	5000	5000	1	f	\N
(days() + days()) / (direct_cost/leads)	0	-4.1218836565096953	-1488	361	t	\N
greatest(direct_cost * target(revenue)+direct_cost / 1.25, greatest(prior(0.001), (revenue) * (100), direct_cost / direct_cost))	0	123456.0000000000000000	123456	1	t	\N
(revenue)*((leads)/days()) / (won_deals / won_deals-(won_deals - 1.25))	0	-25.1523259762308998	-370368	14725	t	\N
year_ago(greatest(revenue - (days()),revenue/won_deals,(days())+direct_cost))	2	1028.0010000000000000	1028001	1000	t	\N
won_deals + revenue+prior(leads)	1	1246.56	31164	25	f	\N
(prior(revenue)) - ((0.3333333333333333333)*won_deals-leads*won_deals)	1	1018.6666666666666666669	10186666666666666666669	10000000000000000000	f	\N
year_ago(prior(revenue*(- 0.3333333333333333333 - leads * (days()))))	3	\N	\N	\N	\N	not computed
(leads - (0.5+0.001)) * greatest(leads,100 - 12345678901234567890) / sum_last(days() * direct_cost * nullif(3, 7),1)	0	-0.0017864355285497	-2499	1398875	t	\N
least(- revenue,(leads+direct_cost),direct_cost - revenue)/(days() / direct_cost + prior(leads))	1	-296.7028163134232498	-92393257	311400	t	\N
mean_last(prior(greatest(days(), revenue / revenue)) - revenue / (leads + direct_cost)/- (least(1.25, 2)), 1)	1	6.5543501483679525	276102	42125	t	\N
(- leads)*(7 + - won_deals/greatest(0.3333333333333333333, 1)/(leads + leads + target(revenue)))	0	-20.9860557768924303	-10535	502	t	\N
((days() - won_deals) * ((1.25) + direct_cost)) - (1.25+won_deals) * (1 - revenue)	0	9123.87	912387	100	f	\N
(0.3333333333333333333 + (won_deals - target(revenue)-(leads + revenue))) * nullif(prior(0.3333333333333333333)/(target(revenue)),mean_last(2, 2) + (100-0.001))	1	-0.6067170370370370	-30335851851851851848818637037037037037037	50000000000000000000000000000000000000000	t	\N
revenue-greatest(prior(direct_cost), (1 / 0.5))	1	1222.0600000000000000	61103	50	t	\N
direct_cost/(prior(100)/(days() + revenue))	0	-571.0839500000000000	-11421679	20000	t	\N
(1.25 - won_deals) * (100 - revenue) + 7/won_deals / (leads / won_deals)	0	6526.0533333333333333	489454	75	t	\N
year_ago(-(revenue / won_deals)) - (7 / 0.001 / (3 + direct_cost)-(leads+won_deals) / sum_last(direct_cost,3))	2	166.1824440671149958	3386026625	20375357	t	\N
nullif(won_deals * 100 - (revenue - revenue),won_deals) * (-(7 + 1.25) / leads)	0	-1925.0000000000000000	-1925	1	t	\N
\.

CREATE TEMP VIEW evaluated AS
WITH rows AS (
	SELECT ARRAY[
		jsonb_populate_record(NULL::kpi_fact, '{"revenue": 1234.56, "direct_cost": -45.125, "won_deals": 7, "leads": 3, "days": 31}'),
		jsonb_populate_record(NULL::kpi_fact, '{"revenue": 1000, "direct_cost": 12.5, "won_deals": 0, "leads": 5, "quotes_sent": 4, "days": 30}'),
		jsonb_populate_record(NULL::kpi_fact, '{"revenue": 0, "direct_cost": 1000.001, "won_deals": 3, "leads": 8, "quotes_sent": 2, "days": 28}'),
		NULL,
		jsonb_populate_record(NULL::kpi_fact, '{"revenue": 17, "direct_cost": 3, "won_deals": 1, "leads": 1, "quotes_sent": 1, "days": 31}')
	] AS facts
)
SELECT v.*, e.value AS got, e.numerator, e.denominator, e.reason AS got_reason, c.canonical, to_jsonb(e) AS got_all, to_jsonb(again) AS got_again
FROM rows, vector v, kpi_formula_expand(v.formula, '{}', '{}') c(canonical),
	kpi_evaluate(v.formula, facts, 2, '{revenue,leads}', '{1500,NULL}') e,
	kpi_evaluate(c.canonical, facts, 2, '{revenue,leads}', '{1500,NULL}') again;

SELECT reason, is_ratio, count(*) FROM evaluated GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2;

-- wrong values, fractions, kinds or reasons
SELECT formula, value, got, n, d, numerator, denominator, is_ratio, reason, got_reason
FROM evaluated
WHERE got IS DISTINCT FROM value
   OR got_reason IS DISTINCT FROM reason
   OR (value IS NULL AND denominator <> 0)
   OR (value IS NOT NULL AND (numerator * d IS DISTINCT FROM n * coalesce(denominator, 1)
							  OR (denominator IS NOT NULL) IS DISTINCT FROM is_ratio
							  OR denominator <= 0
							  OR (is_ratio AND scale(got) <> 16)));

-- wrong reach
SELECT formula, reach, kpi_formula_reach(formula, 2) FROM vector WHERE kpi_formula_reach(formula, 2) <> reach;

-- the canonical form is another spelling of the same formula, never longer, and its own
SELECT formula, canonical, got_all, got_again
FROM evaluated
WHERE got_all <> got_again
   OR kpi_formula_expand(canonical, '{}', '{}') <> canonical
   OR length(replace(canonical, ' ', '')) > length(replace(formula, ' ', ''));

-- a formula put together from KPIs is worth what it is worth in one piece
SELECT count(*) AS pairs, count(*) FILTER (WHERE e.value IS DISTINCT FROM whole.value OR e.reason IS DISTINCT FROM whole.reason) AS different
FROM (SELECT facts FROM given) g,
	(SELECT formula AS a, lead(formula) OVER (ORDER BY formula COLLATE "C") AS b FROM vector) v,
	unnest(ARRAY['+', '-', '*', '/']) o,
	kpi_evaluate(kpi_formula_expand(format('a %s prior(b) %s -a', o, o), '{a,b}', ARRAY[a, b]), facts, 2, NULL, NULL) e,
	kpi_evaluate(format('(%s) %s prior(%s) %s -(%s)', a, o, b, o, a), facts, 2, NULL, NULL) whole
WHERE b IS NOT NULL;
