// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ports prints TCP ports of the loopback device that were free a moment ago.
func ports(args []string) error {
	if err := wantArgs(args, 1); err != nil {
		return err
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for i := 0; i < n; i++ {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer listener.Close()
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	}
	return nil
}

// ask makes one HTTP request and prints the answer.
func ask(args []string) error {
	if len(args) < 2 {
		return errors.New("which method and URL?")
	}
	body := ""
	if len(args) > 2 {
		body = args[2]
	}
	request, err := http.NewRequest(args[0], args[1], strings.NewReader(body))
	if err != nil {
		return err
	}
	for _, header := range args[min(len(args), 3):] {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	client := http.Client{Timeout: 60 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %.200s", response.Status, answer)
	}
	fmt.Printf("%s\n", answer)
	return nil
}

// nats is a publisher and subscriber of its own subjects, N times, until it is killed; with N = 0
// it is one for one message.
func nats(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if n == 0 {
		return natsOne(args[0], "once", 1)
	}
	for i := 0; i < n; i++ {
		go func(subject string) {
			for {
				if err := natsOne(args[0], subject, 1000); err != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		}(fmt.Sprint("load.", i))
	}
	select {}
}

// natsPause is between two messages of a connection: as fast as they can, there is too much to read
// in the traces.
const natsPause = 10 * time.Millisecond

// natsOne publishes messages and reads them again: docs.nats.io/reference/nats-protocol
func natsOne(address, subject string, messages int) error {
	conn, err := net.DialTimeout("tcp", address, 30*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "INFO ") {
		return fmt.Errorf("the server begins with %q: %v", line, err)
	}
	fmt.Fprintf(conn, "CONNECT {\"verbose\":false}\r\nSUB %s 1\r\n", subject)
	for i := 0; i < messages; i++ {
		time.Sleep(natsPause)
		want := fmt.Sprint("message ", i)
		if _, err := fmt.Fprintf(conn, "PUB %s %d\r\n%s\r\n", subject, len(want), want); err != nil {
			return err
		}
		for got := ""; got != want; {
			line, err := in.ReadString('\n')
			if err != nil {
				return err
			}
			got = strings.TrimRight(line, "\r\n")
			switch {
			case got == "PING":
				fmt.Fprint(conn, "PONG\r\n")
			case strings.HasPrefix(got, "-ERR"):
				return errors.New(got)
			}
		}
	}
	return nil
}

var frameLine = regexp.MustCompile(`^\t(.*) @ 0x[0-9a-f]+$`)

// namedFrames counts the stack frames in a parsed Go trace, and those of them that have a name and
// not only an address.
func namedFrames(args []string) error {
	if err := wantArgs(args, 0); err != nil {
		return err
	}
	all, named := 0, 0
	address := regexp.MustCompile(`^(0x|\?|$)|\+0x[0-9a-f]+$`)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := frameLine.FindStringSubmatch(lines.Text())
		if m == nil || strings.HasPrefix(m[1], "gscope.") { // not of the program
			continue
		}
		all++
		if !address.MatchString(m[1]) {
			named++
		}
	}
	fmt.Println(all, named)
	return lines.Err()
}
