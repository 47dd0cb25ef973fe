/*
 * The demo's numbers, counted anew: plain SQL over the CRM's own tables, none
 * of the views in crm_kpi.  What happened is a row of "event"; the temporary
 * table "want" then has each measure by grain, period, dimension and member.
 *
 * A member is what the row itself says, else its deal, else its customer; a
 * team is that of the rep at the time.
 */
SET jit = off;	/* short queries that look dear */
SET work_mem = '64MB';

SELECT as_of FROM kpi_run WHERE outcome = 'done' ORDER BY run DESC LIMIT 1 \gset

CREATE FUNCTION pg_temp.day(at timestamptz) RETURNS date LANGUAGE sql STABLE
RETURN (at AT TIME ZONE 'Europe/Berlin')::date;

CREATE FUNCTION pg_temp.midnight(day date) RETURNS timestamptz LANGUAGE sql STABLE
RETURN day::timestamp AT TIME ZONE 'Europe/Berlin';

/* In euros, at the last rate of that day or before; NULL when there is none. */
CREATE FUNCTION pg_temp.euro(amount numeric, currency text, day date) RETURNS numeric LANGUAGE sql STABLE
RETURN CASE currency WHEN 'EUR' THEN amount
	ELSE amount * (SELECT f.euro FROM crm.fx_rate AS f WHERE f.currency = euro.currency AND f.day <= euro.day ORDER BY f.day DESC LIMIT 1) END;

/* The team of a rep on a day: of one not there yet, who took a deal over later, the first; of one who has left, the last. */
CREATE TEMP TABLE team_on AS
SELECT r.rep_no, day::date, (SELECT t.team FROM crm.team_member AS t WHERE t.rep_no = r.rep_no
	ORDER BY t.since <= day DESC, abs(t.since - day::date) LIMIT 1) AS team
FROM crm.sales_rep AS r, generate_series((SELECT pg_temp.day(min(created_at)) FROM crm.customer), pg_temp.day(now()), interval '1 day') AS day;
ALTER TABLE team_on ADD PRIMARY KEY (rep_no, day);
ANALYZE team_on;

CREATE FUNCTION pg_temp.team(rep integer, day date) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT t.team FROM team_on AS t WHERE t.rep_no = rep AND t.day = team.day);

/* Numbers whose division has more decimals than the sixteen that count. */
CREATE FUNCTION pg_temp.ratio(numerator numeric, denominator numeric) RETURNS numeric LANGUAGE sql IMMUTABLE
RETURN round(round(numerator, 30) / nullif(denominator, 0), 16);

CREATE TEMP TABLE party AS
SELECT c.customer_no, c.segment, s.sales_region AS region, c.channel, c.campaign
FROM crm.customer AS c LEFT JOIN crm.federal_state AS s USING (state);

/* how: sum of value; distinct keys; first occurrence of a key, with or without the flag that any of its rows may bear */
CREATE TEMP TABLE event
(
	measure text, how text, day date, value numeric, key text, at timestamptz, flag boolean,
	rep text, team text, region text, product text, channel text, campaign text, segment text, has_product boolean, cohort text
);

/* The month in which a customer's first contract that costs something began. */
CREATE TEMP TABLE came AS
SELECT customer_no, date_trunc('month', pg_temp.day(min(since))::timestamp)::date AS month
FROM crm.contract_price
WHERE state = 'aktiv' AND amount > 0 AND (until > since OR until IS NULL) AND pg_temp.euro(amount, currency, pg_temp.day(since)) > 0 AND since < :'as_of'
GROUP BY customer_no;
ALTER TABLE came ADD PRIMARY KEY (customer_no);

INSERT INTO event
SELECT m.measure, m.how, s.day, m.value, m.key, s.ordered_at, true,
	s.rep_no, pg_temp.team(s.rep_no, s.day), p.region, s.name, coalesce(s.channel, p.channel), coalesce(s.campaign, p.campaign), p.segment, true,
	(SELECT c.month FROM came AS c WHERE c.customer_no = s.customer_no)
