/*
 * The state of the whole: what is not as it should be, each with what to do
 * about it.  It reads what the caller may read and changes nothing.
 */
CREATE TYPE @extschema@.kpi_finding AS (severity text, subject text, what text, detail text, hint text);
COMMENT ON TYPE @extschema@.kpi_finding IS 'something that is not as it should be, as kpi_check describes it';

/* Made of names and set phrases, which kpi_bound_columns and kpi_tracking say in English. */
CREATE FUNCTION @extschema@.kpi_detail_text(detail text, lang text) RETURNS text
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	phrases text[] := ARRAY[
		'wrong type: expected ', 'falscher Typ, erwartet wird ',
		'; use AT TIME ZONE in a view', '; eine Sicht mit AT TIME ZONE liefert es',
		'missing: required', 'fehlt, ist aber nötig',
		' or ', ' oder ',
		' is a foreign table', ' ist eine Fremdtabelle',
		' is a materialized view', ' ist eine materialisierte Sicht',
		' is no table', ' ist keine Tabelle',
		' is unlogged: a crash empties it', ' ist nicht protokolliert: ein Absturz leert sie',
		' is temporary', ' ist temporär',
		' is a system catalog', ' ist ein Systemkatalog',
		' is written by a subscription', ' wird von einer Replikation beschrieben',
		' is a part of another table, through which it can be written', ' ist Teil einer anderen Tabelle, über die sie beschrieben werden kann',
		' has virtual columns', ' hat virtuelle Spalten',
		', a part of it, has no triggers', ', ein Teil davon, hat keine Trigger',
		' has no triggers', ' hat keine Trigger',
		' lacks a trigger, or one is switched off', ' fehlt ein Trigger, oder einer ist abgeschaltet',
		' has triggers for other columns', ' hat Trigger für andere Spalten',
		' is bound to a relation that does not exist', ' ist an eine Relation gebunden, die es nicht gibt',
		' depends on the time or the user', ' hängt von Zeit oder Benutzer ab',
		' depends on a sample', ' hängt von einer Stichprobe ab',
		' depends on function ', ' hängt ab von der Funktion '];
BEGIN
	IF lang = 'de' THEN
		FOR i IN 1 .. cardinality(phrases) BY 2 LOOP
			detail := replace(detail, phrases[i], phrases[i + 1]);
		END LOOP;
	END IF;
	RETURN detail;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_detail_text(text, text) IS
'why columns do not fit or changes are not tracked, in a language (en, de)';

