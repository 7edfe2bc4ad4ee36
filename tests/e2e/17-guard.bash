# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What is left out: to keep a budget, and as asked for.

# has_step CAPTURE FROM-TO: in what is written by now
has_step() {
	[ "$("$GSCOPE" dump --events "$1" 2>/dev/null | grep -c " shed step $2 ")" != 0 ]
}

await_step() {
	await "the step $2" has_step "$1" "$2"
}

# steps_follow: of dump.out, each from the level before it to a neighbour; the first sheds stacks, for
# an overhead above the budget; probes go and come by turns; nothing tells what goroutines do in
# between, but for programs that were under way; and at no level but the first with a stack
steps_follow() {
	awk '
		function wrong(what) { print what ": " $0; bad = 1; exit 1 }
		function number(text) { sub(/.*=/, "", text); sub(/%/, "", text); return text + 0 }
		BEGIN { n = split("all no-stacks windows kernel", names, " ")
			for (i = 1; i <= n; i++) rank[names[i]] = i; level = "all" }
		$4 != "shed" && / (park|ready|create) / && $4 ~ /^go/ {
			if (off && ++late > 16) wrong("goroutines are seen without probes")
			if (quiet && / stack=/) wrong("a stack that was to be left out")
		}
		$4 != "shed" { next }
		$5 == "asked" { asked++ }
		$5 == "step" {
			split($6, step, "->")
			if (step[1] != level) wrong("a step from another level")
			if (rank[step[2]] - rank[step[1]] != 1 && rank[step[1]] - rank[step[2]] != 1)
				wrong("a step over a level")
			if (!steps++ && (step[2] != "no-stacks" || number($7) <= number($8)))
				wrong("not the first step")
			level = step[2]
			quiet = 0
		}
		$5 == "probes-off" { if (off) wrong("they are off"); off = 1; quiet = 1; late = 0 }
		$5 == "probes-on" { if (!off) wrong("they are on"); off = 0 }
		$5 == "summary" { summary++; if ($6 != "level=" level) wrong("another level at the end") }
		END { if (bad) exit 1
			if (asked != 1 || summary != 1 || !steps) { print "asked, summary, steps:", asked, summary, steps; exit 1 } }
	' dump.out >wrong || fail "$(head -n 1 wrong)"
}

# shed_traced: the Go trace of capture.gscope is one, and tells of each step and each time without probes; only
# a trace in which no goroutine runs cannot, and then export says so
shed_traced() {
	run_gscope export 0 export -f go -o trace.out capture.gscope
	accept trace.out
	events_of trace.out >parsed
	if ! grep -q 'G=[0-9]' parsed; then
		grep -q '^gscope: the Go trace does not say what was left out to keep the budget, ' export.err ||
			fail 'neither the Go trace nor export says what was shed'
		return
	fi
	! grep -q 'the Go trace does not say' export.err || fail "$(cat export.err)"
	grep -q 'gscope: detail shed' parsed || fail 'the Go trace does not say what was shed'
	grep -Eq 'no stacks from here on: tracing (was predicted to )?cost [0-9.]*%, the budget is' parsed ||
		fail 'the Go trace does not say why'
	[ "$(grep -c 'TaskBegin .*gscope: detail ' parsed)" = "$(grep -c ' shed step ' dump.out)" ] ||
		fail 'the Go trace does not have all steps'
	grep -q 'TaskBegin .*gscope: probes off' parsed || fail 'the Go trace does not say when there were no probes'
	grep -q 'goroutines not seen for [0-9]* us within [0-9]* us' parsed ||
		fail 'the Go trace does not say for how long there were no probes'
}

guard_windows() {
	start_target target "$1" busy plain
	start_gscope record record -p "${target[target]}" -d 10m --max-overhead 25% -o capture.gscope
	await_tracing record capture.gscope
	await_step capture.gscope 'no-stacks->windows'
	await 'probes to come back' has_windows capture.gscope
	work target
	await_step capture.gscope 'no-stacks->all'
	is_probed target || fail 'there are no probes although all is recorded'
	stop_gscope record
	await_intact target
	quit target
	grep -q 'detail was left out.*--max-overhead off' record.err || fail 'it does not say that it left out detail'
	run_gscope dump 0 dump --events capture.gscope
	steps_follow
	shed_traced
	grep -q 'gscope: detail taken back' parsed || fail 'the Go trace does not say what was taken back'
	run_gscope report 0 report capture.gscope
	grep -q '^Detail was left out to keep the overhead below 25\.0%:$' report.out || fail 'not in the report'
	grep -Eq '^  at [0-9.]+s shed stacks; tracing (was predicted to )?cost [0-9.]+%$' report.out || fail 'no step in the report'
	grep -Eq '^  at [0-9.]+s taken back: stacks again; ' report.out || fail 'no step back in the report'
	grep -Eq '^  goroutines were seen for .* of ' report.out || fail 'no time without probes in the report'
	! grep -q 'contradiction' report.out || fail "$(grep -A 5 contradiction report.out | tr -s '\n ' ' ')"
}

