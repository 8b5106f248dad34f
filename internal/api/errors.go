package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	connectionservice "mooring/internal/connection/service"
	"mooring/internal/errs"
	"mooring/internal/surface"
)

const jsonType = "application/json"

// errorResponse is the body of every error.
type errorResponse struct {
	Success bool              `json:"success" doc:"always false"`
	Status  int               `json:"status" doc:"the HTTP status"`
	Error   errorDetail       `json:"error"`
	Detail  []validationError `json:"detail,omitempty" doc:"of a 422: each bad field"`
}

type errorDetail struct {
	Message string         `json:"message" doc:"for people"`
	Type    string         `json:"type" doc:"stable name"`
	Details map[string]any `json:"details" doc:"kind; of a provider's refusal also code, request_id and scope"`
}

type validationError struct {
	Loc  []any  `json:"loc" doc:"path of strings and integers"`
	Msg  string `json:"msg"`
	Type string `json:"type"`
}

var (
	errNoRoute = &errs.Error{Kind: errs.NotFound, Op: "api", Msg: "there is nothing at this path: see /docs"}
	errMethod  = &statusError{http.StatusMethodNotAllowed, errs.Invalid, "this path does not take that method: the header Allow lists those it takes"}
	errTooBig  = &statusError{http.StatusRequestEntityTooLarge, errs.Invalid, "the body is larger than 10 MB"}
	errCoded   = &statusError{http.StatusUnsupportedMediaType, errs.Invalid, "a body with a Content-Encoding is not taken: send it as it is"}
	errRange   = &statusError{http.StatusRequestedRangeNotSatisfiable, errs.Invalid, "the range lies beyond the object's end"}
)

// statusError is a refusal of HTTP's own, which has no kind of its own.
type statusError struct {
	status int
	kind   errs.Kind
	msg    string
}

func (e *statusError) Error() string { return e.msg }

// typeNames are the stable names of the contract, by status.
var typeNames = map[int]string{
	http.StatusBadRequest:                   "BadRequestError",
	http.StatusUnauthorized:                 "UnauthorizedError",
	http.StatusForbidden:                    "ForbiddenError",
	http.StatusNotFound:                     "NotFoundError",
	http.StatusMethodNotAllowed:             "MethodNotAllowedError",
	http.StatusConflict:                     "ConflictError",
	http.StatusRequestEntityTooLarge:        "PayloadTooLargeError",
	http.StatusUnsupportedMediaType:         "UnsupportedMediaTypeError",
	http.StatusRequestedRangeNotSatisfiable: "RangeError",
	http.StatusUnprocessableEntity:          "ValidationError",
	http.StatusTooManyRequests:              "RateLimitError",
	http.StatusInternalServerError:          "InternalServerError",
	http.StatusBadGateway:                   "ProviderError",
	http.StatusServiceUnavailable:           "ServiceUnavailableError",
}

// statusOf classifies an error.
func statusOf(r *route, err error) int {
	var direct *statusError
	if errors.As(err, &direct) {
		return direct.status
	}
	return surface.Status(err, r != nil && r.creates)
}

// fail answers with an error. What is ours to hide (a fault, its cause) goes to
// the log, with the request id that the answer gives instead.
func (s *server) fail(w http.ResponseWriter, req *http.Request, r *route, err error) {
	if req.Context().Err() != nil && errors.Is(err, context.Canceled) && surface.Of(w).Started() {
		return // the client has gone in the middle of an answer
	}
	status := statusOf(r, err)
	if surface.Fault(status) && req.Context().Err() == nil {
		s.Log.Error("a request failed", "request_id", surface.Of(w).ID, "route", surface.Of(w).Route, "kind", errs.KindOf(err).String(), "error", err)
	}
	if surface.Of(w).Started() {
		panic(http.ErrAbortHandler) // the answer was under way: only a broken connection tells
	}
	for _, h := range []string{"ETag", "Accept-Ranges"} { // set for an answer that did not come
		w.Header().Del(h)
	}
	w.Header().Set("Cache-Control", "no-store")
	e := errs.From(err)
	if e.RetryAfter > 0 && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) {
		w.Header().Set("Retry-After", retryAfter(e.RetryAfter))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mooring"`)
	}
	writeJSON(w, status, body(w, status, err))
}

func body(w http.ResponseWriter, status int, err error) errorResponse {
	e := errs.From(err)
	out := errorResponse{Status: status, Error: errorDetail{Message: e.Message(), Type: typeNames[status], Details: map[string]any{"kind": errs.KindOf(err).String()}}}
	var direct *statusError
	switch {
	case errors.As(err, &direct):
		out.Error.Message, out.Error.Details["kind"] = direct.msg, direct.kind.String()
	case status == http.StatusInternalServerError:
		out.Error.Message = "something went wrong on the server: its log says more under this request id"
		out.Error.Details["request_id"] = surface.Of(w).ID
		return out
	case e.Kind == errs.Canceled:
		out.Error.Message = "the server is shutting down, or the request was given up: try again"
	}
	provided(out.Error.Details, err)
	for _, f := range e.Fields {
		out.Detail = append(out.Detail, validationError{Loc: f.Loc, Msg: f.Msg, Type: f.Type})
	}
	return out
}

// provided adds what is known of a provider's refusal, or of the test that a
// change needed to pass.
func provided(details map[string]any, err error) {
	e := errs.From(err)
	set := func(name, v string) {
		if v != "" {
			details[name] = v
		}
	}
	set("scope", e.Scope.String())
	set("code", e.Code)
	set("request_id", e.RequestID)
	if result, ok := connectionservice.ResultOf(err); ok {
		details["test"] = result.Details
	}
	if e.Origin == errs.Provider {
		details["origin"] = "provider"
		if e.RetryAfter > 0 {
			details["retry_after_seconds"] = seconds(e.RetryAfter)
		}
	}
}

func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

func retryAfter(d time.Duration) string { return strconv.FormatInt(max(seconds(d), 1), 10) }
