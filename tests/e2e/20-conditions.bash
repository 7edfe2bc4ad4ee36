# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Captures that begin and end at awkward moments: what comes out is a trace that go tool trace
# accepts, and what is missing is said.

# something_in TRACE: it is accepted, and goroutines do something in it
something_in() {
	accept "$1"
	events_of "$1" >parsed
	grep -q 'GoID=.*Running->' parsed || fail "nothing happens in $1"
}

# go_trace CAPTURE [ARGS]: CAPTURE.trace is what export makes of it
go_trace() {
	run_gscope "export-$1" 0 export -f go -o "$1.trace" "$@"
	something_in "$1.trace"
}

# start_load NAME RELEASE [VARIANT]: a server at $address and those who keep it busy
start_load() {
	start_target "$1" "$2" http "${3-plain}" 1000000000
	address=$(sed -n '1s/^ready [0-9]* //p' "$1.out")
	tell "$1" go
	start "load-$1" "$tool" load "$address" 4
	answers
}

answers() {
	await 'the server to answer' "$tool" get "$address"
}

loaded() {
	start_load server "$1"
	start_gscope record record -p "${target[server]}" -d 300ms -o capture.gscope
	await_gscope record 0
	await_intact server
	answers
	whole capture.gscope
	go_trace capture.gscope
	run_gscope report 0 report capture.gscope
	grep -q 'net/http' report.out || fail 'the report has no goroutine of the server'
}
for release in "${thorough[@]}"; do
	add "load-$release" loaded "$release"
	need "$release" http plain
done

interrupted() {
	start_load server "$newest"
	start_gscope live trace -p "${target[server]}" -d 10m -o trace.out
	await_tracing live
	answers
	kill "-$1" "${gscope[live]}"
	await_gscope live 130
	await_intact server
	answers
	something_in trace.out
	grep -q 'net/http' live.out || fail 'the report has no goroutine of the server'
}
for signal in INT TERM HUP; do
	add "interrupted-$signal" interrupted $signal
	need "$newest" http plain
done

# a second Ctrl-C ends gscope at once, whatever it is at
interrupted_twice() {
	start_load server "$newest"
	start_gscope record record -p "${target[server]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	kill -INT "${gscope[record]}"
	kill -INT "${gscope[record]}" 2>/dev/null || true
	await_gscope record 130
	await_intact server
	answers
}
add interrupted-twice interrupted_twice
need "$newest" http plain

# The target ends by itself, which ends the tracing.
leaves() {
	start target "$tool" leave
	await_ready target
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	tell target go
	await_gscope record 0
	whole capture.gscope
	go_trace capture.gscope
}
add target-exits leaves

killed() {
	start_load server "$1"
	start_gscope record record -p "${target[server]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	answers
	kill -KILL "${target[server]}"
	await_gscope record 0
	whole capture.gscope
	go_trace capture.gscope
}
for release in "$oldest" "$newest"; do
	add "target-killed-$release" killed "$release"
	need "$release" http plain
done

# The target becomes another program, which has no breakpoint and works as if nothing were.
execs() {
	local next

	next=$("$top/tests/targets/build" "$newest" chans plain)
	start target "$tool" exec "$next"
	await_ready target
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	tell target go
	await 'the second program' has_lines target.out 2
	await_gscope record 0
	whole capture.gscope
	go_trace capture.gscope
	run_gscope dump 0 dump --transitions capture.gscope
	[ "$(grep -c ' G[0-9]* exit ' dump.out)" = 100 ] || fail 'not all goroutines exit before'
	# who runs becomes the other program, by a system call that Go is not told of, and that is the end
	grep -A 1 ' gone: exec$' dump.out | tail -n 1 | grep -q ' end: ' ||
		fail 'the target does not end as it becomes another program'
	grep -E ' G[0-9]+ [a-z-]+( |$)' dump.out | grep -v ' thread-' | tail -n 1 | grep -q ' G1 start ' ||
		fail 'who becomes the other program does not run'
	await_intact target
	tell target go
	await 'the work of the second program' has_lines target.out 3
	quit target
}
add target-execs execs
need "$newest" chans plain

