/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A process of its own that attaches probes and removes them, on request, and removes all that are left
 * when gscope is gone, however it ended.
 *
 * The kernel removes a breakpoint by writing the memory of the process it is in, and gives up on
 * that when the task that closes the link has been killed: the breakpoint stays for good. So who is
 * killed must not be the one who attaches and closes. The guardian shares the table of file descriptors with
 * gscope, and nothing else: a descriptor is the same in both, and none is closed by gscope's end.
 */
#ifndef GSCOPE_CAPTURE_GUARDIAN_H
#define GSCOPE_CAPTURE_GUARDIAN_H

#include <stdbool.h>
#include <stddef.h>

#include "user/base/error.h"
#include "user/capture/uprobes.h"

struct guardian;

/*
 * To be started before gscope uses much memory, of which the guardian keeps what there is then.
 * End it with guardian_stop(), before what gscope wrote is to be read to its end: the guardian
 * keeps standard output open, too.
 */
int guardian_start(struct guardian **out, struct error *e);

/* It ends, and is waited for, but for some seconds only. Takes NULL. */
void guardian_stop(struct guardian *g);

/*
 * Start another one if it has been killed: true if so. To be asked now and then; without it, what this
 * one attached is left behind should gscope be killed.
 */
bool guardian_look(struct guardian *g);

/*
 * uprobes_attach() by the guardian; by this process if `g` is NULL, or no other one can be started.
 * -EPIPE: it was killed meanwhile; -ETIMEDOUT: it does not answer.
 */
int guardian_attach(struct guardian *g, const struct uprobes *u);

/*
 * Have the kernel count run times of BPF programs while the descriptor is open that this returns, or a negative
 * errno. That takes CAP_SYS_ADMIN, which gscope itself gives up before it reads what comes from targets.
 */
int guardian_count_run_times(struct guardian *g);

/* Close links, in that order. */
void guardian_close(struct guardian *g, const int *links, size_t n);

#endif
