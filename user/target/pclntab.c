// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The table as a whole, and its functions. Ids of functions: src/internal/abi/symtab.go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/target/buildinfo.h"
#include "user/target/pclntab_internal.h"

/* internal/abi/symtab.go: corostart was put in before it in 1.22, runFinalizers in 1.25 */
static unsigned int wrapper_id(unsigned int go_minor)
{
	return go_minor <= 21 ? 21 : go_minor <= 24 ? 22 : 23;
}

/*
 * The number of abi.FuncIDWrapper in a release that is not known: that of the wrapper which lets
 * assembly call runtime.newproc, and which has the same name.
 */
static unsigned int guess_wrapper_id(const struct pclntab *t)
{
	for (size_t i = 0; i < t->nfunc; i++) {
		struct pcln_raw_func f;

		if (pcln_read_func(t, i, &f) && f.func_id &&
		    !strcmp(pcln_name(t, f.name_off), "runtime.newproc"))
			return f.func_id;
	}
	return wrapper_id(GO_MINOR_MAX);
}

int pclntab_open_live(struct pclntab **out, struct elf_file *f, const struct target_process *p,
		      unsigned int go_minor, uint64_t bias, struct error *e)
{
	struct pclntab *t = calloc(1, sizeof(*t));
	int err;

	*out = NULL;
	if (!t)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	t->elf = f;
	t->bias = bias;
	t->elide_types = go_minor >= 21; /* runtime.funcNameForPrint */
	err = pclntab_load(t, f, p, go_minor, e);
	if (err) {
		pclntab_close(t);
		return err;
	}
	t->wrapper_id = go_minor <= GO_MINOR_MAX ? wrapper_id(go_minor) : guess_wrapper_id(t);
	*out = t;
	return 0;
}

int pclntab_open(struct pclntab **out, struct elf_file *f, unsigned int go_minor, uint64_t bias,
		 struct error *e)
{
	return pclntab_open_live(out, f, NULL, go_minor, bias, e);
}

void pclntab_close(struct pclntab *t)
{
	if (!t)
		return;
	pcln_forget_names(t);
	free(t->funcdata);
	free(t->raw);
	free(t);
}

void pclntab_text(const struct pclntab *t, uint64_t *lo, uint64_t *hi)
{
	*lo = t->text;
	*hi = t->etext;
}

uint64_t pclntab_module(const struct pclntab *t, uint64_t *next)
{
	*next = t->next;
	return t->moduledata;
}

bool pclntab_at(const struct pclntab *t, size_t index, struct pcln_func *out)
{
	struct pcln_raw_func f;

	memset(out, 0, sizeof(*out));
	if (index >= t->nfunc)
		return false;
	out->entry = t->text + entry_off(t, index);
	out->end = t->text + entry_off(t, index + 1);
	out->name = "";
	if (pcln_read_func(t, index, &f)) {
		out->name = pcln_name(t, f.name_off);
		out->wrapper = f.func_id == t->wrapper_id;
	}
	return true;
}

bool pclntab_func(const struct pclntab *t, uint64_t pc, struct pcln_func *out)
{
	size_t index;

	return pcln_find_index(t, pc, &index) && pclntab_at(t, index, out);
}

bool pclntab_find(const struct pclntab *t, const char *name, struct pcln_func *out)
{
	for (size_t i = 0; i < t->nfunc; i++) {
		struct pcln_raw_func f;

		if (pcln_read_func(t, i, &f) && f.func_id != t->wrapper_id &&
		    f.name_off < t->names.n && !strcmp((const char *)t->names.p + f.name_off, name))
			return pclntab_at(t, i, out);
	}
	return false;
}
