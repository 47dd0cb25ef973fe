/*
 * CRM adapters: the contract's sources made from the tables of a known CRM.
 *
 * An adapter is a function kpi_CRM_queries(crm_schema) that looks at the
 * tables and says, for each source, which query makes it and what is to be
 * known of it; a query of NULL means that this CRM cannot feed the source, and
 * the note says why.  kpi_CRM_currency(crm_schema) names the currency of its
 * books.  Here the queries become views kpi_CRM_SOURCE in the
 * extension's schema, owned by the caller, and are bound.  They are no members
 * of the extension: pg_dump takes them along, and they go with kpi_unbind_crm,
 * which a CRM needs before it changes the type of a column that a view reads.
 */
CREATE FUNCTION @extschema@.kpi_crm_column(crm_schema text, relation text, column_name text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_type_name(a.atttypid)
	  FROM pg_catalog.pg_namespace n
	  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
	  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	 WHERE n.nspname = crm_schema AND c.relname = relation AND a.attname = kpi_crm_column.column_name;
END;
COMMENT ON FUNCTION @extschema@.kpi_crm_column(text, text, text) IS
'type of a column of a CRM''s table, for adapters, as of kpi_type_name; NULL when there is no such table or column';

CREATE FUNCTION @extschema@.kpi_crm_missing(crm_schema text, VARIADIC relations text[]) RETURNS text[]
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.array_agg(r ORDER BY n)
	  FROM pg_catalog.unnest(relations) WITH ORDINALITY u(r, n)
	 WHERE pg_catalog.to_regclass(pg_catalog.format('%I.%I', crm_schema, r)) IS NULL;
END;
COMMENT ON FUNCTION @extschema@.kpi_crm_missing(text, text[]) IS
'those of the named tables that a CRM''s schema lacks, for adapters; NULL when all are there';

CREATE FUNCTION @extschema@.kpi_crm_pick(crm_schema text, alias text, relation text, columns text[], type text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(
		(SELECT pg_catalog.format('%I.%I', alias, c)
		   FROM pg_catalog.unnest(columns) WITH ORDINALITY u(c, n)
		  WHERE @extschema@.kpi_crm_column(crm_schema, relation, c) IS NOT NULL
		  ORDER BY n LIMIT 1),
		pg_catalog.format('NULL::%s', type));
END;
COMMENT ON FUNCTION @extschema@.kpi_crm_pick(text, text, text, text[], text) IS
'SQL for the first of the named columns that exists, else a NULL of the type, for adapters: columns come, go and are renamed between a CRM''s versions';

CREATE FUNCTION @extschema@.kpi_require_crm(crm text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF crm IS NULL OR to_regprocedure(format('@extschema@.%I(text)', format('kpi_%s_queries', crm))) IS NULL THEN
		PERFORM @extschema@.kpi_raise_unknown('CRM', crm, 'There is an adapter for "odoo". For another CRM make views and bind them: kpi_skeleton(source) writes one to fill in.');
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_crm(text) IS
'raises when there is no adapter for this CRM';

CREATE FUNCTION @extschema@.kpi_unbind_crm(crm text) RETURNS SETOF text
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	views regclass[];
BEGIN
	PERFORM @extschema@.kpi_require_crm(crm);

	SELECT array_agg(v.view ORDER BY v.view::text) INTO views
	  FROM (SELECT DISTINCT to_regclass(format('@extschema@.%I', format('kpi_%s_%s', crm, c.source))) AS view
			  FROM @extschema@.kpi_source_column c) v
	 WHERE v.view IS NOT NULL;

	RETURN QUERY
		DELETE FROM @extschema@.kpi_source s
		 WHERE @extschema@.kpi_source_relation(s.source) = ANY (views)
		RETURNING s.source;

	IF views IS NOT NULL THEN
		EXECUTE 'DROP VIEW ' || array_to_string(views, ', ');
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unbind_crm(text) IS
'drops the views that kpi_bind_crm made and unbinds their sources, which are returned; sources bound to anything else and all facts stay. Needed before the CRM changes its own tables';

/*
 * Amounts of a CRM come in the currency of its books.  Until the reporting
 * currency has been chosen or facts exist, that one is the obvious choice.
 */
CREATE FUNCTION @extschema@.kpi_adopt_currency(currency text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF currency <> @extschema@.kpi_setting('currency')
	   AND NOT EXISTS (SELECT FROM @extschema@.kpi_setting_value v WHERE v.setting = 'currency')
	   AND NOT EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.superseded_at IS NULL) THEN
		PERFORM @extschema@.kpi_set('currency', currency);
		RAISE NOTICE 'reporting currency is now %, the currency of the books', currency;
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_adopt_currency(text) IS
'makes this the reporting currency unless one was chosen or facts exist already; a notice says so';

CREATE FUNCTION @extschema@.kpi_bind_crm(crm text, crm_schema text DEFAULT 'public')
	RETURNS TABLE (source text, relation regclass, report text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	currency text;
	adapted record;
	view_name text;
	replaced regclass;
BEGIN
	PERFORM @extschema@.kpi_require_crm(crm);
	IF crm_schema IS NULL OR to_regnamespace(quote_ident(crm_schema)) IS NULL THEN
		RAISE EXCEPTION 'schema "%" does not exist', crm_schema
			USING ERRCODE = 'invalid_schema_name';
	END IF;

	EXECUTE format('SELECT @extschema@.%I($1)', format('kpi_%s_currency', crm)) INTO currency USING crm_schema;
	PERFORM @extschema@.kpi_adopt_currency(currency);
	PERFORM @extschema@.kpi_unbind_crm(crm);

	FOR adapted IN EXECUTE format('SELECT * FROM @extschema@.%I($1)', format('kpi_%s_queries', crm)) USING crm_schema LOOP
		source := adapted.source;
		relation := NULL;
		report := adapted.note;
		IF adapted.query IS NOT NULL THEN
			view_name := format('@extschema@.%I', format('kpi_%s_%s', crm, source));
			EXECUTE format('CREATE VIEW %s AS %s', view_name, adapted.query);
			EXECUTE format('COMMENT ON VIEW %s IS %L', view_name, adapted.note);
			relation := view_name::regclass;
			replaced := @extschema@.kpi_source_relation(source);
			PERFORM @extschema@.kpi_bind(source, relation);
			report := concat_ws('; ', report, 'was bound to ' || replaced);
		END IF;
		RETURN NEXT;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_bind_crm(text, text) IS
'makes the views kpi_CRM_SOURCE, owned by the caller, over the tables of a CRM (crm: odoo; versions 14 to 19 are told apart by their columns) and binds them; run again after the CRM was upgraded. One row per source: its view and what to know of it, or NULL and why it was left out. Raises when the schema does not hold this CRM';