FROM (SELECT o.order_no, o.ordered_at, o.rep_no, o.customer_no, l.net_amount, pg_temp.day(o.ordered_at) AS day, i.name, d.channel, d.campaign,
		pg_temp.euro(l.net_amount, o.currency, pg_temp.day(o.ordered_at)) AS net,
		pg_temp.euro(l.cost, o.currency, pg_temp.day(o.ordered_at)) AS cost
	FROM crm.order_line AS l JOIN crm.sales_order AS o USING (order_no) JOIN crm.product AS i USING (sku) LEFT JOIN crm.deal AS d USING (deal_no)
	WHERE l.net_amount <> 'NaN'
	OFFSET 0) AS s	-- computed once a line
	JOIN party AS p USING (customer_no)
	CROSS JOIN LATERAL (VALUES
		('revenue', 'sum', net, NULL), ('direct_cost', 'sum', cost, NULL), ('revenue_with_cost', 'sum', CASE WHEN cost IS NOT NULL THEN net END, NULL),
		('sale_lines', 'sum', 1, NULL), ('purchases', 'distinct', NULL, CASE WHEN net > 0 THEN order_no::text END),
		('buying_customers', 'distinct', NULL, CASE WHEN net > 0 THEN customer_no::text END),
		('first_buyers', 'first', NULL, CASE WHEN net > 0 THEN customer_no::text END)) AS m(measure, how, value, key)
WHERE s.net IS NOT NULL;

INSERT INTO event
SELECT m.measure, 'sum', pg_temp.day(m.at), m.value, NULL, NULL, NULL,
	d.rep_no, pg_temp.team(d.rep_no, pg_temp.day(m.at)), p.region, i.name, coalesce(d.channel, p.channel), coalesce(d.campaign, p.campaign), p.segment, true
FROM crm.deal AS d
	JOIN party AS p USING (customer_no) LEFT JOIN crm.product AS i USING (sku)
	CROSS JOIN LATERAL (VALUES
		('opportunities', true, d.created_at, 1), ('opportunities_value', true, d.created_at, pg_temp.euro(coalesce(d.amount, 0), d.currency, pg_temp.day(d.created_at))),
		('won_deals', d.state = 'gewonnen', d.closed_at, 1), ('won_value', d.state = 'gewonnen', d.closed_at, pg_temp.euro(d.amount, d.currency, pg_temp.day(d.closed_at))),
		('lost_deals', d.state = 'verloren', d.closed_at, 1), ('lost_value', d.state = 'verloren', d.closed_at, pg_temp.euro(d.amount, d.currency, pg_temp.day(d.closed_at))))
		AS m(measure, counts, at, value)
WHERE d.state IN ('offen', 'gewonnen', 'verloren') AND m.counts AND m.at < :'as_of';

/* What is open now and should close in a period, at the rate and with the team of now. */
INSERT INTO event
SELECT m.measure, 'sum', d.due_on, m.value, NULL, NULL, NULL,
	d.rep_no, pg_temp.team(d.rep_no, pg_temp.day(:'as_of')), p.region, i.name, coalesce(d.channel, p.channel), coalesce(d.campaign, p.campaign), p.segment, true
FROM crm.deal AS d
	JOIN party AS p USING (customer_no) LEFT JOIN crm.product AS i USING (sku)
	CROSS JOIN LATERAL (SELECT pg_temp.euro(coalesce(d.amount, 0), d.currency, pg_temp.day(:'as_of'))) AS e(amount)
	CROSS JOIN LATERAL (VALUES ('closing_opportunities', 1), ('pipeline_closing', e.amount),
		('weighted_closing', CASE WHEN d.percent BETWEEN 0 AND 100 THEN e.amount * d.percent / 100 END)) AS m(measure, value)
WHERE d.state = 'offen' AND d.due_on IS NOT NULL;

/* A customer is made by the first deal won that the lead led to. */
INSERT INTO event
SELECT m.measure, 'sum', m.day, 1, NULL, NULL, NULL,
	l.rep_no, pg_temp.team(l.rep_no, m.day), coalesce(s.sales_region, p.region), NULL, coalesce(l.channel, p.channel), coalesce(l.campaign, p.campaign), p.segment, false
FROM crm.lead AS l
	LEFT JOIN crm.federal_state AS s USING (state)
	LEFT JOIN party AS p USING (customer_no)
	LEFT JOIN (SELECT lead_no, min(closed_at) AS won_at FROM crm.deal WHERE state = 'gewonnen' GROUP BY lead_no) AS w USING (lead_no)
	CROSS JOIN LATERAL (VALUES
		('leads', true, pg_temp.day(l.created_at)), ('leads_qualified', (l.became_deal_at >= l.created_at) IS TRUE, pg_temp.day(l.created_at)),
		('leads_converted', w.won_at >= l.created_at, pg_temp.day(l.created_at)), ('conversions', w.won_at >= l.created_at, pg_temp.day(w.won_at)))
		AS m(measure, counts, day)
WHERE m.counts;

INSERT INTO event
SELECT m.measure, m.how, t.day, m.value, o.deal_no, o.sent_at, m.flag,
	o.rep_no, pg_temp.team(o.rep_no, t.day), p.region, coalesce(i.name, di.name), coalesce(d.channel, p.channel), coalesce(d.campaign, p.campaign), p.segment, true
