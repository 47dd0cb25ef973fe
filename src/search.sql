/*
 * kpi_changes: everything that changed since the last default snapshot, as days
 * in whose periods measures of a source may be others now.  It is searched for in
 * steps, each of which takes what was found so far and gives it with what it
 * found; what follows from what, and why, is in changes.sql.
 */
CREATE TYPE @extschema@.kpi_search AS (as_of timestamptz, last_as_of timestamptz, columns text[], bound text[], found datemultirange[], noted boolean[], concerned boolean[],
	passed boolean[], next_instants timestamptz[], is_other_now boolean, reported daterange[], accounts text[], leads text[], deals text[], history_deals text[], deal_days datemultirange,
	deal_leads text[], moved_leads text[], payers text[], payer_days date[], movers text[], repliers text[], rates_from timestamptz);
COMMENT ON TYPE @extschema@.kpi_search IS
'what kpi_changes has found so far. columns: the usable ones as source.column; bound: the sources of which facts are made, and for each of them found: days; noted: whether something changed in its tables; concerned: or in what its rows look up; passed: whether an instant may have passed; next_instants: the next one to come. is_other_now: whether what is looked up as of now, in rates or histories, may be other; reported: periods that have facts (others are taken anyway). accounts, leads, deals (opportunities): those that changed; history_deals: opportunities of which only the history sees what changed; deal_days: days of opportunities that changed themselves; deal_leads: leads of opportunities that changed; moved_leads: leads whose accounts belong elsewhere now; payers: customers whose subscriptions changed, payer_days: from when on; movers: opportunities whose history changed; repliers: contacts whose activities did; rates_from: since when rates are others (NULL: none is)';

/* What the log says of rows, in all sources that are tracked. */
CREATE FUNCTION @extschema@.kpi_search_noted(search @extschema@.kpi_search, untracked text[]) RETURNS @extschema@.kpi_search
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer;
	source text;
	c record;
BEGIN
	FOR n, source IN SELECT b.n, b.source FROM unnest(search.bound) WITH ORDINALITY b(source, n) WHERE b.source <> ALL (untracked) LOOP
		SELECT * INTO c FROM @extschema@.kpi_noted_changes(source, search.columns);
		search.noted[n] := c.is_any;
		search.found[n] := search.found[n] + c.spans;
		IF c.spans = '{(,)}' THEN	-- more cannot be found
			RETURN search;
		END IF;
		CASE source
			WHEN 'account' THEN search.accounts := search.accounts || c.ids;
			WHEN 'lead' THEN search.leads := search.leads || c.ids;
			WHEN 'opportunity' THEN
				search.deals := search.deals || c.ids;
				search.history_deals := c.other_ids;
				search.deal_days := c.spans;
			ELSE NULL;
		END CASE;
		search.deal_leads := search.deal_leads || c.lead_ids;
		search.payers := search.payers || c.account_ids;
		search.payer_days := search.payer_days || c.account_days;
		search.movers := search.movers || c.opportunity_ids;
		search.repliers := search.repliers || c.contact_ids;
		IF source = 'exchange_rate' AND c.is_any THEN	-- whatever it is that is in a currency
			search.rates_from := @extschema@.kpi_midnight(lower(c.spans));
			/* From the day before on: what is there at the end of a period has the rate of that instant. */
			search.found := ARRAY(SELECT f + datemultirange(daterange(lower(c.spans) - 1, NULL)) FROM unnest(search.found) WITH ORDINALITY u(f, i) ORDER BY i);
			search.concerned := array_fill(true, ARRAY[cardinality(search.bound)]);
		END IF;
	END LOOP;
	RETURN search;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_search_noted(@extschema@.kpi_search, text[]) IS
'step of kpi_changes: what the log says of the rows of each source but those that are not tracked; it ends with the first of which it cannot be told (found: all days)';

