package csfle

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/singleflight"

	"mooring/internal/errs"
)

// KeyringOptions are the settings of a Keyring. The zero value is good.
type KeyringOptions struct {
	// CacheTTL is how long an unwrapped key is used from the moment it was
	// read from the vault, however often it is used: 60 s when 0, not at all
	// when negative. So long may a process that did not destroy a key itself
	// go on using it.
	CacheTTL time.Duration
	// CacheSize is how many unwrapped keys are held at most: 1000 when 0 or
	// less. Beyond it the oldest go first.
	CacheSize int
	// Now is the clock: time.Now when nil.
	Now func() time.Time
}

// Keyring encrypts and decrypts with the data keys of a vault, which it
// unwraps with a master key and holds in the clear for a short time. It is
// safe for concurrent use; many goroutines that want one key cause one read of
// the vault and one unwrapping.
type Keyring struct {
	vault    KeyVault
	master   MasterKey
	cache    *keyCache
	now      func() time.Time
	flights  singleflight.Group
	creating sync.RWMutex // read-locked from the wrapping of a new key until it is in the vault
}

// loadTimeout bounds one read and unwrapping, which goes on for others when
// the caller that began it gives up.
const loadTimeout = 30 * time.Second

// NewKeyring makes a Keyring. It asks neither vault nor master key.
func NewKeyring(vault KeyVault, master MasterKey, o KeyringOptions) *Keyring {
	if o.CacheTTL == 0 {
		o.CacheTTL = time.Minute
	}
	if o.CacheSize <= 0 {
		o.CacheSize = 1000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Keyring{vault: vault, master: master, now: o.Now, cache: newKeyCache(o.CacheTTL, o.CacheSize, o.Now)}
}

// CreateKey makes a random data key with one alternate name (see
// CheckAltName), wraps it and stores it. A taken name is errs.AlreadyExists.
func (k *Keyring) CreateKey(ctx context.Context, altName string) (KeyID, error) {
	const op = "csfle.create_key"
	if err := CheckAltName(altName); err != nil {
		return KeyID{}, err
	}
	key := newKeyBytes()
	defer clear(key)
	k.creating.RLock()
	defer k.creating.RUnlock()
	material, masterKey, err := k.master.Wrap(ctx, key)
	if err != nil {
		return KeyID{}, wrap(err, op, "the new data key can't be wrapped")
	}
	now := k.now().UTC().Truncate(time.Millisecond)
	doc := KeyDocument{
		ID: newKeyID(), AltNames: []string{altName}, KeyMaterial: material,
		CreationDate: now, UpdateDate: now, MasterKey: masterKey,
	}
	if err := k.vault.Insert(ctx, doc); err != nil {
		return KeyID{}, wrap(err, op, "the data key "+altName+" can't be stored")
	}
	return doc.ID, nil
}

// Encrypt seals a value under the data key with this id. A value that the
// algorithm does not take, or that is not one well-formed BSON value, is
// errs.Invalid; a key that does not exist, errs.NotFound; a key that can't be
// unwrapped, errs.Corrupt.
func (k *Keyring) Encrypt(ctx context.Context, key KeyID, alg Algorithm, v bson.RawValue) (bson.Binary, error) {
	dk, err := k.byID(ctx, key)
	if err != nil {
		return bson.Binary{}, err
	}
	return dk.seal(alg, v)
}

// EncryptWith is Encrypt under the data key with this alternate name.
func (k *Keyring) EncryptWith(ctx context.Context, altName string, alg Algorithm, v bson.RawValue) (bson.Binary, error) {
	dk, err := k.byName(ctx, altName)
	if err != nil {
		return bson.Binary{}, err
	}
	return dk.seal(alg, v)
}

// Decrypt opens a sealed value, in memory of its own. A value that is not
// exactly as it was sealed is errs.Corrupt; one whose data key does not exist
// (any more), errs.NotFound.
func (k *Keyring) Decrypt(ctx context.Context, sealed bson.Binary) (bson.RawValue, error) {
	id, err := checkPayload(sealed)
	if err != nil {
		return bson.RawValue{}, err
	}
	dk, err := k.byID(ctx, id)
	if err != nil {
		return bson.RawValue{}, err
	}
	return dk.open(sealed.Data)
}

// Forget drops keys from the cache, so that their next use asks the vault. A
// load under way while Forget is called serves those who wait for it and is
// not cached.
func (k *Keyring) Forget(ids ...KeyID) { k.cache.forget(ids) }

// DestroyKeys deletes keys from the vault and forgets them: what was sealed
// under them can't be opened any more, here at once, in other processes when
// their caches expire, and from backups of the vault as long as those exist. A
// key that does not exist is no error, so that a list of destroyed keys can be
// applied again after a restore. It stops at the first failure.
func (k *Keyring) DestroyKeys(ctx context.Context, ids ...KeyID) error {
	for _, id := range ids {
		err := k.vault.Delete(ctx, id)
		k.Forget(id)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return wrap(err, "csfle.destroy_key", "the data key "+id.String()+" can't be destroyed")
		}
	}
	return nil
}

