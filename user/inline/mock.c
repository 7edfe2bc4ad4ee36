// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/mock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf/control.h"

#define OBJECT 32768 /* bytes of each object: more than any field's offset */
#define STACK_WORDS 4096
#define FRAME_WORDS 6
#define ROOM (1U << 20)

struct mock {
	uint8_t *code;
	size_t code_size;
	uint8_t *shared;
	size_t shared_size;
	struct inline_geometry geometry;
	uint64_t stack[STACK_WORDS];
	uint8_t g0[OBJECT], g[OBJECT], m[OBJECT], p[OBJECT];
};

static void put(uint8_t *object, int32_t off, uint64_t value)
{
	if (off >= 0 && off + 8 <= OBJECT)
		memcpy(object + off, &value, sizeof(value));
}

static uint64_t at(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* The frames of a goroutine that called gopark, outermost last. */
static void make_stack(struct mock *m, const struct layout *l, unsigned int frames)
{
	uint64_t *bp = m->stack + 64;

	put(m->g, l->g.stack_lo, at(m->stack));
	put(m->g, l->g.stack_hi, at(m->stack + STACK_WORDS));
	put(m->g, l->g.sched_sp, at(bp - 4));
	put(m->g, l->g.sched_pc, 0x401000);
	put(m->g, l->g.sched_bp, at(bp));
	for (unsigned int i = 1; i < frames; i++, bp += FRAME_WORDS) {
		bp[0] = i + 1 < frames ? at(bp + FRAME_WORDS) : 0;
		bp[1] = 0x401000 + i * 0x40;
	}
}

static void make_objects(struct mock *m, const struct layout *l)
{
	put(m->g0, l->g.m, at(m->m));
	put(m->g, l->g.m, at(m->m));
	put(m->g, l->g.goid, 7);
	put(m->m, l->m.curg, at(m->g));
	put(m->m, l->m.p, at(m->p));
	put(m->m, l->m.procid, 4711);
}

static int write_code(struct mock *m, const struct stub_options *o, struct stub_site *sites,
		      size_t n)
{
	static const uint8_t nothing[] = {0xc3}; /* ret */
	struct x86_code c = {.room = m->code_size - 16, .addr = at(m->code) + 16};
	struct inline_header *header = (void *)m->shared;
	struct stub_options own = *o;
	int err;

	memcpy(m->code, nothing, sizeof(nothing));
	c.bytes = m->code + 16;
	header->enabled = 1;
	header->stack_limit = STACKS_OF_ALL;
	own.base = at(m->shared);
	own.geometry = m->geometry;
	for (size_t i = 0; i < n; i++)
		sites[i].callee = at(m->code);
	err = stubs_write(&c, &own, sites, n);
	if (!err && mprotect(m->code, m->code_size, PROT_READ | PROT_EXEC))
		err = -errno;
	return err;
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int mock_new(struct mock **out, const struct stub_options *o, struct stub_site *sites, size_t n,
	     unsigned int frames)
{
	struct mock *m = calloc(1, sizeof(*m));
	int err = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->geometry = (struct inline_geometry){2, inline_stride(ROOM), ROOM};
	m->shared_size = inline_size(&m->geometry);
	m->shared = map(m->shared_size);
	m->code_size = 4096 + stubs_room(n);
	m->code = map(m->code_size);
	if (m->shared && m->code && 64 + frames * FRAME_WORDS < STACK_WORDS) {
		make_objects(m, o->layout);
		make_stack(m, o->layout, frames);
		err = write_code(m, o, sites, n);
	}
	if (err)
		mock_free(m);
	else
		*out = m;
	return err;
}

void mock_free(struct mock *m)
{
	if (!m)
		return;
	if (m->shared)
		munmap(m->shared, m->shared_size);
	if (m->code)
		munmap(m->code, m->code_size);
	free(m);
}

struct mock_registers mock_call(struct mock *m, uint64_t entry, const struct mock_registers *r)
{
	struct mock_registers out = *r;
	register uint64_t r14 __asm__("r14");

	(void)m;
	r14 = r->r14;
	__asm__ volatile("sub $128, %%rsp\n\t" /* the red zone is the compiler's */
			 "call *%[entry]\n\t"
			 "add $128, %%rsp"
			 : "+a"(out.ax), "+b"(out.bx), "+c"(out.cx), "+r"(r14)
			 : [entry] "D"(entry)
			 : "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "memory", "cc");
	out.r14 = r14;
	return out;
}

void mock_run(struct mock *m, uint64_t entry)
{
	const struct mock_registers r = {at(m->g), 2, 4, at(m->g0)};

	mock_call(m, entry, &r);
}

uint8_t *mock_g0(struct mock *m)
{
	return m->g0;
}

uint8_t *mock_g(struct mock *m)
{
	return m->g;
}

uint8_t *mock_m(struct mock *m)
{
	return m->m;
}

uint8_t *mock_p(struct mock *m)
{
	return m->p;
}

struct inline_ring *mock_ring(struct mock *m, uint32_t i)
{
	return (void *)(m->shared + inline_ring_offset(&m->geometry, i));
}

const struct inline_geometry *mock_geometry(const struct mock *m)
{
	return &m->geometry;
}

void mock_empty(struct mock *m)
{
	for (uint32_t i = 0; i < m->geometry.rings; i++)
		mock_ring(m, i)->tail = mock_ring(m, i)->head;
}
