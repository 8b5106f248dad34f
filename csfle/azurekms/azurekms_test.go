package azurekms_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/csfle/azurekms"
	"mooring/csfle/kmstest"
	"mooring/internal/errs"
)

const vault = "mooring.vault.azure.net"

func client(t policy.Transporter) azcore.ClientOptions {
	return azcore.ClientOptions{Transport: t, Retry: policy.RetryOptions{MaxRetries: -1}}
}

func identity(t *testing.T, s *kmstest.Azure, secret string) azcore.TokenCredential {
	t.Helper()
	c, err := azidentity.NewClientSecretCredential(kmstest.AzureTenant, kmstest.AzureClient, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: client(s.Client())})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t *testing.T, s *kmstest.Azure, o azurekms.Options) *azurekms.Key {
	t.Helper()
	if o.Credential == nil {
		o.Credential = identity(t, s, kmstest.AzureSecret)
	}
	if o.Client.Transport == nil {
		o.Client = client(s.Client())
	}
	o.Vault = vault
	k, err := azurekms.New(o)
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

func document(t *testing.T, fields ...bson.E) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(append(bson.D{{Key: "provider", Value: "azure"}, {Key: "keyVaultEndpoint", Value: vault}}, fields...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestKey(t *testing.T) {
	s := kmstest.StartAzure(t)
	version := s.NewVersion(t, "master")
	s.NewVersion(t, "other")
	k, plain := open(t, s, azurekms.Options{Name: "master"}), bytes.Repeat([]byte{7}, 96)
	material, doc := wrap(t, k, plain)
	if want := document(t, bson.E{Key: "keyName", Value: "master"}, bson.E{Key: "keyVersion", Value: version}); !bytes.Equal(doc, want) {
		t.Errorf("the document is %v", doc)
	}
	if got, err := k.Unwrap(t.Context(), material, doc); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("unwrapped %x, %v", got, err)
	}
	stranger := open(t, s, azurekms.Options{Name: "other"})
	if _, err := stranger.Unwrap(t.Context(), material, doc); !errs.Is(err, errs.Corrupt) {
		t.Errorf("by another key: %v", err)
	}
	foreign, otherDoc := wrap(t, stranger, plain)
	if k.Matches(otherDoc) || !k.Matches(doc) {
		t.Error("it takes another key's documents for its own")
	}
	for what, m := range map[string][]byte{"another key's": foreign, "changed": append(bytes.Clone(material[:len(material)-1]), material[len(material)-1]^1), "empty": {}} {
		if _, err := k.Unwrap(t.Context(), m, doc); !errs.Is(err, errs.Corrupt) {
			t.Errorf("material that is %s: %v", what, err)
		}
	}
	if k.Matches(document(t, bson.E{Key: "keyName", Value: "master"}, bson.E{Key: "keyVersion", Value: "../../other/1"})) {
		t.Error("a path is taken for a version")
	}
}

func TestVersions(t *testing.T) {
	s := kmstest.StartAzure(t)
	first := s.NewVersion(t, "master")
	k, plain := open(t, s, azurekms.Options{Name: "master"}), make([]byte, 96)
	material, doc := wrap(t, k, plain)
	unnamed := document(t, bson.E{Key: "keyName", Value: "master"}) // as drivers write it
	if got, err := k.Unwrap(t.Context(), material, unnamed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("of a document without a version: %x, %v", got, err)
	}
	second := s.NewVersion(t, "master")
	if got, err := k.Unwrap(t.Context(), material, doc); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("after a rotation: %x, %v", got, err)
	}
	if _, err := k.Unwrap(t.Context(), material, unnamed); !errs.Is(err, errs.Corrupt) {
		t.Errorf("of a document without a version, after a rotation: %v", err)
	}
	one, two := open(t, s, azurekms.Options{Name: "master", Version: first}), open(t, s, azurekms.Options{Name: "master", Version: second})
	if got, err := one.Unwrap(t.Context(), material, unnamed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("the same by the version that wrapped: %x, %v", got, err)
	}
	if two.Matches(doc) || !one.Matches(doc) {
		t.Error("versions are mistaken for each other")
	}
	if _, doc := wrap(t, one, plain); doc.Lookup("keyVersion").StringValue() != first {
		t.Errorf("wrapped by another version than it was to: %v", doc)
	}
	if _, _, err := open(t, s, azurekms.Options{Name: "master", Version: "0"}).Wrap(t.Context(), plain); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("a version that is not there: %v", err)
	}
	s.Disable("master")
	if _, err := one.Unwrap(t.Context(), material, doc); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("disabled: %v", err)
	}
}

