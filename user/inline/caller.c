// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "user/base/clock.h"

#define TRIES 16 /* threads that are stopped to be looked at, for each of: */

/* What becomes of what it was at, should we be killed in the middle. */
enum quality {
	FULLY, /* it goes on with that, whatever it was */
	EARLY, /* its sleep ends early, as by a signal */
	SOMEHOW, /* it may be at something in C that minds where it is interrupted: rseq(2) */
	NEVER, /* it cannot make a call */
};

#define ERESTART_RESTARTBLOCK 516

/* --- where the frame goes --------------------------------------------------------------------- */

static bool read_word(const struct target_process *p, uint64_t base, int32_t off, uint64_t *out)
{
	return off >= 0 && base && !target_process_read(p, base + (uint64_t)off, out, sizeof(*out));
}

struct stack {
	uint64_t lo, hi;
};

static bool read_stack(const struct target_process *p, const struct layout *l, uint64_t g,
		       struct stack *out)
{
	return read_word(p, g, l->g.stack_lo, &out->lo) && read_word(p, g, l->g.stack_hi, &out->hi);
}

/*
 * The only thread of a process: after a fork its m still has the number of the thread that forked. A folder has two
 * links and one for each folder in it: proc_task_getattr() of fs/proc/base.c.
 */
static bool is_alone(const struct target_process *p)
{
	struct stat st;

	return !fstatat(p->proc_fd, "task", &st, 0) && st.st_nlink == 3;
}

/*
 * A thread that executes a signal handler has m.gsignal as its g, and is on that stack. So one that is on the
 * stack of its goroutine, or on its own, is in none. *goroutine: it is on the former, where there is no C.
 */
static bool find_room(const struct target_process *p, const struct layout *l,
		      const struct target_thread *t, const struct user_regs_struct *regs,
		      struct call_way *way, bool *goroutine)
{
	uint64_t g, m, g0, curg, gsignal, procid, fs = regs->fs_base;
	struct stack own, signals;

	if (target_process_read(p, fs + (uint64_t)(int64_t)l->tls_g, &g, sizeof(g)) ||
	    !read_word(p, g, l->g.m, &m) || !read_word(p, m, l->m.procid, &procid) ||
	    (procid != (uint64_t)t->own_tid && !is_alone(p)) || !read_word(p, m, l->m.g0, &g0) ||
	    !read_word(p, m, l->m.curg, &curg) || !read_word(p, m, l->m.gsignal, &gsignal))
		return false;
	if ((g != g0 && g != curg) || !read_stack(p, l, g, &own) ||
	    !read_stack(p, l, gsignal, &signals))
		return false;
	if (regs->rsp <= own.lo || regs->rsp > own.hi ||
	    (regs->rsp >= signals.lo && regs->rsp <= signals.hi))
		return false;
	*goroutine = g != g0;
	way->lo = signals.lo;
	way->hi = signals.hi;
	return signals.lo < signals.hi;
}

static enum quality look_at(struct caller *c, const struct layout *l, const struct target_thread *t)
{
	struct user_regs_struct regs;
	bool goroutine;

	if (remote_registers(&c->r, 0, &regs) ||
	    !find_room(c->r.p, l, t, &regs, &c->way, &goroutine))
		return NEVER;
	if ((int64_t)regs.orig_rax < 0)
		return goroutine ? FULLY : SOMEHOW;
	return (int64_t)regs.rax == -ERESTART_RESTARTBLOCK ? EARLY : FULLY;
}

/* --- which thread --------------------------------------------------------------------------- */

/* Rather one that sleeps: nobody misses it; and not for a time that would have to be gone on with. */
static int rank(const struct target_thread *t)
{
	if (t->state == 'S')
		return t->sys == SYS_nanosleep || t->sys == SYS_clock_nanosleep ? 1 : 0;
	return t->state == 'D' || t->state == 'Z' || t->state == 'X' ? 3 : 2;
}

static int by_rank(const void *a, const void *b)
{
	const struct target_thread *x = a, *y = b;
	int d = rank(x) - rank(y);

	return d ? d : x->tid - y->tid;
}

/* 1: this one does; 0: it does not, and runs on. */
static int try_thread(struct caller *c, const struct target_process *p, const struct layout *l,
		      const struct target_thread *t, enum quality most,
		      const struct remote_wait *wait, struct error *e)
{
	int err;

	/* the frame it returns by would end it */
	if (target_thread_shadowed(p, t->tid))
		return 0;
	err = remote_stop_thread(&c->r, p, t->tid, wait, e);
	if (err)
		return err == -ESRCH ? 0 : err;
	if (look_at(c, l, t) <= most)
		return 1;
	remote_resume(&c->r);
	return 0;
}

static int choose(struct caller *c, const struct target_process *p, const struct layout *l,
		  const struct target_thread *v, size_t n, const struct remote_wait *wait,
		  struct error *e)
{
	char what[192];
	size_t able = 0;
	int got = 0;

	while (able < n && rank(&v[able]) < 3)
		able++;
	if (!able) {
		wait_describe(p, v[0].tid, what, sizeof(what));
		return error_set(e, EXIT_TARGET, -EBUSY, "%s, and all others are, too", what);
	}
	for (enum quality most = FULLY; most < NEVER && !got; most++)
		for (size_t i = 0; i < able && i < TRIES && !got; i++)
			got = try_thread(c, p, l, &v[i], most, wait, e);
	if (!got)
		return error_set(e, EXIT_TARGET, -ENOTSUP,
				 "none of its threads can make a system call for gscope");
	return got < 0 ? got : 0;
}

static int choose_now(struct caller *c, const struct target_process *p, const struct layout *l,
		      const struct remote_wait *wait, struct error *e)
{
	struct target_thread *v;
	size_t n;
	int err = target_process_threads(p, NULL, &v, &n, e);

	if (err)
		return err;
	qsort(v, n, sizeof(*v), by_rank);
	err = choose(c, p, l, v, n, wait, e);
	free(v);
	return err;
}

int caller_stop(struct caller *c, const struct target_process *p, const struct layout *l,
		int mem_fd, const struct remote_wait *wait, struct error *e)
{
	uint64_t begin = now_ns(), said = begin, until = wait_until(wait);
	int err, over = 0;

	*c = (struct caller){.way = {.mem_fd = mem_fd}};
	err = call_code_find(p, &c->way.code);
	if (err && !target_process_alive(p))
		return error_set(e, EXIT_TARGET, -ESRCH, "process %d has ended", (int)p->pid);
	if (err)
		return error_set(e, EXIT_TARGET, err,
				 "it has no instructions by which to make a system call");
	err = choose_now(c, p, l, wait, e);
	for (unsigned int turn = 0; err == -EBUSY && !over; turn++) {
		over = wait_more(wait, until, begin, turn);
		if (wait->say && now_ns() - said > WAIT_SAY_NS) {
			wait->say(wait->ctx, e->text);
			said = now_ns();
		}
		if (!over)
			err = choose_now(c, p, l, wait, e);
	}
	return over == -EINTR ? error_set(e, EXIT_TARGET, over, "interrupted") : err;
}

int64_t caller_call(struct caller *c, const uint64_t args[7])
{
	int64_t result;
	int err = remote_call(&c->r, 0, &c->way, args, &result);

	return err ? err : result;
}

void caller_release(struct caller *c)
{
	remote_resume(&c->r);
}
