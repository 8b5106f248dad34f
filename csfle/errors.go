package csfle

import (
	"context"

	"mooring/internal/errs"
)

// wrap adds what was being done to a failure and keeps its kind.
func wrap(err error, op, msg string) error { return errs.Wrap(err, errs.KindOf(err), op, msg) }

// ended returns an error when the context has ended.
func ended(ctx context.Context, op string) error {
	return wrap(ctx.Err(), op, "the call was given up")
}

func noKey(op, which string) error {
	return errs.New(errs.NotFound, op, "there is no data key "+which)
}
