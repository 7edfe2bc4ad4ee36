// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"reflect"
	"runtime"
	"sort"
	"strings"
	"sync"

	dotted "targets/frames/example.org/go-frames.v2"
	"targets/internal/harness"
)

// kinds start a goroutine each that blocks, as often as it is poked, below frames of some kind.
var kinds = []func(w waiter){
	func(w waiter) { go plain(w) },
	func(w waiter) { go inlined(w, 3) },
	func(w waiter) { go generic(w, 3) },
	func(w waiter) { go generic(&w, "type argument") },
	func(w waiter) { go (&box[string, waiter]{w: w}).run("argument") },
	func(w waiter) { go closures(w)() },
	func(w waiter) { f := w.wait; go forever(f) },
	func(w waiter) { go forever((&holder{inner: &inner{w}}).promoted) },
	func(w waiter) { go throughInterface(holder{inner: &inner{w}}) },
	func(w waiter) { go throughInterface(&byValue{value{w}}) },
	func(w waiter) { go forever(func() { holder.promoted(holder{inner: &inner{w}}) }) },
	func(w waiter) { go forever(func() { deferred(w) }) },
	func(w waiter) { go forever(func() { deferredInLoop(w, 3) }) },
	func(w waiter) { go forever(func() { deferredMethod(&holder{inner: &inner{w}}) }) },
	func(w waiter) { go forever(func() { panics(w, "why") }) },
	func(w waiter) { go forever(func() { nilPointer(w, nil) }) },
	func(w waiter) { go forever(func() { nilMap(w, nil) }) },
	func(w waiter) { go forever(func() { nilWrapper(w) }) },
	func(w waiter) { go forever(func() { index(w, make([]int, 1), 7) }) },
	func(w waiter) { go exits(w) },
	func(w waiter) { go forever(func() { recursive(w, 40) }) },
	func(w waiter) { go forever(func() { recursive(w, 300) }) },
	func(w waiter) { go forever(func() { recursiveInlined(w, 60) }) },
	func(w waiter) { go forever(func() { grows(w, 50) }) },
	func(w waiter) { go reflected(w) },
	func(w waiter) { go forever(func() { made(w)() }) },
	func(w waiter) { go forever(func() { once(w) }) },
	func(w waiter) { go forever(func() { library(w) }) },
	func(w waiter) { go arguments(1, "two", w, []int{4}) },
	func(w waiter) { go forever(func() { otherFile(w) }) },
	func(w waiter) { go dotted.Forever(w.wait) },
	func(w waiter) { go (&dotted.Type[waiter]{Field: w}).Method(waiter.wait) },
	func(w waiter) { early <- w },
	func(w waiter) { early2 <- w },
}

func begin() {
	for _, way := range ways {
		for _, start := range kinds {
			w := way()
			start(w)
			pokes = append(pokes, w.poke)
			started++
		}
	}
	leaves()
}

//go:noinline
func forever(f func()) {
	for {
		f()
	}
}

//go:noinline
func plain(w waiter) {
	for {
		w.wait()
	}
}

// Inlined into each other.
func inlined(w waiter, n int) {
	for {
		inlined1(w, n)
	}
}
func inlined1(w waiter, n int) { inlined2(w, n+1) }
func inlined2(w waiter, n int) {
	if n > 0 {
		inlined3(w)
	}
}
func inlined3(w waiter) { w.wait() }

func generic[T, U any](v T, u U) {
	for {
		generic1(u, v)
	}
}

//go:noinline
func generic1[T, U any](u T, v U) {
	func() { generic2[map[string]U](v) }()
}

func generic2[T, U any](v U) {
	switch w := any(v).(type) {
	case *waiter:
		(*w).wait()
	case waiter:
		w.wait()
	}
}

type box[T any, W waiter] struct{ w W }

func (b *box[T, W]) run(v T) {
	for {
		b.inner(v, b.w.wait)
	}
}

//go:noinline
func (b *box[T, W]) inner(_ T, f func()) { f() }

func closures(w waiter) func() {
	n := 0
	return func() {
		for {
			func() {
				n++
				defer func() { n-- }()
				go func() {}()
				func(f func()) { f() }(func() { w.wait() })
			}()
		}
	}
}

type inner struct{ w waiter }

//go:noinline
func (i *inner) promoted() { i.w.wait() }

type holder struct {
	_ [3]int
	*inner
}

type promoter interface{ promoted() }

//go:noinline
func throughInterface(p promoter) {
	for {
		p.promoted()
	}
}

