--
-- Who buys, and after what: at random, against plain SQL over the rows, and by
-- hand where it could be misunderstood.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'Pacific/Auckland';	-- of the session: it must not matter
SET datestyle = 'German, DMY';

BEGIN;
CREATE SCHEMA crm;
CREATE FUNCTION crm.h(salt text, n integer, size integer) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN mod(('x' || substr(md5(salt || '/' || n), 1, 7))::bit(28)::integer, size);
CREATE FUNCTION crm.pick(salt text, n integer, VARIADIC choice text[]) RETURNS text LANGUAGE sql IMMUTABLE
RETURN choice[1 + crm.h(salt, n, cardinality(choice))];
CREATE FUNCTION crm.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END;
$$;
SELECT kpi_set('time_zone', 'Europe/Berlin') AS zone;

CREATE TABLE crm.exchange_rate (currency text, valid_on date, rate numeric);
INSERT INTO crm.exchange_rate VALUES ('USD', '2024-12-01', 0.9), ('USD', '2025-02-10', 0.8), ('CHF', '2025-02-20', 1.1);
CREATE TABLE crm.account (id integer, name text, region text);
INSERT INTO crm.account SELECT n, 'Customer ' || n, crm.pick('region', n, 'North', 'South', '', NULL) FROM generate_series(1, 30) n;
CREATE TABLE crm.opportunity (id integer, status text, account_id integer);
INSERT INTO crm.opportunity SELECT n, 'open', crm.h('deal', n, 33) FROM generate_series(1, 40) n;
CREATE TABLE crm.sale (sale_id integer, sold_at timestamptz, amount numeric, currency text, account_id integer, opportunity_id integer, region text);
INSERT INTO crm.sale
SELECT n, timestamptz '2025-01-10 12:00+01' + crm.h('at', n, 120 * 24) * interval '1 hour', (crm.h('amount', n, 1000) - 200) * 1.37,
	crm.pick('currency', n, NULL, 'EUR', 'USD', 'CHF', 'XXX'), CASE WHEN crm.h('own', n, 3) > 0 THEN 1 + crm.h('account', n, 31) END,
	CASE WHEN crm.h('by', n, 2) > 0 THEN crm.h('opportunity', n, 45) END, crm.pick('sale', n, 'North', 'East', '', NULL, NULL)
FROM generate_series(1, 600) n;
INSERT INTO crm.sale VALUES (601, '2025-02-10', 'NaN', NULL, 1, NULL, 'North'), (NULL, '2025-02-10', 1000, NULL, 1, NULL, 'North'), (603, '2999-01-01', 1000, NULL, 1, NULL, 'North');
CREATE TABLE crm.activity (id integer, happened_at timestamptz, kind text, status text, account_id integer, opportunity_id integer);
INSERT INTO crm.activity
SELECT n, timestamptz '2025-01-01 12:00+01' + crm.h('done', n, 120 * 24) * interval '1 hour', crm.pick('kind', n, 'call', 'email', 'demo', 'meeting', 'other', 'fax', NULL),
	crm.pick('status', n, NULL, 'done', 'planned', 'cancelled'), CASE WHEN crm.h('whom', n, 2) > 0 THEN crm.h('with', n, 33) END, crm.h('about', n, 45)
FROM generate_series(1, 300) n;

SELECT crm.refused('SELECT kpi_top_customers()') AS no_sale, crm.refused('SELECT kpi_revenue_by_activity(''2025-01-01'', ''2025-02-01'')') AS no_activity;
SELECT count(*) AS bound FROM unnest('{exchange_rate,account,opportunity,sale}'::text[]) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.' || s)::regclass));
SELECT crm.refused('SELECT kpi_revenue_by_activity(''2025-01-01'', ''2025-02-01'')') AS no_activity;
SELECT count(*) > 0 AS bound FROM kpi_bind('activity', 'crm.activity');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-06-05 12:00+02');

-- The rows, as the definitions have them.
CREATE VIEW crm.sold AS
SELECT *, (sold_at AT TIME ZONE 'Europe/Berlin')::date AS day, amount * rate AS revenue,
	coalesce(nullif(region, ''), (SELECT nullif(a.region, '') FROM crm.account a WHERE a.id = account), '(none)') AS member
