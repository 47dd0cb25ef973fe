/*
 * Panels and facts: what states hold in some periods, as a value, and the
 * facts that the panels of all parts make together.
 */
CREATE TYPE @extschema@.kpi_panel;

CREATE FUNCTION @extschema@.kpi_panel_in(cstring) RETURNS @extschema@.kpi_panel
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_panel_in';
COMMENT ON FUNCTION @extschema@.kpi_panel_in(cstring) IS 'input of kpi_panel: an error, since panels are made in queries';

CREATE FUNCTION @extschema@.kpi_panel_out(@extschema@.kpi_panel) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_panel_out';
COMMENT ON FUNCTION @extschema@.kpi_panel_out(@extschema@.kpi_panel) IS 'output of kpi_panel: its size, which cannot be read back';

CREATE TYPE @extschema@.kpi_panel (
	INPUT = @extschema@.kpi_panel_in,
	OUTPUT = @extschema@.kpi_panel_out,
	INTERNALLENGTH = VARIABLE,
	STORAGE = extended
);
COMMENT ON TYPE @extschema@.kpi_panel IS
'what a cube or a ledger holds in some periods, by dimension and member: integers, numerics and at most one distribution for each. It lives within a query; read with kpi_panel_rows, made into facts with kpi_facts';

CREATE FUNCTION @extschema@.kpi_panel(cube @extschema@.kpi_cube, first_atom integer[], last_atom integer[], measures integer[] DEFAULT NULL)
	RETURNS @extschema@.kpi_panel
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_panel';
COMMENT ON FUNCTION @extschema@.kpi_panel(@extschema@.kpi_cube, integer[], integer[], integer[]) IS
'what a cube holds, as kpi_cells lists it: the integers are counts, distincts, firsts and firsts_flagged, the numerics sums. Arguments as of kpi_cells, NULL for one of the first three: NULL. measures: what the values are, as of kpi_measured (NULL: any); distincts and firsts that are no measure are left 0';

CREATE FUNCTION @extschema@.kpi_panel(cube @extschema@.kpi_cube, first_atom integer[], last_atom integer[],
									  rates @extschema@.kpi_dictionary, at timestamptz[]) RETURNS @extschema@.kpi_panel
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_panel';
COMMENT ON FUNCTION @extschema@.kpi_panel(@extschema@.kpi_cube, integer[], integer[], @extschema@.kpi_dictionary, timestamptz[]) IS
'the same of a cube whose sums are in the currency that is the last key of each dimension: multiplied by the rate of the currency at the instant of the period, and without that key. (none) is the reporting currency. rates: a dictionary of currencies and, as first attribute, rates (NULL: none are known); at: the instant of each period. What has no rate then is left out';

CREATE FUNCTION @extschema@.kpi_panel(ledger @extschema@.kpi_ledger, opening integer[], closing integer[]) RETURNS @extschema@.kpi_panel
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_panel';
COMMENT ON FUNCTION @extschema@.kpi_panel(@extschema@.kpi_ledger, integer[], integer[]) IS
'how recurring amounts moved, as kpi_movements lists it: the integers are its customers_opening to customers_first, the numerics its opening to retained. Arguments as of kpi_movements';

CREATE FUNCTION @extschema@.kpi_panel_add(state internal, dimension text, members text[], period integer, integers bigint[], numerics numeric[]) RETURNS internal
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_panel_add';
COMMENT ON FUNCTION @extschema@.kpi_panel_add(internal, text, text[], integer, bigint[], numeric[]) IS 'transition function of kpi_panel; an error outside of an aggregate';

CREATE FUNCTION @extschema@.kpi_panel_final(state internal) RETURNS @extschema@.kpi_panel
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_panel_final';
COMMENT ON FUNCTION @extschema@.kpi_panel_final(internal) IS 'final function of kpi_panel';

CREATE AGGREGATE @extschema@.kpi_panel(dimension text, members text[], period integer, integers bigint[], numerics numeric[]) (
	SFUNC = @extschema@.kpi_panel_add,
	STYPE = internal,
	SSPACE = 10000,
	FINALFUNC = @extschema@.kpi_panel_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.kpi_panel(text, text[], integer, bigint[], numeric[]) IS
'a panel of rows, which must come in the order of dimension (bytewise) and member, and all have as many integers and numerics. period: counted from 1. NULL is an error. No rows: NULL';

CREATE FUNCTION @extschema@.kpi_panel_rows(panel @extschema@.kpi_panel)
	RETURNS TABLE (dimension text, members text[], period integer, integers bigint[], numerics numeric[])
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 10000
	AS 'MODULE_PATHNAME', 'salkpi_panel_rows';
COMMENT ON FUNCTION @extschema@.kpi_panel_rows(@extschema@.kpi_panel) IS
'the rows of a panel: dimension, parts of the member, period, values (a distribution is left out)';

CREATE TYPE @extschema@.kpi_measured AS (panel @extschema@.kpi_panel, measures integer[]);
COMMENT ON TYPE @extschema@.kpi_measured IS
'a panel and what its values are, integers, then numerics, then the distribution: the number of a measure, or NULL for none';

CREATE FUNCTION @extschema@.kpi_facts(panels @extschema@.kpi_measured[]) RETURNS SETOF record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 10000
	AS 'MODULE_PATHNAME', 'salkpi_facts';
COMMENT ON FUNCTION @extschema@.kpi_facts(@extschema@.kpi_measured[]) IS
'the facts that panels make together, one for each dimension, member and period: a table with columns named by the caller, period integer, dimension text, member text, then the measures, each bigint, numeric or kpi_durations. What several panels say of one measure adds up. A measure is known in a dimension and period where a panel has it for the blank member; there members that have none have 0. Where it is not known it is NULL';
