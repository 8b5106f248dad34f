// Package service manages webhooks and sends them their messages.
package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring/csfle"
	"mooring/internal/audit"
	"mooring/internal/errs"
	"mooring/internal/event"
	"mooring/internal/id"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/webhook"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Vault seals secrets for their place; *vault.Vault is one.
type Vault interface {
	Seal(ctx context.Context, b csfle.Binding, s secret.String) (bson.Binary, error)
	Open(ctx context.Context, b csfle.Binding, sealed bson.Binary) (secret.String, error)
}

// Service is safe for concurrent use.
type Service struct {
	Store store.Store
	Vault Vault
	// Client is guarded. Redirects are not followed.
	Client *http.Client
	Now    func() time.Time
	// Allowed reports why an address may not be sent to; nil: all may. The
	// guarded transport decides again at each delivery.
	Allowed func(ctx context.Context, host string) error
	Wake    func() // the deliverer; nil: it finds out by itself

	creating sync.Mutex // from counting to inserting
}

// MaxWebhooks of an organization.
const MaxWebhooks = 100

// overlap is how long a secret that was rotated out goes on signing.
const overlap = 24 * time.Hour

// Draft is what a webhook is made of, or changed to: nil leaves as it is.
type Draft struct {
	URL         *string
	Description *string
	Types       *[]string
	Bucket      *id.Bucket
	Connection  *id.Connection
	Enabled     *bool
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// Create makes a webhook that is sent what happens from now on, and the secret
// that its messages are signed with, which is not shown again.
func (s *Service) Create(ctx context.Context, org id.Org, by audit.Actor, user string, d Draft) (webhook.Webhook, secret.String, error) {
	var none webhook.Webhook
	if err := s.check(ctx, d); err != nil {
		return none, secret.String{}, err
	}
	if err := s.room(ctx, org, MaxWebhooks-1); err != nil {
		return none, secret.String{}, err
	}
	last, err := s.Store.Events().Last(ctx, org)
	if err != nil {
		return none, secret.String{}, err
	}
	now := s.now()
	w := webhook.Webhook{
		ID: id.NewWebhook(), Org: org, Status: webhook.Active, Position: last, RetryAt: now, Types: []string{},
		CreatedAt: now, UpdatedAt: now, CreatedBy: user,
	}
	apply(&w, d, now)
	plain, sealed, err := s.newSecret(ctx, org, w.ID)
	if err != nil {
		return none, secret.String{}, err
	}
	w.Secrets = []webhook.Secret{{Value: sealed}}
	note(&w, by, audit.WebhookCreated, now, map[string]any{"url": []any{nil, shown(w.URL)}, "event_types": []any{nil, w.Types}})
	w, err = s.insert(ctx, org, by, w)
	return w, plain, err
}

// room refuses when there are more webhooks than most.
func (s *Service) room(ctx context.Context, org id.Org, most int) error {
	have, err := s.Store.Webhooks().List(ctx, org, store.Page{Limit: most + 1})
	if err == nil && len(have.Items) > most {
		err = errs.New(errs.Conflict, "webhook.create", "there are "+strconv.Itoa(MaxWebhooks)+" webhooks: delete one first")
	}
	return err
}

// insert adds a webhook if it is not one too many. What another process inserts
// at the same moment shows after it: then each that finds too many takes its own
// back, so that the limit holds whoever is faster.
func (s *Service) insert(ctx context.Context, org id.Org, by audit.Actor, w webhook.Webhook) (webhook.Webhook, error) {
	s.creating.Lock()
	defer s.creating.Unlock()
	if err := s.room(ctx, org, MaxWebhooks-1); err != nil {
		return webhook.Webhook{}, err
	}
	w, err := s.Store.Webhooks().Insert(ctx, org, w)
	if err != nil {
		return webhook.Webhook{}, err
	}
	if err := s.room(ctx, org, MaxWebhooks); err != nil {
		return webhook.Webhook{}, errors.Join(err, s.Delete(context.WithoutCancel(ctx), org, by, w.ID))
	}
	return w, nil
}

func (s *Service) newSecret(ctx context.Context, org id.Org, w id.Webhook) (secret.String, bson.Binary, error) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	plain := webhook.NewSecret(random)
	sealed, err := s.Vault.Seal(ctx, binding(org, w), plain)
	return plain, sealed, err
}

// binding is the place of a webhook's secrets. Their use is signing, wherever
// the messages go.
func binding(org id.Org, w id.Webhook) csfle.Binding {
	return csfle.Binding{Org: org, Record: string(w), Field: "secrets", Use: csfle.UseDigest("webhook signature")}
}

