package storetest

import (
	"testing"
	"time"

	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/syncing"
)

func filterTests() []subtest {
	return []subtest{
		{"Connections", testConnectionFilter},
		{"Buckets", testBucketFilter},
		{"Syncs", testSyncFilter},
		{"Runs", testRunFilter},
		{"APIKeys", testKeyFilter},
		{"ObjectConditions", testObjectConditions},
		{"ObjectSorts", testObjectSorts},
		{"ObjectsRefuse", testObjectsRefuse},
	}
}

var whole = store.Page{Limit: 1000}

// pick returns the elements of list at the positions.
func pick[T any](list []T, at ...int) []T {
	out := make([]T, 0, len(at))
	for _, i := range at {
		out = append(out, list[i])
	}
	return out
}

func ids[T any, ID ~string](l store.List[T], of func(*T) ID) []string {
	var out []string
	for i := range l.Items {
		out = append(out, string(of(&l.Items[i])))
	}
	return out
}

func testConnectionFilter(t *testing.T, h Harness) {
	org := id.NewOrg()
	var made []string
	for n, c := range []struct {
		provider string
		status   connection.Status
	}{{"s3", connection.Active}, {"s3", connection.Failed}, {"gdrive", connection.Active}, {"gdrive", connection.Archived}} {
		d := newConnection(org, n)
		d.Provider, d.Status = c.provider, c.status
		made = append(made, string(ok(h.Store.Connections().Insert(t.Context(), org, d))(t).ID))
	}
	yes, no := true, false
	for _, c := range []struct {
		filter connection.Filter
		want   []int
	}{
		{connection.Filter{}, []int{3, 2, 1, 0}},
		{connection.Filter{Provider: "s3"}, []int{1, 0}},
		{connection.Filter{Status: connection.Active}, []int{2, 0}},
		{connection.Filter{IsActive: &yes}, []int{2, 0}},
		{connection.Filter{IsActive: &no}, []int{3, 1}},
		{connection.Filter{Provider: "gdrive", IsActive: &yes}, []int{2}},
		{connection.Filter{Provider: "x"}, nil},
		{connection.Filter{Search: "CONNECTION conn_"}, []int{3, 2, 1, 0}},
		{connection.Filter{Search: made[2][5:]}, []int{2}},
		{connection.Filter{Search: "%"}, nil},
	} {
		l := ok(h.Store.Connections().List(t.Context(), org, c.filter, whole))(t)
		same(t, "list", ids(l, func(d *connection.Connection) id.Connection { return d.ID }), pick(made, c.want...))
		same(t, "count", ok(h.Store.Connections().Count(t.Context(), org, c.filter))(t), int64(len(c.want)))
	}
}

func testBucketFilter(t *testing.T, h Harness) {
	org := id.NewOrg()
	var made []string
	for n, b := range []struct{ ns, name, description string }{
		{"ns_a", "Photos", "of ÄRGER"}, {"ns_a", "100%_papers", ""}, {"ns_b", "photos", "second"},
	} {
		d := newBucket(org, id.Namespace(b.ns), n)
		d.Name = b.name
		if b.description != "" {
			d.Description = &b.description
		}
		made = append(made, string(ok(h.Store.Buckets().Insert(t.Context(), org, d))(t).ID))
	}
	for _, c := range []struct {
		filter bucket.ListFilter
		want   []int
	}{
		{bucket.ListFilter{}, []int{2, 1, 0}},
		{bucket.ListFilter{Namespace: "ns_a"}, []int{1, 0}},
		{bucket.ListFilter{ID: id.Bucket(made[1])}, []int{1}},
		{bucket.ListFilter{Name: "photos"}, []int{2}},
		{bucket.ListFilter{Search: "PHOTO"}, []int{2, 0}},
		{bucket.ListFilter{Search: "Photo", CaseSensitive: true}, []int{0}},
		{bucket.ListFilter{Search: "ärger"}, []int{0}},
		{bucket.ListFilter{Search: "0%_p"}, []int{1}},
		{bucket.ListFilter{Search: "%"}, []int{1}},
		{bucket.ListFilter{Search: made[2][5:]}, []int{2}},
		{bucket.ListFilter{Search: ".*"}, nil},
	} {
		l := ok(h.Store.Buckets().List(t.Context(), org, c.filter, whole))(t)
		same(t, "list by "+c.filter.Search+c.filter.Name, ids(l, func(d *bucket.Bucket) id.Bucket { return d.ID }), pick(made, c.want...))
		same(t, "count", ok(h.Store.Buckets().Count(t.Context(), org, c.filter))(t), int64(len(c.want)))
	}
	got := ok(h.Store.Buckets().ByName(t.Context(), org, "ns_b", "photos"))(t)
	same(t, "ByName", string(got.ID), made[2])
	_, err := h.Store.Buckets().ByName(t.Context(), org, "ns_b", "Photos")
	wantKind(t, "ByName in another namespace", err, errs.NotFound)
}

