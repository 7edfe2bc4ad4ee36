// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// A thread that nothing can stop for a time, as where a disk of the network does not answer: its child of
// vfork has not executed anything yet. All others are at work. Usage: stuck SECONDS
package main

/*
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void stuck(int seconds)
{
	pid_t p = vfork();

	if (p == 0) {
		struct timespec ts = {.tv_sec = seconds};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		nanosleep(&ts, 0);
		_exit(0);
	}
	waitpid(p, 0, 0);
}
*/
import "C"

import (
	"os"
	"strconv"
	"time"

	"targets/internal/harness"
)

func work() {
	for {
		time.Sleep(time.Millisecond)
	}
}

func main() {
	seconds, err := strconv.Atoi(os.Args[1])
	harness.Check(err)
	for i := 0; i < 4; i++ {
		go work()
	}
	harness.Serve(func() harness.Result {
		go C.stuck(C.int(seconds))
		time.Sleep(100 * time.Millisecond)
		return harness.Result{}
	})
}
