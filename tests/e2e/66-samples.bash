# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# CPU samples: as many as there was CPU time, each with the goroutine that used it and its stack. The
# heap: as large as the runtime says.

samples() {
	local rate=500

	start_target target "$1" cpu "$2"
	start_gscope record record --level full --sample-rate $rate -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	one_line record 'wrote capture.gscope'
	await_intact target
	whole capture.gscope
	run_gscope dump 0 dump --events --verbose capture.gscope
	"$tool" samples $rate target.json dump.out >compared 2>wrong || fail "$(head -c 1500 wrong)"
	"$tool" heap target.json dump.out >>compared 2>wrong || fail "$(head -c 1500 wrong)"
	cat compared
	[ "$2" != cgo ] ||
		grep -Eq ' sample G[0-9].* stack=\S*mix_in_c\(/.*<main\.compute\.func1\(' dump.out ||
		fail "no sample of C"
	quit target
}

# At the default level there are none.
no_samples() {
	start_target target "$1" mix plain
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	run_gscope dump 0 dump --events capture.gscope
	! grep -q ' sample ' dump.out || fail 'there are samples'
	quit target
}

# Where the kernel does not let it sample one line says so, and all else is there.
denied_samples() {
	local perf_event_open=298 real=$GSCOPE GSCOPE=$dir/denied

	printf '#!/bin/bash\nexec %q deny %d %q "$@"\n' "$tool" $perf_event_open "$real" >denied
	chmod +x denied
	start_target target "$1" mix plain
	start_gscope record record --level full -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	grep -Eq '^gscope: no CPU samples of [0-9]+ of [0-9]+ CPUs: perf_event_open is not allowed' record.err ||
		fail "gscope says: $(cat record.err)"
	whole capture.gscope
	same_counts target capture.gscope
	! grep -q ' sample ' dump.out || fail 'there are samples'
	quit target
}

for release in "${releases[@]}"; do
	case $release in
	"$oldest" | "$newest")
		add "samples-$release" samples "$release" plain
		need "$release" cpu plain
		;;
	*)
		add -x "samples-$release" samples "$release" plain
		need "$release" cpu plain
		;;
	esac
done
add "samples-$newest-cgo" samples "$newest" cgo
need "$newest" cpu cgo
add -x "samples-$newest-stripped" samples "$newest" piestripped
need "$newest" cpu piestripped
add no-samples no_samples "$newest"
need "$newest" mix plain
add denied-samples denied_samples "$newest"
need "$newest" mix plain
