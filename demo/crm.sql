/*
 * demo/crm.sql
 *	  The CRM of Nordwerk Automation GmbH, an invented company: schema and data.
 *
 * Nordwerk sells industrial sensors, gateways and maintenance software to
 * other companies in Germany, Austria and Switzerland.  Its CRM began 36 whole
 * months before the running one, and took over the deals open at that time.
 * Fourteen people have sold in four teams; two have left, one has changed
 * teams, five were hired on the way and needed half a year to get going.
 *
 * Nothing here knows salkpi: the tables have the names, the German words and
 * the habits of a grown CRM (percentages, rates, several words for "done").
 * demo/bind.sql translates.  Some fifty rows are wrong on purpose, see the last
 * section; the list of problems is to have something to show.
 *
 * Everything is drawn from hashes of row numbers, never from random(): the
 * same day gives the same data.  All instants lie before midnight of `today`
 * in Berlin, planned activities aside.
 *
 *	  psql -f demo/crm.sql
 *	  psql -v today=2026-11-23 -f demo/crm.sql
 *
 * It makes the schema crm and refuses to touch one that exists.  Subscriptions
 * (contract_price) are billed outside the orders; both are revenue of their own.
 */
\set ON_ERROR_STOP on
\set QUIET on
\encoding UTF8
SET client_min_messages = warning;
SET jit = off;

\if :{?today}
\else
SELECT (now() AT TIME ZONE 'Europe/Berlin')::date AS today \gset
\endif
SELECT (date_trunc('month', date :'today') - interval '36 months')::date AS start \gset

BEGIN;

CREATE SCHEMA crm;

/*
 * ------------------------------------------------------------------ schema
 * Keys between tables are added after the load, where they cost one join.
 */
CREATE TABLE crm.sales_rep
(
	rep_no		integer PRIMARY KEY,
	full_name	text NOT NULL,
	email		text NOT NULL,
	job			text NOT NULL,
	hired_on	date NOT NULL,
	left_on		date					/* first day not employed any more */
);

CREATE TABLE crm.team_member
(
	rep_no		integer NOT NULL,
	team		text NOT NULL,
	since		date NOT NULL,
	until		date,					/* first day in the next team */
	PRIMARY KEY (rep_no, since)
);

/* Customers belong to a territory, and a territory to one rep at a time. */
CREATE TABLE crm.territory_owner
(
	territory	text NOT NULL,
	rep_no		integer NOT NULL,
	since		date NOT NULL,
	until		date,
	PRIMARY KEY (territory, since)
);

CREATE TABLE crm.federal_state
(
	state		text PRIMARY KEY,
	sales_region text NOT NULL
);

CREATE TABLE crm.campaign
(
	campaign	text PRIMARY KEY,
	channel		text NOT NULL,
	starts_on	date NOT NULL,
	ends_on		date,
	budget		numeric(12,2)
);

CREATE TABLE crm.product
(
	sku			text PRIMARY KEY,
	name		text NOT NULL UNIQUE,
	product_line text NOT NULL,
	list_price	numeric(12,2) NOT NULL,
	unit_cost	numeric(12,2) NOT NULL
);

CREATE TABLE crm.customer
(
	customer_no integer PRIMARY KEY,
	company		text NOT NULL,
	segment		text NOT NULL,
	state		text,
	territory	text NOT NULL,
	channel		text,					/* how we came to know each other */
	campaign	text,
	created_at	timestamptz NOT NULL
);

CREATE TABLE crm.contact
(
	contact_no	integer PRIMARY KEY,
	customer_no integer,				/* NULL: only a lead so far */
	first_name	text NOT NULL,
	last_name	text NOT NULL
);

CREATE TABLE crm.lead
(
	lead_no		integer PRIMARY KEY,
	created_at	timestamptz NOT NULL,
	company		text NOT NULL,
	contact_no	integer NOT NULL,
	customer_no integer,				/* known customer, or made one by a deal */
	rep_no		integer NOT NULL,
	state		text,
	channel		text,
	campaign	text,
	first_answer_at timestamptz,
	became_deal_at timestamptz
);

CREATE TABLE crm.deal_stage
(
	stage		text PRIMARY KEY,
	position	integer NOT NULL,
	percent		numeric NOT NULL,		/* usual chance, 0 to 100 */
	outcome		text					/* gewonnen, verloren */
);

CREATE TABLE crm.deal
(
	deal_no		integer PRIMARY KEY,
	title		text NOT NULL,
	customer_no integer NOT NULL,
	lead_no		integer,
	rep_no		integer NOT NULL,		/* the last owner */
	sku			text,
	channel		text,
	campaign	text,
	created_at	timestamptz,
	first_contact_at timestamptz,
	amount		numeric(14,2),
	currency	text NOT NULL,
	stage		text NOT NULL,
	percent		numeric,
	due_on		date,					/* expected close */
	state		text NOT NULL,			/* offen, gewonnen, verloren */
	closed_at	timestamptz,
	lost_because text
);

CREATE TABLE crm.deal_stage_log
(
	deal_no		integer NOT NULL,
	since		timestamptz NOT NULL,
	until		timestamptz,
	stage		text NOT NULL,
	rep_no		integer NOT NULL,
	amount		numeric(14,2),
	percent		numeric,
	due_on		date
);

CREATE TABLE crm.offer
(
	offer_no	integer PRIMARY KEY,
	deal_no		integer,				/* NULL: asked for by a customer, no deal */
	customer_no integer NOT NULL,
	rep_no		integer NOT NULL,
	sku			text,
	sent_at		timestamptz,			/* NULL: a draft */
	decided_at	timestamptz,
	state		text NOT NULL,			/* Entwurf, versendet, angenommen … */
	amount		numeric(14,2) NOT NULL,
	currency	text NOT NULL
);

CREATE TABLE crm.sales_order
(
	order_no	integer PRIMARY KEY,
	kind		text NOT NULL,			/* Auftrag, Gutschrift */
	ordered_at	timestamptz NOT NULL,
	customer_no integer NOT NULL,
	deal_no		integer,				/* NULL: a repeat order */
	credit_for	integer,				/* the order that a Gutschrift corrects */
	rep_no		integer NOT NULL,
	currency	text NOT NULL
);

CREATE TABLE crm.order_line
(
	order_no	integer NOT NULL,
	line_no		integer NOT NULL,
	sku			text NOT NULL,
	quantity	integer NOT NULL,
	net_amount	numeric(14,2) NOT NULL,
	cost		numeric(14,2),			/* of the whole line; NULL: not known */
	PRIMARY KEY (order_no, line_no)
);

CREATE TABLE crm.touchpoint
(
	touch_no	integer PRIMARY KEY,
	kind		text NOT NULL,			/* Anruf, E-Mail, Termin, Demo … */
	happened_at timestamptz NOT NULL,
	booked_at	timestamptz,
	state		text,					/* erledigt, geplant, nicht erschienen … */
	incoming	boolean NOT NULL,
	delivered	boolean,
	answered_at timestamptz,
	rep_no		integer NOT NULL,
	contact_no	integer,
	customer_no integer,
	lead_no		integer,
	deal_no		integer
);

CREATE TABLE crm.contract_price
(
	contract_no integer NOT NULL,
	since		timestamptz NOT NULL,
	until		timestamptz,
	customer_no integer NOT NULL,
	plan		text NOT NULL,
	state		text NOT NULL,			/* aktiv, Test, pausiert */
	amount		numeric(12,2) NOT NULL, /* for one billing interval */
	currency	text NOT NULL,
	billed		text NOT NULL,			/* monatlich, jährlich */
	rep_no		integer NOT NULL,
	cancelled_at timestamptz,
	cancelled_because text,
	PRIMARY KEY (contract_no, since)
);

CREATE TABLE crm.spending
(
	spending_no integer PRIMARY KEY,
	first_day	date NOT NULL,
	last_day	date NOT NULL,			/* inclusive, as bookkeepers do */
	department	text NOT NULL,			/* Vertrieb, Marketing, Verwaltung */
	category	text NOT NULL,
	channel		text,
	campaign	text,
	amount		numeric(12,2) NOT NULL,
	currency	text NOT NULL
);

CREATE TABLE crm.fx_rate
(
	currency	text NOT NULL,
	day			date NOT NULL,
	euro		numeric(12,6) NOT NULL, /* euros for one unit */
	PRIMARY KEY (currency, day)
);

CREATE TABLE crm.sales_plan
(
	month		date NOT NULL,
	level		text NOT NULL,			/* Person, Team, Gesamt */
	member		text NOT NULL,			/* rep_no, team, '' */
	amount		numeric(12,2) NOT NULL,
	PRIMARY KEY (month, level, member)
);

/*
 * --------------------------------------------------------- tools of this file
 * dice: evenly in [0, 1); bell: about normal, from three dice.
 * office: an instant of that day between 8:00 and 17:00 in Berlin.
 */
CREATE FUNCTION pg_temp.dice(id bigint, salt bigint) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(id, salt) & 9007199254740991)::float8 / 9007199254740992;

CREATE FUNCTION pg_temp.bell(id bigint, salt bigint) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 2 * (pg_temp.dice(id, salt) + pg_temp.dice(id, salt + 1000) + pg_temp.dice(id, salt + 2000) - 1.5);

CREATE FUNCTION pg_temp.office(day date, dice float8) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_trunc('minute', day + time '08:00' + dice * interval '9 hours') AT TIME ZONE 'Europe/Berlin';

/* Nobody works at weekends, on two holidays and from Christmas to New Year. */
CREATE TEMP TABLE workday ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY day)::integer AS no, day::date
FROM generate_series(date :'start' - 500, date :'today' + 1200, interval '1 day') AS day
WHERE extract(isodow FROM day) < 6
	AND to_char(day, 'MMDD') NOT IN ('0101', '0501', '1003')
	AND to_char(day, 'MMDD') NOT BETWEEN '1224' AND '1231';
ALTER TABLE workday ADD PRIMARY KEY (no);

/*
 * Month 0 is the first of the CRM, month 36 the running one.  Orders: a lull
 * in summer, a strong autumn, a dip in December.  Leads: trade fairs in April
 * and November.
 */
CREATE TEMP TABLE month ON COMMIT DROP AS
SELECT m AS no, f.first_day, min(w.no) AS first_workday, count(*)::integer AS workdays,
	(ARRAY[0.88, 0.92, 1.06, 1.00, 1.00, 1.05, 0.90, 0.80, 1.07, 1.18, 1.24, 0.82])[f.moy]::float8 AS order_season,
	(ARRAY[0.95, 1.00, 1.08, 1.25, 1.02, 0.96, 0.80, 0.74, 1.12, 1.10, 1.22, 0.62])[f.moy]::float8 AS lead_season,
	power(1.15, m / 12.0)::float8 AS growth
