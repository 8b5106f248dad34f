package service_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/connection/service"
	"mooring/internal/connection/tokens"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/provider/driver"
	"mooring/internal/secret"
	"mooring/internal/store/sqlite"
)

// consented is a service on the real store with durable tokens, before a token
// endpoint that takes each refresh token once.
type consented struct {
	*service.Service
	t      *testing.T
	store  *sqlite.Store
	deps   service.Deps
	valid  string
	n      int
	denied int
	client string // the client secret that the endpoint takes; "" is any
	used   string // the client secret that was used last
	broken error  // of the check, after the exchange
}

var operatorsClient = service.OAuthClient{Name: "google", Provider: "google_drive", ID: "1-x.apps", Secret: secret.New("operators-" + canary)}

func newConsented(t *testing.T) *consented {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if _, err := st.Organizations().Insert(t.Context(), org, access.Organization{ID: org, DataKey: 1, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	sealer := csfle.NewSealer(csfle.NewKeyring(st.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{}))
	fake := &provider{}
	w := &consented{t: t, store: st, valid: "consented"}
	fake.use = w.check
	w.deps = service.Deps{
		Connections: st.Connections(), Organizations: st.Organizations(), Sealer: sealer, Opener: fake,
		Tokens: tokens.New(tokens.Deps{Store: st.Tokens(), Connections: st.Connections(), Exclusive: true,
			Vault: vault.Vault{Sealer: sealer, Organizations: st.Organizations()}}),
		OAuthClients: []service.OAuthClient{operatorsClient},
	}
	w.Service = service.New(w.deps)
	return w
}

// check is what an adapter does: it gets a token, and looks.
func (w *consented) check(ctx context.Context, c config.Config, t driver.Tokens) error {
	_, err := t.Access(ctx, secret.String{}, func(_ context.Context, refresh secret.String) (driver.Grant, error) {
		if refresh.IsZero() {
			refresh = c.Secrets["refresh_token"]
		}
		w.used = c.Secrets["client_secret"].Reveal()
		switch {
		case w.client != "" && w.used != w.client:
			return driver.Grant{}, refusal(errs.Unauthenticated, "invalid_client")
		case refresh.Reveal() != w.valid:
			w.denied++
			return driver.Grant{}, refusal(errs.Unauthenticated, "invalid_grant")
		}
		w.n++
		w.valid = fmt.Sprint("rotated-", w.n)
		return driver.Grant{Access: secret.New(fmt.Sprint("access-", w.n)), Expires: time.Now().Add(time.Hour), Refresh: secret.New(w.valid)}, nil
	})
	if err != nil {
		return err
	}
	return w.broken
}

func drive(change ...string) map[string]any {
	creds := map[string]any{"type": "oauth", "client_id": "c", "client_secret": "own", "refresh_token": "consented"}
	out := map[string]any{"credentials": creds}
	for i := 0; i < len(change); i += 2 {
		if change[i] == "shared_drive_id" {
			out[change[i]] = change[i+1]
		} else if creds[change[i]] = change[i+1]; change[i+1] == "" {
			delete(creds, change[i])
		}
	}
	return out
}

func (w *consented) create(cfg map[string]any) connection.Connection {
	w.t.Helper()
	c, err := w.Create(w.t.Context(), org, actor, service.CreateRequest{Name: "drive", Provider: "google_drive", ProviderConfig: cfg})
	if err != nil {
		w.t.Fatalf("create: %v %+v", err, errs.From(err).Fields)
	}
	return c
}

// works wants the stored connection to pass its test.
func (w *consented) works(conn id.Connection) {
	w.t.Helper()
	if r, err := w.Test(w.t.Context(), org, actor, string(conn)); err != nil || !r.Success {
		w.t.Fatalf("the stored connection: %v, %+v", err, r)
	}
}

func (w *consented) update(conn id.Connection, cfg map[string]any) error {
	_, err := w.Update(w.t.Context(), org, actor, string(conn), service.UpdateRequest{ProviderConfig: cfg})
	return err
}

func TestRotationInTheTestBeforeSaveIsSaved(t *testing.T) {
	w := newConsented(t)
	c := w.create(drive())
	w.works(c.ID)
	if w.n != 2 || w.denied != 0 {
		t.Errorf("%d exchanges, %d refused", w.n, w.denied)
	}
	w.works(c.ID) // by the token that is kept
	w.valid = "anew"
	if err := w.update(c.ID, drive("refresh_token", "anew")); err != nil {
		t.Fatal(err)
	}
	w.works(c.ID)
	if w.denied != 0 {
		t.Errorf("%d refused", w.denied)
	}
}

// TestMarkerKeepsTheRotatedToken: also when the test of the change fails.
func TestMarkerKeepsTheRotatedToken(t *testing.T) {
	w := newConsented(t)
	c := w.create(drive())
	w.works(c.ID)
	w.broken = refusal(errs.NotFound, "notFound")
	kept := drive("refresh_token", secret.Marker, "client_secret", secret.Marker, "shared_drive_id", "0AOther")
	if err := w.update(c.ID, kept); !errs.Is(err, errs.Invalid) {
		t.Fatalf("a change that fails its test: %v", err)
	}
	w.broken = nil
	w.works(c.ID)
	if err := w.update(c.ID, kept); err != nil {
		t.Fatal(err)
	}
	w.works(c.ID)
	if w.denied != 0 {
		t.Errorf("%d refresh tokens were lost", w.denied)
	}
}

// TestNewClientSecretIsProven: a token that is kept proves nothing about it.
func TestNewClientSecretIsProven(t *testing.T) {
	w := newConsented(t)
	c := w.create(drive())
	w.works(c.ID)
	w.client = "right"
	if err := w.update(c.ID, drive("refresh_token", secret.Marker, "client_secret", "wrong")); !errs.Is(err, errs.Invalid) {
		t.Fatalf("a wrong client secret: %v", err)
	}
	if err := w.update(c.ID, drive("refresh_token", secret.Marker, "client_secret", "right")); err != nil {
		t.Fatal(err)
	}
	w.works(c.ID)
}

func TestArchiveDestroysTokens(t *testing.T) {
	for name, archive := range map[string]func(*consented, id.Connection) error{
		"archive": func(w *consented, c id.Connection) error {
			_, err := w.Archive(w.t.Context(), org, actor, string(c))
			return err
		},
		"status": func(w *consented, c id.Connection) error {
			_, err := w.Update(w.t.Context(), org, actor, string(c), service.UpdateRequest{Status: new("ARCHIVED")})
			return err
		},
	} {
		w := newConsented(t)
		c := w.create(drive())
		w.works(c.ID)
		if _, err := w.store.Tokens().Get(t.Context(), org, c.ID); err != nil {
			t.Fatal(err)
		}
		if err := archive(w, c.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Tokens().Get(t.Context(), org, c.ID); !errs.Is(err, errs.NotFound) {
			t.Errorf("%s: the tokens of an archived connection: %v", name, err)
		}
	}
}

func TestRefusedRefreshCounts(t *testing.T) {
	w := newConsented(t)
	c := w.create(drive())
	w.valid = "revoked"
	if r, err := w.Check(t.Context(), org, c.ID, ""); err != nil || r.Success || r.Details["field"] != "credentials.refresh_token" {
		t.Fatalf("%v, %+v", err, r)
	}
	if got, err := w.Get(t.Context(), org, string(c.ID)); err != nil || got.Status != connection.Failed || got.Failures != 1 {
		t.Errorf("%v, %s with %d failures", err, got.Status, got.Failures)
	}
}

func TestOperatorsOAuthClient(t *testing.T) {
	w := newConsented(t)
	w.client = operatorsClient.Secret.Reveal()
	c := w.create(drive("oauth_client", "google", "client_id", "", "client_secret", ""))
	w.works(c.ID)
	if _, stored := c.Config.Secrets["client_secret"]; stored {
		t.Error("the operator's secret was copied into the record")
	}
	shown := config.Redact(c.Config)
	creds := maps.Clone(shown["credentials"].(map[string]any))
	if creds["client_id"] != "1-x.apps" || creds["client_secret"] != secret.Marker {
		t.Errorf("shown as %v", creds)
	}
	if err := w.update(c.ID, shown); err != nil {
		t.Errorf("what was shown, sent back: %v %+v", err, errs.From(err).Fields)
	}
	got, err := w.Get(t.Context(), org, string(c.ID))
	if err != nil || got.CredentialsGeneration != 1 {
		t.Errorf("which changes nothing: %v, generation %d", err, got.CredentialsGeneration)
	}

	for name, clients := range map[string][]service.OAuthClient{
		"removed":  nil,
		"replaced": {{Name: "google", Provider: "google_drive", ID: "2-y.apps", Secret: secret.New("x")}},
		"another":  {{Name: "google", Provider: "sharepoint", ID: "1-x.apps", Secret: secret.New("x")}},
	} {
		d := w.deps
		d.OAuthClients = clients
		s := service.New(d)
		_, err := s.OpenConfig(t.Context(), org, c.ID)
		if e := errs.From(err); e.Kind != errs.Invalid || e.Origin != errs.Ours || !strings.Contains(e.Message(), "google") {
			t.Errorf("%s: %v", name, err)
		}
		_, err = s.Check(t.Context(), org, c.ID, "")
		if got, _ := s.Get(t.Context(), org, string(c.ID)); err == nil || got.Failures != 0 {
			t.Errorf("%s: the operator's fault counted: %v, %d failures", name, err, got.Failures)
		}
	}
}

func TestOAuthClientIsChecked(t *testing.T) {
	w := newConsented(t)
	for name, cfg := range map[string]map[string]any{
		"unknown":             drive("oauth_client", "other", "client_id", "", "client_secret", ""),
		"another client's id": drive("oauth_client", "google", "client_secret", ""),
		"a secret":            drive("oauth_client", "google", "client_id", ""),
	} {
		_, err := w.Create(t.Context(), org, actor, service.CreateRequest{Name: "drive", Provider: "google_drive", ProviderConfig: cfg})
		if !errs.Is(err, errs.Invalid) || len(errs.From(err).Fields) != 1 {
			t.Errorf("%s: %v %+v", name, err, errs.From(err).Fields)
		}
	}
}
