// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The guard over programs that are made up: it sees what they cost and has what it decides done. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "user/capture/guard.h"

#define SECOND 1000000000ULL
#define ACT_NS 60000000U /* it takes to have probes come or go */

/* What targets do in a second of time. */
struct load {
	double cpu; /* seconds they use, tracing left out */
	double hits, events;
	double noise; /* of all three, up or down by so much at most */
};

/* A hit and a tracepoint run, with stacks and without. */
#define HIT_FULL 1000
#define HIT_BARE 700
#define EVENT_FULL 500
#define EVENT_BARE 300

#define MAX_STEPS 256

struct world {
	struct guard g;
	struct load load;
	unsigned int seed;
	enum shed_level level; /* in force */
	bool probes;
	uint64_t now;
	double own, added; /* ns, of all the time */
	double on; /* ns of time with probes */
	unsigned int windows; /* times that probes came */
	struct step {
		uint64_t time;
		enum shed_level from, to;
		double overhead;
	} steps[MAX_STEPS];
	unsigned int nsteps;
};

static double noisy(struct world *w, double value)
{
	double r = (double)rand_r(&w->seed) / RAND_MAX * 2 - 1;

	return value * (1 + r * w->load.noise);
}

static void tick(struct world *w, uint64_t span)
{
	double seconds = (double)span / 1e9;
	bool stacks = w->level == SHED_NOTHING;
	struct guard_sample s = {
		.span_ns = span,
		.hits = w->probes ? (uint64_t)noisy(w, w->load.hits * seconds) : 0,
		.hit_ns = stacks ? HIT_FULL : HIT_BARE,
		.events = (uint64_t)noisy(w, w->load.events * seconds),
		.event_ns = stacks ? EVENT_FULL : EVENT_BARE,
	};
	double added = (double)(s.hits * s.hit_ns + s.events * s.event_ns);
	double own = noisy(w, w->load.cpu * seconds * 1e9);

	s.cpu_ns = (uint64_t)(own + added);
	w->now += span;
	w->own += own;
	w->added += added;
	w->on += w->probes ? (double)span : 0;
	guard_tick(&w->g, &s);
}

/* Do what was decided. */
static void act(struct world *w)
{
	bool moved = w->probes != w->g.probes;

	if (w->level == w->g.level && !moved)
		return;
	if (w->level != w->g.level) {
		struct step *step = &w->steps[w->nsteps++ % MAX_STEPS];

		*step = (struct step){w->now, w->level, w->g.level, w->g.overhead};
	}
	w->windows += w->g.probes && !w->probes;
	w->level = w->g.level;
	w->probes = w->g.probes;
	tick(w, moved ? ACT_NS : 10000);
}

static void begin(struct world *w, double budget, struct load load)
{
	memset(w, 0, sizeof(*w));
	guard_init(&w->g, budget, SHED_KERNEL);
	w->load = load;
	w->seed = 1;
	w->probes = true;
}

static void run(struct world *w, double seconds)
{
	uint64_t end = w->now + (uint64_t)(seconds * 1e9);

	while (w->now < end) {
		tick(w, GUARD_TICK_NS);
		act(w);
	}
}

static void forget(struct world *w)
{
	w->nsteps = 0;
	w->own = w->added = w->on = 0;
	w->windows = 0;
}

static double overhead(const struct world *w)
{
	return w->added / w->own;
}

/* Stacks are 30 %, the rest 70 % of it. */
static struct load busy(double share)
{
	return (struct load){.cpu = 1, .hits = share * 1e6};
}

static void sheds_nothing_within_the_budget(void)
{
	struct world w;

	begin(&w, 0.25, busy(0.2));
	run(&w, 30);
	CU_ASSERT_EQUAL(w.nsteps, 0);
	CU_ASSERT(w.g.probes && w.g.level == SHED_NOTHING);
	CU_ASSERT_DOUBLE_EQUAL(guard_overhead(&w.g), 0.2, 0.001);
}

static void stacks_go_first(void)
{
	struct world w;

	begin(&w, 0.25, busy(0.3));
	run(&w, 30);
	CU_ASSERT_EQUAL(w.nsteps, 1);
	CU_ASSERT(w.steps[0].from == SHED_NOTHING && w.steps[0].to == SHED_STACKS);
	CU_ASSERT(w.steps[0].time <= SECOND / 2);
	CU_ASSERT_DOUBLE_EQUAL(w.steps[0].overhead, 0.3, 0.001);
	CU_ASSERT(w.probes);
	CU_ASSERT_DOUBLE_EQUAL(guard_overhead(&w.g), 0.21, 0.001);
}

