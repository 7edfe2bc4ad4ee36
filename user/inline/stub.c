// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Registers in a stub, where the comments say no other:
 *   RSI  ring         R8   its head             R11  the record
 *   R12  m            RDI  m.p                  R13  number of the site
 * and later, while frames are walked:
 *   RDI  stack.lo     R12  stack.hi - 16        R13  where the record has to end
 *   R9   frame        R10  end of the record so far
 *   R8   number of the stack so far
 */
#include "user/inline/stub.h"

#include <errno.h>

#include "bpf/control.h"

#define RING(field) ((int32_t)offsetof(struct inline_ring, field))
#define REC(field) ((int32_t)offsetof(struct inline_record, field))
#define HEADER(b, field) ((b)->o->base + offsetof(struct inline_header, field))

#define SITE_BYTES 16 /* of a site's own part */
#define BODY_BYTES 1024 /* of what sites share; the longest has about 700 */
/* Numbers of stacks: a number, and what makes another stack of one that is cut, or in doubt. */
#define STACK_FACTOR (-1640531535) /* 2^32 / golden ratio, odd */
#define STACK_CUT 0x2545f491
#define STACK_DOUBT 0x14057b7f
#define STACK_LEAF 0x3c6ef35f

#define SLOW_READERS 4096 /* threads that may be between the check for room and taking it */

struct body {
	struct x86_code *c;
	const struct stub_options *o;
	const struct layout *l;
	enum stub_kind kind;
	int skip_slot;
	uint64_t callee;
	enum x86_gpr gp;
};

size_t stubs_room(size_t n)
{
	return n * (SITE_BYTES + BODY_BYTES);
}

static bool known(const int32_t *offsets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (offsets[i] < 0)
			return false;
	return true;
}

bool stub_possible(const struct layout *l, enum stub_kind kind)
{
	const int32_t all[] = {l->g.m,        l->g.goid,     l->g.stack_lo,   l->g.stack_hi,
			       l->g.sched_sp, l->g.sched_pc, l->g.sched_bp,   l->g.syscallsp,
			       l->m.curg,     l->m.p,        l->m.procid,     l->p.id,
			       l->g.gopc,     l->g.startpc,  l->g.waitreason, l->g.syscallpc};

	if (kind == STUB_WORKER && l->p.worker_mode < 0)
		return false;
	if (kind == STUB_SYSEXIT && (l->m.oldp < 0 || l->p.status < 0))
		return false;
	return kind != STUB_NONE && known(all, sizeof(all) / sizeof(all[0]));
}

static bool has_stack(enum stub_kind kind)
{
	return kind >= STUB_PARK;
}

static bool is_syscall(enum stub_kind kind)
{
	return kind == STUB_SYSENTER || kind == STUB_SYSEXIT;
}

static bool has_status(enum stub_kind kind)
{
	return kind != STUB_CREATE_RUNQPUT && !is_syscall(kind);
}

static bool is_create(enum stub_kind kind)
{
	return kind == STUB_CREATE || kind == STUB_CREATE_RUNQPUT;
}

static bool is_ready(enum stub_kind kind)
{
	return kind == STUB_READY || kind == STUB_WORKER;
}

/* The time of the record, by way of R9 and RDX. */
static void write_time(struct body *b)
{
	x86_move(b->c, R9, RAX);
	x86_rdtsc(b->c);
	x86_shift_left(b->c, RDX, 32);
	x86_or(b->c, RDX, RAX);
	x86_move(b->c, RAX, R9);
	x86_store(b->c, R11, REC(tsc), RDX);
}

/* [R11 + to] = [base + off], by way of RDX. */
static void copy(struct body *b, int32_t to, enum x86_gpr base, int32_t off)
{
	x86_load(b->c, RDX, base, off);
	x86_store(b->c, R11, to, RDX);
}

static void copy_byte(struct body *b, int32_t to, enum x86_gpr base, int32_t off)
{
	x86_load8(b->c, RDX, base, off);
	x86_store8(b->c, R11, to, RDX);
}

