# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Whatever is lost, comes twice, out of order or not at all: the Go trace is accepted by the strictest
# reader, and the states behind a loss become right again.

soaked=("$newest gc plain" "$newest cgo cgo" "$newest coro plain" "$newest mix plain" "$middle mix plain")

soak() {
	local what program reader captures=()

	reader=$("$top/tests/accuracy/build")
	for what in "${soaked[@]}"; do
		program=${what// /-}
		# shellcheck disable=SC2086
		start_target "$program" $what
		start_gscope "$program.record" record -p "${target[$program]}" -d 10m -o "$program.gscope"
		await_tracing "$program.record" "$program.gscope"
		work "$program"
		stop_gscope "$program.record"
		quit "$program"
		captures+=("$program.gscope")
	done
	mkdir refused
	"${GSCOPE%/*}/soak" -n "${SOAK_SEEDS:-60}" "${captures[@]}" 2>contradictions |
		"$reader" -accept refused >accepted 2>&1 ||
		fail "$(head -n 1 contradictions) $(head -n 1 accepted)"
	cat accepted
	"${GSCOPE%/*}/soak" -w "${SOAK_WINDOWS:-10}" "${captures[@]}" 2>settled ||
		fail "$(head -n 1 settled)"
	cat settled
}

add soak soak
for program in "${soaked[@]}"; do
	# shellcheck disable=SC2086
	need $program
done
