#!/bin/bash
# Over postgres_fdw, with extensions 'salkpi', an aggregate is worked out where
# the rows are: between two servers, for each aggregate over plain columns.  And
# as Citus does it, which sends what the transition leaves of some rows as text
# and combines that.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
as_server_user
[ "$(sql -d postgres -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'")" = 1 ] ||
	skip_all "there is no postgres_fdw (in Debian: package postgresql, in others postgresql-contrib)"
db=salkpi_fdw
export PGTZ=UTC # the same on both

new_server "$scratch/remote"
create_database $db
for host in "$running_host" "$scratch/remote"; do
	[ "$host" = "$running_host" ] || PGHOST=$host sql -d postgres -c "CREATE DATABASE $db" >/dev/null
	PGHOST=$host sql -d $db -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' >"$scratch/out" ||
		bail "no extension: $(head -n 1 "$scratch/out")"
done

# Columns of each type that an aggregate may take, two where it may take two;
# numeric ones are between 0 and 1, for a probability, none is negative.
PGHOST=$scratch/remote sql -d $db <<'SQL' >"$scratch/out" || bail "no rows: $(head -n 1 "$scratch/out")"
CREATE TABLE public.sale AS
SELECT (ARRAY['north', 'south', 'west'])[1 + n % 3] AS region, CASE WHEN n % 5 > 0 THEN n % 2 = 0 END AS "boolean",
	CASE WHEN n % 7 > 0 THEN (n % 101)::numeric / 100 END AS "numeric", (n % 37)::numeric / 38 AS "numeric 2",
	CASE WHEN n % 11 > 0 THEN (n % 23)::bigint * 1000003 END AS "bigint", (n % 29)::bigint AS "bigint 2",
	n AS "integer", n % 31 AS "integer 2", (n % 13)::smallint AS "smallint", (n % 41)::smallint AS "smallint 2",
	'customer ' || n % 17 AS "text", md5((n % 19)::text)::uuid AS "uuid",
	'2026-01-01'::date + n % 90 AS "date", '2026-06-01'::date + n % 9 AS "date 2",
	'2026-01-01'::timestamp + n % 90 * '1 hour'::interval AS "timestamp without time zone",
	'2026-06-01'::timestamp + n % 9 * '1 hour'::interval AS "timestamp without time zone 2",
	'2026-01-01'::timestamptz + n % 90 * '1 hour'::interval AS "timestamp with time zone",
	'2026-06-01'::timestamptz + n % 9 * '1 hour'::interval AS "timestamp with time zone 2",
	kpi.kpi_ratio(n, 7) AS kpi_ratio, kpi.kpi_durations(n::bigint % 43) AS kpi_durations
FROM generate_series(1, 600) n GROUP BY n;
CREATE TABLE public.sale_north AS SELECT * FROM public.sale WHERE region = 'north';
CREATE TABLE public.sale_south AS SELECT * FROM public.sale WHERE region = 'south';
SQL

# "shipping" knows that the other server has salkpi too, "plain" doesn't.
sql -d $db <<SQL >"$scratch/out" || bail "no foreign tables: $(head -n 1 "$scratch/out")"
CREATE EXTENSION postgres_fdw;
CREATE SERVER shipping FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$scratch/remote', dbname '$db', extensions 'salkpi');
CREATE SERVER plain FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$scratch/remote', dbname '$db');
CREATE USER MAPPING FOR CURRENT_USER SERVER shipping OPTIONS (user '$PGUSER');
CREATE USER MAPPING FOR CURRENT_USER SERVER plain OPTIONS (user '$PGUSER');
CREATE SCHEMA shipping;
CREATE SCHEMA plain;
IMPORT FOREIGN SCHEMA public FROM SERVER shipping INTO shipping;
IMPORT FOREIGN SCHEMA public FROM SERVER plain INTO plain;
CREATE TABLE shipping.parted (LIKE shipping.sale) PARTITION BY LIST (region);
ALTER TABLE shipping.parted ATTACH PARTITION shipping.sale_north FOR VALUES IN ('north');
ALTER TABLE shipping.parted ATTACH PARTITION shipping.sale_south FOR VALUES IN ('south');
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS \$\$
BEGIN
	RETURN QUERY EXECUTE 'EXPLAIN (VERBOSE, COSTS off) ' || query;
END
\$\$;
SQL

