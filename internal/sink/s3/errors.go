package s3

import (
	"context"
	"errors"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"mooring/internal/errs"
)

// codeOf is the service's code of an error, "" when it has none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// missing reports that there is no such object. The answer to a HEAD has no code
// but that of its status.
func missing(err error) bool {
	code := codeOf(err)
	return code == "NoSuchKey" || code == "NotFound"
}

const (
	msgDenied  = "the destination refuses: the operator's credentials lack a permission on its bucket"
	msgKey     = "the destination does not accept the operator's credentials"
	msgBucket  = "the bucket of the destination does not exist, or is in another region"
	msgBusy    = "the destination asks to slow down"
	msgDown    = "the destination does not work at the moment"
	msgDamaged = "content did not arrive at the destination as it was sent"
)

// messages say what is wrong with a destination, by the service's code. All of
// it is the operator's business and none the fault of an object.
var messages = map[string]string{
	"AccessDenied": msgDenied, "AllAccessDisabled": msgDenied, "Forbidden": msgDenied,
	"InvalidAccessKeyId": msgKey, "SignatureDoesNotMatch": msgKey, "ExpiredToken": msgKey, "InvalidToken": msgKey, "AuthFailure": msgKey,
	"NoSuchBucket": msgBucket, "PermanentRedirect": msgBucket, "AuthorizationHeaderMalformed": msgBucket, "InvalidBucketName": msgBucket,
	"SlowDown": msgBusy, "ServiceUnavailable": msgBusy, "TooManyRequests": msgBusy, "Throttling": msgBusy, "RequestLimitExceeded": msgBusy,
	"InternalError": msgDown, "RequestTimeout": msgDown, "OperationAborted": msgDown,
	"BadDigest": msgDamaged, "XAmzContentSHA256Mismatch": msgDamaged, "XAmzContentChecksumMismatch": msgDamaged, "InvalidDigest": msgDamaged,
	"RequestTimeTooSkewed": "the clock of this server differs too much from the destination's: set it right",
	"EntityTooLarge":       "the content is larger than the destination allows",
	"QuotaExceeded":        "the destination's quota is used up", "XMinioStorageFull": "the destination is full",
}

// notHere are the codes of services that keep objects as files, where a name
// can't be both a file and a folder.
var notHere = map[string]bool{
	"ObjectParentIsFile": true, "ExistingObjectIsDirectory": true, "XMinioParentIsObject": true, "XMinioObjectExistsAsDirectory": true,
	"KeyTooLongError": true, "KeyTooLong": true, "XMinioInvalidObjectName": true,
}

// failed makes an error of the SDK's ours. Its message names neither the bucket
// nor the endpoint, since tenants read it, and of an answer it keeps the code and
// the request id alone: what else it says may repeat what was sent.
func failed(op string, err error) error {
	var ours *errs.Error
	switch {
	case errors.As(err, &ours):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return errs.Wrap(err, errs.Canceled, op, "canceled")
	}
	code := codeOf(err)
	var answer *awshttp.ResponseError
	switch answered := errors.As(err, &answer) && answer.HTTPStatusCode() != 0; {
	case code == "" && !answered:
		return errs.Wrap(err, errs.Unavailable, op, "the destination can't be reached")
	case code == "" && answer.HTTPStatusCode() == http.StatusForbidden:
		code = "AccessDenied"
	}
	out := byCode(op, code)
	if answer != nil {
		out.RequestID = answer.ServiceRequestID()
	}
	return out
}

// byCode makes the error of a code.
func byCode(op, code string) *errs.Error {
	out := &errs.Error{Kind: errs.Unavailable, Origin: errs.Ours, Op: op, Code: code, Msg: messages[code]}
	switch {
	case notHere[code]:
		out.Kind, out.Msg = errs.Corrupt, "the destination can't hold this name: it is too long, or a folder stands where a file is needed"
	case out.Msg == "":
		out.Msg = "the destination did not do what was asked"
	}
	return out
}
