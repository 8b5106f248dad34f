package provider

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"

	"mooring/internal/errs"
)

// call makes a call within the budget and again while it may succeed later.
func call[T any](ctx context.Context, s *Source, method string, tries int, f func() (T, error)) (T, error) {
	op := s.name + "." + method
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.Multiplier, b.MaxInterval, b.RandomizationFactor = 250*time.Millisecond, 2, 20*time.Second, 0
	for try := 1; ; try++ {
		out, err := once(ctx, s, method, f)
		if err == nil {
			return out, nil
		}
		err = s.scrub.error(err, op)
		if try >= tries || ctx.Err() != nil || !errs.Retryable(err) {
			return out, err
		}
		e := errs.From(err)
		wait := s.wait(b.NextBackOff(), e.RetryAfter)
		if wait > s.deps.MaxWait || tooLate(ctx, s.deps.Options.Now().Add(wait)) {
			return out, err
		}
		s.deps.Metrics.Retry(s.name, method, e.Kind, wait)
		if s.deps.Sleep(ctx, wait) != nil {
			return out, ended(ctx, op)
		}
	}
}

// once makes a call within the budget.
func once[T any](ctx context.Context, s *Source, method string, f func() (T, error)) (T, error) {
	var none T
	begun := s.deps.Options.Now()
	slot, err := s.budget.acquire(ctx, s, s.name+"."+method)
	if err != nil {
		return none, err
	}
	start := s.deps.Options.Now()
	if queued := start.Sub(begun); queued > 0 {
		s.deps.Metrics.Queued(s.name, method, queued)
	}
	var out T
	_, span := otel.Tracer("mooring").Start(ctx, s.name+"."+method) // goes nowhere unless the operator wants traces
	defer span.End()
	returned := false
	defer func() {
		if !returned { // a panic must not keep the slot
			slot.release(nil, s.deps.Options.Now())
		}
	}()
	out, err = f()
	returned = true
	now := s.deps.Options.Now()
	slot.release(err, now)
	kind := "ok"
	if err != nil {
		kind = errs.KindOf(err).String()
		span.SetStatus(codes.Error, kind)
	}
	s.deps.Metrics.Call(s.name, method, kind, now.Sub(start))
	return out, err
}

// wait is the time before the next try: half to all of the backoff at random,
// but not before the provider's Retry-After, and then not all at once.
func (s *Source) wait(interval, after time.Duration) time.Duration {
	d := interval/2 + time.Duration(s.deps.Jitter()*float64(interval)/2)
	if after > 0 {
		d = max(d, after+time.Duration(s.deps.Jitter()*float64(min(after/4, 5*time.Second))))
	}
	return d
}

// tooLate says whether the context will have ended by then: the error at hand
// then says more than the context's.
func tooLate(ctx context.Context, then time.Time) bool {
	end, ok := ctx.Deadline()
	return ok && !then.Before(end)
}

// ended is the error of a context that has ended.
func ended(ctx context.Context, op string) error {
	return &errs.Error{Kind: errs.KindOf(ctx.Err()), Op: op, Msg: "the operation was given up", Err: ctx.Err()}
}

// sleep waits on the real clock.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func random() float64 { return rand.Float64() } //nolint:gosec // spreads waits; nothing secret
