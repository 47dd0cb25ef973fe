--
-- What a customer is worth: published figures, then lifetime values on data
-- made up at random, with subscriptions and by purchases alone, against plain
-- SQL over the rows that shares nothing with salkpi.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'Pacific/Auckland';	-- of the session: it must not matter
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA crm;
CREATE TABLE crm.account (id integer, channel text, created_at date);
CREATE TABLE crm.subscription (account_id integer, amount numeric, valid_from timestamptz, valid_to timestamptz, billing_unit text, status text, cancelled_at timestamptz);
CREATE TABLE crm.sale (sale_id integer, sold_at timestamptz, amount numeric, direct_cost numeric, account_id integer);
CREATE TABLE crm.cost (period_from date, amount numeric, function text, channel text);
CREATE TABLE crm.opportunity (id integer, status text, created_at timestamptz, closed_at timestamptz, amount numeric);
CREATE TABLE crm.opportunity_history (opportunity_id integer, valid_from timestamptz, valid_to timestamptz, stage text, status text);
CREATE TABLE crm.activity (happened_at timestamptz, kind text, contact_id integer, replied_at timestamptz);

CREATE FUNCTION crm.bind(VARIADIC sources text[]) RETURNS bigint LANGUAGE sql
RETURN (SELECT count(*) FROM unnest(sources) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.' || s)::regclass)));

CREATE FUNCTION crm.berlin(at timestamp) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN at AT TIME ZONE 'Europe/Berlin';

SELECT kpi_set('time_zone', 'Europe/Berlin');

--
-- Published figures.
--

-- ChartMogul, help on customer lifetime value: an ARPA of 100 and 5 % of churn
-- are 2,000.  Basedash, the same with a margin of 80 %: 1,600.  Twenty customers
-- at 100 a month; each month one leaves and another comes.
SAVEPOINT figure;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, valid_from, valid_to)
SELECT n, 100, CASE WHEN n > 20 THEN crm.berlin(timestamp '2025-01-15' + (n - 21) * interval '1 month') ELSE '2024-05-01' END,
	crm.berlin(timestamp '2025-01-15' + (n - 1) * interval '1 month') FROM generate_series(1, 40) n;
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-08-31', '2025-10-05 12:00+02');
SELECT kpi_set('margin_default', '100') AS margin;
SELECT 'ChartMogul, lifetime value' AS published, kpi_value('customer_churn_rate', '2025-08-01') = 5 AND kpi_value('revenue_per_account', '2025-08-01') = 100
	AND kpi_value('lifetime_value', '2025-08-01') = 2000 AND round(kpi_value('customer_lifetime', '2025-08-01'), 4) = 1.6667 AS holds;
SELECT kpi_set('margin_default', '80') AS margin;
SELECT 'Basedash' AS published, kpi_value('lifetime_value', '2025-08-01') = 1600 AS holds;
ROLLBACK TO figure;

-- SourceMedium, on the average order value: net 875 over 10 orders are 87.50.
-- Nine at 100 and one at 95; a credit note of 120 is no order.
SAVEPOINT figure;
SELECT crm.bind('sale');
INSERT INTO crm.sale (sale_id, sold_at, amount) SELECT n, '2025-02-03', CASE n WHEN 10 THEN 95 ELSE 100 END FROM generate_series(1, 10) n;
INSERT INTO crm.sale (sale_id, sold_at, amount) VALUES (11, '2025-02-20', -120);
SELECT outcome FROM kpi_snapshot('2025-02-01', '2025-02-28', '2025-03-05 12:00+01');
SELECT 'SourceMedium' AS published, kpi_value('average_purchase_value', '2025-02-01') = 87.50 AND kpi_value('revenue', '2025-02-01') = 875 AND kpi_value('purchases', '2025-02-01') = 10 AS holds;
ROLLBACK TO figure;

-- Skool, on outreach: 50 of 100 contacts replied, 50 %.  Some were written to twice.
SAVEPOINT figure;
SELECT crm.bind('activity');
INSERT INTO crm.activity
SELECT timestamptz '2025-02-03 10:00+01' + n * interval '1 hour', 'email', n % 100, CASE WHEN n BETWEEN 51 AND 100 THEN '2025-02-20 10:00+01'::timestamptz END FROM generate_series(1, 130) n;
SELECT outcome FROM kpi_snapshot('2025-02-01', '2025-02-28', '2025-03-05 12:00+01');
SELECT 'Skool' AS published, kpi_value('reply_rate', '2025-02-01') = 50 AND kpi_value('contacts_messaged', '2025-02-01') = 100 AS holds;
ROLLBACK TO figure;

