// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Package proc says which P a goroutine has.
package proc

import _ "unsafe" // go:linkname

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// ID is the P's number; by the time the caller looks at it, it may have another.
func ID() int {
	id := procPin()
	procUnpin()
	return id
}
