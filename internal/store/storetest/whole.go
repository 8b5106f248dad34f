package storetest

import (
	"context"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/csfle"
	"mooring/csfle/vaulttest"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/key"
	"mooring/internal/store"
	"mooring/internal/syncing"
	"mooring/internal/webhook"
)

func wholeTests() []subtest {
	return []subtest{
		{"Tenancy", testTenancy},
		{"SurvivesReopening", testReopen},
		{"KeyVault", func(t *testing.T, h Harness) { vaulttest.Run(t, emptyVault(h)) }},
		{"Ping", testPing},
		{"Closed", testClosed},
	}
}

// emptyVault gives the vault of the harness, emptied.
func emptyVault(h Harness) func(t *testing.T) csfle.KeyVault {
	return func(t *testing.T) csfle.KeyVault {
		v := h.Store.KeyVault()
		for _, k := range ok(v.List(t.Context(), "", "", 10000))(t) {
			must(t, v.Delete(t.Context(), k.ID))
		}
		return v
	}
}

// tenant is an organization with something of every kind, and the ids by
// which another one tries to reach it.
type tenant struct {
	org    id.Org
	values map[reflect.Type]any
}

const usedDay = "2026-01-02"

// populate makes a tenant.
func populate(t *testing.T, h Harness) tenant {
	t.Helper()
	ctx, s := t.Context(), h.Store
	o := newOrganization(1)
	org := o.ID
	ok(s.Organizations().Insert(ctx, org, o))(t)
	u := ok(s.Users().Insert(ctx, org, newUser(org, 1)))(t)
	ns := ok(s.Namespaces().Insert(ctx, org, newNamespace(org, 1)))(t)
	k := ok(s.APIKeys().Insert(ctx, org, newKey(org, u.ID, 1)))(t)
	session := ok(s.Sessions().Insert(ctx, org, newSession(org, 1)))(t)
	c := ok(s.Connections().Insert(ctx, org, newConnection(org, 1)))(t)
	tok := ok(s.Tokens().Insert(ctx, org, newTokens(org, c.ID, 1)))(t)
	consent := ok(s.Consents().Insert(ctx, org, newConsent(org, 1)))(t)
	used := []connection.Usage{{Org: org, Connection: c.ID, Day: usedDay, Requests: 1}}
	must(t, s.Usage().Add(ctx, org, used))
	b := ok(s.Buckets().Insert(ctx, org, newBucket(org, ns.ID, 1)))(t)
	d := newSync(org, 1)
	d.DeletedAt = ptr(moment(5)) // so that nothing but tenancy keeps it from being removed
	d = ok(s.Syncs().Insert(ctx, org, d))(t)
	p := ok(s.Passes().Insert(ctx, org, newPass(org, d.ID, 1)))(t)
	sh := ok(s.Shards().Insert(ctx, org, newShard(org, d.ID, p.ID, 1)))(t)
	r := ok(s.Runs().Insert(ctx, org, newRun(org, d.ID, b.ID, 1)))(t)
	obj := newObject(org, b.ID, c.ID, d.ID, "key", 1)
	obj.Parent = "parent"
	must(t, s.Catalogue().Upsert(ctx, org, b.ID, []bucket.Object{obj}))
	ok(s.Catalogue().Reserve(ctx, org, b.ID, []bucket.Claim{{Source: bucket.FileSource(obj.ID), Candidates: candidates("name")}}))(t)
	rec := newRecord(org, d.ID, p.ID, "000", 1)
	must(t, s.Pages().Append(ctx, org, rec))
	absence := syncing.Absence{Object: obj.ID, SourceID: obj.SourceID, Name: obj.Name}
	must(t, s.Absences().Note(ctx, org, d.ID, p.ID, []syncing.Absence{absence}))
	letter := newLetter(org, d.ID, "key", 1)
	must(t, s.DeadLetters().Put(ctx, org, []syncing.DeadLetter{letter}))
	node := syncing.TreeChange{Node: syncing.Node{ID: "node", Parent: "parent", Name: "name"}}
	must(t, s.Tree().Apply(ctx, org, d.ID, []syncing.TreeChange{node}))
	hook := ok(s.Webhooks().Insert(ctx, org, newWebhook(org, 1)))(t)
	delivery := ok(s.Deliveries().Insert(ctx, org, newDelivery(org, hook.ID, 1)))(t)
	entry, ev := newEntry(1), newEvent(1)
	must(t, s.Audit().Append(ctx, org, []audit.Entry{entry}))
	must(t, s.Events().Append(ctx, org, []event.Event{ev}))
	out := tenant{org, map[reflect.Type]any{}}
	for _, v := range []any{
		org, u.ID, ns.ID, k.ID, c.ID, b.ID, d.ID, p.ID, r.ID, obj.ID, entry.ID, hook.ID, hook, delivery, o, u, ns, k, session.ID, session, c, tok, consent, used, b, d, p, sh, r, rec, key.Key(""), store.Page{},
		[]id.Object{obj.ID}, []bucket.Object{obj}, []string{obj.SHA256, letter.ID, rec.ID, "node"}, []syncing.Absence{absence}, []syncing.DeadLetter{letter},
		[]syncing.TreeChange{{Node: syncing.Node{ID: "node"}, Gone: true}}, []audit.Entry{newEntry(2)}, []event.Event{newEvent(2)},
		[]bucket.Claim{{Source: bucket.FileSource(obj.ID), Candidates: candidates("stranger")}}, []key.Key{bucket.FileSource(obj.ID)},
		10, int64(0), moment(1_000_000),
	} {
		out.values[reflect.TypeOf(v)] = v
	}
	return out
}

