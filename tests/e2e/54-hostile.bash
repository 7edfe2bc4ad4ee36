# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Targets of other users that mean harm, to gscope or by it, and targets that have little memory.

# start_other NAME COMMAND...: as a user without rights
start_other() {
	start "$1" setpriv --reuid 65534 --regid 65534 --clear-groups "${@:2}"
	await_ready "$1"
}

# record_inline NAME [ARGS]: for a moment
record_inline() {
	run_gscope record 0 record -p "${target[$1]}" -d 300ms --probes inline -o capture.gscope "${@:2}"
	undisturbed "$1"
}

# The descriptor that gscope's memory has is exchanged for one of something else.
hostile_swap() {
	local i

	chmod 755 .
	echo 'not to be touched' >victim
	cp victim before
	case $1 in
	file) chown 65534 victim && chmod 600 victim ;;
	*) chmod 600 victim ;;
	esac
	if [ "$1" = huge ]; then
		[ "$(cat /proc/sys/vm/nr_hugepages)" != 0 ] || [ -d /sys/kernel/mm/hugepages ] ||
			skip 'no huge pages'
	fi
	start_other target "$tool" swap "$1" victim
	for i in {1..20}; do
		record_inline target
		cmp victim before || fail 'gscope has written to a file it was led to'
		! grep -q swapped target.out || break
		case $1 in path | file) ;; *) [ "$i" -lt 4 ] || break ;; esac
	done
	tell target quit
	# memory that is called like gscope's is closed as what one that was killed has left, or comes too late
	case $1 in path | file) grep -q swapped target.out || fail "in $i runs nothing was exchanged" ;; esac
}
for kind in path file unsealed sealed full huge; do
	add "hostile-swap-$kind" hostile_swap $kind
done

# The memory is taken away from under gscope, its planter and detach.
hostile_shrink() {
	start_other target "$tool" shrink
	run_gscope record 0 record -p "${target[target]}" -d 2s --probes inline -o capture.gscope
	await 'the target to try' has_lines target.out 2
	grep -q 'cannot be' target.out || fail "the target says: $(tail -n 1 target.out)"
	run_gscope report 0 report capture.gscope
	run_gscope detach 0 detach -p "${target[target]}"
}
add hostile-shrink hostile_shrink

# Memory that only looks like gscope's is not worth much time.
hostile_forge() {
	start_other target "$tool" forge 3000
	run_gscope detach 1 detach -p "${target[target]}"
	one_line detach 'has 3000 mappings that are called like gscope'
	run_gscope record 0 record -p "${target[target]}" -d 300ms --probes inline -o capture.gscope
	await_intact target
	tell target quit
}
add hostile-forge hostile_forge

# --- memory ------------------------------------------------------------------------------------------

rss_kib() {
	sed -n "s/^$2:[[:space:]]*\([0-9]*\) kB/\1/p" "/proc/${target[$1]}/status"
}

# All memory is populated as it is mapped.
inline_locked() {
	start target "$tool" locked
	await_ready target
	before=$(rss_kib target VmRSS)
	start_inline target
	after=$(rss_kib target VmRSS)
	stop_gscope record
	undisturbed target
	[ $((after - before)) -lt 16384 ] || fail "$((after - before)) KiB were populated at once"
	run_gscope report 0 report capture.gscope
	grep -Eq 'Their rings were [1-9][0-9]* KiB' report.out || fail 'the report does not say how large rings are'
	tell target quit
}
add inline-locked inline_locked

# by_uprobes NAME PATTERN: there is not enough memory for the rings, which one line says
by_uprobes() {
	record_inline "$1"
	said record "^gscope: pid ${target[$1]}: its calls cannot be redirected: .*($2).*; using uprobes"
}

