// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import "testing"

const wrkOutput = `Running 10m test @ http://127.0.0.1:40000/
  2 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   192.84us  309.30us   9.06ms   95.13%
    Req/Sec    49.13k     5.27k   56.41k    73.33%
  Latency Distribution
     50%  112.00us
     75%  181.00us
     90%  332.00us
     99%    1.62ms
  293251 requests in 3.01s, 34.40MB read
`

func TestWrk(t *testing.T) {
	if ns, err := parseWrk(wrkOutput); err != nil || ns != 1620000 {
		t.Errorf("%d, %v", ns, err)
	}
	for _, bad := range []string{
		wrkOutput + "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
		wrkOutput + "  Non-2xx or 3xx responses: 12\n",
		"unable to connect",
	} {
		if _, err := parseWrk(bad); err == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}

func TestPerf(t *testing.T) {
	const summary = `
 Summary of events:

 load (812), 5 events, 0.0%

   syscall            calls  errors  total       min       avg       max       stddev
   --------------- --------  ------ -------- --------- --------- ---------     ------
   read                1      0     0.000     0.000     0.000     0.000      0.00%

 load (813), 200 events, 99.0%
`
	if n, err := parsePerfTrace(summary); err != nil || n != 205 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := parsePerfTrace("\n Summary of events:\n\n"); err == nil {
		t.Error("nothing is taken for something")
	}
	if n := parseLost("LOST 12 events!\nlost 3 events\n"); n != 15 {
		t.Errorf("lost %d", n)
	}
	m := perfWrote.FindStringSubmatch("[ perf record: Captured and wrote 2.120 MB perf.data (20147 samples) ]")
	if m == nil || m[1] != "20147" {
		t.Errorf("%q", m)
	}
}

func TestBpftrace(t *testing.T) {
	if n, err := parseCount("Attaching 4 probes...\nready\n\n@: 4711\n"); err != nil || n != 4711 {
		t.Errorf("%d, %v", n, err)
	}
	for _, bad := range []string{"ready\n", "ready\n\n@: 0\n"} {
		if _, err := parseCount(bad); err == nil {
			t.Errorf("taken: %q", bad)
		}
	}
}

func TestStat(t *testing.T) {
	s, err := parseStat([]byte("cpu  100 50 200 9000 10 20 30 40 0 0\ncpu0 1 2 3\n"))
	if err != nil || !near(s.busy, 4) || !near(s.steal, 0.4) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := parseStat([]byte("intr 1\n")); err == nil {
		t.Error("taken")
	}
}

func TestFootprint(t *testing.T) {
	const table = `Event       Bytes    %       Count   %
-           -        -       -       -
GoUnblock   2593013  41.04%  375126  33.32%
GoStart     2217863  35.10%  375144  33.32%
EventBatch  1369     0.02%   104     0.01%
Stack       1140     0.02%   36      0.00%
`
	if bytes, events, err := parseFootprint(table); err != nil || bytes != 4813385 || events != 750270 {
		t.Errorf("%d bytes, %d events, %v", bytes, events, err)
	}
	if _, _, err := parseFootprint("Event Bytes % Count %\nStack 1140 0.02% 36 0.00%\n"); err == nil {
		t.Error("nothing is taken for something")
	}
}
