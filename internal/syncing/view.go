package syncing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// View names what a sync takes in and what it makes of it: its filters and the
// revision of its mapping. "" is everything, as it is. A feed tells only of what
// changes: under another view its scope has to be enumerated anew.
func (s *Sync) View() string {
	if s.Filters == nil && s.MappingRevision == 0 {
		return ""
	}
	b, _ := json.Marshal(struct { // numbers, texts and times always marshal
		Filters *Filters
		Mapping int64
	}{s.Filters, s.MappingRevision})
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// FeedGoesOn reports whether the next pass can go on where the feed was left.
func (s *Sync) FeedGoesOn() bool { return s.FeedCursor != nil && s.FeedView == s.View() }
