# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Calls that are redirected (--probes inline): the same counts as with probes, and whatever becomes of
# gscope, everything is put back and the target goes on.

has_stubs() {
	grep -q '/memfd:gscope-inline' "/proc/${target[$1]}/maps"
}

has_no_stubs() {
	! has_stubs "$1"
}

# undisturbed NAME: its code is as in its file, and nothing of gscope's is in it or looks at it
undisturbed() {
	await_intact "$1"
	await "what gscope mapped into $1 to be gone" has_no_stubs "$1"
	! grep '^TracerPid:' "/proc/${target[$1]}/task"/*/status | grep -v '[[:space:]]0$' ||
		fail "target $1 is being traced still"
}

# start_inline NAME [ARGS]: gscope records it
start_inline() {
	rm -f capture.gscope # an old one stays until there is something to replace it with
	start_gscope record record -p "${target[$1]}" -d 10m --probes inline -o capture.gscope "${@:2}"
	await_tracing record capture.gscope
	has_stubs "$1" || fail "nothing was redirected: $(tail -n 1 record.err)"
	! "$tool" text "${target[$1]}" >text.out 2>&1 || fail 'no call in its code was redirected'
}

# counts_inline NAME [WORKER]: what it does is recorded, and is what it says; WORKER has the pipes
counts_inline() {
	local by=${2-$1}

	start_inline "$1"
	work "$by"
	stop_gscope record
	undisturbed "$1"
	quit "$by"
	whole capture.gscope
	grep -Eq '^[1-9][0-9]* calls were redirected; for that [1-9][0-9]* threads? stood still for ' \
		whole.out || fail 'the report does not say for how long the target stood still'
	grep -Eq '[1-9][0-9]* redirected calls of [1-9][0-9]*ns' whole.out ||
		fail 'the report does not say what it cost'
	same_counts "$by" capture.gscope
}

inline_counts() {
	start_target target "$1" "$2" "$3"
	counts_inline target
	"$tool" syscalls target.json <dump.out 2>wrong || fail "$(head -c 1000 wrong)"
}

# inline_of [-x] RELEASE PROGRAM VARIANT
inline_of() {
	local rare=

	[ "$1" != -x ] || { rare=-x && shift; }
	add $rare "inline-$1-$2-$3" inline_counts "$1" "$2" "$3"
	need "$1" "$2" "$3"
}

for release in "${releases[@]}"; do
	case " ${thorough[*]} " in
	*" $release "*)
		inline_of "$release" chans plain
		inline_of "$release" corners cgo
		;;
	*)
		inline_of -x "$release" chans plain
		inline_of -x "$release" corners plain
		;;
	esac
	# not gc: while nobody has anything else to do its goroutines yield millions of times a second
	for program in mutex http timers syscalls short; do
		inline_of -x "$release" $program plain
	done
	inline_of -x "$release" cgo cgo
	for variant in pie stripped race pgo nl cgopie; do
		[ "$release $variant" != '1.19 pgo' ] || continue
		case "$release $variant" in
		"$newest pie" | "$newest pgo" | "$newest stripped") inline_of "$release" mix $variant ;;
		*) inline_of -x "$release" mix $variant ;;
		esac
	done
done

# Where the thread has another number.
inline_contained() {
	unshare -pfm --mount-proc true 2>/dev/null || skip 'cannot make a PID namespace'
	start outer unshare -pfm --mount-proc "$("$top/tests/targets/build" "$newest" chans plain)"
	await_ready outer
	target[target]=$(pgrep -P "${target[outer]}")
	started+=("${target[target]}")
	counts_inline target outer
	# every thread by the number it has here, and no other
	grep -o ' M[0-9][0-9]*' dump.out | sort -u >threads
	[ -s threads ] || fail 'no thread was seen'
	while IFS= read -r thread; do
		[ "${thread# M}" -gt 100 ] || fail "$thread is a number of the inner namespace"
	done <threads
}
add inline-contained inline_contained
need "$newest" chans plain

# What its threads call for gscope is none of its system calls, and what that interrupts is one call still.
own_calls() {
	start_target target "$newest" idle plain
	start_inline target
	stop_gscope record
	undisturbed target
	work target
	quit target
	run_gscope dump 0 dump --events capture.gscope
	grep -q ' sys_enter ' dump.out || fail 'no system call is in it'
	! grep -E ' sys_(enter|exit) (memfd_create|munmap|close|mlock|munlock|rt_sigreturn) ' dump.out >wrong ||
		fail "$(head -n 1 wrong)"
}
add inline-own-calls own_calls
need "$newest" idle plain

# --- whatever becomes of gscope ------------------------------------------------------------------

# said NAME PATTERN: this line, and else nothing but where the capture is
said() {
	sed -i '/^gscope: wrote /d' "$1.err"
	one_line "$1" "$2"
}

# served: it answers, again and again
served() {
	local i

	for i in 1 2 3 4 5; do
		"$tool" get "$address" || fail 'the server no longer answers'
	done
}

# planter: the process that puts back what gscope redirected
planter() {
	pgrep -P "${gscope[record]}" planter || fail 'there is no process that puts back what was redirected'
}

inline_interrupted() {
	start_load server "$1"
	start_inline server
	sleep 0.3
	stop_gscope record
	undisturbed server
	served
	whole capture.gscope
	go_trace capture.gscope
}
add inline-interrupted inline_interrupted "$newest"
need "$newest" http plain

# gscope is killed: a process of its own has waited for that
inline_killed() {
	start_load server "$1"
	start_inline server
	sleep 1.2
	kill -KILL "${gscope[record]}"
	served
	await_gscope record 137
	undisturbed server
	served
	run_gscope report 0 report capture.gscope
	run_gscope again 0 record -p "${target[server]}" -d 200ms --probes inline -o again.gscope
	! grep -v '^gscope: wrote ' again.err || fail "there was something left: $(head -n 1 again.err)"
	undisturbed server
	whole again.gscope
	served
}
for release in "$oldest" "$newest"; do
	add "inline-killed-$release" inline_killed "$release"
	need "$release" http plain
done

# both_killed: the server runs on, and writes into rings that nobody reads until they are full
both_killed() {
	local pid

	start_load server "$newest"
	start_inline server
	pid=$(planter)
	# first the one that would put everything back
	kill -KILL "$pid" "${gscope[record]}"
	await_gscope record 137
	await 'the planter to end' gone "$pid"
	has_stubs server || fail 'somebody put it back'
	sleep 1
	served
	has_stubs server || fail 'somebody put it back'
}

# and whoever comes next puts it back, and says so
inline_both_killed() {
	both_killed
	run_gscope again 0 record -p "${target[server]}" -d 300ms --probes "$1" -o again.gscope
	said again "^gscope: pid ${target[server]}: put back what an earlier gscope, .*killed"
	undisturbed server
	served
	whole again.gscope
	go_trace again.gscope
}
for engine in inline uprobe; do
	add "inline-both-killed-$engine" inline_both_killed $engine
	need "$newest" http plain
done

inline_detach() {
	both_killed
	run_gscope detach 0 detach -p "${target[server]}"
	grep -q "process ${target[server]} is as it was before" detach.out || fail 'detach says nothing'
	undisturbed server
	served
	run_gscope detach 0 detach -p "${target[server]}"
	grep -q 'there is nothing of gscope' detach.out || fail "detach says: $(cat detach.out)"
	run_gscope detach 2 detach
	run_gscope detach 3 detach -p 2147483647
	one_line detach 'no (such )?process'
}
add inline-detach inline_detach
need "$newest" http plain

# --- whatever becomes of the process that puts it back ---------------------------------------------

# a new one takes its place, and does all that the first one would
inline_planter_killed() {
	start_load server "$newest"
	start_inline server
	kill -KILL "$(planter)"
	await 'another planter' grep -q 'another one has taken its place' record.err
	served
	kill -KILL "${gscope[record]}"
	await_gscope record 137
	undisturbed server
	served
}
add inline-planter-killed inline_planter_killed
need "$newest" http plain

# planter_ends SIGNAL: just before it is needed
planter_ends() {
	start_load server "$newest"
	start_inline server
	kill "-$1" "$(planter)"
	stop_gscope record
	undisturbed server
	served
	whole capture.gscope
	go_trace capture.gscope
}
for signal in KILL STOP; do
	add "inline-planter-ends-$signal" planter_ends $signal
	need "$newest" http plain
done

# held_at_end: a debugger holds a thread when everything is to be put back
held_at_end() {
	start_load server "$newest"
	start_inline server
	start debugger "$tool" seize "${target[server]}"
	await 'the debugger' grep -q "^TracerPid:.*\b${target[debugger]}\b" "/proc/${target[server]}/status"
	kill -INT "${gscope[record]}"
	await 'gscope to wait' grep -q 'trying again' record.err
}

inline_held() {
	held_at_end
	kill -KILL "${target[debugger]}"
	await_gscope record 130
	undisturbed server
	served
	whole capture.gscope
}
add inline-held inline_held
need "$newest" http plain

inline_held_for_ever() {
	held_at_end
	await_gscope record 1
	grep -q "sudo gscope detach -p ${target[server]}\b" record.err ||
		fail "gscope does not say what to do: $(tail -n 1 record.err)"
	whole capture.gscope
	served
	run_gscope detach 3 detach -p "${target[server]}"
	kill -KILL "${target[debugger]}"
	await 'the debugger to be gone' grep -q '^TracerPid:[[:space:]]*0$' "/proc/${target[server]}/status"
	run_gscope detach 0 detach -p "${target[server]}"
	undisturbed server
	served
}
add inline-held-for-ever inline_held_for_ever
need "$newest" http plain

# One at a time: the second one is refused, and disturbs nobody.
inline_second() {
	start_target target "$newest" chans plain
	start_inline target
	run_gscope second 3 record -p "${target[target]}" -d 1s --probes inline -o second.gscope
	one_line second "being traced by gscope ${gscope[record]}\\b"
	[ ! -e second.gscope ] || fail 'the second one left a capture'
	run_gscope second 3 detach -p "${target[target]}"
	one_line second "being traced by gscope ${gscope[record]}\\b"
	has_stubs target || fail 'the second one put back what the first one redirected'
	work target
	stop_gscope record
	undisturbed target
	quit target
	whole capture.gscope
	same_counts target capture.gscope
}
add inline-second inline_second
need "$newest" chans plain

# --- what it is not possible with ------------------------------------------------------------------

# by_probes PATTERN: probes do it, one line says why, and nothing is missing
by_probes() {
	start_gscope record record -p "${target[target]}" -d 10m --probes inline -o capture.gscope
	await_tracing record capture.gscope
	has_no_stubs target || fail 'its calls are redirected all the same'
	work target
	stop_gscope record
	said record "^gscope: pid ${target[target]}: its calls cannot be redirected: .*($1).*; using uprobes"
	await_intact target
	quit target
	whole capture.gscope
	! grep -q 'calls were redirected' whole.out || fail 'the report says that calls were redirected'
	same_counts target capture.gscope
}

# a filter that would let it all pass: nobody can know
inline_filtered() {
	start target "$tool" deny 9999 "$("$top/tests/targets/build" "$newest" chans plain)"
	await_ready target
	by_probes 'seccomp'
}
add inline-filtered inline_filtered
need "$newest" chans plain

inline_debugged() {
	start_target target "$newest" chans plain
	start debugger "$tool" seize "${target[target]}"
	await 'the debugger' grep -q "^TracerPid:.*\b${target[debugger]}\b" "/proc/${target[target]}/status"
	by_probes 'debugger'
}
add inline-debugged inline_debugged
need "$newest" chans plain

# --- targets that end ------------------------------------------------------------------------------

inline_target_killed() {
	start_load server "$newest"
	start_inline server
	sleep 0.2
	kill -KILL "${target[server]}"
	await_gscope record 0
	whole capture.gscope
	go_trace capture.gscope
}
add inline-target-killed inline_target_killed
need "$newest" http plain

inline_target_exits() {
	start target "$tool" leave
	await_ready target
	start_inline target
	tell target go
	await_gscope record 0
	whole capture.gscope
	go_trace capture.gscope
}
add inline-target-exits inline_target_exits

# The other program has no memory of gscope's, and works.
inline_target_execs() {
	local next

	next=$("$top/tests/targets/build" "$newest" chans plain)
	start target "$tool" exec "$next"
	await_ready target
	start_inline target
	tell target go
	await 'the second program' has_lines target.out 2
	await_gscope record 0
	undisturbed target
	tell target go
	await 'the work of the second program' has_lines target.out 3
	quit target
	whole capture.gscope
	go_trace capture.gscope
}
add inline-target-execs inline_target_execs
need "$newest" chans plain

# --- again and again ---------------------------------------------------------------------------------

# strain RELEASE VARIANT: as many times as SOAK_CYCLES says, under a program that does all that could
# make it go wrong, and checks what comes of it; every tenth time by a whole gscope
strain() {
	local cycles=${SOAK_CYCLES:-30} i

	start_target target "$1" strain "$2"
	"${GSCOPE%/*}/soak" -i "$cycles" "${target[target]}" >soaked 2>wrong || fail "$(head -n 1 wrong)"
	undisturbed target
	for ((i = 0; i < cycles / 10; i++)); do
		run_gscope record 0 record -p "${target[target]}" -d 50ms --probes inline -o "$i.gscope"
	done
	undisturbed target
	# the last one is a whole capture
	run_gscope dump 0 dump --transitions "$((i - 1)).gscope"
	go_trace "$((i - 1)).gscope"
	work target
	quit target
	echo "Go $1, $2: $i whole ones; $(cat soaked)"
}
for release in "${releases[@]}"; do
	for variant in plain pie cgo pgo race; do
		[ "$release $variant" != '1.19 pgo' ] || continue
		case "$release $variant" in
		"$newest plain" | "$oldest plain") rare='' ;;
		*) rare=-x ;;
		esac
		add $rare "inline-soak-$release-$variant" strain "$release" $variant
		need "$release" strain $variant
	done
done

# kills RELEASE VARIANT: whoever redirects calls is killed SOAK_KILLS times, in the first and last moments
kills() {
	start_target target "$1" strain "$2"
	"${GSCOPE%/*}/soak" -f $RANDOM -k "${SOAK_KILLS:-60}" "${target[target]}" >killed 2>wrong ||
		fail "$(head -n 1 wrong); $(head -n 1 target.err)"
	undisturbed target
	# it has checked each of its answers
	work target
	quit target
	echo "Go $1, $2: $(cat killed)"
}
for release in "${releases[@]}"; do
	for variant in plain pie cgo race; do
		case "$release $variant" in
		"$newest plain" | "$oldest plain") rare='' ;;
		*) rare=-x ;;
		esac
		add $rare "inline-kills-$release-$variant" kills "$release" $variant
		need "$release" strain $variant
	done
done
