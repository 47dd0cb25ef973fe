--
-- Properties of a snapshot on data made up at random: every measure of every
-- period, dimension and member is what plain SQL, written from the definitions
-- and sharing nothing with the snapshot, finds in the same tables.
--
SET search_path = kpi, public;
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'America/New_York';
SET datestyle = 'ISO, YMD';

BEGIN;
CREATE SCHEMA crm;

-- The randomness is that of md5, so that it is the same everywhere.
CREATE FUNCTION crm.h(salt text, n integer, size integer) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN mod(('x' || substr(md5(salt || '/' || n), 1, 7))::bit(28)::integer, size);

CREATE FUNCTION crm.pick(salt text, n integer, VARIADIC choice text[]) RETURNS text LANGUAGE sql IMMUTABLE
RETURN choice[1 + crm.h(salt, n, cardinality(choice))];

CREATE FUNCTION crm.berlin(at timestamp) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN at AT TIME ZONE 'Europe/Berlin';

-- An instant from February 2024 to November 2025: of five, one is the midnight
-- of a month's first and one is the microsecond before it.
CREATE FUNCTION crm.instant(salt text, n integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN crm.berlin(CASE crm.h(salt || 'kind', n, 5)
	WHEN 0 THEN date_trunc('month', timestamp '2024-02-01' + crm.h(salt || 'day', n, 650) * interval '1 day')
	WHEN 1 THEN date_trunc('month', timestamp '2024-02-01' + crm.h(salt || 'day', n, 650) * interval '1 day') - interval '1 microsecond'
	ELSE timestamp '2024-02-01' + crm.h(salt || 'day', n, 650) * interval '1 day'
		+ crm.h(salt || 'second', n, 86400) * interval '1 second' + crm.h(salt || 'us', n, 1000000) * interval '1 microsecond' END);

CREATE TABLE crm.clock AS SELECT timestamptz '2025-08-20 14:37:12+02' AS as_of;

--
-- The CRM.  Ids are integer, bigint, uuid, text and varchar; some columns are
-- days and some instants; every kind of bad row occurs.
--
CREATE TABLE crm.exchange_rate (currency char(3), valid_on date, rate numeric);
INSERT INTO crm.exchange_rate VALUES	-- nothing for GBP; CHF from 2025 on
	('USD', '2023-12-10', 0.91), ('USD', '2024-05-17', 0.925), ('USD', '2024-12-12', 0.9517), ('USD', '2025-04-09', 0.88), ('USD', '2025-08-13', 0.8555),
	('CHF', '2025-01-15', 1.0631), ('CHF', '2025-06-11', 1.07),
	('USD', '2024-08-08', 0), ('CHF', '2024-01-01', 'NaN'), ('SEK', NULL, 0.09);

CREATE TABLE crm.rep (id integer, name text, team text, region text, role text, active_from date, active_to date,
	valid_from timestamptz, valid_to timestamptz);
INSERT INTO crm.rep VALUES
	(1, 'Ada', 'North', 'Nowhere', 'inside', '2023-01-01', NULL, NULL, crm.berlin('2025-02-01')),
	(1, 'Ada', 'South', 'Nowhere', 'inside', '2023-01-01', NULL, crm.berlin('2025-02-01'), NULL),
	(2, 'Bob', 'North', 'Nowhere', 'field', '2024-03-11', NULL, NULL, crm.berlin('2024-11-10 12:00')),
	(2, 'Bob', '', 'Nowhere', 'field', '2024-03-11', NULL, crm.berlin('2024-11-10 12:00'), NULL),
	(3, 'Cem', 'South', 'Nowhere', 'field', '2024-06-15', '2025-07-01', NULL, NULL),
	(4, 'Dee', 'South+East', 'Nowhere', '', '2020-01-01', '2025-08-20', NULL, NULL),
	(5, 'Eve', NULL, 'Nowhere', NULL, NULL, NULL, NULL, NULL),
	(6, 'Fay', 'North', 'Nowhere', 'inside', '2025-08-19', '2026-01-01', NULL, NULL),
	(7, 'Gus', 'Late', 'Nowhere', 'inside', '2025-01-01', '2024-01-01', NULL, NULL),
	(NULL, 'Nil', 'Late', 'Nowhere', 'inside', '2025-01-01', NULL, NULL, NULL);

CREATE TABLE crm.account (id uuid, name text, segment text, region text, channel text, campaign text, valid_from timestamptz, valid_to timestamptz, created_at date);
INSERT INTO crm.account
SELECT md5('account' || n)::uuid, 'Account ' || n, crm.pick('seg' || v, n, 'SMB', 'Enterprise', '', NULL),
	crm.pick('areg' || v, n, 'North', 'South', 'West+', '', NULL), crm.pick('acha' || v, n, 'Web', 'Fair', NULL),
	crm.pick('acam' || v, n, 'Spring', 'Autumn', NULL, ''),
	CASE v WHEN 2 THEN since END, CASE v WHEN 1 THEN since END, (crm.instant('acre', n) AT TIME ZONE 'Europe/Berlin')::date
FROM generate_series(1, 24) n,
	LATERAL (SELECT crm.berlin(CASE crm.h('since', n, 2) WHEN 0 THEN timestamp '2025-03-01' ELSE '2024-10-15 09:30' END) AS since) s,
	generate_series(1, 2) v
WHERE n % 3 = 0
UNION ALL
SELECT md5('account' || n)::uuid, 'Account ' || n, crm.pick('seg', n, 'SMB', 'Enterprise', '', NULL),
	crm.pick('areg', n, 'North', 'South', 'West+', '', NULL), crm.pick('acha', n, 'Web', 'Fair', NULL),
	crm.pick('acam', n, 'Spring', 'Autumn', NULL, ''), NULL, NULL,
	CASE WHEN n % 5 > 0 THEN (crm.instant('acre', n) AT TIME ZONE 'Europe/Berlin')::date END
FROM generate_series(1, 24) n WHERE n % 3 > 0;
INSERT INTO crm.account VALUES
	(NULL, 'Nobody', 'SMB', 'North', 'Web', 'Spring', NULL, NULL, '2024-01-01'),
	(md5('backwards')::uuid, 'Backwards', 'SMB', 'North', 'Web', 'Spring', '2025-02-01', '2025-01-01', '2024-01-01');
-- Rows of one account that say different things of the same time.
INSERT INTO crm.account
SELECT md5('twice' || n / 3)::uuid, 'Twice ' || n, crm.pick('tseg', n, 'SMB', 'Enterprise'), crm.pick('treg', n, 'North', 'South', NULL), crm.pick('tcha', n, 'Web', 'Fair'), NULL,
	CASE WHEN n % 4 > 0 THEN least(a, b) END, CASE WHEN n % 5 > 0 THEN greatest(a, b) END, CASE n % 2 WHEN 0 THEN (crm.instant('tcre', n / 3) AT TIME ZONE 'Europe/Berlin')::date END
FROM generate_series(1, 30) n, LATERAL (SELECT crm.instant('ta', n) AS a, crm.instant('tb', n) AS b) i;

CREATE TABLE crm.stage (name text, "position" integer, probability numeric, is_won boolean, is_lost boolean);
INSERT INTO crm.stage VALUES ('New', 1, 0.1, false, false), ('Demo+Trial', 2, 0.4, NULL, NULL), ('Offer', 3, NULL, false, false),
	('Late', 4, 1.3, false, false), ('Won', 5, 1, true, false), ('Lost', 6, 0, false, true);

CREATE TABLE crm.lead (id bigint, created_at timestamptz, qualified_at timestamptz, converted_at date, rep_id smallint,
	region text, channel text, campaign text, account_id uuid, first_response_at timestamptz);
INSERT INTO crm.lead
SELECT CASE WHEN n <> 7 THEN 5000000000 + n END, CASE WHEN n <> 8 THEN at END,
	CASE WHEN n = 9 THEN at - interval '1 second' WHEN crm.h('lq', n, 3) = 0 AND at + interval '9 days' < as_of THEN at + interval '9 days' END,
	CASE WHEN n IN (10, 11) THEN (at AT TIME ZONE 'Europe/Berlin')::date - 1
		 WHEN crm.h('lc', n, 4) = 0 AND at + interval '60 days' < as_of THEN (at AT TIME ZONE 'Europe/Berlin')::date + crm.h('lcd', n, 3) * 29 END,
	crm.h('lr', n, 9), crm.pick('lreg', n, 'North', 'East', '', NULL), crm.pick('lcha', n, 'Web', '', NULL),
	crm.pick('lcam', n, 'Spring', NULL), md5('account' || crm.h('la', n, 30))::uuid,
	CASE WHEN crm.h('lf', n, 4) > 0 THEN at + crm.h('lfm', n, 200) * interval '7 minutes' END
FROM crm.clock, generate_series(1, 240) n, LATERAL (SELECT crm.instant('lead', n) AS at) l;

CREATE TABLE crm.opportunity (id text, name text, status text, created_at timestamptz, closed_at timestamptz, amount numeric, currency text,
	probability numeric, stage text, expected_close date, first_contact_at date, lead_id bigint, account_id uuid, rep_id bigint,
	region text, product text, channel text, campaign text);
INSERT INTO crm.opportunity
SELECT CASE WHEN n <> 3 THEN 'O-' || n END, 'Deal ' || n,
	CASE WHEN n = 4 THEN 'pending' WHEN n = 5 THEN NULL WHEN closed < as_of THEN CASE WHEN crm.h('os', n, 5) < 3 THEN 'won' ELSE 'lost' END ELSE 'open' END,
	CASE WHEN n % 37 <> 0 THEN at END,
	CASE WHEN n = 6 THEN at - interval '2 days' WHEN closed < as_of AND n NOT IN (4, 5) AND n % 41 <> 0 THEN closed END,
	CASE n WHEN 7 THEN 'NaN' WHEN 8 THEN 'Infinity' ELSE nullif(crm.h('oa', n, 40), 0) * 250.25 END,
	crm.pick('ocu', n, NULL, NULL, NULL, 'EUR', 'USD', 'CHF', 'GBP'),
	CASE WHEN n % 29 = 0 THEN 1.3 ELSE crm.pick('op', n, NULL, '0.25', '0.8', '0')::numeric END,
	crm.pick('ost', n, 'New', 'Demo+Trial', 'Offer', 'Late', '', NULL, 'Unheard of'),
	CASE WHEN n % 11 > 0 THEN (at AT TIME ZONE 'Europe/Berlin')::date + crm.h('oe', n, 400) END,
	CASE WHEN n = 12 THEN date '2025-08-01' WHEN n % 4 = 0 THEN (at AT TIME ZONE 'Europe/Berlin')::date - crm.h('of', n, 30) END,
	CASE WHEN n % 3 = 0 THEN 5000000000 + crm.h('ol', n, 260) END, md5('account' || crm.h('oac', n, 30))::uuid, crm.h('or', n, 9),
	crm.pick('oreg', n, 'North', 'East', '', NULL, NULL), crm.pick('opro', n, 'Alpha', 'Beta+', '', NULL),
	crm.pick('ocha', n, 'Web', 'Phone', NULL, NULL), crm.pick('ocam', n, 'Spring', NULL, NULL)
FROM crm.clock, generate_series(1, 260) n,
	LATERAL (SELECT crm.instant('opp', n) AS at) a,
	LATERAL (SELECT CASE crm.h('oc', n, 6) WHEN 0 THEN date_trunc('month', at, 'Europe/Berlin') + interval '92 days' ELSE at + crm.h('od', n, 300) * interval '1 day 1 minute' END AS closed) c;

CREATE TABLE crm.opportunity_history (opportunity_id text, valid_from timestamptz, valid_to timestamptz, stage text, status text,
	amount numeric, probability numeric, rep_id integer);
INSERT INTO crm.opportunity_history
SELECT 'O-' || n, since + k * (interval '20 days' + crm.h('hs', n, 50) * interval '1 day'),
	CASE WHEN k < last THEN since + (k + 1) * (interval '20 days' + crm.h('hs', n, 50) * interval '1 day') END,
	CASE WHEN k = last AND last > 1 AND o.status IN ('won', 'lost') THEN initcap(o.status) ELSE crm.pick('hst', 10 * n + k, 'New', 'Demo+Trial', 'Offer', 'Late', 'Unheard of') END,
	CASE WHEN k = last AND crm.h('hstatus', n, 7) = 0 THEN o.status WHEN k < last AND crm.h('hstatus', n, 5) = 0 THEN 'open' END,
	CASE WHEN crm.h('ha', 10 * n + k, 3) > 0 THEN crm.h('hamount', 10 * n + k, 50) * 100.01 END,
	crm.pick('hp', 10 * n + k, NULL, NULL, '0.3', '0.65', '1.01')::numeric,
	CASE WHEN crm.h('hr', 10 * n + k, 2) = 0 THEN crm.h('hrep', 10 * n + k, 8) END
FROM crm.opportunity o, LATERAL (SELECT substr(id, 3)::integer AS n) i,
	LATERAL (SELECT crm.h('hn', n, 4) AS last, coalesce(o.created_at, '2024-03-03 10:00+01') AS since) l,
	LATERAL generate_series(0, last) k
WHERE n NOT IN (4, 5) AND n % 41 > 0 AND n % 29 > 0;
INSERT INTO crm.opportunity_history VALUES
	(NULL, '2025-01-01', NULL, 'New', NULL, 1, NULL, 1), ('O-1', NULL, NULL, 'New', NULL, 1, NULL, 1),
	('O-1', '2025-03-01', '2025-02-01', 'New', NULL, 1, NULL, 1), ('O-9999', '2025-01-01', NULL, 'New', NULL, 1, NULL, 1),
	('O-1', '2025-03-01', NULL, 'New', 'odd', 1, NULL, 1), ('O-1', '2025-03-01', NULL, 'New', NULL, '-Infinity', NULL, 1);

CREATE TABLE crm.sale (sale_id varchar(20), line_id bigint, sold_at date, amount numeric(20,4), direct_cost numeric, currency text,
	account_id uuid, opportunity_id text, rep_id integer, region text, product text, channel text, campaign text);
ALTER TABLE crm.sale ALTER amount TYPE numeric;
INSERT INTO crm.sale
SELECT CASE WHEN n <> 3 THEN 'S' || n / 3 END, n, CASE WHEN n <> 4 THEN (crm.instant('sale', n / 2) AT TIME ZONE 'Europe/Berlin')::date END,
	CASE n WHEN 5 THEN NULL WHEN 6 THEN 'NaN' WHEN 7 THEN '-Infinity' ELSE (crm.h('sa', n, 1000) - 200) * 3.7 END,
	CASE WHEN n IN (8, 9) THEN 'NaN' WHEN crm.h('sc', n, 3) > 0 THEN crm.h('scost', n, 500) * 2.345 END,
	crm.pick('scur', n, NULL, NULL, NULL, NULL, 'EUR', 'USD', 'USD', 'CHF', 'GBP'),
	CASE WHEN crm.h('sacc', n, 4) > 0 THEN md5('account' || crm.h('saccount', n / 3, 30))::uuid END,
	CASE WHEN crm.h('so', n, 2) > 0 THEN 'O-' || crm.h('sopp', n / 3, 270) END, CASE WHEN crm.h('sr', n, 4) > 0 THEN crm.h('srep', n, 8) END,
	crm.pick('sreg', n, 'North', 'East', '', NULL, NULL, NULL), crm.pick('spro', n, 'Alpha', 'Beta+', '', NULL),
	crm.pick('scha', n, 'Web', NULL, NULL), crm.pick('scam', n, 'Spring', NULL, '')
FROM generate_series(1, 900) n;

CREATE TABLE crm.quote (id integer, sent_at timestamptz, decided_at timestamptz, status text, opportunity_id text, amount double precision,
	currency text, rep_id integer, region text, product text);
INSERT INTO crm.quote
SELECT CASE WHEN n <> 3 THEN n END, CASE WHEN n NOT IN (4, 5) AND (status <> 'draft' OR n % 2 = 0) THEN at END,
	CASE WHEN n = 6 THEN at - interval '1 day' WHEN n <> 7 AND status IN ('accepted', 'rejected', 'expired') THEN decided END,
	CASE n WHEN 8 THEN 'void' WHEN 9 THEN NULL ELSE status END, CASE WHEN crm.h('qo', n, 6) > 0 THEN 'O-' || crm.h('qopp', n, 150) END,
	CASE n WHEN 10 THEN 'NaN' ELSE (crm.h('qa', n, 5000) / 10.0)::double precision END, crm.pick('qcu', n, NULL, NULL, NULL, 'USD', 'CHF', 'GBP'),
	CASE WHEN crm.h('qr', n, 3) > 0 THEN crm.h('qrep', n, 8) END, crm.pick('qreg', n, 'North', '', NULL), crm.pick('qpro', n, 'Alpha', NULL)
FROM crm.clock, generate_series(1, 260) n, LATERAL (SELECT crm.instant('quote', n) AS at) a,
	LATERAL (SELECT CASE crm.h('qd', n, 4) WHEN 0 THEN date_trunc('month', at, 'Europe/Berlin') + interval '31 days' ELSE at + crm.h('qdays', n, 90) * interval '1 day' END AS decided) d,
	LATERAL (SELECT CASE WHEN n IN (4, 6, 7) THEN 'accepted' WHEN decided < as_of AND decided >= at THEN crm.pick('qs', n, 'draft', 'accepted', 'rejected', 'expired') ELSE crm.pick('qs', n, 'draft', 'sent', 'sent', 'sent') END AS status) s;

CREATE TABLE crm.activity (id bigint, happened_at timestamptz, kind text, booked_at date, status text, direction text, delivered boolean,
	replied_at timestamptz, rep_id integer, contact_id uuid, account_id uuid, lead_id bigint, opportunity_id text, region text, channel text, campaign text);
INSERT INTO crm.activity
SELECT n, CASE WHEN n <> 3 THEN at END, CASE n WHEN 4 THEN 'fax' WHEN 5 THEN NULL ELSE crm.pick('ak', n, 'call', 'email', 'email', 'linkedin', 'demo', 'onboarding', 'meeting', 'trial', 'other') END,
	CASE WHEN n % 3 = 0 THEN (at AT TIME ZONE 'Europe/Berlin')::date - crm.h('ab', n, 30) END,
	CASE n WHEN 6 THEN 'maybe' ELSE CASE WHEN at >= as_of THEN 'planned' ELSE crm.pick('as', n, NULL, 'done', 'done', 'no_show', 'cancelled') END END,
	CASE n WHEN 7 THEN 'up' ELSE crm.pick('ad', n, NULL, 'out', 'out', 'in') END, crm.pick('adel', n, NULL, 'true', 'true', 'false')::boolean,
	CASE WHEN at + interval '3 days' < as_of AND crm.h('arep', n, 4) = 0 THEN at + interval '3 days' END,
	CASE WHEN crm.h('ar', n, 8) > 0 THEN crm.h('arepid', n, 8) END, CASE WHEN crm.h('ac', n, 9) > 0 THEN md5('contact' || crm.h('acontact', n, 150))::uuid END,
	CASE WHEN crm.h('aa', n, 2) = 0 THEN md5('account' || crm.h('aaccount', n, 30))::uuid END, 5000000000 + crm.h('al', n, 250),
	CASE WHEN crm.h('ao', n, 3) > 0 THEN 'O-' || crm.h('aopp', n, 270) END, crm.pick('areg', n, 'North', '', NULL), crm.pick('acha', n, 'Web', NULL), crm.pick('acam', n, 'Autumn', NULL)
FROM crm.clock, generate_series(1, 900) n, LATERAL (SELECT crm.instant('act', n) AS at) a;

ANALYZE crm.sale, crm.lead, crm.opportunity, crm.opportunity_history, crm.quote, crm.activity, crm.account, crm.rep, crm.exchange_rate;
SELECT kpi_set('time_zone', 'Europe/Berlin') || ' ' || kpi_set('currency', 'EUR') AS settings;
SELECT count(*) AS sources_bound
FROM unnest('{sale,opportunity,opportunity_history,lead,quote,activity,rep,account,stage,exchange_rate}'::text[]) s
WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.' || s)::regclass));

SELECT outcome, periods, facts > 1000 AS many_facts, changed = facts AS all_new
FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of);

