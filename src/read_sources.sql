/*
 * Reading the sources: which queries that takes, in which order, and in which
 * periods.
 */
CREATE FUNCTION @extschema@.kpi_readings(sources text[], wanted_parts text[])
	RETURNS TABLE (source text, reads text, parts text[])
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT s.source, r.reads, w.parts
	  FROM unnest(sources) WITH ORDINALITY s(source, n)
	 CROSS JOIN LATERAL (SELECT 'source' AS reads
						  UNION SELECT p.reads FROM @extschema@.kpi_part p WHERE p.source = s.source) r
	 CROSS JOIN LATERAL (SELECT ARRAY(SELECT p.part FROM @extschema@.kpi_part p
									   WHERE p.source = s.source AND p.reads = r.reads AND p.part = ANY (@extschema@.kpi_parts_to_read(s.source, NULL))
										 AND (wanted_parts IS NULL OR p.source || '.' || p.part = ANY (wanted_parts)) ORDER BY p.part) AS parts) w
	 WHERE w.parts <> '{}'
		OR r.reads = 'source' AND (wanted_parts IS NULL OR s.source IN ('exchange_rate', 'stage', 'account', 'rep', 'opportunity'))
	 ORDER BY s.n, r.reads;
END;
COMMENT ON FUNCTION @extschema@.kpi_readings(text[], text[]) IS
'the queries that read sources, in order: of each source one, for the parts made of its own rows or what others look up in it, and one for the parts made of its stages; arguments as of kpi_read_sources';