FROM (SELECT s.sale_id, s.sold_at, s.amount, s.region, coalesce(s.account_id, (SELECT o.account_id FROM crm.opportunity o WHERE o.id = s.opportunity_id)) AS account,
		CASE WHEN coalesce(currency, 'EUR') = 'EUR' THEN 1 ELSE (SELECT rate FROM crm.exchange_rate r
			WHERE r.currency = s.currency AND r.valid_on <= (s.sold_at AT TIME ZONE 'Europe/Berlin')::date ORDER BY valid_on DESC LIMIT 1) END AS rate
	  FROM crm.sale s WHERE sale_id IS NOT NULL AND amount <> 'NaN' AND sold_at < now()) s
WHERE rate IS NOT NULL;
CREATE VIEW crm.touched AS
SELECT happened_at, kind, coalesce(account_id, (SELECT o.account_id FROM crm.opportunity o WHERE o.id = opportunity_id)) AS account
FROM crm.activity WHERE kind <> 'fax' AND coalesce(status, 'done') = 'done';

CREATE TABLE crm.asked AS
SELECT * FROM (VALUES ('total', ''), ('region', 'North'), ('region', 'South'), ('region', '(none)'), ('region', 'East')) d(dimension, member),
	(VALUES ('month', date '2025-02-01', date '2025-03-01'), ('quarter', '2025-01-01', '2025-04-01'), ('year', '2025-01-01', '2026-01-01')) p(grain, from_day, to_day);
CREATE VIEW crm.seen AS
SELECT a.dimension, a.member, grain, from_day, s.account, s.sold_at, s.revenue
FROM crm.asked a JOIN crm.sold s ON day >= from_day AND day < to_day AND (a.dimension = 'total' OR a.member = s.member);

CREATE VIEW crm.customer AS
SELECT dimension, member, grain, from_day, account::text, sum(revenue) AS revenue FROM crm.seen GROUP BY 1, 2, 3, 4, 5 HAVING sum(revenue) <> 0;
CREATE TABLE crm.found AS
SELECT a.dimension, a.member, a.grain, a.from_day, t.* FROM crm.asked a, LATERAL kpi_top_customers(NULL, a.from_day + 3, a.grain, a.dimension, a.member) t;
SELECT 'customers' AS property, count(*) AS differences, (SELECT count(*) > 200 FROM crm.found) AS many
FROM crm.found f
FULL JOIN (SELECT c.*, rank() OVER own AS rank, round(100 * revenue / greatest(total, 0), 16) AS share,
			round(100 * sum(revenue) OVER (PARTITION BY dimension, member, grain ORDER BY revenue DESC, account COLLATE "C") / total, 16) AS concentration
		   FROM crm.customer c JOIN (SELECT dimension, member, grain, sum(revenue) AS total FROM crm.customer GROUP BY 1, 2, 3) t USING (dimension, member, grain)
		   WHERE account IS NOT NULL
		   WINDOW own AS (PARTITION BY dimension, member, grain ORDER BY revenue DESC)) x USING (dimension, member, grain, account)
WHERE (f.rank, f.revenue, f.share, f.concentration, f.label) IS DISTINCT FROM (x.rank, x.revenue, x.share, x.concentration,
	coalesce((SELECT name FROM crm.account WHERE id::text = x.account), x.account));
SELECT 'with those without account they are the revenue' AS property, bool_and(k.revenue = kpi_value('revenue', from_day, dimension, member, grain)) AND count(*) = 15 AS holds
FROM crm.asked a, LATERAL (SELECT sum(revenue) AS revenue FROM kpi_revenue_by('account', from_day, to_day, dimension, member)) k;

SELECT 'kinds' AS property, count(*) AS differences, (SELECT count(DISTINCT kind) = 6 FROM kpi_revenue_by_activity('2025-01-01', '2026-01-01')) AS each_occurs
FROM (SELECT a.dimension, a.member, a.grain, k.* FROM crm.asked a, LATERAL kpi_revenue_by_activity(a.from_day, a.to_day, a.dimension, a.member) k) f
FULL JOIN (SELECT dimension, member, grain, kind, sum(revenue) AS revenue, round(100 * sum(revenue) / (sum(sum(revenue)) OVER (PARTITION BY dimension, member, grain)), 16) AS share
		   FROM (SELECT s.*, coalesce((SELECT t.kind FROM crm.touched t WHERE t.account = s.account AND t.happened_at < s.sold_at ORDER BY t.happened_at DESC, kind COLLATE "C" DESC LIMIT 1), '(none)') AS kind
				 FROM crm.seen s) k
		   GROUP BY 1, 2, 3, 4) x USING (dimension, member, grain, kind)
