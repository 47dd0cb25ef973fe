# shellcheck shell=bash
# tools.sh - what dev needs of PostgreSQL and of other packages: sourced, not run

major_of() { "$1" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'; }

# Has this pg_config's PostgreSQL all that is needed to build and test?
usable() {
	[ -x "$1" ] &&
		[ -f "$("$1" --pgxs)" ] &&
		[ -f "$("$1" --includedir-server)/postgres.h" ] &&
		[ -x "$("$1" --bindir)/initdb" ] &&
		[ "$(major_of "$1")" -ge "$oldest" ]
}

# Sets pg_config, or fails.
find_postgres() {
	local candidate

	if [ -n "${PG_CONFIG:-}" ]; then
		pg_config=$(command -v "$PG_CONFIG") || die "PG_CONFIG=$PG_CONFIG is not a program"
		usable "$pg_config" ||
			die "PG_CONFIG=$PG_CONFIG: needs a PostgreSQL $oldest or later with its server, headers and PGXS"
		return
	fi
	while IFS= read -r candidate; do
		pg_config=$candidate
		usable "$pg_config" && return
	done < <(
		printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV
		command -v pg_config
	)
	return 1
}

# The major that the distribution's package "postgresql" stands for.
packaged_major() {
	apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p'
}

# Quiet, unless it fails.
apt_get() {
	local output

	output=$(DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@" 2>&1) || {
		printf '%s\n' "$output" | tail -n 20 >&2
		return 1
	}
}

# The lists may be missing or old: fetch them when, and only when, that shows.
apt_install() {
	local install=(install -y --no-install-recommends "$@")

	apt_get "${install[@]}" 2>/dev/null || { apt_get update && apt_get "${install[@]}"; }
}

# Debian's server package creates and starts a cluster when first installed.
# Its own setting prevents that, for just this moment.
cluster_conf=/etc/postgresql-common/createcluster.conf
cluster_mark='# salkpi dev, while it installs'

forbid_clusters() { echo "create_main_cluster = false	$cluster_mark" >>"$cluster_conf"; }

allow_clusters() {
	! grep -qs "$cluster_mark" "$cluster_conf" || [ ! -w "$cluster_conf" ] || sed -i "/$cluster_mark/d" "$cluster_conf"
}

install() {
	local status=0

	if [[ $* == *postgresql-* ]]; then
		apt_install postgresql-common || return
		forbid_clusters
	fi
	apt_install "$@" || status=$?
	allow_clusters
	return "$status"
}

# The packages with server and headers of the distribution's own major, "NN" as
# long as apt has no lists.
server_packages() {
	local major

	major=$(packaged_major)
	[ "${major:-$oldest}" -ge "$oldest" ] ||
		die "this release packages PostgreSQL $major, and salkpi needs $oldest or later:" \
			"please install one with its server headers"
	echo "postgresql-${major:-NN} postgresql-server-dev-${major:-NN}"
}

# Sets missing to the packages to install, or pg_config.
find_missing() {
	local packages

	missing=()
	if ! find_postgres; then
		command -v apt-get >/dev/null ||
			die "please install PostgreSQL $oldest or later with its server headers, gcc and make"
		packages=$(server_packages) || exit 1
		read -ra missing <<<"$packages"
	fi
	command -v make >/dev/null || missing+=(make)
	if ! command -v gcc >/dev/null || [ ! -e /usr/include/stdio.h ]; then
		missing+=(gcc libc6-dev)
	fi
}

# Sets pg_config, having installed what is missing.  Two runs take turns, since
# apt doesn't wait for another's download.
require_tools() {
	local missing lock

	find_missing
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || die "please have root say: apt-get install ${missing[*]}"
	exec {lock}</var/lib/dpkg
	flock "$lock"
	find_missing
	if [[ ${missing[*]} == *-NN* ]]; then
		apt_get update || die "could not fetch the lists of packages"
		find_missing
	fi
	if [ ${#missing[@]} -gt 0 ]; then
		say "installing ${missing[*]}"
		install "${missing[@]}" || die "could not install ${missing[*]}"
		find_postgres || die "there is no usable PostgreSQL although it is installed"
	fi
	exec {lock}<&-
}

# What single tests want; where it can't be had they say so and are skipped.
install_optional() {
	local lock

	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
	exec {lock}</var/lib/dpkg
	flock "$lock"
	dpkg -s "$@" >/dev/null 2>&1 || apt_install "$@" 2>/dev/null || true
	exec {lock}<&-
}

drop_root() {
	local user=postgres

	[ "$(id -u)" = 0 ] || return 0
	id -u postgres >/dev/null 2>&1 || user=nobody
	drop=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups --)
}
