-- Customers at the two ends of a period, over plain columns.
SET search_path = kpi, public;
SET client_min_messages = warning;
SET timezone = 'America/New_York';
\getenv source PG_ABS_SRCDIR
\set harness :source '/test/aggregates/harness.sql'
\set ECHO none
\i :harness
\set ECHO all

-- 100 customers at the start, 10 of them leave, 20 join, of whom 5 leave again:
-- retention 90, churn 10, 20 new.
CREATE TABLE joined AS
SELECT n, CASE WHEN n <= 100 THEN '2025-06-01' ELSE '2026-01-10' END::date AS valid_from,
	CASE WHEN n <= 10 THEN '2026-01-20' WHEN n > 115 THEN '2026-01-25' END::date AS valid_to
FROM generate_series(1, 120) n;
SELECT kpi_retention_rate(n, valid_from, valid_to, '2026-01-01', '2026-02-01') AS retention, kpi_churn_rate(n, valid_from, valid_to, '2026-01-01', '2026-02-01') AS churn,
	kpi_new_customers(n, valid_from, valid_to, '2026-01-01', '2026-02-01') AS new_customers, kpi_new_customers(n, valid_from, '2026-01-01', '2026-02-01') AS new_by_event
FROM joined;

-- Two customers of 100 from 1 January; one is paid until 1 March 00:00.  It is
-- there at the end of February, and churns in March.
CREATE TABLE two AS
SELECT n AS customer, 100 AS amount, '2026-01-01'::timestamptz AS valid_from, CASE n WHEN 2 THEN '2026-03-01'::timestamptz END AS valid_to FROM generate_series(1, 2) n;
SELECT month::date, kpi_churn_rate(customer, valid_from, valid_to, month, month + interval '1 month') AS customer_churn,
	kpi_retention_rate(customer, valid_from, valid_to, month, month + interval '1 month') AS retention,
	kpi_net_revenue_retention(customer, amount, valid_from, valid_to, month, month + interval '1 month') AS net_retention,
	(kpi_movements(kpi_accounts(customer, amount, valid_from, valid_to, month, month + interval '1 month'))).*
FROM two, generate_series('2026-01-01'::timestamptz, '2026-03-01', '1 month') month GROUP BY month ORDER BY month;

-- ChartMogul's help: opening 100, churn 10, contraction 10, expansion 10.  Adding
-- a second subscription is expansion, ending one of two contraction.
CREATE TABLE chartmogul (customer text, amount numeric, valid_from date, valid_to date);
INSERT INTO chartmogul VALUES ('gone', 10, '2025-01-01', '2026-01-15'), ('less', 20, '2025-01-01', NULL), ('less', 10, '2025-01-01', '2026-01-31'),
	('more', 60, '2025-01-01', NULL), ('more', 10, '2026-01-05', NULL);
SELECT kpi_revenue_churn_rate(customer, amount, valid_from, valid_to, '2026-01-01', '2026-02-01') AS gross_churn,
	kpi_net_revenue_churn_rate(customer, amount, valid_from, valid_to, '2026-01-01', '2026-02-01') AS net_churn,
	kpi_gross_revenue_retention(customer, amount, valid_from, valid_to, '2026-01-01', '2026-02-01') AS gross_retention,
	kpi_quick_ratio(customer, amount, valid_from, valid_to, '2026-01-01', '2026-02-01') AS quick_ratio,
	kpi_revenue_per_account(kpi_accounts(customer, amount, valid_from, valid_to, '2026-01-01', '2026-02-01')) AS per_account
FROM chartmogul;

-- What is left out: no customer, no amount, nothing of a length, what begins at
-- the closing.  What is since ever has been before.
SELECT (kpi_movements(kpi_accounts(customer, amount, valid_from, valid_to, '2026-01-01', '2026-02-01'))).*
FROM (VALUES (NULL, 1, '2025-01-01'::date, NULL::date), ('no amount', NULL, '2025-01-01', NULL), ('zero', 0, '2025-01-01', NULL), ('empty', 4, '2025-01-01', '2025-01-01'),
	('backwards', 5, '2026-03-01', '2025-01-01'), ('later', 6, '2026-02-01', NULL), ('since ever', 7, NULL, '2026-02-01'), ('returned', 8, '2025-01-01', '2025-02-01'), ('returned', 8, '2026-01-01', NULL),
	('passed through', 9, '2026-01-02', '2026-01-03'), ('new', 1.50, '2026-01-31', 'infinity')) v(customer, amount, valid_from, valid_to);
