// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/guard.h"

#define FADE_NS 500e6 /* after that long a sample counts half as much */
#define ENOUGH 3 /* samples to decide by */

/* The budget is kept from below, and a level is taken back only if it leaves room. */
#define KEEP 0.9
#define ROOM 0.75

/* Of one CPU's time: less does not matter to anybody, whatever share of an idle target it is. */
#define TRIFLE 0.005

#define WINDOW_NS 100000000U /* probes are there so long, */
#define WINDOW_MIN_NS \
	20000000U /* less where they cost far more than the budget, but so long at least, */
#define FAR 4 /* times the budget is far more */
#define ACT_NS 60000000U /* it takes to attach and to detach, about */
#define PAUSE_MIN_NS 100000000U /* and away, */
#define PAUSE_MAX_NS 2000000000U /* and at most: a rarer look tells nothing */
#define CALM_WINDOWS 3

#define CALM_NS 1000000000U
#define HOLD_MIN_NS 2000000000U
#define HOLD_MAX_NS 64000000000U
#define TRIAL 4 /* holds without a sign of calm, until it is tried all the same */
#define SOON_NS \
	10000000000U /* a level that was taken back and shed again was taken back too early */

static void add(struct guard_sum *sum, const struct guard_sample *s, double fade)
{
	double keep = fade > 0 ? fade / (fade + (double)s->span_ns) : 1;

	sum->span = sum->span * keep + (double)s->span_ns;
	sum->cpu = sum->cpu * keep + (double)s->cpu_ns;
	sum->hits = sum->hits * keep + (double)s->hits;
	sum->events = sum->events * keep + (double)s->events;
	sum->probe_ns = sum->probe_ns * keep + (double)s->hits * (double)s->hit_ns;
	sum->trace_ns = sum->trace_ns * keep + (double)s->events * (double)s->event_ns;
	sum->n++;
}

static double own_ns(double added, double cpu)
{
	return cpu - added > cpu / 20 ? cpu - added : cpu / 20;
}

double guard_share(double added_ns, double cpu_ns)
{
	double own = own_ns(added_ns, cpu_ns);

	return added_ns > 0 && own > 0 ? added_ns / own : 0;
}

static double sum_own(const struct guard_sum *sum)
{
	return own_ns(sum->probe_ns + sum->trace_ns, sum->cpu);
}

/* Whether `added` is within that part of the budget, of what `sum` says the targets used. */
static bool fits(const struct guard *g, const struct guard_sum *sum, double added, double part)
{
	return added <= g->budget * part * sum_own(sum) || added <= TRIFLE * part * sum->span;
}

void guard_init(struct guard *g, double budget, enum shed_level last)
{
	*g = (struct guard){.budget = budget, .last = last, .probes = true, .window_ns = WINDOW_NS};
	for (int i = 0; i < SHED_LEVELS; i++)
		g->hold[i] = HOLD_MIN_NS;
}

static double share(const struct guard_sum *sum)
{
	return guard_share(sum->probe_ns + sum->trace_ns, sum->cpu);
}

double guard_overhead(const struct guard *g)
{
	return share(&g->all);
}

/* For programs to which probes add that share. */
static uint64_t window_for(const struct guard *g, double added)
{
	double ns = added > FAR * g->budget ? WINDOW_NS * FAR * g->budget / added : WINDOW_NS;

	return ns > WINDOW_MIN_NS ? (uint64_t)ns : WINDOW_MIN_NS;
}

uint64_t guard_patience(const struct guard *g)
{
	return g->level == SHED_WINDOWS && g->probes && g->window_ns < GUARD_TICK_NS ?
		       g->window_ns :
		       GUARD_TICK_NS;
}

