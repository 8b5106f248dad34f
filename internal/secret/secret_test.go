package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/secret"
)

const canary = "canary-5f1c-not-a-key"

type holder struct {
	Open   secret.String
	hidden secret.String
	ptr    *secret.String
	m      map[string]secret.String
}

func newHolder() holder {
	s := secret.New(canary)
	return holder{Open: s, hidden: s, ptr: &s, m: map[string]secret.String{"k": s}}
}

func TestNothingPrintsASecret(t *testing.T) {
	h := newHolder()
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n", h)
		fmt.Fprintf(&out, verb+"\n", &h)
		fmt.Fprintf(&out, verb+"\n", h.Open)
		fmt.Fprintf(&out, verb+"\n", []any{h.Open, h.ptr, h.m})
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "s", h.Open, "h", h)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", h.Open, "h", h)
	if j, err := json.Marshal(h); err == nil {
		out.Write(j)
	}
	if x, err := xml.Marshal(h.Open); err == nil {
		out.Write(x)
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if strings.Contains(out.String(), form) {
			t.Fatalf("the secret was printed as %q", form)
		}
	}
	if !strings.Contains(fmt.Sprintf("%+v", struct{ inner holder }{h}), secret.Marker) {
		t.Error("an unexported field does not show the marker")
	}
}

func TestNothingStoresASecret(t *testing.T) {
	h := newHolder()
	if _, err := bson.Marshal(struct{ S secret.String }{h.Open}); err == nil {
		t.Error("BSON encoded a secret")
	}
	if _, err := bson.Marshal(struct{ S *secret.String }{h.ptr}); err == nil {
		t.Error("BSON encoded a pointer to a secret")
	}
	if err := gob.NewEncoder(new(bytes.Buffer)).Encode(h.Open); err == nil {
		t.Error("gob encoded a secret")
	}
}

func TestStringIsIncomparable(t *testing.T) {
	if reflect.TypeFor[secret.String]().Comparable() {
		t.Error("== compiles for secrets")
	}
	if !secret.New("a").Equal(secret.New("a")) || secret.New("a").Equal(secret.New("b")) {
		t.Error("Equal is wrong")
	}
}

func TestJSONReadsAndNeverQuotes(t *testing.T) {
	var h holder
	if err := json.Unmarshal([]byte(`{"Open":"`+canary+`"}`), &h); err != nil || h.Open.Reveal() != canary {
		t.Fatalf("not read: %v", err)
	}
	err := json.Unmarshal([]byte(`{"Open":["`+canary+`"]}`), &h)
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("error quotes the secret: %v", err)
	}
	if len(secret.Marker) != 40 {
		t.Error("the marker must have 40 characters")
	}
}
