// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Stubs run in this process; what they write, what they leave as it is, what they never touch. */
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "tests/unit/inline/rig.h"
#include "tests/unit/unit.h"
#include "user/target/layout_rungs.h"

#define KINDS (STUB_CREATE_RUNQPUT + 1)

/* g, m and p of the newest release. */
static const struct layout *newest(void)
{
	return &layout_releases[0].l;
}

static bool is_create(int kind)
{
	return kind == STUB_CREATE || kind == STUB_CREATE_RUNQPUT;
}

static bool is_syscall(int kind)
{
	return kind == STUB_SYSENTER || kind == STUB_SYSEXIT;
}

/* The goroutine that is told of is mock_g(); the one on whose behalf the runtime acts, too. */
static struct rig_registers registers(struct rig *r, int kind)
{
	uint64_t gp = rig_at(mock_g(r->m));

	if (is_syscall(kind))
		return (struct rig_registers){
			.ax = 0x400999,
			.bx = 0x1234567,
			.cx = 0x7654321,
			.bp = rig_at(r->stack + 1), /* entersyscall's frame */
			.r14 = gp,
			.r15 = 0x6666,
			.x15 = {0x1515151515151515, 0x5151515151515151},
			.x0 = {0x77, 0x88},
		};
	return (struct rig_registers){
		.ax = kind == STUB_CREATE_RUNQPUT ? 0x1234567 : gp,
		.bx = kind == STUB_CREATE_RUNQPUT ? gp : 0xfedcba9800000002,
		.cx = 0xfedcba9800000004,
		.bp = 0x5555,
		.r14 = rig_at(mock_g0(r->m)),
		.r15 = 0x6666,
		.x15 = {0x1515151515151515, 0x5151515151515151},
		.x0 = {0x77, 0x88},
		.word = 3,
	};
}

/* A number for each field, by which it is known. */
static void fill(struct rig *r)
{
	const struct layout *l = &r->l;
	uint8_t *g = mock_g(r->m), *m = mock_m(r->m), *p = mock_p(r->m);

	rig_put(g, l->g.goid, 0x1111111122222222);
	rig_put(g, l->g.startpc, 0x401111);
	rig_put(g, l->g.gopc, 0x402222);
	rig_put(g, l->g.syscallsp, 0);
	rig_put8(g, l->g.waitreason, 17);
	rig_put(m, l->m.procid, 4711);
	rig_put(m, l->m.wait_skip, 5);
	rig_put8(m, l->m.wait_block_reason, 9);
	rig_put(p, l->p.worker_mode, 2);
	rig_put(p, l->p.status, 2);
	rig_put(m, l->m.oldp, rig_at(p));
}

static void run(struct rig *r, int kind)
{
	struct rig_registers regs = registers(r, kind);

	/* as if no stack had been seen yet: otherwise frames come once */
	memset(mock_ring(r->m, 1)->known, 0, sizeof(mock_ring(r->m, 1)->known));
	rig_call(r, kind, &regs);
}

static void check_frames(const struct rig *r, const struct inline_record *rec, unsigned int n,
			 unsigned int first)
{
	(void)r;
	CU_ASSERT_EQUAL(rec->size, offsetof(struct inline_record, pc) + 8 * n);
	for (unsigned int i = first; i < n; i++)
		if (rec->pc[i] != rig_pc(i - first)) {
			CU_FAIL("another frame");
			break;
		}
}

