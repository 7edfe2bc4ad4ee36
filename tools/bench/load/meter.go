// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"math/bits"
	"sync/atomic"
)

// counter has a cache line of its own: counting costs all variants the same, and little
type counter struct {
	n atomic.Uint64
	_ [56]byte
}

// latencies is a histogram of nanoseconds: 16 steps for each power of two
type latencies struct {
	n [64 * 16]atomic.Uint64
}

func bucket(ns uint64) int {
	if ns < 16 {
		return int(ns)
	}
	shift := bits.Len64(ns) - 5
	return (shift+1)*16 + int(ns>>shift) - 16
}

// middle is that of a bucket's nanoseconds
func middle(bucket int) uint64 {
	if bucket < 16 {
		return uint64(bucket)
	}
	shift := bucket/16 - 1
	return uint64(bucket%16+16)<<shift + uint64(1)<<shift/2
}

func (l *latencies) add(ns uint64) {
	l.n[bucket(ns)].Add(1)
}

// take returns a quantile, 0 if there is nothing, and begins anew
func (l *latencies) take(quantile float64) uint64 {
	var counts [len(l.n)]uint64
	var all, below uint64
	for i := range l.n {
		counts[i] = l.n[i].Swap(0)
		all += counts[i]
	}
	if all == 0 {
		return 0
	}
	for i, n := range counts {
		below += n
		if float64(below) >= quantile*float64(all) {
			return middle(i)
		}
	}
	return 0
}

// meter is what a workload counts: operations by worker, and how long some of them took
type meter struct {
	ops       []counter
	latencies latencies
}

func newMeter(workers int) *meter {
	return &meter{ops: make([]counter, workers)}
}

func (m *meter) total() uint64 {
	var n uint64
	for i := range m.ops {
		n += m.ops[i].n.Load()
	}
	return n
}
