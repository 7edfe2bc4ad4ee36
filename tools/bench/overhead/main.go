// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Overhead measures what tracers cost the programs they trace, compares with what the project
// promises, and writes docs/overhead.md; tools/bench/run calls it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

const usage = `usage: overhead [FLAGS] COMMAND
  workloads [NAME...]  measure workloads and variants (all) by turns; print the tables
  hits PROGRAM         measure a hit of a probe: ours (PROGRAM is tools/bench/hits), bpftrace's
  compilers ROUNDS NAME=PROGRAM NAME=PROGRAM
                       compare hits with the BPF programs of two compilers
  bars                 compare what both have found with what is promised
  page [TITLE=FILE...] write a page of it all, and of the text in each FILE
`

func main() {
	var t tools
	dir := flag.String("dir", "build/bench", "results go to and come from here")
	flag.StringVar(&t.gscope, "gscope", "build/gscope", "the program to measure")
	flag.StringVar(&t.load, "load", "build/bench/load", "tools/bench/load, built")
	flag.StringVar(&t.captured, "captured", "build/bench/captured", "tools/bench/captured, built")
	flag.StringVar(&t.traceTool, "trace", "build/bench/trace", "Go's own go tool trace")
	flag.StringVar(&t.tmp, "tmp", "/dev/shm", "where tracers write to, a file system in memory")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	var err error
	switch args := flag.Args(); {
	case len(args) == 0:
		flag.Usage()
		os.Exit(2)
	case args[0] == "workloads":
		err = runWorkloads(t, *dir, args[1:])
	case args[0] == "hits" && len(args) == 2:
		err = runHits(t, *dir, args[1])
	case args[0] == "compilers" && len(args) == 4:
		err = runCompilers(*dir, args[1], args[2:])
	case args[0] == "bars":
		var text string
		if text, err = barsText(*dir); err == nil {
			fmt.Print(text)
		}
	case args[0] == "page":
		err = writePage(*dir, args[1:], os.Stdout)
	default:
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "overhead:", err)
		os.Exit(1)
	}
}

// fromEnvironment is a number above 0, or the default
func fromEnvironment(name string, otherwise float64) (float64, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v <= 0 {
		return 0, fmt.Errorf("%s is '%s': give a number above 0", name, text)
	}
	return v, nil
}

// choose finds the workloads and variants that have these names; all if none of their kind is named
func choose(wanted []string) (w []*workload, v []*variant, err error) {
	for _, name := range wanted {
		if found := workloadNamed(name); found != nil {
			w = append(w, found)
		} else if found := variantNamed(name); found != nil {
			v = append(v, found)
		} else {
			return nil, nil, fmt.Errorf("there is no '%s'; workloads: %s; variants: %s", name,
				names(workloads, func(w *workload) string { return w.name }),
				names(variants, func(v *variant) string { return "'" + v.name + "'" }))
		}
	}
	if len(w) == 0 {
		for i := range workloads {
			w = append(w, &workloads[i])
		}
	}
	if len(v) == 0 {
		for i := range variants {
			v = append(v, &variants[i])
		}
	}
	return w, v, nil
}

func runWorkloads(t tools, dir string, wanted []string) error {
	seconds, err := fromEnvironment("BENCH_SECONDS", 2)
	if err != nil {
		return err
	}
	repeats, err := fromEnvironment("BENCH_REPEATS", 5)
	if err != nil {
		return err
	}
	p := plan{tools: t, seconds: seconds, repeats: int(repeats)}
	var chosen []*variant
	if p.workloads, chosen, err = choose(wanted); err != nil {
		return err
	}
	offered, err := gscopeOptions(t.gscope)
	if err != nil {
		return err
	}
	r := results{Machine: thisMachine(), Seconds: seconds, Repeats: p.repeats}
	for _, v := range chosen {
		if why := v.missing(offered); why != "" {
			r.Omitted = append(r.Omitted, omission{v.name, why})
			continue
		}
		p.variants = append(p.variants, v)
	}
	p.tools.off = offered.offs()
	if p.tmp, err = os.MkdirTemp(t.tmp, "gscope-bench."); err != nil {
		return err
	}
	defer os.RemoveAll(p.tmp)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	p.stop = interrupted
	r.Windows = p.run(func(text string) { fmt.Fprintln(os.Stderr, "bench:", text) })
	if err := save(dir+"/workloads.json", &r); err != nil {
		return err
	}
	r.print(os.Stdout)
	if p.stopped {
		return errors.New("interrupted: the tables are of what was measured until then")
	}
	if r.failed() {
		return errors.New("not all could be measured; the lines FAILED above say what")
	}
	return nil
}

func save(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// load reads what save has written; nothing was measured if there is no such file
func load(path string, v any) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		err = fmt.Errorf("%s: %v", path, err)
	}
	return err
}
