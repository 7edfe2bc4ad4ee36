// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/drain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/control.h"
#include "gscope.skel.h"
#include "user/base/clock.h"
#include "user/capture/bell.h"
#include "user/capture/call.h"
#include "user/capture/ring.h"

/*
 * A record is stamped after it got its place, so an empty ring means that whatever comes has a
 * later time than the moment before that was seen. But the clocks of two CPUs, and a store that
 * is on its way, may be off by less than this.
 */
#define SLACK_NS 100000

struct ring_source {
	struct drain *d;
	struct ring ring;
	size_t index;
	size_t cpu;
	bool empty; /* all of them were taken */
};

struct drain {
	const struct programs *p;
	struct merge *m;
	struct bell bell;
	struct ring_source *src;
	size_t n;
	size_t enough; /* bytes the merge may hold before rings are left as they are */
	struct cpu_state *states; /* of all possible CPUs, as read */
	uint64_t *lost; /* by CPU and class, as reported */
	uint64_t missed[LOSS_CLASSES]; /* runs of programs, as reported */
	uint64_t looked_ns; /* at the losses */
};

static int add_call(const struct ring_source *src, const struct ev_syscall *ev)
{
	const struct ev_sys_enter begin = call_begin(ev);
	const struct ev_sys_exit end = call_end(ev);
	int err = merge_add(src->d->m, src->index, &begin.h);

	return err ? err : merge_add(src->d->m, src->index, &end.h);
}

static int add_record(const struct ring_source *src, const struct event_head *ev)
{
	if (ev->type == EV_SYSCALL && ev->size == sizeof(struct ev_syscall))
		return add_call(src, (const void *)ev);
	return merge_add(src->d->m, src->index, ev);
}

static int on_record(void *ctx, const void *data, size_t size)
{
	struct ring_source *src = ctx;
	const struct event_head *ev = data;

	if (size < sizeof(*ev) || ev->size > size || ev->size < sizeof(*ev) || ev->size % 8)
		return -EBADMSG;
	return add_record(src, ev);
}

size_t drain_rings(const struct programs *p)
{
	size_t n = 0;

	for (size_t cpu = 0; cpu < p->ncpus; cpu++)
		n += p->ring_fds[cpu] >= 0;
	return n;
}

static int map_rings(struct drain *d)
{
	struct ring_source *src = d->src;
	int err = 0;

	for (size_t cpu = 0; cpu < d->p->ncpus && !err; cpu++) {
		if (d->p->ring_fds[cpu] < 0)
			continue;
		src->d = d;
		src->index = (size_t)(src - d->src);
		src->cpu = cpu;
		err = ring_map(&src->ring, d->p->ring_fds[cpu], d->p->ring_bytes / RING_CHUNK,
			       &d->p->ring_taken[cpu]);
		src++;
	}
	return err;
}

int drain_new(struct drain **out, const struct programs *p, struct merge *m, struct error *e)
{
	struct drain *d = calloc(1, sizeof(*d));
	int err = -ENOMEM;

	if (!d)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	d->p = p;
	d->m = m;
	d->n = drain_rings(p);
	d->enough = d->n * p->ring_bytes;
	if (d->enough < DRAIN_LEAST)
		d->enough = DRAIN_LEAST;
	d->src = calloc(d->n, sizeof(*d->src));
	d->states = calloc(p->ncpus, sizeof(*d->states));
	d->lost = calloc(p->ncpus * LOSS_CLASSES, sizeof(*d->lost));
	d->looked_ns = now_ns();
	if (d->src && d->states && d->lost)
		err = map_rings(d);
	if (!err)
		err = bell_open(&d->bell, bpf_map__fd(p->skel->maps.bell));
	if (err) {
		drain_free(d);
		return error_set(e, EXIT_FAILED, err, "cannot map the ring buffers: %s",
				 strerror(-err));
	}
	*out = d;
	return 0;
}

void drain_free(struct drain *d)
{
	if (!d)
		return;
	for (size_t i = 0; d->src && i < d->n; i++)
		ring_unmap(&d->src[i].ring);
	bell_close(&d->bell);
	free(d->src);
	free(d->states);
	free(d->lost);
	free(d);
}

int drain_watch(const struct drain *d, int epoll_fd, uint64_t data)
{
	/* edge-triggered: it is rung while it is being heard */
	struct epoll_event want = {.events = EPOLLIN | EPOLLET, .data.u64 = data};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, d->bell.fd, &want) ? -errno : 0;
}

static int read_states(struct drain *d)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(bpf_map__fd(d->p->skel->maps.cpu_state), &zero, d->states) ?
		       -errno :
		       0;
}

