# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# A program traces itself while gscope traces it. Used on top of tests/e2e/lib/lib.bash.

# variant_of WORKLOAD: how the program is built that has it
variant_of() {
	case $1 in cgo) echo cgo ;; *) echo plain ;; esac
}

# has_workload RELEASE WORKLOAD
has_workload() {
	case $1:$2 in 1.1?:* | 1.2[01]:* | 1.22:pull) return 1 ;; esac
}

# trace_both RELEASE WORKLOAD [MILLISECONDS]: truth.out by the program, ours.out by gscope, which
# begins before it and ends after it; $engine sees the goroutines
trace_both() {
	local more=()

	rm -f capture.gscope truth.out ours.out # of a try before
	# where goroutines wait for the collector they yield millions of times a second: no trap slows them
	case ${engine:-uprobe}:$2 in inline:gc) more=(--buffer 256M) ;; esac
	start_target target "$1" selftrace "$(variant_of "$2")" "$2" truth.out "${@:3}"
	start_gscope record record -p "${target[target]}" -d 10m --probes "${engine:-uprobe}" \
		"${more[@]}" -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	quit target
	run_gscope report 0 report capture.gscope
	run_gscope export 0 export -f go -o ours.out capture.gscope
}

# lost_none: nothing was lost in what trace_both recorded
lost_none() {
	grep -q '^No event was lost\.$' report.out
}

# compare_both [ARGS]: of the comparator; figures is its table, compared what it says
compare_both() {
	"$top/build/accuracy/compare" -table figures "$@" truth.out ours.out >compared
}
