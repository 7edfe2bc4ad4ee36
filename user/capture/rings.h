/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The rings of all CPUs, as maps: how large, made, and handed to the programs. */
#ifndef GSCOPE_CAPTURE_RINGS_H
#define GSCOPE_CAPTURE_RINGS_H

#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"

struct programs;

/*
 * Size of one ring for `cpus` CPUs: a power of two not less than 64 KiB. `total` bytes are
 * shared out, rounded up; 0 asks for a second of 500,000 records on the whole machine, and for
 * 4 MiB at least, as far as `memory`, the bytes of the machine, is 32 times what all rings are.
 */
uint64_t ring_size(uint64_t total, size_t cpus, uint64_t memory);

/* One for each CPU that is online; `total` as above. On an error what was made stays in *p. */
int rings_create(struct programs *p, uint64_t total, struct error *e);

/* The fd of one of them; all are alike. */
int rings_any(const struct programs *p);

/* Put them into the programs' `map`, and map `taken`, where the collector says what it has read. */
int rings_connect(struct programs *p, int map, int taken, struct error *e);

void rings_close(struct programs *p);

#endif
