// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	warmUp = time.Second            // of a target, thrown away
	settle = 600 * time.Millisecond // gscope counts its own run times for 300 ms first
)

// window is one measurement: a target that works for a while, traced in one way
type window struct {
	Workload, Variant string
	Round             int
	Failed            string `json:",omitempty"` // why it does not count

	Seconds   float64
	Ops       uint64
	CPU       uint64 // of the target, in nanoseconds, as all below
	P99       uint64 `json:",omitempty"`
	TracerCPU uint64 `json:",omitempty"`

	Events float64  `json:",omitempty"` // in the window
	Traced uint64   `json:",omitempty"` // all there were while the tracer was attached
	Bytes  uint64   `json:",omitempty"` // for those
	AllOps uint64   `json:",omitempty"` // operations then
	Lost   uint64   `json:",omitempty"`
	Notes  []string `json:",omitempty"`

	Others float64 // CPUs that something else used
	Steal  float64 // CPUs that the hypervisor withheld
}

func (w *window) cpuPerOp() float64 { return float64(w.CPU) / float64(w.Ops) }

// moment is all that is read at both ends of a window
type moment struct {
	reading
	tracer, client, self uint64
	system
}

func now(t *target, tr tracer, c *client) (m moment, err error) {
	if m.reading, err = t.read(); err != nil {
		return m, err
	}
	if pid := tr.pid(); pid != 0 {
		m.tracer = cpuOf(pid)
	}
	if c != nil {
		m.client = cpuOf(c.cmd.Process.Pid)
	}
	m.self = cpuOf(os.Getpid())
	m.system, err = readSystem()
	return m, err
}

// between fills in what has happened from one moment to another
func (w *window) between(a, b moment) error {
	w.Seconds = float64(b.Mono-a.Mono) / 1e9
	w.Ops, w.CPU = b.Ops-a.Ops, b.CPU-a.CPU
	w.P99 = b.P99
	w.TracerCPU = b.tracer - a.tracer
	if b.tracer < a.tracer {
		return errors.New("the tracer ended by itself")
	}
	known := b.CPU - a.CPU + w.TracerCPU + b.client - a.client + b.self - a.self
	w.Others = (b.busy - a.busy - float64(known)/1e9) / w.Seconds
	if w.Others < 0 {
		w.Others = 0 // the system counts in hundredths of a second
	}
	w.Steal = (b.steal - a.steal) / w.Seconds
	if w.Ops == 0 {
		return errors.New("the target did nothing")
	}
	return nil
}

// measure attaches, lets both settle, measures, detaches
func measure(t *target, w *window, wl *workload, tr tracer, length time.Duration) (err error) {
	var c *client
	var a, b, begin moment

	if err := tr.start(t); err != nil {
		return err
	}
	begin, err = now(t, tr, nil)
	if err == nil && wl.connections > 0 {
		c, err = startClient(t.address, wl.connections)
	}
	if err == nil {
		time.Sleep(settle)
		a, err = now(t, tr, c)
	}
	if err == nil {
		time.Sleep(length)
		b, err = now(t, tr, c)
	}
	if err == nil {
		err = w.between(a, b)
	}
	if c != nil {
		p99, err2 := c.stop()
		if w.P99 = p99; err == nil {
			err = err2
		}
	}
	var end moment
	if t.alive() {
		if end, _ = now(t, tr, nil); end.Ops > begin.Ops {
			w.AllOps = end.Ops - begin.Ops
		}
	}
	o, err2 := tr.stop(a.Mono, b.Mono)
	w.Traced, w.Bytes, w.Lost, w.Notes = o.Events, o.Bytes, o.Lost, o.Notes
	w.Events = float64(o.Within)
	if w.Events == 0 && w.AllOps > 0 {
		w.Events = float64(o.Events) * float64(w.Ops) / float64(w.AllOps)
	}
	if err == nil {
		err = err2
	}
	if err == nil && !t.alive() {
		_, err = t.line()
	}
	return err
}

// plan is what is to be measured
type plan struct {
	tools
	workloads []*workload
	variants  []*variant
	seconds   float64
	repeats   int
	stop      <-chan os.Signal
	stopped   bool
}

func (p *plan) interrupted() bool {
	select {
	case <-p.stop:
		p.stopped = true
	default:
	}
	return p.stopped
}

// run measures round by round; say tells how far it is
func (p *plan) run(say func(string)) []window {
	var all []window
	for round := 0; round < p.repeats; round++ {
		for _, wl := range p.workloads {
			if p.interrupted() {
				return all
			}
			say(fmt.Sprintf("round %d of %d: %s", round+1, p.repeats, wl.name))
			all = append(all, p.round(wl, round, say)...)
		}
	}
	return all
}

// round measures all variants with one process, unless one of them kills it
func (p *plan) round(wl *workload, round int, say func(string)) (all []window) {
	var chosen []*variant
	for _, v := range p.variants {
		if v.applies(wl.name) {
			chosen = append(chosen, v)
		}
	}
	var t *target
	defer func() {
		if t != nil {
			t.kill()
		}
	}()
	for _, v := range rotated(chosen, round) {
		if p.interrupted() {
			break
		}
		w := window{Workload: wl.name, Variant: v.name, Round: round}
		var err error
		if t == nil {
			t, err = p.warm(wl)
		}
		if err == nil {
			err = measure(t, &w, wl, v.trace(p.tools, v), time.Duration(p.seconds*float64(time.Second)))
		}
		if err != nil {
			w.Failed = err.Error()
			say(fmt.Sprintf("%s, %s: %s", wl.name, v.name, w.Failed))
			// whatever it left in the target is not to be measured with the next one
			if t != nil {
				t.kill()
				t = nil
			}
		}
		all = append(all, w)
	}
	return all
}

// warm starts a target that has worked for a while
func (p *plan) warm(wl *workload) (*target, error) {
	t, err := startTarget(p.load, wl.name)
	if err != nil {
		return nil, err
	}
	w := window{}
	if err := measure(t, &w, wl, untraced{}, warmUp); err != nil {
		t.kill()
		return nil, err
	}
	return t, nil
}
