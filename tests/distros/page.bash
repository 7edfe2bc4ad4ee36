# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2016,SC2154
#
# What tests/distros/run has to tell: its parts of docs/compatibility.md and README.md.

# fact SUITE KEY
fact() {
	sed -n "s/^$2 //p" "build/distros/$1/facts" 2>/dev/null | grep . || echo -
}

# row TITLE KEY SUITE...
row() {
	local suite line="| $1"

	for suite in "${@:3}"; do line+=" | $(fact "$suite" "$2")"; done
	echo "$line |"
}

distros_table() {
	local suite line='|' rule='|---|'

	for suite in "$@"; do
		line+=" | $(fact "$suite" name) ($suite)"
		rule+='---|'
	done
	printf '%s |\n%s\n' "$line" "$rule"
	row commit commit "$@"
	row Linux kernel "$@"
	for key in gcc clang bpftool libbpf elfutils capstone; do row "$key" "$key" "$@"; done
	row '`make demo`' demo "$@"
	row '`make SAN=1 all`, no network' offline "$@"
	row '`make test`, end to end' 'test' "$@"
	row 'installed elsewhere' install "$@"
	row '`make O=`, a tree read-only' elsewhere "$@"
	row 'archive, no clang' archive "$@"
}

distros_page() {
	cat <<-EOF
		## Distributions

		Written by \`make distros\`, from what happened in the last run of each, $(uname -m), of the commit
		named. Each is a chroot that debootstrap made, with nothing in it but a minimal system, git, make
		and ca-certificates; warnings of compilers are errors.

	EOF
	distros_table "$@"
	cat <<-EOF

		* \`make demo\` installs what is missing, builds, and traces a Go server by its PID.
		* \`make SAN=1 all\` is without network; what it built records the whole system.
		* \`make test\` here are all unit tests, and one end-to-end case of each file.
		* The installed program (\`make install DESTDIR=\`) traces from another folder.
		* \`make O=/elsewhere\` builds a tree that is read-only, without network; without \`O=\` a line
		  says so.
		* The archive of \`make dist\` is built and traces in a folder with a space in its name, where
		  neither git nor clang nor bpftool is installed; tracefs is not mounted.
	EOF
}

# tried SUITE...: those in which README's commands do what it says, as words
tried() {
	local suite names=()

	for suite in "$@"; do
		[[ "$(fact "$suite" demo)$(fact "$suite" 'test')" == *[*-]* ]] ||
			names+=("$(fact "$suite" name)")
	done
	case ${#names[@]} in
	0) echo 'Nowhere yet' ;;
	1) echo "On ${names[0]}" ;;
	*) echo "On $(printf '%s, ' "${names[@]::${#names[@]}-1}" | sed 's/, $//') and ${names[-1]}" ;;
	esac
}

# write_pages: from all suites that a whole run has left facts of
write_pages() {
	local suite

	set --
	for suite in "${known[@]}"; do
		[ ! -s "build/distros/$suite/facts" ] || set -- "$@" "$suite"
	done
	distros_page "$@" | tools/page-part docs/compatibility.md distributions
	# README names all of them, or stays as it is
	if [ $# -lt ${#known[@]} ]; then
		say "README.md is written when all of ${known[*]} have been tried"
		return
	fi
	echo "$(tried "$@") (\`make distros\`), with nothing installed but git and make:" |
		tools/page-part README.md tried
}