-- Prowi, on quota attainment: 42,500, 55,000 and 52,500 of 50,000 are 85, 110 and
-- 105 %.  Together it is a ratio of sums: 100 %; and with quotas of 100 and 50, 90
-- and 10 are 66.67 %, where the mean of the two would be 55 %.
SAVEPOINT figure;
SELECT crm.bind('sale');
INSERT INTO crm.sale (sale_id, sold_at, amount)
VALUES (1, '2025-01-15', 42500), (2, '2025-02-15', 55000), (3, '2025-03-15', 52500), (4, '2025-04-15', 90), (5, '2025-05-15', 10);
INSERT INTO kpi_target (kpi, from_day, to_day, value) SELECT 'revenue', d, d + interval '1 month', 50000 FROM generate_series(timestamp '2025-01-01', '2025-03-01', '1 month') d;
INSERT INTO kpi_target (kpi, from_day, to_day, value) VALUES ('revenue', '2025-04-01', '2025-05-01', 100), ('revenue', '2025-05-01', '2025-06-01', 50), ('revenue', '2025-06-01', '2025-07-01', 0);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-06-30', '2025-07-05 12:00+02');
SELECT 'Prowi' AS published, array_agg(trim_scale(value) ORDER BY "time") = '{85,110,105}' AS holds FROM kpi_series('target_attainment', '2025-01-01', '2025-04-01');
SELECT 'a quarter is a ratio of sums' AS rule, kpi_value('target_attainment', '2025-01-01', grain => 'quarter') = 100
	AND round(kpi_value('target_attainment', '2025-04-01', grain => 'quarter'), 2) = 66.67 AS holds;
ROLLBACK TO figure;

-- Daymark, on the sales cycle: 1 January to 15 February, 10 January to 5 March and
-- 20 January to 28 February of a common year take 45, 54 and 39 days, 46 on average.
SAVEPOINT figure;
SELECT crm.bind('opportunity');
INSERT INTO crm.opportunity VALUES (1, 'won', '2025-01-01 00:00+01', '2025-02-15 00:00+01', 1), (2, 'won', '2025-01-10 00:00+01', '2025-03-05 00:00+01', 1),
	(3, 'won', '2025-01-20 00:00+01', '2025-02-28 00:00+01', 1);
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-03-31', '2025-04-05 12:00+02');
SELECT 'Daymark' AS published, kpi_value('sales_cycle_length', '2025-01-01', grain => 'quarter') = 46 AND kpi_value('sales_cycle_median', '2025-01-01', grain => 'quarter') = 45
	AND kpi_value('sales_cycle_length', '2025-02-01') = 42 AS holds;
ROLLBACK TO figure;

--
-- Rules, on a few rows worked out by hand.
--

-- MRR that is cancelled but still runs: known from the cancellation on, gone with
-- its end, and both look left at a boundary.  A price that ended before the
-- cancellation does not count, nor one that begins after it before it does.
SAVEPOINT rule;
SELECT crm.bind('subscription');
INSERT INTO crm.subscription (account_id, amount, valid_from, valid_to, cancelled_at) VALUES
	(1, 100, '2025-01-01 00:00+01', NULL, NULL), (2, 10, '2025-01-01 00:00+01', '2025-04-01 00:00+02', '2025-02-10 09:00+01'),
	(3, 7, '2025-01-01 00:00+01', '2025-03-15 12:00+01', '2025-03-01 00:00+01'), (4, 5, '2025-01-10 00:00+01', NULL, '2025-03-20 00:00+01'),
	(5, 3, '2025-01-10 00:00+01', '2025-02-15 00:00+01', '2025-03-20 00:00+01'), (5, 4, '2025-02-15 00:00+01', '2025-05-10 00:00+02', '2025-03-20 00:00+01');
INSERT INTO crm.subscription (account_id, amount, valid_from, status, cancelled_at) VALUES (6, 1000, '2025-01-10 00:00+01', 'trial', '2025-01-15 00:00+01');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-05-31', '2025-06-05 12:00+02');
SELECT to_char(period, 'Mon') AS month, mrr, mrr_cancelling, kpi_value('committed_mrr', period) AS committed
FROM kpi_fact WHERE grain = 'month' AND dimension = 'total' AND superseded_at IS NULL AND period < '2025-06-01' ORDER BY period;
ROLLBACK TO rule;

