package mongo

import (
	"context"
	"errors"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"mooring/internal/errs"
)

// errLost is the end of a conditional write whose condition no longer holds.
// It never leaves the package.
var errLost = errors.New("mongo: somebody else wrote in between")

const duplicateKey = 11000

// classify turns what the driver says into our kinds. It is the only place that
// reads MongoDB's codes. The driver's texts may name hosts, never a password.
func classify(ctx context.Context, err error, op string) error {
	if err == nil {
		return nil
	}
	var ours *errs.Error
	if errors.As(err, &ours) {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return errs.Wrap(context.Canceled, errs.Canceled, op, "the request was given up")
	}
	kind, msg := meaning(err)
	return errs.Wrap(err, kind, op, msg)
}

func meaning(err error) (errs.Kind, string) {
	if driver.IsDuplicateKeyError(err) {
		return errs.AlreadyExists, "one like it exists already"
	}
	if errors.Is(err, driver.ErrClientDisconnected) {
		return errs.Unavailable, "the store is closed"
	}
	var e driver.ServerError
	if !errors.As(err, &e) {
		return errs.Unavailable, "the database does not answer"
	}
	for _, c := range []struct {
		kind  errs.Kind
		msg   string
		codes []int
	}{
		{errs.Unavailable, "the database refused the user of the store's URI", []int{13, 18, 8000}},
		{errs.Invalid, "the document is too large", []int{10334, 17280, 17419, 17420}},
		{errs.Unavailable, "the disk of the database is full: nothing was written", []int{14031}},
	} {
		for _, code := range c.codes {
			if e.HasErrorCode(code) {
				return c.kind, c.msg
			}
		}
	}
	if driver.IsNetworkError(err) || driver.IsTimeout(err) || changing(e) {
		return errs.Unavailable, "the database does not answer"
	}
	return errs.Internal, "the database refused the command"
}

// changing reports whether the server says that it does not take writes now, that
// somebody holds a lock, or that it does not know yet whether it took one.
func changing(e driver.ServerError) bool {
	if e.HasErrorLabel("RetryableWriteError") || e.HasErrorLabel("RetryableError") {
		return true
	}
	for _, code := range []int{6, 7, 24, 46, 64, 89, 91, 112, 134, 189, 202, 262, 317, 358, 9001, 10107, 11600, 11601, 11602, 13388, 13435, 13436} {
		if e.HasErrorCode(code) {
			return true
		}
	}
	return false
}

// refusals takes the duplicate keys out of the error of a bulk write, by
// position. Any other failure stays an error.
func refusals(ctx context.Context, op string, err error) ([]int, error) {
	var bulk driver.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
		return nil, classify(ctx, err, op)
	}
	var out []int
	for _, e := range bulk.WriteErrors {
		if e.Code != duplicateKey {
			return nil, classify(ctx, err, op)
		}
		out = append(out, e.Index)
	}
	return out, nil
}

// lost turns errLost into the Conflict that callers know.
func lost(err error, op, msg string) error {
	if err == errLost { //nolint:errorlint // it is never wrapped
		return errs.New(errs.Conflict, op, msg)
	}
	return err
}

// notFound is NotFound for documents that are no records.
func notFound(op, noun string) error { return errs.New(errs.NotFound, op, "no such "+noun) }
