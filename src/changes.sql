/*
 * Only what changed: which periods of which sources a default snapshot has to
 * take.  Here are the queries for it; search.sql asks them.
 *
 * A period is taken anew when its facts were never computed, when they were
 * computed before it was over or fewer of its days had begun, and of a source
 * when something changed since of which its measures are made (track.sql).  All
 * others are as they were, for facts are a function of the sources, and of the
 * clock only in ways that are listed below.  Where that is in doubt, the running
 * ones are taken.
 *
 * Which periods a source row influences follows from kpi_part: a flow or plan
 * that of its instant; a stock or spread those that its interval touches; a
 * ledger, and what counts only the first of something ever, all from its
 * instant on.  An exchange rate holds from its day on.
 *
 * Sources look each other up, by names: a column account_id, opportunity_id or
 * lead_id.  So where columns changed that others look up (kpi_seen_columns) what
 * changed is widened, before it is turned into periods: to the opportunities of
 * changed accounts and leads (the region of a deal, the first contact), to the
 * leads of changed opportunities (their conversion), and then to all rows of any
 * source that name one of these; from subscriptions to the purchases of their
 * customers (the cohort), and where purchases tell it to sales before the first
 * one; within the history of an opportunity to all of it (the stages passed),
 * and from a reply to the other messages to that contact, of which the first is
 * the one that counts.
 *
 * The clock.  What has an instant to come counts when that has passed, in the
 * running periods.  At midnight these are taken anew of all sources: dates pass
 * then and only then, and days begin.  Between two midnights a source is still
 * as long as no row changed, in it or in what its rows look up, and none of its
 * instants came.  Which is the next to come is looked for once after a change,
 * and kept with the run (next_at).  Where rates, or histories of accounts or
 * reps, may be others now than they were, no source is still, nor after a
 * snapshot with day bounds, which looks for missing rates at its own boundaries.
 *
 * A still source is not read, but for one that another looks something up in:
 * all that reading it would give is there already, the bad rows too.  So a row
 * that influences no day, since it has none, keeps its source from being still.
 *
 * A measure "since" changes an earlier period, so of sources with such measures
 * the rows that have an instant between the last snapshot and this one count as
 * changed.  What is planned is valued and assigned as of now: where currencies
 * or histories let that differ from what it was, periods with overdue plans are
 * taken anew.
 */
/*
 * What facts are made from besides the rows of the sources.  Catalog rows are
 * taken with their xmin and ctid, so that what was changed and changed back, or
 * twice in a transaction, shows too.
 */
