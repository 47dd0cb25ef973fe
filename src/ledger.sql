-- The ledger: the steps of each customer's recurring amount, and its movements.

CREATE TYPE @extschema@.kpi_ledger;

CREATE FUNCTION @extschema@.kpi_ledger_in(cstring) RETURNS @extschema@.kpi_ledger
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_in';

CREATE FUNCTION @extschema@.kpi_ledger_out(@extschema@.kpi_ledger) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_out';

CREATE FUNCTION @extschema@.kpi_ledger_recv(internal) RETURNS @extschema@.kpi_ledger
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_recv';

CREATE FUNCTION @extschema@.kpi_ledger_send(@extschema@.kpi_ledger) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_send';

CREATE TYPE @extschema@.kpi_ledger (
	INPUT = @extschema@.kpi_ledger_in,
	OUTPUT = @extschema@.kpi_ledger_out,
	RECEIVE = @extschema@.kpi_ledger_recv,
	SEND = @extschema@.kpi_ledger_send,
	INTERNALLENGTH = VARIABLE,
	STORAGE = extended
);

COMMENT ON TYPE @extschema@.kpi_ledger IS
'what customers pay at some instants, by dimension and member, of one pass over the intervals: exact, mergeable with kpi_rollup, read with kpi_movements, and equal if and only if what it holds is. Written as kpi_ledger: and hexadecimal digits';
COMMENT ON FUNCTION @extschema@.kpi_ledger_in(cstring) IS 'text input of kpi_ledger; every length, order and range is checked';
COMMENT ON FUNCTION @extschema@.kpi_ledger_out(@extschema@.kpi_ledger) IS 'text output of kpi_ledger, lossless';
COMMENT ON FUNCTION @extschema@.kpi_ledger_recv(internal) IS 'binary input of kpi_ledger; every length, order and range is checked';
COMMENT ON FUNCTION @extschema@.kpi_ledger_send(@extschema@.kpi_ledger) IS 'binary output of kpi_ledger, lossless';

CREATE FUNCTION @extschema@.kpi_ledger_eq(@extschema@.kpi_ledger, @extschema@.kpi_ledger) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_eq';

CREATE FUNCTION @extschema@.kpi_ledger_ne(@extschema@.kpi_ledger, @extschema@.kpi_ledger) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_ne';

CREATE OPERATOR @extschema@.= (
	FUNCTION = @extschema@.kpi_ledger_eq,
	LEFTARG = @extschema@.kpi_ledger, RIGHTARG = @extschema@.kpi_ledger,
	COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel
);