FROM generate_series(-6, 72) AS m
	CROSS JOIN LATERAL (SELECT (date :'start' + m * interval '1 month')::date AS first_day,
						extract(month FROM date :'start' + m * interval '1 month')::integer AS moy) AS f
	JOIN workday AS w ON w.day >= f.first_day AND w.day < f.first_day + interval '1 month'
GROUP BY m, f.first_day, f.moy;
ANALYZE workday, month;

/* The number of the first working day that has not come yet. */
SELECT min(no) AS horizon FROM workday WHERE day >= date :'today' \gset

/*
 * ------------------------------------------------------------- the company
 */
CREATE TEMP TABLE person ON COMMIT DROP AS
SELECT *
FROM (VALUES
	(1,	'Anna Brandt',		'Innendienst Nord',	-52,	NULL,	1.12, 1.10),
	(2,	'Jonas Petersen',	'Innendienst Nord',	-31,	NULL,	0.96, 1.00),
	(3,	'Mareike Claasen',	'Innendienst Nord',	14,		NULL,	1.05, 1.15),
	(4,	'Tobias Huber',		'Innendienst Süd',	-44,	NULL,	0.92, 0.85),
	(5,	'Lena Aigner',		'Innendienst Süd',	-20,	NULL,	1.22, 1.20),
	(6,	'Florian Maier',	'Innendienst Süd',	20,		NULL,	0.94, 0.95),
	(7,	'Stefan Krüger',	'Außendienst',		-75,	NULL,	1.08, 0.80),
	(8,	'Claudia Neumann',	'Außendienst',		-40,	NULL,	1.15, 1.05),
	(9,	'Markus Vogel',		'Außendienst',		-60,	17,		0.78, 0.70),
	(10, 'Julia Hartmann',	'Außendienst',		18,		NULL,	1.10, 1.10),
	(11, 'Katharina Weiß',	'Key Account',		-66,	NULL,	1.18, 0.90),
	(12, 'Michael Schäfer',	'Key Account',		-35,	27,		0.95, 0.85),
	(13, 'Emre Yildiz',		'Außendienst',		26,		NULL,	1.02, 1.20),
	(14, 'Sophie Lindner',	'Innendienst Süd',	33,		NULL,	1.00, 1.05))
	AS p(no, name, team, hired, gone, skill, drive);

INSERT INTO crm.sales_rep
SELECT no, name,
	lower(translate(replace(name, 'ß', 'ss'), ' üäö', '.uao')) || '@nordwerk.example',
	CASE WHEN team LIKE 'Innen%' THEN 'Innendienst' WHEN team LIKE 'Key%' THEN 'Key Account Management' ELSE 'Außendienst' END,
	date :'start' + hired * interval '1 month', date :'start' + gone * interval '1 month'
FROM person;

INSERT INTO crm.team_member
SELECT rep_no, team, hired_on, CASE WHEN rep_no = 5 THEN date :'start' + interval '20 months' ELSE left_on END
FROM crm.sales_rep JOIN person ON no = rep_no
UNION ALL
SELECT 5, 'Key Account', date :'start' + interval '20 months', NULL;

INSERT INTO crm.territory_owner
SELECT territory, rep_no, date :'start' + since * interval '1 month', date :'start' + until * interval '1 month'
FROM (VALUES
	('N1', 1, -80, NULL), ('N2', 2, -80, NULL), ('N3', 2, -80, 14), ('N3', 3, 14, NULL),
	('S1', 4, -80, NULL), ('S2', 5, -80, 20), ('S2', 6, 20, NULL), ('S3', 4, -80, 33), ('S3', 14, 33, NULL),
	('A1', 7, -80, NULL), ('A2', 8, -80, NULL), ('A3', 9, -80, 17), ('A3', 7, 17, 18), ('A3', 10, 18, NULL),
	('A4', 8, -80, 26), ('A4', 13, 26, NULL),
	('K1', 11, -80, NULL), ('K2', 12, -80, 27), ('K2', 5, 27, NULL), ('K3', 11, -80, 20), ('K3', 5, 20, NULL))
	AS t(territory, rep_no, since, until);

INSERT INTO crm.federal_state
VALUES ('Schleswig-Holstein', 'Nord'), ('Hamburg', 'Nord'), ('Niedersachsen', 'Nord'), ('Bremen', 'Nord'),
	('Mecklenburg-Vorpommern', 'Nord'), ('Berlin', 'Ost'), ('Brandenburg', 'Ost'), ('Sachsen', 'Ost'),
	('Sachsen-Anhalt', 'Ost'), ('Thüringen', 'Ost'), ('Nordrhein-Westfalen', 'West'), ('Hessen', 'West'),
	('Rheinland-Pfalz', 'West'), ('Saarland', 'West'), ('Baden-Württemberg', 'Süd'), ('Bayern', 'Süd'),
	('Österreich', 'Österreich'), ('Schweiz', 'Schweiz');

INSERT INTO crm.product
SELECT 'NW-' || prefix || lpad((row_number() OVER (PARTITION BY prefix ORDER BY no) * 100)::text, 4, '0'), name, line, price, round(price * share, 2)
FROM (VALUES
	(1,	'SE', 'Vibrationssensor VS 200',	'Sensoren', 189, 0.55), (2,	'SE', 'Vibrationssensor VS 400 Ex', 'Sensoren', 349, 0.53),
	(3,	'SE', 'Temperatursensor TS 100',	'Sensoren', 89, 0.60),	(4,	'SE', 'Drucksensor DS 250',			'Sensoren', 229, 0.58),
	(5,	'SE', 'Durchflusssensor FS 300',	'Sensoren', 419, 0.57), (6,	'SE', 'Feuchtesensor HS 50',		'Sensoren', 119, 0.61),
	(7,	'SE', 'Stromsensor CS 120',			'Sensoren', 149, 0.59), (8,	'SE', 'Füllstandsensor LS 80',		'Sensoren', 279, 0.56),
	(9,	'SE', 'Akustiksensor AS 10',		'Sensoren', 459, 0.52),
	(10, 'GW', 'Gateway G1 LoRaWAN',		'Gateways', 690, 0.64), (11, 'GW', 'Gateway G2 LTE',			'Gateways', 890, 0.63),
	(12, 'GW', 'Gateway G5 5G',				'Gateways', 1490, 0.62), (13, 'GW', 'Edge-Controller EC 8',		'Gateways', 2350, 0.60),
	(14, 'GW', 'Edge-Controller EC 16',		'Gateways', 3900, 0.59), (15, 'GW', 'Feldbus-Koppler FK 4',		'Gateways', 540, 0.66),
	(16, 'SW', 'Wartungssoftware Lizenz S', 'Software', 1200, 0.22), (17, 'SW', 'Wartungssoftware Lizenz M', 'Software', 3600, 0.24),
	(18, 'SW', 'Wartungssoftware Lizenz L', 'Software', 9600, 0.26), (19, 'SW', 'Modul Anomalieerkennung',	'Software', 4800, 0.30),
	(20, 'SW', 'Modul Energiemonitoring',	'Software', 2900, 0.27),
	(21, 'DL', 'Inbetriebnahme vor Ort',	'Dienstleistung', 1450, 0.70), (22, 'DL', 'Schulung Instandhaltung', 'Dienstleistung', 980, 0.58),
	(23, 'DL', 'Retrofit-Beratung',			'Dienstleistung', 1850, 0.62), (24, 'DL', 'Kalibrierung',		'Dienstleistung', 240, 0.66),
	(25, 'DL', 'Wartungspauschale',			'Dienstleistung', 620, 0.64))
	AS p(no, prefix, name, line, price, share);

INSERT INTO crm.deal_stage
VALUES ('Qualifizierung', 1, 10, NULL), ('Bedarfsanalyse', 2, 25, NULL), ('Angebot', 3, 50, NULL),
	('Verhandlung', 4, 75, NULL), ('Gewonnen', 5, 100, 'gewonnen'), ('Verloren', 6, 0, 'verloren');

INSERT INTO crm.campaign
SELECT 'Hannover Messe ' || y, 'Messe', make_date(y, 4, 1), make_date(y, 5, 31), 62000 + 3000 * (y % 4)
FROM generate_series(extract(year FROM date :'start')::integer - 1, extract(year FROM date :'today')::integer) AS y
UNION ALL
SELECT 'SPS Nürnberg ' || y, 'Messe', make_date(y, 11, 1), make_date(y, 12, 31), 48000 + 2000 * (y % 4)
FROM generate_series(extract(year FROM date :'start')::integer - 1, extract(year FROM date :'today')::integer) AS y
UNION ALL
SELECT 'LinkedIn ' || to_char(q, '"Q"Q YYYY'), 'LinkedIn', q::date, (q + interval '3 months - 1 day')::date, 9000
FROM generate_series(date_trunc('quarter', date :'start' - 200), date :'today', interval '3 months') AS q
UNION ALL
VALUES ('Webinar Predictive Maintenance', 'Website', date :'start' - 400, NULL::date, NULL::numeric),
	('Google Ads Gateways', 'Website', date :'start' - 400, NULL, NULL),
	('Partnerprogramm', 'Partner', date :'start' - 400, NULL, NULL),
	('Outbound Lebensmittel', 'Kaltakquise', date :'start' - 400, NULL, NULL);

/* One rate a week; Monday's holds until the next. */
INSERT INTO crm.fx_rate
SELECT c.currency, day::date,
	round((c.middle + c.swing * sin(extract(epoch FROM day) / 86400 / c.days)
		   + c.swing * 0.3 * pg_temp.bell(extract(epoch FROM day)::bigint, c.salt))::numeric, 4)
FROM (VALUES ('CHF', 1.045, 0.025, 97, 1), ('USD', 0.915, 0.035, 123, 2)) AS c(currency, middle, swing, days, salt)
	CROSS JOIN generate_series(date_trunc('week', date :'start' - interval '19 months'), date :'today' - 1, interval '7 days') AS day;

/*
 * ------------------------------------------------------- leads and customers
 * Customers 1 to 450 were there before the CRM.  A lead comes from one of them
 * in a fifth of the cases; any other lead makes a customer when it is
 * qualified.  `key` is what attributes are drawn from: negative for customers
 * of old, positive for leads.
 */
