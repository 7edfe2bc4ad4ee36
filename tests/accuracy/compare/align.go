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

// alignNear is align for the ways that stay near those of the begin and the end, and its cost.
func alignNear(a, b []point, band int) ([]int, int64) {
	low, high := min(0, len(b)-len(a))-band, max(0, len(b)-len(a))+band // of j-i
	width := high - low + 1
	way := make([]byte, (len(a)+1)*width)
	last, row := make([]int64, width), make([]int64, width)
	for i := 0; i <= len(a); i++ {
		for d := 0; d < width; d++ { // the cell of i and j = i + low + d
			j := i + low + d
			best, how := never, byte(0)
			if i == 0 && j == 0 {
				best = 0
			}
			if j < 0 || j > len(b) {
				row[d] = never
				continue
			}
			if j > 0 && d > 0 && row[d-1] < never {
				if c := row[d-1] + price(b[j-1]); c < best {
					best, how = c, 'b'
				}
			}
			if i > 0 && d+1 < width && last[d+1] < never {
				if c := last[d+1] + unpaired; c < best {
					best, how = c, 'a'
				}
			}
			if i > 0 && j > 0 && last[d] < never && a[i-1].kind == b[j-1].kind {
				if c := last[d] + distance(a[i-1].at, b[j-1].at); c <= best {
					best, how = c, 'm'
				}
			}
			row[d], way[i*width+d] = best, how
		}
		last, row = row, last
	}
	pairs := make([]int, len(a))
	for i, j := len(a), len(b); i > 0 || j > 0; {
		switch way[i*width+j-i-low] {
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
	return pairs, last[len(b)-len(a)-low]
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
