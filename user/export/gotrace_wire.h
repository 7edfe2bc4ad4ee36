/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Inside of the Go trace writer: bytes, batches, tables and the file. */
#ifndef GSCOPE_EXPORT_GOTRACE_WIRE_H
#define GSCOPE_EXPORT_GOTRACE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/base/error.h"
#include "user/base/hash.h"
#include "user/replay/symbols.h"

#define WIRE_BATCH_MAX 65536 /* internal/trace/tracev2: MaxBatchSize */
#define WIRE_STRING_MAX 1024 /* MaxEventTrailerDataSize */
#define WIRE_FRAMES_MAX 128 /* MaxFramesPerStack */
#define WIRE_ARGS_MAX 5
#define WIRE_NO_THREAD UINT64_MAX

/* internal/trace/tracev2/events.go; before Go 1.25 runtime/trace2event.go */
enum wire_type {
	WIRE_BATCH = 1,
	WIRE_STACKS = 2,
	WIRE_STACK = 3,
	WIRE_STRINGS = 4,
	WIRE_STRING = 5,
	WIRE_CPU_SAMPLES = 6,
	WIRE_CPU_SAMPLE = 7, /* time, m, p, g, stack */
	WIRE_FREQUENCY = 8,
	WIRE_PROCS_CHANGE = 9, /* number, stack */
	WIRE_PROC_START = 10, /* p, p seq */
	WIRE_PROC_STOP = 11,
	WIRE_PROC_STEAL = 12, /* p, p seq, victim's m */
	WIRE_PROC_STATUS = 13, /* p, enum wire_p_status */
	WIRE_GO_CREATE = 14, /* g, its stack, creator's stack */
	WIRE_GO_CREATE_SYSCALL = 15, /* g */
	WIRE_GO_START = 16, /* g, g seq */
	WIRE_GO_DESTROY = 17,
	WIRE_GO_DESTROY_SYSCALL = 18,
	WIRE_GO_STOP = 19, /* reason, stack */
	WIRE_GO_BLOCK = 20, /* reason, stack */
	WIRE_GO_UNBLOCK = 21, /* g, g seq, stack */
	WIRE_GO_SYSCALL_BEGIN = 22, /* p seq, stack */
	WIRE_GO_SYSCALL_END = 23,
	WIRE_GO_SYSCALL_END_BLOCKED = 24,
	WIRE_GO_STATUS = 25, /* g, m, enum wire_g_status */
	WIRE_STW_BEGIN = 26, /* kind, stack */
	WIRE_STW_END = 27,
	WIRE_GC_ACTIVE = 28, /* gc seq */
	WIRE_GC_BEGIN = 29, /* gc seq, stack */
	WIRE_GC_END = 30, /* gc seq */
	WIRE_SWEEP_ACTIVE = 31, /* p */
	WIRE_SWEEP_BEGIN = 32, /* stack */
	WIRE_SWEEP_END = 33, /* bytes swept, bytes reclaimed */
	WIRE_ASSIST_ACTIVE = 34, /* g */
	WIRE_ASSIST_BEGIN = 35, /* stack */
	WIRE_ASSIST_END = 36,
	WIRE_HEAP_ALLOC = 37, /* bytes */
	WIRE_HEAP_GOAL = 38, /* bytes */
	WIRE_GO_LABEL = 39, /* label */
	WIRE_TASK_BEGIN = 40, /* task, parent, type, stack */
	WIRE_TASK_END = 41, /* task, stack */
	WIRE_REGION_BEGIN = 42, /* task, type, stack */
	WIRE_REGION_END = 43, /* task, type, stack */
	WIRE_USER_LOG = 44, /* task, key, value, stack */
	WIRE_GO_SWITCH = 45, /* g, g seq; from here on Go 1.23 */
	WIRE_GO_SWITCH_DESTROY = 46, /* g, g seq */
	WIRE_GO_CREATE_BLOCKED = 47, /* g, its stack, creator's stack */
	WIRE_GO_STATUS_STACK = 48, /* g, m, enum wire_g_status, stack */
	WIRE_SYNC = 50, /* from here on Go 1.25 */
	WIRE_CLOCK_SNAPSHOT = 51, /* monotonic ns, wall s, ns */
	WIRE_END_OF_GENERATION = 52, /* Go 1.26 */
};

