// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var (
	targetLine = regexp.MustCompile(` target go(\S+) .*?layout=(\S+)`)
	siteLine   = regexp.MustCompile(` site \d+ \S+ in \S+ pc=0x([0-9a-f]+)`)
	stackLine  = regexp.MustCompile(`^> \S+ T\d+ stack #\d+ frames=(\d+)(?: truncated)? ?(.*)`)
)

// about tells how a process was traced. It is traced no longer: its code is as in its file.
func about(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	dump, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer dump.Close()
	memory, err := os.Open("/proc/" + args[0] + "/mem")
	if err != nil {
		return err
	}
	defer memory.Close()
	var release, rung string
	frames, named, probed := 0, 0, map[string]int{}
	lines := bufio.NewScanner(dump)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := targetLine.FindStringSubmatch(lines.Text()); m != nil {
			release, rung = m[1], m[2]
		} else if m := siteLine.FindStringSubmatch(lines.Text()); m != nil {
			pc, err := strconv.ParseUint(m[1], 16, 64)
			if err != nil {
				return err
			}
			var code [2]byte
			if _, err := memory.ReadAt(code[:], int64(pc)); err != nil {
				return err
			}
			probed[instruction(code)]++
		} else if m := stackLine.FindStringSubmatch(lines.Text()); m != nil {
			for _, frame := range strings.Split(m[2], "<") {
				frames++
				if frame != "" && !strings.HasPrefix(frame, "0x") {
					named++
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if release == "" || len(probed) == 0 || frames == 0 {
		return errors.New(args[1] + " has no target, sites or stacks")
	}
	var sites []string
	for _, name := range sorted(probed) {
		sites = append(sites, fmt.Sprintf("%d %s", probed[name], name))
	}
	fmt.Printf("release %s\nrung %s\nsites %s\nframes %d\nnamed %d\n", release, rung,
		strings.Join(sites, ", "), frames, named)
	return nil
}

// instruction names the one that a probe is on by what it begins with.
func instruction(code [2]byte) string {
	switch {
	case code[0] == 0xe8:
		return "call"
	case code[0] >= 0x50 && code[0] < 0x58:
		return "push"
	case code[0] == 0xe9 || code[0] == 0xeb || code[0] == 0xff:
		return "jmp"
	case code[0] >= 0x70 && code[0] < 0x80 || code[0] == 0x0f && code[1]&0xf0 == 0x80:
		return "jcc"
	case code[0] == 0x90 || code[0] == 0x0f && code[1] == 0x1f:
		return "nop"
	}
	return "other"
}