SELECT kpi_new_customers(customer, at, '2026-01-01', '2026-02-01') AS new_customers
FROM (VALUES (1, '2026-01-01'::timestamp), (1, '2026-01-15'), (2, '2025-12-31'), (2, '2026-01-01'), (3, '2026-02-01'), (4, NULL), (4, '2026-01-02'), (NULL, '2026-01-02')) v(customer, at);
-- Since ever is before -infinity, whatever instants are.
SELECT kpi_new_customers(1, NULL::date, '-infinity', '2026-01-01') AS new_days, kpi_new_customers(1, NULL::timestamp, '-infinity', '2026-01-01') AS new_times,
	kpi_new_customers(1, NULL::timestamptz, '-infinity', '2026-01-01') AS new_instants, kpi_new_customers(1, '-infinity'::timestamptz, '-infinity', '2026-01-01') AS new_at_it,
	kpi_mrr(5, NULL::timestamptz, NULL, '-infinity') AS mrr;
SELECT until, d.opening AS days, t.opening AS times, i.opening AS instants, concat(d.customers_first, t.customers_first, i.customers_first) AS first
FROM (SELECT until, kpi_accounts(1, 5, NULL::date, until, '-infinity', '2026-01-01') AS days, kpi_accounts(1, 5, NULL::timestamp, until, '-infinity', '2026-01-01') AS times,
		kpi_accounts(1, 5, NULL::timestamptz, until, '-infinity', '2026-01-01') AS instants
	FROM (VALUES (NULL::date), ('-infinity')) v(until) GROUP BY until) a, kpi_movements(days) d, kpi_movements(times) t, kpi_movements(instants) i
ORDER BY until;

-- Rows without customers; no rows.
SELECT kpi_retention_rate(c, f, t, '2026-01-01', '2026-02-01') AS retention, kpi_churn_rate(c, f, t, '2026-01-01', '2026-02-01') AS churn, kpi_new_customers(c, f, t, '2026-01-01', '2026-02-01') AS new_customers,
	kpi_accounts(c, f, t, '2026-01-01', '2026-02-01') AS accounts
FROM (VALUES (NULL::bigint, NULL::date, NULL::date)) v(c, f, t);
SELECT kpi_net_revenue_retention(c, 1, f, t, '2026-01-01', '2026-02-01') AS net, kpi_gross_revenue_retention(c, 1, f, t, '2026-01-01', '2026-02-01') AS gross, kpi_revenue_churn_rate(c, 1, f, t, '2026-01-01', '2026-02-01') AS churn,
	kpi_quick_ratio(c, 1, f, t, '2026-01-01', '2026-02-01') AS quick, kpi_revenue_per_account(kpi_accounts(c, 1, f, t, '2026-01-01', '2026-02-01')) AS per_account
FROM (VALUES (1, '2026-03-01'::date, NULL::date)) v(c, f, t);
SELECT kpi_new_customers(1, now(), now(), now()) AS new_customers, kpi_accounts('a', 1, now(), now(), now(), now()) AS accounts WHERE false;

-- Errors, with their reasons.
SELECT harness.outcome('SELECT kpi.kpi_accounts(' || args || ')')
FROM unnest(ARRAY['1, -1, date ''2026-01-01'', NULL, ''2026-01-01'', ''2026-02-01''', '1, ''NaN''::numeric, date ''2026-01-01'', NULL, ''2026-01-01'', ''2026-02-01''',
	'1, date ''2026-01-01'', NULL, NULL, ''2026-02-01''', '1, date ''2026-01-01'', NULL, ''2026-01-01'', NULL', '1, date ''2026-01-01'', NULL, ''2026-02-01'', ''2026-01-01''']) WITH ORDINALITY v(args, n)
