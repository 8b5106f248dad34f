package keys

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/errs"
)

// checkName is the fact that tells which master key a store has.
const checkName = "master_key_check"

// state is what a store says about its master key. While Next is there, keys are
// being wrapped anew: each data key is under one of the two.
type state struct {
	csfle.MasterKeyCheck `bson:",inline"`
	Next                 *csfle.MasterKeyCheck `bson:"next,omitempty"`
}

// wrapper is the fingerprint of the key that wraps new data keys.
func (s *state) wrapper() string {
	if s.Next != nil {
		return s.Next.Fingerprint
	}
	return s.Fingerprint
}

// Master is the master key of a store as the store has it at the moment: it
// unwraps with every key that this process was given, and wraps with the one
// that the store names, whoever changed that.
type Master struct {
	facts Facts

	mu      sync.Mutex
	held    []csfle.MasterKey
	current csfle.MasterKey // WithPrevious of those held
}

var _ csfle.MasterKey = (*Master)(nil)

// Begun reports whether a store has a master key.
func Begun(ctx context.Context, f Facts) (bool, error) {
	raw, err := f.Meta(ctx, checkName)
	return raw != nil, err
}

// Begin gives a new store its master key. Of several that begin the same store
// with different keys one succeeds; Open tells the others.
func Begin(ctx context.Context, f Facts, m csfle.MasterKey) error {
	check, err := csfle.NewMasterKeyCheck(ctx, m)
	if err != nil {
		return err
	}
	raw, err := bson.Marshal(state{MasterKeyCheck: check})
	if err != nil {
		return err
	}
	if err := f.SetMeta(ctx, checkName, nil, raw); !errs.Is(err, errs.Conflict) {
		return err
	}
	return nil
}

// Open proves that the keys given are those that a store was begun with: its
// master key, and while that is being changed the next one too. Their order does
// not matter, and one that the store does not know yet is no harm. Without the key,
// or with another one, it is errs.Invalid and says which one is expected.
func Open(ctx context.Context, f Facts, given ...csfle.MasterKey) (*Master, error) {
	_, st, err := readState(ctx, f)
	if err != nil {
		return nil, err
	}
	m := &Master{facts: f}
	if err := m.take(ctx, &st.MasterKeyCheck, given); err != nil {
		return nil, err
	}
	if st.Next != nil {
		err = m.take(ctx, st.Next, given)
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "keys.open",
			"the store's master key is being changed to "+st.Next.Fingerprint+", which is needed beside "+st.Fingerprint+" until `mooring keys rewrap` has ended: give it as --second-master-key")
	}
	for _, k := range given { // another process may change to it
		m.hold(k)
	}
	return m, nil
}

// take holds the key that a check was made with.
func (m *Master) take(ctx context.Context, check *csfle.MasterKeyCheck, given []csfle.MasterKey) (err error) {
	err = check.Verify(ctx, nil)
	for i, k := range given {
		failed := check.Verify(ctx, k)
		if failed == nil {
			m.hold(k)
			return nil
		}
		if i == 0 || !errs.Is(failed, errs.Invalid) { // that of the first names it; a service that is away says more than another key
			err = failed
		}
	}
	return err
}

func readState(ctx context.Context, f Facts) (raw []byte, st state, err error) {
	const op = "keys.state"
	if raw, err = f.Meta(ctx, checkName); err != nil {
		return nil, st, err
	}
	if raw == nil {
		return nil, st, errs.New(errs.NotFound, op, "the store has no master key yet")
	}
	if err := bson.Unmarshal(raw, &st); err != nil {
		return nil, st, errs.Wrap(err, errs.Corrupt, op, "the store's check value for its master key can't be read")
	}
	return raw, st, nil
}

// hold adds a key to those that unwrap.
func (m *Master) hold(k csfle.MasterKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.find(k.Fingerprint()) == nil {
		m.held = append(m.held, k)
		m.current = csfle.WithPrevious(m.held[0], m.held[1:]...)
	}
}

// holdOnly lets go of all keys but one.
func (m *Master) holdOnly(k csfle.MasterKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held, m.current = []csfle.MasterKey{k}, k
}

// find returns the key of a fingerprint, or nil. The lock is held.
func (m *Master) find(fingerprint string) csfle.MasterKey {
	for _, k := range m.held {
		if k.Fingerprint() == fingerprint {
			return k
		}
	}
	return nil
}

func (m *Master) all() csfle.MasterKey {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current
}

// Fingerprint implements csfle.MasterKey.
func (m *Master) Fingerprint() string { return m.all().Fingerprint() }

// Matches implements csfle.MasterKey.
func (m *Master) Matches(masterKey bson.Raw) bool { return m.all().Matches(masterKey) }

// Unwrap implements csfle.MasterKey.
func (m *Master) Unwrap(ctx context.Context, keyMaterial []byte, masterKey bson.Raw) ([]byte, error) {
	return m.all().Unwrap(ctx, keyMaterial, masterKey)
}

// Wrap implements csfle.MasterKey. It is errs.Conflict when the store has got a
// master key that this process was not given.
func (m *Master) Wrap(ctx context.Context, key []byte) ([]byte, bson.Raw, error) {
	_, st, err := readState(ctx, m.facts)
	if err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	k := m.find(st.wrapper())
	m.mu.Unlock()
	if k == nil {
		return nil, nil, errs.New(errs.Conflict, "keys.wrap", "the store's master key has become "+st.wrapper()+", which this process does not have: restart it with that key")
	}
	return k.Wrap(ctx, key)
}