// CacheTTL is how long a process may use a key that another one destroyed.
func (k *Keyring) CacheTTL() time.Duration { return max(k.cache.ttl, 0) }

func (k *Keyring) byID(ctx context.Context, id KeyID) (*cachedKey, error) {
	dk, gen := k.cache.getByID(id)
	if dk != nil {
		return dk, nil
	}
	return k.load(ctx, gen, "id "+id.String(), func(ctx context.Context) (KeyDocument, error) {
		doc, err := k.vault.Get(ctx, id)
		if err == nil && doc.ID != id {
			err = errs.New(errs.Internal, "csfle.key", "the key vault returned another key than it was asked for")
		}
		return doc, err
	})
}

func (k *Keyring) byName(ctx context.Context, name string) (*cachedKey, error) {
	dk, gen := k.cache.getByName(name)
	if dk != nil {
		return dk, nil
	}
	return k.load(ctx, gen, "name "+name, func(ctx context.Context) (KeyDocument, error) {
		return k.getByName(ctx, name)
	})
}

// load reads and unwraps a key once for all who want it at the same time. The
// flight's name holds the generation, so that nobody who comes after a Forget
// joins a load that began before it.
func (k *Keyring) load(ctx context.Context, gen uint64, what string, read func(context.Context) (KeyDocument, error)) (*cachedKey, error) {
	const op = "csfle.key"
	if err := ended(ctx, op); err != nil {
		return nil, err
	}
	done := k.flights.DoChan(strconv.FormatUint(gen, 10)+" "+what, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		asked := k.now()
		doc, err := read(ctx)
		if err != nil {
			return nil, wrap(err, op, "the data key with "+what+" can't be read")
		}
		dk, err := k.unwrap(ctx, doc)
		if err != nil {
			return nil, err
		}
		c := &cachedKey{dataKey: dk, names: doc.AltNames, expires: asked.Add(k.cache.ttl)}
		k.cache.put(c, gen)
		return c, nil
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*cachedKey), nil
	case <-ctx.Done():
		return nil, ended(ctx, op)
	}
}

func (k *Keyring) unwrap(ctx context.Context, doc KeyDocument) (*dataKey, error) {
	key, err := unwrapKey(ctx, k.master, doc)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	dk, err := newDataKey(doc.ID, key)
	return dk, wrap(err, "csfle.unwrap", "the data key can't be used")
}

// getByName reads a key from the vault, past the cache.
func (k *Keyring) getByName(ctx context.Context, name string) (KeyDocument, error) {
	doc, err := k.vault.GetByAltName(ctx, name)
	if err == nil && !slices.Contains(doc.AltNames, name) {
		err = errs.New(errs.Internal, "csfle.key", "the key vault returned another key than it was asked for")
	}
	return doc, err
}
