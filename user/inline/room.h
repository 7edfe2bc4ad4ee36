/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Room in the address space of a target. */
#ifndef GSCOPE_INLINE_ROOM_H
#define GSCOPE_INLINE_ROOM_H

#include <stdint.h>

#include "user/target/process.h"

/*
 * An address with `size` free bytes, all of which `call rel32` reaches from all of [lo, hi): 0,
 * or -ENOSPC. Room right behind a mapping is left to it: heaps (brk) and stacks grow there.
 */
int room_find(const struct target_map *maps, size_t n, uint64_t lo, uint64_t hi, uint64_t size,
	      uint64_t *addr);

#endif