// text is the argument of type string that a method takes.
func (n tenant) text(method string) string {
	switch method {
	case "Users.ByEmail":
		return n.values[reflect.TypeFor[access.User]()].(access.User).Email
	case "Namespaces.ByName":
		return n.values[reflect.TypeFor[access.Namespace]()].(access.Namespace).Name
	case "Connections.ByName":
		return reflect.ValueOf(n.values[reflect.TypeFor[id.Connection]()]).String()
	case "Buckets.ByName":
		return n.values[reflect.TypeFor[bucket.Bucket]()].(bucket.Bucket).Name
	case "Catalogue.InFolder", "Tree.Children":
		return "parent"
	case "Shards.Get", "Shards.Update":
		return n.values[reflect.TypeFor[syncing.Shard]()].(syncing.Shard).ID
	case "Consents.Get", "Consents.Update":
		return n.values[reflect.TypeFor[connection.Consent]()].(connection.Consent).ID
	case "Deliveries.Get", "Deliveries.Update", "Deliveries.Remove":
		return n.values[reflect.TypeFor[webhook.Delivery]()].(webhook.Delivery).ID
	case "Usage.List":
		return usedDay
	case "Usage.Prune":
		return "9999-12-31"
	case "DeadLetters.Get":
		return n.values[reflect.TypeFor[[]syncing.DeadLetter]()].([]syncing.DeadLetter)[0].ID
	}
	return ""
}

// testTenancy calls every method of every role that takes an organization with
// a stranger's, and the tenant's ids for everything else. Methods are found by
// reflection, so that none is forgotten.
func testTenancy(t *testing.T, h Harness) {
	owner := populate(t, h)
	stranger := newOrganization(2)
	ok(h.Store.Organizations().Insert(t.Context(), stranger.ID, stranger))(t)
	before := dump(t, h, owner)
	calls := 0
	for _, writesOwn := range []bool{false, true} { // what a stranger writes for itself it may see
		for _, m := range methods(h.Store) {
			if own[m.name] == writesOwn {
				calls++
				callAsStranger(t, m.name, m.typ, m.value, owner, stranger.ID)
			}
		}
	}
	if calls < 80 {
		t.Errorf("only %d methods take an organization: the roles were not found", calls)
	}
	if diff := cmp.Diff(before, dump(t, h, owner)); diff != "" {
		t.Errorf("a stranger changed what the tenant has: (-before +after)\n%s", diff)
	}
}

