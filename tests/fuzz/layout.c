// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * libFuzzer target: the layout of the runtime's structs and its variables from a damaged binary: its
 * DWARF, its code.
 */
#include <stdlib.h>

#include "tests/fuzz/damage.h"
#include "user/target/globals.h"
#include "user/target/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Structs of the runtime are smaller. */
static bool plausible(int32_t at)
{
	return at >= 0 && at <= INT16_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = {0};
	struct damaged d;
	struct globals g;
	struct layout l;
	int err;

	damaged_open(&d, data, size, DAMAGED_PCLN);
	if (d.pcln) {
		err = layout_read(&l, d.elf, &d.build, d.pcln, 0, &e);
		damaged_check(err, &e);
		/* what is accepted must be fit to be read by */
		if (!err) {
			damaged_use_string(l.rung);
			if (!plausible(l.g.m) || !plausible(l.g.atomicstatus) ||
			    !plausible(l.g.goid) || !plausible(l.m.curg) || !plausible(l.m.p) ||
			    !plausible(l.m.alllink) || !plausible(l.p.id) || !plausible(l.p.status))
				abort();
		}
		err = globals_by_code(&g, d.elf, d.pcln, 0, &e);
		damaged_check(err, &e);
	}
	damaged_close(&d);
	return 0;
}
