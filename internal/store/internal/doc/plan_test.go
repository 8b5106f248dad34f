package doc_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/bucket"
	"mooring/internal/connection"
	"mooring/internal/connection/config"
	"mooring/internal/event"
	"mooring/internal/key"
	"mooring/internal/store/internal/doc"
	"mooring/internal/syncing"
	"mooring/internal/webhook"
)

// odd has fields of kinds that plans leave to the driver, beside one that they do not.
type odd struct {
	Text   string         `bson:"text"`
	Small  int32          `bson:"small,omitempty"`
	Any    any            `bson:"any,omitempty"`
	List   []any          `bson:"list,omitempty"`
	Binary *bson.Binary   `bson:"binary,omitempty"`
	Number json.Number    `bson:"number,omitempty"`
	ID     *bson.ObjectID `bson:"id,omitempty"`
	URL    *url.URL       `bson:"url,omitempty"`
	Later  *key.Key       `bson:"later,omitempty"`
	Left   string         `bson:"-"`
	_      string
}

// all has a field of every other kind that documents are made of.
type all struct {
	Text     string           `bson:"text"`
	Named    connectionStatus `bson:"named,omitempty"`
	Flag     bool             `bson:"flag"`
	Int      int              `bson:"int"`
	Long     int64            `bson:"long"`
	Float    float64          `bson:"float"`
	Time     time.Time        `bson:"time"`
	Bytes    []byte           `bson:"bytes"`
	Map      map[string]any   `bson:"map"`
	Counts   map[string]int64 `bson:"counts"`
	Texts    []string         `bson:"texts"`
	Many     []part           `bson:"many"`
	Pointers []*part          `bson:"pointers"`
	Part     part             `bson:"part"`
	At       *time.Time       `bson:"at"`
	Maybe    *string          `bson:"maybe"`
	Number   *int64           `bson:"number"`
	Inner    *part            `bson:"inner"`
	Config   config.Sealed    `bson:"config"`
	Key      key.Key          `bson:"key"`
}

type connectionStatus string

type part struct {
	A string `bson:"a"`
	B *bool  `bson:"b,omitempty"`
}

// planned are types that plans read whole, and stored are all.
var (
	planned = []any{
		&all{}, &connection.Connection{}, &audit.Entry{}, &event.Event{}, &bucket.Bucket{}, &bucket.Object{}, &syncing.Run{}, &syncing.Record{},
		&syncing.DeadLetter{}, &access.APIKey{}, &access.Organization{}, &webhook.Delivery{},
	}
	stored = append([]any{&odd{}, &connection.Tokens{}, &syncing.Sync{}, &webhook.Webhook{}}, planned...)
)

// filled sets all that can be set below a value.
func filled(v reflect.Value, depth int) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.UnixMilli(1_700_000_000_123).UTC()
		return
	case *config.Sealed:
		*p = config.Sealed{
			Provider: "s3", Fields: map[string]any{"region": "eu", "use_ssl": true, "n": int64(7), "list": []string{"a", "b"}}, Credential: "access_key",
			Credentials: map[string]any{"access_key_id": "AKIA"}, Secrets: map[string]bson.Binary{"secret_access_key": {Subtype: 6, Data: []byte("sealed")}},
			Destroyed: []string{"session_token"},
		}
		return
	case *key.Key:
		*p = key.Key("a \x00 key")
		return
	case *map[string]any:
		*p = map[string]any{"t": "x", "i": int64(1), "f": 0.5, "b": true, "n": nil, "l": []any{"y", map[string]any{}}, "d": time.UnixMilli(5).UTC()}
		return
	case *any:
		*p = "any"
		return
	case *json.Number:
		*p = "12"
		return
	case **url.URL:
		*p = &url.URL{Host: "host"}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("texté")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(41)
	case reflect.Uint8:
		v.SetUint(200)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem(), depth+1)
	case reflect.Slice:
		if depth < 6 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			filled(v.Index(0), depth+1)
			filled(v.Index(1), depth+1)
		}
	case reflect.Map:
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		filled(k, depth+1)
		filled(e, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(k, e)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				filled(v.Field(i), depth+1)
			}
		}
	}
}

// agree reads a document by a plan and by the driver. What a plan takes, the
// driver must take, for the same value.
func agree(t *testing.T, like any, d []byte) (taken bool) {
	t.Helper()
	v, want := reflect.New(reflect.TypeOf(like).Elem()), reflect.New(reflect.TypeOf(like).Elem())
	before := bytes.Clone(d)
	if taken = doc.Read(d, v.Interface()); !taken {
		if !v.Elem().IsZero() {
			t.Fatalf("%T: something was set by a plan that did not take %x", like, d)
		}
		return false
	}
	if err := doc.ByDriver(d, want.Interface()); err != nil {
		t.Fatalf("%T: a plan takes what the driver refuses: %v\n%x", like, err, d)
	}
	clear(d) // nothing of it may be held
	if a, b := v.Interface(), want.Interface(); !same(a, b) {
		t.Fatalf("%T: %s\n%x", like, cmp.Diff(b, a, exported), before)
	}
	copy(d, before)
	return true
}

