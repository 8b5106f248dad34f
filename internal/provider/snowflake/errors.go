package snowflake

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/snowflakedb/gosnowflake"

	"mooring/internal/errs"
)

// class is what a code means. A scope of ScopeNone is the path's, or the
// connection's where there is none.
type class struct {
	kind  errs.Kind
	scope errs.Scope
	msg   string
}

const (
	msgJWT     = "the key pair was refused: check account and username, and that the public key is set on the user (RSA_PUBLIC_KEY or RSA_PUBLIC_KEY_2), and that this server's clock is right"
	msgAccount = "the account is not the right one: it must look like organization-account or locator.region, as in the address of Snowflake's web interface"
	msgRole    = "the role does not exist or is not granted to the user"
	msgMissing = "it does not exist, or the role may not see it: it needs USAGE on database and schema and SELECT on the table or view"
	msgDenied  = "the role lacks a privilege for this: it needs USAGE on warehouse, database and schema and SELECT on the table or view"
	msgPolicy  = "a network policy of the account does not let this server's address in"
	msgDown    = "Snowflake does not work at the moment"
	msgEnded   = "the session has ended"
	msgColumn  = "a column is not there: check primary_key_columns and incremental_column"
	msgClock   = "the key pair's token was refused for its time: the clock of this server must be right within a minute"
	msgChunk   = "a part of the result could not be fetched"
	msgStopped = "the query was stopped"
)

// classes holds the codes of Snowflake and of its driver that mean something for
// a source. Codes are the numbers of SnowflakeError.
var classes = map[int]class{
	390100: {errs.Unauthenticated, errs.ScopeConnection, "username or password was refused"},
	390101: {errs.Unauthenticated, errs.ScopeConnection, "the user was refused: check username and that the user is enabled"},
	390102: {errs.Unauthenticated, errs.ScopeConnection, "the user is locked after too many failed logins: Snowflake lets it in again after 15 minutes, or an administrator unlocks it"},
	390106: {errs.Unauthenticated, errs.ScopeConnection, "the user must change its password or enrol in multi-factor authentication: use a key pair for a service"},
	390127: {errs.Unauthenticated, errs.ScopeConnection, "the login needs a second factor: use a key pair for a service"},
	390144: {errs.Unauthenticated, errs.ScopeConnection, msgJWT},
	390303: {errs.Unauthenticated, errs.ScopeConnection, "the token was refused"},
	390318: {errs.Unauthenticated, errs.ScopeConnection, "the token has expired"},
	394300: {errs.Unauthenticated, errs.ScopeConnection, "the user of the key pair is not known in this account: check username and account"},
	394301: {errs.Unauthenticated, errs.ScopeConnection, msgJWT},
	394302: {errs.Unauthenticated, errs.ScopeConnection, msgJWT},
	394303: {errs.Internal, errs.ScopeConnection, msgClock}, // our clock must not count against a connection
	394304: {errs.Unauthenticated, errs.ScopeConnection, "the public key of the user is another one: set the one that belongs to private_key as RSA_PUBLIC_KEY or RSA_PUBLIC_KEY_2"},
	394305: {errs.Unauthenticated, errs.ScopeConnection, msgJWT},
	394306: {errs.Unauthenticated, errs.ScopeConnection, msgJWT},
	394307: {errs.Unauthenticated, errs.ScopeConnection, "the key pair was made out for another account: check account"},

	390186:       {errs.PermissionDenied, errs.ScopeConnection, msgRole},
	390189:       {errs.PermissionDenied, errs.ScopeConnection, msgRole},
	codeBadLogin: {errs.PermissionDenied, errs.ScopeConnection, "the warehouse does not exist, or the role lacks USAGE on it"},
	390420:       {errs.PermissionDenied, errs.ScopeConnection, msgPolicy},
	390422:       {errs.PermissionDenied, errs.ScopeConnection, msgPolicy},

	codeSessionGone: {errs.Unavailable, errs.ScopeConnection, msgEnded},
	390111:          {errs.Unavailable, errs.ScopeConnection, msgEnded},
	390112:          {errs.Unavailable, errs.ScopeConnection, msgEnded},
	390114:          {errs.Unavailable, errs.ScopeConnection, msgEnded},
	390115:          {errs.Unavailable, errs.ScopeConnection, msgEnded},

	codeNoWarehouse: {errs.PermissionDenied, errs.ScopeConnection, "there is no warehouse to run the query: check warehouse, and grant USAGE on it to the role"},
	codeNoColumn:    {errs.Invalid, errs.ScopePath, msgColumn},
	2003:            {errs.NotFound, errs.ScopePath, msgMissing},
	2043:            {errs.NotFound, errs.ScopePath, msgMissing},
	3001:            {errs.PermissionDenied, errs.ScopePath, msgDenied},

	604: {errs.Unavailable, errs.ScopePath, msgStopped},
	605: {errs.Unavailable, errs.ScopePath, msgStopped},
	630: {errs.Unavailable, errs.ScopePath, "the query took longer than query_timeout_seconds: raise it, or use a larger warehouse"},

	gosnowflake.ErrCodeServiceUnavailable: {errs.Unavailable, errs.ScopeConnection, msgDown},
	gosnowflake.ErrCodeFailedToConnect:    {errs.Unauthenticated, errs.ScopeConnection, msgAccount},
	gosnowflake.ErrFailedToGetChunk:       {errs.Unavailable, errs.ScopePath, msgChunk},
}

