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

/*
 * A record is stamped after it got its place, so an empty ring means that whatever comes has a
 * later time than the moment before that was seen. But the clocks of two CPUs, and a store that
 * is on its way, may be off by less than this.
 */
#define SLACK_NS 100000

/* Stops a pass; no error. */
#define PASS_DONE (-ECANCELED)

struct ring_source {
	struct drain *d;
	struct ring *ring;
	size_t index;
	unsigned long end; /* the pass takes records up to here */
	bool empty; /* all of them were taken */
};

struct drain {
	const struct programs *p;
	struct merge *m;
	struct ring_buffer *rb;
	struct ring_source *src;
	size_t n;
	int err; /* of the callback */
	struct cpu_state *states; /* of all possible CPUs, as read */
	uint64_t *lost; /* by CPU and class, as reported */
	uint64_t missed[LOSS_CLASSES]; /* runs of programs, as reported */
	uint64_t looked_ns; /* at the losses */
};

static int on_record(void *ctx, void *data, size_t size)
{
	struct ring_source *src = ctx;
	const struct event_head *ev = data;

	if (size < sizeof(*ev) || ev->size > size || ev->size < sizeof(*ev) || ev->size % 8) {
		src->d->err = -EBADMSG;
		return -EBADMSG;
	}
	src->d->err = merge_add(src->d->m, src->index, ev);
	if (src->d->err)
		return src->d->err;
	/* the ring's position is that of this record until the callback returns; 8: its header */
	if (ring__consumer_pos(src->ring) + size + 8 >= src->end)
		return PASS_DONE;
	return 0;
}

size_t drain_rings(const struct programs *p)
{
	size_t n = 0;

	for (size_t cpu = 0; cpu < p->ncpus; cpu++)
		n += p->ring_fds[cpu] >= 0;
	return n;
}

static int add_rings(struct drain *d)
{
	size_t i = 0;

	for (size_t cpu = 0; cpu < d->p->ncpus; cpu++) {
		int err, fd = d->p->ring_fds[cpu];

		if (fd < 0)
			continue;
		d->src[i] = (struct ring_source){.d = d, .index = i};
		if (!d->rb) {
			d->rb = ring_buffer__new(fd, on_record, &d->src[i], NULL);
			err = d->rb ? 0 : -errno;
		} else {
			err = ring_buffer__add(d->rb, fd, on_record, &d->src[i]);
		}
		if (err)
			return err;
		i++;
	}
	for (i = 0; i < d->n; i++)
		d->src[i].ring = ring_buffer__ring(d->rb, (unsigned int)i);
	return 0;
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
	d->src = calloc(d->n, sizeof(*d->src));
	d->states = calloc(p->ncpus, sizeof(*d->states));
	d->lost = calloc(p->ncpus * LOSS_CLASSES, sizeof(*d->lost));
	d->looked_ns = now_ns();
	if (d->src && d->states && d->lost)
		err = add_rings(d);
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
	ring_buffer__free(d->rb);
	free(d->src);
	free(d->states);
	free(d->lost);
	free(d);
}

int drain_watch(const struct drain *d, int epoll_fd, uint64_t data)
{
	/*
	 * Edge-triggered: a ring counts as readable as long as anything is in it, which is always;
	 * the programs' wake-ups are what is wanted.
	 */
	struct epoll_event want = {.events = EPOLLIN | EPOLLET, .data.u64 = data};

	for (size_t i = 0; i < d->n; i++)
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ring__map_fd(d->src[i].ring), &want))
			return -errno;
	return 0;
}

int drain_pass(struct drain *d, struct error *e)
{
	uint64_t begin = now_ns();

	for (size_t i = 0; i < d->n; i++)
		d->src[i].end = ring__producer_pos(d->src[i].ring);
	for (size_t i = 0; i < d->n; i++) {
		struct ring_source *src = &d->src[i];
		int n = 0;

		if (ring__consumer_pos(src->ring) < src->end)
			n = ring__consume(src->ring);
		if (n < 0 && n != PASS_DONE)
			return error_set(e, EXIT_FAILED, n, "cannot read the ring buffers: %s",
					 n == -ENOMEM ? "out of memory" : strerror(-n));
		src->empty = ring__consumer_pos(src->ring) >= src->end;
		if (src->empty)
			merge_promise(d->m, src->index, begin > SLACK_NS ? begin - SLACK_NS : 0);
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
	int err, fd = bpf_map__fd(d->p->skel->maps.cpu_state);
	uint64_t now = now_ns(), since = d->looked_ns;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, d->states))
		return -errno;
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
