package main

import (
	"testing"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store/sqlite"
)

// A new key in place of one that was removed would let whoever removed it begin
// the trails anew.
func TestTheAuditKeyIsMadeForANewStoreOnly(t *testing.T) {
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	master := csfle.GenerateLocalMasterKey()
	for range 2 {
		if _, err := auditChain(t.Context(), st.System(), master); err != nil {
			t.Fatal(err)
		}
	}
	org := id.NewOrg()
	if _, err := st.Organizations().Insert(t.Context(), org, access.Organization{ID: org, Name: "o"}); err != nil {
		t.Fatal(err)
	}
	if _, err := auditChain(t.Context(), st.System(), master); err != nil {
		t.Fatal(err)
	}
	raw, err := st.System().Meta(t.Context(), "audit_key")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.System().SetMeta(t.Context(), "audit_key", raw, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := auditChain(t.Context(), st.System(), master); !errs.Is(err, errs.Corrupt) {
		t.Errorf("got %v", err)
	}
}
