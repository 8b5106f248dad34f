package msgraph_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mooring/emulator/msgraph"
)

// The bodies are those of the service, but for the ids.
func TestErrorBodies(t *testing.T) {
	c := newClock()
	w := newWorldAt(t, c)
	const end = `"client-request-id":"CLIENT","date":"2026-11-23T12:00:00","request-id":"ID"}`
	for name, tc := range map[string]struct {
		action msgraph.Action
		status int
		want   string
	}{
		"throttled": {msgraph.Throttle(41 * time.Second), 429,
			`{"error":{"code":"activityLimitReached","innerError":{"client-request-id":"CLIENT","code":"throttledRequest",` +
				`"date":"2026-11-23T12:00:00","innerError":{"code":"quota"},"request-id":"ID"},"message":"The request has been throttled"}}`},
		"unavailable": {msgraph.Unavailable(0), 503,
			`{"error":{"code":"serviceNotAvailable","innerError":{` + end +
				`,"message":"The service is not available. Try the request again after a delay. There may be a Retry-After header."}}`},
		"resync": {msgraph.Gone("resyncChangesApplyDifferences", false), 410,
			`{"error":{"code":"resyncChangesApplyDifferences","innerError":{"client-request-id":"CLIENT","code":"resyncApplyDifferences",` +
				`"date":"2026-11-23T12:00:00","request-id":"ID"},"message":"Resync required. Replace any local items with the server's version (including deletes) if you're sure that the service was up to date with your local changes when you last sync'd. Upload any local changes that the server doesn't know about."}}`},
		"denied":       {msgraph.ReplyCode("accessDenied"), 403, `{"error":{"code":"accessDenied","innerError":{` + end + `,"message":"Access denied"}}`},
		"not found":    {msgraph.ReplyCode("itemNotFound"), 404, `{"error":{"code":"itemNotFound","innerError":{` + end + `,"message":"The resource could not be found."}}`},
		"locked":       {msgraph.ReplyCode("resourceLocked"), 423, `{"error":{"code":"resourceLocked","innerError":{` + end + `,"message":"The resource is locked."}}`},
		"own":          {msgraph.Reply(msgraph.Error{Status: 418, Code: "odd", Message: "m"}), 418, `{"error":{"code":"odd","innerError":{` + end + `,"message":"m"}}`},
		"unknown code": {msgraph.ReplyCode("generalException"), 500, `{"error":{"code":"generalException","innerError":{` + end + `,"message":"General exception while processing"}}`},
		"gateway":      {msgraph.GatewayError(502), 502, `<html><body><h1>Bad Gateway</h1></body></html>`},
	} {
		f := w.s.Inject(msgraph.Fault{Action: tc.action})
		r := w.want(tc.status, w.rootDelta(), "client-request-id", "CLIENT")
		f.Remove()
		got := strings.TrimSpace(strings.ReplaceAll(r.text, r.header.Get("request-id"), "ID"))
		if got != tc.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, tc.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 5, 0, 0, time.UTC)
	for want, action := range map[string]msgraph.Action{
		"41":                            msgraph.Throttle(41 * time.Second),
		"1":                             msgraph.Unavailable(time.Millisecond),
		"Mon, 23 Nov 2026 12:05:00 GMT": msgraph.ThrottleUntil(at),
		"":                              msgraph.Throttle(0),
	} {
		w := newWorld(t)
		w.s.Inject(msgraph.Fault{Action: action})
		if r := w.get(w.rootDelta()); r.header.Get("Retry-After") != want || r.status != 429 && r.status != 503 {
			t.Errorf("%d %q, want %q", r.status, r.header.Get("Retry-After"), want)
		}
	}
	w := newWorld(t)
	w.s.Inject(msgraph.Fault{Action: msgraph.UnavailableUntil(at)})
	if r := w.want(503, w.rootDelta()); r.header.Get("Retry-After") != "Mon, 23 Nov 2026 12:05:00 GMT" {
		t.Errorf("%v", r.header)
	}
}

func TestFaultsAreScripted(t *testing.T) {
	w := newWorld(t)
	a := w.s.File(w.drive, w.root, "a.txt", nil)
	b := w.s.File(w.drive, w.root, "b.txt", nil)
	item := func(id string) int { return w.get("/drives/" + w.drive + "/items/" + id).status }
	second := w.s.Inject(msgraph.Fault{Match: msgraph.Match{Item: a}, Nth: 2, Action: msgraph.ReplyCode("accessDenied")})
	for i, want := range []int{200, 403, 200} {
		if got := item(a); got != want {
			t.Errorf("request %d: %d, want %d", i+1, got, want)
		}
	}
	if second.Seen() != 3 || second.Hits() != 1 {
		t.Errorf("seen %d, met %d", second.Seen(), second.Hits())
	}
	w.s.Inject(msgraph.Fault{Match: msgraph.Match{Path: "b*t", Drive: w.drive}, After: 1, Times: 1, Action: msgraph.ReplyCode("itemNotFound")})
	for i, want := range []int{200, 404, 200} {
		if got := item(b); got != want {
			t.Errorf("request %d: %d, want %d", i+1, got, want)
		}
	}
	w.s.Inject(msgraph.Fault{Match: msgraph.Match{ClientID: app, Tenant: tenant, If: func(r msgraph.Request) bool { return r.Query.Has("x") }}, Action: msgraph.ReplyCode("notAllowed")})
	w.want(403, "/drives/"+w.drive+"?x=1")
	w.want(200, "/drives/"+w.drive)
	w.s.ClearFaults()
	w.want(200, "/drives/"+w.drive+"?x=1")
	log := w.s.Requests()
	if len(log) != w.s.Count() || w.s.Count(msgraph.GetItem) != 6 || len(log[1].Faults) != 1 || log[1].Code != "accessDenied" || log[1].Path != "a.txt" {
		t.Errorf("the log says %+v", log)
	}
	w.s.ResetRequests()
	if w.s.Count() != 0 || len(w.s.Requests()) != 0 {
		t.Error("the log is not empty")
	}
}