/* What is bound, and can it be read? */
CREATE FUNCTION @extschema@.kpi_source_findings(lang text) RETURNS SETOF @extschema@.kpi_finding
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_german boolean := lang = 'de';
BEGIN
	RETURN QUERY
		SELECT CASE WHEN b.is_gone OR b.faults IS NOT NULL THEN 'error' ELSE 'note' END, b.source,
			   CASE WHEN b.is_gone THEN CASE WHEN is_german THEN 'Tabelle oder Sicht fehlt' ELSE 'its table or view is gone' END
					WHEN b.faults IS NOT NULL THEN CASE WHEN is_german THEN 'Spalten passen nicht mehr' ELSE 'columns no longer fit' END
					ELSE format(CASE WHEN is_german THEN '%I darf sie nicht lesen' ELSE '%I may not read it' END, current_user) END,
			   concat_ws(': ', b.relation, @extschema@.kpi_detail_text(b.faults, lang)),
			   format(CASE WHEN b.is_gone THEN CASE WHEN is_german THEN 'kpi_bind(%1$L, ...) bindet eine andere an.' ELSE 'kpi_bind(%1$L, ...) binds another.' END
						   WHEN b.faults IS NOT NULL THEN CASE WHEN is_german THEN 'Sicht anpassen; kpi_skeleton(%1$L) schreibt eine zum Ausfüllen.' ELSE 'Change the view; kpi_skeleton(%1$L) writes one to fill in.' END
						   ELSE 'GRANT SELECT ON %2$s TO %3$I;' END, b.source, b.relation, current_user)
		  FROM (SELECT s.source, @extschema@.kpi_source_name(s.source) AS relation, r.relation IS NULL AS is_gone,
					   (SELECT string_agg(format('%s: %s', c.column_name, c.status), '; ' ORDER BY c.column_name) FROM @extschema@.kpi_bound_columns(s.source, r.relation) c
						 WHERE r.relation IS NOT NULL AND (c.status LIKE 'wrong type%' OR c.status = 'missing: required')) AS faults
				  FROM @extschema@.kpi_source s, LATERAL (SELECT @extschema@.kpi_source_relation(s.source) AS relation) r) b
		 WHERE b.is_gone OR b.faults IS NOT NULL OR NOT @extschema@.kpi_may_read(b.source)
		 ORDER BY b.source;
	IF NOT EXISTS (SELECT FROM @extschema@.kpi_source) THEN
		RETURN QUERY SELECT 'error', NULL::text, CASE WHEN is_german THEN 'keine Quelle ist angebunden' ELSE 'no source is bound' END, NULL::text,
							CASE WHEN is_german THEN 'kpi_bind(''sale'', ''meine_tabelle'') bindet eine an.' ELSE 'kpi_bind(''sale'', ''my_table'') binds one.' END;
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_source_findings(text) IS
'of kpi_check: sources whose relation is gone, has columns that no longer fit, or may not be read by the caller; and that none is bound';

/* How old are the numbers? */
CREATE FUNCTION @extschema@.kpi_snapshot_findings(lang text) RETURNS SETOF @extschema@.kpi_finding
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_german boolean := lang = 'de';
	age interval := @extschema@.kpi_age();
	newest timestamptz := (SELECT max(r.as_of) FROM @extschema@.kpi_run r WHERE r.outcome = 'done');
	x record;
BEGIN
	SELECT r.run, r.outcome, r.started_at, r.error INTO x FROM @extschema@.kpi_runs r WHERE r.outcome <> 'running' ORDER BY r.run DESC LIMIT 1;
	IF x.outcome IN ('failed', 'crashed') THEN
		RETURN QUERY SELECT 'error', format(CASE WHEN is_german THEN 'Lauf %s' ELSE 'run %s' END, x.run),
			CASE WHEN is_german THEN CASE x.outcome WHEN 'failed' THEN 'die letzte Momentaufnahme schlug fehl' ELSE 'die letzte Momentaufnahme brach ab' END
				 ELSE CASE x.outcome WHEN 'failed' THEN 'the last snapshot failed' ELSE 'the last snapshot crashed' END END,
			coalesce(x.error, ''), CASE WHEN is_german THEN 'CALL kpi_refresh() versucht es erneut.' ELSE 'CALL kpi_refresh() tries again.' END;
	END IF;
	IF age IS NULL THEN
		RETURN QUERY SELECT 'warning', NULL::text, CASE WHEN is_german THEN 'noch keine Momentaufnahme' ELSE 'no snapshot yet' END, NULL::text,
			CASE WHEN is_german THEN 'SELECT * FROM kpi_snapshot(); nimmt eine auf.' ELSE 'SELECT * FROM kpi_snapshot(); takes one.' END;
	ELSIF age > make_interval(hours => @extschema@.kpi_setting('stale_snapshot_hours')::integer) THEN
		RETURN QUERY SELECT 'warning', NULL::text, CASE WHEN is_german THEN 'die Zahlen sind alt' ELSE 'the numbers are old' END,
			format(CASE WHEN is_german THEN 'Stand vor %s Stunden' ELSE 'taken %s hours ago' END, floor(extract(epoch FROM age) / 3600)),
			CASE WHEN is_german THEN 'kpi_schedule() nimmt regelmäßig auf; die Grenze ist die Einstellung stale_snapshot_hours.'
				 ELSE 'kpi_schedule() takes snapshots regularly; the limit is the setting stale_snapshot_hours.' END;
	END IF;

	IF newest > clock_timestamp() THEN
		RETURN QUERY SELECT 'warning', NULL::text, CASE WHEN is_german THEN 'die Uhr des Servers geht nach, oder ging vor' ELSE 'the clock of the server is slow, or was fast' END,
			to_char(newest AT TIME ZONE @extschema@.kpi_setting('time_zone'),
					CASE WHEN is_german THEN '"die letzte Momentaufnahme ist von "DD.MM.YYYY HH24:MI:SS' ELSE '"the last snapshot is of "YYYY-MM-DD HH24:MI:SS' END),
			CASE WHEN is_german THEN 'Die Uhr stellen; bis sie so weit ist, gilt Momentaufnahmen dieser Augenblick als jetzt.' ELSE 'Set the clock; until it has come that far, snapshots take that moment as now.' END;
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_snapshot_findings(text) IS
'of kpi_check: the last snapshot failed or crashed, there is none, it is old (setting stale_snapshot_hours) or ahead of the clock';

