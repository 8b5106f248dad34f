// Package errs classifies every failure in Mooring once. The Kind of an error
// decides whether it is retried, which HTTP status it becomes, whether it
// counts against a connection's health and with which code a command exits.
//
// Messages are Mooring's own sentences. They never hold text from a provider's
// answer: the provider's error code and request id have fields of their own.
// They never hold a secret.
package errs

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Kind is what went wrong, in the terms that decide what follows.
type Kind uint8

// The kinds. The zero Kind is Internal, so that an unclassified error is ours.
const (
	Internal         Kind = iota // a fault of Mooring itself, or unclassified
	Invalid                      // the request or configuration can't be right
	Unauthenticated              // the credential was refused
	PermissionDenied             // the credential is good but may not do this
	NotFound                     // the thing named does not exist
	AlreadyExists                // a thing of that name exists
	Conflict                     // the state of the thing does not allow it
	Throttled                    // asked too often; see Error.RetryAfter
	Unavailable                  // not reachable or not working now
	CursorExpired                // a change cursor is dead: enumerate anew
	Stale                        // the item changed since it was listed
	Corrupt                      // content or stored data fails its check
	Canceled                     // the caller gave up, or a shutdown
)

var kindNames = [...]string{
	"internal", "invalid", "unauthenticated", "permission_denied", "not_found", "already_exists", "conflict",
	"throttled", "unavailable", "cursor_expired", "stale", "corrupt", "canceled",
}

// String returns the stable snake_case name used in details.kind, logs and metrics.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// ParseKind is the inverse of String. An unknown name is Internal.
func ParseKind(s string) Kind {
	for i, n := range kindNames {
		if n == s {
			return Kind(i)
		}
	}
	return Internal
}

// Origin says on whose side an error arose.
type Origin uint8

// The origins.
const (
	Ours     Origin = iota // Mooring, its store or its destination
	Provider               // the storage provider, or the way to it
)

// Scope says what a provider's failure speaks about.
type Scope uint8

// The scopes. Only adapters set one.
const (
	ScopeNone       Scope = iota // not a provider's failure, or unknown
	ScopeConnection              // the whole connection: credential, account, host
	ScopePath                    // one bucket, folder, drive or table
	ScopeObject                  // one item
)

// String returns "", "connection", "path" or "object".
func (s Scope) String() string {
	return [...]string{"", "connection", "path", "object"}[s&3]
}

// Field is one bad field of a request.
type Field struct {
	Loc  []any  // path of strings and ints, e.g. "body", "provider_config", "region"
	Msg  string // what is wrong, for people
	Type string // stable machine name, e.g. "missing", "string_too_long"
}

// Error is the one error type of Mooring. Its text holds no secret.
type Error struct {
	Kind       Kind
	Origin     Origin
	Scope      Scope
	Op         string        // what was being done, e.g. "s3.list"
	Msg        string        // our sentence: what failed, on what, what the user can do
	Code       string        // the provider's error code, if it gave one
	RequestID  string        // the provider's request id, if it gave one
	RetryAfter time.Duration // for Throttled and Unavailable: not before, 0 if not said
	Fields     []Field       // for Invalid: each bad field
	Err        error         // the cause; its text is not printed when Origin is Provider
}

// Error prints operation, message, code and request id. The text of a cause is
// added only when it is ours, since a provider's text may echo a secret.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(e.Message())
	if e.Err != nil && e.Origin == Ours {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Message is the sentence shown to users: without operation and cause.
func (e *Error) Message() string {
	msg := e.Msg
	if msg == "" {
		msg = strings.ReplaceAll(e.Kind.String(), "_", " ")
	}
	switch {
	case e.Code != "" && e.RequestID != "":
		msg += " (" + e.Code + ", request " + e.RequestID + ")"
	case e.Code != "":
		msg += " (" + e.Code + ")"
	case e.RequestID != "":
		msg += " (request " + e.RequestID + ")"
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error of ours with a message.
func New(k Kind, op, msg string) *Error { return &Error{Kind: k, Op: op, Msg: msg} }

// Wrap makes an error of ours around a cause. It returns nil when err is nil.
// A cause that is classified already keeps its kind, origin, scope and details,
// except that k replaces Internal.
func Wrap(err error, k Kind, op, msg string) error {
	if err == nil {
		return nil
	}
	out := &Error{Kind: k, Op: op, Msg: msg, Err: err}
	var inner *Error
	if errors.As(err, &inner) {
		out.Origin, out.Scope, out.Code, out.RequestID = inner.Origin, inner.Scope, inner.Code, inner.RequestID
		out.RetryAfter, out.Fields = inner.RetryAfter, inner.Fields
		if inner.Kind != Internal {
			out.Kind = inner.Kind
		}
	} else if canceled(err) {
		out.Kind = Canceled
	}
	return out
}

// KindOf classifies any error. A context's end is Canceled (a passed deadline,
// Unavailable); what nobody classified is Internal. It is meaningless for nil.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	case canceled(err):
		return Canceled
	}
	return Internal
}

// Is reports whether err is of the kind k. It is false for nil.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// ScopeOf returns the scope an adapter gave, or ScopeNone.
func ScopeOf(err error) Scope {
	var e *Error
	if errors.As(err, &e) {
		return e.Scope
	}
	return ScopeNone
}

// From returns the *Error in err's chain, or a new Internal one around err.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: KindOf(err), Err: err}
}

// Retryable reports whether the same call may succeed later without a change by anybody.
func Retryable(err error) bool {
	switch KindOf(err) {
	case Throttled, Unavailable:
		return true
	}
	return false
}

func canceled(err error) bool { return errors.Is(err, context.Canceled) }
