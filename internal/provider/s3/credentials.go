package s3

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
)

// keys are an access key; the secret is revealed when a request is signed.
type keys struct {
	id            string
	secret, token secret.String
}

// Retrieve implements aws.CredentialsProvider.
func (k keys) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret.Reveal(), SessionToken: k.token.Reveal(), Source: "mooring"}, nil
}

func staticKeys(c config.Config) (aws.CredentialsProvider, error) {
	k := keys{c.Text("access_key_id"), c.Secrets["secret_access_key"], c.Secrets["session_token"]}
	if k.id == "" || k.secret.IsZero() {
		return nil, invalid("an access key needs access_key_id and secret_access_key")
	}
	return k, nil
}

// own gives the operator's identity, as it is at the moment, to STS alone.
type own struct{ identity driver.Identity }

func (o own) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if o.identity == nil {
		return aws.Credentials{}, errNoIdentity()
	}
	id, key, token, ok := o.identity.Credentials()
	if !ok {
		return aws.Credentials{}, errNoIdentity()
	}
	return keys{id, key, token}.Retrieve(ctx)
}

func errNoIdentity() error {
	return &errs.Error{
		Kind: errs.Invalid, Op: "sts.assume_role", Scope: errs.ScopeConnection,
		Msg: "this server has no AWS identity of its own to assume a role with: an operator must configure one, or use an access key",
	}
}

// sessionDuration is the longest that every role grants, also to one who came
// by a role himself.
const sessionDuration = time.Hour

// role is a role of the tenant's that the operator's identity assumes. Its
// session is renewed before it ends.
type role struct {
	arn, externalID string
	sts             *sts.Client
	cache           *aws.CredentialsCache

	mu  sync.Mutex
	gen int
}

func newRole(c config.Config, o driver.Options, region string) (*role, error) {
	r := &role{arn: c.Text("role_arn"), externalID: c.Text("external_id")}
	if r.arn == "" || r.externalID == "" {
		return nil, invalid("a role needs role_arn and external_id")
	}
	opts := sts.Options{
		Region: region, Credentials: own{o.OwnIdentity}, HTTPClient: bounded(o.Transport.Operator(), maxSession),
		Retryer: aws.NopRetryer{}, RetryMaxAttempts: 1,
	}
	if e := o.Endpoints["sts"]; e != "" {
		opts.BaseEndpoint = aws.String(e)
	}
	r.sts = sts.New(opts)
	r.cache = aws.NewCredentialsCache(r.provider(r.externalID), func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow, o.ExpiryWindowJitterFrac = 5*time.Minute, 0.5
	})
	return r, nil
}

func (r *role) provider(externalID string) aws.CredentialsProvider {
	return stscreds.NewAssumeRoleProvider(r.sts, r.arn, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration = "mooring", sessionDuration
		if externalID != "" {
			o.ExternalID = aws.String(externalID)
		}
	})
}

// Retrieve implements aws.CredentialsProvider. Its errors are classified, so
// that a failure of STS is not taken for one of S3.
func (r *role) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := r.cache.Retrieve(ctx)
	if err != nil {
		return c, classifySTS(err)
	}
	return c, nil
}

// generation tells sessions apart. A nil role has one.
func (r *role) generation() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gen
}

// renew drops the session of a generation, unless another request has already.
func (r *role) renew(gen int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if gen == r.gen {
		r.gen++
		r.cache.Invalidate()
	}
}

// guarded proves that the role can't be assumed without its external id. Were
// it, any other organization here that knows its name could assume it, too.
func (r *role) guarded(ctx context.Context) error {
	_, err := r.provider("").Retrieve(ctx)
	if err == nil {
		return &errs.Error{
			Kind: errs.Invalid, Origin: errs.Provider, Scope: errs.ScopeConnection, Op: "sts.assume_role", Code: "ExternalIdNotRequired",
			Msg: "the role can be assumed without its external id: its trust policy must demand sts:ExternalId",
		}
	}
	if e := classifySTS(err); e.Kind != errs.Unauthenticated {
		return e // it is not proven
	}
	return nil
}

// classifySTS turns an error of AssumeRole into one of ours. What is refused
// because of the operator's own identity is no fault of the connection.
func classifySTS(err error) *errs.Error {
	t := target{op: "sts.assume_role"}
	e := classify(t, err, time.Now())
	if e.Kind == errs.Canceled || e.Origin == errs.Ours {
		return e
	}
	e.Scope = errs.ScopeConnection
	var api smithy.APIError
	if !errors.As(err, &api) {
		return e
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		e.Kind, e.Msg = errs.Unauthenticated, "the role can't be assumed: its trust policy must name this server's AWS identity and the external id"
	case "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException",
		"MissingAuthenticationToken", "IncompleteSignature":
		e.Kind, e.Origin, e.Msg = errs.Internal, errs.Ours, "STS refuses this server's own AWS identity: an operator must renew it"
		e.Err = nil // the cause of an error of ours would be printed
	case "RegionDisabledException":
		e.Kind, e.Msg = errs.Invalid, "STS is not enabled in this region for this server's account: choose another region"
	case "ValidationError", "MalformedPolicyDocument", "PackedPolicyTooLarge":
		e.Kind, e.Msg = errs.Invalid, "STS does not accept role_arn or external_id"
	}
	return e
}