enum wire_g_status { WIRE_G_RUNNABLE = 1, WIRE_G_RUNNING, WIRE_G_SYSCALL, WIRE_G_WAITING };

enum wire_p_status {
	WIRE_P_RUNNING = 1,
	WIRE_P_IDLE,
	WIRE_P_SYSCALL,
	WIRE_P_ABANDONED, /* in a syscall whose thread left Go: order.go, ProcSyscallAbandoned */
};

/* --- bytes (gotrace_batch.c) --------------------------------------------------------------- */

/* Growing bytes. A failed allocation makes `failed` true for good and adds nothing more. */
struct bytes {
	uint8_t *data;
	size_t len, size;
	bool failed;
};

void bytes_add(struct bytes *b, const void *data, size_t n);
void bytes_byte(struct bytes *b, uint8_t byte);
void bytes_uvarint(struct bytes *b, uint64_t v);
void bytes_free(struct bytes *b);

/* Timed events of one thread, on their way into a batch. */
struct batch {
	struct bytes data;
	uint64_t base, last; /* ns */
};

/* Append one whole batch: header and data. */
void batch_write(struct bytes *out, uint64_t gen, uint64_t m, uint64_t base,
		 const struct bytes *data);

/* Add an event; a batch that is full goes to *out first. An earlier time counts as the last one. */
void batch_event(struct batch *b, struct bytes *out, uint64_t gen, uint64_t m, uint64_t time,
		 enum wire_type type, const uint64_t *args, unsigned int nargs);

/* Write what is pending to *out. */
void batch_flush(struct batch *b, struct bytes *out, uint64_t gen, uint64_t m);

/* The greatest time <= t that a float64 holds exactly. */
uint64_t batch_exact_time(uint64_t t);

/* --- tables of one generation (gotrace_tables.c) -------------------------------------------- */

#define STACK_REF_MAIN 1U /* of goroutine 1: its tracer hides runtime.main */
#define STACK_REF_START 2U /* only the start function */

/*
 * What is known of a stack when it is used. It is expanded when the generation ends, because
 * a capture may bring a stack after its first use.
 */
struct stack_ref {
	uint64_t stack; /* ids of the capture, 0: none */
	uint64_t start_pc;
	int32_t skip;
	uint32_t flags; /* STACK_REF_* */
};

struct table_string {
	uint64_t id;
	UT_hash_handle hh;
	size_t len;
	char text[];
};

struct table_stack {
	struct stack_ref ref;
	uint64_t id;
	UT_hash_handle hh;
};

struct table_pc {
	uint64_t pc;
	uint64_t func, file; /* string ids */
	uint32_t line;
	UT_hash_handle hh;
};

struct tables {
	struct table_string *strings;
	struct table_stack *stacks;
	struct table_pc *pcs;
	uint64_t nstrings, nstacks;
	size_t bytes; /* of memory, about: what stacks become is not known before they are written */
	bool failed; /* out of memory */
};

/* Id of a string (0 for ""); longer ones are cut to WIRE_STRING_MAX bytes as the runtime does. */
uint64_t tables_string(struct tables *t, const char *s);

/* Give a string the id it had in the generation before; first thing in a generation. */
void tables_keep_string(struct tables *t, const char *s, uint64_t id);

/* Id of a stack. Padding and unused members of *ref must be zero. */
uint64_t tables_stack(struct tables *t, const struct stack_ref *ref);

/* Expand all stacks and write the batches of stacks and strings. */
void tables_write(struct tables *t, const struct symbols *symbols, uint32_t tgid, uint64_t gen,
		  uint64_t base, struct bytes *out);

void tables_clear(struct tables *t);

/* --- file (gotrace_out.c) ------------------------------------------------------------------ */

struct trace_out {
	int fd; /* where the trace goes */
	off_t start; /* of the trace in it; -1: it cannot be cut back */
	uint64_t len; /* bytes of whole generations, header included */
};

void out_open(struct trace_out *o, int fd);

/* Append a generation, the first one behind the header of Go 1.minor. On error cut back to `len`. */
int out_write(struct trace_out *o, unsigned int minor, const struct bytes *b, struct error *e);

#endif
