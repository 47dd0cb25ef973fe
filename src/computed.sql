/*
 * KPIs computed from facts, formulas and targets.
 *
 * kpi_computed does the work for many KPIs, members and periods at once: it
 * fetches the facts that their formulas reach, fills in members that nothing
 * happened to, and evaluates.
 *
 * A period is addressed by its base, the number of periods before the newest
 * one asked for.  An unfinished period is compared with earlier ones cut to
 * its length: where it looks one period or one year back, its facts come from
 * the grain "month_cut" and the like, or are not there.
 */
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
			  FROM @extschema@.kpi_formula_resolve(formulas, counting, periods_per_year, book_kpis, book_formulas, names) r);
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
						   WHERE m = blank_member OR EXISTS (SELECT FROM @extschema@.kpi_fact f WHERE f.dimension = kpi_computed.dimension AND f.member = m AND (as_of IS NULL OR f.recorded_at <= as_of)));
	unknown text[] := '{}';
	unsure text[] := '{}';	-- KPIs made of targets, some of which may not be read
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
	IF read_targets AND @extschema@.kpi_targets_hidden() THEN
		unsure := ARRAY(SELECT d.kpi FROM unnest(definitions) d WHERE d.targets <> '{}');
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
		unknown := @extschema@.kpi_unknown_members(dimension, members, as_of);
		IF is_merged THEN	-- one that came only later had nothing then; that of a misspelt one would silently be missing
			unknown := CASE WHEN unknown @> members OR @extschema@.kpi_unknown_members(dimension, unknown) <> '{}' THEN '{""}' ELSE '{}' END;
		END IF;
	END IF;
	IF read_settings THEN
		SELECT array_agg(d.setting), array_agg(@extschema@.kpi_setting(d.setting)::numeric) INTO setting_names, setting_values
		  FROM @extschema@.kpi_setting_default d WHERE d.is_number;
	END IF;

	RETURN QUERY
	SELECT c.ordinal, c.kpi, c.number, c.label, c.unit, c.better, c.formula, c.measures,
		   c.member, c.base, c.is_cut, c.period, c.is_complete, CASE WHEN k.doubt IS NULL THEN c.value END, CASE WHEN k.doubt IS NULL THEN c.numerator END,
		   CASE WHEN k.doubt IS NULL THEN c.denominator END, CASE WHEN k.doubt IS NULL THEN c.n END,
		   c.target, CASE WHEN k.doubt IS NULL THEN c.attainment END, CASE WHEN k.doubt IS NULL THEN c.status ELSE 'none' END,
		   coalesce(k.doubt, c.reason), c.missing,
		   CASE WHEN k.doubt IS NOT NULL THEN NULL
				WHEN c.is_complete OR c.target IS NULL THEN c.attainment
				ELSE @extschema@.kpi_quotient(100 * c.part, coalesce(c.whole, 1)
						* @extschema@.kpi_target_to_date(c.target, rules[array_position(rule_kpis, c.kpi)], c.period, ends[c.base + 1],
														 c.period + c.days, by_working_days)) END
	  FROM @extschema@.kpi_evaluate_all(definitions, facts, members, blank_member, grain, starts, month_starts, periods_per_year,
				bases, cut_bases, shown_bases, additive,
				target_kpis, target_members, target_periods, target_values, target_warn_at, setting_names, setting_values,
				last_run.first_day, last_run.beginning, begun_measures) c
	 CROSS JOIN LATERAL (SELECT CASE WHEN c.member = ANY (unknown) THEN 'unknown member' WHEN c.kpi = ANY (unsure) THEN 'targets not readable' END AS doubt) k;
	CLOSE facts;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_computed(text[], text, text, text[], date, integer[], integer[], integer[], boolean, timestamptz, text) IS
'the values of KPIs for members of a dimension in periods: bases are how many periods before newest, cut_bases those to be taken from cut periods, shown_bases those that need n and target. is_merged: the members together, as member ''''. measures: of the formula; where one is not available that one, or those of all alternatives of a coalesce. A percentage has numerator and denominator without the factor 100, a mean of days in days. pace: percent of the target to date (see kpi_report)';
