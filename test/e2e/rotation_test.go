package e2e

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"mooring/test/binary"
)

// rotating are the accounts whose refresh token is good for one use.
var rotating = []string{"google_drive oauth", "sharepoint delegated"}

// exchanges counts what the token endpoint answered.
type exchanges struct{ granted, refused atomic.Int64 }

// watch counts a cloud's exchanges of its refresh token.
func (e *exchanges) watch(c *cloud) {
	c.intercept(func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if !isExchange(r, body) {
			return false
		}
		got := c.serveInstead(r)
		if got.Code == http.StatusOK {
			e.granted.Add(1)
		} else {
			e.refused.Add(1)
		}
		w.Header().Set("Content-Type", got.Header().Get("Content-Type"))
		w.WriteHeader(got.Code)
		_, _ = w.Write(got.Body.Bytes())
		return true
	})
}

func isExchange(r *http.Request, body []byte) bool {
	return r.Method == http.MethodPost && bytes.Contains(body, []byte("grant_type=refresh_token"))
}

// serveInstead lets the emulator answer what the client may never get.
func (p *tap) serveInstead(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.next.ServeHTTP(w, r)
	return w
}

// A refresh token that each use replaces, and that is refused when it is used
// again, outlives tests, runs, restarts and crashes.
func TestRefreshTokenRotates(t *testing.T) {
	for _, name := range rotating {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clouds[name](t)
			var e exchanges
			e.watch(c)
			c.add("a.txt", "first")
			s := Start(t, c.flags()...)
			j := s.connectCloud(c)
			works := func() {
				t.Helper()
				if got := j.expect(http.StatusOK, http.MethodPost, connections+"/"+j.connection+"/test", nil); got["success"] != true {
					t.Fatalf("test: %v", got)
				}
			}
			j.want(j.pass(), c.ledger(1, 0))
			works()
			if n := e.granted.Load(); n != 2 {
				t.Errorf("%d exchanges, want 2: one to test what is not saved yet, one for all that follows", n)
			}
			c.expire()
			works()
			c.expire()
			c.add("b.txt", "second")
			j.want(j.again(), c.ledger(1, 0))

			j.stop()
			j.restarted(c)
			works()
			if n := e.granted.Load(); n != 4 {
				t.Errorf("%d exchanges after a restart, want 4: the access token lasts over it", n)
			}
			c.expire()
			works()
			j.kill()
			j.restarted(c)
			c.expire()
			c.add("c.txt", "third")
			j.want(j.again(), c.ledger(1, 0))
			j.equal(c)

			j.dieAtExchange(c, false)
			e.watch(c)
			works()
			if n := e.refused.Load(); n != 0 {
				t.Errorf("%d exchanges were refused", n)
			}
		})
	}
}

// A process that dies between the exchange of a refresh token and its answer
// takes the new one with it: the user is told to consent again, and that helps.
func TestRefreshTokenLost(t *testing.T) {
	for _, name := range rotating {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clouds[name](t)
			c.add("a.txt", "first")
			s := Start(t, c.flags()...)
			j := s.connectCloud(c)
			j.want(j.pass(), c.ledger(1, 0))
			j.dieAtExchange(c, true)
			one := connections + "/" + j.connection
			got := j.expect(http.StatusOK, http.MethodPost, one+"/test", nil)
			if text := binary.Text(got, "message"); got["success"] != false || !strings.Contains(text, "again") {
				t.Errorf("test without a refresh token: %v", got)
			}
			if got = j.expect(http.StatusOK, http.MethodGet, one, nil); got["status"] != "FAILED" || !strings.Contains(binary.Text(got, "last_error"), "again") {
				t.Errorf("without a refresh token: %v", got)
			}
			config, _ := c.request("", object{"refresh_token": c.consent()})["provider_config"].(object)
			if got = j.expect(http.StatusOK, http.MethodPatch, one, object{"provider_config": config}); got["status"] != "ACTIVE" {
				t.Errorf("after a new consent: %v", got)
			}
			c.add("b.txt", "second")
			c.feed = c.provider != "sharepoint" // there another consent may be to another library
			j.want(j.again(), c.ledger(1, 0))
			j.equal(c)
		})
	}
}

// dieAtExchange kills the server in the middle of an exchange, which the provider
// may have made, and starts it anew.
func (j *job) dieAtExchange(c *cloud, made bool) {
	j.t.Helper()
	arrived, dead := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	c.intercept(func(_ http.ResponseWriter, r *http.Request, body []byte) bool {
		if !isExchange(r, body) || !once.CompareAndSwap(false, true) {
			return false
		}
		if made {
			c.serveInstead(r)
		}
		close(arrived)
		<-dead
		panic(http.ErrAbortHandler)
	})
	c.expire()
	go func() { _, _ = j.Do(j.ctx, http.MethodPost, connections+"/"+j.connection+"/test", nil) }()
	select {
	case <-arrived:
	case <-j.ctx.Done():
		j.t.Error("no refresh token was used")
	}
	j.kill()
	close(dead)
	c.intercept(nil)
	j.restarted(c)
}
