/*
 * To which member of a dimension a row of a source belongs.
 */
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
				  DETAIL = format('It can serve 10 columns, not %s: %s.', cardinality(attributes), array_to_string(attributes, ', ')),
				  HINT = 'kpi_undefine_dimension() removes one of your own; the setting dimensions leaves out those that come with salkpi.';
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
 * bought and pay belongs to their cohort, always the same one, and a sale to the
 * activity before it, also when the customer moves later.
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
			at := CASE WHEN 'activity.happened_at:date' = ANY (columns) THEN 'date_trunc(''day'', sold_at)' ELSE 'sold_at' END;
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

CREATE FUNCTION @extschema@.kpi_version_select(source text, input text, at text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format($q$SELECT DISTINCT ON (x.id) x.* FROM (%1$s) x
 ORDER BY x.id, ((x.valid_from <= %2$s) IS NOT FALSE AND (x.valid_to > %2$s) IS NOT FALSE) DESC, (x.valid_from <= %2$s) IS NOT FALSE DESC,
		  CASE WHEN (x.valid_from <= %2$s) IS NOT FALSE THEN coalesce(x.valid_from, '-infinity') END DESC NULLS LAST, coalesce(x.valid_from, '-infinity'),
		  coalesce(x.valid_to, 'infinity') DESC%3$s$q$, input, at, (
				SELECT string_agg(format(', x.%I COLLATE "C" DESC NULLS LAST', a.name), '' ORDER BY a.n)
				  FROM unnest(@extschema@.kpi_dictionary_attributes(source,
							(SELECT array_agg(u.source || '.' || u.column_name) FROM @extschema@.kpi_usable_columns() u))) WITH ORDINALITY a(name, n)));
END;
COMMENT ON FUNCTION @extschema@.kpi_version_select(text, text, text) IS
'the text of a query that gives of each rep or account (source; input: the text of a query for its rows) the one version that kpi_lookup finds for an instant (at: SQL text)';
