package sharepoint

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mooring/internal/errs"
	"mooring/internal/outbound"
)

// target is what a request is about, for its error.
type target struct {
	op    string     // "sharepoint.changes"
	scope errs.Scope // what a refusal or an absence speaks about
	what  string     // "site", "library", "folder", "file"
	feed  bool       // a cursor is involved
}

// class is what a code means. A scope of ScopeNone is that of the request.
type class struct {
	kind  errs.Kind
	scope errs.Scope
	msg   string
}

const (
	msgToken    = "the access token was refused, and so was a new one"
	msgDenied   = "access is denied: the application lacks a permission on this"
	msgThrottle = "Microsoft Graph asks to slow down"
	msgDown     = "Microsoft Graph does not work at the moment"
	msgExpired  = "Microsoft Graph no longer knows what was told before: enumerate again"
	msgChanged  = "the file has changed since it was listed"
	msgRefused  = "Microsoft Graph does not accept the request"
	msgNotGraph = "the answer is not one of Microsoft Graph: check the endpoint"
)

// known is a code of Graph in its documented spelling. Codes are compared without
// case: the gateway before the services writes them otherwise.
type known struct {
	name string
	class
}

var codes = func() map[string]known {
	out := map[string]known{}
	for name, c := range map[string]class{
		"unauthenticated":            {errs.Unauthenticated, errs.ScopeConnection, msgToken},
		"InvalidAuthenticationToken": {errs.Unauthenticated, errs.ScopeConnection, msgToken},
		"accessDenied":               {errs.PermissionDenied, errs.ScopeNone, msgDenied},
		"Authorization_RequestDenied": {
			errs.PermissionDenied, errs.ScopeNone, "access is denied: an administrator must grant the application its permissions",
		},
		"notAllowed":           {errs.PermissionDenied, errs.ScopeNone, "the owner or an administrator does not allow this"},
		"itemNotFound":         {errs.NotFound, errs.ScopeNone, ""},
		"malwareDetected":      {errs.Conflict, errs.ScopeObject, "the provider found malware in the file and does not give it"},
		"activityLimitReached": {errs.Throttled, errs.ScopeConnection, msgThrottle},
		"TooManyRequests":      {errs.Throttled, errs.ScopeConnection, msgThrottle},
		"serviceNotAvailable":  {errs.Unavailable, errs.ScopeConnection, msgDown},
		"resourceModified":     {errs.Stale, errs.ScopeObject, msgChanged},
		"invalidRange":         {errs.Stale, errs.ScopeObject, "the file is shorter than it was when it was listed"},
		"resourceLocked":       {errs.Unavailable, errs.ScopeObject, "the file is locked at the moment"},
		"invalidRequest":       {errs.Invalid, errs.ScopeNone, msgRefused},
		"notSupported":         {errs.Invalid, errs.ScopeNone, "Microsoft Graph does not offer this here"},
		"nameAlreadyExists":    {errs.Conflict, errs.ScopeNone, "the state of it does not allow this"},
		"quotaLimitReached":    {errs.Conflict, errs.ScopePath, "the library's quota is used up"},

		"resyncRequired":                 {errs.CursorExpired, errs.ScopePath, msgExpired},
		"resyncApplyDifferences":         {errs.CursorExpired, errs.ScopePath, msgExpired},
		"resyncUploadDifferences":        {errs.CursorExpired, errs.ScopePath, msgExpired},
		"resyncChangesApplyDifferences":  {errs.CursorExpired, errs.ScopePath, msgExpired},
		"resyncChangesUploadDifferences": {errs.CursorExpired, errs.ScopePath, msgExpired},
		"syncStateNotFound":              {errs.CursorExpired, errs.ScopePath, msgExpired},
	} {
		out[strings.ToLower(name)] = known{name, c}
	}
	return out
}()

// wireError is Graph's error. Its innermost code says most; the names of its
// fields come in two spellings, which encoding/json does not tell apart.
type wireError struct {
	Code      string     `json:"code"`
	RequestID string     `json:"request-id"`
	Inner     *wireError `json:"innerError"`
}

// maxInner bounds how deep errors are read.
const maxInner = 8

