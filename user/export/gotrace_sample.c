/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * CPU samples. They are in batches of their own, have absolute times and name thread, P and
 * goroutine themselves; the reader puts them between the events (internal/trace/generation.go,
 * addCPUSamples).
 */
#include "user/export/gotrace_state.h"

#define SAMPLE_BYTES_MAX 64

void wire_sample(struct gotrace *t, const struct cpu_sample *c)
{
	const struct wire_g *g = wire_find_g(t, c->g);
	struct bytes *b = &t->samples;

	if (b->len + SAMPLE_BYTES_MAX > WIRE_BATCH_MAX)
		samples_flush(t);
	if (!b->len)
		bytes_byte(b, WIRE_CPU_SAMPLES);
	bytes_byte(b, WIRE_CPU_SAMPLE);
	bytes_uvarint(b, c->time);
	bytes_uvarint(b, c->t->tid);
	bytes_uvarint(b, c->p && wire_find_p(t, c->p) ? (uint64_t)c->p->id : UINT64_MAX);
	bytes_uvarint(b, g ? g->id : 0);
	bytes_uvarint(b, stack_of(t, g, c->stack, 0));
	/* the events of the next generation come behind it */
	if (c->time > t->last)
		t->last = c->time;
}

void samples_flush(struct gotrace *t)
{
	if (t->samples.len || t->samples.failed)
		batch_write(&t->out, t->gen, WIRE_NO_THREAD, batch_exact_time(t->gen_begin),
			    &t->samples);
	t->samples.len = 0;
}
