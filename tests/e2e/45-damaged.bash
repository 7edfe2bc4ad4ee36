# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Programs that run, but whose files are damaged where the kernel and the Go runtime do not look.
# They are traced, or refused with one line; within a second and 256 MiB more than a good one takes.

# measure: sets $cpu_limit, in seconds, and $memory_limit, in KiB, from the trace of a good program
measure() {
	local peak
	local -a times

	start_gscope measure trace -p "${target[target]}" -d 10m -o measure.trace
	await_tracing measure
	peak=$(sed -n 's/^VmPeak:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/${gscope[measure]}/status")
	read -ra times <"/proc/${gscope[measure]}/stat"
	stop_gscope measure
	memory_limit=$((peak + 256 * 1024))
	# utime and stime; rounded up, and a second more
	cpu_limit=$(((times[13] + times[14]) / $(getconf CLK_TCK) + 2))
}

# limited NAME ARGS...
limited() {
	last_status=0
	(
		ulimit -v "$memory_limit" -t "$cpu_limit"
		exec timeout "$patience" "$GSCOPE" "${@:2}"
	) >"$1.out" 2>"$1.err" </dev/null || last_status=$?
	expect_status "$1" 0 3
}

damaged_file() {
	local kind cpu_limit memory_limit traced=0 refused=0

	start target "$tool" leave
	await_ready target
	measure
	quit target
	while read -r kind; do
		"$tool" damage "$tool" ./damaged "$kind"
		start "$kind" ./damaged leave
		await_ready "$kind"
		limited "trace-$kind" trace -p "${target[$kind]}" -d 100ms -o "$kind.trace"
		if [ "$last_status" = 0 ]; then
			traced=$((traced + 1))
			accept "$kind.trace"
		else
			refused=$((refused + 1))
			one_line "trace-$kind" "${target[$kind]}"
			[ ! -e "$kind.trace" ] || fail "$kind: refused, but there is a trace"
			echo "$kind: $(cat "trace-$kind.err")"
		fi
		await_intact "$kind"
		quit "$kind"
		[ "$kind" != nothing ] || [ $traced = 1 ] || fail "a good program is refused"
	done < <("$tool" damage)
	echo "traced $traced, refused $refused"
	[ $traced -gt 1 ] && [ $refused -gt 0 ]
}

add damaged-file damaged_file
