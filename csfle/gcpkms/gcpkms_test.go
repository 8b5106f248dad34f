package gcpkms_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/csfle/gcpkms"
	"mooring/csfle/kmstest"
	"mooring/internal/errs"
)

const (
	name  = "projects/example/locations/europe-west1/keyRings/mooring/cryptoKeys/master"
	other = "projects/example/locations/europe-west1/keyRings/mooring/cryptoKeys/other"
)

func account(t *testing.T, s, signer *kmstest.GCP) *auth.Credentials {
	t.Helper()
	c, err := credentials.NewCredentialsFromJSON(credentials.ServiceAccount, signer.KeyFile("https://oauth2.googleapis.com/token"), &credentials.DetectOptions{
		Scopes: []string{"https://www.googleapis.com/auth/cloudkms"}, Client: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t *testing.T, s *kmstest.GCP, o gcpkms.Options) *gcpkms.Key {
	t.Helper()
	if o.Credentials == nil {
		o.Credentials = account(t, s, s)
	}
	if o.Transport == nil {
		o.Transport = s.Client().Transport
	}
	if o.Tries == 0 {
		o.Tries = 1
	}
	k, err := gcpkms.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func wrap(t *testing.T, k csfle.MasterKey, plain []byte) ([]byte, bson.Raw) {
	t.Helper()
	material, doc, err := k.Wrap(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	return material, doc
}

func TestKey(t *testing.T) {
	s := kmstest.StartGCP(t)
	k, plain := open(t, s, gcpkms.Options{Name: name}), bytes.Repeat([]byte{7}, 96)
	material, doc := wrap(t, k, plain)
	fields := bson.D{{Key: "provider", Value: "gcp"}, {Key: "projectId", Value: "example"}, {Key: "location", Value: "europe-west1"}, {Key: "keyRing", Value: "mooring"}, {Key: "keyName", Value: "master"}}
	if want, _ := bson.Marshal(fields); !bytes.Equal(doc, want) {
		t.Errorf("the document is %v", doc)
	}
	if got, err := k.Unwrap(t.Context(), material, doc); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("unwrapped %x, %v", got, err)
	}
	if _, err := open(t, s, gcpkms.Options{Name: other}).Unwrap(t.Context(), material, doc); !errs.Is(err, errs.Corrupt) {
		t.Errorf("by another key: %v", err)
	}
	foreign, otherDoc := wrap(t, open(t, s, gcpkms.Options{Name: other}), plain)
	if k.Matches(otherDoc) || !k.Matches(doc) {
		t.Error("it takes another key's documents for its own")
	}
	for what, m := range map[string][]byte{"another key's": foreign, "changed": append(bytes.Clone(material[:len(material)-1]), material[len(material)-1]^1), "empty": {}} {
		if _, err := k.Unwrap(t.Context(), m, doc); !errs.Is(err, errs.Corrupt) {
			t.Errorf("material that is %s: %v", what, err)
		}
	}
	at := open(t, s, gcpkms.Options{Name: name, Endpoint: s.Address()})
	if _, doc := wrap(t, at, plain); doc.Lookup("endpoint").StringValue() != s.Address() || !k.Matches(doc) {
		t.Errorf("by an endpoint: %v", doc)
	}
}

func TestVersions(t *testing.T) {
	s := kmstest.StartGCP(t)
	k, plain := open(t, s, gcpkms.Options{Name: name}), make([]byte, 96)
	first, doc := wrap(t, k, plain)
	s.Rotate()
	if got, err := k.Unwrap(t.Context(), first, doc); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("after a rotation: %x, %v", got, err)
	}
	one, two := open(t, s, gcpkms.Options{Name: name + "/cryptoKeyVersions/1"}), open(t, s, gcpkms.Options{Name: name + "/cryptoKeyVersions/2"})
	byOne, docOne := wrap(t, one, plain)
	if v := docOne.Lookup("keyVersion").StringValue(); v != "1" {
		t.Errorf("the document names version %q", v)
	}
	if two.Matches(docOne) || !one.Matches(docOne) || !k.Matches(docOne) || !one.Matches(doc) {
		t.Error("versions are mistaken for each other")
	}
	s.Disable(1)
	if _, err := one.Unwrap(t.Context(), byOne, docOne); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("a disabled version: %v", err)
	}
	byTwo, docTwo := wrap(t, two, plain)
	if got, err := k.Unwrap(t.Context(), byTwo, docTwo); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("by the second version: %x, %v", got, err)
	}
	if _, _, err := open(t, s, gcpkms.Options{Name: name + "/cryptoKeyVersions/9"}).Wrap(t.Context(), plain); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("a version that is not there: %v", err)
	}
}

