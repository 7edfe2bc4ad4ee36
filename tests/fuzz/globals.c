// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* libFuzzer target: where a damaged binary has the runtime's variables. */
#include "user/target/globals.h"
#include "tests/fuzz/damage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = {0};
	struct globals g;
	struct damaged d;

	damaged_open(&d, data, size, DAMAGED_PCLN);
	if (d.pcln) {
		damaged_check(globals_find(&g, d.elf, d.pcln, 0, &e), &e);
		/* symbols, where there are any, leave the code unread */
		damaged_check(globals_by_code(&g, d.elf, d.pcln, 0, &e), &e);
	}
	damaged_close(&d);
	return 0;
}
