// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"runtime"
	"sync"
	"time"
)

// channels: ping-pong without a buffer, a pipeline with buffers, ranges until close, one nil channel.
func channels() {
	var nowhere chan int

	go func() { <-nowhere }()
	group(6, func(i int) {
		if i%2 == 0 {
			pingPong()
		} else {
			pipeline()
		}
	})
}

func pingPong() {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for v := range ping {
			work(20)
			pong <- v
		}
		close(pong)
	}()
	for on() {
		for i := 0; i < 20; i++ {
			ping <- i
			work(20)
			<-pong
		}
		time.Sleep(4 * time.Millisecond)
	}
	close(ping)
	<-pong
}

func pipeline() {
	for on() {
		in, out := make(chan int, 4), make(chan int, 4)
		go func() {
			for v := range in {
				work(30)
				out <- v
			}
			close(out)
		}()
		go func() {
			for i := 0; i < 30; i++ {
				in <- i
			}
			close(in)
		}()
		for range out {
			work(10)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// selects: over several channels, with timeouts, with a default.
func selects() {
	quit := make(chan struct{})
	var others sync.WaitGroup

	chans := make([]chan int, 4)
	for i := range chans {
		chans[i] = make(chan int, i)
	}
	others.Add(len(chans) + 2)
	for i := range chans {
		go func(c chan int, i int) {
			defer others.Done()
			for {
				select {
				case c <- i:
					work(20)
				case <-time.After(2 * time.Millisecond):
				case <-quit:
					return
				}
			}
		}(chans[i], i)
	}
	for i := 0; i < 2; i++ {
		go func() {
			defer others.Done()
			for n := 0; ; n++ {
				select {
				case <-chans[0]:
				case <-chans[1]:
				case <-chans[2]:
				case v := <-chans[3]:
					work(v)
				case <-quit:
					return
				}
				work(50)
				select {
				case <-quit:
					return
				default:
				}
				if n%16 == 0 {
					time.Sleep(3 * time.Millisecond)
				}
			}
		}()
	}
	go func() { select {} }()
	for on() {
		time.Sleep(10 * time.Millisecond)
	}
	close(quit)
	others.Wait()
}

// locks: Mutex, RWMutex, Cond and WaitGroup, all fought for.
func locks() {
	var mutex sync.Mutex
	var rw sync.RWMutex
	var turn sync.Mutex
	cond, round := sync.NewCond(&turn), 0

	group(8, func(i int) {
		for n := 0; on(); n++ {
			switch i {
			case 0, 1, 2:
				mutex.Lock()
				work(60)
				mutex.Unlock()
				work(20)
			case 3:
				rw.Lock()
				work(80)
				rw.Unlock()
			case 4, 5:
				rw.RLock()
				work(60)
				rw.RUnlock()
			case 6:
				turn.Lock()
				before := round
				for round == before && on() {
					cond.Wait()
				}
				turn.Unlock()
			default:
				turn.Lock()
				round++
				turn.Unlock()
				if n%2 == 0 {
					cond.Signal()
				} else {
					cond.Broadcast()
				}
				group(3, func(i int) { work(10 * i) })
			}
			if n%8 == 0 && i != 6 {
				time.Sleep(2 * time.Millisecond)
			}
		}
		cond.Broadcast()
	})
}

// timers: sleeps, tickers, timers that are reset or stopped, functions run later.
func timers() {
	group(8, func(i int) {
		ticker := time.NewTicker(time.Duration(i+1) * time.Millisecond)
		timer := time.NewTimer(time.Hour)
		done := make(chan struct{}, 1)

		for on() {
			<-ticker.C
			time.Sleep(time.Duration(100*i) * time.Microsecond)
			time.AfterFunc(200*time.Microsecond, func() { done <- struct{}{} })
			<-done
			timer.Reset(300 * time.Microsecond)
			<-timer.C
			work(100)
		}
		timer.Stop()
		ticker.Stop()
	})
}

// loops: more goroutines than Ps that never stop by themselves, and some that yield.
func loops() {
	group(6, func(i int) {
		for on() {
			work(20_000)
			if i == 5 {
				runtime.Gosched()
			}
		}
	})
}

// threads: goroutines with a thread of their own, some of which take it with them.
func threads() {
	group(4, func(i int) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		c := make(chan int)
		go func() {
			if i%2 == 0 {
				runtime.LockOSThread()
			}
			for v := range c {
				work(v)
			}
			if i == 2 {
				runtime.Goexit()
			}
		}()
		for on() {
			for n := 0; n < 10; n++ {
				c <- 50
			}
			runtime.Gosched()
			time.Sleep(3 * time.Millisecond)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				runtime.LockOSThread()
				work(100)
			}()
			<-ended
		}
		close(c)
	})
}

// many: 50,000 goroutines that wait, are woken and end.
func many() {
	const n, step = 50_000, 500
	var all sync.WaitGroup

	gates := make([]chan struct{}, n/step)
	all.Add(n)
	for i := range gates {
		gate := make(chan struct{})
		gates[i] = gate
		for k := 0; k < step; k++ {
			go func() {
				<-gate
				all.Done()
			}()
		}
		time.Sleep(8 * time.Millisecond)
	}
	for _, gate := range gates {
		close(gate)
		time.Sleep(8 * time.Millisecond)
	}
	all.Wait()
}