# stated NAME PATTERN: the number in front of % in the line of NAME.out that begins so
stated() {
	sed -n "s/^$2 \([0-9.]*\)%.*/\1/p" "$1.out" | head -n 1
}

# What is predicted before anything is attached is about what is measured. Both as parts of all the CPU time: what the
# target uses itself is the small difference of two large numbers. Where CPUs are scarce it does not do the same at both times.
guard_predicts() {
	local predicted measured

	start_target target "$1" busy plain
	start_gscope record record -p "${target[target]}" -d 2s --max-overhead off -o capture.gscope
	await_gscope record 0
	work target
	quit target
	run_gscope report 0 report capture.gscope
	predicted=$(stated report 'Before anything was attached, recording all was predicted to add')
	measured=$(stated report 'That is')
	if [ -z "$predicted" ] || [ -z "$measured" ]; then fail 'no prediction, or nothing measured'; fi
	awk -v p="$predicted" -v m="$measured" 'BEGIN { p /= 100 + p; m /= 100 + m; exit !(p < 2 * m && m < 2 * p) }' ||
		fail "predicted: $predicted %, measured: $measured %"
}

# all of the run is within the budget, its beginning, too: nothing is recorded first that costs too much
guard_begins() {
	local spent

	start_target target "$newest" busy plain
	for duration in 600ms 3s; do
		run_gscope record 0 record --max-overhead 25% -p "${target[target]}" -d "$duration" -o capture.gscope
		run_gscope report 0 report capture.gscope
		grep -Eq '^  at 0\.000s shed goroutines, but for short windows; tracing was predicted to cost' report.out ||
			fail "it begins with everything: $(grep -m 1 ' shed ' report.out)"
		spent=$(stated report 'That is')
		awk -v s="$spent" 'BEGIN { exit !(s != "" && s <= 30) }' || fail "in $duration it adds $spent %"
		grep -q '; the budget is 25\.0%\.$' report.out || fail 'the budget is not beside what was spent'
		! grep -q 'contradiction' report.out || fail "$(grep -A 5 contradiction report.out | tr -s '\n ' ' ')"
	done
	run_gscope dump 0 dump --events capture.gscope
	steps_follow
	grep -q ' shed probes-on ' dump.out || fail 'goroutines are never seen'
	shed_traced
	work target
	quit target
}

# A budget is one target's: of one that does little nothing is left out, whatever another one costs.
guard_each() {
	start_target busy "$newest" busy plain
	start_target calm "$newest" chans plain
	start_gscope record record -p "${target[busy]}" -p "${target[calm]}" -d 10m --max-overhead 100% -o capture.gscope
	await_tracing record capture.gscope 2
	await_step capture.gscope 'no-stacks->windows'
	await 'probes to come back' has_windows capture.gscope
	work calm
	stop_gscope record
	await_intact calm
	work busy
	quit busy
	quit calm
	same_counts calm capture.gscope -p "${target[calm]}"
	run_gscope dump 0 dump --events capture.gscope
	! grep -E " T${target[calm]} shed (step|probes-)" dump.out >wrong || fail "$(head -n 1 wrong)"
	grep -q " T${target[busy]} shed probes-on " dump.out || fail 'nothing is left out of the busy one'
	run_gscope report 0 report capture.gscope
	grep -Eq "^  at [0-9.]+s process ${target[busy]}: shed goroutines, but for short windows; " report.out || fail 'the report does not say of which'
	grep -Eq "^  goroutines of process ${target[busy]} were seen for " report.out || fail 'the report does not say for how long'
	grep -Eq "^  process ${target[calm]}: [0-9.]+%$" report.out || fail 'the report does not say what each has cost'
	! grep -q 'contradiction' report.out || fail "$(grep -A 5 contradiction report.out | tr -s '\n ' ' ')"
	run_gscope export 0 export -f go -p "${target[calm]}" -o trace.out capture.gscope
	accept trace.out
	events_of trace.out >parsed
	! grep -m 1 -E 'gscope: (detail|probes)' parsed || fail 'the Go trace of the calm one tells of the other one'
}

