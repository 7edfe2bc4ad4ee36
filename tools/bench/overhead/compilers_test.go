// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"strings"
	"testing"
)

func compiledRuns(ns ...float64) (runs [][]hit) {
	for _, v := range ns {
		runs = append(runs, []hit{{Name: emptyHit, NS: 100}, {Name: "park", NS: v}})
	}
	return runs
}

// The ratio is of pairs, so a machine that gets slower meanwhile does not show in it.
func TestCompilers(t *testing.T) {
	c := [2]compiled{
		{name: "old", runs: compiledRuns(200, 400, 800)},
		{name: "new", runs: compiledRuns(220, 420, 880)},
	}
	ns, all, more, err := compare(&c, 1)
	if err != nil || !near(ns[0].median, 400) || !near(ns[1].median, 420) ||
		!near(all.median, 1.1) || !near(all.min, 1.05) || !near(more.median, 780.0/700) {
		t.Errorf("%v %v %v %v", ns, all, more, err)
	}
	var text strings.Builder
	if err := printCompilers(&c, "here", &text); err != nil ||
		!strings.Contains(text.String(), "is 1.100; the bar is 1.05: NOT MET") {
		t.Errorf("%v: %s", err, text.String())
	}
	c[1].runs = compiledRuns(200, 410, 800)
	text.Reset()
	if err := printCompilers(&c, "here", &text); err != nil || !strings.Contains(text.String(), ": met") {
		t.Errorf("%v: %s", err, text.String())
	}
	c[1].runs[1] = c[1].runs[1][:1]
	if _, _, _, err := compare(&c, 1); err == nil {
		t.Error("runs of different cases were compared")
	}
}
