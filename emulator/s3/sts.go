package s3

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	account      = "123456789012"
	maxSTSBody   = 1 << 20
)

// Role can be assumed through STS.
type Role struct {
	ARN string // arn:aws:iam::<account>:role/<name>
	// Trust lists who may assume the role: access key ids, or ARNs of roles
	// whose sessions may.
	Trust []string
	// ExternalID must be presented; a role without one takes any or none.
	ExternalID string
	// Lifetime, when not zero, is how long a session lasts, whatever is asked:
	// shorter than STS ever grants, to see sessions expire.
	Lifetime time.Duration
	// MaxDuration is the longest session that may be asked for, one hour when
	// zero.
	MaxDuration time.Duration
	// Deny lists what sessions of the role may not do.
	Deny []Match
}

// AddRole adds a role, or replaces the one with its ARN. Sessions stay.
func (s *Server) AddRole(r Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[r.ARN] = r
}

// RemoveRole removes a role. Sessions stay.
func (s *Server) RemoveRole(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.roles, arn)
}

// readSTS recognizes a form posted to the root, and reads it.
func (x *exchange) readSTS() bool {
	if x.r.Method != http.MethodPost || x.r.URL.Path != "/" ||
		!strings.HasPrefix(x.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return false
	}
	body, err := io.ReadAll(io.LimitReader(x.r.Body, maxSTSBody))
	x.body = body
	x.r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return false
	}
	x.form, _ = url.ParseQuery(string(body))
	switch op := Operation(x.form.Get("Action")); op {
	case AssumeRole, GetCallerIdentity:
		x.entry.Operation = op
	default:
		return false
	}
	x.entry.RoleARN = x.form.Get("RoleArn")
	x.entry.ExternalID = x.form.Get("ExternalId")
	return true
}

// sts answers an STS request.
func (x *exchange) sts() error {
	who, err := x.authenticateSTS()
	if err != nil {
		return err
	}
	if x.entry.Operation == GetCallerIdentity {
		return x.callerIdentity(who)
	}
	return x.assumeRole(who)
}