static void write_reasons(struct body *b)
{
	copy_byte(b, REC(wait_reason), b->gp, b->l->g.waitreason);
	if (b->l->m.wait_block_reason >= 0 && b->l->m.wait_skip >= 0) {
		copy_byte(b, REC(block_reason), R12, b->l->m.wait_block_reason);
		copy(b, REC(arg[0]), R12, b->l->m.wait_skip);
	} else {
		x86_store_imm(b->c, R11, REC(arg[0]), -1);
	}
}

/* ready()'s argument is in its caller's frame: 8 bytes further up, behind the return address. */
static void write_skip(struct body *b)
{
	if (b->skip_slot >= 0)
		copy(b, REC(arg[0]), RSP, b->skip_slot + 8);
	else
		x86_store_imm(b->c, R11, REC(arg[0]), -1);
}

/* The P from before the system call, which may still be the thread's: up to Go 1.25 only its status tells. */
static void write_old_proc(struct body *b)
{
	struct x86_jump none;

	x86_store_imm(b->c, R11, REC(arg[1]), 0);
	x86_load(b->c, RDX, R12, b->l->m.oldp);
	x86_store(b->c, R11, REC(arg[0]), RDX);
	x86_test(b->c, RDX);
	none = x86_jump_if(b->c, CC_E);
	x86_load32(b->c, RDX, RDX, b->l->p.status);
	x86_store(b->c, R11, REC(arg[1]), RDX);
	x86_land(b->c, none);
}

static void write_fields(struct body *b, bool owned)
{
	const struct layout *l = b->l;

	x86_store32(b->c, R11, REC(site), R13);
	x86_store(b->c, R11, REC(gp), b->gp);
	copy(b, REC(goid), b->gp, l->g.goid);
	copy(b, REC(procid), R12, l->m.procid);
	x86_store(b->c, R11, REC(p), RDI);
	copy(b, REC(curg), R12, l->m.curg);
	x86_store_imm(b->c, R11, REC(old_status), 0); /* and what is behind, up to arg */
	if (has_status(b->kind)) {
		x86_store8(b->c, R11, REC(old_status), RBX);
		x86_store8(b->c, R11, REC(new_status), RCX);
	}
	if (b->kind == STUB_PARK)
		write_reasons(b);
	else if (is_ready(b->kind))
		write_skip(b);
	if (b->kind == STUB_WORKER && owned)
		copy_byte(b, REC(block_reason), RDI, l->p.worker_mode);
	if (b->kind == STUB_SYSEXIT)
		write_old_proc(b);
	if (is_create(b->kind)) {
		copy(b, REC(arg[0]), b->gp, l->g.startpc);
		copy(b, REC(arg[1]), b->gp, l->g.gopc);
	}
}

/*
 * To be compared as signed numbers: then nothing is between the bounds of a goroutine whose stack was
 * freed, which are 0.
 */
static void load_bounds(struct body *b, enum x86_gpr g)
{
	x86_load(b->c, RDI, g, b->l->g.stack_lo);
	x86_load(b->c, R12, g, b->l->g.stack_hi);
	x86_add_imm(b->c, R12, -16);
}

/* Where a goroutine stopped that has left its stack: R13 = PC, R9 = frame. */
static void load_sched(struct body *b, enum x86_gpr g)
{
	x86_load(b->c, R13, g, b->l->g.sched_pc);
	x86_load(b->c, R9, g, b->l->g.sched_bp);
}

/* The same of who called the function that calls here. */
static void load_caller(struct body *b)
{
	x86_move(b->c, R13, RAX);
	x86_load(b->c, R9, RBP, 0);
}

/* Returns the jump of goroutines whose stacks are not wanted: stack_choice() of bpf/control.h. */
static struct x86_jump if_unwanted(struct body *b, enum x86_gpr g)
{
	x86_load(b->c, R9, g, b->l->g.goid);
	x86_move_imm(b->c, R13, STACK_CHOICE);
	x86_multiply_by(b->c, R9, R13);
	x86_shift_right(b->c, R9, 32);
	x86_move_imm(b->c, R13, HEADER(b, stack_limit));
	x86_cmp_mem(b->c, R13, 0, R9);
	return x86_jump_if(b->c, CC_BE);
}

