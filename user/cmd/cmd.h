/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The subcommands: parse arguments, call the rooms, print. */
#ifndef GSCOPE_CMD_CMD_H
#define GSCOPE_CMD_CMD_H

#include "user/base/error.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* returns an exit status */
	const char *summary;
};

int cmd_trace(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_detach(int argc, char **argv);

/* Print the message of *e; returns its exit status. */
int cmd_fail(const struct error *e);

/* A line for the user that is not an error. */
void cmd_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
