// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/io.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Whether the call is worth another try. */
static int try_again(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	if (errno == EINTR)
		return 1;
	if (errno != EAGAIN)
		return 0;
	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

int io_write(int fd, const void *data, size_t n, size_t *done)
{
	size_t at = 0;
	int err = 0;

	while (at < n) {
		ssize_t k = write(fd, (const char *)data + at, n - at);

		if (k > 0) {
			at += (size_t)k;
		} else if (!k) {
			err = -EIO;
			break;
		} else if (!try_again(fd, POLLOUT)) {
			err = -errno;
			break;
		}
	}
	if (done)
		*done = at;
	return err;
}

int io_read(int fd, void *data, size_t n, size_t *done)
{
	size_t at = 0;
	int err = 0;

	while (at < n) {
		ssize_t k = read(fd, (char *)data + at, n - at);

		if (k > 0) {
			at += (size_t)k;
		} else if (!k) {
			break;
		} else if (!try_again(fd, POLLIN)) {
			err = -errno;
			break;
		}
	}
	*done = at;
	return err;
}

const char *io_write_reason(int err)
{
	switch (-err) {
	case ENOSPC:
		return "the disk is full";
	case EDQUOT:
		return "the disk quota is used up";
	case EFBIG:
		return "the file size limit is reached (ulimit -f)";
	case EPIPE:
		return "the reader closed the pipe";
	default:
		return strerror(-err);
	}
}
