// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// All that a runtime may be at while calls of it are redirected, at once and all the time: collections,
// stacks that grow, preemption of loops, SIGPROF and its tracebacks, children, panics, dumps of all
// stacks, Ps that come and go. Each goroutine knows what has to come out, and the program ends with an
// error when anything else does. On "go" it stops; the counts say how much was done.
package main

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"targets/internal/harness"
)

var over atomic.Bool

// One kind of work: a round returns when it has checked its answer.
type job struct {
	name  string
	pause time.Duration // behind each round: others are to get somewhere
	round func(i int)
	done  int
}

func wrong(what string, is, want any) {
	harness.Fail(what + ": " + text(is) + ", not " + text(want))
}

func text(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return strconv.Quote(v)
	}
	return "?"
}

// talk: over channels with and without room, and by select.
func talk(i int) {
	there, back, quit := make(chan int), make(chan int, 3), make(chan bool)
	go func() {
		for {
			select {
			case n := <-there:
				back <- 2*n + 1
			case <-quit:
				close(back)
				return
			}
		}
	}()
	for k := 0; k < 100; k++ {
		there <- i + k
		if n := <-back; n != 2*(i+k)+1 {
			wrong("talk", n, 2*(i+k)+1)
		}
	}
	close(quit)
	if n, ok := <-back; ok {
		wrong("talk, closed", n, "nothing")
	}
}

// count: under a mutex, and until all are there.
func count(int) {
	const each, n = 200, 4
	var mu sync.Mutex
	var all sync.WaitGroup
	sum := 0
	all.Add(n)
	for k := 0; k < n; k++ {
		go func() {
			defer all.Done()
			for i := 0; i < each; i++ {
				mu.Lock()
				sum++
				if i%50 == 0 {
					runtime.Gosched()
				}
				mu.Unlock()
			}
		}()
	}
	all.Wait()
	if sum != n*each {
		wrong("count", sum, n*each)
	}
}

// deep: on a new stack, which has to be copied again and again; pointers into it move with it.
func deep(i int) {
	answer := make(chan int)
	depth := 500 + i%3000
	go func() {
		var bottom int
		answer <- down(depth, &bottom) + bottom
	}()
	if n := <-answer; n != depth*(depth+1)/2+depth {
		wrong("deep", n, depth*(depth+1)/2+depth)
	}
}

func down(n int, count *int) int {
	var room [8]int
	if n == 0 {
		return 0
	}
	*count++
	room[n%8] = n
	if n%1000 == 0 {
		time.Sleep(time.Microsecond)
	}
	return down(n-1, count) + room[n%8]
}

// Nothing is called in the loops of spin: they are preempted by a signal, at any instruction.
const spins = 3000000

func spin(int) {
	if n := churn(); n != churned {
		wrong("spin", n, churned)
	}
}

func churn() uint64 {
	n := uint64(88172645463325252)
	for i := 0; i < spins; i++ {
		n ^= n << 13
		n ^= n >> 7
		n ^= n << 17
	}
	return n
}

// The same with floating point, and with memory that is cleared and copied by wide registers.
func float(int) {
	if x := wave(); x != waved {
		wrong("float", x, waved)
	}
}

func wave() float64 {
	var v [32]float64
	a, b, c := 1.0, 0.5, 0.25
	for i := 0; i < spins/10; i++ {
		a, b, c = b*1.25+c, c*0.75+a, a*0.125-b
		if a > 1e6 || a < -1e6 {
			a, b, c = 1, 0.5, 0.25
		}
		w := v
		w[i%32] += a
		v = w
	}
	x := 0.0
	for _, y := range v {
		x += y
	}
	return x
}

type node struct {
	next  *node
	value int
	_     [4]int
}

// heap: what is alive is still there when it is looked at, however often it was marked.
func heap(i int) {
	const n = 5000
	var list *node
	for k := 0; k < n; k++ {
		list = &node{next: list, value: i + k}
		if k%500 == 0 {
			runtime.Gosched()
		}
	}
	if i%10 == 0 {
		runtime.GC()
	}
	k := n
	for at := list; at != nil; at = at.next {
		k--
		if at.value != i+k {
			wrong("heap", at.value, i+k)
		}
	}
	if k != 0 {
		wrong("heap, left", k, 0)
	}
}

// throws: a panic some frames down, recovered with its traceback.
func throws(i int) {
	if s := caught(i % 50); !strings.Contains(s, "main.sink") || !strings.Contains(s, "main.caught") {
		wrong("throws", s, "a stack with main.sink")
	}
}

func caught(n int) (stack string) {
	defer func() {
		if v := recover(); v != n {
			wrong("recovered", v, n)
		}
		stack = string(debug.Stack())
	}()
	sink(n, n)
	return
}

//go:noinline
func sink(depth, n int) {
	if depth == 0 {
		panic(n)
	}
	sink(depth-1, n)
}