// method is one of a role that takes an organization.
type method struct {
	name  string
	typ   reflect.Type
	value reflect.Value
}

func methods(s store.Store) (out []method) {
	contract := reflect.TypeFor[store.Store]()
	for i := range contract.NumMethod() {
		role := contract.Method(i)
		if role.Type.NumOut() != 1 || role.Type.Out(0).Kind() != reflect.Interface || role.Type.Out(0) == reflect.TypeFor[error]() {
			continue
		}
		value := reflect.ValueOf(s).MethodByName(role.Name).Call(nil)[0]
		for j := range role.Type.Out(0).NumMethod() {
			if m := role.Type.Out(0).Method(j); takesOrg(m.Type) {
				out = append(out, method{role.Name + "." + m.Name, m.Type, value.MethodByName(m.Name)})
			}
		}
	}
	return out
}

func takesOrg(m reflect.Type) bool {
	for i := range m.NumIn() {
		if m.In(i) == reflect.TypeFor[id.Org]() {
			return true
		}
	}
	return false
}

// own are the calls that write rows of the caller's own, whatever they name.
var own = map[string]bool{"Catalogue.Reserve": true, "Tree.Apply": true, "Absences.Note": true, "Audit.Append": true, "Usage.Add": true, "Events.Append": true}

func callAsStranger(t *testing.T, name string, typ reflect.Type, method reflect.Value, owner tenant, stranger id.Org) {
	t.Helper()
	var args []reflect.Value
	for i := range typ.NumIn() {
		in := typ.In(i)
		v, known := owner.values[in]
		switch {
		case in == reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(t.Context()))
		case in == reflect.TypeFor[id.Org]() && i == 1:
			args = append(args, reflect.ValueOf(stranger))
		case in.Kind() == reflect.Func:
			args = append(args, reflect.MakeFunc(in, func([]reflect.Value) []reflect.Value {
				t.Errorf("%s showed a stranger the record", name)
				return []reflect.Value{reflect.ValueOf(&errTest).Elem()}
			}))
		case in.Kind() == reflect.String && in.PkgPath() == "":
			args = append(args, reflect.ValueOf(owner.text(name)))
		case known:
			args = append(args, reflect.ValueOf(v))
		case in.Kind() == reflect.Struct: // a filter
			args = append(args, reflect.Zero(in))
		default:
			t.Fatalf("%s takes a %v, for which the tenant has no value", name, in)
		}
	}
	judge(t, name, method.Call(args))
}

// judge wants NotFound or nothing; Invalid is for documents that name their
// organization themselves.
func judge(t *testing.T, name string, out []reflect.Value) {
	t.Helper()
	last := len(out) - 1
	if err, failed := out[last].Interface().(error); failed {
		if !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Invalid) {
			t.Errorf("%s told a stranger: %v", name, err)
		}
		return
	}
	for _, v := range out[:last] {
		if !own[name] && !nothing(v) {
			t.Errorf("%s gave a stranger %+v", name, v)
		}
	}
}

func nothing(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "UpdatedAt" && !nothing(v.Field(i)) {
				return false
			}
		}
		return true
	}
	return v.IsZero()
}

