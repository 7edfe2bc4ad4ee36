// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The first rung: DWARF of the runtime's compilation unit says where fields are. Compressed
 * sections (.zdebug_*, SHF_COMPRESSED) and DWARF 5, which Go writes from 1.25 on, are libdw's work.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "user/target/layout_rungs.h"

enum root { ROOT_G, ROOT_M, ROOT_P, ROOTS };

#define PACKAGE_LEN 8 /* of "runtime." */

static const char *const root_names[ROOTS] = {"runtime.g", "runtime.m", "runtime.p"};

/* One offset to find: where it goes, the path of member names from its struct. */
struct field {
	enum root root;
	uint16_t at; /* in struct layout */
	const char *path[2];
	const char *was; /* what path[0] was called before; NULL: nothing else */
	uint8_t size; /* in bytes, what readers of it rely on */
	uint8_t since; /* first Go 1.x that has it */
};

#define FIELD(root_, member, size_, since_, ...)                                             \
	{                                                                                    \
		.root = root_, .at = offsetof(struct layout, member), .path = {__VA_ARGS__}, \
		.size = size_, .since = since_                                               \
	}
#define RENAMED(member, size_, name, old)                                                          \
	{                                                                                          \
		.root = ROOT_M, .at = offsetof(struct layout, member), .path = {name}, .was = old, \
		.size = size_, .since = 19                                                         \
	}

static const struct field fields[] = {
	FIELD(ROOT_G, g.stack_lo, 8, 19, "stack", "lo"),
	FIELD(ROOT_G, g.stack_hi, 8, 19, "stack", "hi"),
	FIELD(ROOT_G, g.m, 8, 19, "m"),
	FIELD(ROOT_G, g.sched_sp, 8, 19, "sched", "sp"),
	FIELD(ROOT_G, g.sched_pc, 8, 19, "sched", "pc"),
	FIELD(ROOT_G, g.sched_bp, 8, 19, "sched", "bp"),
	FIELD(ROOT_G, g.syscallsp, 8, 19, "syscallsp"),
	FIELD(ROOT_G, g.syscallpc, 8, 19, "syscallpc"),
	FIELD(ROOT_G, g.syscallbp, 8, 23, "syscallbp"),
	FIELD(ROOT_G, g.atomicstatus, 4, 19, "atomicstatus"),
	FIELD(ROOT_G, g.goid, 8, 19, "goid"),
	FIELD(ROOT_G, g.waitsince, 8, 19, "waitsince"),
	FIELD(ROOT_G, g.waitreason, 1, 19, "waitreason"),
	FIELD(ROOT_G, g.parent_goid, 8, 21, "parentGoid"),
	FIELD(ROOT_G, g.gopc, 8, 19, "gopc"),
	FIELD(ROOT_G, g.startpc, 8, 19, "startpc"),
	FIELD(ROOT_G, g.coroarg, 8, 22, "coroarg"),
	FIELD(ROOT_G, g.coroexit, 1, 22, "coroexit"),
	FIELD(ROOT_G, g.labels, 8, 19, "labels"),
	FIELD(ROOT_M, m.g0, 8, 19, "g0"),
	FIELD(ROOT_M, m.gsignal, 8, 19, "gsignal"),
	FIELD(ROOT_M, m.procid, 8, 19, "procid"),
	FIELD(ROOT_M, m.curg, 8, 19, "curg"),
	FIELD(ROOT_M, m.p, 8, 19, "p"),
	FIELD(ROOT_M, m.oldp, 8, 19, "oldp"),
	FIELD(ROOT_M, m.id, 8, 19, "id"),
	FIELD(ROOT_M, m.alllink, 8, 19, "alllink"),
	RENAMED(m.wait_block_reason, 1, "waitTraceBlockReason", "waittraceev"),
	RENAMED(m.wait_skip, 8, "waitTraceSkip", "waittraceskip"),
	FIELD(ROOT_M, m.incgo, 1, 19, "incgo"),
	FIELD(ROOT_P, p.id, 4, 19, "id"),
	FIELD(ROOT_P, p.status, 4, 19, "status"),
	FIELD(ROOT_P, p.m, 8, 19, "m"),
	FIELD(ROOT_P, p.goidcache, 8, 19, "goidcache"),
	FIELD(ROOT_P, p.goidcacheend, 8, 19, "goidcacheend"),
	FIELD(ROOT_P, p.worker_mode, 8, 19, "gcMarkWorkerMode"),
};

static int32_t *offset_of(struct layout *l, const struct field *f)
{
	return (int32_t *)((char *)l + f->at);
}

static bool unsigned_attr(Dwarf_Die *die, unsigned int name, Dwarf_Word *out)
{
	Dwarf_Attribute attr;

	return dwarf_attr(die, name, &attr) && dwarf_formudata(&attr, out) == 0;
}

/* The type of a DIE, typedefs looked through. */
static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attr;

	return dwarf_attr(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, type) &&
	       dwarf_peel_type(type, type) == 0;
}

static bool find_member(Dwarf_Die *of, const char *name, Dwarf_Die *out)
{
	if (dwarf_child(of, out))
		return false;
	do {
		const char *n = dwarf_diename(out);

		if (n && dwarf_tag(out) == DW_TAG_member && !strcmp(n, name))
			return true;
	} while (dwarf_siblingof(out, out) == 0);
	return false;
}

