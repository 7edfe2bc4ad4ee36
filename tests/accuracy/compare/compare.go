// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"fmt"
	"sort"
)

// Ours may differ from the truth in the time of a step. So what we have just outside of the
// truth's window can be the partner of what the truth has just inside.
const margin = 1_000_000

// A figure is a count out of a number, or a value.
type figure struct {
	name  string
	got   int64
	of    int64
	float float64 // if of is 0 and this is set
}

// A mismatch is told with what surrounds it.
type mismatch struct {
	class string // what is wrong, without what differs from case to case
	what  string
	lives map[string][2]*life // truth's and ours
	id    int64
	at    int64
	kind  string // "goroutine" or "P"
}

type comparison struct {
	truth, ours *record
	counts      map[string]*figure
	names       []string
	left        map[string]int // what is left out of the comparison, and why
	skews       []int64
	skewOf      map[string][]int64
	wrong       []mismatch
}

func (c *comparison) figure(name string) *figure {
	f := c.counts[name]
	if f == nil {
		f = &figure{name: name}
		c.counts[name] = f
		c.names = append(c.names, name)
	}
	return f
}

// count adds a comparison to the figure of this name.
func (c *comparison) count(name string, right bool) bool {
	f := c.figure(name)
	f.of++
	if right {
		f.got++
	}
	return right
}

func compare(truth, ours *record) *comparison {
	c := &comparison{truth: truth, ours: ours, counts: map[string]*figure{},
		left: map[string]int{}, skewOf: map[string][]int64{}}
	for _, name := range []string{"transitions found", "transitions extra", "same reason",
		"same thread", "same P", "stacks of block", "stacks of create", "stacks of unblock",
		"stacks of syscall", "stacks of stop", "entry functions"} {
		c.figure(name)
	}
	truth.who, ours.who = "the truth", "ours"
	c.left["announcements of known states in the truth (no step)"] = truth.repeated
	c.left["announcements of known states in ours (no step)"] = ours.repeated
	for _, id := range ids(truth.gs, ours.gs) {
		c.lives("goroutine", id, truth.gs[id], ours.gs[id])
	}
	for _, id := range ids(truth.ps, ours.ps) {
		c.lives("P", id, truth.ps[id], ours.ps[id])
	}
	c.marks()
	c.times()
	return c
}

