# shellcheck shell=bash
# server.sh - the build and the private server of dev, in one temporary
# directory, of which nothing is left at the end: sourced, not run

# ----------------------------------------------------------------------------
# Processes and the temporary directory
# ----------------------------------------------------------------------------

as() { "${drop[@]}" "$@"; }

# Runs a command in a process group of its own and waits for it: a signal to
# this script is then acted on at once, and can end the command as a whole.
job() {
	local status=0

	set -m
	as "$@" </dev/null &
	set +m
	job=$!
	echo "$job" >"$tmp/log/job"
	wait "$job" || status=$?
	job=
	: >"$tmp/log/job"
	return "$status"
}

# Waits up to 10 seconds for a child (a process, or -group) to be gone.
gone() {
	local i

	for ((i = 0; i < 100; i++)); do
		kill -0 -- "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

end_job() {
	[ -n "$job" ] || return 0
	kill -TERM -- "-$job" 2>/dev/null || true
	wait "$job" 2>/dev/null || true
	gone "-$job" || kill -KILL -- "-$job" 2>/dev/null || true
	job=
}

# A fast shutdown; an immediate one when that hangs.
stop_server() {
	[ -n "$server" ] || return 0
	kill -INT "$server" 2>/dev/null || true
	if ! gone "$server"; then
		kill -QUIT "$server" 2>/dev/null || true
		gone "$server" || kill -KILL "$server" 2>/dev/null || true
	fi
	wait "$server" 2>/dev/null || true
	server=
}

# A test that was killed may have left servers of its own behind: pg_ctl puts
# them into sessions of their own, out of the reach of end_job.
stop_strays() {
	local file pid

	while IFS= read -r file; do
		pid=$(head -n 1 "$file")
		! kill -QUIT "$pid" 2>/dev/null || gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
	done < <(find "$tmp" -name postmaster.pid 2>/dev/null)
}

# Not even kill -9 shall leave anything behind: a second process looks on, and
# does what is then left to do.
start_guard() {
	set -m
	{
		trap - EXIT
		while kill -0 $$; do
			sleep 1
		done
		job=$(cat "$tmp/log/job")
		end_job
		stop_strays
		rm -rf "$tmp"
	} </dev/null >/dev/null 2>&1 &
	set +m
	guard=$!
	disown "$guard"
}

cleanup() {
	set +e # nothing here may keep the rest from being done
	trap - EXIT
	trap '' INT TERM HUP
	allow_clusters
	end_job
	[ -z "$scripts" ] || kill -TERM -- "-$scripts" 2>/dev/null || true
	[ -z "$client" ] || kill "$client" 2>/dev/null || true
	stop_server
	if [ -n "$tmp" ]; then
		stop_strays
		cd /
		rm -rf "$tmp"
	fi
	[ -z "$guard" ] || kill -KILL -- "-$guard" 2>/dev/null || true
	[ -z "$counting" ] || echo "$passed passed, $((failed + 1)) failed"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# make can't handle every path, and a socket's must stay under 107 bytes, so an
# unusual TMPDIR gives way to /tmp.
make_tmp() {
	local base=${TMPDIR:-/tmp}

	[[ $base =~ ^/[A-Za-z0-9/._+-]{1,50}$ ]] && as test -w "$base" -a -x "$base" || base=/tmp
	tmp=$(as mktemp -d "$base/salkpi-dev.XXXXXX")
	as chmod 755 "$tmp"
	as mkdir "$tmp/src" "$tmp/stage" "$tmp/log" "$tmp/work"
	as mkdir -m 700 "$tmp/sock"
	: >"$tmp/log/job"
	start_guard
	cd "$tmp"
}

# Results must not depend on who runs this: no connection settings, no locale,
# no psqlrc or history, no flags of a make that called.
clean_environment() {
	local name

	for name in $(compgen -e); do
		case $name in
			PG_CONFIG) ;;
			PG* | LC_* | PSQL* | MAKEFLAGS | MFLAGS | MAKELEVEL) unset "$name" ;;
		esac
	done
	export LANG=C LC_ALL=C
	if locale -a 2>/dev/null | grep -qix 'c\.utf-\?8'; then
		LANG=C.UTF-8 LC_ALL=C.UTF-8
	fi
}

