package keys

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"mooring/csfle"
	"mooring/internal/connection"
	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/webhook"
)

// pass goes once through all that is sealed for an organization, and seals again
// what is not under one of its data keys.
type pass struct {
	s      *Service
	sealer *csfle.Sealer
	org    id.Org
	key    string // the data key's name

	resealed int
	broken   []string // the places of what can't be opened, under any key
}

// scan makes a pass. Every place that holds sealed values is visited here; a new
// one must be added, or its values are lost when the old key is retired:
// TestEveryPlaceOfSealedValuesIsKnown looks for them.
func (s *Service) scan(ctx context.Context, org id.Org, key string) (*pass, error) {
	p := &pass{s: s, sealer: csfle.NewSealer(s.Ring), org: org, key: key}
	err := pages(func(l store.Page) (store.List[connection.Connection], error) {
		return s.Store.Connections().List(ctx, org, connection.Filter{}, l)
	}, func(c connection.Connection) error { return p.connection(ctx, c) })
	if err != nil {
		return p, err
	}
	err = pages(func(l store.Page) (store.List[connection.Consent], error) {
		return s.Store.Consents().List(ctx, org, l)
	},
		func(c connection.Consent) error { return p.consent(ctx, c) })
	if err != nil {
		return p, err
	}
	return p, pages(func(l store.Page) (store.List[webhook.Webhook], error) { return s.Store.Webhooks().List(ctx, org, l) },
		func(w webhook.Webhook) error { return p.webhook(ctx, w) })
}

func (p *pass) connection(ctx context.Context, c connection.Connection) error {
	var sealed []bson.Binary
	for _, b := range c.Config.Secrets {
		sealed = append(sealed, b)
	}
	again, err := p.again(ctx, string(c.ID), sealed)
	if err == nil && again != nil {
		_, err = p.s.Store.Connections().Update(ctx, p.org, c.ID, func(cur *connection.Connection) error {
			connection.Reseal(cur, again, p.s.Now())
			return nil
		})
	}
	if err != nil {
		return err
	}
	return p.tokens(ctx, c.ID)
}

func (p *pass) tokens(ctx context.Context, conn id.Connection) error {
	t, err := p.s.Store.Tokens().Get(ctx, p.org, conn)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var sealed []bson.Binary
	for _, b := range []*bson.Binary{t.Access, t.Refresh} {
		if b != nil {
			sealed = append(sealed, *b)
		}
	}
	again, err := p.again(ctx, string(conn)+" tokens", sealed)
	if err != nil || again == nil {
		return err
	}
	_, err = p.s.Store.Tokens().Update(ctx, p.org, conn, func(cur *connection.Tokens) error {
		cur.Reseal(again, p.s.Now())
		return nil
	})
	return unlessGone(err)
}

func (p *pass) consent(ctx context.Context, c connection.Consent) error {
	if c.Verifier == nil {
		return nil
	}
	again, err := p.again(ctx, "consent "+c.ID, []bson.Binary{*c.Verifier})
	if err != nil || again == nil {
		return err
	}
	_, err = p.s.Store.Consents().Update(ctx, p.org, c.ID, func(cur *connection.Consent) error {
		if cur.Verifier != nil {
			if next, ok := again(*cur.Verifier); ok {
				cur.Verifier = &next
			}
		}
		return nil
	})
	return unlessGone(err)
}

func (p *pass) webhook(ctx context.Context, w webhook.Webhook) error {
	var sealed []bson.Binary
	for _, s := range w.Secrets {
		sealed = append(sealed, s.Value)
	}
	again, err := p.again(ctx, string(w.ID), sealed)
	if err != nil || again == nil {
		return err
	}
	_, err = p.s.Store.Webhooks().Update(ctx, p.org, w.ID, func(cur *webhook.Webhook) error {
		for i, s := range cur.Secrets {
			if next, ok := again(s.Value); ok {
				cur.Secrets[i].Value = next
			}
		}
		return nil
	})
	return unlessGone(err)
}

// again seals values again that are not under the key, ahead of the update, which
// may be run more than once. It returns nil when there is nothing to do.
func (p *pass) again(ctx context.Context, place string, sealed []bson.Binary) (connection.Again, error) {
	next := map[string]bson.Binary{}
	for _, old := range sealed {
		b, changed, err := p.sealer.Reseal(ctx, p.org, p.key, old)
		switch {
		case errs.Is(err, errs.Corrupt), errs.Is(err, errs.NotFound): // lost already
			p.broken = append(p.broken, place)
		case err != nil:
			return nil, errs.Wrap(err, errs.Internal, "keys.reseal", "what "+place+" holds can't be sealed again")
		case changed:
			next[string(old.Data)] = b
		}
	}
	if len(next) == 0 {
		return nil, nil
	}
	p.resealed += len(next)
	return func(old bson.Binary) (bson.Binary, bool) {
		b, ok := next[string(old.Data)]
		return b, ok
	}, nil
}

func unlessGone(err error) error {
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	return err
}
