// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/mapped.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MASK 4095ULL

int mapped_files_read(struct mapped_files *out, const struct target_process *p, struct error *e)
{
	size_t n, kept = 0;
	int err = target_process_maps(p, &out->v, &n, e);

	out->n = 0;
	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		if (out->v[i].inode && out->v[i].prot[2] == 'x')
			out->v[kept++] = out->v[i];
	}
	out->n = kept;
	return 0;
}

void mapped_files_free(struct mapped_files *m)
{
	free(m->v);
	memset(m, 0, sizeof(*m));
}

int mapped_bias(const struct elf_file *f, const struct target_map *map, uint64_t *bias)
{
	struct elf_load part;

	for (size_t i = 0; elf_load_at(f, i, &part); i++) {
		uint64_t first = part.offset & ~PAGE_MASK;

		if (!part.exec || map->offset < first || map->offset >= part.offset + part.filesz)
			continue;
		*bias = map->start - (part.vaddr + (map->offset - part.offset));
		if (!(*bias & PAGE_MASK) && (elf_is_pie(f) || !*bias))
			return 0;
	}
	return -EPROTO;
}