# ----------------------------------------------------------------------------
# Building
# ----------------------------------------------------------------------------

pgxs_make() {
	job make -C "$tmp/src" --no-print-directory -s "-j$(nproc)" with_llvm=no "PG_CONFIG=$pg_config" "$@"
}

# Sources only: what was built in the checkout may be of another PostgreSQL.  Not by
# the directory's own name: tar fails when something is made in it meanwhile.
copy_sources() {
	(cd "$root" && exec tar -cf - --exclude=node_modules --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
		--anchored --exclude='salkpi--*.sql' --exclude=results --exclude='regression.*' -- *) |
		as tar -C "$tmp/src" -xf -
}

# Builds and stages.  The compiler's output is left in $tmp/log/build.
build() {
	unset SALKPI_CONF
	copy_sources
	pgxs_make "$@" all >"$tmp/log/build" 2>&1 &&
		pgxs_make "$@" "DESTDIR=$tmp/stage" install >>"$tmp/log/build" 2>&1
}

# A dev that a test starts takes what is staged for the test.
build_or_die() {
	if [ -n "${SALKPI_CONF:-}" ]; then
		copy_sources
		return
	fi
	progress "building" build && return
	cat "$tmp/log/build" >&2
	die "salkpi could not be built"
}

# ----------------------------------------------------------------------------
# The private server
# ----------------------------------------------------------------------------

has_setting() { as postgres -D "$tmp/data" -C "$1" >/dev/null 2>&1; }

# Where a server finds the staged extension: SALKPI_CONF.
find_staged() {
	export SALKPI_CONF="$tmp/log/salkpi.conf"
	{
		echo "dynamic_library_path = '$tmp/stage$("$pg_config" --pkglibdir):\$libdir'"
		if has_setting extension_destdir; then
			echo "extension_destdir = '$tmp/stage'"
		elif has_setting extension_control_path; then
			echo "extension_control_path = '$tmp/stage$("$pg_config" --sharedir):\$system'"
		else
			die "this PostgreSQL can't load an extension from elsewhere (before 18 only Debian's can):" \
				"please use make && make install && make installcheck"
		fi
	} >"$SALKPI_CONF"
	chmod 644 "$SALKPI_CONF"
}

# The session time zone is one that isn't UTC and has daylight saving, so that a
# mix-up with the reporting zone shows.
configure() {
	[ -n "${SALKPI_CONF:-}" ] || find_staged
	{
		echo "unix_socket_directories = '$tmp/sock'"
		echo "listen_addresses = ''"
		echo "timezone = 'America/New_York'"
		echo "fsync = off"
		echo "max_connections = 150"
		echo "max_worker_processes = 24" # tests beside each other want workers
		echo "max_parallel_workers = 24"
		echo "full_page_writes = off"
		echo "synchronous_commit = off"
		printf '%s\n' "${settings[@]}"
		echo "include '$SALKPI_CONF'"
	} | as tee -a "$tmp/data/postgresql.conf" >/dev/null
}

# Waits until the server takes connections: at its start, or after a crash.
await_server() {
	local i

	for ((i = 0; i < 600; i++)); do
		as pg_isready -q && return
		kill -0 "$server" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

show_server_log() {
	say "the last lines of the server's log:"
	tail -n 20 "$tmp/log/server" >&2
}

# The server is a direct child (as the function "as" would not leave it), so
# that it gets the signals.
start_server() {
	job initdb -D "$tmp/data" -U postgres -A trust -E UTF8 "--locale=$LC_ALL" -N >"$tmp/log/initdb" 2>&1 || {
		cat "$tmp/log/initdb" >&2
		die "could not create a database cluster"
	}
	configure
	set -m
	"${drop[@]}" env "${server_env[@]}" postgres -D "$tmp/data" </dev/null >"$tmp/log/server" 2>&1 &
	set +m
	server=$!
	await_server || {
		show_server_log
		die "the server did not start"
	}
}

sql() { job psql -X -q -v ON_ERROR_STOP=1 "$@"; }
