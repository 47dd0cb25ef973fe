/*
 * Forecast and outcome.  The first snapshot of a period says what was expected
 * of it: what was won already and what the open opportunities promised.  Which
 * opportunities those were is kept too, so that one can tell later which of
 * them slipped, also where the CRM keeps no history.
 */
CREATE TABLE @extschema@.kpi_expected (
	grain		text NOT NULL,
	period		date NOT NULL,
	opportunity_id text NOT NULL,
	amount		numeric NOT NULL,
	members		jsonb NOT NULL,
	run			bigint NOT NULL
);
COMMENT ON TABLE @extschema@.kpi_expected IS
'the open opportunities that the first snapshot of each period expected to close in it: amount in the reporting currency (0 when unknown), members: for each base dimension the member it belonged to';
ALTER TABLE @extschema@.kpi_expected REPLICA IDENTITY FULL;	-- as kpi_track_log
CREATE INDEX kpi_expected_period ON @extschema@.kpi_expected (grain, period);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_expected', '');

CREATE FUNCTION @extschema@.kpi_keep_expected(run bigint, as_of timestamptz) RETURNS bigint
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD'	-- as kpi_read_sources
	SET intervalstyle = 'postgres'
	SET extra_float_digits = 1
	SET bytea_output = 'hex'
	SET timezone = 'UTC'	-- so that what is set below ends with the function
	SET jit = off
AS $$
DECLARE
	grains text[];
	periods date[];
	starts timestamptz[];
	ends timestamptz[];
	parts text[];
	none text := 'SELECT NULL::text AS id, NULL::timestamptz AS valid_from, NULL::timestamptz AS valid_to WHERE false';
	kept bigint;
