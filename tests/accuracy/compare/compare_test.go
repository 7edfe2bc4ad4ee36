// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bytes"
	"context"
	"runtime"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"
)

// made is a trace of this very program, which does something of everything.
var made = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	if err := trace.Start(&out); err != nil {
		panic(err)
	}
	ctx, task := trace.NewTask(context.Background(), "task")
	c := make(chan int)
	go func() {
		for range c {
			trace.Log(ctx, "key", "value")
		}
		close(c)
	}()
	for i := 0; i < 50; i++ {
		trace.WithRegion(ctx, "region", func() { c <- i })
		time.Sleep(100 * time.Microsecond)
		runtime.Gosched()
	}
	runtime.GC()
	task.End()
	trace.Stop()
	return out.Bytes()
})

// pair is the truth and a copy of it.
func pair(t *testing.T) (truth, ours *record) {
	all := newStacks()
	var both [2]*record
	for i := range both {
		rec, err := read(bytes.NewReader(made()), all)
		if err != nil {
			t.Fatal(err)
		}
		both[i] = rec
	}
	return both[0], both[1]
}

// find returns the first goroutine, and the index of its first step, that the test is for; two
// more follow.
func find(t *testing.T, r *record, what func(s *step) bool) (*life, int) {
	for _, id := range ids(r.gs, nil) {
		l := r.gs[id]
		for i := range l.steps {
			if i+2 < len(l.steps) && what(&l.steps[i]) {
				return l, i
			}
		}
	}
	t.Fatal("the trace has no such step")
	return nil, 0
}

// wrong are the classes of all mismatches but those in time.
func (c *comparison) classes() []string {
	var all []string
	for _, m := range c.wrong {
		if !strings.Contains(m.class, "time in") {
			all = append(all, m.class)
		}
	}
	return all
}

// expect fails unless these figures, and no others, are short of the truth.
func expect(t *testing.T, c *comparison, want map[string]int64) {
	t.Helper()
	for _, name := range c.names {
		f := c.counts[name]
		short := f.of - f.got
		switch {
		case strings.HasSuffix(name, "extra"):
			short = f.got
		case strings.HasPrefix(name, "time ") || strings.HasPrefix(name, "goroutines"):
			continue
		}
		if short != want[name] {
			t.Errorf("%s: %d wrong, not %d", name, short, want[name])
		}
	}
	var n int64
	for _, k := range want {
		n += k
	}
	if int64(len(c.classes())) != n {
		t.Errorf("mismatches told: %q, not %d", c.classes(), n)
	}
}

func blocks(s *step) bool { return s.kind() == "Running->Waiting" && s.reason == "chan receive" }

func TestEqual(t *testing.T) {
	truth, ours := pair(t)
	c := compare(truth, ours)
	expect(t, c, nil)
	if n := c.counts["transitions found"].of; n < 300 {
		t.Errorf("only %d transitions", n)
	}
	for _, name := range []string{"time in states within 1 %", "time in the right state",
		"goroutines with all states within 1 % of their time"} {
		if f := c.counts[name]; f.got != f.of || f.of == 0 {
			t.Errorf("%s: %d of %d", name, f.got, f.of)
		}
	}
	for _, name := range []string{"gc found", "stw found", "task found", "region found", "log found",
		"same P", "stacks of block", "stacks of create", "stacks of unblock", "P transitions found"} {
		if c.counts[name] == nil || c.counts[name].of == 0 {
			t.Errorf("%s: nothing was compared", name)
		}
	}
	if s := sorted(c.skews); quantile(s, 1) != 0 {
		t.Errorf("skew of %d ns", quantile(s, 1))
	}
}

func TestDropped(t *testing.T) {
	truth, ours := pair(t)
	l, i := find(t, ours, blocks)
	l.steps = append(l.steps[:i:i], l.steps[i+2:]...)
	expect(t, compare(truth, ours), map[string]int64{"transitions found": 2})
}

func TestExtra(t *testing.T) {
	truth, ours := pair(t)
	l, i := find(t, ours, blocks)
	more := l.steps[i]
	more.at++
	l.steps = append(l.steps[:i+1:i+1], append([]step{more}, l.steps[i+1:]...)...)
	expect(t, compare(truth, ours), map[string]int64{"transitions extra": 1})
}

func TestChanged(t *testing.T) {
	truth, ours := pair(t)
	l, i := find(t, ours, blocks)
	l.steps[i].reason = "another"
	l.steps[i].m++
	l.steps[i+1].p++
	expect(t, compare(truth, ours), map[string]int64{"same reason": 1, "same thread": 1, "same P": 1})
}

