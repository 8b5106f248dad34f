package doc

import (
	"bytes"
	"reflect"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// What stores write themselves is read here, by a plan that is made once for a
// type; all else is the driver's: a field of a kind that no plan knows, a value
// of another type than the field's, a document that is damaged. So a plan needs
// to be right only about what it takes, and nothing is read in another way than
// the driver would. Tests hold one against the other.

// plan is how a document is read into a struct; its fields have the order in
// which they are written.
type plan struct {
	fields []field
	byName map[string]int
}

type field struct {
	name  string
	index int
	set   setter
}

// setter reads a value into what is zero so far. false: the driver must read the
// document, and what was set until then does not count.
type setter func(to reflect.Value, v bsoncore.Value) bool

// mostFields is how many a plan keeps account of.
const mostFields = 64

var plans sync.Map // reflect.Type to *plan, nil for types that the driver reads

// read reads a document into what v points to, if v is zero and that can be done
// by a plan. Else v is left as it was.
func read(d []byte, v any) bool {
	at := reflect.ValueOf(v)
	if at.Kind() != reflect.Pointer || at.IsNil() {
		return false
	}
	p := planOf(at.Type().Elem())
	if p == nil || !at.Elem().IsZero() {
		return false
	}
	if !p.read(at.Elem(), d) {
		at.Elem().SetZero()
		return false
	}
	return true
}

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := newPlan(t)
	plans.Store(t, p)
	return p
}

// newPlan is nil for what is no struct of ours, reads itself, or is written in a
// way of its own.
func newPlan(t reflect.Type) *plan {
	if t.Kind() != reflect.Struct || !ours(t) || readsItself(t) {
		return nil
	}
	p := &plan{byName: map[string]int{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("bson"), ",")
		switch {
		case name == "-" && options == "" || !f.IsExported() && !f.Anonymous:
			continue
		case name == "" || f.Anonymous || options != "" && options != "omitempty":
			return nil
		}
		p.byName[name] = len(p.fields)
		p.fields = append(p.fields, field{name, i, setterOf(f.Type)})
	}
	if len(p.fields) > mostFields || len(p.byName) < len(p.fields) {
		return nil
	}
	return p
}

// ours tells types of Mooring, and those without a name, from others', for which
// the driver may have a form of its own.
func ours(t reflect.Type) bool {
	return t.PkgPath() == "" || strings.HasPrefix(t.PkgPath(), "mooring/")
}

func readsItself(t reflect.Type) bool {
	at := reflect.PointerTo(t)
	return at.Implements(reflect.TypeFor[bson.Unmarshaler]()) || at.Implements(reflect.TypeFor[bson.ValueUnmarshaler]())
}

func (p *plan) read(to reflect.Value, d []byte) bool {
	var seen uint64
	next := 0
	return elements(d, func(key []byte, v bsoncore.Value) bool {
		at := next
		if at >= len(p.fields) || p.fields[at].name != string(key) {
			known := false
			if at, known = p.byName[string(key)]; !known {
				return bytes.Equal(key, bytes.ToLower(key)) // else the driver looks once more
			}
		}
		if seen&(1<<at) != 0 {
			return false
		}
		seen |= 1 << at
		next = at + 1
		f := &p.fields[at]
		return f.set(to.Field(f.index), v)
	})
}

// elements visits those of a document, and reports whether all were visited and
// it is whole.
func elements(d []byte, visit func(key []byte, v bsoncore.Value) bool) bool {
	length, rest, ok := bsoncore.ReadLength(d)
	if !ok || length < 5 || int(length) != len(d) || d[len(d)-1] != 0 {
		return false
	}
	for rest = rest[:len(rest)-1]; len(rest) > 0; {
		end := bytes.IndexByte(rest, 0)
		if end < 1 {
			return false
		}
		v, after, ok := bsoncore.ReadValue(rest[end+1:], bsoncore.Type(rest[0]))
		if !ok || !visit(rest[1:end], v) {
			return false
		}
		rest = after
	}
	return true
}

// setterOf is how a value is read into a field of a type, which a null leaves as
// it is, but for types that read themselves.
func setterOf(t reflect.Type) setter {
	if t.Kind() != reflect.Pointer && readsItself(t) {
		return setItself
	}
	set := kindSetter(t)
	return func(to reflect.Value, v bsoncore.Value) bool { return v.Type == bsoncore.TypeNull || set(to, v) }
}

func kindSetter(t reflect.Type) setter {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return setTime
	case t == reflect.TypeFor[[]byte]():
		return setBytes
	case t == reflect.TypeFor[map[string]any]():
		return setMap
	case !ours(t):
		return leave
	}
	switch t.Kind() {
	case reflect.String:
		return setString
	case reflect.Bool:
		return setBool
	case reflect.Int, reflect.Int64:
		return setInt
	case reflect.Float64:
		return setFloat
	case reflect.Struct:
		return setStruct
	case reflect.Pointer:
		return pointerSetter(t.Elem())
	case reflect.Slice:
		return sliceSetter(t.Elem())
	case reflect.Map:
		return mapSetter(t)
	}
	return leave
}

func leave(reflect.Value, bsoncore.Value) bool { return false }

func setString(to reflect.Value, v bsoncore.Value) bool {
	s, ok := text(v)
	to.SetString(s)
	return ok
}

