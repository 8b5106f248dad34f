package storetest

import (
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
)

func connectionTests() []subtest {
	return []subtest{
		{"ByName", testByName},
		{"Touch", testTouch},
	}
}

func testByName(t *testing.T, h Harness) {
	org := id.NewOrg()
	var made []connection.Connection
	for n := range 3 {
		c := newConnection(org, 10-n) // the first was created last
		c.Name, c.Status = "name", connection.Archived
		made = append(made, ok(h.Store.Connections().Insert(t.Context(), org, c))(t))
	}
	same(t, "by the name of archived ones", ok(h.Store.Connections().ByName(t.Context(), org, "name"))(t), made[0])
	c := newConnection(org, 0)
	c.Name = "name"
	live := ok(h.Store.Connections().Insert(t.Context(), org, c))(t)
	same(t, "by the name of a live one", ok(h.Store.Connections().ByName(t.Context(), org, "name"))(t), live)
	_, err := h.Store.Connections().ByName(t.Context(), org, "Name")
	wantKind(t, "by another name", err, errs.NotFound)

	u := ok(h.Store.Users().Insert(t.Context(), org, newUser(org, 1)))(t)
	same(t, "by email", ok(h.Store.Users().ByEmail(t.Context(), org, u.Email))(t), u)
	_, err = h.Store.Users().ByEmail(t.Context(), org, "none@example.com")
	wantKind(t, "by an unknown email", err, errs.NotFound)
	n := ok(h.Store.Namespaces().Insert(t.Context(), org, newNamespace(org, 1)))(t)
	same(t, "by namespace name", ok(h.Store.Namespaces().ByName(t.Context(), org, n.Name))(t), n)
	_, err = h.Store.Namespaces().ByName(t.Context(), org, "none")
	wantKind(t, "by an unknown namespace name", err, errs.NotFound)
}

// testTouch closes the store, since a touch may be held back while it is open.
func testTouch(t *testing.T, h Harness) {
	org := id.NewOrg()
	c := ok(h.Store.Connections().Insert(t.Context(), org, newConnection(org, 1)))(t)
	must(t, h.Store.Connections().Touch(t.Context(), org, c.ID))
	must(t, h.Store.Connections().Touch(t.Context(), org, c.ID))
	wantKind(t, "Touch of an unknown connection", h.Store.Connections().Touch(t.Context(), org, id.NewConnection()), errs.NotFound)
	h = h.Reopen(t)
	got := ok(h.Store.Connections().Get(t.Context(), org, c.ID))(t)
	if got.LastUsedAt == nil || got.LastUsedAt.Location() != time.UTC || got.LastUsedAt.Nanosecond()%int(time.Millisecond) != 0 {
		t.Fatalf("last used at %v, want a time in UTC, cut to milliseconds", got.LastUsedAt)
	}
	used := *got.LastUsedAt
	if got.LastUsedAt = nil; true {
		same(t, "what Touch leaves alone", got, c)
	}
	got = ok(h.Store.Connections().Update(t.Context(), org, c.ID, func(c *connection.Connection) error { c.Failures = 1; return nil }))(t)
	if got.LastUsedAt == nil || !got.LastUsedAt.Equal(used) {
		t.Errorf("an update moved last used from %v to %v", used, got.LastUsedAt)
	}
}
