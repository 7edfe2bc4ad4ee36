/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Attaching the loaded programs: to the kernel's tracepoints and to the targets' probe sites. */
#ifndef GSCOPE_CAPTURE_ATTACH_H
#define GSCOPE_CAPTURE_ATTACH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "user/base/error.h"
#include "user/capture/load.h"
#include "user/target/target.h"

struct bpf_link;
struct guardian;
struct inline_engine;

/* Links in order of attaching. */
struct links {
	struct bpf_link **v;
	size_t n, room;
};

/* Those of probes, in order of attaching. The guardian makes and closes them; NULL: this process does. */
struct probe_links {
	struct guardian *guardian;
	int *v; /* file descriptors */
	size_t n, room;
};

/* All tracepoint programs. On an error what was attached stays in *l. */
int attach_tracepoints(struct links *l, const struct programs *p, struct error *e);

/*
 * The probes of target `t`, whose sites are numbered from `first_site` on. A site that cannot be
 * probed is named on `messages` (may be NULL), with what will be missing. Those that `but` (may be
 * NULL) has are left to it. EXIT_TARGET errors:
 * nothing can be probed, or what there is to trace at all cannot.
 */
int attach_probes(struct probe_links *l, const struct programs *p, const struct target *t,
		  const struct inline_engine *but, uint32_t first_site, FILE *messages,
		  struct error *e);

/*
 * The same of one module, which was loaded since (target_add_sites()): all of its sites, as no other engine
 * has them.
 */
int attach_module_late(struct probe_links *l, const struct programs *p, const struct target *t,
		       size_t module, uint32_t first_site, FILE *messages, struct error *e);

/* The empty program at one instruction of our own process; its file offset in /proc/self/exe. */
int attach_empty(struct probe_links *l, const struct programs *p, uint64_t file_off);

/* Add `link`; -ENOMEM: it was destroyed. */
int links_keep(struct links *l, struct bpf_link *link);

void links_close(struct links *l);

/* Detach all, from the first, of the busiest probes, on. The guardian stays. */
void probe_links_close(struct probe_links *l);

/* The attach cookie of a site, which is number `number` of all: bpf/control.h. */
uint64_t site_cookie(const struct site *site, uint32_t number);

/* enum go_kind of a site, as its records have it. */
uint8_t site_go_kind(enum site_kind kind);

#endif
