/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the kernel puts on a stack before it runs a signal handler, by which rt_sigreturn(2) makes a
 * thread what it was: registers, signal mask, and all of its vector registers. From
 * arch/x86/include/uapi/asm/{ucontext,sigcontext}.h and arch/x86/kernel/{signal_64,fpu/signal}.c.
 */
#ifndef GSCOPE_INLINE_SIGFRAME_H
#define GSCOPE_INLINE_SIGFRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

#define SIGFRAME_XSTATE_MAX (16U << 10) /* with the tiles of AMX it is 11 KiB */
#define SIGFRAME_MAX (SIGFRAME_XSTATE_MAX + 512U)

/* A stopped thread. */
struct sigframe_thread {
	struct user_regs_struct regs;
	uint64_t mask;
	size_t xstate_size;
	uint8_t xstate[SIGFRAME_XSTATE_MAX]; /* as PTRACE_GETREGSET has NT_X86_XSTATE */
};

/*
 * Write the frame of a thread, whose first word is where `ret` goes with the stack pointer at it:
 * `back`, code that makes the system call rt_sigreturn. It is to be at `addr`, a multiple of 64. Its
 * size, or -ENOTSUP: the thread has state that no frame holds.
 */
int sigframe_write(uint8_t out[SIGFRAME_MAX], const struct sigframe_thread *t, uint64_t addr,
		   uint64_t back);

#endif
