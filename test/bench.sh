#!/bin/bash
# The facts of the benchmark's CRM against the reference SQL, cell by cell, in
# both its variants; nothing is timed.  Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
python3 -c '' 2>/dev/null || skip_all "no python3"
databases+=(salkpi_bench)

# agrees WHAT ARGUMENTS...
agrees() {
	local what=$1 status

	shift
	PGOPTIONS='' "$here/bench/bench.py" --check "$@" >"$scratch/said" 2>&1
	status=$?
	ok $status "$what" || note "$(tail -n 12 "$scratch/said")"
	like "$(cat "$scratch/said")" '[1-9][0-9]{5} cells compared, 0 differ' "and that is every cell"
}
agrees "dense ids in order" 0.002
agrees "uuid, text and sparse ids in no order, 60 months" 0.002 --variant=scattered

# One wrong cell must show.
cat >"$scratch/spoil.py" <<PY
import sys
sys.path.insert(0, "$here/bench")
import bench
from crm import Crm
crm = Crm(0.002)
session = crm.session()
session.run("CREATE FUNCTION crm.spoil() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN NEW.revenue := NEW.revenue + 0.01; RETURN NEW; END \$\$;"
	"CREATE TRIGGER spoil BEFORE INSERT ON kpi.kpi_fact FOR EACH ROW WHEN (NEW.dimension = 'rep' AND NEW.member = '7' AND NEW.grain = 'month'"
	" AND NEW.period = '2025-06-01') EXECUTE FUNCTION crm.spoil();")
session.close()
print(bench.agree(crm, ["reference"]))
PY
is "$(PGOPTIONS='' python3 "$scratch/spoil.py" 2>&1 | sed -n '/sale: /p;$p' | sort -u | sed 's/[0-9.]*, kpi_fact [0-9.]*/A, kpi_fact B/')" \
	"$(printf '%s\n' '  sale: revenue of rep "7", month 30: the reference says A, kpi_fact B' False)" "a cell that is a cent off is found"
done_testing
