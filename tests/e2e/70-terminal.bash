# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Progress is for those who look on.

terminal() {
	start_target target "$newest" chans plain
	command -v script >/dev/null || skip 'there is no script (bsdutils)'
	script -qec "exec '$GSCOPE' trace -p ${target[target]} -d 2s -o trace.out 2>&1 >report" typescript \
		</dev/null >screen || fail "gscope on a terminal: $(tail -n 1 screen)"
	accept trace.out
	grep -q $'\r' screen || fail 'no progress line on a terminal'
	grep -Eq 'event' screen || fail "the progress line is $(tr '\r' '\n' <screen | head -n 1)"
	run_gscope quiet 0 trace -p "${target[target]}" -d 1s -o trace.out
	[ ! -s quiet.err ] || fail "without a terminal gscope says $(head -n 1 quiet.err)"
	grep -q $'\r' quiet.out && fail 'there is a progress line in the report'
	# a binary file does not go to a terminal
	run screen 2 script -qec "exec '$GSCOPE' record -p ${target[target]} -d 1s -o -" typescript </dev/null
	grep -q 'binary' screen.out || fail "gscope says $(head -n 1 screen.out)"
	work target
	quit target
}
add terminal terminal
need "$newest" chans plain

# verbose VARIANT LAYOUT VARIABLES: what it says of a program before it is traced
verbose() {
	local what

	start_target target "$newest" chans "$1"
	run_gscope record 0 record --verbose -p "${target[target]}" -d 1s -o capture.gscope
	for what in "built with go$newest" 'function table: [0-9]+ functions' \
		"layout of the runtime: from $2, 3[0-9] fields, 3[0-9] of them confirmed" \
		"variables of the runtime: by $3" 'places to probe: 1 start, '; do
		grep -Eq "^gscope: pid ${target[target]}: .*$what" record.err ||
			fail "gscope record --verbose does not say '$what': $(head -c 1000 record.err)"
	done
	run_gscope dump 0 dump --events capture.gscope
	grep -Eqi " layout=$2" dump.out || fail "the capture does not say where its layout is from"
	work target
	quit target
}
add verbose-plain verbose plain DWARF symbols
need "$newest" chans plain
add verbose-stripped verbose stripped 'table.[0-9.]+' code
need "$newest" chans stripped
