// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// A line of gscope dump --events about the heap.
var heapLine = regexp.MustCompile(`^> \S+ T\d+ heap live=(\d+) goal=(\d+)$`)

// held is what the program cpu says of its heap, which stays like that.
type held struct {
	Heap struct {
		Alloc, Goal, Cycles int
	} `json:"heap"`
}

type heapSize struct {
	live, goal int
}

func readHeap(name string) (sizes []heapSize, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if found := heapLine.FindStringSubmatch(lines.Text()); found != nil {
			live, _ := strconv.Atoi(found[1])
			goal, _ := strconv.Atoi(found[2])
			sizes = append(sizes, heapSize{live, goal})
		}
	}
	return sizes, lines.Err()
}

// heap compares the sizes of the heap with what the runtime told the program cpu at the end: the
// goal to the byte, the live ones but for what is allocated since and what it holds in reserve.
func heap(args []string) error {
	var want held

	if err := wantArgs(args, 2); err != nil {
		return err
	}
	text, err := os.ReadFile(args[0])
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil {
		return err
	}
	sizes, err := readHeap(args[1])
	if err != nil {
		return err
	}
	if len(sizes) < 10 {
		return fmt.Errorf("%d sizes of the heap", len(sizes))
	}
	if sizes[0].goal != 0 {
		return fmt.Errorf("a goal of %d with GOGC=off", sizes[0].goal)
	}
	falls := 0
	for i := 1; i < len(sizes); i++ {
		before, now := sizes[i-1], sizes[i]
		if now == before {
			return fmt.Errorf("the heap is twice told to be %v", now)
		}
		if now.live < before.live {
			falls++
		}
	}
	last := sizes[len(sizes)-1]
	fmt.Printf("%d sizes, smaller %d times in %d cycles; at the end %v, the runtime says %v\n",
		len(sizes), falls, want.Heap.Cycles, last, want.Heap)
	// twice in a cycle: what Ps have in reserve is given back before the garbage is no longer counted
	if falls == 0 || falls > 2*want.Heap.Cycles {
		return fmt.Errorf("the heap got smaller %d times in %d cycles", falls, want.Heap.Cycles)
	}
	if last.goal != want.Heap.Goal {
		return fmt.Errorf("the goal is %d, not %d", last.goal, want.Heap.Goal)
	}
	if last.live < want.Heap.Alloc*95/100 || last.live > want.Heap.Alloc*105/100 {
		return fmt.Errorf("%d bytes live, the runtime has %d", last.live, want.Heap.Alloc)
	}
	return nil
}
