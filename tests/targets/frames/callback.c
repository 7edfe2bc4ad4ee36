// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "_cgo_export.h"

void call_back(int which);

void call_back(int which)
{
	fromC(which);
}
