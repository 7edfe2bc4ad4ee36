// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Two pieces of code that a process has anyway: where is no matter, nor in what function. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/inline/call.h"

#define PIECE (256U << 10)
#define MOST    \
	(512ULL \
	 << 20) /* of code that is looked at; what is sought is in the runtime, near the begin */

struct search {
	const struct target_process *p;
	uint8_t *bytes;
	struct call_code found;
};

/* runtime.osyield and others end with it; runtime.sigreturn is the other one in all releases. */
static const uint8_t call_bytes[] = {0x0f, 0x05, 0xc3};
static const uint8_t back_bytes[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};

static void look(uint64_t *found, const uint8_t *bytes, size_t n, uint64_t addr,
		 const uint8_t *wanted, size_t size)
{
	const uint8_t *at = *found ? NULL : memmem(bytes, n, wanted, size);

	if (at)
		*found = addr + (uint64_t)(at - bytes);
}

/* True: both are known. */
static bool search_map(struct search *s, const struct target_map *m, uint64_t *left)
{
	const size_t overlap = sizeof(back_bytes) - 1;

	for (uint64_t at = m->start; at < m->end && *left; at += PIECE) {
		size_t n = m->end - at < PIECE + overlap ? m->end - at : PIECE + overlap;

		*left -= *left < PIECE ? *left : PIECE;
		if (target_process_read(s->p, at, s->bytes, n))
			break;
		look(&s->found.call, s->bytes, n, at, call_bytes, sizeof(call_bytes));
		look(&s->found.back, s->bytes, n, at, back_bytes, sizeof(back_bytes));
		if (s->found.call && s->found.back)
			return true;
	}
	return false;
}

int call_code_find(const struct target_process *p, struct call_code *out)
{
	struct search s = {.p = p, .bytes = malloc(PIECE + sizeof(back_bytes))};
	struct target_map *maps = NULL;
	uint64_t left = MOST;
	bool done = false;
	size_t n = 0;

	if (!s.bytes)
		return -ENOMEM;
	if (target_process_maps(p, &maps, &n, NULL))
		n = 0;
	for (size_t i = 0; i < n && !done; i++)
		if (maps[i].prot[2] == 'x' && maps[i].inode)
			done = search_map(&s, &maps[i], &left);
	free(maps);
	free(s.bytes);
	*out = s.found;
	return done ? 0 : -ENOENT;
}
