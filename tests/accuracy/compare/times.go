// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"fmt"
	"sort"
)

// stay is the time per state of one goroutine in a window, with the reason behind a state of
// waiting. Where it waits since before the truth began the reason is not in the truth.
func stay(l *life, begin, end int64) map[string]int64 {
	spent := map[string]int64{}
	if l == nil {
		return spent
	}
	state, at := l.first, begin
	until := func(t int64) {
		t = max(begin, min(t, end))
		if state != "NotExist" {
			spent[state] += t - at
		}
		at = t
	}
	for i := range l.steps {
		s := &l.steps[i]
		until(s.at)
		state = s.to
		if state == "Waiting" && s.at >= begin {
			state = "Waiting: " + s.reason
		}
	}
	until(end)
	return spent
}

// times compares how long each goroutine was in each state.
func (c *comparison) times() {
	begin, end := c.truth.begin, c.truth.end
	totals := map[string]*[2]int64{}
	var all, differs int64
	cells, gs := c.figure("time in states within 1 %"), c.figure("goroutines with all states within 1 % of their time")

	for _, id := range ids(c.truth.gs, c.ours.gs) {
		t, o := stay(c.truth.gs[id], begin, end), stay(c.ours.gs[id], begin, end)
		var whole, wrong int64
		for state := range o {
			if _, ok := t[state]; !ok {
				t[state] = 0
			}
		}
		for state, want := range t {
			got := o[state]
			if totals[state] == nil {
				totals[state] = new([2]int64)
			}
			totals[state][0] += want
			totals[state][1] += got
			d := distance(want, got)
			whole += want
			wrong = max(wrong, d)
			differs += d
			cells.of += want
			if d*100 <= want {
				cells.got += want
			} else if d > 50_000_000 {
				c.wrong = append(c.wrong, mismatch{class: "goroutine: time in " + state + " differs by more than 1 % and 50 ms",
					what: fmt.Sprintf("%d us, ours says %d us", want/1000, got/1000), id: id, at: begin, kind: "goroutine"})
			}
		}
		if whole == 0 && wrong == 0 {
			continue
		}
		gs.of++
		if wrong*100 <= whole {
			gs.got++
		}
		all += whole
	}
	// each nanosecond in a wrong state is missing in another
	c.figure("time in the right state").of = all
	c.figure("time in the right state").got = all - differs/2
	states := make([]string, 0, len(totals))
	for state := range totals {
		states = append(states, state)
	}
	sort.Strings(states)
	for _, state := range states {
		v := totals[state]
		f := c.figure("time " + state + " of all, us")
		f.got, f.of = v[1]/1000, v[0]/1000
	}
}
