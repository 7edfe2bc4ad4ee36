# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2153,SC2034
#
# What the cases of the end-to-end tests use. A case runs in a subshell of its own, in its own
# folder $dir, under set -e; it passes when it gets to its end.
#
# Targets and gscopes have names, by which the files with their output are called too.

patience=300 # seconds; nothing takes long, but machines differ
tool=$top/build/e2e-tool

root_of() {
	echo "$top/build/go/$1/usr/lib/go-$1"
}

build_tool() {
	local root

	root=$(root_of "$newest")
	(
		cd "$top/tests/e2e/tool" &&
			env GOROOT="$root" GOTOOLCHAIN=local GOENV=off GOWORK=off GOFLAGS=-mod=mod GOPROXY=off \
				GOCACHE="$top/build/gocache" GOPATH="$top/build/gocache/path" \
				XDG_CONFIG_HOME="$top/build/gocache/config" CGO_ENABLED=0 \
				"$root/bin/go" build -buildvcs=false -o "$tool" .
	)
}

# run_case NAME FUNCTION [ARGS]: as a background job; its end is the end of all it started
run_case() {
	dir=$top/build/e2e/$1
	declare -gA target=() gscope=() input=()
	started=() mounted=() last_status=''
	set -eE
	trap 'end_case' EXIT
	trap 'exit 143' TERM INT HUP
	trap 'blame "$?" "$BASH_COMMAND" "$LINENO" "${BASH_SOURCE[0]##*/}"' ERR
	cd "$dir"
	"${@:2}"
	exit 0
}

end_case() {
	local pid mount

	set +e
	trap '' TERM INT HUP
	trap - ERR
	for pid in "${started[@]}"; do
		kill -TERM "$pid" 2>/dev/null || continue
		for _ in $(seq 100); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.05
		done
		kill -KILL "$pid" 2>/dev/null
	done
	wait
	cd "$top" || exit
	for mount in "${mounted[@]}"; do umount "$mount"; done
}

# the first to blame wins
blame() {
	[ -s "$dir/why" ] || echo "$4:$3: '$2' ended with $1" >"$dir/why"
}

fail() {
	[ -s "$dir/why" ] || echo "$*" >"$dir/why"
	exit 1
}

skip() {
	echo "$*" >"$dir/why"
	exit 77
}

# await WHAT COMMAND...: until the command succeeds
await() {
	local what=$1 end=$((SECONDS + patience))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "waited in vain for $what"
		sleep 0.05
	done
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# --- targets ---------------------------------------------------------------------------------

# start NAME COMMAND...: with a pipe as standard input
start() {
	local name=$1 fd

	shift
	rm -f "$name.in"
	mkfifo "$name.in"
	: >"$name.out" # of one that had this name before
	"$@" <"$name.in" >"$name.out" 2>"$name.err" &
	target[$name]=$!
	started+=($!)
	exec {fd}>"$name.in"
	input[$name]=$fd
}

has_lines() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# start_target NAME RELEASE PROGRAM VARIANT [ARGS]: until it is ready
start_target() {
	local name=$1 program

	program=$("$top/tests/targets/build" "$2" "$3" "$4")
	start "$name" "$program" "${@:5}"
	await_ready "$name"
}

lines_or_gone() {
	has_lines "$2" "$3" || gone "$1"
}

await_ready() {
	await "$1 to be ready" lines_or_gone "${target[$1]}" "$1.out" 1
	has_lines "$1.out" 1 || fail "target $1 ended: $(head -n 1 "$1.err")"
}

tell() {
	echo "$2" >&"${input[$1]}"
}

# work NAME: let the target do its work; its counts are in NAME.json
work() {
	tell "$1" go
	await_work "$1"
}

await_work() {
	await "$1 to finish its work" lines_or_gone "${target[$1]}" "$1.out" 2
	has_lines "$1.out" 2 || fail "target $1 ended: $(head -n 1 "$1.err")"
	sed -n 2p "$1.out" >"$1.json"
}

# quit NAME: a target that was traced still does what it is told
quit() {
	local status=0

	tell "$1" quit
	await "$1 to exit" gone "${target[$1]}"
	wait "${target[$1]}" || status=$?
	[ $status = 0 ] || fail "target $1 exited with $status: $(head -n 1 "$1.err")"
}

# how many bytes of a target's code differ from its file
text_bytes() {
	"$tool" text "${target[$1]}"
}

is_intact() {
	[ "$(text_bytes "$1")" = 0 ]
}

# the kernel removes breakpoints a moment after their owner is gone
await_intact() {
	await "the code of $1 to be as in its file" is_intact "$1"
}

# --- gscope ----------------------------------------------------------------------------------

# is_itself PID: no shell any more, nor env
is_itself() {
	case $(readlink "/proc/$1/exe") in */bash | */env) return 1 ;; esac
}

# whole_args ARGS...: sets args; what is to be compared has to be all, whatever that costs, unless the case
# says otherwise
whole_args() {
	args=("$@")
	case ${1-} in trace | record) ;; *) return ;; esac
	[[ " $* " = *' --max-overhead '* ]] || args=("$1" --max-overhead off "${@:2}")
}