--
-- What the definitions say, in plain SQL.  Periods first, by hand: it is 20
-- August 2025, so 19 whole days of August lie behind, 50 of the quarter, and
-- 231 of the year.
--
CREATE TABLE crm.period (grain text, period date, period_end date, is_complete boolean, days integer);
INSERT INTO crm.period
SELECT 'month', d, d + interval '1 month', d < '2025-08-01', CASE WHEN d < '2025-08-01' THEN (d + interval '1 month')::date - d::date ELSE 20 END
FROM generate_series(timestamp '2024-04-01', '2025-08-01', '1 month') d;
INSERT INTO crm.period
SELECT 'quarter', d, d + interval '3 months', d < '2025-07-01', CASE WHEN d < '2025-07-01' THEN (d + interval '3 months')::date - d::date ELSE 51 END
FROM generate_series(timestamp '2024-04-01', '2025-07-01', '3 months') d;
INSERT INTO crm.period VALUES
	('year', '2024-01-01', '2025-01-01', true, 366), ('year', '2025-01-01', '2026-01-01', false, 232),
	('month_cut', '2025-07-01', '2025-07-20', true, 19), ('month_cut', '2024-08-01', '2024-08-20', true, 19),
	('quarter_cut', '2025-04-01', '2025-05-21', true, 50), ('quarter_cut', '2024-07-01', '2024-08-20', true, 50),
	('year_cut', '2024-01-01', '2024-08-19', true, 231);

