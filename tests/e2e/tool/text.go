// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

const breakpoint = 0xcc // int3, which the kernel plants for a uprobe

// text compares what is mapped executable with its files: the program and its libraries. A
// difference that is no breakpoint is an error.
func text(args []string) error {
	if err := wantArgs(args, 1); err != nil {
		return err
	}
	proc := "/proc/" + args[0]
	memory, err := os.Open(proc + "/mem")
	if err != nil {
		return err
	}
	defer memory.Close()
	mappings, err := executable(proc)
	if err != nil {
		return err
	}
	compared, different := 0, 0
	for _, m := range mappings {
		want, err := m.contents()
		if err != nil {
			return err
		}
		got := make([]byte, len(want))
		if _, err := memory.ReadAt(got, int64(m.start)); err != nil {
			return err
		}
		compared += len(want)
		for i := range want {
			if want[i] == got[i] {
				continue
			}
			different++
			if got[i] != breakpoint {
				return fmt.Errorf("%#x is %#x, in the file %#x", m.start+uint64(i), got[i], want[i])
			}
		}
	}
	if compared < 100000 {
		return fmt.Errorf("only %d bytes of code found", compared)
	}
	fmt.Println(different)
	return nil
}

// mapping is a part of a file in memory. The link leads to the file even if it has no name now.
type mapping struct {
	link                string
	start, size, offset uint64
}

// contents is what the file has there; the file may end in the last page.
func (m mapping) contents() ([]byte, error) {
	file, err := os.Open(m.link)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content := make([]byte, m.size)
	n, err := file.ReadAt(content, int64(m.offset))
	if err == io.EOF {
		err = nil
	}
	return content[:n], err
}

// executable returns the executable mappings of files.
func executable(proc string) (found []mapping, err error) {
	maps, err := os.Open(proc + "/maps")
	if err != nil {
		return nil, err
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 6 || !strings.Contains(f[1], "x") || f[4] == "0" {
			continue
		}
		var m mapping
		var end uint64
		if _, err := fmt.Sscanf(f[0], "%x-%x", &m.start, &end); err != nil {
			return nil, err
		}
		m.link = fmt.Sprintf("%s/map_files/%x-%x", proc, m.start, end)
		if m.offset, err = strconv.ParseUint(f[2], 16, 64); err != nil {
			return nil, err
		}
		m.size = end - m.start
		found = append(found, m)
	}
	return found, lines.Err()
}
