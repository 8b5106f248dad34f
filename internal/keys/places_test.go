package keys_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/store"
)

// TestEveryPlaceOfSealedValuesIsKnown finds the fields of sealed values in all that
// a store keeps. A rotation that did not visit one would make it unreadable: a new
// one goes into scan, and then into the list here.
func TestEveryPlaceOfSealedValuesIsKnown(t *testing.T) {
	found := map[string]bool{}
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, path string) {
		if typ == reflect.TypeFor[bson.Binary]() {
			found[path] = true
			return
		}
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(typ.Elem(), path)
		case reflect.Func:
			for i := range typ.NumIn() {
				walk(typ.In(i), path)
			}
		case reflect.Struct:
			if seen[typ] || !strings.HasPrefix(typ.PkgPath(), "mooring/") {
				return
			}
			seen[typ] = true
			for i := range typ.NumField() {
				walk(typ.Field(i).Type, typ.String()+"."+typ.Field(i).Name)
			}
		default:
		}
	}
	roles := reflect.TypeFor[store.Store]()
	for i := range roles.NumMethod() {
		m := roles.Method(i).Type
		if m.NumOut() == 0 || m.Out(0).Kind() != reflect.Interface {
			continue
		}
		for j := range m.Out(0).NumMethod() {
			call := m.Out(0).Method(j).Type
			for k := range call.NumIn() {
				walk(call.In(k), "")
			}
			for k := range call.NumOut() {
				walk(call.Out(k), "")
			}
		}
	}
	var got []string
	for path := range found {
		got = append(got, path)
	}
	slices.Sort(got)
	want := []string{"config.Sealed.Secrets", "connection.Consent.Verifier", "connection.Tokens.Access", "connection.Tokens.Refresh", "webhook.Secret.Value"}
	if !slices.Equal(got, want) {
		t.Errorf("sealed values are in %v, a rotation visits %v", got, want)
	}
}
