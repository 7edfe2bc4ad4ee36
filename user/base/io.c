// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "user/base/clock.h"

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

#define SLICE_MS 50
#define STOPPED_NS 1000000000ULL
#define OVER_NS 10000000000ULL

/* Nothing was taken since `since`. */
static bool is_over(const struct io_patience *p, uint64_t since)
{
	uint64_t now = now_ns(), idle = now - since;

	return (p->stop && *p->stop && idle > STOPPED_NS) || (now > p->until_ns && idle > OVER_NS);
}

int io_write_pipe(int fd, const void *data, size_t n, const struct io_patience *p, size_t *done)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	uint64_t since = now_ns();
	size_t at = 0;
	int err = 0;

	while (at < n && !err) {
		/* so much fits when there is room at all: pipe(7) */
		size_t some = n - at < PIPE_BUF ? n - at : PIPE_BUF;
		int ready = poll(&room, 1, SLICE_MS);
		ssize_t k = ready > 0 ? write(fd, (const char *)data + at, some) : 0;

		if (k > 0) {
			at += (size_t)k;
			since = now_ns();
		} else if ((k < 0 || ready < 0) && errno != EINTR && errno != EAGAIN) {
			err = -errno;
		} else if (is_over(p, since)) {
			err = -ETIMEDOUT;
		}
	}
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
	case ETIMEDOUT:
		return "its reader does not read";
	case EPIPE:
		return "the reader closed the pipe";
	default:
		return strerror(-err);
	}
}
