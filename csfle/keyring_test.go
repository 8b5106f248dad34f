package csfle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/internal/errs"
)

// countingVault counts reads and can hold them up.
type countingVault struct {
	KeyVault
	reads   atomic.Int64
	started chan struct{} // when set, told of each read
	gate    chan struct{} // when set, each read waits for it
}

func (v *countingVault) wait() {
	v.reads.Add(1)
	if v.started != nil {
		v.started <- struct{}{}
	}
	if v.gate != nil {
		<-v.gate
	}
}

func (v *countingVault) Get(ctx context.Context, id KeyID) (KeyDocument, error) {
	doc, err := v.KeyVault.Get(ctx, id)
	v.wait()
	return doc, errors.Join(err, ctx.Err())
}

func (v *countingVault) GetByAltName(ctx context.Context, name string) (KeyDocument, error) {
	doc, err := v.KeyVault.GetByAltName(ctx, name)
	v.wait()
	return doc, errors.Join(err, ctx.Err())
}

// countedRing has one key, "a", and a vault that counts.
func countedRing(t testing.TB, o KeyringOptions) (*Keyring, *countingVault, KeyID) {
	t.Helper()
	vault := &countingVault{KeyVault: new(MemoryVault)}
	ring := NewKeyring(vault, GenerateLocalMasterKey(), o)
	return ring, vault, must(ring.CreateKey(t.Context(), "a"))(t)
}

func TestCreateKey(t *testing.T) {
	c := newClock()
	ring, vault := newRing(t, KeyringOptions{Now: c.now})
	id := must(ring.CreateKey(t.Context(), "int_a/1"))(t)
	doc := must(vault.Get(t.Context(), id))(t)
	if doc.AltNames[0] != "int_a/1" || len(doc.KeyMaterial) != 160 || doc.Status != 0 || providerOf(doc.MasterKey) != "local" ||
		!doc.CreationDate.Equal(c.now()) || !doc.UpdateDate.Equal(c.now()) {
		t.Errorf("created %+v", doc)
	}
	_, err := ring.CreateKey(t.Context(), "int_a/1")
	wantKind(t, "taken name", err, errs.AlreadyExists)
	_, err = ring.CreateKey(t.Context(), "a b")
	wantKind(t, "bad name", err, errs.Invalid)
	broken := NewKeyring(vault, &stubMaster{wrap: errs.New(errs.Unavailable, "", "away")}, KeyringOptions{})
	_, err = broken.CreateKey(t.Context(), "int_a/2")
	wantKind(t, "key service away", err, errs.Unavailable)
}

func TestEncryptByIDAndName(t *testing.T) {
	ring, _ := newRing(t, KeyringOptions{})
	id := must(ring.CreateKey(t.Context(), "a"))(t)
	byID := must(ring.Encrypt(t.Context(), id, Deterministic, value(t, "x")))(t)
	byName := must(ring.EncryptWith(t.Context(), "a", Deterministic, value(t, "x")))(t)
	if string(byID.Data) != string(byName.Data) {
		t.Error("id and name lead to different keys")
	}
	_, err := ring.Encrypt(t.Context(), newKeyID(), Random, value(t, "x"))
	wantKind(t, "unknown id", err, errs.NotFound)
	_, err = ring.EncryptWith(t.Context(), "b", Random, value(t, "x"))
	wantKind(t, "unknown name", err, errs.NotFound)
}

func TestWrongMasterKeyIsCorrupt(t *testing.T) {
	ring, vault := newRing(t, KeyringOptions{})
	sealed := sealUnder(t, ring, must(ring.CreateKey(t.Context(), "a"))(t))
	other := NewKeyring(vault, GenerateLocalMasterKey(), KeyringOptions{})
	_, err := other.Decrypt(t.Context(), sealed)
	wantKind(t, "another master key", err, errs.Corrupt)
}

func sealUnder(t testing.TB, ring *Keyring, id KeyID) bson.Binary {
	t.Helper()
	return must(ring.Encrypt(t.Context(), id, Random, value(t, "x")))(t)
}

