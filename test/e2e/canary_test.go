package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// canary is a secret and the forms in which it might get out.
type canary struct {
	name  string
	forms map[string][]byte
}

func newCanary(name, value string) canary {
	raw := []byte(value)
	c := canary{name, map[string][]byte{
		"plain":            raw,
		"hex":              []byte(hex.EncodeToString(raw)),
		"upper-case hex":   []byte(strings.ToUpper(hex.EncodeToString(raw))),
		"URL":              []byte(url.QueryEscape(value)),
		"JSON":             jsonText(value),
		"percent-encoded":  percent(raw),
		"little UTF-16":    wide(value, false),
		"big UTF-16":       wide(value, true),
		"reversed":         reversed(raw),
		"base64 at 0":      base64At(raw, 0, base64.StdEncoding),
		"base64 at 1":      base64At(raw, 1, base64.StdEncoding),
		"base64 at 2":      base64At(raw, 2, base64.StdEncoding),
		"URL base64 at 0":  base64At(raw, 0, base64.URLEncoding),
		"URL base64 at 1":  base64At(raw, 1, base64.URLEncoding),
		"URL base64 at 2":  base64At(raw, 2, base64.URLEncoding),
		"first two thirds": raw[:len(raw)*2/3],
	}}
	return c
}

func jsonText(s string) []byte {
	b, _ := json.Marshal(s)
	return b[1 : len(b)-1]
}

func percent(raw []byte) (out []byte) {
	for _, b := range raw {
		out = append(out, '%')
		out = append(out, strings.ToUpper(hex.EncodeToString([]byte{b}))...)
	}
	return out
}

