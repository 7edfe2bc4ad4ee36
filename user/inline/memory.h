/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The memory file that gscope and a target share. The target makes it, by a system call of one of its
 * threads; so nothing about it is believed that was not looked at, by a descriptor of gscope's own.
 */
#ifndef GSCOPE_INLINE_MEMORY_H
#define GSCOPE_INLINE_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

/* What memory files are like on this machine. */
struct memory_kind {
	unsigned int flags; /* to make one: memfd_create(2) */
	dev_t dev; /* all of them are on */
};

/* 0 or a negative errno. */
int memory_kind(struct memory_kind *out);

/*
 * Take descriptor `fd` of a process, give the file its size, and seal it: it neither shrinks nor grows any
 * more. It is written to only once it is proven to be a new, empty memory file: what a target puts in its
 * place it may write to itself, since this is its own open file, and nothing is opened once more with
 * gscope's rights. The descriptor, or a negative errno (-EPERM: it is something else).
 */
int memory_take(const struct memory_kind *k, int pidfd, int fd, uint64_t size);

/* 0 if descriptor `fd` of the process still is the file that `own` is here, else a negative errno. */
int memory_is_still(int pidfd, int fd, int own);

/* Whether `fd` is a memory file of `size` bytes that is sealed: 0 or -EPERM. */
int memory_is_sealed(const struct memory_kind *k, int fd, uint64_t size);

/*
 * Map it here, shielded (user/base/shield.h): *out, or a negative errno. Unmap with memory_unmap(),
 * which takes NULL, too.
 */
int memory_map(void **out, int fd, uint64_t size);
void memory_unmap(void *start, uint64_t size);

#endif
