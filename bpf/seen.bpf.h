/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which goroutine is where, for targets in which no probe tells. */
#ifndef GSCOPE_SEEN_BPF_H
#define GSCOPE_SEEN_BPF_H

#include "bpf/go.bpf.h"

/* Tell that goroutine `goid` is at `gp`; `before`: time of a record that shall come behind it. */
int goroutine_tell(__u64 gp, __u64 goid, __u64 before);

/*
 * Tell where goroutine `curg` is, for which the current thread works that is about to leave its CPU;
 * `g` is that in thread-local storage. Call it from a switch only.
 */
int off_cpu(__u64 g, __u64 curg);

/* A goroutine that was told of. */
struct seen_goroutine {
	__u64 gp; /* 0 while the others change */
	__u64 goid;
	__u64 tgid;
};

/* By address. A newcomer replaces whatever is in its place, which is told once more if it is back. */
#define SEEN_GOROUTINES (1U << 15)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SEEN_GOROUTINES);
	__type(key, __u32);
	__type(value, struct seen_goroutine);
} seen_goroutines __weak SEC(".maps");

static __always_inline struct seen_goroutine *seen_place(__u64 gp, __u32 tgid)
{
	/* a g has 384 to 512 bytes */
	__u32 key = (gp >> 6 ^ gp >> 21 ^ tgid * 0x9e37U) & (SEEN_GOROUTINES - 1);

	return bpf_map_lookup_elem(&seen_goroutines, &key);
}

static __always_inline void goroutine_seen(__u64 gp, __u64 goid, __u32 tgid, __u64 before)
{
	const struct seen_goroutine *s = seen_place(gp, tgid);

	if (!goid || !s || (s->gp == gp && s->goid == goid && s->tgid == tgid))
		return;
	goroutine_tell(gp, goid, before);
}

#endif
