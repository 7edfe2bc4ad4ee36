// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// The most memory a command had at a time.
func peak(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command")
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	fmt.Println(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	return nil
}
