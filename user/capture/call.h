/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* System calls as the BPF programs send them, and as everybody else has them: begin and end. */
#ifndef GSCOPE_CAPTURE_CALL_H
#define GSCOPE_CAPTURE_CALL_H

#include <stdint.h>

#include "bpf/control.h"

/* Both ends of one, each with its own time. */
struct ev_sys_enter call_begin(const struct ev_syscall *ev);
struct ev_sys_exit call_end(const struct ev_syscall *ev);

/* The begin of one that is pending on a CPU. */
struct ev_sys_enter call_pending_begin(const struct pending_call *c, uint32_t cpu);

/*
 * The earliest time a record may have that is not in a CPU's ring yet, where `now` is that of one
 * that gets its place from now on, and `since` what the CPU's pending call had before; 0: it can be
 * any.
 */
uint64_t call_promise(uint64_t since, uint64_t now);

#endif
