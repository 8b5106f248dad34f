package health_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/health"
)

// TestManyAskOnce: those who ask while an answer is being found share the next
// one, and all hear the truth as of when they asked.
func TestManyAskOnce(t *testing.T) {
	var asked atomic.Int64
	begun, answer := make(chan struct{}, 100), make(chan bool)
	o := &health.Outbound{Log: slog.New(slog.DiscardHandler), Ask: func(context.Context) bool {
		asked.Add(1)
		begun <- struct{}{}
		return <-answer
	}}
	first := make(chan bool)
	go func() { first <- o.Isolated(t.Context()) }()
	<-begun
	var waiting sync.WaitGroup
	var told atomic.Int64
	for range 20 {
		waiting.Go(func() {
			if o.Isolated(t.Context()) {
				told.Add(1)
			}
		})
	}
	answer <- false
	if <-first {
		t.Error("the first heard what was found later")
	}
	for range 20 { // at most one for each; usually one for all
		select {
		case answer <- true:
		case <-done(&waiting):
		}
	}
	waiting.Wait()
	if told.Load() != 20 {
		t.Errorf("%d of 20 were told", told.Load())
	}
	if o.Degraded() == "" {
		t.Error("nobody is told that nothing can be reached")
	}
}

func done(w *sync.WaitGroup) chan struct{} {
	c := make(chan struct{})
	go func() { w.Wait(); close(c) }()
	return c
}

// TestTheEndOfAnIsolationIsFoundOut though nobody asks.
func TestTheEndOfAnIsolationIsFoundOut(t *testing.T) {
	var isolated atomic.Bool
	isolated.Store(true)
	again := make(chan struct{}, 2)
	o := &health.Outbound{Every: time.Millisecond, Log: slog.New(slog.DiscardHandler), Ask: func(context.Context) bool {
		select {
		case again <- struct{}{}:
		default:
		}
		return isolated.Load()
	}}
	ctx, cancel := context.WithCancel(t.Context())
	if !o.Isolated(ctx) || o.Degraded() == "" {
		t.Error("the isolation is not told")
	}
	m := &health.Monitor{System: newQueue(), Outbound: o, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	<-again
	<-again
	isolated.Store(false)
	for o.Degraded() != "" {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-ended
}
