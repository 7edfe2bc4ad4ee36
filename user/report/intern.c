// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/intern.h"

#include <stdlib.h>
#include <string.h>

#include "user/base/hash.h"

/* Threads can call themselves by any number of names; the others share one. */
#define MOST_NAMES (1U << 18)
#define OTHER_NAMES "(others)"

struct interned {
	UT_hash_handle hh;
	char text[];
};

const char *interned_find(const struct interned *set, const char *name)
{
	struct interned *e;

	HASH_FIND(hh, set, name, strlen(name), e);
	return e ? e->text : NULL;
}

const char *intern(struct interned **set, const char *name)
{
	const char *known = interned_find(*set, name);
	size_t n = strlen(name);
	struct interned *e;

	if (known)
		return known;
	if (HASH_COUNT(*set) >= MOST_NAMES && strcmp(name, OTHER_NAMES) != 0)
		return intern(set, OTHER_NAMES);
	e = malloc(sizeof(*e) + n + 1);
	if (!e)
		return NULL;
	memcpy(e->text, name, n + 1);
	HASH_ADD_KEYPTR(hh, *set, e->text, n, e);
	return e->text;
}

void interned_free(struct interned **set)
{
	struct interned *e, *tmp;

	HASH_ITER(hh, *set, e, tmp) {
		HASH_DELETE(hh, *set, e);
		free(e);
	}
}
