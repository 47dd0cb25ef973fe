-- States as columns of tables: a day and rep each, short, compressed or out of
-- line, in arrays, rows and domains, copied; any roll-up of them is what the rows give.
SET search_path = kpi, public;
SET client_min_messages = warning;
SET timezone = 'Asia/Kolkata';

SELECT setseed(0.8);
CREATE TABLE line AS
SELECT day::date, rep, round((random() * 1000 - 200)::numeric, 2) * CASE WHEN random() < 0.05 THEN 1e36 ELSE 1 END AS revenue, CASE WHEN random() < 0.8 THEN round((random() * 500)::numeric, 3) END AS cost,
	customer, md5(customer::text)::uuid AS customer_uuid, repeat('ä', customer % 400) || customer AS customer_text, day::date - customer % 50 AS opened, CASE WHEN customer % 3 = 0 THEN day::date + customer % 90 END AS closed
FROM (SELECT day, rep, floor(random() * 800)::integer AS customer FROM generate_series('2026-01-01'::date, '2026-03-31', '1 day') day, generate_series(1, 5) rep, generate_series(1, CASE rep WHEN 1 THEN 1 ELSE rep * 3 END)) v;
CREATE VIEW states AS
SELECT day, rep, kpi_profit_state(revenue, cost) AS profit, kpi_durations(opened, day) AS cycles, kpi_amounts(customer, revenue) AS amounts, kpi_amounts(customer_uuid, revenue) AS amounts_uuid, kpi_amounts(customer_text, revenue) AS amounts_text,
	kpi_accounts(customer_text, abs(revenue), opened, closed, '2026-02-01', '2026-03-01') AS accounts, kpi_accounts(customer, opened::timestamptz, closed::timestamptz, '2026-02-01', '2026-03-01') AS customers
FROM line GROUP BY day, rep;
CREATE TABLE summary AS SELECT * FROM states;
CREATE TABLE plain_summary (LIKE summary);
ALTER TABLE plain_summary ALTER amounts_text SET STORAGE external, ALTER accounts SET STORAGE external, ALTER profit SET STORAGE plain;
INSERT INTO plain_summary SELECT * FROM states;
SELECT count(pg_column_compression(amounts_text)) > 0 AND count(pg_column_compression(accounts)) > 0 AS some_compressed, (SELECT pg_relation_size(reltoastrelid) > 0 FROM pg_class WHERE oid = 'plain_summary'::regclass) AS some_outside,
	min(pg_column_size(profit)) < 64 AND min(pg_column_size(accounts)) < 127 AS some_short, (SELECT bool_and(s IS NOT DISTINCT FROM p) FROM summary s JOIN plain_summary p USING (day, rep)) AS same
FROM summary;

-- What they are rolled up to, by the rows and by either table.
CREATE FUNCTION rolled_up(summary text) RETURNS TABLE (month date, team integer, profit kpi_ratio, cycles kpi_durations, amounts kpi_amounts, amounts_uuid kpi_amounts, amounts_text kpi_amounts, accounts kpi_accounts, customers kpi_accounts)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT date_trunc(''month'', day)::date, rep %% 2, kpi_rollup(profit), kpi_rollup(cycles), kpi_rollup(amounts), kpi_rollup(amounts_uuid), kpi_rollup(amounts_text), kpi_rollup(accounts), kpi_rollup(customers)
		FROM %s GROUP BY CUBE (1, 2)', summary);
END
$$;
CREATE TABLE wanted AS
SELECT date_trunc('month', day)::date AS month, rep % 2 AS team, kpi_profit_state(revenue, cost) AS profit, kpi_durations(opened, day) AS cycles, kpi_amounts(customer, revenue) AS amounts, kpi_amounts(customer_uuid, revenue) AS amounts_uuid, kpi_amounts(customer_text, revenue) AS amounts_text,
	kpi_accounts(customer_text, abs(revenue), opened, closed, '2026-02-01', '2026-03-01') AS accounts, kpi_accounts(customer, opened::timestamptz, closed::timestamptz, '2026-02-01', '2026-03-01') AS customers
FROM line GROUP BY CUBE (1, 2);
SELECT (SELECT count(*) FROM wanted) AS groups, count(*) AS same FROM (TABLE wanted INTERSECT SELECT * FROM rolled_up('summary') INTERSECT SELECT * FROM rolled_up('plain_summary')) s;
SELECT count(*) AS groups, count(*) FILTER (WHERE (kpi_denominator(w.profit) + kpi_coverage(w.profit) * 0, kpi_count(cycles), kpi_total(amounts), kpi_count(amounts_uuid), kpi_count(amounts_text), kpi_new_customers(accounts), kpi_new_customers(customers))
		IS DISTINCT FROM (l.known, l.rows, l.revenue, l.buyers, l.buyers, l.came, l.came)) AS different
