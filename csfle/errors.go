package csfle

import (
	"context"

	"mooring/internal/errs"
)

// wrap adds what was being done to a failure and keeps its kind.
func wrap(err error, op, msg string) error { return errs.Wrap(err, errs.KindOf(err), op, msg) }

// internal adds what was being done to a failure whose kind would say something
// that it does not mean here.
func internal(err error, op, msg string) error {
	return &errs.Error{Kind: errs.Internal, Op: op, Msg: msg, Err: err}
}

// ended returns an error when the context has ended.
func ended(ctx context.Context, op string) error {
	return wrap(ctx.Err(), op, "the call was given up")
}

func noKey(op, which string) error {
	return errs.New(errs.NotFound, op, "there is no data key "+which)
}
