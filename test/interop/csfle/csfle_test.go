//go:build interop

package csfle_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/id"
	"mooring/internal/store/sqlite"
	"mooring/test/binary"
)

// order is what the script is asked for, and answer what it says.
type order struct {
	official
	Do     string   `json:"do"`
	Name   string   `json:"name,omitempty"`
	Keys   [][]byte `json:"keys"`
	Values [][]byte `json:"values"`
	Size   int      `json:"size,omitempty"`
	Rounds int      `json:"rounds,omitempty"`
	Ops    int      `json:"ops,omitempty"`
}

// official is a master key as the official side is given it: Master, or a key
// of the service Provider.
type official struct {
	Master   []byte            `json:"master,omitempty"`
	Provider string            `json:"provider,omitempty"`
	KMS      map[string]string `json:"kms,omitempty"`
	Key      map[string]string `json:"key,omitempty"`
	CA       string            `json:"ca,omitempty"`
	Address  string            `json:"address,omitempty"` // where every host is found
}

type answer struct {
	Values, Keys [][]byte
	Seal, Open   float64
	TinySeal     float64 `json:"tiny_seal"`
	TinyOpen     float64 `json:"tiny_open"`
	Version      string
	OwnCrypto    bool `json:"own_crypto"`
}

// ask has the official implementation carry out an order.
func ask(t *testing.T, o order) answer {
	t.Helper()
	python := os.Getenv("MOORING_TEST_CSFLE_PYTHON")
	if python == "" {
		t.Fatal("MOORING_TEST_CSFLE_PYTHON is not set: run `make interop`")
	}
	in, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "peer.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(append(in, '\n')), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

const values = 1200

// random returns values of all types that may be encrypted, each as {v: value}.
func random(t *testing.T, n int) (docs [][]byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		b, err := bson.Marshal(bson.D{{Key: "v", Value: randomValue(r, i, 3)}})
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, b)
	}
	return docs
}

func randomValue(r *rand.Rand, kind, depth int) any {
	text := func() string { return strings.Repeat("né\U0001F511x", r.IntN(60)) }
	raw := make([]byte, r.IntN(500))
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	switch kind % 15 {
	case 0:
		return text()
	case 1:
		return r.Int64() - r.Int64()
	case 2:
		return int32(r.Uint32())
	case 3:
		return r.NormFloat64()
	case 4:
		return r.IntN(2) == 0
	case 5:
		return bson.Binary{Subtype: []byte{0, 4, 5, 128}[r.IntN(2)*3], Data: raw}
	case 6:
		return bson.DateTime(r.Int64N(1 << 45))
	case 7:
		return bson.Timestamp{T: r.Uint32(), I: r.Uint32()}
	case 8:
		return bson.Regex{Pattern: "^" + strings.Repeat("a", r.IntN(9)), Options: "im"}
	case 9:
		return bson.JavaScript("function() { return " + strings.Repeat("1", 1+r.IntN(9)) + " }")
	case 10:
		return bson.NewDecimal128(0x3040<<48, r.Uint64())
	case 11:
		return bson.NewObjectID()
	case 12:
		return bson.Symbol(text())
	case 13:
		if depth == 0 {
			return "leaf"
		}
		return bson.A{randomValue(r, r.IntN(15), depth-1), nil, randomValue(r, r.IntN(15), depth-1)}
	default:
		if depth == 0 {
			return bson.D{}
		}
		return bson.D{{Key: "a", Value: randomValue(r, r.IntN(15), depth-1)}, {Key: "b", Value: nil}, {Key: "c", Value: randomValue(r, r.IntN(15), depth-1)}}
	}
}

// side is our implementation over a vault in memory.
type side struct {
	vault *csfle.MemoryVault
	ring  *csfle.Keyring
}

func newSide(m csfle.MasterKey) side {
	vault := &csfle.MemoryVault{}
	return side{vault, csfle.NewKeyring(vault, m, csfle.KeyringOptions{})}
}

func (s side) keys(t *testing.T) (docs [][]byte) {
	t.Helper()
	all, err := s.vault.List(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		b, err := k.MarshalBSON()
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, b)
	}
	return docs
}

