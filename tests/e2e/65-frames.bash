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
	run_gscope export 0 export -f go -o trace.out capture.gscope
	accept trace.out
	events_of trace.out >parsed
	"$tool" frames target.json dump.out <parsed >compared 2>wrong || fail "$(cat compared) $(head -c 1500 wrong)"
	cat compared
	if [ "$2" = cgo ]; then
		has_line compared '^[1-9][0-9]* system calls in read_here<read_one<_cgo_Cfunc_read_one<'
		has_line compared '^[1-9][0-9]* system calls in (__)?read<'
	fi
	quit target
}

# has_line FILE PATTERN
has_line() {
	grep -Eq "$2" "$1" || fail "$1 has no $2: $(cat "$1")"
}

# A system call that C makes has C's function in front of Go's. To the goroutine it is part of its
# call into C, whose stack in the Go trace begins where the runtime's tracer lets it begin.
c_names() {
	start_target target "$1" cgo cgo
	record_work target
	whole capture.gscope
	run_gscope dump 0 dump --events --verbose capture.gscope
	has_line dump.out ' sys_enter (clock_)?nanosleep G.* syscall stack=(clock_)?nanosleep\(/.*<main\._Cfunc_usleep\('
	run_gscope export 0 export -f go -o trace.out capture.gscope
	accept trace.out
	events_of trace.out >parsed
	has_line parsed '^	main\._Cfunc_usleep @ '
	! grep -Eq '^	(clock_)?nanosleep @ ' parsed || fail "the trace has C's functions"
}
# frames_of [-x] RELEASE VARIANT...
frames_of() {
	local variant rare=()

	[ "$1" != -x ] || { rare=(-x) && shift; }
	for variant in "${@:2}"; do
		add "${rare[@]}" "frames-$1-$variant" frames "$1" "$variant"
		need "$1" frames "$variant"
	done
}

for release in "${releases[@]}"; do
	frames_of "$release" plain
	case $release in
	"$oldest" | "$middle" | "$newest")
		frames_of "$release" stripped pie cgo
		frames_of -x "$release" piestripped cgopie trimpath race
		add "frames-$release-c-names" c_names "$release"
		need "$release" cgo cgo
		;;
	*) frames_of -x "$release" stripped pie cgo ;;
	esac
done
