package storetest

import (
	"testing"
	"time"

	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
)

func sessionTests() []subtest {
	return []subtest{
		{"LinkIsUsedOnce", testLinkIsUsedOnce},
		{"SweepExpired", testSweepSessions},
	}
}

func newSession(org id.Org, n int) access.Session {
	return access.Session{
		ID: id.NewSession(), Org: org, Key: "key_a", Link: "hash", IP: "192.0.2.1", Agent: "a browser",
		SeenAt: moment(n), CreatedAt: moment(n), ExpiresAt: moment(n + 1),
	}
}

func sessionRecordTests() []subtest {
	return recordsOf[access.Session, id.Session]{
		"Sessions", func(s store.Store) store.Records[access.Session, id.Session] { return s.Sessions() }, newSession,
		func(d *access.Session) id.Session { return d.ID }, func(d *access.Session) id.Org { return d.Org },
		func(d *access.Session) int64 { return d.Revision }, nil, func(d *access.Session) *time.Time { return &d.SeenAt },
	}.tests()
}

// testLinkIsUsedOnce: of many that follow a link at once, one gets in.
func testLinkIsUsedOnce(t *testing.T, h Harness) {
	org := id.NewOrg()
	link := ok(h.Store.Sessions().Insert(t.Context(), org, newSession(org, 1)))(t)
	used := errs.New(errs.Conflict, "storetest", "somebody else was first")
	n := winners(t, race(32, func(int) error {
		_, err := h.Store.Sessions().Update(t.Context(), org, link.ID, func(s *access.Session) error {
			if s.Link == "" {
				return used
			}
			s.Link, s.Cookie = "", id.NewToken(8)
			return nil
		})
		return err
	}), errs.Conflict)
	same(t, "how many of 32 got in", n, 1)
}

func testSweepSessions(t *testing.T, h Harness) {
	org := id.NewOrg()
	early, late := newSession(org, 1), newSession(org, 2) // they expire at 2 and 3
	for _, s := range []access.Session{early, late} {
		ok(h.Store.Sessions().Insert(t.Context(), org, s))(t)
	}
	must(t, h.Store.Sessions().Sweep(t.Context(), id.NewOrg(), moment(9)))
	ok(h.Store.Sessions().Get(t.Context(), org, early.ID))(t)
	must(t, h.Store.Sessions().Sweep(t.Context(), org, moment(2)))
	_, err := h.Store.Sessions().Get(t.Context(), org, early.ID)
	wantKind(t, "one that has expired", err, errs.NotFound)
	ok(h.Store.Sessions().Get(t.Context(), org, late.ID))(t)
}
