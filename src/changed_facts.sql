/*
 * From what was read to facts: what is new, what has changed, and the statement
 * that writes it.
 */
CREATE FUNCTION @extschema@.kpi_facts(readings @extschema@.kpi_reading[], others @extschema@.kpi_measured[]) RETURNS SETOF record
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	ROWS 1000000	-- so that whatever they are joined with is hashed, not they
	AS 'MODULE_PATHNAME', 'salkpi_facts';
COMMENT ON FUNCTION @extschema@.kpi_facts(@extschema@.kpi_reading[], @extschema@.kpi_measured[]) IS
'the facts that the panels of readings, and others, make together, as of kpi_facts(kpi_measured[])';

CREATE FUNCTION @extschema@.kpi_changed_facts(readings @extschema@.kpi_reading[], others @extschema@.kpi_measured[], dimensions text[], blank_members text[],
											  periods @extschema@.kpi_period[], kept boolean[], measures text[], as_of timestamptz, run bigint)
	RETURNS TABLE (reading @extschema@.kpi_reading, grain text, period date, period_end date, dimension text, facts integer,
				   added integer, altered integer, gone integer, replaces tid[], new_facts bigint)
	LANGUAGE c VOLATILE
	ROWS 1000
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'salkpi_changed_facts';
COMMENT ON FUNCTION @extschema@.kpi_changed_facts(@extschema@.kpi_reading[], @extschema@.kpi_measured[], text[], text[], @extschema@.kpi_period[], boolean[], text[], timestamptz, bigint) IS
'how the facts that panels make, as of kpi_facts, differ from the current ones of kpi_fact: a row for each reading, its panel left out; for each dimension and period in which something changed how many facts there are that were none (added), others (altered) or none any more (gone), and the versions that are no longer right (replaces); for each period how many facts there are, and by what number kpi_new_facts gives the versions to be written. dimensions, with the blank member of each: those that are compared; periods: those that the panels count, NULL for one that is not compared; measures: columns of kpi_fact, in the order in which panels count them; kept: of each period, for each measure, whether it is not in the panels but stays what it is (NULL, or no more: none does); as_of and run: of the new versions. Runs with the rights of the caller on kpi_fact';

CREATE FUNCTION @extschema@.kpi_new_facts(number bigint) RETURNS SETOF @extschema@.kpi_fact
	LANGUAGE c VOLATILE STRICT
	ROWS 1000
	AS 'MODULE_PATHNAME', 'salkpi_new_facts';
COMMENT ON FUNCTION @extschema@.kpi_new_facts(bigint) IS
'the versions of facts to be written that kpi_changed_facts found in the same statement, once; none for NULL. Raises where there are none of that number';

/*
 * A stock of which only the present can be read keeps what was recorded at the
 * very end of a period.
 */
