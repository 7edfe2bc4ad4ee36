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

/* Without section headers: the linker puts it near the start of the first writable segment. */
#define SCAN_MAX (1U << 20)

bool go_version_parse(const char *s, unsigned int *minor, unsigned int *patch)
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
		v = strtoul(end + 1, NULL, 10);
		*patch = v > 60000 ? 60000 : v;
	}
	return true;
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

/* Find the header; *copy is the caller's to free when it is not NULL. */
static bool find_header(struct elf_file *f, struct elf_bytes *out, uint8_t **copy)
{
	uint64_t lo, hi;
	size_t size;

	*copy = NULL;
	if (elf_section(f, ".go.buildinfo", out) && out->size >= HEADER_LEN &&
	    !memcmp(out->data, MAGIC, MAGIC_LEN))
		return true;
	if (!elf_segment(f, true, &lo, &hi))
		return false;
	size = hi - lo < SCAN_MAX ? hi - lo : SCAN_MAX;
	*copy = malloc(size);
	if (!*copy || elf_read(f, lo, *copy, size))
		return false;
	for (size_t at = 0; at + HEADER_LEN <= size; at += 16) {
		if (!memcmp(*copy + at, MAGIC, MAGIC_LEN)) {
			*out = (struct elf_bytes){*copy + at, size - at, lo + at};
			return true;
		}
	}
	return false;
}

static int parse(struct buildinfo *b, const struct elf_bytes *raw, const char *name,
		 struct error *e)
{
	const char *version, *settings;
	size_t at = HEADER_LEN, len, settings_len;

	if (!(raw->data[FLAGS_AT] & FLAG_INLINE))
		return error_set(e, EXIT_TARGET, -ENOTSUP,
				 "%s was built with a Go older than 1.18; gscope needs Go 1.%d to "
				 "1.%d",
				 name, GO_MINOR_MIN, GO_MINOR_MAX);
	version = next_string(raw->data, raw->size, &at, &len);
	settings = version ? next_string(raw->data, raw->size, &at, &settings_len) : NULL;
	if (!settings || !len)
		return error_set(e, EXIT_TARGET, -EPROTO,
				 "%s: its Go build information is damaged; rebuild it", name);
	if (len >= sizeof(b->version))
		len = sizeof(b->version) - 1;
	memcpy(b->version, version, len);
	b->version[len] = 0;
	b->settings = copy_settings(settings, settings_len);
	if (!b->settings)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	return 0;
}

static int check_version(struct buildinfo *b, const char *name, struct error *e)
{
	if (!go_version_parse(b->version, &b->go_minor, &b->go_patch))
		return error_set(e, EXIT_TARGET, -ENOTSUP,
				 "%s was built with Go \"%.60s\", which names no release; gscope "
				 "knows Go 1.%d to 1.%d",
				 name, b->version, GO_MINOR_MIN, GO_MINOR_MAX);
	if (b->go_minor < GO_MINOR_MIN || b->go_minor > GO_MINOR_MAX)
		return error_set(e, EXIT_TARGET, -ENOTSUP,
				 "%s was built with %.60s; gscope knows Go 1.%d to 1.%d%s", name,
				 b->version, GO_MINOR_MIN, GO_MINOR_MAX,
				 b->go_minor < GO_MINOR_MIN ? ": rebuild it with one of these" :
							      ": look for a newer gscope");
	return 0;
}

int buildinfo_read(struct buildinfo *b, struct elf_file *f, struct error *e)
{
	const char *name = elf_file_name(f);
	struct elf_bytes raw;
	uint8_t *copy;
	int err;

	memset(b, 0, sizeof(*b));
	if (find_header(f, &raw, &copy))
		err = parse(b, &raw, name, e);
	else
		err = error_set(e, EXIT_TARGET, -ENOEXEC,
				"%s is not a Go program: it has no Go build information", name);
	free(copy);
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
