#!/bin/bash
# The dashboards: every query of theirs, in both languages, as the role that
# Grafana uses, gives frames that it can show and the numbers of kpi_value; and
# the files are what their source makes and what Grafana's types allow.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
grafana=$here/../grafana
command -v node >/dev/null || skip_all "node is not installed (Debian's package nodejs)"
db=salkpi_grafana
role=grafana_of_a_test

create_database $db
load_demo $db
sql -d $db -c "ALTER DATABASE $db SET search_path = kpi, public"
sql -d postgres -c "DROP ROLE IF EXISTS $role"
finish_roles() {
	sql -d $db -c "DROP OWNED BY $role CASCADE" -c "DROP ROLE $role" >/dev/null
	finish
}
trap finish_roles EXIT
psql -XAtq -d $db -v schema=kpi -f "$grafana/dimensions.sql" -c 'SELECT outcome FROM kpi.kpi_snapshot()' >"$scratch/dimensions" 2>&1
ok $? "dimensions.sql combines dimensions" || note "$(tail -n 3 "$scratch/dimensions")"
psql -XAtq -d $db -v schema=kpi -v role=$role -f "$grafana/reader.sql" >"$scratch/reader" 2>&1
ok $? "reader.sql makes the role" || note "$(tail -n 3 "$scratch/reader")"
like "$(PGUSER=$role sql -d $db -c 'DELETE FROM kpi.kpi_target')" 'ERROR:  (25006|42501)' "which cannot write"
like "$(PGUSER=$role sql -d $db -c 'SELECT * FROM crm.order_line')" 'ERROR:  42501' "nor read the CRM's tables"

PGOPTIONS='-c search_path=kpi' PGDATABASE=$db node "$grafana/make.mjs" "$scratch/made" >"$scratch/make" 2>&1
ok $? "make.mjs writes the dashboards" || note "$(tail -n 5 "$scratch/make")"
diff -r "$scratch/made" "$grafana/dashboards" >"$scratch/diff" 2>&1
ok $? "and they are those in grafana/dashboards (./dev dashboards writes them)" || note "$(cat "$scratch/diff")"

# Meanwhile npm fetches what the types need.
mkdir "$scratch/modules"
echo '{ "private": true }' >"$scratch/modules/package.json"
(cd "$scratch/modules" && timeout 120 npm install --no-audit --no-fund --no-package-lock --legacy-peer-deps \
	@grafana/schema@13.2.2 ts-json-schema-generator@2.4.0 ajv@8.17.1) >"$scratch/npm" 2>&1 &
npm=$!

PGUSER=$role PGOPTIONS='' PGDATABASE=$db node "$grafana/check.mjs" "$grafana/dashboards" >"$scratch/check" 2>&1
renumbered() { # FILE: its results, counted on from here
	while IFS= read -r line; do
		if [[ $line =~ ^(not\ )?ok\ [0-9]+\ -\ (.*) ]]; then
			n=$((n + 1))
			echo "${BASH_REMATCH[1]}ok $n - ${BASH_REMATCH[2]}"
		elif [[ $line != 1..* ]]; then
			echo "# ${line#\# }"
		fi
	done <"$1"
}
renumbered "$scratch/check"
grep -q '^1\.\.[1-9]' "$scratch/check"
ok $? "every dashboard was checked"

if wait $npm; then
	node "$grafana/types.mjs" "$grafana/dashboards" "$scratch/modules" >"$scratch/types" 2>&1
	renumbered "$scratch/types"
	grep -q '^1\.\.[1-9]' "$scratch/types"
	ok $? "every dashboard's types were checked" || note "$(tail -n 5 "$scratch/types")"
else
	n=$((n + 1))
	echo "ok $n - Grafana's published types # SKIP npm cannot install @grafana/schema here"
fi
done_testing
