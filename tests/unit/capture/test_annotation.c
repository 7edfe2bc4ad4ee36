// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Annotations, from what the probes send to what is written. */
#include <errno.h>
#include <string.h>

#include "bpf/control.h"
#include "tests/unit/unit.h"
#include "user/capture/annotation.h"
#include "user/capture/file.h"

#define ELSEWHERE 0x4000ULL

/* What a program sends, piece by piece. */
struct sent {
	union {
		struct ev_user ev;
		char bytes[4096];
	};
};

static void begin(struct sent *s, enum user_kind kind)
{
	memset(s, 0xee, sizeof(*s)); /* a ring is not cleared */
	s->ev = (struct ev_user){
		.h = {.time_ns = 5, .tid = 7, .type = EV_USER, .size = sizeof(s->ev)},
		.tgid = 6,
		.gp = 0xc000,
		.task = 1,
		.kind = (__u8)kind,
	};
}

static void piece(struct sent *s, const void *text, size_t len, bool elsewhere)
{
	const struct user_piece head = {.len = (__u16)len, .elsewhere = elsewhere};

	memcpy(s->bytes + s->ev.h.size, &head, sizeof(head));
	memcpy(s->bytes + s->ev.h.size + sizeof(head), text, len);
	s->ev.h.size = (__u16)(s->ev.h.size + sizeof(head) + ((len + 7) & ~(size_t)7));
	s->ev.len[0]++;
}

static void elsewhere(struct sent *s, uint64_t addr, uint64_t len)
{
	const struct user_string where = {addr, len};

	piece(s, &where, sizeof(where), true);
}

/* Every byte there is the last digit of its address. */
static int read_digits(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx;
	if (addr < ELSEWHERE || addr >= 2 * ELSEWHERE)
		return -EFAULT;
	for (size_t i = 0; i < len; i++)
		((char *)buf)[i] = (char)('0' + (addr + i) % 8);
	return 0;
}

static int finish(union annotation *out, const struct sent *s)
{
	const struct constants c = {read_digits, NULL};
	int err = annotation_finish(out, &s->ev, &c);

	if (!err)
		CU_ASSERT(event_valid(&out->ev.h));
	return err;
}

static void is_text(const union annotation *a, const char *first, const char *second)
{
	CU_ASSERT_EQUAL_FATAL(a->ev.len[0], strlen(first));
	CU_ASSERT_EQUAL_FATAL(a->ev.len[1], strlen(second));
	CU_ASSERT(!memcmp(a->ev.text, first, strlen(first)));
	CU_ASSERT(!memcmp(a->ev.text + strlen(first), second, strlen(second)));
}

static void joins_texts(void)
{
	union annotation a;
	struct sent s;

	begin(&s, USER_LOG);
	piece(&s, "category", 8, false);
	piece(&s, "a message", 9, false);
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	is_text(&a, "category", "a message");
	CU_ASSERT_EQUAL(a.ev.h.size, sizeof(a.ev) + 24);
	CU_ASSERT_EQUAL(a.ev.task, 1);
	CU_ASSERT_EQUAL(a.ev.flags, 0);

	begin(&s, USER_TASK_END);
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	is_text(&a, "", "");
	begin(&s, USER_LOG);
	piece(&s, "", 0, false);
	piece(&s, "x", 1, false);
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	is_text(&a, "", "x");
}

static void takes_any_bytes(void)
{
	union annotation a;
	struct sent s;

	begin(&s, USER_REGION_BEGIN);
	piece(&s, "a\0b\xff\0", 5, false);
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	is_text(&a, "a?b\xff?", "");
}