/*
 * The goroutine on whose behalf the runtime acts, m.curg: on its own stack, or gone from it to the
 * thread's. Adds the jumps of those that have no stack.
 */
static void load_actor(struct body *b, struct x86_jump *none, size_t *n)
{
	struct x86_jump syscall, own, go, known_syscall;

	x86_load(b->c, RDX, R12, b->l->m.curg);
	x86_test(b->c, RDX);
	none[(*n)++] = x86_jump_if(b->c, CC_E);
	none[(*n)++] = if_unwanted(b, RDX);
	load_bounds(b, RDX);
	x86_load(b->c, R9, RDX, b->l->g.syscallsp);
	x86_test(b->c, R9);
	syscall = x86_jump_if(b->c, CC_NE);
	x86_cmp(b->c, R14, RDX);
	own = x86_jump_if(b->c, CC_E);
	load_sched(b, RDX);
	go = x86_jump(b->c);

	/* without a frame pointer nothing is sure but the PC */
	x86_land(b->c, syscall);
	x86_load(b->c, R13, RDX, b->l->g.syscallpc);
	if (b->l->g.syscallbp >= 0)
		x86_load(b->c, R9, RDX, b->l->g.syscallbp);
	else
		x86_move_imm(b->c, R9, 1);
	known_syscall = x86_jump(b->c);

	x86_land(b->c, own);
	x86_load(b->c, R13, RSP, 0); /* the call's own return address */
	x86_move(b->c, R9, RBP);
	x86_land(b->c, known_syscall);
	x86_land(b->c, go);
}

static void push_frame(struct body *b, enum x86_gpr pc)
{
	x86_store(b->c, R10, 0, pc);
	x86_add_imm(b->c, R10, 8);
	x86_xor(b->c, R8, pc);
	x86_multiply(b->c, R8, STACK_FACTOR);
}

/*
 * A goroutine that was stopped by morestack may have no frame yet: then its caller is at SP; the
 * collector finds out.
 */
static void push_caller(struct body *b)
{
	struct x86_jump below, above, odd, none;

	x86_load(b->c, RDX, b->gp, b->l->g.sched_sp);
	x86_cmp(b->c, RDX, RDI);
	below = x86_jump_if(b->c, CC_L);
	x86_cmp(b->c, RDX, R12);
	above = x86_jump_if(b->c, CC_G);
	x86_test8_imm(b->c, RDX, 7);
	odd = x86_jump_if(b->c, CC_NE);
	x86_load(b->c, RDX, RDX, 0);
	x86_test(b->c, RDX);
	none = x86_jump_if(b->c, CC_E);
	push_frame(b, RDX);
	x86_store8_imm(b->c, R11, REC(flags), INLINE_MAYBE_CALLER);
	x86_add_imm(b->c, R8, STACK_DOUBT);
	x86_land(b->c, below);
	x86_land(b->c, above);
	x86_land(b->c, odd);
	x86_land(b->c, none);
}

static void load_limit(struct body *b)
{
	x86_lea(b->c, R13, R11, (int32_t)INLINE_RECORD_MAX);
}

/* Go on where C was called, which calls Go here: see cross_callback() of bpf/stack.bpf.c. */
static struct x86_jump cross_callback(struct body *b, uint64_t loop)
{
	const struct callback *cb = &b->o->callback;
	struct x86_jump other, above, none, full, out;

	x86_load(b->c, RDX, R10, -8);
	x86_move_imm(b->c, R13, cb->lo);
	x86_sub(b->c, RDX, R13);
	load_limit(b);
	x86_cmp_imm(b->c, RDX, (int32_t)(cb->hi - cb->lo));
	other = x86_jump_if(b->c, CC_AE);
	x86_add_imm(b->c, R9, (int32_t)cb->up);
	x86_cmp(b->c, R9, R12);
	above = x86_jump_if(b->c, CC_A);
	x86_load(b->c, RDX, R9, -8);
	x86_test(b->c, RDX);
	none = x86_jump_if(b->c, CC_E);
	x86_cmp(b->c, R10, R13);
	full = x86_jump_if(b->c, CC_AE);
	push_frame(b, RDX);
	x86_jump_to(b->c, loop);
	x86_land(b->c, other);
	x86_land(b->c, above);
	x86_land(b->c, none);
	x86_land(b->c, full);
	out = x86_jump(b->c);
	return out;
}

