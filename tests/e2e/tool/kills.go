// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Captures that differ in what gscope is doing when it is killed: it begins, runs, attaches and
// detaches to keep a budget, ends.
var capturesToKill = [][]string{
	{"-d", "10m", "--max-overhead", "off"},
	{"-d", "10m", "--max-overhead", "1%"},
	{"-d", "150ms", "--max-overhead", "off"},
	{"-d", "10m", "--max-overhead", "off", "--level", "full"},
	{"-d", "10m", "--max-overhead", "off", "--probes", "inline"},
	{"-d", "100ms", "--max-overhead", "off", "--probes", "inline"},
}

const (
	afterKill   = time.Second      // that long after its helpers nothing of gscope's may be left
	helpersEnd  = 20 * time.Second // where many others work
	longestLife = 900 * time.Millisecond
)

// code is the executable mappings of a process and what their files have there.
type code struct {
	memory *os.File
	maps   []mapping
	wanted [][]byte
	places []uint64 // where breakpoints are while it is traced
}

func openCode(pid string) (*code, error) {
	proc := "/proc/" + pid
	memory, err := os.Open(proc + "/mem")
	if err != nil {
		return nil, err
	}
	c := &code{memory: memory}
	if c.maps, err = executable(proc); err != nil {
		return nil, err
	}
	for _, m := range c.maps {
		content, err := m.contents()
		if err != nil {
			return nil, err
		}
		c.wanted = append(c.wanted, content)
	}
	return c, nil
}

// changed counts bytes that are not as in the files: breakpoints, and others.
func (c *code) changed() (breakpoints, others int, err error) {
	for k, m := range c.maps {
		got := make([]byte, len(c.wanted[k]))
		if _, err := c.memory.ReadAt(got, int64(m.start)); err != nil {
			return 0, 0, err
		}
		for i, want := range c.wanted[k] {
			switch {
			case got[i] == want:
			case got[i] == breakpoint:
				breakpoints++
			default:
				others++
			}
		}
	}
	return breakpoints, others, nil
}

// settled waits for code that is as in the files; false: it is not in time.
func (c *code) settled(within time.Duration) (ok bool, breakpoints, others int, err error) {
	for end := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		late := time.Now().After(end)
		breakpoints, others, err = c.changed()
		if err != nil || breakpoints+others == 0 {
			return err == nil, breakpoints, others, err
		}
		if late {
			return false, breakpoints, others, nil
		}
	}
}

// helpers returns the children of a process.
func helpers(pid int) []int {
	var found []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		list, _ := os.ReadFile(file)
		for _, one := range strings.Fields(string(list)) {
			if n, err := strconv.Atoi(one); err == nil {
				found = append(found, n)
			}
		}
	}
	return found
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// moment is when gscope is killed: at a random one, or where the kernel is at work with breakpoints.
type moment int

const (
	anyMoment moment = iota
	attaching
	detaching
	moments
)

func (m moment) String() string {
	return [...]string{"at any moment", "while it attaches", "while it detaches"}[m]
}

// planted counts the breakpoints at places that had one before.
func (c *code) planted() int {
	n := 0
	var b [1]byte
	for _, at := range c.places {
		if _, err := c.memory.ReadAt(b[:], int64(at)); err == nil && b[0] == breakpoint {
			n++
		}
	}
	return n
}

// wait waits until f, but not for ever.
func wait(f func() bool) {
	for end := time.Now().Add(5 * time.Second); !f() && time.Now().Before(end); {
		time.Sleep(50 * time.Microsecond)
	}
}

// await waits for that moment of gscope's.
func (c *code) await(m moment, gscope *os.Process, random *rand.Rand) {
	if m == anyMoment {
		time.Sleep(time.Duration(random.Int63n(int64(longestLife))))
		return
	}
	wait(func() bool { return c.planted() > 0 })
	if m == detaching {
		time.Sleep(time.Duration(random.Int63n(int64(100 * time.Millisecond))))
		all := c.planted()
		_ = gscope.Signal(os.Interrupt)
		wait(func() bool { return c.planted() < all })
	}
	time.Sleep(time.Duration(random.Int63n(int64(4 * time.Millisecond))))
}

