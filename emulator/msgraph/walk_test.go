package msgraph_test

import (
	"fmt"
	"testing"

	"mooring/emulator/msgraph"
	"pgregory.net/rapid"
)

// mirror is what a client knows that follows deltas as it must: by id, paths
// rebuilt from parents, the last occurrence counts, and of two items of one name
// the one that was mentioned last.
type mirror struct {
	w     *world
	link  string
	items map[string]map[string]any
	order map[string]int // when an item was mentioned last
	clock int
}

func newMirror(w *world) *mirror {
	return &mirror{w: w, items: map[string]map[string]any{}, order: map[string]int{}}
}

// sync follows the changes since the last time, or anew; between runs before each
// page.
func (m *mirror) sync(between func()) {
	link, fresh := m.link, m.link == ""
	if fresh {
		link = "/drives/" + m.w.drive + "/root/delta?$top=3"
	}
	seen := map[string]bool{}
	for {
		between()
		r := m.w.want(200, link)
		for _, e := range r.values() {
			id := e["id"].(string)
			if e["deleted"] != nil {
				delete(m.items, id)
				continue
			}
			m.clock++
			m.items[id], m.order[id], seen[id] = e, m.clock, true
		}
		if m.link = r.str("@odata.deltaLink"); m.link != "" {
			break
		}
		link = r.str("@odata.nextLink")
	}
	for id := range m.items {
		if fresh && !seen[id] { // what an enumeration does not return is gone
			delete(m.items, id)
		}
	}
	m.settle()
}

// settle drops what another item of the same name has replaced.
func (m *mirror) settle() {
	places := map[string]string{}
	for id, e := range m.items {
		parent, _ := dig(e, "parentReference", "id").(string)
		place := parent + "/" + e["name"].(string)
		if other, taken := places[place]; taken {
			if m.order[other] > m.order[id] {
				other, id = id, other
			}
			delete(m.items, other)
		}
		places[place] = id
	}
}

// files gives the path and size of each file that hangs together with the root.
func (m *mirror) files() map[string]string {
	out := map[string]string{}
	for id, e := range m.items {
		if e["file"] == nil {
			continue
		}
		path, above, ok := e["name"].(string), e, true
		for {
			parent, _ := dig(above, "parentReference", "id").(string)
			if above, ok = m.items[parent]; !ok || above["root"] != nil {
				break
			}
			path = above["name"].(string) + "/" + path
		}
		if ok {
			out[id] = fmt.Sprintf("%s (%v)", path, e["size"])
		}
	}
	return out
}

// truth is the same of the tree itself.
func (w *world) truth() map[string]string {
	out := map[string]string{}
	for id, e := range w.s.Snapshot(w.drive, w.root) {
		out[id] = fmt.Sprintf("%s (%d)", e.Path, e.Size)
	}
	return out
}

// change does something to the tree at random.
func (w *world) change(t *rapid.T, ids *[]string, n *int) {
	*n++
	name := fmt.Sprintf("n%d", *n)
	alive := func(id string) bool { return w.get("/drives/"+w.drive+"/items/"+id).status == 200 }
	folder := w.root
	id := ""
	if len(*ids) > 0 {
		if id = rapid.SampledFrom(*ids).Draw(t, "id"); !alive(id) {
			id = ""
		}
		at := rapid.SampledFrom(*ids).Draw(t, "folder")
		if r := w.get("/drives/" + w.drive + "/items/" + at); r.status == 200 && r.body["folder"] != nil {
			folder = at
		}
	}
	isFile := id != "" && w.get("/drives/" + w.drive + "/items/" + id).body["file"] != nil
	switch op := rapid.IntRange(0, 7).Draw(t, "op"); {
	case op <= 1:
		*ids = append(*ids, w.s.Folder(w.drive, folder, name))
	case op <= 3 || id == "":
		*ids = append(*ids, w.s.File(w.drive, folder, name, []byte(name)))
	case op == 4:
		w.s.Delete(w.drive, id)
	case op == 5:
		w.s.Rename(w.drive, id, name)
	case op == 6 && isFile:
		*ids = append(*ids, w.s.Recreate(w.drive, id, []byte(name+name)))
	case op == 7 && isFile:
		w.s.Move(w.drive, id, folder)
	case isFile:
		w.s.Write(w.drive, id, []byte(name+name+name))
	}
}

// A client that follows the rules has the tree after each delta that nothing
// disturbed, whatever happened during the ones before it.
func TestDeltasTellTheTree(t *testing.T) {
	o := msgraph.Documented()
	w := newWorld(t, o)
	w.s.App(tenant, app, secret)
	rapid.Check(t, func(t *rapid.T) {
		w.site = w.s.Site(tenant, host, fmt.Sprintf("/teams/%d", w.s.Count()))
		w.drive = w.s.Drive(w.site)
		w.root = w.s.Root(w.drive)
		m := newMirror(w)
		var ids []string
		n := 0
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			for range rapid.IntRange(0, 12).Draw(t, "changes") {
				w.change(t, &ids, &n)
			}
			m.sync(func() {
				if rapid.Bool().Draw(t, "meanwhile") && n < 80 {
					w.change(t, &ids, &n)
				}
			})
			m.sync(func() {})
			got, want := m.files(), w.truth()
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("the client has %v\nthe tree is %v", got, want)
			}
			if rapid.IntRange(0, 5).Draw(t, "anew") == 0 {
				m.link = ""
			}
		}
	})
}
