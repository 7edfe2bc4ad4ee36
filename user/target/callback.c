// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/callback.h"

#include <string.h>

/* asmcgocall leaves g.sched as if it were there: gosave_systemstack_switch. */
#define SWITCH_PC 8

void callback_find(struct callback *c, const struct pclntab *t)
{
	struct pcln_func callback, change;
	int frame = 0;

	memset(c, 0, sizeof(*c));
	/* before Go 1.21 asmcgocall does not save the frame pointer */
	if (!pclntab_find(t, "runtime.systemstack_switch", &change) ||
	    pclntab_pcsp(t, change.entry + SWITCH_PC) != 8 ||
	    !pclntab_find(t, "runtime.cgocallback", &callback))
		return;
	for (uint64_t pc = callback.entry; pc < callback.end; pc++) {
		int size = pclntab_pcsp(t, pc);

		if (size > frame)
			frame = size;
	}
	c->lo = callback.entry;
	c->hi = callback.end;
	/* a frame pointer and a return address, its own frame, the PC in between */
	c->up = 16 + (uint64_t)frame + 8;
}
