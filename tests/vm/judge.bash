# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034
#
# What a kernel let gscope do, from what tests/vm/guest brought back. Uses the library of the
# end-to-end tests; its functions end the shell they run in, hence the subshells.

needs_release=5.15 # README.md
may_miss=20 # events, of 10,000 and more

# at_least RELEASE: of the kernel in question
at_least() {
	[ "$(printf '%s\n' "$1" "$release" | sort -V | head -n 1)" = "$1" ]
}

# expect FILE VALUE WHAT
expect() {
	[ "$(cat "$1")" = "$2" ] || fail "$3: $(head -c 200 "$1")"
}

# fdinfo of the collector while it traced: programs by type, links by type
count_fdinfo() {
	grep -cE "^$2:[[:space:]]*$3\$" "$1/fdinfo" || true
}

describe() {
	local typed raw perf multi single

	typed=$(count_fdinfo "$1" prog_type 26)
	raw=$(count_fdinfo "$1" prog_type 17)
	perf=$(count_fdinfo "$1" prog_type 5)
	multi=$(count_fdinfo "$1" link_type uprobe_multi)
	# perf tracepoints have links of the same type
	single=$(($(count_fdinfo "$1" link_type perf) - perf))
	case $typed:$raw in
	0:0) tracepoints='none' ;;
	*:0) tracepoints='tp_btf' ;;
	0:*) tracepoints='raw_tp' ;;
	*) tracepoints='tp_btf and raw_tp' ;;
	esac
	[ "$perf" = 0 ] || tracepoints="$tracepoints, perf for system calls"
	case $multi:$single in
	0:0) probes='none' ;;
	*:0) probes='uprobe_multi' ;;
	0:*) probes="$single uprobes one by one" ;;
	*) probes="uprobe_multi and $single uprobes" ;;
	esac
}

# left_nothing DIR: neither in the kernel nor in the target, which did its work
left_nothing() {
	[ ! -s "$1/why" ] || fail "$(cat "$1/why")"
	if [ "$name" = host ]; then
		# others may use BPF meanwhile: look for gscope's own
		sed -n 's/^prog_id:[[:space:]]*//p' "$1/fdinfo" | sort -u >"$dir/own"
		! grep -qxFf "$dir/own" "$1/left" || fail 'BPF programs are left behind'
	else
		[ ! -s "$1/left" ] || fail "BPF programs are left behind: $(wc -l <"$1/left")"
	fi
	expect "$1/target.status" 0 'the target does not end as it should'
	grep -q '"groups"' "$1/target.json" || fail 'the target did not finish its work'
}

# hits of the probes in these functions
hit() {
	local function

	for function in "$@"; do
		grep -Eq " site [0-9]+ .* in runtime\.$function hits=[1-9]" events ||
			fail "no hit in runtime.$function"
	done
}

# few_repairs DIR REPORT: none, but where a thread that the kernel takes from its CPU at the end of
# a system call loses its P before the runtime knows of the end: the replay took it for running
few_repairs() {
	local line

	line=$(grep -m 1 'repaired:$' "$2") || return 0
	if sed -n '/repaired:$/,/^[^ ].*[^:]$/s/^  [0-9]* times: //p' "$2" | grep -vqx \
		-e "a running goroutine's stop was not seen" -e "a goroutine's start was not seen"; then
		fail "$1: $(grep -A 5 'repaired:$' "$2" | tr '\n' ' ')"
	fi
	echo "${line%% *}" >>repaired
}

# nothing_lost DIR REPORT: or it is said. From Linux 7.0 on, the kernel now and then does not run a
# tracepoint's program while another task of the CPU is in the midst of it, or uses a map. It
# counts that for all tasks; few can be traced ones here, as their numbers are compared, too.
nothing_lost() {
	local line lost

	few_repairs "$1" "$2"
	! grep -q '^No event was lost\.$' "$2" || return 0
	line=$(grep -m 1 '^WARNING: .* lost (' "$2") || fail "$1: it does not say what was lost"
	lost=$(sed -nE 's/^WARNING: ([0-9]+) .*/\1/p' <<<"$line")
	if ! at_least 7.0 || [ "$lost" -gt $may_miss ] || [[ $line == *[0-9]' goroutine'* ]] ||
		[[ $line == *[0-9]' stack'* ]]; then
		fail "$1: $line"
	fi
	echo "$lost" >>lost
}

judge_recorded() {
	expect record/status 130 "record: wrong exit status, $(tail -n 1 record/err)"
	left_nothing record
	[ "$(cat record/text.during)" -gt 0 ] || fail 'no breakpoint was in the target'
	run_gscope whole 0 report record/capture.gscope
	nothing_lost record whole.out
	"$GSCOPE" dump --events record/capture.gscope >events
	hit execute park_m ready
	cp record/target.json record.json
	same_counts record record/capture.gscope
}

# same_calls DIR REPORT: the numbers of system calls are those the program counted
same_calls() {
	local call count

	for call in pread64 getppid nanosleep; do
		count=$(grep -o "\"$call\":[0-9]*" "$1/target.json" | cut -d : -f 2)
		awk -v name="$call" '$NF == name { print $1 }' "$2" | grep -qx "$count" ||
			fail "$1: not $count system calls $call: $(grep "$call" "$2")"
	done
}

