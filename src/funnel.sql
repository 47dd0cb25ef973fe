/*
 * The way of opportunities: through the stages, and why some were lost.  Both
 * readers list the members of one base dimension, the stage or the reason, for
 * a member of another dimension: rep+stage holds the stages of each rep.
 */
CREATE FUNCTION @extschema@.kpi_facts_by(part text, period date, grain text, dimension text, member text, as_of timestamptz)
	RETURNS TABLE (part_member text, fact @extschema@.kpi_fact)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	combined text := @extschema@.kpi_dimension_by(dimension, part);
	newest date;
	fixed text[];
	places integer[];
	place integer;
	n integer;
BEGIN
	PERFORM @extschema@.kpi_periods_per_year(grain);
	PERFORM @extschema@.kpi_require_member(dimension, ARRAY[member]);
	PERFORM @extschema@.kpi_require_known(dimension, ARRAY[member]);
	newest := @extschema@.kpi_find_period(grain, combined, period, as_of);
	SELECT cardinality(c.parts), array_position(c.parts, part), @extschema@.kpi_member_parts(member, cardinality(d.parts)),
		   ARRAY(SELECT array_position(c.parts, p.name) FROM unnest(d.parts) WITH ORDINALITY p(name, i) ORDER BY p.i)
	  INTO n, place, fixed, places
	  FROM @extschema@.kpi_dimension c, @extschema@.kpi_dimension d
	 WHERE c.dimension = combined AND d.dimension = kpi_facts_by.dimension;

	RETURN QUERY
	SELECT m.parts[place], f
	  FROM @extschema@.kpi_dimension_facts(combined, grain, newest, newest, as_of) f
	 CROSS JOIN LATERAL (SELECT @extschema@.kpi_member_parts(f.member, n) AS parts) m
	 WHERE ARRAY(SELECT m.parts[x.place] FROM unnest(places) WITH ORDINALITY x(place, i) ORDER BY x.i) = fixed;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_facts_by(text, date, text, text, text, timestamptz) IS
'the facts of a member of a dimension by the members of a base dimension (part), in the period that contains the day (NULL: the last complete one). No rows when it was not computed; an error when there is no dimension that combines the two';

CREATE FUNCTION @extschema@.kpi_stage_funnel(period date DEFAULT NULL, grain text DEFAULT 'month', dimension text DEFAULT 'total', member text DEFAULT '',
											 as_of timestamptz DEFAULT NULL)
	RETURNS TABLE (stage text, stage_position bigint, entries bigint, advances bigint, conversion numeric,
				   stays bigint, mean_days numeric, median_days numeric, p90_days numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT f.part_member, s.stage_position, (f.fact).stage_entries, (f.fact).stage_advances,
		   @extschema@.kpi_quotient(100.0 * (f.fact).stage_advances, (f.fact).stage_entries),
		   @extschema@.kpi_count((f.fact).stage_stays), @extschema@.kpi_mean((f.fact).stage_stays),
		   @extschema@.kpi_quantile((f.fact).stage_stays, 0.5), @extschema@.kpi_quantile((f.fact).stage_stays, 0.9)
	  FROM @extschema@.kpi_facts_by('stage', period, grain, dimension, member, as_of) f
	  LEFT JOIN @extschema@.kpi_stages() s ON s.stage = f.part_member
	 WHERE (f.fact).stage_entries > 0 OR @extschema@.kpi_count((f.fact).stage_stays) > 0
	 ORDER BY s.stage_position NULLS LAST, f.part_member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_stage_funnel(date, text, text, text, timestamptz) IS
'the way of opportunities through the stages, for a member of a dimension, in the period of a grain that contains the day (NULL: the last complete one): entries (how many entered the stage in it for the first time; a stage that one skipped was entered when it was passed), advances (how many of them entered a later stage since, or were won) and conversion (percent; NULL without entries), stays (in the stage that ended in the period, each on its own) and their mean, median and 90th percentile in days (NULL without one). Stages in the order of the source "stage", unknown ones last; a stage that nobody entered or left has no row. entries NULL: the source "stage" has no positions. as_of: as it was known then. An error for a member that nobody knows, and when there is no dimension that combines the given one with the stage';

CREATE FUNCTION @extschema@.kpi_loss_reasons(period date DEFAULT NULL, grain text DEFAULT 'month', dimension text DEFAULT 'total', member text DEFAULT '',
											 as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE (reason text, label text, deals bigint, share numeric, value numeric, value_share numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	lang := @extschema@.kpi_require_language(lang);
	RETURN QUERY
	WITH lost AS MATERIALIZED (
		SELECT f.part_member AS reason, (f.fact).lost_deals AS deals, (f.fact).lost_value AS value
		  FROM @extschema@.kpi_facts_by('lost_reason', period, grain, dimension, member, as_of) f
		 WHERE (f.fact).lost_deals > 0
	)
	SELECT l.reason, n.label, l.deals, @extschema@.kpi_quotient(100 * l.deals, sum(l.deals) OVER ()),
		   trim_scale(l.value), @extschema@.kpi_quotient(100 * l.value, nullif(sum(l.value) OVER (), 0))
	  FROM lost l
	  JOIN @extschema@.kpi_labels('lost_reason', ARRAY(SELECT reason FROM lost), lang) n ON n.member = l.reason
	 ORDER BY l.deals DESC, l.value DESC NULLS LAST, l.reason COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_loss_reasons(date, text, text, text, timestamptz, text) IS
'why opportunities were lost in the period of a grain that contains the day (NULL: the last complete one), for a member of a dimension, most frequent first: deals and their share in percent, value (amount in the reporting currency; NULL without the column) and its share; label: the reason, (none) in the language. No rows where none was lost. as_of: as it was known then. An error for a member that nobody knows, and when there is no dimension that combines the given one with lost_reason';
