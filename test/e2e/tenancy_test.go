package e2e

import (
	"net/http"
	"strings"
	"testing"

	"mooring/emulator/s3"
	"mooring/test/binary"
)

// A second organization sees nothing of the first one's, whatever it asks for.
func TestOrganizationsAreSeparate(t *testing.T) {
	from := newStorage(t, s3.Options{})
	from.put("private.txt", "of the first organization")
	s := Start(t)
	j := s.connect(from, sourceBucket, nil)
	j.pass()
	objectID := binary.Text(j.object("private.txt"), "object_id")
	runs := must(j.Runs(j.ctx, j.bucket, j.sync))(t)
	run := binary.Text(runs[0], "sync_run_id")

	r := s.cli("", "organization", "create", "second", "second@example.com")
	file := keyFile.FindString(r.Stdout)
	if r.Code != 0 || file == "" {
		t.Fatalf("organization create: %+v", r)
	}
	other := s.as(strings.TrimSpace(read(t, "", file)))
	sync := binary.Path("buckets", j.bucket, "syncs", j.sync)
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{http.MethodGet, "/v1/organizations/connections/" + j.connection, nil},
		{http.MethodGet, "/v1/organizations/connections/storage", nil},
		{http.MethodPatch, "/v1/organizations/connections/" + j.connection, object{"name": "mine"}},
		{http.MethodPost, "/v1/organizations/connections/" + j.connection + "/test", nil},
		{http.MethodGet, "/v1/organizations/connections/" + j.connection + "/browse", nil},
		{http.MethodDelete, "/v1/organizations/connections/" + j.connection, nil},
		{http.MethodGet, binary.Path("buckets", j.bucket), nil},
		{http.MethodDelete, binary.Path("buckets", j.bucket), nil},
		{http.MethodPost, binary.Path("buckets", j.bucket, "objects", "list"), object{}},
		{http.MethodGet, binary.Path("buckets", j.bucket, "objects", objectID), nil},
		{http.MethodGet, binary.Path("buckets", j.bucket, "objects", objectID, "content"), nil},
		{http.MethodDelete, binary.Path("buckets", j.bucket, "objects", objectID), nil},
		{http.MethodPost, binary.Path("buckets", j.bucket, "syncs", "list"), object{}},
		{http.MethodPost, binary.Path("buckets", j.bucket, "syncs"), object{"connection_id": j.connection, "source_path": sourceBucket}},
		{http.MethodGet, sync, nil},
		{http.MethodPatch, sync, object{"description": "mine"}},
		{http.MethodDelete, sync, nil},
		{http.MethodPost, sync + "/pause", nil},
		{http.MethodPost, sync + "/trigger", nil},
		{http.MethodPost, sync + "/preview", nil},
		{http.MethodPost, sync + "/verify", nil},
		{http.MethodGet, sync + "/runs", nil},
		{http.MethodGet, sync + "/runs/" + run, nil},
		{http.MethodGet, sync + "/runs/" + run + "/events", nil},
		{http.MethodGet, sync + "/dead-letters", nil},
		{http.MethodPost, sync + "/dead-letters/retry", object{}},
	} {
		got := must(other.Do(s.ctx, c.method, c.path, c.body))(t)
		if got.Status != http.StatusNotFound {
			t.Errorf("%s %s: %d, want 404: %s", c.method, c.path, got.Status, got.Raw)
		}
	}
	for _, path := range []string{"/v1/organizations/connections/list", "/v1/buckets/list"} {
		if list := must(other.List(s.ctx, http.MethodPost, path, object{}))(t); len(list) != 0 {
			t.Errorf("%s gives the second organization %v", path, list)
		}
	}
	trail := must(other.Do(s.ctx, http.MethodGet, "/v1/organizations/audit/logs?limit=1000", nil))(t)
	if trail.Status != http.StatusOK || strings.Contains(string(trail.Raw), j.connection) {
		t.Errorf("the second organization's audit trail: %s", trail.Raw)
	}
	// A connection of one organization can't be bound to a bucket of the other.
	bucket := must(other.Bucket(s.ctx, "media"))(t) // the name is free there
	got := must(other.Do(s.ctx, http.MethodPost, binary.Path("buckets", bucket, "syncs"), object{"connection_id": j.connection, "source_path": sourceBucket}))(t)
	if got.Status/100 != 4 {
		t.Errorf("a sync over another organization's connection: %d %s", got.Status, got.Raw)
	}
	// All is as it was.
	if got := j.content("private.txt"); got != "of the first organization" {
		t.Errorf("private.txt is %q", got)
	}
	j.want(j.again(), map[string]int64{"discovered": 1, "unchanged": 1})
}
