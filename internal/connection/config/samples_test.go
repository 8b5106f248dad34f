package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

const (
	longID     = "AKIAEXAMPLEEXAMPLE00"
	longSecret = "canary/secret+access=key-of-forty-two-chars"
	pem        = "-----BEGIN PRIVATE KEY-----\ncanaryMIIEvQIBADANBgkqhkiG9w0\n-----END PRIVATE KEY-----\n"
)

// samples are one valid configuration of each of the nine kinds, in JSON.
var samples = map[string]string{
	"s3/access_key":     `{"region":"eu-west-1","credentials":{"type":"access_key","access_key_id":"` + longID + `","secret_access_key":"` + longSecret + `"}}`,
	"s3/iam_role":       `{"region":"eu-west-1","credentials":{"type":"iam_role","role_arn":"arn:aws:iam::123456789012:role/reader","external_id":"mooring-12345"}}`,
	"tigris/access_key": `{"credentials":{"access_key_id":"tid_demo","secret_access_key":"tsec_canary"}}`,
	"google_drive/service_account": `{"impersonate_user":"a@example.com","credentials":{"type":"service_account","project_id":"demo","private_key_id":"0123abcd",
		"private_key":` + quoted(pem) + `,"client_email":"sync@demo.iam.gserviceaccount.com","client_id":"100000000000000000001"}}`,
	"google_drive/oauth": `{"shared_drive_id":"0AExample","credentials":{"type":"oauth","client_id":"1-x.apps","client_secret":"canary-cs","refresh_token":"1//canary"}}`,
	"sharepoint/client_credentials": `{"site_id":"root","credentials":{"type":"client_credentials","tenant_id":"11111111-1111-1111-1111-111111111111",
		"client_id":"2222","client_secret":"canary~cs"}}`,
	"sharepoint/delegated": `{"folder_path":"/Documents","credentials":{"type":"delegated","tenant_id":"common","client_id":"2222","client_secret":"canary~cs","refresh_token":"0.canary"}}`,
	"snowflake/key_pair": `{"account":"ab12345.eu-west-1","warehouse":"WH","primary_key_columns":["ID","Part"],"fetch_size":500,
		"credentials":{"type":"key_pair","username":"SYNC","private_key":` + quoted(pem) + `,"private_key_passphrase":"canary pass"}}`,
	"snowflake/username_password": `{"account":"org-acct","warehouse":"WH","credentials":{"type":"username_password","username":"SYNC","password":"canary pw"}}`,
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

func provider(name string) string { p, _, _ := strings.Cut(name, "/"); return p }

func at() errs.Fields { return errs.NewFields("body", "provider_config") }

func decode(t testing.TB, name, text string) config.Config {
	t.Helper()
	c, err := config.Decode(provider(name), parse(t, text), at())
	if err != nil {
		t.Fatalf("%s: %+v", name, errs.From(err).Fields)
	}
	return c
}

// seal stands for the service's sealing.
func seal(c config.Config) config.Sealed {
	s := config.Sealed{Provider: c.Provider, Fields: c.Fields, Credential: c.Credential, Credentials: c.Credentials, Secrets: map[string]bson.Binary{}}
	for name := range c.Secrets {
		s.Secrets[name] = bson.Binary{Subtype: 6, Data: []byte("sealed " + name)}
	}
	return s
}

// with returns a sample with one key set to a JSON text ("" removes it); a
// path "credentials.x" goes into the credentials.
func with(t testing.TB, name, path, value string) string {
	t.Helper()
	m := parse(t, samples[name])
	in := m
	if key, found := strings.CutPrefix(path, "credentials."); found {
		in, path = m["credentials"].(map[string]any), key
	}
	delete(in, path)
	if value != "" {
		in[path] = json.RawMessage(value)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func marker() string { return quoted(secret.Marker) }