WHERE (trim_scale(f.revenue), f.share) IS DISTINCT FROM (trim_scale(x.revenue), x.share);
SELECT 'some days' AS property, sum(revenue) = (SELECT sum(revenue) FROM crm.sold WHERE day BETWEEN '2025-02-09' AND '2025-02-11') AS holds FROM kpi_revenue_by_activity('2025-02-09', '2025-02-12');

-- As a dimension of the facts it is had by asking for it.
SELECT kpi_define_dimension('preceding_activity');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-06-06 12:00+02');
SELECT 'the facts say the same' AS property, count(*) = 6 AND bool_and(kpi_value('revenue', '2025-02-01', 'preceding_activity', kind) = revenue) AS holds FROM kpi_revenue_by_activity('2025-02-01', '2025-03-01');

-- By hand: what is before, and before a day.
TRUNCATE crm.sale, crm.activity;
INSERT INTO crm.sale VALUES (1, '2025-03-10 12:00+01', 1, NULL, 1, NULL), (2, '2025-03-10 12:00+01', 2, NULL, 2, NULL), (3, '2025-03-10 12:00+01', 4, NULL, 3, NULL),
	(4, '2025-03-10 12:00+01', 8, NULL, NULL, NULL), (5, '2025-03-12 12:00+01', -3, NULL, 1, NULL), (6, '2025-03-12 12:00+01', 16, NULL, 4, NULL),
	(7, '2025-04-10 12:00+02', 5, NULL, 1, NULL), (8, '2025-04-10 12:00+02', -20, NULL, 2, NULL);
INSERT INTO crm.activity VALUES (1, '2025-03-10 11:00+01', 'call', NULL, 1, NULL), (2, '2025-03-10 12:00+01', 'demo', NULL, 1, NULL),		-- at that very moment is not before
	(3, '2025-03-10 13:00+01', 'demo', NULL, 2, NULL), (4, '2025-03-09 12:00+01', 'email', 'cancelled', 2, NULL),								-- after, and not done
	(5, '2020-01-01 12:00+01', 'meeting', NULL, 3, NULL),																						-- long ago
	(6, '2025-03-01 12:00+01', 'call', NULL, 4, NULL), (7, '2025-03-01 12:00+01', 'email', NULL, 4, NULL);										-- two at once
SELECT kind, revenue, round(share, 2) AS share FROM kpi_revenue_by_activity('2025-03-01', '2025-04-01');
SELECT rank, account, label, revenue, round(share, 2) AS share, round(concentration, 2) AS concentration FROM kpi_top_customers(2, '2025-03-31');
SELECT kpi_define_dimension('account'), kpi_define_dimension('region+account');
SELECT 'of one kind, or customer, alone' AS rule, k.kind, k.revenue, k.share, c.account, c.revenue AS spent, c.share AS its_share
FROM kpi_revenue_by_activity('2025-03-01', '2025-04-01', 'preceding_activity', 'call') k, kpi_top_customers(5, '2025-03-31', 'month', 'account', '4') c;
SELECT 'and of none elsewhere' AS rule, count(*) FROM kpi_top_customers(5, '2025-03-31', 'month', 'region+account', 'Nowhere+4');
SELECT 'none at all' AS rule, count(*) FROM kpi_top_customers(0, '2025-03-31');
SELECT 'not a customer more than there are' AS rule, count(*) FROM kpi_top_customers(100, '2025-03-31');
SELECT 'a whole that is not positive has no shares' AS rule, account, revenue, share, concentration FROM kpi_top_customers(5, '2025-04-10');
SELECT 'nor of kinds' AS rule, kind, revenue, share FROM kpi_revenue_by_activity('2025-04-01', '2025-05-01');
SELECT 'on a day' AS rule, account, revenue, share FROM kpi_top_customers(5, '2025-03-12', 'day');
SELECT 'in days to come' AS rule, count(*) AS customers, (SELECT count(*) FROM kpi_revenue_by_activity('2998-01-01', '2999-01-01')) AS kinds FROM kpi_top_customers(5, '2999-01-01');
SELECT 'in no days' AS rule, count(*) AS customers FROM unnest('{-infinity,infinity}'::date[]) day, kpi_top_customers(5, day);
SELECT 'the last complete month' AS rule, count(*) AS customers FROM kpi_top_customers();
DROP VIEW crm.sold, crm.touched CASCADE;
SAVEPOINT days;
ALTER TABLE crm.activity ALTER happened_at TYPE date;
SELECT 'by days' AS rule, kind, revenue FROM kpi_revenue_by_activity('2025-03-01', '2025-04-01');
ROLLBACK TO days;
-- What is dated by the day counts up to today.
SAVEPOINT future;
TRUNCATE crm.sale;
ALTER TABLE crm.sale ALTER sold_at TYPE date;
INSERT INTO crm.sale VALUES (1, kpi_today(), 100, NULL, 1, NULL), (2, kpi_today() + 1, 10, NULL, 1, NULL);
SELECT 'up to today' AS rule, sum(revenue) AS revenue FROM kpi_revenue_by_activity(kpi_today(), kpi_today() + 7);
ROLLBACK TO future;
SAVEPOINT nobody;
ALTER TABLE crm.activity DROP account_id, DROP opportunity_id;
SELECT 'activities with nobody' AS rule, kind, revenue FROM kpi_revenue_by_activity('2025-03-01', '2025-04-01');
ALTER TABLE crm.sale DROP account_id, DROP opportunity_id;
SELECT 'sales to nobody' AS rule, count(*) AS customers, (SELECT count(*) FROM kpi_revenue_by_activity('2025-03-01', '2025-04-01')) AS kinds FROM kpi_top_customers(5, '2025-03-01');
ROLLBACK TO nobody;

