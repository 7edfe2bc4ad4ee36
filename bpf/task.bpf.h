/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading kernel objects, by typed pointers (tp_btf) or by copies (raw_tp), and kernel renames. */
#ifndef GSCOPE_TASK_BPF_H
#define GSCOPE_TASK_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/event.h"

/* `typed` is a constant: whether the verifier knows p's type and lets it be dereferenced. */
#define FIELD(typed, p, field) ((typed) ? (p)->field : BPF_CORE_READ(p, field))

/* task_struct.state until 2f064a59a11f ("sched: Change task_struct::state", v5.14) */
struct task_struct___state {
	volatile long state;
} __attribute__((preserve_access_index));

static __always_inline __u32 task_state(const bool typed, struct task_struct *p)
{
	struct task_struct___state *old = (void *)p;

	if (bpf_core_field_exists(p->__state))
		return FIELD(typed, p, __state);
	return FIELD(typed, old, state);
}

static __always_inline void task_comm(const bool typed, struct task_struct *p, char *comm)
{
	if (typed) {
		__u64 *to = (__u64 *)comm, *from = (__u64 *)&p->comm;

		to[0] = from[0];
		to[1] = from[1];
	} else {
		bpf_core_read(comm, EVENT_COMM_LEN, &p->comm);
	}
}

/* To be called once: every call of a helper counts. */
static __always_inline struct task_struct *current_task(const bool typed)
{
	return typed ? bpf_get_current_task_btf() : (void *)bpf_get_current_task();
}

/* What bpf_get_current_pid_tgid() returns for the current one. */
static __always_inline __u64 task_id(const bool typed, struct task_struct *p)
{
	return (__u64)(__u32)FIELD(typed, p, tgid) << 32 | (__u32)FIELD(typed, p, pid);
}

/* What the registers were when the task entered the kernel. */
static __always_inline struct pt_regs *current_regs(void)
{
	return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

#endif
