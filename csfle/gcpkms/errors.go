package gcpkms

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"cloud.google.com/go/auth"
	"google.golang.org/api/googleapi"

	"mooring/internal/errs"
)

// classify keeps of an error what helps and nothing that the service wrote but its
// status code. Only a decryption that the service calls a wrong argument says
// something about the material: what of a request is not material was checked.
func classify(err error, decrypts bool, op, msg string) error {
	var api *googleapi.Error
	var token *auth.Error
	switch {
	case errors.Is(err, context.Canceled):
		return errs.New(errs.Canceled, op, msg)
	case errors.As(err, &api):
		code := status(api)
		kind := refusal(api.Code)
		if decrypts && api.Code == http.StatusBadRequest && code == "INVALID_ARGUMENT" {
			kind = errs.Corrupt
		}
		if code != "" {
			msg += " (" + code + ")"
		}
		return errs.New(kind, op, msg)
	case errors.As(err, &token) && token.Response != nil:
		return errs.New(refusal(token.Response.StatusCode), op, msg+": the credentials got no token")
	}
	return errs.New(errs.Unavailable, op, msg)
}

func refusal(code int) errs.Kind {
	if code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout {
		return errs.Unavailable
	}
	return errs.PermissionDenied
}

var statusCode = regexp.MustCompile(`^[A-Z_]{1,40}$`)

func status(e *googleapi.Error) string {
	var body struct{ Error struct{ Status string } }
	if json.Unmarshal([]byte(e.Body), &body) != nil || !statusCode.MatchString(body.Error.Status) {
		return ""
	}
	return body.Error.Status
}
