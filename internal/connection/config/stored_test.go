package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/secret"
)

func TestStoredFormRoundTrips(t *testing.T) {
	for name, text := range samples {
		type record struct {
			Config config.Sealed `bson:"provider_config"`
		}
		in := record{seal(decode(t, name, text))}
		data, err := bson.Marshal(in)
		if err != nil {
			t.Fatal(name, err)
		}
		var out record
		if err := bson.Unmarshal(data, &out); err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(in, out) {
			t.Errorf("%s:\n%+v\n%+v", name, in, out)
		}
		again, _ := bson.Marshal(out)
		if !bytes.Equal(data, again) {
			t.Errorf("%s: the same configuration gives other bytes", name)
		}
		for secretName := range in.Config.Secrets {
			if v, err := bson.Raw(data).LookupErr("provider_config", "credentials", secretName); err != nil || v.Type != bson.TypeBinary {
				t.Errorf("%s: %s is not in its natural place", name, secretName)
			}
		}
	}
}

func TestDestroyedNamesAreStored(t *testing.T) {
	in := seal(decode(t, "s3", samples["s3/access_key"]))
	in.Secrets, in.Destroyed = map[string]bson.Binary{}, []string{"secret_access_key"}
	data, err := bson.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out config.Sealed
	if err := bson.Unmarshal(data, &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%v\n%+v\n%+v", err, in, out)
	}
	if got := config.Redact(out)["credentials"].(map[string]any)["secret_access_key"]; got != secret.Marker {
		t.Errorf("a destroyed secret shows as %v", got)
	}
}

func TestNoSecretIsStoredInTheClear(t *testing.T) {
	c := decode(t, "s3", samples["s3/access_key"])
	if _, err := bson.Marshal(c); err == nil {
		t.Error("an opened configuration was stored")
	}
	s := seal(c)
	s.Secrets["secret_access_key"] = bson.Binary{Subtype: 0, Data: []byte(longSecret)}
	if _, err := bson.Marshal(s); err == nil {
		t.Error("a secret of another subtype was stored")
	}
	s = seal(c)
	s.Credentials["session_token"] = "canary"
	if _, err := bson.Marshal(s); err == nil {
		t.Error("a secret among the public fields was stored")
	}
	data, _ := bson.Marshal(bson.M{"provider_type": "s3", "credentials": bson.M{"type": "access_key", "secret_access_key": "canary"}})
	var out config.Sealed
	if err := bson.Unmarshal(data, &out); !errs.Is(err, errs.Corrupt) && (err == nil || !strings.Contains(err.Error(), "not sealed")) {
		t.Errorf("a secret in the clear was read: %v", err)
	}
}