# The target has been started and has done nothing so far: gscope waits for a moment, and says so.
starts() {
	local program

	program=$("$top/tests/targets/build" "$newest" chans plain)
	start outer "$tool" halt "$program"
	await 'the target' has_lines outer.out 1
	target[target]=$(sed -n 's/^halted //p' outer.out)
	started+=("${target[target]}")
	run_gscope trace 3 trace -p "${target[target]}" -d 1s -o none
	one_line trace 'has not begun to run.*gscope record -p'
	[ ! -e none ] || fail 'a trace was left'
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	kill -CONT "${target[target]}"
	await 'the target to be ready' has_lines outer.out 2
	await_tracing record capture.gscope
	tell outer go
	await 'its work' has_lines outer.out 3
	sed -n 3p outer.out >target.json
	stop_gscope record
	await_intact target
	quit outer
	whole capture.gscope
	same_counts target capture.gscope
}
add target-starts starts
need "$newest" chans plain

# Two of one program, of which one is traced: what the other does is not counted.
twins() {
	start_target target "$newest" chans plain
	start_target twin "$newest" chans plain
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	is_intact twin || fail 'there are breakpoints in another process'
	tell twin go
	work target
	await_work twin
	stop_gscope record
	await_intact target
	quit target
	quit twin
	whole capture.gscope
	same_counts target capture.gscope
}
add target-twins twins
need "$newest" chans plain

# Programs started by the target are not traced and not harmed.
spawns() {
	start target "$tool" spawn 30
	await_ready target
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	tell target go
	await_work target
	stop_gscope record
	await_intact target
	quit target
	whole capture.gscope
	go_trace capture.gscope
}
add target-spawns spawns

# Ps that come and go, threads that end with their goroutine, signals, collections.
odd() {
	start target "$tool" odd
	await_ready target
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	tell target go
	await_work target
	stop_gscope record
	await_intact target
	quit target
	whole capture.gscope
	go_trace capture.gscope
}
add target-odd odd

# The file of the program is gone, as after an update.
deleted() {
	cp "$("$top/tests/targets/build" "$newest" chans plain)" program
	start target ./program
	await_ready target
	rm program
	record_work target
	same_counts target capture.gscope
}
add target-deleted deleted
need "$newest" chans plain

# The target lives in a container: other PIDs, other mounts.
contained() {
	local program

	program=$("$top/tests/targets/build" "$newest" chans plain)
	unshare -pfm --mount-proc true 2>/dev/null || skip 'cannot make a PID namespace'
	# what unshare -f starts is the target; unshare waits for it
	start outer unshare -pfm --mount-proc "$program"
	await_ready outer
	target[target]=$(pgrep -P "${target[outer]}")
	started+=("${target[target]}")
	input[target]=${input[outer]}
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work outer
	stop_gscope record
	await_intact target
	quit outer
	whole capture.gscope
	same_counts outer capture.gscope
}
add target-contained contained
need "$newest" chans plain

lost() {
	start_load server "$newest"
	start_gscope record record -p "${target[server]}" -d 10m --buffer 64K -o capture.gscope
	await_tracing record capture.gscope
	# a collector that cannot keep up, whatever the machine
	kill -STOP "${gscope[record]}"
	sleep 0.5
	kill -CONT "${gscope[record]}"
	sleep 0.3
	stop_gscope record
	await_intact server
	answers
	lossy capture.gscope
	go_trace capture.gscope
	grep -q 'TaskBegin .*Type="gscope: events lost"' parsed || fail 'the trace has no gap'
	grep -q 'Log .*Category="gscope" Message="lost within ' parsed ||
		fail 'the trace does not say what was lost'
	run_gscope report 0 report capture.gscope
	grep -Eqi '[1-9][0-9,]* .*lost' report.out || fail 'the report does not say what was lost'
}
add lost lost
need "$newest" http plain

# the same, and trace says so at once
lost_trace() {
	start_load server "$oldest"
	start_gscope live trace -p "${target[server]}" -d 10m --buffer 64K -o trace.out
	await_tracing live
	kill -STOP "${gscope[live]}"
	sleep 0.5
	kill -CONT "${gscope[live]}"
	sleep 0.3
	stop_gscope live
	await_intact server
	answers
	something_in trace.out
	grep -Eqi '[1-9][0-9,]* .*lost' live.out ||
		fail 'trace does not say what was lost'
}
add lost-trace lost_trace
need "$oldest" http plain

# One capture for the tools of every release; by itself for those of the release it was built with.
versions() {
	local release header

	start_load server "$newest"
	start_gscope record record -p "${target[server]}" -d 100ms -o capture.gscope
	await_gscope record 0
	for release in 1.22 1.23 1.25 1.26; do
		go_trace capture.gscope --go-version $release
		header=$(head -c 16 capture.gscope.trace | tr -d '\0')
		[ "$header" = "go $release trace" ] || fail "the header of $release is $header"
	done
	run_gscope own 0 export -f go -o own.trace capture.gscope
	cmp own.trace capture.gscope.trace || fail 'it is not as its own release would have it'
}
add versions versions
need "$newest" http plain

