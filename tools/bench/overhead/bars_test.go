// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"strings"
	"testing"
)

// runOf has one round of http: an operation takes 100 ns untraced, and these with a tracer
func runOf(cpu map[string]uint64) *results {
	r := &results{Windows: []window{win(base, 0, 1000, 100)}}
	for name, ns := range cpu {
		r.Windows = append(r.Windows, win(name, 0, 1000, ns))
	}
	return r
}

func verdictOf(t *testing.T, all []bar, words ...string) bar {
	t.Helper()
	for _, b := range all {
		ok := true
		for _, word := range words {
			ok = ok && strings.Contains(b.promise, word)
		}
		if ok {
			return b
		}
	}
	t.Fatalf("no bar of %v", words)
	return bar{}
}

func TestBars(t *testing.T) {
	for _, c := range []struct {
		cpu                      map[string]uint64
		inline, together, kernel verdict
	}{
		{map[string]uint64{peer: 114, alone: 109, whole: 119, "kernel": 108}, met, met, met},
		{map[string]uint64{peer: 114, alone: 115, whole: 120, "kernel": 109}, notMet, notMet, notMet},
		{map[string]uint64{peer: 114}, unknown, unknown, unknown},
		{map[string]uint64{alone: 101, whole: 101}, unknown, unknown, unknown},
		// only together
		{map[string]uint64{peer: 114, whole: 113}, met, met, unknown},
		{map[string]uint64{peer: 114, whole: 118}, notMet, met, unknown},
	} {
		all := runOf(c.cpu).bars(&hits{})
		for words, want := range map[string]verdict{
			"http: inline probes with stacks": c.inline,
			"http: inline probes and level":   c.together,
			"http: level kernel":              c.kernel,
			"pingpong: inline probes and":     unknown,
			"uprobe: a hit":                   unknown,
			"bpftrace":                        unknown,
		} {
			if got := verdictOf(t, all, words); got.verdict != want {
				t.Errorf("%v: %s: %s (%s), not %s", c.cpu, words, got.verdict, got.found, want)
			}
		}
	}
}

func TestLossesProveNothing(t *testing.T) {
	r := runOf(map[string]uint64{})
	w := win("kernel", 0, 1000, 105)
	w.Traced, w.Lost = 900, 100
	r.Windows = append(r.Windows, w)
	if b := verdictOf(t, r.bars(&hits{}), "level kernel adds"); b.verdict != unproven {
		t.Errorf("%s: %s", b.verdict, b.found)
	}
}

func TestReasons(t *testing.T) {
	r := runOf(map[string]uint64{peer: 110})
	r.Omitted = []omission{{"kernel", "no such level"}}
	w := win(whole, 0, 0, 0)
	w.Failed = "the target died"
	r.Windows = append(r.Windows, w)
	all := r.bars(&hits{EntryWhy: "bpftrace is not installed"})
	for words, why := range map[string]string{
		"level kernel adds":               "no such level",
		"http: inline probes with stacks": "the target died",
		"http: inline probes and level":   "the target died",
		"bpftrace":                        "not installed",
	} {
		if b := verdictOf(t, all, words); b.verdict != unknown || !strings.Contains(b.found, why) {
			t.Errorf("%s: %s: %s", words, b.verdict, b.found)
		}
	}
}

func TestHitBars(t *testing.T) {
	ours, err := parseHits([]byte("call, no probe\t1.4\t0\t0\nstart: no stack\t700\t1.34\t1.35\n" +
		"park: stack of 16 frames\t1000\t2.01\t2\nready: waker's stack of 16 frames\t1300\t2\t2\n"))
	if err != nil || len(ours) != 4 {
		t.Fatal(ours, err)
	}
	h := hits{Ours: ours, Entry: []float64{7000, 9000, 8000}}
	all := h.bars()
	for words, want := range map[string]verdict{"start": met, "park": notMet, "ready": met, "bpftrace": met} {
		if b := verdictOf(t, all, words); b.verdict != want {
			t.Errorf("%s: %s (%s)", words, b.verdict, b.found)
		}
	}
	h.Entry = []float64{7999}
	if b := verdictOf(t, h.bars(), "bpftrace"); b.verdict != notMet {
		t.Errorf("%s (%s)", b.verdict, b.found)
	}
	h.Ours = h.Ours[:3]
	if b := verdictOf(t, h.bars(), "bpftrace"); b.verdict != unknown {
		t.Errorf("%s (%s)", b.verdict, b.found)
	}
	if _, err := parseHits([]byte("call\t1.4\n")); err == nil {
		t.Error("taken")
	}
}
