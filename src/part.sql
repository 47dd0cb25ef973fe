/*
 * The parts of a source: what of its rows is counted, summed, ... in which cube
 * or ledger, as SQL texts.  Their parameters are those of kpi_source_query.
 */
CREATE FUNCTION @extschema@.kpi_elapsed(earlier text, earlier_column text, later text, later_column text, columns text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format(CASE WHEN earlier_column || ':date' = ANY (columns) OR later_column || ':date' = ANY (columns)
				  THEN 'CASE WHEN isfinite(%1$s) AND isfinite(%2$s) THEN ((%2$s AT TIME ZONE %3$L)::date - (%1$s AT TIME ZONE %3$L)::date) * 86400000000 END'
				  ELSE '@extschema@.kpi_microseconds(%1$s, %2$s)' END, earlier, later, @extschema@.kpi_setting('time_zone'));
END;
COMMENT ON FUNCTION @extschema@.kpi_elapsed(text, text, text, text, text[]) IS
'SQL text for the microseconds from one instant to another (each with the source column it comes from): whole days of the reporting zone when either column is a date; NULL when either lies at infinity';

/* A date is the whole day: something else on that day is neither before nor after it. */
CREATE FUNCTION @extschema@.kpi_before(earlier text, earlier_column text, later text, later_column text, columns text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN earlier_column || ':date' = ANY (columns) OR later_column || ':date' = ANY (columns)
		THEN format('(%1$s AT TIME ZONE %3$L)::date < (%2$s AT TIME ZONE %3$L)::date', earlier, later, @extschema@.kpi_setting('time_zone'))
		ELSE format('%s < %s', earlier, later) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_before(text, text, text, text, text[]) IS
'SQL text for whether one instant lies before another: by days of the reporting zone when either column (as source.column) is a date';

/* Of a row that is not bad; its unit and count are known. */
CREATE FUNCTION @extschema@.kpi_monthly_amount(amount numeric, billing_unit text, billing_count bigint) RETURNS numeric
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN coalesce(billing_unit, 'month') = 'month' AND coalesce(billing_count, 1) = 1 THEN amount
		ELSE @extschema@.kpi_quotient(amount * CASE billing_unit WHEN 'week' THEN 52 WHEN 'day' THEN 365 ELSE 1 END,
			CASE coalesce(billing_unit, 'month') WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END * coalesce(billing_count, 1), 12) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_monthly_amount(numeric, text, bigint) IS
'as kpi_monthly, of units and counts that there are: those of rows that are not bad';

CREATE FUNCTION @extschema@.kpi_require_billing_unit(billing_unit text, billing_count bigint) RETURNS text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF billing_unit NOT IN ('day', 'week', 'month', 'quarter', 'year') THEN
		RAISE EXCEPTION 'unknown billing unit "%"', billing_unit
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Units are day, week, month, quarter and year.';
	ELSIF billing_count <= 0 THEN
		RAISE EXCEPTION 'billing count % is not positive', billing_count
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN billing_unit;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_billing_unit(text, bigint) IS
'the unit; raises unless there is such a one (NULL: month), and so many of it (NULL: 1)';

CREATE FUNCTION @extschema@.kpi_monthly(amount numeric, billing_unit text, billing_count bigint) RETURNS numeric
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_monthly_amount(amount, @extschema@.kpi_require_billing_unit(billing_unit, billing_count), billing_count);
END;
COMMENT ON FUNCTION @extschema@.kpi_monthly(numeric, text, bigint) IS
'a recurring amount per month, of one charged every billing_count (NULL: 1) billing_units (day, week, month, quarter, year; NULL: month): year/12, quarter/3, week*52/12, day*365/12; rounded once to 12 decimals, half away from zero. NULL amount: NULL. Raises for another unit, or a count that is not positive';

/* What stands for a placeholder {name} of a part's, measure's or fault's expression; it may hold others. */
CREATE FUNCTION @extschema@.kpi_placeholder(name text, source text, at text, columns text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	stage_probability text := '@extschema@.kpi_lookup_number((SELECT $8), stage, 1, NULL::timestamptz)';
	deal_probability text := '@extschema@.kpi_lookup_number((SELECT $10), opportunity_id, 12, NULL::timestamptz)';
	lead_created text := '@extschema@.kpi_lookup_instant((SELECT $9), lead_id, 3, NULL::timestamptz)';
	first_win text := '@extschema@.kpi_lookup_first((SELECT $12), id)';
BEGIN
	RETURN CASE name
		WHEN 'cycle' THEN 'nullif(greatest({cycle_raw}, -1), -1)'	-- what is below 0 is none
		WHEN 'cycle_raw' THEN format('CASE WHEN first_contact_at IS NOT NULL THEN %s WHEN %s IS NOT NULL THEN %s ELSE %s END',
			@extschema@.kpi_elapsed('first_contact_at', 'opportunity.first_contact_at', 'closed_at', 'opportunity.closed_at', columns), lead_created,
			@extschema@.kpi_elapsed(lead_created, 'lead.created_at', 'closed_at', 'opportunity.closed_at', columns),
			@extschema@.kpi_elapsed('created_at', 'opportunity.created_at', 'closed_at', 'opportunity.closed_at', columns))
		WHEN 'response' THEN format('CASE WHEN first_response_at < $4 AND %s IS NOT TRUE THEN %s END',
			@extschema@.kpi_before('first_response_at', 'lead.first_response_at', 'created_at', 'lead.created_at', columns),
			@extschema@.kpi_elapsed('created_at', 'lead.created_at', 'first_response_at', 'lead.first_response_at', columns))
		WHEN 'account' THEN @extschema@.kpi_member_expression(source, 'account', at, columns)
		WHEN 'converted_at' THEN format('coalesce(converted_at, %s)', first_win)
		WHEN 'converted_too_early' THEN format('CASE WHEN converted_at IS NOT NULL THEN %s ELSE %s END',
			@extschema@.kpi_before('converted_at', 'lead.converted_at', 'created_at', 'lead.created_at', columns),
			@extschema@.kpi_before(first_win, 'opportunity.closed_at', 'created_at', 'lead.created_at', columns))
		WHEN 'deal_amount' THEN '@extschema@.kpi_lookup_number((SELECT $10), opportunity_id, 11, NULL::timestamptz)'
		WHEN 'closed_at' THEN '@extschema@.kpi_lookup_instant((SELECT $10), opportunity_id, 13, NULL::timestamptz)'
		WHEN 'deal_status' THEN '@extschema@.kpi_lookup((SELECT $10), opportunity_id, 15, NULL::timestamptz)'
		WHEN 'deal_won' THEN '{deal_status} = ''won'' AND ({closed_at} >= {now}) IS NOT TRUE'
		WHEN 'closed_unknown_when' THEN '{deal_status} <> ''open'' AND {closed_at} IS NULL'
		WHEN 'now' THEN '$4'
		WHEN 'reporting' THEN quote_literal(@extschema@.kpi_setting('currency'))
		WHEN 'known_deal' THEN CASE WHEN 'opportunity.id' = ANY (columns)
			THEN '@extschema@.kpi_knows((SELECT $10), opportunity_id)' ELSE 'true' END
		WHEN 'is_open_stage' THEN 'coalesce(@extschema@.kpi_lookup((SELECT $8), stage, 4, NULL::timestamptz), ''open'') = ''open'''
		WHEN 'probability' THEN CASE source WHEN 'opportunity_history'
			/* That of a deal that is closed is its outcome, which nobody knew while it was open. */
			THEN format('CASE WHEN probability IS NULL THEN CASE WHEN next_from IS NOT NULL OR valid_to <= {now} THEN %1$s'
						' WHEN {deal_status} = ''open'' THEN coalesce(%2$s, %1$s) ELSE coalesce(%1$s, %2$s) END'
						' WHEN probability BETWEEN 0 AND 1 THEN probability END', stage_probability, deal_probability)
			ELSE 'CASE WHEN probability IS NULL THEN ' || stage_probability || ' WHEN probability BETWEEN 0 AND 1 THEN probability END' END
		WHEN 'done' THEN 'coalesce(status, ''done'') = ''done'''
		WHEN 'outbound' THEN 'coalesce(direction, ''out'') = ''out'''
		WHEN 'days' THEN 'piece_to - piece_from'
		WHEN 'share' THEN '@extschema@.kpi_day_share({amount}, whole_from, whole_to, piece_from, piece_to)'
		WHEN 'monthly' THEN '@extschema@.kpi_monthly_amount(amount, billing_unit, billing_count)' || CASE WHEN 'subscription.currency' = ANY (columns)
			THEN format(' * CASE WHEN currency IS NULL OR currency = %L THEN 1 ELSE @extschema@.kpi_lookup_number((SELECT $15), account_id || '' '' || currency, 1, valid_from) END',
						@extschema@.kpi_setting('currency')) ELSE '' END
		WHEN 'active_days' THEN format('interval %L', @extschema@.kpi_setting('customer_active_days') || ' days')
		ELSE CASE WHEN name IN ('amount', 'direct_cost') THEN CASE WHEN source || '.currency' = ANY (columns)
			THEN format('CASE WHEN currency IS NULL OR currency = %L THEN %s ELSE %2$s * @extschema@.kpi_rate((SELECT $5), currency, %3$s) END',
						@extschema@.kpi_setting('currency'), name, at)
			ELSE name END END
	END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_placeholder(text, text, text, text[]) IS
'SQL text of what a placeholder in an expression of kpi_part, kpi_measure or kpi_fault stands for; NULL when the bound columns cannot tell. Arguments as of kpi_fill_in';

CREATE FUNCTION @extschema@.kpi_fill_in(template text, source text, at text, columns text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	filled text := template;
	part text[];
BEGIN
	LOOP
		part := regexp_match(filled, E'\\{(\\w+) ?(\\w*) ?(\\w*)\\}');
		EXIT WHEN part IS NULL;
		filled := replace(filled, format('{%s}', concat_ws(' ', part[1], nullif(part[2], ''), nullif(part[3], ''))), CASE part[1]
			WHEN 'infinite' THEN format('@extschema@.kpi_is_infinite(%s)', part[2])
			WHEN 'finite' THEN format(CASE WHEN source || '.' || part[2] || ':date' = ANY (columns) THEN 'isfinite(@extschema@.kpi_known_day(%s_day))' ELSE 'isfinite(%s)' END, part[2])
			WHEN 'before' THEN @extschema@.kpi_before(part[2], source || '.' || part[2], part[3], source || '.' || part[3], columns)
			ELSE '(' || coalesce(@extschema@.kpi_placeholder(part[1], source, at, columns), 'NULL') || ')' END);
	END LOOP;
	RETURN filled;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_fill_in(text, text, text, text[]) IS
'an expression of kpi_part, kpi_measure or kpi_fault with its placeholders replaced; at: SQL text of the instant whose exchange rate applies';

CREATE FUNCTION @extschema@.kpi_source_key(source text, columns text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE source
		WHEN 'exchange_rate' THEN 'currency || '' '' || (valid_on AT TIME ZONE ' || quote_literal(@extschema@.kpi_setting('time_zone')) || ')::date'
		WHEN 'stage' THEN 'name'
		WHEN 'sale' THEN CASE WHEN 'sale.line_id' = ANY (columns) THEN 'coalesce(line_id, sale_id)' ELSE 'sale_id' END
		WHEN 'opportunity_history' THEN 'opportunity_id'
		WHEN 'activity' THEN CASE WHEN 'activity.id' = ANY (columns) THEN 'id' ELSE 'happened_at::text' END
		WHEN 'subscription' THEN 'coalesce(id, account_id)'
		WHEN 'cost' THEN 'coalesce(id, category)'
		ELSE 'id' END;
END;
COMMENT ON FUNCTION @extschema@.kpi_source_key(text, text[]) IS
'SQL text for what names a row of the source in the problem list';

/* The dictionaries that reading a source gives, as select-list entries. */
CREATE FUNCTION @extschema@.kpi_dictionary_expressions(source text, columns text[]) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	attributes text := (SELECT string_agg(CASE WHEN a.name IS NULL THEN 'NULL::text' ELSE format('nullif(%I, '''')', a.name) END, ', ' ORDER BY n)
						  FROM generate_series(1, 10) n
						  LEFT JOIN unnest(@extschema@.kpi_dictionary_attributes(source, columns)) WITH ORDINALITY a(name, n) USING (n));
BEGIN
	RETURN CASE source
		WHEN 'exchange_rate' THEN ARRAY[$q$@extschema@.kpi_dictionary(currency, date_trunc('day', valid_on), NULL, rate, NULL, NULL, NULL, NULL)
			FILTER (WHERE rate > 0 AND rate < 'Infinity' AND valid_on IS NOT NULL)$q$]
		WHEN 'stage' THEN ARRAY[$q$@extschema@.kpi_dictionary(name, NULL, NULL,
			CASE WHEN probability BETWEEN 0 AND 1 THEN probability END, "position"::numeric, NULL,
			CASE WHEN is_won THEN 'won' WHEN is_lost THEN 'lost' ELSE 'open' END, NULL)$q$]
		WHEN 'account' THEN ARRAY[format('@extschema@.kpi_dictionary(id, valid_from, valid_to, %s)', attributes)]
		WHEN 'rep' THEN ARRAY[format('@extschema@.kpi_dictionary(id, valid_from, valid_to, %s)', attributes)]
		WHEN 'opportunity' THEN ARRAY[
			format($q$@extschema@.kpi_dictionary(id, NULL, NULL, %s, CASE WHEN amount > '-Infinity' AND amount < 'Infinity' THEN amount END,
				CASE WHEN probability BETWEEN 0 AND 1 THEN probability END,
				CASE WHEN status <> 'open' THEN closed_at END, currency, status)$q$, attributes),
			$q$@extschema@.kpi_dictionary(lead_id, closed_at, NULL, NULL, NULL) FILTER (WHERE status = 'won' AND closed_at IS NOT NULL)$q$]
		ELSE '{}' END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_dictionary_expressions(text, text[]) IS
'SQL texts of the dictionaries that a query over the source makes for the queries after it';

/* The measures of a part in the order of their slots. */
CREATE FUNCTION @extschema@.kpi_slots(source text, part text)
	RETURNS TABLE (measure text, slot text, n integer, expression text, needs text[])
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT m.measure, m.slot, (row_number() OVER (PARTITION BY m.slot ORDER BY m."position"))::integer, m.expression, m.needs
	  FROM @extschema@.kpi_measure m
	 WHERE m.source = kpi_slots.source AND m.part = kpi_slots.part
	 ORDER BY m."position";
END;
COMMENT ON FUNCTION @extschema@.kpi_slots(text, text) IS
'the measures of a part and which count, sum, distinct ... of its cube each is';

CREATE FUNCTION @extschema@.kpi_wanted_dimensions(wanted text[]) RETURNS TABLE (dimension text, parts text[])
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT d.dimension, d.parts FROM @extschema@.kpi_dimension d
	 WHERE wanted IS NULL OR d.dimension = ANY (wanted)
	UNION ALL
	SELECT w, string_to_array(w, '+') FROM unnest(wanted) w
	 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_dimension d WHERE d.dimension = w);
END;
COMMENT ON FUNCTION @extschema@.kpi_wanted_dimensions(text[]) IS
'the dimensions of that name (NULL: all), and those that are not defined but named by their parts, joined by +';

/*
 * The dimensions that rows of a source can be put into, each with its parts.
 * A stage belongs to what is or was open, a reason of losing to what is closed.
 */
CREATE FUNCTION @extschema@.kpi_part_dimensions(part text, members jsonb, wanted text[])
	RETURNS TABLE (dimension text, parts text[])
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT d.dimension, d.parts
	  FROM @extschema@.kpi_wanted_dimensions(wanted) d
	 WHERE (NOT 'stage' = ANY (d.parts) OR part IN ('open', 'closing', 'entered', 'left'))
	   AND (NOT 'lost_reason' = ANY (d.parts) OR part = 'closed')
	   AND members ?& d.parts
	 ORDER BY d.dimension;
END;
COMMENT ON FUNCTION @extschema@.kpi_part_dimensions(text, jsonb, text[]) IS
'the dimensions (of those wanted; NULL: all) for whose parts there are member expressions';

/* Without rows an aggregate is NULL, but a source without rows has zeros: cubes of a row that changes nothing. */
CREATE FUNCTION @extschema@.kpi_empty_cube(bounds timestamptz[], shape text) RETURNS @extschema@.kpi_cube
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_cube(bounds, shape, NULL::timestamptz,
			NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text,
			NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean,
			NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric,
			NULL::text, NULL::text, NULL::text, NULL::boolean, NULL::bigint);
END;
COMMENT ON FUNCTION @extschema@.kpi_empty_cube(timestamptz[], text) IS 'the cube of a flow of no rows; arguments as of kpi_cube';

CREATE FUNCTION @extschema@.kpi_empty_cube(bounds date[], shape text) RETURNS @extschema@.kpi_cube
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_cube(bounds, shape, NULL::date,
			NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text,
			NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean,
			NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric,
			NULL::text, NULL::text, NULL::text, NULL::boolean, NULL::bigint);
END;
COMMENT ON FUNCTION @extschema@.kpi_empty_cube(date[], text) IS 'the cube of a flow of no rows; arguments as of kpi_cube';

CREATE FUNCTION @extschema@.kpi_empty_stock(instants timestamptz[], shape text) RETURNS @extschema@.kpi_cube
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_stock(instants, shape, 'infinity'::timestamptz, NULL::timestamptz,
			NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text,
			NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric);
END;
COMMENT ON FUNCTION @extschema@.kpi_empty_stock(timestamptz[], text) IS 'the cube of a stock of no rows; arguments as of kpi_stock';

CREATE FUNCTION @extschema@.kpi_empty_ledger(instants timestamptz[], shape text) RETURNS @extschema@.kpi_ledger
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_ledger(instants, shape, NULL::text, NULL::timestamptz, NULL::timestamptz, NULL::numeric,
			NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text);
END;
COMMENT ON FUNCTION @extschema@.kpi_empty_ledger(timestamptz[], text) IS 'the ledger of no rows; arguments as of kpi_ledger';

CREATE FUNCTION @extschema@.kpi_spoilt(source text, part text, columns text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT string_agg('(' || @extschema@.kpi_fill_in(f.condition, f.source, 'NULL::timestamptz', columns) || ')', ' OR ' ORDER BY f.reason)
		  FROM @extschema@.kpi_fault f
		 WHERE f.source = kpi_spoilt.source AND kpi_spoilt.part = ANY (f.spoils));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_spoilt(text, text, text[]) IS
'SQL text of the condition under which a row of the source is left out of the part; NULL when there is none';

/* The parts that are read: pipeline stocks come from the history where there is one, customers from subscriptions. */
CREATE FUNCTION @extschema@.kpi_parts_to_read(source text, wanted text[]) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	has_history boolean := source = 'opportunity' AND @extschema@.kpi_source_relation('opportunity_history') IS NOT NULL;
	has_subscriptions boolean := source = 'sale' AND @extschema@.kpi_source_relation('subscription') IS NOT NULL;
BEGIN
	RETURN ARRAY(SELECT p.part FROM @extschema@.kpi_part p
				  WHERE p.source = kpi_parts_to_read.source AND (wanted IS NULL OR p.part = ANY (wanted))
					AND NOT (p.part = 'open' AND has_history) AND NOT (p.kind = 'ledger' AND has_subscriptions)
				  ORDER BY p.part);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_parts_to_read(text, text[]) IS
'the parts of a source that a snapshot reads, of those wanted (NULL: all)';

/*
 * A stock, and who is a customer and pays what at a boundary, is the team's and
 * the region's of each boundary, so a row during which its rep or account changed
 * is read in pieces.
 */
CREATE FUNCTION @extschema@.kpi_pieces(starts timestamptz, ends timestamptz, changes timestamptz[])
	RETURNS TABLE (piece_from timestamptz, piece_to timestamptz, is_first boolean)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	ROWS 1
BEGIN ATOMIC
	SELECT p.piece_from, p.piece_to, p.n = 1
	  FROM (SELECT array_agg(DISTINCT c ORDER BY c) AS cuts FROM unnest(changes) c WHERE c > starts AND (c < ends) IS NOT FALSE) i,
		   unnest(starts || i.cuts, i.cuts || ends) WITH ORDINALITY p(piece_from, piece_to, n);
END;
COMMENT ON FUNCTION @extschema@.kpi_pieces(timestamptz, timestamptz, timestamptz[]) IS
'the interval from starts to ends (NULL: without end), cut at those of the changes that lie within it';

/*
 * A spread is divided among the stretches between the boundaries, in days; a
 * row that touches none of them is one empty piece.
 */
CREATE FUNCTION @extschema@.kpi_day_pieces(from_day date, to_day date, days date[])
	RETURNS TABLE (piece_from date, piece_to date, is_first boolean, whole_from date, whole_to date)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	ROWS 2
BEGIN ATOMIC
	SELECT greatest(days[i], from_day), least(days[i + 1], to_day), i = b.first, from_day, to_day
	  FROM (SELECT greatest(1, width_bucket(coalesce(from_day, '-infinity'), days)) AS first,
				   least(cardinality(days) - 1, width_bucket(coalesce(to_day, 'infinity') - 1, days)) AS last) b,
		   LATERAL generate_series(b.first, b.last) i
	 WHERE (to_day <= from_day) IS NOT TRUE
	UNION ALL
	SELECT days[1], days[1], true, days[1], days[1]
	 WHERE coalesce(from_day >= days[cardinality(days)], false) OR coalesce(to_day <= days[1], false) OR to_day <= from_day;
END;
COMMENT ON FUNCTION @extschema@.kpi_day_pieces(date, date, date[]) IS
'the days from from_day to before to_day (NULL: without limit), cut at the given ones; a single empty piece when none lies between the first and the last of them';

/*
 * Pieces are of all the time in which a row counts in any of the parts that need
 * them.  Most rows are one piece, and need no more than a look at whether there was
 * a change; a function whose arguments have a subquery is not inlined, so they
 * are worked out before it.
 */
CREATE FUNCTION @extschema@.kpi_pieces_expression(source text, columns text[], wanted_parts text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT format($q$LATERAL (
		SELECT i.* FROM (SELECT (%s)::timestamptz AS starts, (%s)::timestamptz AS ends, %s AS changes OFFSET 0) w, LATERAL (
			SELECT w.starts, w.ends, true WHERE w.changes IS NULL
			UNION ALL
			SELECT * FROM @extschema@.kpi_pieces(w.starts, w.ends, w.changes) WHERE w.changes IS NOT NULL) i(piece_from, piece_to, is_first))$q$,
					  CASE count(DISTINCT i.starts) WHEN 1 THEN min(i.starts) ELSE format('least(%s)', string_agg(DISTINCT i.starts, ', ')) END,
					  CASE count(DISTINCT i.ends) WHEN 1 THEN min(i.ends)
						   ELSE format($q$nullif(greatest(%s), 'infinity')$q$, string_agg(DISTINCT format($q$coalesce(%s, 'infinity')$q$, i.ends), ', ')) END,
					  string_agg(DISTINCT format('@extschema@.kpi_changes((SELECT $%s), %s)', h.parameter, h.key), ' || '))
		  FROM @extschema@.kpi_part p,
			   LATERAL (SELECT v.parameter, @extschema@.kpi_member_expression(p.source, v.holder, 'NULL::timestamptz', columns) AS key
						  FROM (VALUES ('account', 6), ('rep', 7)) v(holder, parameter)
						 WHERE v.holder || '.valid_from' = ANY (columns)) h,
			   LATERAL (SELECT @extschema@.kpi_fill_in(p.starts, p.source, 'NULL::timestamptz', columns) AS starts,
							   @extschema@.kpi_fill_in(p.ends, p.source, 'NULL::timestamptz', columns) AS ends) i
		 WHERE p.source = kpi_pieces_expression.source AND p.part = ANY (@extschema@.kpi_parts_to_read(source, wanted_parts))
		   AND p.kind IN ('stock', 'ledger') AND p.starts <> 'NULL' AND h.key IS NOT NULL
		 GROUP BY p.source
		UNION ALL
		SELECT format('@extschema@.kpi_day_pieces((%s AT TIME ZONE %L)::date, (%s AT TIME ZONE %2$L)::date, $2)',
					  p.starts, @extschema@.kpi_setting('time_zone'), p.ends)
		  FROM @extschema@.kpi_part p
		 WHERE p.source = kpi_pieces_expression.source AND p.kind = 'spread');
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_pieces_expression(text, text[], text[]) IS
'SQL text of the pieces in which the rows of a stock, a ledger or a spread are read, as an entry of a FROM clause; NULL when a source has none of them, or no spread and neither reps nor accounts with a history';

/* The base dimensions that rows of a part are put into; their order numbers the keys. */
CREATE FUNCTION @extschema@.kpi_part_bases(part text, members jsonb, wanted text[]) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	bases text[] := (SELECT array_agg(DISTINCT b.base ORDER BY b.base)
					   FROM @extschema@.kpi_part_dimensions(part, members, wanted) d, unnest(d.parts) b(base));
	most integer := CASE part WHEN 'open' THEN 9 ELSE 10 END;	-- key 10 of a stock is its currency
BEGIN
	IF cardinality(bases) > most THEN
		RAISE EXCEPTION 'too many dimensions for "%"', part
			USING ERRCODE = 'program_limit_exceeded',
				  DETAIL = format('There can be %s base dimensions, not %s: %s.', most, cardinality(bases), array_to_string(bases, ', ')),
				  HINT = 'kpi_undefine_dimension() removes one of your own; the setting dimensions leaves out those that come with salkpi.';
	END IF;
	RETURN bases;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_part_bases(text, jsonb, text[]) IS
'the base dimensions of a part, in the order of the keys of its cube or ledger';

CREATE FUNCTION @extschema@.kpi_shape(part text, members jsonb, wanted text[], further_key text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT string_agg(concat_ws('=', d.dimension, nullif(concat_ws(',', (
					SELECT string_agg(array_position(b.bases, p.base)::text, ',' ORDER BY p.n) FROM unnest(d.parts) WITH ORDINALITY p(base, n)),
					further_key), '')), ';' ORDER BY d.dimension COLLATE "C")
		  FROM @extschema@.kpi_part_dimensions(part, members, wanted) d,
			   (SELECT @extschema@.kpi_part_bases(part, members, wanted) AS bases) b);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_shape(text, jsonb, text[], text) IS
'the dimensions of a part as in the shape of a cube or ledger; further_key: one that every dimension has besides';

CREATE FUNCTION @extschema@.kpi_ledger_rows(source text, part text, columns text[], members jsonb, wanted text[], spoilt text,
											in_pieces boolean, OUT shape text, OUT arguments text[], OUT condition text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	p @extschema@.kpi_part;
	bases text[] := @extschema@.kpi_part_bases(part, members, wanted);
	at text;
BEGIN
	SELECT * INTO p FROM @extschema@.kpi_part k WHERE k.source = kpi_ledger_rows.source AND k.part = kpi_ledger_rows.part;
	at := CASE WHEN in_pieces THEN 'piece_from' ELSE p.starts END;
	shape := format('%s / mb=%s', @extschema@.kpi_shape(part, members, wanted, NULL), @extschema@.kpi_setting('ledger_memory_mb'));
	arguments := ARRAY[coalesce(@extschema@.kpi_member_expression(source, 'account', p.starts, columns), 'NULL::text'),
			CASE WHEN in_pieces THEN format('greatest(piece_from, %s)', p.starts) ELSE p.starts END,
			format(CASE WHEN in_pieces THEN 'least(piece_to, %s)' ELSE '%s' END, @extschema@.kpi_fill_in(p.ends, source, p.starts, columns)),
			CASE source WHEN 'subscription' THEN @extschema@.kpi_fill_in('{monthly}', source, p.starts, columns) ELSE '1' END]
		|| ARRAY(SELECT coalesce(replace(members ->> bases[n], '{at}', at), 'NULL::text') FROM generate_series(1, 10) n ORDER BY n);
	condition := @extschema@.kpi_part_condition(source, part, columns, spoilt);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_ledger_rows(text, text, text[], jsonb, text[], text, boolean) IS
'of the aggregate that fills the ledger of a part its shape, the SQL texts of its arguments from customer on, and that of the condition under which a row counts; arguments as of kpi_cube_expression';

CREATE FUNCTION @extschema@.kpi_reaches_back(source text, part text) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM @extschema@.kpi_measure m
					WHERE m.source = kpi_reaches_back.source AND m.part = kpi_reaches_back.part AND m.slot = 'to_date');
END;
COMMENT ON FUNCTION @extschema@.kpi_reaches_back(text, text) IS
'whether a part is also measured since ever: then the first atom of its cube is what lies before all periods';

CREATE FUNCTION @extschema@.kpi_cube_expression(source text, part text, columns text[], members jsonb, wanted text[], spoilt text,
												in_pieces boolean, only_some boolean) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	p @extschema@.kpi_part;
	at text;
	by_day boolean;
	currency text := @extschema@.kpi_part_currency(source, part, columns);
	bases text[] := @extschema@.kpi_part_bases(part, members, wanted);
	shape text;
	slots integer[];
	reaches_back boolean := @extschema@.kpi_reaches_back(source, part);
	within text;	-- whether a row counts in a period that is wanted; NULL: it does
	takes_all boolean;	-- which row is the first of something ever takes the earlier ones to tell, and what is measured since ever takes them all
	arguments text;
BEGIN
	SELECT * INTO p FROM @extschema@.kpi_part k WHERE k.source = kpi_cube_expression.source AND k.part = kpi_cube_expression.part;
	at := CASE WHEN in_pieces AND p.kind = 'stock' THEN 'piece_from' ELSE @extschema@.kpi_part_instant(source, part, columns) END;
	by_day := @extschema@.kpi_part_by_day(source, part, columns);

	/* In a stock of money the currency is key 10 of every dimension: each boundary has its own rate. */
	shape := @extschema@.kpi_shape(part, members, wanted, CASE WHEN p.kind = 'stock' AND currency IS NOT NULL THEN '10' END);
	SELECT array_agg((SELECT count(*) FROM @extschema@.kpi_slots(source, part) s WHERE s.slot = k.slot) ORDER BY k.n) INTO slots
	  FROM unnest('{count,sum,distinct,first,duration}'::text[]) WITH ORDINALITY k(slot, n);
	shape := shape || format(' / c=%s m=%s', slots[1], slots[2])
		|| CASE p.kind WHEN 'stock' THEN '' ELSE format(' e=%s f=%s d=%s', slots[3], slots[4], slots[5]) END;
	within := CASE WHEN only_some AND p.kind IN ('flow', 'plan') THEN format('(%s) <@ $20', @extschema@.kpi_fill_in(p.starts, source, at, columns)) END;
	takes_all := slots[4] > 0 OR reaches_back;

	SELECT string_agg(coalesce(k.value, format('NULL::%s', k.type)), ', ' ORDER BY k.position, k.n) INTO arguments
	  FROM (SELECT 1 AS position, n, 'text' AS type,
				   CASE WHEN n = 10 AND p.kind = 'stock' AND currency IS NOT NULL
						THEN format('nullif(%s, %L)', currency, @extschema@.kpi_setting('currency'))
						ELSE replace(members ->> bases[n], '{at}', at) END AS value
			  FROM generate_series(1, 10) n
			UNION ALL
			SELECT a.position, g.n, a.type,
				   coalesce(CASE WHEN a.slot = 'distinct' AND takes_all AND NOT EXISTS (SELECT FROM @extschema@.kpi_slots(source, part) t WHERE t.slot = 'to_date' AND t.expression = s.measure)
								 THEN 'CASE WHEN ' || within || ' THEN ' || v.expression || ' END' END, v.expression)
			  FROM (VALUES (2, 'count', 'boolean', CASE p.kind WHEN 'stock' THEN 4 ELSE 10 END),
						   (3, 'sum', 'numeric', CASE p.kind WHEN 'stock' THEN 4 ELSE 6 END),
						   (4, 'distinct', 'text', 2), (5, 'first', 'text', 1), (6, 'first_flagged', 'boolean', 1),
						   (7, 'duration', 'bigint', 1)) a(position, slot, type, size)
			  CROSS JOIN LATERAL generate_series(1, a.size) g(n)
			  LEFT JOIN @extschema@.kpi_slots(source, part) s ON s.slot = a.slot AND s.n = g.n
			  CROSS JOIN LATERAL (SELECT @extschema@.kpi_fill_in(s.expression, source, at, columns) AS expression) v
			 WHERE p.kind <> 'stock' OR a.position <= 3) k;

	RETURN format(E'coalesce(@extschema@.%1$s(%2$s, %3$L, %4$s, %5$s)\n  FILTER (WHERE %9$s%6$s%7$s), @extschema@.%8$s(%2$s, %3$L))',
		CASE p.kind WHEN 'stock' THEN 'kpi_stock' ELSE 'kpi_cube' END,
		CASE p.kind WHEN 'stock' THEN CASE WHEN p.starts = 'NULL' THEN 'ARRAY[$4]' ELSE '$3' END
					WHEN 'plan' THEN CASE WHEN by_day THEN '$14' ELSE '$13' END
					ELSE CASE WHEN reaches_back
						 THEN CASE WHEN by_day THEN '(SELECT date ''-infinity'' || $2)' ELSE '(SELECT timestamptz ''-infinity'' || $1)' END
						 ELSE CASE WHEN by_day THEN '$2' ELSE '$1' END END END,
		shape,
		CASE p.kind WHEN 'stock' THEN CASE WHEN in_pieces THEN 'piece_from, piece_to'
						ELSE format('(%s)::timestamptz, (%s)::timestamptz', @extschema@.kpi_fill_in(p.starts, source, at, columns),
									@extschema@.kpi_fill_in(p.ends, source, at, columns)) END
					WHEN 'spread' THEN 'piece_from'
					WHEN 'plan' THEN p.starts || CASE WHEN by_day THEN '_day' ELSE '' END
					ELSE CASE WHEN by_day THEN p.starts || '_day' ELSE at END END,
		arguments,
		@extschema@.kpi_part_condition(source, part, columns, spoilt),
		CASE WHEN in_pieces AND p.kind NOT IN ('stock', 'spread') THEN ' AND is_first' ELSE '' END,
		CASE p.kind WHEN 'stock' THEN 'kpi_empty_stock' ELSE 'kpi_empty_cube' END,
		CASE WHEN p.kind IN ('flow', 'plan') THEN format('(%s) IS NOT NULL AND ', CASE WHEN by_day THEN p.starts || '_day'
			ELSE @extschema@.kpi_fill_in(p.starts, source, at, columns) END) ELSE '' END ||
		CASE WHEN takes_all OR within IS NULL THEN '' ELSE within || ' AND ' END);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_cube_expression(text, text, text[], jsonb, text[], text, boolean, boolean) IS
'SQL text of the aggregate that fills the cube of a part; members: as of kpi_member_expressions; spoilt: condition under which a row is left out; in_pieces: rows are joined with kpi_pieces; only_some: rows may be left out that count in no period within $20';

CREATE FUNCTION @extschema@.kpi_part_instant(source text, part text, columns text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT CASE WHEN p.kind = 'plan' OR p.starts = 'NULL' THEN '$4'
					ELSE @extschema@.kpi_fill_in(p.starts, p.source, 'NULL::timestamptz', columns) END
		  FROM @extschema@.kpi_part p
		 WHERE p.source = kpi_part_instant.source AND p.part = kpi_part_instant.part);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_part_instant(text, text, text[]) IS
'SQL text of the instant at which a row''s members and exchange rate are looked up: for what is open, and when that should close, now';

CREATE FUNCTION @extschema@.kpi_part_by_day(source text, part text, columns text[]) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT p.kind = 'spread' OR p.kind IN ('flow', 'plan') AND p.source || '.' || p.starts || ':date' = ANY (columns)
		  FROM @extschema@.kpi_part p
		 WHERE p.source = kpi_part_by_day.source AND p.part = kpi_part_by_day.part);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_part_by_day(text, text, text[]) IS
'whether rows of the part count by calendar days, since they are spread over days or what they happened at is a date; else by instants';

CREATE FUNCTION @extschema@.kpi_part_currency(source text, part text, columns text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT CASE WHEN NOT EXISTS (SELECT FROM @extschema@.kpi_measure m
									   JOIN @extschema@.kpi_part p USING (source, part)
									   JOIN @extschema@.kpi_part own USING (source, reads)
									  WHERE own.source = kpi_part_currency.source AND own.part = kpi_part_currency.part AND m.unit = 'money') THEN NULL
					WHEN source || '.currency' = ANY (columns) THEN 'currency'
					WHEN source = 'opportunity_history' AND 'opportunity.currency' = ANY (columns)
					THEN '@extschema@.kpi_lookup((SELECT $10), opportunity_id, 14, NULL::timestamptz)' END);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_part_currency(text, text, text[]) IS
'SQL text of the currency of a part''s amounts; NULL when they are all in the reporting currency';

/* Of a stock the first boundary counts at which the row does, be it read or not: rates begin once and do not end. */
CREATE FUNCTION @extschema@.kpi_unknown_rate(source text, part text, columns text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT format(CASE p.source WHEN 'subscription'
						THEN '%1$s <> %2$L AND (%4$s) AND (%6$s) IS NOT TRUE AND amount > 0 AND (valid_to <= valid_from) IS NOT TRUE'
							' AND @extschema@.kpi_lookup_number((SELECT $15), account_id || '' '' || currency, 1, valid_from) IS NULL'
						ELSE '%1$s <> %2$L AND (%4$s) AND %5$s IS NOT NULL AND @extschema@.kpi_rate((SELECT $5), %1$s, %3$s) IS NULL' END,
					  c.currency, @extschema@.kpi_setting('currency'), i.instant,
					  @extschema@.kpi_fill_in(p.condition, p.source, i.instant, columns),
					  CASE p.kind WHEN 'plan' THEN p.starts ELSE i.instant END,
					  @extschema@.kpi_spoilt(p.source, p.part, columns))
		  FROM @extschema@.kpi_part p, LATERAL (SELECT @extschema@.kpi_part_currency(p.source, p.part, columns) AS currency OFFSET 0) c, LATERAL (
				SELECT CASE WHEN p.kind = 'stock' AND p.starts <> 'NULL'
					THEN format('(SELECT min(t) FROM unnest(coalesce(($21).every_instant, $3)) t WHERE t > (%s) AND (t <= (%s)) IS NOT FALSE)',
								@extschema@.kpi_fill_in(p.starts, p.source, 'NULL::timestamptz', columns),
								@extschema@.kpi_fill_in(p.ends, p.source, 'NULL::timestamptz', columns))
					ELSE @extschema@.kpi_part_instant(p.source, p.part, columns) END AS instant OFFSET 0) i
		 WHERE p.source = kpi_unknown_rate.source AND p.part = kpi_unknown_rate.part
		   AND c.currency IS NOT NULL);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unknown_rate(text, text, text[]) IS
'SQL text of the condition that a row''s amount is in a currency without a rate at its instant; NULL when there is only one currency';

CREATE FUNCTION @extschema@.kpi_part_condition(source text, part text, columns text[], spoilt text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		/* A stock lacks a rate at some boundaries and not at others: kpi_panel sees to that. */
		SELECT format('(%s)%s%s',
					  @extschema@.kpi_fill_in(p.condition, p.source, @extschema@.kpi_part_instant(p.source, p.part, columns), columns),
					  ' AND (' || spoilt || ') IS NOT TRUE',
					  CASE WHEN p.kind <> 'stock' THEN ' AND (' || @extschema@.kpi_unknown_rate(p.source, p.part, columns) || ') IS NOT TRUE' END)
		  FROM @extschema@.kpi_part p
		 WHERE p.source = kpi_part_condition.source AND p.part = kpi_part_condition.part);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_part_condition(text, text, text[], text) IS
'SQL text of the condition under which a row of the source belongs to the part; spoilt: as of kpi_spoilt';
