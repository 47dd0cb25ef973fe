# shellcheck shell=bash
# tap.sh - what the TAP tests share: sourced, not run
#
# A test is a plain shell script that prints TAP.  It connects as PGHOST and
# PGUSER say, with the server's programs first in PATH, and leaves nothing
# behind.  A second server finds the extension as the running one does; root can
# run none, so a test that needs one starts over as the running one's owner.
set -u

here=$(cd "$(dirname "$0")" && pwd -P)
export PGOPTIONS='-c client_min_messages=warning'
databases=()
servers=()
scratch=
running_host=$PGHOST
n=0

# ok STATUS WHAT: a result, as of a command's exit status
ok() {
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" || echo "not ok $n - $2"
	return "$1"
}

note() { printf '%s\n' "$*" | head -n 12 | sed 's/^/# /'; }

# is GOT WANTED WHAT
is() {
	[ "$1" = "$2" ]
	ok $? "$3" && return
	note "got:    $1"
	note "wanted: $2"
}

# like GOT PATTERN WHAT: an extended regular expression, somewhere in it
like() {
	[[ $1 =~ $2 ]]
	ok $? "$3" && return
	note "got:    $1"
	note "wanted: $2"
}

# same FILE FILE WHAT
same() {
	diff "$1" "$2" >"$scratch/diff"
	ok $? "$3" && return
	head -n 20 "$scratch/diff" | sed 's/^/# /'
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

bail() {
	echo "Bail out! $1"
	exit 1
}

done_testing() { echo "1..$n"; }

sql() { psql -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=verbose "$@" 2>&1; }

# What a statement prints, or its error's text; its exit status too.
# try DATABASE STATEMENT [ROLE]
try() { sql -d "$1" ${3:+-c "SET SESSION AUTHORIZATION $3"} -c "$2"; }

# A database that goes away with the test.
create_database() { # NAME [OPTIONS]
	sql -d postgres -c "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1 ${2:-}" || bail "no database $1"
	databases+=("$1")
}

# The made-up CRM, bound, with a snapshot taken, in schema kpi.
load_demo() { # DATABASE
	sql -d "$1" -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' \
		-f "$here/../demo/crm.sql" -f "$here/../demo/bind.sql" >"$scratch/demo" || {
		note "$(tail -n 5 "$scratch/demo")"
		bail "the demo could not be loaded"
	}
}

# await SECONDS COMMAND...: until it succeeds
await() {
	local i tries=$(($1 * 10))

	shift
	for ((i = 0; i < tries; i++)); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

finish() {
	local name server

	trap - EXIT
	for server in "${servers[@]}"; do
		pg_ctl -D "$server" -m immediate stop >/dev/null 2>&1
	done
	export PGHOST=$running_host
	for name in "${databases[@]}"; do
		sql -d postgres -c "DROP DATABASE IF EXISTS $name WITH (FORCE)" >/dev/null
	done
	rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
scratch=$(mktemp -d "${TMPDIR:-/tmp}/t.XXXXXX") # short, for a socket's path must be

# ------------------------------------------------------------ second servers

# Goes on as the user who may run a server: this one, or for root the owner of
# the running one.
as_server_user() {
	local owner

	[ "$(id -u)" = 0 ] || return 0
	owner=$(stat -c %u "$(sql -d postgres -c 'SHOW data_directory')" 2>/dev/null) ||
		skip_all "root cannot run a server, and the running one is not on this machine"
	command -v setpriv >/dev/null || skip_all "root cannot run a server, and there is no setpriv"
	rm -rf "$scratch"
	exec setpriv "--reuid=$owner" "--regid=$(id -g "$owner")" --clear-groups "$0"
}

# How the running server finds the extension.
extension_settings() {
	sql -d postgres -c "SELECT format('%s = ''%s''', name, replace(replace(setting, '\\', '\\\\'), '''', '''''')) FROM pg_settings
		WHERE name IN ('dynamic_library_path', 'extension_destdir', 'extension_control_path')"
}

# start_server DIRECTORY: a server on DIRECTORY/data, with its socket in DIRECTORY
start_server() {
	cat >>"$1/data/postgresql.conf" <<-CONF
		unix_socket_directories = '$1'
		listen_addresses = ''
		fsync = off
	CONF
	servers+=("$1/data")
	pg_ctl -D "$1/data" -l "$1/log" -w start >/dev/null || {
		note "$(tail -n 5 "$1/log")"
		bail "a second server did not start"
	}
}

# new_server DIRECTORY
new_server() {
	mkdir -p "$1"
	initdb -D "$1/data" -U "$PGUSER" -A trust -E UTF8 --no-locale -N >"$1/log" 2>&1 ||
		bail "no second cluster: $(tail -n 1 "$1/log")"
	extension_settings >>"$1/data/postgresql.conf"
	start_server "$1"
}
