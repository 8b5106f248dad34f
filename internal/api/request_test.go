package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"mooring/internal/api"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestBodies(t *testing.T) {
	w := newWorld(t)
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"not JSON":         {`{"name":`, 400},
		"two documents":    {`{} {}`, 400},
		"a stray bracket":  {`{"bucket_name":"stray"}]`, 400},
		"a stray brace":    {`{"bucket_name":"stray"}}`, 400},
		"not UTF-8":        {"{\"bucket_name\":\"\xff\"}", 400},
		"too deep":         {deep, 400},
		"deep in a string": {`{"bucket_name":"` + strings.Repeat("[", 90) + `"}`, 200},
		"a list":           {`[]`, 422},
		"a string":         {`"x"`, 422},
		"null":             {`null`, 422},
		"empty":            {``, 422},
		"NUL in a name":    {`{"bucket_name":"a\u0000b"}`, 422},
		"too large":        {`{"bucket_name":"` + strings.Repeat("x", 10<<20) + `"}`, 413},
		"unknown keys":     {`{"bucket_name":"ok","surprise":{"deep":[1,2,{}]}}`, 200},
		"nulls":            {`{"bucket_name":"nulls","description":null,"bucket_schema":null,"unique_key":null,"metadata":null,"destination":null}`, 200},
		"huge number":      {`{"bucket_name":"x","metadata":{"n":1e999999}}`, 422},
		"alias":            {`{"name":"alias"}`, 200},
	} {
		got := w.send(w.admin, "POST", "/v1/buckets", c.body)
		if got.status != c.status {
			t.Errorf("%s: %d, want %d: %s", name, got.status, c.status, got.raw)
		}
	}
	w.with(w.admin, 415, "POST", "/v1/buckets", `{}`, "Content-Encoding", "gzip")
	for _, path := range []string{"/v1/buckets/list", connections + "/list", "/v1/buckets/alias/objects/list", "/v1/buckets/alias/syncs/list"} {
		for _, body := range []any{"", "{}", "null", nil} {
			if got := w.as(200, "POST", path, body); got.results() == nil {
				t.Errorf("%s: the list is null: %s", path, got.raw)
			}
		}
	}
}

func TestIntegersMayBeWrittenInAnyWayAndNothingElseMay(t *testing.T) {
	w := newWorld(t)
	for body, status := range map[string]int{`{"limit":5}`: 200, `{"limit":5.0}`: 200, `{"limit":5e0}`: 200, `{"limit":5.5}`: 422, `{"limit":"5"}`: 422, `{"limit":true}`: 422, `{"limit":0}`: 422, `{"limit":1e99}`: 422} {
		if got := w.send(w.admin, "POST", "/v1/buckets/list", body); got.status != status {
			t.Errorf("%s: %d", body, got.status)
		}
	}
}

func TestPathsAndMethodsThatAreNotThere(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/v1", "/v2/buckets", "/v1/buckets/", "/v1//buckets/list", "/v1/buckets/../health", "/v1/./health", connections + "/%00", connections + "/%FF"} {
		if got := w.send(w.admin, "GET", path, nil); got.status != 404 || got.text("error", "type") != "NotFoundError" {
			t.Errorf("%s: %d %s", path, got.status, got.raw)
		}
	}
	got := w.send(w.admin, "PUT", connections+"/x", nil)
	if got.status != 405 || got.header.Get("Allow") != "DELETE, GET, HEAD, PATCH" {
		t.Errorf("405: %d, Allow %q", got.status, got.header.Get("Allow"))
	}
	if got := w.send("", "OPTIONS", connections, nil); got.status != 405 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight is answered: %d", got.status)
	}
	for _, name := range []string{"list", "test", "external-id"} {
		id := w.connect(name)
		if got := w.as(200, "GET", connections+"/"+name, nil); got.text("connection_id") != id {
			t.Errorf("a connection named %s is not found", name)
		}
	}
	w.bucket("list")
	w.as(200, "GET", "/v1/buckets/list", nil)
	w.connect("a..b")
	w.as(200, "GET", connections+"/a..b", nil)
	w.connect("a/../b")
	w.as(200, "GET", connections+"/a%2F..%2Fb", nil)
}

