// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* libFuzzer target: the build information of a damaged binary, and versions as they may be. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/damage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole input as a version. */
static void parse_version(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	unsigned int minor, patch;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	if (go_version_parse(text, &minor, &patch))
		damaged_sum += minor + patch;
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"-buildmode", "CGO_ENABLED", "", "-pgo", "none"};
	struct damaged d;
	char value[64];

	parse_version(data, size);
	damaged_open(&d, data, size, DAMAGED_BUILD);
	if (d.has_build) {
		damaged_use_string(d.build.version);
		damaged_use_string(d.build.build_id);
		damaged_use_string(d.build.settings);
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			for (size_t room = 1; room <= sizeof(value); room *= 4) {
				if (buildinfo_setting(&d.build, keys[i], value, room) &&
				    strlen(value) >= room)
					abort();
			}
		}
	}
	damaged_close(&d);
	return 0;
}