ORDER BY n;
SELECT harness.outcome('SELECT kpi.kpi_churn_rate(1, now(), NULL, day, now() + interval ''1 day'') FROM generate_series(now() - interval ''1 day'', now(), ''1 hour'') day') AS several_openings,
	harness.outcome('SELECT kpi.kpi_accounts_add(NULL, 1, now(), now(), now())') AS "outside";
SELECT harness.outcome('SELECT kpi.kpi_rollup(a) FROM (SELECT kpi.kpi_accounts(1, now(), now(), now()) AS a UNION ALL SELECT kpi.kpi_accounts(''a'', now(), now(), now())) v') AS customers,
	harness.outcome('SELECT kpi.kpi_rollup(a) FROM (SELECT kpi.kpi_accounts(1, now(), now(), now()) AS a UNION ALL SELECT kpi.kpi_accounts(1, now(), now(), now() + interval ''1 day'')) v') AS periods,
	harness.outcome('SELECT kpi.kpi_rollup(a) FROM (SELECT kpi.kpi_accounts(1, now(), now(), now()) AS a UNION ALL SELECT kpi.kpi_accounts(1, current_date, current_date, current_date)) v') AS units;
-- The same digits are an instant in one, a wall clock's time in the other.
SELECT harness.outcome('SELECT kpi.kpi_rollup(a) FROM (SELECT kpi.kpi_accounts(1, t AT TIME ZONE ''UTC'', t AT TIME ZONE ''UTC'', t AT TIME ZONE ''UTC'') AS a FROM (VALUES (timestamp ''2026-01-01'')) v(t)'
	' UNION ALL SELECT kpi.kpi_accounts(1, t, t, t) FROM (VALUES (timestamp ''2026-01-01'')) v(t)) v') AS clocks;

-- Random intervals of customers who come, go, come back and overlap, NULL among
-- them, amounts of any size and scale, ends on the very bounds.
SELECT setseed(0.7);
CREATE TABLE price AS
SELECT n, CASE WHEN n < 4 THEN n WHEN n % 3 = 0 THEN 4 + n % 12 ELSE 7 END::integer AS g, floor(random() * 4)::integer AS h, floor(random() * 6)::integer AS split,
	CASE WHEN random() > 0.04 THEN floor(random() * 12)::bigint - 3 END AS customer,
	CASE WHEN random() > 0.04 THEN CASE WHEN n % 3 = 0 AND n % 12 = 0 THEN floor(random() * 9)::numeric * 1e36 + 1e-20 ELSE greatest(0, round((random() * 100 - 20)::numeric, (n % 4)::integer)) END END AS amount,
	CASE WHEN random() > 0.04 THEN '2026-01-01'::date + floor(random() * 14)::integer - 7 END AS f,
	CASE WHEN random() > 0.3 THEN '2026-01-01'::date + floor(random() * 18)::integer - 7 END AS t
FROM generate_series(1::bigint, 240) n;
ALTER TABLE price ADD customer_text text, ADD customer_uuid uuid, ADD f_at timestamptz, ADD t_at timestamptz, ADD f_local timestamp, ADD t_local timestamp;
UPDATE price SET customer_text = repeat('é', abs(customer)::integer * 5) || customer, customer_uuid = md5(customer::text)::uuid, f_at = f, t_at = t, f_local = f, t_local = t;
SELECT harness.prepare('price');

-- The same by plain SQL, of the period from 1 to 8 January.
CREATE TYPE price_row AS (customer text, amount numeric, f date, t date);
CREATE TYPE rates AS (retention numeric, churn numeric, new_customers bigint, net numeric, gross numeric, revenue_churn numeric, net_churn numeric, quick numeric, per_account numeric);
CREATE FUNCTION percent(a numeric, b numeric) RETURNS numeric IMMUTABLE LANGUAGE sql
AS $$ SELECT CASE WHEN b > 0 THEN sign(a) * div(200 * abs(a) * 1e16 + b, b * 2) * 1e-16 END $$;
CREATE FUNCTION expected(prices price_row[]) RETURNS rates IMMUTABLE LANGUAGE sql
AS $$
WITH account AS (
	SELECT coalesce(sum(amount) FILTER (WHERE (f IS NULL OR f < '2026-01-01') AND (t IS NULL OR t >= '2026-01-01')), 0) AS opening,
		coalesce(sum(amount) FILTER (WHERE (f IS NULL OR f < '2026-01-08') AND (t IS NULL OR t >= '2026-01-08')), 0) AS closing,
		bool_or(f IS NULL OR f < '2026-01-01') AS was_before
	FROM unnest(prices)
	WHERE customer IS NOT NULL AND amount > 0 AND (f < t OR f IS NULL OR t IS NULL) AND (f < '2026-01-08' OR f IS NULL)
	GROUP BY customer)
