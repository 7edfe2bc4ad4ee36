// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Go code that a target loads while it is traced. A plugin has a copy of the runtime's code, which is
 * planned and probed as one that was there at the beginning. A library may have a runtime of its own: that is said.
 *
 * The runtime's list of modules tells of plugins at once; of the other kind only what is mapped tells.
 */
#include "user/capture/session_state.h"

#include <errno.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/base/text.h"

#define MAPS_NS 500000000 /* between looks at what is mapped */
#define PART 20 /* of the time it may take, at most */
#define SETTLE_NS 300000000 /* a module that is not linked by then never will be */

void session_modules_begin(struct capture_session *s, size_t i)
{
	const struct target *t = s->traced[i].t;
	struct watched *w = &s->watched[i];

	w->own = !target_has_goroutines(t);
	if (!w->own)
		w->modules = t->modules;
	else if (modules_open_none(&w->modules, t->process))
		return;
	w->known = w->modules->n;
	w->linked = modules_linked(w->modules);
	w->missed = w->linked > w->known ? w->linked - w->known : 0;
	w->looked_ns = now_ns();
}

void session_modules_end(struct capture_session *s, size_t i)
{
	struct watched *w = &s->watched[i];

	if (w->own)
		modules_close(w->modules);
	w->modules = NULL;
	w->own = false;
}

/* One line; what comes from the target is made fit for a terminal. */
static void say(const struct capture_session *s, const struct traced *t, const char *text,
		const char *file, const char *more)
{
	char clean[512];

	if (!s->opt.messages)
		return;
	snprintf(clean, sizeof(clean), "%s%.250s%s", text, file, more);
	text_clean(clean);
	fprintf(s->opt.messages, "gscope: pid %u: %s\n", t->tgid, clean);
}

static int say_unseen(struct capture_session *s, const struct traced *t, const char *file,
		      const char *why, struct error *e)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "a plugin was loaded: what goroutines do in its copy of the runtime is not seen "
		 "(%.100s); trace again to see it",
		 why);
	say(s, t, text, "", "");
	return session_notice(s, t, NOTICE_MODULE, file, e);
}

/* The sites that would have been left out at the beginning, too. */
static void leave_some(const struct capture_session *s, struct sites *sites)
{
	if (!s->opt.full)
		sites_leave_full(sites);
	sites_leave(sites, SITE_SYSCALL_ENTER);
	sites_leave(sites, SITE_SYSCALL_EXIT);
}

static int attach(struct capture_session *s, size_t i, size_t module, size_t before,
		  struct error *e)
{
	const struct traced *t = &s->traced[i];
	struct watched *w = &s->watched[i];
	int err = 0;

	/* who makes a system call in code without stubs only tracepoints tell */
	w->late = true;
	session_choose_stacks(s, i);
	for (size_t k = before; k < t->t->sites.n && !err; k++)
		err = session_record_site(s, t, k, now_ns(), e);
	if (err || !s->guarded[i].probing)
		return err;
	return attach_module_late(&s->probe_links[i], s->programs, t->t, module, t->first_site,
				  s->opt.messages, e);
}

/* A plugin has come: 0, or an error of ours; what stands in the way of probes is said. */
static int take_plugin(struct capture_session *s, size_t i, size_t module, struct error *e)
{
	struct traced *t = &s->traced[i];
	const char *file = elf_file_name(t->t->modules->v[module]->elf);
	size_t before = t->t->sites.n, room = t->may_have - before;
	struct sites sites = {0};
	struct error why = {0};
	int err;

	if (!room)
		return say_unseen(s, t, file, "there are too many", e);
	err = target_plan_module(t->t, module, &sites, &why);
	if (!err)
		leave_some(s, &sites);
	if (!err && sites.n > room) {
		t->may_have = (uint32_t)before;
		err = error_set(&why, EXIT_TARGET, -E2BIG, "there are too many");
	}
	if (!err)
		err = target_add_sites(t->t, module, &sites, &why);
	sites_free(&sites);
	if (!err)
		err = attach(s, i, module, before, &why);
	if (err == -ENOMEM) {
		*e = why;
		return err;
	}
	if (err)
		return say_unseen(s, t, file, why.text, e);
	say(s, t, "a plugin was loaded: ", file,
	    ": what goroutines do in its copy of the runtime is seen from here on");
	return session_notice(s, t, NOTICE_PLUGIN, file, e);
}

static int take_library(struct capture_session *s, size_t i, const char *file, struct error *e)
{
	say(s, &s->traced[i], file, " was loaded, which has a Go runtime of its own: ",
	    s->watched[i].own ? "its goroutines are not seen; trace again to see them" :
				"its goroutines are not seen");
	return session_notice(s, &s->traced[i], NOTICE_RUNTIME, file, e);
}

/* Modules that are new. A plugin is one of the runtime's own only once that has linked it. */
static int take_new(struct capture_session *s, size_t i, struct error *e)
{
	struct watched *w = &s->watched[i];
	int err = 0;

	while (w->known < w->modules->n && !err) {
		const struct module *v = w->modules->v[w->known];
		bool stranger = w->own || modules_is_stranger(w->modules, w->known);

		if (!w->own && stranger && now_ns() - v->found_ns < SETTLE_NS)
			break;
		w->known++;
		if (!v->runtime)
			continue;
		if (stranger)
			err = take_library(s, i, elf_file_name(v->elf), e);
		else if (session_probes_of(s, &s->traced[i]))
			err = take_plugin(s, i, w->known - 1, e);
	}
	return err;
}

/* What the runtime has linked, and is in no file that can be found. */
static int tell_missed(struct capture_session *s, size_t i, struct error *e)
{
	struct watched *w = &s->watched[i];
	size_t found = 0;

	for (size_t k = 0; k < w->modules->n; k++)
		found += !w->modules->v[k]->stranger;
	if (w->linked <= found + w->missed)
		return 0;
	w->missed = w->linked - found;
	return session_probes_of(s, &s->traced[i]) ?
		       say_unseen(s, &s->traced[i], "", "its file cannot be opened", e) :
		       0;
}

int session_modules_watch(struct capture_session *s, size_t i, struct error *e)
{
	struct watched *w = &s->watched[i];
	uint64_t now = now_ns();
	size_t linked;
	int err;

	if (!w->modules || now < w->looked_ns + w->pause_ns)
		return 0;
	linked = modules_linked(w->modules);
	if (linked <= w->linked && now < w->looked_ns + MAPS_NS && w->known == w->modules->n)
		return 0;
	if (linked > w->linked || now >= w->looked_ns + MAPS_NS)
		modules_refresh(w->modules, linked > w->linked);
	err = take_new(s, i, e);
	if (!err && linked > w->linked) {
		w->linked = linked;
		err = tell_missed(s, i, e);
	}
	w->looked_ns = now_ns();
	w->pause_ns = (w->looked_ns - now) * PART;
	return err;
}
