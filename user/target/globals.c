// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/globals.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define STRING_SIZE 16 /* of a string: address and length */

/* How much of each list is looked at. */
#define LOOK_AT 16

/* Far above what a process can have. */
#define MAX_GOROUTINES (64U << 20)
#define MAX_PROCESSORS (1U << 20)

/* How long a process may take to begin. */
#define PAUSE_NS 10000000
#define MAX_PAUSES 100

static uint64_t find_symbol(const struct elf_file *f, const char *name, uint64_t bias, size_t *size)
{
	struct elf_symbol sym;

	if (!elf_symbol(f, name, &sym))
		return 0;
	if (size)
		*size = sym.size;
	return sym.vaddr + bias;
}

void globals_by_symbol(struct globals *out, const struct elf_file *f, uint64_t bias)
{
	size_t size = 0;

	*out = (struct globals){
		.rung = "symbols",
		.allglen = find_symbol(f, "runtime.allglen", bias, NULL),
		.allgptr = find_symbol(f, "runtime.allgptr", bias, NULL),
		.allm = find_symbol(f, "runtime.allm", bias, NULL),
		.allp = find_symbol(f, "runtime.allp", bias, NULL),
		/* goidgen is the first field of schedt: runtime/runtime2.go of Go 1.19 to 1.27 */
		.goidgen = find_symbol(f, "runtime.sched", bias, NULL),
		.gc_controller = find_symbol(f, "runtime.gcController", bias, NULL),
		.gc_blacken = find_symbol(f, "runtime.gcBlackenEnabled", bias, NULL),
	};
	out->wait_reasons = find_symbol(f, "runtime.waitReasonStrings", bias, &size);
	out->nwait_reasons = out->wait_reasons ? size / STRING_SIZE : 0;
	out->block_reasons = find_symbol(f, "runtime.traceBlockReasonStrings", bias, &size);
	out->nblock_reasons = out->block_reasons ? size / STRING_SIZE : 0;
}

/* The name of one that nothing can be done without, and that was not found. */
static const char *missing(const struct globals *g)
{
	return !g->allglen ? "allglen" :
	       !g->allgptr ? "allgptr" :
	       !g->allm    ? "allm" :
	       !g->allp    ? "allp" :
			     NULL;
}

int globals_find(struct globals *out, struct elf_file *f, const struct pclntab *pcln, uint64_t bias,
		 struct error *e)
{
	int err;

	globals_by_symbol(out, f, bias);
	if (!missing(out))
		return 0;
	err = globals_by_code(out, f, pcln, bias, e);
	if (!err && missing(out))
		err = error_set(e, EXIT_TARGET, -ENOENT,
				"%s has no symbol runtime.%s (stripped?), and its code does not "
				"tell gscope where that is; please report it with the output of "
				"`go version -m`",
				elf_file_name(f), missing(out));
	return err;
}

/* --- are they what they should be? -------------------------------------------------------- */

static bool read64(const struct target_process *p, uint64_t addr, uint64_t *v)
{
	return !target_process_read(p, addr, v, sizeof(*v));
}

static bool check_goroutines(const struct globals *g, const struct layout *l,
			     const struct target_process *p)
{
	uint64_t n, array, addr, lo, hi, m;

	if (!read64(p, g->allglen, &n) || !read64(p, g->allgptr, &array) || !n ||
	    n > MAX_GOROUTINES)
		return false;
	for (uint64_t i = 0; i < n && i < LOOK_AT; i++) {
		if (!read64(p, array + 8 * i, &addr) || !read64(p, addr + l->g.stack_lo, &lo) ||
		    !read64(p, addr + l->g.stack_hi, &hi) || !read64(p, addr + l->g.m, &m))
			return false;
		/* a dead one may have no stack */
		if ((lo || hi) && (lo >= hi || (lo | hi) % 8))
			return false;
		if (m % 8)
			return false;
	}
	return true;
}

static bool check_threads(const struct globals *g, const struct layout *l,
			  const struct target_process *p)
{
	uint64_t m, g0, g0_m;

	if (!read64(p, g->allm, &m) || !m)
		return false;
	for (int i = 0; m && i < LOOK_AT; i++) {
		if (!read64(p, m + l->m.g0, &g0) || !read64(p, m + l->m.alllink, &m))
			return i > 0; /* one that ended may be freed under us */
		if (!read64(p, g0 + l->g.m, &g0_m))
			return i > 0;
	}
	return true;
}

static bool check_processors(const struct globals *g, const struct layout *l,
			     const struct target_process *p)
{
	uint64_t slice[3], addr;
	int32_t id;

	if (target_process_read(p, g->allp, slice, sizeof(slice)) || !slice[1] ||
	    slice[1] > slice[2] || slice[1] > MAX_PROCESSORS)
		return false;
	for (uint64_t i = 0; i < slice[1] && i < LOOK_AT; i++) {
		if (!read64(p, slice[0] + 8 * i, &addr) ||
		    target_process_read(p, addr + l->p.id, &id, sizeof(id)) || id != (int32_t)i)
			return false;
	}
	return true;
}

/*
 * The first goroutine is made when all else is there: rt0_go in runtime/asm_amd64.s. A process that
 * was just started gets there in a moment, unless somebody stopped it.
 */
static bool has_begun(const struct globals *g, const struct target_process *p)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t n, array;

	for (int i = 0; i <= MAX_PAUSES; i++) {
		if (!read64(p, g->allglen, &n) || !read64(p, g->allgptr, &array) || n || array)
			return true; /* or not to be read: others say so */
		nanosleep(&pause, NULL);
	}
	return false;
}

int globals_check(const struct globals *g, const struct layout *l, const struct target_process *p,
		  struct error *e)
{
	bool begun = has_begun(g, p);
	const char *what = !check_processors(g, l, p) ? "allp" :
			   !check_threads(g, l, p)    ? "allm" :
			   !check_goroutines(g, l, p) ? "allgs" :
							NULL;

	if (begun && !what)
		return 0;
	if (!target_process_alive(p))
		return error_set(e, EXIT_TARGET, -ESRCH, "pid %d has ended", (int)p->pid);
	if (!begun)
		return error_set(e, EXIT_TARGET, -EAGAIN,
				 "pid %d: its Go runtime has not begun to run; try again when it "
				 "has (is the process stopped?)",
				 (int)p->pid);
	return error_set(e, EXIT_TARGET, -EPROTO,
			 "pid %d: what gscope takes for runtime.%s (found by %s) makes no sense in "
			 "the memory of the process; please report it with the output of "
			 "`go version -m %.200s`",
			 (int)p->pid, what, g->rung, p->exe);
}
