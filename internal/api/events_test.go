package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mooring/internal/syncing"
)

// readTimeout is the server's, for requests: streams last longer.
const readTimeout = time.Second

// stream opens a run's events over a real connection.
func (w *world) stream(key, b, sy, run string, timeout time.Duration) (events chan syncing.RunStatus, end chan error) {
	w.t.Helper()
	srv := httptest.NewUnstartedServer(w.handler)
	srv.Config.ReadTimeout = readTimeout
	srv.Start()
	w.t.Cleanup(srv.Close)
	ctx, cancel := context.WithTimeout(w.t.Context(), timeout)
	w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/v1/buckets/"+b+"/syncs/"+sy+"/runs/"+run+"/events", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	res, err := srv.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	events, end = make(chan syncing.RunStatus, 10_000), make(chan error, 1)
	go func() {
		in := bufio.NewScanner(res.Body)
		for in.Scan() {
			if data, ok := strings.CutPrefix(in.Text(), "data: "); ok {
				var run struct {
					Status syncing.RunStatus
					Ledger map[string]any
				}
				if err := json.Unmarshal([]byte(data), &run); err != nil || run.Ledger["discovered"] == nil {
					end <- err
					return
				}
				events <- run.Status
			}
		}
		close(events)
		end <- in.Err()
	}()
	return events, end
}

func TestEventsGoOnUntilTheRunHasEnded(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	sy := w.sync(b, w.connect("c"), "media")
	run := w.begin(b, sy, syncing.Ledger{Discovered: 5, Synced: 5})
	events, end := w.stream(w.admin, b, sy, run, time.Minute)
	began := time.Now()
	for time.Since(began) < readTimeout*5/4 { // which must not end the stream
		if s, ok := <-events; !ok || s != syncing.RunInProgress {
			t.Fatalf("an event says %q (open %v)", s, ok)
		}
	}
	w.end(run)
	last := syncing.RunStatus("")
	for s := range events {
		last = s
	}
	if err := <-end; err != nil || last != syncing.RunCompleted {
		t.Errorf("the stream ends with %q, %v", last, err)
	}
	events, end = w.stream(w.admin, b, sy, run, time.Minute)
	n := 0
	for range events {
		n++
	}
	if err := <-end; err != nil || n != 1 {
		t.Errorf("of an ended run come %d events, %v", n, err)
	}
}

func TestEventsEndWithTheKey(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	sy := w.sync(b, w.connect("c"), "media")
	run := w.begin(b, sy, syncing.Ledger{Discovered: 5})
	key := w.key("watcher", "read")
	events, end := w.stream(key, b, sy, run, time.Minute)
	<-events
	w.as(200, "DELETE", "/v1/organizations/users/ops@example.org/api-keys/watcher", nil)
	for range events { // until the stream ends
	}
	if err := <-end; err != nil {
		t.Errorf("the stream does not end: %v", err)
	}
}

func TestEventsEndWithTheClient(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	sy := w.sync(b, w.connect("c"), "media")
	run := w.begin(b, sy, syncing.Ledger{Discovered: 5})
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", "/v1/buckets/"+b+"/syncs/"+sy+"/runs/"+run+"/events", nil)
	r.Header.Set("Authorization", "Bearer "+w.admin)
	done := make(chan struct{})
	go func() {
		w.handler.ServeHTTP(httptest.NewRecorder(), r)
		close(done)
	}()
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the handler goes on")
	}
}

func TestAKeyHasOnlySoManyStreams(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b")
	sy := w.sync(b, w.connect("c"), "media")
	run := w.begin(b, sy, syncing.Ledger{Discovered: 5})
	for range 16 {
		events, _ := w.stream(w.admin, b, sy, run, time.Minute)
		<-events
	}
	path := "/v1/buckets/" + b + "/syncs/" + sy + "/runs/" + run + "/events"
	if got := w.as(429, "GET", path, nil); got.header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After: %v", got.header)
	}
	w.end(run)
	events, _ := w.stream(w.key("other", "read"), b, sy, run, time.Minute)
	<-events
}
