// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//go:build cgo

int increment(int n);

int twice(int n)
{
	return increment(n) + increment(n);
}
