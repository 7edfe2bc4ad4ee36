// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/refused.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* bpf_get_attach_cookie() in programs of uprobes: 7adfc6c9b315, v5.15 */
#define LEAST_MAJOR 5
#define LEAST_MINOR 15

static const struct {
	const char *program, *shows;
} dispensables[DISPENSABLES] = {
	[MISS_NOTES] = {"note_probe", "user tasks, regions and log messages"},
	[MISS_LABELS] = {"labels_probe", "pprof labels"},
	[MISS_SWEEPS] = {"sweep_probe", "sweeps of the garbage collector"},
	[MISS_SAMPLES] = {"sample", "CPU samples"},
	[MISS_COST] = {"probe_empty", "what a hit of a probe costs"},
};

const char *dispensable_program(enum dispensable d)
{
	return dispensables[d].program;
}

const char *dispensable_shows(enum dispensable d)
{
	return dispensables[d].shows;
}

enum dispensable dispensable_of(const char *name)
{
	unsigned int d = 0;

	while (d < DISPENSABLES && strcmp(dispensables[d].program, name))
		d++;
	return (enum dispensable)d;
}

enum reason { TOO_LARGE, NOT_PERMITTED, TOO_OLD, NO_MEMORY, NOT_VERIFIED, OTHER };

static bool says(const char *log, const char *const *what)
{
	for (; *what; what++)
		if (strstr(log, *what))
			return true;
	return false;
}

/* Texts of kernel/bpf/verifier.c, Linux 5.15 to 7.3. */
static enum reason reason_of(const struct refused *r)
{
	static const char *const large[] = {
		"program is too large", "too complex", "combined stack size",
		"call stack",           "too many",    NULL};
	static const char *const old[] = {"unknown func", "invalid func",
					  "number of funcs in func_info", "unknown opcode", NULL};
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (!uname(&name) && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	    (major < LEAST_MAJOR || (major == LEAST_MAJOR && minor < LEAST_MINOR)) &&
	    r->err != -EPERM && r->err != -ENOMEM)
		return TOO_OLD;
	if (r->err == -E2BIG || says(r->log, large))
		return TOO_LARGE;
	if (r->err == -ENOMEM)
		return NO_MEMORY;
	if (says(r->log, old))
		return TOO_OLD;
	if (r->log[0])
		return NOT_VERIFIED;
	return r->err == -EPERM || r->err == -EACCES ? NOT_PERMITTED : OTHER;
}

/* What the verifier found is in the last line that is no statistics. */
static void last_words(const char *log, char *text, size_t room)
{
	const char *line = log;

	text[0] = 0;
	while (*line) {
		size_t len = strcspn(line, "\n");

		if (len && strncmp(line, "processed ", 10) &&
		    strncmp(line, "verification time", 17) && strncmp(line, "stack depth", 11) &&
		    strncmp(line, "mark_precise", 12))
			snprintf(text, room, "%.*s", (int)(len < 120 ? len : 120), line);
		line += len + (line[len] == '\n');
	}
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = ' ';
}

void refused_reason(const struct refused *r, char *text, size_t room)
{
	char words[128];

	last_words(r->log, words, sizeof(words));
	switch (reason_of(r)) {
	case TOO_LARGE:
		snprintf(text, room, "it is too large for this kernel's verifier%s%s%s",
			 words[0] ? " (" : "", words, words[0] ? ")" : "");
		break;
	case NOT_PERMITTED:
		snprintf(text, room, "it is not permitted (%s)", strerror(-r->err));
		break;
	case TOO_OLD:
		snprintf(text, room, "the kernel is too old for it%s%s%s", words[0] ? " (" : "",
			 words, words[0] ? ")" : "");
		break;
	case NO_MEMORY:
		snprintf(text, room, "there is too little memory");
		break;
	case NOT_VERIFIED:
		snprintf(text, room, "its verifier does not accept it (%s)",
			 words[0] ? words : strerror(-r->err));
		break;
	default:
		snprintf(text, room, "%s", strerror(-r->err));
	}
}

int refused_explain(const struct refused *r, const char *program, struct error *e)
{
	struct utsname name = {.release = "unknown"};
	char why[256], which[64] = "the BPF programs";

	if (program)
		snprintf(which, sizeof(which), "BPF program %s", program);
	switch (reason_of(r)) {
	case NOT_PERMITTED:
		return error_set(
			e, EXIT_FAILED, r->err,
			"the kernel does not let gscope load %s (%s): run it as root "
			"outside of containers, and look for a seccomp filter; with kernel "
			"lockdown (see /sys/kernel/security/lockdown) it cannot work",
			which, strerror(-r->err));
	case NO_MEMORY:
		return error_set(e, EXIT_FAILED, r->err,
				 "too little memory for %s: raise the limit of locked memory "
				 "(ulimit -l unlimited), or ask for less with --buffer",
				 which);
	case TOO_OLD:
		uname(&name);
		return error_set(
			e, EXIT_FAILED, r->err,
			"this kernel, Linux %.64s, is too old for %s: %s; gscope needs Linux "
			"%d.%d or later",
			name.release, which, strerror(-r->err), LEAST_MAJOR, LEAST_MINOR);
	default:
		refused_reason(r, why, sizeof(why));
		return error_set(e, EXIT_FAILED, r->err,
				 "the kernel refuses %s: %s (GSCOPE_DEBUG=1 shows all it says)",
				 which, why);
	}
}
