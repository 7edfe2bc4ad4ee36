// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/call.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bpf/control.h"
#include "user/base/clock.h"
#include "user/inline/sigframe.h"

/* Room left below the frame: should a signal come, its handler may be on that stack. */
#define ROOM_BELOW (12U << 10)

/* One call under way. */
struct call {
	struct remote *r;
	struct remote_thread *t;
	const struct call_way *way;
	struct remote_wait wait; /* once begun it is not given up, only limited */
	uint64_t until;
	struct sigframe_thread was;
	uint8_t frame[SIGFRAME_MAX], before[SIGFRAME_MAX];
	size_t size;
	uint64_t at;
};

static int trace(const struct call *c, int request, uintptr_t addr, const void *data)
{
	return ptrace(request, c->t->tid, (void *)addr, data) ? -errno : 0;
}

static int put(const struct call *c, const uint8_t *bytes)
{
	ssize_t n = pwrite(c->way->mem_fd, bytes, c->size, (off_t)c->at);

	return n == (ssize_t)c->size ? 0 : n < 0 ? -errno : -EIO;
}

static int read_thread(struct call *c)
{
	struct sigframe_thread *t = &c->was;
	struct iovec xstate = {t->xstate, sizeof(t->xstate)};
	int err = trace(c, PTRACE_GETREGS, 0, &t->regs);

	if (!err)
		err = trace(c, PTRACE_GETSIGMASK, sizeof(t->mask), &t->mask);
	if (!err && trace(c, PTRACE_GETREGSET, NT_X86_XSTATE, &xstate))
		err = -ENOTSUP;
	t->xstate_size = xstate.iov_len;
	return err;
}

/* The frame goes to the upper end of the room. */
static int prepare(struct call *c)
{
	int size, err = read_thread(c);

	if (err)
		return err;
	size = sigframe_write(c->frame, &c->was, 0, c->way->code.back);
	if (size < 0)
		return size;
	c->size = (size_t)size;
	if (c->way->hi < c->way->lo + c->size + 64 + ROOM_BELOW)
		return -ENOSPC;
	c->at = (c->way->hi - c->size) & ~63ULL;
	sigframe_write(c->frame, &c->was, c->at, c->way->code.back);
	err = target_process_read(c->r->p, c->at, c->before, c->size);
	return err ? err : put(c, c->frame);
}

static int set_registers(const struct call *c, const uint64_t call[7])
{
	struct user_regs_struct regs = c->was.regs;

	regs.rip = c->way->code.call;
	regs.rsp = c->at;
	regs.orig_rax = ~0ULL; /* no system call to be restarted */
	regs.rax = call[0];
	regs.rdi = call[1];
	regs.rsi = call[2];
	regs.rdx = call[3];
	regs.r10 = call[4];
	regs.r8 = call[5];
	regs.r9 = call[6];
	regs.rbx = CALL_FOR_GSCOPE;
	return trace(c, PTRACE_SETREGS, 0, &regs);
}

/* Run to what is asked for: 0, or as wait_thread(); what else the thread stops for is let pass. */
static int run_to(struct call *c, int request, enum wait_what wanted)
{
	int signal = 0, what, err;

	for (;;) {
		err = trace(c, request, 0, (void *)(uintptr_t)signal);
		if (err)
			return err;
		what = wait_saying(&c->wait, c->r->p, c->t->tid, c->until, &signal);
		if (what == WAIT_ENDED)
			return -ESRCH;
		if (what < 0 || what == (int)wanted)
			return what < 0 ? what : 0;
		/* a thread of a stopped process (SIGSTOP) stops once more before it does anything */
		signal = what == WAIT_SIGNAL ? signal : 0;
	}
}

static int make(struct call *c, int64_t *result)
{
	struct user_regs_struct regs;
	int err = run_to(c, PTRACE_SYSCALL, WAIT_CALL);

	if (!err)
		err = run_to(c, PTRACE_SYSCALL, WAIT_CALL);
	if (!err)
		err = trace(c, PTRACE_GETREGS, 0, &regs);
	if (!err && regs.rip != c->way->code.call + 2)
		err = -EPROTO;
	*result = (int64_t)regs.rax;
	return err;
}

/*
 * To the stop behind which the kernel looks how a system call has ended: what restarts the one that
 * was interrupted is still in the kernel, and only works there.
 */
static int come_to_stop(struct call *c, bool running)
{
	int signal = 0, what = WAIT_CALL, err = trace(c, PTRACE_INTERRUPT, 0, NULL);

	c->until = wait_until(&c->wait);
	while (!err) {
		if (!running)
			err = trace(c, PTRACE_CONT, 0, (void *)(uintptr_t)signal);
		running = false;
		if (err)
			break;
		what = wait_saying(&c->wait, c->r->p, c->t->tid, c->until, &signal);
		if (what == WAIT_STOP)
			return 0;
		if (what == WAIT_ENDED)
			return -ESRCH;
		err = what < 0 ? what : 0;
		signal = what == WAIT_SIGNAL ? signal : 0;
	}
	return err;
}

/* It has its own registers and mask again. */
static int give_back(const struct call *c)
{
	int err = trace(c, PTRACE_SETSIGMASK, sizeof(c->was.mask), &c->was.mask);

	return err ? err : trace(c, PTRACE_SETREGS, 0, &c->was.regs);
}

int remote_call(struct remote *r, size_t thread, const struct call_way *way, const uint64_t call[7],
		int64_t *result)
{
	const uint64_t all = ~0ULL;
	struct call c = {.r = r, .t = &r->v[thread], .way = way, .wait = r->wait};
	int err, err2;

	c.wait.cancel_fd = -1;
	c.until = wait_until(&c.wait);
	err = prepare(&c);
	if (err)
		return err;
	/*
	 * In this order, and the other way round at the end: with a frame behind it the thread can run
	 * with any mask, but nothing would give it back a mask it has with its own registers.
	 */
	err = set_registers(&c, call);
	if (err)
		return err;
	err = trace(&c, PTRACE_SETSIGMASK, sizeof(all), &all);
	if (!err)
		err = make(&c, result);
	if (err == -EBUSY)
		wait_describe(r->p, c.t->tid, r->held_up, sizeof(r->held_up));
	err2 = come_to_stop(&c, err == -EBUSY || err == -EINTR);
	if (!err2)
		err2 = give_back(&c);
	if (err2) /* it finds back by itself */
		r->v[thread].stopped = false;
	else
		err2 = put(&c, c.before);
	return err ? err : err2;
}
