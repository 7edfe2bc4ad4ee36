# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What cannot be done is refused with one clear line and the right status, and nothing is left.

# refused STATUS PATTERN ARGS...: and no file appears
refused() {
	local status=$1 pattern=$2 before after

	shift 2
	: >refused.out
	: >refused.err
	before=$(ls -A)
	run_gscope refused "$status" "$@"
	after=$(ls -A)
	[ "$before" = "$after" ] || fail "gscope $* leaves files: $after"
	[ ! -s refused.out ] || fail "gscope $* prints $(head -n 1 refused.out)"
	# the hint of a wrong usage is the second line
	if [ "$status" = 2 ]; then
		sed -i '/^Try .* for more information\.$/d' refused.err
	fi
	one_line refused "$pattern"
	echo "$status: $(cat refused.err)"
}

# untraceable PATTERN PID: by trace and by record
untraceable() {
	refused 3 "$1" trace -p "$2" -d 1s
	refused 3 "$1" record -p "$2" -d 1s
}

# threads_only PATTERN PID: trace refuses it and says what to do, record does that
threads_only() {
	refused 3 "$1.*gscope record -p $2" trace -p "$2" -d 1s
	run_gscope threads 0 record -p "$2" -d 100ms -o threads.gscope
	grep -Eq "^gscope: pid $2: .*($1).*threads and system calls" threads.err ||
		fail "record says: $(cat threads.err)"
	run_gscope threads 0 report threads.gscope
	grep -Eq "^No goroutines: .*($1)" threads.out || fail 'the report does not say what is missing'
	run_gscope threads 1 export -f go -o threads.trace threads.gscope
	one_line threads 'no goroutines'
	[ ! -e threads.trace ] || fail 'a trace without goroutines was left'
	rm threads.gscope
}

no_process() {
	local pid

	# a PID that was free a moment ago
	true &
	pid=$!
	wait $pid
	untraceable 'no (such )?process' "$pid"
	untraceable 'no (such )?process' 2147483647
	# a zombie: its parent never waits
	start parent bash -c 'sleep 0.5 & echo $!; exec sleep 1000'
	await 'the zombie' has_lines parent.out 1
	pid=$(cat parent.out)
	await 'the zombie' grep -q '^State:.*Z' "/proc/$pid/status"
	untraceable 'no (such )?process|ended|zombie' "$pid"
	untraceable 'kernel' 2
}
add no-process no_process

thread() {
	local tid

	start_target target "$newest" idle plain 10
	for tid in "/proc/${target[target]}/task"/*; do
		tid=${tid##*/}
		[ "$tid" = "${target[target]}" ] || break
	done
	untraceable "thread.*\b${target[target]}\b" "$tid"
	work target
	quit target
}
add thread thread
need "$newest" idle plain

# What it says of itself is wrong, and its code does not show what that release would: what cannot
# be seen is named, and it is not traced. start_claiming is in 80-builds.bash.
version() {
	start_claiming plain "go$1.4"
	threads_only 'goexit0.*goroutine exits cannot be seen' "${target[target]}"
	work target
	quit target
	echo "claim Go $(sed -n "s/^$newest //p" "$top/build/go/versions"), plain, that says it is" \
		"\`$claimed\`: refused, because its code does not show how goroutines exit in that release" >facts
	remember facts
}
for claim in 1.19 1.20; do
	add "version-$claim" version $claim
	need "$newest" mix plain
done

# a program for another architecture, which this machine runs too
bits32() {
	local root

	root=$(root_of "$newest")
	(
		cd "$top/tests/targets" || exit
		env GOROOT="$root" GOTOOLCHAIN=local GOENV=off GOWORK=off GOFLAGS=-mod=mod GOPROXY=off \
			GOCACHE="$top/build/gocache" GOPATH="$top/build/gocache/path" \
			XDG_CONFIG_HOME="$top/build/gocache/config" CGO_ENABLED=0 GOARCH=386 \
			"$root/bin/go" build -buildvcs=false -o "$dir/program" ./idle
	)
	start target ./program 10
	await 'the target to start' lines_or_gone "${target[target]}" target.out 1
	has_lines target.out 1 || skip 'this kernel runs no 32-bit programs'
	threads_only '386|32-bit|64-bit|x86-64|amd64' "${target[target]}"
	start_gscope record record -p "${target[target]}" -d 10m -o capture.gscope
	await_tracing record capture.gscope
	work target
	stop_gscope record
	quit target
	whole capture.gscope
	# which have other numbers
	sed -n '/^System calls/,/^$/p' whole.out >calls
	grep -q ' write (32-bit)$' calls || fail 'the report has no write of the program'
	! grep -v -e '(32-bit)$' -e '^System calls$' -e ' name$' -e '^$' -e ' more$' calls ||
		fail 'the report has system calls of a 64-bit program'
}
add bits32 bits32

