-- Each aggregate over plain columns, of whatever types, against plain SQL: which
-- there are is what the catalog says, so that none is left out.
SET search_path = kpi, public;
SET client_min_messages = warning;
SET timezone = 'Asia/Kolkata';
\getenv source PG_ABS_SRCDIR
\set harness :source '/test/aggregates/harness.sql'
\set ECHO none
\i :harness
\set ECHO all

-- Numbers that a smallint holds, of either sign, and none that is negative (p, q).
SELECT setseed(0.6);
CREATE TABLE source_row AS
SELECT n, n % 8 AS g, a, b, c, abs(b) AS p, abs(c) AS q, v, w, id, opened, closed, greatest(opened, closed) AS won
FROM (SELECT n, CASE WHEN random() > 0.1 THEN floor(random() * 300) - 100 END::numeric AS a, CASE WHEN random() > 0.1 THEN floor(random() * 300) - 100 END::numeric AS b,
		CASE WHEN random() > 0.1 THEN floor(random() * 300) - 100 END::numeric AS c, (ARRAY[true, false, NULL])[1 + floor(random() * 3)::integer] AS v, (ARRAY[true, false, NULL])[1 + floor(random() * 3)::integer] AS w,
		CASE WHEN random() > 0.1 THEN floor(random() * 15)::integer END AS id, CASE WHEN random() > 0.1 THEN '2026-03-25'::date + floor(random() * 20)::integer END AS opened,
		CASE WHEN random() > 0.3 THEN '2026-03-25'::date + floor(random() * 30)::integer END AS closed
	FROM generate_series(1, 160) n OFFSET 0) v;
CREATE VIEW account AS
SELECT g, id, coalesce(sum(p) FILTER (WHERE (opened < '2026-04-01' OR opened IS NULL) AND (closed >= '2026-04-01' OR closed IS NULL)), 0) AS opening,
	coalesce(sum(p) FILTER (WHERE (opened < '2026-04-08' OR opened IS NULL) AND (closed >= '2026-04-08' OR closed IS NULL)), 0) AS closing,
	bool_or(opened < '2026-04-01' OR opened IS NULL) AS was_before, bool_or((opened < '2026-04-01' OR opened IS NULL) AND (closed >= '2026-04-01' OR closed IS NULL)) AS at_opening,
	bool_or((opened < '2026-04-08' OR opened IS NULL) AND (closed >= '2026-04-08' OR closed IS NULL)) AS at_closing
FROM source_row WHERE id IS NOT NULL AND (opened < closed OR opened IS NULL OR closed IS NULL) AND (opened < '2026-04-08' OR opened IS NULL) GROUP BY g, id;
CREATE VIEW customer AS
SELECT g, id, sum(a) AS revenue, row_number() OVER (PARTITION BY g ORDER BY sum(a) DESC) AS rank FROM source_row WHERE id IS NOT NULL AND a IS NOT NULL GROUP BY g, id;
CREATE VIEW visitor AS
SELECT g, id, min(coalesce(opened, '-infinity')) AS first FROM source_row WHERE id IS NOT NULL GROUP BY g, id;
-- 16 decimals, half away from zero.
CREATE FUNCTION quotient(a numeric, b numeric) RETURNS numeric IMMUTABLE LANGUAGE sql
AS $$ SELECT CASE WHEN b <> 0 THEN sign(a) * sign(b) * div(abs(a) * 2e16 + abs(b), abs(b) * 2) * 1e-16 END $$;

