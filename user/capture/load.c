// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bpf/control.h"
#include "gscope.skel.h"
#include "user/base/files.h"
#include "user/capture/rings.h"

/*
 * Bytes put into a ring between two wake-ups of the collector, at most: so much is still in the
 * cache of a CPU when it is taken out.
 */
#define WAKE_MAX (512UL << 10)

/* BPF_LOG_STATS: what was found wrong, and no word of each instruction. */
#define LOG_STATS 4

/* Show what libbpf has to say only to those who look for a bug. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_DEBUG || !getenv("GSCOPE_DEBUG"))
		return 0;
	return vfprintf(stderr, fmt, args);
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool programs_is_tracepoint(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	return has_prefix(section, "tp_btf/") || has_prefix(section, "raw_tp/") ||
	       has_prefix(section, "tp/");
}

/* Those of the scheduler are called with interrupts disabled, or are rare. */
static bool is_twin_to_load(const struct features *f, const char *section)
{
	if (f->steady && strstr(section, "/sys_"))
		return has_prefix(section, "tp/");
	return has_prefix(section, f->typed ? "tp_btf/" : "raw_tp/");
}

/* What happens to threads between their birth and their death: the better part of what it costs. */
static bool is_of_kernel(const char *section)
{
	return strstr(section, "/sys_") || strstr(section, "/sched_switch") ||
	       strstr(section, "/sched_wak");
}

static bool is_wanted(const struct programs *p, const struct load_options *opt,
		      const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);
	enum dispensable d = dispensable_of(bpf_program__name(prog));

	if (d < DISPENSABLES && p->missing[d].why)
		return false;
	if (programs_is_tracepoint(prog))
		return is_twin_to_load(&p->has, section) &&
		       !(opt->no_kernel && is_of_kernel(section));
	if (bpf_program__type(prog) == BPF_PROG_TYPE_PERF_EVENT)
		return opt->samples;
	return opt->probed;
}

static void choose_programs(struct programs *p, const struct load_options *opt)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, p->skel->obj) {
		bpf_program__set_autoload(prog, is_wanted(p, opt, prog));
		if (bpf_program__type(prog) == BPF_PROG_TYPE_KPROBE && !p->has.multi)
			bpf_program__set_expected_attach_type(prog, 0);
	}
}

static int size_maps(struct programs *p, const struct load_options *opt)
{
	int err = bpf_map__set_max_entries(p->skel->maps.rings, (uint32_t)p->ncpus);

	if (!err)
		err = bpf_map__set_inner_map_fd(p->skel->maps.rings, rings_any(p));
	if (!err)
		err = bpf_map__set_max_entries(p->skel->maps.ring_taken, (uint32_t)p->ncpus);
	if (!err)
		err = bpf_map__set_max_entries(p->skel->maps.bell, (uint32_t)sysconf(_SC_PAGESIZE));
	if (!err && opt->sites)
		err = bpf_map__set_max_entries(p->skel->maps.site_hits, (uint32_t)opt->sites);
	return err;
}

/* Open the object, choose, and set what is constant once it is loaded. */
static int prepare(struct programs *p, const struct load_options *opt, struct error *e)
{
	int err;

	p->skel = gscope_bpf__open();
	if (!p->skel)
		return error_set(e, EXIT_FAILED, -errno, "cannot open the BPF programs: %s",
				 strerror(errno));
	choose_programs(p, opt);
	p->skel->rodata->switch_has_state = p->has.switch_has_state;
	p->skel->rodata->exit_has_last = p->has.exit_has_last;
	p->skel->rodata->system_wide = opt->system_wide;
	p->skel->rodata->wake_bytes =
		(uint32_t)(p->ring_bytes / 8 < WAKE_MAX ? p->ring_bytes / 8 : WAKE_MAX);
	p->skel->rodata->any_bare = opt->bare;
	p->skel->rodata->any_probed = opt->probed;
	p->skel->rodata->ring_bytes = p->ring_bytes;
	p->skel->rodata->ring_mask = (uint32_t)(p->ring_bytes / RING_CHUNK - 1);
	err = size_maps(p, opt);
	if (err)
		return error_set(e, EXIT_FAILED, err, "cannot size the BPF maps: %s",
				 strerror(-err));
	return 0;
}

static void discard(struct programs *p)
{
	gscope_bpf__destroy(p->skel);
	p->skel = NULL;
}

/*
 * Load a single program, or none, and take it away again: 0, or why not in *r. What the kernel says of
 * one is not mixed up with others then.
 */
static int try_one(struct programs *p, const struct load_options *opt, const char *name,
		   struct refused *r, struct error *e)
{
	struct bpf_program *prog;
	int err;

	r->log[0] = 0;
	r->err = 0;
	err = prepare(p, opt, e);
	if (err)
		return err;
	bpf_object__for_each_program(prog, p->skel->obj) {
		bool it = name && !strcmp(bpf_program__name(prog), name);

		bpf_program__set_autoload(prog, it);
		if (it) {
			bpf_program__set_log_level(prog, LOG_STATS);
			bpf_program__set_log_buf(prog, r->log, sizeof(r->log));
		}
	}
	r->err = gscope_bpf__load(p->skel);
	discard(p);
	return 0;
}

