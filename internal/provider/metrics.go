package provider

import (
	"time"

	"mooring/internal/errs"
)

// Metrics is told what sources do. Its methods must not block and are called
// concurrently. provider is an adapter's name and method one of check, browse,
// changes, stat, open, split, attributes: few values, fit for labels.
type Metrics interface {
	// Call is one request to an adapter, each try by itself; kind is "ok" or an errs.Kind.
	Call(provider, method, kind string, took time.Duration)
	// Retry is a wait before a call is tried again.
	Retry(provider, method string, kind errs.Kind, wait time.Duration)
	// Queued is a wait for the credential's budget.
	Queued(provider, method string, wait time.Duration)
	// Read is n bytes of content.
	Read(provider string, n int)
}

type noMetrics struct{}

func (noMetrics) Call(string, string, string, time.Duration)     {}
func (noMetrics) Retry(string, string, errs.Kind, time.Duration) {}
func (noMetrics) Queued(string, string, time.Duration)           {}
func (noMetrics) Read(string, int)                               {}
