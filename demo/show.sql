/*
 * demo/show.sql
 *	  A guided tour of the numbers, after demo/crm.sql and demo/bind.sql.
 *
 * Each heading shows the call that made what is below it; the rest of each
 * query is make-up: German numbers, words and bars.
 */
\set ON_ERROR_STOP on
\set QUIET on
\encoding UTF8
\pset pager off
\pset footer off
\pset linestyle unicode
\pset border 1
\pset null ''
SET client_min_messages = warning;

/* Numbers as Germans write them, whatever the server's locale. */
CREATE FUNCTION pg_temp.german(value numeric, unit text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT
RETURN translate(to_char(value, CASE WHEN unit IN ('money', 'count') THEN 'FM999,999,999,990' ELSE 'FM999,999,990.0' END), ',.', '.,')
	|| CASE unit WHEN 'money' THEN ' €' WHEN 'percent' THEN ' %' WHEN 'days' THEN ' Tage' ELSE '' END;

CREATE FUNCTION pg_temp.light(status text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT
RETURN CASE status WHEN 'met' THEN '● erreicht' WHEN 'near' THEN '◐ knapp' WHEN 'missed' THEN '○ verfehlt' ELSE '' END;

CREATE FUNCTION pg_temp.month_name(day date) RETURNS text
LANGUAGE sql IMMUTABLE STRICT
RETURN (ARRAY['Januar', 'Februar', 'März', 'April', 'Mai', 'Juni', 'Juli', 'August', 'September', 'Oktober', 'November', 'Dezember'])
	[extract(month FROM day)::integer] || to_char(day, ' YYYY');

SELECT date_trunc('month', kpi.kpi_today())::date AS this_month,
	(date_trunc('month', kpi.kpi_today()) - interval '1 month')::date AS last_month,
	(date_trunc('month', kpi.kpi_today()) - interval '13 months')::date AS a_year_before,
	pg_temp.month_name((date_trunc('month', kpi.kpi_today()) - interval '1 month')::date) AS last_month_name \gset

\echo
\echo '  NORDWERK AUTOMATION GMBH                                        Vertriebskennzahlen mit salkpi'
\echo '════════════════════════════════════════════════════════════════════════════════════════════════'
\echo
\echo '1  Das CRM ist angebunden'
\echo '   SELECT kpi_bind(''sale'', ''crm_kpi.sale'');'
\echo
SELECT s.source AS "Quelle", s.relation_schema || '.' || s.relation_name AS "Sicht",
	count(*) FILTER (WHERE c.status = 'ok') AS "Spalten",
	coalesce(string_agg(c.column_name, ', ' ORDER BY c.column_name) FILTER (WHERE c.status = 'missing'), '') AS "nicht vorhanden"
FROM kpi.kpi_source AS s
	CROSS JOIN LATERAL kpi.kpi_bound_columns(s.source, format('%I.%I', s.relation_schema, s.relation_name)::regclass) AS c
GROUP BY s.source, s.relation_schema, s.relation_name
ORDER BY s.source COLLATE "C";

\echo '2  Eine Momentaufnahme: jede Quelle wird einmal gelesen'
\echo '   SELECT * FROM kpi_snapshot();'
\echo
SELECT periods AS "Zeiträume", facts AS "Fakten", changed AS "geändert", problems AS "fehlerhafte Zeilen",
	translate(to_char(extract(epoch FROM duration), 'FM990.00'), '.', ',') || ' s' AS "Dauer"
FROM kpi.kpi_run
ORDER BY run DESC
LIMIT 1;

\echo '3  Der letzte vollständige Monat:' :last_month_name
\echo '   SELECT * FROM kpi_report();'
\echo
SELECT number AS "Nr", label AS "Kennzahl", lpad(pg_temp.german(value, unit), 12) AS "Wert", lpad(pg_temp.german(target, unit), 12) AS "Ziel",
	pg_temp.light(status) AS "Status", lpad(pg_temp.german(previous, unit), 12) AS "Vormonat", trend AS "Verlauf"
FROM kpi.kpi_report(lang => 'de');

\echo '4  Wer hat was verkauft'
\echo '   SELECT * FROM kpi_ranking(''revenue'', ':'last_month'', ''rep'');'
\echo
SELECT rank AS "Platz", label AS "Vertriebler", lpad(pg_temp.german(value, 'money'), 10) AS "Umsatz",
	lpad(pg_temp.german(share, 'percent'), 7) AS "Anteil", lpad(pg_temp.german(target, 'money'), 10) AS "Ziel",
	lpad(pg_temp.german(attainment, 'percent'), 8) AS "erreicht", pg_temp.light(status) AS "Status"
FROM kpi.kpi_ranking('revenue', :'last_month', 'rep')
ORDER BY rank, label;

SELECT rank AS "Platz", label AS "Team", lpad(pg_temp.german(value, 'money'), 10) AS "Umsatz",
	lpad(pg_temp.german(share, 'percent'), 7) AS "Anteil", lpad(pg_temp.german(target, 'money'), 10) AS "Ziel",
	lpad(pg_temp.german(attainment, 'percent'), 8) AS "erreicht", pg_temp.light(status) AS "Status"
FROM kpi.kpi_ranking('revenue', :'last_month', 'team')
ORDER BY rank, label;

\echo '5  Die Pipeline, jetzt'
\echo '   SELECT * FROM kpi_pipeline();'
\echo
SELECT stage AS "Phase", opportunities AS "Chancen", lpad(pg_temp.german(value, 'money'), 12) AS "Wert",
	lpad(pg_temp.german(weighted, 'money'), 12) AS "gewichtet",
	repeat('█', round(40 * value / nullif(max(value) OVER (), 0))::integer) AS "Wert in Balken"
FROM kpi.kpi_pipeline()
ORDER BY stage_position, stage;

\echo '   SELECT * FROM kpi_top_opportunities(5);'
\echo
SELECT rank AS "Platz", name AS "Chance", rep AS "Vertriebler", stage AS "Phase", lpad(pg_temp.german(amount, 'money'), 10) AS "Betrag",
	round(100 * probability) || ' %' AS "Wahrsch.", to_char(expected_close, 'DD.MM.YYYY') AS "Abschluss"
FROM kpi.kpi_top_opportunities(5);

\echo '   SELECT * FROM kpi_stage_funnel(':'last_month'', ''quarter'');'
\echo
SELECT stage AS "Phase", entries AS "erreicht", advances AS "weiter", lpad(pg_temp.german(conversion, 'percent'), 8) AS "Konversion",
	lpad(pg_temp.german(median_days, 'days'), 10) AS "Median", lpad(pg_temp.german(p90_days, 'days'), 11) AS "90. Perzentil",
	repeat('█', round(40.0 * entries / max(entries) OVER ())::integer) AS "erreicht in Balken"
FROM kpi.kpi_stage_funnel(:'last_month', 'quarter')
ORDER BY stage_position;

\echo '6  Umsatz der letzten dreizehn Monate, der Strich ist das Ziel'
\echo '   SELECT * FROM kpi_series(''revenue'', ':'a_year_before'', ':'this_month'');'
\echo
WITH series AS
(
	SELECT "time", value, target,
		round(50 * value / max(greatest(value, target)) OVER ())::integer AS bar,
		round(50 * target / max(greatest(value, target)) OVER ())::integer AS mark
	FROM kpi.kpi_series('revenue', :'a_year_before', :'this_month')
)
SELECT pg_temp.month_name(kpi.kpi_day("time")) AS "Monat", lpad(pg_temp.german(value, 'money'), 12) AS "Umsatz",
	CASE WHEN mark > 0 THEN overlay(rpad(repeat('█', bar), 51) PLACING '┃' FROM mark + 1 FOR 1) ELSE repeat('█', bar) END AS "Umsatz ▌ Ziel ┃"
FROM series
ORDER BY "time";

\echo '7  Wiederkehrender Umsatz: was im Monat dazukam und wegfiel'
\echo '   SELECT * FROM kpi_mrr_movements(':'a_year_before'', ':'this_month'');'
\echo
SELECT pg_temp.month_name(kpi.kpi_day("time")) AS "Monat", lpad(pg_temp.german(new + reactivation, 'money'), 8) AS "neu",
	lpad(pg_temp.german(expansion, 'money'), 9) AS "erweitert", lpad(pg_temp.german(-contraction, 'money'), 10) AS "verkleinert",
	lpad(pg_temp.german(-churned, 'money'), 9) AS "verloren", lpad(pg_temp.german(closing, 'money'), 10) AS "MRR",
	customers_closing AS "Kunden", repeat('█', round(20 * closing / max(closing) OVER ())::integer) AS "MRR in Balken"
FROM kpi.kpi_mrr_movements(:'a_year_before', :'this_month')
ORDER BY "time";

\echo '   SELECT * FROM kpi_cohorts(grain => ''year'');    so viel Prozent der Kunden eines Jahres sind nach n Jahren noch da'
\echo
SELECT to_char(cohort, 'YYYY') || ': ' || customers || ' Kunden' AS "Jahrgang", age AS "n", lpad(pg_temp.german(retention, 'percent'), 7) AS "gehalten"
FROM kpi.kpi_cohorts(grain => 'year')
ORDER BY cohort, age
\crosstabview 1 2 3 2

\echo '8  Was hinter einer Zahl steckt: die Abschlüsse des besten Vertrieblers'
SELECT member AS best_rep FROM kpi.kpi_ranking('won_value', :'last_month', 'rep') ORDER BY rank, member LIMIT 1 \gset
\echo '   SELECT * FROM kpi_drill(''won_value'', ':'last_month'', ''rep'', ':'best_rep'');'
\echo
SELECT source AS "Quelle", key AS "Schlüssel", to_char(at AT TIME ZONE 'Europe/Berlin', 'DD.MM.YYYY') AS "gewonnen am",
	lpad(pg_temp.german(amount, 'money'), 10) AS "Betrag", source_row ->> 'name' AS "Chance"
FROM kpi.kpi_drill('won_value', :'last_month', 'rep', :'best_rep')
ORDER BY amount DESC, key
LIMIT 5;

\echo '9  Was im CRM nicht stimmt, und deshalb fehlt'
\echo '   SELECT * FROM kpi_problem;'
\echo
SELECT source AS "Quelle", kpi.kpi_reason_text(reason, 'de') AS "Grund", bad_rows AS "Zeilen", array_to_string(keys[1:4], ', ') AS "kleinste Schlüssel"
FROM kpi.kpi_problem
ORDER BY source COLLATE "C", reason COLLATE "C";

\echo '10 Der Zustand des Ganzen'
\echo '   SELECT * FROM kpi_check();'
\echo
SELECT CASE severity WHEN 'error' THEN 'Fehler' WHEN 'warning' THEN 'Warnung' WHEN 'note' THEN 'Hinweis' ELSE severity END AS "Grad",
	subject AS "wo", what AS "was", detail AS "wie viele, welche"
FROM kpi.kpi_check('de')
WHERE subject IS NULL OR (subject, what) NOT IN (SELECT source, kpi.kpi_reason_text(reason, 'de') FROM kpi.kpi_problem);

\echo 'Weiter:  kpi_ranking(''revenue'', …, ''region'')   kpi_series(…, dimension => ''product'')'
\echo
