// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build !cgo || plugin || host || profile

package main

import "targets/internal/harness"

func callC(harness.Groups, harness.Syscalls) {}
