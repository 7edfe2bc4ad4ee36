// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build host

// A program that loads a plugin, which is FILE.so beside the program FILE.
package main

import (
	"os"
	"plugin"

	"targets/internal/harness"
)

// load returns what the plugin does
func load() func(harness.Groups, harness.Syscalls) {
	path, err := os.Executable()
	harness.Check(err)
	p, err := plugin.Open(path + ".so")
	harness.Check(err)
	setup, err := p.Lookup("Setup")
	harness.Check(err)
	work, err := p.Lookup("Work")
	harness.Check(err)
	setup.(func())()
	return work.(func(harness.Groups, harness.Syscalls))
}

// awaitFile returns once there is the file that the second argument names
func awaitFile() {
	if len(os.Args) > 2 {
		harness.Until(os.Args[2], func() bool {
			_, err := os.Stat(os.Args[2])
			return err == nil
		})
	}
}

func main() {
	var work func(harness.Groups, harness.Syscalls)
	late := len(os.Args) > 1 && os.Args[1] == "late" // while it is traced
	if !late {
		work = load()
	}
	harness.Run(func() harness.Result {
		groups, calls := harness.Groups{}, harness.Syscalls{}
		waiting(groups)
		if late {
			work = load()
			awaitFile()
		}
		work(groups, calls)
		return harness.Result{"groups": groups, "syscalls": calls}
	})
}
