// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/uprobes.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/perf_event.h>

/* linux/bpf.h: BPF_TRACE_UPROBE_MULTI, v6.6; headers of a distribution may be older. */
#define UPROBE_MULTI 48

int uprobes_perf_type(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type, got;

	if (!f)
		return -errno;
	got = fscanf(f, "%d", &type);
	fclose(f);
	return got == 1 && type >= 0 ? type : -EINVAL;
}

static int attach_multi(const struct uprobes *u)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);

	opts.uprobe_multi.path = u->path;
	opts.uprobe_multi.offsets = u->offsets;
	opts.uprobe_multi.cookies = (const __u64 *)u->cookies;
	opts.uprobe_multi.cnt = (__u32)u->n;
	opts.uprobe_multi.pid = (__u32)u->pid;
	return bpf_link_create(u->prog_fd, 0, UPROBE_MULTI, &opts);
}

/* The link keeps the event; its descriptor is not needed once it is enabled. */
static int attach_perf(const struct uprobes *u)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = u->cookies[0]);
	struct perf_event_attr attr = {
		.type = u->perf_type,
		.size = sizeof(attr),
		.config1 = (uint64_t)(uintptr_t)u->path,
		.config2 = u->offsets[0],
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, u->pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	int link;

	if (fd < 0)
		return -errno;
	link = bpf_link_create(u->prog_fd, fd, BPF_PERF_EVENT, &opts);
	if (link >= 0 && ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
		int err = -errno;

		close(link);
		link = err;
	}
	close(fd);
	return link;
}

int uprobes_attach(const struct uprobes *u)
{
	return u->multi ? attach_multi(u) : attach_perf(u);
}