// dump reads all that a tenant has.
func dump(t *testing.T, h Harness, n tenant) map[string]any {
	t.Helper()
	h.relay(t)
	ctx, s, org := t.Context(), h.Store, n.org
	b, c, d, p := value[id.Bucket](n), value[id.Connection](n), value[id.Sync](n), value[id.Pass](n)
	stats := ok(s.Catalogue().Stats(ctx, org, b))(t)
	stats.UpdatedAt = nil
	return map[string]any{
		"organization": ok(s.Organizations().Get(ctx, org, org))(t),
		"users":        ok(s.Users().List(ctx, org, whole))(t),
		"namespaces":   ok(s.Namespaces().List(ctx, org, whole))(t),
		"keys":         ok(s.APIKeys().List(ctx, org, "", whole))(t),
		"sessions":     ok(s.Sessions().List(ctx, org, whole))(t),
		"usage":        ok(s.Usage().List(ctx, org, n.values[reflect.TypeFor[id.Connection]()].(id.Connection), "", usedDay))(t),
		"connections":  ok(s.Connections().List(ctx, org, connection.Filter{}, whole))(t),
		"tokens":       ok(s.Tokens().Get(ctx, org, c))(t),
		"consent":      ok(s.Consents().Get(ctx, org, n.text("Consents.Get")))(t),
		"buckets":      ok(s.Buckets().List(ctx, org, bucket.ListFilter{}, whole))(t),
		"sync":         ok(s.Syncs().Get(ctx, org, d))(t),
		"pass":         ok(s.Passes().Get(ctx, org, p))(t),
		"shards":       ok(s.Shards().OfPass(ctx, org, p))(t),
		"runs":         ok(s.Runs().List(ctx, org, syncing.RunFilter{}, whole))(t),
		"objects":      ok(s.Catalogue().List(ctx, org, b, bucket.Filter{}, whole))(t),
		"entries":      ok(s.Catalogue().Scan(ctx, org, b, c, "", "", 99))(t),
		"unseen":       ok(s.Catalogue().Unseen(ctx, org, b, d, "", "", 99))(t),
		"stats":        stats,
		"name":         ok(s.Catalogue().Reserve(ctx, org, b, value[[]bucket.Claim](n)))(t),
		"records":      ok(s.Pages().Pending(ctx, org, d, "", 99))(t),
		"absences":     ok(s.Absences().List(ctx, org, d, p, "", 99))(t),
		"letters":      ok(s.DeadLetters().List(ctx, org, d, syncing.DeadLetterFilter{}, whole))(t),
		"tree":         ok(s.Tree().Children(ctx, org, d, "parent", "", 99))(t),
		"audit":        ok(s.Audit().List(ctx, org, audit.Filter{}, 0, 99))(t),
		"webhooks":     ok(s.Webhooks().List(ctx, org, whole))(t),
		"deliveries":   ok(s.Deliveries().List(ctx, org, value[id.Webhook](n), "", whole))(t),
		"events":       ok(s.Events().List(ctx, org, 0, 99))(t),
	}
}

func value[T any](n tenant) T { return n.values[reflect.TypeFor[T]()].(T) }

func testReopen(t *testing.T, h Harness) {
	n := populate(t, h)
	k := vaulttest.Document(string(n.org) + "/1")
	must(t, h.Store.KeyVault().Insert(t.Context(), k))
	must(t, h.System.SetMeta(t.Context(), "fact", nil, []byte("value")))
	held := acquire(t, h, readLease(t, h), "wrk_a")
	before := dump(t, h, n)
	h = h.Reopen(t)
	if diff := cmp.Diff(before, dump(t, h, n)); diff != "" {
		t.Errorf("reopening changed what the tenant has: (-before +after)\n%s", diff)
	}
	same(t, "the key", ok(h.Store.KeyVault().Get(t.Context(), k.ID))(t), k)
	same(t, "the fact", ok(h.System.Meta(t.Context(), "fact"))(t), []byte("value"))
	same(t, "the lease", readLease(t, h), held)
	must(t, h.Store.Events().Append(t.Context(), n.org, []event.Event{newEvent(3)}))
	same(t, "the next sequence", eventsOf(t, h, n.org)[1].Sequence, int64(2))
}

func testPing(t *testing.T, h Harness) {
	must(t, h.Store.Ping(t.Context()))
	wantKind(t, "Ping with an ended context", h.Store.Ping(ended()), errs.Canceled)
}

func testClosed(t *testing.T, h Harness) {
	org := id.NewOrg()
	must(t, h.Store.Close())
	must(t, h.Store.Close())
	wantKind(t, "Ping", h.Store.Ping(t.Context()), errs.Unavailable)
	_, err := h.Store.Connections().Insert(t.Context(), org, newConnection(org, 1))
	wantKind(t, "Insert", err, errs.Unavailable)
	_, err = h.Store.Connections().Get(t.Context(), org, "conn_a")
	wantKind(t, "Get", err, errs.Unavailable)
}
