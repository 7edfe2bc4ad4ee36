// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What a record must look like; all that later stages rely on without looking again. */
#include <string.h>

#include "user/capture/file.h"

#define ALIGN8(n) (((n) + 7) & ~(size_t)7)

struct event_shape {
	const char *name;
	uint16_t size; /* of the fixed part */
	bool tail; /* a variable part may follow */
	bool (*valid)(const struct event_head *ev); /* beyond the size; may be NULL */
};

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

#define IS_STRING(array) (memchr(array, 0, sizeof(array)) != NULL)

static bool switch_valid(const struct event_head *h)
{
	const struct ev_switch *ev = (const void *)h;

	return IS_STRING(ev->next_comm);
}

static bool wakeup_valid(const struct event_head *h)
{
	const struct ev_wakeup *ev = (const void *)h;

	return IS_STRING(ev->comm);
}

static bool task_valid(const struct event_head *h)
{
	const struct ev_task *ev = (const void *)h;

	return IS_STRING(ev->comm);
}

static bool go_valid(const struct event_head *h)
{
	const struct ev_go *ev = (const void *)h;

	return ev->kind >= GO_START && ev->kind < GO_KINDS;
}

static bool runtime_valid(const struct event_head *h)
{
	const struct ev_runtime *ev = (const void *)h;

	return ev->kind >= RT_STW_BEGIN && ev->kind <= RT_PROCS;
}

/* Two texts and no more zeros than alignment asks for; labels come in pairs that NULs end. */
static bool user_valid(const struct event_head *h)
{
	const struct ev_user *ev = (const void *)h;
	size_t room = h->size - sizeof(*ev), len = (size_t)ev->len[0] + ev->len[1], ends = 0;

	if (ev->kind < USER_TASK_BEGIN || ev->kind >= USER_KINDS || ev->len[0] > USER_MAX_TEXT ||
	    ev->len[1] > USER_MAX_TEXT || ALIGN8(len) != room ||
	    !all_zero(ev->text + len, room - len))
		return false;
	if (ev->kind != USER_LABELS)
		return !memchr(ev->text, 0, len);
	for (size_t i = 0; i < len; i++)
		ends += !ev->text[i];
	return !ev->len[1] && ends % 2 == 0 && (!len || !ev->text[len - 1]);
}

static bool stack_valid(const struct event_head *h)
{
	const struct ev_stack *ev = (const void *)h;

	return ev->n <= EVENT_MAX_FRAMES && h->size == sizeof(*ev) + ev->n * sizeof(ev->pc[0]);
}

static bool target_valid(const struct event_head *h)
{
	const struct ev_target *ev = (const void *)h;

	return IS_STRING(ev->go_version) && IS_STRING(ev->layout) && IS_STRING(ev->build_id) &&
	       IS_STRING(ev->comm) && IS_STRING(ev->exe);
}

/* The text, its NUL, and no more zeros than alignment asks for. */
static bool string_valid(const struct event_head *h)
{
	const struct ev_string *ev = (const void *)h;
	size_t room = h->size - sizeof(*ev), len = strnlen(ev->text, room);

	return (ev->kind == STRING_WAIT_REASON || ev->kind == STRING_BLOCK_REASON) &&
	       ALIGN8(len + 1) == room && all_zero(ev->text + len, room - len);
}

static bool process_valid(const struct event_head *h)
{
	const struct ev_process *ev = (const void *)h;

	return IS_STRING(ev->comm) && IS_STRING(ev->exe) && IS_STRING(ev->why);
}

static bool task_state_valid(const struct event_head *h)
{
	const struct ev_task_state *ev = (const void *)h;

	return IS_STRING(ev->comm);
}

static bool loss_valid(const struct event_head *h)
{
	const struct ev_loss *ev = (const void *)h;

	return ev->loss_class < LOSS_CLASSES;
}

static bool symbol_valid(const struct event_head *h)
{
	const struct ev_symbol *ev = (const void *)h;
	const char *p = (const char *)(ev + 1), *end = (const char *)h + h->size;

	for (unsigned int i = 0; i < ev->n; i++) {
		const struct ev_frame *f = (const void *)p;
		size_t len, room = (size_t)(end - p);

		if (room < sizeof(*f))
			return false;
		room -= sizeof(*f);
		len = (size_t)f->func_len + f->file_len;
		if (room < ALIGN8(len))
			return false;
		p += sizeof(*f);
		if (!all_zero(p + len, ALIGN8(len) - len))
			return false;
		p += ALIGN8(len);
	}
	return p == end;
}

static bool gone_valid(const struct event_head *h)
{
	const struct ev_gone *ev = (const void *)h;

	return ev->how == GONE_EXIT || ev->how == GONE_EXEC;
}

static bool site_valid(const struct event_head *h)
{
	const struct ev_site *ev = (const void *)h;

	return ((ev->kind >= GO_START && ev->kind < GO_KINDS) ||
		(ev->kind >= RT_STW_BEGIN && ev->kind <= RT_PROCS) ||
		(ev->kind >= USER_TASK_BEGIN && ev->kind < USER_KINDS)) &&
	       IS_STRING(ev->func);
}

