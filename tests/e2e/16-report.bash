# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# The report of what the runtime does besides and of what programs say of themselves: it counts as
# they do, or as the dump has it.

# report_of RELEASE PROGRAM: report.out and dump.out are about its work, at level full
report_of() {
	start_target target "$1" "$2" plain
	start_gscope record record --level full -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	await_intact target
	quit target
	run_gscope report 0 report --top 0 capture.gscope
	run_gscope dump 0 dump --transitions capture.gscope
}

# told WORDS: how many transitions have them
told() {
	grep -cE " $1( |$)" dump.out || true
}

# says SED-EXPRESSION: what the report says there
says() {
	sed -En "s/$1/\\1/p" report.out
}

# rows TITLE: the table of that title, without it and the names of the columns
rows() {
	awk -v title="$1" 'on && !NF { exit } on > 1; on { on = 2 } index($0, title) == 1 { on = 1 }' report.out
}

reported_collections() {
	local sweeps

	report_of "$1" gc
	is 'GC cycles' "$(says '^([0-9]+) garbage collections?, .*')" "$(number cycles)"
	is 'stops' "$(rows 'The world was stopped' | awk '{ n += $1 } END { print n }')" "$(told stw-begin)"
	is 'mark assists' "$(says '.*goroutines ran .* in ([0-9]+) mark assists?$')" "$(told mark-assist-begin)"
	is 'their table' "$(rows 'Goroutines that had to help' | awk '{ n += $3 } END { print n }')" \
		"$(told mark-assist-begin)"
	sweeps=$(says '^Heap: .* swept in ([0-9]+) sweeps?$')
	is 'sweeps' "${sweeps:-0}" "$(told sweep-end)" # who does not sweep is not told of
	is 'samples' "$(says '^([0-9]+) CPU samples?, .*')" "$(told 'sample cpu=[0-9]+')"
	is 'their table' "$(rows 'CPU samples by goroutine' | awk '{ n += $1 } END { print n }')" \
		"$(told 'sample cpu=[0-9]+')"
	grep -Eq '^GC workers ran [0-9.]+[mun]?s (dedicated|fractional|idle)' report.out ||
		fail 'it has no GC workers'
	grep -Eq '^GOMAXPROCS [0-9]+(;| )' report.out || fail 'it has no GOMAXPROCS'
}

reported_notes() {
	local busy

	report_of "$1" notes
	busy=$(number busy)
	rows "The program's own" | awk '{ print $1, $2, $7, $8, $9, $10, $11, $12, $13, $14 }' |
		sed -E 's/ +$//' >noted
	grep -qx "$busy $busy task busy" noted || fail "tasks: $(grep ' busy$' noted)"
	grep -qx '1 1 task part?of "it"' noted || fail "escaped: $(grep 'it"' noted)"
	grep -qx '1 - region, end not seen until some end' noted || fail "$(grep until noted)"
	grep -qx '1 1 region outer' noted || fail "$(grep outer noted)"
	is 'logs' "$(awk '$3 == "log" { n += $1 } END { print n }' noted)" "$(told log)"
}

add "report-$oldest-gc" reported_collections "$oldest"
need "$oldest" gc plain
add "report-$newest-gc" reported_collections "$newest"
need "$newest" gc plain
add "report-$newest-notes" reported_notes "$newest"
need "$newest" notes plain
