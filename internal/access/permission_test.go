package access_test

import (
	"testing"

	"mooring/internal/access"
)

func TestPermissionsIncludeThoseBefore(t *testing.T) {
	all := []access.Permission{access.Read, access.Write, access.Delete, access.Admin}
	for i, held := range all {
		for j, need := range all {
			if got := access.Allows([]access.Permission{held}, need); got != (i >= j) {
				t.Errorf("%s allows %s: %v", held, need, got)
			}
		}
	}
	if access.Allows(nil, access.Read) || access.Allows([]access.Permission{"root"}, access.Read) {
		t.Error("nothing allows something")
	}
}

func TestScopes(t *testing.T) {
	bucket := access.Resource{{Type: "bucket", ID: "bkt_1"}, {Type: "namespace", ID: "ns_1"}}
	for _, c := range []struct {
		name   string
		scopes []access.Scope
		need   access.Permission
		want   bool
	}{
		{"none is all", nil, access.Admin, true},
		{"itself", []access.Scope{{ResourceType: "bucket", ResourceID: "bkt_1"}}, access.Read, true},
		{"its namespace", []access.Scope{{ResourceType: "namespace", ResourceID: "ns_*"}}, access.Write, true},
		{"another", []access.Scope{{ResourceType: "bucket", ResourceID: "bkt_2"}}, access.Read, false},
		{"another type", []access.Scope{{ResourceType: "storage_connection", ResourceID: "*"}}, access.Read, false},
		{"operation fits", []access.Scope{{ResourceType: "bucket", ResourceID: "*", Operations: []string{"read_data"}}}, access.Read, true},
		{"operation does not", []access.Scope{{ResourceType: "bucket", ResourceID: "*", Operations: []string{"read_data"}}}, access.Write, false},
		{"wildcard inside", []access.Scope{{ResourceType: "bucket", ResourceID: "b*_1"}}, access.Read, true},
		{"wildcard must end right", []access.Scope{{ResourceType: "bucket", ResourceID: "b*_2"}}, access.Read, false},
	} {
		if got := access.InScope(c.scopes, c.need, bucket); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestNoKeyGrantsMoreThanItHas(t *testing.T) {
	scoped := access.APIKey{Permissions: []access.Permission{access.Write}, Scopes: []access.Scope{{ResourceType: "bucket", ResourceID: "bkt_a*"}}}
	within := []access.Scope{{ResourceType: "bucket", ResourceID: "bkt_a1"}}
	if !access.NotBeyond(scoped, []access.Permission{access.Read}, within) {
		t.Error("a lesser key is refused")
	}
	if access.NotBeyond(scoped, []access.Permission{access.Admin}, within) {
		t.Error("a stronger permission is granted")
	}
	if access.NotBeyond(scoped, []access.Permission{access.Read}, nil) {
		t.Error("an unrestricted key is granted")
	}
	if access.NotBeyond(scoped, []access.Permission{access.Read}, []access.Scope{{ResourceType: "bucket", ResourceID: "*"}}) {
		t.Error("a wider scope is granted")
	}
}