FROM crm.offer AS o
	JOIN party AS p USING (customer_no) LEFT JOIN crm.product AS i USING (sku)
	LEFT JOIN crm.deal AS d USING (deal_no) LEFT JOIN crm.product AS di ON di.sku = d.sku
	CROSS JOIN LATERAL (SELECT pg_temp.day(o.sent_at)) AS t(day)
	CROSS JOIN LATERAL (VALUES ('quotes_sent', 'sum', 1, NULL), ('quoted_value', 'sum', pg_temp.euro(o.amount, o.currency, t.day), NULL),
		('deals_quoted', 'first', NULL, true), ('deals_quoted_won', 'first', NULL, d.state = 'gewonnen')) AS m(measure, how, value, flag)
WHERE o.state <> 'Entwurf' AND o.sent_at IS NOT NULL;

/* Done is what nobody said otherwise of. */
INSERT INTO event
SELECT m.measure, m.how, pg_temp.day(m.at), 1, t.contact_no, t.happened_at, m.flag,
	t.rep_no, w.team, p.region, i.name, coalesce(d.channel, p.channel), coalesce(d.campaign, p.campaign), p.segment, true
FROM crm.touchpoint AS t
	LEFT JOIN party AS p USING (customer_no) LEFT JOIN crm.deal AS d USING (deal_no) LEFT JOIN crm.product AS i USING (sku)
	CROSS JOIN LATERAL (SELECT t.state IS NULL OR t.state = 'erledigt', NOT t.incoming AND t.kind IN ('Anruf', 'E-Mail', 'LinkedIn')) AS x(done, goes_out)
	CROSS JOIN LATERAL (VALUES
		('calls', 'sum', x.done AND x.goes_out AND t.kind = 'Anruf', t.happened_at, NULL),
		('emails', 'sum', x.done AND x.goes_out AND t.kind = 'E-Mail', t.happened_at, NULL),
		('linkedin_messages', 'sum', x.done AND x.goes_out AND t.kind = 'LinkedIn', t.happened_at, NULL),
		('meetings', 'sum', x.done AND t.kind = 'Termin', t.happened_at, NULL),
		('demos', 'sum', x.done AND t.kind = 'Demo', t.happened_at, NULL),
		('onboardings', 'sum', x.done AND t.kind = 'Onboarding', t.happened_at, NULL),
		('trials_started', 'sum', x.done AND t.kind = 'Testphase', t.happened_at, NULL),
		('no_shows', 'sum', t.state = 'nicht erschienen' AND t.kind IN ('Demo', 'Onboarding'), t.happened_at, NULL),
		('calls_booked', 'sum', t.kind IN ('Demo', 'Onboarding'), t.booked_at, NULL),
		('contacts_messaged', 'first', x.done AND x.goes_out AND t.delivered IS NOT FALSE, t.happened_at, true),
		('contacts_replied', 'first', x.done AND x.goes_out AND t.delivered IS NOT FALSE, t.happened_at, (t.answered_at >= t.happened_at) IS TRUE))
		AS m(measure, how, counts, at, flag)
	LEFT JOIN team_on AS w ON w.rep_no = t.rep_no AND w.day = pg_temp.day(m.at)
WHERE m.counts AND m.at < :'as_of';

DELETE FROM event WHERE value IS NULL AND key IS NULL;
CREATE INDEX ON event (measure);
ANALYZE event;

/* Its members by dimension; a lead has no product, and only what was bought belongs to a cohort. */
CREATE TEMP VIEW event_member AS
SELECT e.*, v.dimension, coalesce(v.member, '(none)') AS member
FROM event AS e
	CROSS JOIN LATERAL (VALUES ('total', ''), ('rep', rep), ('team', team), ('region', region), ('channel', channel), ('campaign', campaign),
		('segment', segment), ('product', product), ('cohort', cohort)) AS v(dimension, member)
WHERE (v.dimension <> 'product' OR e.has_product)
	AND (v.dimension <> 'cohort' OR e.measure IN ('revenue', 'direct_cost', 'revenue_with_cost', 'sale_lines', 'purchases', 'buying_customers', 'first_buyers'));

CREATE TEMP TABLE want (grain text, period date, dimension text, member text, measure text, value numeric);

INSERT INTO want
SELECT 'month', date_trunc('month', day::timestamp)::date, dimension, member, measure, sum(value)
FROM event_member
WHERE how = 'sum'
GROUP BY 1, 2, 3, 4, 5;
INSERT INTO want
SELECT g, date_trunc(g, period::timestamp)::date, dimension, member, measure, sum(value)
FROM want, unnest('{quarter,year}'::text[]) AS g
GROUP BY 1, 2, 3, 4, 5;

