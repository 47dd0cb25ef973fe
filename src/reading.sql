/*
 * Reading: values of KPIs from facts, formulas and targets.
 *
 * kpi_computed does the work for many KPIs, members and periods at once: it
 * fetches the facts that their formulas reach, fills in members that nothing
 * happened to, and evaluates.  The readers find the period, ask it once, and
 * arrange what it gives.  They write nothing, so that they work on a standby,
 * and run as their caller, so that row-level security of kpi_fact holds.  They
 * are PL/pgSQL for the plans that it keeps: SQL functions that are not inlined
 * are planned in every transaction.
 *
 * A period is addressed by its base, the number of periods before the newest
 * one asked for.  An unfinished period is compared with earlier ones cut to
 * its length: where it looks one period or one year back, its facts come from
 * the grain "month_cut" and the like, or are not there.
 */

/* ---------- rows of kpi_fact ---------- */

CREATE FUNCTION @extschema@.kpi_filled(member_row @extschema@.kpi_fact, blank_row @extschema@.kpi_fact) RETURNS @extschema@.kpi_fact
AS 'MODULE_PATHNAME', 'salkpi_kpi_filled'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_filled(@extschema@.kpi_fact, @extschema@.kpi_fact) IS
'the fact of a member, or where it has none (NULL) that of the blank member with 0 in place of every measure that is not NULL; NULL when both are: the period was not computed';

CREATE FUNCTION @extschema@.kpi_missing(fact @extschema@.kpi_fact) RETURNS text[]
AS 'MODULE_PATHNAME', 'salkpi_kpi_missing'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_missing(@extschema@.kpi_fact) IS
'the measures that are NULL in a fact, in the order of its columns';

/*
 * The version of a fact that is current, or was at as_of.  Written so that it
 * is inlined and each branch finds its index; SELECT f.* is expanded when it
 * is created, so that an upgrade that adds measures creates it anew.
 */
CREATE FUNCTION @extschema@.kpi_fact_version(dimension text, member text, grain text, period date, as_of timestamptz)
	RETURNS SETOF @extschema@.kpi_fact
	LANGUAGE sql STABLE PARALLEL SAFE
	ROWS 1
BEGIN ATOMIC
	SELECT f.* FROM @extschema@.kpi_fact f
	 WHERE kpi_fact_version.as_of IS NULL AND f.superseded_at IS NULL
	   AND f.dimension = kpi_fact_version.dimension AND f.grain = kpi_fact_version.grain
	   AND f.period = kpi_fact_version.period AND f.member = kpi_fact_version.member
	UNION ALL
	SELECT f.* FROM @extschema@.kpi_fact f
	 WHERE f.recorded_at <= kpi_fact_version.as_of AND (f.superseded_at IS NULL OR f.superseded_at > kpi_fact_version.as_of)
	   AND f.dimension = kpi_fact_version.dimension AND f.grain = kpi_fact_version.grain
	   AND f.period = kpi_fact_version.period AND f.member = kpi_fact_version.member;
END;
COMMENT ON FUNCTION @extschema@.kpi_fact_version(text, text, text, date, timestamptz) IS
'the fact of a member in a period as it is (as_of NULL) or was known at an instant; no row when there is none';

/* ---------- checking arguments ---------- */

CREATE FUNCTION @extschema@.kpi_periods_per_year(grain text, period date DEFAULT NULL) RETURNS integer
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n integer := CASE grain WHEN 'day' THEN CASE WHEN isfinite(period) THEN period - (period - interval '1 year')::date ELSE 366 END WHEN 'week' THEN 52 WHEN 'month' THEN 12 WHEN 'quarter' THEN 4 WHEN 'year' THEN 1 END;
BEGIN
	IF n IS NULL THEN
		RAISE EXCEPTION 'unknown grain "%"', grain
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Grains are day, week, month, quarter, year.';
	END IF;
	RETURN n;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_periods_per_year(text, date) IS
'how many periods of the grain lie between one and the same of the year before; of days that depends on the day: without one the most. An error for an unknown grain or NULL';

