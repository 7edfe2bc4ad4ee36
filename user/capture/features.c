// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/features.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

/* since Linux 6.6; older headers have not got it */
#define UPROBE_MULTI 48

static bool has_capability(cap_t caps, cap_value_t cap)
{
	cap_flag_value_t value = CAP_CLEAR;

	/* a libcap older than the capability knows its number only */
	return !cap_get_flag(caps, cap, CAP_EFFECTIVE, &value) && value == CAP_SET;
}

static int check_privileges(struct error *e)
{
	cap_t caps = cap_get_proc();
	bool may;

	if (!caps)
		return 0; /* loading will tell */
	may = has_capability(caps, CAP_SYS_ADMIN) ||
	      (has_capability(caps, CAP_BPF) && has_capability(caps, CAP_PERFMON));
	cap_free(caps);
	if (may)
		return 0;
	return error_set(
		e, EXIT_FAILED, -EPERM,
		"tracing needs privileges: run gscope with sudo, or give it the capabilities "
		"bpf, perfmon, sys_ptrace and dac_read_search");
}

/* Inode of the initial PID namespace: PROC_PID_INIT_INO in include/linux/proc_ns.h. */
#define INIT_PID_NAMESPACE 0xEFFFFFFCU

/* The programs see PIDs of the initial namespace; ours would name nobody, or somebody else. */
static int check_namespace(struct error *e)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == INIT_PID_NAMESPACE)
		return 0;
	return error_set(
		e, EXIT_FAILED, -ENOTSUP,
		"gscope runs in a PID namespace of its own, that of a container, where PIDs "
		"are not those the kernel traces by: run it on the host, or in a container "
		"with the host's PIDs (docker run --pid=host, hostPID: true)");
}

int features_allowed(struct error *e)
{
	int err = check_privileges(e);

	if (!err)
		err = check_namespace(e);
	if (!err && access("/sys/kernel", F_OK))
		return error_set(e, EXIT_FAILED, -ENOTSUP,
				 "/sys is not mounted here, where the kernel describes its types: "
				 "mount -t sysfs sysfs /sys");
	if (!err && access("/sys/kernel/btf/vmlinux", R_OK))
		return error_set(
			e, EXIT_FAILED, -ENOTSUP,
			"this kernel does not describe its types (no /sys/kernel/btf/vmlinux): "
			"gscope needs one built with CONFIG_DEBUG_INFO_BTF");
	return err;
}

/* Does loading two instructions of this type work? Returns the program's fd or -errno. */
static int try_program(enum bpf_prog_type type, struct bpf_prog_load_opts *opts)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(type, "gscope_try", "GPL", insns, 2, opts);
}

/* BPF_TRACE_RAW_TP programs: ac4414b5ca47 ("bpf: Attach raw_tp to BTF"), v5.5 */
static bool can_type_tracepoints(const struct btf *btf)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int fd, id = btf__find_by_name_kind(btf, "btf_trace_sched_switch", BTF_KIND_TYPEDEF);

	if (id < 0)
		return false;
	opts.attach_btf_id = (uint32_t)id;
	fd = try_program(BPF_PROG_TYPE_TRACING, &opts);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/*
 * uprobe_multi: 89ae89f53d20 ("bpf: Add multi uprobe link"), v6.6. Its filter took the process's
 * first thread for the process until 46ba0e49b642 ("bpf: fix multi-uprobe PID filtering logic"),
 * v6.10, which also refuses a negative pid: -EINVAL instead of -EBADF for "/".
 */
static bool can_link_many_uprobes(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = UPROBE_MULTI);
	LIBBPF_OPTS(bpf_link_create_opts, link);
	const unsigned long offset = 0;
	int link_fd, err, fd = try_program(BPF_PROG_TYPE_KPROBE, &opts);

	if (fd < 0)
		return false;
	link.uprobe_multi.path = "/";
	link.uprobe_multi.offsets = &offset;
	link.uprobe_multi.cnt = 1;
	link_fd = bpf_link_create(fd, -1, UPROBE_MULTI, &link);
	err = link_fd < 0 ? -errno : 0;
	if (link_fd >= 0)
		close(link_fd);
	if (err == -EBADF) {
		link.uprobe_multi.pid = (uint32_t)-1;
		link_fd = bpf_link_create(fd, -1, UPROBE_MULTI, &link);
		err = link_fd < 0 ? -errno : 0;
		if (link_fd >= 0)
			close(link_fd);
	} else {
		err = 0;
	}
	close(fd);
	return err == -EINVAL;
}

/* Number of arguments the kernel gives to a tracepoint, from its BTF; 0 if unknown. */
static unsigned int tracepoint_args(const struct btf *btf, const char *name)
{
	const struct btf_type *t;
	char type[128];
	int id;

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF);
	if (id < 0)
		return 0;
	t = btf__type_by_id(btf, btf__type_by_id(btf, (uint32_t)id)->type);
	if (!t || !btf_is_ptr(t))
		return 0;
	t = btf__type_by_id(btf, t->type);
	if (!t || !btf_is_func_proto(t) || !btf_vlen(t))
		return 0;
	return btf_vlen(t) - 1U; /* the first one is the tracepoint's own */
}

/*
 * Tracepoints call their programs under this guard, instead of with preemption disabled, since
 * a46023d5616e ("tracing: Guard __DECLARE_TRACE() use of __DO_TRACE_CALL() with SRCU-fast"), v7.0.
 */
static bool can_preempt_programs(const struct btf *btf)
{
	return btf__find_by_name_kind(btf, "class_srcu_fast_notrace_t", BTF_KIND_TYPEDEF) >= 0;
}

/* libbpf looks for the number of a perf tracepoint there. */
static bool has_tracefs(void)
{
	return !access("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", R_OK) ||
	       !access("/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id", R_OK);
}

int features_find(struct features *f, struct error *e)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (!btf)
		return error_set(e, EXIT_FAILED, -errno, "cannot read /sys/kernel/btf/vmlinux: %s",
				 strerror(errno));
	f->typed = can_type_tracepoints(btf);
	/* without, what is missed for that reason is counted (drain.c) */
	f->steady = can_preempt_programs(btf) && has_tracefs();
	f->multi = can_link_many_uprobes();
	f->switch_has_state = tracepoint_args(btf, "sched_switch") >= 4;
	f->exit_has_last = tracepoint_args(btf, "sched_process_exit") >= 2;
	btf__free(btf);
	return 0;
}
