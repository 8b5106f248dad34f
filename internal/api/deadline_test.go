package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"mooring/internal/api"
	"mooring/internal/connection"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
)

// stuck is a store whose lists of connections take until they are given up.
type stuck struct {
	store.Connections
	hang func(context.Context)
}

func (s stuck) List(ctx context.Context, _ id.Org, _ connection.Filter, _ store.Page) (store.List[connection.Connection], error) {
	s.hang(ctx)
	return store.List[connection.Connection]{}, errs.Wrap(ctx.Err(), errs.KindOf(ctx.Err()), "store.list", "given up")
}

// TestADeadlineReachesStoreAndProvider: when a client goes away, and when a
// request has taken its time, what it has others do ends.
func TestADeadlineReachesStoreAndProvider(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error)
	hang := func(ctx context.Context) {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
	}
	w := newWorld(t)
	w.fake.hang = hang
	w.connect("media")
	keep := w.server.Connections
	for name, path := range map[string]string{
		"provider": "/v1/organizations/connections/media/browse?path=hangs", "store": "/v1/organizations/connections/list",
	} {
		method := http.MethodGet
		if w.server.Connections = keep; name == "store" {
			method = http.MethodPost
			w.server.Connections = connectionservice.New(connectionservice.Deps{
				Connections: stuck{w.store.Connections(), hang}, Organizations: w.store.Organizations(), Opener: w.fake,
			})
		}
		for what, limit := range map[string]time.Duration{"a client that goes away": 0, "a request without end": 50 * time.Millisecond} {
			w.server.RequestTimeout = limit
			srv := httptest.NewServer(api.New(w.server))
			ctx, leave := context.WithCancel(t.Context())
			r, err := http.NewRequestWithContext(ctx, method, srv.URL+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+w.admin)
			status := make(chan int, 1)
			go func() {
				resp, err := srv.Client().Do(r)
				if err != nil {
					status <- 0
					return
				}
				_ = resp.Body.Close()
				status <- resp.StatusCode
			}()
			<-begun
			want := http.StatusServiceUnavailable
			if limit == 0 {
				leave()
				want = 0
			}
			if err := <-ended; err == nil {
				t.Errorf("%s, %s: it did not end", name, what)
			}
			if got := <-status; got != want {
				t.Errorf("%s, %s: answered %d, want %d", name, what, got, want)
			}
			leave()
			srv.Close()
		}
	}
}
