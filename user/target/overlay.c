// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/overlay.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define HEAD 4096 /* bytes compared: ELF header, program headers, build id */

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&
	       s[2] <= '7';
}

/*
 * A backslash stands before ":" and "\", written by the one who mounted it, and before three octal
 * digits, written by the kernel instead of blanks and the like: fs/overlayfs/super.c (show_options),
 * fs/seq_file.c (mangle_path).
 */
static char unescape(const char **s)
{
	const char *at = *s;

	if (at[0] == '\\' && is_octal(at + 1)) {
		*s += 4;
		return (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
	}
	if (at[0] == '\\' && at[1]) {
		*s += 2;
		return at[1];
	}
	*s += 1;
	return at[0];
}

/* Where the value of the next "lowerdir=" or "lowerdir+=" (Linux 6.8) begins, or NULL. */
static const char *next_value(const char *s)
{
	static const char *const names[] = {"lowerdir=", "lowerdir+="};

	for (; *s; s += strcspn(s, ","), s += *s == ',') {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (!strncmp(s, names[i], strlen(names[i])))
				return s + strlen(names[i]);
		}
	}
	return NULL;
}

bool overlay_next_layer(const char *options, size_t *at, char *layer, size_t size)
{
	const char *s = options + *at;
	size_t n = 0;

	/* within a value layers follow each other; between values there are other options */
	if (!*at || *s != ':')
		s = next_value(s);
	else
		s++;
	if (!s)
		return false;
	while (*s && *s != ':' && *s != ',') {
		char c = unescape(&s);

		if (n < size)
			layer[n++] = c;
	}
	*at = (size_t)(s - options);
	if (n == size || !n || layer[0] != '/')
		n = 0;
	layer[n] = 0;
	return true;
}

/* The options of the overlay mount in a line of mountinfo, if it is one of device `dev`. */
static const char *overlay_options(char *line, dev_t dev)
{
	unsigned int major, minor;
	char *type = strstr(line, " - overlay "), *options;

	if (!type || sscanf(line, "%*u %*u %u:%u", &major, &minor) != 2 ||
	    makedev(major, minor) != dev)
		return NULL;
	options = strchr(type + strlen(" - overlay "), ' ');
	if (!options)
		return NULL;
	options[strcspn(options, "\n")] = 0;
	return options + 1;
}

/* Whether the file is as long as the copy and begins like it. */
static bool looks_like(const char *path, int copy, off_t copy_size)
{
	char a[HEAD], b[HEAD];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	ssize_t n;
	bool same;

	if (fd < 0)
		return false;
	n = pread(copy, a, sizeof(a), 0);
	same = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size == copy_size && n > 0 &&
	       pread(fd, b, sizeof(b), 0) == n && !memcmp(a, b, (size_t)n);
	close(fd);
	return same;
}

/*
 * The name may begin outside of the mount, wherever that is seen from: what of it is
 * within is tried out.
 */
static bool find_in(const char *layer, const char *name, int copy, off_t copy_size, char *path,
		    size_t size)
{
	for (const char *rest = name; rest; rest = strchr(rest + 1, '/')) {
		int len = snprintf(path, size, "%s%s", layer, rest);

		if (len > 0 && (size_t)len < size && looks_like(path, copy, copy_size))
			return true;
	}
	return false;
}

bool overlay_lower_file(const struct target_process *p, const char *name, int copy, char *path,
			size_t size)
{
	static const char deleted[] = " (deleted)";
	char *line = NULL, layer[PATH_MAX], own[PATH_MAX];
	size_t len = strlen(name), tail = sizeof(deleted) - 1;
	size_t room = 0;
	bool found = false;
	struct stat st;
	FILE *f;
	int fd = openat(p->proc_fd, "mountinfo", O_RDONLY | O_CLOEXEC);

	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!f || fstat(copy, &st)) {
		if (f)
			fclose(f);
		else if (fd >= 0)
			close(fd);
		return false;
	}
	if (len > tail && !strcmp(name + len - tail, deleted))
		len -= tail;
	snprintf(own, sizeof(own), "%.*s", (int)len, name);
	while (!found && getline(&line, &room, f) > 0) {
		const char *options = overlay_options(line, st.st_dev);
		size_t at = 0;

		while (options && !found && overlay_next_layer(options, &at, layer, sizeof(layer)))
			found = *layer && find_in(layer, own, copy, st.st_size, path, size);
	}
	free(line);
	fclose(f);
	return found;
}