func TestStacks(t *testing.T) {
	truth, ours := pair(t)
	l, i := find(t, ours, blocks)
	lines := ours.stacks.lines(l.steps[i].stack)
	lines[len(lines)-1] = strings.Replace(lines[len(lines)-1], ":", ":1", 1)
	l.steps[i].stack = ours.stacks.add(strings.Join(lines, "\n") + "\n")
	l, i = find(t, ours, func(s *step) bool { return s.from == "NotExist" })
	l.steps[i].entry, l.steps[i].stack = 0, 0
	expect(t, compare(truth, ours), map[string]int64{"stacks of block": 1, "stacks of create": 1,
		"entry functions": 1})
}

// A step told much too late is one missing and one extra.
func TestLate(t *testing.T) {
	truth, ours := pair(t)
	l, i := find(t, ours, blocks)
	late := l.steps[i]
	late.at += 3 * unpaired
	l.steps = append(append(l.steps[:i:i], l.steps[i+1:]...), late)
	for k := len(l.steps) - 1; k > 0 && l.steps[k].at < l.steps[k-1].at; k-- {
		l.steps[k], l.steps[k-1] = l.steps[k-1], l.steps[k]
	}
	extra := int64(1)
	if late.at > truth.end {
		extra = 0
	}
	expect(t, compare(truth, ours), map[string]int64{"transitions found": 1, "transitions extra": extra})
}

func TestGoroutines(t *testing.T) {
	truth, ours := pair(t)
	l, _ := find(t, ours, blocks)
	delete(ours.gs, l.id)
	n := int64(len(l.steps))
	other := *l
	other.id = 1_000_000
	ours.gs[other.id] = &other
	expect(t, compare(truth, ours), map[string]int64{"transitions found": n, "transitions extra": n})
}

func TestMarks(t *testing.T) {
	truth, ours := pair(t)
	var kept []mark
	done := map[string]bool{}
	for _, m := range ours.marks {
		switch {
		case done[m.class]:
		case m.class == "gc", m.class == "log":
			done[m.class] = true
			continue
		case m.class == "region":
			done[m.class] = true
			m.key += "!"
		case m.class == "stw" && m.key != firstStop:
			done[m.class] = true
			m.m++
		}
		kept = append(kept, m)
	}
	ours.marks = kept
	expect(t, compare(truth, ours), map[string]int64{"gc found": 1, "log found": 1,
		"region found": 1, "region extra": 1, "stw: same thread": 1})
}

// What is outside of the truth's window is left out and counted, nothing else is.
func TestWindow(t *testing.T) {
	truth, ours := pair(t)
	l, _ := find(t, ours, blocks)
	first := l.steps[0]
	for _, at := range []int64{truth.begin - 2*margin, truth.begin - margin/2} {
		early := step{at: at, from: "Running", to: "Waiting", reason: "early", m: first.m, p: first.p}
		l.steps = append([]step{early}, l.steps...)
	}
	c := compare(truth, ours)
	expect(t, c, nil)
	left := 0
	for what, n := range c.left {
		if strings.HasPrefix(what, "steps") {
			left += n
		}
	}
	if left != 2 {
		t.Errorf("left out: %v", c.left)
	}
}

func TestSkewAndTimes(t *testing.T) {
	truth, ours := pair(t)
	for _, l := range ours.gs {
		for i := range l.steps {
			if l.steps[i].to == "Waiting" {
				l.steps[i].at += 30_000
			}
		}
	}
	c := compare(truth, ours)
	if s := sorted(c.skewOf["Running->Waiting"]); quantile(s, .01) != 30_000 || quantile(s, 1) != 30_000 {
		t.Errorf("skew is %d to %d", quantile(s, .01), quantile(s, 1))
	}
	if f := c.counts["time in states within 1 %"]; f.got >= f.of {
		t.Errorf("time in states: %d of %d", f.got, f.of)
	}
}

func TestAlign(t *testing.T) {
	points := func(text string, times ...int64) (all []point) {
		for i, at := range times {
			all = append(all, point{at: at, kind: text[i : i+1]})
		}
		return all
	}
	for _, c := range []struct {
		a, b []point
		want []int
	}{
		{points("ab", 10, 20), points("ab", 11, 21), []int{0, 1}},
		{points("aba", 10, 20, 30), points("a", 31), []int{-1, -1, 0}},
		{points("a", 29), points("aba", 10, 20, 30), []int{2}},
		{points("abab", 10, 20, 30, 40), points("ab", 30, 40), []int{-1, -1, 0, 1}},
		{points("a", 0), points("a", 2*unpaired+1), []int{-1}},
		{nil, points("a", 5), []int{}},
		{points("a", 5), nil, []int{-1}},
	} {
		got := align(c.a, c.b)
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("%v with %v: %v, not %v", c.a, c.b, got, c.want)
			}
		}
	}
}