INSERT INTO want
SELECT g, date_trunc(g, day::timestamp)::date, dimension, member, measure, count(DISTINCT key)
FROM event_member, unnest('{month,quarter,year}'::text[]) AS g
WHERE how = 'distinct'
GROUP BY 1, 2, 3, 4, 5;

INSERT INTO want
SELECT g, date_trunc(g, first_day::timestamp)::date, dimension, member, measure, count(*)
FROM (SELECT dimension, member, measure, key, pg_temp.day(min(at)) AS first_day
	FROM event_member
	WHERE how = 'first' AND key IS NOT NULL
	GROUP BY dimension, member, measure, key
	HAVING bool_or(flag)) AS f, unnest('{month,quarter,year}'::text[]) AS g
GROUP BY 1, 2, 3, 4, 5;

/*
 * Stocks: at the end of each period, or now.  What ends at a boundary was
 * still there: it looks left, also for who owned the deal and in which team.
 */
CREATE TEMP TABLE period AS
SELECT g AS grain, s::date AS period, (s + step)::date AS period_end, least(pg_temp.midnight((s + step)::date), :'as_of') AS boundary
FROM (VALUES ('month', interval '1 month'), ('quarter', '3 months'), ('year', '1 year')) AS v(g, step),
	LATERAL generate_series(date_trunc(g, least((SELECT min(day) FROM event), (SELECT pg_temp.day(min(since)) FROM crm.contract_price WHERE state = 'aktiv'))::timestamp), pg_temp.day(:'as_of')::timestamp, step) AS s
WHERE pg_temp.midnight(s::date) < :'as_of';

/* What was bought since ever; a customer came on the day of the first purchase. */
INSERT INTO want
SELECT t.grain, t.period, e.dimension, e.member, e.measure, sum(e.value)
FROM period AS t
	JOIN (SELECT dimension, member, 'revenue_to_date' AS measure, day, sum(value) AS value FROM event_member WHERE measure = 'revenue' GROUP BY dimension, member, day
		UNION ALL
		SELECT dimension, member, 'customers_to_date', day, count(*)
		FROM (SELECT dimension, member, key, min(day) AS day FROM event_member WHERE measure = 'buying_customers' AND key IS NOT NULL GROUP BY dimension, member, key) AS k
		GROUP BY dimension, member, day) AS e ON e.day < t.period_end
GROUP BY t.grain, t.period, e.dimension, e.member, e.measure;

CREATE TEMP TABLE was_open AS
SELECT b.boundary, d.deal_no, l.stage, l.rep_no AS rep,
	pg_temp.team(l.rep_no, pg_temp.day(b.boundary - interval '1 microsecond')) AS team,
	p.region, i.name AS product, coalesce(d.channel, p.channel) AS channel, coalesce(d.campaign, p.campaign) AS campaign, p.segment,
	pg_temp.euro(coalesce(l.amount, d.amount, 0), d.currency, pg_temp.day(b.boundary)) AS amount,
	CASE WHEN coalesce(l.percent, d.percent, s.percent) BETWEEN 0 AND 100 THEN coalesce(l.percent, d.percent, s.percent) / 100 END AS chance
FROM (SELECT boundary FROM period UNION SELECT pg_temp.midnight(period) FROM period) AS b
	CROSS JOIN crm.deal AS d
	CROSS JOIN LATERAL (SELECT * FROM crm.deal_stage_log AS x
		WHERE x.deal_no = d.deal_no AND x.since < b.boundary AND (x.until >= x.since) IS NOT FALSE ORDER BY x.since DESC LIMIT 1) AS l
	JOIN crm.deal_stage AS s ON s.stage = l.stage
	JOIN party AS p USING (customer_no) LEFT JOIN crm.product AS i USING (sku)
WHERE (l.until >= b.boundary OR l.until IS NULL) AND s.outcome IS NULL;

INSERT INTO want
SELECT t.grain, t.period, v.dimension, coalesce(v.member, '(none)'), m.measure, sum(m.value)
FROM period AS t
	JOIN was_open AS o ON o.boundary IN (t.boundary, pg_temp.midnight(t.period))
	CROSS JOIN LATERAL (VALUES ('total', ''), ('rep', rep::text), ('team', team), ('region', region), ('channel', channel), ('campaign', campaign),
		('segment', segment), ('product', product), ('stage', stage), ('rep+stage', rep || '+' || stage),
		('team+stage', coalesce(team, '(none)') || '+' || stage), ('region+stage', coalesce(region, '(none)') || '+' || stage)) AS v(dimension, member)
	CROSS JOIN LATERAL (VALUES ('open_opportunities', 1), ('pipeline_value', o.amount), ('weighted_pipeline', o.amount * o.chance),
		('unweighted_opportunities', CASE WHEN o.chance IS NULL THEN 1 END), ('open_at_start', 1)) AS m(measure, value)