// text is a string that ends as it should.
func text(v bsoncore.Value) (string, bool) {
	if last := len(v.Data) - 1; v.Type == bsoncore.TypeString && last >= 4 && v.Data[last] == 0 {
		return string(v.Data[4:last]), true
	}
	return "", false
}

func setBool(to reflect.Value, v bsoncore.Value) bool {
	if v.Type != bsoncore.TypeBoolean || v.Data[0] > 1 {
		return false
	}
	to.SetBool(v.Data[0] == 1)
	return true
}

func setInt(to reflect.Value, v bsoncore.Value) bool {
	if n, ok := v.Int32OK(); ok {
		to.SetInt(int64(n))
		return true
	}
	n, ok := v.Int64OK()
	if !ok || to.Kind() == reflect.Int && int64(int(n)) != n {
		return false
	}
	to.SetInt(n)
	return true
}

func setFloat(to reflect.Value, v bsoncore.Value) bool {
	f, ok := v.DoubleOK()
	to.SetFloat(f)
	return ok
}

func setBytes(to reflect.Value, v bsoncore.Value) bool {
	subtype, b, ok := v.BinaryOK()
	to.SetBytes(append([]byte{}, b...))
	return ok && subtype == 0
}

func setTime(to reflect.Value, v bsoncore.Value) bool {
	ms, ok := v.DateTimeOK()
	*to.Addr().Interface().(*time.Time) = time.UnixMilli(ms).UTC()
	return ok
}

func setMap(to reflect.Value, v bsoncore.Value) bool {
	d, ok := v.DocumentOK()
	if !ok {
		return false
	}
	m, ok := mapOf(d)
	*to.Addr().Interface().(*map[string]any) = m
	return ok
}

// setItself has a type read its own form. It may not keep what it is given.
func setItself(to reflect.Value, v bsoncore.Value) bool {
	switch r := to.Addr().Interface().(type) {
	case bson.ValueUnmarshaler:
		return r.UnmarshalBSONValue(byte(v.Type), v.Data) == nil
	case bson.Unmarshaler:
		return v.Type == bsoncore.TypeEmbeddedDocument && r.UnmarshalBSON(v.Data) == nil
	}
	return false
}

// setStruct looks for the plan when there is something to read, as types may
// hold themselves.
func setStruct(to reflect.Value, v bsoncore.Value) bool {
	d, ok := v.DocumentOK()
	if !ok {
		return false
	}
	p := planOf(to.Type())
	return p != nil && p.read(to, d)
}

func pointerSetter(t reflect.Type) setter {
	if t.Kind() == reflect.Pointer || readsItself(t) {
		return leave
	}
	set := setterOf(t)
	return func(to reflect.Value, v bsoncore.Value) bool {
		at := reflect.New(t)
		to.Set(at)
		return set(at.Elem(), v)
	}
}

func sliceSetter(t reflect.Type) setter {
	if t.Kind() == reflect.Uint8 || t.Kind() == reflect.Interface {
		return leave
	}
	set := setterOf(t)
	return func(to reflect.Value, v bsoncore.Value) bool {
		if v.Type != bsoncore.TypeArray {
			return false
		}
		to.Set(reflect.MakeSlice(to.Type(), 0, 0))
		return elements(v.Data, func(_ []byte, item bsoncore.Value) bool {
			n := to.Len()
			to.Grow(1)
			to.SetLen(n + 1)
			to.Index(n).SetZero()
			return set(to.Index(n), item)
		})
	}
}

// mapSetter reads maps of one type of values.
func mapSetter(t reflect.Type) setter {
	if t.Key() != reflect.TypeFor[string]() || t.Elem().Kind() == reflect.Interface {
		return leave
	}
	set := setterOf(t.Elem())
	return func(to reflect.Value, v bsoncore.Value) bool {
		if v.Type != bsoncore.TypeEmbeddedDocument {
			return false
		}
		to.Set(reflect.MakeMap(t))
		return elements(v.Data, func(key []byte, item bsoncore.Value) bool {
			value := reflect.New(t.Elem()).Elem()
			if !set(value, item) {
				return false
			}
			to.SetMapIndex(reflect.ValueOf(string(key)), value)
			return true
		})
	}
}

func mapOf(d []byte) (map[string]any, bool) {
	m := map[string]any{}
	return m, elements(d, func(key []byte, v bsoncore.Value) bool {
		value, ok := anyOf(v)
		m[string(key)] = value
		return ok
	})
}

// anyOf is a value in the types that a map[string]any has.
func anyOf(v bsoncore.Value) (any, bool) {
	switch v.Type {
	case bsoncore.TypeString:
		return text(v)
	case bsoncore.TypeInt32:
		return v.Int32OK()
	case bsoncore.TypeInt64:
		return v.Int64OK()
	case bsoncore.TypeDouble:
		return v.DoubleOK()
	case bsoncore.TypeBoolean:
		return v.Data[0] == 1, v.Data[0] <= 1
	case bsoncore.TypeDateTime:
		ms, ok := v.DateTimeOK()
		return time.UnixMilli(ms).UTC(), ok
	case bsoncore.TypeNull:
		return nil, true
	case bsoncore.TypeEmbeddedDocument:
		return mapOf(v.Data)
	case bsoncore.TypeArray:
		list := []any{}
		ok := elements(v.Data, func(_ []byte, item bsoncore.Value) bool {
			value, ok := anyOf(item)
			list = append(list, value)
			return ok
		})
		return list, ok
	}
	return nil, false
}