static void windows_go_second_and_keep_the_budget(void)
{
	struct world w;

	begin(&w, 0.25, busy(2));
	run(&w, 2);
	CU_ASSERT_EQUAL(w.nsteps, 2);
	CU_ASSERT(w.steps[1].from == SHED_STACKS && w.steps[1].to == SHED_WINDOWS);
	CU_ASSERT_DOUBLE_EQUAL(w.steps[1].overhead, 1.4, 0.001);
	forget(&w);
	run(&w, 60);
	CU_ASSERT_EQUAL(w.nsteps, 0);
	CU_ASSERT(w.windows > 50);
	CU_ASSERT(overhead(&w) < 0.25 && overhead(&w) > 0.15);
}

static void the_kernel_level_comes_last(void)
{
	struct world w;

	begin(&w, 0.03, busy(2));
	run(&w, 60);
	CU_ASSERT_FATAL(w.nsteps >= 3);
	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT(w.steps[i].from == i && w.steps[i].to == i + 1);
	forget(&w);
	run(&w, 300);
	CU_ASSERT_EQUAL(w.g.level, SHED_KERNEL);
	/* it is tried again, ever more rarely */
	CU_ASSERT(w.nsteps <= 6);
	CU_ASSERT(overhead(&w) < 0.03);
}

/* Without the kernel's events nothing would be left there: a window is paid for, however long it takes. */
static void windows_come_last_without_the_kernel(void)
{
	struct load load = busy(2);
	struct world w;

	load.events = 0;
	begin(&w, 0.03, load);
	guard_init(&w.g, 0.03, SHED_WINDOWS);
	run(&w, 60);
	CU_ASSERT_EQUAL(w.g.level, SHED_WINDOWS);
	forget(&w);
	run(&w, 300);
	CU_ASSERT_EQUAL(w.g.level, SHED_WINDOWS);
	CU_ASSERT_EQUAL(w.nsteps, 0);
	CU_ASSERT(w.windows > 20);
	CU_ASSERT(overhead(&w) < 0.03);
}

/* What is left cannot be shed: then nothing is tried again either. */
static void tracepoints_alone_may_exceed_it(void)
{
	struct world w;

	begin(&w, 0.1, (struct load){.cpu = 1, .hits = 1e6, .events = 1e6});
	run(&w, 10);
	CU_ASSERT_EQUAL(w.g.level, SHED_KERNEL);
	forget(&w);
	run(&w, 600);
	CU_ASSERT_EQUAL(w.nsteps, 0);
	CU_ASSERT_EQUAL(w.on, 0);
	CU_ASSERT_DOUBLE_EQUAL(guard_overhead(&w.g), 0.3, 0.001);
}

static void takes_back_when_the_load_falls(void)
{
	struct world w;

	begin(&w, 0.03, busy(2));
	run(&w, 20);
	CU_ASSERT_EQUAL(w.g.level, SHED_KERNEL);
	forget(&w);
	w.load = busy(0.01);
	run(&w, 60);
	CU_ASSERT_EQUAL(w.g.level, SHED_NOTHING);
	CU_ASSERT_EQUAL_FATAL(w.nsteps, 3);
	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT(w.steps[i].from == 3 - i && w.steps[i].to == 2 - i);
	CU_ASSERT(w.probes);
}

/* Its threads still switch: from that what probes would cost is estimated. */
static void the_estimate_follows_the_tracepoints(void)
{
	struct world w;

	begin(&w, 0.03, (struct load){.cpu = 1, .hits = 2e6, .events = 2e4});
	run(&w, 4);
	CU_ASSERT_EQUAL(w.g.level, SHED_KERNEL);
	forget(&w);
	w.load = (struct load){.cpu = 1, .hits = 2e3, .events = 2e1};
	run(&w, 6);
	CU_ASSERT(w.g.level < SHED_KERNEL);
}

/* Without stacks it would fit, with them it would not: they are not tried. */
static void knows_what_stacks_would_cost(void)
{
	struct world w;

	begin(&w, 0.25, busy(0.3));
	run(&w, 5);
	CU_ASSERT_EQUAL(w.g.level, SHED_STACKS);
	forget(&w);
	w.load = busy(0.24);
	run(&w, 600);
	CU_ASSERT_EQUAL(w.nsteps, 0);
	w.load = busy(0.15);
	run(&w, 10);
	CU_ASSERT_EQUAL(w.g.level, SHED_NOTHING);
	CU_ASSERT_EQUAL(w.nsteps, 1);
}

