package connection_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/connection"
	"mooring/internal/errs"
)

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"  a b ": "a b", "conn": "conn", "x/y": "x/y", "...": "...", strings.Repeat("ü", 100): strings.Repeat("ü", 100), "Conn_x": "Conn_x",
	} {
		at := errs.NewFields("body")
		if got := connection.CleanName(in, at); got != want || at.Err("") != nil {
			t.Errorf("%q: %q %v", in, got, at.Err(""))
		}
	}
	for _, in := range []string{"", "  ", ".", " .. ", "conn_x", "a\nb", "a\x00", "\xff", strings.Repeat("ü", 101), "a\u0085b"} {
		at := errs.NewFields("body")
		connection.CleanName(in, at)
		f := errs.From(at.Err("")).Fields
		if len(f) != 1 || fmt.Sprint(f[0].Loc) != "[body name]" {
			t.Errorf("%q was taken: %+v", in, f)
		}
	}
}

func TestMetadataSurvivesTheStore(t *testing.T) {
	var in map[string]any
	d := json.NewDecoder(strings.NewReader(`{"a":{"b":[1,2.5,"x",null,true,{"c":-9007199254740992}]},"e":1e3,"$x.y":""}`))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		t.Fatal(err)
	}
	at := errs.NewFields("body")
	clean := connection.CleanMetadata(in, at)
	c := connection.Connection{Metadata: clean}
	data, err := bson.Marshal(c)
	if err != nil || at.Err("") != nil {
		t.Fatal(err, at.Err(""))
	}
	var back connection.Connection
	if err := bson.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if err := connection.Amend(&back, connection.Edit{Metadata: clean}, user, epoch); err != nil || !back.Outbox.Empty() {
		t.Errorf("what came back differs: %v\n%v", back.Metadata, back.Outbox.Audit)
	}
}

func TestMetadataLimits(t *testing.T) {
	many := map[string]any{}
	for i := range 51 {
		many[fmt.Sprint(i)] = 1
	}
	deep := map[string]any{}
	for in, i := deep, 0; i < 20; i++ {
		next := map[string]any{}
		in["x"], in = next, next
	}
	for what, m := range map[string]map[string]any{
		"keys": many, "depth": deep, "size": {"x": strings.Repeat("x", 40000)}, "big number": {"x": json.Number("9007199254740993")},
		"huge number": {"x": json.Number("1e999")}, "NUL in a key": {"a\x00": 1}, "not UTF-8": {"x": []any{"\xff"}},
	} {
		at := errs.NewFields("body")
		connection.CleanMetadata(m, at)
		if len(errs.From(at.Err("")).Fields) != 1 {
			t.Errorf("%s: %v", what, at.Err(""))
		}
	}
	if m := connection.CleanMetadata(nil, errs.NewFields()); m == nil {
		t.Error("nil stays nil")
	}
}

func TestRequestedStatus(t *testing.T) {
	for _, tt := range []struct {
		status *string
		active *bool
		want   connection.Status
		bad    bool
	}{
		{nil, nil, "", false},
		{new("active"), new(false), connection.Active, false},
		{new("Paused"), nil, connection.Suspended, false},
		{new("archived"), nil, connection.Archived, false},
		{nil, new(true), connection.Active, false},
		{nil, new(false), connection.Suspended, false},
		{new("FAILED"), nil, "", true},
		{new("PENDING"), nil, "", true},
		{new(""), nil, "", true},
	} {
		at := errs.NewFields("body")
		got := connection.Requested(tt.status, tt.active, at)
		if got != tt.want || (at.Err("") != nil) != tt.bad ||
			tt.status != nil && *tt.status == "FAILED" && !strings.Contains(errs.From(at.Err("")).Fields[0].Msg, "checks find") {
			t.Errorf("%+v: %q %v", tt, got, at.Err(""))
		}
	}
}

func TestAmendSaysWhatChanged(t *testing.T) {
	c := in(t, "ACTIVE")
	c.Description = new("old")
	if err := connection.Amend(&c, connection.Edit{Name: new("x"), Description: new("old"), Metadata: map[string]any{}}, user, epoch.Add(1e9)); err != nil {
		t.Fatal(err)
	}
	if !c.Outbox.Empty() || !c.UpdatedAt.Equal(epoch) {
		t.Errorf("nothing changed but %+v", c.Outbox)
	}
	if err := connection.Amend(&c, connection.Edit{Description: new("")}, user, epoch); err != nil || c.Description != nil ||
		!reflect.DeepEqual(c.Outbox.Audit[0].Changes, map[string]any{"description": []any{"old", nil}}) {
		t.Errorf("%v %+v", err, c.Outbox)
	}
}
