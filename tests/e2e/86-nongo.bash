# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Programs that are not Go's: trace refuses them and says what they are, record has their threads
# and system calls.

# native NAME ARGS...: build it in the case's folder, with the flags ARGS
native() {
	gcc -O1 -pthread "${@:2}" -o "$1" "$top/tests/e2e/native.c" || fail 'cannot build native.c'
}

# shows FILE PATTERN WHAT
shows() {
	grep -Eq -- "$2" "$1" || fail "no $3 in $1"
}

# getppids CAPTURE TGID: how many of its system calls are in the dump
getppids() {
	run_gscope dump 0 dump --transitions -v "$1"
	grep -c " syscall getppid .* tgid=$2\$" dump.out || true
}

# native_recorded CAPTURE: what was recorded of target "target" is what it did
native_recorded() {
	local counted

	work target
	counted=$(cat target.json)
	stop_gscope record
	quit target
	whole "$1"
	[ "$(getppids "$1" "${target[target]}")" = "$counted" ] ||
		fail "$(getppids "$1" "${target[target]}") calls of getppid, not $counted"
}

static=(-static -no-pie)
pie=(-fPIE -pie)
native_program() {
	local -n flags=$1

	native program "${flags[@]}"
	start target ./program 4 1000
	await_ready target
	refused 3 "$dir/program is not a Go program.*gscope record -p ${target[target]}" \
		trace -p "${target[target]}" -d 1s
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	native_recorded capture.gscope
	[ "$(grep -c '' record.err)" = 2 ] || fail "record says: $(cat record.err)"
	shows record.err "^gscope: pid ${target[target]}: .*not a Go program.*no goroutines" 'warning'
	run_gscope report 0 report --top 0 capture.gscope
	shows report.out "^program .*${target[target]}.*threads and system calls only" 'header'
	shows report.out '^No goroutines: .*program is not a Go program' 'reason'
	shows report.out '^6 threads:' 'number of threads'
	[ "$(sed -n '/^Threads,/,/^$/p' report.out | grep -c ' program$')" = 6 ] ||
		fail 'not all threads have a row'
	sed -n '/^What the threads slept in/,/^$/p' report.out >slept
	shows slept ' clock_nanosleep$' 'time asleep in nanosleep'
	shows slept ' futex$' 'time asleep for the futex'
	shows slept ' read$' 'time asleep for input'
	shows report.out '^ +4000 +0 .* getppid$' 'row of all 4000 getppid'
	run_gscope export 1 export -f go -o trace.out capture.gscope
	one_line export 'no goroutines.*gscope report'
	[ ! -e trace.out ] || fail 'a trace of nothing was left'
}
add nongo-static native_program static
add nongo-pie native_program pie

# Interpreters: what is traced is the interpreter, and it is named.
shell_script() {
	cat >script <<-'END'
		#!/bin/bash
		echo "ready $$"
		read -r line
		while read -r line && [ "$line" != quit ]; do
			(exit 3)
			echo "child of $line"
		done
	END
	chmod +x script
	start target ./script
	await_ready target
	refused 3 '/bash is not a Go program' trace -p "${target[target]}" -d 1s
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	tell target go
	for _ in 1 2 3; do tell target again; done
	await 'three children' has_lines target.out 4
	tell target quit
	await_gscope record 0
	whole capture.gscope
	run_gscope report 0 report capture.gscope
	shows report.out '^script .*until it ended' 'end of the script'
	shows report.out '^1 thread:' 'single thread'
	shows report.out ' (clone|clone3|vfork)$' 'start of a child'
	shows report.out ' wait4$' 'wait for a child'
}
add nongo-script shell_script

# a program whose code is made while it runs, and one that interprets
jit() {
	local command

	for command in perl python3 java; do
		[ -n "$(type -P "$command")" ] || continue
		case $command in
		perl) start $command perl -e '$| = 1; print "ready $$\n"; select(undef, undef, undef, 0.01) while 1' ;;
		python3) start $command "$(type -P python3)" -c 'import os, time
print("ready", os.getpid(), flush=True)
while True: time.sleep(0.01)' ;;
		java)
			cat >Main.java <<-'END'
				public class Main {
					public static void main(String[] a) throws Exception {
						System.out.println("ready " + ProcessHandle.current().pid());
						while (true) Thread.sleep(10);
					}
				}
			END
			start $command java Main.java
			;;
		esac
		await_ready $command
		# what was started may have started the interpreter
		target["$command"]=$(sed -n 's/^ready //p' $command.out)
		started+=("${target[$command]}")
		refused 3 'not a Go program' trace -p "${target[$command]}" -d 1s
		run_gscope record 0 record -p "${target[$command]}" -d 500ms -o $command.gscope
		whole $command.gscope
		run_gscope report 0 report $command.gscope
		shows report.out '^No goroutines: ' 'reason'
		shows report.out ' (clock_nanosleep|p?select6?|futex)$' 'sleep by its name'
		gone "${target[$command]}" && fail "$command did not survive"
		echo "$command: $(grep -m 1 '^[0-9]* threads*:' report.out)"
	done
	[ -s perl.gscope ] || fail 'there is not even perl'
}
add nongo-interpreters jit

