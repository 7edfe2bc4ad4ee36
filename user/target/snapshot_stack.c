// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Where the stack of a goroutine begins that does not run, and its frames. */
#include "user/target/snapshot_read.h"

/*
 * The frame pointer of a goroutine in a syscall. Go <= 1.22 does not save it; but the function at
 * syscallpc has a frame of known size, whose topmost word is the frame pointer it saved.
 */
static uint64_t syscall_bp(const struct target *t, const struct pending *p)
{
	int size;

	if (t->layout.g.syscallbp >= 0)
		return get64(p->g, t->layout.g.syscallbp);
	size = modules_pcsp(t->modules, p->pc);
	return size >= 8 ? p->sp + size - 8 : 0;
}

/*
 * Where the walk of its stack starts, as the runtime's own tracer does it (traceStack in
 * runtime/tracestack.go).
 */
void snapshot_find_stack(const struct target *t, struct pending *p)
{
	const struct layout *l = &t->layout;
	const uint8_t *g = p->g;
	uint64_t lo = get64(g, l->g.stack_lo);

	p->pc = 0;
	p->hi = get64(g, l->g.stack_hi);
	switch (status_of(l, g)) {
	case GO_RUNNING:
	case GO_COPYSTACK:
		return;
	case GO_SYSCALL:
		if (!get64(g, l->g.syscallsp))
			return;
		p->pc = get64(g, l->g.syscallpc);
		p->sp = get64(g, l->g.syscallsp);
		p->bp = syscall_bp(t, p);
		break;
	default:
		p->pc = get64(g, l->g.sched_pc);
		p->sp = get64(g, l->g.sched_sp);
		p->bp = get64(g, l->g.sched_bp);
	}
	if (lo >= p->hi || p->sp < lo || p->sp > p->hi || p->sp % 8)
		p->pc = 0;
}

/* The word at `addr` of the goroutine's stack: false if that is not in what was read. */
static bool stack_word(const struct pending *p, uint64_t addr, uint64_t *v)
{
	if (addr % 8 || addr < p->base || p->size < 8 || addr - p->base > p->size - 8)
		return false;
	memcpy(v, p->stack + (addr - p->base), sizeof(*v));
	return true;
}

/* Read the part of the stack from `addr` on into `room`. */
static bool read_further(const struct target *t, struct pending *p, uint64_t addr, uint8_t *room)
{
	if (addr % 8 || addr < p->sp || addr > p->hi - 16)
		return false;
	p->stack = room;
	p->base = addr;
	p->size = p->hi - addr < DEEP_READ ? p->hi - addr : DEEP_READ;
	if (!target_process_read(t->process, addr, room, p->size))
		return true;
	p->size = 0;
	return false;
}

/* A frame: the frame pointer of its caller and the address to return to. */
static bool frame_at(const struct target *t, struct pending *p, uint64_t bp, uint8_t *room,
		     uint64_t *next, uint64_t *ret)
{
	if (stack_word(p, bp, next) && stack_word(p, bp + 8, ret))
		return true;
	return room && read_further(t, p, bp, room) && stack_word(p, bp, next) &&
	       stack_word(p, bp + 8, ret);
}

static struct known_pc *know(const struct target *t, struct walker *w, uint64_t pc)
{
	struct known_pc *k = &w->known[(pc ^ pc >> 8) % KNOWN_PCS];
	struct pcln_func func;

	if (!pc || k->pc != pc)
		*k = (struct known_pc){.pc = pc, .code = modules_func(t->modules, pc, &func)};
	return k;
}

static int frame_size(const struct target *t, struct walker *w, uint64_t pc)
{
	struct known_pc *k = know(t, w, pc);

	if (!k->has_pcsp) {
		k->pcsp = modules_pcsp(t->modules, pc);
		k->has_pcsp = true;
	}
	return k->pcsp;
}

static bool add_pc(const struct target *t, struct walker *w, struct pending *p, uint64_t pc)
{
	if (p->npcs == SNAPSHOT_MAX_FRAMES) {
		p->truncated = true;
		return false;
	}
	if (!know(t, w, p->npcs ? pc - 1 : pc)->code) {
		p->truncated = p->broken = true;
		return false;
	}
	p->pcs[p->npcs++] = pc;
	return true;
}

/* From the frame at `bp` of what runtime.cgocallback called to the next one of Go. */
static bool cross_callback(const struct target *t, struct walker *w, struct pending *p,
			   uint64_t *bp, uint8_t *room)
{
	uint64_t pc, word;

	*bp += w->callback.up;
	return frame_at(t, p, *bp - 8, room, &pc, &word) && pc && add_pc(t, w, p, pc);
}

void snapshot_walk(const struct target *t, struct walker *w, struct pending *p, uint8_t *room)
{
	const struct callback *c = &w->callback;
	uint64_t bp = p->bp, ret;

	p->npcs = 0;
	p->truncated = p->broken = false;
	if (!p->pc || !add_pc(t, w, p, p->pc))
		return;
	if (frame_size(t, w, p->pc) == 0 && stack_word(p, p->sp, &ret) && !add_pc(t, w, p, ret))
		return;
	while (bp) {
		uint64_t next;

		if (!frame_at(t, p, bp, room, &next, &ret)) {
			p->truncated = true;
			p->broken = bp % 8 || bp < p->sp || bp >= p->hi;
			return;
		}
		if (!ret || !add_pc(t, w, p, ret))
			return;
		if (next >= p->hi && ret - c->lo < c->hi - c->lo) {
			if (cross_callback(t, w, p, &bp, room))
				continue;
			p->truncated = true;
			return;
		}
		if (next && next <= bp) { /* frames only go up */
			p->truncated = p->broken = true;
			return;
		}
		bp = next;
	}
}