// authenticateSTS verifies who sent an STS request.
func (x *exchange) authenticateSTS() (*credential, error) {
	a, ok := parseAuthorization(x.r, x.query)
	if !ok {
		return nil, failure("MissingAuthenticationToken")
	}
	if slices.Contains(x.s.opts.DisabledSTSRegions, a.region) {
		return nil, failure("RegionDisabledException")
	}
	who, err := x.s.lookup(a.key, sessionToken(x.r, x.query))
	var refused *Error
	if errors.As(err, &refused) && refused.Code == "ExpiredToken" {
		return nil, &Error{Status: http.StatusForbidden, Code: refused.Code, Message: "The security token included in the request is expired"}
	}
	if err != nil {
		return nil, failure("InvalidClientTokenId")
	}
	hash := sha256.Sum256(x.body)
	if a.service != "sts" || !a.resigned(x.r, who.AccessKey, hex.EncodeToString(hash[:])) {
		return nil, failure("SignatureDoesNotMatch")
	}
	signed, _ := time.Parse(amzTime, x.r.Header.Get("X-Amz-Date"))
	if skew := time.Since(signed); skew > maxSkew || skew < -maxSkew {
		return nil, &Error{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch", Message: "Signature expired: " + x.r.Header.Get("X-Amz-Date") + " is now outside the window of 15 min."}
	}
	return who, nil
}

var (
	sessionName  = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalID   = regexp.MustCompile(`^[\w+=,.@:/\\-]{2,}$`)
	roleARN      = regexp.MustCompile(`^arn:aws[\w-]*:iam::\d{12}:role/.+$`)
	minDuration  = 15 * time.Minute
	longDuration = 12 * time.Hour
)

// assumeRole answers AssumeRole.
func (x *exchange) assumeRole(who *credential) error {
	arn, name, external := x.entry.RoleARN, x.form.Get("RoleSessionName"), x.entry.ExternalID
	duration, err := x.duration()
	switch {
	case err != nil:
		return err
	case !roleARN.MatchString(arn):
		return validation(arn + " is invalid")
	case !sessionName.MatchString(name):
		return validation("1 validation error detected: Value '" + name + "' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*")
	case x.form.Has("ExternalId") && (len(external) > 1224 || !externalID.MatchString(external)):
		return validation("1 validation error detected: Value at 'externalId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@:\\/-]*")
	}
	x.s.mu.RLock()
	role, known := x.s.roles[arn]
	x.s.mu.RUnlock()
	trusted := slices.Contains(role.Trust, who.ID) || who.role != "" && slices.Contains(role.Trust, who.role)
	if !known || !trusted || role.ExternalID != "" && role.ExternalID != external {
		e := failure("AccessDenied")
		e.Message = fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", who.arn(), arn)
		return e
	}
	if longest := max(role.MaxDuration, time.Hour); duration > longest {
		return validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if role.Lifetime > 0 {
		duration = role.Lifetime
	}
	x.grant(x.s.newSession(role, name, duration))
	return nil
}

// duration reads DurationSeconds.
func (x *exchange) duration() (time.Duration, error) {
	v := x.form.Get("DurationSeconds")
	if v == "" {
		return time.Hour, nil
	}
	n, err := strconv.Atoi(v)
	d := time.Duration(n) * time.Second
	if err != nil || d < minDuration || d > longDuration {
		return 0, validation("1 validation error detected: Value '" + v + "' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200")
	}
	return d, nil
}

func validation(message string) *Error {
	e := failure("ValidationError")
	e.Message = message
	return e
}

// newSession makes the keys of a session and accepts them.
func (s *Server) newSession(role Role, name string, lifetime time.Duration) *credential {
	c := &credential{
		AccessKey: AccessKey{
			ID:           "ASIA" + rand.Text()[:16],
			Secret:       rand.Text() + rand.Text()[:14],
			SessionToken: "emulator-session-" + rand.Text() + rand.Text(),
			Expires:      s.now().Add(lifetime).Truncate(time.Second),
			Deny:         role.Deny,
		},
		role: role.ARN, session: name,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[c.ID] = c
	return c
}

// grant writes the credentials of a session.
func (x *exchange) grant(c *credential) {
	var d document
	d.open("AssumeRoleResponse", stsNamespace)
	d.open("AssumeRoleResult", "")
	d.open("Credentials", "")
	d.element("AccessKeyId", c.ID)
	d.element("SecretAccessKey", c.Secret)
	d.element("SessionToken", c.SessionToken)
	d.element("Expiration", c.Expires.UTC().Format(time.RFC3339))
	d.close("Credentials")
	d.open("AssumedRoleUser", "")
	d.element("Arn", c.arn())
	d.element("AssumedRoleId", "AROAEMULATOR00000000:"+c.session)
	d.close("AssumedRoleUser")
	d.close("AssumeRoleResult")
	d.metadata(x.entry.RequestID)
	d.close("AssumeRoleResponse")
	x.send(d.bytes())
}

// callerIdentity answers GetCallerIdentity.
func (x *exchange) callerIdentity(who *credential) error {
	var d document
	d.open("GetCallerIdentityResponse", stsNamespace)
	d.open("GetCallerIdentityResult", "")
	d.element("Arn", who.arn())
	d.element("UserId", who.ID)
	d.element("Account", account)
	d.close("GetCallerIdentityResult")
	d.metadata(x.entry.RequestID)
	d.close("GetCallerIdentityResponse")
	x.send(d.bytes())
	return nil
}

func (d *document) metadata(requestID string) {
	d.open("ResponseMetadata", "")
	d.element("RequestId", requestID)
	d.close("ResponseMetadata")
}

// assumedARN names the session of a role.
func assumedARN(role, session string) string {
	parts := strings.SplitN(role, ":", 6)
	if len(parts) < 6 {
		return role
	}
	path := strings.Split(parts[5], "/")
	return "arn:aws:sts::" + parts[4] + ":assumed-role/" + path[len(path)-1] + "/" + session
}
