package service_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/bucket/service"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/sink"
	"mooring/internal/sink/dir"
	"mooring/internal/store/sqlite"
	"mooring/internal/syncing"
)

type fixture struct {
	*service.Service
	root string
	org  id.Org
	ns   id.Namespace
}

var actor = audit.Actor{ID: "key_test", Type: audit.ByAPIKey}

func setUp(t *testing.T) *fixture {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	root := t.TempDir()
	folder, err := dir.New(root, dir.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{
		Service: &service.Service{Store: s, Destinations: map[string]sink.Destination{service.DefaultDestination: folder}, Now: time.Now},
		root:    root, org: id.NewOrg(), ns: id.NewNamespace(),
	}
}

func (f *fixture) make(t *testing.T, name string) bucket.Bucket {
	t.Helper()
	b, err := f.Create(t.Context(), f.org, f.ns, actor, service.CreateRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// put places content as the engine does.
func (f *fixture) put(t *testing.T, b bucket.Bucket, name, content string) bucket.Object {
	t.Helper()
	ctx := t.Context()
	part, err := f.Sink(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	w, err := part.Stage(ctx, "s", -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := part.Place(ctx, "s", name, int64(len(content))); err != nil {
		t.Fatal(err)
	}
	o := bucket.Object{ID: id.ObjectOf(b.ID, "conn_x", name), Org: f.org, Bucket: b.ID, Connection: "conn_x", Sync: "sync_x", SourceID: key.Key(name), Name: name, Size: int64(len(content)), State: bucket.Present, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	if err := f.Store.Catalogue().Upsert(ctx, f.org, b.ID, []bucket.Object{o}); err != nil {
		t.Fatal(err)
	}
	return o
}

func (f *fixture) file(b bucket.Bucket, name string) string {
	return filepath.Join(f.root, string(f.org), string(b.ID), name)
}

func TestABucketHasAFolderAndRules(t *testing.T) {
	f := setUp(t)
	b := f.make(t, " media ")
	if b.Name != "media" || b.Rules.MaxComponent == 0 {
		t.Errorf("got %+v", b)
	}
	if _, err := f.Create(t.Context(), f.org, f.ns, actor, service.CreateRequest{Name: "media"}); !errs.Is(err, errs.AlreadyExists) {
		t.Errorf("a taken name: %v", err)
	}
	for _, name := range []string{"", ".", "..", "bkt_x", "a\x00b"} {
		if _, err := f.Create(t.Context(), f.org, f.ns, actor, service.CreateRequest{Name: name}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := f.Create(t.Context(), f.org, f.ns, actor, service.CreateRequest{Name: "b", Destination: "elsewhere"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("an unknown destination: %v", err)
	}
}

func TestOnlyItsOwnNamespaceSeesABucket(t *testing.T) {
	f := setUp(t)
	b := f.make(t, "media")
	for _, which := range []string{"media", string(b.ID)} {
		if got, err := f.Get(t.Context(), f.org, f.ns, which); err != nil || got.ID != b.ID {
			t.Errorf("%s: %v", which, err)
		}
		if _, err := f.Get(t.Context(), f.org, id.NewNamespace(), which); !errs.Is(err, errs.NotFound) {
			t.Errorf("%s from another namespace: %v", which, err)
		}
		if _, err := f.Get(t.Context(), id.NewOrg(), f.ns, which); !errs.Is(err, errs.NotFound) {
			t.Errorf("%s from another organization: %v", which, err)
		}
	}
}

func TestADeletedBucketGoesWithAllItHolds(t *testing.T) {
	f := setUp(t)
	ctx := t.Context()
	b := f.make(t, "media")
	f.put(t, b, "a/b.txt", "content")
	now := time.Now()
	sy, err := f.Store.Syncs().Insert(ctx, f.org, syncing.Sync{ID: id.NewSync(), Org: f.org, Bucket: b.ID, NextSyncAt: &now, CreatedAt: now, UpdatedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Delete(ctx, f.org, actor, b); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Store.Syncs().Get(ctx, f.org, sy.ID); err != nil || got.DeletedAt == nil || got.NextSyncAt != nil {
		t.Errorf("its sync is %+v, %v", got, err)
	}
	if _, err := f.Delete(ctx, f.org, actor, b); !errs.Is(err, errs.Conflict) {
		t.Errorf("deleted twice: %v", err)
	}
	for range 2 { // an interrupted removal is repeated
		if err := f.Remove(ctx, f.org, b.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(f.file(b, "")); !os.IsNotExist(err) {
		t.Errorf("its folder: %v", err)
	}
	if s, err := f.Store.Catalogue().Stats(ctx, f.org, b.ID); err != nil || s.Objects != 0 {
		t.Errorf("its catalogue: %+v, %v", s, err)
	}
	if _, err := f.Get(ctx, f.org, f.ns, string(b.ID)); !errs.Is(err, errs.NotFound) {
		t.Errorf("it is still there: %v", err)
	}
	f.make(t, "media") // its name is free
}

func TestADeletedObjectIsRemembered(t *testing.T) {
	f := setUp(t)
	ctx := t.Context()
	b := f.make(t, "media")
	o := f.put(t, b, "a.txt", "content")
	if got := f.read(t, b, o, 3); got != "tent" {
		t.Errorf("content from 3: %q", got)
	}
	if err := f.DeleteObject(ctx, f.org, actor, b, o.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.file(b, "a.txt")); !os.IsNotExist(err) {
		t.Errorf("its file: %v", err)
	}
	if _, err := f.Object(ctx, f.org, b, o.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("the object: %v", err)
	}
	if err := f.DeleteObject(ctx, f.org, actor, b, o.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	kept, err := f.Store.Catalogue().Get(ctx, f.org, b.ID, o.ID)
	if err != nil || kept.State != bucket.Removed {
		t.Errorf("its record: %+v, %v", kept, err)
	}
	if got, err := f.Get(ctx, f.org, f.ns, "media"); err != nil || got.Stats.Objects != 0 {
		t.Errorf("the count: %+v, %v", got.Stats, err)
	}
	told, err := f.Store.Events().List(ctx, f.org, 0, 10)
	if err != nil || len(told) != 1 {
		t.Fatalf("told: %+v, %v", told, err)
	}
	if m := told[0].Messages()[0]; m.Type != event.ObjectDeleted || m.Data["connection_id"] != string(o.Connection) || m.Data["sync_config_id"] != string(o.Sync) {
		t.Errorf("told: %+v", m)
	}
}

func (f *fixture) read(t *testing.T, b bucket.Bucket, o bucket.Object, off int64) string {
	t.Helper()
	r, err := f.Content(context.WithoutCancel(t.Context()), b, o, off)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}