/* A row that names no customer itself may do so by its opportunity. */
CREATE FUNCTION @extschema@.kpi_of_customers(source text, customers text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (SELECT coalesce(' WHERE (' || @extschema@.kpi_has_id(source, 'account_id', '(' || customers || ' || ''''::text)') || ' OR r.account_id IS NULL)', ''));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_of_customers(text, text) IS
'SQL text that, behind that of kpi_source_select, leaves out rows that name other customers than these (SQL text of a text[]; NULL: none is left out)';

CREATE FUNCTION @extschema@.kpi_run_rates_query(columns text[], customers text DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT format($q$
	SELECT @extschema@.kpi_dictionary(account_id || ' ' || currency, run_from, NULL, @extschema@.kpi_rate($1, currency, run_from), NULL, NULL, NULL, NULL)
	  FROM (SELECT account_id, currency, min(valid_from) AS run_from
			  FROM (SELECT *, count(*) FILTER (WHERE is_gap) OVER (PARTITION BY account_id, currency ORDER BY valid_from, valid_to) AS run
					  FROM (SELECT *, (valid_from <= max(coalesce(valid_to, 'infinity')) OVER (
										PARTITION BY account_id, currency ORDER BY valid_from, valid_to ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
									  ) IS NOT TRUE AS is_gap
							  FROM (%s) s
							 WHERE currency <> %L AND %s AND (%s) IS NOT TRUE AND amount > 0 AND (valid_to <= valid_from) IS NOT TRUE) i) r
			 GROUP BY account_id, currency, run) f$q$,
					  @extschema@.kpi_source_select('subscription') || @extschema@.kpi_of_customers('subscription', customers), @extschema@.kpi_setting('currency'), p.condition,
					  @extschema@.kpi_spoilt(p.source, p.part, columns))
		  FROM @extschema@.kpi_part p
		 WHERE p.source = 'subscription' AND p.part = 'recurring');
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_run_rates_query(text[], text) IS
'SQL text that makes, for each uninterrupted run of a customer''s subscriptions in a foreign currency, the rate of its first day; customers: as of kpi_of_customers';

CREATE FUNCTION @extschema@.kpi_leads_query(those text DEFAULT NULL) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('SELECT @extschema@.kpi_dictionary(id, NULL, NULL, NULL::numeric, NULL::numeric, created_at, NULL, NULL) FROM (%s%s) s',
				  @extschema@.kpi_source_select('lead'), ' WHERE ' || those);
END;
COMMENT ON FUNCTION @extschema@.kpi_leads_query(text) IS
'SQL text that makes the dictionary of when each lead was created; those: SQL text of a condition, as of kpi_has_id (NULL: all leads)';

/*
 * The cohort of a customer: the month of the first row ever that makes it one,
 * a subscription where these are bound, else a purchase.  The rows are those
 * that the ledger of customers counts.
 */
CREATE FUNCTION @extschema@.kpi_first_days_query(columns text[], customers text DEFAULT NULL) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format($q$
SELECT customer, (first_at AT TIME ZONE %L)::date AS first_day
  FROM (SELECT %s AS customer, min(%s) AS first_at
		  FROM (%s OFFSET 0) s	-- days become instants once
		 WHERE %3$s < $4 AND CASE WHEN (%5$s)%6$s%7$s THEN %8$s END
		 GROUP BY 1) f
 WHERE isfinite(first_at)$q$,
				  @extschema@.kpi_setting('time_zone'), a.account, p.starts, @extschema@.kpi_source_select(p.source) || @extschema@.kpi_of_customers(p.source, customers), p.condition,
				  ' AND (' || @extschema@.kpi_spoilt(p.source, p.part, columns) || ') IS NOT TRUE',
				  ' AND (' || @extschema@.kpi_unknown_rate(p.source, p.part, columns) || ') IS NOT TRUE',
				  CASE p.source WHEN 'subscription' THEN '(valid_to <= valid_from) IS NOT TRUE AND '
						|| @extschema@.kpi_fill_in('{monthly}', p.source, p.starts, columns) || ' > 0' ELSE 'true' END)
	  FROM @extschema@.kpi_source b
	  JOIN @extschema@.kpi_part p USING (source),
		   LATERAL (SELECT @extschema@.kpi_member_expression(p.source, 'account', p.starts, columns) AS account) a
	 WHERE p.part IN ('recurring', 'customers') AND p.part = ANY (@extschema@.kpi_parts_to_read(p.source, NULL)) AND a.account IS NOT NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_first_days_query(text[], text) IS
'SQL text that gives customers and the day of the first row that makes each one; NULL when nothing bound tells who is a customer. customers: as of kpi_of_customers';

CREATE FUNCTION @extschema@.kpi_cohorts_query(columns text[], customers text DEFAULT NULL) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format($q$
SELECT @extschema@.kpi_dictionary(customer, NULL, NULL, date_trunc('month', first_day::timestamp)::date::text, NULL) FROM (%s) f$q$, q.first_days)
	  FROM (SELECT @extschema@.kpi_first_days_query(columns, customers) AS first_days) q
	 WHERE q.first_days IS NOT NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_cohorts_query(text[], text) IS
'SQL text that makes the dictionary of customers and their cohorts, each the first day of a month; NULL when nothing bound tells who is a customer. customers: as of kpi_of_customers';

CREATE FUNCTION @extschema@.kpi_activities_query(columns text[], customers text DEFAULT NULL) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'SELECT @extschema@.kpi_dictionary(' || replace(@extschema@.kpi_member_expression('activity', 'account', 'happened_at', columns), '$10', '$1')
		   || format(', happened_at, NULL, kind, NULL) FROM (%s) s WHERE happened_at < $2 AND %s AND (%s) IS NOT TRUE',
					 @extschema@.kpi_source_select(b.source) || @extschema@.kpi_of_customers(b.source, customers), @extschema@.kpi_fill_in('{done}', b.source, 'happened_at', columns),
					 @extschema@.kpi_spoilt(b.source, 'held', columns))
	  FROM @extschema@.kpi_source b
	 WHERE b.source = 'activity';
END;
COMMENT ON FUNCTION @extschema@.kpi_activities_query(text[], text) IS
'SQL text that makes the dictionary of customers and the kinds of the activities done with them, each from when it was; NULL when no activities are bound or they name no account. Parameters: $1 opportunities, as $10 of kpi_source_query, $2 the instant taken as now. customers: as of kpi_of_customers';

CREATE TYPE @extschema@.kpi_parameters AS (
	bounds timestamptz[], days date[], instants timestamptz[], as_of timestamptz,
	rates @extschema@.kpi_dictionary, accounts @extschema@.kpi_dictionary, reps @extschema@.kpi_dictionary, stages @extschema@.kpi_dictionary,
	leads @extschema@.kpi_dictionary, deals @extschema@.kpi_dictionary, member_parts text[], won_leads @extschema@.kpi_dictionary,
	plan_bounds timestamptz[], plan_days date[], run_rates @extschema@.kpi_dictionary, cohorts @extschema@.kpi_dictionary, opening integer[], closing integer[],
	activities @extschema@.kpi_dictionary, only_within tstzmultirange, grid @extschema@.kpi_grid);
COMMENT ON TYPE @extschema@.kpi_parameters IS 'the parameters of the queries of kpi_source_query, $1 and so on; member_parts: of the member of a drill';

/* What reads sources in PL/pgSQL says this instead of EXECUTE, which would take a table that is being loaded anew for empty. */
CREATE FUNCTION @extschema@.kpi_execute(query text, parameters record, generic boolean DEFAULT false) RETURNS SETOF record
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
	SET datestyle = 'ISO, YMD'
	SET intervalstyle = 'postgres'
	SET extra_float_digits = 1
	SET bytea_output = 'hex'
	AS 'MODULE_PATHNAME', 'salkpi_execute';
COMMENT ON FUNCTION @extschema@.kpi_execute(text, record, boolean) IS
'the rows of a SELECT with parameters $1, $2 ... It sees what the calling statement sees, and of a table that others emptied or wrote anew since that began what is in it now; an error where the isolation level of the transaction does not let it. generic: by a plan that holds none of the parameters'' values, which may be large. It runs as the caller, and makes texts as a snapshot does, whatever the session has set. Raises when the query is not a SELECT or its columns are not those named';

CREATE TYPE @extschema@.kpi_reading_step AS (source text, reads text, relation text, parts text[], columns text[], query text, keeps integer[]);
COMMENT ON TYPE @extschema@.kpi_reading_step IS
'a query that reads a source: for parts of it, as kpi_source_query writes it (reads: as of kpi_part), or for a dictionary alone (reads NULL; query: its text); keeps: which of kpi_parameters its dictionaries become for the steps after it';

/* In a generic plan a parameter is one value, which needs no subquery to be evaluated once. */
CREATE FUNCTION @extschema@.kpi_generic(query text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT regexp_replace(query, E'\\(SELECT (\\$\\d+)\\)', E'\\1', 'g');
END;
COMMENT ON FUNCTION @extschema@.kpi_generic(text) IS 'a query of kpi_source_query as it is for a generic plan';

CREATE FUNCTION @extschema@.kpi_reading_steps(sources text[], wanted_parts text[], wanted_dimensions text[]) RETURNS SETOF @extschema@.kpi_reading_step
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan	-- as in kpi_source_query
AS $$
DECLARE
	columns text[] := (SELECT array_agg(u.source || '.' || u.column_name || e.suffix)
						 FROM @extschema@.kpi_usable_columns() u, LATERAL unnest(CASE u.type WHEN 'date' THEN '{"",:date}'::text[] ELSE '{""}' END) e(suffix));
	bases text[] := ARRAY(SELECT DISTINCT b FROM @extschema@.kpi_wanted_dimensions(wanted_dimensions) d, unnest(d.parts) b);
	cohorts_query text := CASE WHEN 'cohort' = ANY (bases) THEN @extschema@.kpi_cohorts_query(columns) END;
	run_rates_query text := CASE WHEN 'subscription.currency' = ANY (columns) THEN regexp_replace(@extschema@.kpi_run_rates_query(columns), E'\\$1(?!\\d)', '$5', 'g') END;
	activities_query text := CASE WHEN 'preceding_activity' = ANY (bases) THEN regexp_replace(regexp_replace(@extschema@.kpi_activities_query(columns), E'\\$1(?!\\d)', '$10', 'g'), E'\\$2(?!\\d)', '$4', 'g') END;
	reading record;
	step @extschema@.kpi_reading_step;
BEGIN
	/* First contact may be the lead's creation, and a lead's conversion the opportunity: leads are looked up first. */
	IF 'opportunity.lead_id' = ANY (columns) AND 'lead.created_at' = ANY (columns) AND 'lead' = ANY (sources) THEN
		RETURN NEXT ROW('lead', NULL, @extschema@.kpi_source_name('lead'), NULL, NULL, @extschema@.kpi_leads_query(), '{9}')::@extschema@.kpi_reading_step;
	END IF;
	FOR reading IN SELECT r.source, r.reads, r.parts, @extschema@.kpi_source_name(r.source) AS relation FROM @extschema@.kpi_readings(sources, wanted_parts) r LOOP
		/* A move of the rate is never a movement: the rate at which a customer's run in a currency began holds for all of it. */
		IF reading.source = 'subscription' OR reading.source = 'sale' AND cohorts_query IS NOT NULL THEN
			IF run_rates_query IS NOT NULL THEN
				RETURN NEXT ROW(reading.source, NULL, reading.relation, NULL, NULL, @extschema@.kpi_generic(run_rates_query), '{15}')::@extschema@.kpi_reading_step;
				run_rates_query := NULL;
			END IF;
			IF cohorts_query IS NOT NULL THEN
				RETURN NEXT ROW(reading.source, NULL, reading.relation, NULL, NULL, @extschema@.kpi_generic(cohorts_query), '{16}')::@extschema@.kpi_reading_step;
				cohorts_query := NULL;
			END IF;
		END IF;
		IF reading.source = 'sale' AND activities_query IS NOT NULL THEN
			RETURN NEXT ROW('activity', NULL, @extschema@.kpi_source_name('activity'), NULL, NULL, @extschema@.kpi_generic(activities_query), '{19}')::@extschema@.kpi_reading_step;
		END IF;
		step := ROW(reading.source, reading.reads, reading.relation, reading.parts, columns, NULL, '{}');
		IF reading.reads = 'source' THEN
			step.keeps := CASE reading.source WHEN 'exchange_rate' THEN '{5}' WHEN 'account' THEN '{6}' WHEN 'rep' THEN '{7}' WHEN 'stage' THEN '{8}'
							WHEN 'opportunity' THEN '{10,12}' ELSE '{}' END;
		END IF;
		RETURN NEXT step;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_reading_steps(text[], text[], text[]) IS
'the queries that read sources, in an order in which each finds the dictionaries it needs; arguments as of kpi_read_sources';

CREATE FUNCTION @extschema@.kpi_reading_plan(sources text[], wanted_parts text[], wanted_dimensions text[], grids @extschema@.kpi_grid[],
											 OUT steps @extschema@.kpi_reading_step[], OUT parameters @extschema@.kpi_parameters[], OUT time_zone text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY(SELECT s FROM @extschema@.kpi_reading_steps(sources, wanted_parts, wanted_dimensions) s),
		   ARRAY(SELECT ROW((g).bounds, (g).days, (g).instants, (g).as_of, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, (g).plan_bounds, (g).plan_days,
							NULL, NULL, (g).opening, (g).closing, NULL, (g).only_within, g)::@extschema@.kpi_parameters
				   FROM unnest(sources) WITH ORDINALITY s(source, n), LATERAL (SELECT grids[least(s.n, cardinality(grids))] AS g) u ORDER BY s.n),
		   @extschema@.kpi_setting('time_zone');
END;
COMMENT ON FUNCTION @extschema@.kpi_reading_plan(text[], text[], text[], @extschema@.kpi_grid[]) IS
'how kpi_read_sources goes about it: its queries, and for those over each source their parameters as far as they are known before';

/*
 * Reads the sources, all as of one moment, also when a writer commits in
 * between: that of the calling statement, since this function is STABLE, or where
 * a table was loaded anew meanwhile the one when all were locked, see execute.c.
 */
CREATE FUNCTION @extschema@.kpi_read_sources(sources text[], wanted_parts text[], wanted_dimensions text[], grids @extschema@.kpi_grid[])
	RETURNS @extschema@.kpi_reading[]
	LANGUAGE c STABLE
	SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD'
	SET intervalstyle = 'postgres'
	SET extra_float_digits = 1
	SET bytea_output = 'hex'
	SET jit = off
	SET enable_nestloop = on	-- whatever is best for what writes the facts
	SET timezone = 'UTC'	-- so that what it sets of these ends with the function
	SET application_name = 'kpi_snapshot'
	AS 'MODULE_PATHNAME', 'salkpi_read_sources';
COMMENT ON FUNCTION @extschema@.kpi_read_sources(text[], text[], text[], @extschema@.kpi_grid[]) IS
'reads bound sources, each with one query (and the stages of a history with another), and returns them: the panels of each part and the bad rows of each source; application_name tells other sessions how far it is. Parts (as source.part) and dimensions: NULL for all; bad rows are looked for when all parts are read. grids: of each source the periods to be read, all numbered alike, or one grid for all of them; what a part needs of it may be NULL where no such part is read. An error names the source';

/* The bound sources in an order in which each finds the dictionaries it needs. */
CREATE FUNCTION @extschema@.kpi_bound_sources(wanted text[] DEFAULT NULL) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan	-- as in kpi_source_query
AS $$
DECLARE
	bound text[];
	source text;
BEGIN
	SELECT coalesce(array_agg(s.source ORDER BY o.n), '{}') INTO bound
	  FROM @extschema@.kpi_source s
	  JOIN unnest('{exchange_rate,stage,account,rep,opportunity,opportunity_history,subscription,sale,lead,quote,activity,cost}'::text[]) WITH ORDINALITY o(source, n) USING (source);
	FOREACH source IN ARRAY bound LOOP
		IF @extschema@.kpi_source_relation(source) IS NULL THEN
			PERFORM @extschema@.kpi_source_select(source);
		END IF;
		IF wanted IS NULL OR source = ANY (wanted) THEN
			PERFORM @extschema@.kpi_require_columns(source, @extschema@.kpi_source_relation(source));
		END IF;
	END LOOP;
	IF cardinality(bound) = 0 THEN
		RAISE EXCEPTION 'no source is bound'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Use kpi_bind(''sale'', ''my_table'') or kpi_bind_crm(''odoo'').';
	END IF;
	RETURN ARRAY(SELECT b.source FROM unnest(bound) WITH ORDINALITY b(source, n) WHERE wanted IS NULL OR b.source = ANY (wanted) ORDER BY b.n);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_bound_sources(text[]) IS
'the sources bound, of those wanted (NULL: all), in reading order; raises when one of them can no longer be read as bound, naming source and columns, and when any bound relation is gone: it might have told members';

CREATE FUNCTION @extschema@.kpi_bound_number(at timestamptz, bounds timestamptz[]) RETURNS integer
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN CASE WHEN bounds[width_bucket(at, bounds)] = at THEN width_bucket(at, bounds) END;
COMMENT ON FUNCTION @extschema@.kpi_bound_number(timestamptz, timestamptz[]) IS
'the place of an instant among ascending ones, as array_position, but found at once; NULL when it is not there';

CREATE FUNCTION @extschema@.kpi_grid(periods @extschema@.kpi_period[], as_of timestamptz, every_instant timestamptz[] DEFAULT NULL) RETURNS @extschema@.kpi_grid
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	g @extschema@.kpi_grid;
	today date := @extschema@.kpi_day(as_of);
BEGIN
	g.as_of := as_of;
	g.every_instant := every_instant;
	/* What has happened counts up to now; of a plan the running periods count to their end. */
	SELECT array_agg(d ORDER BY d), array_agg(at ORDER BY d),
		   array_agg(d ORDER BY d) FILTER (WHERE at < as_of) || CASE WHEN as_of = @extschema@.kpi_midnight(today) THEN today ELSE today + 1 END,
		   array_agg(at ORDER BY d) FILTER (WHERE at < as_of) || as_of
	  INTO g.plan_days, g.plan_bounds, g.days, g.bounds
	  FROM (SELECT p.period AS d, p.starts_at AS at FROM unnest(periods) p UNION SELECT p.period_end, p.ends_at FROM unnest(periods) p) b
	 WHERE d IS NOT NULL;
	/* Stocks are taken where periods end, ledgers also where they start. */
	SELECT array_agg(i ORDER BY i) INTO g.instants
	  FROM (SELECT least(p.ends_at, as_of) AS i FROM unnest(periods) p WHERE p.period IS NOT NULL UNION SELECT p.starts_at FROM unnest(periods) p WHERE p.period IS NOT NULL) x;

	SELECT array_agg(@extschema@.kpi_bound_number(p.starts_at, g.bounds) ORDER BY p.n), array_agg(@extschema@.kpi_bound_number(p.at, g.bounds) - 1 ORDER BY p.n),
		   array_agg(@extschema@.kpi_bound_number(p.starts_at, g.plan_bounds) ORDER BY p.n), array_agg(@extschema@.kpi_bound_number(p.ends_at, g.plan_bounds) - 1 ORDER BY p.n),
		   array_agg(@extschema@.kpi_bound_number(p.starts_at, g.instants) ORDER BY p.n), array_agg(@extschema@.kpi_bound_number(p.at, g.instants) ORDER BY p.n),
		   array_agg(CASE WHEN p.ends_at >= as_of THEN 1 END ORDER BY p.n), array_agg(p.starts_at ORDER BY p.n), array_agg(p.at ORDER BY p.n),
		   CASE WHEN count(p.at) * 2 < count(*) THEN range_agg(tstzrange(p.starts_at, p.ends_at)) FILTER (WHERE p.at IS NOT NULL) END	-- to leave out little takes longer than to read it
	  INTO g.first_atom, g.last_atom, g.first_plan_atom, g.last_plan_atom, g.opening, g.closing, g.present, g.starts_at, g.at, g.only_within
	  FROM (SELECT k.starts_at, k.ends_at, CASE WHEN k.ends_at < as_of THEN k.ends_at WHEN k.ends_at IS NOT NULL THEN as_of END AS at, k.n
			  FROM unnest(periods) WITH ORDINALITY k(grain, period, period_end, is_complete, days, starts_at, ends_at, n)) p;
	RETURN g;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_grid(@extschema@.kpi_period[], timestamptz, timestamptz[]) IS
'the grid of periods that have begun at the instant taken as now; NULL for one that is not wanted; every_instant: as of the type kpi_grid';