CREATE FUNCTION @extschema@.kpi_require_language(lang text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	lang := coalesce(lang, @extschema@.kpi_setting('language'));
	IF lang NOT IN ('en', 'de') THEN
		RAISE EXCEPTION 'unknown language "%"', lang
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Languages are en and de; NULL is the setting "language".';
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
		RAISE EXCEPTION 'unknown dimension "%"', dimension
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Dimensions are ' || (SELECT string_agg(d.dimension, ', ' ORDER BY d.dimension COLLATE "C")
												 FROM @extschema@.kpi_dimension d) || '; kpi_define_dimension() makes others.';
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
	IF FOUND THEN
		RAISE EXCEPTION 'dimension "%" cannot have a member "%"', dimension, wrong.member
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = CASE n WHEN 0 THEN 'Name the dimension that the member is of; "total" has the one member ''''.'
						 WHEN 1 THEN format('SELECT member, label FROM kpi_members(%L) lists them.', dimension)
						 ELSE format('Members of "%s" have %s parts joined by "+"; a + or \ inside one is written \+ or \\.', dimension, n) END;
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_member(text, text[]) IS
'raises for an unknown dimension, and for what cannot be a member of it: a name for the total, none for another, the wrong number of parts';

CREATE FUNCTION @extschema@.kpi_require_kpi(kpi text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	/* kpi_definition has what these three have. */
	IF NOT (EXISTS (SELECT FROM @extschema@.kpi_definition_shipped d WHERE d.kpi = kpi_require_kpi.kpi)
			OR EXISTS (SELECT FROM @extschema@.kpi_measure m WHERE m.measure = kpi_require_kpi.kpi)
			OR EXISTS (SELECT FROM @extschema@.kpi_definition_own d WHERE d.kpi = kpi_require_kpi.kpi)) THEN
		RAISE EXCEPTION 'unknown KPI "%"', kpi
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'SELECT kpi, label_en FROM kpi_definition lists them; kpi_define() makes others.';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_require_kpi(text) IS
'raises for an unknown KPI or NULL';

/* ---------- members and their names ---------- */

CREATE FUNCTION @extschema@.kpi_member_parts(member text, n integer DEFAULT 2) RETURNS text[]
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE n WHEN 0 THEN '{}' WHEN 1 THEN ARRAY[member]
		   ELSE (SELECT array_agg(regexp_replace(p.part[1], '\\(.)', '\1', 'g') ORDER BY p.i)
				   FROM regexp_matches(member || '+', '((?:[^\\+]|\\.)*)\+', 'g') WITH ORDINALITY p(part, i)) END;
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

/*
 * ---------- periods ----------
 *
 * Current periods are found by any fact, through the index of current ones;
 * those known at an instant by the blank member's, through the primary key.
 */

CREATE FUNCTION @extschema@.kpi_find_period(grain text, dimension text, day date, as_of timestamptz) RETURNS date
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	found_period date;
BEGIN
	IF as_of IS NULL THEN
		SELECT f.period INTO found_period FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = kpi_find_period.dimension AND f.grain = kpi_find_period.grain
		   AND f.period <= coalesce(day, 'infinity') AND f.period > coalesce(day - 400, '-infinity')
		   AND (f.period_end > day OR day IS NULL AND f.is_complete)
		 ORDER BY f.dimension DESC, f.grain DESC, f.period DESC LIMIT 1;
	ELSE
		SELECT max(f.period) INTO found_period FROM @extschema@.kpi_fact f
		 WHERE f.recorded_at <= as_of AND (f.superseded_at IS NULL OR f.superseded_at > as_of)
		   AND f.dimension = kpi_find_period.dimension AND f.member = (SELECT @extschema@.kpi_blank_member(kpi_find_period.dimension)) AND f.grain = kpi_find_period.grain
		   AND f.period <= coalesce(day, 'infinity') AND (f.period_end > day OR day IS NULL AND f.is_complete);
	END IF;
	RETURN found_period;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_find_period(text, text, date, timestamptz) IS
'first day of the computed period that contains the day, of the last complete one when day is NULL; NULL when none was computed';

CREATE FUNCTION @extschema@.kpi_find_range(grain text, dimension text, from_day date, to_day date, as_of timestamptz,
										   OUT oldest date, OUT newest date)
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	lowest date := from_day - CASE grain WHEN 'day' THEN 1 WHEN 'week' THEN 14 WHEN 'month' THEN 62 WHEN 'quarter' THEN 122 ELSE 400 END;
BEGIN
	IF as_of IS NULL THEN
		SELECT f.period INTO newest FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = kpi_find_range.dimension AND f.grain = kpi_find_range.grain
		   AND f.period < coalesce(to_day, 'infinity') AND f.period > coalesce(lowest, '-infinity') AND f.period_end > coalesce(from_day, '-infinity')
		 ORDER BY f.dimension DESC, f.grain DESC, f.period DESC LIMIT 1;
		/* The one that contains from_day, which is found going back from there; else the first one behind. */
		SELECT f.period INTO oldest FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = kpi_find_range.dimension AND f.grain = kpi_find_range.grain
		   AND f.period <= from_day AND f.period < coalesce(to_day, 'infinity') AND f.period > lowest AND f.period_end > from_day
		 ORDER BY f.dimension DESC, f.grain DESC, f.period DESC LIMIT 1;
		IF NOT FOUND THEN
			SELECT f.period INTO oldest FROM @extschema@.kpi_fact f
			 WHERE f.superseded_at IS NULL AND f.dimension = kpi_find_range.dimension AND f.grain = kpi_find_range.grain
			   AND f.period < coalesce(to_day, 'infinity') AND f.period > coalesce(from_day, '-infinity')
			 ORDER BY f.dimension, f.grain, f.period LIMIT 1;
		END IF;
	ELSE
		SELECT min(f.period), max(f.period) INTO oldest, newest FROM @extschema@.kpi_fact f
		 WHERE f.recorded_at <= as_of AND (f.superseded_at IS NULL OR f.superseded_at > as_of)
		   AND f.dimension = kpi_find_range.dimension AND f.member = (SELECT @extschema@.kpi_blank_member(kpi_find_range.dimension)) AND f.grain = kpi_find_range.grain
		   AND f.period < coalesce(to_day, 'infinity') AND f.period_end > coalesce(from_day, '-infinity');
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_find_range(text, text, date, date, timestamptz) IS
'the first days of the oldest and the newest computed period that overlap the days from from_day to before to_day (NULL: no limit); NULL when none does';

CREATE FUNCTION @extschema@.kpi_first_period(grain text, dimension text) RETURNS date
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT min(f.period) FROM @extschema@.kpi_fact f
	 WHERE f.superseded_at IS NULL AND f.dimension = kpi_first_period.dimension AND f.grain = kpi_first_period.grain;
END;
COMMENT ON FUNCTION @extschema@.kpi_first_period(text, text) IS
'the first day of the earliest period of a grain that has current facts of a dimension; NULL when none has';

CREATE FUNCTION @extschema@.kpi_is_running(grain text, dimension text, period date, as_of timestamptz) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	blank text := @extschema@.kpi_blank_member(dimension);
BEGIN
	IF as_of IS NULL THEN
		RETURN EXISTS (SELECT FROM @extschema@.kpi_fact f
						WHERE f.superseded_at IS NULL AND f.dimension = kpi_is_running.dimension AND f.grain = kpi_is_running.grain
						  AND f.period = kpi_is_running.period AND f.member = blank AND NOT f.is_complete);
	END IF;
	RETURN coalesce((SELECT NOT f.is_complete FROM @extschema@.kpi_fact_version(dimension, blank, grain, period, as_of) f), false);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_is_running(text, text, date, timestamptz) IS
'whether the facts of a period are of one that was unfinished when they were recorded';

/* ---------- KPIs ready to evaluate ---------- */

CREATE TYPE @extschema@.kpi_resolved AS (
	ordinal		bigint,
	kpi			text,
	number		integer,
	formula		text,
	n_formula	text,
	counts_state boolean,
	reach		integer,
	months		integer,
	unit		text,
	better		text,
	label		text,
	measures	text[],
	has_state	boolean,
	targets		text[]
);
COMMENT ON TYPE @extschema@.kpi_resolved IS
'a KPI ready to evaluate: formulas over measures (n_formula counts the rows; counts_state: it is the mean of a distribution, whose denominator counts them), how far back they reach in periods and how many months they need, the measures and targets they use';

CREATE FUNCTION @extschema@.kpi_resolve(kpis text[], periods_per_year integer, lang text) RETURNS @extschema@.kpi_resolved[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	names text[];
	numbers integer[];
	formulas text[];
	counting text[];
	units text[];
	directions text[];
	labels text[];
	are_measures boolean;
	book_kpis text[] := '{}';
	book_formulas text[] := '{}';
BEGIN
	SELECT array_agg(d.kpi), array_agg(d.number), array_agg(d.formula), array_agg(d.n), array_agg(d.unit), array_agg(d.better),
		   array_agg(CASE lang WHEN 'de' THEN d.label_de ELSE d.label_en END), bool_and(d.layer = 2)
	  INTO names, numbers, formulas, counting, units, directions, labels, are_measures
	  FROM (SELECT d.* FROM unnest(kpis) WITH ORDINALITY u(kpi, ordinal)
			  JOIN @extschema@.kpi_definition d ON d.kpi = u.kpi
			 WHERE d.kpi = ANY (kpis)	-- for the indexes
			 ORDER BY u.ordinal) d;
	IF NOT are_measures THEN	-- of measures nothing is to be expanded
		SELECT array_agg(d.kpi), array_agg(d.formula) INTO book_kpis, book_formulas FROM @extschema@.kpi_definition d WHERE d.layer <> 2;
	END IF;
	RETURN (SELECT array_agg(ROW(r.ordinal, names[r.ordinal], numbers[r.ordinal], r.formula, r.n_formula, r.counts_state, r.reach, r.months,
								 units[r.ordinal], directions[r.ordinal], labels[r.ordinal], r.measures, r.has_state, r.targets)::@extschema@.kpi_resolved ORDER BY r.ordinal)
			  FROM @extschema@.kpi_formula_resolve(formulas, counting, periods_per_year, book_kpis, book_formulas) r);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_resolve(text[], integer, text) IS
'KPIs with their formulas expanded and what those use, in the order given; unknown ones are left out (NULL: all are)';

/*
 * Where the account alone says which member a row belongs to, an account has
 * one member and counts of accounts add up; not where the account's history is
 * bound, since then one can move within the period.  Its cohort it has for good.
 */
CREATE FUNCTION @extschema@.kpi_is_of_account(source text, dimension text) RETURNS boolean
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns text[] := (SELECT coalesce(array_agg(u.source || '.' || u.column_name), '{}') FROM @extschema@.kpi_usable_columns() u
						WHERE u.source IN ('account', 'rep', 'opportunity', kpi_is_of_account.source));
BEGIN
	RETURN (SELECT coalesce(bool_and(p.base IN ('account', 'cohort') OR 'account.' || p.base = ANY (columns) AND NOT columns && ARRAY['account.valid_from', source || '.' || p.base]
										AND (NOT 'rep.' || p.base = ANY (columns) OR p.base = 'region')
										AND NOT columns @> ARRAY[source || '.opportunity_id', 'opportunity.' || p.base]), false)
			  FROM @extschema@.kpi_dimension d
			 CROSS JOIN LATERAL unnest(d.parts) p(base)
			 WHERE d.dimension = kpi_is_of_account.dimension);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_is_of_account(text, text) IS
'whether an account has one member of the dimension in all rows of a source: neither the row nor its opportunity or rep can say another one, and the account''s own does not change. A cohort is its for good';

CREATE FUNCTION @extschema@.kpi_additive_measures(dimension text, measures text[] DEFAULT NULL) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	RETURN (
		WITH measure AS MATERIALIZED (
			SELECT m.source, m.part, m.measure, coalesce(k.slot, m.slot) AS slot, coalesce(k.expression, m.expression) AS expression
			  FROM @extschema@.kpi_measure m
			  LEFT JOIN @extschema@.kpi_measure k ON m.slot IN ('to_date', 'opening') AND k.source = m.source AND k.part = m.part AND k.measure = m.expression
			 WHERE dimension IS NOT NULL AND (m.measure = ANY (measures) OR measures IS NULL)
		), source AS MATERIALIZED (
			SELECT s.source, @extschema@.kpi_parts_to_read(s.source, NULL) AS parts, @extschema@.kpi_is_of_account(s.source, dimension) AS is_of_account
			  FROM @extschema@.kpi_source s
			 WHERE s.source = ANY (ARRAY(SELECT m.source FROM measure m WHERE m.slot = 'ledger' OR m.expression LIKE '%{account}%'))
		)
		SELECT coalesce(array_agg(DISTINCT m.measure), '{}')
		  FROM measure m LEFT JOIN source s ON s.source = m.source AND m.part = ANY (s.parts)
		 WHERE m.slot IN ('count', 'sum', 'duration')
			OR m.slot = 'ledger' AND m.expression IN ('opening', 'closing')
			OR s.is_of_account AND (m.slot = 'ledger' OR m.expression LIKE '%{account}%'));
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_additive_measures(text, text[]) IS
'the measures (of those given; NULL: of all) whose values for several members of the dimension add up to that of all of them; others count something that can have several members, such as a purchase with two products. Counts of accounts are among them where the account tells the member';

/* ---------- why a value is missing ---------- */

CREATE FUNCTION @extschema@.kpi_reason_text(reason text, lang text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE lang WHEN 'de' THEN CASE reason
		WHEN 'source not bound' THEN 'Quelle nicht angebunden'
		WHEN 'column missing' THEN 'Spalte fehlt'
		WHEN 'zero denominator' THEN 'Nenner ist null'
		WHEN 'no history' THEN 'keine Historie'
		WHEN 'not computed yet' THEN 'noch nicht berechnet'
		WHEN 'no target' THEN 'kein Ziel'
		WHEN 'not set' THEN 'Einstellung fehlt'
		WHEN 'dimension does not apply' THEN 'Dimension passt nicht'
		WHEN 'not additive' THEN 'nicht summierbar'
		WHEN 'subscriptions count instead' THEN 'Abonnements gelten stattdessen'
		WHEN 'unknown member' THEN 'unbekanntes Mitglied'
		/* and of a bad row */
		WHEN 'rate is not a positive number' THEN 'Kurs ist keine positive Zahl'
		WHEN 'no day' THEN 'kein Tag'
		WHEN 'no id' THEN 'keine id'
		WHEN 'ends before it starts' THEN 'endet, bevor es beginnt'
		WHEN 'overlaps another row of the account' THEN 'überlappt eine andere Zeile des Kunden'
		WHEN 'overlaps the next row of the opportunity' THEN 'überlappt die nächste Zeile der Chance'
		WHEN 'overlaps another row of the rep' THEN 'überlappt eine andere Zeile des Vertrieblers'
		WHEN 'probability outside 0..1' THEN 'Wahrscheinlichkeit außerhalb von 0..1'
		WHEN 'both won and lost' THEN 'gewonnen und verloren zugleich'
		WHEN 'no sale_id' THEN 'keine sale_id'
		WHEN 'no date' THEN 'kein Datum'
		WHEN 'no amount' THEN 'kein Betrag'
		WHEN 'amount is not a finite number' THEN 'Betrag ist keine endliche Zahl'
		WHEN 'direct_cost is not a finite number' THEN 'direct_cost ist keine endliche Zahl'
		WHEN 'unknown status' THEN 'unbekannter Status'
		WHEN 'won or lost without closed_at' THEN 'gewonnen oder verloren ohne closed_at'
		WHEN 'open without created_at' THEN 'offen ohne created_at'
		WHEN 'closed before it was created' THEN 'geschlossen vor der Anlage'
		WHEN 'won before first contact' THEN 'gewonnen vor dem ersten Kontakt'
		WHEN 'no opportunity_id' THEN 'keine opportunity_id'
		WHEN 'no valid_from' THEN 'kein valid_from'
		WHEN 'unknown opportunity' THEN 'unbekannte Chance'
		WHEN 'no creation date' THEN 'kein Datum der Anlage'
		WHEN 'converted before it was created' THEN 'Kunde vor der Anlage'
		WHEN 'answered before it was created' THEN 'beantwortet vor der Anlage'
		WHEN 'qualified before it was created' THEN 'qualifiziert vor der Anlage'
		WHEN 'sent without sent_at' THEN 'versendet ohne sent_at'
		WHEN 'decided before it was sent' THEN 'entschieden vor dem Versand'
		WHEN 'decided without decided_at' THEN 'entschieden ohne decided_at'
		WHEN 'no account_id' THEN 'keine account_id'
		WHEN 'negative amount' THEN 'negativer Betrag'
		WHEN 'unknown billing_unit' THEN 'unbekannte billing_unit'
		WHEN 'billing_count is not positive' THEN 'billing_count ist nicht positiv'
		WHEN 'no period_from' THEN 'kein period_from'
		WHEN 'no end' THEN 'kein Ende'
		WHEN 'unknown function' THEN 'unbekannte function'
		WHEN 'unknown kind' THEN 'unbekannte Art'
		WHEN 'unknown direction' THEN 'unbekannte Richtung'
		WHEN 'answered before it was sent' THEN 'beantwortet vor dem Versand'
		WHEN 'no exchange rate' THEN 'kein Wechselkurs'
		ELSE reason END ELSE reason END;
END;
COMMENT ON FUNCTION @extschema@.kpi_reason_text(text, text) IS
'the reason of a missing value, or of a bad row in kpi_problem, in a language (en, de)';

CREATE TYPE @extschema@.kpi_measure_states AS (
	unbound		text[],
	replaced	text[],
	present_only text[],
	readable	text[],
	is_merged	boolean
);
COMMENT ON TYPE @extschema@.kpi_measure_states IS
'measures that no bound source has, those that subscriptions say instead, those whose stock has no history, those that the bound columns allow, and whether several members are merged';

CREATE FUNCTION @extschema@.kpi_states_of_measures(is_merged boolean) RETURNS @extschema@.kpi_measure_states
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	states @extschema@.kpi_measure_states;
	columns text[] := (SELECT array_agg(u.source || '.' || u.column_name) FROM @extschema@.kpi_usable_columns() u);
BEGIN
	WITH source AS MATERIALIZED (
		SELECT s.source, @extschema@.kpi_parts_to_read(s.source, NULL) AS parts FROM @extschema@.kpi_source s
	), measure AS (
		SELECT x.measure, bool_or(s.source IS NOT NULL) AS is_bound, bool_and(NOT p.part = ANY (s.parts)) AS is_replaced,
			   bool_and(p.kind = 'stock' AND p.starts = 'NULL') FILTER (WHERE s.source IS NOT NULL) AS is_present_only,
			   bool_or(p.part = ANY (s.parts) AND @extschema@.kpi_has_columns(x.source, x.needs, columns)) AS is_readable
		  FROM @extschema@.kpi_measure x
		  JOIN @extschema@.kpi_part p ON p.source = x.source AND p.part = x.part
		  LEFT JOIN source s ON s.source = x.source
		 GROUP BY x.measure
	)
	SELECT array_agg(m.measure) FILTER (WHERE NOT m.is_bound), array_agg(m.measure) FILTER (WHERE m.is_replaced),
		   array_agg(m.measure) FILTER (WHERE m.is_present_only), array_agg(m.measure) FILTER (WHERE m.is_readable)
	  INTO states.unbound, states.replaced, states.present_only, states.readable FROM measure m;
	states.is_merged := kpi_states_of_measures.is_merged;
	RETURN states;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_states_of_measures(boolean) IS
'what kpi_reason must know about measures, for all of them, where one is not available; a query asks for it once';

CREATE FUNCTION @extschema@.kpi_reason(reason text, measures text[], missing text[], grain text, dimension text, period date,
									   is_complete boolean, states @extschema@.kpi_measure_states, as_of timestamptz, lang text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	is_missing boolean := measures && missing;	-- else it is in another period that the measure is not available
	causes text[] := measures;
	in_total text[];	-- those that the total has
	in_blank text[];	-- those that single members have
BEGIN
	IF reason = 'not computed' THEN	-- the period, or an earlier one; a default snapshot computes all that there is, of dimensions that it knew
		reason := CASE WHEN is_complete IS NOT NULL AND EXISTS (SELECT FROM @extschema@.kpi_last_run(as_of))
							AND (@extschema@.kpi_first_period(grain, dimension) > @extschema@.kpi_first_period(grain, 'total')) IS NOT TRUE
					   THEN 'no history' ELSE 'not computed yet' END;
	ELSIF reason = 'not available' THEN
		IF is_missing THEN
			causes := ARRAY(SELECT m FROM unnest(measures) m WHERE m = ANY (missing));
		END IF;
		in_total := causes;
		IF dimension <> 'total' THEN
			in_total := ARRAY(SELECT m FROM unnest(causes) m, @extschema@.kpi_fact_version('total', '', grain, period, as_of) f
							   WHERE NOT m = ANY (@extschema@.kpi_missing(f)));
		END IF;
		in_blank := '{}';
		IF states.is_merged AND is_missing THEN	-- what single members have was lost by merging them
			in_blank := ARRAY(SELECT m FROM unnest(causes) m, @extschema@.kpi_fact_version(dimension, @extschema@.kpi_blank_member(dimension), grain, period, as_of) f
							   WHERE NOT m = ANY (@extschema@.kpi_missing(f)));
		END IF;
		reason := CASE WHEN is_missing IS NULL THEN 'column missing'
					   WHEN in_blank <> '{}' THEN 'not additive'
					   WHEN causes && states.unbound THEN 'source not bound'
					   WHEN causes && states.replaced THEN 'subscriptions count instead'
					   WHEN dimension <> 'total' AND is_missing AND in_total <> '{}' THEN 'dimension does not apply'
					   WHEN causes && states.present_only AND (is_complete OR NOT is_missing) THEN 'no history'
					   WHEN causes <@ states.readable THEN 'not computed yet'	-- bound since
					   ELSE 'column missing' END;
	END IF;
	RETURN @extschema@.kpi_reason_text(reason, lang);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_reason(text, text[], text[], text, text, date, boolean, @extschema@.kpi_measure_states, timestamptz, text) IS
'the reason of kpi_evaluate spelt out: for a measure that is not available, whether its source is not bound, subscriptions say instead who is a customer, its dimension does not apply, it does not add up over the members merged, its stock has no history, it was bound since the last snapshot, or a column is missing (kpi_needs names it); for a period that is not computed, whether a snapshot without bounds goes no further back, or has not computed the dimension yet. NULL for NULL';

/* ---------- who is no one ---------- */

/*
 * Who never had any facts, is not expected to, and whom no source names: more
 * likely mistyped than idle.  A combined member nothing happened to is one as
 * long as there are its parts.
 */
CREATE FUNCTION @extschema@.kpi_unknown_members(dimension text, members text[]) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	parts text[] := (SELECT d.parts FROM @extschema@.kpi_dimension d WHERE d.dimension = kpi_unknown_members.dimension);
	unseen text[] := ARRAY(SELECT m FROM unnest(members) m
							WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.dimension = kpi_unknown_members.dimension AND f.member = m)
							  AND NOT EXISTS (SELECT FROM @extschema@.kpi_target t WHERE t.dimension = kpi_unknown_members.dimension AND t.member = m));
BEGIN
	IF unseen = '{}' THEN
		RETURN unseen;
	END IF;
	unseen := ARRAY(SELECT m FROM unnest(unseen) m
					EXCEPT SELECT t.member FROM @extschema@.kpi_source_target_rows() t WHERE t.dimension = kpi_unknown_members.dimension AND t.fault IS NULL);
	IF dimension IN ('rep', 'account') THEN
		unseen := ARRAY(SELECT m FROM unnest(unseen) m EXCEPT SELECT n.id FROM @extschema@.kpi_names(dimension, unseen) n);
	ELSIF cardinality(parts) > 1 THEN
		unseen := ARRAY(SELECT m FROM unnest(unseen) m
						 WHERE EXISTS (SELECT FROM unnest(parts, @extschema@.kpi_member_parts(m, cardinality(parts))) p(part, name)
										 JOIN @extschema@.kpi_dimension d ON d.dimension = p.part	-- else it has no facts of its own
										WHERE @extschema@.kpi_unknown_members(p.part, ARRAY[p.name]) <> '{}'));
	END IF;
	RETURN unseen;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_unknown_members(text, text[]) IS
'those of the members that never had facts, have no targets, are no rep or account with a name, and, if they are combined, have such a part';

/* ---------- the work ---------- */

CREATE FUNCTION @extschema@.kpi_begun_measures(measures text[]) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	RETURN ARRAY(SELECT m.measure
				   FROM @extschema@.kpi_measure m JOIN @extschema@.kpi_part p USING (source, part)
				  WHERE m.measure = ANY (measures)
				  GROUP BY m.measure HAVING bool_and(p.kind IN ('flow', 'ledger') OR p.source = 'cost'));	-- as kpi_write_query finds the beginning
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_begun_measures(text[]) IS
'those of the measures that were 0 before the first day with data (kpi_run.beginning); stocks and rosters may be older';

CREATE FUNCTION @extschema@.kpi_evaluate_all(
	definitions @extschema@.kpi_resolved[], facts refcursor, members text[], blank_member text, grain text,
	starts date[], month_starts date[], periods_per_year integer, bases integer[], cut_bases integer[], shown_bases integer[], additive text[],
	target_kpis text[], target_members text[], target_periods date[], target_values numeric[], target_warn_at numeric[],
	setting_names text[], setting_values numeric[],
	first_day date DEFAULT NULL, beginning date DEFAULT NULL, begun_measures text[] DEFAULT NULL)
	RETURNS TABLE (ordinal bigint, kpi text, number integer, label text, unit text, better text, formula text, measures text[],
				   member text, base integer, is_cut boolean, period date, is_complete boolean,
				   value numeric, numerator numeric, denominator numeric, n numeric,
				   target numeric, attainment numeric, status text, reason text, missing text[],
				   days integer, part numeric, whole numeric)
AS 'MODULE_PATHNAME', 'salkpi_kpi_evaluate_all'
LANGUAGE C STABLE PARALLEL RESTRICTED
ROWS 50;
COMMENT ON FUNCTION @extschema@.kpi_evaluate_all(@extschema@.kpi_resolved[], refcursor, text[], text, text, date[], date[], integer, integer[], integer[], integer[], text[], text[], text[], date[], numeric[], numeric[], text[], numeric[], date, date, text[]) IS
'the work of kpi_computed, see there: from first_day to before beginning there was nothing yet, and sums over periods take 0 for the begun_measures (NULL: not known), facts is an open cursor on those of the members and of the blank one, in any order (those of the members first: the rest is read where they have gaps), starts and month_starts the first days of the periods and months that formulas reach, the newest first; additive: the measures that add up over members, which are then merged (NULL: they are not); the target of target_kpis[i] for target_members[i] in the period that begins on target_periods[i]. days: begun so far; part and whole: the fraction as it is';

CREATE FUNCTION @extschema@.kpi_computed(kpis text[], grain text, dimension text, members text[], newest date,
										 bases integer[], cut_bases integer[], shown_bases integer[], is_merged boolean,
										 as_of timestamptz, lang text)
	RETURNS TABLE (ordinal bigint, kpi text, number integer, label text, unit text, better text, formula text, measures text[],
				   member text, base integer, is_cut boolean, period date, is_complete boolean,
				   value numeric, numerator numeric, denominator numeric, n numeric,
				   target numeric, attainment numeric, status text, reason text, missing text[], pace numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 1000
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	periods_per_year integer := @extschema@.kpi_periods_per_year(grain);
	blank_member text := @extschema@.kpi_blank_member(dimension);
	newest_end date := @extschema@.kpi_period_end(grain, newest);
	is_running boolean;	-- where it makes a difference
	definitions @extschema@.kpi_resolved[] := @extschema@.kpi_resolve(kpis, periods_per_year, lang);
	depth integer;	-- how far formulas reach
	months integer;
	last_run @extschema@.kpi_run;	-- without bounds, which tells since when there is something
	begun_measures text[];	-- of what begins
	read_targets boolean;	-- do formulas?
	read_settings boolean;
	farthest integer;	-- base
	starts date[];	-- of periods, the newest first
	month_starts date[] := '{}';
	newest_month date;
	grains text[] := ARRAY[grain];
	facts refcursor;
	ends date[];	-- of all periods
	shown date[];
	shown_ends date[];
	needed date[];	-- of formulas that read targets
	needed_ends date[];
	target_names text[];
	target_kpis text[];
	target_members text[];
	target_periods date[];
	target_values numeric[];
	target_warn_at numeric[];
	rule_kpis text[];
	rules text[];
	by_working_days boolean;
	setting_names text[];
	setting_values numeric[];
	additive text[];	-- NULL: nothing is merged
	known text[] := ARRAY(SELECT m FROM unnest(members) m
						   WHERE m = blank_member OR EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.dimension = kpi_computed.dimension AND f.member = m));
	unknown text[] := '{}';
BEGIN
	/* A period in which a member has no facts is one of 0; but not to who may be kept from seeing them. */
	IF row_security_active('@extschema@.kpi_fact'::regclass) THEN
		members := CASE WHEN is_merged AND cardinality(known) < cardinality(members) THEN '{}' ELSE known END;
	END IF;
	SELECT max(d.reach), max(d.months), bool_or(d.targets <> '{}'), bool_or(d.formula LIKE '%setting(%' OR d.n_formula LIKE '%setting(%')
	  INTO depth, months, read_targets, read_settings FROM unnest(definitions) d;
	/* From the newest month on, which may be the running one, to those that the oldest period needs. */
	farthest := (SELECT max(b) FROM unnest(bases || cut_bases) b);
	starts := @extschema@.kpi_starts(grain, newest, farthest + depth);
	IF months > 0 THEN
		newest_month := @extschema@.kpi_period_start('month', newest_end - 1);
		months := months + cardinality(@extschema@.kpi_bases('month', starts[cardinality(starts)], newest_month));
		IF grain = 'month' AND months > farthest + depth + 1 THEN
			starts := @extschema@.kpi_starts(grain, newest, months - 1);
		ELSIF grain <> 'month' THEN
			month_starts := @extschema@.kpi_starts('month', newest_month, months - 1);
			grains := grains || 'month'::text;
		END IF;
	END IF;
	IF depth > 0 OR months > 0 THEN
		SELECT * INTO last_run FROM @extschema@.kpi_last_run(as_of);
		IF least(starts[cardinality(starts)], month_starts[cardinality(month_starts)]) < last_run.beginning THEN
			begun_measures := @extschema@.kpi_begun_measures(ARRAY(SELECT DISTINCT m FROM unnest(definitions) d, unnest(d.measures) m));
		END IF;
	END IF;
	IF depth > 0 OR cut_bases <> '{}' THEN
		is_running := @extschema@.kpi_is_running(grain, dimension, newest, as_of);
		IF is_running THEN
			grains := grains || (grain || '_cut');
		END IF;
	END IF;
	IF as_of IS NULL THEN	-- those of the blank member last, since they may not be needed
		OPEN facts FOR
		SELECT f.* FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = kpi_computed.dimension AND f.grain = ANY (grains)
		   AND f.period = ANY (starts || month_starts) AND f.member = ANY (members)
		UNION ALL
		SELECT f.* FROM @extschema@.kpi_fact f
		 WHERE f.superseded_at IS NULL AND f.dimension = kpi_computed.dimension AND f.grain = ANY (grains)
		   AND f.period = ANY (starts || month_starts) AND f.member = blank_member AND NOT blank_member = ANY (members);
	ELSE
		OPEN facts FOR
		SELECT f.* FROM unnest(CASE WHEN blank_member = ANY (members) THEN members ELSE members || blank_member END) m(member)
		 CROSS JOIN unnest(grains) g(grain) CROSS JOIN unnest(starts || month_starts) p(period)
		 CROSS JOIN LATERAL @extschema@.kpi_fact_version(dimension, m.member, g.grain, p.period, as_of) f;
	END IF;
	IF is_merged THEN
		additive := @extschema@.kpi_additive_measures(dimension, ARRAY(
				SELECT DISTINCT n.name FROM unnest(definitions) d, unnest(ARRAY[d.formula, d.n_formula]) f(formula), @extschema@.kpi_formula_names(f.formula) n));
	END IF;
	ends := newest_end || starts;
	SELECT coalesce(array_agg(starts[b + 1]), '{}'), array_agg(ends[b + 1]) INTO shown, shown_ends FROM unnest(shown_bases) b WHERE b < cardinality(starts);
	IF read_targets THEN
		target_names := ARRAY(SELECT DISTINCT t FROM unnest(definitions) d, unnest(d.targets) t);
		SELECT array_agg(starts[b + 1]), array_agg(ends[b + 1]) INTO needed, needed_ends
		  FROM (SELECT DISTINCT b FROM unnest(bases || cut_bases) b WHERE b < cardinality(starts) ORDER BY b) b;
	END IF;
	IF NOT is_merged THEN
		SELECT array_agg(t.kpi), array_agg(t.member), array_agg(t.period), array_agg(t.value), array_agg(t.warn_at)
		  INTO target_kpis, target_members, target_periods, target_values, target_warn_at
		  FROM (SELECT * FROM @extschema@.kpi_target_values(kpis, dimension, members, shown, shown_ends)
				UNION ALL
				SELECT * FROM @extschema@.kpi_target_values(target_names, dimension, members, needed, needed_ends)) t;
	ELSE
		WITH wanted AS (
			SELECT true AS is_shown, t.* FROM @extschema@.kpi_target_values(kpis, dimension, members, shown, shown_ends) t
			UNION ALL
			SELECT false, t.* FROM @extschema@.kpi_target_values(target_names, dimension, members, needed, needed_ends) t
		), target AS (
			SELECT t.kpi, t.period, sum(t.value) AS value, CASE count(t.warn_at) WHEN count(*) THEN sum(t.warn_at) END AS warn_at
			  FROM wanted t
			 WHERE cardinality(members) = 1 OR t.kpi IN (SELECT k FROM (SELECT DISTINCT w.kpi FROM wanted w OFFSET 0) w(k) WHERE @extschema@.kpi_target_rule(k) = 'add')
			 GROUP BY t.is_shown, t.kpi, t.period
			HAVING count(t.value) = cardinality(members)
		)
		SELECT array_agg(t.kpi), array_agg(''::text), array_agg(t.period), array_agg(t.value), array_agg(t.warn_at)
		  INTO target_kpis, target_members, target_periods, target_values, target_warn_at FROM target t;
	END IF;
	IF target_kpis IS NOT NULL AND coalesce(is_running, @extschema@.kpi_is_running(grain, dimension, newest, as_of)) THEN
		SELECT array_agg(t.kpi), array_agg(@extschema@.kpi_target_rule(t.kpi)) INTO rule_kpis, rules
		  FROM (SELECT DISTINCT t.kpi FROM unnest(target_kpis) t(kpi)) t;
		by_working_days := @extschema@.kpi_setting('target_days') = 'working';
	END IF;
	IF cardinality(known) < cardinality(members) THEN
		unknown := @extschema@.kpi_unknown_members(dimension, members);
		IF is_merged THEN
			unknown := CASE WHEN unknown @> members THEN '{""}' ELSE '{}' END;
		END IF;
	END IF;
	IF read_settings THEN
		SELECT array_agg(d.setting), array_agg(@extschema@.kpi_setting(d.setting)::numeric) INTO setting_names, setting_values
		  FROM @extschema@.kpi_setting_default d WHERE d.is_number;
	END IF;

	RETURN QUERY
	SELECT c.ordinal, c.kpi, c.number, c.label, c.unit, c.better, c.formula, c.measures,
		   c.member, c.base, c.is_cut, c.period, c.is_complete, CASE WHEN k.is_known THEN c.value END, CASE WHEN k.is_known THEN c.numerator END,
		   CASE WHEN k.is_known THEN c.denominator END, CASE WHEN k.is_known THEN c.n END,
		   c.target, CASE WHEN k.is_known THEN c.attainment END, CASE WHEN k.is_known THEN c.status ELSE 'none' END,
		   CASE WHEN k.is_known THEN c.reason ELSE 'unknown member' END, c.missing,
		   CASE WHEN NOT k.is_known THEN NULL
				WHEN c.is_complete OR c.target IS NULL THEN c.attainment
				ELSE @extschema@.kpi_quotient(100 * c.part, coalesce(c.whole, 1)
						* @extschema@.kpi_target_to_date(c.target, rules[array_position(rule_kpis, c.kpi)], c.period, ends[c.base + 1],
														 c.period + c.days, by_working_days)) END
	  FROM @extschema@.kpi_evaluate_all(definitions, facts, members, blank_member, grain, starts, month_starts, periods_per_year,
				bases, cut_bases, shown_bases, additive,
				target_kpis, target_members, target_periods, target_values, target_warn_at, setting_names, setting_values,
				last_run.first_day, last_run.beginning, begun_measures) c
	 CROSS JOIN LATERAL (SELECT c.member <> ALL (unknown) AS is_known) k;
	CLOSE facts;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_computed(text[], text, text, text[], date, integer[], integer[], integer[], boolean, timestamptz, text) IS
'the values of KPIs for members of a dimension in periods: bases are how many periods before newest, cut_bases those to be taken from cut periods, shown_bases those that need n and target. is_merged: the members together, as member ''''. A percentage has numerator and denominator without the factor 100, a mean of days in days. pace: percent of the target to date (see kpi_report)';

