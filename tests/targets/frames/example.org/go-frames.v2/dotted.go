// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Package frames has a path with dots, which the linker escapes, and another name than its folder.
package frames

// Forever calls a function again and again.
//
//go:noinline
func Forever(f func()) {
	for {
		call(f)
	}
}

func call(f func()) { f() }

// Type is generic.
type Type[T any] struct{ Field T }

// Method calls a function again and again.
func (t *Type[T]) Method(f func(T)) {
	for {
		t.call(f)
	}
}

//go:noinline
func (t *Type[T]) call(f func(T)) { f(t.Field) }
