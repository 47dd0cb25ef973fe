/*
 * The snapshot: each source is read once, by one query that fills the cubes and
 * ledgers of all its parts and reads them for all periods; the panels become
 * facts, and only what changed is written.
 *
 * kpi_source_query builds that query from the catalog of parts, measures,
 * faults and dimensions and from the columns that the bound relations have.
 * Its parameters are kpi_parameters, $1 and so on:
 *	 $1 boundaries of flows (instants)	 $2 the same as days   $3 instants of stocks
 *	 $4 the instant taken as now	 $13, $14 boundaries of plans: as $1 and $2, but to the end of the running periods
 * and, as dictionaries (NULL where the source is not bound),
 *	 $5 currency: rate		 $6 account		$7 rep		$8 stage	   $9 lead: created_at
 *	 $10 opportunity: members	 $11 opportunity: state	 $12 lead: first won deal
 *	 $15 customer and currency: rate at which an uninterrupted run began
 *	 $16 customer: month of the first purchase or payment
 *	 $19 customer: kinds of activities, each from when it was done (where they are asked for)
 * and, of the periods of ledgers, $17 the numbers of their openings in $3 and $18 of their closings; where
 * not all periods are taken, $20 the instants within those that are; and $21 the grid as a whole.
 * The cube of a part that is also measured since ever has one atom more, the
 * first, for what lies before all periods.
 * A dictionary stands in the query as (SELECT $n), which is evaluated once.
 *
 * What a drill asks again and again for SQL text is in PL/pgSQL, which plans
 * once a session; an SQL function that is not inlined is planned in each query.
 */
CREATE TYPE @extschema@.kpi_bad_rows AS (reason text, bad_rows bigint, keys text[]);
COMMENT ON TYPE @extschema@.kpi_bad_rows IS 'bad rows of one source for one reason: how many and the smallest of their keys';

CREATE TYPE @extschema@.kpi_grid AS (as_of timestamptz, bounds timestamptz[], days date[], instants timestamptz[], plan_bounds timestamptz[], plan_days date[],
	first_atom integer[], last_atom integer[], first_plan_atom integer[], last_plan_atom integer[], opening integer[], closing integer[], present integer[],
	starts_at timestamptz[], at timestamptz[], only_within tstzmultirange);
COMMENT ON TYPE @extschema@.kpi_grid IS
'the periods of a reading, and the boundaries they are made of. as_of: the instant taken as now; bounds and days: boundaries of flows; instants: of stocks; plan_bounds and plan_days: of plans, to the end of the running periods. For each period first_atom to last_atom: which stretches between bounds it is made of, first_plan_atom to last_plan_atom: of those between plan_bounds; opening and closing: numbers of the instants at its start and at its end, or now; present: 1 where its end is not past; starts_at and at: those two instants. A period that is not wanted is NULL in all of these; only_within: then, the time of those that are';

CREATE TYPE @extschema@.kpi_reading AS (source text, part text, panel @extschema@.kpi_panel, measures integer[], first_atom integer,
	first_at timestamptz, rates @extschema@.kpi_dictionary, bad_rows @extschema@.kpi_bad_rows[]);
COMMENT ON TYPE @extschema@.kpi_reading IS
'what reading a source gave: for each part one panel or more, with the measures that its values are (numbers as of kpi_fact_measures) and the first atom of its grid that has anything; for the source as a whole (part NULL) when subscriptions begin, the rates of exchange_rate, and the bad rows';

CREATE FUNCTION @extschema@.kpi_facts(readings @extschema@.kpi_reading[], others @extschema@.kpi_measured[]) RETURNS SETOF record
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	ROWS 1000000	-- so that whatever they are joined with is hashed, not they
	AS 'MODULE_PATHNAME', 'salkpi_facts';
COMMENT ON FUNCTION @extschema@.kpi_facts(@extschema@.kpi_reading[], @extschema@.kpi_measured[]) IS
'the facts that the panels of readings, and others, make together, as of kpi_facts(kpi_measured[])';

CREATE FUNCTION @extschema@.kpi_changed_facts(readings @extschema@.kpi_reading[], others @extschema@.kpi_measured[], dimensions text[], blank_members text[],
											  periods @extschema@.kpi_period[], kept boolean[]) RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL SAFE
	ROWS 10000
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'salkpi_changed_facts';
COMMENT ON FUNCTION @extschema@.kpi_changed_facts(@extschema@.kpi_reading[], @extschema@.kpi_measured[], text[], text[], @extschema@.kpi_period[], boolean[]) IS
'the facts that panels make, as of kpi_facts, as far as they are not the current ones of kpi_fact: a table with columns named by the caller, reading kpi_reading, grain text, period date, period_end date, dimension text, member text, is_complete boolean, days integer, replaces tid (the version that is no longer right; NULL: there is none), is_gone boolean (there is no such fact any more), and measures called as in kpi_fact; then for each period a row without dimension, of which days says how many facts there are; and before all that a row for each reading, its panel left out, of which nothing else is known. dimensions, with the blank member of each: those that are compared; periods: those that the panels count, NULL for one that is not compared; kept: of each period, for each measure, whether it is not in the panels but stays what it is (NULL, or no more: none does). Runs with the rights of the caller on kpi_fact';

