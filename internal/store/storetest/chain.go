package storetest

import (
	"testing"

	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
)

// verified goes along a trail with a chain and returns its head.
func verified(t *testing.T, h Harness, c *audit.Chain, org id.Org) audit.Head {
	t.Helper()
	h.relay(t)
	v := ok(c.Verify(org, ok(h.Store.Audit().Checkpoint(t.Context(), org))(t), audit.Head{}))(t)
	after := int64(0)
	if p := ok(h.Store.Audit().Checkpoint(t.Context(), org))(t); p != nil {
		after = p.Sequence
	}
	for {
		list := ok(h.Store.Audit().Scan(t.Context(), org, after, 7))(t)
		for _, e := range list {
			must(t, v.Next(e))
			after = e.Sequence
		}
		if len(list) < 7 {
			break
		}
	}
	head, _, err := v.End()
	must(t, err)
	return head
}

func testAuditChain(t *testing.T, h Harness) {
	c := audit.NewChain([]byte("a key of thirty-two bytes or more"))
	h.System.ChainAudit(c)
	org, other := id.NewOrg(), id.NewOrg()
	_, err := h.Store.Audit().Last(t.Context(), org)
	wantKind(t, "Last of an empty trail", err, errs.NotFound)
	d := ok(h.Store.Connections().Insert(t.Context(), org, newConnection(org, 1)))(t)
	for _, err := range race(24, func(i int) error {
		switch i % 3 {
		case 0:
			return h.Store.Audit().Append(t.Context(), other, []audit.Entry{newEntry(i)})
		case 1:
			return h.Store.Audit().Append(t.Context(), org, []audit.Entry{newEntry(i), newEntry(100 + i)})
		}
		_, err := h.Store.Connections().Update(t.Context(), org, d.ID, func(c *connection.Connection) error {
			c.Outbox.Note(moment(i), audit.System(), audit.ConnectionUpdated, audit.StorageConnection, string(c.ID), true,
				map[string]any{"number": i, "nested": map[string]any{"b": []any{1, "x", nil}, "a": 2.5, "c": true}})
			return nil
		})
		return err
	}) {
		must(t, err)
	}
	same(t, "the other's entries", verified(t, h, c, other).Sequence, int64(8))
	head := verified(t, h, c, org)
	same(t, "the entries", head.Sequence, int64(24))
	last := ok(h.Store.Audit().Last(t.Context(), org))(t)
	same(t, "the head", audit.Head{Sequence: last.Sequence, MAC: last.MAC}.String(), head.String())

	h = h.Reopen(t)
	h.System.ChainAudit(c)
	must(t, h.Store.Audit().Append(t.Context(), org, []audit.Entry{newEntry(500)}))
	same(t, "the entries after a restart", verified(t, h, c, org).Sequence, int64(25))
}

func testAuditPrune(t *testing.T, h Harness) {
	c := audit.NewChain([]byte("a key of thirty-two bytes or more"))
	h.System.ChainAudit(c)
	org, other := id.NewOrg(), id.NewOrg()
	for i := range 10 {
		must(t, h.Store.Audit().Append(t.Context(), org, []audit.Entry{newEntry(i)}))
		must(t, h.Store.Audit().Append(t.Context(), other, []audit.Entry{newEntry(i)}))
	}
	list := ok(h.Store.Audit().Scan(t.Context(), org, 0, 100))(t)
	prune := func(e audit.Entry) error {
		return h.Store.Audit().Prune(t.Context(), org, c.Sign(audit.Checkpoint{Org: org, Sequence: e.Sequence, MAC: e.MAC, Time: moment(99)}))
	}
	must(t, prune(list[3]))
	must(t, prune(list[6]))
	same(t, "what is left", len(ok(h.Store.Audit().Scan(t.Context(), org, 0, 100))(t)), 3)
	same(t, "the head", verified(t, h, c, org).Sequence, int64(10))
	same(t, "the other's", verified(t, h, c, other).Sequence, int64(10))
	same(t, "the checkpoint", ok(h.Store.Audit().Checkpoint(t.Context(), org))(t).Sequence, int64(7))
	if p := ok(h.Store.Audit().Checkpoint(t.Context(), other))(t); p != nil {
		t.Errorf("the other has the checkpoint %+v", p)
	}
	wantKind(t, "Prune up to the last", prune(list[9]), errs.Conflict)
	wantKind(t, "Prune up to another MAC", prune(audit.Entry{Sequence: 9, MAC: list[1].MAC}), errs.Conflict)
	wantKind(t, "Prune up to one that was pruned", prune(list[2]), errs.NotFound)
	must(t, h.Store.Audit().Append(t.Context(), org, []audit.Entry{newEntry(50)}))
	same(t, "the entries go on", verified(t, h, c, org).Sequence, int64(11))
}
