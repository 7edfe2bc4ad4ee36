// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "user/capture/file.h"
#include "user/capture/symbolize.h"

#define TGID 77

/* PCs of a made-up program. */
enum {
	LEAF = 0x1000, /* its frame is set up */
	PROLOGUE = 0x2000, /* stopped before it is */
	INLINED = 0x3000, /* two logical frames */
	WRAPPER = 0x4000,
	UNKNOWN = 0x5000,
	START = 0x6000, /* entry of a function; its symbol is looked up at START_INNER + 1 */
	START_INNER = 0x6100,
	LONG = 0x7000, /* more text than a record holds */
	PANICWRAP = 0x8000,
	SIGPANIC = 0x9000,
	PREEMPT = 0xa000,
};

static char long_name[3000];

static int frames(void *ctx, uint64_t pc, struct pcln_frame *out, size_t max)
{
	++*(int *)ctx;
	if (pc == UNKNOWN)
		return -ENOENT;
	if (pc == LONG) {
		memset(long_name, 'x', sizeof(long_name) - 1);
		for (size_t i = 0; i < max; i++)
			out[i] = (struct pcln_frame){pc + i, long_name, long_name, 1, false};
		return (int)max;
	}
	out[0] = (struct pcln_frame){pc, "main.inner", "/src/inner.go", 12, pc == WRAPPER};
	if (pc == PANICWRAP)
		out[0].func = "runtime.panicwrap";
	if (pc == SIGPANIC)
		out[0].func = "runtime.sigpanic";
	if (pc == PREEMPT)
		out[0].func = "runtime.asyncPreempt";
	if (pc != INLINED)
		return 1;
	out[1] = (struct pcln_frame){pc - 1, "main.outer", "/src/outer.go", 34, false};
	return 2;
}

static int pcsp(void *ctx, uint64_t pc)
{
	(void)ctx;
	return pc == PROLOGUE - 1 ? 0 : 64;
}

static uint64_t start_pc(void *ctx, uint64_t startpc)
{
	(void)ctx;
	return startpc == START ? START_INNER : startpc;
}

struct emitted {
	int n, valid, frames;
	uint64_t pc[16];
	uint64_t frame_pc[16]; /* of the first frame */
	char first_func[32];
	int fail;
};

static int take(void *ctx, const struct event_head *ev)
{
	const struct ev_symbol *sy = (const void *)ev;
	const struct ev_frame *f = (const void *)(sy + 1);
	struct emitted *e = ctx;

	if (e->fail)
		return e->fail;
	CU_ASSERT_EQUAL(sy->tgid, TGID);
	e->valid += ev->type == EV_SYMBOL && event_valid(ev);
	e->frames = sy->n;
	e->pc[e->n] = sy->pc;
	e->frame_pc[e->n] = sy->n ? f->pc : 0;
	if (sy->n && f->func_len < sizeof(e->first_func)) {
		memset(e->first_func, 0, sizeof(e->first_func));
		memcpy(e->first_func, f + 1, f->func_len);
	}
	e->n++;
	return 0;
}

struct setup {
	struct symbolizer *s;
	struct emitted out;
	int lookups;
};

static void set_up(struct setup *t)
{
	struct symbol_source source = {frames, pcsp, start_pc, &t->lookups, NULL};

	memset(t, 0, sizeof(*t));
	t->s = symbolizer_new(TGID, &source, take, &t->out);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t->s);
}

static struct ev_stack *stack(uint16_t flags, uint16_t n, const uint64_t *pcs)
{
	struct ev_stack *ev = calloc(1, sizeof(*ev) + EVENT_MAX_FRAMES * 8);

	CU_ASSERT_PTR_NOT_NULL_FATAL(ev);
	ev->h = (struct event_head){
		.time_ns = 5, .type = EV_STACK, .size = (uint16_t)(sizeof(*ev) + n * 8)};
	ev->tgid = TGID;
	ev->n = n;
	ev->flags = flags;
	memcpy(ev->pc, pcs, n * 8U);
	return ev;
}

#define STACK(flags, ...) \
	stack(flags, sizeof((uint64_t[]){__VA_ARGS__}) / 8, (uint64_t[]){__VA_ARGS__})

static void writes_each_pc_once(void)
{
	struct ev_stack *a = STACK(0, LEAF, INLINED), *b = STACK(0, INLINED, LEAF);
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, a), 0);
	CU_ASSERT_EQUAL(t.out.n, 2);
	CU_ASSERT_EQUAL(t.out.valid, 2);
	CU_ASSERT_EQUAL(t.out.frames, 2); /* of INLINED */
	CU_ASSERT_EQUAL(symbolize_stack(t.s, b), 0);
	CU_ASSERT_EQUAL(t.out.n, 2);
	CU_ASSERT_EQUAL(t.lookups, 2);
	CU_ASSERT_EQUAL(a->n, 2);
	CU_ASSERT_TRUE(event_valid(&a->h));
	symbolizer_free(t.s);
	free(a);
	free(b);
}

static void drops_the_caller_of_a_leaf_with_a_frame(void)
{
	struct ev_stack *a = STACK(STACK_MAYBE_CALLER | STACK_TRUNCATED, LEAF, 0xbad, INLINED);
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, a), 0);
	CU_ASSERT_EQUAL(a->n, 2);
	CU_ASSERT_EQUAL(a->pc[0], LEAF);
	CU_ASSERT_EQUAL(a->pc[1], INLINED);
	CU_ASSERT_EQUAL(a->flags, STACK_TRUNCATED);
	CU_ASSERT_TRUE(event_valid(&a->h));
	CU_ASSERT_EQUAL(t.out.n, 2); /* nothing was written about 0xbad */
	symbolizer_free(t.s);
	free(a);
}

