/*
 * Rows of kpi_fact: the version that was current, and what is NULL or 0 in it.
 */
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
