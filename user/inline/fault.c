// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "user/capture/targets.h"

struct fault_guard {
	uintptr_t at; /* 0: free */
	size_t size; /* set before, cleared after it */
	bool happened;
};

/* A signal handler can reach nothing else. */
static struct fault_guard guards[MAX_TARGETS];

static struct fault_guard *guard_of(uintptr_t addr)
{
	for (size_t i = 0; i < MAX_TARGETS; i++) {
		uintptr_t at = __atomic_load_n(&guards[i].at, __ATOMIC_ACQUIRE);

		if (at && addr >= at && addr - at < guards[i].size)
			return &guards[i];
	}
	return NULL;
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	struct fault_guard *g = guard_of((uintptr_t)info->si_addr);
	int saved = errno;
	void *zeros = MAP_FAILED;

	(void)context;
	if (g && info->si_code > 0)
		zeros = mmap((void *)g->at, g->size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
	if (zeros == MAP_FAILED) {
		signal(sig, SIG_DFL); /* it happens once more, and ends us */
		if (info->si_code <= 0)
			raise(sig); /* or was sent */
	} else {
		__atomic_store_n(&g->happened, true, __ATOMIC_RELEASE);
	}
	errno = saved;
}

static void catch_faults(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGBUS, &sa, NULL);
}

int fault_guard(struct fault_guard **out, void *at, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, catch_faults);
	for (size_t i = 0; i < MAX_TARGETS; i++) {
		size_t none = 0;

		if (!__atomic_compare_exchange_n(&guards[i].size, &none, size, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		guards[i].happened = false;
		__atomic_store_n(&guards[i].at, (uintptr_t)at, __ATOMIC_RELEASE);
		*out = &guards[i];
		return 0;
	}
	return -ENOSPC;
}

void fault_forget(struct fault_guard *g)
{
	if (!g)
		return;
	__atomic_store_n(&g->at, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&g->size, 0, __ATOMIC_RELEASE);
}

bool fault_happened(const struct fault_guard *g)
{
	return g && __atomic_load_n(&g->happened, __ATOMIC_ACQUIRE);
}
