package keys_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/connection/vault"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/keys"
	"mooring/internal/secret"
	"mooring/internal/store/sqlite"
	"mooring/internal/webhook"
)

// world is a store with two organizations whose secrets are everywhere.
type world struct {
	st     *sqlite.Store
	master csfle.MasterKey
	orgs   []id.Org
	places map[id.Org]*places
}

type places struct {
	conn, archived id.Connection
	lineage        string
	consent        string
	hook           id.Webhook
}

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w := &world{st: st, master: csfle.GenerateLocalMasterKey(), places: map[id.Org]*places{}}
	if err := keys.Begin(t.Context(), st.System(), w.master); err != nil {
		t.Fatal(err)
	}
	chain, err := keys.BeginChain(t.Context(), st.System(), w.master)
	if err != nil {
		t.Fatal(err)
	}
	st.System().ChainAudit(chain)
	s := w.process(t, nil, w.master)
	for i := range 2 {
		org := id.NewOrg()
		_, err := st.Organizations().Insert(t.Context(), org, access.Organization{ID: org, Name: fmt.Sprint("organization ", i), DataKey: 1, CreatedAt: epoch.Add(time.Duration(i) * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		w.orgs = append(w.orgs, org)
		w.fill(t, s, org)
	}
	return w
}

func bind(org id.Org, record, field string) csfle.Binding {
	return csfle.Binding{Org: org, Record: record, Field: field, Use: csfle.UseDigest("test")}
}

func (w *world) fill(t *testing.T, s *keys.Service, org id.Org) {
	t.Helper()
	v := vault.Vault{Sealer: csfle.NewSealer(s.Ring), Organizations: w.st.Organizations()}
	seal := func(record, field string) bson.Binary {
		b, err := v.Seal(t.Context(), bind(org, record, field), secret.New(record+field))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	insert := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	p := &places{consent: id.NewToken(24), hook: id.NewWebhook()}
	w.places[org] = p
	for i, status := range []connection.Status{connection.Active, connection.Archived} {
		c := connection.Connection{ID: id.NewConnection(), Org: org, Provider: "google_drive", Name: "drive", Status: status, CreatedAt: epoch, UpdatedAt: epoch,
			Config: config.Sealed{Provider: "google_drive", Fields: map[string]any{}, Credential: "oauth", Credentials: map[string]any{}}}
		c.Config.Secrets = map[string]bson.Binary{"refresh_token": seal(string(c.ID), "refresh_token"), "client_secret": seal(string(c.ID), "client_secret")}
		_, err := w.st.Connections().Insert(t.Context(), org, c)
		insert(err)
		if i == 0 {
			p.conn, p.lineage = c.ID, connection.Lineage(&c)
		} else {
			p.archived = c.ID
		}
	}
	access, refresh := seal(string(p.conn), "tokens.access_token"), seal(string(p.conn), "tokens.refresh_token")
	_, err := w.st.Tokens().Insert(t.Context(), org, connection.Tokens{Connection: p.conn, Org: org, Lineage: p.lineage, Access: &access, Refresh: &refresh, CreatedAt: epoch})
	insert(err)
	verifier := seal(p.consent, "verifier")
	_, err = w.st.Consents().Insert(t.Context(), org, connection.Consent{ID: p.consent, Org: org, Verifier: &verifier, CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour)})
	insert(err)
	_, err = w.st.Webhooks().Insert(t.Context(), org, webhook.Webhook{ID: p.hook, Org: org, Status: webhook.Active, CreatedAt: epoch,
		Secrets: []webhook.Secret{{Value: seal(string(p.hook), "secrets")}, {Value: seal(string(p.hook), "secrets")}}})
	insert(err)
}

// process is what a process makes of the store that was given these keys. c, unless
// nil, cuts it off.
func (w *world) process(t *testing.T, c *cut, given ...csfle.MasterKey) *keys.Service {
	t.Helper()
	m, err := keys.Open(t.Context(), w.st.System(), given...)
	if err != nil {
		t.Fatal(err)
	}
	s := &keys.Service{Store: w.st, System: w.st.System(), Master: m, Now: func() time.Time { return epoch }, Wait: func(context.Context, time.Duration) error { return c.step() }}
	if c != nil {
		s.Store, s.System = cutStore{w.st, c}, cutSystem{w.st.System(), c}
	}
	s.Ring = csfle.NewKeyring(s.Store.KeyVault(), m, csfle.KeyringOptions{})
	return s
}

// opens opens all that is sealed for an organization, each in its place.
func (w *world) opens(t *testing.T, s *keys.Service, org id.Org) (opened int, failed error) {
	t.Helper()
	p, sealer := w.places[org], csfle.NewSealer(s.Ring)
	open := func(record, field string, b bson.Binary) {
		v, err := sealer.Open(t.Context(), bind(org, record, field), b)
		switch {
		case err != nil:
			failed = err
		case v.Reveal() != record+field:
			t.Errorf("%s %s became another secret", record, field)
		default:
			opened++
		}
	}
	for _, conn := range []id.Connection{p.conn, p.archived} {
		c, err := w.st.Connections().Get(t.Context(), org, conn)
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range c.Config.Secrets {
			open(string(conn), name, b)
		}
	}
	if tok, err := w.st.Tokens().Get(t.Context(), org, p.conn); err == nil {
		open(string(p.conn), "tokens.access_token", *tok.Access)
		open(string(p.conn), "tokens.refresh_token", *tok.Refresh)
	}
	if c, err := w.st.Consents().Get(t.Context(), org, p.consent); err == nil {
		open(p.consent, "verifier", *c.Verifier)
	}
	hook, err := w.st.Webhooks().Get(t.Context(), org, p.hook)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range hook.Secrets {
		open(string(p.hook), "secrets", x.Value)
	}
	return opened, failed
}

const secrets = 9 // of an organization

func (w *world) mustOpen(t *testing.T, org id.Org, given ...csfle.MasterKey) {
	t.Helper()
	if n, err := w.opens(t, w.process(t, nil, given...), org); n != secrets || err != nil {
		t.Fatalf("%d secrets can be opened, %v", n, err)
	}
}

func (w *world) vault(t *testing.T, org id.Org) (names []string) {
	t.Helper()
	all, err := w.st.KeyVault().List(t.Context(), string(org)+"/", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		names = append(names, strings.TrimPrefix(k.AltNames[0], string(org)+"/"))
	}
	return names
}

func (w *world) trail(t *testing.T, org id.Org, action string) []audit.Entry {
	t.Helper()
	list, err := w.st.Audit().List(t.Context(), org, audit.Filter{Action: action}, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// everyCut runs do cut off at its first write, its second, and so on until it
// ends, each time in a new world, and after each cut check and do again.
func everyCut(t *testing.T, do func(*world, *keys.Service) error, process func(*world, *cut) *keys.Service, after func(*testing.T, *world)) {
	t.Helper()
	for n := 0; ; n++ {
		w, c := newWorld(t), &cut{left: n}
		err := do(w, process(w, c))
		if err == nil {
			if n < 3 {
				t.Fatalf("it ended after %d writes", n)
			}
			return
		}
		if !errors.Is(err, errCut) {
			t.Fatalf("cut off at write %d it fails otherwise: %v", n, err)
		}
		if err := do(w, process(w, nil)); err != nil {
			t.Fatalf("cut off at write %d it does not go on: %v", n, err)
		}
		after(t, w)
		if t.Failed() {
			t.Fatalf("it was cut off at write %d", n)
		}
	}
}

func TestRotate(t *testing.T) {
	w := newWorld(t)
	org := w.orgs[0]
	r, err := w.process(t, nil, w.master).Rotate(t.Context(), org)
	if err != nil || r.Resumed || r.Resealed != secrets || len(r.Retired) != 1 || len(r.Broken) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	w.mustOpen(t, org, w.master)
	w.mustOpen(t, w.orgs[1], w.master)
	if names := w.vault(t, org); len(names) != 1 || names[0] != "2" {
		t.Errorf("the vault has %v", names)
	}
	c, err := w.st.Connections().Get(t.Context(), org, w.places[org].conn)
	if err != nil || connection.Lineage(&c) != w.places[org].lineage {
		t.Errorf("the kept refresh token belongs to the connection no more: %v", err)
	}
	if a, b := w.trail(t, org, audit.DataKeyRotated), w.trail(t, org, audit.DataKeyRetired); len(a) != 1 || len(b) != 1 {
		t.Errorf("the trail holds %d and %d entries", len(a), len(b))
	}
	r, err = w.process(t, nil, w.master).Rotate(t.Context(), org)
	if err != nil || r.Key != csfle.KeyName(org, 3) || r.Resealed != secrets {
		t.Errorf("again: %+v, %v", r, err)
	}
	w.mustOpen(t, org, w.master)
}

func TestRotateIsResumedWhereverItWasCutOff(t *testing.T) {
	everyCut(t, func(w *world, s *keys.Service) error {
		_, err := s.Rotate(t.Context(), w.orgs[0])
		if err != nil { // until it has ended, all can be opened
			w.mustOpen(t, w.orgs[0], w.master)
		}
		return err
	}, func(w *world, c *cut) *keys.Service { return w.process(t, c, w.master) }, func(t *testing.T, w *world) {
		w.mustOpen(t, w.orgs[0], w.master)
		if names := w.vault(t, w.orgs[0]); len(names) != 1 {
			t.Errorf("the vault has %v", names)
		}
	})
}

// A secret that is stored while the passes are made, under the old key, by who
// had read the organization before.
func TestRotateWaitsForThoseWhoSealUnderTheOldKey(t *testing.T) {
	w := newWorld(t)
	org, late := w.orgs[0], 0
	s := w.process(t, nil, w.master)
	old := csfle.NewSealer(csfle.NewKeyring(w.st.KeyVault(), w.master, csfle.KeyringOptions{}))
	s.Wait = func(ctx context.Context, _ time.Duration) error {
		if late++; late > 2 { // ahead of the first pass, and after the passes have found nothing
			return nil
		}
		conn := w.places[org].conn
		b, err := old.Seal(ctx, csfle.KeyName(org, 1), bind(org, string(conn), "client_secret"), secret.New(string(conn)+"client_secret"))
		if err == nil {
			_, err = w.st.Connections().Update(ctx, org, conn, func(c *connection.Connection) error {
				c.Config.Secrets["client_secret"] = b
				return nil
			})
		}
		return err
	}
	if r, err := s.Rotate(t.Context(), org); err != nil || r.Resealed != secrets+1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if late != 3 {
		t.Errorf("it waited %d times", late)
	}
	w.mustOpen(t, org, w.master)
}

// What can't be opened for want of a key must not be taken for lost.
func TestRotateStopsWhereAKeyIsMissing(t *testing.T) {
	w := newWorld(t)
	org := w.orgs[0]
	s := w.process(t, nil, w.master)
	stranger := csfle.NewKeyring(w.st.KeyVault(), csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{})
	if _, err := stranger.CreateKey(t.Context(), csfle.KeyName(org, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rotate(t.Context(), org); err == nil {
		t.Fatal("rotated to a key that nobody opens")
	}
	if names := w.vault(t, org); len(names) != 2 {
		t.Errorf("the vault has %v", names)
	}
	if n, err := w.opens(t, s, org); n != secrets || err != nil {
		t.Errorf("%d secrets can be opened, %v", n, err)
	}
}

func TestDestroy(t *testing.T) {
	w := newWorld(t)
	org := w.orgs[0]
	s := w.process(t, nil, w.master)
	if _, err := s.Destroy(t.Context(), org, "organization 1"); !errs.Is(err, errs.Invalid) {
		t.Fatalf("with another organization's name: %v", err)
	}
	w.mustOpen(t, org, w.master)
	hidden, _ := w.st.Connections().Get(t.Context(), org, w.places[org].conn) // what a dump from before holds
	r, err := s.Destroy(t.Context(), org, "organization 0")
	if err != nil || len(r.Keys) != 1 || r.Connections != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	b := hidden.Config.Secrets["client_secret"]
	if _, err := csfle.NewSealer(s.Ring).Open(t.Context(), bind(org, string(hidden.ID), "client_secret"), b); !errs.Is(err, errs.NotFound) {
		t.Errorf("what was sealed opens: %v", err)
	}
	v := vault.Vault{Sealer: csfle.NewSealer(s.Ring), Organizations: w.st.Organizations()}
	if _, err := v.Seal(t.Context(), bind(org, "a", "b"), secret.New("c")); !errs.Is(err, errs.Conflict) {
		t.Errorf("something was sealed for it: %v", err)
	}
	w.shredded(t, org)
	w.mustOpen(t, w.orgs[1], w.master)
	if _, err := s.Rotate(t.Context(), org); !errs.Is(err, errs.Conflict) {
		t.Errorf("rotating: %v", err)
	}
}

func (w *world) shredded(t *testing.T, org id.Org) {
	t.Helper()
	if n, _ := w.opens(t, w.process(t, nil, w.master), org); n != 0 {
		t.Errorf("%d secrets can be opened", n)
	}
	if names := w.vault(t, org); len(names) != 0 {
		t.Errorf("the vault has %v", names)
	}
	list, err := keys.ListDestroyed(t.Context(), w.st.System())
	if err != nil || len(list) != 1 || list[0].Org != org || len(list[0].Keys) == 0 {
		t.Errorf("the list is %+v, %v", list, err)
	}
	for _, conn := range []id.Connection{w.places[org].conn, w.places[org].archived} {
		if c, err := w.st.Connections().Get(t.Context(), org, conn); err != nil || c.Status != connection.Archived || len(c.Config.Secrets) > 0 || !c.CredentialsDestroyed {
			t.Errorf("connection %+v, %v", c.Status, err)
		}
	}
	if h, err := w.st.Webhooks().Get(t.Context(), org, w.places[org].hook); err != nil || h.Status != webhook.Disabled {
		t.Errorf("webhook %v, %v", h.Status, err)
	}
	if n := len(w.trail(t, org, audit.DataKeysDestroyed)); n != 1 {
		t.Errorf("the trail holds %d entries", n)
	}
}

func TestDestroyIsResumedWhereverItWasCutOff(t *testing.T) {
	everyCut(t, func(w *world, s *keys.Service) error {
		_, err := s.Destroy(t.Context(), w.orgs[0], "organization 0")
		return err
	}, func(w *world, c *cut) *keys.Service { return w.process(t, c, w.master) },
		func(t *testing.T, w *world) { w.shredded(t, w.orgs[0]) })
}

// An older backup is restored and given the list of what was destroyed since:
// the next start ends what that began.
func TestDestroyedOrganizationsStaySoAfterARestore(t *testing.T) {
	w := newWorld(t) // as the backup has it
	org := w.orgs[0]
	if err := keys.NoteDestroyed(t.Context(), w.st.System(), keys.Destroyed{Org: org, At: epoch, Keys: []csfle.KeyID{{1}}}, keys.Destroyed{Org: id.NewOrg(), At: epoch}); err != nil {
		t.Fatal(err)
	}
	if n, err := keys.DestroyAgain(t.Context(), w.st.System(), w.st.KeyVault()); n != 1 || err != nil {
		t.Fatalf("%d keys, %v", n, err)
	}
	if n, _ := w.opens(t, w.process(t, nil, w.master), org); n != 0 {
		t.Fatalf("%d secrets can be opened", n)
	}
	for range 2 {
		if err := w.process(t, nil, w.master).Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c, err := w.st.Connections().Get(t.Context(), org, w.places[org].conn)
	if err != nil || c.Status != connection.Archived {
		t.Errorf("connection %v, %v", c.Status, err)
	}
	w.mustOpen(t, w.orgs[1], w.master)
}
