// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * libFuzzer target: the layout of the runtime's structs from a damaged binary: its DWARF, its
 * code.
 */
#include <stdlib.h>

#include "tests/fuzz/damage.h"
#include "user/target/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(int32_t at, int32_t size)
{
	return at >= 0 && at < size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = {0};
	struct damaged d;
	struct layout l;
	int err;

	damaged_open(&d, data, size, DAMAGED_PCLN);
	if (d.pcln) {
		err = layout_read(&l, d.elf, &d.build, d.pcln, 0, &e);
		damaged_check(err, &e);
		/* what is accepted must be fit to be read by */
		if (!err) {
			damaged_use_string(l.rung);
			if (!within(l.g.m, l.g.size) || !within(l.g.atomicstatus, l.g.size) ||
			    !within(l.g.goid, l.g.size) || !within(l.m.curg, l.m.size) ||
			    !within(l.m.p, l.m.size) || !within(l.m.alllink, l.m.size) ||
			    !within(l.p.id, l.p.size) || !within(l.p.status, l.p.size))
				abort();
		}
	}
	damaged_close(&d);
	return 0;
}
