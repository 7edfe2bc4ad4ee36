// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/reasons.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STRINGS 1024
#define MAX_STRING_LEN 256
/* More than any release has reasons: Go 1.27 has 47. */
#define NUMBERED 128

static int out_of_memory(struct error *e)
{
	return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
}

static int unreadable(const struct target *t, const char *name, int err, struct error *e)
{
	if (!target_process_alive(t->process))
		return error_set(e, EXIT_TARGET, -ESRCH, "pid %d has ended", (int)t->process->pid);
	return error_set(e, EXIT_TARGET, err, "pid %d: runtime.%s cannot be read: %s",
			 (int)t->process->pid, name, strerror(-err));
}

static int senseless(const struct target *t, const char *name, struct error *e)
{
	return error_set(e, EXIT_TARGET, -EPROTO,
			 "pid %d: runtime.%s makes no sense in the memory of the process; please "
			 "report it with the output of `go version -m %.200s`",
			 (int)t->process->pid, name, t->process->exe);
}

static int read_string(const struct target *t, const uint64_t raw[2], const char *name, char **out,
		       struct error *e)
{
	int err;

	if (raw[1] > MAX_STRING_LEN)
		return senseless(t, name, e);
	*out = calloc(raw[1] + 1, 1);
	if (!*out)
		return out_of_memory(e);
	err = raw[1] ? target_process_read(t->process, raw[0], *out, raw[1]) : 0;
	return err ? unreadable(t, name, err, e) : 0;
}

/* An array [n]string of the target. */
static int read_strings(const struct target *t, uint64_t addr, size_t n, const char *name,
			struct target_strings *out, struct error *e)
{
	uint64_t raw[MAX_STRINGS][2];
	int err;

	if (!n || n > MAX_STRINGS)
		return senseless(t, name, e);
	err = target_process_read(t->process, addr, raw, n * sizeof(*raw));
	if (err)
		return unreadable(t, name, err, e);
	out->v = calloc(n, sizeof(*out->v));
	if (!out->v)
		return out_of_memory(e);
	for (; out->n < n && !err; out->n++)
		err = read_string(t, raw[out->n], name, &out->v[out->n], e);
	if (err)
		target_strings_free(out);
	return err;
}

/* Names are not guessed: numbers, then. */
static int number_reasons(struct target_strings *out, struct error *e)
{
	char text[32];

	out->v = calloc(NUMBERED, sizeof(*out->v));
	if (!out->v)
		return out_of_memory(e);
	for (; out->n < NUMBERED; out->n++) {
		text[0] = 0; /* the reason that is none */
		if (out->n)
			snprintf(text, sizeof(text), "reason %zu", out->n);
		out->v[out->n] = strdup(text);
		if (!out->v[out->n]) {
			target_strings_free(out);
			return out_of_memory(e);
		}
	}
	return 0;
}

int target_wait_reasons(const struct target *t, struct target_strings *out, struct error *e)
{
	static const char name[] = "waitReasonStrings";
	int err;

	memset(out, 0, sizeof(*out));
	if (!t->globals.wait_reasons)
		return number_reasons(out, e);
	err = read_strings(t, t->globals.wait_reasons, t->globals.nwait_reasons, name, out, e);
	/* so in all of Go 1.19 to 1.27 */
	if (!err && (out->n < 3 || *out->v[0] || strcmp(out->v[2], "IO wait") != 0)) {
		target_strings_free(out);
		err = senseless(t, name, e);
	}
	return err;
}

/* runtime/traceruntime.go of Go 1.22 to 1.27: later releases append to the list */
static const char *const block_reasons[] = {
	"unspecified",
	"forever",
	"network",
	"select",
	"sync.(*Cond).Wait",
	"sync",
	"chan send",
	"chan receive",
	"GC mark assist wait for work",
	"GC background sweeper wait",
	"system goroutine wait",
	"preempted",
	"wait for debug call",
	"wait until GC ends",
	"sleep",
	"GC weak to strong wait", /* 1.23 */
	"synctest", /* 1.24 */
};

/* Go up to 1.21 numbers them like the events of its tracer: traceBlockReason in runtime/trace.go */
static const char *const block_reasons_121[] = {
	[16] = "forever",      [19] = "sleep",
	[20] = "unspecified",  [22] = "chan send",
	[23] = "chan receive", [24] = "select",
	[25] = "sync",         [26] = "sync.(*Cond).Wait",
	[27] = "network",      [42] = "GC mark assist wait for work",
};

static int copy_strings(const char *const *from, size_t n, struct target_strings *out,
			struct error *e)
{
	memset(out, 0, sizeof(*out));
	out->v = calloc(n, sizeof(*out->v));
	for (size_t i = 0; out->v && i < n; i++) {
		out->v[i] = strdup(from[i] ? from[i] : "");
		out->n = i + 1;
		if (!out->v[i])
			break;
	}
	if (out->n == n && out->v[n - 1])
		return 0;
	target_strings_free(out);
	return out_of_memory(e);
}

int target_block_reasons(const struct target *t, struct target_strings *out, struct error *e)
{
	memset(out, 0, sizeof(*out));
	if (t->build.go_minor <= 21)
		return copy_strings(block_reasons_121,
				    sizeof(block_reasons_121) / sizeof(block_reasons_121[0]), out,
				    e);
	if (t->globals.block_reasons)
		return read_strings(t, t->globals.block_reasons, t->globals.nblock_reasons,
				    "traceBlockReasonStrings", out, e);
	/* left out of programs that cannot be traced by runtime/trace, or stripped */
	if (t->build.go_minor <= GO_MINOR_MAX)
		return copy_strings(block_reasons, sizeof(block_reasons) / sizeof(block_reasons[0]),
				    out, e);
	return 0;
}

void target_strings_free(struct target_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	memset(s, 0, sizeof(*s));
}