-- An aggregate's arguments, of whatever types; what it is of some rows in plain
-- SQL; and how to read it where it is a state.
CREATE TABLE meaning (name text, args text[], relation text, formula text, finish text DEFAULT '%s');
INSERT INTO meaning (name, args, relation, formula, finish)
SELECT name, args, 'source_row', formula, finish
FROM (VALUES
	('{kpi_profit_margin,kpi_profit_state}'::text[], '{a,b}'::text[], 'CASE WHEN sum(a) FILTER (WHERE b IS NOT NULL) > 0 THEN quotient(100 * sum(a - b), sum(a) FILTER (WHERE b IS NOT NULL)) END', 'kpi_margin(%s)'),
	('{kpi_cost_coverage}', '{a,b}', 'quotient(100 * coalesce(sum(a) FILTER (WHERE b IS NOT NULL), 0), sum(a))', '%s'),
	('{kpi_return_on_sales,kpi_return_state}', '{a,b,c}', 'CASE WHEN sum(a) > 0 THEN quotient(100 * (sum(a) - coalesce(sum(b), 0) - coalesce(sum(c), 0)), sum(a)) END', 'kpi_margin(%s)'),
	('{kpi_attainment,kpi_attainment_state}', '{a,b}', 'quotient(100 * sum(coalesce(a, 0)) FILTER (WHERE b IS NOT NULL), sum(b))', 'kpi_percent(%s)'),
	('{kpi_pipeline_coverage,kpi_open_target_state}', '{a,b,c}', 'CASE WHEN coalesce(sum(b), 0) > coalesce(sum(c), 0) THEN quotient(coalesce(sum(a), 0), coalesce(sum(b), 0) - coalesce(sum(c), 0)) END', 'kpi_multiple(%s)'),
	('{kpi_conversion_rate,kpi_win_rate,kpi_reply_rate,kpi_show_rate,kpi_share_state}', '{w}', 'quotient(100 * count(*) FILTER (WHERE w), count(w))', 'kpi_percent(%s)'),
	('{kpi_win_rate_by_value,kpi_slippage,kpi_share_state}', '{w,a}', 'quotient(100 * coalesce(sum(a) FILTER (WHERE w), 0), sum(a) FILTER (WHERE w IS NOT NULL))', 'kpi_percent(%s)'),
	('{kpi_average_won_value,kpi_won_state}', '{w,a}', 'quotient(coalesce(sum(a) FILTER (WHERE w), 0), count(*) FILTER (WHERE w))', 'kpi_quotient(%s)'),
	('{kpi_weighted_pipeline,kpi_pipeline_state}', '{a,p/300}', 'sum(a * (p / 300))', 'kpi_numerator(%s)'),
	('{kpi_revenue_growth}', '{a,b}', 'CASE WHEN sum(b) > 0 THEN quotient(100 * (coalesce(sum(a), 0) - sum(b)), sum(b)) END', '%s'),
	('{kpi_forecast_accuracy}', '{a,b}', 'CASE WHEN sum(b) > 0 THEN quotient(100 * (sum(b) - abs(coalesce(sum(a), 0) - sum(b))), sum(b)) END', '%s'),
	('{kpi_quote_to_close_ratio}', '{a,b}', 'quotient(100 * coalesce(sum(a), 0), sum(b))', '%s'),
	('{kpi_customer_acquisition_cost,kpi_cost_per_lead,kpi_revenue_per_rep,kpi_calls_and_emails_per_rep,kpi_quick_ratio,kpi_ratio}', '{a,b}', 'quotient(coalesce(sum(a), 0), sum(b))', 'kpi_quotient(%s)'),
	('{kpi_retention_rate,kpi_kept_state}', '{v,w}', 'quotient(100 * count(*) FILTER (WHERE v AND w), count(*) FILTER (WHERE v AND w IS NOT NULL))', 'kpi_percent(%s)'),
	('{kpi_churn_rate}', '{v,w}', 'quotient(100 * count(*) FILTER (WHERE v AND NOT w), count(*) FILTER (WHERE v AND w IS NOT NULL))', '%s'),
	('{kpi_net_revenue_retention,kpi_net_kept_state}', '{p,q}', 'quotient(100 * coalesce(sum(q) FILTER (WHERE p > 0), 0), sum(p))', 'kpi_percent(%s)'),
	('{kpi_net_revenue_churn_rate}', '{p,q}', 'quotient(100 * sum(p - coalesce(q, 0)) FILTER (WHERE p > 0), sum(p))', '%s'),
	('{kpi_gross_revenue_retention,kpi_gross_kept_state}', '{p,q}', 'quotient(100 * sum(least(p, coalesce(q, 0))) FILTER (WHERE p > 0), sum(p))', 'kpi_percent(%s)'),
	('{kpi_revenue_churn_rate}', '{p,q}', 'quotient(100 * sum(greatest(p - coalesce(q, 0), 0)), sum(p))', '%s'),
	('{kpi_mrr,kpi_mrr_state}', '{p,opened,closed,"''2026-04-01''"}',
		'CASE WHEN count(p) > 0 THEN coalesce(sum(p) FILTER (WHERE (opened < ''2026-04-01'' OR opened IS NULL) AND (closed >= ''2026-04-01'' OR closed IS NULL)), 0) END', 'kpi_numerator(%s)'),
	('{kpi_sales_cycle,kpi_durations}', '{opened,won}', 'quotient(sum(won - opened), count(won - opened))', 'kpi_mean(%s)'),
	('{kpi_sales_cycle_median}', '{opened,won}', 'percentile_cont(0.5) WITHIN GROUP (ORDER BY won - opened)::numeric', '%s'),
	('{kpi_sales_cycle_p90}', '{opened,won}', 'round(percentile_cont(0.9) WITHIN GROUP (ORDER BY won - opened)::numeric, 1)', '%s'),
	('{kpi_durations}', '{a*86400000000}', 'quotient(sum(a), count(a))', 'kpi_mean(%s)'),
	('{kpi_average_purchase_value,kpi_revenue_per_buying_customer,kpi_amounts}', '{id,a}', 'quotient(sum(a) FILTER (WHERE id IS NOT NULL), count(DISTINCT id) FILTER (WHERE a > 0))', 'kpi_average(%s)')
) v(names, args, formula, finish), unnest(names) name;
INSERT INTO meaning (name, args, relation, formula, finish)
SELECT v.name, v.args || '{"''2026-04-01''","''2026-04-08''"}'::text[], relation, formula, finish
FROM (VALUES
	('kpi_accounts', '{id,p,opened,closed}'::text[], 'account', 'sum(closing)', '(kpi_movements(%s)).closing'),
	('kpi_accounts', '{id,opened,closed}', 'account', 'count(*) FILTER (WHERE at_closing)', '(kpi_movements(%s)).customers_closing'),
	('kpi_accounts', '{id,opened}', 'visitor', 'count(*) FILTER (WHERE first >= ''2026-04-01'' AND first < ''2026-04-08'')', 'kpi_new_customers(%s)'),
	('kpi_retention_rate', '{id,opened,closed}', 'account', 'quotient(100 * count(*) FILTER (WHERE at_opening AND at_closing), count(*) FILTER (WHERE at_opening))', '%s'),
	('kpi_churn_rate', '{id,opened,closed}', 'account', 'quotient(100 * count(*) FILTER (WHERE at_opening AND NOT at_closing), count(*) FILTER (WHERE at_opening))', '%s'),
	('kpi_new_customers', '{id,opened,closed}', 'account', 'count(*) FILTER (WHERE NOT was_before)', '%s'),
	('kpi_new_customers', '{id,opened}', 'visitor', 'count(*) FILTER (WHERE first >= ''2026-04-01'' AND first < ''2026-04-08'')', '%s'),
	('kpi_net_revenue_retention', '{id,p,opened,closed}', 'account', 'quotient(100 * sum(closing) FILTER (WHERE opening > 0), sum(opening))', '%s'),
	('kpi_gross_revenue_retention', '{id,p,opened,closed}', 'account', 'quotient(100 * sum(least(opening, closing)), sum(opening))', '%s'),
	('kpi_revenue_churn_rate', '{id,p,opened,closed}', 'account', 'quotient(100 * sum(greatest(opening - closing, 0)), sum(opening))', '%s'),
	('kpi_net_revenue_churn_rate', '{id,p,opened,closed}', 'account', 'quotient(100 * sum(opening - closing) FILTER (WHERE opening > 0), sum(opening))', '%s'),
	('kpi_quick_ratio', '{id,p,opened,closed}', 'account', 'quotient(sum(greatest(closing - opening, 0)), sum(greatest(opening - closing, 0)))', '%s'),
	('kpi_revenue_per_account', '{id,p,opened,closed}', 'account', 'quotient(sum(closing), count(*) FILTER (WHERE closing > 0))', '%s')
) v(name, args, relation, formula, finish)
UNION ALL
VALUES ('kpi_revenue_concentration', '{id,a}'::text[], 'customer', 'CASE WHEN sum(revenue) > 0 THEN quotient(100 * sum(revenue) FILTER (WHERE rank <= 10), sum(revenue)) END', '%s');

