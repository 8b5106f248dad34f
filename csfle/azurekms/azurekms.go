// Package azurekms is a csfle.MasterKey that never leaves Azure Key Vault: the
// "azure" provider of MongoDB's drivers. What it wraps, they unwrap, and the other
// way round.
package azurekms

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
)

// Scheme begins the URI of a key.
const Scheme = "azure-kms://"

// Options name a key and say how it is reached.
type Options struct {
	Vault   string // host[:port], such as NAME.vault.azure.net
	Name    string
	Version string // that wraps; "" is the newest at that moment
	// Credential, unless nil, takes the place of the SDK's own chain.
	Credential azcore.TokenCredential
	// Client says how requests are made and repeated.
	Client azcore.ClientOptions
	// Timeout bounds a call with all its tries; 30 s unless set.
	Timeout time.Duration
}

var (
	host    = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?$`)
	name    = regexp.MustCompile(`^[A-Za-z0-9-]{1,127}$`)
	version = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)
)

// ParseURI reads azure-kms://NAME.vault.azure.net/keys/KEY[/VERSION]: a key's
// identifier but for the scheme.
func ParseURI(uri string) (Options, error) {
	parts := strings.Split(strings.TrimPrefix(uri, Scheme), "/")
	if strings.HasPrefix(uri, Scheme) && (len(parts) == 3 || len(parts) == 4 && parts[3] != "") && parts[1] == "keys" {
		o := Options{Vault: parts[0], Name: parts[2]}
		if len(parts) == 4 {
			o.Version = parts[3]
		}
		if o.valid() {
			return o, nil
		}
	}
	return Options{}, errs.New(errs.Invalid, "azurekms.uri", "the URI of a key in Azure Key Vault is azure-kms://NAME.vault.azure.net/keys/KEY, with /VERSION to wrap by one version of it")
}

func (o Options) valid() bool {
	return host.MatchString(o.Vault) && name.MatchString(o.Name) && (o.Version == "" || version.MatchString(o.Version))
}

// Key is an RSA key of Azure Key Vault. It is safe for concurrent use.
type Key struct {
	vault, name, version string
	timeout              time.Duration
	client               *azkeys.Client
}

var _ csfle.MasterKey = (*Key)(nil)

// New makes a Key. It asks nobody.
func New(o Options) (*Key, error) {
	const op = "azurekms.new"
	if !o.valid() {
		return nil, errs.New(errs.Invalid, op, "not the name of a key")
	}
	if o.Credential == nil {
		own, err := azidentity.NewDefaultAzureCredential(nil)
		if err != nil {
			return nil, errs.New(errs.Invalid, op, "the credentials for Azure Key Vault can't be read from the environment")
		}
		o.Credential = own
	}
	c, err := azkeys.NewClient("https://"+o.Vault, o.Credential, &azkeys.ClientOptions{ClientOptions: o.Client})
	if err != nil {
		return nil, errs.New(errs.Invalid, op, "Azure's client of Key Vault can't be set up")
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return &Key{vault: o.Vault, name: o.Name, version: o.Version, timeout: o.Timeout, client: c}, nil
}

// Fingerprint returns the key's identifier.
func (k *Key) Fingerprint() string {
	id := "https://" + k.vault + "/keys/" + k.name
	if k.version != "" {
		id += "/" + k.version
	}
	return id
}

// Matches reports whether the document names this key. A key that was given with a
// version is not the one that a document with another version names.
func (k *Key) Matches(masterKey bson.Raw) bool {
	provider, _ := masterKey.Lookup("provider").StringValueOK()
	vault, _ := masterKey.Lookup("keyVaultEndpoint").StringValueOK()
	name, _ := masterKey.Lookup("keyName").StringValueOK()
	theirs, _ := masterKey.Lookup("keyVersion").StringValueOK()
	return provider == "azure" && vault == k.vault && name == k.name &&
		(theirs == "" || version.MatchString(theirs)) && (k.version == "" || theirs == "" || theirs == k.version)
}

// Wrap implements csfle.MasterKey. The document names the version that wrapped:
// without it the vault would be asked for its newest, which may be another by then.
func (k *Key) Wrap(ctx context.Context, key []byte) ([]byte, bson.Raw, error) {
	const op, msg = "azurekms.wrap", "Azure Key Vault did not wrap"
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	out, err := k.client.WrapKey(ctx, k.name, k.version, parameters(key), nil)
	if err != nil {
		return nil, nil, classify(err, false, op, msg)
	}
	if out.KID == nil || len(out.Result) == 0 || !version.MatchString(out.KID.Version()) || k.version != "" && out.KID.Version() != k.version {
		return nil, nil, errs.New(errs.Unavailable, op, msg+": its answer does not say by which version")
	}
	doc, err := bson.Marshal(bson.D{{Key: "provider", Value: "azure"}, {Key: "keyVaultEndpoint", Value: k.vault},
		{Key: "keyName", Value: k.name}, {Key: "keyVersion", Value: out.KID.Version()}})
	return out.Result, doc, err
}

// Unwrap implements csfle.MasterKey. Of a document without a version, as MongoDB's
// drivers write it unless told otherwise, the newest is asked, or the one that
// the key was given with.
func (k *Key) Unwrap(ctx context.Context, keyMaterial []byte, masterKey bson.Raw) ([]byte, error) {
	const op = "azurekms.unwrap"
	if !k.Matches(masterKey) {
		return nil, errs.New(errs.Corrupt, op, "the data key was not wrapped by "+k.Fingerprint())
	}
	wrapper, _ := masterKey.Lookup("keyVersion").StringValueOK()
	if wrapper == "" {
		wrapper = k.version
	}
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	out, err := k.client.UnwrapKey(ctx, k.name, wrapper, parameters(keyMaterial), nil)
	if err != nil {
		return nil, classify(err, true, op, "Azure Key Vault did not unwrap")
	}
	return out.Result, nil
}

func parameters(value []byte) azkeys.KeyOperationParameters {
	alg := azkeys.EncryptionAlgorithmRSAOAEP256
	return azkeys.KeyOperationParameters{Algorithm: &alg, Value: value}
}

// classify keeps of an error what helps and nothing that the service wrote but its
// code. Only a value that the vault can't unwrap says something about the material.
func classify(err error, unwraps bool, op, msg string) error {
	var api *azcore.ResponseError
	var token *azidentity.AuthenticationFailedError
	switch {
	case errors.Is(err, context.Canceled):
		return errs.New(errs.Canceled, op, msg)
	case errors.As(err, &token) && token.RawResponse != nil:
		return errs.New(refusal(token.RawResponse.StatusCode), op, msg+": the credentials got no token")
	case errors.As(err, &api):
		kind := refusal(api.StatusCode)
		if unwraps && api.StatusCode == http.StatusBadRequest && api.ErrorCode == "BadParameter" {
			kind = errs.Corrupt
		}
		if code.MatchString(api.ErrorCode) {
			msg += " (" + api.ErrorCode + ")"
		}
		return errs.New(kind, op, msg)
	}
	return errs.New(errs.Unavailable, op, msg)
}

var code = regexp.MustCompile(`^[A-Za-z]{1,40}$`)

func refusal(status int) errs.Kind {
	if status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout {
		return errs.Unavailable
	}
	return errs.PermissionDenied
}
