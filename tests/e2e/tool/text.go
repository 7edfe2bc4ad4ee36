// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"debug/elf"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const breakpoint = 0xcc // int3, which the kernel plants for a uprobe

// text compares the executable mappings of a process's program with the file. A difference that
// is no breakpoint is an error.
func text(args []string) error {
	if err := wantArgs(args, 1); err != nil {
		return err
	}
	proc := "/proc/" + args[0]
	exe, err := os.Open(proc + "/exe")
	if err != nil {
		return err
	}
	program, err := elf.NewFile(exe)
	if err != nil {
		return err
	}
	memory, err := os.Open(proc + "/mem")
	if err != nil {
		return err
	}
	mappings, err := executable(proc, exe)
	if err != nil {
		return err
	}
	compared, different := 0, 0
	for _, m := range mappings {
		for _, s := range program.Sections {
			if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_EXECINSTR == 0 ||
				s.Offset < m.offset || s.Offset+s.Size > m.offset+m.size {
				continue
			}
			want, got := make([]byte, s.Size), make([]byte, s.Size)
			if _, err := exe.ReadAt(want, int64(s.Offset)); err != nil {
				return err
			}
			address := m.start + s.Offset - m.offset
			if _, err := memory.ReadAt(got, int64(address)); err != nil {
				return err
			}
			compared += len(want)
			for i := range want {
				if want[i] == got[i] {
					continue
				}
				different++
				if got[i] != breakpoint {
					return fmt.Errorf("%#x is %#x, in the file %#x", address+uint64(i), got[i], want[i])
				}
			}
		}
	}
	if compared < 100000 {
		return fmt.Errorf("only %d bytes of code found", compared)
	}
	fmt.Println(different)
	return nil
}

type mapping struct{ start, size, offset uint64 }

// executable returns the executable mappings of a file.
func executable(proc string, file *os.File) (found []mapping, err error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &st); err != nil {
		return nil, err
	}
	maps, err := os.Open(proc + "/maps")
	if err != nil {
		return nil, err
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 6 || !strings.Contains(f[1], "x") || f[4] != strconv.FormatUint(st.Ino, 10) {
			continue
		}
		var m mapping
		var end uint64
		if _, err := fmt.Sscanf(f[0], "%x-%x", &m.start, &end); err != nil {
			return nil, err
		}
		if m.offset, err = strconv.ParseUint(f[2], 16, 64); err != nil {
			return nil, err
		}
		m.size = end - m.start
		found = append(found, m)
	}
	return found, nil
}
