// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// outcome is what a tracer has seen, all told
type outcome struct {
	Events uint64 // 0: unknown
	Within uint64 // of these in the window that was measured; 0: unknown
	Bytes  uint64 // of what it wrote for them; 0: nothing for each
	Lost   uint64
	Notes  []string // what it said
}

// tracer is attached to a target by start, which returns when it is, and detached by stop, which
// is told the window that was measured
type tracer interface {
	start(t *target) error
	pid() int // 0: it is the target itself, or nobody
	stop(from, to uint64) (outcome, error)
}

// untraced: nobody looks
type untraced struct{}

func (untraced) start(*target) error                  { return nil }
func (untraced) pid() int                             { return 0 }
func (untraced) stop(uint64, uint64) (outcome, error) { return outcome{}, nil }

// own is the tracer of the target's own runtime, as /debug/pprof/trace switches it on
type own struct {
	tools
	t *target
}

func (o *own) pid() int { return 0 }

func (o *own) start(t *target) error {
	o.t = t
	_, err := t.ask("trace on")
	return err
}

func (o *own) stop(uint64, uint64) (seen outcome, err error) {
	if _, err := o.t.ask("trace off"); err != nil {
		return seen, err
	}
	r, err := o.t.read()
	if err != nil {
		return seen, err
	}
	file := o.tmp + "/trace.out"
	defer os.Remove(file)
	if _, err := o.t.ask("trace save " + file); err != nil {
		return seen, err
	}
	size, err := o.eventSize(file)
	if err != nil {
		return seen, err
	}
	return outcome{Events: uint64(float64(r.TraceBytes) / size), Bytes: r.TraceBytes}, nil
}

// eventSize is what an event takes, all told, in this part of the trace
func (o *own) eventSize(file string) (float64, error) {
	out, err := exec.Command(o.traceTool, "-d=footprint", file).Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %v", o.traceTool, err)
	}
	bytes, events, err := parseFootprint(string(out))
	return float64(bytes) / float64(events), err
}

