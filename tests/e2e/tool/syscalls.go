// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"regexp"
)

var (
	startLine   = regexp.MustCompile(` G(\d+) (?:create|create-blocked|init) .*start=(\S+)`)
	syscallLine = regexp.MustCompile(` G(\d+) syscall (\S+) `)
)

// syscalls compares the system calls of a dump of one process with what the program counted.
func syscalls(args []string) error {
	if err := wantArgs(args, 1); err != nil {
		return err
	}
	want, err := readResult(args[0])
	if err != nil || len(want.Syscalls) == 0 {
		return err
	}
	var wrong []string
	got := map[string]map[string]int{}
	start := map[string]string{} // by goroutine
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := startLine.FindStringSubmatch(lines.Text()); m != nil {
			start[m[1]] = m[2]
		} else if m := syscallLine.FindStringSubmatch(lines.Text()); m != nil {
			fn := start[m[1]]
			if got[fn] == nil {
				got[fn] = map[string]int{}
			}
			got[fn][m[2]]++
		}
	}
	if len(start) == 0 {
		return errors.New("the dump has no goroutines")
	}
	compare(want.Syscalls, got, func(format string, a ...any) {
		wrong = append(wrong, fmt.Sprintf(format, a...))
	})
	if err := lines.Err(); err != nil {
		return err
	}
	return report(wrong)
}