var exported = cmp.Exporter(func(reflect.Type) bool { return true })

// same is reflect.DeepEqual with all NaN alike.
func same(a, b any) bool {
	return reflect.DeepEqual(a, b) || cmp.Equal(a, b, exported, cmp.Comparer(func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }))
}

func sample(t testing.TB, like any) []byte {
	t.Helper()
	v := reflect.New(reflect.TypeOf(like).Elem())
	filled(v.Elem(), 0)
	b, err := doc.Encode(v.Interface())
	if err != nil {
		t.Fatalf("%T: %v", like, err)
	}
	return b
}

func TestPlansReadWhatIsStored(t *testing.T) {
	for _, like := range planned {
		v := reflect.New(reflect.TypeOf(like).Elem())
		for range 2 { // empty, then filled
			b, err := doc.Encode(v.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if !agree(t, like, b) {
				t.Errorf("%T: the driver must read what was written", like)
			}
			filled(v.Elem(), 0)
		}
	}
	if b := sample(t, &part{}); doc.Read(b, &part{A: "there before"}) {
		t.Error("a plan reads into what is not empty")
	}
}

// values are of every type that a field could have.
func values() []any {
	list := []any{
		"", "x", nil, true, false, int32(7), int64(1 << 40), int64(-1), 2.0, 2.5, math.NaN(), math.Inf(1), 1e300, bson.DateTime(-1), bson.DateTime(1 << 50),
		bson.D{}, bson.D{{Key: "a", Value: "b"}}, bson.D{{Key: "A", Value: "b"}}, bson.D{{Key: "a", Value: 1}, {Key: "a", Value: 2}}, bson.A{}, bson.A{"a"},
		bson.A{nil}, bson.A{int32(1), bson.D{}, bson.A{bson.DateTime(1)}}, bson.Binary{Data: []byte{1}}, bson.Binary{Subtype: 2, Data: []byte{1}},
		bson.Binary{Subtype: 6, Data: []byte{1}}, bson.ObjectID{1}, bson.Timestamp{T: 1, I: 2}, bson.Decimal128{}, bson.Regex{Pattern: "a"},
		bson.JavaScript("a"), bson.Symbol("s"), bson.Undefined{}, bson.MinKey{}, bson.MaxKey{}, bson.Null{}, bson.CodeWithScope{Code: "a", Scope: bson.D{}},
	}
	return append(list, bson.D{{Key: "a", Value: list}}, bson.D{{Key: "a", Value: bson.D{{Key: "a", Value: list[:20]}}}}, bson.A(list), bson.A(list[:20]))
}

// variants are documents in which one field is of another value, missing, there
// twice, under another name or in another place, at any depth.
func variants(d bson.D, visit func(bson.D)) {
	visit(d)
	for i, e := range d {
		with := func(more ...bson.E) { visit(slices.Concat(d[:i:i], more, d[i+1:])) }
		with()
		with(e, e)
		with(bson.E{Key: "other", Value: e.Value}, e)
		with(bson.E{Key: string(bytes.ToUpper([]byte(e.Key))), Value: e.Value})
		with(bson.E{Key: "", Value: e.Value})
		visit(slices.Concat(bson.D{e}, d[:i:i], d[i+1:]))
		for _, x := range values() {
			with(bson.E{Key: e.Key, Value: x})
		}
		switch inner := e.Value.(type) {
		case bson.D:
			variants(inner, func(x bson.D) { with(bson.E{Key: e.Key, Value: x}) })
		case bson.A:
			for n, item := range inner {
				if x, ok := item.(bson.D); ok && n == 0 {
					variants(x, func(x bson.D) { with(bson.E{Key: e.Key, Value: slices.Concat(bson.A{x}, inner[1:])}) })
				}
			}
		}
	}
}

func TestPlansReadLikeTheDriver(t *testing.T) {
	for _, like := range stored {
		var d bson.D
		if err := bson.Unmarshal(sample(t, like), &d); err != nil {
			t.Fatal(err)
		}
		tried, taken := 0, 0
		variants(d, func(x bson.D) {
			b, err := bson.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			tried++
			if agree(t, like, b) {
				taken++
			}
		})
		t.Logf("%T: %d of %d documents", like, taken, tried)
	}
}

func TestPlansReadDamageLikeTheDriver(t *testing.T) {
	for _, like := range stored {
		b := sample(t, like)
		for i := range b {
			for _, x := range []byte{0, 0xff, b[i] + 1} {
				damaged := bytes.Clone(b)
				damaged[i] = x
				agree(t, like, damaged)
			}
			agree(t, like, bytes.Clone(b[:i]))
		}
		agree(t, like, append(bytes.Clone(b), 0))
	}
}

func FuzzPlans(f *testing.F) {
	for _, like := range stored {
		f.Add(sample(f, like))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 4 { // else hardly any would have the right length
			binary.LittleEndian.PutUint32(b, uint32(len(b)))
		}
		for _, like := range stored {
			agree(t, like, b)
		}
	})
}
