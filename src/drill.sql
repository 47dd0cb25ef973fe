/*
 * Drilling down: the rows of the sources behind a number.
 *
 * A query for each measure of the KPI's formula, made of the same catalog and
 * the same pieces of SQL text as those of the snapshot: what a row's part,
 * member, rate and amount are is said once.  Its parameters are those of
 * kpi_source_query, with the boundaries of periods that follow each other ($3:
 * the start of each and the end of the last), and $22, the parts of the member.
 *
 * The snapshot reads a source as a whole; a drill puts plain conditions on the
 * column that a row is dated by, so that an index on it is of use, and makes
 * its dictionaries of what the rows of the periods name, and only those that it
 * looks something up in.  The rows themselves are put into jsonb last, when it
 * is known which are wanted.
 */
CREATE TYPE @extschema@.kpi_dictionaries AS (
	rates		@extschema@.kpi_dictionary,
	accounts	@extschema@.kpi_dictionary,
	reps		@extschema@.kpi_dictionary,
	stages		@extschema@.kpi_dictionary,
	leads		@extschema@.kpi_dictionary,
	deals		@extschema@.kpi_dictionary,
	deal_states @extschema@.kpi_dictionary,
	won_leads	@extschema@.kpi_dictionary,
	run_rates	@extschema@.kpi_dictionary,
	cohorts		@extschema@.kpi_dictionary,
	activities	@extschema@.kpi_dictionary
);
COMMENT ON TYPE @extschema@.kpi_dictionaries IS
'the dictionaries that queries over the sources look things up in; NULL: not needed, or its source not bound';

/* Others are made with the help of $5, $10 and the like. */
CREATE FUNCTION @extschema@.kpi_looked_up(query text, columns text[]) RETURNS integer[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	in_cohorts text := CASE WHEN position('(SELECT $16)' IN query) > 0 THEN @extschema@.kpi_cohorts_query(columns) END;
BEGIN
	RETURN ARRAY(SELECT DISTINCT m.n[1]::integer FROM regexp_matches(concat(query, in_cohorts), '\(SELECT \$(\d+)\)', 'g') m(n));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_looked_up(text, text[]) IS
'the parameters by which a query over the sources looks things up; columns: the usable ones as source.column';

CREATE FUNCTION @extschema@.kpi_looked_up_sources(parameters integer[]) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(array_agg(v.source ORDER BY v.parameters), '{}')
	  FROM (VALUES ('exchange_rate', '{5,15}'::integer[]), ('account', '{6}'), ('rep', '{7}'), ('stage', '{8}'), ('lead', '{9}'), ('opportunity', '{10,11,12,19}')) v(source, parameters)
	 WHERE v.parameters && kpi_looked_up_sources.parameters;
END;
COMMENT ON FUNCTION @extschema@.kpi_looked_up_sources(integer[]) IS
'the sources of the dictionaries that are these parameters, those aside that are of several';

CREATE TYPE @extschema@.kpi_named AS (accounts text[], reps text[], leads text[], opportunities text[]);
COMMENT ON TYPE @extschema@.kpi_named IS
'ids that rows name, as far as something is looked up by them; what opportunities of theirs lead to is not among them. NULL: any';

/*
 * Where not all rows of a source are needed, these are asked for by values that
 * the planner sees: it then knows how many there are.
 */
CREATE FUNCTION @extschema@.kpi_dictionaries_query(source text, parameters integer[], columns text[], of_named boolean) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	expressions text[] := @extschema@.kpi_dictionary_expressions(source, columns);
	those text;
BEGIN
	IF of_named THEN
		those := CASE source WHEN 'account' THEN @extschema@.kpi_has_id('account', 'id', '$1') WHEN 'rep' THEN @extschema@.kpi_has_id('rep', 'id', '$2')
			WHEN 'opportunity' THEN concat_ws(' OR ', @extschema@.kpi_has_id('opportunity', 'id', '$3'),
				CASE WHEN 12 = ANY (parameters) THEN @extschema@.kpi_has_id('opportunity', 'lead_id', '$4') END,
				CASE WHEN parameters && '{16,19}' THEN @extschema@.kpi_has_id('opportunity', 'account_id', '$1') END) END;	-- they tell whose other rows are
	END IF;
	IF source = 'opportunity' THEN	-- each of the three by itself
		expressions := ARRAY[CASE WHEN parameters && '{10,19}' THEN expressions[1] END, CASE WHEN 11 = ANY (parameters) THEN expressions[2] END,
							 CASE WHEN 12 = ANY (parameters) THEN expressions[3] END];
	END IF;
	RETURN format('SELECT %s, %s, %s FROM (%s%s) s', coalesce(expressions[1], 'NULL'), coalesce(expressions[2], 'NULL'), coalesce(expressions[3], 'NULL'),
				  @extschema@.kpi_source_select(source), ' WHERE ' || those);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_dictionaries_query(text, integer[], text[], boolean) IS
'SQL text that makes the dictionaries of a source which are parameters of a query, three at most. of_named: only of what is named, by parameters $1 accounts, $2 reps, $3 opportunities, $4 leads';

/* Of opportunities by whose account or rep something is looked up in turn. */
CREATE FUNCTION @extschema@.kpi_with_reached(named @extschema@.kpi_named, parameters integer[]) RETURNS @extschema@.kpi_named
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	reached record;
BEGIN
	IF named.accounts IS NOT NULL AND parameters && '{10,11}' AND parameters && '{6,7,15,16,19}' AND @extschema@.kpi_source_relation('opportunity') IS NOT NULL THEN
		EXECUTE format('SELECT array_agg(DISTINCT s.account_id) AS accounts, array_agg(DISTINCT s.rep_id) AS reps FROM (%s WHERE %s) s',
					   @extschema@.kpi_source_select('opportunity'), @extschema@.kpi_has_id('opportunity', 'id', '$1'))
		   INTO reached USING named.opportunities;
		named.accounts := named.accounts || reached.accounts;
		named.reps := named.reps || reached.reps;
	END IF;
	RETURN named;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_with_reached(@extschema@.kpi_named, integer[]) IS
'the same with the accounts and reps that the named opportunities lead to, where these are looked up';

CREATE FUNCTION @extschema@.kpi_make_dictionaries(parameters integer[], columns text[], as_of timestamptz, named @extschema@.kpi_named DEFAULT NULL) RETURNS @extschema@.kpi_dictionaries
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD'
AS $$
DECLARE
	source text;
	are_named boolean := named.accounts IS NOT NULL;
	made @extschema@.kpi_dictionaries;
	first_dictionary @extschema@.kpi_dictionary;
	second_dictionary @extschema@.kpi_dictionary;
	third_dictionary @extschema@.kpi_dictionary;
BEGIN
	named := @extschema@.kpi_with_reached(named, parameters);
	FOREACH source IN ARRAY array_remove(@extschema@.kpi_looked_up_sources(parameters), 'lead') LOOP
		CONTINUE WHEN @extschema@.kpi_source_relation(source) IS NULL;
		EXECUTE @extschema@.kpi_dictionaries_query(source, parameters, columns, are_named)
		   INTO first_dictionary, second_dictionary, third_dictionary USING named.accounts, named.reps, named.opportunities, named.leads;
		CASE source
			WHEN 'exchange_rate' THEN made.rates := first_dictionary;
			WHEN 'account' THEN made.accounts := first_dictionary;
			WHEN 'rep' THEN made.reps := first_dictionary;
			WHEN 'stage' THEN made.stages := first_dictionary;
			WHEN 'opportunity' THEN
				made.deals := first_dictionary;
				made.deal_states := second_dictionary;
				made.won_leads := third_dictionary;
		END CASE;
	END LOOP;
	IF 9 = ANY (parameters) AND 'lead.created_at' = ANY (columns) THEN
		EXECUTE @extschema@.kpi_leads_query(CASE WHEN are_named THEN @extschema@.kpi_has_id('lead', 'id', '$1') END) INTO made.leads USING named.leads;
	END IF;
	IF 15 = ANY (parameters) THEN
		EXECUTE @extschema@.kpi_run_rates_query(columns, CASE WHEN are_named THEN '$2' END) INTO made.run_rates USING made.rates, named.accounts;
	END IF;
	IF 16 = ANY (parameters) THEN
		EXECUTE @extschema@.kpi_cohorts_query(columns, CASE WHEN are_named THEN '$16' END) INTO made.cohorts
		  USING NULL::timestamptz[], NULL::date[], NULL::timestamptz[], as_of, made.rates, made.accounts, made.reps, made.stages, made.leads,
				made.deals, made.deal_states, made.won_leads, NULL::timestamptz[], NULL::date[], made.run_rates, named.accounts;
	END IF;
	IF 19 = ANY (parameters) THEN
		EXECUTE @extschema@.kpi_activities_query(columns, CASE WHEN are_named THEN '$3' END) INTO made.activities USING made.deals, as_of, named.accounts;
	END IF;
	RETURN made;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_make_dictionaries(integer[], text[], timestamptz, @extschema@.kpi_named) IS
'the dictionaries that are these parameters of queries, read from the sources; columns: the usable ones as source.column; as_of: the instant taken as now; named: what is looked up in them (NULL: whatever there is)';

/* Whose member is looked up in time, a row is cut into pieces for; else it is whole. */
CREATE FUNCTION @extschema@.kpi_drill_pieces(source text, part text, columns text[], members jsonb) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT @extschema@.kpi_pieces_expression(p.source, columns, ARRAY[p.part])
		  FROM @extschema@.kpi_part p
		 WHERE p.source = kpi_drill_pieces.source AND p.part = kpi_drill_pieces.part AND (p.kind = 'spread' OR position('{at}' IN members::text) > 0));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_pieces(text, text, text[], jsonb) IS
