// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The ladder: DWARF, the table, the code, in this order. The code is asked in any case, because it
 * alone tells where g is in thread-local storage, and because it is the program itself: DWARF and
 * table may be those of another build.
 */
#include "user/target/layout.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "user/target/layout_rungs.h"

#define FIELD(member, needed)                                    \
	{                                                        \
#member, offsetof(struct layout, member), needed \
	}

const struct layout_field layout_fields[] = {
	FIELD(g.stack_lo, true),
	FIELD(g.stack_hi, true),
	FIELD(g.m, true),
	FIELD(g.sched_sp, true),
	FIELD(g.sched_pc, true),
	FIELD(g.sched_bp, true),
	FIELD(g.syscallsp, true),
	FIELD(g.syscallpc, true),
	FIELD(g.syscallbp, false),
	FIELD(g.atomicstatus, true),
	FIELD(g.goid, true),
	FIELD(g.waitsince, false),
	FIELD(g.waitreason, true),
	FIELD(g.parent_goid, false),
	FIELD(g.gopc, true),
	FIELD(g.startpc, true),
	FIELD(g.coroarg, false),
	FIELD(g.coroexit, false),
	FIELD(g.labels, false),
	FIELD(m.g0, true),
	FIELD(m.gsignal, false),
	FIELD(m.procid, true),
	FIELD(m.curg, true),
	FIELD(m.p, true),
	FIELD(m.oldp, true),
	FIELD(m.id, false),
	FIELD(m.alllink, true),
	FIELD(m.wait_block_reason, false),
	FIELD(m.wait_skip, false),
	FIELD(m.incgo, false),
	FIELD(p.id, true),
	FIELD(p.status, true),
	FIELD(p.m, true),
	FIELD(p.goidcache, false),
	FIELD(p.goidcacheend, false),
	FIELD(p.worker_mode, false),
	FIELD(coro.gp, false),
};

const size_t layout_nfields = sizeof(layout_fields) / sizeof(layout_fields[0]);

int32_t *layout_offset(struct layout *l, const struct layout_field *f)
{
	return (int32_t *)((char *)l + f->at);
}

static int32_t offset_in(const struct layout *l, const struct layout_field *f)
{
	return *(const int32_t *)((const char *)l + f->at);
}

void layout_clear(struct layout *l)
{
	memset(l, 0, sizeof(*l));
	for (size_t i = 0; i < layout_nfields; i++)
		*layout_offset(l, &layout_fields[i]) = -1;
}

const struct layout_field *layout_disagree(const struct layout *a, const struct layout *b)
{
	for (size_t i = 0; i < layout_nfields; i++) {
		const struct layout_field *f = &layout_fields[i];
		int32_t x = offset_in(a, f), y = offset_in(b, f);

		if (x >= 0 && y >= 0 && x != y)
			return f;
	}
	return NULL;
}

static unsigned int count_agreeing(const struct layout *a, const struct layout *b)
{
	unsigned int n = 0;

	for (size_t i = 0; i < layout_nfields; i++) {
		int32_t x = offset_in(a, &layout_fields[i]);

		n += x >= 0 && x == offset_in(b, &layout_fields[i]);
	}
	return n;
}

unsigned int layout_known(const struct layout *l)
{
	return count_agreeing(l, l);
}

static bool same_layout(const struct layout *a, const struct layout *b)
{
	return count_agreeing(a, b) == layout_known(a) && layout_known(a) == layout_known(b);
}

/*
 * The table's layout for this program: that of its very release, else one of the same minor version
 * that the code agrees with, if all of those are the same. NULL: there is none.
 */
static const struct layout *find_in_table(const struct buildinfo *b, const struct layout *code)
{
	const struct layout *found = NULL;
	bool several = false;

	for (size_t i = 0; b->known && i < layout_nreleases; i++) {
		const struct layout_release *r = &layout_releases[i];

		if (r->minor != b->go_minor)
			continue;
		if (r->patch == b->go_patch)
			return &r->l;
		if (layout_disagree(&r->l, code))
			continue;
		several |= found && !same_layout(found, &r->l);
		if (!found)
			found = &r->l;
	}
	return several ? NULL : found;
}

/* The first field without which nothing can be traced and that is not known. */
static const char *missing(const struct layout *l)
{
	for (size_t i = 0; i < layout_nfields; i++) {
		if (layout_fields[i].needed && offset_in(l, &layout_fields[i]) < 0)
			return layout_fields[i].name;
	}
	return NULL;
}

static int disagree(struct error *e, const char *file, const struct layout *l,
		    const struct layout *code, const struct layout_field *f)
{
	bool dwarf = !strcmp(l->rung, "dwarf");

	return error_set(e, EXIT_TARGET, -EPROTO,
			 "%s: its %s has runtime.%s at %d, its code at %d; %s, and gscope does not "
			 "guess: rebuild it",
			 file, dwarf ? "DWARF" : l->rung, f->name, offset_in(l, f),
			 offset_in(code, f),
			 dwarf ? "the DWARF is not that of this program" :
				 "its runtime is not that of the release it claims to be");
}

static int unknown(struct error *e, const char *file, const struct buildinfo *b, const char *field)
{
	return error_set(
		e, EXIT_TARGET, -ENODATA,
		"%s (%.60s) has no DWARF, gscope has no table for this release, and its "
		"code does not tell where runtime.%s is: rebuild it without -w and -s, and "
		"please report it with the output of `go version -m`",
		file, b->version, field);
}

/* g in thread-local storage: below the FS base, where executables have their variables. */
static bool plausible_tls(const struct layout *l)
{
	return l->tls_slot || (l->tls_g < 0 && l->tls_g >= -(1 << 20));
}

int layout_read(struct layout *l, struct elf_file *f, const struct buildinfo *b,
		const struct pclntab *pcln, uint64_t bias, struct error *e)
{
	const char *file = elf_file_name(f);
	const struct layout_field *field;
	const struct layout *table;
	struct layout code;
	int err;

	layout_clear(l);
	err = layout_code(&code, f, pcln, bias, e);
	if (err)
		return err;
	if (!plausible_tls(&code))
		return error_set(e, EXIT_TARGET, -EPROTO,
				 "%s: the code of runtime.mcall is not as in any Go release gscope "
				 "knows; please report it with the output of `go version -m`",
				 file);
	err = layout_dwarf(l, f, b, e);
	/* a release to come may call things by other names: its code does as it did */
	if (err == -ENOENT && !b->known)
		err = -ENODATA;
	if (err && err != -ENODATA)
		return err;
	if (err) {
		table = find_in_table(b, &code);
		*l = table ? *table : code;
		if (missing(l))
			return unknown(e, file, b, missing(l));
	}
	field = layout_disagree(l, &code);
	if (field)
		return disagree(e, file, l, &code, field);
	l->checked = count_agreeing(l, &code);
	l->tls_g = code.tls_g;
	l->tls_slot = code.tls_slot;
	return 0;
}
