/*
 * The scope of a question.  A dashboard filters by several dimensions at once;
 * a fact is of one dimension.  Teams and regions together are members of the
 * dimension that combines the two, if there is one: then the numbers are
 * exact, else there are none.  A filter is never left out in silence.
 */
CREATE FUNCTION @extschema@.kpi_scope(filters jsonb, by text DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE (dimension text, members text[], by_members text[], label text, reason text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 1
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	chosen jsonb;	-- the members chosen of each dimension that is filtered
	wanted text[];	-- these dimensions, and "by"
	parts text[];
	part text;
	unfit text;
	left_out text;
	combinations jsonb[] := '{"[]"}';
BEGIN
	lang := @extschema@.kpi_require_language(lang);
	IF jsonb_typeof(filters) <> 'object' THEN
		RAISE EXCEPTION 'filters must be an object of dimensions and their members, not %', filters
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT f.name INTO unfit
	  FROM (SELECT jsonb_object_keys(filters) UNION ALL SELECT by WHERE by IS NOT NULL) f(name)
	 WHERE NOT EXISTS (SELECT FROM (TABLE @extschema@.kpi_dimension UNION ALL SELECT * FROM @extschema@.kpi_left_out_dimensions()) d
						WHERE d.dimension = f.name AND cardinality(d.parts) = 1) LIMIT 1;
	IF FOUND THEN
		PERFORM @extschema@.kpi_raise_unknown('base dimension', unfit, 'SELECT dimension FROM kpi_dimension WHERE cardinality(parts) = 1 lists them.');
	END IF;

	SELECT coalesce(jsonb_object_agg(c.name, c.members) FILTER (WHERE c.members IS NOT NULL), '{}') INTO chosen
	  FROM (SELECT f.name, (SELECT jsonb_agg(DISTINCT m COLLATE "C") FROM jsonb_array_elements_text(CASE jsonb_typeof(f.value) WHEN 'array' THEN f.value ELSE jsonb_build_array(f.value) END) m
							 WHERE m <> '') AS members
			  FROM jsonb_each(filters) f(name, value)) c;
	wanted := ARRAY(SELECT k FROM jsonb_object_keys(chosen) k UNION SELECT by WHERE by IS NOT NULL);
	SELECT string_agg(concat(CASE lang WHEN 'de' THEN d.label_de ELSE d.label_en END, ': ' || named.members), ' · ' ORDER BY d.dimension COLLATE "C") INTO label
	  FROM (TABLE @extschema@.kpi_dimension UNION ALL SELECT * FROM @extschema@.kpi_left_out_dimensions()) d
	 CROSS JOIN LATERAL (SELECT string_agg(coalesce(l.label, m.member), ', ' ORDER BY coalesce(l.label, m.member) COLLATE "C") AS members
						   FROM jsonb_array_elements_text(chosen -> d.dimension) m(member)
						   LEFT JOIN @extschema@.kpi_labels(d.dimension, ARRAY(SELECT jsonb_array_elements_text(chosen -> d.dimension)), lang) l USING (member)) named
	 WHERE d.dimension IN (SELECT jsonb_object_keys(chosen));
	label := coalesce(label, (SELECT CASE lang WHEN 'de' THEN d.label_de ELSE d.label_en END FROM @extschema@.kpi_dimension d WHERE d.dimension = 'total'));
	SELECT d.dimension, d.parts INTO dimension, parts FROM @extschema@.kpi_dimension d
	 WHERE d.parts @> wanted AND d.parts <@ wanted ORDER BY d.dimension COLLATE "C" LIMIT 1;

	SELECT string_agg(CASE lang WHEN 'de' THEN l.label_de ELSE l.label_en END, ', ' ORDER BY l.dimension COLLATE "C") INTO left_out
	  FROM @extschema@.kpi_left_out_dimensions() l WHERE l.dimension = ANY (wanted);
	IF dimension IS NULL AND left_out IS NOT NULL THEN
		reason := format(CASE lang WHEN 'de' THEN 'nicht berechnet: %s fehlt in der Einstellung dimensions' ELSE 'not computed: %s is left out by the setting dimensions' END, left_out);
	ELSIF dimension IS NULL THEN
		reason := format(CASE lang WHEN 'de' THEN '%s gemeinsam sind nicht berechnet: kpi_define_dimension(%L)'
								   ELSE '%s together are not computed: kpi_define_dimension(%L)' END,
						 (SELECT string_agg(CASE lang WHEN 'de' THEN d.label_de ELSE d.label_en END, ' + ' ORDER BY d.dimension COLLATE "C")
							FROM @extschema@.kpi_dimension d WHERE d.dimension = ANY (wanted)),
						 (SELECT string_agg(w, '+' ORDER BY w COLLATE "C") FROM unnest(wanted) w));
	ELSIF NOT EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.superseded_at IS NULL AND f.dimension = kpi_scope.dimension) THEN
		dimension := NULL;
		reason := @extschema@.kpi_reason_text('not computed yet', lang);
	ELSIF by IS NOT NULL THEN
		SELECT coalesce(array_agg(m.member ORDER BY m.member COLLATE "C"), '{}'), coalesce(array_agg(m.names[array_position(parts, by)] ORDER BY m.member COLLATE "C"), '{}')
		  INTO members, by_members
		  FROM (SELECT f.member, @extschema@.kpi_member_parts(f.member, cardinality(parts)) AS names
				  FROM (SELECT DISTINCT f.member FROM @extschema@.kpi_fact f WHERE f.superseded_at IS NULL AND f.dimension = kpi_scope.dimension) f) m
		 WHERE NOT EXISTS (SELECT FROM unnest(parts, m.names) p(part, name) WHERE NOT (chosen -> p.part) ? p.name);
	ELSE
		FOREACH part IN ARRAY parts LOOP
			combinations := ARRAY(SELECT c || m FROM unnest(combinations) c CROSS JOIN jsonb_array_elements(chosen -> part) m);
		END LOOP;
		members := ARRAY(SELECT @extschema@.kpi_member(ARRAY(SELECT jsonb_array_elements_text(c))) FROM unnest(combinations) c);
	END IF;
	RETURN NEXT;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_scope(jsonb, text, text) IS
'the dimension, and its members, that filters by several dimensions mean together, to hand to the readers. filters: an object with the members chosen of each base dimension, {"team": ["North"], "region": []}; NULL, an empty array or '''' chooses all. One row: without a filter the dimension total; with one that dimension and the members chosen; with several the dimension that combines them and all combinations. by: another base dimension, whose members are to be listed: members are then those with current facts that the filters let through, by_members their part of it. label: the filters in words; reason: why there is no dimension (then NULL): none combines these (kpi_define_dimension makes it), one is left out by the setting dimensions, or no snapshot has computed it yet. lang: en, de, NULL: the setting. Raises for what is no base dimension';
