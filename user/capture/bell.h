/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The BPF ring buffer by which the programs wake the collector; nothing in it is of interest. */
#ifndef GSCOPE_CAPTURE_BELL_H
#define GSCOPE_CAPTURE_BELL_H

struct bell {
	int fd; /* the caller's: readable, edge-triggered, when it was rung */
	unsigned long *heard;
	const unsigned long *rung;
};

/* Map map `fd`. Returns 0 or a negative errno; bell_close() in both cases. */
int bell_open(struct bell *b, int fd);
void bell_close(struct bell *b);

/* Up to now we have heard it; to be called before what it was rung for is looked at. */
void bell_hear(const struct bell *b);

#endif
