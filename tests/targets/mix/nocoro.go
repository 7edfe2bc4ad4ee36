// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build !go1.23

package main

import "targets/internal/harness"

func coroutines(harness.Groups) {}
