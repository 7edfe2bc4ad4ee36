# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Which privileges gscope needs, and that it has no others.

# of CapPrm and the like: the bits of the capabilities (include/uapi/linux/capability.h)
cap_bit() {
	case $1 in
	dac_override) echo 1 ;; dac_read_search) echo 2 ;; fowner) echo 3 ;;
	kill) echo 5 ;; sys_ptrace) echo 19 ;; sys_admin) echo 21 ;; sys_nice) echo 23 ;;
	perfmon) echo 38 ;; bpf) echo 39 ;; checkpoint_restore) echo 40 ;;
	esac
}

# status_of PID FIELD
status_of() {
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# has_at_most PID CAP...: no thread of the process has another capability in any set, or can get one
has_at_most() {
	local pid=$1 cap task field mask=0

	shift
	for cap in "$@"; do mask=$((mask | 1 << $(cap_bit "$cap"))); done
	for task in "/proc/$pid/task/"*; do
		for field in CapInh CapPrm CapEff CapBnd CapAmb; do
			[ $((0x$(sed -n "s/^$field:[[:space:]]*//p" "$task/status") & ~mask)) = 0 ] || return 1
		done
		grep -q '^NoNewPrivs:[[:space:]]*1$' "$task/status" || return 1
	done
}

# of gscope, once it has attached
tracing=(bpf perfmon sys_ptrace dac_read_search dac_override fowner checkpoint_restore)
# who redirects calls
planting=(sys_ptrace dac_read_search dac_override checkpoint_restore sys_nice kill)
# the thread that writes the file
writing=(sys_nice)

is_filtered() {
	[ "$(status_of "$1" Seccomp)" = 2 ]
}

is_tracing() {
	[ "$("$tool" text "${target[target]}")" != 0 ]
}

# who of gscope's holds a descriptor of the capture and no capability: the one that reads it
reader_of() {
	local pid

	for pid in $(pgrep -P "$1"); do
		[ "$(status_of "$pid" Seccomp)" != 2 ] || echo "$pid"
	done
}

has_reader() {
	[ -n "$(reader_of "$1")" ]
}

stages() {
	local pid reader engine helper

	start_target target "$newest" chans plain
	for engine in uprobe inline; do
		start_gscope "$engine" record -p "${target[target]}" --probes $engine -d 1h -o $engine.gscope
		pid=${gscope[$engine]}
		await "the probes of $engine to be there" is_tracing
		await "$engine to have given up what it does not need" \
			has_at_most "$pid" "${tracing[@]}" "${writing[@]}"
		await "$engine to have given up system calls" is_filtered "$pid"
		for helper in $(pgrep -P "$pid"); do
			case $(cat "/proc/$helper/comm") in
			probe-guardian) has_at_most "$helper" bpf perfmon sys_admin || fail 'the guardian has too much' ;;
			call-planter) has_at_most "$helper" "${planting[@]}" || fail 'the planter has too much' ;;
			*) fail "what is $(cat "/proc/$helper/comm")?" ;;
			esac
		done
		# more than fits into a pipe
		[ $engine = uprobe ] || work target
		kill -INT "$pid"
		await_gscope "$engine" 130
	done
	# what reads a file writes into a pipe that is not emptied: it can be looked at
	mkfifo pipe
	"$GSCOPE" dump inline.gscope >pipe 2>dump.err &
	pid=$!
	started+=("$pid")
	exec {reading}<pipe
	await 'the reader of the capture' has_reader "$pid"
	reader=$(reader_of "$pid")
	has_at_most "$pid" || fail "dump has capabilities: $(status_of "$pid" CapPrm)"
	has_at_most "$reader" || fail "the reader has capabilities: $(status_of "$reader" CapPrm)"
	exec {reading}<&-
	await 'dump to end' gone "$pid"
	await 'its reader to end' gone "$reader"
	quit target
}
add privilege-stages stages
need "$newest" chans plain

# as UID CAPS NAME STATUS ARGS...: gscope with these capabilities alone, in a folder all can write to
as() {
	local uid=$1 caps=$2 name=$3 status=$4

	shift 4
	run "$name" "$status" setpriv --reuid="$uid" --regid="$uid" --clear-groups --inh-caps="-all$caps" \
		--ambient-caps="-all$caps" ./gscope "$@"
}

# What docs/security.md says is needed: a row each, and what is missing is named.
needed() {
	local place own=,+bpf,+perfmon other=,+bpf,+perfmon,+sys_ptrace,+dac_read_search program

	program=$("$top/tests/targets/build" "$newest" chans plain)
	place=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$place'; end_case" EXIT
	mkdir -m 777 "$place/out"
	cp "$GSCOPE" "$place/out/gscope"
	cp "$program" "$place/program"
	chmod 755 "$place" "$place/program" "$place/out/gscope"
	start own setpriv --reuid=65534 --regid=65534 --clear-groups "$place/program"
	start other setpriv --reuid=65533 --regid=65533 --clear-groups "$place/program"
	await_ready own
	await_ready other
	cd "$place/out" || fail "no $place/out"

	as 65534 $own own 0 record -p "${target[own]}" -d 200ms -o own.gscope
	as 65534 $own own-inline 0 record -p "${target[own]}" -d 200ms --probes inline -o own-inline.gscope
	! grep -q 'cannot be redirected' own-inline.err || fail "$(cat own-inline.err)"
	as 65534 $own own-full 0 record -p "${target[own]}" -d 200ms --level full -o own-full.gscope
	as 65534 $own all 0 record -a -d 200ms -o all.gscope
	as 65534 $other other 0 record -p "${target[other]}" -d 200ms -o other.gscope
	as 65534 $other other-full 0 record -p "${target[other]}" -d 200ms --level full -o other-full.gscope
	as 65534 $other,+dac_override other-inline 0 record -p "${target[other]}" -d 200ms --probes inline \
		-o other-inline.gscope
	! grep -q 'cannot be redirected' other-inline.err || fail "$(cat other-inline.err)"
	# one fewer: the message names it
	as 65534 ,+perfmon no-bpf 1 record -p "${target[own]}" -d 200ms -o no.gscope
	one_line no-bpf 'bpf'
	as 65534 ,+bpf no-perfmon 1 record -p "${target[own]}" -d 200ms -o no.gscope
	one_line no-perfmon 'perfmon'
	as 65534 $own,+dac_read_search no-ptrace 1 record -p "${target[other]}" -d 200ms -o no.gscope
	one_line no-ptrace 'CAP_SYS_PTRACE as well'
	as 65534 $own,+sys_ptrace no-dac 1 record -p "${target[other]}" -d 200ms -o no.gscope
	one_line no-dac 'CAP_DAC_READ_SEARCH as well'
	as 65534 $other no-override 0 trace -p "${target[other]}" -d 200ms --probes inline -o no.trace
	one_line no-override 'calls cannot be redirected.*CAP_DAC_OVERRIDE'
	cd "$dir" || fail "no $dir"
	await_intact own
	await_intact other
	work own
	work other
	quit own
	quit other
}
add privilege-needed needed
need "$newest" chans plain
