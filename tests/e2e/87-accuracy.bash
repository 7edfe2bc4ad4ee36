# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What gscope says of a program is what the program's own tracer says, event by event.

# shellcheck source=tests/accuracy/lib.bash
. "$top/tests/accuracy/lib.bash"
# shellcheck source=tests/accuracy/page.bash
. "$top/tests/accuracy/page.bash"

# accurate ENGINE RELEASE WORKLOAD: every figure reaches its bar, but those of which the reason is known.
# Figures of time are short where other programs got the CPU between the two stamps of a step: they
# have three tries, all others one.
accurate() {
	local engine=$1 short='' other

	shift

	"$top/tests/accuracy/build" >/dev/null
	for _ in 1 2 3; do
		trace_both "$1" "$2" 800
		lost_none || continue
		compare_both -v
		short=$(judge "$2" "$1" figures | awk -F '\t' '$3 == "short" && $4 == "" { print $1 ": " $2 }')
		[ -n "$short" ] || return 0
		other=$(grep -Ev '^(skew|time in|goroutines with all states) ' <<<"$short") || true
		[ -z "$other" ] || fail "${other//$'\n'/; }"
	done
	[ -z "$short" ] || fail "${short//$'\n'/; }"
	skip 'events were lost in each of 3 runs'
}

# The comparator finds the damage done to a trace, and no other.
comparator() {
	(cd "$top" && tests/accuracy/build test) || fail 'the comparator fails its own tests'
}
add accuracy-comparator comparator
for release in "${releases[@]}"; do
	case $release in
	1.22) workloads=(chan) ;;
	"$newest") workloads=(sync http) ;;
	*) continue ;;
	esac
	for workload in "${workloads[@]}"; do
		add -a "accuracy-$release-$workload" accurate uprobe "$release" "$workload"
		need "$release" selftrace plain
	done
done
for release in 1.25 "$newest"; do
	for workload in sync http syscall; do
		add -a "accuracy-inline-$release-$workload" accurate inline "$release" "$workload"
		need "$release" selftrace plain
	done
done
