// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "bpf/control.h"
#include "gscope.skel.h"
#include "user/base/io.h"

/* since Linux 6.6; older headers have not got it */
#define UPROBE_MULTI 48

#define RING_MIN ((uint64_t)RING_CHUNK)
#define RING_MAX (1UL << 30)
#define DEFAULT_RECORDS 500000UL /* per second */
#define RECORD_BYTES 88UL /* of the most frequent ones, with the ring's own header */
#define RING_BUSY (4UL << 20) /* what one CPU alone, at its limit of 1 in 1 us, fills in 47 ms */
#define MEMORY_PART 32 /* of the machine's memory, all rings together, unless asked for more */

/*
 * Bytes put into a ring between two wake-ups of the collector, at most: so much is still in the
 * cache of a CPU when it is taken out.
 */
#define WAKE_MAX (512UL << 10)

/* Show what libbpf has to say only to those who look for a bug. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_DEBUG || !getenv("GSCOPE_DEBUG"))
		return 0;
	return vfprintf(stderr, fmt, args);
}

uint64_t ring_size(uint64_t total, size_t cpus, uint64_t memory)
{
	uint64_t share, size = RING_MIN;

	share = (total + cpus - 1) / cpus;
	if (!total) {
		share = (DEFAULT_RECORDS * RECORD_BYTES + cpus - 1) / cpus;
		if (share < RING_BUSY)
			share = RING_BUSY;
	}
	while (size < share && size < RING_MAX)
		size *= 2;
	while (!total && size > RING_MIN && size > memory / MEMORY_PART / cpus)
		size /= 2;
	return size;
}

static uint64_t machine_memory(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

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

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool programs_is_tracepoint(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	return has_prefix(section, "tp_btf/") || has_prefix(section, "raw_tp/") ||
	       has_prefix(section, "tp/");
}

/* Those of the scheduler are called with interrupts disabled, or are rare. */
static bool is_twin_to_load(const struct programs *p, const char *section)
{
	if (p->steady && strstr(section, "/sys_"))
		return has_prefix(section, "tp/");
	return has_prefix(section, p->typed ? "tp_btf/" : "raw_tp/");
}

/* What happens to threads between their birth and their death: the better part of what it costs. */
static bool is_of_kernel(const char *section)
{
	return strstr(section, "/sys_") || strstr(section, "/sched_switch") ||
	       strstr(section, "/sched_wak");
}

static void choose_programs(struct programs *p, const struct load_options *opt)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, p->skel->obj) {
		const char *section = bpf_program__section_name(prog);

		if (programs_is_tracepoint(prog))
			bpf_program__set_autoload(prog, is_twin_to_load(p, section) &&
								!(opt->no_kernel &&
								  is_of_kernel(section)));
		else if (bpf_program__type(prog) == BPF_PROG_TYPE_PERF_EVENT)
			bpf_program__set_autoload(prog, opt->samples);
		else if (!opt->probed)
			bpf_program__set_autoload(prog, false);
		else if (!p->multi)
			bpf_program__set_expected_attach_type(prog, 0);
	}
}

static bool is_online(size_t cpu)
{
	char path[64], c = '1';
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%zu", cpu);
	if (access(path, F_OK))
		return false;
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%zu/online", cpu);
	f = fopen(path, "re"); /* cpu0 often cannot be taken offline, and has no such file */
	if (!f)
		return true;
	if (fread(&c, 1, 1, f) != 1)
		c = '1';
	fclose(f);
	return c != '0';
}

static int create_rings(struct programs *p, struct error *e)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	for (size_t cpu = 0; cpu < p->ncpus; cpu++) {
		if (!is_online(cpu))
			continue;
		p->ring_fds[cpu] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "gscope_ring",
						  sizeof(uint32_t), sizeof(struct ring_chunk),
						  (uint32_t)(p->ring_bytes / RING_CHUNK), &opts);
		if (p->ring_fds[cpu] < 0)
			return error_set(e, EXIT_FAILED, -errno,
					 "no memory for the ring buffer of CPU %zu (%llu KiB): %s; "
					 "ask for less with --buffer",
					 cpu, (unsigned long long)p->ring_bytes >> 10,
					 strerror(errno));
	}
	return 0;
}

/* All are alike. */
static int any_ring(const struct programs *p)
{
	size_t cpu = 0;

	while (cpu + 1 < p->ncpus && p->ring_fds[cpu] < 0)
		cpu++;
	return p->ring_fds[cpu];
}

