// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// accept reads traces one behind the other, each with the length of its name, its name and its own
// length before it, and says which ones the strict reader refuses. Those stay in dir.
func accept(in io.Reader, dir string) error {
	r := bufio.NewReaderSize(in, 1<<20)
	read, refused, empty, events := 0, 0, 0, 0
	for {
		name, data, err := nextTrace(r)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		read++
		if len(data) == 0 {
			empty++
			continue
		}
		n, err := countEvents(data)
		events += n
		if err != nil {
			refused++
			file := strings.NewReplacer("/", "_", " ", "-").Replace(name) + ".trace"
			fmt.Printf("%s: %v\n", name, err)
			if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d traces with %d events, %d of nothing; %d refused\n", read, events, empty, refused)
	if refused > 0 {
		return fmt.Errorf("refused traces are in %s", dir)
	}
	if read == 0 || empty > read/2 {
		return fmt.Errorf("hardly any trace was there to read")
	}
	return nil
}

func nextTrace(r io.Reader) (name string, data []byte, err error) {
	var nameLen uint32
	var size uint64
	if err := binary.Read(r, binary.LittleEndian, &nameLen); err != nil {
		return "", nil, err
	}
	text := make([]byte, nameLen)
	if _, err := io.ReadFull(r, text); err != nil {
		return "", nil, err
	}
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return "", nil, err
	}
	data = make([]byte, size)
	_, err = io.ReadFull(r, data)
	return string(text), data, err
}

func countEvents(data []byte) (int, error) {
	r, err := trace.NewReader(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	for n := 0; ; n++ {
		if _, err := r.ReadEvent(); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}
