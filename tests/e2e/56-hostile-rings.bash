# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# A target that writes into the memory its redirected calls write into (tests/targets/hostile), beside one
# that does not: gscope ends in time, says which one it was, and has all of the other.

# start_hostile MODE
start_hostile() {
	start hostile setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$("$top/tests/targets/build" "$newest" hostile plain)" "$1"
	await_ready hostile
}

# ends_soon NAME: gscope, which was told to
ends_soon() {
	local end=$((SECONDS + 60))

	until gone "${gscope[$1]}"; do
		[ $SECONDS -lt $end ] || fail "gscope $1 does not end"
		sleep 0.1
	done
}

# hostile_rings MODE NAMED: what it writes; whether that can be seen
hostile_rings() {
	local line lost

	start_target honest "$newest" chans plain
	start_hostile "$1"
	start_gscope record record -p "${target[honest]}" -p "${target[hostile]}" -d 10m --probes inline \
		-o capture.gscope
	await_tracing record capture.gscope 2
	await 'it to write into the rings' has_lines hostile.out 2
	sleep 0.5
	work honest
	sleep 0.5
	kill -INT "${gscope[record]}"
	ends_soon record
	await_gscope record 130
	await_intact honest
	run_gscope report 0 report capture.gscope
	line=$(grep "^WARNING: process ${target[hostile]} (hostile-plain) has written into the memory" report.out) ||
		[ "$2" = no ] || fail 'the report does not say who it was'
	! grep -q "^WARNING: process ${target[honest]}" report.out || fail 'the report blames another one'
	[ -z "$line" ] || grep -q "^gscope: pid ${target[hostile]} writes into the memory" record.err ||
		fail 'gscope does not say it at once'
	[ -z "$line" ] || ! grep -q '^No event was lost' report.out || fail 'it was lost without a word'
	# a process has no more than all the CPU time there is: 100,000,000 a second, and there are seconds
	lost=$(sed -n 's/^WARNING: \([0-9]*\) events* w[a-z]* lost.*/\1/p' report.out)
	[ "${#lost}" -le 11 ] || fail "$lost events were lost"
	! grep -Eq '[0-9]{5,}(\.[0-9]+)?%' report.out || fail "the report has $(grep -Eo '[0-9]{5,}[.0-9]*%' report.out)"
	same_counts honest capture.gscope -p "${target[honest]}"
	quit honest
}
for mode in garbage records times heads counters busy flood; do
	add "hostile-$mode" hostile_rings $mode yes
	need "$newest" chans plain
	need "$newest" hostile plain
done
for mode in header tails; do
	add "hostile-$mode" hostile_rings $mode no
	need "$newest" chans plain
	need "$newest" hostile plain
done

# With a budget the other one is not throttled for what this one says.
hostile_budget() {
	start_target honest "$newest" chans plain
	start_hostile counters
	start_gscope record record -p "${target[honest]}" -p "${target[hostile]}" -d 10m --probes inline \
		--max-overhead 25% --no-kernel -o capture.gscope
	await_tracing record capture.gscope 2
	await 'it to write into the rings' has_lines hostile.out 2
	sleep 1.5
	stop_gscope record
	run_gscope dump 0 dump --events capture.gscope
	# its own it may lose: what it does is dear enough
	! grep -Eq " T(0|${target[honest]}) shed (step|probes-off)" dump.out || fail 'the other one is throttled'
	grep -q " T${target[honest]} shed summary level=all " dump.out || fail 'no summary of the other one'
	work honest
	quit honest
}
add hostile-budget hostile_budget
need "$newest" chans plain
need "$newest" hostile plain