BEGIN
	IF NOT EXISTS (SELECT FROM @extschema@.kpi_usable_columns() u WHERE u.source = 'opportunity' AND u.column_name = 'expected_close') THEN
		RETURN 0;
	END IF;
	SELECT array_agg(p.grain), array_agg(p.period), array_agg(p.starts_at), array_agg(p.ends_at) INTO grains, periods, starts, ends
	  FROM @extschema@.kpi_periods(@extschema@.kpi_day(as_of), @extschema@.kpi_day(as_of), as_of) p
	 WHERE NOT p.is_complete AND p.grain NOT LIKE E'%\\_cut'
	   AND EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.dimension = 'total' AND f.member = '' AND f.grain = p.grain AND f.period = p.period)
	   AND NOT EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.dimension = 'total' AND f.member = '' AND f.grain = p.grain AND f.period = p.period
															AND f.recorded_at < kpi_keep_expected.as_of);
	IF grains IS NULL THEN
		RETURN 0;
	END IF;
	SELECT array_agg(DISTINCT x.part ORDER BY x.part) INTO parts FROM @extschema@.kpi_dimension d, unnest(d.parts) x(part);

	PERFORM set_config('TimeZone', @extschema@.kpi_setting('time_zone'), true);
	EXECUTE format($query$
		WITH opened AS (
			SELECT o.*, CASE WHEN o.currency IS NULL OR o.currency = $1 THEN coalesce(o.amount, 0)
							 ELSE coalesce(o.amount, 0) * @extschema@.kpi_rate_at(o.currency, $2) END AS reported
			  FROM (%1$s) o
			 WHERE o.status = 'open' AND (o.created_at >= $2) IS NOT TRUE AND o.id IS NOT NULL AND (o.amount IN ('NaN', 'Infinity', '-Infinity')) IS NOT TRUE
			   AND o.expected_close >= (SELECT min(t) FROM unnest($6) t) AND o.expected_close < (SELECT max(t) FROM unnest($7) t)
		), account AS (
			%2$s
		), rep AS (
			%3$s
		)
		INSERT INTO @extschema@.kpi_expected (grain, period, opportunity_id, amount, members, run)
		SELECT p.grain, p.period, o.id, trim_scale(o.reported), jsonb_build_object(%4$s), $3
		  FROM opened o
		  JOIN unnest($4, $5, $6, $7) p(grain, period, starts_at, ends_at) ON o.expected_close >= p.starts_at AND o.expected_close < p.ends_at
		  LEFT JOIN account a ON a.id = o.account_id
		  LEFT JOIN rep r ON r.id = o.rep_id
		 WHERE o.reported IS NOT NULL
		$query$,
		@extschema@.kpi_source_select('opportunity'),
		CASE WHEN @extschema@.kpi_source_relation('account') IS NULL THEN none
			 ELSE @extschema@.kpi_version_select('account', format('SELECT * FROM (%s) k WHERE k.id IN (SELECT account_id FROM opened)', @extschema@.kpi_source_select('account')), '$2') END,
		CASE WHEN @extschema@.kpi_source_relation('rep') IS NULL THEN none
			 ELSE @extschema@.kpi_version_select('rep', format('SELECT * FROM (%s) k WHERE k.id IN (SELECT rep_id FROM opened)', @extschema@.kpi_source_select('rep')), '$2') END,
		(SELECT string_agg(format('%L, coalesce(nullif(%s, ''''), ''(none)'')', p.part, @extschema@.kpi_open_member_expression(p.part)), ', ') FROM unnest(parts) p(part)))
	USING @extschema@.kpi_setting('currency'), as_of, run, grains, periods, starts, ends;
	GET DIAGNOSTICS kept = ROW_COUNT;
	RETURN kept;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_keep_expected(bigint, timestamptz) IS
'called by a snapshot: keeps the open opportunities expected to close in the running periods that it is the first to compute, and returns how many';

CREATE FUNCTION @extschema@.kpi_slipped(grain text, dimension text, members text[], oldest date, newest date)
	RETURNS TABLE (period date, member text, expected numeric, slipped numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF NOT @extschema@.kpi_may_read('opportunity') THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE format($query$
		WITH kept AS MATERIALIZED (
			SELECT e.period, e.opportunity_id, e.amount, @extschema@.kpi_midnight(@extschema@.kpi_period_end(e.grain, e.period)) AS ends_at,
				   @extschema@.kpi_member(ARRAY(SELECT @extschema@.kpi_member_part(coalesce(e.members ->> p.part, '(none)')) FROM unnest(d.parts) WITH ORDINALITY p(part, i) ORDER BY p.i)) AS member
			  FROM @extschema@.kpi_expected e, @extschema@.kpi_dimension d
			 WHERE e.grain = $1 AND d.dimension = $2 AND e.period BETWEEN $4 AND $5
		), deal AS (
			SELECT DISTINCT ON (o.id) o.id, o.status, o.closed_at FROM (%s) o WHERE o.id IN (SELECT opportunity_id FROM kept) ORDER BY o.id
		)
		SELECT k.period, k.member, sum(k.amount), coalesce(sum(k.amount) FILTER (WHERE d.status = 'open' OR d.closed_at >= k.ends_at), 0)
		  FROM kept k LEFT JOIN deal d ON d.id = k.opportunity_id
		 WHERE k.member = ANY ($3)
		 GROUP BY k.period, k.member$query$, @extschema@.kpi_source_select('opportunity'))
	USING grain, dimension, members, oldest, newest;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_slipped(text, text, text[], date, date) IS
'of the opportunities kept in kpi_expected for the periods that begin from oldest to newest, by member of that time: their amount, and that of those which the bound source says are still open or closed after the period''s end; no rows when the caller may not read it';

CREATE FUNCTION @extschema@.kpi_forecast(from_day date, to_day date, grain text DEFAULT 'month', dimension text DEFAULT 'total',
										 members text[] DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, member text, label text, taken_at timestamptz, won numeric, weighted numeric, forecast numeric, actual numeric,
				   accuracy numeric, expected numeric, slipped numeric, slippage numeric, is_complete boolean, reason text)
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
	unknown text[] := '{}';
BEGIN
	PERFORM @extschema@.kpi_periods_per_year(grain);
	blank := @extschema@.kpi_require_dimension(dimension);
	PERFORM @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	SELECT r.oldest, r.newest INTO oldest, newest FROM @extschema@.kpi_find_range(grain, dimension, from_day, to_day, NULL) r;
	IF members IS NOT NULL THEN
		unknown := @extschema@.kpi_unknown_members(dimension, members);
	END IF;
	members := CASE WHEN members IS NULL THEN @extschema@.kpi_ever_members(grain, dimension, oldest, newest)
					ELSE ARRAY(SELECT DISTINCT unnest(members)) END;
	IF row_security_active('@extschema@.kpi_fact'::regclass) THEN	-- whom the caller may be kept from seeing is not one of 0
		members := ARRAY(SELECT m FROM unnest(members) m
						  WHERE m = blank OR EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.dimension = kpi_forecast.dimension AND f.member = m));
	END IF;

	RETURN QUERY
	WITH p AS (	-- early enough is the first tenth of the period; a first one that is pruned is none, else a day's would be its last
		SELECT f.period, f.period_end, f.is_complete,
			   CASE WHEN s.day < f.period + ceil((f.period_end - f.period) / 10.0)::integer
						 AND NOT EXISTS (SELECT FROM @extschema@.kpi_run r WHERE r.is_pruned AND r.as_of > @extschema@.kpi_midnight(f.period, zone) AND r.as_of < s.at) THEN s.at END AS taken_at
		  FROM @extschema@.kpi_fact f
		  CROSS JOIN LATERAL (SELECT min(v.recorded_at) AS at, @extschema@.kpi_day(min(v.recorded_at)) AS day FROM @extschema@.kpi_fact v
							   WHERE v.dimension = f.dimension AND v.member = f.member AND v.grain = f.grain AND v.period = f.period) s
		 WHERE f.superseded_at IS NULL AND f.dimension = kpi_forecast.dimension AND f.member = blank AND f.grain = kpi_forecast.grain
		   AND f.period BETWEEN oldest AND newest
	), cell AS (
		SELECT p.*, m.member, m.is_unknown, (@extschema@.kpi_filled(own_then, none_then)).won_value AS won, (@extschema@.kpi_filled(own_then, none_then)).weighted_closing AS weighted,
			   CASE WHEN p.is_complete THEN (@extschema@.kpi_filled(own_now, none_now)).won_value END AS actual
		  FROM p
		  CROSS JOIN (SELECT u.member, u.member = ANY (unknown) AS is_unknown FROM unnest(members) u(member)) m
		  LEFT JOIN LATERAL @extschema@.kpi_fact_version(kpi_forecast.dimension, m.member, kpi_forecast.grain, p.period, p.taken_at) own_then ON p.taken_at IS NOT NULL AND NOT m.is_unknown
		  LEFT JOIN LATERAL @extschema@.kpi_fact_version(kpi_forecast.dimension, blank, kpi_forecast.grain, p.period, p.taken_at) none_then ON p.taken_at IS NOT NULL AND NOT m.is_unknown
		  LEFT JOIN LATERAL @extschema@.kpi_fact_version(kpi_forecast.dimension, m.member, kpi_forecast.grain, p.period, NULL) own_now ON NOT m.is_unknown
		  LEFT JOIN LATERAL @extschema@.kpi_fact_version(kpi_forecast.dimension, blank, kpi_forecast.grain, p.period, NULL) none_now ON NOT m.is_unknown
	)
	SELECT @extschema@.kpi_midnight(c.period, zone), c.member, l.label, c.taken_at, trim_scale(c.won), trim_scale(c.weighted), f.forecast, trim_scale(c.actual),
		   100 - @extschema@.kpi_quotient(100 * abs(f.forecast - c.actual), nullif(greatest(c.actual, 0), 0)),
		   e.expected, e.slipped, @extschema@.kpi_quotient(100 * e.slipped, e.expected), c.is_complete,
		   CASE WHEN c.is_unknown THEN @extschema@.kpi_reason_text('unknown member', lang)
				WHEN c.taken_at IS NULL THEN CASE lang WHEN 'de' THEN 'keine Momentaufnahme zu Beginn' ELSE 'no snapshot at the start' END
				WHEN f.forecast IS NULL THEN CASE lang WHEN 'de' THEN 'nicht verfügbar' ELSE 'not available' END
				WHEN NOT c.is_complete THEN CASE lang WHEN 'de' THEN 'Zeitraum läuft noch' ELSE 'period is running' END
				WHEN c.actual <= 0 THEN @extschema@.kpi_reason_text('zero denominator', lang) END
	  FROM cell c
	  CROSS JOIN LATERAL (SELECT trim_scale(c.won + c.weighted) AS forecast) f
	  LEFT JOIN LATERAL (SELECT s.* FROM (SELECT * FROM @extschema@.kpi_slipped(grain, dimension, members, oldest, newest) OFFSET 0) s
						  WHERE s.period = c.period AND s.member = c.member AND c.taken_at IS NOT NULL AND c.is_complete) e ON true
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = c.member
	 ORDER BY 1, c.member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_forecast(date, date, text, text, text[], text) IS
'how good the forecast was: for each computed period that overlaps the days from from_day to before to_day (NULL: no limit) and each member (NULL: all): taken_at, the first snapshot of the period (NULL unless in its first tenth, and once kpi_prune has let it go, as it does those of days), what it had as won and as weighted pipeline closing in the period, forecast = won + weighted, actual = won in the whole period, accuracy = 100 - 100 * |forecast - actual| / actual; expected = amount of the opportunities that it expected to close in the period, slipped = of those still open or closed later, slippage = 100 * slipped / expected (NULL also when the caller may not read the source). reason: why the accuracy is NULL. Raises as kpi_series';