/* The names of those that are to be loaded; the caller frees the array. */
static size_t wanted_names(struct programs *p, char (**out)[PROGRAM_NAME])
{
	struct bpf_program *prog;
	size_t n = 0;

	*out = NULL;
	bpf_object__for_each_program(prog, p->skel->obj)
		n++;
	*out = calloc(n + 1, sizeof(**out));
	n = 0;
	bpf_object__for_each_program(prog, p->skel->obj)
		if (*out && bpf_program__autoload(prog))
			snprintf((*out)[n++], PROGRAM_NAME, "%s", bpf_program__name(prog));
	return n;
}

/* One that can be missed. */
static int leave_out(struct programs *p, enum dispensable d, const struct refused *r,
		     struct error *e)
{
	char why[MISSING_WHY];

	refused_reason(r, why, sizeof(why));
	p->missing[d] = (struct missing){.why = strdup(why), .err = r->err};
	return p->missing[d].why ? 0 : error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
}

/* Not before it is certain that there is a trace without. */
static void name_missing(const struct programs *p, FILE *messages)
{
	for (unsigned int d = 0; messages && d < DISPENSABLES; d++)
		if (p->missing[d].why)
			fprintf(messages,
				"gscope: the kernel refuses BPF program %s: %s; not seen will be: %s\n",
				dispensable_program(d), p->missing[d].why, dispensable_shows(d));
}

/*
 * The kernel has refused the programs, for `err`: leave out those it refuses that can be missed. Fails
 * with an error that says why if that is no way out.
 */
static int find_refused(struct programs *p, const struct load_options *opt, int err, size_t *found,
			struct error *e)
{
	struct refused *r = calloc(1, sizeof(*r));
	char(*names)[PROGRAM_NAME];
	size_t n = wanted_names(p, &names);

	discard(p);
	*found = 0;
	if (files_lacking(err)) {
		free(names);
		free(r);
		return error_set(e, EXIT_FAILED, err, "cannot load the BPF programs: %s",
				 strerror(-err));
	}
	if (!r || !names) {
		free(names);
		free(r);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	/* the maps alone, then each with them */
	if (!try_one(p, opt, NULL, r, e) && r->err) {
		err = refused_explain(r, NULL, e);
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		enum dispensable d = dispensable_of(names[i]);
		int failed = try_one(p, opt, names[i], r, e);

		if (!failed && !r->err)
			continue;
		(*found)++;
		if (!failed && d < DISPENSABLES)
			failed = leave_out(p, d, r, e);
		else if (!failed)
			failed = refused_explain(r, names[i], e);
		if (failed) {
			err = failed;
			n = *found = 0;
		}
	}
	if (n && !*found) {
		/* each by itself can be loaded */
		r->err = err;
		r->log[0] = 0;
		refused_explain(r, NULL, e);
	}
	free(names);
	free(r);
	return *found ? 0 : err;
}

static int load(struct programs *p, const struct load_options *opt, struct error *e)
{
	size_t found = 0;
	int err = prepare(p, opt, e), failed;

	if (err)
		return err;
	err = gscope_bpf__load(p->skel);
	if (!err)
		return 0;
	failed = find_refused(p, opt, err, &found, e);
	if (!failed)
		failed = prepare(p, opt, e);
	if (failed)
		return failed;
	err = gscope_bpf__load(p->skel);
	if (!err) {
		name_missing(p, opt->messages);
		return 0;
	}
	return error_set(e, EXIT_FAILED, err, "the kernel refuses the BPF programs: %s",
			 strerror(-err));
}

int programs_load_with(struct programs **out, const struct load_options *opt,
		       const struct features *has, struct error *e)
{
	struct programs *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	libbpf_set_print(print_libbpf);
	p->has = *has;
	err = rings_create(p, opt->buffer_bytes, e);
	if (!err)
		err = load(p, opt, e);
	if (!err)
		err = rings_connect(p, bpf_map__fd(p->skel->maps.rings),
				    bpf_map__fd(p->skel->maps.ring_taken), e);
	if (err) {
		programs_close(p);
		return err;
	}
	*out = p;
	return 0;
}

int programs_load(struct programs **out, const struct load_options *opt, struct error *e)
{
	struct features has;
	int err;

	libbpf_set_print(print_libbpf);
	err = features_allowed(e);
	if (!err)
		err = features_find(&has, e);
	/* where the kernel cannot take many at once, each has a link */
	if (!err && !has.multi)
		err = files_check(opt->sites, e);
	return err ? err : programs_load_with(out, opt, &has, e);
}

void programs_close(struct programs *p)
{
	if (!p)
		return;
	rings_close(p);
	for (int d = 0; d < DISPENSABLES; d++)
		free(p->missing[d].why);
	gscope_bpf__destroy(p->skel);
	free(p);
}
