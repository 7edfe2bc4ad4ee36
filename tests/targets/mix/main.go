// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build !library && !plugin && !host && !profile

package main

import "targets/internal/harness"

func main() {
	setup()
	harness.Run(whole)
}
