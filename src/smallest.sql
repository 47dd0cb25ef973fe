
-- ---------- smallest: the keys of a few rows, kept during a scan ----------

CREATE FUNCTION @extschema@.kpi_smallest_add(text[], text) RETURNS text[]
AS 'MODULE_PATHNAME', 'salkpi_smallest_add'
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;

CREATE FUNCTION @extschema@.kpi_smallest_combine(text[], text[]) RETURNS text[]
AS 'MODULE_PATHNAME', 'salkpi_smallest_combine'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE AGGREGATE @extschema@.kpi_smallest(value text) (
	SFUNC = @extschema@.kpi_smallest_add,
	STYPE = text[],
	SSPACE = 256,
	COMBINEFUNC = @extschema@.kpi_smallest_combine,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION @extschema@.kpi_smallest_add(text[], text) IS 'transition function of kpi_smallest(text); an error when the array is not a state';
COMMENT ON FUNCTION @extschema@.kpi_smallest_combine(text[], text[]) IS 'combine function of kpi_smallest(text); an error when an array is not a state';
COMMENT ON AGGREGATE @extschema@.kpi_smallest(text) IS
'the five smallest distinct values in the order of their bytes (collation "C", so "10" before "9"), fewer if there are fewer. NULL is left out; without a value the result is NULL';
