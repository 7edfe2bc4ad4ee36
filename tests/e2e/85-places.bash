# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Where a program lives: other namespaces, a root of its own, a file that is gone or another one.
# gscope reaches all of it through /proc/PID and never by a path.

# program_at PATH: a Go program that counts what it does
program_at() {
	cp "$("$top/tests/targets/build" "$newest" chans plain)" "$1"
}

# inner NAME: target "target" is the single child of target NAME, which passes its words on
inner() {
	await_ready "$1"
	target[target]=$(pgrep -P "${target[$1]}")
	started+=("${target[target]}")
}

# recorded [NAME]: what target "target", started by NAME, does is recorded, and is what it says
recorded() {
	local by=${1-target}

	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work "$by"
	stop_gscope record
	await_intact target
	quit "$by"
	whole capture.gscope
	grep -q 'main\.' whole.out || fail 'the report has no names of functions'
	same_counts "$by" capture.gscope
}

# In a mount namespace, at a path that is none here.
mount_namespace() {
	mkdir root
	# shellcheck disable=SC2016
	start target unshare -m --propagation private bash -c '
		mount -t tmpfs tmpfs "$1" && cp "$2" "$1/nowhere" && exec chroot "$1" /nowhere' \
		bash "$dir/root" "$("$top/tests/targets/build" "$newest" chans plain)"
	await_ready target
	[ ! -e root/nowhere ] || fail 'the program has a path here'
	recorded
}
add place-mount-namespace mount_namespace
need "$newest" chans plain

# The same by pivot_root, in a user namespace: root there is nobody here.
user_namespace() {
	mkdir -m 755 root root/bin
	program_at root/bin/program
	unshare -Ur true 2>/dev/null || skip 'this kernel makes no user namespaces'
	start outer unshare -Urpf --mount-proc chroot root /bin/program
	inner outer
	recorded outer
}
add place-user-namespace user_namespace
need "$newest" chans plain

# PID namespaces in PID namespaces: three numbers for every thread.
nested_pid_namespaces() {
	start outer unshare -pf --mount-proc unshare -pf --mount-proc \
		"$("$top/tests/targets/build" "$newest" chans plain)"
	await_ready outer
	target[target]=$(pgrep -P "$(pgrep -P "${target[outer]}")")
	started+=("${target[target]}")
	recorded outer
	# every thread by the number it has here, and no other
	run_gscope dump 0 dump --transitions capture.gscope
	grep -o ' M[0-9][0-9]*' dump.out | sort -u >threads
	[ -s threads ] || fail 'no thread was seen'
	while IFS= read -r thread; do
		[ "${thread# M}" -gt 100 ] || fail "$thread is a number of the inner namespace"
	done <threads
}
add place-pid-namespaces nested_pid_namespaces
need "$newest" chans plain

chrooted() {
	mkdir root
	program_at root/program
	start target chroot root /program
	await_ready target
	recorded
}
add place-chroot chrooted
need "$newest" chans plain

# By now its path leads to another program, which has nothing where the first one has its probes.
replaced() {
	program_at program
	start target ./program
	await_ready target
	cp "$("$top/tests/targets/build" "$newest" http plain)" new
	mv new program
	start other ./program 1000000000
	await_ready other
	recorded
	is_intact other
}
add place-replaced replaced
need "$newest" chans plain
need "$newest" http plain

# Its file has another name, then none.
renamed() {
	program_at program
	start target ./program
	await_ready target
	mv program elsewhere
	start_gscope record record -p "${target[target]}" -d 200ms -o first.gscope
	await_gscope record 0
	whole first.gscope
	rm elsewhere
	recorded
}
add place-renamed renamed
need "$newest" chans plain

on_tmpfs() {
	mkdir small
	mount -t tmpfs tmpfs small
	mounted+=("$dir/small")
	program_at small/program
	start target small/program
	await_ready target
	recorded
}
add place-tmpfs on_tmpfs
need "$newest" chans plain

# Never in any directory.
memfd() {
	start target "$tool" memfd "$("$top/tests/targets/build" "$newest" chans plain)"
	await_ready target
	[[ $(readlink "/proc/${target[target]}/exe") == /memfd:* ]] || fail 'it has a file'
	recorded
}
add place-memfd memfd
need "$newest" chans plain

# overlay [LOWER]: with a program in the lower layer
overlay() {
	mkdir lower upper work merged
	program_at lower/program
	mount -t overlay -o "lowerdir=${1-$dir/lower},upperdir=$dir/upper,workdir=$dir/work" \
		overlay merged
	mounted+=("$dir/merged")
}