static void check_args(const struct rig *r, int kind, const struct inline_record *rec)
{
	bool has_reasons = r->l.m.wait_skip >= 0 && r->l.m.wait_block_reason >= 0;

	if (kind == STUB_PARK) {
		CU_ASSERT_EQUAL(rec->wait_reason, 17);
		CU_ASSERT_EQUAL(rec->block_reason, has_reasons ? 9 : 0);
		CU_ASSERT_EQUAL(rec->arg[0], has_reasons ? 5 : UINT64_MAX);
	} else if (kind == STUB_READY) {
		CU_ASSERT_EQUAL(rec->arg[0], 3);
	} else if (kind == STUB_WORKER) {
		CU_ASSERT_EQUAL(rec->arg[0], UINT64_MAX);
		CU_ASSERT_EQUAL(rec->block_reason, 2);
	} else if (is_create(kind)) {
		CU_ASSERT_EQUAL(rec->arg[0], 0x401111);
		CU_ASSERT_EQUAL(rec->arg[1], 0x402222);
	}
	if (kind == STUB_SYSEXIT) {
		CU_ASSERT_EQUAL(rec->arg[0], rig_at(mock_p(r->m)));
		CU_ASSERT_EQUAL((uint32_t)rec->arg[1], 2);
	}
	if (kind != STUB_PARK)
		CU_ASSERT_EQUAL(rec->wait_reason, 0);
	if (kind != STUB_PARK && kind != STUB_WORKER)
		CU_ASSERT_EQUAL(rec->block_reason, 0);
}

/* One record, field by field; all else is as before, and the function was called. */
static void check_kind(struct rig *r, int kind, uint32_t ring, bool stacks)
{
	struct rig_registers before = registers(r, kind), after = before;
	uint64_t called = r->called, from, to;
	const struct inline_record *rec;
	bool status = kind != STUB_CREATE_RUNQPUT && !is_syscall(kind);

	from = __rdtsc();
	rig_call(r, kind, &after);
	to = __rdtsc();
	CU_ASSERT_EQUAL(r->called, called + 1);
	CU_ASSERT_EQUAL(after.sp, 0);
	after.sp = before.sp;
	CU_ASSERT_EQUAL(memcmp(&before, &after, sizeof(before)), 0);
	rec = rig_record(r, ring);
	CU_ASSERT_PTR_NOT_NULL(rec);
	if (!rec)
		return;
	CU_ASSERT(rec->tsc >= from && rec->tsc <= to);
	CU_ASSERT_EQUAL(rec->site, 100 + (uint32_t)kind);
	CU_ASSERT_EQUAL(rec->gp, rig_at(mock_g(r->m)));
	CU_ASSERT_EQUAL(rec->goid, 0x1111111122222222);
	CU_ASSERT_EQUAL(rec->procid, 4711);
	CU_ASSERT_EQUAL(rec->p, rig_at(mock_p(r->m)));
	CU_ASSERT_EQUAL(rec->curg, rig_at(mock_g(r->m)));
	CU_ASSERT_EQUAL(rec->old_status, status ? 2 : 0);
	CU_ASSERT_EQUAL(rec->new_status, status ? 4 : 0);
	CU_ASSERT_EQUAL(rec->end, 0);
	check_args(r, kind, rec);
	if (kind == STUB_YIELD && !stacks) {
		/* its leaf tells why it yields */
		check_frames(r, rec, 1, 1);
		CU_ASSERT_EQUAL(rec->pc[0], 0x400999);
	} else if (kind < STUB_PARK || !stacks)
		check_frames(r, rec, 0, 0);
	else if (kind != STUB_YIELD)
		check_frames(r, rec, 13, 1);
	CU_ASSERT_EQUAL(rec->flags, kind != STUB_YIELD ? 0 :
				    stacks             ? INLINE_MAYBE_CALLER :
							 INLINE_LEFT_OUT);
}

/* A rig whose goroutine is told of has 12 frames, and a caller at SP. */
static void with(const struct layout *l, int kind, bool stacks)
{
	struct rig r;

	if (!rig_make(&r, l, stacks, NULL))
		return;
	fill(&r);
	rig_stack(&r, mock_g(r.m), 0x400999, 12);
	rig_put(mock_g(r.m), l->g.sched_sp, rig_at(r.stack));
	r.stack[0] = 0x400777;
	r.stack[1] = rig_frame(&r, 12, 0);
	check_kind(&r, kind, kind != STUB_NO_P && kind != STUB_SYSEXIT, stacks);
	rig_free(&r);
}

