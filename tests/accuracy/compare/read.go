// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"strings"
)

// A step is one transition of a goroutine or a P.
type step struct {
	at       int64 // CLOCK_MONOTONIC, ns: units of the trace clock times the length of one
	from, to string
	reason   string
	m, p     int64 // thread and P it happened on
	by       int64 // goroutine that was running there
	stack    int   // of that goroutine, number in stacks
	entry    int   // of the goroutine itself, where that is another one: what go was given
	steal    bool  // of a P: another thread took it
}

func (s *step) kind() string { return s.from + "->" + s.to }

// A life is all the steps of a goroutine or P, the state before the first one, and when it was
// first heard of.
type life struct {
	id    int64
	first string
	since int64
	steps []step
}

// A mark is something else that a trace tells: a range's begin or end, an annotation, a metric.
type mark struct {
	at    int64
	class string
	key   string // equal ones are the same thing
	value string // what else it says
	scope int64  // goroutine or P
	m     int64
	stack int
}

type record struct {
	name, who  string
	begin, end int64
	gs, ps     map[int64]*life
	marks      []mark
	repeated   int // announcements of states that are known already: no step
	events     int
	stacks     *stacks
}

// stacks numbers distinct stacks of all traces read with it; 0 is that of no frame.
type stacks struct {
	number map[string]int
	text   []string
}

func newStacks() *stacks {
	return &stacks{number: map[string]int{"": 0}, text: []string{""}}
}

func (s *stacks) add(text string) int {
	n, ok := s.number[text]
	if !ok {
		n = len(s.text)
		s.number[text] = n
		s.text = append(s.text, text)
	}
	return n
}

// lines of a stack: a frame each, innermost first.
func (s *stacks) lines(n int) []string {
	if n == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s.text[n], "\n"), "\n")
}

type reader struct {
	record
	known map[trace.Stack]int
}

func readFile(path string, all *stacks) (*record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rec, err := read(bufio.NewReaderSize(f, 1<<20), all)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", path, err)
	}
	rec.name = path
	return rec, nil
}

func read(in io.Reader, all *stacks) (*record, error) {
	tr, err := trace.NewReader(in)
	if err != nil {
		return nil, err
	}
	r := reader{record: record{gs: map[int64]*life{}, ps: map[int64]*life{}, stacks: all}}
	for {
		ev, err := tr.ReadEvent()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		r.event(&ev)
	}
	if r.begin == 0 {
		return nil, fmt.Errorf("nothing happens in it")
	}
	return &r.record, nil
}

func (r *reader) stack(s trace.Stack) int {
	if s == trace.NoStack {
		return 0
	}
	if n, ok := r.known[s]; ok {
		return n
	}
	var text strings.Builder
	for f := range s.Frames() {
		fmt.Fprintf(&text, "%s %s:%d\n", f.Func, f.File, f.Line)
	}
	n := r.stacks.add(text.String())
	if r.known == nil {
		r.known = map[trace.Stack]int{}
	}
	r.known[s] = n
	return n
}

// happens widens the time the trace is about.
func (r *reader) happens(at int64) {
	r.events++
	if r.begin == 0 || at < r.begin {
		r.begin = at
	}
	if at > r.end {
		r.end = at
	}
}

