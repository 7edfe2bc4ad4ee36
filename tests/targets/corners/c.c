// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo

#include <pthread.h>
#include <stdlib.h>

#include "_cgo_export.h"

static void *call(void *calls)
{
	for (int i = 0; i < *(int *)calls; i++)
		fromThread();
	return NULL;
}

void call_from_threads(int threads, int calls)
{
	pthread_t v[threads];

	for (int i = 0; i < threads; i++)
		if (pthread_create(&v[i], NULL, call, &calls))
			abort();
	for (int i = 0; i < threads; i++)
		pthread_join(v[i], NULL);
}
