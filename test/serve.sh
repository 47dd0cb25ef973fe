#!/bin/bash
# ./dev demo --serve: a server that Grafana's role reaches by TCP on the
# loopback, and nobody else does, until a signal ends it and nothing is left.
# Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"
[[ $( (exec 3<>/dev/tcp/127.0.0.1/9) 2>&1) != *unreachable* ]] || skip_all "there is no loopback"
as_server_user
dev=$(cd "$here/.." && pwd -P)/dev

# serve ARGUMENTS...: a demo in a process group of its own, as at a terminal
serve() {
	: >"$scratch/out"	# what the one before said is not this one's
	: >"$scratch/err"
	set -m
	env --default-signal=INT,TERM "$dev" demo "$@" </dev/null >"$scratch/out" 2>"$scratch/err" &
	set +m
	serving=$!
}
is_over() { ! kill -0 "$serving" 2>/dev/null; }
is_served() { grep -q 'postgresql://' "$scratch/out" || is_over; }
await_served() {
	await 300 is_served
	url=$(grep -o 'postgresql://[^ ]*' "$scratch/out")
	ok $? "$1" || {
		note "$(tail -n 5 "$scratch/err")"
		bail "no demo is served"
	}
	socket=$(sed -n 's/.*psql "\(host=.*\)"$/\1/p' "$scratch/out")
	directory=$(sed 's,^host=\(.*\)/sock .*,\1,' <<<"$socket")
	port=$(sed 's,.*:\([0-9]*\)/demo$,\1,' <<<"$url")
}

# What runs in the directory, this dev and its guard, and the server's port.
left() {
	grep -lzxF -e "$dev" -e "$directory/data" /proc/[0-9]*/cmdline 2>/dev/null
	find /proc/[0-9]*/cwd -maxdepth 0 -lname "$directory*" 2>/dev/null
	compgen -G "$directory"
	! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || echo "port $port"
}
is_clean() { [ -z "$(left)" ]; }

# ends SIGNAL STATUS WHAT [-]: - sends it to the whole process group, as a terminal does
ends() {
	local status

	kill "-$1" -- "${4:-}$serving"
	await 60 is_over
	ok $? "$3: it ends"
	wait "$serving" 2>/dev/null
	status=$?
	is "$status" "$2" "$3: with status $2"
	await 30 is_clean
	ok $? "$3: nothing is left" || note "$(left)"
}

is "$("$dev" demo --serf 2>&1; echo $?)" $'dev: demo takes --serve or --serve=PORT, not "--serf"\n1' "a misspelt option"
is "$("$dev" demo --serve=80 2>&1; echo $?)" $'dev: --serve=80: a port is a number from 1024 to 65535\n1' "a port that needs rights"
like "$(SALKPI_PASSWORD='a b' "$dev" demo --serve 2>&1)" 'SALKPI_PASSWORD becomes a part of a URL' "a password that is none"

# ------------------------------------------------------------ a port and a password of its own

serve --serve
await_served "the demo is served"
is "$(psql "$url" -XAtc "SELECT value FROM kpi_report(lang => 'en') WHERE kpi = 'revenue_growth'" 2>&1)" \
	"$(psql "$socket" -XAtc "SELECT value FROM kpi.kpi_report(lang => 'en') WHERE kpi = 'revenue_growth'")" "the reading role reads the report"
is "$(psql "$socket" -XAtc 'SELECT count(*) > 0, current_user FROM crm.deal')" 't|postgres' "the superuser all, by the socket"
like "$(psql "$url" -Xc "DELETE FROM kpi_target" 2>&1)" 'ERROR:  (cannot execute|permission denied)' "the reading role writes nothing"
like "$(psql "$url" -Xc "SELECT * FROM crm.order_line" 2>&1)" 'ERROR:  permission denied for (schema crm|table order_line)' "nor reads the CRM's own tables"
is "$(psql "$url" -XAtc 'SHOW statement_timeout')" 10s "and not for long"
like "$(psql "${url/:*@/:wrong@}" -Xc 'SELECT 1' 2>&1)$(PGPASSWORD=wrong psql "host=127.0.0.1 port=$port user=grafana dbname=demo" -wXc 'SELECT 1' 2>&1)" \
	'password authentication failed for user "grafana"' "without the password it does not get in"
like "$(psql "host=127.0.0.1 port=$port user=postgres dbname=demo" -wXc 'SELECT 1' 2>&1)" 'no pg_hba.conf entry' "nobody else gets in by TCP"
is "$(psql "$socket" -XAtc 'SHOW listen_addresses')" 127.0.0.1 "which is the loopback alone"
is "$(stat -c %a "$directory/sock" "$directory/data" | sort -u)" 700 "the socket is its owner's"
like "$("$dev" demo "--serve=$port" 2>&1)" "--serve=$port: something listens there already" "a second one on the same port does not start"

# What it says to a Grafana, taken as it is.
told=$(grep -oE '\b(SALKPI|GF)_[A-Z_]+=[^ ]+' "$scratch/out")
value() { sed -n "s/^$1=//p" <<<"$told"; }
is "$(PGPASSWORD=$(value SALKPI_PASSWORD) PGSSLMODE=$(value SALKPI_SSLMODE) psql -XAt -h "$(value SALKPI_HOST)" -p "$(value SALKPI_PORT)" -U grafana -d "$(value SALKPI_DATABASE)" -c 'SELECT kpi_age() IS NOT NULL' 2>&1)" \
	t "the data source it describes is one"
[ -f "$(value GF_PATHS_PROVISIONING)/datasources/salkpi.yaml" ] && [ -f "$(value SALKPI_DASHBOARDS)/overview.json" ]
ok $? "so are its directories"
psql "$url" -Xc 'SELECT pg_sleep(9)' >/dev/null 2>&1 & # a client does not keep it from ending
client=$!
ends INT 130 "Ctrl-C" -
wait $client

# ------------------------------------------------------------ those that are chosen

wanted=$((20000 + RANDOM % 12000))
export SALKPI_PASSWORD=chosen.here
serve "--serve=$wanted"
await_served "a port that was chosen"
is "$url" "postgresql://grafana:chosen.here@127.0.0.1:$wanted/demo" "with the password that was chosen"
is "$(psql "$url" -XAtc "SELECT count(*) > 1 FROM kpi_ranking('revenue', kpi_today() - 40)" 2>&1)" t "can be read"
ends TERM 143 "SIGTERM"

# Before it is ready, and without a chance to clean up.
is_loading() { grep -q 'making up' "$scratch/err" || is_over; }
is_made() { directory=$(compgen -G "${TMPDIR:-/tmp}/salkpi-dev.*/data/postmaster.pid" | head -n 1) && directory=${directory%/data/postmaster.pid}; }
for signal in 'TERM 143' 'KILL 137'; do
	serve "--serve=$wanted"
	await 300 is_loading
	is_made && [ -d "$directory" ]
	ok $? "it is being loaded" || bail "nothing is: $(tail -n 3 "$scratch/err")"
	ends "${signal% *}" "${signal#* }" "SIG${signal% *} while loading"
done
done_testing