# Go and not Go in one capture
mixed() {
	native program "${pie[@]}"
	start target ./program 3 1000
	await_ready target
	start_target go "$newest" chans plain
	start_gscope record record -p "${target[target]}" -p "${target[go]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope 2
	work go
	native_recorded capture.gscope
	await_intact go
	quit go
	same_counts go capture.gscope
	same_counts go capture.gscope -p "${target[go]}"
	run_gscope export 1 export -f go -o x.trace -p "${target[target]}" capture.gscope
	one_line export 'that process.*no goroutines'
	run_gscope report 0 report capture.gscope
	shows report.out 'main\.receiver' 'goroutine of the Go program'
	shows report.out ' getppid$' 'system call of the other one'
}
add nongo-mixed mixed
need "$newest" chans plain

# beside the whole system
system_wide() {
	native program "${static[@]}"
	start target ./program 2 1000
	await_ready target
	start_gscope record record -a -p "${target[target]}" -d 10m --buffer 256M -o capture.gscope
	await_tracing record capture.gscope
	native_recorded capture.gscope
	run_gscope report 0 report --top 0 capture.gscope
	[ "$(grep -Ec "^ +(${target[target]} +)?[0-9]+ .* program\$" report.out)" -ge 8 ] ||
		fail 'its threads are not in both tables'
	sed -n '/^What the threads slept in/,/^$/p' report.out >slept
	shows slept ' futex$' 'time asleep for the futex'
	! grep -q '(not known)' slept || fail 'what they slept in at the start is not known'
}
add -a nongo-all system_wide

# it becomes a Go program, which is not harmed and can be traced
becomes_go() {
	native program "${pie[@]}"
	start target ./program exec "$("$top/tests/targets/build" "$newest" chans plain)"
	await_ready target
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	tell target go
	await_gscope record 0
	run_gscope report 0 report capture.gscope
	shows report.out 'until it executed another program' 'end'
	await 'the Go program' has_lines target.out 2
	start_gscope again record -p "${target[target]}" -d 10m -o again.gscope
	await_tracing again again.gscope
	tell target go
	await 'the work of the Go program' has_lines target.out 3
	sed -n 3p target.out >target.json
	stop_gscope again
	await_intact target
	quit target
	whole again.gscope
	same_counts target again.gscope
}
add nongo-becomes-go becomes_go
need "$newest" chans plain

# its children are not recorded
forks() {
	native program "${static[@]}"
	start target ./program fork 100
	await_ready target
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	native_recorded capture.gscope
	[ "$(grep -c ' syscall getppid ' dump.out)" = 1 ] || fail 'calls of the children were recorded'
}
add nongo-forks forks

# killed while it is recorded
killed_native() {
	native program "${static[@]}"
	start target ./program 2 1000000
	await_ready target
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	tell target go
	sleep 0.2
	kill -KILL "${target[target]}"
	await_gscope record 0
	whole capture.gscope
	run_gscope report 0 report capture.gscope
	shows report.out 'until it ended' 'end'
	shows report.out ' getppid$' 'system call'
}
add nongo-killed killed_native

# without its main thread a process shows neither its program nor its memory
headless() {
	native program "${pie[@]}"
	start target ./program leave 1
	await_ready target
	await 'its main thread to end' grep -q '^State:.*Z' "/proc/${target[target]}/status"
	untraceable 'main thread has ended.*record -a' "${target[target]}"
}
add nongo-headless headless

# A Go program whose runtime makes no sense: found out when everything is attached.
senseless() {
	start_target target "$newest" idle plain 10
	"$tool" poke "${target[target]}" on || fail 'cannot change the target'
	threads_only 'makes no sense' "${target[target]}"
	is_intact target || fail 'probes were left in it'
	"$tool" poke "${target[target]}" off || fail 'cannot repair the target'
	run_gscope record 0 record -p "${target[target]}" -d 200ms -o capture.gscope
	whole capture.gscope
	shows whole.out '^[1-9][0-9]* goroutines seen' 'goroutine'
	work target
	quit target
}
add nongo-senseless senseless
need "$newest" idle plain
