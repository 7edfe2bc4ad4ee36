// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#define MAX_KEPT 16

struct stage {
	size_t n;
	cap_value_t kept[MAX_KEPT];
};

/* Which calls need which: docs/security.md. */
static const struct stage stages[] = {
	[PRIVILEGE_ATTACH] = {13,
			      {CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
			       CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHOWN, CAP_CHECKPOINT_RESTORE,
			       CAP_SYS_ADMIN, CAP_SYS_NICE, CAP_SYS_RESOURCE, CAP_IPC_LOCK,
			       CAP_KILL}},
	[PRIVILEGE_TRACE] = {7,
			     {CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
			      CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHECKPOINT_RESTORE}},
	[PRIVILEGE_GUARDIAN] = {3, {CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN}},
	[PRIVILEGE_PLANT] = {6,
			     {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE,
			      CAP_CHECKPOINT_RESTORE, CAP_SYS_NICE, CAP_KILL}},
	[PRIVILEGE_WRITE] = {1, {CAP_SYS_NICE}},
	[PRIVILEGE_OUTPUT] = {3, {CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHOWN}},
	[PRIVILEGE_NONE] = {0, {0}},
};

/*
 * What an executed program could get: gscope executes none. Takes CAP_SETPCAP, which no stage keeps; for those without
 * no_new_privs does the same.
 */
static void clear_bounding_set(void)
{
	for (cap_value_t cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

int privilege_keep(enum privilege_stage stage, struct error *e)
{
	const struct stage *s = &stages[stage];
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];
	uint32_t kept[_LINUX_CAPABILITY_U32S_3] = {0};
	int err = capget(&h, d) ? -errno : 0;

	for (size_t i = 0; i < s->n; i++)
		kept[CAP_TO_INDEX(s->kept[i])] |= CAP_TO_MASK(s->kept[i]);
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		d[i].permitted &= kept[i];
		d[i].effective = d[i].permitted;
		d[i].inheritable = 0;
	}
	clear_bounding_set();
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (!err && (capset(&h, d) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
		err = -errno;
	return err ? error_set(e, EXIT_FAILED, err, "cannot give up privileges: %s",
			       strerror(-err)) :
		     0;
}

bool privilege_lacks_reading(char *out, size_t size)
{
	/* ptrace_may_access() of kernel/ptrace.c, and /proc/PID/mem is its owner's, mode 0600 */
	static const struct {
		cap_value_t cap;
		const char *name;
	} needed[] = {{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
		      {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"}};
	cap_t now = cap_get_proc();
	size_t n = 0;

	*out = 0;
	for (size_t i = 0; now && i < sizeof(needed) / sizeof(needed[0]); i++) {
		cap_flag_value_t has = CAP_CLEAR;

		if (!cap_get_flag(now, needed[i].cap, CAP_EFFECTIVE, &has) && has == CAP_SET)
			continue;
		n += (size_t)snprintf(out + n, n < size ? size - n : 0, "%s%s", n ? " and " : "",
				      needed[i].name);
	}
	cap_free(now);
	return *out;
}