-- It is the team's of each boundary, whatever is read with it.  The rep of 100 and of 10 leaves Red
-- on the 10th of March; 10 ended then, on the first of April.
SAVEPOINT rule;
CREATE TABLE crm.rep (id integer, team text, valid_from date, valid_to date);
INSERT INTO crm.rep VALUES (1, 'Red', NULL, '2025-03-10'), (1, 'Blue', '2025-03-10', NULL), (2, 'Blue', NULL, NULL);
CREATE VIEW crm.of_rep AS SELECT *, CASE WHEN account_id < 3 THEN 1 ELSE 2 END AS rep_id FROM crm.subscription;
SELECT crm.bind('rep') AS reps, count(*) > 0 AS subscriptions FROM kpi_bind('subscription', 'crm.of_rep');
INSERT INTO crm.subscription (account_id, amount, valid_from, valid_to, cancelled_at) VALUES
	(1, 100, '2025-01-10', NULL, '2025-02-20'), (2, 10, '2025-01-10', crm.berlin('2025-04-01'), '2025-03-20'), (3, 7, '2025-01-10', NULL, '2025-04-20');
SELECT outcome FROM kpi_snapshot('2025-01-01', '2025-04-30', '2025-05-05 12:00+02');
SELECT to_char(period, 'Mon') AS month, member, trim_scale(value) AS value, value = kpi_live('mrr_cancelling', period, next, 'team', member) AS is_live,
	value = (SELECT coalesce(sum(amount), 0) FROM kpi_drill('mrr_cancelling', period, 'team', member)) AS is_drilled
FROM generate_series(timestamp '2025-02-01', '2025-04-01', '1 month') g(m), LATERAL (SELECT m::date AS period, (m + interval '1 month')::date AS next) p, unnest('{Red,Blue}'::text[]) member,
	LATERAL kpi_value('mrr_cancelling', period, 'team', member) value ORDER BY period, member;
ROLLBACK TO rule;

-- First purchases, and what was bought to date, also before the first period; a
-- credit note takes from the revenue and makes no customer.
SAVEPOINT rule;
SELECT crm.bind('sale', 'account');
INSERT INTO crm.account VALUES (1, 'Web', '2024-01-01'), (2, 'Web', '2025-02-10'), (3, 'Fair', '2025-02-28'), (4, NULL, NULL), (5, 'Fair', '2025-03-01');
INSERT INTO crm.sale (sale_id, sold_at, amount, account_id) VALUES (1, '1999-12-31 00:00+01', 50, 1), (2, '2025-01-05 00:00+01', 100, 2), (3, '2025-01-31 23:59:59+01', -30, 3),
	(4, '2025-02-01 00:00+01', 10, 1), (5, '2025-02-02 00:00+01', 20, 3), (6, '2025-02-03 00:00+01', 30, 4), (7, '2025-03-03 00:00+01', 1, 4), (8, '2025-03-04 00:00+01', 2, 5),
	(9, '-infinity', 1000, 1), (10, 'infinity', 1000, 2);
SELECT outcome, problems FROM kpi_snapshot('2025-01-01', '2025-03-31', '2025-03-05 12:00+01');
SELECT to_char(period, 'Mon') AS month, member, buying_customers AS buying, first_buyers AS first, revenue_to_date, customers_to_date, accounts,
	round(kpi_value('repeat_purchase_rate', period, dimension, member), 2) AS repeat, round(kpi_value('lifetime_spend_per_customer', period, dimension, member), 2) AS spend
FROM kpi_fact WHERE grain = 'month' AND dimension IN ('total', 'channel') AND superseded_at IS NULL AND period >= '2025-01-01' ORDER BY period, dimension DESC, member COLLATE "C";
SELECT 'facts begin with the first period that has data, however old other data are' AS rule, outcome FROM kpi_snapshot(as_of => '2025-03-05 12:01+01');
SELECT grain, min(period) AS first FROM kpi_fact WHERE grain IN ('month', 'quarter', 'year') AND superseded_at IS NULL GROUP BY grain ORDER BY grain;
ROLLBACK TO rule;

