// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/export/random.h"

#include <string.h>

/* Anything, by a goroutine that runs or one that does not, begun or not. */
static void range(struct random *r)
{
	static const char *const kinds[] = {"GC mark termination", "GOMAXPROCS", ""};
	struct thread *m = any_thread(r);
	struct range_change c = {
		.kind = (enum range_kind)rnd(r, 4),
		.begin = rnd(r, 2),
		.g = rnd(r, 4) && m->g ? m->g : any_g(r, G_WAITING),
		.p = rnd(r, 4) && m->p ? m->p : &r->w.p[rnd(r, PROCS)],
		.m = m,
		.name = kinds[rnd(r, 3)],
		.stack = rnd(r, STACKS + 20),
		.swept = rnd(r, 100000),
		.reclaimed = rnd(r, 10000),
	};

	if (!c.begin && !rnd(r, 10))
		c.g = NULL, c.p = NULL, c.m = NULL;
	world_range(&r->w, c);
}

static void user(struct random *r)
{
	static char long_name[2000];
	const char *const names[] = {"a", "handle request", "", long_name};
	struct thread *m = any_thread(r);
	struct user_change c = {
		.kind = USER_TASK_BEGIN + (enum user_kind)rnd(r, USER_LABELS - USER_TASK_BEGIN),
		.g = m->g ? m->g : any_g(r, G_RUNNABLE),
		.p = m->p,
		.m = m,
		.task = rnd(r, 20),
		.parent = rnd(r, 20),
		.name = names[rnd(r, 4)],
		.text = names[rnd(r, 4)],
		.stack = rnd(r, STACKS + 20),
	};

	memset(long_name, 'x', sizeof(long_name) - 1);
	if (c.g)
		world_user(&r->w, c);
}

static void sample(struct random *r)
{
	struct thread *m = any_thread(r);

	world_sample(&r->w, (struct cpu_sample){.t = m,
						.g = rnd(r, 3) ? m->g : any_g(r, G_WAITING),
						.p = m->p,
						.stack = rnd(r, STACKS + 20)});
}

void random_besides(struct random *r)
{
	static const char *const labels[] = {"GC (dedicated)", "GC (idle)", "user=a, path=b", ""};
	unsigned int label = (unsigned int)rnd(r, 4);
	struct thread *m = any_thread(r);

	switch (rnd(r, 12)) {
	case 0:
		world_heap(&r->w, rnd(r, 1 << 30), rnd(r, 3) ? rnd(r, 1 << 30) : 0);
		break;
	case 1:
		/* a P that is one too many stops at once; not here */
		world_procs(&r->w, (struct procs_change){.n = (m->p ? (unsigned int)m->p->id : 0) +
							      1 + (unsigned int)rnd(r, PROCS),
							 .g = m->g,
							 .p = m->p,
							 .m = m});
		break;
	case 2:
		if (m->g)
			world_label(&r->w, (struct label_change){.g = m->g,
								 .p = m->p,
								 .m = m,
								 .label = labels[label],
								 .gc_worker = label < 2 &&
									      is_worker(m->g)});
		break;
	case 3:
	case 4:
		sample(r);
		break;
	case 5:
	case 6:
	case 7:
		user(r);
		break;
	default:
		range(r);
		break;
	}
}