-- Over which dimensions each measure is known, from the columns of the contract.
CREATE FUNCTION crm.applies(measure text, dimension text) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN measure LIKE 'mrr%' OR measure LIKE '%cost' AND measure NOT IN ('direct_cost', 'revenue_with_cost') THEN false	-- sources not bound here
	WHEN measure = 'accounts' THEN dimension IN ('total', 'region', 'channel', 'campaign', 'segment')
	WHEN measure = 'rep_days' THEN dimension IN ('total', 'rep', 'team')
	WHEN dimension = 'cohort' THEN measure IN ('revenue', 'revenue_to_date', 'direct_cost', 'revenue_with_cost', 'sale_lines', 'purchases', 'first_buyers') OR measure LIKE '%customers%'
	WHEN measure IN ('leads', 'lead_responses', 'leads_qualified', 'leads_converted', 'conversions')
		THEN dimension IN ('total', 'rep', 'team', 'region', 'channel', 'campaign', 'segment')
	WHEN measure IN ('open_opportunities', 'open_at_start', 'pipeline_value', 'weighted_pipeline', 'unweighted_opportunities', 'closing_opportunities', 'pipeline_closing', 'weighted_closing',
			'stage_entries', 'stage_advances', 'stage_stays')
		THEN dimension IN ('total', 'rep', 'team', 'region', 'product', 'channel', 'campaign', 'segment', 'stage', 'rep+stage', 'team+stage', 'region+stage', 'region+product')
	WHEN measure IN ('calls', 'emails', 'meetings', 'linkedin_messages', 'demos', 'onboardings', 'no_shows', 'trials_started', 'calls_booked', 'contacts_messaged', 'contacts_replied')
		THEN dimension IN ('total', 'rep', 'team', 'region', 'product', 'channel', 'campaign', 'segment', 'kind', 'rep+kind', 'region+product')
	ELSE dimension IN ('total', 'rep', 'team', 'region', 'product', 'channel', 'campaign', 'segment', 'region+product') END;

-- The rate of a day, or at a boundary; the reporting currency is worth itself.
CREATE FUNCTION crm.rate(of text, at timestamptz) RETURNS numeric LANGUAGE sql STABLE
RETURN CASE WHEN coalesce(of, 'EUR') = 'EUR' THEN 1 ELSE (
	SELECT rate FROM crm.exchange_rate
	WHERE currency = of AND rate > 0 AND rate < 'Infinity' AND crm.berlin(valid_on) <= at
	ORDER BY valid_on DESC LIMIT 1) END;

-- Who and where, as it was: the row's own, else its opportunity's, else that of
-- its account or rep at the moment in question.  An event finds the version
-- valid from that instant on, a boundary the one that holds until then.
CREATE FUNCTION crm.belongs(opp text, rep text, account text, region text, product text, channel text, campaign text, at timestamptz, boundary boolean DEFAULT false,
	OUT r text, OUT team text, OUT reg text, OUT prod text, OUT cha text, OUT cam text, OUT segment text) LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT w.r, p.team, coalesce(w.reg, nullif(a.region, '')), w.prod, coalesce(w.cha, nullif(a.channel, '')), coalesce(w.cam, nullif(a.campaign, '')), a.segment
	FROM (SELECT) one LEFT JOIN crm.opportunity o ON o.id = opp
	CROSS JOIN LATERAL (SELECT coalesce(rep, o.rep_id::text) AS r, coalesce(account, o.account_id::text) AS acc,
		coalesce(nullif(belongs.region, ''), nullif(o.region, '')) AS reg, coalesce(nullif(belongs.product, ''), nullif(o.product, '')) AS prod,
		coalesce(nullif(belongs.channel, ''), nullif(o.channel, '')) AS cha, coalesce(nullif(belongs.campaign, ''), nullif(o.campaign, '')) AS cam) w
	LEFT JOIN crm.account a ON a.id::text = w.acc
		AND CASE WHEN boundary THEN coalesce(a.valid_from < at, true) AND coalesce(a.valid_to >= at, true)
				 ELSE coalesce(a.valid_from <= at, true) AND coalesce(a.valid_to > at, true) END
	LEFT JOIN crm.rep p ON p.id::text = w.r
		AND CASE WHEN boundary THEN coalesce(p.valid_from < at, true) AND coalesce(p.valid_to >= at, true)
				 ELSE coalesce(p.valid_from <= at, true) AND coalesce(p.valid_to > at, true) END;
END;

-- What happened, one line per measure and row: a value to add, or a key to count once.
CREATE TABLE crm.event (measure text, at timestamptz, value numeric, key text, flag boolean,
	r text, team text, reg text, prod text, cha text, cam text, segment text, stage text, kind text, cohort text, until timestamptz);

-- An account came in the month in which it first bought.
CREATE VIEW crm.good_sale AS
SELECT *, coalesce(account_id, (SELECT o.account_id FROM crm.opportunity o WHERE o.id = opportunity_id))::text AS account
FROM (SELECT *, crm.berlin(sold_at) AS at FROM crm.sale) s, LATERAL (SELECT crm.rate(currency, at) AS rate) x
WHERE sale_id IS NOT NULL AND sold_at IS NOT NULL AND amount NOT IN ('NaN', 'Infinity', '-Infinity') AND rate IS NOT NULL;
CREATE TABLE crm.came AS
SELECT account, to_char(min(sold_at), 'YYYY-MM') || '-01' AS cohort FROM crm.clock, crm.good_sale WHERE amount > 0 AND account <> '' AND at < as_of GROUP BY account;
CREATE INDEX ON crm.came (account);

INSERT INTO crm.event
SELECT m.measure, at, m.value, m.key, NULL, b.*, NULL, NULL, (SELECT cohort FROM crm.came c WHERE c.account = s.account)
FROM crm.good_sale s,
	LATERAL crm.belongs(opportunity_id, rep_id::text, account_id::text, region, product, channel, campaign, at) b,
	LATERAL (SELECT CASE WHEN direct_cost NOT IN ('NaN', 'Infinity', '-Infinity') THEN direct_cost END AS cost) c,
	LATERAL (VALUES ('revenue', amount * rate, NULL), ('direct_cost', cost * rate, NULL), ('revenue_with_cost', CASE WHEN cost IS NOT NULL THEN amount * rate END, NULL),
		('sale_lines', 1, NULL), ('purchases', NULL, CASE WHEN amount > 0 THEN sale_id END), ('buying_customers', NULL, CASE WHEN amount > 0 THEN account END),
		('revenue_to_date', amount * rate, NULL), ('customers_to_date', NULL, CASE WHEN amount > 0 THEN account END), ('first_buyers', NULL, CASE WHEN amount > 0 THEN account END)) m(measure, value, key);

-- Who bought is a customer until 365 days later, one of the last twelve months until a
-- year later, and meanwhile wherever the versions of the account and of the rep say.
INSERT INTO crm.event
SELECT l.measure, c.since, NULL, account, NULL, b.*, NULL, NULL, (SELECT cohort FROM crm.came c WHERE c.account = s.account), c.until
FROM crm.good_sale s,
	LATERAL crm.belongs(opportunity_id, rep_id::text, account_id::text, NULL, NULL, NULL, NULL, at) w,
	LATERAL (VALUES ('customers_held', interval '365 days'), ('customers_of_year_held', '1 year')) l(measure, lasts),
	LATERAL (SELECT (at AT TIME ZONE 'Europe/Berlin' + lasts) AT TIME ZONE 'Europe/Berlin' AS ends) e,
	LATERAL (SELECT c AS since, lead(c, 1, ends) OVER (ORDER BY c) AS until
		FROM (SELECT at AS c UNION SELECT unnest(ARRAY[valid_from, valid_to]) FROM crm.account WHERE id::text = account
			  UNION SELECT unnest(ARRAY[valid_from, valid_to]) FROM crm.rep WHERE id::text = w.r) cuts WHERE c >= at AND c < ends) c,
	LATERAL crm.belongs(opportunity_id, rep_id::text, account_id::text, region, product, channel, campaign, since) b
WHERE amount > 0 AND account <> '';

CREATE VIEW crm.good_deal AS
SELECT * FROM crm.opportunity
WHERE id IS NOT NULL AND status IN ('open', 'won', 'lost') AND (amount IS NULL OR amount NOT IN ('NaN', 'Infinity', '-Infinity'));

INSERT INTO crm.event
SELECT m.measure, m.at, m.value, NULL, NULL, b.*, NULL, NULL
FROM crm.good_deal o,
	LATERAL (VALUES ('opportunities', created_at, 1), ('opportunities_value', created_at, coalesce(amount, 0) * crm.rate(currency, created_at)),
		('won_deals', CASE WHEN status = 'won' THEN closed_at END, 1), ('won_value', CASE WHEN status = 'won' THEN closed_at END, coalesce(amount, 0) * crm.rate(currency, closed_at)),
		('lost_deals', CASE WHEN status = 'lost' THEN closed_at END, 1), ('lost_value', CASE WHEN status = 'lost' THEN closed_at END, coalesce(amount, 0) * crm.rate(currency, closed_at)),
		('sales_cycle', CASE WHEN status = 'won' THEN closed_at END,
			CASE WHEN first_contact_at IS NOT NULL THEN ((closed_at AT TIME ZONE 'Europe/Berlin')::date - first_contact_at) * 86400000000
				 ELSE extract(epoch FROM closed_at - coalesce((SELECT l.created_at FROM crm.lead l WHERE l.id = lead_id), created_at)) * 1000000 END)) m(measure, at, value),
	LATERAL crm.belongs(NULL, rep_id::text, account_id::text, region, product, channel, campaign, m.at) b
