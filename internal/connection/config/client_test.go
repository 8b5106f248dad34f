package config_test

import (
	"encoding/json"
	"testing"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

// operators are configurations with an OAuth client of the operator's.
var operators = map[string]string{
	"google_drive": `{"credentials":{"type":"oauth","oauth_client":"google","client_id":"1-x.apps","refresh_token":"1//canary"}}`,
	"sharepoint":   `{"credentials":{"type":"delegated","tenant_id":"common","oauth_client":"ms","client_id":"2222","refresh_token":"0.canary"}}`,
}

// TestOperatorsClient: the client's secret is not in the configuration, but a
// reader of responses finds all that the contract has, and can send it back.
func TestOperatorsClient(t *testing.T) {
	for name, text := range operators {
		c := decode(t, name, text)
		if _, held := c.Secrets["client_secret"]; held || c.Text(config.ClientField) == "" {
			t.Errorf("%s: decoded as %+v", name, c)
		}
		stored := seal(c)
		creds := config.Redact(stored)["credentials"].(map[string]any)
		if creds["client_secret"] != secret.Marker || creds["refresh_token"] != secret.Marker || creds["client_id"] == "" {
			t.Errorf("%s: shown as %v", name, creds)
		}
		shown, err := json.Marshal(stored)
		if err != nil {
			t.Fatal(err)
		}
		back := decode(t, name, string(shown))
		m, err := config.Merge(stored, back, at())
		if err != nil || m.Changed || len(m.Fresh) > 0 || len(m.Keep) != 1 {
			t.Errorf("%s: what was shown, sent back, is %+v, %v", name, m, err)
		}
	}
}

func TestOperatorsClientTakesNoSecret(t *testing.T) {
	for field, value := range map[string]string{"client_secret": "a secret of the caller's", config.ClientField: "no/name"} {
		raw := parse(t, operators["google_drive"])
		raw["credentials"].(map[string]any)[field] = value
		_, err := config.Decode("google_drive", raw, at())
		if !errs.Is(err, errs.Invalid) || len(errs.From(err).Fields) != 1 {
			t.Errorf("%s %q: %v", field, value, err)
		}
	}
}

// TestOwnClientStaysRequired: without the operator's, both fields are.
func TestOwnClientStaysRequired(t *testing.T) {
	_, err := config.Decode("google_drive", parse(t, `{"credentials":{"type":"oauth","refresh_token":"x"}}`), at())
	if n := len(errs.From(err).Fields); n != 2 {
		t.Errorf("%d fields are missed, want 2: %v", n, err)
	}
}

// TestUseOfStoredSecretsIsUnchanged: the field joined the table later, so what
// was sealed without it must open as before.
func TestUseOfStoredSecretsIsUnchanged(t *testing.T) {
	c := decode(t, "google_drive", samples["google_drive/oauth"])
	want := []string{"provider_type", "google_drive", "credentials.type", "oauth", "credentials.client_id", "1-x.apps"}
	got := c.Use()
	if len(got) != len(want) {
		t.Fatalf("use is %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("use is %v, want %v", got, want)
		}
	}
}

func TestCheckClientName(t *testing.T) {
	for name, good := range map[string]bool{"google": true, "g-1_x": true, "": false, "Google": false, "-x": false, "a b": false,
		"0123456789012345678901234567890123456789012345678901234567890123": true, "01234567890123456789012345678901234567890123456789012345678901234": false} {
		if (config.CheckClientName(name) == "") != good {
			t.Errorf("%q: %s", name, config.CheckClientName(name))
		}
	}
}
