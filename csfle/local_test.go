package csfle

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

func TestLocalMasterKeyLength(t *testing.T) {
	for _, n := range []int{0, 32, 64, 95, 97, 128} {
		_, err := NewLocalMasterKey(make([]byte, n))
		wantKind(t, fmt.Sprint(n, " bytes"), err, errs.Invalid)
		_, _, err = GenerateLocalMasterKey().Wrap(t.Context(), make([]byte, n))
		wantKind(t, fmt.Sprint("wrapping ", n, " bytes"), err, errs.Invalid)
	}
}

func TestLocalMasterKeyTellsNothing(t *testing.T) {
	raw := bytes.Repeat([]byte("k3y!"), 24)
	m := must(NewLocalMasterKey(raw))(t)
	clear(raw)
	holder := struct {
		Open   *LocalMasterKey
		hidden *LocalMasterKey
	}{m, m}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{m, holder, &holder, []any{m}} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, "k3y!") || strings.Contains(out, hex.EncodeToString([]byte("k3y!"))) || strings.Contains(out, "107 51 121 33") {
				t.Errorf("%s prints the key: %s", verb, out)
			}
		}
	}
	for _, verb := range []string{"%v", "%#v", "%d"} {
		if got := fmt.Sprintf(verb, m); got != "local master key "+m.Fingerprint() {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

const zeroKeyFingerprint = "bf078e1aeacc0f35"

func TestFingerprint(t *testing.T) {
	raw := make([]byte, keySize)
	m := must(NewLocalMasterKey(raw))(t)
	// Fixed: stores keep it. HMAC-SHA-256 under 96 zero bytes.
	if m.Fingerprint() != zeroKeyFingerprint {
		t.Errorf("fingerprint of the zero key = %s", m.Fingerprint())
	}
	for _, i := range []int{0, 31, 32, 64, 95} { // the last 32 bytes wrap nothing but count
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		if must(NewLocalMasterKey(changed))(t).Fingerprint() == m.Fingerprint() {
			t.Errorf("byte %d does not count", i)
		}
	}
}

func TestMasterKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	_, err := LoadLocalMasterKey(path)
	wantKind(t, "missing", err, errs.NotFound)
	made := must(CreateLocalMasterKey(path))(t)
	info := must(os.Stat(path))(t)
	if info.Size() != keySize || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("the file has %d bytes and mode %v", info.Size(), info.Mode())
	}
	loaded := must(LoadLocalMasterKey(path))(t)
	material, doc, err := made.Wrap(t.Context(), newKeyBytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loaded.Unwrap(t.Context(), material, doc); err != nil || loaded.Fingerprint() != made.Fingerprint() {
		t.Errorf("another key was loaded than created: %v", err)
	}
	before := must(os.ReadFile(path))(t)
	_, err = CreateLocalMasterKey(path)
	wantKind(t, "created twice", err, errs.AlreadyExists)
	if after := must(os.ReadFile(path))(t); !bytes.Equal(before, after) {
		t.Error("the file that existed was changed")
	}
	_, err = CreateLocalMasterKey(filepath.Join(path, "x"))
	wantKind(t, "impossible path", err, errs.Unavailable)
}

func TestMasterKeyFileRefusals(t *testing.T) {
	dir := t.TempDir()
	private := filepath.Join(dir, "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := LoadLocalMasterKey(private)
	wantKind(t, "a directory", err, errs.Invalid)
	for _, n := range []int{0, 95, 97, 192} {
		path := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), n), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadLocalMasterKey(path)
		wantKind(t, fmt.Sprint(n, " bytes"), err, errs.Invalid)
		if err != nil && strings.Contains(err.Error(), "xx") {
			t.Errorf("the error quotes the file: %v", err)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	path := filepath.Join(dir, "key")
	must(CreateLocalMasterKey(path))(t)
	for _, mode := range []os.FileMode{0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadLocalMasterKey(path)
		wantKind(t, mode.String(), err, errs.Invalid)
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadLocalMasterKey(path); err != nil {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

func TestMasterKeyCheck(t *testing.T) {
	ctx := t.Context()
	m, other := GenerateLocalMasterKey(), GenerateLocalMasterKey()
	made := must(NewMasterKeyCheck(ctx, m))(t)
	var c MasterKeyCheck
	if err := bson.Unmarshal(must(bson.Marshal(made))(t), &c); err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(ctx, m); err != nil {
		t.Error(err)
	}
	if err := c.Verify(ctx, WithPrevious(other, m)); err != nil {
		t.Errorf("while rewrapping: %v", err)
	}
	for what, k := range map[string]MasterKey{"another key": other, "no key": nil, "two other keys": WithPrevious(other, other)} {
		err := c.Verify(ctx, k)
		wantKind(t, what, err, errs.Invalid)
		if err != nil && !strings.Contains(err.Error(), m.Fingerprint()) {
			t.Errorf("%s: the expected fingerprint is missing: %v", what, err)
		}
	}
	if err := c.Verify(ctx, other); !strings.Contains(err.Error(), other.Fingerprint()) {
		t.Errorf("the fingerprint given is missing: %v", err)
	}
	for what, change := range map[string]func(*MasterKeyCheck){
		"material":   func(c *MasterKeyCheck) { c.KeyMaterial[20] ^= 1 },
		"digest":     func(c *MasterKeyCheck) { c.Digest[0] ^= 1 },
		"no digest":  func(c *MasterKeyCheck) { c.Digest = nil },
		"master key": func(c *MasterKeyCheck) { c.MasterKey = nil },
	} {
		damaged := c
		damaged.KeyMaterial, damaged.Digest = bytes.Clone(c.KeyMaterial), bytes.Clone(c.Digest)
		change(&damaged)
		wantKind(t, what, damaged.Verify(ctx, m), errs.Corrupt)
	}
	wantKind(t, "key service away", c.Verify(ctx, &stubMaster{MasterKey: m, unwrap: errs.New(errs.Unavailable, "", "away")}), errs.Unavailable)
}

// stubMaster is a master key whose calls fail or pass as told.
type stubMaster struct {
	MasterKey
	unwrap, wrap error
}

func (s *stubMaster) Unwrap(ctx context.Context, m []byte, doc bson.Raw) ([]byte, error) {
	if s.unwrap != nil {
		return nil, s.unwrap
	}
	return s.MasterKey.Unwrap(ctx, m, doc)
}

func (s *stubMaster) Wrap(ctx context.Context, key []byte) ([]byte, bson.Raw, error) {
	if s.wrap != nil {
		return nil, nil, s.wrap
	}
	return s.MasterKey.Wrap(ctx, key)
}
