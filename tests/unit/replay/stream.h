/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A made-up capture, record by record, and what the replay says of it. */
#ifndef GSCOPE_TESTS_UNIT_REPLAY_STREAM_H
#define GSCOPE_TESTS_UNIT_REPLAY_STREAM_H

#include "user/replay/replay.h"

#define STREAM_TGID 100
#define G_ADDR(id) (0xc000000000ULL + (uint64_t)(id)*0x1000)
#define P_ADDR(id) (0xc800000000ULL + (uint64_t)(id)*0x1000)
#define M_ADDR(tid) (0xd000000000ULL + (uint64_t)(tid)*0x1000)

struct stream {
	struct replay *replay;
	uint64_t time; /* every record is one microsecond after the one before */
	char text[1 << 16]; /* one line for every transition told */
	size_t len;
	/* the independent check of the rules, see stream.c */
	unsigned int broken;
	char broken_text[256];
	struct check *check;
};

/* Go 1.`minor`, Ps 0..nprocs-1, idle; not yet ready. */
void stream_open(struct stream *s, int minor, int nprocs);
void stream_close(struct stream *s);
void stream_add(struct stream *s, struct event_head *h, unsigned int type, size_t size,
		uint32_t tid);

void stream_ready(struct stream *s);
void stream_snap_m(struct stream *s, uint32_t tid, int g, int p);
void stream_snap_g(struct stream *s, int g, int status, uint32_t tid);
/* p, g < 0: none */
void stream_go(struct stream *s, enum go_kind kind, uint32_t tid, int p, int g, int other);
/* The same where g ends: the switch, and gdestroy behind it. */
void stream_switch_exit(struct stream *s, uint32_t tid, int p, int g, int other);
void stream_sys_enter(struct stream *s, uint32_t tid, int g, int p, int gstatus);
void stream_sys_exit(struct stream *s, uint32_t tid, int g, int p, int oldp, int oldp_status,
		     int gstatus);
/* A whole call that the runtime makes on its system stack, while it acts for g. */
void stream_sys_runtime(struct stream *s, uint32_t tid, int g, int p);
void stream_switch(struct stream *s, uint32_t prev, int g, int p, uint32_t prev_state,
		   uint32_t next);

/* p, g < 0: none */
void stream_runtime(struct stream *s, enum runtime_kind kind, uint32_t tid, int p, int g,
		    uint64_t arg);
/* The same about another P: arg[0] is its address. */
void stream_runtime_proc(struct stream *s, enum runtime_kind kind, uint32_t tid, int p, int g,
			 int other);
/* name and text may be NULL. */
void stream_user(struct stream *s, enum user_kind kind, uint32_t tid, int p, int g, uint64_t task,
		 const char *name, const char *text);
void stream_labels(struct stream *s, uint32_t tid, int p, int g, const char *pairs, size_t len);

/* The text so far equals `expected`; prints both if not. Empties it. */
bool stream_expect(struct stream *s, const char *expected);

#endif
