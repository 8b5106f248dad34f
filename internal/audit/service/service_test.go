package service_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring/internal/audit"
	"mooring/internal/audit/service"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/sqlite"
)

const (
	org = id.Org("int_aaaaaaaaaaaaaaaaaaaaaaaa")
	day = 24 * time.Hour
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// edited is a trail as who can write to the database has changed it.
type edited struct {
	store.Audit
	change func([]audit.Entry) []audit.Entry
}

func (e edited) Scan(ctx context.Context, org id.Org, after int64, limit int) ([]audit.Entry, error) {
	list, err := e.Audit.Scan(ctx, org, after, limit)
	if e.change != nil {
		list = e.change(list)
	}
	return list, err
}

// trails holds an entry a day.
func trails(t *testing.T, days int) *service.Trails {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	chain := audit.NewChain([]byte(strings.Repeat("k", 32)))
	st.System().ChainAudit(chain)
	var list []audit.Entry
	for i := range days {
		list = append(list, audit.Entry{ID: id.NewAudit(), Time: begin.Add(time.Duration(i) * day), ResourceType: audit.Bucket, ResourceID: "bkt_a", Action: audit.BucketUpdated, Actor: audit.System()})
	}
	if err := st.Audit().Append(t.Context(), org, list); err != nil {
		t.Fatal(err)
	}
	return &service.Trails{Audit: st.Audit(), Chain: chain, Now: func() time.Time { return begin.Add(time.Duration(days) * day) }}
}

func TestPruningLeavesATrailThatVerifies(t *testing.T) {
	tr := trails(t, 1200)
	kept, err := tr.Head(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := tr.Prune(t.Context(), org, 100*day); n != 1100 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	if v, err := tr.Verify(t.Context(), org, kept); v.Pruned != 1100 || v.Verified != 100 || err != nil {
		t.Errorf("afterwards: %+v, %v", v, err)
	}
	if n, err := tr.Prune(t.Context(), org, 0); n != 99 || err != nil {
		t.Errorf("all but the last: %d removed, %v", n, err)
	}
}

// A checkpoint is signed by us: it must not stand for what somebody changed, nor
// for what they only made look old.
func TestPruningDoesNotMakeGoodWhatWasChanged(t *testing.T) {
	tr := trails(t, 50)
	whole := tr.Audit
	for name, change := range map[string]func([]audit.Entry) []audit.Entry{
		"the beginning deleted": func(l []audit.Entry) []audit.Entry { return l[5:] },
		"one deleted":           func(l []audit.Entry) []audit.Entry { return append(l[:5:5], l[6:]...) },
		"an action edited":      func(l []audit.Entry) []audit.Entry { l[5].Action = "x"; return l },
		"made look old": func(l []audit.Entry) []audit.Entry {
			for i := range l {
				l[i].Time = begin
			}
			return l
		},
	} {
		tr.Audit = edited{whole, change}
		if n, err := tr.Prune(t.Context(), org, 20*day); n != 0 || !errs.Is(err, errs.Corrupt) {
			t.Errorf("%s: %d removed, %v", name, n, err)
		}
		if p, err := whole.Checkpoint(t.Context(), org); p != nil || err != nil {
			t.Errorf("%s: a checkpoint was signed: %v, %v", name, p, err)
		}
	}
}