/* What changes unseen? */
CREATE FUNCTION @extschema@.kpi_tracking_findings(lang text) RETURNS SETOF @extschema@.kpi_finding
	LANGUAGE plpgsql STABLE
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_german boolean := lang = 'de';
BEGIN
	RETURN QUERY
		SELECT CASE b.days WHEN 'all' THEN 'note' ELSE 'warning' END, u.source,
			   CASE WHEN b.days = 'all' THEN CASE WHEN is_german THEN 'nicht verfolgt: jede Momentaufnahme nimmt alle Zeiträume auf' ELSE 'not tracked: each snapshot takes all periods' END
					ELSE format(CASE WHEN is_german THEN 'nicht verfolgt: Änderungen, die über %s Tage zurückreichen, bleiben unbemerkt'
									 ELSE 'not tracked: what changes more than %s days back goes unnoticed' END, b.days) END,
			   @extschema@.kpi_detail_text(u.reason, lang),
			   CASE WHEN u.can_be THEN format(CASE WHEN is_german THEN 'SELECT * FROM kpi_track(%L); verfolgt sie.' ELSE 'SELECT * FROM kpi_track(%L); tracks it.' END, u.source)
					WHEN b.days = 'all' THEN CASE WHEN is_german THEN 'Mit der Einstellung lookback_days sieht eine Momentaufnahme nur in den letzten Tagen nach.'
												  ELSE 'With the setting lookback_days a snapshot looks at the last days only.' END
					ELSE CASE WHEN is_german THEN 'kpi_snapshot(from_day => ...) nimmt frühere auf; die Grenze ist die Einstellung lookback_days.'
							  ELSE 'kpi_snapshot(from_day => ...) takes earlier periods; the limit is the setting lookback_days.' END END
		  FROM @extschema@.kpi_untracked() u, (SELECT @extschema@.kpi_setting('lookback_days') AS days) b
		 ORDER BY u.source;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_tracking_findings(text) IS
'of kpi_check: sources whose changes go unseen (kpi_untracked)';

