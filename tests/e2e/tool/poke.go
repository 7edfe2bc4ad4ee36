// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
)

// poke makes the list of all threads of a Go runtime endless ("on"), or ends it again ("off"). A
// runtime that is not asked to stop the world does not walk it.
func poke(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	program, err := elf.Open("/proc/" + args[0] + "/exe")
	if err != nil {
		return err
	}
	defer program.Close()
	m0, err := address(program, "runtime.m0")
	if err != nil {
		return err
	}
	link, err := offset(program, "runtime.m", "alllink")
	if err != nil {
		return err
	}
	memory, err := os.OpenFile("/proc/"+args[0]+"/mem", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	// the first thread is the last one of the list
	next := make([]byte, 8)
	if args[1] == "on" {
		binary.LittleEndian.PutUint64(next, m0)
	}
	_, err = memory.WriteAt(next, int64(m0)+link)
	return err
}

// breakpointAt puts a breakpoint where a function of a program begins, as one that a tracer left behind;
// of a function that nothing calls.
func breakpointAt(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	program, err := elf.Open("/proc/" + args[0] + "/exe")
	if err != nil {
		return err
	}
	defer program.Close()
	at, err := address(program, args[1])
	if err != nil {
		return err
	}
	memory, err := os.OpenFile("/proc/"+args[0]+"/mem", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	_, err = memory.WriteAt([]byte{breakpoint}, int64(at))
	return err
}

func address(program *elf.File, name string) (uint64, error) {
	symbols, err := program.Symbols()
	for _, s := range symbols {
		if s.Name == name {
			return s.Value, nil
		}
	}
	return 0, fmt.Errorf("no symbol %s: %w", name, err)
}

func offset(program *elf.File, name, field string) (int64, error) {
	data, err := program.DWARF()
	if err != nil {
		return 0, err
	}
	for r := data.Reader(); ; {
		entry, err := r.Next()
		if err != nil || entry == nil {
			return 0, fmt.Errorf("no type %s with a field %s: %v", name, field, err)
		}
		if entry.Tag != dwarf.TagStructType || entry.Val(dwarf.AttrName) != name {
			continue
		}
		t, err := data.Type(entry.Offset)
		if err != nil {
			return 0, err
		}
		for _, f := range t.(*dwarf.StructType).Field {
			if f.Name == field {
				return f.ByteOffset, nil
			}
		}
	}
}
