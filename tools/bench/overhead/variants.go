// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"os/exec"
	"strings"
)

// workload is what tools/bench/load does, and what one operation of it is
type workload struct {
	name, about string
	connections int // of clients, for a server
	latency     string
}

var workloads = []workload{
	{"http", "a small request to net/http over loopback, wrk with 16 connections, all CPUs busy", 16, "request"},
	{"pingpong", "a round trip between two goroutines over channels, a pair for each CPU", 0, "round trip"},
	{"mutex", "lock and unlock of a sync.Mutex that four goroutines for each CPU want, and that is held while others run", 0, ""},
	{"syscall", "pread of 64 bytes, a goroutine for each CPU", 0, ""},
	{"gc", "a tree of 1,023 objects that soon is garbage, two goroutines for each CPU", 0, ""},
	{"many", "a number handed on by one of 50,000 goroutines to the next, over channels", 0, ""},
}

// variant is a way to trace
type variant struct {
	name, about string
	only        []string // workloads it applies to; none: all
	tool        string   // command it needs
	args        []string // options of gscope it needs
	trace       func(tools, *variant) tracer
}

const (
	base  = "untraced"
	peer  = "runtime/trace"
	whole = "inline"
	alone = "inline only"
)

func byGscope(sees ...string) func(tools, *variant) tracer {
	return func(t tools, v *variant) tracer {
		return &gscope{tools: t, args: v.args, sees: sees}
	}
}

var variants = []variant{
	{
		name:  base,
		about: "twice in each round; the mean of both is what the others are compared with",
		trace: func(tools, *variant) tracer { return untraced{} },
	},
	{
		name:  peer,
		about: "the program's own tracer, with stacks, as `/debug/pprof/trace` switches it on; written into nothing",
		trace: func(t tools, _ *variant) tracer { return &own{tools: t} },
	},
	{
		name:  "kernel",
		about: "`gscope record --level kernel`: switches, wake-ups, system calls; nothing in the target",
		args:  []string{"--level", "kernel"},
		trace: byGscope("switch"),
	},
	{
		name:  whole,
		about: "`gscope record --probes inline`: every goroutine transition, with stacks, by redirected calls; and what level kernel has",
		args:  []string{"--probes", "inline"},
		trace: byGscope("go", "inline"),
	},
	{
		name:  alone,
		about: "`gscope record --probes inline --no-kernel`: goroutines alone, of which that is what runtime/trace tells, system calls included",
		args:  []string{"--probes", "inline", "--no-kernel"},
		trace: byGscope("go", "inline"),
	},
	{
		name:  "uprobe",
		about: "`gscope record`: the same by uprobes",
		trace: byGscope("go"),
	},
	{
		name:  "uprobe, no stacks",
		about: "`gscope record --no-stacks`",
		args:  []string{"--no-stacks"},
		trace: byGscope("go"),
	},
	{
		name:  "bpftrace",
		about: "entry probes on runtime.gopark, runtime.ready, runtime.execute that count and do nothing else",
		tool:  "bpftrace",
		trace: func(t tools, _ *variant) tracer {
			return &bpftrace{path: t.load, functions: []string{"runtime.gopark", "runtime.ready", "runtime.execute"}}
		},
	},
	{
		name:  "perf trace",
		about: "`perf trace -s -p`: system calls, counted and timed",
		only:  []string{"http", "syscall"},
		tool:  "perf",
		trace: func(t tools, _ *variant) tracer { return &perfTrace{tools: t} },
	},
	{
		name:  "perf sched",
		about: "`perf sched record -p`: switches and wake-ups of threads",
		only:  []string{"http", "pingpong", "mutex"},
		tool:  "perf",
		trace: func(t tools, _ *variant) tracer { return &perfSched{tools: t} },
	},
}

func (v *variant) applies(workload string) bool {
	for _, name := range v.only {
		if name == workload {
			return true
		}
	}
	return len(v.only) == 0
}

// missing is why it cannot be measured here; "" if it can
func (v *variant) missing(o options) string {
	if v.tool != "" {
		if _, err := exec.LookPath(v.tool); err != nil {
			return v.tool + " is not installed"
		}
	}
	return o.lacks(v.args)
}

func workloadNamed(name string) *workload {
	for i := range workloads {
		if workloads[i].name == name {
			return &workloads[i]
		}
	}
	return nil
}

func variantNamed(name string) *variant {
	for i := range variants {
		if variants[i].name == name {
			return &variants[i]
		}
	}
	return nil
}

// rotated begins with another variant each round, so that none is always the first one behind
// another; the base comes twice, half a round apart
func rotated(chosen []*variant, round int) []*variant {
	var others, order []*variant
	for _, v := range chosen {
		if v.name != base {
			others = append(others, v)
		}
	}
	untraced := variantNamed(base)
	for i := range others {
		if i == 0 || i == (len(others)+1)/2 {
			order = append(order, untraced)
		}
		order = append(order, others[(i+round)%len(others)])
	}
	switch len(others) {
	case 0:
		order = append(order, untraced, untraced)
	case 1:
		order = append(order, untraced)
	}
	return order
}

func names[T any](all []T, name func(*T) string) string {
	var list []string
	for i := range all {
		list = append(list, name(&all[i]))
	}
	return strings.Join(list, ", ")
}