/* What was left out, and what cannot be computed? */
CREATE FUNCTION @extschema@.kpi_problem_findings(lang text) RETURNS SETOF @extschema@.kpi_finding
	LANGUAGE plpgsql STABLE
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_german boolean := lang = 'de';
BEGIN
	RETURN QUERY
		SELECT 'warning', p.source, @extschema@.kpi_reason_text(p.reason, lang),
			   format(CASE WHEN is_german THEN 'Zeilen: %s, seit %s: %s' ELSE 'rows: %s, since %s: %s' END, p.bad_rows,
					  to_char(@extschema@.kpi_day(p.first_seen), CASE WHEN is_german THEN 'DD.MM.YYYY' ELSE 'YYYY-MM-DD' END), array_to_string(p.keys, ', ')),
			   concat(format(CASE WHEN is_german THEN 'Sie fehlen, oder zählen ohne das Falsche, bis sie berichtigt sind; kpi_bad_rows(%L, %L) zählt sie auf.'
								  ELSE 'They are left out, or count without what is wrong, until they are mended; kpi_bad_rows(%L, %L) lists them.' END, p.source, p.reason),
					  CASE WHEN is_german THEN ' Bekannte Wörter sind ' ELSE ' Known words are ' END || @extschema@.kpi_known_words(p.source, substring(p.reason FROM '^unknown (.*)')) || '.',
					  CASE WHEN p.reason <> 'no exchange rate' THEN NULL WHEN is_german THEN ' Die Quelle exchange_rate hat keinen Kurs ihrer Währung von diesem Tag oder davor.'
						   ELSE ' The source exchange_rate has no rate of their currency from that day or before.' END)
		  FROM @extschema@.kpi_problem p ORDER BY p.source, p.reason;
	RETURN QUERY
		SELECT 'error', f.kpi, CASE WHEN is_german THEN 'Kennzahl, die sich nicht berechnen lässt' ELSE 'KPI that cannot be computed' END, f.fault,
			   format(CASE WHEN is_german THEN 'kpi_define(%L, ...) ersetzt ihre Formel, kpi_undefine(%1$L) entfernt sie.' ELSE 'kpi_define(%L, ...) replaces its formula, kpi_undefine(%1$L) removes it.' END, f.kpi)
		  FROM @extschema@.kpi_faulty_definitions() f
		 WHERE f.kpi IN (SELECT o.kpi FROM @extschema@.kpi_definition_own o);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_problem_findings(text) IS
'of kpi_check: bad rows, and own KPIs that cannot be computed';

