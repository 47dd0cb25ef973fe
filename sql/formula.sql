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
SELECT * FROM kpi_formula_names('coalesce(a, setting(a), target(a), 1) + sum_months(b, 6)');
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
SELECT kpi_formula_reach('1 + if_null(a, 0)', 12);
SELECT kpi_formula_reach('coalesce(a)', 12);
SELECT kpi_formula_reach('coalesce + 1', 12);
SELECT kpi_formula_reach('setting(a + b)', 12);
SELECT kpi_formula_reach('setting(37)', 12);
SELECT kpi_formula_reach('setting(a, b)', 12);
SELECT kpi_formula_reach('sum_months(a)', 12);
SELECT kpi_formula_reach('sum_months(a, 0)', 12);
SELECT kpi_formula_reach('sum_months(a, b)', 12);
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
	'least(a, b, c + d)', 'greatest(a, -b)', 'nullif(a, 0)', 'coalesce(a, b - c, -1)', 'setting(a)', 'sum_months(a - b, 6)', '-sum_months(prior(a), 1000) / 2'
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
	'smooth', 'prior(prior(profit))', 'attainment', 'target(profit)', 'setting(profit)', 'sum_months(profit, 6)', 'coalesce(growth, profit)', 'mean(profit)', 'cycle', 'quantile(profit, 0.5)', 'least(profit, margin)'])
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
-- fourteen doublings: 64 kB; forty: a trillion names, and as many values are too many, also where functions make them
SELECT kpi_formula_expand('k14', array_agg('k' || i), array_agg(format('k%s + k%s', i - 1, i - 1))) FROM generate_series(1, 14) i;
SELECT kpi_formula_reach(f, 12) FROM (SELECT repeat('sum_last(', 4) || 'a + b' || repeat(', 12)', 4)) v(f);
SELECT kpi_formula_reach(f, 12) FROM (SELECT repeat('mean_last(', 5) || 'a' || repeat(', 12)', 5)) v(f);
SELECT kpi_formula_expand('a', '{a,b}', ARRAY['sum_months(sum_last(b, 100), 100)', 'sum_last(c, 11)']);
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
SELECT f, kpi_formula_reach(f, 12) AS reach, kpi_formula_months(f) AS months
FROM (VALUES ('sum_months(a, 6)', 0, 6), ('prior(sum_months(a, 6))', 1, 6), ('sum_months(prior(a), 6)', 0, 7), ('sum_months(1, 12)', 0, 12), ('sum_months(year_ago(a), 1)', 0, 13),
	('sum_months(sum_months(a, 3), 6)', 0, 8), ('sum_months(sum_last(a, 3), 6)', 0, 8), ('sum_months(prior(sum_months(a, 3)), 6)', 0, 9), ('coalesce(year_ago(a), sum_months(a, 2))', 12, 2),
	('sum_months(a, 1) / sum_months(b, 12) - sum_months(c, 6)', 0, 12), ('coalesce(setting(a), 1)', 0, 0), ('sum_last(a, 5)', 4, 0)) v(f, reach, months)
WHERE (kpi_formula_reach(f, 12), kpi_formula_months(f)) IS DISTINCT FROM (v.reach, v.months);
SELECT kpi_formula_months('sum_months(a,');
SELECT kpi_formula_months(NULL) AS unknown;
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

-- ---------- coalesce, settings ----------
SELECT f, e.*
FROM given, (VALUES
	-- the facts again: of direct_cost 700.50, 500.25, none, not computed; calls are never there
	(1, 'coalesce(revenue, 1)'), (2, 'coalesce(calls, revenue)'), (3, 'coalesce(calls, emails, 7)'), (4, 'coalesce(revenue / lost_deals, 7)'), (5, 'coalesce(calls, revenue / won_deals)'),
	-- a ratio if any operand is one, whichever it takes
	(10, 'coalesce(revenue, revenue / won_deals)'), (11, 'coalesce(calls, 5, 1 / 3)'), (12, 'coalesce(revenue, nullif(1, 1 / 2))'), (13, 'coalesce(prior(calls), mean_last(5, 2))'),
	(14, 'coalesce(revenue, mean(sales_cycle))'),
	-- shifts within: each period has its own choice
	(20, 'coalesce(direct_cost, 1)'), (21, 'prior(prior(coalesce(direct_cost, 1)))'), (22, 'sum_last(coalesce(direct_cost, 1), 3)'), (23, 'prior(prior(prior(coalesce(direct_cost, 1))))'),
	-- why NULL: the first reason that says more than "not available"
	(30, 'coalesce(calls, emails)'), (31, 'coalesce(calls, revenue / lost_deals)'), (32, 'coalesce(revenue / lost_deals, calls)'), (33, 'coalesce(calls, target(leads), revenue / lost_deals)'),
	(34, 'coalesce(prior(prior(prior(revenue))), target(leads))'), (35, '1 + coalesce(calls, setting(unheard_of))'),
	-- and what was divided by zero elsewhere is not told
	(40, 'coalesce(1 / 0, calls) / nullif(calls, 0)'), (41, 'sum_last(revenue / nullif(coalesce(nullif(won_deals, 4), calls), 0), 1)'), (42, 'revenue / coalesce(lost_deals / lost_deals, 0)'),
	(43, 'sum_last(coalesce(1 / nullif(direct_cost - 700.50, 0), direct_cost), 3)'),
	-- settings
	(50, 'setting(margin_default)'), (51, 'revenue * setting(margin_default) / 100'), (52, 'prior(setting(margin_default))'), (53, 'sum_last(setting(margin_default), 2)'),
	(54, 'setting(week_start)'), (55, 'setting(unheard_of)'), (56, 'coalesce(setting(week_start), setting(margin_default))'), (57, 'target(margin_default)')
) v(i, f), kpi_evaluate(f, facts, 4, NULL, NULL, NULL, '{week_start,margin_default}', '{NULL,37.5}') e
ORDER BY i;

-- ---------- sums over months ----------
-- Months of 2024: June is running, March and January were not computed.
CREATE TEMP TABLE given_months AS
SELECT array_agg(CASE WHEN n NOT IN (1, 3) THEN jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('period', make_date(2024, n, 1), 'period_end', make_date(2024, n + 1, 1), 'is_complete', n < 6,
	'days', CASE n WHEN 6 THEN 15 ELSE make_date(2024, n + 1, 1) - make_date(2024, n, 1) END, 'revenue', n * 100, 'won_deals', n, 'lost_deals', n - 4)) END ORDER BY n DESC) AS months
FROM generate_series(1, 6) n;

SELECT what, f, e.value, e.reason
FROM given_months, (VALUES
	(1, 'the running quarter', '2024-04-01', 76, 'sum_months(revenue, 1)'), (2, 'two months of it', '2024-04-01', 76, 'sum_months(revenue, 2)'),
	(3, 'and one not computed', '2024-04-01', 76, 'sum_months(revenue, 3)'),
	(4, 'the month itself is running', '2024-06-01', 15, 'sum_months(revenue, 1)'), (5, 'on its last day too', '2024-06-01', 30, 'sum_months(revenue, 1)'),
	(6, 'a complete month', '2024-05-01', 31, 'sum_months(revenue, 1)'), (7, 'a month cut', '2024-05-01', 15, 'sum_months(revenue, 1)'), (8, 'a week into June', '2024-05-27', 7, 'sum_months(revenue, 2)'),
	(9, 'a week that ends with May', '2024-05-25', 7, 'sum_months(revenue, 1)'), (10, 'one that ends a day before', '2024-05-24', 7, 'sum_months(revenue, 1)'),
	(11, 'the first quarter: March is not computed', '2024-01-01', 91, 'sum_months(revenue, 1)'), (12, 'February is', '2024-02-01', 29, 'sum_months(revenue, 1)'),
	(13, 'before all months', '2023-01-01', 365, 'sum_months(revenue, 1)'), (14, 'the month before all', '2024-01-01', 20, 'sum_months(revenue, 1)'),
	(15, 'after all months', '2024-07-01', 31, 'sum_months(revenue, 1)'),
	(20, 'its operand is of the months', '2024-04-01', 76, 'sum_months(prior(revenue), 1)'), (21, 'so it is here', '2024-04-01', 76, 'sum_months(prior(revenue), 2)'),
	(22, 'ratios are added as ratios', '2024-04-01', 76, 'sum_months(1 / won_deals, 2)'), (23, 'a ratio of sums', '2024-04-01', 76, 'sum_months(won_deals, 2) / sum_months(lost_deals, 2)'),
	(24, 'one that divides by zero', '2024-04-01', 76, 'sum_months(1 / lost_deals, 2)'), (25, 'days', '2024-04-01', 76, 'sum_months(days(), 2)'),
	(26, 'within each other', '2024-04-01', 76, 'sum_months(sum_months(revenue, 1), 2)'), (27, 'a year back there are none', '2024-04-01', 76, 'sum_months(year_ago(revenue), 1)'),
	(30, 'no target for months', '2024-04-01', 76, 'sum_months(target(revenue), 1)'), (31, 'settings as everywhere', '2024-04-01', 76, 'sum_months(setting(margin_default), 2)'),
	(32, 'a measure that is not there', '2024-04-01', 76, 'sum_months(calls, 2)'), (33, 'coalesced month by month', '2024-04-01', 76, 'sum_months(coalesce(1 / lost_deals, 10), 2)'),
	(34, 'of the current period again', '2024-04-01', 76, 'sum_months(revenue, 2) + target(revenue) + revenue')
) v(i, what, period, days, f), LATERAL (SELECT ARRAY[jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('period', period, 'days', days, 'revenue', 7))] AS facts) r,
	kpi_evaluate(f, facts, 4, '{revenue}', '{0.5}', months, '{margin_default}', '{37.5}') e
ORDER BY i;
-- the period was not computed, no months are given, none of them was
SELECT (kpi_evaluate('sum_months(1, 1)', NULL, 4, NULL, NULL, months)).reason AS no_period,
	   (kpi_evaluate('sum_months(1, 1)', months[1:1], 4, NULL, NULL)).reason AS no_months,
	   (kpi_evaluate('sum_months(1, 1)', months[1:1], 4, NULL, NULL, ARRAY[NULL, NULL]::kpi_fact[])).reason AS not_one
FROM given_months;

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
SELECT kpi_evaluate('1', NULL, 12, NULL, NULL, NULL, '{a,b}', '{1}');
SELECT kpi_evaluate('setting(a)', NULL, 12, NULL, NULL, NULL, '{a}', '{NaN}');
SELECT kpi_evaluate('1', NULL, 12, NULL, NULL, ARRAY[facts, facts]) FROM given;
SELECT kpi_evaluate('1', ARRAY[facts, facts], 12, NULL, NULL) FROM given;
SELECT kpi_evaluate('revenue', ARRAY[jsonb_populate_record(NULL::kpi_fact, '{"revenue": "NaN"}')], 12, NULL, NULL);
SELECT kpi_evaluate('1 - revenue', ARRAY[jsonb_populate_record(NULL::kpi_fact, '{"revenue": "-Infinity"}')], 12, NULL, NULL);
SELECT kpi_evaluate('target(a)', NULL, 12, '{a}', '{Infinity}');
-- the limit of exact products
SELECT scale(value) FROM kpi_evaluate('revenue * direct_cost', ARRAY[jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('revenue', 1e-8191, 'direct_cost', 1e-8192))], 12, NULL, NULL);
SELECT * FROM kpi_evaluate('revenue * direct_cost', ARRAY[jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('revenue', 1e-8192, 'direct_cost', 1e-8192))], 12, NULL, NULL);
-- and of large numbers, also in an operand of coalesce and over periods
SELECT f, e.* FROM (VALUES (1, 'revenue * leads'), (2, '100 * (1 / revenue) / 3 - revenue * revenue'), (3, 'coalesce(1, 2) + coalesce(revenue * leads, 1)'),
	(4, 'sum_last(revenue * leads, 1)'), (5, 'leads * leads')) v(i, f),
	kpi_evaluate(f, ARRAY[jsonb_populate_record(NULL::kpi_fact, jsonb_build_object('revenue', 1e131071, 'leads', 10))], 12, NULL, NULL) e ORDER BY i;
