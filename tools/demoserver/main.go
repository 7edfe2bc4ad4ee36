// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Demoserver is a small web shop to look at with a tracer: its requests wait for a lock, for
// workers, for another service and for files. It prints its address and ends with its standard
// input. "demoserver load ADDRESS" is its customers, who stay until the server is gone.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	workers   = 2
	customers = 12
	thinking  = 10 * time.Millisecond
)

type shop struct {
	mu     sync.Mutex
	orders map[string]int
	jobs   chan job
	file   string
}

type job struct {
	work   []byte
	result chan [sha256.Size]byte
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "load" {
		load("http://" + os.Args[2])
		return
	}
	file, err := os.Executable()
	if err != nil {
		fail(err)
	}
	s := &shop{orders: map[string]int{}, jobs: make(chan job), file: file}
	for i := 0; i < workers; i++ {
		go s.worker()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.index)
	mux.HandleFunc("/order", s.order)
	mux.HandleFunc("/picture", s.picture)
	mux.HandleFunc("/payment", s.payment)
	mux.HandleFunc("/download", s.download)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	fmt.Println(listener.Addr())
	go func() { fail(http.Serve(listener, mux)) }()
	io.Copy(io.Discard, os.Stdin)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "demoserver:", err)
	os.Exit(1)
}

func (s *shop) index(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "welcome")
}

// order holds the lock of all orders for longer than it should
func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[r.URL.RawQuery]++
	if rand.Intn(10) == 0 {
		time.Sleep(2 * time.Millisecond)
	}
	fmt.Fprintln(w, s.orders[r.URL.RawQuery])
}

// picture waits for one of too few workers
func (s *shop) picture(w http.ResponseWriter, r *http.Request) {
	j := job{make([]byte, 200_000), make(chan [sha256.Size]byte)}
	s.jobs <- j
	fmt.Fprintf(w, "%x\n", <-j.result)
}

func (s *shop) worker() {
	for j := range s.jobs {
		j.result <- sha256.Sum256(j.work)
	}
}

// payment asks a service elsewhere, which takes its time
func (s *shop) payment(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Duration(5+rand.Intn(10)) * time.Millisecond)
	fmt.Fprintln(w, "paid")
}

func (s *shop) download(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open(s.file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer f.Close()
	io.CopyN(w, f, 100_000)
}

func load(url string) {
	pages := []string{"/", "/", "/order?soap", "/order?bread", "/picture", "/payment", "/download"}
	var all sync.WaitGroup
	for i := 0; i < customers; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			client := http.Client{Transport: &http.Transport{}}
			for {
				response, err := client.Get(url + pages[rand.Intn(len(pages))])
				if err != nil {
					return
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				time.Sleep(time.Duration(rand.Int63n(int64(2 * thinking))))
			}
		}()
	}
	all.Wait()
}
