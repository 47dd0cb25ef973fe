-- Amounts by key: purchases and their average, customers and how much a few of them make.

CREATE TYPE @extschema@.kpi_amounts;

CREATE FUNCTION @extschema@.kpi_amounts_in(cstring) RETURNS @extschema@.kpi_amounts
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_in';

CREATE FUNCTION @extschema@.kpi_amounts_out(@extschema@.kpi_amounts) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_out';

CREATE FUNCTION @extschema@.kpi_amounts_recv(internal) RETURNS @extschema@.kpi_amounts
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_recv';

CREATE FUNCTION @extschema@.kpi_amounts_send(@extschema@.kpi_amounts) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_send';

CREATE TYPE @extschema@.kpi_amounts (
	INPUT = @extschema@.kpi_amounts_in,
	OUTPUT = @extschema@.kpi_amounts_out,
	RECEIVE = @extschema@.kpi_amounts_recv,
	SEND = @extschema@.kpi_amounts_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);

COMMENT ON TYPE @extschema@.kpi_amounts IS
'what the amounts of each key (a purchase, a customer) add up to, and whether any of them was positive. Exact, mergeable with kpi_rollup, and equal if and only if what it holds is. Written as kpi_amounts: and hexadecimal digits';
COMMENT ON FUNCTION @extschema@.kpi_amounts_in(cstring) IS 'text input of kpi_amounts; every length, order and range is checked';
COMMENT ON FUNCTION @extschema@.kpi_amounts_out(@extschema@.kpi_amounts) IS 'text output of kpi_amounts, lossless';
COMMENT ON FUNCTION @extschema@.kpi_amounts_recv(internal) IS 'binary input of kpi_amounts; every length, order and range is checked';
COMMENT ON FUNCTION @extschema@.kpi_amounts_send(@extschema@.kpi_amounts) IS 'binary output of kpi_amounts, lossless';

CREATE FUNCTION @extschema@.kpi_amounts_eq(@extschema@.kpi_amounts, @extschema@.kpi_amounts) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_eq';

CREATE FUNCTION @extschema@.kpi_amounts_ne(@extschema@.kpi_amounts, @extschema@.kpi_amounts) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_ne';

CREATE OPERATOR @extschema@.= (
	FUNCTION = @extschema@.kpi_amounts_eq,
	LEFTARG = @extschema@.kpi_amounts, RIGHTARG = @extschema@.kpi_amounts,
	COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel
);

CREATE OPERATOR @extschema@.<> (
	FUNCTION = @extschema@.kpi_amounts_ne,
	LEFTARG = @extschema@.kpi_amounts, RIGHTARG = @extschema@.kpi_amounts,
	COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);

COMMENT ON FUNCTION @extschema@.kpi_amounts_eq(@extschema@.kpi_amounts, @extschema@.kpi_amounts) IS 'do two values hold the same?';
COMMENT ON FUNCTION @extschema@.kpi_amounts_ne(@extschema@.kpi_amounts, @extschema@.kpi_amounts) IS 'do two values hold something different?';
COMMENT ON OPERATOR @extschema@.= (@extschema@.kpi_amounts, @extschema@.kpi_amounts) IS 'the same keys, each with the same amounts';
COMMENT ON OPERATOR @extschema@.<> (@extschema@.kpi_amounts, @extschema@.kpi_amounts) IS 'not the same keys, or not the same amounts';

CREATE FUNCTION @extschema@.kpi_amounts_add(@extschema@.kpi_amounts, bigint, numeric) RETURNS @extschema@.kpi_amounts
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_add_integer';

CREATE FUNCTION @extschema@.kpi_amounts_add(@extschema@.kpi_amounts, uuid, numeric) RETURNS @extschema@.kpi_amounts
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_add_uuid';

CREATE FUNCTION @extschema@.kpi_amounts_add(@extschema@.kpi_amounts, text, numeric) RETURNS @extschema@.kpi_amounts
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_add_text';

CREATE FUNCTION @extschema@.kpi_amounts_combine(@extschema@.kpi_amounts, @extschema@.kpi_amounts) RETURNS @extschema@.kpi_amounts
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_combine';

CREATE FUNCTION @extschema@.kpi_amounts_final(@extschema@.kpi_amounts) RETURNS @extschema@.kpi_amounts
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_final';