/* Until when the clock changes nothing: what was found out at an earlier snapshot holds as long as no row changed. */
CREATE FUNCTION @extschema@.kpi_search_passed(search @extschema@.kpi_search, next_at jsonb) RETURNS @extschema@.kpi_search
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_same_day boolean := @extschema@.kpi_midnight(@extschema@.kpi_day(search.as_of)) < search.last_as_of;
	n integer;
	source text;
	instant timestamptz;
BEGIN
	FOR n, source IN SELECT b.n, b.source FROM unnest(search.bound) WITH ORDINALITY b(source, n) LOOP
		instant := CASE WHEN NOT search.noted[n] THEN (next_at ->> source)::timestamptz END;
		IF instant IS NULL AND is_same_day AND NOT search.noted[n] THEN
			EXECUTE @extschema@.kpi_next_instant_query(source, search.columns) INTO instant USING search.last_as_of;
		END IF;
		search.next_instants[n] := instant;
		search.passed[n] := (is_same_day AND instant > search.as_of) IS NOT TRUE;
		search.is_other_now := search.is_other_now OR search.passed[n] AND (source = 'exchange_rate' OR
								   search.columns && ARRAY[source || '.valid_from', source || '.valid_to'] AND source IN ('account', 'rep'));
	END LOOP;
	RETURN search;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_search_passed(@extschema@.kpi_search, jsonb) IS
'step of kpi_changes: in which sources the clock may have changed something since the last snapshot, next_at being what is known from then (kpi_run.next_at)';

/* First the opportunities that are concerned; by their leads, others that might now be the first one won. */
CREATE FUNCTION @extschema@.kpi_search_opportunities(search @extschema@.kpi_search) RETURNS @extschema@.kpi_search
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer := array_position(search.bound, 'opportunity');
	query text;
	c record;
BEGIN
	IF n IS NULL THEN
		RETURN search;
	END IF;
	query := CASE WHEN search.passed[n] OR search.accounts || search.deals || search.leads <> '{}'
			 THEN @extschema@.kpi_concerned_query('opportunity', search.columns, search.accounts <> '{}', search.deals <> '{}', search.leads <> '{}', search.passed[n]) END;
	IF query IS NOT NULL THEN
		EXECUTE @extschema@.kpi_influence_query('opportunity', search.columns, query) INTO c
		  USING search.accounts, search.deals, search.leads, search.last_as_of, search.as_of;
		search.concerned[n] := search.concerned[n] OR c.is_any;
		search.found[n] := search.found[n] + c.spans;
		search.deals := search.deals || c.ids;
		search.leads := search.leads || c.lead_ids;
	END IF;
	search.leads := search.leads || search.deal_leads;
	query := CASE WHEN search.leads <> '{}' THEN @extschema@.kpi_named_query('opportunity', 'lead_id') END;
	IF query IS NOT NULL THEN
		EXECUTE @extschema@.kpi_influence_query('opportunity', search.columns, query) INTO c USING search.leads;
		search.concerned[n] := search.concerned[n] OR c.is_any;
		search.found[n] := search.found[n] + c.spans;
	END IF;
	RETURN search;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_search_opportunities(@extschema@.kpi_search) IS
'step of kpi_changes: the opportunities that look up what changed, or of whose lead another one changed';

CREATE FUNCTION @extschema@.kpi_search_others(search @extschema@.kpi_search) RETURNS @extschema@.kpi_search
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer;
	source text;
	named text[];
	query text;
	c record;