const (
	codeSessionGone = 390104 // and its like: a session must be made anew
	codeNoWarehouse = 606
	codeNoColumn    = 904
	codeMissing     = 2003
	codeNoObject    = 2043
	codeDenied      = 3001
	codeBadLogin    = 390201
)

// queryID is what may be told of an answer.
var queryID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z-]{0,63}$`)

func sessionGone(code int) bool {
	switch code {
	case codeSessionGone, 390111, 390112, 390114, 390115:
		return true
	}
	return false
}

// codeOf is the number of Snowflake's or the driver's error, 0 when there is none.
func codeOf(err error) int {
	var e *gosnowflake.SnowflakeError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// classify turns an error of the driver into one of ours, by its code. n holds
// what the transport noted, which says more than the driver does. Nothing of
// an answer's text is kept.
func classify(op string, err error, n *notes, scope errs.Scope) error {
	var ours *errs.Error
	if errors.As(err, &ours) {
		return withOp(ours, op)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ended(op, err)
	}
	if e := n.take(); e != nil {
		return withOp(e, op)
	}
	out := &errs.Error{Origin: errs.Provider, Op: op, Err: err}
	var e *gosnowflake.SnowflakeError
	if !errors.As(err, &e) {
		// An answer that can't be read: of another service, or cut short.
		out.Kind, out.Scope, out.Msg = errs.Unavailable, errs.ScopeConnection, "Snowflake's answer can't be read"
		return out
	}
	out.Code = fmt.Sprintf("%06d", e.Number)
	if queryID.MatchString(e.QueryID) { // "-1" is the driver's word for none
		out.RequestID = e.QueryID
	}
	c, known := classes[e.Number]
	switch {
	case known:
	case e.Number >= 394300 && e.Number < 394400:
		c = class{errs.Unauthenticated, errs.ScopeConnection, msgJWT}
	case e.Number >= 390000 && e.Number < 391000:
		c = class{errs.Unauthenticated, errs.ScopeConnection, "the login was refused"}
	case e.Number >= 261000 && e.Number < 263000:
		c = class{errs.Unavailable, errs.ScopeConnection, msgDown}
	default:
		c = class{errs.Invalid, errs.ScopeNone, "Snowflake refused the statement"}
	}
	out.Kind, out.Scope, out.Msg = c.kind, c.scope, c.msg
	if out.Scope == errs.ScopeNone {
		out.Scope = scope
	}
	return out
}

func withOp(e *errs.Error, op string) error {
	out := *e
	if out.Op == "" {
		out.Op = op
	}
	return &out
}

// ended is the error of a call whose context has ended.
func ended(op string, err error) error {
	return &errs.Error{Kind: errs.KindOf(err), Origin: errs.Provider, Scope: errs.ScopeConnection, Op: op, Msg: "the request was given up", Err: err}
}
