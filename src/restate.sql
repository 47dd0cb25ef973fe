/*
 * What was reported when.  The versions of kpi_fact answer it: a KPI is worked
 * out as of each snapshot that changed something it reads.
 */
CREATE FUNCTION @extschema@.kpi_ever_members(grain text, dimension text, oldest date, newest date) RETURNS text[]
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY(SELECT DISTINCT f.member FROM @extschema@.kpi_fact f
				  WHERE f.dimension = kpi_ever_members.dimension AND f.grain = kpi_ever_members.grain AND f.period BETWEEN oldest AND newest);
END;
COMMENT ON FUNCTION @extschema@.kpi_ever_members(text, text, date, date) IS
'the members of a dimension that have or had a fact in the periods that begin on a day from oldest to newest';

CREATE FUNCTION @extschema@.kpi_restatements(kpi text, from_day date, to_day date, grain text DEFAULT 'month', dimension text DEFAULT 'total',
											 members text[] DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, member text, label text, first_reported numeric, before numeric, after numeric, change numeric,
				   run bigint, recorded_at timestamptz)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	zone text := @extschema@.kpi_setting('time_zone');
	starts date[];
	blank text;
	d @extschema@.kpi_resolved;
	oldest date;
	newest date;
	all_bases integer[];
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain);
	blank := @extschema@.kpi_require_dimension(dimension);
	PERFORM @extschema@.kpi_require_member(dimension, members);
	PERFORM @extschema@.kpi_require_days(from_day, to_day);
	PERFORM @extschema@.kpi_require_known(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	SELECT min(f.period), max(f.period) INTO oldest, newest FROM @extschema@.kpi_fact f
	 WHERE f.dimension = kpi_restatements.dimension AND f.member = blank AND f.grain = kpi_restatements.grain AND f.is_complete
	   AND f.period < coalesce(to_day, 'infinity') AND f.period_end > coalesce(from_day, '-infinity');
	all_bases := @extschema@.kpi_bases(grain, oldest, newest);
	IF all_bases = '{}' THEN
		PERFORM @extschema@.kpi_require_computed(grain);
		RETURN;
	END IF;
	members := CASE WHEN members IS NULL THEN @extschema@.kpi_ever_members(grain, dimension, oldest, newest)
					ELSE ARRAY(SELECT DISTINCT unnest(members)) END;
	d := (@extschema@.kpi_resolve(ARRAY[kpi], @extschema@.kpi_periods_per_year(grain), lang))[1];
	starts := @extschema@.kpi_starts(grain, newest, cardinality(all_bases) - 1 + d.reach);

	RETURN QUERY
	WITH version AS (	-- of complete periods; what reads months may change with any of them
		SELECT f.recorded_at, f.superseded_at, CASE WHEN d.months > 0 THEN NULL ELSE f.period END AS period
		  FROM @extschema@.kpi_fact f
		 WHERE f.dimension = kpi_restatements.dimension AND (f.member = ANY (members) OR f.member = blank) AND f.is_complete
		   AND f.grain IN (kpi_restatements.grain, CASE WHEN d.months > 0 THEN 'month' END)
		   AND f.period < @extschema@.kpi_period_end(kpi_restatements.grain, newest) AND (f.period >= starts[cardinality(starts)] OR d.months > 0)
	), event AS (
		SELECT v.recorded_at AS at, v.period FROM version v
		UNION
		SELECT v.superseded_at, v.period FROM version v WHERE v.superseded_at IS NOT NULL
	), instant AS MATERIALIZED (	-- with the periods whose formula reads one of those that changed
		SELECT e.at, array_agg(DISTINCT b.base) AS bases
		  FROM event e JOIN unnest(all_bases) b(base)
			ON e.period IS NULL OR e.period BETWEEN coalesce(starts[b.base + d.reach + 1], '-infinity') AND starts[b.base + 1]
		 GROUP BY e.at
	), told AS (
		SELECT i.at, c.member, c.period, c.value, row_number() OVER w AS n, lag(c.value) OVER w AS before, lag(c.reason) OVER w AS reason_before, first_value(c.value) OVER w AS first_reported
		  FROM instant i
		  CROSS JOIN LATERAL @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, members, newest, i.bases, '{}', '{}', false, i.at, lang) c
		 WHERE c.is_complete
		WINDOW w AS (PARTITION BY c.member, c.period ORDER BY i.at)
	)
	SELECT @extschema@.kpi_midnight(t.period, zone), t.member, l.label, t.first_reported, t.before, t.value, t.value - t.before, r.run, t.at
	  FROM told t
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = t.member
	  LEFT JOIN @extschema@.kpi_run r ON r.as_of = t.at AND r.outcome = 'done'
	 WHERE t.n > 1 AND t.value IS DISTINCT FROM t.before
	   AND (t.value <> 0 OR t.reason_before IS DISTINCT FROM 'unknown member')	-- who came only later had nothing before
	 ORDER BY 1, t.member COLLATE "C", t.at;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_restatements(text, date, date, text, text, text[], text) IS
