// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	memfdName    = "gscope-inline"
	allowSealing = 2
	addSeals     = 1033 // F_ADD_SEALS
	pathOnly     = 0x200000
	headerBytes  = 64 << 10
)

// switches has goroutines hand on to each other, a thousand times a second.
func switches() {
	for {
		time.Sleep(time.Millisecond)
		c := make(chan int)
		go func() { c <- 1 }()
		<-c
	}
}

func memfd2(name string, flags uintptr) (int, error) {
	text := append([]byte(name), 0)
	fd, _, errno := syscall.RawSyscall(sysMemfdCreate, uintptr(unsafe.Pointer(&text[0])), flags, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// other is what swap puts in the place of gscope's memory.
func other(kind, path string) (int, error) {
	switch kind {
	case "path": // a file it may not even read
		return syscall.Open(path, pathOnly, 0)
	case "file": // a file of its own
		return syscall.Open(path, syscall.O_RDWR, 0)
	case "unsealed", "sealed", "full":
		fd, err := memfd2(memfdName, allowSealing)
		if err == nil && kind == "sealed" {
			if _, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), addSeals, 1); errno != 0 {
				err = errno
			}
		}
		if err == nil && kind == "full" {
			err = syscall.Ftruncate(fd, 1<<20)
		}
		return fd, err
	case "huge":
		return memfd2(memfdName, allowSealing|4 /* MFD_HUGETLB */)
	}
	return -1, fmt.Errorf("swap it for what?")
}

// freeDescriptor is the number that the next descriptor gets.
func freeDescriptor() int {
	n, _ := syscall.Dup(0)
	syscall.Close(n)
	return n
}

// awaitDescriptor waits, and does nothing else, until there is descriptor n.
func awaitDescriptor(n int) {
	for {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(n), syscall.F_GETFD, 0); errno == 0 {
			return
		}
	}
}

// swap exchanges the descriptor of the memory that gscope has it make for another one, for a moment; again and
// again, as often as gscope comes. A process does that which has the descriptors in common with this one and
// is not stopped with it.
func swap(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("swap KIND FILE")
	}
	evil, err := other(args[0], args[1])
	if err != nil {
		return err
	}
	go switches()
	time.Sleep(50 * time.Millisecond)
	n := freeDescriptor()
	runtime.LockOSThread()
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, 0x400 /* CLONE_FILES */ |uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		// nothing of the runtime's but this thread is there
		syscall.RawSyscall(syscall.SYS_PRCTL, 1 /* PR_SET_PDEATHSIG */, uintptr(syscall.SIGKILL), 0)
		for {
			exchange(n, evil)
		}
	}
	runtime.UnlockOSThread()
	fmt.Println("ready", os.Getpid())
	bufio.NewReader(os.Stdin).ReadString('\n')
	return nil
}

func exchange(n, evil int) {
	awaitDescriptor(n)
	m, _, _ := syscall.RawSyscall(syscall.SYS_DUP, uintptr(n), 0, 0)
	syscall.RawSyscall(syscall.SYS_DUP3, uintptr(evil), uintptr(n), 0)
	for i := 0; i < 20000; i++ {
		syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
	}
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(n), 0, 0)
	syscall.RawSyscall(syscall.SYS_CLOSE, m, 0, 0)
	said := [...]byte{'s', 'w', 'a', 'p', 'p', 'e', 'd', '\n'}
	syscall.RawSyscall(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(&said)), uintptr(len(said)))
}

// mappings of gscope's memory in this process.
func mappings() (v [][2]uintptr) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var m [2]uintptr
		if !strings.Contains(s.Text(), "/memfd:"+memfdName) {
			continue
		}
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x", &m[0], &m[1]); n == 2 {
			v = append(v, m)
		}
	}
	return v
}