overlay_lower() {
	overlay
	start target merged/program
	await_ready target
	recorded
}
add place-overlay-lower overlay_lower
need "$newest" chans plain

overlay_upper() {
	overlay
	chmod 700 merged/program
	[ -e upper/program ] || fail 'the program is not in the upper layer'
	start target merged/program
	await_ready target
	recorded
}
add place-overlay-upper overlay_upper
need "$newest" chans plain

overlay_deleted() {
	overlay
	start target merged/program
	await_ready target
	rm merged/program
	recorded
}
add place-overlay-deleted overlay_deleted
need "$newest" chans plain

# Copied up while it runs: it runs the file below, and its path leads to the one above.
overlay_copied() {
	overlay
	start target merged/program
	await_ready target
	chmod 700 merged/program
	recorded
}
add place-overlay-copied overlay_copied
need "$newest" chans plain

# The same in a container: the path begins elsewhere.
overlay_copied_inside() {
	overlay
	start outer unshare -pf chroot merged /program
	inner outer
	chmod 700 merged/program
	recorded outer
}
add place-overlay-inside overlay_copied_inside
need "$newest" chans plain

# The same where nobody can tell which file is below.
overlay_lost() {
	overlay lower
	start target merged/program
	await_ready target
	chmod 700 merged/program
	threads_only 'another file' "${target[target]}"
	is_intact target
	work target
	quit target
}
add place-overlay-lost overlay_lost
need "$newest" chans plain

# All at once, like a container of an image from scratch; and who may not trace there is told so.
container() {
	mkdir -m 755 root
	program_at root/program
	chmod 755 root/program
	start outer "$tool" contain "$dir/root" /program 65533
	inner outer
	[ "$(stat -c %u "/proc/${target[target]}")" = 65533 ] || fail 'it runs as another user'
	grep -q '^CapBnd:[[:space:]]*0*$' "/proc/${target[target]}/status" || fail 'it has capabilities'
	grep -q '^Seccomp:[[:space:]]*2$' "/proc/${target[target]}/status" || fail 'it has no filter'
	recorded outer
}
add place-container container
need "$newest" chans plain

# Not root, but with the capabilities it asks for: enough for another user's process anywhere.
capable() {
	local caps=+bpf,+perfmon,+sys_ptrace,+dac_read_search

	mkdir -m 755 root
	program_at root/program
	chmod 755 root/program
	start outer "$tool" contain "$dir/root" /program 65533
	inner outer
	mkdir -m 777 out
	cp "$GSCOPE" out/gscope
	chmod 755 out/gscope
	# who cannot walk to this folder can be in it
	cd out || fail 'no folder for the capture'
	run record 0 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,$caps \
		--ambient-caps=$caps ./gscope record -p "${target[target]}" -d 200ms -o capture.gscope
	whole capture.gscope
	grep -q '^[1-9][0-9]* goroutines seen' whole.out || fail 'no goroutines were seen'
	caps=+bpf,+perfmon
	run less 1 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,$caps \
		--ambient-caps=$caps ./gscope record -p "${target[target]}" -d 200ms -o less.gscope
	one_line less 'CAP_SYS_PTRACE'
	cd ..
	await_intact target
	work outer
	quit outer
}
add place-capable capable
need "$newest" chans plain

# what runs a COMMAND where /proc is mounted so: OPTIONS COMMAND...
# shellcheck disable=SC2016
with_proc=(unshare -m --propagation private
	bash -c 'mount -t proc -o "$1" proc /proc && shift && exec "$@"' bash)

hidden() {
	local how place

	start_target target "$newest" chans plain
	place=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$place'; end_case" EXIT
	cp "$GSCOPE" "$place/gscope"
	chmod 755 "$place" "$place/gscope"
	for how in noaccess invisible ptraceable; do
		"${with_proc[@]}" hidepid=$how true 2>/dev/null || skip "/proc cannot be mounted with hidepid=$how"
		run "$how" 0 "${with_proc[@]}" hidepid=$how "$GSCOPE" record -p "${target[target]}" -d 200ms \
			-o $how.gscope
		whole $how.gscope
		grep -q '^[1-9][0-9]* goroutines seen' whole.out || fail "no goroutines with hidepid=$how"
		run "$how" 1 "${with_proc[@]}" hidepid=$how setpriv --reuid=65534 --regid=65534 --clear-groups \
			--inh-caps=-all "$place/gscope" trace -p "${target[target]}" -d 1s -o /dev/null
		one_line $how 'root.*CAP_'
	done
	is_intact target
	work target
	quit target
}
add place-hidepid hidden
need "$newest" chans plain

