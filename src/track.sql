/*
 * Noting what changes in the sources, from which changes.sql tells what a
 * default snapshot has to take.  Everything hangs on noticing each change; where
 * that cannot be certain, all periods are taken, as if nothing were tracked.
 *
 * What is noted.  kpi_track puts triggers on the tables under a source.  They
 * append to kpi_track_log (see track.c) what each changed row had, before and
 * after, in the columns from which can be told which rows of the source it is
 * in.  kpi_lineage (see lineage.c) says which those are.  The place in the
 * source's FROM list from which all its instants come is its home:
 *
 *	- a row of the home table tells the source row's instants itself ("own");
 *	- a row of a table that is joined to the home by an equality is in the source
 *	  rows of those home rows that have the same key ("via"): the home rows of
 *	  today, for those that changed too were noted themselves;
 *	- of any other table, and where there is no such home, a change means all
 *	  periods ("all").  So do changes of reps and stages, and TRUNCATE.
 *
 * The triggers see all writes but those that go round them: DDL, a trigger
 * switched off meanwhile, a table or a view swapped.  These leave their mark in
 * the catalogs, of which kpi_basis is the sum; when it is not that of the last
 * snapshot all periods are taken, and when other sources could not be tracked then.
 * Foreign and subscribed tables, materialized views, unlogged tables (a crash
 * empties them) and views over system columns, or over functions that depend on
 * more than their arguments, cannot be tracked; kpi_tracking tells.  Changes in a
 * source that is not tracked are looked for in the periods of the last
 * lookback_days; by default in all.
 *
 * The log is read, and deleted, by the statement that reads the sources, in the
 * same MVCC snapshot.  What other transactions had not committed then remains
 * for the next snapshot, which will also be the first to see its effect.
 */
CREATE TABLE @extschema@.kpi_track_log (
	relation	oid NOT NULL,
	payload		bytea
);
ALTER TABLE @extschema@.kpi_track_log ALTER payload SET STORAGE PLAIN;
ALTER TABLE @extschema@.kpi_track_log REPLICA IDENTITY FULL;	-- lest a publication of all tables forbid to delete from it
COMMENT ON TABLE @extschema@.kpi_track_log IS
'changes in tracked tables since the last default snapshot, written by their triggers: the rows touched, as kpi_track_rows reads them; NULL: it cannot be told which. Not dumped: after a restore all periods are taken';

/* A restore brings back runs, but not what was noted since; it may even be of another time than the log that is there. */
CREATE TABLE @extschema@.kpi_track_mark (
	as_of	timestamptz NOT NULL,
	is_only	boolean PRIMARY KEY DEFAULT true CHECK (is_only)	-- there is one row
);
COMMENT ON TABLE @extschema@.kpi_track_mark IS
'the default snapshot since which kpi_track_log has what changed. Not dumped, as the log is not: where the last such snapshot is another one all periods are taken';

CREATE FUNCTION @extschema@.kpi_track_change() RETURNS trigger
AS 'MODULE_PATHNAME', 'salkpi_track_change'
LANGUAGE C VOLATILE;
COMMENT ON FUNCTION @extschema@.kpi_track_change() IS
'trigger function: notes in kpi_track_log which rows a statement touched; kpi_track makes its triggers';

CREATE FUNCTION @extschema@.kpi_track_rows(payload bytea)
	RETURNS TABLE (before text[], after text[], changed integer[])
AS 'MODULE_PATHNAME', 'salkpi_track_rows'
LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION @extschema@.kpi_track_rows(bytea) IS
'the rows in a payload of kpi_track_log: the noted columns before and after (NULL: inserted, deleted); changed: which columns an update changed, as their numbers among those that the trigger looks at';

CREATE FUNCTION @extschema@.kpi_lineage(of_relation regclass)
	RETURNS TABLE (item text, place integer, relation regclass, name text, expression text, columns text[],
				   other_place integer, other_expression text)
AS 'MODULE_PATHNAME', 'salkpi_lineage'
LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 30;
COMMENT ON FUNCTION @extschema@.kpi_lineage(regclass) IS
'what a table or view is made of: "table" (with the columns it reads there), "view", "fault" (name: what makes it depend on more than tables); and for a plain join "column" (where and from which expression a column comes), "join" (an equality between two places) and "condition" (the columns of a place that WHERE and joins look at). place: the number of the table in the view''s FROM list, NULL elsewhere';

