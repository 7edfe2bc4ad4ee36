/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/replay/sink.h"

const char *g_state_name(enum g_state s)
{
	static const char *const names[] = {"dead", "runnable", "running", "syscall", "waiting"};

	return names[s];
}

const char *g_cause_name(enum g_cause c)
{
	static const char *const names[G_CAUSES] = {
		[G_INIT] = "init",
		[G_CREATE] = "create",
		[G_CREATE_BLOCKED] = "create-blocked",
		[G_START] = "start",
		[G_STOP] = "stop",
		[G_BLOCK] = "block",
		[G_UNBLOCK] = "unblock",
		[G_SYSCALL_ENTER] = "syscall-enter",
		[G_SYSCALL_RETURN] = "syscall-return",
		[G_SYSCALL_LOST] = "syscall-lost",
		[G_SWITCH_OUT] = "switch-out",
		[G_SWITCH_EXIT] = "switch-exit",
		[G_SWITCH_IN] = "switch-in",
		[G_EXIT] = "exit",
		[G_EXTRA_ENTER] = "extra-enter",
		[G_EXTRA_LEAVE] = "extra-leave",
	};

	return names[c];
}

const char *p_state_name(enum p_state s)
{
	static const char *const names[] = {"idle", "running", "syscall"};

	return names[s];
}

const char *t_state_name(enum t_state s)
{
	static const char *const names[] = {"unknown", "running", "runnable", "sleeping", "dead"};

	return names[s];
}

const char *shed_level_name(enum shed_level level)
{
	static const char *const names[] = {
		[SHED_NOTHING] = "all",
		[SHED_STACKS] = "no-stacks",
		[SHED_WINDOWS] = "windows",
		[SHED_KERNEL] = "kernel",
	};

	return level < SHED_LEVELS ? names[level] : "?";
}
