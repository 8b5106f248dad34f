package health

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Outbound knows whether anything can be reached from here. It is safe for
// concurrent use.
type Outbound struct {
	// Ask finds out, in bounded time; see outbound.Guard.
	Ask func(context.Context) bool
	Log *slog.Logger
	// Every is how often it asks while nothing can be reached, default 15 s.
	Every time.Duration

	asking   sync.Mutex
	asked    time.Time // when the last asking began; guarded by asking
	isolated atomic.Bool
}

const askAgain = 15 * time.Second

// Isolated asks whether nothing at all can be reached. Those who ask at the same
// time share an answer, never one that was being found before they asked.
func (o *Outbound) Isolated(ctx context.Context) bool {
	called := time.Now()
	o.asking.Lock()
	defer o.asking.Unlock()
	if !o.asked.After(called) {
		o.asked = time.Now()
		is := o.Ask(context.WithoutCancel(ctx)) // another's answer too
		if was := o.isolated.Swap(is); is != was {
			o.Log.Warn("what can be reached from here has changed", "isolated", is)
		}
	}
	return o.isolated.Load()
}

// Degraded says what is wrong as of the last time that somebody asked, "" when
// nothing is. It never waits.
func (o *Outbound) Degraded() string {
	if o.isolated.Load() {
		return "no provider can be reached from here: failures are not counted until one can"
	}
	return ""
}

// Watch asks again while nothing can be reached, until ctx ends.
func (o *Outbound) Watch(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, either(o.Every, askAgain))
		if ctx.Err() == nil && o.isolated.Load() {
			o.Isolated(ctx)
		}
	}
}
