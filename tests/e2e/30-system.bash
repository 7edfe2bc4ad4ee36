# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Recording every task of the system.

# in_report PATTERN WHAT
in_report() {
	grep -Eq -- "$1" report.out || fail "the report has no $2"
}

all() {
	start_target server "$newest" http plain 1000000000
	address=$(sed -n '1s/^ready [0-9]* //p' server.out)
	tell server go
	start load "$tool" load "$address" 4
	start reader bash -c "while read -r line </proc/self/stat; do :; done"
	start_gscope record record -a -d 1s -o capture.gscope
	await_gscope record 0
	run_gscope report 0 report --top 1000 capture.gscope
	run_gscope dump 0 dump capture.gscope
	in_report '\bhttp-plain\b' 'process of the server'
	in_report '\bbash\b' 'process of the shell'
	in_report '\bopenat\b' 'system call of the shell by its name'
	in_report '\bepoll_p?wait\b' 'system call of the server by its name'
	await_intact server
}

add -a all all
need "$newest" http plain

all_with_target() {
	start_target target "$newest" chans plain
	start busy bash -c "while read -r line </proc/self/stat; do :; done"
	start_gscope record record -a -p "${target[target]}" -d 10m \
		--buffer 512M -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	await_intact target
	quit target
	whole capture.gscope
	same_counts target capture.gscope
	run_gscope report 0 report --top 1000 capture.gscope
	in_report 'main\.receiver' 'goroutine of the target'
	in_report '\bchans-plain\b' 'process of the target'
	in_report '\bbash\b' 'process of the shell'
}
add -a all-with-target all_with_target
need "$newest" chans plain

# without a Go process there is no Go trace to be made
all_no_trace() {
	start_gscope record record -a -d 300ms -o capture.gscope
	await_gscope record 0
	run_gscope export 1 export -f go -o trace.out capture.gscope
	one_line export 'Go|process'
	[ ! -e trace.out ] || fail 'a trace of nothing was left'
}
add -a all-no-trace all_no_trace
