package snowflake_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	emulator "mooring/emulator/snowflake"
	"mooring/internal/errs"
	"mooring/internal/provider/driver"
)

func TestChecksNeedNoWarehouse(t *testing.T) {
	srv := table(t, emulator.Options{}, 3)
	srv.User("MOORING", password).DefaultWarehouse("WH")
	for _, target := range []string{"", items, "ITEMS", "PUBLIC.items"} {
		srv.ResetRequests()
		src := open(t, srv, settings(keyed))
		r, err := src.Check(t.Context(), target)
		must(t, err)
		must(t, src.Close())
		if r.Message == "" || srv.WarehouseStatements() != 0 || srv.Count() > 4 { // the fourth closes the session
			t.Errorf("%q: %d statements needed a warehouse, %d requests", target, srv.WarehouseStatements(), srv.Count())
		}
		for _, q := range srv.Requests() {
			if q.Warehouse != "" {
				t.Errorf("%s asks for a warehouse", q.Operation)
			}
		}
	}
}

func TestCheckMissesTheWarehouse(t *testing.T) {
	srv := table(t, emulator.Options{}, 3)
	for _, target := range []string{"", items} {
		_, err := open(t, srv, settings(map[string]any{"warehouse": "NO_SUCH"})).Check(t.Context(), target)
		kind(t, err, errs.PermissionDenied, errs.ScopeConnection)
	}
}

func TestBrowse(t *testing.T) {
	srv := start(t, emulator.Options{})
	columns := []emulator.Column{{Name: "ID", Type: emulator.Number}}
	var want []string
	for i := range 7 {
		srv.Table(fmt.Sprintf("DB.PUBLIC.T%d", i), columns)
		want = append(want, fmt.Sprintf("DB.PUBLIC.T%d", i))
	}
	srv.View("DB.PUBLIC.V", srv.Table(`DB.PUBLIC."it's"`, columns))
	want = append(want, "DB.PUBLIC.V", `DB.PUBLIC."it's"`)
	srv.Table("DB.OTHER.X", columns)
	srv.Table("DB2.PUBLIC.Y", columns)
	src := open(t, srv, settings(nil))
	for path, want := range map[string][]string{
		"": {"DB", "DB2"}, "DB": {"DB.OTHER", "DB.PUBLIC"}, "db.public": want, "DB.PUBLIC.T1": nil,
	} {
		for _, limit := range []int{1, 3, 1000} {
			var got []string
			for page := ""; ; {
				l, err := src.Browse(t.Context(), path, page, limit)
				must(t, err)
				if len(l.Items) > limit {
					t.Errorf("%d entries on a page of %d", len(l.Items), limit)
				}
				for _, it := range l.Items {
					got = append(got, it.ID)
				}
				if page = l.Next; page == "" {
					break
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%q by %d: %s", path, limit, d)
			}
		}
	}
	if n := srv.WarehouseStatements(); n != 0 {
		t.Errorf("%d statements needed a warehouse", n)
	}
	_, err := src.Browse(t.Context(), "a b", "", 10)
	if !errs.Is(err, errs.Invalid) || errs.From(err).Origin != errs.Ours {
		t.Errorf("%v", err)
	}
}

func TestStoppingStopsTheQuery(t *testing.T) {
	srv := table(t, emulator.Options{}, 3)
	src := open(t, srv, settings(keyed))
	_, _ = follow(t, src, items, nil)
	started := make(chan struct{}, 1)
	srv.Inject(emulator.Fault{
		Match:  emulator.Match{Operations: []emulator.Operation{emulator.Query}, If: func(emulator.Request) bool { started <- struct{}{}; return true }},
		Action: emulator.Hang(), Times: 1,
	})
	ctx, cancel := contextWithCancel(t)
	done := make(chan error)
	go func() {
		_, err := src.Changes(ctx, driver.Scope{Path: items}, nil)
		done <- err
	}()
	<-started
	cancel()
	if err := <-done; !errs.Is(err, errs.Canceled) {
		t.Errorf("%v", err)
	}
	aborted := waitFor(t, func() bool { return srv.Count(emulator.Abort) == 1 })
	if !aborted {
		t.Error("the query was not aborted")
	}
}
