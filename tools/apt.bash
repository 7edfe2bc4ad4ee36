# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash
#
# Package lists of our own, for tools/setup, tools/go-toolchains and tools/services: suites the
# machine does not use are read without touching its apt configuration or lists.
# Where to download from is taken from the machine's own apt sources.

# apt_repositories: one "URI|suite" per package source this machine uses
apt_repositories() {
	# shellcheck disable=SC2016 # the variables are apt's
	apt-get indextargets --no-release-info --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)' \
		'Created-By: Packages' 2>/dev/null | sed -n 's/|main$//p' | sort -u
}

# apt_debian_mirror: URI of the Debian archive; fails if there is none in the apt sources.
# A machine of another distribution can name one in the environment.
apt_debian_mirror() {
	local uri suite

	if [ -n "${DEBIAN_MIRROR-}" ]; then
		echo "$DEBIAN_MIRROR"
		return 0
	fi
	while IFS='|' read -r uri suite; do
		case $suite in
		bookworm | trixie | forky | sid | stable | testing | unstable)
			echo "${uri%/}"
			return 0
			;;
		esac
	done < <(apt_repositories)
	return 1
}

# apt_source URI SUITE...: print the source entry for suites of a Debian archive
apt_source() {
	local uri=$1 keyring

	shift
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$*"
	for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		if [ -r "$keyring" ]; then
			printf 'Signed-By: %s\n' "$keyring"
			break
		fi
	done
}

# apt_private DIR: make DIR hold lists and downloads; source files go to DIR/sources.
# Afterwards every apt command of this shell works there, on the system's own package database.
apt_private() {
	local dir=$1

	mkdir -p "$dir"/{state/lists/partial,cache/archives/partial,sources,download}
	chmod 755 "$dir"
	if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
		chown _apt "$dir"/{state/lists/partial,cache/archives/partial,download}
	fi
	cat >"$dir/apt.conf" <<-EOF
		Dir::State "$dir/state";
		Dir::State::status "/var/lib/dpkg/status";
		Dir::State::extended_states "/var/lib/apt/extended_states";
		Dir::Cache "$dir/cache";
		Dir::Etc::SourceList "/dev/null";
		Dir::Etc::SourceParts "$dir/sources";
		Acquire::Languages "none";
		Acquire::Retries "3";
		#clear APT::Update::Post-Invoke-Success;
	EOF
	export APT_CONFIG=$dir/apt.conf
}

# apt_own_sources DIR: let the machine's own sources be read there, too
apt_own_sources() {
	local file

	for file in /etc/apt/sources.list.d/*.{list,sources}; do
		[ ! -r "$file" ] || ln -s "$file" "$1/sources/"
	done
	[ ! -r /etc/apt/sources.list ] || ln -s /etc/apt/sources.list "$1/sources/main.list"
}
