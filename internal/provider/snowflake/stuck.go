package snowflake

import (
	"context"
	"time"

	"mooring/internal/errs"
)

// How long reading may take when nobody wants the rows any more, and how long
// without a row: longer than the driver tries to fetch a chunk of them.
var (
	lastGrace  = 5 * time.Second
	stuckAfter = 15 * time.Minute
)

// during runs what reads a result's rows. With ctx the result ends too, and what
// was read is given up. Where reading hangs it is left: the driver (gosnowflake
// 1.19, chunk_downloader.go) tells of a chunk that failed without the lock that its
// reader waits with, so that who is about to wait may never hear of it, and nothing
// ends that wait. What is left keeps its connection; read's variables are its own
// from then on.
func during[T any](ctx context.Context, r *result, read func() (T, error)) (v T, err error) {
	stop := context.AfterFunc(ctx, r.notes.halt)
	done := make(chan struct{})
	var rows T // what read gives, which is its own until it is done
	var end error
	go func() {
		defer close(done)
		rows, end = read()
	}()
	if arrives(ctx, r, done) {
		v, err = rows, end
	} else {
		r.left.Store(true)
		err = &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopePath, Op: r.op, Msg: "the rows of a result stopped to arrive"}
	}
	if !stop() {
		var none T
		return none, ended(r.op, ctx.Err())
	}
	return v, err
}

// arrives waits until reading is done, and reports whether it ever will be.
func arrives(ctx context.Context, r *result, done <-chan struct{}) bool {
	tick := time.NewTicker(stuckAfter)
	defer tick.Stop()
	given := ctx.Done()
	var over <-chan time.Time
	for seen := r.rows.Load(); ; {
		select {
		case <-done:
			return true
		case <-given:
			given, over = nil, time.After(lastGrace)
		case <-over:
			return false
		case <-tick.C:
			now := r.rows.Load()
			if now == seen {
				return false
			}
			seen = now
		}
	}
}