CREATE FUNCTION @extschema@.kpi_usable_columns()
	RETURNS TABLE (source text, column_name text, kind text, type text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT s.source, b.column_name, b.kind, pg_catalog.format_type(b.base, NULL)
	  FROM @extschema@.kpi_source s
	  CROSS JOIN LATERAL @extschema@.kpi_relation_columns(s.source, @extschema@.kpi_source_relation(s.source)) b
	 WHERE b.status = 'ok'
		OR b.status = 'can serve as a dimension'
		   AND b.column_name IN (SELECT unnest(d.parts) FROM @extschema@.kpi_dimension d);
END;
COMMENT ON FUNCTION @extschema@.kpi_usable_columns() IS
'the columns of the bound relations that are read: those of the contract and the text columns that are dimensions; type: the one under a domain';

CREATE FUNCTION @extschema@.kpi_source_columns(source text)
	RETURNS TABLE (column_name text, is_bound boolean, expression text, names text, place integer)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(u.column_name, c.column_name), u.column_name IS NOT NULL,
		   CASE WHEN u.column_name IS NULL THEN format('NULL::%s AS %I', CASE c.kind
					WHEN 'instant' THEN 'timestamptz' WHEN 'number' THEN 'numeric' WHEN 'integer' THEN 'bigint'
					WHEN 'boolean' THEN 'boolean' ELSE 'text' END, c.column_name)
				WHEN u.kind = 'instant' AND u.type = 'date' THEN
					format('(r.%1$I::timestamp AT TIME ZONE %2$L) AS %1$I, r.%1$I AS %3$I', u.column_name, @extschema@.kpi_setting('time_zone'), u.column_name || '_day')
				WHEN u.kind = 'instant' THEN format('r.%1$I::timestamptz AS %1$I', u.column_name)
				WHEN u.kind = 'number' AND u.type IN ('double precision', 'real') THEN format('r.%1$I::text::numeric AS %1$I', u.column_name)
				WHEN u.kind = 'number' THEN format('r.%1$I::numeric AS %1$I', u.column_name)
				WHEN u.kind = 'integer' THEN format('r.%1$I::bigint AS %1$I', u.column_name)
				WHEN u.kind = 'boolean' THEN format('r.%1$I AS %1$I', u.column_name)
				WHEN u.kind = 'id' AND u.type IN ('bigint', 'integer', 'smallint') THEN format('@extschema@.kpi_id_text(r.%1$I) COLLATE "C" AS %1$I', u.column_name)
				WHEN u.kind = 'id' AND u.type = 'uuid' THEN format('r.%1$I::text COLLATE "C" AS %1$I', u.column_name)
				WHEN u.kind = 'id' OR u.column_name = 'currency' THEN format('nullif(r.%1$I::text COLLATE "C", '''') AS %1$I', u.column_name)
				ELSE format('r.%1$I::text COLLATE "C" AS %1$I', u.column_name) END,
		   format(CASE WHEN u.kind = 'instant' AND u.type = 'date' THEN '%I, %I' ELSE '%I' END, coalesce(u.column_name, c.column_name), u.column_name || '_day'),
		   c."position"
	  FROM (SELECT * FROM @extschema@.kpi_source_column c WHERE c.source = kpi_source_columns.source) c
	  FULL JOIN (SELECT * FROM @extschema@.kpi_usable_columns() u WHERE u.source = kpi_source_columns.source) u
		ON u.column_name = c.column_name;
END;
COMMENT ON FUNCTION @extschema@.kpi_source_columns(text) IS
'the columns of a source''s contract, and those that are dimensions: whether the bound relation r has it, the select-list entry that reads it (NULL where it has not), and the names that gives';

CREATE FUNCTION @extschema@.kpi_source_select(source text, with_row boolean DEFAULT false, key text DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation regclass := @extschema@.kpi_source_relation(source);
BEGIN
	IF relation IS NULL THEN
		RAISE EXCEPTION 'source "%" is not bound to an existing table or view', source
			USING ERRCODE = 'undefined_table',
				  DETAIL = coalesce((SELECT format('It was bound to %I.%I.', s.relation_schema, s.relation_name)
									   FROM @extschema@.kpi_source s WHERE s.source = kpi_source_select.source),
									'It is not bound.'),
				  HINT = format('Use kpi_bind(%L, ...).', source);
	END IF;
	RETURN (
		SELECT format('SELECT %s%s%s FROM %s r', string_agg(c.expression, ', ' ORDER BY c.place, c.column_name),
					  CASE WHEN with_row THEN ', r AS source_row' ELSE '' END, CASE WHEN key IS NULL THEN '' ELSE format(', r.%I AS raw_key', key) END, relation)
		  FROM @extschema@.kpi_source_columns(kpi_source_select.source) c);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_source_select(text, boolean, text) IS
'the text of a query that reads a bound source with every column of its contract: ids and texts as text that is compared bytewise (a blank id or currency as NULL), instants as timestamptz (a date as its local midnight, and as it is under name_day), numbers as numeric, missing columns as NULL. with_row: also the whole row under source_row; key: also this column as it is, under raw_key';

/*
 * Ids are texts here, whatever they are there.  Compared as they are there, an
 * index on them is of use; of the very type of the column they are hashed.
 */
CREATE FUNCTION @extschema@.kpi_integers(ids text[], most bigint) RETURNS bigint[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(array_agg(CASE WHEN i.id ~ '^-?[0-9]{1,19}$' THEN CASE WHEN i.id::numeric BETWEEN -most - 1 AND most THEN i.id::bigint END END), '{}') FROM unnest(ids) i(id);
END;
COMMENT ON FUNCTION @extschema@.kpi_integers(text[], bigint) IS
'ids that are whole numbers as such, those that a type takes which ends at most; NULL for others. Empty for NULL';

CREATE FUNCTION @extschema@.kpi_uuids(ids text[]) RETURNS uuid[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(array_agg(CASE WHEN i.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN i.id::uuid END), '{}') FROM unnest(ids) i(id);
END;
COMMENT ON FUNCTION @extschema@.kpi_uuids(text[]) IS 'ids that are UUIDs as such; NULL for others. Empty for NULL';

CREATE FUNCTION @extschema@.kpi_has_id(source text, column_name text, ids text) RETURNS text
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT format(CASE u.type WHEN 'bigint' THEN 'r.%I = ANY (@extschema@.kpi_integers(%s, 9223372036854775807))'
								  WHEN 'integer' THEN 'r.%I = ANY (@extschema@.kpi_integers(%s, 2147483647)::integer[])'
								  WHEN 'smallint' THEN 'r.%I = ANY (@extschema@.kpi_integers(%s, 32767)::smallint[])'
								  WHEN 'uuid' THEN 'r.%I = ANY (@extschema@.kpi_uuids(%s))' ELSE 'r.%I::text = ANY (%s)' END, u.column_name, ids)
		  FROM @extschema@.kpi_usable_columns() u
		 WHERE u.source = kpi_has_id.source AND u.column_name = kpi_has_id.column_name);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_has_id(text, text, text) IS
'SQL text of the condition that an id of the bound relation r is one of several (ids: SQL text of a text[]), to follow the text of kpi_source_select; NULL when there is no such column, and for NULL';

/*
 * A rep is one person and an account one account, however many rows say so of
 * a moment.  NULL names no one.
 */
CREATE FUNCTION @extschema@.kpi_once_select(source text, with_row boolean) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format($q$SELECT *, max(ends) OVER (PARTITION BY id ORDER BY starts, ends%s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered_until
 FROM (SELECT *, greatest('-infinity', %s, valid_from) AS starts, least('infinity', %s, valid_to) AS ends FROM (%s) r) r$q$,
				  (SELECT string_agg(format(', %I', u.column_name), '' ORDER BY u.column_name) FROM @extschema@.kpi_usable_columns() u
					WHERE u.source = kpi_once_select.source AND u.kind = 'text'),	-- lest it is chance to which member it belongs
				  CASE source WHEN 'rep' THEN 'active_from' ELSE 'created_at' END, CASE source WHEN 'rep' THEN 'active_to' ELSE 'NULL' END,
				  @extschema@.kpi_source_select(source, with_row));
END;
COMMENT ON FUNCTION @extschema@.kpi_once_select(text, boolean) IS
'the text of a query that reads reps or accounts as kpi_source_select does, with the time for which each row says that there is one (from starts to ends), and covered_until: how far the earlier rows of the same id reach';

/*
 * The text attributes that a dictionary of account, rep or opportunity holds:
 * the base dimensions that have a column there.  A rep's region is not one: it
 * is never the region of what the rep sold.
 */
CREATE FUNCTION @extschema@.kpi_dictionary_attributes(source text, columns text[]) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	attributes text[];
BEGIN
	SELECT CASE source WHEN 'opportunity' THEN '{rep_id,account_id}'::text[] ELSE '{}' END || array_agg(d.part ORDER BY d.part)
	  INTO attributes
	  FROM (SELECT DISTINCT unnest(parts) AS part FROM @extschema@.kpi_dimension) d
	 WHERE source || '.' || d.part = ANY (columns)
	   AND NOT (source = 'rep' AND d.part = 'region') AND d.part NOT IN ('stage', 'kind', 'lost_reason', 'cohort');
	IF cardinality(attributes) > 10 THEN
		RAISE EXCEPTION 'too many dimensions come from source "%"', source
			USING ERRCODE = 'program_limit_exceeded',
				  DETAIL = format('It can serve 10 columns, not %s: %s.', cardinality(attributes), array_to_string(attributes, ', '));
	END IF;
	RETURN coalesce(attributes, '{}');
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_dictionary_attributes(text, text[]) IS
'what the dictionary of a source holds, in order; columns: the usable ones as source.column';

/*
 * The member of a base dimension to which a row belongs: the row's own column
 * first, else the opportunity's, else the account's, else the rep's, as valid
 * at the instant "at"; NULL when the bound columns cannot tell.  What customers
 * bought and pay belongs to their cohort, always the same one.
 */
CREATE FUNCTION @extschema@.kpi_member_expression(source text, base text, at text, columns text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	own text := CASE base WHEN 'rep' THEN 'rep_id' WHEN 'account' THEN 'account_id' ELSE base END;
	chain text[] := '{}';
	key text;
	holder record;
BEGIN
	IF source = 'rep' THEN
		RETURN CASE WHEN base = 'rep' THEN 'id' WHEN base <> 'region' AND 'rep.' || base = ANY (columns) THEN base END;
	END IF;
	IF base = 'cohort' THEN
		key := CASE WHEN source IN ('sale', 'subscription') THEN @extschema@.kpi_member_expression(source, 'account', at, columns) END;
		RETURN '@extschema@.kpi_lookup((SELECT $16), ' || key || ', 1, NULL::timestamptz)';
	END IF;
	IF base = 'preceding_activity' THEN
		key := CASE source WHEN 'sale' THEN @extschema@.kpi_member_expression(source, 'account', at, columns) END;
		IF key IS NOT NULL THEN
			at := CASE WHEN 'activity.happened_at:date' = ANY (columns) THEN format('date_trunc(''day'', %s)', at) ELSE at END;
			RETURN format('CASE WHEN @extschema@.kpi_lookup_first((SELECT $19), %1$s) < %2$s THEN @extschema@.kpi_lookup((SELECT $19), %1$s, 1, %2$s - interval ''1 microsecond'') END',
						  key, at);
		END IF;
		RETURN NULL;
	END IF;
	IF source || '.' || own = ANY (columns) THEN
		chain := chain || format('nullif(%I, '''')', own);
	END IF;
	IF source || '.opportunity_id' = ANY (columns) AND 'opportunity.' || own = ANY (columns) AND base NOT IN ('stage', 'kind', 'lost_reason') THEN
		chain := chain || format('@extschema@.kpi_lookup((SELECT $10), opportunity_id, %s, %s)',
								 array_position(@extschema@.kpi_dictionary_attributes('opportunity', columns), own), 'NULL::timestamptz');
	END IF;
	IF base NOT IN ('rep', 'account', 'stage', 'kind', 'lost_reason') THEN
		FOR holder IN SELECT * FROM (VALUES ('account', 'account', 6), ('rep', 'rep', 7)) v(source, key, parameter) LOOP
			IF holder.source || '.' || base = ANY (columns) AND NOT (holder.source = 'rep' AND base = 'region') THEN
				key := @extschema@.kpi_member_expression(source, holder.key, at, columns);
				IF key IS NOT NULL THEN
					chain := chain || format('@extschema@.kpi_lookup((SELECT $%s), %s, %s, %s)', holder.parameter, key,
							array_position(@extschema@.kpi_dictionary_attributes(holder.source, columns), base), at);
				END IF;
			END IF;
		END LOOP;
	END IF;
	RETURN CASE cardinality(chain) WHEN 0 THEN NULL WHEN 1 THEN chain[1]
		   ELSE format('coalesce(%s)', array_to_string(chain, ', ')) END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_member_expression(text, text, text, text[]) IS
'SQL text for the member of a base dimension that a row of the source belongs to at an instant; NULL when the bound columns cannot tell';

CREATE FUNCTION @extschema@.kpi_member_expressions(source text, columns text[], wanted text[] DEFAULT NULL) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT coalesce(jsonb_object_agg(b.base, b.expression) FILTER (WHERE b.expression IS NOT NULL), '{}')
		  FROM (SELECT p.base, @extschema@.kpi_member_expression(kpi_member_expressions.source, p.base, '{at}', columns) AS expression
				  FROM (SELECT unnest(wanted) AS base
						UNION SELECT b.base FROM (SELECT unnest(d.parts) FROM @extschema@.kpi_dimension d UNION VALUES ('account'), ('preceding_activity')) b(base) WHERE wanted IS NULL) p OFFSET 0) b);	-- each is written once
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_member_expressions(text, text[], text[]) IS
'for each base dimension that the bound columns allow (of those wanted; NULL: all, and the account), the SQL text of a row''s member; {at} in it stands for the instant';

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

CREATE FUNCTION @extschema@.kpi_monthly(amount numeric, billing_unit text, billing_count bigint) RETURNS numeric
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN coalesce(billing_unit, 'month') = 'month' AND coalesce(billing_count, 1) = 1 THEN amount
		ELSE @extschema@.kpi_quotient(amount * CASE billing_unit WHEN 'week' THEN 52 WHEN 'day' THEN 365 ELSE 1 END,
			CASE coalesce(billing_unit, 'month') WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END * coalesce(billing_count, 1), 12) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_monthly(numeric, text, bigint) IS
'a recurring amount per month, of one charged every billing_count (NULL: 1) billing_units (day, week, month, quarter, year; NULL: month): year/12, quarter/3, week*52/12, day*365/12; rounded once to 12 decimals, half away from zero';

