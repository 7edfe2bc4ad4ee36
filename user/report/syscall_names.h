/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_REPORT_SYSCALL_NAMES_H
#define GSCOPE_REPORT_SYSCALL_NAMES_H

/* Name of a system call of this machine ("read", "read (32-bit)" with SYS_NR_32BIT), or NULL. */
const char *syscall_name(unsigned int nr);

#endif
