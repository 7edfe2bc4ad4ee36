// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// A plugin: Start leaves a goroutine blocked in its code.
package main

import (
	"fmt"
	"runtime"
)

func wait() { select {} }

func Start() {
	pc, _, _, _ := runtime.Caller(0)
	fmt.Printf("%x %s\n", pc, runtime.FuncForPC(pc).Name())
	go wait()
}