wrong_usage() {
	local pid=$$ text

	for text in 5x '' -1s 0s 0 1e9s 99999999999999999999s 'ten seconds' .s 5s5; do
		refused 2 'duration|time' trace -p $pid -d "$text"
		refused 2 'duration|time' record -p $pid -d "$text"
	done
	for text in abc '' -5 0 1.5 99999999999 '12 ' 0x10; do
		refused 2 "process id|PID" trace -p "$text"
		refused 2 "process id|PID" record -p "$text"
	done
	for text in 64Q '' -1 M 99999999999999999999G; do
		refused 2 'size|buffer|memory' record -p $pid --buffer "$text"
	done
	for text in Kernel Full '' 1; do
		refused 2 'levels are kernel, goroutines and full' trace -p $pid --level "$text"
		refused 2 'levels are kernel, goroutines and full' record -p $pid --level "$text"
	done
	for text in 0 -1 10001 '' 1e3 99h; do
		refused 2 'sample rate' record -p $pid --level full --sample-rate "$text"
	done
	for text in '' 0% 3 -3% 3%% many on; do
		refused 2 'percentage.*or off' trace -p $pid --max-overhead "$text"
		refused 2 'percentage.*or off' record -p $pid --max-overhead "$text"
	done
	for text in '' 10 1/0 2/3 1/x; do
		refused 2 'one in so many' record -p $pid --sample-goroutines "$text"
	done
	refused 2 'give one of' record -p $pid --no-stacks --sample-goroutines 1/10
	for text in trace record; do
		refused 2 '--no-kernel .*--level kernel.*one of them' $text -p $pid --no-kernel --level kernel
	done
	refused 2 '--no-kernel .*-a .*one of them' record -p $pid -a --no-kernel
	refused 2 '--no-kernel .*-a .*one of them' record -a --no-kernel
	refused 2 'level full' record -p $pid --sample-rate 100
	refused 2 'level full' record -p $pid --level goroutines --sample-rate 100
	for text in 1.21 1.28 go1.26 1.26.3 1.2 26 ''; do
		refused 2 'release of Go' trace -p $pid --go-version "$text"
		refused 2 'release of Go' export -f go --go-version "$text" capture.gscope
	done
	refused 2 'which process' trace
	refused 2 'record what|-p' record
	refused 2 'one -p|several' trace -p $pid -p 1
	refused 2 'unexpected|argument' trace -p $pid x
	refused 2 'unexpected|argument' record -p $pid x
	refused 2 'unrecognized|invalid option' trace --nonsense
	refused 2 'which capture' report
	refused 2 'which capture' dump
	refused 2 'which capture' export -f go
	refused 2 'format' export capture.gscope
	refused 2 'no format' export -f nonsense capture.gscope
	refused 2 'sort' report --sort nonsense capture.gscope
	refused 2 'sort' trace -p $pid --sort nonsense
	for text in abc -1 ''; do
		refused 2 'number' report --top "$text" capture.gscope
	done
	refused 2 'no command' nonsense
	run_gscope none 2
	grep -q '^Usage: gscope' none.err || fail 'no usage without arguments'
	[ ! -s none.out ] || fail 'usage errors are on standard output'
	run_gscope help 0 --help
	grep -q '^Usage: gscope' help.out || fail 'no help'
	for text in trace record report export dump; do
		run_gscope help 0 $text --help
		grep -q "^Usage: gscope $text" help.out || fail "no help on $text"
	done
	for command in '' trace record report export dump detach; do
		# shellcheck disable=SC2086
		run_gscope version 0 $command --version
		grep -Eq '^gscope [0-9]' version.out || fail "no version of '$command'"
		grep -Eq '^build id [0-9a-f]{40}$' version.out || fail 'no build id'
		grep -q 'libbpf v[0-9]' version.out || fail 'no libraries'
	done
}
add wrong-usage wrong_usage

