// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <sys/syscall.h>

#include "_cgo_export.h"

void call_back(int which);
long read_one(int fd, char *buf);

void call_back(int which)
{
	fromC(which);
}

/* Compilers leave out the frames of functions that call none, unless somebody asks for them. */
__attribute__((noinline)) static long read_here(long fd, char *buf)
{
	void *volatile frame = __builtin_frame_address(0);
	long ret = frame ? SYS_read : -1;

	__asm__ volatile("syscall"
			 : "+a"(ret)
			 : "D"(fd), "S"(buf), "d"(1L)
			 : "rcx", "r11", "memory");
	return ret;
}

/* The call is not its last instruction, or there would be no frame of it. */
long read_one(int fd, char *buf)
{
	long n = read_here(fd, buf);

	__asm__ volatile("" : "+r"(n));
	return n;
}