/* What stands for a placeholder {name} of a part's, measure's or fault's expression; it may hold others. */
CREATE FUNCTION @extschema@.kpi_placeholder(name text, source text, at text, columns text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	stage_probability text := '@extschema@.kpi_lookup_number((SELECT $8), stage, 1, NULL::timestamptz)';
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
		WHEN 'deal_amount' THEN '@extschema@.kpi_lookup_number((SELECT $11), opportunity_id, 1, NULL::timestamptz)'
		WHEN 'closed_at' THEN '@extschema@.kpi_lookup_instant((SELECT $11), opportunity_id, 3, NULL::timestamptz)'
		WHEN 'deal_status' THEN '@extschema@.kpi_lookup((SELECT $11), opportunity_id, 5, NULL::timestamptz)'
		WHEN 'deal_won' THEN '{deal_status} = ''won'' AND ({closed_at} >= {now}) IS NOT TRUE'
		WHEN 'closed_unknown_when' THEN '{deal_status} <> ''open'' AND {closed_at} IS NULL'
		WHEN 'now' THEN '$4'
		WHEN 'known_deal' THEN CASE WHEN 'opportunity.id' = ANY (columns)
			THEN '@extschema@.kpi_knows((SELECT $11), opportunity_id)' ELSE 'true' END
		WHEN 'is_open_stage' THEN 'coalesce(@extschema@.kpi_lookup((SELECT $8), stage, 4, NULL::timestamptz), ''open'') = ''open'''
		WHEN 'probability' THEN CASE source WHEN 'opportunity_history'
			THEN 'CASE WHEN probability IS NULL THEN coalesce(CASE WHEN coalesce(valid_to, next_from) IS NULL THEN '
				 '@extschema@.kpi_lookup_number((SELECT $11), opportunity_id, 2, NULL::timestamptz) END, ' || stage_probability ||
				 ') WHEN probability BETWEEN 0 AND 1 THEN probability END'
			ELSE 'CASE WHEN probability IS NULL THEN ' || stage_probability || ' WHEN probability BETWEEN 0 AND 1 THEN probability END' END
		WHEN 'done' THEN 'coalesce(status, ''done'') = ''done'''
		WHEN 'outbound' THEN 'coalesce(direction, ''out'') = ''out'''
		WHEN 'days' THEN 'piece_to - piece_from'
		WHEN 'share' THEN '@extschema@.kpi_day_share({amount}, whole_from, whole_to, piece_from, piece_to)'
		WHEN 'monthly' THEN '@extschema@.kpi_monthly(amount, billing_unit, billing_count)' || CASE WHEN 'subscription.currency' = ANY (columns)
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
		part := regexp_match(filled, '\{(\w+) ?(\w*) ?(\w*)\}');
		EXIT WHEN part IS NULL;
		filled := replace(filled, format('{%s}', concat_ws(' ', part[1], nullif(part[2], ''), nullif(part[3], ''))), CASE part[1]
			WHEN 'infinite' THEN format('@extschema@.kpi_is_infinite(%s)', part[2])
			WHEN 'finite' THEN format('isfinite(%s)', part[2] || CASE WHEN source || '.' || part[2] || ':date' = ANY (columns) THEN '_day' ELSE '' END)
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
			CASE WHEN probability BETWEEN 0 AND 1 THEN probability END, NULL, NULL,
			CASE WHEN is_won THEN 'won' WHEN is_lost THEN 'lost' ELSE 'open' END, NULL)$q$]
		WHEN 'account' THEN ARRAY[format('@extschema@.kpi_dictionary(id, valid_from, valid_to, %s)', attributes)]
		WHEN 'rep' THEN ARRAY[format('@extschema@.kpi_dictionary(id, valid_from, valid_to, %s)', attributes)]
		WHEN 'opportunity' THEN ARRAY[
			format('@extschema@.kpi_dictionary(id, NULL, NULL, %s)', attributes),
			$q$@extschema@.kpi_dictionary(id, NULL, NULL, CASE WHEN amount > '-Infinity' AND amount < 'Infinity' THEN amount END,
				CASE WHEN probability BETWEEN 0 AND 1 THEN probability END,
				CASE WHEN status <> 'open' THEN closed_at END, currency, status)$q$,
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
 * A stock, and what is paid at a boundary, is the team's and the region's of
 * each boundary, so a row during which its rep or account changed is read in
 * pieces.
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
 * Most rows are one piece, and need no more than a look at whether there was
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
					  @extschema@.kpi_fill_in(p.starts, p.source, 'NULL::timestamptz', columns),
					  @extschema@.kpi_fill_in(p.ends, p.source, 'NULL::timestamptz', columns),
					  string_agg(format('@extschema@.kpi_changes((SELECT $%s), %s)', h.parameter, h.key), ' || ' ORDER BY h.parameter))
		  FROM @extschema@.kpi_part p,
			   LATERAL (SELECT v.parameter, @extschema@.kpi_member_expression(p.source, v.holder, 'NULL::timestamptz', columns) AS key
						  FROM (VALUES ('account', 6), ('rep', 7)) v(holder, parameter)
						 WHERE v.holder || '.valid_from' = ANY (columns)) h
		 WHERE p.source = kpi_pieces_expression.source AND p.part = ANY (@extschema@.kpi_parts_to_read(source, wanted_parts))
		   AND (p.kind = 'stock' OR p.source = 'subscription' AND p.part = 'recurring') AND p.starts <> 'NULL' AND h.key IS NOT NULL
		 GROUP BY p.source, p.part, p.starts, p.ends
		UNION ALL
		SELECT format('@extschema@.kpi_day_pieces((%s AT TIME ZONE %L)::date, (%s AT TIME ZONE %2$L)::date, $2)',
					  p.starts, @extschema@.kpi_setting('time_zone'), p.ends)
		  FROM @extschema@.kpi_part p
		 WHERE p.source = kpi_pieces_expression.source AND p.kind = 'spread');
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_pieces_expression(text, text[], text[]) IS
'SQL text of the pieces in which the rows of a stock, of subscriptions or of a spread are read, as an entry of a FROM clause; NULL when a source has none of them, or no spread and neither reps nor accounts with a history';

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
				  DETAIL = format('There can be %s base dimensions, not %s: %s.', most, cardinality(bases), array_to_string(bases, ', '));
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

	SELECT string_agg(coalesce(k.value, format('NULL::%s', k.type)), ', ' ORDER BY k.position, k.n) INTO arguments
	  FROM (SELECT 1 AS position, n, 'text' AS type,
				   CASE WHEN n = 10 AND p.kind = 'stock' AND currency IS NOT NULL
						THEN format('nullif(%s, %L)', currency, @extschema@.kpi_setting('currency'))
						ELSE replace(members ->> bases[n], '{at}', at) END AS value
			  FROM generate_series(1, 10) n
			UNION ALL
			SELECT a.position, g.n, a.type, @extschema@.kpi_fill_in(s.expression, source, at, columns)
			  FROM (VALUES (2, 'count', 'boolean', CASE p.kind WHEN 'stock' THEN 4 ELSE 10 END),
						   (3, 'sum', 'numeric', CASE p.kind WHEN 'stock' THEN 4 ELSE 6 END),
						   (4, 'distinct', 'text', 2), (5, 'first', 'text', 1), (6, 'first_flagged', 'boolean', 1),
						   (7, 'duration', 'bigint', 1)) a(position, slot, type, size)
			  CROSS JOIN LATERAL generate_series(1, a.size) g(n)
			  LEFT JOIN @extschema@.kpi_slots(source, part) s ON s.slot = a.slot AND s.n = g.n
			 WHERE p.kind <> 'stock' OR a.position <= 3) k;

	RETURN format(E'coalesce(@extschema@.%1$s(%2$s, %3$L, %4$s, %5$s)\n  FILTER (WHERE %9$s%6$s%7$s), @extschema@.%8$s(%2$s, %3$L))',
		CASE p.kind WHEN 'stock' THEN 'kpi_stock' ELSE 'kpi_cube' END,
		CASE p.kind WHEN 'stock' THEN CASE WHEN p.starts = 'NULL' THEN 'ARRAY[$4]' ELSE '$3' END
					WHEN 'plan' THEN CASE WHEN by_day THEN '$14' ELSE '$13' END
					ELSE CASE WHEN @extschema@.kpi_reaches_back(source, part)
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
		/* Which row is the first of something ever takes the earlier ones to tell, and what is measured since ever takes them all. */
		CASE WHEN only_some AND p.kind IN ('flow', 'plan') AND slots[4] = 0 AND NOT @extschema@.kpi_reaches_back(source, part)
			 THEN format('(%s) <@ $20 AND ', @extschema@.kpi_fill_in(p.starts, source, at, columns)) ELSE '' END);
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
					THEN '@extschema@.kpi_lookup((SELECT $11), opportunity_id, 4, NULL::timestamptz)' END);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_part_currency(text, text, text[]) IS
'SQL text of the currency of a part''s amounts; NULL when they are all in the reporting currency';

/* Of a stock the first boundary counts at which the row does: rates begin once and do not end. */
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
					THEN format('(SELECT min(t) FROM unnest($3) t WHERE t > (%s) AND (t <= (%s)) IS NOT FALSE)',
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
					  coalesce(' AND (' || spoilt || ') IS NOT TRUE', ''),
					  CASE WHEN p.kind = 'stock' THEN ''
						   ELSE coalesce(' AND (' || @extschema@.kpi_unknown_rate(p.source, p.part, columns) || ') IS NOT TRUE', '') END)
		  FROM @extschema@.kpi_part p
		 WHERE p.source = kpi_part_condition.source AND p.part = kpi_part_condition.part);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_part_condition(text, text, text[], text) IS
'SQL text of the condition under which a row of the source belongs to the part; spoilt: as of kpi_spoilt';

