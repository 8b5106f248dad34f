package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mooring/internal/errs"
	"mooring/internal/outbound"
)

// class is what a code means. A scope of ScopeNone is that of the request: the
// object it is about, else the path.
type class struct {
	kind  errs.Kind
	scope errs.Scope
	msg   string
}

const (
	msgKey      = "the access key was refused: check access_key_id and secret_access_key"
	msgAccount  = "the account behind the access key can't be used"
	msgSession  = "the session has expired or its token is not valid: new temporary credentials are needed"
	msgDenied   = "access is denied: the credentials lack a permission for this"
	msgThrottle = "the provider asks to slow down"
	msgDown     = "the provider does not work at the moment"
	msgClock    = "the clock of this server differs too much from the provider's: set it right"
	msgRegion   = "the region is not the right one for this: set the one that the bucket is in"
	msgNotS3    = "the answer is not one of S3: check the endpoint"
)

// classes holds the codes of S3, and of servers like it, that mean something
// for a source. A code that is not here is classified by the HTTP status.
var classes = map[string]class{
	"InvalidAccessKeyId":    {errs.Unauthenticated, errs.ScopeConnection, msgKey},
	"SignatureDoesNotMatch": {errs.Unauthenticated, errs.ScopeConnection, msgKey},
	"XAdminUserNotFound":    {errs.Unauthenticated, errs.ScopeConnection, msgKey},
	"InvalidSecurity":       {errs.Unauthenticated, errs.ScopeConnection, msgKey},
	"AuthFailure":           {errs.Unauthenticated, errs.ScopeConnection, msgKey},
	"AccountProblem":        {errs.Unauthenticated, errs.ScopeConnection, msgAccount},
	"NotSignedUp":           {errs.Unauthenticated, errs.ScopeConnection, msgAccount},
	"ExpiredToken":          {errs.Unauthenticated, errs.ScopeConnection, msgSession},
	"InvalidToken":          {errs.Unauthenticated, errs.ScopeConnection, msgSession},
	"TokenRefreshRequired":  {errs.Unauthenticated, errs.ScopeConnection, msgSession},

	// Our clock is our fault: it must not count against a connection.
	"RequestTimeTooSkewed": {errs.Internal, errs.ScopeConnection, msgClock},
	"RequestExpired":       {errs.Internal, errs.ScopeConnection, msgClock},

	"AccessDenied":      {errs.PermissionDenied, errs.ScopeNone, msgDenied},
	"AllAccessDisabled": {errs.PermissionDenied, errs.ScopeNone, "all access to this has been disabled by the provider"},
	"Forbidden":         {errs.PermissionDenied, errs.ScopeNone, msgDenied},

	"NoSuchBucket":      {errs.NotFound, errs.ScopePath, "there is no such bucket"},
	"InvalidBucketName": {errs.Invalid, errs.ScopePath, "this is not the name of a bucket"},
	"NoSuchKey":         {errs.NotFound, errs.ScopeObject, "there is no such object"},
	"NoSuchVersion":     {errs.NotFound, errs.ScopeObject, "there is no such version of the object"},
	"NotFound":          {errs.NotFound, errs.ScopeNone, "it does not exist"},

	"PermanentRedirect":                  {errs.Invalid, errs.ScopePath, "the bucket is not at this endpoint: " + msgRegion},
	"MovedPermanently":                   {errs.Invalid, errs.ScopePath, "the bucket is not at this endpoint: " + msgRegion},
	"IllegalLocationConstraintException": {errs.Invalid, errs.ScopePath, msgRegion},
	"AuthorizationHeaderMalformed":       {errs.Invalid, errs.ScopeConnection, msgRegion},
	"TemporaryRedirect":                  {errs.Unavailable, errs.ScopePath, "the bucket is being moved"},

	"PreconditionFailed":           {errs.Stale, errs.ScopeObject, "the object has changed since it was listed"},
	"InvalidRange":                 {errs.Stale, errs.ScopeObject, "the object is shorter than it was when it was listed"},
	"RequestedRangeNotSatisfiable": {errs.Stale, errs.ScopeObject, "the object is shorter than it was when it was listed"},
	"InvalidObjectState":           {errs.Conflict, errs.ScopeObject, "the object is archived: restore it before it can be read"},

	"SlowDown":                  {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"SlowDownRead":              {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"ServiceUnavailable":        {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"TooManyRequests":           {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"TooManyRequestsException":  {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"Throttling":                {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"ThrottlingException":       {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"ThrottledException":        {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"RequestThrottled":          {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"RequestThrottledException": {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"RequestLimitExceeded":      {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"BandwidthLimitExceeded":    {errs.Throttled, errs.ScopeConnection, msgThrottle},
	"LimitExceededException":    {errs.Throttled, errs.ScopeConnection, msgThrottle},

	"InternalError":       {errs.Unavailable, errs.ScopeConnection, msgDown},
	"InternalServerError": {errs.Unavailable, errs.ScopeConnection, msgDown},
	"RequestTimeout":      {errs.Unavailable, errs.ScopeConnection, "the provider gave up waiting for the request"},
	"OperationAborted":    {errs.Unavailable, errs.ScopePath, "another operation on the bucket is under way"},
}

// byStatus classifies an answer whose code is unknown or missing.
func byStatus(status int) class {
	switch status {
	case http.StatusUnauthorized:
		return class{errs.Unauthenticated, errs.ScopeConnection, msgKey}
	case http.StatusForbidden:
		return classes["AccessDenied"]
	case http.StatusNotFound:
		return classes["NotFound"]
	case http.StatusMovedPermanently, http.StatusFound, http.StatusPermanentRedirect:
		return classes["PermanentRedirect"]
	case http.StatusTemporaryRedirect:
		return classes["TemporaryRedirect"]
	case http.StatusConflict:
		return class{errs.Conflict, errs.ScopeNone, "the state of it does not allow this"}
	case http.StatusPreconditionFailed:
		return classes["PreconditionFailed"]
	case http.StatusRequestedRangeNotSatisfiable:
		return classes["InvalidRange"]
	case http.StatusTooManyRequests:
		return classes["SlowDown"]
	case http.StatusRequestTimeout:
		return classes["RequestTimeout"]
	case http.StatusNotImplemented:
		return class{errs.Invalid, errs.ScopeNone, "the provider does not offer this"}
	}
	switch {
	case status >= 500:
		return classes["InternalError"]
	case status >= 400:
		return class{errs.Invalid, errs.ScopeNone, "the provider does not accept the request"}
	}
	return class{errs.Corrupt, errs.ScopeNone, msgNotS3}
}

// classify turns an error of the SDK into one of ours, by its code. Nothing of
// the answer's text is kept.
func classify(t target, err error, now time.Time) *errs.Error {
	var ours *errs.Error // of the transport, or of the role
	if errors.As(err, &ours) {
		out := *ours
		if out.Op == "" {
			out.Op = t.op
		}
		return &out
	}
	out := &errs.Error{Origin: errs.Provider, Op: t.op, Err: err}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		out.Kind, out.Msg = errs.KindOf(err), "the request was given up"
		return out
	}
	var c class
	var api smithy.APIError
	status := statusOf(err)
	if errors.As(err, &api) {
		out.Code = api.ErrorCode()
	}
	c, known := classes[out.Code]
	switch {
	case known:
	case strings.HasPrefix(out.Code, "KMS."):
		c = class{errs.PermissionDenied, errs.ScopeObject, "the key that the object is encrypted with can't be used"}
	case status == 0 && errors.As(err, new(*smithyhttp.RequestSendError)): // a transport that does not classify
		c = class{errs.Unavailable, errs.ScopeConnection, "the provider can't be reached"}
	case status == 0:
		c = class{errs.Internal, errs.ScopeNone, "the request could not be made"}
	default:
		c = byStatus(status)
	}
	out.Kind, out.Scope, out.Msg = c.kind, c.scope, c.msg
	if out.Scope == errs.ScopeNone {
		out.Scope = errs.ScopePath
		if t.object {
			out.Scope = errs.ScopeObject
		}
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		out.RequestID = answer.ServiceRequestID()
	}
	out.RetryAfter = outbound.RetryAfter(headerOf(err), now)
	return out
}
