// Package kmstest serves key services over TLS on loopback, for tests of what
// wraps data keys: of this module's packages and of MongoDB's drivers alike.
package kmstest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// AWS is AWS KMS, as far as wrapping goes: the actions Encrypt and Decrypt for any
// key id. It does not check signatures.
type AWS struct {
	*httptest.Server

	mu    sync.Mutex
	aead  cipher.AEAD
	fail  string
	asked []string
}

// StartAWS serves until the test ends.
func StartAWS(t testing.TB) *AWS {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	a := &AWS{}
	if a.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

// Endpoint is host:port.
func (a *AWS) Endpoint() string { return strings.TrimPrefix(a.URL, "https://") }

// Fail has every request refused with an error code, until it is "".
func (a *AWS) Fail(code string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = code
}

// Asked returns the actions so far.
func (a *AWS) Asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.asked...)
}

func (a *AWS) serve(w http.ResponseWriter, r *http.Request) {
	var in struct {
		KeyID             string `json:"KeyId"`
		Plaintext         []byte
		CiphertextBlob    []byte
		EncryptionContext map[string]string
	}
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	a.mu.Lock()
	a.asked = append(a.asked, action)
	fail := a.fail
	a.mu.Unlock()
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&in)
	switch {
	case err != nil || r.URL.Path != "/" || len(in.EncryptionContext) > 0 || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "):
		refuse(w, "ValidationException")
	case fail != "":
		refuse(w, fail)
	case action == "Encrypt":
		a.encrypt(w, in.KeyID, in.Plaintext)
	case action == "Decrypt":
		a.decrypt(w, in.KeyID, in.CiphertextBlob)
	default:
		refuse(w, "UnknownOperationException")
	}
}

func (a *AWS) encrypt(w http.ResponseWriter, key string, plain []byte) {
	if key == "" || len(plain) == 0 || len(plain) > 4096 {
		refuse(w, "ValidationException")
		return
	}
	nonce := make([]byte, a.aead.NonceSize())
	_, _ = rand.Read(nonce)
	blob := append([]byte(key+"\x00"), a.aead.Seal(nonce, nonce, plain, []byte(key))...)
	answer(w, map[string]any{"CiphertextBlob": blob, "KeyId": key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"})
}

func (a *AWS) decrypt(w http.ResponseWriter, expected string, blob []byte) {
	key, sealed, ok := bytes.Cut(blob, []byte{0})
	n := a.aead.NonceSize()
	if !ok || len(sealed) < n {
		refuse(w, "InvalidCiphertextException")
		return
	}
	if expected != "" && expected != string(key) {
		refuse(w, "IncorrectKeyException")
		return
	}
	plain, err := a.aead.Open(nil, sealed[:n], sealed[n:], key)
	if err != nil {
		refuse(w, "InvalidCiphertextException")
		return
	}
	answer(w, map[string]any{"Plaintext": plain, "KeyId": string(key), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code})
}
