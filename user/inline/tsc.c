// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/tsc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#include "user/base/clock.h"

#define TRIES 7
#define FIRST_NS 2000000
#define BASE_NS 10000000 /* a shorter line would magnify the errors of its ends */

/* Whether the flags of the first processor have all these words. */
static bool has_flags(const char *const *flags, size_t n)
{
	char line[8192];
	size_t found = 0;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && fgets(line, sizeof(line), f)) {
		char *word, *rest = line;

		if (strncmp(line, "flags", 5) != 0)
			continue;
		while ((word = strsep(&rest, " \t\n")))
			for (size_t i = 0; i < n; i++)
				found += !strcmp(word, flags[i]);
		break;
	}
	if (f)
		fclose(f);
	return found == n;
}

static void clock_source(char *name, size_t size)
{
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");

	if (!f || !fgets(name, (int)size, f))
		snprintf(name, size, "unknown");
	name[strcspn(name, "\n")] = 0;
	if (f)
		fclose(f);
}

int tsc_usable(struct error *e)
{
	static const char *const flags[] = {"constant_tsc", "nonstop_tsc"};
	char name[64];

	if (!has_flags(flags, sizeof(flags) / sizeof(flags[0])))
		return error_set(e, EXIT_FAILED, -ENOTSUP,
				 "this processor has no time stamp counter of constant rate");
	clock_source(name, sizeof(name));
	if (strcmp(name, "tsc") != 0 && strcmp(name, "kvm-clock") != 0)
		return error_set(e, EXIT_FAILED, -ENOTSUP,
				 "the kernel keeps time by '%s' and not by the time stamp counter",
				 name);
	return 0;
}

/* The pair with the narrowest bracket of a few. */
static struct tsc_pair take(uint64_t *bracket)
{
	struct tsc_pair best = {0};

	*bracket = UINT64_MAX;
	for (int i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc(), ns = now_ns(), after = __rdtsc();

		if (after - before >= *bracket)
			continue;
		*bracket = after - before;
		best = (struct tsc_pair){.tsc = before + (after - before) / 2, .ns = ns};
	}
	return best;
}

static double rate(const struct tsc_pair *from, const struct tsc_pair *to)
{
	return (double)(to->ns - from->ns) / (double)(to->tsc - from->tsc);
}

static uint64_t ticks_ns(const struct tsc_clock *c, uint64_t ticks)
{
	return (uint64_t)((double)ticks * c->ns_per_tick);
}

static void note_bracket(struct tsc_clock *c, uint64_t bracket)
{
	uint64_t ns = ticks_ns(c, bracket);

	if (ns > c->bracket_ns)
		c->bracket_ns = ns;
}

void tsc_begin(struct tsc_clock *c)
{
	uint64_t bracket;

	*c = (struct tsc_clock){.pairs = 2};
	c->from = c->next = take(&bracket);
	do
		c->to = take(&bracket);
	while (c->to.ns - c->from.ns < FIRST_NS);
	c->ns_per_tick = rate(&c->from, &c->to);
	note_bracket(c, bracket);
}

void tsc_sample(struct tsc_clock *c)
{
	uint64_t bracket, told, off;
	struct tsc_pair now = take(&bracket);

	if (now.ns - c->to.ns < FIRST_NS)
		return;
	told = tsc_ns(c, now.tsc);
	off = told > now.ns ? told - now.ns : now.ns - told;
	/* the first line is too short to foretell anything */
	if (off > c->error_ns && c->to.ns - c->from.ns >= BASE_NS)
		c->error_ns = off;
	if (now.ns - c->next.ns >= BASE_NS) {
		c->from = c->next;
		c->next = now;
	}
	c->to = now;
	c->ns_per_tick = rate(&c->from, &c->to);
	c->pairs++;
	note_bracket(c, bracket);
}

uint64_t tsc_ns(const struct tsc_clock *c, uint64_t tsc)
{
	int64_t ticks = (int64_t)(tsc - c->to.tsc);

	return c->to.ns + (uint64_t)(int64_t)((double)ticks * c->ns_per_tick);
}

uint64_t tsc_bound_ns(const struct tsc_clock *c)
{
	return c->bracket_ns / 2 + c->error_ns;
}
