// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/sigframe.h"

#include <cpuid.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define CS_64 0x33
#define FLAGS 7U /* UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
#define NO_STACK 0x77 /* no flags sigaltstack(2) takes: the alternate stack stays what it is */

#define MAGIC1 0x46505853U
#define MAGIC2 0x46505845U
#define SW_RESERVED 464 /* in the xstate: the mask of features; in a frame: struct fpx_sw */
#define XSTATE_BV 512 /* which of them are not in their initial state */
#define XSTATE_LEGACY 576
#define PKRU (1ULL << 9)
#define TILE_DATA (1ULL << 18) /* the one feature that is not everybody's */

/* What restarts a system call when there is no handler: include/linux/errno.h. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

struct context {
	uint64_t back;
	uint64_t flags, link;
	uint64_t stack;
	int32_t stack_flags, pad0;
	uint64_t stack_size;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
	uint64_t mask;
};
_Static_assert(sizeof(struct context) == 312, "struct rt_sigframe");
#define FPSTATE_AT 320U

struct fpx_sw {
	uint32_t magic1, extended_size;
	uint64_t features;
	uint32_t size;
	uint32_t pad[7];
};
_Static_assert(SW_RESERVED + sizeof(struct fpx_sw) == 512, "struct _fpx_sw_bytes");

/*
 * The registers to go on with. A system call that was interrupted is made once more, as the kernel would
 * have it; only what goes on with the rest of a time cannot be, and ends as by a signal.
 */
static void set_registers(struct context *c, const struct user_regs_struct *r)
{
	int64_t result = (int64_t)r->rax;

	*c = (struct context){
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.di = r->rdi,
		.si = r->rsi,
		.bp = r->rbp,
		.bx = r->rbx,
		.dx = r->rdx,
		.ax = r->rax,
		.cx = r->rcx,
		.sp = r->rsp,
		.ip = r->rip,
		.eflags = r->eflags,
		.cs = CS_64,
		.ss = (uint16_t)r->ss,
		.flags = FLAGS,
		.stack_flags = NO_STACK,
	};
	if ((int64_t)r->orig_rax < 0)
		return;
	if (result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND) {
		c->ax = r->orig_rax;
		c->ip -= 2;
	} else if (result == -ERESTART_RESTARTBLOCK) {
		c->ax = (uint64_t)-EINTR;
	}
}

/* How far the features reach in the layout that is not compacted. */
static size_t size_of(uint64_t features)
{
	size_t end = XSTATE_LEGACY;

	for (unsigned int i = 2; i < 63; i++) {
		unsigned int size, at, c, d;

		if (!(features & 1ULL << i) || !__get_cpuid_count(0xd, i, &size, &at, &c, &d))
			continue;
		if (at + size > end)
			end = at + size;
	}
	return end;
}

int sigframe_write(uint8_t out[SIGFRAME_MAX], const struct sigframe_thread *t, uint64_t addr,
		   uint64_t back)
{
	const uint32_t magic2 = MAGIC2;
	struct context c;
	struct fpx_sw sw = {.magic1 = MAGIC1};
	uint64_t features, used;
	size_t end;

	if (t->regs.cs != CS_64 || t->xstate_size < XSTATE_LEGACY ||
	    t->xstate_size + sizeof(magic2) > SIGFRAME_XSTATE_MAX)
		return -ENOTSUP;
	memcpy(&features, t->xstate + SW_RESERVED, sizeof(features));
	memcpy(&used, t->xstate + XSTATE_BV, sizeof(used));
	sw.features = features & ~TILE_DATA;
	end = size_of(sw.features);
	if (used & TILE_DATA || end > t->xstate_size)
		return -ENOTSUP;
	/* the kernel keeps it elsewhere, and has its value there all the same */
	used |= features & PKRU;
	sw.size = (uint32_t)end;
	sw.extended_size = (uint32_t)(end + sizeof(magic2));

	memset(out, 0, SIGFRAME_MAX);
	set_registers(&c, &t->regs);
	c.back = back;
	c.mask = t->mask;
	c.fpstate = addr + FPSTATE_AT;
	memcpy(out, &c, sizeof(c));
	out += FPSTATE_AT;
	memcpy(out, t->xstate, t->xstate_size);
	memcpy(out + SW_RESERVED, &sw, sizeof(sw));
	memcpy(out + XSTATE_BV, &used, sizeof(used));
	/* the kernel looks there, or behind the room it has for the thread's, with tiles or without */
	memcpy(out + t->xstate_size, &magic2, sizeof(magic2));
	memcpy(out + end, &magic2, sizeof(magic2));
	return (int)(FPSTATE_AT + t->xstate_size + sizeof(magic2));
}