BEGIN
	FOR n, source, named IN SELECT b.n, b.source, CASE b.source WHEN 'opportunity_history' THEN search.deals || search.history_deals ELSE search.deals END
							  FROM unnest(search.bound) WITH ORDINALITY b(source, n) WHERE b.source <> 'opportunity' LOOP
		CONTINUE WHEN @extschema@.kpi_covers(search.found[n], search.reported) AND source <> 'opportunity_history'	-- whose opportunities count below
					  OR NOT search.passed[n] AND search.accounts || named || search.leads = '{}';
		query := @extschema@.kpi_concerned_query(source, search.columns, search.accounts <> '{}', named <> '{}', search.leads <> '{}', search.passed[n]);
		IF query IS NOT NULL AND @extschema@.kpi_spans_expression(source, search.columns) IS NOT NULL THEN
			EXECUTE @extschema@.kpi_influence_query(source, search.columns, query) INTO c
			  USING search.accounts, named, search.leads, search.last_as_of, search.as_of;
			search.concerned[n] := search.concerned[n] OR c.is_any;
			search.found[n] := search.found[n] + c.spans;
			search.movers := search.movers || c.opportunity_ids;
			search.repliers := search.repliers || c.contact_ids;
			search.moved_leads := search.moved_leads || CASE source WHEN 'lead' THEN c.ids ELSE '{}' END;
		END IF;
	END LOOP;
	RETURN search;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_search_others(@extschema@.kpi_search) IS
'step of kpi_changes, after kpi_search_opportunities: the rows of other sources that look up what changed';

CREATE FUNCTION @extschema@.kpi_search_followers(search @extschema@.kpi_search) RETURNS @extschema@.kpi_search
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer;
	source text;
	query text;
	c record;
BEGIN
	/* A reply counts where the contact was written to first, whichever message it answers. */
	IF search.repliers <> '{}' THEN
		n := array_position(search.bound, 'activity');
		EXECUTE format('SELECT coalesce(range_agg(daterange(r.happened_at, r.happened_at + 1)), ''{}'') AS spans FROM (%s) r WHERE r.happened_at IS NOT NULL',
					   @extschema@.kpi_named_query('activity', 'contact_id')) INTO c USING search.repliers;
		search.found[n] := search.found[n] + c.spans;
	END IF;

	/* A lead is converted when its opportunity is closed; a stage may be left then. */
	n := array_position(search.bound, 'lead');
	IF n IS NOT NULL AND 'opportunity' = ANY (search.bound) THEN
		search.found[n] := search.found[n] + search.found[array_position(search.bound, 'opportunity')];
		query := CASE WHEN search.moved_leads <> '{}' THEN @extschema@.kpi_named_query('opportunity', 'lead_id') END;
		IF query IS NOT NULL THEN
			EXECUTE @extschema@.kpi_influence_query('opportunity', search.columns, query) INTO c USING search.moved_leads;
			search.found[n] := search.found[n] + c.spans;
		END IF;
	END IF;
	n := array_position(search.bound, 'opportunity_history');
	IF n IS NOT NULL THEN
		search.found[n] := search.found[n] + search.deal_days;
	END IF;

	/* Whether a stage was passed, and when it was left, says the whole history of an opportunity. */
	FOR n, source IN SELECT b.n, b.source FROM unnest(search.bound) WITH ORDINALITY b(source, n)
					  WHERE b.source IN ('opportunity', 'opportunity_history') AND search.movers <> '{}' LOOP
		CONTINUE WHEN @extschema@.kpi_covers(search.found[n], search.reported);
		EXECUTE @extschema@.kpi_influence_query(source, search.columns,
					@extschema@.kpi_named_query(source, CASE source WHEN 'opportunity' THEN 'id' ELSE 'opportunity_id' END)) INTO c USING search.movers;
		search.found[n] := search.found[n] + c.spans;
	END LOOP;
	RETURN search;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_search_followers(@extschema@.kpi_search) IS
'step of kpi_changes, after kpi_search_others: days of leads, opportunities, histories and messages that follow from what was found in others';

/* A customer's cohort is that of the first subscription, also for earlier purchases; it stays where an earlier one did not change. */
CREATE FUNCTION @extschema@.kpi_search_payers(search @extschema@.kpi_search) RETURNS @extschema@.kpi_search
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer := array_position(search.bound, 'sale');
	no_dictionary @extschema@.kpi_dictionary;	-- without rates nothing in a foreign currency is known to be the first
	query text;
	c record;
