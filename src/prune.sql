/*
 * Thinning the history.  Afterwards it is as if only the snapshots kept had
 * been taken: what one that is pruned recorded or closed counts as recorded or
 * closed by the next one kept, and a version that lived between two kept ones
 * is gone.  So as_of answers with what the last kept snapshot had reported, for
 * all members alike, and never with a mixture.  The runs themselves stay, marked:
 * alerts refer to them, and that the first one of a day is gone is what kpi_forecast
 * has to know.  They take some 10 MB a year.
 *
 * Kept are all snapshots of the last days, then the last of each day, then the
 * last of each month; and always the first of each month and, where there are
 * weeks, of each week, on which forecasts rest.  A snapshot at midnight belongs to
 * the day that ends there.
 */
CREATE FUNCTION @extschema@.kpi_prunable_runs(keep text) RETURNS TABLE (run bigint, as_of timestamptz)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	all_days integer := split_part(keep, ',', 1)::integer;
	daily_days integer := split_part(keep, ',', 2)::integer;
BEGIN
	RETURN QUERY
	WITH taken AS (
		SELECT r.run, r.as_of, d.day, @extschema@.kpi_period_start('month', d.day) AS month,
			   CASE WHEN 'week' = ANY (string_to_array(@extschema@.kpi_setting('grains'), ',')) THEN @extschema@.kpi_period_start('week', d.day) END AS week,
			   max(d.day) OVER () - d.day AS age
		  FROM @extschema@.kpi_run r
		  CROSS JOIN LATERAL (SELECT @extschema@.kpi_day(r.as_of - interval '1 microsecond') AS day) d
		 WHERE r.outcome = 'done' AND NOT r.is_pruned
	)
	SELECT t.run, t.as_of
	  FROM (SELECT *, lead(t.as_of) OVER (PARTITION BY t.day ORDER BY t.as_of) IS NULL AS is_last_of_day,
				   lead(t.as_of) OVER (PARTITION BY t.month ORDER BY t.as_of) IS NULL AS is_last_of_month,
				   lag(t.as_of) OVER (PARTITION BY t.month ORDER BY t.as_of) IS NULL
				   OR t.week IS NOT NULL AND lag(t.as_of) OVER (PARTITION BY t.week ORDER BY t.as_of) IS NULL AS is_first	-- on which forecasts rest
			  FROM taken t) t
	 WHERE t.age >= all_days AND NOT t.is_first
	   AND NOT CASE WHEN t.age < daily_days THEN t.is_last_of_day ELSE t.is_last_of_month END
	 ORDER BY t.as_of;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_prunable_runs(text) IS
'the snapshots that keep (days of which all are kept, days of which the last of each day is) lets go, the oldest first; days are counted back from the last snapshot';

CREATE FUNCTION @extschema@.kpi_prune(keep text DEFAULT NULL, batch integer DEFAULT 100, OUT pruned_runs bigint, OUT gone_facts bigint)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
	SET row_security = off
AS $$
DECLARE
	pruned bigint[];
	moments timestamptz[];
	next_runs bigint[];
	next_moments timestamptz[];
	closings timestamptz[];
BEGIN
	keep := coalesce(keep, @extschema@.kpi_setting('history_keep'));
	IF keep !~ '^([0-9]{1,4},[0-9]{1,5}|all)$' OR split_part(keep, ',', 1) = '0' THEN
		RAISE EXCEPTION 'cannot keep "%" of the history', keep
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Give two numbers of days, such as 2,92 (all snapshots of two days, the last of each day of 92, the last of each month before), or all.';
	END IF;
	pruned_runs := 0;
	gone_facts := 0;
	IF keep = 'all' THEN
		RETURN;
	END IF;
	IF NOT @extschema@.kpi_try_lock() THEN
		RAISE NOTICE 'a snapshot is running; the history is not thinned now';
		RETURN;
	END IF;

	SELECT array_agg(p.run ORDER BY p.as_of), array_agg(p.as_of ORDER BY p.as_of) INTO pruned, moments
	  FROM (SELECT * FROM @extschema@.kpi_prunable_runs(keep) LIMIT batch) p;
	IF pruned IS NULL THEN
		RETURN;
	END IF;
	UPDATE @extschema@.kpi_run r SET is_pruned = true WHERE r.run = ANY (pruned);
	SELECT array_agg(k.run ORDER BY p.n), array_agg(k.as_of ORDER BY p.n) INTO next_runs, next_moments
	  FROM unnest(moments) WITH ORDINALITY p(as_of, n)
	  CROSS JOIN LATERAL (SELECT r.run, r.as_of FROM @extschema@.kpi_run r
						   WHERE r.outcome = 'done' AND NOT r.is_pruned AND r.as_of > p.as_of ORDER BY r.as_of LIMIT 1) k;

	closings := ARRAY(SELECT p.as_of + interval '1 microsecond' FROM unnest(moments) WITH ORDINALITY p(as_of, n) ORDER BY p.n);	-- kpi_set closes facts right after the last snapshot

	WITH moved AS (
		SELECT * FROM unnest(moments, next_moments) m(as_of, next_as_of)
	)
	DELETE FROM @extschema@.kpi_fact f
	 USING moved m
	 WHERE f.recorded_at = m.as_of AND f.superseded_at IS NOT NULL
	   AND coalesce((SELECT s.next_as_of FROM moved s WHERE s.as_of = f.superseded_at), f.superseded_at) <= m.next_as_of;
	GET DIAGNOSTICS gone_facts = ROW_COUNT;

	UPDATE @extschema@.kpi_fact f
	   SET recorded_at = coalesce(next_moments[array_position(moments, f.recorded_at)], f.recorded_at),
		   run = coalesce(next_runs[array_position(moments, f.recorded_at)], f.run),
		   superseded_at = coalesce(next_moments[coalesce(array_position(moments, f.superseded_at), array_position(closings, f.superseded_at))], f.superseded_at)
	 WHERE f.recorded_at = ANY (moments) OR f.superseded_at = ANY (moments || closings);
	pruned_runs := cardinality(pruned);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_prune(text, integer) IS
'thins the history of facts as keep says (NULL: the setting history_keep): two numbers of days, of which all snapshots and of which the last of each day are kept; before, the last of each month, and always the first of each month and, where the setting grains has weeks, of each week; or all. Afterwards all is as if only these had been taken. At most batch snapshots at a time, the oldest first; returns how many, and how many versions are gone. kpi_refresh calls it after each snapshot';
