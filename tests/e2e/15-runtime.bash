# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What the runtime does besides, and what programs say of themselves, record by record: the
# numbers and texts are those of the program.

# events_of_work RELEASE PROGRAM VARIANT [ARGS]: dump.out has the records of its work
events_of_work() {
	start_target target "$1" "$2" "$3"
	record_work target "${@:4}"
	run_gscope dump 0 dump --events capture.gscope
	! grep -q ' loss ' dump.out || fail "$(grep -m 1 ' loss ' dump.out)"
}

# number KEY: of what the program printed
number() {
	sed -E "s/.*\"$1\":([0-9]+).*/\1/" target.json
}

# records KIND: how many there are
records() {
	grep -cE "^> [0-9.]+ T[0-9]+ (go|runtime|user) $1 " dump.out || true
}

# is WHAT IS WANTED
is() {
	[ "$2" = "$3" ] || fail "$1: $2, not $3"
}

# alternate BEGIN END: each begin has its end before the next one
alternate() {
	awk -v begin="$1" -v end="$2" '
		$4 != "runtime" || ($5 != begin && $5 != end) { next }
		($5 == begin) == open { print "at " $2 " " $5 " follows " $5; exit 1 }
		{ open = !open }' dump.out >wrong || fail "$(cat wrong)"
}

# Every P is taken by one thread at a time. From Go 1.26 on a thread that comes back from a system
# call takes one without saying so; before, it says so twice.
exclusive_procs() {
	awk -v twice="$1" '
		function wrong(what) { print "at " $2 " " p " is " what ": " $0; failed = 1; exit }
		{ p = "" }
		$4 == "runtime" && $5 ~ /^proc-/ { p = $0; sub(/.* which /, "", p); sub(/ .*/, "", p) }
		$4 == "go" && $5 == "sysexit-newp" && !twice { p = $7; $5 = "proc-start" }
		p == "" { next }
		$5 == "proc-start" { if (held[p] == "yes") wrong("taken twice"); held[p] = "yes"; n++ }
		$5 != "proc-start" { if (held[p] == "no") wrong("given up twice"); held[p] = "no" }
		END { if (!failed && !n) print "no P was taken"; exit failed || !n }' dump.out >wrong ||
		fail "$(cat wrong)"
}

runtime_orders() {
	alternate stw-begin stw-end
	alternate gc-begin gc-end
	case $1 in
	1.19 | 1.2[0-5]) exclusive_procs 1 ;;
	*) exclusive_procs '' ;;
	esac
}

# cycles RELEASE VARIANT: of the garbage collector
cycles() {
	events_of_work "$1" gc "$2"
	runtime_orders "$1"
	is 'GC cycles' "$(records gc-begin)" "$(number cycles)"
	# two stops for each, and each stop may change GOMAXPROCS
	[ "$(records stw-begin)" -ge $((2 * $(number cycles))) ] || fail 'there are too few stops'
	is 'spans that were swept' "$(records 'sweep-[a-z]*')" 0
	is 'looks at GOMAXPROCS' "$(records procs)" "$(records stw-begin)"
	[ "$(records assist-end)" -ge "$(records assist-begin)" ] || fail 'an assist has no end'
	run_gscope moves 0 dump --transitions capture.gscope
	grep -Eq ' gc-worker "GC \((dedicated|fractional|idle)\)"' moves.out ||
		fail 'no GC worker says what it is started for'
	! grep -E ' (gc|stw|assist)-begin G' dump.out | grep -v ' stack=' >wrong ||
		fail "$(head -n 1 wrong)"
}

# sweeps RELEASE VARIANT: what is swept to make room, in turns on each P, and whole pages of it
sweeps() {
	events_of_work "$1" gc "$2" --level full
	runtime_orders "$1"
	awk '
		$4 != "runtime" || $5 !~ /^sweep-/ { next }
		{ p = $6 ~ /^P/ ? $6 : $7; begins = $5 == "sweep-begin" }
		begins == open[p] { print "at " $2 " " p ": " $5 " follows " $5; exit failed = 1 }
		{ open[p] = begins; n++ }
		begins { next }
		{ bytes = $0; sub(/.* swept=/, "", bytes); sub(/ .*/, "", bytes) }
		bytes <= 0 || bytes % 8192 { print; exit failed = 1 }
		END { if (!failed && !n) print "nothing was swept"; exit failed || !n }' dump.out >wrong ||
		fail "$(cat wrong)"
}

# procs RELEASE PROGRAM VARIANT
procs() {
	events_of_work "$@"
	runtime_orders "$1"
}

# ccalls RELEASE VARIANT
ccalls() {
	events_of_work "$1" cgo "$2"
	runtime_orders "$1"
	is 'calls of C, and returns to it' "$(records cgo-enter)" \
		$(($(number calls) + $(number callbacks)))
	is 'returns from C, and calls from it' "$(records cgo-exit)" "$(records cgo-enter)"
	! grep ' go cgo-enter ' dump.out | grep -v ' stack=runtime.cgocall<main\._Cfunc_' >wrong ||
		fail "$(head -n 1 wrong)"
}

