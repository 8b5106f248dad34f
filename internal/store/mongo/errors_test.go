package mongo

import (
	"context"
	"errors"
	"net"
	"testing"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"mooring/internal/errs"
)

// What goes by itself, or once an operator has seen to it, is Unavailable and
// ours: syncs wait for that, and it counts against nothing.
func TestAnOutageIsUnavailable(t *testing.T) {
	code := func(c int32, labels ...string) error { return driver.CommandError{Code: c, Labels: labels} }
	for what, err := range map[string]error{
		"closed":            driver.ErrClientDisconnected,
		"no answer":         context.DeadlineExceeded,
		"refused":           &net.OpError{Op: "dial", Err: errors.New("connection refused")},
		"a broken network":  code(0, "NetworkError"),
		"a new primary":     code(10107),
		"shutting down":     code(91),
		"retryable":         code(1, "RetryableWriteError"),
		"time is over":      code(50),
		"a lock":            code(24),
		"held":              code(46),
		"within the set":    code(202),
		"interrupted":       code(11601),
		"a full disk":       code(14031),
		"the user is gone":  code(18),
		"write concern":     driver.WriteException{WriteConcernError: &driver.WriteConcernError{Code: 64}},
		"no primary to ask": driver.WriteException{WriteConcernError: &driver.WriteConcernError{Code: 189}},
	} {
		got := errs.From(classify(context.Background(), err, "store.test"))
		if got.Kind != errs.Unavailable || got.Origin != errs.Ours {
			t.Errorf("%s: %v, %+v", what, got.Kind, got)
		}
	}
}