static void test_kinds(void)
{
	for (const struct layout_release *v = layout_releases;
	     v < layout_releases + layout_nreleases; v++) {
		for (int kind = STUB_PLAIN; kind < KINDS; kind++) {
			CU_ASSERT_TRUE(stub_possible(&v->l, kind));
			with(&v->l, kind, true);
			with(&v->l, kind, false);
		}
	}
}

static void test_possible(void)
{
	struct layout l = *newest();

	CU_ASSERT_FALSE(stub_possible(&l, STUB_NONE));
	l.p.worker_mode = -1;
	CU_ASSERT_FALSE(stub_possible(&l, STUB_WORKER));
	CU_ASSERT_TRUE(stub_possible(&l, STUB_READY));
	CU_ASSERT_TRUE(stub_possible(&l, STUB_SYSEXIT));
	l.m.oldp = -1;
	CU_ASSERT_FALSE(stub_possible(&l, STUB_SYSEXIT));
	CU_ASSERT_TRUE(stub_possible(&l, STUB_SYSENTER));
	l.g.sched_bp = -1;
	CU_ASSERT_FALSE(stub_possible(&l, STUB_PLAIN));
}

/* --- stacks --------------------------------------------------------------------------------- */

/* Depths, PC included, up to more than a record holds. */
static void test_depths(void)
{
	static const unsigned int depths[] = {0, 1, 2, 12, 127, 128, 129, 200, 500};

	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		unsigned int n = depths[i], kept = n < EVENT_MAX_FRAMES ? n : EVENT_MAX_FRAMES;
		const struct inline_record *rec;
		struct rig r;

		if (!rig_make(&r, newest(), true, NULL))
			return;
		fill(&r);
		rig_stack(&r, mock_g(r.m), n ? 0x400999 : 0, n ? n - 1 : 0);
		run(&r, STUB_PARK);
		rec = rig_record(&r, 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
		check_frames(&r, rec, kept, 1);
		if (n)
			CU_ASSERT_EQUAL(rec->pc[0], 0x400999);
		CU_ASSERT_EQUAL(rec->end, n > kept ? rig_frame(&r, n - 1, kept - 1) : 0);
		rig_free(&r);
	}
}