// killOne starts gscope and kills it; it returns whether it had not ended by then, and how many of
// the processes it had started have not ended in time.
func (c *code) killOne(command *exec.Cmd, m moment, random *rand.Rand) (bool, int, error) {
	if err := command.Start(); err != nil {
		return false, 0, err
	}
	c.await(m, command.Process, random)
	children := helpers(command.Process.Pid)
	_ = command.Process.Kill()
	err := command.Wait()
	var exit *exec.ExitError
	killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled()
	left := 0
	for end := time.Now().Add(helpersEnd); ; time.Sleep(5 * time.Millisecond) {
		left = 0
		for _, pid := range children {
			if alive(pid) {
				left++
			}
		}
		if left == 0 || time.Now().After(end) {
			return killed, left, nil
		}
	}
}

// learn finds out where breakpoints will be.
func (c *code) learn(command *exec.Cmd) error {
	if err := command.Start(); err != nil {
		return err
	}
	for i := 0; i < 300; i++ {
		time.Sleep(100 * time.Millisecond)
		if n, _, err := c.changed(); err != nil || n > 0 {
			break
		}
	}
	time.Sleep(200 * time.Millisecond) // for the others
	for k, m := range c.maps {
		got := make([]byte, len(c.wanted[k]))
		if _, err := c.memory.ReadAt(got, int64(m.start)); err != nil {
			return err
		}
		for i, want := range c.wanted[k] {
			if got[i] == breakpoint && want != breakpoint {
				c.places = append(c.places, m.start+uint64(i))
			}
		}
	}
	_ = command.Process.Signal(os.Interrupt)
	_ = command.Wait()
	if len(c.places) == 0 {
		return errors.New("no breakpoint is in the process while it is traced")
	}
	return nil
}

// kills kills gscope while it traces a process, N times or until it is interrupted, and looks for what
// stays in the code of the process.
func kills(args []string) error {
	if err := wantArgs(args, 4); err != nil {
		return err
	}
	gscope, pid := args[0], args[1]
	times, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	seed, err := strconv.ParseInt(args[3], 10, 64)
	if err != nil {
		return err
	}
	c, err := openCode(pid)
	if err != nil {
		return err
	}
	capture := func(i int) *exec.Cmd {
		all := []string{"record", "-p", pid, "-o", "killed.gscope"}
		return exec.Command(gscope, append(all, capturesToKill[i%len(capturesToKill)]...)...)
	}
	if err := c.learn(capture(0)); err != nil {
		return err
	}
	random := rand.New(rand.NewSource(seed))
	over := make(chan os.Signal, 1)
	signal.Notify(over, os.Interrupt, syscall.SIGTERM)
	killed, leaks, alives := 0, 0, 0
	for i := 0; i < times && len(over) == 0; i++ {
		m := moment(i % int(moments))
		what := fmt.Sprintf("kill %d %v, %v", i, m, capturesToKill[i/int(moments)%len(capturesToKill)])
		hit, stay, err := c.killOne(capture(i/int(moments)), m, random)
		if err != nil {
			return err
		}
		if hit {
			killed++
		}
		if stay > 0 {
			alives++
			fmt.Fprintf(os.Stderr, "%s: %d processes of it are there still\n", what, stay)
		}
		ok, breakpoints, others, err := c.settled(afterKill)
		if err != nil {
			return err
		}
		if ok {
			continue
		}
		leaks++
		fmt.Fprintf(os.Stderr, "%s: %d breakpoints and %d other bytes are left\n", what, breakpoints,
			others)
		// the next one is to find the code as it was
		_ = exec.Command(gscope, "detach", "-p", pid).Run()
		_ = exec.Command(gscope, "record", "-p", pid, "-o", "killed.gscope", "-d", "50ms",
			"--max-overhead", "off", "--level", "full").Run()
		if ok, _, _, err = c.settled(afterKill); err != nil || !ok {
			return fmt.Errorf("%s: what it left cannot be removed: %v", what, err)
		}
	}
	fmt.Printf("%d kills: %d left something in the code, %d left processes\n", killed, leaks, alives)
	if leaks+alives > 0 {
		return fmt.Errorf("%d of %d kills left something", leaks, killed)
	}
	return nil
}