WHERE o.boundary = CASE m.measure WHEN 'open_at_start' THEN pg_temp.midnight(t.period) ELSE t.boundary END
GROUP BY 1, 2, 3, 4, 5;

INSERT INTO want
SELECT t.grain, t.period, v.dimension, coalesce(v.member, '(none)'), 'accounts', count(*)
FROM period AS t JOIN crm.customer AS c ON c.created_at < t.boundary JOIN party AS p USING (customer_no)
	CROSS JOIN LATERAL (VALUES ('total', ''), ('region', p.region), ('channel', p.channel), ('campaign', p.campaign), ('segment', p.segment)) AS v(dimension, member)
GROUP BY 1, 2, 3, 4;

INSERT INTO want
SELECT t.grain, t.period, v.dimension, coalesce(v.member, '(none)'), m.measure, sum(m.value)
FROM period AS t
	JOIN crm.offer AS o ON o.sent_at < t.boundary AND (o.decided_at >= t.boundary OR o.decided_at IS NULL)
	JOIN party AS p USING (customer_no) LEFT JOIN crm.product AS i USING (sku)
	LEFT JOIN crm.deal AS d USING (deal_no) LEFT JOIN crm.product AS di ON di.sku = d.sku
	CROSS JOIN LATERAL (VALUES ('total', ''), ('rep', o.rep_no::text),
		('team', pg_temp.team(o.rep_no, pg_temp.day(t.boundary - interval '1 microsecond'))),
		('region', p.region), ('channel', coalesce(d.channel, p.channel)), ('campaign', coalesce(d.campaign, p.campaign)),
		('segment', p.segment), ('product', coalesce(i.name, di.name))) AS v(dimension, member)
	CROSS JOIN LATERAL (VALUES ('open_quotes', 1), ('open_quotes_value', pg_temp.euro(o.amount, o.currency, pg_temp.day(t.boundary)))) AS m(measure, value)
WHERE o.state <> 'Entwurf' AND (o.decided_at >= o.sent_at) IS NOT FALSE
GROUP BY 1, 2, 3, 4, 5;

/* The roster: of the running period the days that have begun. */
CREATE TEMP TABLE roster AS
SELECT t.grain, t.period, r.rep_no::text AS rep, m.team, day::date
FROM period AS t
	CROSS JOIN LATERAL generate_series(t.period, least(t.period_end - 1, pg_temp.day(:'as_of')), interval '1 day') AS day
	JOIN crm.sales_rep AS r ON r.hired_on <= day AND (r.left_on > day OR r.left_on IS NULL)
	JOIN crm.team_member AS m ON m.rep_no = r.rep_no AND m.since <= day AND (m.until > day OR m.until IS NULL);
INSERT INTO want
SELECT grain, period, dimension, member, 'rep_days', count(*)
FROM roster CROSS JOIN LATERAL (VALUES ('total', ''), ('rep', rep), ('team', team)) AS v(dimension, member)
GROUP BY 1, 2, 3, 4;

/* Days from first contact to won: the deal's own first contact, else its lead, else its creation. */
CREATE TEMP TABLE cycle AS
SELECT g AS grain, date_trunc(g, pg_temp.day(d.closed_at)::timestamp)::date AS period, v.dimension, coalesce(v.member, '(none)') AS member,
	(1000000 * extract(epoch FROM d.closed_at - coalesce(d.first_contact_at, l.created_at, d.created_at)))::bigint AS took
FROM crm.deal AS d
	LEFT JOIN crm.lead AS l USING (lead_no)
	JOIN party AS p ON p.customer_no = d.customer_no LEFT JOIN crm.product AS i USING (sku)
	CROSS JOIN LATERAL (VALUES ('total', ''), ('rep', d.rep_no::text), ('team', pg_temp.team(d.rep_no, pg_temp.day(d.closed_at))), ('region', p.region),
		('channel', coalesce(d.channel, p.channel)), ('campaign', coalesce(d.campaign, p.campaign)), ('segment', p.segment), ('product', i.name))
		AS v(dimension, member)
	CROSS JOIN unnest('{month,quarter,year}'::text[]) AS g
WHERE d.state = 'gewonnen' AND d.closed_at >= coalesce(d.first_contact_at, l.created_at, d.created_at);

