-- kpi_ratio, and the aggregates that are ratios of sums over plain columns.
SET search_path = kpi, public;
SET client_min_messages = warning;
\getenv source PG_ABS_SRCDIR
\set harness :source '/test/aggregates/harness.sql'
\set ECHO none
\i :harness
\set ECHO all

-- Text: the same sums, the same text, however the numbers were written.
SELECT kpi_ratio(n, d) AS ratio, kpi_ratio(-n, d) AS negative
FROM (VALUES (1.50, 10), (2.500, 20.0), (NULL, 0.5), (-4, NULL), (NULL, NULL)) v(n, d);
SELECT kpi_ratio(n, d) AS no_rows FROM (SELECT 1 AS n, 1 AS d WHERE false) v;
SELECT kpi_ratio(n, d) AS only_nulls FROM (VALUES (NULL::bigint, NULL::bigint)) v(n, d);
SELECT kpi_profit_state(n, d) AS missing FROM (VALUES (10, 4), (20, NULL), (NULL, 7)) v(n, d);
SELECT kpi_ratio(1e40, -1e-30) AS big, kpi_ratio(123456789012345678901234567890123456.7, 999999999999999999999999999999999999) AS around;

SELECT literal, literal::kpi_ratio::text = literal AS is_same, kpi_count(literal::kpi_ratio) AS n,
	kpi_numerator(literal::kpi_ratio) AS numerator, kpi_denominator(literal::kpi_ratio) AS denominator
FROM unnest(ARRAY['1:{0/0,0}', '1:{0/0,0,5}', '1:{0/0,1}', '1:{1/3,1}', '1:{-0.5/100.25,2}', '1:{-1/-1,9223372036854775807}',
	'1:{1/1,1,-0.25}', '1:{0.000000000000000000000001/1,1}', '1:{0.0000000000000000000000001/1,1}',
	'1:{999999999999999999999999999999999999/1000000000000000000000000000000000000,1}',
	'1:{99999999999.9999999999999999999999999/1,1}', '1:{999999999999.999999999999999999999999/1,1}']) WITH ORDINALITY v(literal, n)
ORDER BY v.n;
SELECT length(literal) AS length, literal::kpi_ratio::text = literal AS is_same, pg_column_size(literal::kpi_ratio) < length(literal) AS is_smaller
FROM (SELECT format('1:{-%s.%s/%s,7,0.%s5}', repeat('9', 131072), repeat('3', 16383), 1, repeat('0', 16382)) AS literal) v;

-- Anything else is refused.
SELECT left(literal, 40) AS literal, harness.outcome(format('SELECT %L::kpi.kpi_ratio', literal))
FROM unnest(ARRAY['', '1', '1:', '1:{', '1:{}', '1:{1', '1:{1/', '1:{1/2', '1:{1/2,', '1:{1/2,3', '1:{1/2,3,', '1:{1/2,3,4', '1:{1/2,3}x', '1:{1/2,3,4,5}',
	' 1:{1/2,3}', '1:{ 1/2,3}', '1:{1/2,3} ', '2:{1/2,3}', '0:{1/2,3}', '11:{1/2,3}', '1:{1/2}', '1:{/2,3}', '1:{1/,3}', '1:{1/2,}',
	'1:{1/2,-3}', '1:{1/2,+3}', '1:{1/2,03}', '1:{1/2,3.0}', '1:{1/2,9223372036854775808}', '1:{1/2,0}', '1:{0/0.1,0}', '1:{1/2,3,0}', '1:{1/2,3,-0}',
	'1:{+1/2,3}', '1:{01/2,3}', '1:{00/2,3}', '1:{1.0/2,3}', '1:{1./2,3}', '1:{.5/2,3}', '1:{-0/2,3}', '1:{-/2,3}', '1:{--1/2,3}', '1:{1e3/2,3}', '1:{0x1/2,3}',
	'1:{NaN/2,3}', '1:{Infinity/2,3}', '1:{1..5/2,3}', '1:{1.-5/2,3}', '1:{1 /2,3}', '1:{1//2,3}', '1:{äöü/2,3}', repeat('ä', 100),
	'1:{1' || repeat('0', 131072) || '/2,3}', '1:{0.' || repeat('1', 16384) || '/2,3}']) WITH ORDINALITY v(literal, n)