type value struct{ w waiter }

//go:noinline
func (v value) promoted() { v.w.wait() }

type byValue struct{ value }

//go:noinline
func deferred(w waiter) {
	defer func() {
		func() { w.wait() }()
	}()
	defer runtime.KeepAlive(w)
}

//go:noinline
func deferredInLoop(w waiter, n int) {
	for i := 1; i <= n; i++ {
		if i == n {
			defer w.wait()
		} else {
			defer runtime.KeepAlive(i)
		}
	}
}

//go:noinline
func deferredMethod(p promoter) {
	defer p.promoted()
}

//go:noinline
func panics(w waiter, why string) {
	defer func() {
		if recover() != why {
			harness.Fail("another panic")
		}
		w.wait()
	}()
	func() {
		defer runtime.KeepAlive(w)
		panic(why)
	}()
}

// The instruction that faulted, not the one before, is where these are.
//
//go:noinline
func nilPointer(w waiter, p *int) int {
	defer swallow(w)
	return sum(p, 1) +
		sum(p, 2)
}

func sum(p *int, n int) int { return *p + n }

//go:noinline
func swallow(w waiter) {
	if recover() == nil {
		harness.Fail("no panic")
	}
	w.wait()
}

//go:noinline
func nilMap(w waiter, m map[string]int) {
	defer swallow(w)
	m["key"] = 1
}

//go:noinline
func index(w waiter, v []int, i int) int {
	defer swallow(w)
	return v[i]
}

// Here the wrapper itself panics, and the runtime shows it.
//
//go:noinline
func nilWrapper(w waiter) {
	var p promoter = (*byValue)(nil)
	defer swallow(w)
	p.promoted()
}

func exits(w waiter) {
	defer forever(w.wait)
	runtime.Goexit()
}

//go:noinline
func recursive(w waiter, n int) int {
	if n == 0 {
		w.wait()
		return 0
	}
	return recursive(w, n-1) + 1
}

//go:noinline
func recursiveInlined(w waiter, n int) int {
	if n == 0 {
		w.wait()
		return 0
	}
	return again(w, n) + 1
}

func again(w waiter, n int) int { return recursiveInlined(w, n-1) * 2 }

//go:noinline
func grows(w waiter, n int) int {
	var room [1000]int
	if n == 0 {
		w.wait()
		return 0
	}
	room[n%len(room)] = grows(w, n-1)
	return room[n%len(room)] + room[0]
}

func reflected(w waiter) {
	f := reflect.ValueOf(w.wait)
	for {
		f.Call(nil)
	}
}

func made(w waiter) func() {
	f := func([]reflect.Value) []reflect.Value {
		w.wait()
		return nil
	}
	return reflect.MakeFunc(reflect.TypeOf(func() {}), f).Interface().(func())
}

//go:noinline
func once(w waiter) {
	var o sync.Once
	o.Do(func() { w.wait() })
}

//go:noinline
func library(w waiter) {
	v := []int{2, 1}
	done := false
	sort.Slice(v, func(i, j int) bool {
		strings.Map(func(r rune) rune {
			if !done {
				w.wait()
			}
			done = true
			return r
		}, "text")
		return v[i] < v[j]
	})
}

func arguments(one int, two string, w waiter, four []int) {
	for {
		if one > 0 || two == "" || len(four) == 0 {
			w.wait()
		}
	}
}

// As code generators have it.
//
//line some/where/grammar.y:77
func otherFile(w waiter) {
	if w != nil {
//line /elsewhere/with blank/lexer.l:5
		func() { w.wait() }()
	}
//line kinds.go:400
}

// Goroutines that start while the packages are initialised.
var early = start()

func start() chan waiter {
	c := make(chan waiter)
	go func() {
		for w := range c {
			w := w
			go func() {
				for {
					w.wait()
				}
			}()
		}
	}()
	return c
}

var early2 = func() chan waiter {
	return make(chan waiter)
}()

func init() {
	go func() {
		for w := range early2 {
			go forever(w.wait)
		}
	}()
}

// leaves block in code that was inlined itself.
func leaves() {
	c := make(chan int)
	go leaf(c)
	d := make(chan int)
	go forever(func() { leaf1(d) })
	pokes = append(pokes, func() { c <- 1 }, func() { d <- 1 })
	started += 2
}

func leaf(c chan int) {
	for {
		leaf1(c)
	}
}
func leaf1(c chan int) { leaf2(c) }
func leaf2(c chan int) { <-at(c) }