/* The same for the first answer to a lead, of those created in the period. */
CREATE TEMP TABLE response AS
SELECT g AS grain, date_trunc(g, pg_temp.day(l.created_at)::timestamp)::date AS period, v.dimension, coalesce(v.member, '(none)') AS member,
	(1000000 * extract(epoch FROM l.first_answer_at - l.created_at))::bigint AS took
FROM crm.lead AS l
	LEFT JOIN crm.federal_state AS s USING (state)
	LEFT JOIN party AS p USING (customer_no)
	CROSS JOIN LATERAL (VALUES ('total', ''), ('rep', l.rep_no::text), ('team', pg_temp.team(l.rep_no, pg_temp.day(l.created_at))),
		('region', coalesce(s.sales_region, p.region)), ('channel', coalesce(l.channel, p.channel)), ('campaign', coalesce(l.campaign, p.campaign)),
		('segment', p.segment)) AS v(dimension, member)
	CROSS JOIN unnest('{month,quarter,year}'::text[]) AS g
WHERE l.first_answer_at >= l.created_at AND l.first_answer_at < :'as_of';

/*
 * The way through the stages: a deal comes to a stage when it is in it, in a
 * later one, or won; its stays are what its rows in a stage cover together.
 */
CREATE TEMP TABLE walk AS
SELECT l.deal_no, l.since, coalesce(l.until, 'infinity') AS until, l.stage, l.rep_no, s.position, s.outcome
FROM crm.deal_stage_log AS l JOIN crm.deal_stage AS s USING (stage)
WHERE l.since < :'as_of' AND (l.until >= l.since OR l.until IS NULL);
CREATE INDEX ON walk (deal_no, stage);
ANALYZE walk;

CREATE TEMP TABLE reached AS
SELECT deal_no, since AS at, rep_no, CASE WHEN outcome IS NULL THEN stage END AS stage, CASE WHEN outcome = 'gewonnen' THEN 99 ELSE position END AS position, 1 AS said
FROM walk WHERE outcome IS DISTINCT FROM 'verloren'
UNION ALL
SELECT deal_no, closed_at, rep_no, NULL, 99, 2
FROM crm.deal WHERE state = 'gewonnen' AND closed_at < :'as_of' AND deal_no IN (SELECT deal_no FROM walk);
ANALYZE reached;

CREATE TEMP TABLE on_the_way AS
SELECT 'stage_entries' AS measure, e.deal_no, e.stage, e.at, e.rep_no, NULL::bigint AS took, e.furthest > e.position AS further
FROM (SELECT DISTINCT ON (r.deal_no, s.stage) r.deal_no, s.stage, s.position, r.at, r.rep_no, r.furthest
	FROM (SELECT *, max(position) OVER (PARTITION BY deal_no) AS furthest FROM reached) AS r JOIN crm.deal_stage AS s ON s.outcome IS NULL AND (s.stage = r.stage OR s.position < r.position)
	ORDER BY r.deal_no, s.stage, r.at, r.position, r.said) AS e
UNION ALL
SELECT 'stage_stays', s.deal_no, s.stage, t.until,
	(SELECT w.rep_no FROM walk AS w WHERE w.deal_no = s.deal_no AND w.stage = s.stage AND w.until = upper(s.stay)),
	(1000000 * extract(epoch FROM t.until - lower(s.stay)))::bigint, NULL
FROM (SELECT deal_no, stage, unnest(range_agg(tstzrange(since, until))) AS stay FROM walk WHERE outcome IS NULL GROUP BY 1, 2) AS s
	JOIN crm.deal AS d USING (deal_no)
	CROSS JOIN LATERAL (SELECT least(upper(s.stay), CASE WHEN d.state <> 'offen' THEN d.closed_at END) AS until) AS t
WHERE t.until >= lower(s.stay) AND t.until < :'as_of';

CREATE TEMP TABLE way_member AS
SELECT w.measure, w.took, w.further, g AS grain, date_trunc(g, pg_temp.day(w.at)::timestamp)::date AS period, v.dimension, coalesce(v.member, '(none)') AS member
FROM on_the_way AS w
	JOIN crm.deal AS d USING (deal_no)
	JOIN party AS p USING (customer_no) LEFT JOIN crm.product AS i USING (sku)
	CROSS JOIN LATERAL (SELECT pg_temp.team(w.rep_no, pg_temp.day(w.at))) AS t(team)
	CROSS JOIN LATERAL (VALUES ('total', ''), ('rep', w.rep_no::text), ('team', team), ('region', p.region), ('channel', coalesce(d.channel, p.channel)),
		('campaign', coalesce(d.campaign, p.campaign)), ('segment', p.segment), ('product', i.name), ('stage', w.stage), ('rep+stage', w.rep_no || '+' || w.stage),
		('team+stage', coalesce(team, '(none)') || '+' || w.stage), ('region+stage', coalesce(p.region, '(none)') || '+' || w.stage)) AS v(dimension, member)
	CROSS JOIN unnest('{month,quarter,year}'::text[]) AS g;
