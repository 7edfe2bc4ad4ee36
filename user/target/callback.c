// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/callback.h"

#include <string.h>

/* asmcgocall leaves g.sched as if it were there: gosave_systemstack_switch. */
#define SWITCH_PC 8

/* The largest frame a function has. */
static int frame_size(const struct pclntab *t, const struct pcln_func *f)
{
	int frame = 0;

	for (uint64_t pc = f->entry; pc < f->end; pc++) {
		int size = pclntab_pcsp(t, pc);

		if (size > frame)
			frame = size;
	}
	return frame;
}

void callback_find(struct callback *c, const struct pclntab *t)
{
	struct pcln_func callback, change, cgocall;
	int frame;

	memset(c, 0, sizeof(*c));
	if (pclntab_find(t, "runtime.cgocall", &cgocall)) {
		frame = frame_size(t, &cgocall);
		/* all of it but the word below the return address, where the frame pointer is */
		c->cgocall_frame = frame > 8 ? (uint64_t)frame - 8 : 0;
	}
	/* before Go 1.21 asmcgocall does not save the frame pointer */
	if (!pclntab_find(t, "runtime.systemstack_switch", &change) ||
	    pclntab_pcsp(t, change.entry + SWITCH_PC) != 8 ||
	    !pclntab_find(t, "runtime.cgocallback", &callback))
		return;
	frame = frame_size(t, &callback);
	c->lo = callback.entry;
	c->hi = callback.end;
	/* a frame pointer and a return address, its own frame, the PC in between */
	c->up = 16 + (uint64_t)frame + 8;
}
