/*
 * Will we make it?  What is won so far and what the open opportunities promise
 * for the rest of the period, against the target; and how many members are at
 * theirs.
 */
CREATE FUNCTION @extschema@.kpi_target_members(kpi text, dimension text, from_day date, to_day date) RETURNS text[]
	LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT ARRAY(SELECT t.member FROM @extschema@.kpi_target t
				  WHERE t.kpi = kpi_target_members.kpi AND t.dimension = kpi_target_members.dimension
					AND t.from_day < kpi_target_members.to_day AND t.to_day > kpi_target_members.from_day
				 UNION
				 SELECT t.member FROM @extschema@.kpi_source_targets(ARRAY[kpi], dimension, NULL, from_day, to_day) t);
END;
COMMENT ON FUNCTION @extschema@.kpi_target_members(text, text, date, date) IS
'the members of a dimension that have a target for the KPI on any of the days from from_day to before to_day, in kpi_target or the bound source';

CREATE FUNCTION @extschema@.kpi_outlook(period date DEFAULT NULL, grain text DEFAULT 'quarter', dimension text DEFAULT 'total',
										members text[] DEFAULT NULL, kpi text DEFAULT 'won_value',
										as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE (member text, label text, won numeric, closing numeric, weighted numeric, expected numeric, target numeric,
				   gap numeric, coverage numeric, attainment numeric, status text, is_complete boolean, reason text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	newest date;
	newest_end date;
	is_listed boolean := members IS NOT NULL;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	IF @extschema@.kpi_target_rule(kpi) <> 'add' OR (SELECT d.unit FROM @extschema@.kpi_definition d WHERE d.kpi = kpi_outlook.kpi) <> 'money' THEN
		RAISE EXCEPTION 'there is no outlook for KPI "%"', kpi
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'It is for money that adds up over time, such as won_value or revenue.';
	END IF;
	newest := @extschema@.kpi_find_period(grain, dimension, coalesce(period, @extschema@.kpi_day(coalesce(as_of, now()))), as_of);
	IF newest IS NULL THEN
		RETURN;
	END IF;
	newest_end := @extschema@.kpi_period_end(grain, newest);
	members := CASE WHEN is_listed THEN ARRAY(SELECT DISTINCT unnest(members))
					ELSE ARRAY(SELECT unnest(@extschema@.kpi_range_members(grain, dimension, newest, newest, as_of))
							   UNION SELECT unnest(@extschema@.kpi_target_members(kpi, dimension, newest, newest_end))) END;

	RETURN QUERY
	WITH c AS MATERIALIZED (
		SELECT * FROM @extschema@.kpi_computed(ARRAY[kpi, 'pipeline_closing', 'weighted_closing'], grain, dimension, members, newest,
											   '{0}', '{}', '{0}', false, as_of, lang)
	), o AS (
		/* What has not closed when a period ends is nothing that it can still expect. */
		SELECT a.member, trim_scale(a.value) AS won, CASE WHEN a.is_complete THEN 0 ELSE trim_scale(p.value) END AS closing,
			   CASE WHEN a.is_complete THEN 0 ELSE trim_scale(w.value) END AS weighted, a.target, a.is_complete,
			   CASE WHEN a.value IS NULL THEN a.reason WHEN NOT a.is_complete THEN w.reason END AS reason,
			   CASE WHEN a.value IS NULL THEN a.measures ELSE w.measures END AS measures,
			   CASE WHEN a.value IS NULL THEN a.missing ELSE w.missing END AS missing
		  FROM c a
		  JOIN c p ON p.member = a.member AND p.ordinal = 2
		  JOIN c w ON w.member = a.member AND w.ordinal = 3
		 WHERE a.ordinal = 1
	)
	SELECT o.member, l.label, o.won, o.closing, o.weighted, e.expected, o.target, o.target - e.expected,
		   CASE WHEN o.target > o.won THEN @extschema@.kpi_quotient(o.closing, o.target - o.won) END,
		   @extschema@.kpi_quotient(100 * e.expected, o.target),
		   CASE WHEN e.expected IS NULL OR o.target IS NULL THEN 'none' WHEN e.expected >= o.target THEN 'met'
				WHEN e.expected >= t.warn_at THEN 'near' ELSE 'missed' END,
		   o.is_complete,
		   CASE WHEN o.reason IS NOT NULL
				THEN @extschema@.kpi_reason(o.reason, o.measures, o.missing, grain, dimension, newest, o.is_complete, CASE o.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(false)) END, as_of, lang)
				WHEN o.target IS NULL
				THEN @extschema@.kpi_reason_text(CASE WHEN @extschema@.kpi_targets_hidden() THEN 'targets not readable' ELSE 'no target' END, lang) END
	  FROM o
	  CROSS JOIN LATERAL (SELECT o.won + o.weighted AS expected) e
	  LEFT JOIN @extschema@.kpi_target_values(ARRAY[kpi], dimension, members, ARRAY[newest], ARRAY[newest_end]) t ON t.member = o.member
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = o.member
	 WHERE is_listed OR o.target IS NOT NULL OR o.won <> 0 OR o.closing <> 0 OR o.reason IS NOT NULL
	 ORDER BY o.target - e.expected DESC NULLS LAST, e.expected DESC NULLS LAST, o.member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_outlook(date, text, text, text[], text, timestamptz, text) IS
'will the target be made?  For the period that contains the day (NULL: the running one) and each member with something won, expected or planned (or the members listed), the widest gap first: won so far (kpi: won_value or another sum of money, such as revenue), closing (amount of the open opportunities expected to close in the period), weighted (times probability), expected = won + weighted, target, gap = target - expected (negative: more than asked for), coverage = closing / (target - won) (NULL when that is won already), attainment (percent) and status (as of kpi_report) of what is expected. In a complete period nothing more is expected. reason: why something is NULL. No rows where the period is not computed';

CREATE FUNCTION @extschema@.kpi_reps_at_target(period date DEFAULT NULL, kpi text DEFAULT 'revenue', dimension text DEFAULT 'rep', grain text DEFAULT 'month',
											   as_of timestamptz DEFAULT NULL,
											   OUT with_target bigint, OUT met bigint, OUT near bigint, OUT missed bigint, OUT share numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	newest date;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_dimension(dimension);
	newest := @extschema@.kpi_find_period(grain, dimension, period, as_of);
	IF newest IS NULL OR @extschema@.kpi_targets_hidden() THEN
		RETURN;
	END IF;
	SELECT count(*), count(*) FILTER (WHERE c.status = 'met'), count(*) FILTER (WHERE c.status = 'near'), count(*) FILTER (WHERE c.status = 'missed')
	  INTO with_target, met, near, missed
	  FROM @extschema@.kpi_computed(ARRAY[kpi], grain, dimension,
				@extschema@.kpi_target_members(kpi, dimension, newest, @extschema@.kpi_period_end(grain, newest)),
				newest, '{0}', '{}', '{0}', false, as_of, 'en') c
	 WHERE c.status <> 'none';
	share := @extschema@.kpi_quotient(100 * met, with_target);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_reps_at_target(date, text, text, text, timestamptz) IS
'how many reps (or members of another dimension) with a target for the KPI in the period (NULL: the last complete one) are at or beyond it, near it, or miss it, and the share of those at target in percent. A rep with a target who did nothing misses it; NULL share when none has a target and a value; all NULL when nothing was computed or the caller may not read all targets';
