// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Preloaded, it answers as kernels do that know neither typed tracepoints (before 5.5) nor many
 * uprobes in one link (before 6.6), so that gscope does there what it does on those. All else
 * goes to the kernel.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include <linux/bpf.h>

#define UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI; older headers have not got it */

long syscall(long number, ...);

static bool is_unknown(int command, const union bpf_attr *attr)
{
	switch (command) {
	case BPF_PROG_LOAD:
		return attr->prog_type == BPF_PROG_TYPE_TRACING &&
		       attr->expected_attach_type == BPF_TRACE_RAW_TP;
	case BPF_LINK_CREATE:
		return attr->link_create.attach_type == UPROBE_MULTI;
	}
	return false;
}

/* libbpf has no other way to the kernel's bpf(2). */
long syscall(long number, ...)
{
	long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long arg[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf && is_unknown((int)arg[0], (const union bpf_attr *)arg[1])) {
		errno = EINVAL;
		return -1;
	}
	return next(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
