// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// An HTTP server and the number of requests it answers. Usage: http [REQUESTS]: with an argument
// that many requests have to come from outside to the address printed after "ready PID";
// without, goroutines of this process make them.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"targets/internal/harness"
)

const (
	clients           = 8
	requestsPerClient = 100
)

var (
	url                  string
	answered, connection atomic.Int32
)

func handle(w http.ResponseWriter, r *http.Request) {
	if answered.Add(1)%10 == 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Fprintln(w, "hello", r.URL.Path)
}

func client() {
	transport := &http.Transport{}
	c := http.Client{Transport: transport}
	for i := 0; i < requestsPerClient; i++ {
		response, err := c.Get(url)
		harness.Check(err)
		_, err = io.Copy(io.Discard, response.Body)
		harness.Check(err)
		response.Body.Close()
	}
	transport.CloseIdleConnections()
}

func main() {
	requests, external := clients*requestsPerClient, len(os.Args) > 1
	if external {
		var err error
		requests, err = strconv.Atoi(os.Args[1])
		harness.Check(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(err)
	url = "http://" + listener.Addr().String() + "/x"

	harness.Run(func() harness.Result {
		server := http.Server{
			Handler: http.HandlerFunc(handle),
			ConnState: func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connection.Add(1)
				}
			},
		}
		debug.SetGCPercent(100)
		go server.Serve(listener)
		groups := harness.Groups{}
		if !external {
			for i := 0; i < clients; i++ {
				go client()
			}
			groups["main.client"] = harness.Lives{Create: clients, Exit: clients}
		}
		done := func() bool { return int(answered.Load()) >= requests }
		if !external {
			harness.Until("the requests", done)
			harness.UntilGone("main.client")
		} else {
			for !done() { // whoever makes them decides how long that takes
				time.Sleep(time.Millisecond)
			}
			time.Sleep(100 * time.Millisecond) // the last answers are still on their way
		}
		server.Close()
		return harness.Result{
			"groups": groups,
			"http": harness.Counts{
				"requests":    int(answered.Load()),
				"connections": int(connection.Load()),
			},
		}
	}, listener.Addr().String())
}
