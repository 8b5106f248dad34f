package api

import (
	"net/http"
	"testing"

	"mooring/internal/errs"
)

// TestStatuses goes over all kinds, of both origins: a provider's refusal never
// becomes one of ours.
func TestStatuses(t *testing.T) {
	want := map[errs.Kind]int{
		errs.Invalid: 400, errs.Unauthenticated: 401, errs.PermissionDenied: 403, errs.NotFound: 404, errs.AlreadyExists: 409, errs.Conflict: 409,
		errs.Throttled: 429, errs.Unavailable: 503, errs.CursorExpired: 400, errs.Stale: 409, errs.Corrupt: 500, errs.Canceled: 503, errs.Internal: 500,
	}
	browse, create := &route{}, &route{creates: true}
	for k := errs.Internal; k <= errs.Canceled; k++ {
		if got := statusOf(browse, errs.New(k, "x", "y")); got != want[k] {
			t.Errorf("%v of ours is %d, want %d", k, got, want[k])
		}
		theirs := &errs.Error{Kind: k, Origin: errs.Provider}
		if got := statusOf(browse, theirs); got != 502 {
			t.Errorf("%v of a provider is %d", k, got)
		}
		if got := statusOf(create, theirs); got != 400 {
			t.Errorf("%v of a provider, creating, is %d", k, got)
		}
	}
	if got := statusOf(nil, &errs.Error{Kind: errs.Invalid, Fields: []errs.Field{{Msg: "x"}}}); got != 422 {
		t.Errorf("bad fields are %d", got)
	}
	for status := range typeNames {
		if http.StatusText(status) == "" {
			t.Errorf("%d is no status", status)
		}
	}
}
