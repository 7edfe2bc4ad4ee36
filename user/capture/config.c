// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/config.h"

#include <errno.h>
#include <stdbool.h>

/* One offset to hand over. */
struct field {
	const char *name;
	int32_t off;
	uint16_t *to;
	uint32_t limit; /* the programs read [0, limit) */
	uint32_t size; /* and the field must lie in it, */
	uint32_t align; /* aligned so */
	bool optional;
};

static int fill_field(const struct field *f, struct error *e)
{
	if (f->off < 0 && f->optional) {
		*f->to = NO_OFFSET;
		return 0;
	}
	if (f->off < 0 || (uint32_t)f->off % f->align || (uint32_t)f->off + f->size > f->limit)
		return error_set(
			e, EXIT_TARGET, -ENOTSUP,
			"runtime.%s is at offset %d in this program, where gscope cannot read "
			"it: it was built by a Go version gscope does not know",
			f->name, f->off);
	*f->to = (uint16_t)f->off;
	return 0;
}

int target_cfg_fill(struct target_cfg *cfg, const struct layout *l, struct error *e)
{
	const uint32_t any = NO_OFFSET;
	const struct field fields[] = {
		{"g.stack.lo", l->g.stack_lo, &cfg->g_stack_lo, G_HEAD, 8, 8, false},
		{"g.stack.hi", l->g.stack_hi, &cfg->g_stack_hi, G_HEAD, 8, 8, false},
		{"g.m", l->g.m, &cfg->g_m, G_HEAD, 8, 8, false},
		{"g.sched.sp", l->g.sched_sp, &cfg->g_sched_sp, G_HEAD, 8, 8, false},
		{"g.sched.pc", l->g.sched_pc, &cfg->g_sched_pc, G_HEAD, 8, 8, false},
		{"g.sched.bp", l->g.sched_bp, &cfg->g_sched_bp, G_HEAD, 8, 8, false},
		{"g.syscallsp", l->g.syscallsp, &cfg->g_syscallsp, G_HEAD, 8, 8, false},
		{"g.syscallpc", l->g.syscallpc, &cfg->g_syscallpc, G_HEAD, 8, 8, false},
		{"g.syscallbp", l->g.syscallbp, &cfg->g_syscallbp, G_HEAD, 8, 8, true},
		{"g.atomicstatus", l->g.atomicstatus, &cfg->g_status, G_HEAD, 8, 8, false},
		{"g.goid", l->g.goid, &cfg->g_goid, G_HEAD, 8, 8, false},
		{"g.waitreason", l->g.waitreason, &cfg->g_waitreason, G_HEAD, 1, 1, false},
		{"g.coroexit", l->g.coroexit, &cfg->g_coroexit, any, 1, 1, true},
		{"g.gopc", l->g.gopc, &cfg->g_gopc, any, 8, 8, false},
		{"g.startpc", l->g.startpc, &cfg->g_startpc, any, 8, 8, false},
		{"g.coroarg", l->g.coroarg, &cfg->g_coroarg, any, 8, 8, true},
		{"m.curg", l->m.curg, &cfg->m_curg, any, 8, 8, false},
		{"m.p", l->m.p - l->m.curg, &cfg->m_p, M_WORDS, 8, 8, false},
		{"m.oldp", l->m.oldp - l->m.curg, &cfg->m_oldp, M_WORDS, 8, 8, false},
		{"m.waitTraceBlockReason", l->m.wait_block_reason, &cfg->m_block_reason, any, 1, 8,
		 true},
		{"m.waitTraceSkip", l->m.wait_skip, &cfg->m_skip, any, 8, 8, true},
		{"p.status", l->p.status, &cfg->p_status, any, 4, 4, false},
		{"p.goidcache", l->p.goidcache, &cfg->p_goidcache, any, 8, 8, true},
		{"p.goidcacheend", l->p.goidcacheend, &cfg->p_goidcacheend, any, 8, 8, true},
		{"p.gcMarkWorkerMode", l->p.worker_mode, &cfg->p_worker_mode, any, 8, 8, true},
		{"g.labels", l->g.labels, &cfg->g_labels, any, 8, 8, true},
		{"coro.gp", l->coro.gp, &cfg->coro_gp, any, 8, 8, true},
	};

	*cfg = (struct target_cfg){.flags = TARGET_GO, .tls_g = l->tls_g};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		int err = fill_field(&fields[i], e);

		if (err)
			return err;
	}
	/* one read of 16 bytes fetches both */
	if (cfg->g_status + 8 != cfg->g_goid)
		return error_set(e, EXIT_TARGET, -ENOTSUP,
				 "runtime.g.atomicstatus and .goid are not neighbours in this "
				 "program: it was built by a Go version gscope does not know");
	/* so here; without them g.waitreason says nearly as much */
	if (cfg->m_block_reason == NO_OFFSET || cfg->m_skip == NO_OFFSET)
		cfg->m_block_reason = cfg->m_skip = NO_OFFSET;
	else if (cfg->m_block_reason + 8 != cfg->m_skip && cfg->m_skip + 8 != cfg->m_block_reason)
		return error_set(
			e, EXIT_TARGET, -ENOTSUP,
			"runtime.m.waitTraceBlockReason and .waitTraceSkip are not neighbours "
			"in this program: it was built by a Go version gscope does not know");
	return 0;
}
