// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/tasks.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"

int task_parse_stat(const char *line, struct ev_task_state *ev)
{
	const char *open = strchr(line, '('), *close = strrchr(line, ')');
	size_t len;

	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EINVAL;
	len = (size_t)(close - open - 1);
	if (len >= sizeof(ev->comm))
		len = sizeof(ev->comm) - 1;
	memset(ev->comm, 0, sizeof(ev->comm));
	memcpy(ev->comm, open + 1, len);
	ev->state = (unsigned char)close[2];
	return 0;
}

/* 0: no such number */
static uint32_t number(const char *name)
{
	char *end;
	unsigned long n = strtoul(name, &end, 10);

	return *end || n > UINT32_MAX ? 0 : (uint32_t)n;
}

static int read_task(const char *dir, uint32_t tgid, uint32_t tid, struct ev_task_state *ev)
{
	char path[96], line[1024];
	FILE *f;

	*ev = (struct ev_task_state){
		.h = {.time_ns = now_ns(), .tid = tid, .type = EV_TASK, .size = sizeof(*ev)},
		.tgid = tgid,
	};
	snprintf(path, sizeof(path), "%s/%u/stat", dir, tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f)) {
		fclose(f);
		return -ESRCH;
	}
	fclose(f);
	return task_parse_stat(line, ev);
}

static int each_thread(uint32_t tgid, int (*fn)(void *ctx, const struct ev_task_state *ev),
		       void *ctx)
{
	struct dirent *entry;
	char path[64];
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", tgid);
	dir = opendir(path);
	if (!dir)
		return 0; /* it has ended */
	while (!err && (entry = readdir(dir))) {
		uint32_t tid = number(entry->d_name);
		struct ev_task_state ev;

		if (tid && !read_task(path, tgid, tid, &ev))
			err = fn(ctx, &ev);
	}
	closedir(dir);
	return err;
}

int tasks_each(int (*fn)(void *ctx, const struct ev_task_state *ev), void *ctx)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		uint32_t tgid = number(entry->d_name);

		if (tgid)
			err = each_thread(tgid, fn, ctx);
	}
	closedir(dir);
	return err;
}
