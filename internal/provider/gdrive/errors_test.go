package gdrive_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/gdrive"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

// class is what a failure has to become.
type class struct {
	kind  errs.Kind
	scope errs.Scope
}

const (
	ofConnection = errs.ScopeConnection
	ofPath       = errs.ScopePath
	ofObject     = errs.ScopeObject
)

// TestReasons has every row of what the API answers. The scope is that of a file
// that is read; a listing's is the path where a file's would be the object.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		status int
		reason string
		want   class
	}{
		{400, "badRequest", class{errs.Invalid, ofObject}},
		{400, "invalid", class{errs.Invalid, ofObject}},
		{400, "invalidParameter", class{errs.Invalid, ofObject}},
		{400, "required", class{errs.Invalid, ofObject}},
		{401, "authError", class{errs.Unauthenticated, ofConnection}},
		{401, "required", class{errs.Unauthenticated, ofConnection}},
		{403, "userRateLimitExceeded", class{errs.Throttled, ofConnection}},
		{403, "rateLimitExceeded", class{errs.Throttled, ofConnection}},
		{403, "dailyLimitExceeded", class{errs.Throttled, ofConnection}},
		{403, "dailyLimitExceededUnreg", class{errs.Throttled, ofConnection}},
		{403, "sharingRateLimitExceeded", class{errs.Throttled, ofConnection}},
		{403, "downloadQuotaExceeded", class{errs.Unavailable, ofObject}},
		{403, "insufficientPermissions", class{errs.PermissionDenied, ofConnection}},
		{403, "insufficientFilePermissions", class{errs.PermissionDenied, ofObject}},
		{403, "appNotAuthorizedToFile", class{errs.PermissionDenied, ofObject}},
		{403, "domainPolicy", class{errs.PermissionDenied, ofConnection}},
		{403, "forbidden", class{errs.PermissionDenied, ofObject}},
		{403, "accessNotConfigured", class{errs.PermissionDenied, ofConnection}},
		{403, "SERVICE_DISABLED", class{errs.PermissionDenied, ofConnection}},
		{403, "aReasonOfNextYear", class{errs.PermissionDenied, ofObject}},
		{403, "cannotDownloadAbusiveFile", class{errs.PermissionDenied, ofObject}},
		{403, "cannotDownloadFile", class{errs.PermissionDenied, ofObject}},
		{403, "fileNotDownloadable", class{errs.Conflict, ofObject}},
		{403, "exportSizeLimitExceeded", class{errs.Invalid, ofObject}},
		{404, "notFound", class{errs.NotFound, ofObject}},
		{410, "deleted", class{errs.Stale, ofObject}},
		{412, "conditionNotMet", class{errs.Stale, ofObject}},
		{416, "requestedRangeNotSatisfiable", class{errs.Stale, ofObject}},
		{429, "rateLimitExceeded", class{errs.Throttled, ofConnection}},
		{429, "aReasonOfNextYear", class{errs.Throttled, ofConnection}},
		{500, "internalError", class{errs.Unavailable, ofConnection}},
		{502, "badGateway", class{errs.Unavailable, ofConnection}},
		{503, "backendError", class{errs.Unavailable, ofConnection}},
		{504, "deadlineExceeded", class{errs.Unavailable, ofConnection}},
		{500, "rateLimitExceeded", class{errs.Unavailable, ofConnection}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s, team, src := robot(t)
			file := s.File(team, "file", []byte("x"))
			list, _ := pages(t, src, team, nil)
			reply := emulator.Reply(emulator.Error{Status: c.status, Reason: c.reason, Message: bodyText})
			code := c.reason
			s.Inject(emulator.Fault{Match: emulator.Match{Operations: []emulator.Operation{emulator.FilesGet}, File: file}, Action: reply})
			_, err := src.Stat(t.Context(), driver.Scope{Path: team}, file)
			fails(t, "Stat", err, c.want.kind, c.want.scope, code)
			_, err = readAll(src, byID(list)[file].Item, 0)
			fails(t, "Open", err, c.want.kind, c.want.scope, code)
			if strings.Contains(err.Error(), bodyText) {
				t.Errorf("the error repeats Google's text: %v", err)
			}
			s.ClearFaults()
			s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesList), Action: reply})
			_, err = src.Changes(t.Context(), driver.Scope{Path: team}, nil)
			if of := errs.From(err); of.Kind != c.want.kind || of.Scope == ofObject && c.want.scope != ofObject || of.Scope != c.want.scope && c.want.scope == ofConnection {
				t.Errorf("Changes: %v of %q: %v", of.Kind, of.Scope, err)
			}
		})
	}
}

// A server that fails for one file's content must not look like one that fails for
// all: its metadata came a moment before.
func TestAFailureOfOneContentIsTheFiles(t *testing.T) {
	s, team, src := robot(t)
	file := s.File(team, "file", []byte("x"))
	list, _ := pages(t, src, team, nil)
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesDownload), Action: emulator.InternalError()})
	_, err := readAll(src, byID(list)[file].Item, 0)
	fails(t, "Open", err, errs.Unavailable, ofObject, "internalError")
	s.ClearFaults()
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesDownload), Action: emulator.RateLimited()})
	_, err = readAll(src, byID(list)[file].Item, 0)
	fails(t, "Open", err, errs.Throttled, ofConnection, "userRateLimitExceeded")
}

