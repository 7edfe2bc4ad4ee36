/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <pthread.h>
#include <stdint.h>

#include "_cgo_export.h"

void on_this_thread(int depth)
{
	fromC(depth);
}

static void *thread(void *calls)
{
	for (intptr_t i = 0; i < (intptr_t)calls; i++)
		fromC(0);
	return NULL;
}

void on_new_thread(int calls)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, thread, (void *)(intptr_t)calls))
		pthread_join(t, NULL);
}
