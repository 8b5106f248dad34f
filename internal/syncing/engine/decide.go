package engine

import (
	"context"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"mooring/internal/bucket"
	"mooring/internal/sink"
	"mooring/internal/syncing"
)

// verdict on a listed item: work to do, or an outcome to count.
type decision struct {
	work    bool
	act     action
	outcome syncing.Outcome
	reason  string
}

func counted(o syncing.Outcome, reason string) decision { return decision{outcome: o, reason: reason} }
func doing(a action) decision                           { return decision{work: true, act: a} }

// judgeItem decides what a listed item needs, without touching its content:
// the version marks of the provider decide, never time alone.
func (r *runner) judgeItem(t *trio) decision {
	if t.item.Skip == reasonLong { // filters can't tell
		return counted(syncing.Skipped, reasonLong)
	}
	if rule, ok := r.match(*t.item); !ok {
		return counted(syncing.Filtered, rule)
	}
	if overlong(t.path) || len(t.item.ID) > maxID {
		return counted(syncing.Skipped, reasonLong)
	}
	if t.item.Skip != "" {
		return counted(syncing.Skipped, t.item.Skip)
	}
	o := t.object
	same := o != nil && o.Version == t.item.Version && o.Version != ""
	if same && o.State == bucket.Removed {
		return counted(syncing.Skipped, reasonDeleted)
	}
	if r.blocks(t.letter, t.item.Version) {
		return counted(syncing.Skipped, reasonDead)
	}
	if !same || o.State != bucket.Present || !t.intact {
		return doing(transferred)
	}
	if o.Mapping != r.view.revision || o.Path != t.path || t.moved || o.Sync != r.sync.ID {
		return doing(updated)
	}
	return counted(syncing.Unchanged, "")
}

const (
	maxID       = 128 << 10 // bytes: an id holds a path of maxPath at most
	maxPrefixes = 4 << 20   // bytes: of the names of all folders above an item, each from the root
)

// overlong says whether a path would cost more than it is worth. Each folder above
// an item is named by its path from the root: of thousands of folders in one name,
// which a key of S3 can hold, these are far larger than the name.
func overlong(path string) bool {
	if len(path) > maxPath {
		return true
	}
	prefixes := 0
	for i := range len(path) {
		if path[i] == '/' {
			prefixes += i
		}
	}
	return prefixes > maxPrefixes
}

// decide judges an item and tells the builder. It reports false when the run
// may transfer no more.
func (r *runner) decide(b *builder, t *trio, after syncing.Position) (bool, error) {
	d := r.judgeItem(t)
	if !d.work {
		b.count(d, t.item.Note, after)
		return true, nil
	}
	return b.add(r.newWork(d.act, *t.item, t.path, t.object, t.letter), after)
}

// blocks reports whether an open dead letter keeps this version from being
// tried. One that a mapping caused holds for that mapping only.
func (r *runner) blocks(l *syncing.DeadLetter, version string) bool {
	if l == nil || l.Status != syncing.DeadOpen || l.Version != version {
		return false
	}
	if rev, ok := strings.CutPrefix(l.Code, mappingCode); ok {
		return rev == strconv.FormatInt(r.view.revision, 10)
	}
	return true
}

// mappingCode begins the code of a dead letter that the mapping caused, and is
// followed by the mapping's revision.
const mappingCode = "mapping/"

const fileLooks = 8 // at once

// lookAtFiles notes which objects that look unchanged have their file.
func (r *runner) lookAtFiles(ctx context.Context, chunk []trio) error {
	group, ctx := errgroup.WithContext(ctx)
	const part = 64
	slots := make(chan struct{}, fileLooks)
	for start := 0; start < len(chunk); start += part {
		some := chunk[start:min(start+part, len(chunk))]
		slots <- struct{}{}
		group.Go(func() error {
			defer func() { <-slots }()
			return r.lookAtSome(ctx, some)
		})
	}
	return group.Wait()
}

func (r *runner) lookAtSome(ctx context.Context, some []trio) error {
	var names []string
	var of []*trio
	for i := range some {
		t := &some[i]
		if o := t.object; t.item != nil && o != nil && o.State == bucket.Present && o.Version == t.item.Version {
			names, of = append(names, o.Name), append(of, t)
		}
	}
	sizes, err := sink.Stats(ctx, r.sink, names)
	if err != nil {
		return ours(err, "looking at the destination failed")
	}
	for i, t := range of {
		t.intact = sizes[i] == t.object.Size
	}
	return nil
}
