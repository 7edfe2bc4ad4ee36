// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Preloaded, it has the kernel refuse BPF programs: REFUSE="NAME=HOW ..." names them. HOW: `large` or
 * `wrong` give the kernel instructions in their place that its verifier processes for too long or does
 * not accept; a number is the errno of an answer as a seccomp filter gives it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <linux/bpf.h>

long syscall(long number, ...);

/* r0 = 0; do r0 += 1 while (r0 < 100 million); exit */
static const struct bpf_insn large[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
	{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 0, .imm = 1},
	{.code = BPF_JMP | BPF_JLT | BPF_K, .dst_reg = 0, .off = -2, .imm = 100000000},
	{.code = BPF_JMP | BPF_EXIT},
};

/* r0 = *(u64 *)(r1 + 32760); exit */
static const struct bpf_insn wrong[] = {
	{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 0, .src_reg = 1, .off = 32760},
	{.code = BPF_JMP | BPF_EXIT},
};

static const char *how(const char *name)
{
	static char word[32];
	const char *at = getenv("REFUSE");
	size_t len = strlen(name);

	for (; at && *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (!strncmp(at, name, len) && at[len] == '=' &&
		    sscanf(at + len + 1, "%31s", word) == 1)
			return word;
	return NULL;
}

/* What is sent instead; an errno, or 0. */
static int replace(union bpf_attr *attr)
{
	const char *what = how(attr->prog_name);
	bool is_large = what && !strcmp(what, "large");

	if (!what)
		return 0;
	if (!is_large && strcmp(what, "wrong"))
		return atoi(what);
	attr->insns = (unsigned long)(is_large ? large : wrong);
	attr->insn_cnt = is_large ? 4 : 2;
	attr->func_info_cnt = 0;
	attr->line_info_cnt = 0;
	return 0;
}

/* libbpf has no other way to the kernel's bpf(2). */
long syscall(long number, ...)
{
	long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	union bpf_attr attr;
	long arg[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf && arg[0] == BPF_PROG_LOAD) {
		size_t size = (size_t)arg[2] < sizeof(attr) ? (size_t)arg[2] : sizeof(attr);
		int err;

		memset(&attr, 0, sizeof(attr));
		memcpy(&attr, (const void *)arg[1], size);
		err = replace(&attr);
		if (err) {
			errno = err;
			return -1;
		}
		arg[1] = (long)&attr;
		arg[2] = (long)size;
	}
	return next(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