/* A table with its partitions, or with what inherits from it. */
CREATE FUNCTION @extschema@.kpi_table_tree(root regclass) RETURNS SETOF regclass
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	ROWS 2
BEGIN ATOMIC
	WITH RECURSIVE tree AS (
		SELECT root::oid AS relation
		UNION
		SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.relation
	)
	SELECT t.relation::regclass FROM tree t;
END;
COMMENT ON FUNCTION @extschema@.kpi_table_tree(regclass) IS
'a table and all its partitions or inheritance children, of every level';

CREATE FUNCTION @extschema@.kpi_names_rows(source text) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE source WHEN 'account' THEN '{id}' WHEN 'opportunity' THEN '{id,lead_id}' WHEN 'lead' THEN '{id}'
		   WHEN 'subscription' THEN '{account_id}' WHEN 'opportunity_history' THEN '{opportunity_id}'
		   WHEN 'activity' THEN '{contact_id}' ELSE '{}' END::text[];
END;
COMMENT ON FUNCTION @extschema@.kpi_names_rows(text) IS
'the columns of a source by which others find what its changed rows have a part in';

CREATE FUNCTION @extschema@.kpi_can_note(relation regclass, columns text[]) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT cardinality(columns) <= 100 AND NOT EXISTS (
		SELECT FROM unnest(columns) c(name)
		  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = kpi_can_note.relation AND a.attname = c.name
		  LEFT JOIN pg_catalog.pg_type t ON t.oid = @extschema@.kpi_base_type(a.atttypid::regtype)
		 WHERE (t.typtype = 'e' OR t.oid = ANY ('{smallint,integer,bigint,date,timestamp,timestamptz,uuid,text,varchar,bpchar,name,boolean,numeric}'::regtype[])) IS NOT TRUE);
END;
COMMENT ON FUNCTION @extschema@.kpi_can_note(regclass, text[]) IS
'whether values of these columns can be noted in kpi_track_log: their types have a text form that no setting changes';

/*
 * The columns of a source that have to be known of a changed row, as they come
 * from the relation: NULL for one that is no expression over one table.  What a
 * subscription costs tells whether it still makes its customer one; where that
 * is no column of the same table it is taken to have changed.
 */
CREATE FUNCTION @extschema@.kpi_traced_columns(source text)
	RETURNS TABLE (column_name text, kind text, type text, place integer, relation regclass, expression text, columns text[])
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH lineage AS MATERIALIZED (
		SELECT l.* FROM @extschema@.kpi_lineage(@extschema@.kpi_source_relation(kpi_traced_columns.source)) l WHERE l.item = 'column'
	)
	SELECT u.column_name, u.kind, u.type, l.place, l.relation, l.expression, l.columns
	  FROM @extschema@.kpi_usable_columns() u
	  LEFT JOIN lineage l ON l.name = u.column_name
	 WHERE u.source = kpi_traced_columns.source
	   AND (u.kind = 'instant' OR u.column_name = ANY (@extschema@.kpi_names_rows(u.source))
			OR u.source = 'subscription' AND u.column_name = 'amount' AND l.place = (SELECT f.place FROM lineage f WHERE f.name = 'valid_from')
			   AND l.expression = quote_ident(l.columns[1]) AND @extschema@.kpi_can_note(l.relation, l.columns));
END;
COMMENT ON FUNCTION @extschema@.kpi_traced_columns(text) IS
'the instants of a source, what others look it up by, and the amount of a subscription: the table and expression from which each comes; NULL when that is more than an expression over one table';

/*
 * How a change in each table under a source leads to rows of the source.  A
 * table may be at several places of a view.
 */
