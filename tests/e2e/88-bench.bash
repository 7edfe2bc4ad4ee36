# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# The benchmarks measure, and what cannot be measured is said.

bench_statistics() {
	(cd "$top" && tools/bench/build test) || fail 'the benchmarks fail their own tests'
}

# overhead STATUS GSCOPE ARGS...: of a short run
overhead() {
	local status=0

	BENCH_SECONDS=0.3 BENCH_REPEATS=1 "$top/build/bench/overhead" -dir . -gscope "$2" \
		-load "$top/build/bench/load" -captured "$top/build/bench/captured" "${@:3}" >table 2>said ||
		status=$?
	[ $status = "$1" ] || fail "overhead ended with $status: $(tail -n 1 said)"
}

# bench_row VARIANT COLUMN: of the table
bench_row() {
	awk -v name="$1" -v column="$2" '$1 == name { print $column; exit }' table
}

bench_measures() {
	(cd "$top" && tools/bench/build load overhead captured) || fail 'the benchmarks cannot be built'
	overhead 0 "$GSCOPE" workloads pingpong untraced uprobe
	# a round trip is two goroutines that block, are woken and started, and on a busy machine switches
	bench_row uprobe 7 >events
	awk '$1 < 5 || $1 > 24 { exit 1 }' events || fail "$(cat events) events for a round trip"
	grep -q '"Variant": "uprobe"' workloads.json || fail 'no results'
}

# a gscope that offers everything and can do nothing
bench_failures() {
	(cd "$top" && tools/bench/build load overhead captured) || fail 'the benchmarks cannot be built'
	cat >broken <<-'END'
		#!/bin/sh
		[ "$2" != --help ] || { printf '  -o, --output=FILE  a\n      --level=LEVEL  kernel\n' && exit; }
		echo 'gscope: out of order' >&2
		exit 1
	END
	chmod +x broken
	overhead 1 ./broken workloads pingpong untraced kernel 'uprobe, no stacks'
	grep -q 'kernel: 1 of 1 FAILED: .*: gscope: out of order$' table || fail 'the failure is not told'
	grep -q 'uprobe, no stacks: this gscope has no option --no-stacks' table ||
		fail 'what is left out is not told'
	[ "$(bench_row untraced 2)" != - ] || fail 'the others were not measured'
	overhead 0 ./broken bars
	grep -A 1 'level kernel adds' table | grep -q 'kernel: not in this run' ||
		fail 'a bar without a measurement is not told'
}

add bench-statistics bench_statistics
add -a bench-measures bench_measures
add bench-failures bench_failures
