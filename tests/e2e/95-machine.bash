# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
#
# Machines and trees that are not as usual: it works, or a line says what to do. What takes a whole
# build is in tests/distros/inside.

# what runs a COMMAND where mounts were changed, which nothing else sees: SCRIPT COMMAND...
where=(unshare -m --propagation private bash -c 'eval "$1" && shift && exec "$@"' bash)

no_btf() {
	start_target target "$newest" chans plain
	run btf 1 "${where[@]}" 'mount -t tmpfs tmpfs /sys/kernel/btf' \
		"$GSCOPE" record -p "${target[target]}" -d 1s -o capture.gscope
	one_line btf 'no /sys/kernel/btf/vmlinux.*CONFIG_DEBUG_INFO_BTF'
	run sys 1 "${where[@]}" 'umount -l /sys' "$GSCOPE" record -p "${target[target]}" -d 1s -o capture.gscope
	one_line sys '/sys is not mounted.*mount -t sysfs'
	[ ! -e capture.gscope ] || fail 'a file was left'
	is_intact target
	work target
	quit target
}
add machine-btf no_btf
need "$newest" chans plain

# tracefs and debugfs: nothing is missed where they are not mounted
no_tracefs() {
	local how
	declare -A mounts=(
		[mounted]='mount -t tracefs tracefs /sys/kernel/tracing'
		[unmounted]='mount -t tmpfs tmpfs /sys/kernel/tracing; mount -t tmpfs tmpfs /sys/kernel/debug'
	)

	for how in mounted unmounted; do
		start_target target "$newest" chans plain
		cat >gscope.there <<-END
			#!/bin/bash
			exec unshare -m --propagation private bash -c '${mounts[$how]}; exec "\$@"' bash '$GSCOPE' "\$@"
		END
		chmod +x gscope.there
		GSCOPE=$dir/gscope.there start_gscope $how record -p "${target[target]}" -d 10m -o $how.gscope
		await_tracing $how $how.gscope
		work target
		stop_gscope $how
		quit target
		whole $how.gscope
		same_counts target $how.gscope
	done
}
add machine-tracefs no_tracefs
need "$newest" chans plain

# makes STATUS NAME ARGS...: make in a copy of the tree, the first line it says is in NAME.line
makes() {
	run "$2" "$1" make --no-print-directory -C tree "${@:3}"
	cat "$2.out" "$2.err" | head -n 1 >"$2.line"
}

# make_says NAME PATTERN
make_says() {
	grep -Eq -- "$2" "$1.line" || fail "make says: $(cat "$1.line")"
}

# a tree: what make reads before it compiles anything
make_tree() {
	mkdir -p tree/build
	cp -r "$top"/{Makefile,bpf,user,vmlinux,tools,LICENSE,LICENSES} tree/
}

make_refuses() {
	make_tree
	makes 2 spaces O='/tmp/a b' all
	make_says spaces 'O= names one folder, and no spaces'
	makes 2 demo O="$dir/out" demo
	make_says demo 'make demo works in build/ only'
	makes 2 clean O="$dir/out" clean
	make_says clean 'make clean works in build/ only'
	rmdir tree/build
	mkdir readonly
	run readonly 2 "${where[@]}" "mount --bind tree readonly && mount -o remount,bind,ro readonly" \
		make --no-print-directory -C readonly all
	cat readonly.out readonly.err | head -n 1 >readonly.line
	make_says readonly 'cannot write to build/; make O='
	run dist 1 bash -c 'cd tree && GIT_CEILING_DIRECTORIES=$PWD/.. tools/dist build x86 build'
	grep -q 'from a git checkout, and this is none' dist.err || fail "dist says: $(cat dist.err)"
}
add machine-make make_refuses

# An object that is not of these sources is not used, nor one that is damaged; one that is needs
# neither clang nor bpftool.
bpf_object() {
	local given=given/gscope.bpf.o

	make_tree
	mkdir tree/given
	cp "$top"/build/bpf/gscope.{bpf.o,bpf.sums,skel.h} tree/given/ 2>/dev/null ||
		skip 'the BPF programs were not compiled here'
	makes 0 good CLANG=/none BPFTOOL=/none O="$dir/out" BPF_OBJECT=$given "$dir/out/bpf/gscope.skel.h"
	cmp out/bpf/gscope.skel.h "$top/build/bpf/gscope.skel.h" || fail 'it is another skeleton'
	rm tree/given/gscope.skel.h
	rm -r out
	makes 0 again O="$dir/out" BPF_OBJECT=$given "$dir/out/bpf/gscope.skel.h"
	cmp out/bpf/gscope.skel.h "$top/build/bpf/gscope.skel.h" || fail 'bpftool made another skeleton'
	rm -r out
	makes 2 no-tool BPFTOOL=/none O="$dir/out" BPF_OBJECT=$given "$dir/out/bpf/gscope.skel.h"
	grep -q 'gscope.skel.h is missing .* and bpftool.*make BPF_OBJECT=' no-tool.err ||
		fail "without a skeleton: $(head -n 1 no-tool.err)"
	printf x >>tree/$given
	makes 2 damaged O="$dir/out" BPF_OBJECT=$given "$dir/out/bpf/gscope.skel.h"
	grep -q 'is not as it was made; make BPF_OBJECT=' damaged.err ||
		fail "a damaged one: $(head -n 1 damaged.err)"
	echo '/* another event */' >>tree/bpf/event.h
	makes 2 other O="$dir/out" BPF_OBJECT=$given "$dir/out/bpf/gscope.skel.h"
	grep -q 'not compiled from the sources here; make BPF_OBJECT=' other.err ||
		fail "one of other sources: $(head -n 1 other.err)"
	[ ! -e out/bpf/gscope.skel.h ] || fail 'a skeleton was left'
}
add machine-bpf-object bpf_object
