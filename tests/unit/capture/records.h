/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Records of every type, for tests. */
#ifndef GSCOPE_TESTS_UNIT_CAPTURE_RECORDS_H
#define GSCOPE_TESTS_UNIT_CAPTURE_RECORDS_H

#include "bpf/event.h"

/*
 * Write one valid record of a type to buf (65536 bytes, 8-aligned), its fields set to values that
 * depend on seed. Records with a tail get `tail` elements (frames, letters). Returns its head.
 */
struct event_head *record_make(void *buf, unsigned int type, unsigned int tail, unsigned int seed);

#endif
