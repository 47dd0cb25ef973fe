/*
 * Why a value is missing.
 */
CREATE FUNCTION @extschema@.kpi_reason_text(reason text, lang text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE lang WHEN 'de' THEN CASE reason
		WHEN 'source not bound' THEN 'Quelle nicht angebunden'
		WHEN 'column missing' THEN 'Spalte fehlt'
		WHEN 'zero denominator' THEN 'Nenner ist null'
		WHEN 'no history' THEN 'keine Historie'
		WHEN 'not computed yet' THEN 'noch nicht berechnet'
		WHEN 'no target' THEN 'kein Ziel'
		WHEN 'targets not readable' THEN 'Ziele nicht lesbar'
		WHEN 'not set' THEN 'Einstellung fehlt'
		WHEN 'dimension does not apply' THEN 'Dimension passt nicht'
		WHEN 'not additive' THEN 'nicht summierbar'
		WHEN 'subscriptions count instead' THEN 'Abonnements gelten stattdessen'
		WHEN 'unknown member' THEN 'unbekanntes Mitglied'
		WHEN 'faulty formula' THEN 'fehlerhafte Formel'
		WHEN 'out of range' THEN 'außerhalb des Zahlenbereichs'
		/* and of a bad row */
		WHEN 'rate is not a positive number' THEN 'Kurs ist keine positive Zahl'
		WHEN 'no day' THEN 'kein Tag'
		WHEN 'the reporting currency is not 1' THEN 'die Berichtswährung ist nicht 1'
		WHEN 'no id' THEN 'keine id'
		WHEN 'ends before it starts' THEN 'endet, bevor es beginnt'
		WHEN 'overlaps another row of the account' THEN 'überlappt eine andere Zeile des Kunden'
		WHEN 'overlaps the next row of the opportunity' THEN 'überlappt die nächste Zeile der Chance'
		WHEN 'overlaps another row of the rep' THEN 'überlappt eine andere Zeile des Vertrieblers'
		WHEN 'probability outside 0..1' THEN 'Wahrscheinlichkeit außerhalb von 0..1'
		WHEN 'both won and lost' THEN 'gewonnen und verloren zugleich'
		WHEN 'no sale_id' THEN 'keine sale_id'
		WHEN 'no date' THEN 'kein Datum'
		WHEN 'no amount' THEN 'kein Betrag'
		WHEN 'amount is not a finite number' THEN 'Betrag ist keine endliche Zahl'
		WHEN 'direct_cost is not a finite number' THEN 'direct_cost ist keine endliche Zahl'
		WHEN 'unknown status' THEN 'unbekannter Status'
		WHEN 'won or lost without closed_at' THEN 'gewonnen oder verloren ohne closed_at'
		WHEN 'open without created_at' THEN 'offen ohne created_at'
		WHEN 'closed before it was created' THEN 'geschlossen vor der Anlage'
		WHEN 'won before first contact' THEN 'gewonnen vor dem ersten Kontakt'
		WHEN 'no opportunity_id' THEN 'keine opportunity_id'
		WHEN 'no valid_from' THEN 'kein valid_from'
		WHEN 'unknown opportunity' THEN 'unbekannte Chance'
		WHEN 'no creation date' THEN 'kein Datum der Anlage'
		WHEN 'converted before it was created' THEN 'Kunde vor der Anlage'
		WHEN 'answered before it was created' THEN 'beantwortet vor der Anlage'
		WHEN 'qualified before it was created' THEN 'qualifiziert vor der Anlage'
		WHEN 'sent without sent_at' THEN 'versendet ohne sent_at'
		WHEN 'decided before it was sent' THEN 'entschieden vor dem Versand'
		WHEN 'decided without decided_at' THEN 'entschieden ohne decided_at'
		WHEN 'no account_id' THEN 'keine account_id'
		WHEN 'negative amount' THEN 'negativer Betrag'
		WHEN 'cancelled without valid_to' THEN 'gekündigt ohne valid_to'
		WHEN 'unknown billing_unit' THEN 'unbekannte billing_unit'
		WHEN 'billing_count is not positive' THEN 'billing_count ist nicht positiv'
		WHEN 'no period_from' THEN 'kein period_from'
		WHEN 'no end' THEN 'kein Ende'
		WHEN 'unknown function' THEN 'unbekannte function'
		WHEN 'unknown kind' THEN 'unbekannte Art'
		WHEN 'unknown direction' THEN 'unbekannte Richtung'
		WHEN 'answered before it was sent' THEN 'beantwortet vor dem Versand'
		WHEN 'no exchange rate' THEN 'kein Wechselkurs'
		ELSE reason END ELSE reason END;
END;
COMMENT ON FUNCTION @extschema@.kpi_reason_text(text, text) IS
'the reason of a missing value, or of a bad row in kpi_problem, in a language (en, de)';

CREATE TYPE @extschema@.kpi_measure_states AS (
	unbound		text[],
	replaced	text[],
	present_only text[],
	readable	text[],
	is_merged	boolean
);
COMMENT ON TYPE @extschema@.kpi_measure_states IS
'measures that no bound source has, those that subscriptions say instead, those whose stock has no history, those that the bound columns allow, and whether several members are merged';

CREATE FUNCTION @extschema@.kpi_states_of_measures(is_merged boolean) RETURNS @extschema@.kpi_measure_states
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	states @extschema@.kpi_measure_states;
	columns text[] := (SELECT array_agg(u.source || '.' || u.column_name) FROM @extschema@.kpi_usable_columns() u);
BEGIN
	WITH source AS MATERIALIZED (
		SELECT s.source, @extschema@.kpi_parts_to_read(s.source, NULL) AS parts FROM @extschema@.kpi_source s
	), measure AS (
		SELECT x.measure, bool_or(s.source IS NOT NULL) AS is_bound, bool_and(NOT p.part = ANY (s.parts)) AS is_replaced,
			   bool_and(p.kind = 'stock' AND p.starts = 'NULL') FILTER (WHERE s.source IS NOT NULL) AS is_present_only,
			   bool_or(p.part = ANY (s.parts) AND @extschema@.kpi_has_columns(x.source, x.needs, columns)) AS is_readable
		  FROM @extschema@.kpi_measure x
		  JOIN @extschema@.kpi_part p ON p.source = x.source AND p.part = x.part
		  LEFT JOIN source s ON s.source = x.source
		 GROUP BY x.measure
	)
	SELECT array_agg(m.measure) FILTER (WHERE NOT m.is_bound), array_agg(m.measure) FILTER (WHERE m.is_replaced),
		   array_agg(m.measure) FILTER (WHERE m.is_present_only), array_agg(m.measure) FILTER (WHERE m.is_readable)
	  INTO states.unbound, states.replaced, states.present_only, states.readable FROM measure m;
	states.is_merged := kpi_states_of_measures.is_merged;
	RETURN states;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_states_of_measures(boolean) IS
'what kpi_reason must know about measures, for all of them, where one is not available; a query asks for it once';

CREATE FUNCTION @extschema@.kpi_reason(reason text, measures text[], missing text[], grain text, dimension text, period date,
									   is_complete boolean, states @extschema@.kpi_measure_states, as_of timestamptz, lang text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	is_missing boolean := measures && missing;	-- else it is in another period that the measure is not available
	causes text[] := measures;
	in_total text[];	-- those that the total has
	in_blank text[];	-- those that single members have
BEGIN
	IF reason = 'not computed' THEN	-- the period, or an earlier one; a default snapshot computes all that there is, of dimensions that it knew
		reason := CASE WHEN (is_complete IS NOT NULL OR period < @extschema@.kpi_first_period(grain, 'total')) AND EXISTS (SELECT FROM @extschema@.kpi_last_run(as_of))
							AND (@extschema@.kpi_first_period(grain, dimension) > @extschema@.kpi_first_period(grain, 'total')) IS NOT TRUE
					   THEN 'no history' ELSE 'not computed yet' END;
	ELSIF reason = 'not available' THEN
		IF is_missing THEN
			causes := ARRAY(SELECT m FROM unnest(measures) m WHERE m = ANY (missing));
		END IF;
		IF NOT causes <@ states.unbound THEN	-- of alternatives the one whose source is bound
			causes := ARRAY(SELECT m FROM unnest(causes) m WHERE m <> ALL (states.unbound));
		END IF;
		in_total := causes;
		IF dimension <> 'total' THEN
			in_total := ARRAY(SELECT m FROM unnest(causes) m, @extschema@.kpi_fact_version('total', '', grain, period, as_of) f
							   WHERE NOT m = ANY (@extschema@.kpi_missing(f)));
		END IF;
		in_blank := '{}';
		IF states.is_merged AND is_missing THEN	-- what single members have was lost by merging them
			in_blank := ARRAY(SELECT m FROM unnest(causes) m, @extschema@.kpi_fact_version(dimension, @extschema@.kpi_blank_member(dimension), grain, period, as_of) f
							   WHERE NOT m = ANY (@extschema@.kpi_missing(f)));
		END IF;
		reason := CASE WHEN is_missing IS NULL THEN 'column missing'
					   WHEN in_blank <> '{}' THEN 'not additive'
					   WHEN causes && states.unbound THEN 'source not bound'
					   WHEN dimension <> 'total' AND is_missing AND in_total <> '{}' THEN 'dimension does not apply'
					   WHEN causes && states.replaced THEN 'subscriptions count instead'
					   WHEN causes && states.present_only AND (is_complete OR NOT is_missing) THEN 'no history'
					   WHEN causes <@ states.readable THEN 'not computed yet'	-- bound since
					   ELSE 'column missing' END;
	END IF;
	RETURN @extschema@.kpi_reason_text(reason, lang);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_reason(text, text[], text[], text, text, date, boolean, @extschema@.kpi_measure_states, timestamptz, text) IS
'the reason of kpi_evaluate spelt out: for a measure that is not available, whether its source is not bound, subscriptions say instead who is a customer, its dimension does not apply, it does not add up over the members merged, its stock has no history, it was bound since the last snapshot, or a column is missing (kpi_needs names it); for a period that is not computed, whether a snapshot without bounds goes no further back, or has not computed the dimension yet. NULL for NULL';

/*
 * Who never had any facts, is not expected to, and whom no source names: more
 * likely mistyped than idle.  A combined member nothing happened to is one as
 * long as there are its parts.
 */
CREATE FUNCTION @extschema@.kpi_unknown_members(dimension text, members text[], until timestamptz DEFAULT NULL) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	parts text[] := (SELECT d.parts FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_unknown_members.dimension);
	unseen text[] := ARRAY(SELECT m FROM unnest(members) m
							WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.dimension = kpi_unknown_members.dimension AND f.member = m AND (until IS NULL OR f.recorded_at <= until))
							  AND NOT EXISTS (SELECT FROM @extschema@.kpi_target t WHERE t.dimension = kpi_unknown_members.dimension AND t.member = m));
BEGIN
	IF unseen = '{}' THEN
		RETURN unseen;
	END IF;
	unseen := ARRAY(SELECT m FROM unnest(unseen) m
					EXCEPT SELECT t.member FROM @extschema@.kpi_source_target_rows() t WHERE t.dimension = kpi_unknown_members.dimension AND t.fault IS NULL);
	IF dimension IN ('rep', 'account') THEN
		unseen := ARRAY(SELECT m FROM unnest(unseen) m EXCEPT SELECT n.id FROM @extschema@.kpi_names(dimension, unseen) n);
	ELSIF cardinality(parts) > 1 THEN
		unseen := ARRAY(SELECT m FROM unnest(unseen) m
						 WHERE EXISTS (SELECT FROM unnest(parts, @extschema@.kpi_member_parts(m, cardinality(parts))) p(part, name)
										WHERE (EXISTS (SELECT FROM @extschema@.kpi_dimension d WHERE d.dimension = p.part)	-- else it has no facts of its own
											   OR p.part IN ('rep', 'account') AND p.name <> '(none)' AND @extschema@.kpi_may_read(p.part))
										  AND @extschema@.kpi_unknown_members(p.part, ARRAY[p.name], until) <> '{}'));
	END IF;
	RETURN unseen;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unknown_members(text, text[], timestamptz) IS
'those of the members that never had facts (until an instant), have no targets, are no rep or account with a name, and, if they are combined, have such a part';

/* Where there is no place for the reason.  Where nothing was computed of a dimension, nobody is known. */
CREATE FUNCTION @extschema@.kpi_require_known(dimension text, members text[]) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	unknown text[] := @extschema@.kpi_unknown_members(dimension, array_remove(members, @extschema@.kpi_blank_member(dimension)));
BEGIN
	IF unknown <> '{}' AND EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.dimension = kpi_require_known.dimension) THEN
		RAISE EXCEPTION 'unknown member "%" of dimension "%"', unknown[1], dimension
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('SELECT member, label FROM kpi_members(%L) lists those that the last snapshot knew.', dimension);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_known(text, text[]) IS
'raises for a member that kpi_unknown_members does not know, once a snapshot has computed the dimension';
