package awskms_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle/awskms"
	"mooring/csfle/kmstest"
	"mooring/internal/errs"
)

const (
	arn   = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	other = "arn:aws:kms:eu-central-1:111122223333:key/99999999-12ab-34cd-56ef-1234567890ab"
)

func open(t *testing.T, s *kmstest.AWS, arn string) *awskms.Key {
	t.Helper()
	c := &aws.Config{HTTPClient: s.Client(), Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", ""), RetryMaxAttempts: 1}
	k, err := awskms.New(t.Context(), awskms.Options{ARN: arn, Endpoint: s.Endpoint(), Config: c})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKey(t *testing.T) {
	s := kmstest.StartAWS(t)
	k, plain := open(t, s, arn), bytes.Repeat([]byte{7}, 96)
	material, doc, err := k.Wrap(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := bson.Marshal(bson.D{{Key: "provider", Value: "aws"}, {Key: "region", Value: "eu-central-1"}, {Key: "key", Value: arn}, {Key: "endpoint", Value: s.Endpoint()}})
	if !bytes.Equal(doc, want) {
		t.Errorf("the document is %v", doc)
	}
	if got, err := k.Unwrap(t.Context(), material, doc); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("unwrapped %x, %v", got, err)
	}
	if _, err := open(t, s, other).Unwrap(t.Context(), material, doc); !errs.Is(err, errs.Corrupt) {
		t.Errorf("by another key: %v", err)
	}
	foreign, otherDoc, err := open(t, s, other).Wrap(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	if k.Matches(otherDoc) || !k.Matches(doc) {
		t.Error("it takes another key's documents for its own")
	}
	for what, m := range map[string][]byte{"another key's": foreign, "changed": append(bytes.Clone(material[:len(material)-1]), material[len(material)-1]^1), "empty": {}} {
		if _, err := k.Unwrap(t.Context(), m, doc); err == nil || what != "empty" && !errs.Is(err, errs.Corrupt) {
			t.Errorf("material that is %s: %v", what, err)
		}
	}
}

// Only material that is wrong may look so: else a service that is away would make
// credentials look lost.
func TestRefusalsSayNothingAboutTheMaterial(t *testing.T) {
	s := kmstest.StartAWS(t)
	k := open(t, s, arn)
	material, doc, err := k.Wrap(t.Context(), make([]byte, 96))
	if err != nil {
		t.Fatal(err)
	}
	for code, kind := range map[string]errs.Kind{"AccessDeniedException": errs.PermissionDenied, "DisabledException": errs.PermissionDenied,
		"KMSInvalidStateException": errs.PermissionDenied, "ThrottlingException": errs.Unavailable, "InvalidCiphertextException": errs.Corrupt} {
		s.Fail(code)
		if _, err := k.Unwrap(t.Context(), material, doc); !errs.Is(err, kind) {
			t.Errorf("%s: %v", code, err)
		}
	}
	s.Close()
	if _, err := k.Unwrap(t.Context(), material, doc); !errs.Is(err, errs.Unavailable) {
		t.Errorf("away: %v", err)
	}
}

func TestKeyringOverKMS(t *testing.T) {
	s := kmstest.StartAWS(t)
	_, _ = kmstest.Keyring(t, open(t, s, arn), open(t, s, other), s.Asked)
}

func TestParseURI(t *testing.T) {
	if o, err := awskms.ParseURI("aws-kms://" + arn + "?endpoint=127.0.0.1:8443"); err != nil || o.ARN != arn || o.Endpoint != "127.0.0.1:8443" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, uri := range []string{"", arn, "aws-kms://", "aws-kms://alias/a", "aws-kms://" + arn + "?x=1", "aws-kms://" + arn + "?endpoint=https://a", "gcp-kms://" + arn} {
		if _, err := awskms.ParseURI(uri); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// silence never answers.
type silence struct{}

func (silence) Do(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestACallThatIsNotAnsweredEnds(t *testing.T) {
	s := kmstest.StartAWS(t)
	material, doc, err := open(t, s, arn).Wrap(t.Context(), make([]byte, 96))
	if err != nil {
		t.Fatal(err)
	}
	c := &aws.Config{HTTPClient: silence{}, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", "")}
	k, err := awskms.New(t.Context(), awskms.Options{ARN: arn, Endpoint: s.Endpoint(), Config: c, Timeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Unwrap(t.Context(), material, doc); !errs.Is(err, errs.Unavailable) {
		t.Errorf("unwrapping: %v", err)
	}
	if _, _, err := k.Wrap(t.Context(), make([]byte, 96)); !errs.Is(err, errs.Unavailable) {
		t.Errorf("wrapping: %v", err)
	}
}
