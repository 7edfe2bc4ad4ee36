/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the collector tells the BPF programs, and the arithmetic both sides must agree on. */
#ifndef GSCOPE_CONTROL_H
#define GSCOPE_CONTROL_H

#include "bpf/event.h"

#define TARGET_GO 1U /* a Go process whose layout is known: read its goroutine context */
#define TARGET_BARE 2U /* nothing is planted in it: tracepoints tell of goroutines, too */
/*
 * Set by the programs once they have seen it: its threads keep g in m.tls, as they do where there
 * is no C. Then one read fetches g and what is wanted of the m.
 */
#define TARGET_TLS_IN_M 4U

#define NO_OFFSET 0xffffU /* this Go version has no such field */

/*
 * One read fetches all that is wanted from the beginning of a g, and one what is wanted from the
 * middle of an m. The collector refuses a layout where that does not suffice: the fields have not
 * moved further from Go 1.19 to 1.27.
 */
#define G_HEAD 192 /* bytes: up to g.waitreason */
#define M_WORDS 48 /* bytes from m.curg on: up to m.oldp */
#define M_TLS 56 /* bytes from m.tls to m.curg: m.tls has 6 words, then comes m.mstartfn */

#define MAX_TARGETS 64

/*
 * Whether a task is of interest is asked for every task there is, several times per switch: an index
 * computed from its tgid leads to the only target it can be, which takes a fraction of what a hash map does.
 * The collector chooses the factor so that no two targets meet.
 */
#define TARGET_SLOTS (1U << 12)

static inline __u32 target_slot(__u32 tgid, __u32 factor)
{
	return tgid * factor >> 20;
}

/* One traced process, a value of map `targets`. Offsets in bytes. */
struct target_cfg {
	__u32 tgid;
	__u32 flags; /* TARGET_* */
	__s32 tls_g; /* g is at FS base + tls_g */
	__u32 index; /* from 0 on, below MAX_TARGETS */
	__u64 goidgen; /* address of runtime.sched.goidgen; Go 1.23 only */
	__u64 callback_lo, callback_hi, callback_up; /* struct callback: user/target/callback.h */
	__u64 cgocall_frame; /* of it, too */
	__u64 systemstack_lo, systemstack_hi; /* code of runtime.systemstack, */
	__u64 morestack_lo, morestack_hi; /* and of runtime.morestack */
	__u64 text_lo, text_hi; /* [text_lo, text_hi) is Go's code, the runtime's at least */
	__u16 g_stack_lo, g_stack_hi; /* in the first G_HEAD bytes, as those that follow */
	__u16 g_m;
	__u16 g_sched_sp, g_sched_pc, g_sched_bp;
	__u16 g_syscallsp, g_syscallpc;
	__u16 g_syscallbp; /* or NO_OFFSET */
	__u16 g_status;
	__u16 g_goid;
	__u16 g_waitreason;
	__u16 g_gopc, g_startpc; /* anywhere, as those that follow */
	__u16 g_coroarg, g_coroexit; /* or NO_OFFSET */
	__u16 m_curg;
	__u16 m_p, m_oldp; /* relative to m_curg */
	__u16 m_block_reason, m_skip; /* both or none: NO_OFFSET */
	__u16 p_status;
	__u16 p_goidcache, p_goidcacheend;
	__u16 coro_gp; /* or NO_OFFSET */
	__u16 p_worker_mode; /* p.gcMarkWorkerMode, or NO_OFFSET */
	__u16 g_labels; /* or NO_OFFSET */
	__u16 go_minor;
};

/*
 * RBX of a thread while it makes a system call for gscope: such a call is not one of its program, and left
 * out. It has its own value back before it runs on. A program that sets it hides calls of its own.
 */
#define CALL_FOR_GSCOPE 0x9d3f7b1c65e8a427ULL

/*
 * A system call that has begun on a CPU and not ended there: at most one, that of the thread which
 * is on the CPU. Whatever switches that one out sends what is here.
 */