# unwritable ARGS...: what cannot be written is said before the target is touched
unwritable() {
	refused 1 'no-such.*directory' "$@" -o no-such/file
	refused 1 'folder.*directory' "$@" -o folder
	refused 1 'link.*symbolic link' "$@" -o link
	refused 1 'dangling.*symbolic link' "$@" -o dangling
	refused 1 'file/x.*directory' "$@" -o file/x
	refused 1 'name.*empty' "$@" -o ''
	[ "$(cat file)" = precious ] || fail 'the file behind the link was written'
	[ ! -e nowhere ] || fail 'the file behind the dangling link was written'
}

outputs() {
	start_target target "$newest" chans plain
	mkdir folder
	echo precious >file
	ln -s file link
	ln -s nowhere dangling
	unwritable trace -p "${target[target]}" -d 1s
	unwritable record -p "${target[target]}" -d 1s
	run_gscope record 0 record -p "${target[target]}" -d 100ms -o capture.gscope
	unwritable export -f go capture.gscope
	# an old file stays until there is a new one, and is not written through
	ln file hard
	run_gscope trace 0 trace -p "${target[target]}" -d 100ms -o file
	[ "$(cat hard)" = precious ] || fail 'another name of the old file was written'
	[ "$(stat -c %a file)" = 600 ] || fail "the trace has mode $(stat -c %a file)"
	run_gscope trace 0 trace -p "${target[target]}" -d 100ms -o /dev/null
	SUDO_UID=65534 SUDO_GID=65534 run_gscope record 0 record -p "${target[target]}" -d 100ms -o mine
	[ "$(stat -c %u:%g:%a mine)" = 65534:65534:600 ] ||
		fail "the capture of a user behind sudo has $(stat -c %u:%g:%a mine)"
	is_intact target
	work target
	quit target
}
add outputs outputs
need "$newest" chans plain

# as_nobody COMMAND...
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"
}

nobody() {
	local place

	start_target target "$newest" chans plain
	run_gscope record 0 record -p "${target[target]}" -d 100ms -o capture.gscope
	place=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$place'; end_case" EXIT
	cp "$GSCOPE" "$place/gscope"
	cp capture.gscope "$place"
	chmod 755 "$place" "$place/gscope"
	chmod 644 "$place/capture.gscope"
	mkdir -m 777 "$place/out"
	cd "$place/out" || fail "no $place/out"
	echo '#!/bin/sh' >../nobody
	echo "exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all '$place/gscope' \"\$@\"" >>../nobody
	chmod 755 ../nobody
	GSCOPE=$place/nobody
	# what was captured is read without privileges
	run_gscope report 0 report ../capture.gscope
	run_gscope dump 0 dump ../capture.gscope
	run_gscope export 0 export -f go -o trace.out ../capture.gscope
	grep -q . report.out || fail 'an empty report'
	rm report.* dump.* export.* trace.out
	refused 1 'root|privilege|CAP_' trace -p "${target[target]}" -d 1s -o x
	refused 1 'root|privilege|CAP_' record -p "${target[target]}" -d 1s -o x
	refused 1 'root|privilege|CAP_' record -a -d 1s -o x
	refused 1 'permission' export -f go -o "$place/x" ../capture.gscope
	refused 1 'permission|[Pp]ermission' report "$dir/capture.gscope"
	cd "$dir" || fail "no $dir"
	is_intact target
	work target
	quit target
}
add nobody nobody
need "$newest" chans plain

# where PIDs are not those of the kernel's events; nothing would be captured
in_container() {
	unshare -pfm --mount-proc true 2>/dev/null || skip 'cannot make a PID namespace'
	# shellcheck disable=SC2016
	start outer unshare -pfm --mount-proc bash -c '
		"$1" 10 <&0 >target.out &
		until grep -q ready target.out; do sleep 0.05; done
		"$0" record -p $! -d 1s -o capture.gscope 2>record.err
		echo "status $?"
		wait' "$GSCOPE" "$("$top/tests/targets/build" "$newest" idle plain)"
	await 'gscope to end' grep -q '^status' outer.out
	grep -q '^status 1$' outer.out || fail "gscope in a container ended with $(cat outer.out)"
	one_line record 'container'
	[ ! -e capture.gscope ] || fail 'a capture was left'
	tell outer go
	await 'the work of the target' grep -q groups target.out
	tell outer quit
	await 'the target to exit' gone "${target[outer]}"
}
add in-container in_container
need "$newest" idle plain

