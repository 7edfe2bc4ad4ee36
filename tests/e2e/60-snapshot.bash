# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Goroutines that do nothing are in the trace all the same.

snapshot() {
	local n

	start_target target "$1" idle plain 10000
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	stop_gscope record
	await_intact target
	whole capture.gscope
	run_gscope export 0 export -f go -o trace.out capture.gscope
	accept trace.out
	run_gscope dump 0 dump --transitions capture.gscope
	n=$(events_of trace.out | "$tool" waiting main.parked dump.out)
	[ "$n" = 10000 ] || fail "$n of 10000 goroutines wait in the trace"
	run_gscope report 0 report capture.gscope
	grep -Eq 'main\.parked.*\b10[,.]?000\b|\b10[,.]?000\b.*main\.parked' report.out ||
		fail 'the report does not have 10000 goroutines'
	work target
	quit target
}
for release in "$oldest" "$middle" "$newest"; do
	add "snapshot-$release" snapshot "$release"
	need "$release" idle plain
done

# edges RELEASE VARIANT [ARGS]: known states at the beginning and at the end, then what ends them
edges() {
	start_target target "$1" edges "$2" "${@:3}"
	start_gscope before record -p "${target[target]}" -d 10m -o before.gscope
	await_tracing before before.gscope
	stop_gscope before
	record_work target
	whole capture.gscope
	same_counts target capture.gscope
	whole before.gscope
	run_gscope export 0 export -f go -o before.trace before.gscope
	accept before.trace
	run_gscope before 0 dump --transitions before.gscope
	mv before.out before.dump
	events_of before.trace | "$tool" states target.json before.dump 2>wrong ||
		fail "$(head -c 1000 wrong)"
}
for release in "${releases[@]}"; do
	case " ${thorough[*]} " in *" $release "*) variant=cgo ;; *) variant=plain ;; esac
	add "edges-$release" edges "$release" $variant
	need "$release" edges $variant
	[ $variant = plain ] || add "edges-busy-$release" edges "$release" $variant busy
done

# storm RELEASE KIND TIMES: the runtime is at something of its own whenever the tracing begins and
# ends; most of the time a collection is under way, so that a few more traces hit one for sure
storm() {
	local i=0 amid=''

	[ "$2" = gc ] || amid=whatever
	start_target target "$1" storm plain "$2"
	until [ $i -ge "$3" ] && [ -n "$amid" ]; do
		[ $i -lt 50 ] || fail 'no trace begins in the middle of a collection'
		i=$((i + 1))
		run_gscope record 0 record -p "${target[target]}" -d 20ms -o "$i.gscope"
		[ -n "$amid" ] || ! begins_amid "$i.gscope" || amid=$i
	done
	record_work target
	for i in *.gscope; do
		whole "$i"
		same_counts_or_states "$i"
	done
}

# begins_amid CAPTURE: it says whether a collection was under way; one was, and the trace has it
begins_amid() {
	run_gscope dump 0 dump --events "$1"
	[ "$(grep -Ec ' snap_gc (marking|off)$' dump.out)" = 1 ] || fail "$1 does not say whether there was a collection"
	grep -q ' snap_gc marking$' dump.out || return 1
	run_gscope export 0 export -f go -o trace.out "$1"
	events_of trace.out >parsed || fail "go tool trace does not accept $1"
	grep -q 'RangeActive .*"GC concurrent mark phase"' parsed
}

# same_counts_or_states CAPTURE: the target's numbers, or its states if it had ended before the work
same_counts_or_states() {
	if [ "$1" = capture.gscope ]; then
		same_counts target "$1"
		return
	fi
	run_gscope export 0 export -f go -o trace.out "$1"
	[ "$1" != 1.gscope ] || accept trace.out
	run_gscope dump 0 dump --transitions "$1"
	events_of trace.out >parsed || fail "go tool trace does not accept $1"
	"$tool" states target.json dump.out <parsed 2>wrong || fail "$1: $(head -c 1000 wrong)"
}
for release in "${releases[@]}"; do
	times=1 rare=-x
	case $release in
	"$newest") times=7 rare='' ;; # of each kind
	"$oldest" | "$middle") rare='' ;;
	esac
	for kind in gc stw trace; do
		# shellcheck disable=SC2086
		add $rare "storm-$kind-$release" storm "$release" $kind $times
		need "$release" storm plain
	done
done