INSERT INTO want
SELECT w.grain, w.period, w.dimension, w.member, m.measure, count(*)
FROM way_member AS w CROSS JOIN LATERAL (VALUES ('stage_entries', true), ('stage_advances', w.further)) AS m(measure, counts)
WHERE w.measure = 'stage_entries' AND m.counts
GROUP BY 1, 2, 3, 4, 5;

/* What was closed, by the reason of losing; of a deal won there is none. */
INSERT INTO want
SELECT g, date_trunc(g, pg_temp.day(d.closed_at)::timestamp)::date, 'lost_reason', coalesce(nullif(d.lost_because, ''), '(none)'), m.measure, sum(m.value)
FROM crm.deal AS d
	CROSS JOIN LATERAL (SELECT coalesce(pg_temp.euro(d.amount, d.currency, pg_temp.day(d.closed_at)), 0)) AS e(amount)
	CROSS JOIN LATERAL (VALUES ('won_deals', d.state = 'gewonnen', 1), ('won_value', d.state = 'gewonnen', e.amount),
		('lost_deals', d.state = 'verloren', 1), ('lost_value', d.state = 'verloren', e.amount)) AS m(measure, counts, value)
	CROSS JOIN unnest('{month,quarter,year}'::text[]) AS g
WHERE m.counts AND d.closed_at < :'as_of'
GROUP BY 1, 2, 3, 4, 5;
INSERT INTO cycle
SELECT c.grain, c.period, 'lost_reason', '(none)', c.took FROM cycle AS c WHERE c.dimension = 'total';

/*
 * Contracts: a month of what is paid, in euros of the first day of the
 * customer's uninterrupted run in that currency.  A run goes on for as long as
 * the next paid price begins no later than those before it end.
 */