/* ---------- readers ---------- */

CREATE FUNCTION @extschema@.kpi_value(kpi text, period date, dimension text DEFAULT 'total', member text DEFAULT '',
									  grain text DEFAULT 'month', as_of timestamptz DEFAULT NULL) RETURNS numeric
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	newest date;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, ARRAY[member]);
	newest := @extschema@.kpi_find_period(grain, dimension, period, as_of);
	IF newest IS NOT NULL THEN
		RETURN (SELECT c.value FROM @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, ARRAY[member], newest, '{0}', '{}', '{}', false, as_of, 'en') c);
	END IF;
	RETURN NULL;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_value(text, date, text, text, text, timestamptz) IS
'the value of a KPI in the period of a grain (day, week, month, quarter, year) that contains the day (NULL: the last complete one), for a member of a dimension, as it is or as it was known at as_of. NULL when it was not computed, is not available, has a zero denominator or nobody knows the member; kpi_report says which';

CREATE FUNCTION @extschema@.kpi_sparkline(amounts numeric[]) RETURNS text
AS 'MODULE_PATHNAME', 'salkpi_kpi_sparkline'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.kpi_sparkline(numeric[]) IS
'a line of one character per value: eight block heights from the least to the greatest, a dot for NULL; digits 1 to 8 where the encoding has no blocks';

