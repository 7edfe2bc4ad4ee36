// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Format: src/debug/buildinfo/buildinfo.go of Go 1.18 and later. */
#include "user/target/buildinfo.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "\xff Go buildinf:"
#define MAGIC_LEN 14
#define HEADER_LEN 32
#define FLAGS_AT 15
#define FLAG_INLINE 2 /* strings follow the header; without it, Go is older than 1.18 */
#define SENTINEL_LEN 16 /* around the settings */

/* More than the largest settings have: hundreds of dependencies at 100 bytes. */
#define MAX_SIZE (1U << 20)

#define WINDOW (1U << 20) /* read at once when searching */
#define MAX_SEARCH (128U << 20)

/* *rest is what follows the numbers. */
static bool parse_version(const char *s, unsigned int *minor, unsigned int *patch,
			  const char **rest)
{
	const char *at = s;
	unsigned long v;
	char *end;

	while ((at = strstr(at, "go1.")) && at != s && isalnum((unsigned char)at[-1]))
		at++;
	if (!at || !isdigit((unsigned char)at[4]))
		return false;
	v = strtoul(at + 4, &end, 10);
	if (v > 1000)
		return false;
	*minor = v;
	*patch = 0;
	if (end[0] == '.' && isdigit((unsigned char)end[1])) {
		v = strtoul(end + 1, &end, 10);
		*patch = v > 60000 ? 60000 : v;
	}
	*rest = end;
	return true;
}

bool go_version_parse(const char *s, unsigned int *minor, unsigned int *patch)
{
	const char *rest;

	return parse_version(s, minor, patch, &rest);
}

/* What was released under its number, but for a vendor's changes; "rc1" and "beta1" were not. */
static bool is_release(const char *s, const char *rest)
{
	return !strstr(s, "devel") && !strstr(s, " X:") && !isalpha((unsigned char)*rest);
}

/* A length-prefixed string at *at: NULL if it runs over the end. */
static const char *next_string(const uint8_t *data, size_t size, size_t *at, size_t *len)
{
	const char *s;

	*len = 0;
	for (unsigned int shift = 0;; shift += 7) {
		if (*at >= size || shift > 28)
			return NULL;
		*len |= (size_t)(data[*at] & 0x7f) << shift;
		if (!(data[(*at)++] & 0x80))
			break;
	}
	if (*len > size - *at)
		return NULL;
	s = (const char *)data + *at;
	*at += *len;
	return s;
}

/* Strip the markers around the settings. */
static char *copy_settings(const char *s, size_t len)
{
	if (len < 2 * SENTINEL_LEN + 1 || s[len - SENTINEL_LEN - 1] != '\n')
		return strdup("");
	return strndup(s + SENTINEL_LEN, len - 2 * SENTINEL_LEN);
}

static void read_build_id(struct buildinfo *b, struct elf_file *f)
{
	const size_t head = sizeof(Elf64_Nhdr) + 4; /* then the name, "Go" */
	struct elf_bytes note;
	Elf64_Nhdr nhdr;
	size_t len;

	if (!elf_section(f, ".note.go.buildid", &note) || note.size < head)
		return;
	memcpy(&nhdr, note.data, sizeof(nhdr));
	if (nhdr.n_namesz != 4 || memcmp(note.data + sizeof(nhdr), "Go\0", 4) ||
	    nhdr.n_descsz > note.size - head)
		return;
	len = nhdr.n_descsz < sizeof(b->build_id) ? nhdr.n_descsz : sizeof(b->build_id) - 1;
	memcpy(b->build_id, note.data + head, len);
	b->build_id[len] = 0;
}

/* Is this the header itself, not the magic in a program that looks for it? */
static bool is_header(const uint8_t *p, size_t size)
{
	static const uint8_t zero[16];

	if (size < HEADER_LEN || memcmp(p, MAGIC, MAGIC_LEN) != 0)
		return false;
	/* older than 1.18: pointers instead of zeroes */
	return !(p[FLAGS_AT] & FLAG_INLINE) || !memcmp(p + 16, zero, sizeof(zero));
}

/* The address of the header in one loaded part; *left is what may still be searched. */
static bool search_part(const struct elf_file *f, const struct elf_load *part, uint8_t *window,
			uint64_t *left, uint64_t *vaddr)
{
	/* aligned to 16 bytes in memory */
	uint64_t first = (part->vaddr + 15) & ~15ULL, end = part->vaddr + part->filesz;

	for (uint64_t lo = first; lo < end && *left; lo += WINDOW - HEADER_LEN) {
		size_t size = end - lo < WINDOW ? end - lo : WINDOW;

		if (size > *left)
			size = *left;
		*left -= size;
		if (elf_read(f, lo, window, size))
			return false;
		for (size_t at = 0; at + HEADER_LEN <= size; at += 16) {
			if (window[at] == 0xff && is_header(window + at, size - at)) {
				*vaddr = lo + at;
				return true;
			}
		}
	}
	return false;
}

