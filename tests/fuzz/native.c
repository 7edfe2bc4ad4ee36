// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* libFuzzer target: the C functions of a damaged ELF file. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/damage.h"
#include "user/target/native_elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_file(void *ctx, uint64_t off, void *buf, size_t len)
{
	const int *fd = ctx;

	return pread(*fd, buf, len, (off_t)off) == (ssize_t)len ? 0 : -EIO;
}

static void ask(const struct native_object *o, uint64_t vaddr)
{
	const char *func = native_object_func(o, vaddr);

	if (func)
		damaged_use_string(func);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct native_object o;
	struct damaged d;
	struct stat st;
	uint64_t vaddr;

	damaged_open(&d, data, size, DAMAGED_FD);
	if (!fstat(d.fd, &st)) {
		struct native_image image = {read_file, &d.fd, (uint64_t)st.st_size};

		if (!native_object_read(&o, &image)) {
			for (uint64_t off = 0; off < image.size; off += image.size / 512 + 1)
				if (native_object_vaddr(&o, off, &vaddr))
					ask(&o, vaddr);
			for (size_t i = 0; i < o.n; i += o.n / 64 + 1)
				ask(&o, o.v[i].begin);
			for (size_t i = 1; i < o.n; i++)
				if (o.v[i].begin <= o.v[i - 1].begin)
					abort();
			native_object_free(&o);
		}
	}
	damaged_close(&d);
	return 0;
}