# The address space has room for nothing: what the target may not have is no failure of gscope's.
inline_address_space() {
	start_target target "$newest" chans plain
	prlimit --pid "${target[target]}" --as="$(($(rss_kib target VmSize) * 1024 + 8192)):"
	by_uprobes target 'limit of address space'
	# a limit that gscope cannot know of
	prlimit --pid "${target[target]}" --as=unlimited
	work target
	quit target
}
add inline-address-space inline_address_space
need "$newest" chans plain

# group BYTES: a control group with so much memory; sets cgroup, or skips
group() {
	local base

	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		base=/sys/fs/cgroup
		grep -qw memory $base/cgroup.subtree_control || skip 'no control groups with memory'
	else
		base=/sys/fs/cgroup/memory
	fi
	cgroup=$base/gscope-test-$$-$RANDOM
	mkdir "$cgroup" 2>/dev/null || skip 'cannot make a control group'
	echo "$1" >"$cgroup/memory.max" 2>/dev/null || echo "$1" >"$cgroup/memory.limit_in_bytes"
}

# leave_group NAME: the target back to where it was, and the group away
leave_group() {
	kill "${target[$1]}"
	await "$1 to end" gone "${target[$1]}"
	wait "${target[$1]}" || true
	await 'the control group to be empty' rmdir "$cgroup"
}

# Rings are no larger than a quarter of what its control group leaves it; with less there are none.
inline_cgroup() {
	start_target target "$newest" chans plain 1000000000
	group "$((64 << 20))"
	echo "${target[target]}" >"$cgroup/cgroup.procs"
	tell target go
	record_inline target
	run_gscope report 0 report capture.gscope
	kib=$(sed -n 's/.*Their rings were \([0-9]*\) KiB.*/\1/p' report.out)
	[ "${kib:-0}" -gt 0 ] || fail 'nothing was redirected'
	[ "$kib" -le 16384 ] || fail "rings of $kib KiB in a group of 64 MiB"
	! dmesg 2>/dev/null | grep -q "oom-kill.*${cgroup##*/}" || fail 'the target was killed'
	leave_group target
	start_target target "$newest" chans plain 1000000000
	cgroup=
	group "$((16 << 20))"
	echo "${target[target]}" >"$cgroup/cgroup.procs"
	echo "$(($(cat "$cgroup/memory.usage_in_bytes" "$cgroup/memory.current" 2>/dev/null) + (1 << 20)))" |
		tee "$cgroup/memory.max" "$cgroup/memory.limit_in_bytes" >/dev/null 2>&1 || true
	by_uprobes target 'of its control group'
	leave_group target
}
add inline-cgroup inline_cgroup
need "$newest" chans plain

# --- children ------------------------------------------------------------------------------------------

# fork NAME N: the target forks; the child is target[child], which executes no other program
fork_child() {
	local last=$2

	tell "$1" fork
	await 'a child' has_lines "$1.out" "$((last + 1))"
	target[child]=$(sed -n "$((last + 1))s/^forked //p" "$1.out")
	started+=("${target[child]}")
}

# What a child has by a fork is put back while its parent is traced, and once that is over.
inline_forked() {
	start target "$tool" forks
	await_ready target
	start_inline target
	fork_child target 1
	# which still has the uprobes of its parent
	await 'the memory of the child to go' has_no_stubs child
	has_stubs target || fail 'the parent was cleaned, too'
	stop_gscope record
	undisturbed target
	undisturbed child
	# by a parent that nobody cares for any more
	start_inline target
	pid=$(planter)
	kill -STOP "$pid"
	fork_child target 2
	kill -KILL "$pid" "${gscope[record]}"
	await_gscope record 137
	has_stubs child || fail 'the child has nothing of gscope'
	run_gscope detach 0 detach -p "${target[child]}"
	grep -q 'is as it was before' detach.out || fail "detach says: $(cat detach.out)"
	undisturbed child
	run_gscope detach 0 detach -p "${target[target]}"
	undisturbed target
	quit target
}
add inline-forked inline_forked