func ids(a, b map[int64]*life) []int64 {
	var all []int64
	for id := range a {
		all = append(all, id)
	}
	for id := range b {
		if a[id] == nil {
			all = append(all, id)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}

// window says whether ours at this time is to be compared, and whether the truth has to have it.
func (c *comparison) window(at int64) (near, inside bool) {
	t := c.truth
	return at >= t.begin-margin && at <= t.end+margin, at >= t.begin && at <= t.end
}

func (c *comparison) lives(kind string, id int64, truth, ours *life) {
	var theirs, all []step
	var a, b []point

	if truth != nil {
		theirs = truth.steps
	}
	if ours != nil {
		for _, s := range ours.steps {
			near, inside := c.window(s.at)
			if !near {
				c.left["steps of ours before or after the truth's window"]++
				continue
			}
			all = append(all, s)
			b = append(b, point{s.at, s.kind(), !inside})
		}
	}
	for _, s := range theirs {
		a = append(a, point{s.at, s.kind(), false})
	}
	pairs := align(a, b)
	taken := make([]bool, len(all))
	names := [2]string{"transitions found", "transitions extra"}
	if kind == "P" {
		names = [2]string{"P transitions found", "P transitions extra"}
	}
	tell := func(class, what string, at int64) {
		c.wrong = append(c.wrong, mismatch{class: kind + ": " + class, what: what, id: id, at: at, kind: kind})
	}
	for i, j := range pairs {
		s := &theirs[i]
		if !c.count(names[0], j >= 0) {
			tell("missing "+describe(s), fmt.Sprintf("%s on thread %d, P %d", describe(s), s.m, s.p), s.at)
			continue
		}
		taken[j] = true
		if kind == "P" {
			c.pairOfP(s, &all[j], tell)
		} else {
			c.pair(s, &all[j], tell)
		}
	}
	extra := c.figure(names[1])
	extra.of += int64(len(theirs))
	for j := range all {
		if taken[j] {
			continue
		}
		if b[j].free {
			c.left["steps of ours within 1 ms of the truth's window, without a partner in it"]++
			continue
		}
		extra.got++
		s := &all[j]
		tell("extra "+describe(s), fmt.Sprintf("%s on thread %d, P %d", describe(s), s.m, s.p), s.at)
	}
}

func describe(s *step) string {
	text := s.kind()
	if s.reason != "" {
		text += " (" + s.reason + ")"
	}
	if s.steal {
		text += " (stolen)"
	}
	return text
}

func (c *comparison) skew(kind string, truth, ours int64) {
	d := ours - truth
	c.skewOf[kind] = append(c.skewOf[kind], d)
	if d < 0 {
		d = -d
	}
	c.skews = append(c.skews, d)
}

type teller func(class, what string, at int64)

func (c *comparison) pairOfP(t, o *step, tell teller) {
	if !c.count("P transitions: same way (stop or steal)", t.steal == o.steal) {
		tell(fmt.Sprintf("%s: stolen %v, ours says %v", t.kind(), t.steal, o.steal), "", t.at)
	}
	if !c.count("P transitions: same thread", t.m == o.m) {
		tell(describe(t)+": another thread", fmt.Sprintf("thread %d, ours says %d", t.m, o.m), t.at)
	}
	c.skewOf["P "+t.kind()] = append(c.skewOf["P "+t.kind()], o.at-t.at)
}

func (c *comparison) pair(t, o *step, tell teller) {
	c.skew(t.kind(), t.at, o.at)
	if !c.count("same reason", t.reason == o.reason) {
		tell(fmt.Sprintf("%s: reason %q, ours says %q", t.kind(), t.reason, o.reason), "", t.at)
	}
	if !c.count("same thread", t.m == o.m) {
		tell(t.kind()+": another thread", fmt.Sprintf("thread %d, ours says %d", t.m, o.m), t.at)
	}
	if !c.count("same P", t.p == o.p) {
		class := "another P"
		switch {
		case t.p < 0:
			class = "a P where the truth has none"
		case o.p < 0:
			class = "no P where the truth has one"
		}
		tell(t.kind()+": "+class, fmt.Sprintf("P %d, ours says %d", t.p, o.p), t.at)
	}
	name := ""
	switch {
	case t.from == "NotExist" && t.to != "Syscall":
		name = "stacks of create"
		if !c.count("entry functions", t.entry == o.entry) {
			tell(c.stackClass("entry", t.entry, o.entry), c.bothStacks(t.entry, o.entry), t.at)
		}
	case t.from == "Waiting":
		name = "stacks of unblock"
	case t.to == "Syscall" && t.from == "Running":
		name = "stacks of syscall"
	case t.to == "Waiting":
		name = "stacks of block"
	case t.from == "Running" && t.to == "Runnable":
		name = "stacks of stop"
	default:
		return
	}
	if !c.count(name, t.stack == o.stack) {
		what := t.kind()
		if t.reason != "" {
			what += " (" + t.reason + ")"
		}
		tell(c.stackClass(what, t.stack, o.stack), c.bothStacks(t.stack, o.stack), t.at)
	}
}

// stackClass says how two stacks differ, by the first frames that do.
func (c *comparison) stackClass(what string, truth, ours int) string {
	t, o := c.truth.stacks.lines(truth), c.truth.stacks.lines(ours)
	i := 0
	for i < len(t) && i < len(o) && t[i] == o[i] {
		i++
	}
	frame := func(lines []string) string {
		if len(lines) == 0 {
			return "no stack"
		}
		if i >= len(lines) {
			return "its end"
		}
		return lines[i]
	}
	return fmt.Sprintf("%s: stack: frame %d is %s, ours has %s", what, i, frame(t), frame(o))
}

func (c *comparison) bothStacks(truth, ours int) string {
	text := "\n    truth:"
	for _, line := range c.truth.stacks.lines(truth) {
		text += "\n      " + line
	}
	text += "\n    ours:"
	for _, line := range c.truth.stacks.lines(ours) {
		text += "\n      " + line
	}
	return text
}
