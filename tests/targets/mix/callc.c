// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo && !plugin && !host && !profile

#include "_cgo_export.h"

void call_back(void);

void call_back(void)
{
	fromC();
}