func TestRetryAfter(t *testing.T) {
	s, team, src := robot(t)
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesGet), Times: 1, Action: emulator.TooManyRequests(90 * time.Second)})
	_, err := src.Check(t.Context(), team)
	if e := errs.From(err); e.Kind != errs.Throttled || e.RetryAfter != 90*time.Second {
		t.Errorf("RetryAfter is %v: %v", e.RetryAfter, err)
	}
	s.Inject(emulator.Fault{Match: emulator.On(emulator.FilesGet), Times: 1, Action: emulator.ReplyReason("dailyLimitExceeded")})
	_, err = src.Check(t.Context(), team)
	if e := errs.From(err); e.Kind != errs.Throttled || e.RetryAfter < 10*time.Minute {
		t.Errorf("after the daily limit, RetryAfter is %v: %v", e.RetryAfter, err)
	}
}

// TestTokenErrors has every row of what the token endpoint answers.
func TestTokenErrors(t *testing.T) {
	for _, c := range []struct {
		status      int
		code, about string
		want        class
	}{
		{400, "invalid_grant", "Invalid JWT Signature.", class{errs.Unauthenticated, ofConnection}},
		{400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)", class{errs.Unauthenticated, ofConnection}},
		{400, "invalid_grant", "Invalid grant: account not found", class{errs.Unauthenticated, ofConnection}},
		{400, "invalid_grant", "Invalid email or User ID", class{errs.Unauthenticated, ofConnection}},
		{400, "invalid_grant", "Token has been expired or revoked.", class{errs.Unauthenticated, ofConnection}},
		{401, "unauthorized_client", "", class{errs.Unauthenticated, ofConnection}},
		{400, "unauthorized_client", "", class{errs.Unauthenticated, ofConnection}},
		{401, "invalid_client", "", class{errs.Unauthenticated, ofConnection}},
		{400, "invalid_scope", "", class{errs.Unauthenticated, ofConnection}},
		{401, "disabled_client", "", class{errs.Unauthenticated, ofConnection}},
		{401, "deleted_client", "", class{errs.Unauthenticated, ofConnection}},
		{400, "admin_policy_enforced", "", class{errs.Unauthenticated, ofConnection}},
		{403, "access_denied", "", class{errs.Unauthenticated, ofConnection}},
		{400, "a_code_of_next_year", "", class{errs.Unauthenticated, ofConnection}},
		{400, "invalid_request", "", class{errs.Invalid, ofConnection}},
		{429, "rate_limit_exceeded", "", class{errs.Throttled, ofConnection}},
		{503, "temporarily_unavailable", "", class{errs.Unavailable, ofConnection}},
		{400, "temporarily_unavailable", "", class{errs.Unavailable, ofConnection}},
		{500, "internal_failure", "", class{errs.Unavailable, ofConnection}},
		{502, "bad_gateway", "", class{errs.Unavailable, ofConnection}},
	} {
		for name, raw := range map[string]func(*emulator.Server) map[string]any{
			"service account": func(s *emulator.Server) map[string]any { return serviceAccount(t, s) },
			"oauth":           func(s *emulator.Server) map[string]any { return oauth(s, "user@emulator.example") },
		} {
			s := emulator.Start(t)
			src := open(t, s, raw(s))
			s.Inject(emulator.Fault{Match: emulator.On(emulator.Token), Action: emulator.Reply(emulator.Error{Status: c.status, Reason: c.code, Message: c.about})})
			_, err := src.Check(t.Context(), "")
			fails(t, name+": "+c.code+" "+c.about, err, c.want.kind, c.want.scope, c.code)
			if c.about != "" && strings.Contains(err.Error(), c.about) {
				t.Errorf("the error repeats Google's text: %v", err)
			}
		}
	}
}

// A server whose clock is wrong must not suspend connections.
func TestOurWrongClockIsOurFault(t *testing.T) {
	s, _, src := robot(t)
	date := func(at time.Time) http.Header { return http.Header{"Date": {at.UTC().Format(http.TimeFormat)}} }
	s.Inject(emulator.Fault{Match: emulator.On(emulator.Token), Times: 1, Action: emulator.Reply(emulator.Error{Reason: "invalid_grant", Header: date(time.Now().Add(time.Hour))})})
	_, err := src.Check(t.Context(), "")
	fails(t, "an hour off", err, errs.Internal, ofConnection, "invalid_grant")
	s.Inject(emulator.Fault{Match: emulator.On(emulator.Token), Times: 1, Action: emulator.Reply(emulator.Error{Reason: "invalid_grant", Header: date(time.Now())})})
	_, err = src.Check(t.Context(), "")
	fails(t, "on time", err, errs.Unauthenticated, ofConnection, "invalid_grant")
}