'what changed after it was reported: for each complete period that overlaps the days from from_day to before to_day (NULL: no limit) and each member (NULL: all), one row for each snapshot (run, recorded_at) that changed its value, with the value first reported for the complete period, that before, that after, and the change (NULL where one of the two is). Targets and definitions are those of today. No row where nothing changed. Raises as kpi_series, and for a member that nobody knows';

CREATE FUNCTION @extschema@.kpi_reported_series(kpi text, from_day date, to_day date, grain text DEFAULT 'month', dimension text DEFAULT 'total',
												members text[] DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, member text, label text, value numeric, taken_at timestamptz, is_complete boolean, reason text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	zone text := @extschema@.kpi_setting('time_zone');
	blank text;
	oldest date;
	newest date;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain);
	blank := @extschema@.kpi_require_dimension(dimension);
	PERFORM @extschema@.kpi_require_member(dimension, members);
	PERFORM @extschema@.kpi_require_days(from_day, to_day);
	lang := @extschema@.kpi_require_language(lang);
	SELECT min(f.period), max(f.period) INTO oldest, newest FROM @extschema@.kpi_fact f
	 WHERE f.dimension = kpi_reported_series.dimension AND f.member = blank AND f.grain = kpi_reported_series.grain
	   AND f.period < coalesce(to_day, 'infinity') AND f.period_end > coalesce(from_day, '-infinity');
	IF newest IS NULL THEN
		PERFORM @extschema@.kpi_require_computed(grain);
	END IF;
	members := CASE WHEN members IS NULL THEN @extschema@.kpi_ever_members(grain, dimension, oldest, newest)
					ELSE ARRAY(SELECT DISTINCT unnest(members)) END;

	RETURN QUERY
	WITH p AS (
		SELECT f.period, @extschema@.kpi_midnight(f.period_end, zone) AS ends_at
		  FROM @extschema@.kpi_fact f
		 WHERE f.dimension = kpi_reported_series.dimension AND f.member = blank AND f.grain = kpi_reported_series.grain AND f.period BETWEEN oldest AND newest
		 GROUP BY f.period, f.period_end
	)
	SELECT @extschema@.kpi_midnight(p.period, zone), c.member, l.label, c.value,
		   (SELECT max(r.as_of) FROM @extschema@.kpi_run r WHERE r.outcome = 'done' AND NOT r.is_pruned AND r.as_of <= p.ends_at), c.is_complete,
		   CASE WHEN c.reason IS NOT NULL
				THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, c.period, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(false)) END, p.ends_at, lang) END
	  FROM p
	  CROSS JOIN LATERAL @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, members, p.period, '{0}', '{}', '{}', false, p.ends_at, lang) c
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = c.member
	 WHERE c.is_complete IS NOT NULL
	 ORDER BY 1, c.member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_reported_series(text, date, date, text, text, text[], text) IS
'a KPI over time as it was reported when each period ended: by the last snapshot up to that moment (taken_at; is_complete: taken at that very moment). So a pipeline has a past though the CRM keeps none. Arguments as of kpi_series; no row for a period without a snapshot in it';
