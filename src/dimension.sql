/*
 * Dimensions are data.  A base dimension has one part, itself: the text column
 * of that name in a source, or, where the source has none, in the
 * opportunity, account or rep that the row names.  One is worked out instead:
 * "cohort" is the first day of the month in which the account first became a
 * customer.  A combined dimension lists several base ones; "total" has none
 * and the one member ''.
 */
CREATE TABLE @extschema@.kpi_dimension_shipped (
	dimension	text PRIMARY KEY,
	parts		text[] NOT NULL,
	label_en	text NOT NULL,
	label_de	text NOT NULL
);
COMMENT ON TABLE @extschema@.kpi_dimension_shipped IS 'the dimensions that come with salkpi';

INSERT INTO @extschema@.kpi_dimension_shipped VALUES
	('total', '{}', 'Total', 'Gesamt'),
	('rep', '{rep}', 'Rep', 'Vertriebler'),
	('team', '{team}', 'Team', 'Team'),
	('region', '{region}', 'Region', 'Region'),
	('product', '{product}', 'Product', 'Produkt'),
	('channel', '{channel}', 'Channel', 'Kanal'),
	('campaign', '{campaign}', 'Campaign', 'Kampagne'),
	('segment', '{segment}', 'Segment', 'Segment'),
	('plan', '{plan}', 'Plan', 'Tarif'),
	('cohort', '{cohort}', 'Cohort', 'Kohorte'),
	('stage', '{stage}', 'Stage', 'Phase'),
	('lost_reason', '{lost_reason}', 'Reason for losing', 'Verlustgrund'),
	('kind', '{kind}', 'Kind of activity', 'Art der Aktivität'),
	('rep+kind', '{rep,kind}', 'Rep and kind of activity', 'Vertriebler und Art der Aktivität'),
	('rep+stage', '{rep,stage}', 'Rep and stage', 'Vertriebler und Phase'),
	('team+stage', '{team,stage}', 'Team and stage', 'Team und Phase'),
	('region+stage', '{region,stage}', 'Region and stage', 'Region und Phase');

CREATE TABLE @extschema@.kpi_dimension_own (
	dimension	text PRIMARY KEY,
	parts		text[] NOT NULL,
	label_en	text NOT NULL,
	label_de	text NOT NULL
);
COMMENT ON TABLE @extschema@.kpi_dimension_own IS 'dimensions defined by kpi_define_dimension';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.kpi_dimension_own', '');

CREATE VIEW @extschema@.kpi_dimension AS
	SELECT dimension, parts, label_en, label_de FROM @extschema@.kpi_dimension_own
	UNION ALL
	SELECT dimension, parts, label_en, label_de FROM @extschema@.kpi_dimension_shipped s
	 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_dimension_own o WHERE o.dimension = s.dimension)
	   AND (s.parts = '{}' OR (SELECT @extschema@.kpi_setting('dimensions')) = 'all'
			OR s.dimension = ANY (pg_catalog.string_to_array((SELECT @extschema@.kpi_setting('dimensions')), ',')));
COMMENT ON VIEW @extschema@.kpi_dimension IS
'the dimensions: name, parts (base dimensions it combines), labels; of those that come with salkpi the ones that the setting dimensions names';

CREATE FUNCTION @extschema@.kpi_left_out_dimensions() RETURNS TABLE (dimension text, parts text[], label_en text, label_de text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT s.dimension, s.parts, s.label_en, s.label_de FROM @extschema@.kpi_dimension_shipped s
	 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_dimension d WHERE d.dimension = s.dimension);
END;
COMMENT ON FUNCTION @extschema@.kpi_left_out_dimensions() IS 'the dimensions that come with salkpi and that the setting dimensions leaves out';

CREATE FUNCTION @extschema@.kpi_member(parts text[]) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE pg_catalog.cardinality(parts) WHEN 0 THEN '' WHEN 1 THEN parts[1]
		   ELSE (SELECT pg_catalog.string_agg(replace(replace(p, E'\\', E'\\\\'), '+', E'\\+'), '+' ORDER BY n)
				   FROM pg_catalog.unnest(parts) WITH ORDINALITY u(p, n)) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_member(text[]) IS
E'the name of a member from its parts: several are joined by +, a + or \\ inside one is written \\+ or \\\\; no part is the total, an empty string';

CREATE FUNCTION @extschema@.kpi_member_part(part text) RETURNS text
AS 'MODULE_PATHNAME', 'salkpi_kpi_member_part'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_member_part(text) IS
'a text as the part of a member that facts have of it: one of more than 240 bytes is its beginning and a hash of all of it. NULL for NULL';