SELECT percent(count(*) FILTER (WHERE opening > 0 AND closing > 0), count(*) FILTER (WHERE opening > 0)),
	percent(count(*) FILTER (WHERE opening > 0 AND closing = 0), count(*) FILTER (WHERE opening > 0)),
	CASE WHEN prices IS NOT NULL THEN count(*) FILTER (WHERE NOT was_before) END,
	percent(sum(closing) FILTER (WHERE opening > 0), sum(opening)),
	percent(sum(least(opening, closing)), sum(opening)),
	percent(sum(greatest(opening - closing, 0)), sum(opening)),
	percent(sum(opening - closing) FILTER (WHERE opening > 0), sum(opening)),
	percent(0.01 * sum(greatest(closing - opening, 0)), sum(greatest(opening - closing, 0))),
	percent(0.01 * sum(closing), count(*) FILTER (WHERE closing > 0))
FROM account
$$;
SELECT a.aggregate, max(c.different) AS different, sum(c.compared) AS compared, count(*) AS ways
FROM (VALUES
	(1, 'kpi_retention_rate(customer, f, t, date ''2026-01-01'', date ''2026-01-08'')', 'retention', 1),
	(2, 'kpi_churn_rate(customer_text, f_at, t_at, timestamptz ''2026-01-01'', timestamptz ''2026-01-08'')', 'churn', 1),
	(3, 'kpi_new_customers(customer_uuid, f_local, t_local, timestamp ''2026-01-01'', timestamp ''2026-01-08'')', 'new_customers', 1),
	(4, 'kpi_net_revenue_retention(customer_uuid, amount, f, t, date ''2026-01-01'', date ''2026-01-08'')', 'net', NULL),
	(5, 'kpi_gross_revenue_retention(customer, amount, f_at, t_at, timestamptz ''2026-01-01'', timestamptz ''2026-01-08'')', 'gross', NULL),
	(6, 'kpi_revenue_churn_rate(customer_text, amount, f, t, date ''2026-01-01'', date ''2026-01-08'')', 'revenue_churn', NULL),
	(7, 'kpi_net_revenue_churn_rate(customer, amount, f_local, t_local, timestamp ''2026-01-01'', timestamp ''2026-01-08'')', 'net_churn', NULL),
	(8, 'kpi_quick_ratio(customer, amount, f, t, date ''2026-01-01'', date ''2026-01-08'')', 'quick', NULL),
	(9, 'kpi_revenue_per_account(customer_uuid, amount, f_at, t_at, timestamptz ''2026-01-01'', timestamptz ''2026-01-08'')', 'per_account', NULL)) a(n, aggregate, field, amount),
	harness.compare('price', a.aggregate,
		format('(expected(array_agg(ROW(%s::text, %s, %s)::price_row))).%s', substring(a.aggregate FROM '\((\w+)'), coalesce(a.amount::text, 'amount'),
			regexp_replace(substring(a.aggregate FROM '(f\w*, t\w*),'), '(\w+)', '\1::date', 'g'), a.field),
		regexp_replace(a.aggregate, '^\w+', 'kpi_accounts'), substring(a.aggregate FROM '^\w+') || '(%s)') c
GROUP BY a.n, a.aggregate ORDER BY a.n;

-- Amounts of each type are understood, with customers of each.
SELECT count(*) AS mixes, count(*) FILTER (WHERE outcome = 'ok') AS understood
FROM (SELECT harness.outcome(format('SELECT kpi.kpi_accounts(1::%1$s, 1::%2$s, d, NULL, d, d), kpi.kpi_net_revenue_retention(''a'', 1::%2$s, d, NULL, d, d), kpi.kpi_quick_ratio(1::%1$s, 1::%2$s, d, NULL, d, d), kpi.kpi_churn_rate(1::%1$s, d, NULL, d, d) FROM (VALUES (''2026-01-01''::%3$s)) v(d)', c, a, t)) AS outcome
	FROM unnest('{smallint,integer,bigint}'::text[]) c, unnest('{smallint,integer,bigint,numeric}'::text[]) a, unnest('{date,timestamp,timestamptz}'::text[]) t) o;