struct pending_call {
	/*
	 * When it began; 0: there is none. While the rest is being filled in it is CALL_BEGINS, which
	 * is set before the clock is looked at: call_promise() in user/capture/call.c relies on it.
	 */
	__u64 since;
	__u64 id; /* pid_tgid */
	__u32 nr;
	__u32 gstatus;
	struct ev_gctx ctx;
	__u64 stack;
	__u64 words; /* where m.curg is, 0: not known or not wanted */
	__u16 p_off, oldp_off; /* of m.p and m.oldp, from there; oldp_off may be NO_OFFSET */
	__u16 status_off; /* of p.status */
	__u16 pad;
};
#define CALL_BEGINS 1

/*
 * A CPU's ring of records. Positions in it only grow. It lies in chunks, in which records begin; the
 * last one of a chunk may end behind the others' end, and the next one begins in the next chunk, so
 * all are in one piece.
 *
 * In front of each is a header. A record is complete when that has its position and its length: a
 * writer takes its place, marks it with the position, and sets the length when it has written all.
 * So nothing has to be cleared. All sizes are multiples of 8.
 */
#define RING_CHUNK 65536U
#define RING_RECORD_MAX \
	8184U /* more than any has: the verifier counts offset and length of a text apart */

struct ring_header {
	__u32 len;
	__u32 position; /* divided by 8 */
};

struct ring_chunk {
	char bytes[RING_CHUNK + sizeof(struct ring_header) + RING_RECORD_MAX];
};

/* Up to where the collector has read; a cache line for each CPU. */
struct ring_taken {
	__u64 at;
	__u64 pad[7];
};

/* The position behind a record of `len` bytes at `at`. */
static inline __u64 ring_next(__u64 at, __u32 len)
{
	__u64 end = at + sizeof(struct ring_header) + len;

	return at / RING_CHUNK == end / RING_CHUNK ? end : end & ~(__u64)(RING_CHUNK - 1);
}

/* The header, as one word, of a record at `at` that is not complete. Little-endian machines only. */
static inline __u64 ring_mark(__u64 at)
{
	return at >> 3 << 32;
}

/* Of every CPU, the value of map `cpu_state`, which is read in this order. */
struct cpu_state {
	struct pending_call call;
	__u64 begun; /* position behind the last record that has its place in the ring */
	__u64 taken; /* up to there, at least, the collector has read it */
	__u64 unannounced; /* bytes since the last wake-up of the collector */
	__u64 lost[LOSS_CLASSES]; /* records that found no room */
};

/* How a probe's program reads a hit; what is in which register: user/target/sites.h. */
enum probe_reading {
	READ_PLAIN = 1, /* old and new status say all */
	READ_PARK,
	READ_READY,
	READ_YIELD,
	READ_PREEMPT_PARK,
	READ_SYSBLOCK,
	READ_SYSEXIT_NEWP,
	READ_CREATE_CAS,
	READ_CREATE_CORO,
	READ_CREATE_RUNQPUT,
	READ_SWITCH,
	READ_WORKER, /* READ_READY, of a GC worker: p.gcMarkWorkerMode says what for */
	READ_CGO_ENTER, /* `call entersyscall`: R14 = gp, on its own stack */
	READ_CGO_EXIT, /* `call exitsyscall`: the same */
	READ_RUNTIME, /* kind: enum runtime_kind; its argument, if it has one, as PLACE_* says */
	READ_USER, /* kind: enum user_kind; arguments in their registers, R14 = gp */
	READ_CGO_REENTER, /* READ_CGO_ENTER at `call reentersyscall`: AX, BX, CX = pc, sp, bp */
	READ_PROC, /* READ_RUNTIME of a kind that is hit so often that nothing else is looked at */
	READ_SWEEP_BEGIN, /* spans may be swept from here on, */
	READ_SWEEP_SPAN, /* one is about to be, a register has *mspan, */
	READ_SWEEP_END, /* and here it ends */
};

/* What is where when a probe is hit; user/target/sites.h, enum site_place, has the details. */
enum probe_place {
	PLACE_CALL, /* AX, BX, CX are arguments */
	PLACE_SWAP_BRANCH, /* a register has gp; counts only if ZF is clear */
	PLACE_SWAP_RESULT, /* a register has gp; counts only if ZF is set */
	PLACE_REGISTER, /* a register has what is otherwise in the one of an argument */
};

