/*
 * Sources: the contract between a CRM and the KPIs.  A source is a table or
 * view with columns of the names and kinds below, in any schema and under any
 * name; kpi_bind says which one it is.  The binding holds names, not OIDs, so
 * that it survives dump and restore.
 */
CREATE TABLE @extschema@.kpi_source_column (
	source		text NOT NULL,
	column_name	text NOT NULL,
	kind		text NOT NULL CHECK (kind IN ('id', 'text', 'instant', 'number', 'integer', 'boolean')),
	required	boolean NOT NULL,
	"position"	integer GENERATED ALWAYS AS IDENTITY,
	PRIMARY KEY (source, column_name)
);
COMMENT ON TABLE @extschema@.kpi_source_column IS
'the columns that each source may have; a missing optional one reads as NULL';

INSERT INTO @extschema@.kpi_source_column (source, column_name, kind, required)
SELECT source, rtrim(split_part(c, ' ', 1), '*'), split_part(c, ' ', 2), split_part(c, ' ', 1) LIKE '%*'
  FROM (VALUES
	('exchange_rate', 'currency* text,valid_on* instant,rate* number'),
	('account', 'id* id,name text,segment text,region text,channel text,campaign text,created_at instant,valid_from instant,valid_to instant'),
	('rep', 'id* id,name text,team text,region text,role text,active_from instant,active_to instant,db_role text,valid_from instant,valid_to instant'),
	('stage', 'name* text,position integer,probability number,is_won boolean,is_lost boolean'),
	('lead', 'id* id,created_at* instant,qualified_at instant,converted_at instant,first_response_at instant,rep_id id,team text,region text,channel text,campaign text,account_id id'),
	('opportunity', 'id* id,status* text,name text,created_at instant,closed_at instant,amount number,currency text,probability number,stage text,expected_close instant,first_contact_at instant,lost_reason text,lead_id id,account_id id,rep_id id,team text,region text,product text,channel text,campaign text'),
	('opportunity_history', 'opportunity_id* id,valid_from* instant,stage* text,valid_to instant,status text,amount number,probability number,expected_close instant,rep_id id,team text'),
	('sale', 'sale_id* id,sold_at* instant,amount* number,line_id id,direct_cost number,currency text,account_id id,opportunity_id id,rep_id id,team text,region text,product text,channel text,campaign text'),
	('quote', 'id* id,sent_at instant,decided_at instant,status text,opportunity_id id,account_id id,amount number,currency text,rep_id id,team text,region text,product text'),
	('activity', 'happened_at* instant,kind* text,id id,booked_at instant,status text,direction text,delivered boolean,replied_at instant,rep_id id,team text,contact_id id,account_id id,lead_id id,opportunity_id id,region text,channel text,campaign text'),
	('subscription', 'account_id* id,amount* number,valid_from* instant,valid_to instant,id id,billing_unit text,billing_count integer,currency text,plan text,status text,region text,channel text,rep_id id,team text,cancelled_at instant,churn_reason text'),
	('cost', 'period_from* instant,amount* number,period_to instant,id id,currency text,function text,category text,channel text,campaign text,region text'),
	('target', 'kpi* text,from_day* instant,to_day* instant,value* number,dimension text,member text,currency text,warn_at number')
	) s(source, columns), unnest(string_to_array(columns, ',')) WITH ORDINALITY u(c, n)
 ORDER BY source, n;

CREATE TABLE @extschema@.kpi_source (
	source			text PRIMARY KEY,
	relation_schema	name NOT NULL,
	relation_name	name NOT NULL,
	bound_at		timestamptz NOT NULL DEFAULT pg_catalog.now(),
	bound_by		name NOT NULL DEFAULT current_user
);
COMMENT ON TABLE @extschema@.kpi_source IS
'which table or view each source is read from; written by kpi_bind';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_source', '');

