package s3_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/s3"
	"mooring/internal/errs"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
)

func TestEveryCodeHasItsKind(t *testing.T) {
	const conn, path, object = errs.ScopeConnection, errs.ScopePath, errs.ScopeObject
	type want struct {
		kind errs.Kind
		list errs.Scope // of a listing's error
		get  errs.Scope // of a read's
	}
	refused := want{errs.Unauthenticated, conn, conn}
	throttled := want{errs.Throttled, conn, conn}
	for code, w := range map[string]want{
		"InvalidAccessKeyId": refused, "SignatureDoesNotMatch": refused, "InvalidSecurity": refused, "AccountProblem": refused,
		"NotSignedUp": refused, "ExpiredToken": refused, "InvalidToken": refused, "TokenRefreshRequired": refused,
		"RequestTimeTooSkewed": {errs.Internal, conn, conn},
		"AccessDenied":         {errs.PermissionDenied, path, object}, "AllAccessDisabled": {errs.PermissionDenied, path, object},
		"NoSuchBucket": {errs.NotFound, path, path}, "NoSuchKey": {errs.NotFound, object, object}, "NoSuchVersion": {errs.NotFound, object, object},
		"InvalidBucketName": {errs.Invalid, path, path}, "InvalidArgument": {errs.Invalid, path, object},
		"PermanentRedirect": {errs.Invalid, path, path}, "IllegalLocationConstraintException": {errs.Invalid, path, path},
		"AuthorizationHeaderMalformed": {errs.Invalid, conn, conn}, "TemporaryRedirect": {errs.Unavailable, path, path},
		"PreconditionFailed": {errs.Stale, object, object}, "InvalidRange": {errs.Stale, object, object},
		"InvalidObjectState": {errs.Conflict, object, object},
		"SlowDown":           throttled, "ServiceUnavailable": throttled, "TooManyRequests": throttled,
		"InternalError": {errs.Unavailable, conn, conn}, "RequestTimeout": {errs.Unavailable, conn, conn},
		"NotImplemented": {errs.Invalid, path, object}, "MethodNotAllowed": {errs.Invalid, path, object},
	} {
		srv := start(t, emulator.Options{})
		put(t, srv, "k", "x")
		src := opened(t, srv)
		it := one(t, src, "data")
		srv.Inject(emulator.Fault{Action: emulator.Reply(emulator.Error{Code: code, Message: bodyText})})
		for call, err := range map[string]error{"list": second(src.Changes(t.Context(), driver.Scope{Path: "data"}, nil)), "get": second(src.Open(t.Context(), it, 0))} {
			scope := w.list
			if call == "get" {
				scope = w.get
			}
			e := kind(t, err, w.kind, scope)
			if e.Code != code || e.RequestID == "" || e.Msg == "" || strings.Contains(err.Error(), bodyText) {
				t.Errorf("%s of %s: %+v", call, code, e)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestUnknownCodesAreClassifiedByStatus(t *testing.T) {
	for status, k := range map[int]errs.Kind{
		400: errs.Invalid, 401: errs.Unauthenticated, 403: errs.PermissionDenied, 404: errs.NotFound, 409: errs.Conflict, 412: errs.Stale, 416: errs.Stale,
		418: errs.Invalid, 429: errs.Throttled, 500: errs.Unavailable, 502: errs.Unavailable, 503: errs.Unavailable, 599: errs.Unavailable,
	} {
		srv := start(t, emulator.Options{})
		srv.Inject(emulator.Fault{Action: emulator.Reply(emulator.Error{Status: status, Code: "Unheard", Message: bodyText})})
		_, err := opened(t, srv).Changes(t.Context(), driver.Scope{Path: "data"}, nil)
		if errs.KindOf(err) != k || errs.From(err).Code != "Unheard" {
			t.Errorf("%d: %v is %v, want %v", status, err, errs.KindOf(err), k)
		}
	}
}

func TestThrottlingTellsWhenAndIsAskedOnce(t *testing.T) {
	srv := start(t, emulator.Options{})
	srv.Inject(emulator.Fault{Action: emulator.SlowDown(7 * time.Second)})
	_, err := opened(t, srv).Changes(t.Context(), driver.Scope{Path: "data"}, nil)
	if e := kind(t, err, errs.Throttled, errs.ScopeConnection); e.RetryAfter != 7*time.Second {
		t.Errorf("RetryAfter %v", e.RetryAfter)
	}
	if n := srv.Count(); n != 1 {
		t.Errorf("%d requests: retry is not the adapter's", n)
	}
}

func TestARefusedHeadSaysWhy(t *testing.T) {
	srv := start(t, emulator.Options{})
	put(t, srv, "k", "x")
	src := opened(t, srv)
	it := one(t, src, "data")
	srv.Inject(emulator.Fault{Match: emulator.On(emulator.HeadObject), Times: 2, Action: emulator.ReplyCode("AccessDenied")})
	_, err := src.Stat(t.Context(), driver.Scope{Path: "data"}, it.ID)
	kind(t, err, errs.PermissionDenied, errs.ScopeObject) // the rest works
	srv.Inject(emulator.Fault{Action: emulator.ReplyCode("ExpiredToken")})
	_, err = src.Stat(t.Context(), driver.Scope{Path: "data"}, it.ID)
	if e := kind(t, err, errs.Unauthenticated, errs.ScopeConnection); e.Code != "ExpiredToken" {
		t.Errorf("%+v", e)
	}
}

func TestOurClock(t *testing.T) {
	srv := start(t, emulator.Options{})
	put(t, srv, "k", "x")
	src := opened(t, srv)
	f := srv.Inject(emulator.Fault{Times: 1, Action: emulator.RequestTimeTooSkewed(time.Hour)})
	if _, err := src.Changes(t.Context(), driver.Scope{Path: "data"}, nil); err != nil || f.Hits() != 1 {
		t.Errorf("once: %v", err)
	}
	srv.Inject(emulator.Fault{Action: emulator.RequestTimeTooSkewed(time.Hour)})
	_, err := src.Changes(t.Context(), driver.Scope{Path: "data"}, nil)
	if e := kind(t, err, errs.Internal, errs.ScopeConnection); !strings.Contains(e.Msg, "clock") {
		t.Errorf("%+v", e)
	}
}

func TestEchoedCredentialsNeverShow(t *testing.T) {
	srv := start(t, emulator.Options{})
	put(t, srv, "k", "x")
	c := access("s3")
	src := open(t, c, options(t, srv))
	it := one(t, src, "data")
	srv.Inject(emulator.Fault{Action: emulator.EchoCredentials()})
	whole := provider.New("s3", src, c, provider.Deps{Tries: 1})
	for _, s := range []driver.Source{src, whole} {
		_, open := s.Open(t.Context(), it, 0)
		_, list := s.Changes(t.Context(), driver.Scope{Path: "data"}, nil)
		_, check := s.Check(t.Context(), "data")
		for _, err := range []error{open, list, check} {
			kind(t, err, errs.Unauthenticated, errs.ScopeConnection)
			if text := fmt.Sprintf("%v %s", err, errs.From(err).Message()); strings.Contains(text, emulator.DefaultSecretAccessKey) || strings.Contains(text, "AWS4-HMAC") {
				t.Errorf("%s", text)
			}
		}
	}
	// Through the portable source not even the cause prints it.
	_, err := whole.Changes(t.Context(), driver.Scope{Path: "data"}, nil)
	if cause := errs.From(err).Unwrap(); cause == nil || strings.Contains(cause.Error(), emulator.DefaultSecretAccessKey) {
		t.Errorf("%v", cause)
	}
}

func TestAnswersThatAreNotS3(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   errs.Kind
	}{
		"page":    {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html><body>"+bodyText+"</body></html>") }, errs.Corrupt},
		"text":    {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, bodyText) }, errs.Corrupt},
		"missing": {http.NotFound, errs.NotFound},
		"bad xml": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<ListBucketResult><Contents><Key>\x01</Key>")
		}, errs.Corrupt},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, errs.Unavailable},
		"teapot": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, bodyText, http.StatusTeapot) }, errs.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			srv, requests := fake(t, c.answer)
			_, err := srv.Changes(t.Context(), driver.Scope{Path: "data"}, nil)
			if errs.KindOf(err) != c.kind || strings.Contains(fmt.Sprint(err), bodyText) || errs.From(err).Scope == errs.ScopeNone {
				t.Errorf("%v is %v, want %v", err, errs.KindOf(err), c.kind)
			}
			if _, err := srv.Check(t.Context(), ""); err == nil {
				t.Error("Check takes it for S3")
			}
			if *requests != 2 {
				t.Errorf("%d requests", *requests)
			}
		})
	}
}
