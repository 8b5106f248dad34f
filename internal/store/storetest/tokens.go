package storetest

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
)

func tokenTests() []subtest {
	return []subtest{
		{"OneStarts", testOneStarts},
		{"Remove", testRemoveTokens},
		{"SweepArchived", testSweepTokens},
		{"SweepExpired", testSweepConsents},
		{"ConsentsAreAudited", testConsentAudit},
		{"SurvivesReopening", testTokensReopen},
	}
}

func newTokens(org id.Org, conn id.Connection, n int) connection.Tokens {
	return connection.Tokens{
		Connection: conn, Org: org, Generation: int64(n), Lineage: "lineage",
		Access: &bson.Binary{Subtype: 6, Data: []byte("access")}, Refresh: &bson.Binary{Subtype: 6, Data: []byte("refresh")}, Expires: moment(n + 1),
		Started:   &connection.RefreshStarted{Holder: "wrk_a", At: moment(n), Attempt: "first"},
		CreatedAt: moment(n), UpdatedAt: moment(n),
	}
}

func newConsent(org id.Org, n int) connection.Consent {
	return connection.Consent{
		ID: id.NewToken(24), Org: org, Provider: "google_drive", Client: "google", Fields: map[string]any{"shared_drive_id": "0A"}, Name: "drive",
		Metadata: map[string]any{"a": int64(1)}, Actor: audit.Actor{ID: "key_a", Type: audit.ByAPIKey}, User: "usr_a",
		Phase: connection.ConsentIssued, Link: "hash", Verifier: &bson.Binary{Subtype: 6, Data: []byte("verifier")},
		CreatedAt: moment(n), ExpiresAt: moment(n + 1),
	}
}

func tokenRecordTests() []subtest {
	out := recordsOf[connection.Tokens, id.Connection]{
		"Tokens", func(s store.Store) store.Records[connection.Tokens, id.Connection] { return s.Tokens() },
		func(org id.Org, n int) connection.Tokens { return newTokens(org, id.NewConnection(), n) },
		func(d *connection.Tokens) id.Connection { return d.Connection }, func(d *connection.Tokens) id.Org { return d.Org },
		func(d *connection.Tokens) int64 { return d.Revision }, func(d *connection.Tokens) *int64 { return &d.Generation },
		func(d *connection.Tokens) *time.Time { return &d.Expires },
	}.tests()
	return append(out, recordsOf[connection.Consent, string]{
		"Consents", func(s store.Store) store.Records[connection.Consent, string] { return s.Consents() }, newConsent,
		func(d *connection.Consent) string { return d.ID }, func(d *connection.Consent) id.Org { return d.Org },
		func(d *connection.Consent) int64 { return d.Revision }, nil, func(d *connection.Consent) *time.Time { return &d.ExpiresAt },
	}.tests()...)
}

// testOneStarts: of many that found no refresh under way, one records its own.
func testOneStarts(t *testing.T, h Harness) {
	org := id.NewOrg()
	doc := newTokens(org, id.NewConnection(), 1)
	doc.Started = nil
	ok(h.Store.Tokens().Insert(t.Context(), org, doc))(t)
	taken := errs.New(errs.Conflict, "storetest", "somebody else has started")
	n := winners(t, race(32, func(int) error {
		mine := id.NewToken(8)
		_, err := h.Store.Tokens().Update(t.Context(), org, doc.Connection, func(cur *connection.Tokens) error {
			if cur.Started != nil {
				return taken
			}
			cur.Started = &connection.RefreshStarted{Attempt: mine, At: moment(2)}
			return nil
		})
		return err
	}), errs.Conflict)
	same(t, "how many of 32 started", n, 1)
	n = winners(t, race(32, func(int) error {
		_, err := h.Store.Tokens().Insert(t.Context(), org, newTokens(org, doc.Connection+"x", 1))
		return err
	}), errs.AlreadyExists)
	same(t, "how many of 32 inserted", n, 1)
}

