// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/export/wire_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* internal/trace/tracev2/events.go */
static const struct {
	const char *name, *args[5];
} specs[] = {
	[1] = {"EventBatch", {"gen", "m", "time", "size"}},
	[2] = {"Stacks", {0}},
	[3] = {"Stack", {"id", "nframes"}},
	[4] = {"Strings", {0}},
	[5] = {"String", {"id"}},
	[6] = {"CPUSamples", {0}},
	[7] = {"CPUSample", {"time", "m", "p", "g", "stack"}},
	[8] = {"Frequency", {"freq"}},
	[9] = {"ProcsChange", {"dt", "procs_value", "stack"}},
	[10] = {"ProcStart", {"dt", "p", "p_seq"}},
	[11] = {"ProcStop", {"dt"}},
	[12] = {"ProcSteal", {"dt", "p", "p_seq", "m"}},
	[13] = {"ProcStatus", {"dt", "p", "pstatus"}},
	[14] = {"GoCreate", {"dt", "new_g", "new_stack", "stack"}},
	[15] = {"GoCreateSyscall", {"dt", "new_g"}},
	[16] = {"GoStart", {"dt", "g", "g_seq"}},
	[17] = {"GoDestroy", {"dt"}},
	[18] = {"GoDestroySyscall", {"dt"}},
	[19] = {"GoStop", {"dt", "reason_string", "stack"}},
	[20] = {"GoBlock", {"dt", "reason_string", "stack"}},
	[21] = {"GoUnblock", {"dt", "g", "g_seq", "stack"}},
	[22] = {"GoSyscallBegin", {"dt", "p_seq", "stack"}},
	[23] = {"GoSyscallEnd", {"dt"}},
	[24] = {"GoSyscallEndBlocked", {"dt"}},
	[25] = {"GoStatus", {"dt", "g", "m", "gstatus"}},
	[26] = {"STWBegin", {"dt", "kind_string", "stack"}},
	[27] = {"STWEnd", {"dt"}},
	[28] = {"GCActive", {"dt", "gc_seq"}},
	[29] = {"GCBegin", {"dt", "gc_seq", "stack"}},
	[30] = {"GCEnd", {"dt", "gc_seq"}},
	[31] = {"GCSweepActive", {"dt", "p"}},
	[32] = {"GCSweepBegin", {"dt", "stack"}},
	[33] = {"GCSweepEnd", {"dt", "swept_value", "reclaimed_value"}},
	[34] = {"GCMarkAssistActive", {"dt", "g"}},
	[35] = {"GCMarkAssistBegin", {"dt", "stack"}},
	[36] = {"GCMarkAssistEnd", {"dt"}},
	[37] = {"HeapAlloc", {"dt", "heapalloc_value"}},
	[38] = {"HeapGoal", {"dt", "heapgoal_value"}},
	[39] = {"GoLabel", {"dt", "label_string"}},
	[40] = {"UserTaskBegin", {"dt", "task", "parent_task", "name_string", "stack"}},
	[41] = {"UserTaskEnd", {"dt", "task", "stack"}},
	[42] = {"UserRegionBegin", {"dt", "task", "name_string", "stack"}},
	[43] = {"UserRegionEnd", {"dt", "task", "name_string", "stack"}},
	[44] = {"UserLog", {"dt", "task", "key_string", "value_string", "stack"}},
	[45] = {"GoSwitch", {"dt", "g", "g_seq"}},
	[46] = {"GoSwitchDestroy", {"dt", "g", "g_seq"}},
	[47] = {"GoCreateBlocked", {"dt", "new_g", "new_stack", "stack"}},
	[48] = {"GoStatusStack", {"dt", "g", "m", "gstatus", "stack"}},
	[50] = {"Sync", {0}},
	[51] = {"ClockSnapshot", {"dt", "mono", "sec", "nsec"}},
	[52] = {"EndOfGeneration", {0}},
};

struct input {
	const uint8_t *at, *end;
	bool bad;
};

static uint8_t byte(struct input *in)
{
	if (in->at == in->end) {
		in->bad = true;
		return 0;
	}
	return *in->at++;
}

static uint64_t uvarint(struct input *in)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t b = byte(in);

		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	in->bad = true;
	return 0;
}

static void print_frames(struct input *in, uint64_t n, FILE *out)
{
	static const char *const fields[] = {"\n\tpc", " func", " file", " line"};

	for (uint64_t i = 0; i < n * 4 && !in->bad; i++)
		fprintf(out, "%s=%" PRIu64, fields[i % 4], uvarint(in));
}

static void print_data(struct input *in, FILE *out)
{
	uint64_t n = uvarint(in);

	if (n > 1024 || n > (uint64_t)(in->end - in->at)) {
		in->bad = true;
		return;
	}
	fprintf(out, "\n\tdata=\"%.*s\"", (int)n, (const char *)in->at);
	in->at += n;
}

static void print_event(struct input *in, FILE *out, const uint8_t **batch_end)
{
	uint8_t type = byte(in);
	uint64_t args[5] = {0};

	if (type >= sizeof(specs) / sizeof(specs[0]) || !specs[type].name ||
	    (type == 1 || type == 52) != (in->at - 1 >= *batch_end)) {
		in->bad = true;
		return;
	}
	fputs(specs[type].name, out);
	for (int i = 0; i < 5 && specs[type].args[i]; i++) {
		args[i] = uvarint(in);
		fprintf(out, " %s=%" PRIu64, specs[type].args[i], args[i]);
	}
	if (type == 1) {
		*batch_end = in->at + args[3];
		if (args[3] > 65536 || args[3] > (uint64_t)(in->end - in->at))
			in->bad = true;
	}
	if (type == 3)
		print_frames(in, args[1], out);
	if (type == 5)
		print_data(in, out);
	fputc('\n', out);
}

char *wire_text(const uint8_t *data, size_t n)
{
	struct input in = {.at = data + 16, .end = data + n};
	const uint8_t *batch_end = in.at;
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (n < 16 || memcmp(data, "go 1.2", 6) || memcmp(data + 7, " trace\0\0", 9))
		return NULL;
	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	fprintf(out, "Trace Go1.2%c\n", data[6]);
	while (!in.bad && in.at < in.end)
		print_event(&in, out, &batch_end);
	fclose(out);
	if (in.bad) {
		free(text);
		text = NULL;
	}
	return text;
}

uint8_t *wire_read(int fd, size_t *n)
{
	struct stat st;
	uint8_t *data;

	if (fstat(fd, &st))
		return NULL;
	*n = (size_t)st.st_size;
	data = malloc(*n + 1);
	if (data && pread(fd, data, *n, 0) != (ssize_t)*n) {
		free(data);
		return NULL;
	}
	if (data)
		data[*n] = 0;
	return data;
}
