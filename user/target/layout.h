/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where the fields of the Go runtime's structs are in this binary. */
#ifndef GSCOPE_TARGET_LAYOUT_H
#define GSCOPE_TARGET_LAYOUT_H

#include <stdint.h>

#include "user/base/error.h"
#include "user/target/buildinfo.h"
#include "user/target/elf.h"
#include "user/target/pclntab.h"

/* Offsets in bytes; -1: this Go version has no such field, or where it is is not known. */
struct layout {
	char rung[16]; /* of the ladder: "dwarf", "table 1.24.4", "code" */
	unsigned int checked; /* fields that the code was found to have at the same place */
	int32_t tls_g; /* g is at FS base + tls_g */
	uint64_t tls_slot; /* not 0: the runtime address of an i64 that tls_g has to be read from */

	struct {
		int32_t stack_lo, stack_hi;
		int32_t m;
		int32_t sched_sp, sched_pc, sched_bp;
		int32_t syscallsp, syscallpc;
		int32_t syscallbp; /* >= 1.23 */
		int32_t atomicstatus; /* u32 */
		int32_t goid;
		int32_t waitsince; /* i64 ns, CLOCK_MONOTONIC */
		int32_t waitreason; /* u8 */
		int32_t parent_goid; /* >= 1.21 */
		int32_t gopc, startpc;
		int32_t coroarg, coroexit; /* *coro, bool; >= 1.22 */
		int32_t labels; /* of pprof: runtime/pprof/label.go */
	} g;
	struct {
		int32_t g0, gsignal;
		int32_t procid; /* u64: the Linux tid */
		int32_t curg;
		int32_t p, oldp;
		int32_t id; /* i64 */
		int32_t alllink;
		int32_t wait_block_reason; /* u8: waitTraceBlockReason; < 1.21: waittraceev */
		int32_t wait_skip; /* i64: waitTraceSkip; < 1.21: waittraceskip */
		int32_t incgo; /* bool */
	} m;
	struct {
		int32_t id; /* i32 */
		int32_t status; /* u32 */
		int32_t m;
		int32_t goidcache, goidcacheend;
		int32_t worker_mode; /* i64: gcMarkWorkerMode */
	} p;
	struct {
		int32_t gp; /* >= 1.22 */
	} coro;
};

/*
 * Fill *l by the first of these rungs that knows the layout: the binary's DWARF, the table of
 * releases, the runtime's own code. What the code tells must agree with the other two.
 * -ENODATA: no rung knows it; -ENOENT, -EPROTO: the DWARF is not as gscope knows it, or code and
 * DWARF disagree; the message names the field.
 */
int layout_read(struct layout *l, struct elf_file *f, const struct buildinfo *b,
		const struct pclntab *pcln, uint64_t bias, struct error *e);

/* How many fields are known. */
unsigned int layout_known(const struct layout *l);

#endif
