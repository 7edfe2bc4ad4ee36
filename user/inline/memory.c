// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/shield.h"
#include "user/inline/shared.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* since Linux 6.3; it allows sealing, too */
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

int memory_kind(struct memory_kind *out)
{
	struct stat st;
	int fd, err;

	out->flags = MFD_CLOEXEC | MFD_NOEXEC_SEAL;
	fd = memfd_create("gscope-kind", out->flags);
	if (fd < 0 && errno == EINVAL) {
		out->flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
		fd = memfd_create("gscope-kind", out->flags);
	}
	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : 0;
	out->dev = st.st_dev;
	close(fd);
	return err;
}

/*
 * Files that can be sealed are in memory. The device tells those of the kernel's own mount from those
 * of a tmpfs and from huge pages, of which a target may have none left when gscope touches one.
 */
static int prove(const struct memory_kind *k, int fd, uint64_t size, int seals)
{
	int has = fcntl(fd, F_GET_SEALS), flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (has < 0 || flags < 0 || fstat(fd, &st))
		return -EPERM;
	return (has & ~F_SEAL_EXEC) == seals && (flags & O_ACCMODE) == O_RDWR &&
			       S_ISREG(st.st_mode) && st.st_dev == k->dev && !st.st_nlink &&
			       (uint64_t)st.st_size == size ?
		       0 :
		       -EPERM;
}

/* The kernel gave it the name; a target may give it to a file of its own, too. */
static int prove_name(int fd)
{
	static const char wanted[] = "/memfd:" INLINE_NAME " (deleted)";
	char link[64], name[sizeof(wanted) + 1];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name));
	return n == sizeof(wanted) - 1 && !memcmp(name, wanted, sizeof(wanted) - 1) ? 0 : -EPERM;
}

int memory_take(const struct memory_kind *k, int pidfd, int fd, uint64_t size)
{
	int own = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0), err;

	if (own < 0)
		return -errno;
	err = prove(k, own, 0, 0);
	if (!err)
		err = prove_name(own);
	if (!err && (ftruncate(own, (off_t)size) || fcntl(own, F_ADD_SEALS, SEALS)))
		err = -errno;
	/* what came between the look and the seals is seen here, and nothing comes after them */
	if (!err)
		err = prove(k, own, size, SEALS);
	if (err) {
		close(own);
		return err;
	}
	return own;
}

int memory_is_still(int pidfd, int fd, int own)
{
	int other = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0), err = 0;
	struct stat a, b;

	if (other < 0)
		return -errno;
	if (fstat(own, &a) || fstat(other, &b) || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		err = -EPERM;
	close(other);
	return err;
}

int memory_is_sealed(const struct memory_kind *k, int fd, uint64_t size)
{
	int has = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return has >= 0 && (has & SEALS) == SEALS && !fstat(fd, &st) && st.st_dev == k->dev &&
			       !st.st_nlink && (uint64_t)st.st_size == size ?
		       0 :
		       -EPERM;
}

int memory_map(void **out, int fd, uint64_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int err;

	if (at == MAP_FAILED)
		return -errno;
	err = shield_begin(at, size);
	if (err)
		munmap(at, size);
	else
		*out = at;
	return err;
}

void memory_unmap(void *start, uint64_t size)
{
	if (!start)
		return;
	shield_end(start);
	munmap(start, size);
}
