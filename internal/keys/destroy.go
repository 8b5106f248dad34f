package keys

import (
	"context"
	"time"

	"mooring/csfle"
	"mooring/internal/access"
	"mooring/internal/audit"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/webhook"
)

// Shredded is what Destroy did.
type Shredded struct {
	Org         id.Org        `json:"organization"`
	Keys        []csfle.KeyID `json:"keys"`
	Connections int           `json:"connections"` // that were archived
}

// Destroy shreds an organization, whose name must be given as a confirmation:
// what was ever sealed for it can't be opened any more, here at once, by other
// processes when their caches have expired, which the call waits for. Its
// connections are archived and its webhooks disabled; other records and the audit
// trail stay. Nothing is sealed for it ever again.
func (s *Service) Destroy(ctx context.Context, org id.Org, name string) (Shredded, error) {
	out := Shredded{Org: org}
	o, err := s.Store.Organizations().Get(ctx, org, org)
	if err != nil {
		return out, err
	}
	if o.Name != name {
		return out, errs.New(errs.Invalid, "keys.destroy", "this destroys all credentials of the organization and can't be undone: confirm it with the organization's name")
	}
	at := s.Now()
	o, err = s.Store.Organizations().Update(ctx, org, org, func(cur *access.Organization) error {
		if cur.KeysDestroyedAt != nil {
			return nil
		}
		cur.KeysDestroyedAt, cur.UpdatedAt = &at, at
		cur.Outbox.Note(at, audit.System(), audit.DataKeysDestroyed, audit.Organization, string(org), true, nil)
		return nil
	})
	if err != nil {
		return out, err
	}
	if err := s.shred(ctx, o, &out); err != nil {
		return out, err
	}
	if err := s.end(ctx, org, &out); err != nil {
		return out, err
	}
	if err := s.settle(ctx); err != nil { // who read the organization before may have made a key
		return out, err
	}
	return out, s.shred(ctx, o, &out)
}

// shred notes and deletes the data keys that there are.
func (s *Service) shred(ctx context.Context, o access.Organization, out *Shredded) error {
	note := func(ctx context.Context, ids []csfle.KeyID) error {
		return NoteDestroyed(ctx, s.System, Destroyed{Org: o.ID, At: *o.KeysDestroyedAt, Keys: ids})
	}
	if err := note(ctx, nil); err != nil { // also an organization that never sealed anything
		return err
	}
	gone, err := csfle.NewSealer(s.Ring).DestroyOrg(ctx, o.ID, note)
	out.Keys = append(out.Keys, gone...)
	return err
}

// end keeps anybody from trying what can't be opened any more.
func (s *Service) end(ctx context.Context, org id.Org, out *Shredded) error {
	err := pages(func(p store.Page) (store.List[connection.Connection], error) {
		return s.Store.Connections().List(ctx, org, connection.Filter{}, p)
	}, func(c connection.Connection) error { return s.endConnection(ctx, c, out) })
	if err != nil {
		return err
	}
	if err := s.Store.Consents().Sweep(ctx, org, time.UnixMilli(1<<52)); err != nil { // all, whenever they expire
		return err
	}
	return pages(func(p store.Page) (store.List[webhook.Webhook], error) { return s.Store.Webhooks().List(ctx, org, p) },
		func(w webhook.Webhook) error { return s.endWebhook(ctx, w) })
}

func (s *Service) endConnection(ctx context.Context, c connection.Connection, out *Shredded) error {
	if c.Status != connection.Archived || len(c.Config.Secrets) > 0 {
		archived := false
		_, err := s.Store.Connections().Update(ctx, c.Org, c.ID, func(cur *connection.Connection) error {
			archived = cur.Status != connection.Archived
			return connection.Shred(cur, audit.System(), s.Now())
		})
		if err != nil {
			return err
		}
		if archived {
			out.Connections++
		}
	}
	return s.Store.Tokens().Remove(ctx, c.Org, c.ID)
}

func (s *Service) endWebhook(ctx context.Context, w webhook.Webhook) error {
	_, err := s.Store.Webhooks().Update(ctx, w.Org, w.ID, func(cur *webhook.Webhook) error {
		if cur.Status == webhook.Disabled {
			return nil
		}
		cur.Status, cur.StatusReason, cur.UpdatedAt = webhook.Disabled, "the organization's keys were destroyed", s.Now()
		return nil
	})
	return unlessGone(err)
}

// Resume ends what was begun of destroying organizations: by a call that was cut
// off, or by a restore that applied the list of destroyed keys to an older state.
func (s *Service) Resume(ctx context.Context) error {
	list, err := ListDestroyed(ctx, s.System)
	if err != nil {
		return err
	}
	for _, d := range list {
		o, err := s.Store.Organizations().Get(ctx, d.Org, d.Org)
		if errs.Is(err, errs.NotFound) { // the backup is older than it
			continue
		}
		if err != nil {
			return err
		}
		left, err := s.dataKeys(ctx, d.Org)
		if err != nil {
			return err
		}
		if o.KeysDestroyedAt != nil && len(left) == 0 {
			continue
		}
		if _, err := s.Destroy(ctx, d.Org, o.Name); err != nil {
			return err
		}
	}
	return nil
}
