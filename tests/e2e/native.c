// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A program without goroutines to be traced, told by lines like those in tests/targets: "ready PID",
 * on "go" the work and what was done, on "quit" the end.
 *
 *   native THREADS CALLS   THREADS of them, each makes CALLS getppid() and a nanosleep() for ten,
 *                          and one waits for a futex all the time
 *   native exec PROGRAM    on "go" becomes the program
 *   native leave CALLS     its main thread ends at once, another one never
 *   native fork CALLS      on "go" children make CALLS getppid(), and it itself one
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long calls;
static pthread_mutex_t never = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg)
{
	for (long i = 0; i < calls; i++) {
		const struct timespec moment = {.tv_nsec = 100000};

		syscall(SYS_getppid);
		if (i % 10 == 0)
			nanosleep(&moment, NULL);
	}
	return arg;
}

static void *wait_forever(void *arg)
{
	pthread_mutex_lock(&never);
	return arg;
}

static void await(const char *word)
{
	char line[64];

	if (!fgets(line, sizeof(line), stdin) || strncmp(line, word, strlen(word)) != 0)
		exit(1);
}

static void in_children(void)
{
	for (int i = 0; i < 3; i++) {
		if (!fork()) {
			work(NULL);
			_exit(0);
		}
		wait(NULL);
	}
	syscall(SYS_getppid);
	printf("%d\n", 1);
}

static void in_threads(int n)
{
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));

	for (int i = 0; i < n; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	printf("%ld\n", n * calls);
}

int main(int argc, char **argv)
{
	pthread_t waiting;

	if (argc < 3)
		return 2;
	calls = strtol(argv[2], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	pthread_mutex_lock(&never);
	if (strcmp(argv[1], "exec") != 0)
		pthread_create(&waiting, NULL, wait_forever, NULL);
	printf("ready %d\n", (int)getpid());
	if (!strcmp(argv[1], "leave"))
		pthread_exit(NULL);
	await("go");
	if (!strcmp(argv[1], "exec"))
		return execv(argv[2], argv + 2);
	if (!strcmp(argv[1], "fork"))
		in_children();
	else
		in_threads(atoi(argv[1]));
	await("quit");
	return 0;
}
