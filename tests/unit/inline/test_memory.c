// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What is taken for the shared memory, and what is not, whatever has the descriptor's number. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "user/base/shield.h"
#include "user/inline/memory.h"
#include "user/inline/plan.h"

#define SIZE (64U << 10)

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static struct memory_kind kind;
static int pidfd;

/* This process plays the target. */
static void begin(void)
{
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	CU_ASSERT_FATAL(pidfd >= 0 && !memory_kind(&kind));
}

static int take(int fd)
{
	int own = memory_take(&kind, pidfd, fd, SIZE);

	if (own >= 0) {
		CU_ASSERT_EQUAL(memory_is_sealed(&kind, own, SIZE), 0);
		CU_ASSERT_EQUAL(memory_is_still(pidfd, fd, own), 0);
		CU_ASSERT_EQUAL(memory_is_still(pidfd, pidfd, own), -EPERM);
		close(own);
	}
	close(fd);
	return own < 0 ? own : 0;
}

static void test_genuine(void)
{
	int fd;

	begin();
	fd = memfd_create(INLINE_NAME, kind.flags);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(memory_take(&kind, pidfd, 9999, SIZE), -EBADF);
	CU_ASSERT_EQUAL(take(dup(fd)), 0);
	/* nobody takes it away any more, who mapped it or who did not */
	CU_ASSERT_EQUAL(ftruncate(fd, 4096), -1);
	CU_ASSERT_EQUAL(ftruncate(fd, 2L * SIZE), -1);
	CU_ASSERT_EQUAL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	CU_ASSERT_EQUAL(take(fd), -EPERM); /* it is not new */
	close(pidfd);
}

/* A file is neither written to nor changed in size. */
static void check_file(const char *path, int flags)
{
	struct stat st;
	int fd = open(path, flags | O_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(take(fd), -EPERM);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 5);
}

static void test_files(void)
{
	static const char *const dirs[] = {"/tmp", "/dev/shm"};

	begin();
	for (int i = 0; i < 2; i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "%s/gscope-unit-XXXXXX", dirs[i]);
		fd = mkstemp(path);
		CU_ASSERT_FATAL(fd >= 0);
		CU_ASSERT_EQUAL(write(fd, "whole", 5), 5);
		check_file(path, O_PATH);
		check_file(path, O_RDWR);
		check_file(path, O_RDONLY);
		unlink(path);
		/* without a name it is as a memory file is, but for where it is */
		CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
		CU_ASSERT_EQUAL(take(fd), -EPERM);
	}
	close(pidfd);
}

static int changed(const char *name, unsigned int flags, int seals, off_t size)
{
	int fd = memfd_create(name, flags);

	if (fd < 0)
		return -ENOSYS;
	if (size && ftruncate(fd, size))
		return -errno;
	if (seals && fcntl(fd, F_ADD_SEALS, seals))
		return -errno;
	return take(fd);
}

static void test_other_memory(void)
{
	char path[64];
	int fd, huge;

	begin();
	CU_ASSERT_EQUAL(changed("another", kind.flags, 0, 0), -EPERM);
	CU_ASSERT_EQUAL(changed(INLINE_NAME, MFD_CLOEXEC, 0, 0), -EPERM); /* cannot be sealed */
	CU_ASSERT_EQUAL(changed(INLINE_NAME, kind.flags, F_SEAL_SHRINK, 0), -EPERM);
	CU_ASSERT_EQUAL(changed(INLINE_NAME, kind.flags, F_SEAL_WRITE, 0), -EPERM);
	CU_ASSERT_EQUAL(changed(INLINE_NAME, kind.flags, F_SEAL_SEAL, 0), -EPERM);
	CU_ASSERT_EQUAL(changed(INLINE_NAME, kind.flags, 0, SIZE), -EPERM);
	huge = changed(INLINE_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB, 0, 0);
	CU_ASSERT(huge == -EPERM || huge == -ENOSYS);
	fd = memfd_create(INLINE_NAME, kind.flags);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CU_ASSERT_EQUAL(take(open(path, O_RDONLY | O_CLOEXEC)), -EPERM);
	close(fd);
	close(pidfd);
}

/* Memory that is gone all the same reads as zeros, and that is known of it. */
static void test_shield(void)
{
	int fd = memfd_create("gscope-unit", MFD_CLOEXEC);
	volatile uint8_t *at;
	void *map;

	CU_ASSERT_FATAL(fd >= 0 && !ftruncate(fd, SIZE) && !memory_map(&map, fd, SIZE));
	at = map;
	at[0] = at[SIZE - 1] = 7;
	CU_ASSERT_FALSE(shield_is_broken(map));
	CU_ASSERT_EQUAL(ftruncate(fd, 4096), 0);
	CU_ASSERT_EQUAL(at[0], 7);
	CU_ASSERT_FALSE(shield_is_broken(map));
	CU_ASSERT_EQUAL(at[SIZE - 1], 0);
	CU_ASSERT_TRUE(shield_is_broken(map));
	at[SIZE - 1] = 8;
	CU_ASSERT_EQUAL(at[SIZE - 1], 8);
	memory_unmap(map, SIZE);
	CU_ASSERT_FALSE(shield_is_broken(map));
	close(fd);
}

static void test_sizes(void)
{
	for (uint32_t rings = 2; rings < 300; rings = rings * 3 + 1) {
		for (uint64_t most = 64U << 10; most < 1ULL << 32; most *= 2) {
			struct inline_geometry g = {.rings = rings, .room = 8U << 20}, same;
			bool fits;

			g.stride = inline_stride(g.room);
			fits = inline_fit(&g, most);
			CU_ASSERT(!fits == (inline_size(&g) > most));
			CU_ASSERT(fits || g.room == 64U << 10);
			same = (struct inline_geometry){.rings = rings};
			CU_ASSERT_TRUE(inline_divide(&same, inline_size(&g)));
			CU_ASSERT(same.room == g.room && same.stride == g.stride);
			CU_ASSERT_FALSE(inline_divide(&same, inline_size(&g) + 4096));
		}
	}
}

static CU_TestInfo tests[] = {
	{"the memory file", test_genuine},
	{"files", test_files},
	{"other memory", test_other_memory},
	{"memory that goes", test_shield},
	{"sizes", test_sizes},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/memory", tests);