func testRemoveTokens(t *testing.T, h Harness) {
	org := id.NewOrg()
	doc := ok(h.Store.Tokens().Insert(t.Context(), org, newTokens(org, id.NewConnection(), 1)))(t)
	must(t, h.Store.Tokens().Remove(t.Context(), id.NewOrg(), doc.Connection))
	same(t, "after a stranger's Remove", ok(h.Store.Tokens().Get(t.Context(), org, doc.Connection))(t), doc)
	must(t, h.Store.Tokens().Remove(t.Context(), org, doc.Connection))
	must(t, h.Store.Tokens().Remove(t.Context(), org, doc.Connection))
	_, err := h.Store.Tokens().Get(t.Context(), org, doc.Connection)
	wantKind(t, "Get after Remove", err, errs.NotFound)
	_, err = h.Store.Tokens().Update(t.Context(), org, doc.Connection, func(*connection.Tokens) error { return errors.New("called") })
	wantKind(t, "Update after Remove", err, errs.NotFound)
}

func testSweepTokens(t *testing.T, h Harness) {
	org := id.NewOrg()
	alive, archived := newConnection(org, 1), newConnection(org, 2)
	archived.Status = connection.Archived
	for _, c := range []connection.Connection{alive, archived} {
		ok(h.Store.Connections().Insert(t.Context(), org, c))(t)
		ok(h.Store.Tokens().Insert(t.Context(), org, newTokens(org, c.ID, 1)))(t)
	}
	must(t, h.Store.Tokens().Sweep(t.Context(), id.NewOrg()))
	ok(h.Store.Tokens().Get(t.Context(), org, archived.ID))(t)
	must(t, h.Store.Tokens().Sweep(t.Context(), org))
	ok(h.Store.Tokens().Get(t.Context(), org, alive.ID))(t)
	_, err := h.Store.Tokens().Get(t.Context(), org, archived.ID)
	wantKind(t, "the tokens of an archived connection", err, errs.NotFound)
}

func testSweepConsents(t *testing.T, h Harness) {
	org := id.NewOrg()
	early, late := newConsent(org, 1), newConsent(org, 2) // they expire at 2 and 3
	for _, c := range []connection.Consent{early, late} {
		ok(h.Store.Consents().Insert(t.Context(), org, c))(t)
	}
	must(t, h.Store.Consents().Sweep(t.Context(), id.NewOrg(), moment(9)))
	ok(h.Store.Consents().Get(t.Context(), org, early.ID))(t)
	must(t, h.Store.Consents().Sweep(t.Context(), org, moment(2)))
	_, err := h.Store.Consents().Get(t.Context(), org, early.ID)
	wantKind(t, "one that has expired", err, errs.NotFound)
	ok(h.Store.Consents().Get(t.Context(), org, late.ID))(t)
}

func testConsentAudit(t *testing.T, h Harness) {
	org := id.NewOrg()
	c := newConsent(org, 1)
	c.Outbox.Note(moment(1), c.Actor, "action", audit.StorageConnection, c.ID, true, nil)
	got := ok(h.Store.Consents().Insert(t.Context(), org, c))(t)
	h.relay(t)
	if !got.Outbox.Empty() {
		t.Error("a reader saw the outbox")
	}
	entries := ok(h.Store.Audit().List(t.Context(), org, audit.Filter{ResourceID: c.ID}, 0, 10))(t)
	if len(entries) != 1 || entries[0].Action != "action" {
		t.Errorf("the trail holds %+v", entries)
	}
}

func testTokensReopen(t *testing.T, h Harness) {
	org := id.NewOrg()
	doc := ok(h.Store.Tokens().Insert(t.Context(), org, newTokens(org, id.NewConnection(), 1)))(t)
	c := ok(h.Store.Consents().Insert(t.Context(), org, newConsent(org, 1)))(t)
	h = h.Reopen(t)
	same(t, "the tokens", ok(h.Store.Tokens().Get(t.Context(), org, doc.Connection))(t), doc)
	same(t, "the consent", ok(h.Store.Consents().Get(t.Context(), org, c.ID))(t), c)
}
