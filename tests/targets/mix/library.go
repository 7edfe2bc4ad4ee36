// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build library

// Go in a C program: c-shared or c-archive.
package main

import "C"

import "targets/internal/harness"

//export RunMix
func RunMix() {
	setup()
	harness.Run(whole)
}

func main() {}
