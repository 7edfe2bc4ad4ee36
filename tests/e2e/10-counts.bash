# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What the programs counted, goroutine by goroutine, has to be in the trace, with every release of
# Go and in the ways programs are linked.

# record_work NAME [ARGS]: capture.gscope is the target's work and nothing is lost; the target exits
record_work() {
	start_gscope record record -p "${target[$1]}" -d 10m -o capture.gscope "${@:2}"
	await_tracing record capture.gscope
	[ "$(text_bytes "$1")" -gt 0 ] || fail 'no breakpoint is in the target while it is traced'
	work "$1"
	stop_gscope record
	await_intact "$1"
	quit "$1"
}

counts() {
	local release=$1 program=$2 variant=$3

	start_target target "$release" "$program" "$variant"
	record_work target
	whole capture.gscope
	same_counts target capture.gscope
	"$tool" syscalls target.json <dump.out 2>wrong || fail "$(head -c 1000 wrong)"
}

# counts_of RELEASE VARIANT PROGRAM...
counts_of() {
	local program

	for program in "${@:3}"; do
		case $program in
		coro) case $1 in 1.19 | 1.2[0-2]) continue ;; esac ;;
		esac
		add "counts-$1-$program-$2" counts "$1" "$program" "$2"
		need "$1" "$program" "$2"
	done
}

# What a release or a build does differently shows in 80-builds.bash; here are more programs.
for release in "${releases[@]}"; do
	case " ${thorough[*]} " in
	*" $release "*)
		counts_of "$release" plain chans mutex timers short syscalls gc http idle coro
		counts_of "$release" cgo cgo
		;;
	*) counts_of "$release" plain mutex timers idle coro ;;
	esac
done
counts_of "$newest" pie chans syscalls timers idle coro
