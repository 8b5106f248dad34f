package sqlite

import (
	"context"

	"mooring/internal/errs"
	"mooring/internal/id"
)

type atomKey struct {
	org  id.Org
	name string
}

// findAtom returns the number of a text of an organization, if it has one. A
// text without a number has no rows.
func (s *Store) findAtom(ctx context.Context, org id.Org, name string) (n int64, known bool, err error) {
	k := atomKey{org, name}
	if v, ok := s.atoms.Load(k); ok {
		return v.(int64), true, nil
	}
	known, err = s.row(ctx, "store.atom", "SELECT n FROM atoms WHERE org = ? AND name = ?", []any{string(org), name}, &n)
	if err == nil && known {
		s.atoms.Store(k, n)
	}
	return n, known, err
}

// atom is findAtom, but gives a number to a text that has none.
func (s *Store) atom(ctx context.Context, org id.Org, name string) (int64, error) {
	if org == "" || name == "" {
		return 0, errs.New(errs.Invalid, "store.atom", "rows need an organization and the ids of what they belong to")
	}
	n, known, err := s.findAtom(ctx, org, name)
	if err != nil || known {
		return n, err
	}
	err = s.w.write(ctx, "store.atom", bulk, func(t *tx) error {
		if _, err := t.exec("INSERT INTO atoms (org, name) VALUES (?, ?) ON CONFLICT DO NOTHING", string(org), name); err != nil {
			return err
		}
		_, err := t.row("SELECT n FROM atoms WHERE org = ? AND name = ?", []any{string(org), name}, &n)
		return err
	})
	if err == nil {
		s.atoms.Store(atomKey{org, name}, n)
	}
	return n, err
}

// findAtoms is findAtom for several texts; known when all are.
func (s *Store) findAtoms(ctx context.Context, org id.Org, names ...string) (n []int64, known bool, err error) {
	n = make([]int64, len(names))
	for i, name := range names {
		if n[i], known, err = s.findAtom(ctx, org, name); err != nil || !known {
			return nil, false, err
		}
	}
	return n, true, nil
}

// makeAtoms is atom for several texts.
func (s *Store) makeAtoms(ctx context.Context, org id.Org, names ...string) ([]int64, error) {
	out := make([]int64, len(names))
	for i, name := range names {
		n, err := s.atom(ctx, org, name)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// atomName is the inverse of findAtom.
func (s *Store) atomName(ctx context.Context, org id.Org, n int64) (name string, err error) {
	if v, ok := s.atomNames.Load(n); ok {
		return v.(string), nil
	}
	found, err := s.row(ctx, "store.atom", "SELECT name FROM atoms WHERE n = ? AND org = ?", []any{n, string(org)}, &name)
	switch {
	case err != nil:
		return "", err
	case !found:
		return "", errs.New(errs.Corrupt, "store.atom", "a row belongs to nothing that is known")
	}
	s.atomNames.Store(n, name)
	return name, nil
}