func testSyncFilter(t *testing.T, h Harness) {
	org, gone := id.NewOrg(), moment(9)
	var made []string
	for n, c := range []struct {
		bucket     id.Bucket
		connection id.Connection
		status     syncing.Status
		deleted    *time.Time
	}{
		{"bkt_a", "conn_a", syncing.Active, nil}, {"bkt_a", "conn_b", syncing.Pending, nil},
		{"bkt_b", "conn_a", syncing.Suspended, nil}, {"bkt_a", "conn_a", syncing.Active, &gone},
	} {
		d := newSync(org, n)
		d.Bucket, d.Connection, d.Status, d.DeletedAt = c.bucket, c.connection, c.status, c.deleted
		made = append(made, string(ok(h.Store.Syncs().Insert(t.Context(), org, d))(t).ID))
	}
	yes, no := true, false
	for _, c := range []struct {
		filter syncing.Filter
		want   []int
	}{
		{syncing.Filter{}, []int{2, 1, 0}},
		{syncing.Filter{Bucket: "bkt_a"}, []int{1, 0}},
		{syncing.Filter{Connection: "conn_a"}, []int{2, 0}},
		{syncing.Filter{Status: syncing.Suspended}, []int{2}},
		{syncing.Filter{IsActive: &yes}, []int{1, 0}},
		{syncing.Filter{IsActive: &no}, []int{2}},
		{syncing.Filter{Bucket: "bkt_a", Connection: "conn_b"}, []int{1}},
	} {
		l := ok(h.Store.Syncs().List(t.Context(), org, c.filter, whole))(t)
		same(t, "list", ids(l, func(d *syncing.Sync) id.Sync { return d.ID }), pick(made, c.want...))
		same(t, "count", ok(h.Store.Syncs().Count(t.Context(), org, c.filter))(t), int64(len(c.want)))
	}
	d := ok(h.Store.Syncs().Get(t.Context(), org, id.Sync(made[3])))(t)
	if d.DeletedAt == nil {
		t.Error("Get of a deleted sync does not say that it is deleted")
	}
}

func testRunFilter(t *testing.T, h Harness) {
	org := id.NewOrg()
	var made []string
	for n, c := range []struct {
		sync   id.Sync
		bucket id.Bucket
	}{{"sync_a", "bkt_a"}, {"sync_a", "bkt_a"}, {"sync_b", "bkt_a"}, {"sync_c", "bkt_b"}} {
		made = append(made, string(ok(h.Store.Runs().Insert(t.Context(), org, newRun(org, c.sync, c.bucket, n)))(t).ID))
	}
	for _, c := range []struct {
		filter syncing.RunFilter
		want   []int
	}{
		{syncing.RunFilter{}, []int{3, 2, 1, 0}},
		{syncing.RunFilter{Sync: "sync_a"}, []int{1, 0}},
		{syncing.RunFilter{Bucket: "bkt_a"}, []int{2, 1, 0}},
		{syncing.RunFilter{Since: moment(2)}, []int{3, 2}},
		{syncing.RunFilter{Since: moment(2).Add(1)}, []int{3}},
		{syncing.RunFilter{Until: moment(2)}, []int{1, 0}},
		{syncing.RunFilter{Until: moment(2).Add(1)}, []int{2, 1, 0}},
		{syncing.RunFilter{Bucket: "bkt_a", Since: moment(1), Until: moment(2)}, []int{1}},
	} {
		l := ok(h.Store.Runs().List(t.Context(), org, c.filter, whole))(t)
		same(t, "list", ids(l, func(d *syncing.Run) id.Run { return d.ID }), pick(made, c.want...))
		same(t, "count", ok(h.Store.Runs().Count(t.Context(), org, c.filter))(t), int64(len(c.want)))
	}
	must(t, h.Store.Runs().Remove(t.Context(), org, id.Run(made[0])))
	must(t, h.Store.Runs().Remove(t.Context(), org, id.Run(made[0])))
	_, err := h.Store.Runs().Get(t.Context(), org, id.Run(made[0]))
	wantKind(t, "Get of a removed run", err, errs.NotFound)
}

