/*
 * Alerts: which members crossed a target or a warning level with a snapshot.
 * The status before and after is worked out where the snapshot changed facts
 * that a KPI with a target reads.
 */
CREATE TABLE @extschema@.kpi_alert (
	run			bigint NOT NULL,
	kpi			text NOT NULL,
	dimension	text NOT NULL,
	member		text NOT NULL,
	grain		text NOT NULL,
	period		date NOT NULL,
	from_status	text NOT NULL,
	to_status	text NOT NULL,
	value		numeric NOT NULL,
	target		numeric NOT NULL,
	PRIMARY KEY (run, kpi, dimension, member, grain, period)
);
COMMENT ON TABLE @extschema@.kpi_alert IS
'members whose status against a target changed with a snapshot (run): from and to met, near or missed, and the value and target after it';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_alert', '');

CREATE FUNCTION @extschema@.kpi_raise_alerts(run bigint, as_of timestamptz, grains text[], dimensions text[], periods date[], altered_members jsonb) RETURNS bigint
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
DECLARE
	previous timestamptz := (SELECT max(r.as_of) FROM @extschema@.kpi_run r WHERE r.outcome = 'done' AND r.as_of < kpi_raise_alerts.as_of);
	changed record;
	newest_end date;
	blank_member text;	-- which stands in for members without facts
	kpis text[];
	members text[];
	bases integer[];
	starts date[];
	reach integer;
	faulty text[];
	raised bigint := 0;
	n bigint;
BEGIN
	IF previous IS NULL THEN
		RETURN 0;
	END IF;
	FOR changed IN
		SELECT f.grain, f.dimension, array_agg(DISTINCT f.period) AS periods, min(f.period) AS oldest, x.newest
		  FROM unnest(kpi_raise_alerts.grains, kpi_raise_alerts.dimensions, kpi_raise_alerts.periods) f(grain, dimension, period)
		  CROSS JOIN LATERAL (SELECT max(m.period) AS newest FROM @extschema@.kpi_fact m
							   WHERE m.superseded_at IS NULL AND m.dimension = f.dimension AND m.grain = f.grain AND m.member = @extschema@.kpi_blank_member(f.dimension)) x
		 WHERE f.grain NOT LIKE E'%\\_cut'
		 GROUP BY f.grain, f.dimension, x.newest
	LOOP
		faulty := coalesce(faulty, ARRAY(SELECT d.kpi FROM @extschema@.kpi_faulty_definitions() d));	-- which kpi_check tells; facts do not depend on them
		newest_end := @extschema@.kpi_period_end(changed.grain, changed.newest);
		blank_member := @extschema@.kpi_blank_member(changed.dimension);
		SELECT array_agg(DISTINCT t.kpi), array_agg(DISTINCT t.member) INTO kpis, members
		  FROM (SELECT k.kpi, k.member FROM @extschema@.kpi_target k
				 WHERE k.dimension = changed.dimension AND k.from_day < newest_end AND k.to_day > changed.oldest
				UNION ALL
				SELECT s.kpi, s.member FROM @extschema@.kpi_source_targets(ARRAY(SELECT d.kpi FROM @extschema@.kpi_definition d), changed.dimension, NULL, changed.oldest, newest_end) s) t
		 WHERE t.kpi IN (SELECT d.kpi FROM @extschema@.kpi_definition d) AND t.kpi <> ALL (faulty)
		   AND altered_members -> changed.dimension ?| ARRAY[t.member, blank_member];
		CONTINUE WHEN kpis IS NULL;
		/* A period is concerned when it changed, or one that a formula reads for it. */
		SELECT greatest(max(d.reach), max(d.months)) INTO reach FROM unnest(@extschema@.kpi_resolve(kpis, @extschema@.kpi_periods_per_year(changed.grain), 'en')) d;
		bases := @extschema@.kpi_bases(changed.grain, changed.oldest, changed.newest);
		starts := @extschema@.kpi_starts(changed.grain, changed.newest, cardinality(bases) + reach);
		SELECT array_agg(DISTINCT b.base) INTO bases
		  FROM unnest(bases) b(base)
		  JOIN unnest(changed.periods) c(period) ON c.period BETWEEN coalesce(starts[b.base + reach + 1], '-infinity') AND starts[b.base + 1];

		INSERT INTO @extschema@.kpi_alert (run, kpi, dimension, member, grain, period, from_status, to_status, value, target)
		SELECT kpi_raise_alerts.run, a.kpi, changed.dimension, a.member, changed.grain, a.period, b.status, a.status, a.value, a.target
		  FROM @extschema@.kpi_computed(kpis, changed.grain, changed.dimension, members, changed.newest, bases, '{}', bases, false, NULL, 'en') a
		  JOIN @extschema@.kpi_computed(kpis, changed.grain, changed.dimension, members, changed.newest, bases, '{}', bases, false, previous, 'en') b
			USING (kpi, member, period)
		 WHERE a.status <> b.status AND a.status <> 'none' AND b.status <> 'none';
		GET DIAGNOSTICS n = ROW_COUNT;
		raised := raised + n;
	END LOOP;
	RETURN raised;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_raise_alerts(bigint, timestamptz, text[], text[], date[], jsonb) IS
'called by a snapshot: records in kpi_alert the members whose status against a target differs from that before it, and returns how many. grains, dimensions, periods: of the facts that have new versions; altered_members: of each of these dimensions the members with facts that changed, as keys. A period that had no value before, and a target written since, raise none';

CREATE FUNCTION @extschema@.kpi_announce(run bigint, outcome text, counts json) RETURNS void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT pg_catalog.pg_notify('kpi_snapshot', (pg_catalog.jsonb_build_object('run', run, 'outcome', outcome) || counts::jsonb)::text);
END;
COMMENT ON FUNCTION @extschema@.kpi_announce(bigint, text, json) IS
'tells those who LISTEN kpi_snapshot of a run: its number and outcome, and counts, as JSON';
