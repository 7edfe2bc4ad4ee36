# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# The part of docs/compatibility.md that is about Go, from what happened in a run: cases builds-*
# and version-* leave what they found out in build/compat/cases, those of services in
# build/compat/services.tsv.

found=$top/build/compat/cases

# remember FILE: what was found out in a case, as lines of KEY VALUE
remember() {
	mkdir -p "$found"
	cp "$1" "$found/${dir##*/}"
}

# result_of CASE: empty if it has not run
result_of() {
	local i

	for i in "${!outcome[@]}"; do
		[ "${names[i]}" != "$1" ] || echo "${outcome[i]}"
	done
}

# value CASE KEY
value() {
	sed -n "s/^$2 //p" "$found/$1"
}

# overview: a line for each build, a column for each release
overview() {
	local variant release result line

	printf '| | %s |\n' "$(printf '%s | ' "${releases[@]}" | sed 's/ | $//')"
	printf '|---|%s\n' "$(printf -- '---|%.0s' "${releases[@]}")"
	for variant in "${variants[@]}"; do
		line="| $variant"
		for release in "${releases[@]}"; do
			result=$(result_of "builds-$release-$variant")
			case $result in
			ok) result=$(value "builds-$release-$variant" rung) ;;
			'') result=- ;;
			*) result=${result%%:*} ;;
			esac
			line+=" | $result"
		done
		echo "$line |"
	done
}

details() {
	local variant release name

	cat <<-EOF
		| build | Go | offsets | checked | function table | probes on | numbers | frames | named |
		|---|---|---|---|---|---|---|---|---|
	EOF
	for variant in "${variants[@]}"; do
		for release in "${releases[@]}"; do
			name=builds-$release-$variant
			[ "$(result_of "$name")" = ok ] || continue
			printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s %% |\n' "$variant" \
				"$(value "$name" release)" "$(value "$name" rung)" \
				"$(value "$name" checked)" "$(value "$name" table)" \
				"$(value "$name" sites)" "$(value "$name" numbers)" "$(value "$name" frames)" \
				"$(awk '/^frames/ { f = $2 } /^named/ { n = $2 }
					END { print int(1000 * n / f) / 10 }' "$found/$name")"
		done
	done
}

# not_right: cases that failed or could not be run
not_right() {
	local i

	for i in "${!outcome[@]}"; do
		case ${names[i]}:${outcome[i]} in
		*:ok) ;;
		builds-* | version-* | service-*) echo "* ${names[i]} ${outcome[i]}" ;;
		esac
	done
}

list_claims() {
	local i

	for i in "${!outcome[@]}"; do
		case ${names[i]}:${outcome[i]} in
		version-*:ok) echo "* $(value "${names[i]}" claim)" ;;
		esac
	done
}

# services: the table, as it is
services() {
	local file=build/compat/services.tsv

	if [ ! -s $file ]; then
		echo 'No service was traced in this run.'
		return
	fi
	sed 's/\t/ | /g; s/^/| /; s/$/ |/' $file | sed '1{p; s/[^|]\{1,\}/---/g}'
}

# missing_releases: those that tools/go-toolchains looks for in vain
missing_releases() {
	local release

	sed -n 's/^releases=(\(.*\))$/\1/p' tools/go-toolchains | tr ' ' '\n' |
		while read -r release; do
			grep -q "^$release " build/go/versions ||
				echo "* Go $release: no toolchain could be had; it is untested."
		done
}

write_compatibility() {
	mkdir -p "$found"
	{
		cat <<-EOF
			## Go

			Written by \`make compat\` (\`tests/e2e/run --write\`, which needs root and the toolchains
			of \`tools/go-toolchains\`), from what happened in that run; \`make test\` runs the larger
			part of it, too. Linux $(uname -r), $(uname -m),
			$(nproc) CPUs; Go $(cut -d ' ' -f 2 build/go/versions | paste -sd ' ' | sed 's/ /, /g').

			### Releases and builds

			A program that does a little of everything goroutines do (\`tests/targets/mix\`) was built
			in each way with each release and recorded while it worked. Each cell says where the
			offsets of the runtime's structs came from. It stands there only if all of this holds:

			* the Go trace made of the recording has exactly as many creations, blocks, wake-ups,
			  yields, ends and system calls of each kind of goroutine as the program counted;
			* no event was lost and nothing had to be repaired;
			* \`go tool trace\` of every release that can read its header reads it;
			* at least 99 of 100 stack frames have a name;
			* the program's code, and that of its libraries, was as in the files when gscope had
			  ended, and the program ended as it was told.

		EOF
		overview
		echo
		tests/targets/build --variants | sed -E 's/^([^ ]+) +/* \1: /'
		echo
		if [ -n "$(missing_releases)$(not_right)" ]; then
			echo '### What is missing'
			echo
			missing_releases
			not_right
			echo
		fi
		echo '### What a file says of its release'
		echo
		list_claims
		echo
		echo '### Services'
		echo
		cat <<-EOF
			As Debian builds them, each traced twice under load (\`tests/e2e/run service-\`). Valid:
			\`go tool trace\` reads the traces. Healthy: it answered its clients before, meanwhile and
			afterwards, and its log has no complaint.

		EOF
		services
		echo
		cat <<-EOF
			### Every build

			Offsets: where they came from. Checked: how many of them the runtime's own code confirmed.
			Function table: where it was found. Probes on: the instructions that carry a breakpoint
			while the program is traced; a \`call\` is one of casgstatus or its like, a \`jcc\` or
			\`jmp\` follows the compare-and-swap of one that was inlined, a \`push\` is the first
			instruction of a function. Numbers: so many were compared, and were right. Frames: those of
			all different stacks.

		EOF
		details
	} >build/compat/page.md
	tools/page-part docs/compatibility.md Go <build/compat/page.md
}
