/*
 * What the demo shows as of today: nothing is missing.
 */
SELECT pg_temp.same('no KPI of the last complete month is without a value',
	$q$SELECT kpi, reason FROM kpi_report() WHERE value IS NULL
		AND NOT (kpi = 'pipeline_coverage' AND (SELECT r.status FROM kpi_report(selection => 'measures') AS r WHERE r.kpi = 'won_value') = 'met')$q$,
	'SELECT NULL::text, NULL::text WHERE false');
SELECT pg_temp.same('kpi_report() is of the last month',
	'SELECT DISTINCT is_complete, (SELECT r.value FROM kpi_report() AS r WHERE r.kpi = ''open_quotes'') FROM kpi_report()',
	$q$SELECT true, kpi_value('open_quotes', (date_trunc('month', kpi_today()::timestamp) - interval '1 day')::date)$q$);
SELECT pg_temp.same('from the sources this second the running month has the same values, for every KPI',
	$q$SELECT l.kpi, l.value FROM kpi_live_values(ARRAY(SELECT kpi FROM kpi_definition), kpi_period_start('month', kpi_today()), kpi_period_end('month', kpi_period_start('month', kpi_today()))) AS l$q$,
	$q$SELECT c.kpi, c.value FROM kpi_compare(ARRAY(SELECT kpi FROM kpi_definition), kpi_today(), 'total') AS c$q$);
SELECT pg_temp.same('and the last complete quarter of a team',
	$q$SELECT l.kpi, l.value FROM (SELECT kpi_period_start('quarter', kpi_period_start('quarter', kpi_today()) - 1) AS day) AS q,
		kpi_live_values(ARRAY(SELECT kpi FROM kpi_definition), q.day, kpi_period_end('quarter', q.day), 'team', '{Innendienst Süd}') AS l$q$,
	$q$SELECT c.kpi, c.value FROM kpi_compare(ARRAY(SELECT kpi FROM kpi_definition), kpi_period_start('quarter', kpi_today()) - 1, 'team', 'quarter', '{Innendienst Süd}') AS c$q$);
SELECT pg_temp.same('nor a measure of it',
	$q$SELECT kpi, reason FROM kpi_report(selection => 'measures') WHERE value IS NULL$q$, $q$SELECT 'customers_of_year', 'Abonnements gelten stattdessen'$q$);
SELECT pg_temp.same('the forecast of each of the last twelve months can be judged',
	$q$SELECT kpi_day(f."time"), f.accuracy IS NOT NULL, f.slippage BETWEEN 0 AND 100 FROM kpi_forecast((kpi_period_start('month', kpi_today()) - interval '12 months')::date, kpi_period_start('month', kpi_today())) AS f WHERE f.member = ''$q$,
	$q$SELECT (kpi_period_start('month', kpi_today()) - make_interval(months => n))::date, true, true FROM generate_series(1, 12) AS n$q$);
SELECT pg_temp.same('by the opportunities that the CRM''s log had open, and due in them, as they began',
	$q$SELECT e.period, e.opportunity_id FROM kpi_expected AS e WHERE e.grain = 'month' AND e.period < kpi_period_start('month', kpi_today())$q$,
	$q$SELECT m.month, l.deal_no::text FROM crm.deal_stage_log AS l JOIN crm.deal_stage AS s USING (stage),
		(SELECT (kpi_period_start('month', kpi_today()) - make_interval(months => n))::date AS month FROM generate_series(1, 13) AS n) AS m,
		(SELECT min(as_of) AS first FROM kpi_run) AS r, LATERAL (SELECT m.month::timestamp AT TIME ZONE 'Europe/Berlin' + interval '6 hours' AS at) AS t
		WHERE s.outcome IS NULL AND t.at >= r.first AND l.since <= t.at AND (l.until > t.at) IS NOT FALSE AND l.due_on >= m.month AND l.due_on < m.month + interval '1 month'$q$);
