// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"fmt"
	"io"
	"sort"
	"strings"
)

func quantile(sorted []int64, q float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func sorted(v []int64) []int64 {
	s := append([]int64(nil), v...)
	sort.Slice(s, func(i, j int) bool { return s[i] < s[j] })
	return s
}

// printFigures prints all, for people to read.
func (c *comparison) printFigures(w io.Writer) {
	t := c.truth
	fmt.Fprintf(w, "truth: %d ms, %d events, %d goroutines\n", (t.end-t.begin)/1e6, t.events, len(t.gs))
	for _, name := range c.names {
		f := c.counts[name]
		switch {
		case f.of > 0:
			fmt.Fprintf(w, "%-60s %10d of %10d  %8.3f %%\n", name, f.got, f.of,
				100*float64(f.got)/float64(f.of))
		default:
			fmt.Fprintf(w, "%-60s %10d of %10d\n", name, f.got, f.of)
		}
	}
	s := sorted(c.skews)
	fmt.Fprintf(w, "skew of transitions: p50 %d ns, p99 %d ns, largest %d ns\n",
		quantile(s, .5), quantile(s, .99), quantile(s, 1))
	for _, left := range sortedKeys(c.left) {
		fmt.Fprintf(w, "left out: %d %s\n", c.left[left], left)
	}
}

// printTable prints name, got, of for programs.
func (c *comparison) printTable(w io.Writer) {
	for _, name := range c.names {
		fmt.Fprintf(w, "%s\t%d\t%d\n", name, c.counts[name].got, c.counts[name].of)
	}
	s := sorted(c.skews)
	fmt.Fprintf(w, "skew p50\t%d\t0\nskew p99\t%d\t0\n", quantile(s, .5), quantile(s, .99))
	fmt.Fprintf(w, "goroutines\t%d\t0\nevents\t%d\t0\nmilliseconds\t%d\t0\n", len(c.truth.gs),
		c.truth.events, (c.truth.end-c.truth.begin)/1e6)
	for _, left := range sortedKeys(c.left) {
		fmt.Fprintf(w, "left out: %s\t%d\t0\n", left, c.left[left])
	}
}

// printSkews prints by how much ours is later, for each kind of event.
func (c *comparison) printSkews(w io.Writer) {
	fmt.Fprintf(w, "later than the truth, ns:%39s %9s %9s %9s\n", "p1", "p50", "p99", "number")
	for _, kind := range sortedKeys(c.skewOf) {
		s := sorted(c.skewOf[kind])
		fmt.Fprintf(w, "  %-52.52s %9d %9d %9d %9d\n", kind, quantile(s, .01), quantile(s, .5),
			quantile(s, .99), len(s))
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// printClasses prints what is wrong, the most frequent first.
func (c *comparison) printClasses(w io.Writer) {
	number := map[string]int{}
	for i := range c.wrong {
		number[c.wrong[i].class]++
	}
	classes := sortedKeys(number)
	sort.SliceStable(classes, func(i, j int) bool { return number[classes[i]] > number[classes[j]] })
	for _, class := range classes {
		fmt.Fprintf(w, "%7d %s\n", number[class], class)
	}
}

// printMismatches prints each whose class contains the text, with the steps around it.
func (c *comparison) printMismatches(w io.Writer, about string, around int) {
	for i := range c.wrong {
		m := &c.wrong[i]
		if !strings.Contains(m.class, about) {
			continue
		}
		fmt.Fprintf(w, "\n%s\n  %s %d at %s %s\n", m.class, m.kind, m.id, c.clock(m.at), m.what)
		truth, ours := c.truth.gs, c.ours.gs
		if m.kind == "P" {
			truth, ours = c.truth.ps, c.ours.ps
		}
		if m.id < 0 {
			continue
		}
		c.surroundings(w, "truth", truth[m.id], m.at, around)
		c.surroundings(w, "ours", ours[m.id], m.at, around)
	}
}

// clock is microseconds since the truth began.
func (c *comparison) clock(at int64) string {
	return fmt.Sprintf("%.3f", float64(at-c.truth.begin)/1e3)
}

func (c *comparison) surroundings(w io.Writer, who string, l *life, at int64, around int) {
	if l == nil {
		fmt.Fprintf(w, "  %s: does not know it\n", who)
		return
	}
	i := sort.Search(len(l.steps), func(i int) bool { return l.steps[i].at >= at })
	from, to := max(0, i-around), min(len(l.steps), i+around)
	fmt.Fprintf(w, "  %s: %s at first, %d steps, of these %d to %d:\n", who, l.first, len(l.steps), from, to)
	for _, s := range l.steps[from:to] {
		leaf := ""
		if lines := c.truth.stacks.lines(s.stack); len(lines) > 0 {
			leaf = lines[0]
		}
		fmt.Fprintf(w, "    %14s %-32s thread %-7d P %-3d by %-7d %s\n", c.clock(s.at), describe(&s), s.m, s.p, s.by, leaf)
	}
}