CREATE FUNCTION @extschema@.kpi_source_relation(source text) RETURNS regclass
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT c.oid
			  FROM @extschema@.kpi_source s
			  JOIN pg_namespace n ON n.nspname = s.relation_schema
			  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.relation_name
			 WHERE s.source = kpi_source_relation.source);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_source_relation(text) IS
'the relation bound to a source; NULL when none is bound or it no longer exists';

/* The relation of an instant ago may be dropped and made anew, when others commit, while it is waited for. */
CREATE FUNCTION @extschema@.kpi_source_name(source text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.format('%I.%I', s.relation_schema, s.relation_name) FROM @extschema@.kpi_source s WHERE s.source = kpi_source_name.source;
END;
COMMENT ON FUNCTION @extschema@.kpi_source_name(text) IS
'SQL text of the name under which a source is read, whatever relation has it by then; NULL when it is not bound';

CREATE FUNCTION @extschema@.kpi_readable_relation(source text) RETURNS regclass
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT c.oid FROM pg_class c
			 WHERE c.oid = @extschema@.kpi_source_relation(source)
			   AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.relnamespace, 'USAGE'));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_readable_relation(text) IS
'the relation bound to a source, if the caller may read it; else NULL';

CREATE FUNCTION @extschema@.kpi_source_rows(source text, relation regclass, time_zone text, maker regproc, parameters record) RETURNS SETOF record
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD'
	SET intervalstyle = 'postgres'
	SET extra_float_digits = 1
	SET bytea_output = 'hex'
	AS 'MODULE_PATHNAME', 'salkpi_source_rows';
COMMENT ON FUNCTION @extschema@.kpi_source_rows(text, regclass, text, regproc, record) IS
'runs a query over a bound source whose plan the session keeps: maker is the function that gives its text for the name of the source; relation is what the source is bound to (kpi_readable_relation), time_zone the setting, parameters its $1, $2 ... It runs with the rights of the caller. The text is made anew when relation or time zone are others, or anything that the plan depends on has changed. NULL argument: no rows; an error for a maker that does not turn a text into a text, or may not be called';

CREATE FUNCTION @extschema@.kpi_type_suits(type regtype, kind text) RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT type = ANY (CASE kind
		WHEN 'id' THEN '{bigint,integer,smallint,uuid,text,varchar,bpchar,name}'::regtype[]
		WHEN 'text' THEN '{text,varchar,bpchar,name,bigint,integer,smallint,uuid}'::regtype[]
		WHEN 'dimension' THEN '{text,varchar,bpchar,name}'::regtype[]
		WHEN 'instant' THEN '{timestamptz,date}'::regtype[]
		WHEN 'number' THEN '{numeric,bigint,integer,smallint,float8,float4}'::regtype[]
		WHEN 'integer' THEN '{integer,smallint,bigint}'::regtype[]
		WHEN 'boolean' THEN '{boolean}'::regtype[] END);
END;
COMMENT ON FUNCTION @extschema@.kpi_type_suits(regtype, text) IS
'whether a column of this type can serve as a source column of this kind, or (kind dimension) as a dimension that no source names; enums aside, which can serve as text and as a dimension';

CREATE FUNCTION @extschema@.kpi_base_type(type regtype) RETURNS regtype
AS 'MODULE_PATHNAME', 'salkpi_kpi_base_type'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_base_type(regtype) IS
'the type under a domain, or under domains over domains; any other type is its own; NULL for type 0, a dropped column''s';

/* What is asked about by name is always named alike: the setting quote_all_identifiers puts some names in quotes, and not others. */
CREATE FUNCTION @extschema@.kpi_type_name(type regtype) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.replace(pg_catalog.format_type(type, NULL), '"', '');
END;
COMMENT ON FUNCTION @extschema@.kpi_type_name(regtype) IS
'the name of a type, as format_type gives it but without quotes; NULL for NULL';