# start_gscope NAME ARGS...: in the background
start_gscope() {
	local name=$1 args

	shift
	whole_args "$@"
	# a job in the background of a shell without job control ignores SIGINT
	env --default-signal=INT "$GSCOPE" "${args[@]}" >"$name.out" 2>"$name.err" </dev/null &
	gscope[$name]=$!
	started+=($!)
	await "gscope $name to start" is_itself "${gscope[$name]}"
}

# await_gscope NAME STATUS...: until it ends, with one of these
await_gscope() {
	await "gscope $1 to end" gone "${gscope[$1]}"
	last_status=0
	wait "${gscope[$1]}" || last_status=$?
	expect_status "$1" "${@:2}"
}

expect_status() {
	local name=$1 wanted

	shift
	for wanted in "$@"; do
		[ "$last_status" != "$wanted" ] || return 0
	done
	fail "gscope $name ended with $last_status, not $*: $(tail -n 1 "$name.err")"
}

# stop_gscope NAME: by Ctrl-C
stop_gscope() {
	kill -INT "${gscope[$1]}"
	await_gscope "$1" 130
}

# run NAME STATUS COMMAND...: in the foreground
run() {
	local name=$1 wanted=$2

	shift 2
	last_status=0
	timeout "$patience" "$@" >"$name.out" 2>"$name.err" || last_status=$?
	expect_status "$name" "$wanted"
}

run_gscope() {
	local args

	whole_args "${@:3}"
	run "$1" "$2" "$GSCOPE" "${args[@]}" </dev/null
}

# one_line NAME PATTERN: what gscope says on standard error is this one line; what probes have cost on
# this machine, and what would cost less, does not count
one_line() {
	sed -i '/^gscope: probes cost the processes /d' "$1.err"
	[ "$(wc -l <"$1.err")" = 1 ] || fail "gscope $1 does not say one line: $(head -c 500 "$1.err")"
	grep -Eq -- "$2" "$1.err" || fail "gscope $1 says: $(cat "$1.err")"
}

# --- traces ----------------------------------------------------------------------------------

accept() {
	"$top/tests/e2e/accept" "$@" || fail "go tool trace does not accept $*"
}

# events_of TRACE: as text
events_of() {
	local release=$newest path

	path=$(root_of "$release")/pkg/tool/linux_amd64/trace
	[ -x "$path" ] || path=$top/build/tracetool/$release
	GOROOT=$(root_of "$release") "$path" -d=parsed "$1"
}

# tracing_or_gone PID CAPTURE N: the capture, which is being written, has N targets from the start
# on. The names of probe sites and events have the word "ready", too.
tracing_or_gone() {
	gone "$1" || [ "$("$GSCOPE" dump --events "$2" 2>/dev/null |
		grep -c -m "$3" ' ready tgid=[1-9]')" = "$3" ]
}

# await_tracing NAME [CAPTURE [N]]: until the gscope has N targets' goroutines and probes; without
# CAPTURE it is the one that trace keeps in memory
await_tracing() {
	local pid=${gscope[$1]} capture=${2-} link

	if [ -z "$capture" ]; then
		await "gscope $1 to begin" memory_capture "$pid"
		for link in "/proc/$pid/fd"/*; do
			[[ $(readlink "$link") != /memfd:gscope-capture* ]] || capture=$link
		done
	fi
	await "gscope $1 to trace" tracing_or_gone "$pid" "$capture" "${3-1}"
	! gone "$pid" || fail "gscope $1 ended: $(tail -n 1 "$1.err")"
}

memory_capture() {
	gone "$1" || readlink "/proc/$1/fd"/* 2>/dev/null | grep -q '^/memfd:gscope-capture'
}

# whole CAPTURE: nothing was lost, nothing had to be repaired
whole() {
	run_gscope whole 0 report "$1"
	grep -q '^No event was lost\.$' whole.out || fail "$1: $(grep -m 1 'lost' whole.out)"
	! grep -q 'repaired' whole.out || fail "$1: $(grep -A 5 'repaired' whole.out | grep -v '^[A-Z]' | tr -s '\n ' ' ')"
	! grep -q 'WARNING' whole.out || fail "$1: $(grep -m 1 'WARNING' whole.out)"
}

# lossy CAPTURE: something was lost, and the report says what
lossy() {
	run_gscope lossy 0 report "$1"
	grep -Eq '^WARNING: [1-9][0-9]* events? .*lost \(' lossy.out || fail "$1: nothing was lost"
}

# same_counts TARGET CAPTURE [ARGS]: the Go trace made with ARGS is accepted, and it has what the
# target counted; so does the dump
same_counts() {
	local name=$1

	shift
	run_gscope export 0 export -f go -o trace.out "$@"
	accept trace.out
	events_of trace.out >parsed
	run_gscope dump 0 dump --transitions "$1"
	"$tool" counts "$name.json" dump.out <parsed 2>wrong || fail "$(head -c 1000 wrong)"
}