static void noise_does_not_make_it_flap(void)
{
	static const double shares[] = {0.1, 0.24, 0.25, 0.26, 0.34, 0.36, 0.5, 1, 3, 10};

	for (unsigned int i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		struct load load = busy(shares[i]);
		struct world w;

		load.noise = 0.3;
		begin(&w, 0.25, load);
		run(&w, 20);
		forget(&w);
		run(&w, 600);
		/* two steps a minute at the very most */
		CU_ASSERT(w.nsteps <= 20);
		CU_ASSERT(overhead(&w) < 0.29);
	}
}

/* Between a load that fits and one that does not: it learns not to trust the calm. */
static void a_load_that_comes_and_goes_is_held(void)
{
	struct world w;
	unsigned int first;

	begin(&w, 0.25, busy(2));
	for (int i = 0; i < 10; i++) {
		w.load = busy(i % 2 ? 0.05 : 2);
		run(&w, 6);
	}
	first = w.nsteps;
	for (int i = 0; i < 100; i++) {
		w.load = busy(i % 2 ? 0.05 : 2);
		run(&w, 6);
	}
	CU_ASSERT(w.nsteps - first < 5 * first);
}

static void idle_targets_shed_nothing(void)
{
	struct world w;

	/* they do not use the CPU at all, */
	begin(&w, 0.25, (struct load){0});
	run(&w, 10);
	CU_ASSERT_EQUAL(w.nsteps, 0);
	CU_ASSERT_EQUAL(guard_overhead(&w.g), 0);
	/* so little that tracing is more than what they use, but still nothing, */
	begin(&w, 0.25, (struct load){.cpu = 0.0005, .hits = 1000, .events = 1000});
	run(&w, 10);
	CU_ASSERT_EQUAL(w.nsteps, 0);
	CU_ASSERT(guard_overhead(&w.g) > 1);
	/* and end */
	w.load = (struct load){0};
	run(&w, 10);
	CU_ASSERT_EQUAL(w.nsteps, 0);
}

/* Two clocks, two ways to count: what was added may seem more than there was. */
static void costs_beyond_what_was_used_are_no_trouble(void)
{
	struct guard_sample s = {
		.span_ns = GUARD_TICK_NS, .cpu_ns = 1000000, .hits = 1000000, .hit_ns = 1000};
	struct guard g;

	guard_init(&g, 0.25, SHED_KERNEL);
	for (int i = 0; i < 100; i++)
		guard_tick(&g, &s);
	CU_ASSERT(g.level > SHED_NOTHING);
	CU_ASSERT(guard_overhead(&g) > 0 && guard_overhead(&g) < 1e6);
	CU_ASSERT_EQUAL(guard_share(1e9, 0), 0);
	CU_ASSERT_EQUAL(guard_share(0, 1e9), 0);
	CU_ASSERT_DOUBLE_EQUAL(guard_share(1e9, 2e9), 1, 1e-9);
}

static void off_is_off(void)
{
	struct world w;

	begin(&w, 0, busy(5));
	run(&w, 30);
	CU_ASSERT_EQUAL(w.nsteps, 0);
	CU_ASSERT(w.g.probes);
	CU_ASSERT_DOUBLE_EQUAL(guard_overhead(&w.g), 5, 0.01);
}

static void can_be_told_to_stay(void)
{
	struct world w;

	begin(&w, 0.25, busy(2));
	run(&w, 5);
	guard_stay(&w.g, SHED_KERNEL);
	act(&w);
	CU_ASSERT(w.level == SHED_KERNEL && !w.probes);
	w.load = busy(0.01);
	run(&w, 300);
	CU_ASSERT(w.level == SHED_KERNEL && !w.probes);
}

/* A look at the load before anything is attached, of which the counters tell `known`. */
static struct guard_forecast forecast(struct load load, double known)
{
	return (struct guard_forecast){
		.span_ns = 1e8,
		.cpu_ns = load.cpu * 1e8,
		.hits = load.hits / 10 * known,
		.events = load.events / 10 * known,
		.hit_full = HIT_FULL,
		.hit_bare = HIT_BARE,
		.event_ns = EVENT_FULL,
		.cpus = 16,
	};
}

/* What is foreseen, and the time it takes to attach, in which probes cost something in any case. */
static void begin_foreseen(struct world *w, double budget, struct load load, double known)
{
	struct guard_forecast f = forecast(load, known);

	begin(w, budget, load);
	guard_foresee(&w->g, &f);
	w->level = w->g.level;
	w->probes = true;
	tick(w, ACT_NS / 3);
	w->probes = w->g.probes;
	w->on = 0;
}