/* Ids may be of different types in the history and in the opportunities. */
CREATE FUNCTION @extschema@.kpi_of_deals(columns text[], condition text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('%s FROM (%s) o WHERE %s)',
				  CASE k.kind WHEN 'text' THEN 'raw_key IN (SELECT o.raw_key COLLATE "default"' WHEN 'other' THEN 'opportunity_id IN (SELECT o.id' ELSE 'raw_key IN (SELECT o.raw_key' END,
				  @extschema@.kpi_source_select('opportunity', key => 'id'), condition)
	  FROM (SELECT CASE min(t.kind) WHEN max(t.kind) THEN min(t.kind) ELSE 'other' END AS kind
			  FROM @extschema@.kpi_usable_columns() u,
				   LATERAL (SELECT CASE WHEN u.type IN ('bigint', 'integer', 'smallint') THEN 'integer' WHEN u.type IN ('text', 'character varying') THEN 'text'
										WHEN u.type = 'uuid' THEN u.type ELSE 'other' END AS kind) t
			 WHERE (u.source, u.column_name) IN (('opportunity', 'id'), ('opportunity_history', 'opportunity_id'))) k
	 WHERE 'opportunity.id' = ANY (columns) AND condition IS NOT NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_of_deals(text[], text) IS
'SQL text of the condition that a row of the bound opportunity_history (as kpi_source_select reads it, with raw_key) is of a known opportunity o that meets a condition (its SQL text); NULL without one, and where opportunities are not bound';

/*
 * What became of opportunities in their stages, from their history: a row with
 * entered_at for each stage that one entered, the first time, and a row with
 * left_at for each stay in a stage that has ended.
 *
 * Stages are in the order of their position, won is after all of them, lost is
 * nowhere.  Who enters a stage has passed those before it, and enters them at
 * that moment if not before.  A stage without position is passed by no one and
 * passes none.  Rows of one stage that follow each other are one stay; a row
 * without end ends with the next, the last one when the opportunity is closed.
 * kpi_stage_events works that out for one opportunity; its rows are put together
 * by grouping, which spills, by the id as the relation has it: that may already
 * have them in this order.  Where only some of the time is of interest, so are
 * opportunities of which a row begins or ends then, or which are closed then.
 */
CREATE FUNCTION @extschema@.kpi_stages_select(columns text[], within text DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	/* what tells the member of a row, without its stage */
	keys text[] := ARRAY(SELECT quote_ident(c.column_name) FROM @extschema@.kpi_source_column c
						  WHERE c.source = 'opportunity_history' AND c.kind IN ('id', 'text') AND c.column_name NOT IN ('opportunity_id', 'stage', 'status')
						 UNION SELECT quote_ident(u.column_name) FROM @extschema@.kpi_usable_columns() u
						  WHERE u.source = 'opportunity_history' AND u.kind = 'text' AND u.column_name NOT IN ('stage', 'status') ORDER BY 1);
	closed text := @extschema@.kpi_elapsed('(e).since', 'opportunity_history.valid_from', '(e).at', 'opportunity.closed_at', columns);
	ended text := @extschema@.kpi_elapsed('(e).since', 'opportunity_history.valid_from', '(e).at', 'opportunity_history.valid_to', columns);
BEGIN
	RETURN format($q$
WITH stage AS MATERIALIZED (
	SELECT coalesce(array_agg(name), '{}') AS names, coalesce(array_agg("position"), '{}') AS positions, coalesce(array_agg(outcome), '{}') AS outcomes
	  FROM (SELECT DISTINCT ON (name) name, "position", CASE WHEN is_won THEN 'won' WHEN is_lost THEN 'lost' ELSE 'open' END AS outcome
			  FROM (%1$s) x WHERE name <> '' ORDER BY name, "position") s
)
SELECT opportunity_id, %2$s(e).stage, CASE WHEN (e).entered THEN (e).at END AS entered_at,
	   CASE WHEN (e).entered THEN (e).advanced END AS advanced, CASE WHEN NOT (e).entered THEN (e).at END AS left_at, CASE WHEN NOT (e).entered THEN %3$s END AS stayed
  FROM (SELECT opportunity_id, unnest(@extschema@.kpi_stage_events(steps, (SELECT names FROM stage), (SELECT positions FROM stage), (SELECT outcomes FROM stage), %4$s, %5$s)) AS e
		  FROM (SELECT min(opportunity_id) AS opportunity_id, array_agg(ROW(valid_from, valid_to, stage, status, %6$s)::@extschema@.kpi_step) AS steps
				  FROM (%7$s) x
				 WHERE valid_from < $4 AND (%8$s) IS NOT TRUE%10$s
				 GROUP BY raw_key) h
		 WHERE %9$s) w
 WHERE (e).entered OR %3$s >= 0
OFFSET 0$q$,	-- so that what a row is made of is worked out once
		CASE WHEN @extschema@.kpi_source_relation('stage') IS NULL
			THEN 'SELECT NULL::text AS name, NULL::bigint AS "position", NULL::boolean AS is_won, NULL::boolean AS is_lost WHERE false'
			ELSE @extschema@.kpi_source_select('stage') END,
		(SELECT string_agg(format('(e).keys[%s] AS %s, ', k.n, k.name), '' ORDER BY k.n)
		   FROM unnest(keys) WITH ORDINALITY k(name, n)),
		CASE closed WHEN ended THEN ended ELSE format('CASE WHEN (e).by_closing THEN %s ELSE %s END', closed, ended) END,
		@extschema@.kpi_fill_in('{closed_at}', 'opportunity_history', 'NULL::timestamptz', columns),
		@extschema@.kpi_fill_in('{deal_won}', 'opportunity_history', 'NULL::timestamptz', columns),
		format('ARRAY[%s]', array_to_string(keys, ', ')),
		@extschema@.kpi_source_select('opportunity_history', key => 'opportunity_id'),
		/* Whether the opportunity is known is asked once of each. */
		@extschema@.kpi_spoilt('opportunity_history', 'entered', array_remove(columns, 'opportunity.id')),
		@extschema@.kpi_fill_in('{known_deal}', 'opportunity_history', 'NULL::timestamptz', columns),
		CASE WHEN within IS NOT NULL
			 THEN format(' AND (raw_key IN (SELECT k.raw_key FROM (%s) k WHERE k.valid_from <@ %s OR k.valid_to <@ %2$s)%s)',
						 @extschema@.kpi_source_select('opportunity_history', key => 'opportunity_id'), within,
						 ' OR ' || @extschema@.kpi_of_deals(columns, 'o.closed_at <@ ' || within)) END);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_stages_select(text[], text) IS
'SQL text of the stages that opportunities entered (entered_at; advanced: whether a later one or the deal followed before now) and of their stays in stages (left_at; stayed: microseconds, whole days where an end is a date), from the bound history; parameters as in kpi_source_query. within: SQL text of a tstzmultirange, to leave out what happened outside of it (some of it may come)';

/*
 * An opportunity is in one stage at a time: a row of its history ends with the
 * next at the latest, whatever it says itself.  Bad rows end none.  Which row is
 * the last takes all of its rows to tell; but what was closed before a moment
 * was not open at it, whatever they say.
 */
CREATE FUNCTION @extschema@.kpi_followed_select(columns text[], with_row boolean, open_at text DEFAULT NULL) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('SELECT *, lead(valid_from) OVER (PARTITION BY raw_key, (%s) IS TRUE ORDER BY valid_from%s) AS next_from FROM (%s) r%s',
				  @extschema@.kpi_spoilt('opportunity_history', 'open', array_remove(columns, 'opportunity.id')),
				  (SELECT string_agg(format(', %I', c.column_name), '' ORDER BY c.place, c.column_name)	-- lest it is chance which is the next
					 FROM @extschema@.kpi_source_columns('opportunity_history') c WHERE c.is_bound),
				  @extschema@.kpi_source_select('opportunity_history', with_row, 'opportunity_id'),
				  ' WHERE ' || @extschema@.kpi_of_deals(columns, 'o.status = ''open'' OR o.status IS NULL OR o.closed_at IS NULL'
													 || ' OR o.closed_at BETWEEN ' || open_at || ' AND ''infinity'''));	-- of a stretch the planner expects few
END;
COMMENT ON FUNCTION @extschema@.kpi_followed_select(text[], boolean, text) IS
'the text of a query that reads an opportunity_history as kpi_source_select does, with the beginning of the next row of the opportunity as next_from. open_at: SQL text of an instant, to read only the rows of opportunities that may have been open then (NULL: of all)';

CREATE FUNCTION @extschema@.kpi_rows_select(source text, reads text, columns text[], with_row boolean DEFAULT false, open_at text DEFAULT NULL, within text DEFAULT NULL) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN reads = 'stages' THEN CASE WHEN with_row THEN format('SELECT *, jsonb_strip_nulls(to_jsonb(e)) AS source_row FROM (%s) e', @extschema@.kpi_stages_select(columns, within))
												ELSE @extschema@.kpi_stages_select(columns, within) END
				WHEN source IN ('rep', 'account') THEN @extschema@.kpi_once_select(source, with_row)
				WHEN source = 'opportunity_history' THEN @extschema@.kpi_followed_select(columns, with_row, open_at)
				ELSE @extschema@.kpi_source_select(source, with_row) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_rows_select(text, text, text[], boolean, text, text) IS
'the text of the query whose rows the parts of a source are made of; reads: as of kpi_part; with_row: as of kpi_source_select; open_at: as of kpi_followed_select; within: as of kpi_stages_select';

/* The columns of kpi_fact that are measures, in their order. */
CREATE FUNCTION @extschema@.kpi_fact_measures() RETURNS TABLE (measure text, type text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)
	  FROM pg_catalog.pg_attribute a
	 WHERE a.attrelid = '@extschema@.kpi_fact'::regclass AND NOT a.attisdropped
	   AND a.attname IN (SELECT m.measure FROM @extschema@.kpi_measure m)
	 ORDER BY a.attnum;
END;
COMMENT ON FUNCTION @extschema@.kpi_fact_measures() IS 'the measure columns of kpi_fact and their types, in order';

CREATE FUNCTION @extschema@.kpi_has_columns(source text, needs text[], columns text[]) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(bool_and(EXISTS (
				SELECT FROM unnest(string_to_array(n, '|')) a
				 WHERE CASE WHEN a LIKE '%.%' THEN a ELSE source || '.' || a END = ANY (columns))), true)
	  FROM unnest(needs) n;
END;
COMMENT ON FUNCTION @extschema@.kpi_has_columns(text, text[], text[]) IS
'whether the usable columns (as source.column) include those that a measure needs';

CREATE FUNCTION @extschema@.kpi_measure_number(measure text) RETURNS integer
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT f.n::integer FROM (SELECT m.measure, row_number() OVER () AS n FROM @extschema@.kpi_fact_measures() m) f WHERE f.measure = kpi_measure_number.measure;
END;
COMMENT ON FUNCTION @extschema@.kpi_measure_number(text) IS 'the place of a measure in kpi_fact_measures; NULL for something else';

CREATE FUNCTION @extschema@.kpi_measure_sources() RETURNS TABLE (n bigint, sources text[])
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 70
BEGIN ATOMIC
	WITH read AS MATERIALIZED (
		SELECT s.source, @extschema@.kpi_parts_to_read(s.source, NULL) AS parts FROM @extschema@.kpi_source s
	)
	SELECT f.n, array_agg(DISTINCT m.source) FILTER (WHERE m.source IS NOT NULL)
	  FROM (SELECT m.measure, row_number() OVER () AS n FROM @extschema@.kpi_fact_measures() m) f
	  LEFT JOIN (@extschema@.kpi_measure m JOIN read r ON r.source = m.source AND m.part = ANY (r.parts)) ON m.measure = f.measure
	 GROUP BY f.n;
END;
COMMENT ON FUNCTION @extschema@.kpi_measure_sources() IS
'the bound sources from which each measure is read, by its place in kpi_fact_measures; NULL when there is none';

/*
 * What is read of the state of a part: the values of its slots in each period
 * and, from the same state, what is measured since ever, or of a stock at the
 * start.  A stock of money comes by currency, and is converted at the rate of
 * its instant.
 */
CREATE FUNCTION @extschema@.kpi_part_readings(source text, part text, columns text[])
	RETURNS TABLE (periods text, measures integer[])
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH p AS (
		SELECT p.*, @extschema@.kpi_reaches_back(p.source, p.part) AS reaches_back,
			   p.kind = 'stock' AND @extschema@.kpi_part_currency(p.source, p.part, columns) IS NOT NULL AS by_currency
		  FROM @extschema@.kpi_part p
		 WHERE p.source = kpi_part_readings.source AND p.part = kpi_part_readings.part
	), slot AS (
		SELECT s.* FROM @extschema@.kpi_slots(kpi_part_readings.source, kpi_part_readings.part) s
	), value AS (	-- in the order in which a panel has them
		SELECT row_number() OVER (ORDER BY k.place, n) AS place, k.slot, n
		  FROM (VALUES (1, 'count'), (2, 'distinct'), (3, 'first'), (4, 'first_flagged'), (5, 'sum'), (6, 'duration')) k(place, slot),
			   LATERAL generate_series(1, (SELECT count(*) FROM slot s WHERE s.slot = CASE k.slot WHEN 'first_flagged' THEN 'first' ELSE k.slot END)) n
		UNION ALL
		SELECT m.place, m.expression, NULL
		  FROM unnest('{customers_opening,customers_new,customers_reactivated,customers_expanded,customers_contracted,customers_churned,customers_closing,customers_kept,customers_first,opening,new,reactivation,expansion,contraction,churn,closing,retained}'::text[])
				WITH ORDINALITY m(expression, place), p
		 WHERE p.kind = 'ledger'
	), known AS (	-- which measure a slot is, when read so
		SELECT CASE WHEN own.slot IN ('to_date', 'opening') THEN own.slot ELSE 'period' END AS at, k.slot, k.n, k.expression, @extschema@.kpi_measure_number(own.measure) AS measure
		  FROM slot own
		  JOIN slot k ON k.measure = CASE WHEN own.slot IN ('to_date', 'opening') THEN own.expression ELSE own.measure END
		 WHERE @extschema@.kpi_has_columns(kpi_part_readings.source, own.needs || k.needs, columns)
	)
	SELECT CASE WHEN r.at = 'to_date' THEN '(SELECT array_agg(CASE WHEN a IS NOT NULL THEN 1 END ORDER BY n) FROM unnest(($21).last_atom) WITH ORDINALITY u(a, n)), (SELECT array_agg(a + 1 ORDER BY n) FROM unnest(($21).last_atom) WITH ORDINALITY u(a, n))'
				WHEN r.at = 'opening' THEN '($21).opening, ($21).opening'
				WHEN p.kind = 'ledger' THEN '($21).opening, ($21).closing'
				WHEN p.kind = 'plan' THEN '($21).first_plan_atom, ($21).last_plan_atom'
				WHEN p.starts = 'NULL' THEN '($21).present, ($21).present'
				WHEN p.kind = 'stock' THEN '($21).closing, ($21).closing'
				WHEN p.reaches_back THEN '(SELECT array_agg(a + 1 ORDER BY n) FROM unnest(($21).first_atom) WITH ORDINALITY u(a, n)), (SELECT array_agg(a + 1 ORDER BY n) FROM unnest(($21).last_atom) WITH ORDINALITY u(a, n))'
				ELSE '($21).first_atom, ($21).last_atom' END
		   || CASE WHEN p.kind IN ('flow', 'plan', 'spread') THEN format(', %L::integer[]', r.measures)
				   WHEN NOT p.by_currency THEN '' WHEN r.at = 'opening' THEN ', (SELECT $5), ($21).starts_at' ELSE ', (SELECT $5), ($21).at' END,
		   r.measures
	  FROM p, LATERAL (
			SELECT d.at, (SELECT array_agg(k.measure ORDER BY v.place)
							FROM value v
							LEFT JOIN known k ON k.at = d.at AND CASE p.kind WHEN 'ledger' THEN k.slot = 'ledger' AND k.expression = v.slot
																			 ELSE k.slot = v.slot AND k.n = v.n END) AS measures
			  FROM (SELECT DISTINCT known.at FROM known) d) r
	 ORDER BY r.at;
END;
COMMENT ON FUNCTION @extschema@.kpi_part_readings(text, text, text[]) IS
'the panels that are made of the state of a part: SQL text of the arguments of kpi_panel behind the state, and the measures that the values are (see kpi_measured), as far as the usable columns allow them';

/*
 * Customers never affect each other, so the movements of ledgers of disjoint
 * customers add up.  Sorting spills, and of sorted groups one is in memory at a
 * time, provided that the planner is kept from hashing.
 */
CREATE FUNCTION @extschema@.kpi_grouped_movements(input text, shape text, arguments text[], condition text, buckets integer) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format($q$(SELECT @extschema@.kpi_panel(m.dimension, m.members, m.period, m.integers, m.numerics ORDER BY m.dimension COLLATE "C", m.members)
 FROM (SELECT m.dimension, m.members, m.period,
			  ARRAY[sum(m.customers_opening), sum(m.customers_new), sum(m.customers_reactivated), sum(m.customers_expanded), sum(m.customers_contracted),
					sum(m.customers_churned), sum(m.customers_closing), sum(m.customers_kept), sum(m.customers_first)]::bigint[] AS integers,
			  ARRAY[sum(m.opening), sum(m.new), sum(m.reactivation), sum(m.expansion), sum(m.contraction), sum(m.churn), sum(m.closing), sum(m.retained)] AS numerics
		 FROM (SELECT @extschema@.kpi_ledger($3, %1$L, %2$s) AS ledger
				 FROM (SELECT hashtext(%3$s) & %4$s AS bucket, %5$s FROM %6$s WHERE %7$s OFFSET 0) i
				GROUP BY bucket) l,
			  @extschema@.kpi_movements(l.ledger, $17, $18) m
		GROUP BY m.dimension, m.members, m.period) m)$q$,
				  shape, string_agg('a' || a.n, ', ' ORDER BY a.n), arguments[1], buckets - 1,
				  string_agg(format('%s AS a%s', a.expression, a.n), ', ' ORDER BY a.n), input, condition)
	  FROM unnest(arguments) WITH ORDINALITY a(expression, n);
END;
COMMENT ON FUNCTION @extschema@.kpi_grouped_movements(text, text, text[], text, integer) IS
'SQL text of the panel of the movements of the rows, read as ledgers of some customers each; input: SQL text of what is read, buckets: how many such ledgers there are at most, a power of two, the rest as of kpi_ledger_rows';

CREATE FUNCTION @extschema@.kpi_faults(source text, columns text[]) RETURNS TABLE (reason text, condition text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT f.reason, @extschema@.kpi_fill_in(f.condition, f.source, 'NULL::timestamptz', columns)
	  FROM @extschema@.kpi_fault f WHERE f.source = kpi_faults.source
	UNION ALL
	SELECT 'no exchange rate', string_agg('(' || r.condition || ')', ' OR ')
	  FROM unnest(@extschema@.kpi_parts_to_read(kpi_faults.source, NULL)) p(part),
		   LATERAL (SELECT @extschema@.kpi_unknown_rate(kpi_faults.source, p.part, columns) AS condition) r
	 WHERE r.condition IS NOT NULL HAVING count(*) > 0;
END;
COMMENT ON FUNCTION @extschema@.kpi_faults(text, text[]) IS
'what makes rows of a source bad: the reasons and SQL texts of their conditions, parameters as in kpi_source_query; columns: the usable ones as source.column';

CREATE FUNCTION @extschema@.kpi_source_query(source text, columns text[], wanted_parts text[] DEFAULT NULL, wanted_dimensions text[] DEFAULT NULL,
											 buckets integer DEFAULT 1, reads text DEFAULT 'source', only_some boolean DEFAULT false, with_faults boolean DEFAULT true) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part record;
	reading record;
	spoilt text;
	faults record;
	states text := '';
	state text;
	grouped text;
	readings text[] := '{}';	-- rows of kpi_reading
	n integer := 0;
	ledger record;
	bad text[];
	members jsonb := @extschema@.kpi_member_expressions(source, columns);
	dictionaries text[] := @extschema@.kpi_dictionary_expressions(source, columns);
	pieces text := @extschema@.kpi_pieces_expression(source, columns, wanted_parts);
	/* A stock or a spread joins each row with its pieces; where rows are counted each counts once. */
	once text := CASE WHEN pieces IS NOT NULL THEN 'is_first AND ' ELSE '' END;
	input text;
	bound text := 's.*';
	missing text;
BEGIN
	/* What several parts look at is worked out once a row: what makes it bad and, unless that may change with time, whose it is. */
	SELECT string_agg(format(', (%s) AS %I', f.condition, f.name), '') AS columns, array_agg(f.name ORDER BY f.place) AS names, array_agg(f.reason ORDER BY f.place) AS reasons,
		   jsonb_object_agg(f.name, f.spoils) AS spoils
	  INTO faults
	  FROM (SELECT k.*, format('kpi_fault_%s', k.place) AS name
			  FROM (SELECT k.reason, k.condition, coalesce(f.spoils, '{}') AS spoils, row_number() OVER (ORDER BY k.reason) AS place
					  FROM @extschema@.kpi_faults(source, columns) k
					  LEFT JOIN @extschema@.kpi_fault f ON f.source = kpi_source_query.source AND f.reason = k.reason
					 WHERE reads = 'source') k) f;
	SELECT coalesce(string_agg(format(', %s AS %I', m.expression, 'kpi_base_' || m.base), '') FILTER (WHERE m.is_fixed), '') || coalesce(faults.columns, ''),
		   coalesce(jsonb_object_agg(m.base, CASE WHEN m.is_fixed THEN quote_ident('kpi_base_' || m.base) ELSE m.expression END), '{}')
	  INTO input, members
	  FROM (SELECT e.base, CASE WHEN h.is_kept THEN e.expression ELSE replace(e.expression, '{at}', 'NULL::timestamptz') END AS expression,
				   NOT h.is_kept OR position('{at}' IN e.expression) = 0 AS is_fixed
			  FROM jsonb_each_text(members) e(base, expression),
				   LATERAL (SELECT '{account.valid_from,rep.valid_from}'::text[] && columns OR e.base = 'preceding_activity' AS is_kept) h
			 WHERE e.base IN (SELECT unnest(d.parts) FROM @extschema@.kpi_wanted_dimensions(wanted_dimensions) d)) m;
	/* Columns that are missing come outside of that, where the planner sees that they are constant, and so is much of what is made of them. */
	IF reads = 'source' THEN
		SELECT string_agg(c.names, ', ' ORDER BY c.place, c.column_name) FILTER (WHERE c.is_bound), string_agg(', ' || c.expression, '' ORDER BY c.place) FILTER (WHERE NOT c.is_bound)
		  INTO bound, missing FROM @extschema@.kpi_source_columns(kpi_source_query.source) c;
		bound := bound || CASE WHEN source IN ('rep', 'account') THEN ', starts, ends, covered_until' WHEN source = 'opportunity_history' THEN ', next_from' ELSE '' END;
	END IF;
	input := format('(SELECT s.*%s FROM (SELECT %s%s FROM (%s) s OFFSET 0) s) s', coalesce(missing, ''), bound, input,
					@extschema@.kpi_rows_select(source, reads, columns, within => CASE WHEN only_some THEN '$20' END)) || coalesce(', ' || pieces || ' p', '');
	FOR part IN SELECT p.* FROM @extschema@.kpi_part p
				 WHERE p.source = kpi_source_query.source AND p.part = ANY (@extschema@.kpi_parts_to_read(kpi_source_query.source, wanted_parts)) ORDER BY p.part
	LOOP
		spoilt := (SELECT string_agg(f.name, ' OR ' ORDER BY f.name) FROM jsonb_each(faults.spoils) f(name, parts) WHERE f.parts ? part.part);
		n := n + 1;
		IF part.kind = 'ledger' THEN
			ledger := @extschema@.kpi_ledger_rows(source, part.part, columns, members, wanted_dimensions, spoilt, pieces IS NOT NULL);
			IF buckets = 1 THEN
				state := format(E'coalesce(@extschema@.kpi_ledger($3, %1$L, %2$s)\n  FILTER (WHERE %3$s), @extschema@.kpi_empty_ledger($3, %1$L))',
								ledger.shape, array_to_string(ledger.arguments, ', '), ledger.condition);
			ELSE
				state := NULL;
				grouped := @extschema@.kpi_grouped_movements(input, ledger.shape, ledger.arguments, ledger.condition, buckets);
			END IF;
		ELSE
			state := @extschema@.kpi_cube_expression(source, part.part, columns, members, wanted_dimensions, spoilt, pieces IS NOT NULL, only_some);
		END IF;
		states := states || CASE WHEN state IS NULL THEN '' ELSE format(E',\n %s AS state%s', state, n) END;
		FOR reading IN SELECT * FROM @extschema@.kpi_part_readings(source, part.part, columns) LOOP
			readings := readings || format('(%L::text, %L::text, %s, %L::integer[], %s::integer, NULL::timestamptz, NULL::@extschema@.kpi_dictionary, NULL::@extschema@.kpi_bad_rows[])', source, part.part,
				CASE WHEN state IS NULL THEN grouped ELSE format('@extschema@.kpi_panel(a.state%s, %s)', n, reading.periods) END, reading.measures,
				CASE WHEN part.kind = 'ledger' THEN 'NULL'
					 WHEN @extschema@.kpi_reaches_back(source, part.part) THEN format('@extschema@.kpi_first_atom(a.state%s, 2) - 1', n)
					 ELSE format('@extschema@.kpi_first_atom(a.state%s)', n) END);
		END LOOP;
	END LOOP;

	SELECT array_agg(format('ROW(%L, count(*) FILTER (WHERE %s), @extschema@.kpi_smallest(%s) FILTER (WHERE %2$s))::@extschema@.kpi_bad_rows',
							f.reason, once || '(' || f.condition || ')',
							@extschema@.kpi_source_key(kpi_source_query.source, columns)) ORDER BY f.reason) INTO bad
	  FROM unnest(faults.reasons, faults.names) f(reason, condition)
	 WHERE with_faults;

	readings := readings || format('(%L::text, NULL::text, NULL::@extschema@.kpi_panel, NULL::integer[], NULL::integer, a.first_at, %s, a.bad_rows)', source,
		CASE source WHEN 'exchange_rate' THEN 'a.dictionary1' ELSE 'NULL::@extschema@.kpi_dictionary' END);
	RETURN format(E'SELECT r.*, a.dictionary1, a.dictionary2, a.dictionary3\n'
				  ' FROM (SELECT ARRAY[%s]::@extschema@.kpi_bad_rows[] AS bad_rows,\n %s AS dictionary1, %s AS dictionary2, %s AS dictionary3, %s AS first_at%s\n FROM %s OFFSET 0) a,\n LATERAL (VALUES %s) r(source, part, panel, measures, first_atom, first_at, rates, bad_rows)',
		array_to_string(bad, E',\n '),
		coalesce(dictionaries[1] || CASE WHEN pieces IS NOT NULL THEN ' FILTER (WHERE is_first)' ELSE '' END, 'NULL::@extschema@.kpi_dictionary'),
		coalesce(dictionaries[2], 'NULL::@extschema@.kpi_dictionary'), coalesce(dictionaries[3], 'NULL::@extschema@.kpi_dictionary'),
		CASE source WHEN 'subscription' THEN 'min(valid_from)' ELSE 'NULL::timestamptz' END, states, input, array_to_string(readings, E',\n '));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_source_query(text, text[], text[], text[], integer, text, boolean, boolean) IS
'the SQL text of the one query that reads a source: rows of kpi_reading, and dictionaries. Its parameters are kpi_parameters. buckets: 1 for ledgers of all customers; else movements are read in as many groups of customers. reads: as of kpi_part, the same for all the wanted parts; only_some: as of kpi_cube_expression; with_faults: whether bad rows are looked for';

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
		  FROM (%s) s
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
	leads @extschema@.kpi_dictionary, deals @extschema@.kpi_dictionary, deal_states @extschema@.kpi_dictionary, won_leads @extschema@.kpi_dictionary,
	plan_bounds timestamptz[], plan_days date[], run_rates @extschema@.kpi_dictionary, cohorts @extschema@.kpi_dictionary, opening integer[], closing integer[],
	activities @extschema@.kpi_dictionary, only_within tstzmultirange, grid @extschema@.kpi_grid,
	member_parts text[]);
COMMENT ON TYPE @extschema@.kpi_parameters IS 'the parameters of the queries of kpi_source_query, $1 and so on; member_parts: of the member of a drill';

CREATE FUNCTION @extschema@.kpi_execute(query text, parameters @extschema@.kpi_parameters) RETURNS SETOF record
	LANGUAGE c STABLE STRICT
	AS 'MODULE_PATHNAME', 'salkpi_execute';
COMMENT ON FUNCTION @extschema@.kpi_execute(text, @extschema@.kpi_parameters) IS
'the rows of a SELECT, by a plan that holds none of its parameters'' values; it sees what the calling statement sees. It runs as the caller. Raises when the query is not a SELECT or its columns are not those named';

CREATE TYPE @extschema@.kpi_reading_step AS (source text, reads text, relation text, parts text[], columns text[], query text, keeps integer[]);
COMMENT ON TYPE @extschema@.kpi_reading_step IS
'a query that reads a source: for parts of it, as kpi_source_query writes it (reads: as of kpi_part), or for a dictionary alone (reads NULL; query: its text); keeps: which of kpi_parameters its dictionaries become for the steps after it';

/* In a generic plan a parameter is one value, which needs no subquery to be evaluated once. */
CREATE FUNCTION @extschema@.kpi_generic(query text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT regexp_replace(query, '\(SELECT (\$\d+)\)', '\1', 'g');
END;
COMMENT ON FUNCTION @extschema@.kpi_generic(text) IS 'a query of kpi_source_query as it is for a generic plan';

CREATE FUNCTION @extschema@.kpi_reading_steps(sources text[], wanted_parts text[], wanted_dimensions text[]) RETURNS SETOF @extschema@.kpi_reading_step
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns text[] := (SELECT array_agg(u.source || '.' || u.column_name || e.suffix)
						 FROM @extschema@.kpi_usable_columns() u, LATERAL unnest(CASE u.type WHEN 'date' THEN '{"",:date}'::text[] ELSE '{""}' END) e(suffix));
	bases text[] := ARRAY(SELECT DISTINCT b FROM @extschema@.kpi_wanted_dimensions(wanted_dimensions) d, unnest(d.parts) b);
	cohorts_query text := CASE WHEN 'cohort' = ANY (bases) THEN @extschema@.kpi_cohorts_query(columns) END;
	run_rates_query text := CASE WHEN 'subscription.currency' = ANY (columns) THEN regexp_replace(@extschema@.kpi_run_rates_query(columns), '\$1(?!\d)', '$5', 'g') END;
	activities_query text := CASE WHEN 'preceding_activity' = ANY (bases) THEN regexp_replace(regexp_replace(@extschema@.kpi_activities_query(columns), '\$1(?!\d)', '$10', 'g'), '\$2(?!\d)', '$4', 'g') END;
	reading record;
	step @extschema@.kpi_reading_step;
BEGIN
	/* First contact may be the lead's creation, and a lead's conversion the opportunity: leads are looked up first. */
	IF 'opportunity.lead_id' = ANY (columns) AND 'lead.created_at' = ANY (columns) AND 'lead' = ANY (sources) THEN
		RETURN NEXT ROW('lead', NULL, @extschema@.kpi_source_relation('lead')::text, NULL, NULL, @extschema@.kpi_leads_query(), '{9}')::@extschema@.kpi_reading_step;
	END IF;
	FOR reading IN SELECT r.source, r.reads, r.parts, @extschema@.kpi_source_relation(r.source)::text AS relation FROM @extschema@.kpi_readings(sources, wanted_parts) r LOOP
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
			RETURN NEXT ROW('activity', NULL, @extschema@.kpi_source_relation('activity')::text, NULL, NULL, @extschema@.kpi_generic(activities_query), '{19}')::@extschema@.kpi_reading_step;
		END IF;
		step := ROW(reading.source, reading.reads, reading.relation, reading.parts, columns, NULL, '{}');
		IF reading.reads = 'source' THEN
			step.keeps := CASE reading.source WHEN 'exchange_rate' THEN '{5}' WHEN 'account' THEN '{6}' WHEN 'rep' THEN '{7}' WHEN 'stage' THEN '{8}'
							WHEN 'opportunity' THEN '{10,11,12}' ELSE '{}' END;
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
							NULL, NULL, (g).opening, (g).closing, NULL, (g).only_within, g, NULL)::@extschema@.kpi_parameters
				   FROM unnest(sources) WITH ORDINALITY s(source, n), LATERAL (SELECT grids[least(s.n, cardinality(grids))] AS g) u ORDER BY s.n),
		   @extschema@.kpi_setting('time_zone');
END;
COMMENT ON FUNCTION @extschema@.kpi_reading_plan(text[], text[], text[], @extschema@.kpi_grid[]) IS
'how kpi_read_sources goes about it: its queries, and for those over each source their parameters as far as they are known before';

/*
 * Reads the sources, all as of the snapshot of the calling statement: being
 * STABLE, this function and its queries see one moment, also when a writer
 * commits in between.
 */
CREATE FUNCTION @extschema@.kpi_read_sources(sources text[], wanted_parts text[], wanted_dimensions text[], grids @extschema@.kpi_grid[])
	RETURNS @extschema@.kpi_reading[]
	LANGUAGE c STABLE
	SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD'
	SET extra_float_digits = 1
	SET jit = off
	SET timezone = 'UTC'	-- so that what it sets of these ends with the function
	SET application_name = 'kpi_snapshot'
	AS 'MODULE_PATHNAME', 'salkpi_read_sources';
COMMENT ON FUNCTION @extschema@.kpi_read_sources(text[], text[], text[], @extschema@.kpi_grid[]) IS
'reads bound sources, each with one query (and the stages of a history with another), and returns them: the panels of each part and the bad rows of each source; application_name tells other sessions how far it is. Parts (as source.part) and dimensions: NULL for all; bad rows are looked for when all parts are read. grids: of each source the periods to be read, all numbered alike, or one grid for all of them; what a part needs of it may be NULL where no such part is read. An error names the source';

/* The bound sources in an order in which each finds the dictionaries it needs. */
CREATE FUNCTION @extschema@.kpi_bound_sources(wanted text[] DEFAULT NULL) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
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

CREATE FUNCTION @extschema@.kpi_grid(periods @extschema@.kpi_period[], as_of timestamptz) RETURNS @extschema@.kpi_grid
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	g @extschema@.kpi_grid;
	today date := @extschema@.kpi_day(as_of);
BEGIN
	g.as_of := as_of;
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

	SELECT array_agg(array_position(g.bounds, p.starts_at) ORDER BY p.n), array_agg(array_position(g.bounds, p.at) - 1 ORDER BY p.n),
		   array_agg(array_position(g.plan_bounds, p.starts_at) ORDER BY p.n), array_agg(array_position(g.plan_bounds, p.ends_at) - 1 ORDER BY p.n),
		   array_agg(array_position(g.instants, p.starts_at) ORDER BY p.n), array_agg(array_position(g.instants, p.at) ORDER BY p.n),
		   array_agg(CASE WHEN p.ends_at >= as_of THEN 1 END ORDER BY p.n), array_agg(p.starts_at ORDER BY p.n), array_agg(p.at ORDER BY p.n),
		   CASE WHEN bool_or(p.at IS NULL) THEN range_agg(tstzrange(p.starts_at, p.ends_at)) FILTER (WHERE p.at IS NOT NULL) END
	  INTO g.first_atom, g.last_atom, g.first_plan_atom, g.last_plan_atom, g.opening, g.closing, g.present, g.starts_at, g.at, g.only_within
	  FROM (SELECT k.starts_at, k.ends_at, CASE WHEN k.ends_at < as_of THEN k.ends_at WHEN k.ends_at IS NOT NULL THEN as_of END AS at, k.n
			  FROM unnest(periods) WITH ORDINALITY k(grain, period, period_end, is_complete, days, starts_at, ends_at, n)) p;
	RETURN g;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_grid(@extschema@.kpi_period[], timestamptz) IS
'the grid of periods that have begun at the instant taken as now; NULL for one that is not wanted';

/* The days that a snapshot looks at. */
CREATE FUNCTION @extschema@.kpi_snapshot_days(from_day date, to_day date, as_of timestamptz, OUT first_day date, OUT last_day date)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(kpi_snapshot_days.from_day, @extschema@.kpi_period_start('year', d.look_back), d.look_back), least(coalesce(kpi_snapshot_days.to_day, d.today), d.today)
	  FROM (SELECT t.today, (t.today - make_interval(years => @extschema@.kpi_setting('history_years')::integer))::date AS look_back
			  FROM (SELECT @extschema@.kpi_day(as_of) AS today) t) d;
END;
COMMENT ON FUNCTION @extschema@.kpi_snapshot_days(date, date, timestamptz) IS
'the first and last day that a snapshot with these arguments looks at: at most as far back as the setting history_years, and not beyond today''s';

/*
 * A stock of which only the present can be read keeps what was recorded at the
 * very end of a period.
 */
CREATE FUNCTION @extschema@.kpi_kept_panels(columns text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('(SELECT array_agg(u.kept) FROM (%s) u(kept))', string_agg(format($q$
					SELECT ROW(@extschema@.kpi_panel(k.dimension, k.members, k.n, k.integers, k.numerics ORDER BY k.dimension COLLATE "C", k.members), %1$L::integer[])::@extschema@.kpi_measured
					  FROM (SELECT f.dimension, @extschema@.kpi_member_parts(f.member, cardinality(d.parts)) AS members, p.n::integer,
								   ARRAY[%2$s]::bigint[] AS integers, ARRAY[%3$s]::numeric[] AS numerics
							  FROM @extschema@.kpi_fact f
							  JOIN period p USING (grain, period, period_end)
							  JOIN @extschema@.kpi_dimension d USING (dimension)
							 WHERE f.superseded_at IS NULL AND f.is_complete AND num_nonnulls(%4$s) > 0) k
					HAVING count(*) > 0$q$,
				  s.integers || s.numerics, s.integer_columns, s.numeric_columns, s.columns), ' UNION ALL '))
	  FROM @extschema@.kpi_part p,
		   LATERAL (SELECT coalesce(array_agg(m.n ORDER BY m.n) FILTER (WHERE m.type = 'bigint'), '{}') AS integers,
						   coalesce(array_agg(m.n ORDER BY m.n) FILTER (WHERE m.type = 'numeric'), '{}') AS numerics,
						   string_agg(format('coalesce(f.%I, 0)', m.measure), ', ' ORDER BY m.n) FILTER (WHERE m.type = 'bigint') AS integer_columns,
						   string_agg(format('coalesce(f.%I, 0)', m.measure), ', ' ORDER BY m.n) FILTER (WHERE m.type = 'numeric') AS numeric_columns,
						   string_agg(format('f.%I', m.measure), ', ') AS columns
					  FROM (SELECT f.*, row_number() OVER ()::integer AS n FROM @extschema@.kpi_fact_measures() f) m
					  JOIN @extschema@.kpi_slots(p.source, p.part) k USING (measure)
					 WHERE @extschema@.kpi_has_columns(p.source, k.needs, columns)) s
	 WHERE p.starts = 'NULL' AND s.columns IS NOT NULL AND p.part = ANY (@extschema@.kpi_parts_to_read(p.source, NULL))
	   AND @extschema@.kpi_source_relation(p.source) IS NOT NULL
	HAVING count(*) > 0;
END;
COMMENT ON FUNCTION @extschema@.kpi_kept_panels(text[]) IS
'SQL text of the panels, as kpi_measured[], of the stocks recorded at the end of periods, of the parts of which only the present can be read; NULL when none is';

/*
 * SQL text of the common table expressions that read the sources.  Whatever is
 * computed from the sources, for a snapshot or at this moment, is computed of
 * these.  Their parameters:
 *	 $1 sources	  $2 periods   $3 their grid   $4 the run
 *	 $5 the first day that has facts, or $6 not before there is data
 *	 $7 only periods that kpi_changes finds, of each source
 *	 $8, $9 parts and dimensions as of kpi_read_sources
 */
CREATE FUNCTION @extschema@.kpi_readings_query() RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN $q$
WITH changes AS MATERIALIZED (	-- at the same moment as the sources
	SELECT c.source, c.spans, c.basis FROM @extschema@.kpi_changes(($3).as_of) c WHERE $7
	UNION ALL
	SELECT s, '{(,)}', NULL FROM unnest($1) s WHERE NOT $7
), unchanged AS MATERIALIZED (	-- until when nothing is that was not there before
	SELECT g.grain, CASE WHEN NOT lower_inf(c.spans) THEN least(lower(c.spans), (
				SELECT min(f.period) FROM @extschema@.kpi_fact f WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND f.grain = g.grain)) END AS until
	  FROM (SELECT DISTINCT k.grain FROM unnest($2::@extschema@.kpi_period[]) k) g, (SELECT range_agg(c.spans) AS spans FROM changes c) c
), period AS MATERIALIZED (
	SELECT k.*, d.sources, row_number() OVER (ORDER BY k.place) AS n
	  FROM unnest($2::@extschema@.kpi_period[]) WITH ORDINALITY k(grain, period, period_end, is_complete, days, starts_at, ends_at, place)
	  JOIN unchanged u USING (grain)
	 CROSS JOIN LATERAL (SELECT array_agg(c.source) AS sources	-- of which it is taken
						   FROM changes c,
								(SELECT (k.period_end <= u.until) IS NOT TRUE
										AND @extschema@.kpi_is_due(k.grain, k.period, k.period_end, k.is_complete, k.days) AS is_due OFFSET 0) w
						  WHERE w.is_due OR c.spans && daterange(k.period, k.period_end)) d
	 WHERE d.sources IS NOT NULL
), t AS MATERIALIZED (	-- when all periods are taken of all sources there is one grid
	SELECT s.source, s.n, CASE WHEN w.is_all THEN $3 ELSE (
				SELECT @extschema@.kpi_grid(array_agg(CASE WHEN s.source = ANY (p.sources)
													  THEN ROW(p.grain, p.period, p.period_end, p.is_complete, p.days, p.starts_at, p.ends_at)::@extschema@.kpi_period END ORDER BY p.n),
											($3).as_of) FROM period p) END AS grid
	  FROM unnest($1) WITH ORDINALITY s(source, n), (SELECT count(*) = cardinality($2) AND bool_and(p.sources @> $1) AS is_all FROM period p) w
)$q$;
COMMENT ON FUNCTION @extschema@.kpi_readings_query() IS
'SQL text of the common table expressions that say how to read the sources, for kpi_reading_query';

/* A common table expression would copy it, more than once. */
CREATE FUNCTION @extschema@.kpi_reading_query() RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN '(SELECT @extschema@.kpi_read_sources($1, $8, $9, (SELECT array_agg(t.grid ORDER BY t.n) FROM t)) AS readings OFFSET 0)';
COMMENT ON FUNCTION @extschema@.kpi_reading_query() IS
'SQL text of a subquery that reads the sources: one row, with readings. To be used once';

CREATE FUNCTION @extschema@.kpi_facts_query(kept text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_readings_query() || replace(replace(replace(replace($q$, new AS (
	SELECT p.grain, p.period, p.period_end, f.dimension, f.member, p.is_complete, p.days, %f.all%
	  FROM %reading% r
	 CROSS JOIN LATERAL @extschema@.kpi_facts(r.readings, %kept%) f(n integer, dimension text, member text, %columns%)
	  JOIN period p USING (n)
)$q$,
		'%reading%', @extschema@.kpi_reading_query()),
		'%kept%', coalesce(kept, 'NULL')),
		'%columns%', string_agg(format('%I %s', m.measure, m.type), ', ')),
		'%f.all%', string_agg(format('f.%I', m.measure), ', '))
	  FROM @extschema@.kpi_fact_measures() m;
END;
COMMENT ON FUNCTION @extschema@.kpi_facts_query(text) IS
'SQL text of the common table expressions that read the sources, and of one called new that makes facts of them; kept: as of kpi_kept_panels';

/*
 * SQL text that writes the facts: new versions of what changed, after closing
 * the versions they replace (and those of members that no longer have any, and
 * of grains no longer computed).
 */
CREATE FUNCTION @extschema@.kpi_write_query(kept text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_readings_query() || replace(replace(replace(replace($q$, outdated AS (	-- of grains no longer computed, of periods cut elsewhere
	SELECT DISTINCT f.grain, f.period FROM @extschema@.kpi_fact f
	 WHERE f.superseded_at IS NULL AND f.dimension = 'total'
	   AND (f.grain IN (SELECT grain || '_cut' FROM period WHERE NOT is_complete)
			OR split_part(f.grain, '_', 1) <> ALL (string_to_array(@extschema@.kpi_setting('grains'), ',')))
	   AND (f.grain, f.period) NOT IN (SELECT k.grain, k.period FROM unnest($2::@extschema@.kpi_period[]) k)
), compared AS (
	SELECT array_agg(k.period ORDER BY k.n) AS periods
	  FROM (SELECT ROW(p.grain, p.period, p.period_end, p.is_complete, p.days, NULL, NULL)::@extschema@.kpi_period AS period, p.n FROM period p
			UNION ALL
			SELECT ROW(o.grain, o.period, o.period, false, 0, NULL, NULL)::@extschema@.kpi_period, (SELECT count(*) FROM period) + row_number() OVER () FROM outdated o) k
), measure AS MATERIALIZED (
	SELECT m.n, m.sources FROM @extschema@.kpi_measure_sources() m
), kept AS (	-- measures of sources that are not taken of a period
	SELECT array_agg(CASE WHEN m.sources IS NULL THEN false ELSE NOT m.sources && p.sources END ORDER BY p.n, m.n) AS measures
	  FROM period p, measure m
	HAVING NOT bool_and(p.sources @> $1)
), dimension AS (
	SELECT array_agg(d.dimension) AS names, array_agg(@extschema@.kpi_blank_member(d.dimension)) AS blanks FROM @extschema@.kpi_dimension d
), delta AS MATERIALIZED (
	SELECT f.*
	  FROM %reading% r,
		   @extschema@.kpi_changed_facts(r.readings, %kept%, (SELECT names FROM dimension), (SELECT blanks FROM dimension), (SELECT periods FROM compared), (SELECT measures FROM kept))
			AS f(reading @extschema@.kpi_reading, grain text, period date, period_end date, dimension text, member text, is_complete boolean, days integer, replaces tid, is_gone boolean, %columns%)
), other AS MATERIALIZED (	-- without the values, which every scan copies
	SELECT d.reading, d.grain, d.period, d.period_end, d.dimension, d.days, d.replaces FROM delta d
), note AS MATERIALIZED (
	SELECT (d.reading).source, (d.reading).part, (d.reading).first_atom, (d.reading).first_at, (d.reading).bad_rows FROM other d WHERE d.grain IS NULL
), beginning AS MATERIALIZED (	-- with the first period that has data, or had when last computed
	SELECT CASE WHEN NOT $6 THEN $5
			ELSE least(greatest($5, least(min(((t.grid).days)[r.first_atom]), @extschema@.kpi_day(min(r.first_at)), @extschema@.kpi_day(($3).as_of))), (
				SELECT max(greatest($5, o.oldest)) FILTER (WHERE o.oldest IS NOT NULL)
				  FROM unnest(string_to_array(@extschema@.kpi_setting('grains'), ',')) k(grain),
					   LATERAL (SELECT min(f.period) AS oldest FROM @extschema@.kpi_fact f
								 WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND f.grain = k.grain) o)) END AS day
	  FROM note r JOIN t USING (source) LEFT JOIN @extschema@.kpi_part p USING (source, part)
	 WHERE r.part IS NULL OR p.kind = 'flow' OR p.source = 'cost'
), change AS MATERIALIZED (
	SELECT d.* FROM other d
	 WHERE d.dimension IS NOT NULL AND (d.replaces IS NOT NULL OR d.period_end > (SELECT day FROM beginning) OR d.grain LIKE '%cut')
), closed AS (
	UPDATE @extschema@.kpi_fact f SET superseded_at = ($3).as_of
	  FROM change d
	 WHERE f.ctid = d.replaces
	RETURNING 1
), written AS (
	INSERT INTO @extschema@.kpi_fact (grain, period, period_end, dimension, member, recorded_at, run, is_complete, days, %all%)
	SELECT d.grain, d.period, d.period_end, d.dimension, d.member, ($3).as_of, $4, d.is_complete, d.days, %all%
	  FROM delta d
	 WHERE NOT d.is_gone AND (d.period_end > (SELECT day FROM beginning) OR d.grain LIKE '%cut')
	   AND (SELECT count(*) FROM closed) >= 0	-- closes the old versions first
	RETURNING 1
), p AS (
	SELECT p.grain, p.period FROM period p WHERE p.period_end > (SELECT day FROM beginning) OR p.grain LIKE '%cut'
), problem AS (
	INSERT INTO @extschema@.kpi_problem AS k (source, reason, bad_rows, keys, first_seen, run)
	SELECT r.source, b.reason, b.bad_rows, b.keys, ($3).as_of, $4
	  FROM note r, unnest(r.bad_rows) b
	 WHERE b.bad_rows > 0
	ON CONFLICT ON CONSTRAINT kpi_problem_pkey DO UPDATE
	   SET bad_rows = excluded.bad_rows, keys = excluded.keys, run = excluded.run
	RETURNING 1
), taken AS (	-- of the log just what kpi_changes saw
	DELETE FROM @extschema@.kpi_track_log WHERE $7
)
SELECT (SELECT count(*) FROM p),
	   (SELECT coalesce(sum(d.days), 0) FROM other d JOIN p USING (grain, period) WHERE d.dimension IS NULL),
	   (SELECT count(*) FROM written), (SELECT count(*) FROM change), (SELECT count(*) FROM problem),
	   (SELECT min(basis) FROM changes)$q$,
		'%reading%', @extschema@.kpi_reading_query()),
		'%kept%', coalesce(kept, 'NULL')),
		'%columns%', string_agg(format('%I %s', m.measure, m.type), ', ')),
		'%all%', string_agg(quote_ident(m.measure), ', '))
	  FROM @extschema@.kpi_fact_measures() m;
END;
COMMENT ON FUNCTION @extschema@.kpi_write_query(text) IS
'SQL text of the statement that reads the sources, compares new facts with the current ones and writes what changed; kept: as of kpi_kept_panels';

CREATE FUNCTION @extschema@.kpi_take_snapshot(run bigint, from_day date, to_day date, as_of timestamptz,
											  OUT periods integer, OUT facts bigint, OUT changed bigint, OUT problems bigint)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
	SET row_security = off
	SET application_name = 'kpi_snapshot'
	SET jit = off
AS $$
DECLARE
	today date := @extschema@.kpi_day(as_of);
	sources text[] := @extschema@.kpi_bound_sources();
	first_day date;
	last_day date;
	taken @extschema@.kpi_period[];
	columns text[];
	made_from text;
BEGIN
	SELECT d.first_day, d.last_day INTO first_day, last_day FROM @extschema@.kpi_snapshot_days(from_day, to_day, as_of) d;
	IF first_day > last_day THEN
		RAISE EXCEPTION 'from_day % must not be after to_day %', first_day, last_day
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = format('Today is %s in the reporting time zone.', today);
	END IF;
	PERFORM @extschema@.kpi_require_calendar(today);
	taken := ARRAY(SELECT p FROM @extschema@.kpi_periods(first_day, last_day, as_of) p);
	SELECT array_agg(u.source || '.' || u.column_name) INTO columns FROM @extschema@.kpi_usable_columns() u;
	IF NOT EXISTS (SELECT FROM unnest(sources) s(source) WHERE @extschema@.kpi_parts_to_read(s.source, NULL) <> '{}') THEN
		RAISE EXCEPTION 'there is nothing to compute from the sources bound, %', array_to_string(sources, ', ')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Bind one that says what happened: kpi_bind(''sale'', ''my_table'').';
	END IF;
	PERFORM set_config('application_name', 'kpi_snapshot: writing facts', true);	-- once it has read
	EXECUTE @extschema@.kpi_write_query(@extschema@.kpi_kept_panels(columns)) INTO periods, facts, changed, changed, problems, made_from
	  USING sources, taken, @extschema@.kpi_grid(taken, as_of), run, first_day, from_day IS NULL, from_day IS NULL AND to_day IS NULL, NULL::text[], NULL::text[];
	UPDATE @extschema@.kpi_run r SET basis = made_from WHERE r.run = kpi_take_snapshot.run;
	DELETE FROM @extschema@.kpi_problem k WHERE k.run <> kpi_take_snapshot.run;
	PERFORM @extschema@.kpi_keep_expected(run, as_of);
	PERFORM @extschema@.kpi_keep_rep_roles(as_of);
	PERFORM @extschema@.kpi_announce(run, 'done', json_build_object('periods', periods, 'facts', facts, 'changed', changed, 'problems', problems,
																	'alerts', @extschema@.kpi_raise_alerts(run, as_of)));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_take_snapshot(bigint, date, date, timestamptz) IS
'reads all sources and writes what changed, as the given run; kpi_snapshot and kpi_refresh call it under their lock';

CREATE FUNCTION @extschema@.kpi_try_lock() RETURNS boolean
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT pg_catalog.pg_try_advisory_xact_lock('@extschema@.kpi_fact'::regclass::oid::integer, 7365);
END;
COMMENT ON FUNCTION @extschema@.kpi_try_lock() IS
'takes the lock that lets one snapshot run at a time, until the end of the transaction; false when another holds it';

CREATE FUNCTION @extschema@.kpi_check_as_of(as_of timestamptz) RETURNS timestamptz
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	newest timestamptz := (SELECT max(r.as_of) FROM @extschema@.kpi_run r WHERE r.outcome = 'done');
BEGIN
	IF as_of > clock_timestamp() THEN
		RAISE EXCEPTION 'as_of "%" lies in the future', as_of
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF as_of <= newest THEN
		RAISE EXCEPTION 'as_of "%" must be after the last snapshot, which was taken as of "%"', as_of, newest
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'What was reported at a time is never changed afterwards.';
	END IF;
	RETURN coalesce(as_of, clock_timestamp());
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_check_as_of(timestamptz) IS
'the instant that a snapshot takes as now: the one given, or NULL for the clock; raises when it lies in the future or not after the last snapshot';

CREATE FUNCTION @extschema@.kpi_snapshot(from_day date DEFAULT NULL, to_day date DEFAULT NULL, as_of timestamptz DEFAULT NULL)
	RETURNS TABLE (run bigint, outcome text, periods integer, facts bigint, changed bigint, problems bigint, duration interval)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	began timestamptz := clock_timestamp();
	now_taken timestamptz;
BEGIN
	IF NOT @extschema@.kpi_try_lock() THEN
		RAISE NOTICE 'another snapshot is running; this one steps aside';
		outcome := 'skipped';
		RETURN NEXT;
		RETURN;
	END IF;
	now_taken := @extschema@.kpi_check_as_of(as_of);
	INSERT INTO @extschema@.kpi_run (started_at, as_of, from_day, to_day, outcome)
	VALUES (began, now_taken, kpi_snapshot.from_day, kpi_snapshot.to_day, 'running')
	RETURNING kpi_run.run INTO run;

	SELECT s.periods, s.facts, s.changed, s.problems INTO periods, facts, changed, problems
	  FROM @extschema@.kpi_take_snapshot(run, from_day, to_day, now_taken) s;
	outcome := 'done';
	duration := clock_timestamp() - began;
	UPDATE @extschema@.kpi_run r
	   SET outcome = 'done', periods = kpi_snapshot.periods, facts = kpi_snapshot.facts, changed = kpi_snapshot.changed,
		   problems = kpi_snapshot.problems, duration = kpi_snapshot.duration
	 WHERE r.run = kpi_snapshot.run;
	RETURN NEXT;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_snapshot(date, date, timestamptz) IS
'reads all bound sources once and records the facts that changed, for the periods that overlap from_day to to_day (both NULL: the running ones, those never computed, and those in which something changed, see kpi_changes; one NULL: from the first data or the first facts, to the running period). as_of: the instant taken as now. Returns one row; outcome "skipped" when another snapshot is running. Raises, leaving all as it was, when a source cannot be read';

/*
 * What a scheduler calls.  The run is visible as "running" while it works, and
 * its outcome stays when it fails.  A procedure that commits can have no SET
 * clause, so every name is qualified, those of types too.
 */
CREATE PROCEDURE @extschema@.kpi_refresh()
	LANGUAGE plpgsql
AS $$
DECLARE
	this_run bigint;
	taken pg_catalog.timestamptz;
	what record;
	message pg_catalog.text;
	state pg_catalog.text;
	detail pg_catalog.text;
	hint pg_catalog.text;
BEGIN
	IF NOT @extschema@.kpi_try_lock() THEN
		RAISE NOTICE 'another snapshot is running; this one steps aside';
		RETURN;
	END IF;
	INSERT INTO @extschema@.kpi_run (outcome) VALUES ('running') RETURNING run INTO this_run;
	COMMIT;

	IF NOT @extschema@.kpi_try_lock() THEN
		RAISE NOTICE 'another snapshot is running; this one steps aside';
		DELETE FROM @extschema@.kpi_run WHERE run OPERATOR(pg_catalog.=) this_run;
		RETURN;
	END IF;
	BEGIN
		taken := @extschema@.kpi_check_as_of(NULL);
		SELECT s.periods, s.facts, s.changed, s.problems INTO what FROM @extschema@.kpi_take_snapshot(this_run, NULL, NULL, taken) s;
		UPDATE @extschema@.kpi_run r
		   SET outcome = 'done', as_of = taken, periods = what.periods, facts = what.facts, changed = what.changed, problems = what.problems,
			   duration = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.started_at
		 WHERE r.run OPERATOR(pg_catalog.=) this_run;
	EXCEPTION WHEN OTHERS OR query_canceled THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		UPDATE @extschema@.kpi_run r
		   SET outcome = 'failed', as_of = taken, error = message,
			   duration = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.started_at
		 WHERE r.run OPERATOR(pg_catalog.=) this_run;
		PERFORM @extschema@.kpi_announce(this_run, 'failed', pg_catalog.json_build_object('error', pg_catalog.left(message, 1000)));
	END;
	COMMIT;
	IF message IS NULL THEN
		PERFORM @extschema@.kpi_prune();
	ELSE
		RAISE EXCEPTION '%', message
			USING ERRCODE = state,
				  DETAIL = CASE WHEN detail OPERATOR(pg_catalog.<>) '' THEN detail ELSE 'The facts are as they were.' END,
				  HINT = CASE WHEN hint OPERATOR(pg_catalog.<>) '' THEN hint ELSE 'The view kpi_runs lists the runs and their errors.' END;
	END IF;
END;
$$;
COMMENT ON PROCEDURE @extschema@.kpi_refresh() IS
'takes the default snapshot and records the outcome, also of a failure, in kpi_run, then raises the error again; after a success it thins the history (kpi_prune). For schedulers';

CREATE VIEW @extschema@.kpi_runs AS
	SELECT r.run, r.started_at, r.as_of, r.from_day, r.to_day,
		   CASE WHEN r.outcome = 'running' AND NOT pg_catalog.pg_is_in_recovery() AND NOT EXISTS (
					SELECT FROM pg_catalog.pg_locks l
					 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
					   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
					   AND l.classid = '@extschema@.kpi_fact'::regclass AND l.objid = 7365 AND l.pid = r.pid)
				THEN 'crashed' ELSE r.outcome END AS outcome,
		   r.periods, r.facts, r.changed, r.problems, r.duration, r.error
	  FROM @extschema@.kpi_run r;
COMMENT ON VIEW @extschema@.kpi_runs IS
'the runs of kpi_run; one that says "running" but no longer holds the lock has crashed (a standby, which cannot see the lock, says running)';

/* The open opportunities of this moment, from the sources. */
CREATE FUNCTION @extschema@.kpi_open_now(dimension text)
	RETURNS TABLE (parts text[], opportunities bigint, value numeric, weighted numeric)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
BEGIN ATOMIC
	SELECT c.members, sum(c.integers[1])::bigint, sum(c.numerics[1]), sum(c.numerics[2])
	  FROM unnest(@extschema@.kpi_read_sources(
			ARRAY(SELECT s.source FROM unnest(@extschema@.kpi_bound_sources()) WITH ORDINALITY s(source, n)
				   WHERE s.source IN ('exchange_rate', 'stage', 'account', 'rep', 'opportunity', 'opportunity_history') ORDER BY s.n),
			'{opportunity.open,opportunity_history.open}', ARRAY[dimension],
			ARRAY[ROW(now(), ARRAY[now() - interval '1 day', now()], ARRAY[@extschema@.kpi_today(), @extschema@.kpi_today() + 1], ARRAY[now()], NULL, NULL,
				'{1}', '{1}', NULL, NULL, '{1}', '{1}', '{1}', ARRAY[now()], ARRAY[now()], NULL)::@extschema@.kpi_grid])) r
	 CROSS JOIN LATERAL @extschema@.kpi_panel_rows(r.panel) c
	 WHERE r.part = 'open' AND @extschema@.kpi_measure_number('open_opportunities') = ANY (r.measures)
	 GROUP BY c.members
	HAVING sum(c.integers[1]) > 0;
END;
COMMENT ON FUNCTION @extschema@.kpi_open_now(text) IS
'the opportunities open at this moment, read from the sources, by member of a dimension (its parts): how many, their amount, their weighted amount';
