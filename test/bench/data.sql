/*
 * data.sql
 *	  A made-up CRM to measure speed on, the same for the same variables:
 *
 *	  scale		1 is 23 million rows, 1.6 GB: 10 M activities, 5 M sale lines (2 M
 *				orders), 3.9 M stage changes, 2 M leads, 1 M opportunities, 1 M
 *				quotes, 0.96 M subscription intervals, 200 k customers
 *	  months	the months it spans, up to the end of 2025 (what is paid began
 *				19 months before)
 *	  reps, products	how many there are
 *	  scattered	false: ids are small integers in the order of time, and so are the
 *				rows, on frozen pages.  true: ids are uuids, texts and far-apart
 *				integers, rows come in no order, and a fifth was updated since,
 *				which leaves dead rows and pages that are not frozen
 */
SET synchronous_commit = off;
SET max_parallel_workers_per_gather = 0;
SET work_mem = '512MB';
SET timezone = 'Europe/Berlin';

CREATE SCHEMA crm;
SET search_path = crm;

SELECT date '2026-01-01' - make_interval(months => :months) AS first_day, :'scattered'::boolean AS scattered,
	date '2026-01-01' - (date '2026-01-01' - make_interval(months => :months))::date AS days,
	(200000 * :scale)::integer AS customers, (2000000 * :scale)::integer AS orders, (5000000 * :scale)::integer AS lines,
	(1000000 * :scale)::integer AS opportunities, (2000000 * :scale)::integer AS leads, (1000000 * :scale)::integer AS quotes,
	(300000 * :scale)::integer AS subscriptions, (10000000 * :scale)::integer AS activities, (20000 * :scale)::integer AS costs
\gset

/* A number from 0 to 1 that looks random. */
CREATE FUNCTION u(n bigint, salt bigint) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(n, salt) & 4294967295)::float8 / 4294967296.0;

/* The instant of the n-th of so many events, more and more of them as time goes by. */
CREATE FUNCTION instant(n bigint, events integer, steepness float8) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN current_setting('crm.first_day')::timestamptz + interval '1 second' * floor(86400.0 * current_setting('crm.days')::integer * power(n / events::float8, steepness));
SELECT set_config('crm.first_day', :'first_day', false), set_config('crm.days', :'days', false) \g /dev/null

