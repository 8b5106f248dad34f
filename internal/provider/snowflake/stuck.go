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

// unstuck runs what reads a result's rows, and leaves it where it hangs: the driver
// (gosnowflake 1.19, chunk_downloader.go) tells of a chunk that failed without the
// lock that its reader waits with, so that who is about to wait may never hear of
// it, and nothing ends that wait. What is left keeps its connection; read's
// variables are its own from then on.
func unstuck[T any](ctx context.Context, r *result, read func() (T, error)) (T, error) {
	type outcome struct {
		v   T
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		v, err := read()
		done <- outcome{v, err}
	}()
	tick := time.NewTicker(stuckAfter)
	defer tick.Stop()
	given := ctx.Done()
	var over <-chan time.Time
	for seen := r.rows.Load(); ; {
		select {
		case o := <-done:
			return o.v, o.err
		case <-given:
			given, over = nil, time.After(lastGrace)
			continue
		case <-over:
		case <-tick.C:
			if now := r.rows.Load(); now != seen {
				seen = now
				continue
			}
		}
		r.left.Store(true)
		var none T
		if ctx.Err() != nil {
			return none, ended(r.op, ctx.Err())
		}
		return none, &errs.Error{Kind: errs.Unavailable, Origin: errs.Provider, Scope: errs.ScopePath, Op: r.op, Msg: "the rows of a result stopped to arrive"}
	}
}