-- Those of the catalog, with their arguments as they are declared.
CREATE TABLE overload AS
SELECT p.oid::regprocedure AS aggregate, m.relation, m.formula, a.aggminvtransfn <> 0 AS can_move, CASE WHEN t.typname ~ '^kpi_' THEN m.finish ELSE '%s' END AS finish,
	(SELECT format('%I(%s)', p.proname, string_agg(CASE type WHEN 'uuid'::regtype THEN format('md5(%s::text)::uuid', arg) ELSE format('(%s)::%s', arg, type::regtype) END, ', ' ORDER BY position))
		FROM unnest(m.args, p.proargtypes::oid[]) WITH ORDINALITY v(arg, type, position)) AS call
FROM pg_proc p
JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi')
JOIN pg_aggregate a ON a.aggfnoid = p.oid
JOIN pg_type t ON t.oid = p.prorettype
LEFT JOIN meaning m ON m.name = p.proname AND cardinality(m.args) = p.pronargs
WHERE p.proname NOT IN ('kpi_rollup', 'kpi_cube', 'kpi_stock', 'kpi_ledger', 'kpi_dictionary', 'kpi_panel', 'kpi_smallest');
SELECT count(*) > 500 AS many, count(*) FILTER (WHERE formula IS NULL) AS without_meaning
FROM overload;
SELECT aggregate FROM overload WHERE formula IS NULL ORDER BY aggregate::text COLLATE "C";