-- Whose customer one is by the activity before a purchase stays, also when one moves to another region between activities.
SAVEPOINT moved;
TRUNCATE crm.sale, crm.activity, crm.account;
ALTER TABLE crm.account ADD valid_from timestamptz, ADD valid_to timestamptz;
INSERT INTO crm.account VALUES (1, 'Customer 1', 'North', NULL, '2025-04-15 00:00+02'), (1, 'Customer 1', 'South', '2025-04-15 00:00+02', NULL);
INSERT INTO crm.sale VALUES (1, '2025-02-10 12:00+01', 100, NULL, 1, NULL);
INSERT INTO crm.activity VALUES (1, '2025-03-05 12:00+01', 'demo', NULL, 1, NULL);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-06-07 12:00+02');
SELECT to_char(period, 'YYYY-MM') AS month, member, customers_opening, customers_won, customers_churned, customers FROM kpi_fact
WHERE superseded_at IS NULL AND grain = 'month' AND dimension = 'preceding_activity' AND customers_opening + customers_churned + customers > 0 ORDER BY 1, 2;
SELECT 'drilled and asked this second as well' AS rule, (SELECT sum(amount) FROM kpi_drill('customers', '2025-05-01', 'preceding_activity', '(none)')) AS drilled,
	kpi_live('customers', '2025-05-01', '2025-06-01', 'preceding_activity', '(none)') AS live, kpi_live('customers', '2025-05-01', '2025-06-01', 'preceding_activity', 'demo') AS other;
ROLLBACK TO moved;

SELECT crm.refused('SELECT kpi_top_customers(-1)') AS negative, crm.refused('SELECT kpi_top_customers(grain => ''decade'')') AS grain,
	crm.refused('SELECT kpi_top_customers(dimension => ''planet'')') AS dimension, crm.refused('SELECT kpi_top_customers(dimension => ''rep'')') AS member,
	crm.refused('SELECT kpi_top_customers(dimension => ''region'', member => ''Mars'')') AS nobody;
SELECT crm.refused('SELECT kpi_revenue_by_activity(NULL, ''2025-03-01'')') AS from_day, crm.refused('SELECT kpi_revenue_by_activity(''-infinity'', ''2025-03-01'')') AS since_ever, crm.refused('SELECT kpi_revenue_by_activity(''2025-03-01'', ''2025-03-01'')') AS to_day,
	crm.refused('SELECT kpi_revenue_by_activity(''2025-03-01'', ''2025-04-01'', ''planet'', ''Mars'')') AS dimension, crm.refused('SELECT kpi_revenue_by_activity(''2025-03-01'', ''2025-04-01'', ''region'', ''Mars'')') AS member;
ROLLBACK;
