/*
 * Which periods there are facts of.
 *
 * Current periods are found by any fact, through the index of current ones;
 * those known at an instant by the blank member's, through the primary key.
 */
CREATE FUNCTION @extschema@.kpi_find_period(grain text, dimension text, day date, as_of timestamptz) RETURNS date
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	found_period date;
BEGIN
	IF as_of IS NULL THEN
		SELECT f.period INTO found_period FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = kpi_find_period.dimension AND f.grain = kpi_find_period.grain
		   AND f.period <= coalesce(day, 'infinity') AND f.period > coalesce(day - @extschema@.kpi_longest_period(kpi_find_period.grain), '-infinity')
		   AND (f.period_end > day OR day IS NULL AND f.is_complete)
		 ORDER BY f.dimension DESC, f.grain DESC, f.period DESC LIMIT 1;
	ELSE
		SELECT max(f.period) INTO found_period FROM @extschema@.kpi_fact f
		 WHERE f.recorded_at <= as_of AND (f.superseded_at IS NULL OR f.superseded_at > as_of)
		   AND f.dimension = kpi_find_period.dimension AND f.member = (SELECT @extschema@.kpi_blank_member(kpi_find_period.dimension)) AND f.grain = kpi_find_period.grain
		   AND f.period <= coalesce(day, 'infinity') AND (f.period_end > day OR day IS NULL AND f.is_complete);
	END IF;
	IF found_period IS NULL THEN
		PERFORM @extschema@.kpi_require_computed(grain);
	END IF;
	RETURN found_period;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_find_period(text, text, date, timestamptz) IS
'first day of the computed period that contains the day, of the last complete one when day is NULL; NULL when none was computed, an error for a grain of which none ever is';

CREATE FUNCTION @extschema@.kpi_find_range(grain text, dimension text, from_day date, to_day date, as_of timestamptz,
										   OUT oldest date, OUT newest date)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	lowest date := from_day - @extschema@.kpi_longest_period(grain);
BEGIN
	PERFORM @extschema@.kpi_require_days(from_day, to_day);
	IF as_of IS NULL THEN
		SELECT f.period INTO newest FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = kpi_find_range.dimension AND f.grain = kpi_find_range.grain
		   AND f.period < coalesce(to_day, 'infinity') AND f.period > coalesce(lowest, '-infinity') AND f.period_end > coalesce(from_day, '-infinity')
		 ORDER BY f.dimension DESC, f.grain DESC, f.period DESC LIMIT 1;
		/* The one that contains from_day, which is found going back from there; else the first one behind. */
		SELECT f.period INTO oldest FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = kpi_find_range.dimension AND f.grain = kpi_find_range.grain
		   AND f.period <= from_day AND f.period < coalesce(to_day, 'infinity') AND f.period > lowest AND f.period_end > from_day
		 ORDER BY f.dimension DESC, f.grain DESC, f.period DESC LIMIT 1;
		IF NOT FOUND THEN
			SELECT f.period INTO oldest FROM @extschema@.kpi_fact f
			 WHERE f.superseded_at IS NULL AND f.dimension = kpi_find_range.dimension AND f.grain = kpi_find_range.grain
			   AND f.period < coalesce(to_day, 'infinity') AND f.period > coalesce(from_day, '-infinity')
			 ORDER BY f.dimension, f.grain, f.period LIMIT 1;
		END IF;
	ELSE
		SELECT min(f.period), max(f.period) INTO oldest, newest FROM @extschema@.kpi_fact f
		 WHERE f.recorded_at <= as_of AND (f.superseded_at IS NULL OR f.superseded_at > as_of)
		   AND f.dimension = kpi_find_range.dimension AND f.member = (SELECT @extschema@.kpi_blank_member(kpi_find_range.dimension)) AND f.grain = kpi_find_range.grain
		   AND f.period < coalesce(to_day, 'infinity') AND f.period_end > coalesce(from_day, '-infinity');
	END IF;
	IF newest IS NULL THEN
		PERFORM @extschema@.kpi_require_computed(grain);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_find_range(text, text, date, date, timestamptz) IS
'the first days of the oldest and the newest computed period that overlap the days from from_day to before to_day (NULL: no limit); NULL when none does, an error for days the wrong way round and for a grain of which none is ever computed';

CREATE FUNCTION @extschema@.kpi_first_period(grain text, dimension text) RETURNS date
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT min(f.period) FROM @extschema@.kpi_fact f
	 WHERE f.superseded_at IS NULL AND f.dimension = kpi_first_period.dimension AND f.grain = kpi_first_period.grain;
END;
COMMENT ON FUNCTION @extschema@.kpi_first_period(text, text) IS
'the first day of the earliest period of a grain that has current facts of a dimension; NULL when none has';

CREATE FUNCTION @extschema@.kpi_is_running(grain text, dimension text, period date, as_of timestamptz) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	blank text := @extschema@.kpi_blank_member(dimension);
BEGIN
	IF as_of IS NULL THEN
		RETURN EXISTS (SELECT FROM @extschema@.kpi_fact f
						WHERE f.superseded_at IS NULL AND f.dimension = kpi_is_running.dimension AND f.grain = kpi_is_running.grain
						  AND f.period = kpi_is_running.period AND f.member = blank AND NOT f.is_complete);
	END IF;
	RETURN coalesce((SELECT NOT f.is_complete FROM @extschema@.kpi_fact_version(dimension, blank, grain, period, as_of) f), false);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_is_running(text, text, date, timestamptz) IS
'whether the facts of a period are of one that was unfinished when they were recorded';