CREATE FUNCTION @extschema@.kpi_change(unit text, value numeric, previous numeric) RETURNS numeric
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE unit WHEN 'percent' THEN value - previous ELSE @extschema@.kpi_quotient(100 * (value - previous), abs(previous)) END;
END;
COMMENT ON FUNCTION @extschema@.kpi_change(text, numeric, numeric) IS
'the change against a previous value: of a percentage in percentage points, otherwise in percent of the previous value''s size; NULL when a value is, or the previous one 0';

CREATE FUNCTION @extschema@.kpi_report(period date DEFAULT NULL, grain text DEFAULT 'month', dimension text DEFAULT 'total', member text DEFAULT '',
									   selection text DEFAULT 'all', as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL, members text[] DEFAULT NULL)
	RETURNS TABLE (number integer, kpi text, label text, value numeric, unit text, target numeric, attainment numeric, status text,
				   previous numeric, change numeric, year_ago numeric, trend text, is_complete boolean,
				   numerator numeric, denominator numeric, n numeric, reason text, pace numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	kpis text[];
	year integer;
	newest date;
	is_running boolean;
	bases integer[] := '{0,1,2,3,4,5,6,7,8,9,10,11}';
	cut_bases integer[] := '{}';
BEGIN
	members := ARRAY(SELECT DISTINCT unnest(coalesce(members, ARRAY[member])));
	PERFORM @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	kpis := ARRAY(SELECT s.kpi FROM @extschema@.kpi_selection s WHERE s.selection = kpi_report.selection ORDER BY s."position", s.kpi);
	IF kpis = '{}' THEN
		RAISE EXCEPTION 'unknown selection "%"', selection
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Selections are ' || (SELECT string_agg(DISTINCT s.selection, ', ' ORDER BY s.selection)
												 FROM @extschema@.kpi_selection s) || '; kpi_select() makes others.';
	END IF;
	newest := coalesce(@extschema@.kpi_find_period(grain, dimension, period, as_of),
					   @extschema@.kpi_period_start(grain, coalesce(period, @extschema@.kpi_today())));
	year := @extschema@.kpi_periods_per_year(grain, newest);
	is_running := @extschema@.kpi_is_running(grain, dimension, newest, as_of);
	IF year > 11 THEN
		bases := bases || year;
	END IF;
	IF is_running THEN
		cut_bases := ARRAY(SELECT DISTINCT unnest(ARRAY[1, year]));
	END IF;

	RETURN QUERY
	WITH c AS MATERIALIZED (
		SELECT * FROM @extschema@.kpi_computed(kpis, grain, dimension, members, newest,
											   bases, cut_bases, '{0}', cardinality(members) <> 1, as_of, lang)
	), arranged AS (
		SELECT c.kpi, max(c.value) FILTER (WHERE c.base = 1 AND c.is_cut = is_running) AS previous,
			   max(c.value) FILTER (WHERE c.base = year AND c.is_cut = is_running) AS year_ago,
			   @extschema@.kpi_sparkline(array_agg(c.value ORDER BY c.base DESC) FILTER (WHERE c.base <= 11 AND NOT c.is_cut)) AS trend
		  FROM c GROUP BY c.kpi
	)
	SELECT c.number, c.kpi, c.label, c.value, c.unit, c.target, c.attainment, c.status,
		   a.previous, @extschema@.kpi_change(c.unit, c.value, a.previous), a.year_ago, a.trend, c.is_complete,
		   c.numerator, c.denominator, c.n,
		   CASE WHEN c.reason IS NOT NULL
				THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, newest, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(cardinality(members) <> 1)) END, as_of, lang) END,
		   c.pace
	  FROM c JOIN arranged a ON a.kpi = c.kpi
	 WHERE c.base = 0
	 ORDER BY c.ordinal;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_report(date, text, text, text, text, timestamptz, text, text[]) IS