func (s side) take(t *testing.T, docs [][]byte) {
	t.Helper()
	for _, d := range docs {
		k, err := csfle.ParseKeyDocument(d)
		if err == nil {
			err = s.vault.Insert(t.Context(), k)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (s side) seal(t *testing.T, name string, docs [][]byte) (sealed [][]byte) {
	t.Helper()
	for _, d := range docs {
		b, err := s.ring.EncryptWith(t.Context(), name, csfle.Random, bson.Raw(d).Lookup("v"))
		if err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, wrapped(t, b))
	}
	return sealed
}

func wrapped(t *testing.T, v any) []byte {
	t.Helper()
	b, err := bson.Marshal(bson.D{{Key: "v", Value: v}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func payload(t *testing.T, doc []byte) bson.Binary {
	t.Helper()
	subtype, data, ok := bson.Raw(doc).Lookup("v").BinaryOK()
	if !ok || subtype != 6 {
		t.Fatalf("not sealed: %v", bson.Raw(doc))
	}
	return bson.Binary{Subtype: subtype, Data: data}
}

// opens expects that our side opens what theirs sealed, to the same bytes.
func (s side) opens(t *testing.T, sealed, plain [][]byte) {
	t.Helper()
	for i, d := range sealed {
		v, err := s.ring.Decrypt(t.Context(), payload(t, d))
		if err != nil || !bytes.Equal(wrapped(t, v), plain[i]) {
			t.Fatalf("value %d: %v became %v, %v", i, bson.Raw(plain[i]), v, err)
		}
	}
}

func same(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values instead of %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("value %d: %v became %v", i, bson.Raw(want[i]), bson.Raw(got[i]))
		}
	}
}

func localKey(t *testing.T) ([]byte, *csfle.LocalMasterKey) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "master.key")
	m, err := csfle.CreateLocalMasterKey(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw, m
}

func TestLocalBothWays(t *testing.T) {
	raw, m := localKey(t)
	bothWays(t, m, official{Master: raw})
}

// bothWays has each side open the other's keys and values, and refuse changed ones.
func bothWays(t *testing.T, m csfle.MasterKey, master official) {
	t.Helper()
	o := order{official: master}
	plain, ours := random(t, values), newSide(m)
	if _, err := ours.ring.CreateKey(t.Context(), "ours"); err != nil {
		t.Fatal(err)
	}
	sealed := ours.seal(t, "ours", plain)
	o.Do, o.Keys, o.Values = "open", ours.keys(t), sealed
	same(t, ask(t, o).Values, plain)

	o.Do, o.Values = "seal", plain // under a key of theirs
	theirs := ask(t, o)
	reader := newSide(m)
	reader.take(t, theirs.Keys)
	reader.opens(t, theirs.Values, plain)

	o.Name = "ours" // and under ours
	ours.opens(t, ask(t, o).Values, plain)

	o.Do, o.Keys, o.Values = "open", theirs.Keys, tampered(t, theirs.Values[:100])
	for i, d := range o.Values {
		if _, err := reader.ring.Decrypt(t.Context(), payload(t, d)); err == nil {
			t.Errorf("we open what was tampered with: %d", i)
		}
	}
	for i, v := range ask(t, o).Values {
		if v != nil {
			t.Errorf("the official side opens what was tampered with: %d", i)
		}
	}
}

// tampered changes a bit of each value, behind its first byte: of another value
// there the official side returns the whole unchanged, without an error.
func tampered(t *testing.T, sealed [][]byte) (out [][]byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	for _, d := range sealed {
		b := payload(t, d)
		b.Data[1+r.IntN(len(b.Data)-1)] ^= 1 << r.IntN(8)
		out = append(out, wrapped(t, b))
	}
	return out
}

var bin string

func TestMain(m *testing.M) { os.Exit(binary.Main(m, &bin)) }

// TestCredentialsOfTheBinary: the official side opens what the server keeps in its
// SQLite file, and no byte of that file tells it.
func TestCredentialsOfTheBinary(t *testing.T) {
	const canary = "c4n4ry/of+interop/credentials/0123456789"
	dir := filepath.Join(t.TempDir(), "data")
	withCredential(t, dir, canary)
	master, err := os.ReadFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mooring.db", "mooring.db-wal"} {
		dump, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil && (bytes.Contains(dump, []byte(canary)) || bytes.Contains(dump, []byte(base64.StdEncoding.EncodeToString([]byte(canary))))) {
			t.Errorf("%s holds the credential", name)
		}
	}
	keys, sealed := stored(t, dir)
	got := ask(t, order{Do: "open", official: official{Master: master}, Keys: keys, Values: [][]byte{sealed}}).Values[0]
	if v, _ := bson.Raw(got).Lookup("v", "value").StringValueOK(); v != canary {
		t.Fatalf("the official side reads %v", bson.Raw(got))
	}
	if out, err := exec.CommandContext(t.Context(), bin, "keys", "rotate", "--data-dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	after, again := stored(t, dir)
	if bytes.Equal(again, sealed) || len(after) != 1 {
		t.Fatal("nothing was rotated")
	}
	values := ask(t, order{Do: "open", official: official{Master: master}, Keys: after, Values: [][]byte{again, sealed}}).Values
	if v, _ := bson.Raw(values[0]).Lookup("v", "value").StringValueOK(); v != canary || values[1] != nil {
		t.Errorf("after a rotation the official side reads %v and, of what a dump from before holds, %v", bson.Raw(values[0]), values[1])
	}
}

// withCredential has a server keep a secret in a new data directory, and ends.
func withCredential(t *testing.T, dir, secret string) {
	t.Helper()
	s, err := binary.Start(bin, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	key, err := s.AdminKey()
	if err != nil {
		t.Fatal(err)
	}
	api := binary.API{URL: s.URL, Key: key}
	_, err = api.Want(t.Context(), "POST", "/v1/organizations/connections", binary.Object{
		"name": "s3", "provider_type": "s3", "test_before_save": false,
		"provider_config": binary.Object{"provider_type": "s3", "region": "us-east-1", "endpoint_url": "http://127.0.0.1:1",
			"credentials": binary.Object{"type": "access_key", "access_key_id": "AKIDEXAMPLE", "secret_access_key": secret}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// value is what a document of an opened credential holds, or "".
func value(doc []byte) string {
	v, _ := bson.Raw(doc).Lookup("v", "value").StringValueOK()
	return v
}

// stored returns the data keys of a data directory and its one sealed credential.
func stored(t *testing.T, dir string) (keys [][]byte, sealed []byte) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	docs, err := st.KeyVault().List(t.Context(), "", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		b, err := d.MarshalBSON()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, b)
	}
	org := docs[0].AltNames[0][:strings.IndexByte(docs[0].AltNames[0], '/')]
	c, err := st.Connections().ByName(t.Context(), id.Org(org), "s3")
	if err != nil {
		t.Fatal(err)
	}
	return keys, wrapped(t, c.Config.Secrets["secret_access_key"])
}

// TestSpeed prints the CPU time of sealing and opening beside the official
// implementation's, in this run. What that one takes for a value of one byte is shown
// too: nearly all of it is the driver around the cipher.
func TestSpeed(t *testing.T) {
	const size, rounds, ops = 2048, 7, 1500
	raw, m := localKey(t)
	s := newSide(m)
	if _, err := s.ring.CreateKey(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	v := bson.Raw(wrapped(t, strings.Repeat("x", size))).Lookup("v")
	sealed, err := s.ring.EncryptWith(t.Context(), "k", csfle.Random, v)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	measure := func(call func() error) (best float64) {
		for range rounds {
			began := cpu(t)
			for range ops {
				if err := call(); err != nil {
					t.Fatal(err)
				}
			}
			if took := float64(cpu(t)-began) / ops; best == 0 || took < best {
				best = took
			}
		}
		return best
	}
	seal := measure(func() error { _, err := s.ring.EncryptWith(t.Context(), "k", csfle.Random, v); return err })
	open := measure(func() error { _, err := s.ring.Decrypt(t.Context(), sealed); return err })
	o := ask(t, order{Do: "bench", official: official{Master: raw}, Keys: s.keys(t), Name: "k", Size: size, Rounds: rounds, Ops: ops})
	t.Logf("CPU ns per operation on a string of 2 KiB, best of %d rounds: ours seal %.0f, open %.0f; libmongocrypt %s through pymongocrypt (its own cipher: %v) seal %.0f, open %.0f, of which for one byte %.0f and %.0f; ratio %.2f and %.2f",
		rounds, seal, open, o.Version, o.OwnCrypto, o.Seal, o.Open, o.TinySeal, o.TinyOpen, seal/o.Seal, open/o.Open)
}

func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
