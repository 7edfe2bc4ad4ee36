// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// load keeps a server busy. Requests that fail are made again: the server may be gone.
func load(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := 1; i < n; i++ {
		go loadOne(args[0])
	}
	loadOne(args[0])
	return nil
}

func loadOne(address string) {
	client := http.Client{Transport: &http.Transport{}}
	for {
		if err := request(&client, address); err != nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func request(client *http.Client, address string) error {
	response, err := client.Get("http://" + address + "/load")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(body, []byte("hello")) {
		return fmt.Errorf("the server answers %q", body)
	}
	return nil
}

func get(args []string) error {
	if err := wantArgs(args, 1); err != nil {
		return err
	}
	return request(&http.Client{Timeout: 30 * time.Second}, args[0])
}

// work lets goroutines come, block, wake each other and go.
func work() {
	var group sync.WaitGroup
	for i := 0; i < 50; i++ {
		c := make(chan int)
		group.Add(2)
		go func() { defer group.Done(); c <- 1 }()
		go func() { defer group.Done(); <-c; time.Sleep(time.Millisecond) }()
	}
	group.Wait()
}

func ready() error {
	return readyOn(bufio.NewReader(os.Stdin))
}

func execLater(args []string) error {
	if len(args) == 0 {
		return errors.New("which program?")
	}
	program, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	work()
	return syscall.Exec(program, args, os.Environ())
}

// halt starts a program and stops it at its first instruction.
func halt(args []string) error {
	if len(args) == 0 {
		return errors.New("which program?")
	}
	runtime.LockOSThread() // who starts it traces it
	program := exec.Command(args[0], args[1:]...)
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
	program.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := program.Start(); err != nil {
		return err
	}
	pid := program.Process.Pid
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, syscall.PTRACE_DETACH, uintptr(pid), 0,
		uintptr(syscall.SIGSTOP), 0, 0)
	if errno != 0 {
		return fmt.Errorf("PTRACE_DETACH of %d: %w", pid, errno)
	}
	fmt.Println("halted", pid)
	return program.Wait()
}

func leave(args []string) error {
	if err := wantArgs(args, 0); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	work()
	return nil
}

func replace(args []string) error {
	if err := wantArgs(args, 4); err != nil {
		return err
	}
	old, new := []byte(args[2]), []byte(args[3])
	content, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	if len(old) != len(new) || !bytes.Contains(content, old) {
		return fmt.Errorf("cannot put %s for %s", new, old)
	}
	return os.WriteFile(args[1], bytes.ReplaceAll(content, old, new), 0o755)
}

// spawn starts programs while it works.
func spawn(args []string) error {
	if err := wantArgs(args, 1); err != nil {
		return err
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	if err := readyOn(in); err != nil {
		return err
	}
	for i := 0; i < n; i++ {
		work()
		if err := exec.Command("/bin/true").Run(); err != nil {
			return err
		}
	}
	return done(in, n)
}

// odd does what goroutines rarely do.
func odd(args []string) error {
	if err := wantArgs(args, 0); err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	if err := readyOn(in); err != nil {
		return err
	}
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGUSR1)
	for i := 0; i < 20; i++ {
		runtime.GOMAXPROCS(1 + i%5)
		work()
		var group sync.WaitGroup
		group.Add(4)
		go func() { // its thread ends with it
			defer group.Done()
			runtime.LockOSThread()
			time.Sleep(100 * time.Microsecond)
		}()
		go func() { // bound to a thread: handed over, never stolen
			defer group.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for n := 0; n < 10; n++ {
				runtime.Gosched()
				time.Sleep(time.Microsecond)
			}
		}()
		go func() { // preempted: it never calls anything
			defer group.Done()
			for n := 0; n < 30*1000*1000; n++ {
			}
		}()
		go func() {
			defer group.Done()
			defer func() { _ = recover() }()
			deep(1000)
		}()
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			return err
		}
		<-signals
		runtime.GC()
		group.Wait()
		debug.FreeOSMemory()
	}
	return done(in, 20)
}

// deep lets the stack grow and ends in a panic.
func deep(n int) int {
	var frame [100]byte
	if n == 0 {
		panic("deep enough")
	}
	return deep(n-1) + len(frame)
}

func readyOn(in *bufio.Reader) error {
	fmt.Println("ready", os.Getpid())
	_, err := in.ReadString('\n')
	return err
}

func done(in *bufio.Reader, n int) error {
	fmt.Printf("{\"groups\":{\"main.none\":{}},\"rounds\":%d}\n", n)
	_, err := in.ReadString('\n')
	return err
}

// flip inverts one byte of a copy of a file.
func flip(args []string) error {
	if err := wantArgs(args, 3); err != nil {
		return err
	}
	at, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	content, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	if at < 0 || at >= len(content) {
		return fmt.Errorf("%s has no byte %d", args[0], at)
	}
	content[at] ^= 0xff
	return os.WriteFile(args[1], content, 0o600)
}