'the KPIs of a selection at a glance, for the period of a grain that contains the day (NULL: the last complete one) and a member of a dimension: value, unit, target, attainment (percent), status (met at or beyond the target in the direction of the KPI, near at or beyond warn_at, else missed; none without target or value), previous period and change (percent, of percentages in points), year_ago, trend (the last twelve periods), numerator and denominator of a ratio, n rows behind it, the reason when the value is NULL, and pace (percent of what the target asks for by now: of its share of the days begun, all or the working ones; in a complete period, and of ratios and stocks, the attainment). An unfinished period is compared with earlier ones cut after as many days. as_of: as it was known then; lang: en, de, NULL: the setting; members: several members together in place of the one, exactly, NULL with the reason "not additive" where a measure does not add up over them';

CREATE FUNCTION @extschema@.kpi_range_members(grain text, dimension text, oldest date, newest date, as_of timestamptz) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	IF as_of IS NULL THEN
		RETURN ARRAY(SELECT DISTINCT f.member FROM @extschema@.kpi_fact f
					  WHERE f.superseded_at IS NULL AND f.dimension = kpi_range_members.dimension
						AND f.grain = kpi_range_members.grain AND f.period BETWEEN oldest AND newest);
	END IF;
	RETURN ARRAY(SELECT DISTINCT f.member FROM @extschema@.kpi_fact f
				  WHERE f.recorded_at <= as_of AND (f.superseded_at IS NULL OR f.superseded_at > as_of)
					AND f.dimension = kpi_range_members.dimension
					AND f.grain = kpi_range_members.grain AND f.period BETWEEN oldest AND newest);
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_range_members(text, text, date, date, timestamptz) IS
'the members of a dimension that have a fact in the periods that begin on a day from oldest to newest';