\set VERBOSITY sqlstate
SELECT kpi_evaluate('nonsense', NULL, 12, NULL, NULL);
SELECT kpi_evaluate('sales_cycle', NULL, 12, NULL, NULL);
SELECT kpi_evaluate('mean(revenue)', NULL, 12, NULL, NULL);
SELECT kpi_evaluate(NULL, NULL, 12, NULL, NULL);
SELECT kpi_evaluate('1', NULL, 0, NULL, NULL);
SELECT kpi_evaluate('1', NULL, 12, '{a}', NULL);
SELECT kpi_evaluate('target(a)', NULL, 12, '{a}', '{NaN}');
\set VERBOSITY default

-- ---------- random formulas against exact fractions ----------
-- 500 formulas made at random (seed 20240229) and worked out by Python's
-- fractions.Fraction, independently of this parser: the formula, its reach, the
-- months it needs, the value (16 decimals, half away from zero, if there is a division), the
-- reduced fraction, whether it is a ratio, and the reason for NULL.
CREATE TEMP TABLE vector (formula text, reach integer, months integer, value numeric, n numeric, d numeric, is_ratio boolean, reason text);
COPY vector FROM stdin;
- nullif(3,direct_cost - direct_cost)	0	0	-3	-3	1	f	\N
greatest(leads,100,0.001)+(won_deals * revenue) - - (revenue + won_deals)	0	0	9983.48	249587	25	f	\N
setting(margin_default)	0	0	37.5	75	2	f	\N
sum_months((won_deals + direct_cost) / (quotes_sent - 1.25) + ((won_deals-won_deals)+0.001),1)	0	1	1.3694210526315789	26019	19000	t	\N
year_ago(3*revenue * (revenue)) / won_deals	2	0	0.0000000000000000	0	1	t	\N
sum_months(sum_last(prior(coalesce(direct_cost, (leads))),1), 1)	0	2	-8	-8	1	f	\N
revenue	0	0	1234.56	30864	25	f	\N
least(leads, year_ago(won_deals), 2 / days()) / (won_deals + leads-won_deals/1.25)	2	0	0.0146627565982405	5	341	t	\N
direct_cost*direct_cost / mean_last(leads, 2) / (- revenue * (direct_cost-quotes_sent))	1	0	\N	\N	\N	\N	not available
coalesce(revenue, (direct_cost))/(revenue * 1.25)	0	0	0.8000000000000000	4	5	t	\N
7	0	0	7	7	1	f	\N
sum_months((year_ago(12345678901234567890-days()-days())), 3)	0	15	\N	\N	\N	\N	not computed
(- target(revenue)) * nullif(2,won_deals) / prior(2 - leads) - days()	1	0	969.0000000000000000	969	1	t	\N
sum_last(won_deals, 3) + won_deals / 1 + won_deals*target(purchases) / (greatest(won_deals, won_deals, leads))	2	0	\N	\N	\N	\N	no target
least(1 / quotes_sent, (direct_cost) / 0.5)	0	0	\N	\N	\N	\N	not available
12345678901234567890/- (setting(margin_default) + 1.25)	0	0	-318598165193150139.0967741935483871	-9876543120987654312	31	t	\N
prior(days()) * prior(won_deals)/(coalesce(direct_cost,won_deals / won_deals,leads + leads))	1	0	0.0000000000000000	0	1	t	\N
leads	0	0	3	3	1	f	\N
- won_deals / mean_last(direct_cost,2) + (- (year_ago(1)))	1	0	-0.5708812260536398	-149	261	t	\N
- ((sum_months(leads, 1) / sum_last(target(revenue),2) * (0.001 - sum_months(won_deals,3)))/((direct_cost / leads-days()*direct_cost)/direct_cost))	1	3	\N	\N	\N	\N	no target
prior(0 + 0 - (2 + won_deals))	1	0	-2	-2	1	f	\N
year_ago(sum_last(- 100,1))	2	0	-100	-100	1	f	\N
0.3333333333333333333	0	0	0.3333333333333333333	3333333333333333333	10000000000000000000	f	\N
won_deals - year_ago(sum_months(revenue,2))	2	2	\N	\N	\N	\N	not computed
prior(target(revenue))	0	0	\N	\N	\N	\N	no target
least((leads)+0.001, (won_deals) * (revenue)) + (2 / target(revenue)-days()/0.3333333333333333333)	0	0	-89.9976666666666667	-99997407407407407407741	1111111111111111111000	t	\N
sum_months(won_deals,2)	0	2	2	2	1	f	\N
- (coalesce(won_deals, (days())) - -revenue)-(prior(0.5) / (won_deals*setting(margin_default)) + leads)	0	0	-1244.5619047619047619	-130679	105	t	\N
(target(leads)/direct_cost - ((direct_cost) + 3)) * sum_months(won_deals * 7, 3)	0	3	\N	\N	\N	\N	no target
prior(leads)	1	0	5	5	1	f	\N
year_ago(year_ago(- (revenue/leads))) + ((12345678901234567890)+1.25) * (7-2)*sum_last(revenue / target(revenue), 2)*((100 - won_deals) * won_deals)	4	0	\N	\N	\N	\N	no target
(leads * direct_cost-quotes_sent*leads) / coalesce(0.3333333333333333333*won_deals, revenue - 12345678901234567890)	0	0	\N	\N	\N	\N	not available
nullif(revenue+days(), direct_cost-0.3333333333333333333) / leads	0	0	421.8533333333333333	31639	75	t	\N
setting(history_years)	0	0	\N	\N	\N	\N	not set
mean_last(target(leads), 2)*coalesce(2, revenue)*(won_deals - 0 - (0 - 2))	1	0	\N	\N	\N	\N	no target
days() / revenue + (leads-leads)	0	0	0.0251101607050285	775	30864	t	\N
(won_deals+(leads + direct_cost)) * ((direct_cost + leads) / (direct_cost*direct_cost))	0	0	0.7266442092985781	94697	130321	t	\N
(greatest((7 - leads) / direct_cost,year_ago(3+3),year_ago(revenue - won_deals)))-- (won_deals / revenue/won_deals)	2	0	6.0008100051840332	185209	30864	t	\N
100 * revenue+(3) / direct_cost	0	0	123455.9335180055401662	44567592	361	t	\N
1	0	0	1	1	1	f	\N
quotes_sent	0	0	\N	\N	\N	\N	not available
year_ago((coalesce(target(leads), least(prior(leads),100+direct_cost,(mean_last(0.5,2))))))	3	0	\N	\N	\N	\N	no target
(quotes_sent + 100)/prior(revenue)	1	0	\N	\N	\N	\N	not available
coalesce(prior(direct_cost / days()*(1.25 - leads)),7*won_deals / (direct_cost / leads) / ((1-100)*(direct_cost/leads)))	1	0	-1.5625000000000000	-25	16	t	\N
7*year_ago(target(purchases) + (revenue+sum_months(revenue,1)))	2	1	\N	\N	\N	\N	no target
(won_deals+won_deals) * (leads * revenue) / (direct_cost * leads + revenue)*(sum_last(won_deals * (revenue / 1), 2)) / (leads*- prior(revenue-(won_deals)))	1	0	-135.8875553913126544	-31117825536	228996875	t	\N
sum_last(prior(days()), 1)	1	0	30	30	1	f	\N
- direct_cost / (direct_cost/leads) / (setting(margin_default)/leads / coalesce(direct_cost,(1.25),0))	0	0	10.8300000000000000	1083	100	t	\N
target(leads)	0	0	\N	\N	\N	\N	no target
won_deals/((3-prior(0.001))/(7+least(100, leads, won_deals)))	0	0	23.3411137045681894	70000	2999	t	\N
prior(sum_last(sum_months(greatest(sum_months(leads, 2),least(direct_cost,direct_cost)),2), 3))	3	3	\N	\N	\N	\N	not computed
setting(margin_default)-direct_cost - (prior(won_deals)) - days()/(7) * (revenue - 1)	1	0	-5380.2835714285714286	-7532397	1400	t	\N
leads / leads / (greatest(2, leads))	0	0	0.3333333333333333	1	3	t	\N
nullif(direct_cost, prior(100)/(won_deals)) + (coalesce(leads,(2),direct_cost) + (direct_cost - won_deals) - (revenue * direct_cost + 3*3))	0	0	55606.27	5560627	100	f	\N
sum_months(3, 3)/(leads - leads) / (prior(leads) / - direct_cost) / ((direct_cost)+(2+2)*(leads * direct_cost))	1	3	\N	\N	\N	\N	zero denominator
sum_months(target(leads),3)+won_deals/days()	0	3	\N	\N	\N	\N	no target
- (direct_cost*setting(margin_default))	0	0	1692.1875	27075	16	f	\N
- (0 - revenue-(setting(margin_default) + leads))	0	0	1275.06	63753	50	f	\N
(revenue+leads) / (leads / 1.25)-sum_months(days() + direct_cost, 3)	0	3	411.1500000000000000	8223	20	t	\N
(leads*direct_cost - (target(purchases)+revenue))/won_deals	0	0	\N	\N	\N	\N	no target
3+mean_last(0.5 * 0, 1) + coalesce(won_deals + direct_cost, 0.5 - leads, won_deals / direct_cost)/direct_cost	0	0	3.8448753462603878	1388	361	t	\N
(days() + target(revenue) - 7/won_deals)/(won_deals * leads+12345678901234567890)	0	0	0.0000000000000001	30	242072135318324861	t	\N
prior(days() * 100)	1	0	3000	3000	1	f	\N
mean_last((nullif(won_deals, (won_deals - 1)) / year_ago(days()+won_deals)),2)	3	0	\N	\N	\N	\N	not computed
prior(days()/0) + coalesce(0.5 * 2, direct_cost, revenue/(leads))	1	0	\N	\N	\N	\N	zero denominator
direct_cost + 12345678901234567890 + won_deals*direct_cost - coalesce((2 + 2), mean_last(revenue, 1))	0	0	12345678901234567525.0000000000000000	12345678901234567525	1	t	\N
revenue + 3	0	0	1237.56	30939	25	f	\N
sum_months(-((days())*revenue / (direct_cost * days())), 1)	0	1	-2.2222222222222222	-20	9	t	\N
(sum_months(100, 2) + (revenue-2) - (days() + days() - (direct_cost-target(revenue)))) * ((setting(margin_default) + 7+- leads) * ((3) / 2 + revenue / days()))	0	2	-299373.2875596774193548	-185611438287	620000	t	\N
(target(leads) * 1+coalesce(leads,0,12345678901234567890)) / year_ago(revenue - direct_cost)	2	0	\N	\N	\N	\N	no target
((direct_cost+1.25) / (leads * direct_cost)) / - (leads+(0.001)) + (7 - (- (direct_cost - won_deals)))	0	0	-45.2329972419165911	-392029321	8666888	t	\N
coalesce(won_deals,leads) / (revenue / leads)-(nullif(setting(history_years)/2, - won_deals))	0	0	\N	\N	\N	\N	not set
sum_last(leads + leads,2) / (sum_months(days(), 1) * (1.25/3))	1	1	1.2387096774193548	192	155	t	\N
least(target(purchases), (12345678901234567890) / (revenue)) * (days() + leads+(days()+days()))	0	0	\N	\N	\N	\N	no target
leads / (days()) / ((revenue) - (1)) / (((revenue) - setting(margin_default))/(2 * (leads)))	0	0	0.0000003932191083	7500	19073335559	t	\N
coalesce(direct_cost * (days() + leads), 1.25)	0	0	-1534.25	-6137	4	f	\N
(direct_cost + 0.3333333333333333333) / mean_last(0.3333333333333333333, 3)	2	0	-134.3750000000000000	-447916666666666666667	3333333333333333333	t	\N
year_ago(sum_months((12345678901234567890), 3)) / ((12345678901234567890) * setting(margin_default)+0.3333333333333333333 / 7)	2	3	\N	\N	\N	\N	not computed
won_deals * 12345678901234567890 / (direct_cost+quotes_sent) * sum_last(won_deals / won_deals, 1)	0	0	\N	\N	\N	\N	not available
mean_last(12345678901234567890 * revenue, 3) + sum_months(7 / direct_cost, 2)	2	2	9195720081847572008093.4805555555555556	3310459229465125922913653	360	t	\N
won_deals + -leads/(revenue*direct_cost)	0	0	7.0000538507601573	3249747	464246	t	\N
(coalesce(1.25, 100) + (revenue + 2) - (revenue))*((3-leads)*(least(direct_cost,100,won_deals))/greatest(0.001 - leads,0.5*target(purchases)))	0	0	\N	\N	\N	\N	no target
leads/(revenue+won_deals) + (days()+0.5) / -direct_cost	0	0	0.7004772567868553	7848903	11205079	t	\N
prior(revenue) * least(direct_cost,1,direct_cost)	1	0	-45125	-45125	1	f	\N
greatest(direct_cost,least((revenue) - direct_cost, direct_cost-(revenue))/(direct_cost * direct_cost*sum_last(target(purchases), 1)))	0	0	\N	\N	\N	\N	no target
year_ago(least(direct_cost,won_deals) + sum_last(direct_cost,2))	3	0	\N	\N	\N	\N	not computed
sum_months(direct_cost * sum_months(leads,1), 3)	0	3	117.5	235	2	f	\N
(target(purchases)-(leads / 2 + (7 - 100))) / prior(won_deals / 1 / (1*days()))*sum_months(prior(0.5)/0,1)	1	1	\N	\N	\N	\N	no target
(nullif(direct_cost, (days()))+12345678901234567890/revenue)*sum_last(7/setting(history_years), 2)	1	0	\N	\N	\N	\N	not set
sum_months(prior(revenue / 0.001 + 100 * leads-((won_deals+leads) - 0.001 * direct_cost)), 1)	0	2	20348.9920000000000000	2543624	125	t	\N
prior(least(leads, won_deals)) + 12345678901234567890	1	0	12345678901234567890	12345678901234567890	1	f	\N
(revenue + 0 / days()+(mean_last((leads), 3) + (leads + revenue))) / (- 3+(12345678901234567890) * revenue+((target(revenue) - days()) - days() / revenue))	2	0	0.0000000000000000	1911602992	11760327005268167101540359665	t	\N
((0.5 - 7)/(leads - revenue))+sum_months(days()/2, 3) + coalesce((days()) * (leads * 7), target(revenue) * direct_cost / (target(purchases) * revenue), 3)	0	3	697.0052778589756082	42920191	61578	t	\N
year_ago(days()) * (direct_cost * 1) * won_deals	2	0	-8844.5	-17689	2	f	\N
((1.25)*days())+- (revenue)	0	0	-1195.81	-119581	100	f	\N
- ((target(revenue) * direct_cost - (won_deals + 12345678901234567890)) * - (days()-direct_cost))	0	0	-939814806356486633870.0625	-15037036901703786141921	16	f	\N
sum_months((0.001*quotes_sent-mean_last(100, 1)-year_ago(leads/0.3333333333333333333)) / ((leads / revenue + (7 - 100))*(direct_cost/revenue-- days())),3)	0	15	\N	\N	\N	\N	not computed
- direct_cost * quotes_sent	0	0	\N	\N	\N	\N	not available
(2 / won_deals - revenue * (direct_cost)) * ((leads - (days())) * least(direct_cost, 12345678901234567890, direct_cost))	0	0	70389339.5200000000000000	1759733488	25	t	\N
mean_last(target(leads), 2)*sum_months(revenue,3)	1	3	\N	\N	\N	\N	no target
(sum_months(won_deals, 2)) * (100 * leads)	0	2	600	600	1	f	\N
(revenue-prior(revenue)) / ((setting(history_years)-(0))/(target(leads)+(revenue)))	1	0	\N	\N	\N	\N	not set
won_deals*won_deals-prior(0)	0	0	49	49	1	f	\N
100*greatest(0.001, (won_deals))	0	0	700	700	1	f	\N
revenue * (revenue / won_deals)	0	0	217734.0562285714285714	952586496	4375	t	\N
(7) * (setting(history_years)*leads * (won_deals * direct_cost) + ((12345678901234567890) / leads / (100 - won_deals))) * target(revenue)	0	0	\N	\N	\N	\N	not set
coalesce(least(sum_last(leads - direct_cost,1), greatest(sum_months(days(), 3), 0.5 + won_deals, sum_months(days(),1))),sum_months(quotes_sent, 1),0.5)	0	3	48.125	385	8	f	\N
prior(3+(revenue + 0)) - sum_months(days(), 1) / (0.5 / 1.25+-won_deals)	1	1	1007.6969696969696970	33254	33	t	\N
(sum_last(0, 2) - direct_cost / 2) / (won_deals * (2) * (0.3333333333333333333 - 0))	1	0	4.8348214285714286	112812500000000000000	23333333333333333331	t	\N
quotes_sent * direct_cost / year_ago(leads)	2	0	\N	\N	\N	\N	not available
sum_last((year_ago((quotes_sent)-direct_cost - prior(12345678901234567890)))+(leads-7)/year_ago(leads) * (won_deals / 0.5 / (direct_cost/won_deals)), 2)	3	0	\N	\N	\N	\N	not computed
- coalesce(won_deals, 100, (1))	0	0	-7	-7	1	f	\N
(7*leads * (revenue / direct_cost) + (leads * target(revenue)+(target(leads)+revenue))) * year_ago(year_ago((0.001/(won_deals))))	4	0	\N	\N	\N	\N	no target
sum_last((revenue / revenue - revenue) * (leads), 1) - (direct_cost/direct_cost + leads)/(mean_last(revenue, 1) / sum_last(leads,3)) / mean_last(0.5, 1)	2	0	-3700.7836806635562468	-178470293	48225	t	\N
sum_last(prior(won_deals / quotes_sent),3)+setting(margin_default)	3	0	\N	\N	\N	\N	not computed
greatest(- leads, mean_last(leads, 1))+(3 + days())*(1-direct_cost)	0	0	1571.2500000000000000	6285	4	t	\N
won_deals	0	0	7	7	1	f	\N
-((won_deals - direct_cost) / (quotes_sent * quotes_sent) / (prior(setting(margin_default)) - sum_months(leads,1)))	0	1	\N	\N	\N	\N	not available
days()	0	0	31	31	1	f	\N
- 0.5 + - leads	0	0	-3.5	-7	2	f	\N
((days()) + (leads-revenue)) * (- leads/(won_deals + revenue))-(sum_months((direct_cost - direct_cost) / (revenue * setting(margin_default)), 1))	0	1	2.9009310866973807	90042	31039	t	\N
direct_cost	0	0	-45.125	-361	8	f	\N
revenue - 1 - - leads + (revenue+won_deals)	0	0	2478.12	61953	25	f	\N
coalesce(direct_cost - days(),0.001-revenue)-greatest(revenue + (target(leads)), revenue * revenue)	0	0	\N	\N	\N	\N	no target
-(- 0 * (won_deals * leads))	0	0	0	0	1	f	\N
- prior(revenue-0.001) / nullif(quotes_sent / revenue/coalesce((won_deals), direct_cost, (days())), (100-revenue) / (won_deals / direct_cost))	1	0	\N	\N	\N	\N	not available
revenue / leads*(0.3333333333333333333*100)	0	0	13717.3333333333333320	2143333333333333333119	156250000000000000	t	\N
(target(revenue)*(prior(- setting(history_years)))) + coalesce(least(0.001 / target(leads),7/revenue), mean_last(leads,1) + (target(purchases)+revenue))	0	0	\N	\N	\N	\N	not set
prior(coalesce(revenue - direct_cost,(quotes_sent - 7),target(revenue)))	1	0	987.5	1975	2	f	\N
coalesce(mean_last(- days(),1),leads / ((3) / direct_cost))	0	0	-31.0000000000000000	-31	1	t	\N
- (prior(won_deals * won_deals)+(-quotes_sent - year_ago(2)))	1	0	\N	\N	\N	\N	not available
- (coalesce(sum_months(leads, 2), (coalesce(leads, won_deals)) * (0.001 / 0), (won_deals) * 0 / (leads*quotes_sent)))	0	2	-4.0000000000000000	-4	1	t	\N
- (sum_months(7,1) * least(won_deals, 0, won_deals))	0	1	0	0	1	f	\N
target(leads) * (0.3333333333333333333-days()) * 0.001 + mean_last((won_deals), 3) * (direct_cost + revenue) / (days())	2	0	\N	\N	\N	\N	no target
nullif(sum_months((won_deals - (days())) * -0.5, 1), revenue / (won_deals/quotes_sent) / ((direct_cost - 12345678901234567890) / target(leads)))+direct_cost	0	1	\N	\N	\N	\N	not available
-((100 + (100)) * year_ago(0)) * (0.5+(won_deals / revenue - (1.25)))	0	0	0.0000000000000000	0	1	t	\N
(won_deals/revenue-1.25) / (-- (0.5))/sum_months(0.3333333333333333333 / revenue / (100 * 2), 3)	0	3	-8172.2211130259341776	-216028125000000000000000000	26434444444444444441801	t	\N
direct_cost * (setting(history_years)/(- direct_cost * (100+revenue)))	0	0	\N	\N	\N	\N	not set
12345678901234567890	0	0	12345678901234567890	12345678901234567890	1	f	\N
(direct_cost + target(revenue)) * (0.5-1.25)-revenue*100 * (target(leads) / revenue)	0	0	\N	\N	\N	\N	no target
quotes_sent * leads * (leads / (direct_cost))	0	0	\N	\N	\N	\N	not available
sum_months((direct_cost * 3 * coalesce(revenue,leads,1.25)), 2)	0	2	-351	-351	1	f	\N
coalesce(leads - coalesce((100), leads, direct_cost),leads,prior((leads) / days()))	1	0	-97.0000000000000000	-97	1	t	\N
((won_deals + leads) + prior(revenue)) / ((leads + (leads)) / (won_deals - 100))	1	0	-15655.0000000000000000	-15655	1	t	\N
1.25 - won_deals / 0	0	0	\N	\N	\N	\N	zero denominator
target(revenue)	0	0	1500	1500	1	f	\N
(1/0.5-coalesce(revenue, leads)) * target(revenue)	0	0	-1848840.0000000000000000	-1848840	1	t	\N
target(purchases)	0	0	\N	\N	\N	\N	no target
nullif(sum_last(0,1), 1.25 * leads) * 1	0	0	0	0	1	f	\N
(setting(margin_default) - target(revenue))/(leads - 7)-(direct_cost * revenue + (leads) * (target(purchases)))	0	0	\N	\N	\N	\N	no target
(direct_cost / 0 / (revenue + leads)/(direct_cost * leads - direct_cost / leads) + (0.3333333333333333333+days())) / 2	0	0	\N	\N	\N	\N	zero denominator
mean_last(won_deals, 2)	1	0	3.5000000000000000	7	2	t	\N
(direct_cost+won_deals+(0 + days()))*sum_months(7,3) / (nullif(mean_last(quotes_sent, 2),sum_months(12345678901234567890, 1)) / setting(margin_default))	1	3	\N	\N	\N	\N	not available
(days()+days())/(2 - won_deals)	0	0	-12.4000000000000000	-62	5	t	\N
3	0	0	3	3	1	f	\N
mean_last(direct_cost, 2)	1	0	-16.3125000000000000	-261	16	t	\N
- (prior(won_deals) * (revenue * 0.3333333333333333333))	1	0	0	0	1	f	\N
sum_months((sum_months((direct_cost + 1.25)*- (revenue), 2)), 1)	0	2	79.1875	1267	16	f	\N
prior(0.001)	0	0	0.001	1	1000	f	\N
-(sum_months(revenue,3) - least((direct_cost), 3) + revenue)	0	3	-1339.935	-267987	200	f	\N
revenue*(year_ago(revenue) / leads - (target(purchases)*won_deals-year_ago((12345678901234567890))))	2	0	\N	\N	\N	\N	no target
won_deals + nullif(won_deals,0.5)	0	0	14	14	1	f	\N
(0 + direct_cost) / (target(revenue)*(direct_cost)) / coalesce(direct_cost, leads/direct_cost)	0	0	-0.0000147737765466	-2	135375	t	\N
sum_last((revenue - 0.5) * (days()/0.5), 3)	2	0	136453.7200000000000000	3411343	25	t	\N
(coalesce(won_deals, 2 / 2))/(greatest(revenue, days(), 100)/greatest(won_deals,won_deals)) * prior((- won_deals) + (100 + days()))	1	0	5.1597330222913427	79625	15432	t	\N
sum_months(3 / 12345678901234567890,2) / (((revenue) - won_deals) / (direct_cost + revenue))	0	2	0.0000000000000000	237887	505168719733316871968280	t	\N
sum_last(sum_months((leads) - days() / won_deals, 3), 3)	2	3	\N	\N	\N	\N	zero denominator
coalesce(revenue, year_ago((won_deals)), 3 / 7)	2	0	1234.5600000000000000	30864	25	t	\N
sum_months(0.001 - 0.001 - (direct_cost + setting(margin_default)) + greatest(revenue-won_deals, direct_cost * revenue, nullif(won_deals, revenue)), 3)	0	3	420.25	1681	4	f	\N
(coalesce(prior(won_deals), year_ago(leads))) + (mean_last(leads,2)) * - days()	2	0	-124.0000000000000000	-124	1	t	\N
prior(0.3333333333333333333+(prior((leads))/(won_deals*won_deals)))	2	0	\N	\N	\N	\N	zero denominator
sum_months(greatest(0.5,(direct_cost),leads), 1) + (sum_months(revenue, 3)-least(direct_cost, quotes_sent))	0	3	\N	\N	\N	\N	not available
coalesce((revenue + leads) - direct_cost / 0.001, coalesce(2 - direct_cost, target(revenue)-0.3333333333333333333, (leads)-1.25)) * setting(margin_default)	0	0	1738596.0000000000000000	1738596	1	t	\N
(revenue / 1-((quotes_sent)-direct_cost)) / (3 / won_deals - won_deals/0)	0	0	\N	\N	\N	\N	not available
3 / revenue + 0.3333333333333333333 / 0.001 + 7+((coalesce(revenue,direct_cost))*((setting(margin_default))*days()) + (year_ago(0) / (quotes_sent/direct_cost)))	0	0	\N	\N	\N	\N	not available
- (target(purchases) - leads) - least(won_deals * won_deals, ((revenue)-(7)), revenue/0)	0	0	\N	\N	\N	\N	no target
prior((leads-7) * (direct_cost / 100))/(1.25 / prior(sum_months((direct_cost), 2)))	1	2	-1.6000000000000000	-8	5	t	\N
won_deals / coalesce(sum_months(leads,3)*(revenue * revenue) / ((7+quotes_sent)*sum_months(won_deals, 2)),(days() / revenue / (leads*target(revenue))-leads))	0	3	-2.3333376733691820	-38888640	16666529	t	\N
(0.001-2) * (revenue * won_deals) - (7 + direct_cost)/(quotes_sent+won_deals)	0	0	\N	\N	\N	\N	not available
(direct_cost)/(0 * (7)) * ((won_deals-revenue)*direct_cost)/sum_months(12345678901234567890, 1)	0	1	\N	\N	\N	\N	zero denominator
greatest(revenue/(0.5 / 0.001) * (100 * direct_cost*prior(direct_cost)),mean_last(leads, 1))	1	0	3.0000000000000000	3	1	t	\N
sum_months((3 - 0.3333333333333333333) * ((direct_cost) * direct_cost) / direct_cost, 3)	0	3	33.3333333333333333	26666666666666666667	800000000000000000	t	\N
mean_last(direct_cost*leads + -direct_cost, 1)	0	0	-90.2500000000000000	-361	4	t	\N
year_ago(direct_cost/0.001) + (setting(history_years) - revenue + (quotes_sent - revenue))	2	0	\N	\N	\N	\N	not set
(won_deals / revenue/(100 + direct_cost) + 1.25) / (- (- (quotes_sent/direct_cost)))	0	0	\N	\N	\N	\N	not available
(revenue / won_deals) + (sum_last(3,1))	0	0	179.3657142857142857	31389	175	t	\N
coalesce(won_deals + 100 - ((direct_cost) + (setting(history_years))), won_deals*0.3333333333333333333-sum_last(leads,1), year_ago(year_ago(leads)))	4	0	-0.6666666666666666669	-6666666666666666669	10000000000000000000	f	\N
target(leads)*days()/prior(direct_cost)	1	0	\N	\N	\N	\N	no target
(leads - won_deals - direct_cost * 2) * (direct_cost+- days()) + ((0.001 + (direct_cost)) / ((leads)/revenue) - (prior(0.3333333333333333333) + (0.001)))	0	0	-25135.5440633333333333	-251355440633333333333333	10000000000000000000	t	\N
(days() + (direct_cost))*(revenue - setting(margin_default)) * (leads * leads + (direct_cost) * won_deals)	0	0	5188787.4984375	3320823999	640	f	\N
prior(target(leads) - 0.3333333333333333333+2*direct_cost) / (year_ago(target(revenue)) + (days() - direct_cost) * (won_deals - 0))	1	0	\N	\N	\N	\N	no target
sum_months(won_deals-(direct_cost),2)+sum_last(revenue,3)/year_ago(direct_cost)	2	2	7.7345577654422346	15469131	2000002	t	\N
direct_cost * (revenue / target(leads))-revenue * direct_cost/(revenue + leads)	0	0	\N	\N	\N	\N	no target
(leads + prior(revenue))*(direct_cost * setting(margin_default) / (target(revenue) - quotes_sent))	1	0	\N	\N	\N	\N	not available
- (target(purchases) - revenue + direct_cost)/(revenue)	0	0	\N	\N	\N	\N	no target
(2 + revenue - coalesce(100,revenue,days())) / ((days()/2) * coalesce(quotes_sent,(leads),direct_cost))	0	0	24.4421505376344086	56828	2325	t	\N
prior((revenue / days()*(won_deals + 7))-quotes_sent / (direct_cost/leads))	1	0	231.7333333333333333	3476	15	t	\N
sum_last((greatest((leads/direct_cost),sum_last(leads,1))), 2)	1	0	8.0000000000000000	8	1	t	\N
revenue - (setting(margin_default))/won_deals * (leads/12345678901234567890)	0	0	1234.5600000000000000	118544854900174485488707	96021947009602194700	t	\N
year_ago(coalesce(coalesce(won_deals, 2), revenue*12345678901234567890) + won_deals)	2	0	6	6	1	f	\N
leads - revenue + revenue	0	0	3	3	1	f	\N
(won_deals - leads)/sum_months(prior(leads * (7)), 2)	0	3	0.0714285714285714	1	14	t	\N
revenue * 0.5 - coalesce(won_deals, 0.5)	0	0	610.28	15257	25	f	\N
won_deals-prior((target(purchases) - 0.5) / (days() * 0.001))	1	0	\N	\N	\N	\N	no target
prior((won_deals*leads)) * (prior(won_deals)-year_ago(days()))	2	0	0	0	1	f	\N
0.3333333333333333333*prior(setting(margin_default) / days())	1	0	0.4166666666666667	3333333333333333333	8000000000000000000	t	\N
- (won_deals+direct_cost)	0	0	38.125	305	8	f	\N
setting(margin_default)*(revenue)	0	0	46296	46296	1	f	\N
least((setting(margin_default) + direct_cost)*(0 / (12345678901234567890)), (100), (sum_last(revenue, 2)) / revenue)	1	0	0.0000000000000000	0	1	t	\N
-(least(0.5,leads,leads)/sum_months((100), 1) - nullif(days(), 100) / days())	0	1	0.9950000000000000	199	200	t	\N
mean_last((revenue-leads) / sum_months(leads, 2) * direct_cost,2)	1	2	-6169.4243750000000000	-9871079	1600	t	\N
revenue / revenue+won_deals	0	0	8.0000000000000000	8	1	t	\N
sum_months(1, 1) / prior(direct_cost) / coalesce((leads), sum_last(3, 2))	1	1	0.0266666666666667	2	75	t	\N
((leads - won_deals / direct_cost) / won_deals)*least((leads - won_deals) / 12345678901234567890, revenue + revenue+(0.3333333333333333333) / won_deals)	0	0	-0.0000000000000000	-2278	15598765291709876529015	t	\N
days() + (setting(history_years)) - direct_cost / leads	0	0	\N	\N	\N	\N	not set
(revenue+revenue) / ((100) + 2)/sum_last(sum_months(revenue, 1), 1)	0	1	2.4207058823529412	5144	2125	t	\N
least(((0+direct_cost) / revenue), won_deals*((revenue) + (won_deals))) - (leads / ((3) - direct_cost) + ((leads) - 1 + revenue))	0	0	-1236.6588891462671595	-587790895301	475305600	t	\N
least(greatest(quotes_sent, revenue, days())+revenue/direct_cost, coalesce((leads), won_deals)/(100*revenue), direct_cost)	0	0	\N	\N	\N	\N	not available
leads / revenue	0	0	0.0024300155520995	25	10288	t	\N
nullif(won_deals, (direct_cost)) / sum_last((direct_cost), 1) / (coalesce(quotes_sent, 1, (leads)) / (3 - quotes_sent))	0	0	\N	\N	\N	\N	not available
(100 / direct_cost / (revenue - (2)) + (100 + won_deals / revenue)+(prior(0.001) + target(revenue) / direct_cost)/days()) * (won_deals * revenue)	0	0	854959.0947228111120480	2122866103943911	2483003125	t	\N
prior(prior(leads))/1	2	0	8.0000000000000000	8	1	t	\N
(leads + won_deals+sum_months(days(), 3))*nullif(3/(revenue), 0.001 / days())*((7 + (direct_cost))*(1.25+days())/revenue)	0	3	-0.2468519683513338	-418040625	1693487104	t	\N
7 * target(revenue) + (100 - revenue)	0	0	9365.44	234136	25	f	\N
(sum_months((leads),3)-(leads) * direct_cost) / (leads * (leads-won_deals))	0	3	-12.1979166666666667	-1171	96	t	\N
coalesce(prior(1) - (leads) * won_deals,direct_cost+direct_cost + (revenue/leads))	0	0	-20.0000000000000000	-20	1	t	\N
(won_deals + (direct_cost / direct_cost + quotes_sent*direct_cost)) * least(0.001, least(0.5, 0.3333333333333333333, won_deals)-(target(revenue))/direct_cost)	0	0	\N	\N	\N	\N	not available
nullif(target(revenue), revenue / (2 * direct_cost+((revenue) + leads) + (prior(direct_cost)+won_deals/0.5)))	1	0	1500	1500	1	f	\N
coalesce(prior(won_deals), sum_last(12345678901234567890, 3), 0.3333333333333333333 / revenue)	2	0	0.0000000000000000	0	1	t	\N
mean_last(sum_months(won_deals - leads,2), 3)	2	2	\N	\N	\N	\N	not computed
sum_last(revenue,2)	1	0	2234.56	55864	25	f	\N
mean_last(2+days(), 2)/1 / -sum_months(won_deals / won_deals, 1)	1	1	-32.5000000000000000	-65	2	t	\N
year_ago(won_deals)*(revenue + (won_deals))	2	0	3724.68	93117	25	f	\N
leads / quotes_sent/revenue	0	0	\N	\N	\N	\N	not available
nullif(revenue, direct_cost+(leads))	0	0	1234.56	30864	25	f	\N
prior(12345678901234567890 - direct_cost + leads / direct_cost)-setting(margin_default)	1	0	12345678901234567840.4000000000000000	61728394506172839202	5	t	\N
greatest(target(revenue) * revenue, direct_cost)	0	0	1851840	1851840	1	f	\N
direct_cost + mean_last(leads*leads, 3)	2	0	-12.4583333333333333	-299	24	t	\N
(0.5 + 1.25) - (won_deals) * won_deals	0	0	-47.25	-189	4	f	\N
prior(leads/direct_cost / (direct_cost+direct_cost))	1	0	0.0160000000000000	2	125	t	\N
(coalesce(leads, revenue, revenue) + coalesce(revenue, 1, won_deals))/- (revenue * 0.5)	0	0	-2.0048600311041991	-10313	5144	t	\N
sum_last(2, 1) / (direct_cost + revenue)*coalesce(days() / revenue,direct_cost - leads)-won_deals / leads * (direct_cost*revenue)/(nullif(100, 7)/prior((3)))	0	0	3899.6664422219973433	2236868281706159	573605028750	t	\N
coalesce(setting(margin_default) / revenue, won_deals * leads)	0	0	0.0303751944012442	625	20576	t	\N
won_deals / setting(history_years) / (sum_months(days(), 3))	0	3	\N	\N	\N	\N	not set
(mean_last(0.3333333333333333333,1)) / (revenue / direct_cost + setting(margin_default) * (won_deals))	0	0	0.0014175871755247	401111111111111111071	282953400000000000000000	t	\N
coalesce((direct_cost), mean_last(100, 2) + direct_cost/direct_cost + (1 + (days() + 3)), revenue)	1	0	-45.1250000000000000	-361	8	t	\N
- (direct_cost + (setting(history_years)))	0	0	\N	\N	\N	\N	not set
coalesce(revenue / won_deals, (nullif(0.5, won_deals)), 100 + won_deals)-(direct_cost*leads + revenue / 1.25)	0	0	-675.9072857142857143	-4731351	7000	t	\N
- (sum_months(revenue*revenue,2)*year_ago(revenue + 2))	2	2	-1020.125	-8161	8	f	\N
(prior((leads + direct_cost) / (leads * revenue)) - 12345678901234567890) / sum_months(quotes_sent - revenue + (revenue-(days())) + revenue, 1)	1	1	823045260082304525.9997666666666667	24691357802469135779993	30000	t	\N
direct_cost/(revenue / leads + coalesce(revenue, leads))-((days()) + setting(margin_default)) * (quotes_sent + quotes_sent+(direct_cost - target(revenue)))	0	0	\N	\N	\N	\N	not available
revenue * (revenue - direct_cost) / least(coalesce(setting(margin_default), 12345678901234567890, 100),setting(margin_default) - days(),2 / 1.25)	0	0	987404.9460000000000000	493702473	500	t	\N
revenue + days() + 7	0	0	1272.56	31814	25	f	\N
prior((direct_cost + won_deals)/(direct_cost + 0.3333333333333333333))	1	0	0.9740259740259740	125000000000000000000	128333333333333333333	t	\N
prior(leads) * sum_months((revenue),3)	1	3	301.25	1205	4	f	\N
leads/revenue * sum_months(0.3333333333333333333,3) / ((direct_cost + direct_cost) * (leads - won_deals))-sum_months((3)+revenue, 3)/days()	0	3	-2.2338642363969158	-102876603600000000000000031	46053203200000000000000000	t	\N
coalesce(3, 7) + (0.3333333333333333333 / won_deals)+leads	0	0	6.0476190476190476	423333333333333333333	70000000000000000000	t	\N
0.001 / ((0.001-days()) - (- 1.25)/(setting(margin_default) * leads))	0	0	-0.0000322706720547	-9	278891	t	\N
0+mean_last((0.3333333333333333333 * (direct_cost)), 2) * prior(direct_cost - revenue)	1	0	5369.5312499999999995	68729999999999999993127	12800000000000000000	t	\N
prior((mean_last(revenue,1)))	1	0	1000.0000000000000000	1000	1	t	\N
sum_last(leads/100,3) / ((won_deals / revenue) / (setting(history_years)-won_deals)) - sum_last(won_deals / (revenue + won_deals), 2)	2	0	\N	\N	\N	\N	not set
nullif(won_deals + 0.001, (nullif(sum_months(won_deals,2) + direct_cost*direct_cost, 3)) - revenue)	0	2	7.001	7001	1000	f	\N
leads - revenue	0	0	-1231.56	-30789	25	f	\N
- ((1+direct_cost) / year_ago(100))	0	0	0.4412500000000000	353	800	t	\N
won_deals - (leads - leads)*(revenue+won_deals)	0	0	7	7	1	f	\N
sum_months((1.25 - leads--revenue) / nullif(- revenue,won_deals + leads), 1)	0	1	-0.8250000000000000	-33	40	t	\N
mean_last(direct_cost, 3)+100/days()	2	0	325.6844731182795699	3786082	11625	t	\N
0.001 + (direct_cost / direct_cost - least((won_deals), direct_cost))	0	0	46.1260000000000000	23063	500	t	\N
-least(100+days(),100/100) - (2/year_ago((leads)) + (least(setting(margin_default), target(revenue), won_deals) + 2 / revenue))	2	0	-8.2516200103680664	-127339	15432	t	\N
- (1.25 / (days() / 2)/((7) + (leads + direct_cost)))	0	0	0.0022959476523935	20	8711	t	\N
days() + coalesce(mean_last((direct_cost), 3), 0.001)	2	0	353.4586666666666667	132547	375	t	\N
(0 * target(revenue) - (setting(history_years) / revenue)) + (0.3333333333333333333 * days()*(direct_cost / 2))	0	0	\N	\N	\N	\N	not set
sum_months(1, 3)	0	3	3	3	1	f	\N
- won_deals/(won_deals / (1)) - prior(won_deals / revenue) - (0.001/direct_cost + leads) / sum_months(revenue/leads, 2)	1	2	-1.1272075408905377	-14394863	12770375	t	\N
(revenue/revenue) + nullif((12345678901234567890), won_deals)	0	0	12345678901234567891.0000000000000000	12345678901234567891	1	t	\N
0.5	0	0	0.5	1	2	f	\N
(revenue + (revenue)) / sum_months(direct_cost, 3)-quotes_sent	0	3	\N	\N	\N	\N	not available
year_ago(0 / leads - (leads + 3))	2	0	-11.0000000000000000	-11	1	t	\N
direct_cost/(least(won_deals, 0.3333333333333333333)+leads - ((revenue)*quotes_sent-(days() + revenue)))	0	0	\N	\N	\N	\N	not available
(0+won_deals)/prior(won_deals*direct_cost) * (sum_months(revenue/won_deals,2)/(direct_cost / direct_cost*(leads * revenue)))	1	2	\N	\N	\N	\N	zero denominator
- (target(revenue)/1.25) / ((7) + revenue - (days() * (days())))	0	0	-4.2771599657827203	-5000	1169	t	\N
won_deals / (sum_months((won_deals), 3) + (won_deals/target(revenue))+(0.3333333333333333333 + (direct_cost) - target(revenue) / direct_cost))	0	3	-1.5398142838949563	-75810000000000000000000	49233210000000000000361	t	\N
((0)+direct_cost) / (7/setting(margin_default))+won_deals	0	0	-234.7410714285714286	-26291	112	t	\N
3 + 0.5 + sum_months(0, 1)	0	1	3.5	7	2	f	\N
won_deals/(prior(direct_cost)/(won_deals/won_deals))	1	0	0.5600000000000000	14	25	t	\N
nullif(coalesce(target(leads),direct_cost,direct_cost), won_deals-revenue) * - 3	0	0	135.375	1083	8	f	\N
coalesce(1, target(leads)) - days()/(direct_cost)	0	0	1.6869806094182825	609	361	t	\N
won_deals * sum_last(direct_cost,2)	1	0	-228.375	-1827	8	f	\N
0.001	0	0	0.001	1	1000	f	\N
((direct_cost)*0.5 * (won_deals / (leads)))+(won_deals / leads-(1 - days())) - leads * leads + - revenue	0	0	-1263.8725000000000000	-505549	400	t	\N
prior(sum_last(direct_cost, 1)) * year_ago(revenue)	2	0	0	0	1	f	\N
year_ago(days()) / (mean_last(revenue, 3) / least(0.3333333333333333333, 0.001))	2	0	0.0000375912931405	21	558640	t	\N
nullif(prior(7)/sum_months(leads,2), (setting(margin_default)+won_deals) / (won_deals/direct_cost))	0	2	1.7500000000000000	7	4	t	\N
least(won_deals/revenue*(direct_cost / 0.001), mean_last(direct_cost, 3)+(sum_months(revenue, 2)), (days()/0.5 * - (3)))	2	2	-255.8603875064800415	-7896875	30864	t	\N
-((coalesce(won_deals/year_ago(days()), 2 / leads + sum_months((revenue),3))) + leads)	2	3	-3.2500000000000000	-13	4	t	\N
revenue*leads - days()	0	0	3672.68	91817	25	f	\N
-(direct_cost / (won_deals + setting(margin_default) + (revenue - direct_cost))) * (direct_cost * revenue)	0	0	-1898.4447716897563407	-167592806	88279	t	\N
year_ago(sum_months(year_ago(0.3333333333333333333), 2) - year_ago(revenue) * (direct_cost - 100))	4	2	\N	\N	\N	\N	not computed
sum_last(won_deals*direct_cost, 2)	1	0	-315.875	-2527	8	f	\N
greatest((won_deals + leads)/coalesce(target(revenue),direct_cost,days()),revenue,coalesce(0.3333333333333333333*direct_cost, (target(revenue)+100), (0)-leads))	0	0	1234.5600000000000000	30864	25	t	\N
0.3333333333333333333 - (1.25) - (3) / 2 + (coalesce((target(revenue)), direct_cost) + coalesce(days(), leads))	0	0	1528.5833333333333333	15285833333333333333333	10000000000000000000	t	\N
direct_cost - prior(won_deals - setting(margin_default)) * (sum_last(leads,1)+100)	1	0	3817.375	30539	8	f	\N
(direct_cost - target(revenue)-direct_cost * (target(revenue))) * mean_last(leads+0, 2)	1	0	264569.5000000000000000	529139	2	t	\N
(prior(revenue)) / (direct_cost + leads)/100	1	0	-0.2373887240356083	-80	337	t	\N
prior(greatest(won_deals,won_deals,leads))	1	0	5	5	1	f	\N
won_deals / leads*((0.5)-leads)	0	0	-5.8333333333333333	-35	6	t	\N
revenue*direct_cost / (nullif(leads,(days())))*0.3333333333333333333	0	0	-6189.9466666666666660	-773743333333333333255959	125000000000000000000	t	\N
12345678901234567890 / revenue*(revenue/direct_cost) + (revenue * 0.3333333333333333333 - quotes_sent)	0	0	\N	\N	\N	\N	not available
mean_last((sum_last(direct_cost,1) - 12345678901234567890 / (target(revenue))) * ((target(revenue) - revenue) / - 1), 1)	0	0	2184691338362481111.7944000000000000	2730864172953101389743	1250	t	\N
sum_months(days()/setting(margin_default) / (direct_cost * direct_cost), 3)	0	3	0.0565522119341564	1759	31104	t	\N
revenue / (((2 + quotes_sent) / (leads + revenue)) - greatest(-(1), direct_cost + revenue))	0	0	\N	\N	\N	\N	not available
(won_deals - quotes_sent) / coalesce(leads, won_deals)	0	0	\N	\N	\N	\N	not available
coalesce((2),3) - (direct_cost + (revenue))	0	0	-1187.435	-237487	200	f	\N
(revenue - 0.5+mean_last(revenue, 3)) * (leads / 1 / sum_last(direct_cost,3))	2	0	6.1369519194191297	1484185	241844	t	\N
year_ago(prior(setting(margin_default)))	0	0	37.5	75	2	f	\N
year_ago(sum_last(leads*direct_cost,3)) + revenue / quotes_sent / (won_deals / (7)) / (days()*direct_cost+greatest((leads), direct_cost))	4	0	\N	\N	\N	\N	not computed
sum_months(coalesce(prior(100), (target(leads))/(won_deals), year_ago(1)),1)	0	1	100.0000000000000000	100	1	t	\N
0+(won_deals + leads) / 0.5/leads	0	0	6.6666666666666667	20	3	t	\N
((nullif(won_deals,won_deals))+days()) / (2 - (won_deals)) - ((days()-days()) / greatest(0.5, days())+prior(0.5))	0	0	\N	\N	\N	\N	zero denominator
prior(- least(direct_cost, revenue))	1	0	-12.5	-25	2	f	\N
7 * won_deals / (prior((0.001)) / (sum_months(won_deals, 2)/(revenue / direct_cost)))	0	2	-3582.0454250907205806	-55278125	15432	t	\N
-won_deals/(3+(prior(revenue) - (direct_cost * (target(revenue)))))	1	0	-0.0001019063771555	-14	137381	t	\N
coalesce(coalesce(won_deals/revenue,greatest(direct_cost, leads, leads)),((days()/revenue) - (0.5-revenue)),prior(coalesce(direct_cost, revenue, leads)))	1	0	0.0056700362882322	175	30864	t	\N
sum_last(sum_months((0.001 / won_deals), 2) * (leads), 2)	1	2	\N	\N	\N	\N	zero denominator
(days()/0.001) * least(12345678901234567890,direct_cost)	0	0	-1398875.0000000000000000	-1398875	1	t	\N
- (nullif((- direct_cost)-revenue / direct_cost, direct_cost + leads*days()))	0	0	-72.4836703601108033	-5233321	72200	t	\N
((greatest(leads,leads)) + 100*setting(history_years))/coalesce(direct_cost - direct_cost, revenue * quotes_sent)	0	0	\N	\N	\N	\N	not set
(least(revenue, revenue))/sum_months(direct_cost, 2)	0	2	-352.7314285714285714	-61728	175	t	\N
direct_cost + sum_months(- sum_months(setting(history_years),3)/greatest(sum_last(leads, 2), revenue, direct_cost / days()), 2)	0	4	\N	\N	\N	\N	not set
0	0	0	0	0	1	f	\N
sum_months(7 - won_deals + - 0.001, 3)	0	3	13.997	13997	1000	f	\N
won_deals - mean_last(0.001,1)	0	0	6.9990000000000000	6999	1000	t	\N
leads / (revenue * revenue / (2 + revenue)-nullif(year_ago(revenue),least(target(revenue), (won_deals))))	2	0	0.0024339522024885	386425	158764416	t	\N
-direct_cost	0	0	45.125	361	8	f	\N
(direct_cost / (target(revenue)) + (setting(margin_default) + 100))/prior(12345678901234567890 - leads)	1	0	0.0000000000000000	1649639	148148146814814814620000	t	\N
year_ago(sum_months(direct_cost/days()*((direct_cost)+1), 2)) * ((revenue) / ((12345678901234567890 + won_deals) / ((quotes_sent)-100) * - (revenue + leads)))	2	2	\N	\N	\N	\N	not computed
(revenue)*revenue/(revenue-won_deals)	0	0	1241.5999165824888396	952586496	767225	t	\N
nullif(greatest(won_deals, leads, revenue) * direct_cost, (revenue+(1.25)) - ((1)-leads))	0	0	-55709.52	-1392738	25	f	\N
prior(sum_last(2, 2) * won_deals / coalesce(direct_cost, prior(leads)))	2	0	0.0000000000000000	0	1	t	\N
revenue - revenue	0	0	0	0	1	f	\N
year_ago(direct_cost)	2	0	1000.001	1000001	1000	f	\N
least(revenue,(leads - won_deals)) - sum_months(leads + days(), 3)	0	3	-107	-107	1	f	\N
year_ago(sum_months(- (7), 1)+(revenue + 1 + nullif((won_deals), leads)))	2	1	-3	-3	1	f	\N
greatest(3, 0*0.001 - revenue/0, quotes_sent - 3 + coalesce(leads,revenue,(leads)))	0	0	\N	\N	\N	\N	zero denominator
revenue*(0.5/direct_cost / (0.3333333333333333333 * target(revenue)))	0	0	-0.0273586703601108	-32921600000000000000	1203333333333333333213	t	\N
greatest(1,direct_cost,coalesce(direct_cost, (direct_cost), direct_cost) - direct_cost/7) / 100	0	0	0.0100000000000000	1	100	t	\N
(direct_cost + leads)/(direct_cost * direct_cost)	0	0	-0.0206873796241588	-2696	130321	t	\N
least(target(revenue) - won_deals, prior(3))*year_ago(won_deals)	2	0	9	9	1	f	\N
(target(revenue)-direct_cost + revenue)/((revenue+direct_cost) * sum_months(days(), 1))	0	1	0.0753864297456491	555937	7374497	t	\N
least(-1.25 / (target(revenue) + leads) / mean_last(revenue, 3), (won_deals + revenue) / (leads * (100)) / (prior(days()) / direct_cost))	2	0	-6.2250438888888889	-11205079	1800000	t	\N
(12345678901234567890+revenue) / (revenue + 12345678901234567890)	0	0	1.0000000000000000	1	1	t	\N
coalesce(- ((12345678901234567890) - leads),target(purchases) - (leads * revenue))	0	0	-12345678901234567887	-12345678901234567887	1	f	\N
year_ago(greatest(won_deals, revenue, leads))	2	0	8	8	1	f	\N
coalesce(won_deals/(2), (won_deals-won_deals), (100) / target(purchases))	0	0	3.5000000000000000	7	2	t	\N
leads * 0.5 + coalesce(0.001,target(revenue))	0	0	1.501	1501	1000	f	\N
coalesce(direct_cost,mean_last(quotes_sent,3),0.001/(leads))	2	0	-45.1250000000000000	-361	8	t	\N
((direct_cost + revenue)/7) - days() / 0 * revenue - least(-setting(history_years),7 * (quotes_sent),nullif(won_deals, (won_deals)))*sum_months((leads / 1), 2)	0	2	\N	\N	\N	\N	zero denominator
- (0.001 / ((revenue+direct_cost) / (setting(history_years)*3)))	0	0	\N	\N	\N	\N	not set
year_ago(revenue) * (revenue / direct_cost)-coalesce(days() * (won_deals), won_deals, leads + (won_deals))	2	0	-217.0000000000000000	-217	1	t	\N
leads/(leads / 0.001) * (12345678901234567890 * days() / leads)	0	0	127572015312757201.5300000000000000	12757201531275720153	100	t	\N
prior(-revenue / (nullif(won_deals, 100)))-(greatest((leads / leads), (direct_cost) / direct_cost, 3 - leads) + 1)	1	0	\N	\N	\N	\N	zero denominator
sum_months((0.001 - leads)/(setting(history_years)*won_deals), 3)	0	3	\N	\N	\N	\N	not set
(won_deals - revenue) * (leads / won_deals) + sum_months(leads/won_deals,3)+- days()	0	3	\N	\N	\N	\N	zero denominator
nullif(setting(margin_default), revenue)+leads - target(revenue) * direct_cost*(nullif(won_deals, leads))	0	0	473853	473853	1	f	\N
nullif(prior((100 + won_deals)), leads * leads/(won_deals / setting(margin_default)))	1	0	100	100	1	f	\N
prior(days()+leads-won_deals / won_deals) - ((mean_last(leads - (1), 2)) + (direct_cost+target(revenue) + days()/target(leads)))	1	0	\N	\N	\N	\N	zero denominator
sum_months(direct_cost * (0.001)/(won_deals / direct_cost) - (leads-12345678901234567890) * 12345678901234567890, 3)	0	3	\N	\N	\N	\N	zero denominator
prior(quotes_sent-revenue / won_deals) * year_ago(((100) - 0.5) / (days() / target(leads)))	2	0	\N	\N	\N	\N	zero denominator
sum_last(won_deals/2, 3)/prior(won_deals*won_deals) + (won_deals - sum_months((2), 3))	2	3	\N	\N	\N	\N	zero denominator
100	0	0	100	100	1	f	\N
sum_last(((won_deals) / direct_cost) - (1 * revenue),1)	0	0	-1234.7151246537396122	-11143304	9025	t	\N
sum_months(won_deals/won_deals,3)+greatest(12345678901234567890*leads, leads / 1)	0	3	\N	\N	\N	\N	zero denominator
won_deals+(-(0 / 100)-mean_last(leads, 1) / prior((revenue)))	1	0	6.9970000000000000	6997	1000	t	\N
sum_months(won_deals, 3) * sum_months(won_deals, 1)	0	3	14	14	1	f	\N
revenue/leads/(direct_cost*0.001) * 7	0	0	-63836.8975069252077562	-23045120	361	t	\N
nullif((won_deals - leads),(leads+revenue))/(sum_months(100, 1) / (days()-won_deals))	0	1	0.9600000000000000	24	25	t	\N
0 * won_deals-(coalesce(2, revenue))	0	0	-2	-2	1	f	\N
- won_deals	0	0	-7	-7	1	f	\N
leads * ((won_deals) + (revenue)) + ((target(revenue)) * (2) * coalesce((target(revenue)),days()))-(1 / (days() * 7)) * (prior(revenue) / 100)	1	0	4503724.6339170506912442	24432706139	5425	t	\N
(leads)*coalesce((leads / leads), direct_cost / 0)	0	0	3.0000000000000000	3	1	t	\N
sum_months(mean_last((days()), 1) / sum_months(days(), 2), 2)	0	3	1.0000000000000000	1	1	t	\N
coalesce(7 / won_deals,(won_deals*revenue),year_ago(100)) - (days()-12345678901234567890)*year_ago(won_deals)	2	0	37037036703703703578.0000000000000000	37037036703703703578	1	t	\N
(year_ago((setting(margin_default)/revenue)))+(0.3333333333333333333 + (revenue) + (setting(margin_default) - target(leads)))	2	0	\N	\N	\N	\N	zero denominator
leads / prior(coalesce(greatest(prior(quotes_sent), leads + setting(history_years)),(revenue - (direct_cost))/(0.001 / setting(margin_default))))	2	0	0.0000000810126582	1	12343750	t	\N
sum_last(sum_months((won_deals), 1) * prior(won_deals), 1) - revenue	1	1	-1234.56	-30864	25	f	\N
nullif(sum_last(-won_deals,2),revenue*(0.3333333333333333333 + leads))	1	0	-7	-7	1	f	\N
direct_cost * revenue / (revenue/revenue)	0	0	-55709.5200000000000000	-1392738	25	t	\N
3/days()	0	0	0.0967741935483871	3	31	t	\N
- -(won_deals - 3)*greatest((days() / 100)+0.5,(won_deals / won_deals),(leads - leads)/prior(leads))	1	0	4.0000000000000000	4	1	t	\N
greatest(leads * direct_cost, sum_last(setting(history_years),2))-(1.25+direct_cost) / coalesce(direct_cost, won_deals, target(revenue))	1	0	\N	\N	\N	\N	not set
- leads*direct_cost / prior(revenue / direct_cost)	1	0	1.6921875000000000	1083	640	t	\N
sum_months(0.5, 2)*((days()) * won_deals*(0.001*(0.5)))	0	2	0.1085	217	2000	f	\N
sum_months(2,2)	0	2	4	4	1	f	\N
1-direct_cost + revenue * 7	0	0	8688.045	1737609	200	f	\N
won_deals + direct_cost / 0.3333333333333333333	0	0	-128.3750000000000000	-427916666666666666669	3333333333333333333	t	\N
prior((won_deals)/quotes_sent + revenue / leads)*(target(revenue)*won_deals + ((leads) + 2)+(sum_months(setting(history_years),1) - ((won_deals) - 0.5)))	1	1	\N	\N	\N	\N	not set
coalesce(direct_cost/days(), direct_cost) + revenue	0	0	1233.1043548387096774	7645247	6200	t	\N
(1.25 / direct_cost)-prior(won_deals)-coalesce(won_deals - 2,won_deals) + 1.25	1	0	-3.7777008310249307	-5455	1444	t	\N
year_ago(revenue * sum_months(revenue, 1))	2	1	0	0	1	f	\N
(sum_months(revenue, 2) / sum_last(0.3333333333333333333,2)) / prior(leads-1)	1	2	11.3437500000000000	37812500000000000000	3333333333333333333	t	\N
year_ago(direct_cost - won_deals+((days()) - direct_cost)-prior(revenue/won_deals))	3	0	\N	\N	\N	\N	not computed
(target(revenue))*target(revenue) - (days()-0)	0	0	2249969	2249969	1	f	\N
(won_deals + (leads) + (won_deals - direct_cost) + (direct_cost + days() - prior(quotes_sent))) - revenue / revenue	1	0	43.0000000000000000	43	1	t	\N
(prior((revenue)) + coalesce(direct_cost, direct_cost, 7)) / (revenue+direct_cost+won_deals / direct_cost)	1	0	0.8029018398398332	68941975	85866007	t	\N
prior(sum_months(won_deals, 2) / (leads-0.5)-mean_last((days()), 2) * (100+(direct_cost))) / sum_last(revenue, 1)	2	2	-2.6417419071482057	-1467625	555552	t	\N
least(100 - (leads), 12345678901234567890 + leads, direct_cost / won_deals) * ((leads - 3) / (0 * leads))	0	0	\N	\N	\N	\N	zero denominator
1.25	0	0	1.25	5	4	f	\N
won_deals - direct_cost - (direct_cost - 1)	0	0	98.25	393	4	f	\N
target(revenue) - (revenue+(1)) * won_deals - (won_deals/target(revenue)/(1.25*leads)+(((revenue)/(100)) + sum_months(leads,3)))	0	3	-7172.2668444444444444	-40344001	5625	t	\N
sum_last(days(), 2)-days() + (leads-leads)*(year_ago(direct_cost)) + (prior(leads))	2	0	35	35	1	f	\N
(leads+days())/(revenue-100) / (leads * leads / (7 / days())) + ((direct_cost) + prior(quotes_sent)) * (prior(direct_cost)*(revenue*setting(margin_default)))	1	0	-23799037.4992481256214021	-6726250571300	282627	t	\N
least(won_deals + leads,coalesce((won_deals),target(revenue)),7 - (3))/(won_deals / leads * (0 / 3))*year_ago(won_deals / (leads*direct_cost))	2	0	\N	\N	\N	\N	zero denominator
(won_deals+least(setting(margin_default),leads)-(3 - 0.5+leads/revenue)) / prior(year_ago((revenue / quotes_sent)))	3	0	\N	\N	\N	\N	not computed
leads-((days()) - days())	0	0	3	3	1	f	\N
1.25 * coalesce(mean_last(revenue + 0, 3), 0.3333333333333333333 / direct_cost+(won_deals) * leads)	2	0	931.0666666666666667	13966	15	t	\N
2 / ((coalesce(won_deals / 100,sum_months(leads, 1)))-(revenue-(sum_months(0,1))))	0	1	-0.0016201022284506	-200	123449	t	\N
won_deals-prior(-days() + 12345678901234567890 * leads)	1	0	-61728394506172839413	-61728394506172839413	1	f	\N
prior(- (revenue / leads))	1	0	-200.0000000000000000	-200	1	t	\N
- 0.5/revenue * direct_cost	0	0	0.0182757419647486	9025	493824	t	\N
(revenue + 100) + (7 + 1)	0	0	1342.56	33564	25	f	\N
(won_deals) - 1+(revenue-0.001)+(target(revenue)+7 + (2 / 3))	0	0	2748.2256666666666667	8244677	3000	t	\N
nullif(won_deals + - leads, leads*(revenue)/(leads * 3))	0	0	4	4	1	f	\N
sum_last((leads - revenue), 2) + direct_cost	1	0	-2271.685	-454337	200	f	\N
nullif(direct_cost - coalesce(12345678901234567890, leads), prior(revenue))	1	0	-12345678901234567935.125	-98765431209876543481	8	f	\N
coalesce(3 * leads-quotes_sent / revenue, days() / direct_cost * (won_deals+direct_cost))	0	0	26.1911357340720222	9455	361	t	\N
sum_last((((leads) / revenue) + revenue / 1.25)-- (direct_cost/won_deals), 2)	1	0	\N	\N	\N	\N	zero denominator
((revenue - won_deals) / (revenue/(12345678901234567890)) + leads) / sum_months(100 * won_deals * (won_deals + 0), 1)	0	1	30689196134654261.7668482698289269	63146089966664609011467	2057600	t	\N
revenue / direct_cost + leads	0	0	-24.3586703601108033	-219837	9025	t	\N
prior((days() / 100))*(((target(revenue))-target(revenue)) * ((days()) + setting(margin_default)))	1	0	0.0000000000000000	0	1	t	\N
days() - (mean_last((sum_months(revenue, 2)),2) - sum_last((won_deals)/won_deals + sum_months(0.5,2),3))	2	2	\N	\N	\N	\N	zero denominator
(leads - (0.5 + 0.001))*sum_months(revenue - direct_cost, 1) / ((revenue / direct_cost + nullif(leads, direct_cost)) / ((0 + revenue) / days()))	0	1	-22.4711798239956965	-6380829147	283956125	t	\N
mean_last(revenue+0.001, 2)	1	0	1117.2810000000000000	1117281	1000	t	\N
prior(days())	1	0	30	30	1	f	\N
(won_deals * 0.3333333333333333333)-((direct_cost) - direct_cost)	0	0	2.3333333333333333331	23333333333333333331	10000000000000000000	f	\N
(nullif((leads), leads) + least(revenue, 1)) * (quotes_sent-direct_cost / leads)	0	0	\N	\N	\N	\N	zero denominator
sum_last((revenue*0.001) + 0.3333333333333333333*1.25, 3) + (revenue+(leads / ((revenue)+3)))	2	0	1238.0469841248909144	102143828378239999999989687	82504000000000000000000	t	\N
direct_cost * direct_cost * (12345678901234567890 * leads)	0	0	75417244691615161968407.34375	2413351830131685182989035	32	f	\N
(1.25 - won_deals) * (100 - revenue)	0	0	6523.72	163093	25	f	\N
(days() - (revenue)) - (2 - direct_cost) - direct_cost	0	0	-1205.56	-30139	25	f	\N
(won_deals / days()) / (0.001 + leads) / ((0.3333333333333333333) / won_deals / (won_deals + revenue))	0	0	1961.8118691618922727	608364400000000000000000000	310103333333333333302323	t	\N
direct_cost + mean_last(coalesce((revenue + (direct_cost)) / ((setting(margin_default))/leads), least(7, won_deals * direct_cost)), 1)	0	0	50.0298000000000000	250149	5000	t	\N
year_ago(setting(margin_default)) / (coalesce(3,target(revenue),0.3333333333333333333) + won_deals * leads) - -sum_last(12345678901234567890 / days(), 2)	1	0	809770336532589938.4334677419354839	401646086920164609463	496	t	\N
days()/prior(prior(year_ago(direct_cost))/direct_cost)	4	0	129.1666666666666667	775	6	t	\N
revenue / (3) - year_ago(revenue)	2	0	411.5200000000000000	10288	25	t	\N
2/0/sum_months(days(), 3)	0	3	\N	\N	\N	\N	zero denominator
(direct_cost + won_deals - prior(revenue)) / mean_last(coalesce(won_deals, 0, (quotes_sent)), 2)	1	0	-296.6071428571428571	-8305	28	t	\N
won_deals-direct_cost - (0.001 - direct_cost) / ((direct_cost)-direct_cost)	0	0	\N	\N	\N	\N	zero denominator
(days()) + revenue+nullif((won_deals), 2) + 0.3333333333333333333	0	0	1272.8933333333333333333	12728933333333333333333	10000000000000000000	f	\N
sum_last(sum_months(least(prior(won_deals / 2),prior(1.25) * -direct_cost),1), 2)	1	2	-3.1250000000000000	-25	8	t	\N
prior(prior(leads * setting(margin_default)))	2	0	300	300	1	f	\N
won_deals * 3/(1 * 1.25)-1.25/revenue/(direct_cost/revenue)	0	0	16.8277008310249307	30374	1805	t	\N
revenue * leads * revenue	0	0	4572415.1808	2857759488	625	f	\N
-prior(leads / quotes_sent)	1	0	-1.2500000000000000	-5	4	t	\N
(1.25 - 0.001) * (days() - (revenue))*(leads / revenue - won_deals * (won_deals)) - won_deals	0	0	73648.4226477721617418	18942374305007	257200000	t	\N
least(direct_cost + 1.25,revenue - won_deals,won_deals + (0.001))	0	0	-43.875	-351	8	f	\N
(leads + 1 + (direct_cost + leads))*days()	0	0	-1181.875	-9455	8	f	\N
mean_last(((coalesce(quotes_sent, 1.25, 7) * 0.3333333333333333333) - (mean_last(won_deals, 1) + revenue*7)), 1)	0	0	-8648.5033333333333333	-69188026666666666666667	8000000000000000000	t	\N
prior(12345678901234567890 * ((1 + leads)/sum_months(0,1)))	1	1	\N	\N	\N	\N	zero denominator
(1 - days()) / (target(revenue) - days())	0	0	-0.0204220558202859	-30	1469	t	\N
- coalesce((leads), 12345678901234567890, 12345678901234567890)	0	0	-3	-3	1	f	\N
sum_months(sum_last(leads, 1), 1)	0	1	3	3	1	f	\N
won_deals/(year_ago(12345678901234567890)) - greatest(revenue, won_deals, direct_cost)/(revenue+leads) - direct_cost+leads	0	0	47.1274241248909144	24001240524729574052521709	509283946033728394598280	t	\N
2	0	0	2	2	1	f	\N
coalesce(0.5,7,3)/(sum_months(setting(margin_default),2))	0	2	0.0066666666666667	1	150	t	\N
direct_cost*revenue / ((revenue)+won_deals) - sum_months((leads) * (days()), 2)	0	2	-167.8705821708173588	-5210535	31039	t	\N
sum_months(leads * (days())-sum_last(0.5, 2),3)	0	4	337	337	1	f	\N
sum_last(sum_last(sum_last(greatest(won_deals, won_deals), 2), 1), 3)	3	0	\N	\N	\N	\N	not computed
direct_cost * (direct_cost * 12345678901234567890 * year_ago(won_deals) - year_ago(1.25 / (100)))	2	0	75417244691615161968407.9078125000000000	48267036602633703659781061	640	t	\N
(2 - won_deals) / won_deals	0	0	-0.7142857142857143	-5	7	t	\N
7 / - (target(revenue)*leads)	0	0	-0.0015555555555556	-7	4500	t	\N
leads + setting(history_years) - (won_deals+(setting(margin_default)))+leads*0.5 / leads	0	0	\N	\N	\N	\N	not set
sum_months((leads * leads) + (sum_months(won_deals, 2)), 3)	0	4	74	74	1	f	\N
(coalesce((revenue), leads)) * (target(revenue) / 0.5)*- (revenue / direct_cost) / - (least(revenue, 12345678901234567890, won_deals) / (revenue - 1.25))	0	0	-17852648568.6820672734467748	-5639205366632448	315875	t	\N
- days() / (setting(margin_default)-0)	0	0	-0.8266666666666667	-62	75	t	\N
coalesce(revenue+3,prior(days()),greatest(target(revenue), 2, won_deals))	1	0	1237.56	30939	25	f	\N
sum_months(coalesce((won_deals),direct_cost / revenue * -1.25),2)	0	2	2.0000000000000000	2	1	t	\N
leads * nullif(leads,leads)+revenue+(target(purchases) - 2 * 2) * (1.25 / (revenue / revenue))	0	0	\N	\N	\N	\N	zero denominator
- (direct_cost / (coalesce(direct_cost, won_deals + won_deals) / (prior((0.3333333333333333333)) + (leads-won_deals))))	0	0	3.6666666666666667	36666666666666666667	10000000000000000000	t	\N
(-2 + direct_cost * 7) / sum_months(- days(),1)	0	1	10.2540322580645161	2543	248	t	\N
direct_cost+0.3333333333333333333	0	0	-44.7916666666666666667	-447916666666666666667	10000000000000000000	f	\N
7 / leads	0	0	2.3333333333333333	7	3	t	\N
revenue * 1 - (revenue + days())	0	0	-31	-31	1	f	\N
days()+days() / 100	0	0	31.3100000000000000	3131	100	t	\N
(0.3333333333333333333+0.3333333333333333333 - coalesce(revenue, direct_cost, revenue)) * ((leads) * 0-(revenue) / 2)	0	0	761657.6768000000000000	11900901200000000000000643	15625000000000000000	t	\N
leads * ((7)/(revenue))	0	0	0.0170101088646967	175	10288	t	\N
(nullif(leads + leads, won_deals)+won_deals) / 1.25	0	0	10.4000000000000000	52	5	t	\N
(leads / direct_cost / (3 / days())) + (leads + 0.5 - year_ago(days()))	2	0	-25.1869806094182825	-18185	722	t	\N
-revenue	0	0	-1234.56	-30864	25	f	\N
year_ago((leads - direct_cost)) / -(revenue - (direct_cost))	2	0	0.7751915510457652	18717	24145	t	\N
won_deals / (won_deals / 1)	0	0	1.0000000000000000	1	1	t	\N
((coalesce(nullif(2, leads),days() * (revenue),7))/days())*((nullif(7, days()) - revenue/setting(history_years)) / (year_ago((target(revenue)))+(0.001 / 7)))	0	0	\N	\N	\N	\N	not set
sum_months(revenue, 1) / won_deals	0	1	1.4285714285714286	10	7	t	\N
direct_cost*1 / (leads + 12345678901234567890)	0	0	-0.0000000000000000	-361	98765431209876543144	t	\N
sum_months((0+direct_cost/won_deals) * (sum_last(leads,1) * (days() / 100)),3)	0	3	\N	\N	\N	\N	zero denominator
- (revenue + direct_cost)+(0.3333333333333333333 - 0.5) * (0.001 - direct_cost)	0	0	-1196.9560000000000000015042	-5984780000000000000007521	5000000000000000000000	f	\N
year_ago(1.25*((direct_cost) * leads))	2	0	10000.01	1000001	100	f	\N
prior(0) - 12345678901234567890 / won_deals - (leads - 0.3333333333333333333) / (0.001 / 1.25)	0	0	-1763668414462084460.4761904761904762	-98765431209876729786666666666666669	56000000000000000	t	\N
1.25 * revenue+coalesce(leads, leads)+(3 * 1.25 + coalesce(revenue, revenue, setting(margin_default)))	0	0	2784.51	278451	100	f	\N
(revenue) / coalesce(leads*setting(margin_default)-greatest(2,revenue),1 / leads - (0.001 - revenue),(leads) * (won_deals + (0.3333333333333333333)))	0	0	-1.1002620180738998	-20576	18701	t	\N
mean_last(won_deals, 2)-coalesce(revenue,100,target(revenue))	1	0	-1231.0600000000000000	-61553	50	t	\N
\.

