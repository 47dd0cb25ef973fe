/*
 * kpi_source_query: the one query that reads a source.
 *
 * It is built from the catalog of parts, measures, faults and dimensions and
 * from the columns that the bound relations have.  Its parameters are
 * kpi_parameters, $1 and so on:
 *	 $1 boundaries of flows (instants)	 $2 the same as days   $3 instants of stocks
 *	 $4 the instant taken as now	 $13, $14 boundaries of plans: as $1 and $2, but to the end of the running periods
 * and, as dictionaries (NULL where the source is not bound),
 *	 $5 currency: rate		 $6 account		$7 rep		$8 stage	   $9 lead: created_at
 *	 $10 opportunity: members, amount, probability, closed_at, currency, status	 $12 lead: first won deal
 *	 $15 customer and currency: rate at which an uninterrupted run began
 *	 $16 customer: month of the first purchase or payment
 *	 $19 customer: kinds of activities, each from when it was done (where they are asked for)
 * and, of the periods of ledgers, $17 the numbers of their openings in $3 and $18 of their closings; where
 * not all periods are taken, $20 the instants within those that are; and $21 the grid as a whole.  $11 is of drills.
 * The cube of a part that is also measured since ever has one atom more, the
 * first, for what lies before all periods.
 * A dictionary stands in the query as (SELECT $n), which is evaluated once.
 */
CREATE TYPE @extschema@.kpi_bad_rows AS (reason text, bad_rows bigint, keys text[]);
COMMENT ON TYPE @extschema@.kpi_bad_rows IS 'bad rows of one source for one reason: how many and the smallest of their keys';

CREATE TYPE @extschema@.kpi_grid AS (as_of timestamptz, bounds timestamptz[], days date[], instants timestamptz[], plan_bounds timestamptz[], plan_days date[],
	first_atom integer[], last_atom integer[], first_plan_atom integer[], last_plan_atom integer[], opening integer[], closing integer[], present integer[],
	starts_at timestamptz[], at timestamptz[], only_within tstzmultirange, every_instant timestamptz[]);
COMMENT ON TYPE @extschema@.kpi_grid IS
'the periods of a reading, and the boundaries they are made of. as_of: the instant taken as now; bounds and days: boundaries of flows; instants: of stocks; plan_bounds and plan_days: of plans, to the end of the running periods. For each period first_atom to last_atom: which stretches between bounds it is made of, first_plan_atom to last_plan_atom: of those between plan_bounds; opening and closing: numbers of the instants at its start and at its end, or now; present: 1 where its end is not past; starts_at and at: those two instants. A period that is not wanted is NULL in all of these; only_within: the time of those that are, where they are less than half of all (else NULL); every_instant: then, the instants of all there are (NULL: instants)';

CREATE TYPE @extschema@.kpi_reading AS (source text, part text, panel @extschema@.kpi_panel, measures integer[], first_atom integer,
	first_at timestamptz, rates @extschema@.kpi_dictionary, bad_rows @extschema@.kpi_bad_rows[]);
COMMENT ON TYPE @extschema@.kpi_reading IS
'what reading a source gave: for each part one panel or more, with the measures that its values are (numbers as of kpi_fact_measures) and the first atom of its grid that has anything; for the source as a whole (part NULL) when subscriptions begin, the rates of exchange_rate, and the bad rows';

/* The columns of kpi_fact that are measures, in their order. */
CREATE FUNCTION @extschema@.kpi_fact_measures() RETURNS TABLE (measure text, type text, n integer)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), row_number() OVER (ORDER BY a.attnum)::integer
	  FROM pg_catalog.pg_attribute a
	 WHERE a.attrelid = '@extschema@.kpi_fact'::regclass AND NOT a.attisdropped
	   AND a.attname IN (SELECT m.measure FROM @extschema@.kpi_measure m)
	 ORDER BY a.attnum;
END;
COMMENT ON FUNCTION @extschema@.kpi_fact_measures() IS 'the measure columns of kpi_fact and their types, in order; n: the number of each';

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
	SELECT f.n FROM @extschema@.kpi_fact_measures() f WHERE f.measure = kpi_measure_number.measure;
END;
COMMENT ON FUNCTION @extschema@.kpi_measure_number(text) IS 'the place of a measure in kpi_fact_measures; NULL for something else';