judge_traced() {
	expect trace/status 0 "trace: wrong exit status, $(tail -n 1 trace/err)"
	left_nothing trace
	nothing_lost trace trace/report
	grep -q 'the capture ended when the traced program ended' trace/report ||
		fail "trace: $(grep 'the capture ended' trace/report)"
	accept trace/trace.out
	same_calls trace trace/report
}

# level kernel: they are those of goroutines
judge_kernel() {
	expect kernel/status 130 "kernel: wrong exit status, $(tail -n 1 kernel/err)"
	left_nothing kernel
	expect kernel/text.during 0 'kernel: the code of the target is not as in its file'
	run_gscope kernel 0 report kernel/capture.gscope
	nothing_lost kernel kernel.out
	same_calls kernel kernel.out
}

judge_refused() {
	local what

	for what in record trace kernel; do
		expect $what/status 1 "$what: wrong exit status"
		[ "$(wc -l <$what/err)" = 1 ] || fail "$what: not one line: $(head -c 300 $what/err)"
		grep -q "Linux $needs_release" $what/err ||
			fail "$what: does not say what it needs: $(cat $what/err)"
		[ ! -s $what/report ] || fail "$what: it reports something"
		if [ -e $what/trace.out ] || [ -e $what/capture.gscope ]; then
			fail "$what: it leaves a file behind"
		fi
		expect $what/text.during 0 "$what: the code of the target is not as in its file"
		left_nothing $what
	done
}

sum() {
	awk '{ n += $1 } END { print n }' "$1"
}

# judge NAME WAY: sets title, sort, told, tracepoints, probes, result; fails if it is not right.
# Not to be called in a condition.
judge() {
	local name=$1 way=$2 out=$top/build/vm/run/$1 release version dir verdict status what
	release=$(cat "$out/release")
	version=$(grep -o 'Debian [0-9.]*' "$out/version" | sed 's/Debian //') || version=${release%%-*}

	sort=$version
	title="Linux $version"
	[ "$name" != host ] || title="$title, the machine's own"
	told='as it is'
	[ "$way" = offered ] || told='fallbacks forced'
	dir=$out/$way
	rm -rf "$dir"
	mkdir -p "$dir"
	for what in record trace kernel; do
		mv "$out/$way-$what" "$dir/$what" || return 1
		touch "$dir/$what"/{fdinfo,left}
	done
	describe "$dir/record"
	verdict=judge_both
	result='works'
	if ! at_least $needs_release; then
		verdict=judge_refused
		result="refused: $(head -n 1 "$dir/trace/err")"
	fi
	# not in a condition, where set -e would do nothing
	(
		set -eE
		trap 'blame "$?" "$BASH_COMMAND" "$LINENO" "${BASH_SOURCE[0]##*/}"' ERR
		cd "$dir"
		$verdict
	) >"$dir/log" 2>&1
	status=$?
	if [ $status != 0 ]; then
		result=$(head -n 1 "$dir/why")
	else
		[ ! -s "$dir/repaired" ] ||
			result+="; $(sum "$dir/repaired") contradictions were repaired, and reported"
		[ ! -s "$dir/lost" ] || result+="; $(sum "$dir/lost") events were lost, and reported"
	fi
	return $status
}

judge_both() {
	judge_recorded
	judge_traced
	judge_kernel
}

# write_table: docs/kernels.md, from build/vm/run/*.rows:
# sort|title|told|tracepoints|probes|result|commit
write_table() {
	local title told tracepoints probes result commit

	{
		cat <<-EOF
			# Kernels

			Written by \`tests/vm/run --write\`, from what happened in the last run of each kernel, of the
			commit named. Each
			traced Go programs (Go $go) on two CPUs, one by \`gscope record\`, ended by a signal, one by
			\`gscope trace\`, ended by the end of the program, and one by \`gscope record --level kernel\`. *Works* means: the numbers of
			goroutines, blocks, wake-ups and system calls are those the programs counted themselves;
			the Go traces are read by \`go tool trace\` of all releases at hand; nothing had to be
			repaired and no event was lost but what is named here; code of the programs and BPF programs
			were as before when gscope had ended.

			*Fallbacks forced*: a preloaded library (\`tests/vm/old.c\`) refuses typed tracepoints and
			multi-uprobes as kernels do that have not got them. Kernels are Debian's, emulated by QEMU,
			but for that of the machine itself. Linux 5.15 and 6.6 are in no Debian release.

			| kernel | | tracepoints | probes | result | commit |
			|---|---|---|---|---|---|
		EOF
		sort -s -t '|' -k 1,1V build/vm/run/*.rows |
			while IFS='|' read -r _ title told tracepoints probes result commit; do
				echo "| $title | $told | $tracepoints | $probes | $result | $commit |"
			done
		# tests/bpf/run has written that
		echo
		sed -n '/^<!-- programs -->$/,$p' docs/kernels.md
	} >docs/kernels.md.new
	mv docs/kernels.md.new docs/kernels.md
}