func TestCacheLastsItsTimeFromTheFirstUse(t *testing.T) {
	c := newClock()
	ring, vault, id := countedRing(t, KeyringOptions{Now: c.now})
	for i, step := range []struct {
		advance time.Duration
		reads   int64
	}{{0, 1}, {30 * time.Second, 1}, {29999 * time.Millisecond, 1}, {time.Millisecond, 2}, {59 * time.Second, 2}, {time.Second, 3}} {
		c.advance(step.advance)
		sealUnder(t, ring, id)
		must(ring.EncryptWith(t.Context(), "a", Random, value(t, "x")))(t)
		if got := vault.reads.Load(); got != step.reads {
			t.Errorf("step %d: %d reads, want %d", i, got, step.reads)
		}
	}
	off, vault, id := countedRing(t, KeyringOptions{CacheTTL: -1})
	for range 3 {
		sealUnder(t, off, id)
	}
	if vault.reads.Load() != 3 || len(off.cache.byID) != 0 {
		t.Errorf("without a cache: %d reads", vault.reads.Load())
	}
}

func TestCacheIsBounded(t *testing.T) {
	ring, vault, first := countedRing(t, KeyringOptions{CacheSize: 3})
	ids := []KeyID{first}
	for _, name := range []string{"b", "c", "d"} {
		ids = append(ids, must(ring.CreateKey(t.Context(), name))(t))
	}
	for _, id := range ids {
		sealUnder(t, ring, id)
	}
	if n, m, q := len(ring.cache.byID), len(ring.cache.byName), ring.cache.queue.Len(); n != 3 || m != 3 || q != 3 {
		t.Fatalf("the cache holds %d keys, %d names, %d in its queue", n, m, q)
	}
	for _, id := range ids[1:] {
		sealUnder(t, ring, id)
	}
	if vault.reads.Load() != 4 {
		t.Errorf("the newest were evicted: %d reads", vault.reads.Load())
	}
	sealUnder(t, ring, first)
	if vault.reads.Load() != 5 {
		t.Errorf("the oldest was not evicted: %d reads", vault.reads.Load())
	}
}

func TestExpiredKeysLeaveTheCache(t *testing.T) {
	c := newClock()
	ring, _, id := countedRing(t, KeyringOptions{Now: c.now})
	sealUnder(t, ring, id)
	c.advance(time.Minute)
	_, _ = ring.EncryptWith(t.Context(), "absent", Random, value(t, "x"))
	if len(ring.cache.byID)+len(ring.cache.byName)+ring.cache.queue.Len() != 0 {
		t.Error("an expired key is still held")
	}
}

// A key made anew under a freed name is found by that name, and the old entry's
// end does not take the name with it.
func TestCacheFollowsAReusedName(t *testing.T) {
	ring, vault, old := countedRing(t, KeyringOptions{})
	sealUnder(t, ring, old)
	if err := vault.Delete(t.Context(), old); err != nil { // by another process
		t.Fatal(err)
	}
	renewed := must(ring.CreateKey(t.Context(), "a"))(t)
	sealUnder(t, ring, renewed)
	ring.Forget(old)
	reads := vault.reads.Load()
	sealed := must(ring.EncryptWith(t.Context(), "a", Random, value(t, "x")))(t)
	if got := must(KeyOf(sealed))(t); got != renewed || vault.reads.Load() != reads {
		t.Errorf("the name leads to %v, want %v (%d reads)", got, renewed, vault.reads.Load()-reads)
	}
}

func TestForgetAndDestroy(t *testing.T) {
	ring, vault, id := countedRing(t, KeyringOptions{})
	sealed := sealUnder(t, ring, id)
	ring.Forget(id)
	must(ring.Decrypt(t.Context(), sealed))(t)
	if vault.reads.Load() != 2 {
		t.Errorf("Forget left the key in the cache: %d reads", vault.reads.Load())
	}
	if err := ring.DestroyKeys(t.Context(), id, newKeyID(), id); err != nil {
		t.Errorf("a key that does not exist is an error: %v", err)
	}
	_, err := ring.Decrypt(t.Context(), sealed)
	wantKind(t, "destroyed key", err, errs.NotFound)
	_, err = ring.EncryptWith(t.Context(), "a", Random, value(t, "x"))
	wantKind(t, "destroyed key by name", err, errs.NotFound)
}

// A load that began before a key was forgotten must not bring it back.
func TestForgetDuringALoad(t *testing.T) {
	ring, vault, id := countedRing(t, KeyringOptions{})
	vault.started, vault.gate = make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := ring.Encrypt(t.Context(), id, Random, value(t, "x"))
		done <- err
	}()
	<-vault.started
	if err := ring.DestroyKeys(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	// Whoever comes now starts a load of his own instead of joining the old one.
	late := make(chan error)
	go func() {
		_, err := ring.Encrypt(t.Context(), id, Random, value(t, "x"))
		late <- err
	}()
	<-vault.started
	close(vault.gate)
	if err := <-done; err != nil {
		t.Errorf("the load under way failed: %v", err)
	}
	wantKind(t, "after the destruction", <-late, errs.NotFound)
	if len(ring.cache.byID) != 0 {
		t.Error("the destroyed key was cached")
	}
}

