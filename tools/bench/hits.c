// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What one hit of a probe and one system call cost: the very programs that trace Go processes,
 * attached to this process, which has a g, an m, a P and a stack of its own making.
 *
 * Cases are interleaved and repeated; printed are medians in nanoseconds, and whether the bars are
 * met. `hits FILE [CASE...]` writes for each case name, median, multiple of the empty program and bar
 * there; only the cases whose names begin like that are measured, if there are any.
 */
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/control.h"
#include "gscope.skel.h"
#include "user/capture/attach.h"
#include "user/capture/drain.h"
#include "user/capture/load.h"
#include "user/capture/merge.h"
#include "user/capture/targets.h"

/*
 * Pieces shorter than a scheduler's slice: most of them run without interruption even where
 * other programs want the CPU, too.
 */
#define HITS 300
#define PIECES 15
#define ROUNDS 21

/* What a hit may take, as a multiple of what the empty program takes at the same place. */
#define BAR_PLAIN 1.35
#define BAR_STACK 2.0

/* A probe site with the registers of a `call casgstatus`, and one that is never probed. */
__asm__(".pushsection .text\n"
	".globl bench_site, bench_plain\n"
	".type bench_site, @function\n"
	"bench_site:\n"
	"	push %rbp\n"
	"	pop %rbp\n"
	"	ret\n"
	".type bench_plain, @function\n"
	"bench_plain:\n"
	"	push %rbp\n"
	"	pop %rbp\n"
	"	ret\n"
	".popsection\n");
void bench_site(void);
void bench_plain(void);

/* Offsets of a Go 1.26 runtime; see user/capture/config.c for what may be where. */
enum {
	G_M = 48,
	G_SP = 56,
	G_PC = 64,
	G_BP = 96,
	G_SYSCALLSP = 104,
	G_SYSCALLPC = 112,
	G_SYSCALLBP = 120,
	G_STATUS = 144,
	G_GOID = 152,
	G_WAITREASON = 176,
	G_COROEXIT = 187,
	G_GOPC = 288,
	G_STARTPC = 304,
	G_COROARG = 384,
	M_CURG = 184,
	M_TLS_G = M_CURG - M_TLS,
	M_P = 208,
	M_OLDP = 224,
	M_SKIP = 776,
	M_REASON = 784,
};

static char fake_g0[512] __attribute__((aligned(64)));
static char fake_g[512] __attribute__((aligned(64)));
static char fake_gp[512] __attribute__((aligned(64)));
/* thread-local, as g is found in m.tls of a Go program without C */
static __thread char fake_m[1024] __attribute__((aligned(64)));
static char fake_p[64] __attribute__((aligned(64)));
static uint64_t fake_stack[8192] __attribute__((aligned(64)));
static char text[USER_MAX_TEXT];

#define GO_WAITING 4 /* the new status of a goroutine that parks */

static void put(char *object, int off, uint64_t value)
{
	memcpy(object + off, &value, 8);
}

/* A frame every `words` words, like those of small Go functions. */
static void make_stack(char *g, unsigned int frames, unsigned int words)
{
	uint64_t *bp = fake_stack + 64;

	memset(fake_stack, 0, sizeof(fake_stack));
	put(g, 0, (uint64_t)(uintptr_t)fake_stack);
	put(g, 8, (uint64_t)(uintptr_t)(fake_stack + 64 + frames * words + 64));
	put(g, G_SP, (uint64_t)(uintptr_t)(bp - 4));
	put(g, G_PC, 0x401000);
	put(g, G_BP, (uint64_t)(uintptr_t)bp);
	for (unsigned int i = 1; i < frames; i++, bp += words) {
		bp[0] = i + 1 < frames ? (uint64_t)(uintptr_t)(bp + words) : 0;
		bp[1] = 0x401000 + i * 0x40;
	}
}

/* As Go does: from its own code, with the g in R14. */
static void call_kernel(void)
{
	register uint64_t g __asm__("r14") = (uint64_t)(uintptr_t)fake_g;
	long ax = SYS_getppid;

	__asm__ volatile("syscall" : "+a"(ax) : "r"(g) : "rcx", "r11", "memory");
}