CREATE TEMP VIEW evaluated AS
WITH rows AS (
	SELECT ARRAY[
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2024-05-31", "revenue": 1234.56, "direct_cost": -45.125, "won_deals": 7, "leads": 3, "days": 31}'),
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2024-04-20", "revenue": 1000, "direct_cost": 12.5, "won_deals": 0, "leads": 5, "quotes_sent": 4, "days": 30}'),
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2024-02-02", "revenue": 0, "direct_cost": 1000.001, "won_deals": 3, "leads": 8, "quotes_sent": 2, "days": 28}'),
		NULL,
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2023-10-15", "revenue": 17, "direct_cost": 3, "won_deals": 1, "leads": 1, "quotes_sent": 1, "days": 31}')
	] AS facts, ARRAY[
		NULL,
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2024-06-01", "period_end": "2024-07-01", "is_complete": false, "revenue": 99, "direct_cost": 98, "won_deals": 97, "leads": 96, "quotes_sent": 95, "days": 10}'),
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2024-05-01", "period_end": "2024-06-01", "is_complete": true, "revenue": 10, "direct_cost": 4.5, "won_deals": 2, "leads": 3, "quotes_sent": 6, "days": 31}'),
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2024-04-01", "period_end": "2024-05-01", "is_complete": true, "revenue": 20.25, "direct_cost": -8, "won_deals": 0, "leads": 1, "days": 30}'),
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2024-03-01", "period_end": "2024-04-01", "is_complete": true, "revenue": 30, "direct_cost": 16, "won_deals": 5, "leads": 7, "quotes_sent": 1, "days": 31}'),
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2024-02-01", "period_end": "2024-03-01", "is_complete": true, "revenue": -40, "direct_cost": 0, "won_deals": 3, "leads": 2, "quotes_sent": 2, "days": 29}'),
		NULL,
		jsonb_populate_record(NULL::kpi_fact, '{"period": "2023-12-01", "period_end": "2024-01-01", "is_complete": true, "revenue": 50, "direct_cost": 1, "won_deals": 1, "leads": 1, "quotes_sent": 1, "days": 31}')
	] AS month_facts, '{history_years,margin_default}'::text[] AS settings, '{NULL,37.5}'::numeric[] AS setting_values
)
SELECT v.*, e.value AS got, e.numerator, e.denominator, e.reason AS got_reason, c.canonical, to_jsonb(e) AS got_all, to_jsonb(again) AS got_again
FROM rows, vector v, kpi_formula_expand(v.formula, '{}', '{}') c(canonical),
	kpi_evaluate(v.formula, facts, 2, '{revenue,leads}', '{1500,NULL}', month_facts, settings, setting_values) e,
	kpi_evaluate(c.canonical, facts, 2, '{revenue,leads}', '{1500,NULL}', month_facts, settings, setting_values) again;

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
SELECT formula, months, kpi_formula_months(formula) FROM vector WHERE kpi_formula_months(formula) <> months;

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