SELECT harness.outcome('SELECT kpi.kpi_accounts(1, 1::double precision, date ''2026-01-01'', NULL, ''2026-01-01'', ''2026-02-01'')') LIKE '42883 | %' AS refused;

-- Many intervals of fewer customers, in no order, whose amounts and decimals grow:
-- what is kept of them is what is kept of their sums; and amounts of each type.
CREATE TABLE long AS
SELECT n, (n * 7919 % 307) AS customer, CASE WHEN n > 20000 AND n % 37 = 0 THEN n * 1e31 WHEN n > 8000 AND n % 41 = 0 THEN n * 1e14 WHEN n > 3000 THEN n + 0.25 ELSE n END AS amount,
	'2026-01-01'::date - (n % 3)::integer AS f, CASE WHEN n % 5 > 0 THEN '2026-01-08'::date - (n % 2)::integer END AS t
FROM generate_series(1::bigint, 30000) n;
SELECT rows, kpi_accounts(customer, amount, f, t, '2026-01-01', '2026-01-08') = kpi_accounts(customer, total, f, t, '2026-01-01', '2026-01-08') FILTER (WHERE is_one) AS integers,
	kpi_accounts(customer::text, amount, f, t, '2026-01-01', '2026-01-08') = kpi_accounts(customer::text, total, f, t, '2026-01-01', '2026-01-08') FILTER (WHERE is_one) AS texts,
	kpi_accounts(md5(customer::text)::uuid, amount, f, t, '2026-01-01', '2026-01-08') = kpi_accounts(md5(customer::text)::uuid, total, f, t, '2026-01-01', '2026-01-08') FILTER (WHERE is_one) AS uuids,
	kpi_accounts(customer, (n % 9)::smallint, f, t, '2026-01-01', '2026-01-08') = kpi_accounts(customer, (n % 9)::numeric, f, t, '2026-01-01', '2026-01-08') AS smallints,
	kpi_accounts(customer, (n % 9)::integer * 1000000, f, t, '2026-01-01', '2026-01-08') = kpi_accounts(customer, (n % 9)::numeric * 1000000, f, t, '2026-01-01', '2026-01-08') AS integer_amounts,
	kpi_accounts(customer, n * 300000000000000, f, t, '2026-01-01', '2026-01-08') = kpi_accounts(customer, n::numeric * 300000000000000, f, t, '2026-01-01', '2026-01-08') AS bigints
FROM (SELECT rows, n, customer, amount, f, t, sum(amount) OVER (PARTITION BY rows, customer, f, t) AS total, row_number() OVER (PARTITION BY rows, customer, f, t ORDER BY n) = 1 AS is_one
	FROM long, unnest('{1,300,2000,5000,10000,30000}'::integer[]) rows WHERE n <= rows) v
GROUP BY rows ORDER BY rows;

-- Events are intervals that go on; the average of an account.
SELECT count(*) AS groups, count(*) FILTER (WHERE kpi_new_customers IS DISTINCT FROM (e).new_customers) AS different_new,
	count(*) FILTER (WHERE per_account IS DISTINCT FROM (f).per_account) AS different_average, count((f).per_account) AS averages
FROM (SELECT g, kpi_new_customers(customer, f, '2026-01-01', '2026-01-08'), expected(array_agg(ROW(customer, 1, f, NULL)::price_row)) AS e,
		kpi_revenue_per_account(kpi_accounts(customer, amount, f, t, '2026-01-01', '2026-01-08')) AS per_account, expected(array_agg(ROW(customer, amount, f, t)::price_row)) AS f
	FROM price GROUP BY g) v;

