// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import "sort"

// What it costs to leave a step without a partner, in the nanoseconds by which two partners may
// differ for the same price. So steps more than twice that apart are no partners, of all ways to
// pair as many steps as possible the one with the least differences is taken, and far-fetched
// pairs are rather told as one missing and one extra.
const unpaired = 10_000_000

// A point is what is compared when two sequences are aligned. One that is free may stay without
// a partner at no cost: it is outside of what the other trace tells of.
type point struct {
	at   int64
	kind string
	free bool
}

// align pairs points of two sequences, each in order of time, without crossing: the optimum for
// the sum of what unpaired points and differences in time cost. The result has for each of a the
// index in b, or -1.
func align(a, b []point) []int {
	pairs := make([]int, len(a))
	for i := range pairs {
		pairs[i] = -1
	}
	if len(a) == 0 || len(b) == 0 {
		return pairs
	}
	// lo, hi: which of b are near enough to be partners of a[i], or lie between such
	lo := func(i int) int {
		return sort.Search(len(b), func(j int) bool { return b[j].at >= a[i].at-2*unpaired })
	}
	hi := func(i int) int {
		return sort.Search(len(b), func(j int) bool { return b[j].at > a[i].at+2*unpaired })
	}
	// Row i: i of a are done. Only its cells from begin[i] on can be on the best way.
	begin := make([]int, len(a)+1)
	way := make([][]byte, len(a)+1)
	var last, row []int64
	for i := 0; i <= len(a); i++ {
		from, to := 0, len(b)
		if i > 0 {
			from = lo(i - 1)
		}
		if i < len(a) {
			to = hi(i)
		}
		begin[i], way[i] = from, make([]byte, to-from+1)
		row = make([]int64, to-from+1)
		for j := from; j <= to; j++ {
			row[j-from], way[i][j-from] = cell(a, b, i, j, row, from, last, begin)
		}
		last = row
	}
	for i, j := len(a), len(b); i > 0 || j > 0; {
		switch way[i][j-begin[i]] {
		case 'm':
			i, j = i-1, j-1
			pairs[i] = j
		case 'a':
			i--
		default:
			j--
		}
	}
	return pairs
}

// cell is the least cost of having done i of a and j of b, and the last thing done for it. The row
// before reaches far enough up and down for each cell of this one to have a way to it.
func cell(a, b []point, i, j int, row []int64, from int, last []int64, begin []int) (int64, byte) {
	best, way := int64(1)<<62, byte('b')

	if i == 0 && j == 0 {
		return 0, 0
	}
	if j > from {
		best = row[j-1-from] + price(b[j-1])
	}
	if i == 0 {
		return best, way
	}
	at := j - begin[i-1]
	if at < len(last) {
		if c := last[at] + price(a[i-1]); c < best {
			best, way = c, 'a'
		}
	}
	if at > 0 && at <= len(last) && a[i-1].kind == b[j-1].kind {
		if c := last[at-1] + distance(a[i-1].at, b[j-1].at); c <= best {
			best, way = c, 'm'
		}
	}
	return best, way
}

func price(p point) int64 {
	if p.free {
		return 0
	}
	return unpaired
}

func distance(a, b int64) int64 {
	if a < b {
		return b - a
	}
	return a - b
}
