// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bytes"
	"testing"
)

func TestBeginningOfTrace(t *testing.T) {
	header := []byte("go 1.26 trace\x00\x00\x00")
	batch := append([]byte{eventBatch, 1, 7, 0x81, 0x02, 3}, "abc"...)
	whole := append(append(append([]byte{}, header...), batch...), batch...)
	for cut := 0; cut <= len(whole); cut++ {
		want := min(cut, len(header))
		for want+len(batch) <= cut {
			want += len(batch)
		}
		if got := wholeBatches(whole[:cut]); got != want {
			t.Errorf("of %d bytes %d are whole, not %d", cut, got, want)
		}
	}
	if got := wholeBatches(append(whole, 9, 9, 9)); got != len(whole) {
		t.Errorf("something else is taken for a batch: %d", got)
	}
}

func TestDiscard(t *testing.T) {
	var d discard
	for range [2]int{} {
		d.reset()
		for i := 0; i < 3; i++ {
			if n, err := d.Write(bytes.Repeat([]byte{'x'}, keptBytes/2+1)); n != keptBytes/2+1 || err != nil {
				t.Fatal(n, err)
			}
		}
		if len(d.kept) != keptBytes || d.bytes.Load() != 3*(keptBytes/2+1) {
			t.Errorf("kept %d of %d", len(d.kept), d.bytes.Load())
		}
	}
	d.reset()
	d.Write([]byte("short"))
	if string(d.beginning()) != "short" {
		t.Errorf("%q", d.beginning())
	}
}