WHERE m.at IS NOT NULL AND crm.rate(currency, m.at) IS NOT NULL AND NOT (m.measure = 'sales_cycle' AND coalesce(m.value, -1) < 0);

-- A lead's first won deal makes it a customer when it says nothing itself.  The
-- day of a conversion is not before the lead was created on that day.
INSERT INTO crm.event
SELECT m.measure, m.at, coalesce(m.took, 1), NULL, NULL, b.*, NULL, NULL
FROM crm.clock, crm.lead l,
	LATERAL (SELECT coalesce(crm.berlin(converted_at), (SELECT min(closed_at) FROM crm.opportunity WHERE status = 'won' AND lead_id = l.id)) AS won_at) w,
	LATERAL (VALUES ('leads', created_at, NULL::numeric), ('leads_qualified', CASE WHEN qualified_at IS NOT NULL THEN created_at END, NULL),
		('leads_converted', CASE WHEN converted_at >= (created_at AT TIME ZONE 'Europe/Berlin')::date OR converted_at IS NULL AND won_at >= created_at THEN created_at END, NULL),
		('lead_responses', CASE WHEN first_response_at < as_of THEN created_at END, extract(epoch FROM first_response_at - created_at) * 1000000),
		('conversions', CASE WHEN converted_at >= (created_at AT TIME ZONE 'Europe/Berlin')::date OR converted_at IS NULL AND won_at >= created_at THEN won_at END, NULL)) m(measure, at, took),
	LATERAL crm.belongs(NULL, rep_id::text, account_id::text, region, NULL, channel, campaign, m.at) b
WHERE l.id IS NOT NULL AND created_at IS NOT NULL AND m.at IS NOT NULL;

-- The way through the stages: a deal comes to a stage when it is there, when it
-- is further, or when it is won.
CREATE VIEW crm.walk AS
SELECT h.opportunity_id, h.valid_from, coalesce(h.valid_to, 'infinity') AS valid_to, h.stage, h.rep_id::text AS rep, s."position" AS level,
	CASE WHEN h.status IS NOT NULL THEN h.status WHEN s.is_won THEN 'won' WHEN s.is_lost THEN 'lost' ELSE 'open' END AS outcome
FROM crm.clock, crm.opportunity_history h LEFT JOIN crm.stage s ON s.name = h.stage
WHERE h.opportunity_id IN (SELECT id FROM crm.opportunity) AND h.valid_from < as_of AND (h.valid_to < h.valid_from) IS NOT TRUE AND coalesce(h.status, 'open') IN ('open', 'won', 'lost');

CREATE TABLE crm.reached AS
SELECT opportunity_id AS id, valid_from AS at, rep, CASE outcome WHEN 'open' THEN stage END AS stage, CASE outcome WHEN 'won' THEN 99 ELSE level END AS level FROM crm.walk WHERE outcome <> 'lost'
UNION ALL
SELECT id, closed_at, NULL, NULL, 99 FROM crm.clock, crm.opportunity WHERE status = 'won' AND closed_at < as_of AND id IN (SELECT opportunity_id FROM crm.walk);

INSERT INTO crm.event
SELECT m.measure, e.at, 1, NULL, NULL, b.*, e.name, NULL
FROM (SELECT DISTINCT ON (r.id, s.name) r.id, s.name, r.at, r.rep, EXISTS (SELECT FROM crm.reached l WHERE l.id = r.id AND (l.level > s.level OR l.level = 99)) AS advanced
	  FROM crm.reached r JOIN (SELECT name, "position" AS level FROM crm.stage WHERE (is_won OR is_lost) IS NOT TRUE UNION ALL VALUES ('Unheard of', NULL::integer)) s ON r.stage = s.name OR r.level > s.level
	  ORDER BY r.id, s.name, r.at) e,
	LATERAL crm.belongs(e.id, e.rep, NULL, NULL, NULL, NULL, NULL, e.at) b,
	LATERAL (VALUES ('stage_entries', true), ('stage_advances', advanced)) m(measure, counts)
WHERE m.counts;

INSERT INTO crm.event
SELECT 'stage_stays', least(upper(stay), closed_at), extract(epoch FROM least(upper(stay), closed_at) - lower(stay)) * 1000000, NULL, NULL, b.*, stage, NULL
FROM (SELECT opportunity_id AS id, stage, unnest(range_agg(tstzrange(valid_from, valid_to))) AS stay FROM crm.walk WHERE outcome = 'open' GROUP BY 1, 2) s
JOIN (SELECT id, CASE WHEN status <> 'open' THEN closed_at END AS closed_at FROM crm.opportunity) o USING (id),
	LATERAL crm.belongs(id, (SELECT rep FROM crm.walk w WHERE w.opportunity_id = id AND w.stage = s.stage AND w.valid_to = upper(stay)), NULL, NULL, NULL, NULL, NULL, least(upper(stay), closed_at)) b
WHERE least(upper(stay), closed_at) < 'infinity' AND least(upper(stay), closed_at) >= lower(stay);

-- Floating point is taken at its shortest text.
CREATE VIEW crm.good_quote AS
SELECT q.*, q.amount::text::numeric AS money FROM crm.quote q
WHERE id IS NOT NULL AND coalesce(status, 'sent') IN ('draft', 'sent', 'accepted', 'rejected', 'expired') AND amount <> 'NaN';

INSERT INTO crm.event
SELECT m.measure, sent_at, m.value, m.key, m.flag, b.*, NULL, NULL
FROM crm.good_quote q, LATERAL (SELECT crm.rate(currency, sent_at) AS rate) x,
	LATERAL crm.belongs(opportunity_id, rep_id::text, NULL, region, product, NULL, NULL, sent_at) b,
	LATERAL (SELECT EXISTS (SELECT FROM crm.opportunity o WHERE o.id = opportunity_id AND o.status = 'won') AS won) w,
	LATERAL (VALUES ('quotes_sent', 1, NULL, NULL), ('quoted_value', money * rate, NULL, NULL), ('deals_quoted', NULL, opportunity_id, NULL), ('deals_quoted_won', NULL, opportunity_id, won)) m(measure, value, key, flag)
WHERE sent_at IS NOT NULL AND status IS DISTINCT FROM 'draft' AND rate IS NOT NULL;

INSERT INTO crm.event
SELECT m.measure, m.at, m.value, m.key, m.flag, b.*, NULL, kind
FROM (SELECT * FROM crm.activity
	  WHERE kind IN ('call', 'email', 'demo', 'onboarding', 'meeting', 'linkedin', 'trial', 'other') AND coalesce(status, 'done') IN ('planned', 'done', 'no_show', 'cancelled') AND coalesce(direction, 'out') IN ('in', 'out')) a,
	LATERAL (SELECT coalesce(status, 'done') = 'done' AS done, coalesce(direction, 'out') = 'out' AS outbound) d,
	LATERAL (SELECT kind IN ('call', 'email', 'linkedin') AND done AND outbound AND delivered IS NOT FALSE AND contact_id IS NOT NULL AS reached) c,
	LATERAL (VALUES ('calls', happened_at, kind = 'call' AND done AND outbound, 1, NULL, NULL), ('emails', happened_at, kind = 'email' AND done AND outbound, 1, NULL, NULL),
		('linkedin_messages', happened_at, kind = 'linkedin' AND done AND outbound, 1, NULL, NULL), ('meetings', happened_at, kind = 'meeting' AND done, 1, NULL, NULL),
		('demos', happened_at, kind = 'demo' AND done, 1, NULL, NULL), ('onboardings', happened_at, kind = 'onboarding' AND done, 1, NULL, NULL), ('trials_started', happened_at, kind = 'trial' AND done, 1, NULL, NULL),
		('no_shows', happened_at, kind IN ('demo', 'onboarding') AND status = 'no_show', 1, NULL, NULL), ('calls_booked', crm.berlin(booked_at), kind IN ('demo', 'onboarding'), 1, NULL, NULL),
		('contacts_messaged', happened_at, reached, NULL, contact_id::text, NULL), ('contacts_replied', happened_at, reached, NULL, contact_id::text, replied_at IS NOT NULL)) m(measure, at, counts, value, key, flag),
	LATERAL crm.belongs(opportunity_id, rep_id::text, account_id::text, region, NULL, channel, campaign, m.at) b
WHERE m.counts AND m.at IS NOT NULL;

-- What stood at each boundary: at the end of a period, and now in a running one.
CREATE TABLE crm.stand (LIKE crm.event);

CREATE VIEW crm.boundary AS
SELECT least(crm.berlin(period_end), as_of) AS at FROM crm.period, crm.clock UNION SELECT crm.berlin(period) FROM crm.period;

INSERT INTO crm.stand
SELECT m.measure, t.at, m.value, NULL, NULL, b.*, h.stage, NULL
FROM crm.opportunity_history h JOIN crm.opportunity o ON o.id = h.opportunity_id LEFT JOIN crm.stage s ON s.name = h.stage,
	crm.boundary t,
	LATERAL (SELECT least(h.valid_to, CASE WHEN o.status <> 'open' THEN o.closed_at END) AS valid_to) v,
	LATERAL (SELECT crm.rate(o.currency, t.at) AS rate) x,
	LATERAL (SELECT CASE WHEN h.probability IS NOT NULL THEN h.probability WHEN h.valid_to IS NOT NULL THEN s.probability
		WHEN o.status = 'open' THEN coalesce(o.probability, s.probability)
		ELSE coalesce(CASE WHEN s.probability BETWEEN 0 AND 1 THEN s.probability END, o.probability) END AS p) p,	-- a closed deal's own is its outcome
	LATERAL (SELECT coalesce(h.amount, CASE WHEN o.amount NOT IN ('NaN', 'Infinity', '-Infinity') THEN o.amount END, 0) * rate AS money, CASE WHEN p BETWEEN 0 AND 1 THEN p END AS likely) y,
	LATERAL crm.belongs(o.id, h.rep_id::text, NULL, NULL, NULL, NULL, NULL, t.at, true) b,
	LATERAL (VALUES ('open_opportunities', 1), ('open_at_start', 1), ('pipeline_value', money), ('weighted_pipeline', money * likely), ('unweighted_opportunities', CASE WHEN likely IS NULL THEN 1 END)) m(measure, value)
