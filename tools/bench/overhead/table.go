// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"
)

// omission is a variant that was not measured
type omission struct {
	Variant, Why string
}

// results are all that is known after a run
type results struct {
	Machine machine
	Seconds float64
	Repeats int
	Windows []window
	Omitted []omission
}

func (r *results) failed() bool {
	for i := range r.Windows {
		if r.Windows[i].Failed != "" {
			return true
		}
	}
	return false
}

func (r *results) has(workload string) bool {
	for i := range r.Windows {
		if r.Windows[i].Workload == workload {
			return true
		}
	}
	return false
}

// figure has some significant digits and no more; a dash is of what was not measured
func figure(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	if math.Abs(v) < 0.05 {
		return "0.0" // and not -0.0
	}
	return fmt.Sprintf("%+.1f", v)
}

const rowFormat = "%-18s %9s %9s %18s %7s %8s %9s %8s %8s %8s %7s %9s %7s\n"

func (r *results) print(out io.Writer) {
	fmt.Fprintf(out, "%d rounds, windows of %s s\n", r.Repeats, figure(r.Seconds))
	for i := range workloads {
		if r.has(workloads[i].name) {
			r.printWorkload(&workloads[i], out)
		}
	}
	if len(r.Omitted) > 0 {
		fmt.Fprintln(out, "\nNot measured:")
		for _, o := range r.Omitted {
			fmt.Fprintf(out, "  %s: %s\n", o.Variant, o.Why)
		}
	}
	fmt.Fprintln(out)
	r.printQuiet(out)
}

func (r *results) printWorkload(wl *workload, out io.Writer) {
	fmt.Fprintf(out, "\n%s: %s\n", wl.name, wl.about)
	fmt.Fprintf(out, rowFormat, "", "CPU", "added", "least..most", "added/", "ops/s", "p99", "events", "bytes",
		"bytes", "events", "tracer", "tracer")
	fmt.Fprintf(out, rowFormat, "", "ns/op", "%", "%", "runtime", "%", "us", "/op", "/event", "/op", "lost %",
		"ns/event", "CPUs")
	other := summarize(r.Windows, wl.name, peer)
	notes := map[string]bool{}
	for i := range variants {
		v := &variants[i]
		s := summarize(r.Windows, wl.name, v.name)
		if s.windows == 0 {
			continue
		}
		ratio, lost := "-", "-"
		if v.name != base && other.added.median > 0 {
			ratio = figure(s.added.median / other.added.median)
		}
		if s.eventsPerOp.n > 0 {
			lost = figure(100 * s.lost)
		}
		fmt.Fprintf(out, rowFormat, v.name, figure(s.cpu.median), percent(s.added.median),
			percent(s.added.min)+".."+percent(s.added.max), ratio, percent(s.throughput.median),
			figure(s.p99.median/1000), figure(s.eventsPerOp.median), figure(s.bytesPerEvent.median),
			figure(s.bytesPerOp.median), lost, figure(s.tracerPerEvent.median), figure(s.tracerCPUs.median))
		if s.failed > 0 {
			notes[fmt.Sprintf("%s: %d of %d FAILED: %s", v.name, s.failed, s.windows, s.why)] = true
		}
		for k := range r.Windows {
			w := &r.Windows[k]
			if w.Workload == wl.name && w.Variant == v.name {
				for _, note := range w.Notes {
					notes[v.name+" said: "+note] = true
				}
			}
		}
	}
	n := noise(r.Windows, wl.name)
	fmt.Fprintf(out, "  two untraced windows of a round differ by %s %% (median; most: %s %%)\n", figure(n.median),
		figure(n.max))
	for _, note := range sorted(notes) {
		fmt.Fprintf(out, "  %s\n", note)
	}
}

func sorted(set map[string]bool) (list []string) {
	for s := range set {
		list = append(list, s)
	}
	sort.Strings(list)
	return list
}

const (
	quietOthers = 0.05 // CPUs
	quietSteal  = 0.02
)

// printQuiet says what else the machine did meanwhile
func (r *results) printQuiet(out io.Writer) {
	var others, steal []float64
	for i := range r.Windows {
		if r.Windows[i].Seconds > 0 {
			others = append(others, r.Windows[i].Others)
			steal = append(steal, r.Windows[i].Steal)
		}
	}
	o, s := spreadOf(others), spreadOf(steal)
	fmt.Fprintf(out, "Load average at the beginning: %s. In the windows other processes and the kernel's own took"+
		" %s CPUs (median; most: %s), the hypervisor %s (most: %s).\n", r.Machine.Load, figure(o.median),
		figure(o.max), figure(s.median), figure(s.max))
	if o.median > quietOthers || s.median > quietSteal {
		fmt.Fprintf(out, "WARNING: the machine was not quiet (at most %s and %s are): do not trust these figures.\n",
			figure(quietOthers), figure(quietSteal))
	}
}

// wrapped in lines of a page
func wrapped(text string, width int) string {
	var b strings.Builder
	n := 0
	for _, word := range strings.Fields(text) {
		if n > 0 && n+1+len(word) > width {
			b.WriteString("\n")
			n = 0
		} else if n > 0 {
			b.WriteString(" ")
			n++
		}
		b.WriteString(word)
		n += len(word)
	}
	return b.String()
}
