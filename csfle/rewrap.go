package csfle

import (
	"context"
	"crypto/subtle"
	"time"

	"mooring/internal/errs"
)

// RewrapResult says what RewrapAll found.
type RewrapResult struct {
	Rewrapped int     // keys that this call wrapped anew
	Already   int     // keys that were wrapped by the new master key before it
	Failed    []KeyID // keys that can't be unwrapped, left as they are
}

const rewrapPage = 100

// RewrapAll wraps every key of the vault under another master key. The data
// keys themselves, and what is sealed under them, stay as they are: against a
// data key that leaked it does not help. Back the vault up first.
//
// The Keyring's own master key must open what either of the two wrapped and
// wrap new keys with to, from before the call on, as WithPrevious does; then
// the Keyring keeps working meanwhile. The vault is gone through until a pass
// finds nothing left, so keys that others create under the old master key
// during the call are wrapped anew too.
//
// An interrupted call is resumed by calling again: finished keys are recognized.
// A key is replaced only if nobody replaced it meanwhile, and only after its
// new wrapping was opened again. Keys that no master key opens are listed in
// Failed, and the error is then errs.Corrupt; the rest is done all the same.
func (k *Keyring) RewrapAll(ctx context.Context, to MasterKey) (RewrapResult, error) {
	const op = "csfle.rewrap"
	k.creating.Lock()   // keys that were wrapped before the call are in the vault then
	k.creating.Unlock() //nolint:staticcheck // nothing is guarded: it is a barrier

	var total RewrapResult
	for first := true; ; first = false {
		pass, err := k.rewrapPass(ctx, k.master, to)
		if first {
			total.Already = pass.Already
		}
		total.Rewrapped += pass.Rewrapped
		total.Failed = pass.Failed
		switch {
		case err != nil:
			return total, wrap(err, op, "not every data key was wrapped anew: run it again")
		case pass.Rewrapped > 0:
			continue
		case len(pass.Failed) > 0:
			return total, errs.New(errs.Corrupt, op, "data key "+pass.Failed[0].String()+" and perhaps others can't be unwrapped by either master key")
		}
		return total, nil
	}
}

func (k *Keyring) rewrapPass(ctx context.Context, from, to MasterKey) (r RewrapResult, err error) {
	for after := ""; ; {
		page, err := k.vault.List(ctx, "", after, rewrapPage)
		if err != nil {
			return r, err
		}
		for _, doc := range page {
			changed, err := k.rewrapOne(ctx, from, to, doc)
			switch {
			case errs.Is(err, errs.NotFound): // destroyed meanwhile
			case errs.Is(err, errs.Corrupt):
				r.Failed = append(r.Failed, doc.ID)
			case err != nil:
				return r, err
			case changed:
				r.Rewrapped++
			default:
				r.Already++
			}
		}
		if len(page) < rewrapPage {
			return r, nil
		}
		if after, err = page[len(page)-1].AltName(); err != nil {
			return r, err
		}
	}
}

// rewrapOne brings one key under the new master key. It reads the key again
// when somebody else replaced it first.
func (k *Keyring) rewrapOne(ctx context.Context, from, to MasterKey, doc KeyDocument) (changed bool, err error) {
	for {
		next, err := rewrapped(ctx, from, to, doc)
		if err != nil || next == nil {
			return false, err
		}
		next.UpdateDate = k.now().UTC().Truncate(time.Millisecond)
		err = k.vault.Replace(ctx, doc.KeyMaterial, *next)
		if !errs.Is(err, errs.Conflict) {
			return err == nil, err
		}
		if doc, err = k.vault.Get(ctx, doc.ID); err != nil {
			return false, err
		}
	}
}

// rewrapped returns doc wrapped by to, or nil when to wrapped it already.
func rewrapped(ctx context.Context, from, to MasterKey, doc KeyDocument) (*KeyDocument, error) {
	if to.Matches(doc.MasterKey) {
		key, err := unwrapKey(ctx, to, doc)
		clear(key)
		if err == nil || !errs.Is(err, errs.Corrupt) {
			return nil, err
		}
	}
	key, err := unwrapKey(ctx, from, doc)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	next := doc
	if next.KeyMaterial, next.MasterKey, err = to.Wrap(ctx, key); err != nil {
		return nil, err
	}
	again, err := unwrapKey(ctx, to, next)
	defer clear(again)
	if err == nil && subtle.ConstantTimeCompare(key, again) != 1 {
		err = errs.New(errs.Internal, "csfle.rewrap", "the new master key does not return the data key it was given")
	} else if errs.Is(err, errs.Corrupt) {
		err = errs.New(errs.Internal, "csfle.rewrap", "the new master key can't open what it has just wrapped")
	}
	return &next, err
}
