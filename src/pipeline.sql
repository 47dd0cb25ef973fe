/*
 * The pipeline by stage, and the most valuable open opportunities.  With a
 * day the pipeline is read from the facts; without, and for the listing, from
 * the sources as they are now.
 */
CREATE FUNCTION @extschema@.kpi_dimension_by(dimension text, part text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wanted text[];
	combined text;
BEGIN
	PERFORM @extschema@.kpi_require_dimension(dimension);
	SELECT CASE WHEN part = ANY (d.parts) THEN d.parts ELSE d.parts || part END INTO wanted
	  FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_dimension_by.dimension;
	SELECT d.dimension INTO combined FROM @extschema@.kpi_dimension d
	 WHERE d.parts @> wanted AND d.parts <@ wanted ORDER BY d.parts <> wanted LIMIT 1;
	IF combined IS NULL THEN
		PERFORM @extschema@.kpi_require_dimension(l.dimension) FROM @extschema@.kpi_left_out_dimensions() l WHERE l.parts @> wanted AND l.parts <@ wanted;	-- which raises
		RAISE EXCEPTION 'there is no dimension of "%" by %', dimension, part
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('SELECT kpi_define_dimension(%L) makes it; the next snapshot computes it.', array_to_string(wanted, '+'));
	END IF;
	RETURN combined;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_dimension_by(text, text) IS
'the dimension that combines the given one with a base dimension, such as the stage; an error when there is none';

CREATE FUNCTION @extschema@.kpi_stages()
	RETURNS TABLE (stage text, stage_position bigint, probability numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 20
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF @extschema@.kpi_may_read('stage') THEN
		RETURN QUERY SELECT x.* FROM @extschema@.kpi_execute(format(
			'SELECT DISTINCT ON (s.name) s.name, s."position", CASE WHEN s.probability BETWEEN 0 AND 1 THEN s.probability END
			   FROM (%s) s WHERE s.name <> '''' ORDER BY s.name, s."position"',
			@extschema@.kpi_source_select('stage')), ROW()) AS x(stage text, stage_position bigint, probability numeric);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_stages() IS
'the stages of the bound source with their position and probability (0..1, else NULL); no rows where none is bound or the caller may not read it';

CREATE FUNCTION @extschema@.kpi_stage_facts(by_stage text, day date, as_of timestamptz)
	RETURNS TABLE (parts text[], opportunities bigint, value numeric, weighted numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH shortest AS (
		SELECT f.grain, f.period FROM @extschema@.kpi_fact f
		 WHERE f.dimension = by_stage AND f.grain IN ('day', 'week', 'month', 'quarter', 'year')
		   AND f.period <= day AND f.period_end > day
		   AND CASE WHEN as_of IS NULL THEN f.superseded_at IS NULL
					ELSE f.recorded_at <= as_of AND (f.superseded_at IS NULL OR f.superseded_at > as_of) END
		 ORDER BY f.period_end - f.period LIMIT 1
	)
	SELECT @extschema@.kpi_member_parts(f.member, n.parts), f.open_opportunities, f.pipeline_value, f.weighted_pipeline
	  FROM shortest s
	  JOIN @extschema@.kpi_fact f ON f.dimension = by_stage AND f.grain = s.grain AND f.period = s.period
	  CROSS JOIN (SELECT cardinality(d.parts) AS parts FROM @extschema@.kpi_dimension d WHERE d.dimension = by_stage) n
	 WHERE CASE WHEN as_of IS NULL THEN f.superseded_at IS NULL
				ELSE f.recorded_at <= as_of AND (f.superseded_at IS NULL OR f.superseded_at > as_of) END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_stage_facts(text, date, timestamptz) IS
'the pipeline by member (its parts) of a dimension with the stage, at the end of the shortest computed period that contains the day';

CREATE FUNCTION @extschema@.kpi_pipeline(day date DEFAULT NULL, dimension text DEFAULT 'total', member text DEFAULT '', as_of timestamptz DEFAULT NULL)
	RETURNS TABLE (stage text, stage_position bigint, opportunities bigint, value numeric, weighted numeric)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	by_stage text := @extschema@.kpi_dimension_by(dimension, 'stage');
	fixed text[];
	places integer[];
	stage_place integer;
BEGIN
	PERFORM @extschema@.kpi_require_member(dimension, ARRAY[member]);
	IF day IS NULL AND as_of IS NOT NULL THEN
		day := @extschema@.kpi_day(as_of);
	END IF;
	IF day IS NULL AND @extschema@.kpi_source_name('opportunity_history') IS NULL THEN
		PERFORM @extschema@.kpi_source_select('opportunity');	-- raises when it is not bound
	END IF;
	IF dimension <> by_stage AND NOT EXISTS (SELECT FROM unnest('{opportunity,opportunity_history}'::text[]) s(source)
											  WHERE 'open' = ANY (@extschema@.kpi_parts_to_read(s.source, NULL)) AND @extschema@.kpi_has_dimension(s.source, 'open', by_stage)) THEN
		by_stage := dimension;	-- no stage is known of any
	END IF;
	fixed := @extschema@.kpi_member_parts(member, (SELECT cardinality(d.parts) FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_pipeline.dimension));
	SELECT array_position(s.parts, 'stage'), ARRAY(SELECT array_position(s.parts, p.part) FROM unnest(d.parts) WITH ORDINALITY p(part, i) ORDER BY p.i)
	  INTO stage_place, places
	  FROM @extschema@.kpi_dimension s, @extschema@.kpi_dimension d
	 WHERE s.dimension = by_stage AND d.dimension = kpi_pipeline.dimension;

	RETURN QUERY
	WITH found AS (
		SELECT * FROM @extschema@.kpi_stage_facts(by_stage, day, as_of) WHERE day IS NOT NULL
		UNION ALL
		SELECT * FROM @extschema@.kpi_open_now(by_stage) WHERE day IS NULL
	)
	SELECT coalesce(f.parts[stage_place], '(none)'), p.stage_position, sum(f.opportunities)::bigint, trim_scale(sum(f.value)), trim_scale(sum(f.weighted))
	  FROM found f
	  LEFT JOIN @extschema@.kpi_stages() p ON p.stage = f.parts[stage_place]
	 WHERE f.opportunities > 0
	   AND ARRAY(SELECT f.parts[x.place] FROM unnest(places) WITH ORDINALITY x(place, i) ORDER BY x.i) = fixed
	 GROUP BY f.parts[stage_place], p.stage_position
	 ORDER BY p.stage_position NULLS LAST, f.parts[stage_place] COLLATE "C";
	IF NOT FOUND THEN
		PERFORM @extschema@.kpi_require_known(dimension, ARRAY[member]);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_pipeline(date, text, text, timestamptz) IS
'the open opportunities by stage, for a member of a dimension: how many, their amount, and amount times probability, in the reporting currency. day NULL: now, from the sources; else from the facts, at the end of the shortest computed period that contains the day (as known at as_of). Stages in the order of the source "stage", unknown ones last; a stage without open opportunities has no row. No rows where nothing is known of that time; an error for a member that nobody knows, and of now when neither the source "opportunity" nor "opportunity_history" is bound';

/*
 * The expression for the member of one base dimension to which an open
 * opportunity o belongs now; a is its account, r its rep.
 */
CREATE FUNCTION @extschema@.kpi_open_member_expression(part text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	places text[] := '{}';
	holder record;
BEGIN
	IF part IN ('rep', 'account') THEN
		RETURN format('o.%I', part || '_id');
	END IF;
	FOR holder IN SELECT h.source, h.alias FROM (VALUES (1, 'opportunity', 'o'), (2, 'account', 'a'), (3, 'rep', 'r')) h(n, source, alias)
				   WHERE EXISTS (SELECT FROM @extschema@.kpi_usable_columns() c WHERE c.source = h.source AND c.column_name = part)
					 AND NOT (h.source = 'rep' AND part = 'region')
				   ORDER BY h.n LOOP
		IF NOT @extschema@.kpi_may_read(holder.source) THEN
			PERFORM @extschema@.kpi_require_columns(holder.source, @extschema@.kpi_source_relation(holder.source));	-- says so
		END IF;
		places := places || format('nullif(%s.%I, '''')', holder.alias, part);
	END LOOP;
	RETURN CASE WHEN places = '{}' THEN 'NULL::text' ELSE format('coalesce(%s)', array_to_string(places, ', ')) END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_open_member_expression(text) IS
'SQL for the member of a base dimension that an open opportunity belongs to: its own column, else the account''s, else the rep''s (never the rep''s region). Raises when the caller may not read one that is needed';

/*
 * Conditions that nearly always hold are written so that the planner sees it:
 * of amount > '-Infinity' AND amount < 'Infinity' it expects one row in 200,
 * and then reads what the view joins anew for each opportunity.
 */
CREATE FUNCTION @extschema@.kpi_top_opportunities(n integer DEFAULT 10, dimension text DEFAULT 'total', member text DEFAULT '')
	RETURNS TABLE (rank bigint, id text, name text, account text, rep text, stage text, amount numeric, probability numeric, weighted numeric,
				   expected_close date, age_days integer, overdue boolean)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan	-- to plan what writes the query takes longer than to write it
AS $$
DECLARE
	parts text[];
	zone text := @extschema@.kpi_setting('time_zone');
	none text := 'SELECT NULL::text AS id, NULL::timestamptz AS valid_from, NULL::timestamptz AS valid_to WHERE false';
	opportunities text;
	members text;
BEGIN
	PERFORM @extschema@.kpi_require_dimension(dimension);
	PERFORM @extschema@.kpi_require_member(dimension, ARRAY[member]);
	IF n IS NULL OR n < 0 THEN
		RAISE EXCEPTION 'number of opportunities must be 0 or more, not %', n
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	opportunities := @extschema@.kpi_source_select('opportunity');
	PERFORM @extschema@.kpi_require_columns(s.source, @extschema@.kpi_source_relation(s.source))
	   FROM @extschema@.kpi_source s
	  WHERE s.source = 'opportunity'
		 OR s.source = 'exchange_rate' AND @extschema@.kpi_source_relation(s.source) IS NOT NULL AND EXISTS (SELECT FROM @extschema@.kpi_usable_columns() u WHERE u.source = 'opportunity' AND u.column_name = 'currency');
	IF NOT @extschema@.kpi_has_dimension('opportunity', 'open', dimension) THEN	-- nobody knows to which members they belong
		RETURN;
	END IF;
	parts := (SELECT d.parts FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_top_opportunities.dimension);
	members := (SELECT string_agg(format('@extschema@.kpi_member_part(coalesce(nullif(%s, ''''), ''(none)''))', @extschema@.kpi_open_member_expression(p.part)), ', ' ORDER BY p.i)
				  FROM unnest(parts) WITH ORDINALITY p(part, i));

	RETURN QUERY SELECT x.* FROM @extschema@.kpi_execute(format($query$
		WITH account AS (
			%2$s
		), rep AS (
			%3$s
		), rate AS (
			SELECT DISTINCT ON (x.currency) x.currency, x.rate FROM (%4$s) x
			 WHERE x.valid_on <= now() AND x.rate > 0 AND x.rate < 'Infinity'
			 ORDER BY x.currency, x.valid_on DESC
		), opened AS (
			SELECT o.*, CASE WHEN o.currency IS NULL OR o.currency = $1 THEN o.amount ELSE trim_scale(o.amount * c.rate) END AS reported
			  FROM (%1$s) o
			  LEFT JOIN account a ON a.id = o.account_id
			  LEFT JOIN rep r ON r.id = o.rep_id
			  LEFT JOIN rate c ON c.currency = o.currency
			 WHERE o.status = 'open' AND (o.created_at >= now()) IS NOT TRUE AND o.id IS NOT NULL AND (o.amount IN ('NaN', 'Infinity', '-Infinity')) IS NOT TRUE
			   AND %5$s
		), top AS (
			SELECT rank() OVER (ORDER BY o.reported DESC NULLS LAST) AS rank, o.*
			  FROM opened o ORDER BY o.reported DESC NULLS LAST, o.id COLLATE "C" LIMIT $3
		)
		SELECT t.rank, t.id, t.name, coalesce(a.name, t.account_id), coalesce(r.name, t.rep_id), t.stage, t.reported, p.probability,
			   trim_scale(t.reported * p.probability), d.expected_close, CASE WHEN isfinite(d.created_on) THEN (d.today - d.created_on)::integer END, d.expected_close < d.today
		  FROM top t
		  LEFT JOIN @extschema@.kpi_names('account', ARRAY(SELECT account_id FROM top)) a ON a.id = t.account_id
		  LEFT JOIN @extschema@.kpi_names('rep', ARRAY(SELECT rep_id FROM top)) r ON r.id = t.rep_id
		  LEFT JOIN @extschema@.kpi_stages() s ON s.stage = t.stage
		  CROSS JOIN LATERAL (SELECT CASE WHEN t.probability IS NULL THEN s.probability WHEN t.probability BETWEEN 0 AND 1 THEN t.probability END AS probability) p
		  CROSS JOIN LATERAL (SELECT (t.expected_close AT TIME ZONE $4)::date AS expected_close, (t.created_at AT TIME ZONE $4)::date AS created_on,
									 (now() AT TIME ZONE $4)::date AS today) d
		 ORDER BY t.reported DESC NULLS LAST, t.id COLLATE "C"
		$query$,
		opportunities,
		CASE WHEN @extschema@.kpi_may_read('account') THEN @extschema@.kpi_version_select('account', @extschema@.kpi_source_select('account'), 'now()') ELSE none END,
		CASE WHEN @extschema@.kpi_may_read('rep') THEN @extschema@.kpi_version_select('rep', @extschema@.kpi_source_select('rep'), 'now()') ELSE none END,
		CASE WHEN @extschema@.kpi_may_read('exchange_rate') THEN @extschema@.kpi_source_select('exchange_rate')
			 ELSE 'SELECT NULL::text AS currency, NULL::timestamptz AS valid_on, NULL::numeric AS rate WHERE false' END,
		coalesce('ARRAY[' || members || ']::text[] = $2', 'true')),
		ROW(@extschema@.kpi_setting('currency'), @extschema@.kpi_member_parts(member, cardinality(parts)), n, zone))
		AS x(rank bigint, id text, name text, account text, rep text, stage text, amount numeric, probability numeric, weighted numeric,
			 expected_close date, age_days integer, overdue boolean);
	IF NOT FOUND AND n > 0 THEN
		PERFORM @extschema@.kpi_require_known(dimension, ARRAY[member]);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_top_opportunities(integer, text, text) IS
'the n most valuable opportunities open now, read from the source as it is, for a member of a dimension: amount in the reporting currency (NULL, and last, without amount or rate), probability (its own, else the stage''s; NULL outside 0..1), weighted, expected close, age in days since created (NULL when unknown or infinite), and whether the expected close has passed (NULL when unknown). No rows where the bound columns do not tell the members. An error for a member that nobody knows, and when the source is not bound';
