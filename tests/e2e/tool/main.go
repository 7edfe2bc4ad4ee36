// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// What the end-to-end tests need and a shell cannot do well.
package main

import (
	"fmt"
	"os"
)

var commands = map[string]func(args []string) error{
	"counts":   counts,
	"syscalls": syscalls,
	"numbers":  numbers,
	"waiting":  waiting,
	"states":   states,
	"frames":   frames,
	"samples":  samples,
	"heap":     heap,
	"about":    about,
	"text":     text,
	"kills":    kills,
	"load":     load,
	"get":      get,
	"exec":     execLater,
	"leave":    leave,
	"peak":     peak,
	"halt":     halt,
	"spawn":    spawn,
	"odd":      odd,
	"flip":     flip,
	"replace":  replace,

	"swap":      swap,
	"shrink":    shrink,
	"forge":     forge,
	"locked":    locked,
	"forks":     forks,
	"contain":   contain,
	"contained": contained,
	"memfd":     memfd,
	"poke":      poke,
	"seize":     seize,
	"break":     breakpointAt,
	"deny":      deny,
	"damage":    damage,
	"ports":     ports,
	"ask":       ask,
	"nats":      nats,
	"named":     namedFrames,
}

const usage = `Usage: tool COMMAND [ARGS]
  counts JSON DUMP <PARSED
                          compare the transitions of a Go trace (go tool trace -d=parsed) with
                          what the traced program counted; DUMP is of gscope dump --transitions
  syscalls JSON <DUMP     the same for its system calls (gscope dump --transitions)
  numbers JSON            how many numbers those are
  waiting FUNCTION DUMP <PARSED
                          how many goroutines started with it wait at the beginning
  states JSON DUMP <PARSED
                          compare the states of goroutines at the beginning and at the end with
                          those the program gives
  frames JSON DUMP <PARSED
                          compare stacks with what the program frames printed of its own; DUMP is
                          of gscope dump --events --verbose
  samples RATE JSON DUMP  compare CPU samples with what the program cpu printed; DUMP is of
                          gscope dump --events --verbose
  heap JSON DUMP          the same for the size of the heap; DUMP is of gscope dump --events
  about PID DUMP          what gscope dump --events --verbose says of the process, as KEY VALUE:
                          the release, the offsets' source, the probed instructions, frames of
                          stacks and those with a name
  text PID                how many bytes of its code, libraries too, differ from the files
  kills GSCOPE PID N SEED kill it N times while it traces the process, and look at the code of that
  load ADDRESS N          N connections make HTTP requests until killed
  get ADDRESS             one HTTP request
  exec PROGRAM [ARGS]     "ready PID", wait for a line, work for a moment, become PROGRAM
  leave                   "ready PID", wait for a line, work for a moment, exit
  peak COMMAND [ARGS]     run it; the KiB of memory it had at most
  halt PROGRAM [ARGS]     start it, stopped at its first instruction: "halted PID"
  spawn N               like a target: work, and start N programs
  odd                   like a target: do what goroutines rarely do
  swap KIND FILE        a target that exchanges the descriptor of gscope's memory: for a path, a
                        file, or memory that is unsealed, sealed, full or huge
  shrink                a target that takes gscope's memory away from under it
  forge N               a target with N mappings that gscope could take for its own
  locked                a target that locks all memory it gets
  forks                 a target that forks at each line
  flip FILE OUT OFFSET  copy with one byte inverted
  contain ROOT PROGRAM UID
                        run it as in a container whose image has nothing but it; its PID goes to
                        standard error
  memfd PROGRAM [ARGS]  become a copy of it that is in no directory
  break PID FUNCTION    leave a breakpoint where that function begins
  poke PID on|off       make the list of its runtime's threads endless
  deny NR PROGRAM [ARGS]  become it, with system call NR failing
  seize PID             trace it as a debugger does, and let it run, until killed
  replace FILE OUT OLD NEW
                          copy with all OLD replaced by NEW, of the same length
  damage [FILE OUT KIND]
                          copy of a program that still runs; all kinds without arguments
  ports N               N free TCP ports of the loopback device
  ask METHOD URL [BODY [HEADER...]]
                          one HTTP request, and its answer
  nats ADDRESS N        N connections publish and subscribe until killed; 0: one message
  named <PARSED         how many stack frames a Go trace has, and how many with a name
`

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "tool %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func wantArgs(args []string, n int) error {
	if len(args) != n {
		return fmt.Errorf("%d arguments, not %d", len(args), n)
	}
	return nil
}
