package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"mooring/internal/access"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/sink"
	"mooring/internal/store"
	"mooring/internal/syncing"
	syncingservice "mooring/internal/syncing/service"
	"mooring/internal/web"
)

// stuck is a store whose lists of connections take until they are given up.
type stuck struct {
	store.Connections
	begun chan struct{}
	ended chan error
}

func (s stuck) List(ctx context.Context, _ id.Org, _ connection.Filter, _ store.Page) (store.List[connection.Connection], error) {
	s.begun <- struct{}{}
	<-ctx.Done()
	s.ended <- ctx.Err()
	return store.List[connection.Connection]{}, errs.Wrap(ctx.Err(), errs.KindOf(ctx.Err()), "store.list", "given up")
}

// TestADeadlineReachesWhatAPageAsksFor: when a browser goes away, and when a
// page has taken its time.
func TestADeadlineReachesWhatAPageAsksFor(t *testing.T) {
	for what, limit := range map[string]time.Duration{"a browser that goes away": 0, "a page without end": 50 * time.Millisecond} {
		w := newWorld(t)
		list := stuck{w.store.Connections(), make(chan struct{}), make(chan error)}
		w.server.RequestTimeout = limit
		w.server.Connections = connectionservice.New(connectionservice.Deps{Connections: list, Organizations: w.store.Organizations(), Opener: fakeProvider{}})
		b := w.signedIn(w.key("a reader", access.Read))
		w.handler = web.New(w.server)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/connections", http.NoBody)
		for _, c := range b.cookies {
			r.AddCookie(c)
		}
		status := make(chan int, 1)
		go func() {
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			status <- rec.Code
		}()
		<-list.begun
		if limit == 0 {
			leave()
		}
		if err := <-list.ended; err == nil {
			t.Errorf("%s: it did not end", what)
		}
		if got := <-status; got != http.StatusServiceUnavailable {
			t.Errorf("%s: answered %d", what, got)
		}
	}
}

// lasting has a bucket whose content is read, if what reads it has no deadline.
type lasting struct{ sink.Destination }

// Bucket implements sink.Destination.
func (d lasting) Bucket(ctx context.Context, b bucket.Bucket) (sink.Sink, error) {
	if end, has := ctx.Deadline(); has {
		return nil, errs.New(errs.Unavailable, "test", "it would end at "+end.String())
	}
	return d.Destination.Bucket(ctx, b)
}

// TestWhatIsAsLongAsItIsHasNoDeadline: a download, and the progress of a run.
func TestWhatIsAsLongAsItIsHasNoDeadline(t *testing.T) {
	w := newWorld(t)
	w.server.RequestTimeout = time.Minute
	w.server.Buckets.Destinations["default"] = lasting{w.server.Buckets.Destinations["default"]}
	reads := readers{w.store, make(chan bool, 1000)}
	w.server.Syncs = &syncingservice.Service{Store: reads, Now: w.now}
	w.handler = web.New(w.server)
	b := w.signedIn(w.admin)
	s := w.sync(w.bucket("a bucket"), b.connect("a connection"))
	if got := b.send("/buckets/"+string(s.Bucket)+"/objects/"+string(w.object(s))+"/content", nil); got.status == http.StatusServiceUnavailable {
		t.Errorf("a download ends: %s", got.body)
	}
	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/buckets/"+string(s.Bucket)+"/syncs/"+string(s.ID)+"/events", http.NoBody)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	over := make(chan struct{})
	go func() { defer close(over); w.handler.ServeHTTP(httptest.NewRecorder(), r) }()
	defer func() { leave(); <-over }()
	for range 3 { // the first read is that of the request
		select {
		case limited := <-reads.limited:
			if !limited {
				return
			}
		case <-over:
			t.Fatal("no progress is told")
		}
	}
	t.Error("what is read for the progress of a run has a deadline")
}

// readers tells of each read of a sync whether it has a deadline.
type readers struct {
	store.Store
	limited chan bool
}

func (r readers) Syncs() store.Syncs { return syncReaders{r.Store.Syncs(), r.limited} }

type syncReaders struct {
	store.Syncs
	limited chan bool
}

// Get implements store.Syncs.
func (r syncReaders) Get(ctx context.Context, org id.Org, s id.Sync) (syncing.Sync, error) {
	_, has := ctx.Deadline()
	r.limited <- has
	return r.Syncs.Get(ctx, org, s)
}