# What the program notes says, one by one; @ stands for ten digits.
expected_notes() {
	local digits

	printf -v digits '@%.0s' {1..102}
	cat <<EOF
log "no task" "at all"
task-begin task=1 "request"
task-begin task=2 parent=1 "part?of \x22it\x22"
log task=2 "" ""
log task=2 "Kategorie" "Straße, 日本語, 🙂"
region-begin task=2 "outer"
region-begin task=1 ""
region-end task=1 ""
start-region "until some end"
region-end task=2 "outer"
task-end task=2 ""
task-end task=1 ""
task-begin task=3 "a text that nobody has read so far; it has 64 bytes in all, yes."
task-end task=3 ""
log "${digits}0123" "${digits}0123" cut
region-begin "${digits}0123" cut
region-end "${digits}0123" cut
EOF
	case $1 in # a map in order of creation, or a sorted list; see any_order
	1.19 | 1.2[0-3])
		echo 'labels "user" "42" "path" "/?"'
		echo 'labels "user" "42" "path" "/?" "worker" ""'
		echo 'labels "user" "42" "path" "/?"'
		;;
	*)
		echo 'labels "path" "/?" "user" "42"'
		echo 'labels "path" "/?" "user" "42" "worker" ""'
		echo 'labels "path" "/?" "user" "42"'
		;;
	esac
	cat <<EOF
labels
labels "short" "s" cut
labels
labels "a" "A" "b" "B" "c" "C" "d" "D" "e" "E" "f" "F" "g" "G" "h" "H"
labels
labels of more than there is room for cut
labels
EOF
}

# any_order RELEASE: labels are a map up to Go 1.23, and those of a context are copied from the outer
# one by `range`, which begins anywhere
any_order() {
	case $1 in
	1.19 | 1.2[0-3]) sed 's/"path" "[^"]*" "user" "42" "worker"/"user" "42" "path" "\/?" "worker"/' ;;
	*) cat ;;
	esac
}

# notes RELEASE VARIANT
notes() {
	local busy kind annotator

	events_of_work "$1" notes "$2"
	annotator=$(sed -En 's/.* user log (G[0-9]+) .*"no task".*/\1/p' dump.out)
	grep " user [a-z-]* $annotator " dump.out | sed -E '
		s/^.* user //; s/ cpu=.*//; s/ G[0-9]+ P[0-9]+//; s/0123456789/@/g
		s/^labels .*"[b-j]" "[B-J]" cut$/labels of more than there is room for cut/' |
		any_order "$1" >noted
	expected_notes "$1" | diff - noted >wrong || fail "$(head -c 1000 wrong)"

	busy=$(number busy)
	for kind in task-begin task-end region-begin region-end; do
		is "$kind" "$(records $kind)" $((busy + 3))
	done
	is log "$(records log)" $((busy + 4))
	# each goroutine's in its own order, all of one task
	awk -v annotator="$annotator" '
		BEGIN { split("task-begin region-begin log region-end task-end task-begin", step) }
		BEGIN { for (i = 1; i < 6; i++) then[step[i]] = step[i + 1] }
		$4 != "user" || $6 == annotator { next }
		{ want = $6 in last ? then[last[$6]] : "task-begin" }
		$5 != want || ($5 != "task-begin" && $8 != task[$6]) { print; exit 1 }
		{ last[$6] = $5; task[$6] = $8 }' dump.out >wrong || fail "$(cat wrong)"
	# the first function of a stack is the one of the package, called by the program
	! grep -E ' user (task|region|log)[a-z-]* ' dump.out |
		grep -Ev ' stack=runtime/trace\.(\(\*Task\)\.)?[A-Z][A-Za-z]*<main\.' >wrong ||
		fail "$(head -n 1 wrong)"
}

for release in "$oldest" "$middle" "$newest"; do
	add "runtime-$release-gc-plain" cycles "$release" plain
	need "$release" gc plain
	add "runtime-$release-notes-plain" notes "$release" plain
	need "$release" notes plain
	add "runtime-$release-cgo-cgo" ccalls "$release" cgo
	need "$release" cgo cgo
done
add "runtime-$newest-sweeps-plain" sweeps "$newest" plain
need "$newest" gc plain
add -x "runtime-$middle-sweeps-stripped" sweeps "$middle" stripped
need "$middle" gc stripped
add "runtime-$newest-syscalls-plain" procs "$newest" syscalls plain
need "$newest" syscalls plain
add "runtime-$newest-notes-stripped" notes "$newest" stripped
need "$newest" notes stripped
for release in "$oldest" "$middle" "$newest"; do
	add -x "runtime-$release-gc-stripped" cycles "$release" stripped
	need "$release" gc stripped
	[ "$release" = 1.19 ] && continue # -pgo came with Go 1.20
	add -x "runtime-$release-mix-pgo" procs "$release" mix pgo
	need "$release" mix pgo
done
