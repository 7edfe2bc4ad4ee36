// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/snapshot_read.h"

#include <errno.h>
#include <stdlib.h>

#include "user/base/clock.h"
#include "user/target/settle.h"

int snapshot_no_memory(struct error *e)
{
	return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
}

int snapshot_unreadable(const struct target *t, const char *what, int err, struct error *e)
{
	if (!target_process_alive(t->process))
		return error_set(e, EXIT_TARGET, -ESRCH, "pid %d has ended", (int)t->process->pid);
	return error_set(e, EXIT_TARGET, err, "pid %d: %s cannot be read: %s", (int)t->process->pid,
			 what, strerror(-err));
}

int snapshot_senseless(const struct target *t, const char *what, struct error *e)
{
	return error_set(e, EXIT_TARGET, -EPROTO,
			 "pid %d: %s makes no sense in the memory of the process; please report it "
			 "with the output of `go version -m %.200s`",
			 (int)t->process->pid, what, t->process->exe);
}

/* Read `len` bytes of a variable of the runtime. */
int snapshot_variable(const struct target *t, uint64_t addr, const char *name, void *buf,
		      size_t len, struct error *e)
{
	int err = target_process_read(t->process, addr, buf, len);

	return err ? snapshot_unreadable(t, name, err, e) : 0;
}

/* A million goroutines take two seconds. */
#define LIMIT_NS 30000000000ULL

int snapshot_go_on(const struct snapshot *s, const struct target *t, struct error *e)
{
	if (target_process_stopped(t->process))
		return error_set(e, EXIT_INTERRUPTED, -EINTR,
				 "interrupted while the state of pid %d was read: nothing was "
				 "captured yet",
				 (int)t->process->pid);
	if (now_ns() - s->begin_ns > LIMIT_NS)
		return error_set(e, EXIT_TARGET, -ETIME,
				 "pid %d: its goroutines cannot be read within %d s",
				 (int)t->process->pid, (int)(LIMIT_NS / 1000000000));
	return 0;
}

bool snapshot_plausible(const struct target *t, uint64_t n, uint64_t size)
{
	uint64_t has = target_process_memory(t->process);

	return n && (!has || n <= has / size);
}

static void read_gc(struct snapshot *s, const struct target *t)
{
	uint64_t time_ns = now_ns();
	uint32_t blacken;

	if (!t->globals.gc_blacken ||
	    target_process_read(t->process, t->globals.gc_blacken, &blacken, sizeof(blacken)))
		return;
	s->gc = (struct snapshot_gc){time_ns, blacken != 0};
}

int snapshot_take(struct snapshot *s, struct target *t, const struct snapshot_sink *to,
		  struct error *e)
{
	int err;

	memset(s, 0, sizeof(*s));
	s->begin_ns = now_ns();
	read_gc(s, t);
	err = snapshot_processors(s, t, e);
	if (!err)
		err = snapshot_threads(s, t, e);
	/*
	 * A goroutine's status changes just behind its probe. From begin_ns on the probes' records
	 * count; what one told before must be there to see.
	 */
	if (!err)
		err = target_settle(t->process, e);
	if (!err)
		err = snapshot_go_on(s, t, e);
	if (!err && to->begin)
		err = to->begin(to->ctx, s, e);
	if (!err)
		err = snapshot_goroutines(s, t, to, e);
	if (!err && !target_process_alive(t->process))
		err = snapshot_unreadable(t, "its memory", -ESRCH, e);
	if (!err)
		s->end_ns = now_ns();
	else
		snapshot_free(s);
	return err;
}

void snapshot_free(struct snapshot *s)
{
	free(s->m);
	free(s->p);
	memset(s, 0, sizeof(*s));
}