-- Sales velocity: 4 open at the start, won 300 and 100, lost 2, in 10 and 30 days:
-- 4 * 200 * 1/2 / 20 = 20 a day.
SAVEPOINT rule;
SELECT crm.bind('opportunity', 'opportunity_history');
INSERT INTO crm.opportunity VALUES (1, 'won', '2025-01-22 00:00+01', '2025-02-01 00:00+01', 300), (2, 'won', '2025-01-15 00:00+01', '2025-02-14 00:00+01', 100),
	(3, 'lost', '2025-01-10 00:00+01', '2025-02-20 00:00+01', 50), (4, 'lost', '2025-02-05 00:00+01', '2025-02-25 00:00+01', 70), (5, 'open', '2025-01-05 00:00+01', NULL, 10);
INSERT INTO crm.opportunity_history SELECT id, created_at, closed_at, 'Offer', 'open' FROM crm.opportunity;
SELECT outcome FROM kpi_snapshot('2025-02-01', '2025-02-28', '2025-03-05 12:00+01');
SELECT kpi_value('open_at_start', '2025-02-01') AS open, kpi_value('average_won_value', '2025-02-01') AS won, kpi_value('win_rate', '2025-02-01') AS rate,
	kpi_value('sales_cycle_length', '2025-02-01') AS days, kpi_value('sales_velocity', '2025-02-01') AS velocity, kpi_value('average_opportunity_value', '2025-02-01') AS new;
SELECT kpi_unbind('opportunity_history');
SELECT outcome FROM kpi_snapshot('2025-02-01', '2025-02-28', '2025-03-05 12:01+01');
SELECT kpi, value, reason FROM kpi_report('2025-02-01') WHERE kpi = 'sales_velocity';
ROLLBACK TO rule;

--
-- Lifetime values at random.
--
CREATE FUNCTION crm.h(salt text, n integer, size integer) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN mod(('x' || substr(md5(salt || '/' || n), 1, 7))::bit(28)::integer, size);

CREATE TABLE crm.clock AS SELECT timestamptz '2025-08-20 14:37:12+02' AS as_of;

