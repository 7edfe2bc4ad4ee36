// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

func named(name string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(name)))
	out = append(out, name...)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(data)))
	return append(out, data...)
}

// The strict reader has to be asked, and what it refuses is kept.
func TestAccept(t *testing.T) {
	header := "go 1.22 trace\x00\x00\x00"
	for _, bad := range []string{"no trace at all!", header + "\x01\x01", header + "\x09"} {
		dir := t.TempDir()
		err := accept(bytes.NewReader(named("a/b seed 1", []byte(bad))), dir)
		if err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%q: %v", bad, err)
		}
		kept, err := os.ReadFile(dir + "/a_b-seed-1.trace")
		if err != nil || string(kept) != bad {
			t.Errorf("%q: kept %q, %v", bad, kept, err)
		}
	}
	if err := accept(bytes.NewReader(nil), t.TempDir()); err == nil {
		t.Error("no trace is as good as any")
	}
	if err := accept(bytes.NewReader(named("cut", make([]byte, 9))[:15]), t.TempDir()); err == nil {
		t.Error("half a trace is as good as any")
	}
}
