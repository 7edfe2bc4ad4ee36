/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Damaged binaries for libFuzzer. A binary is too long an input; so an input is the number of a
 * real one (a byte) and a list of changes to it (struct change). Places that matter - headers,
 * the heads of sections, the code and the table entries of the scheduler's functions - can be
 * chosen as easily as all the rest of the file.
 */
#ifndef GSCOPE_TESTS_FUZZ_DAMAGE_H
#define GSCOPE_TESTS_FUZZ_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/target/buildinfo.h"
#include "user/target/elf.h"
#include "user/target/pclntab.h"

/* One change, as it is in the input. */
struct change {
	uint8_t region; /* CHANGE_CUT: the file ends at `at`; otherwise modulo their number */
	uint8_t how; /* enum change_how << 4, number of bytes - 1 in the low three bits */
	uint8_t repeat; /* so many more times, one behind the other */
	uint8_t unused;
	uint32_t at; /* in the region, modulo its length */
	uint64_t value;
} __attribute__((packed));

#define CHANGE_CUT 0xff

enum change_how { CHANGE_SET, CHANGE_ADD, CHANGE_XOR, CHANGE_HOWS };

/* A damaged binary, as far as it could be read. */
struct damaged {
	int fd;
	struct elf_file *elf; /* NULL: refused */
	struct buildinfo build;
	bool has_build;
	struct pclntab *pcln; /* NULL: refused */
};

/* How far to read. */
enum damaged_depth { DAMAGED_FD, DAMAGED_ELF, DAMAGED_BUILD, DAMAGED_PCLN };

/*
 * Make the binary that the input stands for and read it. What reading refuses is left out, but
 * refused it must be as the user wants it: with a message. Ends with damaged_close(), which
 * also aborts if all of it took more CPU time than it may.
 */
void damaged_open(struct damaged *d, const uint8_t *data, size_t size, enum damaged_depth depth);
void damaged_close(struct damaged *d);

/* Abort unless `err` and `e` are a success, or a refusal that says why. */
void damaged_check(int err, const struct error *e);

/* Number `i` of addresses worth asking for, from the input and the binary: false past the end. */
bool damaged_address(size_t i, uint64_t *vaddr);

/* Volatile, or reads that the address sanitizer should watch are optimised away. */
extern volatile uint64_t damaged_sum;
void damaged_use(const void *data, size_t size);
void damaged_use_string(const char *s);

#endif
