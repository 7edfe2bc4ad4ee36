// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * When memory may be unmapped: not as long as a thread executes there or is going to. A child of this
 * process has a thread that does, in every way.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "user/inline/plant.h"

#define PAGE 4096U
#define LOOP_AT 64

enum how {
	IN_LOOP, /* it executes there */
	IN_HANDLER, /* a handler interrupted it, on a stack of its own, */
	IN_BOTH, /* and another one that one */
	IN_HANDLER_HERE, /* on the same stack */
	RETURNED, /* that is over */
	LEFT_OVER, /* and its stack is full of such addresses */
};

struct state {
	volatile uint32_t leave_loop; /* read by the code below */
	volatile uint32_t leave_handler;
	volatile int in_loop; /* 2: it was */
	volatile int in_handler, over;
	uint8_t *code;
	uint8_t *base;
};

static struct state *st;

/* cmpl $0, (%rdi); je back; ret */
static const uint8_t loop_code[] = {0x83, 0x3f, 0x00, 0x74, 0xfb, 0xc3};

/* As much of a Go runtime as is looked at: the main thread has a g, by which it can make system calls. */
static struct {
	uint64_t m, lo, hi;
} g0, for_signals;
static struct {
	uint64_t g0, gsignal, curg, procid;
} m;
static __thread void *tls_g;
static uint8_t signal_stack[32 << 10];

static uint64_t addr_of(const volatile void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static const struct layout layout = {
	.g = {.m = 0, .stack_lo = 8, .stack_hi = 16},
	.m = {.g0 = 0, .gsignal = 8, .curg = 16, .procid = 24},
};

static void pose_as_go(void)
{
	uint8_t here;

	g0.m = addr_of(&m);
	g0.lo = addr_of(&here) - (64 << 10);
	g0.hi = addr_of(&here) + (64 << 10);
	for_signals.lo = addr_of(signal_stack);
	for_signals.hi = for_signals.lo + sizeof(signal_stack);
	m.g0 = addr_of(&g0);
	m.gsignal = addr_of(&for_signals);
	m.procid = (uint64_t)getpid();
	tls_g = &g0;
}

static void rest_ms(long ms)
{
	const struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

static void on_signal(int sig)
{
	(void)sig;
	st->in_handler++;
	while (!st->leave_handler)
		;
}

static void *work(void *arg)
{
	enum how how = *(enum how *)arg;
	static uint8_t other_stack[64 << 10];
	const stack_t alt = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	volatile uint64_t words[2048];

	if (how == IN_HANDLER_HERE)
		sa.sa_flags = 0;
	sigaltstack(&alt, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	for (size_t i = 0; i < 2048; i++)
		words[i] = how == LEFT_OVER ? addr_of(st->code + LOOP_AT) : 0;
	st->in_loop = 1;
	((void (*)(volatile uint32_t *))(uintptr_t)(st->code + LOOP_AT))(&st->leave_loop);
	st->in_loop = 2;
	/* below what is left on the stack, and in the other one */
	while (!st->over)
		rest_ms(1);
	return (void *)(uintptr_t)words[1];
}

static void __attribute__((noreturn)) run_child(enum how how)
{
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(120);
	pose_as_go();
	pthread_create(&t, NULL, work, &how);
	while (!st->in_loop)
		rest_ms(1);
	rest_ms(20);
	if (how != IN_LOOP) {
		pthread_kill(t, SIGUSR1);
		while (st->in_handler < 1)
			rest_ms(1);
	}
	if (how == IN_BOTH) {
		pthread_kill(t, SIGUSR2);
		while (st->in_handler < 2)
			rest_ms(1);
	}
	if (how == RETURNED || how == LEFT_OVER)
		st->leave_handler = st->leave_loop = 1;
	while (!st->over)
		rest_ms(1);
	pthread_join(t, NULL);
	_exit(0);
}

static bool is_mapped(const struct target_process *p, const void *addr)
{
	uint8_t byte;

	return !target_process_read(p, (uint64_t)(uintptr_t)addr, &byte, 1);
}

static void scene(enum how how, bool inside)
{
	struct inline_header h = {
		.magic = INLINE_MAGIC, .stubs_size = PAGE, .size = PAGE, .state = INLINE_RESTORED};
	struct planted d = {.shared_fd = -1, .own = &h};
	int fd = memfd_create("rings", MFD_CLOEXEC);
	struct layout l = layout;
	struct stat rings;
	struct target_process *p;
	struct error e = {0};
	pid_t pid;
	int status;

	st = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(st != MAP_FAILED);
	st->code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	CU_ASSERT_FATAL(st->code != MAP_FAILED && !ftruncate(fd, PAGE) && !fstat(fd, &rings));
	st->base = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CU_ASSERT_FATAL(st->base != MAP_FAILED);
	close(fd);
	h.dev = rings.st_dev;
	h.inode = rings.st_ino;
	memcpy(st->code + LOOP_AT, loop_code, sizeof(loop_code));
	CU_ASSERT_EQUAL_FATAL(mprotect(st->code, PAGE, PROT_READ | PROT_EXEC), 0);
	h.stubs = addr_of(st->code);
	h.base = addr_of(st->base);
	pid = fork();
	if (!pid)
		run_child(how);
	CU_ASSERT_EQUAL_FATAL(target_process_open(pid, &p, &e), 0);
	l.tls_g = (int32_t)(addr_of(&tls_g) - addr_of(__builtin_thread_pointer()));
	d.p = p;
	d.layout = &l;
	d.mem_fd = openat(p->proc_fd, "mem", O_RDWR | O_CLOEXEC);
	d.wait = (struct remote_wait){.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = -1};
	if (inside) {
		while (!st->in_loop || st->in_handler < (how == IN_BOTH ? 2 : how != IN_LOOP))
			rest_ms(1);
		rest_ms(30);
		CU_ASSERT_EQUAL(plant_unmap(&d, &e), -EBUSY);
		CU_ASSERT_EQUAL(e.status, EXIT_FAILED);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "harmless"));
		CU_ASSERT_TRUE(is_mapped(p, st->code));
		CU_ASSERT_TRUE(is_mapped(p, st->base));
		st->leave_handler = st->leave_loop = 1;
	}
	while (!st->leave_loop || st->in_loop != 2)
		rest_ms(1);
	CU_ASSERT_EQUAL(plant_unmap(&d, &e), 0);
	CU_ASSERT_FALSE(is_mapped(p, st->code));
	CU_ASSERT_FALSE(is_mapped(p, st->base));
	st->over = 1;
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	close(d.mem_fd);
	target_process_close(p);
	munmap(st->code, PAGE);
	munmap(st->base, PAGE);
	munmap(st, PAGE);
}

static void test_in_loop(void)
{
	scene(IN_LOOP, true);
}

static void test_in_handler(void)
{
	scene(IN_HANDLER, true);
	scene(IN_BOTH, true);
	scene(IN_HANDLER_HERE, true);
}

static void test_returned(void)
{
	scene(RETURNED, false);
	scene(LEFT_OVER, false);
}

static CU_TestInfo tests[] = {
	{"a thread in a stub", test_in_loop},
	{"a handler that interrupted a stub", test_in_handler},
	{"what is left of both", test_returned},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/plant", tests);