WHERE h.valid_from < t.at AND (v.valid_to IS NULL OR v.valid_to >= t.at) AND (h.valid_to < h.valid_from) IS NOT TRUE
	AND CASE WHEN h.status IS NULL THEN (s.is_won OR s.is_lost) IS NOT TRUE ELSE h.status = 'open' END
	AND coalesce(h.amount, 0) NOT IN ('NaN', 'Infinity', '-Infinity') AND rate IS NOT NULL;

INSERT INTO crm.stand
SELECT m.measure, t.at, m.value, NULL, NULL, b.*, NULL, NULL
FROM crm.good_quote q, crm.boundary t, LATERAL (SELECT crm.rate(currency, t.at) AS rate) x,
	LATERAL crm.belongs(opportunity_id, rep_id::text, NULL, region, product, NULL, NULL, t.at, true) b,
	LATERAL (VALUES ('open_quotes', 1), ('open_quotes_value', money * rate)) m(measure, value)
WHERE sent_at < t.at AND (decided_at IS NULL OR decided_at >= t.at) AND status IS DISTINCT FROM 'draft' AND rate IS NOT NULL
	AND NOT (coalesce(status, '') IN ('accepted', 'rejected', 'expired') AND decided_at IS NULL) AND (decided_at < sent_at) IS NOT TRUE;

INSERT INTO crm.stand
SELECT 'accounts', at, 1, NULL, NULL, NULL, NULL, region, NULL, channel, campaign, segment, NULL, NULL
FROM (SELECT DISTINCT ON (id, t.at) t.at, a.*	-- one account is one, as its first row says
	  FROM crm.account a, crm.boundary t
	  WHERE id IS NOT NULL AND (valid_to < valid_from) IS NOT TRUE
		AND coalesce(crm.berlin(created_at) < t.at, true) AND coalesce(valid_from < t.at, true) AND coalesce(valid_to >= t.at, true)
	  ORDER BY id, t.at, greatest('-infinity', crm.berlin(created_at), valid_from), coalesce(valid_to, 'infinity')) a;

-- What is expected: open now, by the day it should close, also days to come;
-- worth what it is worth now.
CREATE TABLE crm.plan (LIKE crm.event);
INSERT INTO crm.plan
SELECT m.measure, crm.berlin(expected_close), m.value, NULL, NULL, b.*, o.stage, NULL
FROM crm.clock, crm.good_deal o LEFT JOIN crm.stage s ON s.name = o.stage,
	LATERAL (SELECT crm.rate(currency, as_of) AS rate, CASE WHEN coalesce(o.probability, s.probability) BETWEEN 0 AND 1 THEN coalesce(o.probability, s.probability) END AS likely) x,
	LATERAL crm.belongs(NULL, rep_id::text, account_id::text, region, product, channel, campaign, as_of, true) b,
	LATERAL (VALUES ('closing_opportunities', 1), ('pipeline_closing', coalesce(amount, 0) * rate), ('weighted_closing', coalesce(amount, 0) * rate * likely)) m(measure, value)
WHERE status = 'open' AND (o.created_at >= as_of) IS NOT TRUE AND expected_close IS NOT NULL AND rate IS NOT NULL;

ANALYZE crm.period, crm.event, crm.stand, crm.plan;

