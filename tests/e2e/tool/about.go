// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
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
	var pc uint64
	var release, rung string
	frames, named, probed := 0, 0, map[string]int{}
	lines := bufio.NewScanner(dump)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := targetLine.FindStringSubmatch(lines.Text()); m != nil {
			release, rung = m[1], m[2]
		} else if m := siteLine.FindStringSubmatch(lines.Text()); m != nil {
			if pc, err = strconv.ParseUint(m[1], 16, 64); err != nil {
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
	table, err := tableSection(args[0], pc)
	if err != nil {
		return err
	}
	var sites []string
	for _, name := range sorted(probed) {
		sites = append(sites, fmt.Sprintf("%d %s", probed[name], name))
	}
	fmt.Printf("release %s\nrung %s\ntable %s\nsites %s\nframes %d\nnamed %d\n", release, rung,
		table, strings.Join(sites, ", "), frames, named)
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

// tableSection names the section that the function table is in, of the file that has the code
// at pc.
func tableSection(pid string, pc uint64) (string, error) {
	mappings, err := executable("/proc/" + pid)
	if err != nil {
		return "", err
	}
	for _, m := range mappings {
		if pc < m.start || pc >= m.start+m.size {
			continue
		}
		content, err := os.ReadFile(m.link)
		if err != nil {
			return "", err
		}
		file, err := elf.Open(m.link)
		if err != nil {
			return "", err
		}
		defer file.Close()
		at := findTable(content)
		if at < 0 {
			return "", errors.New(m.link + " has no function table")
		}
		for _, s := range file.Sections {
			if s.Type == elf.SHT_PROGBITS && s.Offset <= uint64(at) && uint64(at) < s.Offset+s.Size {
				return s.Name, nil
			}
		}
		return "none", nil
	}
	return "", fmt.Errorf("no file has the code at %#x", pc)
}

// findTable returns the offset of a runtime.pcHeader (runtime/symtab.go, Go 1.18 to 1.27) whose
// parts follow each other.
func findTable(content []byte) int {
	for at := 0; at+72 <= len(content); at += 8 {
		magic := binary.LittleEndian.Uint32(content[at:])
		if magic != 0xfffffff0 && magic != 0xfffffff1 ||
			binary.LittleEndian.Uint32(content[at+4:]) != 0x08010000 {
			continue
		}
		previous, ascend := uint64(71), true
		for part := at + 32; part < at+72; part += 8 {
			offset := binary.LittleEndian.Uint64(content[part:])
			ascend = ascend && offset > previous
			previous = offset
		}
		if ascend {
			return at
		}
	}
	return -1
}
