/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Telling the sinks, and when that is. */
#ifndef GSCOPE_REPLAY_TELL_H
#define GSCOPE_REPLAY_TELL_H

#include "user/replay/internal.h"

#define TELL(r, op, ...)                                                      \
	do {                                                                  \
		for (size_t i_ = 0; i_ < (r)->nsinks && !(r)->status; i_++) { \
			const struct sink *s_ = &(r)->sinks[i_];              \
			int err_ = 0;                                         \
                                                                              \
			if (s_->ops->op)                                      \
				err_ = s_->ops->op(s_->ctx, __VA_ARGS__);     \
			if (err_ < 0)                                         \
				(r)->status = err_;                           \
		}                                                             \
	} while (0)

/*
 * Times of transitions strictly increase: no reader has to guess the order of equal stamps. This
 * is the one of a transition that happened at `time`, or right behind the last one told.
 */
static inline uint64_t stamp_at(struct replay *r, uint64_t time)
{
	r->last = time > r->last ? time : r->last + 1;
	return r->last;
}

static inline uint64_t stamp(struct replay *r)
{
	return stamp_at(r, r->now);
}

/* Whether transitions of this process are told. */
static inline bool loud(const struct process *ps)
{
	return ps->ready && !ps->gone;
}

#endif
