# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Threads that cannot stop (a disk that does not answer, a frozen cgroup) hold up neither gscope nor the rest
# of their process, and what was captured is written before anything is waited for.

# freezer KIND: sets $freezer, a cgroup of its own that can be frozen
freezer() {
	local at

	case $1 in
	v1)
		mkdir v1
		mount -t cgroup -o freezer none v1 2>/dev/null || skip 'no cgroup v1 freezer'
		mounted+=("$dir/v1")
		at=$dir/v1
		;;
	v2)
		mkdir v2
		mount -t cgroup2 none v2 2>/dev/null || skip 'no cgroup v2'
		mounted+=("$dir/v2")
		at=$dir/v2
		;;
	esac
	freezer=$at/gscope-test-$$-$BASHPID
	mkdir "$freezer" || skip 'no cgroup can be made'
	# the group goes when what is in it has ended
	trap 'set +e; thaw; for pid in "${started[@]}"; do kill -KILL "$pid"; done; wait; rmdir "$freezer"; end_case' EXIT
}

is_frozen() {
	grep -qx 'FROZEN' "$freezer/freezer.state" 2>/dev/null ||
		grep -qx 'frozen 1' "$freezer/cgroup.events" 2>/dev/null
}

freeze() {
	echo "${target[$1]}" >"$freezer/cgroup.procs"
	if [ -e "$freezer/freezer.state" ]; then
		echo FROZEN >"$freezer/freezer.state"
	else
		echo 1 >"$freezer/cgroup.freeze"
	fi
	await "$1 to be frozen" is_frozen
}

thaw() {
	[ ! -e "$freezer/freezer.state" ] || echo THAWED >"$freezer/freezer.state"
	[ ! -e "$freezer/cgroup.freeze" ] || echo 0 >"$freezer/cgroup.freeze"
}

stderr_says() {
	grep -Eq -- "$2" "$1.err"
}

# fell_back NAME PATTERN: it names the thread and what that is at, and traces by probes
fell_back() {
	await 'a line that says why' stderr_says "$1" 'its calls cannot be redirected'
	stderr_says "$1" "its calls cannot be redirected: thread [0-9]+ of process ${target[target]} .*$2.*; using uprobes" ||
		fail "it says: $(cat "$1.err")"
}

stuck_at_attach() {
	start_target target "$newest" stuck cgo 60
	work target
	run_gscope record 0 record -p "${target[target]}" -d 500ms --probes inline -o capture.gscope
	fell_back record 'in uninterruptible sleep \(D'
	await_intact target
	whole capture.gscope
}
add stuck-at-attach stuck_at_attach
need "$newest" stuck cgo

frozen_at_attach() {
	freezer "$1"
	start_target target "$newest" chans plain
	freeze target
	start_gscope record record -p "${target[target]}" -d 10m --probes inline -o capture.gscope
	fell_back record 'frozen by its cgroup'
	stop_gscope record
	thaw
	await_intact target
	work target
	quit target
}
for kind in v1 v2; do
	add "frozen-at-attach-$kind" frozen_at_attach $kind
	need "$newest" chans plain
done

# restored_later: the capture is there while the process is waited for, and then all is as it was
restored_later() {
	kill -INT "${gscope[record]}"
	await 'the capture to be written' stderr_says record '^gscope: wrote capture.gscope'
	stderr_says record "thread [0-9]+ of process ${target[target]} .*$1" || fail "it says: $(cat record.err)"
	! gone "${gscope[record]}" || fail 'it waits for nothing'
	run_gscope report 0 report capture.gscope
}

stuck_in_the_middle() {
	start_target target "$newest" stuck cgo 8
	start_inline target
	work target
	sleep 0.5
	restored_later 'in uninterruptible sleep \(D'
	await_gscope record 130
	undisturbed target
	quit target
}
add stuck-in-the-middle stuck_in_the_middle
need "$newest" stuck cgo

frozen_in_the_middle() {
	freezer "$1"
	start_target target "$newest" chans plain
	start_inline target
	freeze target
	restored_later 'frozen by its cgroup'
	if [ "$2" = left ]; then
		# another Ctrl-C: the process that waits is not gscope any more
		kill -INT "${gscope[record]}"
		await_gscope record 130
		stderr_says record 'another process waits on' || fail "it says: $(cat record.err)"
		thaw
	else
		thaw
		await_gscope record 130
	fi
	undisturbed target
	work target
	quit target
}
for kind in v1 v2; do
	for how in waited left; do
		add "frozen-in-the-middle-$kind-$how" frozen_in_the_middle $kind $how
		need "$newest" chans plain
	done
done

# gscope detach says what it waits for, and Ctrl-C ends it
frozen_detach() {
	local pid

	freezer v1
	start_target target "$newest" chans plain
	start_inline target
	pid=$(planter)
	kill -KILL "$pid" "${gscope[record]}"
	await_gscope record 137
	freeze target
	start_gscope detach detach -p "${target[target]}"
	await 'detach to say what it waits for' stderr_says detach 'waiting for .*frozen by its cgroup'
	kill -INT "${gscope[detach]}"
	await_gscope detach 130
	thaw
	run_gscope detach 0 detach -p "${target[target]}"
	undisturbed target
	work target
	quit target
}
add frozen-detach frozen_detach
need "$newest" chans plain
