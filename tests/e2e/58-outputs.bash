# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2153
#
# Where output goes, and what cannot be opened: one line says why, the target and older files are as they were.

# with_files N STATUS ARGS...: gscope may have N files open
with_files() {
	local n=$1 wanted=$2

	shift 2
	last_status=0
	(
		ulimit -n "$n"
		exec timeout "$patience" "$GSCOPE" "$@"
	) >limited.out 2>limited.err </dev/null || last_status=$?
	[ "$last_status" = "$wanted" ] || fail "with $n files: gscope $* ended with $last_status: $(cat limited.err)"
}

# starved N ARGS...: that is too few, and nothing else is blamed
starved() {
	with_files "$1" 1 "${@:2}"
	one_line limited 'oo many open files.*ulimit -n'
	[ "$(ls -A old)" = f ] || fail "with $1 files: left behind: $(ls -A old)"
	[ "$(cat old/f)" = precious ] || fail "with $1 files the older file was replaced"
}

few_files() {
	local n

	start_target target "$newest" chans plain
	run_gscope record 0 record -p "${target[target]}" -d 100ms -o capture.gscope
	mkdir old
	echo precious >old/f
	for n in 9 33 60 62 64; do
		starved $n trace -p "${target[target]}" -d 1s -o old/f
		starved $n record -p "${target[target]}" --probes inline -d 1s -o old/f
	done
	for n in 16 50 64; do
		starved $n record -p "${target[target]}" --level full -d 1s -o old/f
		starved $n record -a -d 1s -o old/f
	done
	for n in 4 8 16; do starved $n detach -p "${target[target]}"; done
	starved 4 export -f go -o old/f capture.gscope
	is_intact target
	for n in 8 16 64; do
		with_files $n 0 report capture.gscope
		with_files $n 0 dump capture.gscope
		with_files $n 0 export -f go -o trace.out capture.gscope
	done
	# no more is asked for than is needed, and a shell's own limit is not the last word
	with_files 256 0 record -p "${target[target]}" --probes inline --level full -d 100ms -o trace.out
	(
		ulimit -Sn 16
		exec "$GSCOPE" record -p "${target[target]}" -d 100ms -o trace.out
	) >soft.out 2>soft.err </dev/null || fail "with a low soft limit: $(cat soft.err)"
	work target
	quit target
}
add few-files few_files
need "$newest" chans plain

# into STATUS PATTERN ARGS...: a line says why; the only file in the full file system stays
into() {
	run_gscope into "$1" "${@:3}"
	grep -v '^gscope: ' into.err >other || true
	[ "$(grep -c '^gscope: ' into.err)" = 1 ] || fail "gscope ${*:3} says: $(cat into.err)"
	grep -Eq "^gscope: .*$2" into.err || fail "gscope ${*:3} says: $(cat into.err)"
	[ "$(ls -A small)" = $'fill\nold' ] || fail "gscope ${*:3} leaves: $(ls -A small)"
	[ "$(cat small/old)" = precious ] || fail "gscope ${*:3} replaces a good file"
}

full_place() {
	local pid

	start_target target "$newest" chans plain
	pid=${target[target]}
	run_gscope record 0 record -p "$pid" -d 100ms -o capture.gscope
	mkdir small
	mount -t tmpfs -o size=64k tmpfs small || skip 'cannot mount a tmpfs'
	mounted+=("$dir/small")
	echo precious >small/old
	dd if=/dev/zero of=small/fill bs=4k 2>/dev/null || true
	into 1 'disk is full' trace -p "$pid" -d 100ms -o small/old
	into 1 'disk is full' record -p "$pid" -d 100ms -o small/old
	into 1 'disk is full' export -f go -o small/old capture.gscope
	into 1 'disk is full' trace -p "$pid" -d 100ms -o /dev/full
	into 1 'disk is full' record -p "$pid" -d 100ms -o /dev/full
	into 1 'disk is full' export -f go -o /dev/full capture.gscope
	is_intact target
	work target
	quit target
}
add full-place full_place
need "$newest" chans plain

# no_stdout STATUS ARGS...: descriptor 1 is closed, and what is opened next is not taken for it
no_stdout() {
	last_status=0
	timeout "$patience" "$GSCOPE" "${@:2}" >&- 2>closed.err </dev/null || last_status=$?
	expect_status closed "$1"
	grep -Eq '^gscope: cannot write .*Bad file descriptor' closed.err || fail "gscope ${*:2} says: $(cat closed.err)"
}

closed_stdout() {
	start_target target "$newest" chans plain
	run_gscope record 0 record -p "${target[target]}" -d 100ms -o capture.gscope
	no_stdout 1 trace -p "${target[target]}" -d 100ms -o -
	no_stdout 1 record -p "${target[target]}" -d 100ms -o -
	no_stdout 1 export -f go -o - capture.gscope
	no_stdout 1 report capture.gscope
	no_stdout 1 dump capture.gscope
	is_intact target
	work target
	quit target
}
add closed-stdout closed_stdout
need "$newest" chans plain

# a FIFO that is read from by no one, and one with a reader that does not read
fifo() {
	local fd text

	start_target target "$newest" chans plain
	run_gscope record 0 record -p "${target[target]}" -d 100ms -o capture.gscope
	mkfifo nobody full
	start_gscope trace trace -p "${target[target]}" -d 100ms -o nobody
	start_gscope export export -f go -o nobody capture.gscope
	exec {fd}<>full
	dd if=/dev/zero of=full bs=4k count=1000 oflag=nonblock 2>/dev/null || true
	start_gscope record record -p "${target[target]}" -d 10m -o full
	sleep 1
	kill -INT "${gscope[record]}"
	await_gscope record 1
	one_line record 'reader does not read'
	for text in trace export; do
		await_gscope $text 1
		one_line $text 'FIFO.*nothing has read from it'
	done
	exec {fd}>&-
	is_intact target
	work target
	quit target
}
add fifo fifo
need "$newest" chans plain

# Whenever Ctrl-C comes, there is no file half way, and the older one is as it was.
no_remains() {
	local pause

	start_target target "$newest" chans plain
	mkdir old
	echo precious >old/f
	for pause in 0.01 0.03 0.06 0.1 0.15; do
		start_gscope record record -p "${target[target]}" -p $$ -d 10m -o old/f
		sleep $pause
		kill -INT "${gscope[record]}"
		await "gscope to end" gone "${gscope[record]}"
		last_status=0
		wait "${gscope[record]}" || last_status=$?
		expect_status record 130
		[ "$(ls -A old)" = f ] || fail "after $pause s: left behind: $(ls -A old)"
		# what was captured by then is worth more
		[ "$(tr -d '\0' <old/f)" = precious ] || echo precious >old/f
	done
	await_intact target
	# it waits for its input
	mkfifo input
	exec {fd}<>input
	for signal in INT TERM HUP; do
		env --default-signal=INT,HUP "$GSCOPE" export -f go -o old/f - <input >export.out 2>export.err &
		gscope[export]=$!
		started+=($!)
		await 'gscope export to begin' has_begun "${gscope[export]}"
		kill -$signal "${gscope[export]}"
		await_gscope export 130
		one_line export 'interrupted'
		[ "$(ls -A old)" = f ] || fail "after SIG$signal: left behind: $(ls -A old)"
		[ "$(cat old/f)" = precious ] || fail 'a good file was replaced'
	done
	exec {fd}>&-
	work target
	quit target
}
has_begun() { [ "$(ls -A old)" != f ] || gone "$1"; }
add no-remains no_remains
need "$newest" chans plain
