// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"encoding/binary"
	"sync/atomic"
)

const (
	keptBytes   = 8 << 20
	traceHeader = 16
	eventBatch  = 1 // internal/trace/tracev2: EvEventBatch
)

// discard takes what the runtime's own tracer writes, as a client of /debug/pprof/trace would; it
// keeps the beginning, of which somebody may count the events
type discard struct {
	bytes atomic.Uint64
	kept  []byte
}

func (d *discard) reset() {
	d.bytes.Store(0)
	d.kept = make([]byte, 0, keptBytes)
}

func (d *discard) Write(p []byte) (int, error) {
	d.bytes.Add(uint64(len(p)))
	d.kept = append(d.kept, p[:min(len(p), cap(d.kept)-len(d.kept))]...)
	return len(p), nil
}

// beginning is a whole trace, or one that ends with a whole batch of events
func (d *discard) beginning() []byte {
	if d.bytes.Load() == uint64(len(d.kept)) {
		return d.kept
	}
	return d.kept[:wholeBatches(d.kept)]
}

// wholeBatches is the length of those the trace begins with
func wholeBatches(trace []byte) int {
	end := min(traceHeader, len(trace))
	for end < len(trace) && trace[end] == eventBatch {
		at := end + 1
		var size uint64
		for field := 0; field < 4; field++ { // generation, thread, time, size
			v, n := binary.Uvarint(trace[at:])
			if n <= 0 {
				return end
			}
			at += n
			size = v
		}
		if size > uint64(len(trace)-at) {
			return end
		}
		end = at + int(size)
	}
	return end
}
