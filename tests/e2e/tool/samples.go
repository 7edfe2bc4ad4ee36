// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// A line of gscope dump --events --verbose about a CPU sample; what follows a goroutine's id is
// where it is in memory.
var sampleLine = regexp.MustCompile(`^> \S+ T\d+ sample (?:G(\d+)\S* )?.*?(?:stack=(.*))?$`)

// busy is the line of JSON that the program cpu prints.
type busy struct {
	Goids map[string]int `json:"goids"`
	CPU   map[string]int `json:"cpu_ms"`
}

// sampled is what there is of one goroutine.
type sampled struct {
	all int
	by  map[string]int // the function its stack begins with
}

// outermost is the function of the last frame, that the goroutine began with.
func outermost(stack string) string {
	if at := strings.LastIndex(stack, ")<"); at >= 0 {
		stack = stack[at+2:]
	}
	function, _, _ := strings.Cut(stack, "(/")
	return function
}

func readSamples(name string) (map[int]*sampled, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	samples := map[int]*sampled{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		found := sampleLine.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		goid, _ := strconv.Atoi(found[1])
		if samples[goid] == nil {
			samples[goid] = &sampled{by: map[string]int{}}
		}
		samples[goid].all++
		samples[goid].by[outermost(found[2])]++
	}
	return samples, lines.Err()
}

// samples compares CPU samples with what the program cpu says it did: as many as CPU time and rate
// ask for, and with the goroutine's own stack. A goroutine that is mostly being scheduled, main.grow,
// has many where it is on its way off the CPU or on to it: Go's samples, too, then have its id and
// the stack of the scheduler. A stack ends with the code of a hash where that, as in old releases, is
// assembly that uses the frame pointer for something else.
func samples(args []string) error {
	var want busy

	if err := wantArgs(args, 3); err != nil {
		return err
	}
	rate, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[1])
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil {
		return err
	}
	got, err := readSamples(args[2])
	if err != nil {
		return err
	}
	if len(want.Goids) == 0 {
		return fmt.Errorf("%s tells of no goroutine", args[1])
	}
	for function, goid := range want.Goids {
		s := got[goid]
		if s == nil {
			return fmt.Errorf("no sample of %s", function)
		}
		expected := want.CPU[function] * rate / 1000
		own := s.by[function]
		if function == "main.digest" {
			own += s.by["crypto/sha256.block"]
		}
		fmt.Printf("%s: %d samples of %d, %d with its function\n", function, s.all, expected, own)
		if function == "main.grow" {
			continue
		}
		if s.all < expected/2 || s.all > 2*expected {
			return fmt.Errorf("%s: %d samples, where its CPU time asks for %d", function,
				s.all, expected)
		}
		if own*100 < s.all*95 {
			return fmt.Errorf("%s: %d of %d samples end in its function; %v", function, own,
				s.all, s.by)
		}
	}
	return nil
}
