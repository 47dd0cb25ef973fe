-- Amounts by key: purchases and their average, customers and how much a few of them make.

CREATE FUNCTION @extschema@.kpi_amounts_combine(@extschema@.kpi_amounts, @extschema@.kpi_amounts) RETURNS @extschema@.kpi_amounts
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_combine';

CREATE FUNCTION @extschema@.kpi_amounts_final(@extschema@.kpi_amounts) RETURNS @extschema@.kpi_amounts
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_amounts_final';

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

CREATE AGGREGATE @extschema@.kpi_rollup(amounts @extschema@.kpi_amounts) (
	SFUNC = @extschema@.kpi_amounts_combine,
	STYPE = @extschema@.kpi_amounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_amounts_final,
	COMBINEFUNC = @extschema@.kpi_amounts_combine,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.kpi_rollup(@extschema@.kpi_amounts) IS
'the amounts of all the given values together: what kpi_amounts over the rows behind them gives. NULL is left out; nothing: NULL. An error if the keys have different types';

/*
 * Transitions and aggregates: ids of three types, amounts of four.  An integer
 * or smallint id becomes a bigint by itself.
 */
DO $do$
DECLARE
	schema constant text := $name$@extschema@$name$;
	rounding constant text := ' Rounded once to 16 decimals, half away from zero. Memory grows with the ';
	id text;
	amount text;
	aggregate record;
	args text;
BEGIN
	FOREACH id IN ARRAY '{bigint,uuid,text}'::text[] LOOP
		FOREACH amount IN ARRAY '{numeric,bigint,integer,smallint}'::text[] LOOP
			args := id || ', ' || amount;
			EXECUTE format('CREATE FUNCTION %1$s.kpi_amounts_add(%1$s.kpi_amounts, %2$s) RETURNS %1$s.kpi_amounts
				AS ''MODULE_PATHNAME'', ''salkpi_amounts_add'' LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE', schema, args);
			EXECUTE format('COMMENT ON FUNCTION %1$s.kpi_amounts_add(%1$s.kpi_amounts, %2$s) IS %3$L',
				schema, args, 'transition function of kpi_amounts(' || args || '); an error outside of an aggregate');

			FOR aggregate IN
				SELECT *
				FROM (VALUES
					('kpi_amounts', 'id', 'kpi_amounts_final',
						'the amounts of each id: a purchase, a customer. id or amount NULL: the row is left out; without a row the result is NULL. NaN and infinity are errors (22003). Memory grows with the ids. Read with kpi_average, kpi_count, kpi_total, kpi_concentration; merge with kpi_rollup'),
					('kpi_average_purchase_value', 'sale_id', 'kpi_average',
						'average purchase: the sum of all amounts by the distinct sale_ids with a positive line. A credit note (a negative amount) reduces the sum, not the count. sale_id or amount NULL: the line is left out; no purchase: NULL.'
						|| rounding || 'sale_ids. To store and roll up: kpi_average(kpi_amounts(sale_id, amount))'),
					('kpi_revenue_per_buying_customer', 'customer', 'kpi_average',
						'revenue of a customer who bought: the sum of all amounts by the distinct customers with a positive one. Credit notes reduce the sum, not the count. customer or amount NULL: the row is left out; no such customer: NULL.'
						|| rounding || 'customers. To store and roll up: kpi_average(kpi_amounts(customer, amount))'),
					('kpi_revenue_concentration', 'customer', 'kpi_concentration',
						'share, in percent, of the ten largest customers in the revenue of all. customer or amount NULL: the row is left out; NULL unless the revenue of all is positive.'
						|| rounding || 'customers. Of another number of customers, and to store and roll up: kpi_concentration(kpi_amounts(customer, amount), n)')
				) aggregates (name, key, finish, meaning)
			LOOP
				EXECUTE format('CREATE AGGREGATE %1$s.%2$I(%3$s %4$s, amount %5$s) (
						SFUNC = %1$s.kpi_amounts_add, STYPE = %1$s.kpi_amounts, SSPACE = 1024, FINALFUNC = %1$s.%6$I,
						COMBINEFUNC = %1$s.kpi_amounts_combine, PARALLEL = SAFE)',
					schema, aggregate.name, aggregate.key, id, amount, aggregate.finish);
				EXECUTE format('COMMENT ON AGGREGATE %s.%I(%s) IS %L', schema, aggregate.name, args, aggregate.meaning);
			END LOOP;
		END LOOP;
	END LOOP;
END
$do$;
