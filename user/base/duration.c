// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/duration.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* A unit comes before the one that is its prefix: "ms" before "m". */
static const struct unit time_units[] = {
	{"us", 1000},
	{"ms", 1000000},
	{"s", 1000000000},
	{"m", 60 * 1000000000ULL},
	{"h", 3600 * 1000000000ULL},
	{NULL, 0},
};

static const struct unit size_units[] = {
	{"K", 1ULL << 10},
	{"M", 1ULL << 20},
	{"G", 1ULL << 30},
	{NULL, 0},
};

static const struct unit *take_unit(const char **p, const struct unit *units)
{
	for (const struct unit *u = units; u->name; u++) {
		size_t n = strlen(u->name);

		if (!strncmp(*p, u->name, n)) {
			*p += n;
			return u;
		}
	}
	return NULL;
}

/* One "12.5ms" at *p, added to *sum. Digits below one ns (or byte) are cut. */
static bool take_part(const char **p, const struct unit *units, uint64_t *sum)
{
	const char *fraction = NULL;
	const struct unit *u;
	uint64_t value = 0, scale;
	int digits = 0, fraction_digits = 0;

	for (; isdigit((unsigned char)**p); ++*p, digits++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(**p - '0'), &value))
			return false;
	}
	if (**p == '.') {
		fraction = ++*p;
		for (; isdigit((unsigned char)**p); ++*p)
			fraction_digits++;
	}
	if (!digits || (fraction && !fraction_digits))
		return false;
	u = take_unit(p, units);
	if (!u || __builtin_mul_overflow(value, u->factor, &value) ||
	    __builtin_add_overflow(*sum, value, sum))
		return false;
	/* 10^19 still fits; what is smaller cannot matter */
	if (fraction_digits > 18)
		fraction_digits = 18;
	scale = 1;
	value = 0;
	for (int i = 0; i < fraction_digits; i++) {
		value = value * 10 + (uint64_t)(fraction[i] - '0');
		scale *= 10;
	}
	value = (uint64_t)((unsigned __int128)value * u->factor / scale);
	return !__builtin_add_overflow(*sum, value, sum);
}

int duration_parse(const char *text, uint64_t *ns, struct error *e)
{
	const char *p = text;
	uint64_t sum = 0;

	do {
		if (!take_part(&p, time_units, &sum)) {
			sum = 0;
			break;
		}
	} while (*p);
	if (!sum)
		return error_set(e, EXIT_USAGE, -EINVAL,
				 "\"%s\" is not a duration: use a number above zero with a unit, "
				 "as in 500ms, 5s, 2m or 1h",
				 text);
	*ns = sum;
	return 0;
}

int size_parse(const char *text, uint64_t *bytes, struct error *e)
{
	const char *p = text;
	uint64_t sum = 0;

	if (!take_part(&p, size_units, &sum) || *p || !sum)
		return error_set(e, EXIT_USAGE, -EINVAL,
				 "\"%s\" is not a size: use a number above zero with a unit, as in "
				 "512K, 64M or 1G",
				 text);
	*bytes = sum;
	return 0;
}

/* "16m40s": whole `big` units and the rest in `small` ones, both given in seconds. */
static void format_pair(char *buf, uint64_t seconds, uint64_t big, char big_name, uint64_t small,
			char small_name)
{
	uint64_t n = (seconds + small / 2) / small;

	snprintf(buf, DURATION_SIZE, "%" PRIu64 "%c%02" PRIu64 "%c", n / (big / small), big_name,
		 n % (big / small), small_name);
}

char *duration_format(char buf[DURATION_SIZE], uint64_t ns)
{
	static const struct unit units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
	static const uint64_t minute = 60, hour = 3600, day = 86400;
	uint64_t s = ns / 1000000000 + (ns % 1000000000 >= 500000000);

	if (!ns) {
		strcpy(buf, "0");
		return buf;
	}
	if (ns < 1000) {
		snprintf(buf, DURATION_SIZE, "%" PRIu64 "ns", ns);
		return buf;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		uint64_t unit = units[i].factor, step = unit / 100;

		/* the first number of decimals whose rounded value has three digits */
		for (int decimals = 2; decimals >= 0; decimals--, step *= 10) {
			uint64_t n = ns / step + (ns % step >= step / 2);

			if (n >= 1000)
				continue;
			if (!decimals)
				snprintf(buf, DURATION_SIZE, "%" PRIu64 "%s", n, units[i].name);
			else
				snprintf(buf, DURATION_SIZE, "%" PRIu64 ".%0*" PRIu64 "%s",
					 n / (decimals == 2 ? 100 : 10), decimals,
					 n % (decimals == 2 ? 100 : 10), units[i].name);
			return buf;
		}
	}
	if (s < 100 * minute)
		format_pair(buf, s, minute, 'm', 1, 's');
	else if (s < 100 * hour - 30)
		format_pair(buf, s, hour, 'h', minute, 'm');
	else if (s < 100 * day - hour / 2)
		format_pair(buf, s, day, 'd', hour, 'h');
	else
		snprintf(buf, DURATION_SIZE, "%" PRIu64 "d", s / day);
	return buf;
}

char *size_format(char buf[DURATION_SIZE], uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	double n = (double)bytes / 1024;

	if (bytes < 1000) {
		snprintf(buf, DURATION_SIZE, "%" PRIu64 "B", bytes);
		return buf;
	}
	for (const char *unit = units;; unit++, n /= 1024) {
		/* the first unit of which there are at most three digits */
		if (n >= 999.5)
			continue;
		snprintf(buf, DURATION_SIZE, "%.*f%c", n < 9.995 ? 2 : n < 99.95 ? 1 : 0, n, *unit);
		return buf;
	}
}