no_proc() {
	start_target target "$newest" chans plain
	# shellcheck disable=SC2016
	run none 1 unshare -m --propagation private bash -c 'umount -l /proc && exec "$@"' \
		bash "$GSCOPE" record -p "${target[target]}" -d 1s -o capture.gscope
	one_line none '/proc is not mounted.*mount -t proc'
	# shellcheck disable=SC2016
	run all 1 unshare -m --propagation private bash -c 'umount -l /proc && exec "$@"' \
		bash "$GSCOPE" record -a -d 1s -o capture.gscope
	one_line all '/proc is not mounted.*mount -t proc'
	# the PIDs of the host, seen from a namespace of their own
	run inner 1 unshare -pf "$GSCOPE" record -p "${target[target]}" -d 1s -o capture.gscope
	one_line inner 'another PID namespace.*mount'
	# the PIDs of a container, seen from the host
	start outer unshare -pf --mount-proc "$("$top/tests/targets/build" "$newest" idle plain)"
	await_ready outer
	# shellcheck disable=SC2016
	run host 1 nsenter -m -t "$(pgrep -P "${target[outer]}")" "$GSCOPE" record -p 1 -d 1s -o "$dir/c"
	one_line host 'another PID namespace'
	[ -z "$(ls capture.gscope c 2>/dev/null)" ] || fail 'a capture was left'
	tell outer go
	await 'the work in the container' has_lines outer.out 2
	tell outer quit
	is_intact target
	work target
	quit target
}
add place-no-proc no_proc
need "$newest" chans plain
need "$newest" idle plain

# A breakpoint is in a file's page, and others run the same file: theirs stay as they are.
one_of_two() {
	start_target target "$1" chans plain
	start_target other "$1" chans plain
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	[ "$(text_bytes target)" -gt 0 ] || fail 'no breakpoint is in the target while it is traced'
	is_intact other || fail 'breakpoints are in the other process'
	work other
	work target
	is_intact other || fail 'breakpoints are in the other process'
	stop_gscope record
	await_intact target
	quit target
	quit other
	whole capture.gscope
	same_counts target capture.gscope
	run_gscope dump 0 dump -v capture.gscope
	! grep -q "tgid=${target[other]}\b" dump.out || fail 'the other process was recorded'
}
for release in "$oldest" "$newest"; do
	add "one-of-two-$release" one_of_two "$release"
	need "$release" chans plain
done

# Stopped by a signal: it is traced from where it goes on.
stopped() {
	start_target target "$newest" chans plain
	kill -STOP "${target[target]}"
	await 'the target to stop' grep -q '^State:.*T' "/proc/${target[target]}/status"
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	kill -CONT "${target[target]}"
	work target
	stop_gscope record
	await_intact target
	quit target
	whole capture.gscope
	same_counts target capture.gscope
}
add target-stopped stopped
need "$newest" chans plain

# A debugger or strace has it already.
debugged() {
	start_target target "$newest" chans plain
	start debugger "$tool" seize "${target[target]}"
	await_ready debugger
	recorded
}
add target-debugged debugged
need "$newest" chans plain

# The target ends while gscope attaches, at one moment or another.
ends_at_once() {
	local after

	for after in 0 0.01 0.02 0.03 0.05 0.08 0.1 0.13 0.16 0.2 0.3 0.5 0.8; do
		start_target target "$newest" chans plain
		start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
		sleep $after
		kill -KILL "${target[target]}"
		await_gscope record 0 3
		echo "after $after: $last_status $(head -n 1 record.err)"
		! grep -v '^gscope: ' record.err || fail 'a message of another kind'
		if [ "$last_status" = 0 ]; then
			run_gscope report 0 report capture.gscope
		else
			one_line record 'no such process|ended|zombie'
		fi
		rm -f capture.gscope
	done
}
add target-ends-at-once ends_at_once
need "$newest" chans plain

# Go in a library, which is gone from the disk since it was loaded, and so is the program.
library_deleted() {
	local program

	program=$("$top/tests/targets/build" "$newest" mix cshared)
	cp "$program" program
	cp "$program.so" "${program##*/}.so"
	start target ./program
	await_ready target
	rm program "${program##*/}.so"
	recorded
}
add place-library-deleted library_deleted
need "$newest" mix cshared

# The library is copied to the upper layer of an overlay while it is in use.
library_copied() {
	local program

	program=$("$top/tests/targets/build" "$newest" mix cshared)
	overlay
	cp "$program" lower/program
	cp "$program.so" "lower/${program##*/}.so"
	start target merged/program
	await_ready target
	chmod 700 "merged/${program##*/}.so"
	[ -e "upper/${program##*/}.so" ] || fail 'the library was not copied'
	recorded
}
add place-library-copied library_copied
need "$newest" mix cshared
