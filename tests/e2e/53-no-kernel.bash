# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Goroutines alone (--no-kernel): the same counts as with the kernel's events, without any of those,
# and system calls that nobody sees make no contradiction.

# no_kernel ENGINE RELEASE PROGRAM VARIANT
no_kernel() {
	start_target target "$2" "$3" "$4"
	start_gscope record record -p "${target[target]}" -d 10m --no-kernel --probes "$1" \
		-o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	one_line record 'wrote capture.gscope'
	await_intact target
	quit target
	whole capture.gscope
	[ "$1" != inline ] || grep -Eq '^[1-9][0-9]* calls were redirected; ' whole.out ||
		fail 'no call was redirected'
	no_kernel_told whole.out
	same_counts target capture.gscope
	run_gscope events 0 dump --events capture.gscope
	grep -q ' ready tgid=[0-9]* no-kernel$' events.out || fail 'the capture does not say what it has not'
	! grep -Em 1 '^[^ ]+ \S+ (switch|wakeup|sys_enter|sys_exit) ' events.out ||
		fail 'the kernel was asked all the same'
}

# no_kernel_told REPORT: it says what is not recorded, and has no figures of that
no_kernel_told() {
	grep -qx 'kernel: not recorded (--no-kernel): no system calls, no waits for a CPU' "$1" ||
		fail 'the report does not say what is not recorded'
	! grep -Em 1 'off CPU|on CPUs|switch(es)? to another|^System calls|Who took the CPU' "$1" ||
		fail 'the report has figures of what was not recorded'
}

# no_kernel_of [-x] RELEASE PROGRAM VARIANT: by both engines
no_kernel_of() {
	local engine rare=

	[ "$1" != -x ] || { rare=-x && shift; }
	for engine in inline uprobe; do
		add $rare "no-kernel-$engine-$1-$2-$3" no_kernel $engine "$1" "$2" "$3"
		need "$1" "$2" "$3"
	done
}

for release in "${releases[@]}"; do
	case " ${thorough[*]} " in
	*" $release "*) no_kernel_of "$release" syscalls plain ;;
	*) no_kernel_of -x "$release" syscalls plain ;;
	esac
	# not gc: see 52-inline.bash
	for program in chans corners http mutex short timers mix; do
		no_kernel_of -x "$release" $program plain
	done
	no_kernel_of -x "$release" corners cgo
	no_kernel_of -x "$release" cgo cgo
done

# the trace, and what is printed with it
no_kernel_trace() {
	start_load server "$1"
	run_gscope traced 0 trace -p "${target[server]}" -d 1s --no-kernel --probes inline -o go.trace
	await_intact server
	no_kernel_told traced.out
	! grep -A 5 'repaired' traced.out || fail 'there are contradictions'
	accept go.trace
}

# a budget is kept by windows, however rare they are: without them there would be nothing
no_kernel_budget() {
	start_target target "$newest" busy plain
	start_gscope record record -p "${target[target]}" -d 10m --no-kernel --max-overhead 0.5% \
		-o capture.gscope
	await_tracing record capture.gscope
	await_step capture.gscope 'no-stacks->windows'
	work target
	sleep 3
	stop_gscope record
	await_intact target
	quit target
	run_gscope dump 0 dump --events capture.gscope
	! grep -m 1 ' shed step windows->kernel ' dump.out || fail 'it went on without probes'
	run_gscope report 0 report capture.gscope
	! grep -q 'contradiction' report.out || fail "$(grep -A 5 contradiction report.out | tr -s '\n ' ' ')"
	run_gscope export 0 export -f go -o trace.out capture.gscope
	accept trace.out
}

# Without goroutines nothing is left.
no_kernel_refusals() {
	local command

	start plain sleep 1000
	for command in trace record; do
		run_gscope refused 2 $command -p "${target[plain]}" -d 1s --no-kernel -o none
		one_line refused "pid ${target[plain]}: .*--no-kernel leaves nothing to record"
		[ ! -e none ] || fail "$command left a file"
	done
}
add no-kernel-trace no_kernel_trace "$newest"
need "$newest" http plain
add no-kernel-budget no_kernel_budget
need "$newest" busy plain
add no-kernel-refusals no_kernel_refusals
