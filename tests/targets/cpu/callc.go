// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo

package main

/*
#include <stdint.h>

static uint64_t mix_in_c(uint64_t x)
{
	for (int i = 0; i < 100000; i++)
		x = x * 6364136223846793005u + 1442695040888963407u;
	return x;
}
*/
import "C"

func init() { works["main.compute"] = compute }

func compute(w *worker) {
	w.run(func() { sink += uint64(C.mix_in_c(C.uint64_t(sink))) })
}
