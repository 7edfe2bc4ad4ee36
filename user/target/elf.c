// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Headers and loaded parts of a file. */
#include "user/target/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/target/elf_internal.h"

#define PAGE_SIZE 4096ULL

int elf_pread(const struct elf_file *f, uint64_t off, void *buf, size_t len)
{
	size_t done = 0;

	if (off > f->size || len > f->size - off)
		return -EFAULT;
	while (done < len) {
		/* not mapped: a file that shrinks under us must not kill us */
		ssize_t n = pread(f->fd, (char *)buf + done, len - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EFAULT;
		done += n;
	}
	return 0;
}

static const char *machine_name(unsigned int machine)
{
	switch (machine) {
	case EM_386:
		return "32-bit x86";
	case EM_AARCH64:
		return "arm64";
	case EM_ARM:
		return "32-bit arm";
	case EM_PPC64:
		return "ppc64";
	case EM_S390:
		return "s390x";
	case EM_RISCV:
		return "riscv64";
	default:
		return "another processor";
	}
}

static int read_header(struct elf_file *f, struct error *e)
{
	struct stat st;

	if (fstat(f->fd, &st))
		return error_set(e, EXIT_TARGET, -ENOEXEC, "%s cannot be read: %s", f->name,
				 strerror(errno));
	f->size = st.st_size;
	if (elf_pread(f, 0, &f->ehdr, sizeof(f->ehdr)) ||
	    memcmp(f->ehdr.e_ident, ELFMAG, SELFMAG) != 0)
		return error_set(e, EXIT_TARGET, -ENOEXEC, "%s is not an ELF file", f->name);
	if (f->ehdr.e_machine != EM_X86_64)
		return error_set(e, EXIT_TARGET, -ENOEXEC,
				 "%s is built for %s; gscope traces linux/amd64 programs", f->name,
				 machine_name(f->ehdr.e_machine));
	if (f->ehdr.e_ident[EI_CLASS] != ELFCLASS64 || f->ehdr.e_ident[EI_DATA] != ELFDATA2LSB)
		return error_set(e, EXIT_TARGET, -ENOEXEC,
				 "%s is a 32-bit program; gscope traces 64-bit ones", f->name);
	if (f->ehdr.e_type != ET_EXEC && f->ehdr.e_type != ET_DYN)
		return error_set(e, EXIT_TARGET, -ENOEXEC, "%s is no executable", f->name);
	return 0;
}

/* Cut to what the file has; false for one of which nothing is left, or that wraps around. */
static bool usable(const struct elf_file *f, Elf64_Phdr *ph)
{
	if (ph->p_vaddr + ph->p_memsz < ph->p_vaddr || ph->p_filesz > ph->p_memsz)
		return false;
	if (ph->p_offset >= f->size)
		ph->p_filesz = 0;
	else if (ph->p_filesz > f->size - ph->p_offset)
		ph->p_filesz = f->size - ph->p_offset;
	return ph->p_filesz > 0;
}

static int read_segments(struct elf_file *f, struct error *e)
{
	size_t n = f->ehdr.e_phnum;
	Elf64_Phdr *all;

	if (!n || n == PN_XNUM || f->ehdr.e_phentsize != sizeof(*all))
		return error_set(e, EXIT_TARGET, -ENOEXEC,
				 "%s is damaged: it has no program headers", f->name);
	all = calloc(n, sizeof(*all));
	f->load = calloc(ELF_MAX_LOADS, sizeof(*f->load));
	if (!all || !f->load) {
		free(all);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	if (elf_pread(f, f->ehdr.e_phoff, all, n * sizeof(*all))) {
		free(all);
		return error_set(e, EXIT_TARGET, -ENOEXEC,
				 "%s is damaged: its program headers cannot be read", f->name);
	}
	for (size_t i = 0; i < n && f->nload < ELF_MAX_LOADS; i++) {
		if (!usable(f, &all[i]))
			continue;
		if (all[i].p_type == PT_LOAD)
			f->load[f->nload++] = all[i];
		else if (all[i].p_type == PT_DYNAMIC)
			f->dynamic = all[i];
		else if (all[i].p_type == PT_INTERP)
			f->interp = all[i];
	}
	free(all);
	if (!f->nload || f->nload == ELF_MAX_LOADS)
		return error_set(e, EXIT_TARGET, -ENOEXEC, "%s is damaged: %s in it is loaded",
				 f->name, f->nload ? "far too much" : "nothing");
	return 0;
}

int elf_file_open(struct elf_file **out, int fd, const char *name, struct error *e)
{
	struct elf_file *f = calloc(1, sizeof(*f));
	int err;

	*out = NULL;
	if (f) {
		f->name = strdup(name);
		f->lazy = calloc(1, sizeof(*f->lazy));
	}
	if (!f || !f->name || !f->lazy) {
		elf_file_close(f);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	f->fd = fd;
	err = read_header(f, e);
	if (!err)
		err = read_segments(f, e);
	if (err) {
		elf_file_close(f);
		return err;
	}
	*out = f;
	return 0;
}

void elf_file_close(struct elf_file *f)
{
	if (!f)
		return;
	if (f->lazy) {
		elf_relocs_free(f->lazy);
		elf_lazy_free(f->lazy);
	}
	free(f->load);
	free(f->name);
	free(f);
}

const char *elf_file_name(const struct elf_file *f)
{
	return f->name;
}

bool elf_is_pie(const struct elf_file *f)
{
	return f->ehdr.e_type == ET_DYN;
}

bool elf_load_at(const struct elf_file *f, size_t index, struct elf_load *out)
{
	const Elf64_Phdr *ph = &f->load[index];

	if (index >= f->nload)
		return false;
	*out = (struct elf_load){
		.vaddr = ph->p_vaddr,
		.offset = ph->p_offset,
		.filesz = ph->p_filesz,
		.memsz = ph->p_memsz,
		.write = ph->p_flags & PF_W,
		.exec = ph->p_flags & PF_X,
	};
	return true;
}

bool elf_load_of(const struct elf_file *f, uint64_t vaddr, struct elf_load *out)
{
	for (size_t i = 0; elf_load_at(f, i, out); i++) {
		if (vaddr >= out->vaddr && vaddr - out->vaddr < out->filesz)
			return true;
	}
	return false;
}

bool elf_file_offset(const struct elf_file *f, uint64_t vaddr, uint64_t *off)
{
	struct elf_load load;

	if (!elf_load_of(f, vaddr, &load))
		return false;
	*off = vaddr - load.vaddr + load.offset;
	return true;
}

int elf_read(const struct elf_file *f, uint64_t vaddr, void *buf, size_t len)
{
	struct elf_load load;

	if (!len)
		return 0;
	if (!elf_load_of(f, vaddr, &load) || len > load.filesz - (vaddr - load.vaddr))
		return -EFAULT;
	return elf_pread(f, vaddr - load.vaddr + load.offset, buf, len);
}

bool elf_interpreter(const struct elf_file *f, char *out, size_t size)
{
	size_t len = f->interp.p_filesz < size ? f->interp.p_filesz : size - 1;

	if (!len || elf_pread(f, f->interp.p_offset, out, len))
		return false;
	out[len] = 0;
	return true;
}

/* The entry point the kernel jumped to, from the auxiliary vector. */
static int read_entry(const struct target_process *p, uint64_t *entry)
{
	uint64_t auxv[2 * 64];
	ssize_t n;
	int fd = openat(p->proc_fd, "auxv", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	n = read(fd, auxv, sizeof(auxv));
	close(fd);
	for (ssize_t i = 0; (i + 2) * (ssize_t)sizeof(*auxv) <= n; i += 2) {
		if (auxv[i] == AT_ENTRY) {
			*entry = auxv[i + 1];
			return 0;
		}
	}
	return -ENOENT;
}

/* Is the page at `addr` of the process mapped from where the file has `vaddr`? */
static bool mapped_from(const struct elf_file *f, const struct target_process *p, uint64_t addr,
			uint64_t vaddr)
{
	struct target_map *maps;
	bool found = false;
	uint64_t off;
	size_t n;

	if (!elf_file_offset(f, vaddr, &off) || target_process_maps(p, &maps, &n, NULL))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (addr >= maps[i].start && addr < maps[i].end)
			found = maps[i].prot[2] == 'x' &&
				maps[i].offset + (addr - maps[i].start) == off;
	}
	free(maps);
	return found;
}

/*
 * By the entry point and not by the device and inode of the mappings, which on overlay file
 * systems and btrfs are not those that stat() gives.
 */
int elf_load_bias(const struct elf_file *f, const struct target_process *p, uint64_t *bias,
		  struct error *e)
{
	uint64_t entry;
	int err = read_entry(p, &entry);

	if (err)
		return error_set(e, EXIT_FAILED, err, "pid %d: /proc/%d/auxv cannot be read: %s",
				 (int)p->pid, (int)p->pid, strerror(-err));
	*bias = entry - f->ehdr.e_entry;
	if (*bias % PAGE_SIZE || (!elf_is_pie(f) && *bias) ||
	    !mapped_from(f, p, entry, f->ehdr.e_entry))
		return error_set(e, EXIT_TARGET, -EPROTO,
				 "pid %d: %s is not mapped where its entry point says; gscope "
				 "cannot tell its load address",
				 (int)p->pid, f->name);
	return 0;
}
