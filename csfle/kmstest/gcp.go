package kmstest

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// GCP is Google Cloud KMS with the token endpoint, as far as wrapping goes: encrypt
// and decrypt for any key of any ring. It serves the names cloudkms.googleapis.com
// and oauth2.googleapis.com, and 127.0.0.1. A token is given for an assertion that
// the service account signed, and nothing is done without a token.
type GCP struct {
	service

	aead     cipher.AEAD
	account  *rsa.PrivateKey
	primary  int
	disabled map[int]bool
}

// Email is the service account's.
func (*GCP) Email() string { return "mooring@example.iam.gserviceaccount.com" }

// StartGCP serves until the test ends.
func StartGCP(t testing.TB) *GCP {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	g := &GCP{primary: 1, disabled: map[int]bool{}}
	if g.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	if g.account, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	g.start(t, g.serve, "cloudkms.googleapis.com", "oauth2.googleapis.com")
	return g
}

// PrivateKey is the service account's, as PKCS #8.
func (g *GCP) PrivateKey() []byte {
	der, _ := x509.MarshalPKCS8PrivateKey(g.account) // an RSA key always can be
	return der
}

// KeyFile is the service account's, for an address of the token endpoint.
func (g *GCP) KeyFile(tokenURI string) []byte {
	b, _ := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "example", "private_key_id": "1", "client_email": g.Email(), "token_uri": tokenURI,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: g.PrivateKey()})),
	})
	return b
}

// Rotate gives every key another primary version.
func (g *GCP) Rotate() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.primary++
}

// Disable disables a version of every key.
func (g *GCP) Disable(version int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.disabled[version] = true
}

var gcpCall = regexp.MustCompile(`^/v1/(projects/[\w-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+)(?:/cryptoKeyVersions/(\d+))?:(encrypt|decrypt)$`)

func (g *GCP) serve(w http.ResponseWriter, r *http.Request) {
	parts := gcpCall.FindStringSubmatch(r.URL.Path)
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/token":
		g.ask("token")
		g.grant(w, r)
	case r.Method != http.MethodPost || parts == nil:
		g.refuse(w, http.StatusNotFound, "NOT_FOUND")
	default:
		status, code := g.ask(parts[3])
		switch {
		case status != 0:
			g.refuse(w, status, code)
		case !g.entitled(r):
			g.refuse(w, http.StatusUnauthorized, "UNAUTHENTICATED")
		case parts[3] == "encrypt":
			g.encrypt(w, r, parts[1], parts[2])
		default:
			g.decrypt(w, r, parts[1], parts[2])
		}
	}
}

// grant checks an assertion. MongoDB's driver makes audience and scope of the
// endpoints that it is pointed at, of which the latter lose their first label.
func (g *GCP) grant(w http.ResponseWriter, r *http.Request) {
	claims, ok := g.signed(r.PostFormValue("assertion"))
	audiences := []string{"https://oauth2.googleapis.com/token", "https://127.0.0.1/token", g.URL + "/token"}
	scopes := []string{"https://www.googleapis.com/auth/cloudkms", "https://www.0.0.1/auth/cloudkms"}
	now := time.Now().Unix()
	if !ok || r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || claims.Iss != g.Email() ||
		!slices.Contains(audiences, claims.Aud) || !slices.Contains(scopes, claims.Scope) ||
		claims.Iat > now+60 || claims.Exp <= now || claims.Exp > claims.Iat+3600 {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	g.issue(w)
}

type assertion struct {
	Iss, Aud, Scope string
	Iat, Exp        int64
}

// signed reads what the service account signed by RS256. MongoDB's driver pads the
// parts, which JOSE does not allow and Google does.
func (g *GCP) signed(token string) (claims assertion, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims, false
	}
	var decoded [3][]byte
	for i, p := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(strings.TrimRight(p, "=")); err != nil {
			return claims, false
		}
	}
	var header struct{ Alg string }
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	ok = json.Unmarshal(decoded[0], &header) == nil && header.Alg == "RS256" && json.Unmarshal(decoded[1], &claims) == nil &&
		rsa.VerifyPKCS1v15(&g.account.PublicKey, crypto.SHA256, digest[:], decoded[2]) == nil
	return claims, ok
}

func (g *GCP) encrypt(w http.ResponseWriter, r *http.Request, key, version string) {
	var in struct{ Plaintext []byte }
	if body(w, r, &in) != nil || len(in.Plaintext) == 0 {
		g.refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT")
		return
	}
	g.mu.Lock()
	primary := g.primary
	g.mu.Unlock()
	if version == "" {
		version = strconv.Itoa(primary)
	}
	if n, err := strconv.Atoi(version); err != nil || n < 1 || n > primary {
		g.refuse(w, http.StatusNotFound, "NOT_FOUND")
		return
	}
	nonce := make([]byte, g.aead.NonceSize())
	_, _ = rand.Read(nonce)
	sealed := g.aead.Seal(nonce, nonce, in.Plaintext, []byte(key+" "+version))
	write(w, http.StatusOK, map[string]any{"name": key + "/cryptoKeyVersions/" + version, "ciphertext": append([]byte(version+"\x00"), sealed...)})
}

func (g *GCP) decrypt(w http.ResponseWriter, r *http.Request, key, version string) {
	var in struct{ Ciphertext []byte }
	err := body(w, r, &in)
	wrapper, sealed, ok := bytes.Cut(in.Ciphertext, []byte{0})
	n := g.aead.NonceSize()
	if err != nil || version != "" || !ok || len(sealed) < n {
		g.refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT")
		return
	}
	plain, err := g.aead.Open(nil, sealed[:n], sealed[n:], []byte(key+" "+string(wrapper)))
	if err != nil {
		g.refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT")
		return
	}
	number, _ := strconv.Atoi(string(wrapper)) // it was authenticated
	g.mu.Lock()
	disabled := g.disabled[number]
	g.mu.Unlock()
	if disabled {
		g.refuse(w, http.StatusBadRequest, "FAILED_PRECONDITION")
		return
	}
	write(w, http.StatusOK, map[string]any{"plaintext": plain})
}

func (*GCP) refuse(w http.ResponseWriter, status int, code string) {
	write(w, status, map[string]any{"error": map[string]any{"code": status, "status": code, "message": "refused"}})
}