CREATE FUNCTION @extschema@.kpi_is_infinite(number numeric) RETURNS boolean
AS 'MODULE_PATHNAME', 'salkpi_is_infinite'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_is_infinite(numeric) IS
'whether a number is NaN or infinite; NULL for NULL';

CREATE FUNCTION @extschema@.kpi_known_day(day date) RETURNS date
AS 'MODULE_PATHNAME', 'salkpi_known_day'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_known_day(date) IS
'a day that a source has: infinite where it lies before 4000 BC or after the first day of the year 200000. NULL for NULL';

CREATE FUNCTION @extschema@.kpi_relation_columns(source text, relation regclass)
	RETURNS TABLE (column_name text, required boolean, type text, status text, kind text, base regtype)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(c.column_name, a.attname::text),
		   coalesce(c.required, false),
		   pg_catalog.format_type(a.atttypid, a.atttypmod),
		   CASE WHEN a.attname IS NULL THEN CASE WHEN c.required THEN 'missing: required' ELSE 'missing' END
				WHEN c.column_name IS NULL THEN CASE WHEN b.is_text THEN 'can serve as a dimension' ELSE 'not used' END
				WHEN b.suits THEN 'ok'
				WHEN b.base = 'timestamp'::regtype THEN
					'wrong type: expected timestamp with time zone or date; use AT TIME ZONE in a view'
				ELSE 'wrong type: expected ' || CASE c.kind
					WHEN 'id' THEN 'bigint, integer, uuid or text'
					WHEN 'instant' THEN 'timestamp with time zone or date'
					WHEN 'number' THEN 'numeric' ELSE c.kind END
		   END,
		   coalesce(c.kind, 'text'), b.base
	  FROM (SELECT * FROM @extschema@.kpi_source_column c WHERE c.source = kpi_relation_columns.source) c
	  FULL JOIN (SELECT * FROM pg_catalog.pg_attribute a
				  WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped) a
		ON a.attname = c.column_name
	  LEFT JOIN LATERAL (
			SELECT base, @extschema@.kpi_type_suits(base, c.kind) OR c.kind = 'text' AND is_enum AS suits,
				   @extschema@.kpi_type_suits(base, 'dimension') OR is_enum AS is_text
			  FROM (SELECT t.base, (SELECT e.typtype = 'e' FROM pg_catalog.pg_type e WHERE e.oid = t.base) AS is_enum
					  FROM (SELECT @extschema@.kpi_base_type(a.atttypid::regtype) AS base) t) t) b ON true
	 ORDER BY c."position", a.attnum;
END;
COMMENT ON FUNCTION @extschema@.kpi_relation_columns(text, regclass) IS
'kpi_bound_columns, and of each column its kind (as of kpi_source_column; text for one that is none) and the type under its domain';