has_windows() {
	[ "$("$GSCOPE" dump --events "$1" 2>/dev/null | grep -c ' shed probes-on ')" -ge 2 ]
}

is_probed() {
	[ "$(text_bytes "$1")" -gt 0 ]
}

guard_kernel() {
	start_target target "$1" busy plain
	start_gscope record record -p "${target[target]}" -d 10m --max-overhead 0.1% -o capture.gscope
	await_tracing record capture.gscope
	await_step capture.gscope 'windows->kernel'
	stop_gscope record
	await_intact target
	work target
	quit target
	run_gscope dump 0 dump --events capture.gscope
	steps_follow
	shed_traced
	run_gscope report 0 report capture.gscope
	grep -q 's shed goroutines: threads and system calls are left; ' report.out || fail 'not in the report'
	! grep -q 'contradiction' report.out || fail "$(grep -A 5 contradiction report.out | tr -s '\n ' ' ')"
}

# by default there is a budget, which a program that has nothing to do does not use up
guard_idle() {
	start_target target "$newest" idle plain
	run trace 0 "$GSCOPE" trace -p "${target[target]}" -d 2s -o trace.out </dev/null
	run record 0 "$GSCOPE" record -p "${target[target]}" -d 2s -o capture.gscope </dev/null
	! grep -q 'left out' trace.out record.err trace.err || fail 'an idle program is too much'
	run_gscope dump 0 dump --events capture.gscope
	grep -q ' shed asked level=all budget=25\.00%$' dump.out || fail 'there is no budget'
	! grep -q ' shed step ' dump.out || fail "$(grep -m 1 ' shed step ' dump.out)"
	accept trace.out
	work target
	quit target
}

no_stacks() {
	start_target target "$1" chans plain
	record_work target --no-stacks
	whole capture.gscope
	run_gscope export 0 export -f go -o trace.out capture.gscope
	accept trace.out
	run_gscope dump 0 dump --events capture.gscope
	grep -q ' go park ' dump.out || fail 'no goroutine blocks'
	! grep -E '^> [^ ]+ T[0-9]+ (go|go_create|sys_enter|runtime) ' dump.out | grep -v ' go yield ' | grep ' stack=' >wrong ||
		fail "$(head -n 1 wrong)"
	run_gscope report 0 report capture.gscope
	grep -q '^Stacks of goroutines were left out, as asked for\.$' report.out || fail 'the report does not say so'
}

# whoever asked to yield did not have the CPU taken away, and that needs a leaf
no_stacks_yields() {
	start_target target "$1" busy plain
	start_gscope record record -p "${target[target]}" -d 10m --no-stacks -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	quit target
	run_gscope dump 0 dump --transitions capture.gscope
	grep -q ' stop (runtime.Gosched)' dump.out || fail 'nobody yields'
	! grep ' stop (runtime.Gosched)' dump.out | grep -m 1 ' stack=' || fail 'a yield has a stack'
}

# one in three, and always the same ones
sampled_stacks() {
	start_target target "$1" chans plain
	record_work target --sample-goroutines 1/3
	whole capture.gscope
	run_gscope export 0 export -f go -o trace.out capture.gscope
	accept trace.out
	run_gscope dump 0 dump --events capture.gscope
	awk '$4 == "go" && $5 == "park" { if (/ stack=/) with[$6]++; else without[$6]++ }
		END {
			for (g in with) { n++; if (g in without) { print g " has and has not"; exit 1 } }
			for (g in without) m++
			if (!n || m < n) { print n " with stacks, " m " without"; exit 1 }
		}' dump.out >wrong || fail "$(cat wrong)"
	run_gscope report 0 report capture.gscope
	grep -q '^Stacks are those of one goroutine in 3, as asked for\.$' report.out || fail 'the report does not say so'
}

for release in "${thorough[@]}"; do
	add "guard-windows-$release" guard_windows "$release"
	need "$release" busy plain
	add "no-stacks-$release" no_stacks "$release"
	need "$release" chans plain
done
for release in "${releases[@]}"; do
	add "guard-predicts-$release" guard_predicts "$release"
	need "$release" busy plain
done
add guard-begins guard_begins
need "$newest" busy plain
add guard-each guard_each
need "$newest" busy plain
need "$newest" chans plain
add guard-kernel guard_kernel "$newest"
need "$newest" busy plain
add guard-idle guard_idle
need "$newest" idle plain
add no-stacks-yields no_stacks_yields "$newest"
need "$newest" busy plain
add sampled-stacks sampled_stacks "$newest"
need "$newest" chans plain