// Only material that is wrong may look so: else a service that is away would make
// credentials look lost.
func TestRefusalsSayNothingAboutTheMaterial(t *testing.T) {
	s := kmstest.StartAzure(t)
	s.NewVersion(t, "master")
	k := open(t, s, azurekms.Options{Name: "master"})
	material, doc := wrap(t, k, make([]byte, 96))
	for _, f := range []struct {
		status int
		code   string
		kind   errs.Kind
	}{
		{403, "Forbidden", errs.PermissionDenied}, {404, "KeyNotFound", errs.PermissionDenied}, {400, "Other", errs.PermissionDenied}, {409, "Conflict", errs.PermissionDenied},
		{429, "Throttled", errs.Unavailable}, {503, "ServiceUnavailable", errs.Unavailable}, {500, "", errs.Unavailable}, {400, "BadParameter", errs.Corrupt},
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
	if _, err := open(t, s, azurekms.Options{Name: "master", Credential: identity(t, s, "wrong")}).Unwrap(t.Context(), material, doc); !errs.Is(err, errs.PermissionDenied) {
		t.Errorf("with a wrong secret: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Unwrap(canceled, material, doc); !errs.Is(err, errs.Canceled) {
		t.Errorf("given up: %v", err)
	}
	silent := open(t, s, azurekms.Options{Name: "master", Client: client(silence{}), Timeout: time.Millisecond})
	if _, err := silent.Unwrap(t.Context(), material, doc); !errs.Is(err, errs.Unavailable) {
		t.Errorf("without an answer: %v", err)
	}
	s.Close()
	if _, err := k.Unwrap(t.Context(), material, doc); !errs.Is(err, errs.Unavailable) {
		t.Errorf("away: %v", err)
	}
}

// silence never answers.
type silence struct{}

func (silence) Do(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A vault says in its challenge for whom the token is to be: it must not be for
// another service than the vault's own.
func TestTheTokenIsForTheVaultAlone(t *testing.T) {
	s := kmstest.StartAzure(t)
	s.NewVersion(t, "master")
	k, err := azurekms.New(azurekms.Options{Vault: "mooring.vault.example.org", Name: "master", Credential: identity(t, s, kmstest.AzureSecret), Client: client(anyHost{s})})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.Wrap(t.Context(), make([]byte, 96)); err == nil {
		t.Error("it wraps by a vault that asks for another's token")
	}
	if asked := s.Asked(); len(asked) != 0 {
		t.Errorf("asked: %v", asked)
	}
}

// anyHost has every host served by the stub.
type anyHost struct{ s *kmstest.Azure }

func (a anyHost) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = vault
	return a.s.Client().Do(r)
}

func TestKeyringOverKMS(t *testing.T) {
	s := kmstest.StartAzure(t)
	s.NewVersion(t, "master")
	s.NewVersion(t, "other")
	k := open(t, s, azurekms.Options{Name: "master"})
	memory, _ := kmstest.Keyring(t, k, open(t, s, azurekms.Options{Name: "other"}), s.Asked)
	next := open(t, s, azurekms.Options{Name: "master", Version: s.NewVersion(t, "master")})
	if r, err := csfle.NewKeyring(memory, csfle.WithPrevious(next, k), csfle.KeyringOptions{}).RewrapAll(t.Context(), next); err != nil || r.Rewrapped != 1 {
		t.Errorf("to the next version: %+v, %v", r, err)
	}
}

func TestParseURI(t *testing.T) {
	if o, err := azurekms.ParseURI("azure-kms://" + vault + "/keys/master/0123abc"); err != nil || o.Vault != vault || o.Name != "master" || o.Version != "0123abc" {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := azurekms.ParseURI("azure-kms://" + vault + ":8443/keys/master"); err != nil || o.Vault != vault+":8443" || o.Name != "master" || o.Version != "" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, uri := range []string{"", "azure-kms://", "azure-kms://" + vault, "azure-kms://" + vault + "/keys/", "azure-kms://" + vault + "/secrets/a", "azure-kms://" + vault + "/keys/a/",
		"azure-kms://" + vault + "/keys/a/b/c", "azure-kms://" + vault + "/keys/a?x=1", "azure-kms://u@" + vault + "/keys/a", "https://" + vault + "/keys/a", "azure-kms://" + vault + "/keys/../b", "azure-kms://localhost/keys/a"} {
		if _, err := azurekms.ParseURI(uri); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if _, err := azurekms.New(azurekms.Options{Vault: vault, Name: "../a"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a name that is none: %v", err)
	}
}
