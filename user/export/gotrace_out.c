/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/export/gotrace_wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/io.h"

#define HEADER_LEN 16

void out_open(struct trace_out *o, int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	*o = (struct trace_out){.fd = fd, .start = -1};
	if (flags >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode))
		o->start = lseek(fd, 0, flags & O_APPEND ? SEEK_END : SEEK_CUR);
}

int out_write(struct trace_out *o, unsigned int minor, const struct bytes *b, struct error *e)
{
	char header[HEADER_LEN] = "";
	int err = 0;

	if (!o->len) {
		snprintf(header, sizeof(header), "go 1.%u trace", minor);
		err = io_write(o->fd, header, sizeof(header), NULL);
		if (!err)
			o->len = sizeof(header);
	}
	if (!err)
		err = io_write(o->fd, b->data, b->len, NULL);
	if (!err) {
		o->len += b->len;
		return 0;
	}
	/* what cannot be undone here a reader skips: it takes the generations that are whole */
	if (o->start >= 0 && !ftruncate(o->fd, o->start + (off_t)o->len))
		lseek(o->fd, o->start + (off_t)o->len, SEEK_SET);
	return error_set(e, EXIT_FAILED, err, "cannot write the Go trace: %s",
			 io_write_reason(err));
}
