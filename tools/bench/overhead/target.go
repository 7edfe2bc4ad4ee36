// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const patience = 60 * time.Second // with a program that answers within a second on a quiet machine

// reading is what tools/bench/load says of itself
type reading struct {
	Ops        uint64 `json:"ops"`
	CPU        uint64 `json:"cpu_ns"`
	Mono       uint64 `json:"mono_ns"`
	P99        uint64 `json:"p99_ns"`
	TraceBytes uint64 `json:"trace_bytes"`
}

// target is a running tools/bench/load
type target struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	lines   chan string
	stderr  bytes.Buffer
	address string
	gone    chan struct{}
}

func startTarget(path, workload string) (*target, error) {
	t := &target{cmd: exec.Command(path, workload), lines: make(chan string, 1), gone: make(chan struct{})}
	t.cmd.Stderr = &t.stderr
	t.cmd.SysProcAttr = apart()
	in, err := t.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	t.in = in
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			t.lines <- lines.Text()
		}
		t.cmd.Wait()
		close(t.gone)
	}()
	line, err := t.line()
	if err != nil {
		t.kill()
		return nil, err
	}
	t.address = strings.TrimSpace(strings.TrimPrefix(line, "ready"))
	return t, nil
}

// apart from us: Ctrl-C is for us, who end the others, and they end with us at the latest
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

func (t *target) pid() int { return t.cmd.Process.Pid }

func (t *target) alive() bool {
	select {
	case <-t.gone:
		return false
	default:
		return true
	}
}

func (t *target) line() (string, error) {
	select {
	case line := <-t.lines:
		return line, nil
	case <-t.gone:
		first, _, _ := strings.Cut(t.stderr.String(), "\n")
		return "", fmt.Errorf("the target died (%v): %s", t.cmd.ProcessState, first)
	case <-time.After(patience):
		return "", errors.New("the target does not answer")
	}
}

func (t *target) ask(question string) (string, error) {
	if _, err := fmt.Fprintln(t.in, question); err != nil && t.alive() {
		return "", err
	}
	return t.line()
}

func (t *target) read() (r reading, err error) {
	line, err := t.ask("read")
	if err == nil {
		err = json.Unmarshal([]byte(line), &r)
	}
	return r, err
}

func (t *target) kill() {
	t.in.Close()
	t.cmd.Process.Kill()
	<-t.gone
}

// client has an HTTP server work: wrk, from Debian's package
type client struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

func startClient(address string, connections int) (*client, error) {
	c := &client{cmd: exec.Command("wrk", "-t", "2", "-c", strconv.Itoa(connections), "-d", "10m",
		"--latency", "http://"+address+"/")}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	c.cmd.SysProcAttr = apart()
	return c, c.cmd.Start()
}

// stop returns the p99 latency in nanoseconds
func (c *client) stop() (uint64, error) {
	c.cmd.Process.Signal(syscall.SIGINT)
	if err := wait(c.cmd); err != nil {
		return 0, fmt.Errorf("wrk: %v", err)
	}
	return parseWrk(c.out.String())
}

var (
	wrkP99    = regexp.MustCompile(`(?m)^ +99% +([0-9.]+)(us|ms|s)$`)
	wrkErrors = regexp.MustCompile(`(?m)^ *(Socket errors: .*|Non-2xx .*)$`)
)

func parseWrk(out string) (uint64, error) {
	if m := wrkErrors.FindString(out); m != "" {
		return 0, errors.New("wrk: " + strings.TrimSpace(m))
	}
	m := wrkP99.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk says no latency but %.200q", out)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	return uint64(v * map[string]float64{"us": 1e3, "ms": 1e6, "s": 1e9}[m[2]]), err
}

// wait gives a program that was told to end some time to do so
func wait(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		cmd.Process.Kill()
		<-done
		return errors.New("does not end when it is told to")
	}
}

// await polls until ready says yes; it gives up when the program is gone, or patience is over
func await(what string, gone func() bool, ready func() bool) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ready() {
			return nil
		}
		if gone() {
			return errors.New(what + " ended before it was attached")
		}
	}
	return errors.New(what + " is not attached after " + patience.String())
}

// zombie or gone: nobody has waited for it yet
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	i := bytes.LastIndexByte(stat, ')')
	return i < 0 || i+2 >= len(stat) || stat[i+2] == 'Z' || stat[i+2] == 'X'
}
