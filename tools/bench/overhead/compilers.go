// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const (
	compilersBar = 1.05 // times what a hit costs with the first one's programs, at most
	emptyHit     = "probe, empty program"
)

// what the probes of goroutines do, and the empty program to compare with
var compiledHits = []string{emptyHit, "start", "park", "ready"}

// compiled is what hits cost with the programs of one compiler
type compiled struct {
	name, program string
	runs          [][]hit // the nth of both were measured one after the other
}

func (c *compiled) run(file string) error {
	said, err := exec.Command(c.program, append([]string{file}, compiledHits...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %v: %s", c.program, err, said)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	hits, err := parseHits(text)
	c.runs = append(c.runs, hits)
	return err
}

// runCompilers measures both by turns, in each round the first one, twice the second one, the first one
func runCompilers(dir, count string, programs []string) error {
	rounds, err := strconv.Atoi(count)
	if err != nil || rounds < 1 {
		return fmt.Errorf("'%s' rounds: give a number above 0", count)
	}
	var c [2]compiled
	for i := range c {
		var ok bool
		if c[i].name, c[i].program, ok = strings.Cut(programs[i], "="); !ok {
			return fmt.Errorf("'%s' is not NAME=PROGRAM", programs[i])
		}
	}
	for i := 0; i < rounds; i++ {
		for _, which := range []int{0, 1, 1, 0} {
			if err := c[which].run(dir + "/compilers.tsv"); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "bench: round %d of %d\n", i+1, rounds)
	}
	// all runs on one CPU, so how many there are cannot be seen
	m := thisMachine()
	return printCompilers(&c, m.Kernel+", "+m.CPU, os.Stdout)
}

// compare finds for one case the times of both, and those of the second one as multiples of the
// first one's, in all and of what they take more than the empty program
func compare(c *[2]compiled, at int) (ns [2]spread, all, more spread, err error) {
	var times [2][]float64
	var ratios, moreRatios []float64
	for i := range c[0].runs {
		var v, empty [2]float64
		for which := range c {
			run := c[which].runs[i]
			if len(run) != len(c[0].runs[0]) || run[0].Name != emptyHit {
				return ns, all, more, errors.New("two runs are not of the same cases")
			}
			v[which], empty[which] = run[at].NS, run[0].NS
			times[which] = append(times[which], v[which])
		}
		ratios = append(ratios, v[1]/v[0])
		moreRatios = append(moreRatios, (v[1]-empty[1])/(v[0]-empty[0]))
	}
	ns = [2]spread{spreadOf(times[0]), spreadOf(times[1])}
	return ns, spreadOf(ratios), spreadOf(moreRatios), nil
}

func printCompilers(c *[2]compiled, machine string, out io.Writer) error {
	worst := 0.0
	fmt.Fprintf(out, "## Compilers\n\n"+
		"Written by `make bench BENCH=compilers` on: %s.\n"+
		"A hit of a probe with the BPF programs of two compilers: medians of %d runs of each, by turns.\n"+
		"A ratio is that of two runs one after the other: median, least and most. The last one is\n"+
		"without what the kernel takes for the empty program, and so is that of the programs alone.\n\n"+
		"| ns per hit | %s | %s | ratio | least..most | of the programs alone |\n|---|---:|---:|---:|---:|---:|\n",
		machine, len(c[0].runs), c[0].name, c[1].name)
	for at := range c[0].runs[0] {
		ns, all, more, err := compare(c, at)
		if err != nil {
			return err
		}
		name, alone := c[0].runs[0][at].Name, "-"
		if name != emptyHit {
			worst = max(worst, all.median)
			alone = fmt.Sprintf("%.3f", more.median)
		}
		fmt.Fprintf(out, "| %s | %.1f | %.1f | %.3f | %.3f..%.3f | %s |\n", name, ns[0].median,
			ns[1].median, all.median, all.min, all.max, alone)
	}
	verdict := "met"
	if worst > compilersBar {
		verdict = "NOT MET"
	}
	_, err := fmt.Fprintf(out, "\nThe largest ratio of a probe is %.3f; the bar is %.2f: %s.\n", worst,
		compilersBar, verdict)
	return err
}
