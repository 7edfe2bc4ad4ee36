// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

const (
	prSetNoNewPrivs  = 38
	prSetSeccomp     = 22
	prCapbsetDrop    = 24
	seccompFilter    = 2
	ptraceSeize      = 0x4206
	allChildren      = 0x40000000 // __WALL
	retAllow         = 0x7fff0000
	retErrno         = 0x00050000
	sysProcessReadv  = 310
	sysPerfEventOpen = 298
	sysBPF           = 321
	sysMemfdCreate   = 319
	sysSetns         = 308
)

// contain runs PROGRAM as a container from an image without anything else in it does: namespaces
// of its own, its root a read-only file system, no /proc, no capabilities, another user, and a
// filter for system calls. The program keeps the PID that contain prints the outer one of.
func contain(args []string) error {
	if err := wantArgs(args, 3); err != nil {
		return err
	}
	inside := exec.Command("/proc/self/exe", append([]string{"contained"}, args...)...)
	inside.Stdin, inside.Stdout, inside.Stderr = os.Stdin, os.Stdout, os.Stderr
	inside.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig: syscall.SIGKILL,
	}
	if err := inside.Start(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, inside.Process.Pid)
	return inside.Wait()
}

// contained is the inner half: ROOT PROGRAM UID.
func contained(args []string) error {
	root, program := args[0], args[1]
	user, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	const bind = syscall.MS_BIND
	for _, step := range []func() error{
		func() error { return syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") },
		func() error { return syscall.Mount(root, root, "", bind, "") },
		func() error { return os.Chdir(root) },
		func() error { return syscall.PivotRoot(".", ".") },
		func() error { return syscall.Unmount(".", syscall.MNT_DETACH) },
		func() error { return os.Chdir("/") },
		func() error { return syscall.Mount("", "/", "", bind|syscall.MS_REMOUNT|syscall.MS_RDONLY, "") },
		func() error { return syscall.Setgroups(nil) },
		dropCapabilities,
		func() error { return syscall.Setresgid(user, user, user) },
		func() error { return syscall.Setresuid(user, user, user) },
		func() error { return prctl(prSetNoNewPrivs, 1, 0) },
		filterCalls,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if _, err := os.Stat("/proc/self"); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is a /proc in the container: %v", err)
	}
	return syscall.Exec(program, []string{program}, nil)
}

func prctl(option, a, b uintptr) error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, option, a, b, 0, 0, 0); errno != 0 {
		return fmt.Errorf("prctl %d: %w", option, errno)
	}
	return nil
}

// The bounding set; changing the user takes the others.
func dropCapabilities() error {
	for c := uintptr(0); c < 64; c++ {
		if err := prctl(prCapbsetDrop, c, 0); errors.Is(err, syscall.EINVAL) {
			return nil // the kernel knows no more of them
		} else if err != nil {
			return err
		}
	}
	return nil
}

// filterCalls refuses what container runtimes refuse by default and tracers need.
func filterCalls() error {
	type insn struct {
		code   uint16
		jt, jf uint8
		k      uint32
	}
	denied := []uint32{syscall.SYS_PTRACE, sysProcessReadv, sysProcessReadv + 1, sysPerfEventOpen,
		sysBPF, syscall.SYS_MOUNT, syscall.SYS_UNSHARE, sysSetns}
	program := []insn{{code: 0x20}} // load the number
	for i, nr := range denied {
		program = append(program, insn{code: 0x15, jt: uint8(len(denied) - i), k: nr})
	}
	program = append(program, insn{code: 0x06, k: retAllow},
		insn{code: 0x06, k: retErrno | uint32(syscall.EPERM)})
	fprog := struct {
		n      uint16
		filter *insn
	}{uint16(len(program)), &program[0]}
	return prctl(prSetSeccomp, seccompFilter, uintptr(unsafe.Pointer(&fprog)))
}

// memfd becomes a copy of a program in memory.
func memfd(args []string) error {
	if len(args) < 1 {
		return errors.New("no program")
	}
	program, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	name := [...]byte{'p', 'r', 'o', 'g', 'r', 'a', 'm', 0}
	fd, _, errno := syscall.RawSyscall(sysMemfdCreate, uintptr(unsafe.Pointer(&name)), 0, 0)
	if errno != 0 {
		return errno
	}
	file := os.NewFile(fd, "memfd")
	if _, err := file.Write(program); err != nil {
		return err
	}
	// what is open for writing cannot be run
	readable, err := os.Open(fmt.Sprint("/proc/self/fd/", fd))
	if err != nil {
		return err
	}
	file.Close()
	return syscall.Exec(fmt.Sprint("/proc/self/fd/", readable.Fd()), args, os.Environ())
}

// seize traces all threads of a process as a debugger or strace does, and lets them run on, until
// it is killed. It says "ready".
func seize(args []string) error {
	if err := wantArgs(args, 1); err != nil {
		return err
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	tasks, err := os.ReadDir("/proc/" + args[0] + "/task")
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		// with the option to trace threads that are yet to come
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, ptraceSeize, uintptr(tid), 0,
			syscall.PTRACE_O_TRACECLONE, 0, 0)
		if errno != 0 {
			return fmt.Errorf("PTRACE_SEIZE of %d in %d: %w", tid, pid, errno)
		}
	}
	fmt.Println("ready")
	for {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &status, allChildren, nil)
		if errors.Is(err, syscall.ECHILD) {
			return nil
		}
		if err != nil || !status.Stopped() {
			continue
		}
		signal := 0
		// other stops are the tracer's own: the birth of a thread, its first stop
		if status>>16 == 0 && status.StopSignal() != syscall.SIGTRAP {
			signal = int(status.StopSignal())
		}
		if err := syscall.PtraceCont(tid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
}
