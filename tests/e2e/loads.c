// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A C program that loads the libraries named on its standard input, and says so. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		puts(dlopen(line, RTLD_NOW) ? "loaded" : dlerror());
		fflush(stdout);
	}
	return 0;
}
