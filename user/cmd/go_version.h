/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The option --go-version of the commands that write a Go trace. */
#ifndef GSCOPE_CMD_GO_VERSION_H
#define GSCOPE_CMD_GO_VERSION_H

#include <argp.h>

/* To be a child of a command's options; input: unsigned int *, NN of Go 1.NN. */
extern const struct argp go_version_argp;

#endif