BEGIN
	IF ('subscription' = ANY (search.bound) AND @extschema@.kpi_is_open_for_cohorts(search)) IS NOT TRUE THEN
		RETURN search;
	END IF;
	IF search.passed[array_position(search.bound, 'subscription')] OR search.rates_from IS NOT NULL THEN
		EXECUTE @extschema@.kpi_influence_query('subscription', search.columns, @extschema@.kpi_current_query('subscription',
					'valid_from >= $1 AND valid_from < $2 OR currency IS NOT NULL AND valid_from >= $3'))
		   INTO c USING search.last_as_of, search.as_of, search.rates_from;
		search.payers := search.payers || c.account_ids;
		search.payer_days := search.payer_days || c.account_days;
	END IF;
	IF search.payers <> '{}' THEN
		EXECUTE format('SELECT coalesce(array_agg(p.account), ''{}'') FROM unnest($16::text[], $17::date[]) p(account, day) WHERE NOT EXISTS (SELECT FROM (%s) f WHERE f.customer = p.account AND f.first_day < p.day)',
					   @extschema@.kpi_first_days_query(search.columns, '$16'))
		   INTO search.payers
		  USING NULL::timestamptz[], NULL::date[], NULL::timestamptz[], search.as_of, no_dictionary, no_dictionary, no_dictionary, no_dictionary, no_dictionary, no_dictionary,
				no_dictionary, no_dictionary, NULL::timestamptz[], NULL::date[], no_dictionary, search.payers, search.payer_days;
	END IF;
	query := CASE WHEN search.payers <> '{}' THEN @extschema@.kpi_of_payers_query(search.columns) END;
	IF query IS NOT NULL THEN
		EXECUTE @extschema@.kpi_influence_query('sale', search.columns, query) INTO c USING search.payers;
		search.found[n] := search.found[n] + c.spans;
	END IF;
	RETURN search;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_search_payers(@extschema@.kpi_search) IS
'step of kpi_changes: days of the sales of customers whose cohort may be another since their subscriptions changed';

/* Where purchases tell the cohort, what is before the first one has it too. */
CREATE FUNCTION @extschema@.kpi_search_early_sales(search @extschema@.kpi_search) RETURNS @extschema@.kpi_search
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer := array_position(search.bound, 'sale');
	looked_up @extschema@.kpi_dictionaries;
	query text;
	c record;
BEGIN
	query := CASE WHEN (search.found[n] <> '{}' OR search.passed[n]) AND @extschema@.kpi_is_open_for_cohorts(search) THEN @extschema@.kpi_early_sales_query(search.columns) END;
	IF query IS NOT NULL THEN
		looked_up := @extschema@.kpi_make_dictionaries(@extschema@.kpi_looked_up(query, search.columns), search.columns, search.as_of);
		EXECUTE query INTO c
		  USING NULL::timestamptz[], NULL::date[], NULL::timestamptz[], search.as_of, looked_up.rates, looked_up.accounts, looked_up.reps, looked_up.stages, looked_up.leads, looked_up.deals,
				NULL::text[], looked_up.won_leads, NULL::timestamptz[], NULL::date[], looked_up.run_rates,
				least(lower(search.found[n]), CASE WHEN search.passed[n] THEN @extschema@.kpi_day(search.last_as_of) END);
		search.found[n] := search.found[n] + c.spans;
	END IF;
	RETURN search;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_search_early_sales(@extschema@.kpi_search) IS
'step of kpi_changes: days of the sales before those found, of customers whose cohort these may tell';

CREATE FUNCTION @extschema@.kpi_is_open_for_cohorts(search @extschema@.kpi_search) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'sale' = ANY ((search).bound)
		   AND @extschema@.kpi_covers((search).found[array_position((search).bound, 'sale')], (search).reported) IS NOT TRUE
		   AND EXISTS (SELECT FROM @extschema@.kpi_dimension d WHERE 'cohort' = ANY (d.parts));
