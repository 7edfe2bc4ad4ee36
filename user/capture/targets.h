/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which processes the BPF programs take an interest in: bpf/control.h, target_slot(). */
#ifndef GSCOPE_CAPTURE_TARGETS_H
#define GSCOPE_CAPTURE_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/control.h"

struct programs;

/*
 * A factor with which the `n` different `tgids`, MAX_TARGETS at most, have slots of their own. There is
 * one in two or so.
 */
uint32_t targets_factor(const uint32_t *tgids, size_t n);

/* The processes that will be entered: all of them, and before any is. */
void targets_choose(const struct programs *p, const uint32_t *tgids, size_t n);

/*
 * From here on tgids[i] of targets_choose() is traced, as *cfg says, the tgid of which is set here; once
 * more: as it says now. Returns 0 or a negative errno.
 */
int targets_enter(const struct programs *p, size_t i, uint32_t tgid, const struct target_cfg *cfg);

/* And from here on it is not. */
void targets_leave(const struct programs *p, uint32_t tgid);

/* Whether stubs tell of its system calls: to be set while they do. */
void targets_told(const struct programs *p, size_t i, bool told);

#endif