static void keeps_the_caller_of_a_leaf_in_its_prologue(void)
{
	struct ev_stack *a = STACK(STACK_MAYBE_CALLER, PROLOGUE, LEAF, INLINED);
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, a), 0);
	CU_ASSERT_EQUAL(a->n, 3);
	CU_ASSERT_EQUAL(a->pc[1], LEAF);
	CU_ASSERT_EQUAL(a->flags, 0);
	symbolizer_free(t.s);
	free(a);
}

static void hides_wrappers(void)
{
	struct ev_stack *a = STACK(0, LEAF, WRAPPER, INLINED), *b = STACK(0, WRAPPER);
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, a), 0);
	CU_ASSERT_EQUAL(a->n, 2);
	CU_ASSERT_EQUAL(a->pc[1], INLINED);
	CU_ASSERT_TRUE(event_valid(&a->h));
	CU_ASSERT_EQUAL(t.out.n, 2);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, b), 0);
	CU_ASSERT_EQUAL(b->n, 0);
	CU_ASSERT_TRUE(event_valid(&b->h));
	CU_ASSERT_EQUAL(t.lookups, 3); /* a wrapper is remembered, too */
	symbolizer_free(t.s);
	free(a);
	free(b);
}

static void shows_a_wrapper_that_panicked(void)
{
	struct ev_stack *a = STACK(0, LEAF, PANICWRAP, WRAPPER, INLINED);
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, a), 0);
	CU_ASSERT_EQUAL(a->n, 4);
	CU_ASSERT_EQUAL(a->pc[2], WRAPPER);
	CU_ASSERT_EQUAL(t.out.n, 4);
	symbolizer_free(t.s);
	free(a);
}

static void an_interrupted_pc_is_no_return_address(void)
{
	struct ev_stack *a = STACK(0, LEAF, SIGPANIC, INLINED - 1, LEAF),
			*b = STACK(0, PREEMPT, UNKNOWN, LEAF);
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, a), 0);
	CU_ASSERT_EQUAL(a->n, 4);
	CU_ASSERT_EQUAL(a->pc[2], INLINED);
	CU_ASSERT_EQUAL(a->pc[3], LEAF);
	CU_ASSERT_EQUAL(t.out.pc[2], INLINED);
	CU_ASSERT_EQUAL(t.out.frames, 2);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, b), 0);
	CU_ASSERT_EQUAL(b->pc[1], UNKNOWN + 1);
	CU_ASSERT_EQUAL(b->pc[2], LEAF);
	symbolizer_free(t.s);
	free(a);
	free(b);
}

static void an_unknown_pc_gets_a_symbol_without_frames(void)
{
	struct ev_stack *a = STACK(0, LEAF, UNKNOWN);
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, a), 0);
	CU_ASSERT_EQUAL(a->n, 2);
	CU_ASSERT_EQUAL(t.out.n, 2);
	CU_ASSERT_EQUAL(t.out.valid, 2);
	CU_ASSERT_EQUAL(t.out.pc[1], UNKNOWN);
	CU_ASSERT_EQUAL(t.out.frames, 0);
	symbolizer_free(t.s);
	free(a);
}

static void a_start_is_looked_up_behind_its_wrapper(void)
{
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(symbolize_start(t.s, 1, START, LEAF), 0);
	CU_ASSERT_EQUAL(t.out.n, 2);
	CU_ASSERT_EQUAL(t.out.pc[0], START);
	CU_ASSERT_EQUAL(t.out.frame_pc[0], START_INNER + 1);
	CU_ASSERT_EQUAL(t.out.pc[1], LEAF);
	CU_ASSERT_EQUAL(symbolize_start(t.s, 2, START, LEAF), 0);
	CU_ASSERT_EQUAL(symbolize_start(t.s, 2, 0, 0), 0);
	CU_ASSERT_EQUAL(t.out.n, 2);
	symbolizer_free(t.s);
}

static void cuts_what_no_record_can_hold(void)
{
	struct ev_stack *a = STACK(0, LONG);
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(symbolize_stack(t.s, a), 0);
	CU_ASSERT_EQUAL(t.out.valid, 1);
	CU_ASSERT_TRUE(t.out.frames > 1 && t.out.frames < 64);
	symbolizer_free(t.s);
	free(a);
}

static void passes_errors_on(void)
{
	struct ev_stack *a = STACK(0, LEAF);
	struct setup t;

	set_up(&t);
	t.out.fail = -ENOSPC;
	CU_ASSERT_EQUAL(symbolize_stack(t.s, a), -ENOSPC);
	symbolizer_free(t.s);
	free(a);
}

static CU_TestInfo tests[] = {
	{"writes each PC once", writes_each_pc_once},
	{"drops the caller of a leaf with a frame", drops_the_caller_of_a_leaf_with_a_frame},
	{"keeps the caller of a leaf in its prologue", keeps_the_caller_of_a_leaf_in_its_prologue},
	{"hides wrappers", hides_wrappers},
	{"shows a wrapper that panicked", shows_a_wrapper_that_panicked},
	{"an interrupted PC is no return address", an_interrupted_pc_is_no_return_address},
	{"an unknown PC gets a symbol without frames", an_unknown_pc_gets_a_symbol_without_frames},
	{"a start is looked up behind its wrapper", a_start_is_looked_up_behind_its_wrapper},
	{"cuts what no record can hold", cuts_what_no_record_can_hold},
	{"passes errors on", passes_errors_on},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/symbolize", tests);