CREATE FUNCTION @extschema@.kpi_basis() RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH lineage AS MATERIALIZED (
		SELECT DISTINCT l.item, l.relation
		  FROM @extschema@.kpi_source s, @extschema@.kpi_lineage(@extschema@.kpi_source_relation(s.source)) l
		 WHERE l.item IN ('table', 'view')
	), member AS MATERIALIZED (
		SELECT DISTINCT m.relation FROM lineage l, @extschema@.kpi_table_tree(l.relation) m(relation) WHERE l.item = 'table'
	), rule AS MATERIALIZED (
		SELECT r.oid, r.xmin, r.ctid FROM lineage l JOIN pg_catalog.pg_rewrite r ON r.ev_class = l.relation WHERE l.item = 'view'
	)
	SELECT pg_catalog.md5(pg_catalog.string_agg(b.kind || ' ' || b.what, E'\n' ORDER BY b.kind COLLATE "C", b.what COLLATE "C"))
	  FROM (
		SELECT 'extension' AS kind, e.extname || ' ' || e.extversion AS what FROM pg_catalog.pg_extension e
		UNION ALL
		SELECT 'setting', v.setting || '=' || v.value FROM @extschema@.kpi_setting_value v WHERE v.setting NOT IN ('language', 'lookback_days')
		UNION ALL
		SELECT 'calendar', c.grain || ' ' || c.period || ' ' || c.period_end FROM @extschema@.kpi_calendar c
		UNION ALL
		SELECT 'dimension', d.dimension || '=' || d.parts::text FROM @extschema@.kpi_dimension d
		UNION ALL
		SELECT 'column', u.source || '.' || u.column_name || ' ' || u.type || ' ' || @extschema@.kpi_source_relation(u.source)::oid
		  FROM @extschema@.kpi_usable_columns() u
		UNION ALL
		SELECT 'rule', r.oid || ' ' || r.xmin || ' ' || r.ctid FROM rule r
		UNION ALL
		/* What a function calls, its text does not always tell. */
		SELECT 'function', p.oid || ' ' || p.xmin || ' ' || p.ctid
		  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		 WHERE p.oid >= 16384 AND n.nspname NOT LIKE E'pg\\_temp%'
		   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
							WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
		   AND EXISTS (SELECT FROM rule r
						 JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid AND d.refobjid >= 16384
												AND d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass))
		UNION ALL
		SELECT 'enum', e.oid || ' ' || e.xmin || ' ' || e.ctid
		  FROM pg_catalog.pg_enum e
		 WHERE EXISTS (SELECT FROM member m JOIN pg_catalog.pg_attribute a ON a.attrelid = m.relation AND a.attnum > 0 AND NOT a.attisdropped
						 JOIN pg_catalog.pg_type t ON t.oid = @extschema@.kpi_base_type(a.atttypid::regtype)
						WHERE e.enumtypid IN (t.oid, t.typelem))
			OR EXISTS (SELECT FROM rule r JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
													 AND d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid = e.enumtypid)
		UNION ALL
		SELECT 'table', m.relation::oid || ' ' || a.attnum || ' ' || a.xmin || ' ' || a.ctid
		  FROM member m JOIN pg_catalog.pg_attribute a ON a.attrelid = m.relation AND a.attnum > 0
		UNION ALL
		/* A table that is unlogged for a while may be emptied by a crash; to be so, and not any more, gives it another file. */
		SELECT 'file', c.oid || ' ' || c.relfilenode FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.relation
		UNION ALL
		SELECT 'part', i.inhrelid || ' ' || i.inhparent || ' ' || i.xmin || ' ' || i.ctid
		  FROM member m JOIN pg_catalog.pg_inherits i ON i.inhrelid = m.relation
		UNION ALL
		SELECT 'trigger', t.oid || ' ' || t.xmin || ' ' || t.ctid
		  FROM member m JOIN pg_catalog.pg_trigger t ON t.tgrelid = m.relation AND t.tgfoid = '@extschema@.kpi_track_change()'::regprocedure
	  ) b;
END;
COMMENT ON FUNCTION @extschema@.kpi_basis() IS
'a hash of what facts are made from besides rows: extensions, settings, dimensions, a calendar of one''s own, the definitions of views, tables and triggers under the sources, the files of tables, labels of their enums and, where a view calls a function that is not PostgreSQL''s own, all functions that are of no extension. Facts of different bases may differ though no row changed';

/*
 * SQL text of the days that a row influences, as an array of ranges over its
 * instants (columns of their names, of type date).
 */