END;
COMMENT ON FUNCTION @extschema@.kpi_is_open_for_cohorts(@extschema@.kpi_search) IS
'whether there are cohorts to which sales may belong, and periods with sales that were not found yet';

/* What is overdue is valued as of now: at the rate of now, which changes at midnight, for whom it belongs to now. */
CREATE FUNCTION @extschema@.kpi_search_overdue(search @extschema@.kpi_search) RETURNS @extschema@.kpi_search
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer;
	c record;
BEGIN
	FOR c IN SELECT p.source, p.starts, p.condition FROM @extschema@.kpi_part p
			  WHERE search.is_other_now AND p.kind = 'plan' AND p.source = ANY (search.bound) AND p.source || '.' || p.starts = ANY (search.columns)
				AND search.columns && ARRAY[p.source || '.currency', 'account.valid_from', 'rep.valid_from'] LOOP
		n := array_position(search.bound, c.source);
		EXECUTE @extschema@.kpi_influence_query(c.source, ARRAY[c.source || '.' || c.starts],
					@extschema@.kpi_current_query(c.source, format('(%s) AND %I < $1', replace(c.condition, '{now}', '$1'), c.starts)))
		   INTO c USING search.as_of;
		search.found[n] := search.found[n] + c.spans;
	END LOOP;
	RETURN search;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_search_overdue(@extschema@.kpi_search) IS
'step of kpi_changes: days of plans that are past, where what they are worth now, or whose they are now, may be other';

CREATE FUNCTION @extschema@.kpi_begin_search(as_of timestamptz, last_as_of timestamptz, untracked text[], lookback text) RETURNS @extschema@.kpi_search
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	search @extschema@.kpi_search;
	sources integer[];
BEGIN
	search.as_of := as_of;
	search.last_as_of := last_as_of;
	SELECT array_agg(u.source || '.' || u.column_name || e.suffix) INTO search.columns
	  FROM @extschema@.kpi_usable_columns() u, LATERAL unnest(CASE u.type WHEN 'date' THEN '{"",:date}'::text[] ELSE '{""}' END) e(suffix);
	search.bound := @extschema@.kpi_searched_sources();
	sources := ARRAY[cardinality(search.bound)];
	search.found := array_fill(CASE WHEN untracked = '{}' THEN '{}' ELSE datemultirange(daterange(@extschema@.kpi_day(as_of) - lookback::integer, NULL)) END, sources);
	search.noted := ARRAY(SELECT b = ANY (untracked) FROM unnest(search.bound) WITH ORDINALITY u(b, i) ORDER BY i);
	search.concerned := array_fill(false, sources);
	search.is_other_now := false;
	search.reported := ARRAY(SELECT DISTINCT daterange(f.period, f.period_end) FROM @extschema@.kpi_fact f
							  WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND f.member = '');
	search.accounts := '{}';
	search.leads := '{}';
	search.deals := '{}';
	search.history_deals := '{}';
	search.deal_days := '{}';
	search.deal_leads := '{}';
	search.moved_leads := '{}';
	search.payers := '{}';
	search.payer_days := '{}';
	search.movers := '{}';
	search.repliers := '{}';
	RETURN search;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_begin_search(timestamptz, timestamptz, text[], text) IS
'what kpi_changes begins with: nothing found but the days of the setting lookback_days (lookback), where a source is untracked';

CREATE FUNCTION @extschema@.kpi_searched_sources() RETURNS text[]
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT ARRAY(SELECT s.source FROM @extschema@.kpi_source s WHERE s.source <> 'target' ORDER BY s.source);
END;
COMMENT ON FUNCTION @extschema@.kpi_searched_sources() IS 'the bound sources of which facts are made';

CREATE FUNCTION @extschema@.kpi_changes(as_of timestamptz) RETURNS TABLE (source text, spans datemultirange, is_still boolean, next_at timestamptz, basis text)
	LANGUAGE plpgsql STABLE
	ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET enable_nestloop = on	-- whatever is best for what writes the facts
	SET datestyle = 'ISO, YMD'
	SET intervalstyle = 'postgres'
	SET extra_float_digits = 1
	SET bytea_output = 'hex'
	SET timezone = 'UTC'	-- so that what is set below ends with the function