-- Groups, of which some have a result, and frames that move.
SELECT count(*) > 500 AS many, min(d.compared) AS groups, min(e.different) > 2 AS some_results, sum(d.different) AS different, string_agg(aggregate::text, ' ') FILTER (WHERE d.different > 0) AS wrong
FROM (SELECT aggregate, relation, formula, format(finish, call) AS result FROM overload) o,
	harness.differences('', format('SELECT got, wanted FROM (SELECT g, %s AS got FROM source_row GROUP BY g) s LEFT JOIN (SELECT g, %s AS wanted FROM %s GROUP BY g) r USING (g)', result, formula, relation)) d,
	harness.differences('', format('SELECT %s AS got, NULL::numeric AS wanted FROM source_row GROUP BY g', result)) e;
SELECT count(*) > 150 AS many, min(d.compared) AS frames, sum(d.different) AS different, string_agg(aggregate::text, ' ') FILTER (WHERE d.different > 0) AS wrong
FROM overload, harness.differences('', format('SELECT %s AS got, (SELECT %s FROM source_row f WHERE f.n BETWEEN r.n - 4 AND r.n - 2) AS wanted FROM source_row r',
	format(finish, call || ' OVER (ORDER BY n ROWS BETWEEN 4 PRECEDING AND 2 PRECEDING)'), formula)) d
WHERE can_move;

-- Those that have a state in common, over the same columns: their arguments are worked out once for each row.
CREATE SEQUENCE calls;
CREATE FUNCTION counted(amount numeric) RETURNS numeric STABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('kpi.calls'); RETURN amount; END $$;
CREATE FUNCTION calls_of(query text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM setval('kpi.calls', 1, false); EXECUTE query; RETURN nextval('kpi.calls') - 1; END $$;
SELECT a.aggtransfn::regproc AS transition, count(DISTINCT p.proname) AS aggregates, calls_of(format('SELECT %s FROM source_row', string_agg(replace(o.call, '(p)::', '(counted(p))::'), ', '))) - (SELECT count(*) FROM source_row) AS more_calls
FROM overload o JOIN pg_aggregate a ON a.aggfnoid = o.aggregate JOIN pg_proc p ON p.oid = o.aggregate
WHERE o.call ~ '\(p\)::' AND p.proargtypes[0] IN ('numeric'::regtype, 'uuid'::regtype) AND (p.pronargs < 4 OR p.proargtypes[3] = 'date'::regtype)
GROUP BY a.aggtransfn, p.proargtypes ORDER BY 1, 2;

DROP VIEW account, customer, visitor;
DROP TABLE source_row, meaning, overload;
DROP SEQUENCE calls;
DROP FUNCTION quotient(numeric, numeric), counted(numeric), calls_of(text);
DROP SCHEMA harness CASCADE;
