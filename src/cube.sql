-- The cube: period x segment x measure cells, filled by one pass over the rows.

CREATE TYPE @extschema@.kpi_cube;

CREATE FUNCTION @extschema@.kpi_cube_in(cstring) RETURNS @extschema@.kpi_cube
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_in';

CREATE FUNCTION @extschema@.kpi_cube_out(@extschema@.kpi_cube) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_out';

CREATE FUNCTION @extschema@.kpi_cube_recv(internal) RETURNS @extschema@.kpi_cube
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_recv';

CREATE FUNCTION @extschema@.kpi_cube_send(@extschema@.kpi_cube) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_send';

CREATE TYPE @extschema@.kpi_cube (
	INPUT = @extschema@.kpi_cube_in,
	OUTPUT = @extschema@.kpi_cube_out,
	RECEIVE = @extschema@.kpi_cube_recv,
	SEND = @extschema@.kpi_cube_send,
	INTERNALLENGTH = VARIABLE,
	STORAGE = extended
);

COMMENT ON TYPE @extschema@.kpi_cube IS
'measures by time, dimension and member, of one pass over the rows: exact, mergeable with kpi_rollup, read with kpi_cells, and equal if and only if what it holds is. Written as kpi_cube: and hexadecimal digits';
COMMENT ON FUNCTION @extschema@.kpi_cube_in(cstring) IS 'text input of kpi_cube; every length, order and range is checked';
COMMENT ON FUNCTION @extschema@.kpi_cube_out(@extschema@.kpi_cube) IS 'text output of kpi_cube, lossless';
COMMENT ON FUNCTION @extschema@.kpi_cube_recv(internal) IS 'binary input of kpi_cube; every length, order and range is checked';
COMMENT ON FUNCTION @extschema@.kpi_cube_send(@extschema@.kpi_cube) IS 'binary output of kpi_cube, lossless';

CREATE FUNCTION @extschema@.kpi_cube_eq(@extschema@.kpi_cube, @extschema@.kpi_cube) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_eq';

CREATE FUNCTION @extschema@.kpi_cube_ne(@extschema@.kpi_cube, @extschema@.kpi_cube) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_ne';

CREATE OPERATOR @extschema@.= (
	FUNCTION = @extschema@.kpi_cube_eq,
	LEFTARG = @extschema@.kpi_cube, RIGHTARG = @extschema@.kpi_cube,
	COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel
);