/* As run(), in as small steps as the guard wants. The most that was added, from `from` on. */
static double most_of(struct world *w, double seconds, double from)
{
	uint64_t end = w->now + (uint64_t)(seconds * 1e9),
		 settled = w->now + (uint64_t)(from * 1e9);
	double most = 0;

	while (w->now < end) {
		tick(w, guard_patience(&w->g));
		act(w);
		if (w->now >= settled && overhead(w) > most)
			most = overhead(w);
	}
	return most;
}

static void begins_where_it_is_expected_to_fit(void)
{
	static const struct {
		double share;
		enum shed_level level;
	} cases[] = {{0.1, SHED_NOTHING}, {0.3, SHED_STACKS}, {2, SHED_WINDOWS}, {5, SHED_WINDOWS}};
	struct world w;

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin_foreseen(&w, 0.25, busy(cases[i].share), 1);
		CU_ASSERT_EQUAL(w.g.level, cases[i].level);
		CU_ASSERT_EQUAL(w.g.probes, cases[i].level < SHED_WINDOWS);
	}
	begin_foreseen(&w, 0.001, busy(2), 1);
	CU_ASSERT_EQUAL(w.g.level, SHED_KERNEL);
	begin_foreseen(&w, 0, busy(10), 1);
	CU_ASSERT(w.g.level == SHED_NOTHING && w.g.probes);
}

static void keeps_the_budget_from_the_first_moment(void)
{
	static const double shares[] = {0.3, 0.5, 1, 2, 3, 5};
	struct world w;

	for (unsigned int i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		begin_foreseen(&w, 0.25, busy(shares[i]), 1);
		CU_ASSERT(most_of(&w, 3, 0.6) < 0.3);
		/* for which it does see something */
		CU_ASSERT(w.on > 0);
		CU_ASSERT(most_of(&w, 60, 0) < 0.3);
		CU_ASSERT(overhead(&w) > 0.1);
	}
}

/* Nothing was expected: then it is noticed at once, and paid for. */
static void what_was_not_foreseen_is_paid_for(void)
{
	struct world w;

	begin_foreseen(&w, 0.25, busy(3), 0);
	CU_ASSERT_EQUAL(w.g.level, SHED_NOTHING);
	CU_ASSERT(most_of(&w, 6, 5) < 0.3);
	CU_ASSERT(w.steps[0].time <= SECOND / 4);
}

/* That much was expected and does not come: it is all taken back. */
static void what_was_foreseen_in_vain_is_taken_back(void)
{
	struct guard_forecast f = forecast(busy(5), 1);
	struct world w;

	begin(&w, 0.25, busy(0.05));
	guard_foresee(&w.g, &f);
	w.level = w.g.level;
	w.probes = w.g.probes;
	run(&w, 30);
	CU_ASSERT_EQUAL(w.g.level, SHED_NOTHING);
}

static CU_TestInfo tests[] = {
	{"begins where it is expected to fit", begins_where_it_is_expected_to_fit},
	{"keeps the budget from the first moment", keeps_the_budget_from_the_first_moment},
	{"what was not foreseen is paid for", what_was_not_foreseen_is_paid_for},
	{"what was foreseen in vain is taken back", what_was_foreseen_in_vain_is_taken_back},
	{"sheds nothing within the budget", sheds_nothing_within_the_budget},
	{"stacks go first", stacks_go_first},
	{"windows go second, and keep the budget", windows_go_second_and_keep_the_budget},
	{"the kernel level comes last", the_kernel_level_comes_last},
	{"windows come last without the kernel", windows_come_last_without_the_kernel},
	{"tracepoints alone may exceed it", tracepoints_alone_may_exceed_it},
	{"takes back when the load falls", takes_back_when_the_load_falls},
	{"the estimate follows the tracepoints", the_estimate_follows_the_tracepoints},
	{"knows what stacks would cost", knows_what_stacks_would_cost},
	{"noise does not make it flap", noise_does_not_make_it_flap},
	{"a load that comes and goes is held", a_load_that_comes_and_goes_is_held},
	{"idle targets shed nothing", idle_targets_shed_nothing},
	{"costs beyond what was used", costs_beyond_what_was_used_are_no_trouble},
	{"off is off", off_is_off},
	{"can be told to stay", can_be_told_to_stay},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/guard", tests);
