/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From what a probe read of an annotation (struct user_piece) to what the capture file has of it. */
#ifndef GSCOPE_CAPTURE_ANNOTATION_H
#define GSCOPE_CAPTURE_ANNOTATION_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"
#include "user/target/modules.h"

union annotation {
	struct ev_user ev;
	char bytes[sizeof(struct ev_user) + 2 * USER_MAX_TEXT];
};

/*
 * Where the strings are that the probe could not read: nobody touched that page yet, as nobody
 * needs the name of a region while nobody traces. Only what never changes may be read that late.
 */
struct constants {
	int (*read)(void *ctx, uint64_t addr, void *buf, size_t len); /* 0 or a negative errno */
	void *ctx;
};

/* What is constant in the files that hold Go code; `m` must live as long. */
struct constants constants_modules(struct modules *m);

/*
 * A valid record (user/capture/event.c) from `raw`, whatever bytes the target passed: NULs become
 * question marks, what is too long is cut. -EBADMSG: no program sends such a record.
 */
int annotation_finish(union annotation *out, const struct ev_user *raw, const struct constants *c);

#endif
