package surface

import (
	"net/http"

	"mooring/internal/errs"
)

// statuses is the one table from our own kinds of error to status codes.
// Invalid with fields is 422.
var statuses = map[errs.Kind]int{
	errs.Invalid:          http.StatusBadRequest,
	errs.Unauthenticated:  http.StatusUnauthorized, // only the check of API keys makes one of ours
	errs.PermissionDenied: http.StatusForbidden,
	errs.NotFound:         http.StatusNotFound,
	errs.AlreadyExists:    http.StatusConflict,
	errs.Conflict:         http.StatusConflict,
	errs.Stale:            http.StatusConflict,
	errs.CursorExpired:    http.StatusBadRequest,
	errs.Throttled:        http.StatusTooManyRequests,
	errs.Unavailable:      http.StatusServiceUnavailable,
	errs.Canceled:         http.StatusServiceUnavailable, // a shutdown: the client is still there
	errs.Corrupt:          http.StatusInternalServerError,
	errs.Internal:         http.StatusInternalServerError,
}

// Status is what an error becomes. A provider's refusal never looks like a refusal
// of ours: it is 400 where something was to be created or changed, else 502.
func Status(err error, creates bool) int {
	e := errs.From(err)
	switch {
	case e.Origin == errs.Provider && creates:
		return http.StatusBadRequest
	case e.Origin == errs.Provider:
		return http.StatusBadGateway
	case e.Kind == errs.Invalid && len(e.Fields) > 0:
		return http.StatusUnprocessableEntity
	}
	return statuses[errs.KindOf(err)]
}

// Fault reports whether a status tells of a fault of ours, which is for the log.
func Fault(status int) bool {
	return status >= http.StatusInternalServerError && status != http.StatusBadGateway
}