// check refuses what can't be right, with the path of each field.
func (s *Service) check(ctx context.Context, d Draft) error {
	at := errs.NewFields("body")
	if d.URL != nil {
		u, err := url.Parse(*d.URL)
		switch {
		case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Fragment != "":
			at.Add("value_error", "must be an http or https URL", "url")
		case u.User != nil:
			at.Add("value_error", "must not hold a user name or password: check the signature instead", "url")
		case s.Allowed != nil:
			if err := s.Allowed(ctx, u.Hostname()); err != nil {
				at.Add("value_error", errs.From(err).Message(), "url")
			}
		}
	}
	if d.Types != nil {
		for i, t := range *d.Types {
			if !known(t) {
				at.Add("value_error", "must be one of "+strings.Join(event.Types(), ", ")+", or a kind of them as object.*", "event_types", i)
			}
		}
	}
	return at.Err("webhook")
}

func known(typ string) bool {
	kind, all := strings.CutSuffix(typ, ".*")
	return slices.ContainsFunc(event.Types(), func(t string) bool { return t == typ || all && strings.HasPrefix(t, kind+".") })
}

// apply changes a webhook and returns what changed, for the trail.
func apply(w *webhook.Webhook, d Draft, now time.Time) map[string]any {
	changes := map[string]any{}
	if d.URL != nil && *d.URL != w.URL {
		changes["url"] = []any{shown(w.URL), shown(*d.URL)}
		w.URL, w.Failures, w.RetryAt = *d.URL, 0, now // how the other receiver fared says nothing of this one
	}
	if d.Description != nil && *d.Description != w.Description {
		changes["description"] = []any{w.Description, *d.Description}
		w.Description = *d.Description
	}
	if d.Types != nil && !slices.Equal(*d.Types, w.Types) {
		changes["event_types"] = []any{w.Types, *d.Types}
		w.Types = *d.Types
	}
	if d.Bucket != nil && *d.Bucket != w.Bucket {
		changes["bucket_id"] = []any{string(w.Bucket), string(*d.Bucket)}
		w.Bucket = *d.Bucket
	}
	if d.Connection != nil && *d.Connection != w.Connection {
		changes["connection_id"] = []any{string(w.Connection), string(*d.Connection)}
		w.Connection = *d.Connection
	}
	status := w.Status
	switch {
	case d.Enabled == nil:
	case !*d.Enabled && w.Status == webhook.Active:
		w.Status, w.StatusReason = webhook.Disabled, ""
	case *d.Enabled:
		w.Status, w.StatusReason, w.Failures, w.RetryAt = webhook.Active, "", 0, now
	}
	if status != w.Status {
		changes["status"] = []any{string(status), string(w.Status)}
	}
	return changes
}

// shown is an address without its query, which may hold a token.
func shown(address string) string {
	before, _, found := strings.Cut(address, "?")
	if found {
		return before + "?…"
	}
	return before
}

func note(w *webhook.Webhook, by audit.Actor, action string, now time.Time, changes map[string]any) {
	w.Outbox.Note(now, by, action, audit.Webhook, string(w.ID), true, changes)
}

// Update changes a webhook. Enabled true also wakes one that was parked; it
// goes on where it was, as far as the events are still kept; its status reason
// says where some are not.
func (s *Service) Update(ctx context.Context, org id.Org, by audit.Actor, w id.Webhook, d Draft) (webhook.Webhook, error) {
	if err := s.check(ctx, d); err != nil {
		return webhook.Webhook{}, err
	}
	kept, err := s.firstKept(ctx, org)
	if err != nil {
		return webhook.Webhook{}, err
	}
	now := s.now()
	out, err := s.Store.Webhooks().Update(ctx, org, w, func(w *webhook.Webhook) error {
		changes := apply(w, d, now)
		if _, turned := changes["status"]; turned && w.Status == webhook.Active && kept > w.Position+1 {
			w.StatusReason = fmt.Sprintf("the events %d to %d are no longer kept: those that it wanted were not sent", w.Position+1, kept-1)
			changes["status_reason"] = []any{"", w.StatusReason}
		}
		if len(changes) > 0 {
			w.UpdatedAt = now
			note(w, by, audit.WebhookUpdated, now, changes)
		}
		return nil
	})
	s.wake()
	return out, err
}

