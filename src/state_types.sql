-- The types of the states that the KPI aggregates have: text and binary form,
-- equality, by which values group, hash-join, and compare within rows.
DO $do$
DECLARE
	schema constant text := $name$@extschema@$name$;
	state record;
	self text;
	declared record;
	function text;
BEGIN
	FOR state IN
		SELECT *
		FROM (VALUES
			('durations', 'multiset of durations in microseconds: exact, mergeable with kpi_rollup, and equal if and only if the durations are. Written as 1:{60000000,90000000*3}: the version, then every distinct duration ascending, with its count when it is not 1',
				'the same durations, each as often', 'not the same durations, or not each as often'),
			('ratio', 'exact sums of numerators and denominators: mergeable with kpi_rollup, and equal if and only if the sums and the numbers of rows are. Written as 1:{numerator/denominator,rows}, 1 being the version, or 1:{numerator/denominator,rows,missing} with the sum of the denominators whose numerators are unknown',
				'the same sums of as many rows', 'not the same sums, or not of as many rows'),
			('amounts', 'what the amounts of each key (a purchase, a customer) add up to, and whether any of them was positive. Exact, mergeable with kpi_rollup, and equal if and only if what it holds is. Written as kpi_amounts: and hexadecimal digits',
				'the same keys, each with the same amounts', 'not the same keys, or not the same amounts'),
			('accounts', 'what each customer pays at the opening and at the closing of a period, and whether it paid before. Exact, mergeable with kpi_rollup, and equal if and only if what it holds is. Written as kpi_accounts: and hexadecimal digits',
				'the same period and customers, each with the same amounts', 'not the same period, customers or amounts')
		) states (name, meaning, equal, unequal)
	LOOP
		self := schema || '.kpi_' || state.name;
		EXECUTE format('CREATE TYPE %s', self);
		FOR declared IN
			SELECT *
			FROM (VALUES
				('in', 'cstring', self, 'reads a kpi_%s from text; each length, order and range is checked'),
				('out', self, 'cstring', 'writes a kpi_%s as text, losslessly'),
				('recv', 'internal', self, 'reads a kpi_%s from the binary protocol; each length, order and range is checked'),
				('send', self, 'bytea', 'writes a kpi_%s for the binary protocol, losslessly'),
				('eq', self || ', ' || self, 'boolean', 'do two values of kpi_%s hold the same?'),
				('ne', self || ', ' || self, 'boolean', 'do two values of kpi_%s hold something different?'),
				('hash', self, 'integer', 'hash of a kpi_%s'),
				('hash', self || ', bigint', 'bigint', 'hash of a kpi_%s, with a seed')
			) functions (action, args, result, meaning)
		LOOP
			function := format('%s_%s(%s)', self, declared.action, declared.args);
			EXECUTE format('CREATE FUNCTION %s RETURNS %s AS ''MODULE_PATHNAME'', %L LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE', function, declared.result,
				format('salkpi_%s_%s', state.name, declared.action || CASE WHEN declared.args LIKE '%, bigint' THEN '_extended' ELSE '' END));
			EXECUTE format('COMMENT ON FUNCTION %s IS %L', function, format(declared.meaning, state.name));
			IF declared.action = 'send' THEN
				EXECUTE format('CREATE TYPE %1$s (INPUT = %1$s_in, OUTPUT = %1$s_out, RECEIVE = %1$s_recv, SEND = %1$s_send, ALIGNMENT = double, STORAGE = extended)', self);
			END IF;
		END LOOP;
		EXECUTE format('CREATE OPERATOR %2$s.= (FUNCTION = %1$s_eq, LEFTARG = %1$s, RIGHTARG = %1$s, COMMUTATOR = OPERATOR(%2$s.=), NEGATOR = OPERATOR(%2$s.<>),
			RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES)', self, schema);
		EXECUTE format('CREATE OPERATOR %2$s.<> (FUNCTION = %1$s_ne, LEFTARG = %1$s, RIGHTARG = %1$s, COMMUTATOR = OPERATOR(%2$s.<>), NEGATOR = OPERATOR(%2$s.=),
			RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel)', self, schema);
		EXECUTE format('CREATE OPERATOR FAMILY %s_hash_ops USING hash', self);
		EXECUTE format('CREATE OPERATOR CLASS %1$s_hash_ops DEFAULT FOR TYPE %1$s USING hash FAMILY %1$s_hash_ops AS
			OPERATOR 1 %2$s.=, FUNCTION 1 %1$s_hash(%1$s), FUNCTION 2 %1$s_hash(%1$s, bigint)', self, schema);
		EXECUTE format('COMMENT ON TYPE %s IS %L', self, state.meaning);
		EXECUTE format('COMMENT ON OPERATOR %2$s.= (%1$s, %1$s) IS %3$L', self, schema, state.equal);
		EXECUTE format('COMMENT ON OPERATOR %2$s.<> (%1$s, %1$s) IS %3$L', self, schema, state.unequal);
		EXECUTE format('COMMENT ON OPERATOR FAMILY %s_hash_ops USING hash IS %L', self, 'equality of kpi_' || state.name);
		EXECUTE format('COMMENT ON OPERATOR CLASS %s_hash_ops USING hash IS %L', self, 'equality of kpi_' || state.name);
	END LOOP;
END
$do$;
