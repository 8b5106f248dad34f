package connection_test

import (
	"testing"

	"mooring/internal/connection"
	"mooring/internal/errs"
)

// TestErrorShapes says of the errors that adapters make of providers' answers
// whether a check that met one counts, and whether a sync's attempt does alone.
func TestErrorShapes(t *testing.T) {
	const conn, path, object = errs.ScopeConnection, errs.ScopePath, errs.ScopeObject
	for _, s := range []struct {
		provider, code string
		kind           errs.Kind
		scope          errs.Scope
		check, sync    bool
	}{
		{"s3", "InvalidAccessKeyId", errs.Unauthenticated, conn, true, true},
		{"s3", "SignatureDoesNotMatch", errs.Unauthenticated, conn, true, true},
		{"s3", "ExpiredToken", errs.Unauthenticated, conn, true, true},
		{"s3", "AccessDenied", errs.PermissionDenied, conn, true, false},
		{"s3", "AccessDenied", errs.PermissionDenied, path, false, false},
		{"s3", "NoSuchBucket", errs.NotFound, conn, true, false},
		{"s3", "NoSuchBucket", errs.NotFound, path, false, false},
		{"s3", "NoSuchKey", errs.NotFound, object, false, false},
		{"s3", "SlowDown", errs.Throttled, conn, false, false},
		{"s3", "InternalError", errs.Unavailable, conn, true, false},
		{"s3", "PermanentRedirect", errs.Invalid, conn, true, false},
		{"s3", "InvalidObjectState", errs.PermissionDenied, object, false, false},
		{"s3", "PreconditionFailed", errs.Stale, object, false, false},
		{"google_drive", "invalid_grant", errs.Unauthenticated, conn, true, true},
		{"google_drive", "invalid_client", errs.Unauthenticated, conn, true, true},
		{"google_drive", "accessNotConfigured", errs.PermissionDenied, conn, true, false},
		{"google_drive", "notFound", errs.NotFound, conn, true, false},
		{"google_drive", "notFound", errs.NotFound, object, false, false},
		{"google_drive", "userRateLimitExceeded", errs.Throttled, conn, false, false},
		{"google_drive", "dailyLimitExceeded", errs.Throttled, conn, false, false},
		{"google_drive", "backendError", errs.Unavailable, conn, true, false},
		{"google_drive", "cannotDownloadFile", errs.PermissionDenied, object, false, false},
		{"google_drive", "pageTokenInvalid", errs.CursorExpired, path, false, false},
		{"sharepoint", "AADSTS7000222", errs.Unauthenticated, conn, true, true},
		{"sharepoint", "AADSTS90002", errs.Unauthenticated, conn, true, true},
		{"sharepoint", "InvalidAuthenticationToken", errs.Unauthenticated, conn, true, true},
		{"sharepoint", "accessDenied", errs.PermissionDenied, conn, true, false},
		{"sharepoint", "itemNotFound", errs.NotFound, path, false, false},
		{"sharepoint", "activityLimitReached", errs.Throttled, conn, false, false},
		{"sharepoint", "resyncRequired", errs.CursorExpired, path, false, false},
		{"sharepoint", "serviceNotAvailable", errs.Unavailable, conn, true, false},
		{"snowflake", "390144", errs.Unauthenticated, conn, true, true},
		{"snowflake", "390100", errs.Unauthenticated, conn, true, true},
		{"snowflake", "390422", errs.PermissionDenied, conn, true, false},
		{"snowflake", "002003", errs.NotFound, path, false, false},
		{"snowflake", "390201", errs.NotFound, conn, true, false},
		{"snowflake", "260008", errs.NotFound, conn, true, false},
		{"any", "", errs.Canceled, conn, false, false},
		{"any", "", errs.Internal, conn, false, false},
		{"any", "", errs.Corrupt, object, false, false},
	} {
		cause := &errs.Error{Kind: s.kind, Origin: errs.Provider, Scope: s.scope, Code: s.code, Msg: "refused"}
		for source, want := range map[string]bool{connection.SourceCheck: s.check, connection.SourceTest: s.check, connection.SourceSync: s.sync} {
			c := connection.New(connection.Draft{ID: "conn_x", Org: "int_x", Name: "x", Config: sealed("v1")}, nil, user, epoch)
			a := connection.Attempt{ID: "a", Began: epoch, Generation: 1, Source: source}
			counted := connection.Failure(&c, a, connection.FaultOf(cause, nil), epoch)
			if counted != want || c.Failures != map[bool]int{true: 1}[want] || (c.Status == connection.Failed) != want {
				t.Errorf("%s %s (%s, %s), met by a %s: counted %t, want %t", s.provider, s.code, s.kind, s.scope, source, counted, want)
			}
		}
		cause.Origin = errs.Ours
		c := connection.New(connection.Draft{ID: "conn_x", Org: "int_x", Name: "x", Config: sealed("v1")}, nil, user, epoch)
		if connection.Failure(&c, connection.Attempt{ID: "a", Began: epoch, Generation: 1, Source: connection.SourceCheck}, connection.FaultOf(cause, nil), epoch) {
			t.Errorf("%s of ours counted", s.kind)
		}
	}
}
