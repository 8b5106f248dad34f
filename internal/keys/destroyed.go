package keys

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
	"mooring/internal/id"
)

// DestroyedName is the fact of a store (see system.System.Meta) that lists the
// organizations whose keys were destroyed. A backup holds it as it was then; a
// restore takes over what the store that it replaces has, with NoteDestroyed,
// and then destroys again, with DestroyAgain.
const DestroyedName = "destroyed_keys"

// Destroyed says that an organization's data keys were destroyed. Keys that an
// older backup brings back may have other ids, so the organization counts too.
type Destroyed struct {
	Org  id.Org        `bson:"org"`
	At   time.Time     `bson:"at"` // when it was asked for first
	Keys []csfle.KeyID `bson:"keys"`
}

type destroyedList struct {
	Organizations []Destroyed `bson:"organizations"`
}

// Facts are the facts about a store; system.System has them.
type Facts interface {
	Meta(ctx context.Context, name string) ([]byte, error)
	SetMeta(ctx context.Context, name string, old, value []byte) error
}

// ListDestroyed returns the organizations whose keys were destroyed.
func ListDestroyed(ctx context.Context, f Facts) ([]Destroyed, error) {
	_, list, err := readDestroyed(ctx, f)
	return list.Organizations, err
}

func readDestroyed(ctx context.Context, f Facts) (raw []byte, list destroyedList, err error) {
	if raw, err = f.Meta(ctx, DestroyedName); err != nil || raw == nil {
		return raw, list, err
	}
	if err := bson.Unmarshal(raw, &list); err != nil {
		return raw, list, errs.Wrap(err, errs.Corrupt, "keys.destroyed", "the list of destroyed keys can't be read")
	}
	return raw, list, nil
}

// NoteDestroyed adds to the list. What stands there stays.
func NoteDestroyed(ctx context.Context, f Facts, more ...Destroyed) error {
	for {
		raw, list, err := readDestroyed(ctx, f)
		if err != nil {
			return err
		}
		if !list.add(more) {
			return nil
		}
		next, err := bson.Marshal(list)
		if err != nil {
			return err
		}
		if err := f.SetMeta(ctx, DestroyedName, raw, next); !errs.Is(err, errs.Conflict) {
			return err
		}
	}
}

func (l *destroyedList) add(more []Destroyed) (changed bool) {
	for _, d := range more {
		i := slices.IndexFunc(l.Organizations, func(have Destroyed) bool { return have.Org == d.Org })
		if i < 0 {
			i, changed = len(l.Organizations), true
			l.Organizations = append(l.Organizations, Destroyed{Org: d.Org, At: d.At.UTC().Truncate(time.Millisecond), Keys: []csfle.KeyID{}})
		}
		for _, k := range d.Keys {
			if !slices.Contains(l.Organizations[i].Keys, k) {
				l.Organizations[i].Keys, changed = append(l.Organizations[i].Keys, k), true
			}
		}
	}
	return changed
}

// DestroyAgain deletes from a vault every key of the organizations in the list,
// and says how many. It needs no master key.
func DestroyAgain(ctx context.Context, f Facts, vault csfle.KeyVault) (destroyed int, err error) {
	list, err := ListDestroyed(ctx, f)
	if err != nil {
		return 0, err
	}
	ring := csfle.NewKeyring(vault, nil, csfle.KeyringOptions{})
	sealer := csfle.NewSealer(ring)
	for _, d := range list {
		gone, err := sealer.DestroyOrg(ctx, d.Org, nil)
		destroyed += len(gone)
		if err == nil {
			err = ring.DestroyKeys(ctx, d.Keys...)
		}
		if err != nil {
			return destroyed, err
		}
	}
	return destroyed, nil
}
