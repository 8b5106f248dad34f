package keys

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/errs"
)

// Rewrapped is what Rewrap did.
type Rewrapped struct {
	From      string   `json:"from"` // fingerprints
	To        string   `json:"to"`
	Rewrapped int      `json:"rewrapped"` // keys wrapped anew by this call
	Already   int      `json:"already"`   // keys that the new master key had wrapped before it
	Left      []string `json:"left,omitempty"`
}

// Rewrap gives the store another master key while all goes on. Every data key
// and the key of the audit trails are wrapped anew; what is sealed stays as it
// is. A call that was cut off goes on when it is repeated with the same key, and
// goes back with the key that the store had. skip ends it also when there are data
// keys that neither master key opens, which are lost anyway.
func (s *Service) Rewrap(ctx context.Context, to csfle.MasterKey, skip bool) (Rewrapped, error) {
	out := Rewrapped{To: to.Fingerprint()}
	from, err := s.announce(ctx, to)
	out.From = from
	if err != nil {
		return out, err
	}
	if err := s.rewrap(ctx, to, skip, &out); err != nil {
		return out, err
	}
	if s.Shared { // another process may have wrapped a new key before it saw the announcement
		if err := s.settle(ctx); err != nil {
			return out, err
		}
		if err := s.rewrap(ctx, to, skip, &out); err != nil {
			return out, err
		}
	}
	if err := rewrapChain(ctx, s.System, s.Master, to); err != nil {
		return out, err
	}
	return out, s.conclude(ctx, from, to)
}

func (s *Service) rewrap(ctx context.Context, to csfle.MasterKey, skip bool, out *Rewrapped) error {
	r, err := s.Ring.RewrapAll(ctx, to)
	if out.Rewrapped == 0 {
		out.Already = r.Already
	}
	out.Rewrapped, out.Left = out.Rewrapped+r.Rewrapped, nil
	for _, k := range r.Failed {
		out.Left = append(out.Left, k.String())
	}
	if skip && len(r.Failed) > 0 && errs.Is(err, errs.Corrupt) {
		err = nil
	}
	return err
}

// announce writes into the store that its master key is being changed, so that
// no process starts with one of the two keys alone, and every new data key is
// wrapped by the next. It returns the fingerprint of the key that is left.
func (s *Service) announce(ctx context.Context, to csfle.MasterKey) (from string, err error) {
	next, err := csfle.NewMasterKeyCheck(ctx, to)
	if err == nil {
		err = next.Verify(ctx, to) // a key that can't unwrap must not get anything
	}
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "keys.rewrap", "the new master key "+to.Fingerprint()+" can't be used")
	}
	for {
		raw, st, err := readState(ctx, s.System)
		if err != nil {
			return "", err
		}
		from, err := st.turn(next)
		if err != nil {
			return from, err
		}
		s.Master.hold(to)
		if from == "" {
			return st.Fingerprint, nil // announced already
		}
		if err := s.setState(ctx, raw, st); !errs.Is(err, errs.Conflict) {
			return from, err
		}
	}
}

// turn makes next the key that wraps. It returns the fingerprint of the other
// one, or "" when nothing is to be written.
func (s *state) turn(next csfle.MasterKeyCheck) (from string, err error) {
	switch {
	case s.Next == nil && next.Fingerprint == s.Fingerprint:
		return "", nil // concluded already, but there may be keys that were wrapped too late
	case s.Next == nil:
		s.Next = &next
		return s.Fingerprint, nil
	case s.Next.Fingerprint == next.Fingerprint:
		return "", nil
	case s.Fingerprint == next.Fingerprint: // back
		s.MasterKeyCheck, s.Next = *s.Next, &next
		return s.Fingerprint, nil
	}
	return s.Fingerprint, errs.New(errs.Conflict, "keys.rewrap", "the store's master key is being changed from "+s.Fingerprint+" to "+s.Next.Fingerprint+
		": end that first, or go back, by calling rewrap with one of the two")
}

// conclude makes the new key the store's only one.
func (s *Service) conclude(ctx context.Context, from string, to csfle.MasterKey) error {
	for {
		raw, st, err := readState(ctx, s.System)
		if err != nil {
			return err
		}
		switch {
		case st.Next == nil && st.Fingerprint == to.Fingerprint(): // another process was faster, or nothing was to do
			s.Master.holdOnly(to)
			return nil
		case st.Next == nil || st.Next.Fingerprint != to.Fingerprint():
			return errs.New(errs.Conflict, "keys.rewrap", "somebody else changes the master key to another one")
		}
		if err := s.noteMaster(ctx, from, to.Fingerprint()); err != nil {
			return err
		}
		st = state{MasterKeyCheck: *st.Next}
		if err := s.setState(ctx, raw, st); !errs.Is(err, errs.Conflict) {
			if err == nil {
				s.Master.holdOnly(to)
			}
			return err
		}
	}
}

func (s *Service) setState(ctx context.Context, old []byte, st state) error {
	raw, err := bson.Marshal(st)
	if err != nil {
		return err
	}
	return s.System.SetMeta(ctx, checkName, old, raw)
}

// noteMaster enters the change into the trail of the operator's organization,
// the first.
func (s *Service) noteMaster(ctx context.Context, from, to string) error {
	first, err := s.System.Organizations(ctx, "", 1)
	if err != nil || len(first) == 0 {
		return err
	}
	now, org := s.Now(), first[0].ID
	_, err = s.Store.Organizations().Update(ctx, org, org, func(o *access.Organization) error {
		o.UpdatedAt = now
		o.Outbox.Note(now, audit.System(), audit.MasterKeyChanged, audit.Organization, string(org), true, map[string]any{"master_key": []any{from, to}})
		return nil
	})
	return err
}