-- The periods see them; unknown members are the member (none), parts of a
-- combined one are joined by +, which inside a part is written \+.
CREATE FUNCTION crm.part(p text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN replace(replace(coalesce(nullif(p, ''), '(none)'), '\', '\\'), '+', '\+');
CREATE FUNCTION crm.join(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN crm.part(a) || '+' || crm.part(b);

CREATE TABLE crm.placed AS
SELECT e.way, e.measure, e.at, e.until, e.value, e.key, e.flag, d.dimension, coalesce(nullif(d.member, ''), CASE d.dimension WHEN 'total' THEN '' ELSE '(none)' END) AS member
FROM (SELECT 'event' AS way, * FROM crm.event UNION ALL SELECT 'stand', * FROM crm.stand UNION ALL SELECT 'plan', * FROM crm.plan) e,
	LATERAL (VALUES ('total', ''), ('rep', r), ('team', team), ('region', reg), ('product', prod), ('channel', cha), ('campaign', cam), ('segment', segment), ('stage', stage), ('kind', kind), ('cohort', cohort),
		('rep+kind', crm.join(r, kind)), ('rep+stage', crm.join(r, stage)), ('team+stage', crm.join(team, stage)), ('region+stage', crm.join(reg, stage)), ('region+product', crm.join(reg, prod))) d(dimension, member)
WHERE crm.applies(e.measure, d.dimension);

CREATE TABLE crm.span AS
SELECT grain, period, crm.berlin(period) AS starts_at, crm.berlin(period_end) AS ends_at, as_of FROM crm.period, crm.clock;
ANALYZE crm.placed, crm.span;

CREATE TABLE crm.seen AS
SELECT s.grain, s.period, p.dimension, p.member, p.measure, p.value, p.key
FROM crm.span s JOIN crm.placed p
	ON CASE p.way WHEN 'event' THEN (p.at >= starts_at OR measure LIKE '%_to_date') AND p.at < ends_at AND p.at < as_of
		WHEN 'stand' THEN p.at = CASE measure WHEN 'open_at_start' THEN starts_at ELSE least(ends_at, as_of) END
		WHEN 'plan' THEN p.at >= starts_at AND p.at < ends_at END;
ANALYZE crm.seen;

-- Counted once per member: purchases and customers in each period, deals and
-- contacts in the period of their first, which may lie before all periods.
CREATE VIEW crm.once AS
SELECT grain, period, dimension, member, measure, count(DISTINCT key)::numeric AS value
FROM crm.seen WHERE measure IN ('purchases', 'buying_customers', 'customers_to_date') GROUP BY 1, 2, 3, 4, 5
UNION ALL
SELECT p.grain, p.period, dimension, member, measure, count(*)
FROM crm.span p JOIN (
		SELECT dimension, member, measure, key, min(e.at) AS first_at, bool_or(flag) AS flag
		FROM crm.clock, crm.placed e
		WHERE measure IN ('deals_quoted', 'deals_quoted_won', 'contacts_messaged', 'contacts_replied', 'first_buyers') AND e.at < as_of AND key IS NOT NULL
		GROUP BY 1, 2, 3, 4) f ON f.first_at >= p.starts_at AND f.first_at < p.ends_at
WHERE f.flag IS NOT FALSE
GROUP BY 1, 2, 3, 4, 5;

-- Customers, without subscriptions, are what is held at a boundary, which looks left.
CREATE VIEW crm.customer AS
SELECT grain, period, dimension, member, m.measure, count(*)::numeric AS value
FROM (SELECT p.grain, p.period, s.dimension, s.member,
		bool_or(s.at < p.starts_at AND s.until >= p.starts_at) FILTER (WHERE NOT of_year) AS opening, bool_or(s.at < p.now AND s.until >= p.now) FILTER (WHERE NOT of_year) AS closing,
		bool_or(s.at < p.now AND s.until >= p.now) FILTER (WHERE of_year) AS of_year,
		bool_or(s.at < p.starts_at) FILTER (WHERE NOT of_year) AS before, min(s.at) FILTER (WHERE NOT of_year) >= p.starts_at AND min(s.at) FILTER (WHERE NOT of_year) < p.now AS first
	  FROM (SELECT *, least(ends_at, as_of) AS now FROM crm.span) p,
		(SELECT *, measure = 'customers_of_year_held' AS of_year FROM crm.placed WHERE measure IN ('customers_held', 'customers_of_year_held')) s
	  GROUP BY p.grain, p.period, p.starts_at, p.now, s.dimension, s.member, s.key) c,
	LATERAL (VALUES ('customers', closing), ('customers_opening', opening), ('customers_won', closing AND NOT before),
		('customers_reactivated', closing AND NOT opening AND before), ('customers_churned', opening AND NOT closing),
		('customers_kept', opening AND closing), ('new_customers', first), ('customers_of_year', of_year)) m(measure, holds)
WHERE m.holds
GROUP BY 1, 2, 3, 4, 5;

-- Days on the roster: a rep with two versions is on it with one of them each day.
CREATE VIEW crm.roster AS
SELECT grain, period, dimension, coalesce(nullif(member, ''), CASE dimension WHEN 'total' THEN '' ELSE '(none)' END) AS member, 'rep_days' AS measure, count(*)::numeric AS value
FROM crm.clock, crm.period p,
	LATERAL generate_series(p.period, least(p.period_end - 1, (as_of AT TIME ZONE 'Europe/Berlin')::date), interval '1 day') day,
	crm.rep, LATERAL (VALUES ('total', ''), ('rep', id::text), ('team', team)) d(dimension, member)
WHERE id IS NOT NULL AND (active_to < active_from) IS NOT TRUE
	AND coalesce(active_from <= day, true) AND coalesce(active_to > day, true)
	AND coalesce((valid_from AT TIME ZONE 'Europe/Berlin')::date <= day, true) AND coalesce((valid_to AT TIME ZONE 'Europe/Berlin')::date > day, true)
GROUP BY 1, 2, 3, 4;

CREATE VIEW crm.expected AS
SELECT grain, period, dimension, member, measure, trim_scale(value)::text AS value
FROM (SELECT grain, period, dimension, member, measure, sum(value) AS value FROM crm.seen
	  WHERE key IS NULL AND measure NOT IN ('sales_cycle', 'lead_responses', 'stage_stays', 'purchases', 'buying_customers', 'deals_quoted', 'deals_quoted_won', 'contacts_messaged', 'contacts_replied')
	  GROUP BY 1, 2, 3, 4, 5
	  UNION ALL SELECT * FROM crm.once UNION ALL SELECT * FROM crm.customer UNION ALL SELECT * FROM crm.roster) v
WHERE value <> 0
UNION ALL
SELECT grain, period, dimension, member, measure, '1:{' || string_agg(trim_scale(value)::text || CASE WHEN n > 1 THEN '*' || n ELSE '' END, ',' ORDER BY value) || '}'
FROM (SELECT grain, period, dimension, member, measure, value, count(*) AS n FROM crm.seen WHERE measure IN ('sales_cycle', 'lead_responses', 'stage_stays') GROUP BY 1, 2, 3, 4, 5, 6) c
GROUP BY 1, 2, 3, 4, 5;

-- What the snapshot found.  A measure of 0 and a member without a row are the same.
CREATE VIEW crm.cell AS
SELECT f.grain, f.period, f.dimension, f.member, m.key AS measure, m.value
FROM kpi_fact f, jsonb_each_text(to_jsonb(f)) m
WHERE f.superseded_at IS NULL
	AND m.key NOT IN ('grain', 'period', 'period_end', 'dimension', 'member', 'recorded_at', 'superseded_at', 'run', 'is_complete', 'days');

CREATE VIEW crm.found AS
SELECT grain, period, dimension, member, measure, CASE WHEN measure IN ('sales_cycle', 'lead_responses', 'stage_stays') THEN value ELSE trim_scale(value::numeric)::text END AS value
FROM crm.cell WHERE CASE WHEN measure IN ('sales_cycle', 'lead_responses', 'stage_stays') THEN value <> '1:{}' ELSE value::numeric <> 0 END;

CREATE TABLE crm.answer AS SELECT * FROM crm.expected;
CREATE TABLE crm.right_answer AS SELECT * FROM crm.answer WHERE dimension <> 'region+product';
ANALYZE crm.right_answer, crm.answer, kpi_fact;

SELECT 'each measure occurs in the test data' AS property, NOT EXISTS (
	SELECT DISTINCT measure FROM kpi_measure JOIN kpi_source USING (source) EXCEPT SELECT measure FROM crm.right_answer) AS holds;

SELECT 'periods: their days, and whether they are complete' AS property, NOT EXISTS (
	(SELECT grain, period, period_end, is_complete, days FROM kpi_fact EXCEPT SELECT * FROM crm.period)
	UNION ALL (SELECT * FROM crm.period EXCEPT SELECT grain, period, period_end, is_complete, days FROM kpi_fact)) AS holds;

-- The heart of this test: no cell too many, none missing, none different.
CREATE VIEW crm.difference AS
SELECT coalesce(f.measure, x.measure) AS measure, coalesce(f.grain, x.grain) AS grain, coalesce(f.period, x.period) AS period,
	coalesce(f.dimension, x.dimension) AS dimension, coalesce(f.member, x.member) AS member, f.value AS found, x.value AS expected
FROM crm.found f FULL JOIN crm.right_answer x USING (grain, period, dimension, member, measure)
WHERE f.value IS DISTINCT FROM x.value;

SELECT 'as many cells as this were compared' AS property, count(*) > 20000 AS holds FROM crm.right_answer;
SELECT measure, count(*) AS differences, min(dimension COLLATE "C") AS for_example FROM crm.difference GROUP BY measure ORDER BY measure COLLATE "C";
SELECT * FROM crm.difference ORDER BY measure COLLATE "C", grain COLLATE "C", period, dimension COLLATE "C", member COLLATE "C" LIMIT 20;

SELECT 'NULL where a dimension does not tell, and nowhere else' AS property, NOT EXISTS (
	SELECT FROM crm.cell WHERE crm.applies(measure, dimension) = (value IS NULL)) AS holds;

SELECT 'each period and dimension has the blank member' AS property, NOT EXISTS (
	SELECT grain, period, d.dimension, CASE WHEN d.dimension = 'total' THEN '' WHEN d.dimension LIKE '%+%' THEN '(none)+(none)' ELSE '(none)' END
	FROM crm.period, kpi_dimension d
	WHERE d.dimension NOT IN ('plan', 'lost_reason')	-- no column here tells them
	EXCEPT SELECT grain, period, dimension, member FROM kpi_fact) AS holds;

SELECT 'members add up to the total' AS property, NOT EXISTS (
	SELECT FROM (SELECT grain, period, dimension, measure, sum(value::numeric) AS value FROM crm.cell
				 WHERE measure NOT IN ('sales_cycle', 'lead_responses', 'stage_stays', 'purchases', 'buying_customers', 'deals_quoted', 'deals_quoted_won', 'contacts_messaged', 'contacts_replied')
				   AND measure NOT LIKE '%customers%' AND measure <> 'first_buyers'
				 GROUP BY 1, 2, 3, 4) m
	JOIN (SELECT grain, period, measure, value::numeric FROM crm.cell WHERE dimension = 'total' AND measure NOT IN ('sales_cycle', 'lead_responses', 'stage_stays')) t USING (grain, period, measure)
	WHERE m.value <> t.value) AS holds;

SELECT 'a customer is of one cohort: they add up to the total' AS property, count(*) > 100 AND count(*) FILTER (WHERE m.value > 0) > 50 AND bool_and(m.value = t.value) AS holds
FROM (SELECT grain, period, measure, sum(value::numeric) AS value FROM crm.cell WHERE dimension = 'cohort' AND measure LIKE '%customers%' AND measure <> 'buying_customers' GROUP BY 1, 2, 3) m
JOIN (SELECT grain, period, measure, value::numeric FROM crm.cell WHERE dimension = 'total' AND measure LIKE '%customers%') t USING (grain, period, measure);

SELECT 'cycles of the members together are those of the total' AS property, NOT EXISTS (
	SELECT FROM (SELECT grain, period, dimension, kpi_rollup(sales_cycle)::text AS cycles FROM kpi_fact WHERE sales_cycle IS NOT NULL GROUP BY 1, 2, 3) m
	JOIN (SELECT grain, period, sales_cycle::text AS cycles FROM kpi_fact WHERE dimension = 'total') t USING (grain, period)
	WHERE m.cycles <> t.cycles) AS holds;

SELECT 'flows of months add up to the quarter' AS property, NOT EXISTS (
	SELECT FROM (SELECT date_trunc('quarter', period)::date AS period, dimension, member, sum(revenue) AS revenue, sum(won_deals) AS won, sum(calls) AS calls, sum(rep_days) AS days
				 FROM kpi_fact WHERE grain = 'month' GROUP BY 1, 2, 3) m
	FULL JOIN (SELECT * FROM kpi_fact WHERE grain = 'quarter') q USING (period, dimension, member)
	WHERE (coalesce(m.revenue, 0), coalesce(m.won, 0), coalesce(m.calls, 0), coalesce(m.days, 0))
		IS DISTINCT FROM (coalesce(q.revenue, 0), coalesce(q.won_deals, 0), coalesce(q.calls, 0), coalesce(q.rep_days, 0))) AS holds;

-- What was left out is reported, with how many rows: counted here by hand from
-- the statements above, or from the tables where that would be tedious.
SELECT p.source, p.reason, p.bad_rows, x.bad_rows AS expected
FROM kpi_problem p FULL JOIN (
	VALUES ('account', 'no id', 1), ('account', 'ends before it starts', 1), ('exchange_rate', 'rate is not a positive number', 2), ('exchange_rate', 'no day', 1),
		('rep', 'no id', 1), ('rep', 'ends before it starts', 1), ('stage', 'probability outside 0..1', 1),
		('sale', 'no sale_id', 1), ('sale', 'no date', 1), ('sale', 'no amount', 1), ('sale', 'amount is not a finite number', 2),
		('sale', 'direct_cost is not a finite number', 2),
		('sale', 'no exchange rate', (SELECT count(*) FROM crm.sale WHERE sold_at IS NOT NULL AND crm.rate(currency, crm.berlin(sold_at)) IS NULL)),
		('opportunity', 'no id', 1), ('opportunity', 'unknown status', 2), ('opportunity', 'amount is not a finite number', 2),
		('opportunity', 'probability outside 0..1', 8),
		('opportunity', 'won or lost without closed_at', (SELECT count(*) FROM crm.opportunity WHERE status IN ('won', 'lost') AND closed_at IS NULL)),
		('opportunity', 'open without created_at', (SELECT count(*) FROM crm.opportunity WHERE status = 'open' AND created_at IS NULL)),
		('opportunity', 'closed before it was created', (SELECT count(*) FROM crm.opportunity WHERE closed_at < created_at)),
		('opportunity_history', 'no opportunity_id', 1), ('opportunity_history', 'no valid_from', 1), ('opportunity_history', 'ends before it starts', 1),
		('opportunity_history', 'unknown opportunity', 1), ('opportunity_history', 'unknown status', 1), ('opportunity_history', 'amount is not a finite number', 1),
		('opportunity_history', 'probability outside 0..1', (SELECT count(*) FROM crm.opportunity_history WHERE probability > 1)),
		('account', 'overlaps another row of the account', (SELECT count(*)
			FROM (SELECT id, row_number() OVER () AS n, greatest('-infinity', crm.berlin(created_at), valid_from) AS starts, coalesce(valid_to, 'infinity') AS ends FROM crm.account) a
			WHERE starts < ends AND EXISTS (
				SELECT FROM (SELECT id, row_number() OVER () AS n, greatest('-infinity', crm.berlin(created_at), valid_from) AS starts, coalesce(valid_to, 'infinity') AS ends FROM crm.account) b
				WHERE b.id = a.id AND b.n <> a.n AND (b.starts, b.ends) < (a.starts, a.ends) AND b.ends > a.starts))),
		('lead', 'no id', 1), ('lead', 'no creation date', 1), ('lead', 'qualified before it was created', 1),
		('quote', 'no id', 1), ('quote', 'unknown status', 1), ('quote', 'amount is not a finite number', 1), ('quote', 'decided before it was sent', 1),
		('quote', 'decided without decided_at', 1), ('quote', 'sent without sent_at', (SELECT count(*) FROM crm.quote WHERE status IN ('sent', 'accepted', 'rejected') AND sent_at IS NULL)),
		('activity', 'no date', 1), ('activity', 'unknown kind', 2), ('activity', 'unknown status', 1), ('activity', 'unknown direction', 1)
	) x(source, reason, bad_rows) USING (source, reason)
WHERE p.bad_rows IS DISTINCT FROM x.bad_rows
	AND (source, reason) NOT IN (('opportunity', 'won before first contact'), ('opportunity', 'no exchange rate'), ('opportunity_history', 'no exchange rate'),
		('quote', 'no exchange rate'), ('lead', 'converted before it was created'))
ORDER BY source COLLATE "C", reason COLLATE "C";

SELECT 'further reasons are reported where they occur' AS property, count(*) = 5 AS holds
FROM kpi_problem
WHERE (source, reason) IN (('opportunity', 'won before first contact'), ('opportunity', 'no exchange rate'), ('opportunity_history', 'no exchange rate'),
	('quote', 'no exchange rate'), ('lead', 'converted before it was created')) AND bad_rows > 0;

SELECT 'keys of bad rows are the smallest' AS property, keys[1] = 'O-116' AS holds
FROM kpi_problem WHERE source = 'opportunity' AND reason = 'probability outside 0..1';

--
-- A snapshot of nothing new writes nothing, whatever the session's settings.
--
SAVEPOINT before;
SET LOCAL timezone = 'Pacific/Kiritimati';
SET LOCAL datestyle = 'German, DMY';
SET LOCAL extra_float_digits = -10;
SELECT 'again, a microsecond later' AS snapshot, outcome, changed FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of + interval '1 microsecond');
SELECT 'the session''s settings are as before' AS property, current_setting('timezone') = 'Pacific/Kiritimati' AND current_setting('datestyle') = 'German, DMY' AND current_setting('extra_float_digits') = '-10' AS holds;
ROLLBACK TO before;

-- Part of the time: its periods anew, the others as they were.  Firsts before
-- the part are still the firsts.
SAVEPOINT before;
UPDATE crm.sale SET amount = amount + 1;
SELECT 'a quarter of the time' AS snapshot, outcome, periods, changed > 0 AS changed FROM crm.clock, kpi_snapshot('2025-02-11', '2025-03-03', as_of + interval '1 second');
SELECT 'February, March, their quarter and year changed; nothing else, and in them only what sales say' AS property,
	array_agg(DISTINCT grain || ' ' || to_char(period, 'YYYY-MM') ORDER BY grain || ' ' || to_char(period, 'YYYY-MM'))
		<@ '{month 2025-02,month 2025-03,quarter 2025-01,year 2025-01,year_cut 2024-01}'::text[]
	AND count(DISTINCT grain) FILTER (WHERE grain <> 'year_cut') = 3
	AND array_agg(DISTINCT measure) <@ '{revenue,revenue_with_cost,purchases,buying_customers,revenue_to_date,customers_to_date,first_buyers}'::text[] AS holds
FROM crm.difference;
ROLLBACK TO before;

--
-- Shifting everything by as many days changes nothing but the dates: 28 days,
-- of which none has a clock change within, over weeks.
--
SAVEPOINT before;
CREATE TABLE crm.shifted AS SELECT * FROM crm.found WITH NO DATA;
SELECT kpi_set('time_zone', 'Asia/Kolkata', rebuild => true), kpi_set('grains', 'day,week');
SELECT outcome FROM crm.clock, kpi_snapshot('2025-05-01', '2025-08-20', as_of + interval '1 second');
INSERT INTO crm.shifted SELECT * FROM crm.found WHERE measure <> 'rep_days' AND dimension <> 'cohort';	-- cohorts are months, which days do not shift
SELECT 'a day and a week have their own facts' AS property, count(DISTINCT grain) >= 2 AS holds FROM crm.shifted;
SELECT 'weeks begin on Monday' AS property, bool_and(extract(isodow FROM period) = 1) AND count(*) > 0 AS holds FROM kpi_fact WHERE grain = 'week' AND superseded_at IS NULL;
SELECT 'seven days are a week' AS property, NOT EXISTS (
	SELECT FROM (SELECT date_trunc('week', period)::date AS period, dimension, member, sum(revenue) AS revenue, sum(won_deals) AS won, sum(quotes_sent) AS quotes
				 FROM kpi_fact WHERE grain = 'day' AND period >= '2025-05-05' AND superseded_at IS NULL GROUP BY 1, 2, 3) d
	FULL JOIN (SELECT * FROM kpi_fact WHERE grain = 'week' AND period >= '2025-05-05' AND superseded_at IS NULL) w USING (period, dimension, member)
	WHERE (coalesce(d.revenue, 0), coalesce(d.won, 0), coalesce(d.quotes, 0)) IS DISTINCT FROM (coalesce(w.revenue, 0), coalesce(w.won_deals, 0), coalesce(w.quotes_sent, 0))) AS holds;

UPDATE crm.sale SET sold_at = sold_at + 28;
UPDATE crm.lead SET created_at = created_at + interval '672 hours', qualified_at = qualified_at + interval '672 hours', converted_at = converted_at + 28, first_response_at = first_response_at + interval '672 hours';
UPDATE crm.opportunity SET created_at = created_at + interval '672 hours', closed_at = closed_at + interval '672 hours', expected_close = expected_close + 28, first_contact_at = first_contact_at + 28;
UPDATE crm.opportunity_history SET valid_from = valid_from + interval '672 hours', valid_to = valid_to + interval '672 hours';
UPDATE crm.quote SET sent_at = sent_at + interval '672 hours', decided_at = decided_at + interval '672 hours';
UPDATE crm.activity SET happened_at = happened_at + interval '672 hours', replied_at = replied_at + interval '672 hours', booked_at = booked_at + 28;
UPDATE crm.rep SET valid_from = valid_from + interval '672 hours', valid_to = valid_to + interval '672 hours', active_from = active_from + 28, active_to = active_to + 28;
UPDATE crm.account SET valid_from = valid_from + interval '672 hours', valid_to = valid_to + interval '672 hours', created_at = created_at + 28;
UPDATE crm.exchange_rate SET valid_on = valid_on + 28;
SELECT outcome FROM crm.clock, kpi_snapshot('2025-05-29', '2025-09-17', as_of + interval '672 hours 1 second');
SELECT 'shifted by 28 days: nothing changed' AS property, NOT EXISTS (
	(SELECT grain, period + 28, dimension, member, measure, value FROM crm.shifted
	 EXCEPT SELECT grain, period, dimension, member, measure, value FROM crm.found)
	UNION ALL
	(SELECT grain, period, dimension, member, measure, value FROM crm.found WHERE grain = 'day' AND period >= '2025-05-29' AND measure <> 'rep_days' AND dimension <> 'cohort'
	 EXCEPT SELECT grain, period + 28, dimension, member, measure, value FROM crm.shifted)) AS holds;
ROLLBACK TO before;

--
-- Money ten times as much, in every sum of money and in nothing else.
--
SAVEPOINT before;
UPDATE crm.sale SET amount = amount * 10, direct_cost = direct_cost * 10;
UPDATE crm.opportunity SET amount = amount * 10;
UPDATE crm.opportunity_history SET amount = amount * 10;
UPDATE crm.quote SET amount = (amount::text::numeric * 10)::double precision;
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of + interval '1 second');
SELECT 'ten times the money' AS property, count(*) > 1000 AND bool_and(coalesce(found::numeric = 10 * expected::numeric AND unit = 'money', false)) AS holds
FROM crm.difference LEFT JOIN (SELECT DISTINCT measure, unit FROM kpi_measure) m USING (measure);
ROLLBACK TO before;

--
-- Dimensions of one's own: a column that only the rep has, and a combination
-- whose members have a + inside.
--
SAVEPOINT before;
SELECT kpi_define_dimension('role'), kpi_define_dimension('region+product');
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of + interval '1 second');
INSERT INTO crm.right_answer SELECT * FROM crm.answer WHERE dimension = 'region+product';
SELECT 'region+product, cell by cell' AS property, count(*) = 0 AS holds FROM crm.difference WHERE dimension <> 'role';
SELECT 'a + inside a member is written \+' AS property, count(*) > 0 AS holds FROM kpi_fact WHERE dimension = 'region+product' AND member = 'West\++Beta\+';
SELECT 'rep-days by role' AS property, NOT EXISTS (
	(SELECT period, member, rep_days::numeric FROM kpi_fact WHERE dimension = 'role' AND grain = 'month' AND superseded_at IS NULL AND rep_days > 0
	 EXCEPT SELECT period, coalesce(nullif(role, ''), '(none)'), sum(value) FROM crm.roster JOIN (SELECT DISTINCT id::text, role FROM crm.rep WHERE id IS NOT NULL) r ON r.id = member
	 WHERE dimension = 'rep' AND grain = 'month' GROUP BY 1, 2)
	UNION ALL
	(SELECT period, coalesce(nullif(role, ''), '(none)'), sum(value) FROM crm.roster JOIN (SELECT DISTINCT id::text, role FROM crm.rep WHERE id IS NOT NULL) r ON r.id = member
	 WHERE dimension = 'rep' AND grain = 'month' GROUP BY 1, 2
	 EXCEPT SELECT period, member, rep_days::numeric FROM kpi_fact WHERE dimension = 'role' AND grain = 'month' AND superseded_at IS NULL AND rep_days > 0)) AS holds;
ROLLBACK TO before;

--
-- The rows behind a number add up to it: every measure, in cells drawn at
-- random, one or two of each dimension, unknown members and running months too.
--
SAVEPOINT before;
SELECT kpi_define_dimension('region+product');
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of + interval '1 second');
SELECT kpi_define('everything', string_agg(DISTINCT CASE slot WHEN 'duration' THEN format('mean(%s)', measure) ELSE measure END, ' + '),
	'count', 'up', 'Everything') IS NOT NULL AS defined FROM kpi_measure;