// dump: the stacks of all, who are stopped for it.
func dump(int) {
	buf := make([]byte, 1<<20)
	s := string(buf[:runtime.Stack(buf, true)])
	if !strings.Contains(s, "main.dump") || !strings.Contains(s, "main.forever") {
		wrong("dump", s, "a stack with main.forever")
	}
}

var never = make(chan bool)

func forever() {
	<-never
}

// profile: SIGPROF, whose handler walks the stack of whatever it interrupts.
func profile(int) {
	harness.Check(pprof.StartCPUProfile(io.Discard))
	time.Sleep(100 * time.Millisecond)
	pprof.StopCPUProfile()
}

// fork: another program, and its answer.
func fork(i int) {
	want := strconv.Itoa(i)
	out, err := exec.Command("/bin/echo", want).Output()
	harness.Check(err)
	if string(out) != want+"\n" {
		wrong("fork", string(out), want+"\n")
	}
	harness.Check(exec.Command("/bin/true").Run())
}

// pipe: the netpoller.
func pipe(i int) {
	r, w, err := os.Pipe()
	harness.Check(err)
	go func() {
		for k := 0; k < 20; k++ {
			_, err := w.Write([]byte{byte(i + k)})
			harness.Check(err)
			time.Sleep(10 * time.Microsecond)
		}
		harness.Check(w.Close())
	}()
	got, err := io.ReadAll(r)
	harness.Check(err)
	harness.Check(r.Close())
	if len(got) != 20 {
		wrong("pipe", len(got), 20)
	}
	for k, b := range got {
		if b != byte(i+k) {
			wrong("pipe", int(b), int(byte(i+k)))
		}
	}
}

// timers: that end, that are stopped, and that are waited for.
func timers(int) {
	hit := make(chan int, 1)
	time.AfterFunc(100*time.Microsecond, func() { hit <- 1 })
	t := time.AfterFunc(time.Hour, func() { wrong("timer", "ran", "stopped") })
	if !t.Stop() {
		wrong("timer", "over", "stopped")
	}
	select {
	case <-hit:
	case <-time.After(time.Minute):
		wrong("timer", "late", "in time")
	}
}

// traps: each SIGTRAP that the program sends itself arrives, as what it is.
func traps(int) {
	if err := syscall.Kill(os.Getpid(), syscall.SIGTRAP); err != nil {
		wrong("traps", err.Error(), "sent")
	}
	select {
	case <-trapped:
	case <-time.After(time.Minute):
		wrong("traps", "lost", "come")
	}
}

var trapped = make(chan os.Signal, 1)

func init() {
	signal.Notify(trapped, syscall.SIGTRAP)
}

// procs: Ps come and go, more than there were when the rings were made.
func procs(i int) {
	runtime.GOMAXPROCS(1 + i%7)
	time.Sleep(time.Millisecond)
	runtime.GOMAXPROCS(runtime.NumCPU())
}

// locked: threads of their own, which end with their goroutine.
func locked(i int) {
	done := make(chan int)
	go func() {
		runtime.LockOSThread()
		done <- i
	}()
	if n := <-done; n != i {
		wrong("locked", n, i)
	}
}

var (
	churned = churn()
	waved   = wave()
)

var jobs = []*job{
	{name: "talk", round: talk},
	{name: "count", round: count},
	{name: "deep", round: deep, pause: time.Millisecond},
	{name: "spin", round: spin, pause: time.Millisecond},
	{name: "float", round: float, pause: time.Millisecond},
	{name: "heap", round: heap},
	{name: "throws", round: throws, pause: time.Millisecond},
	{name: "dump", round: dump, pause: 10 * time.Millisecond},
	{name: "profile", round: profile, pause: 10 * time.Millisecond},
	{name: "fork", round: fork, pause: 20 * time.Millisecond},
	{name: "pipe", round: pipe},
	{name: "timers", round: timers},
	{name: "procs", round: procs, pause: 50 * time.Millisecond},
	{name: "traps", round: traps, pause: 50 * time.Microsecond},
	{name: "locked", round: locked, pause: 5 * time.Millisecond},
}

func (j *job) run(all *sync.WaitGroup) {
	defer all.Done()
	for !over.Load() {
		j.round(j.done)
		j.done++
		time.Sleep(j.pause)
	}
}

func main() {
	var all sync.WaitGroup

	debug.SetGCPercent(10)
	go forever()
	all.Add(len(jobs))
	for _, j := range jobs {
		go j.run(&all)
	}
	harness.Serve(func() harness.Result {
		over.Store(true)
		all.Wait()
		rounds := harness.Counts{}
		for _, j := range jobs {
			if j.done == 0 {
				wrong(j.name, "never", "done")
			}
			rounds[j.name] = j.done
		}
		return harness.Result{"rounds": rounds}
	})
}