CREATE FUNCTION @extschema@.kpi_traces(source text)
	RETURNS TABLE (relation regclass, way text, key text, home regclass, home_key text, noted text[], read text[])
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 5
BEGIN ATOMIC
	WITH lineage AS MATERIALIZED (
		SELECT l.* FROM @extschema@.kpi_lineage(@extschema@.kpi_source_relation(kpi_traces.source)) l
	), traced AS MATERIALIZED (
		SELECT t.* FROM @extschema@.kpi_traced_columns(kpi_traces.source) t
	), home AS (	-- the one place of all instants; the source may have constant ones besides
		SELECT min(t.place) AS place, min(t.relation::oid)::regclass AS relation,
			   (SELECT array_agg(DISTINCT c.name) FROM traced x, unnest(x.columns) c(name)) AS columns
		  FROM traced t
		 WHERE kpi_traces.source NOT IN ('rep', 'stage')
		HAVING bool_and(t.expression IS NOT NULL) AND count(DISTINCT t.place) = 1
	), usable AS (	-- of a table that is bound itself no other column is read
		SELECT array_agg(u.column_name) AS columns FROM @extschema@.kpi_usable_columns() u
		 WHERE u.source = kpi_traces.source AND NOT EXISTS (SELECT FROM lineage l WHERE l.item = 'view')
	), way AS (
		SELECT t.relation, h.relation AS home, j.expression AS key, j.other_expression AS home_key,
			   CASE WHEN t.place = h.place THEN 'own' WHEN j.place IS NOT NULL THEN 'via' ELSE 'all' END AS way,
			   CASE WHEN t.place = h.place THEN h.columns ELSE j.columns END AS noted,
			   CASE WHEN u.columns IS NULL THEN t.columns ELSE u.columns END AS read
		  FROM lineage t
		  CROSS JOIN usable u
		  LEFT JOIN home h ON @extschema@.kpi_can_note(h.relation, h.columns)
		  LEFT JOIN LATERAL (
				SELECT j.* FROM lineage j
				 WHERE j.item = 'join' AND j.place = t.place AND j.other_place = h.place AND @extschema@.kpi_can_note(j.relation, j.columns)
				 ORDER BY j.expression, j.other_expression LIMIT 1) j ON true
		 WHERE t.item = 'table'
	)
	SELECT w.relation, w.way, CASE w.way WHEN 'via' THEN w.key END, CASE WHEN w.way <> 'all' THEN w.home END,
		   CASE w.way WHEN 'via' THEN w.home_key END, CASE w.way WHEN 'all' THEN '{}' ELSE w.noted END, w.read
	  FROM way w;
END;
COMMENT ON FUNCTION @extschema@.kpi_traces(text) IS
'for each table under a source: how the source rows that a changed row is in are found ("own": the row tells their instants; "via": those of the home rows whose home_key equals its key; "all": not), the columns that have to be noted of it for that, and those that the source reads';

/* The arguments of a trigger each end in a zero byte. */
CREATE FUNCTION @extschema@.kpi_trigger_arguments(arguments bytea) RETURNS text[]
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(pg_catalog.convert_from(pg_catalog.decode(pg_catalog.replace(a, ' ', ''), 'hex'), pg_catalog.getdatabaseencoding()) ORDER BY n)
	  FROM pg_catalog.string_to_table(pg_catalog.regexp_replace(pg_catalog.encode(arguments, 'hex'), '(..)', E'\\1 ', 'g'), '00 ') WITH ORDINALITY s(a, n)
	 WHERE a <> '';
END;
COMMENT ON FUNCTION @extschema@.kpi_trigger_arguments(bytea) IS
'the arguments of a trigger, from pg_trigger.tgargs';

CREATE FUNCTION @extschema@.kpi_track_triggers(relation regclass)
	RETURNS TABLE (trigger name, event text, enabled boolean, noted text[], read text[])
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	ROWS 4
BEGIN ATOMIC
	SELECT t.tgname, CASE WHEN t.tgtype & 4 > 0 THEN 'INSERT' WHEN t.tgtype & 8 > 0 THEN 'DELETE'
						  WHEN t.tgtype & 16 > 0 THEN 'UPDATE' ELSE 'TRUNCATE' END,
		   t.tgenabled = 'A', a.arguments[2 : 1 + a.arguments[1]::integer], a.arguments[2 :]
	  FROM pg_catalog.pg_trigger t, LATERAL (SELECT @extschema@.kpi_trigger_arguments(t.tgargs) AS arguments) a
	 WHERE t.tgrelid = relation AND t.tgfoid = '@extschema@.kpi_track_change()'::regprocedure;