FROM wanted w, LATERAL (
	SELECT sum(revenue) FILTER (WHERE cost IS NOT NULL) AS known, count(*) AS rows, sum(revenue) AS revenue, count(DISTINCT customer) FILTER (WHERE revenue > 0) AS buyers,
		count(DISTINCT customer) FILTER (WHERE is_in AND first >= '2026-02-01' AND first < '2026-03-01') AS came
	FROM (SELECT *, opened < coalesce(closed, 'infinity') AND opened < '2026-03-01' AS is_in, min(opened) FILTER (WHERE opened < coalesce(closed, 'infinity')) OVER (PARTITION BY customer) AS first
		FROM line WHERE date_trunc('month', day) = coalesce(month, date_trunc('month', day)) AND rep % 2 = coalesce(team, rep % 2)) l) l;

-- Hash tables larger than work_mem, whose groups wait on disk.
SET work_mem = '64kB';
SET enable_sort = off;
SELECT count(*) AS groups, count(*) FILTER (WHERE s IS DISTINCT FROM t) AS different FROM states s JOIN summary t USING (day, rep);
SELECT count(*) AS same FROM (TABLE wanted INTERSECT SELECT * FROM rolled_up('plain_summary')) s;
RESET work_mem;
RESET enable_sort;

-- In arrays, rows and domains.
CREATE DOMAIN some_amounts AS kpi_amounts CHECK (kpi_count(VALUE) >= 0);
CREATE TYPE figures AS (profit kpi_ratio, cycles kpi_durations, amounts some_amounts, accounts kpi_accounts[]);
CREATE TABLE nested AS
SELECT day, array_agg(ROW(profit, cycles, amounts_text, ARRAY[accounts, NULL, accounts])::figures ORDER BY rep) AS figures, kpi_rollup(amounts_text)::some_amounts AS amounts FROM summary GROUP BY day;
SELECT bool_and(figures::text::figures[] = figures AND amounts::text::some_amounts = amounts) AS read_back, count(*) AS days FROM nested;
SELECT kpi_rollup((f).profit) = w.profit AS profit, kpi_rollup((f).cycles) = w.cycles AS cycles, kpi_rollup((f).amounts) = w.amounts_text AS amounts, kpi_rollup((f).accounts[3]) = w.accounts AS accounts
FROM nested, unnest(figures) f, wanted w WHERE w.month IS NULL AND w.team IS NULL GROUP BY w.profit, w.cycles, w.amounts_text, w.accounts;
SELECT kpi_rollup(amounts) = (SELECT amounts_text FROM wanted WHERE month IS NULL AND team IS NULL) AS of_domain FROM nested;

-- Copied in each format.
\getenv directory PG_ABS_BUILDDIR
\set file :directory '/results/stored.copy'
CREATE TABLE copied (LIKE nested);
COPY nested TO STDOUT (FORMAT binary) \g :file
\set copy '\\copy copied from ' :'file' ' (format binary)'
:copy
COPY nested TO STDOUT (FORMAT csv) \g :file
\set copy '\\copy copied from ' :'file' ' (format csv)'
:copy
SELECT count(*) AS copies, (SELECT count(*) FROM (TABLE copied UNION TABLE nested) u) AS days FROM copied;

-- A materialized view, refreshed by its differences.
CREATE MATERIALIZED VIEW kept AS SELECT * FROM states;
CREATE UNIQUE INDEX ON kept (day, rep);
UPDATE line SET revenue = revenue + 1 WHERE day = '2026-02-10' AND rep = 3;
REFRESH MATERIALIZED VIEW CONCURRENTLY kept;
SELECT count(*) AS rows, count(*) FILTER (WHERE k IS DISTINCT FROM s) AS stale, count(*) FILTER (WHERE k IS DISTINCT FROM t) AS changed FROM kept k JOIN states s USING (day, rep) JOIN summary t USING (day, rep);

DROP MATERIALIZED VIEW kept;
DROP VIEW states;
DROP FUNCTION rolled_up(text);
DROP TABLE line, summary, plain_summary, wanted, nested, copied;
DROP TYPE figures;
DROP DOMAIN some_amounts;
