// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build plugin

// The part of the work that is in a plugin.
package main

import "targets/internal/harness"

// Setup and Work are looked up by host.go.
func Setup() { setup() }

func Work(groups harness.Groups, calls harness.Syscalls) { working(groups, calls) }

func main() {}
