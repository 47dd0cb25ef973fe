/*
 * The queries of a drill: SQL text for the rows behind a measure, and the
 * dictionaries that it looks things up in.
 *
 * They are made of the same catalog and the same pieces of SQL text as those of
 * the snapshot: what a row's part, member, rate and amount are is said once.
 * Their parameters are those of kpi_source_query, with the boundaries of
 * periods that follow each other ($3: the start of each and the end of the
 * last), and $11, the parts of the member.
 *
 * The snapshot reads a source as a whole; a drill puts plain conditions on the
 * column that a row is dated by, so that an index on it is of use, and makes
 * its dictionaries of what the rows of the periods name, and only those that it
 * looks something up in.
 */

/* ---------- dictionaries ---------- */

CREATE TYPE @extschema@.kpi_dictionaries AS (
	rates		@extschema@.kpi_dictionary,
	accounts	@extschema@.kpi_dictionary,
	reps		@extschema@.kpi_dictionary,
	stages		@extschema@.kpi_dictionary,
	leads		@extschema@.kpi_dictionary,
	deals		@extschema@.kpi_dictionary,
	won_leads	@extschema@.kpi_dictionary,
	run_rates	@extschema@.kpi_dictionary,
	cohorts		@extschema@.kpi_dictionary,
	activities	@extschema@.kpi_dictionary
);
COMMENT ON TYPE @extschema@.kpi_dictionaries IS
'the dictionaries that queries over the sources look things up in; NULL: not needed, or its source not bound';

