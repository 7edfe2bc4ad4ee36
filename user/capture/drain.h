/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From the rings into the merge, and what the rings could not take. */
#ifndef GSCOPE_CAPTURE_DRAIN_H
#define GSCOPE_CAPTURE_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"
#include "user/base/error.h"
#include "user/capture/load.h"
#include "user/capture/merge.h"

struct drain;

/* Bytes the merge may hold however small the rings are: programs are held up for a moment often. */
#define DRAIN_LEAST (4UL << 20)

/* Ring i is source i of `m`; drain_rings() tells how many there are. */
int drain_new(struct drain **out, const struct programs *p, struct merge *m, struct error *e);
void drain_free(struct drain *d);

/* Rings there are: CPUs that are online. */
size_t drain_rings(const struct programs *p);

/* Have `epoll_fd` report `data` whenever a ring was filled by some part: 0 or a negative errno. */
int drain_watch(const struct drain *d, int epoll_fd, uint64_t data);

/*
 * Move into the merge what was in the rings when the pass began, and promise for every ring that
 * could be emptied. A ring whose oldest record is still being written keeps its old promise, and
 * so holds up the merge; the other rings are left as they are once that has as much as fits into
 * all of them. So memory is bounded by their size, and what is too much becomes a loss, and is
 * counted. Returns 0 or a negative errno.
 */
int drain_pass(struct drain *d, struct error *e);

/*
 * Nothing is sent any more, and the rings are empty: the begins of system calls that have not ended,
 * nor were interrupted, go into the merge. Returns 0 or a negative errno.
 */
int drain_pending(struct drain *d, struct error *e);

/* All rings were emptied by the last pass. */
bool drain_empty(const struct drain *d);

/*
 * What was lost since the last call, by CPU and class, as ev_loss records; `report` returns 0 or
 * a negative errno.
 */
int drain_losses(struct drain *d, int (*report)(void *ctx, const struct ev_loss *ev), void *ctx);

#endif
