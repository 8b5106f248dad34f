package syncing

import "fmt"

// Ledger counts what became of every item that a pass or run met. It always
// balances: Discovered is the sum of the six outcomes. Deleted, Moved and
// Remapped stand beside it.
type Ledger struct {
	Discovered int64 `bson:"discovered" json:"discovered"`
	Synced     int64 `bson:"synced" json:"synced"`       // transferred and verified
	Unchanged  int64 `bson:"unchanged" json:"unchanged"` // decided without downloading
	Filtered   int64 `bson:"filtered" json:"filtered"`
	Duplicate  int64 `bson:"duplicate" json:"duplicate"` // transferred; the bucket held the content already
	Skipped    int64 `bson:"skipped" json:"skipped"`     // see SkippedBy
	Failed     int64 `bson:"failed" json:"failed"`       // dead-lettered in this run

	Deleted  int64 `bson:"deleted" json:"deleted"`
	Moved    int64 `bson:"moved" json:"moved"`
	Remapped int64 `bson:"remapped" json:"remapped"` // of Unchanged: mapped anew without a download

	Bytes int64 `bson:"bytes" json:"bytes"` // of content transferred

	SkippedBy  map[string]int64 `bson:"skipped_by,omitempty" json:"skipped_by,omitempty"`   // by reason, e.g. archived_storage_class
	FilteredBy map[string]int64 `bson:"filtered_by,omitempty" json:"filtered_by,omitempty"` // by rule, e.g. exclude_patterns
	FailedBy   map[string]int64 `bson:"failed_by,omitempty" json:"failed_by,omitempty"`     // by kind
	NotedBy    map[string]int64 `bson:"noted_by,omitempty" json:"noted_by,omitempty"`       // whatever became of them: by what the source noted of an item, e.g. null_watermark
}

// Add adds another ledger to l.
func (l *Ledger) Add(o Ledger) {
	l.Discovered += o.Discovered
	l.Synced += o.Synced
	l.Unchanged += o.Unchanged
	l.Filtered += o.Filtered
	l.Duplicate += o.Duplicate
	l.Skipped += o.Skipped
	l.Failed += o.Failed
	l.Deleted += o.Deleted
	l.Moved += o.Moved
	l.Remapped += o.Remapped
	l.Bytes += o.Bytes
	addReasons(&l.SkippedBy, o.SkippedBy)
	addReasons(&l.FilteredBy, o.FilteredBy)
	addReasons(&l.FailedBy, o.FailedBy)
	addReasons(&l.NotedBy, o.NotedBy)
}

// Count notes one discovered item and its outcome. Reason is used for skipped,
// filtered and failed items.
func (l *Ledger) Count(o Outcome, reason string) {
	l.Discovered++
	switch o {
	case Synced:
		l.Synced++
	case Unchanged:
		l.Unchanged++
	case Filtered:
		l.Filtered++
		addReasons(&l.FilteredBy, map[string]int64{reason: 1})
	case Duplicate:
		l.Duplicate++
	case Skipped:
		l.Skipped++
		addReasons(&l.SkippedBy, map[string]int64{reason: 1})
	default:
		l.Failed++
		addReasons(&l.FailedBy, map[string]int64{reason: 1})
	}
}

// Note counts what the source noted of a discovered item; "" is nothing.
func (l *Ledger) Note(note string) {
	if note != "" {
		addReasons(&l.NotedBy, map[string]int64{note: 1})
	}
}

// Balanced reports whether every discovered item has exactly one outcome.
func (l *Ledger) Balanced() bool {
	return l.Discovered == l.Synced+l.Unchanged+l.Filtered+l.Duplicate+l.Skipped+l.Failed
}

// String shows the identity as numbers that add up.
func (l Ledger) String() string {
	return fmt.Sprintf("discovered %d = synced %d + unchanged %d + filtered %d + duplicate %d + skipped %d + failed %d; deleted %d, moved %d",
		l.Discovered, l.Synced, l.Unchanged, l.Filtered, l.Duplicate, l.Skipped, l.Failed, l.Deleted, l.Moved)
}

func addReasons(to *map[string]int64, from map[string]int64) {
	for reason, n := range from {
		if *to == nil {
			*to = map[string]int64{}
		}
		(*to)[reason] += n
	}
}