CREATE OPERATOR @extschema@.<> (
	FUNCTION = @extschema@.kpi_ledger_ne,
	LEFTARG = @extschema@.kpi_ledger, RIGHTARG = @extschema@.kpi_ledger,
	COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON FUNCTION @extschema@.kpi_ledger_eq(@extschema@.kpi_ledger, @extschema@.kpi_ledger) IS 'do two ledgers hold the same?';
COMMENT ON FUNCTION @extschema@.kpi_ledger_ne(@extschema@.kpi_ledger, @extschema@.kpi_ledger) IS 'do two ledgers hold something different?';
COMMENT ON OPERATOR @extschema@.= (@extschema@.kpi_ledger, @extschema@.kpi_ledger) IS 'same bounds, shape and contents';
COMMENT ON OPERATOR @extschema@.<> (@extschema@.kpi_ledger, @extschema@.kpi_ledger) IS 'different bounds, shape or contents';

CREATE FUNCTION @extschema@.kpi_ledger_add(state @extschema@.kpi_ledger,
	instants timestamptz[], shape text, customer text, valid_from timestamptz, valid_to timestamptz, amount numeric,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text) RETURNS @extschema@.kpi_ledger
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_add_instant';

CREATE FUNCTION @extschema@.kpi_ledger_add(state @extschema@.kpi_ledger,
	instants date[], shape text, customer text, valid_from date, valid_to date, amount numeric,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text) RETURNS @extschema@.kpi_ledger
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_add_day';

CREATE FUNCTION @extschema@.kpi_ledger_combine(@extschema@.kpi_ledger, @extschema@.kpi_ledger) RETURNS @extschema@.kpi_ledger
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_combine';

CREATE FUNCTION @extschema@.kpi_ledger_final(@extschema@.kpi_ledger) RETURNS @extschema@.kpi_ledger
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_state_final';

CREATE AGGREGATE @extschema@.kpi_ledger(
	instants timestamptz[], shape text, customer text, valid_from timestamptz, valid_to timestamptz, amount numeric,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text
) (
	SFUNC = @extschema@.kpi_ledger_add,
	STYPE = @extschema@.kpi_ledger,
	SSPACE = 1000000,
	FINALFUNC = @extschema@.kpi_ledger_final,
	COMBINEFUNC = @extschema@.kpi_ledger_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_ledger(
	instants date[], shape text, customer text, valid_from date, valid_to date, amount numeric,
	k1 text, k2 text, k3 text, k4 text, k5 text, k6 text, k7 text, k8 text, k9 text, k10 text
) (
	SFUNC = @extschema@.kpi_ledger_add,
	STYPE = @extschema@.kpi_ledger,
	SSPACE = 1000000,
	FINALFUNC = @extschema@.kpi_ledger_final,
	COMBINEFUNC = @extschema@.kpi_ledger_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_rollup(ledger @extschema@.kpi_ledger) (
	SFUNC = @extschema@.kpi_ledger_combine,
	STYPE = @extschema@.kpi_ledger,
	SSPACE = 1000000,
	FINALFUNC = @extschema@.kpi_ledger_final,
	COMBINEFUNC = @extschema@.kpi_ledger_combine,
	PARALLEL = SAFE
);

COMMENT ON FUNCTION @extschema@.kpi_ledger_add(@extschema@.kpi_ledger, timestamptz[], text, text, timestamptz, timestamptz, numeric, text, text, text, text, text, text, text, text, text, text) IS 'transition function of kpi_ledger; an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_ledger_add(@extschema@.kpi_ledger, date[], text, text, date, date, numeric, text, text, text, text, text, text, text, text, text, text) IS 'transition function of kpi_ledger; an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_ledger_combine(@extschema@.kpi_ledger, @extschema@.kpi_ledger) IS 'combine function of kpi_ledger and kpi_rollup(kpi_ledger); an error outside of an aggregate, and when instants or shapes differ';
COMMENT ON FUNCTION @extschema@.kpi_ledger_final(@extschema@.kpi_ledger) IS 'final function of kpi_ledger and kpi_rollup(kpi_ledger): the same ledger';
COMMENT ON AGGREGATE @extschema@.kpi_ledger(timestamptz[], text, text, timestamptz, timestamptz, numeric, text, text, text, text, text, text, text, text, text, text) IS
'ledger of recurring amounts: what each customer pays at the given instants, by dimension and member, and since when.
One row is an interval [valid_from, valid_to) in which the customer pays the amount, already normalised to a month, as the members k1 to k10. It counts at the instant t if valid_from < t (or is NULL: since ever) and valid_to >= t (or is NULL or infinity: open). Intervals of a customer add up where they overlap and continue where they touch; between two instants they leave only that the customer was there.
instants: ascending instants. shape: dimensions and the keys that make their members, as in "total; plan=1; region+channel=2,3"; keys not in use are not looked at, NULL and the empty text are the member (none). Behind a slash it may say how many megabytes, up to 9999, the ledger may need, as in "total; plan=1 / mb=256"; more is an error (53400).
customer NULL, amount NULL or 0, valid_to not after valid_from, valid_from not before the last instant: the row changes nothing. A negative amount is an error (22023), NaN and infinity too (22003).
Instants and shape are those of the first row; NULL or not valid: an error. Memory grows with the distinct (member, customer, instant) at which an amount changes. No rows: NULL.
Customers never affect each other, so that the movements of many ledgers add up if each holds some of the customers: grouped by a bucket of customers (hashtext(customer) & 15) in a sorted plan (enable_hashagg = off), memory is that of one group. A period''s movements do not add up to those of a longer one, nor the members of a dimension to the total';
COMMENT ON AGGREGATE @extschema@.kpi_ledger(date[], text, text, date, date, numeric, text, text, text, text, text, text, text, text, text, text) IS
'ledger of recurring amounts: what each customer pays at the given instants, by dimension and member, and since when.
One row is an interval [valid_from, valid_to) in which the customer pays the amount, already normalised to a month, as the members k1 to k10. It counts at the instant t if valid_from < t (or is NULL: since ever) and valid_to >= t (or is NULL or infinity: open). Intervals of a customer add up where they overlap and continue where they touch; between two instants they leave only that the customer was there.
instants: ascending days. shape: dimensions and the keys that make their members, as in "total; plan=1; region+channel=2,3"; keys not in use are not looked at, NULL and the empty text are the member (none). Behind a slash it may say how many megabytes, up to 9999, the ledger may need, as in "total; plan=1 / mb=256"; more is an error (53400).
customer NULL, amount NULL or 0, valid_to not after valid_from, valid_from not before the last instant: the row changes nothing. A negative amount is an error (22023), NaN and infinity too (22003).
Instants and shape are those of the first row; NULL or not valid: an error. Memory grows with the distinct (member, customer, instant) at which an amount changes. No rows: NULL.
Customers never affect each other, so that the movements of many ledgers add up if each holds some of the customers: grouped by a bucket of customers (hashtext(customer) & 15) in a sorted plan (enable_hashagg = off), memory is that of one group. A period''s movements do not add up to those of a longer one, nor the members of a dimension to the total';
COMMENT ON AGGREGATE @extschema@.kpi_rollup(@extschema@.kpi_ledger) IS
'the ledger of all intervals of several ledgers, which must have the same instants and shape; NULL is left out; nothing: NULL';

CREATE TYPE @extschema@.kpi_movement AS (dimension text, members text[], period integer,
	opening numeric, new numeric, reactivation numeric, expansion numeric, contraction numeric, churn numeric, closing numeric, retained numeric,
	customers_opening bigint, customers_new bigint, customers_reactivated bigint, customers_expanded bigint, customers_contracted bigint,
	customers_churned bigint, customers_closing bigint, customers_kept bigint, customers_first bigint);
COMMENT ON TYPE @extschema@.kpi_movement IS 'how the recurring amount of a member moved in a period; see kpi_movements';

CREATE FUNCTION @extschema@.kpi_movements(ledger @extschema@.kpi_ledger, opening integer[], closing integer[]) RETURNS SETOF @extschema@.kpi_movement
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 10000
	AS 'MODULE_PATHNAME', 'salkpi_ledger_movements';
COMMENT ON FUNCTION @extschema@.kpi_movements(@extschema@.kpi_ledger, integer[], integer[]) IS
'the movements of recurring amounts, by dimension, member and period.
Period p goes from instant number opening[p] to number closing[p], counted from 1, closing not before opening; periods may overlap. One of them NULL: no rows.
Each customer makes at most one movement in a member: from nothing at the opening to something at the closing it is new (nothing in this member at any moment before the opening) or a reactivation, to nothing churn, in between expansion or contraction by the difference. opening + new + reactivation + expansion - contraction - churn = closing. retained: the sum over the customers of the opening of the lesser of opening and closing. customers_kept: those of the opening who are there at the closing. customers_first: those who paid in this member for the first time ever at or after the opening and before the closing, also if they are gone again.
There is a row where anything is not zero, and always one for the blank member of each dimension (all keys (none); {} without keys). Never NULL in a row. Rows come in no particular order';

CREATE FUNCTION @extschema@.kpi_ledger_size(ledger @extschema@.kpi_ledger) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_ledger_size';
COMMENT ON FUNCTION @extschema@.kpi_ledger_size(@extschema@.kpi_ledger) IS
'bytes that a ledger needs: in memory as the result of an aggregate, else those of the stored value, not compressed';