static int prepare(struct programs *p, const struct load_options *opt, struct error *e)
{
	struct btf *btf;
	int err, cpus = libbpf_num_possible_cpus();
	size_t online;

	if (cpus <= 0)
		return error_set(e, EXIT_FAILED, cpus ? cpus : -EINVAL,
				 "cannot tell how many CPUs there are: %s", strerror(-cpus));
	p->ncpus = (size_t)cpus;
	online = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	p->ring_bytes = ring_size(opt->buffer_bytes, online ? online : p->ncpus, machine_memory());
	p->ring_fds = malloc(p->ncpus * sizeof(*p->ring_fds));
	if (!p->ring_fds)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	memset(p->ring_fds, 0xff, p->ncpus * sizeof(*p->ring_fds));
	err = create_rings(p, e);
	if (err)
		return err;

	p->skel = gscope_bpf__open();
	if (!p->skel)
		return error_set(e, EXIT_FAILED, -errno, "cannot open the BPF programs: %s",
				 strerror(errno));
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return error_set(e, EXIT_FAILED, -errno, "cannot read /sys/kernel/btf/vmlinux: %s",
				 strerror(errno));
	p->typed = can_type_tracepoints(btf);
	/* without, what is missed for that reason is counted (drain.c) */
	p->steady = can_preempt_programs(btf) && has_tracefs();
	p->multi = can_link_many_uprobes();
	choose_programs(p, opt);
	p->skel->rodata->switch_has_state = tracepoint_args(btf, "sched_switch") >= 4;
	p->skel->rodata->exit_has_last = tracepoint_args(btf, "sched_process_exit") >= 2;
	btf__free(btf);
	p->skel->rodata->system_wide = opt->system_wide;
	p->skel->rodata->wake_bytes =
		(uint32_t)(p->ring_bytes / 8 < WAKE_MAX ? p->ring_bytes / 8 : WAKE_MAX);
	p->skel->rodata->any_bare = opt->bare;
	p->skel->rodata->any_probed = opt->probed;

	p->skel->rodata->ring_bytes = p->ring_bytes;
	p->skel->rodata->ring_mask = (uint32_t)(p->ring_bytes / RING_CHUNK - 1);

	err = bpf_map__set_max_entries(p->skel->maps.rings, (uint32_t)p->ncpus);
	if (!err)
		err = bpf_map__set_inner_map_fd(p->skel->maps.rings, any_ring(p));
	if (!err)
		err = bpf_map__set_max_entries(p->skel->maps.ring_taken, (uint32_t)p->ncpus);
	if (!err)
		err = bpf_map__set_max_entries(p->skel->maps.bell, (uint32_t)sysconf(_SC_PAGESIZE));
	if (!err && opt->sites)
		err = bpf_map__set_max_entries(p->skel->maps.site_hits, (uint32_t)opt->sites);
	if (err)
		return error_set(e, EXIT_FAILED, err, "cannot size the BPF maps: %s",
				 strerror(-err));
	return 0;
}

static int connect_rings(struct programs *p, struct error *e)
{
	int map = bpf_map__fd(p->skel->maps.rings);

	p->ring_taken = mmap(NULL, p->ncpus * sizeof(*p->ring_taken), PROT_READ | PROT_WRITE,
			     MAP_SHARED, bpf_map__fd(p->skel->maps.ring_taken), 0);
	if (p->ring_taken == MAP_FAILED) {
		p->ring_taken = NULL;
		return error_set(e, EXIT_FAILED, -errno, "cannot map the ring buffers: %s",
				 strerror(errno));
	}
	for (uint32_t cpu = 0; cpu < p->ncpus; cpu++)
		if (p->ring_fds[cpu] >= 0 &&
		    bpf_map_update_elem(map, &cpu, &p->ring_fds[cpu], BPF_ANY))
			return error_set(e, EXIT_FAILED, -errno,
					 "cannot set up the ring buffer of CPU %u: %s", cpu,
					 strerror(errno));
	return 0;
}

static int explain_load(int err, struct error *e)
{
	switch (err) {
	case -EPERM:
		return error_set(e, EXIT_FAILED, err,
				 "the kernel does not let gscope load BPF programs: run it as root "
				 "outside of containers; with kernel lockdown (see "
				 "/sys/kernel/security/lockdown) it cannot work");
	case -EMFILE:
	case -ENFILE:
		return error_set(e, EXIT_FAILED, err, "%s", io_files_reason(err));
	case -ENOMEM:
		return error_set(e, EXIT_FAILED, err,
				 "no memory for the BPF programs: raise the limit of locked memory "
				 "(ulimit -l unlimited), or ask for less with --buffer");
	default:
		return error_set(e, EXIT_FAILED, err,
				 "the kernel refused the BPF programs: %s; gscope needs Linux 5.15 "
				 "or later (GSCOPE_DEBUG=1 shows what the kernel said)",
				 strerror(-err));
	}
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

int programs_load(struct programs **out, const struct load_options *opt, struct error *e)
{
	struct programs *p;
	int err;

	libbpf_set_print(print_libbpf);
	err = check_privileges(e);
	if (!err)
		err = check_namespace(e);
	if (err)
		return err;
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return error_set(
			e, EXIT_FAILED, -ENOTSUP,
			"this kernel does not describe its types (no /sys/kernel/btf/vmlinux): "
			"gscope needs one built with CONFIG_DEBUG_INFO_BTF");
	p = calloc(1, sizeof(*p));
	if (!p)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	err = prepare(p, opt, e);
	if (!err) {
		err = gscope_bpf__load(p->skel);
		if (err)
			explain_load(err, e);
	}
	if (!err)
		err = connect_rings(p, e);
	if (err) {
		programs_close(p);
		return err;
	}
	*out = p;
	return 0;
}

void programs_close(struct programs *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->ring_fds && i < p->ncpus; i++)
		if (p->ring_fds[i] >= 0)
			close(p->ring_fds[i]);
	free(p->ring_fds);
	if (p->ring_taken)
		munmap(p->ring_taken, p->ncpus * sizeof(*p->ring_taken));
	gscope_bpf__destroy(p->skel);
	free(p);
}
