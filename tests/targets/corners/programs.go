// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"os"
	"syscall"

	"targets/internal/harness"
)

var waits int

// starter runs programs; until the child executes one, it has the memory of its parent.
func starter() {
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}
	for i := 0; i < rounds; i++ {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, attr)
		harness.Check(err)
		for {
			waits++
			if _, err = syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
				break
			}
		}
		harness.Check(err)
	}
}

func programs(e *expected) {
	start(1, starter)
	harness.UntilGone("main.starter")
	e.groups["main.starter"] = harness.Counts{"create": 1, "block": 0, "exit": 1}
	e.calls["main.starter"] = map[string]int{"wait4": waits}
}

func init() { add("programs", programs) }