// parseFootprint: a line for each type, of its name, bytes, share, count, share
func parseFootprint(table string) (bytes, events uint64, err error) {
	// what is there for the sake of the others
	supporting := map[string]bool{"EventBatch": true, "String": true, "Strings": true, "Stack": true, "Stacks": true,
		"Sync": true, "Frequency": true, "ClockSnapshot": true, "EndOfGeneration": true, "CPUSamples": true}
	for _, line := range strings.Split(table, "\n") {
		fields := strings.Fields(line)
		if len(fields) != 5 || fields[0] == "Event" || fields[1] == "-" {
			continue
		}
		size, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		count, err := strconv.ParseUint(fields[3], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		if bytes += size; !supporting[fields[0]] {
			events += count
		}
	}
	if events == 0 {
		err = errors.New("the trace has no events: not a measurement")
	}
	return bytes, events, err
}

// program is a tracer that is a process of its own
type program struct {
	cmd         *exec.Cmd
	out, stderr said
	insist      bool // once told to end it may forget that
}

func (p *program) pid() int { return p.cmd.Process.Pid }

func (p *program) run(args ...string) error {
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.stderr
	p.cmd.SysProcAttr = apart()
	return p.cmd.Start()
}

func (p *program) gone() bool { return ended(p.pid()) }

// lastWords of a program that failed
func (p *program) lastWords(err error) error {
	words := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	if last := words[len(words)-1]; last != "" {
		return fmt.Errorf("%v: %s", err, last)
	}
	return err
}

// attach waits for ready; a tracer that does not become it is ended
func (p *program) attach(what string, ready func() bool) error {
	err := await(what, p.gone, ready)
	if err != nil {
		p.cmd.Process.Signal(syscall.SIGINT)
		wait(p.cmd)
		return p.lastWords(err)
	}
	return nil
}

// interrupt ends it; statuses are those it may have then, -1 is the signal
func (p *program) interrupt(statuses ...int) error {
	p.cmd.Process.Signal(syscall.SIGINT)
	over := make(chan struct{})
	defer close(over)
	go func() {
		for again := time.Tick(time.Second); p.insist; {
			select {
			case <-again:
				p.cmd.Process.Signal(syscall.SIGINT)
			case <-over:
				return
			}
		}
	}()
	err := wait(p.cmd)
	for _, status := range statuses {
		if p.cmd.ProcessState.ExitCode() == status {
			return nil
		}
	}
	if err == nil {
		err = fmt.Errorf("ended with %v", p.cmd.ProcessState)
	}
	return p.lastWords(err)
}

// gscope records into a file in memory
type gscope struct {
	program
	tools
	args []string
	sees []string // types of records that there are if it has traced as it was asked to
	file string
}

func (g *gscope) start(t *target) error {
	g.file = g.tmp + "/capture.gscope"
	os.Remove(g.file)
	args := append([]string{g.tools.gscope, "record", "-p", strconv.Itoa(t.pid()), "-d", "10m",
		"-o", g.file}, append(g.args, g.off...)...)
	if err := g.run(args...); err != nil {
		return err
	}
	return g.attach("gscope", func() bool {
		return exec.Command(g.captured, "--ready", g.file).Run() == nil
	})
}

func (g *gscope) stop(from, to uint64) (o outcome, err error) {
	defer os.Remove(g.file)
	if err := g.interrupt(0, 130); err != nil {
		return o, err
	}
	info, err := os.Stat(g.file)
	if err != nil {
		return o, err
	}
	c, err := readCapture(g.captured, g.file, from, to)
	if err != nil {
		return o, err
	}
	o = outcome{Events: c.Events, Within: c.Within, Lost: c.Lost, Bytes: uint64(info.Size())}
	for _, line := range strings.Split(strings.TrimSpace(g.stderr.String()), "\n") {
		if line != "" && !strings.HasPrefix(line, "gscope: wrote ") {
			o.Notes = append(o.Notes, withoutPid(line))
		}
	}
	if c.Within == 0 {
		return o, errors.New("saw nothing in the window: not a measurement")
	}
	// what is asked for, foreseen, and what became of it is there in any case
	if n := c.Types["shed"]; n > 3 {
		return o, fmt.Errorf("it left out detail, or took it back, %d times: not a measurement", n-3)
	}
	for _, name := range g.sees {
		if c.Types[name] == 0 {
			return o, fmt.Errorf("there is no record of type %s: not a measurement", name)
		}
	}
	return o, nil
}

var pidText = regexp.MustCompile(`\b(pid|process) [0-9]+`)

// withoutPid makes lines about different processes the same
func withoutPid(line string) string {
	return pidText.ReplaceAllString(strings.TrimPrefix(line, "gscope: "), "$1 N")
}

// bpftrace counts entries of the three functions that tell what goroutines do
type bpftrace struct {
	program
	path      string // of the target
	functions []string
}

func (b *bpftrace) script() string {
	probes := make([]string, len(b.functions))
	for i, function := range b.functions {
		probes[i] = fmt.Sprintf("uprobe:%s:\"%s\"", b.path, function)
	}
	return "BEGIN { printf(\"ready\\n\"); } " + strings.Join(probes, ", ") + " { @ = count(); }"
}

func (b *bpftrace) start(t *target) error {
	b.insist = true // release 0.17 now and then does
	err := b.run("bpftrace", "-B", "line", "-p", strconv.Itoa(t.pid()), "-e", b.script())
	if err != nil {
		return err
	}
	return b.attach("bpftrace", func() bool { return strings.Contains(b.out.String(), "ready\n") })
}

func (b *bpftrace) stop(uint64, uint64) (o outcome, err error) {
	if err := b.interrupt(0); err != nil {
		return o, err
	}
	o.Events, err = parseCount(b.out.String())
	return o, err
}

var bpftraceCount = regexp.MustCompile(`(?m)^@: ([0-9]+)$`)

func parseCount(out string) (uint64, error) {
	m := bpftraceCount.FindStringSubmatch(out)
	if m == nil || m[1] == "0" {
		return 0, errors.New("counted nothing: not a measurement")
	}
	return strconv.ParseUint(m[1], 10, 64)
}

// perfTrace counts and times system calls
type perfTrace struct {
	program
	tools
	file string
}

func (p *perfTrace) start(t *target) error {
	p.file = p.tmp + "/perf.trace"
	os.Remove(p.file)
	if err := p.run(p.perf("trace", "-s", "-o", p.file, "-p", strconv.Itoa(t.pid()))...); err != nil {
		return err
	}
	return p.attach("perf trace", func() bool { return hasPerfEvents(p.pid()) })
}

func (p *perfTrace) stop(uint64, uint64) (o outcome, err error) {
	defer os.Remove(p.file)
	if err := p.interrupt(0); err != nil {
		return o, err
	}
	summary, err := os.ReadFile(p.file)
	if err != nil {
		return o, err
	}
	o.Lost = parseLost(string(summary) + p.stderr.String())
	o.Events, err = parsePerfTrace(string(summary))
	return o, err
}

var (
	perfThread = regexp.MustCompile(`(?m)^ *\S.* \([0-9]+\), ([0-9]+) events?, `)
	perfLost   = regexp.MustCompile(`LOST ([0-9]+) events|lost ([0-9]+) (?:events|samples|chunks)`)
	perfWrote  = regexp.MustCompile(`wrote .*\(~?([0-9]+) samples\)`)
)

func parsePerfTrace(summary string) (n uint64, err error) {
	for _, m := range perfThread.FindAllStringSubmatch(summary, -1) {
		k, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil {
			return 0, err
		}
		n += k
	}
	if n == 0 {
		err = errors.New("saw no system call: not a measurement")
	}
	return n, err
}

func parseLost(text string) (n uint64) {
	for _, m := range perfLost.FindAllStringSubmatch(text, -1) {
		k, _ := strconv.ParseUint(m[1]+m[2], 10, 64)
		n += k
	}
	return n
}

// perfSched records switches and wake-ups
type perfSched struct {
	program
	tools
	file string
}

func (p *perfSched) start(t *target) error {
	p.file = p.tmp + "/perf.data"
	os.Remove(p.file)
	if err := p.run(p.perf("sched", "record", "-o", p.file, "-p", strconv.Itoa(t.pid()))...); err != nil {
		return err
	}
	return p.attach("perf sched", func() bool { return hasPerfEvents(p.pid()) })
}

func (p *perfSched) stop(uint64, uint64) (o outcome, err error) {
	defer os.Remove(p.file)
	if err := p.interrupt(0, -1); err != nil {
		return o, err
	}
	info, err := os.Stat(p.file)
	if err != nil {
		return o, err
	}
	m := perfWrote.FindStringSubmatch(p.stderr.String())
	if m == nil || m[1] == "0" {
		return o, p.lastWords(errors.New("recorded nothing: not a measurement"))
	}
	o.Events, err = strconv.ParseUint(m[1], 10, 64)
	o.Bytes, o.Lost = uint64(info.Size()), parseLost(p.stderr.String())
	return o, err
}

func hasPerfEvents(pid int) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if link, _ := os.Readlink(dir + "/" + f.Name()); strings.Contains(link, "[perf_event]") {
			return true
		}
	}
	return false
}
