// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* libFuzzer target: the function table of a damaged binary. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/damage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_FRAMES 32

/* Of all functions that a walk meets, so many are asked for everything. */
#define EVERY 101

static void ask_pc(struct pclntab *t, uint64_t pc)
{
	struct pcln_frame frames[MAX_FRAMES];
	struct pcln_func func;
	int n = pclntab_frames(t, pc, frames, MAX_FRAMES);

	if (n > MAX_FRAMES)
		abort();
	for (int i = 0; i < n; i++) {
		damaged_use_string(frames[i].func);
		damaged_use_string(frames[i].file);
		damaged_sum += frames[i].line;
	}
	if (pclntab_func(t, pc, &func))
		damaged_use_string(func.name);
	damaged_sum += (uint64_t)pclntab_pcsp(t, pc) + pclntab_start_pc(t, pc) +
		       pclntab_inlined(t, pc, "runtime.casgstatus");
}

static void ask_func(struct pclntab *t, const struct pcln_func *func)
{
	char name[64];

	for (size_t room = 1; room <= sizeof(name); room *= 8) {
		pcln_func_name(func->name, name, room);
		if (strlen(name) >= room)
			abort();
	}
	/* at the entry, near it, and further and further away */
	for (uint64_t off = 0, step = 1; off < 4096 && func->entry + off < func->end;
	     off += step, step += 1 + step / 4)
		ask_pc(t, func->entry + off);
	ask_pc(t, func->end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pcln_func func;
	struct damaged d;
	uint64_t pc;

	damaged_open(&d, data, size, DAMAGED_PCLN);
	if (d.pcln) {
		for (size_t i = 0; pclntab_at(d.pcln, i, &func); i++) {
			damaged_use_string(func.name);
			if (i % EVERY == 0)
				ask_func(d.pcln, &func);
		}
		for (size_t i = 0; damaged_address(i, &pc); i++) {
			ask_pc(d.pcln, pc);
			if (pclntab_func(d.pcln, pc, &func))
				ask_func(d.pcln, &func);
		}
		if (pclntab_find(d.pcln, "no such function", &func))
			abort();
		if (pclntab_find(d.pcln, "runtime.casgstatus", &func))
			ask_func(d.pcln, &func);
	}
	damaged_close(&d);
	return 0;
}
