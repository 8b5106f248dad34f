package api

import (
	"net/http"

	"mooring/internal/access"
)

// RouteInfo is what tests that go over all routes need of one.
type RouteInfo struct {
	Method, Path, ID string
	Need             access.Permission
}

// Routes lists the whole table.
func Routes() (out []RouteInfo) {
	for _, r := range routes() {
		out = append(out, RouteInfo{r.method, r.path, r.id, r.need})
	}
	return out
}

// NewWith is New with one more route, to test what surrounds all handlers.
func NewWith(deps Server, path string, f func()) http.Handler {
	more := op("POST", path, "test_route", "for a test", access.Read, func(*call, none, none) (none, error) { f(); return none{}, nil })
	return serve(deps, append(routes(), more))
}
