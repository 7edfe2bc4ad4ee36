# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Kernels of Debian, to boot in QEMU: build/vm/kernel/VERSION/{vmlinuz,package}. Their names are
# looked up when they are wanted: they change with every update of Debian.

kernel_suites=(bullseye bookworm bookworm-backports trixie trixie-backports sid)
kernel_security_suites=(bullseye-security bookworm-security trixie-security)
kernel_attempts=4 # packages that are listed cannot always be had

# kernel_lists DIR: what the suites have, by apt commands of this shell
kernel_lists() {
	local mirror

	mirror=$(apt_debian_mirror) || return 1
	apt_private "$1"
	apt_source "$mirror" "${kernel_suites[@]}" >"$1/sources/debian.sources"
	apt_source "${mirror%/}-security" "${kernel_security_suites[@]}" \
		>"$1/sources/security.sources"
	say "reading the package lists of ${kernel_suites[*]} and their security updates"
	# some suites are not updated any more, some archives have no security updates
	apt-get -qq -o Acquire::Check-Valid-Until=false update >&2 || true
}

# kernel_packages VERSION|newest: names, the latest first. From 6.19 on linux-image-* is empty and
# linux-binary-* has the kernel; a signature makes no difference here.
kernel_packages() {
	local version=${1//./\\.} re='[0-9]+\.[0-9]+'

	[ "$1" = newest ] || re=$version
	apt-cache pkgnames linux- |
		sed -nE "s/^linux-(image|binary|binary-unsigned)-(${re}[.][0-9].*)-cloud-amd64$/\2 &/p" |
		sort -k 1,1rV -k 2,2 | cut -d ' ' -f 2
}

# kernel_unpack PACKAGE DIR: fails if it cannot be had, or has no kernel in it
kernel_unpack() {
	local tmp=$vm_tmp/unpacked image

	rm -rf "$tmp" "$vm_tmp"/apt/download/*.deb
	(cd "$vm_tmp/apt/download" && apt-get -qq download "$1") >&2 || return 1
	dpkg -x "$vm_tmp"/apt/download/*.deb "$tmp" || return 1
	rm -f "$vm_tmp"/apt/download/*.deb
	for image in "$tmp"/boot/vmlinuz-* "$tmp"/usr/lib/modules/*/vmlinuz*; do
		[ -f "$image" ] || continue
		rm -rf "$2"
		mkdir -p "$2"
		cp "$image" "$2/vmlinuz.new"
		echo "$1" >"$2/package"
		mv "$2/vmlinuz.new" "$2/vmlinuz"
		rm -rf "$tmp"
		return 0
	done
	return 1
}

# kernel_fetch VERSION|newest: nothing is done if it is there
kernel_fetch() {
	local dir=build/vm/kernel/$1 package attempts=0

	[ ! -e "$dir/vmlinuz" ] || return 0
	if [ ! -d "$vm_tmp/apt" ]; then
		command -v apt-get dpkg >/dev/null || return 1
		kernel_lists "$vm_tmp/apt" || return 1
	fi
	for package in $(kernel_packages "$1"); do
		[ $((attempts += 1)) -le $kernel_attempts ] || break
		if kernel_unpack "$package" "$dir"; then
			say "$package is in $dir"
			return 0
		fi
	done
	return 1
}

# kernel_boot VERSION INITRAMFS OUT: run the machine until it is off; OUT gets console and results
kernel_boot() {
	local dir=$3

	rm -rf "$dir"
	mkdir -p "$dir"
	# one host thread: with more, QEMU lets a CPU run into breakpoints another is just patching.
	# la57 takes time to emulate, and is of no use
	timeout --kill-after=10 "$boot_seconds" qemu-system-x86_64 -accel tcg,thread=single -M q35 \
		-cpu max,la57=off -smp 2 -m 1024 -nodefaults -no-user-config -display none \
		-monitor none -no-reboot -serial "file:$dir/console" -serial "file:$dir/out.tar.gz" \
		-kernel "build/vm/kernel/$1/vmlinuz" -initrd "$2" \
		-append 'console=ttyS0 panic=-1 quiet mitigations=off' </dev/null >&2
}
