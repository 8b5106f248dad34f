package api_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"mooring/internal/api"
	"mooring/internal/connection/config"
)

// TestNoAnswerHoldsASecret puts a value of its own into every sensitive field of
// every kind of credentials, does with it whatever the API offers, rightly and
// wrongly, and then looks for the values in all that came back and was logged.
func TestNoAnswerHoldsASecret(t *testing.T) {
	w := newWorld(t)
	w.server.Providers = nil
	w.fake.careless = true
	w.handler = api.New(w.server)
	var canaries []string
	canary := func(field string) string {
		c := "Canary-" + field + "-0123456789-abcdefghijklmnop/+=&" + strings.Repeat("z", len(canaries)+1)
		canaries = append(canaries, c)
		return c
	}
	for _, s := range config.Specs() {
		for _, k := range s.Credentials {
			doc := object{}
			creds := object{"type": k.Type}
			for _, f := range s.Fields {
				if f.Required {
					doc[f.Name] = sample(f)
				}
			}
			for _, f := range k.Fields {
				if f.Secret {
					creds[f.Name] = canary(k.Type + "." + f.Name)
				} else if f.Required {
					creds[f.Name] = sample(f)
				}
			}
			doc["credentials"] = creds
			w.abuse(s.Provider, s.Provider+" "+k.Type, doc, creds)
		}
	}
	if w.abused < 5 {
		t.Errorf("only %d kinds of credentials were taken", w.abused)
	}
	if len(canaries) < 12 {
		t.Errorf("only %d sensitive fields are known", len(canaries))
	}
	seen := w.log.String()
	for _, b := range w.bodies {
		seen += "\n" + string(b)
	}
	for _, c := range canaries {
		quoted, _ := json.Marshal(c)
		for form, text := range map[string]string{
			"plain": c, "JSON": strings.Trim(string(quoted), `"`), "base64": base64.StdEncoding.EncodeToString([]byte(c)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(c)),
			"hex": hex.EncodeToString([]byte(c)), "URL": url.QueryEscape(c), "path": url.PathEscape(c), "half": c[:40],
		} {
			if strings.Contains(seen, text) || strings.Contains(strings.ToLower(seen), strings.ToLower(text)) {
				t.Errorf("%s is shown (%s)", c, form)
			}
		}
	}
}

// abuse creates, reads, changes and ends a connection, also in ways that are refused.
func (w *world) abuse(provider, name string, doc, creds object) {
	w.t.Helper()
	made := w.send(w.admin, "POST", connections, object{"name": name, "provider_type": provider, "provider_config": doc, "test_before_save": false})
	one := connections + "/" + url.PathEscape(name)
	if made.status == 200 {
		w.abused++
		w.as(200, "GET", one, nil)
		w.send(w.admin, "PATCH", one, object{"provider_config": doc, "name": name})
		for range 2 { // what fails, and what succeeds
			w.send(w.admin, "POST", one+"/test", nil)
			w.as(200, "GET", one, nil)
		}
		w.as(500, "GET", one+"/browse?path=panics", nil)
		w.send(w.admin, "GET", one+"/browse?path=refused", nil)
		w.send(w.admin, "POST", connections+"/list", nil)
		w.send(w.admin, "GET", "/v1/organizations/audit/logs?limit=1000", nil)
	} else if made.status != 422 {
		w.t.Errorf("%s: %d %s", name, made.status, made.raw)
	}
	for field, v := range creds {
		s, ok := v.(string)
		if !ok || !strings.HasPrefix(s, "Canary-") {
			continue
		}
		// The secret in places where it does not belong, and of wrong types.
		w.send(w.admin, "POST", connections, object{"name": "x", "provider_type": provider, "provider_config": object{"credentials": s}})
		w.send(w.admin, "POST", connections, object{"name": "x", "provider_type": provider, "provider_config": object{"credentials": object{field: []string{s}, "surprise": s}}})
		w.send(w.admin, "POST", connections, object{"name": "x", "provider_type": provider, "provider_config": object{"credentials": object{field: s, "type": s}}})
		w.send(w.admin, "POST", connections, `{"name":"x","provider_config":{"credentials":{"`+field+`":"`+s+`"`) // broken off
		w.send(w.admin, "PATCH", one, object{"provider_config": object{"credentials": object{field: object{"a": s}}}})
		w.send(s, "GET", one, nil) // as a key
	}
	if made.status == 200 {
		w.as(200, "DELETE", one, nil)
		w.as(200, "GET", one, nil)
	}
}

// sample is a value that the field's rules allow.
func sample(f config.Field) any {
	switch f.Name {
	case "client_email":
		return "sync@demo-project.iam.gserviceaccount.com"
	case "client_id":
		return "100000000000000000001"
	case "tenant_id":
		return "11111111-1111-1111-1111-111111111111"
	case "role_arn":
		return "arn:aws:iam::123456789012:role/reader"
	case "account":
		return "ab12345.eu-west-1"
	case "region":
		return "eu-west-1"
	case "access_key_id":
		return goodAccess
	}
	return "sample0123456789"
}
