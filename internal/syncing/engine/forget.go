package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"mooring/internal/bucket"
	"mooring/internal/id"
)

// Forget removes what a deleted sync has staged: a process that was killed left
// it, and no run of the sync will sweep it any more. The caller holds the sync's
// lease.
func (e *Engine) Forget(ctx context.Context, org id.Org, s id.Sync) error {
	row, err := e.Store.Syncs().Get(ctx, org, s)
	if err != nil {
		return err
	}
	b, err := e.Store.Buckets().Get(ctx, org, row.Bucket)
	if err != nil || b.Status != bucket.Active {
		return err // a bucket that is deleted goes as a whole
	}
	part, err := e.Sinks(ctx, b)
	if err != nil {
		return err
	}
	return part.Sweep(ctx, func(staged string) bool { return !strings.HasPrefix(staged, string(s)+"-") })
}

// CleanScratch removes the folders for sorting that killed processes left in a
// scratch folder. Nobody may be sorting there.
func CleanScratch(scratch string) error {
	list, err := os.ReadDir(scratch)
	for _, e := range list {
		if e.IsDir() && strings.HasPrefix(e.Name(), sortFolder) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(scratch, e.Name())))
		}
	}
	return err
}