CREATE TEMP TABLE lead_draw ON COMMIT DROP AS
SELECT l.*, row_number() OVER (ORDER BY workday, pg_temp.dice(key, 2), key)::integer AS lead_no
FROM (SELECT m.no AS month_no, m.no * 1000 + k AS key,
			 m.first_workday + floor(pg_temp.dice(m.no * 1000 + k, 1) * m.workdays)::integer AS workday
	  FROM month AS m
		CROSS JOIN LATERAL generate_series(1, round(130 * power(1.16, m.no / 12.0) * m.lead_season)::integer) AS k
	  WHERE m.no BETWEEN 0 AND 36) AS l
WHERE workday < :horizon;

CREATE TEMP TABLE party ON COMMIT DROP AS
SELECT p.*, s.sales_region,
	CASE WHEN segment = 'Enterprise' THEN 'K' || 1 + floor(pg_temp.dice(key, 13) * 3)
		WHEN segment = 'Mittelstand' AND pg_temp.dice(key, 14) < 0.62 THEN
			CASE WHEN p.state IN ('Nordrhein-Westfalen', 'Bremen', 'Niedersachsen') THEN 'A2'
				WHEN sales_region IN ('Nord', 'Ost') THEN 'A1'
				WHEN sales_region = 'West' OR p.state = 'Baden-Württemberg' THEN 'A3' ELSE 'A4' END
		WHEN sales_region IN ('Nord', 'Ost') OR p.state = 'Nordrhein-Westfalen' THEN 'N' || 1 + floor(pg_temp.dice(key, 13) * 3)
		ELSE 'S' || 1 + floor(pg_temp.dice(key, 13) * 3) END AS territory
FROM (SELECT key,
			 (ARRAY['Kleinbetrieb', 'Mittelstand', 'Enterprise'])
				[1 + width_bucket(pg_temp.dice(key, 10), ARRAY[0.40, 0.87]::float8[])] AS segment,
			 (ARRAY['Schleswig-Holstein', 'Hamburg', 'Niedersachsen', 'Bremen', 'Mecklenburg-Vorpommern', 'Berlin',
					'Brandenburg', 'Sachsen', 'Sachsen-Anhalt', 'Thüringen', 'Nordrhein-Westfalen', 'Hessen',
					'Rheinland-Pfalz', 'Saarland', 'Baden-Württemberg', 'Bayern', 'Österreich', 'Schweiz'])
				[1 + width_bucket(100 * pg_temp.dice(key, 11), ARRAY[3, 7, 16, 18, 19.5, 23.5, 26, 31, 33.5, 37, 56, 63,
					67, 68, 81, 93, 97]::float8[])] AS state
	  FROM (SELECT -n AS key FROM generate_series(1, 450) AS n UNION ALL SELECT key FROM lead_draw) AS k) AS p
	JOIN crm.federal_state AS s USING (state);
ANALYZE lead_draw, party;

/*
 * Somebody new sells at first 55 % as well as later: `form` is the skill with
 * that taken into account.
 */
CREATE TEMP TABLE lead_more ON COMMIT DROP AS
SELECT l.*, w.day, pg_temp.office(w.day, pg_temp.dice(l.key, 2)) AS created_at,
	p.segment, p.state, p.territory, o.rep_no, c.channel, f.form,
	1 + floor(pg_temp.dice(-l.key - 1000000, 22) * 450)::integer AS known_customer,
	l.party_key < 0 AS is_known,
	CASE c.channel
		WHEN 'Messe' THEN CASE WHEN extract(month FROM w.day) BETWEEN 4 AND 5 THEN 'Hannover Messe ' || extract(year FROM w.day)
			WHEN extract(month FROM w.day) >= 11 THEN 'SPS Nürnberg ' || extract(year FROM w.day) END
		WHEN 'LinkedIn' THEN 'LinkedIn ' || to_char(w.day, '"Q"Q YYYY')
		WHEN 'Website' THEN CASE WHEN pg_temp.dice(l.key, 24) < 0.25 THEN 'Webinar Predictive Maintenance'
			WHEN pg_temp.dice(l.key, 24) < 0.60 THEN 'Google Ads Gateways' END
		WHEN 'Partner' THEN 'Partnerprogramm'
		WHEN 'Kaltakquise' THEN CASE WHEN pg_temp.dice(l.key, 24) < 0.40 THEN 'Outbound Lebensmittel' END
	END AS campaign,
	CASE WHEN pg_temp.dice(l.key, 25) < f.form *
			CASE c.channel WHEN 'Empfehlung' THEN 0.37 WHEN 'Partner' THEN 0.31 WHEN 'Messe' THEN 0.23
				WHEN 'Website' THEN 0.21 WHEN 'LinkedIn' THEN 0.16 ELSE 0.11 END
		THEN l.workday + 1 + floor(exp(1.1 + 0.8 * pg_temp.bell(l.key, 26)))::integer END AS deal_workday
FROM (SELECT d.*, CASE WHEN pg_temp.dice(d.key, 21) < 0.2
						THEN -1 - floor(pg_temp.dice(-d.key - 1000000, 22) * 450)::integer ELSE d.key END AS party_key
	  FROM lead_draw AS d) AS l
	JOIN workday AS w ON w.no = l.workday
	JOIN month AS m ON m.no = l.month_no
	JOIN party AS p ON p.key = l.party_key
	JOIN crm.territory_owner AS o ON o.territory = p.territory AND o.since <= w.day AND (o.until > w.day OR o.until IS NULL)
	JOIN person AS r ON r.no = o.rep_no
	CROSS JOIN LATERAL (SELECT r.skill * least(1, 0.55 + 0.075 * (l.month_no - r.hired)) AS form) AS f
	CROSS JOIN LATERAL (SELECT CASE WHEN m.lead_season > 1.2 AND pg_temp.dice(l.key, 23) < 0.35 THEN 'Messe'
		ELSE (ARRAY['Website', 'Messe', 'LinkedIn', 'Empfehlung', 'Partner', 'Kaltakquise'])
			[1 + width_bucket(pg_temp.dice(l.key, 27), ARRAY[0.35, 0.46, 0.64, 0.76, 0.87]::float8[])] END AS channel) AS c;

UPDATE lead_more SET deal_workday = NULL WHERE deal_workday >= :horizon;

/* Companies: 80 names times 40 trades, each pair once; a lead that stays one has two names. */
CREATE TEMP TABLE word ON COMMIT DROP AS
SELECT string_to_array('Ahlers Albrecht Bartels Baumann Behrens Berger Bergmann Böttcher Brenner Buchholz Burmeister '
	'Carstens Clausen Dietrich Dörfler Ebert Eckhardt Engel Fischer Frank Friedrich Fuchs Gerdes Graf Grosse Haller '
	'Hansen Heinrich Hellwig Herzog Hofmann Horn Jansen Kaiser Keller Kessler Koch König Kramer Kranz Kröger Lang '
	'Lehmann Lorenz Lüders Martens Mertens Metzger Möller Nagel Nissen Oltmann Ott Pauli Pfeiffer Pohl Rademacher Reimers '
	'Richter Riedel Rohde Roth Sander Sauer Schiller Schröder Schuster Seidel Simon Stahl Steiner Thiele Ulrich Voigt '
	'Wagner Walter Wendt Winkler Zander Ziegler', ' ') AS name,
	string_to_array('Maschinenbau Präzisionstechnik Antriebstechnik Fördertechnik Verpackungen Pumpen Werkzeugbau '
	'Kunststofftechnik Stahlbau Anlagenbau Papierfabrik Molkerei Brauerei Getränke Lebensmittel Chemie Pharma Lacke '
	'Armaturen Hydraulik Pneumatik Druckguss Gießerei Textil Möbelwerke Holzwerke Keramik Glaswerke Energie Wasserwerke '
	'Logistik Automotive Fahrzeugteile Elektronik Messtechnik Medizintechnik Optik Solar Windkraft Recycling', ' ') AS trade,
	string_to_array('Andreas Anja Barbara Bernd Birgit Carsten Christian Christine Daniel Dirk Eva Frank Gabriele '
	'Heike Holger Ines Jan Jens Jürgen Karin Kerstin Klaus Lars Laura Maria Martin Matthias Monika Nina Oliver Petra '
	'Ralf Sabine Sandra Sebastian Silke Sven Thomas Ute Wolfgang', ' ') AS given;

CREATE TEMP TABLE customer_draw ON COMMIT DROP AS
SELECT n AS customer_no, -n AS key, NULL::integer AS lead_no, date :'start' - 30 - floor(pg_temp.dice(n, 30) * 2200)::integer AS day
FROM generate_series(1, 450) AS n
UNION ALL
SELECT 450 + row_number() OVER (ORDER BY deal_workday, lead_no), key, lead_no, w.day
FROM lead_more JOIN workday AS w ON w.no = deal_workday
WHERE NOT is_known;
ANALYZE lead_more, customer_draw;

INSERT INTO crm.customer
SELECT c.customer_no,
	format('%s %s %s', name[1 + (c.customer_no * 1231) % 3200 % 80], trade[1 + (c.customer_no * 1231) % 3200 / 80],
		   CASE WHEN p.segment = 'Enterprise' THEN (ARRAY['AG', 'SE', 'GmbH & Co. KG'])[1 + floor(3 * pg_temp.dice(c.key, 31))::integer]
				WHEN p.state IN ('Österreich', 'Schweiz') THEN 'GmbH'
				ELSE (ARRAY['GmbH', 'GmbH', 'GmbH & Co. KG', 'KG'])[1 + floor(4 * pg_temp.dice(c.key, 31))::integer] END),
	p.segment, p.state, p.territory, coalesce(l.channel, (ARRAY['Messe', 'Empfehlung', 'Partner', 'Kaltakquise', 'Website'])
		[1 + floor(5 * pg_temp.dice(c.key, 32))::integer]), l.campaign,
	pg_temp.office(c.day, CASE WHEN c.lead_no IS NULL THEN 0.5 ELSE 0 END)
FROM customer_draw AS c JOIN party AS p USING (key) LEFT JOIN lead_more AS l USING (key) CROSS JOIN word;

