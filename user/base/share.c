// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/share.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Digits at *p, up to `max`; false: there are none, or it is more. */
static bool take_number(const char **p, uint32_t max, uint32_t *out)
{
	uint32_t n = 0;

	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); ++*p) {
		n = n * 10 + (uint32_t)(**p - '0');
		if (n > max)
			return false;
	}
	*out = n;
	return true;
}

/* ".5" in units of a ten-thousandth; nothing is none. */
static bool take_decimals(const char **p, uint32_t *out)
{
	uint32_t unit = 1000;

	*out = 0;
	if (**p != '.')
		return true;
	++*p;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); ++*p, unit /= 10) {
		if (!unit)
			return false;
		*out += (uint32_t)(**p - '0') * unit;
	}
	return true;
}

int percent_parse(const char *text, uint32_t *millionths, struct error *e)
{
	const char *p = text;
	uint32_t whole, decimals;

	if (!take_number(&p, 99999, &whole) || !take_decimals(&p, &decimals) || strcmp(p, "%") ||
	    !(whole | decimals))
		return error_set(
			e, EXIT_USAGE, -EINVAL,
			"\"%s\" is not a percentage: use a number above zero with a percent "
			"sign, as in 3%% or 2.5%%",
			text);
	*millionths = whole * 10000 + decimals;
	return 0;
}

int one_in_parse(const char *text, uint32_t *n, struct error *e)
{
	uint32_t one, many;
	const char *p = text;

	if (!take_number(&p, 1, &one) || one != 1 || *p++ != '/' ||
	    !take_number(&p, 1000000, &many) || *p || !many)
		return error_set(e, EXIT_USAGE, -EINVAL,
				 "\"%s\" is not one in so many: use 1/10, 1/100 and the like",
				 text);
	*n = many;
	return 0;
}