CREATE FUNCTION @extschema@.kpi_series(kpi text, from_day date, to_day date, grain text DEFAULT 'month', dimension text DEFAULT 'total',
									   members text[] DEFAULT NULL, as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, member text, label text, value numeric, target numeric, is_complete boolean,
				   numerator numeric, denominator numeric, n numeric, reason text, attainment numeric, status text, pace numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	zone text := @extschema@.kpi_setting('time_zone');
	oldest date;
	newest date;
	bases integer[];
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	SELECT r.oldest, r.newest INTO oldest, newest FROM @extschema@.kpi_find_range(grain, dimension, from_day, to_day, as_of) r;
	bases := @extschema@.kpi_bases(grain, oldest, newest);
	IF bases = '{}' THEN
		RETURN;
	END IF;
	members := CASE WHEN members IS NULL THEN @extschema@.kpi_range_members(grain, dimension, oldest, newest, as_of)
					ELSE ARRAY(SELECT DISTINCT unnest(members)) END;

	RETURN QUERY
	SELECT c.period::timestamp AT TIME ZONE zone, c.member, l.label, c.value, c.target, c.is_complete, c.numerator, c.denominator, c.n,
		   CASE WHEN c.reason IS NOT NULL
				THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, c.period, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(false)) END, as_of, lang) END,
		   c.attainment, c.status, c.pace
	  FROM @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, members, newest, bases, '{}', bases, false, as_of, lang) c
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = c.member
	 WHERE c.is_complete IS NOT NULL
	 ORDER BY 1, c.member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_series(text, date, date, text, text, text[], timestamptz, text) IS
