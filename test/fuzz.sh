#!/bin/bash
#
# fuzz.sh - libFuzzer on the input of the state types
#
# Builds each target of test/fuzz/targets, or those named, with clang's address
# and undefined-behaviour sanitizers, without a server.  As a test it makes a
# fixed number of runs from a fixed seed; with FUZZ_SECONDS it goes on that long
# from a random one.  Without clang's libFuzzer it is skipped.  Prints TAP.
#
set -u
here=$(cd "$(dirname "$0")" && pwd -P)
cd "$here/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
n=0

flags=(-std=c99 -w -O1 -g -fno-pie -D_GNU_SOURCE -DUSE_ASSERT_CHECKING=1
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
	"-I$("${PG_CONFIG:-pg_config}" --includedir-server)" -Isrc -Itest/fuzz)
# What input doesn't call of the server is not there.
link=(-no-pie -Wl,--unresolved-symbols=ignore-all)
if [ "${FUZZ_SECONDS:-0}" -gt 0 ]; then
	effort=("-max_total_time=$FUZZ_SECONDS")
else
	effort=(-runs=30000 -seed=1)
fi

wanted() { # TYPE NAMES...
	local type=$1 name

	shift
	[ $# -gt 0 ] || return 0
	for name; do
		[ "$name" != "$type" ] || return 0
	done
	return 1
}

# What several targets have in common is compiled once.
compile() { # SOURCES...
	local source

	for source; do
		[ -f "$work/$source.o" ] || clang "${flags[@]}" -c -o "$work/$source.o" "src/$source" || return
	done
}

fuzz() { # TYPE SOURCES...
	local type=$1 dir=$work/$1 line i=0 objects

	shift
	objects=("${@/#/$work/}")
	objects=("${objects[@]/%/.o}")
	mkdir -p "$dir/corpus"
	while IFS= read -r line; do
		printf '%s' "$line" >"$dir/corpus/seed$((i++))"
	done <"test/fuzz/seeds/$type"
	compile "$@" >"$dir/log" 2>&1 &&
		clang "${flags[@]}" "-DTYPE=$type" "${link[@]}" -o "$dir/fuzz" \
			test/fuzz/server.c test/fuzz/state.c "${objects[@]}" >"$dir/log" 2>&1 &&
		"$dir/fuzz" "${effort[@]}" "-artifact_prefix=$dir/" -rss_limit_mb=2048 "$dir/corpus" >"$dir/log" 2>&1
}

echo 'int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return 0; }' >"$work/empty.c"
clang -w -fsanitize=fuzzer,address,undefined -o "$work/empty" "$work/empty.c" >/dev/null 2>&1 || {
	echo "1..0 # SKIP there is no clang with libFuzzer"
	exit 0
}
while read -r type sources; do
	[[ $type != '#'* ]] && wanted "$type" "$@" || continue
	n=$((n + 1))
	# shellcheck disable=SC2086
	if fuzz "$type" $sources; then
		echo "ok $n - kpi_$type: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$work/$type/log")"
	else
		echo "not ok $n - kpi_$type"
		tail -n 40 "$work/$type/log" | sed 's/^/# /'
	fi
done <test/fuzz/targets
echo "1..$n"