func (r *reader) event(ev *trace.Event) {
	at := int64(ev.Time())
	switch ev.Kind() {
	case trace.EventSync:
		r.known = nil // stacks of another generation have the same handles no more
	case trace.EventStateTransition:
		r.transition(ev, at)
	case trace.EventRangeBegin, trace.EventRangeEnd:
		r.happens(at)
		r.rangeEdge(ev, at)
	case trace.EventTaskBegin, trace.EventTaskEnd:
		t := ev.Task()
		r.mark(ev, at, "task", strings.TrimPrefix(ev.Kind().String(), "Task")+" "+t.Type,
			fmt.Sprintf("%d of %d", int64(t.ID), int64(t.Parent)))
	case trace.EventRegionBegin, trace.EventRegionEnd:
		g := ev.Region()
		r.mark(ev, at, "region", strings.TrimPrefix(ev.Kind().String(), "Region")+" "+g.Type,
			fmt.Sprint(int64(g.Task)))
	case trace.EventLog:
		l := ev.Log()
		r.mark(ev, at, "log", l.Category+": "+l.Message, fmt.Sprint(int64(l.Task)))
	case trace.EventLabel:
		r.mark(ev, at, "label", ev.Label().Label, "")
	case trace.EventMetric:
		m := ev.Metric()
		switch m.Name {
		case "/sched/gomaxprocs:threads":
			r.mark(ev, at, "gomaxprocs", fmt.Sprint(m.Value.Uint64()), "")
		case "/gc/heap/goal:bytes":
			r.mark(ev, at, "heap goal", fmt.Sprint(m.Value.Uint64()), "")
		default:
			r.mark(ev, at, "heap live", fmt.Sprint(m.Value.Uint64()), "")
		}
	}
}

func (r *reader) mark(ev *trace.Event, at int64, class, key, value string) {
	r.happens(at)
	r.marks = append(r.marks, mark{at: at, class: class, key: key, value: value,
		scope: int64(ev.Goroutine()), m: int64(ev.Thread()), stack: r.stack(ev.Stack())})
}

func (r *reader) rangeEdge(ev *trace.Event, at int64) {
	g := ev.Range()
	edge := strings.ToLower(strings.TrimPrefix(ev.Kind().String(), "Range"))
	m := mark{at: at, key: edge, scope: -1, m: int64(ev.Thread()), stack: r.stack(ev.Stack())}
	switch {
	case g.Name == "GC concurrent mark phase":
		m.class = "gc"
	case g.Name == "GC mark assist":
		m.class = "assist"
	case g.Name == "GC incremental sweep":
		m.class = "sweep"
	default:
		m.class = "stw"
		m.key = edge + " " + g.Name
	}
	switch g.Scope.Kind {
	case trace.ResourceGoroutine:
		m.scope = int64(g.Scope.Goroutine())
	case trace.ResourceProc:
		m.scope = int64(g.Scope.Proc())
	}
	if ev.Kind() == trace.EventRangeEnd {
		var values []string
		for _, a := range ev.RangeAttributes() {
			values = append(values, fmt.Sprintf("%s=%d", a.Name, a.Value.Uint64()))
		}
		m.value = strings.Join(values, " ")
	}
	r.marks = append(r.marks, m)
}

func (r *reader) transition(ev *trace.Event, at int64) {
	st := ev.StateTransition()
	s := step{at: at, reason: st.Reason, m: int64(ev.Thread()), p: int64(ev.Proc()),
		by: int64(ev.Goroutine()), stack: r.stack(ev.Stack())}
	switch st.Resource.Kind {
	case trace.ResourceGoroutine:
		from, to := st.Goroutine()
		s.from, s.to = from.String(), to.String()
		if from == trace.GoNotExist && st.Stack != ev.Stack() {
			s.entry = r.stack(st.Stack)
		}
		r.add(r.gs, int64(st.Resource.Goroutine()), s)
	case trace.ResourceProc:
		id := st.Resource.Proc()
		from, to := st.Proc()
		s.from, s.to = from.String(), to.String()
		s.steal = from == trace.ProcRunning && to == trace.ProcIdle && ev.Proc() != id
		r.add(r.ps, int64(id), s)
	}
}

func (r *reader) add(lives map[int64]*life, id int64, s step) {
	l := lives[id]
	if l == nil {
		l = &life{id: id, first: s.from, since: s.at}
		lives[id] = l
	}
	if s.from == "Undetermined" {
		l.first = s.to
		return
	}
	if s.from == s.to {
		r.repeated++
		return
	}
	r.happens(s.at)
	l.steps = append(l.steps, s)
}
