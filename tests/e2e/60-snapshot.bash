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
