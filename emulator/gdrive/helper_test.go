package gdrive_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"mooring/emulator/gdrive"
)

const (
	ada  = "ada@example.com"
	bob  = "bob@example.com"
	eve  = "eve@example.com"
	robo = "robo@emulator.iam.gserviceaccount.com"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client is the official client, signed in as a user.
func client(t testing.TB, s *gdrive.Server, email string) *drive.Service {
	t.Helper()
	return service(t, s, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: s.AccessToken(email)}))
}

// service is the official client with a source of tokens.
func service(t testing.TB, s *gdrive.Server, tokens oauth2.TokenSource) *drive.Service {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	d, err := drive.NewService(context.Background(),
		option.WithEndpoint(s.API()), option.WithHTTPClient(&http.Client{Transport: &oauth2.Transport{Source: tokens, Base: transport}}))
	must(t, err)
	return d
}

// robot is the official client with a service account, which may impersonate a subject.
func robot(t testing.TB, s *gdrive.Server, key []byte, subject string) *drive.Service {
	t.Helper()
	cfg, err := google.JWTConfigFromJSON(key, drive.DriveReadonlyScope)
	must(t, err)
	cfg.Subject = subject
	return service(t, s, cfg.TokenSource(context.Background()))
}

// reason is the status and the reason of an error of the API, 0 for none.
func reason(t testing.TB, err error) (int, string) {
	t.Helper()
	if err == nil {
		return 0, ""
	}
	var e *googleapi.Error
	if !errors.As(err, &e) || len(e.Errors) == 0 {
		t.Fatalf("no error of the API: %v", err)
	}
	return e.Code, e.Errors[0].Reason
}

// refusal is the status and the reason of a download that is refused, 0 for one that is
// not.
func refusal(t testing.TB, resp *http.Response, err error) (int, string) {
	t.Helper()
	if err == nil {
		_ = resp.Body.Close()
	}
	return reason(t, err)
}

// body reads a download.
func body(t testing.TB, resp *http.Response, err error) string {
	t.Helper()
	must(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(data)
}

// parseKey reads the private key of a key file.
func parseKey(text []byte) (any, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no key")
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}
