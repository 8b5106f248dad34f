package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSlowAndTalkativeClients: one that sends its headers or its body a byte at
// a time is cut off, also before it has sent anything, and headers have an end.
func TestSlowAndTalkativeClients(t *testing.T) {
	read := make(chan error, 10)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := httpServer(h, patience{header: 200 * time.Millisecond, read: 400 * time.Millisecond, idle: 200 * time.Millisecond})
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	for name, tt := range map[string]struct{ begin, drip, answer string }{
		"silence":         {"", "", ""},
		"slow line":       {"GE", "T", ""},
		"slow headers":    {"GET / HTTP/1.1\r\nHost: x\r\nA: ", "a", ""},
		"slow body":       {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{", " ", "400"},
		"slow chunks":     {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", "400"},
		"idle after one":  {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", "200"},
		"a large header":  {"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 2*maxHeader) + "\r\n\r\n", "", "431"},
		"many headers":    {"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", maxHeader/4) + "\r\n", "", "431"},
		"a long address":  {"GET /" + strings.Repeat("a", 2*maxHeader) + " HTTP/1.1\r\nHost: x\r\n\r\n", "", "431"},
		"endless headers": {"GET / HTTP/1.1\r\nHost: x\r\n", strings.Repeat("A: b\r\n", 4096), "431"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // of a server without patience of its own there are seconds left
			done := make(chan struct{})
			defer close(done)
			go func() {
				_, err := io.WriteString(conn, tt.begin)
				for tick := time.NewTicker(20 * time.Millisecond); tt.drip != "" && err == nil; {
					select {
					case <-tick.C:
						_, err = io.WriteString(conn, tt.drip)
					case <-done:
						return
					}
				}
			}()
			var status string
			answer := bufio.NewReader(conn)
			if line, err := answer.ReadString('\n'); err == nil {
				_, _ = fmt.Sscanf(line, "HTTP/1.1 %s", &status)
			}
			if _, err := io.Copy(io.Discard, answer); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Error("the client was not cut off")
			}
			if status != tt.answer && tt.answer != "" || status == "200" && tt.answer == "" {
				t.Errorf("answered %q, want %q", status, tt.answer)
			}
		})
	}
}

// A server without a listener that goes on working is neither noticed nor
// started again by whoever watches it.
func TestAServerThatCantAnswerEnds(t *testing.T) {
	a := newApp(t, "127.0.0.1:0")
	a.settings.TLSCert, a.settings.TLSKey = "gone since", "gone since"
	if err := a.serve(t.Context(), func(string) {}); err == nil {
		t.Error("it ended without a word")
	}
}
