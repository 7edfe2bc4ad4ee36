// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/target/flow.h"
#include "user/target/process_internal.h"
#include "user/target/target.h"

/* More are not looked at: what is read is the target's to choose. */
#define MAX_PROCESSORS 4096
#define MAX_THREADS 4096

/* --- where it is -------------------------------------------------------------------------- */

/* Fields of runtime.p behind its status, Go 1.19 to 1.27: link, schedtick, syscalltick. */
#define SCHEDTICK 12
#define SYSCALLTICK 16

/* Entries of timeHistogram.counts: runtime/histogram.go. */
static uint32_t histogram_size(unsigned int go_minor)
{
	return go_minor < 20 ? 45 * 16 : 40 * 4;
}

struct search {
	const struct layout *l;
	uint64_t waits; /* vaddr */
	bool several, sched, syscalls;
};

static void found_waits(struct search *s, int64_t vaddr)
{
	s->several |= s->waits && s->waits != (uint64_t)vaddr;
	s->waits = (uint64_t)vaddr;
}

/* casgstatus: sched.timeToRun.record(...), a call since Go 1.21, before that its own code. */
static void note_waits(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct search *s = ctx;
	struct flow_value v;

	if (ev->kind == FLOW_CALL && ev->callee &&
	    !strcmp(ev->callee, "runtime.(*timeHistogram).record")) {
		v = flow_value(fl, ev->args[FLOW_AX]);
		if (v.kind == FLOW_GLOBAL)
			found_waits(s, v.v);
	} else if (ev->kind == FLOW_ATOMIC && ev->size == 8) {
		v = flow_value(fl, ev->base);
		if (v.kind == FLOW_ELEMENT && flow_value(fl, v.of).kind == FLOW_GLOBAL)
			found_waits(s, flow_value(fl, v.of).v);
	}
}

/* A word of four bytes of the P in some m.p. */
static bool is_word_of_p(const struct search *s, const struct flow *fl, const struct flow_event *ev,
			 int64_t off)
{
	flow_id of;
	int64_t at;

	return ev->kind == FLOW_READ && ev->size == 4 && ev->disp == off &&
	       flow_is_load(fl, ev->base, &of, &at) && at == s->l->m.p;
}

/* execute: mp.p.ptr().schedtick++ */
static void note_schedtick(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct search *s = ctx;

	s->sched |= is_word_of_p(s, fl, ev, s->l->p.status + SCHEDTICK);
}

/* reentersyscall: gp.m.syscalltick = gp.m.p.ptr().syscalltick */
static void note_syscalltick(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct search *s = ctx;

	s->syscalls |= is_word_of_p(s, fl, ev, s->l->p.status + SYSCALLTICK);
}

void work_find(struct work_places *w, const struct layout *l, unsigned int go_minor,
	       struct elf_file *f, const struct pclntab *pcln, uint64_t bias)
{
	struct search s = {.l = l};
	struct flow *fl;
	struct error e;

	*w = (struct work_places){.schedtick = -1, .syscalltick = -1};
	if (go_minor > GO_MINOR_MAX || l->p.status < 0 || l->m.p < 0 ||
	    flow_open(&fl, f, pcln, bias, &e))
		return;
	flow_run(fl, "runtime.casgstatus", note_waits, &s);
	flow_run(fl, "runtime.execute", note_schedtick, &s);
	flow_run(fl, "runtime.reentersyscall", note_syscalltick, &s);
	flow_close(fl);
	if (s.waits && !s.several) {
		w->waits = s.waits + bias;
		w->nwaits = histogram_size(go_minor);
	}
	if (s.sched)
		w->schedtick = l->p.status + SCHEDTICK;
	if (s.syscalls)
		w->syscalltick = l->p.status + SYSCALLTICK;
}

/* --- what it says ------------------------------------------------------------------------- */

static int read_waits(const struct target *t, struct work *out)
{
	uint64_t counts[45 * 16];
	uint32_t n = t->work.nwaits;
	int err = target_process_read(t->process, t->work.waits, counts, n * sizeof(*counts));

	for (uint32_t i = 0; i < n && !err; i++)
		out->starts += counts[i] * WORK_TRACKED;
	return err;
}

static void add_ticks(const struct target *t, const uint64_t *procs, size_t n, struct work *out)
{
	struct target_piece *pieces = calloc(2 * n, sizeof(*pieces));
	uint32_t *ticks = calloc(2 * n, sizeof(*ticks));

	for (size_t i = 0; pieces && ticks && i < 2 * n; i++) {
		int32_t off = i % 2 ? t->work.syscalltick : t->work.schedtick;

		pieces[i] = (struct target_piece){procs[i / 2] + (uint64_t)off, &ticks[i],
						  sizeof(*ticks), false};
	}
	if (pieces && ticks && target_process_read_pieces(t->process, pieces, 2 * n) > 0) {
		for (size_t i = 0; i < 2 * n; i++)
			*(i % 2 ? &out->syscalls : &out->ticks) += pieces[i].done ? ticks[i] : 0;
	}
	free(pieces);
	free(ticks);
}

static int read_ticks(const struct target *t, struct work *out)
{
	uint64_t slice[3], *procs;
	size_t n;
	int err = target_process_read(t->process, t->globals.allp, slice, sizeof(slice));

	if (err)
		return err;
	n = slice[1] < MAX_PROCESSORS ? slice[1] : MAX_PROCESSORS;
	procs = calloc(n + 1, sizeof(*procs));
	if (!procs)
		return -ENOMEM;
	err = target_process_read(t->process, slice[0], procs, n * sizeof(*procs));
	if (!err)
		add_ticks(t, procs, n, out);
	free(procs);
	return err;
}

/* The second and third numbers of schedstat: fs/proc/base.c, proc_pid_schedstat(). */
static void add_thread(int dir, const char *tid, struct work *out)
{
	char path[300], buf[128];
	uint64_t delay, n;

	snprintf(path, sizeof(path), "%.250s/schedstat", tid);
	if (process_read_small(dir, path, buf, sizeof(buf)) <= 0 ||
	    sscanf(buf, "%*u %" SCNu64 " %" SCNu64, &delay, &n) != 2)
		return;
	out->switches += n;
	out->delay_ns += delay;
}

static int read_threads(const struct target *t, struct work *out)
{
	int fd = openat(t->process->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	size_t n = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -ESRCH;
	}
	while (n < MAX_THREADS && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		add_thread(fd, entry->d_name, out);
		n++;
	}
	closedir(dir);
	return 0;
}

static int read_cpu(const struct target *t, struct work *out)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(t->process->pid, &clock) || clock_gettime(clock, &ts))
		return -ESRCH;
	out->cpu_ns = (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
	return 0;
}

int work_read(const struct target *t, struct work *out)
{
	int err;

	*out = (struct work){.time_ns = now_ns()};
	err = read_cpu(t, out);
	if (!err)
		err = read_threads(t, out);
	if (!err && t->work.waits)
		err = read_waits(t, out);
	if (!err && t->work.schedtick >= 0 && t->work.syscalltick >= 0)
		err = read_ticks(t, out);
	return err;
}
