#!/bin/bash
# The movements of recurring amounts against a program of its own: the vectors
# of the regression test are what it says, and so are the ledgers and the facts
# of random histories.  Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
db=salkpi_ledger
python3 -c 'import zoneinfo; zoneinfo.ZoneInfo("Europe/Berlin")' 2>/dev/null || skip_all "no python3 with time zones"
create_database $db
sql -d $db -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' -c "ALTER DATABASE $db SET search_path = kpi, public" >"$scratch/out" ||
	bail "no extension: $(head -n 1 "$scratch/out")"

# says WANTED WHAT ARGUMENTS...: what the program prints when it agrees
says() {
	local wanted=$1 what=$2

	shift 2
	is "$(python3 "$here/ledger.py" "$@" 2>&1 | tail -n 5)" "$wanted" "$what"
}
says '' "the vectors of sql/ledger.sql are the program's" check "$here/../sql/ledger.sql"
says '15 random histories agree' "ledgers" fuzz 15 -d $db
says 'the facts of 6 random histories agree' "facts by month, quarter and year" facts 6 -d $db
done_testing
