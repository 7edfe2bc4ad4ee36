// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"math"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want spread
	}{
		{[]float64{3}, spread{1, 3, 3, 3}},
		{[]float64{5, 1, 3}, spread{3, 3, 1, 5}},
		{[]float64{4, 1, 3, 2}, spread{4, 2.5, 1, 4}},
		{[]float64{-2, 100, 0, 1, -1}, spread{5, 0, -2, 100}},
	} {
		before := append([]float64(nil), c.in...)
		if got := spreadOf(c.in); got != c.want {
			t.Errorf("%v: %v, not %v", c.in, got, c.want)
		}
		for i := range before {
			if before[i] != c.in[i] {
				t.Fatalf("%v was reordered", before)
			}
		}
	}
	if s := spreadOf(nil); s.n != 0 || !math.IsNaN(s.median) {
		t.Errorf("nothing has a median of %v", s.median)
	}
}

func TestAdded(t *testing.T) {
	if got := added(12, 10); math.Abs(got-20) > 1e-9 {
		t.Errorf("12 instead of 10 is %v %% more", got)
	}
	if got := mean([]float64{1, 2, 6}); got != 3 {
		t.Errorf("mean %v", got)
	}
}