CREATE TEMP TABLE paid AS
SELECT c.*, pg_temp.euro(c.monthly, c.currency, pg_temp.day(min(c.since) OVER (PARTITION BY c.customer_no, c.currency, c.run))) AS mrr
FROM (SELECT p.*, sum(CASE WHEN p.since <= p.until_before THEN 0 ELSE 1 END) OVER (PARTITION BY p.customer_no, p.currency ORDER BY p.since, p.contract_no) AS run
	FROM (SELECT *, round(CASE billed WHEN 'jährlich' THEN amount / 12.0 WHEN 'monatlich' THEN amount END, 12) AS monthly,
			max(coalesce(until, 'infinity')) OVER (PARTITION BY customer_no, currency ORDER BY since, contract_no
				ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until_before
		FROM crm.contract_price
		WHERE state = 'aktiv' AND amount > 0 AND (until > since OR until IS NULL)) AS p) AS c;

DELETE FROM paid WHERE mrr IS NULL;

/* The team is the rep's at each time: a contract is cut where its rep changed teams. */
CREATE TEMP TABLE paid_member AS
SELECT c.customer_no, greatest(c.since, t.since) AS since, least(c.until, t.until) AS until, c.cancelled_at, c.mrr, 'team' AS dimension,
	pg_temp.team(c.rep_no, pg_temp.day(greatest(c.since, t.since))) AS member
FROM paid AS c
	CROSS JOIN LATERAL (SELECT lag(x.at) OVER (ORDER BY x.at) AS since, x.at AS until
		FROM (SELECT pg_temp.midnight(m.since) AS at FROM crm.team_member AS m WHERE m.rep_no = c.rep_no UNION ALL SELECT NULL) AS x) AS t
WHERE (t.since < c.until) IS NOT FALSE AND (t.until > c.since) IS NOT FALSE
UNION ALL
SELECT c.customer_no, c.since, c.until, c.cancelled_at, c.mrr, v.dimension, coalesce(v.member, '(none)')
FROM paid AS c JOIN party AS p USING (customer_no) LEFT JOIN came AS k USING (customer_no)
	CROSS JOIN LATERAL (VALUES ('total', ''), ('rep', c.rep_no::text), ('region', p.region), ('channel', p.channel),
		('campaign', p.campaign), ('segment', p.segment), ('plan', c.plan), ('cohort', k.month::text)) AS v(dimension, member);
ANALYZE paid_member;

/* Each customer's at the start and at the end, in each member.  What is active at a boundary began before it. */
CREATE TEMP TABLE account AS
SELECT t.grain, t.period, c.dimension, c.member, c.customer_no,
	coalesce(sum(c.mrr) FILTER (WHERE c.since < s.start AND (c.until >= s.start OR c.until IS NULL)), 0) AS opening,
	coalesce(sum(c.mrr) FILTER (WHERE c.until >= t.boundary OR c.until IS NULL), 0) AS closing,
	bool_or(c.since < s.start) AS was_one, min(c.since) AS first
FROM period AS t CROSS JOIN LATERAL (SELECT pg_temp.midnight(t.period)) AS s(start)
	JOIN paid_member AS c ON c.since < t.boundary
GROUP BY 1, 2, 3, 4, 5;

INSERT INTO want
SELECT a.grain, a.period, a.dimension, a.member, m.measure, sum(m.value)
FROM account AS a CROSS JOIN LATERAL (VALUES
	('mrr_opening', true, a.opening), ('mrr', true, a.closing),
	('mrr_new', NOT a.was_one, a.closing), ('mrr_reactivated', a.was_one AND a.opening = 0, a.closing),
	('mrr_expansion', a.opening > 0 AND a.closing > a.opening, a.closing - a.opening),
	('mrr_contraction', a.closing > 0 AND a.closing < a.opening, a.opening - a.closing),
	('mrr_churned', a.closing = 0, a.opening), ('mrr_retained', true, least(a.opening, a.closing)),
	('customers_opening', a.opening > 0, 1), ('customers', a.closing > 0, 1),
	('customers_won', a.closing > 0 AND NOT a.was_one, 1), ('customers_reactivated', a.closing > 0 AND a.opening = 0 AND a.was_one, 1),
	('customers_churned', a.opening > 0 AND a.closing = 0, 1), ('customers_kept', a.opening > 0 AND a.closing > 0, 1),
	('new_customers', NOT a.was_one, 1),
	/* no measures, but what the rates are made of */
	('* kept of the opening', a.opening > 0, a.closing), ('* lost', true, greatest(a.opening - a.closing, 0)),
	('* gained', true, greatest(a.closing - a.opening, 0)), ('* lost in all', a.opening > 0, a.opening - a.closing)) AS m(measure, counts, value)
WHERE m.counts
GROUP BY 1, 2, 3, 4, 5;

/* Of it, what is cancelled already. */
INSERT INTO want
SELECT t.grain, t.period, c.dimension, c.member, 'mrr_cancelling', sum(c.mrr)
FROM period AS t JOIN paid_member AS c ON c.since < t.boundary AND c.cancelled_at < t.boundary AND (c.until >= t.boundary OR c.until IS NULL)
GROUP BY 1, 2, 3, 4;

/*
 * Costs: a day's is what the sum up to it, rounded, exceeds the sum up to the
 * day before, in euros of the first day; of the running period the days that
 * have begun.
 */
CREATE TEMP TABLE spent AS
SELECT s.spending_no, s.department, s.channel, s.campaign, day::date, round(s.euro * (n + 1) / s.days, 12) - round(s.euro * n / s.days, 12) AS value
FROM (SELECT *, round(pg_temp.euro(amount, currency, first_day), 30) AS euro, last_day + 1 - first_day AS days FROM crm.spending) AS s
	CROSS JOIN LATERAL generate_series(0, s.days - 1) AS n
	CROSS JOIN LATERAL (SELECT s.first_day + n) AS d(day)
WHERE day <= pg_temp.day(:'as_of');
INSERT INTO want
SELECT g, date_trunc(g, s.day::timestamp)::date, v.dimension, coalesce(nullif(v.member, ''), CASE v.dimension WHEN 'total' THEN '' ELSE '(none)' END), m.measure, sum(s.value)
FROM spent AS s
	CROSS JOIN LATERAL (VALUES ('total', ''), ('channel', s.channel), ('campaign', s.campaign)) AS v(dimension, member)
	CROSS JOIN LATERAL (VALUES ('total_cost', true), ('sales_and_marketing_cost', s.department IN ('Vertrieb', 'Marketing')),
		('campaign_cost', s.department = 'Marketing' AND (s.channel <> '' OR s.campaign <> ''))) AS m(measure, counts)
	CROSS JOIN unnest('{month,quarter,year}'::text[]) AS g
WHERE m.counts
GROUP BY 1, 2, 3, 4, 5;

/* A plan for a period that has not begun is no fact yet. */
DELETE FROM want WHERE (grain, period) NOT IN (SELECT grain, period FROM period);
DELETE FROM want WHERE coalesce(value, 0) = 0;
CREATE INDEX ON want (measure, grain, dimension, period, member);
ANALYZE want;
