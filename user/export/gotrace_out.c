/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/export/gotrace_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/io.h"

#define HEADER_LEN 16

/* Whether bytes already written can be changed; pwrite() appends if the file is open for that. */
static bool rewritable(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_APPEND) && !fstat(fd, &st) && S_ISREG(st.st_mode);
}

static int open_spool(struct error *e)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd, err;

	if (!dir || !dir[0])
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	/* not every file system has O_TMPFILE */
	snprintf(path, sizeof(path), "%s/gscope.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		err = errno;
		return error_set(e, EXIT_FAILED, -err,
				 "cannot create a temporary file in %s: %s; set TMPDIR to another "
				 "directory, or write the trace to a regular file",
				 dir, strerror(err));
	}
	unlink(path);
	return fd;
}

int out_open(struct trace_out *o, int fd, struct error *e)
{
	*o = (struct trace_out){.fd = fd, .spool = -1};
	if (rewritable(fd)) {
		o->start = lseek(fd, 0, SEEK_CUR);
		if (o->start >= 0)
			return 0;
		o->start = 0;
	}
	o->spool = open_spool(e);
	return o->spool < 0 ? o->spool : 0;
}

static int pwrite_all(int fd, const void *data, size_t n, off_t at)
{
	const uint8_t *p = data;

	while (n) {
		ssize_t w = pwrite(fd, p, n, at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		p += w;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

static int write_failed(struct error *e, int err)
{
	return error_set(e, EXIT_FAILED, err, "cannot write the Go trace: %s",
			 io_write_reason(err));
}

static int target(const struct trace_out *o)
{
	return o->spool >= 0 ? o->spool : o->fd;
}

static int write_header(struct trace_out *o, int minor)
{
	static const char go122[HEADER_LEN] = "go 1.22 trace", go123[HEADER_LEN] = "go 1.23 trace";
	int err = pwrite_all(target(o), minor > 22 ? go123 : go122, HEADER_LEN, o->start);

	if (err)
		return err;
	if (!o->minor) {
		o->len = HEADER_LEN;
		if (lseek(target(o), o->start + HEADER_LEN, SEEK_SET) < 0)
			return -errno;
	}
	o->minor = minor;
	return 0;
}

int out_write(struct trace_out *o, int minor, const struct bytes *b, struct error *e)
{
	int err = 0;

	if (minor > o->minor)
		err = write_header(o, minor);
	if (!err)
		err = io_write(target(o), b->data, b->len, NULL);
	if (!err) {
		o->len += b->len;
		return 0;
	}
	/* what cannot be undone here a reader skips: it takes the generations that are whole */
	if (!ftruncate(target(o), o->start + (off_t)o->len))
		lseek(target(o), o->start + (off_t)o->len, SEEK_SET);
	return write_failed(e, err);
}

int out_finish(struct trace_out *o, struct error *e)
{
	uint8_t buf[65536];
	uint64_t done = 0;
	int err;

	if (o->spool < 0)
		return 0;
	while (done < o->len) {
		size_t want = o->len - done < sizeof(buf) ? o->len - done : sizeof(buf);
		ssize_t n = pread(o->spool, buf, want, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return write_failed(e, n ? -errno : -EIO);
		err = io_write(o->fd, buf, (size_t)n, NULL);
		if (err)
			return write_failed(e, err);
		done += (uint64_t)n;
	}
	out_close(o);
	return 0;
}

void out_close(struct trace_out *o)
{
	if (o->spool >= 0)
		close(o->spool);
	o->spool = -1;
}
