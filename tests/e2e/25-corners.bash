# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What goroutines, threads and Ps rarely do is in the trace as the program counted it.

corners() {
	local release=$1 variant=$2

	start_target target "$release" corners "$variant"
	record_work target
	whole capture.gscope
	same_counts target capture.gscope
	"$tool" syscalls target.json <dump.out 2>wrong || fail "$(head -c 1000 wrong)"
}
for release in "${releases[@]}"; do
	case " ${thorough[*]} " in *" $release "*) variant=cgo ;; *) variant=plain ;; esac
	add "corners-$release" corners "$release" $variant
	need "$release" corners $variant
done
