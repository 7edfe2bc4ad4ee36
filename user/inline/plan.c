// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/inline/afford.h"

#define CALL_OPCODE 0xe8
#define CALL_SIZE 5
#define PAGE 4096U

/* Bytes of a ring: for bursts between two looks of the reader; ring 0 has room for many writers. */
#define ROOM_MIN (1U << 20)
#define ROOM_MAX (8U << 20) /* unless more is asked for: */
#define ROOM_MOST (512U << 20)
#define ROOM_ALL (32U << 20)
#define ROOM_LEAST (64U << 10) /* where memory is short: a millisecond of a busy P */
#define SHARE 4 /* of what the process may still have, all rings take this part at most */

#define PROCS_MAX 1024U /* threads with other Ps share ring 0 */

/*
 * The rare kinds, those that are no calls and those on which more hangs than a record can tell,
 * stay with uprobes.
 */
static enum stub_kind stub_kind_of(const struct site *site)
{
	if (site->place != SITE_AT_CALL || site->module)
		return STUB_NONE;
	switch (site->kind) {
	case SITE_START:
	case SITE_PARK_REFUSED:
	case SITE_EXIT:
		return STUB_PLAIN;
	case SITE_SYSEXIT_NOP:
		return STUB_NO_P;
	case SITE_PARK:
		return STUB_PARK;
	case SITE_READY:
		return STUB_READY;
	case SITE_READY_WORKER:
		return STUB_WORKER;
	case SITE_YIELD:
	case SITE_YIELD_PREEMPTED:
		return STUB_YIELD;
	case SITE_SYSCALL_ENTER:
		return STUB_SYSENTER;
	case SITE_SYSCALL_EXIT:
	case SITE_CGO_EXIT:
		return STUB_SYSEXIT;
	case SITE_CREATE_CAS:
		return STUB_CREATE;
	case SITE_CREATE_RUNQPUT:
		return STUB_CREATE_RUNQPUT;
	default:
		return STUB_NONE;
	}
}

/* The call as the process has it; false if it is none, or not the one its file has. */
static bool read_call(const struct target *t, const struct site *site, int32_t *rel)
{
	uint8_t memory[CALL_SIZE], file[CALL_SIZE];

	if (target_process_read(t->process, site->pc, memory, sizeof(memory)) ||
	    elf_read(t->elf, site->vaddr, file, sizeof(file)) ||
	    memcmp(memory, file, sizeof(file)) != 0 || memory[0] != CALL_OPCODE)
		return false;
	memcpy(rel, memory + 1, sizeof(*rel));
	return true;
}

/*
 * Whether the operand is on two pages: who is killed while he writes it may have written one of them, and
 * the call would lead nowhere.
 */
static bool is_torn(uint64_t pc)
{
	return (pc + 1) % PAGE > PAGE - sizeof(int32_t);
}

static void plan_sites(struct inline_plan *p, const struct target *t)
{
	for (size_t i = 0; i < t->sites.n && p->n < INLINE_MAX_SITES; i++) {
		const struct site *site = &t->sites.v[i];
		enum stub_kind kind = stub_kind_of(site);
		int32_t rel;

		if (!stub_possible(&t->layout, kind) || is_torn(site->pc) ||
		    !read_call(t, site, &rel))
			continue;
		p->operand[p->n] = (struct inline_operand){.pc = site->pc, .original = rel};
		p->stub[p->n++] = (struct stub_site){
			.number = (uint32_t)i,
			.kind = kind,
			.skip_slot = site->skip_slot,
			.callee = site->pc + CALL_SIZE + (uint64_t)(int64_t)rel,
		};
	}
}

/* As many as there are, and as there may be without more CPUs than this machine has. */
static uint32_t count_procs(const struct target *t)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	uint64_t slice[3] = {0};

	if (!t->globals.allp ||
	    target_process_read(t->process, t->globals.allp, slice, sizeof(slice)))
		slice[1] = 0;
	if (cpus > 0 && slice[1] < (uint64_t)cpus)
		slice[1] = (uint64_t)cpus;
	return slice[1] < PROCS_MAX ? (uint32_t)slice[1] : PROCS_MAX;
}

bool inline_fit(struct inline_geometry *g, uint64_t most)
{
	while (inline_size(g) > most && g->room > ROOM_LEAST) {
		g->room /= 2;
		g->stride = inline_stride(g->room);
	}
	return inline_size(g) <= most;
}

/*
 * There are rings for Ps that may be added: records of others have no stack, and memory that nobody
 * writes to is none.
 */
static struct inline_geometry divide(uint32_t procs, uint64_t bytes)
{
	uint32_t more = 2 * procs + 6, most = bytes ? ROOM_MOST : ROOM_MAX;
	struct inline_geometry g = {.rings = more < PROCS_MAX ? more : procs + 1, .room = ROOM_MIN};
	uint64_t share = (bytes ? bytes : ROOM_ALL) / (procs + 1);

	while (g.room < share && g.room < most)
		g.room *= 2;
	g.stride = inline_stride(g.room);
	return g;
}

/* Each page of a ring is the process's own as soon as a stub has written there. */
static int plan_rings(struct inline_geometry *g, const struct target *t, uint64_t bytes,
		      uint64_t taken, struct error *e)
{
	uint32_t procs = count_procs(t);
	struct afford a;
	uint64_t most;

	*g = divide(procs, bytes);
	afford_look(&a, t->process);
	most = a.bytes > taken ? (a.bytes - taken) / SHARE : 0;
	if (inline_fit(g, most))
		return 0;
	g->rings = procs + 1; /* none for Ps to come */
	if (inline_fit(g, most))
		return 0;
	return error_set(e, EXIT_TARGET, -ENOSPC,
			 "%s leaves it %" PRIu64 " KiB of memory, and gscope would need %" PRIu64
			 " KiB, more than a quarter of that",
			 a.by, (a.bytes > taken ? a.bytes - taken : 0) >> 10, inline_size(g) >> 10);
}

int inline_plan(struct inline_plan *out, const struct target *t, uint64_t bytes, uint64_t taken,
		struct error *e)
{
	int err;

	*out = (struct inline_plan){0};
	err = plan_rings(&out->geometry, t, bytes, taken, e);
	if (err)
		return err;
	out->stub = calloc(t->sites.n + 1, sizeof(*out->stub));
	out->operand = calloc(t->sites.n + 1, sizeof(*out->operand));
	if (!out->stub || !out->operand) {
		inline_plan_free(out);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	plan_sites(out, t);
	pclntab_text(t->pcln, &out->lo, &out->hi);
	if (out->n)
		return 0;
	inline_plan_free(out);
	return error_set(e, EXIT_TARGET, -ENOTSUP, "it has no calls that could be redirected");
}

void inline_plan_free(struct inline_plan *p)
{
	free(p->stub);
	free(p->operand);
	*p = (struct inline_plan){0};
}