CREATE FUNCTION @extschema@.kpi_blank_member(dimension text) RETURNS text
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT CASE WHEN cardinality(d.parts) = 0 THEN ''
					ELSE array_to_string(array_fill('(none)'::text, ARRAY[cardinality(d.parts)]), '+') END
			  FROM @extschema@.kpi_dimension d
			 WHERE d.dimension = kpi_blank_member.dimension);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_blank_member(text) IS
'the member of a dimension whose parts are all unknown; every computed period has a fact of it. NULL for an unknown dimension';

/* Columns that are no texts, and those that queries over sources add to them. */
CREATE FUNCTION @extschema@.kpi_is_no_dimension(column_name text) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN column_name = ANY ('{status,starts,ends,covered_until,next_from,raw_key,source_row,entered_at,left_at,stayed,advanced,
							  piece_from,piece_to,whole_from,whole_to,is_first,is_of_part}')
		OR EXISTS (SELECT FROM @extschema@.kpi_source_column c
					WHERE c.kind NOT IN ('text', 'id') AND kpi_is_no_dimension.column_name IN (c.column_name, c.column_name || '_day'));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_is_no_dimension(text) IS
'whether a column of this name, of a source or of what queries make of one, is something else than a text whose values could be members';

/* Whoever may write own dimensions may do so by plain SQL, too; one that no snapshot can take would stop them all. */
CREATE FUNCTION @extschema@.kpi_dimension_check() RETURNS trigger
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part text;
BEGIN
	IF new.dimension IS NULL OR new.dimension !~ '^[a-z_][a-z0-9_+]*$' OR new.dimension = 'total' THEN
		RAISE EXCEPTION 'dimension cannot be called "%"', new.dimension
			USING ERRCODE = 'invalid_name',
				  HINT = 'Use the name of a text column, in lower case, or several joined by "+".';
	END IF;
	SELECT p.name INTO part FROM unnest(new.parts) p(name) GROUP BY p.name HAVING p.name IS NULL OR count(*) > 1 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'dimension "%" has %', new.dimension, CASE WHEN part IS NULL THEN 'a part that is null' ELSE format('part "%s" twice', part) END
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF new.parts IS DISTINCT FROM string_to_array(new.dimension, '+') THEN
		RAISE EXCEPTION 'dimension "%" must be called after its parts, "%"', new.dimension, array_to_string(new.parts, '+')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOREACH part IN ARRAY new.parts LOOP
		IF part !~ '^[a-z_][a-z0-9_]*$' OR part = 'total' THEN
			RAISE EXCEPTION 'part "%" of dimension "%" is not the name of a column', part, new.dimension
				USING ERRCODE = 'invalid_name';
		END IF;
		IF @extschema@.kpi_is_no_dimension(part) THEN
			RAISE EXCEPTION 'column "%" cannot be a dimension', part
				USING ERRCODE = 'invalid_name',
					  DETAIL = 'Columns of that name mean something else in a source, or where sources are read.',
					  HINT = 'Bind a view that has the text under another name.';
		END IF;
	END LOOP;
	RETURN new;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_dimension_check() IS
'trigger: raises for a dimension that is not called after its parts, for the total, and for the names of columns that are no texts, or are used otherwise';

CREATE TRIGGER kpi_dimension_written BEFORE INSERT OR UPDATE ON @extschema@.kpi_dimension_own
	FOR EACH ROW EXECUTE FUNCTION @extschema@.kpi_dimension_check();

CREATE FUNCTION @extschema@.kpi_define_dimension(dimension text, parts text[] DEFAULT NULL,
												 label_en text DEFAULT NULL, label_de text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO @extschema@.kpi_dimension_own AS d VALUES
		(dimension, coalesce(parts, string_to_array(dimension, '+')), coalesce(label_en, dimension), coalesce(label_de, label_en, dimension))
	ON CONFLICT ON CONSTRAINT kpi_dimension_own_pkey DO UPDATE
	   SET parts = excluded.parts, label_en = excluded.label_en, label_de = excluded.label_de;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_define_dimension(text, text[], text, text) IS
'makes a text column of the sources a dimension, or combines several ("region+product"); the next snapshot computes it. Raises for the names of columns that are no texts, or are used otherwise';

CREATE FUNCTION @extschema@.kpi_undefine_dimension(dimension text) RETURNS boolean
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM @extschema@.kpi_dimension_own d WHERE d.dimension = kpi_undefine_dimension.dimension;
	RETURN FOUND;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_undefine_dimension(text) IS
'removes a dimension that kpi_define_dimension made; its facts stay. False when there was none';
