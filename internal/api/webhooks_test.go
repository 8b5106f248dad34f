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

	"mooring/internal/event"
	"mooring/internal/id"
)

func TestWebhooksOverHTTP(t *testing.T) {
	w := newWorld(t)
	got := make(chan *http.Request, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { got <- r }))
	t.Cleanup(receiver.Close)
	w.as(422, "POST", "/v1/webhooks", map[string]any{})
	w.as(422, "POST", "/v1/webhooks", map[string]any{"url": "ftp://x.example"})
	w.as(422, "POST", "/v1/webhooks", map[string]any{"url": receiver.URL, "event_types": []string{"nonsense"}})
	made := w.as(200, "POST", "/v1/webhooks", map[string]any{"url": receiver.URL, "event_types": []string{"object.*"}, "bucket_id": "bkt_a"}).doc
	secret, _ := made["secret"].(string)
	if !strings.HasPrefix(secret, "whsec_") || made["status"] != "ACTIVE" {
		t.Fatalf("got %v", made)
	}
	path := "/v1/webhooks/" + made["webhook_id"].(string)
	for _, answer := range []reply{w.as(200, "GET", path, nil), w.as(200, "GET", "/v1/webhooks", nil), w.as(200, "PATCH", path, map[string]any{"description": "d"})} {
		if strings.Contains(string(answer.raw), "whsec_") || !strings.Contains(string(answer.raw), receiver.URL) {
			t.Errorf("got %s", answer.raw)
		}
	}
	test := w.as(200, "POST", path+"/test", nil)
	if r := <-got; test.doc["success"] != true || r.Header.Get("Webhook-Id") != test.doc["event_id"] || !strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1,") {
		t.Errorf("test: %s, %v", test.raw, r.Header)
	}
	rotated, _ := w.as(200, "POST", path+"/rotate", nil).doc["secret"].(string)
	w.as(200, "POST", path+"/test", nil)
	if r := <-got; rotated == secret || len(strings.Fields(r.Header.Get("Webhook-Signature"))) != 2 {
		t.Errorf("after a rotation: %v", r.Header)
	}
	w.as(200, "GET", path+"/deliveries?state=parked", nil)
	w.as(200, "POST", path+"/deliveries/retry", nil)
	if d := w.as(200, "PATCH", path, map[string]any{"enabled": false}).doc; d["status"] != "DISABLED" {
		t.Errorf("disabled: %v", d)
	}
	w.as(409, "POST", path+"/deliveries/retry", nil)
	other, key := w.found("other@example.org")
	_ = other
	for _, m := range []string{"GET", "PATCH", "DELETE"} {
		w.with(key, 404, m, path, nil)
	}
	w.as(204, "DELETE", path, nil)
	w.as(404, "GET", path, nil)
	trail := w.as(200, "GET", "/v1/organizations/audit/logs?resource_type=webhook", nil)
	if trail.number("total") != 5 || strings.Contains(string(trail.raw), "whsec_") { // made, changed, rotated, disabled, deleted
		t.Errorf("the trail: %s", trail.raw)
	}
}

// happen appends an event of each sort.
func (w *world) happen(n int) {
	w.t.Helper()
	for i := range n {
		list := []event.Event{
			{ID: id.NewEvent(), Time: time.Unix(int64(i), 0), Type: event.SyncCompleted, Data: map[string]any{"n": i}},
			{ID: id.NewEvent(), Time: time.Unix(int64(i), 0), Type: event.Objects, Data: map[string]any{"bucket_id": "bkt_a", event.List: []any{
				map[string]any{event.What: event.Created, "object_id": "obj_a"}, map[string]any{event.What: event.Deleted, "object_id": "obj_b"},
			}}},
		}
		if err := w.store.Events().Append(w.t.Context(), w.org.Organization.ID, list); err != nil {
			w.t.Fatal(err)
		}
	}
}

// follow reads n events of the stream, and returns their ids and types.
func (w *world) follow(url, last, query string, n int) (ids, types []string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", url+"/v1/events?"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.admin)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	in := bufio.NewScanner(res.Body)
	for len(types) < n && in.Scan() {
		if v, ok := strings.CutPrefix(in.Text(), "id: "); ok {
			ids = append(ids, v)
		}
		if v, ok := strings.CutPrefix(in.Text(), "data: "); ok {
			var m struct{ Type string }
			if err := json.Unmarshal([]byte(v), &m); err != nil {
				w.t.Fatal(err)
			}
			types = append(types, m.Type)
		}
	}
	return ids, types
}

// The stream is resumed behind any message of any event, without a gap.
func TestEventStreamIsResumed(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.handler)
	t.Cleanup(srv.Close)
	w.happen(40)
	whole, types := w.follow(srv.URL, "", "after=0", 120)
	if len(whole) != 120 || types[0] != event.SyncCompleted || types[1] != event.ObjectCreated || types[2] != event.ObjectDeleted {
		t.Fatalf("%d events: %v", len(whole), types[:min(3, len(types))])
	}
	for _, i := range []int{0, 1, 2, 57, 117} {
		rest, _ := w.follow(srv.URL, whole[i], "", len(whole)-i-1)
		if strings.Join(rest, " ") != strings.Join(whole[i+1:], " ") {
			t.Errorf("behind %s: %v", whole[i], rest[:min(3, len(rest))])
		}
	}
	if _, types := w.follow(srv.URL, "", "after=0&types=object.deleted", 40); len(types) != 40 || types[7] != event.ObjectDeleted {
		t.Errorf("of one type: %v", types)
	}
	if err := w.store.Events().Drop(t.Context(), w.org.Organization.ID, 20); err != nil {
		t.Fatal(err)
	}
	ids, types := w.follow(srv.URL, whole[3], "", 2)
	if types[0] != "" || ids[0] != "21.0" {
		t.Errorf("behind what was removed: %v %v", ids, types)
	}
	w.as(422, "GET", "/v1/events?after=nonsense", nil)
}

// An id that was never given here is one of before an older backup was restored:
// what comes next has lower numbers, and is told.
func TestEventStreamOfAClientThatIsAhead(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.handler)
	t.Cleanup(srv.Close)
	w.happen(2)
	for _, last := range []string{"5.0", "99999.0", "9223372036854775807"} {
		if _, types := w.follow(srv.URL, last, "", 1); types[0] != "" {
			t.Errorf("%s: the stream begins with %v instead of the gap", last, types)
		}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // whenever the stream begins, something happens later
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				w.happen(1)
			}
		}
	}()
	if _, types := w.follow(srv.URL, "99999.0", "", 2); types[1] != event.SyncCompleted {
		t.Errorf("what happens later: %v", types)
	}
	close(stop)
	<-stopped
}

// A key that is revoked tells no more, even while the stream is far behind.
func TestEventStreamEndsWithTheKeyOnItsWay(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.handler)
	t.Cleanup(srv.Close)
	const events, each = 200, 500
	list := make([]any, each)
	for i := range list {
		list[i] = map[string]any{event.What: event.Created, "object_id": strings.Repeat("o", 300)}
	}
	for range events {
		if err := w.store.Events().Append(t.Context(), w.org.Organization.ID, []event.Event{{ID: id.NewEvent(), Type: event.Objects, Data: map[string]any{event.List: list}}}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/v1/events?after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.key("follower", "admin"))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	w.as(200, "DELETE", "/v1/organizations/users/ops@example.org/api-keys/follower", nil)
	n, in := 0, bufio.NewScanner(res.Body)
	for in.Scan() {
		if strings.HasPrefix(in.Text(), "id: ") {
			n++
		}
	}
	if n == events*each {
		t.Error("it was told everything")
	}
}
