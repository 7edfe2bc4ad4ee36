// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/inline/rig.h"
#include "bpf/control.h"

#include <string.h>
#include <sys/mman.h>

#include "tests/unit/unit.h"

#define PAGE 4096U
#define CODE_BYTES (64U << 10)

/*
 * rig_enter(entry, registers): the site that calls a stub. What is behind the call is what Go's
 * compiler would rely on.
 */
void rig_enter(uint64_t entry, struct rig_registers *regs);
extern const char rig_entered[];

__asm__(".text\n"
	"rig_enter:\n\t"
	"push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
	"push %rsi\n\t"
	"mov 88(%rsi), %rax\n\t"
	"push %rax\n\tpush %rax\n\tpush %rax\n\t"
	"mov %rsp, 80(%rsi)\n\t"
	"mov 0(%rsi), %rax\n\tmov 8(%rsi), %rbx\n\tmov 16(%rsi), %rcx\n\t"
	"mov 24(%rsi), %rbp\n\tmov 32(%rsi), %r14\n\tmov 40(%rsi), %r15\n\t"
	"movups 48(%rsi), %xmm15\n\tmovups 64(%rsi), %xmm0\n\t"
	"call *%rdi\n"
	"rig_entered:\n\t"
	"mov 24(%rsp), %rsi\n\t"
	"mov %rsp, %rdi\n\tsub 80(%rsi), %rdi\n\tmov %rdi, 80(%rsi)\n\t"
	"mov %rax, 0(%rsi)\n\tmov %rbx, 8(%rsi)\n\tmov %rcx, 16(%rsi)\n\t"
	"mov %rbp, 24(%rsi)\n\tmov %r14, 32(%rsi)\n\tmov %r15, 40(%rsi)\n\t"
	"movups %xmm15, 48(%rsi)\n\tmovups %xmm0, 64(%rsi)\n\t"
	"add $32, %rsp\n\t"
	"pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\t"
	"ret\n");

uint64_t rig_return(void)
{
	return rig_at(rig_entered);
}

void rig_put(uint8_t *object, int32_t off, uint64_t value)
{
	if (off >= 0)
		memcpy(object + off, &value, sizeof(value));
}

void rig_put8(uint8_t *object, int32_t off, uint8_t value)
{
	if (off >= 0)
		object[off] = value;
}

/* A function that counts its calls, and the stubs. */
static int write_code(struct rig *r, const struct stub_options *o)
{
	struct x86_code c = {.bytes = r->code, .room = CODE_BYTES, .addr = rig_at(r->code)};
	struct stub_site sites[STUB_CREATE_RUNQPUT];
	int err;

	x86_move_imm(&c, RDX, rig_at(&r->called));
	x86_lock_increment(&c, RDX, 0);
	c.bytes[c.n++] = 0xc3; /* ret */
	for (int kind = STUB_PLAIN; kind <= STUB_CREATE_RUNQPUT; kind++)
		sites[kind - 1] = (struct stub_site){
			.number = 100 + (uint32_t)kind,
			.kind = kind,
			.skip_slot = kind == STUB_READY ? 16 : -1,
			.callee = rig_at(r->code),
		};
	err = stubs_write(&c, o, sites, STUB_CREATE_RUNQPUT);
	for (int kind = STUB_PLAIN; kind <= STUB_CREATE_RUNQPUT; kind++)
		r->site[kind] = sites[kind - 1];
	return err;
}

static bool map_stack(struct rig *r)
{
	size_t size = RIG_STACK_WORDS * 8;
	uint8_t *all = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return false;
	r->stack = (void *)(all + PAGE);
	return !mprotect(r->stack, size, PROT_READ | PROT_WRITE);
}

bool rig_make(struct rig *r, const struct layout *l, bool stacks, const struct callback *cb)
{
	struct stub_site one = {.kind = STUB_PARK, .skip_slot = -1};
	struct stub_options o = {.seed = 1};
	struct inline_header *h;

	*r = (struct rig){.l = *l};
	o.layout = &r->l;
	if (cb)
		o.callback = *cb;
	CU_ASSERT_EQUAL_FATAL(mock_new(&r->m, &o, &one, 1, 1), 0);
	r->code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(r->code != MAP_FAILED && map_stack(r));
	o.geometry = *mock_geometry(r->m);
	o.base = rig_at(mock_ring(r->m, 0)) - inline_ring_offset(&o.geometry, 0);
	h = (void *)(uintptr_t)o.base;
	h->stack_limit = stacks ? STACKS_OF_ALL : 0;
	CU_ASSERT_EQUAL_FATAL(write_code(r, &o), 0);
	return true;
}

void rig_free(struct rig *r)
{
	munmap((uint8_t *)r->stack - PAGE, RIG_STACK_WORDS * 8 + 2 * PAGE);
	munmap(r->code, CODE_BYTES);
	mock_free(r->m);
}

void rig_call(struct rig *r, enum stub_kind kind, struct rig_registers *regs)
{
	rig_enter(r->site[kind].entry, regs);
}

uint64_t rig_pc(unsigned int i)
{
	return 0x401000 + 16ULL * i;
}

/* Frames of two words, close to each other, up to the end of the stack. */
uint64_t rig_frame(const struct rig *r, unsigned int frames, unsigned int i)
{
	return rig_at(r->stack + RIG_STACK_WORDS - 2 * (frames - i));
}

void rig_stack(struct rig *r, uint8_t *g, uint64_t pc, unsigned int frames)
{
	rig_put(g, r->l.g.stack_lo, rig_at(r->stack));
	rig_put(g, r->l.g.stack_hi, rig_at(r->stack + RIG_STACK_WORDS));
	rig_put(g, r->l.g.sched_pc, pc);
	rig_put(g, r->l.g.sched_bp, frames ? rig_frame(r, frames, 0) : 0);
	for (unsigned int i = 0; i < frames; i++) {
		uint64_t *frame = (void *)(uintptr_t)rig_frame(r, frames, i);

		frame[0] = i + 1 < frames ? rig_frame(r, frames, i + 1) : 0;
		frame[1] = rig_pc(i);
	}
}

const struct inline_record *rig_record(struct rig *r, uint32_t ring)
{
	struct inline_ring *s = mock_ring(r->m, ring);
	const struct inline_record *rec = (void *)s->data;
	uint32_t other = 1 - ring;

	if (mock_ring(r->m, other)->head || !rec->tsc || s->busy || s->lost)
		return NULL;
	return s->head == (ring ? rec->size : INLINE_SLOT) ? rec : NULL;
}
