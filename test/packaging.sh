#!/bin/bash
# What packagers do: building in another directory than that of the sources, and
# taking away what was installed.  Prints TAP; connects as the environment says.
source "$(dirname "$0")/tap.sh"

mkdir -p "$scratch/sources/src" "$scratch/build" "$scratch/root"
cp "$here"/../{Makefile,salkpi.control} "$scratch/sources"
cp "$here"/../src/*.{c,h,sql} "$scratch/sources/src"
(cd "$scratch/sources" && find . -type f | sort) >"$scratch/before"

make_there() { # TARGET...: where there is no clang, too
	make -s -C "$scratch/build" -f "$scratch/sources/Makefile" "PG_CONFIG=${PG_CONFIG:-pg_config}" with_llvm=no "DESTDIR=$scratch/root" "$@" >"$scratch/made" 2>&1
}
build_there() {
	make_there "$@"
	ok $? "make $1 elsewhere" || note "$(tail -n 5 "$scratch/made")"
}

# The library itself takes half a minute, and is linked as any other.
build_there salkpi--0.1.sql src/setting.o
same "$here/../salkpi--0.1.sql" "$scratch/build/salkpi--0.1.sql" "the script is the same as beside the sources"
touch "$scratch/sources/src/salkpi.h"
make_there -q src/setting.o
is $? 1 "an object is made anew when a header has changed"
touch "$scratch/build/salkpi.so"
build_there install OBJS=
is "$(find "$scratch/root" -type f -printf '%f\n' | sort)" 'salkpi--0.1.sql
salkpi.control
salkpi.so' "what is installed"
build_there uninstall
is "$(find "$scratch/root" -type f)" '' "nothing of it is left"
is "$(cd "$scratch/sources" && find . -type f | sort)" "$(<"$scratch/before")" "nothing is made beside the sources"
done_testing