static void make_runtime(struct target_cfg *cfg)
{
	extern const char __executable_start[], etext[];
	uint64_t fsbase;

	__asm__("mov %%fs:0, %0" : "=r"(fsbase));
	*cfg = (struct target_cfg){
		.flags = TARGET_GO,
		.tls_g = (int32_t)((uint64_t)(uintptr_t)(fake_m + M_TLS_G) - fsbase),
		.text_lo = (uint64_t)(uintptr_t)__executable_start,
		.text_hi = (uint64_t)(uintptr_t)etext,
		.g_stack_hi = 8,
		.g_m = G_M,
		.g_sched_sp = G_SP,
		.g_sched_pc = G_PC,
		.g_sched_bp = G_BP,
		.g_syscallsp = G_SYSCALLSP,
		.g_syscallpc = G_SYSCALLPC,
		.g_syscallbp = G_SYSCALLBP,
		.g_status = G_STATUS,
		.g_goid = G_GOID,
		.g_waitreason = G_WAITREASON,
		.g_coroexit = G_COROEXIT,
		.g_gopc = G_GOPC,
		.g_startpc = G_STARTPC,
		.g_coroarg = G_COROARG,
		.m_curg = M_CURG,
		.m_p = M_P - M_CURG,
		.m_oldp = M_OLDP - M_CURG,
		.m_block_reason = M_REASON,
		.m_skip = M_SKIP,
		.p_status = 4,
		.coro_gp = 0,
		.go_minor = 26,
	};
	put(fake_g0, G_M, (uint64_t)(uintptr_t)fake_m);
	put(fake_g, G_M, (uint64_t)(uintptr_t)fake_m);
	put(fake_m, M_CURG, (uint64_t)(uintptr_t)fake_g);
	put(fake_m, M_P, (uint64_t)(uintptr_t)fake_p);
	put(fake_m, M_OLDP, (uint64_t)(uintptr_t)fake_p);
	put(fake_g, G_GOID, 7);
	put(fake_gp, G_GOID, 8);
}

