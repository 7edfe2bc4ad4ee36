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
	grep -Eq "^Process ${target[target]} was stopped for [^ ]+ of [^ ]+, from 0\.000s to the end\.$" trace.out ||
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

plugin_late() {
	start_target target "$1" mix plugin late
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work target
	a_moment
	stop_gscope record
	quit target
	grep -q "^gscope: pid ${target[target]}: a plugin was loaded: " record.err || fail 'it does not say so'
	run_gscope report 0 report capture.gscope
	grep -Eq "^WARNING: process ${target[target]} loaded a plugin at [0-9.]+s( \(.*\))?: what goroutines do in its copy of the runtime is not seen\.$" report.out ||
		fail "the report does not say so: $(grep -m 1 plugin report.out)"
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
