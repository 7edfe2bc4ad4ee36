# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Every release of Go in every way to build a program: what one program of a little of everything
# counted has to be in the trace.

# named_enough: 99 of 100 frames of stacks have a name
named_enough() {
	local frames named

	frames=$(sed -n 's/^frames //p' facts) named=$(sed -n 's/^named //p' facts)
	[ $((named * 100)) -ge $((frames * 99)) ] || fail "only $named of $frames frames have a name"
}

# traced_exactly: the target, which runs mix and is ready, is traced while it works
traced_exactly() {
	start_gscope record record --verbose -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	[ "$(text_bytes target)" -gt 0 ] || fail "nothing is probed: $(tail -n 1 record.err)"
	work target
	stop_gscope record
	await_intact target
	run_gscope about 0 dump --events --verbose capture.gscope
	"$tool" about "${target[target]}" about.out >facts 2>wrong || fail "$(head -c 1000 wrong)"
	quit target
	whole capture.gscope
	same_counts target capture.gscope
	"$tool" syscalls target.json <dump.out 2>wrong || fail "$(head -c 1000 wrong)"
	named_enough
	{
		echo "numbers $("$tool" numbers target.json)"
		# what gscope said of it: where the table is, how many offsets two sources agree on
		sed -nE 's/^.*: function table: .*, found (in section )?([^,]*), .*/table \2/p
			s/^.*: layout of the runtime: .*, ([0-9]+) fields, ([0-9]+) of .*/checked \2 of \1/p
			s/^.*: layout of the runtime: from its code, ([0-9]+) fields$/checked by code/p' record.err
	} >>facts
	grep -q '^table ' facts || fail "it is not said where the function table is: $(cat record.err)"
	remember facts
}

built() {
	start_target target "$1" mix "$2"
	traced_exactly
}

mapfile -t variants < <(tests/targets/build --variants | cut -d ' ' -f 1)
for release in "${releases[@]}"; do
	for variant in "${variants[@]}"; do
		[ "$release $variant" != '1.19 pgo' ] || continue # -pgo came with Go 1.20
		rare=
		case $variant in
		# the first ones compile the standard library anew, others are much like these
		trimpath | race | nl | pgo | plugin | stripall | noshdr | piestripped | carchive)
			case $release in "$oldest" | "$middle" | "$newest") ;; *) rare=-x ;; esac
			;;
		esac
		# shellcheck disable=SC2086
		add $rare "builds-$release-$variant" built "$release" "$variant"
		need "$release" mix "$variant"
	done
done

# start_claiming VARIANT VERSION: mix of the newest release says that it is of this one
start_claiming() {
	local program own

	program=$("$top/tests/targets/build" "$newest" mix "$1")
	own=go$(sed -n "s/^$newest //p" "$top/build/go/versions")
	# in the file there is room for as many characters
	printf -v claimed "%-${#own}s" "$2"
	"$tool" replace "$program" program "$own" "$claimed"
	start target ./program
	await_ready target
}

claims() {
	local own

	start_claiming "$1" "$2"
	traced_exactly
	own=$(sed -n "s/^$newest //p" "$top/build/go/versions")
	grep -q " target $claimed " about.out || fail "the capture does not say $claimed"
	echo "claim Go $own, $1, that says it is \`${claimed}\`: exact, offsets from" \
		"$(sed -n 's/^rung //p' facts)" >>facts
	remember facts
}
for variant in plain stripped; do
	add version-next-$variant claims $variant go1.28.4
	need "$newest" mix $variant
done
vendors() {
	claims plain "go$newest X"
}
add version-vendor vendors
need "$newest" mix plain
