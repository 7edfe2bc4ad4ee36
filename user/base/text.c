// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

/*
 * Decode one character of at most `left` bytes, or up to a NUL: returns its bytes, 0 for what is no
 * UTF-8.
 */
static size_t decode_some(const char *s, size_t left, uint32_t *c)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)*s;
	size_t n = first < 0x80     ? 1 :
		   first >> 5 == 6  ? 2 :
		   first >> 4 == 14 ? 3 :
		   first >> 3 == 30 ? 4 :
				      0;

	if (n <= 1) {
		*c = first;
		return n;
	}
	if (n > left)
		return 0;
	*c = first & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (*c < smallest[n] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return n;
}

/* Of a text that ends with a NUL. */
static size_t decode(const char *s, uint32_t *c)
{
	return decode_some(s, SIZE_MAX, c);
}

/* C0 and C1, DEL, and the marks that change the direction of what follows. */
static int is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* As terminals do it: combining marks take no column, East Asian wide characters two. */
static size_t columns(uint32_t c)
{
	static const struct {
		uint32_t first, last;
		size_t columns;
	} ranges[] = {
		{0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05bd, 0},
		{0x064b, 0x065f, 0},   {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},
		{0x1dc0, 0x1dff, 0},   {0x20d0, 0x20ff, 0},   {0x2e80, 0x303e, 2},
		{0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
		{0xfe00, 0xfe0f, 0},   {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},
		{0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2},
		{0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return ranges[i].columns;
	return 1;
}

size_t text_width(const char *s)
{
	size_t width = 0, n;
	uint32_t c;

	for (; *s; s += n ? n : 1) {
		n = decode(s, &c);
		width += n ? columns(c) : 1;
	}
	return width;
}

void text_clean(char *s)
{
	const char *from;
	char *to = s;
	uint32_t c;
	size_t n;

	for (from = s; *from; from += n ? n : 1) {
		n = decode(from, &c);
		if (!n || is_control(c)) {
			*to++ = '?';
			continue;
		}
		memmove(to, from, n);
		to += n;
	}
	*to = 0;
}

void text_line(FILE *out, const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		return;
	text_clean(text);
	fprintf(out, "%s\n", text);
	free(text);
}

char *text_fit(const char *s, size_t width)
{
	char *clean = strdup(s), *cut;
	const char *from;
	uint32_t c;
	size_t n, have;

	if (!clean)
		return NULL;
	text_clean(clean);
	have = text_width(clean);
	if (!width || have <= width)
		return clean;

	/* what follows a cut character may combine with it: cut that, too */
	for (from = clean; *from && (have > width - 1 || !columns((decode(from, &c), c)));
	     from += n) {
		n = decode(from, &c);
		have -= columns(c);
	}
	n = strlen(from);
	cut = malloc(sizeof(ELLIPSIS) + n);
	if (cut) {
		memcpy(cut, ELLIPSIS, sizeof(ELLIPSIS) - 1);
		memcpy(cut + sizeof(ELLIPSIS) - 1, from, n + 1);
	}
	free(clean);
	return cut;
}

void text_escape(const char *s, size_t n, FILE *out)
{
	const char *end = s + n, *plain = s; /* from here to s it is written as it is */

	while (s < end) {
		uint32_t c;
		size_t len = decode_some(s, (size_t)(end - s), &c);

		if (len && !is_control(c) && c != '"' && c != '\\') {
			s += len;
			continue;
		}
		fwrite(plain, 1, (size_t)(s - plain), out);
		for (len = len ? len : 1; len; len--, s++)
			fprintf(out, "\\x%02x", (unsigned char)*s);
		plain = s;
	}
	fwrite(plain, 1, (size_t)(s - plain), out);
}