disk_full() {
	start_target server "$newest" http plain 1000000000
	address=$(sed -n '1s/^ready [0-9]* //p' server.out)
	tell server go
	start load "$tool" load "$address" 8
	mkdir small
	mount -t tmpfs -o size=512k tmpfs small || skip 'cannot mount a tmpfs'
	mounted+=("$dir/small")
	start_gscope record record -p "${target[server]}" -d 10m -o small/capture.gscope
	await_gscope record 1
	one_line record 'disk is full'
	await_intact server
	"$tool" get "$address" || fail 'the server no longer answers'
	cp small/capture.gscope .
	run_gscope dump 0 dump --events capture.gscope
	grep -q . dump.out || fail 'nothing can be read of the capture'
	run_gscope export 0 export -f go -o trace.out capture.gscope
	accept trace.out
	# a trace that does not fit is not left
	rm small/capture.gscope
	dd if=/dev/zero of=small/fill bs=4k 2>/dev/null || true
	run_gscope export 1 export -f go -o small/trace.out capture.gscope
	one_line export 'disk is full'
	[ "$(ls -A small)" = fill ] || fail "left behind: $(ls -A small)"
}
add disk-full disk_full
need "$newest" http plain

full_stdout() {
	start_target target "$newest" chans plain
	run_gscope record 0 record -p "${target[target]}" -d 100ms -o capture.gscope
	last_status=0
	"$GSCOPE" dump capture.gscope >/dev/full 2>dump.err || last_status=$?
	expect_status dump 1
	one_line dump 'full|space'
	last_status=0
	"$GSCOPE" report capture.gscope >/dev/full 2>report.err || last_status=$?
	expect_status report 1
	one_line report 'full|space'
	# a reader that has seen enough is no error worth a line
	"$GSCOPE" dump capture.gscope 2>pipe.err | head -n 1 >first || true
	[ -s first ] || fail 'dump prints nothing into a pipe'
	grep -v -i 'pipe' pipe.err >other || true
	[ ! -s other ] || fail "dump says $(head -n 1 other)"
	work target
	quit target
}
add full-stdout full_stdout
need "$newest" chans plain

# readable FILE: every command reads it without a crash; what it says is one line
readable() {
	local command

	for command in 'report' 'dump' 'export -f go -o damaged.trace'; do
		last_status=0
		# shellcheck disable=SC2086
		timeout "$patience" "$GSCOPE" $command "$1" >read.out 2>read.err </dev/null || last_status=$?
		expect_status read 0 1
		grep -v '^gscope: ' read.err >other || true
		[ ! -s other ] || fail "$command of $1 says $(head -n 1 other)"
		[ "$command" != report ] || cp read.err report.err
		if [ "${command%% *}" = export ] && [ "$last_status" = 0 ]; then
			"$top/tests/e2e/accept" damaged.trace >/dev/null ||
				fail "the trace of $1 is not accepted"
		fi
		rm -f damaged.trace
	done
}

damaged() {
	local size at

	start_target target "$newest" chans plain
	record_work target
	size=$(stat -c %s capture.gscope)
	for at in 0 1 7 8 31 32 279 280 281 300 327 328 $((size / 4)) $((size / 2)) $((size - 100)) \
		$((size - 1)); do
		head -c $at capture.gscope >cut.gscope
		readable cut.gscope
		[ -s report.err ] || [ $at = 280 ] || fail "nothing is said of the cut at $at of $size"
		echo "cut at $at: $(cat report.err)"
	done
	for at in 0 5 8 12 16 30 40 100 280 284 290 300 310 325 $((size / 3)) $((size / 2)) \
		$((size - 50)) $((size - 1)); do
		"$tool" flip capture.gscope flipped.gscope $at
		readable flipped.gscope
		[ -s report.err ] || fail "nothing is said of the flipped byte at $at of $size"
		echo "flipped at $at: $(cat report.err)"
	done
	refused 1 'empty|no gscope capture|short' report /dev/null
	refused 1 'no gscope capture' report "$GSCOPE"
	refused 1 'no-such' report no-such
	refused 1 'directory' report .
}
add damaged damaged
need "$newest" chans plain
