//go:build mongo

package e2e

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mooring/emulator/s3"
	"mooring/test/binary"
	"mooring/test/mongoserver"
)

// inventory is what `mooring keys list` says.
type inventory struct {
	Keys []struct {
		Name  string `json:"name"`
		Org   string `json:"organization_name"`
		State string `json:"state"`
	} `json:"data_keys"`
	Destroyed []struct {
		Org string `json:"organization"`
	} `json:"destroyed"`
}

// of returns the names of the data keys of an organization.
func (i inventory) of(org string) (names []string) {
	for _, k := range i.Keys {
		if k.Org == org {
			names = append(names, k.Name)
		}
	}
	return names
}

func inventoried(t *testing.T, r binary.Result) inventory {
	t.Helper()
	var out struct{ Inventory inventory }
	if err := json.Unmarshal([]byte(good(t, r).Stdout), &out); err != nil {
		t.Fatal(err)
	}
	return out.Inventory
}

// Two servers are on a database while one organization's data key is rotated and
// another's is destroyed: both go on with the first, none opens anything of the
// second, nor does a backup from before that replaces the store.
func TestMongoKeys(t *testing.T) {
	t.Parallel()
	from := newStorage(t, s3.Options{})
	from.put("a.txt", "first")
	c := newCluster(t, mongoserver.Database(mongoURI(t), mongoserver.NewName()))
	a, b := c.start(), c.start()
	operator := func(args ...string) binary.Result {
		t.Helper()
		return a.cli("", append(args, c.flags...)...)
	}
	j := a.connect(from, sourceBucket, nil)
	j.pass()
	const doomed = "doomed"
	file := keyFile.FindString(good(t, operator("organization", "create", doomed, "doomed@example.com")).Stdout)
	other := strings.TrimSpace(read(t, "", file))
	lost := must(a.as(other).Connect(c.ctx, "lost", from.S3))(t)
	before := inventoried(t, operator("keys", "list", "--json"))
	if len(before.Keys) != 2 || len(before.of(doomed)) != 1 || len(before.Destroyed) != 0 {
		t.Fatalf("before: %+v", before)
	}
	org, _, _ := strings.Cut(before.of(doomed)[0], "/")
	saved := filepath.Join(t.TempDir(), "backup")
	good(t, operator("backup", saved))

	var running sync.WaitGroup
	for _, args := range [][]string{{"keys", "rotate", defaultOrg(t, a)}, {"keys", "destroy", org, "--confirm", doomed}} {
		running.Go(func() {
			if r := operator(args...); r.Code != 0 {
				t.Errorf("mooring %v: %+v", args, r)
			}
		})
	}
	running.Wait()
	after := inventoried(t, operator("keys", "list", "--json"))
	if len(after.Keys) != 1 || after.Keys[0].State != "current" || after.Keys[0].Name == before.of(after.Keys[0].Org)[0] {
		t.Errorf("the keys after the rotation: %+v", after)
	}
	for _, s := range []*server{a, b} {
		works(t, s, j.connection)
		dead(t, s.as(other), lost)
	}
	from.put("b.txt", "second")
	c.at(j, b)
	j.again()
	a.stop()
	b.stop()

	good(t, on(t, a.Dir, append([]string{"restore", "--replace", saved}, c.flags...)...))
	restored := inventoried(t, on(t, a.Dir, append([]string{"keys", "list", "--json", "--shared-data-dir"}, c.flags...)...))
	if len(restored.of(doomed)) != 0 || len(restored.Keys) != 1 || len(restored.Destroyed) != 1 || restored.Destroyed[0].Org != org {
		t.Errorf("after a restore of what was before: %+v", restored)
	}
	a = c.start()
	works(t, a, j.connection)
	dead(t, a.as(other), lost)
}

func works(t *testing.T, s *server, connection string) {
	t.Helper()
	if got := s.expect(http.StatusOK, http.MethodPost, connections+"/"+connection+"/test", nil); got["success"] != true {
		t.Errorf("the test of a connection whose key was rotated: %v", got)
	}
}

// dead checks that a connection can't be used, nor another one be made.
func dead(t *testing.T, s *server, connection string) {
	t.Helper()
	out := must(s.Do(s.ctx, http.MethodPost, connections+"/"+connection+"/test", nil))(t)
	if out.Status == http.StatusOK && out.Object["success"] == true {
		t.Errorf("a credential whose key was destroyed was opened: %s", out.Raw)
	}
	config := binary.S3{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", KeyID: "AKIDEXAMPLE", Secret: "not a secret"}.Config()
	body := object{"name": "again", "provider_type": "s3", "provider_config": config, "test_before_save": false}
	if out = must(s.Do(s.ctx, http.MethodPost, connections, body))(t); out.Status/100 == 2 {
		t.Errorf("something was sealed for an organization whose keys were destroyed: %s", out.Raw)
	}
}