// firstKept is the sequence of the first event that is still kept, or will be.
func (s *Service) firstKept(ctx context.Context, org id.Org) (int64, error) {
	last, err := s.Store.Events().Last(ctx, org)
	if err != nil {
		return 0, err
	}
	list, err := s.Store.Events().List(ctx, org, 0, 1)
	if err != nil || len(list) == 0 {
		return last + 1, err
	}
	return list[0].Sequence, nil
}

func (s *Service) wake() {
	if s.Wake != nil {
		s.Wake()
	}
}

// Rotate gives a webhook another secret. For a day the one before signs too, so
// that receivers can change over.
func (s *Service) Rotate(ctx context.Context, org id.Org, by audit.Actor, w id.Webhook) (webhook.Webhook, secret.String, error) {
	plain, sealed, err := s.newSecret(ctx, org, w)
	if err != nil {
		return webhook.Webhook{}, secret.String{}, err
	}
	now := s.now()
	out, err := s.Store.Webhooks().Update(ctx, org, w, func(w *webhook.Webhook) error {
		until := now.Add(overlap)
		kept := w.Live(now)
		for i := range kept {
			if kept[i].ExpiresAt == nil {
				kept[i].ExpiresAt = &until
			}
		}
		w.Secrets = append([]webhook.Secret{{Value: sealed}}, kept[:min(len(kept), 2)]...)
		w.UpdatedAt = now
		note(w, by, audit.WebhookUpdated, now, map[string]any{"secret": []any{secret.Marker, secret.Marker}})
		return nil
	})
	return out, plain, err
}

// Delete ends a webhook.
func (s *Service) Delete(ctx context.Context, org id.Org, by audit.Actor, w id.Webhook) error {
	now := s.now()
	if _, err := s.Store.Webhooks().Update(ctx, org, w, func(w *webhook.Webhook) error {
		w.Status, w.UpdatedAt = webhook.Disabled, now
		note(w, by, audit.WebhookDeleted, now, map[string]any{"url": []any{shown(w.URL), nil}})
		return nil
	}); err != nil {
		return err
	}
	return s.Store.Webhooks().Remove(ctx, org, w)
}

// Test sends a message to a webhook now, whatever its state, and returns the
// status of the answer (0: none) and a sentence about it.
func (s *Service) Test(ctx context.Context, w webhook.Webhook, m event.Message) (status int, message string, err error) {
	var secrets []secret.String
	for _, x := range w.Live(s.Now()) {
		plain, err := s.Vault.Open(ctx, binding(w.Org, w.ID), x.Value)
		if err != nil {
			return 0, "", err
		}
		secrets = append(secrets, plain)
	}
	r := deliver(ctx, s.Client, w, secrets, m, s.Now())
	if r.ok() {
		return r.status, "the receiver took the event", nil
	}
	return r.status, r.text(), nil
}

// Redeliver has deliveries sent again now, whether they wait for their time or
// are parked: those named, or all. errs.Conflict: nothing is sent to the webhook.
func (s *Service) Redeliver(ctx context.Context, org id.Org, w id.Webhook, messages []string) (n int, err error) {
	now := s.now()
	if _, err := s.Store.Webhooks().Update(ctx, org, w, func(w *webhook.Webhook) error {
		if w.Status != webhook.Active {
			return errs.New(errs.Conflict, "webhook.redeliver", "the webhook is "+string(w.Status)+" and is sent nothing: enable it first")
		}
		w.RetryAt = now
		return nil
	}); err != nil {
		return 0, err
	}
	defer s.wake()
	for _, m := range messages {
		if err := s.again(ctx, org, webhook.DeliveryID(w, m)); err != nil {
			return n, err
		}
		n++
	}
	if len(messages) > 0 {
		return n, nil
	}
	for p := (store.Page{Limit: 500}); ; {
		list, err := s.Store.Deliveries().List(ctx, org, w, "", p)
		if err != nil {
			return n, err
		}
		for _, d := range list.Items {
			err := s.again(ctx, org, d.ID)
			if errs.Is(err, errs.NotFound) { // it was taken meanwhile
				continue
			}
			if err != nil {
				return n, err
			}
			n++
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			return n, nil
		}
	}
}

func (s *Service) again(ctx context.Context, org id.Org, delivery string) error {
	now := s.now()
	_, err := s.Store.Deliveries().Update(ctx, org, delivery, func(d *webhook.Delivery) error {
		d.State, d.Attempts, d.NextAt, d.UpdatedAt = webhook.DeliveryPending, 0, &now, now
		return nil
	})
	return err
}
