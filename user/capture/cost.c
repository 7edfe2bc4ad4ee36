// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/cost.h"

#include <errno.h>
#include <link.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "gscope.skel.h"
#include "user/base/clock.h"
#include "user/capture/attach.h"

/* A function whose first instruction the kernel emulates, as it does at the targets' sites. */
#ifdef __x86_64__
__asm__(".pushsection .text\n"
	".globl gscope_trap_point\n"
	".type gscope_trap_point, @function\n"
	"gscope_trap_point:\n"
	"	push %rbp\n"
	"	pop %rbp\n"
	"	ret\n"
	".size gscope_trap_point, . - gscope_trap_point\n"
	".popsection\n");
#else
#error "gscope_trap_point: not written for this architecture"
#endif
void gscope_trap_point(void);

#define ROUNDS 21
#define HITS_PER_ROUND 500
#define BUDGET_NS 30000000

struct place {
	uint64_t addr;
	uint64_t file_off;
};

/* The first object is the program itself. */
static int find_place(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct place *p = ctx;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && p->addr >= start && p->addr < start + ph->p_filesz)
			p->file_off = p->addr - start + ph->p_offset;
	}
	return 1;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t cost_of_trap(const struct programs *p, struct guardian *g)
{
	struct place place = {.addr = (uint64_t)(uintptr_t)gscope_trap_point};
	uint64_t rounds[ROUNDS], end;
	struct probe_links l = {.guardian = g};
	size_t n = 0;

	dl_iterate_phdr(find_place, &place);
	if (!place.file_off || attach_empty(&l, p, place.file_off)) {
		probe_links_close(&l);
		return 0;
	}
	end = now_ns() + BUDGET_NS;
	while (n < ROUNDS && now_ns() < end) {
		/* not the time in which others have the CPU */
		uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		for (int i = 0; i < HITS_PER_ROUND; i++)
			gscope_trap_point();
		rounds[n++] = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / HITS_PER_ROUND;
	}
	probe_links_close(&l);
	qsort(rounds, n, sizeof(*rounds), by_value);
	return n ? rounds[n / 2] : 0;
}

uint64_t cost_of_traced(const struct run_time *before, const struct run_time *after, uint64_t mine,
			uint64_t filter_ns)
{
	uint64_t runs = after->runs - before->runs;
	uint64_t ns = after->ns - before->ns, others;

	if (mine > runs)
		mine = runs;
	if (!mine)
		return 0;
	others = (runs - mine) * filter_ns;
	return others < ns ? (ns - others) / mine : ns / runs;
}

void cost_counted(const struct programs *p, struct run_times *out)
{
	struct bpf_program *prog;

	*out = (struct run_times){0};
	bpf_object__for_each_program(prog, p->skel->obj) {
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_program__fd(prog);
		bool probe = bpf_program__type(prog) == BPF_PROG_TYPE_KPROBE;
		struct run_time *sum = probe ? &out->probes : &out->trace;

		if (!probe && !programs_is_tracepoint(prog))
			continue;
		if (fd < 0 || bpf_prog_get_info_by_fd(fd, &info, &len))
			continue;
		sum->ns += info.run_time_ns;
		sum->runs += info.run_cnt;
	}
}