'SQL text of the pieces in which the rows of a part are drilled into, as of kpi_pieces_expression; NULL where they are whole';

CREATE FUNCTION @extschema@.kpi_drill_member(dimension text, members jsonb, at text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN (
		SELECT string_agg(format('coalesce(nullif(%s, ''''), ''(none)'') = ($22)[%s]', replace(members ->> b.base, '{at}', at), b.n), ' AND ' ORDER BY b.n)
		  FROM @extschema@.kpi_dimension d, unnest(d.parts) WITH ORDINALITY b(base, n)
		 WHERE d.dimension = kpi_drill_member.dimension);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_member(text, jsonb, text) IS
'SQL text of the condition that a row is of the member of a dimension that is drilled into; NULL for the total. at: SQL text of when its members are looked up';

/*
 * What is netted for each customer has one row for each.  A customer moves
 * where an interval starts or ends: so these are looked for first, and rows
 * before the periods, which tell the new from the returning, are read of those
 * who have one.
 */
CREATE FUNCTION @extschema@.kpi_drill_ledger_rows(movement text, p @extschema@.kpi_part, arguments text[], columns text[], pieces text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_movement boolean := movement NOT IN ('opening', 'closing', 'retained', 'customers_opening', 'customers_closing', 'customers_kept');
	of_part text := format('(%s) s%s', @extschema@.kpi_rows_select(p.source, p.reads, columns, true), ', ' || pieces || ' p');
BEGIN
	RETURN format('%s WHERE %s < ($3)[cardinality($3)]', of_part, p.starts) || CASE WHEN is_movement THEN format($q$
		   AND %1$s IN (SELECT %1$s FROM %2$s
						 WHERE %3$s >= ($3)[1] AND %3$s < ($3)[cardinality($3)] OR %4$s >= ($3)[1] AND %4$s < ($3)[cardinality($3)])$q$,
		arguments[1], of_part, arguments[2], arguments[3]) ELSE '' END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_ledger_rows(text, @extschema@.kpi_part, text[], text[], text) IS
'SQL text, from FROM on, of the rows of a ledger that are looked at for a column of kpi_movements: those up to the end of the periods, of customers with one that starts or ends in them; of all for what is there at a boundary. arguments: as of kpi_ledger_rows';

CREATE FUNCTION @extschema@.kpi_drill_ledger_query(movement text, source text, part text, dimension text, columns text[], members jsonb,
												   OUT query text, OUT named text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	p @extschema@.kpi_part;
	pieces text := @extschema@.kpi_drill_pieces(source, part, columns, members);
	ledger record := @extschema@.kpi_ledger_rows(source, part, columns, members, ARRAY[dimension], @extschema@.kpi_spoilt(source, part, columns), pieces IS NOT NULL);
	of_member text;
	looked_at text;
BEGIN
	SELECT * INTO p FROM @extschema@.kpi_part k WHERE k.source = kpi_drill_ledger_query.source AND k.part = kpi_drill_ledger_query.part;
	of_member := @extschema@.kpi_drill_member(dimension, members, CASE WHEN pieces IS NULL THEN p.starts ELSE 'piece_from' END);
	looked_at := @extschema@.kpi_drill_ledger_rows(movement, p, ledger.arguments, columns, pieces);
	named := CASE WHEN of_member IS NOT NULL AND position('(SELECT $' IN looked_at) = 0 THEN looked_at END;	-- for rates alone it does not pay to read them twice
	query := format($q$
SELECT c.period, g.customer AS key, g.since AS at, c.%1$s::numeric AS amount,
	   (SELECT jsonb_agg(DISTINCT x.source_row) FROM unnest(g.source_rows, g.row_starts, g.row_ends) x(source_row, starts, ends)
		 WHERE x.starts < ($3)[c.period + 1] AND (x.ends >= ($3)[c.period]) IS NOT FALSE) AS source_row
  FROM (SELECT %2$s AS customer, min(%3$s) AS since, @extschema@.kpi_ledger($3, %4$L, %5$s) FILTER (WHERE counts) AS ledger,
			   array_agg(to_jsonb(source_row)) FILTER (WHERE %7$s) AS source_rows, array_agg(%3$s) FILTER (WHERE %7$s) AS row_starts, array_agg(%8$s) FILTER (WHERE %7$s) AS row_ends
		  FROM (SELECT *, %6$s AS counts FROM %9$s OFFSET 0) s
		 GROUP BY 1) g, @extschema@.kpi_movements(g.ledger, $17, $18) c
 WHERE c.members = $22 AND c.%1$s <> 0$q$,
		movement, ledger.arguments[1], p.starts, ledger.shape, array_to_string(ledger.arguments, ', '), ledger.condition,
		concat_ws(' AND ', 'counts', of_member, format('(%s >= ($3)[1]) IS NOT FALSE', ledger.arguments[3])),
		ledger.arguments[3], looked_at);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_ledger_query(text, text, text, text, text[], jsonb) IS
'SQL text of the query for the customers behind a column of kpi_movements: as of kpi_drill_query, with an array of their rows that reach into the period';

/* The column that rows are dated by is compared as it is: a date by the day. */
CREATE FUNCTION @extschema@.kpi_drill_times(p @extschema@.kpi_part, slot text, columns text[], OUT starts text, OUT ends text, OUT boundary text,
											OUT moment text, OUT bounds text, OUT period text, OUT dated text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	by_day integer := @extschema@.kpi_part_by_day(p.source, p.part, columns)::integer;
BEGIN
	starts := @extschema@.kpi_fill_in(p.starts, p.source, 'NULL::timestamptz', columns);
	ends := @extschema@.kpi_fill_in(p.ends, p.source, 'NULL::timestamptz', columns);
	boundary := CASE slot WHEN 'opening' THEN '($3)[1]' ELSE '($3)[2]' END;
	moment := CASE WHEN p.kind = 'spread' THEN 'piece_from' WHEN by_day = 1 THEN p.starts || '_day' ELSE starts END;
	bounds := format('($%s)', CASE p.kind WHEN 'plan' THEN 13 ELSE 1 END + by_day);
	period := CASE WHEN p.kind = 'stock' OR slot = 'to_date' THEN '1' ELSE format('width_bucket(%s, %s)', moment, bounds) END;
	dated := CASE p.kind
		WHEN 'stock' THEN CASE WHEN p.starts = 'NULL' THEN '($3)[2] >= $4'	-- the present alone is known
			ELSE format('(%1$s < %3$s OR %1$s IS NULL) AND (%2$s >= %3$s OR %2$s IS NULL)', starts, ends, boundary) END
		WHEN 'spread' THEN format('(%1$s < ($13)[cardinality($13)] OR %1$s IS NULL)', starts)
		ELSE format(CASE slot WHEN 'to_date' THEN '%1$s < %2$s[2]' ELSE '%1$s >= %2$s[1] AND %1$s < %2$s[cardinality(%2$s)]' END, moment, bounds) END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_times(@extschema@.kpi_part, text, text[]) IS
'SQL texts for when the rows of a part count, read for a slot of it: what a row is dated by and where it ends; the boundary at which a stock is; what is compared with the boundaries, and these; the number of the period that the row lies in, and whether it lies in one';

/*
 * Who is counted once is counted with the first row ever.  The rows of the
 * periods are few, and so are they whom these name: earlier rows matter where
 * they name one of them.  Whether a row counts costs more to tell than whom it
 * names (in CASE WHEN it counts THEN name END), which is therefore asked first.
 */
CREATE FUNCTION @extschema@.kpi_drill_first_query(inside text, rows text, belongs text, entity text, name text, is_earlier text, flag text) RETURNS text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	dictionary constant text := '@extschema@.kpi_dictionary(%s, NULL::timestamptz, NULL::timestamptz, NULL::text, NULL::text)';
	whose text := format(dictionary, entity) || ' FILTER (WHERE ';
	those text := format(' AND @extschema@.kpi_knows((SELECT names FROM known), %s) AND %s)', name, belongs);
BEGIN
	RETURN format($q$
WITH inside AS MATERIALIZED (%s), known AS MATERIALIZED (	-- dictionaries, for of their number the planner knows nothing
	SELECT %s AS names FROM inside q
), ever AS MATERIALIZED (
	SELECT %s AS earlier, %s AS flagged FROM (%s OFFSET 0) s
)
SELECT DISTINCT ON (q.entity) q.period, q.key, q.at, q.amount, q.source_row
  FROM inside q
 WHERE NOT @extschema@.kpi_knows((SELECT earlier FROM ever), q.entity) AND %s
 ORDER BY q.entity, q.period, q.at, q.key COLLATE "C"$q$,
				  inside, format(dictionary, 'q.entity'), whose || is_earlier || those, coalesce(whose || flag || those, 'NULL'), rows,
				  CASE WHEN flag IS NULL THEN 'true' ELSE '@extschema@.kpi_knows((SELECT flagged FROM ever), q.entity)' END);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_first_query(text, text, text, text, text, text, text) IS
'SQL text of the query for the first rows ever, as of kpi_drill_query, made of SQL texts: inside, the query for the rows of the periods, with whom each names as entity; rows, that for all rows; of such a row: belongs, is it of the part and the member, entity, name, whom it names if it counts, is_earlier, is it before the periods; flag: the condition that one of the rows must meet (NULL: none)';

CREATE FUNCTION @extschema@.kpi_drill_rate(source text, part text, columns text[], boundary text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN format('CASE WHEN %1$s IS NULL OR %1$s = %2$L THEN 1 ELSE @extschema@.kpi_rate((SELECT $5), %1$s, %3$s) END', c.currency, @extschema@.kpi_setting('currency'), boundary)
	  FROM (SELECT @extschema@.kpi_part_currency(source, part, columns) AS currency) c
	 WHERE c.currency IS NOT NULL;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_rate(text, text, text[], text) IS
'SQL text of the rate by which the amount of a row of a stock is converted at a boundary; NULL when there is only one currency';

/* Of what is counted once the expression names whom. */
CREATE FUNCTION @extschema@.kpi_drill_slot(measure text, source text, part text, OUT own_slot text, OUT slot text, OUT expression text, OUT entity text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	SELECT own.slot, s.slot, s.expression, CASE WHEN s.slot IN ('distinct', 'first') THEN s.expression ELSE f.expression END
	  INTO own_slot, slot, expression, entity
	  FROM @extschema@.kpi_slots(source, part) own
	  JOIN @extschema@.kpi_slots(source, part) s ON s.measure = CASE WHEN own.slot IN ('to_date', 'opening') THEN own.expression ELSE own.measure END	-- another measure at another time
	  LEFT JOIN @extschema@.kpi_slots(source, part) f ON s.slot = 'first_flagged' AND f.slot = 'first' AND f.n = s.n
	 WHERE own.measure = kpi_drill_slot.measure;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_slot(text, text, text) IS
'how a measure is read from its part: its own slot, and, which may be those of another measure that it is at another time, slot, expression, and expression of whom it counts once (NULL: it counts rows)';

/*
 * Which rows name what is looked up has to be told without looking anything
 * up: a condition that does so is asked with nothing known, and is then no
 * reason to leave a row out unless it is false even so.
 */
CREATE FUNCTION @extschema@.kpi_drill_naming(rows text, VARIADIC conditions text[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('(%s) s WHERE %s', rows, string_agg(format(CASE WHEN position('(SELECT $' IN c.condition) > 0 THEN '(%s) IS NOT FALSE' ELSE '(%s)' END, c.condition), ' AND '))
	  FROM unnest(conditions) c(condition);
END;
COMMENT ON FUNCTION @extschema@.kpi_drill_naming(text, text[]) IS
'SQL text, from FROM on, of the rows that meet conditions, and perhaps of others, without looking anything up; rows: the query that gives them';

CREATE FUNCTION @extschema@.kpi_drill_query(measure text, source text, part text, dimension text, columns text[], members jsonb,
											OUT query text, OUT named text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	p @extschema@.kpi_part;
	m record := @extschema@.kpi_drill_slot(measure, source, part);
	pieces text := @extschema@.kpi_drill_pieces(source, part, columns, members);
	t record;
	rate text;
	/* SQL texts over the columns of the source: */
	at text;		-- when its members and its rate are looked up
	expression text; -- the measure's
	entity text;	-- what is counted once
	belongs text;	-- is a row of the part and the member?
	dated text;		-- and of the periods?
	rows text;		-- the query for all of them
BEGIN
	IF m.slot = 'ledger' THEN
		SELECT l.query, l.named INTO query, named FROM @extschema@.kpi_drill_ledger_query(m.expression, source, part, dimension, columns, members) l;
		RETURN;
	END IF;
	SELECT * INTO p FROM @extschema@.kpi_part k WHERE k.source = kpi_drill_query.source AND k.part = kpi_drill_query.part;
	t := @extschema@.kpi_drill_times(p, m.own_slot, columns);
	at := CASE WHEN pieces IS NOT NULL AND p.kind = 'stock' THEN 'piece_from' ELSE @extschema@.kpi_part_instant(source, part, columns) END;
	rate := CASE WHEN p.kind = 'stock' THEN @extschema@.kpi_drill_rate(source, part, columns, t.boundary) END;
	expression := '(' || @extschema@.kpi_fill_in(m.expression, source, at, columns) || ')';
	entity := '(' || @extschema@.kpi_fill_in(m.entity, source, at, columns) || ')';
	belongs := concat_ws(' AND ', @extschema@.kpi_part_condition(source, part, columns, CASE p.reads WHEN 'source' THEN @extschema@.kpi_spoilt(source, part, columns) END),
						 @extschema@.kpi_drill_member(dimension, members, at), rate || ' IS NOT NULL');
	dated := concat_ws(' AND ', t.dated, CASE WHEN pieces IS NULL THEN NULL WHEN p.kind = 'spread' THEN 'piece_from < piece_to'
		ELSE format('(piece_from < %1$s) IS NOT FALSE AND (piece_to >= %1$s) IS NOT FALSE', t.boundary) END);
	rows := @extschema@.kpi_rows_select(source, p.reads, columns, true, CASE p.kind WHEN 'stock' THEN t.boundary END,
		CASE WHEN m.own_slot <> 'to_date' THEN format('tstzmultirange(tstzrange(%1$s[1], %1$s[cardinality(%1$s)]))', t.bounds) END);
	named := CASE WHEN p.reads = 'source' AND m.slot NOT LIKE 'first%' THEN @extschema@.kpi_drill_naming(rows, t.dated, @extschema@.kpi_fill_in(p.condition, source, 'NULL::timestamptz', columns)) END;

	query := format('SELECT %s AS period, %s AS key, (%s)::timestamptz AS at, %s::numeric AS amount, %s AS entity, source_row FROM (%s) s%s WHERE %s AND %s AND %s',
		t.period, @extschema@.kpi_source_key(source, columns), t.starts,
		CASE m.slot WHEN 'sum' THEN concat_ws(' * ', expression, rate) WHEN 'duration' THEN format('@extschema@.kpi_quotient(%s, 86400000000)', expression) ELSE '1' END,
		coalesce(entity, 'NULL'), rows, ', ' || pieces || ' p', belongs, dated,
		CASE m.slot WHEN 'count' THEN expression ELSE coalesce(entity, expression) || ' IS NOT NULL' END);
	query := CASE WHEN m.slot LIKE 'first%' THEN
			@extschema@.kpi_drill_first_query(query, @extschema@.kpi_rows_select(source, p.reads, columns), belongs, entity,
				coalesce(@extschema@.kpi_fill_in((regexp_match(m.entity, '^CASE WHEN (?:(?!THEN|CASE).)* THEN ((?:(?!WHEN|ELSE).)*) END$'))[1], source, at, columns), entity),
				format('%s < %s[1]', t.moment, t.bounds), CASE m.slot WHEN 'first_flagged' THEN expression END)
		WHEN entity IS NOT NULL THEN format('SELECT DISTINCT ON (q.period, q.entity) q.period, q.key, q.at, q.amount, q.source_row FROM (%s) q ORDER BY q.period, q.entity, q.at, q.key COLLATE "C"', query)
		ELSE format('SELECT q.period, q.key, q.at, q.amount, q.source_row FROM (%s) q', query) END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_query(text, text, text, text, text[], jsonb) IS
'SQL text of the query for the rows of periods and a member behind a measure: number of the period, key, at, amount, source_row (jsonb, or what to_jsonb is to be called with); members: as of kpi_member_expressions for the parts of the dimension. Only to see what was first in a period, and for a ledger, it reads rows before it. named: SQL text, from FROM on, of the rows that name all that it looks up, perhaps of others too (NULL: any row may). There may be several periods, each beginning where the one before ends, but for stocks and what is measured since ever';

CREATE FUNCTION @extschema@.kpi_last_taken(period date, period_end date) RETURNS timestamptz
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(max(r.as_of), pg_catalog.now()) FROM @extschema@.kpi_run r
	 WHERE r.outcome = 'done' AND (r.from_day < kpi_last_taken.period_end) IS NOT FALSE AND (r.to_day >= kpi_last_taken.period) IS NOT FALSE;
END;
COMMENT ON FUNCTION @extschema@.kpi_last_taken(date, date) IS
'what the last snapshot that looked at the days from period to before period_end took as now; without one, now';

/* The periods that a formula reads, as the readers find them: an unfinished one is compared with cut ones. */
CREATE FUNCTION @extschema@.kpi_formula_periods(formula text, grain text, newest date, as_of timestamptz)
	RETURNS TABLE (name text, used_as text, part text, from_day date, to_day date)
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 10
BEGIN ATOMIC
	WITH present AS MATERIALIZED (
		SELECT p.*, @extschema@.kpi_midnight(p.newest_end) > as_of AS is_running, @extschema@.kpi_day(as_of) - newest AS elapsed,
			   @extschema@.kpi_starts(grain, newest, @extschema@.kpi_formula_reach(formula, p.per_year)) AS starts
		  FROM (SELECT @extschema@.kpi_period_end(grain, newest) AS newest_end, @extschema@.kpi_periods_per_year(grain) AS per_year) p
	), period AS (
		SELECT r.*, p.elapsed, p.is_running AND b IN (1, p.per_year) AND b > 0 AS is_cut,
			   p.starts[b + 1] AS period, CASE b WHEN 0 THEN p.newest_end ELSE p.starts[b] END AS period_end
		  FROM present p, @extschema@.kpi_formula_reads(formula, p.per_year) r, generate_series(r.nearest, r.farthest) b
	), known AS (
		SELECT p.name, p.used_as, p.part, p.period, p.nearest_month, p.farthest_month,
			   CASE WHEN p.is_cut THEN least(p.period + p.elapsed, p.period_end) ELSE p.period_end END AS period_end
		  FROM period p
		 WHERE NOT (p.is_cut AND p.elapsed <= 0)
	), month AS (
		SELECT k.name, k.used_as, k.part, m.starts[b + 2] AS period, m.starts[b + 1] AS period_end
		  FROM known k
		 CROSS JOIN LATERAL (SELECT @extschema@.kpi_starts('month', @extschema@.kpi_period_start('month', least(k.period_end, @extschema@.kpi_day(as_of))),
														   k.farthest_month + 1) AS starts OFFSET 0) m,	-- once, not for each month
			   generate_series(k.nearest_month, k.farthest_month) b
	), every AS (
		SELECT k.name, k.used_as, k.part, k.period, k.period_end FROM known k WHERE k.nearest_month IS NULL
		UNION ALL
		SELECT m.name, m.used_as, m.part, m.period, m.period_end FROM month m
	)
	SELECT e.name, e.used_as, CASE WHEN min(e.part) = max(e.part) THEN min(e.part) ELSE 'both' END, e.period, e.period_end
	  FROM every e
	 WHERE @extschema@.kpi_midnight(e.period) < as_of
	 GROUP BY e.name, e.used_as, e.period, e.period_end;
END;
COMMENT ON FUNCTION @extschema@.kpi_formula_periods(text, text, date, timestamptz) IS
'what an expanded formula reads for the period of the grain that begins on newest, at an instant: each measure, distribution, target and setting (used_as: value, state, target, setting) with its place in the fraction, and the days of the periods, or months, that it is read in, cut where the readers compare with a cut one. Periods that have not begun are left out';

/* A target with a number is a row of kpi_target, one without is of the bound source. */
CREATE FUNCTION @extschema@.kpi_drill_targets(kpi text, dimension text, member text, period date, period_end date)
	RETURNS TABLE (source text, key text, at timestamptz, amount numeric, source_row jsonb)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	piece record;
BEGIN
	FOR piece IN SELECT p.target, p.value FROM @extschema@.kpi_target_values(ARRAY[kpi], dimension, ARRAY[member], ARRAY[period], ARRAY[period_end]) v, unnest(v.pieces) p
				  ORDER BY (p.target).from_day, (p.target).to_day LOOP
		at := @extschema@.kpi_midnight((piece.target).from_day);
		amount := piece.value;
		IF (piece.target).target IS NOT NULL THEN
			source := 'kpi_target';
			key := (piece.target).target;
			source_row := (SELECT to_jsonb(t) FROM @extschema@.kpi_target t WHERE t.target = (piece.target).target);
		ELSE
			source := 'target';
			key := concat_ws(' ', kpi, nullif(dimension, 'total'), nullif(member, ''), to_char((piece.target).from_day, 'YYYY-MM-DD'));
			EXECUTE format('SELECT to_jsonb(s.source_row) FROM (%s) s WHERE s.kpi = $1 AND coalesce(nullif(s.dimension, ''''), ''total'') = $2 AND coalesce(s.member, '''') = $3'
						   ' AND @extschema@.kpi_day(s.from_day) = $4 AND @extschema@.kpi_day(s.to_day) = $5 LIMIT 1', @extschema@.kpi_source_select('target', true))
			   INTO source_row USING kpi, dimension, member, (piece.target).from_day, (piece.target).to_day;
		END IF;
		RETURN NEXT;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_targets(text, text, text, date, date) IS
'the rows that a target of the days from period to before period_end is made of, of kpi_target or of the bound source "target"; amount: what each adds to it';

CREATE TYPE @extschema@.kpi_drill_step AS (part text, measure text, source text, source_part text, members jsonb, from_days date[], to_days date[], query text, named text);
COMMENT ON TYPE @extschema@.kpi_drill_step IS
'what a drill reads at once: for a measure at its place in a formula (part) the periods that follow each other, ascending, and the query, once it is written (as of kpi_drill_query; members: its argument)';

CREATE FUNCTION @extschema@.kpi_drill_steps(formula text, grain text, newest date, dimension text, columns text[], as_of timestamptz) RETURNS SETOF @extschema@.kpi_drill_step
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 10
BEGIN ATOMIC
	WITH used AS MATERIALIZED (
		SELECT m.measure, m.source, m.part, k.kind <> 'stock' AND m.slot <> 'to_date' AS can_join
		  FROM @extschema@.kpi_formula_names(formula) n
		  JOIN @extschema@.kpi_measure m ON m.measure = n.name
		  JOIN @extschema@.kpi_part k USING (source, part)
		 WHERE n.used_as IN ('value', 'state') AND m.part = ANY (@extschema@.kpi_parts_to_read(m.source, NULL)) AND @extschema@.kpi_has_columns(m.source, m.needs, columns)
	), of_source AS MATERIALIZED (
		SELECT s.source, @extschema@.kpi_member_expressions(s.source, columns, d.parts) AS members
		  FROM @extschema@.kpi_source s, @extschema@.kpi_dimension d
		 WHERE s.source IN (SELECT u.source FROM used u) AND d.dimension = kpi_drill_steps.dimension
	), period AS (
		SELECT f.part, f.name, f.used_as, f.from_day, f.to_day, u.source, u.part AS source_part, s.members, NOT u.can_join OR (lag(f.to_day) OVER w = f.from_day) IS NOT TRUE AS is_apart
		  FROM @extschema@.kpi_formula_periods(formula, grain, newest, as_of) f
		  JOIN used u ON u.measure = f.name
		  JOIN of_source s USING (source)
		 CROSS JOIN LATERAL @extschema@.kpi_part_dimensions(u.part, s.members, ARRAY[kpi_drill_steps.dimension]) d
		 WHERE f.used_as IN ('value', 'state')
		WINDOW w AS (PARTITION BY f.part, f.name, f.used_as, u.source ORDER BY f.from_day, f.to_day)
	), run AS (
		SELECT p.*, count(*) FILTER (WHERE p.is_apart) OVER (PARTITION BY p.part, p.name, p.used_as, p.source ORDER BY p.from_day, p.to_day) AS n FROM period p
	)
	SELECT r.part, r.name, r.source, r.source_part, r.members, array_agg(r.from_day ORDER BY r.from_day), array_agg(r.to_day ORDER BY r.from_day), NULL::text, NULL::text
	  FROM run r
	 GROUP BY r.part, r.name, r.used_as, r.source, r.source_part, r.members, r.n
	 ORDER BY array_position('{numerator,both,denominator}', r.part), r.name, max(r.from_day) DESC, max(r.to_day) DESC;
END;
COMMENT ON FUNCTION @extschema@.kpi_drill_steps(text, text, date, text, text[], timestamptz) IS
'what is to be read for the rows behind an expanded formula, in order, without the queries';

CREATE FUNCTION @extschema@.kpi_drill_written(steps @extschema@.kpi_drill_step[], dimension text, columns text[]) RETURNS @extschema@.kpi_drill_step[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		WITH asked AS MATERIALIZED (
			SELECT m.measure, m.source, q.query, q.named
			  FROM (SELECT DISTINCT s.measure, s.source, s.source_part, s.members FROM unnest(steps) s) m
			 CROSS JOIN LATERAL @extschema@.kpi_drill_query(m.measure, m.source, m.source_part, dimension, columns, m.members) q
		)
		SELECT array_agg(ROW(s.part, s.measure, s.source, s.source_part, s.members, s.from_days, s.to_days, a.query, a.named)::@extschema@.kpi_drill_step ORDER BY s.n)
		  FROM unnest(steps) WITH ORDINALITY s(part, measure, source, source_part, members, from_days, to_days, query, named, n)
		  JOIN asked a USING (measure, source));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_written(@extschema@.kpi_drill_step[], text, text[]) IS 'steps of a drill with their queries';

CREATE FUNCTION @extschema@.kpi_drill_grid(from_days date[], to_days date[], as_of timestamptz) RETURNS @extschema@.kpi_grid
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	g @extschema@.kpi_grid;
	starts timestamptz[] := ARRAY(SELECT @extschema@.kpi_midnight(d.day) FROM unnest(from_days) WITH ORDINALITY d(day, n) ORDER BY d.n);
	end_day date := to_days[cardinality(to_days)];
	ends_at timestamptz := @extschema@.kpi_midnight(end_day);
	today date := @extschema@.kpi_day(as_of);
BEGIN
	g.as_of := as_of;
	g.bounds := starts || least(ends_at, as_of);
	g.days := from_days || least(end_day, today + CASE WHEN @extschema@.kpi_midnight(today) < as_of THEN 1 ELSE 0 END);
	g.instants := g.bounds;
	g.plan_bounds := starts || ends_at;
	g.plan_days := from_days || end_day;
	g.opening := ARRAY(SELECT n FROM generate_series(1, cardinality(from_days)) n ORDER BY n);
	g.closing := ARRAY(SELECT n + 1 FROM unnest(g.opening) n ORDER BY n);
	RETURN g;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_grid(date[], date[], timestamptz) IS
'the boundaries of periods that follow each other, the last of which may still be running at the instant taken as now';

CREATE FUNCTION @extschema@.kpi_drill_names(source text, named text, g @extschema@.kpi_grid, parameters integer[], most integer) RETURNS @extschema@.kpi_named
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	names text := (SELECT string_agg(format('array_agg(DISTINCT %s)', coalesce(c.column_name, 'NULL::text')), ', ' ORDER BY k.n)
					 FROM (VALUES (1, 'account', '{6,15,16,19}'::integer[]), (2, 'rep', '{7}'), (3, 'lead', '{9,12}'), (4, 'opportunity', '{10,11,12,19}')) k(n, called, looked_up)
					 LEFT JOIN @extschema@.kpi_source_column c ON k.looked_up && kpi_drill_names.parameters AND c.source = kpi_drill_names.source
															   AND c.column_name = CASE c.source WHEN k.called THEN 'id' ELSE k.called || '_id' END);
	ids record;
BEGIN
	SELECT * INTO ids
	  FROM @extschema@.kpi_execute(@extschema@.kpi_generic(format('SELECT %s, count(*) FROM (SELECT * FROM %s LIMIT %s) i', names, named, most + 1)),
				ROW(g.bounds, g.days, g.instants, g.as_of, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, g.plan_bounds, g.plan_days,
					NULL, NULL, g.opening, g.closing, NULL, NULL, NULL, NULL)::@extschema@.kpi_parameters) AS x(accounts text[], reps text[], leads text[], opportunities text[], n bigint);
	RETURN CASE WHEN ids.n <= most THEN ROW(coalesce(ids.accounts, '{}'), ids.reps, ids.leads, ids.opportunities)::@extschema@.kpi_named END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_names(text, text, @extschema@.kpi_grid, integer[], integer) IS
'of rows of a source (named: as of kpi_drill_query) the ids by which something is looked up in these parameters; NULL where there are more rows than the most';

/* Very many are better read with the rest than looked up one by one. */
CREATE FUNCTION @extschema@.kpi_drill_named(steps @extschema@.kpi_drill_step[], columns text[], as_of timestamptz) RETURNS @extschema@.kpi_named
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	most constant integer := 100000;
	all_named @extschema@.kpi_named := ROW('{}', '{}', '{}', '{}');
	ids @extschema@.kpi_named;
	step record;
BEGIN
	FOR step IN SELECT s.source, s.named, s.from_days, s.to_days, @extschema@.kpi_looked_up(string_agg(s.query, E'\n'), columns) AS parameters
				  FROM unnest(steps) s GROUP BY s.source, s.named, s.from_days, s.to_days LOOP
		CONTINUE WHEN NOT step.parameters && '{6,7,9,10,11,12,15,16,19}';
		IF step.named IS NULL THEN
			RETURN NULL;
		END IF;
		ids := @extschema@.kpi_drill_names(step.source, step.named, @extschema@.kpi_drill_grid(step.from_days, step.to_days, as_of), step.parameters, most);
		IF ids.accounts IS NULL THEN
			RETURN NULL;
		END IF;
		all_named := ROW(all_named.accounts || ids.accounts, all_named.reps || ids.reps, all_named.leads || ids.leads, all_named.opportunities || ids.opportunities);
	END LOOP;
	RETURN all_named;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_named(@extschema@.kpi_drill_step[], text[], timestamptz) IS
'what the rows of the periods name of the accounts, reps, leads and opportunities that are looked up; NULL where these rows cannot be told from others, or are very many';

/* As dear as it is, the planner leaves it until it is known which rows are wanted. */
CREATE FUNCTION @extschema@.kpi_row_json(source_row anyelement) RETURNS jsonb
	LANGUAGE internal STABLE STRICT PARALLEL SAFE
	COST 100
	AS 'to_jsonb';
COMMENT ON FUNCTION @extschema@.kpi_row_json(anyelement) IS 'to_jsonb, which the planner takes for cheap, at its cost for a whole row';

CREATE FUNCTION @extschema@.kpi_drill_sorted(query text, most bigint) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('SELECT r.period, r.key, r.at, r.amount, @extschema@.kpi_row_json(r.source_row) AS source_row FROM (%s) r ORDER BY r.period DESC, r.at%s, r.key COLLATE "C"%s',
				  query, CASE WHEN most IS NOT NULL THEN ' DESC NULLS LAST' ELSE '' END, ' LIMIT ' || most);
END;
COMMENT ON FUNCTION @extschema@.kpi_drill_sorted(text, bigint) IS
'a query as of kpi_drill_query whose rows are sorted, of each period the oldest first; most: the newest first, and no more rows than that (NULL: all)';

CREATE FUNCTION @extschema@.kpi_require_drill(kpi text, dimension text, member text, grain text, most integer) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi);
	PERFORM @extschema@.kpi_periods_per_year(grain);
	PERFORM @extschema@.kpi_require_dimension(dimension);
	PERFORM @extschema@.kpi_require_member(dimension, ARRAY[member]);
	IF most < 0 THEN
		RAISE EXCEPTION 'number of rows must be 0 or more, not %', most
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_drill(text, text, text, text, integer) IS 'raises what kpi_drill raises for its arguments';

/*
 * With a limit the rows of the first measure are often enough: the others are
 * only turned to, and then together, when they are not.
 */
CREATE FUNCTION @extschema@.kpi_drill(kpi text, period date DEFAULT NULL, dimension text DEFAULT 'total', member text DEFAULT '', grain text DEFAULT 'month',
									  most integer DEFAULT NULL)
	RETURNS TABLE (part text, measure text, from_day date, to_day date, source text, key text, at timestamptz, amount numeric, source_row jsonb)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD'
	SET jit = off
	SET plan_cache_mode = force_generic_plan	-- as in kpi_execute: dictionaries are large
	SET timezone = 'UTC'	-- so that what is set below ends with the function
AS $$
#variable_conflict use_column
DECLARE
	formula text;
	newest date;
	as_of timestamptz;
	parts text[];
	columns text[];
	steps @extschema@.kpi_drill_step[];
	taken @extschema@.kpi_drill_step[];
	step @extschema@.kpi_drill_step;
	parameters integer[];
	looked_up @extschema@.kpi_dictionaries;
	g @extschema@.kpi_grid;
	left_over bigint := most;
	n bigint;
BEGIN
	PERFORM @extschema@.kpi_require_drill(kpi, dimension, member, grain, most);
	PERFORM set_config('TimeZone', @extschema@.kpi_setting('time_zone'), true);
	formula := @extschema@.kpi_expanded(kpi);
	newest := coalesce(@extschema@.kpi_find_period(grain, dimension, period, NULL), @extschema@.kpi_period_start(grain, coalesce(period, @extschema@.kpi_today())));
	as_of := @extschema@.kpi_last_taken(newest, @extschema@.kpi_period_end(grain, newest));
	parts := @extschema@.kpi_member_parts(member, (SELECT cardinality(d.parts) FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_drill.dimension));
	columns := ARRAY(SELECT u.source || '.' || u.column_name || e.suffix
					   FROM @extschema@.kpi_usable_columns() u, LATERAL unnest(CASE u.type WHEN 'date' THEN '{"",:date}'::text[] ELSE '{""}' END) e(suffix));

	steps := ARRAY(SELECT s FROM @extschema@.kpi_drill_steps(formula, grain, newest, dimension, columns, as_of) s);
	PERFORM @extschema@.kpi_bound_sources(ARRAY(SELECT s.source FROM unnest(steps) s));
	WHILE steps <> '{}' AND (left_over > 0) IS NOT FALSE LOOP
		taken := @extschema@.kpi_drill_written(steps[:CASE WHEN most IS NOT NULL AND taken IS NULL THEN 1 ELSE cardinality(steps) END], dimension, columns);
		steps := steps[cardinality(taken) + 1:];
		parameters := @extschema@.kpi_looked_up((SELECT string_agg(s.query, E'\n') FROM unnest(taken) s), columns);
		PERFORM @extschema@.kpi_bound_sources(@extschema@.kpi_looked_up_sources(parameters));
		looked_up := @extschema@.kpi_make_dictionaries(parameters, columns, as_of, @extschema@.kpi_drill_named(taken, columns, as_of));
		FOREACH step IN ARRAY taken LOOP
			g := @extschema@.kpi_drill_grid(step.from_days, step.to_days, as_of);
			RETURN QUERY
				SELECT step.part, step.measure, step.from_days[x.n], step.to_days[x.n], step.source, x.key, x.at, trim_scale(x.amount), x.source_row
				  FROM @extschema@.kpi_execute(@extschema@.kpi_generic(@extschema@.kpi_drill_sorted(step.query, left_over)),
							ROW(g.bounds, g.days, g.instants, as_of,
							looked_up.rates, looked_up.accounts, looked_up.reps, looked_up.stages, looked_up.leads, looked_up.deals, looked_up.deal_states,
							looked_up.won_leads, g.plan_bounds, g.plan_days, looked_up.run_rates, looked_up.cohorts, g.opening, g.closing,
							looked_up.activities, NULL, NULL, parts)::@extschema@.kpi_parameters)
						AS x(n integer, key text, at timestamptz, amount numeric, source_row jsonb);
			GET DIAGNOSTICS n = ROW_COUNT;
			left_over := left_over - n;
			EXIT WHEN left_over = 0;
		END LOOP;
	END LOOP;

	RETURN QUERY	-- a formula knows the targets of its own period
		SELECT f.part, format('target(%s)', f.name), f.from_day, f.to_day, t.source, t.key, t.at, trim_scale(t.amount), t.source_row
		  FROM @extschema@.kpi_formula_periods(formula, grain, newest, as_of) f
		 CROSS JOIN LATERAL @extschema@.kpi_drill_targets(f.name, dimension, member, f.from_day, f.to_day) t
		 WHERE f.used_as = 'target' AND f.from_day = newest
		 ORDER BY array_position('{numerator,both,denominator}', f.part), f.name, t.at, t.key COLLATE "C" LIMIT left_over;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill(text, date, text, text, text, integer) IS
'the rows of the sources behind a number, as they are now (what was reported before is in the facts, see kpi_made_of): those of each measure in the formula of a KPI, for the period of a grain that contains the day (NULL: the last complete one) and a member of a dimension, with what the last snapshot took as now. For each measure and period (from_day to before to_day; more than one where a formula looks back) the amounts add up to the measure: 1 for what is counted, money in the reporting currency, days of a duration, the share of a cost or the days on the roster within the period. What is counted once (purchases, customers, contacts) has one row, the first; what customers pay has a row for each customer, with its movement, and its rows that reach into the period as an array. A target(...) in the formula has the targets that its value is made of, each with what it adds (measure: target(kpi), source: kpi_target, or target for the bound one). part: numerator, denominator or both, where the measure stands in the formula; key as in kpi_problem; at: what the row is dated by; source_row: the row of the bound relation. most: no more rows than that (NULL: all), those of the first measures, the newest. No rows where a measure is 0 or not available, and for a pipeline in the past without opportunity_history. Raises when a source cannot be read';

/* The same from the facts, whatever the number of rows. */
CREATE FUNCTION @extschema@.kpi_made_of(kpi text, period date DEFAULT NULL, dimension text DEFAULT 'total', member text DEFAULT '', grain text DEFAULT 'month')
	RETURNS TABLE (part text, measure text, from_day date, to_day date, source text, amount numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	formula text;
	newest date;
	amounts text;	-- SQL text of when clauses
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi);
	PERFORM @extschema@.kpi_periods_per_year(grain);
	PERFORM @extschema@.kpi_require_dimension(dimension);
	PERFORM @extschema@.kpi_require_member(dimension, ARRAY[member]);
	formula := @extschema@.kpi_expanded(kpi);
	newest := @extschema@.kpi_find_period(grain, dimension, period, NULL);
	IF newest IS NULL THEN	-- nothing was computed
		RETURN;
	END IF;
	SELECT string_agg(DISTINCT format(CASE n.used_as WHEN 'state' THEN ' WHEN %1$L THEN @extschema@.kpi_mean(k.%1$I) * @extschema@.kpi_count(k.%1$I)' ELSE ' WHEN %1$L THEN k.%1$I' END, n.name), '')
	  INTO amounts
	  FROM @extschema@.kpi_formula_names(formula) n
	 WHERE n.used_as IN ('value', 'state');
	RETURN QUERY EXECUTE format($q$
		WITH reads AS MATERIALIZED (
			SELECT f.* FROM @extschema@.kpi_formula_periods($1, $2, $3, @extschema@.kpi_last_taken($3, @extschema@.kpi_period_end($2, $3))) f
		), made AS (
			SELECT f.part, f.name, f.from_day, f.to_day, m.source, CASE f.name%s END AS amount
			  FROM reads f
			  JOIN (SELECT DISTINCT b.source, m.measure
					  FROM @extschema@.kpi_source b JOIN @extschema@.kpi_measure m USING (source)
					 WHERE m.part = ANY (@extschema@.kpi_parts_to_read(b.source, NULL))) m ON m.measure = f.name
			  JOIN LATERAL (SELECT * FROM @extschema@.kpi_fact k
							 WHERE k.superseded_at IS NULL AND k.dimension = $4 AND k.member = $5 AND k.grain IN ($2, $2 || '_cut', 'month')
							   AND k.period = f.from_day AND k.period_end = f.to_day LIMIT 1) k ON true
			 WHERE f.used_as IN ('value', 'state')
			UNION ALL
			SELECT f.part, format('target(%%s)', f.name), f.from_day, f.to_day, 'target', t.value
			  FROM reads f
			 CROSS JOIN LATERAL @extschema@.kpi_target_values(ARRAY[f.name], $4, ARRAY[$5], ARRAY[f.from_day], ARRAY[f.to_day]) t
			 WHERE f.used_as = 'target' AND f.from_day = $3
		)
		SELECT m.part, m.name, m.from_day, m.to_day, m.source, trim_scale(m.amount)
		  FROM made m
		 WHERE m.amount <> 0
		 ORDER BY array_position('{numerator,both,denominator}', m.part), m.name, m.from_day DESC, m.to_day DESC$q$, coalesce(amounts, ' WHEN NULL THEN NULL::numeric'))
	USING formula, grain, newest, dimension, member;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_made_of(text, date, text, text, text) IS
'what a number is made of, from the facts: each measure in the formula of a KPI, at its place (part: numerator, denominator or both), in each period that the formula reads (from_day to before to_day; more than one where it looks back), for the computed period of a grain that contains the day (NULL: the last complete one) and a member of a dimension: what the amounts of the rows that kpi_drill gives add up to (of a distribution, as nearly as its mean is rounded), and which source they are of. A target(...) in the formula is of the source target. No rows where a measure is 0 or not available';
