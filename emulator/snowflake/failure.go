package snowflake

import "fmt"

// failure is a refusal in Snowflake's terms.
type failure struct {
	code    string
	state   string // SQLSTATE
	message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

// fail makes the failure of a code that is in the table, with the table's message.
func fail(code string) *failure {
	k, ok := known[code]
	if !ok {
		k = failure{state: "HY000", message: "Failure by script."}
	}
	return &failure{code: code, state: k.state, message: k.message}
}

// failf makes a failure with a message of its own.
func failf(code, format string, args ...any) *failure {
	f := fail(code)
	f.message = fmt.Sprintf(format, args...)
	return f
}

// known are the codes a client meets, with the states Snowflake sends beside
// them.
var known = map[string]failure{
	"390100": {state: "08001", message: "Incorrect username or password was specified."},
	"390102": {state: "08001", message: "Your user account has been temporarily locked due to too many failed attempts. Try again after 15 minutes."},
	"390104": {state: "08001", message: "Authentication token is not valid. Please log in again."},
	"390111": {state: "08001", message: "Session no longer exists. New login required to access the service."},
	"390112": {state: "08001", message: "Session token has expired."},
	"390114": {state: "08001", message: "Authentication token has expired. The user must authenticate again."},
	"390115": {state: "08001", message: "Master token is not valid. The user must authenticate again."},
	"390144": {state: "08001", message: "JWT token is invalid. [00000000-0000-4000-8000-000000000000]"},
	"390186": {state: "08001", message: "Role specified in the connect string is not granted to this user."},
	"390189": {state: "08001", message: "Role specified in the connect string does not exist or not authorized."},
	"390201": {state: "08001", message: "The requested object does not exist or not authorized."},
	"390303": {state: "08001", message: "Invalid OAuth access token."},
	"390318": {state: "08001", message: "OAuth access token expired."},
	"390420": {state: "08001", message: "Incoming request is not allowed to access Snowflake."},
	"390422": {state: "08001", message: "Incoming request with this IP is not allowed to access Snowflake. Contact your account administrator."},
	"394300": {state: "08001", message: "JWT token is invalid: the user in the issuer or subject is unknown."},
	"394301": {state: "08001", message: "JWT token is invalid: issue or expiration time is missing."},
	"394302": {state: "08001", message: "JWT token is invalid: it was issued more than 60 seconds ago, or in the future."},
	"394303": {state: "08001", message: "JWT token is invalid: it has expired."},
	"394304": {state: "08001", message: "JWT token is invalid: public key fingerprint mismatch."},
	"394305": {state: "08001", message: "JWT token is invalid: algorithm."},
	"394306": {state: "08001", message: "JWT token is invalid: signature."},
	"394307": {state: "08001", message: "JWT token is invalid: mismatch of the account."},

	"000604": {state: "57014", message: "SQL execution canceled"},
	"000605": {state: "02000", message: "Identified SQL statement is not currently executing."},
	"000606": {state: "57P03", message: "No active warehouse selected in the current session.  Select an active warehouse with the 'use warehouse' command."},
	"000630": {state: "57014", message: "Statement reached its statement or warehouse timeout and was canceled."},
	"000904": {state: "42000", message: "SQL compilation error: invalid identifier"},
	"001003": {state: "42000", message: "SQL compilation error: syntax error"},
	"002003": {state: "42S02", message: "SQL compilation error: Object does not exist or not authorized."},
	"002043": {state: "02000", message: "SQL compilation error: Object does not exist, or operation cannot be performed."},
	"002140": {state: "42601", message: "SQL compilation error: Unknown function"},
	"001007": {state: "22023", message: "SQL compilation error: invalid type for parameter"},
	"002049": {state: "42601", message: "SQL compilation error: Bind variable not set"},
	"003001": {state: "42501", message: "SQL access control error: Insufficient privileges to operate on the object"},
	"000707": {state: "02000", message: "Time travel data is not available. The requested time is either beyond the allowed time travel period or before the object creation time."},
	"100035": {state: "22007", message: "Timestamp is not recognized"},
	"100037": {state: "22018", message: "Boolean value is not recognized"},
	"100038": {state: "22018", message: "Numeric value is not recognized"},
	"100039": {state: "22003", message: "Numeric value is out of range"},
	"100040": {state: "22007", message: "Date is not recognized"},
	"100069": {state: "22P02", message: "Error parsing JSON"},
	"100108": {state: "22007", message: "Time is not recognized"},
	"100115": {state: "22000", message: "The following string is not a legal hex-encoded value"},
}
