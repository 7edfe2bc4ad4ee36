// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/room.h"

#include <errno.h>

#define REACH 0x7ff00000ULL /* of a rel32, less what makes it simple */
#define LOWEST (1ULL << 20) /* above vm.mmap_min_addr */
#define HIGHEST 0x7ffffffff000ULL
#define MARGIN (256ULL << 20) /* left free behind a mapping, if there is that much */
#define PAGE 4096ULL

/* The best address in a gap: far from what may grow into it. False: none. */
static int in_gap(uint64_t from, uint64_t to, uint64_t lowest, uint64_t highest, uint64_t size,
		  uint64_t *addr)
{
	uint64_t margin = to - from > 2 * MARGIN + size ? MARGIN : 0;

	from += margin;
	to -= margin;
	from = from < lowest ? lowest : from;
	to = to > highest ? highest : to;
	from = (from + PAGE - 1) & ~(PAGE - 1);
	if (from >= to || to - from < size)
		return 0;
	*addr = from;
	return 1;
}

int room_find(const struct target_map *maps, size_t n, uint64_t lo, uint64_t hi, uint64_t size,
	      uint64_t *addr)
{
	uint64_t lowest = hi > REACH + LOWEST ? hi - REACH : LOWEST;
	uint64_t highest = lo + REACH < HIGHEST ? lo + REACH : HIGHEST;
	uint64_t from = 0;

	for (size_t i = 0; i <= n; i++) {
		uint64_t to = i < n ? maps[i].start : HIGHEST;

		if (to > from && in_gap(from, to, lowest, highest, size, addr))
			return 0;
		if (i < n && maps[i].end > from)
			from = maps[i].end;
	}
	return -ENOSPC;
}
