package gdrive

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
)

// Error is an answer that is not a success. In answers of the token endpoint Reason is
// the error and Message the error_description (RFC 6749). A Status or Message that is
// left out is the one that goes with the Reason; what is unknown is 400.
type Error struct {
	Status       int
	Reason       string
	Message      string
	Domain       string // "global" when empty
	Location     string
	LocationType string
	ExtendedHelp string
	Canonical    string // the canonical code, as UNAUTHENTICATED
	Header       http.Header
}

// Error gives the reason and the message.
func (e *Error) Error() string { return e.Reason + ": " + e.Message }

// known are the reasons that clients tell apart.
var known = map[string]Error{
	"authError": {
		Status: 401, Message: "Invalid Credentials", Location: "Authorization", LocationType: "header", Canonical: "UNAUTHENTICATED",
		Header: http.Header{"Www-Authenticate": {`Bearer realm="https://accounts.google.com/", error="invalid_token"`}},
	},
	"badRequest":                  {Status: 400, Message: "Bad Request"},
	"invalid":                     {Status: 400, Message: "Invalid Value"},
	"invalidParameter":            {Status: 400, Message: "Invalid Value"},
	"userRateLimitExceeded":       {Status: 403, Message: "User Rate Limit Exceeded", Domain: "usageLimits"},
	"rateLimitExceeded":           {Status: 403, Message: "Rate Limit Exceeded", Domain: "usageLimits"},
	"dailyLimitExceeded":          {Status: 403, Message: "Daily Limit Exceeded", Domain: "usageLimits"},
	"dailyLimitExceededUnreg":     {Status: 403, Message: "Daily Limit for Unauthenticated Use Exceeded. Continued use requires signup.", Domain: "usageLimits"},
	"downloadQuotaExceeded":       {Status: 403, Message: "The download quota for this file has been exceeded."},
	"sharingRateLimitExceeded":    {Status: 403, Message: "Rate limit exceeded. User message: \"Sorry, you have exceeded your sharing quota.\""},
	"insufficientPermissions":     {Status: 403, Message: "Insufficient Permission: Request had insufficient authentication scopes.", Canonical: "PERMISSION_DENIED"},
	"insufficientFilePermissions": {Status: 403, Message: "The user does not have sufficient permissions for this file."},
	"appNotAuthorizedToFile":      {Status: 403, Message: "The user has not granted the app access to the file."},
	"domainPolicy":                {Status: 403, Message: "The domain administrators have disabled Drive apps."},
	"forbidden":                   {Status: 403, Message: "Forbidden"},
	"accessNotConfigured": {
		Status: 403, Message: "Google Drive API has not been used in project emulator before or it is disabled.", Domain: "usageLimits",
		ExtendedHelp: "https://console.developers.google.com", Canonical: "PERMISSION_DENIED",
	},
	"cannotDownloadAbusiveFile": {Status: 403, Message: "This file has been identified as malware or spam and cannot be downloaded."},
	"cannotDownloadFile":        {Status: 403, Message: "This file cannot be downloaded by the user."},
	"fileNotDownloadable": {
		Status: 403, Message: "Only files with binary content can be downloaded. Use Export with Docs Editors files.",
		Location: "alt", LocationType: "parameter",
	},
	"fileNotExportable":            {Status: 403, Message: "Export only supports Docs Editors files."},
	"exportSizeLimitExceeded":      {Status: 403, Message: "This file is too large to be exported."},
	"notFound":                     {Status: 404, Message: "Not Found"},
	"requestedRangeNotSatisfiable": {Status: 416, Message: "Request range not satisfiable", Location: "Range", LocationType: "header"},
	"conditionNotMet":              {Status: 412, Message: "Precondition Failed", Location: "If-Match", LocationType: "header"},
	"internalError":                {Status: 500, Message: "Internal Error"},
	"backendError":                 {Status: 503, Message: "Backend Error"},

	"invalid_grant":       {Status: 400, Message: "Bad Request"},
	"unauthorized_client": {Status: 401, Message: "Unauthorized"},
	"invalid_client":      {Status: 401, Message: "The OAuth client was not found."},
	"access_denied":       {Status: 403, Message: "Account restricted"},
	"temporarily_unavailable": {
		Status: 503, Message: "The service is temporarily unavailable",
	},
}

// failure makes an error of a known reason.
func failure(reason string) *Error { return &Error{Reason: reason} }

// badParameter is the error about a parameter.
func badParameter(name, reason, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Reason: reason, Message: message, Location: name, LocationType: "parameter"}
}

func fileNotFound(id string) *Error {
	return &Error{
		Status: http.StatusNotFound, Reason: "notFound", Message: "File not found: " + id + ".", Location: "fileId", LocationType: "parameter",
	}
}

// complete returns a copy with what the reason implies.
func (e *Error) complete() *Error {
	c := *e
	k := known[c.Reason]
	if c.Status == 0 {
		c.Status = k.Status
	}
	if c.Status == 0 {
		c.Status = http.StatusBadRequest
	}
	if c.Message == "" {
		c.Message = k.Message
	}
	if c.Domain == "" {
		c.Domain = k.Domain
	}
	if c.Domain == "" {
		c.Domain = "global"
	}
	if c.Location == "" {
		c.Location, c.LocationType = k.Location, k.LocationType
	}
	if c.ExtendedHelp == "" {
		c.ExtendedHelp = k.ExtendedHelp
	}
	if c.Canonical == "" {
		c.Canonical = k.Canonical
	}
	if c.Header == nil {
		c.Header = k.Header
	}
	return &c
}

// The body of an error of the API.
type (
	errorBody struct {
		Error errorDetail `json:"error"`
	}
	errorDetail struct {
		Code    int         `json:"code"`
		Message string      `json:"message"`
		Errors  []errorItem `json:"errors"`
		Status  string      `json:"status,omitempty"`
	}
	errorItem struct {
		Message      string `json:"message"`
		Domain       string `json:"domain"`
		Reason       string `json:"reason"`
		Location     string `json:"location,omitempty"`
		LocationType string `json:"locationType,omitempty"`
		ExtendedHelp string `json:"extendedHelp,omitempty"`
	}
	tokenError struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}
)

func (e *Error) body() any {
	return errorBody{errorDetail{
		Code: e.Status, Message: e.Message, Status: e.Canonical,
		Errors: []errorItem{{e.Message, e.Domain, e.Reason, e.Location, e.LocationType, e.ExtendedHelp}},
	}}
}

// loginRequired is the error of a request without a token.
func loginRequired() *Error {
	return &Error{
		Status: http.StatusUnauthorized, Reason: "required", Message: "Login Required.", Location: "Authorization", LocationType: "header",
		Canonical: "UNAUTHENTICATED", Header: http.Header{"Www-Authenticate": {`Bearer realm="https://accounts.google.com/"`}},
	}
}

// fail answers with an error.
func (x *exchange) fail(err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = failure("internalError")
	}
	e = e.complete()
	for name, values := range e.Header {
		x.w.Header()[name] = values
	}
	var body any = tokenError{e.Reason, e.Message}
	if !x.entry.Operation.oauth() {
		body = e.body()
	}
	x.s.log.reason(x.entry, e.Reason)
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(body)
	x.w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	x.w.WriteHeader(e.Status)
	_, _ = x.w.Write(text.Bytes())
}