-- What holds for any customers, and what the ledger says of the same.
SELECT count(*) AS groups, bool_and(opening + new + reactivation + expansion - contraction - churn = closing) AS amounts_add_up,
	bool_and(customers_opening + customers_new + customers_reactivated - customers_churned = customers_closing) AS customers_add_up,
	bool_and(kpi_retention_rate(a) + kpi_churn_rate(a) = 100) AS rates_add_up, bool_and(kpi_gross_revenue_retention(a) <= least(100, kpi_net_revenue_retention(a))) AS gross_is_less,
	bool_and(kpi_net_revenue_retention(a) + kpi_net_revenue_churn_rate(a) BETWEEN 99.999999999999999 AND 100.000000000000001) AS net_adds_up
FROM (SELECT g, kpi_accounts(customer, amount, f, t, '2026-01-01', '2026-01-08') AS a FROM price GROUP BY g) v, kpi_movements(a);
SELECT count(*) AS compared, count(*) FILTER (WHERE (m.*)::text IS DISTINCT FROM (l.opening, l.new, l.reactivation, l.expansion, l.contraction, l.churn, l.closing, l.retained, l.customers_opening, l.customers_new,
		l.customers_reactivated, l.customers_expanded, l.customers_contracted, l.customers_churned, l.customers_closing, l.customers_kept, l.customers_first)::text) AS different
FROM (SELECT kpi_accounts(customer, amount, f, t, '2026-01-01', '2026-01-08') AS a,
		kpi_ledger('{2026-01-01,2026-01-08}'::date[], 'total', customer_text, f, t, amount, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS ledger
	FROM price WHERE amount < 1e30 GROUP BY GROUPING SETS ((), (g))) v, kpi_movements(a) m, kpi_movements(ledger, '{1}', '{2}') l;

-- Input: what no rows make is refused, each byte of it.
SELECT kpi_accounts(c, 5, f, t, '2000-01-02', '2000-01-03') AS accounts FROM (VALUES (1, '2000-01-01'::date, NULL::date), (3, '2000-01-02', '2000-01-04')) v(c, f, t);
SELECT why, harness.outcome(format('SELECT %L::kpi.kpi_accounts', 'kpi_accounts:' || literal))
FROM (VALUES (1, 'no bounds', '0169'), (2, 'other unit', '0169730204000000'), (3, 'closing before opening', '016964040200' || '00'), (4, 'none', '0169640204' || '0000'),
	(5, 'negative', '0169640204000102010900' || '00'), (6, 'at the opening, not before', '01696402040001020' || '00a0a'), (7, 'flag 2', '016964020400010202' || '0a0a'), (8, 'one', '016964020400010201' || '0a0a'), (9, 'instants', '016974020400010201' || '0a0a'), (10, 'times', '016977020400010201' || '0a0a')) v(n, why, literal)
ORDER BY n;

-- Truncated, prolonged and flipped; binary messages.
SELECT kind, refused > 0 AS some_refused, read > 0 AS some_read, unstable, refused + read AS tried
FROM (
	SELECT 'integer' AS kind, kpi_accounts(customer, amount, f, t, '2026-01-01', '2026-01-08')::text AS seed FROM price WHERE g = 4
	UNION ALL SELECT 'text', kpi_accounts(customer_text, amount, f_at, t_at, '2026-01-01', '2026-01-08')::text FROM price WHERE g = 10
	UNION ALL SELECT 'uuid', kpi_accounts(customer_uuid, f_local, t_local, '2026-01-01', '2026-01-08')::text FROM price WHERE g = 10) v, harness.fuzz(seed);
SELECT harness.received('kpi_accounts', kpi_accounts_send(a)) = a::text AS same FROM (SELECT kpi_accounts(customer_text, amount, f, t, '2026-01-01', '2026-01-08') AS a FROM price WHERE g = 4) v;
SELECT harness.received('kpi_accounts', '') AS empty, harness.received('kpi_accounts', kpi_accounts_send('kpi_accounts:0169640204000102010a0a')::bytea || '\x00') AS prolonged, harness.received('kpi_accounts', '\x00') AS open;

DROP TABLE joined, two, chartmogul, price, price_partitioned, long;
DROP FUNCTION percent(numeric, numeric), expected(price_row[]);
DROP TYPE price_row, rates;
DROP SCHEMA harness CASCADE;
