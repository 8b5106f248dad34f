package msgraph

import (
	"net/http"
	"strings"
)

// Error is an answer of the service that is not a success. A Status or Message
// that is left out is the one that the service gives with the Code.
type Error struct {
	Status  int
	Code    string
	Message string
	Inner   []string // codes of innerError, from the outermost
	Header  http.Header
	// HTML is sent instead of the JSON body.
	HTML string

	aadsts           int // of the token endpoint
	suberror, claims string
}

// Error gives the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// knownErrors are the statuses and messages of codes.
var knownErrors = map[string]struct {
	status  int
	message string
}{
	"accessDenied":               {403, "Access denied"},
	"activityLimitReached":       {429, "The request has been throttled"},
	"generalException":           {500, "General exception while processing"},
	"InvalidAuthenticationToken": {401, "Access token is empty."},
	"invalidRange":               {416, "The requested range is not satisfiable."},
	"invalidRequest":             {400, "Invalid request"},
	"itemNotFound":               {404, "The resource could not be found."},
	"malwareDetected":            {403, "Malware was detected in the requested resource."},
	"nameAlreadyExists":          {409, "The specified item name already exists."},
	"notAllowed":                 {403, "The action is not allowed by the system."},
	"notSupported":               {501, "The request is not supported by the system."},
	"quotaLimitReached":          {507, "The user has reached their quota limit."},
	"resourceLocked":             {423, "The resource is locked."},
	"resourceModified":           {412, "The resource being updated has changed since the caller last read it, usually an eTag mismatch."},
	"resyncRequired":             {410, "Resync required. Replace any local items with the server's version (including deletes) if you're sure that the service was up to date with your local changes when you last sync'd. Upload any local changes that the server doesn't know about."},
	"serviceNotAvailable":        {503, "The service is not available. Try the request again after a delay. There may be a Retry-After header."},
	"syncStateNotFound":          {410, "The sync state generation is not found."},
	"unauthenticated":            {401, "The caller is not authenticated."},
	"BadRequest":                 {400, "Resource not found for the segment."},
}

// failure makes an error of a code.
func failure(code string, inner ...string) *Error { return &Error{Code: code, Inner: inner} }

// complete fills in what is known of the code.
func (e *Error) complete() {
	known := knownErrors[e.Code]
	if e.Status == 0 {
		e.Status = known.status
	}
	if e.Status == 0 {
		e.Status = http.StatusInternalServerError
		if strings.HasPrefix(strings.ToLower(e.Code), "resync") {
			e.Status = http.StatusGone
		}
	}
	if e.Message == "" {
		e.Message = known.message
	}
}

// throttled is the body seen of a tenant that asked too much.
func throttled(retryAfter string) *Error {
	e := failure("activityLimitReached", "throttledRequest", "quota")
	if retryAfter != "" {
		e.Header = http.Header{"Retry-After": {retryAfter}}
	}
	return e
}

// gone is the answer to a delta token that is no longer known.
func gone(code string) *Error {
	e := &Error{Status: http.StatusGone, Code: code, Message: knownErrors["resyncRequired"].message}
	switch code {
	case "resyncChangesApplyDifferences":
		e.Inner = []string{"resyncApplyDifferences"}
	case "resyncChangesUploadDifferences":
		e.Inner = []string{"resyncUploadDifferences"}
	case "syncStateNotFound":
		e.Message = knownErrors[code].message
	}
	return e
}

func refusedDownload(status int) *Error {
	return &Error{Status: status, Code: "downloadRefused", HTML: "<html><body>" + http.StatusText(status) + "</body></html>"}
}

// innerError is what the service says of a request that failed.
func (x *exchange) innerError(codes []string) map[string]any {
	out := map[string]any{}
	if len(codes) > 0 {
		out["code"] = codes[0]
		if len(codes) > 1 {
			out["innerError"] = map[string]any{"code": codes[1]}
		}
	}
	out["date"] = x.entry.Time.Format("2006-01-02T15:04:05")
	out["request-id"] = x.entry.ID
	out["client-request-id"] = x.clientID()
	return out
}

// fail answers with an error.
func (x *exchange) fail(e *Error) {
	known := *e
	e = &known
	e.complete()
	h := x.w.Header()
	for name, values := range e.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	x.s.log.note(func() { x.entry.Code = e.Code })
	switch {
	case e.HTML != "":
		h.Set("Content-Type", "text/html")
		x.w.WriteHeader(e.Status)
		_, _ = x.w.Write([]byte(e.HTML))
	case x.entry.Operation.login():
		x.json(e.Status, x.loginBody(e))
	default:
		x.json(e.Status, map[string]any{"error": map[string]any{
			"code": e.Code, "message": e.Message, "innerError": x.innerError(e.Inner),
		}})
	}
}