static void fail(const char *what, int err)
{
	fprintf(stderr, "hits: %s: %s\n", what, strerror(-err));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct place {
	uint64_t addr, file_off;
};

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

/* Registers as at a site; what the compiler keeps in R14 and RBP is none of our business. */
static void hit(void (*site)(void), const void *ax, uint64_t cx, uint64_t di)
{
	__asm__ volatile("push %%r14\n"
			 "mov %[g0], %%r14\n"
			 "call *%[site]\n"
			 "pop %%r14\n"
			 :
			 : [site] "S"(site), [g0] "d"((const void *)fake_g0), "a"(ax), "b"(2UL),
			   "c"(cx), "D"(di)
			 : "memory", "cc");
}

struct bench_case {
	const char *name;
	bool syscall; /* hits are system calls, not probes */
	bool bare; /* nothing attached */
	bool empty; /* the empty program */
	bool other; /* this process is no target */
	bool kernel; /* level kernel */
	bool told; /* by stubs: nothing is read */
	int reading; /* enum probe_reading, 0: kernel side only */
	unsigned int kind; /* of the record; 0: GO_PARK, as good as any */
	unsigned int text; /* bytes of an annotation's */
	bool waiting; /* gp is bound to no m, as when it is made ready */
	unsigned int frames;
	unsigned int status; /* of the current goroutine, for system calls */
	double bar; /* times the empty program, at most; 0: none */
	bool left_out;
	uint64_t ns[ROUNDS * PIECES]; /* tenths */
};

static struct bench_case cases[] = {
	{.name = "call, no probe", .bare = true},
	{.name = "probe, empty program", .empty = true},
	{.name = "start: no stack", .reading = READ_PLAIN, .bar = BAR_PLAIN},
	{.name = "park: stack of 8 frames", .reading = READ_PARK, .frames = 8, .bar = BAR_STACK},
	{.name = "park: stack of 16 frames", .reading = READ_PARK, .frames = 16, .bar = BAR_STACK},
	{.name = "park: stack of 32 frames", .reading = READ_PARK, .frames = 32, .bar = BAR_STACK},
	{.name = "ready: waker's stack of 8 frames",
	 .reading = READ_READY,
	 .frames = 8,
	 .waiting = true,
	 .bar = BAR_STACK},
	{.name = "ready: waker's stack of 16 frames",
	 .reading = READ_READY,
	 .frames = 16,
	 .waiting = true,
	 .bar = BAR_STACK},
	{.name = "P taken or given up", .reading = READ_PROC, .kind = RT_PROC_START},
	{.name = "stop of the world: stack of 8 frames",
	 .reading = READ_RUNTIME,
	 .kind = RT_STW_BEGIN,
	 .frames = 8,
	 .waiting = true},
	{.name = "task of 16 bytes", .reading = READ_USER, .kind = USER_TASK_BEGIN, .text = 16},
	{.name = "task of 1024 bytes", .reading = READ_USER, .kind = USER_TASK_BEGIN, .text = 1024},
	{.name = "syscall, not traced", .syscall = true, .bare = true},
	{.name = "syscall of another process", .syscall = true, .other = true},
	{.name = "syscall of the runtime", .syscall = true, .status = 2},
	{.name = "syscall of a goroutine, 8 frames", .syscall = true, .status = 3, .frames = 8},
	{.name = "syscall that a stub tells of", .syscall = true, .status = 3, .told = true},
	{.name = "syscall of the runtime, kernel", .syscall = true, .status = 2, .kernel = true},
	{.name = "syscall of a goroutine, kernel",
	 .syscall = true,
	 .status = 3,
	 .frames = 8,
	 .kernel = true},
};

static struct programs *programs;

static const struct bpf_program *program_of(const struct bench_case *c)
{
	if (c->empty)
		return programs->skel->progs.probe_empty;
	if (c->kind >= USER_TASK_BEGIN)
		return programs->skel->progs.note_probe;
	return c->kind >= RT_STW_BEGIN ? programs->skel->progs.runtime_probe :
					 programs->skel->progs.go_probe;
}

static void run_case(struct bench_case *c, struct target_cfg *cfg, uint64_t file_off,
		     struct drain *d, int round)
{
	uint32_t tgid = (uint32_t)getpid();
	LIBBPF_OPTS(bpf_uprobe_multi_opts, opts, .cnt = 1);
	unsigned long offset = file_off;
	__u64 cookie = cookie_make(0, c->kind ? c->kind : GO_PARK, c->reading, -1);
	struct bpf_link *link = NULL;
	struct links traces = {0};
	struct error e;
	uint64_t begin;

	if (c->frames)
		make_stack(c->waiting || c->syscall ? fake_g : fake_gp, c->frames, 12);
	put(fake_gp, G_M, c->waiting ? 0 : (uint64_t)(uintptr_t)fake_m);
	put(fake_g, G_STATUS, c->status);
	put(fake_g, G_SYSCALLSP, c->syscall ? (uint64_t)(uintptr_t)(fake_stack + 60) : 0);
	put(fake_g, G_SYSCALLPC, 0x401000);
	put(fake_g, G_SYSCALLBP, (uint64_t)(uintptr_t)(fake_stack + 64));
	put(fake_m, M_TLS_G, (uint64_t)(uintptr_t)fake_g);
	cfg->flags = TARGET_GO | (c->kernel ? TARGET_BARE : 0);
	targets_choose(programs, &tgid, 1);
	if (c->other)
		targets_leave(programs, tgid);
	else if (targets_enter(programs, 0, tgid, cfg))
		fail("targets", -EINVAL);
	targets_told(programs, 0, c->told);
	opts.offsets = &offset;
	opts.cookies = &cookie;
	if (c->syscall && !c->bare && attach_tracepoints(&traces, programs, &e))
		fail(e.text, -EINVAL);
	if (!c->syscall && !c->bare) {
		link = bpf_program__attach_uprobe_multi(program_of(c), getpid(), "/proc/self/exe",
							NULL, &opts);
		if (!link)
			fail("attach", -errno);
	}
	for (int piece = 0; piece < PIECES; piece++) {
		begin = now_ns();
		for (int i = 0; i < HITS; i++) {
			if (c->syscall)
				call_kernel();
			else
				hit(c->bare ? bench_plain : bench_site, fake_gp,
				    c->text ? (uint64_t)(uintptr_t)text : GO_WAITING, c->text);
		}
		c->ns[round * PIECES + piece] = (now_ns() - begin) * 10 / HITS;
	}
	bpf_link__destroy(link);
	links_close(&traces);
	put(fake_m, M_TLS_G, 0);
	if (drain_pass(d, &e))
		fail(e.text, -EINVAL);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int count_losses(void *ctx, const struct ev_loss *ev)
{
	*(uint64_t *)ctx += ev->count;
	return 0;
}

static int count_records(void *ctx, struct event_head *ev)
{
	(void)ev;
	++*(uint64_t *)ctx;
	return 0;
}

static void print_cases(FILE *figures)
{
	uint64_t base[2] = {0}; /* of probes, of system calls */

	printf("%-36s %8s %8s %8s %8s\n", "ns per hit, medians", "median", "of empty", "added",
	       "bar");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench_case *c = &cases[i];
		double ns, of_empty = 0;

		if (c->left_out)
			continue;
		qsort(c->ns, ROUNDS * PIECES, sizeof(c->ns[0]), by_value);
		ns = (double)c->ns[ROUNDS * PIECES / 2] / 10;
		if (c->empty || (c->syscall && c->bare))
			base[c->syscall] = c->ns[ROUNDS * PIECES / 2];
		printf("%-36s %8.1f", c->name, ns);
		if (base[c->syscall]) {
			of_empty = ns * 10 / (double)base[c->syscall];
			printf(" %7.2fx %8.1f", of_empty, ns - (double)base[c->syscall] / 10);
		}
		if (c->bar > 0 && of_empty > 0)
			printf(" %7.2fx %s", c->bar, of_empty <= c->bar ? "met" : "NOT MET");
		putchar('\n');
		if (figures)
			fprintf(figures, "%s\t%.1f\t%.4f\t%.2f\n", c->name, ns, of_empty, c->bar);
	}
}

/* Fails if there is none to measure. */
static int choose_cases(char **names, int count)
{
	bool any = false;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cases[i].left_out = count > 0;
		for (int n = 0; n < count; n++)
			if (!strncmp(cases[i].name, names[n], strlen(names[n])))
				cases[i].left_out = false;
		any |= !cases[i].left_out;
	}
	return any ? 0 : -ENOENT;
}

