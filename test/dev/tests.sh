# shellcheck shell=bash
# tests.sh - the tests of dev, each run and reported alike: sourced, not run

# report RESULT NAME START [NOTE]: the line of one test file
report() { printf '%-8s %-28s %8s%s\n' "$1" "$2" "$(since "$3")" "${4:+  $4}"; }

indented() { sed 's/^/    /'; }

# count STATUS NAME START [DETAILS]: a test that passes or fails as a whole
count() {
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
		report ok "$2" "$3"
		return
	fi
	failed=$((failed + 1))
	report FAILED "$2" "$3"
	[ ! -s "${4:-}" ] || head -n 150 "$4" | indented
}

# The names in the Makefile's REGRESS, on one line.
# shellcheck disable=SC2016
makefile_tests() {
	as make -C "$tmp/src" -s --no-print-directory "PG_CONFIG=$pg_config" \
		--eval='salkpi-print-tests: ; @echo $(REGRESS)' salkpi-print-tests
}

# Is this test wanted?  Without names, each is.
wanted() {
	local name

	[ ${#names[@]} -gt 0 ] || return 0
	for name in "${names[@]}"; do
		[ "$name" != "$1" ] || return 0
	done
	return 1
}

test_build() {
	local start status=0

	start=$(now)
	build "$@" || status=1
	count "$status" "build" "$start" "$tmp/log/build"
	[ "$status" = 0 ] || return 1
	grep -A 4 'warning:' "$tmp/log/build" >"$tmp/log/warnings" && status=1
	count "$status" "no compiler warnings" "$start" "$tmp/log/warnings"
}

# One regression test through "make installcheck"; the first one makes the database.
regress_one() {
	local start status=0 existing=

	start=$(now)
	[ -z "$regress_begun" ] || existing=--use-existing
	regress_begun=yes
	as rm -f "$tmp/src/regression.diffs"
	await_server || true
	pgxs_make installcheck "REGRESS=$1" "EXTRA_REGRESS_OPTS=$existing" >"$tmp/log/regress" 2>&1 || status=1
	[ -s "$tmp/src/regression.diffs" ] || as cp "$tmp/log/regress" "$tmp/src/regression.diffs"
	count "$status" "$1" "$start" "$tmp/src/regression.diffs"
}

# Each test builds on "setup", which therefore runs before any that is named.
test_regress() {
	local name listed selected=()

	read -ra listed < <(makefile_tests)
	regress_begun=
	for name in "${listed[@]}"; do
		if wanted "$name" || wanted regress; then
			selected+=("$name")
		fi
	done
	[ ${#selected[@]} -gt 0 ] || return 0
	if [ "${selected[0]}" != setup ] && [ "${listed[0]}" = setup ]; then
		selected=(setup "${selected[@]}")
	fi
	for name in "${selected[@]}"; do
		regress_one "$name"
	done
}

# A test that the Makefile doesn't list would never run.
test_listing() {
	local start file listed name

	start=$(now)
	listed=" $(makefile_tests) "
	: >"$tmp/log/unlisted"
	for file in "$tmp"/src/sql/*.sql; do
		name=$(basename "$file" .sql)
		[ "$name" = '*' ] || [[ $listed == *" $name "* ]] || echo "sql/$name.sql" >>"$tmp/log/unlisted"
	done
	count "$([ -s "$tmp/log/unlisted" ] && echo 1 || echo 0)" "REGRESS lists every test" "$start" "$tmp/log/unlisted"
}

isolation_one() {
	local dir=$tmp/work/isolation start status=0

	start=$(now)
	as rm -f "$dir/regression.diffs"
	await_server || true
	job "$(dirname "$("$pg_config" --pgxs)")/../test/isolation/pg_isolation_regress" --bindir= \
		"--inputdir=$dir" "--outputdir=$dir" --use-existing --dbname=salkpi_isolation "$1" \
		>"$tmp/log/isolation" 2>&1 || status=1
	[ -s "$dir/regression.diffs" ] || as cp "$tmp/log/isolation" "$dir/regression.diffs"
	count "$status" "isolation/$1" "$start" "$dir/regression.diffs"
}

# test/isolation/NAME.spec with NAME.out beside it, in a database that has the
# extension in schema kpi, which is in the search path.
test_isolation() {
	local spec name dir=$tmp/work/isolation selected=()

	for spec in "$tmp"/src/test/isolation/*.spec; do
		name=$(basename "$spec" .spec)
		[ -e "$spec" ] && wanted "$name" && selected+=("$name")
	done
	[ ${#selected[@]} -gt 0 ] || return 0
	as mkdir -p "$dir/specs" "$dir/expected"
	as cp "$tmp"/src/test/isolation/*.spec "$dir/specs"
	as cp "$tmp"/src/test/isolation/*.out "$dir/expected" 2>/dev/null || true
	sql -d postgres -c 'CREATE DATABASE salkpi_isolation' \
		-c 'ALTER DATABASE salkpi_isolation SET search_path = kpi, public'
	sql -d salkpi_isolation -c 'CREATE SCHEMA kpi' -c 'CREATE EXTENSION salkpi SCHEMA kpi' ||
		die "could not prepare the database of the isolation tests"
	for name in "${selected[@]}"; do
		isolation_one "$name"
	done
}

# What a script's TAP says, as: passed failed skipped.  A plan that wasn't kept,
# a bad exit without a failure, and silence are failures too.
tally() {
	awk -v status="$2" '
		/^ok( |$)/ && tolower($0) ~ /# *skip/ { skip++; next }
		/^skipped:/ || tolower($0) ~ /^1\.\.0 *# *skip/ { skip++; silent = 1; next }
		/^ok( |$)/ { ok++ }
		/^not ok/ { bad++ }
		/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0 }
		END {
			seen = ok + bad + skip
			if (!bad && (status || !seen || (plan && !silent && plan != seen)))
				bad = 1
			print ok + 0, bad + 0, skip + 0
		}' "$1"
}

# The outcome of a script that has run, in $tmp/log/script.NAME.
script_report() {
	local name=$1 log=$tmp/log/script.$1 status seconds ok bad skipped note result

	read -r status seconds <"$log.status" || { status=1 seconds='?'; }
	read -r ok bad skipped < <(tally "$log" "$status")
	passed=$((passed + ok)) failed=$((failed + bad))
	note="$ok passed"
	[ "$bad" = 0 ] || note+=", $bad failed"
	[ "$skipped" = 0 ] || note+=", $skipped skipped"
	result=ok
	[ "$ok" != 0 ] || result=skipped
	[ "$bad" = 0 ] || result=FAILED note+=", exit status $status"
	printf '%-8s %-28s %6s s  %s\n' "$result" "test/$name.sh" "$seconds" "$note"
	if [ "$bad" != 0 ]; then
		sed '/^ok/d' "$log" | tail -n 150 | indented
	else
		grep -iE '^skipped:|^# measured:|^(ok|1\.\.0).*# *skip' "$log" | indented || true
	fi
}

# Real CRM data is no part of the project; its tests run where it lies beside it.
find_data() {
	local data

	unset SALKPI_DATA
	data=$(cd "$root/../shared/data" 2>/dev/null && pwd -P) || return 0
	if as test -r "$data" -a -x "$data"; then
		export SALKPI_DATA=$data
	fi
}

# Each executable test/*.sh, started in the copy of the sources and beside the
# regression tests; as many at once as there are processors, since each has
# databases or servers of its own.
# shellcheck disable=SC2016
start_scripts() {
	local script

	selected_scripts=()
	find_data
	export SALKPI_SRC="$tmp/src"
	for script in "$tmp"/src/test/*.sh; do
		script=$(basename "$script" .sh)
		[ -x "$tmp/src/test/$script.sh" ] && wanted "$script" && selected_scripts+=("$script")
	done
	[ ${#selected_scripts[@]} -gt 0 ] || return 0
	printf '%s\n' "${selected_scripts[@]}" >"$tmp/log/scripts"
	cd "$tmp/src"
	set -m
	as xargs -a "$tmp/log/scripts" -P "$(nproc)" -I '{}' \
		bash -c 'test/{}.sh >"$0/script.{}" 2>&1; echo "$? $SECONDS" >"$0/script.{}.status"' "$tmp/log" </dev/null >/dev/null 2>&1 &
	set +m
	scripts=$!
	cd "$tmp"
}

report_scripts() {
	local script

	[ -n "$scripts" ] || return 0
	wait "$scripts" || true
	scripts=
	for script in "${selected_scripts[@]}"; do
		script_report "$script"
	done
}

# Crashes, failed assertions, and what the sanitizers print.
test_log() {
	local start

	start=$(now)
	grep -E -B 3 'terminated by signal (4|6|7|8|11)\b|PANIC: |TRAP: |runtime error: |AddressSanitizer' "$tmp/log/server" \
		>"$tmp/log/crashes" || true
	count "$([ -s "$tmp/log/crashes" ] && echo 1 || echo 0)" "the server's log is clean" "$start" "$tmp/log/crashes"
}

# Without this, an end is a failure more.
finish_tests() {
	counting=
	cleanup
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] || exit 1
	exit 0
}

# A misspelt name must not pass for a test that succeeded.
check_names() {
	local name listed

	listed=" regress $(makefile_tests) "
	for name in "${names[@]}"; do
		[[ $listed == *" $name "* ]] || [ -x "$tmp/src/test/$name.sh" ] ||
			[ -f "$tmp/src/test/isolation/$name.spec" ] || die "there is no test \"$name\""
	done
}

command_test() {
	names=("$@")
	counting=yes
	prepare
	install_optional "postgresql-$(major_of "$pg_config")-cron" python3-yaml
	echo "PostgreSQL $("$pg_config" --version | sed 's/[^0-9]*//')"
	test_build || finish_tests
	check_names
	[ ${#names[@]} -gt 0 ] || test_listing
	start_server
	start_scripts
	test_regress
	test_isolation
	report_scripts
	test_log
	finish_tests
}
