package keys

import (
	"context"
	"strings"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/id"
)

// Inventory is every key of a store, without any secret.
type Inventory struct {
	MasterKey string      `json:"master_key"`                // its fingerprint
	Next      string      `json:"next_master_key,omitempty"` // what it is being changed to
	Keys      []DataKey   `json:"data_keys"`
	Destroyed []Forgotten `json:"destroyed"`
}

// Forgotten is an organization whose keys were destroyed.
type Forgotten struct {
	Org  id.Org        `json:"organization"`
	At   time.Time     `json:"destroyed_at"`
	Keys []csfle.KeyID `json:"keys"`
}

// States of a data key.
const (
	Current = "current"
	Old     = "old"    // a rotation that was cut off left it
	Next    = "next"   // a rotation that was cut off has not begun to use it
	Unknown = "orphan" // of no organization of this store
)

// DataKey is one key of the vault.
type DataKey struct {
	Org       id.Org      `json:"organization"`
	OrgName   string      `json:"organization_name"`
	Name      string      `json:"name"`
	ID        csfle.KeyID `json:"key_id"`
	State     string      `json:"state"`
	WrappedBy string      `json:"wrapped_by"` // the kind of master key, and what it is called in its key service
	CreatedAt time.Time   `json:"created_at"`
	UpdatedAt time.Time   `json:"updated_at"` // when it was wrapped last
}

// List returns all keys, in order of their names.
func (s *Service) List(ctx context.Context) (Inventory, error) {
	_, st, err := readState(ctx, s.System)
	if err != nil {
		return Inventory{}, err
	}
	out := Inventory{MasterKey: st.Fingerprint, Keys: []DataKey{}, Destroyed: []Forgotten{}}
	if st.Next != nil {
		out.Next = st.Next.Fingerprint
	}
	list, err := ListDestroyed(ctx, s.System)
	if err != nil {
		return out, err
	}
	for _, d := range list {
		out.Destroyed = append(out.Destroyed, Forgotten(d))
	}
	var org access.Organization
	for after := ""; ; {
		page, err := s.Store.KeyVault().List(ctx, "", after, mostKeys)
		if err != nil {
			return out, err
		}
		for _, doc := range page {
			k, err := s.describe(ctx, doc, &org)
			if err != nil {
				return out, err
			}
			after, out.Keys = k.Name, append(out.Keys, k)
		}
		if len(page) < mostKeys {
			return out, nil
		}
	}
}

// describe describes a key. org is the organization of the one before.
func (s *Service) describe(ctx context.Context, doc csfle.KeyDocument, org *access.Organization) (DataKey, error) {
	name, err := doc.AltName()
	if err != nil {
		return DataKey{}, err
	}
	owner, _, _ := strings.Cut(name, "/")
	if string(org.ID) != owner {
		*org, err = s.Store.Organizations().Get(ctx, id.Org(owner), id.Org(owner))
		if err != nil && !errs.Is(err, errs.NotFound) {
			return DataKey{}, err
		}
	}
	k := DataKey{Org: id.Org(owner), Name: name, ID: doc.ID, State: Unknown, WrappedBy: doc.MasterKeyName(), CreatedAt: doc.CreationDate, UpdatedAt: doc.UpdateDate}
	if string(org.ID) == owner {
		n := number(doc, org.ID)
		k.OrgName = org.Name
		switch current := max(org.DataKey, 1); {
		case n == current:
			k.State = Current
		case n > 0 && n < current:
			k.State = Old
		case n > current:
			k.State = Next
		}
	}
	return k, nil
}
