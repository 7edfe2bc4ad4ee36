# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Level kernel: nothing is in the target, and what kernel events prove of its goroutines is right.

# bare_capture NAME [ARGS]: capture.gscope is the target's work, seen from outside
bare_capture() {
	start_gscope record record --level kernel -p "${target[$1]}" -d 10m -o capture.gscope "${@:2}"
	await_tracing record capture.gscope
	is_intact "$1" || fail "$(text_bytes "$1") bytes of the target's code differ while it is traced"
	work "$1"
	is_intact "$1" || fail 'the code of the target differs after its work'
	stop_gscope record
	one_line record 'wrote capture.gscope'
	quit "$1"
	whole capture.gscope
	run_gscope dump 0 dump capture.gscope
}

# calls_of FUNCTION CALL: of each goroutine that starts there how many of it, one a line
calls_of() {
	awk -v start="start=$1" -v call="$2" '
		$4 == "goroutine" && $6 == start { calls[$5] += 0 }
		$5 == "syscall" && $6 == call && $4 in calls { calls[$4]++ }
		END { for (g in calls) print calls[g] }' dump.out | sort -n
}

# each_made N COUNT FUNCTION CALL: N goroutines did it COUNT times each
each_made() {
	local made

	made=$(calls_of "$3" "$4" | uniq -c | tr -s ' \n' ' ')
	[ "$made" = " $1 $2 " ] || fail "goroutines x calls of $4 by $3 are$made, not $1 $2"
}

bare_counts() {
	local naps others

	start_target target "$1" syscalls "$2"
	bare_capture target
	each_made 4 25 main.pipeReader read
	each_made 2 10 main.pipeWriter write
	each_made 2 500 main.fileReader pread64
	each_made 2 100 main.asker getppid
	naps=$(grep -o '"nanosleep":[0-9]*' target.json | cut -d : -f 2)
	[ "$(calls_of main.napper nanosleep | awk '{ n += $1 } END { print n }')" = "$naps" ] ||
		fail "naps: $(calls_of main.napper nanosleep | paste -sd ' '), the target counts $naps"
	# nothing is told that was not seen
	! grep -Eq ' (init|create|start|block|unblock|proc-start|proc-stop) ' <(grep -v '^>' dump.out) ||
		fail 'there are transitions'
	# those that slept there, seen to
	grep -Eq ' M[0-9]+ P\S+ G[0-9]+ off-cpu took=.* stack=syscall\.\S+<syscall\.read<' dump.out ||
		fail 'no stack of a read that blocked'
	grep -q '^[0-9]* goroutines seen on threads; ' whole.out || fail 'no line about goroutines'
	grep -q '^Level kernel leaves out ' whole.out || fail 'not a word of what is left out'
	# beside their reads the runtime may wake a thread while one of them is still in its call
	others=$(calls_of main.pipeReader futex | awk '{ n += $1 } END { print n }')
	grep -Eq "^ +4 +$((100 + others)) .* main\.pipeReader$" whole.out ||
		fail 'no row of the readers'
	grep -q '^Where goroutines were when their thread left its CPU$' whole.out || fail 'no stacks'
}

# While its goroutines come and go by the thousand each is told from the one before it.
bare_short() {
	start_target target "$1" http plain
	bare_capture target
	awk '$4 == "goroutine" { split($5, g, "G"); if (g[2] in seen) twice++; seen[g[2]] = 1; n++ }
		END { exit !(n > 1) }' dump.out || fail 'no goroutines'
	! grep -q ' G? ' <(grep '^> .* sys_enter ' dump.out) || fail 'a system call of nobody'
}

bare_refusals() {
	start_target target "$newest" idle plain 10
	run_gscope refused 2 trace --level kernel -o trace.out -p "${target[target]}" -d 1s
	grep -q 'leave out -o' refused.err || fail "trace says: $(cat refused.err)"
	[ ! -e trace.out ] || fail "there is a trace"
	run_gscope bare 0 trace --level kernel -p "${target[target]}" -d 500ms
	one_line bare 'no Go trace will be written'
	grep -q '^Level kernel leaves out ' bare.out || fail 'no report'
	[ "$(head -n 1 bare.out | grep -c '^idle.* (process ')" = 1 ] || fail 'no report of the process'
	run_gscope record 0 record --level kernel -p "${target[target]}" -d 500ms -o capture.gscope
	run_gscope export 1 export -f go -o go.trace capture.gscope
	one_line export 'recorded at level kernel'
	[ ! -e go.trace ] || fail 'a trace was left'
	is_intact target || fail 'the code of the target is not as in its file'
}

# The whole system, one Go program of it bare.
bare_system() {
	start_target target "$newest" syscalls plain
	bare_capture target -a
	each_made 2 500 main.fileReader pread64
	each_made 2 100 main.asker getppid
}

for release in "${thorough[@]}"; do
	add "level-kernel-$release" bare_counts "$release" plain
	need "$release" syscalls plain
done
add "level-kernel-$newest-cgo" bare_counts "$newest" cgo
need "$newest" syscalls cgo
add "level-kernel-$newest-pie" bare_counts "$newest" pie
need "$newest" syscalls pie
add level-kernel-short bare_short "$newest"
need "$newest" http plain
add level-kernel-refusals bare_refusals
need "$newest" idle plain
add level-kernel-system bare_system
need "$newest" syscalls plain
