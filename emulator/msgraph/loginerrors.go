package msgraph

import (
	"fmt"
	"net/http"
)

// loginErrors are the errors of the identity platform by AADSTS code.
var loginErrors = map[int]struct {
	code    string
	status  int
	message string
}{
	50011:   {"invalid_request", 400, "The redirect URI specified in the request does not match the redirect URIs configured for the application."},
	50020:   {"invalid_grant", 400, "User account does not exist in tenant."},
	50076:   {"invalid_grant", 400, "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource."},
	50079:   {"invalid_grant", 400, "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access the resource."},
	50173:   {"invalid_grant", 400, "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password."},
	53003:   {"invalid_grant", 400, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."},
	65001:   {"invalid_grant", 400, "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource."},
	70000:   {"invalid_grant", 400, "Provided grant is invalid or malformed."},
	70003:   {"unsupported_grant_type", 400, "The app requested an unsupported grant type."},
	70005:   {"unsupported_response_type", 400, "The app returned an unsupported response type."},
	70008:   {"invalid_grant", 400, "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."},
	70011:   {"invalid_scope", 400, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid."},
	90002:   {"invalid_request", 400, "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."},
	90033:   {"temporarily_unavailable", 503, "A transient error has occurred. Please try again."},
	500011:  {"invalid_resource", 400, "The resource principal was not found in the tenant."},
	501481:  {"invalid_grant", 400, "The Code_Verifier does not match the code_challenge supplied in the authorization request."},
	501491:  {"invalid_request", 400, "InvalidCodeChallengeMethodInvalidSize - Invalid size of Code_Challenge parameter."},
	700016:  {"unauthorized_client", 400, "Application was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."},
	700025:  {"invalid_client", 401, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."},
	700082:  {"invalid_grant", 400, "The refresh token has expired due to inactivity."},
	700084:  {"invalid_grant", 400, "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which can't be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page."},
	900023:  {"invalid_request", 400, "Specified tenant identifier is neither a valid DNS name, nor a valid external domain."},
	900144:  {"invalid_request", 400, "The request body must contain the following parameter."},
	7000215: {"invalid_client", 401, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to the app."},
	7000218: {"invalid_client", 401, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."},
	7000222: {"invalid_client", 401, "The provided client secret keys for the app are expired. Visit the Azure portal to create new keys for your app, or consider using certificate credentials for added security."},
	9002313: {"invalid_grant", 400, "Invalid request. Request is malformed or invalid."},
}

// loginError makes an error of the identity platform. An unknown code is an
// invalid_grant; 0 is a server_error without a code.
func loginError(aadsts int) *Error {
	if aadsts == 0 {
		return &Error{Status: http.StatusInternalServerError, Code: "server_error", Message: "The server encountered an unexpected error."}
	}
	known, ok := loginErrors[aadsts]
	if !ok {
		known.code, known.status, known.message = "invalid_grant", http.StatusBadRequest, "The grant was refused."
	}
	return &Error{Status: known.status, Code: known.code, Message: known.message, aadsts: aadsts}
}

// description is the text that users are shown.
func (x *exchange) description(e *Error) string {
	text := e.Message
	if e.aadsts != 0 {
		text = fmt.Sprintf("AADSTS%d: %s", e.aadsts, text)
	}
	return fmt.Sprintf("%s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s",
		text, x.entry.ID, x.clientID(), x.entry.Time.Format("2006-01-02 15:04:05Z"))
}

// loginBody is the body of an error of the identity platform.
func (x *exchange) loginBody(e *Error) object {
	o := object{
		"error": e.Code, "error_description": x.description(e), "timestamp": x.entry.Time.Format("2006-01-02 15:04:05Z"),
		"trace_id": x.entry.ID, "correlation_id": x.clientID(),
	}
	if e.aadsts != 0 {
		o["error_codes"] = []int{e.aadsts}
		o["error_uri"] = fmt.Sprintf("%s/error?code=%d", x.base(), e.aadsts)
	}
	if e.suberror != "" {
		o["suberror"], o["claims"] = e.suberror, e.claims
	}
	return o
}
