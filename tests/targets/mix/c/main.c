// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A C program that has Go in it. */

void RunMix(void);

int main(void)
{
	RunMix();
	return 0;
}
