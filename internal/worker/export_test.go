package worker

import "context"

// Sweep removes what was deleted, now.
func (w *Worker) Sweep(ctx context.Context) { w.sweep(ctx) }
