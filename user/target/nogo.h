/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a program is that is not Go's, as far as its file tells. */
#ifndef GSCOPE_TARGET_NOGO_H
#define GSCOPE_TARGET_NOGO_H

#include "user/target/elf.h"

/* Refuse an executable without Go build information, by what it is: -ENOEXEC, EXIT_TARGET. */
int nogo_refuse(struct elf_file *f, struct error *e);

#endif