// Only material that is wrong may look so: else a service that is away would make
// credentials look lost.
func TestRefusalsSayNothingAboutTheMaterial(t *testing.T) {
	s := kmstest.StartGCP(t)
	k := open(t, s, gcpkms.Options{Name: name})
	material, doc := wrap(t, k, make([]byte, 96))
	for _, f := range []struct {
		status int
		code   string
		kind   errs.Kind
	}{
		{403, "PERMISSION_DENIED", errs.PermissionDenied}, {400, "FAILED_PRECONDITION", errs.PermissionDenied}, {404, "NOT_FOUND", errs.PermissionDenied},
		{401, "UNAUTHENTICATED", errs.PermissionDenied}, {429, "RESOURCE_EXHAUSTED", errs.Unavailable}, {503, "UNAVAILABLE", errs.Unavailable},
		{500, "INTERNAL", errs.Unavailable}, {408, "", errs.Unavailable}, {302, "", errs.PermissionDenied}, {400, "INVALID_ARGUMENT", errs.Corrupt},
	} {
		s.Fail(f.status, f.code)
		if _, err := k.Unwrap(t.Context(), material, doc); !errs.Is(err, f.kind) {
			t.Errorf("%d %s: %v", f.status, f.code, err)
		}
	}
	if _, _, err := k.Wrap(t.Context(), make([]byte, 96)); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("nothing was unwrapped: %v", err)
	}
	s.Fail(0, "")
	if _, err := open(t, s, gcpkms.Options{Name: name, Credentials: account(t, s, kmstest.StartGCP(t))}).Unwrap(t.Context(), material, doc); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("with a key that is not the account's: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Unwrap(canceled, material, doc); !errs.Is(err, errs.Canceled) {
		t.Errorf("given up: %v", err)
	}
	silent := open(t, s, gcpkms.Options{Name: name, Transport: silence{}, Timeout: time.Millisecond})
	if _, err := silent.Unwrap(t.Context(), material, doc); !errs.Is(err, errs.Unavailable) {
		t.Errorf("without an answer: %v", err)
	}
	s.Close()
	for what, away := range map[string]*gcpkms.Key{"the service": k, "the token endpoint": open(t, s, gcpkms.Options{Name: name})} {
		if _, err := away.Unwrap(t.Context(), material, doc); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s is away: %v", what, err)
		}
	}
}

// silence never answers.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestWhatFailsForNowIsTriedAgain(t *testing.T) {
	s := kmstest.StartGCP(t)
	k := open(t, s, gcpkms.Options{Name: name, Tries: 2})
	material, doc := wrap(t, k, make([]byte, 96))
	for status, tries := range map[int]int{503: 2, 403: 1} {
		before := len(s.Asked())
		s.Fail(status, "")
		_, err := k.Unwrap(t.Context(), material, doc)
		if n := len(s.Asked()) - before; err == nil || n != tries {
			t.Errorf("%d: asked %d times, %v", status, n, err)
		}
	}
}

func TestKeyringOverKMS(t *testing.T) {
	s := kmstest.StartGCP(t)
	_, err := kmstest.Keyring(t, open(t, s, gcpkms.Options{Name: name}), open(t, s, gcpkms.Options{Name: other}), s.Asked)
	if err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("with another key: %v", err)
	}
}

func TestParseURI(t *testing.T) {
	if o, err := gcpkms.ParseURI("gcp-kms://" + name + "/cryptoKeyVersions/3?endpoint=127.0.0.1:8443"); err != nil || o.Name != name+"/cryptoKeyVersions/3" || o.Endpoint != "127.0.0.1:8443" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, uri := range []string{"", name, "gcp-kms://", "gcp-kms:///" + name, "gcp-kms://" + name + "/", "gcp-kms://" + name + "/cryptoKeyVersions/x", "gcp-kms://" + name + "?x=1",
		"gcp-kms://" + name + "?endpoint=https://a", "aws-kms://" + name, "gcp-kms://projects/../locations/l/keyRings/r/cryptoKeys/k", "gcp-kms://projects/p%2Fx/locations/l/keyRings/r/cryptoKeys/k"} {
		if _, err := gcpkms.ParseURI(uri); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if _, err := gcpkms.New(t.Context(), gcpkms.Options{Name: "projects/../x"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a name that is none: %v", err)
	}
}