func TestRequestIDs(t *testing.T) {
	w := newWorld(t)
	if got := w.send("", "GET", "/healthz", nil, "X-Request-Id", "mine-1.2_3"); got.header.Get("X-Request-Id") != "mine-1.2_3" {
		t.Error("the client's id is not echoed")
	}
	for _, bad := range []string{"", "a b", "x\x7f", strings.Repeat("x", 65)} {
		if got := w.send("", "GET", "/healthz", nil, "X-Request-Id", bad); !strings.HasPrefix(got.header.Get("X-Request-Id"), "req_") {
			t.Errorf("%q: %q", bad, got.header.Get("X-Request-Id"))
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	w := newWorld(t)
	for _, got := range []reply{w.as(200, "POST", connections+"/list", nil), w.send("", "GET", "/nowhere", nil), w.send("", "GET", "/docs", nil)} {
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
			if got.header.Get(header) != want {
				t.Errorf("%s is %q", header, got.header.Get(header))
			}
		}
		if !strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("policy: %q", got.header.Get("Content-Security-Policy"))
		}
	}
	if got := w.as(200, "POST", connections+"/list", nil); got.header.Get("Cache-Control") != "no-store" {
		t.Error("answers may be cached")
	}
}

func TestPanicsAre500AndTellNothing(t *testing.T) {
	w := newWorld(t)
	w.handler = api.NewWith(w.server, "/v1/panics", func() { panic("the details " + goodSecret) })
	got := w.send(w.admin, "POST", "/v1/panics", `{"body":"hidden-body"}`)
	if got.status != 500 || strings.Contains(string(got.raw), "details "+goodSecret) || got.text("error", "details", "request_id") != got.header.Get("X-Request-Id") {
		t.Errorf("%d %s", got.status, got.raw)
	}
	log := w.log.String()
	if !strings.Contains(log, "a handler panicked") || !strings.Contains(log, "request_test.go") {
		t.Errorf("the log lacks the stack: %s", log)
	}
	if strings.Contains(log, "hidden-body") || strings.Contains(log, goodSecret) {
		t.Error("the body is logged, or what the handler panicked with")
	}
	w.connect("x")
	w.as(500, "GET", connections+"/x/browse?path=panics", nil)
}

func TestAccessLogHoldsNoNamesAndNoQueries(t *testing.T) {
	w := newWorld(t)
	w.connect("name-in-path")
	w.as(200, "GET", connections+"/name-in-path/browse?path=query-of-path", nil)
	log := w.log.String()
	for _, hidden := range []string{"name-in-path", "query-of-path", w.admin, goodSecret} {
		if strings.Contains(log, hidden) {
			t.Errorf("the log holds %q", hidden)
		}
	}
	var line map[string]any
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"request_id", "method", "route", "status", "took", "ip", "org", "key"} {
		if line[want] == nil {
			t.Errorf("the log lacks %s: %v", want, line)
		}
	}
}

func TestErrorsOfTheStoreAreHidden(t *testing.T) {
	w := newWorld(t)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", connections+"/list", nil)
	r.Header.Set("Authorization", "Bearer "+w.admin)
	got := w.do(r)
	if got.status != 503 && got.status != 500 || strings.Contains(string(got.raw), "sql") {
		t.Errorf("%d %s", got.status, got.raw)
	}
}

// impatient notes the deadlines that are set for writing.
type impatient struct {
	*httptest.ResponseRecorder
	deadline time.Time
	late     int // writes without one
}

func (i *impatient) SetWriteDeadline(t time.Time) error {
	i.deadline = t
	return nil
}

func (i *impatient) Write(p []byte) (int, error) {
	if i.deadline.IsZero() {
		i.late++
	}
	return i.ResponseRecorder.Write(p)
}

// TestAClientThatReadsNothingIsGivenUp: also one without a key.
func TestAClientThatReadsNothingIsGivenUp(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/openapi.json", "/docs", "/v1/health", "/v1/buckets", "/nothing"} {
		i := &impatient{ResponseRecorder: httptest.NewRecorder(), deadline: time.Now().Add(-time.Hour)}
		w.handler.ServeHTTP(i, httptest.NewRequest("GET", path, nil))
		if i.late > 0 || !i.deadline.After(time.Now()) {
			t.Errorf("%s: %d writes without a deadline; it is %s", path, i.late, i.deadline)
		}
	}
}

// TestTimesAreOnesThatClientsCanRead: a zone must not move one out of the four
// digits that a year has.
func TestTimesAreOnesThatClientsCanRead(t *testing.T) {
	w := newWorld(t)
	for at, status := range map[string]int{"9999-12-31T23:59:59Z": 200, "9999-12-31T23:59:59-12:00": 422, "0001-01-01T00:00:00+14:00": 422} {
		w.as(status, "GET", "/v1/organizations/audit/logs?end="+url.QueryEscape(at), nil)
	}
}