END;
COMMENT ON FUNCTION @extschema@.kpi_track_triggers(regclass) IS
'the triggers of kpi_track on a table: whether they fire always, the columns they note and those they look at';

/* Why the writes to one table would not all be noted, by itself. */
CREATE FUNCTION @extschema@.kpi_track_obstacle(relation regclass, root regclass) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN c.relkind = 'f' THEN 'is a foreign table'
				WHEN c.relkind NOT IN ('r', 'p') THEN 'is no table'
				WHEN c.relpersistence = 'u' THEN 'is unlogged: a crash empties it'
				WHEN c.relpersistence = 't' THEN 'is temporary'
				WHEN c.oid < 16384 OR c.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) THEN 'is a system catalog'
				WHEN EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = c.oid) THEN 'is written by a subscription'
				WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent NOT IN (SELECT m.relation FROM @extschema@.kpi_table_tree(root) m(relation)))
					THEN 'is a part of another table, through which it can be written'
				WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 'v') THEN 'has virtual columns' END
	  FROM pg_catalog.pg_class c
	 WHERE c.oid = relation;
END;
COMMENT ON FUNCTION @extschema@.kpi_track_obstacle(regclass, regclass) IS
'why triggers on the table, and on all others under the root that it is under, would not see all that happens to it; NULL when they would';

CREATE FUNCTION @extschema@.kpi_tracking()
	RETURNS TABLE (source text, relation regclass, tracked boolean, way text, reason text)
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 50
BEGIN ATOMIC
	WITH bound AS (
		SELECT s.source, @extschema@.kpi_source_relation(s.source) AS relation FROM @extschema@.kpi_source s
	), traced AS MATERIALIZED (
		SELECT b.source, t.relation, CASE WHEN bool_or(t.way = 'all') THEN 'all' WHEN bool_or(t.way = 'via') THEN 'via' ELSE 'own' END AS way,
			   array_agg(DISTINCT n.name) FILTER (WHERE n.is_noted) AS noted, array_agg(DISTINCT n.name) AS read
		  FROM bound b
		  CROSS JOIN LATERAL @extschema@.kpi_traces(b.source) t
		  LEFT JOIN LATERAL (SELECT true, unnest(t.noted) UNION SELECT false, unnest(t.read)) n(is_noted, name) ON true
		 GROUP BY b.source, t.relation
	), member AS MATERIALIZED (	-- each table, partition and child once
		SELECT DISTINCT t.relation AS root, m.relation, @extschema@.kpi_track_obstacle(m.relation, t.relation) AS obstacle
		  FROM traced t, LATERAL @extschema@.kpi_table_tree(t.relation) m(relation)
	), state AS (
		SELECT t.source, t.relation, t.way, min(CASE WHEN m.obstacle IS NOT NULL THEN m.relation || ' ' || m.obstacle
				WHEN g.n = 0 THEN CASE WHEN m.relation = t.relation THEN 'has no triggers' ELSE m.relation || ', a part of it, has no triggers' END
				WHEN g.n < 4 OR NOT g.enabled THEN m.relation || ' lacks a trigger, or one is switched off'
				WHEN NOT g.suffices THEN m.relation || ' has triggers for other columns'
				END) AS reason
		  FROM traced t
		  JOIN member m ON m.root = t.relation
		  LEFT JOIN LATERAL (
				SELECT count(DISTINCT k.event) AS n, bool_and(k.enabled) AS enabled,
					   count(DISTINCT k.noted) = 1 AND count(DISTINCT k.read) = 1 AND bool_and(k.noted @> coalesce(t.noted, '{}') AND k.read @> array_remove(coalesce(t.read, '{}'), NULL)) AS suffices
				  FROM @extschema@.kpi_track_triggers(m.relation) k) g ON true
		 GROUP BY t.source, t.relation, t.way
	)
	SELECT s.source, s.relation, s.reason IS NULL, s.way, s.reason FROM state s
	UNION ALL
	SELECT DISTINCT b.source, coalesce(l.relation, b.relation), false, 'all',
		   CASE WHEN l.relation IS NOT NULL THEN l.relation || ' is ' || l.name ELSE b.relation || ' depends on ' || l.name END
	  FROM bound b, LATERAL @extschema@.kpi_lineage(b.relation) l
	 WHERE l.item = 'fault'
	UNION ALL
	SELECT b.source, NULL, false, NULL, 'is bound to a relation that does not exist' FROM bound b WHERE b.relation IS NULL
	 ORDER BY 1, 2;