/* What can targets not be measured against? */
CREATE FUNCTION @extschema@.kpi_target_findings(lang text) RETURNS SETOF @extschema@.kpi_finding
	LANGUAGE plpgsql STABLE
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_german boolean := lang = 'de';
BEGIN
	RETURN QUERY
		SELECT CASE WHEN t.what IN ('a fraction', 'always near') THEN 'note' ELSE 'warning' END, concat_ws(' ', t.kpi, nullif(t.dimension, 'total'), nullif(t.member, '')),
			   CASE t.what WHEN 'unknown kpi' THEN CASE WHEN is_german THEN 'Ziel einer unbekannten Kennzahl' ELSE 'target of an unknown KPI' END
						   WHEN 'unknown dimension' THEN CASE WHEN is_german THEN 'Ziel einer unbekannten Dimension' ELSE 'target in an unknown dimension' END
						   WHEN 'unknown member' THEN CASE WHEN is_german THEN 'Ziel ohne Zahlen: unbekanntes Mitglied' ELSE 'target without facts: unknown member' END
						   WHEN 'not measured' THEN CASE WHEN is_german THEN 'Ziel einer Kennzahl, deren Quellen oder Spalten fehlen' ELSE 'target of a KPI whose sources or columns are missing' END
						   WHEN 'a day short' THEN CASE WHEN is_german THEN 'Ziel endet einen Tag vor Monat, Quartal oder Jahr' ELSE 'target ends a day before its month, quarter or year' END
						   WHEN 'never near' THEN CASE WHEN is_german THEN 'warn_at liegt jenseits des Ziels' ELSE 'warn_at lies beyond the target' END
						   WHEN 'a fraction' THEN CASE WHEN is_german THEN 'Ziel von höchstens 1 %' ELSE 'target of at most 1 %' END
						   WHEN 'always near' THEN CASE WHEN is_german THEN 'warn_at liegt weit vom Ziel' ELSE 'warn_at lies far from the target' END
						   WHEN 'no days' THEN CASE WHEN is_german THEN 'Ziel ohne Tage' ELSE 'target without days' END
						   WHEN 'no value' THEN CASE WHEN is_german THEN 'Ziel ohne endlichen Wert' ELSE 'target without a finite value' END
						   WHEN 'no money' THEN CASE WHEN is_german THEN 'Ziel in einer Währung, die Kennzahl ist kein Betrag' ELSE 'target in a currency, of a KPI that is no money' END
						   WHEN 'overlapping' THEN CASE WHEN is_german THEN 'Ziele etwa gleicher Länge überschneiden sich' ELSE 'targets of about the same length overlap' END
						   WHEN 'no exchange rate' THEN CASE WHEN is_german THEN 'Ziel in einer Währung ohne Kurs' ELSE 'target in a currency without a rate' END
						   ELSE CASE WHEN is_german THEN 'Ziel vor den ersten Zahlen' ELSE 'target before the first facts' END END,
			   format(CASE WHEN is_german THEN 'Ziele: %s' ELSE 'targets: %s' END, t.targets),
			   CASE t.what WHEN 'unknown member' THEN format(CASE WHEN is_german THEN 'kpi_members(%L) zählt sie auf.' ELSE 'kpi_members(%L) lists them.' END, t.dimension)
						   WHEN 'not measured' THEN format(CASE WHEN is_german THEN 'SELECT * FROM kpi_needs(%L) sagt, was fehlt.' ELSE 'SELECT * FROM kpi_needs(%L) says what is missing.' END, t.kpi)
						   WHEN 'no money' THEN CASE WHEN is_german THEN 'Die Spalte currency dort leer lassen.' ELSE 'Leave its currency NULL.' END
						   WHEN 'overlapping' THEN CASE WHEN is_german THEN 'Welches gilt, ist offen; mehrere für dieselben Tage gelten nicht.' ELSE 'Nobody could say which one counts; several for the same days do not.' END
						   WHEN 'a day short' THEN CASE WHEN is_german THEN 'to_day ist der erste Tag, der nicht mehr dazugehört.' ELSE 'to_day is the first day that no longer belongs.' END
						   WHEN 'never near' THEN CASE WHEN is_german THEN 'So ist der Status nie "near".' ELSE 'So the status is never "near".' END
						   WHEN 'a fraction' THEN CASE WHEN is_german THEN 'Die Kennzahl liegt über 10 %; Prozente stehen als 12.5, nicht als 0.125.' ELSE 'The KPI is above 10 %; percentages are written 12.5, not 0.125.' END
						   WHEN 'always near' THEN CASE WHEN is_german THEN 'Es ist ein Wert der Kennzahl, kein Anteil des Ziels.' ELSE 'It is a value of the KPI, not a share of the target.' END
						   WHEN 'unknown dimension' THEN CASE WHEN is_german THEN 'SELECT dimension FROM kpi_dimension zählt sie auf; die Einstellung dimensions kann welche auslassen.'
																				 ELSE 'SELECT dimension FROM kpi_dimension lists them; the setting dimensions may leave some out.' END END
		  FROM @extschema@.kpi_target_faults() t ORDER BY 2, 3;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_target_findings(text) IS
'of kpi_check: targets that no fact can be measured against (kpi_target_faults)';

/* What is a dimension of nothing? */
CREATE FUNCTION @extschema@.kpi_dimension_findings(lang text) RETURNS SETOF @extschema@.kpi_finding
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_german boolean := lang = 'de';
BEGIN
	RETURN QUERY
		SELECT 'warning', m.dimension, CASE WHEN is_german THEN 'Dimension, die keine Quelle hat' ELSE 'dimension that no source has' END, m.part,
			   format(CASE WHEN is_german THEN 'Eine Sicht braucht %I als Spalte vom Typ text; kpi_undefine_dimension(%L) entfernt die Dimension.'
						   ELSE 'A view needs %I as a column of type text; kpi_undefine_dimension(%L) removes the dimension.' END, m.part, m.dimension)
		  FROM @extschema@.kpi_missing_parts() m ORDER BY 2, 4;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_dimension_findings(text) IS
