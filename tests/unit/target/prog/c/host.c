// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A C program that loads the libraries it is told, one per line, and says "ready" each time. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	char path[4096];

	puts("ready");
	fflush(stdout);
	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = 0;
		if (!dlopen(path, RTLD_NOW)) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		puts("ready");
		fflush(stdout);
	}
	return 0;
}