static bool can_cross(const struct callback *cb)
{
	return cb->hi > cb->lo && cb->hi - cb->lo < INT32_MAX && cb->up && cb->up < INT32_MAX;
}

/* Frames from R9 on. Every address is between the stack's bounds, and further up than the last. */
static void walk(struct body *b)
{
	struct x86_jump below, above, odd, last, outermost, back, full, cross, crossed, out;
	bool crosses = can_cross(&b->o->callback);
	uint64_t loop;

	load_limit(b);
	loop = x86_here(b->c);
	x86_cmp(b->c, R10, R13);
	full = x86_jump_if(b->c, CC_AE);
	x86_cmp(b->c, R9, RDI);
	below = x86_jump_if(b->c, CC_L);
	x86_cmp(b->c, R9, R12);
	above = x86_jump_if(b->c, CC_G);
	x86_test8_imm(b->c, R9, 7);
	odd = x86_jump_if(b->c, CC_NE);
	x86_load(b->c, RDX, R9, 8);
	x86_test(b->c, RDX);
	last = x86_jump_if(b->c, CC_E);
	push_frame(b, RDX);
	x86_load(b->c, RDX, R9, 0);
	x86_test(b->c, RDX);
	outermost = x86_jump_if(b->c, CC_E);
	x86_cmp(b->c, RDX, R9);
	back = x86_jump_if(b->c, CC_BE);
	if (crosses) {
		x86_cmp(b->c, RDX, R12);
		cross = x86_jump_if(b->c, CC_A);
	}
	x86_move(b->c, R9, RDX);
	x86_jump_to(b->c, loop);
	if (crosses) {
		x86_land(b->c, cross);
		crossed = cross_callback(b, loop);
	}
	x86_land(b->c, last);
	x86_land(b->c, outermost);
	x86_move_imm(b->c, R9, 0);
	out = x86_jump(b->c);
	x86_land(b->c, back);
	x86_land(b->c, full);
	/* cut: R9 says so, unless it was 0 from the beginning, which is no cut */
	x86_land(b->c, below);
	x86_land(b->c, above);
	x86_land(b->c, odd);
	if (crosses)
		x86_land(b->c, crossed);
	x86_land(b->c, out);
}

/* Frames that the reader has from this ring already need not be in the record. */
static void forget_known(struct body *b)
{
	struct x86_jump whole, known, new;

	x86_test(b->c, R9);
	whole = x86_jump_if(b->c, CC_E);
	x86_add_imm(b->c, R8, STACK_CUT);
	x86_land(b->c, whole);
	x86_store(b->c, R11, REC(end), R9);
	x86_store(b->c, R11, REC(stack), R8);
	x86_move(b->c, RDX, R8);
	x86_shift_right(b->c, RDX, 64 - INLINE_KNOWN_BITS);
	x86_shift_left(b->c, RDX, 3);
	x86_add(b->c, RDX, RSI);
	x86_cmp_mem(b->c, RDX, RING(known), R8);
	known = x86_jump_if(b->c, CC_E);
	x86_store(b->c, RDX, RING(known), R8);
	new = x86_jump(b->c);
	x86_land(b->c, known);
	x86_lea(b->c, R10, R11, REC(pc));
	x86_land(b->c, new);
}

/* By its leaf a yield that was asked for is told from a preemption. */
static struct x86_jump write_leaf(struct body *b, struct x86_jump unwanted)
{
	struct x86_jump wanted = x86_jump(b->c), done;

	x86_land(b->c, unwanted);
	x86_load(b->c, R13, b->gp, b->l->g.sched_pc);
	x86_move_imm(b->c, R8, b->o->seed + STACK_LEAF);
	push_frame(b, R13);
	x86_store8_imm(b->c, R11, REC(flags), INLINE_LEFT_OUT);
	x86_move_imm(b->c, R9, 0);
	done = x86_jump(b->c);
	x86_land(b->c, wanted);
	return done;
}