// TestResponses holds the redacted document against what the official client
// needs to read it as the provider's own type (contract section 4).
func TestResponses(t *testing.T) {
	for name, text := range samples {
		c := decode(t, name, text)
		doc := config.Redact(seal(c))
		creds := doc["credentials"].(map[string]any)
		if doc["provider_type"] != c.Provider || creds["type"] != c.Credential {
			t.Errorf("%s: %v", name, doc)
		}
		for s := range c.Secrets {
			if creds[s] != secret.Marker {
				t.Errorf("%s: %s shows as %v", name, s, creds[s])
			}
		}
		j, err := json.Marshal(seal(c))
		if err != nil || strings.Contains(string(j), "canary") || strings.Contains(string(j), "sealed") {
			t.Errorf("%s: %v %s", name, err, j)
		}
		j, _ = json.Marshal(c)
		if out := string(j) + fmt.Sprintf("%+v %#v", c, c); strings.Contains(out, "canary") {
			t.Errorf("%s: %s", name, out)
		}
	}
	got, _ := json.Marshal(config.Redact(seal(decode(t, "s3", samples["s3/access_key"]))))
	want := `{"credentials":{"access_key_id":"AKIAEXAMPLEEXAMPLE00","secret_access_key":"****************REDACTED****************","type":"access_key"},` +
		`"endpoint_url":null,"provider_type":"s3","region":"eu-west-1","use_ssl":true,"verify_ssl":true}`
	if string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// TestReadModifyWrite: sending back what was read changes nothing.
func TestReadModifyWrite(t *testing.T) {
	for name, text := range samples {
		old := seal(decode(t, name, text))
		j, _ := json.Marshal(old)
		c := decode(t, name, string(j))
		m, err := config.Merge(old, c, at())
		if err != nil || m.Changed || len(m.Fresh) > 0 || len(m.Keep) != len(old.Secrets) {
			t.Errorf("%s: %v %+v", name, err, m)
		}
	}
}

func TestMarkers(t *testing.T) {
	const s3 = "s3/access_key"
	keep := func(path, value string) string {
		m := parse(t, with(t, s3, "credentials.secret_access_key", marker()))
		if k, found := strings.CutPrefix(path, "credentials."); found {
			m["credentials"].(map[string]any)[k] = json.RawMessage(value)
		} else {
			m[path] = json.RawMessage(value)
		}
		b, _ := json.Marshal(m)
		return string(b)
	}
	old := seal(decode(t, s3, samples[s3]))
	for _, tt := range []struct {
		what, text string
		old        config.Sealed
		complaint  string // part of the message; "" when it is kept
	}{
		{"nothing changed", keep("region", `"eu-west-1"`), old, ""},
		{"a field that decides nothing", keep("region", `"eu-west-2"`), old, ""},
		{"the endpoint", keep("endpoint_url", `"http://evil.example"`), old, "endpoint_url"},
		{"certificates", keep("verify_ssl", `false`), old, "verify_ssl"},
		{"the key id", keep("credentials.access_key_id", `"AKIAOTHEROTHEROTHER0"`), old, "credentials.access_key_id"},
		{"create", keep("region", `"eu-west-1"`), config.Sealed{}, "none is stored"},
		{"not stored", keep("credentials.session_token", marker()), old, "none is stored"},
		{"another kind", keep("region", `"eu-west-1"`), seal(decode(t, "s3", samples["s3/iam_role"])), "credentials.type"},
	} {
		m, err := config.Merge(tt.old, decode(t, "s3", tt.text), at())
		f := errs.From(err).Fields
		switch {
		case tt.complaint == "" && (err != nil || fmt.Sprint(m.Keep) != "[secret_access_key]"):
			t.Errorf("%s: %v %+v", tt.what, f, m)
		case tt.complaint != "" && (len(f) != 1 || !strings.Contains(f[0].Msg, tt.complaint)):
			t.Errorf("%s: %+v", tt.what, f)
		}
	}
}

// TestUse: what the table marks, and nothing else, stands in the use of each kind.
func TestUse(t *testing.T) {
	want := map[string]string{
		"s3/access_key":                 "use_ssl verify_ssl credentials.access_key_id",
		"s3/iam_role":                   "use_ssl verify_ssl credentials.role_arn credentials.external_id",
		"tigris/access_key":             "endpoint_url credentials.access_key_id",
		"google_drive/service_account":  "impersonate_user credentials.client_email credentials.client_id",
		"google_drive/oauth":            "credentials.client_id",
		"sharepoint/client_credentials": "credentials.tenant_id credentials.client_id",
		"sharepoint/delegated":          "credentials.tenant_id credentials.client_id",
		"snowflake/key_pair":            "account credentials.username",
		"snowflake/username_password":   "account credentials.username",
	}
	for name, text := range samples {
		c := decode(t, name, text)
		var paths []string
		list := c.Use()
		for i := 4; i < len(list); i += 2 {
			paths = append(paths, list[i])
		}
		if got := strings.Join(paths, " "); got != want[name] || !reflect.DeepEqual(list, seal(c).Use()) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWhatIsAChange(t *testing.T) {
	old := seal(decode(t, "s3", samples["s3/access_key"]))
	m, err := config.Merge(old, decode(t, "s3", samples["s3/access_key"]), at())
	if err != nil || m.Changed || fmt.Sprint(m.Compare) != "[secret_access_key]" {
		t.Errorf("the same sent anew: %v %+v", err, m)
	}
	for _, change := range [][2]string{{"region", `"eu-west-2"`}, {"bucket", `"b"`}, {"verify_ssl", "false"}, {"credentials.session_token", `"x"`}} {
		m, err := config.Merge(old, decode(t, "s3", with(t, "s3/access_key", change[0], change[1])), at())
		if err != nil || !m.Changed {
			t.Errorf("%v is no change: %v", change, err)
		}
	}
	m, _ = config.Merge(old, decode(t, "s3", with(t, "s3/access_key", "verify_ssl", "false")), at())
	if len(m.Compare) != 0 {
		t.Error("a stored secret would be opened for another use")
	}
}

func TestTheTableIsSound(t *testing.T) {
	sensitive := "private_key private_key_passphrase secret_access_key session_token client_secret refresh_token password"
	n := 0
	for _, spec := range config.Specs() {
		for _, k := range spec.Credentials {
			n++
			seen := map[string]bool{"provider_type": true, "credentials": true, "destroyed": true}
			for _, f := range spec.Fields {
				if seen[f.Name] || f.Secret || f.Description == "" || f.Pattern != nil && f.Must == "" {
					t.Errorf("%s %s", spec.Provider, f.Name)
				}
				seen[f.Name] = true
			}
			seen = map[string]bool{"type": true}
			for _, f := range k.Fields {
				if seen[f.Name] || f.Secret && f.Use || f.Description == "" || f.Pattern != nil && f.Must == "" ||
					f.Secret != strings.Contains(" "+sensitive+" ", " "+f.Name+" ") {
					t.Errorf("%s %s %s", spec.Provider, k.Type, f.Name)
				}
				seen[f.Name] = true
			}
		}
	}
	if n != 9 {
		t.Errorf("%d kinds of credentials", n)
	}
}