CREATE FUNCTION @extschema@.kpi_spans_expression(source text, columns text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH part AS (
		SELECT p.kind,
			   CASE WHEN p.starts <> 'NULL' THEN (SELECT string_agg(DISTINCT w.m[1], ', ') FROM regexp_matches(p.starts, E'\\w+', 'g') w(m)
				WHERE kpi_spans_expression.source || '.' || w.m[1] = ANY (columns)) END AS starts,
			   (SELECT string_agg(DISTINCT w.m[1], ', ') FROM regexp_matches(p.ends, E'\\w+', 'g') w(m)
				WHERE kpi_spans_expression.source || '.' || w.m[1] = ANY (columns)
				  AND p.ends NOT LIKE '%next_from%') AS ends,	-- a row may end with another
			   p.kind = 'ledger' OR EXISTS (
					SELECT FROM @extschema@.kpi_slots(p.source, p.part) s
					 WHERE s.slot IN ('first', 'to_date') AND @extschema@.kpi_has_columns(p.source, s.needs, columns)) AS for_good
		  FROM @extschema@.kpi_part p
		 WHERE p.source = kpi_spans_expression.source AND p.part = ANY (@extschema@.kpi_parts_to_read(p.source, NULL)) AND p.reads = 'source'
		UNION ALL	-- what is made of its rows counts at one of their instants
		SELECT p.kind, u.column_name, NULL, false
		  FROM @extschema@.kpi_part p JOIN @extschema@.kpi_usable_columns() u ON u.source = p.source AND u.kind = 'instant'
		 WHERE p.source = kpi_spans_expression.source AND p.reads <> 'source' AND u.source || '.' || u.column_name = ANY (columns)
		UNION ALL
		SELECT 'ledger', 'valid_on', NULL, true WHERE kpi_spans_expression.source = 'exchange_rate'
	)
	SELECT 'ARRAY[' || string_agg(DISTINCT format('CASE WHEN least(%1$s) IS NOT NULL THEN %2$s%3$s END', p.starts,
		CASE WHEN p.for_good THEN format('daterange(least(%s), NULL)', p.starts)
			 WHEN p.kind IN ('flow', 'plan') THEN format('daterange(least(%1$s), least(%1$s) + 1)', p.starts)
			 ELSE format('CASE WHEN greatest(%2$s) IS NULL THEN daterange(least(%1$s), NULL) ELSE daterange(least(%1$s, %2$s), greatest(%1$s, %2$s) + 1) END',
						 p.starts, coalesce(p.ends, 'NULL::date')) END,
		CASE kpi_spans_expression.source WHEN 'account' THEN ' ELSE daterange(''-infinity'', NULL)' ELSE '' END), ', ') || ']::daterange[]'	-- a row without a start begins where another one ends
	  FROM part p WHERE p.starts IS NOT NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_spans_expression(text, text[]) IS
'SQL text of the days in whose periods a row of a source can change a measure: an array of ranges, open where it does so for good; columns: the usable ones as source.column. NULL when the source is nothing but looked up';

/*
 * Others look up but some of a source's columns; a customer's cohort is that of
 * the first subscription that counts.  A lead as a whole counts when it is
 * converted, which its opportunity may tell.  The currency of opportunities is
 * among what tells which of two with one id is found (dictionary_build.c).
 */
CREATE FUNCTION @extschema@.kpi_seen_columns(source text, columns text[]) RETURNS text[]
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE source
		WHEN 'account' THEN '{id,valid_from,valid_to}'::text[] || @extschema@.kpi_dictionary_attributes(source, columns)
		WHEN 'opportunity' THEN '{id,lead_id,status,closed_at,currency}'::text[] || @extschema@.kpi_dictionary_attributes(source, columns)
		WHEN 'subscription' THEN '{account_id,opportunity_id,valid_from,status,billing_unit,billing_count,currency}'::text[]
			|| CASE WHEN 'subscription.currency' = ANY (columns) THEN '{valid_to}' ELSE '{}' END::text[]	-- with which a run may begin elsewhere
			|| CASE WHEN EXISTS (SELECT FROM @extschema@.kpi_traced_columns('subscription') t WHERE t.column_name = 'amount') THEN '{}' ELSE '{amount,valid_to}' END::text[] END;
END;
COMMENT ON FUNCTION @extschema@.kpi_seen_columns(text, text[]) IS
'the columns of a source on which depends what others find of its rows (of a subscription besides: whether it costs something and lasts); NULL: all. columns: the usable ones as source.column';

CREATE FUNCTION @extschema@.kpi_unseen_columns(source text, columns text[]) RETURNS text[]
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH lineage AS MATERIALIZED (
		SELECT l.* FROM @extschema@.kpi_lineage(@extschema@.kpi_source_relation(kpi_unseen_columns.source)) l
	), home AS (
		SELECT t.place FROM @extschema@.kpi_traced_columns(kpi_unseen_columns.source) t WHERE t.place IS NOT NULL LIMIT 1	-- they are all of one
	), seen AS (
		SELECT unnest(@extschema@.kpi_seen_columns(kpi_unseen_columns.source, columns)) AS name
	)
	SELECT ARRAY(SELECT c FROM home h JOIN lineage l USING (place), unnest(l.columns) c WHERE l.item = 'column' AND l.name NOT IN (SELECT name FROM seen)
				 EXCEPT
				 SELECT c FROM home h JOIN lineage l USING (place), unnest(l.columns) c
				  WHERE l.item = 'condition' OR l.item = 'column' AND l.name IN (SELECT name FROM seen))
	 WHERE EXISTS (SELECT FROM seen)
	   AND NOT EXISTS (SELECT FROM seen s JOIN unnest(columns) u(column_name) ON u.column_name = kpi_unseen_columns.source || '.' || s.name
						WHERE s.name NOT IN (SELECT l.name FROM lineage l WHERE l.item = 'column'));
END;
COMMENT ON FUNCTION @extschema@.kpi_unseen_columns(text, text[]) IS
'the columns of the table that tells a source''s instants in which a change concerns nothing but the row itself; NULL when that cannot be told. columns: the usable ones as source.column';

/* The rows of a source that a table's noted rows were or are in, as far as they had to be traced: instants as days, ids as text. */
CREATE FUNCTION @extschema@.kpi_touched_query(source text, columns text[], relation regclass, way text, key text, home regclass, home_key text, noted text[]) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	layout record;
	values_of_v text;	-- of a row before or after
	is_seen text;
	touched text;
	traced text := (
		SELECT string_agg(format(CASE WHEN c.kind <> 'instant' THEN 'nullif((%s)::text COLLATE "C", '''') AS %I' WHEN c.type = 'date' THEN '@extschema@.kpi_known_day((%s)::date) AS %I'
									  ELSE '((%s)::timestamptz AT TIME ZONE %3$L)::date AS %2$I' END,
								 c.expression, c.column_name, @extschema@.kpi_setting('time_zone')), ', ')
		  FROM @extschema@.kpi_traced_columns(source) c WHERE c.column_name <> 'amount');
	unseen CONSTANT text[] := CASE way WHEN 'own' THEN @extschema@.kpi_unseen_columns(source, columns) END;
	counts text := (	-- whether it makes its customer one, as far as its values tell
		SELECT format('%1$s::numeric > 0 AND %1$s::numeric < ''Infinity''', a.expression) || coalesce(' AND ((' || e.expression || ') <= (' || b.expression || ')) IS NOT TRUE', '')
		  FROM @extschema@.kpi_traced_columns('subscription') a JOIN @extschema@.kpi_traced_columns('subscription') b ON b.column_name = 'valid_from'
		  LEFT JOIN @extschema@.kpi_traced_columns('subscription') e ON e.column_name = 'valid_to'
		 WHERE source = 'subscription' AND a.column_name = 'amount');
BEGIN
	SELECT t.noted, t.read INTO layout FROM @extschema@.kpi_track_triggers(relation) t LIMIT 1;
	/* Without the checks of a domain, which reading the source does not run either: they would run with other rights than the writer's. */
	SELECT string_agg(format('(v.v[%s])::%s%s AS %I', array_position(layout.noted, n.name), format_type(@extschema@.kpi_base_type(a.atttypid::regtype), a.atttypmod),
							 ' COLLATE ' || nullif(a.attcollation, 0)::regcollation, n.name), ', ') INTO values_of_v	-- by which it is compared, or becomes lower case
	  FROM unnest(noted) n(name) JOIN pg_attribute a ON a.attrelid = relation AND a.attname = n.name;
	is_seen := format('CASE WHEN c.changed <@ %L::integer[] THEN %s ELSE true END',
					  ARRAY(SELECT r.n FROM unnest(layout.read) WITH ORDINALITY r(name, n) WHERE r.name = ANY (unseen)),
					  CASE WHEN way <> 'own' OR counts IS NULL THEN 'false'
						   ELSE format('(SELECT NOT bool_and((%s) IS TRUE) FROM (SELECT %s FROM (VALUES (c.before), (c.after)) v(v)) r)', counts, values_of_v) END);
	touched := format('SELECT %s, %s AS kpi_is_seen'
					  '  FROM @extschema@.kpi_track_log l, @extschema@.kpi_track_rows(l.payload) c, LATERAL (VALUES (c.before), (c.after)) v(v)'
					  ' WHERE l.relation = %s AND v.v IS NOT NULL', values_of_v, is_seen, relation::oid);
	IF way = 'own' THEN
		RETURN format('SELECT DISTINCT %s, kpi_is_seen AS is_seen FROM (%s) r', traced, touched);
	END IF;
	RETURN format('SELECT DISTINCT %s, true AS is_seen FROM %s r WHERE %s IN (SELECT %s FROM (%s) r)', traced, home, home_key, key, touched);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_touched_query(text, text[], regclass, text, text, regclass, text, text[]) IS
'SQL text that gives, from the rows of one table noted in kpi_track_log, the traced columns of the source rows that they are in, instants as days, and whether others may see it (is_seen); columns: the usable ones as source.column; the other arguments as from kpi_traces';

/* The same columns of rows that a source has now. */
CREATE FUNCTION @extschema@.kpi_traced_query(source text, query text, is_seen boolean DEFAULT true) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('SELECT DISTINCT %s, %s AS is_seen FROM (%s) r',
				  string_agg(CASE WHEN u.kind = 'instant' THEN format('(%1$I AT TIME ZONE %2$L)::date AS %1$I', u.column_name, @extschema@.kpi_setting('time_zone'))
								  ELSE quote_ident(u.column_name) END, ', ' ORDER BY u.column_name), is_seen::text, query)
	  FROM @extschema@.kpi_usable_columns() u
	 WHERE u.source = kpi_traced_query.source
	   AND (u.kind = 'instant' OR u.column_name = ANY (@extschema@.kpi_names_rows(u.source)));
END;
COMMENT ON FUNCTION @extschema@.kpi_traced_query(text, text, boolean) IS
'SQL text that gives the traced columns of rows of a source, from SQL text that gives the columns of its contract: instants as days; is_seen: as of kpi_touched_query. NULL for NULL';

CREATE FUNCTION @extschema@.kpi_current_query(source text, condition text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_traced_query(source, format('SELECT * FROM (%s) r WHERE %s', @extschema@.kpi_source_select(source), condition));
END;
COMMENT ON FUNCTION @extschema@.kpi_current_query(text, text) IS
'SQL text that gives the traced columns of those rows of a source that meet a condition (SQL over the columns of its contract): instants as days';

CREATE FUNCTION @extschema@.kpi_named_query(source text, column_name text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_traced_query(source, @extschema@.kpi_source_select(source) || ' WHERE ' || @extschema@.kpi_has_id(source, column_name, '$1'));
END;
COMMENT ON FUNCTION @extschema@.kpi_named_query(text, text) IS
'SQL text that gives the traced columns of those rows of a source of which an id is one of $1: instants as days. NULL when there is no such column';

/* A purchase that names no customer itself may do so by its opportunity. */
CREATE FUNCTION @extschema@.kpi_of_payers_query(columns text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT nullif(concat_ws(' UNION ', @extschema@.kpi_named_query('sale', 'account_id'),
		CASE WHEN 'opportunity.account_id' = ANY (columns) AND 'sale.opportunity_id' = ANY (columns)
			 THEN @extschema@.kpi_current_query('sale', format('opportunity_id IN (SELECT o.id FROM (%s WHERE %s) o)',
					@extschema@.kpi_source_select('opportunity'), @extschema@.kpi_has_id('opportunity', 'account_id', '$1'))) END), '');
END;
COMMENT ON FUNCTION @extschema@.kpi_of_payers_query(text[]) IS
'SQL text, as of kpi_traced_query, of the purchases of customers ($1); columns: the usable ones as source.column. NULL when nothing names them';

/*
 * Where purchases make a customer, what comes before the first one (a credit
 * note, say) belongs to the cohort of that, or to none; a purchase may have gone.
 * Who bought before the days in question, and still did, stays where he is.
 */
CREATE FUNCTION @extschema@.kpi_early_sales_query(columns text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format($q$
WITH early AS MATERIALIZED (
	SELECT * FROM (SELECT %s AS account, sold_at::date AS day FROM (%s) s WHERE isfinite(sold_at) AND (%s%s%s) IS NOT TRUE) e WHERE account IS NOT NULL
)
SELECT CASE WHEN count(*) = 0 THEN '{}' ELSE datemultirange(daterange(min(e.day), NULL)) END AS spans
  FROM early e LEFT JOIN (%s) f ON f.customer = e.account
 WHERE (f.first_day <= e.day OR f.first_day < $16) IS NOT TRUE$q$,
				  a.account, @extschema@.kpi_source_select(p.source), p.condition, ' AND (' || @extschema@.kpi_spoilt(p.source, p.part, columns) || ') IS NOT TRUE',
				  ' AND (' || @extschema@.kpi_unknown_rate(p.source, p.part, columns) || ') IS NOT TRUE', @extschema@.kpi_first_days_query(columns, '(SELECT array_agg(e.account) FROM early e)'))
	  FROM @extschema@.kpi_part p,
		   LATERAL (SELECT @extschema@.kpi_member_expression(p.source, 'account', p.starts, columns) AS account) a
	 WHERE p.source = 'sale' AND p.part = 'customers' AND p.part = ANY (@extschema@.kpi_parts_to_read(p.source, NULL)) AND a.account IS NOT NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_early_sales_query(text[]) IS
'SQL text that gives the days (spans) from the first sale on that is no purchase and whose cohort may be another if purchases changed from the day $16 on; the other parameters as of kpi_first_days_query. NULL where purchases do not make customers';

CREATE FUNCTION @extschema@.kpi_influence_query(source text, columns text[], traced text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('WITH s AS MATERIALIZED (%s) SELECT EXISTS (SELECT FROM s) AS is_any, coalesce((SELECT range_agg(u.span) FROM s, LATERAL unnest(%s) u(span)), ''{}'') AS spans, %s',
				  traced, coalesce(@extschema@.kpi_spans_expression(source, columns), 'ARRAY[]::daterange[]'),
				  string_agg(CASE WHEN source || '.' || k.name = ANY (columns) AND k.name = ANY (@extschema@.kpi_names_rows(source))
									AND (k.name <> 'contact_id' OR source || '.replied_at' = ANY (columns))
								  THEN format('ARRAY(SELECT %1$I FROM s WHERE is_seen AND %1$I IS NOT NULL%3$s GROUP BY 1 ORDER BY 1) AS %2$I', k.name, k.name || 's',
											  CASE k.name WHEN 'contact_id' THEN ' AND replied_at IS NOT NULL' ELSE '' END)
								  ELSE format('''{}''::text[] AS %I', k.name || 's') END, ', ' ORDER BY k.n)
				  || CASE source WHEN 'subscription' THEN ', ARRAY(SELECT min(coalesce(valid_from, ''-infinity'')) FROM s WHERE is_seen AND account_id IS NOT NULL GROUP BY account_id ORDER BY account_id)'
					 ELSE ', ''{}''::date[]' END || ' AS account_days'
				  || CASE source WHEN 'opportunity' THEN ', ARRAY(SELECT id FROM s WHERE NOT is_seen AND id IS NOT NULL GROUP BY 1 ORDER BY 1)' ELSE ', ''{}''::text[]' END || ' AS other_ids')
	  FROM unnest('{id,lead_id,account_id,opportunity_id,contact_id}'::text[]) WITH ORDINALITY k(name, n);
END;
COMMENT ON FUNCTION @extschema@.kpi_influence_query(text, text[], text) IS
'SQL text that gives, for traced rows of a source (SQL text as of kpi_touched_query), whether there is any, the days that they influence and, as far as others look them up by those, their ids, lead_ids, account_ids (account_days: from when on), opportunity_ids and contact_ids (of those who replied), and the ids of opportunities of which only their history sees what changed (other_ids); columns: the usable ones as source.column';

/*
 * The traced columns of the rows that a source has now and that look up
 * something that changed, or of which an instant has passed that a measure
 * waits for.  When an opportunity's lead was made is seen by nobody else.
 */
CREATE FUNCTION @extschema@.kpi_concerned_query(source text, columns text[], wants_accounts boolean, wants_deals boolean, wants_leads boolean, wants_passed boolean) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH rows AS (
		SELECT @extschema@.kpi_source_select(kpi_concerned_query.source) AS query
	), named AS (
		SELECT l.is_seen, string_agg(@extschema@.kpi_has_id(kpi_concerned_query.source, l.name, l.ids), ' OR ') AS condition	-- leads are looked up by opportunities alone
		  FROM (VALUES ('account_id', '$1', wants_accounts, true), ('opportunity_id', '$2', wants_deals, true), ('lead_id', '$3', wants_leads AND source = 'opportunity', false),
					   ('id', CASE source WHEN 'opportunity' THEN '$2' WHEN 'lead' THEN '$3' END,
						CASE source WHEN 'opportunity' THEN wants_deals WHEN 'lead' THEN wants_leads END, true)) l(name, ids, is_wanted, is_seen)
		 WHERE l.is_wanted GROUP BY l.is_seen
	), passed AS (
		SELECT string_agg(format('%1$I >= $4 AND %1$I < $5', u.column_name), ' OR ') AS condition
		  FROM @extschema@.kpi_usable_columns() u
		 WHERE wants_passed AND u.source = kpi_concerned_query.source AND u.kind = 'instant'
		   AND (source = 'opportunity' OR EXISTS (
					SELECT FROM @extschema@.kpi_part p WHERE p.source = kpi_concerned_query.source AND p.reads <> 'source') OR EXISTS (
					SELECT FROM @extschema@.kpi_measure m
					 WHERE m.source = kpi_concerned_query.source AND @extschema@.kpi_has_columns(m.source, m.needs, columns)
					   AND position('$4' IN @extschema@.kpi_fill_in(m.expression, m.source, 'NULL::timestamptz', columns)) > 0))
	)
	SELECT string_agg(@extschema@.kpi_traced_query(kpi_concerned_query.source, q.query, q.is_seen), ' UNION ')
	  FROM (SELECT format('SELECT * FROM (%s WHERE %s) r', r.query, n.condition) AS query, n.is_seen FROM rows r, named n WHERE n.condition IS NOT NULL
			UNION ALL
			SELECT format('SELECT * FROM (%s) r WHERE %s', r.query, p.condition), true FROM rows r, passed p WHERE p.condition IS NOT NULL) q;
END;
COMMENT ON FUNCTION @extschema@.kpi_concerned_query(text, text[], boolean, boolean, boolean, boolean) IS
'SQL text, as of kpi_traced_query, of the rows that name a changed account ($1), opportunity ($2) or lead ($3), or, where measures compare with now, of which an instant lies from $4 to before $5, each as far as it is wanted. NULL when there can be none';

/* Dates do not pass but at midnight. A ledger may count a row until some days after its instant. */
CREATE FUNCTION @extschema@.kpi_next_instant_query(source text, columns text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH instant AS (
		SELECT quote_ident(u.column_name) AS expression FROM @extschema@.kpi_usable_columns() u
		 WHERE u.source = kpi_next_instant_query.source AND u.kind = 'instant' AND u.type <> 'date'
		UNION
		SELECT e.expression
		  FROM @extschema@.kpi_part p,
			   LATERAL (SELECT @extschema@.kpi_fill_in(b, p.source, 'NULL::timestamptz', columns) FROM unnest(ARRAY[p.starts, p.ends]) b) e(expression)
		 WHERE p.source = kpi_next_instant_query.source AND p.kind <> 'spread' AND p.part = ANY (@extschema@.kpi_parts_to_read(p.source, NULL))
		   AND position('interval' IN e.expression) > 0
	)
	SELECT CASE WHEN count(*) = 0 THEN 'SELECT timestamptz ''infinity'''
		ELSE format('SELECT coalesce(min(v.at), ''infinity'') FROM (SELECT * FROM (%s) r WHERE %s) r, LATERAL (VALUES %s) v(at) WHERE v.at >= $1',
					@extschema@.kpi_source_select(kpi_next_instant_query.source), string_agg(format('%s >= $1', i.expression), ' OR ' ORDER BY i.expression),
					string_agg(format('(%s)', i.expression), ', ' ORDER BY i.expression)) END
	  FROM instant i;
END;
COMMENT ON FUNCTION @extschema@.kpi_next_instant_query(text, text[]) IS
'SQL text that gives the first instant from $1 on, midnights aside, at which a row of the source may begin or cease to count somewhere (infinity: there is none); columns: the usable ones as source.column';

CREATE FUNCTION @extschema@.kpi_looks_up(source text, columns text[]) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT '{exchange_rate,stage,account,rep}'::text[] || CASE WHEN source = 'opportunity' THEN '{lead}'
		WHEN source = 'lead' OR source || '.opportunity_id' = ANY (columns) THEN '{opportunity,lead}' ELSE '{}' END::text[];
END;
COMMENT ON FUNCTION @extschema@.kpi_looks_up(text, text[]) IS
'the sources that have to be read where this one is, as it, or one of them, looks something up in them; columns: the usable ones as source.column';

/* What the log says of the rows of one source.  STABLE: it sees what its caller sees. */
CREATE FUNCTION @extschema@.kpi_noted_changes(source text, columns text[], OUT is_any boolean, OUT spans datemultirange, OUT ids text[], OUT lead_ids text[],
											 OUT account_ids text[], OUT opportunity_ids text[], OUT contact_ids text[], OUT account_days date[], OUT other_ids text[])
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t record;
	more record;
BEGIN
	is_any := false;
	spans := '{}';
	ids := '{}';
	lead_ids := '{}';
	account_ids := '{}';
	opportunity_ids := '{}';
	contact_ids := '{}';
	account_days := '{}';
	other_ids := '{}';
	IF NOT EXISTS (SELECT FROM @extschema@.kpi_track_log) THEN	-- which takes less to see than what to look for in it
		RETURN;
	END IF;
	FOR t IN SELECT x.*, l.relation AS part, l.unknown
			   FROM @extschema@.kpi_traces(source) x, @extschema@.kpi_table_tree(x.relation) m(relation),
					LATERAL (SELECT k.relation::regclass, bool_or(k.payload IS NULL) AS unknown FROM @extschema@.kpi_track_log k
							  WHERE k.relation = m.relation GROUP BY k.relation) l LOOP
		is_any := true;
		IF t.unknown OR t.way = 'all' OR t.way = 'via' AND NOT has_table_privilege(t.home, 'SELECT') THEN
			spans := '{(,)}';
			RETURN;
		END IF;
		BEGIN
			EXECUTE @extschema@.kpi_influence_query(source, columns,
						@extschema@.kpi_touched_query(source, columns, t.part, t.way, t.key, t.home, t.home_key, t.noted)) INTO more;
		EXCEPTION WHEN OTHERS THEN	-- a view need not be able to make an instant of a row that it leaves out, or that was mended
			spans := '{(,)}';
			RETURN;
		END;
		spans := spans + more.spans;
		ids := ids || more.ids;
		lead_ids := lead_ids || more.lead_ids;
		account_ids := account_ids || more.account_ids;
		account_days := account_days || more.account_days;
		opportunity_ids := opportunity_ids || more.opportunity_ids;
		contact_ids := contact_ids || more.contact_ids;
		other_ids := other_ids || more.other_ids;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_noted_changes(text, text[]) IS
'for one tracked source, from kpi_track_log: whether anything changed in its tables, the days that its changed rows influence (all when it cannot be told, as where the view fails on a row), their ids, lead_ids, account_ids (account_days: from when on), opportunity_ids, contact_ids and other_ids';

CREATE FUNCTION @extschema@.kpi_covers(spans datemultirange, periods daterange[]) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT bool_and(spans && p) FROM unnest(periods) p;
END;
COMMENT ON FUNCTION @extschema@.kpi_covers(datemultirange, daterange[]) IS 'whether each of some periods has days in spans; NULL when there are none';

CREATE FUNCTION @extschema@.kpi_last_run(until timestamptz DEFAULT NULL) RETURNS SETOF @extschema@.kpi_run
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 1
BEGIN ATOMIC
	SELECT r.* FROM @extschema@.kpi_run r WHERE r.basis IS NOT NULL AND r.outcome = 'done' AND (until IS NULL OR r.as_of <= until AND NOT r.is_pruned)
	 ORDER BY r.as_of DESC LIMIT 1;	-- a run may wait after it got its number
END;
COMMENT ON FUNCTION @extschema@.kpi_last_run(timestamptz) IS 'the last default snapshot: what changed since then has to be taken; until: of those that kpi_prune has kept the last one until then';

CREATE FUNCTION @extschema@.kpi_is_due(grain text, period date, period_end date, is_complete boolean, days integer) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT NOT EXISTS (
		SELECT FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND f.member = ''
		   AND f.grain = kpi_is_due.grain AND f.period = kpi_is_due.period AND f.period_end = kpi_is_due.period_end
		   AND f.days = kpi_is_due.days AND f.is_complete = kpi_is_due.is_complete);
END;
COMMENT ON FUNCTION @extschema@.kpi_is_due(text, date, date, boolean, integer) IS
'whether a period (as of kpi_periods) has no current facts, or such as were made when fewer of its days had begun, or it was not over';
