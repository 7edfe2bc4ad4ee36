// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// filter is a struct sock_filter of linux/filter.h.
type filter struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// filters is a struct sock_fprog.
type filters struct {
	n     uint16
	first *filter
}

// deny becomes a program for which one system call always fails with EPERM.
func deny(args []string) error {
	const (
		setNoNewPrivs    = 38 // PR_SET_NO_NEW_PRIVS
		setSeccomp       = 22 // PR_SET_SECCOMP
		byFilter         = 2  // SECCOMP_MODE_FILTER
		load             = syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS
		jumpIfEqual      = syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K
		leave            = syscall.BPF_RET | syscall.BPF_K
		allow, withErrno = 0x7fff0000, 0x00050000
	)
	if len(args) < 2 {
		return fmt.Errorf("deny what to whom?")
	}
	number, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil {
		return err
	}
	code := []filter{
		{load, 0, 0, 0}, // seccomp_data.nr
		{jumpIfEqual, 0, 1, uint32(number)},
		{leave, 0, 0, withErrno | uint32(syscall.EPERM)},
		{leave, 0, 0, allow},
	}
	all := filters{uint16(len(code)), &code[0]}
	runtime.LockOSThread()
	if _, _, errno := syscall.Syscall6(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setSeccomp, byFilter, uintptr(unsafe.Pointer(&all))); errno != 0 {
		return errno
	}
	return syscall.Exec(args[1], args[1:], os.Environ())
}