func testKeyFilter(t *testing.T, h Harness) {
	org := id.NewOrg()
	a := ok(h.Store.APIKeys().Insert(t.Context(), org, newKey(org, "usr_a", 1)))(t)
	b := ok(h.Store.APIKeys().Insert(t.Context(), org, newKey(org, "usr_b", 2)))(t)
	all := ok(h.Store.APIKeys().List(t.Context(), org, "", whole))(t)
	same(t, "the keys of all users", len(all.Items), 2)
	same(t, "the keys of one user", ok(h.Store.APIKeys().List(t.Context(), org, "usr_b", whole))(t).Items[0], b)
	same(t, "by hash", ok(h.System.KeyByHash(t.Context(), a.Hash))(t), a)
	_, err := h.System.KeyByHash(t.Context(), "none")
	wantKind(t, "an unknown hash", err, errs.NotFound)
}

// filterObjects puts four objects into a bucket and returns their ids.
func filterObjects(t *testing.T, h Harness, org id.Org) []string {
	t.Helper()
	var made []string
	var objects []bucket.Object
	for n, o := range []struct {
		path, mime string
		connection id.Connection
		sync       id.Sync
		state      string
	}{
		{"a/Über.txt", "text/plain", "conn_a", "sync_a", bucket.Present}, {"a/two.png", "image/png", "conn_a", "sync_b", bucket.Present},
		{"a0/three.png", "image/png", "conn_b", "sync_c", bucket.Tombstoned}, {"bÿ", "x/y", "conn_b", "sync_c", bucket.Present},
	} {
		d := newObject(org, "bkt_a", o.connection, o.sync, key.Key(o.path), n)
		d.SourcePath, d.MIME, d.State, d.UpdatedAt = o.path, o.mime, o.state, moment(100-n)
		made, objects = append(made, string(d.ID)), append(objects, d)
	}
	must(t, h.Store.Catalogue().Upsert(t.Context(), org, "bkt_a", objects))
	return made
}

