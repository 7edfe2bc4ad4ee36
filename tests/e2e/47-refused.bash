# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# The kernel refuses single programs: what can be missed is missing, and said so; what cannot ends it.

build_refuse() {
	"${CC:-gcc}" -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -O2 -shared -fPIC \
		-o refuse.so "$top/tests/e2e/refuse.c" || fail 'refuse.c cannot be built'
}

# record_refusing NAME=HOW...: goes on all the same
record_refusing() {
	start_target target "$newest" notes plain
	LD_PRELOAD=$PWD/refuse.so REFUSE="$*" start_gscope record record -p "${target[target]}" \
		-d 10m -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	await_intact target
	quit target
	run_gscope report 0 report capture.gscope
	run_gscope events 0 dump --events capture.gscope
}

# told PROGRAM WHY: on the terminal, by the report, in the capture
refusal_is_said() {
	grep -q "^gscope: the kernel refuses BPF program $1: $2" record.err ||
		fail "that $1 was refused is not said"
	grep -q "^WARNING: not seen: .*; the kernel refused BPF program $1: $2" report.out ||
		fail "the report does not say that $1 was refused"
	grep -q " missing errno=[0-9]* \"$1\" " events.out || fail 'the capture does not say it'
}

refused_labels() {
	build_refuse
	record_refusing labels_probe=large
	refusal_is_said labels_probe 'it is too large for this kernel'
	! grep -q 'labels' <(grep ' user ' events.out) || fail 'there are labels all the same'
	grep -q ' user ' events.out || fail 'other annotations are missing, too'
	! grep -q 'needs Linux' record.err || fail 'the kernel is not too old'
}

refused_several() {
	build_refuse
	record_refusing note_probe=wrong probe_empty=1
	refusal_is_said note_probe 'its verifier does not accept it (invalid bpf_context access'
	refusal_is_said probe_empty 'it is not permitted'
	grep ' user ' events.out | grep -q labels || fail 'the labels are missing, too'
}

# cannot HOW WORDS: without its goroutines a target is not traced, and one line says why
cannot() {
	LD_PRELOAD=$PWD/refuse.so REFUSE="go_probe=$1 note_probe=$1" run_gscope trace 1 trace \
		-p "${target[target]}" -d 1s -o trace.out
	one_line trace "$2"
	! grep -q 'needs Linux' trace.err || fail 'the kernel is not too old'
}

refused_vital() {
	build_refuse
	start_target target "$newest" notes plain
	cannot large 'the kernel refuses BPF program go_probe: it is too large'
	cannot wrong 'go_probe: its verifier does not accept it'
	cannot 1 'the kernel does not let gscope load BPF program go_probe'
	cannot 12 'too little memory for BPF program go_probe'
}

for case in labels several vital; do
	add "refused-$case" "refused_$case"
	need "$newest" notes plain
done
