package service

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"mooring/internal/errs"
	"mooring/internal/id"
	"mooring/internal/store"
	"mooring/internal/store/system"
)

// Deliverer sends messages, each at least once and in no promised order. Every
// webhook is served by itself: one that is slow or down delays no other.
type Deliverer struct {
	Store  store.Store
	System system.System
	Vault  Vault
	Client *http.Client // guarded, and without redirects
	Log    *slog.Logger
	Now    func() time.Time
	Poll   time.Duration // of the due queue, a second when 0
	// Claims are leases on webhooks, each of which is served by one process at a
	// time; nil: no other process works on this store.
	Claims store.Claims

	once    sync.Once
	wake    chan struct{}
	mu      sync.Mutex
	turns   int64
	waiting bool // some that are due were not taken, for want of a place
	serving map[id.Org]int
	hooks   map[id.Webhook]*attention
}

// attention is what a webhook had of this process.
type attention struct {
	served bool      // right now
	turn   int64     // the number of its last turn
	after  time.Time // nothing before: its last turn failed, for a fault of ours
}

const (
	maxServed  = 128        // webhooks at once
	maxOfOrg   = 16         // of one organization: slow receivers hold their places long
	maxDue     = 4096       // that are looked at for the next to serve
	maxKnown   = 2 * maxDue // that are remembered
	faultPause = time.Minute
)

func (d *Deliverer) init() {
	d.once.Do(func() {
		d.wake, d.serving, d.hooks = make(chan struct{}, 1), map[id.Org]int{}, map[id.Webhook]*attention{}
	})
}

// Wake looks at what is due now rather than at the next poll.
func (d *Deliverer) Wake() {
	d.init()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run sends what is due until ctx ends; what is being sent then is sent again.
func (d *Deliverer) Run(ctx context.Context) {
	d.init()
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { d.sweeping(ctx) })
	poll := time.NewTicker(either(d.Poll, time.Second))
	defer poll.Stop()
	for {
		due, err := d.System.DueWebhooks(ctx, d.Now(), maxDue)
		if err != nil && ctx.Err() == nil {
			d.Log.Error("reading which webhooks are due", "error", err)
		}
		for _, ref := range d.take(due) {
			running.Go(func() { d.serve(ctx, ref) })
		}
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case <-d.wake:
		}
	}
}

// take picks those of the due that are served next: who waited for the most
// turns first, and of no organization more than its share.
func (d *Deliverer) take(due []system.WebhookRef) (out []system.WebhookRef) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.hooks) > maxKnown {
		maps.DeleteFunc(d.hooks, func(_ id.Webhook, a *attention) bool { return !a.served })
	}
	had := func(ref system.WebhookRef) *attention {
		a := d.hooks[ref.Webhook]
		if a == nil {
			a = &attention{}
			d.hooks[ref.Webhook] = a
		}
		return a
	}
	slices.SortStableFunc(due, func(a, b system.WebhookRef) int { return cmp.Compare(had(a).turn, had(b).turn) })
	busy := 0
	for _, n := range d.serving {
		busy += n
	}
	now := time.Now()
	d.waiting = false
	for _, ref := range due {
		a := had(ref)
		if a.served || a.after.After(now) {
			continue
		}
		if busy == maxServed || d.serving[ref.Org] >= maxOfOrg {
			d.waiting = true
			continue
		}
		d.turns++
		a.served, a.turn = true, d.turns
		d.serving[ref.Org]++
		busy++
		out = append(out, ref)
	}
	return out
}

// leave gives a place back and reports whether somebody waits for one.
func (d *Deliverer) leave(ref system.WebhookRef, failed bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.hooks[ref.Webhook]
	a.served = false
	if failed {
		a.after = time.Now().Add(faultPause)
	}
	if d.serving[ref.Org]--; d.serving[ref.Org] == 0 {
		delete(d.serving, ref.Org)
	}
	return d.waiting
}

// claimed gives a webhook a turn while no other process does.
func (d *Deliverer) claimed(ctx context.Context, ref system.WebhookRef) (more bool, err error) {
	if d.Claims == nil {
		return d.Turn(ctx, ref)
	}
	claim, err := d.Claims.Claim(ctx, "webhook/"+string(ref.Webhook))
	if err != nil {
		return false, err
	}
	defer claim.Release()
	return d.Turn(claim.Context, ref)
}

// serve gives one webhook a turn. One that was deleted meanwhile may have left
// deliveries.
func (d *Deliverer) serve(ctx context.Context, ref system.WebhookRef) {
	more, err := d.claimed(ctx, ref)
	if errs.Is(err, errs.Conflict) { // another process serves it
		more, err = false, nil
	}
	gone := errs.Is(err, errs.NotFound)
	if gone {
		err = d.Store.Webhooks().Remove(ctx, ref.Org, ref.Webhook)
	}
	failed := err != nil && ctx.Err() == nil
	if failed {
		d.Log.Error("serving a webhook", "webhook", ref.Webhook, "error", err)
	}
	if waiting := d.leave(ref, failed); more || waiting {
		d.Wake()
	}
}
