// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <inttypes.h>

#include "user/report/print.h"

static void print_time(uint64_t time, uint64_t begin, FILE *out)
{
	uint64_t ms = time > begin ? (time - begin) / 1000000 : 0;

	fprintf(out, "%" PRIu64 ".%03" PRIu64 "s", ms / 1000, ms % 1000);
}

static void print_module(const struct noticed *n, uint64_t begin, FILE *out)
{
	static const char *const what[] = {
		[NOTICE_MODULE] = "a plugin",
		[NOTICE_PLUGIN] = "a plugin",
		[NOTICE_RUNTIME] = "a library with a Go runtime of its own",
	};
	static const char *const seen[] = {
		[NOTICE_MODULE] = "what goroutines do in its copy of the runtime is not seen",
		[NOTICE_PLUGIN] = "what goroutines did in its copy of the runtime before that is "
				  "not seen",
		[NOTICE_RUNTIME] = "its goroutines are not seen",
	};

	if (n->what != NOTICE_PLUGIN)
		fputs("WARNING: ", out);
	fprintf(out, "%srocess %" PRIu32 " loaded %s at ", n->what == NOTICE_PLUGIN ? "P" : "p",
		n->tgid, what[n->what]);
	print_time(n->first_ns, begin, out);
	if (n->text[0]) {
		fputs(" (", out);
		print_text(n->text, out);
		fputc(')', out);
	}
	fprintf(out, ": %s.\n", seen[n->what]);
}

static void print_held(const struct noticed *n, const struct replay_totals *t, FILE *out)
{
	static const char *const how[] = {
		[NOTICE_STOPPED] = "was stopped",
		[NOTICE_TRACED] = "was stopped by a debugger",
		[NOTICE_FROZEN] = "was frozen by its cgroup",
	};
	uint64_t held = n->held_ns;

	if (n->since_ns && t->end_ns > n->since_ns)
		held += t->end_ns - n->since_ns;
	fprintf(out, "Process %" PRIu32 " %s for %s", n->tgid, how[n->what], time_text(held));
	fprintf(out, " of %s, from ", time_text(t->end_ns - t->begin_ns));
	print_time(n->first_ns, t->begin_ns, out);
	if (n->times > 1)
		fprintf(out, " on, %" PRIu64 " times", n->times);
	else if (n->since_ns)
		fputs(" to the end", out);
	fputs(".\n", out);
}

void print_notices(const struct report *r, FILE *out)
{
	for (size_t i = 0; i < r->notices.n; i++) {
		const struct noticed *n = &r->notices.v[i];

		if (n->what >= NOTICE_MODULE)
			print_module(n, r->totals.begin_ns, out);
		else
			print_held(n, &r->totals, out);
	}
}