INSERT INTO crm.lead
SELECT l.lead_no, l.created_at,
	coalesce(c.company, format('%s & %s %s GmbH', name[1 + floor(80 * pg_temp.dice(l.key, 33))::integer],
			 name[1 + floor(80 * pg_temp.dice(l.key, 34))::integer], trade[1 + floor(40 * pg_temp.dice(l.key, 35))::integer])),
	900 + l.lead_no, c.customer_no, l.rep_no, l.state, l.channel, l.campaign,
	CASE WHEN a.answer < (date :'today')::timestamp AT TIME ZONE 'Europe/Berlin' AND pg_temp.dice(l.key, 36) < 0.93 THEN a.answer END,
	pg_temp.office(w.day, pg_temp.dice(l.key, 80))
FROM lead_more AS l
	CROSS JOIN word
	LEFT JOIN workday AS w ON w.no = l.deal_workday
	LEFT JOIN customer_draw AS d ON d.lead_no = l.lead_no
	LEFT JOIN crm.customer AS c ON c.customer_no = CASE WHEN l.is_known THEN l.known_customer ELSE d.customer_no END
	CROSS JOIN LATERAL (SELECT date_trunc('second', l.created_at + interval '1 hour' * exp(0.7 + 1.2 * pg_temp.bell(l.key, 37)))) AS a(answer);

INSERT INTO crm.contact
SELECT c.no, c.customer_no, given[1 + floor(40 * pg_temp.dice(c.no, 40))::integer], name[1 + floor(80 * pg_temp.dice(c.no, 41))::integer]
FROM (SELECT n AS no, (n + 1) / 2 AS customer_no FROM generate_series(1, 900) AS n
	  UNION ALL SELECT contact_no, customer_no FROM crm.lead) AS c CROSS JOIN word;

/*
 * ------------------------------------------------------------------- deals
 * Three origins: qualified leads; further needs of customers; and deals of the
 * half year before, of which the CRM took over those still open then.
 */
CREATE TEMP TABLE deal_draw ON COMMIT DROP AS
WITH origin AS
(
	SELECT key AS seed, lead_no, CASE WHEN is_known THEN known_customer END AS customer_no, deal_workday AS workday,
		channel, campaign, false AS is_repeat
	FROM lead_more WHERE deal_workday IS NOT NULL
	UNION ALL
	SELECT d.seed, NULL, 1 + floor(pg_temp.dice(d.seed, 51) * CASE WHEN m.no < 0 THEN 450 ELSE
			(SELECT count(*) FROM customer_draw WHERE day < m.first_day) END)::integer,
		m.first_workday + floor(pg_temp.dice(d.seed, 52) * m.workdays)::integer, NULL, NULL, true
	FROM month AS m
		CROSS JOIN LATERAL (SELECT 100000 + m.no * 1000 + k
							FROM generate_series(1, round((CASE WHEN m.no < 0 THEN 46 ELSE 25 END)
								* m.lead_season * power(1.16, m.no / 12.0))::integer) AS k) AS d(seed)
	WHERE m.no BETWEEN -6 AND 36
), owned AS
(
	SELECT o.seed, o.lead_no, o.workday, o.is_repeat, o.channel, o.campaign,
		w.day, c.customer_no, c.segment, c.state, c.territory, c.company,
		r.skill * least(1, 0.55 + 0.075 * (m.no - r.hired)) AS form,
		power(1.04, m.no / 12.0)::float8 AS inflation
	FROM origin AS o
		LEFT JOIN customer_draw AS d USING (lead_no)
		JOIN crm.customer AS c ON c.customer_no = coalesce(o.customer_no, d.customer_no)
		JOIN workday AS w ON w.no = o.workday
		JOIN month AS m ON w.day >= m.first_day AND w.day < m.first_day + interval '1 month'
		JOIN crm.territory_owner AS t ON t.territory = c.territory AND t.since <= w.day AND (t.until > w.day OR t.until IS NULL)
		JOIN person AS r ON r.no = t.rep_no
	WHERE o.workday < :horizon
), chance AS
(
	SELECT o.*, m.no AS ripe_month, form * power(m.order_season, 0.7) * (CASE WHEN is_repeat THEN 0.275 ELSE 0.225 END)
			* (CASE segment WHEN 'Enterprise' THEN 0.85 WHEN 'Mittelstand' THEN 1.0 ELSE 1.1 END) AS chance
	FROM owned AS o JOIN month AS m ON o.day + 40 >= m.first_day AND o.day + 40 < m.first_day + interval '1 month'
), decided AS
(
	/* Of those ripe in a month as many as their chances add up to, the luckiest first. */
	SELECT c.*, row_number() OVER (PARTITION BY ripe_month ORDER BY pg_temp.dice(seed, 53) / chance, seed)
			<= round(sum(chance) OVER (PARTITION BY ripe_month)) AS is_won
	FROM chance AS c
), timed AS
(
	SELECT d.*, (CASE segment WHEN 'Enterprise' THEN 42000 WHEN 'Mittelstand' THEN 22500 ELSE 9500 END * inflation
			* (CASE WHEN is_won THEN 0.93 ELSE 1.08 END) * exp(0.55 * pg_temp.bell(seed, 54)))::numeric AS rough_amount,
		3 + floor((CASE WHEN is_won THEN 25 ELSE 30 END) * (CASE segment WHEN 'Enterprise' THEN 1.4 WHEN 'Mittelstand' THEN 1.05 ELSE 0.75 END)
			* exp((CASE WHEN is_won THEN 0.72 ELSE 0.85 END) * pg_temp.bell(seed, 55)))::integer AS duration
	FROM decided AS d
)
SELECT t.*,
	round(rough_amount * CASE WHEN is_won THEN m.order_season::numeric ELSE 1 END, -1) AS amount,
	/* Hardly anybody signs in August and in the days before Christmas. */
	t.workday + t.duration + CASE WHEN NOT is_won THEN 0
		WHEN to_char(w.day, 'MMDD') >= '1210' AND pg_temp.dice(seed, 56) < 0.55 THEN 14
		WHEN to_char(w.day, 'MM') = '08' AND pg_temp.dice(seed, 56) < 0.35 THEN 20 ELSE 0 END AS end_workday,
	CASE WHEN is_won THEN 4 ELSE 1 + width_bucket(pg_temp.dice(seed, 57), ARRAY[0.25, 0.50, 0.80]::float8[]) END AS reach,
	CASE WHEN state = 'Schweiz' AND pg_temp.dice(customer_no, 58) < 0.7 THEN 'CHF'
		WHEN segment = 'Enterprise' AND pg_temp.dice(customer_no, 58) < 0.08 THEN 'USD' ELSE 'EUR' END AS currency
FROM timed AS t
	JOIN workday AS w ON w.no = t.workday + t.duration
	JOIN month AS m ON w.day >= m.first_day AND w.day < m.first_day + interval '1 month';

DELETE FROM deal_draw WHERE end_workday < (SELECT first_workday FROM month WHERE no = 0);
ALTER TABLE deal_draw ADD deal_no integer;
UPDATE deal_draw AS d SET deal_no = n.no
FROM (SELECT seed, row_number() OVER (ORDER BY workday, pg_temp.dice(seed, 59), seed) AS no FROM deal_draw) AS n
WHERE n.seed = d.seed;
ANALYZE deal_draw;

/*
 * The way through the stages: some are skipped, each lasts a working day at
 * least, and the shares of the time are uneven.
 */