func TestOneLoadForMany(t *testing.T) {
	ring, vault, id := countedRing(t, KeyringOptions{})
	vault.started, vault.gate = make(chan struct{}, 100), make(chan struct{})
	impatient, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { // begins the load and gives up
		_, err := ring.Encrypt(impatient, id, Random, value(t, "x"))
		first <- err
	}()
	<-vault.started
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := ring.Encrypt(t.Context(), id, Random, value(t, "x")); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	wantKind(t, "the one who gave up", <-first, errs.Canceled)
	close(vault.gate)
	wg.Wait()
	if vault.reads.Load() != 1 {
		t.Errorf("%d reads for one key", vault.reads.Load())
	}
	_, err := ring.Encrypt(impatient, newKeyID(), Random, value(t, "x"))
	wantKind(t, "a context that ended before", err, errs.Canceled)
	past, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer stop()
	_, err = ring.Encrypt(past, newKeyID(), Random, value(t, "x"))
	wantKind(t, "a deadline that passed", err, errs.Unavailable)
}

func TestFailuresAreNotCached(t *testing.T) {
	vault := new(MemoryVault)
	master := &stubMaster{MasterKey: GenerateLocalMasterKey()}
	ring := NewKeyring(vault, master, KeyringOptions{})
	id := must(ring.CreateKey(t.Context(), "a"))(t)
	master.unwrap = errs.New(errs.Throttled, "", "slow down")
	_, err := ring.Encrypt(t.Context(), id, Random, value(t, "x"))
	wantKind(t, "key service throttles", err, errs.Throttled)
	master.unwrap = nil
	sealUnder(t, ring, id)
}

// wrongVault answers with another key than it was asked for.
type wrongVault struct {
	KeyVault
	doc KeyDocument
}

func (v *wrongVault) Get(context.Context, KeyID) (KeyDocument, error)           { return v.doc, nil }
func (v *wrongVault) GetByAltName(context.Context, string) (KeyDocument, error) { return v.doc, nil }

func TestAVaultThatConfusesKeysIsNotTrusted(t *testing.T) {
	ring, vault := newRing(t, KeyringOptions{})
	id := must(ring.CreateKey(t.Context(), "a"))(t)
	wrong := NewKeyring(&wrongVault{doc: must(vault.Get(t.Context(), id))(t)}, ring.master, KeyringOptions{})
	_, err := wrong.Encrypt(t.Context(), newKeyID(), Random, value(t, "x"))
	wantKind(t, "by id", err, errs.Internal)
	_, err = wrong.EncryptWith(t.Context(), "b", Random, value(t, "x"))
	wantKind(t, "by name", err, errs.Internal)
}

// Meant for the race detector: everything at once, over a small cache that
// keeps expiring.
func TestConcurrentUse(t *testing.T) {
	c := newClock()
	ring, vault := newRing(t, KeyringOptions{Now: c.now, CacheSize: 3})
	masters := []MasterKey{GenerateLocalMasterKey(), GenerateLocalMasterKey(), GenerateLocalMasterKey()}
	ring.master = WithPrevious(ring.master, masters...)
	var ids []KeyID
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		ids = append(ids, must(ring.CreateKey(t.Context(), name))(t))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				id := ids[(g+i)%len(ids)]
				v := value(t, bson.D{{Key: "n", Value: int64(g*1000 + i)}})
				sealed, err := ring.Encrypt(t.Context(), id, Random, v)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := ring.Decrypt(t.Context(), sealed); err != nil || !got.Equal(v) {
					t.Errorf("opened %v, %v", got, err)
				}
				switch i % 20 {
				case 3:
					ring.Forget(id)
				case 7:
					c.advance(13 * time.Second)
				case 11:
					_, _ = ring.EncryptWith(t.Context(), "absent", Random, v)
				}
			}
		})
	}
	wg.Go(func() {
		for _, to := range masters {
			if _, err := ring.RewrapAll(t.Context(), to); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if n := len(ring.cache.byID); n > 3 {
		t.Errorf("the cache holds %d keys", n)
	}
	if page := must(vault.List(t.Context(), "", "", 10))(t); len(page) != len(ids) {
		t.Errorf("%d keys are left", len(page))
	}
}
