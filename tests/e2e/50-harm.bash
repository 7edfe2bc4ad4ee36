# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Whatever becomes of gscope, the target goes on as before.

# programs NAME: the BPF programs that a gscope holds
programs() {
	grep -h '^prog_id:' "/proc/${gscope[$1]}/fdinfo"/* | sort -u
}

no_program() {
	local id

	while read -r _ id; do
		! bpftool prog show id "$id" || return 1
	done <"$1"
}

# has_work CAPTURE: which is being written
has_work() {
	[ "$("$GSCOPE" dump --transitions "$1" | grep -c -m 1 ' G[0-9]* start ')" = 1 ]
}

gscope_killed() {
	start_target target "$1" http plain 1000000000
	address=$(sed -n '1s/^ready [0-9]* //p' target.out)
	tell target go
	start load "$tool" load "$address" 4
	await 'the server to answer' "$tool" get "$address"
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	[ "$(text_bytes target)" -gt 0 ] || fail 'no breakpoint is in the target while it is traced'
	programs record >held
	[ -s held ] || fail 'no BPF program is there while gscope traces'
	await 'a chunk of its work to be on disk' has_work capture.gscope
	kill -KILL "${gscope[record]}"
	await_gscope record 137
	await_intact target
	await 'the BPF programs to be gone' no_program held
	"$tool" get "$address" || fail 'the server no longer answers'
	run_gscope report 0 report capture.gscope
	run_gscope export 0 export -f go -o trace.out capture.gscope
	accept trace.out
	events_of trace.out >parsed
	grep -q "GoID=.*Running->" parsed || fail "what was captured is lost"
	# and it can be traced again
	run_gscope again 0 record -p "${target[target]}" -d 200ms -o again.gscope
	await_intact target
	whole again.gscope
	"$tool" get "$address" || fail 'the server no longer answers'
}
for release in "$oldest" "$newest"; do
	add "gscope-killed-$release" gscope_killed "$release"
	need "$release" http plain
done

# many captures in a row, and ones that end while they begin
again_and_again() {
	local i

	start_target target "$newest" http plain 1000000000
	address=$(sed -n '1s/^ready [0-9]* //p' target.out)
	tell target go
	start load "$tool" load "$address" 4
	for i in 0 1 2 3 4 5 6 7; do
		start_gscope "record$i" record -p "${target[target]}" -d 10m -o "$i.gscope"
		sleep "0.$i"
		kill -INT "${gscope[record$i]}"
		await_gscope "record$i" 130
		await_intact target
	done
	"$tool" get "$address" || fail 'the server no longer answers'
}
add again-and-again again_and_again
need "$newest" http plain
