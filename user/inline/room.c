// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/room.h"

#include <errno.h>
#include <stdbool.h>

#define REACH 0x7ff00000ULL /* of a rel32, less what makes it simple */
#define LOWEST (1ULL << 20) /* above vm.mmap_min_addr */
#define HIGHEST 0x7ffffffff000ULL
#define MARGIN (256ULL << 20) /* left free behind a mapping, if there is that much */
#define PAGE 4096ULL

/*
 * An address that is no number a program is likely to have on its stack: whether a thread may come back
 * to the stubs is seen by their addresses there.
 */
#define UNLIKELY 0x4b3d7000ULL

/* The address in a gap that is nearest to `want`. False: none. */
static bool in_gap(uint64_t from, uint64_t to, uint64_t want, uint64_t size, uint64_t *addr)
{
	uint64_t margin = to - from > 2 * MARGIN + size ? MARGIN : 0;

	from = (from + margin + PAGE - 1) & ~(PAGE - 1);
	to = (to - margin) & ~(PAGE - 1);
	if (from >= to || to - from < size)
		return false;
	*addr = want < from ? from : want > to - size ? to - size : want;
	return true;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

int room_find(const struct target_map *maps, size_t n, uint64_t lo, uint64_t hi, uint64_t size,
	      uint64_t *addr)
{
	uint64_t lowest = hi > REACH + LOWEST ? hi - REACH : LOWEST;
	uint64_t highest = lo + REACH < HIGHEST ? lo + REACH : HIGHEST;
	uint64_t want = (hi & ~(PAGE - 1)) + UNLIKELY, from = 0, best = UINT64_MAX;

	for (size_t i = 0; i <= n; i++) {
		uint64_t to = i < n ? maps[i].start : HIGHEST, at;

		/* of a gap that is partly out of reach, the part that is not */
		if (to > from && to > lowest && from < highest &&
		    in_gap(from > lowest ? from : lowest, to < highest ? to : highest, want, size,
			   &at) &&
		    distance(at, want) < best) {
			best = distance(at, want);
			*addr = at;
		}
		if (i < n && maps[i].end > from)
			from = maps[i].end;
	}
	return best == UINT64_MAX ? -ENOSPC : 0;
}
