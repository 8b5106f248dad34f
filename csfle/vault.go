package csfle

import "context"

// KeyVault stores data key documents. Implementations are proven by package
// vaulttest. They are safe for concurrent use, keep documents as they are
// given (to the millisecond), and share no memory with their callers.
//
// A write that has returned is durable and seen by every read that follows.
// Failures other than those named are errs.Unavailable or, when the context
// has ended, what errs.KindOf makes of its error.
type KeyVault interface {
	// Get returns the key with this id, or errs.NotFound.
	Get(ctx context.Context, id KeyID) (KeyDocument, error)

	// GetByAltName returns the key with this alternate name, or errs.NotFound.
	GetByAltName(ctx context.Context, name string) (KeyDocument, error)

	// Insert adds a key. It is errs.AlreadyExists, and changes nothing, when
	// its id or its alternate name is taken; of several that race for one name
	// exactly one succeeds. A document that fails Validate or AltName is
	// errs.Invalid.
	Insert(ctx context.Context, doc KeyDocument) error

	// Replace sets KeyMaterial, MasterKey and UpdateDate of the key doc.ID to
	// those of doc, and nothing else, provided that its KeyMaterial is still
	// old; else it is errs.Conflict and changes nothing. A key that does not
	// exist is errs.NotFound, a document that fails Validate errs.Invalid.
	Replace(ctx context.Context, old []byte, doc KeyDocument) error

	// Delete removes the key for good and frees its name, or is errs.NotFound.
	Delete(ctx context.Context, id KeyID) error

	// List returns the keys whose alternate name begins with prefix and sorts
	// after the name after, in the order of the names' bytes, limit of them at
	// most. A page shorter than limit is the last. Prefix and after may be
	// empty; characters in them have no special meaning. A limit below 1 is
	// errs.Invalid.
	List(ctx context.Context, prefix, after string, limit int) ([]KeyDocument, error)
}
