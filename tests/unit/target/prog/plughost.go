// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build plughost

package main

import (
	"bufio"
	"fmt"
	"os"
	"plugin"
)

// This program loads the plugins it is told, one per line; each of them says where it is.
func init() {
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		p, err := plugin.Open(in.Text())
		if err != nil {
			panic(err)
		}
		start, err := p.Lookup("Start")
		if err != nil {
			panic(err)
		}
		start.(func())()
	}
	os.Exit(0)
}
