package kmstest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Names that Azure gives a client. The secret is the test's own.
const (
	AzureTenant = "11111111-2222-3333-4444-555555555555"
	AzureClient = "99999999-8888-7777-6666-555555555555"
	AzureSecret = "example"
)

// Azure is Azure Key Vault with the token endpoint, as far as wrapping goes:
// wrapkey and unwrapkey by RSA-OAEP-256 for the keys that it was given. It serves the
// names login.microsoftonline.com and NAME.vault.azure.net, and 127.0.0.1. A token
// is given for the client's secret, and nothing is done without a token.
type Azure struct {
	service

	keys map[string][]azureKey // by name, the oldest first
}

type azureKey struct {
	version string
	key     *rsa.PrivateKey
	enabled bool
}

// StartAzure serves until the test ends.
func StartAzure(t testing.TB) *Azure {
	t.Helper()
	a := &Azure{keys: map[string][]azureKey{}}
	a.start(t, a.serve, "login.microsoftonline.com", "*.vault.azure.net")
	return a
}

// NewVersion makes a key, or another version of it, and returns the version.
func (a *Azure) NewVersion(t testing.TB, name string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	version := strings.ToLower(rand.Text())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[name] = append(a.keys[name], azureKey{version, key, true})
	return version
}

// Disable disables all versions of a key.
func (a *Azure) Disable(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.keys[name] {
		a.keys[name][i].enabled = false
	}
}

// Drivers leave an empty place where no version is, the SDK none.
var azureCall = regexp.MustCompile(`^/keys/([A-Za-z0-9-]+)/(?:([a-z0-9]*)/)?(wrapkey|unwrapkey)$`)

func (a *Azure) serve(w http.ResponseWriter, r *http.Request) {
	const login = "https://login.microsoftonline.com/" + AzureTenant
	parts := azureCall.FindStringSubmatch(r.URL.Path)
	switch {
	case r.URL.Path == "/common/discovery/instance":
		write(w, http.StatusOK, map[string]any{"tenant_discovery_endpoint": login + "/v2.0/.well-known/openid-configuration"})
	case r.URL.Path == "/"+AzureTenant+"/v2.0/.well-known/openid-configuration":
		write(w, http.StatusOK, map[string]string{"issuer": login + "/v2.0", "authorization_endpoint": login + "/oauth2/v2.0/authorize", "token_endpoint": login + "/oauth2/v2.0/token"})
	case r.Method == http.MethodPost && r.URL.Path == "/"+AzureTenant+"/oauth2/v2.0/token":
		a.ask("token")
		a.grant(w, r)
	case r.Method != http.MethodPost || parts == nil || r.URL.Query().Get("api-version") == "":
		a.refuse(w, http.StatusNotFound, "NotFound")
	case !a.entitled(r):
		w.Header().Set("WWW-Authenticate", `Bearer authorization="`+login+`", resource="https://vault.azure.net"`)
		a.refuse(w, http.StatusUnauthorized, "Unauthorized")
	default:
		a.operate(w, r, parts[1], parts[2], parts[3])
	}
}

// grant checks a client's secret. MongoDB's driver makes the scope of the vault's
// name less its first label, as the vault's challenge does for others.
func (a *Azure) grant(w http.ResponseWriter, r *http.Request) {
	scopes := strings.Fields(r.PostFormValue("scope"))
	if r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("client_id") != AzureClient ||
		r.PostFormValue("client_secret") != AzureSecret || !slices.Contains(scopes, "https://vault.azure.net/.default") {
		write(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	a.issue(w)
}

func (a *Azure) operate(w http.ResponseWriter, r *http.Request, name, version, action string) {
	if status, code := a.ask(action); status != 0 {
		a.refuse(w, status, code)
		return
	}
	var in struct{ Alg, Value string }
	if body(w, r, &in) != nil || in.Alg != "RSA-OAEP-256" {
		a.refuse(w, http.StatusBadRequest, "BadParameter")
		return
	}
	value, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(in.Value, "="))
	if err != nil {
		a.refuse(w, http.StatusBadRequest, "BadParameter")
		return
	}
	k, found := a.find(name, version)
	switch {
	case !found:
		a.refuse(w, http.StatusNotFound, "KeyNotFound")
		return
	case !k.enabled:
		a.refuse(w, http.StatusForbidden, "Forbidden")
		return
	case action == "wrapkey":
		value, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, &k.key.PublicKey, value, nil)
	default:
		value, err = rsa.DecryptOAEP(sha256.New(), nil, k.key, value, nil)
	}
	if err != nil {
		a.refuse(w, http.StatusBadRequest, "BadParameter")
		return
	}
	write(w, http.StatusOK, map[string]string{"kid": "https://" + r.Host + "/keys/" + name + "/" + k.version, "value": base64.RawURLEncoding.EncodeToString(value)})
}

// find returns a version of a key, of which "" is the newest.
func (a *Azure) find(name, version string) (azureKey, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range slices.Backward(a.keys[name]) {
		if version == "" || k.version == version {
			return k, true
		}
	}
	return azureKey{}, false
}

func (*Azure) refuse(w http.ResponseWriter, status int, code string) {
	write(w, status, map[string]any{"error": map[string]string{"code": code, "message": "refused"}})
}