static bool shed_valid(const struct event_head *h)
{
	const struct ev_shed *ev = (const void *)h;

	return ev->what >= SHED_ASKED && ev->what <= SHED_FORESEEN && ev->from < SHED_LEVELS &&
	       ev->to < SHED_LEVELS;
}

static bool damage_valid(const struct event_head *h)
{
	const struct ev_damage *ev = (const void *)h;

	return ev->kinds && !(ev->kinds & ~DAMAGE_ALL);
}

static bool notice_valid(const struct event_head *h)
{
	const struct ev_notice *ev = (const void *)h;

	return ev->what >= NOTICE_STOPPED && ev->what <= NOTICE_RUNTIME && IS_STRING(ev->text);
}

static bool end_valid(const struct event_head *h)
{
	const struct ev_end *ev = (const void *)h;

	return ev->why >= END_DURATION && ev->why <= END_DISK_FULL;
}

static bool missing_valid(const struct event_head *h)
{
	const struct ev_missing *ev = (const void *)h;

	return IS_STRING(ev->program) && IS_STRING(ev->shows) && IS_STRING(ev->why);
}

/* clang-format off */
static const struct event_shape shapes[] = {
	[EV_SWITCH]    = {"switch", sizeof(struct ev_switch), false, switch_valid},
	[EV_WAKEUP]    = {"wakeup", sizeof(struct ev_wakeup), false, wakeup_valid},
	[EV_FORK]      = {"fork", sizeof(struct ev_task), false, task_valid},
	[EV_EXEC]      = {"exec", sizeof(struct ev_task), false, task_valid},
	[EV_EXIT]      = {"exit", sizeof(struct ev_task), false, task_valid},
	[EV_SYS_ENTER] = {"sys_enter", sizeof(struct ev_sys_enter), false, NULL},
	[EV_SYS_EXIT]  = {"sys_exit", sizeof(struct ev_sys_exit), false, NULL},
	[EV_GO]        = {"go", sizeof(struct ev_go), false, go_valid},
	[EV_GO_CREATE] = {"go_create", sizeof(struct ev_go_create), false, go_valid},
	[EV_STACK]     = {"stack", sizeof(struct ev_stack), true, stack_valid},
	[EV_RUNTIME]   = {"runtime", sizeof(struct ev_runtime), false, runtime_valid},
	[EV_USER]      = {"user", sizeof(struct ev_user), true, user_valid},
	[EV_SAMPLE]    = {"sample", sizeof(struct ev_sample), false, NULL},
	[EV_GOROUTINE] = {"goroutine", sizeof(struct ev_goroutine), false, NULL},
	[EV_OFF_CPU]   = {"off_cpu", sizeof(struct ev_off_cpu), false, NULL},
	[EV_TARGET]    = {"target", sizeof(struct ev_target), false, target_valid},
	[EV_STRING]    = {"string", sizeof(struct ev_string), true, string_valid},
	[EV_TASK]      = {"task", sizeof(struct ev_task_state), false, task_state_valid},
	[EV_SNAP_P]    = {"snap_p", sizeof(struct ev_snap_p), false, NULL},
	[EV_SNAP_M]    = {"snap_m", sizeof(struct ev_snap_m), false, NULL},
	[EV_SNAP_G]    = {"snap_g", sizeof(struct ev_snap_g), false, NULL},
	[EV_READY]     = {"ready", sizeof(struct ev_ready), false, NULL},
	[EV_LOSS]      = {"loss", sizeof(struct ev_loss), false, loss_valid},
	[EV_SYMBOL]    = {"symbol", sizeof(struct ev_symbol), true, symbol_valid},
	[EV_GONE]      = {"gone", sizeof(struct ev_gone), false, gone_valid},
	[EV_SITE]      = {"site", sizeof(struct ev_site), false, site_valid},
	[EV_COST]      = {"cost", sizeof(struct ev_cost), false, NULL},
	[EV_END]       = {"end", sizeof(struct ev_end), false, end_valid},
	[EV_PROCESS]   = {"process", sizeof(struct ev_process), false, process_valid},
	[EV_SNAP_GC]   = {"snap_gc", sizeof(struct ev_snap_gc), false, NULL},
	[EV_HEAP]      = {"heap", sizeof(struct ev_heap), false, NULL},
	[EV_INLINE]    = {"inline", sizeof(struct ev_inline), false, NULL},
	[EV_DAMAGE]    = {"damage", sizeof(struct ev_damage), false, damage_valid},
	[EV_SHED]      = {"shed", sizeof(struct ev_shed), false, shed_valid},
	[EV_MISSING]   = {"missing", sizeof(struct ev_missing), false, missing_valid},
	[EV_NOTICE]    = {"notice", sizeof(struct ev_notice), false, notice_valid},
};
/* clang-format on */

static const struct event_shape *shape_of(unsigned int type)
{
	if (type >= sizeof(shapes) / sizeof(shapes[0]) || !shapes[type].name)
		return NULL;
	return &shapes[type];
}

bool event_valid(const struct event_head *ev)
{
	const struct event_shape *s = shape_of(ev->type);

	if (!s || ev->size % 8)
		return false;
	if (s->tail ? ev->size < s->size : ev->size != s->size)
		return false;
	return !s->valid || s->valid(ev);
}

const char *event_type_name(unsigned int type)
{
	const struct event_shape *s = shape_of(type);

	return s ? s->name : NULL;
}
