/*
 * How a bound source is read: the columns of its contract, from whatever the
 * relation has.
 *
 * What a drill asks again and again for SQL text is in PL/pgSQL, here and in the
 * files behind it: that plans once a session, while an SQL function that is not
 * inlined is planned in each query.
 */
CREATE FUNCTION @extschema@.kpi_usable_columns()
	RETURNS TABLE (source text, column_name text, kind text, type text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT s.source, b.column_name, b.kind, @extschema@.kpi_type_name(b.base)
	  FROM @extschema@.kpi_source s
	  CROSS JOIN LATERAL @extschema@.kpi_relation_columns(s.source, @extschema@.kpi_source_relation(s.source)) b
	 WHERE b.status = 'ok'
		OR b.status = 'can serve as a dimension'
		   AND b.column_name IN (SELECT unnest(d.parts) FROM @extschema@.kpi_dimension d);
END;
COMMENT ON FUNCTION @extschema@.kpi_usable_columns() IS
'the columns of the bound relations that are read: those of the contract and the text columns that are dimensions; type: the name of the one under a domain, without quotes';

CREATE FUNCTION @extschema@.kpi_source_columns(source text)
	RETURNS TABLE (column_name text, is_bound boolean, expression text, names text, place integer)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(u.column_name, c.column_name), u.column_name IS NOT NULL,
		   CASE WHEN u.column_name IS NULL THEN format('NULL::%s AS %I', CASE c.kind
					WHEN 'instant' THEN 'timestamptz' WHEN 'number' THEN 'numeric' WHEN 'integer' THEN 'bigint'
					WHEN 'boolean' THEN 'boolean' ELSE 'text' END, c.column_name)
				WHEN u.kind = 'instant' AND u.type = 'date' THEN
					format('@extschema@.kpi_midnight(@extschema@.kpi_known_day(r.%1$I), %2$L) AS %1$I, r.%1$I AS %3$I', u.column_name, @extschema@.kpi_setting('time_zone'), u.column_name || '_day')
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
BEGIN
	IF @extschema@.kpi_source_relation(source) IS NULL THEN
		RAISE EXCEPTION 'source "%" is not bound to an existing table or view', source
			USING ERRCODE = CASE WHEN @extschema@.kpi_source_name(source) IS NULL THEN 'object_not_in_prerequisite_state' ELSE 'undefined_table' END,
				  DETAIL = coalesce('It was bound to ' || @extschema@.kpi_source_name(source) || '.', 'It is not bound.'),
				  HINT = format('Use kpi_bind(%L, ...).', source);
	END IF;
	RETURN (
		SELECT format('SELECT %s%s%s FROM %s r', string_agg(c.expression, ', ' ORDER BY c.place, c.column_name),
					  CASE WHEN with_row THEN ', r AS source_row' ELSE '' END, CASE WHEN key IS NULL THEN ''
						   ELSE format(', r.%I%s AS raw_key', key, (SELECT ' COLLATE "C"' FROM @extschema@.kpi_usable_columns() u	-- as sorts go fastest
																   WHERE u.source = kpi_source_select.source AND u.column_name = key AND u.type IN ('text', 'character varying'))) END,
					  @extschema@.kpi_source_name(kpi_source_select.source))
		  FROM @extschema@.kpi_source_columns(kpi_source_select.source) c);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_source_select(text, boolean, text) IS
'the text of a query that reads a bound source with every column of its contract: ids and texts as text that is compared bytewise (a blank id or currency as NULL), instants as timestamptz (a date as its local midnight, and as it is under name_day), numbers as numeric, missing columns as NULL. with_row: also the whole row under source_row; key: also this column as it is (a text bytewise), under raw_key';

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
