// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"targets/internal/harness"
)

// requests: a server and its clients in one process.
func requests() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		work(50)
		_, err := io.Copy(w, r.Body)
		harness.Check(err)
	})}
	go server.Serve(listener)
	url := "http://" + listener.Addr().String() + "/"
	group(4, func(i int) {
		client := &http.Client{Transport: &http.Transport{}}
		for n := 0; on(); n++ {
			if n%50 == 49 {
				client.CloseIdleConnections()
			}
			answer, err := client.Post(url, "text/plain", strings.NewReader("what is it?"))
			harness.Check(err)
			_, err = io.Copy(io.Discard, answer.Body)
			harness.Check(err)
			answer.Body.Close()
			time.Sleep(2 * time.Millisecond)
		}
	})
	harness.Check(server.Close())
}

// syscalls: files, pipes that block a thread and pipes that do not, processes.
func syscalls() {
	dir, err := os.MkdirTemp("", "selftrace")
	harness.Check(err)
	defer os.RemoveAll(dir)
	group(6, func(i int) {
		switch i {
		case 0, 1:
			files(filepath.Join(dir, string(rune('a'+i))))
		case 2:
			polledPipe()
		case 3, 4:
			blockingPipe()
		default:
			processes()
		}
	})
}

func files(path string) {
	text := []byte(strings.Repeat("some lines of text\n", 200))
	for on() {
		harness.Check(os.WriteFile(path, text, 0o600))
		_, err := os.ReadFile(path)
		harness.Check(err)
		harness.Check(os.Remove(path))
		time.Sleep(time.Millisecond)
	}
}

func polledPipe() {
	r, w, err := os.Pipe()
	harness.Check(err)
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			work(20)
		}
		r.Close()
	}()
	for on() {
		_, err := w.WriteString("line\n")
		harness.Check(err)
		time.Sleep(500 * time.Microsecond)
	}
	harness.Check(w.Close())
}

func blockingPipe() {
	var fds [2]int
	harness.Check(syscall.Pipe(fds[:]))
	go func() {
		buf := make([]byte, 16)
		for {
			n, err := syscall.Read(fds[0], buf)
			if n <= 0 || err != nil {
				break
			}
			work(20)
		}
		syscall.Close(fds[0])
	}()
	for on() {
		_, err := syscall.Write(fds[1], []byte("line"))
		harness.Check(err)
		time.Sleep(time.Millisecond)
	}
	harness.Check(syscall.Close(fds[1]))
}

func processes() {
	for on() {
		harness.Check(exec.Command("/bin/true").Run())
		time.Sleep(40 * time.Millisecond)
	}
}
