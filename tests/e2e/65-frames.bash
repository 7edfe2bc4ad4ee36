# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Every stack is, frame by frame, what the runtime says of it: functions, files and lines, calls
# that were inlined, wrappers it hides.

frames() {
	start_target target "$1" frames "$2"
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	await_intact target
	whole capture.gscope
	run_gscope dump 0 dump --events --verbose capture.gscope
	"$tool" frames target.json dump.out >compared 2>wrong || fail "$(cat compared) $(head -c 1500 wrong)"
	cat compared
	quit target
}
for release in "${releases[@]}"; do
	for variant in plain pie cgo; do
		add "frames-$release-$variant" frames "$release" "$variant"
		need "$release" frames "$variant"
	done
done
