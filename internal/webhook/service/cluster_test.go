package service_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"mooring/internal/webhook/service"
	"mooring/internal/worker"
)

// Two processes on one store serve several webhooks: each message is sent once to
// each, whoever does it, and what one leaves that ends amid it the other sends.
func TestTwoProcessesSendEveryMessageOnce(t *testing.T) {
	w := newWorld(t)
	var receivers []*receiver
	for range 4 {
		r := newReceiver(t)
		w.hook(r.URL)
		receivers = append(receivers, r)
	}
	process := func() (stop func()) {
		claims := (&worker.Worker{Store: w.store, System: w.store.System(), Log: w.del.Log, Now: time.Now}).Init()
		d := &service.Deliverer{
			Store: w.store, System: w.del.System, Vault: w.del.Vault, Client: w.del.Client, Log: w.del.Log, Now: w.del.Now, Poll: time.Millisecond, Claims: claims,
		}
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		var running sync.WaitGroup
		running.Go(func() { d.Run(ctx) })
		stop = func() { cancel(); running.Wait() }
		t.Cleanup(stop)
		return stop
	}
	arrive := func(ids []string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); slices.ContainsFunc(receivers, func(r *receiver) bool { return len(r.taken()) < len(ids) }); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not all of %d messages have arrived", len(ids))
			}
		}
	}
	first := process()
	process()
	var ids []string
	for range 3 {
		ids = append(ids, w.record(120)...)
		arrive(ids)
	}
	slices.Sort(ids)
	for i, r := range receivers {
		if got := r.taken(); !slices.Equal(got, ids) || r.requests() != len(ids) {
			t.Errorf("receiver %d: %d requests for %d of %d messages", i, r.requests(), len(got), len(ids))
		}
	}

	ended := make(chan struct{})
	var once sync.Once
	for _, r := range receivers {
		r.set(func(string) int { once.Do(func() { go func() { first(); close(ended) }() }); return 200 })
	}
	ids = append(ids, w.record(120)...)
	arrive(ids)
	<-ended
	for i, r := range receivers {
		if n := r.requests(); n > len(ids)+16 {
			t.Errorf("receiver %d: %d requests for %d messages: more than were on their way", i, n, len(ids))
		}
	}
}

func (r *receiver) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}
