package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"mooring/internal/config"
	"mooring/internal/errs"
)

const clientSecret = "canary~client.secret"

// settings fills a server's settings from a file's text and one variable.
func settings(t *testing.T, text, env string) (*config.Server, error) {
	t.Helper()
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s := config.Flags(f)
	file := filepath.Join(t.TempDir(), "mooring.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) (string, bool) { return env, env != "" && name == "MOORING_OAUTH_CLIENTS" }
	if err := config.Fill(f, getenv, file); err != nil {
		return nil, err
	}
	return s, s.Validate()
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOAuthClients(t *testing.T) {
	file := secretFile(t, clientSecret+"\n")
	text := "[oauth_clients.google]\nprovider = 'google_drive'\nclient_id = '1-x.apps'\nclient_secret_file = '" + file + "'\n" +
		"[oauth_clients.ms]\nprovider = 'sharepoint'\nclient_id = '2222'\nclient_secret_file = '" + file + "'\n"
	s, err := settings(t, text, "")
	if err != nil {
		t.Fatal(err)
	}
	got := s.OAuthClients()
	if len(got) != 2 || got[0].Name != "google" || got[0].Secret.Reveal() != clientSecret || got[0].Tenant != "" || got[1].ID != "2222" || got[1].Tenant != "common" {
		t.Errorf("read %+v", got)
	}
	if s, err = settings(t, text, `{"env":{"provider":"sharepoint","tenant":"contoso.example","client_id":"3","client_secret_file":"`+file+`"}}`); err != nil {
		t.Fatal(err)
	}
	if got := s.OAuthClients(); len(got) != 1 || got[0].Name != "env" || got[0].Tenant != "contoso.example" {
		t.Errorf("the environment gives %+v", got)
	}
}

func TestOAuthClientsRefused(t *testing.T) {
	good := secretFile(t, clientSecret)
	for name, text := range map[string]string{
		"no table":              "oauth_clients = 'x'",
		"a secret in the clear": "[oauth_clients.a]\nprovider = 'google_drive'\nclient_id = '1'\nclient_secret = '" + clientSecret + "'",
		"no provider":           "[oauth_clients.a]\nclient_id = '1'\nclient_secret_file = '" + good + "'",
		"s3":                    "[oauth_clients.a]\nprovider = 's3'\nclient_id = '1'\nclient_secret_file = '" + good + "'",
		"no id":                 "[oauth_clients.a]\nprovider = 'google_drive'\nclient_secret_file = '" + good + "'",
		"no secret":             "[oauth_clients.a]\nprovider = 'google_drive'\nclient_id = '1'",
		"no such file":          "[oauth_clients.a]\nprovider = 'google_drive'\nclient_id = '1'\nclient_secret_file = '/nonexistent'",
		"two lines":             "[oauth_clients.a]\nprovider = 'google_drive'\nclient_id = '1'\nclient_secret_file = '" + secretFile(t, clientSecret+"\n"+clientSecret) + "'",
		"google with tenant":    "[oauth_clients.a]\nprovider = 'google_drive'\ntenant = 'x'\nclient_id = '1'\nclient_secret_file = '" + good + "'",
		"tenant with a path":    "[oauth_clients.a]\nprovider = 'sharepoint'\ntenant = 'x/y'\nclient_id = '1'\nclient_secret_file = '" + good + "'",
		"a bad name":            "[oauth_clients.'A b']\nprovider = 'google_drive'\nclient_id = '1'\nclient_secret_file = '" + good + "'",
	} {
		_, err := settings(t, text, "")
		if !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), clientSecret) {
			t.Errorf("%s: the refusal holds the secret", name)
		}
	}
}

func TestPublicURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://mooring.example.com/": "https://mooring.example.com", "http://10.0.0.1:8420": "http://10.0.0.1:8420", "https://h/base/": "https://h/base",
		"mooring.example.com": "", "ftp://h": "", "https://u:p@h": "", "https://h/?x=1": "",
	} {
		s, err := settings(t, "public-url = '"+text+"'", "")
		if want == "" && !errs.Is(err, errs.Invalid) || want != "" && (err != nil || s.PublicURL != want) {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
}
