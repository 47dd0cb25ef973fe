/*
 * Members of dimensions: their parts, which there are, and what to call them.
 */
CREATE FUNCTION @extschema@.kpi_member_parts(member text, n integer DEFAULT 2) RETURNS text[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE n WHEN 0 THEN '{}' WHEN 1 THEN ARRAY[member]
		   ELSE (SELECT array_agg(regexp_replace(p.part[1], E'\\\\(.)', E'\\1', 'g') ORDER BY p.i)
				   FROM regexp_matches(member || '+', E'((?:[^\\\\+]|\\\\.)*)\\+', 'g') WITH ORDINALITY p(part, i)) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_member_parts(text, integer) IS
'the parts of a member of a dimension of n parts: the inverse of kpi_member. With one part (or none) nothing is split';

CREATE FUNCTION @extschema@.kpi_names_query(source text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN format('SELECT DISTINCT ON (s.id) s.id, s.name FROM (%s) s WHERE s.id = ANY ($1) AND s.name <> '''' ORDER BY s.id, s.valid_from DESC NULLS LAST, s.name',
				  @extschema@.kpi_source_select(source));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_names_query(text) IS
'the text of the query of kpi_names, for kpi_source_rows; its parameter: ids';

CREATE FUNCTION @extschema@.kpi_names(source text, ids text[])
	RETURNS TABLE (id text, name text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 10
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT s.id, s.name
	  FROM @extschema@.kpi_source_rows(source, @extschema@.kpi_readable_relation(source), @extschema@.kpi_setting('time_zone'),
									   '@extschema@.kpi_names_query'::regproc, ROW(ids)) AS s(id text, name text);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_names(text, text[]) IS
'the latest names of reps or accounts (source: rep, account) from the bound relation; no rows where none is bound or the caller may not read it';

CREATE FUNCTION @extschema@.kpi_labels(dimension text, members text[], lang text)
	RETURNS TABLE (member text, label text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 100
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	d @extschema@.kpi_dimension;
	n integer;
	none text := CASE lang WHEN 'de' THEN '(ohne)' ELSE '(none)' END;
BEGIN
	SELECT * INTO d FROM @extschema@.kpi_dimension x WHERE x.dimension = kpi_labels.dimension;
	n := cardinality(d.parts);
	IF n = 0 THEN
		RETURN QUERY SELECT u.m, CASE lang WHEN 'de' THEN d.label_de ELSE d.label_en END FROM unnest(members) u(m);
	ELSIF NOT d.parts && '{rep,account}' THEN
		RETURN QUERY SELECT u.m, CASE WHEN n = 1 THEN CASE u.m WHEN '(none)' THEN none ELSE u.m END
									  ELSE array_to_string(array_replace(@extschema@.kpi_member_parts(u.m, n), '(none)', none), ' / ') END
					   FROM unnest(members) u(m);
	ELSIF n = 1 THEN
		RETURN QUERY
		SELECT u.m, coalesce(x.name, CASE u.m WHEN '(none)' THEN none ELSE u.m END)
		  FROM unnest(members) u(m) LEFT JOIN @extschema@.kpi_names(d.parts[1], members) x ON x.id = u.m;
	ELSE
		RETURN QUERY
		WITH part AS MATERIALIZED (
			SELECT u.m, p.i, p.base, p.part
			  FROM unnest(members) u(m)
			  CROSS JOIN LATERAL unnest(d.parts, @extschema@.kpi_member_parts(u.m, n)) WITH ORDINALITY p(base, part, i)
		), named AS (
			SELECT s.base, x.id, x.name
			  FROM (SELECT p.base, array_agg(DISTINCT p.part) AS ids FROM part p WHERE p.base IN ('rep', 'account') GROUP BY p.base OFFSET 0) s
			  CROSS JOIN LATERAL @extschema@.kpi_names(s.base, s.ids) x
		)
		SELECT p.m, string_agg(coalesce(x.name, CASE p.part WHEN '(none)' THEN none ELSE p.part END), ' / ' ORDER BY p.i)
		  FROM part p LEFT JOIN named x ON x.base = p.base AND x.id = p.part
		 GROUP BY p.m;
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_labels(text, text[], text) IS
'what to call members: the names of reps and accounts where they can be read, else the id; (none) in the language; the parts of a combined member joined by " / "';

CREATE FUNCTION @extschema@.kpi_members(dimension text, lang text DEFAULT NULL, as_of timestamptz DEFAULT NULL)
	RETURNS TABLE (member text, label text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF EXISTS (SELECT FROM @extschema@.kpi_left_out_dimensions() l WHERE l.dimension = kpi_members.dimension) THEN
		RETURN;	-- a dashboard has variables of all
	END IF;
	PERFORM @extschema@.kpi_require_dimension(dimension);
	lang := @extschema@.kpi_require_language(lang);
	RETURN QUERY
	SELECT l.member, l.label
	  FROM @extschema@.kpi_labels(kpi_members.dimension, ARRAY(
			SELECT DISTINCT f.member FROM @extschema@.kpi_fact f
			 WHERE f.dimension = kpi_members.dimension
			   AND CASE WHEN as_of IS NULL THEN f.superseded_at IS NULL ELSE f.recorded_at <= as_of AND (f.superseded_at IS NULL OR f.superseded_at > as_of) END), lang) l
	 ORDER BY l.label COLLATE "C", l.member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_members(text, text, timestamptz) IS
'the members of a dimension that have facts, or had at as_of, with what to call them in a language (en, de; NULL: the setting), by label; none of a dimension that the setting dimensions leaves out';
