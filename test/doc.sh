#!/bin/bash
# The reference of the aggregates: its examples give what it says, and no
# aggregate is missing but those of the snapshot and of reports.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
db=salkpi_doc
doc=$here/../doc/aggregates.md
create_database $db
sql -d $db -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' -c "ALTER DATABASE $db SET search_path = kpi, public" >"$scratch/out" ||
	bail "no extension: $(head -n 1 "$scratch/out")"

awk '/^```sql$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$doc" >"$scratch/blocks"
sql -d $db -f "$scratch/blocks" >"$scratch/out"
ok $? "the statements run" || note "$(grep -m 1 -A 5 ERROR "$scratch/out")"

# A row of a table ends with `SELECT …` → `result` |
while IFS=$'\t' read -r query result; do
	is "$(sql -d $db -c "$query" | tr '\n' ' ' | sed 's/ $//')" "$result" "$query"
done < <(sed -nE 's/^\| .*`(SELECT [^`]*)` → `([^`]*)` \|$/\1\t\2/p' "$doc")
[ "$n" -gt 40 ]
ok $? "those were many"

sql -d $db <<'SQL' >"$scratch/names"
SELECT DISTINCT p.proname || CASE WHEN p.prokind = 'a' THEN ' row' ELSE '' END
FROM pg_proc p
JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'salkpi')
WHERE p.prokind = 'a' AND p.proname NOT IN ('kpi_cube', 'kpi_stock', 'kpi_ledger', 'kpi_dictionary', 'kpi_panel', 'kpi_smallest')
	OR p.prokind = 'f' AND p.proargtypes[0] IN ('kpi_ratio'::regtype, 'kpi_durations'::regtype, 'kpi_amounts'::regtype, 'kpi_accounts'::regtype) AND p.prorettype IN ('numeric'::regtype, 'bigint'::regtype)
		AND p.proname !~ '_hash$'
ORDER BY 1
SQL
missing=$(while read -r name kind; do
	case $kind in
		row) grep -qE "^\| \`$name\([^\`]*\` \|.*\` → \`[^\`]*\` \|$" "$doc" ;;
		*) grep -q "\`$name(" "$doc" ;;
	esac || echo "$name"
done <"$scratch/names")
is "$missing" "" "no accessor of a state is missing, and no aggregate a row with an example"
done_testing