func wide(s string, big bool) (out []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

func reversed(raw []byte) []byte {
	out := bytes.Clone(raw)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// base64At is the part of the encoding that is the same whatever stands before
// and after, where n bytes modulo 3 stand before.
func base64At(raw []byte, n int, enc *base64.Encoding) []byte {
	padded := append(make([]byte, n), raw...)
	text := enc.EncodeToString(padded)
	from, to := (8*n+5)/6, 8*len(padded)/6
	return []byte(text[from:to])
}

func (c canary) in(data []byte) (form string, found bool) {
	for form, bytesOf := range c.forms {
		if bytes.Contains(data, bytesOf) {
			return form, true
		}
	}
	return "", false
}

// secretOf is a value with characters that encodings change.
func secretOf(kind string) string { return kind + "/" + rand.Text() + "+" + rand.Text() + "=" }

func TestCanaryForms(t *testing.T) {
	value := secretOf("self-test")
	c := newCanary("self-test", value)
	for n := range 3 {
		in := base64.StdEncoding.EncodeToString([]byte("xyz"[:n] + value + "tail"))
		if _, found := c.in([]byte(in)); !found {
			t.Errorf("base64 after %d bytes is not found", n)
		}
	}
	if _, found := c.in([]byte("nothing of it")); found {
		t.Error("found where it is not")
	}
}

// No secret leaves the process or reaches a disk, in whatever form: not in the
// data directory, a log, an answer or what commands print.
func TestNoSecretGetsOut(t *testing.T) {
	key := s3.AccessKey{ID: "AKIACANARY0000000001", Secret: secretOf("secret-access-key"), SessionToken: secretOf("session-token")}
	next := s3.AccessKey{ID: "AKIACANARY0000000002", Secret: secretOf("rotated-secret-key")}
	wrong := binary.S3{Region: "us-east-1", KeyID: key.ID, Secret: secretOf("wrong-secret-key"), SessionToken: secretOf("wrong-session-token")}
	from := newStorage(t, s3.Options{Keys: []s3.AccessKey{key, next}})
	from.put("a.txt", "first")
	wrong.Endpoint = from.Endpoint
	s := Start(t)
	var out seen
	s.Seen = out.add
	canaries := []canary{
		newCanary("secret_access_key", key.Secret), newCanary("session_token", key.SessionToken), newCanary("the rotated secret_access_key", next.Secret),
		newCanary("a refused secret_access_key", wrong.Secret), newCanary("a refused session_token", wrong.SessionToken), newCanary("the admin key", s.Key),
	}
	record := func(r binary.Result) { out.add([]byte(r.Stdout + r.Stderr)) }

	// What is said of one object stays in a dead letter.
	from.put("denied.txt", "content")
	from.Inject(s3.Fault{Match: s3.Match{Key: "denied.txt"}, Action: s3.Reply(s3.Error{Code: "AccessDenied", Message: key.Secret + " may not, nor " + key.SessionToken})})
	j := s.connect(from, sourceBucket, nil)
	j.pass()
	letters := binary.Path("buckets", j.bucket, "syncs", j.sync, "dead-letters")
	if got := must(s.List(s.ctx, http.MethodGet, letters, nil))(t); len(got) != 1 || got[0]["source_path"] != "denied.txt" {
		t.Errorf("dead letters: %v", got)
	}
	one := "/v1/organizations/connections/" + j.connection
	for _, path := range []string{one, "/v1/organizations/audit/logs?limit=1000", "/openapi.json"} {
		s.expect(http.StatusOK, http.MethodGet, path, nil)
	}
	record(s.cli("", "connection", "get", j.connection))
	record(s.cli("", "connection", "list", "--json"))
	refusals(s, from, wrong, one, record)

	// The storage repeats what it was sent, and the key on file, in its refusals.
	echo := from.Inject(s3.Fault{Action: s3.EchoCredentials()})
	if got := s.expect(http.StatusOK, http.MethodPost, one+"/test", nil); got["success"] != false {
		t.Errorf("a refused test: %v", got)
	}
	s.expect(http.StatusBadRequest, http.MethodPost, "/v1/organizations/connections", object{"name": "refused", "provider_type": "s3", "provider_config": from.Config()})
	s.expect(http.StatusBadGateway, http.MethodGet, one+"/browse", nil)
	_ = s.Trigger(s.ctx, j.bucket, j.sync)
	record(s.cli("", "connection", "test", j.connection))
	failed := binary.Until(s.ctx, "the failure is noted", func() (bool, error) {
		got := s.expect(http.StatusOK, http.MethodGet, one, nil)
		return binary.Text(got, "last_error") != "", nil
	})
	if failed != nil {
		t.Error(failed)
	}
	echo.Remove()

	rotated := object{"provider_config": binary.S3{Endpoint: from.Endpoint, Region: "us-east-1", KeyID: next.ID, Secret: next.Secret}.Config()}
	s.expect(http.StatusOK, http.MethodPatch, one, rotated)
	made := s.answer("", "key", "create", "admin@localhost.invalid", "canary")
	shown := binary.Text(made, "key")
	s.as(shown).expect(http.StatusOK, http.MethodGet, one, nil)
	canaries = append(canaries, newCanary("an API key", shown))
	record(s.cli("", "key", "list", "admin@localhost.invalid"))
	record(s.cli("", "organization", "create", "second", "second@example.com"))

	for _, c := range canaries {
		search(t, c, s.Dir, s.Log.String()+s.Out.String(), out.all)
	}
	s.stop()
	for _, c := range canaries { // what was only in memory may be written at the end
		search(t, c, s.Dir, s.Log.String(), nil)
	}
	if !strings.Contains(s.Log.String(), "DEBUG") && !strings.Contains(s.Log.String(), "request") {
		t.Error("the log holds no requests: is it the debug log?")
	}
}

// refusals sends secrets in requests that fail in as many ways as there are.
func refusals(s *server, from *storage, wrong binary.S3, one string, record func(binary.Result)) {
	s.t.Helper()
	create := "/v1/organizations/connections"
	body := func(change func(config, credentials object)) object {
		config := wrong.Config()
		credentials, _ := config["credentials"].(object)
		if change != nil {
			change(config, credentials)
		}
		return object{"name": "refused", "provider_type": "s3", "provider_config": config}
	}
	s.expect(http.StatusBadRequest, http.MethodPost, create, body(nil))
	s.expect(http.StatusUnprocessableEntity, http.MethodPost, create, body(func(c, _ object) { c["region"] = wrong.Secret }))
	s.expect(http.StatusUnprocessableEntity, http.MethodPost, create, body(func(_, c object) { c["unknown"] = wrong.Secret }))
	s.expect(http.StatusUnprocessableEntity, http.MethodPost, create, body(func(_, c object) { c["type"] = wrong.Secret }))
	s.expect(http.StatusUnprocessableEntity, http.MethodPost, create, body(func(_, c object) { c["access_key_id"] = wrong.Secret + "\x00" }))
	s.expect(http.StatusUnprocessableEntity, http.MethodPost, create, body(func(c, _ object) { c["endpoint_url"] = "http://u:" + url.QueryEscape(wrong.Secret) + "@127.0.0.1" }))
	s.expect(http.StatusUnprocessableEntity, http.MethodPost, create, body(func(c, _ object) { c["credentials"] = wrong.Secret }))
	s.expect(http.StatusBadRequest, http.MethodPatch, one, object{"provider_config": wrong.Config()})
	out := must(s.Do(s.ctx, http.MethodPost, create, []byte(`{"name": "x", "provider_config": {"a": "`+wrong.Secret+`"`)))(s.t)
	if out.Status/100 != 4 {
		s.t.Errorf("half a body: %d %s", out.Status, out.Raw)
	}
	as := *from
	as.S3 = wrong
	record(s.cli(as.config(), "connection", "create", "refused", "--provider", "s3"))
	record(s.cli(as.config()[:80], "connection", "create", "refused", "--provider", "s3"))
	record(s.cli("", "connection", "get", wrong.SessionToken[:4]))
}

// search looks for a secret in a data directory, a log and answers.
func search(t *testing.T, c canary, dir, log string, answers []byte) {
	t.Helper()
	if form, found := c.in([]byte(log)); found {
		t.Errorf("%s is in the log (%s)", c.name, form)
	}
	if form, found := c.in(answers); found {
		t.Errorf("%s is in an answer (%s)", c.name, form)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		files++
		if form, found := c.in(b); found && d.Name() != "admin.key" {
			t.Errorf("%s is in %s (%s)", c.name, d.Name(), form)
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("searched %d files: %v", files, err)
	}
}
