// Package vault seals the secrets of an organization under its current data key.
package vault

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/secret"
)

// Sealer seals and opens secrets; *csfle.Sealer is one.
type Sealer interface {
	Seal(ctx context.Context, keyName string, b csfle.Binding, v secret.String) (bson.Binary, error)
	Open(ctx context.Context, b csfle.Binding, sealed bson.Binary) (secret.String, error)
	EnsureKey(ctx context.Context, org id.Org, n int) (csfle.KeyID, error)
}

// Organizations tell which data key is current; store.Organizations are.
type Organizations interface {
	Get(ctx context.Context, org id.Org, self id.Org) (access.Organization, error)
}

// Vault is safe for concurrent use.
type Vault struct {
	Sealer        Sealer
	Organizations Organizations
}

// Seal seals a secret for its place and use under the current data key of the
// binding's organization, which it makes when there is none yet.
func (v Vault) Seal(ctx context.Context, b csfle.Binding, s secret.String) (bson.Binary, error) {
	const op = "vault.seal"
	o, err := v.Organizations.Get(ctx, b.Org, b.Org)
	if err != nil {
		return bson.Binary{}, errs.Wrap(err, errs.Internal, op, "the organization's data key can't be told")
	}
	if o.KeysDestroyedAt != nil {
		return bson.Binary{}, errs.New(errs.Conflict, op, "the keys of this organization were destroyed: it can keep no secrets any more")
	}
	n := max(o.DataKey, 1)
	if _, err := v.Sealer.EnsureKey(ctx, b.Org, n); err != nil {
		return bson.Binary{}, errs.Wrap(err, errs.Internal, op, "the organization's data key can't be used")
	}
	out, err := v.Sealer.Seal(ctx, csfle.KeyName(b.Org, n), b, s)
	return out, errs.Wrap(err, errs.Internal, op, b.Field+" can't be sealed")
}

// Open opens what was sealed for exactly this place and use. What can't be
// opened, also because its data key is gone, is errs.Corrupt.
func (v Vault) Open(ctx context.Context, b csfle.Binding, sealed bson.Binary) (secret.String, error) {
	s, err := v.Sealer.Open(ctx, b, sealed)
	if errs.Is(err, errs.NotFound) { // no resource that a client asked for
		err = errs.New(errs.Corrupt, "vault.open", "its data key is gone")
	}
	return s, err
}
