/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Internal to layout*.c: the rungs of the ladder, and the fields by name. */
#ifndef GSCOPE_TARGET_LAYOUT_RUNGS_H
#define GSCOPE_TARGET_LAYOUT_RUNGS_H

#include <stddef.h>

#include "user/target/layout.h"

struct layout_field {
	const char *name; /* "g.goid" */
	uint16_t at; /* in struct layout */
	bool needed; /* there is no tracing without it */
};

extern const struct layout_field layout_fields[];
extern const size_t layout_nfields;

int32_t *layout_offset(struct layout *l, const struct layout_field *f);

/* No field is known. */
void layout_clear(struct layout *l);

/* The first field that both know and that they have at different places: NULL if there is none. */
const struct layout_field *layout_disagree(const struct layout *a, const struct layout *b);

/*
 * From the DWARF: 0, -ENODATA without a message in *e if there is none, or -ENOENT and -EPROTO
 * with one that names a field that is not as gscope knows it.
 */
int layout_dwarf(struct layout *l, struct elf_file *f, const struct buildinfo *b, struct error *e);

/*
 * From the code, and from there alone: the offset of g in thread-local storage. Fields that the
 * code does not tell are -1. Errors are those of memory only.
 */
int layout_code(struct layout *l, struct elf_file *f, const struct pclntab *pcln, uint64_t bias,
		struct error *e);

/* The table, newest release first; a layout's tls_* are not in it. */
struct layout_release {
	unsigned int minor, patch; /* Go 1.minor.patch */
	struct layout l;
};

extern const struct layout_release layout_releases[];
extern const size_t layout_nreleases;

#endif