static void write_stack(struct body *b)
{
	bool own = b->kind == STUB_PARK || b->kind == STUB_YIELD || b->kind == STUB_SYSENTER;
	struct x86_jump none[3], leaf = {0};
	size_t n = 0;

	x86_lea(b->c, R10, R11, REC(pc));
	x86_store_imm(b->c, R11, REC(end), 0);
	x86_store_imm(b->c, R11, REC(stack), 0);
	if (!has_stack(b->kind))
		return;
	if (own) {
		struct x86_jump unwanted = if_unwanted(b, b->gp);

		if (b->kind == STUB_YIELD)
			leaf = write_leaf(b, unwanted);
		else
			none[n++] = unwanted;
		load_bounds(b, b->gp);
		if (b->kind == STUB_SYSENTER)
			load_caller(b);
		else
			load_sched(b, b->gp);
	} else {
		load_actor(b, none, &n);
	}
	x86_test(b->c, R13);
	none[n++] = x86_jump_if(b->c, CC_E);
	x86_move_imm(b->c, R8, b->o->seed);
	push_frame(b, R13);
	if (b->kind == STUB_YIELD)
		push_caller(b);
	walk(b);
	if (b->kind == STUB_YIELD)
		x86_land(b->c, leaf);
	forget_known(b);
	while (n)
		x86_land(b->c, none[--n]);
}

/* INLINE_PAUSES, unless the ring, RSI, has room, or none at all. */
static void wait_for_reader(struct body *b)
{
	const struct inline_geometry *g = &b->o->geometry;
	struct x86_jump room, none;
	uint64_t loop;

	x86_load(b->c, R9, RSI, RING(head));
	x86_sub_mem(b->c, R9, RSI, RING(tail));
	x86_cmp_imm(b->c, R9, (int32_t)(g->room / 2));
	room = x86_jump_if(b->c, CC_BE);
	x86_cmp_imm(b->c, R9, (int32_t)(g->room - INLINE_RECORD_MAX));
	none = x86_jump_if(b->c, CC_A);
	x86_load(b->c, R9, RSI, RING(waits));
	x86_add_imm(b->c, R9, 1);
	x86_store(b->c, RSI, RING(waits), R9);
	x86_move_imm(b->c, R9, INLINE_PAUSES);
	loop = x86_here(b->c);
	x86_pause(b->c);
	x86_add_imm(b->c, R9, -1);
	x86_jump_back_if(b->c, CC_NE, loop);
	x86_land(b->c, room);
	x86_land(b->c, none);
}

/* Into the ring of the thread's own P: nobody else writes there. */
static void write_owned(struct body *b)
{
	const struct inline_geometry *g = &b->o->geometry;
	struct x86_jump full, done;

	x86_multiply(b->c, RSI, (int32_t)g->stride);
	x86_move_imm(b->c, R11, b->o->base + inline_ring_offset(g, 1));
	x86_add(b->c, RSI, R11);
	wait_for_reader(b);
	/* before the time is taken: the reader relies on it */
	x86_store32_imm(b->c, RSI, RING(busy), 1);
	x86_load(b->c, R8, RSI, RING(head));
	x86_move(b->c, R9, R8);
	x86_sub_mem(b->c, R9, RSI, RING(tail));
	x86_cmp_imm(b->c, R9, (int32_t)(g->room - INLINE_RECORD_MAX));
	full = x86_jump_if(b->c, CC_A);
	x86_move(b->c, R11, R8);
	x86_and_imm(b->c, R11, (int32_t)(g->room - 1));
	x86_lea_index(b->c, R11, RSI, R11, RING(data));
	write_time(b);
	write_fields(b, true);
	write_stack(b);
	x86_move(b->c, RDX, R10);
	x86_sub(b->c, RDX, R11);
	x86_store32(b->c, R11, REC(size), RDX);
	x86_load(b->c, R8, RSI, RING(head));
	x86_add(b->c, RDX, R8);
	x86_store(b->c, RSI, RING(head), RDX);
	done = x86_jump(b->c);
	x86_land(b->c, full);
	x86_load(b->c, RDX, RSI, RING(lost));
	x86_add_imm(b->c, RDX, 1);
	x86_store(b->c, RSI, RING(lost), RDX);
	x86_land(b->c, done);
	x86_store32_imm(b->c, RSI, RING(busy), 0);
	x86_jump_to(b->c, b->callee);
}