func testObjectConditions(t *testing.T, h Harness) {
	org := id.NewOrg()
	made := filterObjects(t, h, org)
	where := func(field, op string, value any) bucket.Filter {
		return bucket.Filter{Where: []bucket.Condition{{Field: field, Op: op, Value: value}}}
	}
	for _, c := range []struct {
		filter bucket.Filter
		want   []int
	}{
		{bucket.Filter{}, []int{3, 2, 1, 0}},
		{where("source_path", "eq", "a/two.png"), []int{1}},
		{where("source_path", "in", []any{"a/two.png", "bÿ", "none"}), []int{3, 1}},
		{where("source_path", "in", []any{}), nil},
		{where("source_path", "prefix", "a/"), []int{1, 0}},
		{where("source_path", "prefix", ""), []int{3, 2, 1, 0}},
		{where("source_path", "prefix", "bÿ"), []int{3}},
		{where("source_path", "gt", "a/two.png"), []int{3, 2, 0}},
		{where("source_path", "lte", "a/two.png"), []int{1}},
		{where("size", "gt", 1), []int{3, 2}},
		{where("size", "gte", int64(1)), []int{3, 2, 1}},
		{where("size", "lt", 1.5), []int{1, 0}},
		{where("size", "in", []any{float64(0), 3}), []int{3, 0}},
		{where("created_at", "lt", moment(2)), []int{1, 0}},
		{where("created_at", "gte", moment(2).Format(time.RFC3339Nano)), []int{3, 2}},
		{where("updated_at", "eq", moment(99)), []int{1}},
		{where("status", "eq", bucket.Tombstoned), []int{2}},
		{where("mime_type", "eq", "image/png"), []int{2, 1}},
		{where("mime_type", "prefix", "image/"), []int{2, 1}},
		{where("connection_id", "eq", "conn_a"), []int{1, 0}},
		{where("connection_id", "eq", id.Connection("conn_b")), []int{3, 2}},
		{where("connection_id", "in", []any{"conn_a", "conn_none"}), []int{1, 0}},
		{where("connection_id", "eq", "conn_none"), nil},
		{where("sync_config_id", "eq", "sync_c"), []int{3, 2}},
		{where("content_hash", "eq", newObject(org, "", "", "", "", 2).SHA256), []int{2}},
		{bucket.Filter{Search: "ÜBER"}, []int{0}},
		{bucket.Filter{Search: "THREE"}, []int{2}},
		{bucket.Filter{Search: "%"}, nil},
		{bucket.Filter{Where: []bucket.Condition{{Field: "mime_type", Op: "eq", Value: "image/png"}, {Field: "size", Op: "lt", Value: 2}}, Search: "png"}, []int{1}},
	} {
		l := ok(h.Store.Catalogue().List(t.Context(), org, "bkt_a", c.filter, whole))(t)
		if got, want := ids(l, func(d *bucket.Object) id.Object { return d.ID }), pick(made, c.want...); len(got)+len(want) > 0 {
			same(t, "objects by "+c.filter.Search+" "+name(c.filter), got, want)
		}
	}
}

func name(f bucket.Filter) (s string) {
	for _, c := range f.Where {
		s += c.Field + " " + c.Op + " "
	}
	return s
}

func testObjectSorts(t *testing.T, h Harness) {
	org := id.NewOrg()
	made := filterObjects(t, h, org)
	for _, c := range []struct {
		sort string
		want []int
	}{
		{"created_at", []int{0, 1, 2, 3}},
		{"updated_at", []int{3, 2, 1, 0}},
		{"size", []int{0, 1, 2, 3}},
		{"source_path", []int{1, 0, 2, 3}},
	} {
		for _, desc := range []bool{false, true} {
			want := pick(made, c.want...)
			if desc {
				want = pick(made, c.want[3], c.want[2], c.want[1], c.want[0])
			}
			var got []string
			p := store.Page{Limit: 1}
			for {
				l := ok(h.Store.Catalogue().List(t.Context(), org, "bkt_a", bucket.Filter{Sort: c.sort, Desc: desc}, p))(t)
				got = append(got, ids(l, func(d *bucket.Object) id.Object { return d.ID })...)
				if p.Cursor = l.Next; l.Next == "" || len(got) > len(want) {
					break
				}
			}
			same(t, "objects sorted by "+c.sort, got, want)
		}
	}
}

func testObjectsRefuse(t *testing.T, h Harness) {
	org := id.NewOrg()
	filterObjects(t, h, org)
	for _, c := range []bucket.Condition{
		{Field: "fields.x", Op: "eq", Value: "1"}, {Field: "name", Op: "eq", Value: "x"}, {Field: "doc", Op: "eq", Value: "x"},
		{Field: "size = 0 OR size", Op: "eq", Value: 1}, {Field: "size", Op: "prefix", Value: "1"}, {Field: "size", Op: "like", Value: 1},
		{Field: "size", Op: "eq", Value: "1"}, {Field: "status", Op: "gt", Value: "A"}, {Field: "source_path", Op: "eq", Value: 1},
		{Field: "source_path", Op: "in", Value: "a"}, {Field: "created_at", Op: "gt", Value: "yesterday"}, {Field: "source_path", Op: "prefix", Value: 1},
	} {
		_, err := h.Store.Catalogue().List(t.Context(), org, "bkt_a", bucket.Filter{Where: []bucket.Condition{c}}, whole)
		wantKind(t, c.Field+" "+c.Op, err, errs.Invalid)
	}
	_, err := h.Store.Catalogue().List(t.Context(), org, "bkt_a", bucket.Filter{Sort: "name"}, whole)
	wantKind(t, "an unknown sort", err, errs.Invalid)
}