'a KPI over time: one row for each computed period that overlaps the days from from_day to before to_day (NULL: no limit) and each member (NULL: every member with a fact in them); "time" is the midnight with which the period begins; target that of the whole period; reason says why a value is NULL; attainment, status and pace as in kpi_report. as_of: as it was known then';

CREATE FUNCTION @extschema@.kpi_merged_series(kpi text, from_day date, to_day date, grain text DEFAULT 'month', dimension text DEFAULT 'total',
											  members text[] DEFAULT NULL, as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE ("time" timestamptz, member text, label text, value numeric, target numeric, is_complete boolean,
				   numerator numeric, denominator numeric, n numeric, exact boolean, reason text, attainment numeric, status text, pace numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	zone text := @extschema@.kpi_setting('time_zone');
	not_additive text;
	oldest date;
	newest date;
	bases integer[];
	is_merged boolean;
	all_members text;
	all_labels text;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	not_additive := @extschema@.kpi_reason_text('not additive', lang);
	IF members IS NULL THEN
		dimension := 'total';
		members := '{""}';
	END IF;
	members := ARRAY(SELECT DISTINCT u.m COLLATE "C" FROM unnest(members) u(m) ORDER BY 1);
	is_merged := cardinality(members) > 1;
	SELECT r.oldest, r.newest INTO oldest, newest FROM @extschema@.kpi_find_range(grain, dimension, from_day, to_day, as_of) r;
	bases := @extschema@.kpi_bases(grain, oldest, newest);
	IF bases = '{}' OR members = '{}' THEN
		RETURN;
	END IF;
	all_members := array_to_string(members, ', ');
	all_labels := (SELECT string_agg(l.label, ', ' ORDER BY l.member COLLATE "C") FROM @extschema@.kpi_labels(dimension, members, lang) l);

	RETURN QUERY
	SELECT s."time", all_members, all_labels, s.value, s.target, s.is_complete, s.numerator, s.denominator, s.n,
		   s.reason IS DISTINCT FROM not_additive, s.reason, s.attainment, s.status, s.pace
	  FROM (SELECT c.period::timestamp AT TIME ZONE zone AS "time", c.value, c.target, c.is_complete, c.numerator, c.denominator, c.n,
				   c.attainment, c.status, c.pace, CASE WHEN c.reason IS NOT NULL
						THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, c.period, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(is_merged)) END, as_of, lang) END AS reason
			  FROM @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, members, newest, bases, '{}', bases, is_merged, as_of, lang) c
			 WHERE c.is_complete IS NOT NULL) s
	 ORDER BY s."time";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_merged_series(text, date, date, text, text, text[], timestamptz, text) IS