# What the oldest viewer shows of a trace with everything in it.
views() {
	local kind

	start_target target "$newest" gc plain
	start_gscope record record --level full -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	await_intact target
	go_trace capture.gscope --go-version 1.22
	for kind in 'Begin .*GC concurrent mark' 'Begin .*GC mark assist' 'Begin .*GC incremental sweep' \
		'Begin .*stop-the-world (GC mark' 'Metric .*heap/objects' 'Metric .*heap/goal' \
		'Metric .*gomaxprocs' 'StackSample ' 'Label .*"GC ('; do
		grep -q "$kind" parsed || fail "there is no $kind"
	done
	accept --views capture.gscope.trace
}
add -x views views
need "$newest" gc plain

# Minutes, in bursts that viewers can cope with: neither the capture nor what is made of it takes
# more memory for that. MINUTES is how long.
many_minutes() {
	local minutes=${MINUTES-10} recording exporting tenth quiet

	exec {quiet}<> <(:)

	start_load server "$newest"
	start_gscope record record -p "${target[server]}" -d "${minutes}m" -o capture.gscope
	await_tracing record capture.gscope
	while ! gone "${gscope[record]}"; do
		# nothing but builtins: to start a program takes longer than the burst shall
		kill -CONT "${target[load-server]}"
		read -rt 0.02 -u "$quiet" || true
		kill -STOP "${target[load-server]}"
		recording=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${gscope[record]}/status" 2>/dev/null ||
			echo "$recording")
		sleep 4
	done
	kill -CONT "${target[load-server]}"
	await_gscope record 0
	await_intact server
	answers
	head -c $(($(stat -c %s capture.gscope) / 10)) capture.gscope >tenth.gscope
	tenth=$("$tool" peak "$GSCOPE" export -f go -o tenth.trace tenth.gscope)
	exporting=$("$tool" peak "$GSCOPE" export -f go -o capture.trace capture.gscope)
	echo "$minutes minutes, $(stat -c %s capture.trace) bytes of trace: record takes $recording KiB," \
		"export $exporting KiB, $tenth KiB for a tenth"
	[ "$exporting" -lt $((tenth * 5 / 4 + 4096)) ] ||
		fail "export takes $exporting KiB, but $tenth KiB for a tenth of the capture"
	accept --views capture.trace
	events_of capture.trace >parsed
	[ "$(grep -c ' Sync ' parsed)" -gt $((minutes * 55)) ] || fail 'the trace has few generations'
	run_gscope old 0 export -f go --go-version 1.22 -o old.trace capture.gscope
	accept --views old.trace
}
add -a -x minutes many_minutes
need "$newest" http plain

several() {
	local release

	for release in "$oldest" "$newest"; do start_target "$release" "$release" chans plain; done
	start_gscope record record -p "${target[$oldest]}" -p "${target[$newest]}" -d 10m \
		-o capture.gscope
	await_tracing record capture.gscope 2
	for release in "$oldest" "$newest"; do tell "$release" go; done
	for release in "$oldest" "$newest"; do await_work "$release"; done
	stop_gscope record
	whole capture.gscope
	for release in "$oldest" "$newest"; do
		await_intact "$release"
		quit "$release"
		same_counts "$release" capture.gscope -p "${target[$release]}"
	done
}
add several several
need "$oldest" chans plain
need "$newest" chans plain

# two at once on one target do not disturb each other
both() {
	local name

	start_target target "$newest" chans plain
	for name in one two; do
		start_gscope $name record -p "${target[target]}" -d 10m -o $name.gscope
		await_tracing $name $name.gscope
	done
	work target
	stop_gscope one
	[ "$(text_bytes target)" -gt 0 ] || fail 'the first to end took the breakpoints of the other'
	stop_gscope two
	await_intact target
	quit target
	for name in one two; do
		whole $name.gscope
		same_counts target $name.gscope
	done
}
add both both
need "$newest" chans plain

piped() {
	start_load server "$newest"
	start_gscope record record -p "${target[server]}" -d 300ms -o -
	await_gscope record 0
	await_intact server
	run_gscope report 0 report record.out
	grep -q 'net/http' report.out || fail 'the report has no goroutine of the server'
	run go 0 "$GSCOPE" export -f go - <record.out
	something_in go.out
	start_gscope live trace -p "${target[server]}" -d 300ms -o -
	await_gscope live 0
	something_in live.out
	grep -q 'net/http' live.err || fail 'the report is not on standard error'
	answers
}
add piped piped
need "$newest" http plain
