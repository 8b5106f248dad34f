package keys

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"sync"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/id"
)

// Rotated is what Rotate did.
type Rotated struct {
	Org      id.Org   `json:"organization"`
	Key      string   `json:"key"` // the name of the current data key
	Resumed  bool     `json:"resumed"`
	Resealed int      `json:"resealed"`
	Retired  []string `json:"retired"`          // the names of the keys that are gone
	Broken   []string `json:"broken,omitempty"` // what could not be opened before either, and stays so
}

// Rotate gives an organization another data key, seals everything again under
// it and deletes the old one. It takes two lifetimes of the cache: one until nobody
// seals under the old key any more, one until nobody holds what it sealed. While
// a rotation that was cut off has left an old key, the call goes on with that
// one and makes no other.
func (s *Service) Rotate(ctx context.Context, org id.Org) (Rotated, error) {
	out := Rotated{Org: org}
	o, err := s.Store.Organizations().Get(ctx, org, org)
	if err != nil {
		return out, err
	}
	old, err := s.older(ctx, o)
	if err != nil {
		return out, err
	}
	if out.Resumed = len(old) > 0; !out.Resumed {
		if o, err = s.advance(ctx, o); err != nil {
			return out, err
		}
	}
	out.Key = csfle.KeyName(org, o.DataKey)
	if err := s.settle(ctx); err != nil { // who has read the organization before seals under the old key
		return out, err
	}
	for found := true; found; {
		if err := s.resealAll(ctx, org, &out); err != nil {
			return out, err
		}
		if err := s.settle(ctx); err != nil { // who has read a value before opens it with the old key
			return out, err
		}
		last, err := s.scan(ctx, org, out.Key)
		if err != nil {
			return out, err
		}
		out.Resealed, out.Broken, found = out.Resealed+last.resealed, last.broken, last.resealed > 0
	}
	return out, s.retire(ctx, o, &out)
}

// older returns the organization's data keys before its current one.
func (s *Service) older(ctx context.Context, o access.Organization) (old []csfle.KeyDocument, err error) {
	all, err := s.dataKeys(ctx, o.ID)
	for _, k := range all {
		if n := number(k, o.ID); n > 0 && n < max(o.DataKey, 1) {
			old = append(old, k)
		}
	}
	return old, err
}

func (s *Service) dataKeys(ctx context.Context, org id.Org) ([]csfle.KeyDocument, error) {
	return s.Store.KeyVault().List(ctx, string(org)+"/", "", mostKeys)
}

// mostKeys is more than an organization ever has at once: a rotation that ends leaves one.
const mostKeys = 1000

// number returns the n of a data key <org>/<n>, 0 for one of another name.
func number(k csfle.KeyDocument, org id.Org) int {
	name, err := k.AltName()
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimPrefix(name, string(org)+"/"))
	if err != nil {
		return 0
	}
	return n
}

// advance makes the next data key and makes it current.
func (s *Service) advance(ctx context.Context, o access.Organization) (access.Organization, error) {
	from, now := max(o.DataKey, 1), s.Now()
	if err := alive(o); err != nil {
		return o, err
	}
	made, err := csfle.NewSealer(s.Ring).EnsureKey(ctx, o.ID, from+1)
	if err != nil {
		return o, err
	}
	next, err := s.Store.Organizations().Update(ctx, o.ID, o.ID, func(cur *access.Organization) error {
		if err := alive(*cur); err != nil {
			return err
		}
		if max(cur.DataKey, 1) != from { // another call was faster, and this one goes on with its key
			return nil
		}
		cur.DataKey, cur.UpdatedAt = from+1, now
		cur.Outbox.Note(now, audit.System(), audit.DataKeyRotated, audit.Organization, string(o.ID), true,
			map[string]any{"data_key": []any{csfle.KeyName(o.ID, from), csfle.KeyName(o.ID, from+1)}})
		return nil
	})
	if errs.Is(err, errs.Conflict) { // shredded meanwhile
		if gone := s.Ring.DestroyKeys(ctx, made); gone != nil {
			return o, gone
		}
	}
	return next, err
}

func alive(o access.Organization) error {
	if o.KeysDestroyedAt != nil {
		return errs.New(errs.Conflict, "keys", "the keys of organization "+string(o.ID)+" were destroyed")
	}
	return nil
}

// resealAll makes passes until one finds nothing to do.
func (s *Service) resealAll(ctx context.Context, org id.Org, out *Rotated) error {
	for {
		p, err := s.scan(ctx, org, out.Key)
		out.Resealed += p.resealed
		if err != nil || p.resealed == 0 {
			return err
		}
	}
}

// retire deletes the old keys, under which nothing is any more.
func (s *Service) retire(ctx context.Context, o access.Organization, out *Rotated) error {
	old, err := s.older(ctx, o)
	if err != nil || len(old) == 0 {
		return err
	}
	var ids []csfle.KeyID
	for _, k := range old {
		ids, out.Retired = append(ids, k.ID), append(out.Retired, k.AltNames[0])
	}
	now := s.Now()
	_, err = s.Store.Organizations().Update(ctx, o.ID, o.ID, func(cur *access.Organization) error {
		cur.UpdatedAt = now
		cur.Outbox.Note(now, audit.System(), audit.DataKeyRetired, audit.Organization, string(o.ID), true,
			map[string]any{"data_keys": out.Retired, "resealed": out.Resealed})
		return nil
	})
	if err != nil {
		return err
	}
	return s.Ring.DestroyKeys(ctx, ids...)
}

// RotateAll is Rotate for all organizations whose keys were not destroyed, some
// at once, since most of it is waiting. It goes on after a failure, and returns
// the first.
func (s *Service) RotateAll(ctx context.Context) (all []Rotated, failed error) {
	var after id.Org
	for {
		page, err := s.System.Organizations(ctx, after, rotateAtOnce)
		if err != nil || len(page) == 0 {
			return all, cmp.Or(failed, err)
		}
		results, errors := make([]Rotated, len(page)), make([]error, len(page))
		var running sync.WaitGroup
		for i, o := range page {
			if after = o.ID; o.KeysDestroyedAt == nil {
				running.Go(func() { results[i], errors[i] = s.Rotate(ctx, o.ID) })
			}
		}
		running.Wait()
		for i, r := range results {
			if r.Org != "" && errors[i] == nil {
				all = append(all, r)
			}
			failed = cmp.Or(failed, errors[i])
		}
	}
}

const rotateAtOnce = 50
