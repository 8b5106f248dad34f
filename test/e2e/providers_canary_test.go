package e2e

import (
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"mooring/test/binary"
)

// careless are answers of a provider, or of a proxy before it, that repeat what
// they were sent in every place there is.
var careless = map[string]func(w http.ResponseWriter, sent string){
	"message": func(w http.ResponseWriter, sent string) { reply(w, http.StatusForbidden, failure("refused", sent)) },
	"code":    func(w http.ResponseWriter, sent string) { reply(w, http.StatusForbidden, failure(sent, "refused")) },
	"unauthorized": func(w http.ResponseWriter, sent string) {
		for _, name := range []string{"request-id", "client-request-id", "x-goog-request-id", "WWW-Authenticate"} {
			w.Header().Set(name, sent)
		}
		reply(w, http.StatusUnauthorized, failure("InvalidAuthenticationToken", sent))
	},
	"throttled": func(w http.ResponseWriter, sent string) {
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusTooManyRequests, failure("rateLimitExceeded", sent))
	},
	"gone": func(w http.ResponseWriter, sent string) {
		w.Header().Set("Location", "http://127.0.0.1:1/?token="+sent)
		reply(w, http.StatusGone, failure("resyncRequired", sent))
	},
	"elsewhere": func(w http.ResponseWriter, sent string) { // where nobody listens: the error tells the address
		w.Header().Set("Location", "http://127.0.0.1:1/"+sent+"?token="+sent)
		w.WriteHeader(http.StatusFound)
	},
	"truncated": func(w http.ResponseWriter, sent string) {
		body := failure("refused", sent)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)-5])
	},
	"no JSON": func(w http.ResponseWriter, sent string) { reply(w, http.StatusBadRequest, []byte("<html>"+sent)) },
}

func reply(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// failure is an error as each of the providers has it, in one body.
func failure(code, message string) []byte {
	raw, _ := json.Marshal(object{
		"success": false, "code": code, "message": message, "data": nil, "error_description": message,
		"error": object{"code": code, "message": message, "status": code, "errors": []object{{"reason": code, "message": message}}},
	})
	return raw
}

// stubborn is as many requests as one call makes at most.
const stubborn = 6

// beCareless lets the next requests be answered so: some, since each repetition
// makes the client wait.
func (c *cloud) beCareless(kind string, tries int64) {
	if kind == "throttled" {
		tries = 1
	}
	var left atomic.Int64
	left.Store(tries)
	answer := careless[kind]
	c.intercept(func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if left.Add(-1) < 0 {
			return false
		}
		answer(w, clean(r.Header.Get("Authorization")+" "+r.URL.RequestURI()+" "+string(body)))
		return true
	})
}

// clean makes text one that a header can hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// canaries are those of a cloud: the configured secrets, the wrong ones, and what
// the provider made of them.
func (c *cloud) canaries() (out []canary) {
	for value, field := range c.secrets() {
		out = append(out, canaryOf(field, value))
		if block, _ := pem.Decode([]byte(value)); block != nil {
			middle := len(block.Bytes) / 2
			out = append(out, newCanary(field+" without PEM", string(block.Bytes[middle:middle+32])))
		}
	}
	for value, what := range c.seen() {
		if end := value[strings.LastIndex(value, ".")+1:]; len(end) >= 16 { // of a JWT its signature
			value = end
		}
		out = append(out, newCanary(what, value))
	}
	return out
}

// No secret of a connection, and nothing that a provider hands out for it, leaves
// the process or reaches a disk, whatever the provider answers.
func TestNoSecretOfProvidersGetsOut(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(clouds)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clouds[name](t)
			c.add("a.txt", "first")
			c.add("b.txt", "second")
			s := Start(t, c.flags()...)
			var out seen
			s.Seen = out.add
			turnedAway(s, c)
			j := s.connectCloud(c)
			j.pass()
			kinds := slices.Sorted(maps.Keys(careless))
			if testing.Short() {
				kinds = []string{"code", "elsewhere", "unauthorized"}
			}
			for _, kind := range kinds {
				j.endure(c, kind, func(r binary.Result) { out.add([]byte(r.Stdout + r.Stderr)) })
			}
			c.expire()
			c.add("b.txt", "second, changed")
			j.recover(c)
			err := binary.Until(j.ctx, "the change has arrived", func() (bool, error) {
				_ = j.Trigger(j.ctx, j.bucket, j.sync) // refused while a run is under way
				return slices.Contains(slices.Collect(maps.Values(files(t, j.server))), c.held[slices.Sorted(maps.Keys(c.held))[1]]), nil
			})
			if err != nil {
				t.Error(err)
			}
			one := connections + "/" + j.connection
			for _, path := range []string{one, "/v1/organizations/audit/logs?limit=1000", binary.Path("buckets", j.bucket, "syncs", j.sync, "runs"), binary.Path("buckets", j.bucket, "syncs", j.sync, "dead-letters")} {
				s.expect(http.StatusOK, http.MethodGet, path, nil)
			}
			s.expect(http.StatusOK, http.MethodDelete, one, nil)

			all := c.canaries()
			if len(c.seen()) < 2 {
				t.Errorf("the provider saw %v only", slices.Collect(maps.Values(c.seen())))
			}
			for _, canary := range all {
				search(t, canary, s.Dir, s.Log.String()+s.Out.String(), out.all)
			}
			s.stop()
			for _, canary := range all {
				search(t, canary, s.Dir, s.Log.String(), nil)
			}
		})
	}
}

// endure does everything once while the provider is careless.
func (j *job) endure(c *cloud, kind string, record func(binary.Result)) {
	j.t.Helper()
	one := connections + "/" + j.connection
	do := func(tries int64, method, path string, body any) {
		c.expire()
		c.beCareless(kind, tries)
		must(j.Do(j.ctx, method, path, body))(j.t)
	}
	do(stubborn, http.MethodPost, one+"/test", nil)
	do(2, http.MethodPost, connections, c.request("refused "+strconv.Itoa(c.requests()), nil))
	do(2, http.MethodGet, one+"/browse", nil)
	c.beCareless(kind, 2)
	record(j.cli("", "connection", "test", j.connection))
	j.recover(c)

	c.add("a.txt", "changed "+strconv.Itoa(c.requests()))
	c.expire()
	c.beCareless(kind, 2)
	before := c.requests()
	err := binary.Until(j.ctx, "the sync has met it", func() (bool, error) {
		if c.requests() > before {
			return true, nil
		}
		_ = j.Trigger(j.ctx, j.bucket, j.sync) // refused while a run is under way, which may have asked for the last time
		return false, nil
	})
	if err != nil {
		j.t.Error(err)
	}
	record(j.cli("", "connection", "get", j.connection))
	record(j.cli("", "run", "list", j.bucket, j.sync))
}

// recover ends carelessness and makes the connection one that works.
func (j *job) recover(c *cloud) {
	j.t.Helper()
	c.intercept(nil)
	one := connections + "/" + j.connection
	if got := j.expect(http.StatusOK, http.MethodGet, one, nil); got["status"] == "SUSPENDED" {
		j.expect(http.StatusOK, http.MethodPatch, one, object{"status": "ACTIVE"})
	}
	if got := j.expect(http.StatusOK, http.MethodPost, one+"/test", nil); got["success"] != true {
		j.t.Fatalf("test: %v", got)
	}
}
