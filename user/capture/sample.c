// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/sample.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/perf_event.h>

#include "gscope.skel.h"
#include "user/base/files.h"

/*
 * The kernel's own clock and not the processor's counter of cycles: it is there in virtual
 * machines, too, and a CPU that idles half the time is sampled half as often - with cycles, the
 * kernel shortens the period then, to get the rate asked for - so samples tell CPU time.
 */
static int open_clock(size_t cpu, unsigned int rate)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = rate,
		.exclude_idle = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static int attach_cpu(struct links *l, const struct programs *p, size_t cpu, unsigned int rate)
{
	int err, fd = open_clock(cpu, rate);
	struct bpf_link *link;

	if (fd < 0)
		return fd;
	link = bpf_program__attach_perf_event(p->skel->progs.sample, fd);
	if (link)
		return links_keep(l, link);
	err = -errno;
	close(fd);
	return err;
}

static const char *reason(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return "perf_event_open is not allowed; give gscope the capability perfmon, and "
		       "look for a seccomp filter";
	case -EINVAL:
		return "the rate is more than kernel.perf_event_max_sample_rate";
	case -ENOENT:
	case -ENOSYS:
		return "this kernel has no perf events";
	default:
		return strerror(-err);
	}
}

int sample_attach(struct links *l, const struct programs *p, unsigned int rate, FILE *messages)
{
	size_t wanted = 0, missing = 0;
	int why = 0;

	if (p->missing[MISS_SAMPLES].why)
		return 0;
	for (size_t cpu = 0; cpu < p->ncpus; cpu++) {
		int err = p->ring_fds[cpu] < 0 ? -ENODEV : attach_cpu(l, p, cpu, rate);

		/* it is offline, or is by now */
		if (err == -ENODEV || err == -ENXIO)
			continue;
		wanted++;
		if (!err)
			continue;
		if (err == -ENOMEM || files_lacking(err))
			return err;
		missing++;
		why = err;
	}
	if (missing && messages)
		fprintf(messages, "gscope: no CPU samples of %zu of %zu CPUs: %s\n", missing,
			wanted, reason(why));
	return 0;
}
