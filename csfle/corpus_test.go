package csfle

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// corpus is testdata/corpus-local.json.
type corpus struct {
	MasterKeyBase64 string        `bson:"masterKeyBase64"`
	DataKey         bson.Raw      `bson:"dataKey"`
	Values          []corpusValue `bson:"values"`
	Refused         []corpusValue `bson:"refused"`
}

type corpusValue struct {
	Name   string        `bson:"name"`
	Algo   string        `bson:"algo"`
	Plain  bson.RawValue `bson:"plain"`
	Cipher string        `bson:"cipher"`
}

func (v corpusValue) algorithm() Algorithm {
	return map[string]Algorithm{"rand": Random, "det": Deterministic}[v.Algo]
}

func (v corpusValue) sealed(t testing.TB) bson.Binary {
	return bson.Binary{Subtype: subtypeEncrypted, Data: decode64(t, v.Cipher)}
}

func decode64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func readExtJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := bson.UnmarshalExtJSON(b, false, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// loadCorpus returns the corpus and a keyring whose vault holds its data key.
func loadCorpus(t testing.TB) (corpus, KeyID, *Keyring) {
	t.Helper()
	var c corpus
	readExtJSON(t, "testdata/corpus-local.json", &c)
	master, err := NewLocalMasterKey(decode64(t, c.MasterKeyBase64))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := ParseKeyDocument(c.DataKey)
	if err != nil {
		t.Fatal(err)
	}
	vault := new(MemoryVault)
	if err := vault.Insert(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	return c, doc.ID, NewKeyring(vault, master, KeyringOptions{})
}

func TestCorpusDecryptsAndReencrypts(t *testing.T) {
	c, key, ring := loadCorpus(t)
	count := map[Algorithm]int{}
	for _, v := range c.Values {
		count[v.algorithm()]++
		got, err := ring.Decrypt(t.Context(), v.sealed(t))
		if err != nil || !got.Equal(v.Plain) {
			t.Errorf("%s: decrypts to %v %x, %v", v.Name, got.Type, got.Value, err)
		}
		again, err := ring.Encrypt(t.Context(), key, v.algorithm(), v.Plain)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		if same := bytes.Equal(again.Data, v.sealed(t).Data); same != (v.algorithm() == Deterministic) {
			t.Errorf("%s: encrypts again to equal bytes: %v", v.Name, same)
		}
	}
	if count[Random] != 89 || count[Deterministic] != 53 {
		t.Errorf("the corpus is not whole: %v", count)
	}
}

func TestCorpusRefusals(t *testing.T) {
	c, key, ring := loadCorpus(t)
	if len(c.Refused) != 28 {
		t.Errorf("the corpus is not whole: %d", len(c.Refused))
	}
	for _, v := range c.Refused {
		if _, err := ring.Encrypt(t.Context(), key, v.algorithm(), v.Plain); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

// The copy in testdata must be what the driver's module holds.
func TestCorpusIsTheDrivers(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.mongodb.org/mongo-driver/v2").Output()
	if err != nil {
		t.Fatalf("the driver's module can't be found with the go command: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "testdata", "client-side-encryption-prose")
	var plain, sealed map[string]bson.RawValue
	readExtJSON(t, filepath.Join(dir, "corpus.json"), &plain)
	readExtJSON(t, filepath.Join(dir, "corpus-encrypted.json"), &sealed)
	var key bson.Raw
	readExtJSON(t, filepath.Join(dir, "corpus-key-local.json"), &key)

	c, _, _ := loadCorpus(t)
	checkSameKey(t, c.DataKey, key)
	ours := map[string]corpusValue{}
	for _, v := range append(c.Values, c.Refused...) {
		ours[v.Name] = v
	}
	type entry struct {
		KMS, Algo string
		Allowed   bool
		Value     bson.RawValue
	}
	seen := 0
	for name, value := range plain {
		var p, s entry
		if value.Type != bson.TypeEmbeddedDocument || value.Unmarshal(&p) != nil || p.KMS != "local" {
			continue
		}
		seen++
		v, ok := ours[name]
		if !ok || v.Algo != p.Algo || !v.Plain.Equal(p.Value) || p.Allowed != (v.Cipher != "") {
			t.Errorf("%s differs from the driver's", name)
		}
		if !p.Allowed {
			continue
		}
		if err := sealed[name].Unmarshal(&s); err != nil {
			t.Fatal(err)
		}
		if _, b, _ := s.Value.BinaryOK(); !bytes.Equal(b, v.sealed(t).Data) {
			t.Errorf("%s: the sealed value differs from the driver's", name)
		}
	}
	if seen != len(ours) || seen != 170 {
		t.Errorf("the driver's corpus has %d local values, ours %d", seen, len(ours))
	}
}

func checkSameKey(t *testing.T, a, b bson.Raw) {
	t.Helper()
	x, err := ParseKeyDocument(a)
	y, err2 := ParseKeyDocument(b)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	xb, _ := x.MarshalBSON()
	yb, _ := y.MarshalBSON()
	if !bytes.Equal(xb, yb) {
		t.Error("the data key differs from the driver's")
	}
}

func TestMcGrewVector(t *testing.T) {
	var vectors []struct{ Key, AAD, IV, Plaintext, Ciphertext string }
	b, err := os.ReadFile("testdata/libmongocrypt/mcgrew.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &vectors); err != nil || len(vectors) != 1 {
		t.Fatal(err, len(vectors))
	}
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	v := vectors[0]
	box, err := newBox(unhex(v.Key))
	if err != nil {
		t.Fatal(err)
	}
	got := box.seal(nil, [ivSize]byte(unhex(v.IV)), unhex(v.Plaintext), unhex(v.AAD))
	if hex.EncodeToString(got) != v.Ciphertext {
		t.Errorf("sealed to %x", got)
	}
	plain, err := box.open(unhex(v.Ciphertext), unhex(v.AAD))
	if err != nil || hex.EncodeToString(plain) != v.Plaintext {
		t.Errorf("opened to %x, %v", plain, err)
	}
}

// libmongocrypt's data keys are wrapped by a master key of zeros.
func TestLibmongocryptPayloads(t *testing.T) {
	master, err := NewLocalMasterKey(make([]byte, keySize))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[KeyID]*dataKey{}
	for _, name := range []string{"12345678123498761234123456789012", "ABCDEFAB123498761234123456789012"} {
		var doc KeyDocument
		readExtJSON(t, "testdata/libmongocrypt/"+name+"-local-document.json", &doc)
		raw, err := unwrapKey(t.Context(), master, doc)
		if err != nil {
			t.Fatal(err)
		}
		if keys[doc.ID], err = newDataKey(doc.ID, raw); err != nil {
			t.Fatal(err)
		}
	}
	for name, alg := range map[string]Algorithm{"Deterministic": Deterministic, "Random": Random} {
		var doc struct{ V bson.Binary }
		readExtJSON(t, "testdata/libmongocrypt/FLE1"+name+"EncryptedValue.json", &doc)
		id, err := KeyOf(doc.V)
		if err != nil || keys[id] == nil {
			t.Fatalf("%s: key %v, %v", name, id, err)
		}
		v, err := keys[id].open(doc.V.Data)
		if err != nil || v.StringValue() != "foo" {
			t.Errorf("%s: %v, %v", name, v, err)
		}
		again, err := keys[id].seal(alg, v)
		if err != nil || bytes.Equal(again.Data, doc.V.Data) != (alg == Deterministic) {
			t.Errorf("%s: seals again to %x, %v", name, again.Data, err)
		}
	}
}

func TestLibmongocryptKeyDocuments(t *testing.T) {
	paths, err := filepath.Glob("testdata/libmongocrypt/key-document-*.json")
	if err != nil || len(paths) != 5 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		var raw bson.Raw
		readExtJSON(t, path, &raw)
		doc, err := ParseKeyDocument(raw)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		b, err := doc.MarshalBSON()
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		elements, _ := raw.Elements()
		for _, e := range elements { // version is not written again
			if got := bson.Raw(b).Lookup(e.Key()); e.Key() != "version" && !got.Equal(e.Value()) {
				t.Errorf("%s: %s became %v", path, e.Key(), got)
			}
		}
	}
}