/* The query that makes the cohorts looks things up, too. */
CREATE FUNCTION @extschema@.kpi_looked_up(query text, columns text[]) RETURNS integer[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	in_cohorts text := CASE WHEN position('(SELECT $16)' IN query) > 0 THEN @extschema@.kpi_cohorts_query(columns) END;
BEGIN
	RETURN ARRAY(SELECT DISTINCT m.n[1]::integer FROM regexp_matches(concat(query, in_cohorts), E'\\(SELECT \\$(\\d+)\\)', 'g') m(n));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_looked_up(text, text[]) IS
'the parameters by which a query over the sources looks things up; columns: the usable ones as source.column';

CREATE FUNCTION @extschema@.kpi_looked_up_sources(parameters integer[]) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(array_agg(v.source ORDER BY v.parameters), '{}')
	  FROM (VALUES ('exchange_rate', '{5,15}'::integer[]), ('account', '{6}'), ('rep', '{7}'), ('stage', '{8}'), ('lead', '{9}'), ('opportunity', '{10,12,19}')) v(source, parameters)
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
	IF source = 'opportunity' THEN	-- each of the two by itself
		expressions := ARRAY[CASE WHEN parameters && '{10,19}' THEN expressions[1] END, CASE WHEN 12 = ANY (parameters) THEN expressions[2] END];
	END IF;
	RETURN format('SELECT %s, %s FROM (%s%s) s', coalesce(expressions[1], 'NULL::@extschema@.kpi_dictionary'), coalesce(expressions[2], 'NULL::@extschema@.kpi_dictionary'),
				  @extschema@.kpi_source_select(source), ' WHERE ' || those);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_dictionaries_query(text, integer[], text[], boolean) IS
'SQL text that makes the dictionaries of a source which are parameters of a query, two at most. of_named: only of what is named, by parameters $1 accounts, $2 reps, $3 opportunities, $4 leads';

/* Of opportunities by whose account or rep something is looked up in turn. */
CREATE FUNCTION @extschema@.kpi_with_reached(named @extschema@.kpi_named, parameters integer[]) RETURNS @extschema@.kpi_named
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	accounts text[];
	reps text[];
BEGIN
	IF named.accounts IS NOT NULL AND 10 = ANY (parameters) AND parameters && '{6,7,15,16,19}' AND @extschema@.kpi_source_relation('opportunity') IS NOT NULL THEN
		SELECT x.* INTO accounts, reps
		  FROM @extschema@.kpi_execute(format('SELECT array_agg(DISTINCT s.account_id), array_agg(DISTINCT s.rep_id) FROM (%s WHERE %s) s',
					@extschema@.kpi_source_select('opportunity'), @extschema@.kpi_has_id('opportunity', 'id', '$1')), ROW(named.opportunities)) AS x(accounts text[], reps text[]);
		named.accounts := named.accounts || accounts;
		named.reps := named.reps || reps;
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
BEGIN
	named := @extschema@.kpi_with_reached(named, parameters);
	FOREACH source IN ARRAY array_remove(@extschema@.kpi_looked_up_sources(parameters), 'lead') LOOP
		CONTINUE WHEN @extschema@.kpi_source_relation(source) IS NULL;
		SELECT x.* INTO first_dictionary, second_dictionary
		  FROM @extschema@.kpi_execute(@extschema@.kpi_dictionaries_query(source, parameters, columns, are_named),
					ROW(named.accounts, named.reps, named.opportunities, named.leads)) AS x(first @extschema@.kpi_dictionary, second @extschema@.kpi_dictionary);
		CASE source
			WHEN 'exchange_rate' THEN made.rates := first_dictionary;
			WHEN 'account' THEN made.accounts := first_dictionary;
			WHEN 'rep' THEN made.reps := first_dictionary;
			WHEN 'stage' THEN made.stages := first_dictionary;
			WHEN 'opportunity' THEN
				made.deals := first_dictionary;
				made.won_leads := second_dictionary;
		END CASE;
	END LOOP;
	IF 9 = ANY (parameters) AND 'lead.created_at' = ANY (columns) THEN
		made.leads := (SELECT x.d FROM @extschema@.kpi_execute(@extschema@.kpi_leads_query(CASE WHEN are_named THEN @extschema@.kpi_has_id('lead', 'id', '$1') END),
															   ROW(named.leads)) AS x(d @extschema@.kpi_dictionary));
	END IF;
	IF 15 = ANY (parameters) THEN
		made.run_rates := (SELECT x.d FROM @extschema@.kpi_execute(@extschema@.kpi_run_rates_query(columns, CASE WHEN are_named THEN '$2' END),
																   ROW(made.rates, named.accounts)) AS x(d @extschema@.kpi_dictionary));
	END IF;
	IF 16 = ANY (parameters) THEN
		made.cohorts := (SELECT x.d FROM @extschema@.kpi_execute(@extschema@.kpi_cohorts_query(columns, CASE WHEN are_named THEN '$16' END),
			ROW(NULL::timestamptz[], NULL::date[], NULL::timestamptz[], as_of, made.rates, made.accounts, made.reps, made.stages, made.leads,
				made.deals, NULL::text[], made.won_leads, NULL::timestamptz[], NULL::date[], made.run_rates, named.accounts)) AS x(d @extschema@.kpi_dictionary));
	END IF;
	IF 19 = ANY (parameters) THEN
		made.activities := (SELECT x.d FROM @extschema@.kpi_execute(@extschema@.kpi_activities_query(columns, CASE WHEN are_named THEN '$3' END),
																	ROW(made.deals, as_of, named.accounts)) AS x(d @extschema@.kpi_dictionary));
	END IF;
	RETURN made;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_make_dictionaries(integer[], text[], timestamptz, @extschema@.kpi_named) IS
'the dictionaries that are these parameters of queries, read from the sources; columns: the usable ones as source.column; as_of: the instant taken as now; named: what is looked up in them (NULL: whatever there is)';

/* ---------- queries ---------- */

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
		SELECT string_agg(format('@extschema@.kpi_member_part(coalesce(nullif(%s, ''''), ''(none)'')) = ($11)[%s]', replace(members ->> b.base, '{at}', at), b.n), ' AND ' ORDER BY b.n)
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
 * who have one.  In a member a customer's movements are made of his rows there,
 * so that no others need a ledger.
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
	/* Customers are sorted, for one aggregate is: hashed, all their ledgers would be in memory at once, and each new one looks at those there are. */
	query := format($q$
SELECT c.period, g.customer AS key, g.since AS at, c.%1$s::numeric AS amount,
	   (SELECT jsonb_agg(DISTINCT x.source_row) FROM unnest(g.source_rows, g.row_starts, g.row_ends) x(source_row, starts, ends)
		 WHERE x.starts < ($3)[c.period + 1] AND (x.ends >= ($3)[c.period]) IS NOT FALSE) AS source_row
  FROM (SELECT %2$s AS customer, min(%3$s ORDER BY %3$s) AS since, @extschema@.kpi_ledger($3, %4$L, %5$s) FILTER (WHERE is_of_part) AS ledger,
			   array_agg(to_jsonb(source_row)) FILTER (WHERE %7$s) AS source_rows, array_agg(%3$s) FILTER (WHERE %7$s) AS row_starts, array_agg(%8$s) FILTER (WHERE %7$s) AS row_ends
		  FROM (SELECT *, %6$s AS is_of_part FROM %9$s OFFSET 0) s%10$s
		 GROUP BY 1) g, @extschema@.kpi_movements(g.ledger, $17, $18) c
 WHERE ARRAY(SELECT @extschema@.kpi_member_part(p) FROM unnest(c.members) p) = $11 AND c.%1$s <> 0$q$,
		movement, ledger.arguments[1], p.starts, ledger.shape, array_to_string(ledger.arguments, ', '), ledger.condition,
		concat_ws(' AND ', 'is_of_part', format('(%s >= ($3)[1]) IS NOT FALSE', ledger.arguments[3])),
		ledger.arguments[3], looked_at, ' WHERE ' || of_member);
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
 * names, which is therefore asked first.
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

/* Of what is counted once the expression names whom, mostly as CASE WHEN it counts THEN name END. */
CREATE FUNCTION @extschema@.kpi_drill_slot(measure text, source text, part text, OUT own_slot text, OUT slot text, OUT expression text, OUT entity text, OUT name text)
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
	name := coalesce((regexp_match(entity, '^CASE WHEN (?:(?!THEN|CASE).)* THEN ((?:(?!WHEN|ELSE).)*) END$'))[1], entity);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_slot(text, text, text) IS
'how a measure is read from its part: its own slot, and, which may be those of another measure that it is at another time, slot, expression, and expressions of whom it counts once (NULL: it counts rows), and whom it would if the row counted';

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
				@extschema@.kpi_fill_in(m.name, source, at, columns), format('%s < %s[1]', t.moment, t.bounds), CASE m.slot WHEN 'first_flagged' THEN expression END)
		WHEN entity IS NOT NULL THEN format('SELECT DISTINCT ON (q.period, q.entity) q.period, q.key, q.at, q.amount, q.source_row FROM (%s) q ORDER BY q.period, q.entity, q.at, q.key COLLATE "C"', query)
		ELSE format('SELECT q.period, q.key, q.at, q.amount, q.source_row FROM (%s) q', query) END;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drill_query(text, text, text, text, text[], jsonb) IS
'SQL text of the query for the rows of periods and a member behind a measure: number of the period, key, at, amount, source_row (jsonb, or what to_jsonb is to be called with); members: as of kpi_member_expressions for the parts of the dimension. Only to see what was first in a period, and for a ledger, it reads rows before it. named: SQL text, from FROM on, of the rows that name all that it looks up, perhaps of others too (NULL: any row may). There may be several periods, each beginning where the one before ends, but for stocks and what is measured since ever';