func TestTokensExpireInTheMiddle(t *testing.T) {
	w := newWorld(t)
	w.s.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Delta), Nth: 2, Action: msgraph.ExpireToken()})
	w.want(200, w.rootDelta())
	w.want(401, w.rootDelta())
	w.want(401, w.rootDelta())
	w.bearer = w.s.AccessToken(tenant, app)
	w.want(200, w.rootDelta())
	w.s.ExpireAccessTokens()
	w.want(401, w.rootDelta())
}

func TestBudget(t *testing.T) {
	c := newClock()
	w := newWorld(t, msgraph.Options{Now: c.Now, UnitsPerMinute: 10})
	w.s.App(tenant, "another", "x")
	d := "/drives/" + w.drive
	w.want(200, d+"/root/permissions") // 5
	if r := w.want(200, d+"/root/children"); r.header.Get("RateLimit-Limit") != "" {
		t.Errorf("at 70 %%: %v", r.header)
	}
	r := w.want(200, d) // 8
	if r.header.Get("RateLimit-Limit") != "10" || r.header.Get("RateLimit-Remaining") != "2" || r.header.Get("RateLimit-Reset") != "60" {
		t.Errorf("at 80 %%: %v", r.header)
	}
	c.advance(20 * time.Second)
	if r := w.want(429, d+"/root/permissions"); r.header.Get("Retry-After") != "40" {
		t.Errorf("beyond: %v", r.header)
	}
	mine := w.bearer
	w.bearer = w.s.AccessToken(tenant, "another")
	w.want(200, d)
	w.bearer = mine
	c.advance(40 * time.Second)
	w.want(200, d+"/root/permissions")
	w.s.Inject(msgraph.Fault{Action: msgraph.RateLimit(1200, 3, time.Minute)})
	if r := w.want(200, d); r.header.Get("RateLimit-Remaining") != "3" {
		t.Errorf("injected: %v", r.header)
	}
}

func TestCredentialsAreEchoed(t *testing.T) {
	w := newWorld(t)
	w.s.Inject(msgraph.Fault{Action: msgraph.EchoCredentials()})
	if r := w.want(403, w.rootDelta()); !strings.Contains(r.text, w.bearer) {
		t.Errorf("no token: %s", r.text)
	}
	if r := w.post(tenant, "client_secret", secret); r.status != 401 || !strings.Contains(r.text, "s3cret~value") && !strings.Contains(r.text, "s3cret%7Evalue") {
		t.Errorf("no secret: %s", r.text)
	}
}

func TestWaitingEndsWithTheClient(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	held := make(chan struct{})
	w.s.Inject(msgraph.Fault{Action: msgraph.Do(msgraph.Run(func() { close(held) }), msgraph.Wait(release))})
	done := make(chan error, 1)
	go func() {
		_, err := http.Get(w.s.API() + "/sites/root") //nolint:bodyclose // there is no answer
		done <- err
	}()
	<-held
	w.s.Close()
	if err := <-done; err == nil {
		t.Error("a closed server answers")
	}
}

func TestMisuseOfTheServerPanics(t *testing.T) {
	w := newWorld(t)
	f := w.s.File(w.drive, w.root, "f", nil)
	a := w.s.Folder(w.drive, w.root, "a")
	for name, misuse := range map[string]func(){
		"a drive that isn't there": func() { w.s.Root("b!nothing") },
		"an item that isn't there": func() { w.s.Delete(w.drive, "01NOTHING") },
		"a name that is taken":     func() { w.s.File(w.drive, w.root, "F", nil) },
		"a name that is illegal":   func() { w.s.File(w.drive, w.root, "a:b", nil) },
		"a shortcut to nothing":    func() { w.s.RemoteItem(w.drive, w.root, "s", w.drive, "01NOTHING") },
		"a file in a file":         func() { w.s.File(w.drive, f, "g", nil) },
		"a folder into itself":     func() { w.s.Move(w.drive, a, a) },
		"the root deleted":         func() { w.s.Delete(w.drive, w.root) },
		"an app nobody registered": func() { w.s.AccessToken(tenant, "nobody") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			misuse()
		}()
	}
	w.want(200, "/drives/"+w.drive) // no lock is held
}

func TestOpenIDDiscovery(t *testing.T) {
	w := newWorld(t)
	r := w.want(200, w.s.LoginURL()+"/"+tenant+"/v2.0/.well-known/openid-configuration")
	if r.str("token_endpoint") != w.s.LoginURL()+"/"+tenant+"/oauth2/v2.0/token" || !json.Valid([]byte(r.text)) {
		t.Errorf("%s", r.text)
	}
}
