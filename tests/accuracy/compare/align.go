// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

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
// index in b, or -1. None of a may be free.
//
// Only ways near the diagonal are tried. One that leaves it by more than `band` leaves at least
// so many of a unpaired; when the best way found costs less than that, none is better.
func align(a, b []point) []int {
	for band := 16; ; band *= 4 {
		pairs, cost := alignNear(a, b, band)
		if cost <= int64(band)*unpaired || band > len(a)+len(b) {
			return pairs
		}
	}
}

const never = int64(1) << 62

// cells are those of a row, for so many of a done, from `from` of b done on.
type cells struct {
	from int
	cost []int64
	way  []byte // the last thing done: 'm' a pair, 'a' or 'b' one of these left alone
}

func (c *cells) at(j int) int64 {
	if j < c.from || j >= c.from+len(c.cost) {
		return never
	}
	return c.cost[j-c.from]
}

// alignNear is align for the ways that stay near those of the begin and the end, and its cost.
// What is too far from a point in time is done before it or after it, never with it.
func alignNear(a, b []point, band int) ([]int, int64) {
	low, high := min(0, len(b)-len(a))-band, max(0, len(b)-len(a))+band // of j-i
	ways := make([]cells, len(a)+1)
	var row, last cells
	for i, first, end := 0, 0, 0; i <= len(a); i++ {
		for i > 0 && first < len(b) && b[first].at < a[i-1].at-2*unpaired {
			first++
		}
		for end < len(b) && (i == len(a) || b[end].at <= a[i].at+2*unpaired) {
			end++
		}
		from, to := max(first, i+low), min(end, i+high)
		n := max(0, to-from+1)
		row = cells{from, make([]int64, n), make([]byte, n)}
		for j := from; j <= to; j++ {
			row.cost[j-from], row.way[j-from] = cell(a, b, i, j, &row, &last)
		}
		last = row
		ways[i] = cells{from: from, way: row.way}
	}
	cost := last.at(len(b))
	if cost >= never {
		return nil, cost
	}
	pairs := make([]int, len(a))
	for i, j := len(a), len(b); i > 0 || j > 0; {
		switch ways[i].way[j-ways[i].from] {
		case 'm':
			i, j = i-1, j-1
			pairs[i] = j
		case 'a':
			i--
			pairs[i] = -1
		default:
			j--
		}
	}
	return pairs, cost
}

// cell is the least cost of having done i of a and j of b, and the last thing done for it.
func cell(a, b []point, i, j int, row, last *cells) (int64, byte) {
	best, way := never, byte('b')
	if i == 0 && j == 0 {
		return 0, 0
	}
	if j > 0 {
		if c := row.at(j - 1); c < never {
			best = c + price(b[j-1])
		}
	}
	if i == 0 {
		return best, way
	}
	if c := last.at(j); c < never && c+unpaired < best {
		best, way = c+unpaired, 'a'
	}
	if j > 0 && a[i-1].kind == b[j-1].kind {
		c := last.at(j - 1)
		if c < never && c+distance(a[i-1].at, b[j-1].at) <= best {
			best, way = c+distance(a[i-1].at, b[j-1].at), 'm'
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