static void go_to(struct guard *g, enum shed_level level)
{
	bool stacks = g->level == SHED_NOTHING || level == SHED_NOTHING;
	bool down = level > g->level;

	if (down && g->raised && g->now - g->raised < SOON_NS)
		g->hold[level] = g->hold[level] * 2 < HOLD_MAX_NS ? g->hold[level] * 2 :
								    HOLD_MAX_NS;
	else if (down)
		g->hold[level] = HOLD_MIN_NS;
	else
		g->raised = g->now;
	g->level = level;
	g->since = g->now;
	g->calm_since = 0;
	g->calm_windows = 0;
	g->recent = g->window = g->cycle = g->all = (struct guard_sum){0};
	if (stacks)
		g->on = (struct guard_sum){0};
	g->probes = level < SHED_WINDOWS || (level == SHED_WINDOWS && !down);
	g->acting = true;
}

static void join(struct guard_sum *to, const struct guard_sum *sum)
{
	to->span += sum->span;
	to->cpu += sum->cpu;
	to->hits += sum->hits;
	to->events += sum->events;
	to->probe_ns += sum->probe_ns;
	to->trace_ns += sum->trace_ns;
	to->n += sum->n;
}

static void shed(struct guard *g, const struct guard_sample *s)
{
	struct guard_sum debt = g->recent;

	if (g->level == SHED_NOTHING) {
		g->hit_full = (double)s->hit_ns;
		g->event_full = (double)s->event_ns;
	} else if (g->now - g->since < CALM_NS) {
		join(&debt, &g->debt);
	}
	if (g->level + 1 == SHED_WINDOWS)
		g->window_ns = window_for(g, share(&g->recent));
	go_to(g, g->level + 1);
	/* what was too much is paid for, too */
	g->debt = debt;
	if (g->level == SHED_WINDOWS)
		g->cycle = debt;
}

/* As if it had been measured. */
static struct guard_sum expected(const struct guard_forecast *f, enum shed_level level)
{
	struct guard_sum sum = {
		.span = f->span_ns,
		.hits = level < SHED_KERNEL ? f->hits : 0,
		.events = f->events,
		.n = ENOUGH,
	};

	sum.probe_ns = sum.hits * (level < SHED_STACKS ? f->hit_full : f->hit_bare);
	sum.trace_ns = sum.events * f->event_ns;
	sum.cpu = f->cpu_ns + sum.probe_ns + sum.trace_ns;
	return sum;
}

double guard_foreseen(const struct guard_forecast *f, enum shed_level level)
{
	struct guard_sum sum = expected(f, level);

	return share(&sum);
}

/* What a window costs, with what it takes to have probes come and go: that has breakpoints, too. */
static double window_cost(const struct guard *g, const struct guard_forecast *f)
{
	double ns = (double)(g->window_ns + ACT_NS);
	double added = f->hits * f->hit_bare / f->span_ns * ns;

	return added < f->cpus * ns ? added : f->cpus * ns;
}

/* Whether pauses can pay for windows before they have lasted too long. */
static bool can_pay(const struct guard *g, const struct guard_forecast *f, double cost)
{
	double saved = g->budget * KEEP * f->cpu_ns - f->events * f->event_ns;

	return saved > 0 && cost / saved * f->span_ns <= PAUSE_MAX_NS;
}

void guard_foresee(struct guard *g, const struct guard_forecast *f)
{
	enum shed_level level = SHED_NOTHING;
	struct guard_sum sum;
	double cost;

	g->acting = true;
	if (g->budget <= 0 || f->span_ns <= 0)
		return;
	for (; level < SHED_WINDOWS; level++) {
		sum = expected(f, level);
		if (fits(g, &sum, sum.probe_ns + sum.trace_ns, 1))
			break;
	}
	if (level == SHED_NOTHING)
		return;
	g->hit_full = f->hit_full;
	g->event_full = f->event_ns;
	g->window_ns = window_for(g, guard_foreseen(f, SHED_WINDOWS));
	cost = window_cost(g, f);
	if (level == SHED_WINDOWS && g->last > SHED_WINDOWS && !can_pay(g, f, cost))
		level = SHED_KERNEL;
	go_to(g, level);
	g->on = expected(f, SHED_STACKS);
	/* a debt; the programs use that much more, once it comes to that */
	if (level == SHED_WINDOWS)
		g->cycle = (struct guard_sum){.cpu = cost, .probe_ns = cost};
}

