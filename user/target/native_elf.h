/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The functions of one ELF object that C code lives in: a program, a library, the vdso. It is data
 * from outside: whatever it says is checked, and its tables are bounded by the size of the file.
 */
#ifndef GSCOPE_TARGET_NATIVE_ELF_H
#define GSCOPE_TARGET_NATIVE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the object is read from: `len` bytes at `off` or a negative errno. */
struct native_image {
	int (*read)(void *ctx, uint64_t off, void *buf, size_t len);
	void *ctx;
	uint64_t size;
};

struct native_symbol {
	uint64_t begin, end; /* vaddr: [begin, end) */
	uint32_t name; /* offset in `strings` */
	bool open; /* it has no size: it ends where the next one begins, at `end` at the latest */
};

/* A part of the file and where the linker put it. */
struct native_segment {
	uint64_t off, size, vaddr;
};

struct native_object {
	struct native_symbol *v; /* sorted by begin, one per begin */
	size_t n;
	char *strings; /* NUL-terminated whatever the file says */
	size_t strings_size;
	struct native_segment *segments; /* PT_LOAD */
	size_t nsegments;
};

/*
 * Read the symbol table of `image`: .symtab, else .dynsym, else none. Returns 0 even if it has
 * none, -EINVAL for what is no ELF file of 64 bits and little-endian, -ENOMEM, or what reading
 * returned; then *out is empty. Free with native_object_free().
 */
int native_object_read(struct native_object *out, const struct native_image *image);
void native_object_free(struct native_object *o);

/* Bytes of memory it takes. */
size_t native_object_memory(const struct native_object *o);

/* The address the linker gave to the byte at `off` of the file: false if it is not loaded. */
bool native_object_vaddr(const struct native_object *o, uint64_t off, uint64_t *vaddr);

/* The name of the function at `vaddr`: NULL if no symbol covers it. */
const char *native_object_func(const struct native_object *o, uint64_t vaddr);

#endif