/*
 * The attach cookie of a probe: its site (16 bits), enum go_kind (8), how to read it (8) and where
 * `skip` is (16); then, all 0 for PLACE_CALL: the place (2), the register as a word of struct
 * pt_regs (5), old and new status (4 each). The last bit: the function has no frame yet, its return
 * address is at SP and its caller's frame pointer in BP.
 */
#define COOKIE_FRAMELESS (1ULL << 63)
#define COOKIE_NO_SLOT 0xffffU
#define COOKIE_NO_STATUS 0xfU

static inline __u64 cookie_make(__u32 site, __u32 kind, enum probe_reading reading, int skip_slot)
{
	__u64 slot = skip_slot >= 0 && skip_slot < (int)COOKIE_NO_SLOT ? (__u64)skip_slot :
									 COOKIE_NO_SLOT;

	return (site & 0xffffU) | (kind & 0xffU) << 16 | (__u64)reading << 24 | slot << 32;
}

/* To be or-ed to what cookie_make() gives. */
static inline __u64 cookie_make_place(enum probe_place place, __u32 word, __u32 old_status,
				      __u32 new_status)
{
	return (__u64)place << 48 | (__u64)(word & 0x1fU) << 50 | (__u64)(old_status & 0xfU) << 55 |
	       (__u64)(new_status & 0xfU) << 59;
}

static inline __u32 cookie_site(__u64 cookie)
{
	return cookie & 0xffffU;
}

static inline __u32 cookie_kind(__u64 cookie)
{
	return cookie >> 16 & 0xffU;
}

static inline __u32 cookie_reading(__u64 cookie)
{
	return cookie >> 24 & 0xffU;
}

static inline __u32 cookie_slot(__u64 cookie)
{
	return cookie >> 32 & 0xffffU;
}

static inline __u32 cookie_place(__u64 cookie)
{
	return cookie >> 48 & 3;
}

static inline __u32 cookie_word(__u64 cookie)
{
	return cookie >> 50 & 0x1fU;
}

static inline __u32 cookie_old(__u64 cookie)
{
	return cookie >> 55 & 0xfU;
}

static inline __u32 cookie_new(__u64 cookie)
{
	return cookie >> 59 & 0xfU;
}

static inline int cookie_is_frameless(__u64 cookie)
{
	return (cookie & COOKIE_FRAMELESS) != 0;
}

/*
 * What follows an ev_user in the rings, len[0] times, instead of its text: a string, as the target
 * has it. The collector makes what the capture file has of it (user/capture/annotation.h).
 */
struct user_piece {
	__u16 len; /* bytes that follow, and then as many as it takes to a multiple of 8 */
	__u16 elsewhere; /* 1: those are an user_string, of which the program could read nothing */
	__u32 pad;
};

/* A Go string: address and length. */
struct user_string {
	__u64 addr;
	__u64 len;
};

#define USER_MAX_LABELS 8 /* as many as one bucket of a map had; the others are left out */

/*
 * Stacks are walked of goroutines for which stack_choice() is below the limit in force: the same ones
 * as long as they live, and so are those created meanwhile. Ids follow each other, and what this
 * makes of them is spread evenly.
 */
#define STACKS_OF_ALL (1ULL << 32)

#define STACK_CHOICE 0x9e3779b97f4a7c15ULL

static inline __u64 stack_choice(__u64 goid)
{
	return goid * STACK_CHOICE >> 32;
}

/* For one goroutine in `n`; 0: none. */
static inline __u64 stack_limit_of(__u32 n)
{
	return n ? (STACKS_OF_ALL + n - 1) / n : 0;
}

/* A stack's id: begin with the tgid, add every pc, finish; never 0. */
static inline __u64 stack_id_begin(__u32 tgid)
{
	return 0x9e3779b97f4a7c15ULL ^ tgid;
}

static inline __u64 stack_id_add(__u64 id, __u64 pc)
{
	id = (id ^ pc) * 0xff51afd7ed558ccdULL;
	return id ^ id >> 32;
}

static inline __u64 stack_id_end(__u64 id)
{
	id *= 0xc4ceb9fe1a85ec53ULL;
	id ^= id >> 29;
	return id ? id : 1;
}

#endif