COMMENT ON FUNCTION @extschema@.kpi_amounts_add(@extschema@.kpi_amounts, bigint, numeric) IS 'transition function of kpi_amounts(bigint, numeric); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_amounts_add(@extschema@.kpi_amounts, uuid, numeric) IS 'transition function of kpi_amounts(uuid, numeric); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_amounts_add(@extschema@.kpi_amounts, text, numeric) IS 'transition function of kpi_amounts(text, numeric); an error outside of an aggregate';
COMMENT ON FUNCTION @extschema@.kpi_amounts_combine(@extschema@.kpi_amounts, @extschema@.kpi_amounts) IS 'combine function of kpi_amounts; an error outside of an aggregate, and when the keys have different types';
COMMENT ON FUNCTION @extschema@.kpi_amounts_final(@extschema@.kpi_amounts) IS 'final function of kpi_amounts: the canonical form of a state';

-- Accessors.

CREATE FUNCTION @extschema@.kpi_count(amounts @extschema@.kpi_amounts) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_count';

CREATE FUNCTION @extschema@.kpi_total(amounts @extschema@.kpi_amounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_total';

CREATE FUNCTION @extschema@.kpi_average(amounts @extschema@.kpi_amounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_average';

CREATE FUNCTION @extschema@.kpi_concentration(amounts @extschema@.kpi_amounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_concentration';

CREATE FUNCTION @extschema@.kpi_concentration(amounts @extschema@.kpi_amounts, n integer) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_concentration_of';

COMMENT ON FUNCTION @extschema@.kpi_count(@extschema@.kpi_amounts) IS
'how many keys have a positive amount: purchases, or customers who bought. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_total(@extschema@.kpi_amounts) IS
'the sum of all amounts. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_average(@extschema@.kpi_amounts) IS
'all amounts by the keys with a positive one, rounded once to 16 decimals, half away from zero. NULL for NULL and without such a key';
COMMENT ON FUNCTION @extschema@.kpi_concentration(@extschema@.kpi_amounts) IS
'the share, in percent, of the ten keys with the largest sums in all amounts, rounded once to 16 decimals, half away from zero. NULL for NULL and unless all amounts together are positive';
COMMENT ON FUNCTION @extschema@.kpi_concentration(@extschema@.kpi_amounts, integer) IS
'the share, in percent, of the n keys with the largest sums in all amounts, as kpi_concentration(kpi_amounts). n below 1 is an error (22023)';

-- Aggregates.

CREATE AGGREGATE @extschema@.kpi_amounts(id bigint, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_amounts_final,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_amounts(id uuid, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_amounts_final,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_amounts(id text, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_amounts_final,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_average_purchase_value(sale_id bigint, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_average,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_average_purchase_value(sale_id uuid, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_average,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_average_purchase_value(sale_id text, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_average,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_revenue_per_buying_customer(customer bigint, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_average,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_revenue_per_buying_customer(customer uuid, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_average,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_revenue_per_buying_customer(customer text, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_average,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_revenue_concentration(customer bigint, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_concentration,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_revenue_concentration(customer uuid, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_concentration,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_revenue_concentration(customer text, amount numeric) (
	SFUNC = @extschema@.kpi_amounts_add,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_concentration,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

CREATE AGGREGATE @extschema@.kpi_rollup(amounts @extschema@.kpi_amounts) (
	SFUNC = @extschema@.kpi_amounts_combine,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_amounts_final,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.kpi_amounts(bigint, numeric) IS
'the amounts of each id: a purchase, a customer. id or amount NULL: the row is left out; without a row the result is NULL. NaN and infinity are errors (22003). Memory grows with the ids. Read with kpi_average, kpi_count, kpi_total, kpi_concentration; merge with kpi_rollup';
COMMENT ON AGGREGATE @extschema@.kpi_amounts(uuid, numeric) IS
'the amounts of each id: a purchase, a customer. id or amount NULL: the row is left out; without a row the result is NULL. NaN and infinity are errors (22003). Memory grows with the ids. Read with kpi_average, kpi_count, kpi_total, kpi_concentration; merge with kpi_rollup';
COMMENT ON AGGREGATE @extschema@.kpi_amounts(text, numeric) IS
'the amounts of each id: a purchase, a customer. id or amount NULL: the row is left out; without a row the result is NULL. NaN and infinity are errors (22003). Memory grows with the ids. Read with kpi_average, kpi_count, kpi_total, kpi_concentration; merge with kpi_rollup';
COMMENT ON AGGREGATE @extschema@.kpi_average_purchase_value(bigint, numeric) IS
'average purchase: the sum of all amounts by the distinct sale_ids with a positive line. A credit note (a negative amount) reduces the sum, not the count. sale_id or amount NULL: the line is left out; no purchase: NULL. Rounded once to 16 decimals, half away from zero. Memory grows with the sale_ids. To store and roll up: kpi_average(kpi_amounts(sale_id, amount))';
COMMENT ON AGGREGATE @extschema@.kpi_average_purchase_value(uuid, numeric) IS
'average purchase: the sum of all amounts by the distinct sale_ids with a positive line. A credit note (a negative amount) reduces the sum, not the count. sale_id or amount NULL: the line is left out; no purchase: NULL. Rounded once to 16 decimals, half away from zero. Memory grows with the sale_ids. To store and roll up: kpi_average(kpi_amounts(sale_id, amount))';
COMMENT ON AGGREGATE @extschema@.kpi_average_purchase_value(text, numeric) IS
'average purchase: the sum of all amounts by the distinct sale_ids with a positive line. A credit note (a negative amount) reduces the sum, not the count. sale_id or amount NULL: the line is left out; no purchase: NULL. Rounded once to 16 decimals, half away from zero. Memory grows with the sale_ids. To store and roll up: kpi_average(kpi_amounts(sale_id, amount))';
COMMENT ON AGGREGATE @extschema@.kpi_revenue_per_buying_customer(bigint, numeric) IS
'revenue of a customer who bought: the sum of all amounts by the distinct customers with a positive one. Credit notes reduce the sum, not the count. customer or amount NULL: the row is left out; no such customer: NULL. Rounded once to 16 decimals, half away from zero. Memory grows with the customers. To store and roll up: kpi_average(kpi_amounts(customer, amount))';
COMMENT ON AGGREGATE @extschema@.kpi_revenue_per_buying_customer(uuid, numeric) IS
'revenue of a customer who bought: the sum of all amounts by the distinct customers with a positive one. Credit notes reduce the sum, not the count. customer or amount NULL: the row is left out; no such customer: NULL. Rounded once to 16 decimals, half away from zero. Memory grows with the customers. To store and roll up: kpi_average(kpi_amounts(customer, amount))';
COMMENT ON AGGREGATE @extschema@.kpi_revenue_per_buying_customer(text, numeric) IS
'revenue of a customer who bought: the sum of all amounts by the distinct customers with a positive one. Credit notes reduce the sum, not the count. customer or amount NULL: the row is left out; no such customer: NULL. Rounded once to 16 decimals, half away from zero. Memory grows with the customers. To store and roll up: kpi_average(kpi_amounts(customer, amount))';
COMMENT ON AGGREGATE @extschema@.kpi_revenue_concentration(bigint, numeric) IS
'share, in percent, of the ten largest customers in the revenue of all. customer or amount NULL: the row is left out; NULL unless the revenue of all is positive. Rounded once to 16 decimals, half away from zero. Memory grows with the customers. Of another number of customers, and to store and roll up: kpi_concentration(kpi_amounts(customer, amount), n)';
COMMENT ON AGGREGATE @extschema@.kpi_revenue_concentration(uuid, numeric) IS
'share, in percent, of the ten largest customers in the revenue of all. customer or amount NULL: the row is left out; NULL unless the revenue of all is positive. Rounded once to 16 decimals, half away from zero. Memory grows with the customers. Of another number of customers, and to store and roll up: kpi_concentration(kpi_amounts(customer, amount), n)';
COMMENT ON AGGREGATE @extschema@.kpi_revenue_concentration(text, numeric) IS
'share, in percent, of the ten largest customers in the revenue of all. customer or amount NULL: the row is left out; NULL unless the revenue of all is positive. Rounded once to 16 decimals, half away from zero. Memory grows with the customers. Of another number of customers, and to store and roll up: kpi_concentration(kpi_amounts(customer, amount), n)';
COMMENT ON AGGREGATE @extschema@.kpi_rollup(@extschema@.kpi_amounts) IS
'the amounts of all the given values together: what kpi_amounts over the rows behind them gives. NULL is left out; nothing: NULL. An error if the keys have different types';
