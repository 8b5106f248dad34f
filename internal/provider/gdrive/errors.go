package gdrive

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"google.golang.org/api/googleapi"

	"mooring/internal/errs"
	"mooring/internal/outbound"
)

// target is what a request is about, for its error.
type target struct {
	op    string     // "gdrive.list"
	scope errs.Scope // what fails where an answer speaks of no more than what was asked for
}

// class is what a reason means. A scope of ScopeNone is that of the request.
type class struct {
	kind  errs.Kind
	scope errs.Scope
	msg   string
}

const (
	msgThrottle = "Google asks to slow down"
	msgDaily    = "the project's daily quota at Google is used up"
	msgDown     = "Google Drive does not work at the moment"
	msgDenied   = "access is denied: share this with the account of the connection"
	msgNoAPI    = "the Google Drive API is not enabled in the project of the credentials: enable it in the Google Cloud console"
	msgToken    = "Google refused the access token"
	msgScope    = "the credentials were granted too little: the scope drive.readonly is needed"
	msgLarge    = "the document is larger than 10 MB when exported, and Google offers no other way to read it"
)

// longWait is when to come back where a quota of a day is used up.
const longWait = time.Hour

// classes holds the reasons of the API. 403 stands for a lack of rights as well
// as for throttling: it is never classified without its reason.
var classes = map[string]class{
	"authError":                {errs.Unauthenticated, errs.ScopeConnection, msgToken},
	"userRateLimitExceeded":    {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"rateLimitExceeded":        {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"RATE_LIMIT_EXCEEDED":      {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"RESOURCE_EXHAUSTED":       {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"quotaExceeded":            {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"sharingRateLimitExceeded": {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"dailyLimitExceeded":       {errs.Throttled, errs.ScopeConnection, msgDaily},
	"dailyLimitExceededUnreg":  {errs.Throttled, errs.ScopeConnection, msgDaily},
	// This is one file's: it must not hold up all others.
	"downloadQuotaExceeded": {errs.Unavailable, errs.ScopeObject, "too many have downloaded this file: Google gives it out again later"},

	"insufficientPermissions":         {errs.PermissionDenied, errs.ScopeConnection, msgScope},
	"ACCESS_TOKEN_SCOPE_INSUFFICIENT": {errs.PermissionDenied, errs.ScopeConnection, msgScope},
	"accessNotConfigured":             {errs.PermissionDenied, errs.ScopeConnection, msgNoAPI},
	"SERVICE_DISABLED":                {errs.PermissionDenied, errs.ScopeConnection, msgNoAPI},
	"domainPolicy":                    {errs.PermissionDenied, errs.ScopeConnection, "the domain's administrators do not allow applications to read Drive"},
	"insufficientFilePermissions":     {errs.PermissionDenied, errs.ScopeNone, msgDenied},
	"appNotAuthorizedToFile":          {errs.PermissionDenied, errs.ScopeNone, "the application may not read this: it needs the scope drive.readonly"},
	"teamDriveMembershipRequired":     {errs.PermissionDenied, errs.ScopePath, "the account is not a member of the shared drive"},
	"forbidden":                       {errs.PermissionDenied, errs.ScopeNone, msgDenied},
	"PERMISSION_DENIED":               {errs.PermissionDenied, errs.ScopeNone, msgDenied},

	"cannotDownloadAbusiveFile": {errs.PermissionDenied, errs.ScopeObject, "Google has found malware or spam in the file and does not give it out"},
	"cannotDownloadFile":        {errs.PermissionDenied, errs.ScopeObject, "the file's owner does not allow to download it"},
	"cannotExportFile":          {errs.PermissionDenied, errs.ScopeObject, "the document's owner does not allow to export it"},
	"fileNotDownloadable":       {errs.Conflict, errs.ScopeObject, "the file has no content that can be downloaded"},
	"fileNotExportable":         {errs.Conflict, errs.ScopeObject, "Google can't export this document"},
	"exportSizeLimitExceeded":   {errs.Invalid, errs.ScopeObject, msgLarge},

	"notFound":         {errs.NotFound, errs.ScopeNone, "it does not exist, or the account of the connection can't see it"},
	"backendError":     {errs.Unavailable, errs.ScopeConnection, msgDown},
	"internalError":    {errs.Unavailable, errs.ScopeConnection, msgDown},
	"badRequest":       {errs.Invalid, errs.ScopeNone, "Google does not accept the request"},
	"invalid":          {errs.Invalid, errs.ScopeNone, "Google does not accept a value of the request"},
	"invalidParameter": {errs.Invalid, errs.ScopeNone, "Google does not accept a value of the request"},
	"required":         {errs.Invalid, errs.ScopeNone, "Google misses a value in the request"},
}

// byStatus classifies an answer whose reason is unknown or missing.
func byStatus(status int, reasoned bool) class {
	switch status {
	case http.StatusUnauthorized:
		return classes["authError"]
	case http.StatusForbidden:
		if reasoned {
			return classes["forbidden"]
		}
		// Not an answer of the API, which always gives a reason.
		return class{errs.Unavailable, errs.ScopeConnection, "the answer is not one of Google Drive"}
	case http.StatusNotFound:
		return classes["notFound"]
	case http.StatusGone, http.StatusPreconditionFailed:
		return class{errs.Stale, errs.ScopeObject, "it has changed since it was listed"}
	case http.StatusRequestedRangeNotSatisfiable:
		return class{errs.Stale, errs.ScopeObject, "the file is shorter than it was when it was listed"}
	case http.StatusTooManyRequests:
		return classes["rateLimitExceeded"]
	case http.StatusRequestTimeout:
		return classes["backendError"]
	}
	switch {
	case status >= 500:
		return classes["backendError"]
	case status >= 400:
		return classes["badRequest"]
	}
	return class{errs.Unavailable, errs.ScopeConnection, "the answer is not one of Google Drive"}
}

// answer is the body of an error.
type answer struct {
	Error struct {
		Status string `json:"status"`
		Errors []struct {
			Reason   string `json:"reason"`
			Location string `json:"location"`
		} `json:"errors"`
		Details []struct {
			Reason string `json:"reason"`
		} `json:"details"`
	} `json:"error"`
}

// reason is the most telling code in an answer, and where the fault is.
func (a *answer) reason() (reason, location string) {
	for _, d := range a.Error.Details {
		if _, known := classes[d.Reason]; known {
			return d.Reason, ""
		}
	}
	for _, e := range a.Error.Errors {
		if e.Reason != "" {
			return e.Reason, e.Location
		}
	}
	return a.Error.Status, ""
}

// classify turns an error of the API's client into one of ours. Nothing of the
// answer's text is kept.
func (t target) classify(err error, now time.Time) *errs.Error {
	var api *googleapi.Error
	if !errors.As(err, &api) {
		if e := t.network(err); e != nil {
			return e
		}
		return t.wrapped(err, errs.Unavailable, "the answer is not one of Google Drive")
	}
	var a answer
	_ = json.Unmarshal([]byte(api.Body), &a)
	reason, location := a.reason()
	c, known := classes[reason]
	switch {
	case api.Code == http.StatusUnauthorized:
		c = classes["authError"]
	case api.Code == http.StatusTooManyRequests && c.kind != errs.Throttled:
		c = classes["rateLimitExceeded"]
	case api.Code >= 500 && c.kind != errs.Unavailable:
		c = classes["backendError"]
	case api.Code == http.StatusBadRequest && strings.EqualFold(location, "pageToken"):
		c = class{errs.CursorExpired, errs.ScopePath, "Google no longer knows the place in its list: it has to be listed anew"}
	case !known:
		c = byStatus(api.Code, reason != "")
	}
	e := t.failure(c.kind, code(reason), c.msg)
	if c.scope != errs.ScopeNone {
		e.Scope = c.scope
	}
	e.Err, e.RequestID = err, code(api.Header.Get("X-Guploader-Uploadid"))
	e.RetryAfter = outbound.RetryAfter(api.Header, now)
	if c.msg == msgDaily && e.RetryAfter == 0 {
		e.RetryAfter = longWait
	}
	return e
}

// network classifies what is no answer, or is nil where err is none of that.
func (t target) network(err error) *errs.Error {
	var ours *errs.Error // of the transport
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &errs.Error{Kind: errs.KindOf(err), Origin: errs.Provider, Scope: errs.ScopeConnection, Op: t.op, Msg: "the request was given up", Err: err}
	case errors.As(err, &ours):
		out := *ours
		if out.Op == "" {
			out.Op = t.op
		}
		return &out
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return t.wrapped(err, errs.Unavailable, "the answer broke off")
	}
	return nil
}

func (t target) wrapped(err error, k errs.Kind, msg string) *errs.Error {
	e := t.failure(k, "", msg)
	e.Scope, e.Err = errs.ScopeConnection, err
	return e
}

// failure is an error about what the request is about.
func (t target) failure(k errs.Kind, code, msg string) *errs.Error {
	return &errs.Error{Kind: k, Origin: errs.Provider, Scope: t.scope, Op: t.op, Code: code, Msg: msg}
}

var codeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// code lets pass what looks like a code.
func code(s string) string {
	if codeForm.MatchString(s) {
		return s
	}
	return ""
}
