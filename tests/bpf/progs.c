// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Loads every BPF program this was built with, as gscope does, and prints a line for each: name,
 * instructions, instructions the verifier has processed, bytes of stack. Each twin has its turn,
 * whatever the kernel at hand would have. Fails if one is refused or takes too much.
 */
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "gscope.skel.h"
#include "tests/unit/capture/depth.h"
#include "user/capture/load.h"

#define MOST_PROCESSED 100000
#define MOST_PROGRAMS 64

struct seen {
	char names[MOST_PROGRAMS][PROGRAM_NAME];
	size_t n;
};

static bool is_new(struct seen *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->names[i], name))
			return false;
	if (s->n < MOST_PROGRAMS)
		snprintf(s->names[s->n++], PROGRAM_NAME, "%s", name);
	return true;
}

/* False: it takes too much. */
static bool show(const struct bpf_program *prog)
{
	struct code c = {bpf_program__insns(prog), bpf_program__insn_cnt(prog)};
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int depth = depth_of(&c, 0, 0);

	if (bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len)) {
		perror("bpf_prog_get_info_by_fd");
		return false;
	}
	printf("%s %zu %u %d\n", bpf_program__name(prog), c.n, info.verified_insns, depth);
	return info.verified_insns <= MOST_PROCESSED && depth <= BPF_STACK;
}

/* All programs for a kernel that has that. */
static bool show_all(const struct features *has, struct seen *seen)
{
	const struct load_options opt = {
		.probed = true, .bare = true, .samples = true, .messages = stderr};
	struct programs *programs;
	struct bpf_program *prog;
	struct error e;
	bool good = true;

	if (programs_load_with(&programs, &opt, has, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return false;
	}
	for (int d = 0; d < DISPENSABLES; d++)
		good = good && !programs->missing[d].why;
	bpf_object__for_each_program(prog, programs->skel->obj)
		if (bpf_program__fd(prog) >= 0 && is_new(seen, bpf_program__name(prog)))
			good = show(prog) && good;
	programs_close(programs);
	return good;
}

static bool all_seen(struct seen *seen)
{
	struct gscope_bpf *skel = gscope_bpf__open();
	struct bpf_program *prog;
	bool all = skel != NULL;

	if (!skel)
		return false;
	bpf_object__for_each_program(prog, skel->obj) {
		if (!is_new(seen, bpf_program__name(prog)))
			continue;
		fprintf(stderr, "%s was not loaded\n", bpf_program__name(prog));
		all = false;
	}
	gscope_bpf__destroy(skel);
	return all;
}

int main(void)
{
	static struct seen seen;
	struct features has;
	struct error e;
	bool good;

	if (features_allowed(&e) || features_find(&has, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	has.typed = true;
	has.steady = false;
	good = show_all(&has, &seen);
	has.steady = true;
	good = show_all(&has, &seen) && good;
	has.typed = has.steady = has.multi = false;
	good = show_all(&has, &seen) && good;
	return all_seen(&seen) && good ? 0 : 1;
}
