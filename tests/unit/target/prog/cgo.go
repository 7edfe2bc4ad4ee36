// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo

package main

/*
#include <pthread.h>

// a TLS variable of C code: g is no longer at the end of the TLS block
static __thread long counters[5] = {1, 2, 3, 4, 5};

static long count(int i) { return counters[i]++; }

extern void goCallback(void);

static void *thread(void *arg) { (void)arg; goCallback(); return 0; }

static int callback(void)
{
	pthread_t t;
	int err = pthread_create(&t, 0, thread, 0);
	return err ? err : pthread_join(t, 0);
}
*/
import "C"

//export goCallback
func goCallback() { called++ }

var called int

// cgo calls C, and is called from a thread that C made.
func cgo() {
	C.count(3)
	if C.callback() != 0 || called != 1 {
		panic("callback")
	}
}
