// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Places in the file header of a 64-bit ELF file, and in a section header.
const (
	eShoff, eShnum               = 0x28, 0x3c
	shSize, shLink, shHeaderSize = 0x20, 0x28, 0x40
)

type program struct {
	bytes    []byte
	sections map[string]*elf.Section
	headers  uint64 // file offset of the section headers
	count    int
}

// What can be damaged in a program without keeping it from running.
var damages = []struct {
	name string
	do   func(p *program)
}{
	{"nothing", func(p *program) {}},
	{"no-sections", func(p *program) {
		copy(p.bytes[eShoff:], make([]byte, 8))
		copy(p.bytes[eShnum:], make([]byte, 4))
	}},
	{"far-sections", func(p *program) {
		binary.LittleEndian.PutUint64(p.bytes[eShoff:], 1<<62)
	}},
	{"odd-sections", func(p *program) {
		invert(p.bytes[p.headers : p.headers+uint64(p.count)*shHeaderSize])
	}},
	{"huge-sections", func(p *program) {
		for i := 1; i < p.count; i++ {
			binary.LittleEndian.PutUint64(p.header(i)[shSize:], 1<<60)
		}
	}},
	{"linked-sections", func(p *program) {
		for i := 1; i < p.count; i++ {
			binary.LittleEndian.PutUint32(p.header(i)[shLink:], uint32(i))
		}
	}},
	{"names-of-sections", func(p *program) { p.fill(".shstrtab", 'A') }},
	{"buildid", func(p *program) { p.fill(".note.go.buildid", 0xff) }},
	{"buildinfo", func(p *program) { p.fill(".go.buildinfo", 0xff) }},
	{"symbols", func(p *program) { p.fill(".symtab", 0xff) }},
	{"names-of-symbols", func(p *program) { p.fill(".strtab", 'A') }},
	{"dwarf-info", func(p *program) { p.fill(".debug_info", 0xff) }},
	{"dwarf-abbrev", func(p *program) { p.fill(".debug_abbrev", 0) }},
	// the runtime needs neither to run; the parts are those the table's header tells
	{"names-of-functions", func(p *program) { p.fillTable(0, 'A') }},
	{"files", func(p *program) { p.fillTable(1, 0xff); p.fillTable(2, 'A') }},
}

func (p *program) header(i int) []byte {
	return p.bytes[p.headers+uint64(i)*shHeaderSize:][:shHeaderSize]
}

func (p *program) part(name string) []byte {
	s := p.sections[name]
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil
	}
	return p.bytes[s.Offset : s.Offset+s.FileSize]
}

func (p *program) fill(name string, b byte) {
	copy(p.part(name), bytes.Repeat([]byte{b}, len(p.part(name))))
}

func (p *program) fillTable(part int, b byte) {
	table := p.part(".gopclntab")
	if table == nil {
		return
	}
	from := binary.LittleEndian.Uint64(table[32+8*part:])
	to := binary.LittleEndian.Uint64(table[40+8*part:])
	copy(table[from:to], bytes.Repeat([]byte{b}, int(to-from)))
}

func invert(b []byte) {
	for i := range b {
		b[i] ^= 0xff
	}
}

// damage writes a damaged copy of a program; without arguments it says what there is.
func damage(args []string) error {
	if len(args) == 0 {
		for _, d := range damages {
			fmt.Println(d.name)
		}
		return nil
	}
	if err := wantArgs(args, 3); err != nil {
		return err
	}
	content, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return err
	}
	p := program{
		bytes:    content,
		sections: map[string]*elf.Section{},
		headers:  binary.LittleEndian.Uint64(content[eShoff:]),
		count:    len(file.Sections),
	}
	for _, s := range file.Sections {
		p.sections[s.Name] = s
	}
	for _, d := range damages {
		if d.name == args[2] {
			d.do(&p)
			return os.WriteFile(args[1], content, 0o755)
		}
	}
	return errors.New("no such damage: " + args[2])
}