CREATE TEMP TABLE step ON COMMIT DROP AS
WITH visit AS
(
	SELECT d.deal_no, d.seed, s.position, s.stage, d.workday, d.end_workday,
		row_number() OVER way AS no, count(*) OVER whole AS steps,
		coalesce(sum(0.3 + pg_temp.dice(d.seed, 60 + s.position)) OVER (way ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
			/ sum(0.3 + pg_temp.dice(d.seed, 60 + s.position)) OVER whole AS share
	FROM deal_draw AS d JOIN crm.deal_stage AS s ON s.position <= d.reach
	WHERE NOT (s.position = 1 AND d.reach > 1 AND d.is_repeat AND pg_temp.dice(d.seed, 70) < 0.30)
		AND NOT (s.position = 2 AND d.reach > 2 AND pg_temp.dice(d.seed, 71) < 0.22)
		AND NOT (s.position = 4 AND d.is_won AND pg_temp.dice(d.seed, 72) < 0.30)
	WINDOW whole AS (PARTITION BY d.deal_no), way AS (PARTITION BY d.deal_no ORDER BY s.position)
), begun AS
(
	SELECT *, (CASE WHEN no = 1 THEN workday ELSE workday + no - 1 + floor((end_workday - workday - steps) * share) END)::integer AS since
	FROM visit
)
SELECT *, lead(since, 1, end_workday) OVER (PARTITION BY deal_no ORDER BY no) AS until
FROM begun;
DELETE FROM step WHERE since >= :horizon;
ANALYZE step;

/*
 * The log.  An interval is cut where the territory changes hands, and where
 * the expected day of closing has passed and somebody enters a new one.
 * The amount of the first stages is a rough guess.
 */
WITH spell AS
(
	SELECT s.deal_no, s.stage, s.position, d.amount, d.territory, d.seed, d.is_won,
		pg_temp.office(b.day, pg_temp.dice(d.seed, CASE WHEN s.no = 1 THEN 80 ELSE 80 + s.position END)) AS since,
		CASE WHEN s.until < :horizon THEN pg_temp.office(e.day, pg_temp.dice(d.seed, CASE WHEN s.no < s.steps THEN 80 + nxt.position ELSE 85 END)) END AS until,
		greatest(w.day + 45 + floor(pg_temp.dice(d.seed, 90) * 45)::integer,
				 b.day + (ARRAY[50, 38, 26, 14])[s.position] + floor(pg_temp.dice(d.seed, 90 + s.position) * 20)::integer) AS due_on
	FROM step AS s
		JOIN deal_draw AS d USING (deal_no)
		JOIN workday AS w ON w.no = d.workday
		JOIN workday AS b ON b.no = s.since
		JOIN workday AS e ON e.no = s.until
		LEFT JOIN step AS nxt ON nxt.deal_no = s.deal_no AND nxt.no = s.no + 1
), dated AS
(
	SELECT s.deal_no, s.stage, s.position, s.amount, s.territory, s.seed, part.*
	FROM spell AS s
		CROSS JOIN LATERAL (SELECT CASE WHEN pg_temp.dice(s.seed, 95) < 0.8 THEN pg_temp.office(s.due_on + 2, pg_temp.dice(s.seed, 96)) END) AS c(cut)
		CROSS JOIN LATERAL (
			SELECT s.since, coalesce(c.cut, s.until), s.due_on
			WHERE c.cut < coalesce(s.until, (date :'today')::timestamp AT TIME ZONE 'Europe/Berlin')
			UNION ALL
			SELECT c.cut, s.until, s.due_on + 35 + floor(pg_temp.dice(s.seed, 97) * 60)::integer
			WHERE c.cut < coalesce(s.until, (date :'today')::timestamp AT TIME ZONE 'Europe/Berlin')
			UNION ALL
			SELECT s.since, s.until, s.due_on
			WHERE c.cut IS NULL OR c.cut >= coalesce(s.until, (date :'today')::timestamp AT TIME ZONE 'Europe/Berlin')) AS part(since, until, due_on)
)
INSERT INTO crm.deal_stage_log
SELECT d.deal_no, greatest(d.since, o.since::timestamp AT TIME ZONE 'Europe/Berlin'),
	least(d.until, o.until::timestamp AT TIME ZONE 'Europe/Berlin'), d.stage, o.rep_no,
	CASE WHEN d.position < 3 THEN round(d.amount * (0.8 + 0.4 * pg_temp.dice(d.seed, 98))::numeric, -2) ELSE d.amount END,
	s.percent + CASE WHEN pg_temp.dice(d.seed, 99) < 0.25 THEN 5 WHEN pg_temp.dice(d.seed, 99) < 0.40 THEN -5 ELSE 0 END,
	d.due_on
FROM dated AS d
	JOIN crm.deal_stage AS s USING (stage)
	JOIN crm.territory_owner AS o ON o.territory = d.territory
		AND (d.until IS NULL OR o.since::timestamp AT TIME ZONE 'Europe/Berlin' < d.until)
		AND (o.until IS NULL OR o.until::timestamp AT TIME ZONE 'Europe/Berlin' > d.since)
WHERE o.since < date :'today';

/* A territory's owner until a day still to come owns the row as of today. */
UPDATE crm.deal_stage_log SET until = NULL WHERE until >= (date :'today')::timestamp AT TIME ZONE 'Europe/Berlin';

INSERT INTO crm.deal_stage_log
SELECT DISTINCT ON (l.deal_no) l.deal_no, l.until, NULL, CASE WHEN d.is_won THEN 'Gewonnen' ELSE 'Verloren' END,
	l.rep_no, l.amount, CASE WHEN d.is_won THEN 100 ELSE 0 END, (l.until AT TIME ZONE 'Europe/Berlin')::date
FROM crm.deal_stage_log AS l JOIN deal_draw AS d USING (deal_no)
WHERE d.end_workday < :horizon
ORDER BY l.deal_no, l.since DESC;

/* Won means won at the amount agreed on. */
UPDATE crm.deal_stage_log AS l SET amount = d.amount
FROM deal_draw AS d
WHERE d.deal_no = l.deal_no AND l.stage = 'Gewonnen';

INSERT INTO crm.deal
SELECT d.deal_no,
	format('%s %s', (ARRAY['Sensorik', 'Condition Monitoring', 'Retrofit', 'Gateway-Ausbau', 'Pilotlinie', 'Rahmenvertrag'])
		[1 + floor(6 * pg_temp.dice(d.seed, 100))::integer], regexp_replace(d.company, ' (GmbH.*|AG|SE|KG)$', '')),
	d.customer_no, d.lead_no, l.rep_no, p.sku, d.channel, d.campaign, f.created_at,
	CASE WHEN d.is_repeat AND pg_temp.dice(d.seed, 101) < 0.4 THEN f.created_at - interval '1 hour' * floor(30 + 400 * pg_temp.dice(d.seed, 102)) END,
	l.amount, d.currency, l.stage, l.percent, l.due_on,
	CASE WHEN d.end_workday >= :horizon THEN 'offen' WHEN d.is_won THEN 'gewonnen' ELSE 'verloren' END,
	CASE WHEN d.end_workday < :horizon THEN l.since END,
	CASE WHEN d.end_workday < :horizon AND NOT d.is_won
		THEN (ARRAY['Preis', 'Wettbewerb', 'Budget gestrichen', 'Keine Rückmeldung', 'Projekt verschoben', 'Funktion fehlt'])
			[1 + width_bucket(pg_temp.dice(d.seed, 103), ARRAY[0.27, 0.48, 0.62, 0.80, 0.92]::float8[])] END
FROM deal_draw AS d
	JOIN (SELECT DISTINCT ON (deal_no) * FROM crm.deal_stage_log ORDER BY deal_no, since DESC) AS l USING (deal_no)
	JOIN (SELECT deal_no, min(since) AS created_at FROM crm.deal_stage_log GROUP BY deal_no) AS f USING (deal_no)
	JOIN (SELECT sku, row_number() OVER (ORDER BY sku) AS no FROM crm.product) AS p
		ON p.no = 1 + floor(25 * pg_temp.dice(d.seed, 104));
CREATE INDEX ON crm.deal_stage_log (deal_no, since);
ANALYZE crm.deal, crm.deal_stage_log, crm.customer, crm.territory_owner;

/*
 * ------------------------------------------------------------------ orders
 * One for each deal won, at once; and repeat orders of those who buy already,
 * more or less often, until one day they don't.
 */
CREATE TEMP TABLE buyer ON COMMIT DROP AS
SELECT c.customer_no, c.segment, c.territory, c.state, b.since,
	b.since + floor(-110 * ln(1 - pg_temp.dice(c.customer_no, 110)))::integer AS until,
	(CASE c.segment WHEN 'Enterprise' THEN 0.22 WHEN 'Mittelstand' THEN 0.13 ELSE 0.08 END)
		* exp(0.6 * pg_temp.bell(c.customer_no, 111)) AS per_month
FROM crm.customer AS c
	JOIN (SELECT customer_no, min(month_no) AS since
		  FROM (SELECT n AS customer_no, -1 AS month_no FROM generate_series(1, 450) AS n
				UNION ALL
				SELECT d.customer_no, m.no FROM crm.deal AS d
					JOIN month AS m ON (d.closed_at AT TIME ZONE 'Europe/Berlin')::date >= m.first_day
						AND (d.closed_at AT TIME ZONE 'Europe/Berlin')::date < m.first_day + interval '1 month'
				WHERE d.state = 'gewonnen') AS first_month
		  GROUP BY customer_no) AS b USING (customer_no);
ANALYZE buyer;

CREATE TEMP TABLE order_draw ON COMMIT DROP AS
SELECT o.*, row_number() OVER (ORDER BY ordered_at, seed)::integer AS order_no
FROM (SELECT d.deal_no AS seed, d.closed_at + interval '1 minute' * (5 + floor(50 * pg_temp.dice(d.deal_no, 120))) AS ordered_at,
			 d.customer_no, c.segment, d.deal_no, d.rep_no, d.currency, d.amount
	  FROM crm.deal AS d JOIN crm.customer AS c USING (customer_no)
	  WHERE d.state = 'gewonnen'
	  UNION ALL
	  SELECT r.seed, pg_temp.office(w.day, pg_temp.dice(r.seed, 121)), r.customer_no, r.segment, NULL, t.rep_no,
			 CASE WHEN r.state = 'Schweiz' AND pg_temp.dice(r.customer_no, 58) < 0.7 THEN 'CHF'
				WHEN r.segment = 'Enterprise' AND pg_temp.dice(r.customer_no, 58) < 0.08 THEN 'USD' ELSE 'EUR' END,
			 round((r.median * exp(0.7 * pg_temp.bell(r.seed, 122)))::numeric, 2)
	  FROM (SELECT b.*, m.first_workday, m.workdays, b.customer_no * 100 + m.no + 1000000 AS seed,
				   (CASE b.segment WHEN 'Enterprise' THEN 4900 WHEN 'Mittelstand' THEN 2500 ELSE 950 END)
						* power(1.04, m.no / 12.0)::float8 AS median
			FROM buyer AS b JOIN month AS m ON m.no > b.since AND m.no BETWEEN 0 AND 36 AND m.no <= b.until
			WHERE pg_temp.dice(b.customer_no * 100 + m.no, 123) < b.per_month * m.order_season * power(1.05, m.no / 12.0)) AS r
		JOIN workday AS w ON w.no = r.first_workday + floor(pg_temp.dice(r.seed, 124) * r.workdays)::integer
		JOIN crm.territory_owner AS t ON t.territory = r.territory AND t.since <= w.day AND (t.until > w.day OR t.until IS NULL)
	  WHERE w.no < :horizon) AS o;
ANALYZE order_draw;

INSERT INTO crm.sales_order
SELECT order_no, 'Auftrag', ordered_at, customer_no, deal_no, NULL, rep_no, currency
FROM order_draw;

/* The lines share the order's amount to the cent; the first takes what rounding leaves. */
WITH line AS
(
	SELECT o.order_no, o.seed, o.segment, o.amount, o.ordered_at, l.line_no, p.*,
		(0.25 + pg_temp.dice(o.seed, 130 + l.line_no)) * (CASE p.product_line WHEN 'Gateways' THEN 1.4
			WHEN 'Sensoren' THEN 1.1 WHEN 'Software' THEN 0.9 ELSE 0.4 END) AS weight
	FROM order_draw AS o
		CROSS JOIN LATERAL generate_series(1, CASE WHEN o.deal_no IS NULL THEN 1 + floor(4 * pg_temp.dice(o.seed, 129))::integer
											ELSE 2 + floor(5 * pg_temp.dice(o.seed, 129))::integer END) AS l(line_no)
		JOIN (SELECT *, row_number() OVER (ORDER BY sku) - 1 AS no FROM crm.product) AS p
			ON p.no = (floor(25 * pg_temp.dice(o.seed, 128))::integer + 7 * l.line_no) % 25
), shared AS
(
	SELECT *, round((amount * weight / sum(weight) OVER (PARTITION BY order_no))::numeric, 2) AS part
	FROM line
), settled AS
(
	SELECT *, part + CASE WHEN line_no = 1 THEN amount - sum(part) OVER (PARTITION BY order_no) ELSE 0 END AS net
	FROM shared
)
INSERT INTO crm.order_line
SELECT order_no, line_no, sku, greatest(1, round(net / list_price)), net,
	CASE WHEN pg_temp.dice(seed, 140 + line_no) >= 0.05
		THEN round(net * unit_cost / list_price * (CASE segment WHEN 'Enterprise' THEN 1.14 WHEN 'Mittelstand' THEN 1.09 ELSE 1.03 END
				* (1.02 + 0.08 * pg_temp.bell(seed, 150 + line_no)))::numeric, 2) END
FROM settled;

/* Now and then a line goes back, whole or in part, in the weeks after. */
WITH credit AS
(
	SELECT o.*, l.line_no, l.sku, l.quantity, l.net_amount, l.cost, w.day,
		(ARRAY[1.0, 0.5, 0.2])[1 + floor(3 * pg_temp.dice(o.seed, 162))::integer] AS share,
		(SELECT count(*) FROM order_draw) + row_number() OVER (ORDER BY o.order_no) AS credit_no
	FROM order_draw AS o
		JOIN crm.order_line AS l ON l.order_no = o.order_no AND l.line_no = 1
		JOIN workday AS w ON w.day = (o.ordered_at AT TIME ZONE 'Europe/Berlin')::date + 14 + floor(30 * pg_temp.dice(o.seed, 161))::integer
	WHERE pg_temp.dice(o.seed, 160) < 0.035 AND w.no < :horizon
), head AS
(
	INSERT INTO crm.sales_order
	SELECT credit_no, 'Gutschrift', pg_temp.office(day, pg_temp.dice(seed, 163)), customer_no, deal_no, order_no, rep_no, currency
	FROM credit
)
INSERT INTO crm.order_line
SELECT credit_no, 1, sku, -greatest(1, round(quantity * share)), -round(net_amount * share, 2), -round(cost * share, 2)
FROM credit;

/* A credit note is written by the rep in charge then, not by the one who sold. */
UPDATE crm.sales_order AS o SET rep_no = t.rep_no
FROM crm.customer AS c, crm.territory_owner AS t
WHERE o.kind = 'Gutschrift' AND c.customer_no = o.customer_no AND t.territory = c.territory
	AND t.since <= (o.ordered_at AT TIME ZONE 'Europe/Berlin')::date
	AND (t.until > (o.ordered_at AT TIME ZONE 'Europe/Berlin')::date OR t.until IS NULL);

/*
 * ------------------------------------------------------------------ offers
 * A deal that reaches "Angebot" gets one to four, each rejecting the one
 * before it; a third of the repeat orders were offered too.
 */
WITH asked AS
(
	SELECT s.deal_no, d.seed, v.no, v.versions, deal.customer_no, deal.sku, deal.currency, d.amount, d.is_won, t.rep_no,
		deal.closed_at, b.no AS sent_workday,
		lead(b.no) OVER (PARTITION BY s.deal_no ORDER BY v.no) AS next_workday
	FROM (SELECT deal_no, min(since) AS since, max(until) AS until FROM step WHERE position >= 3 GROUP BY deal_no) AS s
		JOIN deal_draw AS d USING (deal_no)
		JOIN crm.deal AS deal USING (deal_no)
		CROSS JOIN LATERAL (SELECT n, 1 + floor(3.2 * pg_temp.dice(d.seed, 170))::integer FROM generate_series(1, 4) AS n) AS v(no, versions)
		JOIN workday AS b ON b.no = s.since + floor((s.until - s.since) * (v.no - 1)::float8 / v.versions)::integer
		JOIN crm.territory_owner AS t ON t.territory = d.territory AND t.since <= b.day AND (t.until > b.day OR t.until IS NULL)
	WHERE v.no <= v.versions AND b.no < :horizon
), offered AS
(
	SELECT deal_no, customer_no, rep_no, sku, sent_workday, seed + asked.no * 3000000 AS seed,
		round(amount * (1 + (versions - asked.no) * 0.04), 2) AS amount, currency,
		CASE WHEN next_workday IS NOT NULL THEN pg_temp.office(w.day, 0)
			WHEN closed_at IS NOT NULL THEN closed_at END AS decided_at,
		CASE WHEN next_workday IS NOT NULL THEN 'abgelehnt' WHEN closed_at IS NULL THEN 'versendet'
			WHEN is_won THEN 'angenommen' WHEN pg_temp.dice(seed, 171) < 0.4 THEN 'abgelaufen' ELSE 'abgelehnt' END AS state
	FROM asked LEFT JOIN workday AS w ON w.no = next_workday
	UNION ALL
	SELECT NULL, o.customer_no, t.rep_no, l.sku, w.no - 2 - floor(6 * pg_temp.dice(o.seed, 172))::integer, o.seed + 9000000, o.amount, o.currency,
		o.ordered_at, 'angenommen'
	FROM order_draw AS o
		JOIN crm.order_line AS l ON l.order_no = o.order_no AND l.line_no = 1
		JOIN workday AS w ON w.day = (o.ordered_at AT TIME ZONE 'Europe/Berlin')::date
		JOIN crm.customer AS c ON c.customer_no = o.customer_no
		JOIN workday AS b ON b.no = w.no - 2 - floor(6 * pg_temp.dice(o.seed, 172))::integer
		JOIN crm.territory_owner AS t ON t.territory = c.territory AND t.since <= b.day AND (t.until > b.day OR t.until IS NULL)
	WHERE o.deal_no IS NULL AND pg_temp.dice(o.seed, 173) < 0.33
	UNION ALL
	SELECT deal_no, d.customer_no, d.rep_no, d.sku, :horizon, deal_no + 90000000, d.amount, d.currency, NULL, 'Entwurf'
	FROM crm.deal AS d
	WHERE state = 'offen' AND stage IN ('Bedarfsanalyse', 'Angebot') AND pg_temp.dice(deal_no, 174) < 0.5
)
INSERT INTO crm.offer
SELECT row_number() OVER (ORDER BY o.sent_workday, o.seed), o.deal_no, o.customer_no, o.rep_no, o.sku,
	CASE WHEN o.state <> 'Entwurf' THEN least(pg_temp.office(w.day, pg_temp.dice(o.seed, 175)), o.decided_at - interval '30 minutes') END,
	o.decided_at, o.state, o.amount, o.currency
FROM offered AS o JOIN workday AS w ON w.no = o.sent_workday;

/*
 * ------------------------------------------------------------- touchpoints
 * What a rep does, with whom and for what: the follow-up of a lead, the work
 * on a deal, the care of a customer; demos and trials of deals, onboardings
 * of new orders.  A rep's drive thins them out, a newcomer's zeal does not.
 * `pace` counts working days after the beginning.
 */
CREATE TEMP TABLE touch_draw ON COMMIT DROP AS
WITH touch AS
(
	SELECT l.key * 50 + n AS seed, l.territory, l.lead_no, NULL::integer AS deal_no, known.customer_no, 900 + l.lead_no AS contact_no,
		l.workday + (n - 1) * 3 + floor(3 * pg_temp.dice(l.key * 50 + n, 180))::integer AS workday,
		CASE WHEN n = 1 THEN (ARRAY['E-Mail', 'Anruf', 'LinkedIn'])
				[1 + width_bucket(pg_temp.dice(l.key, 181), CASE l.channel WHEN 'LinkedIn' THEN ARRAY[0.15, 0.3] ELSE ARRAY[0.5, 0.92] END::float8[])]
			ELSE (ARRAY['E-Mail', 'Anruf', 'LinkedIn', 'Termin', 'Sonstiges'])
				[1 + width_bucket(pg_temp.dice(l.key * 50 + n, 182), ARRAY[0.44, 0.86, 0.94, 0.98]::float8[])] END AS kind
	FROM lead_more AS l JOIN crm.lead AS known USING (lead_no)
		CROSS JOIN LATERAL generate_series(1, 1 + floor(7 * pg_temp.dice(l.key, 183))::integer) AS n
	UNION ALL
	SELECT d.seed * 50 + n + 20000000, d.territory, NULL, d.deal_no, d.customer_no,
		coalesce(900 + c.lead_no, 2 * d.customer_no - (pg_temp.dice(d.seed * 50 + n, 184) < 0.4)::integer),
		d.workday + (n - 1) * 2 + floor(3 * pg_temp.dice(d.seed * 50 + n, 185))::integer,
		(ARRAY['Anruf', 'E-Mail', 'Termin', 'LinkedIn', 'Sonstiges'])
			[1 + width_bucket(pg_temp.dice(d.seed * 50 + n, 186), ARRAY[0.41, 0.82, 0.94, 0.97]::float8[])]
	FROM deal_draw AS d JOIN customer_draw AS c USING (customer_no)
		CROSS JOIN LATERAL generate_series(1, least(22, 1 + (least(d.end_workday, :horizon) - d.workday) / 2)) AS n
	UNION ALL
	SELECT b.customer_no * 100 + m.no + 60000000, b.territory, NULL, NULL, b.customer_no,
		coalesce(900 + c.lead_no, 2 * b.customer_no - (pg_temp.dice(b.customer_no * 100 + m.no, 187) < 0.4)::integer),
		m.first_workday + floor(pg_temp.dice(b.customer_no * 100 + m.no, 188) * m.workdays)::integer,
		(ARRAY['Anruf', 'E-Mail', 'Termin'])[1 + width_bucket(pg_temp.dice(b.customer_no * 100 + m.no, 189), ARRAY[0.5, 0.9]::float8[])]
	FROM buyer AS b JOIN customer_draw AS c USING (customer_no)
		JOIN month AS m ON m.no >= b.since AND m.no BETWEEN 0 AND 36 AND m.no <= b.until
	WHERE pg_temp.dice(b.customer_no * 100 + m.no, 190) < 0.5
	UNION ALL
	SELECT s.deal_no + k.base, d.territory, NULL, s.deal_no, d.customer_no, coalesce(900 + c.lead_no, 2 * d.customer_no),
		s.since + 1 + floor(k.spread * pg_temp.dice(s.deal_no + k.base, 191))::integer, k.kind
	FROM (VALUES ('Demo', 70000000, 2, 5, 0.62), ('Demo', 71000000, 3, 8, 0.30), ('Testphase', 72000000, 3, 3, 0.22))
			AS k(kind, base, position, spread, share)
		JOIN step AS s ON s.position = k.position
		JOIN deal_draw AS d USING (deal_no) JOIN customer_draw AS c USING (customer_no)
	WHERE pg_temp.dice(s.deal_no + k.base, 192) < k.share
	UNION ALL
	SELECT d.deal_no + 73000000 + n, d.territory, NULL, d.deal_no, d.customer_no, coalesce(900 + c.lead_no, 2 * d.customer_no),
		d.end_workday + 4 * n + floor(6 * pg_temp.dice(d.deal_no + n, 193))::integer, 'Onboarding'
	FROM deal_draw AS d JOIN customer_draw AS c USING (customer_no)
		CROSS JOIN LATERAL generate_series(1, 1 + (d.amount > 20000)::integer) AS n
	WHERE d.is_won AND d.end_workday < :horizon AND pg_temp.dice(d.deal_no, 194) < 0.8
)
SELECT t.*, w.day, o.rep_no
FROM touch AS t
	JOIN workday AS w ON w.no = t.workday
	JOIN crm.territory_owner AS o ON o.territory = t.territory AND o.since <= w.day AND (o.until > w.day OR o.until IS NULL)
	JOIN person AS p ON p.no = o.rep_no
WHERE (t.workday < :horizon OR t.kind IN ('Demo', 'Onboarding') AND t.workday < :horizon + 15)
	AND w.day >= date :'start'
	AND (t.kind IN ('Demo', 'Testphase', 'Onboarding') OR pg_temp.dice(t.seed, 195) < 0.92 * p.drive);

INSERT INTO crm.touchpoint
SELECT row_number() OVER (ORDER BY t.at, t.seed), t.kind, t.at,
	CASE WHEN t.kind IN ('Demo', 'Onboarding', 'Termin') THEN t.at - interval '1 day' * (2 + floor(9 * pg_temp.dice(t.seed, 197))) END,
	CASE WHEN t.workday >= :horizon THEN 'geplant'
		WHEN t.kind IN ('Demo', 'Onboarding', 'Termin') THEN
			(ARRAY['erledigt', 'nicht erschienen', 'abgesagt'])
				[1 + width_bucket(pg_temp.dice(t.seed, 198), CASE t.kind WHEN 'Demo' THEN ARRAY[0.82, 0.94] ELSE ARRAY[0.90, 0.95] END::float8[])]
		WHEN t.kind = 'Anruf' AND pg_temp.dice(t.seed, 198) < 0.04 THEN 'abgesagt'
		WHEN pg_temp.dice(t.seed, 199) < 0.9 THEN 'erledigt' END,
	t.incoming,
	CASE WHEN t.kind IN ('E-Mail', 'LinkedIn') AND NOT t.incoming THEN pg_temp.dice(t.seed, 201) < 0.965 END,
	CASE WHEN NOT t.incoming AND pg_temp.dice(t.seed, 201) < 0.965 AND t.answer < (date :'today')::timestamp AT TIME ZONE 'Europe/Berlin'
			AND pg_temp.dice(t.seed, 202) < (CASE t.kind WHEN 'E-Mail' THEN 0.15 WHEN 'LinkedIn' THEN 0.19 WHEN 'Anruf' THEN 0.08 ELSE 0 END)
		THEN t.answer END,
	t.rep_no, t.contact_no, t.customer_no, t.lead_no, t.deal_no
FROM (SELECT d.*, a.at, date_trunc('minute', a.at + interval '1 hour' * (0.2 + exp(2.6 + 1.1 * pg_temp.bell(d.seed, 203)))) AS answer,
			 d.kind IN ('Anruf', 'E-Mail') AND pg_temp.dice(d.seed, 200) < 0.12 AS incoming
	  FROM touch_draw AS d
		CROSS JOIN LATERAL (SELECT pg_temp.office(d.day, pg_temp.dice(d.seed, 196))) AS a(at)) AS t;

/* Nobody writes to a lead before there is one. */
UPDATE crm.touchpoint AS t SET happened_at = l.created_at + interval '20 minutes',
	booked_at = l.created_at + interval '5 minutes' + (t.booked_at - t.booked_at),
	answered_at = greatest(t.answered_at, l.created_at + interval '1 hour' + (t.answered_at - t.answered_at))
FROM crm.lead AS l
WHERE l.lead_no = t.lead_no AND t.happened_at < l.created_at;

/*
 * --------------------------------------------------- subscriptions and costs
 * A contract walks from price to price: a trial, then every few months more
 * devices, fewer, a pause, a rise in price, or the end; some come back.
 */
WITH RECURSIVE contract AS
(
	SELECT row_number() OVER (ORDER BY first_month, customer_no)::integer AS contract_no, *
	FROM (SELECT b.customer_no, b.territory, b.segment, b.state,
				 CASE WHEN b.since < 0 THEN (CASE WHEN pg_temp.dice(b.customer_no, 211) < 0.45
						THEN -1 - floor(18 * pg_temp.dice(b.customer_no, 212)) ELSE floor(30 * pg_temp.dice(b.customer_no, 212)) END)::integer
					ELSE b.since + 1 + floor(4 * pg_temp.dice(b.customer_no, 212))::integer END AS first_month,
				 pg_temp.dice(b.customer_no, 213) < 0.35 AS is_yearly,
				 1 + floor(3.3 * pg_temp.dice(b.customer_no, 214))::integer AS tier,
				 (CASE b.segment WHEN 'Enterprise' THEN 10.5 WHEN 'Mittelstand' THEN 4.8 ELSE 2.4 END)
					* exp(0.4 * pg_temp.bell(b.customer_no, 215)) AS devices
		  FROM buyer AS b
		  WHERE pg_temp.dice(b.customer_no, 210) < 0.8) AS signed
	WHERE first_month <= 36
), walk AS
(
	SELECT c.contract_no, 0 AS no, c.first_month AS from_month,
		c.first_month + CASE WHEN pg_temp.dice(c.contract_no, 220) < 0.4 AND c.first_month >= 0 THEN 1
			ELSE 4 + floor(10 * pg_temp.dice(c.contract_no, 221))::integer END AS to_month,
		CASE WHEN pg_temp.dice(c.contract_no, 220) < 0.4 AND c.first_month >= 0 THEN 'Test' ELSE 'aktiv' END AS state,
		least(c.tier, 4) AS tier, c.devices, 'Beginn' AS event
	FROM contract AS c
	UNION ALL
	SELECT w.contract_no, w.no + 1,
		w.to_month + CASE WHEN w.event = 'Ende' THEN 0 WHEN e.event = 'Rückkehr' THEN 3 ELSE 0 END,
		w.to_month + CASE e.event WHEN 'Pause' THEN 2 WHEN 'Rückkehr' THEN 12 ELSE 4 + floor(11 * pg_temp.dice(w.contract_no * 50 + w.no, 222))::integer END,
		CASE e.event WHEN 'Pause' THEN 'pausiert' WHEN 'Ende' THEN 'Ende' ELSE 'aktiv' END,
		CASE e.event WHEN 'Upgrade' THEN least(4, w.tier + 1) WHEN 'Downgrade' THEN greatest(1, w.tier - 1) ELSE w.tier END,
		w.devices * CASE e.event WHEN 'mehr' THEN 1.25 WHEN 'weniger' THEN 0.8 WHEN 'Preis' THEN 1.035 ELSE 1 END,
		e.event
	FROM walk AS w
		CROSS JOIN LATERAL (SELECT CASE
			WHEN w.state = 'Test' THEN CASE WHEN pg_temp.dice(w.contract_no * 50 + w.no, 223) < 0.3 THEN 'Ende' ELSE 'Beginn' END
			WHEN w.state = 'pausiert' THEN CASE WHEN pg_temp.dice(w.contract_no * 50 + w.no, 223) < 0.25 THEN 'Ende' ELSE 'weiter' END
			WHEN w.state = 'Ende' THEN 'Rückkehr'
			ELSE (ARRAY['mehr', 'Upgrade', 'weniger', 'Downgrade', 'Pause', 'Ende', 'Preis'])
				[1 + width_bucket(pg_temp.dice(w.contract_no * 50 + w.no, 223), ARRAY[0.30, 0.42, 0.49, 0.54, 0.60, 0.71]::float8[])] END) AS e(event)
	WHERE w.to_month <= 36 AND (w.state <> 'Ende' OR pg_temp.dice(w.contract_no, 224) < 0.15 AND w.no < 6)
), priced AS
(
	SELECT w.*, c.customer_no, c.territory, c.state AS land, c.is_yearly,
		lead(w.state) OVER contract_way AS next_state,
		(date :'start' + w.from_month * interval '1 month')::date AS since,
		(date :'start' + w.to_month * interval '1 month')::date AS until
	FROM walk AS w JOIN contract AS c USING (contract_no)
	WINDOW contract_way AS (PARTITION BY w.contract_no ORDER BY w.no)
)
INSERT INTO crm.contract_price
SELECT p.contract_no, p.since::timestamp AT TIME ZONE 'Europe/Berlin',
	CASE WHEN p.until <= date :'today' OR p.next_state = 'Ende' THEN p.until::timestamp AT TIME ZONE 'Europe/Berlin' END,
	p.customer_no, (ARRAY['Gateway Connect', 'Monitoring Basic', 'Monitoring Pro', 'Predictive Suite'])[p.tier], p.state,
	round(((ARRAY[79, 139, 249, 490])[p.tier] * p.devices * CASE WHEN p.is_yearly THEN 12 * 0.9 ELSE 1 END)::numeric, 0),
	CASE WHEN p.land = 'Schweiz' AND pg_temp.dice(p.customer_no, 58) < 0.7 THEN 'CHF' ELSE 'EUR' END,
	CASE WHEN p.is_yearly THEN 'jährlich' ELSE 'monatlich' END, t.rep_no,
	CASE WHEN p.next_state = 'Ende' THEN pg_temp.office(p.until - 20 - floor(40 * pg_temp.dice(p.contract_no, 225))::integer, 0.4) END,
	CASE WHEN p.next_state = 'Ende' THEN (ARRAY['Preis', 'Zu wenig genutzt', 'Wettbewerb', 'Werk geschlossen'])[1 + floor(4 * pg_temp.dice(p.contract_no, 226))::integer] END
FROM priced AS p
	JOIN crm.territory_owner AS t ON t.territory = p.territory AND t.since <= p.since AND (t.until > p.since OR t.until IS NULL)
WHERE p.state <> 'Ende' AND p.since < date :'today';

INSERT INTO crm.spending
SELECT row_number() OVER (ORDER BY first_day, no, channel, campaign), first_day, last_day, department, category, channel, campaign,
	round(amount::numeric, 2), currency
FROM (SELECT m.first_day, (m.first_day + interval '1 month - 1 day')::date AS last_day, k.no, k.department, k.category,
			 k.channel, k.campaign, k.amount * power(1.06, m.no / 12.0) * (1 + k.spread * pg_temp.bell(m.no + 10, 230 + k.no)) AS amount, k.currency
	  FROM month AS m
		CROSS JOIN (VALUES
			(1, 'Vertrieb', 'Gehälter', NULL, NULL, 68000, 0.01, 'EUR'), (2, 'Vertrieb', 'Reisen', NULL, NULL, 5200, 0.2, 'EUR'),
			(3, 'Vertrieb', 'Werkzeuge', NULL, NULL, 1900, 0.05, 'USD'), (4, 'Marketing', 'Gehälter', NULL, NULL, 14500, 0.01, 'EUR'),
			(5, 'Marketing', 'Anzeigen', 'Website', 'Google Ads Gateways', 3800, 0.15, 'EUR'),
			(6, 'Marketing', 'Inhalte', 'Website', 'Webinar Predictive Maintenance', 1600, 0.2, 'EUR'),
			(7, 'Marketing', 'Provisionen', 'Partner', 'Partnerprogramm', 2400, 0.25, 'EUR'),
			(8, 'Marketing', 'Adressen', 'Kaltakquise', 'Outbound Lebensmittel', 700, 0.1, 'EUR'),
			(9, 'Marketing', 'Agentur und PR', NULL, NULL, 4200, 0.15, 'EUR'), (10, 'Verwaltung', 'Gemeinkosten', NULL, NULL, 41000, 0.03, 'EUR'))
			AS k(no, department, category, channel, campaign, amount, spread, currency)
	  WHERE m.no BETWEEN 0 AND 36
	  UNION ALL
	  SELECT starts_on, ends_on, 20, 'Marketing', CASE channel WHEN 'Messe' THEN 'Messestand' ELSE 'Anzeigen' END, channel, campaign, budget, 'EUR'
	  FROM crm.campaign
	  WHERE budget IS NOT NULL AND ends_on >= date :'start' AND starts_on < date :'today') AS s;

/*
 * ------------------------------------------------------------------- plans
 * What was agreed on with each rep follows the rep's own level (without the
 * season, seven months around), the season, and what could be seen coming.
 * Teams carry a little less than the sum of their reps, the company a little
 * less than the sum of its teams.  Two quarters are planned ahead.
 */
CREATE TEMP TABLE sold ON COMMIT DROP AS
SELECT m.no, m.first_day, m.order_season, r.rep_no, t.team,
	coalesce(s.revenue, 0) AS revenue
FROM month AS m
	JOIN crm.sales_rep AS r ON r.hired_on <= m.first_day AND (r.left_on > m.first_day OR r.left_on IS NULL)
	JOIN crm.team_member AS t ON t.rep_no = r.rep_no AND t.since <= m.first_day AND (t.until > m.first_day OR t.until IS NULL)
	LEFT JOIN (SELECT o.rep_no, date_trunc('month', o.ordered_at AT TIME ZONE 'Europe/Berlin')::date AS first_day, sum(l.net_amount) AS revenue
			   FROM crm.sales_order AS o JOIN crm.order_line AS l USING (order_no)
			   GROUP BY 1, 2) AS s ON s.rep_no = r.rep_no AND s.first_day = m.first_day
WHERE m.no BETWEEN 0 AND 40;

WITH level AS
(
	SELECT a.no, a.first_day, a.rep_no, a.team, a.revenue,
		avg(b.revenue / b.order_season) * a.order_season * (1.03 + 0.10 * pg_temp.bell(a.rep_no * 100 + a.no / 3, 240)) AS usual
	FROM sold AS a JOIN sold AS b ON b.rep_no = a.rep_no AND b.no <= 35 AND b.no BETWEEN least(a.no, 33) - 3 AND least(a.no, 33) + 3
	GROUP BY a.no, a.first_day, a.rep_no, a.team, a.revenue, a.order_season
)
INSERT INTO crm.sales_plan
SELECT first_day, 'Person', rep_no::text,
	greatest(8000, round((CASE WHEN no < 36 THEN 0.42 * usual + 0.58 * revenue::float8 ELSE usual END)::numeric, -3))
FROM level;

INSERT INTO crm.sales_plan
SELECT p.month, 'Team', s.team, round(sum(p.amount) * 0.98, -3)
FROM crm.sales_plan AS p JOIN sold AS s ON s.first_day = p.month AND s.rep_no::text = p.member
GROUP BY p.month, s.team;

INSERT INTO crm.sales_plan
SELECT month, 'Gesamt', '', round(sum(amount) * 0.98, -4)
FROM crm.sales_plan
WHERE level = 'Team'
GROUP BY month;

/*
 * ------------------------------------------------------------ what went wrong
 * The mistakes of every CRM, a few of each kind.
 */
/* Closed before it was created. */
UPDATE crm.deal SET created_at = closed_at + interval '3 days' WHERE state = 'verloren' AND deal_no % 400 = 11;
/* An import without dates, amounts, chances. */
UPDATE crm.deal SET created_at = NULL WHERE state = 'offen' AND deal_no % 60 = 7;
UPDATE crm.deal SET amount = NULL WHERE state = 'offen' AND deal_no % 70 = 9;
UPDATE crm.deal SET percent = 130 WHERE state = 'offen' AND deal_no % 50 = 13;
UPDATE crm.deal_stage_log AS l SET amount = d.amount, percent = d.percent
FROM crm.deal AS d
WHERE d.deal_no = l.deal_no AND d.state = 'offen' AND l.until IS NULL AND (d.amount IS NULL OR d.percent = 130);
/* A state that nobody remembers the meaning of. */
UPDATE crm.deal SET state = 'ruht', closed_at = NULL WHERE state = 'verloren' AND deal_no % 600 = 17;
/* A log that runs backwards. */
INSERT INTO crm.deal_stage_log
SELECT deal_no, closed_at + interval '2 days', closed_at + interval '1 day', 'Verloren', rep_no, amount, 0, due_on
FROM crm.deal WHERE state = 'verloren' AND deal_no % 500 = 19;
/* Answered, or turned into a deal, before it came. */
UPDATE crm.lead SET became_deal_at = created_at - interval '1 day' WHERE became_deal_at IS NOT NULL AND lead_no % 1000 = 42;
UPDATE crm.offer SET decided_at = sent_at - interval '2 days' WHERE state = 'abgelehnt' AND offer_no % 900 = 23;
/* A machine from the nineties, and somebody's abbreviation. */
UPDATE crm.touchpoint SET kind = 'Fax' WHERE kind = 'Anruf' AND touch_no % 9000 = 77;
UPDATE crm.touchpoint SET kind = 'tel.' WHERE kind = 'Anruf' AND touch_no % 7000 = 99;
/* Orders in a currency that bookkeeping has no rate for, a sum from a broken spreadsheet. */
UPDATE crm.sales_order SET currency = 'SEK' WHERE currency = 'EUR' AND deal_no IS NULL AND kind = 'Auftrag' AND order_no % 700 = 31;
UPDATE crm.order_line SET net_amount = 'NaN' WHERE line_no = 4 AND order_no % 1500 = 501;
/* No address: their region is not known. */
UPDATE crm.customer SET state = NULL WHERE customer_no % 130 = 5;

/*
 * --------------------------------------------------------------------- keys
 */
ALTER TABLE crm.team_member ADD FOREIGN KEY (rep_no) REFERENCES crm.sales_rep;
ALTER TABLE crm.territory_owner ADD FOREIGN KEY (rep_no) REFERENCES crm.sales_rep;
ALTER TABLE crm.customer ADD FOREIGN KEY (state) REFERENCES crm.federal_state,
	ADD FOREIGN KEY (campaign) REFERENCES crm.campaign;
ALTER TABLE crm.contact ADD FOREIGN KEY (customer_no) REFERENCES crm.customer;
ALTER TABLE crm.lead ADD FOREIGN KEY (customer_no) REFERENCES crm.customer, ADD FOREIGN KEY (rep_no) REFERENCES crm.sales_rep,
	ADD FOREIGN KEY (contact_no) REFERENCES crm.contact, ADD FOREIGN KEY (campaign) REFERENCES crm.campaign;
ALTER TABLE crm.deal ADD FOREIGN KEY (customer_no) REFERENCES crm.customer, ADD FOREIGN KEY (lead_no) REFERENCES crm.lead,
	ADD FOREIGN KEY (rep_no) REFERENCES crm.sales_rep, ADD FOREIGN KEY (stage) REFERENCES crm.deal_stage,
	ADD FOREIGN KEY (campaign) REFERENCES crm.campaign, ADD FOREIGN KEY (sku) REFERENCES crm.product;
ALTER TABLE crm.deal_stage_log ADD FOREIGN KEY (deal_no) REFERENCES crm.deal, ADD FOREIGN KEY (stage) REFERENCES crm.deal_stage,
	ADD FOREIGN KEY (rep_no) REFERENCES crm.sales_rep;
ALTER TABLE crm.offer ADD FOREIGN KEY (deal_no) REFERENCES crm.deal, ADD FOREIGN KEY (customer_no) REFERENCES crm.customer,
	ADD FOREIGN KEY (rep_no) REFERENCES crm.sales_rep, ADD FOREIGN KEY (sku) REFERENCES crm.product;
ALTER TABLE crm.sales_order ADD FOREIGN KEY (customer_no) REFERENCES crm.customer, ADD FOREIGN KEY (deal_no) REFERENCES crm.deal,
	ADD FOREIGN KEY (credit_for) REFERENCES crm.sales_order, ADD FOREIGN KEY (rep_no) REFERENCES crm.sales_rep;
ALTER TABLE crm.order_line ADD FOREIGN KEY (order_no) REFERENCES crm.sales_order, ADD FOREIGN KEY (sku) REFERENCES crm.product;
ALTER TABLE crm.touchpoint ADD FOREIGN KEY (rep_no) REFERENCES crm.sales_rep, ADD FOREIGN KEY (contact_no) REFERENCES crm.contact,
	ADD FOREIGN KEY (customer_no) REFERENCES crm.customer, ADD FOREIGN KEY (lead_no) REFERENCES crm.lead,
	ADD FOREIGN KEY (deal_no) REFERENCES crm.deal;
ALTER TABLE crm.contract_price ADD FOREIGN KEY (customer_no) REFERENCES crm.customer, ADD FOREIGN KEY (rep_no) REFERENCES crm.sales_rep;
ALTER TABLE crm.spending ADD FOREIGN KEY (campaign) REFERENCES crm.campaign;
CREATE INDEX ON crm.touchpoint (happened_at);	-- as a CRM has that shows what is due

COMMIT;

ANALYZE crm.sales_rep, crm.team_member, crm.territory_owner, crm.federal_state, crm.campaign, crm.product, crm.customer,
	crm.contact, crm.lead, crm.deal_stage, crm.deal, crm.deal_stage_log, crm.offer, crm.sales_order, crm.order_line,
	crm.touchpoint, crm.contract_price, crm.spending, crm.fx_rate, crm.sales_plan;
