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