// answered classifies an answer that is no success. Of its text nothing is kept.
func (t target) answered(status int, h http.Header, body []byte, now time.Time) *errs.Error {
	var doc struct {
		Error wireError `json:"error"`
	}
	_ = json.Unmarshal(body, &doc) // what is no JSON is classified by its status
	c, out := byStatus(status, t), &errs.Error{Origin: errs.Provider, Op: t.op, Code: doc.Error.Code, RequestID: h.Get("request-id")}
	specific := ""
	e := &doc.Error
	for depth := 0; e != nil && depth < maxInner; depth, e = depth+1, e.Inner {
		if k, ok := codeOf(e.Code); ok {
			specific = k.name
			c = k.class
		}
		if out.RequestID == "" {
			out.RequestID = e.RequestID
		}
	}
	if specific != "" {
		out.Code = specific
	}
	after := outbound.RetryAfter(h, now)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusTooManyRequests:
		c = byStatus(status, t) // whatever the code
	case status == http.StatusGone && t.feed:
		c = class{errs.CursorExpired, errs.ScopePath, msgExpired}
	case status == http.StatusServiceUnavailable && after > 0:
		c = class{errs.Throttled, errs.ScopeConnection, msgThrottle}
	case c.kind == errs.CursorExpired && !t.feed:
		c = byStatus(status, t)
	}
	if out.Code == "" {
		out.Code = strconv.Itoa(status)
	}
	if out.Kind, out.Scope, out.Msg = c.kind, c.scope, c.msg; errs.Retryable(out) {
		out.RetryAfter = after
	}
	if out.Scope == errs.ScopeNone {
		out.Scope = t.scope
	}
	if out.Kind == errs.NotFound {
		out.Msg = "there is no such " + t.what + ", or the application may not see it"
	}
	return out
}

func codeOf(code string) (known, bool) {
	low := strings.ToLower(code)
	k, ok := codes[low]
	if !ok && strings.HasPrefix(low, "resync") {
		return known{code, codes["resyncrequired"].class}, true
	}
	return k, ok
}

// byStatus classifies an answer whose codes are unknown or missing.
func byStatus(status int, t target) class {
	switch status {
	case http.StatusUnauthorized:
		return class{errs.Unauthenticated, errs.ScopeConnection, msgToken}
	case http.StatusForbidden:
		return class{errs.PermissionDenied, errs.ScopeNone, msgDenied}
	case http.StatusNotFound, http.StatusGone:
		return class{errs.NotFound, errs.ScopeNone, ""}
	case http.StatusConflict:
		return class{errs.Conflict, errs.ScopeNone, "the state of it does not allow this"}
	case http.StatusPreconditionFailed:
		return class{errs.Stale, errs.ScopeObject, msgChanged}
	case http.StatusRequestedRangeNotSatisfiable:
		return codes["invalidrange"].class
	case http.StatusLocked:
		return class{errs.Unavailable, errs.ScopeObject, "the file is locked at the moment"}
	case http.StatusTooManyRequests, 509:
		return class{errs.Throttled, errs.ScopeConnection, msgThrottle}
	case http.StatusRequestTimeout:
		return class{errs.Unavailable, errs.ScopeConnection, msgDown}
	case http.StatusInternalServerError:
		if t.scope == errs.ScopeObject { // of one file that Graph stumbles over
			return class{errs.Unavailable, errs.ScopeObject, "Microsoft Graph fails on this file"}
		}
	case http.StatusNotImplemented:
		return codes["notsupported"].class
	case http.StatusInsufficientStorage:
		return codes["quotalimitreached"].class
	}
	switch {
	case status >= 500:
		return class{errs.Unavailable, errs.ScopeConnection, msgDown}
	case status >= 400:
		return class{errs.Invalid, errs.ScopeNone, msgRefused}
	}
	return class{errs.Corrupt, errs.ScopeNone, msgNotGraph}
}

// failure is an error that the adapter itself finds.
func (t target) failure(k errs.Kind, scope errs.Scope, code, msg string) *errs.Error {
	return &errs.Error{Kind: k, Origin: errs.Provider, Scope: scope, Op: t.op, Code: code, Msg: msg}
}

// network classifies a request without an answer.
func network(op string, err error) *errs.Error {
	out := *outbound.Error(err)
	out.Op = op
	if out.Scope == errs.ScopeNone {
		out.Scope = errs.ScopeConnection
	}
	return &out
}

// network is the same for a request of Graph's. What nobody classified is garbage
// in an answer; its text is not kept, since it may quote a download address.
func (t target) network(err error) *errs.Error {
	out := network(t.op, err)
	if out.Kind == errs.Internal {
		return t.failure(errs.Corrupt, t.scope, "NotGraph", msgNotGraph)
	}
	return out
}