/* Follow `path` down from struct `root`: 0 and the field's offset, -ENOENT, -EPROTO (its size). */
static int find_offset(Dwarf_Die *root, const struct field *f, int32_t *out)
{
	Dwarf_Die type = *root, member;
	Dwarf_Word offset, sum = 0, size;

	for (size_t i = 0; i < 2 && f->path[i]; i++) {
		if (!find_member(&type, f->path[i], &member) &&
		    !(f->was && find_member(&type, f->was, &member)))
			return -ENOENT;
		if (!unsigned_attr(&member, DW_AT_data_member_location, &offset) ||
		    !type_of(&member, &type))
			return -EPROTO;
		sum += offset;
	}
	if (sum > INT16_MAX || dwarf_aggregate_size(&type, &size) || size != f->size)
		return -EPROTO;
	*out = sum;
	return 0;
}

/* Look for the structs in `root_names` among the top-level DIEs of a unit. */
static void find_in_unit(Dwarf_Die *cu, Dwarf_Die roots[ROOTS], unsigned int *found)
{
	Dwarf_Die die;

	if (dwarf_child(cu, &die))
		return;
	do {
		const char *name;

		if (dwarf_tag(&die) != DW_TAG_structure_type)
			continue;
		name = dwarf_diename(&die);
		for (int i = 0; name && i < ROOTS; i++) {
			if (!strcmp(name, root_names[i])) {
				roots[i] = die;
				*found |= 1U << i;
			}
		}
	} while (*found != (1U << ROOTS) - 1 && dwarf_siblingof(&die, &die) == 0);
}

/*
 * The runtime has a unit for its Go files and one for each assembly file, all of one name; types,
 * those of the whole program, are in one of them. Returns whether there is any such unit.
 */
static bool find_roots(Dwarf *dw, Dwarf_Die roots[ROOTS], unsigned int *found)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Half version;
	bool any = false;
	Dwarf_Die cu;
	uint8_t type;

	*found = 0;
	while (*found != (1U << ROOTS) - 1 &&
	       dwarf_get_units(dw, unit, &unit, &version, &type, &cu, NULL) == 0) {
		const char *name = dwarf_diename(&cu);

		if (name && !strcmp(name, "runtime") && dwarf_srclang(&cu) == DW_LANG_Go) {
			any = true;
			find_in_unit(&cu, roots, found);
		}
	}
	return any;
}

/* coro.gp, through the type of g.coroarg: *coro */
static int find_coro(Dwarf_Die *g, struct layout *l)
{
	static const struct field gp = {.path = {"gp"}, .size = 8};
	Dwarf_Die member, type;

	if (!find_member(g, "coroarg", &member) || !type_of(&member, &type) ||
	    dwarf_tag(&type) != DW_TAG_pointer_type || !type_of(&type, &type))
		return -ENOENT;
	return find_offset(&type, &gp, &l->coro.gp);
}

static int missing(struct error *e, const char *file, const struct buildinfo *b, int err,
		   const char *root, const char *field)
{
	return error_set(e, EXIT_TARGET, err,
			 "%s: the DWARF of its runtime (%.60s) %s %s.%s; gscope does not know this "
			 "layout: please report it with the output of `go version -m`",
			 file, b->version, err == -EPROTO ? "describes unexpectedly" : "lacks",
			 root, field);
}

static int read_dwarf(struct layout *l, Dwarf *dw, const char *file, const struct buildinfo *b,
		      struct error *e)
{
	int32_t sizes[ROOTS];
	Dwarf_Die roots[ROOTS];
	unsigned int found;

	if (!find_roots(dw, roots, &found))
		return -ENODATA;
	for (int i = 0; i < ROOTS; i++) {
		Dwarf_Word size;

		if (!(found & 1U << i))
			return missing(e, file, b, -ENOENT, "runtime", root_names[i] + PACKAGE_LEN);
		if (!unsigned_attr(&roots[i], DW_AT_byte_size, &size) || size > INT32_MAX)
			return missing(e, file, b, -EPROTO, root_names[i], "size");
		sizes[i] = (int32_t)size;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *f = &fields[i];
		int err;

		if (b->go_minor < f->since)
			continue;
		err = find_offset(&roots[f->root], f, offset_of(l, f));
		if (!err && *offset_of(l, f) + f->size > sizes[f->root])
			err = -EPROTO;
		if (err)
			return missing(e, file, b, err, root_names[f->root],
				       f->path[f->path[1] ? 1 : 0]);
	}
	if (b->go_minor >= 22 && find_coro(&roots[ROOT_G], l))
		return missing(e, file, b, -ENOENT, "runtime.coro", "gp");
	return 0;
}

int layout_dwarf(struct layout *l, struct elf_file *f, const struct buildinfo *b, struct error *e)
{
	Dwarf *dw = dwarf_begin_elf(elf_file_handle(f), DWARF_C_READ, NULL);
	int err;

	layout_clear(l);
	if (!dw)
		return -ENODATA;
	snprintf(l->rung, sizeof(l->rung), "dwarf");
	err = read_dwarf(l, dw, elf_file_name(f), b, e);
	dwarf_end(dw);
	return err;
}