'several members of a dimension as one line (NULL: all of them, which is the total), exactly: measures that add up are added, distributions merged, the formula evaluated over the result. Where a measure does not add up over the members value is NULL, exact false and the reason "not additive". The target is the sum of the members'' where each has one and the KPI adds up';

CREATE FUNCTION @extschema@.kpi_ranking(kpi text, period date DEFAULT NULL, dimension text DEFAULT 'rep', grain text DEFAULT 'month',
										as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE (rank bigint, member text, label text, value numeric, share numeric, target numeric, attainment numeric, status text,
				   change numeric, reason text, pace numeric)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	blank text;
	newest date;
	members text[];
	is_running boolean;
	total numeric;
	d @extschema@.kpi_resolved;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(kpi), @extschema@.kpi_periods_per_year(grain);
	blank := @extschema@.kpi_require_dimension(dimension);
	lang := @extschema@.kpi_require_language(lang);
	newest := @extschema@.kpi_find_period(grain, dimension, period, as_of);
	IF newest IS NULL THEN
		RETURN;
	END IF;
	is_running := @extschema@.kpi_is_running(grain, dimension, newest, as_of);
	members := @extschema@.kpi_range_members(grain, dimension, newest, newest, as_of);

	/* A share makes sense where the members add up to the total. */
	d := (@extschema@.kpi_resolve(ARRAY[kpi], @extschema@.kpi_periods_per_year(grain), lang))[1];
	IF d.unit IN ('money', 'count') AND @extschema@.kpi_sum_of(d.formula) <@ @extschema@.kpi_additive_measures(dimension, d.measures) THEN
		total := (SELECT c.value FROM @extschema@.kpi_computed(ARRAY[kpi], grain, 'total', '{""}', newest, '{0}', '{}', '{}', false, as_of, lang) c);
	END IF;
	IF NOT EXISTS (SELECT FROM @extschema@.kpi_fact_version(dimension, blank, grain, newest, as_of) f
							   CROSS JOIN LATERAL jsonb_each_text(to_jsonb(f)) v
					WHERE v.key = ANY (d.measures) AND v.value NOT IN ('0', '1:{}') AND v.value !~ '^0\.0*$') THEN
		members := array_remove(members, blank);
	END IF;

	RETURN QUERY
	SELECT rank() OVER (ORDER BY CASE c.better WHEN 'down' THEN -c.value ELSE c.value END DESC NULLS LAST),
		   c.member, l.label, c.value, @extschema@.kpi_quotient(100 * c.value, total), c.target, c.attainment, c.status,
		   @extschema@.kpi_change(c.unit, c.value, c.previous),
		   CASE WHEN c.reason IS NOT NULL
				THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, newest, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(false)) END, as_of, lang) END,
		   c.pace
	  FROM (SELECT c.*, max(c.value) FILTER (WHERE c.base = 1) OVER (PARTITION BY c.member) AS previous
			  FROM @extschema@.kpi_computed(ARRAY[kpi], grain, dimension, members, newest,
											CASE WHEN is_running THEN '{0}' ELSE '{0,1}'::integer[] END,
											CASE WHEN is_running THEN '{1}' ELSE '{}'::integer[] END, '{0}', false, as_of, lang) c) c
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = c.member
	 WHERE c.base = 0
	 ORDER BY 1, l.label COLLATE "C", c.member COLLATE "C";
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_ranking(text, date, text, text, timestamptz, text) IS
'the members of a dimension by their value of a KPI, best first in its direction, NULL last, equal ones with the same rank: value, share (percent of the total, only of sums that add up over the members), target, attainment, status, change and pace as in kpi_report. Listed are the members with a fact in the period, so reps on the roster too, and the unknown one only if the KPI''s measures have something in it';

CREATE FUNCTION @extschema@.kpi_compare(kpis text[], period date DEFAULT NULL, dimension text DEFAULT 'rep', grain text DEFAULT 'month',
										members text[] DEFAULT NULL, as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE (member text, label text, kpi text, kpi_label text, value numeric, unit text, target numeric, attainment numeric, status text,
				   is_complete boolean, reason text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	ROWS 100
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	newest date;
BEGIN
	PERFORM @extschema@.kpi_require_kpi(k) FROM unnest(kpis) k;
	PERFORM @extschema@.kpi_periods_per_year(grain), @extschema@.kpi_require_member(dimension, members);
	lang := @extschema@.kpi_require_language(lang);
	newest := @extschema@.kpi_find_period(grain, dimension, period, as_of);
	IF newest IS NULL THEN
		RETURN;
	END IF;
	members := CASE WHEN members IS NULL THEN @extschema@.kpi_range_members(grain, dimension, newest, newest, as_of)
					ELSE ARRAY(SELECT DISTINCT unnest(members)) END;

	RETURN QUERY
	SELECT c.member, l.label, c.kpi, c.label, c.value, c.unit, c.target, c.attainment, c.status, c.is_complete,
		   CASE WHEN c.reason IS NOT NULL
				THEN @extschema@.kpi_reason(c.reason, c.measures, c.missing, grain, dimension, newest, c.is_complete, CASE c.reason WHEN 'not available' THEN (SELECT @extschema@.kpi_states_of_measures(false)) END, as_of, lang) END
	  FROM @extschema@.kpi_computed(kpis, grain, dimension, members, newest, '{0}', '{}', '{0}', false, as_of, lang) c
	  JOIN @extschema@.kpi_labels(dimension, members, lang) l ON l.member = c.member
	 ORDER BY l.label COLLATE "C", c.member COLLATE "C", c.ordinal;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_compare(text[], date, text, text, text[], timestamptz, text) IS
'several KPIs side by side for members of a dimension (NULL: each with a fact in the period), one row for each member and KPI, in the period of the grain that contains the day (NULL: the last complete one): value, target, attainment and status as in kpi_report, and why a value is NULL. as_of: as it was known then. Raises for an unknown KPI, dimension, member or grain; no rows where nothing was computed';

CREATE FUNCTION @extschema@.kpi_sales_by_region(period date DEFAULT NULL, grain text DEFAULT 'month', dimension text DEFAULT 'region',
												 as_of timestamptz DEFAULT NULL, lang text DEFAULT NULL)
	RETURNS TABLE (rank bigint, member text, label text, revenue numeric, share numeric, growth numeric, margin numeric, target numeric, status text)
	LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT r.rank, r.member, r.label, r.value, r.share, c.growth, c.margin, r.target, r.status
	  FROM @extschema@.kpi_ranking('sales_by_region', period, dimension, grain, as_of, lang) r
	  LEFT JOIN (SELECT k.member, max(k.value) FILTER (WHERE k.kpi = 'revenue_growth') AS growth, max(k.value) FILTER (WHERE k.kpi = 'profit_margin') AS margin
				   FROM @extschema@.kpi_compare('{revenue_growth,profit_margin}', period, dimension, grain, NULL, as_of, lang) k
				  GROUP BY k.member) c USING (member)
	 ORDER BY r.rank, r.label COLLATE "C", r.member COLLATE "C";
END;
COMMENT ON FUNCTION @extschema@.kpi_sales_by_region(date, text, text, timestamptz, text) IS
'revenue by region (or another dimension) with share of the total, growth on the previous period and margin side by side, all in percent; period any day in it, NULL: the last complete one. NULL as in kpi_value';