int main(int argc, char **argv)
{
	FILE *figures = argc > 1 ? fopen(argv[1], "we") : NULL;
	struct load_options load = {
		.buffer_bytes = 64UL << 20, .sites = 1, .bare = true, .probed = true};
	struct place place = {.addr = (uint64_t)(uintptr_t)bench_site};
	uint64_t lost = 0, records = 0, expected = 0;
	struct target_cfg cfg;
	struct merge *merge;
	struct drain *drain;
	struct error e;

	if (argc > 1 && !figures)
		fail(argv[1], -errno);
	if (choose_cases(argv + 2, argc - 2))
		fail("no case has such a name", -ENOENT);
	if (programs_load(&programs, &load, &e)) {
		fprintf(stderr, "hits: %s\n", e.text);
		return 1;
	}
	merge = merge_new(drain_rings(programs));
	if (!merge || drain_new(&drain, programs, merge, &e))
		fail("rings", -ENOMEM);
	dl_iterate_phdr(find_place, &place);
	make_runtime(&cfg);
	memset(text, 't', sizeof(text));
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			if (cases[i].left_out)
				continue;
			run_case(&cases[i], &cfg, place.file_off, drain, round);
			expected += cases[i].reading ? HITS * PIECES : 0;
		}
	}
	for (size_t i = 0; i < drain_rings(programs); i++)
		merge_promise(merge, i, UINT64_MAX);
	merge_emit(merge, count_records, &records);
	drain_losses(drain, count_losses, &lost);
	if (lost || records < expected) {
		fprintf(stderr,
			"hits: %llu records expected, %llu seen, %llu lost: not a measurement\n",
			(unsigned long long)expected, (unsigned long long)records,
			(unsigned long long)lost);
		return 1;
	}
	print_cases(figures);
	if (figures && fclose(figures))
		fail(argv[1], -errno);
	drain_free(drain);
	merge_free(merge);
	programs_close(programs);
	return 0;
}
