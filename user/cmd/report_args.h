/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_CMD_REPORT_ARGS_H
#define GSCOPE_CMD_REPORT_ARGS_H

#include <argp.h>

/* --sort and --top; input: struct report_options. */
extern const struct argp report_argp;

#endif
