package providertest_test

import (
	"context"
	"encoding/json"
	"path"
	"strings"
	"testing"

	"mooring/internal/errs"
	"mooring/internal/provider/driver"
	"mooring/internal/provider/providertest"
)

const pageSize = 7

// scripted gives a harness what every fake's script can do.
func scripted(h providertest.Harness, src driver.Source, s *providertest.Script, id func(name string) string) providertest.Harness {
	h.Open = func(testing.TB) driver.Source { return src }
	h.PageSize = pageSize
	h.Requests = func() int { return s.Count("") }
	h.Fail = func(_ testing.TB, k errs.Kind) bool {
		s.ClearFaults()
		s.Inject(providertest.Fault{Action: providertest.Fail(k)})
		return true
	}
	h.Break = func(_ testing.TB, name string, n int64) {
		s.Inject(providertest.Fault{Method: providertest.Open, ID: id(name), Times: 1, Action: providertest.ShortRead(n)})
	}
	h.Block = func(_ testing.TB, started func()) {
		s.SetGate(func(ctx context.Context, _ providertest.Call) error {
			started()
			<-ctx.Done()
			return nil
		})
	}
	return h
}

func TestFlat(t *testing.T) {
	for name, scope := range map[string]string{"bucket": "data", "prefix": "data/pre fix"} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(*testing.T) providertest.Harness {
				f := providertest.NewFlat(providertest.FlatOptions{PageSize: pageSize})
				f.Put("qqq", nil) // beside the prefix
				if scope == "data" {
					f.Delete("qqq")
				}
				key := func(name string) string { return strings.TrimPrefix(scope+"/"+name, "data/") }
				return scripted(providertest.Harness{
					Scope:   driver.Scope{Path: scope},
					Put:     func(_ testing.TB, name string, c []byte) { f.Put(key(name), c) },
					Delete:  func(_ testing.TB, name string) { f.Delete(key(name)) },
					Outside: &driver.Scope{Path: "data/elsewhere"}, Missing: "nowhere",
				}, f, &f.Script, func(name string) string { return f.ID(key(name)) })
			})
		})
	}
}

func TestFlatUnordered(t *testing.T) {
	providertest.Run(t, func(*testing.T) providertest.Harness {
		f := providertest.NewFlat(providertest.FlatOptions{PageSize: pageSize, Unordered: true})
		return scripted(providertest.Harness{
			Scope: driver.Scope{Path: "data"}, Unordered: true,
			Put:    func(_ testing.TB, name string, c []byte) { f.Put(name, c) },
			Delete: func(_ testing.TB, name string) { f.Delete(name) },
		}, f, &f.Script, f.ID)
	})
}

func TestRows(t *testing.T) {
	providertest.Run(t, func(*testing.T) providertest.Harness {
		r := providertest.NewRows(providertest.RowsOptions{PageSize: pageSize})
		return scripted(providertest.Harness{
			Scope:  driver.Scope{Path: "DB.PUBLIC.ITEMS"},
			Put:    func(_ testing.TB, name string, c []byte) { r.Put(name, map[string]any{"c": string(c)}) },
			Delete: func(_ testing.TB, name string) { r.Delete(name) },
			Rel:    func(name string) string { return name + ".json" },
			Content: func(_ string, c []byte) []byte {
				b, _ := json.Marshal(map[string]any{"c": string(c)})
				return b
			},
			Missing: "NO.SUCH.TABLE",
		}, r, &r.Script, r.ID)
	})
}

// drive names the nodes of a feed by path.
type drive struct {
	f   *providertest.Feed
	ids map[string]string
}

func (d *drive) folder(path string) string {
	if path == "" {
		return d.ids[""]
	}
	if id, ok := d.ids[path]; ok {
		return id
	}
	i := strings.LastIndexByte(path, '/')
	d.ids[path] = d.f.Folder(d.folder(path[:max(i, 0)]), path[i+1:])
	return d.ids[path]
}

func (d *drive) put(_ testing.TB, name string, c []byte) {
	if id, ok := d.ids[name]; ok {
		d.f.Write(id, c)
		return
	}
	i := strings.LastIndexByte(name, '/')
	d.ids[name] = d.f.File(d.folder(name[:max(i, 0)]), name[i+1:], c)
}

func (d *drive) remove(_ testing.TB, name string) {
	d.f.Delete(d.ids[name])
	delete(d.ids, name)
}

func TestFeed(t *testing.T) {
	var odd []string
	for _, n := range providertest.OddNames {
		if !strings.Contains(n, "/") {
			odd = append(odd, n)
		}
	}
	for name, o := range map[string]providertest.FeedOptions{
		"": {}, "children first": {ChildrenFirst: true}, "whole": {Whole: true}, "whole, children first": {Whole: true, ChildrenFirst: true}, "narrow": {Narrow: true},
	} {
		o.PageSize = pageSize
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(*testing.T) providertest.Harness {
				f := providertest.NewFeed(o)
				top := f.Folder(providertest.Root, "top")
				out := f.Folder(providertest.Root, "elsewhere")
				d := &drive{f, map[string]string{"": top}}
				return scripted(providertest.Harness{
					Scope: driver.Scope{Path: top}, Folders: true, Feed: true, Odd: odd,
					Put: d.put, Delete: d.remove,
					Outside: &driver.Scope{Path: out}, Missing: "/no/such",
					ExpireCursors: func(testing.TB) { f.ExpireCursors() },
					Rename:        func(_ testing.TB, folder, name string) { f.Rename(d.ids[folder], name) },
					MoveOut:       func(_ testing.TB, name string) { f.Move(d.ids[name], out) },
					MoveIn:        func(_ testing.TB, name string) { f.Move(d.ids[name], d.folder(path.Dir("/" + name)[1:])) },
				}, f, &f.Script, func(name string) string { return d.ids[name] })
			})
		})
	}
}
