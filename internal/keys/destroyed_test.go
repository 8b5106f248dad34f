package keys_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"mooring/csfle"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/keys"
)

// facts are kept in memory, as a store keeps them.
type facts struct {
	mu sync.Mutex
	m  map[string]string
	// before, when set, is called ahead of each write; its error is the write's.
	before func(name string) error
}

func (f *facts) Meta(_ context.Context, name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v, ok := f.m[name]; ok {
		return []byte(v), nil
	}
	return nil, nil
}

func (f *facts) SetMeta(_ context.Context, name string, old, value []byte) error {
	if f.before != nil {
		if err := f.before(name); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if have, ok := f.m[name]; ok != (old != nil) || have != string(old) {
		return errs.New(errs.Conflict, "facts", "somebody else has set this fact")
	}
	if f.m == nil {
		f.m = map[string]string{}
	}
	f.m[name] = string(value)
	return nil
}

// An older backup is restored over a store in which an organization was destroyed:
// the keys that come back, also those that the list does not name, are gone again.
func TestDestroyedKeysStayDestroyedAfterARestore(t *testing.T) {
	ctx, f, vault := t.Context(), &facts{}, &csfle.MemoryVault{}
	ring := csfle.NewKeyring(vault, csfle.GenerateLocalMasterKey(), csfle.KeyringOptions{})
	gone, other := id.NewOrg(), id.NewOrg()
	create := func(org id.Org, n int) csfle.KeyID {
		t.Helper()
		k, err := ring.CreateKey(ctx, csfle.KeyName(org, n))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	create(gone, 1) // retired before the organization was destroyed, so the list lacks it
	named, kept := create(gone, 2), create(other, 1)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	for range 2 {
		if err := keys.NoteDestroyed(ctx, f, keys.Destroyed{Org: gone, At: at, Keys: []csfle.KeyID{named}}); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Hour)
	}
	list, err := keys.ListDestroyed(ctx, f)
	if err != nil || len(list) != 1 || len(list[0].Keys) != 1 || list[0].At.Hour() != 3 {
		t.Fatalf("the list is %+v, %v", list, err)
	}
	n, err := keys.DestroyAgain(ctx, f, vault)
	if err != nil || n != 2 {
		t.Fatalf("%d destroyed, %v", n, err)
	}
	left, err := vault.List(ctx, "", "", 10)
	if err != nil || len(left) != 1 || left[0].ID != kept {
		t.Errorf("left are %v, %v", left, err)
	}
	if n, err := keys.DestroyAgain(ctx, f, vault); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}

func TestNotesOfSeveralAreMerged(t *testing.T) {
	f := &facts{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := keys.NoteDestroyed(context.Background(), f, keys.Destroyed{Org: id.NewOrg(), At: time.Now()}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, err := keys.ListDestroyed(t.Context(), f); len(list) != 20 || err != nil {
		t.Errorf("%d are left, %v", len(list), err)
	}
}
