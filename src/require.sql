/*
 * Arguments of readers: what they must be, and how an error says what they could be.
 */
CREATE FUNCTION @extschema@.kpi_periods_per_year(grain text, period date DEFAULT NULL) RETURNS integer
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer := CASE grain WHEN 'day' THEN CASE WHEN isfinite(period) THEN period - (period - interval '1 year')::date ELSE 366 END WHEN 'week' THEN 52 WHEN 'month' THEN 12 WHEN 'quarter' THEN 4 WHEN 'year' THEN 1 END;
BEGIN
	IF n IS NULL THEN
		PERFORM @extschema@.kpi_raise_unknown('grain', grain, 'Grains are day, week, month, quarter, year.');
	END IF;
	RETURN n;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_periods_per_year(text, date) IS
'how many periods of the grain lie between one and the same of the year before; of days that depends on the day: without one the most. An error for an unknown grain or NULL';

/* Not asked for where rows of the sources are read, which need no facts. */
CREATE FUNCTION @extschema@.kpi_require_computed(grain text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	grains text := @extschema@.kpi_setting('grains');
BEGIN
	IF grain <> ALL (string_to_array(grains, ',')) THEN
		RAISE EXCEPTION 'grain "%" is left out by the setting "grains"', grain
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('SELECT kpi_set(''grains'', %L) has the next snapshot compute it too.', grains || ',' || grain);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_computed(text) IS
'raises for a grain of which snapshots make no facts; to be called where there are none';

CREATE FUNCTION @extschema@.kpi_require_language(lang text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	lang := coalesce(lang, @extschema@.kpi_setting('language'));
	IF lang NOT IN ('en', 'de') THEN
		PERFORM @extschema@.kpi_raise_unknown('language', lang, 'Languages are en and de; NULL is the setting "language".');
	END IF;
	RETURN lang;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_language(text) IS
'the language, NULL: that of the settings; an error for an unknown one';

CREATE FUNCTION @extschema@.kpi_require_dimension(dimension text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	blank text := @extschema@.kpi_blank_member(dimension);
BEGIN
	IF blank IS NULL AND EXISTS (SELECT FROM @extschema@.kpi_left_out_dimensions() l WHERE l.dimension = kpi_require_dimension.dimension) THEN
		RAISE EXCEPTION 'dimension "%" is left out by the setting "dimensions"', dimension
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('SELECT kpi_set(''dimensions'', %L) has the next snapshot compute it too.', @extschema@.kpi_setting('dimensions') || ',' || dimension);
	END IF;
	IF blank IS NULL THEN
		PERFORM @extschema@.kpi_raise_unknown('dimension', dimension, 'Dimensions are ' || (SELECT string_agg(d.dimension, ', ' ORDER BY d.dimension COLLATE "C")
																							  FROM @extschema@.kpi_dimension d) || '; kpi_define_dimension() makes others.');
	END IF;
	RETURN blank;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_dimension(text) IS
'the blank member of a dimension; an error for an unknown dimension, one that is left out, or NULL';

CREATE FUNCTION @extschema@.kpi_require_member(dimension text, members text[]) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer := (SELECT cardinality(d.parts) FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_require_member.dimension);
	wrong record;
BEGIN
	IF n IS NULL THEN
		PERFORM @extschema@.kpi_require_dimension(dimension);	-- which raises
	END IF;
	SELECT u.member INTO wrong FROM unnest(members) u(member)
	 WHERE u.member IS NULL OR (n = 0) <> (u.member = '') OR n > 1 AND cardinality(@extschema@.kpi_member_parts(u.member, n)) <> n LIMIT 1;
	IF FOUND AND wrong.member IS NULL THEN
		RAISE EXCEPTION 'member of dimension "%" must not be null', dimension
			USING ERRCODE = 'null_value_not_allowed';
	ELSIF FOUND THEN
		RAISE EXCEPTION 'dimension "%" cannot have a member "%"', dimension, wrong.member
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = CASE n WHEN 0 THEN 'Name the dimension that the member is of; "total" has the one member ''''.'
						 WHEN 1 THEN format('SELECT member, label FROM kpi_members(%L) lists them.', dimension)
						 ELSE format(E'Members of "%s" have %s parts joined by "+"; a + or \\ inside one is written \\+ or \\\\.', dimension, n) END;
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_member(text, text[]) IS
'raises for an unknown dimension, and for what cannot be a member of it: a name for the total, none for another, the wrong number of parts';

CREATE FUNCTION @extschema@.kpi_require_days(from_day date, to_day date) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF from_day > to_day THEN
		RAISE EXCEPTION 'from_day % must not be after to_day %', from_day, to_day
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_days(date, date) IS
'raises for days that are the wrong way round; NULL is no limit';

CREATE FUNCTION @extschema@.kpi_require_kpi(kpi text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	/* kpi_definition has what these three have. */
	IF NOT (EXISTS (SELECT FROM @extschema@.kpi_definition_shipped d WHERE d.kpi = kpi_require_kpi.kpi)
			OR EXISTS (SELECT FROM @extschema@.kpi_measure m WHERE m.measure = kpi_require_kpi.kpi)
			OR EXISTS (SELECT FROM @extschema@.kpi_definition_own d WHERE d.kpi = kpi_require_kpi.kpi)) THEN
		PERFORM @extschema@.kpi_raise_unknown('KPI', kpi, 'SELECT kpi, label_en FROM kpi_definition lists them; kpi_define() makes others.');
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_kpi(text) IS
'raises for an unknown KPI or NULL';