/* The linker puts it into a writable part, in its own section: debug/buildinfo. */
static bool find_header(struct elf_file *f, uint64_t *vaddr)
{
	uint64_t left = MAX_SEARCH;
	struct elf_bytes section;
	struct elf_load part;
	uint8_t *window;
	bool found = false;

	if (elf_section(f, ".go.buildinfo", &section) && is_header(section.data, section.size)) {
		*vaddr = section.vaddr;
		return true;
	}
	window = malloc(WINDOW);
	for (size_t i = 0; window && !found && elf_load_at(f, i, &part); i++)
		found = part.write && search_part(f, &part, window, &left, vaddr);
	free(window);
	return found;
}

static int damaged(const char *name, struct error *e)
{
	return error_set(e, EXIT_TARGET, -EPROTO,
			 "%s: its Go build information is damaged; rebuild it", name);
}

static int parse(struct buildinfo *b, const uint8_t *raw, size_t size, const char *name,
		 struct error *e)
{
	const char *version, *settings;
	size_t at = HEADER_LEN, len, settings_len;

	if (!(raw[FLAGS_AT] & FLAG_INLINE))
		return error_set(e, EXIT_TARGET, -ENOTSUP,
				 "%s was built with a Go older than 1.18; gscope needs Go 1.%d or "
				 "later: rebuild it",
				 name, GO_MINOR_MIN);
	version = next_string(raw, size, &at, &len);
	settings = version ? next_string(raw, size, &at, &settings_len) : NULL;
	if (!settings || !len)
		return damaged(name, e);
	if (len >= sizeof(b->version))
		len = sizeof(b->version) - 1;
	memcpy(b->version, version, len);
	b->version[len] = 0;
	b->settings = copy_settings(settings, settings_len);
	if (!b->settings)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	return 0;
}

static int read_at(struct buildinfo *b, struct elf_file *f, uint64_t vaddr, struct error *e)
{
	const char *name = elf_file_name(f);
	struct elf_load part;
	uint64_t size;
	uint8_t *raw;
	int err;

	if (!elf_load_of(f, vaddr, &part))
		return damaged(name, e);
	size = part.filesz - (vaddr - part.vaddr);
	if (size > MAX_SIZE)
		size = MAX_SIZE;
	raw = malloc(size);
	if (!raw)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	if (size < HEADER_LEN || elf_read(f, vaddr, raw, size))
		err = damaged(name, e);
	else
		err = parse(b, raw, size, name, e);
	free(raw);
	return err;
}

/* A linker may drop what nothing refers to (--gc-sections); the runtime's own variable stays. */
static bool read_variable(struct buildinfo *b, struct elf_file *f)
{
	struct elf_symbol sym;
	uint64_t string[2]; /* pointer, length */

	if (!elf_symbol(f, "runtime.buildVersion", &sym) ||
	    elf_read_relocated(f, sym.vaddr, string, sizeof(string)) || !string[1] ||
	    string[1] >= sizeof(b->version) || elf_read(f, string[0], b->version, string[1]))
		return false;
	b->settings = strdup("");
	return b->settings;
}

static int check_version(struct buildinfo *b, const char *name, struct error *e)
{
	const char *rest;

	if (!parse_version(b->version, &b->go_minor, &b->go_patch, &rest))
		return error_set(e, EXIT_TARGET, -ENOTSUP,
				 "%s was built with Go \"%.60s\", which names no release; gscope "
				 "knows Go 1.%d to 1.%d",
				 name, b->version, GO_MINOR_MIN, GO_MINOR_MAX);
	if (b->go_minor < GO_MINOR_MIN)
		return error_set(e, EXIT_TARGET, -ENOTSUP,
				 "%s was built with %.60s; gscope knows Go 1.%d to 1.%d: rebuild "
				 "it with one of these",
				 name, b->version, GO_MINOR_MIN, GO_MINOR_MAX);
	b->known = b->go_minor <= GO_MINOR_MAX && is_release(b->version, rest);
	return 0;
}

int buildinfo_read(struct buildinfo *b, struct elf_file *f, struct error *e)
{
	const char *name = elf_file_name(f);
	uint64_t vaddr;
	int err;

	memset(b, 0, sizeof(*b));
	if (find_header(f, &vaddr))
		err = read_at(b, f, vaddr, e);
	else if (read_variable(b, f))
		err = 0;
	else
		err = error_set(e, EXIT_TARGET, -ENOEXEC,
				"%s is not a Go program: it has no Go build information", name);
	if (!err)
		err = check_version(b, name, e);
	if (err) {
		buildinfo_free(b);
		return err;
	}
	read_build_id(b, f);
	return 0;
}

void buildinfo_free(struct buildinfo *b)
{
	free(b->settings);
	b->settings = NULL;
}

bool buildinfo_setting(const struct buildinfo *b, const char *key, char *out, size_t size)
{
	static const char prefix[] = "build\t";
	size_t key_len = strlen(key);

	for (const char *line = b->settings; line && *line;) {
		const char *end = strchr(line, '\n');
		size_t len = end ? (size_t)(end - line) : strlen(line);

		if (!strncmp(line, prefix, sizeof(prefix) - 1)) {
			const char *k = line + sizeof(prefix) - 1;
			size_t rest = len - (sizeof(prefix) - 1);

			if (rest > key_len && !strncmp(k, key, key_len) && k[key_len] == '=') {
				size_t value = rest - key_len - 1;

				if (value >= size)
					return false;
				memcpy(out, k + key_len + 1, value);
				out[value] = 0;
				return true;
			}
		}
		line = end ? end + 1 : NULL;
	}
	return false;
}