CREATE TABLE crm.scope AS
SELECT DISTINCT ON (dimension, is_running) grain, period, dimension, member
FROM kpi_fact, LATERAL (SELECT period_end > '2025-08-20' AS is_running) r
WHERE superseded_at IS NULL AND grain IN ('month', 'quarter', 'year')
	AND dimension IN ('total', 'rep', 'team', 'region', 'segment', 'cohort', 'stage', 'region+product')
ORDER BY dimension, is_running, (grain = 'year') = (dimension = 'total') DESC, md5(grain || period || member);
CREATE TABLE crm.drilled AS
SELECT grain, s.period, s.dimension, s.member, d.measure, trim_scale(sum(d.amount))::text AS value, array_agg(round(d.amount * 86400000000) ORDER BY d.amount) AS took
FROM crm.scope s, LATERAL kpi_drill('everything', s.period, s.dimension, s.member, s.grain) d GROUP BY 1, 2, 3, 4, 5;
UPDATE crm.drilled SET value = (
	SELECT '1:{' || string_agg(one || CASE WHEN n > 1 THEN '*' || n ELSE '' END, ',' ORDER BY one) || '}'
	FROM (SELECT one, count(*) AS n FROM unnest(took) one GROUP BY one) t)
WHERE measure IN (SELECT measure FROM kpi_measure WHERE slot = 'duration');
SELECT 'most measures are drilled into' AS property, count(DISTINCT measure) > 40 AS holds FROM crm.drilled;
SELECT 'the rows behind a number add up to it' AS property, NOT EXISTS (
	(SELECT * FROM crm.found JOIN crm.scope USING (grain, period, dimension, member)
	 EXCEPT SELECT grain, period, dimension, member, measure, value FROM crm.drilled)
	UNION ALL
	(SELECT grain, period, dimension, member, measure, value FROM crm.drilled WHERE value <> '0'
	 EXCEPT SELECT * FROM crm.found)) AS holds;