CREATE FUNCTION @extschema@.kpi_bound_columns(source text, relation regclass)
	RETURNS TABLE (column_name text, required boolean, type text, status text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT c.column_name, c.required, c.type, c.status FROM @extschema@.kpi_relation_columns(source, relation) c;
END;
COMMENT ON FUNCTION @extschema@.kpi_bound_columns(text, regclass) IS
'each column of the source''s contract and of the relation: whether it is required, its type there, and whether it can be used';

/*
 * Raises unless the relation can serve as the source.  Called when binding and
 * again before each snapshot, since a view may have been replaced in between.
 */
CREATE FUNCTION @extschema@.kpi_require_columns(source text, relation regclass) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fault record;
BEGIN
	SELECT string_agg(format('%I %s%s', c.column_name, c.status, '; found ' || c.type), E'.\n' ORDER BY c.ordinality) AS faults,
		   min(c.first_column) AS first_column, count(*) AS n,
		   bool_or(c.status LIKE 'missing%') AS is_missing,
		   min(c.column_name) FILTER (WHERE c.status LIKE 'wrong%timestamp with%' AND c.type LIKE 'timestamp%') AS zoneless,
		   min(c.kind) FILTER (WHERE c.column_name = c.first_column) AS kind,
		   min(@extschema@.kpi_type_name(c.base)) FILTER (WHERE c.column_name = c.first_column) AS type
	  INTO fault
	  FROM (SELECT k.*, first_value(k.column_name) OVER (ORDER BY k.ordinality) AS first_column
			  FROM @extschema@.kpi_relation_columns(source, relation) WITH ORDINALITY k
			 WHERE k.status LIKE 'wrong type%' OR k.status = 'missing: required') c;

	IF fault.n > 0 THEN
		RAISE EXCEPTION '% cannot serve as source "%": % of its columns cannot be used, the first is "%"',
				relation, source, fault.n, fault.first_column
			USING ERRCODE = CASE WHEN fault.is_missing THEN 'undefined_column' ELSE 'datatype_mismatch' END,
				  DETAIL = fault.faults || '.',
				  HINT = CASE WHEN fault.zoneless IS NOT NULL
					THEN format('Bind a view that turns a timestamp into an instant, for example: %I AT TIME ZONE ''UTC'' AS %1$I.', fault.zoneless)
					WHEN fault.is_missing THEN format('Bind a view that has these columns; SELECT kpi_skeleton(%L) writes one to fill in.', source)
					ELSE format(CASE WHEN fault.type LIKE '%[]' THEN 'Bind a view that takes one value out of it, for example: (%I)[1] AS %1$I.'
									 WHEN fault.kind IN ('instant', 'boolean') AND fault.type IN ('smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision')
									 THEN CASE fault.kind WHEN 'instant' THEN 'Bind a view that makes an instant of it, for example, where it counts seconds: to_timestamp(%I) AS %1$I.'
														  ELSE 'Bind a view that compares it, for example: (%I <> 0) AS %1$I.' END	-- most cannot be cast
									 WHEN fault.kind = 'instant' THEN 'Bind a view that makes a date of it, for example: to_date(%I, ''DD.MM.YYYY'') AS %1$I, or %1$I::timestamptz where the text names a time zone.'
									 WHEN fault.type IN ('json', 'jsonb') THEN 'Bind a view that takes one value out of it, for example: (%I ->> ''en'')::%s AS %1$I.'
									 ELSE 'Bind a view that casts it, for example: %I::%s AS %1$I.' END,
								fault.first_column, CASE fault.kind WHEN 'id' THEN 'text' WHEN 'number' THEN 'numeric' ELSE fault.kind END) END;
	END IF;

	IF NOT has_table_privilege(relation, 'SELECT') AND NOT has_any_column_privilege(relation, 'SELECT') THEN
		RAISE EXCEPTION 'permission denied for %, which is source "%"', relation, source
			USING ERRCODE = 'insufficient_privilege',
				  HINT = format('GRANT SELECT ON %s TO %I.', relation, current_user);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_columns(text, regclass) IS
'raises, naming source and columns, unless the relation has all required columns, of usable types, and may be read';

CREATE FUNCTION @extschema@.kpi_require_source(source text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM @extschema@.kpi_source_column c WHERE c.source = kpi_require_source.source) THEN
		PERFORM @extschema@.kpi_raise_unknown('source', source, 'Sources are ' || (SELECT string_agg(DISTINCT c.source, ', ' ORDER BY c.source)
																					 FROM @extschema@.kpi_source_column c) || '.');
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_source(text) IS
'raises when there is no such source in the contract';

CREATE FUNCTION @extschema@.kpi_bind(source text, relation regclass)
	RETURNS TABLE (column_name text, required boolean, type text, status text)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM @extschema@.kpi_require_source(source);
	IF relation IS NULL THEN
		RAISE EXCEPTION 'relation for source "%" must not be null', source
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) THEN
		RAISE EXCEPTION 'cannot bind % as source "%"', relation, source
			USING ERRCODE = 'wrong_object_type', DETAIL = 'It is neither a table nor a view.';
	END IF;
	IF EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
				WHERE d.classid = 'pg_class'::regclass AND d.objid = relation AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'salkpi') THEN
		RAISE EXCEPTION 'cannot bind %, which is of salkpi itself, as source "%"', relation, source
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Name the schema of your table or view.';
	END IF;
	PERFORM @extschema@.kpi_require_columns(source, relation);
	IF EXISTS (SELECT FROM pg_class c WHERE c.oid = relation AND c.relpersistence = 't') THEN
		RAISE WARNING 'source "%" is bound to temporary relation %, which other sessions do not see', source, relation
			USING HINT = 'Bind a permanent table or view, for snapshots and readers of other sessions.';
	END IF;

	INSERT INTO @extschema@.kpi_source AS s (source, relation_schema, relation_name)
	SELECT kpi_bind.source, n.nspname, c.relname
	  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	 WHERE c.oid = relation
	ON CONFLICT ON CONSTRAINT kpi_source_pkey DO UPDATE
	   SET relation_schema = excluded.relation_schema, relation_name = excluded.relation_name,
		   bound_at = excluded.bound_at, bound_by = excluded.bound_by;

	RETURN QUERY SELECT * FROM @extschema@.kpi_bound_columns(source, relation);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_bind(text, regclass) IS
