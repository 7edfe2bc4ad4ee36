// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/kernel.h"

#include <errno.h>
#include <stdlib.h>

int task_stats_merge(struct task_stats *to, const struct task_stats *from)
{
	to->on_cpu += from->on_cpu;
	to->runnable += from->runnable;
	to->sleeping += from->sleeping;
	to->switches += from->switches;
	to->preempted += from->preempted;
	to->wakeups += from->wakeups;
	to->syscalls += from->syscalls;
	to->syscall_ns += from->syscall_ns;
	return histogram_merge(&to->latency, &from->latency);
}

/* What it is counted under. */
static unsigned int counted_nr(int nr)
{
	if (nr < 0 || ((unsigned int)nr & ~SYS_NR_32BIT) >= SYSCALL_NR_OTHER)
		return SYSCALL_NR_OTHER;
	return (unsigned int)nr;
}

int kernel_view_syscall(struct kernel_view *v, const struct syscall_span *s)
{
	unsigned int nr = counted_nr(s->nr);
	unsigned int key = 2 * nr + !s->g;
	uint64_t ns = s->end > s->begin ? s->end - s->begin : 0;
	struct syscall_stats *sc;

	HASH_FIND(hh, v->syscalls, &key, sizeof(key), sc);
	if (!sc) {
		sc = calloc(1, sizeof(*sc));
		if (!sc)
			return -ENOMEM;
		sc->key = key;
		sc->nr = nr;
		sc->own = !s->g;
		HASH_ADD(hh, v->syscalls, key, sizeof(sc->key), sc);
	}
	sc->ns += ns;
	sc->errors += s->ret < 0 && s->ret >= -4095; /* MAX_ERRNO */
	return histogram_add(&sc->times, ns);
}

int kernel_view_taken(struct kernel_view *v, const char *by, uint64_t ns)
{
	struct antagonist *a;

	HASH_FIND(hh, v->antagonists, &by, sizeof(by), a);
	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		a->name = by;
		HASH_ADD(hh, v->antagonists, name, sizeof(a->name), a);
	}
	a->times++;
	a->ns += ns;
	return 0;
}

int sleep_key(const struct thread *t)
{
	enum sleep_kind kind = SLEEP_NORMAL;
	int nr = t->sys_nr;

	if (t->asleep & (SLEEP_STOPPED | SLEEP_TRACED)) {
		kind = SLEEP_HALTED;
		nr = -1; /* wherever it was */
	} else if (t->asleep & SLEEP_UNINTERRUPTIBLE && !(t->asleep & SLEEP_NOLOAD)) {
		kind = SLEEP_DISK;
	} else if (!t->asleep) {
		kind = SLEEP_UNKNOWN;
	}
	if (nr >= 0)
		nr = (int)counted_nr(nr);
	return SLEEP_KINDS * (nr + 1) + (int)kind;
}

int sleep_nr(int key)
{
	return key / SLEEP_KINDS - 1;
}

enum sleep_kind sleep_kind(int key)
{
	return (enum sleep_kind)(key % SLEEP_KINDS);
}

int kernel_view_slept(struct kernel_view *v, int key, uint64_t ns)
{
	struct sleep_stats *s;

	HASH_FIND_INT(v->sleeps, &key, s);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->key = key;
		HASH_ADD_INT(v->sleeps, key, s);
	}
	s->times++;
	s->ns += ns;
	if (ns > s->max)
		s->max = ns;
	return 0;
}

void kernel_view_free(struct kernel_view *v)
{
	struct sleep_stats *s, *stmp2;
	struct syscall_stats *sc, *stmp;
	struct antagonist *a, *atmp;

	HASH_ITER(hh, v->syscalls, sc, stmp) {
		HASH_DELETE(hh, v->syscalls, sc);
		histogram_free(&sc->times);
		free(sc);
	}
	HASH_ITER(hh, v->antagonists, a, atmp) {
		HASH_DELETE(hh, v->antagonists, a);
		free(a);
	}
	HASH_ITER(hh, v->sleeps, s, stmp2) {
		HASH_DELETE(hh, v->sleeps, s);
		free(s);
	}
	histogram_free(&v->stats.latency);
}
