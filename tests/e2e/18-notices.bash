# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What happens to a target meanwhile, and explains what is not seen of it.

# the collector looks every 50 ms; a busy machine may have it wait
a_moment() {
	sleep 1
}

stopped_before() {
	start_target target "$newest" idle plain
	kill -STOP "${target[target]}"
	run_gscope trace 0 trace -p "${target[target]}" -d 500ms -o go.trace
	grep -q "^gscope: process ${target[target]} is stopped: nothing will happen until it is continued (kill -CONT ${target[target]})$" trace.err ||
		fail "it does not say that the process is stopped: $(head -n 1 trace.err)"
	grep -Eq "^Process ${target[target]} was stopped for [^ ]+ of [^ ]+, from 0\.[0-9]*s to the end\.$" trace.out ||
		fail 'the report does not say it'
	kill -CONT "${target[target]}"
	await_intact target
	work target
	quit target
}

stopped_meanwhile() {
	start_target target "$newest" busy plain
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	kill -STOP "${target[target]}"
	a_moment
	kill -CONT "${target[target]}"
	a_moment
	work target
	stop_gscope record
	quit target
	! grep -q 'is stopped' record.err || fail 'it was not stopped when it began'
	# elsewhere, from the file alone
	run_gscope report 0 report capture.gscope
	grep -Eq "^Process ${target[target]} was stopped for [^ ]+ of [^ ]+, from [0-9.]+s\.$" report.out ||
		fail "the report does not say it: $(grep -m 1 stopped report.out)"
}

# thaw_at_end FILE: a target that is frozen cannot be ended
thaw_at_end() {
	# shellcheck disable=SC2064
	trap "{ echo THAWED >'$1' || echo 0 >'$1' || true; } 2>/dev/null; rmdir '${1%/*}' 2>/dev/null || true; end_case" EXIT
}

frozen() {
	local group=/sys/fs/cgroup/freezer/gscope-e2e-$$ file=freezer.state

	if [ ! -e /sys/fs/cgroup/freezer/tasks ]; then
		file=cgroup.freeze
		for group in /sys/fs/cgroup /sys/fs/cgroup/unified; do
			[ ! -e "$group/cgroup.procs" ] || break
		done
		group+=/gscope-e2e-$$
	fi
	mkdir "$group" 2>/dev/null || skip 'no freezer of a cgroup can be had'
	[ -e "$group/$file" ] || { rmdir "$group" && skip 'there is no freezer'; }
	start_target target "$newest" busy plain
	echo "${target[target]}" >"$group/cgroup.procs"
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	thaw_at_end "$group/$file"
	if [ $file = freezer.state ]; then echo FROZEN; else echo 1; fi >"$group/$file"
	a_moment
	if [ $file = freezer.state ]; then echo THAWED; else echo 0; fi >"$group/$file"
	a_moment
	stop_gscope record
	work target
	quit target
	rmdir "$group"
	run_gscope report 0 report capture.gscope
	grep -Eq "^Process ${target[target]} was frozen by its cgroup for [^ ]+ of [^ ]+, from [0-9.]+s\.$" report.out ||
		fail 'the report does not say it'
}

# A plugin loaded meanwhile gets probes: from then on all is seen that goroutines do in its copy of the runtime.
plugin_late() {
	start_target target "$1" mix plugin late "$PWD/loaded"
	start_gscope record record -p "${target[target]}" -d 10m "${@:2}" -o capture.gscope
	await_tracing record capture.gscope
	tell target go
	await 'the plugin to be noticed' grep -q 'a plugin was loaded' record.err
	touch loaded
	await_work target
	stop_gscope record
	await_intact target
	quit target
	grep -q "^gscope: pid ${target[target]}: a plugin was loaded: .*/mix-plugin.so: what goroutines do in its copy of the runtime is seen from here on$" record.err ||
		fail "$(grep -m 1 'plugin was' record.err)"
	same_counts target capture.gscope
	run_gscope report 0 report capture.gscope
	grep -Eq "^Process ${target[target]} loaded a plugin at [0-9.]+s \(.*mix-plugin\.so\): what goroutines did in its copy of the runtime before that is not seen\.$" report.out ||
		fail "the report does not say so: $(grep -m 1 'loaded a' report.out)"
	! grep -q 'contradiction' report.out || fail "$(grep -A 5 contradiction report.out | tr -s '\n ' ' ')"
}

# load NAME LIBRARY: a program of loads.c does
load() {
	local lines

	lines=$(wc -l <"$1.out")
	tell "$1" "$2"
	await "$2 to be loaded" has_lines "$1.out" $((lines + 1))
	[ "$(tail -n 1 "$1.out")" = loaded ] || fail "$(tail -n 1 "$1.out")"
}

# says_runtime: record.err and the report of capture.gscope tell of other.so, with a runtime of its own
says_runtime() {
	await 'the library to be noticed' grep -q "^gscope: pid ${target[target]}: .*other\.so was loaded, which has a Go runtime of its own: its goroutines are not seen" record.err
	stop_gscope record
	await_intact target
	run_gscope report 0 report capture.gscope
	grep -Eq "^WARNING: process ${target[target]} loaded a library with a Go runtime of its own at [0-9.]+s \(.*other\.so\): its goroutines are not seen\.$" report.out ||
		fail "the report does not say so: $(grep -m 1 'loaded a' report.out)"
}

start_loads() {
	local library

	library=$("$top/tests/targets/build" "$newest" mix cshared).so
	cp "$library" one.so
	cp "$library" other.so
	gcc -O1 -o loads "$top/tests/e2e/loads.c" -ldl || fail 'cannot build loads.c'
	start target ./loads
}

end_loads() {
	local fd=${input[target]}

	exec {fd}>&-
	await 'target to exit' gone "${target[target]}"
}

# A program without Go loads some while it is recorded
library_late() {
	start_loads
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	load target "$PWD/other.so"
	says_runtime
	grep -q 'trace again to see them$' record.err || fail 'it does not say what to do'
	end_loads
}

# Beside a runtime that is traced comes another one
runtime_late() {
	start_loads
	load target "$PWD/one.so"
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	load target "$PWD/other.so"
	says_runtime
	! grep -q 'one\.so was loaded' record.err || fail 'it tells of one that was there'
	end_loads
}

add stopped-before stopped_before
need "$newest" idle plain
add stopped-meanwhile stopped_meanwhile
need "$newest" busy plain
add frozen-meanwhile frozen
need "$newest" busy plain
for release in "${thorough[@]}"; do
	add "plugin-late-$release" plugin_late "$release"
	need "$release" mix plugin
done
add plugin-late-inline plugin_late "$newest" --probes inline
need "$newest" mix plugin
add library-late library_late
need "$newest" mix cshared
add runtime-late runtime_late
need "$newest" mix cshared
