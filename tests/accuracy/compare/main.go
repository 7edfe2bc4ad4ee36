// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Compares a trace by gscope with the one that the traced program made of itself meanwhile, the
// truth, event by event. It is built as a package of the Go distribution (tests/accuracy/build),
// since the strict reader of traces, internal/trace, is for those alone.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: compare [-v] [-about TEXT] [-around N] [-table FILE] TRUTH OURS")
		flag.PrintDefaults()
	}
	verbose := flag.Bool("v", false, "print each mismatch with the steps around it, and skews by kind")
	about := flag.String("about", "", "with -v: only mismatches of classes with this text")
	around := flag.Int("around", 4, "with -v: so many steps before and after")
	table := flag.String("table", "", "write all figures to this file, as lines of NAME, GOT and OF")
	refused := flag.String("accept", "", "read traces from standard input, instead; leave refused ones here")
	flag.Parse()
	if *refused != "" {
		check(accept(os.Stdin, *refused))
		return
	}
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	all := newStacks()
	truth, err := readFile(flag.Arg(0), all)
	check(err)
	ours, err := readFile(flag.Arg(1), all)
	check(err)
	c := compare(truth, ours)
	c.printFigures(os.Stdout)
	if *verbose {
		c.printSkews(os.Stdout)
	}
	c.printClasses(os.Stdout)
	if *verbose {
		c.printMismatches(os.Stdout, *about, *around)
	}
	if *table != "" {
		f, err := os.Create(*table)
		check(err)
		c.printTable(f)
		check(f.Close())
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}