/* A frame pointer that leads out of the stack, or nowhere: there the walk ends, and says so. */
static void hostile(int kind, unsigned int good, uint64_t bad, bool seen)
{
	const struct inline_record *rec;
	struct rig r;
	uint64_t end = bad;

	if (!rig_make(&r, newest(), true, NULL))
		return;
	fill(&r);
	rig_stack(&r, mock_g(r.m), 0x400999, 12);
	/* relative to the stack: below its middle from its beginning, above it from its end */
	if (seen)
		end = bad += rig_at(r.stack);
	if (good)
		*(uint64_t *)(uintptr_t)rig_frame(&r, 12, good - 1) = bad;
	else
		rig_put(mock_g(r.m), r.l.g.sched_bp, bad);
	run(&r, kind);
	rec = rig_record(&r, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
	check_frames(&r, rec, good + 1, 1);
	/* where it would go down it stays where it was */
	if (good && (bad <= rig_frame(&r, 12, good - 1)))
		end = rig_frame(&r, 12, good - 1);
	CU_ASSERT_EQUAL(rec->end, end);
	rig_free(&r);
}

static void test_hostile(void)
{
	const int64_t size = RIG_STACK_WORDS * 8;
	const int64_t near[] = {-8,       -16,         -4096,     -4,        size,    size - 8,
				size + 8, size + 4096, size - 15, size - 17, size - 1};
	static const uint64_t far[] = {
		1, 8, 0x1000, 0x8000000000000000, UINT64_MAX, UINT64_MAX - 7};

	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		for (unsigned int good = 0; good <= 5; good += 5) {
			hostile(STUB_PARK, good, (uint64_t)near[i], true);
			hostile(STUB_READY, good, (uint64_t)near[i], true);
		}
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		for (unsigned int good = 0; good <= 5; good += 5) {
			hostile(STUB_PARK, good, far[i], false);
			hostile(STUB_CREATE, good, far[i], false);
		}
}

/* To itself, and down: no loop. */
static void test_loop(void)
{
	for (unsigned int back = 0; back < 4; back++) {
		const struct inline_record *rec;
		struct rig r;
		uint64_t *frame;

		if (!rig_make(&r, newest(), true, NULL))
			return;
		fill(&r);
		rig_stack(&r, mock_g(r.m), 0x400999, 12);
		frame = (void *)(uintptr_t)rig_frame(&r, 12, 4);
		frame[0] = rig_frame(&r, 12, 4 - back);
		run(&r, STUB_PARK);
		rec = rig_record(&r, 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
		check_frames(&r, rec, 6, 1);
		CU_ASSERT_EQUAL(rec->end, rig_at(frame));
		rig_free(&r);
	}
}

/* The last two words of a stack are a frame; the word before them is none. */
static void test_last_word(void)
{
	const struct inline_record *rec;
	struct rig r;

	if (!rig_make(&r, newest(), true, NULL))
		return;
	fill(&r);
	rig_stack(&r, mock_g(r.m), 0x400999, 1);
	CU_ASSERT_EQUAL(rig_frame(&r, 1, 0), rig_at(r.stack + RIG_STACK_WORDS - 2));
	run(&r, STUB_PARK);
	rec = rig_record(&r, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
	check_frames(&r, rec, 2, 1);
	CU_ASSERT_EQUAL(rec->end, 0);
	rig_free(&r);
}

/* Bounds of a stack that was freed: nothing is read, whatever the frame pointer is. */
static void test_bounds(void)
{
	const uint64_t bp[] = {0, 8, 0x400000, 0x7fffffffeff8, INT64_MAX - 7, UINT64_MAX - 7};

	for (size_t i = 0; i < sizeof(bp) / sizeof(bp[0]); i++)
		for (uint64_t hi = 0; hi < 16; hi += 8) {
			const struct inline_record *rec;
			struct rig r;

			if (!rig_make(&r, newest(), true, NULL))
				return;
			fill(&r);
			rig_stack(&r, mock_g(r.m), 0x400999, 3);
			rig_put(mock_g(r.m), r.l.g.stack_lo, 0);
			rig_put(mock_g(r.m), r.l.g.stack_hi, hi);
			rig_put(mock_g(r.m), r.l.g.sched_bp, bp[i]);
			rig_put(mock_g(r.m), r.l.g.sched_sp, bp[i]);
			run(&r, i % 2 ? STUB_PARK : STUB_YIELD);
			rec = rig_record(&r, 1);
			CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
			check_frames(&r, rec, 1, 1);
			CU_ASSERT_EQUAL(rec->end, bp[i]);
			rig_free(&r);
		}
}

/* What is at SP of a goroutine that yields, if SP is on its stack. */
static void caller(uint64_t sp, bool relative, uint64_t word, bool has)
{
	const struct inline_record *rec;
	struct rig r;

	if (!rig_make(&r, newest(), true, NULL))
		return;
	fill(&r);
	rig_stack(&r, mock_g(r.m), 0x400999, 3);
	sp += relative ? rig_at(r.stack) : 0;
	rig_put(mock_g(r.m), r.l.g.sched_sp, sp);
	if (has || !word)
		*(uint64_t *)(uintptr_t)sp = word;
	run(&r, STUB_YIELD);
	rec = rig_record(&r, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
	check_frames(&r, rec, has ? 5 : 4, has ? 2 : 1);
	CU_ASSERT_EQUAL(rec->flags, has ? INLINE_MAYBE_CALLER : 0);
	if (has)
		CU_ASSERT_EQUAL(rec->pc[1], word);
	rig_free(&r);
}

static void test_caller(void)
{
	const uint64_t size = RIG_STACK_WORDS * 8;

	caller(0, true, 0x400777, true);
	caller(size / 2, true, 0x400777, true);
	caller(size / 2, true, 0, false);
	caller((uint64_t)-8, true, 1, false);
	caller(size / 2 + 4, true, 1, false);
	caller(size, true, 1, false);
	caller(size + 8, true, 1, false);
	caller(0, false, 1, false);
	caller(UINT64_MAX, false, 1, false);
}

/* The waker is on its own stack, not on that of its thread: from RBP on. */
static void test_own_stack(void)
{
	const struct inline_record *rec;
	struct rig_registers regs;
	struct rig r;

	if (!rig_make(&r, newest(), true, NULL))
		return;
	fill(&r);
	rig_stack(&r, mock_g(r.m), 0x400999, 12);
	regs = registers(&r, STUB_READY);
	regs.r14 = rig_at(mock_g(r.m));
	regs.bp = rig_frame(&r, 12, 2);
	rig_call(&r, STUB_READY, &regs);
	rec = rig_record(&r, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
	CU_ASSERT_EQUAL(rec->size, offsetof(struct inline_record, pc) + 8 * 11);
	CU_ASSERT_EQUAL(rec->pc[0], rig_return());
	for (unsigned int i = 1; i < 11; i++)
		CU_ASSERT_EQUAL(rec->pc[i], rig_pc(i + 1));
	CU_ASSERT_EQUAL(rec->end, 0);
	rig_free(&r);
}

/* In a system call: where it was called, and further only if the runtime keeps that. */
static void test_syscall(void)
{
	for (int with_bp = 0; with_bp < 2; with_bp++) {
		struct layout l = *newest();
		const struct inline_record *rec;
		struct rig r;

		l.g.syscallbp = with_bp ? l.g.syscallbp : -1;
		if (!rig_make(&r, &l, true, NULL))
			return;
		fill(&r);
		rig_stack(&r, mock_g(r.m), 0x400999, 12);
		rig_put(mock_g(r.m), l.g.syscallsp, rig_at(r.stack + 8));
		rig_put(mock_g(r.m), l.g.syscallpc, 0x403333);
		rig_put(mock_g(r.m), l.g.syscallbp, rig_frame(&r, 12, 6));
		run(&r, STUB_READY);
		rec = rig_record(&r, 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
		CU_ASSERT_EQUAL(rec->pc[0], 0x403333);
		CU_ASSERT_EQUAL(rec->size,
				offsetof(struct inline_record, pc) + 8 * (with_bp ? 7U : 1U));
		if (with_bp)
			CU_ASSERT_EQUAL(rec->pc[1], rig_pc(6));
		/* what is not known is cut */
		CU_ASSERT_EQUAL(!rec->end, with_bp);
		rig_free(&r);
	}
}

/* Nobody's: the runtime acts by itself. */
static void test_no_curg(void)
{
	static const int kinds[] = {STUB_READY, STUB_WORKER, STUB_CREATE, STUB_CREATE_RUNQPUT};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct inline_record *rec;
		struct rig r;

		if (!rig_make(&r, newest(), true, NULL))
			return;
		fill(&r);
		rig_stack(&r, mock_g(r.m), 0x400999, 12);
		rig_put(mock_m(r.m), r.l.m.curg, 0);
		run(&r, kinds[i]);
		rec = rig_record(&r, 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
		check_frames(&r, rec, 0, 0);
		CU_ASSERT_EQUAL(rec->curg, 0);
		CU_ASSERT_EQUAL(rec->end, 0);
		rig_free(&r);
	}
}

/* Go that C called, which Go called: the frame pointer there is one of the thread's own stack. */
static void test_callback(void)
{
	const struct callback cb = {.lo = rig_pc(2), .hi = rig_pc(2) + 8, .up = 64};

	for (int how = 0; how < 3; how++) {
		const struct inline_record *rec;
		struct rig r;
		uint64_t *frame, *outer;

		if (!rig_make(&r, newest(), true, &cb))
			return;
		fill(&r);
		rig_stack(&r, mock_g(r.m), 0x400999, 12);
		/* frames 0 to 2 further down; the third one is in cgocallback */
		rig_put(mock_g(r.m), r.l.g.sched_bp, rig_at(r.stack));
		for (unsigned int i = 0; i < 3; i++) {
			frame = r.stack + 2 * i;
			frame[0] = rig_at(frame + 2);
			frame[1] = rig_pc(i);
		}
		frame[0] = rig_at(r.stack + RIG_STACK_WORDS) + 4096 + 64;
		outer = frame + 8;
		outer[-1] = how == 1 ? 0 : rig_pc(3);
		outer[0] = how == 2 ? UINT64_MAX - 7 : rig_frame(&r, 12, 5);
		outer[1] = rig_pc(4);
		run(&r, STUB_PARK);
		rec = rig_record(&r, 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
		check_frames(&r, rec, how == 0 ? 13 : how == 1 ? 4 : 6, 1);
		CU_ASSERT_EQUAL(!rec->end, how == 0);
		rig_free(&r);
	}
}

/* --- rings ---------------------------------------------------------------------------------- */

/* Without a P, and with one that was added later: ring 0, in its own format. */
static void test_no_p(void)
{
	for (int how = 0; how < 3; how++) {
		struct inline_ring *ring;
		const struct inline_record *rec;
		struct rig r;

		if (!rig_make(&r, newest(), true, NULL))
			return;
		fill(&r);
		rig_stack(&r, mock_g(r.m), 0x400999, 12);
		if (how == 0)
			rig_put(mock_m(r.m), r.l.m.p, 0);
		else
			rig_put(mock_p(r.m), r.l.p.id, how == 1 ? 1 : UINT32_MAX);
		run(&r, STUB_PARK);
		ring = mock_ring(r.m, 0);
		rec = rig_record(&r, 0);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
		CU_ASSERT_EQUAL(rec->size, offsetof(struct inline_record, pc));
		CU_ASSERT_EQUAL(rec->p, how ? rig_at(mock_p(r.m)) : 0);
		CU_ASSERT_EQUAL(rec->end, 0);
		for (int i = 2; i <= 10; i++) {
			run(&r, STUB_READY);
			CU_ASSERT_EQUAL(ring->head, INLINE_SLOT * (uint64_t)i);
		}
		rig_free(&r);
	}
}

/* Bytes of a ring, to see that they stay. */
static uint64_t sum_of(const struct inline_ring *ring, uint32_t stride)
{
	const uint64_t *word = (const void *)ring->data;
	uint64_t sum = 0;

	for (size_t i = 0; i < (stride - sizeof(*ring)) / 8; i++)
		sum = sum * 31 + word[i];
	return sum;
}

/* Between half full and full, and there only. */
static void test_waits(void)
{
	const struct inline_geometry *g;
	struct inline_ring *s;
	uint64_t head;
	struct rig r;

	if (!rig_make(&r, newest(), true, NULL))
		return;
	g = mock_geometry(r.m);
	s = mock_ring(r.m, 1);
	fill(&r);
	run(&r, STUB_PARK);
	CU_ASSERT_EQUAL(s->waits, 0);
	s->tail = s->head - g->room / 2;
	run(&r, STUB_PARK);
	CU_ASSERT_EQUAL(s->waits, 0);
	s->tail = s->head - g->room / 2 - 8;
	head = s->head;
	run(&r, STUB_PARK);
	CU_ASSERT_EQUAL(s->waits, 1);
	CU_ASSERT(s->head > head);
	s->tail = s->head - g->room + INLINE_RECORD_MAX;
	run(&r, STUB_PARK);
	CU_ASSERT_EQUAL(s->waits, 2);
	CU_ASSERT_EQUAL(s->lost, 0);
	/* nobody reads: it is lost at once */
	s->tail = s->head - g->room + INLINE_RECORD_MAX - 8;
	run(&r, STUB_PARK);
	CU_ASSERT_EQUAL(s->waits, 2);
	CU_ASSERT_EQUAL(s->lost, 1);
	CU_ASSERT_EQUAL(r.called, 5);
	rig_free(&r);
}

static void test_full(void)
{
	for (uint32_t ring = 0; ring < 2; ring++) {
		const struct inline_geometry *g;
		struct inline_ring *s;
		uint64_t head, sum, runs = 0;
		struct rig r;

		if (!rig_make(&r, newest(), true, NULL))
			return;
		g = mock_geometry(r.m);
		s = mock_ring(r.m, ring);
		fill(&r);
		rig_stack(&r, mock_g(r.m), 0x400999, 200);
		if (!ring)
			rig_put(mock_m(r.m), r.l.m.p, 0);
		while (!s->lost && runs++ < 100000)
			run(&r, STUB_PARK);
		CU_ASSERT_EQUAL(s->lost, 1);
		CU_ASSERT_EQUAL(s->busy, 0);
		CU_ASSERT_EQUAL(r.called, runs);
		/* it was not given up early, nor late */
		CU_ASSERT(s->head <= g->room && s->head > (ring ? g->room * 9 / 10 : g->room / 4));
		head = s->head;
		sum = sum_of(s, g->stride);
		for (int i = 0; i < 100; i++)
			run(&r, STUB_PARK);
		CU_ASSERT_EQUAL(s->lost, 101);
		CU_ASSERT_EQUAL(s->head, head);
		CU_ASSERT_EQUAL(sum_of(s, g->stride), sum);
		/* and it goes on once there is room */
		mock_empty(r.m);
		run(&r, STUB_PARK);
		CU_ASSERT(s->head > head);
		CU_ASSERT_EQUAL(s->lost, 101);
		rig_free(&r);
	}
}

/* Records that go on behind the ring's end, many times round; nothing behind their room changes. */
static void test_wraps(void)
{
	const struct inline_geometry *g;
	struct inline_ring *s;
	uint64_t at, odd = 0;
	struct rig r;

	if (!rig_make(&r, newest(), true, NULL))
		return;
	g = mock_geometry(r.m);
	s = mock_ring(r.m, 1);
	fill(&r);
	memset(s->data, 0xa5, g->stride - sizeof(*s));
	for (unsigned int i = 0; s->head < 5ULL * g->room; i++) {
		const struct inline_record *rec;
		unsigned int frames = i * 7 % 127;

		rig_stack(&r, mock_g(r.m), 0x400999, frames);
		at = s->head;
		run(&r, STUB_PARK);
		rec = (void *)(s->data + at % g->room);
		CU_ASSERT_EQUAL(s->head, at + rec->size);
		check_frames(&r, rec, frames + 1, 1);
		odd += at % g->room + rec->size > g->room;
		mock_empty(r.m);
	}
	CU_ASSERT(odd > 0);
	for (size_t i = g->room + INLINE_RECORD_MAX; i < g->stride - sizeof(*s); i++)
		if (s->data[i] != 0xa5)
			CU_FAIL("written behind the ring");
	rig_free(&r);
}

/* --- where they go -------------------------------------------------------------------------- */

static void test_too_far(void)
{
	struct stub_site site = {.kind = STUB_PARK, .skip_slot = -1};
	struct stub_options o = {.layout = newest(),
				 .geometry = {2, inline_stride(1 << 20), 1 << 20}};
	uint8_t bytes[4096];
	struct x86_code c = {.bytes = bytes, .room = sizeof(bytes), .addr = 0x400000};

	site.callee = 0x400000 + 0x80001000;
	CU_ASSERT(stubs_write(&c, &o, &site, 1) != 0);
	c = (struct x86_code){.bytes = bytes, .room = 100, .addr = 0x400000};
	site.callee = 0x400000;
	CU_ASSERT(stubs_write(&c, &o, &site, 1) != 0);
}

/* The ring has only the record of this call. */
static const struct inline_record *park_again(struct rig *r)
{
	struct rig_registers regs = registers(r, STUB_PARK);
	const struct inline_record *rec;

	mock_ring(r->m, 1)->head = mock_ring(r->m, 1)->tail = 0;
	rig_call(r, STUB_PARK, &regs);
	rec = rig_record(r, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rec);
	return rec;
}

/* Frames come once, the stack's number always; other frames, or the same ones cut, are another stack. */
static void test_known(void)
{
	uint64_t whole = 0, longer;
	const struct inline_record *rec;
	struct rig r;

	if (!rig_make(&r, newest(), true, NULL))
		return;
	fill(&r);
	rig_stack(&r, mock_g(r.m), 0x400999, 12);
	for (int i = 0; i < 3; i++) {
		rec = park_again(&r);
		whole = i ? whole : rec->stack;
		CU_ASSERT(rec->stack && rec->stack == whole);
		check_frames(&r, rec, i ? 0 : 13, 1);
	}
	rig_stack(&r, mock_g(r.m), 0x400999, 13);
	rec = park_again(&r);
	longer = rec->stack;
	CU_ASSERT(longer && longer != whole);
	check_frames(&r, rec, 14, 1);
	/* its last frame leads out of the stack: the same frames, but cut */
	*(uint64_t *)(uintptr_t)rig_frame(&r, 13, 12) = 8;
	rec = park_again(&r);
	CU_ASSERT(rec->end && rec->stack != longer && rec->stack != whole);
	check_frames(&r, rec, 14, 1);
	rig_free(&r);
}

/* So many that they could be no more: each has its own number, and there is room for all. */
static void test_many(void)
{
	static struct stub_site sites[INLINE_MAX_SITES + 1];
	struct stub_options o = {.layout = newest()};
	size_t room = stubs_room(INLINE_MAX_SITES);
	uint8_t *bytes = malloc(room);
	struct x86_code c = {.bytes = bytes, .room = room, .addr = 0x400000};

	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	o.callback = (struct callback){.lo = 0x400000, .hi = 0x400100, .up = 64};
	o.geometry = (struct inline_geometry){2, inline_stride(1 << 20), 1 << 20};
	o.base = 0x7f0000000000;
	for (uint32_t i = 0; i <= INLINE_MAX_SITES; i++)
		sites[i] = (struct stub_site){
			.number = i,
			.kind = (enum stub_kind)(STUB_PLAIN + i % STUB_CREATE_RUNQPUT),
			.skip_slot = (int)i, /* no two are alike */
			.callee = 0x400000,
		};
	CU_ASSERT_EQUAL(stubs_write(&c, &o, sites, INLINE_MAX_SITES), 0);
	CU_ASSERT(c.n <= room);
	for (size_t i = 1; i < INLINE_MAX_SITES; i++)
		CU_ASSERT(sites[i].entry > sites[i - 1].entry);
	c.n = 0;
	CU_ASSERT(stubs_write(&c, &o, sites, INLINE_MAX_SITES + 1) != 0);
	free(bytes);
}

static CU_TestInfo tests[] = {
	{"every kind, in every release", test_kinds},
	{"what has to be known", test_possible},
	{"depths", test_depths},
	{"frame pointers that lead out", test_hostile},
	{"frame pointers that lead back", test_loop},
	{"the last frame there can be", test_last_word},
	{"bounds that are none", test_bounds},
	{"a caller at SP", test_caller},
	{"a waker on its own stack", test_own_stack},
	{"a waker in a system call", test_syscall},
	{"no waker", test_no_curg},
	{"across a call of C", test_callback},
	{"no P, and a P without a ring", test_no_p},
	{"a ring that is half full", test_waits},
	{"a ring that is full", test_full},
	{"round and round", test_wraps},
	{"frames come once", test_known},
	{"callees that are too far", test_too_far},
	{"as many as there may be", test_many},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/stub", tests);