END;
COMMENT ON FUNCTION @extschema@.kpi_tracking() IS
'for each bound source and each table under it: whether its changes are noted (kpi_track), and why not; way: what a change makes a default snapshot take: the periods of the row ("own"), of the rows joined to it ("via"), or "all"';

CREATE FUNCTION @extschema@.kpi_require_trackable(source text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fault text;
BEGIN
	PERFORM @extschema@.kpi_require_source(source);
	PERFORM @extschema@.kpi_source_select(source);	-- raises when it is not bound
	SELECT string_agg(f.reason, '; ' ORDER BY f.reason) INTO fault
	  FROM (SELECT CASE WHEN l.relation IS NOT NULL THEN l.relation || ' is ' || l.name
						ELSE @extschema@.kpi_source_relation(source) || ' depends on ' || l.name END AS reason
			  FROM @extschema@.kpi_lineage(@extschema@.kpi_source_relation(source)) l WHERE l.item = 'fault'
			UNION
			SELECT m.relation || ' ' || @extschema@.kpi_track_obstacle(m.relation, t.relation)
			  FROM @extschema@.kpi_traces(source) t, @extschema@.kpi_table_tree(t.relation) m(relation)) f;
	IF fault IS NOT NULL THEN
		RAISE EXCEPTION 'source "%" cannot be tracked', source
			USING ERRCODE = 'feature_not_supported',
				  DETAIL = format('Triggers would not see all that changes it: %s.', fault),
				  HINT = 'Each default snapshot takes all periods for it, or those of the last days (setting lookback_days).';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_trackable(text) IS
'raises, saying why, when changes in the tables under a source cannot all be noted by triggers';

CREATE FUNCTION @extschema@.kpi_drop_triggers(relation regclass) RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name name;
BEGIN
	FOR name IN SELECT t.trigger FROM @extschema@.kpi_track_triggers(relation) t ORDER BY t.trigger LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', name, relation);
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_drop_triggers(regclass) IS
'drops the triggers of kpi_track from one table';

/* One trigger for each event, since only such a one may have transition tables; it fires always, in replica mode too. */
CREATE FUNCTION @extschema@.kpi_make_triggers(relation regclass, noted text[], read text[]) RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	arguments text := (SELECT string_agg(quote_literal(a), ', ' ORDER BY n)
						 FROM unnest(cardinality(noted)::text || noted || read) WITH ORDINALITY u(a, n));
	t record;
BEGIN
	PERFORM @extschema@.kpi_drop_triggers(relation);
	FOR t IN SELECT * FROM (VALUES ('insert', 'NEW TABLE AS kpi_after'), ('update', 'OLD TABLE AS kpi_before NEW TABLE AS kpi_after'),
								   ('delete', 'OLD TABLE AS kpi_before'), ('truncate', NULL)) v(event, tables) LOOP
		EXECUTE format('CREATE TRIGGER kpi_track_%s AFTER %1$s ON %s%s FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.kpi_track_change(%s)',
					   t.event, relation, ' REFERENCING ' || t.tables, arguments);
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER kpi_track_%s', relation, t.event);
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_make_triggers(regclass, text[], text[]) IS
'makes the four triggers of kpi_track on one table, for columns to be noted and others to be looked at, in place of those it has';

/* What is to be made or dropped depends on the triggers that are there, whoever makes others meanwhile. */
CREATE FUNCTION @extschema@.kpi_lock_triggers() RETURNS void
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT pg_catalog.pg_advisory_xact_lock('@extschema@.kpi_track_log'::regclass::oid::integer, 7365);
END;
COMMENT ON FUNCTION @extschema@.kpi_lock_triggers() IS
'waits for others who make or drop triggers of kpi_track, and keeps others from it until the end of the transaction';

CREATE FUNCTION @extschema@.kpi_track(source text)
	RETURNS TABLE (relation regclass, way text)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	t record;
BEGIN
	PERFORM @extschema@.kpi_lock_triggers();
	PERFORM @extschema@.kpi_require_trackable(kpi_track.source);
	FOR t IN
		WITH wanted AS (	-- by this source, and by those that the triggers already serve
			SELECT x.relation, x.noted, x.noted || x.read AS read FROM @extschema@.kpi_traces(kpi_track.source) x
			UNION ALL
			SELECT r.relation, k.noted, k.read
			  FROM (SELECT DISTINCT x.relation FROM @extschema@.kpi_traces(kpi_track.source) x) r,
				   @extschema@.kpi_table_tree(r.relation) m(relation), @extschema@.kpi_track_triggers(m.relation) k
		), columns AS (
			SELECT w.relation, ARRAY(SELECT DISTINCT c.name FROM wanted x, unnest(x.noted) c(name) WHERE x.relation = w.relation ORDER BY 1) AS noted,
				   ARRAY(SELECT DISTINCT c.name FROM wanted x, unnest(x.read) c(name) WHERE x.relation = w.relation ORDER BY 1) AS read
			  FROM wanted w GROUP BY w.relation
		), existing AS (
			SELECT c.relation, ARRAY(SELECT n FROM unnest(c.noted) n WHERE EXISTS (
								SELECT FROM pg_attribute a WHERE a.attrelid = c.relation AND a.attname = n AND NOT a.attisdropped)) AS noted,
				   ARRAY(SELECT n FROM unnest(c.read) n WHERE n <> ALL (c.noted) AND EXISTS (
								SELECT FROM pg_attribute a WHERE a.attrelid = c.relation AND a.attname = n AND NOT a.attisdropped)) AS read
			  FROM columns c
		)
		SELECT m.relation, e.noted, e.read
		  FROM existing e, @extschema@.kpi_table_tree(e.relation) m(relation)
		 WHERE (SELECT count(*) FILTER (WHERE k.enabled AND k.noted = e.noted AND k.read = e.noted || e.read) <> 4 OR count(*) <> 4
				  FROM @extschema@.kpi_track_triggers(m.relation) k)
		 ORDER BY m.relation::oid
	LOOP
		PERFORM @extschema@.kpi_make_triggers(t.relation, t.noted, t.read);
	END LOOP;
	RETURN QUERY SELECT k.relation, k.way FROM @extschema@.kpi_tracking() k WHERE k.source = kpi_track.source ORDER BY k.relation::text COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_track(text) IS
'puts triggers on the tables under a source, partitions included, so that a default snapshot takes only the periods in which something changed; one row per table. way: what a change makes it take (see kpi_tracking). To be called again when a table got a partition or a view other columns. Needs to be called by the owner of the tables; raises when the source cannot be tracked';

/* A table may be under several sources: its triggers stay while another one is tracked. */
CREATE FUNCTION @extschema@.kpi_untrack(source text) RETURNS SETOF regclass
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	t regclass;
BEGIN
	PERFORM @extschema@.kpi_lock_triggers();
	PERFORM @extschema@.kpi_require_source(kpi_untrack.source);
	FOR t IN
		WITH tracking AS MATERIALIZED (
			SELECT k.source, k.relation, bool_and(k.tracked) OVER (PARTITION BY k.source) AS tracked FROM @extschema@.kpi_tracking() k
		)
		SELECT m.relation
		  FROM (SELECT DISTINCT k.relation FROM tracking k
				 WHERE k.source = kpi_untrack.source
				   AND NOT EXISTS (SELECT FROM tracking o WHERE o.relation = k.relation AND o.source <> k.source AND o.tracked)) r,
			   @extschema@.kpi_table_tree(r.relation) m(relation)
		 WHERE EXISTS (SELECT FROM @extschema@.kpi_track_triggers(m.relation))
		 ORDER BY m.relation::oid
	LOOP
		PERFORM @extschema@.kpi_drop_triggers(t);
		RETURN NEXT t;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_untrack(text) IS
'drops the triggers of kpi_track from the tables under a source, except from those under another tracked source; returns the tables';
