# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# The process that removes probes when gscope is killed, and what `gscope detach` does where it could not.

# it takes its name a moment after it has begun
guardian() {
	await 'a process that removes probes' pgrep -P "${gscope[record]}" guardian
	pgrep -P "${gscope[record]}" guardian
}

start_probed() {
	start_gscope record record -p "${target[$1]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	! is_intact "$1" || fail 'no breakpoint is in the target while it is traced'
}

# gscope is killed at many moments, some of them chosen for what the kernel is doing then
guardian_kills() {
	start_load server "$newest"
	"$tool" kills "$GSCOPE" "${target[server]}" "${SOAK_KILLS:-40}" 1 >killed 2>wrong ||
		fail "$(head -c 1000 wrong)"
	cat killed
	answers
}
add guardian-kills guardian_kills
need "$newest" http plain

# Killed itself it is replaced, and gscope can be killed then.
guardian_killed() {
	start_load server "$newest"
	start_probed server
	kill -KILL "$(guardian)"
	await 'another guardian' grep -q 'another one has taken its place' record.err
	guardian >second
	kill -KILL "${gscope[record]}"
	await_gscope record 137
	await_intact server
	await 'the guardian to end' gone "$(cat second)"
	answers
}
add guardian-killed guardian_killed
need "$newest" http plain

# guardian_ends SIGNAL: just before gscope ends
guardian_ends() {
	local pid

	start_load server "$newest"
	start_probed server
	pid=$(guardian)
	kill "-$1" "$pid"
	stop_gscope record
	is_intact server || fail 'breakpoints are there when gscope has ended'
	gone "$pid" || fail 'the guardian is there when gscope has ended'
	whole capture.gscope
	answers
}
for signal in KILL STOP TERM INT; do
	add "guardian-ends-$signal" guardian_ends $signal
	need "$newest" http plain
done

# What goes by names of processes does not end it; and it keeps no output open.
guardian_apart() {
	local pid

	start_target target "$newest" chans plain
	start_probed target
	pid=$(guardian)
	! grep -a gscope "/proc/$pid/comm" "/proc/$pid/cmdline" || fail 'it is called like gscope'
	[ "$(ps -o sid= -p "$pid")" != "$(ps -o sid= -p "${gscope[record]}")" ] ||
		fail 'it is in the same session'
	stop_gscope record
	run piped 0 bash -c "'$GSCOPE' record -p ${target[target]} -d 100ms -o - | wc -c"
	[ "$(cat piped.out)" -gt 1000 ] || fail 'nothing came out of the pipe'
	await_intact target
	work target
	quit target
}
add guardian-apart guardian_apart
need "$newest" chans plain

# A breakpoint that nobody removes. Nothing calls the function.
detach_breakpoint() {
	start_target target "$newest" chans plain
	"$tool" break "${target[target]}" runtime.badmorestackg0
	! is_intact target || fail 'there is no breakpoint'
	start debugger "$tool" seize "${target[target]}"
	await 'the debugger' grep -q "^TracerPid:.*\b${target[debugger]}\b" "/proc/${target[target]}/status"
	run_gscope detach 3 detach -p "${target[target]}"
	one_line detach "is traced by process ${target[debugger]}, a debugger"
	! is_intact target || fail 'a breakpoint was removed under a debugger'
	kill -KILL "${target[debugger]}"
	await 'the debugger to be gone' grep -q '^TracerPid:[[:space:]]*0$' "/proc/${target[target]}/status"
	run_gscope detach 0 detach -p "${target[target]}"
	grep -q "^removed 1 breakpoint from process ${target[target]} " detach.out ||
		fail "detach says: $(cat detach.out)"
	is_intact target || fail 'the breakpoint is there still'
	run_gscope detach 0 detach -p "${target[target]}"
	grep -q 'there is nothing of gscope' detach.out || fail "detach says: $(cat detach.out)"
	work target
	quit target
}
add detach-breakpoint detach_breakpoint
need "$newest" chans plain

# The probes of one that is tracing stay, and miss nothing.
detach_beside() {
	start_target target "$newest" chans plain
	start_probed target
	"$tool" break "${target[target]}" runtime.badmorestackg0
	run_gscope detach 0 detach -p "${target[target]}"
	grep -q '^removed 1 breakpoint ' detach.out || fail "detach says: $(cat detach.out)"
	grep -Eq '^[1-9][0-9]* breakpoints .*of a tracer that is at work' detach.out ||
		fail "detach says: $(cat detach.out)"
	work target
	stop_gscope record
	await_intact target
	quit target
	whole capture.gscope
	same_counts target capture.gscope
}
add detach-beside detach_beside
need "$newest" chans plain
