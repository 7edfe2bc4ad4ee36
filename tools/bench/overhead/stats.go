// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"math"
	"sort"
)

// spread is what is left of repeated measurements of one thing
type spread struct {
	n                int
	median, min, max float64
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{median: math.NaN(), min: math.NaN(), max: math.NaN()}
	}
	v := append([]float64(nil), values...)
	sort.Float64s(v)
	mid := len(v) / 2
	s := spread{n: len(v), median: v[mid], min: v[0], max: v[len(v)-1]}
	if len(v)%2 == 0 {
		s.median = (v[mid-1] + v[mid]) / 2
	}
	return s
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// added is how much more v is than base, in per cent
func added(v, base float64) float64 {
	return 100 * (v - base) / base
}