# Each aggregate of the extension for whose arguments there are columns; the
# bounds of a period are constants.  The snapshot's dictionaries are none to ship:
# they exist within a query alone.
sql -d $db <<'SQL' >"$scratch/aggregates"
CREATE TABLE call AS
WITH argument AS (
	SELECT p.oid, a.position, format_type(a.type, NULL) AS type, p.proargnames[a.position] AS name,
		row_number() OVER (PARTITION BY p.oid, a.type ORDER BY a.position) AS occurrence
	FROM pg_proc p
	JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e',
		unnest(p.proargtypes) WITH ORDINALITY a(type, position)
	WHERE p.prokind = 'a' AND p.proname <> 'kpi_dictionary' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi')),
expression AS (
	SELECT oid, position, CASE
		WHEN type ~ '^(date|timestamp)' AND name IN ('opening', 'from_time') THEN format('%L::%s', '2026-02-01', type)
		WHEN type ~ '^(date|timestamp)' AND name IN ('closing', 'to_time') THEN format('%L::%s', '2026-03-01', type)
		ELSE quote_ident(c.attname) END AS expression
	FROM argument
	LEFT JOIN pg_attribute c ON c.attrelid = 'shipping.sale'::regclass AND c.attname = replace(type, 'kpi.', '') || CASE WHEN occurrence > 1 THEN ' 2' ELSE '' END)
SELECT oid::regprocedure AS aggregate, string_agg(expression, ', ' ORDER BY position) AS args
FROM expression GROUP BY oid HAVING bool_and(expression IS NOT NULL);
SELECT format('%s(%s)', aggregate::regproc, args) FROM call ORDER BY 1;
SQL
[ "$(wc -l <"$scratch/aggregates")" -ge 400 ]
ok $? "there are aggregates over plain columns" || note "$(cat "$scratch/aggregates")"

results() { # SCHEMA.TABLE: of all aggregates, a line each
	local aggregate

	while IFS= read -r aggregate; do
		echo "SELECT \$\$$aggregate\$\$, region, $aggregate::text FROM $1 GROUP BY region ORDER BY region COLLATE \"C\";"
	done <"$scratch/aggregates" >"$scratch/query"
	sql -d $db -c 'SET enable_partitionwise_aggregate = on' -f "$scratch/query"
}

# The aggregates that a plan for the table doesn't ship.
not_shipped() { # SCHEMA.TABLE
	local aggregate

	while IFS= read -r aggregate; do
		echo "SELECT \$call\$$aggregate\$call\$ FROM plan(\$\$SELECT region, $aggregate FROM $1 GROUP BY region\$\$) line
			HAVING NOT coalesce(bool_or(line ~ 'Remote SQL: SELECT region, ${aggregate%%(*}\('), false) OR bool_or(line ~ 'Aggregate\$');"
	done <"$scratch/aggregates" >"$scratch/query"
	sql -d $db -c 'SET enable_partitionwise_aggregate = on' -f "$scratch/query"
}

is "$(not_shipped shipping.sale)" "" "each aggregate is shipped"
is "$(not_shipped shipping.parted)" "" "each is, grouped by the key of foreign partitions"
is "$(not_shipped plain.sale)" "$(cat "$scratch/aggregates")" "none is, unless the server is said to have the extension"

results plain.sale >"$scratch/here"
results shipping.sale >"$scratch/there"
PGHOST=$scratch/remote results public.sale >"$scratch/alone"
[ "$(wc -l <"$scratch/here")" = $((3 * $(wc -l <"$scratch/aggregates"))) ]
ok $? "there are results" || note "$(head "$scratch/here")"
same "$scratch/here" "$scratch/there" "what is shipped gives the same"
same "$scratch/alone" "$scratch/there" "and the same as on the other server itself"
results shipping.parted >"$scratch/parted"
grep -v '|west|' "$scratch/here" >"$scratch/two"
same "$scratch/two" "$scratch/parted" "so do foreign partitions"

# Citus's worker_partial_agg is an aggregate without its final function, and its
# coord_combine_agg combines what that leaves, written and read again.  Here a
# fifth of the rows is a worker's.
sql -d $db <<'SQL' >"$scratch/out" || bail "no emulation of Citus: $(head -n 1 "$scratch/out")"
CREATE FUNCTION as_citus(aggregate regprocedure, args text) RETURNS TABLE (region text, result text) LANGUAGE plpgsql AS $$
DECLARE
	a pg_aggregate := (SELECT agg FROM pg_aggregate agg WHERE aggfnoid = aggregate);
	initial text := CASE WHEN a.agginitval IS NOT NULL THEN format(', INITCOND = %L', a.agginitval) ELSE '' END;
	final text := CASE WHEN a.aggfinalfn <> 0 THEN format(', FINALFUNC = %s', a.aggfinalfn) ELSE '' END;
BEGIN
	EXECUTE format('CREATE AGGREGATE worker(%s) (SFUNC = %s, STYPE = %s%s)',
		pg_get_function_identity_arguments(aggregate), a.aggtransfn, a.aggtranstype::regtype, initial);
	EXECUTE format('CREATE AGGREGATE coordinator(%s) (SFUNC = %s, STYPE = %s%s%s)',
		a.aggtranstype::regtype, a.aggcombinefn, a.aggtranstype::regtype, initial, final);
	RETURN QUERY EXECUTE format('SELECT region, coordinator(state::text::%s)::text
		FROM (SELECT region, worker(%s) AS state FROM plain.sale GROUP BY region, "integer" %% 5) s GROUP BY region ORDER BY region COLLATE "C"',
		a.aggtranstype::regtype, args);
	EXECUTE format('DROP AGGREGATE worker(%s), coordinator(%s)', pg_get_function_identity_arguments(aggregate), a.aggtranstype::regtype);
END
$$;
SQL
sql -d $db -c "SELECT format('%s(%s)', aggregate::regproc, args), c.* FROM call, as_citus(aggregate, args) c ORDER BY 1, region COLLATE \"C\"" >"$scratch/citus"
same "$scratch/here" "$scratch/citus" "states that travel as text combine to the same"

# Partial aggregates are never shipped; states and a roll-up of them are.
query="SELECT kpi.kpi_margin(kpi.kpi_rollup(state)) FROM (SELECT region, kpi.kpi_profit_state(\"bigint\", \"integer\") AS state FROM shipping.parted GROUP BY region) s"
like "$(sql -d $db -c 'SET enable_partitionwise_aggregate = on' -c "SELECT string_agg(line, ' ') FROM plan(\$\$$query\$\$) line")" \
	'Remote SQL: SELECT region, kpi.kpi_profit_state' "states are made on the other server"
is "$(sql -d $db -c 'SET enable_partitionwise_aggregate = on' -c "$query")" \
	"$(PGHOST=$scratch/remote sql -d $db -c "SELECT kpi.kpi_profit_margin(\"bigint\", \"integer\") FROM public.sale WHERE region <> 'west'")" \
	"and rolled up here to what the rows give"
done_testing
