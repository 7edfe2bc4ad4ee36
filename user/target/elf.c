// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_SIZE 4096ULL

struct elf_file {
	int fd;
	char *name;
	Elf *elf;
	GElf_Ehdr ehdr;
	GElf_Phdr *load; /* PT_LOAD only */
	size_t nload;
	struct elf_symbol *symbols;
	size_t nsymbols;
	uint32_t *buckets; /* open addressing: index into symbols + 1, 0: free */
	size_t nbuckets; /* a power of two */
};

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

static int check_header(struct elf_file *f, struct error *e)
{
	if (elf_kind(f->elf) != ELF_K_ELF || !gelf_getehdr(f->elf, &f->ehdr))
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

static int read_segments(struct elf_file *f, struct error *e)
{
	size_t n;

	if (elf_getphdrnum(f->elf, &n) || n == 0)
		return error_set(e, EXIT_TARGET, -ENOEXEC,
				 "%s is damaged: it has no program headers", f->name);
	f->load = calloc(n, sizeof(*f->load));
	if (!f->load)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(f->elf, i, &ph))
			return error_set(e, EXIT_TARGET, -ENOEXEC,
					 "%s is damaged: its program headers cannot be read",
					 f->name);
		/* sizes that do not add up would wrap around in every later comparison */
		if (ph.p_type != PT_LOAD || ph.p_filesz > ph.p_memsz ||
		    ph.p_vaddr + ph.p_memsz < ph.p_vaddr || ph.p_offset + ph.p_filesz < ph.p_offset)
			continue;
		f->load[f->nload++] = ph;
	}
	if (!f->nload)
		return error_set(e, EXIT_TARGET, -ENOEXEC, "%s is damaged: nothing in it is loaded",
				 f->name);
	return 0;
}

static size_t hash_name(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ULL;
	return h ^ h >> 32;
}

static bool wanted(const GElf_Sym *sym)
{
	int type = GELF_ST_TYPE(sym->st_info);

	return sym->st_shndx != SHN_UNDEF && sym->st_name &&
	       (type == STT_FUNC || type == STT_OBJECT);
}

static void index_symbol(struct elf_file *f, size_t i)
{
	size_t b = hash_name(f->symbols[i].name) & (f->nbuckets - 1);

	for (; f->buckets[b]; b = (b + 1) & (f->nbuckets - 1)) {
		if (!strcmp(f->symbols[f->buckets[b] - 1].name, f->symbols[i].name))
			return; /* the first one stays */
	}
	f->buckets[b] = i + 1;
}

static int read_symbols(struct elf_file *f, struct error *e)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	Elf_Data *data;
	size_t n;

	while ((scn = elf_nextscn(f->elf, scn))) {
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_SYMTAB)
			break;
	}
	data = scn ? elf_getdata(scn, NULL) : NULL;
	if (!data || !shdr.sh_entsize)
		return 0;
	n = data->d_size / shdr.sh_entsize;
	if (n > INT32_MAX / 2)
		return 0;
	f->symbols = calloc(n + 1, sizeof(*f->symbols));
	for (f->nbuckets = 16; f->nbuckets < 2 * n; f->nbuckets *= 2)
		;
	f->buckets = calloc(f->nbuckets, sizeof(*f->buckets));
	if (!f->symbols || !f->buckets)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		struct elf_symbol *s = &f->symbols[f->nsymbols];
		GElf_Sym sym;

		if (!gelf_getsym(data, i, &sym) || !wanted(&sym))
			continue;
		s->name = elf_strptr(f->elf, shdr.sh_link, sym.st_name);
		if (!s->name)
			continue;
		s->vaddr = sym.st_value;
		s->size = sym.st_size;
		s->func = GELF_ST_TYPE(sym.st_info) == STT_FUNC;
		index_symbol(f, f->nsymbols++);
	}
	return 0;
}

