// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "_cgo_export.h"

void read_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		abort();
}

/* The descriptor, and whether the thread stays in Go. */
static void *call(void *arg)
{
	long v = (long)arg;

	if (v & 1) {
		stay();
		return NULL;
	}
	pass();
	read_byte(v >> 1);
	return NULL;
}

void call_in_thread(int fd, int stays)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, call, (void *)(2L * fd + stays)) ||
	    pthread_detach(thread))
		abort();
}
