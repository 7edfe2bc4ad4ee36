// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"math"
	"strings"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

// win is a window of a second in which n operations took cpu nanoseconds each
func win(variant string, round int, n uint64, cpu uint64) window {
	return window{Workload: "http", Variant: variant, Round: round, Seconds: 1, Ops: n, CPU: n * cpu}
}

func TestComparedWithTheSameRound(t *testing.T) {
	all := []window{
		win(base, 0, 1000, 90), win(base, 0, 1000, 110), win("uprobe", 0, 500, 300),
		// the machine has become slower by half
		win(base, 1, 600, 150), win(base, 1, 600, 150), win("uprobe", 1, 300, 450),
	}
	s := summarize(all, "http", "uprobe")
	if s.added.n != 2 || !near(s.added.min, 200) || !near(s.added.max, 200) {
		t.Errorf("added %+v", s.added)
	}
	if !near(s.throughput.median, -50) {
		t.Errorf("throughput %+v", s.throughput)
	}
	if !near(s.cpu.median, 375) {
		t.Errorf("cpu %+v", s.cpu)
	}
	if n := noise(all, "http"); !near(n.max, 100*20/90.0) || !near(n.min, 0) {
		t.Errorf("noise %+v", n)
	}
}

func TestFailedWindowsDoNotCount(t *testing.T) {
	bad := win("uprobe", 1, 100, 1)
	bad.Failed = "it fell over"
	all := []window{win(base, 0, 100, 100), win("uprobe", 0, 100, 150), bad, win(base, 1, 100, 100),
		win("uprobe", 2, 100, 1)}
	s := summarize(all, "http", "uprobe")
	if s.windows != 3 || s.failed != 2 || s.why != "it fell over" || s.added.n != 1 || !near(s.added.median, 50) {
		t.Errorf("%+v", s)
	}
}

func TestEventsAndLosses(t *testing.T) {
	w := win("uprobe", 0, 1000, 200)
	w.Events, w.Traced, w.Bytes, w.AllOps, w.Lost, w.TracerCPU = 4000, 8000, 80000, 2000, 2000, 4e6
	s := summarize([]window{win(base, 0, 1000, 100), w}, "http", "uprobe")
	if !near(s.eventsPerOp.median, 4) || !near(s.bytesPerEvent.median, 10) || !near(s.bytesPerOp.median, 40) ||
		!near(s.lost, 0.2) || !near(s.tracerPerEvent.median, 1000) || !near(s.tracerCPUs.median, 0.004) {
		t.Errorf("%+v", s)
	}
}

func TestRotation(t *testing.T) {
	var chosen []*variant
	for _, name := range []string{base, peer, "uprobe", "bpftrace"} {
		chosen = append(chosen, variantNamed(name))
	}
	first := map[string]bool{}
	for round := 0; round < 3; round++ {
		order := rotated(chosen, round)
		count := map[string]int{}
		for _, v := range order {
			count[v.name]++
		}
		if len(order) != 5 || count[base] != 2 || count[peer] != 1 || count["uprobe"] != 1 || order[0].name != base {
			t.Errorf("round %d: %v", round, count)
		}
		first[order[1].name] = true
	}
	if len(first) != 3 {
		t.Errorf("first were only %v", first)
	}
	for n := 1; n <= 2; n++ {
		if order := rotated(chosen[:n], 0); len(order) != n+1 {
			t.Errorf("%d variants make %d windows", n, len(order))
		}
	}
}

const help = `Usage: gscope record [OPTION...]
Record things.

  -d, --duration=DURATION    how long: 500ms
      --level=LEVEL          how much to record: kernel, goroutines (default),
                             or full
      --no-stacks            leave stacks out
      --probes[=ENGINE]      uprobe (default), inline; see --level
  -?, --help                 Give this help list

No program is stopped.
`

func TestOptions(t *testing.T) {
	o := optionsOf(help)
	for _, c := range []struct{ args, want string }{
		{"", ""},
		{"--level kernel", ""},
		{"--level full", ""},
		{"--level none", "no --level none"},
		{"--probes inline --no-stacks", ""},
		{"--no-stacks --probes inline", ""},
		{"--max-overhead off", "no option --max-overhead"},
	} {
		got := o.lacks(strings.Fields(c.args))
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q: %q, not %q", c.args, got, c.want)
		}
	}
}