'makes a table or view the source: checks its columns and types, and reports each. Raises when a required column is missing, a type cannot be used, or the relation is neither a table nor a view; warns when it is temporary';

CREATE FUNCTION @extschema@.kpi_unbind(source text) RETURNS boolean
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM @extschema@.kpi_require_source(source);
	DELETE FROM @extschema@.kpi_source s WHERE s.source = kpi_unbind.source;
	RETURN FOUND;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unbind(text) IS
'forgets what the source was bound to. Its facts stay until a snapshot computes their periods anew, and as earlier versions after that. (Without opportunity_history the pipeline that was recorded at the end of a period stays as it was: it cannot be read again.) False when nothing was bound';

/* They are those in the condition by which a row with another word is bad. */
CREATE FUNCTION @extschema@.kpi_known_words(source text, column_name text) RETURNS text
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT replace(substring(f.condition FROM 'IN [(](.*)[)]'), '''', '') FROM @extschema@.kpi_fault f
			 WHERE f.source = kpi_known_words.source AND f.reason = 'unknown ' || kpi_known_words.column_name);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_known_words(text, text) IS
'the words that a column of a source may hold, separated by commas; NULL for a column that takes any text';

CREATE FUNCTION @extschema@.kpi_skeleton(source text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM @extschema@.kpi_require_source(source);
	RETURN (
		SELECT format(E'CREATE VIEW my_%1$s AS\nSELECT\n%2$s\n  FROM ...;\nSELECT kpi_bind(%1$L, ''my_%1$s'');',
					  kpi_skeleton.source, string_agg(format('    %-22s AS %-18s%s', 'NULL::' || CASE kind
							WHEN 'id' THEN 'text' WHEN 'instant' THEN 'timestamptz' WHEN 'number' THEN 'numeric' ELSE kind END,
						column_name || CASE WHEN "position" < last THEN ',' ELSE '' END,
						coalesce(' -- ' || nullif(concat_ws(': ', CASE WHEN required THEN 'required' END, @extschema@.kpi_known_words(kpi_skeleton.source, column_name)), ''), '')),
						E'\n' ORDER BY "position"))
		  FROM (SELECT *, max(c."position") OVER () AS last FROM @extschema@.kpi_source_column c
				 WHERE c.source = kpi_skeleton.source) c);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_skeleton(text) IS
'a CREATE VIEW statement with all columns of the source, and the words that some of them take, to fill in';

CREATE FUNCTION @extschema@.kpi_id_text(id bigint) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_id_text';
COMMENT ON FUNCTION @extschema@.kpi_id_text(bigint) IS 'an id that is a number, as text: the same as a cast, and faster';