int elf_file_open(struct elf_file **out, int fd, const char *name, struct error *e)
{
	struct elf_file *f = calloc(1, sizeof(*f));
	int err;

	*out = NULL;
	if (f)
		f->name = strdup(name);
	if (!f || !f->name) {
		free(f);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	f->fd = fd;
	elf_version(EV_CURRENT);
	/* not mapped: a file that shrinks under us must not kill us */
	f->elf = elf_begin(fd, ELF_C_READ, NULL);
	err = f->elf ? check_header(f, e) :
		       error_set(e, EXIT_TARGET, -ENOEXEC, "%s cannot be read: %s", name,
				 elf_errmsg(-1));
	if (!err)
		err = read_segments(f, e);
	if (!err)
		err = read_symbols(f, e);
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
	elf_end(f->elf);
	free(f->load);
	free(f->symbols);
	free(f->buckets);
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

bool elf_has_symtab(const struct elf_file *f)
{
	return f->nsymbols > 0;
}

void *elf_file_handle(const struct elf_file *f)
{
	return f->elf;
}

bool elf_symbol(const struct elf_file *f, const char *name, struct elf_symbol *out)
{
	size_t b;

	if (!f->nbuckets)
		return false;
	for (b = hash_name(name) & (f->nbuckets - 1); f->buckets[b];
	     b = (b + 1) & (f->nbuckets - 1)) {
		const struct elf_symbol *s = &f->symbols[f->buckets[b] - 1];

		if (!strcmp(s->name, name)) {
			*out = *s;
			return true;
		}
	}
	return false;
}

static bool section_bytes(Elf_Scn *scn, const GElf_Shdr *shdr, struct elf_bytes *out)
{
	Elf_Data *data;

	if (shdr->sh_type == SHT_NOBITS)
		return false;
	data = elf_rawdata(scn, NULL);
	if (!data || !data->d_buf || data->d_size != shdr->sh_size)
		return false;
	*out = (struct elf_bytes){data->d_buf, data->d_size, shdr->sh_addr};
	return true;
}

bool elf_section(struct elf_file *f, const char *name, struct elf_bytes *out)
{
	Elf_Scn *scn = NULL;
	size_t strings;

	if (elf_getshdrstrndx(f->elf, &strings))
		return false;
	while ((scn = elf_nextscn(f->elf, scn))) {
		GElf_Shdr shdr;
		const char *s;

		if (!gelf_getshdr(scn, &shdr))
			continue;
		s = elf_strptr(f->elf, strings, shdr.sh_name);
		if (s && !strcmp(s, name))
			return section_bytes(scn, &shdr, out);
	}
	return false;
}

bool elf_section_at(struct elf_file *f, uint64_t vaddr, struct elf_bytes *out)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(f->elf, scn))) {
		GElf_Shdr shdr;

		if (!gelf_getshdr(scn, &shdr) || !(shdr.sh_flags & SHF_ALLOC) ||
		    (shdr.sh_flags & SHF_TLS) || vaddr < shdr.sh_addr ||
		    vaddr - shdr.sh_addr >= shdr.sh_size)
			continue;
		if (!section_bytes(scn, &shdr, out))
			return false;
		out->data += vaddr - shdr.sh_addr;
		out->size -= vaddr - shdr.sh_addr;
		out->vaddr = vaddr;
		return true;
	}
	return false;
}

bool elf_file_offset(const struct elf_file *f, uint64_t vaddr, uint64_t *off)
{
	for (size_t i = 0; i < f->nload; i++) {
		const GElf_Phdr *ph = &f->load[i];

		if (vaddr >= ph->p_vaddr && vaddr - ph->p_vaddr < ph->p_filesz) {
			*off = vaddr - ph->p_vaddr + ph->p_offset;
			return true;
		}
	}
	return false;
}

int elf_read(const struct elf_file *f, uint64_t vaddr, void *buf, size_t len)
{
	uint64_t off, last;
	size_t done = 0;

	if (!len)
		return 0;
	if (!elf_file_offset(f, vaddr, &off) || !elf_file_offset(f, vaddr + len - 1, &last) ||
	    last - off != len - 1)
		return -EFAULT;
	while (done < len) {
		ssize_t n = pread(f->fd, (char *)buf + done, len - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EFAULT;
		done += n;
	}
	return 0;
}

bool elf_segment(const struct elf_file *f, bool writable, uint64_t *lo, uint64_t *hi)
{
	for (size_t i = 0; i < f->nload; i++) {
		const GElf_Phdr *ph = &f->load[i];

		if (ph->p_filesz && (ph->p_flags & (writable ? PF_W : PF_X))) {
			*lo = ph->p_vaddr;
			*hi = ph->p_vaddr + ph->p_filesz;
			return true;
		}
	}
	return false;
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