ROLLBACK TO before;

--
-- From the sources this second every KPI and measure is what a snapshot taken
-- now says: of the total and of members drawn at random, over months, a quarter
-- and a year.
--
SAVEPOINT before;
SELECT outcome FROM kpi_snapshot('2022-01-01', '2025-12-31');
CREATE TABLE crm.asked AS
SELECT DISTINCT ON (dimension) grain, period, period_end, dimension, member
FROM kpi_fact
WHERE superseded_at IS NULL AND period BETWEEN '2025-01-01' AND '2025-08-01'
	AND (dimension, grain) IN (('total', 'quarter'), ('rep', 'month'), ('team', 'year'), ('region', 'month'), ('cohort', 'quarter'), ('stage', 'month'))
ORDER BY dimension, member IN ('', '(none)') = (dimension = 'total') DESC, md5(period || member);
CREATE TABLE crm.live AS
SELECT l.kpi, a.dimension, l.value AS live, c.value
FROM crm.asked a, (SELECT array_agg(kpi) AS kpis FROM kpi_definition) k,
	LATERAL kpi_live_values(k.kpis, a.period, a.period_end, a.dimension, ARRAY[a.member]) l
	JOIN LATERAL kpi_compare(k.kpis, a.period, a.dimension, a.grain, ARRAY[a.member]) c ON c.kpi = l.kpi;
SELECT 'live values are those of a snapshot' AS property, count(*) FILTER (WHERE live IS DISTINCT FROM value) AS others, count(DISTINCT kpi) = (SELECT count(*) FROM kpi_definition) AS all_kpis,
	count(DISTINCT dimension) AS dimensions, count(value) > 350 AS most_known FROM crm.live;
SELECT * FROM crm.live WHERE live IS DISTINCT FROM value ORDER BY kpi, dimension;

-- All bad rows are as many as the problems say, and no others; the smallest keys first.
SELECT 'all bad rows can be listed' AS property, count(*) > 30 AND bool_and(p.bad_rows = b.n AND coalesce(p.keys, '{}') = coalesce(b.keys[:5], '{}')) AS holds
FROM kpi_problem p
FULL JOIN (SELECT s.source, r.reason, count(*) AS n, array_agg(DISTINCT r.key COLLATE "C" ORDER BY r.key COLLATE "C") FILTER (WHERE r.key IS NOT NULL) AS keys
	FROM kpi_source s, LATERAL kpi_bad_rows(s.source) r GROUP BY 1, 2) b USING (source, reason);
SELECT reason, key, source_row ->> 'name' AS name, source_row ->> 'valid_from' > source_row ->> 'valid_to' AS backwards FROM kpi_bad_rows('account', 'ends before it starts');
ROLLBACK TO before;

--
-- The fiscal year begins in April: years and quarters do, months are the same.
--
SAVEPOINT before;
SELECT kpi_set('fiscal_year_month', '4', rebuild => true);
SELECT outcome FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of + interval '1 second');
SELECT 'months are as before' AS property, NOT EXISTS (SELECT FROM crm.difference WHERE grain IN ('month', 'month_cut')) AS holds;
SELECT 'quarters from April on are as before' AS property, NOT EXISTS (SELECT FROM crm.difference WHERE grain IN ('quarter', 'quarter_cut')) AS holds;
SELECT grain, period, period_end, is_complete, days FROM kpi_fact WHERE grain LIKE 'year%' AND dimension = 'total' AND superseded_at IS NULL ORDER BY grain, period;
SELECT 'the fiscal year 2024 has its twelve months'' revenue' AS property,
	(SELECT revenue FROM kpi_fact WHERE grain = 'year' AND period = '2024-04-01' AND dimension = 'total' AND superseded_at IS NULL)
	= (SELECT sum(value) FROM crm.event WHERE measure = 'revenue' AND at >= crm.berlin('2024-04-01') AND at < crm.berlin('2025-04-01')) AS holds;
ROLLBACK TO before;

SAVEPOINT before;
SELECT kpi_set('fiscal_year_month', '2', rebuild => true), kpi_set('week_start', 'sunday', rebuild => true), kpi_set('grains', 'quarter,week');
SELECT outcome FROM crm.clock, kpi_snapshot('2025-08-01', '2025-08-20', as_of + interval '1 second');
SELECT 'a year from February has quarters from August; weeks begin on Sunday' AS property,
	array_agg(DISTINCT period) FILTER (WHERE grain = 'quarter') = '{2025-08-01}' AND bool_and(extract(dow FROM period) = 0) FILTER (WHERE grain = 'week') AS holds
FROM kpi_fact WHERE superseded_at IS NULL;
ROLLBACK TO before;

--
-- Without optional columns the measures that need them are unknown, not 0.
--
SAVEPOINT before;
TRUNCATE kpi_fact;
CREATE VIEW crm.bare_sale AS SELECT sale_id, sold_at, amount FROM crm.sale;
CREATE VIEW crm.bare_opportunity AS SELECT id, status FROM crm.opportunity;
CREATE VIEW crm.bare_quote AS SELECT id FROM crm.quote;
CREATE VIEW crm.bare_activity AS SELECT happened_at, kind FROM crm.activity;
CREATE VIEW crm.bare_lead AS SELECT id, created_at FROM crm.lead;
SELECT count(*) AS bound FROM unnest('{sale,opportunity,quote,activity,lead}'::text[]) s WHERE EXISTS (SELECT FROM kpi_bind(s, ('crm.bare_' || s)::regclass));
SELECT count(kpi_unbind(s)) AS unbound FROM unnest('{opportunity_history,stage,exchange_rate,account}'::text[]) s;
SELECT outcome FROM crm.clock, kpi_snapshot('2025-01-01', '2025-08-20', as_of + interval '1 second');
SELECT 'known are those that need no other column' AS property, string_agg(measure, ' ' ORDER BY measure COLLATE "C")
	= 'calls demos emails leads linkedin_messages meetings onboardings open_opportunities purchases rep_days revenue revenue_to_date sale_lines trials_started unweighted_opportunities' AS holds
FROM crm.cell WHERE dimension = 'total' AND grain = 'month' AND period = '2025-08-01' AND value IS NOT NULL;
SELECT 'of them a month before was not known what was open' AS property, string_agg(measure, ' ' ORDER BY measure COLLATE "C") = 'open_opportunities unweighted_opportunities' AS holds
FROM (SELECT measure FROM crm.cell WHERE dimension = 'total' AND grain = 'month' AND period = '2025-08-01' AND value IS NOT NULL
	  EXCEPT SELECT measure FROM crm.cell WHERE dimension = 'total' AND grain = 'month' AND period = '2025-07-01' AND value IS NOT NULL) m;
SELECT 'and the report says why' AS property, count(*) = 6 AND bool_and(value IS NULL AND reason = CASE WHEN kpi IN ('open_opportunities', 'weighted_pipeline') THEN 'no history' ELSE 'column missing' END) AS holds
FROM kpi_report('2025-07-01', selection => 'all')
WHERE kpi IN ('profit_margin', 'sales_cycle_length', 'weighted_pipeline', 'open_quotes', 'reply_rate', 'open_opportunities');
ROLLBACK TO before;

-- Without a history the pipeline is known now and at no time before.
SAVEPOINT before;
TRUNCATE kpi_fact;
SELECT kpi_unbind('opportunity_history');
SELECT outcome FROM crm.clock, kpi_snapshot('2025-01-01', '2025-08-20', as_of + interval '1 second');
SELECT 'open opportunities of the running periods only' AS property,
	bool_and((open_opportunities IS NOT NULL) = NOT is_complete) AND count(open_opportunities) FILTER (WHERE grain IN ('month', 'quarter', 'year')) = 3 AS holds
FROM kpi_fact WHERE dimension = 'total' AND superseded_at IS NULL AND period >= '2025-01-01' AND grain NOT LIKE '%cut';
SELECT 'they are those that are open' AS property,
	(SELECT (open_opportunities, pipeline_value) FROM kpi_fact WHERE dimension = 'total' AND grain = 'month' AND period = '2025-08-01' AND superseded_at IS NULL)
	= (SELECT (count(*), sum(coalesce(amount, 0) * crm.rate(currency, as_of))) FROM crm.clock, crm.good_deal WHERE status = 'open' AND (created_at >= as_of) IS NOT TRUE AND crm.rate(currency, as_of) IS NOT NULL) AS holds;
ROLLBACK TO before;

--
-- Empty tables: everything that is known is 0.
--
SAVEPOINT before;
TRUNCATE crm.sale, crm.opportunity, crm.opportunity_history, crm.lead, crm.quote, crm.activity, crm.rep, crm.account, crm.stage, crm.exchange_rate;
SELECT outcome, problems FROM crm.clock, kpi_snapshot('2024-04-10', '2025-12-31', as_of + interval '1 second');
SELECT 'zeros' AS property, count(*) AS cells_that_are_not FROM crm.found;
SELECT 'known as before' AS property, NOT EXISTS (SELECT FROM crm.cell WHERE crm.applies(measure, dimension) = (value IS NULL)) AS holds;
SELECT 'only the blank members are left' AS property, NOT EXISTS (
	SELECT FROM kpi_fact WHERE superseded_at IS NULL AND member NOT IN ('', '(none)', '(none)+(none)')) AS holds;
SELECT 'a rate of nothing is NULL, a sum is 0' AS property, kpi_value('profit_margin', '2025-07-01') IS NULL AND kpi_value('revenue', '2025-07-01') = 0
	AND kpi_value('revenue', '2025-07-01', 'region', 'North') = 0 AS holds;
ROLLBACK TO before;

ROLLBACK;