CREATE FUNCTION @extschema@.kpi_measure_sources() RETURNS TABLE (n integer, sources text[])
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 70
BEGIN ATOMIC
	WITH read AS MATERIALIZED (
		SELECT s.source, @extschema@.kpi_parts_to_read(s.source, NULL) AS parts FROM @extschema@.kpi_source s
	)
	SELECT f.n, array_agg(DISTINCT m.source) FILTER (WHERE m.source IS NOT NULL)
	  FROM @extschema@.kpi_fact_measures() f
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
		SELECT CASE WHEN own.slot IN ('to_date', 'opening') THEN own.slot ELSE 'period' END AS at, k.slot, k.n, k.expression, f.n AS measure
		  FROM slot own
		  LEFT JOIN @extschema@.kpi_fact_measures() f ON f.measure = own.measure
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
		   || CASE WHEN p.kind IN ('flow', 'plan', 'spread') THEN format(', ARRAY[%s]::integer[]', array_to_string(r.measures, ', ', 'NULL'))
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
	SET plan_cache_mode = force_generic_plan	-- of all that it calls: else most would be planned five times a session
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
				   LATERAL (SELECT '{account.valid_from,rep.valid_from}'::text[] && columns AS is_kept) h
			 WHERE e.base IN (SELECT unnest(d.parts) FROM @extschema@.kpi_wanted_dimensions(wanted_dimensions) d)) m;
	/* Columns that are missing come outside of that, where the planner sees that they are constant, and so is much of what is made of them. */
	IF reads = 'source' THEN
		SELECT string_agg(c.names, ', ' ORDER BY c.place, c.column_name) FILTER (WHERE c.is_bound), string_agg(', ' || c.expression, '' ORDER BY c.place) FILTER (WHERE NOT c.is_bound)
		  INTO bound, missing FROM @extschema@.kpi_source_columns(kpi_source_query.source) c;
		bound := bound || CASE WHEN source IN ('rep', 'account') THEN ', starts, ends, covered_until' WHEN source = 'opportunity_history' THEN ', next_from' ELSE '' END;
	END IF;
	input := format('(SELECT s.*%s FROM (SELECT %s%s FROM (%s) s OFFSET 0) s) s', coalesce(missing, ''), bound, input,
					@extschema@.kpi_rows_select(source, reads, columns)) || coalesce(', ' || pieces || ' p', '');
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
			readings := readings || format('(%L::text, %L::text, %s, ARRAY[%s]::integer[], %s::integer, NULL::timestamptz, NULL::@extschema@.kpi_dictionary, NULL::@extschema@.kpi_bad_rows[])', source, part.part,
				CASE WHEN state IS NULL THEN grouped ELSE format('@extschema@.kpi_panel(a.state%s, %s)', n, reading.periods) END, array_to_string(reading.measures, ', ', 'NULL'),
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
	RETURN format(E'SELECT r.*, a.dictionary1, a.dictionary2\n'
				  ' FROM (SELECT ARRAY[%s]::@extschema@.kpi_bad_rows[] AS bad_rows,\n %s AS dictionary1, %s AS dictionary2, %s AS first_at%s\n FROM %s OFFSET 0) a,\n LATERAL (VALUES %s) r(source, part, panel, measures, first_atom, first_at, rates, bad_rows)',
		array_to_string(bad, E',\n '),
		coalesce(dictionaries[1] || CASE WHEN pieces IS NOT NULL THEN ' FILTER (WHERE is_first)' ELSE '' END, 'NULL::@extschema@.kpi_dictionary'),
		coalesce(dictionaries[2], 'NULL::@extschema@.kpi_dictionary'),
		CASE source WHEN 'subscription' THEN 'min(valid_from)' ELSE 'NULL::timestamptz' END, states, input, array_to_string(readings, E',\n '));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_source_query(text, text[], text[], text[], integer, text, boolean, boolean) IS
'the SQL text of the one query that reads a source: rows of kpi_reading, and dictionaries. Its parameters are kpi_parameters. buckets: 1 for ledgers of all customers; else movements are read in as many groups of customers. reads: as of kpi_part, the same for all the wanted parts; only_some: as of kpi_cube_expression; with_faults: whether bad rows are looked for';
