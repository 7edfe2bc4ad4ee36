// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"fmt"
	"sort"
)

// Marks of one class and scope are a sequence, too.
type sequence struct {
	class string
	scope int64
}

// The heap's size is sampled by us and told at each change by the truth: only how often is told.
var sampled = map[string]bool{"heap live": true, "heap goal": true}

// The stop of the world in which the truth begins: the truth tells its begin when the world stands
// still already, and it began before the truth's window.
const firstStop = "begin stop-the-world (start trace)"

func split(r *record, near func(at int64) bool) (map[sequence][]mark, int) {
	all := map[sequence][]mark{}
	out := 0
	for _, m := range r.marks {
		if !near(m.at) {
			out++
			continue
		}
		s := sequence{m.class, m.scope}
		if m.class == "gc" || m.class == "gomaxprocs" || sampled[m.class] {
			s.scope = -1 // who tells it does not matter
		}
		all[s] = append(all[s], m)
	}
	for _, seq := range all {
		sort.SliceStable(seq, func(i, j int) bool { return seq[i].at < seq[j].at })
	}
	return all, out
}

// marks compares everything that is no transition.
func (c *comparison) marks() {
	for _, class := range []string{"gc", "stw", "assist", "sweep", "task", "region", "log", "label",
		"gomaxprocs"} {
		c.figure(class + " found")
		c.figure(class + " extra")
	}
	for _, r := range []*record{c.truth, c.ours} {
		var kept []mark
		for _, m := range r.marks {
			if m.class == "stw" && m.key == firstStop {
				c.left["begins of the stop in which the truth starts, which it tells too late, in "+r.who]++
				continue
			}
			kept = append(kept, m)
		}
		r.marks = kept
	}
	theirs, _ := split(c.truth, func(int64) bool { return true })
	ours, out := split(c.ours, func(at int64) bool {
		near, _ := c.window(at)
		return near
	})
	if out > 0 {
		c.left["ranges, annotations and metrics of ours before or after the truth's window"] = out
	}
	keys := map[sequence]bool{}
	for k := range theirs {
		keys[k] = true
	}
	for k := range ours {
		keys[k] = true
	}
	order := make([]sequence, 0, len(keys))
	for k := range keys {
		order = append(order, k)
	}
	sort.Slice(order, func(i, j int) bool {
		if order[i].class != order[j].class {
			return order[i].class < order[j].class
		}
		return order[i].scope < order[j].scope
	})
	for _, k := range order {
		if sampled[k.class] {
			f := c.figure(k.class + " values (sampled by us)")
			f.got, f.of = int64(len(ours[k])), int64(len(theirs[k]))
			continue
		}
		c.markSequence(k, theirs[k], ours[k])
	}
}

func (c *comparison) markSequence(k sequence, theirs, ours []mark) {
	var a, b []point
	for _, m := range theirs {
		a = append(a, point{m.at, m.key, false})
	}
	for _, m := range ours {
		_, inside := c.window(m.at)
		b = append(b, point{m.at, m.key, !inside})
	}
	tell := func(class, what string, at int64) {
		c.wrong = append(c.wrong, mismatch{class: class, what: what, id: k.scope, at: at,
			kind: map[string]string{"sweep": "P"}[k.class]})
	}
	taken := make([]bool, len(b))
	for i, j := range align(a, b) {
		t := &theirs[i]
		what := fmt.Sprintf("%s %s %s on thread %d", k.class, t.key, t.value, t.m)
		if !c.count(k.class+" found", j >= 0) {
			tell("missing "+k.class+" "+t.key, what, t.at)
			continue
		}
		o := &ours[j]
		taken[j] = true
		c.skewOf[k.class+" "+t.key] = append(c.skewOf[k.class+" "+t.key], o.at-t.at)
		if !c.count(k.class+": same thread", t.m == o.m) {
			tell(k.class+" "+t.key+": another thread", fmt.Sprintf("thread %d, ours says %d", t.m, o.m), t.at)
		}
		if !c.count(k.class+": same values", t.value == o.value) {
			tell(k.class+" "+t.key+": other values", fmt.Sprintf("%q, ours says %q", t.value, o.value), t.at)
		}
		if !c.count(k.class+": same stack", t.stack == o.stack) {
			tell(c.stackClass(k.class+" "+t.key, t.stack, o.stack), c.bothStacks(t.stack, o.stack), t.at)
		}
	}
	extra := c.figure(k.class + " extra")
	extra.of += int64(len(theirs))
	for j := range ours {
		if taken[j] {
			continue
		}
		if b[j].free {
			c.left["ranges, annotations and metrics of ours within 1 ms of the truth's window, without a partner in it"]++
			continue
		}
		extra.got++
		tell("extra "+k.class+" "+ours[j].key, fmt.Sprintf("%s on thread %d", ours[j].value, ours[j].m), ours[j].at)
	}
}
