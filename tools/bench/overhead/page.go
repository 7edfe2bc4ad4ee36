// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

const intro = `# What tracing costs

Written by ` + "`make bench`" + ` (` + "`tools/bench/run --write`" + `) from what it measured on:
%s. Times on another machine differ; their ratios hold better.

`

const method = `## Programs at work

A program (` + "`tools/bench/load`" + `) does one thing as fast as it can, on all CPUs, and counts operations
and its own CPU time, user and system. All variants are measured by turns with the same process,
round by round, each round with a new process and beginning with another variant. A window begins
when the tracer is attached and has settled, and ends before it detaches. Nothing is pinned to a
CPU. Figures are medians over the rounds.

* *added*: CPU time of the program per operation, against the mean of the two untraced windows of the
  same round; beside it the least and the most of all rounds.
* *added/runtime*: that median, as a multiple of what the program's own tracer adds.
* *ops/s*: throughput, likewise. The tracer's own CPU time shows here, as all CPUs are busy.
* *events/op*, *bytes/event*, *bytes/op*, *lost*: what was recorded, how large it is in the file. Events
  of the program's own tracer are counted in the beginning of its trace.
* *tracer*: CPU time of the tracer's own process.

%s
`

const perHit = `## One hit of a probe

* *empty program*: what the kernel takes for a uprobe at an emulated instruction, whoever uses it.
* the others: with gscope's program, which reads the goroutine and writes a record; with a stack when it
  also walks the goroutine's frames.
* *bpftrace*: what its probe at the entry of a Go function adds to a call. The kernel has to
  single-step the instruction there.

`

const closing = `
Every report of ` + "`gscope`" + ` ends with what that run cost its target, computed from the cost of a hit
measured in that very run.
`

// block is text as it is
func block(text string) string {
	return "```\n" + strings.Trim(text, "\n") + "\n```\n"
}

// listOfVariants has those that were measured: of options that do not exist it says nothing
func (r *results) listOfVariants() string {
	var b strings.Builder
	left := map[string]bool{}
	for _, o := range r.Omitted {
		left[o.Variant] = true
	}
	for i := range variants {
		if left[variants[i].name] {
			continue
		}
		text := wrapped(fmt.Sprintf("* **%s**: %s.", variants[i].name, variants[i].about), 98)
		b.WriteString(strings.ReplaceAll(text, "\n", "\n  ") + "\n")
	}
	return b.String()
}

// writePage composes what the last runs have left; sections are TITLE=FILE
func writePage(dir string, sections []string, out io.Writer) error {
	var r results
	if err := load(dir+"/workloads.json", &r); err != nil {
		return err
	}
	all, err := readBars(dir)
	if err != nil {
		return err
	}
	var tables strings.Builder
	r.print(&tables)
	fmt.Fprintf(out, intro, r.Machine)
	fmt.Fprintln(out, "## Bars\n\n| | | found |\n|---|---|---|")
	for _, b := range all {
		fmt.Fprintf(out, "| %s | %s | %s |\n", b.promise, b.verdict, b.found)
	}
	fmt.Fprintf(out, "\n"+method, r.listOfVariants())
	fmt.Fprint(out, block(tables.String()))
	for _, section := range sections {
		title, file, ok := strings.Cut(section, "=")
		text, err := os.ReadFile(file)
		if !ok || err != nil {
			return fmt.Errorf("%s: %v", section, err)
		}
		if title == "hits" {
			fmt.Fprint(out, "\n"+perHit+block(string(text)))
			continue
		}
		fmt.Fprintf(out, "\n## %s\n\n%s", title, block(string(text)))
	}
	_, err = fmt.Fprint(out, closing)
	return err
}
