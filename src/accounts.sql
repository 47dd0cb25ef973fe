-- Accounts: what customers pay at the two ends of a period, and what follows from it.

CREATE FUNCTION @extschema@.kpi_accounts_combine(@extschema@.kpi_accounts, @extschema@.kpi_accounts) RETURNS @extschema@.kpi_accounts
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_combine';

CREATE FUNCTION @extschema@.kpi_accounts_final(@extschema@.kpi_accounts) RETURNS @extschema@.kpi_accounts
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_final';

COMMENT ON FUNCTION @extschema@.kpi_accounts_combine(@extschema@.kpi_accounts, @extschema@.kpi_accounts) IS 'combine function of kpi_accounts; an error outside of an aggregate, and when periods, their types or those of customers differ';
COMMENT ON FUNCTION @extschema@.kpi_accounts_final(@extschema@.kpi_accounts) IS 'final function of kpi_accounts: the canonical form of a state';

CREATE AGGREGATE @extschema@.kpi_rollup(accounts @extschema@.kpi_accounts) (
	SFUNC = @extschema@.kpi_accounts_combine,
	STYPE = @extschema@.kpi_accounts,
	SSPACE = 1024,
	FINALFUNC = @extschema@.kpi_accounts_final,
	COMBINEFUNC = @extschema@.kpi_accounts_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.kpi_rollup(@extschema@.kpi_accounts) IS
'the customers of all the given values together, the amounts of each added up: what kpi_accounts over the rows behind them gives. NULL is left out; nothing: NULL. An error if periods, their types (date, timestamp, timestamptz) or those of customers differ';

-- Accessors, which are the final functions of the aggregates too.

CREATE FUNCTION @extschema@.kpi_retention_rate(accounts @extschema@.kpi_accounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_retention';

CREATE FUNCTION @extschema@.kpi_churn_rate(accounts @extschema@.kpi_accounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_churn';

CREATE FUNCTION @extschema@.kpi_net_revenue_retention(accounts @extschema@.kpi_accounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_net_retention';

CREATE FUNCTION @extschema@.kpi_gross_revenue_retention(accounts @extschema@.kpi_accounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_gross_retention';

CREATE FUNCTION @extschema@.kpi_revenue_churn_rate(accounts @extschema@.kpi_accounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_revenue_churn';

CREATE FUNCTION @extschema@.kpi_net_revenue_churn_rate(accounts @extschema@.kpi_accounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_net_churn';

CREATE FUNCTION @extschema@.kpi_quick_ratio(accounts @extschema@.kpi_accounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_quick_ratio';

CREATE FUNCTION @extschema@.kpi_revenue_per_account(accounts @extschema@.kpi_accounts) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_per_account';

CREATE FUNCTION @extschema@.kpi_new_customers(accounts @extschema@.kpi_accounts) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_new';

CREATE FUNCTION @extschema@.kpi_movements(accounts @extschema@.kpi_accounts,
	OUT opening numeric, OUT new numeric, OUT reactivation numeric, OUT expansion numeric, OUT contraction numeric, OUT churn numeric, OUT closing numeric, OUT retained numeric,
	OUT customers_opening bigint, OUT customers_new bigint, OUT customers_reactivated bigint, OUT customers_expanded bigint, OUT customers_contracted bigint,
	OUT customers_churned bigint, OUT customers_closing bigint, OUT customers_kept bigint, OUT customers_first bigint)
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'salkpi_accounts_movements';

COMMENT ON FUNCTION @extschema@.kpi_retention_rate(@extschema@.kpi_accounts) IS
'customers at the opening who are there at the closing by customers at the opening, in percent. NULL without customers at the opening; rounded once to 16 decimals, half away from zero. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_churn_rate(@extschema@.kpi_accounts) IS
'customers at the opening who are gone at the closing by customers at the opening, in percent: 100 less kpi_retention_rate. NULL without customers at the opening; rounded once to 16 decimals, half away from zero. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_net_revenue_retention(@extschema@.kpi_accounts) IS
'what the customers at the opening pay at the closing by what they paid at the opening, in percent. NULL if that is nothing; rounded once to 16 decimals, half away from zero. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_gross_revenue_retention(@extschema@.kpi_accounts) IS
'the same without growth: of each customer the lesser of both. NULL if nothing was paid at the opening; rounded once to 16 decimals, half away from zero. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_revenue_churn_rate(@extschema@.kpi_accounts) IS
'churn and contraction by what was paid at the opening, in percent: 100 less kpi_gross_revenue_retention. NULL if nothing was paid at the opening; rounded once to 16 decimals, half away from zero. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_net_revenue_churn_rate(@extschema@.kpi_accounts) IS
'churn and contraction less expansion by what was paid at the opening, in percent: 100 less kpi_net_revenue_retention. NULL if nothing was paid at the opening; rounded once to 16 decimals, half away from zero. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_quick_ratio(@extschema@.kpi_accounts) IS
'new, reactivated and expanded amounts by contracted and churned ones. NULL if nothing was lost; rounded once to 16 decimals, half away from zero. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_revenue_per_account(@extschema@.kpi_accounts) IS
'amounts at the closing by the customers who pay then. NULL without customers at the closing; rounded once to 16 decimals, half away from zero. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_new_customers(@extschema@.kpi_accounts) IS
'customers who paid for the first time ever at or after the opening and before the closing, also if they are gone again. NULL for NULL';
COMMENT ON FUNCTION @extschema@.kpi_movements(@extschema@.kpi_accounts) IS
'the movements from opening to closing, one row: each customer makes at most one, from nothing to something it is new (nothing before the opening either) or a reactivation, to nothing churn, in between expansion or contraction by the difference. opening + new + reactivation + expansion - contraction - churn = closing. retained: the sum over the customers of the opening of the lesser of opening and closing. customers_kept: those of the opening who are there at the closing. customers_first: kpi_new_customers. NULL for NULL';

/*
 * Transitions and aggregates: customers of three types (an integer or smallint
 * becomes a bigint by itself), days and instants, amounts of four types, for
 * which # stands; a row is an interval with an amount, an interval, or an event.
 */
DO $do$
DECLARE
	schema constant text := $name$@extschema@$name$;
	row_rule constant text := '. A row is an interval [valid_from, valid_to); it is active at the instant t if valid_from < t (or is NULL: since ever) and valid_to >= t (or is NULL: open). opening and closing are the same in all rows of a group, else an error (22023). customer NULL, an empty interval, one that begins at the closing or later: the row is left out';
	amount_rule constant text := ', as is an amount of NULL or 0; a negative amount is an error (22023), NaN and infinity too (22003). Intervals of a customer add up';
	event_rule constant text := '. A row is an event: a purchase, say. from_time and to_time are the same in all rows of a group, else an error (22023). customer NULL: the row is left out; one without time was ever before';
	memory constant text := '. Memory grows with the customers. To store and roll up: ';
	types constant text[] := '{numeric,bigint,integer,smallint}';
	customer text;
	unit text;
	amount text;
	shape text;
	aggregate record;
	args text;
BEGIN
	FOREACH customer IN ARRAY '{bigint,uuid,text}'::text[] LOOP
		FOREACH unit IN ARRAY '{date,timestamp,timestamptz}'::text[] LOOP
			FOREACH shape IN ARRAY array_cat('{"$","$, $"}', (SELECT array_agg(type || ', $, $') FROM unnest(types) type)) LOOP
				args := customer || ', ' || replace(shape || ', $, $', '$', unit);
				EXECUTE format('CREATE FUNCTION %1$s.kpi_accounts_add(%1$s.kpi_accounts, %2$s) RETURNS %1$s.kpi_accounts
					AS ''MODULE_PATHNAME'', ''salkpi_accounts_add'' LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE', schema, args);
				EXECUTE format('COMMENT ON FUNCTION %1$s.kpi_accounts_add(%1$s.kpi_accounts, %2$s) IS %3$L',
					schema, args, 'transition function of kpi_accounts(' || args || '); an error outside of an aggregate');
			END LOOP;

			FOR aggregate IN
				SELECT *
				FROM (VALUES
					('kpi_accounts', 'amount #, valid_from $, valid_to $, opening $, closing $', 'kpi_accounts_final',
						'what each customer pays at opening and closing; read with kpi_movements and the accessors named as the KPIs, merge with kpi_rollup' || row_rule || amount_rule),
					('kpi_accounts', 'valid_from $, valid_to $, opening $, closing $', 'kpi_accounts_final',
						'which customers are there at opening and closing; read with kpi_movements and the accessors named as the KPIs, merge with kpi_rollup' || row_rule),
					('kpi_accounts', 'at $, from_time $, to_time $', 'kpi_accounts_final',
						'which customers came first when: before from_time, or before to_time; read with kpi_new_customers, merge with kpi_rollup' || event_rule),
					('kpi_retention_rate', 'valid_from $, valid_to $, opening $, closing $', 'kpi_retention_rate',
						'customers at the opening who are there at the closing by customers at the opening, in percent; NULL without any' || row_rule || memory || 'kpi_retention_rate(kpi_accounts(...))'),
					('kpi_churn_rate', 'valid_from $, valid_to $, opening $, closing $', 'kpi_churn_rate',
						'customers at the opening who are gone at the closing by customers at the opening, in percent; NULL without any' || row_rule || memory || 'kpi_churn_rate(kpi_accounts(...))'),
					('kpi_new_customers', 'valid_from $, valid_to $, opening $, closing $', 'kpi_new_customers',
						'customers whose first interval ever begins at or after the opening and before the closing, also if they are gone again' || row_rule || memory || 'kpi_new_customers(kpi_accounts(...))'),
					('kpi_new_customers', 'at $, from_time $, to_time $', 'kpi_new_customers',
						'customers whose first event ever lies at or after from_time and before to_time' || event_rule || memory || 'kpi_new_customers(kpi_accounts(...))'),
					('kpi_net_revenue_retention', 'amount #, valid_from $, valid_to $, opening $, closing $', 'kpi_net_revenue_retention',
						'what the customers at the opening pay at the closing by what they paid at the opening, in percent; NULL if that is nothing' || row_rule || amount_rule || memory || 'kpi_net_revenue_retention(kpi_accounts(...))'),
					('kpi_gross_revenue_retention', 'amount #, valid_from $, valid_to $, opening $, closing $', 'kpi_gross_revenue_retention',
						'of each customer the lesser of what it pays at the opening and at the closing, by what was paid at the opening, in percent; NULL if that is nothing' || row_rule || amount_rule || memory || 'kpi_gross_revenue_retention(kpi_accounts(...))'),
					('kpi_revenue_churn_rate', 'amount #, valid_from $, valid_to $, opening $, closing $', 'kpi_revenue_churn_rate',
						'amounts churned and contracted by what was paid at the opening, in percent; NULL if that is nothing' || row_rule || amount_rule || memory || 'kpi_revenue_churn_rate(kpi_accounts(...))'),
					('kpi_net_revenue_churn_rate', 'amount #, valid_from $, valid_to $, opening $, closing $', 'kpi_net_revenue_churn_rate',
						'amounts churned and contracted less those expanded by what was paid at the opening, in percent; NULL if that is nothing' || row_rule || amount_rule || memory || 'kpi_net_revenue_churn_rate(kpi_accounts(...))'),
					('kpi_quick_ratio', 'amount #, valid_from $, valid_to $, opening $, closing $', 'kpi_quick_ratio',
						'amounts new, reactivated and expanded by those contracted and churned; NULL if nothing was lost' || row_rule || amount_rule || memory || 'kpi_quick_ratio(kpi_accounts(...))'),
					('kpi_revenue_per_account', 'amount #, valid_from $, valid_to $, opening $, closing $', 'kpi_revenue_per_account',
						'amounts at the closing by the customers who pay then; NULL without any' || row_rule || amount_rule || memory || 'kpi_revenue_per_account(kpi_accounts(...))')
				) aggregates (name, args, finish, meaning)
			LOOP
				FOREACH amount IN ARRAY CASE WHEN aggregate.args LIKE '%#%' THEN types ELSE '{none}' END LOOP
					args := 'customer ' || customer || ', ' || replace(replace(aggregate.args, '$', unit), '#', amount);
					EXECUTE format('CREATE AGGREGATE %1$s.%2$I(%3$s) (
							SFUNC = %1$s.kpi_accounts_add, STYPE = %1$s.kpi_accounts, SSPACE = 1024, FINALFUNC = %1$s.%4$I,
							COMBINEFUNC = %1$s.kpi_accounts_combine, PARALLEL = SAFE)',
						schema, aggregate.name, args, aggregate.finish);
					EXECUTE format('COMMENT ON AGGREGATE %s.%I(%s) IS %L', schema, aggregate.name, args, aggregate.meaning);
				END LOOP;
			END LOOP;
		END LOOP;
	END LOOP;
END
$do$;
