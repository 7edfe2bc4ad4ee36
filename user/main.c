/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "user/base/files.h"
#include "user/base/version.h"
#include "user/cmd/cmd.h"

static const struct command commands[] = {
	{"trace", cmd_trace, "trace a Go process, write a Go trace, print the latency report"},
	{"record", cmd_record, "record processes or the whole system into a capture file"},
	{"report", cmd_report, "per-goroutine latency report of a capture file"},
	{"export", cmd_export, "write a capture file in the format of a viewer"},
	{"dump", cmd_dump, "events and transitions of a capture file as text"},
	{"detach", cmd_detach, "put back what a gscope that was killed has left in a process"},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *out, int status)
{
	fprintf(out, "Usage: gscope COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\n`gscope COMMAND --help` tells the options; gscope(1) is the manual.\n");
	return status;
}

static void print_version(FILE *out, struct argp_state *state)
{
	(void)state;
	version_print(out);
}

int main(int argc, char **argv)
{
	files_fill_standard();
	files_raise();
	argp_err_exit_status = EXIT_USAGE;
	argp_program_version_hook = print_version;
	if (argc < 2)
		return usage(stderr, EXIT_USAGE);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return usage(stdout, EXIT_DONE);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		version_print(stdout);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < NCOMMANDS; i++) {
		char name[32];

		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "gscope %s", commands[i].name);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "gscope: there is no command '%s'; `gscope --help` lists them\n", argv[1]);
	return EXIT_USAGE;
}
