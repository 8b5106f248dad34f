package sharepoint_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mooring/emulator/msgraph"
	"mooring/internal/errs"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/sharepoint"
)

// stub answers what the emulator never would. Tokens are given to everybody.
func stub(t *testing.T, answer http.HandlerFunc) (driver.Source, string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"AT"}`)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	g := start(t)
	src, err := sharepoint.Open(t.Context(), decode(t, map[string]any{"drive_id": "b!d"}), driver.Options{
		Transport: g.guard, Endpoints: map[string]string{"api": srv.URL + "/v1.0", "token": srv.URL}, Tokens: provider.NewTokens(time.Now), Now: time.Now,
	})
	must(t, err)
	return src, srv.URL
}

const root = `{"id":"root1","name":"root","root":{},"folder":{},"parentReference":{"driveId":"b!d"}}`

// Every row of the classes of Graph's errors, on a listing and on a file.
func TestErrors(t *testing.T) {
	const conn, path, object = errs.ScopeConnection, errs.ScopePath, errs.ScopeObject
	for _, c := range []struct {
		status       int
		code, inner  string
		listing      errs.Kind
		listingScope errs.Scope
		file         errs.Kind
		fileScope    errs.Scope
		shown        string
	}{
		{401, "InvalidAuthenticationToken", "", errs.Unauthenticated, conn, errs.Unauthenticated, conn, "InvalidAuthenticationToken"},
		{401, "unauthenticated", "", errs.Unauthenticated, conn, errs.Unauthenticated, conn, "unauthenticated"},
		{401, "generalException", "", errs.Unauthenticated, conn, errs.Unauthenticated, conn, "generalException"},
		{403, "accessDenied", "", errs.PermissionDenied, path, errs.PermissionDenied, object, "accessDenied"},
		{403, "AccessDenied", "", errs.PermissionDenied, path, errs.PermissionDenied, object, "accessDenied"},
		{403, "notAllowed", "", errs.PermissionDenied, path, errs.PermissionDenied, object, "notAllowed"},
		{403, "malwareDetected", "", errs.Conflict, object, errs.Conflict, object, "malwareDetected"},
		{403, "accessDenied", "malwareDetected", errs.Conflict, object, errs.Conflict, object, "malwareDetected"},
		{403, "somethingNew", "", errs.PermissionDenied, path, errs.PermissionDenied, object, "somethingNew"},
		{404, "itemNotFound", "", errs.NotFound, path, errs.NotFound, object, "itemNotFound"},
		{404, "", "", errs.NotFound, path, errs.NotFound, object, "404"},
		{409, "nameAlreadyExists", "", errs.Conflict, path, errs.Conflict, object, "nameAlreadyExists"},
		{410, "resyncRequired", "", errs.CursorExpired, path, errs.NotFound, object, "resyncRequired"},
		{410, "resyncChangesApplyDifferences", "resyncApplyDifferences", errs.CursorExpired, path, errs.NotFound, object, "resyncApplyDifferences"},
		{410, "", "", errs.CursorExpired, path, errs.NotFound, object, "410"},
		{400, "invalidRequest", "ResyncUploadDifferences", errs.CursorExpired, path, errs.Invalid, object, "resyncUploadDifferences"},
		{400, "resyncOfAnotherKind", "", errs.CursorExpired, path, errs.Invalid, object, "resyncOfAnotherKind"},
		{404, "syncStateNotFound", "", errs.CursorExpired, path, errs.NotFound, object, "syncStateNotFound"},
		{412, "resourceModified", "", errs.Stale, object, errs.Stale, object, "resourceModified"},
		{416, "invalidRange", "", errs.Stale, object, errs.Stale, object, "invalidRange"},
		{423, "resourceLocked", "", errs.Unavailable, object, errs.Unavailable, object, "resourceLocked"},
		{423, "", "", errs.Unavailable, object, errs.Unavailable, object, "423"},
		{429, "activityLimitReached", "throttledRequest", errs.Throttled, conn, errs.Throttled, conn, "activityLimitReached"},
		{429, "", "", errs.Throttled, conn, errs.Throttled, conn, "429"},
		{503, "activityLimitReached", "", errs.Throttled, conn, errs.Throttled, conn, "activityLimitReached"},
		{503, "serviceNotAvailable", "", errs.Unavailable, conn, errs.Unavailable, conn, "serviceNotAvailable"},
		{500, "generalException", "", errs.Unavailable, conn, errs.Unavailable, object, "generalException"},
		{502, "", "", errs.Unavailable, conn, errs.Unavailable, conn, "502"},
		{504, "", "", errs.Unavailable, conn, errs.Unavailable, conn, "504"},
		{509, "", "", errs.Throttled, conn, errs.Throttled, conn, "509"},
		{507, "quotaLimitReached", "", errs.Conflict, path, errs.Conflict, path, "quotaLimitReached"},
		{501, "notSupported", "", errs.Invalid, path, errs.Invalid, object, "notSupported"},
		{400, "invalidRequest", "", errs.Invalid, path, errs.Invalid, object, "invalidRequest"},
	} {
		t.Run(fmt.Sprint(c.status, c.code, c.inner), func(t *testing.T) {
			src, _ := stub(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/root") {
					fmt.Fprint(w, root)
					return
				}
				w.Header().Set("request-id", "req-1")
				w.WriteHeader(c.status)
				if c.code != "" {
					fmt.Fprintf(w, `{"error":{"code":%q,"message":%q,"innererror":{"date":"x","innerError":{"code":%q}}}}`, c.code, bodyText, c.inner)
				}
			})
			_, listing := src.Changes(t.Context(), driver.Scope{}, nil)
			_, file := src.Open(t.Context(), driver.Item{ID: "b!d/i"}, 0)
			for _, e := range []errs.Error{kind(t, listing, c.listing, c.listingScope), kind(t, file, c.file, c.fileScope)} {
				if e.Code != c.shown || e.RequestID != "req-1" || strings.Contains(e.Error(), bodyText) || e.Msg == "" {
					t.Errorf("%s: code %q, request %q", e.Message(), e.Code, e.RequestID)
				}
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"41": 41 * time.Second, "0": 0, "-3": 0, "soon": 0, "99999999": 24 * time.Hour,
		time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
	} {
		for _, status := range []int{429, 503} {
			src, _ := stub(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(status)
			})
			_, err := src.Changes(t.Context(), driver.Scope{}, nil)
			wantKind := errs.Throttled
			if status == 503 && want == 0 {
				wantKind = errs.Unavailable
			}
			e := kind(t, err, wantKind, errs.ScopeConnection)
			if d := e.RetryAfter - want; d > time.Second || d < -2*time.Second {
				t.Errorf("%d with %q waits %v, want %v", status, header, e.RetryAfter, want)
			}
		}
	}
}

// Every row of the classes of the directory's errors.
func TestTokenErrors(t *testing.T) {
	for _, c := range []struct {
		aadsts int
		kind   errs.Kind
		shown  string
	}{
		{7000215, errs.Unauthenticated, "AADSTS7000215"}, {7000222, errs.Unauthenticated, "AADSTS7000222"}, {7000218, errs.Unauthenticated, "AADSTS7000218"},
		{700025, errs.Unauthenticated, "AADSTS700025"}, {700016, errs.Unauthenticated, "AADSTS700016"}, {90002, errs.Unauthenticated, "AADSTS90002"},
		{900023, errs.Unauthenticated, "AADSTS900023"}, {9002313, errs.Unauthenticated, "AADSTS9002313"}, {700082, errs.Unauthenticated, "AADSTS700082"},
		{70008, errs.Unauthenticated, "AADSTS70008"}, {700084, errs.Unauthenticated, "AADSTS700084"}, {50173, errs.Unauthenticated, "AADSTS50173"},
		{65001, errs.Unauthenticated, "AADSTS65001"}, {50076, errs.Unauthenticated, "AADSTS50076"}, {50079, errs.Unauthenticated, "AADSTS50079"},
		{53003, errs.Unauthenticated, "AADSTS53003"}, {70011, errs.Invalid, "AADSTS70011"}, {90033, errs.Unavailable, "AADSTS90033"},
		{123456, errs.Unauthenticated, "invalid_grant"}, {0, errs.Unavailable, "server_error"},
	} {
		t.Run(c.shown, func(t *testing.T) {
			g := start(t)
			g.Inject(msgraph.Fault{Match: msgraph.On(msgraph.Token), Action: msgraph.TokenError(c.aadsts)})
			_, err := g.opened().Check(t.Context(), "")
			e := kind(t, err, c.kind, errs.ScopeConnection)
			if e.Code != c.shown || e.RequestID == "" || e.Op != "sharepoint.token" || strings.Contains(e.Error(), "AADSTS700") && e.Code == "" {
				t.Errorf("%s: code %q, request %q", e.Message(), e.Code, e.RequestID)
			}
		})
	}
}

func TestTokenErrorsWithoutNumber(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   errs.Kind
	}{
		{401, `{"error":"invalid_client"}`, errs.Unauthenticated}, {400, `{"error":"unauthorized_client"}`, errs.Unauthenticated},
		{400, `{"error":"invalid_request"}`, errs.Invalid}, {400, `{"error":"invalid_grant"}`, errs.Unauthenticated},
		{400, `{"error":"interaction_required","suberror":"basic_action","claims":"{}"}`, errs.Unauthenticated},
		{400, `{"error":"invalid_scope"}`, errs.Invalid}, {503, `{"error":"temporarily_unavailable"}`, errs.Unavailable},
		{500, `{"error":"server_error"}`, errs.Unavailable}, {429, `slow down`, errs.Throttled}, {502, `<html>`, errs.Unavailable},
		{401, ``, errs.Unauthenticated}, {404, `<html>`, errs.Invalid}, {200, `<html>`, errs.Corrupt}, {200, `{"access_token":""}`, errs.Corrupt},
	} {
		t.Run(fmt.Sprint(c.status, c.body), func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(c.status)
				echo := fmt.Sprintf("%q", r.Form.Encode())
				if rest, json := strings.CutPrefix(c.body, "{"); json {
					fmt.Fprint(w, `{"error_description":`, echo, ",", rest)
				} else {
					fmt.Fprint(w, c.body, echo)
				}
			}))
			defer srv.Close()
			g := start(t)
			o := g.options()
			o.Endpoints["token"] = srv.URL
			src, err := sharepoint.Open(t.Context(), decode(t, map[string]any{"drive_id": "b!d"}), o)
			must(t, err)
			_, err = src.Check(t.Context(), "")
			e := kind(t, err, c.kind, errs.ScopeConnection)
			if strings.Contains(fmt.Sprintf("%v %+v %s", err, e, e.Message()), secretly) {
				t.Errorf("the secret is in %v", err)
			}
			if errs.Retryable(err) != (e.RetryAfter == 7*time.Second) {
				t.Errorf("%v waits %v", err, e.RetryAfter)
			}
		})
	}
}