CREATE OPERATOR @extschema@.<> (
	FUNCTION = @extschema@.kpi_cube_ne,
	LEFTARG = @extschema@.kpi_cube, RIGHTARG = @extschema@.kpi_cube,
	COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON FUNCTION @extschema@.kpi_cube_eq(@extschema@.kpi_cube, @extschema@.kpi_cube) IS 'do two cubes hold the same?';
COMMENT ON FUNCTION @extschema@.kpi_cube_ne(@extschema@.kpi_cube, @extschema@.kpi_cube) IS 'do two cubes hold something different?';
COMMENT ON OPERATOR @extschema@.= (@extschema@.kpi_cube, @extschema@.kpi_cube) IS 'same bounds, shape and contents';
COMMENT ON OPERATOR @extschema@.<> (@extschema@.kpi_cube, @extschema@.kpi_cube) IS 'different bounds, shape or contents';

CREATE FUNCTION @extschema@.kpi_cube_add(state @extschema@.kpi_cube,
	bounds timestamptz[], shape text, at timestamptz,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text,
	c1 boolean, c2 boolean, c3 boolean, c4 boolean, c5 boolean, c6 boolean, c7 boolean, c8 boolean, c9 boolean, c10 boolean,
	m1 numeric, m2 numeric, m3 numeric, m4 numeric, m5 numeric, m6 numeric,
	e1 text, e2 text, f1 text, f1_flag boolean, d1 bigint) RETURNS @extschema@.kpi_cube
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_add_instant';

CREATE FUNCTION @extschema@.kpi_cube_add(state @extschema@.kpi_cube,
	bounds date[], shape text, at date,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text,
	c1 boolean, c2 boolean, c3 boolean, c4 boolean, c5 boolean, c6 boolean, c7 boolean, c8 boolean, c9 boolean, c10 boolean,
	m1 numeric, m2 numeric, m3 numeric, m4 numeric, m5 numeric, m6 numeric,
	e1 text, e2 text, f1 text, f1_flag boolean, d1 bigint) RETURNS @extschema@.kpi_cube
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_add_day';

CREATE FUNCTION @extschema@.kpi_stock_add(state @extschema@.kpi_cube,
	instants timestamptz[], shape text, valid_from timestamptz, valid_to timestamptz,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text,
	c1 boolean, c2 boolean, c3 boolean, c4 boolean,
	m1 numeric, m2 numeric, m3 numeric, m4 numeric) RETURNS @extschema@.kpi_cube
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_add_stock';

CREATE FUNCTION @extschema@.kpi_cube_combine(@extschema@.kpi_cube, @extschema@.kpi_cube) RETURNS @extschema@.kpi_cube
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_combine';

CREATE FUNCTION @extschema@.kpi_cube_final(@extschema@.kpi_cube) RETURNS @extschema@.kpi_cube
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_state_final';

CREATE AGGREGATE @extschema@.kpi_cube(
	bounds timestamptz[], shape text, at timestamptz,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text,
	c1 boolean, c2 boolean, c3 boolean, c4 boolean, c5 boolean, c6 boolean, c7 boolean, c8 boolean, c9 boolean, c10 boolean,
	m1 numeric, m2 numeric, m3 numeric, m4 numeric, m5 numeric, m6 numeric,
	e1 text, e2 text, f1 text, f1_flag boolean, d1 bigint
) (
	SFUNC = @extschema@.kpi_cube_add,
	STYPE = @extschema@.kpi_cube,
	SSPACE = 1000000,
	FINALFUNC = @extschema@.kpi_cube_final,
	COMBINEFUNC = @extschema@.kpi_cube_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_cube(
	bounds date[], shape text, at date,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text,
	c1 boolean, c2 boolean, c3 boolean, c4 boolean, c5 boolean, c6 boolean, c7 boolean, c8 boolean, c9 boolean, c10 boolean,
	m1 numeric, m2 numeric, m3 numeric, m4 numeric, m5 numeric, m6 numeric,
	e1 text, e2 text, f1 text, f1_flag boolean, d1 bigint
) (
	SFUNC = @extschema@.kpi_cube_add,
	STYPE = @extschema@.kpi_cube,
	SSPACE = 1000000,
	FINALFUNC = @extschema@.kpi_cube_final,
	COMBINEFUNC = @extschema@.kpi_cube_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_stock(
	instants timestamptz[], shape text, valid_from timestamptz, valid_to timestamptz,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text,
	c1 boolean, c2 boolean, c3 boolean, c4 boolean,
	m1 numeric, m2 numeric, m3 numeric, m4 numeric
) (
	SFUNC = @extschema@.kpi_stock_add,
	STYPE = @extschema@.kpi_cube,
	SSPACE = 1000000,
	FINALFUNC = @extschema@.kpi_cube_final,
	COMBINEFUNC = @extschema@.kpi_cube_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_rollup(cube @extschema@.kpi_cube) (
	SFUNC = @extschema@.kpi_cube_combine,
	STYPE = @extschema@.kpi_cube,
	SSPACE = 1000000,
	FINALFUNC = @extschema@.kpi_cube_final,
	COMBINEFUNC = @extschema@.kpi_cube_combine,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION @extschema@.kpi_cube_add(@extschema@.kpi_cube, timestamptz[], text, timestamptz, text, text, text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, numeric, numeric, numeric, numeric, numeric, numeric, text, text, text, boolean, bigint) IS 'transition function of kpi_cube; an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_cube_add(@extschema@.kpi_cube, date[], text, date, text, text, text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, numeric, numeric, numeric, numeric, numeric, numeric, text, text, text, boolean, bigint) IS 'transition function of kpi_cube; an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_stock_add(@extschema@.kpi_cube, timestamptz[], text, timestamptz, timestamptz, text, text, text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, numeric, numeric, numeric, numeric) IS 'transition function of kpi_stock; an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_cube_final(@extschema@.kpi_cube) IS 'final function of kpi_cube, kpi_stock and kpi_rollup(kpi_cube): the same cube';
COMMENT ON FUNCTION @extschema@.kpi_cube_combine(@extschema@.kpi_cube, @extschema@.kpi_cube) IS 'combine function of kpi_cube, kpi_stock and kpi_rollup(kpi_cube); an error outside of an aggregate, and when bounds or shapes differ';
COMMENT ON AGGREGATE @extschema@.kpi_cube(timestamptz[], text, timestamptz, text, text, text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, numeric, numeric, numeric, numeric, numeric, numeric, text, text, text, boolean, bigint) IS
'cube of a flow: events counted, summed and collected by time, dimension and member.
bounds (ascending instants): atom i is [bounds[i], bounds[i + 1]); at: when the row happened; NULL or outside: the row changes nothing (it is still an entity''s first event if it is outside).
shape: dimensions and the keys that make their members, then how many slots of each kind are in use, as in "total; rep=1; region=2; region+product=2,3 / c=3 m=2 e=1 f=1 d=1"; arguments not in use are not looked at.
k1 to k10: keys; NULL and the empty text are the member (none). c1 to c10: true counts 1. m1 to m6: summed exactly, NULL adds nothing; NaN and infinity are an error (22003). e1, e2: entities of distinct counts. f1: an entity that is counted where its first event of all rows is; f1_flag: true for any of its rows flags it. d1: a duration in microseconds.
Bounds and shape are those of the first row; NULL or not valid: an error. Memory grows with the cells that are not empty, the distinct (combination of keys, entity, atom) and the durations; it is not meant for many groups of a GROUP BY, let dimensions do that. No rows: NULL';
COMMENT ON AGGREGATE @extschema@.kpi_cube(date[], text, date, text, text, text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean, numeric, numeric, numeric, numeric, numeric, numeric, text, text, text, boolean, bigint) IS
'cube of a flow: events counted, summed and collected by time, dimension and member.
bounds (ascending days): atom i is [bounds[i], bounds[i + 1]); at: when the row happened; NULL or outside: the row changes nothing (it is still an entity''s first event if it is outside).
shape: dimensions and the keys that make their members, then how many slots of each kind are in use, as in "total; rep=1; region=2; region+product=2,3 / c=3 m=2 e=1 f=1 d=1"; arguments not in use are not looked at.
k1 to k10: keys; NULL and the empty text are the member (none). c1 to c10: true counts 1. m1 to m6: summed exactly, NULL adds nothing; NaN and infinity are an error (22003). e1, e2: entities of distinct counts. f1: an entity that is counted where its first event of all rows is; f1_flag: true for any of its rows flags it. d1: a duration in microseconds.
Bounds and shape are those of the first row; NULL or not valid: an error. Memory grows with the cells that are not empty, the distinct (combination of keys, entity, atom) and the durations; it is not meant for many groups of a GROUP BY, let dimensions do that. No rows: NULL';
COMMENT ON AGGREGATE @extschema@.kpi_stock(timestamptz[], text, timestamptz, timestamptz, text, text, text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, numeric, numeric, numeric, numeric) IS
'cube of a stock: states counted and summed at instants, by dimension and member.
A row counts at the instant t if valid_from < t (or is NULL) and valid_to >= t (or is NULL). instants: ascending. shape: as for kpi_cube, with slots c and m only, as in "total; stage=1 / c=1 m=2". k1 to k10, c1 to c4, m1 to m4: as for kpi_cube. No rows: NULL';
COMMENT ON AGGREGATE @extschema@.kpi_rollup(@extschema@.kpi_cube) IS
'the cube of all rows of several cubes, which must have the same bounds and shape; NULL is left out; nothing: NULL';

CREATE FUNCTION @extschema@.kpi_cells(cube @extschema@.kpi_cube, first_atom integer[], last_atom integer[])
	RETURNS TABLE (dimension text, members text[], period integer, counts bigint[], sums numeric[],
		distincts bigint[], firsts bigint[], firsts_flagged bigint[], durations @extschema@.kpi_durations)
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 10000
	AS 'MODULE_PATHNAME', 'salkpi_cube_cells';
COMMENT ON FUNCTION @extschema@.kpi_cells(@extschema@.kpi_cube, integer[], integer[]) IS
'what a cube holds, by dimension, member and period.
Period p is made of the atoms first_atom[p] to last_atom[p], both included, counted from 1; empty if last_atom[p] = first_atom[p] - 1; periods may overlap. For a stock it is the instant first_atom[p], and last_atom[p] is the same or NULL. first_atom[p] NULL: no rows.
There is a row where anything is not zero, and always one for the blank member of each dimension (all keys (none); the one of a dimension without keys is {}). The arrays are as long as the shape has slots; never NULL in them. durations is NULL if the shape has none. Rows come in no particular order';

CREATE FUNCTION @extschema@.kpi_first_atom(cube @extschema@.kpi_cube, from_atom integer DEFAULT 1) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_cube_first_atom';
COMMENT ON FUNCTION @extschema@.kpi_first_atom(@extschema@.kpi_cube, integer) IS
'the first atom, from from_atom on, in which a cube has anything but zeros, counted from 1; NULL if there is none. Of a stock the first instant, from that on, at which it changes';
