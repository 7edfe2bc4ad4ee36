// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

// summary is what is left of all windows of a workload and a variant
type summary struct {
	windows, failed int
	why             string // the first failure

	cpu        spread // nanoseconds for an operation
	added      spread // per cent, against untraced of the same round
	byRound    map[int]float64
	throughput spread // per cent, the same way
	p99        spread // nanoseconds; n is 0 where it is not measured

	eventsPerOp, bytesPerEvent, bytesPerOp spread
	lost                                   float64 // share of all events
	tracerPerEvent                         spread  // nanoseconds
	tracerCPUs                             spread
}

// untracedIn has, by round, what an operation took and how many a second there were
type untracedIn map[int]struct{ cpu, rate float64 }

func untracedOf(windows []window, workload string) untracedIn {
	cpu, rate := map[int][]float64{}, map[int][]float64{}
	for i := range windows {
		w := &windows[i]
		if w.Workload == workload && w.Variant == base && w.Failed == "" {
			cpu[w.Round] = append(cpu[w.Round], w.cpuPerOp())
			rate[w.Round] = append(rate[w.Round], float64(w.Ops)/w.Seconds)
		}
	}
	u := untracedIn{}
	for round := range cpu {
		u[round] = struct{ cpu, rate float64 }{mean(cpu[round]), mean(rate[round])}
	}
	return u
}

func summarize(windows []window, workload, variant string) summary {
	s := summary{byRound: map[int]float64{}}
	var cpu, add, throughput, p99, eventsPerOp, bytesPerEvent, bytesPerOp, perEvent, cpus []float64
	var seen, lost float64
	reference := untracedOf(windows, workload)
	for i := range windows {
		w := &windows[i]
		if w.Workload != workload || w.Variant != variant {
			continue
		}
		s.windows++
		u, ok := reference[w.Round]
		if w.Failed == "" && !ok {
			w = &window{Failed: "nothing untraced to compare with"}
		}
		if w.Failed != "" {
			if s.failed++; s.why == "" {
				s.why = w.Failed
			}
			continue
		}
		ops := float64(w.Ops)
		cpu = append(cpu, w.cpuPerOp())
		s.byRound[w.Round] = added(w.cpuPerOp(), u.cpu)
		add = append(add, s.byRound[w.Round])
		throughput = append(throughput, added(ops/w.Seconds, u.rate))
		if w.P99 > 0 {
			p99 = append(p99, float64(w.P99))
		}
		if w.Events > 0 {
			eventsPerOp = append(eventsPerOp, w.Events/ops)
		}
		if w.Events > 0 && w.TracerCPU > 0 {
			perEvent = append(perEvent, float64(w.TracerCPU)/w.Events)
		}
		if w.Bytes > 0 && w.Traced > 0 {
			bytesPerEvent = append(bytesPerEvent, float64(w.Bytes)/float64(w.Traced))
		}
		if w.Bytes > 0 && w.AllOps > 0 {
			bytesPerOp = append(bytesPerOp, float64(w.Bytes)/float64(w.AllOps))
		}
		if w.TracerCPU > 0 {
			cpus = append(cpus, float64(w.TracerCPU)/1e9/w.Seconds)
		}
		seen += float64(w.Traced)
		lost += float64(w.Lost)
	}
	s.cpu, s.added, s.throughput, s.p99 = spreadOf(cpu), spreadOf(add), spreadOf(throughput), spreadOf(p99)
	s.eventsPerOp, s.bytesPerEvent = spreadOf(eventsPerOp), spreadOf(bytesPerEvent)
	s.bytesPerOp = spreadOf(bytesPerOp)
	s.tracerPerEvent, s.tracerCPUs = spreadOf(perEvent), spreadOf(cpus)
	if lost > 0 {
		s.lost = lost / (seen + lost)
	}
	return s
}

// against is how the added CPU of one relates to that of another, in each round both were measured
func (s *summary) against(other *summary) spread {
	var ratios []float64
	for round, v := range s.byRound {
		if w, ok := other.byRound[round]; ok && w != 0 {
			ratios = append(ratios, v/w)
		}
	}
	return spreadOf(ratios)
}

// noise is how far two windows of a round with nothing between them are apart, in per cent
func noise(windows []window, workload string) spread {
	low, high := map[int]float64{}, map[int]float64{}
	for i := range windows {
		w := &windows[i]
		if w.Workload != workload || w.Variant != base || w.Failed != "" {
			continue
		}
		v := w.cpuPerOp()
		if old, ok := low[w.Round]; !ok || v < old {
			low[w.Round] = v
		}
		if v > high[w.Round] {
			high[w.Round] = v
		}
	}
	var apart []float64
	for round := range low {
		apart = append(apart, added(high[round], low[round]))
	}
	return spreadOf(apart)
}
