package s3

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
)

// Element is one element of an error's XML body, besides Code and Message.
type Element struct{ Name, Value string }

// Error is an answer of the service that is not a success. A Status or Message
// that is left out is the one that AWS gives with the Code.
type Error struct {
	Status  int
	Code    string
	Message string
	Header  http.Header
	Extra   []Element
}

// Error gives the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// known gives status and message of the codes that clients tell apart.
var knownErrors = map[string]struct {
	status  int
	message string
}{
	"AccessDenied":                       {403, "Access Denied"},
	"AccountProblem":                     {403, "There is a problem with your AWS account that prevents the operation from completing successfully."},
	"AllAccessDisabled":                  {403, "All access to this Amazon S3 resource has been disabled."},
	"AuthorizationHeaderMalformed":       {400, "The authorization header is malformed."},
	"BucketNotEmpty":                     {409, "The bucket you tried to delete is not empty"},
	"ExpiredToken":                       {400, "The provided token has expired."},
	"IllegalLocationConstraintException": {400, "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to."},
	"InternalError":                      {500, "We encountered an internal error. Please try again."},
	"InvalidAccessKeyId":                 {403, "The AWS Access Key Id you provided does not exist in our records."},
	"InvalidArgument":                    {400, "Invalid Argument"},
	"InvalidBucketName":                  {400, "The specified bucket is not valid."},
	"InvalidClientTokenId":               {403, "The security token included in the request is invalid."},
	"InvalidObjectState":                 {403, "The operation is not valid for the object's storage class"},
	"InvalidRange":                       {416, "The requested range is not satisfiable"},
	"InvalidSecurity":                    {403, "The provided security credentials are not valid."},
	"InvalidToken":                       {400, "The provided token is malformed or otherwise invalid."},
	"MethodNotAllowed":                   {405, "The specified method is not allowed against this resource."},
	"MissingAuthenticationToken":         {403, "Request is missing Authentication Token"},
	"NoSuchBucket":                       {404, "The specified bucket does not exist"},
	"NoSuchKey":                          {404, "The specified key does not exist."},
	"NoSuchVersion":                      {404, "The specified version does not exist."},
	"NotImplemented":                     {501, "A header you provided implies functionality that is not implemented"},
	"NotModified":                        {304, "Not Modified"},
	"NotSignedUp":                        {403, "Your account is not signed up for the Amazon S3 service."},
	"PermanentRedirect":                  {301, "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."},
	"PreconditionFailed":                 {412, "At least one of the pre-conditions you specified did not hold"},
	"RegionDisabledException":            {403, "STS is not activated in this region for account:123456789012. Your account administrator can activate STS in this region using the IAM Console."},
	"RequestTimeTooSkewed":               {403, "The difference between the request time and the current time is too large."},
	"RequestTimeout":                     {400, "Your socket connection to the server was not read from or written to within the timeout period."},
	"ServiceUnavailable":                 {503, "Service is unable to handle request."},
	"SignatureDoesNotMatch":              {403, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
	"SlowDown":                           {503, "Please reduce your request rate."},
	"TemporaryRedirect":                  {307, "Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests."},
	"TokenRefreshRequired":               {400, "The provided token must be refreshed."},
	"TooManyRequests":                    {429, "Please reduce your request rate."},
	"ValidationError":                    {400, "The input fails to satisfy the constraints specified by an AWS service."},
}

// failure makes an error of a known code.
func failure(code string, extra ...Element) *Error {
	return &Error{Code: code, Extra: extra}
}

// complete returns a copy with the status and message that the code implies.
func (e *Error) complete() *Error {
	c := *e
	k := knownErrors[c.Code]
	if c.Status == 0 {
		c.Status = k.status
	}
	if c.Status == 0 {
		c.Status = http.StatusBadRequest
	}
	if c.Message == "" {
		c.Message = k.message
	}
	return &c
}

// fail answers with an error, in the form of the service that was asked.
func (x *exchange) fail(err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: "InternalError", Message: err.Error()}
	}
	e = e.complete()
	h := x.w.Header()
	for name, values := range e.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	x.s.log.code(x.entry, e.Code)
	if x.r.Method == http.MethodHead || e.Status == http.StatusNotModified {
		x.w.WriteHeader(e.Status)
		return
	}
	body := x.errorBody(e)
	h.Set("Content-Type", "application/xml")
	x.w.WriteHeader(e.Status)
	_, _ = x.w.Write(body)
}

// errorBody renders an error as S3 or STS does.
func (x *exchange) errorBody(e *Error) []byte {
	var d document
	if x.entry.Operation.sts() {
		d.open("ErrorResponse", stsNamespace)
		d.open("Error", "")
		kind := "Sender"
		if e.Status >= 500 {
			kind = "Receiver"
		}
		d.element("Type", kind)
		d.element("Code", e.Code)
		d.element("Message", e.Message)
		d.elements(e.Extra)
		d.close("Error")
		d.element("RequestId", x.entry.RequestID)
		d.close("ErrorResponse")
		return d.bytes()
	}
	d.open("Error", "")
	d.element("Code", e.Code)
	d.element("Message", e.Message)
	d.elements(e.Extra)
	d.element("RequestId", x.entry.RequestID)
	d.element("HostId", "emulator")
	d.close("Error")
	return d.bytes()
}

// document writes XML element by element. Hand-written because a page of a list
// is a thousand entries, and because a key may hold characters that XML 1.0
// can't: like S3, it then writes a reference that strict parsers refuse.
type document struct{ buf bytes.Buffer }

func (d *document) bytes() []byte { return d.buf.Bytes() }

// open starts an element; the outermost one writes the XML declaration first.
func (d *document) open(name, namespace string) {
	if d.buf.Len() == 0 {
		d.buf.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
	}
	d.buf.WriteString("<" + name)
	if namespace != "" {
		d.buf.WriteString(` xmlns="` + namespace + `"`)
	}
	d.buf.WriteByte('>')
}

func (d *document) close(name string) { d.buf.WriteString("</" + name + ">") }

func (d *document) element(name, value string) {
	d.open(name, "")
	d.text(value)
	d.close(name)
}

// optional writes an element unless its value is empty.
func (d *document) optional(name, value string) {
	if value != "" {
		d.element(name, value)
	}
}

func (d *document) elements(list []Element) {
	for _, e := range list {
		d.element(e.Name, e.Value)
	}
}

const hexDigits = "0123456789ABCDEF"

// text writes character data. Invalid UTF-8 becomes U+FFFD.
func (d *document) text(s string) {
	for _, c := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case c == '&':
			d.buf.WriteString("&amp;")
		case c == '<':
			d.buf.WriteString("&lt;")
		case c == '>':
			d.buf.WriteString("&gt;")
		case c == '"':
			d.buf.WriteString("&quot;")
		case c < 0x20:
			d.buf.WriteString("&#x")
			if c >= 0x10 {
				d.buf.WriteByte(hexDigits[c>>4])
			}
			d.buf.WriteByte(hexDigits[c&15])
			d.buf.WriteByte(';')
		default:
			d.buf.WriteRune(c)
		}
	}
}
