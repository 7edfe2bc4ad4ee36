// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* libFuzzer target: the plan of the probes in a damaged binary. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/damage.h"
#include "user/target/sites.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing may be planned where the file has no byte, nor twice, nor without a name. */
static void check(const struct damaged *d, const struct sites *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct site *v = &s->v[i];
		uint64_t off;

		if (!v->kind || v->kind >= SITE_KINDS || !*site_kind_name(v->kind) ||
		    v->pc != v->vaddr || !elf_file_offset(d->elf, v->vaddr, &off) ||
		    off != v->file_off)
			abort();
		damaged_use_string(v->func);
		for (size_t k = 0; k < i; k++) {
			if (s->v[k].vaddr == v->vaddr && s->v[k].kind == v->kind)
				abort();
		}
	}
	for (size_t i = 0; i < s->nwarnings; i++) {
		if (!*s->warnings[i].text || strchr(s->warnings[i].text, '\n'))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = {0};
	struct damaged d;
	struct sites s;
	int err;

	damaged_open(&d, data, size, DAMAGED_PCLN);
	if (d.pcln) {
		err = sites_plan(&s, d.elf, &d.build, d.pcln, 0, &e);
		damaged_check(err, &e);
		if (!err) {
			check(&d, &s);
			sites_free(&s);
		}
	}
	damaged_close(&d);
	return 0;
}
