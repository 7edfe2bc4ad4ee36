// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/capture/records.h"
#include "tests/unit/unit.h"
#include "user/capture/file.h"

static void *room;

/* The record in a block of just its size, for the address sanitizer to watch. */
static bool valid_copy(const struct event_head *h)
{
	void *copy = malloc(h->size);
	bool ok;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, h, h->size);
	ok = event_valid(copy);
	free(copy);
	return ok;
}

static struct event_head *make(unsigned int type, unsigned int tail)
{
	if (!room)
		CU_ASSERT_EQUAL_FATAL(posix_memalign(&room, 8, 65536), 0);
	return record_make(room, type, tail, 7);
}

static void every_type_has_a_name(void)
{
	/* a system call in one record is in the rings only */
	static const unsigned int ends[] = {
		0, EV_SYSCALL, EV_OFF_CPU + 1, EV_USER_FIRST - 1, EV_USER_END, 65535};
	unsigned int names = 0;

	for (unsigned int type = 0; type <= 65535; type++)
		names += event_type_name(type) != NULL;
	CU_ASSERT_EQUAL(names, EV_OFF_CPU - 1 + (EV_USER_END - EV_USER_FIRST));
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		CU_ASSERT_PTR_NULL(event_type_name(ends[i]));
	CU_ASSERT_STRING_EQUAL(event_type_name(EV_SWITCH), "switch");
	CU_ASSERT_STRING_EQUAL(event_type_name(EV_GO_CREATE), "go_create");
}

/* Only the one size a type asks for, whatever the size field says. */
static void every_type_asks_for_its_size(void)
{
	for (unsigned int type = 0; type <= EV_USER_END; type++) {
		struct event_head *h = make(type, 0);
		unsigned int size = h->size, good = 0;

		if (!event_type_name(type)) {
			h->size = 24;
			CU_ASSERT_FALSE(valid_copy(h));
			continue;
		}
		CU_ASSERT_TRUE(valid_copy(h));
		for (h->size = sizeof(*h); h->size < 1024; h->size++)
			good += valid_copy(h) && h->size != size;
		CU_ASSERT_EQUAL(good, 0);
	}
}

static void tails_are_checked(void)
{
	struct ev_string *s;
	struct ev_stack *st;
	struct ev_symbol *sym;
	struct ev_frame *f;

	st = (void *)make(EV_STACK, EVENT_MAX_FRAMES);
	CU_ASSERT_TRUE(valid_copy(&st->h));
	st->n--;
	CU_ASSERT_FALSE(valid_copy(&st->h));
	st = (void *)make(EV_STACK, EVENT_MAX_FRAMES + 1);
	CU_ASSERT_FALSE(valid_copy(&st->h));

	for (unsigned int n = 0; n < 20; n++) {
		s = (void *)make(EV_STRING, n);
		CU_ASSERT_TRUE(valid_copy(&s->h));
		memset(s->text, 'x', s->h.size - sizeof(*s));
		CU_ASSERT_FALSE(valid_copy(&s->h)); /* no NUL */
		s = (void *)make(EV_STRING, n);
		s->h.size += 8;
		memset((char *)s + s->h.size - 8, 0, 8);
		CU_ASSERT_FALSE(valid_copy(&s->h)); /* too much padding */
	}
	s = (void *)make(EV_STRING, 3);
	s->text[7] = 'x';
	CU_ASSERT_FALSE(valid_copy(&s->h));
	s = (void *)make(EV_STRING, 3);
	s->kind = STRING_BLOCK_REASON + 1;
	CU_ASSERT_FALSE(valid_copy(&s->h));

	for (unsigned int n = 0; n < 5; n++) {
		sym = (void *)make(EV_SYMBOL, n);
		CU_ASSERT_TRUE(valid_copy(&sym->h));
		sym->n++;
		CU_ASSERT_FALSE(valid_copy(&sym->h));
		sym->n -= 2;
		CU_ASSERT_FALSE(valid_copy(&sym->h));
	}
	sym = (void *)make(EV_SYMBOL, 2);
	f = (struct ev_frame *)(sym + 1);
	f->func_len = 65535;
	CU_ASSERT_FALSE(valid_copy(&sym->h));
	f->func_len = 5;
	f->file_len = 65535;
	CU_ASSERT_FALSE(valid_copy(&sym->h));
	f->file_len = 9;
	CU_ASSERT_TRUE(valid_copy(&sym->h));
	((char *)(f + 1))[14] = 1; /* padding */
	CU_ASSERT_FALSE(valid_copy(&sym->h));
}

/* What later stages print with %s or use as an index. */
static void strings_and_indices_are_checked(void)
{
	static const struct {
		unsigned int type, at, n;
	} strings[] = {
		{EV_SWITCH, offsetof(struct ev_switch, next_comm), EVENT_COMM_LEN},
		{EV_WAKEUP, offsetof(struct ev_wakeup, comm), EVENT_COMM_LEN},
		{EV_EXIT, offsetof(struct ev_task, comm), EVENT_COMM_LEN},
		{EV_TASK, offsetof(struct ev_task_state, comm), EVENT_COMM_LEN},
		{EV_TARGET, offsetof(struct ev_target, go_version), 40},
		{EV_TARGET, offsetof(struct ev_target, layout), 16},
		{EV_TARGET, offsetof(struct ev_target, build_id), 104},
		{EV_TARGET, offsetof(struct ev_target, comm), EVENT_COMM_LEN},
		{EV_TARGET, offsetof(struct ev_target, exe), 256},
		{EV_PROCESS, offsetof(struct ev_process, comm), EVENT_COMM_LEN},
		{EV_PROCESS, offsetof(struct ev_process, exe), 256},
		{EV_PROCESS, offsetof(struct ev_process, why), 384},
		{EV_SITE, offsetof(struct ev_site, func), 64},
	};
	struct event_head *h;

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		h = make(strings[i].type, 0);
		CU_ASSERT_TRUE(valid_copy(h));
		memset((char *)h + strings[i].at, 'x', strings[i].n);
		CU_ASSERT_FALSE(valid_copy(h));
	}
	h = make(EV_LOSS, 0);
	((struct ev_loss *)h)->loss_class = LOSS_CLASSES;
	CU_ASSERT_FALSE(valid_copy(h));
	h = make(EV_GO, 0);
	((struct ev_go *)h)->kind = 0;
	CU_ASSERT_FALSE(valid_copy(h));
	((struct ev_go *)h)->kind = GO_KINDS;
	CU_ASSERT_FALSE(valid_copy(h));
	h = make(EV_SITE, 0);
	((struct ev_site *)h)->kind = GO_KINDS;
	CU_ASSERT_FALSE(valid_copy(h));
	h = make(EV_END, 0);
	((struct ev_end *)h)->why = END_DISK_FULL + 1;
	CU_ASSERT_FALSE(valid_copy(h));
	h = make(EV_GONE, 0);
	((struct ev_gone *)h)->how = 0;
	CU_ASSERT_FALSE(valid_copy(h));
	free(room);
	room = NULL;
}

static CU_TestInfo tests[] = {
	{"every type has a name", every_type_has_a_name},
	{"every type asks for its size", every_type_asks_for_its_size},
	{"tails are checked", tails_are_checked},
	{"strings and indices are checked", strings_and_indices_are_checked},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/event", tests);