static void reads_constants_late(void)
{
	union annotation a;
	struct sent s;

	begin(&s, USER_TASK_BEGIN);
	elsewhere(&s, ELSEWHERE + 3, 4);
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	is_text(&a, "3456", "");
	CU_ASSERT_EQUAL(a.ev.flags, 0);

	begin(&s, USER_TASK_BEGIN);
	elsewhere(&s, ELSEWHERE, 1ULL << 40);
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	CU_ASSERT_EQUAL(a.ev.len[0], USER_MAX_TEXT);
	CU_ASSERT_EQUAL(a.ev.flags, USER_CUT);

	begin(&s, USER_TASK_BEGIN);
	elsewhere(&s, 8, 4);
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	is_text(&a, "", "");
	CU_ASSERT_EQUAL(a.ev.flags, USER_CUT);
}

static void pairs_labels(void)
{
	static char many[USER_MAX_TEXT];
	union annotation a;
	struct sent s;

	begin(&s, USER_LABELS);
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	CU_ASSERT_EQUAL(a.ev.len[0], 0);

	begin(&s, USER_LABELS);
	piece(&s, "key", 3, false);
	piece(&s, "v\0", 2, false);
	piece(&s, "", 0, false);
	elsewhere(&s, ELSEWHERE, 2);
	piece(&s, "odd", 3, false); /* there was no room for its value */
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	CU_ASSERT_EQUAL(a.ev.len[0], 11);
	CU_ASSERT(!memcmp(a.ev.text,
			  "key\0v?\0\0"
			  "01\0",
			  11));

	/* what does not fit is left out as a pair */
	memset(many, 'm', sizeof(many));
	begin(&s, USER_LABELS);
	piece(&s, "long", 4, false);
	piece(&s, many, USER_MAX_TEXT - 5, false);
	piece(&s, "k", 1, false);
	piece(&s, "v", 1, false);
	CU_ASSERT_EQUAL(finish(&a, &s), 0);
	CU_ASSERT_EQUAL(a.ev.len[0], 4);
	CU_ASSERT(!memcmp(a.ev.text, "k\0v\0", 4));
	CU_ASSERT_EQUAL(a.ev.flags, USER_CUT);
}

/* Two texts of any length. */
static void fits_the_longest(void)
{
	static char text[USER_MAX_TEXT];
	union annotation a;
	struct sent s;

	memset(text, 't', sizeof(text));
	for (size_t i = 0; i <= USER_MAX_TEXT; i += 31) {
		begin(&s, USER_LOG);
		piece(&s, text, i, false);
		piece(&s, text, USER_MAX_TEXT, false);
		CU_ASSERT_EQUAL(finish(&a, &s), 0);
		CU_ASSERT_EQUAL(a.ev.len[0], i);
		CU_ASSERT_EQUAL(a.ev.len[1], USER_MAX_TEXT);
	}
}

static void refuses_what_is_cut_off(void)
{
	union annotation a;
	struct sent s;

	begin(&s, USER_TASK_BEGIN);
	piece(&s, "text", 4, false);
	s.ev.h.size -= 8;
	CU_ASSERT_EQUAL(finish(&a, &s), -EBADMSG);
	s.ev.h.size -= 8;
	CU_ASSERT_EQUAL(finish(&a, &s), -EBADMSG);

	begin(&s, USER_LABELS);
	piece(&s, "k", 1, false);
	piece(&s, "v", 1, false);
	s.ev.len[0] = 4;
	CU_ASSERT_EQUAL(finish(&a, &s), -EBADMSG);

	begin(&s, USER_TASK_BEGIN);
	piece(&s, "short", 5, true);
	CU_ASSERT_EQUAL(finish(&a, &s), -EBADMSG);

	begin(&s, USER_LOG);
	for (int i = 0; i < 3; i++)
		piece(&s, "x", 1, false);
	CU_ASSERT_EQUAL(finish(&a, &s), -EBADMSG);
}

static CU_TestInfo tests[] = {
	{"joins texts", joins_texts},
	{"takes any bytes", takes_any_bytes},
	{"reads constants late", reads_constants_late},
	{"pairs labels", pairs_labels},
	{"fits the longest texts", fits_the_longest},
	{"refuses what is cut off", refuses_what_is_cut_off},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("capture/annotation", tests);
