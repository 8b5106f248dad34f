package gdrive_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	emulator "mooring/emulator/gdrive"
	"mooring/internal/connection/config"
	"mooring/internal/errs"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/gdrive"
)

// account is who the tests' service account is.
const account = "robot@emulator.example"

// serviceAccount is a configuration with a service account.
func serviceAccount(t testing.TB, s *emulator.Server, extra ...string) map[string]any {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(s.ServiceAccount(account), &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]any{"provider_type": "google_drive", "credentials": file}
	for i := 0; i < len(extra); i += 2 {
		out[extra[i]] = extra[i+1]
	}
	return out
}

// oauth is a configuration with a refresh token of a user.
func oauth(s *emulator.Server, user string) map[string]any {
	s.OAuthClient("client", "client-secret-7319")
	return map[string]any{"provider_type": "google_drive", "credentials": map[string]any{
		"type": "oauth", "client_id": "client", "client_secret": "client-secret-7319", "refresh_token": s.Consent("client", user),
	}}
}

func options(t testing.TB, s *emulator.Server) driver.Options {
	t.Helper()
	guard := outbound.New(outbound.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(guard.Close)
	return driver.Options{
		Endpoints: map[string]string{"api": s.API(), "token": s.TokenURL()}, Transport: guard, Tokens: provider.NewTokens(time.Now), Now: time.Now,
	}
}

func decode(t testing.TB, raw map[string]any) config.Config {
	t.Helper()
	c, err := config.Decode("google_drive", raw, errs.NewFields("provider_config"))
	if err != nil {
		t.Fatalf("%v: %+v", err, errs.From(err).Fields)
	}
	return c
}

func open(t testing.TB, s *emulator.Server, raw map[string]any) driver.Source {
	t.Helper()
	src, err := gdrive.Open(t.Context(), decode(t, raw), options(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// robot is a source of a service account that is a member of a shared drive.
func robot(t testing.TB, o ...emulator.Options) (s *emulator.Server, drive string, src driver.Source) {
	t.Helper()
	s = emulator.Start(t, o...)
	raw := serviceAccount(t, s)
	return s, s.SharedDrive("Team", account), open(t, s, raw)
}

// pages follows a cursor to its end.
func pages(t testing.TB, src driver.Source, scope string, cur driver.Cursor) (out []driver.Change, last driver.Page) {
	t.Helper()
	for range 10_000 {
		p, err := src.Changes(t.Context(), driver.Scope{Path: scope}, cur)
		if err != nil {
			t.Fatalf("Changes: %v", err)
		}
		out = append(out, p.Changes...)
		if cur = p.Next; !p.More {
			return out, p
		}
	}
	t.Fatal("the pages do not end")
	return nil, driver.Page{}
}

// byID returns the last word on each item.
func byID(list []driver.Change) map[string]driver.Change {
	out := map[string]driver.Change{}
	for _, c := range list {
		out[c.Item.ID] = c
	}
	return out
}

// paths returns where the items that are left of some changes are, with what skips
// them.
func paths(list []driver.Change) map[string]string {
	all, out := byID(list), map[string]string{}
	for _, c := range all {
		if c.Gone || c.Item.Folder {
			continue
		}
		path, at, inside := c.Item.Name, c.Item.Parent, true
		for n := 0; at != "" && inside && n < 100; n++ {
			f, ok := all[at]
			inside = ok && !f.Gone && f.Item.Folder
			path, at = f.Item.Name+"/"+path, f.Item.Parent
		}
		if inside {
			out[path] = c.Item.Skip
		}
	}
	return out
}

func readAll(src driver.Source, it driver.Item, off int64) (string, error) {
	r, err := src.Open(context.Background(), it, off)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

// fails checks the class of an error.
func fails(t testing.TB, what string, err error, k errs.Kind, scope errs.Scope, code string) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %v", what, err)
		return
	}
	if e.Kind != k || e.Scope != scope || e.Code != code || e.Msg == "" {
		t.Errorf("%s: %v of %q with code %q, want %v of %q with %q: %v", what, e.Kind, e.Scope, e.Code, k, scope, code, err)
	}
}

func contains(t testing.TB, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%v does not say %q", err, text)
	}
}