static void promise(struct drain *d, const struct ring_source *src, uint64_t begin)
{
	uint64_t now = begin > SLACK_NS ? begin - SLACK_NS : 0;

	merge_promise(d->m, src->index, call_promise(d->states[src->cpu].call.since, now));
}

static int cannot_read_states(int err, struct error *e)
{
	return error_set(e, EXIT_FAILED, err, "cannot read the state of the CPUs: %s",
			 strerror(-err));
}

int drain_pass(struct drain *d, struct error *e)
{
	bool enough = merge_bytes_of(d->m, 0, d->n) > d->enough;
	uint64_t begin = now_ns();
	int err;

	bell_hear(&d->bell);
	err = read_states(d);
	if (err)
		return cannot_read_states(err, e);
	for (size_t i = 0; i < d->n; i++) {
		struct ring_source *src = &d->src[i];
		int err;

		src->empty = false;
		if (enough && !merge_waits_for(d->m, src->index))
			continue;
		err = ring_take(&src->ring, d->states[src->cpu].begun, on_record, src, &src->empty);
		if (err)
			return error_set(e, EXIT_FAILED, err, "cannot read the ring buffers: %s",
					 err == -ENOMEM ? "out of memory" : strerror(-err));
		if (src->empty)
			promise(d, src, begin);
	}
	return 0;
}

int drain_pending(struct drain *d, struct error *e)
{
	int err = read_states(d);

	if (err)
		return cannot_read_states(err, e);
	for (size_t i = 0; i < d->n; i++) {
		const struct ring_source *src = &d->src[i];
		const struct pending_call *c = &d->states[src->cpu].call;
		struct ev_sys_enter ev = call_pending_begin(c, (uint32_t)src->cpu);

		if (c->since <= CALL_BEGINS)
			continue;
		err = merge_add(d->m, src->index, &ev.h);
		if (err)
			return error_set(e, EXIT_FAILED, err, "out of memory");
	}
	return 0;
}

bool drain_empty(const struct drain *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (!d->src[i].empty)
			return false;
	return true;
}

/*
 * From Linux 7.0 on a tracepoint's program can be preempted (a46023d5616e, "tracing: Guard
 * __DECLARE_TRACE() use of __DO_TRACE_CALL() with SRCU-fast"). Until it goes on, the kernel does
 * not run it for other tasks of that CPU, and counts that, whether we trace those or not.
 */
static void missed_runs(const struct programs *p, uint64_t *sum)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, p->skel->obj) {
		const char *section = bpf_program__section_name(prog);
		enum loss_class class = strstr(section, "/sys_")       ? LOSS_SYSCALL :
					!strcmp(section, "perf_event") ? LOSS_SAMPLE :
									 LOSS_SCHED;
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_program__fd(prog);

		if (fd >= 0 && !bpf_prog_get_info_by_fd(fd, &info, &len))
			sum[class] += info.recursion_misses;
	}
}

static int report_missed(struct drain *d, uint64_t since,
			 int (*report)(void *ctx, const struct ev_loss *ev), void *ctx)
{
	uint64_t sum[LOSS_CLASSES] = {0};
	int err = 0;

	missed_runs(d->p, sum);
	for (uint32_t c = 0; c < LOSS_CLASSES && !err; c++) {
		struct ev_loss ev = {
			.h = {.time_ns = now_ns(), .type = EV_LOSS, .size = sizeof(ev)},
			.cpu = LOSS_ANY_CPU,
			.loss_class = c,
			.count = sum[c] - d->missed[c],
			.since_ns = since,
		};

		d->missed[c] = sum[c];
		if (ev.count)
			err = report(ctx, &ev);
	}
	return err;
}

int drain_losses(struct drain *d, int (*report)(void *ctx, const struct ev_loss *ev), void *ctx)
{
	uint64_t now = now_ns(), since = d->looked_ns;
	int err = read_states(d);

	if (err)
		return err;
	d->looked_ns = now;
	for (uint32_t cpu = 0; cpu < d->p->ncpus; cpu++) {
		for (uint32_t c = 0; c < LOSS_CLASSES; c++) {
			uint64_t *known = &d->lost[cpu * LOSS_CLASSES + c];
			struct ev_loss ev = {
				.h = {.time_ns = now_ns(), .type = EV_LOSS, .size = sizeof(ev)},
				.cpu = cpu,
				.loss_class = c,
				.count = d->states[cpu].lost[c] - *known,
				.since_ns = since,
			};

			if (!ev.count)
				continue;
			*known = d->states[cpu].lost[c];
			err = report(ctx, &ev);
			if (err)
				return err;
		}
	}
	return report_missed(d, since, report, ctx);
}