// shrink takes gscope's memory away from under it, once it is traced: by a descriptor got while gscope plants,
// or by one opened from what is mapped.
func shrink(args []string) error {
	go switches()
	time.Sleep(50 * time.Millisecond)
	n := freeDescriptor()
	fmt.Println("ready", os.Getpid())
	caught := make(chan int)
	go func() {
		runtime.LockOSThread()
		awaitDescriptor(n)
		m, _, _ := syscall.RawSyscall(syscall.SYS_DUP, uintptr(n), 0, 0)
		caught <- int(m)
	}()
	var found [][2]uintptr
	for len(found) == 0 {
		time.Sleep(50 * time.Millisecond)
		found = mappings()
	}
	time.Sleep(300 * time.Millisecond)
	fd := -1
	select {
	case fd = <-caught:
	default:
	}
	m := found[0]
	path := fmt.Sprintf("/proc/self/map_files/%x-%x", m[0], m[1])
	if again, err := syscall.Open(path, syscall.O_RDWR, 0); err == nil {
		fd = again
	}
	if fd < 0 {
		fmt.Println("it cannot be had")
		select {}
	}
	// what is laid over it keeps this process itself from harm
	syscall.RawSyscall6(syscall.SYS_MMAP, m[0], m[1]-m[0], 3, 0x32, ^uintptr(0), 0)
	if err := syscall.Ftruncate(fd, 4096); err != nil {
		fmt.Println("it cannot be shrunk:", err)
	} else {
		fmt.Println("shrunk")
	}
	select {}
}

// forge maps N memory files that are called like gscope's and have headers that make sense, with as many calls
// as can be; the operands they name are none.
func forge(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("forge how many?")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	stubs, _, errno := syscall.Syscall6(syscall.SYS_MMAP, 0, 4096, 5, 0x22, ^uintptr(0), 0)
	if errno != 0 {
		return errno
	}
	const size = headerBytes + 4096
	for i := 0; i < n; i++ {
		fd, err := memfd2(memfdName, allowSealing)
		if err != nil {
			return err
		}
		syscall.Ftruncate(fd, size)
		at, _, errno := syscall.Syscall6(syscall.SYS_MMAP, 0, size, 3, syscall.MAP_SHARED, uintptr(fd), 0)
		if errno != 0 {
			return errno
		}
		b := unsafe.Slice((*byte)(unsafe.Pointer(at)), headerBytes)
		copy(b, "gsinlin2")
		binary.LittleEndian.PutUint32(b[8:], 1)
		binary.LittleEndian.PutUint32(b[12:], 1) // process 1, which is alive
		for k, value := range []uint64{uint64(stubs), 4096, uint64(at), size} {
			binary.LittleEndian.PutUint64(b[32+8*k:], value) // user/inline/shared.h
		}
		syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), addSeals, 7)
		syscall.Close(fd)
	}
	go switches()
	fmt.Println("ready", os.Getpid())
	bufio.NewReader(os.Stdin).ReadString('\n')
	return nil
}

// locked locks all memory that it gets from now on, as it gets it.
func locked(args []string) error {
	const future = 2 // MCL_FUTURE
	if _, _, errno := syscall.Syscall(syscall.SYS_MLOCKALL, future, 0, 0); errno != 0 {
		return errno
	}
	go switches()
	fmt.Println("ready", os.Getpid())
	bufio.NewReader(os.Stdin).ReadString('\n')
	return nil
}

// forks forks at each line, and the child executes no other program: "forked PID".
func forks(args []string) error {
	go switches()
	fmt.Println("ready", os.Getpid())
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "quit" {
			return nil
		}
		runtime.LockOSThread()
		pid, _, errno := syscall.RawSyscall(syscall.SYS_FORK, 0, 0, 0)
		if errno == 0 && pid == 0 {
			// nothing of the runtime's but this thread is there
			for wait := [2]int64{1, 0}; ; {
				syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&wait)), 0, 0)
			}
		}
		runtime.UnlockOSThread()
		if errno != 0 {
			return errno
		}
		fmt.Println("forked", pid)
	}
}