'of kpi_check: dimensions that no source has';

/* What is there more than once; of whom, and of which deals, does the CRM say too little? */
CREATE FUNCTION @extschema@.kpi_row_findings(lang text) RETURNS SETOF @extschema@.kpi_finding
	LANGUAGE plpgsql STABLE
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_german boolean := lang = 'de';
	message text;
	x record;
BEGIN
	RETURN QUERY
		SELECT 'warning', e.source, CASE WHEN is_german THEN 'hat keine Zeilen mehr' ELSE 'has no rows any more' END,
			   format(CASE WHEN is_german THEN 'hatte welche bis %s' ELSE 'had some until %s' END, to_char(@extschema@.kpi_day(e.until), CASE WHEN is_german THEN 'DD.MM.YYYY' ELSE 'YYYY-MM-DD' END)),
			   format(CASE WHEN is_german THEN 'Was aus ihr kam, wird 0, auch in vergangenen Zeiträumen; kpi_unbind(%L), wenn sie leer sein soll.'
						   ELSE 'What came from it becomes 0, also in past periods; kpi_unbind(%L) if it is to be empty.' END, e.source)
		  FROM @extschema@.kpi_emptied_sources() e;
	RETURN QUERY
		SELECT 'warning', k.source, CASE WHEN is_german THEN 'Schlüssel, die mehrmals vorkommen' ELSE 'keys that are there more than once' END,
			   format('%s: %s', k.keys, array_to_string(k.examples, ', ')),
			   CASE WHEN is_german THEN 'Jede Zeile zählt; vielleicht vervielfacht sie ein Join in der Sicht.' ELSE 'Each row counts; a join in the view may repeat them.' END
		  FROM @extschema@.kpi_repeated_keys() k;
	RETURN QUERY
		SELECT 'warning', u.source,
			   CASE u.kind WHEN 'account' THEN CASE WHEN is_german THEN 'Kunden, die die Quelle account nicht kennt' ELSE 'accounts that the source account does not know' END
						   ELSE CASE WHEN is_german THEN 'Phasen, die die Quelle stage nicht kennt' ELSE 'stages that the source stage does not know' END END,
			   format('%s: %s', u.names, array_to_string(u.examples, ', ')),
			   CASE u.kind WHEN 'account' THEN CASE WHEN is_german THEN 'Ihre Region, ihr Segment und was sonst von der Quelle account kommt, ist (none).' ELSE 'Their region, segment and what else comes from the source account is (none).' END
						   ELSE CASE WHEN is_german THEN 'Sie haben weder Reihenfolge noch Wahrscheinlichkeit.' ELSE 'They have neither a position nor a probability.' END END
		  FROM @extschema@.kpi_unknown_names() u;
	RETURN QUERY
		SELECT 'warning', f.source, CASE WHEN f.is_future THEN CASE WHEN is_german THEN 'Datum in der Zukunft: ' ELSE 'dated in the future: ' END
										 ELSE CASE WHEN is_german THEN 'Datum vor aller Historie: ' ELSE 'dated before all history: ' END END || f.column_name,
			   format(CASE WHEN is_german THEN 'Zeilen: %s, bis %s' ELSE 'rows: %s, as far as %s' END, f.bad_rows, to_char(f.example, CASE WHEN is_german THEN 'DD.MM.YYYY' ELSE 'YYYY-MM-DD' END)),
			   CASE WHEN f.is_future THEN CASE WHEN is_german THEN 'Sie zählen erst dann.' ELSE 'They count only then.' END
					ELSE CASE WHEN is_german THEN 'Sie zählen in keinem Zeitraum; wie weit eine Momentaufnahme zurückblickt, sagt die Einstellung history_years.'
									 ELSE 'They count in no period; how far a snapshot looks back is the setting history_years.' END END
		  FROM @extschema@.kpi_far_dates() f ORDER BY f.source, f.column_name, f.is_future;
	FOR x IN SELECT u.unknown FROM (SELECT @extschema@.kpi_unknown_reps() AS unknown) u WHERE u.unknown IS NOT NULL LOOP
		RETURN QUERY SELECT 'warning', 'rep', CASE WHEN is_german THEN 'Vertriebler, die die Quelle nicht kennt' ELSE 'reps that the source does not know' END,
			format('%s: %s', cardinality(x.unknown), array_to_string(x.unknown[:5], ', ')),
			CASE WHEN is_german THEN 'Sie haben weder Team noch Vertrieblertage.' ELSE 'They have neither a team nor rep-days.' END;
	END LOOP;
	RETURN QUERY
		SELECT 'note', 'stage', format(CASE WHEN is_german THEN 'ohne %s' ELSE 'lacks %s' END, array_to_string(f.flags, ', ')), NULL::text,
			   CASE WHEN is_german THEN 'So zählen die Phasen gewonnener und verlorener Chancen als solche auf dem Weg, und alle davor als durchlaufen; wo es keine gibt: false AS is_lost.'
					ELSE 'So the stages of won and lost opportunities count as stages on the way, and all before them as passed; where there are none: false AS is_lost.' END
		  FROM @extschema@.kpi_lacking_flags() f(flags) WHERE f.flags <> '{}';
	RETURN QUERY
		SELECT CASE WHEN d.what IN ('without history', 'late history') THEN 'warning' ELSE 'note' END, 'opportunity',
			   CASE d.what WHEN 'overdue' THEN CASE WHEN is_german THEN 'offen, erwarteter Abschluss verstrichen' ELSE 'open, and the expected close has passed' END
						   WHEN 'stale' THEN format(CASE WHEN is_german THEN 'offen, seit über %s Tagen nichts geschehen' ELSE 'open, and nothing happened for more than %s days' END,
													@extschema@.kpi_setting('stale_deal_days'))
						   WHEN 'late history' THEN CASE WHEN is_german THEN 'offen, mit einer Historie, die später beginnt' ELSE 'open, with a history that begins later' END
						   ELSE CASE WHEN is_german THEN 'offen, aber ohne Historie' ELSE 'open, but without a history' END END,
			   format('%s: %s', d.deals, array_to_string(d.keys, ', ')),
			   CASE d.what WHEN 'overdue' THEN CASE WHEN is_german THEN 'Im CRM neu terminieren oder schließen.' ELSE 'Give them another date in the CRM, or close them.' END
						   WHEN 'stale' THEN CASE WHEN is_german THEN 'Die Grenze ist die Einstellung stale_deal_days.' ELSE 'The limit is the setting stale_deal_days.' END
						   WHEN 'late history' THEN CASE WHEN is_german THEN 'Davor fehlen sie in der Pipeline. Wo nur Änderungen vermerkt sind, braucht die Historie noch eine Zeile von der Anlage an.'
													ELSE 'The pipeline lacks them before. Where only changes are noted the history needs one more row, from the creation on.' END
						   ELSE CASE WHEN is_german THEN 'Sie fehlen in der Pipeline, die aus der Historie kommt: diese braucht eine Zeile von der Anlage an.'
								ELSE 'The pipeline, which comes from the history, lacks them: that needs a row from the creation on.' END END
		  FROM @extschema@.kpi_open_deals_check() d ORDER BY d.what;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
	RETURN QUERY SELECT 'error', u.source, CASE WHEN is_german THEN 'kann nicht gelesen werden' ELSE 'cannot be read' END, u.message,
						CASE WHEN u.is_refused THEN CASE WHEN is_german THEN 'Wem die Sicht gehört, bei security_invoker wer liest, braucht SELECT auf die Tabellen darunter.'
														 ELSE 'Whoever owns the view, or with security_invoker reads it, needs SELECT on the tables under it.' END
							 WHEN is_german THEN 'Eine Zeile lässt die Sicht scheitern, und jede Momentaufnahme. Was Zeilen fehlt, ist erst danach zu sehen.'
							 ELSE 'A row makes the view fail, and so each snapshot. What else is wrong with rows is seen when that is mended.' END
				   FROM @extschema@.kpi_unreadable_sources() u;
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'error', NULL::text, CASE WHEN is_german THEN 'die Zeilen der Quellen lassen sich nicht prüfen' ELSE 'the rows of the sources cannot be checked' END, message, NULL::text;
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_row_findings(text) IS
'of kpi_check, from the sources themselves: those that have no rows any more, keys that are there more than once, names that another source does not know, dates far off, stages that are not told from those of won and lost opportunities, and open opportunities that are overdue, stale, without a history or with one that begins later';

