# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2153
#
# What a target says of itself costs a bounded time and a bounded memory, true or not.

most_kb=$((250 * 1024))

# peak_gscope NAME ARGS...: it succeeds, in that much memory
peak_gscope() {
	local name=$1 kb

	shift
	timeout "$patience" "$tool" peak "$GSCOPE" "$@" >"$name.kb" 2>"$name.err" || fail "$name: $(head -n 1 "$name.err")"
	kb=$(cat "$name.kb")
	[ "$kb" -le $most_kb ] || fail "$name takes $kb kB, not at most $most_kb"
}

# a million goroutines that wait
many() {
	local n

	start_target target "$1" many plain 1000000
	peak_gscope trace trace --max-overhead off -p "${target[target]}" -d 1s -o trace.out
	await_intact target
	# the strict reader takes it, and has them all
	n=$(events_of trace.out | grep -c 'GoID=[0-9]* Undetermined->Waiting') || true
	[ "$n" -ge 1000000 ] || fail "$n goroutines wait in the trace"
	peak_gscope record record --max-overhead off -p "${target[target]}" -d 1s -o capture.gscope
	peak_gscope export export -f go -o export.trace capture.gscope
	peak_gscope report report capture.gscope
	run_gscope report 0 report capture.gscope
	grep -Eq '^100[0-9]{4} goroutines seen: ' report.out || fail 'the report does not have a million goroutines'
	n=$("$GSCOPE" dump --transitions capture.gscope | grep -c ' init .*main\.parked') || true
	[ "$n" = 1000000 ] || fail "$n of 1000000 goroutines are in the dump"
	kill -KILL "${target[target]}"
}
add "million-$newest" many "$newest"
need "$newest" many plain

# lie RELEASE PATTERN KIND [NUMBER]: one line says what makes no sense, soon and in little memory
lie() {
	local began

	start_target target "$1" lies plain "${@:3}"
	began=$SECONDS
	timeout "$patience" "$GSCOPE" trace -p "${target[target]}" -d 1s -o go.trace >trace.log 2>trace.err </dev/null &
	gscope[trace]=$!
	await_gscope trace 3
	one_line trace "$2"
	[ ! -e go.trace ] || fail "there is a trace of it"
	[ $((SECONDS - began)) -lt 30 ] || fail "it took $((SECONDS - began)) s"
	await_intact target
	# its threads and system calls can be recorded all the same
	peak_gscope record record -p "${target[target]}" -d 200ms -o capture.gscope
	run_gscope report 0 report capture.gscope
	await_intact target
	work target
	run_gscope truth 0 record -p "${target[target]}" -d 200ms -o truth.gscope
	quit target
}
add lies-many lie 1.22 'makes.no.sense' many 60000000
add lies-nowhere lie 1.22 'makes.no.sense' nowhere
add lies-round lie 1.22 'runtime\.allm.makes.no.sense' round
for _ in many nowhere round; do need 1.22 lies plain; done

# the same goroutine two million times takes its time, which Ctrl-C ends
lie_stopped() {
	local began

	start_target target 1.22 lies plain same 2000000
	start_gscope trace trace -p "${target[target]}" -d 10m -o go.trace
	await 'probes to be in it' has_probes
	began=$SECONDS
	kill -INT "${gscope[trace]}"
	await_gscope trace 130
	grep -q 'interrupted while the state of' trace.err || fail "it was not interrupted: $(cat trace.err)"
	[ $((SECONDS - began)) -lt 20 ] || fail "it took $((SECONDS - began)) s"
	[ ! -e go.trace ] || fail "there is a trace of it"
	await_intact target
	peak_gscope whole trace -p "${target[target]}" -d 200ms -o trace.out
	accept trace.out
	work target
	quit target
}
has_probes() { ! is_intact target; }
add lies-same lie_stopped
need 1.22 lies plain

# nothing in a name that a terminal would obey gets there: neither by -v nor by a message nor by the report
escapes() {
	local program odd

	program=$("$top/tests/targets/build" "$newest" idle plain)
	odd=$dir/$'a\e]0;b\x9bc\nd\u202ee'
	cp "$program" "$odd"
	start target "$odd"
	await_ready target
	run_gscope verbose 0 record -v -p "${target[target]}" -d 200ms -o capture.gscope
	run_gscope report 0 report capture.gscope
	run_gscope dump 0 dump capture.gscope
	grep -q 'probes go to .*/a?]0;b?c?d?e' verbose.err || fail "-v does not name the program: $(cat -v verbose.err)"
	! LC_ALL=C grep -q $'[\e\x9b]\|\xe2\x80\xae' verbose.err report.out dump.out ||
		fail 'what a terminal would obey is written as it is'
	! grep -q '^d' verbose.err || fail 'a name begins a line'
	work target
	quit target
}
add escapes escapes
need "$newest" idle plain