\if :scattered
CREATE FUNCTION scatter(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1000000007 * (n * 7368787 % 1000000007) + n;
CREATE FUNCTION customer_id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN md5('customer ' || n)::uuid;
CREATE FUNCTION rep_id(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'rep-' || substr(md5('rep ' || n), 1, 8);
CREATE FUNCTION order_id(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN scatter(n);
CREATE FUNCTION opp_id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN md5('opportunity ' || n)::uuid;
CREATE FUNCTION lead_id(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'L' || scatter(n);
CREATE FUNCTION region_id(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'Region ' || n;
CREATE FUNCTION product_id(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'SKU-' || lpad(n::text, 6, '0');
CREATE FUNCTION channel(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'channel ' || n;
CREATE FUNCTION row_order(n bigint) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN u(n, 99);
\else
CREATE FUNCTION scatter(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
CREATE FUNCTION customer_id(n bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
CREATE FUNCTION rep_id(n bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
CREATE FUNCTION order_id(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
CREATE FUNCTION opp_id(n bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
CREATE FUNCTION lead_id(n bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
CREATE FUNCTION region_id(n bigint) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
CREATE FUNCTION product_id(n bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
CREATE FUNCTION channel(n bigint) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
CREATE FUNCTION row_order(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN n;
\endif

CREATE FUNCTION some_region(n bigint, salt bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1 + floor(12 * power(u(n, salt), 1.5));
CREATE FUNCTION some_channel(n bigint, salt bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 1 + floor(8 * power(u(n, salt), 1.3));

\echo customers, reps, costs, targets
CREATE TABLE rep AS
SELECT rep_id(n), 'Rep ' || n AS name, (1 + n % 20)::smallint AS team_id, region_id(1 + n % 12), date '2019-01-01' + (u(n, 1) * 1500)::integer AS hired, NULL::date AS left_on
FROM generate_series(1, :reps) n;
CREATE TABLE stage (stage smallint, name text, probability numeric, is_won boolean, is_lost boolean);
INSERT INTO stage VALUES (0, 'new', 0.1, false, false), (1, 'contacted', 0.2, false, false), (2, 'offer', 0.4, false, false),
	(3, 'negotiation', 0.7, false, false), (4, 'won', 1, true, false), (5, 'lost', 0, false, true);
CREATE TABLE customer AS
SELECT customer_id(n), 'Kunde ' || n || ' GmbH' AS name, region_id(some_region(n, 2)), rep_id(1 + floor(:reps * power(u(n, 3), 1.4))::integer),
	(ARRAY['SMB', 'MID', 'ENT'])[1 + floor(3 * u(n, 4))::integer] AS segment,
	:'first_day'::timestamptz - interval '19 months' + interval '1 second' * floor(u(n, 5) * (:days + 574) * 86400) AS created_at
FROM generate_series(1, :customers) n ORDER BY row_order(n);
CREATE TABLE cost AS
SELECT n AS cost_id, :'first_day'::date + (n / :costs::float8 * (:days - 1))::integer AS cost_date,
	(ARRAY['sales', 'marketing', 'marketing', 'overhead'])[1 + floor(4 * u(n, 6))::integer] AS kind,
	channel(1 + floor(8 * u(n, 7))::integer), region_id(1 + floor(12 * u(n, 8))::integer), round((200 + 3000 * u(n, 9))::numeric, 2)::numeric(12, 2) AS amount
FROM generate_series(1, :costs) n ORDER BY row_order(n);
CREATE TABLE target AS
SELECT rep_id(n), (:'first_day'::date + make_interval(months => m))::date AS month, round((100000 + 200000 * u(n * 100 + m, 10))::numeric, 2)::numeric(12, 2) AS target
FROM generate_series(1, :reps) n, generate_series(0, :months - 1) m;

\echo sales
CREATE TABLE sale AS
SELECT scatter(n) AS sale_id, order_id(o), :'first_day'::date + least(:days - 1, ((:days - 2) * power(o / :orders::float8, 0.8) + 2 * u(o, 20))::integer) AS sale_date,
	customer_id(1 + floor(:customers * power(u(o, 21), 2.2))::integer), rep_id(1 + floor(:reps * power(u(o, 22), 1.5))::integer),
	product_id(1 + floor(:products * power(u(n, 23), 2))::integer), channel(some_channel(o, 24)), (1 + floor(5 * u(n, 25)))::smallint AS quantity,
	round(a, 2)::numeric(12, 2) AS amount, round(a * (0.35 + 0.4 * u(n, 27))::numeric, 2)::numeric(12, 2) AS direct_cost
FROM (SELECT n, n * 2 / 5 AS o, (5 + 1500 * power(u(n, 26), 4))::numeric AS a FROM generate_series(1::bigint, :lines) n) s ORDER BY row_order(n);

\echo opportunities
/* 7 in 10 close, if that has come yet, and a quarter of all is won. */
CREATE TEMP TABLE deal AS
SELECT n, created_at, amount, fin, CASE WHEN fin < timestamptz '2026-01-01' AND fate < 0.7 THEN fin END AS closed_at,
	CASE WHEN fin < timestamptz '2026-01-01' AND fate < 0.7 THEN fate < 0.25 END AS won
FROM (SELECT n, u(n, 34) AS fate, round((500 + 30000 * power(u(n, 33), 3))::numeric, 2)::numeric(12, 2) AS amount, created_at,
		created_at + interval '1 second' * floor(86400 * (5 + 150 * power(u(n, 35), 2))) AS fin
	FROM (SELECT n, instant(n, :opportunities, 0.85) AS created_at FROM generate_series(1, :opportunities) n) c) d;
CREATE TABLE opportunity AS
SELECT opp_id(n), customer_id(1 + floor(:customers * power(u(n, 30), 1.6))::integer), rep_id(1 + floor(:reps * power(u(n, 31), 1.5))::integer),
	CASE WHEN u(n, 32) < 0.6 THEN lead_id(n * 2) END AS lead_id, created_at, amount, (created_at + interval '90 days')::date AS expected_close, closed_at, won
FROM deal ORDER BY row_order(n);
CREATE TEMP TABLE change AS
SELECT n, j, created_at + interval '1 second' * (j * extract(epoch FROM fin - created_at) / (changes - 1))::float8 AS changed_at,
	(CASE WHEN j = changes - 1 AND won THEN 4 WHEN j = changes - 1 AND NOT won THEN 5 ELSE least(j, 3) END)::smallint AS stage,
	(CASE WHEN j = changes - 1 THEN amount ELSE round((amount::float8 * (0.7 + 0.6 * u(n * 8::bigint + j, 37)))::numeric, 2) END)::numeric(12, 2) AS amount
FROM (SELECT *, 2 + floor(5 * u(n, 36))::integer AS changes FROM deal) d, generate_series(0, changes - 1) j;
CREATE TABLE stage_history AS
SELECT scatter(row_number() OVER (ORDER BY changed_at, n, j)) AS hist_id, opp_id(n), changed_at, stage, amount
FROM change WHERE changed_at < timestamptz '2026-01-01' ORDER BY CASE WHEN :'scattered' THEN u(n * 8::bigint + j, 99) END, changed_at, n, j;
DROP TABLE deal, change;

\echo leads and quotes
CREATE TABLE lead AS
SELECT lead_id(n), created_at, channel(some_channel(n, 40)), (1 + floor(150 * u(n, 41)))::integer AS campaign_id, rep_id(1 + floor(:reps * power(u(n, 42), 1.4))::integer),
	region_id(some_region(n, 43)), (ARRAY['web', 'messe', 'linkedin', 'empfehlung'])[1 + floor(4 * u(n, 44))::integer] AS source,
	CASE WHEN u(n, 45) < 0.12 AND became < timestamptz '2026-01-01' THEN became END AS converted_at,
	CASE WHEN u(n, 45) < 0.12 AND became < timestamptz '2026-01-01' THEN customer_id(1 + floor(:customers * u(n, 46))::integer) END AS customer_id
FROM (SELECT n, created_at, created_at + interval '1 second' * floor(86400 * (1 + 120 * power(u(n, 47), 2))) AS became
	FROM (SELECT n, instant(n, :leads, 0.85) AS created_at FROM generate_series(1, :leads) n) c) l ORDER BY row_order(n);
CREATE TABLE quote AS
SELECT scatter(n) AS quote_id, opp_id(1 + floor(:opportunities * u(n, 50))::integer), customer_id(1 + floor(:customers * power(u(n, 51), 1.6))::integer),
	rep_id(1 + floor(:reps * power(u(n, 52), 1.5))::integer), sent_at, round((500 + 30000 * power(u(n, 53), 3))::numeric, 2)::numeric(12, 2) AS amount,
	CASE WHEN u(n, 54) < 0.28 AND sent_at + interval '1 day' * floor(60 * u(n, 55)) < timestamptz '2026-01-01' THEN sent_at + interval '1 day' * floor(60 * u(n, 55)) END AS accepted_at
FROM (SELECT n, instant(n, :quotes, 0.85) AS sent_at FROM generate_series(1, :quotes) n) q ORDER BY row_order(n);

\echo subscriptions
/* Up to eight prices in a row, some with a gap before. */
CREATE TEMP TABLE price AS
SELECT n, customer, j, prices, since + sum(CASE j WHEN 0 THEN 0 ELSE pause END) OVER own::integer AS valid_from,
	since + sum(CASE j WHEN 0 THEN 0 ELSE pause END) OVER own::integer + days AS valid_to,
	round((20 + 600 * power(u(n, 62), 3) * (1 + 0.25 * j * (u(n * 8 + j, 63) - 0.35)))::numeric, 2)::numeric(12, 2) AS amount
FROM (SELECT n, 1 + floor(:customers * power(u(n, 60), 1.1))::integer AS customer, j, prices, since, 20 + floor(300 * u(n * 8 + j, 64))::integer AS days,
		20 + floor(300 * u(n * 8 + j - 1, 64))::integer + CASE WHEN u(n * 8 + j - 1, 65) < 0.08 THEN 35 + floor(120 * u(n * 8 + j - 1, 66))::integer ELSE 0 END AS pause
	FROM (SELECT n, (:'first_day'::date - interval '19 months')::date + floor((:days + 574) * power(u(n, 61), 0.8))::integer AS since, 1 + floor(8.0 * u(n, 67))::integer AS prices
		FROM generate_series(1::bigint, :subscriptions) n) s, generate_series(0, prices - 1) j) p
WINDOW own AS (PARTITION BY n ORDER BY j);
CREATE TABLE subscription AS
SELECT scatter(n) AS subscription_id, customer_id(customer), amount AS monthly_amount, valid_from,
	CASE WHEN (j = prices - 1 AND u(n, 68) < 0.45) OR valid_to > date '2025-12-31' THEN NULL ELSE valid_to END AS valid_to
FROM price WHERE valid_from <= date '2025-12-31' ORDER BY CASE WHEN :'scattered' THEN u(n * 8 + j, 99) END, valid_from, n, j;
DROP TABLE price;

\echo activities
CREATE TABLE activity AS
SELECT scatter(n) AS activity_id, instant(n, :activities, 0.85) AS happened_at, rep_id(1 + floor(:reps * power(u(n, 70), 1.4))::integer),
	lead_id(1 + floor(:leads * u(n, 71))::integer), (CASE WHEN v < 0.45 THEN 1 WHEN v < 0.9 THEN 2 WHEN v < 0.96 THEN 3 ELSE 4 END)::smallint AS kind,
	u(n, 73) < 0.18 AS replied, floor(1200 * u(n, 74))::integer AS duration_s
FROM (SELECT n, u(n, 72) AS v FROM generate_series(1::bigint, :activities) n) a ORDER BY row_order(n);

\echo keys and pages
ALTER TABLE customer ADD PRIMARY KEY (customer_id);
ALTER TABLE rep ADD PRIMARY KEY (rep_id);
ALTER TABLE sale ADD PRIMARY KEY (sale_id);
ALTER TABLE opportunity ADD PRIMARY KEY (opp_id);
ALTER TABLE lead ADD PRIMARY KEY (lead_id);
ALTER TABLE target ADD PRIMARY KEY (rep_id, month);
\if :scattered
UPDATE customer SET name = name WHERE u(hashtext(customer_id::text), 100) < 0.2;
UPDATE sale SET quantity = quantity WHERE u(sale_id, 100) < 0.2;
UPDATE opportunity SET amount = amount WHERE u(hashtext(opp_id::text), 100) < 0.2;
UPDATE stage_history SET amount = amount WHERE u(hist_id, 100) < 0.2;
UPDATE lead SET source = source WHERE u(hashtext(lead_id), 100) < 0.2;
UPDATE quote SET amount = amount WHERE u(quote_id, 100) < 0.2;
UPDATE subscription SET monthly_amount = monthly_amount WHERE u(subscription_id, 100) < 0.2;
UPDATE activity SET duration_s = duration_s WHERE u(activity_id, 100) < 0.2;
ANALYZE;
\else
VACUUM (FREEZE, ANALYZE);
\endif