/* Into ring 0: a place of its own for everybody; the time, written last, says it is complete. */
static void write_shared(struct body *b)
{
	const struct inline_geometry *g = &b->o->geometry;
	struct x86_jump full;

	x86_move_imm(b->c, R11, b->o->base + inline_ring_offset(g, 0));
	x86_load(b->c, R8, R11, RING(head));
	x86_sub_mem(b->c, R8, R11, RING(tail));
	x86_cmp_imm(b->c, R8, (int32_t)(g->room - SLOW_READERS * INLINE_SLOT));
	full = x86_jump_if(b->c, CC_A);
	x86_move_imm(b->c, R8, INLINE_SLOT);
	x86_lock_xadd(b->c, R11, RING(head), R8);
	x86_and_imm(b->c, R8, (int32_t)(g->room - 1));
	x86_lea_index(b->c, R11, R11, R8, RING(data));
	write_fields(b, false);
	x86_store32_imm(b->c, R11, REC(size), (uint32_t)REC(pc));
	x86_store_imm(b->c, R11, REC(end), 0);
	x86_store_imm(b->c, R11, REC(stack), 0);
	write_time(b);
	x86_jump_to(b->c, b->callee);
	x86_land(b->c, full);
	x86_lock_increment(b->c, R11, RING(lost));
	x86_jump_to(b->c, b->callee);
}

static void write_body(struct body *b)
{
	struct x86_jump off, none, beyond;

	x86_move_imm(b->c, RDX, HEADER(b, enabled));
	x86_load32(b->c, RDX, RDX, 0);
	x86_test(b->c, RDX);
	off = x86_jump_if(b->c, CC_E);
	x86_load(b->c, R12, R14, b->l->g.m);
	x86_load(b->c, RDI, R12, b->l->m.p);
	if (b->kind != STUB_NO_P && b->kind != STUB_SYSEXIT) {
		x86_test(b->c, RDI);
		none = x86_jump_if(b->c, CC_E);
		x86_load32(b->c, RSI, RDI, b->l->p.id);
		/* one of those that were added since: there is no ring for it */
		x86_cmp_imm(b->c, RSI, (int32_t)b->o->geometry.rings - 1);
		beyond = x86_jump_if(b->c, CC_AE);
		write_owned(b);
		x86_land(b->c, none);
		x86_land(b->c, beyond);
	}
	write_shared(b);
	x86_land(b->c, off);
	x86_jump_to(b->c, b->callee);
}

/* The one that has gp. */
static enum x86_gpr register_of(enum stub_kind kind)
{
	if (is_syscall(kind))
		return R14;
	return kind == STUB_CREATE_RUNQPUT ? RBX : RAX;
}

/* The site before `i` that has the same body, or i. */
static size_t twin(const struct stub_site *sites, size_t i)
{
	size_t k = 0;

	while (k < i && (sites[k].kind != sites[i].kind || sites[k].callee != sites[i].callee ||
			 sites[k].skip_slot != sites[i].skip_slot))
		k++;
	return k;
}

int stubs_write(struct x86_code *c, const struct stub_options *o, struct stub_site *sites, size_t n)
{
	uint64_t body[INLINE_MAX_SITES];

	if (n > INLINE_MAX_SITES)
		return -ERANGE;
	for (size_t i = 0; i < n; i++) {
		struct body b = {
			.c = c,
			.o = o,
			.l = o->layout,
			.kind = sites[i].kind,
			.skip_slot = sites[i].skip_slot,
			.callee = sites[i].callee,
			.gp = register_of(sites[i].kind),
		};
		size_t k = twin(sites, i);

		if (k == i) {
			x86_align(c, 16);
			body[i] = x86_here(c);
			write_body(&b);
		} else {
			body[i] = body[k];
		}
	}
	for (size_t i = 0; i < n; i++) {
		x86_align(c, SITE_BYTES);
		sites[i].entry = x86_here(c);
		x86_move_imm(c, R13, sites[i].number);
		x86_jump_to(c, body[i]);
	}
	return c->failed ? -ERANGE : 0;
}
