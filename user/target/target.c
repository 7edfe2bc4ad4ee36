// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/confine.h"

/*
 * The id that a new goroutine gets when its P has used up its share. Go 1.23 hands ids out only
 * after the last place in newproc1 where the creation of a coroutine can be seen. It is the first
 * field of schedt (runtime/runtime2.go).
 */
static int find_goidgen(struct target *t, struct error *e)
{
	if (t->build.go_minor != 23)
		return 0;
	if (!t->globals.goidgen || t->layout.p.goidcache < 0 || t->layout.p.goidcacheend < 0)
		return error_set(e, EXIT_TARGET, -ENOENT,
				 "%.200s: gscope cannot find runtime.%s in it, which it needs to "
				 "know the ids of coroutines; please report it with the output of "
				 "`go version -m`",
				 t->process->exe,
				 t->globals.goidgen ? "p.goidcache" : "sched.goidgen");
	t->goidgen = t->globals.goidgen;
	return 0;
}

/* In a library it was decided when the program was started where g is in thread-local storage. */
static int read_tls_slot(struct target *t, struct error *e)
{
	struct layout *l = &t->layout;
	int64_t off;
	int err;

	if (!l->tls_slot)
		return 0;
	err = target_process_read(t->process, l->tls_slot, &off, sizeof(off));
	if (err || off >= 0 || off < INT32_MIN)
		return error_set(e, EXIT_TARGET, -EPROTO,
				 "%.200s: where its threads keep g cannot be read from %#llx",
				 t->process->exe, (unsigned long long)l->tls_slot);
	l->tls_g = (int32_t)off;
	return 0;
}

/* Append the sites of a plugin, which are its own: file number `module`. */
static int add_sites(struct sites *s, const struct sites *more, uint16_t module, struct error *e)
{
	struct site *bigger = realloc(s->v, (s->n + more->n + 1) * sizeof(*s->v));

	if (!bigger)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	s->v = bigger;
	for (size_t i = 0; i < more->n; i++) {
		s->v[s->n] = more->v[i];
		s->v[s->n].module = module;
		s->v[s->n++].must_hit = false;
	}
	return 0;
}

int target_plan_module(struct target *t, size_t module, struct sites *out, struct error *e)
{
	const struct module *v = t->modules->v[module];

	return sites_plan(out, v->elf, &t->build, v->pcln, v->bias, e);
}

/*
 * The code of a plugin calls the copy of the runtime that is in its own file. What is missing there
 * is not linked, so it is not called.
 */
static int plan_sites(struct target *t, struct error *e)
{
	const struct modules *m = t->modules;
	int err = sites_plan(&t->sites, t->elf, &t->build, t->pcln, t->bias, e);

	for (size_t i = 1; i < m->n && !err; i++) {
		struct module *v = m->v[i];
		struct sites more;

		if (!v->runtime || v->stranger)
			continue;
		err = target_plan_module(t, i, &more, e);
		if (!err) {
			err = add_sites(&t->sites, &more, (uint16_t)i, e);
			sites_free(&more);
		}
	}
	return err;
}

int target_add_sites(struct target *t, size_t module, const struct sites *more, struct error *e)
{
	return add_sites(&t->sites, more, (uint16_t)module, e);
}

static int read_layout_confined(void *ctx, void *layout, struct error *e)
{
	const struct target *t = ctx;

	return layout_read(layout, t->elf, &t->build, t->pcln, t->bias, e);
}

/*
 * libdw, which reads the file of the target, is large and not made for hostile files: it works in a process that can
 * do nothing else.
 */
static int read_layout(struct target *t, struct error *e)
{
	return confine_run(read_layout_confined, t, &t->layout, sizeof(t->layout), e);
}

/* What comes first of all that is found out; the rest needs it. */
static int open_modules(struct target *t, struct error *e)
{
	int err = modules_open(&t->modules, t->process, &t->build, e);

	if (err)
		return err;
	t->fd = t->modules->v[0]->fd;
	t->elf = t->modules->v[0]->elf;
	t->bias = t->modules->v[0]->bias;
	t->pcln = t->modules->v[0]->pcln;
	return 0;
}

static int find_globals(struct target *t, struct error *e)
{
	int err = globals_find(&t->globals, t->elf, t->pcln, t->bias, e);

	return err ? err : globals_check(&t->globals, &t->layout, t->process, e);
}

static int find_counters(struct target *t, struct error *e)
{
	unsigned int minor = (unsigned int)t->build.go_minor;

	(void)e;
	heap_find(&t->heap, t->globals.gc_controller, minor, t->elf, t->pcln, t->bias);
	work_find(&t->work, &t->layout, minor, t->elf, t->pcln, t->bias);
	return 0;
}

/* What it is, once the process itself is open. Each step takes a second at most, whatever its file says. */
static int open_parts(struct target *t, struct error *e)
{
	static int (*const steps[])(struct target * t, struct error * e) = {
		open_modules,  read_layout, read_tls_slot, find_globals,
		find_counters, plan_sites,  find_goidgen,
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int err = steps[i](t, e);

		if (!err && target_process_stopped(t->process))
			err = error_set(e, EXIT_INTERRUPTED, -EINTR,
					"interrupted while gscope looked at its program");
		if (err)
			return err;
	}
	return 0;
}

/* Say which process a message about a file is for. */
static void name_pid(struct error *e, pid_t pid)
{
	char text[sizeof(e->text)];

	if (!e || !strncmp(e->text, "pid ", 4))
		return;
	memcpy(text, e->text, sizeof(text));
	snprintf(e->text, sizeof(e->text), "pid %d: %.480s", (int)pid, text);
}

static void close_parts(struct target *t)
{
	sites_free(&t->sites);
	buildinfo_free(&t->build);
	modules_close(t->modules);
}

void target_set_plain(struct target *t, const struct error *why)
{
	char prefix[32];
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "pid %d: ", (int)t->process->pid);

	snprintf(t->plain, sizeof(t->plain), "%s",
		 why->text + (strncmp(why->text, prefix, len) ? 0 : len));
}

/* Whether what failed leaves a process whose threads can be traced all the same; then it is one. */
static bool make_plain(struct target *t, const struct error *e)
{
	struct target_process *p = t->process;

	if (e->status != EXIT_TARGET || !target_process_same(p))
		return false;
	close_parts(t);
	*t = (struct target){.process = p};
	target_set_plain(t, e);
	return true;
}

static int open_target(pid_t pid, const volatile sig_atomic_t *stop, bool any, struct target **out,
		       struct error *e)
{
	struct target *t = calloc(1, sizeof(*t));
	int err;

	*out = NULL;
	if (!t)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	err = target_process_open(pid, &t->process, e);
	if (!err) {
		t->process->stop = stop;
		err = open_parts(t, e);
		/* then whatever else failed, failed for that */
		if (!target_process_same(t->process))
			err = error_set(e, EXIT_TARGET, -ESRCH,
					"pid %d ended, or started another program, while gscope "
					"looked at it",
					(int)pid);
		if (err && any && make_plain(t, e))
			err = 0;
	}
	if (err) {
		name_pid(e, pid);
		target_close(t);
		return err;
	}
	*out = t;
	return 0;
}

int target_open(pid_t pid, struct target **out, struct error *e)
{
	return open_target(pid, NULL, false, out, e);
}

int target_open_any(pid_t pid, const volatile sig_atomic_t *stop, struct target **out,
		    struct error *e)
{
	return open_target(pid, stop, true, out, e);
}

void target_close(struct target *t)
{
	if (!t)
		return;
	close_parts(t);
	target_process_close(t->process);
	free(t);
}