CREATE FUNCTION @extschema@.kpi_findings(lang text) RETURNS SETOF @extschema@.kpi_finding
	LANGUAGE plpgsql STABLE
	ROWS 20
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	lang := @extschema@.kpi_require_language(lang);
	RETURN QUERY SELECT * FROM @extschema@.kpi_source_findings(lang);
	RETURN QUERY SELECT * FROM @extschema@.kpi_snapshot_findings(lang);
	RETURN QUERY SELECT * FROM @extschema@.kpi_tracking_findings(lang);
	RETURN QUERY SELECT * FROM @extschema@.kpi_problem_findings(lang);
	RETURN QUERY SELECT * FROM @extschema@.kpi_target_findings(lang);
	RETURN QUERY SELECT * FROM @extschema@.kpi_dimension_findings(lang);
	RETURN QUERY SELECT * FROM @extschema@.kpi_row_findings(lang);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_findings(text) IS
'the rows of kpi_check when something is not as it should be';

CREATE FUNCTION @extschema@.kpi_check(lang text DEFAULT NULL)
	RETURNS TABLE (severity text, subject text, what text, detail text, hint text)
	LANGUAGE sql STABLE
	ROWS 20
BEGIN ATOMIC
	WITH finding AS MATERIALIZED (
		SELECT row_number() OVER () AS n, f.* FROM @extschema@.kpi_findings(lang) f
	), every AS (
		SELECT f.n, f.severity, f.subject, f.what, f.detail, f.hint FROM finding f
		UNION ALL
		SELECT 0, 'ok', NULL, CASE @extschema@.kpi_require_language(lang) WHEN 'de' THEN 'alles in Ordnung' ELSE 'all is well' END, NULL, NULL
		 WHERE NOT EXISTS (SELECT FROM finding)
	)
	SELECT e.severity, e.subject, e.what, e.detail, e.hint
	  FROM every e
	 ORDER BY array_position('{error,warning,note}'::text[], e.severity), e.n;
END;
COMMENT ON FUNCTION @extschema@.kpi_check(text) IS
'the state of the whole, a row for each thing that is not as it should be, or a single one that says ok: relations and columns that are gone or no longer fit, stages not told from those of won and lost opportunities, the last snapshot failed, numbers older than the setting stale_snapshot_hours, a snapshot ahead of the clock, where kpi_track or a look-back is in use the sources that are not tracked, bad rows that were left out, own KPIs that cannot be computed, targets that no fact can be measured against, dimensions that no source has, sources that have no rows any more, keys that are there more than once, reps, accounts and stages that the source does not know, dates further ahead or back than anything counts, and open opportunities that are overdue, stale (setting stale_deal_days) or without a history. severity: error (numbers cannot be taken), warning (some are not what they seem), note. subject: the source, target or run; detail: how many and which; hint: what to do. lang: en, de, NULL: the setting. What the caller may not read is left out';
