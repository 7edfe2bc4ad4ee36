// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/shield.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096UL

/* A signal handler is given an address and nothing else: what it needs to know can only be here. */
static struct shield {
	uintptr_t start; /* 0: free */
	size_t size;
	int broken;
} shields[SHIELDS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct shield *find(uintptr_t addr)
{
	for (size_t i = 0; i < SHIELDS_MAX; i++) {
		uintptr_t start = __atomic_load_n(&shields[i].start, __ATOMIC_ACQUIRE);

		if (start && addr - start < shields[i].size)
			return &shields[i];
	}
	return NULL;
}

/* mmap() is a system call and no more, so it is safe here. */
static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	uintptr_t addr = (uintptr_t)info->si_addr;
	struct shield *s = find(addr);
	int saved = errno;

	(void)context;
	if (!s || mmap((void *)(addr & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		signal(sig, SIG_DFL); /* the access fails once more, and ends the program */
	else
		__atomic_store_n(&s->broken, 1, __ATOMIC_RELAXED);
	errno = saved;
}

static int install(void)
{
	struct sigaction sa = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGBUS, &sa, NULL) ? -errno : 0;
}

int shield_begin(void *start, size_t size)
{
	struct shield *s = NULL;
	int err;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < SHIELDS_MAX && !s; i++)
		s = shields[i].start ? NULL : &shields[i];
	err = s ? install() : -ENOSPC;
	if (!err) {
		s->size = size;
		s->broken = 0;
		__atomic_store_n(&s->start, (uintptr_t)start, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

void shield_end(const void *start)
{
	struct shield *s = find((uintptr_t)start);

	if (s)
		__atomic_store_n(&s->start, 0, __ATOMIC_RELEASE);
}

bool shield_is_broken(const void *start)
{
	const struct shield *s = find((uintptr_t)start);

	return s && __atomic_load_n(&s->broken, __ATOMIC_RELAXED);
}