CREATE FUNCTION @extschema@.kpi_kept_panels(columns text[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('(SELECT array_agg(u.kept) FROM (%s) u(kept))', string_agg(format($q$
					SELECT ROW(@extschema@.kpi_panel(k.dimension, k.members, k.n, k.integers, k.numerics ORDER BY k.dimension COLLATE "C", k.members), %1$L::integer[])::@extschema@.kpi_measured
					  FROM (SELECT f.dimension, @extschema@.kpi_member_parts(f.member, cardinality(d.parts)) AS members, p.n::integer,
								   ARRAY[%2$s]::bigint[] AS integers, ARRAY[%3$s]::numeric[] AS numerics
							  FROM @extschema@.kpi_fact f
							  JOIN period p USING (grain, period, period_end)
							  JOIN @extschema@.kpi_dimension d USING (dimension)
							 WHERE f.superseded_at IS NULL AND f.is_complete AND num_nonnulls(%4$s) > 0) k
					HAVING count(*) > 0$q$,
				  s.integers || s.numerics, s.integer_columns, s.numeric_columns, s.columns), ' UNION ALL '))
	  FROM @extschema@.kpi_part p,
		   LATERAL (SELECT coalesce(array_agg(m.n ORDER BY m.n) FILTER (WHERE m.type = 'bigint'), '{}') AS integers,
						   coalesce(array_agg(m.n ORDER BY m.n) FILTER (WHERE m.type = 'numeric'), '{}') AS numerics,
						   string_agg(format('coalesce(f.%I, 0)', m.measure), ', ' ORDER BY m.n) FILTER (WHERE m.type = 'bigint') AS integer_columns,
						   string_agg(format('coalesce(f.%I, 0)', m.measure), ', ' ORDER BY m.n) FILTER (WHERE m.type = 'numeric') AS numeric_columns,
						   string_agg(format('f.%I', m.measure), ', ') AS columns
					  FROM @extschema@.kpi_fact_measures() m
					  JOIN @extschema@.kpi_slots(p.source, p.part) k USING (measure)
					 WHERE @extschema@.kpi_has_columns(p.source, k.needs, columns)) s
	 WHERE p.starts = 'NULL' AND s.columns IS NOT NULL AND p.part = ANY (@extschema@.kpi_parts_to_read(p.source, NULL))
	   AND @extschema@.kpi_source_relation(p.source) IS NOT NULL
	HAVING count(*) > 0;
END;
COMMENT ON FUNCTION @extschema@.kpi_kept_panels(text[]) IS
'SQL text of the panels, as kpi_measured[], of the stocks recorded at the end of periods, of the parts of which only the present can be read; NULL when none is';

/*
 * SQL text of the common table expressions that read the sources.  Whatever is
 * computed from the sources, for a snapshot or at this moment, is computed of
 * these.  Their parameters:
 *	 $1 sources	  $2 periods   $3 their grid   $4 the run
 *	 $5 the first day that has facts, or $6 not before there is data
 *	 $7 only periods that kpi_changes finds, of each source
 *	 $8, $9 parts and dimensions as of kpi_read_sources
 */
CREATE FUNCTION @extschema@.kpi_readings_query() RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN $q$
WITH changes AS MATERIALIZED (	-- at the same moment as the sources
	SELECT c.source, c.spans, c.is_still, c.next_at, c.basis FROM @extschema@.kpi_changes(($3).as_of) c WHERE $7
	UNION ALL
	SELECT s, '{(,)}', false, NULL, NULL FROM unnest($1) s WHERE NOT $7
), unchanged AS MATERIALIZED (	-- until when nothing is that was not there before
	SELECT CASE WHEN NOT lower_inf(c.spans) THEN least(lower(c.spans), (SELECT r.beginning FROM @extschema@.kpi_last_run() r)) END AS until
	  FROM (SELECT range_agg(c.spans) AS spans FROM changes c) c
), oldest AS MATERIALIZED (	-- what is cut is cut anew each day, also before all data; and what was asked for by days may lie before a gap
	SELECT f.grain, min(f.period) AS period FROM @extschema@.kpi_fact f WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND f.member = '' GROUP BY f.grain
), period AS MATERIALIZED (
	SELECT k.*, d.sources, row_number() OVER (ORDER BY k.place) AS n
	  FROM unnest($2::@extschema@.kpi_period[]) WITH ORDINALITY k(grain, period, period_end, is_complete, days, starts_at, ends_at, place)
	 CROSS JOIN unchanged u
	 CROSS JOIN LATERAL (SELECT array_agg(c.source) AS sources	-- of which it is taken
						   FROM changes c,
								(SELECT (k.period_end <= u.until AND k.grain NOT LIKE E'%\\_cut' AND k.period < (SELECT o.period FROM oldest o WHERE o.grain = k.grain)) IS NOT TRUE
										AND @extschema@.kpi_is_due(k.grain, k.period, k.period_end, k.is_complete, k.days) AS is_due OFFSET 0) w
						  WHERE w.is_due OR CASE WHEN k.is_complete THEN c.spans && daterange(k.period, k.period_end) ELSE NOT c.is_still END) d
	 WHERE d.sources IS NOT NULL OR $1 = '{}'	-- where nothing is to be read a formula may ask for days and targets
), t AS MATERIALIZED (	-- the sources to be read; when all periods are taken of all sources there is one grid
	SELECT s.source, s.n, CASE WHEN w.is_all THEN $3 ELSE (
				SELECT @extschema@.kpi_grid(array_agg(CASE WHEN s.source = ANY (p.sources)
													  THEN ROW(p.grain, p.period, p.period_end, p.is_complete, p.days, p.starts_at, p.ends_at)::@extschema@.kpi_period END ORDER BY p.n),
											($3).as_of, ($3).instants) FROM period p) END AS grid
	  FROM unnest($1) WITH ORDINALITY s(source, n), (SELECT count(*) = cardinality($2) AND bool_and(p.sources @> $1) AS is_all FROM period p) w
	 WHERE s.source IN (SELECT unnest(p.sources) FROM period p)
)$q$;
COMMENT ON FUNCTION @extschema@.kpi_readings_query() IS
'SQL text of the common table expressions that say how to read the sources, for kpi_reading_call';

/* The argument of a function goes to it as it is; a subquery, or a common table expression, would copy it. */
CREATE FUNCTION @extschema@.kpi_reading_call() RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN 'CASE WHEN EXISTS (SELECT FROM t) THEN @extschema@.kpi_read_sources(ARRAY(SELECT t.source FROM t ORDER BY t.n), $8, $9, ARRAY(SELECT t.grid FROM t ORDER BY t.n)) ELSE ''{}'' END';
COMMENT ON FUNCTION @extschema@.kpi_reading_call() IS
'SQL text of an expression that reads the sources. To be used once, as the argument of a function';

CREATE FUNCTION @extschema@.kpi_facts_query(kept text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_readings_query() || replace(replace(replace(replace($q$, new AS (
	SELECT p.grain, p.period, p.period_end, f.dimension, f.member, p.is_complete, p.days, %f.all%
	  FROM @extschema@.kpi_facts(%reading%, %kept%) f(n integer, dimension text, member text, %columns%)
	  JOIN period p USING (n)
)$q$,
		'%reading%', @extschema@.kpi_reading_call()),
		'%kept%', coalesce(kept, 'NULL')),
		'%columns%', string_agg(format('%I %s', m.measure, m.type), ', ')),
		'%f.all%', string_agg(format('f.%I', m.measure), ', '))
	  FROM @extschema@.kpi_fact_measures() m;
END;
COMMENT ON FUNCTION @extschema@.kpi_facts_query(text) IS
'SQL text of the common table expressions that read the sources, and of one called new that makes facts of them; kept: as of kpi_kept_panels';

/*
 * What the settings leave out is not kept up to date, and so not current any more.
 * Which dimensions and grains there are is told by the index, a pair at a time.
 */
CREATE FUNCTION @extschema@.kpi_close_left_out(as_of timestamptz) RETURNS bigint
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	closed bigint;
BEGIN
	WITH RECURSIVE kept AS (
		(SELECT f.dimension, f.grain FROM @extschema@.kpi_fact f WHERE f.superseded_at IS NULL ORDER BY f.dimension, f.grain LIMIT 1)
		UNION ALL
		SELECT n.dimension, n.grain
		  FROM kept k
		 CROSS JOIN LATERAL (SELECT f.dimension, f.grain FROM @extschema@.kpi_fact f
							  WHERE f.superseded_at IS NULL AND (f.dimension, f.grain) > (k.dimension, k.grain) ORDER BY f.dimension, f.grain LIMIT 1) n
	), left_out AS (
		SELECT k.dimension, k.grain FROM kept k
		 WHERE NOT EXISTS (SELECT FROM @extschema@.kpi_dimension d WHERE d.dimension = k.dimension)
			OR split_part(k.grain, '_', 1) <> ALL (string_to_array(@extschema@.kpi_setting('grains'), ','))
	)
	UPDATE @extschema@.kpi_fact f SET superseded_at = kpi_close_left_out.as_of
	  FROM left_out l
	 WHERE f.superseded_at IS NULL AND f.dimension = l.dimension AND f.grain = l.grain;
	GET DIAGNOSTICS closed = ROW_COUNT;
	IF closed > 0 THEN	-- which no period would show once they are no longer left out
		UPDATE @extschema@.kpi_run r SET basis = '' WHERE r.run = (SELECT l.run FROM @extschema@.kpi_last_run() l);
	END IF;
	RETURN closed;
END;
$$;
COMMENT ON FUNCTION @extschema@.kpi_close_left_out(timestamptz) IS
'closes the facts of the dimensions and grains that the settings leave out, and has the next default snapshot take everything if there were any; returns how many';

/*
 * SQL text that writes the facts: new versions of what changed, after closing
 * the versions they replace (and those of members that no longer have any).
 */
CREATE FUNCTION @extschema@.kpi_write_query(kept text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.kpi_readings_query() || replace(replace(replace(replace(replace($q$, outdated AS (	-- of periods cut elsewhere
	SELECT DISTINCT f.grain, f.period FROM @extschema@.kpi_fact f
	 WHERE f.superseded_at IS NULL AND f.dimension = 'total'
	   AND (f.grain LIKE E'%\\_cut' AND $7 OR f.grain IN (SELECT grain || '_cut' FROM period WHERE NOT is_complete))
	   AND (f.grain, f.period) NOT IN (SELECT k.grain, k.period FROM unnest($2::@extschema@.kpi_period[]) k)
), compared AS (
	SELECT coalesce(array_agg(k.period ORDER BY k.n), '{}') AS periods
	  FROM (SELECT ROW(p.grain, p.period, p.period_end, p.is_complete, p.days, NULL, NULL)::@extschema@.kpi_period AS period, p.n FROM period p
			UNION ALL
			SELECT ROW(o.grain, o.period, o.period, false, 0, NULL, NULL)::@extschema@.kpi_period, (SELECT count(*) FROM period) + row_number() OVER () FROM outdated o) k
), measure AS MATERIALIZED (
	SELECT m.n, m.sources FROM @extschema@.kpi_measure_sources() m
), kept AS (	-- measures of sources that are not taken of a period
	SELECT array_agg(CASE WHEN m.sources IS NULL THEN false ELSE NOT m.sources && p.sources END ORDER BY p.n, m.n) AS measures
	  FROM period p, measure m
	HAVING NOT bool_and(p.sources @> $1)
), dimension AS (
	SELECT array_agg(d.dimension) AS names, array_agg(@extschema@.kpi_blank_member(d.dimension)) AS blanks FROM @extschema@.kpi_dimension d
), delta AS MATERIALIZED (
	SELECT f.*
	  FROM @extschema@.kpi_changed_facts(%reading%, %kept%, (SELECT names FROM dimension), (SELECT blanks FROM dimension), (SELECT periods FROM compared), (SELECT measures FROM kept),
										 %measures%, ($3).as_of, $4) f
), note AS MATERIALIZED (
	SELECT (d.reading).source, (d.reading).part, (d.reading).first_atom, (d.reading).first_at, (d.reading).bad_rows FROM delta d WHERE d.grain IS NULL
), beginning AS MATERIALIZED (	-- with the first period that has data, or had when last computed
	SELECT CASE WHEN NOT $6 THEN $5
			ELSE least(greatest($5, least(min(((t.grid).days)[r.first_atom]), @extschema@.kpi_day(min(r.first_at)), @extschema@.kpi_day(($3).as_of))), (
				SELECT max(greatest($5, o.oldest)) FILTER (WHERE o.oldest IS NOT NULL)
				  FROM unnest(string_to_array(@extschema@.kpi_setting('grains'), ',')) k(grain),
					   LATERAL (SELECT min(f.period) AS oldest FROM @extschema@.kpi_fact f
								 WHERE f.superseded_at IS NULL AND f.dimension = 'total' AND f.grain = k.grain) o)) END AS day
	  FROM note r JOIN t USING (source) LEFT JOIN @extschema@.kpi_part p USING (source, part)
	 WHERE r.part IS NULL OR p.kind = 'flow' OR p.source = 'cost'
), change AS MATERIALIZED (	-- what was before the data can be replaced, but not added
	SELECT d.grain, d.dimension, d.period, CASE WHEN d.period_end > b.day OR d.grain LIKE '%cut' THEN d.added ELSE 0 END AS added, d.altered, d.gone, d.replaces
	  FROM delta d CROSS JOIN beginning b WHERE d.dimension IS NOT NULL
), concerned AS MATERIALIZED (	-- who may have alerts
	SELECT m.dimension, m.member FROM @extschema@.kpi_target_members() m WHERE $10
), altered AS MATERIALIZED (
	SELECT d.grain, d.dimension, d.period FROM change d WHERE d.added + d.altered > 0 AND d.dimension IN (SELECT c.dimension FROM concerned c)
), closed AS (
	UPDATE @extschema@.kpi_fact f SET superseded_at = ($3).as_of
	 WHERE f.ctid = ANY (ARRAY(SELECT r FROM change d, unnest(d.replaces) r))	-- where they are, however many there are besides
	RETURNING f.dimension, f.member
), written AS (
	INSERT INTO @extschema@.kpi_fact (grain, period, period_end, dimension, member, recorded_at, run, is_complete, days, %all%)
	SELECT f.grain, f.period, f.period_end, f.dimension, f.member, f.recorded_at, f.run, f.is_complete, f.days, %f.all%
	  FROM @extschema@.kpi_new_facts((SELECT max(d.new_facts) FROM delta d)) f
	 WHERE (f.period_end > (SELECT day FROM beginning) OR f.grain LIKE '%cut')
	   AND (SELECT count(*) FROM closed) >= 0	-- closes the old versions first
	RETURNING dimension, member
), altered_member AS (
	SELECT DISTINCT f.dimension, f.member FROM (SELECT * FROM written UNION ALL SELECT * FROM closed) f
	 WHERE (f.dimension, f.member) IN (SELECT c.dimension, c.member FROM concerned c
										UNION ALL	-- what stands in for members without facts
										SELECT d.dimension, @extschema@.kpi_blank_member(d.dimension) FROM (SELECT DISTINCT c.dimension FROM concerned c) d)
), p AS (
	SELECT p.grain, p.period FROM period p WHERE p.period_end > (SELECT day FROM beginning) OR p.grain LIKE '%cut'
), problem AS (
	INSERT INTO @extschema@.kpi_problem AS k (source, reason, bad_rows, keys, first_seen, run)
	SELECT r.source, b.reason, b.bad_rows, b.keys, ($3).as_of, $4
	  FROM note r, unnest(r.bad_rows) b
	 WHERE b.bad_rows > 0
	ON CONFLICT ON CONSTRAINT kpi_problem_pkey DO UPDATE
	   SET bad_rows = excluded.bad_rows, keys = excluded.keys, run = excluded.run
	RETURNING 1
), mended AS (	-- what was not read is as it was
	DELETE FROM @extschema@.kpi_problem k
	 WHERE (k.source <> ALL ($1) OR k.source IN (SELECT t.source FROM t))
	   AND NOT EXISTS (SELECT FROM note r, unnest(r.bad_rows) b WHERE r.source = k.source AND b.reason = k.reason AND b.bad_rows > 0)
), taken AS (	-- of the log just what kpi_changes saw
	DELETE FROM @extschema@.kpi_track_log WHERE $7
)
SELECT (SELECT count(*) FROM p),
	   (SELECT coalesce(sum(d.facts), 0) FROM delta d WHERE d.facts IS NOT NULL AND (d.period_end > (SELECT day FROM beginning) OR d.grain LIKE '%cut')),
	   (SELECT count(*) FROM written), (SELECT coalesce(sum(d.added + d.altered + d.gone), 0) FROM change d),
	   (SELECT count(*) FROM problem) + (SELECT count(*) FROM @extschema@.kpi_problem k WHERE k.source = ANY ($1) AND k.source NOT IN (SELECT t.source FROM t)),
	   (SELECT min(basis) FROM changes), (SELECT day FROM beginning), (SELECT jsonb_object_agg(c.source, c.next_at) FROM changes c WHERE c.next_at IS NOT NULL),
	   ARRAY(SELECT a.grain FROM altered a ORDER BY a.grain, a.dimension, a.period), ARRAY(SELECT a.dimension FROM altered a ORDER BY a.grain, a.dimension, a.period),
	   ARRAY(SELECT a.period FROM altered a ORDER BY a.grain, a.dimension, a.period),
	   (SELECT jsonb_object_agg(m.dimension, m.members) FROM (SELECT a.dimension, jsonb_object_agg(a.member, NULL) AS members FROM altered_member a GROUP BY a.dimension) m)$q$,
		'%reading%', @extschema@.kpi_reading_call()),
		'%kept%', coalesce(kept, 'NULL')),
		'%measures%', quote_literal(array_agg(m.measure)) || '::text[]'),
		'%f.all%', string_agg(format('f.%I', m.measure), ', ')),
		'%all%', string_agg(quote_ident(m.measure), ', '))
	  FROM @extschema@.kpi_fact_measures() m;
END;
COMMENT ON FUNCTION @extschema@.kpi_write_query(text) IS
'SQL text of the statement that reads the sources, compares new facts with the current ones and writes what changed; kept: as of kpi_kept_panels. Its row: the numbers of periods, facts, facts written, facts changed and problems, what kpi_run keeps of a default snapshot (basis, beginning, next_at), and, if $10, what kpi_raise_alerts takes of the facts that changed';
