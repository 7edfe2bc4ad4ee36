// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"fmt"
	"strings"
)

// verdict on a bar
type verdict string

const (
	met      verdict = "met"
	notMet   verdict = "NOT MET"
	unknown  verdict = "not measured"
	unproven verdict = "unproven" // too much was lost: who records less costs less
)

const tolerated = 0.01 // share of events lost

// bar is what is promised, and what was found
type bar struct {
	promise string
	verdict verdict
	found   string
}

func judge(ok bool) verdict {
	if ok {
		return met
	}
	return notMet
}

// measured looks a variant up, or says why there is nothing to judge by
func (r *results) measured(workload, variant string) (summary, string) {
	s := summarize(r.Windows, workload, variant)
	switch {
	case s.added.n > 0:
		return s, ""
	case s.why != "":
		return s, variant + ": " + s.why
	}
	for _, o := range r.Omitted {
		if o.Variant == variant {
			return s, variant + ": " + o.Why
		}
	}
	return s, variant + ": not in this run"
}

// addedBar judges the added CPU of a variant against a limit that may depend on another's
func (r *results) addedBar(promise, workload, variant, other string, limit func(other float64) float64) bar {
	b := bar{promise: workload + ": " + promise, verdict: unknown}
	s, why := r.measured(workload, variant)
	o := summary{}
	if why == "" && other != "" {
		o, why = r.measured(workload, other)
	}
	if why != "" {
		b.found = why
		return b
	}
	most := limit(o.added.median)
	b.verdict = judge(s.added.median <= most)
	b.found = fmt.Sprintf("%s: %s %% (%s..%s), may be %s %%", variant, percent(s.added.median),
		percent(s.added.min), percent(s.added.max), percent(most))
	if other != "" {
		ratio := s.against(&o)
		b.found += fmt.Sprintf("; %s times %s %% of %s (by rounds %s..%s times)", figure(s.added.median/o.added.median),
			percent(o.added.median), other, figure(ratio.min), figure(ratio.max))
	}
	if s.lost > tolerated {
		b.found += fmt.Sprintf("; %s %% of the events were lost", figure(100*s.lost))
		if b.verdict == met {
			b.verdict = unproven
		}
	}
	if s.failed > 0 {
		b.found += fmt.Sprintf("; %d of %d windows failed", s.failed, s.windows)
	}
	return b
}

// bars are those of issues and pages of this project; see docs/overhead.md
func (r *results) bars(h *hits) (all []bar) {
	for _, workload := range []string{"http", "pingpong"} {
		probes := alone
		if _, why := r.measured(workload, alone); why != "" {
			probes = whole // what does more has to do, where that cannot be left out
		}
		all = append(all,
			r.addedBar("inline probes with stacks add no more than 1.0 x runtime/trace", workload, probes, peer,
				func(other float64) float64 { return other }),
			r.addedBar("inline probes and level kernel add at most 5 points more than runtime/trace", workload,
				whole, peer, func(other float64) float64 { return other + 5 }))
	}
	all = append(all, r.addedBar("level kernel adds at most 8 %", "http", "kernel", "",
		func(float64) float64 { return 8 }))
	return append(all, h.bars()...)
}

func (h *hits) bars() (all []bar) {
	for _, hit := range h.Ours {
		if hit.Bar == 0 {
			continue
		}
		all = append(all, bar{
			promise: fmt.Sprintf("uprobe, %s: at most %.2f x the empty program at the same place", hit.Name, hit.Bar),
			verdict: judge(hit.OfEmpty <= hit.Bar),
			found:   fmt.Sprintf("%.2f x", hit.OfEmpty),
		})
	}
	if len(all) == 0 {
		all = append(all, bar{"uprobe: a hit against the empty program", unknown, "tools/bench/hits has not run"})
	}
	b := bar{fmt.Sprintf("uprobe: a transition at least %d x cheaper than bpftrace's entry probe", cheaper), unknown, h.EntryWhy}
	ours := h.transition()
	switch {
	case h.EntryWhy != "":
	case ours == 0 || len(h.Entry) == 0:
		b.found = "tools/bench/hits has not run"
	default:
		s := spreadOf(h.Entry)
		b.verdict = judge(s.median >= cheaper*ours)
		b.found = fmt.Sprintf("%.1f x: %.0f ns (%.0f..%.0f) against %.0f ns (mean of: %s)", s.median/ours, s.median,
			s.min, s.max, ours, strings.Join(transitions, "; "))
	}
	return append(all, b)
}

// readBars: from what the last runs have left in dir
func readBars(dir string) ([]bar, error) {
	var r results
	var h hits
	if err := load(dir+"/workloads.json", &r); err != nil {
		return nil, err
	}
	if err := load(dir+"/hits.json", &h); err != nil {
		return nil, err
	}
	return r.bars(&h), nil
}

func barsText(dir string) (string, error) {
	var text strings.Builder
	all, err := readBars(dir)
	for _, b := range all {
		fmt.Fprintf(&text, "%-13s %s\n%-13s %s\n", b.verdict, b.promise, "", b.found)
	}
	return text.String(), err
}
