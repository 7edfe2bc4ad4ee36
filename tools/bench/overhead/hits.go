// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// hit is a case of tools/bench/hits
type hit struct {
	Name    string
	NS      float64
	OfEmpty float64 // that many times the empty program at the same place
	Bar     float64 // for that; 0: none
}

// hits are what a hit of a probe costs, whoever uses it
type hits struct {
	Ours     []hit
	Entry    []float64 // nanoseconds for a hit of bpftrace's probe at the entry of a function
	EntryWhy string    // why there are none
}

const (
	entryRepeats = 5 // before ours, and as many after
	entryWindow  = 400 * time.Millisecond
	cheaper      = 8 // times, at least
)

// transitions of a goroutine that blocks, is woken and goes on: each is a hit
var transitions = []string{"park: stack of 16 frames", "ready: waker's stack of 16 frames", "start: no stack"}

// entryHit measures what bpftrace's probe adds to a call of a Go function, of which nearly all
// begin with an instruction that the kernel has to single-step
func entryHit(t tools) (float64, error) {
	const function = "main.entered"
	target, err := startTarget(t.load, "entry")
	if err != nil {
		return 0, err
	}
	defer target.kill()
	plain, err := perOp(target)
	if err != nil {
		return 0, err
	}
	b := &bpftrace{path: t.load, functions: []string{function}}
	if err := b.start(target); err != nil {
		return 0, err
	}
	time.Sleep(settle)
	probed, err := perOp(target)
	if _, err2 := b.stop(0, 0); err == nil {
		err = err2
	}
	return probed - plain, err
}

func perOp(t *target) (float64, error) {
	a, err := t.read()
	if err != nil {
		return 0, err
	}
	time.Sleep(entryWindow)
	b, err := t.read()
	if err == nil && b.Ops == a.Ops {
		err = fmt.Errorf("the target did nothing")
	}
	return float64(b.CPU-a.CPU) / float64(b.Ops-a.Ops), err
}

func (h *hits) entries(t tools) {
	for i := 0; i < entryRepeats && h.EntryWhy == ""; i++ {
		ns, err := entryHit(t)
		if err != nil {
			h.EntryWhy = err.Error()
			return
		}
		h.Entry = append(h.Entry, ns)
	}
}

func runHits(t tools, dir, program string) error {
	h := hits{}
	if _, err := exec.LookPath("bpftrace"); err != nil {
		h.EntryWhy = "bpftrace is not installed"
	}
	h.entries(t)
	figures := dir + "/hits.tsv"
	cmd := exec.Command(program, figures)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %v", program, err)
	}
	text, err := os.ReadFile(figures)
	if err != nil {
		return err
	}
	if h.Ours, err = parseHits(text); err != nil {
		return err
	}
	h.entries(t)
	if h.EntryWhy == "" {
		s := spreadOf(h.Entry)
		fmt.Printf("%-36s %8.1f          (%.0f..%.0f)\n", "bpftrace, entry of a Go function", s.median, s.min, s.max)
	} else {
		fmt.Printf("bpftrace, entry of a Go function: not measured: %s\n", h.EntryWhy)
	}
	if err := save(dir+"/hits.json", &h); err != nil {
		return err
	}
	if h.EntryWhy != "" && h.EntryWhy != "bpftrace is not installed" {
		return fmt.Errorf("bpftrace: %s", h.EntryWhy)
	}
	return nil
}

// parseHits: name, nanoseconds, times the empty program, bar, by tabs
func parseHits(text []byte) (all []hit, err error) {
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		fields := strings.Split(string(line), "\t")
		if len(fields) != 4 {
			return nil, fmt.Errorf("hits: %q has not 4 fields", line)
		}
		var v [3]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(fields[1+i], 64); err != nil {
				return nil, fmt.Errorf("hits: %q: %v", line, err)
			}
		}
		all = append(all, hit{fields[0], v[0], v[1], v[2]})
	}
	return all, nil
}

// transition is the mean of the three there are, 0 if one was not measured
func (h *hits) transition() float64 {
	var ns []float64
	for _, hit := range h.Ours {
		for _, name := range transitions {
			if hit.Name == name {
				ns = append(ns, hit.NS)
			}
		}
	}
	if len(ns) != len(transitions) {
		return 0
	}
	return mean(ns)
}