ORDER BY n;

-- Binary: the same text, as a message.
SELECT convert_from(kpi_ratio_send('1:{-0.5/100.25,2}'), 'UTF8') AS message;
SELECT left(literal, 24) AS literal, harness.received('kpi_ratio', kpi_ratio_send(literal::kpi_ratio)) = literal AS is_same
FROM unnest(ARRAY['1:{0/0,0}', '1:{-0.5/100.25,2}', '1:{1/2,3,4}', format('1:{%s/2,3}', repeat('7', 500))]) WITH ORDINALITY v(literal, n)
ORDER BY n;
SELECT why, harness.received('kpi_ratio', message)
FROM (VALUES
	(1, 'empty', ''::bytea),
	(2, 'truncated', '1:{1/2,'),
	(3, 'over-long', '1:{1/2,3}}'),
	(4, 'zero byte behind', '1:{1/2,3}'::bytea || '\x00'),
	(5, 'zero byte within', '1:{1'::bytea || '\x00' || '/2,3}'),
	(6, 'version', '2:{1/2,3}'),
	(7, 'not UTF-8', '1:{1/2,3'::bytea || '\xff7d'),
	(8, 'not canonical', '1:{1.0/2,3}')
) v(n, why, message)
ORDER BY n;

-- Damaged at random, in a fixed way: what is still read is what was written.
SELECT setseed(0.5);
CREATE FUNCTION damaged(literal text, how integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	at integer := 1 + floor(random() * length(literal));
	bytes bytea := literal::bytea;
	letters text := '0123456789.-/,{}:1';
BEGIN
	CASE how
		WHEN 0 THEN RETURN left(literal, at - 1);
		WHEN 1 THEN RETURN literal || substr(letters, 1 + floor(random() * length(letters))::integer, 1);
		WHEN 2 THEN RETURN convert_from(set_byte(bytes, at - 1, greatest(1, get_byte(bytes, at - 1) # (1 << floor(random() * 7)::integer))), 'LATIN1');
		WHEN 3 THEN RETURN overlay(literal PLACING substr(letters, 1 + floor(random() * length(letters))::integer, 1) FROM at);
		WHEN 4 THEN RETURN left(literal, at) || substr(literal, at);
		ELSE RETURN (SELECT string_agg(substr(letters, 1 + floor(random() * length(letters))::integer, 1), '') FROM generate_series(0, at) i);
	END CASE;
END
$$;
WITH literal AS (
	SELECT n, format('1:{%s/%s,%s}', trim_scale((random() * 1000)::numeric), trim_scale(round((random() * 1e9)::numeric * 10.0 ^ (n % 40 - 10), n % 30)), n)::kpi_ratio::text AS literal
	FROM generate_series(1, 4000) n),
damage AS MATERIALIZED (SELECT n, how, damaged(literal, how) AS literal FROM (SELECT n, literal, n % 6 AS how FROM literal) l),
result AS MATERIALIZED (SELECT how, literal, harness.outcome(format('SELECT %L::kpi.kpi_ratio', literal)) AS outcome FROM damage)
SELECT how, count(*) > 600 AS many, count(*) FILTER (WHERE outcome = 'ok') > 0 AS some_read,
	count(*) FILTER (WHERE outcome = 'ok' AND literal::kpi_ratio::text <> literal) AS read_otherwise,
	count(*) FILTER (WHERE outcome <> 'ok' AND outcome NOT LIKE '22P02 | malformed kpi_ratio: %') AS other_errors
FROM (SELECT how, CASE outcome WHEN 'ok' THEN literal ELSE '1:{0/0,0}' END AS literal, outcome FROM result) r
GROUP BY how ORDER BY how;
SELECT count(*) AS messages, count(*) FILTER (WHERE received NOT LIKE '22___ | %' AND received <> convert_from(message, 'UTF8')) AS read_otherwise
FROM (SELECT message, harness.received('kpi_ratio', message) AS received
	FROM (SELECT damaged(format('1:{%s.5/%s,%s}', n * 7919, n, n), n % 6)::bytea AS message FROM generate_series(1, 120) n OFFSET 0) m OFFSET 0) r;

-- What it says: one division, rounded once, half away from zero.
SELECT ratio, ratio::numeric, kpi_percent(ratio) AS percent, kpi_margin(ratio) AS margin, kpi_growth(ratio) AS growth, kpi_accuracy(ratio) AS accuracy, kpi_multiple(ratio) AS multiple, kpi_coverage(ratio) AS coverage
FROM unnest('{"1:{40/100,2}","1:{1/3,1}","1:{-1/3,1}","1:{1/-3,1}","1:{0/5,1}","1:{8/5,1}","1:{11/5,1}","1:{5/0,1}","1:{0/0,0}","1:{0/0,0,5}","1:{40/100,2,300}","1:{5/5,1,-5}",NULL}'::kpi_ratio[]) WITH ORDINALITY v(ratio, n)
ORDER BY n;
SELECT '1:{1/20000000000000000,1}'::kpi_ratio::numeric AS up, '1:{-1/20000000000000000,1}'::kpi_ratio::numeric AS down,
	'1:{1/20000000000000001,1}'::kpi_ratio::numeric AS less, '1:{3/20000000000000000,1}'::kpi_ratio::numeric AS again;
SELECT '1:{1/2,3}'::kpi_ratio + '1:{0.5/8,1,2}' AS sum, '1:{1/2,3}'::kpi_ratio + '1:{-1/-2,1}' AS none, NULL + '1:{1/2,3}'::kpi_ratio AS unknown,
	'1:{999999999999999999999999999999999999/1,1}'::kpi_ratio + '1:{1/0.0000000000000000000000001,1}' AS grown,
	'1:{1000000000000000000000000000000000000/1.0000000000000000000000001,1}'::kpi_ratio + '1:{-1/-0.0000000000000000000000001,1}' AS shrunk;

-- Published figures.
-- Prowi: quotas of 50k each; then unequal ones, where a mean of ratios would be 55.
SELECT kpi_attainment(actual, target) AS team, string_agg(round(100.0 * actual / target, 1)::text, ' ' ORDER BY rep) AS reps
FROM (VALUES (1, 42500, 50000), (2, 55000, 50000), (3, 52500, 50000)) v(rep, actual, target);
SELECT round(kpi_attainment(actual, target), 2) AS unequal FROM (VALUES (90, 100), (10, 50)) v(actual, target);
-- Skool: 50 replies of 100 contacts.  aidxn: cost by 75 new customers.
SELECT kpi_reply_rate(n <= 50) AS skool FROM generate_series(1, 100) n;
SELECT kpi_customer_acquisition_cost(cost, customers) AS aidxn FROM (VALUES (50000, NULL), (20000, 75), (5000, NULL)) v(cost, customers);
-- Maven Analytics: 4,238 deals won for 10,005,534, 2,473 lost, the rest open.
SELECT round(kpi_win_rate(won), 2) AS win_rate, round(kpi_average_won_value(won, amount), 2) AS average
FROM (SELECT CASE WHEN n <= 4238 THEN true WHEN n <= 6711 THEN false END AS won, CASE n WHEN 1 THEN 10005534 - 4237 ELSE 1 END AS amount FROM generate_series(1, 8800) n) deals;

-- Random rows of many kinds, by group: money, any number of decimals, huge
-- ones, integers, quotients, almost nothing.
SELECT setseed(0.25);
CREATE FUNCTION quotient(n numeric, d numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE RETURN CASE WHEN d <> 0 THEN round(n::numeric(1000, 90) / d, 16) END;
CREATE FUNCTION state_text(numerator numeric, denominator numeric, n bigint, missing numeric) RETURNS text
LANGUAGE sql IMMUTABLE RETURN CASE WHEN n > 0 OR missing <> 0 THEN
	format('1:{%s/%s,%s%s}', trim_scale(coalesce(numerator, 0)), trim_scale(coalesce(denominator, 0)), n, ',' || nullif(trim_scale(missing), 0)) END;
CREATE FUNCTION amount(kind integer) RETURNS numeric
LANGUAGE sql RETURN CASE WHEN random() < 0.15 THEN NULL
	WHEN kind = 0 THEN round((random() * 10000 - 2000)::numeric, 2)
	WHEN kind = 1 THEN round((random() - 0.3)::numeric * 10.0 ^ 30 / 7, (random() * 30)::integer) / 10.0 ^ 20
	WHEN kind = 2 THEN round((random() - 0.5)::numeric * 10.0 ^ (10 + floor(random() * 60)::integer), 3)
	WHEN kind = 3 THEN floor(random() * 1000)::numeric
	WHEN kind = 4 THEN 1.0 / (1 + floor(random() * 30000))::integer
	WHEN kind = 5 THEN (ARRAY[NULL, 0, 1, -1])[1 + floor(random() * 4)::integer] END;
CREATE TABLE deal AS
SELECT n::bigint, g, n % 3 AS h, floor(random() * 7)::integer AS split,
	amount(g % 6) AS revenue, amount(g % 6) AS cost, amount(g % 6) AS other,
	(ARRAY[true, false, NULL])[1 + floor(random() * 3)::integer] AS won,
	CASE WHEN random() < 0.8 THEN round(random()::numeric, (random() * 6)::integer) END AS probability
FROM (SELECT n, floor(power(random(), 3) * 60)::integer AS g FROM generate_series(1, 400) n OFFSET 0) rows;
SELECT harness.prepare('deal');

CREATE TABLE test_aggregate (position integer GENERATED ALWAYS AS IDENTITY, aggregate text, formula text, state text, finish text);
CREATE FUNCTION compare(rows regclass, OUT aggregate text, OUT ways bigint, OUT compared boolean, OUT different bigint) RETURNS SETOF record
LANGUAGE sql AS $$
SELECT aggregate, count(*), bool_and(c.compared > 0), sum(c.different)::bigint
FROM test_aggregate a, harness.compare(rows, a.aggregate, a.formula, a.state, a.finish) c
GROUP BY position, aggregate ORDER BY position
$$;
INSERT INTO test_aggregate (aggregate, formula, state, finish) VALUES
	('kpi_profit_margin(revenue, cost)',
		'CASE WHEN sum(revenue) FILTER (WHERE cost IS NOT NULL) > 0
		 THEN quotient(100 * sum(revenue - cost), sum(revenue) FILTER (WHERE cost IS NOT NULL)) END',
		'kpi_profit_state(revenue, cost)', 'kpi_margin(%s)'),
	('kpi_cost_coverage(revenue, cost)',
		'quotient(100 * coalesce(sum(revenue) FILTER (WHERE cost IS NOT NULL), 0), sum(revenue))',
		'kpi_profit_state(revenue, cost)', 'kpi_coverage(%s)'),
	('kpi_profit_state(revenue, cost)',
		'state_text(sum(cost) FILTER (WHERE revenue IS NOT NULL), sum(revenue) FILTER (WHERE cost IS NOT NULL),
			count(*) FILTER (WHERE revenue IS NOT NULL AND cost IS NOT NULL), sum(revenue) FILTER (WHERE cost IS NULL))::kpi_ratio',
		'kpi_profit_state(revenue, cost)', '%s'),
	('kpi_return_on_sales(revenue, cost, other)',
		'CASE WHEN sum(revenue) > 0 THEN quotient(100 * (sum(revenue) - coalesce(sum(cost), 0) - coalesce(sum(other), 0)), sum(revenue)) END',
		'kpi_return_state(revenue, cost, other)', 'kpi_margin(%s)'),
	('kpi_attainment(revenue, cost)',
		'quotient(100 * sum(coalesce(revenue, 0)) FILTER (WHERE cost IS NOT NULL), sum(cost))',
		'kpi_attainment_state(revenue, cost)', 'kpi_percent(%s)'),
	('kpi_pipeline_coverage(revenue, cost, other)',
		'CASE WHEN coalesce(sum(cost), 0) > coalesce(sum(other), 0) THEN quotient(coalesce(sum(revenue), 0), coalesce(sum(cost), 0) - coalesce(sum(other), 0)) END',
		'kpi_open_target_state(revenue, cost, other)', 'kpi_multiple(%s)'),
	('kpi_conversion_rate(won)', 'quotient(100 * count(*) FILTER (WHERE won), count(won))', 'kpi_share_state(won)', 'kpi_percent(%s)'),
	('kpi_win_rate_by_value(won, revenue)',
		'quotient(100 * coalesce(sum(revenue) FILTER (WHERE won), 0), sum(revenue) FILTER (WHERE won IS NOT NULL))',
		'kpi_share_state(won, revenue)', 'kpi_percent(%s)'),
	('kpi_average_won_value(won, revenue)',
		'quotient(coalesce(sum(revenue) FILTER (WHERE won), 0), count(*) FILTER (WHERE won))',
		'kpi_won_state(won, revenue)', 'kpi_quotient(%s)'),
	('kpi_weighted_pipeline(revenue, probability)', 'sum(revenue * probability)', 'kpi_pipeline_state(revenue, probability)', 'kpi_numerator(%s)'),
	('kpi_ratio(revenue, cost)',
		'state_text(sum(revenue), sum(cost), count(*) FILTER (WHERE revenue IS NOT NULL OR cost IS NOT NULL), 0)::kpi_ratio',
		'kpi_ratio(revenue, cost)', '%s'),
	('kpi_revenue_growth(revenue, cost)',
		'CASE WHEN sum(cost) > 0 THEN quotient(100 * (coalesce(sum(revenue), 0) - sum(cost)), sum(cost)) END', 'kpi_ratio(revenue, cost)', 'kpi_growth(%s)'),
	('kpi_forecast_accuracy(revenue, cost)',
		'CASE WHEN sum(cost) > 0 THEN quotient(100 * (sum(cost) - abs(coalesce(sum(revenue), 0) - sum(cost))), sum(cost)) END', 'kpi_ratio(revenue, cost)', 'kpi_accuracy(%s)'),
	('kpi_quote_to_close_ratio(revenue, cost)', 'quotient(100 * coalesce(sum(revenue), 0), sum(cost))', 'kpi_ratio(revenue, cost)', 'kpi_percent(%s)'),
	('kpi_customer_acquisition_cost(revenue, cost)', 'quotient(coalesce(sum(revenue), 0), sum(cost))', 'kpi_ratio(revenue, cost)', 'kpi_quotient(%s)');
SELECT * FROM compare('deal');
-- Those that differ from one of these in name alone.
SELECT count(*) AS compared, count(*) FILTER (WHERE (rate, rate, rate, quotient, quotient, quotient, quotient, share) IS DISTINCT FROM (win, reply, show, per_lead, per_rep, activity, quick, slipped)) AS different
FROM (SELECT g, kpi_conversion_rate(won) AS rate, kpi_win_rate(won) AS win, kpi_reply_rate(won) AS reply, kpi_show_rate(won) AS show,
	kpi_win_rate_by_value(won, revenue) AS share, kpi_slippage(won, revenue) AS slipped, kpi_calls_and_emails_per_rep(revenue, cost) AS activity,
	kpi_customer_acquisition_cost(revenue, cost) AS quotient, kpi_cost_per_lead(revenue, cost) AS per_lead, kpi_revenue_per_rep(revenue, cost) AS per_rep, kpi_quick_ratio(revenue, cost) AS quick
	FROM deal GROUP BY g) same;

-- The same in the integer types, whose own limits are no limit of the sums.
CREATE TABLE whole_deal AS
SELECT n::bigint, g, n % 3 AS h, floor(random() * 7)::integer AS split, won,
	integers[i]::smallint AS smallint_1, integers[j]::smallint AS smallint_2, integers[k]::smallint AS smallint_3,
	integers[i + 6]::integer AS integer_1, integers[j + 6]::integer AS integer_2, integers[k + 6]::integer AS integer_3,
	integers[i + 12] AS bigint_1, integers[j + 12] AS bigint_2, integers[k + 12] AS bigint_3
FROM (SELECT n, floor(power(random(), 3) * 30)::integer AS g, (ARRAY[true, false, NULL])[1 + floor(random() * 3)::integer] AS won,
		1 + floor(random() * 6)::integer AS i, 1 + floor(random() * 6)::integer AS j, 1 + floor(random() * 6)::integer AS k
	FROM generate_series(1, 300) n) rows,
	(VALUES (ARRAY[NULL, -32768, 32767, 0, 1, 7, NULL, -2147483648, 2147483647, 0, 1, 7, NULL, -9223372036854775808, 9223372036854775807, 0, 1, 7])) v(integers);
CREATE FUNCTION in_type(call text, type text) RETURNS text
LANGUAGE sql RETURN replace(replace(replace(call, 'revenue', type || '_1'), 'cost', type || '_2'), 'other', type || '_3');
SELECT type, count(DISTINCT typed.aggregate) AS aggregates, count(*) AS ways, bool_and(c.compared > 0) AS compared, sum(c.different) AS different
FROM (VALUES (1, 'smallint'), (2, 'integer'), (3, 'bigint')) t(n, type), test_aggregate a,
	LATERAL (SELECT in_type(a.aggregate, type), in_type(regexp_replace(a.formula, '\m(revenue|cost|other)\M', '\1::numeric', 'g'), type)) typed(aggregate, formula),
	LATERAL (VALUES
		('SELECT %1$s AS got, %2$s AS wanted FROM whole_deal GROUP BY GROUPING SETS ((), (g), (h))'),
		('SELECT %1$s OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) AS got,
			(SELECT %2$s FROM whole_deal f WHERE f.n BETWEEN r.n - 2 AND r.n + 1) AS wanted FROM whole_deal r')) ways(query),
	harness.differences('', format(query, typed.aggregate, typed.formula)) c
WHERE a.aggregate ~ '^kpi_(profit_state|return_on_sales|pipeline_coverage|attainment|win_rate_by_value|average_won_value|ratio)\('
GROUP BY t.n, type ORDER BY t.n;

-- Every mix of types is understood; double precision is not, as a literal with
-- a point would otherwise become one.
SELECT count(*) AS mixes, count(*) FILTER (WHERE outcome = 'ok') AS understood
FROM (SELECT harness.outcome(format('SELECT kpi.kpi_profit_margin(1::%s, 1::%s), kpi.kpi_win_rate_by_value(true, 1::%1$s), kpi.kpi_return_on_sales(1::%1$s, 1::%2$s, 1.5)', a, b)) AS outcome
	FROM unnest('{smallint,integer,bigint,numeric}'::text[]) a, unnest('{smallint,integer,bigint,numeric}'::text[]) b) o;
SELECT harness.outcome('SELECT kpi.kpi_profit_margin(1::double precision, 1)') LIKE '42883 | %' AS refused;

-- No amounts that cannot be summed, no percentages for probabilities.
SELECT harness.outcome(format('SELECT kpi.kpi_profit_margin(%L::numeric, 1)', amount)), harness.outcome(format('SELECT kpi.kpi_ratio(NULL, %L::numeric)', amount))
FROM unnest('{NaN,Infinity,-Infinity}'::text[]) WITH ORDINALITY v(amount, n) ORDER BY n;
SELECT p, harness.outcome(format('SELECT kpi.kpi_weighted_pipeline(100, %L)', p))
FROM unnest('{0,1,40,-0.1,1.0000000000000000000000000000000000001,NaN,Infinity}'::numeric[]) WITH ORDINALITY v(p, n) ORDER BY n;
SELECT harness.outcome($$SELECT kpi.kpi_rollup(r) FROM unnest('{"1:{1/1,9223372036854775807}","1:{1/1,1}"}'::kpi.kpi_ratio[]) r$$);
SELECT harness.outcome(format($$SELECT '1:{%s/1,1}'::kpi.kpi_ratio + '1:{%1$s/1,1}'$$, repeat('9', 131072)));
SELECT harness.outcome('SELECT kpi.kpi_ratio_add(NULL, 1, 1)'), harness.outcome('SELECT kpi.kpi_ratio_combine(''1:{1/1,1}'', ''1:{1/1,1}'')'),
	harness.outcome('SELECT kpi.kpi_row_share_remove(''1:{1/1,1}'', true)');

-- Each aggregate can run in parallel and take rows away again.
SELECT count(*) > 50 AS many, count(*) FILTER (WHERE aggcombinefn = 0 OR proparallel <> 's' OR aggminvtransfn = 0 OR aggtransspace <> 64) AS lacking
FROM pg_aggregate JOIN pg_proc p ON p.oid = aggfnoid WHERE aggtranstype = 'kpi_ratio'::regtype;

-- Aggregates over the same columns share one transition: their arguments are
-- worked out once for each row, as this argument counts.
CREATE SEQUENCE calls;
CREATE FUNCTION counted(amount numeric) RETURNS numeric STABLE
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM nextval('kpi.calls');
	RETURN amount;
END
$$;
SELECT kpi_profit_margin(counted(n), 1), kpi_cost_coverage(counted(n), 1), kpi_profit_state(counted(n), 1) FROM generate_series(1, 100) n;
SELECT nextval('calls') - 1 AS shared;
SELECT kpi_revenue_growth(counted(n), 90), kpi_quote_to_close_ratio(counted(n), 90), kpi_cost_per_lead(counted(n), 90), kpi_ratio(counted(n), 90) FROM generate_series(1, 100) n;
SELECT nextval('calls') - 1 - 101 AS shared;
SELECT kpi_profit_margin(counted(n), 1), kpi_attainment(counted(n), 1) FROM generate_series(1, 100) n;
SELECT nextval('calls') - 1 - 202 AS not_shared;

-- States in a table: a day and rep each, of whatever storage; any roll-up of
-- them is what the rows give.
CREATE TABLE line AS
SELECT day::date, rep, round((random() * 1000 - 100)::numeric, 2) AS revenue, CASE WHEN random() < 0.8 THEN round((random() * 500)::numeric, 3) END AS cost
FROM generate_series('2026-01-01'::date, '2026-03-31', '1 day') day, generate_series(1, 5) rep, generate_series(1, 1 + rep % 3);
INSERT INTO line SELECT '2026-02-03', rep, ('1' || repeat('0', length * rep) || '.5')::numeric, repeat('12345678', length)::numeric FROM generate_series(1, 3) rep, unnest('{30,150,600}'::integer[]) length;
CREATE TABLE summary (day date, rep integer, profit kpi_ratio);
INSERT INTO summary SELECT day, rep, kpi_profit_state(revenue, cost) FROM line GROUP BY day, rep;
CREATE TABLE plain_summary (LIKE summary);
ALTER TABLE plain_summary ALTER profit SET STORAGE external;
INSERT INTO plain_summary SELECT day, rep, kpi_profit_state(revenue, cost) FROM line GROUP BY day, rep;
SELECT max(pg_column_size(s.profit)) < 1000 AS is_compressed, max(pg_column_size(p.profit)) > 2100 AS is_external, min(pg_column_size(s.profit)) < 64 AS is_short, bool_and(s.profit = p.profit) AS is_same
FROM summary s JOIN plain_summary p USING (day, rep);
SELECT count(*) AS compared, count(*) FILTER (WHERE (s.profit, p.profit, s.margin, s.coverage) IS DISTINCT FROM (l.profit, l.profit, l.margin, l.coverage)) AS different
FROM (SELECT date_trunc('month', day) AS month, rep % 2 AS team, kpi_profit_state(revenue, cost) AS profit, kpi_profit_margin(revenue, cost) AS margin, kpi_cost_coverage(revenue, cost) AS coverage
	FROM line GROUP BY CUBE (1, 2)) l
JOIN (SELECT date_trunc('month', day) AS month, rep % 2 AS team, kpi_rollup(profit) AS profit, kpi_margin(kpi_rollup(profit)) AS margin, kpi_coverage(kpi_rollup(profit)) AS coverage
	FROM summary GROUP BY CUBE (1, 2)) s ON (l.month, l.team) IS NOT DISTINCT FROM (s.month, s.team)
JOIN (SELECT date_trunc('month', day) AS month, rep % 2 AS team, kpi_rollup(profit) AS profit FROM plain_summary GROUP BY CUBE (1, 2)) p
	ON (l.month, l.team) IS NOT DISTINCT FROM (p.month, p.team);
SELECT count(*) AS compared, count(*) FILTER (WHERE total IS DISTINCT FROM one + other) AS different
FROM (SELECT day, kpi_rollup(profit) AS total, kpi_rollup(profit) FILTER (WHERE rep < 3) AS one, kpi_rollup(profit) FILTER (WHERE rep >= 3) AS other FROM summary GROUP BY day) s;

-- Equality: by hash, in rows, in either storage.
SELECT count(*) = (SELECT count(*) FROM summary) AS all_found
FROM (SELECT profit FROM summary INTERSECT SELECT profit FROM plain_summary) s;
SELECT '1:{1/2,3}'::kpi_ratio = '1:{1/2,3}' AS eq, '1:{1/2,3}'::kpi_ratio <> '1:{1/2,3}' AS ne, '1:{1/2,3}'::kpi_ratio = '1:{1/2,4}' AS other_rows,
	'1:{1/2,3}'::kpi_ratio = '1:{2/4,3}' AS same_quotient, '1:{1/2,3}'::kpi_ratio = '1:{1/2,3,1}' AS other_missing,
	(1, '1:{1/2,3}'::kpi_ratio) IS DISTINCT FROM (1, '1:{1/2,3}'::kpi_ratio) AS row_differs;

-- An aggregate of one's own without final function hands out sums that are not
-- settled: everything reads them all the same.
CREATE AGGREGATE open_ratio(numeric, numeric) (SFUNC = kpi_ratio_add, STYPE = kpi_ratio);
CREATE TABLE open_state AS SELECT open_ratio(n, d) AS r FROM (VALUES (1.50, 1e36), (2.50, -1e36), (1e36, 3.000), (-1e36, 0.0)) v(n, d);
SELECT r, r = '1:{4/3,4}' AS eq, r + '1:{1/1,1}' AS plus, kpi_quotient(r), kpi_numerator(r), kpi_ratio_send(r) = kpi_ratio_send('1:{4/3,4}') AS same_message,
	kpi_ratio_hash(r) = kpi_ratio_hash('1:{4/3,4}') AS same_hash, kpi_ratio_hash(r, 5) = kpi_ratio_hash('1:{4/3,4}', 5) AS same_seeded
FROM open_state;
SELECT kpi_rollup(r) FROM open_state;

-- Many groups, and one long moving frame, in a bounded time.
SELECT count(*) AS groups, count(*) FILTER (WHERE rate <> CASE WHEN g < 50000 THEN 50 ELSE 0 END) AS different
FROM (SELECT g, kpi_win_rate(n % 2 = 0 AND g < 50000) AS rate FROM generate_series(0, 100000 - 1) g, generate_series(1, 2) n GROUP BY g) r;
SELECT sum(rate) > 0 AS is_some, max(rate) = 100 AS is_all
FROM (SELECT kpi_conversion_rate(n > 30000) OVER (ORDER BY n ROWS BETWEEN 20000 PRECEDING AND CURRENT ROW) AS rate FROM generate_series(1, 60000) n) r;

DROP AGGREGATE open_ratio(numeric, numeric);
DROP TABLE deal, deal_partitioned, whole_deal, test_aggregate, line, summary, plain_summary, open_state;
DROP SEQUENCE calls;
DROP FUNCTION damaged(text, integer), quotient(numeric, numeric), amount(integer), state_text(numeric, numeric, bigint, numeric), compare(regclass), in_type(text, text), counted(numeric);
DROP SCHEMA harness CASCADE;
