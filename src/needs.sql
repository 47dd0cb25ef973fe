/*
 * What a KPI needs: of each measure in its formula the source and the columns,
 * and whether they are there.  So a value that is missing can be made up for.
 */
CREATE FUNCTION @extschema@.kpi_needs(kpi text)
	RETURNS TABLE (measure text, source text, columns text[], missing text[], status text)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	usable text[] := (SELECT array_agg(u.source || '.' || u.column_name) FROM @extschema@.kpi_usable_columns() u);
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi);
	RETURN QUERY
	SELECT m.measure, m.source, m.needs, x.missing,
		   CASE WHEN @extschema@.kpi_source_relation(m.source) IS NULL THEN 'source not bound'
				WHEN x.missing <> '{}' THEN 'column missing' ELSE 'ok' END
	  FROM unnest(@extschema@.kpi_resolve(ARRAY[kpi_needs.kpi], 12, 'en')) r
	 CROSS JOIN unnest(r.measures) WITH ORDINALITY u(measure, n)
	  JOIN @extschema@.kpi_measure m ON m.measure = u.measure
	 CROSS JOIN LATERAL (SELECT ARRAY(SELECT n FROM unnest(m.needs) n WHERE NOT @extschema@.kpi_has_columns(m.source, ARRAY[n], usable)) AS missing) x
	 ORDER BY u.n, m."position";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_needs(text) IS
'what a KPI is made of: each measure in its formula, the source it is read from (there is a row for each where it may be one of several), the columns of it that are needed beside those required of the source (a|b: one of them; source.column: of another source), those of them that are missing, and ok, source not bound or column missing. Where the formula has alternatives (coalesce) they are all listed, though one will do. Raises for an unknown KPI';