AS $$
#variable_conflict use_variable
DECLARE
	everything CONSTANT datemultirange := '{(,)}';
	untracked text[] := ARRAY(SELECT DISTINCT k.source FROM @extschema@.kpi_tracking() k WHERE NOT k.tracked AND k.source = ANY (@extschema@.kpi_searched_sources()) ORDER BY 1);
	lookback text := @extschema@.kpi_setting('lookback_days');
	last_run @extschema@.kpi_run;
	is_bounded_since boolean;	-- whether bad rows are those of a snapshot with day bounds, in which what lacks a rate elsewhere is none
	search @extschema@.kpi_search;
	still boolean[];
BEGIN
	PERFORM set_config('TimeZone', @extschema@.kpi_setting('time_zone'), true);
	basis := md5(@extschema@.kpi_basis() || untracked::text);	-- a source that can be seen again may have been written unseen
	SELECT * INTO last_run FROM @extschema@.kpi_last_run();
	is_bounded_since := EXISTS (SELECT FROM @extschema@.kpi_run r WHERE r.outcome = 'done' AND r.as_of > last_run.as_of);
	IF last_run.basis = basis AND NOT (untracked <> '{}' AND lookback = 'all')
	   AND EXISTS (SELECT FROM @extschema@.kpi_track_mark m WHERE m.as_of = last_run.as_of)
	   AND NOT EXISTS (SELECT FROM @extschema@.kpi_dimension d WHERE 'preceding_activity' = ANY (d.parts)) THEN	-- which any activity of a customer may be
		search := @extschema@.kpi_search_noted(@extschema@.kpi_begin_search(as_of, last_run.as_of, untracked, lookback), untracked);
	END IF;
	IF search.found IS NULL OR everything = ANY (search.found) THEN
		RETURN QUERY SELECT b, everything, false, NULL::timestamptz, basis FROM unnest(@extschema@.kpi_searched_sources()) b;
		RETURN;
	END IF;
	search := @extschema@.kpi_search_passed(search, last_run.next_at);
	search := @extschema@.kpi_search_opportunities(search);
	search := @extschema@.kpi_search_others(search);
	search := @extschema@.kpi_search_followers(search);
	search := @extschema@.kpi_search_payers(search);
	search := @extschema@.kpi_search_early_sales(search);
	search := @extschema@.kpi_search_overdue(search);

	/* What others look up is read with them. */
	still := ARRAY(SELECT search.found[i] = '{}' AND NOT (search.noted[i] OR search.concerned[i] OR search.passed[i] OR search.is_other_now OR is_bounded_since)
					 FROM generate_subscripts(search.bound, 1) i ORDER BY i);
	RETURN QUERY SELECT search.bound[i], search.found[i],
						still[i] AND NOT EXISTS (SELECT FROM generate_subscripts(search.bound, 1) r
												  WHERE NOT still[r] AND search.bound[i] = ANY (@extschema@.kpi_looks_up(search.bound[r], search.columns))),
						CASE WHEN search.next_instants[i] > as_of THEN search.next_instants[i] END, basis
				   FROM generate_subscripts(search.bound, 1) i;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_changes(timestamptz) IS
'for each bound source the days in whose periods its measures may differ from those of the last default snapshot, because something noted in kpi_track_log changed, an instant passed, or a source is not tracked (setting lookback_days); all days when basis, which comes too, is another: kpi_basis and which sources are not tracked; or when kpi_track_log does not begin with that snapshot (kpi_track_mark). is_still: nothing of all this, so that also in the periods that are running its measures are those there are, and so are its bad rows, and nothing has to be looked up in it; next_at: until when, midnights aside, the clock alone changes nothing, where that is known. Periods never computed are not among the days, nor those not complete then';