/* What would be added in the time of g->recent if the level above this one were in force. */
static double cost_above(const struct guard *g)
{
	const struct guard_sum *sum = &g->recent;
	double hits, window = (double)(g->window_ns + ACT_NS);

	if (g->level == SHED_STACKS)
		return sum->hits * g->hit_full + sum->events * g->event_full;
	/* SHED_KERNEL: as many hits for each event, or CPU time, as there were; but now and then */
	if (g->on.events > 0)
		hits = g->on.probe_ns / g->on.events * sum->events;
	else
		hits = g->on.cpu > 0 ? g->on.probe_ns / sum_own(&g->on) * sum_own(sum) : 0;
	return hits * window / (window + PAUSE_MAX_NS) + sum->trace_ns;
}

static void take_back_when_calm(struct guard *g)
{
	uint64_t kept = g->now - g->since;

	if (!fits(g, &g->recent, cost_above(g), ROOM))
		g->calm_since = 0;
	else if (!g->calm_since)
		g->calm_since = g->now;
	if (g->calm_since && g->now - g->calm_since >= CALM_NS && kept >= g->hold[g->level])
		go_to(g, g->level - 1);
	else if (g->level == SHED_KERNEL && kept >= TRIAL * g->hold[SHED_KERNEL] &&
		 fits(g, &g->recent, g->recent.trace_ns, ROOM))
		go_to(g, SHED_WINDOWS);
}

static void probes_come(struct guard *g)
{
	g->probes = true;
	g->window = g->cycle = (struct guard_sum){0};
	g->acting = true;
}

/* Probes have been there for a while: what if they stayed? */
static void window_over(struct guard *g)
{
	if (fits(g, &g->window, g->window.probe_ns + g->window.trace_ns, ROOM))
		g->calm_windows++;
	else
		g->calm_windows = 0;
	if (g->calm_windows >= CALM_WINDOWS && g->now - g->since >= g->hold[SHED_WINDOWS]) {
		go_to(g, SHED_STACKS);
		return;
	}
	g->probes = false;
	g->acting = true;
}

static void windows(struct guard *g)
{
	const struct guard_sum *c = &g->cycle;
	uint64_t span = g->now - g->phase;

	if (g->probes) {
		if (span >= g->window_ns)
			window_over(g);
	} else if (span >= PAUSE_MIN_NS && fits(g, c, c->probe_ns + c->trace_ns, KEEP)) {
		probes_come(g);
	} else if (span >= PAUSE_MAX_NS && g->last > SHED_WINDOWS) {
		go_to(g, SHED_KERNEL);
	}
}

void guard_stay(struct guard *g, enum shed_level level)
{
	if (g->level != level)
		go_to(g, level);
	g->budget = 0;
}

static void decide(struct guard *g, const struct guard_sample *s)
{
	const struct guard_sum *sum = &g->recent;

	if (g->level == SHED_WINDOWS)
		windows(g);
	else if (sum->n < ENOUGH && fits(g, sum, sum->probe_ns + sum->trace_ns, FAR))
		return;
	else if (g->level < SHED_WINDOWS && !fits(g, sum, sum->probe_ns + sum->trace_ns, 1))
		shed(g, s);
	else if (g->level != SHED_NOTHING)
		take_back_when_calm(g);
}

void guard_tick(struct guard *g, const struct guard_sample *s)
{
	g->now += s->span_ns;
	add(&g->all, s, 0);
	add(&g->cycle, s, 0);
	if (g->acting) {
		g->acting = false;
		g->phase = g->now;
		return;
	}
	add(&g->recent, s, FADE_NS);
	if (g->probes) {
		add(&g->window, s, 0);
		add(&g->on, s, FADE_NS);
	}
	g->overhead = share(g->level == SHED_WINDOWS ? &g->cycle : &g->recent);
	if (g->budget > 0)
		decide(g, s);
}
