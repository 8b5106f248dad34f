package audit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
)

const org = id.Org("int_aaaaaaaaaaaaaaaaaaaaaaaa")

func trail(t *testing.T, c *audit.Chain, n int) []audit.Entry {
	t.Helper()
	var out []audit.Entry
	var prev []byte
	for i := range n {
		e := audit.Entry{
			ID: id.NewAudit(), Org: org, Sequence: int64(i + 1), Time: time.Date(2026, 3, 1, 0, 0, i, 0, time.UTC), ResourceType: audit.StorageConnection,
			ResourceID: "conn_1", Action: audit.ConnectionUpdated, Actor: audit.System(), Success: true,
			Changes: map[string]any{"a": 1, "b": []any{"x", nil}, "c": map[string]any{"z": 1.5, "y": true, "x": "…"}, "d": []string{"p"}},
		}
		mac, err := c.Link(prev, e)
		if err != nil {
			t.Fatal(err)
		}
		e.MAC, prev = mac, mac
		out = append(out, stored(t, e))
	}
	return out
}

// stored is an entry as it comes back from a store.
func stored(t *testing.T, e audit.Entry) (out audit.Entry) {
	t.Helper()
	raw, err := bson.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := bson.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func verify(c *audit.Chain, p *audit.Checkpoint, head audit.Head, list []audit.Entry) (audit.Head, error) {
	v, err := c.Verify(org, p, head)
	if err != nil {
		return audit.Head{}, err
	}
	for _, e := range list {
		if err := v.Next(e); err != nil {
			return audit.Head{}, err
		}
	}
	last, _, err := v.End()
	return last, err
}

func headOf(e audit.Entry) audit.Head { return audit.Head{Sequence: e.Sequence, MAC: e.MAC} }

func TestAnUntouchedTrailVerifies(t *testing.T) {
	c := audit.NewChain([]byte(strings.Repeat("k", 32)))
	list := trail(t, c, 20)
	for _, head := range []audit.Head{{}, headOf(list[0]), headOf(list[9]), headOf(list[19])} {
		last, err := verify(c, nil, head, list)
		if err != nil || last.String() != headOf(list[19]).String() {
			t.Errorf("head %v: %v, %v", head.Sequence, last, err)
		}
	}
	parsed, err := audit.ParseHead(headOf(list[9]).String() + "\n")
	if err != nil || parsed.String() != headOf(list[9]).String() {
		t.Errorf("a head is not read as it was written: %v", err)
	}
}

func TestAnythingDoneToATrailIsFound(t *testing.T) {
	c := audit.NewChain([]byte(strings.Repeat("k", 32)))
	other := audit.NewChain([]byte(strings.Repeat("o", 32))) // somebody without the key
	list := trail(t, c, 20)
	head := headOf(list[15])
	for name, change := range map[string]func(l []audit.Entry) []audit.Entry{
		"an entry deleted":  func(l []audit.Entry) []audit.Entry { return slices.Delete(l, 5, 6) },
		"the first deleted": func(l []audit.Entry) []audit.Entry { return l[1:] },
		"an action edited":  func(l []audit.Entry) []audit.Entry { l[5].Action = "x"; return l },
		"a change edited":   func(l []audit.Entry) []audit.Entry { l[5].Changes = map[string]any{"a": 2}; return l },
		"an actor edited":   func(l []audit.Entry) []audit.Entry { l[5].Actor.IP = "192.0.2.1"; return l },
		"a time edited":     func(l []audit.Entry) []audit.Entry { l[5].Time = l[5].Time.Add(time.Second); return l },
		"two exchanged":     func(l []audit.Entry) []audit.Entry { l[5], l[6] = l[6], l[5]; return l },
		"two exchanged and numbered": func(l []audit.Entry) []audit.Entry {
			l[5], l[6] = l[6], l[5]
			l[5].Sequence, l[6].Sequence = 6, 7
			return l
		},
		"one put in":      func(l []audit.Entry) []audit.Entry { return slices.Insert(l, 5, l[4]) },
		"the end cut off": func(l []audit.Entry) []audit.Entry { return l[:12] },
		"all deleted":     func([]audit.Entry) []audit.Entry { return nil },
		"MACs removed":    func(l []audit.Entry) []audit.Entry { l[5].MAC = nil; return l },
		"edited and made anew by who has no key": func(l []audit.Entry) []audit.Entry {
			l[5].Action = "x"
			for i := 5; i < len(l); i++ {
				l[i].MAC, _ = other.Link(l[i-1].MAC, l[i])
			}
			return l
		},
	} {
		if _, err := verify(c, nil, head, change(slices.Clone(list))); !errs.Is(err, errs.Corrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := verify(c, nil, headOf(list[19]), append(slices.Clone(list[:19]), trail(t, c, 20)[19])); !errs.Is(err, errs.Corrupt) {
		t.Errorf("an end made anew: %v", err)
	}
}

func TestRetentionLeavesACheckpoint(t *testing.T) {
	c := audit.NewChain([]byte(strings.Repeat("k", 32)))
	list := trail(t, c, 20)
	at := list[7]
	p := c.Sign(audit.Checkpoint{Org: org, Sequence: at.Sequence, MAC: at.MAC, Time: at.Time})
	for _, head := range []audit.Head{{}, headOf(at), headOf(list[12]), headOf(list[2])} {
		if _, err := verify(c, &p, head, list[8:]); err != nil {
			t.Errorf("head %d: %v", head.Sequence, err)
		}
	}
	moved := audit.Checkpoint{Org: org, Sequence: list[9].Sequence, MAC: list[9].MAC, Time: at.Time, Signed: p.Signed}
	if _, err := verify(c, &moved, audit.Head{}, list[10:]); !errs.Is(err, errs.Corrupt) {
		t.Errorf("a checkpoint that somebody moved: %v", err)
	}
	if _, err := verify(c, nil, audit.Head{}, list[8:]); !errs.Is(err, errs.Corrupt) {
		t.Errorf("a beginning cut off without a checkpoint: %v", err)
	}
}
