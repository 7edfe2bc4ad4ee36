// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import "testing"

func TestBucketsAreInOrder(t *testing.T) {
	last := 0
	for ns := uint64(0); ns < 1<<20; ns++ {
		b := bucket(ns)
		if b != last && b != last+1 {
			t.Fatalf("%d ns are in bucket %d, behind %d", ns, b, last)
		}
		if m := middle(b); m > ns+ns/16+1 || ns > m+m/16+1 {
			t.Fatalf("%d ns are in bucket %d, which is around %d", ns, b, m)
		}
		last = b
	}
	if b := bucket(1<<64 - 1); b >= len(latencies{}.n) {
		t.Fatalf("bucket %d of %d", b, len(latencies{}.n))
	}
}

func TestQuantile(t *testing.T) {
	var l latencies
	for ns := uint64(1); ns <= 10000; ns++ {
		l.add(ns)
	}
	if p99 := l.take(0.99); p99 < 9900*15/16 || p99 > 9900*17/16 {
		t.Errorf("p99 of 1 to 10000 is %d", p99)
	}
	if again := l.take(0.99); again != 0 {
		t.Errorf("taken twice: %d", again)
	}
}