-- An instant from 2023 on; one in three is the midnight of a month's first.
CREATE FUNCTION crm.instant(salt text, n integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN crm.berlin(CASE crm.h(salt || 'kind', n, 3) WHEN 0 THEN timestamp '2023-01-01' + crm.h(salt, n, 33) * interval '1 month'
	ELSE timestamp '2023-01-01' + crm.h(salt, n, 960) * interval '1 day' + crm.h(salt || 's', n, 86400) * interval '1 second' END);

-- In the channel Calm nobody leaves.
INSERT INTO crm.account SELECT n, CASE WHEN n > 70 THEN 'Calm' ELSE (ARRAY['Web', 'Fair', 'Partner', '', NULL])[1 + crm.h('channel', n, 5)] END, '2023-01-01' FROM generate_series(1, 75) n;
INSERT INTO crm.subscription (account_id, amount, valid_from, valid_to, billing_unit, status)
SELECT a, (1 + crm.h('amount', n, 30)) * CASE unit WHEN 'year' THEN 120 WHEN 'quarter' THEN 30 ELSE 10 END, since, CASE WHEN a < 71 AND crm.h('open', n, 4) > 0 THEN until END, unit,
	(ARRAY['active', 'active', 'active', 'past_due', 'cancelled', 'trial', 'paused', NULL])[1 + crm.h('status', n, 8)]
FROM generate_series(1, 160) n, LATERAL (SELECT 1 + crm.h('account', n, 75) AS a, crm.instant('since', n) AS since,
	(ARRAY['month', 'quarter', 'year', NULL])[1 + crm.h('unit', n, 4)] AS unit) x,
	LATERAL (SELECT CASE crm.h('untilkind', n, 3) WHEN 0 THEN date_trunc('month', since, 'Europe/Berlin') + interval '3 months 10 days' ELSE since + crm.h('until', n, 300) * interval '1 day' END AS until) u;
INSERT INTO crm.sale
SELECT n / 2, crm.instant('sold', n / 2), (crm.h('price', n, 1000) - 150) * 1.25, CASE WHEN crm.h('known', n, 4) > 0 THEN crm.h('cost', n, 500) END,
	CASE WHEN crm.h('who', n / 2, 12) > 0 THEN CASE WHEN crm.h('calm', n / 2, 9) = 0 THEN 71 + crm.h('buyer', n / 2, 5) ELSE 1 + crm.h('buyer', n / 2, 65) END END FROM generate_series(1, 500) n;
INSERT INTO crm.cost SELECT (crm.instant('spent', n) AT TIME ZONE 'Europe/Berlin')::date, 100 + crm.h('spend', n, 900), (ARRAY['sales', 'marketing', 'other', NULL])[1 + crm.h('function', n, 4)],
	(ARRAY['Web', 'Fair', 'Partner', 'Calm', NULL])[1 + crm.h('costchannel', n, 5)] FROM generate_series(1, 300) n;

-- The periods, and when the last complete month that they have behind them ends.
CREATE TABLE crm.span AS
SELECT grain, d::date AS period, least(crm.berlin(d + step), as_of) AS now, date_trunc('month', least(crm.berlin(d + step), as_of), 'Europe/Berlin') AS last
FROM crm.clock, (VALUES ('month', interval '1 month'), ('quarter', '3 months'), ('year', '1 year')) g(grain, step), LATERAL generate_series(timestamp '2023-01-01', '2025-08-20', step) d;

-- Whose rows: the company's, each channel's, two channels together.
CREATE TABLE crm.scope AS
SELECT 'total' AS dimension, '' AS member, a.id AS account FROM crm.account a
UNION ALL SELECT 'channel', coalesce(nullif(channel, ''), '(none)'), id FROM crm.account
UNION ALL SELECT 'merged', 'Fair, Web', id FROM crm.account WHERE channel IN ('Fair', 'Web')
UNION ALL SELECT 'total', '', NULL UNION ALL SELECT 'channel', '(none)', NULL;
CREATE TABLE crm.cost_scope AS
SELECT 'total' AS dimension, '' AS member, c.* FROM crm.cost c
UNION ALL SELECT 'channel', coalesce(channel, '(none)'), c.* FROM crm.cost c
UNION ALL SELECT 'merged', 'Fair, Web', c.* FROM crm.cost c WHERE channel IN ('Fair', 'Web');

-- Who pays when: by subscription, or for 365 days after a purchase.
CREATE TABLE crm.pays (way text, account integer, since timestamptz, until timestamptz, monthly numeric);
INSERT INTO crm.pays
SELECT 'subscription', account_id, valid_from, valid_to, amount / CASE billing_unit WHEN 'year' THEN 12 WHEN 'quarter' THEN 3 ELSE 1 END
FROM crm.subscription WHERE coalesce(status, 'active') NOT IN ('trial', 'paused') AND (valid_to > valid_from OR valid_to IS NULL)
UNION ALL
SELECT 'purchase', account_id, sold_at, (sold_at AT TIME ZONE 'Europe/Berlin' + interval '365 days') AT TIME ZONE 'Europe/Berlin', 1 FROM crm.sale WHERE amount > 0 AND account_id IS NOT NULL;

CREATE TABLE crm.customer AS	-- at each boundary
SELECT p.way, b.at, s.dimension, s.member, p.account, sum(monthly) AS monthly
FROM (SELECT crm.berlin(d) AS at FROM generate_series(timestamp '2022-06-01', '2025-08-01', '1 month') d UNION SELECT now FROM crm.span) b
	JOIN crm.pays p ON p.since < b.at AND (p.until >= b.at OR p.until IS NULL) JOIN crm.scope s USING (account)
GROUP BY 1, 2, 3, 4, 5;
CREATE TABLE crm.first AS
SELECT way, dimension, member, account, min(since) AS at FROM crm.pays JOIN crm.scope USING (account) GROUP BY 1, 2, 3, 4;
ANALYZE crm.customer, crm.first, crm.pays, crm.scope, crm.span;

-- Berlin's calendar months before an instant.
CREATE FUNCTION crm.back(at timestamptz, months integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN ((at AT TIME ZONE 'Europe/Berlin') - months * interval '1 month') AT TIME ZONE 'Europe/Berlin';

CREATE TABLE crm.part AS
SELECT w.way, t.grain, t.period, s.dimension, s.member, six.is_known AS six, twelve.is_known AS twelve, churn.*, c.*, r.*, o.*
FROM crm.span t CROSS JOIN (VALUES ('subscription'), ('purchase')) w(way) CROSS JOIN (SELECT DISTINCT dimension, member FROM crm.scope) s
	CROSS JOIN LATERAL (SELECT crm.back(t.last, 6) >= '2023-01-01 00:00+01' AS is_known) six CROSS JOIN LATERAL (SELECT crm.back(t.last, 12) >= '2023-01-01 00:00+01' AS is_known) twelve
	CROSS JOIN LATERAL (
		SELECT count(*) AS opening, count(*) FILTER (WHERE b.account IS NULL) AS lost
		FROM generate_series(1, 6) m JOIN crm.customer a ON a.at = crm.back(t.last, m) AND (a.way, a.dimension, a.member) = (w.way, s.dimension, s.member)
			LEFT JOIN crm.customer b ON b.at = crm.back(t.last, m - 1) AND (b.way, b.dimension, b.member, b.account) = (a.way, a.dimension, a.member, a.account)) churn
	CROSS JOIN LATERAL (SELECT sum(c.monthly) AS mrr, count(*) AS customers FROM crm.customer c WHERE c.at = t.now AND (c.way, c.dimension, c.member) = (w.way, s.dimension, s.member)) c
	CROSS JOIN LATERAL (
		SELECT coalesce(sum(x.amount), 0) AS revenue, count(DISTINCT x.account_id) FILTER (WHERE x.amount > 0) AS buyers,
			sum(x.amount) FILTER (WHERE x.direct_cost IS NOT NULL) AS with_cost, sum(x.direct_cost) AS direct_cost
		FROM crm.sale x JOIN crm.scope p ON p.account IS NOT DISTINCT FROM x.account_id AND (p.dimension, p.member) = (s.dimension, s.member)
		WHERE x.sold_at >= crm.back(t.last, 12) AND x.sold_at < t.last) r
	CROSS JOIN LATERAL (
		SELECT (SELECT coalesce(sum(amount), 0) FROM crm.cost_scope k WHERE (k.dimension, k.member) = (s.dimension, s.member) AND function IN ('sales', 'marketing')
				AND crm.berlin(period_from) >= crm.back(t.last, 12) AND crm.berlin(period_from) < t.last) AS spent,
			(SELECT count(*) FROM crm.first f WHERE (f.way, f.dimension, f.member) = (w.way, s.dimension, s.member) AND f.at >= crm.back(t.last, 12) AND f.at < t.last) AS won) o;

-- 16 decimals, half away from zero; NULL where nothing can be divided.
CREATE FUNCTION crm.ratio(n numeric, d numeric) RETURNS numeric LANGUAGE sql IMMUTABLE
RETURN round(round(n, 60) / nullif(d, 0), 16);

-- margin NULL: as the lines tell, else a percentage.
CREATE FUNCTION crm.want(way text, margin numeric) RETURNS TABLE (grain text, period date, dimension text, member text, kpi text, value numeric) LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT p.grain, p.period, p.dimension, p.member, v.kpi, v.value
	FROM (SELECT *, CASE p.way WHEN 'subscription' THEN 12 * mrr WHEN 'purchase' THEN CASE WHEN p.twelve THEN revenue END END AS yearly,
			CASE p.way WHEN 'subscription' THEN customers ELSE buyers END AS heads,
			coalesce(want.margin, CASE WHEN p.twelve AND with_cost > 0 THEN 100 * (with_cost - direct_cost) END) AS m, CASE WHEN want.margin IS NULL THEN with_cost ELSE 1 END AS per
		  FROM crm.part p WHERE p.way = want.way) p,
		LATERAL (VALUES
			('customer_lifetime', CASE WHEN six THEN crm.ratio(opening, 12 * lost) END),
			('yearly_revenue_per_customer', crm.ratio(yearly, heads)),
			('margin_of_year', crm.ratio(m, per)),
			('acquisition_cost_of_year', CASE WHEN twelve THEN crm.ratio(spent, won) END),
			('lifetime_value', CASE WHEN six THEN crm.ratio(yearly * m * opening, 100 * heads * per * 12 * lost) END),
			('customer_lifetime_value', CASE WHEN six AND twelve
				THEN crm.ratio(yearly * m * opening * won - spent * 100 * heads * per * 12 * lost, 100 * heads * per * 12 * lost * won) END)) v(kpi, value);
END;

CREATE VIEW crm.found AS
SELECT g AS grain, kpi_day(s."time") AS period, d AS dimension, s.member, k AS kpi, s.value, s.reason
FROM unnest('{month,quarter,year}'::text[]) g, unnest('{total,channel}'::text[]) d,
	unnest('{customer_lifetime,yearly_revenue_per_customer,margin_of_year,acquisition_cost_of_year,lifetime_value,customer_lifetime_value}'::text[]) k,
	LATERAL kpi_series(k, NULL, NULL, g, d) s
UNION ALL
SELECT g, kpi_day(s."time"), 'merged', s.member, k, s.value, s.reason
FROM unnest('{month,quarter,year}'::text[]) g,
	unnest('{customer_lifetime,yearly_revenue_per_customer,margin_of_year,acquisition_cost_of_year,lifetime_value,customer_lifetime_value}'::text[]) k,
	LATERAL kpi_merged_series(k, NULL, NULL, g, 'channel', '{Web,Fair}') s;

CREATE FUNCTION crm.compare(way text, margin numeric, OUT compared bigint, OUT known bigint, OUT different bigint, OUT for_example text) LANGUAGE sql
BEGIN ATOMIC
	SELECT count(*), count(f.value), count(*) FILTER (WHERE f.value IS DISTINCT FROM w.value),
		min(concat_ws(' ', kpi, grain, period, dimension, member, 'found', f.value, f.reason, 'wanted', w.value)) FILTER (WHERE f.value IS DISTINCT FROM w.value)
	FROM crm.found f FULL JOIN crm.want(way, margin) w USING (grain, period, dimension, member, kpi);
END;

-- With subscriptions: yearly revenue is twelve times the MRR per account.
SELECT crm.bind('account', 'subscription', 'sale', 'cost');
SELECT outcome FROM crm.clock, kpi_snapshot('2023-01-01', '2025-08-20', as_of);
SELECT 'with subscriptions' AS variant, compared = 1932 AS all, known > 1000 AS most, different, for_example FROM crm.compare('subscription', NULL);
SELECT 'nobody leaves Calm' AS rule, bool_and(value IS NULL AND reason = 'zero denominator') AND count(*) > 10 AS holds
FROM crm.found WHERE kpi IN ('lifetime_value', 'customer_lifetime_value') AND member = 'Calm' AND period >= '2024-01-01';
SELECT 'the first five months know no lifetime' AS rule, bool_and((reason = 'not computed yet') = (period < '2023-06-01')) AS holds
FROM crm.found WHERE kpi = 'customer_lifetime' AND grain = 'month' AND dimension = 'total';
SELECT 'channels together are the total' AS rule, bool_and(m.value IS NOT DISTINCT FROM t.value AND m.exact) AND count(m.value) > 20 AS holds
FROM kpi_merged_series('customer_lifetime_value', NULL, NULL, 'month', 'channel', '{Web,Fair,Partner,Calm,(none)}') m
	JOIN kpi_series('customer_lifetime_value', NULL, NULL) t USING ("time");
SELECT kpi_set('grains', 'day,week,month');
SELECT outcome FROM kpi_snapshot('2025-06-01', '2025-08-20', '2025-08-20 14:37:13+02');
SELECT 'a day and a week know it from the month that ended before their end' AS rule, bool_and(s.value IS NOT DISTINCT FROM w.value) AS holds, count(s.value) AS known
FROM (VALUES ('week', 7), ('day', 1)) g(grain, days) CROSS JOIN LATERAL kpi_series('customer_lifetime', '2025-06-02', '2025-08-20', grain) s
	LEFT JOIN crm.want('subscription', NULL) w ON w.kpi = 'customer_lifetime' AND w.dimension = 'total' AND w.grain = 'month'
		AND w.period = (date_trunc('month', least(kpi_day(s."time") + days, '2025-08-20')::timestamp) - interval '1 month')::date;
SELECT kpi_set('grains', 'month,quarter,year');

-- Where lines tell no cost a default margin does, if there is one.
SAVEPOINT before;
CREATE VIEW crm.sale_without_cost AS SELECT sale_id, sold_at, amount, account_id FROM crm.sale;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.sale_without_cost');
SELECT outcome FROM crm.clock, kpi_snapshot('2023-01-01', '2025-08-20', as_of + interval '2 seconds');
SELECT 'no default' AS margin, kpi, value, reason FROM kpi_report('2025-07-01') WHERE kpi IN ('margin_of_year', 'lifetime_value', 'customer_lifetime_value') ORDER BY kpi;
SELECT kpi_set('margin_default', '37.5') AS margin;
SELECT 'with subscriptions, default margin' AS variant, compared = 1932 AS all, known > 1000 AS most, different, for_example FROM crm.compare('subscription', 37.5);
ROLLBACK TO before;

-- Where lines do tell it the default does not matter once they do.
SAVEPOINT before;
SELECT kpi_set('margin_default', '99') AS margin;
SELECT 'lines before the default' AS rule, count(*) FILTER (WHERE f.value IS DISTINCT FROM w.value) AS different, count(*) > 10 AS compared
FROM crm.found f JOIN crm.want('subscription', NULL) w USING (grain, period, dimension, member, kpi) WHERE f.kpi = 'lifetime_value' AND w.value IS NOT NULL;
ROLLBACK TO before;

-- Costs that tell no channel are not a channel's: that, not what subscriptions say instead, is why
-- there is no lifetime value less them.
SAVEPOINT before;
CREATE VIEW crm.cost_of_all AS SELECT period_from, amount, function FROM crm.cost;
SELECT count(*) > 0 AS bound FROM kpi_bind('cost', 'crm.cost_of_all');
SELECT outcome FROM crm.clock, kpi_snapshot('2023-01-01', '2025-08-20', as_of + interval '2 seconds');
SELECT kpi, value IS NOT NULL AS known, reason FROM kpi_report('2025-07-01', dimension => 'channel', member => 'Web')
 WHERE kpi IN ('lifetime_value', 'customer_lifetime_value', 'acquisition_cost_of_year') ORDER BY kpi;
ROLLBACK TO before;

-- Without costs of sales and marketing there is no lifetime value less them.
SAVEPOINT before;
SELECT kpi_unbind('cost');
SELECT outcome FROM crm.clock, kpi_snapshot('2023-01-01', '2025-08-20', as_of + interval '2 seconds');
SELECT kpi, value IS NOT NULL AS known, reason FROM kpi_report('2025-07-01') WHERE kpi IN ('lifetime_value', 'customer_lifetime_value', 'ltv_to_cac', 'cac_payback_months') ORDER BY kpi;
ROLLBACK TO before;

-- By purchases alone: customers are who bought, the yearly revenue is that of the
-- last twelve months.
SELECT kpi_unbind('subscription');
SELECT outcome FROM crm.clock, kpi_snapshot('2023-01-01', '2025-08-20', as_of + interval '2 seconds');
SELECT 'by purchases' AS variant, compared = 1932 AS all, known > 800 AS most, different, for_example FROM crm.compare('purchase', NULL);
SELECT kpi_set('margin_default', '37.5') AS margin;
UPDATE crm.sale SET direct_cost = NULL;
SELECT outcome FROM crm.clock, kpi_snapshot('2023-01-01', '2025-08-20', as_of + interval '3 seconds');
SELECT 'by purchases, default margin' AS variant, compared = 1932 AS all, known > 800 AS most, different, for_example FROM crm.compare('purchase', 37.5);

-- What is missing is named, not what an alternative would do without: costs tell no function, sales no account.
CREATE VIEW crm.cost_of_any AS SELECT period_from, amount FROM crm.cost;
CREATE VIEW crm.sale_to_nobody AS SELECT sale_id, sold_at, amount FROM crm.sale;
SELECT count(*) > 0 AS bound FROM kpi_bind('cost', 'crm.cost_of_any');
SELECT outcome FROM crm.clock, kpi_snapshot('2023-01-01', '2025-08-20', as_of + interval '4 seconds');
SELECT kpi, value IS NOT NULL AS known, reason FROM kpi_report('2025-07-01') WHERE kpi IN ('lifetime_value', 'customer_lifetime_value', 'acquisition_cost_of_year') ORDER BY kpi;
SELECT count(*) > 0 AS bound FROM kpi_bind('sale', 'crm.sale_to_nobody');
SELECT outcome FROM crm.clock, kpi_snapshot('2023-01-01', '2025-08-20', as_of + interval '5 seconds');
SELECT kpi, value IS NOT NULL AS known, reason FROM kpi_report('2025-07-01') WHERE kpi IN ('yearly_revenue_per_customer', 'margin_of_year', 'mrr') ORDER BY kpi;
SELECT kpi_unbind('sale');
SELECT outcome FROM crm.clock, kpi_snapshot('2023-01-01', '2025-08-20', as_of + interval '6 seconds');
SELECT kpi, value IS NOT NULL AS known, reason FROM kpi_report('2025-07-01') WHERE kpi = 'yearly_revenue_per_customer';

ROLLBACK;
