// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What happens to targets meanwhile that explains why nothing, or not all, is seen of them: they are
 * looked at a few times a second.
 */
#include "user/capture/session_state.h"

#include <errno.h>
#include <string.h>

#include "user/base/clock.h"

#define WATCH_NS 50000000

static const enum notice notices[] = {
	[HELD_NOT] = NOTICE_GOES_ON,
	[HELD_STOPPED] = NOTICE_STOPPED,
	[HELD_TRACED] = NOTICE_TRACED,
	[HELD_FROZEN] = NOTICE_FROZEN,
};

int session_notice(struct capture_session *s, const struct traced *t, enum notice what,
		   const char *text, struct error *e)
{
	struct ev_notice ev = {
		.h = {.time_ns = now_ns(), .tid = t->tgid, .type = EV_NOTICE, .size = sizeof(ev)},
		.tgid = t->tgid,
		.what = what,
	};
	size_t len = strlen(text), skip = len < sizeof(ev.text) ? 0 : len - sizeof(ev.text) + 1;

	/* of a path the end says more */
	snprintf(ev.text, sizeof(ev.text), "%s", text + skip);
	return record_add(&s->own, &ev.h, e);
}

static void say_held(const struct capture_session *s, const struct traced *t, enum held held)
{
	static const char *const texts[] = {
		[HELD_STOPPED] = "stopped: nothing will happen until it is continued (kill -CONT",
		[HELD_TRACED] = "stopped by a debugger: nothing will happen until that lets it go "
				"on (see TracerPid in /proc/PID/status;",
		[HELD_FROZEN] = "frozen by its cgroup: nothing will happen until that is thawed "
				"(docker unpause, systemctl thaw;",
	};

	if (held != HELD_NOT && s->opt.messages)
		fprintf(s->opt.messages, "gscope: process %u is %s %u)\n", t->tgid, texts[held],
			t->tgid);
}

void session_watch_begin(struct capture_session *s)
{
	for (size_t i = 0; i < s->opt.ntargets; i++) {
		struct watched *w = &s->watched[i];
		const struct traced *t = &s->traced[i];

		held_open(&w->freezer, t->t->process);
		say_held(s, t, held_look(&w->freezer, t->t->process));
		session_modules_begin(s, i);
	}
}

static int watch_held(struct capture_session *s, size_t i, struct error *e)
{
	struct watched *w = &s->watched[i];
	enum held held = held_look(&w->freezer, s->traced[i].t->process);

	if (held == w->held)
		return 0;
	w->held = held;
	return session_notice(s, &s->traced[i], notices[held], "", e);
}

int session_watch(struct capture_session *s, bool now, struct error *e)
{
	int err = 0;

	if (!now && now_ns() - s->watched_ns < WATCH_NS)
		return 0;
	s->watched_ns = now_ns();
	for (size_t i = 0; i < s->opt.ntargets && !err; i++) {
		if (s->traced[i].gone)
			continue;
		err = watch_held(s, i, e);
		if (!err)
			err = session_modules_watch(s, i, e);
	}
	return err;
}

void session_watch_end(struct capture_session *s)
{
	for (size_t i = 0; s->watched && i < s->opt.ntargets; i++) {
		held_close(&s->watched[i].freezer);
		session_modules_end(s, i);
	}
}
